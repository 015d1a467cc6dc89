//! Hostile bytes for every decoder and parser that meets bytes from outside.
//!
//! A [`Target`] is a plain function of bytes that panics if something that must hold does not: nothing
//! panics, what decodes has one encoding, what parses prints and parses again equal, what verifies was
//! signed by whom it says, and whatever a sequence of operations does, the result is that of a naive
//! recount. Two drivers feed the targets: cargo fuzz (`testnet/fuzz/libfuzzer/`, one line per target),
//! and `testnet fuzz`, which needs no other toolchain and mutates by [`mutate`].
//!
//! Every target comes with seeds that the program's own encoders make; what the fuzzers found worth
//! keeping beside them stands in `testnet/fuzz/corpus/`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a target fails by panicking; a federation that it cannot set up is its own mistake"
)]

mod house;
pub mod mutate;
mod targets;

pub use targets::{TARGETS, Target};

/// Longest input of a target, in bytes: a frame of the wire and what stands around it.
pub const INPUT_BYTES: usize = 264 * 1024;

/// Runs a target by its name, for drivers that know it by nothing else.
///
/// # Panics
/// If there is no target of this name, or if what must hold does not.
pub fn run(name: &str, bytes: &[u8]) {
    let target = Target::named(name).expect("no target of this name");
    if bytes.len() <= INPUT_BYTES {
        (target.run)(bytes);
    }
}
