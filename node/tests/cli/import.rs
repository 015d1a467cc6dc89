//! `reeve import`: files into records and figures.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::federation::{Federation, Said, eventually};
use super::files::{UPSERT, append, ndjson, snapshot};

/// Somebody who may write cases.
pub fn writer() -> PathBuf {
    static WRITER: LazyLock<PathBuf> = LazyLock::new(|| {
        Federation::shared().town.token("health-office", &["--role", "writer", "--kind", "case"])
    });
    WRITER.clone()
}

/// Imports a file of this name and content.
pub fn import(name: &str, content: impl AsRef<[u8]>, mapping: &str, more: &[&str]) -> Said {
    let federation = Federation::shared();
    let file = federation.write(name, content);
    let mapping = federation.write(&format!("{name}.toml"), mapping);
    let arguments = [&["import", &file, "--mapping", &mapping], more].concat();
    federation.town.reeve_as(&writer(), &arguments)
}

/// Inserted, changed, deleted, unchanged.
fn written(said: Said) -> [u64; 4] {
    let document = said.json();
    ["inserted", "changed", "deleted", "unchanged"]
        .map(|name| document["written"][name].as_u64().unwrap_or_else(|| panic!("{document}")))
}

/// The unit's own rows of a day, as sex and count.
pub fn own_rows(day: &str) -> Vec<(String, i64)> {
    let query = ["query", "cases", "--own", "--period", day, "--json"];
    let said = Federation::shared().town.reeve(&query);
    if said.code != 0 {
        return Vec::new();
    }
    let rows: Vec<Value> = said.json()["rows"].as_array().unwrap().clone();
    rows.iter()
        .map(|row| {
            let sex = row["dimensions"][0].as_str().unwrap().to_owned();
            (sex, row["value"]["lo"].as_i64().unwrap())
        })
        .collect()
}

fn rows(pairs: &[(&str, i64)]) -> Vec<(String, i64)> {
    pairs.iter().map(|(sex, count)| ((*sex).to_owned(), *count)).collect()
}

