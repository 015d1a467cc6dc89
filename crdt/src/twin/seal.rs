//! The seal of a retention roll-over: what the reporting node of a home says it removed.
//!
//! A seal says that a kind is sealed before a day, or that one shard has begun a new epoch: which changes
//! of the old epoch were seen, and the digest of the records that were kept, which the sealing node wrote
//! again into the new epoch. It names no record. Of a record that was erased alone it has a tag: 32 bits of
//! a salted hash of its id, by which a node that was away knows that it must not write it again, and which
//! thousands of possible ids share.
//!
//! ```cddl
//! signed-seal = [body: bstr .cbor seal, key: bstr .size 32, signature: bstr .size 64]
//! ```
//!
//! The signature is Ed25519, by the node's key, over `"reeve/seal/1" 00` and the SHA-256 of the body.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use minicbor::{Decode, Decoder, Encode};
use reeve_statement::cbor::{bounded_vec, from_slice, to_vec};
use reeve_statement::digest::Digest;
use reeve_statement::key::{PublicKey, SecretKey, Signature};
use reeve_statement::names::KindId;
use reeve_statement::time::Timestamp;

use super::actor::ActorId;
use super::change::{SignedChange, VerifiedChange};
use super::layout::split;
use super::shard::Shard;
use super::{HomeId, MAX_ACTORS, ShardId};
use crate::record::RecordId;

/// Largest signed seal, in bytes: one of a shard with as many actors as there may be.
pub const MAX_SEAL_BYTES: usize = 160 * 1024;

/// Separates a seal's signature from every other.
const DOMAIN: &[u8] = b"reeve/seal/1\0";

/// What was sealed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Seal {
    /// Which home.
    #[n(0)]
    pub home: Digest,
    /// Which kind.
    #[n(1)]
    pub kind: KindId,
    /// The day before which the kind is sealed, in days since 1970-01-01; none: only `shard` is.
    #[n(2)]
    pub before: Option<i32>,
    /// The shard that begins a new epoch; none: only the day is told.
    #[n(3)]
    pub shard: Option<ShardSeal>,
    /// The reporting term of the node that sealed.
    #[n(4)]
    pub term: u64,
    /// When it did.
    #[n(5)]
    pub at: Timestamp,
}

/// The roll-over of one shard.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ShardSeal {
    /// Its number.
    #[n(0)]
    pub index: u32,
    /// The epoch that begins.
    #[n(1)]
    pub epoch: u32,
    /// Which changes of the epoch before were seen.
    #[cbor(n(2), decode_with = "decode_seen")]
    pub seen: Vec<Seen>,
    /// Digest of the records that were kept.
    #[n(3)]
    pub kept: Digest,
    /// How many were removed.
    #[n(4)]
    pub removed: u32,
    /// If a record was erased alone: how to know it again.
    #[n(5)]
    pub erased: Option<Erased>,
}

/// How many changes of an actor were seen.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Seen {
    /// The actor.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub actor: [u8; 16],
    /// How many.
    #[n(1)]
    pub changes: u64,
}

/// How a record that was erased is known again, without naming it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Erased {
    /// Drawn for this seal.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub salt: [u8; 16],
    /// 32 bits of the salted hash.
    #[n(1)]
    pub tag: u32,
}

impl Erased {
    /// The tag of a record under a salt.
    #[must_use]
    pub fn of(salt: [u8; 16], kind: &KindId, id: &RecordId) -> Self {
        let (kind, id) = (kind.as_str().as_bytes(), id.as_str().as_bytes());
        let digest = Digest::of_parts(&[b"reeve/erased/1\0", &salt, kind, b"\0", id]);
        let [a, b, c, d, ..] = *digest.as_bytes();
        Self { salt, tag: u32::from_be_bytes([a, b, c, d]) }
    }

    /// Whether a record may be the one.
    #[must_use]
    pub fn is(&self, kind: &KindId, id: &RecordId) -> bool {
        Self::of(self.salt, kind, id) == *self
    }
}

fn decode_seen<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Result<Vec<Seen>, minicbor::decode::Error> {
    bounded_vec(d, ctx, MAX_ACTORS)
}

/// Why bytes are no seal. Whoever sent them is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not the CBOR of a seal.
    #[error("a seal: not well-formed")]
    Malformed,
    /// Of another home.
    #[error("a seal: expected one of this home")]
    OtherHome,
    /// The signature does not hold.
    #[error("a seal: the signature does not hold")]
    BadSignature,
}

/// A seal as it was signed, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedSeal {
    bytes: Vec<u8>,
    key: PublicKey,
    seal: Seal,
}

