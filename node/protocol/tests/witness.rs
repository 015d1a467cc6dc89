//! Witnesses: a superior cosigns ledgers that only grow, a fork is proven and its unit not listened to any
//! more, and nobody's report waits for a witness.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod world;

use std::collections::{BTreeMap, BTreeSet};

use reeve_protocol::effect::Channel;
use reeve_protocol::local::{Answer, Cosignature, Failure, Question, Status};
use reeve_protocol::refusal::Refusal;
use reeve_protocol::rows::{CosignedRow, EquivocationRow, WitnessedRow};
use reeve_protocol::wire::{
    HelloAnswer, LedgerAnswer, LedgerMessage, ReportAnswer, Shown, Upward, decode,
};
use reeve_protocol::witness::WITNESS_MS;
use reeve_protocol::{NodeKey, rows};
use reeve_sim::registry::{key, node_key, stamp};
use reeve_statement::cbor::{from_slice, to_vec};
use reeve_statement::cert::name::dns_name;
use reeve_statement::cert::{Action, Actions, Chain, Issuer, NodeGrant};
use reeve_statement::cose::Signed;
use reeve_statement::digest::Digest;
use reeve_statement::ledger::checkpoint::{Checkpoint, Origin};
use reeve_statement::ledger::cosignature::{
    WitnessName, claimed_witnesses, cosign, verify_cosignature,
};
use reeve_statement::ledger::equivocation::Equivocation;
use reeve_statement::ledger::receipt::Receipt;
use reeve_statement::ledger::{Frontier, NodeAddress, consistency_proof, leaf_hash};
use reeve_statement::time::Timestamp;
use world::hostile::Hostile;
use world::{CATALOGUE, World, operator, unit};

const DAY: &str = "2026-03-01";
const LATER: u64 = WITNESS_MS + 3_000;

fn pair() -> (World, NodeKey, NodeKey) {
    let mut world = World::new();
    let nation = world.add("it");
    let region = world.add("it/03");
    world.publish_catalogue(nation, "it", CATALOGUE);
    (world, nation, region)
}

fn all<T>(world: &World, at: NodeKey, prefix: &[u8]) -> Vec<T>
where
    T: for<'b> minicbor::Decode<'b, ()> + minicbor::Encode<()>,
{
    let rows = world.sites[&at].rows.range(prefix.to_vec()..);
    let rows = rows.take_while(|(key, _)| key.starts_with(prefix));
    rows.map(|(_, value)| from_slice("row", value, value.len()).unwrap()).collect()
}

fn status(world: &mut World, at: NodeKey) -> Status {
    match world.ask(at, operator(), Question::Status) {
        Answer::Status(status) => *status,
        other => panic!("{other:?}"),
    }
}

fn origin(world: &World, path: &str, term: u64) -> Origin {
    let name = dns_name(&unit(path), world.registry.roots.domain()).unwrap();
    Origin::of(&name, term).unwrap()
}

