//! Imports, canaries, and figures that policy or time says something about.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod world;

use std::sync::Arc;

use reeve_crdt::record::{RecordId, Value};
use reeve_crdt::schema::Schema;
use reeve_crdt::twin::RecordOp;
use reeve_policy::authz::{PolicySet, Role};
use reeve_protocol::NodeKey;
use reeve_protocol::consent::Adopter;
use reeve_protocol::local::{Answer, Failure, ImportMode, Question, Status, Sweep};
use reeve_protocol::rows::ImportRow;
use reeve_statement::completeness::UnitState;
use reeve_statement::digest::Digest;
use reeve_statement::names::{FieldId, KindId};
use world::{CATALOGUE, SCHEMA, World, operator, person};

const DAY: &str = "2026-03-01";

fn three_levels(catalogue: &str) -> (World, NodeKey, NodeKey, NodeKey) {
    let mut world = World::new();
    let nation = world.add("it");
    let region = world.add("it/03");
    let leaf = world.add("it/03/016");
    world.add("it/03/015");
    world.publish_catalogue(nation, "it", catalogue);
    (world, nation, region, leaf)
}

fn begin(world: &mut World, at: NodeKey, file: &str, mode: ImportMode) -> u64 {
    let kind = KindId::new("case").unwrap();
    let (file, name) = (Digest::of(file.as_bytes()), file.to_owned());
    let what = Question::BeginImport { kind, file, name, mode };
    match world.ask(at, person(Role::Writer), what) {
        Answer::Begun(number) => number,
        other => panic!("{other:?}"),
    }
}

fn batch(world: &mut World, at: NodeKey, import: u64, ops: Vec<RecordOp>) -> Answer {
    let kind = KindId::new("case").unwrap();
    world.ask(at, person(Role::Writer), Question::Write { kind, ops, import: Some(import) })
}

fn end(world: &mut World, at: NodeKey, import: u64, sweep: Option<Sweep>) -> Answer {
    let closes = vec![DAY.parse().unwrap()];
    let source = "registry".to_owned();
    world.ask(
        at,
        person(Role::Writer),
        Question::EndImport { import, source, closes, reason: None, sweep },
    )
}

fn whole(world: &mut World, at: NodeKey, ids: &[&str], snapshot: bool) -> ImportRow {
    let import = begin(world, at, "cases.csv", ImportMode::Replace);
    let ops: Vec<RecordOp> = ids.iter().map(|id| world.case(id, DAY, "f")).collect();
    assert!(matches!(batch(world, at, import, ops), Answer::Written(_)));
    let hash = |id: &&str| Sweep::hash(&RecordId::new(id).unwrap());
    let sweep = snapshot.then(|| Sweep { seen: ids.iter().map(hash).collect(), scope: Vec::new() });
    match end(world, at, import, sweep) {
        Answer::Ended(row) => row,
        other => panic!("{other:?}"),
    }
}

fn status(world: &mut World, at: NodeKey) -> Status {
    match world.ask(at, operator(), Question::Status) {
        Answer::Status(status) => *status,
        other => panic!("{other:?}"),
    }
}

#[test]
fn figures_of_an_import_are_told_when_it_ends() {
    let (mut world, nation, region, leaf) = three_levels(CATALOGUE);
    let import = begin(&mut world, leaf, "cases.csv", ImportMode::Replace);
    let ops = (0..500).map(|n| world.case(&format!("c{n}"), DAY, "f")).collect();
    assert!(matches!(batch(&mut world, leaf, import, ops), Answer::Written(_)));
    world.pass(2_000);
    // Neither time nor a new connection tells half of it.
    world.set_down(region, true);
    world.set_down(region, false);
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), None);
    let Answer::Ended(row) = end(&mut world, leaf, import, None) else { panic!() };
    assert_eq!(row.inserted, 500);
    world.pass(2_000);
    let view = world.figure(nation, DAY).unwrap();
    assert_eq!(view.total.unwrap().value.lo(), 500);
    assert_eq!(view.edition, 1);
}

#[test]
fn the_same_file_twice_changes_nothing() {
    let (mut world, nation, _, leaf) = three_levels(CATALOGUE);
    whole(&mut world, leaf, &["a", "b", "c"], true);
    world.pass(2_000);
    let (ledger, top) = (status(&mut world, leaf).ledger_size, world.figure(nation, DAY).unwrap());
    let again = whole(&mut world, leaf, &["a", "b", "c"], true);
    world.pass(2_000);
    assert_eq!((again.inserted, again.changed, again.deleted), (0, 0, 0));
    assert_eq!(status(&mut world, leaf).ledger_size, ledger, "no new statement");
    assert_eq!(world.figure(nation, DAY).unwrap().edition, top.edition);
}

