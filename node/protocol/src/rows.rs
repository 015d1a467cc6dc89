//! The rows of the store: one table of key prefixes, and the small values behind them.
//!
//! Keys are `<prefix>/<rest>`; numbers inside keys are big-endian, so that key order is number order.
//! Prefixes marked *restored* are read at start; the others are read when needed.

use minicbor::{Decode, Encode};
use reeve_statement::adoption::Adoption;
use reeve_statement::bounds::Bounds;
use reeve_statement::catalogue::RecipientClass;
use reeve_statement::cbor::to_vec;
use reeve_statement::completeness::Counts;
use reeve_statement::digest::Digest;
use reeve_statement::release::RevisionReason;
use reeve_statement::statement::{Body, FigureId, Statement};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::{UnitId, UnitPath};

use crate::effect::NodeKey;
use crate::refusal::Refusal;

/// Facts about this node (*restored*).
pub const META: &[u8] = b"meta/";
/// Under [`META`]: the day from which on a definition is in force here, by its digest.
pub const IN_FORCE: &[u8] = b"in-force/";
/// Under [`META`]: the right edge of a ledger's tree, by reporting term.
pub const EDGE: &[u8] = b"ledger/";
/// Under [`META`]: an act of adoption, by its entry.
pub const ADOPTION: &[u8] = b"adoption/";
/// Under [`META`]: that the store was restored from a backup.
pub const FROM_BACKUP: &[u8] = b"from-backup";
/// Under [`META`]: the format of the rows.
const FORMAT_ROW: &[u8] = b"format";
/// The newest format of the rows that this program reads, and the one that it writes. A store without the
/// row has the first.
pub const FORMAT: u32 = 1;
/// Under [`META`]: the pages of the indicators are not those of the records, and are being built anew.
pub const REBUILDING: &[u8] = b"rebuilding";
/// Under [`META`]: a declaration as it was signed, by the digest of who declared and its name.
pub const DECLARATION: &[u8] = b"declared/";
/// Under [`META`]: a subordinate that is to enter the register, by its unit.
pub const NEWCOMER: &[u8] = b"newcomer/";
/// Under [`META`]: the register of subordinates, with the digest of its statement.
pub const REGISTER: &[u8] = b"register";
/// Under [`META`]: the digest of the last register's statement that this node signed, and of the certificate
/// that it signed it under.
pub const REGISTER_SIGNER: &[u8] = b"signer-of-register";
/// Under [`META`]: the newest of this node's own checkpoints that a witness has cosigned.
pub const NEWEST_COSIGNED: &[u8] = b"cosigned";
/// Under [`META`]: the newest of this node's own checkpoints that an auditor has cosigned, by its unit.
pub const AUDITED: &[u8] = b"audited/";
/// What another node of this home told of its office, by the key that a row has there.
pub const OFFICE: &[u8] = b"office/";
/// Peers that were admitted, by node key (*restored*).
pub const MEMBER: &[u8] = b"member/";
/// Revocation lists, by issuer (*restored*).
pub const CRL: &[u8] = b"crl/";
/// Own figures (*restored*).
pub const FIGURE: &[u8] = b"figure/";
/// What subordinates said last (*restored*).
pub const HEARD: &[u8] = b"heard/";
/// Ledger heads of subordinates (*restored*).
pub const HEAD: &[u8] = b"head/";
/// Last ledger heads of subordinates' earlier terms, by unit and term.
pub const PAST_HEAD: &[u8] = b"past-head/";
/// Ledger checkpoints of subordinates that this node cosigned last, by unit (*restored*).
pub const WITNESSED: &[u8] = b"witnessed/";
/// Proofs that subordinates keep two ledgers, by unit and term (*restored*).
pub const EQUIVOCATION: &[u8] = b"equivocation/";
/// The last request to each subordinate (*restored*).
pub const REQUEST: &[u8] = b"request/";
/// State of the indicators (*restored*).
pub const PAGE: &[u8] = b"page/";
/// Versions of shards (*restored*).
pub const SHARD: &[u8] = b"shard/";
/// Records of imports (*restored*).
pub const IMPORT: &[u8] = b"import/";
/// How far each home peer's log was pulled (*restored*).
pub const CURSOR: &[u8] = b"cursor/";
/// Certificates that this unit's authority issued, by term and ledger index (*restored*).
pub const ISSUED: &[u8] = b"issued/";
/// Acts of adoption in the ledgers, by term and index (*restored*).
pub const ADOPTED: &[u8] = b"adopted/";
/// Forks of writers, proved, by shard and actor (*restored*).
pub const FORK: &[u8] = b"fork/";
/// Seals: what was removed, by kind, shard and epoch (*restored*).
pub const SEAL: &[u8] = b"seal/";
/// Tables of sealed periods, by definition and first day (*restored*).
pub const SEALED: &[u8] = b"sealed/";
/// What records that were erased alone left in figures (*restored*).
pub const LEFT: &[u8] = b"left/";
/// Records that a seal did not see and that are to be written again (*restored*).
pub const LATE: &[u8] = b"late/";
/// Disclosure state per figure (*restored*).
pub const DISCLOSURE: &[u8] = b"disclosure/";

