//! Checking a chain: one walk from the root down.
//!
//! No search: every certificate must follow from the one above it. What the walk finds becomes a
//! [`VerifiedChain`], which nothing else can make.
//!
//! Specification: RFC 5280 section 6.1, narrowed by the rules of [`super`].

use super::action::Actions;
use super::certificate::Certificate;
use super::chain::{Chain, ChainError};
use super::checked::Checked;
use super::claims::Role;
use super::name::{Domain, is_within};
use super::revocation::CrlSet;
use super::roots::RootList;
use super::second_opinion;
use crate::digest::{Digest, FederationId};
use crate::key::PublicKey;
use crate::names::KindId;
use crate::time::Timestamp;
use crate::unit::UnitPath;

/// What a checked chain proves. Only [`verify_chain`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedChain {
    federation: FederationId,
    domain: Domain,
    leaf: Certificate,
    unit: UnitPath,
    role: Role,
    level: String,
    term: Option<u64>,
    writable_kinds: Vec<KindId>,
    actions: Actions,
    authority_keys: Vec<PublicKey>,
    valid_from: Timestamp,
    valid_until: Timestamp,
}

impl VerifiedChain {
    /// The unit that the leaf belongs to.
    #[must_use]
    pub fn unit(&self) -> &UnitPath {
        &self.unit
    }

    /// What the holder is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The holder's key.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        self.leaf.key()
    }

    /// What the holder may do: what the leaf and every authority above it name.
    #[must_use]
    pub fn actions(&self) -> &Actions {
        &self.actions
    }

    /// Keys of the authorities above the leaf, the root's first: with these, their revocation lists
    /// are checked ([`CrlSet::insert`]). A verified authority's own key is last.
    #[must_use]
    pub fn authority_keys(&self) -> &[PublicKey] {
        &self.authority_keys
    }

    /// Name of the unit's level.
    #[must_use]
    pub fn level(&self) -> &str {
        &self.level
    }

    /// The reporting term that a node was appointed for, if it was.
    #[must_use]
    pub fn term(&self) -> Option<u64> {
        self.term
    }

    /// The kinds of records that a writer may change.
    #[must_use]
    pub fn writable_kinds(&self) -> &[KindId] {
        &self.writable_kinds
    }

    /// The leaf certificate.
    #[must_use]
    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// SHA-256 of the leaf certificate.
    #[must_use]
    pub fn leaf_digest(&self) -> Digest {
        self.leaf.digest()
    }

    /// Last second of the leaf's own validity.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.leaf.validity().not_after
    }

    /// First moment from which the whole chain is valid.
    #[must_use]
    pub fn valid_from(&self) -> Timestamp {
        self.valid_from
    }

    /// First moment at which the verdict no longer stands, because a certificate expired or a
    /// revocation list is overdue beyond the declared bound.
    #[must_use]
    pub fn valid_until(&self) -> Timestamp {
        self.valid_until
    }

    /// Which federation.
    #[must_use]
    pub fn federation(&self) -> FederationId {
        self.federation
    }

    /// The federation's domain.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }
}

/// Checks a chain at a moment, against the federation's roots and the revocation lists at hand.
///
/// # Errors
/// Each refusal has its own variant of [`ChainError`], which names the certificate.
pub fn verify_chain(
    chain: &Chain,
    roots: &RootList,
    crls: &CrlSet,
    at: Timestamp,
) -> Result<VerifiedChain, ChainError> {
    verify_chain_with(chain, roots, crls, at, &Checked::default())
}

/// The same, with a memory of signatures.
pub(crate) fn verify_chain_with(
    chain: &Chain,
    roots: &RootList,
    crls: &CrlSet,
    at: Timestamp,
    checked: &Checked,
) -> Result<VerifiedChain, ChainError> {
    let top = chain.certificates().next_back().unwrap_or(chain.leaf());
    let root = roots.root_with_key(&top.authority_key_id());
    let root = root.filter(|root| root.parsed().subject == top.parsed().issuer);
    let root = root.ok_or_else(|| ChainError::WrongFederation {
        subject: top.subject().to_owned(),
        federation: roots.federation(),
    })?;
    let mut walk = Walk::start(root, crls, at, checked)?;
    for certificate in chain.certificates().rev() {
        walk.step(certificate)?;
    }
    let verified = walk.finish(chain.leaf(), roots)?;
    if verified.role != Role::Authority {
        let above: Vec<_> = chain.authorities().iter().chain([root]).collect();
        second_opinion::check(chain.leaf(), &above, at, checked)
            .map_err(|error| ChainError::SecondOpinion { error: error.to_string() })?;
    }
    Ok(verified)
}

/// The state of a walk from the root down.
struct Walk<'a> {
    crls: &'a CrlSet,
    checked: &'a Checked,
    at: Timestamp,
    issuer: &'a Certificate,
    /// Authorities that may still follow, by every path length above.
    levels_left: usize,
    actions: Actions,
    authority_keys: Vec<PublicKey>,
    valid_from: Timestamp,
    valid_until: Timestamp,
}

impl<'a> Walk<'a> {
    fn start(
        root: &'a Certificate,
        crls: &'a CrlSet,
        at: Timestamp,
        checked: &'a Checked,
    ) -> Result<Self, ChainError> {
        check_validity(root, at)?;
        let levels_left = usize::from(root.levels_below().unwrap_or(0));
        let validity = root.validity();
        Ok(Self {
            crls,
            checked,
            at,
            issuer: root,
            levels_left,
            actions: Actions::all(),
            authority_keys: vec![*root.key()],
            valid_from: validity.not_before,
            valid_until: validity.end(),
        })
    }

