//! One indicator at a glance: what is not known is never a zero, and changes are of the same units.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod world;

use std::sync::Arc;

use reeve_crdt::record::{Record, RecordId};
use reeve_crdt::schema::Schema;
use reeve_crdt::twin::RecordOp;
use reeve_policy::authz::{Role, Scope};
use reeve_protocol::NodeKey;
use reeve_protocol::local::{Answer, EntryChange, Failure, Question};
use reeve_protocol::situation::{Since, SituationView};
use reeve_statement::bounds::Bounds;
use reeve_statement::completeness::UnitState;
use reeve_statement::names::{IndicatorId, KindId};
use reeve_statement::register::Population;
use world::{CATALOGUE, SCHEMA, World, operator, person, subordinate};

/// The day that it is in the world, and the one before.
const TODAY: &str = "2026-03-02";
const DAY: &str = "2026-03-01";
const DAY_MS: u64 = 24 * 3_600_000;

const BEDS: &str = r#"
[indicator.beds]
title = "Free beds"
kind = "stock"
period = { step = "now" }
measure = "sum(beds)"
area_depth = 2
basis = "treatment"
"#;

fn three_levels() -> (World, NodeKey, [NodeKey; 3]) {
    let mut world = World::new();
    // Cases stand for persons.
    let twin = "twin = \"emergency\"\nexpected_records";
    let schema = SCHEMA.replace(twin, &format!("subject = \"person\"\n{twin}"));
    world.schema = Arc::new(Schema::parse("schema.toml", &schema).unwrap());
    let nation = world.add("it");
    world.add("it/03");
    world.add("it/05");
    let leaves = ["it/03/016", "it/03/015", "it/05/023"].map(|path| world.add(path));
    let catalogue = format!("{CATALOGUE}legal_basis = \"Test Act\"\n{BEDS}");
    world.publish_catalogue(nation, "it", &catalogue);
    (world, nation, leaves)
}

fn look(world: &mut World, at: NodeKey, indicator: &str) -> SituationView {
    look_at(world, at, indicator, None, false)
}

fn look_at(
    world: &mut World,
    at: NodeKey,
    indicator: &str,
    day: Option<&str>,
    own: bool,
) -> SituationView {
    let indicator = IndicatorId::new(indicator).unwrap();
    let day = day.map(|day| day.parse().unwrap());
    match world.ask(at, operator(), Question::Situation { indicator, day, own }) {
        Answer::Situation(view) => *view,
        other => panic!("{other:?}"),
    }
}

fn value(view: &SituationView) -> Option<Bounds> {
    view.told.as_ref().and_then(|told| told.value)
}

fn change(since: Option<&Since>) -> Option<(Option<Bounds>, bool, u64)> {
    since.map(|since| (since.change, since.same_units, since.edition))
}

fn beds(world: &mut World, at: NodeKey, count: i64) {
    let kind = world.schema.kind("stock").unwrap();
    let mut record = Record::new();
    let field = kind.field("beds").unwrap();
    record.set(field.id.clone(), reeve_crdt::record::Value::Integer(count));
    let record = kind.validate(record).unwrap();
    let ops = vec![RecordOp::Put { id: RecordId::new("ward").unwrap(), record }];
    let kind = KindId::new("stock").unwrap();
    let what = Question::Write { kind, ops, import: None };
    assert!(matches!(world.ask(at, person(Role::Writer), what), Answer::Written(_)));
    world.pass(1_000);
}

#[test]
fn what_nobody_has_reported_is_not_known_and_no_zero() {
    let (mut world, nation, leaves) = three_levels();
    let view = look(&mut world, nation, "cases");
    assert_eq!((value(&view), view.period.to_string().as_str()), (None, TODAY));
    assert_eq!((view.counts.of(UnitState::Awaited), view.counts.total()), (2, 2));
    assert_eq!((view.edition, view.since_edition, view.since_day), (0, None, None));
    world.period_closed(leaves[0], DAY);
    world.pass(1_000);
    let view = look(&mut world, nation, "cases");
    assert_eq!(value(&view), Some(Bounds::ZERO), "one has reported that there is nobody");
    assert_eq!((view.counts.included(), view.counts.total()), (1, 3));
    let home = look_at(&mut world, leaves[1], "cases", None, true);
    assert_eq!((value(&home), home.counts.of(UnitState::NoReport)), (None, 1));
}

