//! Attack 45: an administrator cuts or edits the ledger. What does not fit together is found by
//! `reeve verify`; a ledger that was made anew as a whole, by whoever holds the last head of the old one.

use std::collections::BTreeMap;

use rand::Rng as _;
use rand::seq::IteratorRandom as _;
use rand_chacha::ChaCha8Rng;
use reeve_protocol::local::{Answer, Question};
use reeve_protocol::rows::{
    HEAD, HeadRow, ISSUED, IssuedRow, LEDGER, SENT, STATEMENT, SentRow, placed, statement,
};
use reeve_protocol::stored::{LedgerCheck, LedgerFault, Needed};
use reeve_statement::cbor::{from_slice, to_vec};
use reeve_statement::cert::RootList;
use reeve_statement::cose::Signed;
use reeve_statement::digest::Digest;
use reeve_statement::ledger::{Frontier, NodeAddress, leaf_hash};

use crate::counts::count;
use crate::world::hostile::Hostile;
use crate::world::{CATALOGUE, World, operator, unit};
use crate::{chance, day};

/// Days that the leaf reports, and certificates that its authority issues.
const DAYS: usize = 40;
const CERTIFICATES: usize = 12;

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

fn of<'a>(rows: &'a Rows, prefix: &'a [u8]) -> impl Iterator<Item = (&'a Vec<u8>, &'a Vec<u8>)> {
    rows.range(prefix.to_vec()..).take_while(move |(key, _)| key.starts_with(prefix))
}

fn row<T: for<'b> minicbor::Decode<'b, ()> + minicbor::Encode<()>>(value: &[u8]) -> T {
    from_slice("row", value, value.len()).unwrap()
}

/// A leaf's rows, and the last head of its ledger that its superior holds.
fn leaf() -> (World, Rows, HeadRow) {
    let mut world = World::new();
    let nation = world.add("it");
    let leaf = world.add("it/05");
    world.publish_catalogue(nation, "it", CATALOGUE);
    for number in 0..DAYS {
        world.put_case(leaf, &format!("c{number}"), &day(number), "f");
        world.pass(60);
        if number < CERTIFICATES {
            let chain = world.registry.node(&unit("it/05"), &format!("n{number}"), None);
            let certificates = vec![chain.leaf().der().to_vec()];
            let issue = Question::Issue { certificates, by: "test".to_owned() };
            assert!(matches!(world.ask(leaf, operator(), issue), Answer::Done));
        }
    }
    world.pass(2_000);
    let (_, head) = of(&world.sites[&nation].rows, HEAD).next().unwrap();
    let head: HeadRow = row(head);
    let rows = world.sites[&leaf].rows.clone();
    (world, rows, head)
}

/// What `reeve verify` does with the rows of a store.
fn verify(rows: &Rows, roots: &RootList) -> Result<(u64, Digest), LedgerFault> {
    let key = LedgerCheck::edge_key(1);
    let edge = rows.get(&key).ok_or(LedgerFault::Headless { term: 1 })?;
    let mut check = LedgerCheck::new(&key, edge, roots)?;
    let look = |needed: Vec<Needed>| {
        needed.into_iter().try_for_each(|needed| {
            let value = rows.get(&needed.key).map(Vec::as_slice);
            needed.check(value)
        })
    };
    for (_, value) in of(rows, ISSUED) {
        check.issued(value)?;
    }
    for (_, value) in of(rows, SENT) {
        look(check.sent(value)?)?;
    }
    look(check.certificates()?)?;
    check.end()
}

/// The entries in order.
fn entries(rows: &Rows) -> Vec<Digest> {
    let sent = of(rows, SENT).map(|(_, value)| row::<SentRow>(value));
    let issued = of(rows, ISSUED).map(|(_, value)| row::<IssuedRow>(value));
    let all: BTreeMap<u64, Digest> = sent
        .map(|row| (row.index, row.statement))
        .chain(issued.map(|row| (row.index, row.entry)))
        .collect();
    all.into_values().collect()
}

/// Whether whoever holds a head finds the ledger to begin with what that head stands for.
fn is_continued(rows: &Rows, head: &HeadRow) -> bool {
    let mut tree = Frontier::new();
    let size = usize::try_from(head.size).unwrap();
    let entries = entries(rows);
    for entry in entries.iter().take(size) {
        tree.append(leaf_hash(entry.as_bytes())).unwrap();
    }
    entries.len() >= size && tree.root() == head.root
}

/// One of the rows with this prefix, by chance.
fn any(rows: &Rows, prefix: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    of(rows, prefix).map(|(key, _)| key.clone()).choose(random).unwrap()
}

fn flip(value: &mut [u8], random: &mut ChaCha8Rng) {
    let place = random.random_range(0..value.len());
    value[place] ^= 1 << random.random_range(0..8);
}

