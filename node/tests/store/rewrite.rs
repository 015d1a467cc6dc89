//! Rewriting the files: deleted values are gone from them, and nothing else is, wherever it is stopped.

use std::fs;
use std::path::{Path, PathBuf};

use reeve::store::{Batch, Store};

use super::place::{Place, Rows, all_rows, copy_folder, folder_of, put};

const SECRET: &[u8] = b"the-value-that-must-go";

/// The files below a folder that hold these bytes.
fn holding(folder: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, bytes));
        } else if fs::read(&path).unwrap().windows(bytes.len()).any(|part| part == bytes) {
            found.push(path);
        }
    }
    found
}

/// A store that held the secret, small and in a value of many pages, and a few hundred other rows.
fn with_history(place: &Place) -> Store {
    let mut store = place.open();
    for n in 0..300 {
        store.commit(put(&format!("row/{n}"), &vec![7; n * 40])).unwrap();
    }
    store.commit(put("gone/small", SECRET)).unwrap();
    let large: Vec<u8> = SECRET.iter().copied().cycle().take(50_000).collect();
    store.commit(put("gone/large", &large)).unwrap();
    let mut batch = Batch::new();
    batch.delete("gone/small").delete("gone/large").delete("row/17");
    store.commit(batch).unwrap();
    store
}

#[test]
fn deleted_values_are_in_no_file_after_it_and_every_row_is_there() {
    for place in [Place::redb(), Place::sled()] {
        let mut store = with_history(&place);
        let folder = folder_of(&place);
        assert!(!holding(&folder, SECRET).is_empty(), "the engine wipes nothing by itself");
        let (rows, sequence) = (all_rows(&store).unwrap(), store.sequence());
        let mut beats = 0;
        store.rewrite(&mut || beats += 1).unwrap();
        assert!(beats > 0);
        assert_eq!(holding(&folder, SECRET), Vec::<PathBuf>::new());
        assert_eq!((all_rows(&store).unwrap(), store.sequence()), (rows.clone(), sequence));
        store.verify().unwrap();
        store.commit(put("after", b"it")).unwrap();
        store.close().unwrap();
        let (mut store, report) = place.try_open().unwrap();
        assert!(report.clean && report.rows == u64::try_from(rows.len()).unwrap() + 1);
        store.rewrite(&mut || {}).unwrap();
        assert_eq!(store.get(b"after").unwrap().as_deref(), Some(&b"it"[..]));
        assert_eq!(holding(&folder, SECRET), Vec::<PathBuf>::new());
    }
}

fn opens_whole(folder: &Path, place: &Place, rows: &Rows, what: &str) {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(folder, copy.path());
    let Place::Folder { engine, .. } = place else { panic!("a folder") };
    let copy = Place::Folder { folder: copy, engine: *engine };
    let mut store = copy.open();
    assert_eq!(all_rows(&store).unwrap(), *rows, "{what}");
    store.verify().unwrap();
    store.rewrite(&mut || {}).unwrap();
    assert_eq!(all_rows(&store).unwrap(), *rows, "{what}, rewritten");
    assert_eq!(holding(&folder_of(&copy), SECRET), Vec::<PathBuf>::new(), "{what}");
    for name in fs::read_dir(folder_of(&copy)).unwrap() {
        let name = name.unwrap().file_name().into_string().unwrap();
        assert!(!name.ends_with(".new") && !name.ends_with(".old"), "{what} leaves {name}");
    }
}

#[test]
fn wherever_it_is_stopped_every_row_is_there() {
    for place in [Place::redb(), Place::sled()] {
        let mut store = with_history(&place);
        let (folder, rows) = (folder_of(&place), all_rows(&store).unwrap());
        let mut stops = Vec::new();
        store
            .rewrite(&mut || {
                let stop = tempfile::tempdir().unwrap();
                copy_folder(&folder, stop.path());
                stops.push(stop);
            })
            .unwrap();
        for (number, stop) in stops.iter().enumerate() {
            opens_whole(stop.path(), &place, &rows, &format!("stop {number}"));
        }
        store.close().unwrap();
        let name = if folder.join("redb").exists() { "redb" } else { "sled" };
        let before = stops.last().unwrap().path();
        let renamed = |from: &str, to: &str| {
            fs::rename(before.join(from), before.join(to)).unwrap();
        };
        // Between the two renames, and before the old one is removed.
        renamed(name, &format!("{name}.old"));
        opens_whole(before, &place, &rows, "between the renames");
        renamed(&format!("{name}.new"), name);
        opens_whole(before, &place, &rows, "before the old one goes");
    }
}

#[test]
fn a_store_without_files_has_nothing_to_rewrite() {
    let place = Place::memory();
    let mut store = place.open();
    store.commit(put("k", b"v")).unwrap();
    store.rewrite(&mut || {}).unwrap();
    assert_eq!(store.get(b"k").unwrap().as_deref(), Some(&b"v"[..]));
}
