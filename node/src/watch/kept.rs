//! What an auditor keeps: of each jurisdiction the newest checkpoint that everything before agrees with, and
//! what stands against it. A file is written whole or not at all, and before anything of it is said.
//!
//! | in the folder | what |
//! |---|---|
//! | `followed/UNIT.json` | what was seen of a jurisdiction, by term ([`Kept`]) |
//! | `seen/ORIGIN.note` | the same checkpoints as notes, with this auditor's cosignature: for other auditors |
//! | `equivocations/UNIT-term-N.json` | proofs that a unit keeps two ledgers, for `reeve audit verify` |
//! | `statements/UNIT/statements/DIGEST.cose` | statements that were shown, as signed: the form of proof bundles |
//! | `lock` | held while somebody watches with this folder |

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use reeve_audit::EquivocationFile;
use reeve_statement::cose::MAX_ENVELOPE_BYTES;
use reeve_statement::digest::Digest;
use reeve_statement::ledger::checkpoint::{Checkpoint, MAX_CHECKPOINT_BYTES, Origin};
use reeve_statement::unit::UnitPath;
use serde::{Deserialize, Serialize};

use super::finding::Finding;
use crate::house::{HouseError, make_folder, replace_file};

/// What the first field of a jurisdiction's file says.
const FORMAT: &str = "reeve-watch/1";
/// Longest file of a jurisdiction, in bytes: a checkpoint, a chain and a cosignature for each term.
const MAX_BYTES: u64 = 8 * 1024 * 1024;
/// Most terms that are kept of a jurisdiction; the oldest go.
const MAX_TERMS: usize = 32;
/// Most notes that are read of another auditor's folder: one for each term of ten thousand jurisdictions.
const MAX_NOTES: usize = 100_000;
/// How the file of a note ends, as in proof bundles.
const NOTE: &str = ".note";

const FOLLOWED: &str = "followed";
const SEEN: &str = "seen";
const EQUIVOCATIONS: &str = "equivocations";
const STATEMENTS: &str = "statements";
/// How the file of a statement ends, as in proof bundles.
const COSE: &str = ".cose";
const LOCK: &str = "lock";

/// What was seen of a jurisdiction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    format: String,
    /// Which unit, as a path.
    pub unit: String,
    /// When it answered last, with what could be verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached_at: Option<String>,
    /// Since when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_reached_since: Option<String>,
    /// Its ledgers, by term.
    #[serde(default)]
    pub ledgers: Vec<KeptLedger>,
    /// What the last visit found.
    #[serde(default)]
    pub findings: Vec<Finding>,
}

/// What was seen of one ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptLedger {
    /// In which reporting term.
    pub term: u64,
    /// Entries of the newest checkpoint.
    pub size: u64,
    /// That checkpoint, as the unit's node signed it.
    pub checkpoint: String,
    /// The chain of the node that signed it, leaf first, in PEM.
    pub chain: String,
    /// When the ledger was seen first.
    pub first_seen_at: String,
    /// When it was seen to have grown last.
    pub grew_at: String,
    /// What was cosigned last of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cosigned: Option<KeptCosignature>,
    /// When it was proven that there are two of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub two_since: Option<String>,
    /// How far its entries were followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<KeptEntries>,
}

/// How far the entries of a ledger were followed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptEntries {
    /// Entries that were followed.
    pub size: u64,
    /// The right edge of the tree over them: hashes of its complete parts.
    pub peaks: Vec<String>,
    /// How many of them are statements that were shown.
    pub shown: u64,
}

/// A cosignature that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptCosignature {
    /// Entries of the checkpoint.
    pub size: u64,
    /// When, in seconds since 1970.
    pub at: i64,
    /// The signature line, with its line ending.
    pub line: String,
    /// Whether the jurisdiction has taken it.
    pub taken: bool,
}

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// A file or folder could not be read or written.
    #[error("cannot {doing} {}: {reason}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// It could not be written durably.
    #[error(transparent)]
    House(#[from] HouseError),
    /// A file is not what was written.
    #[error(
        "{}: {reason}; put it back from a copy: without it nobody knows what was seen before", path.display()
    )]
    Damaged {
        /// Which.
        path: PathBuf,
        /// Expected and found.
        reason: String,
    },
    /// Somebody else watches with this folder.
    #[error("{} is in use: another `reeve audit watch` runs with it", path.display())]
    InUse {
        /// Which folder.
        path: PathBuf,
    },
    /// Another auditor's folder has too many files.
    #[error("{}: expected at most {MAX_NOTES} notes", path.display())]
    TooMany {
        /// Which folder.
        path: PathBuf,
    },
}

fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> KeptError {
    let path = path.to_owned();
    move |reason| KeptError::Io { doing, path, reason }
}

impl Kept {
    /// Nothing seen of a unit yet.
    #[must_use]
    pub fn new(unit: &UnitPath) -> Self {
        Self {
            format: FORMAT.to_owned(),
            unit: unit.to_string(),
            reached_at: None,
            not_reached_since: None,
            ledgers: Vec::new(),
            findings: Vec::new(),
        }
    }

    /// The ledger of the newest term.
    #[must_use]
    pub fn newest(&self) -> Option<&KeptLedger> {
        self.ledgers.last()
    }

    pub(super) fn ledger(&mut self, term: u64) -> Option<&mut KeptLedger> {
        self.ledgers.iter_mut().find(|ledger| ledger.term == term)
    }

    pub(super) fn begin(&mut self, ledger: KeptLedger) {
        self.ledgers.push(ledger);
        self.ledgers.sort_by_key(|ledger| ledger.term);
        let over = self.ledgers.len().saturating_sub(MAX_TERMS);
        self.ledgers.drain(..over);
    }
}

/// The folder of an auditor.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: Option<File>,
}

impl Folder {
    /// Opens the folder to watch with; it is made if it is not there.
    ///
    /// # Errors
    /// [`KeptError`]; another watcher uses it.
    pub fn open(path: &Path) -> Result<Self, KeptError> {
        for part in [FOLLOWED, SEEN, EQUIVOCATIONS] {
            make_folder(&path.join(part))?;
        }
        let lock = path.join(LOCK);
        let mut options = File::options();
        let file = options.create(true).truncate(false).write(true).open(&lock);
        let file = file.map_err(io("make", &lock))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: Some(file) }),
            Err(fs::TryLockError::WouldBlock) => Err(KeptError::InUse { path: path.to_owned() }),
            Err(fs::TryLockError::Error(reason)) => Err(io("lock", &lock)(reason)),
        }
    }

    /// The folder to look into, whoever watches with it.
    #[must_use]
    pub fn look(path: &Path) -> Self {
        Self { path: path.to_owned(), _lock: None }
    }

    /// What was seen of a unit; nothing yet if there is no file.
    ///
    /// # Errors
    /// [`KeptError`]; the file is damaged.
    pub fn kept(&self, unit: &UnitPath) -> Result<Kept, KeptError> {
        let path = self.followed(unit);
        let damaged = |reason: String| KeptError::Damaged { path: path.clone(), reason };
        let length = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Kept::new(unit));
            }
            Err(error) => return Err(io("look at", &path)(error)),
        };
        if length > MAX_BYTES {
            return Err(damaged(format!("expected at most {MAX_BYTES} bytes, found {length}")));
        }
        let text = fs::read_to_string(&path).map_err(io("read", &path))?;
        let kept: Kept = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if kept.format != FORMAT {
            return Err(damaged(format!("expected format {FORMAT}, found {:?}", kept.format)));
        }
        if kept.unit != unit.to_string() {
            return Err(damaged(format!(
                "expected what was seen of {unit}, found of {}",
                kept.unit
            )));
        }
        Ok(kept)
    }

    /// Keeps what was seen, durably; and the newest checkpoints for other auditors.
    ///
    /// # Errors
    /// [`KeptError`].
    pub fn keep(&self, unit: &UnitPath, kept: &Kept) -> Result<(), KeptError> {
        let path = self.followed(unit);
        let text = serde_json::to_string_pretty(kept);
        let text = text.map_err(|error| KeptError::Damaged {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        replace_file(&path, format!("{text}\n").as_bytes())?;
        if let Some(ledger) = kept.newest() {
            self.show(ledger)?;
        }
        Ok(())
    }

    fn show(&self, ledger: &KeptLedger) -> Result<(), KeptError> {
        let Ok(checkpoint) = Checkpoint::parse_unverified(&ledger.checkpoint) else {
            return Ok(());
        };
        let mut note = ledger.checkpoint.clone();
        if let Some(cosigned) = ledger.cosigned.as_ref().filter(|it| it.size == ledger.size) {
            note.push_str(&cosigned.line);
        }
        let path = self.path.join(SEEN).join(note_name(&checkpoint.origin));
        Ok(replace_file(&path, note.as_bytes())?)
    }

    /// Keeps the proof that a unit has two ledgers; one that is there stays.
    ///
    /// # Errors
    /// [`KeptError`].
    pub fn prove(&self, proof: &EquivocationFile) -> Result<PathBuf, KeptError> {
        let name = format!("{}-term-{}.json", proof.unit.replace('/', "-"), proof.term);
        let path = self.path.join(EQUIVOCATIONS).join(name);
        if !path.exists() {
            let text = serde_json::to_string_pretty(proof);
            let text = text.map_err(|error| KeptError::Damaged {
                path: path.clone(),
                reason: error.to_string(),
            })?;
            replace_file(&path, format!("{text}\n").as_bytes())?;
        }
        Ok(path)
    }

    /// Where the proof of a unit and term is.
    #[must_use]
    pub fn proof(&self, unit: &UnitPath, term: u64) -> PathBuf {
        let name = format!("{}-term-{term}.json", unit.to_string().replace('/', "-"));
        self.path.join(EQUIVOCATIONS).join(name)
    }

    /// Where the notes are that other auditors may read.
    #[must_use]
    pub fn seen(&self) -> PathBuf {
        self.path.join(SEEN)
    }

    /// Keeps a statement, as it was signed.
    pub(super) fn keep_statement(
        &self,
        unit: &UnitPath,
        digest: &Digest,
        bytes: &[u8],
    ) -> Result<(), KeptError> {
        let folder = self.statements_of(unit);
        let path = folder.join(format!("{digest}{COSE}"));
        if path.exists() {
            return Ok(());
        }
        make_folder(&folder)?;
        Ok(replace_file(&path, bytes)?)
    }

    /// The statements that are kept of a unit, by digest. Nothing of them is verified.
    pub(super) fn statements(&self, unit: &UnitPath) -> Result<Vec<(Digest, Vec<u8>)>, KeptError> {
        let folder = self.statements_of(unit);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io("list", &folder)(error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(io("list", &folder))?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let digest = name.as_deref().and_then(|name| name.strip_suffix(COSE)?.parse().ok());
            let Some(digest) = digest else { continue };
            let length = fs::metadata(&path).map_err(io("look at", &path))?.len();
            if usize::try_from(length).is_ok_and(|length| length <= MAX_ENVELOPE_BYTES) {
                found.push((digest, fs::read(&path).map_err(io("read", &path))?));
            }
        }
        found.sort_by_key(|(digest, _)| *digest);
        Ok(found)
    }

    fn statements_of(&self, unit: &UnitPath) -> PathBuf {
        let of_unit = self.path.join(STATEMENTS).join(unit.to_string().replace('/', "."));
        of_unit.join(STATEMENTS)
    }

    fn followed(&self, unit: &UnitPath) -> PathBuf {
        // No unit id has a dot in it.
        self.path.join(FOLLOWED).join(format!("{}.json", unit.to_string().replace('/', ".")))
    }
}

fn note_name(origin: &Origin) -> String {
    format!("{}{NOTE}", origin.as_str().replace('/', "-"))
}

/// The notes in another auditor's folder: its own, or the one with `seen` in it. What is no note is left
/// out; nothing of it is verified.
///
/// # Errors
/// [`KeptError`] if the folder cannot be read.
pub fn read_notes(folder: &Path) -> Result<Vec<String>, KeptError> {
    let inner = folder.join(SEEN);
    let folder = if inner.is_dir() { inner.as_path() } else { folder };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(io("list", folder))? {
        let entry = entry.map_err(io("list", folder))?;
        let is_file = entry.file_type().map_err(io("look at", folder))?.is_file();
        if is_file && entry.file_name().to_string_lossy().ends_with(NOTE) {
            paths.push(entry.path());
        }
        if paths.len() > MAX_NOTES {
            return Err(KeptError::TooMany { path: folder.to_owned() });
        }
    }
    // The same findings, whatever order the file system has.
    paths.sort();
    let mut notes = Vec::new();
    for path in paths {
        let length = fs::metadata(&path).map_err(io("look at", &path))?.len();
        if usize::try_from(length).is_ok_and(|length| length <= MAX_CHECKPOINT_BYTES) {
            let bytes = fs::read(&path).map_err(io("read", &path))?;
            notes.extend(String::from_utf8(bytes).ok());
        }
    }
    Ok(notes)
}
