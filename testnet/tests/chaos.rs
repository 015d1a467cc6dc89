//! Short forms of `testnet chaos`: the program itself, as a person starts it, because it makes its
//! network anew around itself where the machine lets it. Each test says which way that went.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// Fourteen processes at a time are enough.
static ONE: Mutex<()> = Mutex::new(());

/// Far above what is measured: a test must not fail because the machine is busy.
const WITHIN: &str = "90";

/// Runs one trial; what it saw.
fn chaos(arguments: &[&str]) -> Value {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeve-testnet"));
    command.args(["chaos", "--json", "--within", WITHIN]).args(arguments);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    let network = said.lines().find(|line| line.starts_with("NETWORK: ")).unwrap();
    eprintln!("{arguments:?}: {network}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(report: &Value, path: &str) -> u64 {
    report.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("{path}: {report}"))
}

#[test]
fn partitions_heal() {
    let report = chaos(&["partitions", "--cycles", "2"]);
    assert_eq!(number(&report, "/healed/count"), 2);
    assert!(number(&report, "/seen/acknowledged") > 0, "{report}");
}

#[test]
fn partitions_heal_on_loopback_behind_relays() {
    let report = chaos(&["--network", "loopback", "partitions", "--cycles", "1"]);
    assert_eq!(report.pointer("/way").unwrap(), "loopback with relays");
    assert_eq!(number(&report, "/healed/count"), 1);
}

#[test]
fn nodes_that_are_killed_lose_nothing() {
    let report = chaos(&["kills", "--count", "5", "--engine", "sled"]);
    assert_eq!(number(&report, "/kills"), 5);
    assert!(number(&report, "/seen/verified") > number(&report, "/seen/editions"), "{report}");
}

#[test]
fn all_faults_at_once_leave_everything_right() {
    let report = chaos(&["mixed", "--seconds", "10", "--seed", "3"]);
    let faults = report.pointer("/faults").and_then(Value::as_object).unwrap();
    assert!(faults.len() > 1, "{report}");
}

#[test]
fn a_superior_that_was_away_for_days_is_not_flooded() {
    let report = chaos(&["week", "--days", "4", "--changes", "3"]);
    let away = report.pointer("/away").and_then(Value::as_str).unwrap();
    assert!(away.contains("03 late"), "the region is late while it is away: {report}");
    let back = report.pointer("/back").and_then(Value::as_str).unwrap();
    assert!(back.contains("03/015/182 no report"), "who said nothing is named: {report}");
}

#[test]
fn attack_05_a_unit_that_keeps_periods_back_is_named_for_each() {
    let report = chaos(&["silence", "--periods", "8"]);
    let missing = number(&report, "/kept_back") + number(&report, "/silent");
    assert_eq!((number(&report, "/named"), missing), (missing, 4), "{report}");
}

#[test]
fn attack_24_a_clock_that_jumps_back_signs_nothing_and_says_so() {
    let report = chaos(&["clocks", "--jumps", "12"]);
    assert!(number(&report, "/refused") > 0, "{report}");
    assert_eq!(number(&report, "/refused"), number(&report, "/back"), "{report}");
}

#[test]
fn attack_47_a_relay_that_loses_and_repeats_delays_nothing_for_ever_and_reads_nothing() {
    let report = chaos(&["--transport", "quic", "relay", "--seconds", "4"]);
    let (came, lost) = (number(&report, "/pieces"), number(&report, "/lost"));
    assert!(lost * 5 > came && number(&report, "/repeated") * 5 > came, "{report}");
    let report = chaos(&["--transport", "tcp", "relay", "--seconds", "4"]);
    assert!(number(&report, "/searched") > 0, "{report}");
}
