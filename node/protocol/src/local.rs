//! What the people and programs of this house may ask of their node, and what they are answered.
//!
//! Every ask names a person; the same policy decides here for the HTTP API, the command line and
//! metrics, so that no surface shows what another hides.

use std::collections::BTreeSet;

use jiff::civil::Date;
use reeve_crdt::record::{Record, RecordId, Value};
use reeve_crdt::twin::RecordOp;
use reeve_policy::authz::{Action, Person, Refusal as Declined};
use reeve_statement::calendar::Calendar;
use reeve_statement::catalogue::{Catalogue, RecipientClass, Titles};
use reeve_statement::cert::Chain;
use reeve_statement::digest::Digest;
use reeve_statement::limits::TEXT_BYTES;
use reeve_statement::names::{FieldId, IndicatorId, KindId};
use reeve_statement::period::Period;
use reeve_statement::register::Population;
use reeve_statement::release::RevisionReason;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::{UnitId, UnitPath};

use crate::bulletin::{BulletinFault, BulletinRow, BulletinView, Choice};
use crate::consent::{Act, Adopt, Adopter, Proposal};
use crate::register::{RegisterAct, RegisterFault};
use crate::rows::{CosignedRow, EquivocationRow, ImportRow, IssuedRow, SentRow};
use crate::situation::SituationView;
use crate::tiles::Tile;

mod views;

pub use views::{
    FigureView, ForkStatus, OwnView, PeerStatus, SourceStatus, Status, SubordinateStatus, TakenOver,
};

/// Most operations of one ask: they are held in memory while they wait.
pub const OPERATIONS: usize = crate::home::OPS_PER_ASK;

/// Who asks for what.
#[derive(Debug)]
pub struct Ask {
    /// The person or program, known by a token.
    pub who: Person,
    /// What is asked.
    pub what: Question,
}

