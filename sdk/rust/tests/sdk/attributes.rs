//! What authors are told of a mistake in an attribute.

#[path = "../../derive/src/data.rs"]
mod data;
#[path = "../../derive/src/tool.rs"]
mod tool;

use proc_macro2::TokenStream;

fn tokens(text: &str) -> TokenStream {
    text.parse().unwrap()
}

#[test]
fn mistakes_in_a_tool_are_told() {
    let rows = [
        ("", "fn f(a: A, b: B) -> String {}", "a tool takes no or one argument"),
        ("", "async fn f() -> String {}", "a tool is no async function"),
        ("", "fn f<T>(a: T) -> String {}", "a tool is not generic"),
        ("", "fn f() {}", "a tool returns what the model gets"),
        ("readonly", "fn f() -> String {}", "not known: write name, title"),
        ("read_only, read_only", "fn f() -> String {}", "it is there already"),
        ("name", "fn f() -> String {}", "expected `=`"),
        ("", "struct S;", "expected `fn`"),
    ];
    for (attribute, item, want) in rows {
        let out = tool::expand(tokens(attribute), tokens(item)).to_string();
        assert!(out.contains("compile_error") && out.contains(want), "{attribute} {item}: {out}");
    }
}

#[test]
fn mistakes_in_an_argument_are_told() {
    for (attribute, item, want) in [("x", "struct S {}", "this attribute takes nothing"), ("", "fn f() {}", "expected")] {
        let out = data::expand(tokens(attribute), tokens(item), data::Way::Input).to_string();
        assert!(out.contains("compile_error") && out.contains(want), "{attribute} {item}: {out}");
    }
}

#[test]
fn unknown_arguments_are_refused_where_serde_can() {
    let rows = [
        ("struct S { a: u8 }", data::Way::Input, true),
        ("#[serde(rename_all = \"camelCase\", bound(deserialize = \"\"))] struct S { a: u8 }", data::Way::Input, true),
        ("struct S { #[serde(flatten)] a: A }", data::Way::Input, false),
        ("enum E { A }", data::Way::Input, false),
        ("struct S { a: u8 }", data::Way::Output, false),
    ];
    for (item, way, want) in rows {
        assert_eq!(data::expand(TokenStream::new(), tokens(item), way).to_string().contains("deny_unknown_fields"), want, "{item}");
    }
    let twice = data::expand(TokenStream::new(), tokens("#[serde(deny_unknown_fields)] struct S {}"), data::Way::Input).to_string();
    assert_eq!(twice.matches("deny_unknown_fields").count(), 1);
}
