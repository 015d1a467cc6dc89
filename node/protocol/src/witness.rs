//! Witnesses: a superior cosigns its subordinates' ledgers, once it has seen that they only grew, and a
//! subordinate keeps what was cosigned.
//!
//! A subordinate shows its ledger when it has grown, at most once in a while. With the new checkpoint it
//! shows, signed too, the one of the size that the superior cosigned last, and the proof that the new one
//! goes on from it. So a unit that keeps two ledgers has to sign a second root of a size that the superior
//! holds, and both notes together are the proof, for whoever has the unit's key; or it cannot show that one
//! goes on from the other, and is not cosigned. What was cosigned is durable before it is told.
//!
//! From the proof on, nothing that the unit signs in that term is taken. What was taken before stands. The
//! way out is a new term, for which the unit's authority appoints a node.
//!
//! Reporting never waits for a witness: a ledger that nobody cosigned is told all the same, and says so.
//!
//! Specifications: C2SP tlog-witness (`add-checkpoint`, here as messages between nodes), tlog-cosignature.

use std::collections::BTreeMap;

use reeve_statement::cbor::to_vec;
use reeve_statement::cert::name::dns_name;
use reeve_statement::cert::{Action, VerifiedChain};
use reeve_statement::digest::Digest;
use reeve_statement::ledger::checkpoint::Checkpoint;
use reeve_statement::ledger::cosignature::{WitnessName, cosign, verify_cosignature};
use reeve_statement::ledger::equivocation::Equivocation;
use reeve_statement::ledger::{
    ConsistencyProof, Frontier, NodeAddress, consistency_proof, empty_root, verify_consistency,
};
use reeve_statement::statement::{Audience, Witnessed};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::{UnitId, UnitPath};

use crate::audited::AUDITORS;
use crate::bugs::Bug;
use crate::effect::{Channel, Load, LoadId, Loaded, NodeKey, RequestId, SendFailure};
use crate::ledger::{loaded_nodes, node_key, nodes_for};
use crate::node::Node;
use crate::refusal::Refusal;
use crate::rows::{self, CosignedRow, EquivocationRow, WitnessedRow};
use crate::wire::{LedgerAnswer, LedgerMessage, Shown, decode};

/// How often a ledger that grows is shown to its witness, in milliseconds: the time within which an entry
/// can be dated wrongly without contradicting a witness, against two signatures of work for the superior.
pub const WITNESS_MS: u64 = 10_000;

/// Least time between two cosignatures of one ledger, in milliseconds; who shows it sooner is told `busy`.
const COSIGN_MS: i64 = 1_000;

/// Longest note that is cosigned, in bytes: a checkpoint with a dozen signatures.
pub(crate) const NOTE_BYTES: usize = 4 * 1024;

/// What this node has cosigned, and what was cosigned for it.
#[derive(Debug, Default)]
pub(crate) struct Witnessing {
    /// The newest of this node's checkpoints that was cosigned.
    cosigned: Option<CosignedRow>,
    /// The size that the witness says that it has cosigned last, if that is not what is known here.
    seen: Option<u64>,
    /// When the ledger may be shown again, monotonic.
    next_at: u64,
    preparing: Option<(LoadId, Preparing)>,
    showing: Option<(RequestId, Showing)>,
    /// What this node cosigned last, by subordinate.
    below: BTreeMap<UnitId, WitnessedRow>,
    proven: BTreeMap<(UnitPath, u64), EquivocationRow>,
    /// The newest of this node's checkpoints that each auditor has cosigned.
    pub(crate) audited: BTreeMap<UnitPath, CosignedRow>,
    /// Since when, monotonic, how many auditors' cosignatures were looked at: within a second.
    looked_at: (u64, u32),
}

/// A checkpoint that waits for the nodes of its proof.
#[derive(Debug)]
struct Preparing {
    showing: Showing,
    /// The size that the witness has cosigned.
    from: u64,
    nodes: Vec<NodeAddress>,
}

/// A checkpoint on its way to the witness.
#[derive(Debug)]
struct Showing {
    witness: NodeKey,
    term: u64,
    size: u64,
    root: Digest,
    note: String,
}

