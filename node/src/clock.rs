//! The clocks: the only place that reads them.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use reeve_protocol::Now;
use reeve_statement::time::Timestamp;

/// A clock that starts when it is made.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// Starts counting.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the place that reads the clock")]
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// The time for the core.
    #[must_use]
    pub fn now(&self) -> Now {
        let elapsed = self.started.elapsed().as_millis();
        Now { monotonic: u64::try_from(elapsed).unwrap_or(u64::MAX), wall: wall() }
    }

    /// The instant of a monotonic time of the core.
    #[must_use]
    pub fn instant(&self, monotonic: u64) -> Instant {
        self.started + std::time::Duration::from_millis(monotonic)
    }
}

/// The wall clock.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the place that reads the clock")]
pub fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
