use std::collections::BTreeMap;
use std::ops::Bound;

use serde_json::{json, Value};

use super::Received;
use crate::abi::{code, Part};
use crate::http::{Headers, Response};
use crate::Level;

type Site = Box<dyn FnMut(&Received) -> Response>;

pub(crate) type Kept = BTreeMap<String, Vec<u8>>;

// The bounds that a servlet feels first; the host's page of sdk/ABI.md has all.
const MAX_OPERATIONS: usize = 64;
const MAX_KEY: usize = 512;
const MAX_VALUE: usize = 1 << 20;
const PAGE: usize = 1000;

/// What Writ is to a servlet.
#[derive(Default)]
pub(crate) struct Double {
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) sites: BTreeMap<String, Site>,
    pub(crate) web: Option<Site>,
    pub(crate) kv: Option<Kept>,
    pub(crate) logs: Vec<(Level, String)>,
    pub(crate) reports: Vec<(f64, f64, String)>,
    operations: BTreeMap<i32, Operation>,
    last: i32,
}

/// A finished operation: a negated code, or 0, and its parts.
#[derive(Default)]
pub(crate) struct Operation {
    code: i32,
    head: Vec<u8>,
    body: Vec<u8>,
    text: String,
}

/// A started operation, or a negated code.
pub(crate) type Started = Result<Operation, i32>;

fn failed(code: i32, text: impl Into<String>) -> Started {
    Ok(Operation { code: -code, text: text.into(), ..Operation::default() })
}

impl Double {
    /// Begins a call and returns what is kept before it.
    pub(crate) fn begin(&mut self) -> Option<Kept> {
        self.operations.clear();
        self.kv.clone()
    }

    pub(crate) fn log(&mut self, level: i32, text: &str) {
        let level = [Level::Debug, Level::Info, Level::Warn, Level::Error][level.clamp(0, 3) as usize];
        self.logs.push((level, text.into()));
    }

    pub(crate) fn progress(&mut self, done: f64, total: f64, text: &str) {
        self.reports.push((done, total, text.into()));
    }

    pub(crate) fn config(&mut self, key: &str) -> Result<Vec<u8>, i32> {
        self.config.get(key).map(|value| value.clone().into_bytes()).ok_or(-code::NOT_FOUND)
    }

    pub(crate) fn http(&mut self, head: &[u8], body: &[u8]) -> Started {
        let head = read(head)?;
        let id = text(&head, "capability");
        let received = received(&head, "path", body)?;
        if !received.path.starts_with('/') {
            return Err(-code::INVALID);
        }
        match self.sites.get_mut(&id) {
            Some(site) => answered(None, site(&received)),
            None => failed(code::DENIED, format!("http:{id} is not granted")),
        }
    }

    pub(crate) fn web(&mut self, head: &[u8], body: &[u8]) -> Started {
        let head = read(head)?;
        let received = received(&head, "url", body)?;
        let Some((scheme, rest)) = received.path.split_once("://") else {
            return Err(-code::INVALID);
        };
        let host = rest.split(['/', '?', '#']).next().unwrap_or("");
        if !matches!(scheme, "http" | "https") || host.contains('@') || !host.contains('.') {
            return failed(code::DENIED, "only http and https pages of public hosts may be fetched, without a user name");
        }
        match &mut self.web {
            Some(web) => answered(Some(received.path.split('#').next().unwrap_or("")), web(&received)),
            None => failed(code::DENIED, "the web is not granted"),
        }
    }

