//! What must hold for every history: random trees, policies, classes, declarations and changes, with
//! everything that was ever told to anybody kept and laid side by side.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use reeve_statement::bounds::{Bounds, Cell};
use reeve_statement::catalogue::{Indicator, Measure, RecipientClass};
use reeve_statement::completeness::UnitState;
use reeve_statement::digest::Digest;
use reeve_statement::release::Sources;
use reeve_statement::statement::Body;
use reeve_statement::table::{Area, RowKey, Table};
use reeve_statement::unit::{UnitId, UnitPath};

use super::*;
use crate::authz::{Permit, PolicySet};
use crate::fixture::{cases, period, pull, received};

const SEXES: [&str; 2] = ["f", "m"];
const RANGE: (i64, i64) = (-2, 10);

/// Records by their dose, of each sex.
type Records = [Vec<i64>; 2];

/// What somebody wants.
#[derive(Debug, Clone)]
struct Wishes {
    /// Floors of the definition.
    floors: [u32; 3],
    /// `@min_step` of each class's permit.
    steps: [u32; 3],
    presence: bool,
    sum: bool,
    rounding: bool,
}

#[derive(Debug, Clone)]
enum Event {
    /// So many records of a sex more or less at a unit.
    Change { unit: usize, sex: usize, by: i64, dose: i64 },
    /// A level is declared; 0: none is.
    Declare(u8),
    /// A window closes at a unit.
    Close(usize),
}

fn wishes() -> impl Strategy<Value = Wishes> {
    let floors = (1..7_u32, 0..6_u32, 0..8_u32).prop_map(|(a, b, c)| [a, a + b, a + b + c]);
    let steps = prop::array::uniform3(prop_oneof![3 => Just(1_u32), 1 => 1..15_u32]);
    (floors, steps, any::<bool>(), any::<bool>(), prop::bool::weighted(0.1)).prop_map(
        |(floors, steps, presence, sum, rounding)| Wishes {
            floors,
            steps,
            presence,
            sum,
            rounding,
        },
    )
}

fn events(units: usize) -> impl Strategy<Value = Vec<Event>> {
    let change = (0..units, 0..2_usize, -6..9_i64, RANGE.0..=RANGE.1)
        .prop_map(|(unit, sex, by, dose)| Event::Change { unit, sex, by, dose });
    let event = prop_oneof![
        4 => change,
        1 => (0..2_u8).prop_map(Event::Declare),
        4 => (0..units).prop_map(Event::Close),
    ];
    prop::collection::vec(event, 1..60)
}

impl Wishes {
    fn indicator(&self) -> Indicator {
        let mut indicator = cases();
        let [superior, neighbour, public] = self.floors;
        indicator.floors = reeve_statement::catalogue::Floors { superior, neighbour, public };
        indicator.presence_told = self.presence;
        indicator.area_depth = 4;
        if self.sum {
            indicator.measure = Measure::Sum("dose".parse().unwrap());
            indicator.record_range = Some(RANGE);
        }
        indicator
    }

    fn policy(&self) -> PolicySet {
        let mut text = String::new();
        let rounding = if self.rounding { "@rounding(\"5\")" } else { "" };
        for (relation, step) in ["superior", "neighbour", "other"].into_iter().zip(self.steps) {
            text += &format!(
                "@id(\"{relation}\") @min_cell(\"3\") @min_step(\"{step}\") {rounding}\n\
                 permit (principal is Unit, action, resource is Indicator)\n\
                 when {{ principal.relation == Relation::\"{relation}\" }};\n"
            );
        }
        text += "@id(\"emergency\") @supersedes(\"superior\") @min_cell(\"1\")\n\
                 permit (principal is Unit, action, resource is Indicator)\n\
                 when { principal.relation == Relation::\"superior\" && context.response_level == 1 };";
        PolicySet::parse(&text, "node.cedar").unwrap()
    }

    fn permits(&self, set: &PolicySet, level: u8) -> Vec<Permit> {
        let permit = |path| {
            let mut question = pull(path, self.indicator());
            question.circumstances.response_level = level;
            set.decide(&question).into_result().unwrap()
        };
        ["it/03", "it/03/015", "fr/11"].map(permit).to_vec()
    }
}

/// One edition.
#[derive(Debug, Clone)]
struct Told {
    class: RecipientClass,
    floor: u32,
    table: Table,
    /// What the tables that it is made of said.
    truth: BTreeMap<RowKey, Cell>,
}

struct House {
    path: UnitPath,
    above: Option<usize>,
    records: Records,
    state: DisclosureState,
    told: Vec<Told>,
    last: BTreeMap<RecipientClass, (Input, Told)>,
}

