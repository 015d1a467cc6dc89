//! Whom a verifier believes: roots, revocation lists, and a memory of chains that were checked.
//!
//! The memory is keyed by a digest over the whole chain, so no other bytes ever profit from it, and
//! each entry knows until when its verdict stands. A new revocation list means a new verifier.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::Signed;
use crate::cert::{
    Chain, ChainError, Checked, CrlSet, RootList, Shelf, VerifiedChain, verify_chain_with,
};
use crate::digest::{Digest, FederationId};
use crate::time::Timestamp;

/// Most chains that are remembered: every node a large superior hears, at about 3 KiB each.
pub const MAX_REMEMBERED_CHAINS: usize = 4_096;

/// Roots and revocation lists of one federation, and the chains verified under them.
pub struct Verifier {
    roots: RootList,
    crls: CrlSet,
    remembered: Mutex<BTreeMap<Digest, Arc<VerifiedChain>>>,
    checked: Checked,
    shelf: Shelf,
}

impl Verifier {
    /// A verifier under these roots and lists.
    #[must_use]
    pub fn new(roots: RootList, crls: CrlSet) -> Self {
        let (remembered, checked, shelf) = Default::default();
        Self { roots, crls, remembered, checked, shelf }
    }

    /// Which federation's statements it accepts.
    #[must_use]
    pub fn federation(&self) -> FederationId {
        self.roots.federation()
    }

    /// The roots.
    #[must_use]
    pub fn roots(&self) -> &RootList {
        &self.roots
    }

    pub(crate) const fn checked(&self) -> &Checked {
        &self.checked
    }

    /// The revocation lists.
    #[must_use]
    pub fn crls(&self) -> &CrlSet {
        &self.crls
    }

    /// The chain that a statement carries, if it carries one. Nothing of it is verified; authorities that
    /// were read before are not read again.
    #[must_use]
    pub fn unverified_chain(&self, signed: &Signed) -> Option<Result<Chain, ChainError>> {
        signed.0.chain_on(&self.shelf)
    }

    /// Verifies a chain at a moment, or remembers that it did.
    ///
    /// # Errors
    /// As [`crate::cert::verify_chain`].
    pub fn verify_chain(
        &self,
        chain: &Chain,
        at: Timestamp,
    ) -> Result<Arc<VerifiedChain>, ChainError> {
        let digest = chain_digest(chain.certificates().map(|certificate| certificate.der()));
        match self.recall(&digest, at) {
            Some(verified) => Ok(verified),
            None => self.verify_anew(digest, chain, at),
        }
    }

    pub(super) fn verify_anew(
        &self,
        digest: Digest,
        chain: &Chain,
        at: Timestamp,
    ) -> Result<Arc<VerifiedChain>, ChainError> {
        let verified = verify_chain_with(chain, &self.roots, &self.crls, at, &self.checked)?;
        let verified = Arc::new(verified);
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MAX_REMEMBERED_CHAINS {
            remembered.clear();
        }
        remembered.insert(digest, Arc::clone(&verified));
        Ok(verified)
    }

    /// A chain verified before, if its verdict stands at this moment.
    pub(super) fn recall(&self, digest: &Digest, at: Timestamp) -> Option<Arc<VerifiedChain>> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let stands = |it: &&Arc<VerifiedChain>| it.valid_from() <= at && at < it.valid_until();
        remembered.get(digest).filter(stands).cloned()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({})", self.roots.federation())
    }
}

/// Digest over the certificates of a chain, each with its length in front.
pub(super) fn chain_digest<'a>(ders: impl Iterator<Item = &'a [u8]>) -> Digest {
    let mut bytes = Vec::new();
    for der in ders {
        bytes.extend_from_slice(&der.len().to_be_bytes());
        bytes.extend_from_slice(der);
    }
    Digest::of(&bytes)
}
