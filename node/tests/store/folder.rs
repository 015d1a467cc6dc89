//! What concerns the folder: locks, foreign files, restored backups.

use std::fs;

use reeve::store::{EngineKind, Store, StoreConfig, StoreError};

use super::place::{Place, copy_folder, folder_of, put};

#[test]
fn a_second_opening_is_refused() {
    for place in [Place::redb(), Place::sled()] {
        let store = place.open();
        assert!(matches!(place.try_open(), Err(StoreError::Locked { .. })));
        drop(store);
        place.open();
    }
}

#[test]
fn the_other_engine_is_refused() {
    let place = Place::redb();
    place.open().close().unwrap();
    let folder = folder_of(&place);
    let error =
        Store::open(&StoreConfig { folder, engine: EngineKind::Sled }).unwrap_err().to_string();
    assert!(error.contains("engine = \"redb\""), "{error}");
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_look_into_the_folder() {
    use std::os::unix::fs::PermissionsExt;
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("made/by/the/store");
    let (_store, _) =
        Store::open(&StoreConfig { folder: folder.clone(), engine: EngineKind::Redb }).unwrap();
    assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn an_older_copy_of_the_data_is_refused_and_a_whole_older_folder_is_not() {
    for place in [Place::redb(), Place::sled()] {
        let mut store = place.open();
        store.commit(put("k", b"first")).unwrap();
        let backup = place.snapshot();
        store.commit(put("k", b"second")).unwrap();
        store.commit(put("k", b"third")).unwrap();
        store.close().unwrap();
        backup.open().close().unwrap();
        let mixed = place.snapshot();
        let data = place_engine_name(&place);
        let (from, to) = (folder_of(&backup).join(data), folder_of(&mixed).join(data));
        if from.is_dir() {
            fs::remove_dir_all(&to).unwrap();
            fs::create_dir(&to).unwrap();
            copy_folder(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
        assert!(matches!(mixed.try_open(), Err(StoreError::RolledBack { .. })));
        fs::remove_file(folder_of(&mixed).join("head")).unwrap();
        assert!(mixed.try_open().unwrap().1.head_missing, "the documented way out");
    }
}

#[test]
fn lost_data_beside_a_head_file_is_refused() {
    for place in [Place::redb(), Place::sled()] {
        let mut store = place.open();
        store.commit(put("k", b"v")).unwrap();
        store.close().unwrap();
        let data = folder_of(&place).join(place_engine_name(&place));
        if data.is_dir() {
            fs::remove_dir_all(data).unwrap();
        } else {
            fs::remove_file(data).unwrap();
        }
        assert!(place.try_open().is_err());
        assert!(place.try_open().is_err(), "a failed opening does not settle it");
    }
}

fn place_engine_name(place: &Place) -> &'static str {
    match place {
        Place::Folder { engine, .. } => engine.name(),
        Place::Disk(_) => "memory",
    }
}
