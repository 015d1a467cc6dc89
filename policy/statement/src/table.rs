//! Tables: rows keyed by area and dimension values, each with one cell.

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::bounds::{Cell, Overflow};
use crate::cbor::{bounded_length, bounded_text, bounded_vec};
use crate::limits::{DIMENSIONS, PATH_UNITS, TABLE_ROWS, TEXT_BYTES};
use crate::unit::{UnitError, UnitId};

/// Which part of the issuer's area a row is about: units below the issuer, and a residual (such as
/// `out-of-region`) of the last of them. Written `03/016`, `03/~out-of-region`, `.` for the issuer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Area {
    /// Units below the issuer, upper first; none for the issuer's own area.
    pub units: Vec<UnitId>,
    /// Residual of that area, which belongs to no unit below it.
    pub residual: Option<UnitId>,
}

impl Area {
    /// The issuer's own area.
    #[must_use]
    pub const fn own() -> Self {
        Self { units: Vec::new(), residual: None }
    }

    /// The same area as the superior names it: below `unit`, cut to `depth` units. What is cut
    /// belongs to the unit where the cut is made.
    #[must_use]
    pub fn below(&self, unit: &UnitId, depth: usize) -> Self {
        if depth == 0 {
            return Self::own();
        }
        let all = core::iter::once(unit).chain(&self.units).cloned();
        let units: Vec<UnitId> = all.take(depth).collect();
        let whole = self.units.len() < depth;
        Self { units, residual: if whole { self.residual.clone() } else { None } }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.units.is_empty() && self.residual.is_none() {
            return f.write_str(".");
        }
        let mut slash = "";
        for unit in &self.units {
            write!(f, "{slash}{unit}")?;
            slash = "/";
        }
        match &self.residual {
            Some(residual) => write!(f, "{slash}~{residual}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Area {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "." {
            return Ok(Self::own());
        }
        let (units, residual) = match text.rsplit_once('~') {
            Some((above, residual)) => (above.strip_suffix('/').unwrap_or(above), Some(residual)),
            None => (text, None),
        };
        let units = if units.is_empty() {
            Vec::new()
        } else {
            units.split('/').map(UnitId::new).collect::<Result<_, _>>()?
        };
        Ok(Self { units, residual: residual.map(UnitId::new).transpose()? })
    }
}

impl<C> Encode<C> for Area {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.to_string())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Area {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let area: Self = d.str()?.parse().map_err(minicbor::decode::Error::custom)?;
        if area.units.len() > PATH_UNITS {
            return Err(minicbor::decode::Error::message("an area is deeper than sixteen units"));
        }
        Ok(area)
    }
}

/// What a row is about: area and dimension values, in the order of the indicator's `group_by`. An
/// empty value means that the field was not set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RowKey {
    /// The area.
    pub area: Area,
    /// One value per dimension.
    pub dims: Vec<String>,
}

/// What stands behind the rows of one area that a table does not list, where absence may not be told.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Unlisted {
    /// How many dimension combinations of the area are not listed.
    #[n(0)]
    pub rows: u32,
    /// What each of them may be.
    #[n(1)]
    pub each: Cell,
}

/// An indicator's result for one period: at most 10,000 rows.
///
/// A row that is not listed is zero, unless its area has an [`Unlisted`] entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// The rows.
    pub rows: BTreeMap<RowKey, Cell>,
    /// Per area, what the rows not listed may be.
    pub unlisted: BTreeMap<Area, Unlisted>,
}

impl Table {
    /// Sum of all rows, listed or not: the total for measures that add up.
    ///
    /// # Errors
    /// [`Overflow`] if an end of the sum leaves 64 bits.
    pub fn total(&self) -> Result<Cell, Overflow> {
        let mut total = Cell::ZERO;
        for cell in self.rows.values() {
            total = total.checked_add(*cell)?;
        }
        for hidden in self.unlisted.values() {
            total = total.checked_add(hidden.each.checked_times(hidden.rows)?)?;
        }
        Ok(total)
    }

    /// How many cells are not exact, those behind unlisted rows included.
    #[must_use]
    pub fn hidden(&self) -> u64 {
        let listed = self.rows.values().filter(|cell| !cell.is_exact()).count();
        let unlisted: u64 = self.unlisted.values().map(|hidden| u64::from(hidden.rows)).sum();
        u64::try_from(listed).unwrap_or(u64::MAX).saturating_add(unlisted)
    }
}

