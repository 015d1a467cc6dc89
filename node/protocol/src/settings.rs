//! What the core must be told at start: who it is, whom it knows, and by which rules it lives.

use std::sync::Arc;

use reeve_crdt::indicator::Source;
use reeve_crdt::schema::Schema;
use reeve_policy::authz::PolicySet;
use reeve_statement::cert::{Chain, RootList};
use reeve_statement::key::SecretKey;
use reeve_statement::unit::UnitPath;

use crate::bugs::Bugs;
use crate::consent::Accepted;
use crate::effect::NodeKey;

/// A peer that this node dials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialledPeer {
    /// Its key.
    pub key: NodeKey,
    /// Where it listens.
    pub addresses: Vec<String>,
}

/// The local writer: in whose name this node signs changes of records.
#[derive(Debug)]
pub struct Writer {
    /// Its key.
    pub key: SecretKey,
    /// Its chain of certificates, leaf first.
    pub chain: Chain,
}

/// Everything that the core is told once.
#[derive(Debug)]
pub struct Settings {
    /// Certificates (DER) that this unit's authority issued as far as the folder knows: those that the
    /// ledger does not hold yet are entered at the start, before anything is said.
    pub issued: Vec<Vec<u8>>,
    /// Deliberate faults: none.
    pub bugs: Bugs,
    /// The roots of the federation.
    pub roots: RootList,
    /// The key of this node.
    pub key: SecretKey,
    /// Its chain of certificates, leaf first.
    pub chain: Chain,
    /// Where this node's unit stands.
    pub unit: UnitPath,
    /// The reporting term; none: this node does not report for its unit.
    pub term: Option<u64>,
    /// The local writer.
    pub writer: Writer,
    /// The schema of the twins; none: this node keeps none (a pure aggregator).
    pub schema: Option<Arc<Schema>>,
    /// The unit's time zone, an IANA name.
    pub time_zone: String,
    /// The policy set.
    pub policy: PolicySet,
    /// Which proposals of a catalogue are adopted without an act.
    pub accepted: Accepted,
    /// Peers that this node dials: its superior's nodes, other nodes of its home.
    pub dial: Vec<DialledPeer>,
    /// Sources that are expected to report; none for a kind: whoever ever closed a period of it.
    pub sources: Vec<Source>,
    /// Fresh randomness, used once: a new incarnation for the store if it has none.
    pub entropy: [u8; 32],
    /// Whether records are expired by themselves once they are older than their kind's retention.
    pub scheduled_retention: bool,
    /// What this node asks its subordinates for.
    pub purpose: Purpose,
}

/// For what, and on which legal basis, this node asks its subordinates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purpose {
    /// What for.
    pub purpose: String,
    /// On which legal basis.
    pub legal_basis: String,
}
