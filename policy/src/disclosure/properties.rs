//! What must hold for every federation: compared with a naive recompute over the raw records.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use reeve_statement::bounds::Cell;
use reeve_statement::catalogue::{Indicator, Measure};
use reeve_statement::completeness::UnitState;
use reeve_statement::digest::Digest;
use reeve_statement::release::Sources;
use reeve_statement::statement::Body;
use reeve_statement::table::{Area, RowKey, Table};
use reeve_statement::unit::{UnitId, UnitPath};

use super::*;
use crate::authz::Permit;
use crate::fixture::{cases, period, permit, received};

const RANGE: (i64, i64) = (-2, 10);
pub(super) const SEXES: [&str; 3] = ["f", "m", ""];

/// One record: which sex, whether out of region, which dose.
pub(super) type Record = (usize, bool, i64);

/// A unit with its own records, whether its superior gets its figure, and its subordinates.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) records: Vec<Record>,
    pub(super) reports: bool,
    pub(super) below: Vec<Unit>,
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    prop::collection::vec((0..3_usize, prop::bool::weighted(0.2), RANGE.0..=RANGE.1), 0..30)
}

fn federation() -> impl Strategy<Value = Unit> {
    let unit = |below| Unit { records: Vec::new(), reports: true, below };
    let leaf = (records(), prop::bool::weighted(0.85)).prop_map(|(records, reports)| Unit {
        records,
        reports,
        below: Vec::new(),
    });
    leaf.prop_recursive(3, 24, 4, move |inner| {
        let parts = (records(), prop::bool::weighted(0.85), prop::collection::vec(inner, 0..4));
        parts.prop_map(move |(records, reports, below)| Unit { records, reports, ..unit(below) })
    })
}

pub(super) fn indicator(floor: u32, depth: u8, sum: bool) -> Indicator {
    let mut indicator = cases();
    indicator.floors.superior = floor;
    indicator.area_depth = depth;
    if sum {
        indicator.measure = Measure::Sum("dose".parse().unwrap());
        indicator.record_range = Some(RANGE);
    }
    indicator
}

fn value_of(indicator: &Indicator, record: &Record) -> i64 {
    if indicator.measure == Measure::Count { 1 } else { record.2 }
}

fn home_areas() -> BTreeSet<Area> {
    [".", "~out"].iter().map(|text| text.parse().unwrap()).collect()
}

fn naive(indicator: &Indicator, records: &[Record]) -> Table {
    let mut table = Table::default();
    for record in records {
        let area = if record.1 { "~out" } else { "." };
        let dims = vec![SEXES[record.0].to_owned()];
        let key = RowKey { area: area.parse().unwrap(), dims };
        let cell = table.rows.entry(key).or_insert(Cell::ZERO);
        *cell = cell.checked_add(Cell::exact(value_of(indicator, record), 1)).unwrap();
    }
    table
}

/// The same from the outside: every row of the figure, without any of the code under test.
fn truth(indicator: &Indicator, unit: &Unit) -> BTreeMap<RowKey, Cell> {
    let mut rows = naive(indicator, &unit.records).rows;
    for (name, below) in named(unit).filter(|(_, below)| below.reports) {
        for (mut key, cell) in truth(indicator, below) {
            key.area.units.insert(0, name.clone());
            let depth = usize::from(indicator.area_depth);
            if key.area.units.len() > depth {
                key.area.units.truncate(depth);
                key.area.residual = None;
            }
            let sum = rows.entry(key).or_insert(Cell::ZERO);
            *sum = sum.checked_add(cell).unwrap();
        }
    }
    rows
}

fn named(unit: &Unit) -> impl Iterator<Item = (UnitId, &Unit)> {
    let name = |index| format!("u{index}").parse().unwrap();
    unit.below.iter().enumerate().map(move |(index, below)| (name(index), below))
}

/// Runs the unit's house and those below it.
fn figure(indicator: &Indicator, permit: &Permit, path: &UnitPath, unit: &Unit) -> Figure {
    let state = DisclosureState::new(indicator.id.clone(), period());
    let (raw, areas) = (naive(indicator, &unit.records), home_areas());
    let own = OwnTable { table: &raw, areas: &areas, combinations: None };
    let own = disclose(permit, indicator, period(), &own, &state).unwrap();
    let sources = Sources { reported: 1, expected: 1 };
    let own = OwnPart::Table { table: &own, sources, touched: None };
    let inputs: Vec<(UnitId, Option<Input>)> = named(unit)
        .map(|(name, below)| {
            let path = path.child(name.clone()).unwrap();
            let input = below.reports.then(|| {
                let figure = figure(indicator, permit, &path, below);
                let first = Edition { edition: 1, ..Edition::default() };
                let (body, _) = Released::new(permit, figure, first).unwrap().into_body();
                let Body::Release(release) = body else { panic!("not a release") };
                received(&path.to_string(), *release)
            });
            (name, input)
        })
        .collect();
    let subordinates: Vec<_> = inputs
        .iter()
        .map(|(unit, input)| {
            let missing = Standing::Nothing(UnitState::Late);
            let standing = input.as_ref().map_or(missing, Standing::Figure);
            Subordinate { unit, standing, possible: None, stands_for: 1 }
        })
        .collect();
    roll_up(permit, indicator, period(), path, own, &subordinates, &state).unwrap()
}

pub(super) fn top(indicator: &Indicator, unit: &Unit) -> Figure {
    figure(indicator, &permit(indicator), &"it".parse().unwrap(), unit)
}

