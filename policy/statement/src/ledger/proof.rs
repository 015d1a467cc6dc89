//! Inclusion and consistency proofs: making them from stored nodes, checking them from nothing.
//!
//! A proof holds at most [`MAX_PROOF_HASHES`] hashes. Checking never recurses and never allocates
//! by what a proof claims.
//!
//! Specification: RFC 9162 sections 2.1.3 (inclusion) and 2.1.4 (consistency).

use super::{NodeAddress, NodeSource, empty_root, pair_hash};
use crate::digest::Digest;

/// Most hashes of a proof: two for each level of the largest tree.
pub const MAX_PROOF_HASHES: usize = 126;

/// Shows that a leaf is in a tree: the siblings on its way up, lowest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// Siblings, lowest first.
    pub hashes: Vec<Digest>,
}

/// Shows that a tree is a prefix of a larger one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// Hashes in the order of RFC 9162 section 2.1.4.1.
    pub hashes: Vec<Digest>,
}

/// Proves that the leaf at `index` is in the tree of the first `size` leaves.
///
/// # Errors
/// When there is no such leaf in that tree, or the source lacks a node.
pub fn inclusion_proof(
    source: &impl NodeSource,
    index: u64,
    size: u64,
) -> Result<InclusionProof, ProofError> {
    if index >= size {
        return Err(ProofError::OutsideTree { index, size });
    }
    let mut hashes = Vec::new();
    let (mut first, mut count) = (0, size);
    while count > 1 {
        let split = split_point(count);
        if index - first < split {
            hashes.push(subtree(source, first + split, count - split)?);
            count = split;
        } else {
            hashes.push(subtree(source, first, split)?);
            first += split;
            count -= split;
        }
    }
    hashes.reverse();
    Ok(InclusionProof { hashes })
}

/// Proves that the tree of the first `old` leaves is a prefix of the tree of the first `new`.
///
/// # Errors
/// When `old` is larger than `new`, or the source lacks a node.
pub fn consistency_proof(
    source: &impl NodeSource,
    old: u64,
    new: u64,
) -> Result<ConsistencyProof, ProofError> {
    if old > new {
        return Err(ProofError::Shrunk { old, new });
    }
    let mut hashes = Vec::new();
    if old == 0 || old == new {
        return Ok(ConsistencyProof { hashes });
    }
    let (mut first, mut count) = (0, new);
    while old - first != count {
        let split = split_point(count);
        if old - first <= split {
            hashes.push(subtree(source, first + split, count - split)?);
            count = split;
        } else {
            hashes.push(subtree(source, first, split)?);
            first += split;
            count -= split;
        }
    }
    // The walk ended at a subtree that both trees have. The checker knows it already only when it
    // is the whole old tree.
    if first != 0 {
        hashes.push(subtree(source, first, count)?);
    }
    hashes.reverse();
    Ok(ConsistencyProof { hashes })
}

/// Largest power of two below `count` (which is at least 2).
fn split_point(count: u64) -> u64 {
    1 << (63 - (count - 1).leading_zeros())
}

/// Root of the `count` leaves from `first` on, where `first` is a multiple of the power of two at
/// or above `count`.
fn subtree(source: &impl NodeSource, first: u64, count: u64) -> Result<Digest, ProofError> {
    let mut lefts = Vec::new();
    let (mut first, mut count) = (first, count);
    while !count.is_power_of_two() {
        let split = split_point(count);
        lefts.push(complete(source, first, split)?);
        first += split;
        count -= split;
    }
    let right = complete(source, first, count)?;
    Ok(lefts.iter().rev().fold(right, |right, left| pair_hash(left, &right)))
}

fn complete(source: &impl NodeSource, first: u64, count: u64) -> Result<Digest, ProofError> {
    let level = u8::try_from(count.trailing_zeros()).unwrap_or(u8::MAX);
    let address = NodeAddress { level, index: first >> level };
    source.node(address).ok_or(ProofError::Missing { address })
}

/// Checks that `leaf` (see [`super::leaf_hash`]) is at `index` in the tree of `size` leaves with
/// this root.
///
/// # Errors
/// Whether the claim is impossible, the proof has the wrong length, or it leads to another root.
pub fn verify_inclusion(
    leaf: &Digest,
    index: u64,
    size: u64,
    root: &Digest,
    proof: &InclusionProof,
) -> Result<(), ProofError> {
    matches(&root_of_inclusion(leaf, index, size, proof)?, root)
}