#[derive(Encode, Decode)]
struct Envelope {
    #[cbor(n(0), with = "minicbor::bytes")]
    body: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    key: [u8; 32],
    #[cbor(n(2), with = "minicbor::bytes")]
    signature: [u8; 64],
}

fn to_be_signed(body: &[u8]) -> Vec<u8> {
    [DOMAIN, Digest::of(body).as_bytes()].concat()
}

impl SignedSeal {
    /// Signs a seal.
    #[must_use]
    pub fn sign(seal: Seal, key: &SecretKey) -> Self {
        let body = to_vec(&seal);
        let signature = *key.sign(&to_be_signed(&body)).as_bytes();
        let public = key.public();
        let bytes = to_vec(&Envelope { body, key: public.to_bytes(), signature });
        Self { bytes, key: public, seal }
    }

    /// Reads a seal of a home and checks its signature.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn decode(bytes: &[u8], home: HomeId) -> Result<Self, SealError> {
        let envelope: Envelope =
            from_slice("seal", bytes, MAX_SEAL_BYTES).map_err(|_| SealError::Malformed)?;
        let seal: Seal =
            from_slice("seal", &envelope.body, MAX_SEAL_BYTES).map_err(|_| SealError::Malformed)?;
        if seal.home.as_bytes() != home.as_bytes() {
            return Err(SealError::OtherHome);
        }
        let key = PublicKey::from_bytes(&envelope.key).map_err(|_| SealError::BadSignature)?;
        let signature =
            Signature::from_bytes(&envelope.signature).map_err(|_| SealError::Malformed)?;
        key.verify(&to_be_signed(&envelope.body), &signature)
            .map_err(|_| SealError::BadSignature)?;
        Ok(Self { bytes: bytes.to_vec(), key, seal })
    }

    /// The bytes that [`SignedSeal::decode`] reads.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it says.
    #[must_use]
    pub fn seal(&self) -> &Seal {
        &self.seal
    }

    /// The key of the node that sealed.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The shard that begins a new epoch, by the name that it has from then on.
    #[must_use]
    pub fn shard(&self) -> Option<ShardId> {
        let shard = self.seal.shard.as_ref()?;
        Some(ShardId { kind: self.seal.kind.clone(), index: shard.index, epoch: shard.epoch })
    }

    /// Which of two seals of one epoch stands: that of the later term, then that of the greater digest.
    #[must_use]
    pub fn order(&self) -> (u64, Digest) {
        (self.seal.term, Digest::of(&self.bytes))
    }
}

impl Shard {
    /// Which changes of this shard a seal says were seen.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        let seen = self.version_vector().into_iter();
        seen.map(|(actor, changes)| Seen { actor: *actor.as_bytes(), changes }).collect()
    }

    /// A digest over its records.
    #[must_use]
    pub fn digest_of_records(&self) -> Digest {
        let records: Vec<Vec<u8>> = self
            .iter()
            .flat_map(|(id, record)| [id.as_str().as_bytes().to_vec(), record.to_cbor()])
            .collect();
        let lengths: Vec<[u8; 8]> = records
            .iter()
            .map(|part| u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes())
            .collect();
        let parts = lengths.iter().zip(&records).flat_map(|(n, part)| [n.as_slice(), part]);
        let parts: Vec<&[u8]> = core::iter::once(&b"reeve/kept/1\0"[..]).chain(parts).collect();
        Digest::of_parts(&parts)
    }
}

/// The records that changes of an epoch touch which a seal did not see, by actors for whom `own` holds:
/// their author writes these again.
#[must_use]
pub fn unseen(
    log: &[VerifiedChange],
    seal: &ShardSeal,
    own: impl Fn(&SignedChange) -> bool,
) -> BTreeSet<RecordId> {
    let seen: BTreeMap<Option<ActorId>, u64> =
        seal.seen.iter().map(|it| (ActorId::from_bytes(&it.actor), it.changes)).collect();
    let late = log.iter().filter(|change| {
        let signed = change.signed();
        let known = seen.get(&Some(signed.actor().id())).copied().unwrap_or(0);
        own(signed) && signed.seq() > known
    });
    let keys = late.flat_map(|change| change.body().ops.iter().map(|op| op.key.as_ref()));
    keys.filter_map(|key| RecordId::new(split(key).0).ok()).collect()
}

impl fmt::Display for SignedSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shard() {
            Some(shard) => write!(f, "seal of {shard}"),
            None => write!(f, "seal of {}", self.seal.kind),
        }
    }
}
