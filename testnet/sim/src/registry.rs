//! Keys and certificates of a played federation: all from names, none random. The core's own tests play
//! with them too.

use std::collections::BTreeMap;

use reeve_statement::catalogue::Catalogue;
use reeve_statement::cert::name::Domain;
use reeve_statement::cert::{
    Action, Actions, AuthorityGrant, Certificate, Chain, Issuer, NodeGrant, Reason, Revocation,
    RootList, Serial, Stamp, Step, Succession, Validity, WriterGrant, issue_root,
};
use reeve_statement::digest::Digest;
use reeve_statement::key::{PublicKey, SecretKey};
use reeve_statement::names::KindId;
use reeve_statement::register::Declaration;
use reeve_statement::statement::{Audience, Body, Onward, Statement, VERSION};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use reeve_protocol::wire::{NO_CHAIN, SignedList};

use crate::setup::REPORTING;

/// 2026-03-02T12:00:00Z, a Monday: when every run begins, in milliseconds since the epoch.
pub const NOON: i64 = 1_772_452_800_000;

/// A day, in milliseconds.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// 32 bytes that a name stands for.
pub fn seed(text: &str) -> [u8; 32] {
    *Digest::of(text.as_bytes()).as_bytes()
}

/// The key that a name stands for.
pub fn key(text: &str) -> SecretKey {
    SecretKey::from_seed(&seed(text))
}

/// For how many days after [`NOON`] certificates are valid unless more is said.
const DAYS: i64 = 300;

/// The label of an auditor's node.
const AUDITOR: &str = "1";

/// Serial number and validity, from a day before [`NOON`] on, that a name stands for.
pub fn stamp(text: &str) -> Stamp {
    stamp_until(text, NOON + DAYS * DAY_MS)
}

fn stamp_until(text: &str, ends: i64) -> Stamp {
    let mut serial = [0; 16];
    serial.copy_from_slice(&seed(text)[..16]);
    serial[0] &= 0x7f;
    Stamp {
        serial: Serial::from_random(serial),
        validity: Validity {
            not_before: Timestamp::from_millis(NOON - DAY_MS),
            not_after: Timestamp::from_millis(ends),
        },
    }
}

/// Certificates of one federation.
#[derive(Debug, Clone)]
pub struct Registry {
    /// Its roots.
    pub roots: RootList,
    root: Certificate,
    root_key: SecretKey,
    authorities: BTreeMap<UnitPath, (Certificate, Vec<Certificate>)>,
    nodes: BTreeMap<(UnitPath, String, Option<u64>), Chain>,
    /// Every chain of a node, by the digest of its leaf.
    chains: BTreeMap<Digest, Chain>,
    /// How often each unit's authority got another key.
    rekeyed: BTreeMap<UnitPath, u32>,
    /// How the keys of authorities followed others, as their certificates say.
    successions: BTreeMap<UnitPath, Succession>,
    /// The unit whose reporting node's first certificate ends early, and when, wall clock.
    expiring: Option<(UnitPath, i64)>,
    /// Where units stood that moved, by where they stand: their keys stay.
    moved: BTreeMap<UnitPath, UnitPath>,
    /// For how many days after [`NOON`] certificates are valid.
    days: i64,
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// With one root.
    #[must_use]
    pub fn new() -> Self {
        Self::rooted_in("root")
    }

    /// The chain whose leaf has this digest, a node's or an authority's.
    pub(crate) fn chain_of(&self, leaf: &Digest) -> Option<Chain> {
        self.chain(leaf).cloned().or_else(|| {
            let found = self.authorities.values().find(|(it, _)| it.digest() == *leaf);
            found.map(|(leaf, above)| Chain::new(leaf.clone(), above.clone()).unwrap())
        })
    }

    /// A revocation list of each authority and of the root, all empty, in PEM.
    pub(crate) fn empty_lists(&self) -> Vec<String> {
        let authorities = self
            .authorities
            .iter()
            .map(|(path, (certificate, _))| (certificate, key(&format!("authority {path}"))));
        let all = authorities.chain([(&self.root, self.root_key.clone())]);
        let at = Timestamp::from_millis(NOON);
        all.map(|(certificate, signer)| {
            let issuer = Issuer::new(certificate, &signer).unwrap();
            let next = at.plus_millis(30 * DAY_MS);
            issuer.crl(1, at, next, &BTreeMap::new()).unwrap().to_pem()
        })
        .collect()
    }

