//! Backup files: as somebody brings them, also one whose checksum was made to fit.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use reeve::backup::{Head, Part, Reader, make, restore};
use reeve::house::{Clerk, Entropy, Passphrase, UnitSpec, found_federation};
use reeve::store::{Batch, EngineKind, ImageOf, Store, StoreConfig};
use reeve_statement::key::file::Cost;
use sha2::{Digest as _, Sha256};

use crate::house::{NOW, seed};

/// Bytes of SHA-256, which every backup ends with.
const DIGEST_BYTES: usize = 32;

/// Parts that are restored from the disk: a store is filled for them.
const RESTORED_PARTS: usize = 64;

/// Reads a backup to its end: what is held is never more than what came, and whatever follows the tail, or is
/// missing before it, is noticed. Then the same with the checksum that fits: whoever altered it can count.
pub fn backup(bytes: &[u8]) {
    read(bytes);
    let body = bytes.get(..bytes.len().saturating_sub(DIGEST_BYTES)).unwrap_or_default();
    let fitting = [body, Sha256::digest(body).as_slice()].concat();
    if let Some(parts) = read(&fitting)
        && parts <= RESTORED_PARTS
    {
        restored(&fitting);
    }
}

/// How many parts it has, if it is whole.
fn read(bytes: &[u8]) -> Option<usize> {
    let mut reader = Reader::of(Path::new("backup"), Cursor::new(bytes.to_vec())).ok()?;
    let (mut parts, mut held) = (0, 0);
    loop {
        held += match reader.part().ok()? {
            Part::File(name, bytes) => name.len() + bytes.len(),
            Part::Row(key, value) => key.len() + value.map_or(0, |value| value.len()),
            Part::Store(_) => 0,
            Part::Tail(_) => return Some(parts),
        };
        parts += 1;
        assert!(held <= bytes.len(), "more came out than went in");
    }
}

/// The files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Restores it: nothing is written outside of the new folder, and after a refusal nothing is in it.
fn restored(bytes: &[u8]) {
    let place = tempfile::tempdir().unwrap();
    let (path, folder) = (place.path().join("backup"), place.path().join("new"));
    fs::write(&path, bytes).unwrap();
    let is_refused = restore(&path, &folder, None, NOW).is_err();
    let outside: Vec<PathBuf> =
        files(place.path()).into_iter().filter(|it| !it.starts_with(&folder)).collect();
    assert_eq!(outside, [path], "written outside of the folder");
    let left = if folder.exists() { files(&folder) } else { Vec::new() };
    assert!(!is_refused || left.is_empty(), "left after a refusal: {left:?}");
}

/// Backups of a founded nation: with a store and without, with its keys and without.
pub fn backup_seeds() -> Vec<Vec<u8>> {
    let place = tempfile::tempdir().unwrap();
    let mut entropy = Entropy::seeded(seed("backup"));
    let mut clerk = Clerk::new(NOW, &mut entropy);
    let domain = "reeve.example".parse().unwrap();
    let passphrase = Passphrase::new("correct horse battery");
    let mut spec = UnitSpec::new("it".parse().unwrap(), "nation", passphrase);
    spec.cost = Cost::NONE;
    let (house, _) =
        found_federation(&place.path().join("it"), &domain, &spec, &mut clerk).unwrap();
    let config = StoreConfig { folder: place.path().join("store"), engine: EngineKind::Redb };
    let (mut store, _) = Store::open(&config).unwrap();
    let mut batch = Batch::new();
    for n in 0..5_u8 {
        batch.put([b"row/".as_slice(), &[n]].concat(), [n; 40]);
    }
    store.commit(batch).unwrap();
    let mut image = ImageOf::new(store);
    let (stored, plain) = (place.path().join("stored"), place.path().join("plain"));
    make(&house, &stored, Some(&mut image), Head::of(&house, NOW, false, true)).unwrap();
    make(&house, &plain, None, Head::of(&house, NOW, true, false)).unwrap();
    vec![fs::read(stored).unwrap(), fs::read(plain).unwrap()]
}
