//! The memory engine: a `BTreeMap` on a pretended disk, for the simulator and for tests.
//!
//! The [`Disk`] outlives the engine, so that a node can be stopped and started again. Which commits
//! fail is plain data ([`Faults`]), chosen by a seed or a test. Never for real data.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::StoreError;
use super::port::{Batch, Closing, Engine, Page, ScanLimit, scan_range};

/// Which commits fail, counted from 1 over the life of the disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// These fail and leave nothing behind.
    pub before: BTreeSet<u64>,
    /// These fail although they were applied: the answer was lost, not the data.
    pub after: BTreeSet<u64>,
}

#[derive(Debug, Default)]
struct Contents {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    commits: u64,
    faults: Faults,
}

/// A pretended disk; clones share their contents.
#[derive(Debug, Clone, Default)]
pub struct Disk(Arc<Mutex<Contents>>);

impl Disk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets which commits fail from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.contents().faults = faults;
    }

    /// How many commits were tried so far.
    pub fn commits(&self) -> u64 {
        self.contents().commits
    }

    /// A copy of everything on the disk: what a backup taken now would hold.
    pub fn backup(&self) -> Self {
        let contents = self.contents();
        let Contents { rows, commits, faults } = &*contents;
        let copy = Contents { rows: rows.clone(), commits: *commits, faults: faults.clone() };
        Self(Arc::new(Mutex::new(copy)))
    }

    /// Flips one bit of the value at the `nth` key, if there is one: bit rot.
    pub fn flip_bit(&self, nth: usize, bit: usize) -> bool {
        let mut contents = self.contents();
        let byte = contents.rows.values_mut().nth(nth).and_then(|value| value.get_mut(bit / 8));
        match byte {
            Some(byte) => {
                *byte ^= 1 << (bit % 8);
                true
            }
            None => false,
        }
    }

    /// Removes the row at the `nth` key, if there is one: a lost page.
    pub fn lose_row(&self, nth: usize) -> bool {
        let mut contents = self.contents();
        let key = contents.rows.keys().nth(nth).cloned();
        key.is_some_and(|key| contents.rows.remove(&key).is_some())
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The engine on a [`Disk`].
#[derive(Debug)]
pub struct Memory {
    disk: Disk,
}

impl Memory {
    /// The engine's name.
    pub const NAME: &'static str = "memory";

    /// Opens what is on `disk`.
    pub fn open(disk: &Disk) -> Self {
        Self { disk: disk.clone() }
    }
}

fn injected() -> StoreError {
    let source = std::io::Error::other("a fault asked for by the test");
    StoreError::io("committing to", PathBuf::from(Memory::NAME), source)
}

impl Engine for Memory {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn commit(&mut self, batch: &Batch, closing: &mut dyn Closing) -> Result<(), StoreError> {
        let mut contents = self.disk.contents();
        contents.commits = contents.commits.saturating_add(1);
        let commit = contents.commits;
        if contents.faults.before.contains(&commit) {
            return Err(injected());
        }
        for (key, new) in batch.rows() {
            closing.changed(key, contents.rows.get(key).map(Vec::as_slice), new);
        }
        let (closing_key, closing_value) = closing.row()?;
        for (key, new) in batch.rows() {
            match new {
                Some(value) => contents.rows.insert(key.to_vec(), value.to_vec()),
                None => contents.rows.remove(key),
            };
        }
        contents.rows.insert(closing_key, closing_value);
        if contents.faults.after.contains(&commit) {
            return Err(injected());
        }
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.disk.contents().rows.get(key).cloned())
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: ScanLimit,
    ) -> Result<Page, StoreError> {
        let Some(range) = scan_range(prefix, after) else { return Ok(Page::default()) };
        let contents = self.disk.contents();
        let rows = contents.rows.range(range);
        Page::fill(rows.map(|(key, value)| Ok((key.clone(), value.clone()))), limit)
    }

    fn row_count(&self) -> Result<Option<u64>, StoreError> {
        Ok(u64::try_from(self.disk.contents().rows.len()).ok())
    }

    fn check(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn check_covers_rows(&self) -> bool {
        false
    }

    fn size_on_disk(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}
