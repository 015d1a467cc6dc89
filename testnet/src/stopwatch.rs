//! The clock by which a test network is measured. What a node does never depends on it.

use std::time::Instant;

/// Now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "what takes how long is measured here")]
pub fn now() -> Instant {
    Instant::now()
}
