//! Sealed periods: their tables stand as they were when the records behind them were removed.
//!
//! A kind is sealed before a day. The periods of its indicators that began before that day are no longer
//! counted from records: each keeps the table that it had, under the digest of the definition that it was
//! counted by. Facts of these periods change nothing any more, and a definition that was not in force then
//! has no figure of them. The present state is never sealed, and readings of stocks are counted on: their
//! table of a period stands, what later periods show of them goes with the records.
//!
//! A record that is erased alone, out of a period that is not sealed, leaves behind what it added to that
//! period's figures: a bucket and a number, without the record. An engine that counts all records anew
//! begins with these.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use jiff::civil::Date;
use minicbor::{Decode, Encode};
use reeve_statement::cbor::{from_slice, to_vec};
use reeve_statement::digest::Digest;
use reeve_statement::names::KindId;
use reeve_statement::period::Step;
use reeve_statement::table::Table;
use reeve_statement::time::Timestamp;

use super::key::{DAY_BYTES, Reader, day_bytes, day_of_period};
use super::paged::{Entry, Paged};
use super::plan::{Contribution, Counted, Plan};
use super::state::{Numbers, Sum, Tally};
use super::{Dirty, Engine, Touch};
use crate::record::{Fact, days_of};

/// Largest sealed table that is read, in bytes: ten thousand rows of eight dimensions.
pub const MAX_SEALED_BYTES: usize = 4 * 1024 * 1024;

/// A table that stands.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Standing {
    /// When a record behind it last changed.
    #[n(0)]
    touched: Option<Timestamp>,
    #[n(1)]
    table: Table,
}

/// A table to be kept: the digest of the definition, the first day of its period in days since
/// 1970-01-01, and the bytes.
pub type SealedTable = (Digest, i32, Vec<u8>);

/// What a record that was erased leaves behind: the digest of a definition, the bucket of one of its
/// periods, and the value that it added there.
pub type LeftBehind = (Digest, Vec<u8>, i64);

/// What stands of a home's sealed periods.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sealed {
    before: BTreeMap<KindId, i32>,
    tables: BTreeMap<(Digest, i32), Arc<[u8]>>,
    left: BTreeMap<(Digest, Vec<u8>), (i64, i64)>,
}

impl Sealed {
    /// Seals a kind before a day; an earlier day than the one known changes nothing.
    pub fn before(&mut self, kind: &KindId, day: Date) {
        let known = self.before.entry(kind.clone()).or_insert(i32::MIN);
        *known = days_of(day).max(*known);
    }

    /// The day before which a kind is sealed.
    #[must_use]
    pub fn of(&self, kind: &KindId) -> Option<Date> {
        self.before.get(kind).and_then(|days| crate::record::day_of(*days))
    }

    /// Keeps a table.
    pub fn keep(&mut self, (definition, day, bytes): SealedTable) {
        self.tables.insert((definition, day), bytes.into());
    }

    /// How many tables stand.
    #[must_use]
    pub fn tables(&self) -> usize {
        self.tables.len()
    }

    /// Adds to what erased records left behind; what stands at that bucket now: value and records.
    pub fn leave(&mut self, (definition, bucket, value): LeftBehind) -> (i64, i64) {
        let left = self.left.entry((definition, bucket)).or_default();
        *left = (left.0.saturating_add(value), left.1.saturating_add(1));
        *left
    }

    /// Sets what erased records left behind at a bucket, as [`Sealed::leave`] gave it.
    pub fn restore_left(&mut self, definition: Digest, bucket: Vec<u8>, left: (i64, i64)) {
        self.left.insert((definition, bucket), left);
    }

    fn standing(&self, definition: &Digest, day: i32) -> Option<Standing> {
        let bytes = self.tables.get(&(*definition, day))?;
        from_slice("sealed table", bytes, MAX_SEALED_BYTES).ok()
    }

    fn days(&self, definition: Digest) -> impl Iterator<Item = i32> {
        let all = (definition, i32::MIN)..=(definition, i32::MAX);
        self.tables.range(all).map(|((_, day), _)| *day)
    }
}

impl Engine {
    /// Tells the engine what stands; before anything is counted, and whenever that changed.
    pub fn set_sealed(&mut self, sealed: Arc<Sealed>) {
        let bound = |plan: &Plan| match (plan.indicator.step, &plan.counted) {
            (Step::Now, _) | (_, Counted::Latest { .. }) => i32::MIN,
            _ => sealed.before.get(&plan.indicator.kind).copied().unwrap_or(i32::MIN),
        };
        self.bounds = self.plans.iter().map(bound).collect();
        self.sealed = sealed;
    }

    /// Adds what erased records left behind to a new engine, before it counts all records.
    pub fn begin_with_left(&mut self, at: Timestamp) {
        let sealed = Arc::clone(&self.sealed);
        for ((definition, bucket), (value, records)) in &sealed.left {
            let Some(index) = self.definitions.iter().position(|it| it == definition) else {
                continue;
            };
            let Some(day) = Reader(bucket).day().filter(|day| !self.is_bound(index, *day)) else {
                continue;
            };
            let Some(state) = self.states.get_mut(index) else { continue };
            match &mut state.numbers {
                Numbers::Sums(sums) => sums.change(bucket, |sum| {
                    sum.value = sum.value.saturating_add(i128::from(*value));
                    sum.records = sum.records.saturating_add(*records);
                }),
                Numbers::Extremes(tallies) => {
                    tallies.change(bucket, |tally| tally.0 = tally.0.saturating_add(*records));
                }
                Numbers::Readings(_) => {}
            }
            state.touch(Some(day), at.as_millis());
        }
    }

