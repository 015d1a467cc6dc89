//! Indicators, maintained from facts: each applied change takes away what its record said before and
//! adds what it says now.
//!
//! # What it keeps
//!
//! Per indicator, period and bucket (residual and dimension values): a sum and a count of records;
//! for `min` and `max` an ordered multiset of values; for `latest-sum` the readings by stock and
//! time. Beside these: closed fields of records that dimensions reach through a reference, the
//! closures, and when each period was last touched. Memory grows with the number of buckets, not of
//! records, but for multisets, readings and lookups.
//!
//! # What holds
//!
//! - A table equals what [the definitions](crate::catalogue) yield over all present records, whatever
//!   the order of facts, and after any restart. It is exact and **unprotected**: only disclosure
//!   control may turn it into a release.
//! - A timestamp lies in the day that it has in the unit's time zone, which ends at the catalogue's
//!   cut-off hour or at midnight.
//! - All arithmetic is checked. A figure that does not fit is an error of that figure alone.
//! - No clock: the day that is today, and when facts arrive, come in.
//!
//! # Storage
//!
//! [`Engine::changed_pages`] yields what changed since the last call as small pages;
//! [`Engine::load_page`] takes them back, [`Engine::finish_loading`] checks that none is missing. Pages
//! bear the digest of schema, definitions and time zone: after any of these changed they are refused,
//! and [`Engine::rebuild`] counts all records again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use reeve_statement::catalogue::{Catalogue, Indicator};
use reeve_statement::digest::Digest;
use reeve_statement::names::{FieldId, IndicatorId, KindId};
use reeve_statement::period::{Period, Step};
use reeve_statement::time::Timestamp;

use crate::record::{Fact, Record, RecordId};
use crate::schema::Schema;
use crate::schema::closure::KIND as CLOSURE;

mod closures;
mod condition;
mod figure;
mod key;
mod lookup;
mod paged;
mod pages;
mod plan;
mod sealed;
mod source;
mod state;

pub use figure::{FigureError, OwnFigure};
pub use pages::{MAX_PAGE_KEY_BYTES, PageError};
pub use plan::Fault;
pub use sealed::{LeftBehind, MAX_SEALED_BYTES, Sealed, SealedTable};
pub use source::{Feed, Source, SourceSaid};

use closures::Closures;
use lookup::Lookups;
use plan::{Contribution, Counted, Plan, Slots};
use state::State;

/// Facts that a rebuild applies at a time: enough to make the cost per batch vanish, little memory.
const REBUILD_BATCH: usize = 1_000;

/// Why an engine cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The unit's settings are at fault.
    #[error(
        "the unit's time zone: expected a name of the IANA database such as Europe/Rome, found \
         {found:?}"
    )]
    TimeZone {
        /// The name, cut to 80 characters.
        found: String,
    },
    /// The catalogue was made for another schema.
    #[error(
        "indicator `{indicator}` does not fit the schema: {fault}; take the schema that the \
         catalogue was checked against, or do not adopt the indicator"
    )]
    Definition {
        /// The indicator.
        indicator: IndicatorId,
        /// Why.
        fault: Fault,
    },
}

/// Figures whose table, or whose state of being closed, may have changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dirty(BTreeSet<(IndicatorId, Period)>);