#[test]
fn a_ledger_that_grows_is_cosigned_again_and_again_and_each_goes_on_from_the_last() {
    let (mut world, nation, region) = pair();
    for case in 0..4 {
        world.put_case(region, &format!("c{case}"), DAY, "f");
        world.pass(LATER);
    }
    let cosigned: Vec<CosignedRow> = all(&world, region, rows::COSIGNED);
    assert!(cosigned.len() >= 4, "{}", cosigned.len());
    let origin = origin(&world, "it/03", 1);
    let ledger = node_key(&unit("it/03"), "1").public();
    let name = dns_name(&unit("it"), world.registry.roots.domain()).unwrap();
    let name = WitnessName::of(&name).unwrap();
    for row in &cosigned {
        let checkpoint = Checkpoint::verify(&row.note, &origin, &ledger).unwrap();
        assert_eq!((checkpoint.size, checkpoint.root), (row.size, row.root));
        let witness = Chain::from_cbor(&row.chain).unwrap();
        let at = verify_cosignature(&row.note, &name, witness.leaf().key()).unwrap().unwrap();
        assert_eq!((at, &row.witness), (row.at, &unit("it")));
    }
    for pair in cosigned.windows(2) {
        assert_eq!(pair[1].before, pair[0].size);
        assert!(pair[0].at < pair[1].at);
    }
    let held: Vec<WitnessedRow> = all(&world, nation, rows::WITNESSED);
    assert_eq!((held.len(), held[0].size), (1, cosigned.last().unwrap().size));
    let below = status(&mut world, nation).subordinates.remove(0);
    assert_eq!(below.cosigned, Some((held[0].size, held[0].at)));
    assert!(below.ledger_size >= Some(held[0].size));
    let told = status(&mut world, region).witnessed.unwrap();
    assert_eq!((told.0, told.1), (held[0].size, unit("it")));
    assert_eq!(status(&mut world, nation).witnessed, None, "the top has nobody above it");

    // The first that holds an entry, by place; none for one that nobody has cosigned yet.
    let ask = |world: &mut World, after| match world.ask(
        region,
        operator(),
        Question::Cosigned { term: None, after },
    ) {
        Answer::Cosigned(row) => row.map(|row| row.size),
        other => panic!("{other:?}"),
    };
    let sizes: Vec<u64> = cosigned.iter().map(|row| row.size).collect();
    assert_eq!(ask(&mut world, Some(0)), Some(sizes[0]));
    assert_eq!(ask(&mut world, Some(sizes[0] - 1)), Some(sizes[0]));
    assert_eq!(ask(&mut world, Some(sizes[0])), Some(sizes[1]));
    assert_eq!(ask(&mut world, None), sizes.last().copied());
    assert_eq!(ask(&mut world, sizes.last().copied()), None);
}

#[test]
fn a_receipt_is_signed_only_over_a_ledger_that_was_shown() {
    let (mut world, _, region) = pair();
    for case in 0..3 {
        world.put_case(region, &format!("c{case}"), DAY, "f");
        world.pass(LATER);
    }
    let cosigned: Vec<CosignedRow> = all(&world, region, rows::COSIGNED);
    let sent: Vec<rows::SentRow> = all(&world, region, rows::SENT);
    let row = sent.first().unwrap();
    let of = |world: &mut World, term, size| {
        let question = Question::Inclusion { term, index: row.index, size };
        match world.ask(region, operator(), question) {
            Answer::Proof { receipt, .. } => receipt,
            other => panic!("{other:?}"),
        }
    };
    let now = status(&mut world, region).ledger_size;
    let (origin, key) = (origin(&world, "it/03", 1), node_key(&unit("it/03"), "1").public());
    let shown: BTreeSet<u64> =
        cosigned.iter().map(|row| row.size).chain([now]).filter(|size| *size > row.index).collect();
    assert!(shown.len() >= 3, "{shown:?}");
    for size in row.index + 1..=now {
        let receipt = of(&mut world, None, size);
        assert_eq!(receipt.is_some(), shown.contains(&size), "{size}");
        let Some(receipt) = receipt.map(|bytes| Receipt::decode(&bytes).unwrap()) else { continue };
        assert_eq!((receipt.index(), receipt.unsigned_size()), (row.index, size));
        let root = receipt.verify(&row.statement, &origin, &key).unwrap();
        let told = cosigned.iter().find(|row| row.size == size);
        assert!(told.is_none_or(|row| row.root == root), "{size}");
    }
}

#[test]
fn a_release_says_how_its_ledger_was_witnessed_when_it_was_signed() {
    let (mut world, nation, region) = pair();
    world.put_case(region, "c1", DAY, "f");
    world.pass(LATER);
    world.put_case(region, "c2", DAY, "f");
    world.pass(2_000);
    let cosigned: Vec<CosignedRow> = all(&world, region, rows::COSIGNED);
    let said: Vec<rows::HeardRow> = all(&world, nation, rows::HEARD);
    let newest = said.iter().max_by_key(|row| row.issued_at).unwrap();
    let witnessed = newest.said.witnessed.as_ref().expect("it says so");
    assert!(cosigned.iter().any(|row| (row.size, row.root) == (witnessed.size, witnessed.root)));
    assert_eq!(witnessed.by, unit("it"));
    assert!(witnessed.at <= newest.issued_at);
    // What goes elsewhere than to the superior says nothing of the ledger.
    for bytes in
        world.sites[&region].rows.iter().filter(|(key, _)| key.starts_with(rows::STATEMENT))
    {
        let signed = Signed::decode(bytes.1).unwrap();
        let verifier = reeve_statement::cose::Verifier::new(
            world.registry.roots.clone(),
            reeve_statement::cert::CrlSet::default(),
        );
        let at = signed.unverified_issued_at();
        let Ok(verified) = signed.verify(&verifier, at) else { continue };
        let statement = verified.statement();
        let above = reeve_statement::statement::Audience::Unit(unit("it"));
        assert!(statement.audience == above || statement.witnessed.is_none());
    }
}

