//! `reeve bulletin`: what a ministry publishes at noon, and what became of it since.

use serde_json::json;

use super::federation::{eventually, reeve};
use super::situation::{cases, federation};

const DAY: &str = "2022-09-01";
const NEXT: &str = "2022-09-02";

#[test]
fn what_was_published_is_told_from_what_stands_now() {
    cases(DAY, "bula", 7);
    cases(NEXT, "bulb", 7);
    let federation = federation();
    let nation = &federation.nation;
    // An import may outlast a window: then it is told in two editions.
    for day in [DAY, NEXT] {
        eventually("the nation has all of it", || {
            let said = nation.reeve(&["query", "cases", "--period", day, "--json"]).json();
            said["total"]["value"] == json!({ "lo": 16, "hi": 20 })
        });
    }
    let frozen = [format!("cases@{DAY}"), format!("cases@{NEXT}")];
    let publish = |title: &str, figures: &[&str]| {
        let mut arguments = vec!["bulletin", "publish", "--class", "superior", "--title", title];
        arguments.extend(figures.iter().flat_map(|figure| ["--figure", figure]));
        arguments.push("--json");
        nation.reeve(&arguments)
    };
    // What cannot be frozen stops all of it.
    let listed = ["bulletin", "list", "--json"];
    let before = nation.reeve(&listed).json().as_array().unwrap().len();
    publish("Noon", &[&frozen[0], "cases@1990-01-01"])
        .fails(1, &["No bulletin was published", "no edition of cases 1990-01-01 for superior"]);
    let public = ["bulletin", "publish", "--title", "Noon", "--figure", &frozen[0]];
    nation.reeve(&public).fails(1, &["for public was ever signed", "class of recipients"]);
    publish("Noon", &["nothing_such@2022-09-01"]).fails(1, &["nothing_such"]);
    publish("Noon", &[&frozen[0], &frozen[0]]).fails(1, &["Not a bulletin", "out of place"]);
    publish(" ", &[&frozen[0]]).fails(1, &["expected a title of one line"]);
    publish("Noon", &[]).fails(2, &["--figure"]);
    publish("Noon", &["cases@yesterday"]).fails(2, &["expected a period", "yesterday"]);
    let viewer = nation.token("bulletin-viewer", &["--role", "viewer"]);
    nation.reeve_as(&viewer, &public).fails(3, &["no policy permits it"]);
    nation.reeve_as(&viewer, &["bulletin", "list"]).fails(3, &[]);
    assert_eq!(nation.reeve(&listed).json().as_array().unwrap().len(), before);

    let published = publish("Noon, 2 September", &[&frozen[1], &frozen[0]]).json();
    let bulletin = &published["bulletin"];
    let statement = bulletin["statement"].as_str().unwrap();
    assert_eq!(bulletin["figures"][0]["period"], DAY, "{bulletin}");
    let value = |it: &serde_json::Value| it["value"].clone();
    assert_eq!(value(&bulletin["figures"][0]), json!({ "lo": 16, "hi": 20 }));
    assert_eq!((&bulletin["by"], &bulletin["revised"]), (&json!("operator"), &json!(0)));

    // It is in the ledger, and its bytes can be had.
    let sent = nation.reeve(&["sent", "--kind", "bulletin", "--json"]).json();
    assert_eq!((&sent[0]["statement"], &sent[0]["index"]), (&json!(statement), &bulletin["index"]));
    let saved = nation.command(&["sent", "--save", statement]).output().unwrap().stdout;
    let title = "Noon, 2 September".as_bytes();
    assert!(saved.windows(title.len()).any(|part| part == title));
    let index = bulletin["index"].as_u64().unwrap();
    let [place, size] = [index, index + 1].map(|it| it.to_string());
    nation.reeve(&["ledger", "prove", &place, "--size", &size]).ok();

    // As many again on one of the days: the bulletin stays, and says so.
    let show = ["bulletin", "show", &statement[..12]];
    let same = nation.reeve(&show).ok().out;
    assert!(same.contains("Noon, 2 September") && same.contains("Revised since: 0 of 2"), "{same}");
    cases(DAY, "bulc", 7);
    let shown = || nation.reeve(&[&show[..], &["--json"]].concat()).json();
    let later = json!({ "lo": 32, "hi": 36 });
    eventually("the figure is revised", || shown()["figures"][0]["now"]["value"] == later);
    let now = shown();
    assert_eq!((&now["revised"], &now["figures"][1]["revised"]), (&json!(1), &json!(false)));
    for part in ["statement", "edition", "value", "issued_at"] {
        assert_eq!(now["figures"][0][part], bulletin["figures"][0][part], "{part}");
    }
    let told = nation.reeve(&show).ok().out;
    for part in ["16 to 20", "REVISED: 32 to 36", "as published", "Revised since: 1 of 2", "1 of 1"]
    {
        assert!(told.contains(part), "{part} in {told}");
    }
    // All rows as they stood are in the statement that the bulletin names.
    let at = bulletin["issued_at"].as_str().unwrap();
    let then = ["query", "cases", "--period", DAY, "--as-of", at, "--json"];
    assert_eq!(nation.reeve(&then).json()["statement"], bulletin["figures"][0]["statement"]);

    // An auditor can tell what was published, with nothing but the folder and the federation's id.
    let folder = format!("{}.bundle", federation.write("bulletin-proof", ""));
    let prove = ["bulletin", "proof", statement, "-o", &folder];
    let made = nation.reeve(&[&prove[..], &["--json"]].concat()).json();
    assert_eq!((&made["bulletin"], &made["not_here"]), (&json!("Noon, 2 September"), &json!(0)));
    nation.reeve(&prove).fails(2, &["is there already"]);
    let id = made["federation"].as_str().unwrap();
    let verify = ["audit", "verify", &folder, "--federation", id];
    let checked = reeve(&verify).ok().out;
    for part in ["PASS", "bulletin \"Noon, 2 September\"", "16 to 20", "every bulletin names"] {
        assert!(checked.contains(part), "{part} in {checked}");
    }
    let named = bulletin["figures"][0]["statement"].as_str().unwrap();
    std::fs::remove_file(format!("{folder}/statements/{named}.cose")).unwrap();
    let open = reeve(&verify).fails(6, &["not there"]);
    assert!(open.out.contains(&format!("no_frozen: it, cases {DAY}, edition")), "{open:?}");

    // The newest comes first, and is shown where none is named; without a period, the newest there is.
    let evening = publish("Evening", &["cases"]).json();
    let all = nation.reeve(&listed).json();
    assert_eq!(
        (&all[0]["title"], &all[1]["title"]),
        (&json!("Evening"), &json!("Noon, 2 September"))
    );
    assert_eq!((&all[0]["figures"], &all[1]["figures"]), (&json!(1), &json!(2)));
    let newest = nation.reeve(&["bulletin", "show", "--json"]).json();
    assert_eq!(newest["statement"], evening["bulletin"]["statement"]);
    let text = nation.reeve(&["bulletin", "list", "--limit", "1", "--lang", "de"]).ok().out;
    assert!(text.contains("Evening") && !text.contains("Noon"), "{text}");
    assert!(text.to_lowercase().contains("veröffentlicht"), "{text}");
    nation.reeve(&["bulletin", "show", "zz"]).fails(1, &["begins with zz", "reeve bulletin list"]);
    let none = "0".repeat(64);
    nation.reeve(&["bulletin", "show", &none]).fails(1, &["no bulletin of that digest"]);
}
