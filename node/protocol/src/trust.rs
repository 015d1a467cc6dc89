//! Whom this node believes: the federation's roots, revocation lists, and the peers it admitted.
//!
//! A chain is verified when it is first seen, again whenever a list changes, and again as time goes
//! by, so that revoked and expired peers are dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reeve_statement::cert::{
    Certificate, Chain, ChainError, Crl, CrlError, CrlSet, Role, RootList, StaleRule,
    VerifiedChain, issuer_of_list, verify_chain,
};
use reeve_statement::cose::Verifier;
use reeve_statement::key::KeyId;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::{UnitId, UnitPath};

use crate::effect::NodeKey;
use crate::refusal::Refusal;
use crate::rows::MemberRow;
use crate::wire::SignedList;

/// How a peer stands to this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// A node of the superior unit.
    Superior,
    /// A node of a subordinate unit.
    Subordinate,
    /// Another node of this home.
    Home,
}

impl core::fmt::Display for Standing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Superior => "superior",
            Self::Subordinate => "subordinate",
            Self::Home => "home",
        })
    }
}

/// How a node of `peer` stands to a node of `own`; none: not at all.
pub(crate) fn standing(own: &UnitPath, peer: &UnitPath) -> Option<Standing> {
    if own == peer {
        Some(Standing::Home)
    } else if own.is_child_of(peer) {
        Some(Standing::Superior)
    } else if peer.is_child_of(own) {
        Some(Standing::Subordinate)
    } else {
        None
    }
}

/// Roots, lists and members.
#[derive(Debug)]
pub(crate) struct Trust {
    roots: RootList,
    crls: CrlSet,
    lists: BTreeMap<KeyId, SignedList>,
    verifier: Arc<Verifier>,
    members: BTreeMap<NodeKey, Member>,
}

/// An admitted peer, with the last verdict about its chain: verdicts are asked for far more often
/// than they can change.
#[derive(Debug)]
struct Member {
    chain: Option<Chain>,
    verdict: Result<VerifiedChain, Refusal>,
    /// The list generation and the time of the verdict.
    judged: (u64, Timestamp),
}

/// For how long the verdict about an unbelieved chain stands while no list changes, in milliseconds:
/// only a certificate that is not valid yet can get better by itself.
const DOUBT_MS: i64 = 60 * 1_000;

impl Trust {
    pub(crate) fn new(roots: RootList) -> Self {
        let crls = CrlSet::new(StaleRule::default());
        let verifier = Arc::new(Verifier::new(roots.clone(), crls.clone()));
        Self { roots, crls, lists: BTreeMap::new(), verifier, members: BTreeMap::new() }
    }

    pub(crate) const fn verifier(&self) -> &Arc<Verifier> {
        &self.verifier
    }

    /// The revocation lists held, each with its issuer's chain.
    pub(crate) fn lists(&self) -> impl Iterator<Item = &SignedList> {
        self.lists.values()
    }

    /// Admitted peers, each with what its chain is worth.
    pub(crate) fn members(
        &self,
    ) -> impl Iterator<Item = (&NodeKey, &Result<VerifiedChain, Refusal>)> {
        self.members.iter().map(|(key, member)| (key, &member.verdict))
    }

    pub(crate) fn member(&self, key: &NodeKey) -> Option<&Result<VerifiedChain, Refusal>> {
        self.members.get(key).map(|member| &member.verdict)
    }

    /// Units of admitted peers whose certificates were revoked, by their last unit id.
    pub(crate) fn revoked(&self) -> BTreeSet<UnitId> {
        let mut revoked = BTreeSet::new();
        let mut others = BTreeSet::new();
        for member in self.members.values() {
            let claims = member.chain.as_ref().and_then(|chain| chain.leaf().claims());
            let Some(unit) = claims.map(|claims| claims.unit.leaf().clone()) else { continue };
            let set = match member.verdict {
                Err(Refusal::Revoked) => &mut revoked,
                _ => &mut others,
            };
            set.insert(unit);
        }
        revoked.difference(&others).cloned().collect()
    }

    /// The chain that a peer was admitted or renewed with.
    pub(crate) fn member_chain(&self, key: &NodeKey) -> Option<&Chain> {
        self.members.get(key)?.chain.as_ref()
    }

    /// The federation's root with this key identifier.
    pub(crate) fn root_with_key(&self, key: &KeyId) -> Option<&Certificate> {
        self.roots.root_with_key(key)
    }

    pub(crate) fn admit(&mut self, row: MemberRow, at: Timestamp) {
        let chain = Chain::from_cbor(&row.chain).ok();
        let verdict = match &chain {
            Some(chain) => self.verify(chain, row.key, at),
            None => Err(Refusal::BadChain),
        };
        let judged = (self.crls.generation(), at);
        self.members.insert(row.key, Member { chain, verdict, judged });
    }

