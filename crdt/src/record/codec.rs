//! Records as deterministic CBOR (RFC 8949 section 4.2.1).
//!
//! A record is a map from field names to values, shorter names first. Text, enum values, labels and
//! references are text strings; integers, decimals (scaled), dates (days since 1970-01-01) and
//! moments (milliseconds since the epoch) are integers; booleans are booleans. The schema gives the
//! type back, so decoding needs the kind and checks the record on the way.

use std::convert::Infallible;
use std::sync::Arc;

use jiff::civil::{Date, date};
use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError};
use reeve_statement::names::FieldId;
use reeve_statement::time::Timestamp;

use super::{FieldError, MAX_RECORD_BYTES, Record, RecordId, Valid, Value};
use crate::schema::{FieldType, Kind};

/// Day zero of a date in CBOR.
const EPOCH: Date = date(1970, 1, 1);

/// Why bytes are no record of a kind. Whoever wrote them is at fault; nothing of them is shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Larger than any record; nothing was decoded.
    #[error("a record: expected at most {MAX_RECORD_BYTES} bytes, found {found}")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// Not CBOR of a record.
    #[error("a record: not well-formed at byte {position}")]
    Malformed {
        /// Where decoding stopped.
        position: usize,
    },
    /// The bytes are not the one canonical form of their content.
    #[error("a record: not in canonical form (RFC 8949 section 4.2.1)")]
    NotCanonical,
    /// The kind has no such field.
    #[error("a record of another schema version: the kind has no field `{field}`")]
    UnknownField {
        /// The name, cut to a sensible length.
        field: String,
    },
    /// The kind does not accept the record.
    #[error("a record against its schema: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<FieldError>),
}

impl Record {
    /// The record in deterministic CBOR.
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.encoded_len());
        let mut encoder = Encoder::new(&mut bytes);
        // A vector takes every write.
        let written = encode(self, &mut encoder);
        debug_assert!(written.is_ok(), "encoding into a vector cannot fail");
        bytes
    }

    /// Reads a record of a kind and holds it against the kind.
    ///
    /// # Errors
    /// [`RecordError`]: too long, malformed, not canonical, or not accepted by the kind.
    pub fn from_cbor(kind: &Kind, bytes: &[u8]) -> Result<Valid, RecordError> {
        let record = Self::from_own_cbor(kind, bytes)?;
        if record.to_cbor() != bytes {
            return Err(RecordError::NotCanonical);
        }
        kind.validate(record).map_err(RecordError::Invalid)
    }

    /// Reads a record that this house encoded and validated before.
    pub(crate) fn from_own_cbor(kind: &Kind, bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(RecordError::TooLong { found: bytes.len() });
        }
        let mut d = Decoder::new(bytes);
        let malformed = |position| RecordError::Malformed { position };
        let length = d.map().ok().flatten().ok_or_else(|| malformed(0))?;
        let mut record = Self(Vec::with_capacity(kind.fields.len().min(usize_of(length))));
        for _ in 0..length {
            let name = d.str().map_err(|_| malformed(d.position()))?;
            let Some(field) = kind.field(name) else {
                let field = crate::located::excerpt(name);
                return Err(RecordError::UnknownField { field });
            };
            let value = value(&field.field_type, &mut d).map_err(|_| malformed(d.position()))?;
            record.push_in_order(field.id.clone(), value).ok_or(RecordError::NotCanonical)?;
        }
        if d.position() == bytes.len() { Ok(record) } else { Err(malformed(d.position())) }
    }

    /// Bytes of [`Record::to_cbor`].
    pub(super) fn encoded_len(&self) -> usize {
        let head = |n: usize| -> usize {
            match n {
                0..=23 => 1,
                24..=0xff => 2,
                _ => 3,
            }
        };
        let text = |text: &str| head(text.len()).saturating_add(text.len());
        let value = |value: &Value| match value {
            Value::Text(_) | Value::Enum(_) | Value::Reference(_) => {
                value.as_text().map_or(0, text)
            }
            Value::Boolean(_) => 1,
            Value::Integer(n) | Value::Decimal(n) => minicbor::len(n),
            Value::Date(day) => minicbor::len(days_of(*day)),
            Value::Timestamp(at) => minicbor::len(at.as_millis()),
        };
        let fields = self.0.iter().map(|(name, v)| text(name.as_str()).saturating_add(value(v)));
        fields.fold(head(self.0.len()), usize::saturating_add)
    }

    /// Appends a field that must come after all others.
    fn push_in_order(&mut self, field: FieldId, value: Value) -> Option<()> {
        let after = self
            .0
            .last()
            .is_none_or(|(last, _)| super::name_order(last.as_str(), field.as_str()).is_lt());
        after.then(|| self.0.push((field, value)))
    }
}

