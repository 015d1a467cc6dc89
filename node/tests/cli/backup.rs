//! `reeve backup` and `reeve restore`: a node is lost and comes back, and nothing is done twice.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::federation::{Alone, Federation, Site, eventually};
use super::routes::{ask, bearer};

const DAY: &str = "2021-05-01";

fn put(site: &Site, token: &Path, id: &str) {
    let fields = format!(r#"{{"reported_on": "{DAY}", "sex": "female", "age": 40}}"#);
    site.reeve_as(token, &["record", "put", "case", id, "--fields", &fields]).ok();
}

/// What the women's row may be: near a number that was told before it is an interval.
fn women(site: &Site, which: &[&str]) -> Option<(u64, u64)> {
    let said = site.reeve(&[&["query", "cases", "--period", DAY, "--json"], which].concat());
    let figure = (said.code == 0).then(|| said.json())?;
    let rows = figure["rows"].as_array()?;
    let row = rows.iter().find(|row| row["dimensions"].to_string().contains("female"))?;
    Some((row["value"]["lo"].as_u64()?, row["value"]["hi"].as_u64()?))
}

#[track_caller]
fn sees(site: &Site, cases: u32) {
    let cases = u64::from(cases);
    eventually(&format!("{} sees {cases} cases", site.folder.display()), || {
        women(site, &[]).is_some_and(|(least, most)| (least..=most).contains(&cases))
    });
}

/// Figures that a node signed: term, figure, edition.
fn editions(site: &Site, term: u64) -> BTreeSet<(u64, String, u64)> {
    let term_text = term.to_string();
    let sent = site.reeve(&["sent", "--term", &term_text, "--limit", "10000", "--json"]).json();
    let figures = sent.as_array().unwrap().iter().filter(|it| it["edition"].as_u64() > Some(0));
    figures
        .map(|it| {
            (term, it["figure"].as_str().unwrap().to_owned(), it["edition"].as_u64().unwrap())
        })
        .collect()
}

/// What the nation refused of what it was told.
fn refused(site: &Site) -> Vec<String> {
    let token = fs::read_to_string(site.folder.join("operator.token")).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    let (_, text) = ask(site.api(), "GET /metrics", &[("Authorization", &bearer)], b"");
    text.lines().filter(|line| line.contains("refused_statements")).map(str::to_owned).collect()
}

#[test]
fn a_node_that_is_lost_comes_back_with_what_was_backed_up_and_what_its_home_has() {
    let federation = Federation::found("redb");
    let (town, nation) = (&federation.town, &federation.nation);
    let second = federation.second_node("health");
    let token = town.token("cases", &["--role", "writer", "--kind", "case"]);
    for n in 0..10 {
        put(town, &token, &format!("before-{n}"));
    }
    town.reeve(&["record", "close", "case", DAY, "--source", "office"]).ok();
    sees(nation, 10);

    // It is written to meanwhile.
    let file = federation.path("town.backup");
    let (stop, mut written) = (AtomicBool::new(false), 0);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut written = 0;
            while !stop.load(Ordering::Relaxed) {
                put(town, &token, &format!("meanwhile-{written}"));
                written += 1;
            }
            written
        });
        let said = town.reeve(&["backup", &file]).ok();
        for part in
            ["it/016 (term 1)", "Keys     not in it", "reads every record", "keys/ (without"]
        {
            assert!(said.out.contains(part), "{part} in {said:?}");
        }
        stop.store(true, Ordering::Relaxed);
        written = writing.join().unwrap();
    });
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!town.folder.join("backup.proof").exists());
    let checked = town.reeve(&["backup", "--check", &file, "--json"]).json();
    assert_eq!((&checked["unit"], &checked["term"]), (&json!("it/016"), &json!(1)));
    assert!(checked["ledger_entries"].as_u64() > Some(3), "{checked}");
    town.reeve(&["backup", &file]).fails(1, &["never overwritten"]);

    // What comes after it, the other node of the home has.
    for n in 0..5 {
        put(town, &token, &format!("after-{n}"));
    }
    let all = 15 + written;
    sees(nation, all);
    sees(&second, all);
    let known = editions(town, 1);
    let address = town.running()["peers"][0].as_str().unwrap().to_owned();
    federation.stop(town);
    let lost = federation.path("lost");
    fs::rename(&town.folder, &lost).unwrap();

    let (keys, passphrase) = (format!("{lost}/keys"), federation.path("passphrase"));
    let restore = ["restore", &file, "--keys", &keys, "--passphrase-file", &passphrase];
    let said = town.reeve(&[&restore[..], &["--json"]].concat()).json();
    assert_eq!((&said["new_term"], &said["ledger_term"]), (&json!(2), &json!(1)), "{said}");
    town.reeve(&restore).fails(1, &["is not empty"]);
    let verified = town.reeve(&["verify", "--json"]).json();
    assert_eq!(verified["sound"], true, "{verified}");
    // The other node of its home looks for it where it was.
    let config = town.folder.join("reeve.toml");
    let listen = address.split("/p2p/").next().unwrap();
    let text = fs::read_to_string(&config).unwrap();
    assert!(text.contains("\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]"), "{text}");
    fs::write(&config, text.replacen("/ip4/127.0.0.1/tcp/0", listen, 1)).unwrap();
    federation.start(town);
    eventually("it signs again", || {
        let status = town.reeve(&["status", "--json"]).json();
        status["term"] == 2 && status["unsent"] == 0 && status.get("following_home").is_none()
    });
    sees(town, all);
    sees(nation, all);
    // The token file came back too: the same secret writes.
    let token = Path::new(&lost).join("cases.secret");
    put(town, &token, "anew");
    sees(nation, all + 1);
    sees(&second, all + 1);

    let again = editions(town, 2);
    assert!(!again.is_empty() && again.is_disjoint(&known));
    let newest = |of: &BTreeSet<(u64, String, u64)>, figure: &str| {
        of.iter().filter(|it| it.1 == figure).map(|it| it.2).max().unwrap_or(0)
    };
    for (_, figure, edition) in &again {
        assert!(*edition > newest(&known, figure), "{figure}: {edition} was told before");
    }
    assert!(refused(nation).is_empty(), "{:?}", refused(nation));
    let status = town.reeve(&["status", "--json"]).json();
    assert_eq!((&status["forks"], status.get("superior_ledger")), (&json!([]), None), "{status}");
    assert!(second.reeve(&["status", "--json"]).json()["forks"].as_array().unwrap().is_empty());
}

