//! Why a figure lacks a unit: each reason looks different three levels up, and none looks like zero.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use reeve_crdt::record::{Record, RecordId, Value};
use reeve_crdt::schema::Schema;
use reeve_crdt::twin::RecordOp;
use reeve_policy::authz::{PolicySet, Role};
use reeve_protocol::NodeKey;
use reeve_protocol::consent::Accepted;
use reeve_protocol::local::{Answer, FigureView, Question};
use reeve_statement::calendar::Calendar;
use reeve_statement::completeness::UnitState;
use reeve_statement::register::Day;
use world::{CATALOGUE, World, operator, person, subordinate, unit};

/// A Monday, which everybody reports, and the Tuesday after it.
const MONDAY: &str = "2026-03-02";
const TUESDAY: &str = "2026-03-03";

/// From Monday noon to Tuesday noon, and on to Thursday, an hour after the deadline of Tuesday's figures.
const TO_TUESDAY_MS: u64 = 24 * 3_600_000;
const TO_THURSDAY_MS: u64 = 49 * 3_600_000;

/// The Sunday before.
const SUNDAY: &str = "2026-03-01";

/// What befalls each municipality, by its name.
const LEAVES: [&str; 9] =
    ["cut", "declines", "feed", "full", "late", "never", "off", "unasked", "zero"];

struct Nation {
    world: World,
    nation: NodeKey,
    district: NodeKey,
    leaves: BTreeMap<&'static str, NodeKey>,
}

