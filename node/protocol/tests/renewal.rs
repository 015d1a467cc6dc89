//! Certificates that are issued are in the ledger; renewed ones reach whom they are for, and those who
//! stand below them.

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
use reeve_protocol::refusal::Refusal;
use reeve_protocol::rows::IssuedRow;
use reeve_sim::registry::stamp;
use reeve_statement::cert::{
    Actions, AuthorityGrant, Chain, Issuer, NodeGrant, Stamp, Validity, WriterGrant,
};
use reeve_statement::ledger::issuance_entry;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;
use world::{NOON, World, key, operator, unit};

/// 299 days after noon; what the world issues ends after 300 days.
const EARLIER: i64 = NOON + 299 * 86_400_000;
/// 350 days after noon.
const LATER: i64 = NOON + 350 * 86_400_000;

fn until(name: &str, end: i64) -> Stamp {
    let Stamp { serial, validity } = stamp(name);
    let not_after = Timestamp::from_millis(end);
    Stamp { serial, validity: Validity { not_after, ..validity } }
}

/// A chain below the present authority of a unit, made as its holder makes it.
fn issue(
    world: &mut World,
    path: &UnitPath,
    make: impl FnOnce(&Issuer<'_>) -> reeve_statement::cert::Certificate,
) -> Chain {
    let (authority, mut above) = world.registry.authority(path);
    let signer = key(&format!("authority {path}"));
    let leaf = make(&Issuer::new(&authority, &signer).unwrap());
    above.insert(0, authority);
    Chain::new(leaf, above).unwrap()
}

fn node(world: &mut World, path: &str, label: &str, term: Option<u64>, end: i64) -> Chain {
    let path = unit(path);
    let name = format!("node {path} {label}");
    issue(world, &path, |issuer| {
        let (label, actions) = (label.to_owned(), Actions::of_node());
        let grant = NodeGrant { label, key: key(&name).public(), actions, term };
        issuer.node(&grant, &until(&format!("renewed {name} {end}"), end)).unwrap()
    })
}

fn writer(world: &mut World, path: &str, label: &str, end: i64) -> Chain {
    let path = unit(path);
    let name = format!("writer {path} {label}");
    issue(world, &path, |issuer| {
        let (label, actions) = (label.to_owned(), Actions::all());
        let grant = WriterGrant { label, key: key(&name).public(), actions, kinds: Vec::new() };
        issuer.writer(&grant, &until(&format!("renewed {name} {end}"), end)).unwrap()
    })
}

fn authority(world: &mut World, path: &str, end: i64) -> Chain {
    let path = unit(path);
    issue(world, &path.parent().unwrap(), |issuer| {
        let grant = AuthorityGrant {
            unit: path.leaf().clone(),
            level: "level".to_owned(),
            key: key(&format!("authority {path}")).public(),
            actions: Actions::all(),
            levels_below: issuer.certificate().levels_below().unwrap() - 1,
        };
        issuer.authority(&grant, &until(&format!("renewed authority {path}"), end)).unwrap()
    })
}

fn status(world: &mut World, at: NodeKey) -> Status {
    match world.ask(at, operator(), Question::Status) {
        Answer::Status(status) => *status,
        other => panic!("{other:?}"),
    }
}

fn end_of(world: &mut World, at: NodeKey, peer: NodeKey) -> Timestamp {
    let status = status(world, at);
    let peer = status.peers.iter().find(|it| it.key == peer && it.connected);
    peer.and_then(|it| it.not_after).expect("it is connected")
}

fn issued(world: &mut World, at: NodeKey) -> Vec<IssuedRow> {
    match world.ask(at, operator(), Question::Issued { term: None, from: 0, limit: 100 }) {
        Answer::Issued(rows) => rows,
        other => panic!("{other:?}"),
    }
}

fn renew(world: &mut World, at: NodeKey, chain: &Chain) {
    let answer = world.ask(at, operator(), Question::Renew(chain.to_cbor()));
    assert!(matches!(answer, Answer::Done), "{answer:?}");
}

#[test]
fn a_node_s_own_renewed_certificate_is_entered_shown_and_kept() {
    let mut world = World::new();
    let (nation, region) = (world.add("it"), world.add("it/03"));
    let before = status(&mut world, region).ledger_size;
    let chain = node(&mut world, "it/03", "1", Some(1), LATER);
    renew(&mut world, region, &chain);
    let end = Timestamp::from_millis(LATER);
    assert_eq!(status(&mut world, region).not_after, end);
    assert_eq!(end_of(&mut world, nation, region), end, "its superior knows at once");
    let kept = world.sites[&region].renewed.clone().unwrap();
    assert_eq!(kept.0, chain.to_cbor(), "the shell is told to keep it");
    let rows = issued(&mut world, region);
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(row.entry, issuance_entry(chain.leaf().der()));
    assert_eq!((row.index, row.by.as_str()), (before, "certificate renew"));
    assert_eq!(status(&mut world, region).ledger_size, before + 1);
    let proof = Question::Inclusion { term: None, index: row.index, size: before + 1 };
    assert!(matches!(world.ask(region, operator(), proof), Answer::Proof { .. }));
    // The end of a term is no renewal; a later term is one, and more: see `terms.rs`.
    let other = node(&mut world, "it/03", "1", None, LATER + 1_000);
    let answer = world.ask(region, operator(), Question::Renew(other.to_cbor()));
    let refused = Failure::Refused(Refusal::OldTerm);
    assert!(matches!(&answer, Answer::Failed(failure) if *failure == refused), "{answer:?}");
}

#[test]
fn a_node_whose_certificate_ended_before_it_met_its_superior_takes_the_next_one() {
    let mut world = World::new();
    let (nation, region) = (world.add("it"), world.add("it/03"));
    world.set_down(nation, true);
    let rows = world.kill(region);
    let mut settings = world.settings(&unit("it/03"), "1", Some(1));
    settings.chain = node(&mut world, "it/03", "1", Some(1), NOON + 20_000);
    let region = world.start(settings, rows);
    world.pass(30_000);
    let chain = node(&mut world, "it/03", "1", Some(1), LATER);
    renew(&mut world, region, &chain);
    assert!(issued(&mut world, region).is_empty(), "nothing is entered before it may sign");
    world.set_down(nation, false);
    world.pass(2_000);
    assert!(world.linked(nation, region));
    assert_eq!(issued(&mut world, region).len(), 1);
}

#[test]
fn what_the_authority_issued_is_entered_once_also_over_a_restart() {
    let mut world = World::new();
    let nation = world.add("it");
    let own = node(&mut world, "it", "5", None, LATER).leaf().der().to_vec();
    let foreign = node(&mut world, "it/03", "5", None, LATER).leaf().der().to_vec();
    let enter = |world: &mut World, certificate: &[u8]| {
        let certificates = vec![certificate.to_vec()];
        let question = Question::Issue { certificates, by: "enrolment".to_owned() };
        world.ask(nation, operator(), question)
    };
    let before = status(&mut world, nation).ledger_size;
    assert!(matches!(enter(&mut world, &own), Answer::Done));
    assert!(matches!(enter(&mut world, &own), Answer::Done));
    assert_eq!(status(&mut world, nation).ledger_size, before + 1);
    let answer = enter(&mut world, &foreign);
    let refused = Failure::Refused(Refusal::OtherIssuer);
    assert!(matches!(&answer, Answer::Failed(failure) if *failure == refused), "{answer:?}");
    world.restart("it", "1", Some(1));
    assert!(matches!(enter(&mut world, &own), Answer::Done));
    assert_eq!(status(&mut world, nation).ledger_size, before + 1);
    // What the folder holds and the ledger does not is entered at the start.
    let rows = world.kill(nation);
    let mut settings = world.settings(&unit("it"), "1", Some(1));
    let late = node(&mut world, "it", "6", None, LATER).leaf().der().to_vec();
    settings.issued = vec![own, late.clone()];
    world.start(settings, rows);
    let rows = issued(&mut world, nation);
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (rows[1].certificate.as_slice(), rows[1].by.as_str()),
        (&*late, "found at the start")
    );
}

