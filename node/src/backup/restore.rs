//! Restoring: a new folder from a backup, whole or not at all.
//!
//! The backup is read to its end before anything is written. Then everything is built in a folder within
//! the new one, because the folder above may belong to somebody else; when it is whole and durable, its
//! parts are moved to their places, the configuration last: without it there is no node.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use reeve_protocol::Node;
use reeve_protocol::from_backup::{FromBackup, begin_anew, log_key};
use reeve_protocol::rows::format_key;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use super::format::{Head, Part, Reader, Tail};
use super::{BackupError, io, ledgers};
use crate::config::{Config, Engine};
use crate::house::{CONFIG_FILE, House, HouseError, is_key, put_kept, put_keys};
use crate::store::{Batch, EngineKind, Filling, Store, StoreConfig};

/// Where a folder is built.
const UNFINISHED: &str = "restore.unfinished";

/// The store's folder.
const STORE: &str = "store";

/// For the user alone.
const FOLDER_MODE: u32 = 0o700;

/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;

/// A folder that is restored, and not yet in its place.
#[derive(Debug)]
pub struct Unfinished {
    folder: PathBuf,
    place: PathBuf,
    finished: bool,
    /// How the backup begins.
    pub head: Head,
    /// How it ends.
    pub tail: Tail,
    /// The keys that were put there.
    pub keys: Vec<String>,
    /// What the store says of itself from now on; none: the node never ran.
    pub from: Option<FromBackup>,
}

/// Restores a backup into an empty folder, with the keys of another one if the backup has none.
///
/// # Errors
/// [`BackupError`]; then the folder is as it was.
pub fn restore(
    backup: &Path,
    folder: &Path,
    keys: Option<&Path>,
    now: Timestamp,
) -> Result<Unfinished, BackupError> {
    let (head, tail) = Reader::open(backup)?.check()?;
    make_folder(folder)?;
    expect_empty(folder)?;
    let place = folder.join(UNFINISHED);
    make_folder(&place)?;
    let mut unfinished = Unfinished {
        folder: folder.to_owned(),
        place,
        finished: false,
        head,
        tail,
        keys: Vec::new(),
        from: None,
    };
    let store = unfinished.unpack(backup)?;
    if let Some(keys) = keys {
        unfinished.keys.extend(put_keys(&unfinished.place, keys)?);
    }
    if let Some(store) = store {
        unfinished.begin_anew(backup, store, now)?;
    }
    // Whatever does not belong together is found before anything is in its place.
    if !unfinished.keys.is_empty() {
        House::open(&unfinished.place)?;
    }
    Ok(unfinished)
}

fn make_folder(path: &Path) -> Result<(), BackupError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(FOLDER_MODE).create(path).map_err(io("make the folder", path))
}

fn expect_empty(folder: &Path) -> Result<(), BackupError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(io("list", folder))? {
        let name = entry.map_err(io("list", folder))?.file_name();
        found.push(name.to_string_lossy().into_owned());
    }
    found.sort();
    let folder = folder.to_owned();
    // The configuration is moved last.
    let has = |name: &str| found.iter().any(|it| it == name);
    if has(UNFINISHED) && !has(CONFIG_FILE) {
        return Err(BackupError::Interrupted { folder });
    }
    match found.into_iter().next() {
        Some(found) => Err(BackupError::NotEmpty { folder, found }),
        None => Ok(()),
    }
}

impl Unfinished {
    /// The folder as it will be, to be changed before it is in its place.
    #[must_use]
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Writes the files, and fills the store.
    fn unpack(&mut self, backup: &Path) -> Result<Option<Store>, BackupError> {
        let mut reader = Reader::open(backup)?;
        let (mut filling, mut store) = (None, None);
        loop {
            match reader.part()? {
                Part::File(name, bytes) => {
                    put_kept(&self.place, &name, &bytes)?;
                    if is_key(&name) {
                        self.keys.push(name);
                    }
                }
                Part::Row(key, value) => {
                    if filling.is_none() {
                        filling = Some(Filling::begin(self.make_store()?)?);
                    }
                    if let Some(filling) = &mut filling {
                        filling.row(key, value)?;
                    }
                }
                Part::Store(taken) => {
                    let filled = match filling.take() {
                        Some(filling) => filling,
                        None => Filling::begin(self.make_store()?)?,
                    };
                    store = Some(filled.end(&taken)?);
                }
                Part::Tail(_) => return Ok(store),
            }
        }
    }

