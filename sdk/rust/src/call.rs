use serde::Serialize;

use crate::answer::ToolResult;
use crate::error::{is_fault, Error};
use crate::request;
use crate::tool::{Entry, Servlet};

// How Writ writes a request: what stands before and after the tool's name, and at the end.
const BEFORE_NAME: &[u8] = br#"{"method":"tools/call","params":{"name":""#;
const AFTER_NAME: &[u8] = br#"","arguments":"#;
const AT_END: &[u8] = b"}}";

impl Servlet {
    /// Answers one request with the JSON of an MCP result. Its error is the servlet's own failure; what the
    /// model can mend is a result.
    pub(crate) fn call(&self, input: &[u8]) -> Result<Vec<u8>, String> {
        if let Some((entry, arguments)) = self.ordinary(input) {
            if let Ok(result) = (entry.run)(arguments) {
                return finish(result);
            }
        }
        let request = request::read(input).map_err(|e| format!("reading the request: {e}"))?;
        if request.method != "tools/call" {
            return Err(format!("this servlet answers tools/call, not \"{}\"", start(&request.method)));
        }
        let Some(entry) = self.tools.iter().find(|entry| entry.about.name == request.name) else {
            return Err(format!("this servlet has no tool \"{}\"", start(&request.name)));
        };
        let arguments = match request.arguments {
            b"" | b"null" => b"{}",
            given => given,
        };
        match (entry.run)(arguments) {
            Ok(result) => finish(result),
            Err(e) => finish(Err(explain(&e).into())),
        }
    }

    /// Finds the tool of a request that is written as Writ does, and the arguments, which are not looked at.
    fn ordinary<'a>(&self, input: &'a [u8]) -> Option<(&Entry, &'a [u8])> {
        let rest = input.strip_prefix(BEFORE_NAME)?.strip_suffix(AT_END)?;
        self.tools.iter().find_map(|entry| {
            let arguments = rest.strip_prefix(entry.about.name.as_bytes())?.strip_prefix(AFTER_NAME)?;
            Some((entry, arguments))
        })
    }

    /// Takes what a call needs once: memory for it, and the path through the reading of arguments. No
    /// tool's function runs, and of the author's code only what was named for it.
    pub(crate) fn warm(&self) {
        let mut out = Vec::with_capacity(WARM);
        for entry in self.tools {
            (entry.read)(b"{}");
            ToolResult::text(entry.about.name).write(&mut out);
        }
        std::hint::black_box(&out);
        if let Some(warm) = self.warm {
            warm();
        }
    }
}

// What most calls allocate in all, in bytes.
const WARM: usize = 64 << 10;

fn finish(result: Result<ToolResult, Error>) -> Result<Vec<u8>, String> {
    let result = match result {
        Ok(result) => result,
        Err(e) if is_fault(e.as_ref()) => return Err(e.to_string()),
        Err(e) => ToolResult::text(e.to_string()).error(),
    };
    let mut out = Vec::with_capacity(512);
    result.write(&mut out);
    Ok(out)
}

// explain words a reading error for somebody who does not see the text that was read.
fn explain(e: &serde_json::Error) -> String {
    let text = e.to_string();
    let place = format!(" at line {} column {}", e.line(), e.column());
    format!("arguments: {}", text.strip_suffix(&place).unwrap_or(&text))
}

// start is as much of a text as an error quotes.
fn start(text: &str) -> &str {
    text.char_indices().nth(80).map_or(text, |(end, _)| &text[..end])
}

/// Writes one of this crate's own heads, of which none can fail.
pub(crate) fn to_json(head: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(head).unwrap_or_default()
}