impl Witnessing {
    pub(crate) fn restore_cosigned(&mut self, row: CosignedRow) {
        self.cosigned = Some(row);
    }

    pub(crate) fn restore_witnessed(&mut self, row: WitnessedRow) {
        self.below.insert(row.unit.clone(), row);
    }

    pub(crate) fn restore_equivocation(&mut self, row: EquivocationRow) {
        self.proven.insert((row.unit.clone(), row.term), row);
    }

    /// What this node cosigned last of a subordinate's ledger.
    pub(crate) fn witnessed(&self, unit: &UnitId) -> Option<&WitnessedRow> {
        self.below.get(unit)
    }

    /// Units that keep two ledgers, with the proofs.
    pub(crate) fn proven(&self) -> impl Iterator<Item = &EquivocationRow> {
        self.proven.values()
    }

    /// The newest checkpoint of a term's ledger that the superior cosigned.
    fn cosigned(&self, term: u64) -> Option<&CosignedRow> {
        self.cosigned.as_ref().filter(|row| row.term == term)
    }

    /// The newest checkpoint of a term's ledger that anybody cosigned; of two of one size the superior's.
    pub(crate) fn newest(&self, term: u64) -> Option<&CosignedRow> {
        let rows = self.audited.values().chain(&self.cosigned).filter(|row| row.term == term);
        rows.max_by_key(|row| row.size)
    }

    /// A row with what auditors said last, if it was of the same checkpoint.
    pub(crate) fn joined(&self, mut row: CosignedRow) -> CosignedRow {
        self.audited.values().for_each(|other| row.join(other));
        row
    }

    /// The largest of the checkpoints known here that is smaller than this one and was cosigned; 0: none.
    pub(crate) fn cosigned_before(&self, term: u64, size: u64) -> u64 {
        let rows = self.audited.values().chain(&self.cosigned).filter(|row| row.term == term);
        rows.map(|row| row.size).filter(|of| *of < size).max().unwrap_or(0)
    }

    /// Counts one more cosignature that is to be looked at; whether there are too many in this second.
    pub(crate) fn is_busy(&mut self, now: u64, most: u32) -> bool {
        if now.saturating_sub(self.looked_at.0) >= 1_000 {
            self.looked_at = (now, 0);
        }
        self.looked_at.1 = self.looked_at.1.saturating_add(1);
        self.looked_at.1 > most
    }

    pub(crate) fn restore_audited(&mut self, row: CosignedRow) {
        self.audited.insert(row.witness.clone(), row);
    }

    /// Where there are too many auditors, forgets the one that came longest ago.
    pub(crate) fn forget_oldest_auditor(&mut self) -> Option<UnitPath> {
        if self.audited.len() <= AUDITORS {
            return None;
        }
        let oldest = self.audited.values().min_by_key(|row| row.at)?.witness.clone();
        self.audited.remove(&oldest);
        Some(oldest)
    }
}

impl Node {
    /// How many units are proven to keep two ledgers.
    #[must_use]
    pub fn equivocations(&self) -> usize {
        self.witnessing.proven.len()
    }

    pub(crate) fn view_witnessed(&self) -> Option<(u64, UnitPath, Timestamp)> {
        let row = self.witnessing.newest(self.ledger.term())?;
        Some((row.size, row.witness.clone(), row.at))
    }

    pub(crate) fn view_equivocations(&self) -> Vec<(UnitPath, u64, Timestamp)> {
        let proven = self.witnessing.proven();
        proven.map(|row| (row.unit.clone(), row.term, row.found_at)).collect()
    }

    /// How this node's ledger is witnessed, for a statement to its superior. Others do not see the ledger,
    /// and its size would tell them what is issued for whom.
    pub(crate) fn witnessed_for(&self, audience: &Audience) -> Option<Witnessed> {
        let superior = self.settings.unit.parent()?;
        let told = matches!(audience, Audience::Unit(unit) if *unit == superior);
        let row = self.witnessing.cosigned(self.ledger.term()).filter(|_| told)?;
        Some(Witnessed { size: row.size, root: row.root, by: row.witness.clone(), at: row.at })
    }

    // --- as the one that is witnessed ---

