//! Steps in time: from what a home's own table says now to what each class may be told of it, given
//! all that was ever told of it.
//!
//! A row is told exactly only where the number behind it is at least the floor, and is the number that
//! was told before or differs from every one that was ever told exactly by at least the least step.
//! Such a number is a *mark*. Near a mark the row is *held*: told as the interval of everything that
//! is near it, the same whether it has changed a little or not at all. So no two editions, however far
//! apart, differ by a number of persons under the least step.
//!
//! Classes stand in a row, finest first. A coarser one never looks at the table, but at the marks of
//! the finer one: what it is told exactly the finer class is told exactly in the same window, and each
//! of its intervals holds that of the finer class. Two classes side by side show nothing that the finer
//! one does not.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};
use reeve_statement::bounds::{Bounds, Cell, Overflow};
use reeve_statement::catalogue::{Contributors, Floors, Indicator, Measure, RecipientClass};
use reeve_statement::cbor::to_vec;
use reeve_statement::digest::Digest;
use reeve_statement::period::Period;
use reeve_statement::table::{Area, RowKey, Table, Unlisted};

use super::lapse::{Lapse, Lapses};
use super::protect::{
    About, DiscloseError, DisclosedTable, OwnTable, PRESENCE_FLOOR, about, contributor_range,
    hidden, rounded,
};
use super::state::DisclosureState;
use crate::authz::Permit;

/// What one class may be told of the own table, and how it is protected.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ClassSteps {
    /// Least contributors behind an exact row.
    #[n(0)]
    floor: u32,
    /// Least step between two exact numbers.
    #[n(1)]
    step: u32,
    /// Multiples to which values are told.
    #[n(2)]
    rounding: u32,
    /// What it is told.
    #[n(3)]
    told: Table,
    /// Every number that it was ever told exactly.
    #[n(4)]
    marks: Vec<Marked>,
}

/// What was told exactly of one row.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Marked {
    #[n(0)]
    area: Area,
    #[n(1)]
    dims: Vec<String>,
    /// Contributors with the value beside them, fewest first.
    #[n(2)]
    marks: Vec<(i64, i64)>,
}

/// What every class may be told of the own table since a window closed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Steps {
    /// Digest of the table and of everything else that this follows from.
    #[n(0)]
    basis: Digest,
    #[n(1)]
    classes: BTreeMap<RecipientClass, ClassSteps>,
    /// Digest of the definition that it is told by.
    #[n(2)]
    definition: Digest,
}

type Marks = BTreeMap<RowKey, BTreeMap<i64, i64>>;

impl Steps {
    /// Of nothing.
    pub(super) const fn none() -> Self {
        Self { basis: Digest::ZERO, classes: BTreeMap::new(), definition: Digest::ZERO }
    }

    /// Notes what a class was told before any step was held from it.
    pub(super) fn remember_exact(&mut self, class: RecipientClass, last: &Table) {
        if self.classes.contains_key(&class) {
            return;
        }
        let exact = last.rows.iter().filter(|(_, cell)| cell.is_exact());
        let marks = exact.map(|(key, cell)| Marked {
            area: key.area.clone(),
            dims: key.dims.clone(),
            marks: vec![(cell.contributors.lo(), cell.value.lo())],
        });
        let marks = marks.collect();
        let told = ClassSteps { floor: 1, step: 1, rounding: 1, told: last.clone(), marks };
        self.classes.insert(class, told);
    }

    /// Whether it follows from this basis.
    #[must_use]
    pub fn is_of(&self, basis: Digest) -> bool {
        self.basis == basis
    }

    /// The own table as the permit's class is told it.
    ///
    /// # Errors
    /// [`DiscloseError`] if the permit is for something else or stricter than the class was protected.
    pub fn disclosed(
        &self,
        permit: &Permit,
        indicator: &Indicator,
        period: Period,
        state: &DisclosureState,
    ) -> Result<DisclosedTable, DiscloseError> {
        let about = about(permit, indicator, period, state)?;
        let class = about.protection.class;
        let steps = self.classes.get(&class).ok_or(DiscloseError::OtherWindow)?;
        let protection = about.protection;
        let strict = self.definition == about.definition
            && steps.floor >= protection.floor
            && steps.step >= protection.step
            && steps.rounding >= protection.rounding;
        if !strict {
            return Err(DiscloseError::OtherWindow);
        }
        Ok(DisclosedTable { about, table: steps.told.clone() })
    }
}

impl ClassSteps {
    /// Its marks, of rows of so many dimensions: under another definition rows are others.
    fn marks(&self, dimensions: usize) -> Marks {
        let of = |row: &Marked| {
            let key = RowKey { area: row.area.clone(), dims: row.dims.clone() };
            (key, row.marks.iter().copied().collect())
        };
        self.marks.iter().filter(|row| row.dims.len() == dimensions).map(of).collect()
    }
}

