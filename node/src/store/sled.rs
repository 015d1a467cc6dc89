//! The sled engine, hardened: sled 0.34 alone does not keep what it acknowledges.
//!
//! - sled's `flush` starts write-back but does not sync the file on Linux. Here every commit flushes
//!   and then syncs `db`, each new file under `blobs`, and both folders; the background flusher is off.
//! - One tree; keys have a prefix: `r` for rows, `c` for the further chunks of a large row.
//! - No value above 4 KiB: larger ones are chunked, in the same atomic sled batch.
//! - sled writes its `conf` file once and never syncs it; cut short, it keeps the store shut for ever. So a
//!   new store is made under another name, synced whole, and then renamed.
//! - sled takes the newest file of its snapshots, also one that it was still writing when it was stopped.
//!   Those are removed before it opens: the log alone is enough.
//! - sled panics in dropping its log if the last sync fails; that is caught.
//! - A damaged file can make sled panic or spin, so it is opened on a thread of its own, which may
//!   panic or miss its deadline without taking the node with it.
//! - sled does not notice every flipped bit; the layer above finds them by walking the rows, which
//!   for a million small rows takes 10 s after an unclean stop, where redb takes one.
//!
//! Row layout: a byte 0 and the value; or a byte 1, the number of further chunks (4 bytes,
//! big-endian) and the value's first part. Chunk key: `c`, the key, the chunk's number (4 bytes).

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::error::{KeyName, StoreError};
use super::folder::{size_of, sync_folder};
use super::guard::panic_message;
use super::port::{Batch, Closing, Engine, Page, ScanLimit, scan_range};

/// Bytes of a value inside sled: one page, so that sled never spills it to a blob by its own size.
const CHUNK_BYTES: usize = 4096;

/// Bytes of pages sled keeps in memory; the whole node must stay below 600 MB.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// How long opening may take. Recovery reads the whole log: about 100 MB/s on a slow disk.
const OPEN_DEADLINE: Duration = Duration::from_secs(120);

/// How often, and with what pause, opening tries for sled's own lock: 10 s in all.
const LOCK_TRIALS: u32 = 500;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// How the folder of a store that is being made ends.
const MAKING: &str = "making";

/// How the name of a snapshot ends that sled has not finished.
const UNFINISHED: &str = ".generating";

const ROW: u8 = b'r';
const CHUNK: u8 = b'c';
const WHOLE: u8 = 0;
const CHUNKED: u8 = 1;

/// Bytes before the first part of a chunked value: the kind and the number of further chunks.
const CHUNKED_HEAD: usize = 5;

/// The engine on one folder.
#[derive(Debug)]
pub struct Sled {
    tree: ::sled::Db,
    path: PathBuf,
    log: File,
    synced_blobs: BTreeSet<OsString>,
    _held: Held,
}

/// Holds sled to the last, for it may panic then. What was committed has been synced by us before.
#[derive(Debug)]
struct Held(Option<::sled::Db>);

impl Drop for Held {
    fn drop(&mut self) {
        let last = self.0.take();
        // Whoever drops a store has been told already what is wrong with it.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(last)));
    }
}

impl Sled {
    /// The engine's name.
    pub const NAME: &'static str = "sled";

