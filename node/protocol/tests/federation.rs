//! A federation of cores: figures go up, exactly, through any number of levels.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod world;

use reeve_statement::completeness::UnitState;
use world::{CATALOGUE, World};

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