    /// With one root of this name; by another name it is another federation.
    #[must_use]
    pub fn rooted_in(name: &str) -> Self {
        Self::lasting(name, DAYS)
    }

    /// The same with certificates for so many days.
    #[must_use]
    pub fn lasting(name: &str, days: i64) -> Self {
        let (domain, root_key) = (Domain::new("reeve.test").unwrap(), key(name));
        let ends = NOON + days * DAY_MS;
        let root = issue_root(&domain, &root_key, &stamp_until(name, ends)).unwrap();
        let roots = RootList::genesis(core::slice::from_ref(&root)).unwrap();
        Self {
            roots,
            root,
            root_key,
            authorities: BTreeMap::new(),
            nodes: BTreeMap::new(),
            chains: BTreeMap::new(),
            rekeyed: BTreeMap::new(),
            successions: BTreeMap::new(),
            expiring: None,
            moved: BTreeMap::new(),
            days,
        }
    }

    /// A unit stands elsewhere from now on, with the keys that it has.
    pub fn move_unit(&mut self, from: &UnitPath, to: &UnitPath) {
        let origin = self.origin(from).clone();
        self.moved.insert(to.clone(), origin);
    }

    /// Where a unit stood first: its keys are named so.
    pub fn origin<'a>(&'a self, path: &'a UnitPath) -> &'a UnitPath {
        self.moved.get(path).unwrap_or(path)
    }

    /// The first certificate of a unit's reporting node ends at a time in milliseconds since the epoch.
    pub(crate) fn let_end(&mut self, path: &UnitPath, at: i64) {
        self.expiring = Some((path.clone(), at));
    }

    /// When the certificate that ends early does.
    pub(crate) fn ends_at(&self) -> Option<i64> {
        self.expiring.as_ref().map(|(_, at)| *at)
    }

    /// The chain whose leaf has this digest, if it is a node's.
    pub(crate) fn chain(&self, leaf: &Digest) -> Option<&Chain> {
        self.chains.get(leaf)
    }

    /// A later certificate for the same key.
    pub(crate) fn renew(&mut self, path: &UnitPath, label: &str, term: Option<u64>) {
        let renewed = stamp(&format!("n {path} {label} renewed"));
        self.issue_node(path, label, term, Actions::of_node(), &renewed);
    }

    /// The key of a unit's authority.
    #[must_use]
    pub fn authority_key(&self, path: &UnitPath) -> SecretKey {
        let path = self.origin(path);
        match self.rekeyed.get(path) {
            None => key(&format!("authority {path}")),
            Some(times) => key(&format!("authority {path} {times}")),
        }
    }

    /// A unit's authority gets another key, and everything below it is certified anew. `how` says how it
    /// followed; none: its certificate says nothing.
    pub fn rekey(
        &mut self,
        path: &UnitPath,
        how: impl FnOnce(&SecretKey, &PublicKey) -> Option<Step>,
    ) {
        let old = self.authority_key(path);
        *self.rekeyed.entry(path.clone()).or_insert(0) += 1;
        let step = how(&old, &self.authority_key(path).public());
        let held = self.successions.remove(path);
        if let Some(step) = step {
            self.successions.insert(path.clone(), Succession::after(step, held.as_ref()));
        }
        self.authorities.retain(|other, _| !other.is_within(path));
        self.nodes.retain(|(other, ..), _| !other.is_within(path));
    }

    /// Tells what is certified after a unit's authority, or one above it, got another key from before.
    fn anew(&self, path: &UnitPath) -> i64 {
        let above = self.rekeyed.iter().filter(|(rekeyed, _)| path.is_within(rekeyed));
        above.map(|(_, times)| i64::from(*times)).sum()
    }

