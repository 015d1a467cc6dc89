//! Random histories against a map as the oracle.

use proptest::prelude::*;
use reeve::store::{Batch, ScanLimit, Store};

use super::place::{Place, Rows, all_rows};

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

pub fn random_histories_equal_a_map(place: &Place) {
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
