//! The reject file: every bad cell of a file with its place, its value and the reason, as CSV.
//!
//! It is the only place where an import writes values, so only its owner may read it (mode 0600).
//! Cells that a spreadsheet would take for a formula begin with an apostrophe. It is written under
//! another name and renamed when it is complete, so it is never followed through a link and never
//! seen half.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use super::convert::Reject;
use super::fault::FileFault;

/// Most lines of a reject file: whoever repairs a file sees the pattern long before.
pub const MAX_REJECT_LINES: u64 = 100_000;

/// Longest value in a reject file, in characters; enough to find the cell.
const VALUE_CHARS: usize = 200;

/// Writes the reject file, which appears with the first reject.
pub(super) struct RejectFile {
    path: Option<PathBuf>,
    writer: Option<csv::Writer<BufWriter<File>>>,
    lines: u64,
}

impl RejectFile {
    /// Nothing is written if there is no path.
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self { path, writer: None, lines: 0 }
    }

    pub(super) fn write(&mut self, reject: &Reject) -> Result<(), FileFault> {
        let Some(path) = self.path.clone() else { return Ok(()) };
        self.lines = self.lines.saturating_add(1);
        if self.lines > MAX_REJECT_LINES {
            return Ok(());
        }
        self.try_write(&path, reject).map_err(|error| FileFault::RejectFile { path, error })
    }

    fn try_write(&mut self, path: &Path, reject: &Reject) -> io::Result<()> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let mut writer = csv::Writer::from_writer(BufWriter::new(create(path)?));
                writer.write_record(["line", "column", "field", "value", "reason"])?;
                self.writer.insert(writer)
            }
        };
        let value: String = reject.value.chars().take(VALUE_CHARS).collect();
        writer.write_record([
            reject.line.to_string(),
            disarmed(reject.column.as_deref().unwrap_or_default()),
            reject.field.as_ref().map(ToString::to_string).unwrap_or_default(),
            disarmed(&value),
            reject.fault.to_string(),
        ])?;
        Ok(())
    }

    /// Completes the file and gives its path, if there is one.
    pub(super) fn finish(self) -> Result<Option<PathBuf>, FileFault> {
        let (Some(path), Some(writer)) = (self.path, self.writer) else { return Ok(None) };
        let complete = || -> io::Result<()> {
            let buffer =
                writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
            let file = buffer.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all()?;
            std::fs::rename(partial(&path), &path)
        };
        match complete() {
            Ok(()) => Ok(Some(path)),
            Err(error) => Err(FileFault::RejectFile { path, error }),
        }
    }
}

/// The name under which the file is written.
fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

fn create(path: &Path) -> io::Result<File> {
    let partial = partial(path);
    match std::fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(partial)
}

/// A text that no spreadsheet takes for a formula: one that begins like it, blanks aside, gets a `'` in
/// front.
#[must_use]
pub fn disarmed(cell: &str) -> String {
    let first = cell.trim_start_matches(' ').chars().next();
    match first {
        Some(
            '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '|' | '%' | '＝' | '＋' | '－' | '＠',
        ) => {
            format!("'{cell}")
        }
        _ => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_disarmed() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert!(disarmed(cell).starts_with('\''), "{cell:?}");
        }
        assert_eq!(disarmed("plain"), "plain");
    }
}
