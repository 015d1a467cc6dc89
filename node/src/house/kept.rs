//! Which files of a house belong into a backup, and putting them into a new folder.
//!
//! The store is not among them, nor is what is made anew: the operator's token, the address of the local
//! API, files of interrupted work. A name that comes out of a backup is taken only if it is one that a
//! house could have given.

use std::path::{Component, Path, PathBuf};

use super::error::HouseError;
use super::{CONFIG_FILE, House, files};

/// Folders, and how the names of their files end.
const FOLDERS: [(&str, &str); 5] = [
    (files::CERTIFICATES, ".pem"),
    (files::LISTS, ".pem"),
    (files::ISSUED, ".pem"),
    (files::ADMITTED, ".cbor"),
    (files::RENEWED, ".pem"),
];

/// How the name of a key ends.
const KEY: &str = ".key";

/// The file of the API's tokens: hashes of their secrets.
const TOKENS: &str = "tokens.toml";

/// The files of a house that belong into a backup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Names of files, relative to the folder.
    pub files: Vec<String>,
    /// Names of keys.
    pub keys: Vec<String>,
    /// Files that the configuration names and that are not in the folder.
    pub elsewhere: Vec<PathBuf>,
}

impl House {
    /// The files of this house that belong into a backup.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn kept(&self) -> Result<Kept, HouseError> {
        let mut kept = Kept::default();
        let named = [Some(&self.config().policy), self.config().schema.as_ref()];
        for path in named.into_iter().flatten() {
            match path.to_str().filter(|_| is_inside(path)) {
                Some(name) => kept.files.push(name.to_owned()),
                None => kept.elsewhere.push(path.clone()),
            }
        }
        for name in [CONFIG_FILE, files::ROOTS, files::ROOTS_PEM, TOKENS] {
            if self.folder().join(name).exists() {
                kept.files.push(name.to_owned());
            }
        }
        for (folder, end) in FOLDERS {
            kept.files.extend(self.names(folder, end)?);
        }
        kept.keys = self.names(files::KEYS, KEY)?;
        Ok(kept)
    }

    fn names(&self, folder: &str, end: &str) -> Result<Vec<String>, HouseError> {
        let paths = files::list(&self.folder().join(folder), end)?;
        let names = paths.iter().filter_map(|path| path.file_name()?.to_str());
        Ok(names.map(|name| format!("{folder}/{name}")).collect())
    }

    /// The bytes of one of them; none: it is not there any more.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read_kept(&self, name: &str) -> Result<Option<Vec<u8>>, HouseError> {
        let path = self.folder().join(name);
        if path.exists() { files::read(&path).map(Some) } else { Ok(None) }
    }
}

/// Whether a relative name stays within the folder.
fn is_inside(path: &Path) -> bool {
    path.components().next().is_some()
        && path.components().all(|part| matches!(part, Component::Normal(_)))
}

/// Whether a name is that of a key.
#[must_use]
pub fn is_key(name: &str) -> bool {
    Path::new(name).starts_with(files::KEYS)
}

/// Puts a file of a backup into a folder in which it must not be yet.
///
/// # Errors
/// When the name is none of a house's, the file is there already, or it cannot be written.
pub fn put_kept(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), HouseError> {
    let path = folder.join(name);
    // The store is filled, not written to, and nothing else of a house lies deeper.
    let own = !Path::new(name).starts_with("store") && Path::new(name).components().count() <= 2;
    if !is_inside(Path::new(name)) || !own {
        let reason = "its name is none that a node's folder has".to_owned();
        return Err(HouseError::Damaged { path: PathBuf::from(name), reason });
    }
    path.parent().map_or(Ok(()), files::make_folder)?;
    files::write_new(&path, bytes)
}

/// Puts the keys of another folder into a new one. That nobody else could read them is checked.
///
/// # Errors
/// When there are none, others can read them, or they cannot be written.
pub fn put_keys(folder: &Path, from: &Path) -> Result<Vec<String>, HouseError> {
    let mut names = Vec::new();
    for path in files::list(from, KEY)? {
        let text = files::read_secret(&path)?;
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let name = format!("{}/{name}", files::KEYS);
        put_kept(folder, &name, text.as_bytes())?;
        names.push(name);
    }
    if names.is_empty() {
        let reason = "it holds no file that ends in .key".to_owned();
        return Err(HouseError::Damaged { path: from.to_owned(), reason });
    }
    Ok(names)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leads_out_of_the_folder() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("node");
        for bad in
            ["", "/etc/passwd", "../x", "keys/../../x", "a/b/c", "store/redb", "store", ".", "./x"]
        {
            assert!(put_kept(&folder, bad, b"x").is_err(), "{bad}");
        }
        assert!(!place.path().join("x").exists());
        put_kept(&folder, "crls/a.crl.pem", b"x").unwrap();
        assert!(put_kept(&folder, "crls/a.crl.pem", b"y").is_err(), "nothing is overwritten");
        put_kept(&folder, "keys/node.key", b"x").unwrap();
        assert!(is_key("keys/node.key") && !is_key("keys.pem"));
        let other = place.path().join("other");
        assert!(put_keys(&other, &folder).is_err(), "there are none");
        assert_eq!(put_keys(&other, &folder.join("keys")).unwrap(), ["keys/node.key"]);
    }
}
