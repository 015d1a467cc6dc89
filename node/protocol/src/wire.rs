//! Messages between nodes: bounded, canonical CBOR, one type per channel and direction.
//!
//! What goes up is [`Upward`]: a signed statement and nothing else. Raw records cannot be written in
//! it; they travel in [`HomeMessage`], between nodes of one jurisdiction only.

use minicbor::{Decode, Encode};
use reeve_statement::cbor::{CborError, bounded_length, bounded_vec, from_slice};
use reeve_statement::cert::{Chain, ChainError};
use reeve_statement::digest::{Digest, FederationId};
use reeve_statement::statement::FigureId;
use reeve_statement::time::Timestamp;

use crate::refusal::Refusal;

/// Version of the wire protocols.
pub const WIRE_VERSION: u16 = 1;

/// Largest message, in bytes: one frame of the net adapter.
pub const FRAME_BYTES: usize = 256 * 1024;

/// Most figures in one [`HavePage`].
pub const HAVE_ENTRIES: usize = 500;

/// Most pages: two million figures of one subordinate, ten indicators by day for 500 years.
pub const HAVE_PAGES: u32 = 4_000;

/// Most statements or lists in one [`Downward::Distribute`].
pub const DISTRIBUTED: usize = 64;

/// Most bytes of changes in one [`HomeAnswer::Changes`]; leaves room for the largest single change.
pub const CHANGES_BYTES: usize = 160 * 1024;

/// Most changes in one [`HomeAnswer::Changes`].
pub const CHANGES: usize = 512;

/// Most nodes that a hello names: a few of one home and of its superior's.
pub const NODES_AROUND: usize = 16;

/// Most addresses of one node, and the longest of them, in bytes.
pub const ADDRESSES: usize = 8;
/// Longest address, in bytes.
pub const ADDRESS_BYTES: usize = 256;

/// Most rows in one [`HomeMessage::Office`].
pub const OFFICE_ROWS: usize = 128;

/// Bytes that another layer decodes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Blob(#[cbor(n(0), with = "minicbor::bytes")] pub Vec<u8>);

fn decode_blobs<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<Blob>, minicbor::decode::Error> {
    bounded_vec(d, ctx, DISTRIBUTED)
}

fn decode_lists<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<SignedList>, minicbor::decode::Error> {
    bounded_vec(d, ctx, DISTRIBUTED)
}

fn decode_nodes<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<NodeAt>, minicbor::decode::Error> {
    bounded_vec(d, ctx, NODES_AROUND)
}

fn decode_addresses<C>(
    d: &mut minicbor::Decoder<'_>,
    _: &mut C,
) -> Result<Vec<String>, minicbor::decode::Error> {
    let count = bounded_length(d, ADDRESSES)?;
    let mut addresses = Vec::new();
    for _ in 0..count {
        let address = d.str()?;
        if address.len() > ADDRESS_BYTES {
            return Err(minicbor::decode::Error::message("an address is too long"));
        }
        addresses.push(address.to_owned());
    }
    Ok(addresses)
}

fn decode_office<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<OfficeRow>, minicbor::decode::Error> {
    bounded_vec(d, ctx, OFFICE_ROWS)
}

fn decode_have<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<Have>, minicbor::decode::Error> {
    bounded_vec(d, ctx, HAVE_ENTRIES)
}

fn decode_changes<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<(u64, Blob)>, minicbor::decode::Error> {
    let count = bounded_length(d, CHANGES)?;
    (0..count).map(|_| Decode::decode(d, ctx)).collect()
}

/// What stands for the chain of a list that a federation's root signed: the array of no certificates.
/// A root is in no chain; the list itself names the root's key.
pub const NO_CHAIN: &[u8] = &[0x80];

/// A revocation list with the chain of the authority that signed it, so that whoever gets it can check
/// it; a root's comes with [`NO_CHAIN`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SignedList {
    /// The authority's chain of certificates, itself first.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub chain: Vec<u8>,
    /// The list, DER.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub list: Vec<u8>,
}

impl SignedList {
    /// The chain of the authority that signed it; none: a root did.
    ///
    /// # Errors
    /// [`ChainError`] if the bytes are not a chain.
    pub fn issuer_chain(&self) -> Result<Option<Chain>, ChainError> {
        if self.chain == NO_CHAIN { Ok(None) } else { Chain::from_cbor(&self.chain).map(Some) }
    }
}

