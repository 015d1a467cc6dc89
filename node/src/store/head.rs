//! The head file: beside the engine's files, it remembers the last acknowledged commit.
//!
//! An engine that loses its newest commits (a truncated log, a file put back from a backup) may
//! open without complaint. The head file makes that visible: the store must not be older than what
//! it says. It is written after a commit is durable and synced only when opened and closed, so it
//! costs microseconds and after a power loss may lag behind the store, never be ahead of it.
//!
//! Layout: two slots, written in turn, each in its own disk sector, each with a checksum; the valid
//! one with the higher turn counts. A torn or damaged slot thus loses one step, not the file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::anchor::{Anchor, Identity};
use super::error::StoreError;

/// Bytes from one slot to the next: a large sector, so that no write touches both.
const SLOT_STRIDE: u64 = 4096;

/// What a slot starts with; the last byte is the layout's version.
const MAGIC: [u8; 8] = *b"reevehd\x01";

/// Bytes of a slot's checksum (of SHA-256).
const CHECKSUM_BYTES: usize = 16;

/// Bytes of a slot.
const SLOT_BYTES: usize = 8 + 8 + 1 + 16 + 8 + 32 + CHECKSUM_BYTES;

/// What the head file remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    turn: u64,
    /// Whether the store was closed in good order.
    pub clean: bool,
    /// Which store.
    pub identity: Identity,
    /// The last acknowledged commit.
    pub sequence: u64,
    /// The digest of its anchor.
    pub digest: [u8; 32],
}

impl Head {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SLOT_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&self.turn.to_be_bytes());
        bytes.push(u8::from(self.clean));
        bytes.extend_from_slice(&self.identity);
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.digest);
        let checksum = Sha256::digest(&bytes);
        bytes.extend(checksum.iter().take(CHECKSUM_BYTES));
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, checksum) = bytes.get(..SLOT_BYTES)?.split_last_chunk::<CHECKSUM_BYTES>()?;
        if !Sha256::digest(body).starts_with(checksum) {
            return None;
        }
        let (magic, rest) = body.split_first_chunk()?;
        let (turn, rest) = rest.split_first_chunk()?;
        let ([clean], rest) = rest.split_first_chunk()?;
        let (identity, rest) = rest.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let (digest, _) = rest.split_first_chunk()?;
        (*magic == MAGIC).then_some(Self {
            turn: u64::from_be_bytes(*turn),
            clean: *clean == 1,
            identity: *identity,
            sequence: u64::from_be_bytes(*sequence),
            digest: *digest,
        })
    }
}

/// The open head file.
#[derive(Debug)]
pub struct HeadFile {
    file: File,
    path: PathBuf,
    turn: u64,
}

impl HeadFile {
    /// Opens the file at `path`, making it if missing, and reads what it remembers.
    pub fn open(path: &Path) -> Result<(Self, Option<Head>), StoreError> {
        let failed = |source| StoreError::io("opening", path, source);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        let head = newest(&mut file).map_err(failed)?;
        let turn = head.map_or(0, |head| head.turn);
        Ok((Self { file, path: path.to_owned(), turn }, head))
    }

    /// Remembers that the commit of `anchor` is durable.
    pub fn remember(&mut self, anchor: &Anchor) -> Result<(), StoreError> {
        self.write(anchor, false).map_err(|source| StoreError::io("writing", &self.path, source))
    }

    /// Remembers `anchor` and whether the store is closed in good order, and syncs the file.
    pub fn settle(&mut self, anchor: &Anchor, clean: bool) -> Result<(), StoreError> {
        self.write(anchor, clean)
            .and_then(|()| self.file.sync_all())
            .map_err(|source| StoreError::io("writing", &self.path, source))
    }

    fn write(&mut self, anchor: &Anchor, clean: bool) -> io::Result<()> {
        let turn = self.turn.saturating_add(1);
        let Anchor { identity, sequence, .. } = *anchor;
        let head = Head { turn, clean, identity, sequence, digest: anchor.digest() };
        self.file.seek(SeekFrom::Start((turn % 2).saturating_mul(SLOT_STRIDE)))?;
        self.file.write_all(&head.encode())?;
        self.turn = turn;
        Ok(())
    }
}

fn newest(file: &mut File) -> io::Result<Option<Head>> {
    let first = read_slot(file, 0)?;
    let second = read_slot(file, SLOT_STRIDE)?;
    Ok(first.into_iter().chain(second).max_by_key(|head| head.turn))
}

fn read_slot(file: &mut File, offset: u64) -> io::Result<Option<Head>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::with_capacity(SLOT_BYTES);
    file.take(SLOT_STRIDE).read_to_end(&mut bytes)?;
    Ok(Head::decode(&bytes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn anchor(sequence: u64) -> Anchor {
        Anchor { sequence, ..Anchor::empty([3; 16]) }
    }

    #[test]
    fn a_damaged_slot_loses_one_step_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("head");
        let (mut file, none) = HeadFile::open(&path).unwrap();
        assert_eq!(none, None);
        for sequence in 1..=4 {
            file.remember(&anchor(sequence)).unwrap();
        }
        drop(file);
        assert_eq!(HeadFile::open(&path).unwrap().1.unwrap().sequence, 4);
        let good = std::fs::read(&path).unwrap();
        for at in 0..SLOT_BYTES {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            std::fs::write(&path, &bad).unwrap();
            assert_eq!(HeadFile::open(&path).unwrap().1.unwrap().sequence, 3);
        }
    }
}
