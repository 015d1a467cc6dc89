//! Which changes a shard holds and what each of them had seen: the causal order of a shard.
//!
//! A *clock* says, per actor, how many of its changes lie in a change's past; clocks are short
//! because a home has few actors. Nothing here knows keys or values.

use std::collections::{BTreeMap, BTreeSet};

use reeve_statement::digest::Digest;

use super::MAX_ACTORS;
use super::actor::ActorId;

/// How many changes of each actor (by its number in this shard) lie in the past.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Clock(Vec<u32>);

impl Clock {
    pub(super) fn of(&self, actor: u32) -> u32 {
        usize::try_from(actor).ok().and_then(|actor| self.0.get(actor)).copied().unwrap_or(0)
    }

    fn raise(&mut self, actor: u32, seq: u32) {
        let Ok(actor) = usize::try_from(actor) else { return };
        if self.0.len() <= actor {
            self.0.resize(actor.saturating_add(1), 0);
        }
        if let Some(entry) = self.0.get_mut(actor) {
            *entry = seq.max(*entry);
        }
    }

    fn include(&mut self, other: &Self) {
        for (actor, seq) in (0..).zip(&other.0) {
            self.raise(actor, *seq);
        }
    }

    pub(super) fn entries(&self) -> &[u32] {
        &self.0
    }

    pub(super) fn from_entries(entries: Vec<u32>) -> Self {
        Self(entries)
    }
}

/// What a change had seen, and the greatest counter in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Past {
    pub(super) clock: Clock,
    pub(super) last_op: u32,
}

/// One change: its name, its last counter, and its past with itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) hash: Digest,
    pub(super) past: Past,
}

/// The changes of one actor, by sequence number from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) actor: ActorId,
    pub(super) entries: Vec<Entry>,
}

/// A place in the order: an actor's number in this shard, and a sequence number.
pub(super) type Place = (u32, u32);

/// The causal order of a shard's changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct History {
    genesis: Digest,
    lines: Vec<Line>,
    numbers: BTreeMap<ActorId, u32>,
    places: BTreeMap<Digest, Place>,
    heads: BTreeSet<Digest>,
    /// From which sequence number on an actor's changes do not count, because it forked there.
    cuts: BTreeMap<ActorId, u64>,
    /// Changes beyond a cut, kept so that changes which depend on them have a past.
    absorbed: BTreeMap<Digest, Past>,
}

impl History {
    pub(super) fn new(genesis: Digest) -> Self {
        Self {
            genesis,
            lines: Vec::new(),
            numbers: BTreeMap::new(),
            places: BTreeMap::new(),
            heads: BTreeSet::from([genesis]),
            cuts: BTreeMap::new(),
            absorbed: BTreeMap::new(),
        }
    }

    pub(super) fn genesis(&self) -> Digest {
        self.genesis
    }

    pub(super) fn heads(&self) -> &BTreeSet<Digest> {
        &self.heads
    }

    pub(super) fn lines(&self) -> &[Line] {
        &self.lines
    }

    pub(super) fn cuts(&self) -> &BTreeMap<ActorId, u64> {
        &self.cuts
    }

    pub(super) fn absorbed(&self) -> &BTreeMap<Digest, Past> {
        &self.absorbed
    }

    /// An actor by its number.
    pub(super) fn actor(&self, number: u32) -> Option<&ActorId> {
        usize::try_from(number).ok().and_then(|n| self.lines.get(n)).map(|line| &line.actor)
    }

    /// An actor's number; `None` if it wrote nothing here.
    pub(super) fn number(&self, actor: &ActorId) -> Option<u32> {
        self.numbers.get(actor).copied()
    }

    /// How many changes of an actor are here.
    pub(super) fn count(&self, actor: &ActorId) -> u64 {
        self.line(actor).map_or(0, |line| u64::try_from(line.entries.len()).unwrap_or(u64::MAX))
    }

    /// The hash of an actor's change of this number.
    pub(super) fn at(&self, actor: &ActorId, seq: u64) -> Option<Digest> {
        let index = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.line(actor)?.entries.get(index).map(|entry| entry.hash)
    }

    /// Where the change of this hash stands.
    pub(super) fn place(&self, hash: &Digest) -> Option<Place> {
        self.places.get(hash).copied()
    }

