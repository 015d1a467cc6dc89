//! What people and programs of this house are shown: figures, and how the node fares.

use jiff::civil::Date;
use reeve_statement::bounds::Cell;
use reeve_statement::catalogue::{Indicator, RecipientClass};
use reeve_statement::completeness::{Counts, Exception, UnitState};
use reeve_statement::digest::Digest;
use reeve_statement::names::{IndicatorId, KindId};
use reeve_statement::period::Period;
use reeve_statement::release::RevisionReason;
use reeve_statement::table::{Table, Unlisted};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::{UnitId, UnitPath};

use crate::declared::Declared;
use crate::effect::NodeKey;
use crate::rows::ImportRow;
use crate::trust::Standing;

/// A figure as this node knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FigureView {
    /// Whose figure.
    pub unit: UnitPath,
    /// Its definition.
    pub indicator: Indicator,
    /// The period.
    pub period: Period,
    /// The class it is protected for.
    pub class: RecipientClass,
    /// Rows of the area asked for.
    pub table: Table,
    /// Their sum; none for measures that do not add up, or where it overflows.
    pub total: Option<Cell>,
    /// Units per state, down to the leaves.
    pub counts: Counts,
    /// Units that did not report in full.
    pub exceptions: Vec<Exception>,
    /// Last signed edition; 0: none yet.
    pub edition: u64,
    /// Digest of its statement.
    pub statement: Option<Digest>,
    /// Why it revises the edition before.
    pub reason: Option<RevisionReason>,
    /// When it was signed.
    pub issued_at: Option<Timestamp>,
    /// Whether the home adopted the indicator; if not, nothing of it is sent.
    pub adopted: bool,
    /// When the data was last touched.
    pub data_touched: Option<Timestamp>,
    /// Rows not listed, per area.
    pub unlisted: Vec<(reeve_statement::table::Area, Unlisted)>,
}

/// The unit's own table as it is. It never leaves the house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnView {
    /// Whose.
    pub unit: UnitPath,
    /// Its definition.
    pub indicator: Indicator,
    /// The period.
    pub period: Period,
    /// Its rows, exact.
    pub table: Table,
    /// Their sum; none for measures that do not add up, or where it overflows.
    pub total: Option<Cell>,
    /// Whether the unit's sources have reported the period.
    pub state: UnitState,
    /// How many sources closed the period.
    pub sources_reported: u32,
    /// How many are expected to.
    pub sources_expected: u32,
    /// Who of them said nothing, once the period has ended.
    pub silent_sources: Vec<String>,
    /// When the data was last touched.
    pub data_touched: Option<Timestamp>,
}

/// A peer in the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerStatus {
    /// Its key.
    pub key: NodeKey,
    /// Its unit, once it said hello.
    pub unit: Option<UnitPath>,
    /// How it stands to this node.
    pub standing: Option<Standing>,
    /// Whether it is connected.
    pub connected: bool,
    /// When its certificate ends.
    pub not_after: Option<Timestamp>,
    /// How far its clock was from ours at the hello, in milliseconds.
    pub clock_offset: Option<i64>,
}

/// A subordinate in the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubordinateStatus {
    /// Its unit id.
    pub unit: UnitId,
    /// Whether one of its nodes is connected.
    pub connected: bool,
    /// When it last delivered a statement.
    pub last_heard: Option<Timestamp>,
    /// The highest reporting term under which it was heard.
    pub term: Option<u64>,
    /// Entries of its ledger of that term, as it was shown last.
    pub ledger_size: Option<u64>,
    /// The checkpoint of it that this node cosigned last: entries, and when.
    pub cosigned: Option<(u64, Timestamp)>,
    /// Figures per state of those that are not reported: indicator, period, state.
    pub behind: Vec<(IndicatorId, Period, UnitState)>,
}

/// A writer that signed two changes for one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkStatus {
    /// In which shard.
    pub shard: reeve_crdt::twin::ShardId,
    /// The writer's key.
    pub writer: reeve_statement::key::KeyId,
    /// The node at which it wrote.
    pub node: reeve_statement::key::KeyId,
    /// Its first change that does not count.
    pub seq: u64,
    /// When this node found it or heard of it.
    pub found_at: Timestamp,
}

/// A source of this house, and what it said last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceStatus {
    /// The kind that it reports.
    pub kind: KindId,
    /// Its name.
    pub name: String,
    /// The last day that it has closed by an act.
    pub last_day: Option<Date>,
    /// The last heartbeat, of a feed.
    pub heard: Option<Timestamp>,
    /// Whether it is a feed that has said nothing for too long.
    pub is_silent: bool,
    /// The newest period whose deadline has passed without a word of it.
    pub owes: Option<Period>,
}

