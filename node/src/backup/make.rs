//! Making a backup: a file that is there whole, or not at all.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use reeve_protocol::stored::LedgerCheck;
use reeve_statement::time::Timestamp;

use super::format::{Head, Tail, Writer};
use super::{BackupError, io};
use crate::house::{CONFIG_FILE, House};
use crate::store::Given;

/// Read and write for the user alone.
const FILE_MODE: u32 = 0o600;

/// End of the name of a file that is being written.
const UNFINISHED: &str = ".unfinished";

/// A backup that was made.
#[derive(Debug)]
pub struct Made {
    /// How it begins.
    pub head: Head,
    /// How it ends.
    pub tail: Tail,
    /// The files in it, keys too.
    pub files: Vec<String>,
    /// Files that the configuration names, and that are not in it.
    pub elsewhere: Vec<PathBuf>,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Writes a backup of a house to a file that must not be there yet; `image` is that of its store, if its
/// node ever ran.
///
/// # Errors
/// [`BackupError`]; then there is no file.
pub fn make(
    house: &House,
    path: &Path,
    image: Option<&mut dyn Read>,
    head: Head,
) -> Result<Made, BackupError> {
    if path.exists() {
        return Err(BackupError::Exists { path: path.to_owned() });
    }
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    let unfinished = PathBuf::from(name);
    let made = write(house, &unfinished, image, head).and_then(|made| {
        std::fs::rename(&unfinished, path).map_err(io("rename", &unfinished))?;
        sync_folder(path)?;
        Ok(made)
    });
    if made.is_err() {
        // What went wrong is told; what is left can be deleted.
        let _ = std::fs::remove_file(&unfinished);
    }
    made
}

/// Makes a change of a folder's entries durable.
fn sync_folder(path: &Path) -> Result<(), BackupError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    File::open(folder).and_then(|it| it.sync_all()).map_err(io("sync the folder", folder))
}

fn write(
    house: &House,
    path: &Path,
    image: Option<&mut dyn Read>,
    head: Head,
) -> Result<Made, BackupError> {
    let failed = io("write", path);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(FILE_MODE);
    let file = options.open(path).map_err(io("make", path))?;
    let mut writer = Writer::begin(BufWriter::new(file), &head).map_err(&failed)?;
    let mut written = Vec::new();
    let mut keep = |writer: &mut Writer<BufWriter<File>>, name: &str| {
        if let Some(bytes) = house.read_kept(name)? {
            writer.file(name, &bytes).map_err(&failed)?;
            written.push(name.to_owned());
        }
        Ok::<_, BackupError>(())
    };
    // How the store is kept is known before its rows come.
    keep(&mut writer, CONFIG_FILE)?;
    let mut tail = Tail {
        term: house.identity().ok().and_then(|identity| identity.term().ok().flatten()),
        ledger_term: 0,
        ledger_size: 0,
        rows: None,
        commit: 0,
        files: 0,
    };
    if let Some(mut image) = image {
        writer.store().map_err(&failed)?;
        loop {
            let given = Given::read(&mut image)?;
            writer.given(&given).map_err(&failed)?;
            match given {
                Given::Row(key, value) => note_ledger(&mut tail, &key, value.as_deref()),
                Given::End(taken) => {
                    (tail.rows, tail.commit) = (Some(taken.rows), taken.sequence);
                    break;
                }
            }
        }
    }
    // Whatever was finished before the image ended is in the image, or in a file by now.
    let kept = house.kept()?;
    let keys = kept.keys.iter().filter(|_| head.keys);
    for name in kept.files.iter().filter(|name| *name != CONFIG_FILE).chain(keys) {
        keep(&mut writer, name)?;
    }
    tail.files = u64::try_from(written.len()).unwrap_or(u64::MAX);
    let file = writer.end(&tail).map_err(&failed)?;
    let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(&failed)?;
    let bytes = file.metadata().map_err(&failed)?.len();
    Ok(Made { head, tail, files: written, elsewhere: kept.elsewhere, bytes })
}

/// Remembers the size of the newest ledger, whose right edge is a row of the store.
fn note_ledger(tail: &mut Tail, key: &[u8], value: Option<&[u8]>) {
    if let Some((term, size)) = value.and_then(|value| LedgerCheck::size_of(key, value))
        && term >= tail.ledger_term
    {
        (tail.ledger_term, tail.ledger_size) = (term, size);
    }
}

impl Head {
    /// The head of a backup of a house that is made now.
    #[must_use]
    pub fn of(house: &House, made_at: Timestamp, running: bool, keys: bool) -> Self {
        let identity = house.identity().ok();
        let unit = identity.and_then(|identity| identity.unit().ok()).map(ToString::to_string);
        Self {
            made_at,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            unit: unit.unwrap_or_else(|| house.config().unit.to_string()),
            federation: identity.map(|it| it.roots.federation().to_string()).unwrap_or_default(),
            node: house.node_key().public().to_string(),
            running,
            keys,
        }
    }
}
