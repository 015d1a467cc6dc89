//! No raw data leaves the house: canaries are planted in every field of a record, in free text, in the
//! names of records, persons, sources and files, and searched for wherever they must not be.
//!
//! `wire` sees every application byte before encryption, also of records that were changed and deleted;
//! `house` runs real processes that log all they can, and searches files, logs, metrics, every answer of
//! the superiors' APIs, and the superiors' memory, which is what a core dump would hold. Each search
//! first finds the canaries where they belong: a search that finds nothing anywhere proves nothing.
//!
//! Attacks 16 and 17 of docs/reliability.md; `REEVE_FULL=1` plants a thousand records.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../counts/mod.rs"]
mod counts;
mod house;
mod memory;
mod planted;
mod wire;
