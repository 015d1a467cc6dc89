//! Adds tables, and only adds.
//!
//! Each addend is the rows of one area of one unit. A row that an addend does not list is zero, or
//! what the addend says of its unlisted rows. The result does not depend on the order of addends.

use std::collections::{BTreeMap, BTreeSet};

use reeve_statement::bounds::{Cell, Overflow};
use reeve_statement::catalogue::Measure;
use reeve_statement::table::{Area, RowKey, Table, Unlisted};

/// A sum of tables on its way.
pub(super) struct Sum<'a> {
    measure: &'a Measure,
    areas: BTreeMap<Area, AreaSum>,
}

/// The sum so far of one area.
#[derive(Default)]
struct AreaSum {
    rows: BTreeMap<Vec<String>, Cell>,
    /// What each row not listed may be.
    each: Option<Cell>,
    /// How many combinations the area has, where an addend says so.
    combinations: u32,
}

impl<'a> Sum<'a> {
    pub(super) const fn new(measure: &'a Measure) -> Self {
        Self { measure, areas: BTreeMap::new() }
    }

    /// Adds all of `table`, each of its areas as `place` names it here. After an error the sum is
    /// worth nothing.
    pub(super) fn add<F>(&mut self, table: &Table, place: F) -> Result<(), Overflow>
    where
        F: Fn(&Area) -> Area,
    {
        let listed = table.rows.keys().map(|key| &key.area);
        let areas: BTreeSet<&Area> = listed.chain(table.unlisted.keys()).collect();
        for area in areas {
            let rows = rows_of(table, area);
            let sum = self.areas.entry(place(area)).or_default();
            sum.add(self.measure, &rows, table.unlisted.get(area))?;
        }
        Ok(())
    }

    /// The table, each cell as `finish` leaves it.
    pub(super) fn finish<F>(self, finish: F) -> Result<Table, Overflow>
    where
        F: Fn(Cell) -> Result<Cell, Overflow>,
    {
        let mut table = Table::default();
        for (area, sum) in self.areas {
            let listed = u32::try_from(sum.rows.len()).unwrap_or(u32::MAX);
            let rows = sum.combinations.saturating_sub(listed);
            if let Some(each) = sum.each.filter(|_| rows > 0) {
                table.unlisted.insert(area.clone(), Unlisted { rows, each: finish(each)? });
            }
            for (dims, cell) in sum.rows {
                table.rows.insert(RowKey { area: area.clone(), dims }, finish(cell)?);
            }
        }
        Ok(table)
    }
}

fn rows_of<'t>(table: &'t Table, area: &Area) -> BTreeMap<&'t [String], Cell> {
    let from = RowKey { area: area.clone(), dims: Vec::new() };
    table
        .rows
        .range(from..)
        .take_while(|(key, _)| key.area == *area)
        .map(|(key, cell)| (key.dims.as_slice(), *cell))
        .collect()
}

impl AreaSum {
    fn add(
        &mut self,
        measure: &Measure,
        rows: &BTreeMap<&[String], Cell>,
        unlisted: Option<&Unlisted>,
    ) -> Result<(), Overflow> {
        if let Some(hidden) = unlisted {
            for (dims, cell) in &mut self.rows {
                if !rows.contains_key(dims.as_slice()) {
                    *cell = cell.checked_add(hidden.each)?;
                }
            }
        }
        for (dims, cell) in rows {
            let before = match self.rows.get(*dims) {
                Some(before) => Some(*before),
                None => self.each,
            };
            let after = before.map_or(Ok(*cell), |before| combine(measure, before, *cell))?;
            self.rows.insert(dims.to_vec(), after);
        }
        if let Some(hidden) = unlisted {
            let before = self.each.unwrap_or(Cell::ZERO);
            self.each = Some(before.checked_add(hidden.each)?);
            let listed = u32::try_from(rows.len()).unwrap_or(u32::MAX);
            self.combinations = self.combinations.max(hidden.rows.saturating_add(listed));
        }
        Ok(())
    }
}

/// Two units' cells of one row: sums add (a mean's sum and count too), extremes combine.
fn combine(measure: &Measure, a: Cell, b: Cell) -> Result<Cell, Overflow> {
    let contributors = a.contributors.checked_add(b.contributors)?;
    let value = match measure {
        Measure::Min(_) => a.value.min(b.value),
        Measure::Max(_) => a.value.max(b.value),
        _ => a.value.checked_add(b.value)?,
    };
    Ok(Cell { value, contributors })
}
