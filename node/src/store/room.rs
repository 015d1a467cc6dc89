//! Room on the store's disk: how much there is, and a reserve for the time when there is none.
//!
//! A commit that finds no space ends the node, and a node that cannot write some small rows and files
//! does not start. So a node is told in time that space runs short, while it can still write down what
//! it must; and when even that has been taken by others, a file is given up that was kept for it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Below this, what makes the store grow is refused: two groups of commits, as large as they may be.
const SHORT_BYTES: u64 = 16 * 1024 * 1024;

/// From this on it is taken again: more, so that a node at the edge does not change its mind all the time.
const ENOUGH_BYTES: u64 = 24 * 1024 * 1024;

/// Kept for the time when there is nothing: a start and some hundreds of small commits.
const RESERVE_BYTES: usize = 2 * 1024 * 1024;

/// Below this, the reserve is given up.
const NEEDED_BYTES: u64 = 1024 * 1024;

/// Bytes of the reserve that are written at once.
const PIECE: usize = 64 * 1024;

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that can be written yet.
    pub free: u64,
    /// Whether that is so little that the store must not grow.
    pub short: bool,
}

/// The reserve of one store.
#[derive(Debug)]
pub(super) struct Reserve {
    folder: PathBuf,
    file: PathBuf,
    short: bool,
}

impl Reserve {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), file: folder.join("reserve"), short: false }
    }

    /// Looks how much room there is, and gives the reserve up or fills it again.
    pub(super) fn look(&mut self) -> io::Result<Room> {
        let mut free = free_bytes(&self.folder)?;
        let held = fs::metadata(&self.file).map_or(0, |file| file.len());
        let whole = u64::try_from(RESERVE_BYTES).unwrap_or(u64::MAX);
        if free < NEEDED_BYTES && held > 0 {
            fs::remove_file(&self.file)?;
            free = free_bytes(&self.folder)?;
        } else if held < whole && free >= ENOUGH_BYTES.saturating_add(whole) {
            self.fill()?;
            free = free_bytes(&self.folder)?;
        }
        self.short = free < if self.short { ENOUGH_BYTES } else { SHORT_BYTES };
        Ok(Room { free, short: self.short })
    }

    /// Written byte by byte: an empty file of that length takes up nothing. Of bytes that do not
    /// compress, for file systems that do.
    fn fill(&self) -> io::Result<()> {
        let mut file = File::create(&self.file)?;
        let mut state = 0x9e37_79b9_u32;
        let mut piece = vec![0_u8; PIECE];
        for _ in 0..RESERVE_BYTES.div_ceil(PIECE) {
            for byte in &mut piece {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *byte = state.to_be_bytes()[0];
            }
            file.write_all(&piece)?;
        }
        Ok(())
    }
}

/// Bytes that this user can write yet on the disk of a folder.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn free_bytes(folder: &Path) -> io::Result<u64> {
    let found = nix::sys::statvfs::statvfs(folder)?;
    Ok(found.blocks_available().saturating_mul(found.fragment_size()))
}

/// Where it cannot be asked, a full disk is noticed when a commit fails.
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
fn free_bytes(_folder: &Path) -> io::Result<u64> {
    Ok(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_kept_where_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let mut reserve = Reserve::new(folder.path());
        let room = reserve.look().unwrap();
        let kept = fs::metadata(folder.path().join("reserve")).map_or(0, |file| file.len());
        assert_eq!(kept > 0, room.free >= ENOUGH_BYTES, "{room:?}");
        fs::write(folder.path().join("reserve"), b"cut").unwrap();
        reserve.look().unwrap();
        let again = fs::metadata(folder.path().join("reserve")).map_or(0, |file| file.len());
        assert_eq!(again > 3, room.free >= ENOUGH_BYTES, "it is filled again");
    }
}
