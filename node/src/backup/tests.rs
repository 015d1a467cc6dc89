//! Backup files that are cut, altered, newer or something else; folders that are in use.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitId;

use super::format::Writer;
use super::{BackupError, FORMAT, Head, Part, Reader, Tail, restore};
use crate::config::Config;
use crate::store::{Batch, EngineKind, Given, ImageOf, Store, StoreConfig};

fn head() -> Head {
    Head {
        made_at: Timestamp::from_millis(1_000),
        program: "0.0.0".to_owned(),
        unit: "it/016".to_owned(),
        federation: "f".to_owned(),
        node: "n".to_owned(),
        running: true,
        keys: false,
    }
}

/// A backup with a configuration, another file and a store of some rows.
fn backup(place: &Path, files: &[(&str, &[u8])]) -> Vec<u8> {
    let config = StoreConfig { folder: place.join("original"), engine: EngineKind::Redb };
    let (mut store, _) = Store::open(&config).unwrap();
    let mut batch = Batch::new();
    for n in 0..50_u8 {
        batch.put([b"row/".as_slice(), &[n]].concat(), [n; 100]);
    }
    store.commit(batch).unwrap();
    let mut image = ImageOf::new(store);
    let mut writer = Writer::begin(Vec::new(), &head()).unwrap();
    let toml = Config::new(UnitId::new("016").unwrap()).to_toml();
    writer.file("reeve.toml", toml.as_bytes()).unwrap();
    writer.store().unwrap();
    let rows = loop {
        let given = Given::read(&mut image).unwrap();
        writer.given(&given).unwrap();
        if let Given::End(taken) = given {
            break taken.rows;
        }
    };
    for (name, bytes) in files {
        writer.file(name, bytes).unwrap();
    }
    let files = u64::try_from(files.len()).unwrap() + 1;
    let tail =
        Tail { term: None, ledger_term: 0, ledger_size: 0, rows: Some(rows), commit: 2, files };
    writer.end(&tail).unwrap()
}

fn write(place: &Path, bytes: &[u8]) -> std::path::PathBuf {
    let path = place.join("backup");
    fs::write(&path, bytes).unwrap();
    path
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .map(|entries| entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

#[test]
fn what_was_backed_up_is_restored() {
    let place = tempfile::tempdir().unwrap();
    let bytes = backup(place.path(), &[("policy.cedar", b"permit;"), ("crls/a.crl.pem", b"list")]);
    let path = write(place.path(), &bytes);
    let (found, tail) = Reader::open(&path).unwrap().check().unwrap();
    assert_eq!((found, tail.rows, tail.files), (head(), Some(50), 3));
    let folder = place.path().join("new");
    let unfinished = restore(&path, &folder, None, Timestamp::from_millis(5_000)).unwrap();
    assert_eq!(entries(&folder), ["restore.unfinished"], "nothing is in its place yet");
    let from = unfinished.from.clone().unwrap();
    assert_eq!((from.made_at.as_millis(), from.restored_at.as_millis()), (1_000, 5_000));
    unfinished.finish().unwrap();
    assert_eq!(entries(&folder), ["crls", "policy.cedar", "reeve.toml", "store"]);
    assert_eq!(fs::read(folder.join("crls/a.crl.pem")).unwrap(), b"list");
    let config = StoreConfig { folder: folder.join("store"), engine: EngineKind::Redb };
    let (store, opened) = Store::open(&config).unwrap();
    assert!(opened.clean && !opened.head_missing, "{opened:?}");
    assert_eq!(store.get(b"row/\x07").unwrap(), Some(vec![7; 100]));
}

#[test]
fn a_cut_or_altered_backup_leaves_nothing_behind() {
    let place = tempfile::tempdir().unwrap();
    let good = backup(place.path(), &[("policy.cedar", b"permit;")]);
    let folder = place.path().join("new");
    let refused = |bytes: &[u8]| {
        let path = write(place.path(), bytes);
        let checked = Reader::open(&path).and_then(Reader::check).unwrap_err();
        let error = restore(&path, &folder, None, Timestamp::from_millis(5_000)).unwrap_err();
        assert_eq!(error.to_string(), checked.to_string());
        assert!(entries(&folder).is_empty());
        error
    };
    for cut in (0..good.len()).step_by(211).chain([good.len() - 1]) {
        let error = refused(&good[..cut]);
        assert!(
            matches!(error, BackupError::Damaged { .. } | BackupError::NotABackup { .. }),
            "{cut}: {error}"
        );
    }
    for at in (8..good.len()).step_by(97).chain(8..60).chain(good.len() - 80..good.len()) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(matches!(refused(&bad), BackupError::Damaged { .. }), "byte {at}");
    }
    assert!(matches!(refused(&[&good[..], b"x"].concat()), BackupError::Damaged { .. }));
    assert!(matches!(refused(b"{\"json\": true}"), BackupError::NotABackup { .. }));
    let mut newer = good.clone();
    newer[7] = FORMAT + 1;
    let error = refused(&newer);
    assert!(
        error.to_string().contains("has format 2, this program reads up to format 1"),
        "{error}"
    );
}

#[test]
fn a_file_that_leads_out_of_the_folder_is_not_written() {
    let place = tempfile::tempdir().unwrap();
    for name in ["../outside", "/tmp/outside", "store/redb", "a/b/c"] {
        let path = write(place.path(), &backup(place.path(), &[(name, b"x")]));
        let folder = place.path().join("new");
        let error = restore(&path, &folder, None, Timestamp::from_millis(5_000)).unwrap_err();
        assert!(error.to_string().contains("its name is none"), "{error}");
        assert!(entries(&folder).is_empty() && !place.path().join("outside").exists());
        fs::remove_dir_all(place.path().join("original")).unwrap();
    }
}

#[test]
fn a_folder_in_use_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let path = write(place.path(), &backup(place.path(), &[]));
    let folder = place.path().join("new");
    fs::create_dir(&folder).unwrap();
    let now = Timestamp::from_millis(5_000);
    fs::write(folder.join("notes"), "mine").unwrap();
    let error = restore(&path, &folder, None, now).unwrap_err().to_string();
    assert!(error.contains("is not empty (notes is in it)"), "{error}");
    assert_eq!(entries(&folder), ["notes"]);
    fs::remove_file(folder.join("notes")).unwrap();
    fs::create_dir(folder.join("restore.unfinished")).unwrap();
    let error = restore(&path, &folder, None, now).unwrap_err().to_string();
    assert!(error.contains("interrupted restoration left"), "{error}");
    fs::remove_dir(folder.join("restore.unfinished")).unwrap();
    let no_keys = place.path().join("original");
    let error = restore(&path, &folder, Some(&no_keys), now).unwrap_err().to_string();
    assert!(error.contains("no file that ends in .key"), "{error}");
    assert!(entries(&folder).is_empty(), "it is as it was");
    let mut reader = Reader::open(&path).unwrap();
    assert!(matches!(reader.part().unwrap(), Part::File(name, _) if name == "reeve.toml"));
}
