//! Auditors in the simulator: two of them come by themselves, at any moment, read a ledger to its end, hold
//! it against what they saw before and against what the other saw, and cosign it. A hostile unit tells the
//! second of them another story than the first.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reeve_policy::authz::Role;
use reeve_protocol::effect::{AskId, NodeKey};
use reeve_protocol::local::{Answer, Cosignature, Failure, Question};
use reeve_protocol::refusal::Refusal;
use reeve_protocol::rows::{self, CosignedRow};
use reeve_protocol::tiles::{TILE, Tile, TileOf};
use reeve_statement::cbor::from_slice;
use reeve_statement::cert::dns_name;
use reeve_statement::digest::Digest;
use reeve_statement::key::SecretKey;
use reeve_statement::ledger::checkpoint::Checkpoint;
use reeve_statement::ledger::cosignature::{WitnessName, cosign};
use reeve_statement::ledger::equivocation::Equivocation;
use reeve_statement::ledger::{Frontier, leaf_hash};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use crate::check::entries_of;
use crate::invariants::Found;
use crate::registry::{NOON, node_key};
use crate::sim::Sim;

/// How many auditors there are.
const AUDITORS: usize = 2;

/// Bytes of an entry in a tile: its length in two, and a digest.
const ENTRY_BYTES: usize = 34;

/// The place in its ledger of what a hostile unit drops from the story that it tells the second auditor.
const DROPPED: usize = 1;

/// How long a visit takes at the most when nothing is wrong, in milliseconds.
const VISIT_MS: u64 = 2_000;

/// What one auditor has read of one ledger.
#[derive(Debug, Clone, Default)]
struct Story {
    /// The last checkpoint that all of it agreed with.
    note: String,
    entries: Vec<Digest>,
}

impl Story {
    fn size(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap()
    }

    fn root(&self, size: u64) -> Digest {
        root_of(&self.entries[..usize::try_from(size).unwrap()])
    }
}

fn root_of(entries: &[Digest]) -> Digest {
    let mut tree = Frontier::new();
    for entry in entries {
        tree.append(leaf_hash(entry.as_bytes())).unwrap();
    }
    tree.root()
}

/// What a visit waits for.
#[derive(Debug)]
enum Step {
    Head,
    Entries,
    /// The checkpoint of the size that another note has, which says something else.
    Earlier(String),
    /// That the cosignature is taken.
    Taken,
}

#[derive(Debug)]
struct Visit {
    by: usize,
    step: Step,
    term: u64,
    /// What is read, with what was read before.
    story: Story,
    head: Option<Checkpoint>,
}

/// What the auditors know.
#[derive(Debug, Default)]
pub(crate) struct Auditing {
    open: BTreeMap<AskId, Visit>,
    /// By auditor and ledger.
    stories: BTreeMap<(usize, String), Story>,
    /// Ledgers of which there are two, provably.
    proven: BTreeSet<String>,
    /// How often two auditors compared what they were told of a ledger that tells them two stories.
    exchanges: BTreeMap<String, u32>,
    /// Visits that came to their end since it was last asked: by whom, and where.
    ended: BTreeSet<(usize, NodeKey)>,
}

/// An honest unit tells every auditor one story, which only grows: what an auditor reads agrees with what
/// was signed.
pub(crate) fn invariant_an_auditor_reads_one_story(honest: bool, agrees: bool, of: &str) -> Found {
    if honest && !agrees {
        return Err(format!("{of}: what an auditor reads is not what it or another was shown"));
    }
    Ok(())
}

/// Whoever tells two auditors two stories is proven to once they have compared them twice; nobody else is.
pub(crate) fn invariant_two_stories_are_proven(
    (honest, proven): (bool, bool),
    exchanges: u32,
    of: &str,
) -> Found {
    match (honest, proven) {
        (true, true) => Err(format!("{of} is honest, and two ledgers are proven")),
        (false, false) if exchanges >= 2 => {
            Err(format!("{of}: two stories are not proven after {exchanges} exchanges"))
        }
        _ => Ok(()),
    }
}

