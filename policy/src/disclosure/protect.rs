//! Primary suppression: from the home's own table to what a class of recipients may see. What it may
//! see of changes is in [`super::steps`].
//!
//! With floor k, a cell of 1 to k - 1 contributors is told as an interval. Where the catalogue does
//! not say that presence may be told, it is not even listed: hidden and absent rows are one entry per
//! area, "so many combinations are not listed, each stands for 0 to k - 1". Where presence may be
//! told, absent rows are zero and hidden ones are listed as 1 to k - 1; as that names the cell at a
//! floor of 2, presence is never told there.

use std::collections::{BTreeMap, BTreeSet};

use reeve_statement::bounds::{Bounds, Cell, Overflow};
use reeve_statement::catalogue::{Contributors, Indicator, Measure, RecipientClass};
use reeve_statement::digest::Digest;
use reeve_statement::limits::TABLE_ROWS;
use reeve_statement::names::IndicatorId;
use reeve_statement::period::Period;
use reeve_statement::table::{Area, RowKey, Table, Unlisted};

use super::lapse::Lapses;
use super::state::DisclosureState;
use super::steps::{advance, has_steps};
use crate::authz::Permit;

/// Least floor at which presence may be told: at 2, "1 to k - 1" would be a number.
pub(super) const PRESENCE_FLOOR: u32 = 3;

/// The home's own table, unprotected, as the indicator engine computed it.
#[derive(Debug, Clone)]
pub struct OwnTable<'a> {
    /// Its rows; every cell exact, every area the unit's own or a residual of it.
    pub table: &'a Table,
    /// Every area there could be rows of, whether there are any or not: `.` where records can be of
    /// the unit itself, and each residual. Told alike whether rows are hidden there or absent.
    pub areas: &'a BTreeSet<Area>,
    /// For indicators by a public reference: how many combinations of dimension values there can be,
    /// "not set" counted for each dimension. `None`: as the definition says.
    pub combinations: Option<u32>,
}

/// How a figure is protected: the strictest of permit, catalogue and what was told before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protection {
    /// For whom.
    pub class: RecipientClass,
    /// Least contributors behind a told cell; 1 is exact.
    pub floor: u32,
    /// Multiples to which values are told; 1 is exact.
    pub rounding: u32,
    /// Least change of a row's contributors that is told; 1: every change.
    pub step: u32,
}

impl Protection {
    /// How a figure is protected for the permit's class.
    ///
    /// # Errors
    /// [`DiscloseError`] if permit or state are for something else.
    pub fn of(
        permit: &Permit,
        indicator: &Indicator,
        period: Period,
        state: &DisclosureState,
    ) -> Result<Self, DiscloseError> {
        about(permit, indicator, period, state).map(|about| about.protection)
    }
}

/// Which figure something is about, and how it is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct About {
    pub(super) indicator: IndicatorId,
    pub(super) definition: Digest,
    pub(super) period: Period,
    pub(super) protection: Protection,
}

/// A table that a class of recipients may see. Only [`disclose`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisclosedTable {
    pub(super) about: About,
    pub(super) table: Table,
}

impl DisclosedTable {
    /// The table.
    #[must_use]
    pub const fn table(&self) -> &Table {
        &self.table
    }

    /// How it is protected.
    #[must_use]
    pub const fn protection(&self) -> Protection {
        self.about.protection
    }
}