#[test]
fn another_node_of_the_home_and_its_writer_are_renewed_at_the_first() {
    let mut world = World::new();
    world.add("it");
    let first = world.add("it/03");
    let second = world.add_node("it/03", "2", None);
    world.pass(1_000);
    let chain = node(&mut world, "it/03", "2", None, LATER);
    renew(&mut world, first, &chain);
    world.pass(100);
    let end = Timestamp::from_millis(LATER);
    assert_eq!(status(&mut world, second).not_after, end);
    assert_eq!(end_of(&mut world, first, second), end);
    let chain = writer(&mut world, "it/03", "2", LATER);
    renew(&mut world, first, &chain);
    world.pass(100);
    assert_eq!(status(&mut world, second).writer_not_after, end);
    assert_eq!(world.sites[&second].renewed.clone().unwrap().1, chain.to_cbor());
    // It writes on, and the first node takes what it writes.
    world.put_case(second, "c1", "2026-03-01", "f");
    world.pass(1_000);
    assert!(world.day_of(first, "c1").is_some());
    // One that is away gets it when it comes back.
    world.set_down(second, true);
    let later = node(&mut world, "it/03", "2", None, LATER + 1_000);
    renew(&mut world, first, &later);
    assert_eq!(status(&mut world, second).not_after, end);
    world.set_down(second, false);
    world.pass(1_000);
    assert_eq!(status(&mut world, second).not_after, Timestamp::from_millis(LATER + 1_000));
    assert_eq!(issued(&mut world, first).len(), 3);
    assert!(issued(&mut world, second).is_empty(), "the unit has one ledger");
}

#[test]
fn a_renewed_authority_re_anchors_everybody_below() {
    let mut world = World::new();
    let nation = world.add("it");
    let region = world.add("it/03");
    let leaf = world.add("it/03/016");
    world.pass(1_000);
    let old = status(&mut world, leaf).authority_not_after.unwrap();
    // One that ends earlier renews nothing.
    let chain = authority(&mut world, "it/03", EARLIER);
    renew(&mut world, nation, &chain);
    world.pass(1_000);
    assert_eq!(world.counter(region, "certificates", "re_anchored"), 0);
    world.set_down(region, true);
    let chain = authority(&mut world, "it/03", LATER);
    renew(&mut world, nation, &chain);
    world.restart("it", "1", Some(1));
    world.set_down(region, false);
    world.pass(2_000);
    for (node, chains) in [(region, 1), (leaf, 1)] {
        assert_eq!(world.counter(node, "certificates", "re_anchored"), chains);
        let kept = world.sites[&node].renewed.clone().unwrap();
        for bytes in [kept.0, kept.1] {
            let kept = Chain::from_cbor(&bytes).unwrap();
            assert!(kept.authorities().contains(chain.leaf()), "node and writer stand below it");
        }
    }
    // The nation's own certificate still ends as before, and so does the shortest of the leaf's.
    assert_eq!(status(&mut world, leaf).authority_not_after.unwrap(), old);
    assert!(world.linked(nation, region) && world.linked(region, leaf));
    world.put_case(leaf, "c1", "2026-03-01", "f");
    // A unit cannot renew its own authority.
    let answer = world.ask(leaf, operator(), Question::Renew(chain.to_cbor()));
    assert!(matches!(answer, Answer::Failed(_)), "{answer:?}");
}
