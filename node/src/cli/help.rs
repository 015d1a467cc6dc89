//! The help text: commands in groups, examples, exit codes.

use std::fmt::Write as _;

use clap::Command;

/// Commands by what one wants to do. Every command is in exactly one group.
pub(super) const GROUPS: &[(&str, &[&str])] = &[
    ("Set up and run", &["init", "join", "request", "run", "verify", "backup", "restore"]),
    ("Records", &["import", "record", "twin", "schema"]),
    ("Figures", &["situation", "query", "catalogue"]),
    (
        "What leaves the house",
        &["status", "sent", "report", "policy", "declare", "bulletin", "ledger"],
    ),
    ("Evidence", &["history", "proof", "audit"]),
    ("Who takes part", &["register", "invite", "admit", "certificate", "authority", "token"]),
    ("This program", &["completions", "man"]),
];

const EXAMPLES: &str = "\
Examples:
  reeve --home /var/lib/reeve run
  reeve import cases.csv.gz --mapping cases.toml --dry-run
  reeve query confirmed_by_day --period 2020-03-01
  reeve status --json";

/// The exit codes, for the help and the manual pages.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed; the message says why and what to do
  2  the command line is wrong
  3  declined: policy, or a right that the token lacks
  4  the node is not running or cannot be reached
  5  done, but something was found: mistakes in a file, rejected rows, a damaged store
  6  done, but something that is needed to tell is not there (`audit`)";

/// Adds the grouped list of commands and what comes after the options.
pub(super) fn dress(command: Command) -> Command {
    let commands = grouped(&command);
    command
        .before_help(commands)
        .after_help(format!("{EXAMPLES}\n\n{EXIT_CODES}\n\n`reeve COMMAND --help` tells more."))
}

fn grouped(command: &Command) -> String {
    let widest = command.get_subcommands().map(|sub| sub.get_name().len()).max().unwrap_or(0);
    let mut text = String::new();
    for (group, names) in GROUPS {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{group}:");
        for name in *names {
            let about = command.find_subcommand(name).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {name:widest$}  {about}");
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}
