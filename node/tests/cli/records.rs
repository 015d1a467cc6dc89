//! `reeve record` and `reeve schema`: single records, by whoever may see them.

use serde_json::json;

use super::federation::{Federation, eventually};
use super::import::{own_rows, writer};

#[test]
fn a_record_is_put_shown_replaced_and_deleted() {
    let town = &Federation::shared().town;
    let record = |arguments: &[&str]| town.reeve_as(&writer(), &[&["record"], arguments].concat());
    let put = |fields: &str| record(&["put", "case", "p1", "--fields", fields, "--json"]);
    let first = put(r#"{"reported_on": "2021-07-01", "sex": "female", "age": 40}"#).json();
    assert_eq!((&first["inserted"], &first["changed"]), (&json!(1), &json!(0)));
    assert_eq!(own_rows("2021-07-01"), [("female".to_owned(), 1)]);
    let second = put(r#"{"reported_on": "2021-07-01", "sex": "male"}"#).json();
    assert_eq!((&second["inserted"], &second["changed"]), (&json!(0), &json!(1)));
    assert_eq!(put(r#"{"reported_on": "2021-07-01", "sex": "male"}"#).json()["unchanged"], 1);
    let shown = record(&["show", "case", "p1", "--json"]).json();
    assert_eq!(shown["record"], json!({ "reported_on": "2021-07-01", "sex": "male" }));
    assert_eq!(own_rows("2021-07-01"), [("male".to_owned(), 1)]);
    assert!(record(&["list", "case"]).ok().out.contains("p1"));
    assert_eq!(record(&["delete", "case", "p1", "--json"]).json()["deleted"], 1);
    assert_eq!(record(&["delete", "case", "p1", "--json"]).json()["unchanged"], 1);
    record(&["show", "case", "p1"]).fails(1, &["no record of that id"]);
    assert_eq!(own_rows("2021-07-01"), []);
}

#[test]
fn mistakes_name_the_field_and_never_the_value() {
    let town = &Federation::shared().town;
    let put = |fields: &str| {
        town.reeve_as(&writer(), &["record", "put", "case", "bad", "--fields", fields])
    };
    put(r#"{"reported_on": "2021-13-01"}"#)
        .fails(1, &["field `reported_on`", "a date that exists"]);
    let said = put(r#"{"reported_on": "2021-01-01", "age": 777, "colour": "CANARY"}"#);
    let said = said.fails(1, &["field `age`", "0 to 120", "field `colour`"]);
    assert!(!said.err.contains("CANARY") && !said.err.contains("777"), "{said:?}");
    put("{").fails(2, &["JSON object", "line 1"]);
    put(r#"{"age": 4}"#).fails(1, &["field `reported_on`", "required"]);
    let town = &Federation::shared().town;
    town.reeve_as(&writer(), &["record", "show", "no-such-kind", "x"]).fails(1, &["kind"]);
    town.reeve(&["record", "show", "case", "x"]).fails(3, &["Declined by policy"]);
    town.reeve_as(&writer(), &["record", "put", "stock", "x", "--fields", "{}"])
        .fails(1, &["field"]);
}

#[test]
fn fields_of_a_kind_that_merges_by_field_are_set_one_by_one() {
    let federation = Federation::shared();
    let stocks = federation.town.token("stocks", &["--role", "writer", "--kind", "stock"]);
    let record =
        |arguments: &[&str]| federation.town.reeve_as(&stocks, &[&["record"], arguments].concat());
    record(&["put", "stock", "hall", "--fields", r#"{"site": "=1+1", "beds": 7}"#]).ok();
    record(&["put", "stock", "barn", "--fields", r#"{"site": "north", "beds": 5}"#]).ok();
    record(&["set", "stock", "hall", "--fields", r#"{"beds": 12}"#]).ok();
    let shown = record(&["show", "stock", "hall", "--json"]).json();
    assert_eq!(shown["record"], json!({ "site": "=1+1", "beds": 12 }));
    let beds = || federation.nation.reeve(&["query", "beds", "--period", "now", "--json"]);
    eventually("the nation sees the beds", || {
        let said = beds();
        said.code == 0 && said.json()["total"]["value"] == json!({ "lo": 17, "hi": 17 })
    });
    let csv = federation.nation.reeve(&["query", "beds", "--csv"]).ok().out;
    assert!(csv.contains("beds,now,016,'=1+1,1,12,12,"), "no cell is a formula: {csv}");
    assert!(csv.contains("beds,now,016,north,1,5,5,"), "{csv}");
}

#[test]
fn a_period_is_closed_without_records() {
    let town = &Federation::shared().town;
    let close =
        ["record", "close", "case", "2021-08-01", "2021-08-02", "--source", "health-office"];
    let said = town.reeve_as(&writer(), &close).ok();
    assert!(said.out.contains("2021-08-01, 2021-08-02"), "{said:?}");
    let figure =
        town.reeve(&["query", "cases", "--own", "--period", "2021-08-01", "--json"]).json();
    assert_eq!((&figure["states"], &figure["rows"]), (&json!({ "reported": 1 }), &json!([])));
    town.reeve_as(&writer(), &["record", "close", "case", "2021-99", "--source", "x"])
        .fails(1, &["closes"]);
    town.reeve_as(&writer(), &["record", "close", "case", "2199-01-01", "--source", "x"])
        .fails(1, &["2199-01-01 has not begun"]);
}

#[test]
fn a_figure_of_a_unit_that_the_register_does_not_name_is_an_error() {
    let nation = &Federation::shared().nation;
    nation
        .reeve(&["query", "beds", "--period", "now", "--area", "it/nowhere"])
        .fails(1, &["it/nowhere"]);
}

#[test]
fn the_schema_is_shown_and_files_are_checked() {
    let federation = Federation::shared();
    let document = federation.town.reeve(&["schema", "--json"]).json();
    assert_eq!((document["name"].as_str(), document["version"].as_i64()), (Some("town"), Some(1)));
    assert!(federation.town.reeve(&["schema"]).ok().out.contains("[kind.case]"));
    let path =
        federation.write("bad.schema.toml", "[schema]\nname = \"x\"\nversion = 1\n[kind.a]\n");
    federation.town.reeve(&["schema", "--check", &path]).fails(5, &["bad.schema.toml:4", "twin"]);
    federation.town.reeve(&["schema", "--check", &federation.path("schema.toml")]).ok();
    federation.nation.reeve(&["schema"]).fails(1, &["keeps no records"]);
}