fn houses(indicator: &Indicator, parents: &[usize]) -> Vec<House> {
    let mut houses: Vec<House> = Vec::new();
    for (number, above) in std::iter::once(None).chain(parents.iter().map(Some)).enumerate() {
        let above = above.map(|above| above % number);
        let unit: UnitId = format!("u{number}").parse().unwrap();
        let path = above.map_or_else(
            || "it".parse().unwrap(),
            |above: usize| houses[above].path.child(unit).unwrap(),
        );
        houses.push(House {
            path,
            above,
            records: Records::default(),
            state: DisclosureState::new(indicator.id.clone(), period()),
            told: Vec::new(),
            last: BTreeMap::new(),
        });
    }
    houses
}

fn own_table(indicator: &Indicator, records: &Records) -> Table {
    let mut table = Table::default();
    for (sex, doses) in SEXES.iter().zip(records).filter(|(_, doses)| !doses.is_empty()) {
        let count = i64::try_from(doses.len()).unwrap();
        let value = if indicator.measure == Measure::Count { count } else { doses.iter().sum() };
        let key = RowKey { area: Area::own(), dims: vec![(*sex).to_owned()] };
        table.rows.insert(key, Cell::exact(value, count));
    }
    table
}

/// A window closes at a house: every class is told.
fn close(houses: &mut [House], at: usize, indicator: &Indicator, permits: &[Permit]) {
    let raw = own_table(indicator, &houses[at].records);
    let areas = BTreeSet::from([Area::own()]);
    let own = OwnTable { table: &raw, areas: &areas, combinations: None };
    let all: Vec<&Permit> = permits.iter().collect();
    let steps = advance(&all, indicator, &own, &houses[at].state, Lapses::default()).unwrap();
    houses[at].state.take_steps(steps.clone());
    for permit in permits {
        let (class, state) = (permit.class().unwrap(), &houses[at].state);
        let own = match steps.disclosed(permit, indicator, period(), state) {
            Ok(own) => own,
            Err(_) => disclose(permit, indicator, period(), &own, state).unwrap(),
        };
        let below: Vec<(UnitId, Option<(Input, Told)>)> = houses
            .iter()
            .filter(|house| house.above == Some(at))
            .map(|house| (house.path.leaf().clone(), house.last.get(&class).cloned()))
            .collect();
        let subordinates: Vec<_> = below
            .iter()
            .map(|(unit, last)| {
                let nothing = Standing::Nothing(UnitState::Awaited);
                let standing = last.as_ref().map_or(nothing, |(input, _)| Standing::Figure(input));
                Subordinate { unit, standing, possible: None, stands_for: 1 }
            })
            .collect();
        let sources = Sources { reported: 1, expected: 1 };
        let part = OwnPart::Table { table: &own, sources, touched: None };
        let (path, state) = (houses[at].path.clone(), houses[at].state.clone());
        let figure =
            roll_up(permit, indicator, period(), &path, part, &subordinates, &state).unwrap();
        if houses[at].state.is_told(class, figure.content()) {
            continue;
        }
        let mut truth = raw.rows.clone();
        let added = |unit: &UnitId| {
            let entry = figure.manifest().direct.iter().find(|entry| entry.unit == *unit);
            entry.is_some_and(|entry| entry.state.is_included())
        };
        for (unit, (_, said)) in
            below.iter().filter_map(|(unit, said)| Some((unit, said.as_ref()?)))
        {
            for (key, cell) in said.truth.iter().filter(|_| added(unit)) {
                let area = key.area.below(unit, 4);
                truth.insert(RowKey { area, dims: key.dims.clone() }, *cell);
            }
        }
        let number = houses[at].state.class(class).map_or(0, |told| told.edition) + 1;
        let previous = (number > 1).then_some(Digest::ZERO);
        let edition = Edition { edition: number, previous, ..Edition::default() };
        let released = Released::new(permit, figure, edition).unwrap();
        houses[at].state.record(&released, 1).unwrap();
        let (body, _) = released.into_body();
        let Body::Release(release) = body else { panic!("not a release") };
        let table = release.table.inline().unwrap().clone();
        let floor = release.decision.conditions.floor;
        let edition = Told { class, floor, table, truth };
        houses[at].told.push(edition.clone());
        houses[at].last.insert(class, (received(&path.to_string(), *release), edition));
    }
}

fn believed(table: &Table, key: &RowKey) -> Cell {
    let unlisted = || table.unlisted.get(&key.area).map(|unlisted| unlisted.each);
    table.rows.get(key).copied().or_else(unlisted).unwrap_or(Cell::ZERO)
}

