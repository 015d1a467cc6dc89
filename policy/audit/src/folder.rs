//! Reads proof bundles from folders.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reeve_statement::ledger::checkpoint::Checkpoint;

use crate::bundle::{Bundle, BundleError, CHECKPOINTS, FIGURE, PARTS, ROOTS, STATEMENTS};
use crate::equivocation::EquivocationFile;
use crate::report::Report;
use crate::source::{Source, Within};

/// Why a folder could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder, or one of its files, could not be read.
    #[error("{} cannot be read: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// There is nothing in it that a bundle has.
    #[error("{} is no proof bundle: it has neither figure.txt nor statements/", .0.display())]
    NoBundle(PathBuf),
    /// The files do not belong together.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

impl Bundle {
    /// Takes all files of a bundle's folder, which must stay as it is until the check is made: most are read
    /// only then. Links are not followed, and folders in folders not entered.
    ///
    /// # Errors
    /// [`FolderError`]; a file that is damaged is none, it is reported by the check.
    pub fn read_folder(&mut self, folder: &Path) -> Result<(), FolderError> {
        let any = folder.join(FIGURE).exists() || folder.join(STATEMENTS.0).is_dir();
        if !any {
            return Err(FolderError::NoBundle(folder.to_owned()));
        }
        let within = Arc::new(Within { folder: folder.to_owned(), part: None });
        for name in [ROOTS, FIGURE] {
            if folder.join(name).exists() {
                self.take(Source::File(Arc::clone(&within), OsStr::new(name).into()))?;
            }
        }
        for part in PARTS.into_iter().map(|(part, _)| part).collect::<BTreeSet<_>>() {
            let part_folder = folder.join(part);
            if part_folder.is_dir() {
                self.read_part(part_folder, part)?;
            }
        }
        Ok(())
    }

    /// Takes the checkpoints that earlier checks kept, from a folder that holds them alone.
    ///
    /// # Errors
    /// [`FolderError`]; a file that is damaged is none, it is reported by the check.
    pub fn read_seen(&mut self, folder: &Path) -> Result<(), FolderError> {
        self.read_part(folder.to_owned(), CHECKPOINTS.0)
    }

    fn read_part(&mut self, folder: PathBuf, part: &'static str) -> Result<(), FolderError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(io_error(&folder))? {
            let entry = entry.map_err(io_error(&folder))?;
            if entry.file_type().map_err(io_error(&entry.path()))?.is_file() {
                names.push(entry.file_name());
            }
        }
        // The same report, whatever order the file system has.
        names.sort();
        let within = Arc::new(Within { folder, part: Some(part) });
        for name in names {
            if Self::reads(&format!("{part}/{}", name.to_string_lossy())) {
                self.take(Source::File(Arc::clone(&within), name.into()))?;
            }
        }
        Ok(())
    }
}

impl Report {
    /// Keeps every checkpoint that was verified in a folder, which is made if it is not there; one that is
    /// there already stays as it is.
    ///
    /// # Errors
    /// When the folder or a file cannot be written.
    pub fn keep_seen(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        for note in &self.checkpoints {
            let Ok(checkpoint) = Checkpoint::parse_unverified(note) else { continue };
            let Checkpoint { origin, size, root } = checkpoint;
            let origin = origin.as_str().replace('/', "-");
            let path = folder.join(format!("{origin}-{size}-{}.{}", root.short(), CHECKPOINTS.1));
            if !path.exists() {
                fs::write(path, note)?;
            }
        }
        Ok(())
    }
}

impl EquivocationFile {
    /// Writes the proof into a folder, which is made if it is not there; under the unit's name and the term.
    ///
    /// # Errors
    /// When the folder or the file cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let name = format!("{}-term-{}.json", self.unit.replace('/', "-"), self.term);
        // Texts and numbers always have a JSON form.
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        fs::write(folder.join(name), format!("{text}\n"))
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    move |error| FolderError::Io { path, error }
}
