//! The status document.

use std::collections::BTreeMap;

use reeve_protocol::authorities::AuthorityStatus;
use reeve_protocol::declared::Declared;
use reeve_protocol::local::{
    ForkStatus, PeerStatus, SourceStatus, Status, SubordinateStatus, TakenOver,
};
use reeve_statement::cert::Followed;
use reeve_statement::names::IndicatorId;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;
use serde::{Deserialize, Serialize};

use super::records::Ended;

/// A peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerView {
    /// Its public key.
    pub key: String,
    /// Its unit, once it said hello.
    pub unit: Option<String>,
    /// superior, subordinate or home.
    pub standing: Option<String>,
    /// Whether it is connected.
    pub connected: bool,
    /// When its certificate ends.
    pub certificate_ends: Option<String>,
    /// How far its clock was from ours, in milliseconds.
    pub clock_offset_ms: Option<i64>,
}

/// A figure that a subordinate has not reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behind {
    /// The indicator.
    pub indicator: String,
    /// The period.
    pub period: String,
    /// late, declined and so on, as in a figure.
    pub state: String,
}

/// A subordinate unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubordinateView {
    /// Its unit id.
    pub unit: String,
    /// Its names by language, if the reader may see the register.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
    /// Whether one of its nodes is connected.
    pub connected: bool,
    /// When it last delivered a statement.
    pub last_heard: Option<String>,
    /// What it has not reported.
    pub behind: Vec<Behind>,
    /// Entries of its ledger, as it was shown last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger_size: Option<u64>,
    /// Up to which entry this node has cosigned it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cosigned_size: Option<u64>,
    /// When it did so last. A ledger that grows and is not cosigned for long is not shown as it should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cosigned_at: Option<String>,
}

/// A figure whose last edition the superior refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedFigure {
    /// Which figure.
    pub figure: String,
    /// A stable word for why.
    pub code: String,
    /// Why, and what to do.
    pub reason: String,
}

/// A writer that signed two different changes for one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkView {
    /// The writer's key identifier.
    pub writer: String,
    /// The key identifier of the node at which it wrote.
    pub node: String,
    /// In which shard.
    pub shard: String,
    /// Its first change there that does not count.
    pub from: u64,
    /// When this node found it or heard of it.
    pub found_at: String,
}

impl From<&ForkStatus> for ForkView {
    fn from(fork: &ForkStatus) -> Self {
        Self {
            writer: fork.writer.to_string(),
            node: fork.node.to_string(),
            shard: fork.shard.to_string(),
            from: fork.seq,
            found_at: fork.found_at.to_string(),
        }
    }
}

/// The checkpoint of its ledger that a witness has cosigned last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessedView {
    /// How many entries it has.
    pub size: u64,
    /// Which unit's node cosigned it.
    pub by: String,
    /// When, by the witness's clock.
    pub at: String,
}

/// A source of this house.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceView {
    /// The kind that it reports.
    pub kind: String,
    /// Its name.
    pub source: String,
    /// The last day that it has closed by an act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_day: Option<String>,
    /// The last heartbeat, of a feed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<String>,
    /// Whether it is a feed that has said nothing for too long.
    pub silent: bool,
    /// The newest period whose deadline has passed without a word of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owes: Option<String>,
}

impl From<&SourceStatus> for SourceView {
    fn from(source: &SourceStatus) -> Self {
        Self {
            kind: source.kind.to_string(),
            source: source.name.clone(),
            last_day: source.last_day.map(|day| day.to_string()),
            heard_at: time(source.heard),
            silent: source.is_silent,
            owes: source.owes.map(|period| period.to_string()),
        }
    }
}

/// In what a node that reports in another's place differs from the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenOverView {
    /// The term of the node before.
    pub term: u64,
    /// Digest of the policy set of its last decision; none: it is the same here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_before: Option<String>,
    /// Digest of the policy set here; none: it is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Indicators that it told, and that are not adopted here.
    pub not_adopted: Vec<String>,
    /// Indicators of which it expected another number of sources.
    pub sources: Vec<SourcesBefore>,
}