/// Statements issued or received, by digest: the COSE bytes.
pub const STATEMENT: &[u8] = b"statement/";
/// Chunks of tables and manifests, by digest.
pub const CHUNK: &[u8] = b"chunk/";
/// Policy sets that decided here, and the schemas that they were read under, by their digests.
pub const POLICY: &[u8] = b"policy/";
/// What policy sets were asked about figures that were told, by digest.
pub const ASKED: &[u8] = b"asked/";
/// Statements issued, by term and ledger index.
pub const SENT: &[u8] = b"sent/";
/// Bulletins that this node published, by the digest of the statement.
pub const BULLETIN: &[u8] = b"bulletin/";
/// Digests of the bulletins, the newest first.
pub const BULLETIN_PLACE: &[u8] = b"bulletins/";
/// Checkpoints of this node's ledgers that a witness has cosigned, by term and size.
pub const COSIGNED: &[u8] = b"cosigned/";
/// Nodes of the ledgers' trees, by term.
pub const LEDGER: &[u8] = b"ledger/";
/// Snapshots of shards.
pub const SNAPSHOT: &[u8] = b"snapshot/";
/// Signed changes of a shard after its snapshot, by shard and log position.
pub const CHANGE: &[u8] = b"change/";
/// Which shard a log position belongs to.
pub const LOG: &[u8] = b"log/";

/// The prefixes that are restored at start, in the order in which they must be: lists come first, so
/// that nothing is believed again that was revoked.
pub const RESTORED: [&[u8]; 21] = [
    CRL,
    META,
    ISSUED,
    ADOPTED,
    SEAL,
    SEALED,
    LEFT,
    LATE,
    FORK,
    MEMBER,
    SHARD,
    IMPORT,
    CURSOR,
    HEAD,
    WITNESSED,
    EQUIVOCATION,
    DISCLOSURE,
    FIGURE,
    HEARD,
    REQUEST,
    PAGE,
];

