//! Documents about records and imports.

use reeve_protocol::local;
use reeve_protocol::rows::ImportRow;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One operation on a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
pub enum Operation {
    /// The record says this and nothing else; made if it does not exist.
    Put {
        /// Which record.
        id: String,
        /// Its fields.
        record: Map<String, Value>,
    },
    /// The record no longer exists.
    Delete {
        /// Which record.
        id: String,
    },
    /// One field of a record of a kind with `merge = "field"`.
    Set {
        /// Which record.
        id: String,
        /// Which field.
        field: String,
        /// Its value; `null` unsets it.
        value: Value,
    },
}

/// Several operations on records of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteRequest {
    /// The operations, in order.
    pub operations: Vec<Operation>,
}

/// How many records were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Written {
    /// Inserted.
    pub inserted: u64,
    /// Changed.
    pub changed: u64,
    /// Deleted.
    pub deleted: u64,
    /// There already, or deleted already.
    pub unchanged: u64,
}

impl From<local::Written> for Written {
    fn from(written: local::Written) -> Self {
        let local::Written { inserted, changed, deleted, unchanged } = written;
        Self { inserted, changed, deleted, unchanged }
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordView {
    /// Its id.
    pub id: String,
    /// Its fields.
    pub record: Map<String, Value>,
}

/// The records of one shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// Which shard, from 0.
    pub shard: u32,
    /// How many shards the kind has.
    pub shards: u32,
    /// The records.
    pub records: Vec<RecordView>,
}

/// Begins an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeginImport {
    /// The kind of the records.
    pub kind: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// The file's name, without its folders.
    pub name: String,
    /// Whether the file only adds: a record that is here with other content makes it fail.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub append: bool,
}

/// The number of an import that began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// The number.
    pub import: u64,
}

/// Says that a source is complete for periods of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    /// The kind; not at the end of an import, which has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// In whose name.
    pub source: String,
    /// The periods.
    #[serde(default)]
    pub closes: Vec<String>,
    /// Why it says again what was said of them: correction, late_reports, duplicate_removed, reclassified,
    /// definition_changed, or withdrawn: they are closed no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What an import came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// SHA-256 of the file.
    pub sha256: String,
    /// The file's name.
    pub name: String,
    /// The kind of the records.
    pub kind: String,
    /// When it began.
    pub begun_at: String,
    /// When it ended; none: it is running or was interrupted.
    pub ended_at: Option<String>,
    /// How many records it wrote.
    #[serde(flatten)]
    pub written: Written,
    /// How many were refused because they are older than what is sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<u64>,
}

impl From<&ImportRow> for Ended {
    fn from(row: &ImportRow) -> Self {
        Self {
            sha256: row.file.to_string(),
            name: row.name.clone(),
            kind: row.kind.clone(),
            begun_at: row.begun_at.to_string(),
            ended_at: row.ended_at.map(|at| at.to_string()),
            written: Written {
                inserted: row.inserted,
                changed: row.changed,
                deleted: row.deleted,
                unchanged: row.unchanged,
            },
            refused: row.refused,
        }
    }
}