#[test]
fn changes_are_told_since_the_day_and_the_edition_before() {
    let (mut world, nation, leaves) = three_levels();
    for (at, leaf) in leaves.into_iter().enumerate() {
        world.put_case(leaf, &format!("a{at}"), "2026-02-28", "f");
        world.period_closed(leaf, "2026-02-28");
        world.put_case(leaf, &format!("b{at}"), DAY, "f");
        world.period_closed(leaf, DAY);
    }
    world.pass(2_000);
    let before = look(&mut world, nation, "cases");
    world.put_case(leaves[0], "c1", DAY, "m");
    world.put_case(leaves[0], "c2", DAY, "m");
    world.pass(2_000);
    let view = look(&mut world, nation, "cases");
    assert_eq!(value(&view), Some(Bounds::exact(5)));
    assert!(view.edition > before.edition, "{view:?}");
    let two = Some(Bounds::exact(2));
    let (of, same, edition) = change(view.since_day.as_ref()).unwrap();
    assert_eq!((of, same), (two, true), "three cases on the day before");
    assert!(edition > 0);
    // Each case was an edition of its own.
    let one = Some(Bounds::exact(1));
    assert_eq!(change(view.since_edition.as_ref()), Some((one, true, view.edition - 1)));
    assert!(view.data_touched.is_some() && view.data_oldest < view.data_touched);
    let home = look_at(&mut world, leaves[0], "cases", None, true);
    assert!(home.is_leaf && home.is_own && !view.is_leaf);
    assert_eq!(value(&home), Some(Bounds::exact(3)));
    assert_eq!(change(home.since_day.as_ref()).unwrap().0, two);
}

#[test]
fn a_change_that_other_units_make_is_marked() {
    let (mut world, nation, leaves) = three_levels();
    world.put_case(leaves[0], "c1", DAY, "f");
    world.pass(1_000);
    world.put_case(leaves[2], "c2", DAY, "f");
    world.pass(1_000);
    let view = look(&mut world, nation, "cases");
    let (of, same, _) = change(view.since_edition.as_ref()).unwrap();
    assert_eq!((of, same), (Some(Bounds::exact(1)), false));
    // It stays so after a restart.
    let nation = world.restart("it", "1", Some(1));
    let again = look(&mut world, nation, "cases");
    assert_eq!(change(again.since_edition.as_ref()), change(view.since_edition.as_ref()));
}

#[test]
fn the_present_is_compared_with_what_stood_when_the_day_began() {
    let (mut world, nation, leaves) = three_levels();
    beds(&mut world, leaves[0], 10);
    beds(&mut world, leaves[0], 14);
    assert_eq!(look(&mut world, nation, "beds").since_day, None, "there was no day before");
    world.pass_over(DAY_MS);
    let unchanged = look(&mut world, nation, "beds");
    assert_eq!(change(unchanged.since_day.as_ref()).unwrap().0, Some(Bounds::ZERO));
    beds(&mut world, leaves[0], 9);
    beds(&mut world, leaves[0], 8);
    let view = look(&mut world, nation, "beds");
    assert_eq!(value(&view), Some(Bounds::exact(8)));
    assert_eq!(change(view.since_day.as_ref()).unwrap().0, Some(Bounds::exact(-6)));
    assert_eq!(change(view.since_edition.as_ref()).unwrap().0, Some(Bounds::exact(-1)));
}

#[test]
fn a_day_of_which_nobody_speaks_any_more_is_outdated() {
    let (mut world, nation, leaves) = three_levels();
    world.put_case(leaves[0], "c1", "2026-02-27", "f");
    world.pass(1_000);
    let view = look(&mut world, nation, "cases");
    assert_eq!((view.period.to_string().as_str(), view.is_outdated), ("2026-02-27", true));
    let asked = look_at(&mut world, nation, "cases", Some("2026-02-27"), false);
    assert!(!asked.is_outdated, "it was asked for");
    // A record that is dated ahead by mistake does not hide the present.
    world.put_case(leaves[0], "c2", "2062-03-01", "f");
    world.put_case(leaves[0], "c3", DAY, "f");
    world.pass(1_000);
    let view = look(&mut world, nation, "cases");
    assert_eq!((view.period.to_string().as_str(), view.is_outdated), (DAY, false));
}

