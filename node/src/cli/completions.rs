//! `reeve completions SHELL`.

use clap_complete::Shell;

use super::{CommandError, Output};

/// Which shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  reeve completions bash > /etc/bash_completion.d/reeve")]
pub struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, output: &Output) -> Result<(), CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::command(), "reeve", &mut script);
    output.bytes(&script)
}