/// Four levels; nine municipalities in one district of one region.
fn nation() -> Nation {
    let mut world = World::new();
    let nation = world.add("it");
    world.add("it/03");
    let district = world.add("it/03/016");
    let mut leaves = BTreeMap::new();
    for name in LEAVES {
        let path = format!("it/03/016/{name}");
        if name == "declines" {
            let default = include_str!("../../../policy/src/authz/default.cedar");
            let declines = default.replace(r#"Relation::"superior""#, r#"Relation::"neighbour""#);
            world.policy = PolicySet::parse(&declines, "policy.cedar").unwrap();
        }
        if name == "unasked" {
            world.accepted.insert(unit(&path), Accepted::Nothing);
        }
        leaves.insert(name, world.add(&path));
        world.policy = PolicySet::of_new_node().unwrap();
    }
    let working = CATALOGUE.replace("basis =", "due = \"working\"\nbasis =");
    world.publish_catalogue(nation, "it", &working.replace("area_depth = 3", "area_depth = 4"));
    Nation { world, nation, district, leaves }
}

/// Everybody but the one that never does reports Monday; then things happen, and it is Thursday.
fn on_thursday() -> Nation {
    let mut nation = nation();
    let Nation { world, leaves, district, .. } = &mut nation;
    world.kill(leaves["never"]);
    for name in LEAVES.into_iter().filter(|name| *name != "never") {
        world.put_case(leaves[name], &format!("{name}-1"), MONDAY, "f");
        world.period_closed(leaves[name], MONDAY);
    }
    let calendar = Some(Calendar { weekdays: None, holidays: vec![Day(TUESDAY.parse().unwrap())] });
    let unit = Some(subordinate("off"));
    let answer = world.ask(*district, operator(), Question::SetCalendar { unit, calendar });
    assert!(matches!(answer, Answer::Done), "{answer:?}");
    world.pass_over(TO_TUESDAY_MS);
    world.put_case(leaves["full"], "full-2", TUESDAY, "m");
    world.period_closed(leaves["full"], TUESDAY);
    world.period_closed(leaves["zero"], TUESDAY);
    world.pass(2_000);
    world.set_down(leaves["cut"], true);
    world.space(leaves["late"], true);
    world.pass_over(TO_THURSDAY_MS);
    world.pass(5_000);
    nation
}

fn states(view: &FigureView) -> BTreeMap<String, UnitState> {
    let name = |units: &[reeve_statement::unit::UnitId]| {
        units.iter().map(ToString::to_string).collect::<Vec<_>>().join("/")
    };
    view.exceptions.iter().map(|it| (name(&it.units), it.state)).collect()
}

#[test]
fn every_silence_looks_different_three_levels_up_and_none_like_zero() {
    let Nation { mut world, nation, .. } = on_thursday();
    let view = world.figure(nation, TUESDAY).unwrap();
    let expected = BTreeMap::from(
        [
            ("cut", UnitState::Unreachable),
            ("declines", UnitState::Declined),
            ("feed", UnitState::NoReport),
            ("late", UnitState::Late),
            ("never", UnitState::NeverReported),
            ("off", UnitState::NotDue),
            ("unasked", UnitState::NotAdopted),
        ]
        .map(|(name, state)| (format!("03/016/{name}"), state)),
    );
    assert_eq!(states(&view), expected, "{:?}", view.counts);
    assert_eq!(view.counts.of(UnitState::Reported), 2, "the full one, and the one with zero");
    assert_eq!(view.counts.total(), 9);
    assert_eq!(view.total.unwrap().value.lo(), 1);
    assert!(view.edition >= 1 && view.statement.is_some(), "all of it is signed");
}

#[test]
fn a_unit_that_is_back_speaks_for_itself() {
    let Nation { mut world, nation, leaves, .. } = on_thursday();
    world.set_down(leaves["cut"], false);
    world.space(leaves["late"], false);
    world.pass(40_000);
    let states = states(&world.figure(nation, TUESDAY).unwrap());
    assert_eq!(states["03/016/cut"], UnitState::NoReport, "its sources had nothing to say");
    assert_eq!(states["03/016/late"], UnitState::NoReport);
    assert_eq!(states["03/016/feed"], UnitState::NoReport);
}

#[test]
fn a_day_off_that_is_taken_back_is_due_again() {
    let Nation { mut world, nation, district, leaves } = on_thursday();
    let said = |world: &mut World| states(&world.figure(nation, TUESDAY).unwrap());
    assert_eq!(said(&mut world)["03/016/off"], UnitState::NotDue);
    let own = Question::OwnFigure {
        indicator: "cases".parse().unwrap(),
        period: TUESDAY.parse().unwrap(),
    };
    let answer = world.ask(leaves["off"], operator(), own);
    assert!(matches!(answer, Answer::OwnFigure(None)), "it keeps no figure of it: {answer:?}");
    let unit = Some(subordinate("off"));
    let what = Question::SetCalendar { unit, calendar: None };
    assert!(matches!(world.ask(district, operator(), what), Answer::Done));
    world.pass(5_000);
    assert_eq!(said(&mut world)["03/016/off"], UnitState::NoReport);
    // A holiday of all, of whoever has said nothing else.
    let holidays = vec![Day(TUESDAY.parse().unwrap())];
    let calendar = Some(Calendar { weekdays: None, holidays });
    let what = Question::SetCalendar { unit: None, calendar };
    assert!(matches!(world.ask(district, operator(), what), Answer::Done));
    world.pass(5_000);
    let states = said(&mut world);
    for name in ["cut", "feed", "never", "off"] {
        assert_eq!(states[&format!("03/016/{name}")], UnitState::NotDue, "{name}");
    }
    assert_eq!(states["03/016/declines"], UnitState::Declined, "that is no matter of days");
}

#[test]
fn a_region_started_again_says_the_same() {
    let Nation { mut world, nation, .. } = on_thursday();
    let before = states(&world.figure(nation, TUESDAY).unwrap());
    for place in ["it/03/016", "it/03", "it"] {
        world.restart(place, "1", Some(1));
    }
    world.pass(5_000);
    assert_eq!(states(&world.figure(nation, TUESDAY).unwrap()), before);
}

#[test]
fn what_nobody_asks_for_on_a_free_day_is_told_if_it_is_there() {
    let Nation { mut world, nation, leaves, .. } = nation();
    // Nobody is expected, and one reports all the same.
    world.put_case(leaves["full"], "sunday", SUNDAY, "f");
    world.period_closed(leaves["full"], SUNDAY);
    world.pass(2_000);
    let view = world.figure(nation, SUNDAY).unwrap();
    assert_eq!(view.counts.of(UnitState::Reported), 1);
    assert_eq!(view.counts.of(UnitState::NotDue), 8, "{:?}", view.counts);
    assert_eq!(view.total.unwrap().value.lo(), 1);
}

/// Beds as they were counted last, if that is not longer ago than three days.
const BEDS: &str = r#"
[indicator.beds]
kind = "count"
period = { step = "now" }
measure = "latest-sum(beds)"
latest = { by = ["site"], at = "counted_on", max_age = "3d" }
basis = "residence"
"#;

const COUNTS: &str = r#"
[kind.count]
twin = "emergency"
[kind.count.field.site]
type = "enum"
values = ["hall", "barn"]
required = true
[kind.count.field.beds]
type = "integer"
min = 0
max = 1000
required = true
[kind.count.field.counted_on]
type = "date"
required = true
"#;

fn beds(world: &mut World, at: NodeKey) -> (Option<i64>, BTreeMap<String, UnitState>) {
    let (indicator, period) = ("beds".parse().unwrap(), "now".parse().unwrap());
    match world.ask(at, operator(), Question::Figure { indicator, period, area: None }) {
        Answer::Figure(Some(view)) => (view.total.map(|total| total.value.lo()), states(&view)),
        other => panic!("{other:?}"),
    }
}

fn count(world: &mut World, at: NodeKey, day: &str) {
    let kind = world.schema.kind("count").unwrap().clone();
    let mut record = Record::new();
    for (name, text) in [("site", "hall"), ("beds", "7"), ("counted_on", day)] {
        let field = kind.field(name).unwrap();
        record.set(field.id.clone(), Value::parse(&field.field_type, text).unwrap());
    }
    let record = kind.validate(record).unwrap();
    let op = RecordOp::Put { id: RecordId::new("hall").unwrap(), record };
    let what = Question::Write { kind: "count".parse().unwrap(), ops: vec![op], import: None };
    assert!(matches!(world.ask(at, person(Role::Writer), what), Answer::Written(_)));
    world.pass(2_000);
}

#[test]
fn stocks_of_a_unit_that_cannot_be_reached_count_as_long_as_they_are_not_too_old() {
    let mut world = World::new();
    let schema = format!("{}{COUNTS}", world::SCHEMA);
    world.schema = Arc::new(Schema::parse("schema.toml", &schema).unwrap());
    let nation = world.add("it");
    world.add("it/03");
    let (lost, kept) = (world.add("it/03/lost"), world.add("it/03/kept"));
    world.publish_catalogue(nation, "it", &format!("{CATALOGUE}{BEDS}"));
    for town in [lost, kept] {
        count(&mut world, town, "2026-03-02");
    }
    assert_eq!(beds(&mut world, nation), (Some(14), BTreeMap::new()));
    world.set_down(lost, true);
    for day in ["2026-03-03", "2026-03-04", "2026-03-05"] {
        world.pass_over(24 * 3_600_000);
        count(&mut world, kept, day);
        assert_eq!(beds(&mut world, nation).0, Some(14), "not too old on {day}");
    }
    world.pass_over(24 * 3_600_000);
    world.pass(2_000);
    let gone = BTreeMap::from([("03/lost".to_owned(), UnitState::Unreachable)]);
    assert_eq!(beds(&mut world, nation), (Some(7), gone), "who counted the same is not old");
    world.set_down(lost, false);
    count(&mut world, lost, "2026-03-06");
    assert_eq!(beds(&mut world, nation), (Some(14), BTreeMap::new()));
}