/// How many sources of an indicator were expected, and are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcesBefore {
    /// The indicator.
    pub indicator: String,
    /// By the node before.
    pub before: u32,
    /// Here.
    pub here: u32,
}

impl From<&TakenOver> for TakenOverView {
    fn from(differs: &TakenOver) -> Self {
        let of = |(indicator, before, here): &(IndicatorId, u32, u32)| SourcesBefore {
            indicator: indicator.to_string(),
            before: *before,
            here: *here,
        };
        Self {
            term: differs.term,
            policy_before: differs.policy.map(|(before, _)| before.to_string()),
            policy: differs.policy.map(|(_, here)| here.to_string()),
            not_adopted: differs.not_adopted.iter().map(ToString::to_string).collect(),
            sources: differs.sources.iter().map(of).collect(),
        }
    }
}

/// A kind of which records were removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedView {
    /// The kind.
    pub kind: String,
    /// Records older than this day are gone, and figures of earlier periods stand.
    pub before: String,
}

impl From<&(u64, UnitPath, Timestamp)> for WitnessedView {
    fn from((size, by, at): &(u64, UnitPath, Timestamp)) -> Self {
        Self { size: *size, by: by.to_string(), at: at.to_string() }
    }
}

/// A subordinate that is proven to keep two ledgers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EquivocationView {
    /// Which unit.
    pub unit: String,
    /// In which term: nothing that it signs in it is taken any more.
    pub term: u64,
    /// When it was found.
    pub found_at: String,
}

/// A declaration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclarationView {
    /// Its name.
    pub name: String,
    /// Which unit's authority declares.
    pub issuer: String,
    /// The level; 1 is the highest.
    pub level: u8,
    /// On which legal basis.
    pub legal_basis: String,
    /// For which area.
    pub area: String,
    /// From when.
    pub from: String,
    /// Until when.
    pub until: String,
    /// in force, ahead, over, ended, elsewhere.
    pub phase: String,
    /// Digest of the statement.
    pub statement: String,
}

impl From<&Declared> for DeclarationView {
    fn from(declared: &Declared) -> Self {
        let it = &declared.declaration;
        Self {
            name: it.id.clone(),
            issuer: declared.issuer.to_string(),
            level: it.level,
            legal_basis: it.legal_basis.clone(),
            area: it.area.to_string(),
            from: it.from.to_string(),
            until: it.until.to_string(),
            phase: declared.phase.to_string(),
            statement: declared.statement.to_string(),
        }
    }
}

