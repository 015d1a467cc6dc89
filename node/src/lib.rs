//! Placeholder while the crate is laid out.

pub mod import;
pub mod config;
pub mod house;
pub mod net;
pub mod store;
