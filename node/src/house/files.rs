//! Reading and writing the files of a house: bounded, durable, for the node's user only.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::error::HouseError;

/// Longest file of a house that is read whole, in bytes: schemas and policies are the longest.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;

pub(super) const KEYS: &str = "keys";
pub(super) const ROOT_KEY: &str = "keys/root.key";
pub(super) const AUTHORITY_KEY: &str = "keys/authority.key";
pub(super) const NEXT_KEY: &str = "keys/authority.next.key";
pub(super) const NODE_KEY: &str = "keys/node.key";
pub(super) const WRITER_KEY: &str = "keys/writer.key";
pub(super) const CERTIFICATES: &str = "certificates";
pub(super) const AUTHORITY_CERTIFICATE: &str = "certificates/authority.pem";
pub(super) const NODE_CERTIFICATE: &str = "certificates/node.pem";
pub(super) const WRITER_CERTIFICATE: &str = "certificates/writer.pem";
pub(super) const ROOTS: &str = "roots.cbor";
pub(super) const ROOTS_PEM: &str = "roots.pem";
pub(super) const LISTS: &str = "crls";
pub(super) const ISSUED: &str = "issued";
pub(super) const ADMITTED: &str = "admitted";
pub(super) const RENEWED: &str = "renewed";
pub(super) const SCHEMA: &str = "schema.toml";

/// Read and write for the user alone.
const FILE_MODE: u32 = 0o600;
/// The same for folders.
const FOLDER_MODE: u32 = 0o700;
/// Permission bits of everybody else.
const OTHERS: u32 = 0o077;
/// End of the name of a file that is being written.
const UNFINISHED: &str = ".unfinished";

fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> HouseError {
    let path = path.to_owned();
    move |reason| HouseError::Io { doing, path, reason }
}

/// Makes a folder and those above it; one that is there is left as it is.
pub(crate) fn make_folder(path: &Path) -> Result<(), HouseError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(FOLDER_MODE);
    builder.create(path).map_err(io("make the folder", path))?;
    sync_parent(path)
}

/// Writes a file that must not be there yet.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), HouseError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path);
    let file = file.map_err(|reason| match reason.kind() {
        ErrorKind::AlreadyExists => HouseError::Exists { path: path.to_owned() },
        _ => HouseError::Io { doing: "make", path: path.to_owned(), reason },
    })?;
    fill(file, path, bytes)?;
    sync_parent(path)
}

/// Writes a file whole or not at all, over an older one if there is one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), HouseError> {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    let unfinished = PathBuf::from(name);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(FILE_MODE)
        .open(&unfinished)
        .map_err(io("make", &unfinished))?;
    fill(file, &unfinished, bytes)?;
    fs::rename(&unfinished, path).map_err(io("replace", path))?;
    sync_parent(path)
}

/// Removes a file; one that is not there is fine.
pub(super) fn remove(path: &Path) -> Result<(), HouseError> {
    match fs::remove_file(path) {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io("remove", path)(error)),
    }
}

fn fill(mut file: File, path: &Path, bytes: &[u8]) -> Result<(), HouseError> {
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io("write", path))
}

fn sync_parent(path: &Path) -> Result<(), HouseError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(parent).and_then(|folder| folder.sync_all()).map_err(io("sync the folder", parent))
}

/// Reads a whole file of bounded length.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, HouseError> {
    let file = File::open(path).map_err(io("open", path))?;
    let mut bytes = Vec::new();
    let limit = MAX_FILE_BYTES;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(io("read", path))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) {
        Ok(bytes)
    } else {
        Err(HouseError::TooLong { path: path.to_owned(), limit })
    }
}

/// Reads a whole file of text.
pub(super) fn read_text(path: &Path) -> Result<String, HouseError> {
    String::from_utf8(read(path)?).map_err(|_| HouseError::Damaged {
        path: path.to_owned(),
        reason: "it is not UTF-8 text".to_owned(),
    })
}

/// Reads a key file, after checking that nobody else can.
pub(super) fn read_secret(path: &Path) -> Result<Zeroizing<String>, HouseError> {
    let mode = fs::metadata(path).map_err(io("look at", path))?.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(HouseError::Exposed { path: path.to_owned(), mode });
    }
    read_text(path).map(Zeroizing::new)
}

/// The files of a folder whose names end so, sorted by name; none if there is no such folder.
pub(super) fn list(folder: &Path, end: &str) -> Result<Vec<PathBuf>, HouseError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io("list", folder)(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(io("list", folder))?.path();
        if path.to_string_lossy().ends_with(end) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