/// How the node fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusView {
    /// Its unit.
    pub unit: String,
    /// Its public key.
    pub key: String,
    /// Version of the program.
    pub version: String,
    /// Its reporting term; none: it does not report.
    pub term: Option<u64>,
    /// When its certificate ends.
    pub certificate_ends: String,
    /// When the first of the authorities above it ends.
    pub authority_ends: Option<String>,
    /// When its writer's certificate ends.
    pub writer_ends: String,
    /// Why its own certificates are no longer believed; none: they are.
    pub not_believed: Option<String>,
    /// A stable word for why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_believed_code: Option<String>,
    /// Where peers reach it.
    pub addresses: Vec<String>,
    /// Peers.
    pub peers: Vec<PeerView>,
    /// Subordinates.
    pub subordinates: Vec<SubordinateView>,
    /// Version of the catalogue; 0: none.
    pub catalogue_version: u64,
    /// Indicators that it proposes and this home has not adopted: nothing of them is sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_adopted: Vec<String>,
    /// The emergency response level that is in force here; 0: none.
    #[serde(default)]
    pub response_level: u8,
    /// What is declared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declarations: Vec<DeclarationView>,
    /// How many figures it keeps.
    pub figures: usize,
    /// How many of them the superior does not have in their last edition.
    pub unsent: usize,
    /// Figures that the superior refused.
    pub refused: Vec<RefusedFigure>,
    /// Statements of this node's ledger that the superior holds, if they are more than it has itself:
    /// its store was put back, and it signs no figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superior_ledger: Option<u64>,
    /// When the backup was made from which its store was restored, if no new term has begun since: it
    /// signs no figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_from: Option<String>,
    /// The last term in which it may not sign any more, if that is its own or a later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_term: Option<u64>,
    /// Whether its store was restored from a backup, and it signs no figures before it has followed the
    /// other nodes of its home.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub following_home: bool,
    /// Whether it has no line to its superior, and signs no figures before that has answered a letter.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_letter: bool,
    /// How far its clock is behind what it signed last, in milliseconds, if that is too far to be
    /// believed: it signs no figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_behind_ms: Option<i64>,
    /// The last peer that refused this node, with why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_by: Option<RefusedBy>,
    /// A later term under which the unit reports: this node signs nothing any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<u64>,
    /// The latest reporting term that any node of the unit is known to have been appointed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home_term: Option<u64>,
    /// Authorities around this node whose keys changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorities: Vec<AuthorityView>,
    /// Ledgers of the unit's earlier terms that it keeps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past_ledgers: Vec<PastLedger>,
    /// Whether the store's disk is full, or nearly: records and reports are refused until it is not.
    #[serde(default)]
    pub short_of_space: bool,
    /// Statements in its ledger.
    pub ledger_size: u64,
    /// Root of its ledger.
    pub ledger_root: String,
    /// The checkpoint of it that a witness has cosigned last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witnessed: Option<WitnessedView>,
    /// What auditors have cosigned of it, each its last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub auditors: Vec<WitnessedView>,
    /// Subordinates that are proven to keep two ledgers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub equivocations: Vec<EquivocationView>,
    /// In what it differs from the node in whose place it reports, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_over: Option<TakenOverView>,
    /// The sources of this house that report now, and what they said last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceView>,
    /// Kinds of which records were removed, and the day before which.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sealed: Vec<SealedView>,
    /// Writers of this home that forked, and are cut off.
    pub forks: Vec<ForkView>,
    /// Imports that began and did not end.
    pub interrupted_imports: Vec<Ended>,
    /// Requests with records that wait to be written.
    pub queued_writes: usize,
    /// Writes that are not durable yet.
    pub pending_persists: usize,
    /// Where it keeps its state.
    pub storage: StorageView,
}

/// A peer that this node dialled and that refused it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedBy {
    /// Its public key.
    pub peer: String,
    /// The code of the refusal.
    pub code: String,
    /// The refusal in words.
    pub reason: String,
}

/// An authority whose key changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorityView {
    /// Its unit.
    pub unit: String,
    /// Its key now.
    pub key: String,
    /// The key before.
    pub previous: String,
    /// `handed_on`, or why its superior replaced it: `lost`, `compromised`, `joined_anew`.
    pub how: String,
    /// When its superior replaced it; none: it was handed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_at: Option<String>,
    /// When this node noticed.
    pub noticed_at: String,
}

impl From<&AuthorityStatus> for AuthorityView {
    fn from(status: &AuthorityStatus) -> Self {
        let (how, replaced_at) = match status.change.way {
            Followed::HandedOn => ("handed_on".to_owned(), None),
            Followed::Replaced { loss, at } => (loss.to_string().replace(' ', "_"), Some(at)),
        };
        Self {
            unit: status.unit.to_string(),
            key: hex::encode(status.key),
            previous: hex::encode(&status.previous),
            how,
            replaced_at: time(replaced_at),
            noticed_at: status.change.noticed_at.to_string(),
        }
    }
}

/// The ledger of an earlier reporting term.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastLedger {
    /// The term.
    pub term: u64,
    /// Its entries.
    pub size: u64,
}

/// The store of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageView {
    /// redb or sled.
    pub engine: String,
    /// Bytes that it takes up on disk; none: they could not be counted.
    pub bytes: Option<u64>,
}

fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

impl From<&PeerStatus> for PeerView {
    fn from(peer: &PeerStatus) -> Self {
        Self {
            key: hex::encode(peer.key.0),
            unit: peer.unit.as_ref().map(ToString::to_string),
            standing: peer.standing.map(|standing| standing.to_string()),
            connected: peer.connected,
            certificate_ends: time(peer.not_after),
            clock_offset_ms: peer.clock_offset,
        }
    }
}