/// Why a table cannot be disclosed. All but the first four are mistakes of the asking code or of the
/// catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscloseError {
    /// The permit is for something else.
    #[error("the permit does not cover {indicator} in this definition; ask the policy again")]
    NotCovered {
        /// The indicator.
        indicator: IndicatorId,
    },
    /// The permit lets nobody send a figure.
    #[error("the permit is for a local person; a figure leaves only by a permit for a peer")]
    NotForPeers,
    /// The permit is for another period.
    #[error("the permit is for {permitted}, the figure for {found}")]
    OtherPeriod {
        /// The period that was asked for.
        permitted: Period,
        /// The figure's.
        found: Period,
    },
    /// The disclosure state is another figure's.
    #[error("the disclosure state is that of {found}, expected {expected}")]
    OtherState {
        /// The figure.
        expected: String,
        /// Whose state was given.
        found: String,
    },
    /// A row is of an area that was not declared.
    #[error("a row is of area {0}, which is not among the unit's areas")]
    UnknownArea(Area),
    /// A row has too many or too few dimension values.
    #[error("a row has {found} dimension values, expected {expected}")]
    Dimensions {
        /// As many as the definition has.
        expected: usize,
        /// As many as the row has.
        found: usize,
    },
    /// A cell of the own table is not exact.
    #[error("the own table holds an interval; only exact tables are protected")]
    NotExact,
    /// The measured field has no declared range.
    #[error("{0} hides sums, so its field needs a declared range; add it to the schema")]
    NoRange(IndicatorId),
    /// Least and greatest values are single persons' values.
    #[error("{0} is a least or greatest value of persons and cannot be protected")]
    NotOnPersons(IndicatorId),
    /// How many rows could be hidden is not known.
    #[error("{0} has an open dimension; say how many combinations there are, or tell presence")]
    OpenDomain(IndicatorId),
    /// Too many rows.
    #[error("expected at most {TABLE_ROWS} rows, found {0}; use fewer dimensions")]
    TooManyRows(usize),
    /// A cell to hide is not within the bounds that would stand for it.
    #[error("a cell of area {0} to hide is outside of its field's declared range")]
    OutOfRange(Area),
    /// What the class may be told is not worked out yet as strictly as it must be.
    #[error("the class may be told less than was worked out; wait until the window closes")]
    OtherWindow,
    /// A bound leaves 64 bits.
    #[error("a hidden cell's bounds are beyond 64 bits; declare a narrower field range")]
    Overflow(#[from] Overflow),
}

/// Protects the home's own table for the permit's class of recipients, as if a window of publication
/// closed now. A node that publishes in windows takes what its class was told since the last one closed
/// from [`super::Steps`] instead.
///
/// # Errors
/// [`DiscloseError`]; nothing is disclosed then.
pub fn disclose(
    permit: &Permit,
    indicator: &Indicator,
    period: Period,
    own: &OwnTable<'_>,
    state: &DisclosureState,
) -> Result<DisclosedTable, DiscloseError> {
    let about = about(permit, indicator, period, state)?;
    if has_steps(&about) {
        let steps = advance(&[permit], indicator, own, state, Lapses::default())?;
        return steps.disclosed(permit, indicator, period, state);
    }
    let table = exact(indicator, about.protection, own)?;
    Ok(DisclosedTable { about, table })
}

/// Checks that permit and state are for this figure, and finds how it is protected.
pub(super) fn about(
    permit: &Permit,
    indicator: &Indicator,
    period: Period,
    state: &DisclosureState,
) -> Result<About, DiscloseError> {
    if !permit.covers(indicator) {
        return Err(DiscloseError::NotCovered { indicator: indicator.id.clone() });
    }
    let class = permit.class().filter(|_| permit.action().sends_figures());
    let class = class.ok_or(DiscloseError::NotForPeers)?;
    if let Some(permitted) = permit.period().filter(|permitted| *permitted != period) {
        return Err(DiscloseError::OtherPeriod { permitted, found: period });
    }
    if state.indicator() != &indicator.id || state.period() != period {
        return Err(DiscloseError::OtherState {
            expected: format!("{} {period}", indicator.id),
            found: format!("{} {}", state.indicator(), state.period()),
        });
    }
    let told = state.class(class);
    let floor = permit.floor().max(told.map_or(1, |told| told.floor));
    let rounding = permit.rounding().max(told.map_or(1, |told| told.rounding));
    let floor = if indicator.personal { floor } else { 1 };
    let step = permit.min_step().max(told.map_or(1, |told| told.min_step)).max(floor);
    let step = if indicator.personal { step } else { 1 };
    Ok(About {
        indicator: indicator.id.clone(),
        definition: indicator.definition(),
        period,
        protection: Protection { class, floor, rounding, step },
    })
}

pub(super) type Rows<'a> = BTreeMap<&'a [String], Cell>;

