//! The file of a backup: a head, the node's files, an image of its store, a tail, and SHA-256 over it all.
//!
//! `docs/formats.md` says it byte by byte. Lengths are checked before anything is allocated, and nothing
//! is held but the part that is read or written.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use minicbor::{Decode, Encode};
use reeve_statement::cbor::{from_slice, to_vec};
use reeve_statement::time::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{BackupError, io as io_error};
use crate::house::MAX_FILE_BYTES;
use crate::store::{Given, StoreError, Taken};

/// What a backup begins with, before the version of its format.
const MAGIC: &[u8; 7] = b"reevebk";

/// The newest format that this program reads, and the one that it writes.
pub const FORMAT: u8 = 1;

/// Longest head or tail, in bytes: some names and numbers.
const MAX_HEAD_BYTES: usize = 4 * 1024;

/// Longest name of a file, in bytes.
const MAX_NAME_BYTES: usize = 512;

/// What a part begins with.
const FILE: u8 = 1;
const STORE: u8 = 2;
const TAIL: u8 = 3;

/// Bytes of SHA-256.
const DIGEST_BYTES: usize = 32;

/// What a backup says of itself at its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Head {
    /// When it was begun.
    #[n(0)]
    pub made_at: Timestamp,
    /// Version of the program that made it.
    #[n(1)]
    pub program: String,
    /// Whose node: the unit's path, or its id if it has not joined.
    #[n(2)]
    pub unit: String,
    /// The federation; empty: it has not joined.
    #[n(3)]
    pub federation: String,
    /// The node's public key.
    #[n(4)]
    pub node: String,
    /// Whether the node ran.
    #[n(5)]
    pub running: bool,
    /// Whether the keys are in it.
    #[n(6)]
    pub keys: bool,
}

/// What a backup says of itself at its end.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Tail {
    /// The term of the node's certificate; none: it does not report.
    #[n(0)]
    pub term: Option<u64>,
    /// The newest term of which the store has a ledger; 0: it has none.
    #[n(1)]
    pub ledger_term: u64,
    /// Entries of that ledger.
    #[n(2)]
    pub ledger_size: u64,
    /// Rows of the store; none: the node never ran.
    #[n(3)]
    pub rows: Option<u64>,
    /// The store's last commit.
    #[n(4)]
    pub commit: u64,
    /// How many files are in it.
    #[n(5)]
    pub files: u64,
}

/// One part of a backup.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// A file: its name, relative to the folder, and its bytes.
    File(String, Vec<u8>),
    /// A row of the store; no value: it was removed again.
    Row(Vec<u8>, Option<Vec<u8>>),
    /// The end of the store's rows.
    Store(Taken),
    /// The end; the checksum was right.
    Tail(Tail),
}

/// Writes a backup, part by part.
#[derive(Debug)]
pub(super) struct Writer<W> {
    sink: W,
    hash: Sha256,
}

impl<W: Write> Writer<W> {
    pub(super) fn begin(sink: W, head: &Head) -> io::Result<Self> {
        let mut writer = Self { sink, hash: Sha256::new() };
        writer.put(MAGIC)?;
        writer.put(&[FORMAT])?;
        writer.long(&to_vec(head))?;
        Ok(writer)
    }

    pub(super) fn file(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.put(&[FILE])?;
        self.long(name.as_bytes())?;
        self.long(bytes)
    }

    /// After this come rows and their end.
    pub(super) fn store(&mut self) -> io::Result<()> {
        self.put(&[STORE])
    }

    pub(super) fn given(&mut self, given: &Given) -> io::Result<()> {
        self.put(&given.encode())
    }

    /// Ends it, and gives the sink back.
    pub(super) fn end(mut self, tail: &Tail) -> io::Result<W> {
        self.put(&[TAIL])?;
        self.long(&to_vec(tail))?;
        let digest = self.hash.finalize();
        self.sink.write_all(&digest)?;
        self.sink.flush()?;
        Ok(self.sink)
    }

    fn long(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        self.put(&length.to_be_bytes())?;
        self.put(bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.sink.write_all(bytes)
    }
}

/// A stream that hashes what passes.
struct Hashed {
    source: Box<dyn Read + Send>,
    hash: Sha256,
}

impl std::fmt::Debug for Hashed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hashed")
    }
}

impl Read for Hashed {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(bytes)?;
        self.hash.update(bytes.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// Reads a backup, part by part.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    source: Hashed,
    head: Head,
    in_store: bool,
    files: u64,
}

impl Reader {
    /// Opens a backup and reads its head.
    ///
    /// # Errors
    /// [`BackupError`]: it is none, or of a newer format.
    pub fn open(path: &Path) -> Result<Self, BackupError> {
        let file = File::open(path).map_err(io_error("open", path))?;
        Self::of(path, BufReader::new(file))
    }

