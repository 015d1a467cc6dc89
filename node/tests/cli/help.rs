//! `--help`, completions and manual pages: what they show can be typed.

use super::federation::reeve;

/// Every command and action, as words to type.
fn commands() -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![(reeve::cli::command(), Vec::new())];
    while let Some((command, path)) = open.pop() {
        for sub in command.get_subcommands() {
            let path = [&path[..], &[sub.get_name().to_owned()]].concat();
            open.push((sub.clone(), path.clone()));
            found.push(path);
        }
    }
    found
}

/// Words as a shell splits them, without an explanation behind two blanks; what comes after a redirection or pipe is not the command's.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.split("  ").next().unwrap_or(line).chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    let ends = |word: &String| matches!(word.as_str(), ">" | "|" | "<" | "2>>");
    let end = words.iter().position(ends).unwrap_or(words.len());
    words.into_iter().take(end).filter(|word| !word.is_empty()).collect()
}

fn examples(help: &str) -> Vec<&str> {
    help.lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| line.starts_with("reeve "))
        .collect()
}

#[test]
fn every_help_text_has_examples_that_parse() {
    let mut without = Vec::new();
    for path in commands() {
        let arguments: Vec<&str> = path.iter().map(String::as_str).collect();
        let help = reeve(&[&arguments[..], &["--help"]].concat()).ok().out;
        assert!(help.contains("Usage: reeve"), "{path:?}: {help}");
        assert!(help.lines().all(|line| line.chars().count() <= 110), "{path:?}: {help}");
        let examples = examples(&help);
        if examples.is_empty() && path.len() == 1 {
            without.push(path.join(" "));
        }
        for example in examples {
            let words = words(example);
            let parsed = reeve::cli::command().try_get_matches_from(&words);
            assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
            assert!(words.contains(&path[0]), "{example} is no example of {}", path[0]);
        }
    }
    assert_eq!(without, Vec::<String>::new(), "commands without an example");
}

#[test]
fn the_help_documents_the_exit_codes_that_there_are() {
    let help = reeve(&["--help"]).ok().out;
    for code in 0..=6 {
        assert!(help.contains(&format!("\n  {code}  ")), "{code} in {help}");
    }
    for example in examples(&help) {
        reeve::cli::command().try_get_matches_from(words(example)).unwrap();
    }
    assert_eq!(reeve(&[]).code, 2, "a command is needed");
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = reeve(&["completions", shell]).ok().out;
        for path in commands().iter().filter(|path| path.len() == 1) {
            assert!(script.contains(&path[0]), "{} for {shell}", path[0]);
        }
    }
    reeve(&["completions", "cobol"]).fails(2, &["bash"]);
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().to_str().unwrap();
    reeve(&["man", folder]).ok();
    for path in commands() {
        let page = place.path().join(format!("reeve-{}.1", path.join("-")));
        let text = std::fs::read_to_string(&page).unwrap_or_else(|_| panic!("{}", page.display()));
        assert!(text.contains(".SH NAME"), "{text}");
    }
    let page = std::fs::read_to_string(place.path().join("reeve.1")).unwrap();
    assert!(page.contains("Exit codes"), "{page}");
    reeve(&["man", &format!("{folder}/none")]).fails(1, &["none"]);
}
