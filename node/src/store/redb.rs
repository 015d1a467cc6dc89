//! The redb engine, the default: one table in one file.
//!
//! Every commit is immediate (synced) and carries what quick-repair needs, so a start after a kill
//! does not rebuild the free list. Quick-repair also makes redb commit in two phases: a half-written
//! commit cannot be mistaken for a whole one. redb trusts a file at opening and reads inner pages
//! without checking them, so a `thorough` opening verifies the checksums of all pages first, at a cost
//! that grows with the file: 0.7 s for 570 MB (2 cores, release build; a plain opening takes 1 ms).
//! When that is done is decided above (`super::checked`).

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use ::redb::{
    CommitError, Database, DatabaseError, Durability, ReadableDatabase, ReadableTableMetadata,
    SetDurabilityError, StorageError, TableDefinition, TableError, TransactionError,
};

use super::error::StoreError;
use super::folder::{size_of, sync_folder};
use super::port::{Batch, Closing, Engine, Page, ScanLimit, scan_range};

/// Bytes of pages redb keeps in memory. Small, because the kernel caches the file as well and the
/// whole node must stay below 600 MB; an import of a million rows peaked at 74 MB with it.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

const ROWS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("rows");

/// The engine on one file.
#[derive(Debug)]
pub struct Redb {
    database: Database,
    path: PathBuf,
}

impl Redb {
    /// The engine's name.
    pub const NAME: &'static str = "redb";

    /// Opens or makes the file at `path`; `thorough` verifies every page first.
    pub fn open(path: &Path, thorough: bool) -> Result<Self, StoreError> {
        if !path.exists() {
            Self::make(path)?;
        }
        Self::open_as_it_is(path, thorough)
    }

    /// Makes a store under another name, and gives it its own when it is whole: a file whose making was
    /// cut short is refused for ever.
    fn make(path: &Path) -> Result<(), StoreError> {
        let making = path.with_extension("making");
        let failed = |error| StoreError::io("making", &making, error);
        match fs::remove_file(&making) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        Box::new(Self::open_as_it_is(&making, false)?).close()?;
        File::open(&making).and_then(|file| file.sync_all()).map_err(failed)?;
        fs::rename(&making, path).map_err(failed)?;
        path.parent().map_or(Ok(()), sync_folder)
    }

    fn open_as_it_is(path: &Path, thorough: bool) -> Result<Self, StoreError> {
        let failed = |error| from_database(error, "opening", path);
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(thorough)
            .create(path)
            .map_err(failed)?;
        let engine = Self { database, path: path.to_owned() };
        engine.make_table()?;
        Ok(engine)
    }

    /// Makes the table, so that readers always find it.
    fn make_table(&self) -> Result<(), StoreError> {
        let reading = self.database.begin_read().map_err(|error| self.failed(error))?;
        match reading.open_table(ROWS) {
            Ok(_) => return Ok(()),
            Err(TableError::TableDoesNotExist(_)) => {}
            Err(error) => return Err(self.failed(error)),
        }
        let mut writing = self.database.begin_write().map_err(|error| self.failed(error))?;
        writing.set_quick_repair(true);
        writing.open_table(ROWS).map_err(|error| self.failed(error))?;
        writing.commit().map_err(|error| self.failed(error))
    }

    fn failed(&self, error: impl Into<Failure>) -> StoreError {
        from_failure(error.into(), "reading or writing", &self.path)
    }
}

