//! `reeve audit`: the auditor's program, which is also there alone as `reeve-audit`; and what an auditor does
//! online.

use reeve_audit::Verdict;
use reeve_audit::program::{self, AuditCommand};

use super::{CommandError, Global, Output, audit_decision, audit_watch};

/// What to check.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
To verify, no node, no store and no network are needed: `reeve-audit` is the same, alone.

Examples:
  reeve audit verify nation/ region-03/ --federation ID --html report.html
  reeve --home auditor audit watch --once
  reeve audit decision 5f0c13d2 -o decision/")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

/// Offline, or online.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    #[command(flatten)]
    Offline(AuditCommand),
    /// Follow the ledgers of jurisdictions, hold them against what was seen before, and cosign them
    Watch(audit_watch::Arguments),
    /// Decide again what a statement says was decided: fetch the policy set and what it was asked, or read
    /// them from files
    Decision(audit_decision::Arguments),
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let command = match &arguments.action {
        Action::Offline(command) => command,
        Action::Watch(arguments) => return audit_watch::run(arguments, global, output),
        Action::Decision(arguments) => return audit_decision::run(arguments, global, output),
    };
    let done = program::run(command).map_err(|error| CommandError::Failed(error.to_string()))?;
    output.raw_by(|out| done.print(out))?;
    match done.verdict {
        Verdict::Pass => Ok(()),
        Verdict::Findings => {
            Err(CommandError::Findings("something is wrong: see above".to_owned()))
        }
        Verdict::CannotTell => {
            Err(CommandError::CannotTell("something that is needed is not there".to_owned()))
        }
    }
}
