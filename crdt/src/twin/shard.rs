//! A shard: up to about a thousand records of one kind, as its changes made them.
//!
//! [`Shard::write`] (in [`super::write`]) makes changes, [`Shard::apply`] takes those of other nodes,
//! [`Shard::cut_off`] drops what a forked writer did. Each reports what it did to which record. All
//! of them are bounded work on plain data that can move to a worker thread; none does anything else.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use reeve_statement::digest::Digest;

use super::actor::ActorId;
use super::change::{Body, SignedChange, VerifiedChange};
use super::directory::WriterDirectory;
use super::fork::VerifiedFork;
use super::history::{Clock, History, Past, Place};
use super::layout::{SEPARATOR, split};
use super::register::{Register, Version};
use super::{HomeId, MAX_ACTORS, ShardId, automerge};
use crate::record::{Fact, Record, RecordId, Value};
use crate::schema::{Kind, Merge};

/// Some records of one kind, as the changes applied so far made them.
#[derive(Clone)]
pub struct Shard {
    pub(super) kind: Arc<Kind>,
    pub(super) home: HomeId,
    pub(super) id: ShardId,
    pub(super) history: History,
    pub(super) registers: BTreeMap<Box<str>, Register>,
}

/// What applying a change did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// The change is new: log it. What it did to which record; nothing if it only lost against
    /// concurrent ones.
    New(Vec<Fact>),
    /// The change is new and does not count; log it all the same, because others may depend on it.
    Absorbed,
    /// The shard had it already.
    Known,
}

/// Why a change cannot be applied. The shard is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// A change of another shard; the caller's fault.
    #[error("expected a change of shard {expected}, found one of {found}")]
    OtherShard {
        /// This shard.
        expected: ShardId,
        /// The change's.
        found: ShardId,
    },
    /// It depends on changes that are not here yet: ask for them, then try again. Nobody's fault
    /// unless it stays so.
    #[error("{} changes that it depends on are not here yet", .0.len())]
    Missing(Vec<Digest>),
    /// The writer signed two changes with one sequence number. With the one that is here, which the
    /// log has at this actor and number, this makes a [`super::ForkProof`].
    #[error("writer {} signed two different changes {} of {}", .offered.actor().writer, .offered.seq(), .offered.shard())]
    Fork {
        /// The hash of the change that is here.
        held: Digest,
        /// The other one.
        offered: Box<SignedChange>,
    },
    /// The writer forked before, and is cut off from this number on. See [`Shard::absorb`].
    #[error("actor {actor} forked at change {from} of this shard and is cut off from there on")]
    CutOff {
        /// The actor.
        actor: ActorId,
        /// The first number that does not count.
        from: u64,
    },
    /// A change that does not follow its own predecessor, or whose counter does not follow from
    /// what it depends on. The writer is at fault.
    #[error("actor {actor}: expected {what} {expected}, found {found}")]
    Order {
        /// The actor.
        actor: ActorId,
        /// What is out of order.
        what: &'static str,
        /// What follows.
        expected: u64,
        /// What the change states.
        found: u64,
    },
    /// The automerge change that it describes has another hash than the signed one. The writer is
    /// at fault, or runs another version.
    #[error("actor {actor}, change {seq}: its content does not have the hash that was signed")]
    Hash {
        /// The actor.
        actor: ActorId,
        /// The change's number.
        seq: u64,
    },
    /// More actors than a home can have.
    #[error("expected at most {MAX_ACTORS} actors in a shard; a writer makes up incarnations")]
    TooManyActors,
}

/// Why a forked writer could not be cut off. The shard is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CutError {
    /// The fork was in another shard; the caller's fault.
    #[error("expected a fork in shard {expected}, found one in {found}")]
    OtherShard {
        /// This shard.
        expected: ShardId,
        /// The fork's.
        found: ShardId,
    },
    /// The log does not hold everything that the shard does.
    #[error("the log lacks {} changes that others depend on; verify the store", .0.len())]
    IncompleteLog(BTreeSet<Digest>),
    /// A change of the log does not apply any more.
    #[error("a change of the log does not apply: {0}; verify the store")]
    Log(ApplyError),
}

impl Shard {
    /// A shard without records. Every node of the home starts from the same.
    #[must_use]
    pub fn new(home: HomeId, kind: Arc<Kind>, index: u32, epoch: u32) -> Self {
        let id = ShardId { kind: kind.id.clone(), index, epoch };
        let genesis = automerge::hash_of(&automerge::genesis(&home, &id, kind.shards));
        Self { kind, home, id, history: History::new(genesis), registers: BTreeMap::new() }
    }

