//! The twins as signed changes: how records are written, exchanged inside a home, and merged.
//!
//! A [`Shard`] holds at most about a thousand records of one kind. Writing to it yields
//! [`SignedChange`]s, our own bounded CBOR signed by the writer's key; a node of the same home
//! decodes, verifies ([`VerifiedChange`]) and applies them, in any causal order, and every node ends
//! with the same records. The log of signed changes is the truth; a shard is its cache and can be
//! rebuilt from it at any time.
//!
//! This module never touches a store, a peer or a clock, and never gives a peer's bytes to
//! automerge: each node builds the automerge change itself from checked operations and compares
//! its hash with the one that was signed.
//!
//! # What of automerge is used, and why
//!
//! Every change *is* an automerge change: actor, sequence number, Lamport counter, dependencies and
//! predecessors are automerge's, the signed hash is the hash of the automerge change, and
//! [`Document`] makes the automerge document of a shard from its log. But a shard keeps no such
//! document in memory. All operations put or delete scalars in one map, and for those automerge's
//! merge rule is short: an operation replaces what its author had seen of its key, and of what
//! remains the greatest (counter, actor) is shown. So a shard keeps, per key, the operations that
//! nothing replaced. Property tests hold it against real automerge documents.
//!
//! Measured (automerge 0.12, release build, one thread of a 2-core machine, shards of 1,000 records
//! of about 100 bytes), in microseconds per record. With documents, changes of 20 operations: 14.5
//! to write and 16.5 to apply when all documents stay in memory, 44.5 to write when they are loaded
//! and saved around each change. With tables, changes of about 49 operations of seven-field records
//! (`cargo run --release -p reeve-crdt --example shard_speed`): 4.9 to write with schema lookups,
//! automerge hash and signature, 0.7 to decode, 2.8 to verify, 3.8 to apply, 0.6 to save, 0.2 to
//! load; 280 bytes of memory and 131 bytes of cache per record, 129 bytes of log. At one operation
//! per change, signatures dominate: 36 to write, 53 to verify, 6 to apply (74 with a document).
//!
//! # Merging
//!
//! - `merge = "record"`: one key per record, its value the record's CBOR. Of two concurrent writes
//!   the greater (counter, actor) wins; a write wins over a concurrent delete.
//! - `merge = "field"`: one key for the record's existence and one per field. Concurrent writes to
//!   different fields both stand, two concurrent creations of one record unite, and a delete wins
//!   over concurrent changes of single fields. (Nested maps would keep only one of two concurrent
//!   creations.) A change that makes a record carries all its required fields, so every record that
//!   exists is complete after any merge.
//!
//! # Forks
//!
//! A writer that signs two changes with one sequence number is cut off from there on: its changes
//! from that number on count on no node, whichever of them arrived first, while changes by others
//! that depend on them stand ([`ForkProof`], [`Shard::cut_off`]). So are the changes of a writer who was
//! struck off, from the first on that carries a later time ([`WriterTerm`]): a node that applied it
//! before it heard of that builds the shard again ([`Shard::recut`]).
//!
//! # Epochs
//!
//! A log holds deleted values for ever, so what must go goes with the whole shard: the reporting node
//! writes the records that are kept into the shard's next epoch, a new one with a genesis of its own, and
//! seals the one before ([`SignedSeal`]); every node of the home drops that one's changes.

use std::fmt;

use reeve_statement::digest::{Digest, FederationId};
use reeve_statement::names::KindId;
use reeve_statement::unit::UnitId;

mod actor;
mod automerge;
mod cache;
mod change;
mod codec;
mod directory;
mod document;
mod fork;
mod history;
mod layout;
mod register;
mod seal;
mod shard;
mod work;
mod write;

pub use actor::{Actor, ActorId, Author};
pub use cache::CacheError;
pub use change::{SignedChange, VerifiedChange};
pub use codec::ChangeError;
pub use directory::{VerifyError, WritableKinds, WriterDirectory, WriterTerm};
pub use document::{Document, DocumentError};
pub use fork::{ForkError, ForkProof, VerifiedFork};
pub use layout::LayoutError;
pub use seal::{Erased, MAX_SEAL_BYTES, Seal, SealError, Seen, ShardSeal, SignedSeal, unseen};
pub use shard::{Applied, ApplyError, CutError, Shard};
pub use work::{Merged, merge};
pub use write::{RecordOp, WriteError, Written};

/// Largest signed change, in bytes: a quarter of a frame, so that several travel together.
pub const MAX_CHANGE_BYTES: usize = 64 * 1024;

/// Most operations of one change: bounds the work of applying one.
pub const MAX_CHANGE_OPS: usize = 1_000;

/// Most changes that one change depends on directly: one per actor that wrote concurrently.
pub const MAX_CHANGE_DEPS: usize = 128;

/// Most other actors that one change names.
pub const MAX_CHANGE_ACTORS: usize = 128;

/// Most predecessors that one operation names: writers that put one key while all were apart. They
/// serve the automerge change only; merging goes by what a change depends on.
pub const MAX_PREDECESSORS: usize = 8;

/// Most actors of one shard. A home has tens of writers, nodes and restored backups, not thousands.
pub const MAX_ACTORS: usize = 4_096;

/// Which home a shard belongs to. Part of every shard's first change, so that no change of one home
/// can be replayed in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HomeId(Digest);

impl HomeId {
    /// The home of a unit.
    #[must_use]
    pub fn of(federation: &FederationId, unit: &UnitId) -> Self {
        let parts: [&[u8]; 3] =
            [b"reeve/home/1\0", federation.0.as_bytes(), unit.as_str().as_bytes()];
        Self(Digest::of_parts(&parts))
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

/// Which shard: a kind, a number below the kind's count of shards, and an epoch that a retention
/// roll-over raises.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId {
    /// The kind of its records.
    pub kind: KindId,
    /// Its number, from 0.
    pub index: u32,
    /// How often retention has replaced it, from 0.
    pub epoch: u32,
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}.{}", self.kind, self.index, self.epoch)
    }
}

#[cfg(test)]
mod tests;
