//! Each thing that must be refused is refused by its own name, and counted; also after a restart.

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
use reeve_protocol::local::{Answer, Question};
use reeve_protocol::refusal::Refusal;
use reeve_protocol::wire::{Hello, HelloAnswer, ReportAnswer, WIRE_VERSION, decode};
use reeve_statement::cbor::to_vec;
use reeve_statement::completeness::UnitState;
use reeve_statement::digest::{Digest, FederationId};
use reeve_statement::statement::{Audience, Statement};
use reeve_statement::unit::UnitPath;
use world::hostile::Hostile;
use world::{CATALOGUE, NOON, World, operator, unit};

const DAY: &str = "2026-03-01";

/// A superior with an honest subordinate and one whose frames the test writes.
fn with_hostile() -> (World, NodeKey, Hostile) {
    let mut world = World::new();
    let nation = world.add("it");
    world.add("it/03");
    world.publish_catalogue(nation, "it", CATALOGUE);
    let hostile = Hostile::admit(&mut world, nation, "it/05", 1);
    hostile.connect(&mut world, nation);
    assert!(matches!(hostile.hello(&mut world, nation), HelloAnswer::Welcome(_)));
    (world, nation, hostile)
}

fn refused(world: &mut World, nation: NodeKey, answer: &ReportAnswer, expected: Refusal) {
    assert_eq!(*answer, ReportAnswer::Refused(expected));
    assert!(world.counter(nation, "refused_statements", expected.label()) > 0);
}

/// Delivers a statement twice: before and after the superior was restarted.
fn refused_for_ever(
    world: &mut World,
    nation: NodeKey,
    hostile: &mut Hostile,
    statement: &[u8],
    expected: Refusal,
) {
    let answer = hostile.deliver(world, nation, statement);
    refused(world, nation, &answer, expected);
    world.restart("it", "1", Some(1));
    hostile.connect(world, nation);
    assert!(matches!(hostile.hello(world, nation), HelloAnswer::Welcome(_)));
    let answer = hostile.deliver(world, nation, statement);
    refused(world, nation, &answer, expected);
}

#[test]
fn a_right_statement_is_taken_and_the_same_again_changes_nothing() {
    let (mut world, nation, mut hostile) = with_hostile();
    let statement = hostile.notice(&world, DAY, 1);
    assert_eq!(hostile.deliver(&mut world, nation, &statement), ReportAnswer::Accepted);
    let taken = world.counter(nation, "statements", "accepted");
    assert_eq!(hostile.deliver(&mut world, nation, &statement), ReportAnswer::Accepted);
    assert_eq!(world.counter(nation, "statements", "accepted"), taken, "a replay is no news");
}

#[test]
fn an_older_edition_replayed() {
    let (mut world, nation, mut hostile) = with_hostile();
    let first = hostile.notice(&world, DAY, 1);
    let second = hostile.notice(&world, DAY, 2);
    assert_eq!(hostile.deliver(&mut world, nation, &first), ReportAnswer::Accepted);
    assert_eq!(hostile.deliver(&mut world, nation, &second), ReportAnswer::Accepted);
    refused_for_ever(&mut world, nation, &mut hostile, &first, Refusal::OldEdition);
}

#[test]
fn two_statements_with_one_edition() {
    let (mut world, nation, mut hostile) = with_hostile();
    let one = hostile.notice(&world, DAY, 1);
    assert_eq!(hostile.deliver(&mut world, nation, &one), ReportAnswer::Accepted);
    let other = hostile.signed(&world, DAY, 1, |statement| {
        statement.issued_at = statement.issued_at.plus_millis(1_000);
    });
    refused_for_ever(&mut world, nation, &mut hostile, &other, Refusal::Equivocation);
}

