//! The ledger's mathematics: an append-only Merkle tree over statement digests, its proofs, and the
//! signed checkpoint that commits a unit to one history.
//!
//! There is no store here. [`Frontier`] grows the tree and names the nodes that each append
//! completes, for the caller to persist; proofs are computed from whatever holds those nodes
//! ([`NodeSource`]); and checking a proof needs nothing but the proof.
//!
//! Specifications: RFC 6962 section 2.1 and RFC 9162 section 2.1 (tree, inclusion and consistency
//! proofs, SHA-256 with 0x00 before a leaf and 0x01 before a pair); C2SP tlog-checkpoint and
//! signed-note ([`checkpoint`]), tlog-cosignature ([`cosignature`]); RFC 9942 ([`receipt`]).

use sha2::{Digest as _, Sha256};

use crate::digest::Digest;

pub mod checkpoint;
pub mod cosignature;
pub mod equivocation;
mod frontier;
mod proof;
pub mod receipt;

pub use frontier::{Frontier, FrontierError};
pub use proof::{
    ConsistencyProof, InclusionProof, MAX_PROOF_HASHES, ProofError, consistency_proof,
    inclusion_proof, verify_consistency, verify_inclusion,
};

/// Hash of a leaf that stands for `entry` (here: the 32 bytes of a statement's digest).
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Digest {
    tagged(0x00, &[entry])
}

/// Separates the entry of a certificate from the digest of a statement, which starts otherwise.
const ISSUED_AS: &[u8] = b"reeve/issued-certificate/1\0";

/// The ledger's entry for a certificate that the unit's authority issued: what [`leaf_hash`] takes in
/// place of a statement's digest.
#[must_use]
pub fn issuance_entry(certificate_der: &[u8]) -> Digest {
    Digest::of_parts(&[ISSUED_AS, certificate_der])
}

/// Hash of the node above two others.
#[must_use]
pub fn pair_hash(left: &Digest, right: &Digest) -> Digest {
    tagged(0x01, &[left.as_bytes(), right.as_bytes()])
}

/// Root of the tree without leaves: SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Digest {
    Digest::of(&[])
}

fn tagged(tag: u8, parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update([tag]);
    for part in parts {
        hasher.update(part);
    }
    Digest::from_bytes(hasher.finalize().into())
}

/// Where a complete node stands: it covers the leaves `index << level` to `(index + 1) << level`.
/// Level 0 holds the leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeAddress {
    /// Height above the leaves.
    pub level: u8,
    /// Position from the left within the level.
    pub index: u64,
}

/// Whatever holds the nodes that appends completed: a store, a file of tiles, a map.
pub trait NodeSource {
    /// The hash of a complete node, or none when it is not there.
    fn node(&self, address: NodeAddress) -> Option<Digest>;
}

impl NodeSource for std::collections::BTreeMap<NodeAddress, Digest> {
    fn node(&self, address: NodeAddress) -> Option<Digest> {
        self.get(&address).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's hashlib; the DER is an empty sequence.
    #[test]
    fn the_entry_of_an_issued_certificate_is_as_written_down() {
        let entry = issuance_entry(&[0x30, 0x00]);
        assert_eq!(
            entry.to_string(),
            "818c6f866b9445cf7e18048c9e81869bba5f0fdf5881f3610bff4dec487ef142"
        );
        assert_eq!(
            leaf_hash(entry.as_bytes()).to_string(),
            "a32a7ddcfb0ecf914ec6d362320267647fa558b7273d544bebe2e7acfbb7ce4c"
        );
        assert_ne!(entry, Digest::of(&[0x30, 0x00]), "it is no statement's digest");
    }
}
