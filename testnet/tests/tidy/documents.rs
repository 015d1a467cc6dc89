//! Documents that can rot: the paths they name exist, the README's commands are those that
//! `.ci/run` executes, and ARCHITECTURE.md stays short.

use crate::text::{files, none, read, root};

/// Longest `docs/ARCHITECTURE.md`, in lines: a map, not a manual.
const ARCHITECTURE_LINES: usize = 300;

/// First parts of a path that make a quoted word a path of this repository.
const TOP: [&str; 7] = [".ci/", "crdt/", "docs/", "examples/", "node/", "policy/", "testnet/"];

/// Every document but the ones written by tools.
fn documents() -> Vec<String> {
    files("md")
}

#[test]
fn every_path_that_a_document_names_exists() {
    let mut faults = Vec::new();
    let mut seen = 0;
    for document in documents() {
        for path in paths(&read(&document)) {
            seen += 1;
            if !exists(&path) {
                faults.push(format!("{document} names {path}"));
            }
        }
    }
    none("documents that name what is not there", &faults);
    assert!(seen > 50, "only {seen} paths found: is the search broken?");
}

/// Words in backquotes, and targets of links, that begin like a path of this repository.
fn paths(text: &str) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2).map(str::to_owned);
    let linked =
        text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(str::to_owned);
    quoted
        .chain(linked)
        .map(|word| word.split('#').next().unwrap_or_default().to_owned())
        .filter(|word| TOP.iter().any(|top| word.starts_with(top)))
        .filter(|word| !word.contains([' ', '\n', '<', '$']))
        .collect()
}

/// Whether a path exists; `{a,b}` stands for each of its parts, `*` for at least one file.
fn exists(path: &str) -> bool {
    if let Some((before, rest)) = path.split_once('{') {
        let Some((parts, after)) = rest.split_once('}') else { return false };
        return parts.split(',').all(|part| exists(&format!("{before}{}{after}", part.trim())));
    }
    if let Some((before, after)) = path.split_once('*') {
        let (folder, start) = before.rsplit_once('/').unwrap_or((".", before));
        return std::fs::read_dir(root().join(folder)).is_ok_and(|mut entries| {
            entries.any(|entry| {
                let name = entry.map(|entry| entry.file_name().to_string_lossy().into_owned());
                name.is_ok_and(|name| name.starts_with(start) && name.ends_with(after))
            })
        });
    }
    root().join(path.trim_end_matches('/')).exists()
}

/// The lines of the README's code blocks marked `sh`.
fn readme_commands() -> Vec<String> {
    let readme = read("README.md");
    let blocks = readme.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.flat_map(|block| block.lines().map(str::to_owned)).collect()
}

#[test]
fn the_readme_s_test_command_is_what_ci_runs_first() {
    let ci = read(".ci/run");
    let first = ci.lines().find_map(|line| line.strip_prefix("step ")).unwrap();
    let first = first.strip_prefix("\"tests\" ").unwrap_or_else(|| panic!("first step: {first}"));
    assert!(readme_commands().iter().any(|line| line == first), "README.md lacks `{first}`");
}

#[test]
fn the_readme_names_both_commands() {
    let commands = readme_commands();
    for start in ["cargo test", "cargo run -p reeve-testnet"] {
        assert!(commands.iter().any(|line| line.starts_with(start)), "README.md: no `{start}`");
    }
    let toolchain = commands.iter().filter(|line| line.starts_with("cargo run")).all(|line| {
        !line.contains(" -p ") || files("toml").iter().any(|path| names_package(path, line))
    });
    assert!(toolchain, "README.md runs a package that is not there: {commands:?}");
}

fn names_package(manifest: &str, command: &str) -> bool {
    let mut words = command.split_whitespace().skip_while(|word| *word != "-p").skip(1);
    let package = words.next().unwrap_or_default();
    manifest.ends_with("Cargo.toml") && read(manifest).contains(&format!("name = \"{package}\""))
}

#[test]
fn architecture_is_a_map() {
    let lines = read("docs/ARCHITECTURE.md").lines().count();
    assert!(lines <= ARCHITECTURE_LINES, "docs/ARCHITECTURE.md has {lines} lines");
}

/// Module documents whose examples `docs/formats.md` shows.
const FORMATS: [&str; 3] =
    ["crdt/src/schema/mod.rs", "crdt/src/catalogue/mod.rs", "node/src/import.rs"];

#[test]
fn formats_shows_the_examples_of_the_code() {
    let formats = read("docs/formats.md");
    let mut faults = Vec::new();
    for path in FORMATS {
        let text = read(path);
        let lines = text.lines().filter_map(|line| line.strip_prefix("//!"));
        let document: String =
            lines.flat_map(|line| [line.strip_prefix(' ').unwrap_or(line), "\n"]).collect();
        let examples = document.split("```toml\n").skip(1);
        let mut examples = examples.filter_map(|rest| rest.split("```").next()).peekable();
        assert!(examples.peek().is_some(), "{path} has no example of a file");
        if examples.any(|example| !formats.contains(example)) {
            faults
                .push(format!("docs/formats.md lacks the example of {path}, or has an older one"));
        }
    }
    none("formats", &faults);
}

/// Options that every command has, or that several share, or of an action with a file of its own.
const SHARED_OPTIONS: [&str; 5] = [
    "node/src/cli/mod.rs",
    "node/src/cli/identity.rs",
    "node/src/cli/asking.rs",
    "node/src/cli/adopt.rs",
    "node/src/cli/rekey.rs",
];

#[test]
fn every_command_and_option_that_operate_shows_exists() {
    let operate = read("docs/operate.md");
    let blocks = operate.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lines = blocks.flat_map(str::lines).filter_map(|line| line.strip_prefix("reeve "));
    let mut faults = Vec::new();
    for line in lines {
        let words: Vec<&str> =
            line.split(" > ").next().unwrap_or_default().split_whitespace().collect();
        let words = match words.as_slice() {
            ["--home", _, rest @ ..] => rest,
            all => all,
        };
        let Some((command, arguments)) = words.split_first() else { continue };
        let file = format!("node/src/cli/{command}.rs");
        if !root().join(&file).exists() {
            faults.push(format!("reeve {line}: no {file}"));
            continue;
        }
        // An action may have a file of its own.
        let action = arguments.first().map(|action| format!("node/src/cli/{command}_{action}.rs"));
        let action = action.filter(|path| root().join(path).exists());
        let files = core::iter::once(file.as_str()).chain(action.as_deref());
        let sources: String = files.chain(SHARED_OPTIONS.iter().copied()).map(read).collect();
        let until = arguments.iter().position(|word| *word == "|").unwrap_or(arguments.len());
        let options = arguments.iter().take(until).filter_map(|word| word.strip_prefix("--"));
        for option in options.filter(|option| !is_option(&sources, option)) {
            faults.push(format!("reeve {line}: no --{option} in {file}"));
        }
    }
    none("docs/operate.md shows what the command line does not have", &faults);
}

/// Whether a field, or a name given for one, makes this option.
fn is_option(sources: &str, option: &str) -> bool {
    let field = format!("    {}: ", option.replace('-', "_"));
    sources.contains(&field)
        || sources.contains(&format!("    pub {}", field.trim_start()))
        || sources.contains(&format!("long = \"{option}\""))
}
