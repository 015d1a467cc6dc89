//! The nodes of somebody's tree, put together from its tiles. Nothing of it is believed: proofs that are
//! made of it are checked against roots that were signed.

use std::cell::RefCell;
use std::collections::BTreeMap;

use reeve_statement::digest::Digest;
use reeve_statement::ledger::{
    NodeAddress, NodeSource, consistency_proof, pair_hash, verify_consistency,
};

use super::source::{Source, SourceError, TILE};

/// Levels of the tree that one level of tiles spans.
const SPAN: u8 = 8;

/// What came of asking whether one tree goes on from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Growth {
    /// It does.
    Proven,
    /// What was shown does not prove it.
    NotProven,
    /// What it is to be proven by could not be got.
    Unknown(SourceError),
}

/// Whether the tree of `to` entries, which somebody shows, goes on from the one of `from` entries.
pub(super) fn growth(
    source: &dyn Source,
    term: u64,
    (from, from_root): (u64, &Digest),
    (to, to_root): (u64, &Digest),
) -> Growth {
    let tiles =
        Tiles { source, term, size: to, tiles: RefCell::default(), failed: RefCell::default() };
    let proof = if from == 0 { Ok(Vec::new()) } else { tiles.proof(from) };
    match proof {
        Ok(hashes) => {
            let proof = reeve_statement::ledger::ConsistencyProof { hashes };
            match verify_consistency(from, to, from_root, to_root, &proof) {
                Ok(()) => Growth::Proven,
                Err(_) => Growth::NotProven,
            }
        }
        Err(Some(error)) => Growth::Unknown(error),
        Err(None) => Growth::NotProven,
    }
}

struct Tiles<'a> {
    source: &'a dyn Source,
    term: u64,
    size: u64,
    tiles: RefCell<BTreeMap<(u8, u64), Vec<Digest>>>,
    failed: RefCell<Option<SourceError>>,
}

impl Tiles<'_> {
    fn proof(&self, from: u64) -> Result<Vec<Digest>, Option<SourceError>> {
        let proof = consistency_proof(self, from, self.size);
        proof.map(|proof| proof.hashes).map_err(|_| self.failed.take())
    }

    /// Hashes of a tile, as many as this tree has.
    fn tile(&self, level: u8, index: u64) -> Option<Vec<Digest>> {
        if let Some(tile) = self.tiles.borrow().get(&(level, index)) {
            return Some(tile.clone());
        }
        let there = self.size.checked_shr(u32::from(level.checked_mul(SPAN)?))?;
        let width = there.checked_sub(index.checked_mul(TILE)?)?.min(TILE);
        if width == 0 {
            return None;
        }
        match self.source.tile(self.term, level, index, width) {
            Ok(bytes) => {
                let hashes =
                    bytes.chunks(32).map(|hash| Some(Digest::from_bytes(hash.try_into().ok()?)));
                let hashes = hashes.collect::<Option<Vec<_>>>()?;
                self.tiles.borrow_mut().insert((level, index), hashes.clone());
                Some(hashes)
            }
            Err(error) => {
                self.failed.borrow_mut().get_or_insert(error);
                None
            }
        }
    }
}

impl NodeSource for Tiles<'_> {
    fn node(&self, address: NodeAddress) -> Option<Digest> {
        let (level, within) = (address.level / SPAN, address.level % SPAN);
        let first = address.index.checked_shl(u32::from(within))?;
        let tile = self.tile(level, first / TILE)?;
        let start = usize::try_from(first % TILE).ok()?;
        let hashes = tile.get(start..start.checked_add(1 << within)?)?;
        let mut row = hashes.to_vec();
        while row.len() > 1 {
            row = row
                .chunks(2)
                .filter_map(|pair| match pair {
                    [left, right] => Some(pair_hash(left, right)),
                    _ => None,
                })
                .collect();
        }
        row.first().copied()
    }
}
