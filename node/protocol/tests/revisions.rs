//! Later editions say why, at every level; and how many of a home's sources are behind a figure.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod world;

use std::collections::BTreeMap;

use jiff::civil::Date;
use reeve_crdt::indicator::Source;
use reeve_crdt::record::{Record, RecordId, Value};
use reeve_crdt::twin::RecordOp;
use reeve_policy::authz::Role;
use reeve_protocol::NodeKey;
use reeve_protocol::local::{Answer, ImportMode, OwnView, Question};
use reeve_protocol::situation::SituationView;
use reeve_protocol::wire::{Upward, decode};
use reeve_statement::bounds::Bounds;
use reeve_statement::cert::CrlSet;
use reeve_statement::completeness::UnitState;
use reeve_statement::cose::{Signed, Verifier};
use reeve_statement::digest::Digest;
use reeve_statement::period::Period;
use reeve_statement::release::RevisionReason;
use reeve_statement::statement::Body;
use reeve_statement::time::Timestamp;
use world::{CATALOGUE, NOON, World, operator, person, unit};

/// Yesterday when the world begins.
const DAY: &str = "2026-03-01";

const DAY_MS: u64 = 24 * 3_600_000;

/// A nation, a region and two municipalities, of which the second reports nothing here.
fn nation(sources: &[Source], more: &str) -> (World, NodeKey, NodeKey) {
    let mut world = World::new();
    world.sources.insert(unit("it/03/016"), sources.to_vec());
    let nation = world.add("it");
    world.add("it/03");
    let town = world.add("it/03/016");
    world.publish_catalogue(nation, "it", &format!("{CATALOGUE}{more}"));
    (world, nation, town)
}

fn situation(world: &mut World, at: NodeKey, day: Option<&str>) -> SituationView {
    let day = day.map(|day| day.parse::<Date>().unwrap());
    let what = Question::Situation { indicator: "cases".parse().unwrap(), day, own: false };
    match world.ask(at, operator(), what) {
        Answer::Situation(view) => *view,
        other => panic!("{other:?}"),
    }
}

fn reason(world: &mut World, at: NodeKey, day: &str) -> Option<RevisionReason> {
    world.figure(at, day).unwrap().reason
}

fn state(world: &mut World, at: NodeKey, day: &str) -> Vec<UnitState> {
    let view = world.figure(at, day).unwrap();
    view.counts.iter().map(|(state, _)| state).collect()
}

fn writes(world: &mut World, at: NodeKey, ops: Vec<RecordOp>) {
    for ops in ops.chunks(1_000) {
        let answer = world.write(at, ops.to_vec());
        assert!(matches!(answer, Answer::Written(_)), "{answer:?}");
    }
    world.pass(2_000);
}

fn import(world: &mut World, at: NodeKey, ops: Vec<RecordOp>, reason: Option<RevisionReason>) {
    let kind: reeve_statement::names::KindId = "case".parse().unwrap();
    let begin = Question::BeginImport {
        kind: kind.clone(),
        file: Digest::of(b"backlog"),
        name: "backlog.csv".to_owned(),
        mode: ImportMode::Replace,
    };
    let Answer::Begun(import) = world.ask(at, person(Role::Writer), begin) else { panic!() };
    let mut days: Vec<Period> = Vec::new();
    for ops in ops.chunks(1_000) {
        for op in ops {
            let RecordOp::Put { record, .. } = op else { continue };
            let Some(Value::Date(day)) = record.record().get("reported_on") else { panic!() };
            days.push(Period::Day(*day));
        }
        let what = Question::Write { kind: kind.clone(), ops: ops.to_vec(), import: Some(import) };
        let answer = world.ask(at, person(Role::Writer), what);
        assert!(matches!(answer, Answer::Written(_)), "{answer:?}");
    }
    days.sort_unstable();
    days.dedup();
    let source = "registry".to_owned();
    let end = Question::EndImport { import, source, closes: days, reason, sweep: None };
    let answer = world.ask(at, person(Role::Writer), end);
    assert!(matches!(answer, Answer::Ended(_)), "{answer:?}");
    world.pass(5_000);
}