impl<C> Encode<C> for Table {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        let length = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        e.array(2)?.array(length(self.rows.len()))?;
        for (key, cell) in &self.rows {
            e.array(4)?;
            key.area.encode(e, ctx)?;
            e.array(length(key.dims.len()))?;
            for value in &key.dims {
                e.str(value)?;
            }
            cell.value.encode(e, ctx)?;
            cell.contributors.encode(e, ctx)?;
        }
        e.array(length(self.unlisted.len()))?;
        for (area, hidden) in &self.unlisted {
            e.array(2)?;
            area.encode(e, ctx)?;
            hidden.encode(e, ctx)?;
        }
        e.ok()
    }
}

fn expect_length(
    d: &mut minicbor::Decoder<'_>,
    length: usize,
) -> Result<(), minicbor::decode::Error> {
    match bounded_length(d, length)? {
        found if found == length => Ok(()),
        found => Err(minicbor::decode::Error::message(format!(
            "expected {length} elements, found {found}"
        ))),
    }
}

impl<'b, C> Decode<'b, C> for Table {
    fn decode(d: &mut minicbor::Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        expect_length(d, 2)?;
        let mut table = Self::default();
        for _ in 0..bounded_length(d, TABLE_ROWS)? {
            expect_length(d, 4)?;
            let area = Area::decode(d, ctx)?;
            let mut dims = Vec::new();
            for _ in 0..bounded_length(d, DIMENSIONS)? {
                dims.push(bounded_text(d, TEXT_BYTES)?);
            }
            let cell =
                Cell { value: Decode::decode(d, ctx)?, contributors: Decode::decode(d, ctx)? };
            if cell.contributors.lo() < 0 {
                return Err(minicbor::decode::Error::message("fewer than no contributors"));
            }
            table.rows.insert(RowKey { area, dims }, cell);
        }
        for _ in 0..bounded_length(d, TABLE_ROWS)? {
            expect_length(d, 2)?;
            let area = Area::decode(d, ctx)?;
            table.unlisted.insert(area, Unlisted::decode(d, ctx)?);
        }
        Ok(table)
    }
}

/// Reads an array of unit ids, at most as many as a path has.
///
/// # Errors
/// The decoder's error.
pub(crate) fn units<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<UnitId>, minicbor::decode::Error> {
    bounded_vec(d, ctx, PATH_UNITS)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::cbor::{from_slice, to_vec};

    fn area(text: &str) -> Area {
        text.parse().unwrap()
    }

    #[test]
    fn areas_are_named_from_the_superior_and_cut() {
        let region = UnitId::new("03").unwrap();
        assert_eq!(area(".").below(&region, 2), area("03"));
        assert_eq!(area("016").below(&region, 2), area("03/016"));
        assert_eq!(area("016").below(&region, 1), area("03"));
        assert_eq!(area("~out-of-region").below(&region, 1), area("03/~out-of-region"));
        assert_eq!(area("016/~x").below(&region, 1), area("03"));
        assert_eq!(area("016").below(&region, 0), Area::own());
    }

    #[test]
    fn a_table_has_one_encoding() {
        let mut table = Table::default();
        let key = |a: &str, d: &str| RowKey { area: area(a), dims: vec![d.to_owned()] };
        table.rows.insert(key("03", "f"), Cell::exact(12, 12));
        table.rows.insert(
            key("03/~x", "m"),
            Cell { value: Bounds::between(0, 4).unwrap(), contributors: Bounds::ZERO },
        );
        table.unlisted.insert(area("03"), Unlisted { rows: 3, each: Cell::ZERO });
        let bytes = to_vec(&table);
        assert_eq!(from_slice::<Table>("table", &bytes, 1_000).unwrap(), table);
        assert_eq!(table.hidden(), 4);
    }

    use crate::bounds::Bounds;

    #[test]
    fn a_total_never_wraps() {
        let mut table = Table::default();
        for n in ["a", "b"] {
            let key = RowKey { area: area(n), dims: vec![] };
            table.rows.insert(key, Cell::exact(i64::MAX, 1));
        }
        assert_eq!(table.total(), Err(Overflow));
    }

    /// Ten thousand rows, as many as a table holds, of the greatest number there is.
    #[test]
    fn attack_07_a_total_of_extremes_is_refused_and_never_wraps() {
        for extreme in [i64::MAX, i64::MIN] {
            let key = |row: usize| RowKey { area: Area::own(), dims: vec![row.to_string()] };
            let cell = Cell { value: Bounds::exact(extreme), contributors: Bounds::exact(1) };
            let rows = (0..TABLE_ROWS).map(|row| (key(row), cell)).collect();
            assert!(Table { rows, ..Table::default() }.total().is_err());
        }
    }
}
