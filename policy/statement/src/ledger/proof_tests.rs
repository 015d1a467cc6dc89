//! The tree against the well-known vectors and against a naive recursive oracle.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::ledger::{Frontier, leaf_hash};

/// MTH of RFC 6962 section 2.1, word for word.
fn oracle_root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(oracle_split(leaves.len()));
            pair_hash(&oracle_root(left), &oracle_root(right))
        }
    }
}

fn oracle_split(count: usize) -> usize {
    let mut split = 1;
    while split * 2 < count {
        split *= 2;
    }
    split
}

/// PATH of RFC 6962 section 2.1.1.
fn oracle_path(index: usize, leaves: &[Digest]) -> Vec<Digest> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let split = oracle_split(leaves.len());
    let (left, right) = leaves.split_at(split);
    let (mut path, sibling) = if index < split {
        (oracle_path(index, left), oracle_root(right))
    } else {
        (oracle_path(index - split, right), oracle_root(left))
    };
    path.push(sibling);
    path
}

/// SUBPROOF of RFC 6962 section 2.1.2.
fn oracle_consistency(old: usize, leaves: &[Digest], whole: bool) -> Vec<Digest> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![oracle_root(leaves)] };
    }
    let split = oracle_split(leaves.len());
    let (left, right) = leaves.split_at(split);
    let (mut proof, other) = if old <= split {
        (oracle_consistency(old, left, whole), oracle_root(right))
    } else {
        (oracle_consistency(old - split, right, false), oracle_root(left))
    };
    proof.push(other);
    proof
}

struct Tree {
    leaves: Vec<Digest>,
    nodes: BTreeMap<NodeAddress, Digest>,
    frontier: Frontier,
}

fn tree(leaves: impl IntoIterator<Item = Digest>) -> Tree {
    let mut tree = Tree { leaves: Vec::new(), nodes: BTreeMap::new(), frontier: Frontier::new() };
    for leaf in leaves {
        tree.leaves.push(leaf);
        tree.nodes.extend(tree.frontier.append(leaf).unwrap());
    }
    tree
}

fn numbered(count: u64) -> Tree {
    tree((0..count).map(|number| leaf_hash(&number.to_be_bytes())))
}

/// The eight-leaf tree that the Certificate Transparency implementations share.
const REFERENCE_LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];
const REFERENCE_ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

#[test]
fn roots_match_the_reference_tree() {
    let mut frontier = Frontier::new();
    let none = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(frontier.root().to_string(), none);
    for (leaf, root) in REFERENCE_LEAVES.iter().zip(REFERENCE_ROOTS) {
        frontier.append(leaf_hash(&hex::decode(leaf).unwrap())).unwrap();
        assert_eq!(frontier.root().to_string(), root);
    }
}

#[test]
fn proofs_match_the_reference_tree() {
    let tree = tree(REFERENCE_LEAVES.iter().map(|leaf| leaf_hash(&hex::decode(leaf).unwrap())));
    let proof = inclusion_proof(&tree.nodes, 5, 8).unwrap();
    let expected = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    let found: Vec<_> = proof.hashes.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
    let proof = consistency_proof(&tree.nodes, 6, 8).unwrap();
    let expected = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    let found: Vec<_> = proof.hashes.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}

#[test]
fn every_proof_of_small_trees_equals_the_oracle() {
    let tree = numbered(40);
    for size in 1..=40u64 {
        let leaves = &tree.leaves[..usize::try_from(size).unwrap()];
        let root = oracle_root(leaves);
        for index in 0..size {
            let at = usize::try_from(index).unwrap();
            let proof = inclusion_proof(&tree.nodes, index, size).unwrap();
            assert_eq!(proof.hashes, oracle_path(at, leaves), "{index} of {size}");
            verify_inclusion(&leaves[at], index, size, &root, &proof).unwrap();
        }
        for old in 1..=size {
            let at = usize::try_from(old).unwrap();
            let proof = consistency_proof(&tree.nodes, old, size).unwrap();
            assert_eq!(proof.hashes, oracle_consistency(at, leaves, true), "{old} to {size}");
            let old_root = oracle_root(&leaves[..at]);
            verify_consistency(old, size, &old_root, &root, &proof).unwrap();
        }
    }
}

#[test]
fn a_shrunk_ledger_is_named() {
    let tree = numbered(3);
    let error = consistency_proof(&tree.nodes, 5, 3).unwrap_err();
    assert_eq!(error, ProofError::Shrunk { old: 5, new: 3 });
}

#[test]
fn an_empty_old_ledger_has_the_empty_root_only() {
    let new = numbered(3).frontier.root();
    let proof = ConsistencyProof { hashes: Vec::new() };
    verify_consistency(0, 3, &empty_root(), &new, &proof).unwrap();
    assert!(verify_consistency(0, 3, &new, &new, &proof).is_err());
}

proptest! {
    #[test]
    fn a_frontier_restarts_anywhere(size in 0u64..300) {
        let tree = numbered(size);
        let leaves = &tree.leaves;
        prop_assert_eq!(tree.frontier.root(), oracle_root(leaves));
        let loaded = Frontier::load(&tree.nodes, size).unwrap();
        prop_assert_eq!(&loaded, &tree.frontier);
        let again = Frontier::from_peaks(size, loaded.peaks().to_vec()).unwrap();
        prop_assert_eq!(again, tree.frontier);
    }

    #[test]
    fn an_altered_inclusion_proves_nothing(
        size in 1u64..200, at: prop::sample::Index, shift in 1u64..200,
        victim: prop::sample::Index, bit in 0usize..256,
    ) {
        let tree = numbered(size);
        let index = at.index(tree.leaves.len());
        let leaf = tree.leaves[index];
        let index = u64::try_from(index).unwrap();
        let root = tree.frontier.root();
        let proof = inclusion_proof(&tree.nodes, index, size).unwrap();
        prop_assert!(verify_inclusion(&leaf_hash(b"other"), index, size, &root, &proof).is_err());
        let elsewhere = (index + shift) % (size + 1);
        if elsewhere != index {
            prop_assert!(verify_inclusion(&leaf, elsewhere, size, &root, &proof).is_err());
        }
        if !proof.hashes.is_empty() {
            let mut altered = proof.clone();
            let place = victim.index(altered.hashes.len());
            let mut bytes = *altered.hashes[place].as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            altered.hashes[place] = Digest::from_bytes(bytes);
            prop_assert!(verify_inclusion(&leaf, index, size, &root, &altered).is_err());
            altered = proof.clone();
            altered.hashes.pop();
            prop_assert!(verify_inclusion(&leaf, index, size, &root, &altered).is_err());
        }
        let mut longer = proof;
        longer.hashes.push(root);
        prop_assert!(verify_inclusion(&leaf, index, size, &root, &longer).is_err());
    }

    #[test]
    fn a_rewritten_history_is_not_consistent(
        old in 1u64..100, more in 1u64..100, place: prop::sample::Index,
    ) {
        let new = old + more;
        let honest = numbered(new);
        let old_root = Frontier::load(&honest.nodes, old).unwrap().root();
        let mut leaves = honest.leaves;
        leaves[place.index(usize::try_from(old).unwrap())] = leaf_hash(b"rewritten");
        let forged = tree(leaves);
        let proof = consistency_proof(&forged.nodes, old, new).unwrap();
        let verdict = verify_consistency(old, new, &old_root, &forged.frontier.root(), &proof);
        prop_assert!(verdict.is_err());
    }
}
