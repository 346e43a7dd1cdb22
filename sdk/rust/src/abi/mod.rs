//! The guest side of Writ's interface `writ1`. For Wasm its functions are the imports themselves, one
//! function per import, so that the linker drops what a servlet does not use: what a module does not
//! import it provably cannot do. For any other system they reach the host double of [`crate::testing`].

#[cfg(target_family = "wasm")]
mod wasm;
#[cfg(target_family = "wasm")]
pub(crate) use wasm::*;

#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(not(target_family = "wasm"))]
pub(crate) use native::*;

/// Codes of the interface, as the host returns them negated.
pub(crate) mod code {
    pub(crate) const DENIED: i32 = 1;
    pub(crate) const INVALID: i32 = 2;
    pub(crate) const NOT_FOUND: i32 = 3;
    pub(crate) const LIMIT: i32 = 4;
    pub(crate) const UNAVAILABLE: i32 = 5;
    pub(crate) const CONFLICT: i32 = 6;
    pub(crate) const UNSUPPORTED: i32 = 7;
    pub(crate) const CANCELLED: i32 = 8;
    /// No failure: the operation has not ended.
    pub(crate) const RUNNING: i32 = 10;
}

/// Parts of a finished operation.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// JSON.
    Head = 0,
    /// Bytes.
    Body = 1,
    /// One sentence.
    Error = 2,
}
