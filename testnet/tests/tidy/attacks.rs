//! Every attack that docs/reliability.md lists is tried by a test with its number, or waits for a reason
//! that is given: never both, never neither.

use std::collections::{BTreeMap, BTreeSet};

use crate::text::{none, read, root, sources};

const DOCUMENT: &str = "docs/reliability.md";

/// The two tables of attacks, each between its heading and the next.
const TRIED: &str = "### Tried";
const WAITING: &str = "### Waiting";

/// Attacks are numbered from 1 without gaps.
const ATTACKS: u32 = 55;

/// The numbers in the first column of the table below a heading, with what the row says.
fn rows(document: &str, heading: &str) -> BTreeMap<u32, String> {
    let (_, after) = document.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| {
        panic!("{DOCUMENT} has no `{heading}`");
    });
    let lines = after.lines().take_while(|line| !line.starts_with('#'));
    let mut rows = BTreeMap::new();
    for line in lines.filter_map(|line| line.strip_prefix("| ")) {
        let (number, said) = line.split_once(" | ").unwrap_or_default();
        let Ok(number) = number.trim().parse() else { continue };
        let twice = rows.insert(number, said.to_owned());
        assert!(twice.is_none(), "{DOCUMENT}: `{heading}` has attack {number} twice");
    }
    rows
}

/// Numbers of tests: `fn attack_NN_...` below an attribute that makes it a test.
fn tests() -> BTreeMap<u32, Vec<String>> {
    let mut found: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    let own = root().join("testnet/tests/tidy");
    let mut texts: Vec<(String, String)> =
        sources().iter().map(|source| (source.path.clone(), source.text.clone())).collect();
    for entry in std::fs::read_dir(own).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        let path = format!("testnet/tests/tidy/{name}");
        texts.push((path.clone(), read(&path)));
    }
    for (path, text) in texts {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            let name = line.trim_start_matches("async ").strip_prefix("fn attack_");
            let Some(name) = name else { continue };
            let number = name.split('_').next().and_then(|digits| digits.parse().ok());
            let above = lines.iter().take(at).rev();
            let mut attributes = above.take_while(|line| !line.is_empty() && **line != "}");
            if let Some(number) = number.filter(|_| attributes.any(|line| line.contains("test"))) {
                found.entry(number).or_default().push(path.clone());
            }
        }
    }
    found
}

#[test]
fn every_attack_is_tried_or_waits_for_a_reason() {
    let document = read(DOCUMENT);
    let (tried, waiting) = (rows(&document, TRIED), rows(&document, WAITING));
    let tests = tests();
    let mut faults = Vec::new();
    for number in 1..=ATTACKS {
        let listed = (tried.contains_key(&number), waiting.contains_key(&number));
        let fault = match (listed, tests.contains_key(&number)) {
            ((true, false), true) | ((false, true), false) => continue,
            ((true, true), _) => "is listed as tried and as waiting",
            ((false, false), _) => "is not listed",
            ((true, false), false) => "is listed as tried, but there is no attack_NN_ test",
            ((false, true), true) => "is listed as waiting, but there is a test",
        };
        faults.push(format!("attack {number:02} {fault}"));
    }
    let known: BTreeSet<u32> = (1..=ATTACKS).collect();
    let listed = tried.keys().chain(waiting.keys()).chain(tests.keys());
    for number in listed.filter(|number| !known.contains(number)) {
        faults.push(format!("there is no attack {number}"));
    }
    for (number, said) in tried.iter().chain(&waiting) {
        if said.split(" | ").any(|cell| cell.trim_end_matches(" |").trim().is_empty()) {
            faults.push(format!("attack {number:02}: an empty cell in {said}"));
        }
    }
    none(DOCUMENT, &faults);
}

#[test]
fn the_files_that_a_row_names_hold_its_tests() {
    let document = read(DOCUMENT);
    let tests = tests();
    let mut faults = Vec::new();
    for (number, said) in rows(&document, TRIED) {
        let named: Vec<&str> =
            said.split('`').skip(1).step_by(2).filter(|word| word.contains('/')).collect();
        for path in tests.get(&number).into_iter().flatten() {
            let is_named = named.iter().any(|named| path.starts_with(named.trim_end_matches('/')));
            if !is_named {
                faults.push(format!("attack {number:02} does not name {path}"));
            }
        }
    }
    none(DOCUMENT, &faults);
}