/// What is refused to an auditor that did everything right is refused for a reason that passes.
pub(crate) fn invariant_a_cosignature_is_taken(failure: &Failure) -> Found {
    let wrong = match failure {
        Failure::Refused(refusal) => matches!(
            refusal,
            Refusal::Malformed
                | Refusal::OverLimit
                | Refusal::BadSignature
                | Refusal::NoRight
                | Refusal::LedgerForked
        ),
        Failure::Damaged(_) => true,
        _ => false,
    };
    if wrong { Err(format!("a cosignature is refused: {failure}")) } else { Ok(()) }
}

/// What an auditor was told is kept is durable.
pub(crate) fn invariant_taken_cosignatures_are_durable(
    durable: bool,
    of: &str,
    size: u64,
) -> Found {
    if durable { Ok(()) } else { Err(format!("{of}: the cosignature of {size} entries is lost")) }
}

fn unit_of(auditor: usize) -> UnitPath {
    format!("top/court-{auditor}").parse().unwrap()
}

impl Sim {
    /// An auditor begins to read somebody's ledger. What is drawn is drawn apart, so that nothing else that
    /// the seed draws changes by it.
    pub(crate) fn audit_something(&mut self) {
        let seed = self.plan.seed ^ 0xa0d1_7025 ^ self.now.rotate_left(32);
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        if random.random_range(0..1_000) >= self.plan.faults.auditors {
            return;
        }
        for by in 0..AUDITORS {
            let unit = self.plan.units[random.random_range(0..self.plan.units.len())].clone();
            self.begin_visit(by, self.reporter(&unit));
        }
    }

    fn begin_visit(&mut self, by: usize, at: NodeKey) {
        let Some(term) = self.places.get(&at).and_then(|place| place.term) else { return };
        let story = Story::default();
        let visit = Visit { by, step: Step::Head, term, story, head: None };
        self.ask_for(at, visit, Question::Checkpoint);
    }

    fn ask_for(&mut self, at: NodeKey, visit: Visit, what: Question) {
        let ask = self.send_ask(at, Role::Auditor, what);
        self.auditing.open.insert(ask, visit);
    }

    /// Takes an answer that an auditor waits for; gives any other back.
    pub(crate) fn answer_auditor(
        &mut self,
        from: NodeKey,
        ask: AskId,
        answer: Answer,
    ) -> Option<Answer> {
        let Some(mut visit) = self.auditing.open.remove(&ask) else { return Some(answer) };
        let answer = self.as_told(from, &visit, answer);
        match (core::mem::replace(&mut visit.step, Step::Head), answer) {
            (Step::Head, Answer::Checkpoint(note)) => self.read_head(from, visit, note),
            (Step::Entries, Answer::Tile(Some(bytes))) => self.read_tile(from, visit, &bytes),
            (Step::Earlier(other), Answer::Checkpoint(note)) => {
                self.prove(from, &visit, &note, &other);
            }
            (Step::Taken, Answer::Done) => self.observe_taken(from, &visit),
            (Step::Taken, Answer::Failed(failure)) if self.is_honest_at(from) => {
                let found = invariant_a_cosignature_is_taken(&failure);
                self.violated("a_cosignature_is_taken", found);
            }
            // Not now; the next visit begins again.
            _ => {}
        }
        None
    }

    fn is_honest_at(&self, at: NodeKey) -> bool {
        !self.plan.hostile.contains(&self.places[&at].unit)
    }

    fn signer_at(&self, at: NodeKey) -> SecretKey {
        let place = &self.places[&at];
        node_key(self.registry.origin(&place.unit), &place.label)
    }

    fn read_head(&mut self, at: NodeKey, mut visit: Visit, note: String) {
        let ledger = self.ledger_of(&self.places[&at].unit, visit.term);
        let origin = Checkpoint::parse_unverified(&note).unwrap().origin;
        if origin.as_str() != ledger || self.auditing.proven.contains(&ledger) {
            // Another term has begun since.
            return;
        }
        let signed = Checkpoint::verify(&note, &origin, &self.signer_at(at).public());
        let found = signed.as_ref().map(drop).map_err(|error| format!("{ledger}: {error}"));
        self.violated("a_checkpoint_is_signed", found);
        let Ok(head) = signed else { return };
        if head.size == 0 {
            // There is nothing to cosign yet.
            self.auditing.ended.insert((visit.by, at));
            return;
        }
        let known = self.auditing.stories.get(&(visit.by, ledger.clone())).cloned();
        let known = known.unwrap_or_default();
        if head.size <= known.size() {
            // As before, or an old copy of it.
            let agrees = known.root(head.size) == head.root;
            self.one_story(at, agrees, &ledger);
            if agrees && head.size == known.size() {
                visit.story = known;
                self.compare(at, visit, head);
            }
            return;
        }
        visit.story = Story { note, entries: known.entries };
        visit.head = Some(head);
        self.read_on(at, visit);
    }

