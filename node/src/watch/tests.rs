//! Visits to nodes that tell the truth, and to one that tells two auditors two stories.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use reeve_audit::{EquivocationFile, Verdict, verify_equivocation};
use reeve_statement::cert::{
    Action, Actions, AuthorityGrant, Certificate, Chain, Domain, Issuer, NodeGrant, RootList,
    Serial, Stamp, Validity, issue_root,
};
use reeve_statement::digest::Digest;
use reeve_statement::key::SecretKey;
use reeve_statement::ledger::checkpoint::{Checkpoint, Origin};
use reeve_statement::ledger::cosignature::{WitnessName, verify_cosignature};
use reeve_statement::ledger::{Frontier, NodeAddress, leaf_hash, pair_hash};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::{UnitId, UnitPath};

use super::source::TILE;
use super::*;
use crate::api::{CosignatureGiven, LedgerSigner};

const DAY_S: i64 = 86_400;

fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + second)
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn stamp(serial: u8) -> Stamp {
    let validity = Validity { not_before: at(-DAY_S), not_after: at(400 * DAY_S) };
    Stamp { serial: Serial::from_random([serial; 16]), validity }
}

fn unit(path: &str) -> UnitPath {
    path.parse().unwrap()
}

/// A federation `it` with the auditor `it/court`: keys 1 (root), 2, 3 (`it`), 4, 5 (`it/court`).
struct Federation {
    roots: RootList,
    node: Chain,
    auditor: Chain,
}

fn authority(issuer: &Issuer<'_>, id: &str, seed: u8, actions: Actions) -> Certificate {
    let grant = AuthorityGrant {
        unit: UnitId::new(id).unwrap(),
        level: "unit".to_owned(),
        key: key(seed).public(),
        actions,
        levels_below: if seed == 2 { 3 } else { 0 },
    };
    issuer.authority(&grant, &stamp(seed)).unwrap()
}

fn node(authority: &Certificate, above: &[Certificate], seed: u8, term: Option<u64>) -> Chain {
    let own = key(seed - 1);
    let issuer = Issuer::new(authority, &own).unwrap();
    let actions = Actions::of_node();
    let grant = NodeGrant { label: "1".to_owned(), key: key(seed).public(), actions, term };
    let leaf = issuer.node(&grant, &stamp(seed)).unwrap();
    Chain::new(leaf, [std::slice::from_ref(authority), above].concat()).unwrap()
}

fn federation() -> Federation {
    let domain = Domain::new("reeve.example").unwrap();
    let root_key = key(1);
    let root = issue_root(&domain, &root_key, &stamp(1)).unwrap();
    let roots = RootList::genesis(std::slice::from_ref(&root)).unwrap();
    let nation = authority(&Issuer::new(&root, &root_key).unwrap(), "it", 2, Actions::all());
    let nation_key = key(2);
    let issuer = Issuer::new(&nation, &nation_key).unwrap();
    let court = authority(&issuer, "court", 4, [Action::Audit].into_iter().collect());
    let auditor = node(&court, std::slice::from_ref(&nation), 5, None);
    Federation { roots, node: node(&nation, &[], 3, Some(1)), auditor }
}

/// A node that shows a ledger; how it shows it can be bent.
struct Shown {
    chain: Chain,
    entries: Vec<Digest>,
    leaves: Vec<Digest>,
    /// What it signs for whoever asks for an earlier size; none: it refuses.
    signs_earlier: bool,
    taken: RefCell<Vec<CosignatureGiven>>,
}

impl Shown {
    fn new(federation: &Federation, entries: impl Iterator<Item = u64>) -> Self {
        let entries: Vec<_> = entries.map(|entry| Digest::of(&entry.to_be_bytes())).collect();
        let leaves = entries.iter().map(|entry| leaf_hash(entry.as_bytes())).collect();
        let chain = federation.node.clone();
        Self { chain, entries, leaves, signs_earlier: true, taken: RefCell::default() }
    }

    fn sign(&self, size: usize) -> String {
        let mut tree = Frontier::new();
        self.leaves[..size].iter().for_each(|leaf| drop(tree.append(*leaf).unwrap()));
        let origin = Origin::of("it.reeve.example", 1).unwrap();
        Checkpoint { origin, size: size as u64, root: tree.root() }.sign(&key(3))
    }

