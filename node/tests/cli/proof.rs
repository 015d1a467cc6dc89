//! `reeve proof` and `reeve audit`: a figure, as an auditor checks it on another machine.

use std::fs;

use serde_json::Value;

use super::federation::{eventually, reeve};
use super::situation::{cases, federation};

fn codes(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings.map(|found| found["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_auditor_adds_a_figure_again_and_sees_what_was_changed() {
    const DAY: &str = "2022-05-01";
    cases(DAY, "proof", 7);
    let federation = federation();
    // An import may outlast a window: then it is told in two editions.
    eventually("the nation has all of it", || {
        let said = federation.nation.reeve(&["query", "cases", "--period", DAY, "--json"]);
        said.json()["total"]["value"] == serde_json::json!({ "lo": 16, "hi": 20 })
    });
    let place = |name: &str| format!("{}.bundle", federation.write(name, ""));
    let (nation, town) = (place("nation-proof"), place("town-proof"));
    let prove = |bundle: &str| ["proof", "cases", "--period", DAY, "-o", bundle].map(str::to_owned);
    let args = |bundle: &str| prove(bundle).to_vec();
    let ask = |site: &super::federation::Site, bundle: &str| {
        let arguments = args(bundle);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        site.reeve(&[&arguments[..], &["--json"]].concat()).json()
    };
    let made = ask(&federation.nation, &nation);
    let id = made["federation"].as_str().unwrap();
    assert_eq!(
        (&made["not_here"], made["in_ledger"].as_u64() >= Some(2)),
        (&0.into(), true),
        "{made}"
    );

    // The town's own ledger is not at the nation.
    let alone = reeve(&["audit", "verify", &nation, "--federation", id, "--json"]);
    assert_eq!(alone.code, 6, "{alone:?}");
    let report: Value = serde_json::from_str(&alone.out).unwrap();
    assert!(codes(&report).contains(&"no_ledger_proof".to_owned()), "{report}");
    // That nobody is without a sex is below the floor of five: as the town told it, so the nation.
    assert_eq!(report["figures"][0]["total"], "16 to 20");
    assert_eq!(report["figures"][0]["parts"][0]["total"], "16 to 20");

    ask(&federation.town, &town);
    let both = reeve(&["audit", "verify", &nation, &town, "--federation", id]).ok();
    for part in ["PASS", "cases 2022-05-01  16 to 20", "1 of 1"] {
        assert!(both.out.contains(part), "{part} in {}", both.out);
    }

    // Nobody has to believe the roots that come along.
    reeve(&["audit", "verify", &nation, &town]).fails(6, &["not there"]);
    let other = "0".repeat(64);
    let said = reeve(&["audit", "verify", &nation, "--federation", &other]).fails(5, &["wrong"]);
    assert!(said.out.contains("other_federation"), "{}", said.out);

    let file = fs::read_to_string(format!("{nation}/figure.txt")).unwrap();
    let statement = format!("{nation}/statements/{}.cose", file.trim());
    let mut bytes = fs::read(&statement).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&statement, bytes).unwrap();
    let page = format!("{nation}/report.html");
    let changed = reeve(&["audit", "verify", &nation, &town, "--federation", id, "--html", &page]);
    assert_eq!(changed.code, 5, "{changed:?}");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("FINDINGS") && !page.contains("<script"), "{page}");
}

