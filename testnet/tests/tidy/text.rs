//! Files of the repository as text: what is tracked, what is code and what is a comment.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Folders that hold no sources: builds, version control, a clone's own data.
const NOT_SOURCES: [&str; 2] = ["target", ".git"];

/// The top folder of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// One Rust file: its path from the root with `/`, and its text.
pub struct Source {
    pub path: String,
    pub text: String,
}

impl Source {
    /// Lines that are code, with their numbers from 1: comments are blank.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, without_comment(line)))
    }

    /// The lines before the file's own test module; nothing if all of it is tests.
    pub fn shipped(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = self.is_test();
        self.code()
            .take_while(move |(_, line)| !tests && !line.trim_start().starts_with("#[cfg(test)]"))
    }

    /// Whether all of the file is a test, a fixture of tests, or a short example.
    pub fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        self.path.split('/').any(|part| part == "tests" || part == "examples" && name != "lib.rs")
            && !self.path.starts_with("examples/src/")
            || name == "tests.rs"
            || name.ends_with("_tests.rs")
            || self.is_declared_for_tests()
    }

    /// Whether the parent module declares this file under `#[cfg(test)]`.
    fn is_declared_for_tests(&self) -> bool {
        let Some((folder, name)) = self.path.rsplit_once('/') else { return false };
        let module = name.trim_end_matches(".rs");
        let parents = [
            format!("{folder}/mod.rs"),
            format!("{folder}/lib.rs"),
            format!("{folder}/main.rs"),
            format!("{folder}.rs"),
        ];
        sources()
            .iter()
            .filter(|source| parents.contains(&source.path))
            .any(|parent| declares_for_tests(&parent.text, module))
    }
}

fn declares_for_tests(text: &str, module: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let Some(at) = lines.iter().position(|line| {
        let line = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) == Some(module)
    }) else {
        return false;
    };
    lines
        .iter()
        .take(at)
        .rev()
        .take_while(|line| line.starts_with("#["))
        .any(|line| line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(any(test"))
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with("//") {
        return "";
    }
    line.find(" // ").and_then(|at| line.get(..at)).unwrap_or(line)
}

/// Every Rust file of the repository, in order of path; this test itself is not among them.
pub fn sources() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
        let found: Vec<Source> = files("rs")
            .into_iter()
            .filter(|path| !path.starts_with("testnet/tests/tidy/"))
            .map(|path| Source { text: read(&path), path })
            .collect();
        assert!(found.len() > 100, "only {} sources found under {:?}", found.len(), root());
        found
    });
    &SOURCES
}

/// Paths of every file with this ending.
pub fn files(ending: &str) -> Vec<String> {
    let (mut found, mut todo) = (Vec::new(), vec![root()]);
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                if !NOT_SOURCES.contains(&name.as_str()) {
                    todo.push(path);
                }
            } else if path.extension().is_some_and(|found| found == ending) {
                let path = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                found.push(path.replace('\\', "/"));
            }
        }
    }
    found.sort();
    found
}

/// A file's text.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Whether `word` stands in `line` on its own: no letter, digit or `_` on either side.
pub fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

/// Fails with all faults at once, so that one run shows everything.
pub fn none(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}:\n  {}", faults.join("\n  "));
}