/// A key: a prefix and the parts after it.
#[must_use]
pub fn key(prefix: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut key = prefix.to_vec();
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

/// The key of the row that says which format the others have. Looked at before any other is.
#[must_use]
pub fn format_key() -> Vec<u8> {
    key(META, &[FORMAT_ROW])
}

/// The key of a statement.
#[must_use]
pub fn statement(digest: &Digest) -> Vec<u8> {
    key(STATEMENT, &[digest.as_bytes()])
}

/// The key of a chunk.
#[must_use]
pub fn chunk(digest: &Digest) -> Vec<u8> {
    key(CHUNK, &[digest.as_bytes()])
}

/// The key of a policy set, or of a schema.
#[must_use]
pub fn policy(digest: &Digest) -> Vec<u8> {
    key(POLICY, &[digest.as_bytes()])
}

/// The key of what was asked about a figure.
#[must_use]
pub fn asked(digest: &Digest) -> Vec<u8> {
    key(ASKED, &[digest.as_bytes()])
}

/// The key of a bulletin.
#[must_use]
pub fn bulletin(statement: &Digest) -> Vec<u8> {
    key(BULLETIN, &[statement.as_bytes()])
}

/// The key under which a bulletin stands in the list of them: a later one's sorts first.
#[must_use]
pub fn bulletin_place(term: u64, index: u64) -> Vec<u8> {
    placed(BULLETIN_PLACE, u64::MAX.saturating_sub(term), u64::MAX.saturating_sub(index))
}

/// The key of an own figure's row.
#[must_use]
pub fn figure(id: &FigureId) -> Vec<u8> {
    key(FIGURE, &[&to_vec(id)])
}

/// The key of a figure's disclosure state: one for all classes.
#[must_use]
pub fn disclosure(id: &FigureId) -> Vec<u8> {
    let id = FigureId { class: RecipientClass::Superior, ..id.clone() };
    key(DISCLOSURE, &[&to_vec(&id)])
}

/// The key of what a subordinate said of a figure.
#[must_use]
pub fn heard(unit: &UnitId, id: &FigureId) -> Vec<u8> {
    key(HEARD, &[unit.as_str().as_bytes(), b"/", &to_vec(id)])
}

/// The key of a row named by a number.
#[must_use]
pub fn numbered(prefix: &[u8], number: u64) -> Vec<u8> {
    key(prefix, &[&number.to_be_bytes()])
}

/// The key of an entry of a term's ledger.
#[must_use]
pub fn placed(prefix: &[u8], term: u64, index: u64) -> Vec<u8> {
    key(prefix, &[&term.to_be_bytes(), &index.to_be_bytes()])
}

/// An own figure: its last edition, and how far the superior has it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct FigureRow {
    /// Which figure.
    #[n(0)]
    pub id: FigureId,
    /// Number of the last edition.
    #[n(1)]
    pub edition: u64,
    /// Digest of its statement.
    #[n(2)]
    pub statement: Digest,
    /// Digest of what it says, without number, time and reason: an equal one is not cut again.
    #[n(3)]
    pub content: Digest,
    /// Last edition that the superior has durably.
    #[n(4)]
    pub accepted: u64,
    /// Why the superior refused the last edition, if it did.
    #[n(5)]
    pub refused: Option<Refusal>,
    /// When the last edition was signed.
    #[n(6)]
    pub issued_at: Timestamp,
    /// Whether data came since that may change it.
    #[n(7)]
    pub dirty: bool,
    /// What the last edition says.
    #[n(8)]
    pub body: Option<Body>,
    /// In which reporting term the last edition was signed.
    #[n(9)]
    pub term: u64,
    /// What the last edition tells in one number; none: a notice, or not known.
    #[n(10)]
    pub told: Option<Told>,
    /// The edition before the last.
    #[n(11)]
    pub previous: Option<PastEdition>,
    /// What stood when the civil day began in which the last edition was signed.
    #[n(12)]
    pub eve: Option<PastEdition>,
    /// When a source said last why it says something again, as far as an edition has told it.
    #[n(13)]
    pub stated: Option<Timestamp>,
}

/// What an edition tells in one number, and what that number is made of.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Told {
    /// Digest of the definition.
    #[n(0)]
    pub definition: Digest,
    /// The number; see [`crate::situation::headline`].
    #[n(1)]
    pub value: Option<Bounds>,
    /// Units per state.
    #[n(2)]
    pub counts: Counts,
    /// Digest over the units that the number does not include: equal ones leave out the same.
    #[n(3)]
    pub missing: Digest,
}

/// An edition that later ones have revised.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PastEdition {
    /// Its number.
    #[n(0)]
    pub edition: u64,
    /// When it was signed.
    #[n(1)]
    pub issued_at: Timestamp,
    /// What it told; none: a notice, or not known.
    #[n(2)]
    pub told: Option<Told>,
}

impl From<&FigureRow> for PastEdition {
    fn from(row: &FigureRow) -> Self {
        Self { edition: row.edition, issued_at: row.issued_at, told: row.told.clone() }
    }
}

