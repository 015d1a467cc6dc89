//! `reeve sent` and `reeve ledger`: what left the house, and the proof that it is logged.

use serde_json::Value;

use super::federation::{Federation, eventually};
use super::files::UPSERT;
use super::import::import;

fn sent(arguments: &[&str]) -> Vec<Value> {
    let all = [&["sent", "--json"], arguments].concat();
    Federation::shared().town.reeve(&all).json().as_array().unwrap().clone()
}

fn index(entry: &Value) -> u64 {
    entry["index"].as_u64().unwrap()
}

/// Three days, each a figure that the superior is told.
fn days() {
    let file = "number,date,sex,age\nd1,2021-10-01,F,\nd2,2021-10-02,F,\nd3,2021-10-03,F,\n";
    import("days.csv", file, UPSERT, &[]).ok();
    eventually("three figures are told", || {
        let about = sent(&["--indicator", "cases", "--limit", "1000"]);
        let of_october = |it: &&Value| it["figure"].as_str().unwrap().contains(" 2021-10-0");
        about.iter().filter(of_october).count() == 3
    });
}

#[test]
fn what_left_is_listed_newest_first_and_filtered() {
    days();
    let federation = Federation::shared();
    let all = sent(&["--limit", "1000"]);
    assert!(all.is_sorted_by(|a, b| index(a) > index(b)), "the newest first");
    // What is between are the certificates that the unit's authority issued.
    let issued = Federation::shared().town.reeve(&["certificate", "list", "--json"]).json();
    let oldest = issued.as_array().unwrap().iter().map(index).max().unwrap() + 1;
    assert_eq!(index(all.last().unwrap()), oldest);
    assert!(all.iter().all(|it| it["audience"] == "it" && it["issued_at"].is_string()));
    let releases = sent(&["--kind", "release", "--limit", "2"]);
    assert!(releases.len() == 2 && releases.iter().all(|it| it["kind"] == "release"));
    assert!(releases.iter().all(|it| it["determining"][0] == "superior-figures"));
    assert_eq!(sent(&["--to", "it/03"]).len(), 0);
    assert_eq!(sent(&["--before", &(oldest + 1).to_string()]).len(), 1);
    assert_eq!(sent(&["--before", &oldest.to_string()]).len(), 0);
    assert_eq!(sent(&["--since", "2999-01-01"]).len(), 0);
    assert!(sent(&["--since", "2020-01-01", "--limit", "1000"]).len() >= all.len());
    federation.town.reeve(&["sent", "--since", "yesterday"]).fails(2, &["2020-03-01"]);
    let text = federation.town.reeve(&["sent", "--limit", "3"]).ok().out;
    assert!(text.contains("DECIDED BY") && text.contains("superior-figures"), "{text}");
    let none = federation.town.reeve(&["sent", "--kind", "declaration"]).ok().out;
    assert!(none.contains("Nothing like that"), "{none}");
}

#[test]
fn a_statement_is_saved_as_it_was_signed_and_proved_to_be_logged() {
    days();
    let town = &Federation::shared().town;
    let entry = sent(&["--kind", "release", "--limit", "1"]).remove(0);
    let digest = entry["statement"].as_str().unwrap();
    let bytes = town.command(&["sent", "--save", digest]).output().unwrap();
    assert_eq!(u64::try_from(bytes.stdout.len()).unwrap(), entry["bytes"].as_u64().unwrap());
    let signed = reeve_statement::cose::Signed::decode(&bytes.stdout).unwrap();
    assert_eq!(signed.digest().to_string(), digest);
    let short = town.command(&["sent", "--save", &digest[..12]]).output().unwrap();
    assert_eq!(short.stdout, bytes.stdout, "as much of the digest as the table shows is enough");
    town.reeve(&["sent", "--save", "ffffffffffff"]).fails(1, &["ffffffffffff"]);
    town.reeve(&["sent", "--save", &"f".repeat(64)]).fails(1, &["no statement"]);

    let head = town.reeve(&["ledger", "head"]).ok().out;
    let lines: Vec<&str> = head.lines().collect();
    assert_eq!(lines[0], "016.it.test.example/ledger/1");
    let size = lines[1];
    let proof = town.reeve(&["ledger", "prove", &index(&entry).to_string(), "--size", size]).ok();
    assert!(proof.out.lines().all(|line| line.len() == 64), "{proof:?}");
    town.reeve(&["ledger", "prove", "99999", "--size", size]).fails(1, &["ledger"]);
}
