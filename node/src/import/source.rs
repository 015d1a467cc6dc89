//! Where the bytes of an import come from: a file or memory, plain or gzip (RFC 1952), read once to
//! check and once more to import.
//!
//! The first pass writes down a SHA-256 of every block; the second pass compares each block *before*
//! anything of it is parsed. So what is imported is what was checked, byte for byte, without a copy
//! of the file. Nothing here knows of rows, and nothing is read ahead by more than one block.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use reeve_statement::digest::Digest;
use sha2::{Digest as _, Sha256};

use super::fault::FileFault;
use super::progress::{Pass, Progress};

/// Bytes read, hashed and compared at a time: large enough that hashing and progress cost nothing
/// beside parsing, small beside the memory of a node.
pub const BLOCK_BYTES: usize = 1 << 20;

/// Most bytes that one byte of a gzip file may unpack to. Tables of repeated values reach 100 to 1;
/// the format itself allows 1,032 to 1, which only a bomb comes near.
pub const MAX_RATIO: u64 = 200;

/// Unpacked bytes below which the ratio is not looked at: a small file of one repeated line is
/// harmless.
const RATIO_FROM_BYTES: u64 = 16 << 20;

/// The first two bytes of every gzip file.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What to import. `Debug` shows the name only.
#[derive(Clone)]
pub enum Input {
    /// A regular file. It is opened once and read twice.
    File(PathBuf),
    /// Bytes already in memory, under the name that messages give them.
    Memory {
        /// The name, in place of a file name.
        name: String,
        /// The content.
        bytes: Arc<[u8]>,
    },
}

impl Input {
    /// The name for messages and for periods read from file names: the last part of a path.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => {
                let last = path.file_name().unwrap_or(path.as_os_str());
                last.to_string_lossy().into_owned()
            }
            Self::Memory { name, .. } => name.clone(),
        }
    }
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Input").field(&self.name()).finish()
    }
}

impl From<&Path> for Input {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

/// What the first pass wrote down of the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// SHA-256 of the file as it lies on disk: what `sha256sum` prints.
    pub digest: Digest,
    /// Its length in bytes.
    pub bytes: u64,
    /// SHA-256 of each block in turn.
    blocks: Vec<Digest>,
}

/// Bytes to read twice. Holds the file open in between, so that a file put in its place by renaming
/// is not noticed and does no harm.
pub(super) struct Source {
    bytes: Handle,
    total: u64,
}

enum Handle {
    File(File),
    Memory(Arc<[u8]>),
}

impl Source {
    /// Opens the input.
    pub(super) fn open(input: &Input) -> Result<Self, FileFault> {
        match input {
            Input::File(path) => {
                let metadata = std::fs::metadata(path).map_err(FileFault::Open)?;
                if !metadata.is_file() {
                    return Err(FileFault::NotAFile);
                }
                let file = File::open(path).map_err(FileFault::Open)?;
                Ok(Self { bytes: Handle::File(file), total: metadata.len() })
            }
            Input::Memory { bytes, .. } => {
                let total = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                Ok(Self { bytes: Handle::Memory(Arc::clone(bytes)), total })
            }
        }
    }

    /// Reads from the beginning, unpacking gzip; with `expected`, comparing every block first.
    pub(super) fn read(
        &self,
        expected: Option<Fingerprint>,
        progress: Arc<dyn Progress>,
    ) -> Result<Unpacked, FileFault> {
        let bytes: Box<dyn Read + Send> = match &self.bytes {
            Handle::File(file) => {
                let mut file = file.try_clone().map_err(FileFault::Open)?;
                file.seek(SeekFrom::Start(0)).map_err(FileFault::Read)?;
                Box::new(file)
            }
            Handle::Memory(bytes) => Box::new(Cursor::new(Arc::clone(bytes))),
        };
        let mut blocks = Blocks::new(bytes, self.total, expected, progress);
        let head = blocks.fill_buf().map_err(FileFault::from_io)?;
        let packed = head.starts_with(&GZIP_MAGIC);
        let inner = if packed {
            Packing::Gzip { decoder: Box::new(MultiGzDecoder::new(blocks)), unpacked: 0 }
        } else {
            Packing::Plain(Box::new(blocks))
        };
        Ok(Unpacked(BufReader::with_capacity(64 << 10, inner)))
    }
}

