//! Which periods of which kinds the unit's sources have closed, from records of the built-in kind
//! `closure`.
//!
//! A closure of a week or month closes its days. A period counts as closed if each of its days is
//! closed by at least one source; it is closed *by* a source if that source alone closed them all.

use std::collections::BTreeSet;
use std::ops::Bound;

use reeve_statement::names::KindId;
use reeve_statement::period::{Period, Step};

use super::key::{Reader, day_bytes, day_of_period, period_of_day, push_text};
use super::paged::Paged;
use super::state::Tally;
use crate::record::{Fact, days_of};
use crate::schema::Closure;
use crate::schema::closure::KIND;

/// Longest period in days, for walking them.
const LONGEST_PERIOD_DAYS: usize = 31;

/// Closures by kind, source, step and day.
#[derive(Default)]
pub(super) struct Closures {
    pub(super) tallies: Paged<Tally>,
}

/// How far a period is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Reported {
    /// Every day is closed by at least one source.
    pub(super) closed: bool,
    /// Sources that closed the whole of it.
    pub(super) sources: u32,
    /// Sources that ever closed a period of the kind.
    pub(super) known: u32,
}

impl Closures {
    /// Takes a fact of the kind `closure`; which kinds and periods changed.
    pub(super) fn apply(&mut self, fact: &Fact) -> Vec<(KindId, Period)> {
        if fact.kind.as_str() != KIND {
            return Vec::new();
        }
        let before = fact.before.as_ref().and_then(Closure::from_record);
        let after = fact.after.as_ref().and_then(Closure::from_record);
        let place = |closure: &Closure| (closure.kind.clone(), closure.period);
        let keys = (before.as_ref().map(key_of), after.as_ref().map(key_of));
        if keys.0 == keys.1 {
            return Vec::new();
        }
        if let Some(key) = keys.0 {
            self.tallies.change(&key, |tally| tally.add(-1));
        }
        if let Some(key) = keys.1 {
            self.tallies.change(&key, |tally| tally.add(1));
        }
        before.iter().chain(after.iter()).map(place).collect()
    }

    /// How far a period of a kind is closed. For [`Period::Now`]: by each source that closed `now`,
    /// or any period that ends on `not_before` or later.
    pub(super) fn reported(&self, kind: &KindId, period: Period, not_before: i32) -> Reported {
        let sources = self.sources(kind);
        let known = count(sources.len());
        if period == Period::Now {
            let current = sources.iter().filter(|source| self.is_current(source, not_before));
            let sources = count(current.count());
            return Reported { closed: sources > 0, sources, known };
        }
        let days = days(period);
        let closed = days.iter().all(|day| sources.iter().any(|s| self.covers(s, *day)));
        let whole = |source: &&Vec<u8>| days.iter().all(|day| self.covers(source, *day));
        Reported { closed, sources: count(sources.iter().filter(whole).count()), known }
    }

    /// The last day of a kind that a source has closed.
    pub(super) fn last_day(&self, kind: &KindId) -> Option<i32> {
        self.of(kind).filter_map(|period| period.last_day().map(days_of)).max()
    }

    /// All periods of a kind that were closed, in no order and possibly more than once.
    pub(super) fn of(&self, kind: &KindId) -> impl Iterator<Item = Period> {
        let prefix = prefix(kind);
        let keys: Vec<&[u8]> = self
            .tallies
            .from(Bound::Included(prefix.as_slice()))
            .map(|(key, _)| key)
            .take_while(|key| key.starts_with(&prefix))
            .collect();
        keys.into_iter().filter_map(move |key| {
            let mut reader = Reader(key);
            reader.text()?;
            reader.text()?;
            period(&mut reader)
        })
    }

    /// The keys of a kind's sources, up to the period.
    fn sources(&self, kind: &KindId) -> BTreeSet<Vec<u8>> {
        let prefix = prefix(kind);
        let mut sources = BTreeSet::new();
        let mut from = prefix.clone();
        while let Some((key, _)) = self.tallies.from(Bound::Excluded(from.as_slice())).next() {
            let mut reader = Reader(key.strip_prefix(prefix.as_slice()).unwrap_or_default());
            let Some(source) = reader.text() else { break };
            let mut source_key = prefix.clone();
            push_text(&mut source_key, source);
            // Steps are small numbers, so this is past every period of the source.
            from.clone_from(&source_key);
            from.push(u8::MAX);
            sources.insert(source_key);
        }
        sources
    }

    fn covers(&self, source: &[u8], day: i32) -> bool {
        [Step::Day, Step::Week, Step::Month].into_iter().any(|step| {
            period_of_day(step, day).is_some_and(|period| {
                let mut key = source.to_vec();
                push_period(&mut key, period);
                self.tallies.get(&key).is_some_and(|tally| tally.0 > 0)
            })
        })
    }

    fn is_current(&self, source: &[u8], not_before: i32) -> bool {
        self.tallies.starting_with(source).any(|(key, _)| {
            let mut reader = Reader(key.strip_prefix(source).unwrap_or_default());
            match period(&mut reader) {
                Some(Period::Now) => true,
                Some(period) => period.last_day().map(days_of) >= Some(not_before),
                None => false,
            }
        })
    }
}

/// The days of a period; none for now.
pub(super) fn days(period: Period) -> Vec<i32> {
    let (Some(first), Some(last)) = (period.first_day(), period.last_day()) else {
        return Vec::new();
    };
    (days_of(first)..=days_of(last)).take(LONGEST_PERIOD_DAYS).collect()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn prefix(kind: &KindId) -> Vec<u8> {
    let mut key = Vec::new();
    push_text(&mut key, kind.as_str());
    key
}

fn key_of(closure: &Closure) -> Vec<u8> {
    let mut key = prefix(&closure.kind);
    push_text(&mut key, &closure.source);
    push_period(&mut key, closure.period);
    key
}

fn push_period(key: &mut Vec<u8>, period: Period) {
    key.push(match period.step() {
        Step::Day => 0,
        Step::Week => 1,
        Step::Month => 2,
        Step::Now => 3,
    });
    key.extend(day_bytes(day_of_period(period)));
}

fn period(reader: &mut Reader<'_>) -> Option<Period> {
    let step = match reader.bytes()? {
        [0] => Step::Day,
        [1] => Step::Week,
        [2] => Step::Month,
        [3] => Step::Now,
        _ => return None,
    };
    period_of_day(step, reader.day()?)
}
