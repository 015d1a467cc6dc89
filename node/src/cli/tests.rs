//! The command line as people meet it.

use super::help::GROUPS;
use super::{Exit, command, main, plain, table};

#[test]
fn the_tree_of_commands_is_well_formed() {
    command().debug_assert();
}

#[test]
fn every_command_is_in_one_group() {
    let grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let mut commands: Vec<String> =
        command().get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let mut listed: Vec<String> = grouped.iter().map(ToString::to_string).collect();
    commands.sort();
    listed.sort();
    assert_eq!(listed, commands);
}

#[test]
fn the_help_shows_groups_examples_and_exit_codes() {
    let help = command().render_long_help().to_string();
    for (group, names) in GROUPS {
        assert!(help.contains(&format!("{group}:\n")), "{help}");
        for name in *names {
            assert!(help.contains(&format!("\n  {name}")), "{name} in {help}");
        }
    }
    assert!(help.contains("Examples:\n") && help.contains("Exit codes:\n"), "{help}");
    assert!(help.contains("--json") && help.contains("--home"), "{help}");
}

#[test]
fn every_command_says_what_it_is_for() {
    fn walk(command: &clap::Command, path: &str) {
        for sub in command.get_subcommands() {
            let path = format!("{path} {}", sub.get_name());
            assert!(sub.get_about().is_some(), "{path} has no text");
            walk(sub, &path);
        }
    }
    walk(&command(), "reeve");
}

#[test]
fn a_wrong_command_line_exits_with_two() {
    let code = main(["reeve", "no-such-command"].map(Into::into));
    assert_eq!(code, Exit::Usage.into());
}

#[test]
fn texts_of_others_cannot_steer_a_terminal() {
    assert_eq!(plain("a\u{1b}[31mb\nc\u{202e}"), "a\\u{1b}[31mb\\nc\\u{202e}");
    let shown = table(&["name"], &[], &[vec!["x\u{1b}[2J".to_owned()]]);
    assert!(!shown.contains('\u{1b}'), "{shown}");
}
