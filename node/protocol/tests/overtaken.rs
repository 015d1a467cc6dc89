//! What comes late, or twice: nothing goes back to what held before.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod world;

use reeve_protocol::NodeKey;
use reeve_protocol::effect::Channel;
use reeve_protocol::local::{Answer, Question};
use reeve_protocol::refusal::Refusal;
use reeve_protocol::rows::SentRow;
use reeve_protocol::wire::{
    Blob, Downward, Have, HavePage, HelloAnswer, ReportAnswer, Upward, decode,
};
use reeve_statement::catalogue::RecipientClass;
use reeve_statement::cbor::to_vec;
use reeve_statement::cose::Signed;
use reeve_statement::digest::Digest;
use reeve_statement::request::Request;
use reeve_statement::statement::{Audience, Body, Onward};
use world::hostile::{Caught, Hostile};
use world::{CATALOGUE, World, operator, unit};

const DAY: &str = "2026-03-01";
const LEAF: &str = "it/03/016";
const REGION: &str = "it/03";

/// A leaf that has reported a case, and a second node of its superior, which it has dialled; with that
/// one's hello of its first term that is still on its way.
struct Late {
    world: World,
    leaf: NodeKey,
    superior: Hostile,
    welcome: Box<dyn FnOnce(&mut World)>,
}

fn late() -> Late {
    let mut world = World::new();
    let nation = world.add("it");
    world.add(REGION);
    let leaf = world.add(LEAF);
    world.publish_catalogue(nation, "it", CATALOGUE);
    world.put_case(leaf, "c1", DAY, "f");
    world.pass(1_000);
    let first = Hostile::of(&mut world, REGION, 2, "2");
    assert!(matches!(world.ask(leaf, operator(), first.admission()), Answer::Done));
    first.is_dialled(&mut world, leaf);
    let hello = world.caught.pop().unwrap();
    let said = first.says(&world, Vec::new());
    let welcome = move |world: &mut World| {
        world.answer(&hello, to_vec(&HelloAnswer::Welcome(said)));
    };
    // Meanwhile it is appointed, and says hello in its new term.
    let superior = Hostile::of(&mut world, REGION, 3, "2");
    let answer = superior.hello(&mut world, leaf);
    assert!(matches!(answer, HelloAnswer::Welcome(_)), "{answer:?}");
    Late { world, leaf, superior, welcome: Box::new(welcome) }
}

/// Its request for these purposes, signed so many milliseconds from now, without the chain that its hello
/// told.
fn request(it: &Late, purpose: &str, in_ms: i64) -> Vec<u8> {
    let request = Request {
        class: RecipientClass::Superior,
        indicators: Vec::new(),
        from: None,
        to: None,
        subscribe: true,
        purpose: purpose.to_owned(),
        legal_basis: String::new(),
        response_level: 0,
        catalogue_version: 1,
        calendar: None,
    };
    let signed = it.superior.signed(&it.world, DAY, 1, |statement| {
        statement.body = Body::Request(request);
        statement.audience = Audience::Unit(unit(LEAF));
        statement.onward = Onward::Superiors;
        statement.issued_at = statement.issued_at.plus_millis(in_ms);
    });
    Signed::decode(&signed).unwrap().without_chain().to_bytes()
}

fn say(it: &mut Late, what: &Downward) -> ReportAnswer {
    let answer = it.superior.frame(&mut it.world, it.leaf, Channel::Report, to_vec(what));
    decode(&answer).unwrap()
}

fn ask(it: &mut Late, request: Vec<u8>) -> ReportAnswer {
    say(it, &Downward::Ask(Blob(request)))
}

#[test]
fn an_answer_from_before_an_appointment_does_not_undo_it() {
    let mut it = late();
    let welcome = core::mem::replace(&mut it.welcome, Box::new(|_| {}));
    welcome(&mut it.world);
    // What it signs is known by its hello of the new term.
    let first = request(&it, "care", 0);
    assert_eq!(ask(&mut it, first), ReportAnswer::Accepted);
}

#[test]
fn a_request_that_a_later_one_overtook_is_not_followed() {
    let mut it = late();
    let (first, later) = (request(&it, "first", 0), request(&it, "later", 10));
    assert_eq!(ask(&mut it, first.clone()), ReportAnswer::Accepted);
    assert_eq!(ask(&mut it, later.clone()), ReportAnswer::Accepted);
    let old = ReportAnswer::Refused(Refusal::OldVersion);
    assert_eq!(ask(&mut it, first), old, "it comes twice, or late");
    assert_eq!(ask(&mut it, later), ReportAnswer::Accepted, "the same again is no other");
}

/// Editions of the day that its ledger names, with their places.
fn editions(world: &mut World, leaf: NodeKey) -> Vec<SentRow> {
    let what = Question::Sent { term: None, before: None, limit: 1_000 };
    let Answer::Sent(mut rows) = world.ask(leaf, operator(), what) else { panic!("no answer") };
    let day = |row: &SentRow| {
        let figure = row.figure.as_ref();
        figure.and_then(|it| it.period).is_some_and(|period| period.to_string() == DAY)
    };
    rows.retain(day);
    rows.sort_by_key(|row| row.index);
    rows
}

fn holds(figures: Vec<Have>) -> Downward {
    Downward::Have(HavePage { figures, page: 0, pages: 1, ledger_size: 0, term: 0, catalogue: 1 })
}

/// The first delivery that waits for an answer, and the statement that it is of.
fn delivered(world: &mut World) -> Option<(Caught, Digest)> {
    let statement = |caught: &Caught| match decode(&caught.bytes) {
        Ok(Upward::Deliver { statement, .. }) => Signed::decode(&statement.0).ok(),
        _ => None,
    };
    let at = world.caught.iter().position(|caught| statement(caught).is_some())?;
    let caught = world.caught.remove(at);
    let digest = statement(&caught)?.digest();
    Some((caught, digest))
}

#[test]
fn what_an_earlier_term_said_under_the_same_number_is_told_over() {
    let mut it = late();
    let chain = it.world.registry.node(&unit(LEAF), "1", Some(2));
    let renewed = it.world.ask(it.leaf, operator(), Question::Renew(chain.to_cbor()));
    assert!(matches!(renewed, Answer::Done), "{renewed:?}");
    // It holds nothing yet.
    assert_eq!(say(&mut it, &holds(Vec::new())), ReportAnswer::Accepted);
    let asked = request(&it, "care", 0);
    assert_eq!(ask(&mut it, asked), ReportAnswer::Accepted);
    it.world.pass(2_000);
    let (delivery, told) = delivered(&mut it.world).unwrap();
    it.world.answer(&delivery, to_vec(&ReportAnswer::Accepted));
    // Then its store is another one, which has heard the first term alone.
    let row = editions(&mut it.world, it.leaf).pop().unwrap();
    assert_eq!(row.statement, told);
    let held = Have {
        id: row.figure.unwrap(),
        term: 1,
        edition: row.edition,
        statement: Digest::of(b"what its first term said"),
    };
    it.world.caught.clear();
    it.superior.connect(&mut it.world, it.leaf);
    it.superior.hello(&mut it.world, it.leaf);
    assert_eq!(say(&mut it, &holds(vec![held])), ReportAnswer::Accepted);
    it.world.pass(2_000);
    let again = delivered(&mut it.world).map(|(_, statement)| statement);
    assert_eq!(again, Some(told), "the same statement, and none after a strange one");
}