    /// Opens or makes the folder at `path`, on a thread of its own.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let place = path.to_owned();
        let opener = thread::Builder::new()
            .name("sled-open".to_owned())
            .spawn(move || {
                // The receiver is gone only after the deadline; then nobody wants the answer.
                let _ = sender.send(Self::open_here(&place));
            })
            .map_err(|error| StoreError::io("starting a thread for", path, error))?;
        match receiver.recv_timeout(OPEN_DEADLINE) {
            Ok(opened) => opened,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                Err(StoreError::OpenTimedOut { engine: Self::NAME, deadline: OPEN_DEADLINE })
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(StoreError::EngineFailed {
                engine: Self::NAME,
                doing: "opening",
                found: opener.join().err().map_or_else(String::new, panic_message),
            }),
        }
    }

    fn open_here(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            Self::make(path)?;
        }
        remove_unfinished(path).map_err(|error| StoreError::io("tidying", path, error))?;
        Self::open_as_it_is(path)
    }

    /// Makes a store whose every file is synced before it has its name.
    fn make(path: &Path) -> Result<(), StoreError> {
        let making = path.with_extension(MAKING);
        let failed = |error| StoreError::io("making", &making, error);
        match fs::remove_dir_all(&making) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        drop(Self::open_as_it_is(&making)?);
        File::open(making.join("conf")).and_then(|conf| conf.sync_all()).map_err(failed)?;
        sync_folder(&making)?;
        fs::rename(&making, path).map_err(failed)?;
        path.parent().map_or(Ok(()), sync_folder)
    }

    fn open_as_it_is(path: &Path) -> Result<Self, StoreError> {
        let tree = open_patiently(path).map_err(|error| from_sled(error, "opening", path))?;
        let held = Held(Some(tree.clone()));
        let log_path = path.join("db");
        let log =
            File::open(&log_path).map_err(|error| StoreError::io("opening", log_path, error))?;
        let (path, synced_blobs) = (path.to_owned(), BTreeSet::new());
        let mut engine = Self { tree, path, log, synced_blobs, _held: held };
        engine.make_durable()?;
        Ok(engine)
    }

    /// What sled's own flush leaves out.
    fn make_durable(&mut self) -> Result<(), StoreError> {
        self.tree.flush().map_err(|error| self.failed(error))?;
        self.log.sync_all().map_err(|error| StoreError::io("syncing", &self.path, error))?;
        self.sync_blobs()?;
        sync_folder(&self.path)
    }

    fn sync_blobs(&mut self) -> Result<(), StoreError> {
        let folder = self.path.join("blobs");
        let present = list(&folder).map_err(|error| StoreError::io("listing", &folder, error))?;
        if present == self.synced_blobs {
            return Ok(());
        }
        for name in present.difference(&self.synced_blobs) {
            let blob = folder.join(name);
            match File::open(&blob).and_then(|file| file.sync_all()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StoreError::io("syncing", blob, error));
                }
                _ => {}
            }
        }
        self.synced_blobs = present;
        sync_folder(&folder)
    }

    fn failed(&self, error: ::sled::Error) -> StoreError {
        from_sled(error, "reading or writing", &self.path)
    }

    fn row(&self, key: &[u8]) -> Result<Option<::sled::IVec>, StoreError> {
        self.tree.get(row_key(key)).map_err(|error| self.failed(error))
    }

    /// Puts the chunks of a stored row together.
    fn assemble(&self, key: &[u8], row: &[u8]) -> Result<Vec<u8>, StoreError> {
        let Stored { mut value, chunks } = stored(key, row)?;
        for number in 1..=chunks {
            let chunk =
                self.tree.get(chunk_key(key, number)).map_err(|error| self.failed(error))?;
            let chunk = chunk.ok_or_else(|| StoreError::CorruptValue {
                key: KeyName::new(key),
                found: "a part of it is missing",
            })?;
            value.extend_from_slice(&chunk);
        }
        Ok(value)
    }

    /// Adds one change to the sled batch and shows it to `closing`.
    fn change(
        &self,
        sled_batch: &mut ::sled::Batch,
        closing: &mut dyn Closing,
        key: &[u8],
        new: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        let row = self.row(key)?;
        let old = row.map(|row| stored(key, &row)).transpose()?;
        closing.changed(key, old.as_ref().map(|old| old.value.as_slice()), new);
        let kept_chunks = match new {
            Some(value) => put(sled_batch, key, value),
            None => {
                sled_batch.remove(row_key(key));
                0
            }
        };
        let old_chunks = old.map_or(0, |old| old.chunks);
        for number in kept_chunks.saturating_add(1)..=old_chunks {
            sled_batch.remove(chunk_key(key, number));
        }
        Ok(())
    }
}

impl Engine for Sled {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn commit(&mut self, batch: &Batch, closing: &mut dyn Closing) -> Result<(), StoreError> {
        let mut sled_batch = ::sled::Batch::default();
        for (key, new) in batch.rows() {
            self.change(&mut sled_batch, closing, key, new)?;
        }
        let (key, value) = closing.row()?;
        put(&mut sled_batch, &key, &value);
        self.tree.apply_batch(sled_batch).map_err(|error| self.failed(error))?;
        self.make_durable()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.row(key)?.map(|row| self.assemble(key, &row)).transpose()
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: ScanLimit,
    ) -> Result<Page, StoreError> {
        let after = after.map(row_key);
        let Some(range) = scan_range(&row_key(prefix), after.as_deref()) else {
            return Ok(Page::default());
        };
        let rows = self.tree.range(range).map(|row| {
            let (stored_key, row) = row.map_err(|error| self.failed(error))?;
            let key = stored_key.get(1..).unwrap_or_default().to_vec();
            let value = self.assemble(&key, &row)?;
            Ok((key, value))
        });
        Page::fill(rows, limit)
    }

