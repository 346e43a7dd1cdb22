use super::Part;
use crate::testing::current;

/// Writes one line for the operator.
pub(crate) fn log(level: i32, text: &str) {
    current(|host| host.log(level, text));
}

/// Tells a waiting client how far the call is.
pub(crate) fn progress(done: f64, total: f64, text: &str) {
    current(|host| host.progress(done, total, text));
}

/// The value of a key, or a negated code.
pub(crate) fn config(key: &str) -> Result<Vec<u8>, i32> {
    current(|host| host.config(key))
}

/// Starts an exchange and returns its operation, or a negated code.
pub(crate) fn start_http(head: &[u8], body: &[u8]) -> i32 {
    let answer = current(|host| host.http(head, body));
    current(|host| host.started(answer))
}

/// Starts to fetch a page and returns its operation, or a negated code.
pub(crate) fn start_web(head: &[u8], body: &[u8]) -> i32 {
    let answer = current(|host| host.web(head, body));
    current(|host| host.started(answer))
}

/// Reads or changes what is kept and returns the operation, or a negated code.
pub(crate) fn start_kv(head: &[u8], body: &[u8]) -> i32 {
    let answer = current(|host| host.kv(head, body));
    current(|host| host.started(answer))
}

/// The first finished operation of `ids`, 0 after the timeout, or a negated code.
pub(crate) fn wait(ids: &[i32], timeout_ms: i64) -> i32 {
    current(|host| host.wait(ids, timeout_ms))
}

/// 0 for an operation that succeeded, or the negated code of its failure. Here none is still running.
pub(crate) fn status(op: i32) -> i32 {
    current(|host| host.status(op))
}

/// A copy of one part of a finished operation.
pub(crate) fn part(op: i32, part: Part) -> Vec<u8> {
    current(|host| host.part(op, part))
}

/// Forgets an operation.
pub(crate) fn close(op: i32) {
    current(|host| host.close(op));
}
