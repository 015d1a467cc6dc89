//! Access tokens of the local HTTP API: the file `tokens.toml`, which holds who they are for and what
//! they are good for, and of their secrets only the SHA-256.
//!
//! A secret is 32 random bytes, so its hash cannot be turned back, and a lookup by hash tells nothing
//! by its timing: whoever guesses cannot choose the hash. The node reads the file again when it
//! changes. Nothing here reads a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use reeve_policy::authz::{Person, Role, Scope};
use reeve_statement::digest::Digest;
use reeve_statement::names::{IndicatorId, KindId};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The file of tokens in a node's folder.
pub const TOKENS_FILE: &str = "tokens.toml";
/// The file with the secret of the token that the command line uses.
pub const OPERATOR_TOKEN_FILE: &str = "operator.token";
/// Name of that token.
pub const OPERATOR: &str = "operator";

/// Most tokens of a house: people and programs, given one by one.
pub const MAX_TOKENS: usize = 1_000;
/// Longest name, in bytes: it appears in logs and decisions.
pub const MAX_NAME_BYTES: usize = 64;
/// Largest file, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// How secrets begin, so that a search for leaked secrets finds them.
const PREFIX: &str = "reeve_";
/// For the user alone.
const MODE: u32 = 0o600;

/// What a token is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Its name, for people and logs.
    pub name: String,
    /// SHA-256 of the secret.
    pub sha256: String,
    /// operator, writer, viewer, auditor.
    pub role: String,
    /// Kinds it may touch; left out: all that the role lets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<BTreeSet<String>>,
    /// Areas it may ask for; left out: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub areas: Option<BTreeSet<String>>,
    /// Indicators it may ask for; left out: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub indicators: Option<BTreeSet<String>>,
    /// When it was made.
    pub made: String,
    /// When it ends; left out: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// The file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, rename = "token")]
    tokens: Vec<Token>,
}

/// A token's secret; never printed by accident, wiped on drop.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A secret of these random bytes.
    #[must_use]
    pub fn of(random: &[u8; 32]) -> Self {
        Self(Zeroizing::new(format!("{PREFIX}{}", hex::encode(random))))
    }

    /// The text, for its owner.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// Why the tokens cannot be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read or written.
    #[error("{doing} {}: {reason}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The file is no file of tokens.
    #[error("{}: {reason}; correct it, or restore it from a backup", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file holds no secret.
    #[error(
        "{}: expected the secret of a token, which begins with {PREFIX}; `reeve token create` \
         prints one",
        path.display()
    )]
    NoSecret {
        /// Which file.
        path: PathBuf,
    },
    /// An entry says something that does not exist.
    #[error("token {name:?}: {reason}")]
    Entry {
        /// Its name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The name is taken.
    #[error("there is a token named {0:?}; revoke it first, or choose another name")]
    Taken(String),
    /// No such token.
    #[error("no token is named {0:?}; see `reeve token list`")]
    Unknown(String),
    /// Too many.
    #[error("at most {MAX_TOKENS} tokens; revoke some")]
    TooMany,
}

/// A token whose entry was checked.
#[derive(Debug, Clone)]
struct Known {
    person: Person,
    expires: Option<Timestamp>,
}

/// Who may ask, by the hash of what they show.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    entries: Vec<Token>,
    known: BTreeMap<Digest, Known>,
}

/// Why a secret does not open anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotKnown {
    /// No such token; it may have been revoked.
    Unknown,
    /// It has ended.
    Expired,
}

