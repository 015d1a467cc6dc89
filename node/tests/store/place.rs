//! Where a store under test lives, and what every test does with it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use reeve::store::{
    Batch, Disk, Engine, EngineKind, Memory, OpenReport, Redb, ScanLimit, Sled, Store, StoreConfig,
    StoreError,
};
use tempfile::TempDir;

pub type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// Where a store under test lives, so that it can be opened again.
pub enum Place {
    Folder { folder: TempDir, engine: EngineKind },
    Disk(Disk),
}

impl Place {
    pub fn redb() -> Self {
        Self::Folder { folder: tempfile::tempdir().unwrap(), engine: EngineKind::Redb }
    }

    pub fn sled() -> Self {
        Self::Folder { folder: tempfile::tempdir().unwrap(), engine: EngineKind::Sled }
    }

    pub fn memory() -> Self {
        Self::Disk(Disk::new())
    }

    pub fn try_open(&self) -> Result<(Store, OpenReport), StoreError> {
        match self {
            Self::Folder { folder, engine } => {
                Store::open(&StoreConfig { folder: folder.path().to_owned(), engine: *engine })
            }
            Self::Disk(disk) => Store::over(Box::new(Memory::open(disk)), [7; 16], true),
        }
    }

    pub fn open(&self) -> Store {
        self.try_open().unwrap().0
    }

    /// What a process killed now would leave behind.
    pub fn snapshot(&self) -> Self {
        match self {
            Self::Folder { folder, engine } => {
                let copy = tempfile::tempdir().unwrap();
                copy_folder(folder.path(), copy.path());
                Self::Folder { folder: copy, engine: *engine }
            }
            Self::Disk(disk) => Self::Disk(disk.backup()),
        }
    }

    /// The engine itself, without the checks above it.
    pub fn engine(&self) -> Box<dyn Engine> {
        match self {
            Self::Folder { folder, engine: EngineKind::Redb } => {
                Box::new(Redb::open(&folder.path().join("redb"), true).unwrap())
            }
            Self::Folder { folder, engine: EngineKind::Sled } => {
                Box::new(Sled::open(&folder.path().join("sled")).unwrap())
            }
            Self::Disk(disk) => Box::new(Memory::open(disk)),
        }
    }
}

pub fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.metadata().unwrap().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub fn put(key: &str, value: &[u8]) -> Batch {
    let mut batch = Batch::new();
    batch.put(key, value);
    batch
}

pub fn all_rows(store: &Store) -> Result<Rows, StoreError> {
    let mut rows = Rows::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = store.scan(b"", after.as_deref(), ScanLimit::rows(7))?;
        rows.extend(page.rows);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(rows),
        }
    }
}

/// Rows of assorted sizes, some of them larger than any page.
pub fn fill(store: &mut Store) -> Rows {
    let mut rows = Rows::new();
    for number in 0_u32..60 {
        let size = [10, 300, 5_000, 40_000][usize::try_from(number % 4).unwrap()];
        let key = format!("record/{number:04}").into_bytes();
        let value: Vec<u8> = number.to_be_bytes().repeat(size / 4);
        let mut batch = Batch::new();
        batch.put(key.clone(), value.clone());
        store.commit(batch).unwrap();
        rows.insert(key, value);
    }
    rows
}

pub fn open_and_verify(place: &Place) -> Result<Rows, StoreError> {
    let (mut store, _) = place.try_open()?;
    let report = store.verify()?;
    if let Some(key) = report.damaged_keys.first() {
        return Err(StoreError::CorruptValue { key: key.clone(), found: "verify says so" });
    }
    all_rows(&store)
}

pub fn folder_of(place: &Place) -> PathBuf {
    match place {
        Place::Folder { folder, .. } => folder.path().to_owned(),
        Place::Disk(_) => panic!("a memory store has no folder"),
    }
}
