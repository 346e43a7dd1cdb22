use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::Deserialize;

use crate::answer::{Answer, ToolResult};
use crate::error::Error;

/// A tool: what the model is told of a function, and the function. The attribute
/// [`#[tool]`](macro@crate::tool) makes one of a function.
pub trait Tool {
    /// What the model is told.
    const ABOUT: About;
    /// The arguments: a struct that is read from JSON and knows its schema, as
    /// [`#[input]`](macro@crate::input) makes one.
    type Input: DeserializeOwned + JsonSchema;
    /// What comes back.
    type Output: Answer;

    /// Runs the tool.
    fn call(input: Self::Input) -> Self::Output;
}

/// What the model is told of a tool. The hints that are not set are the careful ones of MCP: a tool that
/// says nothing counts as one that changes things, for good, in the open world. Writ checks hints against
/// what servlet.toml lets the tool use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// 1 to 64 of a-z, 0-9 and "_", starting with a letter.
    pub name: &'static str,
    /// For people; may be empty.
    pub title: &'static str,
    /// For the model: what it does, when to use it, what comes back.
    pub description: &'static str,
    /// It changes nothing (readOnlyHint).
    pub read_only: bool,
    /// It adds, but never changes or deletes what is there (destructiveHint false).
    pub additive: bool,
    /// Doing it twice is the same as once (idempotentHint).
    pub idempotent: bool,
    /// It deals only with what the servlet was given, not with the world (openWorldHint false).
    pub closed_world: bool,
    /// In place of the schema of the input's type: a JSON object, or empty.
    pub input_schema: &'static str,
    /// In place of the schema of the output's type: a JSON object, or empty.
    pub output_schema: &'static str,
    /// The tool's `_meta`: a JSON object, or empty.
    pub meta: &'static str,
}

impl About {
    /// A tool without any hint.
    pub const fn new(name: &'static str, description: &'static str) -> About {
        About {
            name,
            title: "",
            description,
            read_only: false,
            additive: false,
            idempotent: false,
            closed_world: false,
            input_schema: "",
            output_schema: "",
            meta: "",
        }
    }
}

/// The arguments of a tool that takes none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoArguments {}

/// The tools of a servlet. [`servlet!`](macro@crate::servlet) makes it.
#[derive(Debug)]
pub struct Servlet {
    pub(crate) tools: &'static [Entry],
    pub(crate) warm: Option<fn()>, // what the author has done before any call
}

impl Servlet {
    #[doc(hidden)]
    pub const fn new(tools: &'static [Entry]) -> Servlet {
        Servlet { tools, warm: None }
    }

    #[doc(hidden)]
    pub const fn warmed_by(self, warm: fn()) -> Servlet {
        Servlet { tools: self.tools, warm: Some(warm) }
    }
}

/// How an [`Entry`] runs its tool: the outer error is one of reading the arguments.
pub(crate) type Run = fn(&[u8]) -> Result<Result<ToolResult, Error>, serde_json::Error>;

/// A tool as a servlet lists it.
#[doc(hidden)]
#[derive(Debug)]
pub struct Entry {
    pub(crate) about: About,
    pub(crate) run: Run,
    pub(crate) read: fn(&[u8]),
    // Schemas are code and texts that no call needs: without the feature nothing refers to them, and the
    // linker drops them.
    #[cfg(any(feature = "describe", not(target_family = "wasm")))]
    pub(crate) schemas: fn() -> crate::describe::Schemas,
}

impl Entry {
    #[doc(hidden)]
    pub const fn of<T: Tool>() -> Entry {
        Entry {
            about: T::ABOUT,
            run: |arguments| serde_json::from_slice(arguments).map(|input| T::call(input).into_result()),
            read: |arguments| drop(serde_json::from_slice::<T::Input>(arguments)),
            #[cfg(any(feature = "describe", not(target_family = "wasm")))]
            schemas: crate::describe::schemas_of::<T>,
        }
    }
}
