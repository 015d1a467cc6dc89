//! Signed changes as deterministic CBOR (RFC 8949 section 4.2.1).
//!
//! ```cddl
//! signed-change = [body: bstr .cbor change, signature: bstr .size 64]
//! change = [
//!   version: 1, kind: tstr, index: uint, epoch: uint,
//!   writer: bstr .size 20, node: bstr .size 20, incarnation: uint, seq: uint,
//!   hash: bstr .size 32,            ; of the automerge change that the rest describes
//!   start-op: uint, time: int, deps: [* bstr .size 32], others: [* bstr .size 16], ops: [+ op],
//! ]
//! op = [key: tstr, value: bstr / null, preds: [* uint]]   ; counter, actor, counter, actor, ...
//! ```
//!
//! The signature is Ed25519 over `"reeve/change/1" 00` and the SHA-256 of the body. Every length is
//! checked against its limit before anything is allocated for it, and a body is accepted only in
//! its canonical form, so that one change has one spelling.

use std::convert::Infallible;

use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError};
use reeve_statement::digest::Digest;
use reeve_statement::key::{KeyId, Signature};
use reeve_statement::names::KindId;

use super::actor::{Actor, ActorId};
use super::change::{Body, Head, KeyOp, Pred};
use super::layout::MAX_KEY_BYTES;
use super::{
    MAX_CHANGE_ACTORS, MAX_CHANGE_BYTES, MAX_CHANGE_DEPS, MAX_CHANGE_OPS, MAX_PREDECESSORS, ShardId,
};
use crate::record::MAX_RECORD_BYTES;

/// The version of this format.
const VERSION: u8 = 1;

/// Elements of a change.
const BODY_ELEMENTS: u64 = 14;

/// Separates a change's signature from every other.
const DOMAIN: &[u8] = b"reeve/change/1\0";

/// Why bytes are no change. Whoever sent them is at fault; nothing of them is shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Larger than any change; nothing was decoded.
    #[error("a change: expected at most {MAX_CHANGE_BYTES} bytes, found {found}")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// More of something than a change may have.
    #[error("a change: expected at most {limit} {what}, found {found}")]
    OverLimit {
        /// Operations, dependencies, actors ...
        what: &'static str,
        /// Most allowed.
        limit: usize,
        /// How many were announced.
        found: u64,
    },
    /// Not CBOR of a change.
    #[error("a change: not well-formed at byte {position}: expected {expected}")]
    Malformed {
        /// Where decoding stopped.
        position: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// Of a later format.
    #[error("a change: expected format version {VERSION}, found {found}; update this node")]
    Version {
        /// The version found.
        found: u8,
    },
    /// The bytes are not the one canonical form of their content.
    #[error("a change: not in canonical form (RFC 8949 section 4.2.1)")]
    NotCanonical,
}

/// What a writer signs.
pub(super) fn to_be_signed(body: &[u8]) -> Vec<u8> {
    let digest = Digest::of(body);
    [DOMAIN, digest.as_bytes()].concat()
}

/// The signed bytes of a change: its body and the signature over it.
pub(super) fn seal(body: &[u8], signature: &Signature) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len().saturating_add(80));
    let mut e = Encoder::new(&mut bytes);
    let written = e.array(2).and_then(|e| e.bytes(body)?.bytes(signature.as_bytes()));
    debug_assert!(written.is_ok(), "encoding into a vector cannot fail");
    bytes
}

/// Splits a signed change into its body and signature.
pub(super) fn envelope(bytes: &[u8]) -> Result<(&[u8], Signature), ChangeError> {
    let mut r = Reader(Decoder::new(bytes));
    r.exactly(2, "an array of body and signature")?;
    let body = r.bytes("the body")?;
    let signature = r.bytes("the signature")?;
    let signature = Signature::from_bytes(signature).map_err(|_| r.malformed("64 bytes"))?;
    if r.0.position() != bytes.len() {
        return Err(r.malformed("the end"));
    }
    // The two length prefixes are the only freedom left in the envelope.
    if seal(body, &signature) == bytes {
        Ok((body, signature))
    } else {
        Err(ChangeError::NotCanonical)
    }
}

