//! The shell of a Reeve node: what surrounds the protocol core with disks, sockets and people.

pub mod cli;
pub mod config;
pub mod enrol;
pub mod house;
pub mod import;
pub mod net;
pub mod store;