    /// Shows the superior the ledger as it is now, if it has grown since it was cosigned.
    pub(crate) fn review_witness(&mut self) {
        let now = self.context.now().monotonic;
        let witnessing = &self.witnessing;
        let waits = now < witnessing.next_at
            || witnessing.preparing.is_some()
            || witnessing.showing.is_some();
        if waits || !self.may_sign() {
            return;
        }
        let Some(witness) = self.reporting_superior() else { return };
        let (term, size) = (self.ledger.term(), self.ledger.frontier().size());
        let cosigned = self.witnessing.cosigned(term).map_or(0, |row| row.size);
        if size <= cosigned {
            return;
        }
        self.witnessing.next_at = now.saturating_add(WITNESS_MS);
        let from = self.witnessing.seen.take().unwrap_or(cosigned);
        let root = self.ledger.frontier().root();
        let note = self.ledger.checkpoint(&self.settings.key);
        let showing = Showing { witness, term, size, root, note };
        if from == 0 || from == size {
            return self.show_to_witness(showing, None, Vec::new());
        }
        if from > size {
            // Its store was put back; the superior says so when nodes meet.
            return self.context.counters.count("witness", "ledger_behind");
        }
        let nodes = nodes_between(from, size);
        let keys = nodes.iter().map(|node| node_key(term, node.level, node.index)).collect();
        let load = self.context.load(Load::Get(keys));
        self.witnessing.preparing = Some((load, Preparing { showing, from, nodes }));
    }

    /// The nodes of the proof came.
    pub(crate) fn on_tree_loaded(&mut self, load: LoadId, loaded: Loaded) -> Option<Loaded> {
        let prepared = self.witnessing.preparing.take_if(|(of, _)| *of == load);
        let Some((_, Preparing { showing, from, nodes })) = prepared else { return Some(loaded) };
        let Loaded::Values(values) = loaded else { return None };
        let found = loaded_nodes(&nodes, values);
        let before = Frontier::load(&found, from).ok().map(|frontier| frontier.root());
        let proof = consistency_proof(&found, from, showing.size).ok();
        let (Some(root), Some(proof)) = (before, proof) else {
            self.context.counters.count("damaged", "ledger");
            return None;
        };
        // Nothing is signed that a damaged store would make a second ledger of.
        if verify_consistency(from, showing.size, &root, &showing.root, &proof).is_err() {
            self.context.counters.count("damaged", "ledger");
            return None;
        }
        if showing.term == self.ledger.term() {
            let before = self.ledger.sign_at(from, root, &self.settings.key);
            self.show_to_witness(showing, Some(before), proof.hashes);
        }
        None
    }

    fn show_to_witness(&mut self, showing: Showing, before: Option<String>, proof: Vec<Digest>) {
        let shown = Shown { checkpoint: showing.note.clone(), before, proof };
        let message = to_vec(&LedgerMessage::Witness(shown));
        let request = self.context.send(showing.witness, Channel::Ledger, message);
        self.witnessing.showing = Some((request, showing));
    }

    /// The witness has answered, or not; whether it was that.
    pub(crate) fn on_witnessed(
        &mut self,
        request: RequestId,
        result: &Result<Vec<u8>, SendFailure>,
    ) -> bool {
        let shown = self.witnessing.showing.take_if(|(of, _)| *of == request);
        let Some((_, showing)) = shown else { return false };
        let answer = result.as_ref().ok().map(|bytes| decode::<LedgerAnswer>(bytes));
        let label = match answer {
            _ if showing.term != self.ledger.term() => "ended_term",
            Some(Ok(LedgerAnswer::Cosigned(line))) => self.keep_cosigned(showing, &line),
            Some(Ok(LedgerAnswer::Seen(size))) => {
                self.witnessing.seen = Some(size);
                self.witnessing.next_at = 0;
                "seen_otherwise"
            }
            Some(Ok(LedgerAnswer::Refused(refusal))) => refusal.label(),
            Some(_) => "malformed",
            None => "unanswered",
        };
        self.context.counters.count("witness", label);
        true
    }