    fn make_store(&self) -> Result<Store, BackupError> {
        let path = self.place.join(CONFIG_FILE);
        let text = fs::read_to_string(&path).map_err(io("read", &path))?;
        let config = Config::parse(CONFIG_FILE, &text).map_err(HouseError::Config)?;
        let engine = match config.store {
            Engine::Redb => EngineKind::Redb,
            Engine::Sled => EngineKind::Sled,
        };
        let config = StoreConfig { folder: self.place.join(STORE), engine };
        Ok(Store::open(&config)?.0)
    }

    /// Lets the store begin anew where it could repeat itself, and closes it.
    fn begin_anew(
        &mut self,
        backup: &Path,
        mut store: Store,
        now: Timestamp,
    ) -> Result<(), BackupError> {
        let unsound = |reason: String| BackupError::Unsound { path: backup.to_owned(), reason };
        let format = store.get(&format_key())?;
        Node::check_format(format.as_deref()).map_err(|error| unsound(error.to_string()))?;
        let mut term = self.tail.term.unwrap_or(0).max(self.tail.ledger_term);
        let roots = self.place.join("roots.cbor");
        if roots.exists() {
            let bytes = fs::read(&roots).map_err(io("read", &roots))?;
            let roots = reeve_statement::cert::RootList::decode(&bytes);
            let roots = roots.map_err(|error| unsound(error.to_string()))?;
            let ledgers = ledgers(&store, &roots).map_err(|fault| unsound(fault.to_string()))?;
            term = ledgers.iter().map(|(of, ..)| *of).fold(term, u64::max);
        }
        let term = term.saturating_add(unknown_terms(&self.head, now));
        let made_at = self.head.made_at;
        let from = FromBackup { term, made_at, restored_at: now, followed: false };
        let mut batch = Batch::new();
        for (key, value) in begin_anew(store.get(&log_key())?.as_deref(), &from) {
            batch.put(key, value);
        }
        store.commit(batch)?;
        store.close()?;
        self.from = Some(from);
        Ok(())
    }

    /// Moves everything to its place.
    ///
    /// # Errors
    /// [`BackupError::Io`]; then there is no node, and the folder can be deleted.
    pub fn finish(mut self) -> Result<(), BackupError> {
        sync_all(&self.place)?;
        // From here on what is there is said to be interrupted, not removed.
        self.finished = true;
        for entry in fs::read_dir(&self.place).map_err(io("list", &self.place))? {
            let name = entry.map_err(io("list", &self.place))?.file_name();
            if name != CONFIG_FILE {
                self.move_out(Path::new(&name))?;
            }
        }
        sync_folder(&self.folder)?;
        self.move_out(Path::new(CONFIG_FILE))?;
        fs::remove_dir(&self.place).map_err(io("remove", &self.place))?;
        sync_folder(&self.folder)
    }

    fn move_out(&self, name: &Path) -> Result<(), BackupError> {
        let from = self.place.join(name);
        fs::rename(&from, self.folder.join(name)).map_err(io("move", &from))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished {
            // Nobody is left to be told; what stays is refused by name, and can be deleted.
            let _ = fs::remove_dir_all(&self.place);
        }
    }
}

fn sync_folder(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(io("sync the folder", path))
}

/// Makes everything in a folder durable: each file, and each folder.
fn sync_all(folder: &Path) -> Result<(), BackupError> {
    for entry in fs::read_dir(folder).map_err(io("list", folder))? {
        let path = entry.map_err(io("list", folder))?.path();
        if path.is_dir() {
            sync_all(&path)?;
        } else {
            File::open(&path).and_then(|file| file.sync_all()).map_err(io("sync", &path))?;
        }
    }
    sync_folder(folder)
}

/// How many terms a unit may have begun since a backup was made without anybody remembering it: a superior
/// remembers those of its subordinates, and refuses one that was used. The first unit has none: one for
/// each hour.
fn unknown_terms(head: &Head, now: Timestamp) -> u64 {
    let first = head.unit.parse::<UnitPath>().is_ok_and(|unit| unit.depth() == 1);
    let hours = now.since(head.made_at).max(0) / HOUR_MS;
    if first { u64::try_from(hours).unwrap_or(0) } else { 0 }
}
