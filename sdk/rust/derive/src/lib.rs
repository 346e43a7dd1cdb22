//! The attributes of the crate `writ-servlet`, which re-exports them.

#![deny(missing_docs)]

mod data;
mod tool;

use proc_macro::TokenStream;

/// Makes the struct a tool's arguments: it derives serde's `Deserialize` and schemars' `JsonSchema`.
///
/// Doc comments become the descriptions that the model reads. The attributes of both crates work:
/// `#[serde(default)]`, `#[serde(rename = "…")]`, `#[schemars(range(min = 1))]`. Members that the struct
/// does not have are refused, unless it flattens another one. Types inside it, enums too, need the
/// attribute as well.
#[proc_macro_attribute]
pub fn input(attribute: TokenStream, item: TokenStream) -> TokenStream {
    data::expand(attribute.into(), item.into(), data::Way::Input).into()
}

/// Makes the struct a tool's structured result, to be returned in `Json`: it derives serde's `Serialize` and
/// schemars' `JsonSchema`. Types inside it need the attribute as well.
#[proc_macro_attribute]
pub fn output(attribute: TokenStream, item: TokenStream) -> TokenStream {
    data::expand(attribute.into(), item.into(), data::Way::Output).into()
}

/// Makes a tool of a function of no or one argument. The doc comment is what the model reads to choose it.
///
/// | attribute | meaning |
/// | --- | --- |
/// | `name = "…"` | the tool's name, if not the function's |
/// | `title = "…"` | a name for people |
/// | `description = "…"` | in place of the doc comment |
/// | `read_only` | changes nothing |
/// | `additive` | adds, but never changes or deletes what is there |
/// | `idempotent` | doing it twice is the same as once |
/// | `closed_world` | deals only with what the servlet was given, not with the world |
/// | `input_schema = …` | JSON text in place of the schema of the argument's type |
/// | `output_schema = …` | JSON text in place of the schema of the result's type |
/// | `meta = …` | JSON text for the tool's `_meta` |
///
/// The hints that are not set are the careful ones of MCP.
#[proc_macro_attribute]
pub fn tool(attribute: TokenStream, item: TokenStream) -> TokenStream {
    tool::expand(attribute.into(), item.into()).into()
}
