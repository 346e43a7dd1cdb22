use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use crate::base64;
use crate::error::Error;

/// What a tool's function returns: a text, a [`Json`] value, a [`ToolResult`] for anything else that MCP
/// can say, or a `Result` of these, whose error becomes an answer that the model reads and can mend.
pub trait Answer {
    /// Makes the result. Its error is an answer for the model, unless it is a [`Fault`](crate::Fault).
    fn into_result(self) -> Result<ToolResult, Error>;

    /// The schema of the structured content, if there is one.
    fn output_schema(_: &mut SchemaGenerator) -> Option<Schema> {
        None
    }
}

impl Answer for String {
    fn into_result(self) -> Result<ToolResult, Error> {
        Ok(ToolResult::text(self))
    }
}

impl Answer for &str {
    fn into_result(self) -> Result<ToolResult, Error> {
        Ok(ToolResult::text(self))
    }
}

impl Answer for ToolResult {
    fn into_result(self) -> Result<ToolResult, Error> {
        Ok(self)
    }
}

impl<T: Answer, E: Into<Error>> Answer for Result<T, E> {
    fn into_result(self) -> Result<ToolResult, Error> {
        self.map_err(Into::into)?.into_result()
    }

    fn output_schema(generator: &mut SchemaGenerator) -> Option<Schema> {
        T::output_schema(generator)
    }
}

/// A value for programs, a struct or a map: structured content, with its schema in the tool's
/// description. Its JSON is the text for the model too. JSON has no NaN and no infinity: they become null, which
/// the host refuses where the schema says number. Use an `Option`, or return an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Json<T>(pub T);

impl<T: Serialize + JsonSchema> Answer for Json<T> {
    fn into_result(self) -> Result<ToolResult, Error> {
        ToolResult::structured(&self.0)
    }

    fn output_schema(generator: &mut SchemaGenerator) -> Option<Schema> {
        Some(generator.root_schema_for::<T>())
    }
}

/// A tool's answer in full: MCP's CallToolResult.
///
/// ```
/// use writ_servlet::{Content, ToolResult};
///
/// let png = vec![0x89, b'P', b'N', b'G'];
/// let result = ToolResult::text("A red dot:").with(Content::image("image/png", png));
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToolResult {
    content: Vec<Content>,
    structured: Option<String>, // a JSON object
    is_error: bool,
    meta: Option<String>, // a JSON object
}

impl ToolResult {
    /// A result of one text.
    pub fn text(text: impl Into<String>) -> ToolResult {
        ToolResult::default().with(Content::text(text))
    }

    /// A result of one picture, such as "image/png".
    pub fn image(mime_type: &str, data: impl Into<Vec<u8>>) -> ToolResult {
        ToolResult::default().with(Content::image(mime_type, data))
    }

    /// A result for programs, and the same as text for the model. It fails when the value is no JSON
    /// object: that is a mistake in the servlet.
    pub fn structured(value: &(impl Serialize + ?Sized)) -> Result<ToolResult, Error> {
        let json = object(value, "structured content")?;
        Ok(ToolResult { structured: Some(json), ..ToolResult::default() })
    }

    /// Adds a block of content.
    pub fn with(mut self, block: Content) -> ToolResult {
        self.content.push(block);
        self
    }

    /// Says that the tool did not do it; the content says why.
    pub fn error(mut self) -> ToolResult {
        self.is_error = true;
        self
    }

    /// Sets the result's `_meta`, a JSON object.
    pub fn meta(mut self, meta: &impl Serialize) -> Result<ToolResult, Error> {
        self.meta = Some(object(meta, "_meta")?);
        Ok(self)
    }

    /// Appends the result as MCP has it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"content\":[");
        match &self.structured {
            Some(json) if self.content.is_empty() => write_text(out, json),
            _ => {
                for (i, block) in self.content.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    block.write(out);
                }
            }
        }
        out.push(b']');
        if let Some(json) = &self.structured {
            out.extend_from_slice(b",\"structuredContent\":");
            out.extend_from_slice(json.as_bytes());
        }
        if self.is_error {
            out.extend_from_slice(b",\"isError\":true");
        }
        if let Some(json) = &self.meta {
            out.extend_from_slice(b",\"_meta\":");
            out.extend_from_slice(json.as_bytes());
        }
        out.push(b'}');
    }
}

