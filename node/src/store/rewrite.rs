//! Rewriting a store's files: a new engine with the same rows takes the place of the old one, whose files
//! go. Neither engine wipes what it frees (redb uses pages again, sled appends to a log), so this is how
//! deleted values leave the disk.
//!
//! ```text
//! redb.new   the new engine while it is filled; whole, closed and durable before anything is renamed
//! redb.old   the old one between the two renames, and until it is removed
//! ```
//!
//! Whatever stops in between, an opening finds one of two stores with the same rows: while the engine has
//! its name, that one counts and what is beside it goes; between the renames only the new one is there, and
//! it is whole. Anchor and envelopes are copied as they are, so the head file fits both. What a disk keeps of
//! a file that was removed is beyond a program: encrypt the disk.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::anchor::ANCHOR_KEY;
use super::checked::{EngineKind, Store, open_engine};
use super::error::StoreError;
use super::folder::sync_folder;
use super::guard::guarded;
use super::memory::{Disk, Memory};
use super::port::{Batch, Closing, Engine, Row, ScanLimit};

/// Bytes copied per durable commit: each of them syncs.
const COPY_BYTES: usize = 16 * 1024 * 1024;

/// Rows copied per durable commit.
const COPY_ROWS: usize = 65_536;

/// How often, and with what pause, it is looked whether an engine has let go of its files: 10 s in all.
const RELEASE_TRIALS: u32 = 500;
const RELEASE_PAUSE: Duration = Duration::from_millis(20);

/// The name of a file or folder with an ending.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn remove(path: &Path) -> Result<bool, StoreError> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::io("removing", path, error)),
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(|error| StoreError::io("renaming", from, error))
}

/// Ends a rewriting that was stopped, before the engine at `path` is opened.
pub(super) fn settle(path: &Path) -> Result<(), StoreError> {
    let (new, old) = (beside(path, ".new"), beside(path, ".old"));
    let mut changed = false;
    if !path.exists() && new.exists() {
        rename(&new, path)?;
        path.parent().map_or(Ok(()), sync_folder)?;
    }
    changed |= remove(&new)?;
    changed |= remove(&old)?;
    if changed { path.parent().map_or(Ok(()), sync_folder) } else { Ok(()) }
}

/// Puts the anchor into each commit of the copy, as it is.
struct SameAnchor(Row);

impl Closing for SameAnchor {
    fn changed(&mut self, _: &[u8], _: Option<&[u8]>, _: Option<&[u8]>) {}

    fn row(&mut self) -> Result<Row, StoreError> {
        Ok(self.0.clone())
    }
}

fn copy(
    from: &dyn Engine,
    into: &mut dyn Engine,
    beat: &mut dyn FnMut(),
) -> Result<(), StoreError> {
    let anchor = from.get(ANCHOR_KEY)?.ok_or(StoreError::AnchorMissing)?;
    let mut anchor = SameAnchor((ANCHOR_KEY.to_vec(), anchor));
    let limit = ScanLimit { rows: COPY_ROWS, bytes: COPY_BYTES };
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = from.scan(b"", after.as_deref(), limit)?;
        let mut batch = Batch::new();
        for (key, value) in page.rows.into_iter().filter(|(key, _)| key != ANCHOR_KEY) {
            batch.put(key, value);
        }
        into.commit(&batch, &mut anchor)?;
        beat();
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// Waits until sled, whose threads outlive it for a moment, has let go of a folder.
fn wait_until_released(kind: EngineKind, path: &Path) -> Result<(), StoreError> {
    if kind != EngineKind::Sled {
        return Ok(());
    }
    let log = path.join("db");
    let file = File::open(&log).map_err(|error| StoreError::io("opening", &log, error))?;
    for _ in 0..RELEASE_TRIALS {
        if file.try_lock().is_ok() {
            return Ok(());
        }
        thread::sleep(RELEASE_PAUSE);
    }
    Err(StoreError::Locked { path: log })
}

impl Store {
    /// Rewrites the files, so that they hold the rows and nothing else. `beat` is called as it goes on. A
    /// store without a folder has no files.
    ///
    /// # Errors
    /// [`StoreError`]. The store stops ([`StoreError::Halted`]) if the old engine was closed by then; opening
    /// it again ends the rewriting, or undoes it.
    pub fn rewrite(&mut self, beat: &mut dyn FnMut()) -> Result<(), StoreError> {
        self.running()?;
        let Some((kind, path)) = self.place() else { return Ok(()) };
        let (new, old) = (beside(&path, ".new"), beside(&path, ".old"));
        remove(&new)?;
        let mut copied = open_engine(kind, &new, false)?;
        let engine = &self.engine;
        let filled =
            guarded(kind.name(), "copying", || copy(engine.as_ref(), copied.as_mut(), beat))
                .and_then(|()| guarded(kind.name(), "closing", || copied.close()))
                .and_then(|()| wait_until_released(kind, &new));
        if filled.is_err() {
            // The disk may be full: what was copied makes room again.
            let _ = remove(&new);
        }
        filled?;
        // From here on there is no engine until the new one is open.
        self.halted = true;
        let nothing: Box<dyn Engine> = Box::new(Memory::open(&Disk::new()));
        let engine = std::mem::replace(&mut self.engine, nothing);
        guarded(kind.name(), "closing", || engine.close())?;
        wait_until_released(kind, &path)?;
        beat();
        path.parent().map_or(Ok(()), sync_folder)?;
        rename(&path, &old)?;
        rename(&new, &path)?;
        path.parent().map_or(Ok(()), sync_folder)?;
        self.engine = open_engine(kind, &path, false)?;
        settle(&path)?;
        self.halted = false;
        self.compare_row_count()
    }
}
