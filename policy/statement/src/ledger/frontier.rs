//! The right edge of the tree: all that is needed to append and to know the root.
//!
//! It holds one hash per set bit of the size (at most 63), so a ledger of any length restarts from a
//! few hundred bytes. It never looks back: what an append completes is returned, not kept.

use super::{NodeAddress, NodeSource, empty_root, pair_hash};
use crate::digest::Digest;

/// Levels a tree can have: sizes stay below 2^63, so that every product of an address fits.
const MAX_LEVELS: u32 = 63;

/// The complete subtrees at the right edge of a tree, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Digest>,
}

impl Frontier {
    /// The frontier of a tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Restores a frontier from what [`Frontier::size`] and [`Frontier::peaks`] returned.
    ///
    /// # Errors
    /// When the number of peaks does not fit the size.
    pub fn from_peaks(size: u64, peaks: Vec<Digest>) -> Result<Self, FrontierError> {
        let expected = size.count_ones();
        if size >> MAX_LEVELS != 0 {
            return Err(FrontierError::Full);
        }
        if usize::try_from(expected).ok() != Some(peaks.len()) {
            return Err(FrontierError::Peaks { size, expected, found: peaks.len() });
        }
        Ok(Self { size, peaks })
    }

    /// Restores the frontier of the first `size` leaves from stored nodes.
    ///
    /// # Errors
    /// When a node is missing.
    pub fn load(source: &impl NodeSource, size: u64) -> Result<Self, FrontierError> {
        let peaks = peak_addresses(size)
            .map(|address| source.node(address).ok_or(FrontierError::Missing { address }))
            .collect::<Result<_, _>>()?;
        Self::from_peaks(size, peaks)
    }

    /// Number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The complete subtrees, largest first.
    #[must_use]
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    /// Appends a leaf (see [`super::leaf_hash`]) and returns the nodes this completes, the leaf
    /// first. The caller makes them durable before it signs a checkpoint over the new root.
    ///
    /// # Errors
    /// [`FrontierError::Full`] after 2^63 - 1 leaves.
    pub fn append(&mut self, leaf: Digest) -> Result<Vec<(NodeAddress, Digest)>, FrontierError> {
        let size = self.size.checked_add(1).filter(|size| size >> MAX_LEVELS == 0);
        let size = size.ok_or(FrontierError::Full)?;
        let mut node = (NodeAddress { level: 0, index: self.size }, leaf);
        let mut completed = vec![node];
        while node.0.index & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            let above = NodeAddress { level: node.0.level + 1, index: node.0.index >> 1 };
            node = (above, pair_hash(&left, &node.1));
            completed.push(node);
        }
        self.peaks.push(node.1);
        self.size = size;
        Ok(completed)
    }

    /// The root of the tree (RFC 9162 section 2.1.1).
    #[must_use]
    pub fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev();
        let Some(smallest) = peaks.next() else { return empty_root() };
        peaks.fold(*smallest, |right, left| pair_hash(left, &right))
    }
}

/// Addresses of the complete subtrees that a tree of `size` leaves ends in, largest first.
fn peak_addresses(size: u64) -> impl Iterator<Item = NodeAddress> {
    (0u8..64)
        .rev()
        .filter(move |level| size >> level & 1 == 1)
        .map(move |level| NodeAddress { level, index: (size >> level) - 1 })
}

/// Why a frontier could not be restored or grown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrontierError {
    /// Stored peaks that do not belong to the stored size: the store is damaged.
    #[error(
        "a tree of {size} leaves has {expected} peaks, found {found}: the stored ledger is damaged"
    )]
    Peaks {
        /// Leaves.
        size: u64,
        /// Peaks that so many leaves have.
        expected: u32,
        /// Peaks given.
        found: usize,
    },
    /// A stored node is not there: the store is damaged.
    #[error("the ledger's node at level {}, index {} is missing: the stored ledger is damaged", .address.level, .address.index)]
    Missing {
        /// The node.
        address: NodeAddress,
    },
    /// No leaf can be added.
    #[error("the ledger is full (2^63 - 1 entries)")]
    Full,
}
