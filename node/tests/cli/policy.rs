//! `reeve policy`: checking, asking, previewing and replacing the policy.

use super::federation::{Alone, Federation};

#[test]
fn a_policy_file_is_checked_with_places() {
    let federation = Federation::shared();
    let check = |name: &str, text: &str| {
        let path = federation.write(name, text);
        federation.town.reeve(&["policy", "check", &path])
    };
    let default = std::fs::read_to_string(federation.town.folder.join("policy.cedar")).unwrap();
    assert!(check("good.cedar", &default).ok().out.contains("no mistakes"));
    check("syntax.cedar", &format!("{default}\npermit (")).fails(5, &["syntax.cedar:"]);
    let unknown = format!(
        "{default}\n@id(\"x\") @min_cel(\"5\")\npermit (principal is Unit, action == Action::\"pull\", resource);"
    );
    check("unknown.cedar", &unknown).fails(5, &["unknown.cedar:", "@min_cel", "min_cell"]);
    check(
        "attribute.cedar",
        "permit (principal is Unit, action, resource) when { principal.lvl > 1 };",
    )
    .fails(5, &["attribute.cedar:1", "lvl"]);
    federation.town.reeve(&["policy", "check", "no-such-file"]).fails(1, &["no-such-file"]);
}

#[test]
fn explain_says_who_decided_and_why() {
    let town = &Federation::shared().town;
    let explain = |arguments: &[&str]| town.reeve(&[&["policy", "explain"], arguments].concat());
    let pull = ["--action", "pull", "--indicator", "cases"];
    let told = explain(&[&["--unit", "it"], &pull[..]].concat()).ok().out;
    for part in ["permitted", "superior-figures", "floor 5"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    let told = explain(&[&["--unit", "it/017", "--json"], &pull[..]].concat()).json();
    assert_eq!(told["permitted"], false);
    let look = ["--role", "viewer", "--action", "query", "--indicator", "cases"];
    assert!(explain(&look).ok().out.contains("viewer-figures"));
    let told = explain(&[&look[..], &["--own"]].concat()).ok().out;
    assert!(told.contains("viewer-figures") && told.contains("own table"), "{told}");
    let told = explain(&["--role", "operator", "--action", "read_record", "--kind", "case"]).ok();
    assert!(told.out.contains("declined"), "{told:?}");
    explain(&["--role", "king", "--action", "query"]).fails(2, &["operator, writer"]);
    explain(&["--role", "viewer", "--action", "look"]).fails(2, &["read_record"]);
    explain(&["--unit", "it", "--action", "pull", "--indicator", "none"]).fails(1, &["none"]);
}

#[test]
fn a_policy_is_previewed_and_put_in_force() {
    let mut alone = Alone::found("redb");
    let default = std::fs::read_to_string(alone.site.folder.join("policy.cedar")).unwrap();
    let closed = format!(
        "{default}\n@id(\"no-own\")\nforbid (principal is Person, action == Action::\"query\", \
         resource)\nwhen {{ context.own }};\n"
    );
    let path = alone.write("closed.cedar", &closed);
    let preview = alone.site.reeve(&["policy", "preview", &path]).ok().out;
    assert!(preview.contains("own table") && preview.contains("declined"), "{preview}");
    assert!(!preview.contains("pull"), "only what changes: {preview}");
    let own = ["query", "cases", "--own", "--period", "2021-01-01"];
    alone.site.reeve(&own).fails(1, &["no own table"]);
    alone.site.reeve(&["policy", "set", &path]).ok();
    alone.site.reeve(&own).fails(3, &["no-own"]);
    let broken = alone.write("broken.cedar", "permit (");
    alone.site.reeve(&["policy", "set", &broken]).fails(5, &["broken.cedar:1"]);
    alone.stop();
    alone.start();
    alone.site.reeve(&own).fails(3, &["no-own"]);
    let kept = std::fs::read_to_string(alone.site.folder.join("policy.cedar")).unwrap();
    assert_eq!(kept, closed);
}