    fn refuse<T>(&self) -> Result<T, SourceError> {
        let (at, reason) = ("there".to_owned(), "no".to_owned());
        Err(SourceError::NotShown { at, status: 404, reason })
    }
}

impl Source for Shown {
    fn signer(&self) -> Result<LedgerSigner, SourceError> {
        Ok(LedgerSigner { chain: self.chain.to_pem(), lists: Vec::new() })
    }

    fn checkpoint(&self, _: u64) -> Result<String, SourceError> {
        Ok(self.sign(self.leaves.len()))
    }

    fn checkpoint_at(&self, _: u64, size: u64) -> Result<String, SourceError> {
        let size = usize::try_from(size).unwrap();
        if !self.signs_earlier || size > self.leaves.len() {
            return self.refuse();
        }
        Ok(self.sign(size))
    }

    fn tile(&self, _: u64, level: u8, index: u64, width: u64) -> Result<Vec<u8>, SourceError> {
        let mut row: BTreeMap<NodeAddress, Digest> = BTreeMap::new();
        let mut below = self.leaves.clone();
        for _ in 0..level {
            for _ in 0..8 {
                below = below.chunks_exact(2).map(|pair| pair_hash(&pair[0], &pair[1])).collect();
            }
        }
        for (place, digest) in (0..).zip(below) {
            row.insert(NodeAddress { level, index: place }, digest);
        }
        let first = index * TILE;
        let hashes: Option<Vec<&Digest>> =
            (first..first + width).map(|index| row.get(&NodeAddress { level, index })).collect();
        let Some(hashes) = hashes else { return self.refuse() };
        Ok(hashes.into_iter().flat_map(|hash| *hash.as_bytes()).collect())
    }

    fn entries(&self, _: u64, index: u64, width: u64) -> Result<Vec<u8>, SourceError> {
        let first = usize::try_from(index * TILE).unwrap();
        let entries = self.entries.get(first..first + usize::try_from(width).unwrap());
        let Some(entries) = entries else { return self.refuse() };
        Ok(entries.iter().flat_map(|entry| [&[0, 32][..], entry.as_bytes()].concat()).collect())
    }

    fn statement(&self, digest: &Digest) -> Result<Option<Vec<u8>>, SourceError> {
        // The third entry is shown as something that it is not.
        Ok((*digest == Digest::of(&2_u64.to_be_bytes())).then(|| vec![7; 20]))
    }

    fn hand_back(&self, _: u64, given: &CosignatureGiven) -> Result<(), SourceError> {
        self.taken.borrow_mut().push(given.clone());
        Ok(())
    }
}

/// An auditor's folder, and its visits.
struct Desk {
    place: tempfile::TempDir,
    /// Whether statements are asked for.
    statements: bool,
}

impl Desk {
    fn new() -> Self {
        Self { place: tempfile::tempdir().unwrap(), statements: false }
    }

    fn path(&self) -> &Path {
        self.place.path()
    }

    fn visit(&self, federation: &Federation, shown: &Shown, others: &[&Self]) -> Visited {
        self.visit_at(federation, shown, others, at(0))
    }

    fn visit_at(
        &self,
        federation: &Federation,
        shown: &Shown,
        others: &[&Self],
        now: Timestamp,
    ) -> Visited {
        let folder = Folder::open(self.path()).unwrap();
        let (own, roots) = (key(5), &federation.roots);
        let notes: Vec<String> =
            others.iter().flat_map(|other| read_notes(other.path()).unwrap()).collect();
        let auditor = Auditor::new(&own, &federation.auditor, roots, now).unwrap();
        let rules = Rules { roots, auditor: Some(auditor), others: &notes };
        let jurisdiction = Jurisdiction {
            unit: unit("it"),
            ledger: String::new(),
            token: None,
            statements: self.statements,
        };
        visit(shown, &jurisdiction, &rules, &folder, now).unwrap()
    }

    fn proof(&self) -> Option<EquivocationFile> {
        let path = self.path().join("equivocations/it-term-1.json");
        let text = std::fs::read_to_string(path).ok()?;
        Some(serde_json::from_str(&text).unwrap())
    }
}

fn codes(visited: &Visited) -> Vec<&'static str> {
    visited.findings.iter().map(|it| it.code.word()).collect()
}

