//! Figures: cutting releases and notices, delivering them up, taking them from below.
//!
//! A figure that may have changed is *dirty*; dirtiness is a set, not a queue, so a superior that was
//! away is not flooded. A release is cut when it can be sent, and one delivery per figure is under way
//! at a time.

pub(crate) mod accept;
mod calendar;
mod classes;
mod cut;
mod deliver;
mod distribute;
mod due;
mod look;
mod own;
mod reconcile;
mod request;
mod revise;
mod situation;
pub(crate) mod term;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};
use reeve_policy::disclosure::{DisclosureState, Input};
use reeve_statement::catalogue::{Catalogue, RecipientClass, Titles};
use reeve_statement::digest::Digest;
use reeve_statement::names::IndicatorId;
use reeve_statement::period::Period;
use reeve_statement::register::Register;
use reeve_statement::request::Request;
use reeve_statement::statement::FigureId;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::{UnitId, UnitPath};

pub(crate) use accept::{VERIFYING_PER_PEER, VerifiedFor, Verifying, chunks_of};
pub(crate) use deliver::Delivery;
pub(crate) use due::Due;
pub(crate) use reconcile::Inventory;

use crate::effect::{JobId, NodeKey, RequestId};
use crate::rows::{self, FigureRow, HeadRow, HeardRow, RequestRow};

/// Most figures cut in one call of the core: a call is bounded work.
pub const CUTS_PER_CALL: usize = 16;

/// Most deliveries under way to the superior at once: half of what its adapter takes from one peer.
pub const DELIVERIES_IN_FLIGHT: usize = 8;

/// Most statements kept in memory from signing until they are sent; others are read back.
pub const FRESH_STATEMENTS: usize = 256;

/// How long to wait before a delivery that the superior was too busy for is tried again, in
/// milliseconds.
pub const BUSY_RETRY_MS: u64 = 500;

/// How long to wait before what was refused for a passing reason is sent again, in milliseconds.
pub const REFUSED_RETRY_MS: u64 = 30_000;

/// How many statements from above are kept that were refused for a passing reason: a catalogue and the
/// declarations of a few levels.
pub const SET_ASIDE: usize = 16;

/// How far a statement may be dated in the future, in milliseconds: five minutes of clock skew.
pub const FUTURE_MS: i64 = 5 * 60 * 1_000;

/// How often deadlines and certificates are looked at, in milliseconds.
pub const SWEEP_MS: u64 = 1_000;

/// A subordinate that is to enter the register.
#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Newcomer {
    #[n(0)]
    pub(crate) unit: UnitId,
    #[n(1)]
    pub(crate) names: Titles,
    #[n(2)]
    pub(crate) time_zone: Option<String>,
}

impl Newcomer {
    pub(crate) fn key(&self) -> Vec<u8> {
        rows::key(rows::META, &[rows::NEWCOMER, self.unit.as_str().as_bytes()])
    }
}

/// What the superior asked for.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    /// Digest of its signed request.
    pub(crate) digest: Digest,
    /// The request.
    pub(crate) request: Request,
    /// Who asked.
    pub(crate) from: UnitPath,
    /// In which term.
    pub(crate) term: u64,
    /// When it was signed.
    pub(crate) issued_at: Timestamp,
}

/// What a subordinate said last of a figure.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) row: HeardRow,
    /// Its figure, if it gave one.
    pub(crate) input: Option<Input>,
    /// Bytes of the row.
    pub(crate) bytes: usize,
}

/// Classes that an indicator is open to, and under what that was decided.
#[derive(Debug)]
pub(crate) struct Open {
    /// Policy set, response level, and the superior's request.
    pub(crate) under: (Digest, u8, Option<Digest>),
    pub(crate) classes: Vec<RecipientClass>,
}

