//! A change: operations on the keys of one shard by one actor, signed by its writer.
//!
//! [`SignedChange`] is what travels and what the log keeps; its operations are out of reach until
//! [`SignedChange::verify`] made a [`VerifiedChange`] of it. Nothing here applies anything.

use std::fmt;

use reeve_statement::digest::Digest;
use reeve_statement::key::Signature;

use super::actor::{Actor, ActorId};
use super::codec::{self, ChangeError};
use super::{MAX_CHANGE_BYTES, ShardId};

/// One operation: a key of the shard's map gets a value or loses it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct KeyOp {
    pub(super) key: Box<str>,
    /// The new value; `None` deletes.
    pub(super) value: Option<Box<[u8]>>,
    /// The operations this one replaces, as its author saw them.
    pub(super) preds: Vec<Pred>,
}

/// An operation's id as a change writes it: Lamport counter, and actor (0 is the author itself, `n`
/// the change's other actor `n - 1`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Pred {
    pub(super) counter: u64,
    pub(super) actor: u32,
}

/// What is said of a change before its operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) shard: ShardId,
    pub(super) actor: Actor,
    pub(super) seq: u64,
    /// The hash of the automerge change that it describes.
    pub(super) hash: Digest,
}

/// What a change says. `Debug` is not derived: operations hold records.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) head: Head,
    /// Lamport counter of the first operation.
    pub(super) start_op: u64,
    /// Milliseconds since the epoch, as the author's node read its clock.
    pub(super) time: i64,
    /// Hashes of the changes it depends on directly, ascending.
    pub(super) deps: Vec<Digest>,
    /// Other actors that its predecessors name, ascending.
    pub(super) others: Vec<ActorId>,
    /// The operations, ascending by key, each key once.
    pub(super) ops: Vec<KeyOp>,
}

impl Body {
    /// The actor that a predecessor names; `None` if the change lists no such actor.
    pub(super) fn actor_of(&self, actor: u32) -> Option<ActorId> {
        match actor.checked_sub(1) {
            None => Some(self.head.actor.id()),
            Some(other) => self.others.get(usize::try_from(other).ok()?).copied(),
        }
    }

    /// Lamport counter of the last operation.
    pub(super) fn last_op(&self) -> u64 {
        let ops = u64::try_from(self.ops.len()).unwrap_or(u64::MAX);
        self.start_op.saturating_add(ops).saturating_sub(1)
    }
}

/// A change as it travels inside a home and lies in the log. What it does is out of reach until it
/// is verified; its head may be used to file, order and ask for it.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedChange {
    bytes: Box<[u8]>,
    head: Head,
}

impl SignedChange {
    pub(super) fn from_parts(bytes: Vec<u8>, head: Head) -> Self {
        Self { bytes: bytes.into_boxed_slice(), head }
    }

    /// Reads the envelope and head of a change. Nothing is believed yet.
    ///
    /// # Errors
    /// [`ChangeError`]: over the limit or not well-formed; whoever sent it is at fault.
    pub fn decode(bytes: &[u8]) -> Result<Self, ChangeError> {
        if bytes.len() > MAX_CHANGE_BYTES {
            return Err(ChangeError::TooLong { found: bytes.len() });
        }
        let (body, _) = codec::envelope(bytes)?;
        let head = codec::head(body)?;
        Ok(Self { bytes: bytes.into(), head })
    }

    /// The bytes that [`SignedChange::decode`] reads.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The shard it changes.
    #[must_use]
    pub fn shard(&self) -> &ShardId {
        &self.head.shard
    }

    /// Who claims to have made it.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.head.actor
    }

    /// Its number among the changes of its actor in its shard, from 1.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.head.seq
    }

    /// Its name: the hash of the automerge change that it describes.
    #[must_use]
    pub fn hash(&self) -> Digest {
        self.head.hash
    }

    /// The signed part and the signature.
    pub(super) fn envelope(&self) -> Result<(&[u8], Signature), ChangeError> {
        codec::envelope(&self.bytes)
    }
}

impl fmt::Debug for SignedChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Head { shard, actor, seq, hash } = &self.head;
        write!(f, "SignedChange({shard} {} {seq} {}, redacted)", actor.id(), hash.short())
    }
}

/// A change whose signature, writer, limits and records were found good: by
/// [`SignedChange::verify`], or before it went to this node's own log.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedChange {
    signed: SignedChange,
    body: Body,
}

impl VerifiedChange {
    pub(super) fn new(signed: SignedChange, body: Body) -> Self {
        Self { signed, body }
    }

    /// The change as it was signed.
    #[must_use]
    pub fn signed(&self) -> &SignedChange {
        &self.signed
    }

    /// How many operations it has.
    #[must_use]
    pub fn operations(&self) -> usize {
        self.body.ops.len()
    }

    pub(super) fn body(&self) -> &Body {
        &self.body
    }
}

impl fmt::Debug for VerifiedChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verified{:?}", self.signed)
    }
}
