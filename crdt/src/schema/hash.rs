//! The hash of a schema: over one canonical CBOR form of its content, not over the file.
//!
//! Titles are part of it, layout and comments are not. Deterministic per RFC 8949 section 4.2.1.

use std::convert::Infallible;

use minicbor::Encoder;
use minicbor::encode::Error;
use reeve_statement::digest::Digest;

use super::Schema;
use super::kind::{Field, FieldType, Kind, Merge, Sensitivity, Subject, Twin};

/// Separates this hash from every other.
const DOMAIN: &[u8] = b"reeve/schema/1\0";

/// The same for one kind.
const KIND_DOMAIN: &[u8] = b"reeve/kind/1\0";

type Out<'a> = Encoder<&'a mut Vec<u8>>;
type Written = Result<(), Error<Infallible>>;

pub(super) fn of(schema: &Schema) -> Digest {
    let mut bytes = Vec::new();
    // A vector takes every write.
    let written = encode(schema, &mut Encoder::new(&mut bytes));
    debug_assert!(written.is_ok(), "encoding into a vector cannot fail");
    Digest::of_parts(&[DOMAIN, &bytes])
}

/// The hash of one kind's definition.
pub(super) fn of_kind(kind: &Kind) -> Digest {
    let mut bytes = Vec::new();
    let written = encode_kind(kind, &mut Encoder::new(&mut bytes));
    debug_assert!(written.is_ok(), "encoding into a vector cannot fail");
    Digest::of_parts(&[KIND_DOMAIN, &bytes])
}

fn encode(schema: &Schema, e: &mut Out<'_>) -> Written {
    e.array(3)?.str(&schema.name)?.u64(schema.version)?;
    e.array(length(schema.kinds.len()))?;
    schema.kinds.values().try_for_each(|kind| encode_kind(kind, e))
}

fn encode_kind(kind: &Kind, e: &mut Out<'_>) -> Written {
    e.array(8)?.encode(&kind.id)?.encode(&kind.titles)?;
    e.u8(match kind.twin {
        Twin::City => 0,
        Twin::Emergency => 1,
    })?;
    e.u32(kind.shards)?;
    e.u8(match kind.merge {
        Merge::Record => 0,
        Merge::Field => 1,
    })?;
    match kind.retention {
        Some(kept) => e.array(3)?.i16(kept.years)?.i32(kept.months)?.i32(kept.days)?,
        None => e.null()?,
    };
    e.u8(match kind.subject {
        Subject::Person => 0,
        Subject::Thing => 1,
    })?;
    e.array(length(kind.fields.len()))?;
    kind.fields.values().try_for_each(|field| encode_field(field, e))
}

fn encode_field(field: &Field, e: &mut Out<'_>) -> Written {
    e.array(5)?.encode(&field.id)?.encode(&field.titles)?.bool(field.required)?;
    e.u8(match field.sensitivity {
        Sensitivity::Public => 0,
        Sensitivity::Internal => 1,
        Sensitivity::Personal => 2,
    })?;
    encode_type(&field.field_type, e)
}

fn encode_type(field_type: &FieldType, e: &mut Out<'_>) -> Written {
    let name = field_type.name();
    match field_type {
        FieldType::Enum { values } | FieldType::Band { labels: values } => {
            e.array(2)?.str(name)?.array(length(values.len()))?;
            values.iter().try_for_each(|value| e.str(value).map(|_| ()))
        }
        FieldType::Text { max } => e.array(2)?.str(name)?.u32(*max)?.ok(),
        FieldType::Integer { min, max } => e.array(3)?.str(name)?.i64(*min)?.i64(*max)?.ok(),
        FieldType::Decimal { scale, min, max } => {
            e.array(4)?.str(name)?.u8(*scale)?.i64(*min)?.i64(*max)?.ok()
        }
        FieldType::Boolean | FieldType::Date | FieldType::Timestamp => e.array(1)?.str(name)?.ok(),
        FieldType::Reference { kind } => e.array(2)?.str(name)?.encode(kind)?.ok(),
    }
}

fn length(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