/// What is asked.
#[derive(Debug)]
pub enum Question {
    /// Insert, change or delete records.
    Write {
        /// The kind.
        kind: KindId,
        /// What to do, at most 1,000 operations.
        ops: Vec<RecordOp>,
        /// The running import that these belong to.
        import: Option<u64>,
    },
    /// Begin an import: its figures are released when it ends.
    BeginImport {
        /// The kind.
        kind: KindId,
        /// SHA-256 of the file.
        file: Digest,
        /// The file's name, without its folders.
        name: String,
        /// What becomes of records that are there already.
        mode: ImportMode,
    },
    /// End an import.
    EndImport {
        /// Which.
        import: u64,
        /// In whose name the periods are closed.
        source: String,
        /// Periods that the file closes.
        closes: Vec<Period>,
        /// Why it says again what was said of them; none: nothing is said of that.
        reason: Option<RevisionReason>,
        /// For a snapshot: which records it holds; others in its scope are deleted.
        sweep: Option<Sweep>,
    },
    /// Closes periods of a kind without records: a nil report, or the heartbeat of a feed.
    Close {
        /// The kind.
        kind: KindId,
        /// In whose name.
        source: String,
        /// The periods.
        periods: Vec<Period>,
        /// Why it says again what was said of them; `withdrawn`: they are closed no more.
        reason: Option<RevisionReason>,
    },
    /// One record.
    Record {
        /// The kind.
        kind: KindId,
        /// Its id.
        id: RecordId,
    },
    /// Records of a kind, by shard.
    Records {
        /// The kind.
        kind: KindId,
        /// Shard to read; shards are numbered from 0.
        shard: u32,
    },
    /// A figure.
    Figure {
        /// The indicator.
        indicator: IndicatorId,
        /// The period.
        period: Period,
        /// Part of the unit's area; none: all of it.
        area: Option<UnitPath>,
    },
    /// The last edition of a figure that a class of recipients was told.
    ClassFigure {
        /// The indicator.
        indicator: IndicatorId,
        /// The period.
        period: Period,
        /// Part of the unit's area; none: all of it.
        area: Option<UnitPath>,
        /// The class.
        class: RecipientClass,
    },
    /// Removes the records that are older than they may be kept.
    Expire {
        /// Which kind; none: every kind that has a retention.
        kind: Option<KindId>,
        /// Records older than this day; none: as the kind's retention says.
        before: Option<Date>,
        /// Whether nothing is removed, only counted.
        dry: bool,
    },
    /// Removes one record, out of every node of the home.
    Erase {
        /// The kind.
        kind: KindId,
        /// Its id.
        id: RecordId,
    },
    /// The superior's figure, as its subordinates are told it: asked of the superior.
    SuperiorFigure {
        /// The indicator.
        indicator: IndicatorId,
        /// The period.
        period: Period,
    },
    /// The unit's own table as it is: unprotected, and without what subordinates reported.
    OwnFigure {
        /// The indicator.
        indicator: IndicatorId,
        /// The period.
        period: Period,
    },
    /// One indicator at a glance.
    Situation {
        /// The indicator.
        indicator: IndicatorId,
        /// The day whose period is asked for; none: the newest period that has a figure.
        day: Option<Date>,
        /// The unit's own table as it is, as [`Question::OwnFigure`].
        own: bool,
    },
    /// Which periods an indicator has figures for.
    Periods {
        /// The indicator.
        indicator: IndicatorId,
        /// Most periods wanted, the newest.
        limit: usize,
    },
    /// How the node fares.
    Status,
    /// Counted events.
    Metrics,
    /// What left the house, the newest first.
    Sent {
        /// Of which term's ledger; none: the present one's.
        term: Option<u64>,
        /// Entries before this ledger index; none: the newest there are.
        before: Option<u64>,
        /// Most entries wanted; fewer may come though there are more, none only at the end.
        limit: usize,
    },
    /// A statement issued or received, as signed bytes.
    Statement(Digest),
    /// A chunk of a statement issued or received.
    Chunk(Digest),
    /// What an auditor needs besides statements.
    Evidence,
    /// The newest ledger checkpoint.
    Checkpoint,
    /// A checkpoint of the present ledger as it was with so many entries, signed.
    CheckpointAt(u64),
    /// Keep an auditor's cosignature of a checkpoint of this node.
    TakeCosignature(Box<Cosignature>),
    /// A tile of a ledger.
    Tile(Tile),
    /// A proof that a statement is in the ledger.
    Inclusion {
        /// In which term's ledger; none: the present one's.
        term: Option<u64>,
        /// Place of the statement.
        index: u64,
        /// Ledger size to prove it for.
        size: u64,
    },
    /// A checkpoint that a witness has cosigned.
    Cosigned {
        /// Of which term's ledger; none: the present one's.
        term: Option<u64>,
        /// The first that has more entries than this; none: the newest of the present term.
        after: Option<u64>,
    },
    /// Proofs that subordinates keep two ledgers.
    Equivocations,
    /// The catalogue.
    Catalogue,
    /// The register of subordinates.
    Register,
    /// Change what the register says of a subordinate; signed as its next version.
    ChangeEntry(EntryChange),
    /// Say when a subordinate works, in place of what the register said; it stands in the register's
    /// next version and in the request to the unit.
    SetCalendar {
        /// The subordinate; none: all of them.
        unit: Option<UnitId>,
        /// When it works; none: nothing is said.
        calendar: Option<Calendar>,
    },
    /// Merge, split, rename, move or end subordinates.
    ChangeRegister(RegisterAct),
    /// Take a unit that another superior let go.
    ReceiveUnit {
        /// The unit.
        unit: UnitId,
        /// The other superior's signed register.
        statement: Vec<u8>,
    },
    /// Take a catalogue that an authority of this unit signed.
    Publish(Vec<u8>),
    /// Take a declaration that an authority of this unit signed.
    Declare(Vec<u8>),
    /// Freeze figures as they stand in a signed bulletin; whoever asks stands behind it, alone or with
    /// another one.
    PublishBulletin(Choice, Adopter),
    /// Bulletins that this node published, the newest first.
    Bulletins {
        /// Those before this term and ledger index; none: the newest there are.
        before: Option<(u64, u64)>,
        /// Most that are wanted.
        limit: usize,
    },
    /// One bulletin, beside its figures as they stand now.
    Bulletin(Digest),
    /// Take a revocation list.
    TakeList(crate::wire::SignedList),
    /// Admit a node of a subordinate or of this home.
    Admit {
        /// Its chain of certificates.
        chain: Vec<u8>,
        /// The unit's names, if it is to enter the register.
        names: Titles,
        /// The unit's time zone.
        time_zone: Option<String>,
    },
    /// Where this node is reached by its peers, as the shell found.
    Reached(Vec<String>),
    /// Whether the person may do something with the node that the shell does without the core: read
    /// the schema, make an invite.
    Permission(Action),
    /// Consent to send what a catalogue proposes.
    Adopt(Adopt, Adopter),
    /// What the catalogue proposes, and how it stands here; and every act of adoption.
    Adoptions,
    /// Replace the policy set.
    SetPolicy(Box<reeve_policy::authz::PolicySet>, Adopter),
    /// A policy set that decided here, or the schema that it was read under, by its digest.
    PolicySet(Digest),
    /// What a policy set was asked about a figure that was told, by the digest that the decision names.
    Asked(Digest),
    /// Take a renewed chain: of this node, another node or a writer of this home, of this unit's
    /// authority, or of a subordinate's. It goes to whoever it is for.
    Renew(Vec<u8>),
    /// Enter certificates that this unit's authority issued into the ledger; answered when that is
    /// durable. One that is there already stays as it is.
    Issue {
        /// The certificates, DER.
        certificates: Vec<Vec<u8>>,
        /// How they came about.
        by: String,
    },
    /// Cut figures anew that changed since an edition which was never told, before letters are written.
    Freshen,
    /// Write a letter to the superior or to a subordinate: what would be told to it over a connection.
    Letter {
        /// To which unit.
        to: UnitPath,
        /// Where the letter before it ended; none: the first.
        after: Option<Vec<u8>>,
    },
    /// Take a letter.
    TakeLetter(Vec<u8>),
    /// Whether a unit that stood elsewhere may join here.
    MayJoin {
        /// Its id.
        unit: UnitId,
        /// Its path there.
        from: UnitPath,
    },
    /// Enter a unit into the register that was certified without a line, and brings its first letter
    /// later.
    Expect {
        /// Its id.
        unit: UnitId,
        /// Its names.
        names: Titles,
        /// Its time zone.
        time_zone: Option<String>,
    },
    /// Certificates that this unit's authority issued.
    Issued {
        /// In which term's ledger; none: the present one's.
        term: Option<u64>,
        /// Entries from this ledger index on.
        from: u64,
        /// Most entries wanted.
        limit: usize,
    },
}

