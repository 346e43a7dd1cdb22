//! A servlet with one tool: it runs Python code without files and without a network. It asks for no
//! capability.

mod machine;

use writ_servlet::{ToolResult, input, servlet, tool};

use machine::{End, MAX_OUTPUT};

#[input]
struct Arguments {
    /// Python 3 code. Give what you want to know as the last line, such as: sum(values) / len(values)
    #[schemars(length(min = 1, max = 262144))]
    code: String,
}

/// Runs Python 3 code and answers with what it printed and, as => REPR, with the value of its last
/// expression. For exact arithmetic, dates, text and data: json, math, re, datetime, decimal, fractions,
/// statistics, itertools, collections, random, hashlib and more of the standard library. No files, no
/// network, no packages; nothing is kept between calls.
#[tool(title = "Run Python", read_only, closed_world)]
fn eval_py(input: Arguments) -> ToolResult {
    let ran = machine::run(&input.code);
    let mut text = ran.output;
    if text.len() >= MAX_OUTPUT {
        text.push_str(&format!("\n[cut: at most {} KiB of output are returned]\n", MAX_OUTPUT >> 10));
    }
    match ran.end {
        End::Value(Some(value)) => ToolResult::text(with_line(text, &format!("=> {value}"))),
        End::Value(None) if text.is_empty() => ToolResult::text("(no output, and the last line has no value)"),
        End::Value(None) => ToolResult::text(text),
        End::Error(why) => ToolResult::text(with_line(text, &why)).error(),
    }
}

/// Adds what starts on a line of its own.
fn with_line(mut text: String, last: &str) -> String {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text + last
}

servlet!(eval_py; warm = machine::warm);
