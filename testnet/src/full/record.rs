//! What came of each step, in a file that is whole at any moment: written anew beside, then renamed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::FullError;

/// The file of results.
const RESULTS: &str = "results.json";

/// The file that a run holds locked.
const LOCK: &str = "lock";

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It began and its end was not seen: it was stopped.
    Stopped,
    /// It ended well.
    Passed,
    /// It did not.
    Failed,
}

/// One step that was begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// The command, as a person writes it.
    pub command: String,
    /// Version and build ([`super::version`]).
    pub version: String,
    /// When it began, in UTC.
    pub started: String,
    /// The load of the machine then, over a minute.
    pub load: String,
    /// How long it took.
    pub seconds: f64,
    /// What it measured.
    pub figures: Vec<String>,
    /// How it ended.
    pub verdict: Verdict,
    /// What it printed.
    pub log: PathBuf,
}

/// The results of a folder, by part and step. Locked for as long as they are held.
#[derive(Debug)]
pub struct Results {
    folder: PathBuf,
    steps: BTreeMap<String, BTreeMap<usize, StepRecord>>,
    _lock: File,
}

impl Results {
    /// Opens a folder, which is made if it is not there.
    ///
    /// # Errors
    /// [`FullError`], when another run is at work there, or the file is not ours.
    pub fn open(folder: &Path) -> Result<Self, FullError> {
        fs::create_dir_all(folder).map_err(FullError::of(folder))?;
        let path = folder.join(LOCK);
        let lock = File::create(&path).map_err(FullError::of(path))?;
        lock.try_lock().map_err(|_| FullError::Busy(folder.to_owned()))?;
        let path = folder.join(RESULTS);
        let steps = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|reason| FullError::Results { path, reason })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(FullError::of(path)(error)),
        };
        Ok(Self { folder: folder.to_owned(), steps, _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What came of a step.
    #[must_use]
    pub fn step(&self, part: &str, step: usize) -> Option<&StepRecord> {
        self.steps.get(part)?.get(&step)
    }

    /// Notes what came of a step, durably.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn note(&mut self, part: &str, step: usize, record: StepRecord) -> Result<(), FullError> {
        self.steps.entry(part.to_owned()).or_default().insert(step, record);
        let (path, beside) = (self.folder.join(RESULTS), self.folder.join("results.new"));
        let bytes = serde_json::to_vec_pretty(&self.steps)
            .map_err(|reason| FullError::Results { path: path.clone(), reason })?;
        let mut file = File::create(&beside).map_err(FullError::of(&beside))?;
        file.write_all(&bytes).map_err(FullError::of(&beside))?;
        file.sync_all().map_err(FullError::of(&beside))?;
        fs::rename(&beside, &path).map_err(FullError::of(path))
    }
}
