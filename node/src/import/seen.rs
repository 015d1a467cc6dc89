//! Which ids a file holds, in bounded memory: 16 bytes of SHA-256 and a line per record.
//!
//! Two ids share 16 bytes with a probability of one in 10^24 for ten million records, and nobody
//! can make two that do. Nothing is ever listed from here, so no order of a hash map shows.

use std::collections::{HashMap, HashSet};

use reeve_crdt::record::{Record, RecordId};
use reeve_statement::digest::Digest;
use reeve_statement::names::FieldId;
use reeve_statement::unit::UnitId;

use super::fault::FileFault;

/// Most records of one file: their ids take about 350 MB at this size. A larger file is split.
pub const MAX_RECORDS: usize = 10_000_000;

/// Most combinations of values that a snapshot's scope may take: a few years of daily figures of a
/// thousand units.
pub const MAX_SCOPES: usize = 2_000_000;

type Key = [u8; 16];

fn key(domain: &[u8], unit: Option<&UnitId>, bytes: &[u8]) -> Key {
    let unit = unit.map_or("", UnitId::as_str).as_bytes();
    let digest = Digest::of_parts(&[domain, b"\0", unit, b"\0", bytes]);
    let mut key = Key::default();
    key.copy_from_slice(digest.as_bytes().first_chunk::<16>().unwrap_or(&[0; 16]));
    key
}

/// The ids seen, each with the line that had it first.
#[derive(Default)]
pub(super) struct Ids(HashMap<Key, u32>);

impl Ids {
    /// Takes an id; gives the line of an earlier row that has it.
    pub(super) fn insert(
        &mut self,
        unit: Option<&UnitId>,
        id: &RecordId,
        line: u64,
    ) -> Result<Option<u64>, FileFault> {
        // A file of so many lines has too many records, or nearly only lines that are left out.
        let line = u32::try_from(line).map_err(|_| FileFault::TooManyRecords(MAX_RECORDS))?;
        let key = key(b"id", unit, id.as_str().as_bytes());
        if let Some(first) = self.0.get(&key) {
            return Ok(Some(u64::from(*first)));
        }
        if self.0.len() >= MAX_RECORDS {
            return Err(FileFault::TooManyRecords(MAX_RECORDS));
        }
        self.0.insert(key, line);
        Ok(None)
    }

    /// The line that had this id first.
    pub(super) fn first_line(&self, unit: Option<&UnitId>, id: &RecordId) -> Option<u64> {
        self.0.get(&key(b"id", unit, id.as_str().as_bytes())).copied().map(u64::from)
    }
}

/// The combinations of values that the scope's fields take in a file.
#[derive(Default)]
pub(super) struct Scopes {
    seen: HashSet<Key>,
    last: Option<Key>,
}

impl Scopes {
    pub(super) fn insert(
        &mut self,
        unit: Option<&UnitId>,
        fields: &[FieldId],
        record: &Record,
    ) -> Result<(), FileFault> {
        let key = scope_key(unit, fields, record);
        if self.last == Some(key) {
            return Ok(());
        }
        self.last = Some(key);
        self.seen.insert(key);
        if self.seen.len() > MAX_SCOPES {
            return Err(FileFault::TooManyScopes(MAX_SCOPES));
        }
        Ok(())
    }

    pub(super) fn has(&self, unit: Option<&UnitId>, fields: &[FieldId], record: &Record) -> bool {
        self.seen.contains(&scope_key(unit, fields, record))
    }
}

fn scope_key(unit: Option<&UnitId>, fields: &[FieldId], record: &Record) -> Key {
    let values = fields
        .iter()
        .filter_map(|field| record.get(field.as_str()).map(|value| (field.clone(), value.clone())));
    key(b"scope", unit, &values.collect::<Record>().to_cbor())
}
