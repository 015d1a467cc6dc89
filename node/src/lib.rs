//! Placeholder while the crate is laid out.

pub mod net;
pub mod store;
