//! The proof that a writer forked: two different changes with one sequence number, both signed.
//!
//! The proof carries the writer's public key, which its key id in the changes binds, so it convinces
//! also after the writer was struck from the directory.

use reeve_statement::key::PublicKey;

use super::actor::{Actor, ActorId};
use super::change::{SignedChange, VerifiedChange};
use super::codec::{ChangeError, Reader, to_be_signed};
use super::directory::VerifyError;
use super::{MAX_CHANGE_BYTES, ShardId};
use crate::schema::Schema;

/// Bytes of a proof beside its two changes: heads of lengths and the key.
const OVERHEAD_BYTES: usize = 64;

/// Two signed changes that claim one place. Believed by nobody before [`ForkProof::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkProof {
    key: PublicKey,
    one: SignedChange,
    other: SignedChange,
}

/// A fork that was proved: who forked where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedFork {
    actor: ActorId,
    changes: [VerifiedChange; 2],
}

/// Why two changes prove no fork. Whoever made the proof is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForkError {
    /// They are of different shards, actors or numbers, or the same change.
    #[error("expected two different changes with one shard, actor and sequence number")]
    NoFork,
    /// The key is not the writer's.
    #[error("the proof's key is not that of the changes' writer")]
    OtherKey,
    /// A change was not signed by the writer, or is none.
    #[error("a change of the proof does not hold: {0}")]
    Change(#[from] VerifyError),
    /// The proof is not well-formed.
    #[error(transparent)]
    Malformed(#[from] ChangeError),
}

impl ForkProof {
    /// Puts two changes together.
    ///
    /// # Errors
    /// [`ForkError::NoFork`], [`ForkError::OtherKey`].
    pub fn new(key: PublicKey, one: SignedChange, other: SignedChange) -> Result<Self, ForkError> {
        let same_place = one.shard() == other.shard()
            && one.actor() == other.actor()
            && one.seq() == other.seq();
        if !same_place || one.hash() == other.hash() {
            return Err(ForkError::NoFork);
        }
        if key.key_id() != one.actor().writer {
            return Err(ForkError::OtherKey);
        }
        // One order, so that a fork has one proof.
        let (one, other) = if one.hash() < other.hash() { (one, other) } else { (other, one) };
        Ok(Self { key, one, other })
    }

    /// The shard in which the writer forked, if the proof holds.
    #[must_use]
    pub fn shard(&self) -> &ShardId {
        self.one.shard()
    }

    /// Who forked, if the proof holds.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        self.one.actor()
    }

    /// The number that it used twice, if the proof holds.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.one.seq()
    }

    /// The proof as CBOR: `[key: bstr .size 32, one: bstr, other: bstr]`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut e = minicbor::Encoder::new(&mut bytes);
        let written = e.array(3).and_then(|e| {
            e.bytes(&self.key.to_bytes())?.bytes(self.one.as_bytes())?.bytes(self.other.as_bytes())
        });
        debug_assert!(written.is_ok(), "encoding into a vector cannot fail");
        bytes
    }

    /// Reads a proof. Nothing is believed yet.
    ///
    /// # Errors
    /// [`ForkError`]: too long, not well-formed, or no fork at all.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ForkError> {
        if bytes.len() > MAX_CHANGE_BYTES.saturating_mul(2).saturating_add(OVERHEAD_BYTES) {
            return Err(ForkError::Malformed(ChangeError::TooLong { found: bytes.len() }));
        }
        let mut r = Reader(minicbor::Decoder::new(bytes));
        r.exactly(3, "a key and two changes")?;
        let key = PublicKey::from_bytes(r.bytes("a key")?).map_err(|_| r.malformed("a key"))?;
        let one = SignedChange::decode(r.bytes("a change")?)?;
        let other = SignedChange::decode(r.bytes("a change")?)?;
        let proof = Self::new(key, one, other)?;
        if proof.to_bytes() == bytes {
            Ok(proof)
        } else {
            Err(ForkError::Malformed(ChangeError::NotCanonical))
        }
    }

    /// Checks both signatures.
    ///
    /// # Errors
    /// [`ForkError::Change`] if one of the changes is not the writer's.
    pub fn verify(&self, schema: &Schema) -> Result<VerifiedFork, ForkError> {
        let verified = |change: &SignedChange| -> Result<VerifiedChange, VerifyError> {
            let (body, signature) = change.envelope()?;
            let writer = change.actor().writer;
            self.key
                .verify(&to_be_signed(body), &signature)
                .map_err(|_| VerifyError::BadSignature(writer))?;
            SignedChange::from_own_log(change.as_bytes(), schema)
        };
        let changes = [verified(&self.one)?, verified(&self.other)?];
        Ok(VerifiedFork { actor: self.one.actor().id(), changes })
    }
}

impl VerifiedFork {
    /// The shard in which the writer forked.
    #[must_use]
    pub fn shard(&self) -> &ShardId {
        let [one, _] = &self.changes;
        one.signed().shard()
    }

    /// Who forked.
    #[must_use]
    pub fn actor(&self) -> ActorId {
        self.actor
    }

    /// The number that it used twice.
    #[must_use]
    pub fn seq(&self) -> u64 {
        let [one, _] = &self.changes;
        one.signed().seq()
    }

    /// The two changes.
    #[must_use]
    pub fn changes(&self) -> &[VerifiedChange; 2] {
        &self.changes
    }
}
