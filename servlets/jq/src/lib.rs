//! A servlet with one tool: it runs a jq filter over JSON text. It asks for no capability.

mod fault;
mod filter;
mod output;

use std::collections::BTreeMap;

use writ_servlet::{Content, ToolResult, input, serde_json, servlet, tool};

#[input]
struct Arguments {
    /// The jq filter, such as: .items | map(select(.price > 10) | {name, price})
    #[schemars(length(min = 1, max = 4096))]
    filter: String,
    /// JSON text: one value, or several one after the other (JSON Lines too). Without it the filter runs once, on null
    input: Option<String>,
    /// Values that the filter sees as variables: {"min": 10} becomes $min
    #[serde(default)]
    args: BTreeMap<String, serde_json::Value>,
    /// Print texts as they are, without quotes
    #[serde(default)]
    raw_output: bool,
    /// Print each value on one line
    #[serde(default)]
    compact: bool,
    /// Print the keys of objects in order
    #[serde(default)]
    sort_keys: bool,
    /// Run the filter once over a list of all input values
    #[serde(default)]
    slurp: bool,
    /// Take the input as text, each line a value, not as JSON
    #[serde(default)]
    raw_input: bool,
    /// Run the filter once, on null; it gets at the input with input and inputs
    #[serde(default)]
    null_input: bool,
}

/// Runs a jq filter over JSON text: selects, reshapes, counts, sorts, groups and sums exactly. Answers with
/// what the filter prints, at most 256 KiB.
#[tool(title = "Run jq", read_only, idempotent, closed_world)]
fn jq(input: Arguments) -> ToolResult {
    let text = input.input.as_deref();
    let request = filter::Request {
        filter: &input.filter,
        input: text.unwrap_or_default(),
        args: input.args.into_iter().map(|(name, value)| (name, value.to_string())).collect(),
        null_input: input.null_input || text.is_none(),
        raw_input: input.raw_input,
        slurp: input.slurp,
        form: output::Form { raw: input.raw_output, compact: input.compact, sort_keys: input.sort_keys },
    };
    match filter::run(&request) {
        Ok(printed) if printed.is_empty() => ToolResult::text("(the filter printed nothing)"),
        Ok(printed) => ToolResult::text(printed),
        Err(failed) if failed.output.is_empty() => ToolResult::text(failed.why).error(),
        Err(failed) => ToolResult::text(failed.output).with(Content::text(failed.why)).error(),
    }
}

servlet!(jq; warm = filter::warm);
