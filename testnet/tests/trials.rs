//! Short forms of the trials: real `reeve` processes, killed and kept away. `testnet trial` runs the
//! long ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use reeve::config::Engine;
use reeve_testnet::processes::Leash;
use reeve_testnet::trial::away::{self, AwaySpec};
use reeve_testnet::trial::kills::{self, KillsSpec};

/// Far above what is measured: a test must not fail because the machine is busy.
const GENEROUS: Duration = Duration::from_secs(60);

fn killed(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let spec =
        KillsSpec { folder: folder.path().to_owned(), engine, kills: 8, seed: 3, within: GENEROUS };
    let report = kills::run(&spec, &Leash::default(), |_| ()).unwrap_or_else(|error| {
        panic!("{error}");
    });
    assert_eq!(report.kills.iter().map(|(_, kills)| kills).sum::<u32>(), 8);
    assert!(report.acknowledged > 0, "something was written");
    assert!(report.checked > 0, "something was checked");
    assert!(report.entered.1 > 0 && report.verified > report.entered.1, "{report:?}");
}

#[test]
fn nodes_on_redb_that_are_killed_lose_nothing() {
    killed(Engine::Redb);
}

#[test]
fn nodes_on_sled_that_are_killed_lose_nothing() {
    killed(Engine::Sled);
}

#[test]
fn a_superior_that_was_away_while_500_changes_happened_has_right_figures() {
    let folder = tempfile::tempdir().unwrap();
    let spec = AwaySpec {
        folder: folder.path().to_owned(),
        engine: Engine::Redb,
        rounds: 1,
        changes: 500,
        away: Duration::ZERO,
        within: GENEROUS,
    };
    assert_eq!(away::run(&spec, &Leash::default()).unwrap().len(), 1);
}

#[test]
fn letting_go_of_the_leash_ends_a_trial() {
    let folder = tempfile::tempdir().unwrap();
    let spec = KillsSpec {
        folder: folder.path().to_owned(),
        engine: Engine::Redb,
        kills: 10_000,
        seed: 4,
        within: GENEROUS,
    };
    let leash = Leash::default();
    let other = leash.clone();
    let error = kills::run(&spec, &leash, move |round| {
        if round == 1 {
            other.let_go();
        }
    });
    assert!(error.is_err(), "ten thousand kills were not waited for");
}
