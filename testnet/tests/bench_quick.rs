//! The benchmarks do what they say, in their quick form.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use reeve::config::Engine;
use reeve_testnet::bench::{Extent, Measure, audit, bytes, import, latency, ledger, retention};
use reeve_testnet::processes::Leash;

fn value(measures: &[Measure], what: &str) -> f64 {
    measures.iter().find(|measure| measure.what == what).unwrap().value
}

#[tokio::test(flavor = "multi_thread")]
async fn every_generated_case_is_imported_and_the_node_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let measures = import::run(folder.path(), Extent::Quick, Engine::Redb).await.unwrap();
    assert!((value(&measures, "import: records") - 5_000.0).abs() < 0.5);
    assert!(value(&measures, "import: restart to serving") > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_cross_the_border_for_every_day() {
    let folder = tempfile::tempdir().unwrap();
    let measures = bytes::run(folder.path(), Extent::Quick, Engine::Sled).await.unwrap();
    assert!((value(&measures, "bytes: records imported") - 2_000.0).abs() < 0.5);
    assert!(value(&measures, "bytes: out of the leaf") > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_removed_while_the_store_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let measures = retention::run(folder.path(), Extent::Quick, Engine::Redb).await.unwrap();
    let [removed, kept] =
        ["removed", "kept"].map(|what| value(&measures, &format!("retention: records {what}")));
    assert!(removed > 300.0 && kept > 300.0, "{removed} {kept}");
    assert!((removed + kept - 3_000.0).abs() < 0.5, "{removed} {kept}");
}

#[test]
fn an_auditor_s_program_passes_what_is_honest() {
    let folder = tempfile::tempdir().unwrap();
    let leash = Leash::default();
    let measures = audit::run(folder.path(), Extent::Quick, &leash).unwrap();
    // Each unit's figure, the registers of those with units below them, and the catalogue.
    let statements = value(&measures, "audit of a day: statements");
    assert!((statements - f64::from(34 + 10 + 1)).abs() < 0.5, "{statements}");
    assert!((value(&measures, "audit of a year: figures added or summands") - 48.0).abs() < 0.5);
}

#[test]
fn changes_pass_four_hops_of_real_processes() {
    let folder = tempfile::tempdir().unwrap();
    let leash = Leash::default();
    let measures = latency::run(folder.path(), Extent::Quick, Engine::Redb, &leash).unwrap();
    assert!((value(&measures, "latency at 50/s: changes") - 150.0).abs() < 0.5);
    assert!(value(&measures, "latency at 50/s: p50") > 0.0);
}

#[test]
fn entries_of_a_ledger_are_durable_batch_by_batch() {
    let folder = tempfile::tempdir().unwrap();
    let measures = ledger::run(folder.path(), Extent::Quick, Engine::Sled).unwrap();
    assert!((value(&measures, "ledger: entries") - 20_000.0).abs() < 0.5);
    assert!(value(&measures, "ledger: rate") > 0.0);
}
