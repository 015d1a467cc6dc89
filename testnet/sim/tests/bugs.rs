//! The checks can fail: each deliberate fault of the core is found. Built with the feature `bugs` only:
//! `cargo test -p reeve-sim --features bugs --test bugs`.

#![allow(clippy::panic, reason = "a test fails by panicking")]

use reeve_protocol::bugs::{Bug, Bugs};
use reeve_sim::{Plan, Sim, Size};

/// Seeds within which a fault must be found.
const SEEDS: u64 = 200;

#[test]
fn every_deliberate_fault_is_found() {
    let mut missed = Vec::new();
    for bug in Bug::ALL {
        let found = (0..SEEDS).find_map(|seed| {
            let report = Sim::with(Plan::of(seed, Size::SMALL), false, Bugs::with(bug)).run();
            report.violation.map(|violation| (seed, violation))
        });
        match found {
            Some((seed, violation)) => println!("{bug:?}: seed {seed}: {violation}"),
            None => missed.push(bug),
        }
    }
    assert!(missed.is_empty(), "not found within {SEEDS} seeds: {missed:?}");
}
