//! Federations on one machine: for trying, showing and measuring.
//!
//! A [`town::Town`] is a federation of real nodes, with real stores in a folder and real TCP on
//! loopback, in one process; [`processes`] are the same, each node a process of its own. Nothing of a
//! node is simulated here.
#![allow(clippy::disallowed_methods, reason = "a test network measures by the machine's clock")]

pub mod bench;
pub mod chaos;
pub mod demo;
pub mod evidence;
pub mod full;
pub mod fuzz;
pub mod hostile;
pub mod italy;
pub mod processes;
pub mod restated;
pub mod shim;
pub mod stopwatch;
pub mod stores;
pub mod town;
pub mod trial;
