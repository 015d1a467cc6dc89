//! A federation of cores: figures go up, exactly, through any number of levels.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod world;

use std::sync::Arc;

use reeve_crdt::schema::Schema;
use reeve_policy::authz::{Role, Scope};
use reeve_protocol::effect::Channel;
use reeve_protocol::local::{Answer, Failure, Question, Status};
use reeve_protocol::wire::{Downward, HavePage, Upward, decode};
use reeve_protocol::{NodeKey, rows};
use reeve_statement::bounds::Cell;
use reeve_statement::cbor::to_vec;
use reeve_statement::completeness::UnitState;
use reeve_statement::cose::Signed;
use world::{CATALOGUE, SCHEMA, World, operator, person};

const DAY: &str = "2026-03-01";

fn three_levels() -> (World, reeve_protocol::NodeKey, Vec<reeve_protocol::NodeKey>) {
    let mut world = World::new();
    let nation = world.add("it");
    world.add("it/03");
    world.add("it/05");
    let leaves = ["it/03/016", "it/03/015", "it/05/023"].map(|path| world.add(path)).to_vec();
    world.publish_catalogue(nation, "it", CATALOGUE);
    (world, nation, leaves)
}

#[test]
fn a_record_in_a_leaf_becomes_a_figure_at_the_top() {
    let (mut world, nation, leaves) = three_levels();
    world.put_case(leaves[0], "c1", DAY, "f");
    world.pass(1_000);
    let view = world.figure(nation, DAY).unwrap();
    assert_eq!(view.total.unwrap().value.lo(), 1);
    assert_eq!(view.edition, 1, "the top has signed an edition");
    let areas: Vec<String> = view.table.rows.keys().map(|key| key.area.to_string()).collect();
    assert_eq!(areas, ["03/016"]);
    assert_eq!(view.counts.of(UnitState::Partial), 1);
    assert_eq!(view.counts.total(), 3);
}

#[test]
fn changes_deletions_and_corrections_arrive_exactly() {
    let (mut world, nation, leaves) = three_levels();
    for n in 0..20 {
        world.put_case(leaves[n % 3], &format!("c{n}"), DAY, if n % 2 == 0 { "f" } else { "m" });
    }
    world.pass(1_000);
    assert_eq!(world.total(nation, DAY), Some(20));
    world.put_case(leaves[0], "c0", "2026-02-28", "f");
    let id = reeve_crdt::record::RecordId::new("c1").unwrap();
    world.write(leaves[1], vec![reeve_crdt::twin::RecordOp::Delete { id }]);
    world.pass(1_000);
    assert_eq!(world.total(nation, DAY), Some(18));
    assert_eq!(world.total(nation, "2026-02-28"), Some(1));
}

#[test]
fn zero_needs_a_report() {
    let (mut world, nation, leaves) = three_levels();
    world.put_case(leaves[0], "c1", DAY, "f");
    world.period_closed(leaves[0], DAY);
    world.period_closed(leaves[1], DAY);
    world.pass(1_000);
    let view = world.figure(nation, DAY).unwrap();
    assert_eq!(view.counts.of(UnitState::Reported), 2);
    assert_eq!(view.counts.included(), 2);
    assert_eq!(view.counts.total(), 3);
    assert!(!view.counts.is_complete());
}

#[test]
fn a_superior_that_was_away_catches_up_without_a_flood() {
    let (mut world, nation, leaves) = three_levels();
    let region = world.places[&(world::unit("it/03"), "1".to_owned())];
    world.set_down(region, true);
    for n in 0..50 {
        world.put_case(leaves[0], &format!("c{n}"), DAY, "f");
        world.pass(60);
    }
    let frames = world.wire.len();
    world.set_down(region, false);
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), Some(50));
    assert!(world.wire.len() - frames < 60, "{} frames", world.wire.len() - frames);
}