    /// Which shard it is.
    #[must_use]
    pub fn id(&self) -> &ShardId {
        &self.id
    }

    /// The kind of its records.
    #[must_use]
    pub fn kind(&self) -> &Arc<Kind> {
        &self.kind
    }

    /// A record; `None` if there is none of this id.
    #[must_use]
    pub fn get(&self, id: &RecordId) -> Option<Record> {
        let exists = self.registers.get(id.as_str())?;
        match self.kind.merge {
            Merge::Record => self.decode(exists),
            Merge::Field => Some(self.fields_of(id)),
        }
    }

    /// All records, by id.
    pub fn iter(&self) -> impl Iterator<Item = (RecordId, Record)> {
        let records = self.registers.iter().filter(|(key, _)| split(key).1.is_none());
        records.filter_map(|(key, register)| {
            let id = RecordId::new(key).ok()?;
            let record = match self.kind.merge {
                Merge::Record => self.decode(register)?,
                Merge::Field => self.fields_of(&id),
            };
            Some((id, record))
        })
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.kind.merge {
            Merge::Record => self.registers.len(),
            Merge::Field => self.registers.keys().filter(|key| split(key).1.is_none()).count(),
        }
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Which changes are here: per actor, how many. A peer that has more of one sends the rest.
    #[must_use]
    pub fn version_vector(&self) -> BTreeMap<ActorId, u64> {
        let lines = self.history.lines().iter();
        lines.map(|line| (line.actor, self.history.count(&line.actor))).collect()
    }

    /// The changes that nothing here depends on, or the genesis. Equal heads mean equal records.
    #[must_use]
    pub fn heads(&self) -> &BTreeSet<Digest> {
        self.history.heads()
    }

    /// Where the log keeps the change of this hash: its actor and sequence number.
    #[must_use]
    pub fn locate(&self, hash: &Digest) -> Option<(ActorId, u64)> {
        let (actor, seq) = self.history.place(hash)?;
        Some((*self.history.actor(actor)?, u64::from(seq)))
    }

    /// The actors that are cut off, each with the first number that does not count.
    #[must_use]
    pub fn cuts(&self) -> &BTreeMap<ActorId, u64> {
        self.history.cuts()
    }

    /// Applies a change of another node, or of the log. Builds the automerge change itself and
    /// compares the signed hash.
    ///
    /// # Errors
    /// [`ApplyError`]; the shard is then as it was.
    pub fn apply(&mut self, change: &VerifiedChange) -> Result<Applied, ApplyError> {
        let body = change.body();
        let (actor, seq, hash) = (body.head.actor.id(), body.head.seq, body.head.hash);
        self.check_shard(body)?;
        match self.history.at(&actor, seq) {
            Some(held) if held == hash => return Ok(Applied::Known),
            Some(held) => {
                let offered = Box::new(change.signed().clone());
                return Err(ApplyError::Fork { held, offered });
            }
            None => {}
        }
        if self.history.is_cut(&actor, seq) {
            let from = self.history.cuts().get(&actor).copied().unwrap_or(seq);
            return Err(ApplyError::CutOff { actor, from });
        }
        let past = self.history.past(&body.deps).map_err(ApplyError::Missing)?;
        self.check_follows(body, &past)?;
        check_hash(body)?;
        Ok(Applied::New(self.integrate(body, past)))
    }

    /// Applies a change, or absorbs it if it does not count: beyond a cut, or made after its writer was
    /// struck off, which cuts its actor off from there on.
    ///
    /// # Errors
    /// [`ApplyError`]; the shard's records are then as they were.
    pub fn settle(
        &mut self,
        change: &VerifiedChange,
        writers: &WriterDirectory,
    ) -> Result<Applied, ApplyError> {
        let (actor, seq) = (change.body().head.actor.id(), change.body().head.seq);
        let held = self.history.at(&actor, seq).is_some();
        if !held && writers.is_struck(change) {
            self.check_shard(change.body())?;
            self.history.cut(actor, seq);
        }
        match self.apply(change) {
            Err(ApplyError::CutOff { .. }) => {
                let news = self.absorb(change)?;
                Ok(if news { Applied::Absorbed } else { Applied::Known })
            }
            done => done,
        }
    }

    /// Keeps the name and past of a change beyond its writer's cut, so that changes of others that
    /// depend on it apply; its operations do not count. Whether it was not kept already. Fetch it by
    /// hash when one of those is [`ApplyError::Missing`] it.
    ///
    /// # Errors
    /// [`ApplyError`]: it depends on unknown changes, is altered, or its actor is not cut off there.
    pub fn absorb(&mut self, change: &VerifiedChange) -> Result<bool, ApplyError> {
        let body = change.body();
        let (actor, seq) = (body.head.actor.id(), body.head.seq);
        self.check_shard(body)?;
        if !self.history.is_cut(&actor, seq) {
            let expected = self.history.count(&actor).saturating_add(1);
            return Err(ApplyError::Order {
                actor,
                what: "a change beyond a cut",
                expected,
                found: seq,
            });
        }
        if self.history.knows(&body.head.hash) {
            return Ok(false);
        }
        let mut past = self.history.past(&body.deps).map_err(ApplyError::Missing)?;
        check_hash(body)?;
        past.last_op = u32::try_from(body.last_op()).unwrap_or(u32::MAX);
        self.history.absorb(body.head.hash, past);
        Ok(true)
    }

    /// Whether the change of this hash is here: applied, or absorbed.
    #[must_use]
    pub fn knows(&self, hash: &Digest) -> bool {
        self.history.knows(hash)
    }

    /// Drops everything that a forked writer did from the fork on, by building the shard again from
    /// its log; changes of others stand. The log includes what was [`Shard::absorb`]ed before, and
    /// keeps what is cut off now: changes of others may depend on it.
    ///
    /// # Errors
    /// [`CutError`] if the log is not that of this shard; the shard is then as it was.
    pub fn cut_off(
        &mut self,
        fork: &VerifiedFork,
        log: &[VerifiedChange],
    ) -> Result<Vec<Fact>, CutError> {
        if *fork.shard() != self.id {
            let (expected, found) = (self.id.clone(), fork.shard().clone());
            return Err(CutError::OtherShard { expected, found });
        }
        let mut cuts = self.history.cuts().clone();
        let from = cuts.entry(fork.actor()).or_insert(fork.seq());
        *from = fork.seq().min(*from);
        self.recut(&cuts, log, fork.changes())
    }

    /// Builds the shard again from its log, with these cuts and no others: each actor's changes from a
    /// number on do not count. Of `others`, which need not be in the log (the two changes of a fork),
    /// those are kept whose past is here.
    ///
    /// # Errors
    /// [`CutError`] if the log is not that of this shard; the shard is then as it was.
    pub fn recut(
        &mut self,
        cuts: &BTreeMap<ActorId, u64>,
        log: &[VerifiedChange],
        others: &[VerifiedChange],
    ) -> Result<Vec<Fact>, CutError> {
        let mut rebuilt =
            Self::new(self.home, Arc::clone(&self.kind), self.id.index, self.id.epoch);
        for (actor, from) in cuts {
            rebuilt.history.cut(*actor, *from);
        }
        rebuilt.replay(log.iter())?;
        let mut others: Vec<&VerifiedChange> = others.iter().collect();
        others.sort_by_key(|change| change.body().start_op);
        for change in others {
            match rebuilt.absorb(change) {
                // What it depends on has not come yet; then it comes from wherever that does.
                Ok(_) | Err(ApplyError::Missing(_)) => {}
                Err(error) => return Err(CutError::Log(error)),
            }
        }
        let facts = self.difference(&rebuilt);
        *self = rebuilt;
        Ok(facts)
    }

    /// Applies a log in whatever order it comes, absorbing what is cut off.
    fn replay<'c>(
        &mut self,
        log: impl Iterator<Item = &'c VerifiedChange>,
    ) -> Result<(), CutError> {
        let mut log: Vec<&VerifiedChange> = log.collect();
        // A change has a greater counter than everything it depends on.
        log.sort_by_key(|change| change.body().start_op);
        for change in log {
            let done = match self.apply(change) {
                Err(ApplyError::CutOff { .. }) => self.absorb(change).map(|_| ()),
                done => done.map(|_| ()),
            };
            match done {
                Ok(()) => {}
                Err(ApplyError::Missing(missing)) => {
                    return Err(CutError::IncompleteLog(missing.into_iter().collect()));
                }
                Err(error) => return Err(CutError::Log(error)),
            }
        }
        Ok(())
    }

