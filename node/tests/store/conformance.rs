//! What every engine must do.

use reeve::store::{Batch, Closing, ScanLimit, Store, StoreError, export, import};

use super::place::{Place, Rows, all_rows, fill, open_and_verify, put};
use super::random::random_histories_equal_a_map;

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

impl Place {
    /// The wrapped value an engine holds at `key`, taken from a copy of the store.
    fn engine_row(&self, store: &mut Store, key: &[u8]) -> Vec<u8> {
        assert!(store.get(key).unwrap().is_some());
        self.snapshot().engine().get(key).unwrap().unwrap()
    }
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
