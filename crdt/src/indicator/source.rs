//! Sources: who in this house is expected to report a kind.
//!
//! A source is a department, a contributor or a feed. The first two close each period by an act: an
//! import, a nil report. A feed closes nothing one by one: it says from time to time that it is alive
//! and that everything up to now has come (its heartbeat, a closure of `now`), and closes so every day
//! that ended before. A feed that says nothing for too long is silent, and its days stay open.

use jiff::civil::Date;
use reeve_statement::names::KindId;
use reeve_statement::period::Period;
use reeve_statement::time::Timestamp;

/// One source, as the house declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name, as closures bear it.
    pub name: String,
    /// The kinds that it reports; none: every kind.
    pub kinds: Vec<KindId>,
    /// Its first day; none: since ever.
    pub from: Option<Date>,
    /// Its last day; none: open.
    pub until: Option<Date>,
    /// Of a feed: after how many milliseconds without a heartbeat it is silent. None: it is no feed.
    pub silent_after_ms: Option<i64>,
}

impl Source {
    /// Whether it reports a kind.
    #[must_use]
    pub fn reports(&self, kind: &KindId) -> bool {
        self.kinds.is_empty() || self.kinds.contains(kind)
    }

    /// Whether it is expected to report a period; `now` is judged at `today`.
    #[must_use]
    pub fn is_expected(&self, period: Period, today: Date) -> bool {
        let first = period.first_day().unwrap_or(today);
        let last = period.last_day().unwrap_or(today);
        self.from.is_none_or(|from| from <= last) && self.until.is_none_or(|until| first <= until)
    }
}

/// What a source said last of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSaid {
    /// The kind.
    pub kind: KindId,
    /// Its name.
    pub name: String,
    /// The last day that it has closed by an act; none: it has closed none.
    pub last_day: Option<Date>,
    /// Its heartbeat, if it is a feed.
    pub feed: Option<Feed>,
}

/// A feed of the present state: when its last heartbeat was, and how long it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Its name.
    pub name: String,
    /// Its last heartbeat; none: there was none.
    pub heard: Option<Timestamp>,
    /// For how long it holds, in milliseconds.
    pub silent_after_ms: i64,
}

impl Feed {
    /// When it falls silent, or fell.
    #[must_use]
    pub fn silent_at(&self) -> Option<Timestamp> {
        self.heard.map(|at| at.plus_millis(self.silent_after_ms))
    }

    /// Whether it is alive at a moment.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.silent_at().is_some_and(|silent| now < silent)
    }
}
