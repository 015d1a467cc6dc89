//! The store's folder: its files, the lock that keeps a second process out, the engine that owns it.
//!
//! ```text
//! lock      held exclusively while the store is open
//! engine    the name of the engine that made the folder
//! head      the last acknowledged commit (see `head.rs`)
//! reserve   given up when the disk is full (see `room.rs`)
//! redb      the redb engine's file, or
//! sled/     the sled engine's folder
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::error::StoreError;

/// What a folder's `engine` file can say.
const ENGINES: [&str; 2] = ["redb", "sled"];

/// A locked store folder. The lock ends when this is dropped, or when the process ends.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder if missing (readable by its owner only) and locks it.
    pub fn lock(path: &Path) -> Result<Self, StoreError> {
        private_builder()
            .create(path)
            .map_err(|source| StoreError::io("making the folder", path, source))?;
        let lock_path = path.join("lock");
        let lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(|source| StoreError::io("opening", &lock_path, source))?;
        Self::locked(path, lock_path, lock)
    }

    /// Locks a folder that is there, and writes nothing.
    pub fn lock_existing(path: &Path) -> Result<Self, StoreError> {
        let lock_path = path.join("lock");
        let lock = File::open(&lock_path)
            .map_err(|source| StoreError::io("opening", &lock_path, source))?;
        Self::locked(path, lock_path, lock)
    }

    fn locked(path: &Path, lock_path: PathBuf, lock: File) -> Result<Self, StoreError> {
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: lock_path }),
            Err(TryLockError::Error(source)) => Err(StoreError::io("locking", lock_path, source)),
        }
    }

    /// Claims the folder for `engine`, or refuses if another engine made it.
    pub fn claim(&self, engine: &'static str) -> Result<(), StoreError> {
        let path = self.path.join("engine");
        match fs::read(&path) {
            Ok(found) => match found.trim_ascii() {
                b"" => self.write_claim(&path, engine),
                found if found == engine.as_bytes() => Ok(()),
                found => Err(self.claimed_otherwise(found, engine)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.write_claim(&path, engine)
            }
            Err(source) => Err(StoreError::io("reading", path, source)),
        }
    }

    fn claimed_otherwise(&self, found: &[u8], configured: &'static str) -> StoreError {
        let known = ENGINES.iter().find(|engine| engine.as_bytes() == found);
        match known {
            Some(found) => {
                let (path, found) = (self.path.clone(), (*found).to_owned());
                StoreError::OtherEngine { path, found, configured }
            }
            None => StoreError::CorruptStore {
                engine: configured,
                found: "its file `engine` names no engine that there is".to_owned(),
            },
        }
    }

    fn write_claim(&self, path: &Path, engine: &'static str) -> Result<(), StoreError> {
        fs::write(path, format!("{engine}\n"))
            .and_then(|()| File::open(path)?.sync_all())
            .map_err(|source| StoreError::io("writing", path, source))?;
        self.sync()
    }

    /// Where the head file is.
    pub fn head(&self) -> PathBuf {
        self.path.join("head")
    }

    /// Where the engine called `name` keeps its data.
    pub fn engine(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes the creation of files in the folder durable.
    pub fn sync(&self) -> Result<(), StoreError> {
        sync_folder(&self.path)
    }
}

/// Makes the creation, renaming and removal of files directly in `path` durable.
pub fn sync_folder(path: &Path) -> Result<(), StoreError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| StoreError::io("syncing the folder", path, source))
}

/// Bytes that a file, or everything in a folder, takes up on disk; 0 if there is none.
pub fn size_of(path: &Path) -> Result<u64, StoreError> {
    let failed = |source| StoreError::io("measuring", path, source);
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(failed(error)),
    };
    if !metadata.is_dir() {
        return Ok(allocated(&metadata));
    }
    let mut size = 0_u64;
    for entry in fs::read_dir(path).map_err(failed)? {
        size = size.saturating_add(size_of(&entry.map_err(failed)?.path())?);
    }
    Ok(size)
}

/// What a file takes up; files of the engines have holes.
#[cfg(unix)]
fn allocated(metadata: &fs::Metadata) -> u64 {
    /// The unit of `blocks`, by POSIX.
    const BLOCK_BYTES: u64 = 512;
    std::os::unix::fs::MetadataExt::blocks(metadata).saturating_mul(BLOCK_BYTES)
}

#[cfg(not(unix))]
fn allocated(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}

pub(super) fn private_builder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_is_refused_until_the_first_ends() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("store");
        let first = Folder::lock(&path).unwrap();
        assert!(matches!(Folder::lock(&path), Err(StoreError::Locked { .. })));
        drop(first);
        Folder::lock(&path).unwrap();
    }

    #[test]
    fn another_engine_is_refused_by_name() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::lock(place.path()).unwrap();
        folder.claim("redb").unwrap();
        folder.claim("redb").unwrap();
        let error = folder.claim("sled").unwrap_err();
        assert!(error.to_string().contains("engine = \"redb\""), "{error}");
    }
}
