//! The storage conformance suite: one set of expectations, run for every engine.
//!
//! A stop without closing is played by copying the folder of an open store: the copy is what a
//! killed process leaves behind. Real kills are in `store_kill.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reeve::store::{
    Batch, Closing, Disk, Engine, EngineKind, Faults, Memory, OpenReport, Redb, ScanLimit, Sled,
    Store, StoreConfig, StoreError, export, import, start,
};
use tempfile::TempDir;

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// Where a store under test lives, so that it can be opened again.
enum Place {
    Folder { folder: TempDir, engine: EngineKind },
    Disk(Disk),
}

impl Place {
    fn redb() -> Self {
        Self::Folder { folder: tempfile::tempdir().unwrap(), engine: EngineKind::Redb }
    }

    fn sled() -> Self {
        Self::Folder { folder: tempfile::tempdir().unwrap(), engine: EngineKind::Sled }
    }

    fn memory() -> Self {
        Self::Disk(Disk::new())
    }

    fn try_open(&self) -> Result<(Store, OpenReport), StoreError> {
        match self {
            Self::Folder { folder, engine } => {
                Store::open(&StoreConfig { folder: folder.path().to_owned(), engine: *engine })
            }
            Self::Disk(disk) => Store::over(Box::new(Memory::open(disk)), [7; 16], true),
        }
    }

    fn open(&self) -> Store {
        self.try_open().unwrap().0
    }

