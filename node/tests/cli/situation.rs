//! `reeve situation` and `reeve register`: what a duty officer looks at.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::federation::{Federation, Site, eventually};
use super::files::UPSERT;

/// A nation and a municipality of their own: how many units there are is told here.
pub fn federation() -> &'static Federation {
    static FEDERATION: LazyLock<Federation> = LazyLock::new(|| Federation::found("redb"));
    &FEDERATION
}

/// Nine women, so many men.
pub fn cases(day: &str, name: &str, men: u32) {
    let rows: String = (0..9 + men)
        .map(|n| format!("{name}{n},{day},{},{n}\n", if n < 9 { "F" } else { "M" }))
        .collect();
    let file = federation().write(&format!("{name}.csv"), format!("number,date,sex,age\n{rows}"));
    let mapping = federation().write(&format!("{name}.toml"), UPSERT);
    federation().town.reeve(&["import", &file, "--mapping", &mapping]).ok();
    let query = ["query", "cases", "--period", day, "--json"];
    eventually("the nation has the figure", || {
        let said = federation().nation.reeve(&query);
        said.code == 0 && said.json()["included"] == 1
    });
}

fn look(site: &Site, arguments: &[&str]) -> Value {
    site.reeve(&[&["situation", "--json"], arguments].concat()).json()
}

fn of<'a>(situation: &'a Value, indicator: &str) -> &'a Value {
    let all = situation["indicators"].as_array().unwrap();
    all.iter().find(|it| it["indicator"] == indicator).unwrap()
}

