//! The tokens of the running node: the file, read again when it changes.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use reeve_policy::authz::Person;
use reeve_statement::time::Timestamp;

use super::fault::Fault;
use crate::token::{NotKnown, Tokens};

/// What tells one state of a file from another: it is replaced by renaming.
type Mark = Option<(u64, u64, i64, i64)>;

/// The file as it was read last.
pub(super) struct TokenFile {
    path: PathBuf,
    read: Mutex<Option<(Mark, Option<Tokens>)>>,
}

fn mark(path: &Path) -> Mark {
    let about = fs::metadata(path).ok()?;
    Some((about.ino(), about.size(), about.mtime(), about.mtime_nsec()))
}

impl TokenFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, read: Mutex::new(None) }
    }

    /// Who shows this secret. A file that cannot be read lets nobody in.
    pub(super) fn person(&self, secret: &str, now: Timestamp) -> Result<Person, Fault> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let found = mark(&self.path);
        if read.as_ref().is_none_or(|(known, _)| *known != found) {
            let tokens = Tokens::read(&self.path)
                .inspect_err(|error| tracing::error!(%error, "tokens cannot be read"))
                .ok();
            *read = Some((found, tokens));
        }
        let tokens = read.as_ref().and_then(|(_, tokens)| tokens.as_ref());
        let tokens = tokens.ok_or(Fault::TokensUnreadable)?;
        tokens.person(secret, now).cloned().map_err(|why| match why {
            NotKnown::Unknown => Fault::NoToken("the token is not known; it may have been revoked"),
            NotKnown::Expired => Fault::NoToken("the token has expired"),
        })
    }
}