#[test]
fn a_witness_that_is_lost_stops_nobody_and_cosigns_when_it_is_back() {
    let (mut world, nation, region) = pair();
    world.put_case(region, "c1", DAY, "f");
    world.pass(LATER);
    let before = status(&mut world, region).witnessed.unwrap().0;
    world.set_down(nation, true);
    world.put_case(region, "c2", DAY, "f");
    world.pass(LATER);
    assert_eq!(world.total(region, DAY), Some(2));
    assert_eq!(status(&mut world, region).witnessed.unwrap().0, before);
    world.set_down(nation, false);
    world.pass(2 * LATER);
    assert_eq!(world.total(nation, DAY), Some(2));
    assert!(status(&mut world, region).witnessed.unwrap().0 > before);
    // A witness that has forgotten what it cosigned starts anew, and one whose subordinate has, goes on.
    for at in [nation, region] {
        for prefix in [rows::WITNESSED, rows::COSIGNED, b"meta/cosigned"] {
            world.sites.get_mut(&at).unwrap().rows.retain(|key, _| !key.starts_with(prefix));
        }
        let path = if at == nation { "it" } else { "it/03" };
        world.restart(path, "1", Some(1));
        world.put_case(region, &format!("c{path}"), DAY, "f");
        world.pass(3 * LATER);
        let size = world.sites[&region].rows.iter().filter(|(key, _)| key.starts_with(rows::SENT));
        let size = u64::try_from(size.count()).unwrap();
        assert!(status(&mut world, region).witnessed.unwrap().0 >= size, "{path}");
    }
}

// --- a subordinate whose frames the test writes ---

/// A ledger that the test keeps.
struct Book {
    peer: Hostile,
    nodes: BTreeMap<NodeAddress, Digest>,
    tree: Frontier,
}

impl Book {
    fn new(peer: &Hostile) -> Self {
        Self { peer: peer.clone(), nodes: BTreeMap::new(), tree: Frontier::new() }
    }

    fn grow(&mut self, count: u64, salt: &str) {
        for number in 0..count {
            let leaf = leaf_hash(format!("{salt} {number}").as_bytes());
            self.nodes.extend(self.tree.append(leaf).unwrap());
        }
    }

    fn note(&self, world: &World, size: u64) -> String {
        let root = Frontier::load(&self.nodes, size).unwrap().root();
        let origin = origin(world, &self.peer.path.to_string(), self.peer.term);
        Checkpoint { origin, size, root }.sign(&node_key(&self.peer.path, &self.peer.label))
    }

    fn shown(&self, world: &World, from: u64) -> Shown {
        let size = self.tree.size();
        let proof = consistency_proof(&self.nodes, from, size).unwrap().hashes;
        let before = (from > 0).then(|| self.note(world, from));
        Shown { checkpoint: self.note(world, size), before, proof }
    }

    fn show(&self, world: &mut World, to: NodeKey, shown: Shown) -> LedgerAnswer {
        world.pass(1_500);
        let message = to_vec(&LedgerMessage::Witness(shown));
        decode(&self.peer.frame(world, to, Channel::Ledger, message)).unwrap()
    }
}

fn with_book() -> (World, NodeKey, Book) {
    let mut world = World::new();
    let nation = world.add("it");
    world.publish_catalogue(nation, "it", CATALOGUE);
    let peer = Hostile::admit(&mut world, nation, "it/05", 1);
    greet(&mut world, nation, &peer);
    let mut book = Book::new(&peer);
    book.grow(5, "a");
    (world, nation, book)
}

