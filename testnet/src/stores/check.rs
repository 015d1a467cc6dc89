//! The process that looks: what `reeve verify` says of a store, whether it opens, and whether every row is
//! what was written. It never asserts; what it saw is one line of JSON, and who asked judges.

use std::path::{Path, PathBuf};

use reeve::store::{EngineKind, ScanLimit, Scratch, Store, StoreConfig, StoreError};
use serde::{Deserialize, Serialize};

use super::workload::{Expected, Workload, last};

/// Rows that differ and are told by name; more are only counted.
const TOLD: usize = 5;

/// Where to look.
#[derive(Debug, Clone)]
pub struct Look {
    /// The store's folder.
    pub folder: PathBuf,
    /// Its engine.
    pub engine: EngineKind,
    /// What the workload began with.
    pub seed: u64,
    /// Where a copy can be made for `verify`; none: it is not verified, only opened.
    pub scratch: Option<PathBuf>,
}

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Whether a copy was verified.
    pub verified: bool,
    /// What verifying a copy said, as `reeve verify` does it; none: the store is whole.
    pub verify: Option<String>,
    /// Why it did not open.
    pub refused: Option<String>,
    /// Whether there was no head file beside a store.
    pub head_missing: bool,
    /// The last batch in it.
    pub last: u64,
    /// Rows that could not be read, and said so.
    pub unreadable: Option<String>,
    /// Rows that were read and are not what was written, or are missing, though nothing said so.
    pub wrong: u64,
    /// The first of them.
    pub wrong_rows: Vec<String>,
}

impl Seen {
    /// Why it is not whole, in the store's own words.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        self.refused.as_deref().or(self.unreadable.as_deref())
    }
}

/// Looks.
#[must_use]
pub fn look(look: &Look) -> Seen {
    let mut seen = Seen::default();
    let config = StoreConfig { folder: look.folder.clone(), engine: look.engine };
    if let Some(scratch) = &look.scratch {
        seen.verified = true;
        seen.verify = verify(&config, scratch).err().map(|error| error.to_string());
    }
    match open_and_read(&config, Workload(look.seed), &mut seen) {
        Ok(()) => {}
        Err(Unread::Opening(error)) => seen.refused = Some(error.to_string()),
        Err(Unread::Reading(error)) => seen.unreadable = Some(error.to_string()),
    }
    seen
}

/// What `reeve verify` does with the store itself.
fn verify(config: &StoreConfig, scratch: &Path) -> Result<(), StoreError> {
    let copy = Scratch::copy(config, scratch)?;
    let (mut store, _) = copy.open()?;
    let report = store.verify()?;
    match report.damaged_keys.first() {
        Some(key) => Err(StoreError::CorruptValue { key: key.clone(), found: "by verify" }),
        None => Ok(()),
    }
}

enum Unread {
    Opening(StoreError),
    Reading(StoreError),
}

fn open_and_read(config: &StoreConfig, workload: Workload, seen: &mut Seen) -> Result<(), Unread> {
    let (mut store, report) = Store::open(config).map_err(Unread::Opening)?;
    seen.head_missing = report.head_missing;
    let reading = Unread::Reading;
    seen.last = last(&store).map_err(reading)?;
    store.verify().map_err(reading).and_then(|report| {
        report.damaged_keys.first().map_or(Ok(()), |key| {
            Err(reading(StoreError::CorruptValue { key: key.clone(), found: "by verify" }))
        })
    })?;
    compare(&store, workload, seen).map_err(reading)?;
    store.close().map_err(reading)
}

fn compare(store: &Store, workload: Workload, seen: &mut Seen) -> Result<(), StoreError> {
    let mut expected = Expected::after(workload, seen.last);
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = store.scan(b"", after.as_deref(), ScanLimit::rows(500))?;
        for (key, value) in &page.rows {
            if !expected.take(key, value) {
                seen.wrong = seen.wrong.saturating_add(1);
                if seen.wrong_rows.len() < TOLD {
                    seen.wrong_rows.push(key.escape_ascii().to_string());
                }
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let missing = u64::try_from(expected.missing()).unwrap_or(u64::MAX);
    seen.wrong = seen.wrong.saturating_add(missing);
    Ok(())
}