/// The first message of a connection, in both directions.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Hello {
    /// [`WIRE_VERSION`] of the sender.
    #[n(0)]
    pub version: u16,
    /// Its federation.
    #[n(1)]
    pub federation: FederationId,
    /// Its chain of certificates, leaf first.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub chain: Vec<u8>,
    /// Its wall clock.
    #[n(3)]
    pub clock: Timestamp,
    /// Its reporting term.
    #[n(4)]
    pub term: u64,
    /// Version of the catalogue that it follows; 0: none.
    #[n(5)]
    pub catalogue_version: u64,
    /// Certificate chains of the writers on this node; told to nodes of the same home only.
    #[cbor(n(6), decode_with = "decode_blobs")]
    pub writers: Vec<Blob>,
    /// The sender and other nodes of its home, and of its superior's, and where they listen.
    #[cbor(n(7), decode_with = "decode_nodes")]
    pub nodes: Vec<NodeAt>,
}

/// A node, and where it listens.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct NodeAt {
    /// Its chain of certificates, leaf first; empty: the sender's own.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub chain: Vec<u8>,
    /// Where it listens.
    #[cbor(n(1), decode_with = "decode_addresses")]
    pub addresses: Vec<String>,
}

/// Answer to a hello.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum HelloAnswer {
    /// Welcome; this is who answers.
    #[n(0)]
    Welcome(#[n(0)] Hello),
    /// Not welcome.
    #[n(1)]
    Refused(#[n(0)] Refusal),
}

/// From a subordinate to its superior: a signed statement, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Upward {
    /// A release or notice, with the issuer's newest signed ledger checkpoint.
    #[n(0)]
    Deliver {
        /// The signed statement.
        #[n(0)]
        statement: Blob,
        /// The checkpoint, a signed note.
        #[n(1)]
        checkpoint: String,
    },
    /// The issuer's newest signed ledger checkpoint alone, before others hear of what is in it.
    #[n(1)]
    Head(#[n(0)] String),
    /// A request for a figure of the superior's, as its subordinates are told it, with the issuer's newest
    /// signed ledger checkpoint.
    #[n(2)]
    Ask {
        /// The signed request.
        #[n(0)]
        statement: Blob,
        /// The checkpoint, a signed note.
        #[n(1)]
        checkpoint: String,
    },
}

/// A figure that the superior holds of the subordinate.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Have {
    /// Which figure.
    #[n(0)]
    pub id: FigureId,
    /// The term of its last edition.
    #[n(1)]
    pub term: u64,
    /// Its last edition.
    #[n(2)]
    pub edition: u64,
    /// Digest of the statement.
    #[n(3)]
    pub statement: Digest,
}

/// A part of what the superior holds of the subordinate. Pages may overtake each other.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct HavePage {
    /// Figures.
    #[cbor(n(0), decode_with = "decode_have")]
    pub figures: Vec<Have>,
    /// Number of this page, from 0.
    #[n(1)]
    pub page: u32,
    /// How many pages there are: what none of them lists, the superior does not hold.
    #[n(2)]
    pub pages: u32,
    /// Size of the subordinate's ledger at the last checkpoint that the superior holds.
    #[n(3)]
    pub ledger_size: u64,
    /// The reporting term of that ledger; 0: none was heard of.
    #[n(4)]
    pub term: u64,
    /// Version of the newest catalogue that anything it holds of the subordinate follows; 0: none.
    #[n(5)]
    pub catalogue: u64,
}

