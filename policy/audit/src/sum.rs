//! The auditor's sums: tables added again, with nothing of the code that added them first.

use std::collections::{BTreeMap, BTreeSet};

use reeve_statement::bounds::{Bounds, Cell};
use reeve_statement::cbor::to_vec;
use reeve_statement::completeness::ManifestEntry;
use reeve_statement::digest::Digest;
use reeve_statement::ledger::{leaf_hash, pair_hash};
use reeve_statement::table::{Area, RowKey, Table, Unlisted};
use reeve_statement::unit::UnitId;

/// How two cells of one row become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adding {
    /// Values add up.
    Sum,
    /// The least value.
    Least,
    /// The greatest value.
    Greatest,
}

/// Rows of one area, and what each row not listed may be.
type AreaPart = (BTreeMap<Vec<String>, Cell>, Option<Unlisted>);

/// Adds tables, each placed under its unit with areas cut to `depth` units; a part without a unit is the
/// issuer's own. A row that a part does not list is zero there, or what the part says of its unlisted
/// rows. None: a sum leaves 64 bits.
#[must_use]
pub fn sum(parts: &[(Option<&UnitId>, &Table)], depth: usize, adding: Adding) -> Option<Table> {
    let mut areas: BTreeMap<Area, Vec<AreaPart>> = BTreeMap::new();
    for (unit, table) in parts {
        let mut of_part: BTreeMap<&Area, AreaPart> = BTreeMap::new();
        for (key, cell) in &table.rows {
            of_part.entry(&key.area).or_default().0.insert(key.dims.clone(), *cell);
        }
        for (area, unlisted) in &table.unlisted {
            of_part.entry(area).or_default().1 = Some(unlisted.clone());
        }
        for (area, part) in of_part {
            let place = unit.map_or_else(|| area.clone(), |unit| area.below(unit, depth));
            areas.entry(place).or_default().push(part);
        }
    }
    let mut table = Table::default();
    for (area, parts) in areas {
        add_area(&mut table, &area, &parts, adding)?;
    }
    Some(table)
}

fn add_area(table: &mut Table, area: &Area, parts: &[AreaPart], adding: Adding) -> Option<()> {
    let listed: BTreeSet<&Vec<String>> = parts.iter().flat_map(|(rows, _)| rows.keys()).collect();
    for dims in &listed {
        let mut cell: Option<Cell> = None;
        for (rows, unlisted) in parts {
            let each = unlisted.as_ref().map(|unlisted| unlisted.each);
            let Some(next) = rows.get(*dims).copied().or(each) else { continue };
            cell = Some(match cell {
                None => next,
                Some(before) => combine(before, next, adding)?,
            });
        }
        let key = RowKey { area: area.clone(), dims: (*dims).clone() };
        table.rows.insert(key, cell.unwrap_or(Cell::ZERO));
    }
    let mut each = Cell::ZERO;
    let mut combinations = 0_u32;
    for (rows, unlisted) in parts {
        let Some(unlisted) = unlisted else { continue };
        each = combine(each, unlisted.each, Adding::Sum)?;
        let of_part = unlisted.rows.checked_add(u32::try_from(rows.len()).ok()?)?;
        combinations = combinations.max(of_part);
    }
    let rows = combinations.saturating_sub(u32::try_from(listed.len()).ok()?);
    if rows > 0 {
        table.unlisted.insert(area.clone(), Unlisted { rows, each });
    }
    Some(())
}

fn combine(a: Cell, b: Cell, adding: Adding) -> Option<Cell> {
    let add = |a: Bounds, b: Bounds| {
        Bounds::between(a.lo().checked_add(b.lo())?, a.hi().checked_add(b.hi())?)
    };
    let value = match adding {
        Adding::Sum => add(a.value, b.value)?,
        Adding::Least => {
            Bounds::between(a.value.lo().min(b.value.lo()), a.value.hi().min(b.value.hi()))?
        }
        Adding::Greatest => {
            Bounds::between(a.value.lo().max(b.value.lo()), a.value.hi().max(b.value.hi()))?
        }
    };
    Some(Cell { value, contributors: add(a.contributors, b.contributors)? })
}

