//! A unit whose store or folder is gone reports on under its id.

use serde_json::json;

use super::federation::{Federation, Site, eventually};

/// Puts a number of beds into the twin of a site's node.
fn put_beds(site: &Site, beds: u32) {
    let token = site.token("stocks", &["--role", "writer", "--kind", "stock"]);
    let fields = format!(r#"{{"site": "north", "beds": {beds}}}"#);
    site.reeve_as(&token, &["record", "put", "stock", "hall", "--fields", &fields]).ok();
    site.reeve(&["token", "revoke", "stocks"]).ok();
}

/// Waits until the nation's figure says so many.
#[track_caller]
fn nation_sees(federation: &Federation, beds: u32) {
    eventually(&format!("the nation sees {beds} beds"), || {
        let said = federation.nation.reeve(&["query", "beds", "--period", "now", "--json"]);
        said.code == 0 && said.json()["total"]["value"] == json!({ "lo": beds, "hi": beds })
    });
}

#[test]
fn a_unit_that_lost_its_store_or_its_folder_reports_on() {
    let federation = Federation::found("redb");
    let (town, nation) = (&federation.town, &federation.nation);
    put_beds(town, 7);
    nation_sees(&federation, 7);
    let key = ["--passphrase-file", &federation.path("passphrase")];

    // The store is lost, the keys are not.
    federation.stop(town);
    std::fs::remove_dir_all(town.folder.join("store")).unwrap();
    federation.start(town);
    put_beds(town, 5);
    eventually("the loss is noticed", || {
        town.reeve(&["status"]).ok().out.contains("STOPPED: the superior holds")
    });
    nation_sees(&federation, 7);
    let said = town.reeve(&[&["certificate", "renew", "--new-term"][..], &key].concat()).ok();
    assert!(said.out.contains("The running node has it"), "{said:?}");
    nation_sees(&federation, 5);
    let status = town.reeve(&["status", "--json"]).json();
    assert_eq!((&status["term"], &status["superior_ledger"]), (&json!(2), &json!(null)));
    town.reeve(&["sent", "--term", "2"]).ok();

    // The folder is gone: the unit joins anew.
    federation.stop(town);
    let again = federation.join_again("016");
    federation.start(&again);
    put_beds(&again, 9);
    nation_sees(&federation, 9);
    assert_eq!(again.reeve(&["status", "--json"]).json()["term"], 3);

    // And if the lost one turns up, it is told so and changes nothing.
    federation.start(town);
    put_beds(town, 1);
    eventually("the node of the ended term is refused", || {
        town.reeve(&["status"]).ok().out.contains("newer term already (old_term)")
    });
    nation_sees(&federation, 9);
    let said = nation.reeve(&["status"]).ok();
    assert!(said.out.contains("016"), "{said:?}");
}