/// The unpacked bytes, buffered.
pub(super) struct Unpacked(BufReader<Packing>);

impl Unpacked {
    /// What was read so far; complete once the end was seen.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.0.get_ref().blocks().fingerprint()
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl BufRead for Unpacked {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.0.consume(amount);
    }
}

enum Packing {
    Plain(Box<Blocks>),
    Gzip { decoder: Box<MultiGzDecoder<Blocks>>, unpacked: u64 },
}

impl Packing {
    fn blocks(&self) -> &Blocks {
        match self {
            Self::Plain(blocks) => blocks,
            Self::Gzip { decoder, .. } => decoder.get_ref(),
        }
    }
}

impl Read for Packing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(blocks) => blocks.read(buffer),
            Self::Gzip { decoder, unpacked } => {
                let count = decoder.read(buffer).map_err(gzip_error)?;
                *unpacked = unpacked.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
                let packed = decoder.get_ref().consumed.max(1);
                if *unpacked > RATIO_FROM_BYTES && *unpacked / packed > MAX_RATIO {
                    return Err(FileFault::Bomb.into_io());
                }
                Ok(count)
            }
        }
    }
}

/// An error of the file keeps its meaning; one of the decoder means damage.
fn gzip_error(error: io::Error) -> io::Error {
    if error.get_ref().is_some_and(|inner| inner.is::<FileFault>()) {
        error
    } else {
        FileFault::Gzip(error).into_io()
    }
}

/// Reads block by block, hashing, and comparing in the second pass.
struct Blocks {
    bytes: Box<dyn Read + Send>,
    block: Vec<u8>,
    position: usize,
    /// Bytes handed out.
    consumed: u64,
    read: u64,
    total: u64,
    whole: Sha256,
    digests: Vec<Digest>,
    expected: Option<Fingerprint>,
    progress: Arc<dyn Progress>,
    ended: bool,
}

impl Blocks {
    fn new(
        bytes: Box<dyn Read + Send>,
        total: u64,
        expected: Option<Fingerprint>,
        progress: Arc<dyn Progress>,
    ) -> Self {
        Self {
            bytes,
            block: Vec::new(),
            position: 0,
            consumed: 0,
            read: 0,
            total,
            whole: Sha256::new(),
            digests: Vec::new(),
            expected,
            progress,
            ended: false,
        }
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint {
            digest: Digest::from_bytes(self.whole.clone().finalize().into()),
            bytes: self.read,
            blocks: self.digests.clone(),
        }
    }

    /// Reads the next block, whole unless the file ends in it.
    fn next_block(&mut self) -> io::Result<()> {
        self.block.clear();
        self.position = 0;
        let limit = u64::try_from(BLOCK_BYTES).unwrap_or(u64::MAX);
        let count = self.bytes.by_ref().take(limit).read_to_end(&mut self.block)?;
        self.read = self.read.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        let pass = if self.expected.is_some() { Pass::Import } else { Pass::Check };
        if count == 0 {
            self.ended = true;
            let complete =
                self.expected.as_ref().is_none_or(|e| e.blocks.len() == self.digests.len());
            return if complete { Ok(()) } else { Err(FileFault::Changed.into_io()) };
        }
        let digest = Digest::of(&self.block);
        if let Some(expected) = &self.expected {
            if expected.blocks.get(self.digests.len()) != Some(&digest) {
                self.block.clear();
                return Err(FileFault::Changed.into_io());
            }
        } else {
            self.whole.update(&self.block);
        }
        self.digests.push(digest);
        self.progress.advance(pass, self.read, self.total.max(self.read));
        Ok(())
    }
}

impl BufRead for Blocks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.position >= self.block.len() && !self.ended {
            self.next_block()?;
        }
        Ok(self.block.get(self.position..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.position = self.position.saturating_add(amount).min(self.block.len());
        self.consumed = self.consumed.saturating_add(u64::try_from(amount).unwrap_or(u64::MAX));
    }
}

impl Read for Blocks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}
