//! Short forms of the trials of the disks below running nodes: old copies put back, a node that runs twice,
//! a disk that is full. `testnet trial copies` and `testnet trial full` run the long ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use reeve::config::Engine;
use reeve_testnet::processes::Leash;
use reeve_testnet::trial::copies::{self, CopiesReport, CopiesSpec};
use reeve_testnet::trial::full::{self, FullSpec};

/// Far above what is measured: a test must not fail because the machine is busy.
const GENEROUS: Duration = Duration::from_secs(90);

/// Counts: those of a short run, or with `REEVE_FULL=1` those of a long one.
fn count(short: u32, full: u32) -> u32 {
    if std::env::var_os("REEVE_FULL").is_some() { full } else { short }
}

/// Nothing to be tried yet.
fn none(engine: Engine) -> CopiesSpec {
    let folder = std::path::PathBuf::new();
    CopiesSpec { folder, engine, copies: 0, twins: 0, clones: 0, damaged: 0, within: GENEROUS }
}

fn tried(spec: CopiesSpec) -> CopiesReport {
    let folder = tempfile::tempdir().unwrap();
    let spec = CopiesSpec { folder: folder.path().canonicalize().unwrap(), ..spec };
    let report =
        copies::run(&spec, &Leash::default(), |_, _| ()).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.editions > 0);
    report
}

#[test]
fn attack_14_old_copies_of_a_store_are_noticed_and_sign_nothing() {
    let copies = count(2, 50);
    let report = tried(CopiesSpec { copies, ..none(Engine::Redb) });
    assert_eq!(report.noticed.len(), usize::try_from(copies).unwrap());
    assert_eq!(report.alone, copies / 2);
}

#[test]
fn attack_54_a_second_process_on_the_folder_is_refused() {
    let twins = count(3, 100);
    assert_eq!(tried(CopiesSpec { twins, ..none(Engine::Redb) }).twins, twins);
}

#[test]
fn a_damaged_store_is_put_in_order_by_the_documented_procedure() {
    for engine in [Engine::Redb, Engine::Sled] {
        assert_eq!(tried(CopiesSpec { damaged: 1, ..none(engine) }).damaged, 1);
    }
}

fn filled(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let folder_path = folder.path().canonicalize().unwrap();
    let spec =
        FullSpec { folder: folder_path, engine, rounds: count(2, 100), seed: 5, within: GENEROUS };
    let report =
        full::run(&spec, &Leash::default(), |_| ()).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.acknowledged > 0 && report.refused > 0, "{report:?}");
    assert_eq!(report.stopped, report.served_full, "{report:?}");
}

#[test]
fn attack_29_nodes_that_are_written_to_until_their_disk_is_full_answer_and_lose_nothing() {
    filled(Engine::Redb);
}

#[test]
fn attack_50_nodes_on_sled_answer_and_lose_nothing_while_their_disk_is_full() {
    filled(Engine::Sled);
}