/// From a superior to its subordinate.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Downward {
    /// A signed request.
    #[n(0)]
    Ask(#[n(0)] Blob),
    /// What the superior holds already; sent before its request.
    #[n(1)]
    Have(#[n(0)] HavePage),
    /// Statements (catalogues, declarations) and revocation lists for everybody below.
    #[n(2)]
    Distribute {
        /// Signed statements.
        #[cbor(n(0), decode_with = "decode_blobs")]
        statements: Vec<Blob>,
        /// Revocation lists.
        #[cbor(n(1), decode_with = "decode_lists")]
        lists: Vec<SignedList>,
    },
    /// Asks for a chunk of a statement that the subordinate delivered.
    #[n(3)]
    Fetch(#[n(0)] Digest),
    /// The renewed chain of the subordinate's authority, itself first.
    #[n(4)]
    Certificate(#[n(0)] Blob),
}

/// Answer on the report channel.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ReportAnswer {
    /// Taken, durably.
    #[n(0)]
    Accepted,
    /// Not taken.
    #[n(1)]
    Refused(#[n(0)] Refusal),
    /// The chunk.
    #[n(2)]
    Chunk(#[n(0)] Blob),
    /// The signed statement that was asked for.
    #[n(3)]
    Statement(#[n(0)] Blob),
}

/// Between nodes of one home.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum HomeMessage {
    /// Asks for signed changes in the order in which the answerer has them.
    #[n(0)]
    Pull {
        /// The life of the answerer's log that was followed, 0 for none: positions of a life that the
        /// answerer does not know mean nothing.
        #[n(0)]
        life: u64,
        /// Last position already had.
        #[n(1)]
        after: u64,
        /// Digest of the seals that the asker holds; none: it holds none.
        #[n(2)]
        seals: Option<Digest>,
    },
    /// Says that there is something to pull.
    #[n(1)]
    Nudge,
    /// A revocation list.
    #[n(2)]
    List(#[n(0)] SignedList),
    /// The catalogue in force.
    #[n(3)]
    Catalogue(#[n(0)] Blob),
    /// The chain of a writer of this home.
    #[n(4)]
    Writer(#[n(0)] Blob),
    /// The renewed chain of the node that this goes to, itself first.
    #[n(5)]
    Certificate(#[n(0)] Blob),
    /// The proof that a writer of this home forked.
    #[n(6)]
    Fork(#[n(0)] Blob),
    /// Acts of adoption.
    #[n(7)]
    Adoptions(#[cbor(n(0), decode_with = "decode_blobs")] Vec<Blob>),
    /// Declarations.
    #[n(8)]
    Declarations(#[cbor(n(0), decode_with = "decode_blobs")] Vec<Blob>),
    /// What the reporting node keeps, so that this one can report in its place.
    #[n(9)]
    Office {
        /// Rows as they are now.
        #[cbor(n(0), decode_with = "decode_office")]
        rows: Vec<OfficeRow>,
        /// Whether this was everything: the sender's term has ended.
        #[n(1)]
        ended: bool,
    },
    /// What was removed from the home's records.
    #[n(10)]
    Seals {
        /// The seals.
        #[cbor(n(0), decode_with = "decode_blobs")]
        seals: Vec<Blob>,
        /// The chains of the nodes that sealed, from the terms for which they were appointed.
        #[cbor(n(1), decode_with = "decode_blobs")]
        sealers: Vec<Blob>,
    },
}

/// A row of the reporting node's office.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct OfficeRow {
    /// Its key in the sender's store.
    #[n(0)]
    pub key: Blob,
    /// What it holds; none: it is there no more.
    #[n(1)]
    pub value: Option<Blob>,
}

/// Answer on the home channel.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum HomeAnswer {
    /// Signed changes by position.
    #[n(0)]
    Changes {
        /// The life in which this log was written last.
        #[n(0)]
        life: u64,
        /// The changes.
        #[cbor(n(1), decode_with = "decode_changes")]
        changes: Vec<(u64, Blob)>,
        /// Whether there are more.
        #[n(2)]
        more: bool,
    },
    /// Understood.
    #[n(1)]
    Noted,
    /// Not taken.
    #[n(2)]
    Refused(#[n(0)] Refusal),
}

/// Questions about a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum LedgerMessage {
    /// The newest checkpoint.
    #[n(0)]
    Head,
    /// A proof that the statement at a place is in the ledger of that size.
    #[n(1)]
    Inclusion {
        /// Its place.
        #[n(0)]
        index: u64,
        /// Ledger size.
        #[n(1)]
        size: u64,
    },
    /// From a subordinate to its superior: asks for its cosignature.
    #[n(2)]
    Witness(#[n(0)] Shown),
}

/// What a unit shows of its ledger to whoever is to cosign it (as the `add-checkpoint` of C2SP
/// tlog-witness).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Shown {
    /// The checkpoint, a signed note.
    #[n(0)]
    pub checkpoint: String,
    /// A signed checkpoint of the size that the witness cosigned last; none: it has cosigned nothing.
    #[n(1)]
    pub before: Option<String>,
    /// That the one goes on from the other: a consistency proof.
    #[cbor(n(2), decode_with = "decode_hashes")]
    pub proof: Vec<Digest>,
}

/// Answers about a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum LedgerAnswer {
    /// The newest checkpoint, a signed note.
    #[n(0)]
    Head(#[n(0)] String),
    /// Hashes of a proof, from the leaf up.
    #[n(1)]
    Proof(#[cbor(n(0), decode_with = "decode_hashes")] Vec<Digest>),
    /// Not answered.
    #[n(2)]
    Refused(#[n(0)] Refusal),
    /// The witness's cosignature of the checkpoint that was shown: a line of its note.
    #[n(3)]
    Cosigned(#[n(0)] String),
    /// The witness has cosigned this size last, and is to be shown how the ledger goes on from there.
    #[n(4)]
    Seen(#[n(0)] u64),
}

fn decode_hashes<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<Digest>, minicbor::decode::Error> {
    bounded_vec(d, ctx, reeve_statement::ledger::MAX_PROOF_HASHES)
}

/// Decodes one message of a frame.
///
/// # Errors
/// [`CborError`] if it is too long, malformed or not canonical.
pub fn decode<'b, T>(bytes: &'b [u8]) -> Result<T, CborError>
where
    T: Decode<'b, ()> + Encode<()>,
{
    from_slice("message", bytes, FRAME_BYTES)
}
