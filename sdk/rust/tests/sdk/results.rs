use std::collections::BTreeMap;
use std::fmt;

use writ_servlet::testing::Host;
use writ_servlet::{input, json, output, servlet, tool, Content, Fault, Json, Result, ToolResult};

#[input]
struct Text {
    text: String,
}

#[output]
struct Length {
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<char>,
}

/// Measures.
#[tool]
fn length(input: Text) -> Json<Length> {
    Json(Length { bytes: input.text.len(), first: input.text.chars().next() })
}

/// Counts letters.
#[tool]
fn letters(input: Text) -> Json<BTreeMap<char, u32>> {
    let mut letters = BTreeMap::new();
    input.text.chars().for_each(|c| *letters.entry(c).or_default() += 1);
    Json(letters)
}

/// Says it.
#[tool]
fn say(input: Text) -> String {
    input.text
}

/// Shows everything that a result can have.
#[tool]
fn show() -> Result<ToolResult> {
    ToolResult::structured(&json!({ "n": 1 }))?
        .with(Content::text("a \"text\"\n"))
        .with(Content::image("image/png", [1, 2]))
        .with(Content::audio("audio/wav", [3]))
        .with(Content::link("file:///a", "a", ""))
        .with(Content::resource("file:///b", "text/plain", "b"))
        .with(Content::blob("file:///c", "", [0xff]))
        .meta(&json!({ "a/b": true }))
}

/// Draws.
#[tool]
fn draw() -> ToolResult {
    ToolResult::image("image/png", [0x89, b'P'])
}

#[derive(Debug)]
struct NoSuchCity;

impl fmt::Display for NoSuchCity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no such city")
    }
}

impl std::error::Error for NoSuchCity {}

/// Fails in the way that the text says.
#[tool]
fn fail(input: Text) -> Result<String> {
    match input.text.as_str() {
        "own" => Err(NoSuchCity)?,
        "number" => Ok((input.text.parse::<u8>()? + 1).to_string()),
        "fault" => Err(Fault("the table is broken".into()))?,
        "list" => Ok(format!("{:?}", ToolResult::structured(&[1, 2])?)),
        "panic" => panic!("index {} of {}", 3, 2),
        _ => Err("a text".into()),
    }
}

/// Fails with an error of its own type.
#[tool]
fn lost() -> std::result::Result<String, NoSuchCity> {
    Err(NoSuchCity)
}

/// Fails with a text.
#[tool]
fn refuse() -> std::result::Result<ToolResult, String> {
    Ok(ToolResult::text("no").error())
}

servlet!(length, letters, say, show, draw, fail, lost, refuse);

#[test]
fn a_struct_is_structured_content_and_its_text() {
    let reply = Host::new(&SERVLET).call("length", json!({ "text": "añb" }));
    assert_eq!(reply.structured, json!({ "bytes": 4, "first": "a" }));
    assert_eq!(reply.text(), r#"{"bytes":4,"first":"a"}"#);
    assert!(!reply.is_error);
}

#[test]
fn a_map_is_structured_content() {
    let reply = Host::new(&SERVLET).call("letters", json!({ "text": "aba" }));
    assert_eq!(reply.structured, json!({ "a": 2, "b": 1 }));
}

#[test]
fn any_text_survives() {
    for text in ["", "plain", "\"\\/\u{8}\u{c}\n\r\t\u{1}", "\u{7f}\u{2028}日本 🙂"] {
        assert_eq!(Host::new(&SERVLET).call("say", json!({ "text": text })).text(), text);
    }
}

#[test]
fn every_kind_of_content_is_written_as_mcp_has_it() {
    let reply = Host::new(&SERVLET).call("show", json!({}));
    assert_eq!(
        json!(reply.content),
        json!([
            { "type": "text", "text": "a \"text\"\n" },
            { "type": "image", "mimeType": "image/png", "data": "AQI=" },
            { "type": "audio", "mimeType": "audio/wav", "data": "Aw==" },
            { "type": "resource_link", "uri": "file:///a", "name": "a" },
            { "type": "resource", "resource": { "uri": "file:///b", "mimeType": "text/plain", "text": "b" } },
            { "type": "resource", "resource": { "uri": "file:///c", "blob": "/w==" } },
        ])
    );
    assert_eq!(reply.structured, json!({ "n": 1 }));
    assert_eq!(reply.meta, json!({ "a/b": true }));
    assert_eq!(Host::new(&SERVLET).call("draw", json!({})).data().unwrap(), [0x89, b'P']);
}

#[test]
fn errors_are_answers_for_the_model() {
    let rows = [
        ("own", "there is no such city"),
        ("number", "invalid digit found in string"),
        ("other", "a text"),
        ("fault", "the table is broken"),
        ("list", "structured content must be a JSON object: a struct or a map"),
        ("panic", "the servlet panicked: index 3 of 2"),
    ];
    for (text, want) in rows {
        let reply = Host::new(&SERVLET).call("fail", json!({ "text": text }));
        assert!(reply.is_error, "{text}");
        assert_eq!(reply.text(), want);
    }
    assert_eq!(Host::new(&SERVLET).call("lost", json!({})).text(), "there is no such city");
    let refused = Host::new(&SERVLET).call("refuse", json!({}));
    assert!(refused.is_error && refused.text() == "no");
}

#[test]
fn what_a_schema_forbids_never_reaches_the_tool() {
    let rows = [
        (json!({}), "arguments.text: missing"),
        (json!({ "text": 1 }), "arguments.text: expected \"string\""),
        (json!({ "text": "", "more": 1 }), "arguments.more: there is no such argument"),
        (json!([]), "arguments: expected \"object\""),
    ];
    for (arguments, want) in rows {
        let reply = Host::new(&SERVLET).call("say", arguments);
        assert!(reply.is_error);
        assert_eq!(reply.text(), want);
    }
    assert_eq!(Host::new(&SERVLET).call("nosuch", json!({})).text(), "this servlet has no tool \"nosuch\"");
}