#[test]
fn a_snapshot_deletes_what_it_does_not_hold() {
    let (mut world, nation, _, leaf) = three_levels(CATALOGUE);
    whole(&mut world, leaf, &["a", "b", "c"], true);
    let row = whole(&mut world, leaf, &["b", "d"], true);
    assert_eq!((row.inserted, row.deleted), (1, 2));
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), Some(2));
    // Only within its scope.
    let import = begin(&mut world, leaf, "men.csv", ImportMode::Replace);
    let men = Value::Enum("m".into());
    let scope = vec![(FieldId::new("sex").unwrap(), [men].into())];
    let sweep = Sweep { seen: std::collections::BTreeSet::new(), scope };
    assert!(matches!(end(&mut world, leaf, import, Some(sweep)), Answer::Ended(_)));
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), Some(2));
}

#[test]
fn an_import_that_only_adds_replaces_nothing() {
    let (mut world, nation, _, leaf) = three_levels(CATALOGUE);
    whole(&mut world, leaf, &["a", "b"], false);
    let import = begin(&mut world, leaf, "more.csv", ImportMode::Append);
    let same = world.case("a", DAY, "f");
    let new = world.case("z", DAY, "f");
    assert!(matches!(batch(&mut world, leaf, import, vec![same, new]), Answer::Written(_)));
    assert!(matches!(end(&mut world, leaf, import, None), Answer::Ended(_)));
    world.pass(1_000);
    assert_eq!(world.total(nation, DAY), Some(3));
    let import = begin(&mut world, leaf, "other.csv", ImportMode::Append);
    let other = world.case("a", "2026-02-28", "m");
    batch(&mut world, leaf, import, vec![other]);
    let answer = end(&mut world, leaf, import, None);
    assert!(matches!(answer, Answer::Failed(Failure::Exists(1))), "{answer:?}");
    assert_eq!(world.day_of(leaf, "a").unwrap(), DAY);
}

#[test]
fn an_import_of_one_kind_takes_no_other() {
    let (mut world, _, _, leaf) = three_levels(CATALOGUE);
    world.put_case(leaf, "a", DAY, "f");
    let import = begin(&mut world, leaf, "cases.csv", ImportMode::Replace);
    let kind = KindId::new("stock").unwrap();
    let ops = vec![RecordOp::Delete { id: RecordId::new("a").unwrap() }];
    let what = Question::Write { kind, ops, import: Some(import) };
    let answer = world.ask(leaf, person(Role::Writer), what);
    assert!(matches!(answer, Answer::Failed(Failure::UnknownKind(_))), "{answer:?}");
}

#[test]
fn an_interrupted_import_is_shown_until_it_is_run_again() {
    let (mut world, nation, _, leaf) = three_levels(CATALOGUE);
    let import = begin(&mut world, leaf, "cases.csv", ImportMode::Replace);
    let ops = vec![world.case("a", DAY, "f")];
    batch(&mut world, leaf, import, ops);
    world.restart("it/03/016", "1", Some(1));
    assert_eq!(status(&mut world, leaf).interrupted_imports.len(), 1);
    whole(&mut world, leaf, &["a", "b"], false);
    assert_eq!(status(&mut world, leaf).interrupted_imports.len(), 0);
    world.restart("it/03/016", "1", Some(1));
    assert_eq!(status(&mut world, leaf).interrupted_imports.len(), 0);
    // One that nobody goes on with holds its figures back for ten minutes, not for ever.
    begin(&mut world, leaf, "left.csv", ImportMode::Replace);
    world.pass_over(11 * 60_000);
    assert_eq!(status(&mut world, leaf).interrupted_imports.len(), 1);
    assert_eq!(world.total(nation, DAY), Some(2));
}

#[test]
fn no_canary_crosses_the_border() {
    const CANARY: &[u8] = b"canary";
    let (mut world, nation, region, leaf) = three_levels(CATALOGUE);
    let kind = world.schema.kind("case").unwrap().clone();
    let import = begin(&mut world, leaf, "canary-file.csv", ImportMode::Replace);
    let RecordOp::Put { record, .. } = world.case("x", DAY, "f") else { panic!() };
    let mut record = record.into_record();
    let note = kind.field("note").unwrap();
    record.set(note.id.clone(), Value::Text("canary-note".to_owned()));
    let record = kind.validate(record).unwrap();
    let id = RecordId::new("canary-id").unwrap();
    batch(&mut world, leaf, import, vec![RecordOp::Put { id, record }]);
    let source = "canary-source".to_owned();
    let closes = vec![DAY.parse().unwrap()];
    let what = Question::EndImport { import, source, closes, reason: None, sweep: None };
    assert!(matches!(world.ask(leaf, person(Role::Writer), what), Answer::Ended(_)));
    world.pass(3_000);
    assert_eq!(world.total(nation, DAY), Some(1));
    let holds = |bytes: &[u8]| bytes.windows(CANARY.len()).any(|part| part == CANARY);
    let rows = &world.sites[&leaf].rows;
    assert!(rows.iter().any(|(key, value)| holds(key) || holds(value)), "the canaries are at home");
    assert!(!world.wire.iter().any(|frame| holds(frame)), "on the wire");
    for superior in [region, nation] {
        let rows = &world.sites[&superior].rows;
        assert!(!rows.iter().any(|(key, value)| holds(key) || holds(value)), "in a store above");
    }
    for node in [leaf, region, nation] {
        let metrics = world.ask(node, operator(), Question::Metrics);
        let sent =
            world.ask(node, operator(), Question::Sent { term: None, before: None, limit: 100 });
        let state = if node == leaf { Vec::new() } else { vec![status(&mut world, node)] };
        for text in [format!("{metrics:?}"), format!("{sent:?}"), format!("{state:?}")] {
            assert!(!holds(text.as_bytes()), "{text}");
        }
    }
}

