//! A store that was restored from a backup does nothing a second time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod world;

use std::collections::{BTreeMap, BTreeSet};

use reeve_protocol::from_backup::{FromBackup, begin_anew, log_key};
use reeve_protocol::local::{Answer, Question, Status};
use reeve_protocol::rows::{FORMAT, SentRow, format_key};
use reeve_protocol::{Node, NodeKey, StartError};
use reeve_statement::time::Timestamp;
use world::{CATALOGUE, World, operator, unit};

const DAY: &str = "2026-03-01";
const HOME: &str = "it/03";

type Disk = BTreeMap<Vec<u8>, Vec<u8>>;

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

/// What a restoration makes of the rows of a backup.
fn restored(mut rows: Disk, term: u64, world: &World) -> Disk {
    let now = world.time().wall;
    let from =
        FromBackup { term, made_at: Timestamp::from_millis(0), restored_at: now, followed: false };
    let log = rows.get(&log_key()).cloned();
    rows.extend(begin_anew(log.as_deref(), &from));
    rows
}

/// Starts a unit's first node on a disk, with the certificate of a term.
fn start(world: &mut World, path: &str, term: u64, disk: Disk) -> NodeKey {
    let settings = world.settings(&unit(path), "1", Some(term));
    world.start(settings, disk)
}

/// A nation and a home of two nodes, with two cases; what its first node's disk held then; and a third case
/// that was written at the first node and told afterwards.
fn lost() -> (World, NodeKey, NodeKey, Disk) {
    let mut world = World::new();
    let nation = world.add("it");
    let first = world.add(HOME);
    world.publish_catalogue(nation, "it", CATALOGUE);
    let second = world.add_node(HOME, "2", None);
    world.put_case(first, "c1", DAY, "f");
    world.put_case(second, "c2", DAY, "f");
    world.pass(2_000);
    let backup = world.sites[&first].rows.clone();
    world.put_case(first, "c3", DAY, "m");
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), Some(3));
    world.kill(first);
    (world, nation, second, backup)
}

#[test]
fn a_restored_store_signs_in_a_later_term_only() {
    let (mut world, nation, _, backup) = lost();
    for superior_remembers in [true, false] {
        if !superior_remembers {
            // A superior that forgot everything does not make a second first edition right.
            let place = world.settings(&unit("it"), "1", Some(1));
            world.kill(nation);
            world.start(place, Disk::new());
        }
        let disk = restored(backup.clone(), 1, &world);
        let first = start(&mut world, HOME, 1, disk);
        let before = sent(&mut world, first, None).len();
        world.put_case(first, "c4", DAY, "f");
        world.pass(70_000);
        let told = status(&mut world, first);
        assert_eq!(told.restored_from.map(|from| from.term), Some(1));
        assert_eq!(sent(&mut world, first, None).len(), before, "nothing is signed");
        world.kill(first);
    }
}

#[test]
fn a_new_term_goes_on_with_what_the_home_and_the_superior_hold() {
    let (mut world, nation, second, backup) = lost();
    let editions = world.figure(nation, DAY).unwrap().edition;
    let known: BTreeSet<_> = {
        let first = start(&mut world, HOME, 1, backup.clone());
        let known = sent(&mut world, first, None);
        world.kill(first);
        known.iter().map(|row| (row.term, row.figure.clone(), row.edition)).collect()
    };
    // The other node of the home is away: it is waited for.
    world.set_down(second, true);
    let disk = restored(backup, 1, &world);
    let first = start(&mut world, HOME, 2, disk);
    world.put_case(first, "c4", DAY, "f");
    world.pass(20_000);
    let told = status(&mut world, first);
    assert!(told.following_home && told.restored_from.is_none(), "{told:?}");
    assert!(sent(&mut world, first, None).is_empty(), "its figure would go back");
    world.set_down(second, false);
    world.pass(5_000);
    assert!(!status(&mut world, first).following_home);
    assert_eq!(world.total(nation, DAY), Some(4), "what was written after the backup is back");
    let told = sent(&mut world, first, None);
    let figures: Vec<_> = told.iter().filter(|row| row.figure.is_some()).collect();
    assert!(!figures.is_empty() && figures.iter().all(|row| row.term == 2), "{figures:?}");
    for row in &figures {
        assert!(!known.contains(&(row.term, row.figure.clone(), row.edition)), "{row:?}");
    }
    assert!(world.figure(nation, DAY).unwrap().edition > editions);
    for at in [first, second] {
        assert!(status(&mut world, at).forks.is_empty(), "its writer is another actor");
    }
    for label in ["equivocation", "old_edition", "old_term", "ledger_regressed", "ledger_forked"] {
        assert_eq!(world.counter(nation, "refused_statements", label), 0, "{label}");
    }
    // It is remembered that the home was followed.
    world.set_down(second, true);
    let first = world.restart(HOME, "1", Some(2));
    world.put_case(first, "c5", DAY, "f");
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), Some(5));
}