impl Tokens {
    /// Holds a file for one change, from reading to writing, until the answer is dropped: of two
    /// commands at once none undoes what the other did, such as a revocation.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn hold(path: &Path) -> Result<fs::File, TokenError> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let lock = PathBuf::from(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(MODE);
        let held = options.open(&lock).and_then(|file| file.lock().map(|()| file));
        held.map_err(|reason| TokenError::File { doing: "cannot hold", path: lock, reason })
    }

    /// Reads a file; one that is not there holds no tokens.
    ///
    /// # Errors
    /// [`TokenError`]: the file, or an entry. One wrong entry makes the whole file wrong, so that no
    /// token is good for more than its author meant.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let text = match read_bounded(path) {
            Ok(text) => text,
            Err(TokenError::File { reason, .. })
                if reason.kind() == std::io::ErrorKind::NotFound =>
            {
                return Ok(Self::default());
            }
            Err(error) => return Err(error),
        };
        Self::parse(path, &text)
    }

    /// Reads the text of a file; `path` is where it lies, for messages.
    ///
    /// # Errors
    /// As [`Tokens::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, TokenError> {
        let file: File = toml::from_str(text).map_err(|error| TokenError::Malformed {
            path: path.to_owned(),
            reason: error.message().to_owned(),
        })?;
        Self::of(file.tokens)
    }

    fn of(entries: Vec<Token>) -> Result<Self, TokenError> {
        if entries.len() > MAX_TOKENS {
            return Err(TokenError::TooMany);
        }
        let mut known = BTreeMap::new();
        for entry in &entries {
            let wrong = |reason: String| TokenError::Entry { name: entry.name.clone(), reason };
            let hash: Digest = entry.sha256.parse().map_err(|e| wrong(format!("{e}")))?;
            let expires = entry.expires.as_deref().map(str::parse).transpose();
            let expires = expires.map_err(|error| wrong(format!("{error}")))?;
            known.insert(hash, Known { person: entry.person()?, expires });
        }
        Ok(Self { entries, known })
    }

    /// Who shows this secret.
    ///
    /// # Errors
    /// [`NotKnown`].
    pub fn person(&self, secret: &str, now: Timestamp) -> Result<&Person, NotKnown> {
        let known = self.known.get(&Digest::of(secret.as_bytes())).ok_or(NotKnown::Unknown)?;
        match known.expires {
            Some(end) if end <= now => Err(NotKnown::Expired),
            _ => Ok(&known.person),
        }
    }

    /// The tokens, in the order of the file.
    #[must_use]
    pub fn entries(&self) -> &[Token] {
        &self.entries
    }

    /// Adds a token.
    ///
    /// # Errors
    /// [`TokenError`]: the name is taken, or the entry is wrong.
    pub fn add(&mut self, token: Token) -> Result<(), TokenError> {
        if self.entries.iter().any(|entry| entry.name == token.name) {
            return Err(TokenError::Taken(token.name));
        }
        let mut entries = self.entries.clone();
        entries.push(token);
        *self = Self::of(entries)?;
        Ok(())
    }

    /// Strikes a token.
    ///
    /// # Errors
    /// [`TokenError::Unknown`].
    pub fn revoke(&mut self, name: &str) -> Result<(), TokenError> {
        let mut entries = self.entries.clone();
        entries.retain(|entry| entry.name != name);
        if entries.len() == self.entries.len() {
            return Err(TokenError::Unknown(name.to_owned()));
        }
        *self = Self::of(entries)?;
        Ok(())
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// [`TokenError::File`].
    pub fn write(&self, path: &Path) -> Result<(), TokenError> {
        let file = File { tokens: self.entries.clone() };
        let text = toml::to_string_pretty(&file).map_err(|error| TokenError::Malformed {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        let head = "# Access tokens of the local HTTP API; changed by `reeve token`. Only hashes of \
                    their secrets are here.\n\n";
        replace(path, format!("{head}{text}").as_bytes())
    }
}

impl Token {
    /// A token of this name and role, made at this time, good for all that the role lets it.
    #[must_use]
    pub fn new(name: &str, role: Role, secret: &Secret, made: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            sha256: Digest::of(secret.text().as_bytes()).to_string(),
            role: role.name().to_owned(),
            kinds: None,
            areas: None,
            indicators: None,
            made: made.to_string(),
            expires: None,
        }
    }

    /// Who shows it.
    ///
    /// # Errors
    /// [`TokenError::Entry`]: the role, or a name in its scopes.
    pub fn person(&self) -> Result<Person, TokenError> {
        let wrong = |reason: String| TokenError::Entry { name: self.name.clone(), reason };
        let fits = (1..=MAX_NAME_BYTES).contains(&self.name.len())
            && !self.name.chars().any(char::is_control);
        if !fits {
            return Err(wrong("a name has 1 to 64 bytes without control characters".to_owned()));
        }
        let role = Role::of_name(&self.role).ok_or_else(|| {
            wrong("expected the role operator, writer, viewer or auditor".to_owned())
        })?;
        Ok(Person {
            name: self.name.clone(),
            role,
            kinds: scope::<KindId>(self.kinds.as_ref()).map_err(wrong)?,
            areas: scope::<UnitPath>(self.areas.as_ref()).map_err(wrong)?,
            indicators: scope::<IndicatorId>(self.indicators.as_ref()).map_err(wrong)?,
        })
    }
}

fn scope<T: FromStr + Ord>(texts: Option<&BTreeSet<String>>) -> Result<Scope<T>, String>
where
    T::Err: std::fmt::Display,
{
    let Some(texts) = texts else { return Ok(Scope::All) };
    let only = texts.iter().map(|text| text.parse().map_err(|error: T::Err| error.to_string()));
    only.collect::<Result<_, _>>().map(Scope::Only)
}

/// Gives the house an operator token if it has none yet, and keeps its secret for the command line.
///
/// # Errors
/// [`TokenError`]: a file.
pub fn ensure_operator(folder: &Path, random: &[u8; 32], now: Timestamp) -> Result<(), TokenError> {
    let secret_file = folder.join(OPERATOR_TOKEN_FILE);
    if secret_file.exists() {
        return Ok(());
    }
    let path = folder.join(TOKENS_FILE);
    let _held = Tokens::hold(&path)?;
    let mut tokens = Tokens::read(&path)?;
    let secret = Secret::of(random);
    if tokens.entries.iter().any(|entry| entry.name == OPERATOR) {
        tokens.revoke(OPERATOR)?;
    }
    tokens.add(Token::new(OPERATOR, Role::Operator, &secret, now))?;
    tokens.write(&path)?;
    replace(&secret_file, secret.text().as_bytes())
}

/// Reads a secret from a file: its first line.
///
/// # Errors
/// [`TokenError::File`].
pub fn read_secret(path: &Path) -> Result<Secret, TokenError> {
    let text = Zeroizing::new(read_bounded(path)?);
    let line = text.lines().next().unwrap_or_default().trim();
    // Another file, such as a key, is not shown to whoever listens.
    if !line.starts_with(PREFIX) {
        return Err(TokenError::NoSecret { path: path.to_owned() });
    }
    Ok(Secret(Zeroizing::new(line.to_owned())))
}

fn read_bounded(path: &Path) -> Result<String, TokenError> {
    let file = |doing| move |reason| TokenError::File { doing, path: path.to_owned(), reason };
    let length = fs::metadata(path).map_err(file("cannot look at"))?.len();
    if length > MAX_FILE_BYTES {
        let reason = format!("expected at most {MAX_FILE_BYTES} bytes, found {length}");
        return Err(TokenError::Malformed { path: path.to_owned(), reason });
    }
    fs::read_to_string(path).map_err(file("cannot read"))
}

/// Writes a file for its user only, whole or not at all, and durably.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), TokenError> {
    let file = |doing| move |reason| TokenError::File { doing, path: path.to_owned(), reason };
    let mut name = path.as_os_str().to_owned();
    name.push(".unfinished");
    let unfinished = PathBuf::from(name);
    let mut options = OpenOptions::new();
    let mut out = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(MODE)
        .open(&unfinished)
        .map_err(file("cannot make"))?;
    out.write_all(bytes).and_then(|()| out.sync_all()).map_err(file("cannot write"))?;
    fs::rename(&unfinished, path).map_err(file("cannot replace"))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(file("cannot sync"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn a_token_opens_until_it_ends_or_is_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(TOKENS_FILE);
        let secret = Secret::of(&[7; 32]);
        let mut token = Token::new("clinic", Role::Writer, &secret, at(0));
        token.kinds = Some(BTreeSet::from(["case".to_owned()]));
        token.expires = Some(at(100).to_string());
        let mut tokens = Tokens::default();
        tokens.add(token.clone()).unwrap();
        assert!(matches!(tokens.add(token), Err(TokenError::Taken(_))));
        tokens.write(&path).unwrap();

        let mut tokens = Tokens::read(&path).unwrap();
        let person = tokens.person(secret.text(), at(99)).unwrap();
        assert_eq!((person.name.as_str(), person.role), ("clinic", Role::Writer));
        assert_eq!(person.kinds, Scope::Only([KindId::new("case").unwrap()].into()));
        assert_eq!(person.areas, Scope::All);
        assert_eq!(tokens.person(secret.text(), at(100)), Err(NotKnown::Expired));
        assert_eq!(tokens.person("reeve_", at(0)), Err(NotKnown::Unknown));
        tokens.revoke("clinic").unwrap();
        assert_eq!(tokens.person(secret.text(), at(0)), Err(NotKnown::Unknown));
        assert!(matches!(tokens.revoke("clinic"), Err(TokenError::Unknown(_))));
    }

    #[test]
    fn neither_file_shows_more_than_it_must() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        ensure_operator(folder.path(), &[9; 32], at(0)).unwrap();
        ensure_operator(folder.path(), &[8; 32], at(0)).unwrap();
        let secret = read_secret(&folder.path().join(OPERATOR_TOKEN_FILE)).unwrap();
        assert_eq!(secret.text(), Secret::of(&[9; 32]).text());
        let tokens = fs::read_to_string(folder.path().join(TOKENS_FILE)).unwrap();
        assert!(!tokens.contains(secret.text()) && tokens.contains("operator"));
        for name in [TOKENS_FILE, OPERATOR_TOKEN_FILE] {
            let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        assert_eq!(format!("{secret:?}"), "Secret(redacted)");
    }

    #[test]
    fn one_wrong_entry_makes_the_file_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(TOKENS_FILE);
        let good = format!("sha256 = \"{}\"\nmade = \"x\"\n", Digest::ZERO);
        for bad in
            ["role = \"king\"", "role = \"writer\"\nkinds = [\"No Kind\"]", "role = 3", "x = 1"]
        {
            fs::write(&path, format!("[[token]]\nname = \"a\"\n{good}{bad}\n")).unwrap();
            assert!(Tokens::read(&path).is_err(), "{bad}");
        }
    }
}