impl Value {
    /// The value in deterministic CBOR.
    pub(crate) fn to_cbor(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let written = encode_value(self, &mut Encoder::new(&mut bytes));
        debug_assert!(written.is_ok(), "encoding into a vector cannot fail");
        bytes
    }

    /// Reads a value of a type, all of the bytes, in canonical form.
    pub(crate) fn from_cbor(field_type: &FieldType, bytes: &[u8]) -> Result<Self, RecordError> {
        let mut d = Decoder::new(bytes);
        let malformed = |position| RecordError::Malformed { position };
        let value = value(field_type, &mut d).map_err(|_| malformed(d.position()))?;
        if value.to_cbor() == bytes { Ok(value) } else { Err(RecordError::NotCanonical) }
    }
}

type Written = Result<(), EncodeError<Infallible>>;

fn encode(record: &Record, e: &mut Encoder<&mut Vec<u8>>) -> Written {
    e.map(u64::try_from(record.0.len()).unwrap_or(u64::MAX))?;
    for (field, value) in &record.0 {
        e.str(field.as_str())?;
        encode_value(value, e)?;
    }
    Ok(())
}

fn encode_value(value: &Value, e: &mut Encoder<&mut Vec<u8>>) -> Written {
    match value {
        Value::Text(text) => e.str(text)?,
        Value::Enum(value) => e.str(value)?,
        Value::Reference(id) => e.str(id.as_str())?,
        Value::Integer(number) | Value::Decimal(number) => e.i64(*number)?,
        Value::Boolean(value) => e.bool(*value)?,
        Value::Date(day) => e.i32(days_of(*day))?,
        Value::Timestamp(at) => e.i64(at.as_millis())?,
    };
    Ok(())
}

fn value(field_type: &FieldType, d: &mut Decoder<'_>) -> Result<Value, DecodeError> {
    let refuse = |reason| DecodeError::message(reason);
    Ok(match field_type {
        FieldType::Enum { values: domain } | FieldType::Band { labels: domain } => {
            let text = d.str()?;
            let known = domain.iter().find(|value| value.as_ref() == text);
            // Outside of the domain it is for validation to say so.
            Value::Enum(known.cloned().unwrap_or_else(|| Arc::from(text)))
        }
        FieldType::Text { .. } => Value::Text(d.str()?.to_owned()),
        FieldType::Integer { .. } => Value::Integer(d.i64()?),
        FieldType::Decimal { .. } => Value::Decimal(d.i64()?),
        FieldType::Boolean => Value::Boolean(d.bool()?),
        FieldType::Date => Value::Date(day_of(d.i32()?).ok_or_else(|| refuse("no such day"))?),
        FieldType::Timestamp => Value::Timestamp(Timestamp::from_millis(d.i64()?)),
        FieldType::Reference { .. } => {
            Value::Reference(RecordId::new(d.str()?).map_err(|_| refuse("no record id"))?)
        }
    })
}

/// Days since 1970-01-01; every date that jiff knows fits.
pub(crate) fn days_of(day: Date) -> i32 {
    i32::try_from(day.duration_since(EPOCH).as_hours() / 24).unwrap_or(i32::MAX)
}

/// The day so many days after 1970-01-01, if the calendar has it.
pub(crate) fn day_of(days: i32) -> Option<Date> {
    EPOCH.checked_add(jiff::Span::new().try_days(days).ok()?).ok()
}

fn usize_of(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}
