//! Keys and certificates of a played federation: all from names, none random.

use std::collections::BTreeMap;

use reeve_statement::catalogue::Catalogue;
use reeve_statement::cert::name::Domain;
use reeve_statement::cert::{
    Actions, AuthorityGrant, Certificate, Chain, Issuer, NodeGrant, Reason, Revocation, RootList,
    Serial, Stamp, Validity, WriterGrant, issue_root,
};
use reeve_statement::digest::Digest;
use reeve_statement::key::SecretKey;
use reeve_statement::statement::{Audience, Body, Onward, Statement, VERSION};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use reeve_protocol::wire::SignedList;

/// 2026-03-02T12:00:00Z, a Monday: when every run begins.
pub(crate) const NOON: i64 = 1_772_452_800_000;

/// A day, in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// 32 bytes that a name stands for.
pub(crate) fn seed(text: &str) -> [u8; 32] {
    *Digest::of(text.as_bytes()).as_bytes()
}

pub(crate) fn key(text: &str) -> SecretKey {
    SecretKey::from_seed(&seed(text))
}

fn stamp(text: &str) -> Stamp {
    let mut serial = [0; 16];
    serial.copy_from_slice(&seed(text)[..16]);
    serial[0] &= 0x7f;
    Stamp {
        serial: Serial::from_random(serial),
        validity: Validity {
            not_before: Timestamp::from_millis(NOON - DAY_MS),
            not_after: Timestamp::from_millis(NOON + 300 * DAY_MS),
        },
    }
}

/// Certificates of one federation.
pub(crate) struct Registry {
    pub(crate) roots: RootList,
    root: Certificate,
    authorities: BTreeMap<UnitPath, (Certificate, Vec<Certificate>)>,
    nodes: BTreeMap<(UnitPath, String), Chain>,
}

impl Registry {
    pub(crate) fn new() -> Self {
        let domain = Domain::new("reeve.test").unwrap();
        let root = issue_root(&domain, &key("root"), &stamp("root")).unwrap();
        let roots = RootList::genesis(core::slice::from_ref(&root)).unwrap();
        Self { roots, root, authorities: BTreeMap::new(), nodes: BTreeMap::new() }
    }

    /// The certificate of a unit's authority, and those above it, nearest first.
    fn authority(&mut self, path: &UnitPath) -> (Certificate, Vec<Certificate>) {
        if let Some(found) = self.authorities.get(path) {
            return found.clone();
        }
        let grant = AuthorityGrant {
            unit: path.leaf().clone(),
            level: "level".to_owned(),
            key: key(&format!("authority {path}")).public(),
            actions: Actions::all(),
            levels_below: 8_u8.saturating_sub(u8::try_from(path.depth()).unwrap()),
        };
        let stamp = stamp(&format!("a {path}"));
        let made = match path.parent() {
            None => {
                let signer = key("root");
                (Issuer::new(&self.root, &signer).unwrap().authority(&grant, &stamp), Vec::new())
            }
            Some(above) => {
                let (certificate, mut chain) = self.authority(&above);
                let signer = key(&format!("authority {above}"));
                let made = Issuer::new(&certificate, &signer).unwrap().authority(&grant, &stamp);
                chain.insert(0, certificate);
                (made, chain)
            }
        };
        let made = (made.0.unwrap(), made.1);
        self.authorities.insert(path.clone(), made.clone());
        made
    }

    pub(crate) fn node(&mut self, path: &UnitPath, label: &str, term: Option<u64>) -> Chain {
        let place = (path.clone(), label.to_owned());
        if let Some(found) = self.nodes.get(&place) {
            return found.clone();
        }
        let (authority, mut above) = self.authority(path);
        let grant = NodeGrant {
            label: label.to_owned(),
            key: node_key(path, label).public(),
            actions: Actions::of_node(),
            term,
        };
        let signer = key(&format!("authority {path}"));
        let issuer = Issuer::new(&authority, &signer).unwrap();
        let leaf = issuer.node(&grant, &stamp(&format!("n {path} {label}"))).unwrap();
        above.insert(0, authority);
        let chain = Chain::new(leaf, above).unwrap();
        self.nodes.insert(place, chain.clone());
        chain
    }

    pub(crate) fn writer(&mut self, path: &UnitPath, label: &str) -> Chain {
        let (authority, mut above) = self.authority(path);
        let grant = WriterGrant {
            label: label.to_owned(),
            key: key(&format!("writer {path} {label}")).public(),
            actions: Actions::all(),
            kinds: Vec::new(),
        };
        let signer = key(&format!("authority {path}"));
        let issuer = Issuer::new(&authority, &signer).unwrap();
        let leaf = issuer.writer(&grant, &stamp(&format!("w {path} {label}"))).unwrap();
        above.insert(0, authority);
        Chain::new(leaf, above).unwrap()
    }

    /// A catalogue signed by a unit's authority.
    pub(crate) fn catalogue(&mut self, path: &UnitPath, catalogue: Catalogue) -> Vec<u8> {
        let (authority, above) = self.authority(path);
        let statement = Statement {
            version: VERSION,
            federation: self.roots.federation(),
            issuer: path.clone(),
            term: 1,
            audience: Audience::Federation,
            onward: Onward::Anyone,
            issued_at: Timestamp::from_millis(NOON),
            valid_until: None,
            body: Body::Catalogue(catalogue),
        };
        let chain = Chain::new(authority, above).unwrap();
        let signer = key(&format!("authority {path}"));
        reeve_statement::cose::sign(&statement, &signer, &chain).unwrap().to_bytes()
    }

    /// A list by the authority of a unit that revokes its reporting node.
    pub(crate) fn revoke(&mut self, path: &UnitPath, label: &str, at: Timestamp) -> SignedList {
        let (authority, above) = self.authority(path);
        let signer = key(&format!("authority {path}"));
        let revocation = Revocation { at, reason: Reason::KeyCompromise };
        let revoked = BTreeMap::from([(stamp(&format!("n {path} {label}")).serial, revocation)]);
        let issuer = Issuer::new(&authority, &signer).unwrap();
        let next = at.plus_millis(30 * DAY_MS);
        let list = issuer.crl(1, at, next, &revoked).unwrap();
        let chain = Chain::new(authority, above).unwrap().to_cbor();
        SignedList { chain, list: list.der().to_vec() }
    }
}

pub(crate) fn node_key(path: &UnitPath, label: &str) -> SecretKey {
    key(&format!("node {path} {label}"))
}
