//! `reeve twin`: removed records leave every file, on every node of the home, and stay away.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::federation::{Alone, Federation, Said, Site, eventually};

/// Days of the records: the first ones expire.
const OLD: &str = "2021-05-01";
const NEW: &str = "2021-07-01";
const CUT: &str = "2021-06-01";

/// What an expired record says, and nothing else does.
fn secret(n: u32) -> String {
    format!("wormwood-{n}-quillback")
}

/// The files below a folder that hold these bytes, whatever they are.
fn holding(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, text));
            continue;
        }
        // A file of the store may go while it is looked for.
        let bytes = fs::read(&path).unwrap_or_default();
        if bytes.windows(text.len()).any(|part| part == text.as_bytes()) {
            found.push(path);
        }
    }
    found
}

fn put(site: &Site, token: &Path, id: &str, day: &str, note: &str) -> Said {
    let fields =
        format!(r#"{{"reported_on": "{day}", "sex": "female", "age": 40, "note": "{note}"}}"#);
    site.reeve_as(token, &["record", "put", "case", id, "--fields", &fields])
}

fn cases(site: &Site, token: &Path) -> Vec<String> {
    let said = site.reeve_as(token, &["record", "list", "case", "--json"]).ok().json();
    let records = said["records"].as_array().unwrap().iter();
    let mut ids: Vec<String> =
        records.map(|record| record["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

/// The unit's own table: how many cases the day has.
fn own(site: &Site, day: &str) -> Option<u64> {
    let said = site.reeve(&["query", "cases", "--period", day, "--own", "--json"]);
    let figure = (said.code == 0).then(|| said.json())?;
    figure["total"]["value"]["lo"].as_u64()
}

/// Where a node listens; the other node of its home looks for it there.
fn listens(site: &Site) -> String {
    let address = site.running()["peers"][0].as_str().unwrap().to_owned();
    address.split("/p2p/").next().unwrap().to_owned()
}

fn listen_at(site: &Site, address: &str) {
    let config = site.folder.join("reeve.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replacen("/ip4/127.0.0.1/tcp/0", address, 1)).unwrap();
}

/// Writes what is to expire and what is to stay, and closes the days.
fn write_cases(site: &Site, token: &Path) {
    for n in 0..8 {
        put(site, token, &format!("old-{n}"), OLD, &secret(n)).ok();
        put(site, token, &format!("new-{n}"), NEW, "it stays").ok();
    }
    for day in [OLD, NEW] {
        site.reeve(&["record", "close", "case", day, "--source", "office"]).ok();
    }
}

#[track_caller]
fn is_gone_from(folder: &Path) {
    for n in 0..8 {
        assert_eq!(holding(folder, &secret(n)), Vec::<PathBuf>::new());
        assert_eq!(holding(folder, &format!("old-{n}")), Vec::<PathBuf>::new());
    }
}

fn expired_records_leave_every_file(engine: &str) {
    let federation = Federation::found(engine);
    let (town, nation) = (&federation.town, &federation.nation);
    let second = federation.second_node("health");
    let token = town.token("cases", &["--role", "writer", "--kind", "case"]);
    let theirs = second.token("cases", &["--role", "writer", "--kind", "case"]);
    write_cases(town, &token);
    let told = |site: &Site| {
        let said = site.reeve(&["query", "cases", "--period", OLD, "--json"]);
        (said.code == 0).then(|| said.json())
    };
    eventually("the nation has the figure, and it moves no more", || {
        let seen = told(nation);
        std::thread::sleep(std::time::Duration::from_secs(3));
        seen.is_some() && told(nation) == seen
    });
    eventually("the second node has all", || cases(&second, &theirs).len() == 16);
    let before = told(nation).unwrap();
    assert_eq!(own(town, OLD), Some(8));
    for site in [town, &second] {
        assert!(!holding(&site.folder, &secret(3)).is_empty(), "it is there before");
    }

    // The second node is away, and its people go on: two of the records are too old to stay.
    federation.stop(&second);
    let file = federation.path("before.backup");
    town.reeve(&["backup", &file]).ok();
    assert!(fs::read(&file).unwrap().windows(9).any(|part| part == b"quillback"));

    let expire = ["twin", "expire", "--kind", "case", "--before", CUT];
    let said = town.reeve(&[&expire[..], &["--dry-run"]].concat()).ok();
    assert!(
        said.out.contains("8 records older than 2021-06-01 would be removed, 8 kept"),
        "{said:?}"
    );
    assert_eq!(cases(town, &token).len(), 16, "nothing is removed yet");
    let said = town.reeve(&[&expire[..], &["--json"]].concat()).ok().json();
    assert_eq!(said["kinds"][0]["records"], json!(8), "{said}");
    assert_eq!(cases(town, &token), (0..8).map(|n| format!("new-{n}")).collect::<Vec<_>>());
    is_gone_from(&town.folder);
    let after = federation.path("after.backup");
    town.reeve(&["backup", &after]).ok();
    for n in 0..8 {
        let (bytes, secret) = (fs::read(&after).unwrap(), secret(n));
        assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()));
    }

    // Figures stand, at home and above, also after a restart.
    assert_eq!((own(town, OLD), own(town, NEW)), (Some(8), Some(8)));
    let listens = listens(town);
    federation.stop(town);
    listen_at(town, &listens);
    federation.start(town);
    assert_eq!((own(town, OLD), own(town, NEW)), (Some(8), Some(8)));
    let figure = told(nation).unwrap();
    assert_eq!((&figure["rows"], &figure["edition"]), (&before["rows"], &before["edition"]));

    // What comes late is refused, and counted.
    put(town, &token, "late", OLD, "late").fails(1, &["case is sealed before 2021-06-01"]);
    let late = ["record", "close", "case", OLD, "--source", "office"];
    town.reeve(&late).fails(1, &["case is sealed before 2021-06-01"]);

    // The node that was away removes them too, before it has anything new.
    put(town, &token, "new-8", NEW, "it stays").ok();
    federation.start(&second);
    eventually("the second node has the new record", || {
        cases(&second, &theirs).contains(&"new-8".to_owned())
    });
    is_gone_from(&second.folder);
    assert_eq!(cases(&second, &theirs).len(), 9);
    assert_eq!(cases(town, &token).len(), 9);
    assert_eq!(own(town, OLD), Some(8));
    let status = town.reeve(&["status", "--json"]).json();
    assert_eq!(status["forks"], json!([]));
    restored(&federation, &file, &token);
}

/// The node is restored from the backup that was made before: it hears from the other one what must go.
fn restored(federation: &Federation, file: &str, token: &Path) {
    let town = &federation.town;
    let listens = listens(town);
    federation.stop(town);
    let lost = federation.path("lost");
    fs::rename(&town.folder, &lost).unwrap();
    let (keys, passphrase) = (format!("{lost}/keys"), federation.path("passphrase"));
    town.reeve(&["restore", file, "--keys", &keys, "--passphrase-file", &passphrase]).ok();
    assert!(!holding(&town.folder, &secret(3)).is_empty(), "the backup has it");
    listen_at(town, &listens);
    federation.start(town);
    let token = Path::new(&lost).join(token.file_name().unwrap());
    eventually("the restored node has what stayed", || {
        let listed = town.reeve_as(&token, &["record", "list", "case", "--json"]);
        listed.code == 0 && cases(town, &token).len() == 9 && own(town, OLD) == Some(8)
    });
    is_gone_from(&town.folder);
}

#[test]
fn expired_records_leave_every_file_with_redb() {
    expired_records_leave_every_file("redb");
}

#[test]
fn expired_records_leave_every_file_with_sled() {
    expired_records_leave_every_file("sled");
}

#[test]
fn one_record_is_erased_and_nothing_names_it() {
    let mut alone = Alone::found("redb");
    let site = &alone.site;
    let token = site.token("cases", &["--role", "writer", "--kind", "case"]);
    for n in 0..6 {
        put(site, &token, &format!("person-{n}"), NEW, &secret(n)).ok();
    }
    assert_eq!(own(site, NEW), Some(6));
    site.reeve(&["twin", "erase", "case", "nobody"]).fails(1, &["no record of that id"]);
    let said = site.reeve(&["twin", "erase", "case", "person-3"]).ok();
    assert!(said.out.contains("nothing says whose it was"), "{said:?}");
    assert_eq!(cases(site, &token).len(), 5);
    for text in [secret(3), "person-3".to_owned()] {
        assert_eq!(holding(&site.folder, &text), Vec::<PathBuf>::new());
    }
    let log = fs::read_to_string(site.folder.join("run.log")).unwrap();
    assert!(log.contains("one record was erased"), "{log}");
    assert_eq!(own(site, NEW), Some(6), "the figure stands");
    assert!(!holding(&site.folder, &secret(2)).is_empty(), "the others are there");
    // A writer may not.
    site.reeve_as(&token, &["twin", "erase", "case", "person-2"]).fails(3, &[]);
    alone.stop();
    alone.start();
    assert_eq!(own(&alone.site, NEW), Some(6), "also after a restart");
}
