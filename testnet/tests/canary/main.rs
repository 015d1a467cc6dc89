//! No raw data leaves the house: canaries are planted in every field of a record, in free text, in the
//! names of records, persons, sources and files, and searched for wherever they must not be.
//!
//! `wire` sees every application byte before encryption; `house` runs real processes that log all they
//! can, and searches files, logs, metrics and every answer of the superiors' APIs. Each search first
//! finds the canaries where they belong: a search that finds nothing anywhere proves nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod house;
mod planted;
mod wire;