/// What a subordinate said last of a figure.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct HeardRow {
    /// Which figure.
    #[n(0)]
    pub id: FigureId,
    /// Who said it.
    #[n(1)]
    pub unit: UnitId,
    /// Its term.
    #[n(2)]
    pub term: u64,
    /// Its edition.
    #[n(3)]
    pub edition: u64,
    /// Digest of the statement.
    #[n(4)]
    pub statement: Digest,
    /// When it was signed.
    #[n(5)]
    pub issued_at: Timestamp,
    /// When it came.
    #[n(6)]
    pub received_at: Timestamp,
    /// The statement, with its table and manifest inside.
    #[n(7)]
    pub said: Statement,
    /// Why it revises what this unit's own last edition is made of: of several editions since then the reason
    /// that says most.
    #[n(8)]
    pub reason: Option<RevisionReason>,
}

/// One statement that this node issued.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SentRow {
    /// Its place in the ledger.
    #[n(0)]
    pub index: u64,
    /// Digest of the statement.
    #[n(1)]
    pub statement: Digest,
    /// Release, notice, request, catalogue, register, declaration or bulletin.
    #[n(2)]
    pub kind: String,
    /// Which figure, if it is about one.
    #[n(3)]
    pub figure: Option<FigureId>,
    /// Its edition; 0 if it is about no figure.
    #[n(4)]
    pub edition: u64,
    /// For whom.
    #[n(5)]
    pub audience: String,
    /// When it was signed.
    #[n(6)]
    pub issued_at: Timestamp,
    /// Bytes of the signed statement.
    #[n(7)]
    pub bytes: u64,
    /// Digest of the policy set that decided it.
    #[n(8)]
    pub policy_set: Option<Digest>,
    /// Ids of the policies that determined it.
    #[n(9)]
    pub determining: Vec<String>,
    /// In which term's ledger.
    #[n(10)]
    pub term: u64,
    /// Digest of what the policy set was asked.
    #[n(11)]
    pub asked: Option<Digest>,
}

/// A fork of a writer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ForkRow {
    /// When this node found it or heard of it.
    #[n(0)]
    pub found_at: Timestamp,
    /// The proof: the writer's key and two changes that it signed for one place.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub proof: Vec<u8>,
}

/// One certificate that this unit's authority issued.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct IssuedRow {
    /// Its place in the ledger.
    #[n(0)]
    pub index: u64,
    /// What stands there: the digest of a prefix and the certificate.
    #[n(1)]
    pub entry: Digest,
    /// Its serial number.
    #[n(2)]
    pub serial: String,
    /// Its subject.
    #[n(3)]
    pub subject: String,
    /// authority, node or writer.
    #[n(4)]
    pub role: String,
    /// The unit that it is for.
    #[n(5)]
    pub unit: String,
    /// Its last second of validity.
    #[n(6)]
    pub not_after: Timestamp,
    /// When it was entered.
    #[n(7)]
    pub entered_at: Timestamp,
    /// In whose name, or how it was found.
    #[n(8)]
    pub by: String,
    /// The certificate, DER.
    #[cbor(n(9), with = "minicbor::bytes")]
    pub certificate: Vec<u8>,
    /// In which term's ledger.
    #[n(10)]
    pub term: u64,
}

/// One act of adoption in a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct AdoptionRow {
    /// Its place in the ledger.
    #[n(0)]
    pub index: u64,
    /// What stands there: the digest of a prefix and the act.
    #[n(1)]
    pub entry: Digest,
    /// The act.
    #[n(2)]
    pub act: Adoption,
    /// When it was entered.
    #[n(3)]
    pub entered_at: Timestamp,
    /// In which term's ledger.
    #[n(4)]
    pub term: u64,
}

/// The last ledger checkpoint that a subordinate showed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct HeadRow {
    /// Whose ledger.
    #[n(0)]
    pub unit: UnitId,
    /// How many statements it holds.
    #[n(1)]
    pub size: u64,
    /// Its root.
    #[n(2)]
    pub root: Digest,
    /// The signed note.
    #[n(3)]
    pub note: String,
    /// The reporting term whose ledger it is: the highest that was heard of.
    #[n(4)]
    pub term: u64,
}

