//! The built-in kind `closure`: which period of which kind a source has closed.
//!
//! Zero needs a report (a missing file is not a nil report), so an import, a nil report or a feed's
//! heartbeat leaves a record of this kind, and indicators count an absent row as zero only in periods
//! that a source has closed. This module defines the kind and its records; it closes nothing itself.

use std::collections::BTreeMap;
use std::str::FromStr;

use reeve_statement::catalogue::Titles;
use reeve_statement::digest::Digest;
use reeve_statement::names::{FieldId, KindId};
use reeve_statement::period::Period;
use reeve_statement::release::RevisionReason;
use reeve_statement::time::Timestamp;

use super::kind::{Field, FieldType, Kind, Merge, Sensitivity, Subject, Twin, shards_for};
use crate::record::{Record, RecordId, Value};

/// The name of the kind; no schema file may define it.
pub const KIND: &str = "closure";

/// The kind, as an id.
#[must_use]
#[expect(clippy::expect_used, reason = "the constant follows the rule for names; a test checks it")]
pub fn kind_id() -> KindId {
    KindId::new(KIND).expect("`closure` is a name")
}

/// Longest name of a source, in bytes: with a kind and a period it must fit a record id.
pub const MAX_SOURCE_BYTES: usize = 48;

/// A few years of daily closures of several sources.
const EXPECTED_RECORDS: u64 = 16_000;

/// Longest text of a period, `2020-03-01`.
const MAX_PERIOD_CHARS: u32 = 10;

/// Longest name of a kind.
const MAX_KIND_CHARS: u32 = 64;

/// Longest code of a reason, with room for longer ones.
const REASON_CHARS: u32 = 32;

/// Hexadecimal digits of a SHA-256.
const HASH_CHARS: u32 = 64;

/// That a source has closed a period of a kind: what it did not report is zero.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Closure {
    /// Who reports: a department, a feed, a file series.
    pub source: String,
    /// The kind whose records are complete.
    pub kind: KindId,
    /// The period for which they are.
    pub period: Period,
    /// When the source said so.
    pub closed_at: Timestamp,
    /// SHA-256 of the file that said so, if one did.
    pub file_hash: Option<Digest>,
    /// Why it was said again; `withdrawn`: what was said before holds no more.
    pub reason: Option<RevisionReason>,
}

/// Why a closure cannot be recorded. The name of the source is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the source's name: expected 1 to {MAX_SOURCE_BYTES} bytes without `/` and control characters, \
     found {found} bytes; choose a short name for the source in the mapping"
)]
pub struct SourceError {
    /// Bytes of the name.
    pub found: usize,
}

impl Closure {
    /// The record's id: one per source, kind and period, so that closing again revises.
    ///
    /// # Errors
    /// [`SourceError`] if the source's name does not fit.
    pub fn id(&self) -> Result<RecordId, SourceError> {
        let source = &self.source;
        let error = SourceError { found: source.len() };
        let fits = (1..=MAX_SOURCE_BYTES).contains(&source.len())
            && !source.chars().any(|c| c == '/' || c.is_control());
        if !fits {
            return Err(error);
        }
        RecordId::new(&format!("{source}/{}/{}", self.kind, self.period)).map_err(|_| error)
    }

    /// The record.
    #[must_use]
    pub fn to_record(&self) -> Record {
        let hash = self.file_hash.map(|hash| Value::Text(hash.to_string()));
        let reason = self.reason.map(|reason| Value::Text(reason.code().to_owned()));
        let values = [
            ("source", Some(Value::Text(self.source.clone()))),
            ("kind", Some(Value::Text(self.kind.to_string()))),
            ("period", Some(Value::Text(self.period.to_string()))),
            ("closed_at", Some(Value::Timestamp(self.closed_at))),
            ("file_hash", hash),
            ("reason", reason),
        ];
        let named = |(name, value): (&str, Option<Value>)| Some((FieldId::new(name).ok()?, value?));
        values.into_iter().filter_map(named).collect()
    }

    /// Reads a record of this kind; `None` if it is not one.
    #[must_use]
    pub fn from_record(record: &Record) -> Option<Self> {
        let text = |name: &str| record.get(name).and_then(Value::as_text);
        let closed_at = match record.get("closed_at")? {
            Value::Timestamp(at) => *at,
            _ => return None,
        };
        Some(Self {
            source: text("source")?.to_owned(),
            kind: KindId::new(text("kind")?).ok()?,
            period: Period::from_str(text("period")?).ok()?,
            closed_at,
            file_hash: text("file_hash").and_then(|hash| hash.parse().ok()),
            reason: text("reason").and_then(RevisionReason::of_code),
        })
    }
}

/// The kind itself.
pub(super) fn kind() -> Option<Kind> {
    let text = |max| FieldType::Text { max };
    let source = u32::try_from(MAX_SOURCE_BYTES).ok()?;
    let fields = [
        ("source", text(source), true),
        ("kind", text(MAX_KIND_CHARS), true),
        ("period", text(MAX_PERIOD_CHARS), true),
        ("closed_at", FieldType::Timestamp, true),
        ("file_hash", text(HASH_CHARS), false),
        ("reason", text(REASON_CHARS), false),
    ];
    let fields = fields.into_iter().map(|(name, field_type, required)| {
        let id = FieldId::new(name).ok()?;
        let titles = Titles(vec![("en".to_owned(), name.replace('_', " "))]);
        let sensitivity = Sensitivity::Internal;
        Some((id.clone(), Field { id, titles, field_type, required, sensitivity }))
    });
    Some(Kind {
        id: KindId::new(KIND).ok()?,
        titles: Titles(vec![("en".to_owned(), "Closed periods".to_owned())]),
        twin: Twin::Emergency,
        shards: shards_for(EXPECTED_RECORDS),
        merge: Merge::Record,
        retention: None,
        subject: Subject::Thing,
        fields: fields.collect::<Option<BTreeMap<_, _>>>()?,
    })
}
