//! The twin at home: writing, importing, reading and replicating records.
//!
//! Work on records goes through one queue, in order. A task names the shards it needs; they are
//! loaded, handed to a job on a worker thread, and come back with signed changes and facts. Changes,
//! the state of the indicators and the log are one commit. Nothing of a record leaves this module
//! but into the store, to nodes of this home, and to whoever the policy lets read it.

pub(crate) mod before;
mod expire;
pub(crate) mod fork;
mod import;
pub(crate) mod log;
pub(crate) mod office;
mod replicate;
pub(crate) mod sealers;
pub(crate) mod seals;
mod task;
mod turn;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use reeve_crdt::indicator::Engine;
use reeve_crdt::record::Fact;
use reeve_crdt::schema::Schema;
use reeve_crdt::twin::{
    ActorId, Author, HomeId, Shard, ShardId, SignedChange, VerifiedChange, WriterDirectory,
};
use reeve_statement::digest::Digest;
use reeve_statement::key::KeyId;
use reeve_statement::names::IndicatorId;
use reeve_statement::period::Period;

pub(crate) use fork::{Cause, Fork};
pub(crate) use import::Import;
pub(crate) use task::{Running, Task};

use crate::bugs::Bug;
use crate::effect::{InboundId, JobId, LoadId, NodeKey, RequestId};
use crate::node::Node;
use crate::rows;

/// Most operations of one ask.
pub const OPS_PER_ASK: usize = 1_000;

/// Operations of an import that are folded at once: enough that each of a thousand shards gets tens
/// of them in one signed change, few enough to stay in a small memory.
pub const OPS_PER_FOLD: usize = 32_768;

/// Changes of a shard after which a snapshot is written, so that loading it replays few.
pub const CHANGES_PER_SNAPSHOT: u32 = 64;

/// Shards swept or read per step of a long task.
pub const SHARDS_PER_STEP: usize = 16;

/// Most shards kept in memory; the least recently used are dropped (the store has them). A full one
/// takes about 300 KB, so this is about 360 MB at the most, and a kind of a million records fits.
pub const RESIDENT_SHARDS: usize = 1_200;

/// Most tasks waiting; further asks are refused as busy.
pub const QUEUED_TASKS: usize = 256;

/// Most changes kept that wait for others; each is at most 64 KiB.
pub const WAITING_CHANGES: usize = 256;

/// A shard in memory.
#[derive(Debug)]
pub(crate) struct Resident {
    pub(crate) shard: Shard,
    pub(crate) used: u64,
    /// Changes since the last snapshot.
    pub(crate) unsaved: u32,
}

/// The twin of this node's unit.
pub(crate) struct Home {
    pub(crate) id: HomeId,
    pub(crate) schema: Option<Arc<Schema>>,
    pub(crate) author: Option<Arc<Author>>,
    pub(crate) writers: Arc<WriterDirectory>,
    /// Chains of the writers that were believed, by the digest of their leaf.
    pub(crate) writer_chains: BTreeMap<Digest, Vec<u8>>,
    /// Changes by a writer unknown then were passed over: they are pulled again when one is entered.
    pub(crate) passed_over: bool,
    pub(crate) engine: Option<Engine>,
    pub(crate) pages: BTreeSet<Vec<u8>>,
    pub(crate) resident: BTreeMap<ShardId, Resident>,
    /// Changes of other nodes that wait for changes they depend on.
    pub(crate) waiting: BTreeMap<ShardId, Vec<VerifiedChange>>,
    /// Changes that had to wait were dropped, because too many did: they are pulled again.
    pub(crate) overflowed: bool,
    /// Forks that were proved.
    pub(crate) forks: BTreeMap<(ShardId, ActorId), Fork>,
    /// Writers whose shards are being built again, because what counts of them has changed.
    pub(crate) striking: BTreeSet<KeyId>,
    /// Loads of a shard's whole log.
    pub(crate) recutting: BTreeSet<LoadId>,
    pub(crate) tick: u64,
    pub(crate) queue: VecDeque<Task>,
    /// Writes in a row that overtook the first of the queue.
    overtakings: u32,
    pub(crate) running: Option<Running>,
    pub(crate) loading: BTreeMap<LoadId, task::Loading>,
    pub(crate) jobs: BTreeSet<JobId>,
    pub(crate) imports: BTreeMap<u64, Import>,
    pub(crate) next_import: u64,
    pub(crate) log: log::Log,
    /// Which one of this writer's actors at this node writes now.
    pub(crate) incarnation: u64,
    /// How far each home peer's log was pulled: its life and position.
    pub(crate) cursors: BTreeMap<NodeKey, (u64, u64)>,
    pub(crate) pulling: BTreeMap<RequestId, NodeKey>,
    /// Home peers whose logs were followed to their ends since this node started on a restored store.
    pub(crate) followed: BTreeSet<NodeKey>,
    pub(crate) pull_wanted: BTreeSet<NodeKey>,
    pub(crate) pull_busy: BTreeSet<NodeKey>,
    /// Monotonic time from which on all home peers are asked again.
    pub(crate) next_pull: u64,
    /// Rebuilds of the indicators that are queued or at work; no own figure is cut meanwhile.
    pub(crate) rebuilding: u32,
    pub(crate) serving: BTreeMap<LoadId, replicate::Serving>,
    pub(crate) served: BTreeMap<InboundId, replicate::Served>,
    /// Which epoch each shard is in, and what was removed.
    pub(crate) seals: seals::Seals,
    /// What stood when another node's office was taken over.
    pub(crate) before: Option<before::Before>,
    /// Who sealed, and what proves that they might.
    pub(crate) sealers: sealers::Sealers,
    /// Reporting in another node's place, and letting others report in this one's.
    pub(crate) office: office::Office,
}