    /// Reads the head of a backup that comes from somewhere; errors name it by the path.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn of(path: &Path, source: impl Read + Send + 'static) -> Result<Self, BackupError> {
        let mut source = Hashed { source: Box::new(source), hash: Sha256::new() };
        let mut magic = [0; MAGIC.len()];
        let begins = source.read_exact(&mut magic).is_ok() && magic == *MAGIC;
        let mut reader = Self {
            path: path.to_owned(),
            source,
            head: Head {
                made_at: Timestamp::from_millis(0),
                program: String::new(),
                unit: String::new(),
                federation: String::new(),
                node: String::new(),
                running: false,
                keys: false,
            },
            in_store: false,
            files: 0,
        };
        if !begins {
            return Err(BackupError::NotABackup { path: reader.path });
        }
        match reader.byte()? {
            FORMAT => {}
            0 => return Err(reader.damaged("its version is none that there is")),
            found => {
                let path = reader.path;
                return Err(BackupError::NewerFormat { path, found, supported: FORMAT });
            }
        }
        let head = reader.long(MAX_HEAD_BYTES)?;
        let read = from_slice("head", &head, MAX_HEAD_BYTES);
        reader.head = read.map_err(|error| reader.damaged(&error.to_string()))?;
        Ok(reader)
    }

    /// What it says of itself at its beginning. It may be wrong until all was read.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// The next part. The last one is [`Part::Tail`].
    ///
    /// # Errors
    /// [`BackupError`]: it is damaged, or cannot be read.
    pub fn part(&mut self) -> Result<Part, BackupError> {
        if self.in_store {
            let given = Given::read(&mut self.source).map_err(|error| match error {
                StoreError::BadExport { found } => self.damaged(&found),
                other => other.into(),
            })?;
            return Ok(match given {
                Given::Row(key, value) => Part::Row(key, value),
                Given::End(taken) => {
                    self.in_store = false;
                    Part::Store(taken)
                }
            });
        }
        match self.byte()? {
            FILE => {
                let name = String::from_utf8(self.long(MAX_NAME_BYTES)?)
                    .map_err(|_| self.damaged("the name of a file is no text"))?;
                let limit = usize::try_from(MAX_FILE_BYTES).unwrap_or(usize::MAX);
                self.files = self.files.saturating_add(1);
                Ok(Part::File(name, self.long(limit)?))
            }
            STORE => {
                self.in_store = true;
                self.part()
            }
            TAIL => self.tail().map(Part::Tail),
            _ => Err(self.damaged("a part of it is of no kind that there is")),
        }
    }

    fn tail(&mut self) -> Result<Tail, BackupError> {
        let bytes = self.long(MAX_HEAD_BYTES)?;
        let expected: [u8; DIGEST_BYTES] = self.source.hash.clone().finalize().into();
        let mut digest = [0; DIGEST_BYTES];
        self.fill(&mut digest)?;
        if digest != expected {
            return Err(self.damaged("its SHA-256 does not match; it was altered"));
        }
        let mut beyond = [0];
        if self.source.read(&mut beyond).map_err(io_error("read", &self.path))? > 0 {
            return Err(self.damaged("something follows after its end"));
        }
        let read = from_slice::<Tail>("tail", &bytes, MAX_HEAD_BYTES);
        let tail = read.map_err(|error| self.damaged(&error.to_string()))?;
        if tail.files != self.files {
            return Err(self.damaged("it says that it holds another number of files"));
        }
        Ok(tail)
    }

    fn byte(&mut self) -> Result<u8, BackupError> {
        let mut byte = [0];
        self.fill(&mut byte)?;
        Ok(byte[0])
    }

    fn long(&mut self, limit: usize) -> Result<Vec<u8>, BackupError> {
        let mut length = [0; 4];
        self.fill(&mut length)?;
        let length = u32::from_be_bytes(length);
        match usize::try_from(length) {
            Ok(length) if length <= limit => {
                let mut bytes = vec![0; length];
                self.fill(&mut bytes)?;
                Ok(bytes)
            }
            _ => Err(self.damaged(&format!("a length of {length} bytes exceeds {limit}"))),
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), BackupError> {
        self.source.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged("it ends in the middle"),
            _ => io_error("read", &self.path)(error),
        })
    }

    fn damaged(&self, found: &str) -> BackupError {
        BackupError::Damaged { path: self.path.clone(), found: found.to_owned() }
    }

    /// Reads it to its end, and gives what it says there.
    ///
    /// # Errors
    /// As [`Reader::part`].
    pub fn check(mut self) -> Result<(Head, Tail), BackupError> {
        loop {
            if let Part::Tail(tail) = self.part()? {
                return Ok((self.head, tail));
            }
        }
    }
}