impl<'a> OwnTable<'a> {
    /// The rows of each area that could have any, after checks.
    pub(super) fn by_area(
        &self,
        indicator: &Indicator,
    ) -> Result<BTreeMap<Area, Rows<'a>>, DiscloseError> {
        if self.table.rows.len() > TABLE_ROWS {
            return Err(DiscloseError::TooManyRows(self.table.rows.len()));
        }
        if !self.table.unlisted.is_empty() {
            return Err(DiscloseError::NotExact);
        }
        let areas = self.areas.iter().map(|area| (area.clone(), Rows::new()));
        let mut areas: BTreeMap<Area, Rows<'a>> = areas.collect();
        for (key, cell) in &self.table.rows {
            if !cell.is_exact() {
                return Err(DiscloseError::NotExact);
            }
            let (expected, found) = (indicator.group_by.len(), key.dims.len());
            if expected != found {
                return Err(DiscloseError::Dimensions { expected, found });
            }
            let rows = areas.get_mut(&key.area);
            let rows = rows.ok_or_else(|| DiscloseError::UnknownArea(key.area.clone()))?;
            rows.insert(&key.dims, *cell);
        }
        Ok(areas)
    }
}

/// Everything as it is, or between multiples.
fn exact(
    indicator: &Indicator,
    protection: Protection,
    own: &OwnTable<'_>,
) -> Result<Table, DiscloseError> {
    let rounding = protection.rounding;
    let combinations = own.combinations.or_else(|| indicator.combinations());
    let veiled = combinations.filter(|_| indicator.personal && rounding > 1);
    let mut table = Table::default();
    for (area, rows) in own.by_area(indicator)? {
        let mut listed = 0_u32;
        for (dims, cell) in rows.into_iter().filter(|(_, cell)| *cell != Cell::ZERO) {
            let key = RowKey { area: area.clone(), dims: dims.to_vec() };
            table.rows.insert(key, rounded(cell, rounding)?);
            listed = listed.saturating_add(1);
        }
        let rows = veiled.map_or(0, |combinations| combinations.saturating_sub(listed));
        if rows > 0 {
            let each = rounded(Cell::ZERO, rounding)?;
            table.unlisted.insert(area, Unlisted { rows, each });
        }
    }
    Ok(table)
}

/// Least and greatest value that one contributor can add.
pub(super) fn contributor_range(indicator: &Indicator) -> Result<(i64, i64), DiscloseError> {
    match &indicator.measure {
        Measure::Count => Ok((1, 1)),
        Measure::Min(_) | Measure::Max(_) => Err(DiscloseError::NotOnPersons(indicator.id.clone())),
        Measure::Sum(_) | Measure::Mean(_) | Measure::LatestSum { .. } => {
            let counted = indicator.contributors == Contributors::Value;
            let range = if counted { Some((1, 1)) } else { indicator.record_range };
            range.ok_or_else(|| DiscloseError::NoRange(indicator.id.clone()))
        }
    }
}

/// A cell that stands for `least` to `most` contributors of this range, and for nothing more exact.
pub(super) fn hidden(range: (i64, i64), least: u32, most: u32) -> Result<Cell, Overflow> {
    let of_each = Bounds::spanning(range.0, range.1);
    let value = of_each.checked_times(least)?.hull(of_each.checked_times(most)?);
    Ok(Cell { value, contributors: Bounds::spanning(i64::from(least), i64::from(most)) })
}

/// The interval between multiples of `step` that holds the cell. Exact multiples become intervals
/// like all others, so that exactness does not show.
pub(super) fn rounded(cell: Cell, step: u32) -> Result<Cell, Overflow> {
    if step <= 1 {
        return Ok(cell);
    }
    let step = i64::from(step);
    let widen = |bounds: Bounds| {
        let down = |value: i64| value.checked_sub(value.rem_euclid(step)).ok_or(Overflow);
        let hi = down(bounds.hi())?.checked_add(step - 1).ok_or(Overflow)?;
        Ok(Bounds::spanning(down(bounds.lo())?, hi))
    };
    Ok(Cell { value: widen(cell.value)?, contributors: widen(cell.contributors)? })
}
