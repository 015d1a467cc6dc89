//! The auditor's file: which jurisdictions, and where each shows its ledger.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use reeve_statement::unit::UnitPath;
use serde::Deserialize;

/// Longest file, in bytes: a line or two for each of ten thousand jurisdictions.
const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// Most jurisdictions of one file.
const MAX_JURISDICTIONS: usize = 10_000;
/// How often each is visited if the file does not say, in seconds.
const EVERY_S: u64 = 60;
/// Least and most of that.
const EVERY_RANGE_S: core::ops::RangeInclusive<u64> = 1..=86_400;

/// When a figure is late in the report if the file does not say, in hours: two days.
const LATE_HOURS: u64 = 48;
/// Which revisions are listed if the file does not say, in percent.
const REVISION_PERCENT: u64 = 20;

/// The auditor's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchConfig {
    /// How often each jurisdiction is visited, in seconds.
    pub every_s: u64,
    /// After how many hours from the end of its period a figure is late, for the report.
    pub late_after_hours: u64,
    /// From how many percent on a revision is listed in the report.
    pub revision_percent: u64,
    /// The jurisdictions, in the order of the file.
    pub jurisdictions: Vec<Jurisdiction>,
}

/// A jurisdiction that is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jurisdiction {
    /// Which unit.
    pub unit: UnitPath,
    /// Where its ledger is read: `http://HOST:PORT`.
    pub ledger: String,
    /// The file of the token to show, if the ledger is not open to everybody.
    pub token: Option<PathBuf>,
    /// Whether its statements are asked for too.
    pub statements: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    every_seconds: Option<u64>,
    #[serde(default)]
    late_after_hours: Option<u64>,
    #[serde(default)]
    revision_percent: Option<u64>,
    #[serde(default)]
    jurisdiction: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    unit: String,
    ledger: String,
    #[serde(default)]
    token: Option<PathBuf>,
    #[serde(default)]
    statements: bool,
}

/// Why the file cannot be used. Whoever wrote it is at fault.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{}: {reason}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{}: {reason}", path.display())]
    Mistake {
        /// Which file.
        path: PathBuf,
        /// Expected and found.
        reason: String,
    },
}

impl WatchConfig {
    /// Reads the file; paths in it are taken from its folder.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let io = |reason| ConfigError::Io { path: path.to_owned(), reason };
        let mistake = |reason| ConfigError::Mistake { path: path.to_owned(), reason };
        let length = std::fs::metadata(path).map_err(io)?.len();
        if length > MAX_BYTES {
            return Err(mistake(format!("expected at most {MAX_BYTES} bytes, found {length}")));
        }
        let text = std::fs::read_to_string(path).map_err(io)?;
        Self::parse(&text, path.parent().unwrap_or(Path::new(""))).map_err(mistake)
    }

    pub(super) fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let every_s = file.every_seconds.unwrap_or(EVERY_S);
        if !EVERY_RANGE_S.contains(&every_s) {
            let (least, most) = (EVERY_RANGE_S.start(), EVERY_RANGE_S.end());
            return Err(format!("every_seconds: expected {least} to {most}, found {every_s}"));
        }
        if file.jurisdiction.is_empty() {
            return Err(
                "expected at least one [[jurisdiction]] with `unit` and `ledger`".to_owned()
            );
        }
        if file.jurisdiction.len() > MAX_JURISDICTIONS {
            let found = file.jurisdiction.len();
            return Err(format!(
                "expected at most {MAX_JURISDICTIONS} jurisdictions, found {found}"
            ));
        }
        let mut units = BTreeSet::new();
        let mut jurisdictions = Vec::new();
        for Entry { unit: name, ledger, token, statements } in file.jurisdiction {
            let unit: UnitPath = name
                .parse()
                .map_err(|error| format!("unit {name:?}: {error}; units are written like it/03"))?;
            if !units.insert(unit.clone()) {
                return Err(format!("unit {name:?} stands there twice"));
            }
            let ledger = base_of(&ledger).map_err(|expected| {
                format!("ledger of {unit}: expected {expected}, found {ledger:?}")
            })?;
            let token = token.map(|token| folder.join(token));
            jurisdictions.push(Jurisdiction { unit, ledger, token, statements });
        }
        let late_after_hours = file.late_after_hours.unwrap_or(LATE_HOURS);
        let revision_percent = file.revision_percent.unwrap_or(REVISION_PERCENT);
        Ok(Self { every_s, late_after_hours, revision_percent, jurisdictions })
    }
}

/// `http://HOST:PORT`, perhaps with a path, without the last slash.
fn base_of(text: &str) -> Result<String, &'static str> {
    if text.starts_with("https://") {
        return Err(
            "http://HOST:PORT: for TLS let a proxy on this machine speak it, and name the proxy",
        );
    }
    let rest = text.strip_prefix("http://").ok_or("http://HOST:PORT")?;
    let host = rest.split('/').next().unwrap_or_default();
    let plain = rest.bytes().all(|byte| byte.is_ascii_graphic());
    if host.is_empty() || host.contains('@') || !plain || rest.contains(['?', '#']) {
        return Err("http://HOST:PORT without a user, a query or blanks");
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<WatchConfig, String> {
        WatchConfig::parse(text, Path::new("/etc/auditor"))
    }

    #[test]
    fn a_file_names_jurisdictions_and_nothing_that_it_does_not_know() {
        let one = "[[jurisdiction]]\nunit = \"it/03\"\nledger = \"http://127.0.0.1:7080/\"\n";
        let config = parse(&format!("{one}token = \"03.token\"\n")).unwrap();
        assert_eq!(config.every_s, 60);
        let [jurisdiction] = config.jurisdictions.as_slice() else { panic!("one") };
        assert_eq!(jurisdiction.ledger, "http://127.0.0.1:7080");
        assert_eq!(jurisdiction.token.as_deref(), Some(Path::new("/etc/auditor/03.token")));
        for (text, expected) in [
            (String::new(), "at least one"),
            (format!("{one}{one}"), "twice"),
            (format!("every_seconds = 0\n{one}"), "1 to 86400"),
            (format!("{one}tokn = \"x\""), "tokn"),
            (one.replace("http:", "https:"), "proxy"),
            (one.replace("http://127", "127"), "http://HOST:PORT"),
            (one.replace("127.0.0.1", "me@127.0.0.1"), "without a user"),
            (one.replace("it/03", "IT/03"), "IT/03"),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