    fn one_story(&mut self, at: NodeKey, agrees: bool, ledger: &str) {
        let found = invariant_an_auditor_reads_one_story(self.is_honest_at(at), agrees, ledger);
        self.violated("an_auditor_reads_one_story", found);
    }

    /// Asks for the tile with the next entry.
    fn read_on(&mut self, at: NodeKey, mut visit: Visit) {
        let size = visit.head.as_ref().unwrap().size;
        let index = visit.story.size() / TILE;
        let width = u16::try_from((size - index * TILE).min(TILE)).unwrap();
        visit.step = Step::Entries;
        let tile = Tile { term: visit.term, of: TileOf::Entries, index, width };
        self.ask_for(at, visit, Question::Tile(tile));
    }

    fn read_tile(&mut self, at: NodeKey, mut visit: Visit, bytes: &[u8]) {
        let ledger = self.ledger_of(&self.places[&at].unit, visit.term);
        let shown = bytes
            .chunks(ENTRY_BYTES)
            .map(|entry| Digest::from_bytes(entry[ENTRY_BYTES - 32..].try_into().unwrap()));
        let shown: Vec<Digest> = shown.collect();
        let first = visit.story.size() / TILE * TILE;
        let known = visit.story.entries.split_off(usize::try_from(first).unwrap());
        let agrees = shown.starts_with(&known);
        self.one_story(at, agrees, &ledger);
        if !agrees {
            return;
        }
        visit.story.entries.extend(shown);
        let head = visit.head.clone().unwrap();
        if visit.story.size() < head.size {
            return self.read_on(at, visit);
        }
        let agrees = visit.story.root(head.size) == head.root;
        self.one_story(at, agrees, &ledger);
        if agrees {
            self.compare(at, visit, head);
        }
    }

    /// Holds what was read against what the other auditor saw; then keeps it, and cosigns.
    fn compare(&mut self, at: NodeKey, mut visit: Visit, head: Checkpoint) {
        let ledger = head.origin.as_str().to_owned();
        let other = self.auditing.stories.get(&(1 - visit.by, ledger.clone()));
        let other = other.filter(|other| other.size() <= head.size).cloned();
        if let Some(other) = other {
            let agrees = visit.story.root(other.size()) == other.root(other.size());
            self.one_story(at, agrees, &ledger);
            if !agrees {
                *self.auditing.exchanges.entry(ledger).or_default() += 1;
                visit.step = Step::Earlier(other.note.clone());
                return self.ask_for(at, visit, Question::CheckpointAt(other.size()));
            }
        }
        self.auditing.stories.insert((visit.by, ledger), visit.story.clone());
        let unit = unit_of(visit.by);
        let name = dns_name(&unit, self.registry.roots.domain()).unwrap();
        let name = WitnessName::of(&name).unwrap();
        let at_time = Timestamp::from_millis(NOON + i64::try_from(self.now).unwrap());
        let checkpoint = visit.story.note.clone();
        let line = cosign(&checkpoint, &name, &self.registry.auditor_key(&unit), at_time).unwrap();
        let chain = self.registry.auditor(&unit);
        visit.step = Step::Taken;
        visit.head = Some(head);
        let given = Box::new(Cosignature { checkpoint, line, chain });
        self.ask_for(at, visit, Question::TakeCosignature(given));
    }

    /// Two checkpoints of one size, of which the auditors hold one each.
    fn prove(&mut self, at: NodeKey, visit: &Visit, note: &str, other: &str) {
        let ledger = self.ledger_of(&self.places[&at].unit, visit.term);
        let origin = Checkpoint::parse_unverified(other).unwrap().origin;
        let key = self.signer_at(at).public();
        let proven = Equivocation::verify(note, other, &origin, &key).is_ok();
        if proven {
            self.auditing.proven.insert(ledger.clone());
        }
        let exchanges = self.auditing.exchanges.get(&ledger).copied().unwrap_or(0);
        let honest = self.is_honest_at(at);
        let found = invariant_two_stories_are_proven((honest, proven), exchanges, &ledger);
        self.violated("two_stories_are_proven", found);
    }

