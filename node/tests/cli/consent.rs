//! `reeve policy adopt`: nothing is sent before the house consents.

use serde_json::Value;

use super::federation::{Federation, Site, eventually};

const DAY: &str = "2021-05-01";

fn missing(site: &Site) -> Vec<String> {
    let listed = site.reeve(&["policy", "adopted", "--missing", "--json"]).json();
    let proposals = listed["proposals"].as_array().unwrap();
    proposals.iter().map(|it| it["indicator"].as_str().unwrap().to_owned()).collect()
}

/// The nation's figure of the day; none: there is none yet.
fn figure(federation: &Federation) -> Option<Value> {
    let query = ["query", "cases", "--period", DAY, "--json"];
    let said = federation.nation.reeve(&query);
    (said.code == 0).then(|| said.json())
}

#[test]
fn a_house_consents_one_by_one_and_by_legal_basis() {
    let federation = Federation::found_with("redb", &[]);
    let town = &federation.town;
    assert_eq!(missing(town), ["beds", "cases", "exact_cases"]);
    let rows: String = (0..9).map(|n| format!("c{n},{DAY},F,30\n")).collect();
    let file = federation.write("cases.csv", format!("number,date,sex,age\n{rows}"));
    let mapping = federation.write("cases.toml", super::files::UPSERT);
    town.reeve(&["import", &file, "--mapping", &mapping]).ok();
    eventually("the nation hears that it is not adopted", || {
        figure(&federation).is_some_and(|figure| figure["states"]["not_adopted"] == 1)
    });
    let told = figure(&federation).unwrap();
    assert_eq!((told["included"].as_u64(), &told["total"]), (Some(0), &Value::Null));
    let status = town.reeve(&["status"]).ok().out;
    assert!(status.contains("Not adopted") && status.contains("cases"), "{status}");
    let preview = town.reeve(&["query", "cases", "--period", DAY]).ok().out;
    assert!(preview.contains("what would be sent") && preview.contains('9'), "{preview}");

    town.reeve(&["policy", "adopt"]).fails(2, &["INDICATOR"]);
    town.reeve(&["policy", "adopt", "cases", "no_such"]).fails(1, &["no_such"]);
    assert_eq!(missing(town).len(), 3, "all or none");
    let viewer = town.token("looker", &["--role", "viewer"]);
    town.reeve_as(&viewer, &["policy", "adopt", "cases"]).fails(3, &[]);
    town.reeve(&["policy", "adopt", "cases"]).ok();
    eventually("the nation has the figure", || {
        figure(&federation).is_some_and(|figure| figure["included"] == 1)
    });
    assert_eq!(missing(town), ["beds", "exact_cases"]);
    let listed = town.reeve(&["policy", "adopted", "--json"]).json();
    let act = &listed["acts"][0];
    assert_eq!((act["who"].as_str(), act["indicator"].as_str()), (Some("operator"), Some("cases")));
    let sent = town.reeve(&["sent", "--indicator", "cases", "--kind", "release", "--json"]).json();
    let index = act["index"].as_u64().unwrap();
    let sent = sent.as_array().unwrap();
    assert!(sent.iter().all(|it| it["index"].as_u64() > Some(index)), "{sent:?}");
    let shown = town.reeve(&["policy", "adopted"]).ok().out;
    assert!(shown.contains("by operator on") && shown.contains("NOT ADOPTED"), "{shown}");

    town.reeve(&["policy", "adopt", "--legal-basis", "Test Act, s. 1"]).ok();
    let basis = super::files::CATALOGUE.replace("version = 1", "version = 2").replace(
        "measure = \"sum(beds)\"",
        "measure = \"sum(beds)\"\nlegal_basis = \"Test Act, s. 1\"",
    );
    let (catalogue, schema) =
        (federation.write("next.toml", basis), federation.path("schema.toml"));
    let key = federation.path("passphrase");
    let publish = ["catalogue", "publish", &catalogue, "--schema", &schema];
    federation.nation.reeve(&[&publish[..], &["--passphrase-file", &key]].concat()).ok();
    eventually("beds are adopted by their legal basis", || missing(town) == ["exact_cases"]);
    let withdraw = ["policy", "adopt", "cases", "--withdraw"];
    let said = town.reeve(&withdraw).ok().out;
    assert!(said.contains("Withdrawn: cases."), "{said}");
    assert_eq!(missing(town), ["cases", "exact_cases"]);
    let shown = town.reeve(&["policy", "adopted"]).ok().out;
    assert!(shown.contains("WITHDRAWN by operator on"), "{shown}");
    let listed = town.reeve(&["policy", "adopted", "--json"]).json();
    let last = listed["acts"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["indicator"], &last["withdraws"]), (&"cases".into(), &true.into()));
    assert!(last["index"].is_u64(), "it is in the ledger: {last}");
    let file = federation.write("more.csv", format!("number,date,sex,age\nlate,{DAY},F,30\n"));
    town.reeve(&["import", &file, "--mapping", &mapping]).ok();
    std::thread::sleep(std::time::Duration::from_secs(2));
    let stands = figure(&federation).unwrap();
    assert_eq!((&stands["included"], &stands["total"]["value"]["lo"]), (&1.into(), &9.into()));

    federation.stop(town);
    let verified = town.reeve(&["verify"]).ok().out;
    assert!(!verified.is_empty());
    federation.start(town);
    assert_eq!(missing(town), ["cases", "exact_cases"], "it is kept");
}