fn greet(world: &mut World, nation: NodeKey, peer: &Hostile) {
    peer.connect(world, nation);
    assert!(matches!(peer.hello(world, nation), HelloAnswer::Welcome(_)));
}

#[test]
fn only_a_ledger_that_goes_on_from_the_last_one_is_cosigned() {
    let (mut world, nation, mut book) = with_book();
    let first = book.shown(&world, 0);
    let answer = book.show(&mut world, nation, first.clone());
    let LedgerAnswer::Cosigned(line) = answer else { panic!("{answer:?}") };
    let name = dns_name(&unit("it"), world.registry.roots.domain()).unwrap();
    let name = WitnessName::of(&name).unwrap();
    let key = node_key(&unit("it"), "1").public();
    let cosigned = format!("{}{line}", first.checkpoint);
    assert!(verify_cosignature(&cosigned, &name, &key).unwrap().is_some());

    book.grow(4, "b");
    // From elsewhere than where the witness was last: it says where that is.
    let elsewhere = book.shown(&world, 3);
    assert_eq!(book.show(&mut world, nation, elsewhere), LedgerAnswer::Seen(5));
    // A proof that proves nothing.
    let mut unproven = book.shown(&world, 5);
    unproven.proof.pop();
    let refused = LedgerAnswer::Refused(Refusal::LedgerRegressed);
    assert_eq!(book.show(&mut world, nation, unproven), refused);
    // A ledger that somebody else signed.
    let mut forged = book.shown(&world, 5);
    forged.checkpoint = forged.checkpoint.replacen("\n9\n", "\n10\n", 1);
    let refused = LedgerAnswer::Refused(Refusal::BadSignature);
    assert_eq!(book.show(&mut world, nation, forged), refused);
    let right = book.shown(&world, 5);
    assert!(matches!(book.show(&mut world, nation, right), LedgerAnswer::Cosigned(_)));
    let held: Vec<WitnessedRow> = all(&world, nation, rows::WITNESSED);
    assert_eq!(held[0].size, 9);
    // Shown again at once, it would cost two signatures each time.
    let again = to_vec(&LedgerMessage::Witness(book.shown(&world, 9)));
    let answer = book.peer.frame(&mut world, nation, Channel::Ledger, again);
    assert_eq!(decode(&answer), Ok(LedgerAnswer::Refused(Refusal::Busy)));
    assert!(status(&mut world, nation).equivocations.is_empty());
}

#[test]
fn two_ledgers_of_one_term_are_proven_and_nothing_of_the_term_is_taken_any_more() {
    let (mut world, nation, mut book) = with_book();
    let first = book.shown(&world, 0);
    assert!(matches!(book.show(&mut world, nation, first), LedgerAnswer::Cosigned(_)));
    let taken = book.peer.notice(&world, DAY, 1);
    let accepted = |world: &mut World, book: &Book, statement: Vec<u8>| {
        let checkpoint = book.note(world, book.tree.size());
        let statement = reeve_protocol::wire::Blob(statement);
        let message = to_vec(&Upward::Deliver { statement, checkpoint });
        let answer = book.peer.frame(world, nation, Channel::Report, message);
        decode::<ReportAnswer>(&answer).unwrap()
    };
    assert_eq!(accepted(&mut world, &book, taken), ReportAnswer::Accepted);

    // Another ledger, longer, and right in itself: to go on from what the nation has cosigned it must show
    // a root of that size, and shows its own.
    let mut other = Book::new(&book.peer);
    other.grow(8, "x");
    let forked = LedgerAnswer::Refused(Refusal::LedgerForked);
    let shown = other.shown(&world, 5);
    assert_eq!(other.show(&mut world, nation, shown), forked);
    let proven: Vec<EquivocationRow> = all(&world, nation, rows::EQUIVOCATION);
    let [proof] = proven.as_slice() else { panic!("{proven:?}") };
    let chain = Chain::from_cbor(&proof.chain).unwrap();
    let origin = origin(&world, "it/05", 1);
    Equivocation::verify(&proof.one, &proof.other, &origin, chain.leaf().key()).unwrap();
    assert_eq!((proof.size, proof.term, &proof.unit), (5, 1, &unit("it/05")));
    let (told, term, _) = status(&mut world, nation).equivocations[0].clone();
    assert_eq!((told, term), (unit("it/05"), 1));
    assert_eq!(world.counter(nation, "equivocations", "proven"), 1);
    assert_eq!(world.sites[&nation].node.equivocations(), 1);

    // Neither of the two is listened to, also after a restart; what was taken stands.
    book.grow(1, "c");
    for _ in 0..2 {
        let news = book.peer.notice(&world, DAY, 2);
        let refused = ReportAnswer::Refused(Refusal::LedgerForked);
        assert_eq!(accepted(&mut world, &book, news), refused);
        let shown = book.shown(&world, 5);
        assert_eq!(book.show(&mut world, nation, shown), forked);
        world.restart("it", "1", Some(1));
        greet(&mut world, nation, &book.peer);
    }
    let heard: Vec<rows::HeardRow> = all(&world, nation, rows::HEARD);
    assert_eq!(heard.iter().map(|row| row.edition).collect::<Vec<_>>(), [1]);

    // A node that the unit's authority appoints for a later term is.
    let mut anew = Hostile::admit(&mut world, nation, "it/05", 2);
    greet(&mut world, nation, &anew);
    let news = anew.notice(&world, DAY, 2);
    assert_eq!(anew.deliver(&mut world, nation, &news), ReportAnswer::Accepted);
    assert_eq!(status(&mut world, nation).equivocations.len(), 1, "the proof is kept");
}

