//! What the servlet keeps between calls: a map from keys to values. It needs `[capabilities.kv]` in
//! servlet.toml.
//!
//! A call sees its own writes at once. They are kept, together, when it has succeeded; nothing of them is
//! kept after an error. When another call changed what this one has read, functions fail with
//! [`Kind::Conflict`]: pass that on with `?`, and Writ runs the call again where it can.

use serde::{Deserialize, Serialize};

use crate::abi;
use crate::error::{HostError, Kind};
use crate::operation::{sealed, Answer, Answered, Pending};

#[derive(Serialize)]
struct Head<'a> {
    op: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    prefix: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    cursor: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    values: bool,
}

fn run(head: Head, value: &[u8], what: &str) -> Result<Answer, HostError> {
    let op = abi::start_kv(&crate::call::to_json(&head), value);
    Pending::<Answer>::started(op, ["kv: ", head.op, " ", what].concat())?.wait()
}

fn of_key<'a>(op: &'a str, key: &'a str) -> Head<'a> {
    Head { op, key: Some(key), prefix: "", cursor: "", values: false }
}

impl Answered for Answer {}
impl sealed::Answered for Answer {
    fn from_answer(answer: Answer) -> Result<Answer, HostError> {
        Ok(answer)
    }
}

/// The value of a key of 1 to 512 bytes, if there is one.
pub fn get(key: &str) -> Result<Option<Vec<u8>>, HostError> {
    match run(of_key("get", key), &[], key) {
        Ok(answer) => Ok(Some(answer.body)),
        Err(e) if e.kind() == Kind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Gives a key a value of at most 1 MiB.
pub fn set(key: &str, value: impl AsRef<[u8]>) -> Result<(), HostError> {
    run(of_key("set", key), value.as_ref(), key).map(drop)
}

/// Forgets a key. It is no error when there is none.
pub fn delete(key: &str) -> Result<(), HostError> {
    run(of_key("delete", key), &[], key).map(drop)
}

/// One page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed<T> {
    /// What is on the page, in the order of the keys' bytes.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last.
    pub cursor: Option<String>,
}

#[derive(Deserialize)]
struct ListHead {
    keys: Vec<String>,
    cursor: Option<String>,
    #[serde(default)]
    sizes: Vec<usize>,
}

/// One page of the keys that start with `prefix` and come after `cursor`; both may be empty.
pub fn list(prefix: &str, cursor: &str) -> Result<Listed<String>, HostError> {
    let head: ListHead = run(Head { op: "list", key: None, prefix, cursor, values: false }, &[], prefix)?.head()?;
    Ok(Listed { items: head.keys, cursor: head.cursor })
}

/// As [`list`], with the values.
pub fn list_values(prefix: &str, cursor: &str) -> Result<Listed<(String, Vec<u8>)>, HostError> {
    let answer = run(Head { op: "list", key: None, prefix, cursor, values: true }, &[], prefix)?;
    let head: ListHead = answer.head()?;
    let half = || HostError::new(Kind::Internal, "the host sent half a list");
    let mut items = Vec::with_capacity(head.keys.len());
    let mut rest = answer.body.as_slice();
    for (i, key) in head.keys.into_iter().enumerate() {
        let size = *head.sizes.get(i).ok_or_else(half)?;
        let (value, more) = rest.split_at_checked(size).ok_or_else(half)?;
        items.push((key, value.to_vec()));
        rest = more;
    }
    Ok(Listed { items, cursor: head.cursor })
}

/// All keys that start with `prefix`, page by page.
pub fn keys(prefix: &str) -> Result<Vec<String>, HostError> {
    collect(|cursor| list(prefix, cursor))
}

/// All keys that start with `prefix` and their values, page by page.
pub fn entries(prefix: &str) -> Result<Vec<(String, Vec<u8>)>, HostError> {
    collect(|cursor| list_values(prefix, cursor))
}

fn collect<T>(page: impl Fn(&str) -> Result<Listed<T>, HostError>) -> Result<Vec<T>, HostError> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let listed = page(&cursor)?;
        all.extend(listed.items);
        match listed.cursor {
            Some(next) => cursor = next,
            None => return Ok(all),
        }
    }
}
