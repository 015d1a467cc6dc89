//! `reeve register`: a municipality goes from one region to another, with its folder, its records and its
//! history, by commands alone.

use serde_json::{Value, json};

use super::federation::{Federation, Site, eventually};
use super::files::UPSERT;

/// The first day on which the municipality stands in the other region.
const FROM: &str = "2021-06-03";

struct Country {
    federation: Federation,
    regions: [Site; 2],
    town: Site,
}

impl Country {
    /// A nation with two regions, and a municipality in the first.
    fn found() -> Self {
        let federation = Federation::found("redb");
        let regions = ["03", "05"].map(|unit| {
            let region = federation.begin(unit);
            join(&federation, &federation.nation, &region, unit, "region");
            region
        });
        let town = federation.begin("021");
        join(&federation, &regions[0], &town, "021", "municipality");
        // It has a neighbour, which stays.
        let stays = federation.begin("022");
        join(&federation, &regions[0], &stays, "022", "municipality");
        Self { federation, regions, town }
    }

    /// So many cases of a day at the municipality, all of women.
    fn cases(&self, name: &str, day: &str, count: u32) {
        let rows: String = (0..count).map(|n| format!("{name}{n},{day},F,{n}\n")).collect();
        let text = format!("number,date,sex,age\n{rows}");
        let file = self.federation.write(&format!("{name}.csv"), text);
        let mapping = self.federation.write("moving.toml", UPSERT);
        self.town.reeve(&["import", &file, "--mapping", &mapping]).ok();
    }

    /// What the nation is told of an area of it on a day.
    fn told(&self, area: &str, day: &str) -> Value {
        let query = ["query", "cases", "--period", day, "--area", area, "--json"];
        let said = self.federation.nation.reeve(&query);
        if said.code == 0 { said.json()["total"]["value"]["lo"].clone() } else { Value::Null }
    }

    fn tells(&self, area: &str, day: &str, cases: u32) {
        eventually(&format!("{area} tells {cases} on {day}"), || self.told(area, day) == cases);
    }

    fn passphrase(&self) -> String {
        self.federation.path("passphrase")
    }
}

fn join(federation: &Federation, superior: &Site, unit: &Site, id: &str, level: &str) {
    rejoin(federation, superior, unit, id, level);
    federation.start(unit);
    eventually("it follows the catalogue", || {
        unit.reeve(&["status", "--json"]).json()["catalogue_version"] == 1
    });
}

/// Lets a unit join that does not run.
fn rejoin(federation: &Federation, superior: &Site, unit: &Site, id: &str, level: &str) {
    let passphrase = federation.path("passphrase");
    let key = ["--passphrase-file", passphrase.as_str()];
    let invite = superior.reeve(&[&["invite", id, "--level", level][..], &key].concat()).ok();
    unit.reeve(&[&["join", invite.out.trim()][..], &key].concat()).ok();
}

#[test]
fn a_municipality_moves_to_another_region_with_its_folder() {
    let it = Country::found();
    let [old, new] = &it.regions;
    it.cases("before", "2021-06-01", 9);
    it.cases("after", "2021-06-05", 7);
    it.tells("it/03", "2021-06-01", 9);
    it.tells("it/03", "2021-06-05", 7);

    // The one lets it go, the other takes it on that one's word.
    let paper = it.federation.path("021.register");
    let go = ["register", "move", "021", "--to", "it/05", "--from", FROM, "--save", &paper];
    let said = old.reeve(&go).ok().out;
    assert!(said.contains("it/05") && said.contains("reeve register receive 021"), "{said}");
    let shown = old.reeve(&["register", "show"]).ok().out;
    assert!(shown.contains("2021-06-02") && shown.contains("to it/05"), "{shown}");
    new.reeve(&["register", "receive", "022", &paper]).fails(1, &["022", "does not say so"]);
    // Invited without that, it is turned away: both would expect it.
    let passphrase = it.passphrase();
    let key = ["--passphrase-file", passphrase.as_str()];
    let invite = ["invite", "021", "--level", "municipality"];
    let invite = new.reeve(&[&invite[..], &key].concat()).ok();
    it.federation.stop(&it.town);
    let join = [&["join", invite.out.trim()][..], &key].concat();
    it.town.reeve(&join).fails(1, &["stands below another superior", "reeve register receive"]);
    let entries = new.reeve(&["register", "show", "--json"]).json();
    assert!(!entries.to_string().contains("021"), "{entries}");
    new.reeve(&["register", "receive", "021", &paper]).ok();
    let entry = new.reeve(&["register", "show", "--json"]).json()[0].clone();
    assert_eq!((&entry["valid_from"], &entry["came_from"]), (&json!(FROM), &json!("it/03")));
    eventually("the nation sees that it left, and counts nothing of it", || {
        let query = ["query", "cases", "--period", "2021-06-05", "--json"];
        let figure = it.federation.nation.reeve(&query).json();
        figure["exceptions"].to_string().contains("left")
    });

    // One command at the municipality, in the folder that it has, with the invite that it has.
    it.town.reeve(&join).ok();
    it.federation.start(&it.town);
    it.tells("it/05", "2021-06-05", 7);
    let status = it.town.reeve(&["status", "--json"]).json();
    assert_eq!(status["unit"], "it/05/021");
    it.cases("later", "2021-06-06", 5);
    it.tells("it/05", "2021-06-06", 5);
    it.cases("more", "2021-06-05", 6);
    it.tells("it/05", "2021-06-05", 13);
    assert_eq!(it.told("it/03", "2021-06-01"), 9, "history stays where it was told");
    assert!(it.told("it/05", "2021-06-01").is_null());
    let whole = ["query", "cases", "--period", "2021-06-05", "--json"];
    let whole = it.federation.nation.reeve(&whole).json();
    assert_eq!(whole["total"]["value"]["lo"], 13, "counted once: {whole}");
    let verified = it.town.reeve(&["certificate", "show", "--json"]).ok().out;
    assert!(verified.contains("021.05.it"), "{verified}");

    // It is a member there, and joins no second time.
    it.federation.stop(&it.town);
    let key = ["--passphrase-file", passphrase.as_str()];
    let invite = new.reeve(&[&["invite", "021"][..], &key].concat()).ok();
    it.town.reeve(&[&["join", invite.out.trim()][..], &key].concat()).fails(1, &["joined already"]);
    it.town.reeve(&["verify"]).ok();
}