/// All that is known of figures.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    /// The catalogue in force, with the digest of its statement.
    pub(crate) catalogue: Option<(Digest, Catalogue)>,
    /// Who signed it.
    pub(crate) proposer: Option<UnitPath>,
    /// Definitions' digests, by indicator.
    pub(crate) definitions: BTreeMap<IndicatorId, Digest>,
    /// The register of subordinates, with the digest of its statement.
    pub(crate) register: Option<(Digest, Register)>,
    /// The last register's statement that this node signed, and the certificate that it signed it under.
    pub(crate) register_signer: Option<(Digest, Digest)>,
    /// Own figures.
    pub(crate) figures: BTreeMap<FigureId, FigureRow>,
    /// Disclosure state, by indicator and period: it belongs to the data.
    pub(crate) disclosure: BTreeMap<(IndicatorId, Period), DisclosureState>,
    /// Classes beside the superior that each definition is open to.
    pub(crate) open: BTreeMap<Digest, Open>,
    /// When the open window of each protected figure closes, monotonic.
    pub(crate) windows: BTreeMap<(IndicatorId, Period), u64>,
    /// What subordinates said last, by figure and unit.
    pub(crate) heard: BTreeMap<FigureId, BTreeMap<UnitId, Heard>>,
    /// Which subordinates have ever reported an indicator, and when they were last heard.
    pub(crate) ever: BTreeMap<UnitId, BTreeMap<IndicatorId, Timestamp>>,
    /// When the last connection to a subordinate ended, as far as this node has run since.
    pub(crate) parted: BTreeMap<UnitId, Timestamp>,
    /// The civil day at the last look.
    pub(crate) day: Option<jiff::civil::Date>,
    /// Subordinates all of whose nodes were revoked.
    pub(crate) revoked: BTreeSet<UnitId>,
    /// Ledger heads of subordinates.
    pub(crate) heads: BTreeMap<UnitId, HeadRow>,
    /// What the superior asked for.
    pub(crate) subscription: Option<Subscription>,
    /// Figures to look at.
    pub(crate) due: Due,
    /// Figures that running imports touched; cut when the import ends.
    pub(crate) held: BTreeMap<u64, BTreeSet<(IndicatorId, Period)>>,
    /// Deadlines of figures that wait for subordinates, and of those that nobody spoke of yet; wall
    /// clock.
    pub(crate) deadlines: BTreeSet<(Timestamp, FigureId)>,
    /// The day from which on each definition is in force here, by the definition's digest.
    pub(crate) in_force: BTreeMap<Digest, jiff::civil::Date>,
    /// Figures whose last edition is to be sent.
    pub(crate) unsent: BTreeSet<FigureId>,
    /// Deliveries under way.
    pub(crate) deliveries: BTreeMap<RequestId, Delivery>,
    /// Figures with a delivery under way.
    pub(crate) in_flight: BTreeSet<FigureId>,
    /// What a node of the superior accepted since it said hello: what it said before that of what it holds
    /// may arrive after it.
    pub(crate) accepted_by: Option<(NodeKey, BTreeSet<FigureId>)>,
    /// Figures whose statement is being loaded to be sent again.
    pub(crate) reloading: BTreeMap<crate::effect::LoadId, FigureId>,
    /// Subordinates that refused the last request for a passing reason.
    pub(crate) ask_again: BTreeSet<NodeKey>,
    /// What came from above and was refused for a passing reason, by digest of its bytes.
    pub(crate) set_aside: BTreeMap<Digest, Vec<u8>>,
    /// Whether some of it waits until this node may sign.
    pub(crate) wants_office: bool,
    /// No delivery before this monotonic time.
    pub(crate) hold_until: u64,
    /// Statements being verified.
    pub(crate) verifying: BTreeMap<JobId, Verifying>,
    /// Looks at the superior's figures under way, by request.
    pub(crate) looks: BTreeMap<RequestId, look::Look>,
    /// Chunks asked for, by request.
    pub(crate) fetching: BTreeMap<RequestId, accept::Fetching>,
    /// The last time at which anything was signed.
    pub(crate) last_signed: Timestamp,
    /// Version of the newest catalogue that this unit is known to have followed: no figure is cut by an
    /// older one.
    pub(crate) followed: u64,
    /// The last request to each subordinate.
    pub(crate) requests: BTreeMap<UnitId, RequestRow>,
    /// Whether a superior has said what it holds since this node started.
    pub(crate) reconciled: bool,
    /// Size of the own ledger that the superior is known to have seen.
    pub(crate) shown: u64,
    /// Checkpoints on their way to the superior, with their sizes.
    pub(crate) showing: BTreeMap<RequestId, (NodeKey, u64)>,
    /// Requests that wait until the superior has seen the ledger with them.
    pub(crate) asks_held: BTreeMap<NodeKey, (Vec<u8>, u64)>,
    /// Subordinates that are to enter the register as soon as this node signs.
    pub(crate) newcomers: BTreeMap<UnitId, Newcomer>,
    /// When refused figures are sent again, monotonic.
    pub(crate) retry_at: Option<u64>,
    /// What superiors are listing as held (over a connection, or by letter).
    pub(crate) inventories: BTreeMap<(NodeKey, bool), Inventory>,
    /// Requests sent down, to know their answers by.
    pub(crate) asked: BTreeMap<RequestId, NodeKey>,
    /// Subordinates that were asked and have not answered, and whether they are to be asked again then: of
    /// two requests under way the earlier one could come last.
    pub(crate) asking: BTreeMap<NodeKey, bool>,
}

impl Reports {
    /// The class of every figure that goes up.
    pub(crate) const fn class() -> RecipientClass {
        RecipientClass::Superior
    }
}
