//! Short forms of the trials of the stores: killed, without power, damaged, full, failing. `testnet trial
//! stores` runs the long ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use reeve::store::EngineKind;
use reeve_testnet::processes::Leash;
use reeve_testnet::stores::report::{Report, SYNCS, WRITES};
use reeve_testnet::stores::{StoresSpec, run};

const ENGINES: [EngineKind; 2] = [EngineKind::Redb, EngineKind::Sled];

/// Counts: those of a short run, or with `REEVE_FULL=1` those of a long one.
fn count(short: u32, full: u32) -> u32 {
    if std::env::var_os("REEVE_FULL").is_some() { full } else { short }
}

/// Nothing to be tried yet.
fn none(engine: EngineKind) -> StoresSpec {
    StoresSpec {
        program: env!("CARGO_BIN_EXE_reeve-testnet").into(),
        folder: std::path::PathBuf::new(),
        engine,
        seed: 7,
        kills: 0,
        power: 0,
        flips: 0,
        full: 0,
        errors: 0,
    }
}

fn tried(spec: StoresSpec) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let spec = StoresSpec { folder: folder.path().canonicalize().unwrap(), ..spec };
    let report =
        run(&spec, &Leash::default(), &|_, _| ()).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.held(), "{}", report.describe());
    for campaign in report.campaigns.iter().filter(|campaign| campaign.looks > 0) {
        assert!(campaign.met > 0, "nothing happened: {}", report.describe());
        let quiet = [WRITES, SYNCS].contains(&campaign.name);
        assert!(quiet || campaign.acknowledged > 0, "{}", report.describe());
    }
    report
}

#[test]
fn killed_processes_lose_nothing_that_they_acknowledged() {
    for engine in ENGINES {
        tried(StoresSpec { kills: count(10, 1_000), ..none(engine) });
    }
}

#[test]
fn attack_50_a_full_disk_loses_nothing_and_is_named() {
    for engine in ENGINES {
        tried(StoresSpec { full: count(5, 100), ..none(engine) });
    }
}

#[test]
fn attack_51_without_power_nothing_acknowledged_is_lost_and_no_failed_sync_is_acknowledged() {
    for engine in ENGINES {
        tried(StoresSpec { power: count(30, 300), errors: count(4, 100), ..none(engine) });
    }
}

#[test]
fn attack_52_a_damaged_store_is_refused_and_never_believed() {
    for engine in ENGINES {
        let report = tried(StoresSpec { flips: count(30, 3_000), ..none(engine) });
        let refused: u64 = report.campaigns.iter().map(|campaign| campaign.refused).sum();
        assert!(refused > 0, "no trial damaged anything that is in use");
    }
}
