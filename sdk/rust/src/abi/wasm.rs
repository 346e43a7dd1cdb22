// The one file with unsafe code: it calls the host with ranges of memory that it owns.
#![allow(unsafe_code)]

use super::Part;

mod import {
    #[link(wasm_import_module = "writ1")]
    extern "C" {
        pub(super) fn input_len() -> i32;
        pub(super) fn input_read(to: *mut u8, len: usize, offset: usize) -> i32;
        pub(super) fn output_write(from: *const u8, len: usize) -> i32;
        pub(super) fn error_write(from: *const u8, len: usize) -> i32;
        pub(super) fn log(level: i32, from: *const u8, len: usize) -> i32;
        pub(super) fn progress(done: f64, total: f64, from: *const u8, len: usize) -> i32;
        pub(super) fn config_get(key: *const u8, key_len: usize, to: *mut u8, len: usize) -> i32;
        pub(super) fn http_start(head: *const u8, head_len: usize, body: *const u8, body_len: usize) -> i32;
        pub(super) fn web_start(head: *const u8, head_len: usize, body: *const u8, body_len: usize) -> i32;
        pub(super) fn kv_start(head: *const u8, head_len: usize, body: *const u8, body_len: usize) -> i32;
        pub(super) fn op_wait(ids: *const i32, count: usize, timeout_ms: i64) -> i32;
        pub(super) fn op_status(op: i32) -> i32;
        pub(super) fn op_len(op: i32, part: i32) -> i32;
        pub(super) fn op_read(op: i32, part: i32, offset: usize, to: *mut u8, len: usize) -> i32;
        pub(super) fn op_close(op: i32) -> i32;
    }

    extern "C" {
        // Made by the linker: runs the constructors of the C library.
        pub(super) fn __wasm_call_ctors();
    }
}

/// Runs constructors, once. A module without an `_initialize` would run them before every call.
pub(crate) fn initialize() {
    // Safety: it is called by `_initialize` alone, which the host calls once and first.
    unsafe { import::__wasm_call_ctors() }
}

/// The whole request. It is asked for once.
pub(crate) fn input() -> Vec<u8> {
    // Safety: no arguments.
    let len = unsafe { import::input_len() };
    // Safety: `to` is valid for `len` bytes.
    read(len, |to, offset| unsafe { import::input_read(to.as_mut_ptr(), to.len(), offset) })
}

/// Appends to the answer. It returns 0 or a negated code.
pub(crate) fn output(bytes: &[u8]) -> i32 {
    // Safety: a slice is a valid range.
    unsafe { import::output_write(bytes.as_ptr(), bytes.len()) }.min(0)
}

/// Appends to the error text.
pub(crate) fn fail(text: &str) {
    // Safety: a slice is a valid range.
    unsafe { import::error_write(text.as_ptr(), text.len()) };
}

/// Writes one line for the operator.
pub(crate) fn log(level: i32, text: &str) {
    // Safety: a slice is a valid range.
    unsafe { import::log(level, text.as_ptr(), text.len()) };
}

/// Tells a waiting client how far the call is.
pub(crate) fn progress(done: f64, total: f64, text: &str) {
    // Safety: a slice is a valid range.
    unsafe { import::progress(done, total, text.as_ptr(), text.len()) };
}

/// The value of a key, or a negated code.
pub(crate) fn config(key: &str) -> Result<Vec<u8>, i32> {
    let mut value = vec![0; 256];
    loop {
        // Safety: slices are valid ranges, and `value` is written by nobody else meanwhile.
        let len = unsafe { import::config_get(key.as_ptr(), key.len(), value.as_mut_ptr(), value.len()) };
        let fits = usize::try_from(len).map_err(|_| len)?;
        let complete = fits <= value.len();
        value.resize(fits, 0);
        if complete {
            return Ok(value);
        }
    }
}

/// Starts an exchange and returns its operation, or a negated code.
pub(crate) fn start_http(head: &[u8], body: &[u8]) -> i32 {
    // Safety: slices are valid ranges.
    unsafe { import::http_start(head.as_ptr(), head.len(), body.as_ptr(), body.len()) }
}

/// Starts to fetch a page and returns its operation, or a negated code.
pub(crate) fn start_web(head: &[u8], body: &[u8]) -> i32 {
    // Safety: slices are valid ranges.
    unsafe { import::web_start(head.as_ptr(), head.len(), body.as_ptr(), body.len()) }
}

/// Reads or changes what is kept and returns the operation, or a negated code.
pub(crate) fn start_kv(head: &[u8], body: &[u8]) -> i32 {
    // Safety: slices are valid ranges.
    unsafe { import::kv_start(head.as_ptr(), head.len(), body.as_ptr(), body.len()) }
}

/// The first finished operation of `ids`, 0 after the timeout, or a negated code.
pub(crate) fn wait(ids: &[i32], timeout_ms: i64) -> i32 {
    // Safety: a slice is a valid range.
    unsafe { import::op_wait(ids.as_ptr(), ids.len(), timeout_ms) }
}

/// 0 for an operation that succeeded, negated running, or the negated code of its failure.
pub(crate) fn status(op: i32) -> i32 {
    // Safety: no memory is involved.
    unsafe { import::op_status(op) }
}

/// A copy of one part of a finished operation.
pub(crate) fn part(op: i32, part: Part) -> Vec<u8> {
    // Safety: no memory is involved.
    let len = unsafe { import::op_len(op, part as i32) };
    // Safety: `to` is valid for its length.
    read(len, |to, offset| unsafe { import::op_read(op, part as i32, offset, to.as_mut_ptr(), to.len()) })
}

/// Forgets an operation, and cancels it when it runs.
pub(crate) fn close(op: i32) {
    // Safety: no memory is involved.
    unsafe { import::op_close(op) };
}

// read reads until `len` bytes are there or the source ends: a host may hand out less than was asked for.
fn read(len: i32, from: impl Fn(&mut [u8], usize) -> i32) -> Vec<u8> {
    let mut bytes = vec![0; len.max(0) as usize];
    let mut done = 0;
    while done < bytes.len() {
        match from(&mut bytes[done..], done) {
            n if n > 0 => done += n as usize,
            _ => break,
        }
    }
    bytes.truncate(done);
    bytes
}
