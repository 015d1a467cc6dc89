//! Auditors: units that may read ledgers and cosign them, and report nothing themselves.
//!
//! A superior cosigns what its subordinate shows it; an auditor comes by itself, reads the ledger, and
//! hands back a cosignature. It is kept beside the superior's, and bundles carry both, so that also the
//! first unit, which has nobody above it, is witnessed. Whose certificate holds the action `audit` and not
//! `report` is an auditor; a unit is none of its own ledger. What is kept is bounded: the newest of a few
//! auditors, and one row for each checkpoint that anybody cosigned.
//!
//! Nothing here waits for an auditor, and nothing that an auditor says changes what this node signs.
//!
//! Specification: C2SP tlog-cosignature.

use reeve_statement::cbor::{from_slice, to_vec};
use reeve_statement::cert::{Action, Role};
use reeve_statement::ledger::checkpoint::{Checkpoint, CheckpointError};
use reeve_statement::ledger::cosignature::verify_cosignature;
use reeve_statement::ledger::{Frontier, NodeAddress};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use crate::asks::AskedLoad;
use crate::bugs::Bug;
use crate::effect::{AskId, Load};
use crate::ledger::{loaded_nodes, node_key, nodes_for};
use crate::local::{Answer, Cosignature, Failure};
use crate::node::Node;
use crate::refusal::Refusal;
use crate::rows::{self, CosignedRow, Cosigner};
use crate::witness::NOTE_BYTES;

/// Most auditors whose newest cosignatures are kept; for one more, the one that came longest ago goes.
pub const AUDITORS: usize = 16;

/// Least time between two cosignatures of one auditor, in milliseconds, by its own clock.
const BETWEEN_MS: i64 = 1_000;

/// Most cosignatures that are looked at in a second: anybody may bring one where the ledger is open, and each
/// takes a chain's signatures to check.
const LOOKED_AT: u32 = 32;

/// How far an auditor's clock may be ahead of this node's, in milliseconds: as far as nodes let each other's
/// differ.
const AHEAD_MS: i64 = 5 * 60 * 1_000;

/// Longest signature line, in bytes: a DNS name and 76 bytes in base64.
const LINE_BYTES: usize = 512;

/// Longest chain of certificates, in bytes: the deepest there can be, as they are made here.
const CHAIN_BYTES: usize = 16 * 1024;

/// For what the tree of an earlier size is put together again.
#[derive(Debug)]
pub(crate) enum TreeFor {
    /// A checkpoint of it.
    Checkpoint,
    /// A cosignature of it is to be kept.
    Cosigned(Box<CosignedRow>),
}

impl Node {
    /// What auditors have cosigned: the newest of each, in this term's ledger.
    pub(crate) fn view_auditors(&self) -> Vec<(u64, UnitPath, Timestamp)> {
        let term = self.ledger.term();
        let rows = self.witnessing.audited.values().filter(|row| row.term == term);
        rows.map(|row| (row.size, row.witness.clone(), row.at)).collect()
    }

    /// Keeps an auditor's cosignature, if it is one of a checkpoint that this node has signed and still
    /// stands by.
    pub(crate) fn take_cosignature(&mut self, ask: AskId, given: &Cosignature) {
        let now = self.context.now().monotonic;
        let judged = if self.witnessing.is_busy(now, LOOKED_AT) {
            Err(Refusal::Busy)
        } else {
            self.judge_cosignature(given)
        };
        match judged {
            Ok(Some(row)) => {
                let (term, size) = (row.term, row.size);
                self.load_tree(ask, term, size, TreeFor::Cosigned(Box::new(row)));
            }
            Ok(None) => self.context.reply(ask, Answer::Done),
            Err(refusal) => {
                self.context.counters.count("auditors", refusal.label());
                self.context.reply(ask, Answer::Failed(Failure::Refused(refusal)));
            }
        }
    }

    /// The row that keeps it; none: it is kept already.
    fn judge_cosignature(&self, given: &Cosignature) -> Result<Option<CosignedRow>, Refusal> {
        let Cosignature { checkpoint, line, chain } = given;
        let one_line = line.ends_with('\n') && line.matches('\n').count() == 1;
        if checkpoint.len() > NOTE_BYTES || line.len() > LINE_BYTES || !one_line {
            return Err(Refusal::Malformed);
        }
        let encoded = chain.to_cbor();
        if encoded.len() > CHAIN_BYTES {
            return Err(Refusal::OverLimit);
        }
        let term = self.ledger.term();
        if term == 0 {
            return Err(Refusal::NotReporting);
        }
        let own = self.settings.key.public();
        let signed = Checkpoint::verify(checkpoint, self.ledger.origin(), &own);
        let Checkpoint { size, root, .. } = signed.map_err(|error| match error {
            CheckpointError::OtherOrigin { .. } => Refusal::OldTerm,
            CheckpointError::NotSigned { .. } | CheckpointError::BadSignature => {
                Refusal::BadSignature
            }
            _ => Refusal::Malformed,
        })?;
        if size == 0 || size > self.ledger.frontier().size() {
            return Err(Refusal::LedgerRegressed);
        }
        let now = self.context.now().wall;
        let auditor = self.trust.verify_any(chain, now)?;
        let actions = auditor.actions();
        let audits = actions.contains(Action::Audit) && !actions.contains(Action::Report);
        if auditor.role() != Role::Node || !audits || *auditor.unit() == self.settings.unit {
            return Err(Refusal::NoRight);
        }
        let name = self.witness_name(auditor.unit()).ok_or(Refusal::NoRight)?;
        // As this node signed it: who hands it back may have added lines.
        let note = format!("{}{line}", self.ledger.sign_at(size, root, &self.settings.key));
        let at = verify_cosignature(&note, &name, auditor.key());
        let at = at.ok().flatten().ok_or(Refusal::BadSignature)?;
        if at.since(now) > AHEAD_MS {
            return Err(Refusal::ClockSkew);
        }
        let held = self.witnessing.audited.get(auditor.unit()).filter(|row| row.term == term);
        if let Some(held) = held {
            if (held.size, held.at) == (size, at) {
                return Ok(None);
            }
            if size < held.size || at <= held.at {
                return Err(Refusal::OldVersion);
            }
            if at.since(held.at) < BETWEEN_MS {
                return Err(Refusal::Busy);
            }
        }
        let (witness, chain) = (auditor.unit().clone(), encoded);
        let before = self.witnessing.cosigned_before(term, size);
        Ok(Some(CosignedRow { term, size, root, note, witness, at, chain, before, also: None }))
    }

