//! Primary suppression: from the home's own table to what a class of recipients may see.
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

use super::state::DisclosureState;
use crate::authz::Permit;

/// Least floor at which presence may be told: at 2, "1 to k - 1" would be a number.
const PRESENCE_FLOOR: u32 = 3;

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
    /// A bound leaves 64 bits.
    #[error("a hidden cell's bounds are beyond 64 bits; declare a narrower field range")]
    Overflow(#[from] Overflow),
}

/// Protects the home's own table for the permit's class of recipients.
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
    let cloak = Cloak::of(indicator, about.protection, own.combinations)?;
    let mut table = Table::default();
    for (area, rows) in own.by_area(indicator)? {
        cloak.area(&area, rows, &mut table)?;
    }
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
    Ok(About {
        indicator: indicator.id.clone(),
        definition: indicator.definition(),
        period,
        protection: Protection { class, floor, rounding },
    })
}

type Rows<'a> = BTreeMap<&'a [String], Cell>;

impl<'a> OwnTable<'a> {
    /// The rows of each area that could have any, after checks.
    fn by_area(&self, indicator: &Indicator) -> Result<BTreeMap<Area, Rows<'a>>, DiscloseError> {
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

/// What stands in for cells that may not be told.
struct Cloak {
    protection: Protection,
    /// What any hidden cell, listed or not, stands for at most; `None`: nothing is hidden.
    hidden: Option<Cell>,
    /// For a hidden cell that is listed; `None`: hidden cells are not listed.
    listed: Option<Cell>,
    /// For each combination not listed, and how many combinations an area has; `None`: zero.
    unlisted: Option<(Cell, u32)>,
}

impl Cloak {
    fn of(
        indicator: &Indicator,
        protection: Protection,
        combinations: Option<u32>,
    ) -> Result<Self, DiscloseError> {
        let Protection { floor, rounding, .. } = protection;
        let combinations = combinations.or_else(|| indicator.combinations());
        let presence = !indicator.personal || (indicator.presence_told && floor >= PRESENCE_FLOOR);
        if floor <= 1 {
            let each = rounded(Cell::ZERO, rounding)?;
            let veiled = combinations.filter(|_| !presence && rounding > 1);
            let unlisted = veiled.map(|combinations| (each, combinations));
            return Ok(Self { protection, hidden: None, listed: None, unlisted });
        }
        let most = floor.saturating_sub(1);
        let range = contributor_range(indicator)?;
        let any = hidden(range, 0, most)?;
        if presence {
            let listed = Some(rounded(hidden(range, 1, most)?, rounding)?);
            return Ok(Self { protection, hidden: Some(any), listed, unlisted: None });
        }
        let open = || DiscloseError::OpenDomain(indicator.id.clone());
        let unlisted = Some((rounded(any, rounding)?, combinations.ok_or_else(open)?));
        Ok(Self { protection, hidden: Some(any), listed: None, unlisted })
    }

    fn area(&self, area: &Area, rows: Rows<'_>, table: &mut Table) -> Result<(), DiscloseError> {
        let mut listed = 0_u32;
        for (dims, cell) in rows {
            if let Some(cell) = self.cell(area, cell)? {
                let key = RowKey { area: area.clone(), dims: dims.to_vec() };
                table.rows.insert(key, cell);
                listed = listed.saturating_add(1);
            }
        }
        if let Some((each, combinations)) = self.unlisted {
            let rows = combinations.saturating_sub(listed);
            if rows > 0 {
                table.unlisted.insert(area.clone(), Unlisted { rows, each });
            }
        }
        Ok(())
    }

    /// What is listed for a cell, if anything is.
    fn cell(&self, area: &Area, cell: Cell) -> Result<Option<Cell>, DiscloseError> {
        let contributors = cell.contributors.lo();
        let enough = contributors >= i64::from(self.protection.floor);
        let Some(hidden) = self.hidden.filter(|_| !enough) else {
            let told = Some(cell).filter(|cell| *cell != Cell::ZERO);
            return Ok(told.map(|cell| rounded(cell, self.protection.rounding)).transpose()?);
        };
        if !hidden.value.contains(cell.value.lo()) || !hidden.contributors.contains(contributors) {
            return Err(DiscloseError::OutOfRange(area.clone()));
        }
        Ok(self.listed.filter(|_| contributors > 0))
    }
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
fn hidden(range: (i64, i64), least: u32, most: u32) -> Result<Cell, Overflow> {
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