    /// What changes for readers when `self` becomes `other`.
    fn difference(&self, other: &Self) -> Vec<Fact> {
        let ids: BTreeSet<RecordId> = self.iter().chain(other.iter()).map(|(id, _)| id).collect();
        let facts = ids.into_iter().map(|id| {
            let (before, after) = (self.get(&id), other.get(&id));
            Fact { kind: self.kind.id.clone(), id, before, after }
        });
        facts.filter(|fact| fact.before != fact.after).collect()
    }

    fn check_shard(&self, body: &Body) -> Result<(), ApplyError> {
        if body.head.shard == self.id {
            return Ok(());
        }
        let (expected, found) = (self.id.clone(), body.head.shard.clone());
        Err(ApplyError::OtherShard { expected, found })
    }

    /// A change follows its actor's previous one and has the next counter. Both are functions of the
    /// change and its past alone, so every node decides alike.
    fn check_follows(&self, body: &Body, past: &Past) -> Result<(), ApplyError> {
        let actor = body.head.actor.id();
        if !self.history.has_room_for(&actor) {
            return Err(ApplyError::TooManyActors);
        }
        let own = self.history.number(&actor).map_or(0, |number| past.clock.of(number));
        let order = |what, expected: u64, found| ApplyError::Order { actor, what, expected, found };
        let expected = u64::from(own).saturating_add(1);
        if body.head.seq != expected {
            return Err(order("sequence number", expected, body.head.seq));
        }
        let expected = u64::from(past.last_op).saturating_add(1);
        if body.start_op != expected {
            return Err(order("counter", expected, body.start_op));
        }
        Ok(())
    }

