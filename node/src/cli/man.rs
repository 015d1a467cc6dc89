//! `reeve man FOLDER`.

use std::path::PathBuf;

use super::{CommandError, Output};

/// Where to.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  reeve man /usr/local/share/man/man1")]
pub struct Arguments {
    /// The folder; it must exist
    folder: PathBuf,
}

pub(super) fn run(arguments: &Arguments, output: &Output) -> Result<(), CommandError> {
    let folder = &arguments.folder;
    clap_mangen::generate_to(super::command(), folder).map_err(|reason| CommandError::File {
        doing: "cannot write manual pages into",
        path: folder.clone(),
        reason,
    })?;
    output.note(&format!(
        "manual pages written; read them with `man -l {}/reeve.1`",
        folder.display()
    ));
    Ok(())
}