impl From<&SubordinateStatus> for SubordinateView {
    fn from(subordinate: &SubordinateStatus) -> Self {
        let behind = subordinate.behind.iter().map(|(indicator, period, state)| Behind {
            indicator: indicator.to_string(),
            period: period.to_string(),
            state: state.code().to_owned(),
        });
        Self {
            unit: subordinate.unit.to_string(),
            names: BTreeMap::new(),
            connected: subordinate.connected,
            last_heard: time(subordinate.last_heard),
            behind: behind.collect(),
            ledger_size: subordinate.ledger_size,
            cosigned_size: subordinate.cosigned.map(|(size, _)| size),
            cosigned_at: time(subordinate.cosigned.map(|(_, at)| at)),
        }
    }
}

impl StatusView {
    /// The document for a status.
    #[must_use]
    pub fn of(status: &Status, addresses: Vec<String>, storage: StorageView) -> Self {
        let refused = status.refused.iter().map(|(figure, refusal)| RefusedFigure {
            figure: figure.clone(),
            code: refusal.label().to_owned(),
            reason: refusal.text().to_owned(),
        });
        Self {
            unit: status.unit.to_string(),
            key: hex::encode(status.key.0),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            term: status.term,
            certificate_ends: status.not_after.to_string(),
            authority_ends: time(status.authority_not_after),
            writer_ends: status.writer_not_after.to_string(),
            not_believed: status.own_refusal.map(|refusal| refusal.text().to_owned()),
            not_believed_code: status.own_refusal.map(|refusal| refusal.label().to_owned()),
            addresses,
            peers: status.peers.iter().map(PeerView::from).collect(),
            subordinates: status.subordinates.iter().map(SubordinateView::from).collect(),
            catalogue_version: status.catalogue_version,
            not_adopted: status.not_adopted.iter().map(ToString::to_string).collect(),
            response_level: status.response_level,
            declarations: status.declarations.iter().map(DeclarationView::from).collect(),
            figures: status.figures,
            unsent: status.unsent,
            refused: refused.collect(),
            superior_ledger: status.superior_ledger,
            restored_from: status.restored_from.as_ref().map(|from| from.made_at.to_string()),
            ended_term: status.restored_from.as_ref().map(|from| from.term),
            following_home: status.following_home,
            needs_letter: status.needs_letter,
            clock_behind_ms: status.clock_behind,
            refused_by: status.refused_by.map(|(peer, refusal)| RefusedBy {
                peer: hex::encode(peer.0),
                code: refusal.label().to_owned(),
                reason: refusal.text().to_owned(),
            }),
            superseded_by: status.superseded_by,
            home_term: status.home_term,
            authorities: status.authorities.iter().map(AuthorityView::from).collect(),
            past_ledgers: status
                .past_ledgers
                .iter()
                .map(|(term, size)| PastLedger { term: *term, size: *size })
                .collect(),
            short_of_space: status.short_of_space,
            ledger_size: status.ledger_size,
            ledger_root: status.ledger_root.to_string(),
            witnessed: status.witnessed.as_ref().map(WitnessedView::from),
            auditors: status.auditors.iter().map(WitnessedView::from).collect(),
            equivocations: status
                .equivocations
                .iter()
                .map(|(unit, term, found_at)| EquivocationView {
                    unit: unit.to_string(),
                    term: *term,
                    found_at: found_at.to_string(),
                })
                .collect(),
            taken_over: status.taken_over.as_ref().map(TakenOverView::from),
            sources: status.sources.iter().map(SourceView::from).collect(),
            sealed: status
                .sealed
                .iter()
                .map(|(kind, day)| SealedView { kind: kind.to_string(), before: day.to_string() })
                .collect(),
            forks: status.forks.iter().map(ForkView::from).collect(),
            interrupted_imports: status.interrupted_imports.iter().map(Ended::from).collect(),
            queued_writes: status.queued_writes,
            pending_persists: status.pending_persists,
            storage,
        }
    }
}
