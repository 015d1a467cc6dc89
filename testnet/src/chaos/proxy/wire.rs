//! What went through a relay: counted, and kept up to a bound so that it can be searched.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Most bytes kept of each direction: enough for any short trial, and no load for the machine.
const KEPT: usize = 16 * 1024 * 1024;

/// What went through a relay.
#[derive(Debug, Clone, Default)]
pub struct Wire(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    up: Mutex<Vec<u8>>,
    down: Mutex<Vec<u8>>,
    pieces: AtomicU64,
    lost: AtomicU64,
    repeated: AtomicU64,
}

/// How many pieces went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Those that came.
    pub pieces: u64,
    /// Those that were not forwarded.
    pub lost: u64,
    /// Those that were forwarded twice.
    pub repeated: u64,
}

impl Wire {
    /// How many pieces went through.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            pieces: of(&self.0.pieces),
            lost: of(&self.0.lost),
            repeated: of(&self.0.repeated),
        }
    }

    /// How many bytes of both directions were kept.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.each(<[u8]>::len).into_iter().sum()
    }

    /// Whether a text went through as it is.
    #[must_use]
    pub fn shows(&self, text: &str) -> bool {
        let text = text.as_bytes();
        let found = self.each(|bytes| {
            !text.is_empty() && bytes.windows(text.len()).any(|window| window == text)
        });
        found.contains(&true)
    }

    fn each<T>(&self, of: impl Fn(&[u8]) -> T) -> [T; 2] {
        [&self.0.up, &self.0.down]
            .map(|kept| of(&kept.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    pub(super) fn came(&self, up: bool, bytes: &[u8]) {
        self.0.pieces.fetch_add(1, Ordering::Relaxed);
        let kept = if up { &self.0.up } else { &self.0.down };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let room = KEPT.saturating_sub(kept.len()).min(bytes.len());
        kept.extend(bytes.iter().take(room));
    }

    pub(super) fn lost(&self) {
        self.0.lost.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn repeated(&self) {
        self.0.repeated.fetch_add(1, Ordering::Relaxed);
    }
}
