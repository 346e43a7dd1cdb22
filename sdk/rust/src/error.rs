use std::fmt;

use crate::abi::{self, code, Part};

/// What a tool fails with: anything that is an error, or a text. `?` works on all of them, and
/// `Err("no such city".into())` makes one.
///
/// Its text is an answer that the model reads and can mend, so write it for the model: "no file
/// notes.txt; use list_directory". A failure of the servlet itself is a [`Fault`] or a panic.
pub type Error = Box<dyn std::error::Error>;

/// The result of a function that fails with an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the servlet, as opposed to one of the call: Writ tells the model that the tool is
/// broken, with this text, and the operator sees it as such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(pub String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

/// Why the host did not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Not granted, or outside of what is granted.
    Denied,
    /// A malformed name, path, header or JSON text.
    Invalid,
    /// No such key, operation or part.
    NotFound,
    /// A quota of this call is used up, or a value is too large.
    Limit,
    /// The other side did not answer.
    Unavailable,
    /// Another call changed it meanwhile.
    Conflict,
    /// This host does not have it.
    Unsupported,
    /// The call was cancelled, or its time is over.
    Cancelled,
    /// The host failed.
    Internal,
}

impl Kind {
    fn of(negated: i32) -> Kind {
        match negated.wrapping_neg() {
            code::DENIED => Kind::Denied,
            code::INVALID => Kind::Invalid,
            code::NOT_FOUND => Kind::NotFound,
            code::LIMIT => Kind::Limit,
            code::UNAVAILABLE => Kind::Unavailable,
            code::CONFLICT => Kind::Conflict,
            code::UNSUPPORTED => Kind::Unsupported,
            code::CANCELLED => Kind::Cancelled,
            _ => Kind::Internal,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Kind::Denied => "not granted",
            Kind::Invalid => "malformed request",
            Kind::NotFound => "not found",
            Kind::Limit => "limit of this call reached",
            Kind::Unavailable => "the other side did not answer",
            Kind::Conflict => "changed by somebody else",
            Kind::Unsupported => "not supported by this host",
            Kind::Cancelled => "cancelled",
            Kind::Internal => "the host failed",
        }
    }
}

/// A refusal or failure of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostError {
    kind: Kind,
    text: String,
}

impl HostError {
    pub(crate) fn new(kind: Kind, text: impl Into<String>) -> HostError {
        HostError { kind, text: text.into() }
    }

    /// The error of a function that returned a negated code.
    pub(crate) fn of(negated: i32) -> HostError {
        let kind = Kind::of(negated);
        HostError::new(kind, kind.text())
    }

    /// The error of an operation that ended with a negated code, in the host's words if there are any.
    pub(crate) fn of_operation(op: i32, negated: i32) -> HostError {
        match String::from_utf8(abi::part(op, Part::Error)) {
            Ok(text) if !text.is_empty() => HostError::new(Kind::of(negated), text),
            _ => HostError::of(negated),
        }
    }

    /// Puts what was asked for before the text.
    pub(crate) fn about(mut self, what: &str) -> HostError {
        self.text = [what, ": ", &self.text].concat();
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for HostError {}

/// Tells an error that ends the call as the servlet's own failure from an answer for the model. A
/// conflict is one: the host then runs the call again where it can.
pub(crate) fn is_fault(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(e) = next {
        let conflict = e.downcast_ref::<HostError>().is_some_and(|e| e.kind == Kind::Conflict);
        if conflict || e.is::<Fault>() {
            return true;
        }
        next = e.source();
    }
    false
}