/// How strictly a class is protected.
#[derive(Debug, Clone, Copy, Encode)]
struct Demand {
    #[n(0)]
    class: RecipientClass,
    #[n(1)]
    floor: u32,
    #[n(2)]
    step: u32,
    #[n(3)]
    rounding: u32,
}

/// What every class must be protected by, finest first: the strictest of definition, permits and what
/// was told before, and never less than a finer class.
fn demands(permits: &[&Permit], indicator: &Indicator, state: &DisclosureState) -> Vec<Demand> {
    let mut before = Demand { class: RecipientClass::Superior, floor: 1, step: 1, rounding: 1 };
    let told = |class| indicator.floors.of(class) != Floors::NEVER;
    let each = |class| {
        let permit = permits.iter().find(|permit| permit.class() == Some(class));
        let told = state.class(class);
        let defined = indicator.floors.of(class);
        let demanded = permit.map_or(1, |permit| permit.floor());
        let floor = defined.max(demanded).max(told.map_or(1, |told| told.floor)).max(before.floor);
        let step = permit.map_or(1, |permit| permit.min_step());
        let step = step.max(told.map_or(1, |told| told.min_step)).max(floor).max(before.step);
        let rounding = permit.map_or(1, |permit| permit.rounding());
        let rounding = rounding.max(told.map_or(1, |told| told.rounding)).max(before.rounding);
        before = Demand { class, floor, step, rounding };
        before
    };
    RecipientClass::ALL.into_iter().filter(|class| told(*class)).map(each).collect()
}

/// Digest of everything that the next [`Steps`] follow from.
#[must_use]
pub fn basis(
    permits: &[&Permit],
    indicator: &Indicator,
    own: &OwnTable<'_>,
    state: &DisclosureState,
) -> Digest {
    let demands = to_vec(&demands(permits, indicator, state));
    let areas: Vec<&Area> = own.areas.iter().collect();
    let about = to_vec(&(indicator.definition(), own.combinations, areas));
    Digest::of_parts(&[
        b"reeve-steps/1\0",
        Digest::of(&demands).as_bytes(),
        Digest::of(&about).as_bytes(),
        &to_vec(own.table),
    ])
}

/// What every class may be told from now on: call it when a window of publication closes, and make the
/// result durable before anything is told by it.
///
/// # Errors
/// [`DiscloseError`]; nothing changes then.
pub fn advance(
    permits: &[&Permit],
    indicator: &Indicator,
    own: &OwnTable<'_>,
    state: &DisclosureState,
    lapses: Lapses,
) -> Result<Steps, DiscloseError> {
    let basis = basis(permits, indicator, own, state);
    let rows = own.by_area(indicator)?;
    let mut finer = Finer { finest: true, presence: true, near: 0, low: 0, rows: BTreeMap::new() };
    for (area, cells) in &rows {
        for (dims, cell) in cells {
            let key = RowKey { area: area.clone(), dims: dims.to_vec() };
            finer.rows.insert(key, Row { mark: Some(*cell), exact: true, spread: 0 });
        }
    }
    let raw = finer.clone();
    let mut classes = BTreeMap::new();
    for demand in demands(permits, indicator, state) {
        if lapses.has(Lapse::Classes) {
            finer = raw.clone();
        }
        if demand.step <= 1 {
            continue;
        }
        let marks = marks_up_to(state, demand.class, indicator.group_by.len());
        let areas: BTreeSet<&Area> = rows.keys().collect();
        let mut teller = Teller::new(indicator, demand, own.combinations, finer, marks, lapses)?;
        let told = teller.table(&raw, &areas)?;
        let told_marks = teller.marks.into_iter().map(|(RowKey { area, dims }, marks)| Marked {
            area,
            dims,
            marks: marks.into_iter().collect(),
        });
        let Demand { class, floor, step, rounding } = demand;
        let marks = told_marks.collect();
        classes.insert(class, ClassSteps { floor, step, rounding, told, marks });
        finer = teller.coarser;
    }
    Ok(Steps { basis, classes, definition: indicator.definition() })
}

/// Every number that a class was ever told exactly. The coarser ones' are among them: it was told those
/// too, maybe while no step was held from it.
fn marks_up_to(state: &DisclosureState, class: RecipientClass, dimensions: usize) -> Marks {
    let mut marks = Marks::new();
    let told = state.steps().into_iter().flat_map(|steps| steps.classes.range(class..).rev());
    for (key, numbers) in told.flat_map(|(_, told)| told.marks(dimensions)) {
        marks.entry(key).or_default().extend(numbers);
    }
    marks
}

