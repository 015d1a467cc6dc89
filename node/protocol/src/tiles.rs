//! Tiles of this node's ledgers (C2SP tlog-tiles): 256 hashes of one level, or 256 entries, at a time.
//!
//! An entry is the 32 bytes that stand in the ledger: a statement's digest, or that of an issuance or an
//! adoption. A tile shows how much was signed, and nothing of what.

use reeve_statement::cbor::from_slice;
use reeve_statement::digest::Digest;
use reeve_statement::ledger::NodeAddress;

use crate::asks::AskedLoad;
use crate::effect::{AskId, Load};
use crate::ledger::node_key;
use crate::local::{Answer, Failure};
use crate::node::Node;
use crate::rows::{self, AdoptionRow, IssuedRow, SentRow};

/// Places of a full tile.
pub const TILE: u64 = 256;

/// Levels of the tree that one level of tiles spans.
const SPAN: u8 = 8;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TileOf {
    /// Hashes of the complete nodes of every eighth level of the tree, by level of tiles.
    Hashes(u8),
    /// Entries.
    Entries,
}

/// A tile of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// In which term's ledger.
    pub term: u64,
    /// Of what.
    pub of: TileOf,
    /// Its place, from the left.
    pub index: u64,
    /// How many places of it are wanted: 1 to [`TILE`].
    pub width: u16,
}

impl Tile {
    /// The level of the tree, the first node and the one after the last. None: no such tile can be.
    fn nodes(&self) -> Option<(u8, u64, u64)> {
        let level = match self.of {
            TileOf::Hashes(level) => level.checked_mul(SPAN).filter(|level| *level < 64)?,
            TileOf::Entries => 0,
        };
        let first = self.index.checked_mul(TILE)?;
        let width = u64::from(self.width);
        let end = first.checked_add(width)?;
        (1..=TILE).contains(&width).then_some((level, first, end))
    }

    /// The rows that it is made of, in a ledger of this size. None: the ledger does not have it.
    fn rows(&self, size: u64) -> Option<Vec<Vec<u8>>> {
        let (level, first, end) = self.nodes()?;
        if end > size >> level {
            return None;
        }
        let places = first..end;
        Some(match self.of {
            TileOf::Hashes(_) => places
                .map(|index| NodeAddress { level, index })
                .map(|node| node_key(self.term, node.level, node.index))
                .collect(),
            TileOf::Entries => places
                .flat_map(|index| {
                    [rows::SENT, rows::ISSUED, rows::ADOPTED]
                        .map(|prefix| rows::placed(prefix, self.term, index))
                })
                .collect(),
        })
    }

    /// The tile, of its rows. None: one is missing, or is no such row.
    fn bytes(&self, values: Vec<Option<Vec<u8>>>) -> Option<Vec<u8>> {
        if let TileOf::Hashes(_) = self.of {
            let hashes = values.into_iter().collect::<Option<Vec<_>>>()?;
            return hashes.iter().all(|hash| hash.len() == 32).then(|| hashes.concat());
        }
        let mut bytes = Vec::new();
        for rows in values.chunks(3) {
            let entry = entry(rows)?;
            // Each entry has its length before it (C2SP tlog-tiles, entry bundles).
            bytes.extend_from_slice(&32_u16.to_be_bytes());
            bytes.extend_from_slice(entry.as_bytes());
        }
        Some(bytes)
    }
}

/// What stands in one place: one of the three kinds of rows has it.
fn entry(rows: &[Option<Vec<u8>>]) -> Option<Digest> {
    let [sent, issued, adopted] = rows else { return None };
    if let Some(row) = sent {
        return Some(from_slice::<SentRow>("row", row, row.len()).ok()?.statement);
    }
    if let Some(row) = issued {
        return Some(from_slice::<IssuedRow>("row", row, row.len()).ok()?.entry);
    }
    let row = adopted.as_ref()?;
    Some(from_slice::<AdoptionRow>("row", row, row.len()).ok()?.entry)
}

impl Node {
    /// Loads a tile for who asks; a tile that the ledger does not have is none.
    pub(crate) fn load_tile(&mut self, ask: AskId, tile: Tile) {
        match tile.rows(self.ledger_size_of(tile.term)) {
            Some(rows) => {
                let load = self.context.load(Load::Get(rows));
                self.asked_loads.insert(load, AskedLoad::Tile { ask, tile });
            }
            None => self.context.reply(ask, Answer::Tile(None)),
        }
    }

    pub(crate) fn on_tile(&mut self, ask: AskId, tile: Tile, values: Vec<Option<Vec<u8>>>) {
        let answer = match tile.bytes(values) {
            Some(bytes) => Answer::Tile(Some(bytes)),
            None => Answer::Failed(Failure::Damaged("tile of the ledger")),
        };
        self.context.reply(ask, answer);
    }
}
