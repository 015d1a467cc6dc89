//! Two persons: what one asks for waits until another asks for the very same.
//!
//! A house turns it on with `[policy] two_persons`. It binds who has a token, not who can write the
//! node's files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use reeve_statement::digest::Digest;
use reeve_statement::time::Timestamp;
use serde::{Deserialize, Serialize};

/// How long something waits for the second person: a week.
const WAITS_MILLIS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// Most things that wait: the oldest gives way.
const MANY: usize = 100;

/// The file in the node's folder.
pub const FILE: &str = "second-person.json";

/// What waits for a second person, kept in a file.
#[derive(Debug)]
pub(super) struct Seconds {
    path: PathBuf,
    /// One at a time reads and writes the file.
    turn: Mutex<()>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiting {
    /// Digest of what was asked for.
    digest: String,
    /// The name of the first person's token.
    first: String,
    /// When it was asked for, in milliseconds since 1970.
    at: i64,
}

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Second {
    /// It waits for another person until then.
    Waits(Timestamp),
    /// This is the second person; the first one's name.
    Done(String),
}

impl Seconds {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, turn: Mutex::new(()) }
    }

    /// A person asks for something. What two have asked for waits no longer.
    ///
    /// # Errors
    /// If the file cannot be read or written; nothing has changed then.
    pub(super) fn ask(&self, who: &str, digest: Digest, now: Timestamp) -> io::Result<Second> {
        let _turn = self.turn.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut waiting = read(&self.path)?;
        let ends = |it: &Waiting| Timestamp::from_millis(it.at).plus_millis(WAITS_MILLIS);
        waiting.retain(|it| ends(it) > now);
        let digest = digest.to_string();
        let found = waiting.iter().position(|it| it.digest == digest);
        let answer = match found.and_then(|place| waiting.get(place)) {
            Some(first) if first.first == who => return Ok(Second::Waits(ends(first))),
            Some(first) => Second::Done(first.first.clone()),
            None => Second::Waits(now.plus_millis(WAITS_MILLIS)),
        };
        match found {
            Some(place) => drop(waiting.remove(place)),
            None => {
                waiting.push(Waiting { digest, first: who.to_owned(), at: now.as_millis() });
                let more = waiting.len().saturating_sub(MANY);
                waiting.drain(..more);
            }
        }
        write(&self.path, &waiting)?;
        Ok(answer)
    }
}

fn read(path: &Path) -> io::Result<Vec<Waiting>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn write(path: &Path, waiting: &[Waiting]) -> io::Result<()> {
    let text = serde_json::to_string_pretty(waiting).map_err(io::Error::other)?;
    super::house::replace(path, &text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn only_another_person_is_a_second_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let ends = AT.plus_millis(WAITS_MILLIS);
        let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
        let seconds = Seconds::new(path.clone());
        assert_eq!(seconds.ask("alice", one, AT).unwrap(), Second::Waits(ends));
        let later = AT.plus_millis(60_000);
        assert_eq!(seconds.ask("alice", one, later).unwrap(), Second::Waits(ends));
        assert!(matches!(seconds.ask("bob", other, later).unwrap(), Second::Waits(_)));
        // It waits through a restart.
        let seconds = Seconds::new(path);
        assert_eq!(seconds.ask("bob", one, later).unwrap(), Second::Done("alice".to_owned()));
        // What is done waits no longer.
        assert!(matches!(seconds.ask("alice", one, later).unwrap(), Second::Waits(_)));
        assert_eq!(seconds.ask("carol", other, later).unwrap(), Second::Done("bob".to_owned()));
    }

    #[test]
    fn nothing_waits_for_ever_and_a_broken_file_is_no_consent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let seconds = Seconds::new(path.clone());
        let one = Digest::of(b"one");
        seconds.ask("alice", one, AT).unwrap();
        let late = AT.plus_millis(WAITS_MILLIS);
        let ends = late.plus_millis(WAITS_MILLIS);
        assert_eq!(seconds.ask("bob", one, late).unwrap(), Second::Waits(ends));
        fs::write(&path, "[{]").unwrap();
        assert!(seconds.ask("carol", one, late).is_err());
    }
}