#[test]
fn a_second_root_beside_a_statement_is_proof_too() {
    let (mut world, nation, book) = with_book();
    let one = to_vec(&Upward::Head(book.note(&world, 5)));
    let mut other = Book::new(&book.peer);
    other.grow(5, "x");
    let other = to_vec(&Upward::Head(other.note(&world, 5)));
    for (message, expected) in
        [(one, ReportAnswer::Accepted), (other, ReportAnswer::Refused(Refusal::LedgerForked))]
    {
        let answer = book.peer.frame(&mut world, nation, Channel::Report, message);
        assert_eq!(decode::<ReportAnswer>(&answer).unwrap(), expected);
    }
    assert_eq!(status(&mut world, nation).equivocations.len(), 1);
}

#[test]
fn only_subordinates_are_cosigned() {
    let (mut world, nation, _) = pair();
    let stranger = Hostile::new(&mut world, "it/07", 1);
    let mut book = Book::new(&stranger);
    book.grow(3, "a");
    let shown = book.shown(&world, 0);
    let message = to_vec(&LedgerMessage::Witness(shown));
    let answer = stranger.frame(&mut world, nation, Channel::Ledger, message);
    assert_eq!(decode(&answer), Ok(LedgerAnswer::Refused(Refusal::OutOfPlace)));
    assert!(all::<WitnessedRow>(&world, nation, rows::WITNESSED).iter().all(|row| row.term == 1));
}

/// The chain of a unit's node that may do this and nothing else.
fn auditor(world: &mut World, path: &str, actions: &[Action]) -> Chain {
    let path = unit(path);
    let (authority, above) = world.registry.authority(&path);
    let signer = world.registry.authority_key(&path);
    let grant = NodeGrant {
        label: "auditor".to_owned(),
        key: key(&format!("auditor {path}")).public(),
        actions: actions.iter().copied().collect::<Actions>(),
        term: None,
    };
    let issuer = Issuer::new(&authority, &signer).unwrap();
    let leaf = issuer.node(&grant, &stamp(&format!("auditor {path}"))).unwrap();
    Chain::new(leaf, [vec![authority], above].concat()).unwrap()
}

fn checkpoint(world: &mut World, at: NodeKey, size: Option<u64>) -> Result<String, Failure> {
    let question = size.map_or(Question::Checkpoint, Question::CheckpointAt);
    match world.ask(at, operator(), question) {
        Answer::Checkpoint(note) => Ok(note),
        Answer::Failed(failure) => Err(failure),
        other => panic!("{other:?}"),
    }
}

/// What the auditor of a unit hands back for a checkpoint, so many milliseconds from now.
fn cosignature(world: &World, path: &str, chain: &Chain, note: &str, ahead: i64) -> Cosignature {
    let name = dns_name(&unit(path), world.registry.roots.domain()).unwrap();
    let name = WitnessName::of(&name).unwrap();
    let at = world.time().wall.plus_millis(ahead);
    let line = cosign(note, &name, &key(&format!("auditor {path}")), at).unwrap();
    Cosignature { checkpoint: note.to_owned(), line, chain: chain.clone() }
}