impl Dirty {
    /// The figures, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&IndicatorId, Period)> {
        self.0.iter().map(|(indicator, period)| (indicator, *period))
    }

    /// Whether a figure is among them.
    #[must_use]
    pub fn contains(&self, indicator: &IndicatorId, period: Period) -> bool {
        self.0.contains(&(indicator.clone(), period))
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many figures changed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes those of another batch in.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

impl IntoIterator for Dirty {
    type Item = (IndicatorId, Period);
    type IntoIter = std::collections::btree_set::IntoIter<(IndicatorId, Period)>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// What the records of one kind matter to.
#[derive(Default)]
struct Readers {
    slots: Slots,
    plans: Vec<usize>,
    lookup: Option<usize>,
}

/// What a batch of facts touched, before it is told in names.
#[derive(Default)]
struct Touch {
    /// Plan and day of the period, by records.
    records: BTreeSet<(usize, i32)>,
    /// Plans of which every period may look different.
    all: BTreeSet<usize>,
    /// By closures.
    closed: BTreeSet<(usize, Period)>,
}

/// The indicators of one home; see the module.
pub struct Engine {
    zone: TimeZone,
    seal: Digest,
    plans: Vec<Plan>,
    states: Vec<State>,
    /// Digest of each plan's definition.
    definitions: Vec<Digest>,
    /// Per plan: facts of periods that begin before this day change nothing.
    bounds: Vec<i32>,
    sealed: Arc<Sealed>,
    names: BTreeMap<IndicatorId, usize>,
    readers: BTreeMap<KindId, Readers>,
    lookups: Lookups,
    closures: Closures,
    stored_head: Option<Vec<u8>>,
    loaded_head: Option<Vec<u8>>,
}

impl Engine {
    /// An engine without records.
    ///
    /// # Errors
    /// [`EngineError`]: the time zone is unknown, or an indicator does not fit the schema.
    pub fn new(
        schema: &Schema,
        catalogue: &Catalogue,
        time_zone: &str,
    ) -> Result<Self, EngineError> {
        let zone = TimeZone::get(time_zone)
            .map_err(|_| EngineError::TimeZone { found: time_zone.chars().take(80).collect() })?;
        let mut engine = Self {
            zone: zone.clone(),
            seal: seal(schema, catalogue, time_zone),
            plans: Vec::new(),
            states: Vec::new(),
            definitions: Vec::new(),
            bounds: Vec::new(),
            sealed: Arc::default(),
            names: BTreeMap::new(),
            readers: BTreeMap::new(),
            lookups: Lookups::default(),
            closures: Closures::new(zone),
            stored_head: None,
            loaded_head: None,
        };
        for indicator in &catalogue.indicators {
            engine.add_plan(indicator, schema).map_err(|fault| EngineError::Definition {
                indicator: indicator.id.clone(),
                fault,
            })?;
        }
        for (kind, index) in engine.lookups.kinds() {
            engine.readers.entry(kind).or_default().lookup = Some(index);
        }
        Ok(engine)
    }

    fn add_plan(&mut self, indicator: &Indicator, schema: &Schema) -> Result<(), Fault> {
        let index = self.plans.len();
        let readers = self.readers.entry(indicator.kind.clone()).or_default();
        let plan = Plan::of(indicator, schema, &mut readers.slots, &mut self.lookups)?;
        readers.plans.push(index);
        self.names.insert(indicator.id.clone(), index);
        self.states.push(State::of(&plan));
        self.definitions.push(indicator.definition());
        self.bounds.push(i32::MIN);
        self.plans.push(plan);
        Ok(())
    }

    /// An engine that has counted all these records, when pages are missing or refused. Periods count
    /// as touched `at`.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn rebuild(
        schema: &Schema,
        catalogue: &Catalogue,
        time_zone: &str,
        records: impl IntoIterator<Item = (KindId, RecordId, Record)>,
        at: Timestamp,
    ) -> Result<Self, EngineError> {
        let mut engine = Self::new(schema, catalogue, time_zone)?;
        let mut batch = Vec::with_capacity(REBUILD_BATCH);
        for (kind, id, record) in records {
            batch.push(Fact { kind, id, before: None, after: Some(record) });
            if batch.len() >= REBUILD_BATCH {
                engine.apply(&batch, at);
                batch.clear();
            }
        }
        engine.apply(&batch, at);
        Ok(engine)
    }

    /// Says who is expected to report; none declared for a kind: whoever ever closed a period of it.
    #[must_use]
    pub fn with_sources(mut self, sources: Vec<Source>) -> Self {
        self.closures.sources = sources;
        self
    }

    /// Takes facts in; which figures may have changed. `at` is when they arrived.
    ///
    /// Each fact's `before` must be what the engine was told last of that record.
    ///
    /// A `now` figure of a `latest-sum` changes also when the day turns, without any fact: ask for its
    /// table again then.
    pub fn apply(&mut self, facts: &[Fact], at: Timestamp) -> Dirty {
        let mut touch = Touch::default();
        let mut scratch = (Contribution::default(), Contribution::default());
        for fact in facts {
            self.apply_to_plans(fact, &mut scratch, &mut touch);
            self.apply_to_lookup(fact, &mut touch);
            if fact.kind.as_str() == CLOSURE {
                self.apply_to_closures(fact, &mut touch);
            }
        }
        self.note_touched(&touch, at);
        self.dirty(touch)
    }

    fn apply_to_plans(
        &mut self,
        fact: &Fact,
        scratch: &mut (Contribution, Contribution),
        touch: &mut Touch,
    ) {
        let Some(readers) = self.readers.get(&fact.kind) else { return };
        let before = fact.before.as_ref().map(|record| readers.slots.row(record));
        let after = fact.after.as_ref().map(|record| readers.slots.row(record));
        for index in &readers.plans {
            let (Some(plan), Some(state)) = (self.plans.get(*index), self.states.get_mut(*index))
            else {
                continue;
            };
            let (old, new) = (&mut scratch.0, &mut scratch.1);
            let (zone, bound) = (&self.zone, self.bounds.get(*index).copied().unwrap_or(i32::MIN));
            let counts = |row: &Vec<Option<&crate::record::Value>>, into: &mut Contribution| {
                plan.contribution(&fact.id, row, zone, into) && into.day >= bound
            };
            let had = before.as_ref().is_some_and(|row| counts(row, old));
            let has = after.as_ref().is_some_and(|row| counts(row, new));
            if had && has && old == new {
                continue;
            }
            if had {
                state.add(old, -1);
                touch.records.insert((*index, old.day));
            }
            if has {
                state.add(new, 1);
                touch.records.insert((*index, new.day));
            }
        }
    }

    fn apply_to_lookup(&mut self, fact: &Fact, touch: &mut Touch) {
        let index = self.readers.get(&fact.kind).and_then(|readers| readers.lookup);
        let Some(index) = index else { return };
        let lookup = self.lookups.0.get_mut(index);
        if lookup.is_some_and(|lookup| lookup.apply(fact)) {
            let reads = |plan: &Plan| plan.lookups().any(|lookup| lookup == index);
            let plans = self.plans.iter().enumerate().filter(|(_, plan)| reads(plan));
            touch.all.extend(plans.map(|(plan, _)| plan));
        }
    }

    fn apply_to_closures(&mut self, fact: &Fact, touch: &mut Touch) {
        for (kind, period) in self.closures.apply(fact) {
            let Some(readers) = self.readers.get(&kind) else { continue };
            for index in &readers.plans {
                let Some(plan) = self.plans.get(*index) else { continue };
                let within = overlapping(plan.indicator.step, period);
                touch.closed.extend(within.into_iter().map(|period| (*index, period)));
            }
        }
    }

    fn note_touched(&mut self, touch: &Touch, at: Timestamp) {
        for (plan, day) in &touch.records {
            if let Some(state) = self.states.get_mut(*plan) {
                state.touch(Some(*day), at.as_millis());
            }
        }
        for plan in &touch.all {
            if let Some(state) = self.states.get_mut(*plan) {
                state.touch(None, at.as_millis());
            }
        }
    }

    fn dirty(&self, touch: Touch) -> Dirty {
        let mut dirty = Dirty::default();
        let mut add = |plan: usize, periods: &mut dyn Iterator<Item = Period>| {
            if let Some(plan) = self.plans.get(plan) {
                dirty.0.extend(periods.map(|period| (plan.indicator.id.clone(), period)));
            }
        };
        let mut horizons = BTreeMap::new();
        for (plan, day) in touch.records {
            let horizon = *horizons.entry(plan).or_insert_with(|| self.horizon(plan));
            add(plan, &mut self.reach(plan, day, horizon).into_iter());
        }
        for plan in touch.all {
            add(plan, &mut self.known_periods(plan).into_iter());
        }
        for (plan, period) in touch.closed {
            add(plan, &mut core::iter::once(period));
        }
        dirty
    }

    /// The last day of which the engine knows anything, for figures that reach beyond their readings.
    fn horizon(&self, plan: usize) -> i32 {
        let Some(plan) = self.plans.get(plan) else { return 0 };
        if !matches!(plan.counted, Counted::Latest { .. }) {
            return 0;
        }
        let readings = self.names.get(&plan.indicator.id).and_then(|index| {
            let last = self.states.get(*index)?.last_touched_day()?;
            let period = key::period_of_day(plan.indicator.step, last)?;
            period.last_day().map(crate::record::days_of)
        });
        let closed = self.closures.last_day(&plan.indicator.kind);
        readings.max(closed).unwrap_or(0)
    }

    /// The periods whose figure a record in the period of `day` can show in: that one, and for a
    /// stock those in which its reading may still count, up to the last that is known.
    fn reach(&self, plan: usize, day: i32, horizon: i32) -> Vec<Period> {
        let Some(plan) = self.plans.get(plan) else { return Vec::new() };
        let step = plan.indicator.step;
        let Some(first) = key::period_of_day(step, day) else { return Vec::new() };
        let Counted::Latest { max_age_days, .. } = &plan.counted else { return vec![first] };
        let last_reading = first.last_day().map_or(day, crate::record::days_of);
        let end = last_reading.saturating_add(*max_age_days).min(horizon);
        let in_reach = |period: &Period| key::day_of_period(*period) <= end;
        let later = core::iter::successors(following(first), |period| following(*period));
        core::iter::once(first).chain(later.take_while(in_reach)).collect()
    }

    /// The periods of an indicator of which something is known: a record was ever in it, or a source
    /// closed a day of it. Others have no rows and are not closed, but that the reading of a stock may
    /// count on in them.
    #[must_use]
    pub fn periods(&self, indicator: &IndicatorId) -> BTreeSet<Period> {
        self.names.get(indicator).map(|plan| self.known_periods(*plan)).unwrap_or_default()
    }

    fn known_periods(&self, index: usize) -> BTreeSet<Period> {
        let (Some(plan), Some(state)) = (self.plans.get(index), self.states.get(index)) else {
            return BTreeSet::new();
        };
        let step = plan.indicator.step;
        let touched = state.touched_days().filter_map(|day| key::period_of_day(step, day));
        let standing = self.standing_days(index).filter_map(|day| key::period_of_day(step, day));
        let closed = self.closures.of(&plan.indicator.kind);
        touched.chain(standing).chain(closed.flat_map(|period| overlapping(step, period))).collect()
    }

    /// What the sources said last that report now, by kind and name: those that the house declares, else
    /// whoever ever closed a period of the kind.
    #[must_use]
    pub fn sources(&self, today: Date) -> Vec<SourceSaid> {
        let kinds: BTreeSet<&KindId> = self.plans.iter().map(|plan| &plan.indicator.kind).collect();
        kinds.into_iter().flat_map(|kind| self.closures.sources_of(kind, today)).collect()
    }

    /// The indicators, by name.
    pub fn indicators(&self) -> impl Iterator<Item = &Indicator> {
        self.names.values().filter_map(|index| self.plans.get(*index)).map(|plan| &plan.indicator)
    }

    /// The home's own figure of an indicator for a period, exact and unprotected. `today` is the
    /// local day, which bounds the age of readings for `now`.
    ///
    /// # Errors
    /// [`FigureError`]: no such indicator, a period of another step, a sum beyond 64 bits, too many
    /// rows, a period that was sealed under other definitions, or facts that contradict each other.
    pub fn table(
        &self,
        indicator: &IndicatorId,
        period: Period,
        today: Date,
    ) -> Result<OwnFigure, FigureError> {
        let unknown = || FigureError::Unknown(indicator.clone());
        let index = self.names.get(indicator).ok_or_else(unknown)?;
        let plan = self.plans.get(*index).ok_or_else(unknown)?;
        let state = self.states.get(*index).ok_or_else(unknown)?;
        let day = key::day_of_period(period);
        let standing = self.standing(*index, day).filter(|_| period.step() == plan.indicator.step);
        if standing.is_none() && period.step() == plan.indicator.step && self.is_bound(*index, day)
        {
            return Err(FigureError::Sealed { indicator: indicator.clone(), period });
        }
        figure::figure(plan, state, standing, &self.lookups, &self.closures, period, today)
    }
}

impl Slots {
    /// The values of a record's fields, each at its place.
    fn row<'r>(&self, record: &'r Record) -> Vec<Option<&'r crate::record::Value>> {
        self.fields.iter().map(|field: &FieldId| record.get(field.as_str())).collect()
    }
}

/// The periods of a step that have a day in common with `period`; only now has one with now, and
/// now changes with every other.
fn overlapping(step: Step, period: Period) -> BTreeSet<Period> {
    if step == Step::Now {
        return BTreeSet::from([Period::Now]);
    }
    let days = closures::days(period);
    days.into_iter().filter_map(|day| key::period_of_day(step, day)).collect()
}

/// The next period; none after now and at the calendar's end.
fn following(period: Period) -> Option<Period> {
    Some(period.next()).filter(|next| *next > period)
}

/// What stored pages must agree with to be of use.
fn seal(schema: &Schema, catalogue: &Catalogue, time_zone: &str) -> Digest {
    let mut parts: Vec<Vec<u8>> = vec![
        b"reeve-indicator-pages/2\0".to_vec(),
        schema.hash().as_bytes().to_vec(),
        Digest::of(time_zone.as_bytes()).as_bytes().to_vec(),
    ];
    for indicator in &catalogue.indicators {
        parts.push(indicator.definition().as_bytes().to_vec());
    }
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    Digest::of_parts(&parts)
}

#[cfg(test)]
mod tests;
