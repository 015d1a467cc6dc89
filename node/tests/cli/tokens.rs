//! `reeve token`: who may come in, and until when.

use std::os::unix::fs::PermissionsExt as _;

use super::federation::{Federation, eventually};

#[test]
fn a_token_is_good_until_it_is_revoked_and_its_secret_is_kept_nowhere() {
    let town = &Federation::shared().town;
    let token = town.token("auditor-1", &["--role", "auditor"]);
    let secret = std::fs::read_to_string(&token).unwrap().trim().to_owned();
    assert!(secret.starts_with("reeve_"), "{secret}");
    assert_eq!(town.reeve_as(&token, &["sent"]).code, 0);
    town.reeve_as(&token, &["query", "cases", "--periods"]).fails(3, &["no policy permits it"]);
    let listed = town.reeve(&["token", "list"]).ok().out;
    assert!(listed.contains("auditor-1") && !listed.contains(&secret), "{listed}");
    let file = std::fs::read_to_string(town.folder.join("tokens.toml")).unwrap();
    assert!(!file.contains(&secret));
    for name in ["tokens.toml", "operator.token"] {
        let mode = std::fs::metadata(town.folder.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    town.reeve(&["token", "create", "auditor-1", "--role", "viewer"]).fails(1, &["auditor-1"]);
    town.reeve(&["token", "revoke", "auditor-1"]).ok();
    town.reeve_as(&token, &["sent"]).fails(3, &["not known", "reeve token create"]);
    town.reeve(&["token", "revoke", "auditor-1"]).fails(1, &["auditor-1"]);
    let log = town.log();
    assert!(!log.contains(&secret), "no secret in the log");
}

#[test]
fn a_token_ends_when_it_was_to_end() {
    let town = &Federation::shared().town;
    let token = town.token("short", &["--role", "auditor", "--expires", "1s"]);
    eventually("it ends", || town.reeve_as(&token, &["sent"]).code == 3);
    town.reeve_as(&token, &["sent"]).fails(3, &["expired"]);
    town.reeve(&["token", "create", "bad", "--role", "viewer", "--expires", "soon"])
        .fails(2, &["30m"]);
    town.reeve(&["token", "create", "bad", "--role", "viewer", "--area", "It//3"])
        .fails(1, &["bad", "found \"It\""]);
}

#[test]
fn a_file_that_holds_no_token_is_not_shown_to_anybody() {
    let federation = Federation::shared();
    let path = federation.write("no.token", "hello\n");
    federation.town.reeve_as(path.as_ref(), &["status"]).fails(1, &["no.token"]);
    let missing = federation.path("missing.token");
    federation
        .town
        .reeve_as(missing.as_ref(), &["status"])
        .fails(1, &["missing.token", "reeve run"]);
}

#[test]
fn commands_at_once_lose_no_token_and_bring_no_revoked_one_back() {
    let town = &Federation::shared().town;
    let names: Vec<String> = (0..8).map(|number| format!("at-once-{number}")).collect();
    for name in names.iter().filter(|name| name.ends_with(['0', '2', '4', '6'])) {
        town.token(name, &["--role", "viewer"]);
    }
    std::thread::scope(|scope| {
        for (number, name) in names.iter().enumerate() {
            scope.spawn(move || match number % 2 {
                0 => drop(town.reeve(&["token", "revoke", name]).ok()),
                _ => drop(town.token(name, &["--role", "viewer"])),
            });
        }
    });
    let listed = town.reeve(&["token", "list", "--json"]).json();
    let known = |name: &String| listed.as_array().unwrap().iter().any(|it| it["name"] == **name);
    let left: Vec<&String> = names.iter().filter(|name| known(name)).collect();
    assert_eq!(left, ["at-once-1", "at-once-3", "at-once-5", "at-once-7"]);
}
