//! Reading the files that commands are given.

use std::path::Path;

use super::CommandError;

/// Largest file that is read whole, in bytes: as files of a house.
const MAX_BYTES: u64 = 1024 * 1024;

/// A whole file of text.
pub(super) fn read_text(path: &Path) -> Result<String, CommandError> {
    let failed =
        |reason| CommandError::File { doing: "cannot read", path: path.to_owned(), reason };
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > MAX_BYTES {
        let text = format!("{}: expected at most {MAX_BYTES} bytes", path.display());
        return Err(CommandError::Mistakes(text));
    }
    std::fs::read_to_string(path).map_err(failed)
}