fn hand_back(world: &mut World, at: NodeKey, given: Cosignature) -> Result<(), Refusal> {
    match world.ask(at, operator(), Question::TakeCosignature(Box::new(given))) {
        Answer::Done => Ok(()),
        Answer::Failed(Failure::Refused(refusal)) => Err(refusal),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_unit_keeps_what_auditors_cosign_and_shows_it_beside_the_superior_s() {
    let (mut world, nation, region) = pair();
    let court = auditor(&mut world, "court", &[Action::Audit]);
    let second = auditor(&mut world, "it/05", &[Action::Audit]);
    world.put_case(region, "c1", DAY, "f");
    world.pass(LATER);
    for host in [nation, region] {
        let note = checkpoint(&mut world, host, None).unwrap();
        let size = Checkpoint::parse_unverified(&note).unwrap().size;
        for (path, chain) in [("court", &court), ("it/05", &second)] {
            let given = cosignature(&world, path, chain, &note, 0);
            hand_back(&mut world, host, given.clone()).unwrap();
            // Once more: it is there already.
            hand_back(&mut world, host, given).unwrap();
        }
        let told = status(&mut world, host);
        let auditors: Vec<_> = told.auditors.iter().map(|it| (it.0, it.1.to_string())).collect();
        assert_eq!(auditors, [(size, "court".to_owned()), (size, "it/05".to_owned())]);
        assert_eq!(told.witnessed.unwrap().0, size);
        let rows: Vec<CosignedRow> = all(&world, host, rows::COSIGNED);
        let row = rows.iter().find(|row| row.size == size).unwrap();
        let names = claimed_witnesses(&row.note).unwrap();
        let also = row.also.as_ref().unwrap();
        assert_eq!(names.len(), also.len() + 1);
        for (unit, chain) in
            also.iter().map(|it| (&it.unit, &it.chain)).chain([(&row.witness, &row.chain)])
        {
            let name = dns_name(unit, world.registry.roots.domain()).unwrap();
            let chain = Chain::from_cbor(chain).unwrap();
            let name = WitnessName::of(&name).unwrap();
            assert!(verify_cosignature(&row.note, &name, chain.leaf().key()).unwrap().is_some());
        }
    }
    // The superior goes on cosigning, and both are there after a restart.
    world.put_case(region, "c2", DAY, "f");
    world.pass(LATER);
    let before = status(&mut world, region);
    assert_eq!(before.witnessed.as_ref().unwrap().1, unit("it"));
    world.restart_now("it/03", "1", Some(1));
    let after = status(&mut world, region);
    assert_eq!((after.witnessed, after.auditors), (before.witnessed, before.auditors));
}

#[test]
fn only_auditors_cosign_only_what_the_node_signed_and_never_back_in_time() {
    let (mut world, nation, region) = pair();
    let court = auditor(&mut world, "court", &[Action::Audit]);
    world.put_case(region, "c1", DAY, "f");
    world.pass(LATER);
    let note = checkpoint(&mut world, nation, None).unwrap();
    let size = Checkpoint::parse_unverified(&note).unwrap().size;
    let good = cosignature(&world, "court", &court, &note, 0);

    for (path, actions, expected) in [
        ("court/a", &[Action::Audit, Action::Report][..], Refusal::NoRight),
        ("court/b", &[Action::Query], Refusal::NoRight),
        ("it", &[Action::Audit], Refusal::NoRight),
    ] {
        let chain = auditor(&mut world, path, actions);
        let given = cosignature(&world, path, &chain, &note, 0);
        assert_eq!(hand_back(&mut world, nation, given), Err(expected), "{path}");
    }
    let altered = good.line.replacen("court", "caurt", 1);
    let two = format!("{0}{0}", good.line);
    let changed = note.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size + 1), 1);
    let elsewhere = checkpoint(&mut world, region, None).unwrap();
    for (given, expected) in [
        (Cosignature { line: altered, ..good.clone() }, Refusal::BadSignature),
        (Cosignature { line: two, ..good.clone() }, Refusal::Malformed),
        (Cosignature { line: String::new(), ..good.clone() }, Refusal::Malformed),
        (Cosignature { checkpoint: changed, ..good.clone() }, Refusal::BadSignature),
        (Cosignature { checkpoint: "x".repeat(9_000), ..good.clone() }, Refusal::Malformed),
        (cosignature(&world, "court", &court, &elsewhere, 0), Refusal::OldTerm),
        (cosignature(&world, "court", &court, &note, 600_000), Refusal::ClockSkew),
    ] {
        assert_eq!(hand_back(&mut world, nation, given), Err(expected));
    }
    // A node with this key that keeps another ledger has signed this; the store here knows of none.
    let origin = origin(&world, "it", 1);
    let own = node_key(&unit("it"), "1");
    let forked = Checkpoint { origin, size, root: Digest::of(b"another") }.sign(&own);
    let given = cosignature(&world, "court", &court, &forked, 0);
    assert_eq!(hand_back(&mut world, nation, given), Err(Refusal::LedgerForked));
    let larger = Checkpoint::parse_unverified(&note).unwrap();
    let larger = Checkpoint { size: size + 9, ..larger }.sign(&own);
    let given = cosignature(&world, "court", &court, &larger, 0);
    assert_eq!(hand_back(&mut world, nation, given), Err(Refusal::LedgerRegressed));
    assert!(status(&mut world, nation).auditors.is_empty(), "none of it was kept");

    hand_back(&mut world, nation, good).unwrap();
    let earlier = checkpoint(&mut world, nation, Some(size - 1)).unwrap();
    let given = cosignature(&world, "court", &court, &earlier, 2_000);
    assert_eq!(hand_back(&mut world, nation, given), Err(Refusal::OldVersion));
    let given = cosignature(&world, "court", &court, &note, -2_000);
    assert_eq!(hand_back(&mut world, nation, given), Err(Refusal::OldVersion));
    // Whoever brings more than can be looked at is told so, before anything is checked.
    let mut said = Vec::new();
    for _ in 0..40 {
        let given =
            Cosignature { line: String::new(), ..cosignature(&world, "court", &court, &note, 0) };
        said.push(hand_back(&mut world, nation, given));
    }
    assert_eq!(said.last(), Some(&Err(Refusal::Busy)));
    world.pass(2_000);
    let given = cosignature(&world, "court", &court, &note, 0);
    assert_eq!(hand_back(&mut world, nation, given), Ok(()));
}

