//! `reeve report nil|alive|withdraw`, `reeve register calendar`, and `--reason`: what a house says of its
//! periods, and what the nation makes of it.

use std::fs;

use serde_json::{Value, json};

use super::federation::{Federation, eventually};
use super::files::{CATALOGUE, UPSERT, snapshot};

/// Before the laboratory began.
const FIRST: &str = "2021-05-01";
const MERGED: &str = "2021-05-04";

/// 2021-05-02 was a Sunday, 2021-06-02 (a Wednesday) is a holiday here.
const SUNDAY: &str = "2021-05-02";
const HOLIDAY: &str = "2021-06-02";

const SOURCES: &str = r#"
[source.office]
kinds = ["case"]

[source.laboratory]
kinds = ["case"]
from = "2021-05-02"
silent_after = "2h"
"#;

/// A day that both report: a heartbeat closes those that ended in the last year or so.
fn ten_days_ago() -> String {
    let then = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(240);
    then.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

/// A federation whose municipality has two sources.
fn house() -> Federation {
    let federation = Federation::found("redb");
    let town = &federation.town;
    federation.stop(town);
    let config = town.folder.join("reeve.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}{SOURCES}")).unwrap();
    federation.start(town);
    federation
}

/// The nation's figure of a day; null: there is none.
fn told(federation: &Federation, day: &str) -> Value {
    let said = federation.nation.reeve(&["query", "cases", "--period", day, "--json"]);
    if said.code == 0 { said.json() } else { Value::Null }
}

#[track_caller]
fn states(federation: &Federation, day: &str, expected: &Value) {
    let what = format!("{day} is {expected} at the nation");
    eventually(&what, || told(federation, day)["states"] == *expected);
}

/// What `status` says of a source.
fn source(federation: &Federation, name: &str) -> Value {
    let status = federation.town.reeve(&["status", "--json"]).json();
    let sources = status["sources"].as_array().unwrap().iter();
    sources.into_iter().find(|it| it["source"] == name).unwrap().clone()
}

#[test]
fn sources_report_nothing_are_alive_and_take_back() {
    let federation = house();
    let town = &federation.town;
    let writer = town.token("cases", &["--role", "writer", "--kind", "case"]);
    let nil = |day: &str| {
        let nil = ["report", "nil", "case", day, "--source", "office"];
        town.reeve_as(&writer, &nil)
    };
    assert_eq!(source(&federation, "laboratory")["silent"], true);
    let status = town.reeve(&["status"]).ok().out;
    assert!(status.contains("laboratory (case): SILENT, never heard of"), "{status}");
    assert!(status.contains("office (case): has closed nothing yet"), "{status}");

    let viewer = town.token("looker", &["--role", "viewer"]);
    let refused = ["report", "nil", "case", FIRST, "--source", "office"];
    town.reeve_as(&viewer, &refused).fails(3, &[]);
    let said = nil(FIRST).ok().out;
    assert!(said.contains("office has nothing of case to report for 2021-05-01"), "{said}");
    states(&federation, FIRST, &json!({ "reported": 1 }));
    assert_eq!(told(&federation, FIRST)["total"]["value"]["lo"], 0);
    assert_eq!(source(&federation, "office")["last_day"], FIRST);

    // One of two: who is missing is named at home, and counted above.
    let both = ten_days_ago();
    let both = both.as_str();
    nil(both).ok();
    states(&federation, both, &json!({ "partial": 1 }));
    let exception = told(&federation, both)["exceptions"][0].clone();
    assert_eq!(exception["sources"], json!([1, 2]), "{exception}");
    let day = ["situation", "--day", both];
    let home = town.reeve(&[&day[..], &["--json"]].concat()).json();
    let cases = home["indicators"].as_array().unwrap().iter().find(|it| it["indicator"] == "cases");
    assert_eq!(cases.unwrap()["silent_sources"], json!(["laboratory"]));
    let shown = town.reeve(&day).ok().out;
    assert!(shown.contains("no word from laboratory: cases"), "{shown}");
    let nation = federation.nation.reeve(&["situation", "--day", both, "--json"]).ok().out;
    assert!(!nation.contains("laboratory"), "its name stays in the house: {nation}");

    let alive = ["report", "alive", "case", "--source", "laboratory"];
    assert!(town.reeve_as(&writer, &alive).ok().out.contains("laboratory is alive for case"));
    states(&federation, both, &json!({ "reported": 1 }));
    let laboratory = source(&federation, "laboratory");
    assert_eq!(laboratory["silent"], false);
    assert!(laboratory["heard_at"].is_string(), "{laboratory}");

    let withdraw = ["report", "withdraw", "case", FIRST, "--source", "office"];
    let said = town.reeve_as(&writer, &withdraw).ok().out;
    assert!(said.contains("office takes back what it said of case for 2021-05-01"), "{said}");
    states(&federation, FIRST, &json!({ "withdrawn": 1 }));
    assert_eq!(told(&federation, FIRST)["total"], Value::Null, "nothing is no zero");
    let again = ["record", "close", "case", FIRST, "--source", "office", "--reason", "correction"];
    town.reeve_as(&writer, &again).ok();
    states(&federation, FIRST, &json!({ "reported": 1 }));
    eventually("the nation is told why", || told(&federation, FIRST)["reason"] == "correction");
}

