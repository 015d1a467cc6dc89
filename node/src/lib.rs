//! Placeholder while the crate is laid out.

pub mod store;
pub mod net;