    fn step(&mut self, certificate: &'a Certificate) -> Result<(), ChainError> {
        self.check_link(certificate)?;
        check_validity(certificate, self.at)?;
        self.check_area(certificate)?;
        self.check_unit(certificate)?;
        self.check_revocation(certificate)?;
        self.spend_level(certificate)?;
        self.actions = self.actions.narrowed_by(certificate.actions());
        self.valid_from = self.valid_from.max(certificate.validity().not_before);
        self.valid_until = self.valid_until.min(certificate.validity().end());
        self.issuer = certificate;
        Ok(())
    }

    /// The certificate names the issuer above it, and was signed by that key.
    fn check_link(&self, certificate: &Certificate) -> Result<(), ChainError> {
        let named = certificate.parsed().issuer == self.issuer.parsed().subject
            && certificate.authority_key_id() == self.issuer.key().key_id();
        if !named || self.issuer.parsed().issuing.is_none() {
            return Err(ChainError::WrongIssuer {
                subject: certificate.subject().to_owned(),
                issuer: self.issuer.subject().to_owned(),
            });
        }
        let parsed = certificate.parsed();
        self.checked
            .verify(self.issuer.key(), &parsed.to_be_signed, &parsed.signature)
            .map_err(|_| ChainError::BadSignature { subject: certificate.subject().to_owned() })
    }

    /// Each authority is constrained to its own name and stands within the one above, so the nearest
    /// constraint is the narrowest.
    fn check_area(&self, certificate: &Certificate) -> Result<(), ChainError> {
        let permitted = self.issuer.dns_name();
        if is_within(certificate.dns_name(), permitted) {
            return Ok(());
        }
        Err(ChainError::OutOfArea {
            name: certificate.dns_name().to_owned(),
            permitted: permitted.to_owned(),
        })
    }

    /// Authorities go down one level at a time; nodes and writers stay in the identical unit.
    fn check_unit(&self, certificate: &Certificate) -> Result<(), ChainError> {
        let Some(claims) = certificate.claims() else {
            return Err(ChainError::RootInChain { subject: certificate.subject().to_owned() });
        };
        let fits = match (claims.role, self.issuer.claims()) {
            (Role::Authority, None) => claims.unit.depth() == 1,
            (Role::Authority, Some(issuer)) => claims.unit.is_child_of(&issuer.unit),
            (Role::Node | Role::Writer, Some(issuer)) => claims.unit == issuer.unit,
            (Role::Node | Role::Writer, None) => false,
        };
        if fits {
            return Ok(());
        }
        let issuer = self.issuer.claims().map_or("the root", |_| self.issuer.dns_name());
        Err(ChainError::WrongIssuerUnit {
            role: claims.role,
            unit: claims.unit.clone(),
            issuer: issuer.to_owned(),
        })
    }

    fn check_revocation(&mut self, certificate: &Certificate) -> Result<(), ChainError> {
        let Some(list) = self.crls.list_of(self.issuer.key()) else {
            if self.crls.rule().require_lists {
                return Err(ChainError::NoList { issuer: self.issuer.subject().to_owned() });
            }
            return Ok(());
        };
        if let Some(revocation) = list.revoked().get(certificate.serial()) {
            return Err(ChainError::Revoked {
                subject: certificate.subject().to_owned(),
                serial: certificate.serial().clone(),
                reason: revocation.reason,
                at: revocation.at,
            });
        }
        let counts_until = self.crls.counts_until(list);
        if self.at >= counts_until {
            return Err(ChainError::StaleList {
                issuer: list.issuer().to_owned(),
                due: list.next_update(),
            });
        }
        self.valid_until = self.valid_until.min(counts_until);
        Ok(())
    }

    fn spend_level(&mut self, certificate: &Certificate) -> Result<(), ChainError> {
        let Some(below) = certificate.levels_below() else { return Ok(()) };
        let Some(left) = self.levels_left.checked_sub(1) else {
            return Err(ChainError::TooDeep { subject: certificate.subject().to_owned() });
        };
        self.levels_left = left.min(usize::from(below));
        self.authority_keys.push(*certificate.key());
        Ok(())
    }

    fn finish(self, leaf: &Certificate, roots: &RootList) -> Result<VerifiedChain, ChainError> {
        let Some(claims) = leaf.claims() else {
            return Err(ChainError::RootInChain { subject: leaf.subject().to_owned() });
        };
        Ok(VerifiedChain {
            federation: roots.federation(),
            domain: roots.domain().clone(),
            leaf: leaf.clone(),
            unit: claims.unit.clone(),
            role: claims.role,
            level: claims.level.clone(),
            term: claims.term,
            writable_kinds: claims.writable_kinds.clone(),
            actions: self.actions,
            authority_keys: self.authority_keys,
            valid_from: self.valid_from,
            valid_until: self.valid_until,
        })
    }
}

pub(super) fn check_validity(certificate: &Certificate, at: Timestamp) -> Result<(), ChainError> {
    let validity = certificate.validity();
    let subject = || certificate.subject().to_owned();
    if at < validity.not_before {
        return Err(ChainError::NotYetValid { subject: subject(), from: validity.not_before });
    }
    if at >= validity.end() {
        return Err(ChainError::Expired { subject: subject(), until: validity.not_after });
    }
    Ok(())
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
