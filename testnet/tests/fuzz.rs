//! The stable form of the fuzz targets: every target over its corpus and some mutations, and a look
//! whether the driver would notice.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use reeve_fuzz::TARGETS;
use reeve_testnet::fuzz::{FuzzSpec, fuzz};

/// Mutated inputs of each target; `testnet fuzz` runs more.
const EXECUTIONS: u64 = 1_500;
/// Longest time of each target, in seconds: 27 of them, two at a time, stay below a minute.
const SECONDS: u64 = 4;

fn spec(targets: Vec<String>, keep: PathBuf) -> FuzzSpec {
    FuzzSpec {
        program: env!("CARGO_BIN_EXE_reeve-testnet").into(),
        targets,
        executions: EXECUTIONS,
        seconds: SECONDS,
        seed: 1,
        corpus: Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus"),
        keep,
    }
}

#[test]
fn hostile_bytes_upset_no_target() {
    let keep = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz-findings");
    let names = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let reports = fuzz(&spec(names, keep), |_| {}).unwrap();
    assert_eq!(reports.len(), TARGETS.len());
    for report in &reports {
        assert!(report.finding.is_none(), "{report:?}");
        assert!(report.corpus > 0 && report.executions > report.corpus, "{report:?}");
    }
}

#[test]
fn what_panics_spins_or_hoards_is_caught_with_its_input() {
    let keep = tempfile::tempdir().unwrap();
    let names = ["bad-memory", "bad-panic", "bad-time"].map(str::to_owned).into();
    let reports = fuzz(&spec(names, keep.path().to_owned()), |_| {}).unwrap();
    for (report, what) in reports.iter().zip(["512 MB", "panicked", "2 s"]) {
        let finding = report.finding.as_ref().unwrap_or_else(|| panic!("{report:?}"));
        assert!(finding.what.contains(what), "{report:?}");
        assert_eq!(std::fs::read(&finding.file).unwrap(), b"7");
    }
}
