//! What is written: batches of rows such as a node makes, each a function of a seed and its number, so
//! that whoever knows the seed knows what a store must hold after any of them.

use std::collections::BTreeMap;

use rand::{Rng as _, RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use reeve::store::{Batch, Store, StoreError};
use reeve_protocol::rows;

/// Changes that stay until a snapshot takes their place.
const CHANGES_KEPT: u64 = 60;

/// Pages of indicators, which are rewritten again and again.
const PAGES: u64 = 40;

/// Shards, whose snapshots are rewritten and are the largest rows.
const SHARDS: u64 = 12;

/// The row that holds the number of the last batch.
const LAST: &[u8] = b"meta/last";

/// What a row holds: by which batch it was written, and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    batch: u64,
    bytes: usize,
}

/// A row's key, and what is written to it; none: it is removed.
type Change = (Vec<u8>, Option<Written>);

/// Batches by number, from a seed.
#[derive(Debug, Clone, Copy)]
pub struct Workload(pub u64);

impl Workload {
    /// The batch of a number; the first is 1.
    #[must_use]
    pub fn batch(self, number: u64) -> Batch {
        let mut batch = Batch::new();
        for (key, written) in self.changes(number) {
            match written {
                Some(written) => batch.put(key.clone(), self.value(&key, written)),
                None => batch.delete(key),
            };
        }
        batch.put(LAST, number.to_be_bytes());
        batch
    }

    /// The rows of a batch but the last: a change and its log entry, pages, at times a statement with its
    /// ledger entry, at times a snapshot.
    fn changes(self, number: u64) -> Vec<Change> {
        let mut random = self.random(number, b"");
        let mut changes: Vec<Change> = Vec::new();
        let mut put = |prefix: &[u8], rest: u64, bytes: usize| {
            let written = Written { batch: number, bytes };
            changes.push((rows::key(prefix, &[&rest.to_be_bytes()]), Some(written)));
        };
        put(rows::CHANGE, number, random.random_range(200..900));
        put(rows::LOG, number, 40);
        for _ in 0..random.random_range(1..5) {
            put(rows::PAGE, random.random_range(0..PAGES), random.random_range(100..3_000));
        }
        if number.is_multiple_of(3) {
            put(rows::STATEMENT, number, random.random_range(1_000..6_000));
            put(rows::SENT, number / 3, 60);
        }
        if number.is_multiple_of(7) {
            put(rows::SNAPSHOT, random.random_range(0..SHARDS), random.random_range(5_000..60_000));
        }
        if let Some(old) = number.checked_sub(CHANGES_KEPT) {
            changes.push((rows::key(rows::CHANGE, &[&old.to_be_bytes()]), None));
        }
        changes
    }

    /// A row's value.
    fn value(self, key: &[u8], written: Written) -> Vec<u8> {
        let mut value = vec![0; written.bytes];
        self.random(written.batch, key).fill_bytes(&mut value);
        value
    }

    fn random(self, number: u64, key: &[u8]) -> ChaCha8Rng {
        let mut seed = [0; 32];
        let parts = self.0.to_be_bytes().into_iter().chain(number.to_be_bytes());
        let words = parts.chain(key.iter().rev().copied());
        for (place, byte) in seed.iter_mut().zip(words) {
            *place = byte;
        }
        ChaCha8Rng::from_seed(seed)
    }
}

/// The number of the last batch that a store holds; 0 if none.
///
/// # Errors
/// Those of the store.
pub fn last(store: &Store) -> Result<u64, StoreError> {
    let bytes = store.get(LAST)?;
    Ok(bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes))
}

/// The rows that there must be after a number of batches.
#[derive(Debug)]
pub struct Expected {
    workload: Workload,
    last: u64,
    rows: BTreeMap<Vec<u8>, Written>,
}

impl Expected {
    /// After the batches 1 to `last`.
    #[must_use]
    pub fn after(workload: Workload, last: u64) -> Self {
        let mut rows = BTreeMap::new();
        for (key, written) in (1..=last).flat_map(|number| workload.changes(number)) {
            match written {
                Some(written) => rows.insert(key, written),
                None => rows.remove(&key),
            };
        }
        Self { workload, last, rows }
    }

    /// Takes a row that was found; whether it is as it must be.
    pub fn take(&mut self, key: &[u8], value: &[u8]) -> bool {
        if key == LAST {
            return value == self.last.to_be_bytes();
        }
        let written = self.rows.remove(key);
        written.is_some_and(|written| self.workload.value(key, written) == value)
    }

    /// How many rows were not found.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.rows.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_batches_write_is_what_is_expected() {
        let workload = Workload(5);
        let mut rows = BTreeMap::new();
        for number in 1..=200 {
            for (key, value) in workload.batch(number) {
                match value {
                    Some(value) => rows.insert(key, value),
                    None => rows.remove(&key),
                };
            }
        }
        let mut expected = Expected::after(workload, 200);
        assert!(rows.iter().all(|(key, value)| expected.take(key, value)));
        assert_eq!(expected.missing(), 0);
        let mut later = Expected::after(workload, 201);
        assert!(!rows.iter().all(|(key, value)| later.take(key, value)), "a lost batch shows");
    }
}
