//! Attack 49: what comes into the program from outside. Every package is locked by its checksum, comes
//! from one registry, and a crate of ours names it only through the one table, which a person reviews.
//! Advisories are `cargo deny`'s, in `.ci/run`.

use std::collections::BTreeSet;

use crate::text::{files, none, read, root};

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Packages in `Cargo.lock`: name, source, checksum.
fn locked() -> Vec<(String, Option<String>, Option<String>)> {
    let lock = read("Cargo.lock");
    let value = |package: &str, key: &str| {
        let start = format!("{key} = \"");
        let line = package.lines().find_map(|line| line.strip_prefix(&start).map(str::to_owned));
        line.map(|line| line.trim_end_matches('"').to_owned())
    };
    let packages = lock.split("[[package]]").skip(1);
    packages
        .map(|it| (value(it, "name").unwrap(), value(it, "source"), value(it, "checksum")))
        .collect()
}

#[test]
fn attack_49_every_package_is_ours_or_locked_by_its_checksum() {
    let ours: BTreeSet<String> = files("toml")
        .into_iter()
        .filter(|path| path.ends_with("Cargo.toml"))
        .filter_map(|path| {
            let manifest = read(&path);
            let package = manifest.split("[package]").nth(1)?;
            let name = package.lines().find_map(|line| line.strip_prefix("name = \""))?;
            Some(name.trim_end_matches('"').to_owned())
        })
        .collect();
    let packages = locked();
    assert!(packages.len() > 100 && ours.len() > 5, "{} packages", packages.len());
    let mut faults = Vec::new();
    for (name, source, checksum) in packages {
        let good = match (&source, &checksum) {
            (None, None) => ours.contains(&name),
            (Some(source), Some(checksum)) => {
                source == REGISTRY
                    && checksum.len() == 64
                    && checksum.bytes().all(|byte| byte.is_ascii_hexdigit())
            }
            _ => false,
        };
        if !good {
            faults.push(format!("{name}: from {source:?}, checksum {checksum:?}"));
        }
    }
    none("packages that anybody could replace", &faults);
}

#[test]
fn attack_49_nothing_replaces_a_package_or_a_registry() {
    let mut faults = Vec::new();
    for path in files("toml") {
        let text = read(&path);
        let words = ["[patch", "[replace]", "[source.", "[registries", "git = \"", "registry = \""];
        let manifest = path.ends_with("Cargo.toml") || path.contains(".cargo/");
        for word in words.iter().filter(|word| manifest && text.contains(*word)) {
            faults.push(format!("{path} has {word}"));
        }
    }
    none("what Cargo.lock says would not be what is built", &faults);
}

#[test]
fn attack_49_a_build_script_or_a_macro_of_ours_does_not_exist() {
    let mut faults = Vec::new();
    for path in files("toml").into_iter().filter(|path| path.ends_with("Cargo.toml")) {
        let manifest = read(&path);
        let script = path.replace("Cargo.toml", "build.rs");
        if root().join(&script).exists() {
            faults.push(script);
        }
        for word in ["proc-macro = true", "build = \""] {
            if manifest.contains(word) {
                faults.push(format!("{path} has {word}"));
            }
        }
    }
    none("code of ours that runs while building", &faults);
}

#[test]
fn attack_49_ci_builds_what_is_locked_and_asks_for_advisories() {
    let ci = read(".ci/run");
    for word in ["cargo fetch --quiet --locked", "cargo deny check", ".ci/dependencies.py"] {
        assert!(ci.contains(word), ".ci/run lacks `{word}`");
    }
    let deny = read("deny.toml");
    for word in ["unknown-registry = \"deny\"", "unknown-git = \"deny\"", "yanked = \"deny\""] {
        assert!(deny.contains(word), "deny.toml lacks `{word}`");
    }
}
