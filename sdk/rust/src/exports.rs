use crate::abi;
use crate::error::HostError;
use crate::tool::Servlet;

/// Runs before anything else.
pub fn initialize() {
    abi::initialize();
}

/// Answers the request in the input.
pub fn call(servlet: &Servlet) -> i32 {
    enter();
    deliver(servlet.call(&abi::input()))
}

/// Runs once, before the instance is captured from which calls start.
pub fn warm(servlet: &Servlet) -> i32 {
    servlet.warm();
    0
}

/// Lists the tools, while a servlet is built.
#[cfg(feature = "describe")]
pub fn describe(servlet: &Servlet) -> i32 {
    enter();
    deliver(servlet.describe())
}

// enter has panics logged in one line with file and line; the call then ends with the trap.
fn enter() {
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let message =
            payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("");
        let line = match panic.location() {
            Some(at) => format!("panicked at {at}: {message}"),
            None => format!("panicked: {message}"),
        };
        abi::log(crate::Level::Error as i32, &line);
    }));
}

fn deliver(answer: Result<Vec<u8>, String>) -> i32 {
    let text = match answer {
        Ok(out) => match abi::output(&out) {
            0 => return 0,
            code => format!("a result of {} bytes: {}", out.len(), HostError::of(code)),
        },
        Err(text) => text,
    };
    abi::fail(&text);
    1
}
