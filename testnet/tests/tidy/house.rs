//! The shape of the house: the root folder, and one table for dependencies and for lints.

use std::fs;

use crate::text::{files, none, read, root};

/// What may stand in the root folder of a clone. `target` is the build's.
const ROOT: [&str; 19] = [
    ".ci",
    ".git",
    ".gitattributes",
    ".gitignore",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "clippy.toml",
    "crdt",
    "deny.toml",
    "docs",
    "examples",
    "node",
    "policy",
    "rustfmt.toml",
    "testnet",
];

#[test]
fn the_root_folder_stays_small() {
    let strangers: Vec<String> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name != "target" && !ROOT.contains(&name.as_str()))
        .collect();
    none("not expected in the root folder", &strangers);
}

/// The crate that cargo fuzz builds.
const LIBFUZZER: &str = "testnet/fuzz/libfuzzer/";

#[test]
fn every_crate_takes_versions_and_lints_from_the_root() {
    let mut faults = Vec::new();
    for path in files("toml").into_iter().filter(|path| path.ends_with("/Cargo.toml")) {
        // A workspace of its own, for another toolchain.
        if path.starts_with(LIBFUZZER) {
            continue;
        }
        let manifest = read(&path);
        if !manifest.contains("[lints]\nworkspace = true") {
            faults.push(format!("{path}: no [lints] workspace = true"));
        }
        let mut dependencies = false;
        for line in manifest.lines() {
            if line.starts_with('[') {
                dependencies = line.ends_with("dependencies]");
            } else if dependencies && line.contains('=') && !line.contains("workspace = true") {
                faults.push(format!("{path}: {line}: put the version into the root's table"));
            }
        }
    }
    none("one table of dependencies and lints", &faults);
}

#[test]
fn release_builds_check_arithmetic() {
    let manifest = read("Cargo.toml");
    let release = manifest.split("[profile.release]").nth(1).unwrap();
    let release = release.split("\n[").next().unwrap();
    assert!(release.contains("overflow-checks = true"), "a sum that wraps is a wrong figure");
}