#[test]
fn the_situation_is_told_at_the_nation_and_at_home() {
    cases("2022-03-01", "sita", 7);
    cases("2022-03-02", "sitb", 1);
    let federation = federation();
    let day = ["--day", "2022-03-02"];
    let nation = look(&federation.nation, &day);
    let figure = of(&nation, "cases");
    // One man is hidden below the floor of five, and that nobody is without a sex.
    assert_eq!(figure["value"], json!({ "lo": 9, "hi": 17 }));
    assert_eq!(figure["since_day"]["change"], json!({ "lo": -11, "hi": 1 }));
    assert_eq!(figure["since_day"]["period"], "2022-03-01");
    assert_eq!((figure["own"].as_bool(), nation["is_leaf"].as_bool()), (Some(false), Some(false)));
    assert_eq!(figure["standing"], "complete");

    let home = look(&federation.town, &day);
    let figure = of(&home, "cases");
    assert_eq!(figure["value"], json!({ "lo": 10, "hi": 10 }));
    assert_eq!(figure["since_day"]["change"], json!({ "lo": -6, "hi": -6 }));
    assert_eq!((figure["own"].as_bool(), home["is_leaf"].as_bool()), (Some(true), Some(true)));
    // What no class is told is seen at home, and is no zero elsewhere.
    assert_eq!(of(&home, "exact_cases")["value"], json!({ "lo": 10, "hi": 10 }));
    let declined = of(&nation, "exact_cases");
    assert_eq!((&declined["value"], &declined["standing"]), (&Value::Null, &json!("not_known")));

    let text = federation.nation.reeve(&["situation", "--day", "2022-03-02"]).ok().out;
    for part in ["9 to 17", "-11 to +1", "not known: 2", "NOT KNOWN", "policy declines", "016 Town"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours in a pipe: {text:?}");
    let text = federation.town.reeve(&["situation", "--day", "2022-03-02"]).ok().out;
    assert!(text.contains("stay in this house"), "{text}");
}

#[test]
fn a_threshold_is_above_below_or_cannot_be_told() {
    cases("2022-03-05", "sitt", 1);
    let federation = federation();
    let nation = &federation.nation;
    let answer = |arguments: &[&str]| {
        let all = look(nation, &[&["--day", "2022-03-05"], arguments].concat());
        let first = all["indicators"][0]["indicator"].as_str().unwrap().to_owned();
        let figure = of(&all, "cases");
        (figure["threshold"]["answer"].clone(), figure["standing"].clone(), first)
    };
    let told =
        |answer: &str, stand: &str, first: &str| (json!(answer), json!(stand), first.to_owned());
    // The figure is 9 to 17.
    assert_eq!(answer(&["--threshold", "cases=9"]), told("above", "alarm", "cases"));
    let unclear = answer(&["--threshold", "cases=10"]);
    assert_eq!((unclear.0, unclear.1), (json!("cannot_tell"), json!("cannot_tell")));
    let fine = answer(&["--threshold", "cases=18"]);
    assert_eq!((fine.0, fine.1), (json!("below"), json!("complete")));
    assert_eq!(answer(&["--threshold-below", "cases=18"]), told("below", "alarm", "cases"));

    let file = federation.write("limits.toml", "cases = { below = 18 }\n");
    assert_eq!(answer(&["--thresholds", &file]), told("below", "alarm", "cases"));
    let usual = nation.folder.join("thresholds.toml");
    std::fs::write(&usual, "cases = 9\n").unwrap();
    let by_file = answer(&[]);
    let over = answer(&["--threshold", "cases=18"]);
    std::fs::remove_file(&usual).unwrap();
    assert_eq!(by_file, told("above", "alarm", "cases"));
    assert_eq!(over.0, json!("below"), "the command line comes after the file");

    let day = ["situation", "--day", "2022-03-05"];
    let with = |more: &[&str]| nation.reeve(&[&day[..], more].concat());
    let text = with(&["--threshold", "cases=9"]).ok().out;
    assert!(text.contains("ABOVE 9"), "{text}");
    let text = with(&["--threshold", "cases=10"]).ok().out;
    assert!(text.contains("CANNOT TELL"), "{text}");
    with(&["--threshold", "cases=many"]).fails(2, &["many"]);
    with(&["--threshold", "cases"]).fails(2, &["beds_free=20"]);
    with(&["--threshold", "cases=9.5"]).fails(2, &["digits"]);
    with(&["--threshold", "no_such=9"]).fails(2, &["no_such", "catalogue"]);
    let bad = federation.write("bad-limits.toml", "cases = { under = 18 }\n");
    with(&["--thresholds", &bad]).fails(1, &["bad-limits.toml:1:", "under"]);
    with(&["--thresholds", "/no/such/file"]).fails(1, &["/no/such/file"]);
    nation.reeve(&["situation", "--day", "yesterday"]).fails(2, &["--day"]);
}

#[test]
fn policy_decides_what_is_shown() {
    let federation = federation();
    let beds = federation.nation.token("sit-beds", &["--role", "viewer", "--indicator", "beds"]);
    let said = federation.nation.reeve_as(&beds, &["situation", "--json"]).json();
    assert_eq!(said["indicators"].as_array().unwrap().len(), 1);
    assert_eq!(said["withheld"], json!(["cases", "exact_cases"]));
    assert_eq!(said["names"], json!({}), "the register is not for viewers");
    let text = federation.nation.reeve_as(&beds, &["situation"]).ok().out;
    assert!(text.contains("by policy: 2 more indicators"), "{text}");
    let none = federation.nation.token("sit-none", &["--role", "auditor"]);
    federation.nation.reeve_as(&none, &["situation"]).fails(3, &["no policy permits it"]);
}

#[test]
fn populations_come_into_the_register_by_a_command() {
    let federation = federation();
    let nation = &federation.nation;
    cases("2022-03-09", "sitp", 6);
    let people = || {
        let all = look(nation, &["--day", "2022-03-09"]);
        of(&all, "cases")["population"].clone()
    };
    nation.reeve(&["register", "set", "016", "--population-unknown"]).ok();
    let before = people();
    assert_eq!(before["persons"], 0);
    assert!(before["units_unknown"].as_u64().unwrap() >= 1, "{before}");
    let text = nation.reeve(&["situation", "--day", "2022-03-09"]).ok().out;
    assert!(text.contains("population unknown"), "{text}");
    let set = ["register", "set", "016", "--population", "121000", "--year", "2023"];
    nation.reeve(&set).fails(2, &["--source"]);
    nation.reeve(&[&set[..], &["--source", "Istat", "--name", "zh=贝加莫"]].concat()).ok();
    let after = people();
    assert_eq!(
        (after["persons"].as_u64(), after["included_least"].as_u64()),
        (Some(121_000), Some(121_000))
    );
    assert_eq!(after["oldest_year"], 2023);
    let shown = nation.reeve(&["register", "show"]).ok().out;
    for part in ["121,000", "2023, Istat", "贝加莫 (zh)", "Town (en)"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let entries = nation.reeve(&["register", "show", "--json"]).json();
    let town = entries.as_array().unwrap().iter().find(|it| it["unit"] == "016").unwrap();
    assert_eq!(town["population"], json!({ "persons": 121_000, "year": 2023, "source": "Istat" }));
    nation.reeve(&["register", "set", "016"]).fails(2, &["--population"]);
    nation.reeve(&["register", "set", "999", "--name", "en=X"]).fails(1, &["999", "register show"]);
    nation.reeve(&["register", "set", "016", "--name", "e n=X"]).fails(1, &["language tag"]);
    let empty = federation.town.reeve(&["register", "show"]).ok().out;
    assert!(empty.contains("reeve invite"), "{empty}");
    nation.reeve(&["register", "set", "016", "--population-unknown", "--name", "zh="]).ok();
    assert_eq!(people()["persons"], 0);
}
