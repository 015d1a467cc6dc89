//! How records lie in a shard's map: which keys a record has, and what may stand there.
//!
//! With `merge = "record"` a record is one key, its id, holding the record's CBOR. With
//! `merge = "field"` the id holds an empty value that says the record exists, and each field has a
//! key of its own: the id, U+001F, the field's name. Ids have no control characters, so no two
//! records share a key, and U+001F sorts a record's fields right behind its id.

use reeve_statement::names::FieldId;

use super::change::KeyOp;
use crate::record::{
    Fault, FieldError, MAX_RECORD_ID_BYTES, Record, RecordError, RecordId, RecordIdError, Value,
};
use crate::schema::{Field, Kind, Merge};

/// Between a record's id and a field's name.
pub(super) const SEPARATOR: char = '\u{1f}';

/// Longest key, in bytes.
pub(super) const MAX_KEY_BYTES: usize =
    MAX_RECORD_ID_BYTES + 1 + reeve_statement::names::NAME_BYTES;

/// The id of the record that a key belongs to, and the field's name if it is a field's key.
pub(super) fn split(key: &str) -> (&str, Option<&str>) {
    match key.split_once(SEPARATOR) {
        Some((id, field)) => (id, Some(field)),
        None => (key, None),
    }
}

/// The key of a field.
pub(super) fn field_key(id: &RecordId, field: &FieldId) -> Box<str> {
    let mut key = String::with_capacity(id.as_str().len() + 1 + field.as_str().len());
    key.push_str(id.as_str());
    key.push(SEPARATOR);
    key.push_str(field.as_str());
    key.into_boxed_str()
}

/// What is wrong with the operations of a change. Its writer is at fault; no value is shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// Keys must ascend, each once.
    #[error("its keys are not in ascending order")]
    KeyOrder,
    /// A key that is no record's id.
    #[error("a key is no record's: {0}")]
    Id(#[from] RecordIdError),
    /// The record belongs to another shard.
    #[error("a record belongs to shard {expected}")]
    OtherShard {
        /// The shard that the id selects.
        expected: u32,
    },
    /// A value that the schema does not accept.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A key for a field where the kind merges whole records, or a value where none belongs.
    #[error("a key or value does not fit the kind's way of merging")]
    Merge,
}

/// Holds a change's operations against the kind: the only door for records of other nodes.
pub(super) fn check(kind: &Kind, index: u32, ops: &[KeyOp]) -> Result<(), LayoutError> {
    let ascending = ops.iter().zip(ops.iter().skip(1)).all(|(a, b)| a.key < b.key);
    if !ascending || ops.is_empty() {
        return Err(LayoutError::KeyOrder);
    }
    let of_one_record = |a: &KeyOp, b: &KeyOp| split(&a.key).0 == split(&b.key).0;
    for group in ops.chunk_by(of_one_record) {
        let Some(first) = group.first() else { continue };
        let id = RecordId::new(split(&first.key).0)?;
        let expected = kind.shard_of(&id);
        if expected != index {
            return Err(LayoutError::OtherShard { expected });
        }
        match kind.merge {
            Merge::Record => check_record(kind, group)?,
            Merge::Field => check_fields(kind, group)?,
        }
    }
    Ok(())
}

fn check_record(kind: &Kind, group: &[KeyOp]) -> Result<(), LayoutError> {
    let [KeyOp { key, value, .. }] = group else { return Err(LayoutError::Merge) };
    if split(key).1.is_some() {
        return Err(LayoutError::Merge);
    }
    if let Some(bytes) = value {
        Record::from_cbor(kind, bytes)?;
    }
    Ok(())
}

/// A change that makes a record sets all its required fields; one that only edits it unsets none
/// of them; one that deletes it unsets fields and sets none.
fn check_fields(kind: &Kind, group: &[KeyOp]) -> Result<(), LayoutError> {
    let existence = group.iter().find(|op| split(&op.key).1.is_none());
    let makes = existence.is_some_and(|op| op.value.is_some());
    let deletes = existence.is_some_and(|op| op.value.is_none());
    let mut set = Vec::new();
    for op in group {
        match (split(&op.key).1, &op.value) {
            (None, Some(value)) if !value.is_empty() => return Err(LayoutError::Merge),
            (None, _) => {}
            (Some(_), Some(_)) if deletes => return Err(LayoutError::Merge),
            (Some(name), Some(bytes)) => {
                let field = known_field(kind, name)?;
                check_value(field, bytes)?;
                set.push(name);
            }
            (Some(name), None) if known_field(kind, name)?.required && !deletes => {
                return Err(invalid(name, Fault::Missing));
            }
            (Some(_), None) => {}
        }
    }
    let missing = kind.fields.values().find(|f| f.required && !set.contains(&f.id.as_str()));
    match missing {
        Some(field) if makes => Err(invalid(field.id.as_str(), Fault::Missing)),
        _ => Ok(()),
    }
}

fn known_field<'k>(kind: &'k Kind, name: &str) -> Result<&'k Field, LayoutError> {
    kind.field(name).ok_or_else(|| {
        let field = crate::located::excerpt(name);
        LayoutError::Record(RecordError::UnknownField { field })
    })
}

fn check_value(field: &Field, bytes: &[u8]) -> Result<(), LayoutError> {
    let value = Value::from_cbor(&field.field_type, bytes)?;
    value.check(&field.field_type).map_err(|fault| invalid(field.id.as_str(), fault))
}

fn invalid(field: &str, fault: Fault) -> LayoutError {
    let field = field.to_owned();
    LayoutError::Record(RecordError::Invalid(vec![FieldError { field, fault }]))
}
