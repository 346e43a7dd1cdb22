//! What a [Writ](https://github.com/writ-run/writ) servlet in Rust is made of: a few tools, each a
//! function with typed arguments and a sentence for the model. Writ builds it to one WebAssembly file,
//! signs it, and runs every tool call in a fresh sandbox that has only what the person who installed it
//! allowed.
//!
//! ```
//! use writ_servlet::{input, servlet, tool};
//!
//! #[input]
//! struct Greeting {
//!     /// Whom to greet
//!     name: String,
//!     /// Shout
//!     #[serde(default)]
//!     loud: bool,
//! }
//!
//! /// Greets somebody.
//! #[tool(read_only, closed_world)]
//! fn greet(input: Greeting) -> String {
//!     let text = format!("Hello, {}", input.name);
//!     if input.loud { text.to_uppercase() } else { text }
//! }
//!
//! servlet!(greet);
//! # fn main() {}
//! ```
//!
//! # Arguments
//!
//! The input schema that the model sees is made from the function's argument, a struct with
//! [`#[input]`](macro@input): names and optional members follow serde, doc comments are the descriptions,
//! and limits are written as schemars has them:
//!
//! ```
//! # use writ_servlet::input;
//! #[input]
//! struct Search {
//!     /// What to look for
//!     #[schemars(length(min = 1, max = 200))]
//!     query: String,
//!     /// How many results
//!     #[serde(default = "ten")]
//!     #[schemars(range(min = 1, max = 50))]
//!     count: u8,
//!     /// Only pages in this language
//!     language: Option<String>,
//! }
//!
//! fn ten() -> u8 { 10 }
//! ```
//!
//! Writ has checked the arguments against that schema before the function runs.
//!
//! # Results
//!
//! A function returns a text, [`Json`] of a struct or map (structured content with an output schema), or a
//! [`ToolResult`] for anything else that MCP can say, such as pictures. An error becomes an answer that the
//! model can read and mend. See [`Answer`] and [`Error`].
//!
//! # The world outside
//!
//! Directories are read and written with [`std::fs`], at the guest paths of servlet.toml. [`config`] reads a
//! setting, [`http`] speaks to a granted site, [`web`] gets any public page, [`kv`] keeps values between
//! calls. There are no environment variables, no arguments and no sockets; nothing that a call leaves in
//! memory is there in the next one. What a servlet never calls is not linked, so a servlet without these
//! modules provably cannot reach a network.
//!
//! A call that is cancelled, or whose time is over, ends at once, wherever it is: there is nothing to ask
//! or to clean up. Maps of the standard library are seeded anew for every call, unless reading `{}` as
//! an argument makes one: then all calls share the seed of the installation.
//!
//! [`testing`] runs tools in an ordinary test.

#![deny(unsafe_code, missing_docs)]

mod abi;
mod answer;
mod base64;
mod call;
#[cfg(any(feature = "describe", not(target_family = "wasm")))]
mod describe;
mod error;
#[cfg(target_family = "wasm")]
mod exports;
mod host;
pub mod http;
pub mod kv;
mod macros;
mod operation;
mod request;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod tool;
pub mod web;

pub use answer::{Answer, Content, Json, ToolResult};
pub use error::{Error, Fault, HostError, Kind, Result};
pub use host::{config, log, progress, Level};
pub use operation::{first_of, sleep, Answered, Pending};
pub use tool::{About, NoArguments, Servlet, Tool};

pub use writ_servlet_derive::{input, output, tool};

pub use schemars;
pub use serde;
pub use serde_json;
pub use serde_json::json;

#[doc(hidden)]
pub mod __private {
    pub use crate::tool::Entry;

    #[cfg(target_family = "wasm")]
    pub use crate::exports::*;
}

// The examples of the introduction are compiled, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