impl Home {
    pub(crate) fn new(id: HomeId, schema: Option<Arc<Schema>>) -> Self {
        Self {
            id,
            schema,
            author: None,
            writers: Arc::new(WriterDirectory::default()),
            writer_chains: BTreeMap::new(),
            passed_over: false,
            engine: None,
            pages: BTreeSet::new(),
            resident: BTreeMap::new(),
            waiting: BTreeMap::new(),
            overflowed: false,
            forks: BTreeMap::new(),
            striking: BTreeSet::new(),
            recutting: BTreeSet::new(),
            tick: 0,
            queue: VecDeque::new(),
            overtakings: 0,
            running: None,
            loading: BTreeMap::new(),
            jobs: BTreeSet::new(),
            imports: BTreeMap::new(),
            next_import: 1,
            log: log::Log::default(),
            incarnation: 0,
            cursors: BTreeMap::new(),
            pulling: BTreeMap::new(),
            followed: BTreeSet::new(),
            pull_wanted: BTreeSet::new(),
            pull_busy: BTreeSet::new(),
            next_pull: 0,
            rebuilding: 0,
            serving: BTreeMap::new(),
            served: BTreeMap::new(),
            seals: seals::Seals::default(),
            before: None,
            sealers: sealers::Sealers::default(),
            office: office::Office::default(),
        }
    }

    /// A shard from its snapshot and the changes after it; none if they do not fit the schema.
    pub(crate) fn restore_shard(
        &self,
        schema: &Schema,
        id: &ShardId,
        snapshot: Option<&[u8]>,
        tail: &[Vec<u8>],
    ) -> Option<Shard> {
        let kind = schema.kind(id.kind.as_str())?.clone();
        let mut shard = match snapshot {
            Some(bytes) => Shard::load(self.id, kind, id.index, id.epoch, bytes).ok()?,
            None => Shard::new(self.id, kind, id.index, id.epoch),
        };
        for bytes in tail {
            let change = SignedChange::from_own_log(bytes, schema).ok()?;
            // What does not count is in the log too, because others may depend on it.
            shard.settle(&change, &self.writers).ok()?;
        }
        Some(shard)
    }

    /// Keeps changes that wait for others, as many as there may be.
    pub(crate) fn keep_waiting(&mut self, changes: Vec<VerifiedChange>) {
        for change in changes {
            let held: usize = self.waiting.values().map(Vec::len).sum();
            if held < WAITING_CHANGES {
                let shard = change.signed().shard().clone();
                self.waiting.entry(shard).or_default().push(change);
            } else {
                self.overflowed = true;
            }
        }
    }

    /// Keeps shards that a job gave back, and drops the least recently used over the limit.
    pub(crate) fn keep(&mut self, shard: Shard, unsaved: u32) {
        self.tick = self.tick.saturating_add(1);
        let id = shard.id().clone();
        self.resident.insert(id, Resident { shard, used: self.tick, unsaved });
    }

    pub(crate) fn shed(&mut self) {
        while self.resident.len() > RESIDENT_SHARDS {
            let oldest = self.resident.iter().min_by_key(|(_, resident)| resident.used);
            let Some(id) = oldest.map(|(id, _)| id.clone()) else { return };
            self.resident.remove(&id);
        }
    }
}

/// The rest of a shard's keys: its kind and number.
fn shard_key(prefix: &[u8], id: &ShardId) -> Vec<u8> {
    let (index, epoch) = (id.index.to_be_bytes(), id.epoch.to_be_bytes());
    rows::key(prefix, &[id.kind.as_str().as_bytes(), b"/", &index, &epoch])
}

/// Key of a shard's snapshot.
pub(crate) fn snapshot_key(id: &ShardId) -> Vec<u8> {
    shard_key(rows::SNAPSHOT, id)
}

/// Prefix of a shard's changes.
pub(crate) fn changes_prefix(id: &ShardId) -> Vec<u8> {
    let mut key = shard_key(rows::CHANGE, id);
    key.push(b'/');
    key
}

/// Key of a shard's change at a log position.
pub(crate) fn change_key(id: &ShardId, position: u64) -> Vec<u8> {
    let mut key = changes_prefix(id);
    key.extend_from_slice(&position.to_be_bytes());
    key
}

impl Node {
    /// Feeds facts to the indicators and persists their state; what they touched is cut now, or when
    /// the import ends that brought them.
    pub(crate) fn take_facts(&mut self, facts: &[Fact], import: Option<u64>) {
        let Some(engine) = &mut self.home.engine else { return };
        let kept: Vec<Fact>;
        let facts = if self.settings.bugs.has(Bug::IgnoreDeletes) {
            kept = facts.iter().filter(|fact| fact.after.is_some()).cloned().collect();
            &kept
        } else {
            facts
        };
        let dirty = engine.apply(facts, self.context.now().wall);
        self.persist_pages();
        let touched: Vec<(IndicatorId, Period)> = dirty.into_iter().collect();
        match import {
            Some(import) if self.home.imports.contains_key(&import) => {
                self.reports.held.entry(import).or_default().extend(touched);
            }
            _ => self.mark_touched(touched),
        }
    }

    /// Persists the state of the indicators as far as it changed; while it is built anew, nothing.
    pub(crate) fn persist_pages(&mut self) {
        if self.home.rebuilding > 0 {
            return;
        }
        let Some(engine) = &mut self.home.engine else { return };
        for (key, value) in engine.changed_pages() {
            if value.is_some() {
                self.home.pages.insert(key.clone());
            } else {
                self.home.pages.remove(&key);
            }
            self.context.persist(rows::key(rows::PAGE, &[&key]), value);
        }
    }
}