/// The checkpoint of a subordinate's ledger that this node cosigned last.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct WitnessedRow {
    /// Whose ledger.
    #[n(0)]
    pub unit: UnitId,
    /// Of which reporting term.
    #[n(1)]
    pub term: u64,
    /// How many entries it holds.
    #[n(2)]
    pub size: u64,
    /// Its root.
    #[n(3)]
    pub root: Digest,
    /// The note as the unit signed it.
    #[n(4)]
    pub note: String,
    /// When it was cosigned.
    #[n(5)]
    pub at: Timestamp,
}

/// A checkpoint of this node's ledger that a witness has cosigned.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CosignedRow {
    /// The reporting term of the ledger.
    #[n(0)]
    pub term: u64,
    /// How many entries it holds.
    #[n(1)]
    pub size: u64,
    /// Its root.
    #[n(2)]
    pub root: Digest,
    /// The note with both signatures.
    #[n(3)]
    pub note: String,
    /// Which unit's node cosigned it.
    #[n(4)]
    pub witness: UnitPath,
    /// When, by the witness's clock.
    #[n(5)]
    pub at: Timestamp,
    /// The witness's chain of certificates, leaf first.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub chain: Vec<u8>,
    /// Size of the checkpoint of this term that was cosigned before it; 0: none.
    #[n(7)]
    pub before: u64,
    /// Others who cosigned it; their lines follow in the note.
    #[n(8)]
    pub also: Option<Vec<Cosigner>>,
}

/// One more witness of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Cosigner {
    /// Which unit's node cosigned it.
    #[n(0)]
    pub unit: UnitPath,
    /// When, by its own clock.
    #[n(1)]
    pub at: Timestamp,
    /// Its chain of certificates, leaf first.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub chain: Vec<u8>,
}

/// The proof that a subordinate keeps two ledgers of one term.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct EquivocationRow {
    /// Which unit.
    #[n(0)]
    pub unit: UnitPath,
    /// In which term.
    #[n(1)]
    pub term: u64,
    /// How many entries both checkpoints have.
    #[n(2)]
    pub size: u64,
    /// One signed note.
    #[n(3)]
    pub one: String,
    /// The other.
    #[n(4)]
    pub other: String,
    /// The chain of the node that signed both, leaf first.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub chain: Vec<u8>,
    /// When this node saw the second.
    #[n(6)]
    pub found_at: Timestamp,
}

/// The last request to a subordinate: said again as it is, until it would say something else.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RequestRow {
    /// To whom.
    #[n(0)]
    pub unit: UnitId,
    /// Digest of what it says, and under which certificate.
    #[n(1)]
    pub content: Digest,
    /// The signed statement, without its chain.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub bytes: Vec<u8>,
    /// Size of the ledger with it; the term is that of the certificate.
    #[n(3)]
    pub size: u64,
}

/// A peer that was admitted: a node of a subordinate, of the superior or of this home.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct MemberRow {
    /// Its key.
    #[n(0)]
    pub key: NodeKey,
    /// Its chain of certificates, leaf first.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub chain: Vec<u8>,
    /// When it was admitted.
    #[n(2)]
    pub admitted_at: Timestamp,
}

/// One import, finished or not.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ImportRow {
    /// SHA-256 of the file.
    #[n(0)]
    pub file: Digest,
    /// The file's name, without its folders.
    #[n(1)]
    pub name: String,
    /// Which kind it brought.
    #[n(2)]
    pub kind: String,
    /// When it began.
    #[n(3)]
    pub begun_at: Timestamp,
    /// When it ended; none: it is running or was interrupted.
    #[n(4)]
    pub ended_at: Option<Timestamp>,
    /// Records inserted, changed, deleted, unchanged.
    #[n(5)]
    pub inserted: u64,
    /// Records changed.
    #[n(6)]
    pub changed: u64,
    /// Records deleted.
    #[n(7)]
    pub deleted: u64,
    /// Records that were there already.
    #[n(8)]
    pub unchanged: u64,
    /// Records that were refused because they are older than what is sealed; none: none was.
    #[n(9)]
    pub refused: Option<u64>,
}
