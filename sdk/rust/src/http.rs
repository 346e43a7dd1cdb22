//! HTTP exchanges with granted sites.
//!
//! ```no_run
//! use writ_servlet::http::Request;
//!
//! # fn f() -> writ_servlet::Result<()> {
//! let response = Request::get("api", "/v1/forecast").query("city", "São Paulo").send()?;
//! if !response.ok() {
//!     return Err(format!("the weather service answered {}", response.status).into());
//! }
//!
//! // Several at once: all are on their way before the first is waited for.
//! let cities = ["Oslo", "Lima"];
//! let started: Vec<_> = cities
//!     .iter()
//!     .map(|city| Request::get("api", "/v1/forecast").query("city", city).start())
//!     .collect::<Result<_, _>>()?;
//! for pending in started {
//!     println!("{}", pending.wait()?.text());
//! }
//! # Ok(())
//! # }
//! ```

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::abi;
use crate::error::HostError;
use crate::operation::{sealed, Answer, Answered, Pending};

/// One exchange with a granted site. There is no URL: the site belongs to the capability, and the
/// operator may have chosen it.
#[derive(Debug, Clone)]
pub struct Request {
    capability: String,
    method: String,
    path: String,
    query: String,
    headers: Headers,
    body: Vec<u8>,
}

#[derive(Serialize)]
struct Head<'a> {
    capability: &'a str,
    method: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    query: &'a str,
    #[serde(skip_serializing_if = "Headers::is_empty")]
    headers: &'a Headers,
}

impl Request {
    /// A request with any method. `capability` is the id of an http capability of servlet.toml; `path` is
    /// percent-encoded and starts with a slash: [`encode`] each part of it that varies.
    pub fn new(method: &str, capability: &str, path: &str) -> Request {
        Request {
            capability: capability.into(),
            method: method.into(),
            path: path.into(),
            query: String::new(),
            headers: Headers::default(),
            body: Vec::new(),
        }
    }

    /// A GET request, as [`Request::new`] makes it.
    pub fn get(capability: &str, path: &str) -> Request {
        Request::new("GET", capability, path)
    }

    /// A POST request, as [`Request::new`] makes it.
    pub fn post(capability: &str, path: &str) -> Request {
        Request::new("POST", capability, path)
    }

    /// Adds a parameter to the query, encoded.
    pub fn query(mut self, name: &str, value: &str) -> Request {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        self.query += &encode(name);
        self.query.push('=');
        self.query += &encode(value);
        self
    }

    /// Adds a header field. Credentials are not for a servlet to send: Writ adds those that servlet.toml
    /// names.
    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.add(name, value);
        self
    }

    /// Sets the body.
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Request {
        self.body = bytes.into();
        self
    }

    /// Sets the body to JSON, and the header that says so. It fails for what JSON cannot say, such as a
    /// map whose keys are no texts.
    pub fn json(self, value: &impl Serialize) -> Result<Request, serde_json::Error> {
        Ok(self.header("Content-Type", "application/json").body(serde_json::to_vec(value)?))
    }

    /// Starts the exchange and does not wait for it.
    pub fn start(&self) -> Result<Pending<Response>, HostError> {
        let Request { capability, method, path, query, headers, body } = self;
        let head = crate::call::to_json(&Head { capability, method, path, query, headers });
        Pending::started(abi::start_http(&head, body), [method, " ", path, " of ", capability].concat())
    }

    /// Does the exchange and waits for the whole answer. A status of 400 or above is an answer, not an
    /// error.
    pub fn send(&self) -> Result<Response, HostError> {
        self.start()?.wait()
    }
}

/// What came back.
#[derive(Debug, Clone, Default)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The header fields.
    pub headers: Headers,
    /// The body, decompressed.
    pub body: Vec<u8>,
}

impl Response {
    /// Tells whether the status is 2xx.
    pub fn ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as a text, with U+FFFD in place of what is no UTF-8.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// Reads the body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

#[derive(Deserialize)]
struct AnswerHead {
    status: u16,
    headers: Headers,
}

impl Answered for Response {}
impl sealed::Answered for Response {
    fn from_answer(answer: Answer) -> Result<Response, HostError> {
        let AnswerHead { status, headers } = answer.head()?;
        Ok(Response { status, headers, body: answer.body })
    }
}

/// HTTP header fields, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// The first value of a field, whatever the case of its name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All fields: names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn add(&mut self, name: &str, value: &str) {
        self.0.push((name.into(), value.into()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Percent-encodes a text so that it can be a part of a path, or a name or value of a query.
pub fn encode(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.extend(['%', char::from(HEX[usize::from(byte >> 4)]), char::from(HEX[usize::from(byte & 15)])]);
        }
    }
    out
}