/// A federation whose cases are about persons, and a catalogue with this floor.
fn of_persons(floor: &str) -> (World, reeve_protocol::NodeKey, reeve_protocol::NodeKey) {
    let mut world = World::new();
    let schema = SCHEMA.replace("expected_records", "subject = \"person\"\nexpected_records");
    world.schema = Arc::new(Schema::parse("schema.toml", &schema).unwrap());
    let nation = world.add("it");
    let leaf = world.add("it/03");
    let catalogue = CATALOGUE.replace("{ public = 1, neighbour = 1, superior = 1 }", floor);
    world.publish_catalogue(nation, "it", &catalogue);
    (world, nation, leaf)
}

#[test]
fn a_class_without_a_floor_is_answered_with_a_notice_and_never_with_hidden_cells() {
    let (mut world, nation, leaf) = of_persons("{}");
    for n in 0..9 {
        world.put_case(leaf, &format!("c{n}"), DAY, "f");
    }
    world.pass(1_000);
    let sent =
        match world.ask(leaf, operator(), Question::Sent { term: None, before: None, limit: 10 }) {
            Answer::Sent(sent) => sent,
            other => panic!("{other:?}"),
        };
    assert!(!sent.is_empty() && sent.iter().all(|row| row.kind == "notice"), "{sent:?}");
    assert_eq!(world.figure(leaf, DAY), None);
    assert_eq!(world.figure(nation, DAY), None, "the nation too is told nothing of its own class");
    let own = own(&mut world, leaf, person(Role::Viewer)).unwrap();
    assert_eq!(own.total.unwrap(), Cell::exact(9, 9), "at home it is what it is");
}

