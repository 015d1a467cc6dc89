//! `reeve audit decision`: what was decided is decided again, by an auditor who has a token and no folder.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::federation::{Federation, Site, eventually, reeve};

const DAY: &str = "2021-05-01";

fn published() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../policy/testdata/decisions-v1")
}

#[test]
fn published_decisions_are_decided_again() {
    let roots = published().join("good_permitted/roots.cbor");
    let mut judged = 0;
    for entry in fs::read_dir(published()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let folder = published().join(&name);
        let said = reeve(&[
            "audit",
            "decision",
            folder.to_str().unwrap(),
            "--roots",
            roots.to_str().unwrap(),
        ]);
        if name.starts_with("good_") {
            assert!(said.ok().out.contains("agrees"), "{name}");
        } else {
            let said = said.fails(5, &["does not hold"]);
            assert!(said.out.contains("DIFFERS") || said.out.contains("WRONG"), "{name}: {said:?}");
        }
        judged += 1;
    }
    assert!(judged >= 9, "{judged}");
    let good = published().join("good_declined");
    let none = tempfile::tempdir().unwrap();
    let said = reeve(&[
        "--home",
        none.path().to_str().unwrap(),
        "audit",
        "decision",
        good.to_str().unwrap(),
    ]);
    assert!(said.ok().out.contains("prove nothing by themselves"));
}

/// The newest of what the town sent about cases.
fn newest(town: &Site, kind: &str) -> Option<Value> {
    let sent = town.reeve(&["sent", "--indicator", "cases", "--kind", kind, "--json"]).json();
    sent.as_array().unwrap().first().cloned()
}

#[test]
fn an_auditor_decides_again_what_a_house_decided() {
    let federation = Federation::found("redb");
    let town = &federation.town;
    let file = federation.write("cases.csv", format!("number,date,sex,age\none,{DAY},F,30\n"));
    let mapping = federation.write("cases.toml", super::files::UPSERT);
    town.reeve(&["import", &file, "--mapping", &mapping]).ok();
    eventually("a figure was told", || newest(town, "release").is_some());
    let told = newest(town, "release").unwrap();
    let policy = fs::read_to_string(town.folder.join("policy.cedar")).unwrap();
    let closed = policy.replace("Relation::\"superior\"", "Relation::\"above\"");
    let path = federation.write("closed.cedar", &closed);
    town.reeve(&["policy", "set", &path]).ok();
    eventually("the superior is declined", || {
        newest(town, "notice").is_some_and(|it| it["policy_set"] != told["policy_set"])
    });
    let declined = newest(town, "notice").unwrap();

    // The change is an act of the house, between the two in its ledger.
    let acts = town.reeve(&["policy", "adopted", "--json"]).json()["acts"].clone();
    let act = acts.as_array().unwrap().last().unwrap();
    assert_eq!(act["policy"]["before"], told["policy_set"], "{act}");
    assert_eq!(
        (&act["policy"]["after"], &act["who"]),
        (&declined["policy_set"], &"operator".into())
    );
    let index = |it: &Value| it["index"].as_u64().unwrap();
    assert!(index(&told) < index(act) && index(act) < index(&declined), "{acts}");
    let shown = town.reeve(&["policy", "adopted"]).ok().out;
    assert!(shown.contains("Policy set") && shown.contains("by operator on"), "{shown}");

    // The auditor has a token and the roots, and no folder.
    let auditor = town.token("auditor", &["--role", "auditor"]);
    let roots = federation.path("roots.cbor");
    fs::copy(published_roots(town), &roots).unwrap();
    let (token, home) = (auditor.to_str().unwrap(), federation.path("nowhere"));
    let decision = |digest: &Value, more: &[&str]| {
        let digest = digest["statement"].as_str().unwrap();
        let api = town.api().to_string();
        let of = ["--home", &home, "audit", "decision", digest, "--roots", &roots];
        reeve(&[&of[..], &["--api", &api, "--token-file", token], more].concat())
    };
    let again = decision(&told, &["--json"]).json();
    assert_eq!((&again["verdict"], &again["permitted"]), (&"agrees".into(), &true.into()));
    let (one, other) = (federation.path("told"), federation.path("declined"));
    decision(&told, &["-o", &one]).ok();
    decision(&declined, &["-o", &other]).ok();
    decision(&told, &["-o", &one]).fails(2, &["is there already"]);
    let offline = |folder: &str| reeve(&["audit", "decision", folder, "--roots", &roots]);
    assert!(offline(&one).ok().out.contains("permitted, by superior-figures"));
    assert!(offline(&other).ok().out.contains("declined, no policy applied"));

    // What another policy set would have said is not what decided.
    fs::copy(&path, format!("{one}/policy.cedar")).unwrap();
    let said = offline(&one).fails(5, &[]);
    assert!(said.out.contains("the policy set does not match"), "{said:?}");
    fs::remove_file(format!("{other}/asked.json")).unwrap();
    let said = offline(&other).fails(6, &[]);
    assert!(said.out.contains("the question of digest"), "{said:?}");

    let viewer = town.token("looker", &["--role", "viewer"]);
    let digest = told["statement"].as_str().unwrap();
    town.reeve_as(&viewer, &["audit", "decision", digest]).fails(3, &[]);
    town.reeve(&["audit", "decision", &"0".repeat(64)]).fails(1, &["no statement"]);

    // A policy that is edited in the file is a change by nobody, once the node starts.
    federation.stop(town);
    fs::write(town.folder.join("policy.cedar"), policy + "// edited\n").unwrap();
    federation.start(town);
    let shown = town.reeve(&["policy", "adopted"]).ok().out;
    assert!(shown.contains("by nobody's token"), "{shown}");
    assert_eq!(decision(&declined, &["--json"]).json()["verdict"], "agrees");
    federation.stop(town);
    town.reeve(&["verify"]).ok();
    federation.start(town);
}

/// The roots as the house keeps them.
fn published_roots(town: &Site) -> PathBuf {
    town.folder.join("roots.cbor")
}
