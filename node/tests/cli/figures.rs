//! `reeve query` and `reeve catalogue`: figures as people look at them.

use serde_json::json;

use super::federation::{Federation, Site, eventually};
use super::files::{CATALOGUE, UPSERT};
use super::import::import;

/// Nine women and one man on a day; the floor for the superior is five.
fn ten(day: &str, name: &str) {
    let rows: String = (0..10)
        .map(|n| format!("{name}{n},{day},{},{n}\n", if n == 0 { "M" } else { "F" }))
        .collect();
    let file = format!("number,date,sex,age\n{rows}");
    import(&format!("{name}.csv"), file, UPSERT, &[]).ok();
    let query = ["query", "cases", "--period", day, "--json"];
    eventually("the nation has the figure", || {
        let said = Federation::shared().nation.reeve(&query);
        said.code == 0 && said.json()["included"] == 1
    });
}

#[test]
fn a_figure_is_told_with_bounds_completeness_and_edition() {
    ten("2021-09-01", "q");
    let federation = Federation::shared();
    let query = ["query", "cases", "--period", "2021-09-01"];
    let text = federation.nation.reeve(&query).ok().out;
    for part in ["Cases by day and sex", "female", "0 to 4", "1 of ", "protected for superior"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let text = federation.town.reeve(&query).ok().out;
    assert!(text.contains("reeve query --own"), "{text}");
    let csv = federation.nation.reeve(&[&query[..], &["--csv"]].concat()).ok().out;
    let lines: Vec<&str> = csv.lines().collect();
    let head =
        "indicator,period,area,sex,rows,value_lo,value_hi,contributors_lo,contributors_hi,edition";
    assert_eq!(lines[0], head);
    assert!(
        lines[1..].iter().any(|line| line.starts_with("cases,2021-09-01,016,female,1,9,9,9,9,"))
    );
    assert!(
        lines[1..].iter().any(|line| line.contains(",*,2,0,4,")),
        "hidden rows stand too: {csv}"
    );
    // Each class by itself: the superior's edition, and none of a class that no policy opens.
    let of_class = |class| federation.nation.reeve(&[&query[..], &["--class", class]].concat());
    assert!(of_class("superior").ok().out.contains("0 to 4"));
    of_class("public").fails(1, &["no figure of that period"]);
    of_class("nobody").fails(1, &["superior, neighbour or public", "nobody"]);
    let above = |site: &Site| site.reeve(&[&query[..], &["--superior"]].concat());
    assert_ne!(above(&federation.nation).code, 0, "nobody is above the nation");
    assert_ne!(
        above(&federation.town).code,
        0,
        "the nation's policy tells its subordinates nothing"
    );
}

#[test]
fn the_own_table_is_exact_at_home_and_of_nobody_else() {
    ten("2021-09-02", "w");
    let federation = Federation::shared();
    let own = ["query", "cases", "--own", "--period", "2021-09-02"];
    let csv = federation.town.reeve(&[&own[..], &["--csv"]].concat()).ok().out;
    assert!(csv.contains("cases,2021-09-02,.,male,1,1,1,1,1,0"), "{csv}");
    let text = federation.town.reeve(&own).ok().out;
    assert!(text.contains("stays in this house") && text.contains("reported"), "{text}");
    federation.nation.reeve(&own).fails(1, &["keeps no records"]);
    federation.town.reeve(&[&own[..], &["--area", "it/016"]].concat()).fails(2, &["--area"]);

    let here = ["--role", "viewer", "--area", "it/016", "--indicator", "cases"];
    let here = federation.town.token("viewer-here", &here);
    let beside = federation.town.token("viewer-beside", &["--role", "viewer", "--area", "it/017"]);
    let beds = ["--role", "viewer", "--indicator", "beds"];
    let beds = federation.town.token("viewer-beds", &beds);
    assert_eq!(federation.town.reeve_as(&here, &own).code, 0);
    for other in [&beside, &beds] {
        federation.town.reeve_as(other, &own).fails(3, &["no policy permits it"]);
    }
}

#[test]
fn an_indicator_that_no_class_is_told_is_seen_at_home_only() {
    let federation = Federation::shared();
    ten("2021-09-03", "e");
    let own = ["query", "exact_cases", "--own", "--period", "2021-09-03", "--json"];
    let figure = federation.town.reeve(&own).json();
    assert_eq!(figure["total"]["value"], json!({ "lo": 10, "hi": 10 }));
    let query = ["query", "exact_cases", "--period", "2021-09-03"];
    federation
        .town
        .reeve(&query)
        .fails(1, &["no figure of that period", "policy declines", "--own"]);
    let sent = ["sent", "--indicator", "exact_cases", "--json"];
    eventually("the superior is told that it is declined", || {
        let sent = federation.town.reeve(&sent).json();
        let sent = sent.as_array().unwrap().clone();
        !sent.is_empty() && sent.iter().all(|entry| entry["kind"] == "notice")
    });
    let why =
        ["policy", "explain", "--unit", "it", "--action", "pull", "--indicator", "exact_cases"];
    let told = federation.town.reeve(&why).ok().out;
    assert!(told.contains("declined") && told.contains("floor: never"), "{told}");
}

#[test]
fn what_is_not_there_is_said_to_be_so() {
    let town = &Federation::shared().town;
    town.reeve(&["query", "no_such"]).fails(1, &["no_such", "catalogue"]);
    town.reeve(&["query", "cases", "--period", "yesterday"]).fails(1, &["period"]);
    town.reeve(&["query", "cases", "--period", "1999-01-01"])
        .fails(1, &["no figure of that period"]);
    town.reeve(&["query", "cases", "--period", "2021-09-01", "--area", "it/03"])
        .fails(1, &["it/03"]);
    town.reeve(&["query", "cases", "--csv", "--json"]).fails(2, &["--csv"]);
    ten("2021-09-04", "t");
    let periods = town.reeve(&["query", "cases", "--periods", "--json"]).json();
    let periods: Vec<&str> =
        periods["periods"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert!(periods.contains(&"2021-09-04") && periods.is_sorted_by(|a, b| a > b), "{periods:?}");
}

#[test]
fn catalogues_are_shown_checked_and_not_taken_twice() {
    let federation = Federation::shared();
    let shown = federation.town.reeve(&["catalogue", "show"]).ok().out;
    assert!(shown.contains("Cases by day and sex") && shown.contains("5, never, never"), "{shown}");
    let schema = federation.path("schema.toml");
    let bad = CATALOGUE.replace("\"sum(beds)\"", "\"sum(bads)\"");
    let bad = federation.write("bad.catalogue.toml", bad);
    let check = ["catalogue", "check", &bad, "--schema", &schema];
    federation.town.reeve(&check).fails(5, &["bad.catalogue.toml:", "bads"]);
    let good = federation.path("catalogue.toml");
    let told = federation.town.reeve(&["catalogue", "check", &good]).ok().out;
    assert!(told.contains("No mistakes"), "{told}");
    let passphrase = federation.path("passphrase");
    let publish = ["catalogue", "publish", &good, "--schema", &schema];
    let publish = [&publish[..], &["--passphrase-file", &passphrase]].concat();
    let other = federation.write("v1.toml", CATALOGUE.replace("Beds by site", "Beds"));
    federation
        .nation
        .reeve(
            &publish.iter().map(|it| if **it == *good { &other } else { *it }).collect::<Vec<_>>(),
        )
        .fails(1, &["newer"]);
    let wrong = federation.write("wrong-passphrase", "not the passphrase");
    let publish = ["catalogue", "publish", &good, "--schema", &schema, "--passphrase-file", &wrong];
    federation.nation.reeve(&publish).fails(1, &["passphrase"]);
}
