//! `reeve verify`: a whole store is said to be whole, a damaged one is not.

use std::path::{Path, PathBuf};

use super::federation::Alone;
use super::files::UPSERT;

/// A stopped node with records and statements.
fn stopped(engine: &str) -> Alone {
    let alone = Alone::found(engine);
    let rows: String =
        (0..300).map(|n| format!("{n},2021-01-{:02},F,{}\n", n % 28 + 1, n % 90)).collect();
    let file = alone.write("c.csv", format!("number,date,sex,age\n{rows}"));
    let mapping = alone.write("c.toml", UPSERT);
    alone.site.reeve(&["import", &file, "--mapping", &mapping]).ok();
    super::federation::eventually("statements are signed", || {
        alone.site.reeve(&["status", "--json"]).json()["ledger_size"].as_u64() > Some(20)
    });
    alone
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.clone(), std::fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

fn a_whole_store_is_whole_and_left_as_it_is(engine: &str) {
    let mut alone = stopped(engine);
    alone.site.reeve(&["verify"]).fails(1, &["the node runs", "stop it first"]);
    let status = alone.site.reeve(&["status", "--json"]).json();
    assert_eq!(alone.stop(), Some(0));
    let before = files(&alone.site.folder);
    let report = alone.site.reeve(&["verify", "--json"]).json();
    assert_eq!((&report["sound"], &report["engine"]), (&true.into(), &engine.into()));
    assert!(report["ledger_entries"].as_u64() >= status["ledger_size"].as_u64(), "{report}");
    assert!(report["rows"].as_u64() > Some(50), "{report}");
    let text = alone.site.reeve(&["verify"]).ok().out;
    assert!(text.contains("The store is whole") && text.contains("closed in good order"), "{text}");
    assert!(files(&alone.site.folder) == before, "nothing was written");
    let left = alone.site.folder.join("verify.copy");
    std::fs::create_dir(&left).unwrap();
    alone.site.reeve(&["verify"]).fails(1, &["verify.copy", "was killed"]);
    let elsewhere = tempfile::tempdir().unwrap();
    let scratch = ["verify", "--scratch", elsewhere.path().to_str().unwrap()];
    alone.site.reeve(&scratch).ok();
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0, "the copy is removed");
    std::fs::remove_dir(left).unwrap();
    alone.start();
}

#[test]
fn a_whole_redb_store_is_whole_and_left_as_it_is() {
    a_whole_store_is_whole_and_left_as_it_is("redb");
}

#[test]
fn a_whole_sled_store_is_whole_and_left_as_it_is() {
    a_whole_store_is_whole_and_left_as_it_is("sled");
}

/// Flips a byte in the middle of a piece of data that is in use, and verifies.
fn a_flipped_byte_is_found(engine: &str, file: &str) {
    let mut alone = stopped(engine);
    alone.stop();
    let path = alone.site.folder.join("store").join(file);
    let bytes = std::fs::read(&path).unwrap();
    // A name that stands in every signed statement.
    let word = b"superior-figures";
    let places: Vec<usize> =
        (0..bytes.len() - word.len()).filter(|at| bytes[*at..].starts_with(word)).collect();
    let (mut found, mut named) = (0, 0);
    let last = places.len() - 1;
    for place in (0..=6).map(|sixth| places[last * sixth / 6]) {
        let mut hurt = bytes.clone();
        hurt[place] ^= 1;
        std::fs::write(&path, &hurt).unwrap();
        let said = alone.site.reeve(&["verify", "--json"]);
        assert_eq!(std::fs::read(&path).unwrap(), hurt, "nothing is mended by looking");
        if said.code == 0 {
            continue; // An older copy of the row, which nothing refers to any more.
        }
        let said = said.fails(5, &["the store is damaged"]);
        let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        let damage = report["damage"].as_array().unwrap();
        assert!(!damage.is_empty() && report["sound"] == false, "{report}");
        assert!(
            damage.iter().all(|it| it["next"].as_str().unwrap().contains("A damaged store")),
            "{report}"
        );
        found += 1;
        named += usize::from(report.to_string().contains("row statement/"));
        let text = alone.site.reeve(&["verify"]).fails(5, &[]).out;
        assert!(text.contains("Damage") && text.contains("To do"), "{text}");
    }
    assert!(found > 0, "no flipped byte of {} was found", places.len());
    // sled does not open a log with a flipped byte, or drops its end.
    assert!(engine == "sled" || named > 0, "the damaged rows are named");
}

#[test]
fn a_flipped_byte_in_redb_is_found() {
    a_flipped_byte_is_found("redb", "redb");
}

#[test]
fn a_flipped_byte_in_sled_is_found() {
    a_flipped_byte_is_found("sled", "sled/db");
}

#[test]
fn a_node_that_never_ran_has_nothing_to_verify() {
    let place = tempfile::tempdir().unwrap();
    super::federation::reeve(&["--home", place.path().to_str().unwrap(), "verify"])
        .fails(1, &["reeve init"]);
}