#[test]
fn a_backlog_lands_on_its_own_dates_and_is_no_outbreak() {
    let (mut world, nation, town) = nation(&[], "");
    let days: Vec<String> = (1..=28).map(|day| format!("2026-02-{day:02}")).collect();
    for day in days.iter().map(String::as_str).chain([DAY]) {
        world.period_closed(town, day);
    }
    let five = (0..5).map(|n| world.case(&format!("new-{n}"), DAY, "f")).collect();
    writes(&mut world, town, five);
    world.pass_over(DAY_MS);
    let before = situation(&mut world, nation, Some(DAY));
    assert_eq!(before.told.as_ref().unwrap().value, Some(Bounds::exact(5)));
    assert!(before.revised.is_empty(), "{:?}", before.revised);
    let old: Vec<RecordOp> =
        (0..4_007).map(|n| world.case(&format!("old-{n}"), &days[n % days.len()], "m")).collect();
    import(&mut world, town, old, None);
    let after = situation(&mut world, nation, Some(DAY));
    assert_eq!(after.told, before.told, "the day itself is as it was");
    assert_eq!(after.edition, before.edition);
    let [late] = after.revised.as_slice() else { panic!("{:?}", after.revised) };
    assert_eq!((late.reason, late.periods), (RevisionReason::LateReports, 28));
    assert_eq!(late.change, Some(Bounds::exact(4_007)));
    let mut sum = 0;
    for day in &days {
        assert_eq!(reason(&mut world, nation, day), Some(RevisionReason::LateReports), "{day}");
        sum += world.total(nation, day).unwrap();
    }
    assert_eq!(sum, 4_007);
    world.pass_over(DAY_MS);
    let next = situation(&mut world, nation, Some(DAY));
    assert!(next.revised.is_empty(), "that was yesterday's news: {:?}", next.revised);
}

#[test]
fn less_than_before_is_told_as_less_and_says_why() {
    let (mut world, nation, town) = nation(&[], "");
    world.period_closed(town, DAY);
    world.period_closed(town, "2026-02-28");
    let many = (0..40).map(|n| world.case(&format!("c-{n}"), DAY, "f")).collect();
    writes(&mut world, town, many);
    let forty = (0..40).map(|n| world.case(&format!("d-{n}"), "2026-02-28", "f")).collect();
    writes(&mut world, town, forty);
    let gone = |numbers: core::ops::Range<u32>| {
        let id = |n| RecordId::new(&format!("c-{n}")).unwrap();
        numbers.map(|n| RecordOp::Delete { id: id(n) }).collect::<Vec<_>>()
    };
    writes(&mut world, town, gone(0..12));
    let view = situation(&mut world, nation, Some(DAY));
    for since in [view.since_edition.unwrap(), view.since_day.unwrap()] {
        assert_eq!(since.change, Some(Bounds::exact(-12)), "not 0, and not blank");
        assert_eq!(since.reason, Some(RevisionReason::Correction));
    }
    // Somebody says so better than it can be read from the numbers.
    world.said(town, "case", "registry", DAY, Some(RevisionReason::DuplicateRemoved));
    writes(&mut world, town, gone(12..15));
    let view = situation(&mut world, nation, Some(DAY));
    let since = view.since_edition.unwrap();
    assert_eq!(since.change, Some(Bounds::exact(-3)));
    assert_eq!(since.reason, Some(RevisionReason::DuplicateRemoved));
    // It was said of that revision, and of no later one.
    writes(&mut world, town, gone(15..16));
    assert_eq!(reason(&mut world, nation, DAY), Some(RevisionReason::Correction));
    // The same number in other rows.
    let moved: Vec<RecordOp> = vec![world.case("c-20", DAY, "m")];
    writes(&mut world, town, moved);
    assert_eq!(reason(&mut world, nation, DAY), Some(RevisionReason::Reclassified));
    assert_eq!(world.total(nation, DAY), Some(24));
}

#[test]
fn a_reason_that_is_given_with_an_import_is_told_with_its_figures() {
    let (mut world, nation, town) = nation(&[], "");
    world.period_closed(town, DAY);
    world.put_case(town, "c-1", DAY, "f");
    world.pass(2_000);
    let more = vec![world.case("c-2", DAY, "f"), world.case("c-3", DAY, "m")];
    import(&mut world, town, more, Some(RevisionReason::Reclassified));
    assert_eq!(world.total(nation, DAY), Some(3));
    assert_eq!(reason(&mut world, nation, DAY), Some(RevisionReason::Reclassified));
}

