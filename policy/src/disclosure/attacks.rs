//! Attacks 8, 12 and 13: figures that cannot be, and small cells that somebody works out from all that
//! was told. By their numbers in docs/reliability.md; `REEVE_FULL=1` for the full counts.
//!
//! A small cell is hidden if the truth could be any small number: so whoever replaces every small
//! number by another one must find everything that was told unchanged, at every level at once.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use reeve_statement::completeness::UnitState;
use reeve_statement::digest::Digest;
use reeve_statement::table::Table;
use reeve_statement::unit::UnitId;

use super::properties::{Record, SEXES, Unit, indicator, top};
use super::*;
use crate::fixture::{cases, input, period, permit, table};

#[path = "../../../testnet/tests/counts/mod.rs"]
mod counts;
use counts::count;

fn chance(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Records of one unit by sex and whether out of region: how many in each.
type Cells = BTreeMap<(usize, bool), u32>;

fn cells(floor: u32, random: &mut ChaCha8Rng) -> Cells {
    let mut cells = Cells::new();
    for sex in 0..SEXES.len() {
        for out in [false, true] {
            cells.insert((sex, out), random.random_range(0..2 * floor));
        }
    }
    cells
}

/// The same, with every small number another small one.
fn replaced(cells: &Cells, floor: u32, random: &mut ChaCha8Rng) -> Cells {
    let small = |many: u32, random: &mut ChaCha8Rng| match many < floor {
        true => random.random_range(0..floor),
        false => many,
    };
    cells.iter().map(|(key, many)| (*key, small(*many, random))).collect()
}

fn records(cells: &Cells) -> Vec<Record> {
    let each = |((sex, out), many): (&(usize, bool), &u32)| {
        std::iter::repeat_n((*sex, *out, 1), usize::try_from(*many).unwrap())
    };
    cells.iter().flat_map(each).collect()
}

/// A hierarchy, and the same with other small numbers.
fn two_alike(levels: u32, floor: u32, random: &mut ChaCha8Rng) -> (Unit, Unit) {
    let cells = cells(floor, random);
    let other = replaced(&cells, floor, random);
    let width = if levels == 0 { 0 } else { random.random_range(0..4) };
    let below: Vec<(Unit, Unit)> =
        (0..width).map(|_| two_alike(levels - 1, floor, random)).collect();
    let (one_below, other_below) = below.into_iter().unzip();
    let unit = |cells, below| Unit { records: records(cells), reports: true, below };
    (unit(&cells, one_below), unit(&other, other_below))
}

/// What every unit of a hierarchy tells.
fn told(definition: &reeve_statement::catalogue::Indicator, unit: &Unit) -> Vec<Digest> {
    let mut all = vec![top(definition, unit).content()];
    all.extend(unit.below.iter().flat_map(|below| told(definition, below)));
    all
}

/// What the units would tell if totals were exact and small rows just left out.
fn told_without_protection(unit: &Unit) -> Vec<usize> {
    let mut all = vec![unit.records.len()];
    all.extend(unit.below.iter().flat_map(told_without_protection));
    all
}

#[test]
fn attack_12_levels_and_siblings_that_put_everything_together_learn_no_small_cell() {
    let mut random = chance(12);
    let mut leaks = 0;
    let hierarchies = count(60, 1_000);
    for number in 0..hierarchies {
        let floor = random.random_range(2..12);
        let (one, other) = two_alike(random.random_range(1..4), floor, &mut random);
        let definition = indicator(floor, random.random_range(0..4), false);
        assert_eq!(told(&definition, &one), told(&definition, &other), "hierarchy {number}");
        leaks += usize::from(told_without_protection(&one) != told_without_protection(&other));
    }
    // The same hierarchies give much away where only small rows are left out.
    assert!(leaks > hierarchies / 3, "{leaks} of {hierarchies}");
}

#[test]
fn attack_13_no_table_shows_a_number_from_one_to_ten_or_lets_one_be_derived() {
    /// The floor of published health figures.
    const K: u32 = 11;
    let mut random = chance(13);
    let definition = indicator(K, 2, false);
    let leaf = |cells: &Cells| Unit { records: records(cells), reports: true, below: Vec::new() };
    let mut small = 0;
    for number in 0..count(1_000, 100_000) {
        let cells = cells(K, &mut random);
        let figure = top(&definition, &leaf(&cells));
        let between = |value: i64| (1..i64::from(K)).contains(&value);
        for (key, cell) in &figure.table().rows {
            let shown = [cell.value.lo(), cell.value.hi(), cell.contributors.lo()];
            assert!(!shown.into_iter().any(between), "table {number}: {key:?} shows {cell:?}");
        }
        let total = figure.table().total().unwrap();
        let hidden = cells.values().any(|many| between(i64::from(*many)));
        assert!(
            !hidden || !total.value.is_exact(),
            "table {number}: {total:?} gives the rest away"
        );
        small += usize::from(hidden);
        let other = replaced(&cells, K, &mut random);
        let same = figure.content() == top(&definition, &leaf(&other)).content();
        assert!(same, "table {number}: {cells:?} and {other:?} can be told apart");
    }
    assert!(small > 100, "{small} tables had small cells");
}

#[test]
fn attack_08_figures_beyond_what_a_population_allows_are_set_aside() {
    let mut random = chance(8);
    let definition = cases();
    let leave = permit(&definition);
    let state = DisclosureState::new(definition.id.clone(), period());
    let group = count(300, 1_000);
    for _ in 0..count(1, 10) {
        let (mut honest, mut poisoned) = (0, 0);
        let units: Vec<(UnitId, i64, Input)> = (0..group)
            .map(|number| {
                let population = random.random_range(500..50_000_i64);
                let told = if random.random_bool(0.1) {
                    poisoned += 1;
                    let times = [5, 100, 1_000_000_000_000][random.random_range(0..3)];
                    population * times + random.random_range(1..9)
                } else {
                    let told = random.random_range(0..population);
                    honest += told;
                    told
                };
                let told: Table = table(&[(".", "f", told)]);
                let unit: UnitId = format!("u{number}").parse().unwrap();
                let input = input(&format!("it/{unit}"), &definition, &told);
                (unit, population, input)
            })
            .collect();
        let subordinates: Vec<_> = units
            .iter()
            .map(|(unit, population, input)| Subordinate {
                unit,
                standing: Standing::Figure(input),
                possible: Some(*population),
                stands_for: 1,
            })
            .collect();
        let path = "it".parse().unwrap();
        let own = OwnPart::None;
        let figure =
            roll_up(&leave, &definition, period(), &path, own, &subordinates, &state).unwrap();
        assert_eq!(figure.counts().of(UnitState::Implausible), poisoned, "all, and nobody else");
        let total = figure.table().total().unwrap().value;
        assert_eq!((total.lo(), total.hi()), (honest, honest), "the total is that of the others");
        assert!(poisoned > 0);
    }
}