/// Reads what a body says before its operations.
pub(super) fn head(body: &[u8]) -> Result<Head, ChangeError> {
    read_head(&mut Reader(Decoder::new(body)))
}

/// Reads a whole body, in canonical form only.
pub(super) fn body(bytes: &[u8]) -> Result<Body, ChangeError> {
    let mut r = Reader(Decoder::new(bytes));
    let head = read_head(&mut r)?;
    let start_op = r.uint("the first operation's counter")?;
    let time = r.0.i64().map_err(|_| r.malformed("a time"))?;
    let deps = r.list(MAX_CHANGE_DEPS, "dependencies", |r| r.digest("a dependency"))?;
    let others = r.list(MAX_CHANGE_ACTORS, "other actors", |r| {
        ActorId::from_bytes(r.bytes("an actor")?).ok_or_else(|| r.malformed("16 bytes"))
    })?;
    let ops = r.list(MAX_CHANGE_OPS, "operations", read_op)?;
    let body = Body { head, start_op, time, deps, others, ops };
    if encode(&body) == bytes { Ok(body) } else { Err(ChangeError::NotCanonical) }
}

fn read_head(r: &mut Reader<'_>) -> Result<Head, ChangeError> {
    r.exactly(BODY_ELEMENTS, "an array of fourteen elements")?;
    let version = r.0.u8().map_err(|_| r.malformed("a version"))?;
    if version != VERSION {
        return Err(ChangeError::Version { found: version });
    }
    let kind = r.0.str().ok().and_then(|name| KindId::new(name).ok());
    let kind = kind.ok_or_else(|| r.malformed("the name of a kind"))?;
    let index = r.0.u32().map_err(|_| r.malformed("a shard's number"))?;
    let epoch = r.0.u32().map_err(|_| r.malformed("an epoch"))?;
    let writer = r.key_id("the writer's key")?;
    let node = r.key_id("the node's key")?;
    let incarnation = r.uint("an incarnation")?;
    let seq = r.uint("a sequence number")?;
    let hash = r.digest("a hash")?;
    let shard = ShardId { kind, index, epoch };
    Ok(Head { shard, actor: Actor { writer, node, incarnation }, seq, hash })
}

fn read_op(r: &mut Reader<'_>) -> Result<KeyOp, ChangeError> {
    r.exactly(3, "an operation")?;
    let key = r.0.str().map_err(|_| r.malformed("a key"))?;
    if key.len() > MAX_KEY_BYTES {
        return Err(over("bytes of a key", MAX_KEY_BYTES, length(key.len())));
    }
    let value = if r.0.datatype().ok() == Some(minicbor::data::Type::Null) {
        r.0.null().map_err(|_| r.malformed("null"))?;
        None
    } else {
        let value = r.bytes("a value")?;
        if value.len() > MAX_RECORD_BYTES {
            return Err(over("bytes of a value", MAX_RECORD_BYTES, length(value.len())));
        }
        Some(value)
    };
    let numbers = r.list(MAX_PREDECESSORS * 2, "predecessors", |r| r.uint("a predecessor"))?;
    let preds = numbers.chunks(2).map(|pair| match pair {
        [counter, actor] => {
            let actor = u32::try_from(*actor).map_err(|_| r.malformed("an actor's number"))?;
            Ok(Pred { counter: *counter, actor })
        }
        _ => Err(r.malformed("counters and actors in pairs")),
    });
    let preds = preds.collect::<Result<Vec<_>, _>>()?;
    Ok(KeyOp { key: key.into(), value: value.map(Box::from), preds })
}

/// A body in its canonical form.
pub(super) fn encode(body: &Body) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(encoded_len(body));
    let written = write(body, &mut Encoder::new(&mut bytes));
    debug_assert!(written.is_ok(), "encoding into a vector cannot fail");
    bytes
}

/// An upper bound of a body's bytes, to allocate once.
fn encoded_len(body: &Body) -> usize {
    let ops = body.ops.iter().map(op_len).fold(0, usize::saturating_add);
    let deps = body.deps.len().saturating_mul(34);
    let others = body.others.len().saturating_mul(17);
    ops.saturating_add(deps).saturating_add(others).saturating_add(256)
}