#[test]
fn a_reason_that_nobody_heard_is_not_forgotten_for_what_came_after() {
    let (mut world, nation, town) = nation(&[], "");
    world.period_closed(town, DAY);
    world.put_case(town, "c-1", DAY, "f");
    world.pass(2_000);
    world.set_down(town, true);
    world.said(town, "case", "registry", DAY, Some(RevisionReason::DuplicateRemoved));
    writes(&mut world, town, vec![RecordOp::Delete { id: RecordId::new("c-1").unwrap() }]);
    world.put_case(town, "c-2", DAY, "f");
    world.put_case(town, "c-3", DAY, "f");
    world.pass(2_000);
    world.set_down(town, false);
    world.pass(5_000);
    assert_eq!(world.total(nation, DAY), Some(2));
    for path in ["it/03/016", "it/03"] {
        let told = reasons_told(&world, path);
        assert!(told.contains(&RevisionReason::DuplicateRemoved), "{path}: {told:?}");
    }
}

/// The reasons of every edition that a unit's node has sent.
fn reasons_told(world: &World, path: &str) -> Vec<RevisionReason> {
    let (verifier, unit) =
        (Verifier::new(world.registry.roots.clone(), CrlSet::default()), unit(path));
    let mut told = Vec::new();
    for frame in &world.wire {
        let Ok(Upward::Deliver { statement, .. }) = decode::<Upward>(frame) else { continue };
        let signed = Signed::decode(&statement.0).unwrap();
        if *signed.unverified_issuer() != unit {
            continue;
        }
        let at = Timestamp::from_millis(NOON);
        let said = signed.verify_with(&world.chain_of(&unit), &verifier, at).unwrap();
        if let Body::Release(release) = said.into_statement().body {
            told.extend(release.reason);
        }
    }
    told
}

#[test]
fn what_a_source_takes_back_is_withdrawn_and_no_zero() {
    let (mut world, nation, town) = nation(&[], "");
    world.period_closed(town, DAY);
    world.put_case(town, "c-1", DAY, "f");
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), Some(1));
    world.said(town, "case", "registry", DAY, Some(RevisionReason::Withdrawn));
    world.pass(2_000);
    assert_eq!(state(&mut world, nation, DAY), [UnitState::Withdrawn]);
    assert_eq!(world.total(nation, DAY), None);
    assert_eq!(reason(&mut world, nation, DAY), Some(RevisionReason::Withdrawn));
    world.said(town, "case", "registry", DAY, Some(RevisionReason::Correction));
    world.pass(2_000);
    assert_eq!(state(&mut world, nation, DAY), [UnitState::Reported]);
    assert_eq!(reason(&mut world, nation, DAY), Some(RevisionReason::Correction));
}

#[test]
fn another_definition_is_the_reason() {
    let (mut world, nation, town) = nation(&[], "");
    world.period_closed(town, DAY);
    world.put_case(town, "c-1", DAY, "f");
    world.pass(2_000);
    let other = CATALOGUE
        .replace("version = 1", "version = 2")
        .replace("group_by = [\"sex\"]", "where = { sex = \"f\" }\ngroup_by = [\"sex\"]");
    world.publish_catalogue(nation, "it", &other);
    world.pass(2_000);
    assert_eq!(reason(&mut world, nation, DAY), Some(RevisionReason::DefinitionChanged));
}

fn source(name: &str, kind: &str) -> Source {
    Source {
        name: name.to_owned(),
        kinds: vec![kind.parse().unwrap()],
        from: None,
        until: None,
        silent_after_ms: None,
    }
}

