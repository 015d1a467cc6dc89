//! How often an attack is tried: a sample, or with `REEVE_FULL=1` the full count.
//!
//! Tests of every crate include this file by its path; no crate depends on another for it.

/// The full count where `REEVE_FULL=1` is set, else the sample.
pub fn count(sample: usize, full: usize) -> usize {
    if std::env::var_os("REEVE_FULL").is_some_and(|value| value == "1") { full } else { sample }
}