/// What an auditor hands back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// The checkpoint, as this node signed it.
    pub checkpoint: String,
    /// The auditor's signature line, with its line ending (C2SP tlog-cosignature).
    pub line: String,
    /// The auditor's chain of certificates, leaf first.
    pub chain: Chain,
}

/// What an import does with a record that is there already and says something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ImportMode {
    /// It is replaced.
    #[default]
    Replace,
    /// It stays, and the import fails: a file that only adds does not change.
    Append,
}

/// Which records a snapshot holds.
#[derive(Debug, Clone, Default)]
pub struct Sweep {
    /// First 16 bytes of the SHA-256 of each record id that the file holds.
    pub seen: BTreeSet<[u8; 16]>,
    /// Only records whose fields have one of these values are in scope; empty: all of the kind.
    pub scope: Vec<(FieldId, BTreeSet<Value>)>,
}

/// What is to be changed of a subordinate's entry in the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryChange {
    /// The subordinate.
    pub unit: UnitId,
    /// Names by language; other languages keep theirs, an empty name is taken out.
    pub names: Vec<(String, String)>,
    /// Its population, or that it is not known; none: as it is.
    pub population: Option<Option<Population>>,
    /// Its time zone; none: as it is.
    pub time_zone: Option<String>,
}

/// What is answered.
#[derive(Debug)]
pub enum Answer {
    /// Done.
    Done,
    /// Written.
    Written(Written),
    /// An import began.
    Begun(u64),
    /// An import ended.
    Ended(ImportRow),
    /// What was removed, or would be, by kind.
    Expired(Vec<Expired>),
    /// A record, or none.
    Record(Option<Record>),
    /// Records of one shard, and how many shards the kind has.
    Records {
        /// The records.
        records: Vec<(RecordId, Record)>,
        /// How many shards the kind has.
        shards: u32,
    },
    /// A figure, or none.
    Figure(Option<Box<FigureView>>),
    /// The unit's own table, or none.
    OwnFigure(Option<Box<OwnView>>),
    /// One indicator at a glance.
    Situation(Box<SituationView>),
    /// Periods, newest first.
    Periods(Vec<Period>),
    /// How the node fares.
    Status(Box<Status>),
    /// Counted events.
    Metrics(crate::counters::Counters),
    /// What left the house, the newest first.
    Sent(Vec<SentRow>),
    /// What the authority issued.
    Issued(Vec<IssuedRow>),
    /// So many figures are still to be looked at.
    Due(usize),
    /// A letter, and where the next one goes on; none: it is the last.
    Letter {
        /// The letter, signed.
        letter: Vec<u8>,
        /// Where it ended.
        next: Option<Vec<u8>>,
    },
    /// A letter was taken.
    LetterTaken(Box<LetterTaken>),
    /// A bulletin, or none.
    Bulletin(Option<Box<BulletinView>>),
    /// Bulletins, the newest first.
    Bulletins(Vec<BulletinRow>),
    /// Bytes of a statement, or of what else is kept by its digest, or none.
    Statement(Option<Vec<u8>>),
    /// A tile, or none: the ledger does not have it.
    Tile(Option<Vec<u8>>),
    /// A signed note.
    Checkpoint(String),
    /// A checkpoint that a witness has cosigned, or none.
    Cosigned(Option<Box<CosignedRow>>),
    /// Proofs that subordinates keep two ledgers.
    Equivocations(Vec<EquivocationRow>),
    /// What an auditor needs besides statements.
    Evidence {
        /// Digest of the statement with the catalogue in force; none: there is none.
        catalogue: Option<Digest>,
        /// The revocation lists at hand (DER).
        lists: Vec<Vec<u8>>,
        /// This node's chain of certificates.
        chain: Box<Chain>,
    },
    /// A proof that an entry is in the ledger.
    Proof {
        /// Its hashes, from the leaf up.
        hashes: Vec<Digest>,
        /// The same as a COSE receipt (RFC 9942); none: this node does not stand by a ledger of that size.
        receipt: Option<Vec<u8>>,
    },
    /// The catalogue, or none.
    Catalogue(Option<Box<Catalogue>>),
    /// What the catalogue proposes, and the acts of this home.
    Adoptions {
        /// Proposals, by indicator.
        proposals: Vec<Proposal>,
        /// Acts, the oldest first.
        acts: Vec<Act>,
    },
    /// The register.
    Register(Vec<reeve_statement::register::RegisterEntry>),
    /// The register was changed, and says so in the statement of this digest.
    Registered(Digest),
    /// Policy declined.
    Declined(Declined),
    /// The ask cannot be fulfilled.
    Failed(Failure),
}