fn within(inner: Bounds, outer: Bounds) -> bool {
    outer.lo() <= inner.lo() && inner.hi() <= outer.hi()
}

/// The row of a table under the path of the unit that it is about.
fn absolute(house: &House, key: &RowKey) -> (String, Vec<String>) {
    (format!("{}/{}", house.path, key.area).replace("/.", ""), key.dims.clone())
}

fn run(wishes: &Wishes, parents: &[usize], events: &[Event]) -> Vec<House> {
    let indicator = wishes.indicator();
    let set = wishes.policy();
    let by_level = [wishes.permits(&set, 0), wishes.permits(&set, 1)];
    let mut houses = houses(&indicator, parents);
    let mut level = 0;
    for event in events {
        let count = houses.len();
        match event {
            Event::Change { unit, sex, by, dose } => {
                let doses = &mut houses[unit % count].records[*sex];
                for _ in 0..by.unsigned_abs() {
                    if *by > 0 {
                        doses.push(*dose);
                    } else {
                        doses.pop();
                    }
                }
            }
            Event::Declare(declared) => level = usize::from(*declared),
            Event::Close(unit) => {
                close(&mut houses, unit % count, &indicator, &by_level[level]);
            }
        }
    }
    houses
}

/// Under a declaration the superior is told every step and the public held ones. What it was told beside
/// the public stands as told when the declaration ends.
#[test]
fn a_number_told_beside_a_coarser_class_is_not_stepped_from() {
    let wishes =
        Wishes { floors: [1; 3], steps: [1; 3], presence: false, sum: false, rounding: false };
    let change = |by| Event::Change { unit: 0, sex: 0, by, dose: 0 };
    let (declared, over) = (Event::Declare(1), Event::Declare(0));
    let events = [declared, change(3), Event::Close(0), change(1), over, Event::Close(0)];
    let houses = run(&wishes, &[], &events);
    let told = |edition: &&Told| edition.class == RecipientClass::Superior;
    let last = houses[0].told.iter().rfind(told).unwrap();
    let row = RowKey { area: Area::own(), dims: vec!["f".to_owned()] };
    assert_eq!(believed(&last.table, &row).contributors, Bounds::spanning(1, 5));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, ..ProptestConfig::default() })]

    /// The truth is inside every bound that was ever told to anybody.
    #[test]
    fn every_bound_ever_told_holds_the_truth(
        wishes in wishes(),
        parents in prop::collection::vec(0..4_usize, 0..4),
        events in events(5),
    ) {
        for house in run(&wishes, &parents, &events) {
            for edition in &house.told {
                let keys: BTreeSet<&RowKey> =
                    edition.truth.keys().chain(edition.table.rows.keys()).collect();
                for key in keys {
                    let truth = edition.truth.get(key).copied().unwrap_or(Cell::ZERO);
                    let told = believed(&edition.table, key);
                    let holds = told.value.contains(truth.value.lo())
                        && told.contributors.contains(truth.contributors.lo());
                    prop_assert!(holds, "{} {key:?} is {truth:?}, told {told:?}", house.path);
                }
            }
        }
    }

    /// Whatever was told exactly of a row at any level, in any edition, to any class, differs by nobody or
    /// by at least the least floor under which it was told.
    #[test]
    fn nothing_subtracts_to_a_step_of_fewer_than_the_floor(
        wishes in wishes(),
        parents in prop::collection::vec(0..4_usize, 0..4),
        events in events(5),
    ) {
        let mut exact: BTreeMap<(String, Vec<String>), BTreeMap<i64, u32>> = BTreeMap::new();
        for house in run(&wishes, &parents, &events) {
            for edition in house.told.iter().filter(|edition| edition.floor > 1) {
                for (key, cell) in &edition.table.rows {
                    let contributors = cell.contributors;
                    if contributors.is_exact() {
                        let floor = exact.entry(absolute(&house, key)).or_default();
                        let least = floor.entry(contributors.lo()).or_insert(edition.floor);
                        *least = (*least).min(edition.floor);
                    }
                }
            }
        }
        for (row, numbers) in &exact {
            for ((a, floor_a), (b, floor_b)) in numbers.iter().zip(numbers.iter().skip(1)) {
                let floor = i64::from(*floor_a.min(floor_b));
                prop_assert!(b - a >= floor, "{row:?}: {a} and {b}, floor {floor}");
                prop_assert!(*a >= i64::from(*floor_a));
            }
        }
    }

    /// A coarser class's interval holds the finer one's, at every close.
    #[test]
    fn a_coarser_class_is_told_a_coarsening(wishes in wishes(), events in events(1)) {
        let indicator = wishes.indicator();
        let set = wishes.policy();
        let permits = wishes.permits(&set, 0);
        let mut houses = houses(&indicator, &[]);
        for event in &events {
            match event {
                Event::Change { sex, by, dose, .. } => {
                    let doses = &mut houses[0].records[*sex];
                    let more = usize::try_from((*by).max(0)).unwrap();
                    let less = doses.len().min(usize::try_from((-by).max(0)).unwrap());
                    doses.truncate(doses.len() - less);
                    doses.extend(std::iter::repeat_n(*dose, more));
                }
                Event::Declare(_) => {}
                Event::Close(_) => {
                    close(&mut houses, 0, &indicator, &permits);
                    let last = |class| houses[0].last.get(&class).map(|(_, edition)| edition);
                    for pair in RecipientClass::ALL.windows(2) {
                        let (finer, coarser) = (last(pair[0]).unwrap(), last(pair[1]).unwrap());
                        let keys = finer.table.rows.keys().chain(coarser.table.rows.keys());
                        for key in keys {
                            let (fine, coarse) =
                                (believed(&finer.table, key), believed(&coarser.table, key));
                            let held = within(fine.value, coarse.value)
                                && within(fine.contributors, coarse.contributors);
                            prop_assert!(held, "{key:?}: {fine:?} to {pair:?} {coarse:?}");
                        }
                    }
                }
            }
        }
    }

    /// Where no floor applies, what is told is the truth.
    #[test]
    fn without_a_floor_every_edition_is_exact(
        sum: bool, parents in prop::collection::vec(0..4_usize, 0..4), events in events(5),
    ) {
        let wishes = Wishes {
            floors: [1, 5, 11],
            steps: [1; 3],
            presence: false,
            sum,
            rounding: false,
        };
        // Only under the declaration, whose permit has no floor of its own.
        let events: Vec<Event> =
            std::iter::once(Event::Declare(1)).chain(events.into_iter().filter(|event| {
                !matches!(event, Event::Declare(_))
            })).collect();
        for house in run(&wishes, &parents, &events) {
            let superior = house.told.iter().filter(|it| it.class == RecipientClass::Superior);
            for edition in superior {
                prop_assert_eq!(&edition.table.rows, &edition.truth);
                prop_assert!(edition.table.unlisted.is_empty());
            }
        }
    }

    /// Two houses that were told alike, and of which one changed by less than a step since and the other
    /// not at all, tell the same: a held row looks like an unchanged one.
    #[test]
    fn a_held_row_looks_like_an_unchanged_one(
        floor in 2..9_u32, start in 0..40_i64, by in -8..9_i64, other in 11..30_i64,
    ) {
        let wishes = Wishes {
            floors: [floor, floor, floor],
            steps: [1; 3],
            presence: false,
            sum: false,
            rounding: false,
        };
        let mut indicator = wishes.indicator();
        indicator.floors.superior = floor;
        let set = PolicySet::of_new_node().unwrap();
        let permit = set.decide(&pull("it/03", indicator.clone())).into_result().unwrap();
        let step = i64::from(floor);
        let k = i64::from(floor);
        let start = start + k;
        let by = by.clamp(1 - step, step - 1);
        let tell = |state: &mut DisclosureState, women: i64, men: i64| {
            let mut table = Table::default();
            for (sex, count) in [("f", women), ("m", men)].into_iter().filter(|(_, it)| *it > 0) {
                let key = RowKey { area: Area::own(), dims: vec![sex.to_owned()] };
                table.rows.insert(key, Cell::exact(count, count));
            }
            let areas = BTreeSet::from([Area::own()]);
            let own = OwnTable { table: &table, areas: &areas, combinations: None };
            let steps = advance(&[&permit], &indicator, &own, state, Lapses::default()).unwrap();
            state.take_steps(steps.clone());
            steps.disclosed(&permit, &indicator, period(), state).unwrap().table().clone()
        };
        let fresh = || DisclosureState::new(indicator.id.clone(), period());
        let (mut one, mut two) = (fresh(), fresh());
        let first = tell(&mut one, start, other);
        prop_assert_eq!(&first, &tell(&mut two, start, other));
        prop_assert!(other < k || first.rows.values().all(Cell::is_exact));
        // Something else changes in both, by more than a step.
        let more = other + 3 * step;
        prop_assert_eq!(tell(&mut one, start + by, more), tell(&mut two, start, more));
        prop_assert_eq!(tell(&mut one, start, more), tell(&mut two, start + by, more));
    }
}
