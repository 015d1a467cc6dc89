//! Backups of a whole node in one file, and restoring them.
//!
//! | file | what it does |
//! |---|---|
//! | `format` | the file's parts: written and read in order, in bounded memory |
//! | `make` | from a node's folder and an image of its store to a file, whole or not at all |
//! | `restore` | from a file to a new folder, whole or not at all |
//! | `ledgers` | whether the ledgers of a store are whole |
//!
//! The image is taken by the store (`crate::store`), which files belong to a house is known to
//! [`crate::house`], and what a restored store must not do again to the core
//! (`reeve_protocol::from_backup`).

mod format;
mod ledgers;
mod make;
mod restore;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use crate::house::HouseError;
use crate::store::StoreError;

pub use format::{FORMAT, Head, Part, Reader, Tail};
pub use ledgers::{Unsound, ledgers};
pub use make::{Made, make};
pub use restore::{Unfinished, restore};

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file could not be read or written.
    #[error("cannot {doing} {}: {reason}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// Nothing is overwritten.
    #[error("{} is there already, and a backup is never overwritten; name another file", path.display())]
    Exists {
        /// What is there.
        path: PathBuf,
    },
    /// Another file.
    #[error("{} is no backup of a node: it does not begin like one", path.display())]
    NotABackup {
        /// The file.
        path: PathBuf,
    },
    /// A newer program made it.
    #[error(
        "{} has format {found}, this program reads up to format {supported}: nothing was changed; run \
         the newer program that made it",
        path.display()
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u8,
        /// Newest that is read.
        supported: u8,
    },
    /// It was cut or altered.
    #[error("{} is damaged: {found}; take another backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        found: String,
    },
    /// The folder is in use.
    #[error(
        "{} is not empty ({found} is in it); restore into a new folder, and move this one away if its \
         node is to be replaced",
        folder.display()
    )]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
        /// Something in it.
        found: String,
    },
    /// A restoration was killed.
    #[error(
        "{} holds what an interrupted restoration left, and no node; delete it and restore again",
        folder.display()
    )]
    Interrupted {
        /// The folder.
        folder: PathBuf,
    },
    /// The rows are of a newer program, or a ledger is not whole.
    #[error("the store in {} is not restored: {reason}", path.display())]
    Unsound {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The store.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    /// The folder.
    #[error(transparent)]
    House(#[from] HouseError),
}

fn io(doing: &'static str, path: &Path) -> impl Fn(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |reason| BackupError::Io { doing, path: path.clone(), reason }
}