/// What a recipient may believe of a row.
fn believed(table: &Table, key: &RowKey) -> Cell {
    let unlisted = || table.unlisted.get(&key.area).map(|unlisted| unlisted.each);
    table.rows.get(key).copied().or_else(unlisted).unwrap_or(Cell::ZERO)
}

fn holds(told: &Cell, truth: &Cell) -> bool {
    told.value.contains(truth.value.lo()) && told.contributors.contains(truth.contributors.lo())
}

fn reporting(unit: &Unit) -> u64 {
    let below = unit.below.iter().filter(|below| below.reports).map(reporting);
    below.sum::<u64>() + 1
}

fn missing(unit: &Unit) -> u64 {
    let own = |below: &Unit| if below.reports { missing(below) } else { 1 };
    unit.below.iter().map(own).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn every_bound_holds_the_truth(
        unit in federation(), floor in 2..12_u32, depth in 0..4_u8, sum: bool,
    ) {
        let indicator = indicator(floor, depth, sum);
        let figure = top(&indicator, &unit);
        let truth = truth(&indicator, &unit);
        for (key, cell) in &truth {
            let told = believed(figure.table(), key);
            prop_assert!(holds(&told, cell), "{key:?} is {cell:?}, told {told:?}");
        }
        for (key, told) in &figure.table().rows {
            let cell = truth.get(key).copied().unwrap_or(Cell::ZERO);
            prop_assert!(holds(told, &cell), "{key:?} is {cell:?}, told {told:?}");
        }
        let total = truth.values().fold(Cell::ZERO, |sum, cell| sum.checked_add(*cell).unwrap());
        prop_assert!(holds(&figure.table().total().unwrap(), &total));
    }

    #[test]
    fn without_a_floor_every_figure_is_exact(
        unit in federation(), depth in 0..4_u8, sum: bool,
    ) {
        let indicator = indicator(1, depth, sum);
        let figure = top(&indicator, &unit);
        prop_assert_eq!(&figure.table().rows, &truth(&indicator, &unit));
        prop_assert!(figure.table().unlisted.is_empty());
    }

    #[test]
    fn cutting_areas_keeps_the_total(unit in federation(), floor in 1..8_u32, sum: bool) {
        let fine = top(&indicator(floor, 16, sum), &unit);
        for depth in 0..4 {
            let cut = top(&indicator(floor, depth, sum), &unit);
            prop_assert_eq!(cut.table().total().unwrap(), fine.table().total().unwrap());
            let deepest = cut.table().rows.keys().map(|key| key.area.units.len()).max();
            prop_assert!(deepest.unwrap_or(0) <= usize::from(depth));
        }
    }

    #[test]
    fn small_cells_cannot_be_told_apart(
        mut counts in prop::collection::vec(0..15_i64, 6),
        others in prop::collection::vec(0..15_i64, 6),
        floor in 2..12_u32,
    ) {
        // Every recipient of one release sees the same bytes for all values of all small cells.
        let indicator = indicator(floor, 2, false);
        let figure_of = |counts: &[i64]| {
            let records = counts.iter().enumerate().flat_map(|(at, count)| {
                (0..*count).map(move |_| (at % 3, at >= 3, 1))
            });
            top(&indicator, &Unit { records: records.collect(), reports: true, below: Vec::new() })
        };
        let one = figure_of(&counts);
        for (count, other) in counts.iter_mut().zip(others) {
            if *count < i64::from(floor) {
                *count = other.min(i64::from(floor) - 1);
            }
        }
        prop_assert_eq!(one.content(), figure_of(&counts).content());
        let fewest = one.table().rows.values().map(|cell| cell.contributors.lo()).min();
        prop_assert!(fewest.is_none_or(|fewest| fewest >= i64::from(floor)));
    }

    #[test]
    fn completeness_counts_down_to_the_leaves(unit in federation()) {
        let indicator = indicator(1, 1, false);
        let figure = top(&indicator, &unit);
        prop_assert_eq!(figure.counts().included(), reporting(&unit));
        prop_assert_eq!(figure.counts().of(UnitState::Late), missing(&unit));
        let named = u64::try_from(figure.manifest().exceptions.len()).unwrap();
        prop_assert_eq!(named, missing(&unit));
    }

    #[test]
    fn the_order_of_subordinates_does_not_show(unit in federation(), floor in 1..8_u32) {
        let indicator = indicator(floor, 2, true);
        let permit = permit(&indicator);
        let path: UnitPath = "it".parse().unwrap();
        let inputs: Vec<(UnitId, Input)> = named(&unit)
            .map(|(name, below)| {
                let path = path.child(name.clone()).unwrap();
                let figure = figure(&indicator, &permit, &path, below);
                let first = Edition { edition: 1, ..Edition::default() };
                let (body, _) = Released::new(&permit, figure, first).unwrap().into_body();
                let Body::Release(release) = body else { panic!("not a release") };
                (name, received(&path.to_string(), *release))
            })
            .collect();
        let state = DisclosureState::new(indicator.id.clone(), period());
        let add = |inputs: &mut dyn Iterator<Item = &(UnitId, Input)>| {
            let all: Vec<_> = inputs
                .map(|(unit, input)| {
                    let standing = Standing::Figure(input);
                    Subordinate { unit, standing, possible: None, stands_for: 1 }
                })
                .collect();
            roll_up(&permit, &indicator, period(), &path, OwnPart::None, &all, &state).unwrap()
        };
        let (forth, back) = (add(&mut inputs.iter()), add(&mut inputs.iter().rev()));
        prop_assert_eq!(forth.content(), back.content());
        let roots_differ = inputs.is_empty() || forth.inputs_root != Digest::of(&[]);
        prop_assert!(roots_differ);
    }
}