#[test]
fn what_policy_declines_is_declined_three_levels_up() {
    let (mut world, nation, _, leaf) = three_levels(CATALOGUE);
    let sibling = world.places[&(world::unit("it/03/015"), "1".to_owned())];
    world.put_case(leaf, "a", DAY, "f");
    world.put_case(sibling, "b", DAY, "f");
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), Some(2));
    let policy = PolicySet::parse("", "policy.cedar").unwrap();
    let answer = world.ask(leaf, operator(), Question::SetPolicy(Box::new(policy), Adopter::Alone));
    assert!(matches!(answer, Answer::Done), "{answer:?}");
    world.pass(2_000);
    let view = world.figure(nation, DAY).unwrap();
    assert_eq!(view.counts.of(UnitState::Declined), 1, "{:?}", view.counts);
    assert_eq!(view.total.unwrap().value.lo(), 1);
}

#[test]
fn silence_is_awaited_then_late_or_never_reported() {
    let (mut world, nation, _, leaf) = three_levels(CATALOGUE);
    let sibling = world.places[&(world::unit("it/03/015"), "1".to_owned())];
    world.put_case(sibling, "before", "2026-02-20", "f");
    world.put_case(leaf, "a", DAY, "f");
    world.pass(2_000);
    let view = world.figure(nation, DAY).unwrap();
    assert_eq!(view.counts.of(UnitState::Awaited), 1, "{:?}", view.counts);
    // The figure of the day is expected 36 hours after its end.
    world.pass_over(36 * 3_600_000);
    let view = world.figure(nation, DAY).unwrap();
    assert_eq!(view.counts.of(UnitState::Late), 1, "{:?}", view.counts);
    let view = world.figure(nation, "2026-02-20").unwrap();
    assert_eq!(view.counts.of(UnitState::NeverReported), 0, "the leaf has reported: it is late");
    assert_eq!(view.counts.of(UnitState::Late), 1, "{:?}", view.counts);
}

#[test]
fn a_unit_that_never_reported_is_said_to_be_so() {
    let (mut world, nation, _, leaf) = three_levels(CATALOGUE);
    world.put_case(leaf, "a", DAY, "f");
    world.pass_over(36 * 3_600_000);
    let view = world.figure(nation, DAY).unwrap();
    assert_eq!(view.counts.of(UnitState::NeverReported), 1, "{:?}", view.counts);
}

#[test]
fn a_day_that_ends_at_the_cut_off_is_expected_from_then_on() {
    let mut world = World::new();
    let schema =
        SCHEMA.replace("reported_on]\ntype = \"date\"", "reported_on]\ntype = \"timestamp\"");
    world.schema = Arc::new(Schema::parse("schema.toml", &schema).unwrap());
    let nation = world.add("it");
    let leaf = world.add("it/03");
    world.add("it/05");
    let catalogue = CATALOGUE.replace("version = 1", "version = 1\ncut_off = 18");
    world.publish_catalogue(nation, "it", &catalogue.replace("\"36h\"", "\"1h\""));
    // It is noon of 2026-03-02.
    for (id, at) in [("a", "2026-03-02T17:59:59Z"), ("b", "2026-03-02T18:00:00Z")] {
        world.put_case(leaf, id, at, "f");
    }
    world.pass(2_000);
    assert_eq!(world.total(nation, "2026-03-02"), Some(1));
    assert_eq!(world.total(nation, "2026-03-03"), Some(1), "18:00 is the next day");
    let hour = 3_600_000;
    world.pass_over(7 * hour - 60_000);
    let view = world.figure(nation, "2026-03-02").unwrap();
    assert_eq!(view.counts.of(UnitState::Awaited), 1, "before 19:00: {:?}", view.counts);
    world.pass_over(60_000);
    let view = world.figure(nation, "2026-03-02").unwrap();
    assert_eq!(view.counts.of(UnitState::NoReport), 1, "after 19:00: {:?}", view.counts);
    let view = world.figure(nation, "2026-03-03").unwrap();
    assert_eq!(view.counts.of(UnitState::Awaited), 1, "that day goes on: {:?}", view.counts);
}
