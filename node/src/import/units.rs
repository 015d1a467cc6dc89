//! What a file holds for each unit, in bounded memory: how many records, which periods it closes,
//! which ids it has seen, and which values the fields of a snapshot's scope take.
//!
//! An id is kept as 16 bytes of SHA-256, as a [`Sweep`] keeps it. Two of ten million ids share them
//! with a probability of one in 10^24, and nobody can make two that do. The ids of a unit are only
//! looked up, and listed into an ordered set, so no order of a hash map shows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use reeve_crdt::record::{Record, RecordId, Value};
use reeve_protocol::local::Sweep;
use reeve_statement::names::FieldId;
use reeve_statement::period::Period;
use reeve_statement::unit::UnitId;

use super::fault::FileFault;

/// Most records of one file: their ids take about 350 MB at this size. A larger file is split.
pub const MAX_RECORDS: usize = 10_000_000;

/// Most units of one file: ten times the largest federation tried.
pub const MAX_UNITS: usize = 10_000;

/// Most pairs of unit and period that a file may close: decades of days for hundreds of units.
pub const MAX_PERIODS: usize = 2_000_000;

/// Most values that the fields of a snapshot's scope may take, in all units together.
pub const MAX_SCOPE_VALUES: usize = 2_000_000;

/// What a file holds for one unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Share {
    /// Its records.
    pub records: u64,
    /// The periods of the kind that the file closes for it.
    pub closes: BTreeSet<Period>,
}

#[derive(Default)]
struct OfUnit {
    share: Share,
    /// The line that had each id first.
    ids: HashMap<[u8; 16], u32>,
    /// The values of each field of the scope, in its order.
    scope: Vec<BTreeSet<Value>>,
}

/// All units of a file; the one without a name if rows do not name units.
#[derive(Default)]
pub(super) struct Units {
    by_unit: BTreeMap<Option<UnitId>, OfUnit>,
    records: usize,
    periods: usize,
    scope_values: usize,
}

impl Units {
    /// Without a column that names units there is one, even if the file has no row.
    pub(super) fn new(named: bool) -> Self {
        let mut units = Self::default();
        if !named {
            units.by_unit.insert(None, OfUnit::default());
        }
        units
    }

    /// Books an id; gives the line of an earlier row that has it.
    pub(super) fn add_id(
        &mut self,
        unit: &Option<UnitId>,
        id: &RecordId,
        line: u64,
    ) -> Result<Option<u64>, FileFault> {
        let too_many = || FileFault::TooManyRecords(MAX_RECORDS);
        // A file of so many lines has too many records, or nearly only lines that are left out.
        let line = u32::try_from(line).map_err(|_| too_many())?;
        let key = Sweep::hash(id);
        let held = self.held(unit)?;
        if let Some(first) = held.ids.get(&key) {
            return Ok(Some(u64::from(*first)));
        }
        held.ids.insert(key, line);
        self.records = self.records.saturating_add(1);
        if self.records > MAX_RECORDS { Err(too_many()) } else { Ok(None) }
    }

    /// Books a good record.
    pub(super) fn add_record(
        &mut self,
        unit: &Option<UnitId>,
        record: &Record,
        scope: &[FieldId],
        closes: Option<Period>,
    ) -> Result<(), FileFault> {
        let held = self.held(unit)?;
        held.share.records = held.share.records.saturating_add(1);
        let period = closes.is_some_and(|period| held.share.closes.insert(period));
        held.scope.resize_with(scope.len(), BTreeSet::new);
        let mut values = 0_usize;
        for (field, seen) in scope.iter().zip(&mut held.scope) {
            if let Some(value) = record.get(field.as_str())
                && !seen.contains(value)
            {
                seen.insert(value.clone());
                values = values.saturating_add(1);
            }
        }
        self.periods = self.periods.saturating_add(usize::from(period));
        self.scope_values = self.scope_values.saturating_add(values);
        if self.periods > MAX_PERIODS {
            return Err(FileFault::TooManyPeriods(MAX_PERIODS));
        }
        if self.scope_values > MAX_SCOPE_VALUES {
            return Err(FileFault::TooManyScopeValues(MAX_SCOPE_VALUES));
        }
        Ok(())
    }

    /// Sets the periods that the file closes for each of its units.
    pub(super) fn close(&mut self, periods: &BTreeSet<Period>) {
        for held in self.by_unit.values_mut() {
            held.share.closes.clone_from(periods);
        }
    }

    /// The line that had this id first.
    pub(super) fn first_line(&self, unit: &Option<UnitId>, id: &RecordId) -> Option<u64> {
        self.by_unit.get(unit)?.ids.get(&Sweep::hash(id)).copied().map(u64::from)
    }

    pub(super) fn shares(&self) -> impl Iterator<Item = (Option<&UnitId>, &Share)> {
        self.by_unit.iter().map(|(unit, held)| (unit.as_ref(), &held.share))
    }

    pub(super) fn share(&self, unit: Option<&UnitId>) -> Option<&Share> {
        self.by_unit.get(&unit.cloned()).map(|held| &held.share)
    }

    /// What a snapshot of the unit holds; `None` if the file does not speak of the unit.
    pub(super) fn sweep(&self, unit: Option<&UnitId>, scope: &[FieldId]) -> Option<Sweep> {
        let held = self.by_unit.get(&unit.cloned())?;
        #[expect(clippy::disallowed_methods, reason = "collected into a set: no order can show")]
        let seen = held.ids.keys().copied().collect();
        // A field for which no row has a value covers nothing.
        let values = |at: usize| held.scope.get(at).cloned().unwrap_or_default();
        let scope = scope.iter().enumerate().map(|(at, field)| (field.clone(), values(at)));
        Some(Sweep { seen, scope: scope.collect() })
    }

    fn held(&mut self, unit: &Option<UnitId>) -> Result<&mut OfUnit, FileFault> {
        if !self.by_unit.contains_key(unit) {
            if self.by_unit.len() >= MAX_UNITS {
                return Err(FileFault::TooManyUnits(MAX_UNITS));
            }
            self.by_unit.insert(unit.clone(), OfUnit::default());
        }
        self.by_unit.get_mut(unit).ok_or(FileFault::TooManyUnits(MAX_UNITS))
    }
}