#[test]
fn a_ledger_that_only_grows_is_followed_and_cosigned_at_every_size() {
    let (federation, desk) = (federation(), Desk::new());
    let sizes = [1, 2, 3, 7, 8, 255, 256, 257, 300, 511, 512, 700];
    let mut seen = 0;
    for (step, size) in (0..).zip(sizes) {
        let shown = Shown::new(&federation, 0..size);
        let visited = desk.visit_at(&federation, &shown, &[], at(step));
        assert_eq!(codes(&visited), Vec::<&str>::new(), "{size}");
        assert_eq!((visited.size, visited.new), (Some(size), size - seen), "{size}");
        assert_eq!((visited.term, visited.cosigned), (Some(1), Some(size)));
        let [given] = shown.taken.take().try_into().unwrap();
        let note = format!("{}{}", given.checkpoint, given.cosignature);
        let name = WitnessName::of("court.it.reeve.example").unwrap();
        let cosigned = verify_cosignature(&note, &name, &key(5).public()).unwrap();
        assert_eq!(cosigned, Some(at(step)));
        // What others may read says the same.
        assert_eq!(read_notes(desk.path()).unwrap(), [note]);
        seen = size;
    }
    let again = Shown::new(&federation, 0..seen);
    let visited = desk.visit(&federation, &again, &[]);
    assert_eq!((visited.new, visited.cosigned), (0, Some(seen)));
    assert!(again.taken.take().is_empty(), "it was taken already");
}

#[test]
fn who_changes_what_was_seen_is_convicted_by_its_own_signature() {
    for earlier in [1, 5, 256, 300] {
        let (federation, desk) = (federation(), Desk::new());
        desk.visit(&federation, &Shown::new(&federation, 0..earlier), &[]);
        // One entry is another one, and the ledger has grown.
        let shown = Shown::new(&federation, 1..earlier + 9);
        let visited = desk.visit(&federation, &shown, &[]);
        assert_eq!(codes(&visited), ["equivocation"], "{earlier}");
        assert_eq!((visited.size, visited.cosigned), (Some(earlier), None));
        assert!(shown.taken.take().is_empty(), "nothing of it is cosigned");
        let proof = desk.proof().unwrap();
        let report = verify_equivocation(&proof, &federation.roots);
        assert_eq!(report.verdict, Verdict::Findings, "{:?}", report.findings);
        // It stands, whatever is shown later.
        let shown = Shown::new(&federation, 0..earlier);
        assert_eq!(codes(&desk.visit(&federation, &shown, &[])), ["equivocation"]);
        assert!(shown.taken.take().is_empty());
    }
}

#[test]
fn who_does_not_sign_again_what_it_showed_is_not_cosigned() {
    let (federation, desk) = (federation(), Desk::new());
    desk.visit(&federation, &Shown::new(&federation, 0..6), &[]);
    let mut other = Shown::new(&federation, 5..20);
    other.signs_earlier = false;
    let visited = desk.visit(&federation, &other, &[]);
    assert_eq!((codes(&visited), visited.size), (vec!["not_consistent"], Some(6)));
    assert!(other.taken.take().is_empty() && desk.proof().is_none());
    let shorter = Shown::new(&federation, 0..4);
    let visited = desk.visit(&federation, &shorter, &[]);
    assert_eq!((codes(&visited), visited.size), (vec!["went_back"], Some(6)));
    // What it shows in the end goes on from what was seen.
    let visited = desk.visit(&federation, &Shown::new(&federation, 0..9), &[]);
    assert_eq!((codes(&visited), visited.size), (vec![], Some(9)));
}

#[test]
fn two_auditors_who_are_shown_two_ledgers_prove_it_when_they_exchange() {
    for (one, other) in [(9, 9), (9, 12), (12, 9), (300, 40)] {
        let federation = federation();
        let (anna, bruno) = (Desk::new(), Desk::new());
        let to_anna = Shown::new(&federation, 0..one);
        let to_bruno =
            Shown::new(&federation, (0..other).map(|entry| if entry == 3 { 99 } else { entry }));
        assert_eq!(codes(&anna.visit(&federation, &to_anna, &[])), Vec::<&str>::new());
        assert_eq!(codes(&bruno.visit(&federation, &to_bruno, &[])), Vec::<&str>::new());
        // One of them has seen fewer entries: the node has to sign that size again for the other.
        let first = codes(&bruno.visit(&federation, &to_bruno, &[&anna]));
        let second = codes(&anna.visit(&federation, &to_anna, &[&bruno]));
        assert!(first.contains(&"equivocation") || second.contains(&"equivocation"));
        assert!(!first.is_empty() && !second.is_empty(), "both are warned");
        let proof = anna.proof().or(bruno.proof()).unwrap();
        assert_eq!(verify_equivocation(&proof, &federation.roots).verdict, Verdict::Findings);
    }
}