#[test]
fn a_home_whose_other_node_is_gone_for_good_reports_on_after_a_while() {
    let (mut world, nation, second, backup) = lost();
    world.set_down(second, true);
    let disk = restored(backup, 1, &world);
    let first = start(&mut world, HOME, 2, disk);
    world.pass(30_000);
    assert!(sent(&mut world, first, None).is_empty());
    world.pass(40_000);
    assert_eq!(world.total(nation, DAY), Some(2), "what the backup knew");
    assert_eq!(world.counter(first, "restored", "home_not_followed"), 1);
}

#[test]
fn the_first_unit_that_nobody_remembers_begins_a_later_term_too() {
    let mut world = World::new();
    let nation = world.add("it");
    let leaf = world.add("it/05");
    world.publish_catalogue(nation, "it", CATALOGUE);
    world.put_case(leaf, "c1", DAY, "f");
    world.pass(2_000);
    let backup = world.sites[&nation].rows.clone();
    world.put_case(leaf, "c2", DAY, "f");
    world.pass(2_000);
    world.kill(nation);
    let disk = restored(backup, 9, &world);
    let nation = start(&mut world, "it", 9, disk);
    let before = sent(&mut world, nation, None).len();
    world.put_case(leaf, "c3", DAY, "f");
    world.pass(2_000);
    assert_eq!(sent(&mut world, nation, None).len(), before, "terms up to this one are over");
    assert_eq!(status(&mut world, nation).restored_from.map(|from| from.term), Some(9));
    let chain = world.registry.node(&unit("it"), "1", Some(10));
    let answer = world.ask(nation, operator(), Question::Renew(chain.to_cbor()));
    assert!(matches!(answer, Answer::Done), "{answer:?}");
    world.pass(5_000);
    assert_eq!(world.total(nation, DAY), Some(3));
    let told = sent(&mut world, nation, None);
    assert!(!told.is_empty() && told.iter().all(|row| row.term == 10), "{told:?}");
}

#[test]
fn rows_of_a_newer_program_are_refused_before_anything_is_read() {
    let (mut world, _, _, mut backup) = lost();
    assert_eq!(backup[&format_key()], FORMAT.to_be_bytes(), "the store says what it is");
    backup.insert(format_key(), (FORMAT + 1).to_be_bytes().to_vec());
    let settings = world.settings(&unit(HOME), "1", Some(1));
    let mut node = Node::new(settings, world.time()).unwrap();
    let newer = (FORMAT + 1).to_be_bytes();
    let refused = [
        Node::check_format(Some(&newer)).unwrap_err(),
        node.restore(&format_key(), &newer).unwrap_err(),
    ];
    for error in refused {
        assert!(matches!(error, StartError::NewerRows { found: 2, supported: 1 }), "{error}");
    }
    Node::check_format(None).unwrap();
    Node::check_format(Some(&FORMAT.to_be_bytes())).unwrap();
}
