//! Reporting terms: a unit reports on after its store was lost or put back, and nothing is told twice.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod world;

use std::collections::BTreeMap;

use reeve_protocol::effect::Channel;
use reeve_protocol::local::{Answer, Question, Status};
use reeve_protocol::refusal::Refusal;
use reeve_protocol::rows::{HeadRow, SentRow};
use reeve_protocol::wire::{Hello, HelloAnswer};
use reeve_protocol::{NodeKey, rows};
use reeve_statement::cbor::{from_slice, to_vec};
use world::hostile::Hostile;
use world::{CATALOGUE, World, operator, unit};

const DAY: &str = "2026-03-01";
const LEAF: &str = "it/03/016";

/// A nation, a region and a leaf that has reported two cases.
fn reported() -> (World, NodeKey, NodeKey, NodeKey) {
    let mut world = World::new();
    let nation = world.add("it");
    let region = world.add("it/03");
    let leaf = world.add(LEAF);
    world.publish_catalogue(nation, "it", CATALOGUE);
    for (id, day) in [("c1", DAY), ("c2", DAY), ("c3", "2026-02-28")] {
        world.put_case(leaf, id, day, "f");
        world.pass(1_000);
    }
    assert_eq!(world.total(nation, DAY), Some(2));
    (world, nation, region, leaf)
}

fn status(world: &mut World, at: NodeKey) -> Status {
    match world.ask(at, operator(), Question::Status) {
        Answer::Status(status) => *status,
        other => panic!("{other:?}"),
    }
}

fn sent(world: &mut World, at: NodeKey, term: Option<u64>) -> Vec<SentRow> {
    match world.ask(at, operator(), Question::Sent { term, before: None, limit: 1_000 }) {
        Answer::Sent(rows) => rows,
        other => panic!("{other:?}"),
    }
}

/// Appoints the node of a unit for a term, as its authority's holder does while it runs.
fn appoint(world: &mut World, at: NodeKey, path: &str, term: u64) -> Answer {
    let chain = world.registry.node(&unit(path), "1", Some(term));
    let answer = world.ask(at, operator(), Question::Renew(chain.to_cbor()));
    world.pass(2_000);
    answer
}

/// Starts a unit's node on a disk, with the certificate of a term.
fn start(world: &mut World, path: &str, term: u64, disk: BTreeMap<Vec<u8>, Vec<u8>>) -> NodeKey {
    let settings = world.settings(&unit(path), "1", Some(term));
    world.start(settings, disk)
}

fn head(world: &World, at: NodeKey, prefix: &[u8]) -> HeadRow {
    let mut rows = world.sites[&at].rows.range(prefix.to_vec()..);
    let (key, value) = rows.next().unwrap();
    assert!(key.starts_with(prefix));
    from_slice("row", value, value.len()).unwrap()
}

#[test]
fn attack_23_a_unit_whose_store_is_lost_reports_on_in_a_new_term() {
    let (mut world, nation, region, leaf) = reported();
    let editions = world.figure(region, DAY).unwrap().edition;
    world.kill(leaf);
    let leaf = start(&mut world, LEAF, 1, BTreeMap::new());
    world.put_case(leaf, "c4", DAY, "f");
    world.pass(2_000);
    assert!(status(&mut world, leaf).superior_ledger.is_some(), "it may not sign");
    assert_eq!(world.total(nation, DAY), Some(2), "what was told before stands");

    let told = head(&world, region, rows::HEAD);
    assert!(matches!(appoint(&mut world, leaf, LEAF, 2), Answer::Done));
    let after = status(&mut world, leaf);
    assert_eq!((after.term, after.superior_ledger, after.superseded_by), (Some(2), None, None));
    assert_eq!(world.total(nation, DAY), Some(1), "what the new store holds, and nobody else does");
    assert!(world.figure(region, DAY).unwrap().edition > editions);
    let leaf_editions: Vec<_> =
        sent(&mut world, leaf, None).iter().map(|row| (row.term, row.edition)).collect();
    assert!(leaf_editions.iter().all(|(term, _)| *term == 2), "{leaf_editions:?}");
    assert!(
        leaf_editions.contains(&(2, 3)),
        "it goes on after the two editions that were accepted: {leaf_editions:?}"
    );
    let newest = head(&world, region, rows::HEAD);
    assert_eq!((newest.term, told.term), (2, 1));
    let past = head(&world, region, rows::PAST_HEAD);
    assert_eq!(past, told, "the last head of the first term is kept");
}

