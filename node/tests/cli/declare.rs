//! `reeve declare`: an emergency that relaxes the policy of a municipality, and its end.

use super::federation::{Federation, eventually};

const DAY: &str = "2021-06-01";
const LATER: &str = "2021-06-02";

/// The least that the nation knows a day's total to be.
fn least(federation: &Federation, day: &str) -> Option<i64> {
    let said = federation.nation.reeve(&["query", "cases", "--period", day, "--json"]);
    if said.code != 0 {
        return None;
    }
    said.json()["total"]["value"]["lo"].as_i64()
}

#[test]
fn a_declaration_relaxes_and_its_end_protects_again() {
    let federation = Federation::found("redb");
    let (nation, town) = (&federation.nation, &federation.town);
    let key = federation.path("passphrase");
    let key = ["--passphrase-file", key.as_str()];
    let default = std::fs::read_to_string(town.folder.join("policy.cedar")).unwrap();
    let strict = default.replace("@min_cell(\"1\")\npermit", "@min_cell(\"20\")\npermit");
    let relaxing = "\n@id(\"emergency\") @supersedes(\"superior-figures\") @min_cell(\"1\") @window(\"1s\")\n\
                    permit (principal is Unit, action in [Action::\"pull\", Action::\"subscribe\"], \
                    resource is Indicator)\n\
                    when { principal.relation == Relation::\"superior\" && context.response_level == 1 };\n";
    let wrong = relaxing.replace("superior-figures", "superior-figure");
    let wrong = federation.write("wrong.cedar", format!("{strict}{wrong}"));
    town.reeve(&["policy", "check", &wrong]).fails(5, &["wrong.cedar:", "superior-figure"]);
    let policy = federation.write("relaxing.cedar", format!("{strict}{relaxing}"));
    town.reeve(&["policy", "set", &policy]).ok();
    let explain = ["policy", "explain", "--unit", "it", "--action", "pull", "--indicator", "cases"];
    let told =
        |level: &str| town.reeve(&[&explain[..], &["--response-level", level]].concat()).ok();
    assert!(told("0").out.contains("floor 20") && told("1").out.contains("floor 5"));

    let import = |day: &str| {
        let rows: String = (0..9).map(|n| format!("{day}-{n},{day},F,30\n")).collect();
        let file = federation.write("cases.csv", format!("number,date,sex,age\n{rows}"));
        let mapping = federation.write("cases.toml", super::files::UPSERT);
        town.reeve(&["import", &file, "--mapping", &mapping]).ok();
    };
    import(DAY);
    eventually("the nation has a figure", || least(&federation, DAY).is_some());
    assert_eq!(least(&federation, DAY), Some(0), "protected by the town's own policy");

    let declare = |arguments: &[&str]| nation.reeve(&[&["declare"], arguments, &key].concat());
    let basis = ["--level", "1", "--legal-basis", "Civil Protection Act, s. 24"];
    declare(&["flood", "--level", "1"]).fails(2, &["--legal-basis"]);
    declare(&[&["flood"], &basis[..], &["--until", "2020-01-01"]].concat()).fails(2, &["--until"]);
    let elsewhere = ["flood", "--area", "fr", "--until", "2026-12-31"];
    declare(&[&elsewhere[..], &basis].concat()).fails(2, &["--area"]);
    declare(&["flood", "--end"]).fails(1, &["declared nothing", "flood"]);
    let tomorrow = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    let until = tomorrow.to_string();
    let declared = [&["flood", "--area", "it/016", "--until", &until, "--json"], &basis[..]];
    let declared = declare(&declared.concat()).json();
    assert_eq!((&declared["phase"], &declared["level"]), (&"elsewhere".into(), &1.into()));
    eventually("the town knows of it", || {
        town.reeve(&["status", "--json"]).json()["response_level"] == 1
    });
    let status = town.reeve(&["status"]).ok().out;
    assert!(status.contains("IN FORCE") && status.contains("Civil Protection Act"), "{status}");
    let sent = nation.reeve(&["sent", "--kind", "declaration"]).ok().out;
    assert!(sent.contains("declaration"), "{sent}");

    import(LATER);
    eventually("what was not told before is told", || least(&federation, LATER) == Some(9));
    assert_eq!(least(&federation, DAY), Some(0), "what was protected stays so");
    declare(&["flood", "--end"]).ok();
    eventually("the stricter rules bind again", || least(&federation, LATER) == Some(0));
    let status = town.reeve(&["status", "--json"]).json();
    assert_eq!(
        (&status["response_level"], &status["declarations"][0]["phase"]),
        (&0.into(), &"ended".into())
    );
    declare(&[&["flood", "--until", &until], &basis[..]].concat()).fails(1, &["newer version"]);
}
