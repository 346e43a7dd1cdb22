//! What authors see of the crate, natively.

mod attributes;
mod describe;
mod results;
mod world;