    fn observe_taken(&mut self, at: NodeKey, visit: &Visit) {
        let head = visit.head.as_ref().unwrap();
        let name = dns_name(&unit_of(visit.by), self.registry.roots.domain()).unwrap();
        let row = rows::placed(rows::COSIGNED, visit.term, head.size);
        let row = self.disks[&at].rows.get(&row);
        let durable = row.is_some_and(|row| {
            let row: CosignedRow = from_slice("row", row, row.len()).unwrap();
            row.root == head.root && row.note.contains(&name)
        });
        let of = head.origin.as_str();
        let found = invariant_taken_cosignatures_are_durable(durable, of, head.size);
        self.violated("taken_cosignatures_are_durable", found);
        self.auditing.ended.insert((visit.by, at));
    }

    /// What a hostile unit makes of an answer to the second auditor: another ledger, without one entry.
    fn as_told(&self, at: NodeKey, visit: &Visit, answer: Answer) -> Answer {
        let place = &self.places[&at];
        if visit.by == 0 || self.is_honest_at(at) || place.term != Some(visit.term) {
            return answer;
        }
        let entries = entries_of(&self.disks[&at], visit.term);
        let mut entries: Vec<Digest> = entries.into_values().collect();
        if entries.len() <= DROPPED {
            return answer;
        }
        entries[DROPPED] = Digest::of(entries[DROPPED].as_bytes());
        match answer {
            Answer::Checkpoint(note) => {
                let mut head = Checkpoint::parse_unverified(&note).unwrap();
                let told = entries.get(..usize::try_from(head.size).unwrap());
                // A copy of its store has fewer: it tells this one nothing.
                let Some(told) = told else { return Answer::Tile(None) };
                head.root = root_of(told);
                Answer::Checkpoint(head.sign(&self.signer_at(at)))
            }
            Answer::Tile(Some(mut bytes)) if visit.story.size() < TILE => {
                let place = DROPPED * ENTRY_BYTES..(DROPPED + 1) * ENTRY_BYTES;
                if let Some(entry) = bytes.get_mut(place) {
                    entry[ENTRY_BYTES - 32..].copy_from_slice(entries[DROPPED].as_bytes());
                }
                Answer::Tile(Some(bytes))
            }
            other => other,
        }
    }

    /// In quiet every auditor reads every sound ledger to its end, and is listened to.
    pub(crate) fn audit_everything(&mut self) {
        if self.plan.faults.auditors == 0 {
            return;
        }
        self.auditing.ended.clear();
        let mut visited = Vec::new();
        for unit in self.plan.units.clone() {
            let at = self.reporter(&unit);
            if self.is_sound_up(&unit) && self.is_up(at) {
                for by in 0..AUDITORS {
                    self.begin_visit(by, at);
                    visited.push((by, at, unit.clone()));
                }
            }
        }
        self.run_until(self.now + VISIT_MS);
        let missed = visited.iter().find(|(by, at, _)| !self.auditing.ended.contains(&(*by, *at)));
        if let (Some((by, _, unit)), None) = (missed, &self.violation) {
            let what = format!("auditor {by} is not listened to at {unit}");
            self.violated("auditors_are_listened_to", Err(what));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The invariants can fail.
    #[test]
    fn what_is_wrong_with_an_audit_is_found() {
        assert!(invariant_an_auditor_reads_one_story(true, false, "a").is_err());
        assert!(invariant_an_auditor_reads_one_story(false, false, "a").is_ok());
        assert!(invariant_two_stories_are_proven((true, true), 1, "a").is_err());
        assert!(invariant_two_stories_are_proven((false, false), 2, "a").is_err());
        assert!(invariant_two_stories_are_proven((false, false), 1, "a").is_ok());
        let forked = Failure::Refused(Refusal::LedgerForked);
        assert!(invariant_a_cosignature_is_taken(&forked).is_err());
        assert!(invariant_a_cosignature_is_taken(&Failure::Refused(Refusal::Busy)).is_ok());
        assert!(invariant_taken_cosignatures_are_durable(false, "a", 1).is_err());
    }
}
