//! What the local HTTP API says: the shapes of its documents, shared by server and client.
//!
//! Paths and rights are in [`crate::http`]; here are only documents and limits. JSON everywhere (RFC
//! 8259), except that batches of an import may be CBOR ([`batch`]) and signed things are their own
//! bytes. Failures are [`Problem`]s (RFC 9457). Times are RFC 3339, digests hexadecimal digits, areas
//! and periods as in DESIGN section 2. A number that is not told exactly is a pair of bounds.

pub mod batch;
mod bulletin;
mod figure;
mod house;
mod letter;
mod problem;
mod records;
mod register;
mod situation;
mod status;
mod twin;

pub use bulletin::{
    BulletinChoice, BulletinEntry, BulletinHead, BulletinOrder, BulletinPublished, BulletinView,
    FrozenView, PresentView,
};
pub use figure::{
    BoundsView, CellView, ExceptionView, Figure, HOME, Row, UnlistedRows, bounds_text, number_text,
};
pub use house::{
    ActView, AdoptRequest, Adoptions, CatalogueView, Consented, CosignatureGiven, Cosigned,
    CosignerView, Evidence, IndicatorView, IssuedEntry, LedgerSigner, MemberRequest, Periods,
    PolicyChange, PolicyState, Proof, ProposalView, Published, SentEntry, equivocation_file,
};
pub use letter::{Due, LetterPage, LetterTaken, RefusedMessages};
pub use problem::{FieldProblem, Problem};
pub use records::{
    BeginImport, Begun, Closing, Ended, Operation, RecordView, Records, WriteRequest, Written,
};
pub use register::{
    CalendarEntry, PopulationEntry, RegisterChange, RegisterOrder, RegisterUnit, Registered,
};
#[cfg(test)]
pub(crate) use situation::tests::indication;
pub use situation::{
    Against, Indication, MissingUnits, PopulationView, RevisedView, SinceView, Situation, Stand,
    ThresholdView, UnitsView,
};
pub use status::{
    Behind, DeclarationView, EquivocationView, ForkView, PeerView, RefusedFigure, SealedView,
    SourceView, SourcesBefore, StatusView, StorageView, SubordinateView, TakenOverView,
    WitnessedView,
};
pub use twin::{EraseOrder, ExpireOrder, Removed, RemovedOfKind};

/// Media type of failures (RFC 9457).
pub const PROBLEM_JSON: &str = "application/problem+json";
/// Media type of documents.
pub const JSON: &str = "application/json";
/// Media type of batches in CBOR, and of signed things.
pub const CBOR: &str = "application/cbor";
/// Media type of a schema or catalogue in its own language.
pub const TOML: &str = "application/toml";
/// Media type of batches with one JSON object per line.
pub const NDJSON: &str = "application/x-ndjson";
/// Media type of metrics: the text format of Prometheus.
pub const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Largest document of a request, in bytes: what fits a request between nodes.
pub const MAX_REQUEST_BYTES: usize = 64 * 1024;
/// Largest batch of records, in bytes: 1,000 records of the largest size, 16 KiB.
pub const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;
/// Largest end of an import, in bytes: 16 bytes for each record that a snapshot holds, four million.
pub const MAX_SWEEP_BYTES: usize = 64 * 1024 * 1024;
/// Largest letter, in bytes.
pub const MAX_LETTER_BYTES: usize = reeve_protocol::letter::LETTER_BYTES;
/// Largest policy file or signed statement, in bytes: as files of a house.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;
/// Most operations of one request: the core takes no more at once.
pub const MAX_OPERATIONS: usize = reeve_protocol::local::OPERATIONS;
/// The header with which whoever asks for an image of the store proves that the folder is theirs.
pub const FOLDER_PROOF: &str = "reeve-folder-proof";
/// The file in a node's folder whose text the header repeats.
pub const FOLDER_PROOF_FILE: &str = "backup.proof";
/// Media type of an image of the store.
pub const IMAGE: &str = "application/octet-stream";
/// The file in a node's folder that says where its API listens, if the system chose the port.
pub const ADDRESS_FILE: &str = "api.address";
