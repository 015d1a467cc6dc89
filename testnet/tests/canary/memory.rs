//! What a node's process has in its memory: all that a core dump would show.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes read at once.
const PIECE: usize = 1 << 20;

/// Whether the memory of the node that runs in this folder holds a text.
pub fn holds(folder: &Path, text: &str) -> bool {
    let process = process(folder);
    let mut memory = File::open(process.join("mem")).unwrap();
    let map = fs::read_to_string(process.join("maps")).unwrap();
    let mut read = 0;
    for (begin, end) in map.lines().filter_map(written) {
        let mut left = usize::try_from(end - begin).unwrap();
        // What one piece ends with may go on in the next.
        let mut kept: Vec<u8> = Vec::new();
        // A region may be gone since the map was read.
        if memory.seek(SeekFrom::Start(begin)).is_err() {
            continue;
        }
        while left > 0 {
            let mut piece = vec![0; left.min(PIECE)];
            if memory.read_exact(&mut piece).is_err() {
                break;
            }
            left -= piece.len();
            read += piece.len();
            kept.extend_from_slice(&piece);
            if contains(&kept, text.as_bytes()) {
                return true;
            }
            kept.drain(..kept.len().saturating_sub(text.len()));
        }
    }
    assert!(read > PIECE, "only {read} bytes of {} could be read", process.display());
    false
}

/// The process whose arguments name the folder.
fn process(folder: &Path) -> PathBuf {
    let named = folder.as_os_str().as_encoded_bytes();
    let all = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let mut runs = all.filter(|process| {
        let arguments = fs::read(process.join("cmdline")).unwrap_or_default();
        arguments.split(|byte| *byte == 0).any(|argument| argument == named)
    });
    runs.next().unwrap_or_else(|| panic!("no process runs in {}", folder.display()))
}

/// First and last address of a region that can be read and written.
fn written(line: &str) -> Option<(u64, u64)> {
    let mut words = line.split_whitespace();
    let (range, rights) = (words.next()?, words.next()?);
    let (begin, end) = range.split_once('-')?;
    let hex = |text| u64::from_str_radix(text, 16).ok();
    rights.starts_with("rw").then_some(())?;
    Some((hex(begin)?, hex(end)?))
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    let Some(first) = text.first() else { return true };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = &rest[at..];
        if rest.starts_with(text) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}
