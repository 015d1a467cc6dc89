//! Reading the files that commands are given.

use std::path::Path;

use super::CommandError;

/// Largest file that is read whole, in bytes: as files of a house.
const MAX_BYTES: u64 = 1024 * 1024;

/// A whole file of text.
pub(super) fn read_text(path: &Path) -> Result<String, CommandError> {
    check_length(path)?;
    std::fs::read_to_string(path).map_err(unreadable(path))
}

/// A whole file.
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>, CommandError> {
    check_length(path)?;
    std::fs::read(path).map_err(unreadable(path))
}

fn unreadable(path: &Path) -> impl Fn(std::io::Error) -> CommandError {
    |reason| CommandError::File { doing: "cannot read", path: path.to_owned(), reason }
}

fn check_length(path: &Path) -> Result<(), CommandError> {
    let length = std::fs::metadata(path).map_err(unreadable(path))?.len();
    if length > MAX_BYTES {
        let text = format!("{}: expected at most {MAX_BYTES} bytes", path.display());
        return Err(CommandError::Mistakes(text));
    }
    Ok(())
}