    fn keep_cosigned(&mut self, showing: Showing, line: &str) -> &'static str {
        let Some(greeted) = self.peers.greeted(&showing.witness) else { return "unanswered" };
        let (signer, chain) = (greeted.chain.clone(), greeted.presented.to_cbor());
        let note = format!("{}{line}", showing.note);
        let entitled = signer.actions().contains(Action::Audit);
        let name = self.witness_name(signer.unit()).filter(|_| entitled);
        let at = name.and_then(|name| verify_cosignature(&note, &name, signer.key()).ok()?);
        let Some(at) = at else { return "bad_cosignature" };
        let Showing { term, size, root, .. } = showing;
        let before = self.witnessing.cosigned_before(term, size);
        let witness = signer.unit().clone();
        let row = CosignedRow { term, size, root, note, witness, at, chain, before, also: None };
        let joined = self.witnessing.joined(row.clone());
        self.context.persist(rows::placed(rows::COSIGNED, term, size), Some(to_vec(&joined)));
        let newest = rows::key(rows::META, &[rows::NEWEST_COSIGNED]);
        self.context.persist(newest, Some(to_vec(&row)));
        self.witnessing.cosigned = Some(row);
        "cosigned"
    }

    pub(crate) fn witness_name(&self, unit: &UnitPath) -> Option<WitnessName> {
        let name = dns_name(unit, self.settings.roots.domain()).ok()?;
        WitnessName::of(&name).ok()
    }

    // --- as the witness ---

    /// A subordinate shows its ledger, to have it cosigned.
    pub(crate) fn witness(&mut self, peer: NodeKey, shown: &Shown) -> LedgerAnswer {
        let (answer, label) = match self.cosigned_for(peer, shown) {
            Ok(answer @ LedgerAnswer::Cosigned(_)) => (answer, "given"),
            Ok(answer) => (answer, "shown_otherwise"),
            Err(refusal) => {
                self.note_fault(peer, refusal);
                (LedgerAnswer::Refused(refusal), refusal.label())
            }
        };
        self.context.counters.count("cosignatures", label);
        answer
    }

    fn cosigned_for(&mut self, peer: NodeKey, shown: &Shown) -> Result<LedgerAnswer, Refusal> {
        if self.superseded.is_some() {
            return Err(Refusal::NotReporting);
        }
        if self.settings.term.is_none()
            || self.short
            || self.lacks_office()
            || self.is_clock_behind()
        {
            return Err(Refusal::Busy);
        }
        if !self.settings.chain.leaf().actions().contains(Action::Audit) {
            return Err(Refusal::NoRight);
        }
        let too_long = |note: &str| note.len() > NOTE_BYTES;
        if too_long(&shown.checkpoint) || shown.before.as_deref().is_some_and(too_long) {
            return Err(Refusal::Malformed);
        }
        let signer = self.peers.greeted(&peer).ok_or(Refusal::OutOfPlace)?.chain.clone();
        let checkpoint = self.judge_checkpoint(peer, &signer, &shown.checkpoint)?;
        self.judge_growth(peer, &signer, &checkpoint, shown)
    }

    /// Whether the ledger goes on from what was cosigned last; the cosignature if it does.
    fn judge_growth(
        &mut self,
        peer: NodeKey,
        signer: &VerifiedChain,
        checkpoint: &Checkpoint,
        shown: &Shown,
    ) -> Result<LedgerAnswer, Refusal> {
        let term = signer.term().ok_or(Refusal::NoRight)?;
        let held = self.witnessing.below.get(signer.unit().leaf());
        let held = held.filter(|row| row.term == term).cloned();
        let now = self.context.now().wall;
        let (size, root, at) =
            held.map_or((0, empty_root(), None), |row| (row.size, row.root, Some(row.at)));
        let before = shown.before.as_deref().map(|note| {
            let before = self.checkpoint_of(signer, note)?;
            self.judge_ledger(peer, signer, &before, note).map(|()| before.size)
        });
        let before = before.transpose()?.unwrap_or(0);
        let unchecked = self.settings.bugs.has(Bug::CosignUnchecked);
        if before != size && checkpoint.size != size && !unchecked {
            return Ok(LedgerAnswer::Seen(size));
        }
        if at.is_some_and(|at| (0..COSIGN_MS).contains(&now.since(at))) {
            return Err(Refusal::Busy);
        }
        let proof = ConsistencyProof { hashes: shown.proof.clone() };
        let grown = verify_consistency(size, checkpoint.size, &root, &checkpoint.root, &proof);
        if grown.is_err() && !unchecked {
            return Err(Refusal::LedgerRegressed);
        }
        // Witness time never goes back.
        let at = at.map_or(now, |at| at.max(now));
        let name = self.witness_name(&self.settings.unit).ok_or(Refusal::NoRight)?;
        let line = cosign(&shown.checkpoint, &name, &self.settings.key, at);
        let line = line.map_err(|_| Refusal::Malformed)?;
        let row = WitnessedRow {
            unit: signer.unit().leaf().clone(),
            term,
            size: checkpoint.size,
            root: checkpoint.root,
            note: shown.checkpoint.clone(),
            at,
        };
        let key = rows::key(rows::WITNESSED, &[row.unit.as_str().as_bytes()]);
        self.context.persist(key, Some(to_vec(&row)));
        self.keep_head(&row.unit, term, &row.note);
        self.witnessing.restore_witnessed(row);
        Ok(LedgerAnswer::Cosigned(line))
    }

    /// A ledger has one root of each size. Whoever has signed two keeps two ledgers, and is not listened to
    /// any more in that term.
    pub(crate) fn judge_ledger(
        &mut self,
        peer: NodeKey,
        signer: &VerifiedChain,
        checkpoint: &Checkpoint,
        note: &str,
    ) -> Result<(), Refusal> {
        let term = signer.term().ok_or(Refusal::NoRight)?;
        if self.witnessing.proven.contains_key(&(signer.unit().clone(), term)) {
            return Err(Refusal::LedgerForked);
        }
        let unit = signer.unit().leaf();
        let head = self.reports.heads.get(unit).map(|it| (it.term, it.size, it.root, &it.note));
        let witnessed = self.witnessing.below.get(unit);
        let witnessed = witnessed.map(|it| (it.term, it.size, it.root, &it.note));
        let other = [head, witnessed].into_iter().flatten().find(|(of, size, root, _)| {
            *of == term && *size == checkpoint.size && *root != checkpoint.root
        });
        let Some(other) = other.map(|(_, _, _, note)| note.clone()) else { return Ok(()) };
        if self.convict(peer, signer, &other, note) {
            Err(Refusal::LedgerForked)
        } else {
            Err(Refusal::LedgerRegressed)
        }
    }

    /// Keeps the proof that a unit has two ledgers, if it is one: both notes must be signed by the key that
    /// the unit's node has now.
    fn convict(&mut self, peer: NodeKey, signer: &VerifiedChain, one: &str, other: &str) -> bool {
        let (Some(origin), Some(term)) = (self.origin_of(signer), signer.term()) else {
            return false;
        };
        let presented = self.peers.greeted(&peer).map(|greeted| &greeted.presented);
        let chain = presented.filter(|chain| chain.leaf().key() == signer.key());
        let (Some(chain), Ok(proven)) =
            (chain, Equivocation::verify(one, other, &origin, signer.key()))
        else {
            return false;
        };
        let unit = signer.unit().clone();
        let row = EquivocationRow {
            unit: unit.clone(),
            term,
            size: proven.one.size,
            one: one.to_owned(),
            other: other.to_owned(),
            chain: chain.to_cbor(),
            found_at: self.context.now().wall,
        };
        let (path, number) = (unit.to_string(), term.to_be_bytes());
        let key = rows::key(rows::EQUIVOCATION, &[path.as_bytes(), b"/", &number]);
        self.context.persist(key, Some(to_vec(&row)));
        self.witnessing.restore_equivocation(row);
        self.context.counters.count("equivocations", "proven");
        true
    }
}

/// The nodes that the root of a size, and the proof that a later one goes on from it, are made of.
fn nodes_between(from: u64, to: u64) -> Vec<NodeAddress> {
    nodes_for(|tree| {
        let _ = Frontier::load(tree, from);
        let _ = consistency_proof(tree, from, to);
    })
}