fn object(value: &(impl Serialize + ?Sized), what: &str) -> Result<String, Error> {
    match serde_json::to_string(value) {
        Ok(json) if json.starts_with('{') => Ok(json),
        Ok(_) => Err(crate::Fault([what, " must be a JSON object: a struct or a map"].concat()).into()),
        Err(e) => Err(crate::Fault([what, ": ", &e.to_string()].concat()).into()),
    }
}

/// One block of a result, as MCP has them.
#[derive(Clone, PartialEq)]
pub struct Content(Block);

#[derive(Clone, PartialEq)]
enum Block {
    Text(String),
    Image { mime_type: String, data: Vec<u8> },
    Audio { mime_type: String, data: Vec<u8> },
    Link { uri: String, name: String, mime_type: String },
    Resource { uri: String, mime_type: String, text: String },
    Blob { uri: String, mime_type: String, data: Vec<u8> },
}

impl Content {
    /// A text.
    pub fn text(text: impl Into<String>) -> Content {
        Content(Block::Text(text.into()))
    }

    /// A picture, such as "image/png".
    pub fn image(mime_type: &str, data: impl Into<Vec<u8>>) -> Content {
        Content(Block::Image { mime_type: mime_type.into(), data: data.into() })
    }

    /// A sound, such as "audio/wav".
    pub fn audio(mime_type: &str, data: impl Into<Vec<u8>>) -> Content {
        Content(Block::Audio { mime_type: mime_type.into(), data: data.into() })
    }

    /// A pointer to a document. The type may be empty.
    pub fn link(uri: &str, name: &str, mime_type: &str) -> Content {
        Content(Block::Link { uri: uri.into(), name: name.into(), mime_type: mime_type.into() })
    }

    /// A text document that travels with the result. The type may be empty.
    pub fn resource(uri: &str, mime_type: &str, text: impl Into<String>) -> Content {
        Content(Block::Resource { uri: uri.into(), mime_type: mime_type.into(), text: text.into() })
    }

    /// A document that is no text and travels with the result. The type may be empty.
    pub fn blob(uri: &str, mime_type: &str, data: impl Into<Vec<u8>>) -> Content {
        Content(Block::Blob { uri: uri.into(), mime_type: mime_type.into(), data: data.into() })
    }

    fn write(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Block::Text(text) => write_text(out, text),
            Block::Image { mime_type, data } => Members::begin(out).bytes("data", data).text("mimeType", mime_type).end("image"),
            Block::Audio { mime_type, data } => Members::begin(out).bytes("data", data).text("mimeType", mime_type).end("audio"),
            Block::Link { uri, name, mime_type } => {
                Members::begin(out).given("mimeType", mime_type).text("name", name).text("uri", uri).end("resource_link");
            }
            Block::Resource { uri, mime_type, text } => {
                out.extend_from_slice(b"{\"resource\":");
                Members::begin(out).text("text", text).given("mimeType", mime_type).last("uri", uri);
                out.extend_from_slice(b",\"type\":\"resource\"}");
            }
            Block::Blob { uri, mime_type, data } => {
                out.extend_from_slice(b"{\"resource\":");
                Members::begin(out).bytes("blob", data).given("mimeType", mime_type).last("uri", uri);
                out.extend_from_slice(b",\"type\":\"resource\"}");
            }
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::new();
        self.write(&mut out);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    Members::begin(out).text("text", text).end("text");
}

/// Appends a JSON string.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    // Writing a str to memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}

// Members writes an object of texts.
struct Members<'a>(&'a mut Vec<u8>);

impl<'a> Members<'a> {
    fn begin(out: &'a mut Vec<u8>) -> Members<'a> {
        out.push(b'{');
        Members(out)
    }

    fn name(&mut self, name: &str) {
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn text(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        write_string(self.0, value);
        self.0.push(b',');
        self
    }

    // given writes a member that is not empty.
    fn given(self, name: &str, value: &str) -> Self {
        if value.is_empty() {
            return self;
        }
        self.text(name, value)
    }

    fn bytes(mut self, name: &str, value: &[u8]) -> Self {
        self.name(name);
        self.0.push(b'"');
        base64::append(self.0, value);
        self.0.extend_from_slice(b"\",");
        self
    }

    fn last(mut self, name: &str, value: &str) {
        self.name(name);
        write_string(self.0, value);
        self.0.push(b'}');
    }

    fn end(self, kind: &str) {
        self.last("type", kind);
    }
}