/// An upper bound of an operation's bytes.
fn op_len(op: &KeyOp) -> usize {
    let value = op.value.as_ref().map_or(0, |value| value.len());
    let preds = op.preds.len().saturating_mul(10);
    op.key.len().saturating_add(value).saturating_add(preds).saturating_add(10)
}

fn write(body: &Body, e: &mut Encoder<&mut Vec<u8>>) -> Result<(), EncodeError<Infallible>> {
    let Head { shard, actor, seq, hash } = &body.head;
    e.array(BODY_ELEMENTS)?.u8(VERSION)?;
    e.str(shard.kind.as_str())?.u32(shard.index)?.u32(shard.epoch)?;
    e.bytes(actor.writer.as_bytes())?.bytes(actor.node.as_bytes())?.u64(actor.incarnation)?;
    e.u64(*seq)?.bytes(hash.as_bytes())?.u64(body.start_op)?.i64(body.time)?;
    e.array(length(body.deps.len()))?;
    for dep in &body.deps {
        e.bytes(dep.as_bytes())?;
    }
    e.array(length(body.others.len()))?;
    for actor in &body.others {
        e.bytes(actor.as_bytes())?;
    }
    e.array(length(body.ops.len()))?;
    for op in &body.ops {
        e.array(3)?.str(&op.key)?;
        match &op.value {
            Some(value) => e.bytes(value)?,
            None => e.null()?,
        };
        e.array(length(op.preds.len()).saturating_mul(2))?;
        for pred in &op.preds {
            e.u64(pred.counter)?.u32(pred.actor)?;
        }
    }
    Ok(())
}

/// A decoder whose errors say what was expected.
pub(super) struct Reader<'b>(pub(super) Decoder<'b>);

impl<'b> Reader<'b> {
    pub(super) fn malformed(&self, expected: &'static str) -> ChangeError {
        ChangeError::Malformed { position: self.0.position(), expected }
    }

    pub(super) fn uint(&mut self, expected: &'static str) -> Result<u64, ChangeError> {
        self.0.u64().map_err(|_| self.malformed(expected))
    }

    pub(super) fn bytes(&mut self, expected: &'static str) -> Result<&'b [u8], ChangeError> {
        self.0.bytes().map_err(|_| self.malformed(expected))
    }

    pub(super) fn digest(&mut self, expected: &'static str) -> Result<Digest, ChangeError> {
        let bytes = self.bytes(expected)?;
        bytes.try_into().map(Digest::from_bytes).map_err(|_| self.malformed("32 bytes"))
    }

    fn key_id(&mut self, expected: &'static str) -> Result<KeyId, ChangeError> {
        let bytes = self.bytes(expected)?;
        KeyId::from_bytes(bytes).ok_or_else(|| self.malformed("20 bytes"))
    }

    /// An array of exactly so many elements.
    pub(super) fn exactly(
        &mut self,
        count: u64,
        expected: &'static str,
    ) -> Result<(), ChangeError> {
        let found: Result<_, DecodeError> = self.0.array();
        if found.ok().flatten() == Some(count) { Ok(()) } else { Err(self.malformed(expected)) }
    }

    /// An array of at most `limit` elements; what it announces is checked before it is read.
    pub(super) fn list<T>(
        &mut self,
        limit: usize,
        what: &'static str,
        mut element: impl FnMut(&mut Self) -> Result<T, ChangeError>,
    ) -> Result<Vec<T>, ChangeError> {
        let count = self.0.array().ok().flatten().ok_or_else(|| self.malformed(what))?;
        let Some(size) = usize::try_from(count).ok().filter(|size| *size <= limit) else {
            return Err(over(what, limit, count));
        };
        let mut elements = Vec::with_capacity(size);
        for _ in 0..size {
            elements.push(element(self)?);
        }
        Ok(elements)
    }
}

fn over(what: &'static str, limit: usize, found: u64) -> ChangeError {
    ChangeError::OverLimit { what, limit, found }
}

fn length(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
