//! Records: the values of one thing's fields, held against their kind.
//!
//! A [`Record`] is a set of named values; [`Kind::validate`] holds it against the schema and yields
//! a [`Valid`] one, the only form a twin takes. Values come from text ([`Value::parse`]) or JSON and
//! go to deterministic CBOR ([`Record::to_cbor`]).
//!
//! Records are raw data. Nothing here shows a value by accident: `Debug` of a value, a record, a
//! record's id or a fact is redacted, none of them has `Display`, and an error names the field and
//! the reason, never the value. Who must show one (the reject file, the API) asks for it by name.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use reeve_statement::names::{FieldId, KindId};

use crate::schema::{Field, Kind, Schema};

mod codec;
mod json;
mod value;

pub use codec::RecordError;
pub(crate) use codec::{day_of, days_of};
pub use value::{Fault, Value, parse_decimal};

/// Longest id of a record, in bytes: it is a key of the store and of the document.
pub const MAX_RECORD_ID_BYTES: usize = 128;

/// Largest record in CBOR, in bytes: several must fit one change of 64 KiB.
pub const MAX_RECORD_BYTES: usize = 16 * 1024;

/// Which record of its kind: 1 to 128 bytes without control characters. It may name a person, so
/// `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(Arc<str>);

/// Why a text is no record id. Whoever chose the id is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a record's id: expected 1 to {MAX_RECORD_ID_BYTES} bytes without control characters, \
     found {found} bytes"
)]
pub struct RecordIdError {
    /// Bytes of the text.
    pub found: usize,
}

impl RecordId {
    /// Takes a text that follows the rule for ids.
    ///
    /// # Errors
    /// [`RecordIdError`] if it does not.
    pub fn new(text: &str) -> Result<Self, RecordIdError> {
        let fits = (1..=MAX_RECORD_ID_BYTES).contains(&text.len());
        if fits && !text.chars().any(char::is_control) {
            Ok(Self(Arc::from(text)))
        } else {
            Err(RecordIdError { found: text.len() })
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordId(redacted)")
    }
}

impl std::borrow::Borrow<str> for RecordId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The values of one record, each field at most once; an unset field is absent.
///
/// Iterates in the order of its CBOR (shorter names first, then by bytes).
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Record(Vec<(FieldId, Value)>);

/// The order of keys in deterministic CBOR (RFC 8949 section 4.2.1): the length comes first.
fn name_order(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

impl Record {
    /// A record that sets nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a field; `None` if it is not set.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        let (_, value) = self.0.get(self.position(field).ok()?)?;
        Some(value)
    }

    /// Sets a field, and gives back what it held.
    pub fn set(&mut self, field: FieldId, value: Value) -> Option<Value> {
        match self.position(field.as_str()) {
            Ok(at) => self.0.get_mut(at).map(|entry| std::mem::replace(&mut entry.1, value)),
            Err(at) => {
                self.0.insert(at, (field, value));
                None
            }
        }
    }

    /// Unsets a field, and gives back what it held.
    pub fn unset(&mut self, field: &str) -> Option<Value> {
        let at = self.position(field).ok()?;
        Some(self.0.remove(at).1)
    }

    /// The set fields.
    pub fn iter(&self) -> impl Iterator<Item = (&FieldId, &Value)> {
        self.0.iter().map(|(field, value)| (field, value))
    }

    /// How many fields are set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no field is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn position(&self, field: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(name, _)| name_order(name.as_str(), field))
    }
}

impl FromIterator<(FieldId, Value)> for Record {
    fn from_iter<I: IntoIterator<Item = (FieldId, Value)>>(values: I) -> Self {
        let mut record = Self::new();
        for (field, value) in values {
            record.set(field, value);
        }
        record
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Record ")?;
        f.debug_set().entries(self.0.iter().map(|(field, _)| field.as_str())).finish()
    }
}

/// A record that its kind accepts: every field known, of its type and in its range, every required
/// field set, not too large. There is no other way to one than [`Kind::validate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Valid {
    kind: KindId,
    record: Record,
}

impl Valid {
    /// The kind that accepted it.
    #[must_use]
    pub fn kind(&self) -> &KindId {
        &self.kind
    }

    /// The record.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The record alone.
    #[must_use]
    pub fn into_record(self) -> Record {
        self.record
    }
}

/// What is wrong with one field of a record. Names no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("field `{field}`: {fault}")]
pub struct FieldError {
    /// The field; empty if the whole record is meant.
    pub field: String,
    /// What is wrong.
    pub fault: Fault,
}

/// Everything wrong with a record. Whoever typed it in is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecord {
    /// The schema has no such kind.
    #[error("expected a kind of the schema, found `{0}`; see `reeve schema`")]
    UnknownKind(KindId),
    /// Fields are wrong; never empty.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Fields(Vec<FieldError>),
}

impl Kind {
    /// Holds a record against this kind.
    ///
    /// # Errors
    /// Every field that is unknown, missing, of another type or out of its range.
    pub fn validate(&self, record: Record) -> Result<Valid, Vec<FieldError>> {
        let mut errors = Vec::new();
        let error = |field: &str, fault| FieldError { field: field.to_owned(), fault };
        for (name, value) in record.iter() {
            match self.field(name.as_str()).map(|field| value.check(&field.field_type)) {
                Some(Ok(())) => {}
                Some(Err(fault)) => errors.push(error(name.as_str(), fault)),
                None => errors.push(error(name.as_str(), Fault::UnknownField)),
            }
        }
        let missing = |field: &&Field| field.required && record.get(field.id.as_str()).is_none();
        for field in self.fields.values().filter(missing) {
            errors.push(error(field.id.as_str(), Fault::Missing));
        }
        let bytes = record.encoded_len();
        if bytes > MAX_RECORD_BYTES {
            errors.push(error("", Fault::RecordTooLarge { found: bytes }));
        }
        if errors.is_empty() { Ok(Valid { kind: self.id.clone(), record }) } else { Err(errors) }
    }
}

impl Schema {
    /// Holds a record against a kind of this schema.
    ///
    /// # Errors
    /// [`InvalidRecord`]: no such kind, or every field that is wrong.
    pub fn validate(&self, kind: &KindId, record: Record) -> Result<Valid, InvalidRecord> {
        let Some(kind) = self.kind(kind.as_str()) else {
            return Err(InvalidRecord::UnknownKind(kind.clone()));
        };
        kind.validate(record).map_err(InvalidRecord::Fields)
    }
}

/// What a change did to one record: the input of indicators. `before` and `after` differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The record's kind.
    pub kind: KindId,
    /// The record.
    pub id: RecordId,
    /// What it said before; `None` if it did not exist.
    pub before: Option<Record>,
    /// What it says now; `None` if it no longer exists.
    pub after: Option<Record>,
}

#[cfg(test)]
mod tests;
