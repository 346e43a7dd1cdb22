//! Runs a servlet's tools in an ordinary test, without Wasm and without a sandbox: the test gives the
//! settings and answers the HTTP requests.
//!
//! ```
//! use writ_servlet::http::{Request, Response};
//! use writ_servlet::testing::Host;
//! use writ_servlet::{config, input, json, servlet, tool};
//!
//! #[input]
//! struct Place {
//!     city: String,
//! }
//!
//! /// Tells the temperature of a city.
//! #[tool(read_only)]
//! fn temperature(input: Place) -> writ_servlet::Result<String> {
//!     let units = config("UNITS").unwrap_or("metric".into());
//!     let response = Request::get("api", "/v1/now").query("city", &input.city).query("units", &units).send()?;
//!     Ok(response.text().into_owned())
//! }
//!
//! servlet!(temperature);
//!
//! # fn main() {
//! let mut host = Host::new(&SERVLET).config("UNITS", "imperial").http("api", |request| {
//!     assert_eq!(request.query, "city=Oslo&units=imperial");
//!     Response { status: 200, body: "39 °F".into(), ..Response::default() }
//! });
//! let answer = host.call("temperature", json!({ "city": "Oslo" }));
//! assert_eq!(answer.text(), "39 °F");
//! # }
//! ```
//!
//! Arguments are checked against the tool's schema as Writ does it, as far as schemas made from Rust types
//! go; patterns are not. Files are those of this machine: let your code take its root folder from a
//! constant or an argument. A panic is an answer too, as the operator's log would tell it.

mod check;
mod double;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::rc::Rc;

use serde_json::Value;

use crate::http::{Headers, Response};
use crate::tool::Servlet;
use crate::{base64, Level};

use double::Double;

thread_local! {
    static CURRENT: RefCell<Option<Rc<RefCell<Double>>>> = const { RefCell::new(None) };
}

/// Reaches the host of the call that runs on this thread; outside of one it is a host that grants nothing.
pub(crate) fn current<T>(f: impl FnOnce(&mut Double) -> T) -> T {
    let host = CURRENT.with(|current| current.borrow().clone()).unwrap_or_default();
    let mut host = host.borrow_mut();
    f(&mut host)
}

/// The other side of a servlet under test. A new one grants nothing.
pub struct Host {
    servlet: &'static Servlet,
    double: Rc<RefCell<Double>>,
}

/// What a servlet asked a site or the web for.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// The method.
    pub method: String,
    /// The path of a site, or the whole URL of a page.
    pub path: String,
    /// The query, encoded; empty for a page.
    pub query: String,
    /// The header fields that the servlet set.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

impl Host {
    /// A host that runs `SERVLET`, which the macro `servlet!` has defined.
    pub fn new(servlet: &'static Servlet) -> Host {
        servlet.warm();
        Host { servlet, double: Rc::default() }
    }

    /// Gives a setting its value.
    pub fn config(self, key: &str, value: &str) -> Host {
        self.double.borrow_mut().config.insert(key.into(), value.into());
        self
    }

    /// Grants an http capability, by its id, and answers for its site.
    pub fn http(self, id: &str, answer: impl FnMut(&Received) -> Response + 'static) -> Host {
        self.double.borrow_mut().sites.insert(id.into(), Box::new(answer));
        self
    }

    /// Grants the web, and answers for every page. Redirects are not followed.
    pub fn web(self, answer: impl FnMut(&Received) -> Response + 'static) -> Host {
        self.double.borrow_mut().web = Some(Box::new(answer));
        self
    }

    /// Grants keeping values between calls, and has some there already.
    pub fn kv<K: Into<String>, V: Into<Vec<u8>>>(self, kept: impl IntoIterator<Item = (K, V)>) -> Host {
        self.double.borrow_mut().kv = Some(kept.into_iter().map(|(key, value)| (key.into(), value.into())).collect());
        self
    }

    /// Calls a tool as Writ does. Like a host it makes an answer out of every failure.
    pub fn call(&mut self, tool: &str, arguments: Value) -> Reply {
        let tools = self.tools();
        if let Some(described) = tools.iter().find(|one| one["name"] == tool) {
            if let Err(why) = check::check(&described["inputSchema"], &arguments) {
                return Reply::failed(&why);
            }
        }
        let request = serde_json::json!({ "method": "tools/call", "params": { "name": tool, "arguments": arguments } });
        let kept = self.double.borrow_mut().begin();
        let before = CURRENT.with(|current| current.replace(Some(self.double.clone())));
        let ended = catch_unwind(AssertUnwindSafe(|| self.servlet.call(request.to_string().as_bytes())));
        CURRENT.with(|current| current.replace(before));
        let reply = match ended {
            Ok(Ok(out)) => Reply::read(&out),
            Ok(Err(text)) => Reply::failed(&text),
            Err(panic) => Reply::failed(&format!("the servlet panicked: {}", text_of(&*panic))),
        };
        if reply.is_error {
            self.double.borrow_mut().kv = kept;
        }
        reply
    }

    /// The tools as the model would see them. It panics when building the servlet would fail.
    pub fn tools(&self) -> Vec<Value> {
        let described = self.servlet.describe().unwrap_or_else(|mistakes| panic!("describing the servlet: {mistakes}"));
        let mut list: Value = serde_json::from_slice(&described).expect("a description is JSON");
        match list["tools"].take() {
            Value::Array(tools) => tools,
            _ => Vec::new(),
        }
    }

    /// What is kept now.
    pub fn kept(&self) -> BTreeMap<String, Vec<u8>> {
        self.double.borrow().kv.clone().unwrap_or_default()
    }

    /// What the servlet logged so far.
    pub fn logs(&self) -> Vec<(Level, String)> {
        self.double.borrow().logs.clone()
    }

    /// The progress that the servlet reported so far: done, total and text.
    pub fn reports(&self) -> Vec<(f64, f64, String)> {
        self.double.borrow().reports.clone()
    }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "",
    }
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The tool did not do it; the text says why.
    pub is_error: bool,
    /// The blocks of content, as MCP has them.
    pub content: Vec<Value>,
    /// The structured content, or null.
    pub structured: Value,
    /// The result's `_meta`, or null.
    pub meta: Value,
}

impl Reply {
    fn read(out: &[u8]) -> Reply {
        let mut result: Value = serde_json::from_slice(out).expect("a result is JSON");
        let content = match result["content"].take() {
            Value::Array(blocks) => blocks,
            _ => panic!("the result has no content"),
        };
        Reply { is_error: result["isError"] == true, content, structured: result["structuredContent"].take(), meta: result["_meta"].take() }
    }

    fn failed(text: &str) -> Reply {
        let block = serde_json::json!({ "type": "text", "text": text });
        Reply { is_error: true, content: vec![block], structured: Value::Null, meta: Value::Null }
    }

    /// The text blocks of the content, a line end between them.
    pub fn text(&self) -> String {
        let texts: Vec<_> = self.content.iter().filter_map(|block| block["text"].as_str()).collect();
        texts.join("\n")
    }

    /// The bytes of the first picture or sound.
    pub fn data(&self) -> Option<Vec<u8>> {
        self.content.iter().find_map(|block| base64::decode(block["data"].as_str()?))
    }
}
