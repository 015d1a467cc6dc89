//! Seeds: the same one is the same run, in every process, and no invariant breaks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use reeve_sim::{Plan, Report, Sim, Size};

/// Seeds tried on every change.
const SEEDS: u64 = 40;

/// Seeds whose trace is compared between processes: with and without liars, homes of several nodes.
const COMPARED: [u64; 3] = [1, 7, 11];

/// Last events that are printed of a run that failed.
const LINES: usize = 200;

fn run(seed: u64) -> Report {
    Sim::new(Plan::of(seed, Size::SMALL), false).run()
}

#[test]
fn a_seed_is_one_run() {
    for seed in COMPARED {
        let one = run(seed);
        println!("trace of {seed}: {}", one.trace);
        let other = Sim::new(Plan::of(seed, Size::SMALL), true).run();
        assert_eq!(one.trace, other.trace, "lines for people change nothing");
        assert!(one.violation.is_none() && one.acknowledged > 0, "{one:?}");
    }
}

#[test]
fn a_seed_is_the_same_run_in_another_process() {
    let itself = std::env::current_exe().unwrap();
    let traces = || {
        let output = Command::new(&itself)
            .args(["--exact", "a_seed_is_one_run", "--nocapture"])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().filter_map(|line| Some(line.split_once("trace of ")?.1));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let (one, other) = (traces(), traces());
    assert_eq!(one.len(), COMPARED.len(), "{one:?}");
    assert_eq!(one, other);
    let here: Vec<String> =
        COMPARED.iter().map(|seed| format!("{seed}: {}", run(*seed).trace)).collect();
    assert_eq!(one, here);
}

#[test]
fn no_invariant_breaks() {
    let (next, bulletins) = (AtomicU64::new(0), AtomicU64::new(0));
    let failed = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= SEEDS {
                        return;
                    }
                    let report = run(seed);
                    bulletins.fetch_add(report.bulletins, Ordering::Relaxed);
                    if let Some(violation) = report.violation {
                        failed.lock().unwrap().push((seed, violation));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    if let Some((seed, violation)) = failed.first() {
        let lines = Sim::new(Plan::of(*seed, Size::SMALL), true).run().lines;
        let last = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default();
        panic!("{} failed; seed {seed}: {violation}\n{}", failed.len(), last.join("\n"));
    }
    let bulletins = bulletins.into_inner();
    println!("{bulletins} bulletins");
    assert!(bulletins > 0, "somebody published");
}

#[test]
fn what_failed_once_fails_no_more() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../regressions");
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