/// In what a node that reports in another's place differs from the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenOver {
    /// The term of the node before.
    pub term: u64,
    /// The policy set of its last decision, and the one here, where they differ.
    pub policy: Option<(Digest, Digest)>,
    /// Indicators that it told, and that are not adopted here.
    pub not_adopted: Vec<IndicatorId>,
    /// Indicators of which it expected another number of sources: its number, and the one here.
    pub sources: Vec<(IndicatorId, u32, u32)>,
}

/// How the node fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its unit.
    pub unit: UnitPath,
    /// Its key.
    pub key: NodeKey,
    /// Its reporting term; none: it does not report.
    pub term: Option<u64>,
    /// When its certificate ends.
    pub not_after: Timestamp,
    /// When the first of the authorities above it ends.
    pub authority_not_after: Option<Timestamp>,
    /// When its writer's certificate ends.
    pub writer_not_after: Timestamp,
    /// Why its own chain is no longer believed, if it is not.
    pub own_refusal: Option<crate::refusal::Refusal>,
    /// Peers.
    pub peers: Vec<PeerStatus>,
    /// Subordinates.
    pub subordinates: Vec<SubordinateStatus>,
    /// Version of the catalogue; 0: none.
    pub catalogue_version: u64,
    /// Indicators that it proposes and this home has not adopted.
    pub not_adopted: Vec<IndicatorId>,
    /// Whether the superior has asked for figures.
    pub asked: bool,
    /// The emergency response level that is in force; 0: none.
    pub response_level: u8,
    /// What is declared.
    pub declarations: Vec<Declared>,
    /// How many figures it keeps.
    pub figures: usize,
    /// How many of them the superior does not have in their last edition.
    pub unsent: usize,
    /// Figures whose last edition the superior refused, with why.
    pub refused: Vec<(String, crate::refusal::Refusal)>,
    /// Size of its ledger as the superior holds it, if that is more: its store was put back, and it
    /// signs no figures.
    pub superior_ledger: Option<u64>,
    /// The backup from which its store was restored, while it signs no figures because no new term has
    /// begun since.
    pub restored_from: Option<crate::from_backup::FromBackup>,
    /// Whether its store was restored from a backup, and the other nodes of its home still have to be
    /// followed before it signs figures.
    pub following_home: bool,
    /// Whether it has no line to its superior, and signs no figures before that has answered a letter.
    pub needs_letter: bool,
    /// How far the wall clock is behind the last signed time, in milliseconds, if that is too far to be
    /// believed: it signs nothing until the clock is right.
    pub clock_behind: Option<i64>,
    /// The last peer that this node dialled and that refused it, with why.
    pub refused_by: Option<(NodeKey, crate::refusal::Refusal)>,
    /// The term under which the unit reports by now, if it is a later one: this node signs nothing any
    /// more.
    pub superseded_by: Option<u64>,
    /// The latest term that any node of this unit is known to have been appointed for.
    pub home_term: Option<u64>,
    /// Authorities around this node whose keys changed.
    pub authorities: Vec<crate::authorities::AuthorityStatus>,
    /// Ledgers of this unit's earlier terms that are in this store: term and size.
    pub past_ledgers: Vec<(u64, u64)>,
    /// Whether its store is short of space, so that nothing that makes it grow is taken.
    pub short_of_space: bool,
    /// Statements in its ledger.
    pub ledger_size: u64,
    /// Root of its ledger.
    pub ledger_root: Digest,
    /// The newest checkpoint of it that a witness has cosigned: entries, who, and when.
    pub witnessed: Option<(u64, UnitPath, Timestamp)>,
    /// What auditors have cosigned of it: each its last, with entries, who, and when.
    pub auditors: Vec<(u64, UnitPath, Timestamp)>,
    /// Subordinates that are proven to keep two ledgers: unit, term, and when it was found.
    pub equivocations: Vec<(UnitPath, u64, Timestamp)>,
    /// In what it differs from the node whose office it took over, if it does.
    pub taken_over: Option<TakenOver>,
    /// The sources of this house that report now.
    pub sources: Vec<SourceStatus>,
    /// Up to which day the records of a kind were removed.
    pub sealed: Vec<(KindId, Date)>,
    /// Writers of this home that forked.
    pub forks: Vec<ForkStatus>,
    /// Imports that began and did not end.
    pub interrupted_imports: Vec<ImportRow>,
    /// Asks of records waiting to be written.
    pub queued_writes: usize,
    /// Persists not durable yet.
    pub pending_persists: usize,
}