/// Whether what was told is the sum, or holds it: where policy rounds, or holds back small steps, a
/// told cell may be wider than the sum, and never beside it.
#[must_use]
pub fn holds(told: &Table, sum: &Table, wider: bool) -> bool {
    if told == sum {
        return true;
    }
    let within = |told: &Cell, sum: &Cell| {
        told.value.lo() <= sum.value.lo()
            && sum.value.hi() <= told.value.hi()
            && told.contributors.lo() <= sum.contributors.lo()
            && sum.contributors.hi() <= told.contributors.hi()
    };
    wider
        && told.rows.keys().eq(sum.rows.keys())
        && told.unlisted.keys().eq(sum.unlisted.keys())
        && told.rows.values().zip(sum.rows.values()).all(|(told, sum)| within(told, sum))
        && told
            .unlisted
            .values()
            .zip(sum.unlisted.values())
            .all(|(told, sum)| told.rows == sum.rows && within(&told.each, &sum.each))
}

/// The roots of what a manifest names: over the statements of the entries that are included, and over
/// the entries' encodings.
#[must_use]
pub fn roots(entries: &[ManifestEntry]) -> (Digest, Digest) {
    let included = entries.iter().filter(|entry| entry.state.is_included());
    let inputs: Vec<Digest> =
        included.filter_map(|entry| Some(leaf_hash(entry.statement?.as_bytes()))).collect();
    let entries: Vec<Digest> = entries.iter().map(|entry| leaf_hash(&to_vec(entry))).collect();
    (root(&inputs), root(&entries))
}

/// Merkle root over leaf hashes, as RFC 9162 section 2.1.1 defines it, by halving.
fn root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(b""),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            pair_hash(&root(left), &root(right))
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn table(rows: &[(&str, &str, i64)]) -> Table {
        let row = |(area, dim, count): &(&str, &str, i64)| {
            let key = RowKey { area: area.parse().unwrap(), dims: vec![(*dim).to_owned()] };
            (key, Cell::exact(*count, *count))
        };
        Table { rows: rows.iter().map(row).collect(), unlisted: BTreeMap::new() }
    }

    #[test]
    fn tables_add_up_below_their_units() {
        let (a, b) = (UnitId::new("a").unwrap(), UnitId::new("b").unwrap());
        let (one, other) = (table(&[(".", "f", 3), ("x", "f", 1)]), table(&[(".", "f", 4)]));
        let parts = [(Some(&a), &one), (Some(&b), &other)];
        let two = sum(&parts, 2, Adding::Sum).unwrap();
        assert_eq!(two, table(&[("a", "f", 3), ("a/x", "f", 1), ("b", "f", 4)]));
        assert_eq!(sum(&parts, 1, Adding::Sum).unwrap(), table(&[("a", "f", 4), ("b", "f", 4)]));
        assert_eq!(sum(&parts, 0, Adding::Sum).unwrap(), table(&[(".", "f", 8)]));
        assert_eq!(
            sum(&parts, 0, Adding::Greatest).unwrap().rows.values().next().unwrap().value.hi(),
            4
        );
        let most = table(&[(".", "f", i64::MAX)]);
        assert_eq!(sum(&[(None, &most), (None, &one)], 0, Adding::Sum), None);
    }

    #[test]
    fn what_is_not_listed_is_counted_with_its_bounds() {
        let hidden = Cell { value: Bounds::between(0, 4).unwrap(), contributors: Bounds::ZERO };
        let mut one = table(&[(".", "f", 9)]);
        one.unlisted.insert(Area::own(), Unlisted { rows: 2, each: hidden });
        let other = table(&[(".", "m", 7)]);
        let told = sum(&[(None, &one), (None, &other)], 0, Adding::Sum).unwrap();
        let of = |dim: &str| told.rows[&RowKey { area: Area::own(), dims: vec![dim.to_owned()] }];
        assert_eq!(
            (of("f").value, of("m").value),
            (Bounds::exact(9), Bounds::between(7, 11).unwrap())
        );
        assert_eq!(told.unlisted[&Area::own()].rows, 1);
    }

    #[test]
    fn wider_is_held_only_where_it_may_be_wider() {
        let (sum, mut told) = (table(&[(".", "f", 12)]), table(&[(".", "f", 12)]));
        assert!(holds(&told, &sum, false));
        told.rows.values_mut().for_each(|cell| cell.value = Bounds::between(10, 20).unwrap());
        assert!(!holds(&told, &sum, false) && holds(&told, &sum, true));
        told.rows.values_mut().for_each(|cell| cell.value = Bounds::between(13, 20).unwrap());
        assert!(!holds(&told, &sum, true));
    }
}
