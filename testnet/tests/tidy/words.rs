//! What must never be written, and what must stand next to what.

use crate::text::{has_word, none, sources};

/// Longest Rust file, in lines: a ratchet. Lower it when the longest file shrinks.
const LINES: usize = 800;

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> = sources()
        .iter()
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| source.path.clone())
        .collect();
    none("files that do not begin with a `//!` line", &silent);
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<String> = sources()
        .iter()
        .map(|source| (source.text.lines().count(), &source.path))
        .filter(|(lines, _)| *lines > LINES)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    none("split these files", &long);
}

#[test]
fn nothing_is_left_for_later() {
    let words = ["todo!", "unimplemented!", "dbg!(", "#[ignore", "TODO", "FIXME", "XXX"];
    let mut faults = Vec::new();
    for source in sources() {
        for (number, line) in source.text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(*word)) {
                faults.push(format!("{}:{} has {word}", source.path, number + 1));
            }
        }
    }
    none("finish it, or assert the wrong behaviour with a note", &faults);
}

/// What shipped code must not contain, where it may after all, and what to do instead.
const FORBIDDEN: [(&str, &[&str], &str); 10] = [
    ("HashMap", &["node/src/import/units.rs"], "its order changes from run to run: use a BTreeMap"),
    ("HashSet", &[], "its order changes from run to run: use a BTreeSet"),
    (".verify_batch", &[], "batch verification accepts what verify_strict refuses"),
    ("verify_prehashed", &[], "use verify_strict"),
    ("unbounded_channel", &[], "a queue has a named limit"),
    ("receive_sync_message", &[], "a peer's automerge bytes are never fed to automerge"),
    ("load_incremental", &[], "a peer's automerge bytes are never fed to automerge"),
    ("serde_json::to_vec(&statement", &[], "statements are CBOR"),
    ("CorsLayer::permissive", &[], "the local API answers its own origin only"),
    ("unsafe ", &[], "unsafe code is forbidden"),
];

#[test]
fn forbidden_words_are_absent() {
    let mut faults = Vec::new();
    for source in sources() {
        for (number, line) in source.shipped() {
            for (word, except, instead) in &FORBIDDEN {
                if line.contains(word) && !except.contains(&source.path.as_str()) {
                    faults.push(format!("{}:{number} has {word}: {instead}", source.path));
                }
            }
        }
    }
    none("forbidden", &faults);
}

#[test]
fn signatures_are_checked_strictly() {
    let key = sources().iter().find(|source| source.path == "policy/statement/src/key.rs").unwrap();
    let strict = key.shipped().filter(|(_, line)| line.contains(".verify_strict(")).count();
    let plain = key.shipped().filter(|(_, line)| line.contains(".verify(")).count();
    assert_eq!(
        (strict, plain),
        (1, 0),
        "policy/statement/src/key.rs: one verify_strict, no verify"
    );
}

#[test]
fn every_policy_evaluation_reads_its_errors() {
    /// How many lines after the question its errors must be read.
    const NEAR: usize = 12;
    let mut asked = 0;
    for source in sources() {
        let lines: Vec<&str> = source.shipped().map(|(_, line)| line).collect();
        for (at, _) in lines.iter().enumerate().filter(|(_, line)| has_word(line, "is_authorized"))
        {
            asked += 1;
            let errors = lines.iter().skip(at).take(NEAR).any(|line| line.contains(".errors()"));
            assert!(errors, "{}:{}: the answer's errors are not read", source.path, at + 1);
        }
    }
    assert_eq!(asked, 1, "one place asks the policy engine");
}