#[test]
fn an_older_term() {
    let (mut world, nation, mut hostile) = with_hostile();
    let old = hostile.notice(&world, DAY, 9);
    let mut newer = Hostile::admit(&mut world, nation, "it/05", 2);
    newer.connect(&mut world, nation);
    assert!(matches!(newer.hello(&mut world, nation), HelloAnswer::Welcome(_)));
    let statement = newer.notice(&world, DAY, 1);
    assert_eq!(newer.deliver(&mut world, nation, &statement), ReportAnswer::Accepted);
    let answer = hostile.deliver(&mut world, nation, &old);
    refused(&mut world, nation, &answer, Refusal::OldTerm);
    // A term that the certificate does not give is no newer one.
    let claimed = hostile.signed(&world, DAY, 10, |statement| statement.term = 7);
    let answer = hostile.deliver(&mut world, nation, &claimed);
    refused(&mut world, nation, &answer, Refusal::OldTerm);
    // Whoever comes back with an ended term is not heard at all.
    world.restart("it", "1", Some(1));
    hostile.connect(&mut world, nation);
    let answer = hostile.hello(&mut world, nation);
    assert_eq!(answer, HelloAnswer::Refused(Refusal::OldTerm));
}

#[test]
fn an_altered_statement() {
    let (mut world, nation, mut hostile) = with_hostile();
    let right = hostile.notice(&world, DAY, 1);
    let mut altered = right.clone();
    *altered.last_mut().unwrap() ^= 1;
    refused_for_ever(&mut world, nation, &mut hostile, &altered, Refusal::BadSignature);
    // No altered byte at all is ever taken.
    for place in (0..right.len()).step_by(97) {
        let mut altered = right.clone();
        altered[place] ^= 0x10;
        let answer = hostile.deliver(&mut world, nation, &altered);
        assert!(matches!(answer, ReportAnswer::Refused(_)), "byte {place}: {answer:?}");
    }
    assert_eq!(hostile.deliver(&mut world, nation, &right), ReportAnswer::Accepted);
}

#[test]
fn a_statement_for_another_audience() {
    let (mut world, nation, mut hostile) = with_hostile();
    let elsewhere = hostile.signed(&world, DAY, 1, |statement| {
        statement.audience = Audience::Unit(unit("it/03"));
    });
    refused_for_ever(&mut world, nation, &mut hostile, &elsewhere, Refusal::OtherAudience);
}

#[test]
fn a_statement_for_another_federation() {
    let (mut world, nation, mut hostile) = with_hostile();
    let elsewhere = hostile.signed(&world, DAY, 1, |statement: &mut Statement| {
        statement.federation = FederationId(Digest::of(b"another"));
    });
    refused_for_ever(&mut world, nation, &mut hostile, &elsewhere, Refusal::OtherFederation);
}

#[test]
fn a_statement_of_a_sibling_passed_on() {
    let (mut world, nation, mut hostile) = with_hostile();
    let sibling = Hostile::admit(&mut world, nation, "it/07", 1);
    let theirs = sibling.notice(&world, DAY, 1);
    refused_for_ever(&mut world, nation, &mut hostile, &theirs, Refusal::OtherIssuer);
}

#[test]
fn a_statement_from_the_future_and_one_whose_time_is_over() {
    let (mut world, nation, mut hostile) = with_hostile();
    let future = hostile.signed(&world, DAY, 1, |statement| {
        statement.issued_at = statement.issued_at.plus_millis(6 * 60_000);
    });
    let answer = hostile.deliver(&mut world, nation, &future);
    refused(&mut world, nation, &answer, Refusal::ClockSkew);
    let over = hostile.signed(&world, DAY, 1, |statement| {
        statement.valid_until = Some(statement.issued_at.plus_millis(-1_000));
    });
    refused_for_ever(&mut world, nation, &mut hostile, &over, Refusal::Stale);
}

#[test]
fn a_ledger_that_went_back() {
    let (mut world, nation, mut hostile) = with_hostile();
    hostile.ledger = 10;
    let first = hostile.notice(&world, DAY, 1);
    assert_eq!(hostile.deliver(&mut world, nation, &first), ReportAnswer::Accepted);
    // A new connection with a smaller ledger: its store was put back.
    world.restart("it", "1", Some(1));
    hostile.connect(&mut world, nation);
    assert!(matches!(hostile.hello(&mut world, nation), HelloAnswer::Welcome(_)));
    hostile.ledger = 3;
    let second = hostile.notice(&world, DAY, 2);
    let answer = hostile.deliver(&mut world, nation, &second);
    refused(&mut world, nation, &answer, Refusal::LedgerRegressed);
}

