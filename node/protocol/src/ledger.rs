//! This node's ledger: every statement it issues, and every certificate that its unit's authority
//! does, becomes a leaf of an append-only Merkle tree
//! (RFC 9162 section 2.1) before any peer can learn of it.
//!
//! A unit has one ledger per reporting term. The tree's nodes live in the store; only the right edge
//! of the present term's is kept in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;

use reeve_statement::digest::Digest;
use reeve_statement::key::SecretKey;
use reeve_statement::ledger::checkpoint::{Checkpoint, Origin};
use reeve_statement::ledger::receipt::SignedRoot;
use reeve_statement::ledger::{Frontier, NodeAddress, NodeSource};

use crate::context::Context;
use crate::rows;

/// The own ledger: its right edge, and where it is in the store.
#[derive(Debug)]
pub(crate) struct Ledger {
    frontier: Frontier,
    term: u64,
    origin: Origin,
    checkpoint: Option<(u64, String)>,
}

/// The key of a node of a term's tree.
#[must_use]
pub fn node_key(term: u64, level: u8, index: u64) -> Vec<u8> {
    rows::key(rows::LEDGER, &[&term.to_be_bytes(), &[level], &index.to_be_bytes()])
}

/// The key of the right edge of a term's tree.
#[must_use]
pub fn edge_key(term: u64) -> Vec<u8> {
    rows::key(rows::META, &[rows::EDGE, &term.to_be_bytes()])
}

impl Ledger {
    /// The empty ledger of a term.
    pub(crate) fn new(origin: Origin, term: u64) -> Self {
        Self { frontier: Frontier::new(), term, origin, checkpoint: None }
    }

    /// Of which term it is; 0: this node has none, and issues nothing.
    pub(crate) const fn term(&self) -> u64 {
        self.term
    }

    /// Its name.
    pub(crate) const fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(crate) fn restore(&mut self, frontier: Frontier) {
        self.frontier = frontier;
    }

    pub(crate) const fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Appends an entry, which is a statement's digest or a certificate's entry; its index, or none if
    /// the tree is full (it never is).
    pub(crate) fn append(&mut self, context: &mut Context, entry: Digest) -> Option<u64> {
        let index = self.frontier.size();
        for (key, value) in rows_of_append(&mut self.frontier, self.term, entry)? {
            context.persist(key, Some(value));
        }
        Some(index)
    }

    /// The signed note over the present tree; signed again only when the tree has grown.
    pub(crate) fn checkpoint(&mut self, key: &SecretKey) -> String {
        let size = self.frontier.size();
        if let Some((signed, note)) = &self.checkpoint
            && *signed == size
        {
            return note.clone();
        }
        let note = self.sign_at(size, self.frontier.root(), key);
        self.checkpoint = Some((size, note.clone()));
        note
    }

    /// The signed note over an earlier tree of this ledger.
    pub(crate) fn sign_at(&self, size: u64, root: Digest, key: &SecretKey) -> String {
        Checkpoint { origin: self.origin.clone(), size, root }.sign(key)
    }

    /// The same root signed as receipts have it.
    pub(crate) fn sign_root(&self, size: u64, root: &Digest, key: &SecretKey) -> SignedRoot {
        SignedRoot::sign(&self.origin, size, root, key)
    }
}

/// Appends an entry to a tree, and gives the rows that keep it: the nodes that it completed, and the right
/// edge. None if the tree is full.
pub fn rows_of_append(
    frontier: &mut Frontier,
    term: u64,
    entry: Digest,
) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let leaf = reeve_statement::ledger::leaf_hash(entry.as_bytes());
    let completed = frontier.append(leaf).ok()?;
    let row = |(NodeAddress { level, index }, digest): (NodeAddress, Digest)| {
        (node_key(term, level, index), digest.as_bytes().to_vec())
    };
    let mut rows: Vec<_> = completed.into_iter().map(row).collect();
    let mut edge = frontier.size().to_be_bytes().to_vec();
    for peak in frontier.peaks() {
        edge.extend_from_slice(peak.as_bytes());
    }
    rows.push((edge_key(term), edge));
    Some(rows)
}

/// The nodes that some work asks of a tree in which every node is there: those that it needs.
pub(crate) fn nodes_for(work: impl FnOnce(&Recorder)) -> Vec<NodeAddress> {
    let recorder = Recorder::default();
    work(&recorder);
    recorder.0.into_inner()
}

/// A tree that writes down which of its nodes are asked for.
#[derive(Default)]
pub(crate) struct Recorder(RefCell<Vec<NodeAddress>>);

impl NodeSource for Recorder {
    fn node(&self, address: NodeAddress) -> Option<Digest> {
        self.0.borrow_mut().push(address);
        Some(Digest::ZERO)
    }
}

/// Nodes as they were loaded; one that is missing or damaged is left out.
pub(crate) fn loaded_nodes(
    nodes: &[NodeAddress],
    values: Vec<Option<Vec<u8>>>,
) -> BTreeMap<NodeAddress, Digest> {
    let found = |(node, value): (&NodeAddress, Option<Vec<u8>>)| {
        Some((*node, Digest::from_bytes(value?.try_into().ok()?)))
    };
    nodes.iter().zip(values).filter_map(found).collect()
}

/// Reads the right edge from its row.
pub(crate) fn frontier_of(row: &[u8]) -> Option<Frontier> {
    let (size, peaks) = row.split_at_checked(8)?;
    let size = u64::from_be_bytes(size.try_into().ok()?);
    let mut digests = Vec::new();
    for peak in peaks.chunks(32) {
        digests.push(Digest::from_bytes(peak.try_into().ok()?));
    }
    Frontier::from_peaks(size, digests).ok()
}
