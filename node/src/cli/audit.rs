//! `reeve audit`: the auditor's program, which is also there alone as `reeve-audit`.

use reeve_audit::Verdict;
use reeve_audit::program::{self, AuditCommand};

use super::{CommandError, Output};

/// What to check.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
No node, no store and no network are needed: `reeve-audit` is the same, alone.

Examples:
  reeve audit verify nation/ region-03/ --federation ID --html report.html")]
pub struct Arguments {
    #[command(subcommand)]
    command: AuditCommand,
}

pub(super) fn run(arguments: &Arguments, output: &Output) -> Result<(), CommandError> {
    let done = program::run(&arguments.command)
        .map_err(|error| CommandError::Failed(error.to_string()))?;
    output.raw(done.text.as_bytes())?;
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