/// The root that a proof leads to, for whoever has it from nowhere else: a signature over it must hold.
pub(super) fn root_of_inclusion(
    leaf: &Digest,
    index: u64,
    size: u64,
    proof: &InclusionProof,
) -> Result<Digest, ProofError> {
    if index >= size {
        return Err(ProofError::OutsideTree { index, size });
    }
    check_length(&proof.hashes)?;
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in &proof.hashes {
        if last == 0 {
            return Err(ProofError::Length { found: proof.hashes.len() });
        }
        if node & 1 == 1 || node == last {
            hash = pair_hash(sibling, &hash);
            skip_right_edge(&mut node, &mut last);
        } else {
            hash = pair_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length { found: proof.hashes.len() });
    }
    Ok(hash)
}

/// At the right edge of an incomplete tree, levels without a sibling are passed over.
fn skip_right_edge(node: &mut u64, last: &mut u64) {
    while *node & 1 == 0 && *node != 0 {
        *node >>= 1;
        *last >>= 1;
    }
}

/// Checks that the tree of `old` leaves with `old_root` is a prefix of the tree of `new` leaves
/// with `new_root`: nothing was removed, changed or inserted before.
///
/// # Errors
/// Whether the claim is impossible, the proof has the wrong length, or it leads to other roots.
pub fn verify_consistency(
    old: u64,
    new: u64,
    old_root: &Digest,
    new_root: &Digest,
    proof: &ConsistencyProof,
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Shrunk { old, new });
    }
    check_length(&proof.hashes)?;
    if old == 0 || old == new {
        let expected = if old == 0 { empty_root() } else { *new_root };
        matches(&expected, old_root)?;
        return if proof.hashes.is_empty() {
            Ok(())
        } else {
            Err(ProofError::Length { found: proof.hashes.len() })
        };
    }
    let wrong_length = ProofError::Length { found: proof.hashes.len() };
    let mut hashes = proof.hashes.iter();
    // A complete old tree is a subtree of the new one, so its root is where the proof starts.
    let start = if old.is_power_of_two() { Some(old_root) } else { hashes.next() };
    let start = *start.ok_or_else(|| wrong_length.clone())?;
    let (mut node, mut last) = (old - 1, new - 1);
    let levels = node.trailing_ones();
    node >>= levels;
    last >>= levels;
    let (mut old_hash, mut new_hash) = (start, start);
    for sibling in hashes {
        if last == 0 {
            return Err(wrong_length);
        }
        if node & 1 == 1 || node == last {
            old_hash = pair_hash(sibling, &old_hash);
            new_hash = pair_hash(sibling, &new_hash);
            skip_right_edge(&mut node, &mut last);
        } else {
            new_hash = pair_hash(&new_hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(wrong_length);
    }
    matches(&old_hash, old_root)?;
    matches(&new_hash, new_root)
}

fn check_length(hashes: &[Digest]) -> Result<(), ProofError> {
    if hashes.len() > MAX_PROOF_HASHES {
        return Err(ProofError::Length { found: hashes.len() });
    }
    Ok(())
}

fn matches(found: &Digest, expected: &Digest) -> Result<(), ProofError> {
    if found == expected {
        Ok(())
    } else {
        Err(ProofError::Root { expected: *expected, found: *found })
    }
}

/// Why a proof could not be made, or does not prove what it claims.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf is not in a tree of that size.
    #[error("entry {index} is not in a ledger of {size} entries")]
    OutsideTree {
        /// Position of the leaf.
        index: u64,
        /// Leaves of the tree.
        size: u64,
    },
    /// A tree cannot be a prefix of a smaller one: the ledger was cut or restored from a backup.
    #[error("the ledger had {old} entries and now has {new}: entries were removed")]
    Shrunk {
        /// Size known before.
        old: u64,
        /// Size claimed now.
        new: u64,
    },
    /// The number of hashes does not fit the sizes.
    #[error("the proof has {found} hashes, which does not fit the sizes it is for")]
    Length {
        /// Hashes found.
        found: usize,
    },
    /// The proof leads to another root: it, or the ledger, was altered.
    #[error("the proof leads to root {found}, expected {expected}")]
    Root {
        /// The root that was to be proven.
        expected: Digest,
        /// The root that the proof leads to.
        found: Digest,
    },
    /// The source lacks a node: our own store is damaged.
    #[error("the ledger's node at level {}, index {} is missing", .address.level, .address.index)]
    Missing {
        /// The node.
        address: NodeAddress,
    },
}

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;
