//! Founding, joining, running: what a node's folder is, and who may do what with it.

use std::os::unix::fs::PermissionsExt as _;

use super::federation::{Federation, reeve};
use super::files::PASSPHRASE;

#[test]
fn a_founded_folder_is_private_and_never_overwritten() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("node").to_str().unwrap().to_owned();
    let passphrase = place.path().join("passphrase");
    std::fs::write(&passphrase, PASSPHRASE).unwrap();
    let passphrase = passphrase.to_str().unwrap();
    let init = ["--home", &folder, "init", "--federation", "test.example", "--unit", "it"];
    let init = [&init[..], &["--passphrase-file", passphrase]].concat();
    let told = reeve(&init).ok();
    assert!(told.out.contains("Federation id") && told.out.contains("root.key"), "{told:?}");
    for key in ["root", "authority", "node", "writer"] {
        let path = format!("{folder}/keys/{key}.key");
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
    let config = std::fs::read_to_string(format!("{folder}/reeve.toml")).unwrap();
    reeve(&init).fails(1, &[&folder]);
    assert_eq!(std::fs::read_to_string(format!("{folder}/reeve.toml")).unwrap(), config);
    std::fs::write(format!("{folder}/reeve.toml"), format!("{config}\n[nett]\n")).unwrap();
    reeve(&["--home", &folder, "status"]).fails(1, &["reeve.toml", "nett"]);
}

#[test]
fn mistakes_of_the_command_line_are_named() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().to_str().unwrap();
    let short = place.path().join("short");
    std::fs::write(&short, "short").unwrap();
    let short = short.to_str().unwrap();
    let init = ["--home", folder, "init", "--unit"];
    let with = |more: &[&str]| reeve(&[&init[..], more].concat());
    with(&["Not A Unit"]).fails(2, &["--unit"]);
    with(&["016", "--time-zone", "Mars/Olympus", "--passphrase-file", short])
        .fails(2, &["Mars/Olympus"]);
    with(&["016", "--passphrase-file", short]).fails(1, &["12"]);
    reeve(&["--home", folder, "run"]).fails(1, &["reeve init"]);
    reeve(&["--home", folder, "status"]).fails(1, &["reeve.toml"]);
    reeve(&["no-such-command"]).fails(2, &["no-such-command"]);
    reeve(&["query"]).fails(2, &["INDICATOR"]);
}

#[test]
fn a_node_that_has_not_joined_does_not_run() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("node").to_str().unwrap().to_owned();
    let passphrase = place.path().join("passphrase");
    std::fs::write(&passphrase, PASSPHRASE).unwrap();
    let passphrase = passphrase.to_str().unwrap();
    reeve(&["--home", &folder, "init", "--unit", "016", "--passphrase-file", passphrase]).ok();
    reeve(&["--home", &folder, "run"]).fails(1, &["reeve join"]);
    reeve(&["--home", &folder, "status"]).fails(1, &["reeve run"]);
}

#[test]
fn an_invite_works_once() {
    let federation = Federation::shared();
    let passphrase = federation.path("passphrase");
    let invite = ["invite", "017", "--passphrase-file", &passphrase];
    let line = federation.nation.reeve(&invite).ok().out.trim().to_owned();
    let join = |name: &str| {
        let folder = federation.path(name);
        let init = ["--home", &folder, "init", "--unit", "017", "--allow-private-addresses"];
        reeve(&[&init[..], &["--passphrase-file", &passphrase]].concat()).ok();
        reeve(&["--home", &folder, "join", &line, "--passphrase-file", &passphrase])
    };
    join("017").ok();
    join("017-again").fails(1, &["invite"]);
    let folder = federation.path("017-other");
    let init = ["--home", &folder, "init", "--unit", "018", "--allow-private-addresses"];
    reeve(&[&init[..], &["--passphrase-file", &passphrase]].concat()).ok();
    reeve(&["--home", &folder, "join", &line, "--passphrase-file", &passphrase]).fails(1, &["017"]);
}

#[test]
fn status_tells_who_is_there_and_what_is_kept() {
    let federation = Federation::shared();
    let status = federation.town.reeve(&["status", "--json"]).json();
    assert_eq!(status["unit"], "it/016");
    let superior = &status["peers"][0];
    assert_eq!(
        (superior["unit"].as_str(), superior["connected"].as_bool()),
        (Some("it"), Some(true))
    );
    let text = federation.nation.reeve(&["status"]).ok().out;
    for part in ["Catalogue", "version 1", "Ledger", "Storage", "016", "certificate ends"] {
        assert!(text.to_lowercase().contains(&part.to_lowercase()), "{part} in {text}");
    }
    assert!(!text.contains('\u{1b}'), "no colours in a pipe: {text:?}");
    let colours = federation.nation.reeve(&["status", "--color", "always"]).ok().out;
    assert!(colours.contains('\u{1b}'), "{colours:?}");
}