    fn stamp_anew(&self, name: &str, path: &UnitPath) -> Stamp {
        match self.anew(path) {
            0 => stamp_until(name, NOON + self.days * DAY_MS),
            times => {
                let ends = NOON + (self.days + times) * DAY_MS;
                stamp_until(&format!("{name} anew {times}"), ends)
            }
        }
    }

    /// The certificate of a unit's authority, and those above it, nearest first.
    pub fn authority(&mut self, path: &UnitPath) -> (Certificate, Vec<Certificate>) {
        if let Some(found) = self.authorities.get(path) {
            return found.clone();
        }
        let grant = AuthorityGrant {
            unit: path.leaf().clone(),
            level: "level".to_owned(),
            key: self.authority_key(path).public(),
            actions: Actions::all(),
            levels_below: 8_u8.saturating_sub(u8::try_from(path.depth()).unwrap()),
        };
        let stamp = self.stamp_anew(&format!("a {path}"), path);
        let succession = self.successions.get(path).cloned();
        let made = match path.parent() {
            None => {
                let issuer = Issuer::new(&self.root, &self.root_key).unwrap();
                (issuer.authority_after(&grant, succession, &stamp), Vec::new())
            }
            Some(above) => {
                let (certificate, mut chain) = self.authority(&above);
                let signer = self.authority_key(&above);
                let issuer = Issuer::new(&certificate, &signer).unwrap();
                let made = issuer.authority_after(&grant, succession, &stamp);
                chain.insert(0, certificate);
                (made, chain)
            }
        };
        let made = (made.0.unwrap(), made.1);
        self.authorities.insert(path.clone(), made.clone());
        made
    }

    /// The chain of a unit's node.
    pub fn node(&mut self, path: &UnitPath, label: &str, term: Option<u64>) -> Chain {
        let place = (path.clone(), label.to_owned(), term);
        if let Some(found) = self.nodes.get(&place) {
            return found.clone();
        }
        let name = match term {
            Some(later) if later > 1 => format!("n {path} {label} of term {later}"),
            _ => format!("n {path} {label}"),
        };
        let early = self.expiring.as_ref().filter(|(unit, _)| unit == path && label == REPORTING);
        let stamp = early
            .map_or_else(|| self.stamp_anew(&name, path), |(_, ends)| stamp_until(&name, *ends));
        self.issue_node(path, label, term, Actions::of_node(), &stamp)
    }

    fn issue_node(
        &mut self,
        path: &UnitPath,
        label: &str,
        term: Option<u64>,
        actions: Actions,
        stamp: &Stamp,
    ) -> Chain {
        let (authority, mut above) = self.authority(path);
        let grant = NodeGrant {
            label: label.to_owned(),
            key: node_key(self.origin(path), label).public(),
            actions,
            term,
        };
        let signer = self.authority_key(path);
        let issuer = Issuer::new(&authority, &signer).unwrap();
        let leaf = issuer.node(&grant, stamp).unwrap();
        above.insert(0, authority);
        let chain = Chain::new(leaf, above).unwrap();
        self.chains.insert(chain.leaf_digest(), chain.clone());
        self.nodes.insert((path.clone(), label.to_owned(), term), chain.clone());
        chain
    }

    /// The key of an auditor.
    pub(crate) fn auditor_key(&self, path: &UnitPath) -> SecretKey {
        node_key(path, AUDITOR)
    }

    /// The chain of an auditor: a unit that may read ledgers and cosign them, and reports nothing.
    pub(crate) fn auditor(&mut self, path: &UnitPath) -> Chain {
        if let Some(found) = self.nodes.get(&(path.clone(), AUDITOR.to_owned(), None)) {
            return found.clone();
        }
        let stamp = self.stamp_anew(&format!("n {path} {AUDITOR}"), path);
        let actions = core::iter::once(Action::Audit).collect();
        self.issue_node(path, AUDITOR, None, actions, &stamp)
    }