    /// Whether a change that depends on `hash` has a known past.
    pub(super) fn knows(&self, hash: &Digest) -> bool {
        *hash == self.genesis || self.places.contains_key(hash) || self.absorbed.contains_key(hash)
    }

    /// Everything that is here: the past of the next local change.
    pub(super) fn present(&self) -> Past {
        let mut past = Past::default();
        for (number, line) in (0..).zip(&self.lines) {
            if let Some(last) = line.entries.last() {
                past.clock.raise(number, seq_of(line.entries.len()));
                past.last_op = past.last_op.max(last.past.last_op);
            }
        }
        past
    }

    /// The past that these dependencies make.
    ///
    /// # Errors
    /// The dependencies that are not here.
    pub(super) fn past(&self, deps: &[Digest]) -> Result<Past, Vec<Digest>> {
        let missing: Vec<Digest> = deps.iter().filter(|dep| !self.knows(dep)).copied().collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        let mut past = Past::default();
        for seen in deps.iter().filter_map(|dep| self.past_with(dep)) {
            past.clock.include(&seen.clock);
            past.last_op = past.last_op.max(seen.last_op);
        }
        Ok(past)
    }

    /// The past of a change, with itself.
    fn past_with(&self, hash: &Digest) -> Option<&Past> {
        let Some((actor, seq)) = self.place(hash) else { return self.absorbed.get(hash) };
        let line = self.lines.get(usize::try_from(actor).ok()?)?;
        let entry = line.entries.get(usize::try_from(seq).ok()?.checked_sub(1)?)?;
        Some(&entry.past)
    }

    /// Whether one more actor has room.
    pub(super) fn has_room_for(&self, actor: &ActorId) -> bool {
        self.numbers.contains_key(actor) || self.lines.len() < MAX_ACTORS
    }

    /// Adds the next change of an actor, whose past and last counter were checked.
    pub(super) fn add(
        &mut self,
        actor: ActorId,
        hash: Digest,
        deps: &[Digest],
        past: Past,
    ) -> Place {
        let number = self.number_or_new(actor);
        let mut past = past;
        let mut seq = 0;
        if let Some(line) = usize::try_from(number).ok().and_then(|n| self.lines.get_mut(n)) {
            seq = seq_of(line.entries.len().saturating_add(1));
            past.clock.raise(number, seq);
            past.clock.0.shrink_to_fit();
            line.entries.push(Entry { hash, past });
        }
        self.places.insert(hash, (number, seq));
        for dep in deps {
            self.heads.remove(dep);
        }
        self.heads.insert(hash);
        (number, seq)
    }

    /// Remembers a change beyond a cut.
    pub(super) fn absorb(&mut self, hash: Digest, past: Past) {
        self.absorbed.insert(hash, past);
    }

    /// Cuts an actor off from a sequence number on; an earlier cut stands.
    pub(super) fn cut(&mut self, actor: ActorId, seq: u64) {
        let from = self.cuts.entry(actor).or_insert(seq);
        *from = seq.min(*from);
    }

    /// Whether this change of an actor lies beyond its cut.
    pub(super) fn is_cut(&self, actor: &ActorId, seq: u64) -> bool {
        self.cuts.get(actor).is_some_and(|from| seq >= *from)
    }

    /// Sets the heads of a history that is read from the cache.
    pub(super) fn set_heads(&mut self, heads: BTreeSet<Digest>) {
        self.heads = heads;
    }

    /// Adds an actor's whole line, read from the cache.
    pub(super) fn add_line(&mut self, line: Line) {
        let number = seq_of(self.lines.len());
        for (index, entry) in line.entries.iter().enumerate() {
            self.places.insert(entry.hash, (number, seq_of(index.saturating_add(1))));
        }
        self.numbers.insert(line.actor, number);
        self.lines.push(line);
    }

    fn line(&self, actor: &ActorId) -> Option<&Line> {
        self.lines.get(usize::try_from(self.number(actor)?).ok()?)
    }

    fn number_or_new(&mut self, actor: ActorId) -> u32 {
        let next = seq_of(self.lines.len());
        let lines = &mut self.lines;
        *self.numbers.entry(actor).or_insert_with(|| {
            lines.push(Line { actor, entries: Vec::new() });
            next
        })
    }
}

/// Counts here are bounded by 32 bits: sequence numbers by verification, actors by their limit.
fn seq_of(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