    /// Takes a checked change in, record by record.
    fn integrate(&mut self, body: &Body, past: Past) -> Vec<Fact> {
        let clock = past.clock.clone();
        let place = self.enter(body, past);
        let mut counter = u32::try_from(body.start_op).unwrap_or(u32::MAX);
        let mut facts = Vec::new();
        for group in body.ops.chunk_by(|a, b| split(&a.key).0 == split(&b.key).0) {
            let Some(id) = group.first().and_then(|op| RecordId::new(split(&op.key).0).ok()) else {
                continue;
            };
            let before = self.get(&id);
            for op in group {
                self.replace(op.key.clone(), op.value.clone(), &clock, place, counter);
                counter = counter.saturating_add(1);
            }
            let after = self.get(&id);
            if before != after {
                facts.push(Fact { kind: self.kind.id.clone(), id, before, after });
            }
        }
        facts
    }

    /// Enters a change into the history.
    pub(super) fn enter(&mut self, body: &Body, mut past: Past) -> Place {
        past.last_op = u32::try_from(body.last_op()).unwrap_or(u32::MAX);
        self.history.add(body.head.actor.id(), body.head.hash, &body.deps, past)
    }

    /// Lets one operation replace what its past holds of a key.
    pub(super) fn replace(
        &mut self,
        key: Box<str>,
        value: Option<Box<[u8]>>,
        past: &Clock,
        (actor, seq): Place,
        counter: u32,
    ) {
        let put = value.map(|value| Version { counter, actor, seq, value });
        match self.registers.entry(key) {
            Entry::Vacant(vacant) => {
                put.map(|put| vacant.insert(Register::One(put)));
            }
            Entry::Occupied(mut held) => {
                let register = std::mem::replace(held.get_mut(), Register::Several(Vec::new()));
                match register.replaced(past, put) {
                    Some(register) => *held.get_mut() = register,
                    None => drop(held.remove()),
                }
            }
        }
    }

    /// The value of a record's only key. Values were held against the kind before they came here.
    fn decode(&self, register: &Register) -> Option<Record> {
        let record = Record::from_own_cbor(&self.kind, register.value(&self.history));
        debug_assert!(record.is_ok(), "a record that was valid does not decode");
        record.ok()
    }

    /// The fields of a record, each from its own key.
    fn fields_of(&self, id: &RecordId) -> Record {
        self.field_registers(id)
            .filter_map(|(field, register)| {
                let field = self.kind.field(field)?;
                let value = register.value(&self.history);
                let value = Value::from_cbor(&field.field_type, value).ok()?;
                Some((field.id.clone(), value))
            })
            .collect()
    }

    /// The keys of a record's fields, by field name.
    pub(super) fn field_registers(&self, id: &RecordId) -> impl Iterator<Item = (&str, &Register)> {
        let first = format!("{}{SEPARATOR}", id.as_str());
        let range = (Bound::Included(first.as_str()), Bound::Unbounded);
        let prefix = first.clone();
        let after = self.registers.range::<str, _>(range);
        after.map_while(move |(key, register)| Some((key.strip_prefix(prefix.as_str())?, register)))
    }
}

/// Which shard and how many records; never a record.
impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shard({}, {} records, redacted)", self.id, self.len())
    }
}

fn check_hash(body: &Body) -> Result<(), ApplyError> {
    if automerge::hash_of(&automerge::change(body)) == body.head.hash {
        return Ok(());
    }
    Err(ApplyError::Hash { actor: body.head.actor.id(), seq: body.head.seq })
}
