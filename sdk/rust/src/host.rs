use crate::abi;

/// The value of a key that servlet.toml declares: the operator's, or the default. `None` when there is
/// none, or when the running tool does not list the key in its uses.
pub fn config(key: &str) -> Option<String> {
    abi::config(key).ok().and_then(|value| String::from_utf8(value).ok())
}

/// The importance of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For whoever looks for a mistake.
    Debug = 0,
    /// What happened.
    Info = 1,
    /// What should not happen.
    Warn = 2,
    /// What must not happen.
    Error = 3,
}

/// Writes one line for the operator; the model never sees it. What a program prints with `println!` and
/// `eprintln!` arrives there too, as `Info` and `Warn`. Never log a secret or a person's text.
pub fn log(level: Level, text: &str) {
    abi::log(level as i32, text);
}

/// Tells a waiting client how far the call is: `done` of `total`, which is 0 when unknown. Call it as
/// often as you like, the host drops what is too much.
pub fn progress(done: f64, total: f64, text: &str) {
    abi::progress(done, total, text);
}
