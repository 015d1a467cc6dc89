//! Joining and reporting by file: two nodes that never have a connection.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::federation::{Federation, Site, eventually};

const DAY: &str = "2021-05-01";

fn put(site: &Site, token: &Path, ids: std::ops::Range<u32>) {
    for id in ids {
        let fields = format!(r#"{{"reported_on": "{DAY}", "sex": "female", "age": 40}}"#);
        let id = format!("c{id}");
        site.reeve_as(token, &["record", "put", "case", &id, "--fields", &fields]).ok();
    }
}

/// The least that the nation's figure may be: the men's row is hidden.
fn total(nation: &Site) -> Value {
    let query = ["query", "cases", "--period", DAY, "--area", "it/017", "--json"];
    let said = nation.reeve(&query);
    if said.code == 0 { said.json()["total"]["value"]["lo"].clone() } else { Value::Null }
}

fn export(from: &Site, to: &str, file: &str) {
    from.reeve(&["report", "export", "--to", to, file]).ok();
}

/// Messages that were taken, that were older than what is there, and why others were refused.
fn import(at: &Site, file: &str) -> (u64, u64, Vec<String>) {
    let said = at.reeve(&["report", "import", file, "--json"]);
    assert!(said.code == 0 || said.code == 5, "{said:?}");
    let letters: Vec<Value> = serde_json::from_str(&said.out).unwrap();
    let sum = |of: &str| letters.iter().map(|it| it[of].as_u64().unwrap()).sum();
    let refused = letters.iter().flat_map(|it| it["refused"].as_array().unwrap());
    let codes = refused.map(|it| it["code"].as_str().unwrap().to_owned()).collect();
    (sum("accepted"), sum("known"), codes)
}

fn takes(at: &Site, file: &str) -> u64 {
    let (accepted, _, refused) = import(at, file);
    assert!(refused.is_empty(), "{refused:?}");
    accepted
}

fn status(site: &Site) -> Value {
    site.reeve(&["status", "--json"]).json()
}

/// Waits until a site's own table has its last change.
fn settled(site: &Site, cases: u32) {
    eventually("the table has it", || {
        let said = site.reeve(&["query", "cases", "--period", DAY, "--own", "--json"]);
        said.code == 0 && said.json()["total"]["value"]["lo"] == cases
    });
}

/// Joins by file, and runs.
fn admitted(federation: &Federation) -> Site {
    let (nation, town) = (&federation.nation, federation.begin("017"));
    let (request, answer) = (federation.path("017.request"), federation.path("017.answer"));
    let passphrase = federation.path("passphrase");
    let key = ["--passphrase-file", passphrase.as_str()];
    let applied =
        town.reeve(&[&["request", "--under", "it", &request, "--json"][..], &key].concat());
    let applicant = applied.json()["key"].as_str().unwrap().to_owned();
    let admit = |told: &str| {
        let admit =
            ["admit", &request, &answer, "--key", told, "--level", "municipality", "--json"];
        nation.reeve(&[&admit[..], &["--name", "en=By file"], &key].concat())
    };
    admit(&"0".repeat(64)).fails(1, &["not of the one that was told"]);
    admit(&applicant[..8]).fails(1, &["first 16 digits"]);
    assert!(!Path::new(&answer).exists());
    let federation_id = admit(&applicant[..16]).json()["federation"].as_str().unwrap().to_owned();
    admit(&applicant).fails(1, &["there already"]);
    let join = |id: &str| {
        let join = ["join", "--answer", &answer, "--federation", id, "--without-line"];
        town.reeve(&[&join[..], &key].concat())
    };
    join(&"1".repeat(64)).fails(1, &["do not join"]);
    let joined = join(&federation_id).ok();
    assert!(joined.out.contains("It dials nobody"), "{joined:?}");
    join(&federation_id).fails(1, &[]);
    let keys = fs::read_dir(town.folder.join("keys")).unwrap().count();
    assert_eq!(keys, 3, "its keys stayed");
    federation.start(&town);
    town
}

#[test]
fn a_unit_without_a_line_joins_and_reports_by_file() {
    let federation = Federation::found("redb");
    let nation = &federation.nation;
    let town = admitted(&federation);
    let token = town.token("cases", &["--role", "writer", "--kind", "case"]);
    let file = |name: &str| federation.path(name);
    let listed = nation.reeve(&["status", "--json"]).json()["subordinates"].to_string();
    assert!(listed.contains("017"), "it is expected to report: {listed}");

    // Its superior answers before it is answered; nothing is signed on that.
    export(nation, "it/017", &file("down0"));
    assert!(takes(&town, &file("down0")) >= 2);
    eventually("it follows the catalogue", || status(&town)["catalogue_version"] == 1);
    put(&town, &token, 0..9);
    town.reeve(&["record", "close", "case", DAY, "--source", "office"]).ok();
    let told = town.reeve(&["status"]).ok().out;
    assert!(told.contains("no line to the superior"), "{told}");
    assert_eq!(
        (&status(&town)["needs_letter"], &status(&town)["ledger_size"]),
        (&json!(true), &json!(0))
    );

    export(&town, "it", &file("up0"));
    assert_eq!(takes(nation, &file("up0")), 1, "the ledger's head");
    export(nation, "it/017", &file("down1"));
    takes(&town, &file("down1"));
    assert!(status(&town).get("needs_letter").is_none());
    settled(&town, 9);
    export(&town, "it", &file("up1"));
    assert_eq!(total(nation), Value::Null);
    assert!(takes(nation, &file("up1")) > 1);
    eventually("the nation adds it up", || total(nation) == 9);
    let editions = status(&town)["ledger_size"].clone();

    // Twice, and in another order.
    takes(nation, &file("up1"));
    takes(nation, &file("up0"));
    // Near a number that was told before, a figure would be an interval.
    put(&town, &token, 9..20);
    settled(&town, 20);
    export(&town, "it", &file("up2"));
    put(&town, &token, 20..30);
    settled(&town, 30);
    export(&town, "it", &file("up3"));
    takes(nation, &file("up3"));
    eventually("the newest counts", || total(nation) == 30);
    let (_, known, refused) = import(nation, &file("up2"));
    assert!(known > 0 && refused.is_empty(), "{known} {refused:?}");
    assert_eq!(total(nation), 30);
    assert!(status(&town)["ledger_size"].as_u64() > editions.as_u64());

    // The receipt; the older one says less, and that is sent again.
    assert!(status(&town)["unsent"].as_u64() > Some(0));
    export(nation, "it/017", &file("down2"));
    takes(&town, &file("down2"));
    assert_eq!(status(&town)["unsent"], 0);
    let (_, _, refused) = import(&town, &file("down1"));
    assert!(refused.is_empty(), "{refused:?}");
    takes(&town, &file("down2"));
    assert_eq!(status(&town)["unsent"], 0);

    // What is not for it, and what was altered.
    federation.town.reeve(&["report", "import", &file("down2")]).fails(1, &["another audience"]);
    federation
        .town
        .reeve(&["report", "export", "--to", "it/017", &file("none")])
        .fails(1, &["it/017"]);
    assert!(!Path::new(&file("none")).exists());
    let good = fs::read(file("up3")).unwrap();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    let bad = federation.write("bad", &bad);
    assert_ne!(nation.reeve(&["report", "import", &bad]).code, 0);
    let cut = federation.write("cut", &good[..good.len() - 1]);
    nation.reeve(&["report", "import", &cut]).fails(1, &["ends in the middle"]);
    let mut newer = good;
    newer[7] = 2;
    let newer = federation.write("newer", &newer);
    nation.reeve(&["report", "import", &newer]).fails(1, &["has format 2", "newer program"]);
    assert_eq!(total(nation), 30);

    // A restart needs no new answer.
    federation.stop(&town);
    federation.start(&town);
    put(&town, &token, 30..40);
    settled(&town, 40);
    export(&town, "it", &file("up4"));
    takes(nation, &file("up4"));
    eventually("it reports on", || total(nation) == 40);
    let connected = status(&town)["peers"].to_string();
    assert!(!connected.contains("\"connected\":true"), "they never met: {connected}");
}