/// A row as a finer class is told it.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// The mark that it is at or near; none: it is hidden.
    mark: Option<Cell>,
    /// Whether it is told exactly in this window.
    exact: bool,
    /// How far its value may be from the mark's.
    spread: i64,
}

/// What a finer class is told.
#[derive(Debug, Clone)]
struct Finer {
    /// Whether it is the table itself.
    finest: bool,
    /// Whether a row that is hidden can be told from one that is not there.
    presence: bool,
    /// How far the contributors of a row may be from its mark's.
    near: i64,
    /// Below which a mark stands for every number from one on, where presence is told.
    low: i64,
    rows: BTreeMap<RowKey, Row>,
}

/// Tells one class.
struct Teller {
    floor: i64,
    step: i64,
    rounding: u32,
    /// Least and greatest value of one contributor.
    range: (i64, i64),
    /// Corrections may take a value below what its contributors add up to.
    open_below: bool,
    /// The greatest change of a value by one contributor.
    reach: i64,
    /// How many combinations an area has; none: presence is told.
    combinations: Option<u32>,
    /// A mark from which a step leads below this leaves few numbers for a row that is there and hidden;
    /// 0 where presence is not told.
    edge: i64,
    finer: Finer,
    marks: Marks,
    coarser: Finer,
    lapses: Lapses,
}

impl Teller {
    fn new(
        indicator: &Indicator,
        demand: Demand,
        combinations: Option<u32>,
        finer: Finer,
        marks: Marks,
        lapses: Lapses,
    ) -> Result<Self, DiscloseError> {
        let range = contributor_range(indicator)?;
        let wide = range.1.checked_sub(range.0).ok_or(Overflow)?;
        let reach = wide.max(range.0.saturating_abs()).max(range.1.saturating_abs());
        let may_tell = indicator.presence_told && demand.floor >= PRESENCE_FLOOR;
        let presence = may_tell && finer.presence;
        let presence = presence || lapses.has(Lapse::Presence);
        let combinations = combinations.or_else(|| indicator.combinations());
        let open = || DiscloseError::OpenDomain(indicator.id.clone());
        let combinations = if presence { None } else { Some(combinations.ok_or_else(open)?) };
        // Where a row that is not there is told as zero, zero is a number told exactly.
        let zero_is_told = presence || demand.floor <= 1;
        let floor = if zero_is_told { demand.floor.max(demand.step) } else { demand.floor };
        let floor = if lapses.has(Lapse::Floor) { 1 } else { floor };
        let step = i64::from(demand.step);
        let near = finer.near.checked_add(step - 1).ok_or(Overflow)?;
        let edge = if presence { finer.low.max(i64::from(floor) - 1) } else { 0 };
        let low = if presence { edge.checked_add(step).ok_or(Overflow)? } else { 0 };
        let counted = !matches!(indicator.measure, Measure::Count);
        Ok(Self {
            floor: i64::from(floor),
            step,
            rounding: demand.rounding,
            range,
            open_below: counted && indicator.contributors == Contributors::Value,
            reach,
            combinations,
            edge,
            finer,
            marks,
            coarser: Finer { finest: false, presence, near, low, rows: BTreeMap::new() },
            lapses,
        })
    }

    /// The most contributors that a hidden row may have.
    fn most_hidden(&self) -> Result<u32, Overflow> {
        let most = (self.floor - 1).checked_add(self.finer.near).ok_or(Overflow)?;
        u32::try_from(most).map_err(|_| Overflow)
    }

    fn table(&mut self, raw: &Finer, areas: &BTreeSet<&Area>) -> Result<Table, DiscloseError> {
        let most = self.most_hidden()?;
        let any = hidden(self.range, 0, most)?;
        let least = u32::from(self.finer.finest).min(most);
        let listed = rounded(hidden(self.range, least, most)?, self.rounding)?;
        let mut table = Table::default();
        let mut keys: BTreeSet<RowKey> = raw.rows.keys().cloned().collect();
        keys.extend(self.marks.keys().cloned());
        for key in keys {
            let truth = raw.rows.get(&key).and_then(|row| row.mark).unwrap_or(Cell::ZERO);
            let zero = Some(Cell::ZERO).filter(|_| self.finer.finest);
            let absent = Row { mark: zero, exact: true, spread: 0 };
            let before = self.finer.rows.get(&key).copied().unwrap_or(absent);
            let told = self.row(&key, before)?;
            let is_hidden = told.is_none();
            let told = match told {
                Some(told) => Some(rounded(told, self.rounding)?),
                // A row that is not there is zero where that may be told.
                None if self.combinations.is_none() && truth != Cell::ZERO => Some(listed),
                None => None,
            };
            let stands = if is_hidden { any } else { told.unwrap_or(any) };
            if !stands.value.contains(truth.value.lo())
                || !stands.contributors.contains(truth.contributors.lo())
            {
                return Err(DiscloseError::OutOfRange(key.area));
            }
            if let Some(told) = told.filter(|_| areas.contains(&key.area)) {
                table.rows.insert(key, told);
            }
        }
        if let Some(combinations) = self.combinations {
            let each = rounded(any, self.rounding)?;
            for area in areas {
                let listed = table.rows.keys().filter(|key| key.area == **area).count();
                let listed = u32::try_from(listed).unwrap_or(u32::MAX);
                let rows = combinations.saturating_sub(listed);
                if rows > 0 {
                    table.unlisted.insert((*area).clone(), Unlisted { rows, each });
                }
            }
        }
        Ok(table)
    }