/// The first unit: backed up while stopped, with its keys, and restored without a term at first.
fn a_stopped_node_is_backed_up_and_restored(engine: &str) {
    let mut alone = Alone::found(engine);
    let token = alone.site.token("cases", &["--role", "writer", "--kind", "case"]);
    for n in 0..10 {
        put(&alone.site, &token, &format!("c{n}"));
    }
    alone.site.reeve(&["record", "close", "case", DAY, "--source", "office"]).ok();
    sees(&alone.site, 10);
    assert_eq!(alone.stop(), Some(0));
    let file = alone.write("unused", "").replace("unused", "alone.backup");
    let passphrase = alone.write("passphrase", super::files::PASSPHRASE);
    let said = alone.site.reeve(&["backup", &file, "--keys", "--json"]).json();
    assert_eq!((&said["node_ran"], &said["keys"]), (&json!(false), &json!(true)));
    let kept = said["kept"].to_string();
    for name in ["keys/node.key", "keys/authority.key", "policy.cedar", "tokens.toml", "issued/"] {
        assert!(kept.contains(name), "{name} in {kept}");
    }
    assert!(!alone.site.folder.join("backup.copy").exists());

    let lost = alone.site.folder.with_extension("lost");
    fs::rename(&alone.site.folder, &lost).unwrap();
    alone.site.reeve(&["restore", &file]).fails(1, &["--later"]);
    assert!(fs::read_dir(&alone.site.folder).unwrap().next().is_none(), "whole or not at all");
    let said = alone.site.reeve(&["restore", &file, "--later"]).ok();
    assert!(said.out.contains("No new term was begun"), "{said:?}");
    alone.start();
    sees(&alone.site, 10);
    let token = lost.join("cases.secret");
    let signed = editions(&alone.site, 1);
    // Far from every number that was told before: near one, no other edition would be needed.
    for n in 10..30 {
        put(&alone.site, &token, &format!("c{n}"));
    }
    eventually("it has thirty at home", || women(&alone.site, &["--own"]) == Some((30, 30)));
    let status = alone.site.reeve(&["status"]).ok().out;
    assert!(status.contains("STOPPED: this store was restored from the backup of"), "{status}");
    assert_eq!(editions(&alone.site, 1), signed, "nothing is signed");
    let renew = ["certificate", "renew", "--new-term", "--passphrase-file", &passphrase];
    alone.site.reeve(&renew).ok();
    eventually("it signs again", || !editions(&alone.site, 2).is_empty());
    assert_eq!(alone.site.reeve(&["status", "--json"]).json()["term"], 2);
    assert!(editions(&alone.site, 2).is_disjoint(&editions(&alone.site, 1)));
    assert_eq!(alone.stop(), Some(0));
    let verified = alone.site.reeve(&["verify", "--json"]).json();
    assert_eq!((&verified["sound"], &verified["earlier_ledgers"]), (&json!(true), &json!(1)));
}