#[test]
fn an_old_copy_reports_on_in_a_new_term_with_what_it_never_sent() {
    let (mut world, nation, _, leaf) = reported();
    let old = world.sites[&leaf].rows.clone();
    world.put_case(leaf, "c5", DAY, "f");
    world.put_case(leaf, "c6", "2026-02-27", "f");
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), Some(3));
    world.kill(leaf);
    let leaf = start(&mut world, LEAF, 1, old);
    world.put_case(leaf, "c7", "2026-02-26", "m");
    world.pass(2_000);
    assert!(status(&mut world, leaf).superior_ledger.is_some());
    assert!(matches!(appoint(&mut world, leaf, LEAF, 2), Answer::Done));
    assert_eq!(world.total(nation, DAY), Some(2), "the copy knows two");
    assert_eq!(world.total(nation, "2026-02-26"), Some(1));
    assert!(
        world.figure(nation, "2026-02-27").unwrap().total.is_none(),
        "nobody holds it any more"
    );
    assert_eq!(world.total(nation, "2026-02-28"), Some(1), "what did not change stands");
    let past = status(&mut world, leaf).past_ledgers;
    assert_eq!(past.iter().map(|(term, _)| *term).collect::<Vec<_>>(), [1]);
    let first = sent(&mut world, leaf, Some(1));
    assert!(!first.is_empty() && first.iter().all(|row| row.term == 1));
    assert!(u64::try_from(first.len()).unwrap() <= past[0].1);
}

#[test]
fn a_stopped_node_begins_the_term_of_its_certificate_when_it_starts() {
    let (mut world, nation, region, leaf) = reported();
    world.kill(leaf);
    let leaf = start(&mut world, LEAF, 2, BTreeMap::new());
    world.put_case(leaf, "c4", DAY, "f");
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), Some(1));
    // And again with the store of the second term: nothing begins anew.
    let before = status(&mut world, leaf).ledger_size;
    let leaf = world.restart(LEAF, "1", Some(2));
    world.put_case(leaf, "c5", DAY, "f");
    world.pass(2_000);
    assert!(status(&mut world, leaf).ledger_size > before);
    assert_eq!(world.total(nation, DAY), Some(2));
    let newest = head(&world, region, rows::HEAD);
    assert_eq!(newest.term, 2);
}

#[test]
fn the_store_of_an_ended_term_is_refused_at_the_door() {
    let (mut world, nation, region, leaf) = reported();
    let disk = world.sites[&leaf].rows.clone();
    assert!(matches!(appoint(&mut world, leaf, LEAF, 2), Answer::Done));
    world.put_case(leaf, "c4", DAY, "f");
    world.pass(2_000);
    world.kill(leaf);
    let leaf = start(&mut world, LEAF, 1, disk);
    world.put_case(leaf, "c5", DAY, "f");
    world.pass(2_000);
    assert!(world.counter(region, "refused_peers", "old_term") > 0);
    assert_eq!(world.total(nation, DAY), Some(3), "only the second term's word counts");
}

#[test]
fn an_earlier_term_is_never_taken_back() {
    let (mut world, _, _, leaf) = reported();
    assert!(matches!(appoint(&mut world, leaf, LEAF, 3), Answer::Done));
    let answer = appoint(&mut world, leaf, LEAF, 2);
    assert!(matches!(answer, Answer::Failed(_)), "{answer:?}");
    assert_eq!(status(&mut world, leaf).term, Some(3));
}

#[test]
fn a_late_refusal_of_an_earlier_terms_hello_ends_no_later_term() {
    let (mut world, _, _, leaf) = reported();
    let other = Hostile::new(&mut world, "it/03", 2);
    other.is_dialled(&mut world, leaf);
    let hello = world.caught.pop().unwrap();
    assert_eq!((hello.to, hello.channel), (other.key(), Channel::Hello));
    // The answer to what it said in its first term comes when it is in its third.
    assert!(matches!(appoint(&mut world, leaf, LEAF, 3), Answer::Done));
    world.answer(&hello, to_vec(&HelloAnswer::Refused(Refusal::OldTerm)));
    assert_eq!(
        status(&mut world, leaf).superseded_by,
        None,
        "it speaks of no term after the third"
    );
    let before = sent(&mut world, leaf, None).len();
    world.put_case(leaf, "c4", DAY, "f");
    world.pass(2_000);
    assert!(sent(&mut world, leaf, None).len() > before, "it signs on");
}

