//! Keys, certificates and a small federation for tests: fixed seeds, no chance.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use der::Decode as _;

use super::build::{self, ToBeSigned};
use super::{
    Actions, AuthorityGrant, Certificate, Chain, Domain, Issuer, NodeGrant, RootList, Serial,
    Stamp, Validity, WriterGrant, issue_root,
};
use crate::digest::Digest;
use crate::key::SecretKey;
use crate::names::KindId;
use crate::time::Timestamp;
use crate::unit::UnitId;

/// 2026-03-01T12:00:00Z.
pub const NOW: Timestamp = Timestamp::from_seconds(1_772_366_400);
pub const DAY_MILLIS: i64 = 24 * 3_600 * 1_000;
pub const DOMAIN: &str = "reeve.example";

/// A key that is always the same for a name.
pub fn key(name: &str) -> SecretKey {
    SecretKey::from_seed(Digest::of(name.as_bytes()).as_bytes())
}

/// A serial number that is always the same for a name, valid for a year around [`NOW`].
pub fn stamp(name: &str) -> Stamp {
    let digest = Digest::of_parts(&[b"serial", name.as_bytes()]);
    let serial: [u8; 16] = digest.as_bytes()[..16].try_into().unwrap();
    let not_before = NOW.plus_millis(-180 * DAY_MILLIS);
    let not_after = NOW.plus_millis(180 * DAY_MILLIS);
    Stamp { serial: Serial::from_random(serial), validity: Validity { not_before, not_after } }
}

/// A root and a line of authorities below it, such as `it/03/016`.
pub struct Line {
    pub root_key: SecretKey,
    pub roots: RootList,
    /// Root first (without claims), then one authority for each unit.
    pub authorities: Vec<(SecretKey, Certificate)>,
}

pub fn line(path: &str) -> Line {
    line_in(DOMAIN, path)
}

pub fn line_in(domain: &str, path: &str) -> Line {
    let root_key = key(domain);
    let root = issue_root(&Domain::new(domain).unwrap(), &root_key, &stamp(domain)).unwrap();
    let roots = RootList::genesis(std::slice::from_ref(&root)).unwrap();
    let mut line = Line { root_key: root_key.clone(), roots, authorities: vec![(root_key, root)] };
    for unit in path.split('/') {
        let next = line.subordinate(unit, |_| {});
        line.authorities.push(next);
    }
    line
}

impl Line {
    /// The lowest authority.
    pub fn issuer(&self) -> Issuer<'_> {
        let (key, certificate) = self.authorities.last().unwrap();
        Issuer::new(certificate, key).unwrap()
    }

    /// An authority below the lowest, whose grant may be changed first.
    pub fn subordinate(
        &self,
        unit: &str,
        change: impl FnOnce(&mut AuthorityGrant),
    ) -> (SecretKey, Certificate) {
        let issuer = self.issuer();
        let name = format!("{unit}.{}", issuer.certificate().dns_name());
        let secret = key(&name);
        let mut grant = AuthorityGrant {
            unit: UnitId::new(unit).unwrap(),
            level: "level".to_owned(),
            key: secret.public(),
            actions: Actions::all(),
            levels_below: issuer.certificate().levels_below().unwrap() - 1,
        };
        change(&mut grant);
        (secret, issuer.authority(&grant, &stamp(&name)).unwrap())
    }

    /// The authorities as a chain carries them: nearest first, without the root.
    pub fn above(&self) -> Vec<Certificate> {
        self.authorities[1..].iter().rev().map(|(_, certificate)| certificate.clone()).collect()
    }

    pub fn with_leaf(&self, leaf: Certificate) -> Chain {
        Chain::new(leaf, self.above()).unwrap()
    }

    /// A node of the lowest unit.
    pub fn node(&self, label: &str) -> (SecretKey, Chain) {
        self.node_with(label, Actions::of_node(), &stamp(&format!("node {label}")))
    }

    pub fn node_with(&self, label: &str, actions: Actions, stamp: &Stamp) -> (SecretKey, Chain) {
        let secret = key(&format!("node {label} {}", self.issuer().certificate().dns_name()));
        let label = label.to_owned();
        let grant = NodeGrant { label, key: secret.public(), actions, term: Some(1) };
        let leaf = self.issuer().node(&grant, stamp).unwrap();
        (secret, self.with_leaf(leaf))
    }

    /// A writer of the lowest unit.
    pub fn writer(&self, label: &str, kinds: &[&str]) -> (SecretKey, Chain) {
        let secret = key(&format!("writer {label} {}", self.issuer().certificate().dns_name()));
        let grant = WriterGrant {
            label: label.to_owned(),
            key: secret.public(),
            actions: [super::Action::Write].into_iter().collect(),
            kinds: kinds.iter().map(|kind| KindId::new(kind).unwrap()).collect(),
        };
        let leaf = self.issuer().writer(&grant, &stamp(&format!("writer {label}"))).unwrap();
        (secret, self.with_leaf(leaf))
    }
}

/// A leaf that our issuing code would refuse to make, signed by `issuer` nevertheless.
pub(in crate::cert) fn forge(
    issuer: &Certificate,
    signer: &SecretKey,
    template: &Certificate,
    change: impl FnOnce(&mut ToBeSigned),
) -> Vec<u8> {
    let bytes = &template.parsed().to_be_signed;
    let mut to_be_signed = ToBeSigned::from_der(bytes).unwrap();
    to_be_signed.issuer = issuer.parsed().subject.clone();
    change(&mut to_be_signed);
    build::sign(to_be_signed, signer).unwrap()
}

pub(in crate::cert) fn with_authority_key(to_be_signed: &mut ToBeSigned, issuer: &Certificate) {
    let identifier = build::authority_key(&issuer.key().key_id()).unwrap();
    let oid = <x509_cert::ext::pkix::AuthorityKeyIdentifier as der::oid::AssociatedOid>::OID;
    replace(to_be_signed, build::extension(oid, false, &identifier).unwrap());
}

pub(in crate::cert) fn replace(to_be_signed: &mut ToBeSigned, new: x509_cert::ext::Extension) {
    let extensions = to_be_signed.extensions.as_mut().unwrap();
    extensions.retain(|extension| extension.extn_id != new.extn_id);
    extensions.push(new);
}

/// The same certificate signed by another authority, which our issuing code would refuse to do.
pub fn reissued_by(line: &Line, template: &Certificate) -> Chain {
    let (signer, issuer) = line.authorities.last().unwrap();
    let forged = forge(issuer, signer, template, |leaf| with_authority_key(leaf, issuer));
    line.with_leaf(Certificate::from_der(&forged).unwrap())
}
