//! The Reeve node: the shell around the protocol core.
//!
//! Network, store, HTTP and command line are rooms of their own that meet in [`runtime`] only.

pub mod api;
pub mod backup;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod enrol;
pub mod house;
pub mod http;
pub mod import;
pub mod net;
pub mod runtime;
pub mod store;
pub mod telemetry;
pub mod token;
pub mod watch;