/// An edit of one place, or a cut, which leaves the rest as it is.
fn edit(rows: &mut Rows, random: &mut ChaCha8Rng) -> &'static str {
    let sent = any(rows, SENT, random);
    let mut entry: SentRow = row(&rows[&sent]);
    let said = statement(&entry.statement);
    match random.random_range(0..10) {
        0 => {
            let after: Vec<Vec<u8>> = of(rows, SENT).map(|(key, _)| key.clone()).collect();
            after.into_iter().filter(|key| *key >= sent).for_each(|key| drop(rows.remove(&key)));
            "everything from an entry on is cut off"
        }
        1 => {
            rows.remove(&sent);
            "an entry is taken out"
        }
        2 => {
            let other: SentRow = row(&rows[&any(rows, SENT, random)]);
            if other.statement == entry.statement {
                rows.remove(&said);
            }
            entry.statement = other.statement;
            rows.insert(sent, to_vec(&entry));
            "an entry names another statement"
        }
        3 => {
            entry.index = entry.index.wrapping_add(random.random_range(1..9));
            rows.insert(sent, to_vec(&entry));
            "an entry has another place"
        }
        4 => {
            flip(rows.get_mut(&said).unwrap(), random);
            "a statement is altered"
        }
        5 => {
            rows.remove(&said);
            "a statement is taken out"
        }
        6 => {
            let node = any(rows, LEDGER, random);
            flip(rows.get_mut(&node).unwrap(), random);
            "a node of the tree is altered"
        }
        7 => {
            flip(rows.get_mut(&LedgerCheck::edge_key(1)).unwrap(), random);
            "the head is altered"
        }
        8 => {
            let issued = any(rows, ISSUED, random);
            rows.remove(&issued);
            "a certificate is taken out"
        }
        _ => {
            let issued = any(rows, ISSUED, random);
            let mut issued_row: IssuedRow = row(&rows[&issued]);
            flip(&mut issued_row.certificate, random);
            rows.insert(issued, to_vec(&issued_row));
            "a certificate is altered"
        }
    }
}

#[test]
fn attack_45_every_cut_and_edit_of_a_ledger_is_found_by_verify() {
    let (world, rows, head) = leaf();
    let roots = &world.registry.roots;
    let (size, _) = verify(&rows, roots).unwrap();
    assert!(size >= u64::try_from(DAYS + CERTIFICATES).unwrap());
    assert!(is_continued(&rows, &head), "nobody touched it yet");
    let mut random = chance(45);
    for number in 0..count(100, 1_000) {
        let mut hurt = rows.clone();
        let what = edit(&mut hurt, &mut random);
        let found = verify(&hurt, roots);
        assert!(found.is_err(), "{number}: {what}, and found is {found:?}");
    }
}

/// A ledger of other entries, put together as a node does it. Certificates are left as they are.
fn made_anew(rows: &Rows, sent: &[SentRow]) -> Rows {
    let mut anew = rows.clone();
    anew.retain(|key, _| !key.starts_with(SENT) && !key.starts_with(LEDGER));
    for entry in sent {
        anew.insert(placed(SENT, 1, entry.index), to_vec(entry));
    }
    let mut tree = Frontier::new();
    for entry in entries(&anew) {
        for (NodeAddress { level, index }, hash) in
            tree.append(leaf_hash(entry.as_bytes())).unwrap()
        {
            let key = [LEDGER, &1_u64.to_be_bytes(), &[level], &index.to_be_bytes()].concat();
            anew.insert(key, hash.as_bytes().to_vec());
        }
    }
    let peaks = tree.peaks().iter().flat_map(|peak| *peak.as_bytes());
    let edge = tree.size().to_be_bytes().into_iter().chain(peaks).collect();
    anew.insert(LedgerCheck::edge_key(1), edge);
    anew
}

#[test]
fn attack_45_a_ledger_that_was_made_anew_is_found_by_whoever_holds_the_last_head() {
    let (mut world, rows, head) = leaf();
    let sent: Vec<SentRow> = of(&rows, SENT).map(|(_, value)| row(value)).collect();
    let same = made_anew(&rows, &sent);
    let roots = world.registry.roots.clone();
    assert_eq!(verify(&same, &roots), verify(&rows, &roots));
    assert!(is_continued(&same, &head));
    let forger = Hostile::of(&mut world, "it/05", 1, "1");
    let mut random = chance(54);
    // Certificates keep their places: only what comes after the last of them can be cut or moved.
    let issued = of(&rows, ISSUED).map(|(_, value)| row::<IssuedRow>(value).index).max().unwrap();
    for number in 0..count(60, 1_000) {
        let mut other = sent.clone();
        let place = random.random_range(0..other.len());
        let mut hurt = rows.clone();
        if random.random_bool(0.5) && other[place].index > issued {
            other.truncate(place);
        } else {
            let bytes = forger.notice(&world, &day(number), 7);
            let digest = Signed::decode(&bytes).unwrap().digest();
            hurt.insert(statement(&digest), bytes);
            other[place].statement = digest;
        }
        let anew = made_anew(&hurt, &other);
        assert!(verify(&anew, &roots).is_ok(), "it is whole in itself");
        assert!(!is_continued(&anew, &head), "{number}: place {place} of {}", sent.len());
    }
    assert!(of(&rows, STATEMENT).count() > DAYS);
}