    /// Judges again the members whose verdict no longer stands: a list came, or time went by.
    pub(crate) fn judge_members(&mut self, at: Timestamp) {
        let generation = self.crls.generation();
        let mut members = core::mem::take(&mut self.members);
        for (key, member) in &mut members {
            let (seen, since) = member.judged;
            let stands = match &member.verdict {
                Ok(chain) => chain.valid_from() <= at && at < chain.valid_until(),
                Err(_) => at.since(since).abs() < DOUBT_MS,
            };
            if seen == generation && stands {
                continue;
            }
            if let Some(chain) = &member.chain {
                member.verdict = self.verify(chain, *key, at);
            }
            member.judged = (generation, at);
        }
        self.members = members;
    }

    /// Changes whenever a list came.
    pub(crate) fn generation(&self) -> u64 {
        self.crls.generation()
    }

    /// Takes a revocation list; its issuer's key if it is newer than the one held.
    pub(crate) fn take_list(
        &mut self,
        list: &SignedList,
        at: Timestamp,
    ) -> Result<Option<KeyId>, Refusal> {
        let chain = list.issuer_chain().map_err(|_| Refusal::BadChain)?;
        let crl = Crl::from_der(&list.list).map_err(|_| Refusal::Malformed)?;
        let issuer = issuer_of_list(&crl, chain.as_ref(), &self.roots, &self.crls, at)
            .map_err(|e| refusal_of(&e))?;
        let taken = self.crls.insert(crl, &issuer).map_err(|e| match e {
            CrlError::Older { .. } => Refusal::OldVersion,
            _ => Refusal::BadSignature,
        })?;
        if taken {
            self.lists.insert(issuer.key_id(), list.clone());
            self.verifier = Arc::new(Verifier::new(self.roots.clone(), self.crls.clone()));
        }
        Ok(taken.then(|| issuer.key_id()))
    }

    /// Verifies a chain that a peer presents, and that it is a node's and for the peer's own key.
    pub(crate) fn verify(
        &self,
        chain: &Chain,
        key: NodeKey,
        at: Timestamp,
    ) -> Result<VerifiedChain, Refusal> {
        let verified =
            verify_chain(chain, &self.roots, &self.crls, at).map_err(|e| refusal_of(&e))?;
        if verified.key().to_bytes() != key.0 {
            return Err(Refusal::OtherKey);
        }
        if verified.role() != Role::Node {
            return Err(Refusal::NoRight);
        }
        Ok(verified)
    }

    /// Verifies a chain at the time when its youngest certificate began, whatever was revoked since:
    /// whether it was ever good.
    pub(crate) fn verify_once(&self, chain: &Chain) -> Result<VerifiedChain, Refusal> {
        let begins = chain.certificates().map(|it| it.validity().not_before);
        let at = begins.fold(chain.leaf().validity().not_before, Timestamp::max);
        verify_chain(chain, &self.roots, &CrlSet::default(), at).map_err(|e| refusal_of(&e))
    }

    /// From when on what was signed under a chain counts for nothing, if a certificate of it is revoked.
    pub(crate) fn revoked_at(&self, chain: &Chain) -> Option<Timestamp> {
        let certificates: Vec<&Certificate> = chain.certificates().collect();
        let top = certificates.last().and_then(|top| self.root_with_key(&top.authority_key_id()));
        let issuers = certificates.iter().skip(1).copied().chain(top);
        let revoked = |(certificate, issuer): (&&Certificate, &Certificate)| {
            let list = self.crls.list_of(issuer.key())?;
            Some(list.revoked().get(certificate.serial())?.begins())
        };
        certificates.iter().zip(issuers).filter_map(revoked).min()
    }

    /// Verifies any chain.
    pub(crate) fn verify_any(
        &self,
        chain: &Chain,
        at: Timestamp,
    ) -> Result<VerifiedChain, Refusal> {
        verify_chain(chain, &self.roots, &self.crls, at).map_err(|e| refusal_of(&e))
    }
}

/// The wire's word for what is wrong with a chain.
pub(crate) fn refusal_of(error: &ChainError) -> Refusal {
    match error {
        ChainError::Expired { .. } => Refusal::Expired,
        ChainError::NotYetValid { .. } => Refusal::NotYetValid,
        ChainError::Revoked { .. } => Refusal::Revoked,
        ChainError::OutOfArea { .. } => Refusal::OutOfArea,
        ChainError::StaleList { .. } | ChainError::NoList { .. } => Refusal::StaleList,
        ChainError::WrongIssuerUnit { .. } => Refusal::OutOfArea,
        ChainError::BadSignature { .. } => Refusal::BadSignature,
        ChainError::WrongFederation { .. } => Refusal::OtherFederation,
        ChainError::NotAnAuthority { .. } => Refusal::NoRight,
        _ => Refusal::BadChain,
    }
}
