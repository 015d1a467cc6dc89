//! What one peer may take of a node, and what becomes of one that goes on sending what no node of ours
//! would.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod world;

use reeve_protocol::NodeKey;
use reeve_protocol::effect::Channel;
use reeve_protocol::refusal::Refusal;
use reeve_protocol::wire::{Hello, HelloAnswer, ReportAnswer, WIRE_VERSION, decode};
use reeve_statement::cbor::to_vec;
use world::hostile::Hostile;
use world::{CATALOGUE, World};

const DAY: &str = "2026-03-01";

/// Longer than a peer is barred.
const BARRED_MS: u64 = 12_000;

/// More messages at fault than a peer may send at once.
const MANY: u32 = 250;

fn with_hostile() -> (World, NodeKey, Hostile) {
    let mut world = World::new();
    let nation = world.add("it");
    let honest = world.add("it/03");
    world.publish_catalogue(nation, "it", CATALOGUE);
    world.put_case(honest, "c1", DAY, "f");
    let hostile = Hostile::admit(&mut world, nation, "it/05", 1);
    hostile.connect(&mut world, nation);
    assert!(matches!(hostile.hello(&mut world, nation), HelloAnswer::Welcome(_)));
    (world, nation, hostile)
}

/// THREATS row 28.
#[test]
fn attack_28_whoever_goes_on_forging_is_barred_for_a_while_and_nobody_else() {
    let (mut world, nation, mut hostile) = with_hostile();
    let mut forged = hostile.notice(&world, DAY, 1);
    *forged.last_mut().unwrap() ^= 1;
    let mut refused = 0;
    for _ in 0..MANY {
        match hostile.deliver(&mut world, nation, &forged) {
            ReportAnswer::Refused(Refusal::BadSignature) => refused += 1,
            other => assert_eq!(other, ReportAnswer::Refused(Refusal::OutOfPlace)),
        }
        if world.counter(nation, "barred_peers", "bad_signature") > 0 {
            break;
        }
    }
    assert!((1..MANY).contains(&refused), "{refused}");
    assert_eq!(world.counter(nation, "barred_peers", "bad_signature"), 1);
    assert!(!world.is_allowed(nation, hostile.key()), "it is not admitted any more");
    let honest = world.add("it/04");
    world.put_case(honest, "c2", DAY, "f");
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), Some(2), "the others are heard");
    // It is let in again, and what it says rightly is taken.
    world.pass(BARRED_MS);
    assert!(world.is_allowed(nation, hostile.key()));
    hostile.connect(&mut world, nation);
    assert!(matches!(hostile.hello(&mut world, nation), HelloAnswer::Welcome(_)));
    let right = hostile.notice(&world, DAY, 1);
    assert_eq!(hostile.deliver(&mut world, nation, &right), ReportAnswer::Accepted);
}

/// THREATS row 31: a message that does not decode is nobody's right, on any channel.
#[test]
fn attack_31_whoever_goes_on_sending_garbage_is_barred() {
    for channel in [Channel::Hello, Channel::Report, Channel::Ledger] {
        let (mut world, nation, hostile) = with_hostile();
        for number in 0..MANY {
            let garbage = number.to_be_bytes().repeat(9);
            hostile.frame(&mut world, nation, channel, garbage);
        }
        assert_eq!(world.counter(nation, "barred_peers", "malformed"), 1, "{channel:?}");
    }
}

/// THREATS row 44: there is no talking a node into another version, and none that was agreed on counts
/// for the next hello.
#[test]
fn attack_44_every_other_version_of_the_wire_is_refused_again_and_again() {
    let (mut world, nation, hostile) = with_hostile();
    for version in [0, WIRE_VERSION - 1, WIRE_VERSION + 1, u16::MAX] {
        let hello = Hello {
            version,
            federation: world.registry.roots.federation(),
            chain: hostile.chain.to_cbor(),
            clock: world.time().wall,
            term: hostile.term,
            catalogue_version: 0,
            writers: Vec::new(),
            nodes: Vec::new(),
        };
        let answer = hostile.frame(&mut world, nation, Channel::Hello, to_vec(&hello));
        let answer: HelloAnswer = decode(&answer).unwrap();
        assert_eq!(answer, HelloAnswer::Refused(Refusal::OtherVersion), "{version}");
    }
    assert_eq!(world.counter(nation, "refused_peers", "other_version"), 4);
}

#[test]
fn a_few_messages_at_fault_are_forgiven() {
    let (mut world, nation, hostile) = with_hostile();
    for _ in 0..20 {
        for _ in 0..20 {
            hostile.frame(&mut world, nation, Channel::Report, vec![0xFF; 3]);
        }
        world.pass(20_000);
    }
    assert_eq!(world.counter(nation, "barred_peers", "malformed"), 0);
}

/// What a superior tells a subordinate at the beginning is megabytes where many figures are held.
#[test]
fn attack_27_a_hello_that_is_said_again_is_answered_and_tells_nothing_again() {
    let (mut world, nation, hostile) = with_hostile();
    let greeted = world.counter(nation, "greeted", "subordinate");
    for _ in 0..100 {
        assert!(matches!(hostile.hello(&mut world, nation), HelloAnswer::Welcome(_)));
    }
    assert_eq!(world.counter(nation, "greeted", "subordinate"), greeted);
    // On a new connection it is told everything: it may have forgotten.
    hostile.connect(&mut world, nation);
    assert!(matches!(hostile.hello(&mut world, nation), HelloAnswer::Welcome(_)));
    assert_eq!(world.counter(nation, "greeted", "subordinate"), greeted + 1);
}
