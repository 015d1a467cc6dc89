//! Placeholder while the crate is laid out.

pub mod import;
pub mod net;
pub mod store;
