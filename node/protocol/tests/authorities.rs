//! Keys of authorities: another one is believed if the old one signed it or the superior replaced it, and
//! in no other way.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod world;

use reeve_protocol::NodeKey;
use reeve_protocol::local::{Answer, Failure, Question, Status};
use reeve_statement::cert::{Chain, Followed, Loss, Step, Way, hand_on};
use reeve_statement::key::{PublicKey, SecretKey};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;
use world::{CATALOGUE, NOON, World, operator, unit};

const DAY: &str = "2026-03-01";
const LEAF: &str = "it/03/016";

fn reported() -> (World, NodeKey, NodeKey, NodeKey) {
    let mut world = World::new();
    let nation = world.add("it");
    let region = world.add("it/03");
    let leaf = world.add(LEAF);
    world.publish_catalogue(nation, "it", CATALOGUE);
    world.put_case(leaf, "c1", DAY, "f");
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), Some(1));
    (world, nation, region, leaf)
}

fn status(world: &mut World, at: NodeKey) -> Status {
    match world.ask(at, operator(), Question::Status) {
        Answer::Status(status) => *status,
        other => panic!("{other:?}"),
    }
}

fn handed_on(path: &UnitPath) -> impl FnOnce(&SecretKey, &PublicKey) -> Option<Step> {
    let unit = path.leaf().clone();
    move |old, new| Some(hand_on(&unit, old, new))
}

fn renew(world: &mut World, at: NodeKey, chain: &Chain) -> Answer {
    let answer = world.ask(at, operator(), Question::Renew(chain.to_cbor()));
    world.pass(3_000);
    answer
}

#[test]
fn a_key_that_was_handed_on_is_followed_and_the_ledger_goes_on() {
    let (mut world, nation, region, leaf) = reported();
    let path = unit(LEAF);
    let before = status(&mut world, leaf).ledger_size;
    world.registry.rekey(&path, handed_on(&path));
    let node = world.registry.node(&path, "1", Some(1));
    assert!(matches!(renew(&mut world, leaf, &node), Answer::Done));
    let writer = world.registry.writer(&path, "1", Vec::new());
    assert!(matches!(renew(&mut world, leaf, &writer), Answer::Done));
    world.put_case(leaf, "c2", DAY, "f");
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), Some(2));
    assert!(status(&mut world, leaf).ledger_size > before, "in the same term");
    let shown = status(&mut world, region).authorities;
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!((&shown[0].unit, shown[0].change.way), (&path, Followed::HandedOn));
    // Both know it after a start.
    world.restart("it/03", "1", Some(1));
    world.restart(LEAF, "1", Some(1));
    world.put_case(leaf, "c3", DAY, "f");
    world.pass(3_000);
    assert_eq!(world.total(nation, DAY), Some(3));
    assert_eq!(status(&mut world, region).authorities.len(), 1);
}

#[test]
fn attack_a_key_out_of_nowhere_is_refused_by_everybody() {
    let (mut world, nation, region, leaf) = reported();
    let path = unit(LEAF);
    // The superior's key certifies another authority for its subordinate, and says nothing.
    world.registry.rekey(&path, |_, _| None);
    let node = world.registry.node(&path, "1", Some(1));
    let answer = renew(&mut world, leaf, &node);
    let Answer::Failed(Failure::Refused(refusal)) = answer else { panic!("{answer:?}") };
    assert_eq!(refusal.label(), "other_authority", "the unit's own node");
    // A node with such a certificate is not met.
    world.kill(leaf);
    let settings = world.settings(&path, "1", Some(1));
    let rogue = world.start(settings, std::collections::BTreeMap::new());
    world.put_case(rogue, "c9", DAY, "f");
    world.pass(3_000);
    assert!(world.counter(region, "refused_peers", "other_authority") > 0);
    assert_eq!(world.total(nation, DAY), Some(1));
}

#[test]
fn a_replaced_key_is_shown_with_its_reason() {
    let (mut world, nation, region, leaf) = reported();
    let path = unit(LEAF);
    let at = Timestamp::from_millis(NOON);
    let way = Way::Replaced { loss: Loss::Lost, at };
    world.registry.rekey(&path, |old, _| Some(Step { previous: old.public().to_bytes(), way }));
    let node = world.registry.node(&path, "1", Some(1));
    assert!(matches!(renew(&mut world, leaf, &node), Answer::Done));
    for at_node in [region, leaf] {
        let shown = status(&mut world, at_node).authorities;
        assert_eq!(shown[0].change.way, Followed::Replaced { loss: Loss::Lost, at });
    }
    world.put_case(leaf, "c2", DAY, "f");
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), Some(2));
}

#[test]
fn units_below_a_region_follow_its_other_key_by_themselves() {
    let (mut world, nation, region, leaf) = reported();
    let (path, below) = (unit("it/03"), unit(LEAF));
    world.set_down(leaf, true);
    world.registry.rekey(&path, handed_on(&path));
    let node = world.registry.node(&path, "1", Some(1));
    assert!(matches!(renew(&mut world, region, &node), Answer::Done));
    // The leaf's authority keeps its key, and is certified again by the other one.
    let (authority, above) = world.registry.authority(&below);
    let chain = Chain::new(authority, above).unwrap();
    assert!(matches!(renew(&mut world, region, &chain), Answer::Done));
    world.set_down(leaf, false);
    world.pass(5_000);
    world.put_case(leaf, "c2", DAY, "f");
    world.pass(3_000);
    assert_eq!(world.total(nation, DAY), Some(2));
    let shown = status(&mut world, leaf).authorities;
    assert_eq!((&shown[0].unit, shown[0].change.way), (&path, Followed::HandedOn));
}