/// With `[policy] two_persons` nobody opens or removes anything alone.
#[test]
fn two_persons_consent_and_change_the_policy() {
    let federation = Federation::found_with("redb", &[]);
    let town = &federation.town;
    federation.stop(town);
    let config = town.folder.join("reeve.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains("two_persons = false"), "{text}");
    std::fs::write(&config, text.replace("two_persons = false", "two_persons = true")).unwrap();
    federation.start(town);
    let second = town.token("second", &["--role", "operator"]);
    let adopt = ["policy", "adopt", "cases"];

    let said = town.reeve(&adopt).ok().out;
    assert!(said.contains("waits for a second person"), "{said}");
    // The same person again is one person.
    town.reeve(&adopt).ok();
    assert_eq!(missing(town).len(), 3);
    let viewer = town.token("looker", &["--role", "viewer"]);
    town.reeve_as(&viewer, &adopt).fails(3, &[]);
    // It waits through a restart; another indicator is another thing.
    federation.stop(town);
    federation.start(town);
    town.reeve_as(&second, &["policy", "adopt", "beds"]).ok();
    assert_eq!(missing(town).len(), 3);
    let said = town.reeve_as(&second, &adopt).ok().out;
    assert!(said.contains("Adopted: cases."), "{said}");
    assert_eq!(missing(town), ["beds", "exact_cases"]);
    let listed = town.reeve(&["policy", "adopted", "--json"]).json();
    assert_eq!(listed["acts"][0]["who"], "operator, second");

    // Nobody removes records alone either.
    let writer = town.token("cases", &["--role", "writer", "--kind", "case"]);
    let ids = |site: &Site| {
        let said = site.reeve_as(&writer, &["record", "list", "case", "--json"]).ok().json();
        said["records"].as_array().unwrap().len()
    };
    for id in ["one", "two", "three"] {
        let fields = format!(r#"{{"reported_on": "{DAY}", "sex": "female", "age": 40}}"#);
        let put = ["record", "put", "case", id, "--fields", &fields];
        town.reeve_as(&writer, &put).ok();
    }
    // Nor does anybody publish a bulletin alone.
    town.reeve(&["record", "close", "case", DAY, "--source", "office"]).ok();
    let figure = format!("cases@{DAY}");
    let publish =
        ["bulletin", "publish", "--title", "Noon", "--class", "superior", "--figure", &figure];
    let mut said = String::new();
    eventually("there is a figure", || {
        let first = town.reeve(&publish);
        said = first.out;
        first.code == 0
    });
    assert!(said.contains("waits for a second person"), "{said}");
    let other =
        ["bulletin", "publish", "--title", "Eve", "--class", "superior", "--figure", &figure];
    town.reeve_as(&second, &other).ok();
    let list = ["bulletin", "list", "--json"];
    assert_eq!(town.reeve(&list).json(), serde_json::json!([]), "another title is not the same");
    let said = town.reeve_as(&second, &publish).ok().out;
    assert!(said.contains("Published: Noon."), "{said}");
    assert_eq!(town.reeve(&list).json()[0]["by"], "operator, second");

    let erase = ["twin", "erase", "case", "two"];
    let said = town.reeve(&erase).ok().out;
    assert!(said.contains("waits for a second person"), "{said}");
    town.reeve(&erase).ok();
    town.reeve_as(&second, &["twin", "erase", "case", "one"]).ok();
    assert_eq!(ids(town), 3, "another record is not the same");
    town.reeve_as(&viewer, &erase).fails(3, &[]);
    let said = town.reeve_as(&second, &erase).ok().out;
    assert!(said.contains("One record of case was erased"), "{said}");
    assert_eq!(ids(town), 2);
    let expire = ["twin", "expire", "--kind", "case", "--before", "2021-06-01"];
    let waits = town.reeve(&[&expire[..], &["--json"]].concat()).json();
    assert_eq!((&waits["dry_run"], &waits["kinds"][0]["records"]), (&true.into(), &2.into()));
    assert!(waits["waits_until"].is_string(), "{waits}");
    let other = ["twin", "expire", "--kind", "case", "--before", "2021-05-01"];
    town.reeve_as(&second, &other).ok();
    assert_eq!(ids(town), 2, "another day is not the same");
    town.reeve(&[&expire[..], &["--dry-run"]].concat()).ok();
    town.reeve_as(&second, &expire).ok();
    assert_eq!(ids(town), 0);
    let sealed = town.reeve(&["status", "--json"]).json()["sealed"].clone();
    let sealed = (&sealed[0]["kind"], &sealed[0]["before"]);
    assert_eq!(sealed, (&"case".into(), &"2021-06-01".into()));
    let told = town.reeve(&["status"]).ok().out;
    assert!(told.contains("case before 2021-06-01"), "{told}");

    let nobody = federation.write("nobody.cedar", "");
    let set = ["policy", "set", &nobody];
    let waiting = town.reeve(&[&set[..], &["--json"]].concat()).json();
    assert!(waiting["waits_until"].is_string(), "{waiting}");
    let query = ["query", "cases", "--periods"];
    town.reeve(&query).ok();
    let other = federation.write("other.cedar", "// another one\n");
    town.reeve_as(&second, &["policy", "set", &other]).ok();
    town.reeve(&query).ok();
    town.reeve_as(&second, &set).ok();
    town.reeve(&query).fails(3, &["no policy permits it"]);
}