/// What became of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterTaken {
    /// Who wrote it.
    pub from: UnitPath,
    /// When.
    pub written_at: Timestamp,
    /// Messages that were taken, or were here already.
    pub accepted: u64,
    /// Messages than which something newer was here already.
    pub known: u64,
    /// How many were refused, by the reason.
    pub refused: Vec<(crate::refusal::Refusal, u64)>,
}

impl LetterTaken {
    pub(crate) fn note_refused(&mut self, refusal: crate::refusal::Refusal) {
        match self.refused.iter_mut().find(|(known, _)| *known == refusal) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.refused.push((refusal, 1)),
        }
    }
}

/// What an expiry found of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// The kind.
    pub kind: KindId,
    /// The day before which it is sealed; none: one record was erased.
    pub before: Option<Date>,
    /// Records removed, or that would be.
    pub records: u64,
    /// Records kept, in the shards that were looked at.
    pub kept: u64,
    /// Shards that began a new epoch, or would.
    pub shards: u32,
}

/// How many records an ask wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Inserted.
    pub inserted: u64,
    /// Changed.
    pub changed: u64,
    /// Deleted.
    pub deleted: u64,
    /// There already, or deleted already.
    pub unchanged: u64,
}

/// Why an ask cannot be fulfilled: what was expected and found, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The kind is not in the schema.
    #[error("no kind {0} in this node's schema; see `reeve schema`")]
    UnknownKind(KindId),
    /// Nobody above can be asked.
    #[error(
        "no node of the superior that reports is connected, or it did not answer; see `reeve status`"
    )]
    NoSuperior,
    /// This node keeps no twin.
    #[error("this node keeps no records: its configuration names no schema")]
    NoTwin,
    /// The indicator is not in the catalogue.
    #[error("no indicator {0} in the catalogue; see `reeve catalogue`")]
    UnknownIndicator(IndicatorId),
    /// An operation was refused; nothing of the ask was written for its record's shard.
    #[error("{0}")]
    Write(String),
    /// The period lies ahead.
    #[error("{0} has not begun at this unit; close it once nothing more is to be reported for it")]
    NotBegun(Period),
    /// The import is not running.
    #[error("import {0} is not running; begin it again")]
    NoImport(u64),
    /// A statement or list was refused.
    #[error("refused: {0}")]
    Refused(crate::refusal::Refusal),
    /// Too many operations at once.
    #[error("at most {limit} operations at once, found {found}")]
    TooMany {
        /// Most allowed.
        limit: usize,
        /// Found.
        found: usize,
    },
    /// An import that only adds met a record that says something else.
    #[error(
        "{0} records are here already with other content; import with mode `upsert` to replace them"
    )]
    Exists(u64),
    /// Records of a time whose records were removed.
    #[error(
        "{kind} is sealed before {before}: records of that time were removed, and its figures stand; what \
         comes late is not taken: {late} here"
    )]
    Sealed {
        /// The kind.
        kind: KindId,
        /// The day before which it is sealed.
        before: Date,
        /// How many records or periods.
        late: u64,
    },
    /// A day that has not come.
    #[error("{0} has not come yet; expire what is older than a day of the past")]
    Ahead(Date),
    /// Nothing says what is too old.
    #[error(
        "the schema says for no such kind how long its records are kept; name a day with --before, or set \
         `retention` in the schema"
    )]
    NoRetention,
    /// Another node of this home seals.
    #[error(
        "this node does not report for its unit, or waits for the other nodes of its home: expire at the \
         node that does, see `reeve status`"
    )]
    NotSealing,
    /// Too much is waiting to be written.
    #[error("{0} tasks are waiting already; ask again")]
    Busy(usize),
    /// The store's disk has no room.
    #[error(
        "the disk of the node's store is full, or nearly: nothing is written, what is there can be \
         read; free space, and writing goes on by itself"
    )]
    NoSpace,
    /// This node's writer certificate is refused.
    #[error(
        "this node's writer certificate is refused; `reeve status` says why: set the clock, or run \
         `reeve certificate renew`"
    )]
    NoWriter,
    /// There is no such thing.
    #[error("no {0} here")]
    NotFound(&'static str),
    /// The area is not part of this unit, or its register does not know it.
    #[error("{0} is not within this unit's area, or no unit of its register; see `reeve status`")]
    OtherArea(UnitPath),
    /// The indicators are being computed anew from the records.
    #[error("the indicators are being computed anew from the records; ask again in a while")]
    Rebuilding,
    /// The own table cannot be computed.
    #[error("the own table of {0} cannot be computed; `/metrics` counts why under figures_failed")]
    OwnTable(IndicatorId),
    /// Somebody adopts what is not proposed any more.
    #[error(
        "{0} is proposed in another definition by now; look at it again with `reeve policy adopted`"
    )]
    OtherDefinition(IndicatorId),
    /// A legal basis is no text.
    #[error("expected a legal basis of 1 to {TEXT_BYTES} bytes, found {0}")]
    LegalBasis(usize),
    /// The register has no such unit.
    #[error("no unit {0} in this unit's register; see `reeve register show`")]
    UnknownUnit(UnitId),
    /// The register cannot be changed so.
    #[error("the register was not changed: {0}")]
    Register(RegisterFault),
    /// No bulletin was published.
    #[error("{0}")]
    Bulletin(Box<BulletinFault>),
    /// Another node of this home reports, and keeps the register.
    #[error("this node does not report for its unit; change the register at the node that does")]
    NotReporting,
    /// Nobody to write to.
    #[error(
        "{0} is neither the superior of this unit nor a subordinate of it that was certified; letters go to \
         those (units are written like it/03/016)"
    )]
    NoLetter(UnitPath),
    /// Stored bytes do not decode.
    #[error("the store holds a damaged {0}; stop the node and run `reeve verify`")]
    Damaged(&'static str),
}
