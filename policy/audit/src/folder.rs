//! Reads proof bundles from folders.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::bundle::{Bundle, BundleError, FIGURE, MAX_FILE_BYTES, PARTS, ROOTS, STATEMENTS};
use crate::equivocation::EquivocationFile;

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
    /// Takes all files of a bundle's folder. Links are not followed, and folders in folders not entered.
    ///
    /// # Errors
    /// [`FolderError`]; a file that is damaged is none, it is reported by the check.
    pub fn read_folder(&mut self, folder: &Path) -> Result<(), FolderError> {
        let any = folder.join(FIGURE).exists() || folder.join(STATEMENTS.0).is_dir();
        if !any {
            return Err(FolderError::NoBundle(folder.to_owned()));
        }
        for name in [ROOTS, FIGURE] {
            if folder.join(name).exists() {
                self.read_file(&folder.join(name), name)?;
            }
        }
        for (part, _) in PARTS {
            let part_folder = folder.join(part);
            if !part_folder.is_dir() {
                continue;
            }
            let entries = fs::read_dir(&part_folder).map_err(io_error(&part_folder))?;
            let mut names = Vec::new();
            for entry in entries {
                let entry = entry.map_err(io_error(&part_folder))?;
                if entry.file_type().map_err(io_error(&entry.path()))?.is_file() {
                    names.push(entry.file_name());
                }
            }
            // The same report, whatever order the file system has.
            names.sort();
            for name in names {
                let place = format!("{part}/{}", name.to_string_lossy());
                if Self::reads(&place) {
                    self.read_file(&part_folder.join(&name), &place)?;
                }
            }
        }
        Ok(())
    }

    fn read_file(&mut self, path: &Path, place: &str) -> Result<(), FolderError> {
        let length = fs::metadata(path).map_err(io_error(path))?.len();
        if usize::try_from(length).map_or(true, |length| length > MAX_FILE_BYTES) {
            self.refuse(place, format!("{length} bytes, expected at most {MAX_FILE_BYTES}"));
            return Ok(());
        }
        let bytes = fs::read(path).map_err(io_error(path))?;
        self.add(place, &bytes)?;
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
