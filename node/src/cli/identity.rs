//! What the commands for keys and certificates share: the passphrase, the clock, their failures.

use std::path::PathBuf;

use reeve_statement::time::Timestamp;

use super::CommandError;
use crate::house::{Passphrase, PassphraseSource, new_passphrase, read_passphrase};

/// Where the passphrase of the authority key comes from.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct PassphraseArguments {
    /// Read the passphrase from the first line of a file; else from the systemd credential
    /// reeve-passphrase, else it is asked for
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

impl PassphraseArguments {
    fn source(&self) -> PassphraseSource {
        PassphraseSource::choose(self.passphrase_file.as_deref())
    }

    /// The passphrase of a key that exists.
    pub(super) fn read(&self) -> Result<Passphrase, CommandError> {
        read_passphrase(&self.source()).map_err(failed)
    }

    /// A passphrase for a new key.
    pub(super) fn choose(&self) -> Result<Passphrase, CommandError> {
        new_passphrase(&self.source()).map_err(failed)
    }
}

/// A failure, with the text of its cause.
pub(super) fn failed(error: impl std::error::Error) -> CommandError {
    CommandError::Failed(error.to_string())
}

/// The time on this machine's clock.
pub(super) fn now() -> Timestamp {
    crate::clock::wall()
}

/// `LANGUAGE=TEXT`.
pub(super) fn title(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((language, name)) if !language.is_empty() && !name.is_empty() => {
            Ok((language.to_owned(), name.to_owned()))
        }
        _ => Err("expected a language and a name, such as it=Milano".to_owned()),
    }
}

/// A time such as `1h` or `30m`, in seconds.
pub(super) fn seconds(text: &str) -> Result<u64, String> {
    let parsed = text.parse::<jiff::SignedDuration>().ok();
    parsed
        .and_then(|it| u64::try_from(it.as_secs()).ok())
        .filter(|it| *it > 0)
        .ok_or_else(|| "expected a time such as 30m, 1h or 2d".to_owned())
}

/// An argument as a shell wants it.
pub(super) fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', "'\\''"))
    }
}
