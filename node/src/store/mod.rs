//! Storage: a narrow port, engines behind it, and the checked store the node uses (DESIGN
//! section 11).
//!
//! ```text
//! thread     one thread owns the store, groups commits
//! checked    Store: envelopes, anchor, head file, verification; transfer: export and import
//! image      a consistent copy of a store that is written to, piece by piece
//! rewrite    new files with the same rows, so that deleted values are gone
//! room       space on the disk, and a reserve
//! scratch    a copy of a stopped node's store, to be verified
//! port       what an engine must do
//! redb | sled | memory
//! ```
//!
//! Knows nothing of what the rows mean; never reads a clock; the rest of the node never sees an
//! engine's types.

mod anchor;
mod checked;
mod envelope;
mod error;
mod folder;
mod guard;
mod head;
mod image;
mod memory;
mod port;
mod redb;
mod rewrite;
mod room;
mod scratch;
mod sled;
mod thread;
mod transfer;
mod verify;

pub use anchor::Identity;
pub use checked::{EngineKind, OpenReport, Store, StoreConfig};
pub use error::{KeyName, StoreError};
pub use folder::size_of;
pub use image::{Filling, Given, ImageOf, Piece, Taken};
pub use memory::{Disk, Faults, Memory};
pub use port::{
    BATCH_LIMIT, Batch, Closing, Engine, KEY_LIMIT, Page, Row, SHOWN_OLD_BYTES, ScanLimit,
    VALUE_LIMIT,
};
pub use redb::Redb;
pub use room::Room;
pub use scratch::Scratch;
pub use sled::Sled;
pub use thread::{
    Committed, Committing, Patience, QUEUE_LENGTH, StoreHandle, StoreThread, Ticket, start,
    start_with,
};
pub use transfer::{export, import};
pub use verify::VerifyReport;