fn own(
    world: &mut World,
    at: reeve_protocol::NodeKey,
    who: reeve_policy::authz::Person,
) -> Option<reeve_protocol::local::OwnView> {
    let indicator = "cases".parse().unwrap();
    let question = Question::OwnFigure { indicator, period: DAY.parse().unwrap() };
    match world.ask(at, who, question) {
        Answer::OwnFigure(view) => view.map(|view| *view),
        Answer::Declined(_) => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn people_at_home_see_their_own_table_as_it_is_and_never_what_others_reported() {
    let (mut world, nation, leaf) = of_persons("{ superior = 5 }");
    world.put_case(leaf, "c1", DAY, "f");
    world.put_case(nation, "n1", DAY, "m");
    world.put_case(nation, "n2", DAY, "m");
    world.period_closed(leaf, DAY);
    world.pass(2_000);
    let protected = world.figure(leaf, DAY).unwrap();
    assert!(!protected.total.unwrap().value.is_exact());
    let view = own(&mut world, leaf, operator()).unwrap();
    assert_eq!((view.total, view.state), (Some(Cell::exact(1, 1)), UnitState::Reported));
    let view = own(&mut world, nation, operator()).unwrap();
    assert_eq!((view.total, view.state), (Some(Cell::exact(2, 2)), UnitState::Partial));
    assert_eq!(view.table.rows.len(), 1, "the leaf's rows are no part of the nation's own table");

    let mut elsewhere = person(Role::Viewer);
    elsewhere.areas = Scope::Only([world::unit("it/05")].into());
    assert_eq!(own(&mut world, leaf, elsewhere), None);
    assert_eq!(own(&mut world, leaf, person(Role::Auditor)), None);
    let issued = world.counter(leaf, "issued", "release");
    own(&mut world, leaf, operator()).unwrap();
    world.pass(1_000);
    assert_eq!(world.counter(leaf, "issued", "release"), issued, "a look is no release");
}

#[test]
fn what_left_the_house_is_told_newest_first_and_page_by_page() {
    let (mut world, _, leaves) = three_levels();
    for n in 0..7 {
        world.put_case(leaves[0], &format!("c{n}"), DAY, "f");
        world.pass(200);
    }
    let mut page = |before, limit| match world.ask(
        leaves[0],
        operator(),
        Question::Sent { term: None, before, limit },
    ) {
        Answer::Sent(sent) => sent.iter().map(|row| row.index).collect::<Vec<u64>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(page(None, 100), [6, 5, 4, 3, 2, 1, 0]);
    assert_eq!(page(None, 3), [6, 5, 4]);
    assert_eq!(page(Some(4), 3), [3, 2, 1]);
    assert_eq!(page(Some(1), 3), [0]);
    assert_eq!(page(Some(0), 3), Vec::<u64>::new());
    assert_eq!(page(Some(99), 1), [6]);
}

#[test]
fn a_restart_loses_nothing_and_reuses_no_edition() {
    let (mut world, nation, leaves) = three_levels();
    for n in 0..5 {
        world.put_case(leaves[0], &format!("c{n}"), DAY, "f");
        world.pass(200);
        for path in ["it/03/016", "it/03", "it"] {
            world.restart(path, "1", Some(1));
        }
        world.pass(1_000);
    }
    assert_eq!(world.total(nation, DAY), Some(5));
    assert_eq!(world.counter(nation, "refused_statements", "equivocation"), 0);
    assert_eq!(world.counter(nation, "refused_statements", "old_edition"), 0);
}

fn status(world: &mut World, node: NodeKey) -> Status {
    match world.ask(node, operator(), Question::Status) {
        Answer::Status(status) => *status,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_superior_that_lost_figures_gets_them_again() {
    let (mut world, nation, leaves) = three_levels();
    world.put_case(leaves[0], "c1", DAY, "f");
    world.put_case(leaves[0], "c2", "2026-02-28", "m");
    world.pass(1_000);
    let region = world.places[&(world::unit("it/03"), "1".to_owned())];
    let mut kept = world.kill(region);
    kept.retain(|key, _| !key.starts_with(rows::HEARD));
    let settings = world.settings(&world::unit("it/03"), "1", Some(1));
    world.start(settings, kept);
    world.pass(2_000);
    assert_eq!(world.counter(leaves[0], "reconcile", "lost_by_superior"), 2);
    assert_eq!(world.total(region, DAY), Some(1));
    assert_eq!(world.total(nation, "2026-02-28"), Some(1));
}

#[test]
fn what_a_superior_said_before_it_accepted_is_no_loss() {
    let (mut world, nation, leaves) = three_levels();
    world.put_case(leaves[0], "c1", DAY, "f");
    world.pass(1_000);
    let region = world.places[&(world::unit("it/03"), "1".to_owned())];
    let sent = world.counter(leaves[0], "deliveries", "sent");
    // What it held when it said hello comes after its acceptance, on a stream of its own.
    let page =
        HavePage { figures: Vec::new(), page: 0, pages: 1, ledger_size: 0, term: 1, catalogue: 0 };
    world.post(region, leaves[0], Channel::Report, to_vec(&Downward::Have(page)));
    world.pass(2_000);
    assert_eq!(world.counter(leaves[0], "reconcile", "lost_by_superior"), 0);
    assert_eq!(world.counter(leaves[0], "deliveries", "sent"), sent);
    assert_eq!(world.total(nation, DAY), Some(1));
}

#[test]
fn what_a_clock_that_was_behind_refused_is_taken_when_it_is_right() {
    let mut world = World::new();
    let nation = world.add("it");
    let leaf = world.add("it/03");
    world.behind_ms.insert(leaf, 10 * 60_000);
    world.publish_catalogue(nation, "it", CATALOGUE);
    world.pass(2_000);
    assert!(world.counter(leaf, "refused_statements", "clock_skew") > 0);
    assert_eq!(status(&mut world, leaf).catalogue_version, 0);
    world.behind_ms.clear();
    world.pass(35_000);
    let after = status(&mut world, leaf);
    assert_eq!((after.catalogue_version, after.asked), (1, true), "nobody had to connect anew");
    world.put_case(leaf, "c1", DAY, "f");
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), Some(1));
}

#[test]
fn a_store_that_was_put_back_signs_nothing_and_says_so() {
    let (mut world, nation, leaves) = three_levels();
    world.put_case(leaves[0], "c1", DAY, "f");
    world.pass(1_000);
    let old = world.sites[&leaves[0]].rows.clone();
    world.put_case(leaves[0], "c2", DAY, "f");
    world.pass(1_000);
    assert_eq!(status(&mut world, leaves[0]).superior_ledger, None);
    world.kill(leaves[0]);
    let settings = world.settings(&world::unit("it/03/016"), "1", Some(1));
    world.start(settings, old);
    world.put_case(leaves[0], "c3", DAY, "f");
    world.put_case(leaves[0], "c4", DAY, "f");
    world.pass(2_000);
    let status = status(&mut world, leaves[0]);
    assert_eq!(status.superior_ledger, Some(status.ledger_size + 1));
    assert_eq!(world.total(nation, DAY), Some(2), "what was told before stands");
}

#[test]
fn a_node_short_of_space_takes_nothing_answers_and_catches_up_by_itself() {
    let (mut world, nation, leaves) = three_levels();
    let region = world.places[&(world::unit("it/03"), "1".to_owned())];
    world.put_case(leaves[0], "c1", DAY, "f");
    world.pass(1_000);
    world.space(leaves[0], true);
    world.space(region, true);
    let record = world.case("c2", DAY, "f");
    let refused = world.write(leaves[0], vec![record]);
    assert!(matches!(refused, Answer::Failed(Failure::NoSpace)), "{refused:?}");
    assert!(status(&mut world, leaves[0]).short_of_space);
    assert_eq!(world.total(nation, DAY), Some(1));
    // Its neighbour has space, and reports to the superior that has none.
    world.put_case(leaves[1], "c3", DAY, "f");
    world.pass(2_000);
    assert_eq!(world.total(region, DAY), Some(1), "it answers with what it had");
    world.space(region, false);
    world.pass(5_000);
    assert_eq!(world.total(nation, DAY), Some(2), "what was refused comes again");
    world.space(leaves[0], false);
    world.put_case(leaves[0], "c2", DAY, "f");
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), Some(3));
}

#[test]
fn a_request_is_signed_once_however_often_nodes_meet() {
    let (mut world, nation, leaves) = three_levels();
    world.put_case(leaves[0], "c1", DAY, "f");
    world.pass(1_000);
    let before = status(&mut world, nation).ledger_size;
    for _ in 0..3 {
        world.restart("it/03", "1", Some(1));
        world.restart("it", "1", Some(1));
        world.pass(1_000);
    }
    assert_eq!(status(&mut world, nation).ledger_size, before);
    world.put_case(leaves[0], "c2", DAY, "f");
    world.pass(1_000);
    assert_eq!(world.total(nation, DAY), Some(2), "the request said again is good");
}

#[test]
fn a_chain_is_told_once_and_kept_with_every_statement() {
    let (mut world, nation, leaves) = three_levels();
    world.put_case(leaves[0], "c1", DAY, "f");
    world.pass(1_000);
    let mut sent = 0;
    for frame in &world.wire {
        let Ok(Upward::Deliver { statement, .. }) = decode::<Upward>(frame) else { continue };
        assert!(!Signed::decode(&statement.0).unwrap().carries_chain());
        sent += 1;
    }
    assert!(sent >= 2, "a leaf and a region told their figures");
    let held = world.sites[&nation].rows.range(rows::STATEMENT.to_vec()..);
    let mut kept = 0;
    for (_, bytes) in held.take_while(|(key, _)| key.starts_with(rows::STATEMENT)) {
        assert!(Signed::decode(bytes).unwrap().carries_chain());
        kept += 1;
    }
    assert!(kept >= 2, "its own release and the region's");
}

/// Two days and more: the deadline of the day that was noon's.
const PAST_DEADLINE_MS: u64 = 49 * 3_600_000;

#[test]
fn a_period_of_which_nobody_speaks_is_told_as_silence() {
    let (mut world, nation, leaves) = three_levels();
    world.put_case(leaves[0], "c1", DAY, "f");
    world.put_case(leaves[2], "c2", DAY, "f");
    world.pass(1_000);
    assert!(world.figure(nation, "2026-03-02").is_none(), "the day is not over");
    world.set_down(leaves[2], true);
    world.pass_over(PAST_DEADLINE_MS);
    world.pass(2_000);
    let view = world.figure(nation, "2026-03-02").unwrap();
    assert!(view.edition >= 1, "the silence is a signed figure");
    assert_eq!(view.counts.included(), 0);
    assert_eq!(view.counts.of(UnitState::NoReport), 2, "their sources are silent: {view:?}");
    assert_eq!(view.counts.of(UnitState::Unreachable), 1, "nobody hears it");
    assert!(world.figure(nation, "2026-03-04").is_none(), "that is not due yet");
}