    /// The chain of a unit's writer, who may write these kinds; none named: all.
    pub fn writer(&mut self, path: &UnitPath, label: &str, kinds: Vec<KindId>) -> Chain {
        let (authority, mut above) = self.authority(path);
        let grant = WriterGrant {
            label: label.to_owned(),
            key: key(&format!("writer {} {label}", self.origin(path))).public(),
            actions: Actions::all(),
            kinds,
        };
        let signer = self.authority_key(path);
        let issuer = Issuer::new(&authority, &signer).unwrap();
        let leaf =
            issuer.writer(&grant, &self.stamp_anew(&format!("w {path} {label}"), path)).unwrap();
        above.insert(0, authority);
        Chain::new(leaf, above).unwrap()
    }

    /// A catalogue signed by a unit's authority.
    pub fn catalogue(&mut self, path: &UnitPath, catalogue: Catalogue) -> Vec<u8> {
        self.signed(path, Body::Catalogue(catalogue), NOON)
    }

    /// A statement of a unit, signed by its authority, at a time in milliseconds since the epoch.
    pub(crate) fn signed(&mut self, path: &UnitPath, body: Body, at: i64) -> Vec<u8> {
        let (authority, above) = self.authority(path);
        let statement = Statement {
            version: VERSION,
            federation: self.roots.federation(),
            issuer: path.clone(),
            term: 1,
            audience: Audience::Federation,
            onward: Onward::Anyone,
            issued_at: Timestamp::from_millis(at),
            valid_until: None,
            witnessed: None,
            body,
        };
        let chain = Chain::new(authority, above).unwrap();
        let signer = self.authority_key(path);
        reeve_statement::cose::sign(&statement, &signer, &chain).unwrap().to_bytes()
    }

    /// A declaration signed by a unit's authority, at a time in milliseconds since the epoch.
    pub fn declaration(&mut self, path: &UnitPath, declaration: Declaration, at: i64) -> Vec<u8> {
        self.signed(path, Body::Declaration(declaration), at)
    }

    /// A list by the authority of a unit that revokes one of its nodes, at a time in milliseconds since
    /// the epoch.
    pub fn revoke(&mut self, path: &UnitPath, label: &str, number: u64, at: i64) -> SignedList {
        self.revoke_stamped(path, &format!("n {path} {label}"), number, at)
    }

    /// A list by the authority of a unit that revokes whatever was issued under a stamp's name.
    pub fn revoke_stamped(
        &mut self,
        path: &UnitPath,
        name: &str,
        number: u64,
        at: i64,
    ) -> SignedList {
        let (authority, above) = self.authority(path);
        let signer = self.authority_key(path);
        let list = list_by(&authority, &signer, name, number, at);
        SignedList { chain: Chain::new(authority, above).unwrap().to_cbor(), list }
    }

    /// A list by the root that revokes whatever was issued under a stamp's name.
    pub fn revoke_by_root(&self, name: &str, number: u64, at: i64) -> SignedList {
        let list = list_by(&self.root, &self.root_key, name, number, at);
        SignedList { chain: NO_CHAIN.to_vec(), list }
    }

    /// The same by a root of another federation.
    #[must_use]
    pub fn list_by_foreign_root(&self, name: &str, number: u64, at: i64) -> SignedList {
        let signer = key("foreign root");
        let root = issue_root(self.roots.domain(), &signer, &stamp("foreign")).unwrap();
        SignedList { chain: NO_CHAIN.to_vec(), list: list_by(&root, &signer, name, number, at) }
    }
}

/// A list in DER that revokes one certificate.
fn list_by(
    certificate: &Certificate,
    signer: &SecretKey,
    name: &str,
    number: u64,
    at: i64,
) -> Vec<u8> {
    let at = Timestamp::from_millis(at);
    let issuer = Issuer::new(certificate, signer).unwrap();
    let revocation = Revocation { at, reason: Reason::KeyCompromise, since: None };
    let revoked = BTreeMap::from([(stamp(name).serial, revocation)]);
    let next = at.plus_millis(30 * DAY_MS);
    issuer.crl(number, at, next, &revoked).unwrap().der().to_vec()
}

/// The key of a unit's node.
pub fn node_key(path: &UnitPath, label: &str) -> SecretKey {
    key(&format!("node {path} {label}"))
}