fn own(world: &mut World, at: NodeKey, indicator: &str, period: &str) -> Option<OwnView> {
    let (indicator, period) = (indicator.parse().unwrap(), period.parse().unwrap());
    match world.ask(at, operator(), Question::OwnFigure { indicator, period }) {
        Answer::OwnFigure(view) => view.map(|view| *view),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_figure_waits_for_every_declared_source_and_for_no_other() {
    let until = Some("2026-02-28".parse().unwrap());
    let closed = Source { until, ..source("old-office", "case") };
    let all = [source("ward", "case"), source("laboratory", "case"), closed, source("x", "stock")];
    let (mut world, nation, town) = nation(&all, "");
    world.said(town, "case", "somebody", DAY, None);
    world.pass(2_000);
    assert_eq!(state(&mut world, nation, DAY), [UnitState::NoReport], "nobody asked that one");
    world.said(town, "case", "ward", DAY, None);
    world.pass(2_000);
    assert_eq!(state(&mut world, nation, DAY), [UnitState::Partial]);
    let view = own(&mut world, town, "cases", DAY).unwrap();
    assert_eq!((view.sources_reported, view.sources_expected), (1, 2));
    world.said(town, "case", "laboratory", DAY, None);
    world.pass(2_000);
    assert_eq!(state(&mut world, nation, DAY), [UnitState::Reported]);
    for name in ["ward", "laboratory"] {
        world.said(town, "case", name, "2026-02-28", None);
    }
    world.pass(2_000);
    assert_eq!(state(&mut world, nation, "2026-02-28"), [UnitState::Partial], "its last day");
    world.restart("it/03/016", "1", Some(1));
    world.pass(2_000);
    let view = own(&mut world, town, "cases", "2026-02-28").unwrap();
    assert_eq!((view.sources_reported, view.sources_expected), (2, 3));
}

const BEDS: &str = r#"
[indicator.beds]
kind = "stock"
period = { step = "now" }
measure = "sum(beds)"
basis = "residence"
"#;

#[test]
fn a_feed_closes_its_days_by_its_heartbeat_and_a_dead_one_is_noticed() {
    let from = Some("2026-02-28".parse().unwrap());
    let hours = |hours: i64| Some(hours * 3_600_000);
    let feed = |kind: &str| Source { from, silent_after_ms: hours(2), ..source("feed", kind) };
    let (mut world, nation, town) = nation(&[feed("case"), feed("stock")], BEDS);
    let beds = |world: &mut World| {
        let what =
            Question::Situation { indicator: "beds".parse().unwrap(), day: None, own: false };
        match world.ask(nation, operator(), what) {
            Answer::Situation(view) => {
                let states: BTreeMap<UnitState, u64> = view.counts.iter().collect();
                (states, view.told.and_then(|told| told.value))
            }
            other => panic!("{other:?}"),
        }
    };
    let kind = world.schema.kind("stock").unwrap().clone();
    let mut record = Record::new();
    record.set("beds".parse().unwrap(), Value::Integer(7));
    let record = kind.validate(record).unwrap();
    let op = RecordOp::Put { id: RecordId::new("hall").unwrap(), record };
    let what = Question::Write { kind: "stock".parse().unwrap(), ops: vec![op], import: None };
    assert!(matches!(world.ask(town, person(Role::Writer), what), Answer::Written(_)));
    world.said(town, "stock", "feed", "now", None);
    world.said(town, "case", "feed", "now", None);
    world.pass(2_000);
    // The heartbeat of Monday noon closes Sunday and Saturday, and neither Friday nor Monday.
    for (day, closed) in
        [("2026-02-27", false), ("2026-02-28", true), (DAY, true), ("2026-03-02", false)]
    {
        assert_eq!(own(&mut world, town, "cases", day).is_some(), closed, "{day}");
    }
    assert_eq!(state(&mut world, nation, DAY), [UnitState::Reported]);
    let seven = Some(Bounds::exact(7));
    assert_eq!(beds(&mut world), (BTreeMap::from([(UnitState::Reported, 1)]), seven));
    world.pass_over(3 * 3_600_000);
    let silent = (BTreeMap::from([(UnitState::Partial, 1)]), seven);
    assert_eq!(beds(&mut world), silent, "the feed says nothing any more");
    world.said(town, "stock", "feed", "now", None);
    world.pass(2_000);
    assert_eq!(beds(&mut world).0, BTreeMap::from([(UnitState::Reported, 1)]));
    // It dies on Monday: Monday stays open, and is told as such after its deadline.
    world.pass_over(48 * 3_600_000);
    world.pass(5_000);
    assert_eq!(state(&mut world, nation, "2026-03-02"), [UnitState::NoReport]);
    world.said(town, "case", "feed", "now", None);
    world.pass(2_000);
    assert_eq!(state(&mut world, nation, "2026-03-02"), [UnitState::Reported], "it caught up");
    assert_eq!(world.total(nation, "2026-03-02"), Some(0));
}