impl Engine for Redb {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn commit(&mut self, batch: &Batch, closing: &mut dyn Closing) -> Result<(), StoreError> {
        let mut writing = self.database.begin_write().map_err(|error| self.failed(error))?;
        writing.set_durability(Durability::Immediate).map_err(|error| self.failed(error))?;
        writing.set_quick_repair(true);
        {
            let mut table = writing.open_table(ROWS).map_err(|error| self.failed(error))?;
            for (key, new) in batch.rows() {
                let old = match new {
                    Some(value) => table.insert(key, value),
                    None => table.remove(key),
                };
                let old = old.map_err(|error| self.failed(error))?;
                closing.changed(key, old.as_ref().map(|old| old.value()), new);
            }
            let (key, value) = closing.row()?;
            table.insert(key.as_slice(), value.as_slice()).map_err(|error| self.failed(error))?;
        }
        writing.commit().map_err(|error| self.failed(error))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let reading = self.database.begin_read().map_err(|error| self.failed(error))?;
        let table = reading.open_table(ROWS).map_err(|error| self.failed(error))?;
        let value = table.get(key).map_err(|error| self.failed(error))?;
        Ok(value.map(|value| value.value().to_vec()))
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: ScanLimit,
    ) -> Result<Page, StoreError> {
        let Some((lower, upper)) = scan_range(prefix, after) else { return Ok(Page::default()) };
        let range = (lower.as_ref().map(Vec::as_slice), upper.as_ref().map(Vec::as_slice));
        let reading = self.database.begin_read().map_err(|error| self.failed(error))?;
        let table = reading.open_table(ROWS).map_err(|error| self.failed(error))?;
        let rows = table.range::<&[u8]>(range).map_err(|error| self.failed(error))?;
        let rows = rows.map(|row| {
            let (key, value) = row.map_err(|error| self.failed(error))?;
            Ok((key.value().to_vec(), value.value().to_vec()))
        });
        Page::fill(rows, limit)
    }

    fn row_count(&self) -> Result<Option<u64>, StoreError> {
        let reading = self.database.begin_read().map_err(|error| self.failed(error))?;
        let table = reading.open_table(ROWS).map_err(|error| self.failed(error))?;
        table.len().map(Some).map_err(|error| self.failed(error))
    }

    fn check(&mut self) -> Result<(), StoreError> {
        match self.database.check_integrity() {
            Ok(true) => Ok(()),
            Ok(false) => Err(StoreError::CorruptStore {
                engine: Self::NAME,
                found: "its page checksums or free list were wrong".to_owned(),
            }),
            Err(error) => Err(from_database(error, "checking", &self.path)),
        }
    }

    fn check_covers_rows(&self) -> bool {
        true
    }

    fn size_on_disk(&self) -> Result<u64, StoreError> {
        size_of(&self.path)
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        let Self { database, path } = *self;
        database.close().map_err(|error| from_database(error, "closing", &path))
    }
}

/// redb's error types, brought together: what matters is the storage error inside.
#[derive(Debug)]
enum Failure {
    Storage(StorageError),
    Other(String),
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl From<TransactionError> for Failure {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Storage(error) => Self::Storage(error),
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<TableError> for Failure {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Storage(error) => Self::Storage(error),
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Storage(error) => Self::Storage(error),
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<SetDurabilityError> for Failure {
    fn from(error: SetDurabilityError) -> Self {
        Self::Other(error.to_string())
    }
}

fn from_failure(failure: Failure, doing: &'static str, path: &Path) -> StoreError {
    let corrupt = |found| StoreError::CorruptStore { engine: Redb::NAME, found };
    match failure {
        Failure::Storage(StorageError::Io(error)) => match error.kind() {
            // Reading past the end, or a file that is no database: the file is at fault.
            std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::InvalidData => {
                corrupt(error.to_string())
            }
            _ => StoreError::io(doing, path, error),
        },
        Failure::Storage(StorageError::PreviousIo) => StoreError::Halted,
        Failure::Storage(error) => corrupt(error.to_string()),
        Failure::Other(found) => corrupt(found),
    }
}

fn from_database(error: DatabaseError, doing: &'static str, path: &Path) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::Locked { path: path.to_owned() },
        DatabaseError::Storage(error) => from_failure(Failure::Storage(error), doing, path),
        other => from_failure(Failure::Other(other.to_string()), doing, path),
    }
}