#[test]
fn people_are_counted_where_the_register_knows_them() {
    let (mut world, nation, leaves) = three_levels();
    world.put_case(leaves[0], "c1", DAY, "f");
    world.put_case(leaves[1], "c2", DAY, "f");
    world.pass(1_000);
    let unknown = look(&mut world, nation, "cases").coverage;
    assert_eq!((unknown.known, unknown.unknown, unknown.persons), (0, 2, 0));
    for (unit, persons, year) in [("03", 9_000, 2023), ("05", 1_000, 2021)] {
        let source = "census".to_owned();
        let population = Some(Some(Population { persons, year, source }));
        let unit = subordinate(unit);
        let names = vec![("en".to_owned(), "North".to_owned())];
        let change = EntryChange { unit, names, population, time_zone: None };
        assert!(matches!(
            world.ask(nation, operator(), Question::ChangeEntry(change)),
            Answer::Done
        ));
    }
    let known = look(&mut world, nation, "cases").coverage;
    assert_eq!((known.least, known.most, known.persons), (9_000, 9_000, 10_000));
    assert_eq!((known.unknown, known.year), (0, Some(2021)));
    let Answer::Register(entries) = world.ask(nation, operator(), Question::Register) else {
        panic!("no register")
    };
    assert_eq!(entries[0].population.as_ref().unwrap().persons, 9_000);
    assert_eq!(entries[0].names.text("en"), Some("North"));
    // It is signed, so it is there after a restart.
    let nation = world.restart("it", "1", Some(1));
    assert_eq!(look(&mut world, nation, "cases").coverage, known);
    // A figure beyond the population is set aside, and its people with it.
    let population = Some(Some(Population { persons: 1, year: 2023, source: "slip".to_owned() }));
    let change =
        EntryChange { unit: subordinate("03"), names: Vec::new(), population, time_zone: None };
    world.ask(nation, operator(), Question::ChangeEntry(change));
    let view = look(&mut world, nation, "cases");
    assert_eq!(view.counts.of(UnitState::Implausible), 1);
    assert_eq!((value(&view), view.coverage.most), (None, 0));
}

#[test]
fn the_register_is_changed_by_whom_it_belongs_to() {
    let (mut world, nation, leaves) = three_levels();
    let change = |unit: &str| EntryChange {
        unit: subordinate(unit),
        names: vec![("en".to_owned(), "North".to_owned())],
        population: None,
        time_zone: None,
    };
    let answer = world.ask(nation, operator(), Question::ChangeEntry(change("99")));
    assert!(matches!(answer, Answer::Failed(Failure::UnknownUnit(_))), "{answer:?}");
    let answer = world.ask(leaves[0], operator(), Question::ChangeEntry(change("03")));
    assert!(matches!(answer, Answer::Failed(Failure::UnknownUnit(_))), "{answer:?}");
    for role in [Role::Writer, Role::Viewer, Role::Auditor] {
        let answer = world.ask(nation, person(role), Question::ChangeEntry(change("03")));
        assert!(matches!(answer, Answer::Declined(_)), "{role:?}: {answer:?}");
    }
    let second = world.add_node("it", "2", None);
    let answer = world.ask(second, operator(), Question::ChangeEntry(change("03")));
    assert!(matches!(answer, Answer::Failed(Failure::UnknownUnit(_) | Failure::NotReporting)));
}

#[test]
fn nobody_sees_more_at_a_glance_than_by_a_query() {
    let (mut world, nation, leaves) = three_levels();
    world.put_case(leaves[0], "c1", DAY, "f");
    world.pass(1_000);
    let question = |indicator: &str| {
        let indicator = IndicatorId::new(indicator).unwrap();
        Question::Situation { indicator, day: None, own: false }
    };
    let mut viewer = person(Role::Viewer);
    viewer.indicators = Scope::Only([IndicatorId::new("beds").unwrap()].into());
    let answer = world.ask(nation, viewer.clone(), question("cases"));
    assert!(matches!(answer, Answer::Declined(_)), "{answer:?}");
    let answer = world.ask(nation, viewer, question("beds"));
    assert!(matches!(answer, Answer::Situation(_)), "{answer:?}");
    for role in [Role::Writer, Role::Auditor] {
        let answer = world.ask(nation, person(role), question("cases"));
        assert!(matches!(answer, Answer::Declined(_)), "{role:?}: {answer:?}");
    }
    let answer = world.ask(nation, operator(), question("no_such"));
    assert!(matches!(answer, Answer::Failed(Failure::UnknownIndicator(_))), "{answer:?}");
}