#[test]
fn the_same_file_twice_changes_nothing_packed_or_not() {
    let file = "number,date,sex,age\ni1,2021-01-01,F,40\ni2,2021-01-01,M,\ni3,2021-01-01,F,3\n";
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(file.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    assert_eq!(written(import("same.csv.gz", packed, UPSERT, &["--json"])), [3, 0, 0, 0]);
    assert_eq!(written(import("same.csv", file, UPSERT, &["--json"])), [0, 0, 0, 3]);
    assert_eq!(own_rows("2021-01-01"), rows(&[("female", 2), ("male", 1)]));
    let sent = || {
        let sent = ["sent", "--json", "--indicator", "cases", "--limit", "1000"];
        let sent = Federation::shared().town.reeve(&sent).json();
        let about = |it: &&Value| it["figure"].as_str().unwrap().contains("2021-01-01");
        sent.as_array().unwrap().iter().filter(about).count()
    };
    eventually("the figure is told", || sent() == 1);
    import("same.csv", file, UPSERT, &[]).ok();
    assert_eq!(sent(), 1, "what did not change is not told again");
}

#[test]
fn an_upsert_replaces_and_a_dry_run_only_says_so() {
    let first = "number,date,sex,age\nu1,2021-02-01,F,40\nu2,2021-02-01,M,41\n";
    let second = "number,date,sex,age\nu1,2021-02-01,F,40\nu2,2021-02-01,F,41\nu3,2021-02-01,M,9\n";
    assert_eq!(written(import("u1.csv", first, UPSERT, &["--json"])), [2, 0, 0, 0]);
    let dry = import("u2.csv", second, UPSERT, &["--dry-run", "--json"]).json();
    let expected = json!({ "inserted": 1, "changed": 1, "deleted": 0, "unchanged": 1 });
    assert_eq!((&dry["would_write"], &dry["dry_run"]), (&expected, &json!(true)));
    assert_eq!(own_rows("2021-02-01"), rows(&[("female", 1), ("male", 1)]));
    let text = import("u2.csv", second, UPSERT, &["--dry-run"]).ok().out;
    assert!(
        text.contains("Nothing was imported") && text.contains("1 inserted, 1 changed"),
        "{text}"
    );
    assert_eq!(written(import("u2.csv", second, UPSERT, &["--json"])), [1, 1, 0, 1]);
    assert_eq!(own_rows("2021-02-01"), rows(&[("female", 2), ("male", 1)]));
}

#[test]
fn an_append_adds_and_never_replaces() {
    let first = "number,date,sex,age\na1,2021-03-01,F,40\n";
    let more = "number,date,sex,age\na1,2021-03-01,F,40\na2,2021-03-01,M,4\n";
    let other = "number,date,sex,age\na1,2021-03-01,F,41\na3,2021-03-01,M,5\n";
    assert_eq!(written(import("a1.csv", first, &append(), &["--json"])), [1, 0, 0, 0]);
    assert_eq!(written(import("a2.csv", more, &append(), &["--json"])), [1, 0, 0, 1]);
    import("a3.csv", other, &append(), &[]).fails(5, &["a3.csv", "1 records exist", "upsert"]);
    assert_eq!(own_rows("2021-03-01"), rows(&[("female", 1), ("male", 1)]));
}

#[test]
fn a_snapshot_is_the_full_state_of_its_days() {
    let before = "number,date,sex,age\ns1,2021-04-01,F,1\ns2,2021-04-01,M,2\ns3,2021-04-02,M,3\n";
    let after = "number,date,sex,age\ns1,2021-04-01,F,1\ns4,2021-04-01,F,2\n";
    assert_eq!(written(import("s1.csv", before, &snapshot(), &["--json"])), [3, 0, 0, 0]);
    let dry = import("s2.csv", after, &snapshot(), &["--dry-run", "--json"]).json();
    assert_eq!(dry["would_write"]["deleted"], 1);
    assert_eq!(written(import("s2.csv", after, &snapshot(), &["--json"])), [1, 0, 1, 1]);
    assert_eq!(own_rows("2021-04-01"), rows(&[("female", 2)]));
    assert_eq!(own_rows("2021-04-02"), rows(&[("male", 1)]), "another day is left alone");
    let none = "number,date,sex,age\n";
    import("s3.csv", none, &snapshot(), &[]).fails(5, &["s3.csv", "allow_empty"]);
    assert_eq!(own_rows("2021-04-01"), rows(&[("female", 2)]));
}

#[test]
fn lines_of_json_are_read_and_a_header_alone_is_a_nil_report() {
    let lines = "{\"number\": 1, \"date\": \"2021-05-01\", \"sex\": \"F\", \"age\": 5}\n\
                 {\"number\": 2, \"date\": \"2021-05-01\", \"sex\": null, \"extra\": [1]}\n";
    assert_eq!(written(import("n.ndjson", lines, &ndjson(), &["--json"])), [2, 0, 0, 0]);
    assert_eq!(own_rows("2021-05-01"), rows(&[("", 1), ("female", 1)]));
    let close = ["--closes", "2021-05-02", "--json"];
    assert_eq!(written(import("nil.csv", "number,date,sex,age\n", UPSERT, &close)), [0; 4]);
    let query = ["query", "cases", "--own", "--period", "2021-05-02", "--json"];
    let figure = Federation::shared().town.reeve(&query).json();
    assert_eq!((&figure["total"]["value"]["hi"], &figure["included"]), (&json!(0), &json!(1)));
    let query = ["query", "cases", "--own", "--period", "2021-05-03"];
    Federation::shared().town.reeve(&query).fails(1, &["no own table", "no source has closed it"]);
}

#[test]
fn the_operator_imports_without_seeing_records() {
    let federation = Federation::shared();
    let file = federation.write("op.csv", "number,date,sex,age\no1,2021-06-01,F,40\n");
    let mapping = federation.write("op.toml", UPSERT);
    let town = &federation.town;
    let dry = town.reeve(&["import", &file, "--mapping", &mapping, "--dry-run"]).ok();
    assert!(dry.err.contains("may not read records"), "{dry:?}");
    town.reeve(&["import", &file, "--mapping", &mapping]).ok();
    assert_eq!(own_rows("2021-06-01"), rows(&[("female", 1)]));
    let add = federation.write("op-append.toml", append());
    town.reeve(&["import", &file, "--mapping", &add]).fails(1, &["writer's token"]);
    let other = town.token("stock-writer", &["--role", "writer", "--kind", "stock"]);
    town.reeve_as(&other, &["import", &file, "--mapping", &mapping])
        .fails(3, &["Declined by policy"]);
}

#[test]
fn a_mapping_with_mistakes_is_refused_with_their_places() {
    let mistakes = UPSERT.replace("[field.age]", "[field.agee]").replace("\"upsert\"", "\"upsrt\"");
    let said = import("m.csv", "number,date,sex,age\n", &mistakes, &[]);
    let said = said.fails(5, &["m.csv.toml", "upsrt", "agee"]);
    assert!(said.err.contains(":3:"), "the line of the mistake: {said:?}");
}
