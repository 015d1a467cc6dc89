//! Short forms of `testnet chaos`: the program itself, as a person starts it, because it makes its
//! network anew around itself where the machine lets it. Each test says which way that went.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reeve::api::{Operation, WriteRequest, Written};
use reeve::client::Client;
use reeve::config::Engine;
use reeve_examples::epidemic::{CATALOGUE, SCHEMA};
use reeve_testnet::processes::{Houses, Launcher, Leash, ProcessError, Processes};
use reeve_testnet::shim::{DISK, DISK_CONTROL, DISK_FOLDER, PRELOAD};
use reeve_testnet::stopwatch::now;
use reeve_testnet::town::TownSpec;
use serde_json::{Value, json};

/// Fourteen processes at a time are enough.
static ONE: Mutex<()> = Mutex::new(());

/// Far above what is measured: a test must not fail because the machine is busy.
const WITHIN: &str = "90";

/// A sample, or the full count where `REEVE_FULL=1` asks for it.
fn count(sample: &'static str, full: &'static str) -> &'static str {
    let all = std::env::var_os("REEVE_FULL").is_some_and(|value| value == "1");
    if all { full } else { sample }
}

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

/// A write of one case, again and again, until there is no answer any more.
fn write_on(writer: &Client, name: &str) {
    for number in 0.. {
        let id = format!("{name}{}", number % 50);
        let fields =
            json!({ "status": "confirmed", "reported_on": "2020-03-01", "age": number % 90 });
        let record = fields.as_object().cloned().unwrap_or_default();
        let request = WriteRequest { operations: vec![Operation::Put { id, record }] };
        let done: Result<Written, _> = writer.send("POST", "/v1/records/case", &request);
        if done.is_err() {
            return;
        }
    }
}

#[test]
fn a_node_whose_disk_fails_ends_at_once_with_an_error_code() {
    /// Far above what is measured; it was 25 s before the store was let go in time.
    const SOON: Duration = Duration::from_secs(15);
    let folder = tempfile::tempdir().unwrap();
    let library = DISK.build(folder.path()).unwrap();
    let control = folder.path().join("control");
    let spec = TownSpec {
        folder: folder.path().join("nodes"),
        paths: vec!["it".parse().unwrap()],
        schema: SCHEMA.to_owned(),
        policy: None,
        engine: Engine::Redb,
        tap: None,
    };
    let houses = Houses::open(&spec).unwrap();
    let store = houses.list().first().unwrap().1.store_folder();
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut launcher = Launcher::beside(&Leash::default()).unwrap();
    launcher.environment = [(PRELOAD, text(&library)), (DISK_FOLDER, text(&store))]
        .into_iter()
        .chain([(DISK_CONTROL, text(&control))])
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let processes = Processes::start(&launcher, &houses).unwrap();
    processes.publish(&houses.sign_catalogue(CATALOGUE).unwrap()).unwrap();
    let process = processes.list().first().unwrap();
    let writer = &process.writer().unwrap();
    let took = std::thread::scope(|scope| {
        for name in ["a", "b", "c", "d"] {
            scope.spawn(move || write_on(writer, name));
        }
        std::thread::sleep(Duration::from_secs(1));
        std::fs::write(&control, "sync 1 EIO on\n").unwrap();
        let failed = now();
        while process.check().is_ok() && failed.elapsed() < SOON {
            std::thread::sleep(Duration::from_millis(20));
        }
        process.kill();
        failed.elapsed()
    });
    assert!(took < SOON, "it did not end");
    let Err(ProcessError::Ended { status, log, .. }) = process.check() else { panic!("it runs") };
    assert_eq!(status.code(), Some(1), "it says that it failed");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("the node stops"), "{log}");
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
    assert!(away.contains("03 unreachable"), "the region is away: {report}");
    let back = report.pointer("/back").and_then(Value::as_str).unwrap();
    assert!(back.contains("03/015/182 no_report"), "who said nothing is named: {report}");
}

#[test]
fn attack_05_a_unit_that_keeps_periods_back_is_named_for_each() {
    let report = chaos(&["silence", "--periods", count("8", "300")]);
    let missing = number(&report, "/kept_back") + number(&report, "/silent");
    assert!(missing >= 4, "{report}");
    assert_eq!(number(&report, "/named"), missing, "{report}");
}

#[test]
fn attack_24_a_clock_that_jumps_back_signs_nothing_and_says_so() {
    let report = chaos(&["clocks", "--jumps", count("12", "1000")]);
    assert!(number(&report, "/refused") > 0, "{report}");
    assert_eq!(number(&report, "/refused"), number(&report, "/back"), "{report}");
}

#[test]
fn attack_47_a_relay_that_loses_and_repeats_delays_nothing_for_ever_and_reads_nothing() {
    let report = chaos(&["--transport", "quic", "relay", "--seconds", count("4", "120")]);
    let (came, lost) = (number(&report, "/pieces"), number(&report, "/lost"));
    assert!(lost * 5 > came && number(&report, "/repeated") * 5 > came, "{report}");
    let report = chaos(&["--transport", "tcp", "relay", "--seconds", count("4", "120")]);
    assert!(number(&report, "/searched") > 0, "{report}");
}