#[test]
fn who_is_renewed_while_its_hello_is_under_way_says_it_again() {
    let (mut world, _, _, leaf) = reported();
    let other = Hostile::admit(&mut world, leaf, "it/03", 2);
    other.is_dialled(&mut world, leaf);
    let hello = world.caught.pop().unwrap();
    assert!(matches!(appoint(&mut world, leaf, LEAF, 3), Answer::Done));
    world.caught.clear();
    let welcome = HelloAnswer::Welcome(other.says(&world, Vec::new()));
    world.answer(&hello, to_vec(&welcome));
    let again = world.caught.iter().find(|it| it.channel == Channel::Hello).unwrap();
    let again: Hello = from_slice("hello", &again.bytes, again.bytes.len()).unwrap();
    assert_eq!((decode_term(&hello.bytes), again.term), (1, 3));
}

fn decode_term(bytes: &[u8]) -> u64 {
    from_slice::<Hello>("hello", bytes, bytes.len()).unwrap().term
}

#[test]
fn a_middle_unit_begins_a_term_and_its_subordinates_go_on() {
    let (mut world, nation, region, leaf) = reported();
    assert!(matches!(appoint(&mut world, region, "it/03", 2), Answer::Done));
    world.put_case(leaf, "c4", DAY, "f");
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), Some(3));
    assert_eq!(status(&mut world, leaf).term, Some(1));
    assert!(sent(&mut world, region, None).iter().any(|row| row.kind == "request"));
}

#[test]
fn the_first_unit_begins_a_term_too() {
    let (mut world, nation, _, leaf) = reported();
    assert!(matches!(appoint(&mut world, nation, "it", 2), Answer::Done));
    world.put_case(leaf, "c4", DAY, "f");
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), Some(3));
    let rows = sent(&mut world, nation, None);
    assert!(rows.iter().all(|row| row.term == 2) && rows.iter().any(|row| row.edition > 1));
}

#[test]
fn a_node_of_the_home_with_a_later_term_ends_this_ones() {
    let (mut world, nation, _, leaf) = reported();
    let second = world.add_node(LEAF, "2", Some(2));
    world.pass(2_000);
    let status = status(&mut world, leaf);
    assert_eq!(status.superseded_by, Some(2), "{:?}", world.linked(leaf, second));
    let before = sent(&mut world, leaf, None);
    world.put_case(leaf, "c4", DAY, "f");
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), Some(3), "the second node reports what replicates to it");
    assert_eq!(sent(&mut world, leaf, None), before, "the ended term signs nothing");
}

#[test]
fn a_clock_that_was_far_ahead_holds_up_its_term_and_not_the_next() {
    let (mut world, _, _, leaf) = reported();
    // Everybody's clock is ahead for a while, and something is signed.
    world.wall_ahead_ms = 3 * 3_600_000;
    world.put_case(leaf, "c4", DAY, "f");
    world.pass(2_000);
    world.wall_ahead_ms = 0;
    world.put_case(leaf, "c5", DAY, "f");
    world.pass(2_000);
    let signed = sent(&mut world, leaf, None).len();
    assert!(status(&mut world, leaf).clock_behind.is_some());
    assert!(matches!(appoint(&mut world, leaf, LEAF, 2), Answer::Done));
    assert!(status(&mut world, leaf).clock_behind.is_none());
    assert!(!sent(&mut world, leaf, Some(2)).is_empty(), "{signed} were signed before");
    // What the store remembers of the first term holds nobody up after a start either.
    let leaf = world.restart(LEAF, "1", Some(2));
    world.put_case(leaf, "c6", DAY, "f");
    world.pass(2_000);
    assert!(status(&mut world, leaf).clock_behind.is_none());
    let disk = world.sites[&leaf].rows.clone();
    world.kill(leaf);
    let leaf = start(&mut world, LEAF, 3, disk);
    world.pass(2_000);
    assert!(status(&mut world, leaf).clock_behind.is_none());
}
