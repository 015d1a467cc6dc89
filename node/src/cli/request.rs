//! `reeve request`: an application to join by file, without a line.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use reeve_statement::unit::UnitPath;
use serde_json::json;

use super::identity::{PassphraseArguments, failed};
use super::{CommandError, Global, Output};
use crate::enrol::Application;
use crate::house::House;

/// What to apply for.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For a unit whose node has no line to its superior. Makes the application of this folder's authority key;
the keys stay here. Carry FILE to the superior, and tell its people over another channel, such as the
telephone, the key that is printed. They run `reeve admit` and send back a file for `reeve join --answer`.

Example:
  reeve request --under it/03 /media/stick/016.request")]
pub struct Arguments {
    /// The file to write
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The unit directly above, as a path, such as it/03
    #[arg(long, value_name = "UNIT")]
    under: UnitPath,
    #[command(flatten)]
    passphrase: PassphraseArguments,
}

/// Writes the application.
///
/// # Errors
/// When the house cannot be opened or has joined, the passphrase is wrong, or the file cannot be written.
pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let house = House::open(&global.home).map_err(failed)?;
    let passphrase = arguments.passphrase.read()?;
    let application = Application::new(&house, &arguments.under, &passphrase).map_err(failed)?;
    let key = application.key().map_err(failed)?.to_string();
    write(&arguments.file, &application.to_string())?;
    let document = json!({ "unit": application.unit.to_string(), "key": key });
    output.show(&document, || {
        format!(
            "The application of {} is in {}.\nIts key, to be told over another channel: {key}",
            application.unit,
            arguments.file.display()
        )
    })
}

/// Writes a line to a file for its user only.
pub(super) fn write(path: &Path, line: &str) -> Result<(), CommandError> {
    let failed =
        |reason| CommandError::File { doing: "cannot write", path: path.to_owned(), reason };
    let mut options = fs::OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(format!("{line}\n").as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}