    /// Whether a plan's period that begins on this day is sealed: facts of it change nothing.
    pub(super) fn is_bound(&self, plan: usize, day: i32) -> bool {
        self.bounds.get(plan).is_some_and(|bound| day < *bound)
    }

    /// The day before which a kind can be sealed on `today`: not later than asked for, and no period of
    /// its indicators that is still running begins before it.
    #[must_use]
    pub fn sealable_before(&self, kind: &KindId, before: Date, today: Date) -> Date {
        let steps = self.plans.iter().map(|plan| &plan.indicator);
        let steps = steps.filter(|it| it.kind == *kind && it.step != Step::Now).map(|it| it.step);
        let steps: Vec<Step> = steps.collect();
        let mut day = before.min(today);
        loop {
            let running = steps.iter().filter_map(|step| {
                let period = reeve_statement::period::Period::of(*step, day.yesterday().ok()?);
                let first = period.first_day().filter(|first| *first < day)?;
                (period.last_day()? >= today).then_some(first)
            });
            let Some(first) = running.min() else { return day };
            day = first;
        }
    }

    /// The tables of a kind's periods that begin before a day, as they are: they are to stand from now on.
    /// What the engine kept to count them is let go; call [`Engine::set_sealed`] with them.
    pub fn seal(&mut self, kind: &KindId, before: Date, today: Date) -> Vec<SealedTable> {
        let mut sealed = Vec::new();
        for index in 0..self.plans.len() {
            let Some(plan) = self.plans.get(index) else { continue };
            if plan.indicator.kind != *kind || plan.indicator.step == Step::Now {
                continue;
            }
            let age = match plan.counted {
                Counted::Latest { max_age_days, .. } => max_age_days,
                _ => 0,
            };
            let Some(definition) = self.definitions.get(index).copied() else { continue };
            let (id, until) = (plan.indicator.id.clone(), days_of(before).saturating_add(age));
            for period in self.known_periods(index) {
                let day = day_of_period(period);
                let over = period.last_day().is_some_and(|last| last < today);
                if day >= until || !over || self.sealed.tables.contains_key(&(definition, day)) {
                    continue;
                }
                // A table that cannot be computed is not kept: the period has no figure then.
                let Ok(own) = self.table(&id, period, today) else { continue };
                let standing = Standing { touched: own.touched, table: own.table };
                sealed.push((definition, day, to_vec(&standing)));
            }
            self.let_go(index, days_of(before));
        }
        sealed
    }

    /// Drops the sums of the periods that begin before a day.
    fn let_go(&mut self, plan: usize, before: i32) {
        fn drop_before<E: Entry>(map: &mut Paged<E>, end: &[u8]) {
            let all = map.from(Bound::Unbounded).map(|(key, _)| key.to_vec());
            let gone: Vec<Vec<u8>> = all.take_while(|key| key.as_slice() < end).collect();
            gone.iter().for_each(|key| map.remove(key));
        }
        let end = day_bytes(before);
        match self.states.get_mut(plan).map(|state| &mut state.numbers) {
            Some(Numbers::Sums(map)) => drop_before::<Sum>(map, &end),
            Some(Numbers::Extremes(map)) => drop_before::<Tally>(map, &end),
            Some(Numbers::Readings(_)) | None => {}
        }
    }

    /// What stands of a sealed period.
    pub(super) fn standing(&self, plan: usize, day: i32) -> Option<(Table, Option<Timestamp>)> {
        let standing = self.sealed.standing(self.definitions.get(plan)?, day)?;
        Some((standing.table, standing.touched))
    }

    /// First days of the periods of a plan whose tables stand.
    pub(super) fn standing_days(&self, plan: usize) -> impl Iterator<Item = i32> {
        let definition = self.definitions.get(plan).copied();
        definition.into_iter().flat_map(|definition| self.sealed.days(definition))
    }

    /// Takes a record out that is erased: out of the present state, of stocks and of what others refer to,
    /// but not out of the figures of periods. What it added to those is what it leaves behind.
    pub fn erase(&mut self, fact: &Fact, at: Timestamp) -> (Dirty, Vec<LeftBehind>) {
        let (mut touch, mut left) = (Touch::default(), Vec::new());
        let Some(record) = &fact.before else { return (Dirty::default(), left) };
        if let Some(readers) = self.readers.get(&fact.kind) {
            let row = readers.slots.row(record);
            let mut was = Contribution::default();
            for index in readers.plans.iter().copied() {
                let (Some(plan), Some(state)) = (self.plans.get(index), self.states.get_mut(index))
                else {
                    continue;
                };
                if !plan.contribution(&fact.id, &row, &self.zone, &mut was) {
                    continue;
                }
                let of_a_period = plan.indicator.step != Step::Now
                    && !matches!(plan.counted, Counted::Latest { .. });
                let bound = self.bounds.get(index).is_some_and(|bound| was.day < *bound);
                match self.definitions.get(index) {
                    Some(definition) if of_a_period && !bound && was.key.len() >= DAY_BYTES => {
                        left.push((*definition, was.key.clone(), was.value));
                    }
                    _ if bound => {}
                    _ => {
                        state.add(&was, -1);
                        touch.records.insert((index, was.day));
                    }
                }
            }
        }
        self.apply_to_lookup(fact, &mut touch);
        self.note_touched(&touch, at);
        (self.dirty(touch), left)
    }
}
