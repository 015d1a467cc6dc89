//! Federations on one machine: for trying, showing and measuring.
//!
//! A [`town::Town`] is a federation of real nodes, with real stores in a folder and real TCP on
//! loopback, in one process. Nothing of a node is simulated here.

pub mod demo;
pub mod italy;
pub mod town;