#[test]
fn an_earlier_size_is_signed_again_as_it_was() {
    let (mut world, nation, region) = pair();
    world.put_case(region, "c1", DAY, "f");
    world.pass(LATER);
    let mut before = Vec::new();
    for case in 2..5 {
        before.push(checkpoint(&mut world, nation, None).unwrap());
        world.put_case(region, &format!("c{case}"), DAY, "f");
        world.pass(LATER);
    }
    for note in before {
        let size = Checkpoint::parse_unverified(&note).unwrap().size;
        assert_eq!(checkpoint(&mut world, nation, Some(size)), Ok(note));
    }
    let missing = checkpoint(&mut world, nation, Some(10_000)).unwrap_err();
    assert!(matches!(missing, Failure::NotFound(_)), "{missing}");
}

#[test]
fn of_more_auditors_than_are_kept_the_one_that_came_longest_ago_goes() {
    let (mut world, nation, _) = pair();
    world.pass(LATER);
    let note = checkpoint(&mut world, nation, None).unwrap();
    let mut came: Vec<(Timestamp, String)> = Vec::new();
    for number in 0..20 {
        let path = format!("court/{number}");
        let chain = auditor(&mut world, &path, &[Action::Audit]);
        let given = cosignature(&world, &path, &chain, &note, 0);
        came.push((world.time().wall, path));
        hand_back(&mut world, nation, given).unwrap();
        world.pass(2_000);
    }
    let kept = status(&mut world, nation).auditors;
    assert_eq!(kept.len(), 16);
    assert!(kept.iter().all(|(_, unit, _)| came[4..].iter().any(|it| it.1 == unit.to_string())));
}
