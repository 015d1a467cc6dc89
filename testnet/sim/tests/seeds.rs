//! Seeds: the same one is the same run, and no invariant breaks.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use reeve_sim::{Plan, Sim, Size};

/// Seeds tried on every change.
const SEEDS: u64 = 40;

#[test]
fn a_seed_is_one_run() {
    for seed in [1, 7] {
        let one = Sim::new(Plan::of(seed, Size::SMALL), false).run();
        let other = Sim::new(Plan::of(seed, Size::SMALL), true).run();
        assert_eq!(one.trace, other.trace, "lines for people change nothing");
        assert!(one.violation.is_none() && one.acknowledged > 0, "{one:?}");
    }
}

#[test]
fn no_invariant_breaks() {
    for seed in 0..SEEDS {
        let report = Sim::new(Plan::of(seed, Size::SMALL), false).run();
        if let Some(violation) = report.violation {
            let lines = Sim::new(Plan::of(seed, Size::SMALL), true).run().lines;
            panic!("seed {seed}: {violation}\n{}", lines.join("\n"));
        }
    }
}

#[test]
fn what_failed_once_fails_no_more() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/regressions");
    let mut tried = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let plan = Plan::from_toml(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let report = Sim::new(plan, false).run();
        assert_eq!(report.violation, None, "{}", file.display());
        tried += 1;
    }
    assert!(tried > 0, "no runs are kept in {folder}");
}