    fn row_count(&self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    fn check(&mut self) -> Result<(), StoreError> {
        // sled has no check of its own beyond reading every row, and the layer above does that.
        Ok(())
    }

    fn check_covers_rows(&self) -> bool {
        false
    }

    fn size_on_disk(&self) -> Result<u64, StoreError> {
        size_of(&self.path)
    }

    fn close(mut self: Box<Self>) -> Result<(), StoreError> {
        self.make_durable()
    }
}

/// sled's own threads may hold its lock for a moment after a store was dropped. Our folder's lock
/// has shown by now that no other store uses the files, so waiting is right.
fn open_patiently(path: &Path) -> ::sled::Result<::sled::Db> {
    let config = ::sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None);
    let is_lock = |error: &::sled::Error| match error {
        ::sled::Error::Io(error) => error.to_string().contains("could not acquire lock"),
        _ => false,
    };
    for _ in 1..LOCK_TRIALS {
        match config.open() {
            Err(error) if is_lock(&error) => thread::sleep(LOCK_PAUSE),
            opened => return opened,
        }
    }
    config.open()
}

/// A row as sled holds it: the value's first part, and how many chunks follow.
struct Stored {
    value: Vec<u8>,
    chunks: u32,
}

fn stored(key: &[u8], row: &[u8]) -> Result<Stored, StoreError> {
    let parsed = match row.split_first() {
        Some((&WHOLE, value)) => Some(Stored { value: value.to_vec(), chunks: 0 }),
        Some((&CHUNKED, rest)) => rest.split_first_chunk().map(|(chunks, value)| Stored {
            value: value.to_vec(),
            chunks: u32::from_be_bytes(*chunks),
        }),
        _ => None,
    };
    parsed.ok_or_else(|| StoreError::CorruptValue {
        key: KeyName::new(key),
        found: "it is not in the sled engine's layout",
    })
}

/// Adds the row and its chunks; returns how many chunks there are beyond the row itself.
fn put(sled_batch: &mut ::sled::Batch, key: &[u8], value: &[u8]) -> u32 {
    if value.len() < CHUNK_BYTES {
        sled_batch.insert(row_key(key), [&[WHOLE], value].concat());
        return 0;
    }
    let (first, rest) = value.split_at(CHUNK_BYTES.saturating_sub(CHUNKED_HEAD));
    let mut chunks = 0_u32;
    for chunk in rest.chunks(CHUNK_BYTES) {
        chunks = chunks.saturating_add(1);
        sled_batch.insert(chunk_key(key, chunks), chunk);
    }
    let mut row = vec![CHUNKED];
    row.extend_from_slice(&chunks.to_be_bytes());
    row.extend_from_slice(first);
    sled_batch.insert(row_key(key), row);
    chunks
}

fn row_key(key: &[u8]) -> Vec<u8> {
    [&[ROW], key].concat()
}

fn chunk_key(key: &[u8], number: u32) -> Vec<u8> {
    [&[CHUNK], key, &number.to_be_bytes()].concat()
}

/// Removes snapshots that sled was still writing when it was stopped.
fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for name in list(folder)? {
        if name.to_string_lossy().ends_with(UNFINISHED) {
            fs::remove_file(folder.join(name))?;
        }
    }
    Ok(())
}

fn list(folder: &Path) -> io::Result<BTreeSet<OsString>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect()
}

fn from_sled(error: ::sled::Error, doing: &'static str, path: &Path) -> StoreError {
    match error {
        ::sled::Error::Io(error) => match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => {
                StoreError::CorruptStore { engine: Sled::NAME, found: error.to_string() }
            }
            _ => StoreError::io(doing, path, error),
        },
        other => StoreError::CorruptStore { engine: Sled::NAME, found: other.to_string() },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn chunk_keys_of_different_rows_never_meet() {
        let one = chunk_key(b"a", 0x0000_0001);
        let other = chunk_key(b"a\0\0\0\x01", 1);
        assert_ne!(one, other);
        assert_ne!(chunk_key(b"a", 1), row_key(b"a"));
    }

    #[test]
    fn every_size_around_a_chunk_reads_back() {
        let place = tempfile::tempdir().unwrap();
        let engine = Sled::open(&place.path().join("sled")).unwrap();
        for size in (4080..4110).chain(8170..8200) {
            let value = vec![7; size];
            let mut batch = ::sled::Batch::default();
            put(&mut batch, b"k", &value);
            engine.tree.apply_batch(batch).unwrap();
            assert_eq!(engine.get(b"k").unwrap(), Some(value), "size {size}");
        }
        assert!(engine.tree.iter().values().all(|value| value.unwrap().len() <= CHUNK_BYTES));
    }
}
