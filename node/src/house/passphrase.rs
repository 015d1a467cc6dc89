//! Where the passphrase of an authority key comes from: a file, a credential, or a person.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::files;

/// The name of the credential that holds the passphrase (systemd's `LoadCredential=`).
pub const CREDENTIAL: &str = "reeve-passphrase";
/// The variable that names the folder of credentials (systemd.exec(5)).
const CREDENTIALS_FOLDER: &str = "CREDENTIALS_DIRECTORY";
/// Shortest new passphrase, in characters: below it the key derivation cannot help.
const SHORTEST: usize = 12;

/// A passphrase; never printed, wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes a passphrase as typed.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Its bytes, for the key derivation.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Its text, for the one message that carries it to the own node.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(redacted)")
    }
}

/// Where a passphrase is to be read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PassphraseSource {
    /// The first line of a file.
    File(PathBuf),
    /// A person at the terminal.
    Prompt,
}

impl PassphraseSource {
    /// The file if one is named, else the credential if there is one, else the prompt.
    pub fn choose(file: Option<&Path>) -> Self {
        if let Some(file) = file {
            return Self::File(file.to_owned());
        }
        let folder = std::env::var_os(CREDENTIALS_FOLDER).map(PathBuf::from);
        match folder.map(|folder| folder.join(CREDENTIAL)).filter(|path| path.exists()) {
            Some(path) => Self::File(path),
            None => Self::Prompt,
        }
    }
}

/// Reads the passphrase of a key that exists.
///
/// # Errors
/// When the file cannot be read, or there is no terminal.
pub fn read_passphrase(source: &PassphraseSource) -> Result<Passphrase, PassphraseError> {
    match source {
        PassphraseSource::File(path) => from_file(path),
        PassphraseSource::Prompt => ask("Passphrase of the authority key: "),
    }
}

/// Reads the passphrase for a new key; a person types it twice.
///
/// # Errors
/// As [`read_passphrase`], and when it is too short or typed differently.
pub fn new_passphrase(source: &PassphraseSource) -> Result<Passphrase, PassphraseError> {
    let passphrase = match source {
        PassphraseSource::File(path) => from_file(path)?,
        PassphraseSource::Prompt => {
            let first = ask("New passphrase for the authority key: ")?;
            if ask("The same again: ")? != first {
                return Err(PassphraseError::Different);
            }
            first
        }
    };
    let found = passphrase.as_str().chars().count();
    if found < SHORTEST { Err(PassphraseError::Short { found }) } else { Ok(passphrase) }
}

fn from_file(path: &Path) -> Result<Passphrase, PassphraseError> {
    let text = files::read_text(path)
        .map(Zeroizing::new)
        .map_err(|error| PassphraseError::File { reason: error.to_string() })?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(PassphraseError::Empty { path: path.to_owned() });
    }
    Ok(Passphrase::new(line))
}

fn ask(prompt: &str) -> Result<Passphrase, PassphraseError> {
    rpassword::prompt_password(prompt)
        .map(Passphrase::new)
        .map_err(|error| PassphraseError::NoTerminal { reason: error.to_string() })
}

/// Why there is no passphrase.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// The file cannot be read.
    #[error("no passphrase: {reason}")]
    File {
        /// Why.
        reason: String,
    },
    /// The file is empty.
    #[error("{} is empty; expected the passphrase in its first line", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Nobody can be asked.
    #[error(
        "nobody can be asked for the passphrase ({reason}); use --passphrase-file, or a credential \
         named {CREDENTIAL}"
    )]
    NoTerminal {
        /// What the system said.
        reason: String,
    },
    /// Two different passphrases were typed.
    #[error("the two passphrases differ; nothing was made")]
    Different,
    /// Too short.
    #[error("expected a passphrase of at least {SHORTEST} characters, found {found}")]
    Short {
        /// Its characters.
        found: usize,
    },
}
