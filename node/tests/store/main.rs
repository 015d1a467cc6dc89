//! The storage conformance suite: one set of expectations, run for every engine.
//!
//! A stop without closing is played by copying the folder of an open store: the copy is what a
//! killed process leaves behind. Real kills are in `kill.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod conformance;
mod damage;
mod folder;
mod kill;
mod place;
mod random;
mod rewrite;
mod thread;
