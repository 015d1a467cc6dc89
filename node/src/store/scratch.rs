//! A copy of a stopped node's store, so that looking at it changes nothing.
//!
//! Both engines write when they open a file: they recover, and note that it is in use. So the store
//! is locked, copied into a folder that only its owner can read, and the copy is opened. The copy is
//! removed when this is dropped; if the process is killed before, the folder can be deleted.

use std::fs;
use std::path::{Path, PathBuf};

use super::checked::{OpenReport, Store, StoreConfig};
use super::error::StoreError;
use super::folder::{Folder, private_builder};

/// A copy of a store.
#[derive(Debug)]
pub struct Scratch {
    config: StoreConfig,
    _original: Folder,
}

impl Scratch {
    /// Copies the store into a folder that must not be there yet. The original stays locked, so that
    /// no node starts meanwhile.
    ///
    /// # Errors
    /// When there is no store, a node runs on it, or the copy cannot be made.
    pub fn copy(original: &StoreConfig, into: &Path) -> Result<Self, StoreError> {
        let lock = Folder::lock_existing(&original.folder)?;
        let making = |source: std::io::Error| StoreError::io("making the folder", into, source);
        if into.exists() {
            return Err(making(std::io::ErrorKind::AlreadyExists.into()));
        }
        // Made before anything can fail, so that what was copied is removed in every case.
        let copy = Self {
            config: StoreConfig { folder: into.to_owned(), engine: original.engine },
            _original: lock,
        };
        copy_folder(&original.folder, into)?;
        Ok(copy)
    }

    /// Opens the copy; what is damaged in it is left for [`Store::verify`] to find.
    ///
    /// # Errors
    /// When the store is so damaged that it does not open.
    pub fn open(&self) -> Result<(Store, OpenReport), StoreError> {
        Store::open_to_verify(&self.config)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nobody is left to be told; what stays is a folder that can be deleted.
        let _ = fs::remove_dir_all(&self.config.folder);
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), StoreError> {
    private_builder()
        .create(to)
        .map_err(|source| StoreError::io("making the folder", to, source))?;
    let reading = |source| StoreError::io("reading", from, source);
    for entry in fs::read_dir(from).map_err(reading)? {
        let entry = entry.map_err(reading)?;
        let (path, place) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(reading)?;
        if kind.is_dir() {
            copy_folder(&path, &place)?;
        } else if kind.is_file() {
            copy_file(&path, &place)?;
        }
    }
    Ok(())
}

fn copy_file(from: &PathBuf, to: &PathBuf) -> Result<(), StoreError> {
    fs::copy(from, to).map_err(|source| StoreError::io("copying", from, source))?;
    Ok(())
}