#[test]
fn deliveries_that_overtake_each_other_are_no_ledger_that_went_back() {
    let (mut world, nation, mut hostile) = with_hostile();
    hostile.ledger = 10;
    let first = hostile.notice(&world, DAY, 1);
    assert_eq!(hostile.deliver(&mut world, nation, &first), ReportAnswer::Accepted);
    hostile.ledger = 9;
    let overtaken = hostile.notice(&world, "2026-02-28", 1);
    assert_eq!(hostile.deliver(&mut world, nation, &overtaken), ReportAnswer::Accepted);
}

fn refused_peer(world: &mut World, nation: NodeKey, answer: &HelloAnswer, expected: Refusal) {
    assert!(matches!(answer, HelloAnswer::Refused(refusal) if *refusal == expected), "{answer:?}");
    assert!(world.counter(nation, "refused_peers", expected.label()) > 0);
}

fn refused_peer_for_ever(world: &mut World, nation: NodeKey, peer: &Hostile, expected: Refusal) {
    for _ in 0..2 {
        peer.connect(world, nation);
        let answer = peer.hello(world, nation);
        refused_peer(world, nation, &answer, expected);
        // Not greeted: nothing else is listened to.
        let statement = peer.notice(world, DAY, 1);
        let answer = peer.clone().deliver(world, nation, &statement);
        refused(world, nation, &answer, Refusal::OutOfPlace);
        world.restart("it", "1", Some(1));
    }
}

#[test]
fn an_unknown_peer() {
    let (mut world, nation, _) = with_hostile();
    let stranger = Hostile::new(&mut world, "it/09", 1);
    refused_peer_for_ever(&mut world, nation, &stranger, Refusal::UnknownPeer);
}

#[test]
fn an_expired_certificate() {
    let (mut world, nation, hostile) = with_hostile();
    world.pass_over(301 * 86_400_000);
    hostile.connect(&mut world, nation);
    let answer = hostile.hello(&mut world, nation);
    refused_peer(&mut world, nation, &answer, Refusal::Expired);
}

#[test]
fn a_certificate_for_another_area() {
    let (mut world, nation, _) = with_hostile();
    let elsewhere = Hostile::new(&mut world, "fr/05", 1);
    refused_peer_for_ever(&mut world, nation, &elsewhere, Refusal::OutOfArea);
    let admit = elsewhere.admission();
    let answer = world.ask(nation, operator(), admit);
    assert!(matches!(answer, Answer::Failed(_)), "{answer:?}");
}

#[test]
fn the_certificate_of_somebody_else() {
    let (mut world, nation, hostile) = with_hostile();
    let mut thief = Hostile::admit(&mut world, nation, "it/07", 1);
    thief.chain = hostile.chain.clone();
    thief.connect(&mut world, nation);
    let answer = thief.hello(&mut world, nation);
    refused_peer(&mut world, nation, &answer, Refusal::OtherKey);
}

#[test]
fn a_peer_of_another_federation() {
    let (mut world, nation, hostile) = with_hostile();
    let hello = Hello {
        version: WIRE_VERSION,
        federation: FederationId(Digest::of(b"another")),
        chain: hostile.chain.to_cbor(),
        clock: world.time().wall,
        term: 1,
        catalogue_version: 0,
        writers: Vec::new(),
        nodes: Vec::new(),
    };
    let bytes = hostile.frame(&mut world, nation, Channel::Hello, to_vec(&hello));
    let answer: HelloAnswer = decode(&bytes).unwrap();
    refused_peer(&mut world, nation, &answer, Refusal::OtherFederation);
}

#[test]
fn garbage_and_messages_before_the_hello() {
    let (mut world, nation, hostile) = with_hostile();
    for bytes in [Vec::new(), vec![0xff; 40], vec![0x82, 0x00], vec![0x9f; 4_000]] {
        for channel in [Channel::Hello, Channel::Report, Channel::Home, Channel::Ledger] {
            hostile.frame(&mut world, nation, channel, bytes.clone());
        }
    }
    assert!(world.counter(nation, "refused_statements", Refusal::Malformed.label()) > 0);
    assert!(world.counter(nation, "refused_peers", Refusal::Malformed.label()) > 0);
    let stranger = Hostile::admit(&mut world, nation, "it/09", 1);
    stranger.connect(&mut world, nation);
    let statement = stranger.notice(&world, DAY, 1);
    let answer = stranger.clone().deliver(&mut world, nation, &statement);
    refused(&mut world, nation, &answer, Refusal::OutOfPlace);
}