    /// What a process killed now would leave behind.
    fn snapshot(&self) -> Self {
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
    fn engine(&self) -> Box<dyn Engine> {
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

fn copy_folder(from: &Path, to: &Path) {
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

fn put(key: &str, value: &[u8]) -> Batch {
    let mut batch = Batch::new();
    batch.put(key, value);
    batch
}

fn all_rows(store: &Store) -> Result<Rows, StoreError> {
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
fn fill(store: &mut Store) -> Rows {
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

/// Adds one raw row, as another program with access to the file could.
struct Raw(Vec<u8>, Vec<u8>);

impl Closing for Raw {
    fn changed(&mut self, _: &[u8], _: Option<&[u8]>, _: Option<&[u8]>) {}

    fn row(&mut self) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
        Ok((self.0.clone(), self.1.clone()))
    }
}

fn a_new_store_is_empty_and_says_so(place: &Place) {
    let (store, report) = place.try_open().unwrap();
    assert!(report.created && report.clean);
    assert_eq!((store.rows(), store.get(b"k").unwrap()), (0, None));
    assert_eq!(all_rows(&store).unwrap(), Rows::new());
}

fn rows_come_in_key_order_page_by_page(place: &Place) {
    let mut store = place.open();
    let mut batch = Batch::new();
    for number in (0..25).rev() {
        batch.put(format!("a/{number:02}"), vec![number]);
        batch.put(format!("b/{number:02}"), vec![number]);
    }
    batch.put(vec![0xff, 0xff], "last");
    store.commit(batch).unwrap();
    let mut seen = Vec::new();
    let mut after = None;
    let mut pages = 0;
    loop {
        let page = store.scan(b"a/", after.as_deref(), ScanLimit::rows(10)).unwrap();
        assert!(page.rows.len() <= 10);
        seen.extend(page.rows.into_iter().map(|(_, value)| value[0]));
        pages += 1;
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!((seen, pages), ((0..25).collect(), 3));
    let last = store.scan(&[0xff], None, ScanLimit::rows(10)).unwrap();
    assert_eq!(last.rows.len(), 1);
    let beyond = store.scan(b"a/", Some(b"zzz"), ScanLimit::rows(10)).unwrap();
    assert_eq!((beyond.rows.len(), beyond.next), (0, None));
    let before = store.scan(b"b/", Some(b"a/99"), ScanLimit::rows(1)).unwrap();
    assert_eq!(before.rows[0].0, b"b/00");
}

fn a_page_is_bounded_by_bytes_too(place: &Place) {
    let mut store = place.open();
    let mut batch = Batch::new();
    for number in 0..10 {
        batch.put(format!("k{number}"), vec![number; 1000]);
    }
    store.commit(batch).unwrap();
    let small = store.scan(b"k", None, ScanLimit { rows: 100, bytes: 3_500 }).unwrap();
    assert_eq!((small.rows.len(), small.next), (3, Some(b"k2".to_vec())));
    let tiny = store.scan(b"k", None, ScanLimit { rows: 100, bytes: 1 }).unwrap();
    assert_eq!(tiny.rows.len(), 1, "a page always makes progress");
}

fn values_of_every_size_survive(place: &Place) {
    let mut store = place.open();
    let sizes = [0, 1, 4_050, 4_095, 4_096, 4_097, 8_192, 100_000, 1 << 20, 3 << 20];
    for size in sizes {
        store.commit(put(&format!("s/{size}"), &vec![0xa5; size])).unwrap();
    }
    drop(store);
    let mut store = place.open();
    for size in sizes {
        let value = store.get(format!("s/{size}").as_bytes()).unwrap().unwrap();
        assert!(value.len() == size && value.iter().all(|byte| *byte == 0xa5), "size {size}");
    }
    // Shrinking and removing large values leaves nothing of them behind.
    store.commit(put("s/1048576", b"short")).unwrap();
    let mut batch = Batch::new();
    batch.delete("s/3145728");
    store.commit(batch).unwrap();
    assert_eq!(store.get(b"s/1048576").unwrap().unwrap(), b"short");
    assert_eq!(store.get(b"s/3145728").unwrap(), None);
    assert_eq!(store.verify().unwrap().damaged, 0);
}

fn deleting_removes_and_deleting_nothing_is_fine(place: &Place) {
    let mut store = place.open();
    store.commit(put("k", b"v")).unwrap();
    let mut batch = Batch::new();
    batch.delete("k").delete("never there");
    store.commit(batch).unwrap();
    assert_eq!((store.get(b"k").unwrap(), store.rows()), (None, 0));
    store.commit(put("k", b"again")).unwrap();
    assert_eq!(store.get(b"k").unwrap().unwrap(), b"again");
}

fn refused_rows_change_nothing(place: &Place) {
    let mut store = place.open();
    for (key, size) in
        [(vec![], 1), (vec![0, 1], 1), (vec![1; 1025], 1), (b"big".to_vec(), (16 << 20) + 1)]
    {
        let mut batch = put("innocent", b"v");
        batch.put(key, vec![0; size]);
        assert!(store.commit(batch).unwrap_err().is_refusal());
    }
    assert_eq!(store.get(b"innocent").unwrap(), None);
    store.commit(put("innocent", b"v")).unwrap();
}

fn closing_and_opening_keeps_everything(place: &Place) {
    let mut store = place.open();
    let rows = fill(&mut store);
    let sequence = store.sequence();
    store.close().unwrap();
    let (store, report) = place.try_open().unwrap();
    assert!(report.clean && !report.created && !report.head_missing);
    assert_eq!((report.sequence, report.rows), (sequence, 60));
    assert_eq!(all_rows(&store).unwrap(), rows);
}

fn a_stop_without_closing_keeps_everything(place: &Place) {
    let mut store = place.open();
    let rows = fill(&mut store);
    let killed = place.snapshot();
    drop(store);
    for place in [place, &killed] {
        let (mut store, report) = place.try_open().unwrap();
        assert!(report.checked);
        assert_eq!(all_rows(&store).unwrap(), rows);
        store.commit(put("next", b"v")).unwrap();
        assert_eq!(store.verify().unwrap().rows, 61);
    }
}

fn a_store_of_a_newer_format_is_refused(place: &Place) {
    let mut store = place.open();
    store.commit(put("k", b"v")).unwrap();
    store.close().unwrap();
    let mut engine = place.engine();
    let mut anchor = engine.get(b"\0anchor").unwrap().unwrap();
    anchor[0] = 2;
    engine.commit(&Batch::new(), &mut Raw(b"\0anchor".to_vec(), anchor)).unwrap();
    engine.close().unwrap();
    let error = place.try_open().unwrap_err();
    assert!(matches!(error, StoreError::NewerFormat { found: 2, supported: 1 }), "{error}");
}

fn rows_changed_behind_the_anchor_are_noticed(place: &Place) {
    let mut store = place.open();
    store.commit(put("a", b"old")).unwrap();
    let old = place.engine_row(&mut store, b"a");
    store.commit(put("a", b"new")).unwrap();
    store.commit(put("b", b"v")).unwrap();
    store.close().unwrap();
    // An old value comes back: its own checksum is right, the sum is not.
    let mut engine = place.engine();
    engine.commit(&Batch::new(), &mut Raw(b"a".to_vec(), old)).unwrap();
    engine.close().unwrap();
    assert!(open_and_verify(place).is_err());
    // A row goes missing.
    let mut engine = place.engine();
    let mut batch = Batch::new();
    batch.delete("b");
    let anchor = engine.get(b"\0anchor").unwrap().unwrap();
    engine.commit(&batch, &mut Raw(b"\0anchor".to_vec(), anchor)).unwrap();
    engine.close().unwrap();
    assert!(matches!(open_and_verify(place), Err(StoreError::AnchorBroken { .. })));
    // The anchor itself goes missing.
    let mut engine = place.engine();
    let mut batch = Batch::new();
    batch.delete("\0anchor");
    engine.commit(&batch, &mut Raw(b"c".to_vec(), vec![])).unwrap();
    engine.close().unwrap();
    assert!(matches!(open_and_verify(place), Err(StoreError::AnchorMissing)));
}

impl Place {
    /// The wrapped value an engine holds at `key`, taken from a copy of the store.
    fn engine_row(&self, store: &mut Store, key: &[u8]) -> Vec<u8> {
        assert!(store.get(key).unwrap().is_some());
        self.snapshot().engine().get(key).unwrap().unwrap()
    }
}

fn open_and_verify(place: &Place) -> Result<Rows, StoreError> {
    let (mut store, _) = place.try_open()?;
    let report = store.verify()?;
    if let Some(key) = report.damaged_keys.first() {
        return Err(StoreError::CorruptValue { key: key.clone(), found: "verify says so" });
    }
    all_rows(&store)
}

fn an_export_moves_to_every_engine(place: &Place) {
    let mut store = place.open();
    let rows = fill(&mut store);
    let mut file = Vec::new();
    assert_eq!(export(&store, &mut file).unwrap(), 60);
    assert!(matches!(import(&mut store, &file[..]), Err(StoreError::NotEmpty { rows: 60 })));
    for target in [Place::redb(), Place::sled(), Place::memory()] {
        let mut copy = target.open();
        assert_eq!(import(&mut copy, &file[..]).unwrap(), 60);
        assert_eq!(all_rows(&copy).unwrap(), rows);
        assert_eq!(copy.verify().unwrap().rows, 60);
    }
}

fn a_damaged_export_is_never_half_imported(place: &Place) {
    let mut store = place.open();
    let source = Place::memory();
    let mut origin = source.open();
    for number in 0..40 {
        origin.commit(put(&format!("k{number}"), &vec![number; 300_000])).unwrap();
    }
    let mut file = Vec::new();
    export(&origin, &mut file).unwrap();
    let at = file.len() - 200;
    file[at] ^= 1;
    assert!(matches!(import(&mut store, &file[..]), Err(StoreError::BadExport { .. })));
    drop(store);
    assert!(matches!(place.try_open(), Err(StoreError::ImportUnfinished)));
}

macro_rules! conformance {
    ($($expectation:ident),* $(,)?) => {
        mod redb {
            $(#[test] fn $expectation() { super::$expectation(&super::Place::redb()); })*
        }
        mod sled {
            $(#[test] fn $expectation() { super::$expectation(&super::Place::sled()); })*
        }
        mod memory {
            $(#[test] fn $expectation() { super::$expectation(&super::Place::memory()); })*
        }
    };
}

conformance!(
    a_new_store_is_empty_and_says_so,
    rows_come_in_key_order_page_by_page,
    a_page_is_bounded_by_bytes_too,
    values_of_every_size_survive,
    deleting_removes_and_deleting_nothing_is_fine,
    refused_rows_change_nothing,
    closing_and_opening_keeps_everything,
    a_stop_without_closing_keeps_everything,
    a_store_of_a_newer_format_is_refused,
    rows_changed_behind_the_anchor_are_noticed,
    an_export_moves_to_every_engine,
    a_damaged_export_is_never_half_imported,
    random_histories_equal_a_map,
);

#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<(u8, Option<(u8, usize)>)>),
    Reopen { close: bool },
    Scan { prefix: Vec<u8>, after: Option<u8>, rows: usize },
    Verify,
}

fn any_step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![8 => 0_usize..200, 2 => 4_000_usize..9_000];
    let change = (0_u8..40, proptest::option::weighted(0.75, (any::<u8>(), size)));
    prop_oneof![
        8 => proptest::collection::vec(change, 0..12).prop_map(Step::Commit),
        1 => any::<bool>().prop_map(|close| Step::Reopen { close }),
        4 => (any::<bool>(), proptest::option::of(0_u8..40), 1_usize..6).prop_map(
            |(tens, after, rows)| Step::Scan {
                prefix: if tens { b"k/1".to_vec() } else { b"k/".to_vec() }, after, rows
            }
        ),
        1 => Just(Step::Verify),
    ]
}

fn name(number: u8) -> Vec<u8> {
    format!("k/{number:02}").into_bytes()
}

fn random_histories_equal_a_map(place: &Place) {
    let config = ProptestConfig { cases: 24, ..ProptestConfig::default() };
    let place = |_: ()| match place {
        Place::Folder { engine, .. } => {
            Place::Folder { folder: tempfile::tempdir().unwrap(), engine: *engine }
        }
        Place::Disk(_) => Place::memory(),
    };
    proptest!(config, |(steps in proptest::collection::vec(any_step(), 1..40))| {
        replay(&place(()), &steps);
    });
}

fn replay(place: &Place, steps: &[Step]) {
    let mut store = place.open();
    let mut oracle = Rows::new();
    for step in steps {
        match step {
            Step::Commit(changes) => commit_both(&mut store, &mut oracle, changes),
            Step::Reopen { close } => {
                if *close {
                    store.close().unwrap();
                } else {
                    drop(store);
                }
                store = place.open();
            }
            Step::Scan { prefix, after, rows } => {
                let after = after.map(name);
                let limit = ScanLimit::rows(*rows);
                let page = store.scan(prefix, after.as_deref(), limit).unwrap();
                let mut expected: Vec<_> = oracle
                    .iter()
                    .filter(|(key, _)| key.starts_with(prefix) && Some(*key) > after.as_ref())
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                let more = expected.len() > *rows;
                expected.truncate(*rows);
                assert_eq!((page.rows, page.next.is_some()), (expected, more));
            }
            Step::Verify => {
                let report = store.verify().unwrap();
                assert_eq!((report.rows, report.damaged), (oracle.len() as u64, 0));
            }
        }
        assert_eq!(store.rows(), oracle.len() as u64);
    }
    assert_eq!(all_rows(&store).unwrap(), oracle);
}

fn commit_both(store: &mut Store, oracle: &mut Rows, changes: &[(u8, Option<(u8, usize)>)]) {
    let mut batch = Batch::new();
    for (number, value) in changes {
        match value {
            Some((byte, size)) => {
                batch.put(name(*number), vec![*byte; *size]);
                oracle.insert(name(*number), vec![*byte; *size]);
            }
            None => {
                batch.delete(name(*number));
                oracle.remove(&name(*number));
            }
        }
    }
    store.commit(batch).unwrap();
}

// What concerns folders and files.

fn folder_of(place: &Place) -> PathBuf {
    match place {
        Place::Folder { folder, .. } => folder.path().to_owned(),
        Place::Disk(_) => panic!("a memory store has no folder"),
    }
}

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

/// Every file of the store, and how damage is done to it.
fn damage(
    place: &Place,
    seed: u64,
    trials: usize,
    mut hurt: impl FnMut(&mut ChaCha8Rng, &mut Vec<u8>),
) {
    let mut store = place.open();
    let rows = fill(&mut store);
    store.close().unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let files = files_below(&folder_of(place));
    let mut noticed = 0;
    for trial in 0..trials {
        let hurt_place = place.snapshot();
        let file = &files[random.random_range(0..files.len())];
        let path = folder_of(&hurt_place).join(file);
        let mut bytes = fs::read(&path).unwrap();
        if bytes.is_empty() {
            continue;
        }
        hurt(&mut random, &mut bytes);
        fs::write(&path, bytes).unwrap();
        match open_and_verify(&hurt_place) {
            Ok(found) => assert!(found == rows, "trial {trial}: {} lies silently", file.display()),
            Err(_) => noticed += 1,
        }
    }
    assert!(noticed > 0, "no trial damaged anything that is in use");
}

/// Files that carry data; `lock` is empty, `engine` is checked by name, `head` has its own test.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if fs::metadata(&path).unwrap().len() > 100 {
                found.push(path.strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// Trials per damage test; `REEVE_DAMAGE_TRIALS` asks for more.
fn trials() -> usize {
    std::env::var("REEVE_DAMAGE_TRIALS").ok().and_then(|text| text.parse().ok()).unwrap_or(40)
}

fn flip(random: &mut ChaCha8Rng, bytes: &mut [u8]) {
    let at = random.random_range(0..bytes.len());
    bytes[at] ^= 1 << random.random_range(0..8);
}

fn cut(random: &mut ChaCha8Rng, bytes: &mut Vec<u8>) {
    let keep = random.random_range(0..bytes.len());
    bytes.truncate(keep);
}

fn blank(random: &mut ChaCha8Rng, bytes: &mut [u8]) {
    let start = random.random_range(0..bytes.len()) / 4096 * 4096;
    let end = (start + 4096).min(bytes.len());
    bytes[start..end].fill(0);
}

#[test]
fn redb_never_hides_a_flipped_bit() {
    damage(&Place::redb(), 1, trials(), |random, bytes| flip(random, bytes));
}

#[test]
fn redb_never_hides_a_truncation() {
    damage(&Place::redb(), 2, trials(), cut);
}

#[test]
fn redb_never_hides_a_blank_page() {
    damage(&Place::redb(), 3, trials(), |random, bytes| blank(random, bytes));
}

#[test]
fn sled_never_hides_a_flipped_bit() {
    damage(&Place::sled(), 4, trials(), |random, bytes| flip(random, bytes));
}

#[test]
fn sled_never_hides_a_truncation() {
    damage(&Place::sled(), 5, trials(), cut);
}

#[test]
fn sled_never_hides_a_blank_page() {
    damage(&Place::sled(), 6, trials(), |random, bytes| blank(random, bytes));
}

#[test]
fn memory_never_hides_a_flipped_bit_or_a_lost_row() {
    let place = Place::memory();
    fill(&mut place.open());
    for row in 0..61 {
        let Place::Disk(flipped) = place.snapshot() else { panic!() };
        assert!(flipped.flip_bit(row, 70));
        assert!(open_and_verify(&Place::Disk(flipped)).is_err(), "row {row}");
        let Place::Disk(lost) = place.snapshot() else { panic!() };
        assert!(lost.lose_row(row));
        assert!(open_and_verify(&Place::Disk(lost)).is_err(), "row {row}");
    }
}

// Failing commits.

#[test]
fn a_failed_commit_stops_the_store_and_leaves_all_or_nothing() {
    for applied in [false, true] {
        let disk = Disk::new();
        let place = Place::Disk(disk.clone());
        let mut store = place.open();
        store.commit(put("k", b"old")).unwrap();
        let next = std::iter::once(disk.commits() + 1).collect();
        disk.set_faults(if applied {
            Faults { after: next, ..Faults::default() }
        } else {
            Faults { before: next, ..Faults::default() }
        });
        let mut batch = put("k", b"new");
        batch.put("l", "new");
        assert!(matches!(store.commit(batch), Err(StoreError::Io { .. })));
        assert!(matches!(store.get(b"k"), Err(StoreError::Halted)));
        assert!(matches!(store.commit(put("m", b"v")), Err(StoreError::Halted)));
        let mut store = place.open();
        let expected: &[u8] = if applied { b"new" } else { b"old" };
        assert_eq!(store.get(b"k").unwrap().unwrap(), expected);
        assert_eq!(store.get(b"l").unwrap().is_some(), applied);
        assert_eq!(store.verify().unwrap().damaged, 0);
    }
}

// The store thread.

#[tokio::test]
async fn the_thread_answers_in_order_and_reads_see_earlier_commits() {
    let place = Place::redb();
    let (handle, thread) = start(place.open()).unwrap();
    let mut waiting = Vec::new();
    for ticket in 0..200_u64 {
        let batch = put(&format!("k/{ticket:03}"), &ticket.to_be_bytes());
        waiting.push(handle.commit(ticket, batch).await.unwrap());
    }
    let seen = handle.get("k/199").await.unwrap().unwrap();
    assert_eq!(seen, 199_u64.to_be_bytes());
    let mut last = 0;
    for (ticket, committing) in waiting.into_iter().enumerate() {
        let committed = committing.done().await;
        assert_eq!(committed.ticket, ticket as u64);
        let sequence = committed.result.unwrap();
        assert!(sequence >= last);
        last = sequence;
    }
    assert!(last < 150, "200 waiting commits became {last} durable ones");
    let page = handle.scan("k/", None, ScanLimit::rows(1_000)).await.unwrap();
    assert_eq!(page.rows.len(), 200);
    drop(handle);
    tokio::task::spawn_blocking(|| thread.join()).await.unwrap().unwrap();
    assert!(place.try_open().unwrap().1.clean);
}

#[tokio::test]
async fn a_refused_batch_does_not_harm_its_group() {
    let (handle, _thread) = start(Place::memory().open()).unwrap();
    let mut bad = put("c", b"v");
    bad.put("", "empty key");
    let first = handle.try_commit(1, put("a", b"v")).unwrap();
    let second = handle.try_commit(2, bad).unwrap();
    let third = handle.try_commit(3, put("b", b"v")).unwrap();
    assert!(first.done().await.result.is_ok());
    assert!(second.done().await.result.unwrap_err().is_refusal());
    assert!(third.done().await.result.is_ok());
    assert_eq!(handle.get("c").await.unwrap(), None);
}

#[tokio::test]
async fn a_failed_group_fails_every_commit_in_it() {
    let disk = Disk::new();
    let (handle, _thread) = start(Place::Disk(disk.clone()).open()).unwrap();
    disk.set_faults(Faults { before: (0..100).collect(), ..Faults::default() });
    let one = handle.try_commit(1, put("a", b"v")).unwrap();
    let two = handle.try_commit(2, put("b", b"v")).unwrap();
    assert!(one.done().await.result.is_err());
    assert!(two.done().await.result.is_err());
    assert!(handle.get("a").await.is_err());
}

#[tokio::test]
async fn a_full_queue_gives_the_batch_back() {
    let (handle, _thread) = start(Place::memory().open()).unwrap();
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let blocker = handle.clone();
    let blocked = tokio::spawn(async move {
        blocker
            .call(move |_| {
                wait.recv().ok();
                Ok(())
            })
            .await
    });
    let mut waiting = Vec::new();
    let refused = loop {
        tokio::task::yield_now().await;
        match handle.try_commit(waiting.len() as u64, put("k", b"v")) {
            Ok(committing) => waiting.push(committing),
            Err(batch) => break batch,
        }
        assert!(waiting.len() < 10_000, "the queue is bounded");
    };
    assert_eq!(refused.len(), 1);
    release.send(()).unwrap();
    blocked.await.unwrap().unwrap();
    for committing in waiting {
        committing.done().await.result.unwrap();
    }
}