    pub(crate) fn kv(&mut self, head: &[u8], body: &[u8]) -> Started {
        let head = read(head)?;
        let (op, key) = (text(&head, "op"), text(&head, "key"));
        if op != "list" && !(1..=MAX_KEY).contains(&key.len()) || op != "set" && !body.is_empty() {
            return Err(-code::INVALID);
        }
        let Some(kept) = &mut self.kv else {
            return failed(code::DENIED, "kv is not granted");
        };
        let done = Operation::default();
        match op.as_str() {
            "get" => match kept.get(&key) {
                Some(value) => Ok(Operation { body: value.clone(), ..done }),
                None => failed(code::NOT_FOUND, "there is no such key"),
            },
            "set" if body.len() > MAX_VALUE => failed(code::LIMIT, "the value is too large"),
            "set" => {
                kept.insert(key, body.to_vec());
                Ok(done)
            }
            "delete" => {
                kept.remove(&key);
                Ok(done)
            }
            "list" => Ok(list(kept, &text(&head, "prefix"), text(&head, "cursor"), head["values"] == true)),
            _ => Err(-code::INVALID),
        }
    }

    /// Takes an operation's answer in, and returns its id.
    pub(crate) fn started(&mut self, answer: Started) -> i32 {
        let operation = match answer {
            Ok(operation) => operation,
            Err(code) => return code,
        };
        if self.operations.len() >= MAX_OPERATIONS {
            return -code::LIMIT;
        }
        self.last += 1;
        self.operations.insert(self.last, operation);
        self.last
    }

    pub(crate) fn wait(&mut self, ids: &[i32], timeout_ms: i64) -> i32 {
        match ids {
            [] if timeout_ms < 0 => -code::INVALID,
            [] => 0,
            [first, ..] => *first,
        }
    }

    pub(crate) fn status(&mut self, op: i32) -> i32 {
        self.operations.get(&op).map_or(-code::NOT_FOUND, |operation| operation.code)
    }

    pub(crate) fn part(&mut self, op: i32, part: Part) -> Vec<u8> {
        let Some(operation) = self.operations.get(&op) else {
            return Vec::new();
        };
        match part {
            Part::Head => operation.head.clone(),
            Part::Body => operation.body.clone(),
            Part::Error => operation.text.clone().into_bytes(),
        }
    }

    pub(crate) fn close(&mut self, op: i32) {
        self.operations.remove(&op);
    }
}

fn read(head: &[u8]) -> Result<Value, i32> {
    serde_json::from_slice(head).map_err(|_| -code::INVALID)
}

fn text(head: &Value, name: &str) -> String {
    head[name].as_str().unwrap_or("").into()
}

fn received(head: &Value, path: &str, body: &[u8]) -> Result<Received, i32> {
    let headers = match &head["headers"] {
        Value::Null => Headers::default(),
        list => serde_json::from_value(list.clone()).map_err(|_| -code::INVALID)?,
    };
    Ok(Received { method: text(head, "method"), path: text(head, path), query: text(head, "query"), headers, body: body.to_vec() })
}

fn answered(url: Option<&str>, response: Response) -> Started {
    let mut head = json!({ "status": response.status, "headers": response.headers });
    if let Some(url) = url {
        head["url"] = url.into();
    }
    Ok(Operation { head: head.to_string().into_bytes(), body: response.body, ..Operation::default() })
}

fn list(kept: &Kept, prefix: &str, cursor: String, values: bool) -> Operation {
    let after = if cursor.as_str() < prefix { Bound::Included(prefix.to_string()) } else { Bound::Excluded(cursor) };
    let (mut keys, mut sizes, mut body) = (Vec::new(), Vec::new(), Vec::new());
    let mut more = false;
    for (key, value) in kept.range((after, Bound::Unbounded)).take_while(|(key, _)| key.starts_with(prefix)) {
        if keys.len() == PAGE || values && !keys.is_empty() && body.len() + value.len() > MAX_VALUE {
            more = true;
            break;
        }
        keys.push(key.clone());
        if values {
            sizes.push(value.len());
            body.extend_from_slice(value);
        }
    }
    let mut head = json!({ "keys": keys });
    if values {
        head["sizes"] = json!(sizes);
    }
    if let (true, Some(last)) = (more, keys.last()) {
        head["cursor"] = last.as_str().into();
    }
    Operation { head: head.to_string().into_bytes(), body, ..Operation::default() }
}