    /// What is told of a row; none: it is hidden.
    fn row(&mut self, key: &RowKey, before: Row) -> Result<Option<Cell>, DiscloseError> {
        let Some(at) = before.mark else {
            self.coarser.rows.insert(key.clone(), before);
            return Ok(None);
        };
        let contributors = at.contributors.lo();
        let marks = self.marks.entry(key.clone()).or_default();
        // Where presence is told, a row that is there and hidden is no less than one: near a mark that
        // leaves it few numbers below, all of them are held.
        let (step, edge) = (self.step, self.edge);
        let is_near = |mark: i64| {
            let low = mark - step < edge && (1..mark).contains(&contributors);
            low || mark.abs_diff(contributors) < step.unsigned_abs()
        };
        let held =
            marks.iter().find(|(mark, _)| is_near(**mark)).map(|(mark, value)| (*mark, *value));
        let forgets = self.lapses.has(Lapse::Step);
        if forgets || (self.lapses.has(Lapse::History) && held.is_none()) {
            marks.clear();
        }
        if let Some((mark, value)) = held.filter(|_| !forgets) {
            let away = i64::try_from(at.value.lo().abs_diff(value)).map_err(|_| Overflow)?;
            let spread = self.spread(before.spread, mark, away)?;
            let mark = Cell::exact(value, mark);
            self.coarser.rows.insert(key.clone(), Row { mark: Some(mark), exact: false, spread });
            return Ok(Some(self.about(mark, spread)?));
        }
        if contributors < self.floor {
            if marks.is_empty() {
                self.marks.remove(key);
            }
            let hidden = Row { mark: None, exact: false, spread: 0 };
            self.coarser.rows.insert(key.clone(), hidden);
            return Ok(None);
        }
        marks.insert(contributors, at.value.lo());
        let spread = self.spread(before.spread, contributors, 0)?;
        self.coarser.rows.insert(key.clone(), Row { mark: Some(at), exact: before.exact, spread });
        if before.exact { Ok(Some(at)) } else { Ok(Some(self.about(at, spread)?)) }
    }

    /// How far a value may be from the mark's: as far as fewer contributors than a step can take it, or
    /// so many times as far where more must have changed it.
    fn spread(&self, before: i64, mark: i64, away: i64) -> Result<i64, Overflow> {
        let fewer =
            if mark - self.step < self.edge { mark.max(self.step - 1) } else { self.step - 1 };
        let once = fewer.checked_mul(self.reach).ok_or(Overflow)?;
        let times = if once > 0 { away.saturating_sub(1).max(0) / once + 1 } else { 1 };
        let own = once.checked_mul(times).ok_or(Overflow)?;
        before.checked_add(own).ok_or(Overflow)
    }

    /// Everything that is near a mark.
    fn about(&self, mark: Cell, spread: i64) -> Result<Cell, Overflow> {
        let near = self.coarser.near;
        let (at, value) = (mark.contributors.lo(), mark.value.lo());
        let least = i64::from(self.finer.finest);
        let few = at.saturating_sub(near).max(0);
        let few = if at - self.step < self.edge { few.min(least) } else { few };
        let many = at.checked_add(near).ok_or(Overflow)?;
        let (lo, hi) = self.range;
        let least = times(few, lo)?.min(times(many, lo)?);
        let most = times(few, hi)?.max(times(many, hi)?);
        let far = |by: i64| value.checked_add(by).ok_or(Overflow);
        let lowest = if self.open_below { far(-spread)? } else { far(-spread)?.max(least) };
        let value = Bounds::spanning(lowest, far(spread)?.min(most));
        Ok(Cell { value, contributors: Bounds::spanning(few, many) })
    }
}

fn times(many: i64, each: i64) -> Result<i64, Overflow> {
    many.checked_mul(each).ok_or(Overflow)
}

/// Whether a figure of this definition is told in steps: not where everything is exact.
pub(super) const fn has_steps(about: &About) -> bool {
    about.protection.step > 1
}