#[test]
fn what_nobody_signed_accuses_nobody() {
    let (federation, desk, other) = (federation(), Desk::new(), Desk::new());
    let shown = Shown::new(&federation, 0..9);
    desk.visit(&federation, &shown, &[]);
    other.visit(&federation, &shown, &[]);
    let seen = other.path().join("seen/it.reeve.example-ledger-1.note");
    let origin = Origin::of("it.reeve.example", 1).unwrap();
    let forged = Checkpoint { origin, size: 9, root: Digest::of(b"forged") }.sign(&key(9));
    std::fs::write(&seen, forged).unwrap();
    let visited = desk.visit(&federation, &shown, &[&other]);
    assert_eq!(codes(&visited), ["unreadable"]);
    assert!(desk.proof().is_none());
    std::fs::write(&seen, [0xff; 40]).unwrap();
    assert_eq!(codes(&desk.visit(&federation, &shown, &[&other])), Vec::<&str>::new());
}

#[test]
fn another_unit_another_key_and_an_older_term_are_not_believed() {
    let (federation, desk) = (federation(), Desk::new());
    let mut shown = Shown::new(&federation, 0..3);
    shown.chain = federation.auditor.clone();
    let visited = desk.visit(&federation, &shown, &[]);
    assert_eq!((codes(&visited), visited.size), (vec!["bad_chain"], None));
    let stranger = self::federation();
    shown.chain = stranger.node.clone();
    // The same keys and names: the same federation.
    assert_eq!(codes(&desk.visit(&federation, &shown, &[])), Vec::<&str>::new());
    let folder = Folder::open(desk.path()).unwrap();
    assert!(matches!(Folder::open(desk.path()), Err(KeptError::InUse { .. })));
    let mut kept = folder.kept(&unit("it")).unwrap();
    kept.ledgers[0].term = 2;
    folder.keep(&unit("it"), &kept).unwrap();
    drop(folder);
    assert_eq!(codes(&desk.visit(&federation, &shown, &[])), ["old_term"]);
    // What it kept is not guessed at when it is damaged.
    std::fs::write(desk.path().join("followed/it.json"), "{}").unwrap();
    let folder = Folder::open(desk.path()).unwrap();
    let error = folder.kept(&unit("it")).unwrap_err().to_string();
    assert!(error.contains("put it back from a copy"), "{error}");
}

#[test]
fn who_reports_figures_is_no_auditor() {
    let federation = federation();
    let refused = Auditor::new(&key(3), &federation.node, &federation.roots, at(0)).unwrap_err();
    assert!(refused.contains("reports figures"), "{refused}");
}

#[test]
fn entries_are_followed_in_order_and_what_is_none_of_them_is_found_out() {
    let (federation, mut desk) = (federation(), Desk::new());
    desk.statements = true;
    let followed = |desk: &Desk| {
        let kept = Folder::look(desk.path()).kept(&unit("it")).unwrap();
        kept.newest().unwrap().entries.clone().map(|entries| entries.size)
    };
    assert_eq!(codes(&desk.visit(&federation, &Shown::new(&federation, 0..2), &[])), [""; 0]);
    assert_eq!(followed(&desk), Some(2));
    let visited = desk.visit(&federation, &Shown::new(&federation, 0..700), &[]);
    assert_eq!((codes(&visited), visited.statements), (vec!["bad_statement"], 0));
    assert_eq!(followed(&desk), Some(700));
    // No more than a part of a large ledger in one visit.
    let large = Shown::new(&federation, 0..3_000);
    for expected in [1_724, 2_748, 3_000, 3_000] {
        assert_eq!(codes(&desk.visit(&federation, &large, &[])), [""; 0]);
        assert_eq!(followed(&desk), Some(expected));
    }
    let mut lying = Shown::new(&federation, 0..3_100);
    lying.entries[3_050] = Digest::ZERO;
    assert_eq!(codes(&desk.visit(&federation, &lying, &[])), ["not_consistent"]);
    assert_eq!(followed(&desk), Some(3_000), "nothing of it is taken");
}
