//! The `reeve` command as its users use it: real processes, real stores, loopback only.
//!
//! One federation (a nation and a municipality below it) is founded, run and joined by commands, and
//! shared by the tests of a process; tests that stop nodes or harm stores found their own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and waits for processes by the real clock"
)]

mod attacks;
mod backup;
mod bad_files;
mod bulletin;
mod consent;
#[path = "../../../testnet/tests/counts/mod.rs"]
mod counts;
mod decisions;
mod declare;
mod drill;
mod federation;
mod figures;
mod files;
mod help;
mod history;
mod import;
mod languages;
mod ledger;
mod letters;
mod policy;
mod proof;
mod records;
mod register;
mod reports;
mod retention;
mod routes;
mod run;
mod setup;
mod situation;
mod terms;
mod tokens;
mod verify;
mod watch;
