//! Batches of an import in CBOR (RFC 8949): the fast way for many records.
//!
//! A batch is an array of pairs, each an array of the record's id (text) and the record in its own
//! deterministic CBOR (bytes), which the schema gives its meaning. The end of an import is a map, see
//! [`End`].

use minicbor::data::Type;
use minicbor::{Decode, Decoder, Encode, Encoder};
use reeve_crdt::record::{Record, RecordError, RecordId};
use reeve_crdt::schema::Kind;
use reeve_crdt::twin::RecordOp;

use super::MAX_OPERATIONS;

/// Why bytes are no batch. Whoever sent them is at fault; nothing of them is shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Not CBOR of a batch.
    #[error("expected a batch in CBOR; not well-formed at byte {position}")]
    Malformed {
        /// Where decoding stopped.
        position: usize,
    },
    /// Too many records.
    #[error("expected at most {MAX_OPERATIONS} records in a batch, found {found}")]
    TooMany {
        /// Found.
        found: u64,
    },
    /// An id.
    #[error("record {record}: expected an id of 1 to 128 bytes without control characters")]
    Id {
        /// Which record of the batch, from 0.
        record: usize,
    },
    /// A record.
    #[error("record {record}: {error}")]
    Record {
        /// Which record of the batch, from 0.
        record: usize,
        /// What is wrong with it.
        error: RecordError,
    },
}

/// Writes a batch.
#[must_use]
pub fn encode<'a>(records: impl ExactSizeIterator<Item = (&'a RecordId, &'a Record)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes);
    let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
    // A vector takes every write.
    let _ = encoder.array(count);
    for (id, record) in records {
        let _ = encoder
            .array(2)
            .and_then(|e| e.str(id.as_str()))
            .and_then(|e| e.bytes(&record.to_cbor()));
    }
    bytes
}

/// Reads a batch of records of a kind, and holds each against the kind.
///
/// # Errors
/// [`BatchError`] at the first mistake.
pub fn decode(kind: &Kind, bytes: &[u8]) -> Result<Vec<RecordOp>, BatchError> {
    let mut d = Decoder::new(bytes);
    let malformed = |position| BatchError::Malformed { position };
    let found = d.array().ok().flatten().ok_or_else(|| malformed(0))?;
    let count = usize::try_from(found).ok().filter(|count| *count <= MAX_OPERATIONS);
    let count = count.ok_or(BatchError::TooMany { found })?;
    let mut operations = Vec::with_capacity(count);
    for record in 0..count {
        let at = d.position();
        if d.array().ok().flatten() != Some(2) || d.datatype().ok() != Some(Type::String) {
            return Err(malformed(at));
        }
        let id = d.str().map_err(|_| malformed(at))?;
        let id = RecordId::new(id).map_err(|_| BatchError::Id { record })?;
        let bytes = d.bytes().map_err(|_| malformed(at))?;
        let valid =
            Record::from_cbor(kind, bytes).map_err(|error| BatchError::Record { record, error })?;
        operations.push(RecordOp::Put { id, record: valid });
    }
    if d.position() == bytes.len() { Ok(operations) } else { Err(malformed(d.position())) }
}

/// The end of an import.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct End {
    /// In whose name the periods are closed.
    #[n(0)]
    pub source: String,
    /// Periods that the file closes.
    #[n(1)]
    pub closes: Vec<String>,
    /// For a snapshot: which records the file holds.
    #[n(2)]
    pub snapshot: Option<Snapshot>,
    /// Why the file says again what was said of them.
    #[n(3)]
    pub reason: Option<String>,
}

/// Which records a snapshot holds; others in its scope are deleted.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Snapshot {
    /// Sixteen bytes for each record: the first of SHA-256 of its id.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub seen: Vec<u8>,
    /// Only records whose fields have one of these values are in scope; none: all of the kind.
    #[n(1)]
    pub scope: Vec<ScopeField>,
}

/// The values of one field that a snapshot speaks of.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ScopeField {
    /// The field.
    #[n(0)]
    pub field: String,
    /// The values, as text.
    #[n(1)]
    pub values: Vec<String>,
}

impl std::fmt::Debug for ScopeField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ScopeField({}, {} values)", self.field, self.values.len())
    }
}
