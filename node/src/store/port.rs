//! The storage port: what an engine must do, and nothing more.
//!
//! An engine keeps rows (key, value) in key order, commits batches atomically and durably, and
//! checks itself. It knows nothing of envelopes and anchors; those live above it, the same for
//! every engine (see [`super::checked`]). An engine is owned by one thread and never called
//! concurrently. `Ok` from [`Engine::commit`] means: survives power loss.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::ops::Bound;

use super::error::StoreError;

/// Bytes a key may have. Keys are paths of short codes; engines keep them in inner pages.
pub const KEY_LIMIT: usize = 1024;

/// Bytes a value may have: a shard of 1,000 records with history, with room.
pub const VALUE_LIMIT: usize = 16 * 1024 * 1024;

/// Bytes one durable commit may have, keys and values together: it is held in memory twice.
pub const BATCH_LIMIT: usize = 64 * 1024 * 1024;

/// Bytes of an old value that an engine must show to [`Closing::changed`]: an envelope's head.
pub const SHOWN_OLD_BYTES: usize = super::envelope::HEAD_BYTES;

/// A key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// A set of changes that is applied as one, or not at all. A later change of a key wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    bytes: usize,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` to `value`.
    pub fn put(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> &mut Self {
        self.set(key.into(), Some(value.into()))
    }

    /// Removes `key`; removing a key that is not there is no error.
    pub fn delete(&mut self, key: impl Into<Vec<u8>>) -> &mut Self {
        self.set(key.into(), None)
    }

    /// Appends the changes of `later`, which win over this batch's.
    pub fn append(&mut self, later: Batch) -> &mut Self {
        for (key, value) in later {
            self.set(key, value);
        }
        self
    }

    fn set(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) -> &mut Self {
        let key_bytes = key.len();
        self.bytes = self.bytes.saturating_add(value_bytes(value.as_ref()));
        match self.rows.insert(key, value) {
            Some(old) => self.bytes = self.bytes.saturating_sub(value_bytes(old.as_ref())),
            None => self.bytes = self.bytes.saturating_add(key_bytes),
        }
        self
    }

    /// How many keys change.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes of keys and values.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The changes in key order: `Some` is a put, `None` a delete.
    pub fn rows(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.rows.iter().map(|(key, value)| (key.as_slice(), value.as_deref()))
    }
}

impl IntoIterator for Batch {
    type Item = (Vec<u8>, Option<Vec<u8>>);
    type IntoIter = btree_map::IntoIter<Vec<u8>, Option<Vec<u8>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter()
    }
}

fn value_bytes(value: Option<&Vec<u8>>) -> usize {
    value.map_or(0, Vec::len)
}

/// Where a scan stops: at the row or byte limit, whichever comes first; at least one row is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanLimit {
    /// Rows.
    pub rows: usize,
    /// Bytes of keys and values.
    pub bytes: usize,
}

impl ScanLimit {
    /// Bytes of a page unless told: bounds memory when values are large.
    pub const PAGE_BYTES: usize = 4 * 1024 * 1024;

    /// At most `rows` rows and [`ScanLimit::PAGE_BYTES`].
    pub fn rows(rows: usize) -> Self {
        Self { rows, bytes: Self::PAGE_BYTES }
    }
}

/// One page of a scan, in key order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The rows.
    pub rows: Vec<Row>,
    /// The key to pass as `after` for the next page; `None` when this page is the last.
    pub next: Option<Vec<u8>>,
}

impl Page {
    /// Takes rows from `source` up to `limit`.
    pub(super) fn fill(
        source: impl Iterator<Item = Result<Row, StoreError>>,
        limit: ScanLimit,
    ) -> Result<Self, StoreError> {
        let mut page = Self::default();
        let mut bytes = 0_usize;
        for row in source {
            let (key, value) = row?;
            let row_bytes = key.len().saturating_add(value.len());
            bytes = bytes.saturating_add(row_bytes);
            let full = page.rows.len() >= limit.rows.max(1) || bytes > limit.bytes;
            if full && let Some((last, _)) = page.rows.last() {
                page.next = Some(last.clone());
                break;
            }
            page.rows.push((key, value));
        }
        Ok(page)
    }
}

/// Sees every row a commit changes and then gives the closing row that goes into the same
/// durable transaction: the anchor, whose counts depend on what was there before.
pub trait Closing {
    /// Called once per changed key, in key order, before [`Closing::row`], with what the key held
    /// (at least the first [`SHOWN_OLD_BYTES`] of it) and what it holds from now on.
    fn changed(&mut self, key: &[u8], old: Option<&[u8]>, new: Option<&[u8]>);

    /// The row to add. An error cancels the commit, leaving the store as it was.
    fn row(&mut self) -> Result<Row, StoreError>;
}

/// A storage engine.
pub trait Engine: Send {
    /// The name used in the configuration and in messages.
    fn name(&self) -> &'static str;

    /// Applies `batch` and the closing row atomically. `Ok` means durable. After an error it is
    /// unknown whether the batch was applied; the caller stops using the engine.
    fn commit(&mut self, batch: &Batch, closing: &mut dyn Closing) -> Result<(), StoreError>;

    /// The value at `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// The rows whose key starts with `prefix` and is greater than `after`, in key order.
    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: ScanLimit,
    ) -> Result<Page, StoreError>;

    /// How many rows there are, where the engine knows without walking them.
    fn row_count(&self) -> Result<Option<u64>, StoreError>;

    /// Checks the engine's own structures on disk.
    fn check(&mut self) -> Result<(), StoreError>;

    /// Whether [`Engine::check`], or a thorough opening, proves that every row is as committed.
    /// If not, the layer above walks the rows itself.
    fn check_covers_rows(&self) -> bool;

    /// Bytes on disk, including what the engine has set aside.
    fn size_on_disk(&self) -> Result<u64, StoreError>;

    /// Closes the files; after this a start need not recover.
    fn close(self: Box<Self>) -> Result<(), StoreError>;
}

/// The lower and upper end of a range of keys.
pub(super) type KeyRange = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// The keys that start with `prefix` and are greater than `after`; `None` if there can be none.
pub(super) fn scan_range(prefix: &[u8], after: Option<&[u8]>) -> Option<KeyRange> {
    let end = end_of_prefix(prefix);
    let lower = match after {
        Some(after) if after >= prefix => Bound::Excluded(after.to_vec()),
        _ => Bound::Included(prefix.to_vec()),
    };
    if let (Some(after), Some(end)) = (after, &end)
        && after >= end.as_slice()
    {
        return None;
    }
    Some((lower, end.map_or(Bound::Unbounded, Bound::Excluded)))
}

/// The first key after every key that starts with `prefix`; `None` if there is none.
fn end_of_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_later_change_of_a_key_wins_and_bytes_follow() {
        let mut batch = Batch::new();
        batch.put("a", "12345").put("b", "1").put("a", "1").delete("b");
        assert_eq!((batch.len(), batch.bytes()), (2, 3));
        let mut later = Batch::new();
        later.put("b", "22");
        batch.append(later);
        assert_eq!(batch.rows().last().unwrap(), (b"b".as_slice(), Some(b"22".as_slice())));
        assert_eq!(batch.bytes(), 5);
    }

    #[test]
    fn the_end_of_a_prefix_skips_full_bytes() {
        assert_eq!(end_of_prefix(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(end_of_prefix(&[1, 0xff]), Some(vec![2]));
        assert_eq!(end_of_prefix(&[0xff]), None);
        assert_eq!(end_of_prefix(b""), None);
    }
}