#[test]
fn a_bundle_says_who_has_witnessed_the_figure() {
    const DAY: &str = "2022-05-04";
    cases(DAY, "witnessed", 8);
    let federation = federation();
    let town = &federation.town;
    let mut number = 0;
    let mut bundle = String::new();
    eventually("the nation has cosigned the figure", || {
        number += 1;
        bundle = format!("{}.bundle", federation.write(&format!("witnessed-{number}"), ""));
        std::thread::sleep(std::time::Duration::from_millis(500));
        let arguments = ["proof", "cases", "--period", DAY, "-o", &bundle, "--json"];
        let made = town.reeve(&arguments).json();
        made["witnessed"].as_u64() >= Some(1) && made["witnessed"] == made["in_ledger"]
    });
    let id =
        town.reeve(&["proof", "cases", "--period", DAY, "-o", &format!("{bundle}.2"), "--json"]);
    let id = id.json()["federation"].as_str().unwrap().to_owned();
    let report = reeve(&["audit", "verify", &bundle, "--federation", &id, "--json"]);
    let report: Value = serde_json::from_str(&report.out).unwrap();
    let told = &report["figures"][0]["witnessed"][0];
    let unit = town.reeve(&["status", "--json"]).json()["witnessed"]["by"].clone();
    assert_eq!(told["by"], unit, "{report}");
    assert!(report["counted"]["witnessed"].as_u64() >= Some(1), "{report}");
    assert!(!codes(&report).contains(&"not_witnessed".to_owned()), "{report}");
    // Each proof is there for programs that read COSE, too, and says the same.
    let held = |ending: &str| {
        let files = fs::read_dir(format!("{bundle}/ledger")).unwrap();
        let files = files.map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|it| it == ending)).count()
    };
    assert_eq!((held("receipt") > 0, held("receipt")), (true, held("tlog-proof")));
    let figure = fs::read_to_string(format!("{bundle}/figure.txt")).unwrap();
    let place = format!("{bundle}/ledger/{}.receipt", figure.trim());
    let receipt = fs::read(&place).unwrap();
    let mut changed = receipt.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&place, changed).unwrap();
    let found = reeve(&["audit", "verify", &bundle, "--federation", &id]).fails(5, &["wrong"]);
    assert!(found.out.contains("bad_receipt"), "{}", found.out);
    fs::write(&place, receipt).unwrap();
    // What is seen is kept, and held against what is shown later.
    let seen = format!("{bundle}.seen");
    let check = ["audit", "verify", &bundle, "--federation", &id, "--seen", &seen];
    let once = reeve(&check);
    let kept = fs::read_dir(&seen).unwrap().count();
    assert!(kept >= 1, "{once:?}");
    assert_eq!((reeve(&check).code, fs::read_dir(&seen).unwrap().count()), (once.code, kept));
    let note = fs::read_dir(&seen).unwrap().next().unwrap().unwrap().path();
    let altered = fs::read_to_string(&note).unwrap().replacen("\n\n", "\nmore\n\n", 1);
    fs::write(format!("{seen}/altered.note"), altered).unwrap();
    let found = reeve(&check).fails(5, &["wrong"]);
    assert!(found.out.contains("bad_signature"), "{}", found.out);
    let text = reeve(&["audit", "verify", &bundle, "--federation", &id]).out;
    assert!(text.contains("; witnessed by "), "{text}");
    let status = town.reeve(&["status"]).ok().out;
    assert!(status.contains("Witnessed"), "{status}");
    let note = town.reeve(&["ledger", "cosigned"]).ok().out;
    assert!(note.contains("/witness "), "{note}");
    // Nobody is above the nation, and no subordinate of it keeps two ledgers.
    federation.nation.reeve(&["ledger", "cosigned"]).fails(1, &["no witness"]);
    federation.nation.reeve(&["ledger", "equivocations"]).ok();
    let proof = federation.write("no-proof.json", "{}");
    let roots = format!("{bundle}/roots.cbor");
    reeve(&["audit", "verify", &proof, "--roots", &roots]).fails(1, &["no-proof.json"]);
    reeve(&["audit", "verify", &proof]).fails(1, &["--roots"]);
}

/// The part of a document between a line that begins so and the next fence.
fn block(document: &str, after: &str, fence: &str) -> String {
    let rest =
        document.split_once(after).unwrap().1.split_once(&format!("```{fence}\n")).unwrap().1;
    rest.split_once("```").unwrap().0.to_owned()
}

/// What docs/verify.md says to type, typed.
#[test]
fn a_statement_is_checked_by_hand_as_the_document_says() {
    let there = |tool: &str| std::process::Command::new(tool).arg("--help").output().is_ok();
    if !there("python3") || !there("openssl") {
        eprintln!(
            "SKIPPED: python3 or openssl is missing; install them to check docs/verify.md by hand"
        );
        return;
    }
    const DAY: &str = "2022-05-03";
    cases(DAY, "byhand", 6);
    let federation = federation();
    let bundle = format!("{}.bundle", federation.write("by-hand", ""));
    federation.nation.reeve(&["proof", "cases", "--period", DAY, "-o", &bundle]).ok();
    let document = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/verify.md"));
    let document = document.unwrap();
    fs::write(format!("{bundle}/statement.py"), block(&document, "## By hand", "python")).unwrap();
    let commands = block(&document, "Then, in the bundle's folder", "sh");
    let typed = |bundle: &str| {
        let mut shell = std::process::Command::new("bash");
        super::federation::said(shell.args(["-ec", &commands]).current_dir(bundle))
    };
    let said = typed(&bundle).ok();
    let digest = fs::read_to_string(format!("{bundle}/figure.txt")).unwrap();
    for part in [digest.trim(), "node.pem: OK", "Signature Verified Successfully"] {
        assert!(said.out.contains(part), "{part} in {said:?}");
    }
    // The payload, one letter changed.
    let statement = format!("{bundle}/statements/{}.cose", digest.trim());
    let mut bytes = fs::read(&statement).unwrap();
    let at = bytes.windows(5).position(|window| window == b"cases").unwrap();
    bytes[at] ^= 1;
    fs::write(&statement, bytes).unwrap();
    assert_ne!(typed(&bundle).code, 0);
}

#[test]
fn a_bundle_that_cannot_be_made_or_read_says_why() {
    let federation = federation();
    cases("2022-05-02", "proofless", 5);
    let taken = &federation.write("taken", "");
    let nation = &federation.nation;
    nation.reeve(&["proof", "cases", "-o", taken]).fails(2, &["is there already"]);
    let free = format!("{taken}.bundle");
    nation.reeve(&["proof", "nothing_such", "-o", &free]).fails(1, &["nothing_such"]);
    assert!(!std::path::Path::new(&free).exists());
    reeve(&["audit", "verify", "/nonexistent"]).fails(1, &["no proof bundle"]);
}