#[test]
fn a_stopped_redb_node_is_backed_up_and_restored() {
    a_stopped_node_is_backed_up_and_restored("redb");
}

#[test]
fn a_stopped_sled_node_is_backed_up_and_restored() {
    a_stopped_node_is_backed_up_and_restored("sled");
}

#[test]
fn a_token_alone_gets_no_image_of_the_store() {
    let town = &Federation::shared().town;
    let operator = bearer(town, "image", &["--role", "operator"]);
    for proof in ["", "0", &"0".repeat(64)] {
        let headers = [("Authorization", operator.as_str()), ("Reeve-Folder-Proof", proof)];
        let (status, text) = ask(town.api(), "GET /v1/image", &headers, b"");
        assert_eq!(status, 422, "{text}");
        assert!(text.contains("no_image") && text.contains("reeve backup"), "{text}");
    }
    let writer = bearer(town, "image-writer", &["--role", "writer"]);
    assert_eq!(ask(town.api(), "GET /v1/image", &[("Authorization", &writer)], b"").0, 403);
}

#[test]
fn newer_formats_are_refused_and_left_as_they_are() {
    let mut alone = Alone::found("redb");
    alone.stop();
    let file = alone.write("unused", "").replace("unused", "x.backup");
    alone.site.reeve(&["backup", &file, "--keys"]).ok();
    let mut bytes = fs::read(&file).unwrap();
    bytes[7] = 9;
    let newer = alone.write("newer.backup", &bytes);
    let other = Site { folder: alone.site.folder.with_extension("other") };
    let told = ["has format 9", "reads up to format 1", "nothing was changed"];
    other.reeve(&["restore", &newer, "--later"]).fails(1, &told);
    assert!(!other.folder.join("reeve.toml").exists());
    alone.site.reeve(&["backup", "--check", &newer]).fails(5, &told);

    let config = alone.site.folder.join("reeve.toml");
    let text = fs::read_to_string(&config).unwrap();
    assert!(text.contains("\nformat = 1\n"), "{text}");
    fs::write(&config, text.replace("format = 1", "format = 2\nunheard_of = true")).unwrap();
    let told = ["reeve.toml:", "a format up to 1", "found the number 2", "run the newer program"];
    let said = alone.site.reeve(&["run"]).fails(1, &told);
    assert!(!said.err.contains("unheard_of"), "its keys are not judged: {said:?}");
    fs::write(&config, text.replace("format = 1\n", "")).unwrap();
    alone.start();
    alone.stop();
}