#[test]
fn an_import_says_why_it_says_something_again() {
    let federation = house();
    let town = &federation.town;
    let rows = |count: u32| -> String {
        let rows: String = (0..count).map(|n| format!("m{n},{MERGED},F,{n}\n")).collect();
        format!("number,date,sex,age\n{rows}")
    };
    // The laboratory says nothing of it: the day's figure is partial, and revised all the same.
    let upsert = federation.write("upsert.toml", UPSERT);
    let merged = federation.write("merged.toml", snapshot());
    let (twice, once) =
        (federation.write("twice.csv", rows(40)), federation.write("once.csv", rows(20)));
    let import = |file: &str, mapping: &str, more: &[&str]| {
        town.reeve(&[&["import", file, "--mapping", mapping][..], more].concat())
    };
    import(&twice, &upsert, &[]).ok();
    let lo = |federation: &Federation| told(federation, MERGED)["total"]["value"]["lo"].clone();
    eventually("the nation has all", || lo(&federation) == 40);
    import(&once, &merged, &["--reason", "no_such"]).fails(2, &["duplicate_removed"]);
    import(&once, &merged, &["--reason", "duplicate_removed"]).ok();
    eventually("the nation has them once", || lo(&federation) == 20);
    assert_eq!(told(&federation, MERGED)["reason"], "duplicate_removed");
    let history = ["history", "cases", "--period", MERGED];
    let history = federation.nation.reeve(&history).ok().out;
    assert!(history.contains("duplicate removed"), "{history}");
    let shown = federation.nation.reeve(&["situation", "--day", MERGED]).ok().out;
    assert!(shown.contains("(duplicate removed)"), "{shown}");
}

#[test]
fn a_calendar_says_on_which_days_nobody_is_late() {
    let federation = house();
    let (nation, town) = (&federation.nation, &federation.town);
    let text = CATALOGUE.replace("version = 1", "version = 2").replacen(
        "group_by = [\"sex\"]\nmeasure = \"count\"",
        "group_by = [\"sex\"]\nmeasure = \"count\"\ndue = \"working\"",
        1,
    );
    let (catalogue, schema) = (federation.write("due.toml", text), federation.path("schema.toml"));
    let key = federation.path("passphrase");
    let publish = ["catalogue", "publish", &catalogue, "--schema", &schema];
    nation.reeve(&[&publish[..], &["--passphrase-file", &key]].concat()).ok();
    let state = |day: &str| {
        let shown = town.reeve(&["situation", "--day", day, "--json"]);
        let document = shown.json();
        let all = document["indicators"].as_array().unwrap().clone();
        let cases = all.into_iter().find(|it| it["indicator"] == "cases").unwrap();
        cases["units"]["states"].clone()
    };
    eventually("a Sunday is not due", || state(SUNDAY) == json!({ "not_due": 1 }));
    assert_eq!(state(HOLIDAY), json!({ "no_report": 1 }), "nobody said that it is a holiday");

    let holidays = federation.write("holidays.txt", format!("{HOLIDAY} # Republic\n"));
    let all = ["register", "calendar", "--weekdays", "mon,tue,wed,thu,fri,sat,sun"];
    nation.reeve(&[&all[..], &["--holidays", &holidays]].concat()).ok();
    eventually("the holiday is not due", || state(HOLIDAY) == json!({ "not_due": 1 }));
    assert_eq!(state(SUNDAY), json!({ "no_report": 1 }), "Sundays are worked here");
    let entry = nation.reeve(&["register", "show", "--json"]).json()[0].clone();
    assert_eq!(entry["calendar"]["holidays"], json!([HOLIDAY]), "{entry}");
    let shown = nation.reeve(&["register", "show"]).ok().out;
    assert!(shown.contains("mon") && shown.contains("1 holiday"), "{shown}");

    // One unit works otherwise; and what is said of nobody is refused.
    nation.reeve(&["register", "calendar", "016", "--weekdays", "mon,tue,wed,thu,fri"]).ok();
    eventually("Sundays are free there", || state(SUNDAY) == json!({ "not_due": 1 }));
    assert_eq!(state(HOLIDAY), json!({ "not_due": 1 }), "holidays of all are everybody's");
    nation.reeve(&["register", "calendar", "099", "--weekdays", "mon"]).fails(1, &["099"]);
    nation
        .reeve(&["register", "calendar", "--weekdays", "mon,domenica"])
        .fails(1, &["weekdays", "mon and sat"]);
    let bad = federation.write("bad.txt", "2021-06-31\n");
    nation.reeve(&["register", "calendar", "--holidays", &bad]).fails(1, &["bad.txt", "line 1"]);
    town.reeve(&["register", "calendar", "016", "--weekdays", "mon"]).fails(1, &[]);
}