    /// Loads what the tree of a size of a ledger is made of, and what is kept of its checkpoint.
    pub(crate) fn load_tree(&mut self, ask: AskId, term: u64, size: u64, what: TreeFor) {
        if size > self.ledger.frontier().size() {
            let missing = Failure::NotFound("ledger with so many entries");
            return self.context.reply(ask, Answer::Failed(missing));
        }
        let nodes = nodes_of(size);
        let keys = nodes.iter().map(|node| node_key(term, node.level, node.index));
        let cosigned = rows::placed(rows::COSIGNED, term, size);
        let keys = core::iter::once(cosigned).chain(keys).collect();
        let load = self.context.load(Load::Get(keys));
        self.asked_loads.insert(load, AskedLoad::Tree { ask, term, size, nodes, what });
    }

    pub(crate) fn on_tree(
        &mut self,
        ask: AskId,
        (term, size): (u64, u64),
        nodes: &[NodeAddress],
        what: TreeFor,
        values: Vec<Option<Vec<u8>>>,
    ) {
        let mut values = values.into_iter();
        let kept = values.next().flatten();
        let found = loaded_nodes(nodes, values.collect());
        let tree = Frontier::load(&found, size).ok();
        let answer = match (tree, what) {
            _ if term != self.ledger.term() => Answer::Failed(Failure::Refused(Refusal::OldTerm)),
            (None, _) => Answer::Failed(Failure::Damaged("node of the ledger's tree")),
            (Some(tree), TreeFor::Checkpoint) => {
                Answer::Checkpoint(self.ledger.sign_at(size, tree.root(), &self.settings.key))
            }
            (Some(tree), TreeFor::Cosigned(row)) if tree.root() != row.root => {
                // It signed another tree of this size: with a store that is not here any more.
                self.context.counters.count("auditors", Refusal::LedgerForked.label());
                Answer::Failed(Failure::Refused(Refusal::LedgerForked))
            }
            (Some(_), TreeFor::Cosigned(row)) => self.keep_cosignature(*row, kept.as_deref()),
        };
        self.context.reply(ask, answer);
    }

    fn keep_cosignature(&mut self, row: CosignedRow, kept: Option<&[u8]>) -> Answer {
        let kept = kept.map(|kept| from_slice::<CosignedRow>("row", kept, kept.len())).transpose();
        let Ok(kept) = kept else {
            return Answer::Failed(Failure::Damaged("cosigned checkpoint"));
        };
        let joined = match kept {
            Some(mut kept) => {
                kept.join(&row);
                kept
            }
            None => row.clone(),
        };
        let place = rows::placed(rows::COSIGNED, row.term, row.size);
        if self.settings.bugs.has(Bug::ForgetCosignature) {
            return Answer::Done;
        }
        self.context.persist(place, Some(to_vec(&joined)));
        self.context.persist(audited_key(&row.witness), Some(to_vec(&row)));
        self.witnessing.restore_audited(row);
        if let Some(gone) = self.witnessing.forget_oldest_auditor() {
            self.context.persist(audited_key(&gone), None);
        }
        self.context.counters.count("auditors", "cosigned");
        Answer::Done
    }
}

impl CosignedRow {
    /// Adds what another witness says of the same checkpoint; what the first of one unit said stands.
    pub(crate) fn join(&mut self, other: &Self) {
        let also = self.also.get_or_insert_default();
        let known = other.witness == self.witness || also.iter().any(|it| it.unit == other.witness);
        let same = (self.term, self.size, self.root) == (other.term, other.size, other.root);
        if known || !same || also.len() >= AUDITORS {
            return;
        }
        let Some(line) = other.note.lines().last() else { return };
        self.note.push_str(line);
        self.note.push('\n');
        let (unit, at, chain) = (other.witness.clone(), other.at, other.chain.clone());
        also.push(Cosigner { unit, at, chain });
    }
}

/// The key of the newest that an auditor has cosigned.
fn audited_key(auditor: &UnitPath) -> Vec<u8> {
    rows::key(rows::META, &[rows::AUDITED, auditor.to_string().as_bytes()])
}

/// The nodes that the root of a size is made of.
fn nodes_of(size: u64) -> Vec<NodeAddress> {
    nodes_for(|tree| drop(Frontier::load(tree, size)))
}
