//! Documents about removing records.

use reeve_protocol::local;
use serde::{Deserialize, Serialize};

/// Removes the records that are older than they may be kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpireOrder {
    /// Which kind; none: every kind that has a retention in the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Records older than this day; none: as the kind's retention says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Whether nothing is removed, only counted.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub dry_run: bool,
}

/// Removes one record, out of every node of the home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EraseOrder {
    /// Its kind.
    pub kind: String,
    /// Its id.
    pub id: String,
}

/// What was removed, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// Whether nothing was removed, only counted.
    pub dry_run: bool,
    /// By kind.
    pub kinds: Vec<RemovedOfKind>,
    /// Nothing was removed: it waits until then for a second person to order the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_until: Option<String>,
}

/// What was removed of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedOfKind {
    /// The kind.
    pub kind: String,
    /// The day before which it is sealed; none: one record was erased.
    pub before: Option<String>,
    /// Records removed.
    pub records: u64,
    /// Records kept, in the shards that were looked at.
    pub kept: u64,
    /// Shards that began a new epoch.
    pub shards: u32,
}

impl From<&local::Expired> for RemovedOfKind {
    fn from(found: &local::Expired) -> Self {
        Self {
            kind: found.kind.to_string(),
            before: found.before.map(|day| day.to_string()),
            records: found.records,
            kept: found.kept,
            shards: found.shards,
        }
    }
}
