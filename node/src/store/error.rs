//! What can go wrong with a store: who is at fault, what was found, and what to do next.
//!
//! A key may hold a record id, so no message ever prints a whole key: [`KeyName`] shows the part
//! before the first `/` and a short hash. `StoreError` is `Clone`, because one failed durable
//! commit answers every batch that was grouped into it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

/// Characters of a key's first segment that a message shows; longer segments are cut.
const SHOWN_CHARACTERS: usize = 24;

/// Bytes of the key's hash that a message shows: enough to tell two keys apart in a log.
const SHOWN_HASH_BYTES: usize = 6;

/// A key as messages may show it: its first segment, its length and a short hash.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyName(Vec<u8>);

impl KeyName {
    /// Names `key`.
    pub fn new(key: &[u8]) -> Self {
        Self(key.to_vec())
    }

    /// The whole key, for code that acts on it. Not for logs.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let segment = self.0.split(|byte| *byte == b'/').next().unwrap_or_default();
        let has_more_segments = segment.len() < self.0.len();
        let printable = |byte: &u8| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_');
        if has_more_segments && segment.iter().all(printable) {
            for byte in segment.iter().take(SHOWN_CHARACTERS) {
                write!(f, "{}", char::from(*byte))?;
            }
            f.write_str("/")?;
        }
        let hash = Sha256::digest(&self.0);
        let short: Vec<u8> = hash.iter().copied().take(SHOWN_HASH_BYTES).collect();
        write!(f, "#{} ({} bytes)", hex::encode(short), self.0.len())
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The ways a store operation fails.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A value does not match its checksum, or its envelope cannot be read.
    #[error(
        "the value at key {key} is damaged: {found}; stop the node, restore the store folder from a \
         backup or rebuild it from an export"
    )]
    CorruptValue {
        /// Where.
        key: KeyName,
        /// What was found instead.
        found: &'static str,
    },

    /// The engine found its own file damaged.
    #[error(
        "the {engine} store is damaged: {found}; restore the store folder from a backup or rebuild \
         it from an export"
    )]
    CorruptStore {
        /// The engine that reports it.
        engine: &'static str,
        /// In the engine's words.
        found: String,
    },

    /// The store holds rows but no anchor row.
    #[error(
        "the store holds rows but its anchor row is missing: it was cut or written by another \
         program; restore the store folder from a backup"
    )]
    AnchorMissing,

    /// The anchor does not describe what the store holds.
    #[error(
        "the store does not match its anchor: expected {expected} {what}, found {found}; restore the \
         store folder from a backup or rebuild it from an export"
    )]
    AnchorBroken {
        /// Which property differs.
        what: &'static str,
        /// By the anchor.
        expected: String,
        /// In the store.
        found: String,
    },

    /// The store is older than a commit this node has already acknowledged.
    #[error(
        "the store went back in time: commit {acknowledged} was acknowledged, the store ends at \
         commit {found}; if a backup was restored on purpose, restore its `head` file with it, or \
         delete `head` to accept the loss (peers will notice and say which statements are missing)"
    )]
    RolledBack {
        /// The last commit the head file knows.
        acknowledged: u64,
        /// The last commit in the store.
        found: u64,
    },

    /// The data folder holds two stores' files.
    #[error(
        "the head file belongs to another store than the one beside it; put back the folder as one \
         piece"
    )]
    ForeignHead,

    /// Written by a newer version of this program.
    #[error(
        "the store has format {found}, this program reads up to format {supported}; run the newer \
         program, or export there and import here"
    )]
    NewerFormat {
        /// The format on disk.
        found: u8,
        /// The newest format this program reads.
        supported: u8,
    },

    /// Another process, or another part of this one, has the folder open.
    #[error("the store folder {path} is in use by another process; stop that one first")]
    Locked {
        /// The lock file.
        path: PathBuf,
    },

    /// The folder was made by another engine.
    #[error(
        "the store folder {path} was made by engine {found}, the configuration asks for \
         {configured}; set engine = \"{found}\", or export there and import into an empty folder"
    )]
    OtherEngine {
        /// The folder.
        path: PathBuf,
        /// The engine that made it.
        found: String,
        /// The engine asked for.
        configured: &'static str,
    },

    /// The disk, or the quota, is full.
    #[error(
        "no space left on the store's disk ({doing}); nothing was acknowledged: free space, then start \
         the node again"
    )]
    DiskFull {
        /// The step that failed.
        doing: &'static str,
    },

    /// The operating system refused an operation.
    #[error("{doing} {path}: {source}; check the disk and the folder's permissions")]
    Io {
        /// The step that failed.
        doing: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: Arc<io::Error>,
    },

    /// The engine panicked; its state is not trusted any more.
    #[error(
        "the {engine} engine failed while {doing}: {found}; its files are probably damaged: start \
         the node again, and restore the store folder from a backup if this repeats"
    )]
    EngineFailed {
        /// Which engine.
        engine: &'static str,
        /// The operation.
        doing: &'static str,
        /// The panic's message.
        found: String,
    },

    /// Opening took too long.
    #[error(
        "the {engine} store did not open within {} s; its files are probably damaged: restore the \
         store folder from a backup",
        .deadline.as_secs()
    )]
    OpenTimedOut {
        /// Which engine.
        engine: &'static str,
        /// How long the node waited.
        deadline: Duration,
    },

    /// The store does nothing any more.
    #[error(
        "the store has done nothing for {} s although it has work; look at the disk (the system's \
         log, a network mount that hangs), then start the node again: what was acknowledged is on disk",
        .waited.as_secs()
    )]
    Stalled {
        /// How long.
        waited: Duration,
    },

    /// An earlier commit failed, so what is on disk is known again only after a restart.
    #[error("the store stopped after a failed commit; start the node again")]
    Halted,

    /// A key is empty, too long or in the reserved range. A bug of the caller.
    #[error("key {key} is refused: {why}; this is a bug in the node, please report it")]
    KeyRefused {
        /// Which key.
        key: KeyName,
        /// Why.
        why: &'static str,
    },

    /// A value exceeds the limit. A bug of the caller.
    #[error(
        "the value for key {key} has {bytes} bytes, the limit is {limit}; this is a bug in the node, \
         please report it"
    )]
    ValueTooLarge {
        /// For which key.
        key: KeyName,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },

    /// A batch exceeds the limit. A bug of the caller.
    #[error(
        "a batch has {bytes} bytes, the limit is {limit}; this is a bug in the node, please report it"
    )]
    BatchTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },

    /// An export file cannot be read.
    #[error("the export file is not usable: {found}; nothing was kept, export again")]
    BadExport {
        /// What is wrong.
        found: String,
    },

    /// Import wants an empty store.
    #[error("the store already holds {rows} rows; import into an empty store folder")]
    NotEmpty {
        /// How many rows it holds.
        rows: u64,
    },

    /// An image ended before its end.
    #[error(
        "the image of the store was given up: another one was begun, or more was written meanwhile than \
         can be noted; take it again, when less is written"
    )]
    ImageLost,

    /// An import was interrupted.
    #[error("an import into this store was interrupted; delete the store folder and import again")]
    ImportUnfinished,

    /// The store thread has ended.
    #[error("the store is closed; the node is shutting down")]
    Closed,
}

impl StoreError {
    /// An I/O error at `path`; a full disk gets its own variant.
    pub(super) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
        source: impl Into<Arc<io::Error>>,
    ) -> Self {
        let source = source.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { doing },
            _ => Self::Io { doing, path: path.into(), source },
        }
    }

    /// Whether the caller's batch was at fault, so that the store is unharmed and goes on.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::KeyRefused { .. } | Self::ValueTooLarge { .. } | Self::BatchTooLarge { .. }
        )
    }
}