#[test]
fn a_revoked_node_is_cut_off_and_every_node_below_hears_of_it() {
    let mut world = World::new();
    let nation = world.add("it");
    let region = world.add("it/03");
    let leaves = ["it/03/016", "it/03/015"].map(|path| world.add(path));
    world.publish_catalogue(nation, "it", CATALOGUE);
    world.put_case(leaves[1], "c1", DAY, "f");
    world.pass(1_000);
    let before = world.total(nation, DAY);
    let list = world.registry.revoke(&unit("it/03/016"), "1", 1, NOON);
    let answer = world.ask(region, operator(), Question::TakeList(list.clone()));
    assert!(matches!(answer, Answer::Done), "{answer:?}");
    world.pass(2_000);
    assert!(!world.linked(region, leaves[0]), "the revoked node is cut off");
    assert!(world.linked(region, leaves[1]), "its sibling is not");
    assert_eq!(world.counter(leaves[1], "lists", "taken"), 1, "the list came down");
    assert_eq!(world.total(nation, DAY), before);
    let view = world.figure(region, DAY).unwrap();
    assert_eq!(view.counts.of(UnitState::Revoked), 1, "{:?}", view.counts);
    // It stays out after a restart of its superior.
    world.restart("it/03", "1", Some(1));
    world.pass(2_000);
    assert!(!world.linked(region, leaves[0]));
    // Whatever it says now is refused by name.
    let revoked = Hostile::of(&mut world, "it/03/016", 1, "1");
    revoked.connect(&mut world, region);
    let answer = revoked.hello(&mut world, region);
    refused_peer(&mut world, region, &answer, Refusal::Revoked);
}

#[test]
fn the_root_revokes_the_first_unit_and_every_node_hears_of_it() {
    let mut world = World::new();
    let nation = world.add("it");
    let region = world.add("it/03");
    let leaf = world.add("it/03/016");
    let list = world.registry.revoke_by_root("a it", 1, NOON);
    let answer = world.ask(nation, operator(), Question::TakeList(list.clone()));
    assert!(matches!(answer, Answer::Done), "{answer:?}");
    world.pass(2_000);
    for (node, below) in [(nation, region), (region, leaf)] {
        assert!(!world.linked(node, below), "all that stand on the revoked authority part");
        assert_eq!(world.counter(below, "lists", "taken"), 1, "and know why");
    }
    // Known after a restart, and an older list of the root does not undo it.
    world.restart("it/03", "1", Some(1));
    world.pass(2_000);
    assert!(!world.linked(region, leaf));
    let mut other = world.registry.revoke_by_root("a it/99", 1, NOON);
    let answer = world.ask(leaf, operator(), Question::TakeList(other.clone()));
    assert!(matches!(answer, Answer::Failed(_)), "another list with its number: {answer:?}");
    // A list by a root of another federation, or one that the root did not sign.
    other = world.registry.revoke_by_root("a it/99", 2, NOON);
    *other.list.last_mut().unwrap() ^= 1;
    let answer = world.ask(leaf, operator(), Question::TakeList(other));
    assert!(matches!(answer, Answer::Failed(_)), "{answer:?}");
    let foreign = world.registry.list_by_foreign_root("a it", 3, NOON);
    let answer = world.ask(leaf, operator(), Question::TakeList(foreign));
    let refused = reeve_protocol::local::Failure::Refused(Refusal::OtherFederation);
    assert!(matches!(&answer, Answer::Failed(failure) if *failure == refused), "{answer:?}");
}

#[test]
fn a_list_that_its_authority_did_not_sign_is_refused() {
    let (mut world, nation, _) = with_hostile();
    let mut list = world.registry.revoke(&unit("it/05"), "hostile-1", 1, NOON);
    *list.list.last_mut().unwrap() ^= 1;
    let answer = world.ask(nation, operator(), Question::TakeList(list));
    assert!(matches!(answer, Answer::Failed(_)), "{answer:?}");
    let path: UnitPath = unit("it/03");
    assert!(world.linked(nation, world.places[&(path, "1".to_owned())]));
}
