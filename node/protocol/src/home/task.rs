//! The queue of work on records: each task loads the shards it needs, runs its job, and ends.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use reeve_crdt::indicator::Engine;
use reeve_crdt::record::{Fact, Record, RecordId};
use reeve_crdt::schema::{Closure, Schema};
use reeve_crdt::twin::{RecordOp, Shard, ShardId, SignedChange, SignedSeal};
use reeve_statement::names::KindId;
use reeve_statement::period::Period;
use reeve_statement::release::RevisionReason;

use crate::effect::{AskId, JobId, Load, LoadId, Loaded, NodeKey};
use crate::home::expire::Expire;
use crate::home::{
    CHANGES_PER_SNAPSHOT, Cause, Home, SHARDS_PER_STEP, changes_prefix, snapshot_key,
};
use crate::job::{Fold, Folded, Job, Merge, Merged};
use crate::local::{Answer, Failure, ImportMode, Sweep, Written};
use crate::node::Node;
use crate::refusal::Refusal;
use crate::rows;

/// Most changes read back for one shard in one go.
pub(super) const TAIL_PAGE: usize = 512;

/// Work on records.
pub(crate) enum Task {
    /// Write operations of one kind.
    Write { ask: Option<AskId>, kind: KindId, ops: Vec<RecordOp>, import: Option<u64> },
    /// Apply another home node's changes.
    Merge { peer: NodeKey, changes: Vec<SignedChange>, end: (u64, u64), more: bool },
    /// Delete the records of a kind that a snapshot does not hold.
    Sweep { import: u64, kind: KindId, sweep: Arc<Sweep>, next: u32 },
    /// The last step of an import: what it touched may be cut.
    Finish { ask: AskId, import: u64 },
    /// Read one record.
    Read { ask: AskId, kind: KindId, id: RecordId },
    /// Read one shard.
    List { ask: AskId, kind: KindId, shard: u32 },
    /// Build a shard again from its log, with what does not count cut off.
    Recut { shard: ShardId, cause: Cause, log: Vec<Vec<u8>> },
    /// Feed every record to a new engine.
    Rebuild { engine: Box<Engine>, shards: Vec<ShardId>, next: usize },
    /// Remove what is too old, or one record.
    Expire(Box<Expire>),
    /// End the epochs that another node sealed.
    TakeSeals { peer: NodeKey, seals: VecDeque<SignedSeal> },
    /// What a seal did not see was written again: these rows are done with.
    Written { keys: Vec<Vec<u8>> },
}

/// A shard on its way from the store.
#[derive(Debug)]
pub(crate) struct Loading {
    id: ShardId,
    snapshot: Option<Option<Vec<u8>>>,
    tail: Vec<Vec<u8>>,
}

/// The task at work.
pub(crate) struct Running {
    pub(super) task: Task,
    pub(super) missing: BTreeSet<ShardId>,
    pub(super) job: Option<JobId>,
    /// Changes since the last snapshot, of the shards that a job has.
    pub(super) unsaved: BTreeMap<ShardId, u32>,
    /// Records that a write is about, whether it changes them or not.
    pub(super) records: u64,
    /// The rows of an epoch that ends, as far as they were read.
    pub(super) rows: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Running {
    /// A task that reads rows.
    pub(super) fn reading(task: Task) -> Self {
        let (missing, unsaved) = (BTreeSet::new(), BTreeMap::new());
        Self { task, missing, job: None, unsaved, records: 0, rows: Vec::new() }
    }
}

impl Task {
    fn shards(&self, schema: &Schema, home: &Home) -> Vec<ShardId> {
        let mut shards = match self {
            Self::Write { kind, ops, .. } => {
                ops.iter().filter_map(|op| home.shard_of(schema, kind.as_str(), op.id())).collect()
            }
            Self::Merge { changes, .. } => {
                changes.iter().map(|change| change.shard().clone()).collect()
            }
            Self::Sweep { kind, next, .. } => home.step_of(schema, kind, *next),
            Self::Finish { .. } | Self::Written { .. } => Vec::new(),
            Self::Recut { shard, .. } => vec![shard.clone()],
            Self::Read { kind, id, .. } => {
                home.shard_of(schema, kind.as_str(), id).into_iter().collect()
            }
            Self::List { kind, shard, .. } => {
                vec![home.shard_id(kind, *shard)]
            }
            Self::Rebuild { shards, next, .. } => {
                let step = shards.iter().skip(*next).take(SHARDS_PER_STEP);
                step.map(|id| home.shard_id(&id.kind, id.index)).collect()
            }
            Self::Expire(expire) => {
                expire.at().map(|(kind, index)| home.shard_id(&kind, index)).into_iter().collect()
            }
            Self::TakeSeals { seals, .. } => {
                let current = seals.iter().filter_map(SignedSeal::shard).find_map(|shard| {
                    let current = home.shard_id(&shard.kind, shard.index);
                    (shard.epoch >= current.epoch).then_some(current)
                });
                current.into_iter().collect()
            }
        };
        shards.sort_unstable();
        shards.dedup();
        shards
    }
}

impl Home {
    /// The next shards of a kind, at most [`SHARDS_PER_STEP`].
    fn step_of(&self, schema: &Schema, kind: &KindId, next: u32) -> Vec<ShardId> {
        let Some(kind) = schema.kind(kind.as_str()) else { return Vec::new() };
        let step = (next..kind.shards).take(SHARDS_PER_STEP);
        step.map(|index| self.shard_id(&kind.id, index)).collect()
    }
}

impl Node {
    pub(crate) fn enqueue(&mut self, task: Task) {
        self.home.queue.push_back(task);
        self.work();
    }

    /// Starts the next task if none is at work.
    pub(crate) fn work(&mut self) {
        while self.home.running.is_none() {
            let (Some(schema), Some(task)) = (self.home.schema.clone(), self.home.next_task())
            else {
                return;
            };
            let Some(task) = self.without_sealed(task) else { continue };
            let wanted = task.shards(&schema, &self.home);
            let missing: BTreeSet<ShardId> =
                wanted.into_iter().filter(|id| !self.home.resident.contains_key(id)).collect();
            for id in &missing {
                self.load_shard(id.clone());
            }
            self.home.running = Some(Running { missing, ..Running::reading(task) });
            self.start_if_ready();
        }
    }

    /// A task without what is of epochs that have ended while it waited; none: nothing is left of it.
    fn without_sealed(&mut self, task: Task) -> Option<Task> {
        match task {
            Task::Merge { peer, mut changes, end, more } => {
                let before = changes.len();
                changes.retain(|change| self.has_shard(change.shard()));
                let sealed = before.saturating_sub(changes.len());
                for _ in 0..sealed {
                    self.note_refused_change(Refusal::Sealed);
                }
                Some(Task::Merge { peer, changes, end, more })
            }
            Task::Recut { shard, cause, .. } if !self.has_shard(&shard) => {
                self.after_recut(cause);
                None
            }
            task => Some(task),
        }
    }

    fn load_shard(&mut self, id: ShardId) {
        let load = self.context.load(Load::Get(vec![snapshot_key(&id)]));
        self.home.loading.insert(load, Loading { id, snapshot: None, tail: Vec::new() });
    }

    fn load_tail(&mut self, loading: Loading, after: Option<Vec<u8>>) {
        let what = Load::Scan { prefix: changes_prefix(&loading.id), after, limit: TAIL_PAGE };
        let load = self.context.load(what);
        self.home.loading.insert(load, loading);
    }

    /// A part of a shard came from the store.
    pub(crate) fn on_shard_loaded(&mut self, load: LoadId, loaded: Loaded) -> Option<Loaded> {
        let Some(mut loading) = self.home.loading.remove(&load) else { return Some(loaded) };
        match loaded {
            Loaded::Values(values) => {
                let snapshot = values.into_iter().next().flatten();
                let after = snapshot.as_ref().and_then(|bytes| {
                    let position: [u8; 8] = bytes.get(..8)?.try_into().ok()?;
                    Some(super::change_key(&loading.id, u64::from_be_bytes(position)))
                });
                loading.snapshot = Some(snapshot);
                self.load_tail(loading, after);
            }
            Loaded::Rows(rows) => {
                let full = rows.len() == TAIL_PAGE;
                let last = rows.last().map(|(key, _)| key.clone());
                loading.tail.extend(rows.into_iter().map(|(_, value)| value));
                if full {
                    self.load_tail(loading, last);
                } else {
                    self.shard_arrived(loading);
                }
            }
        }
        None
    }

    fn shard_arrived(&mut self, loading: Loading) {
        let Loading { id, snapshot, tail } = loading;
        let Some(schema) = self.home.schema.clone() else { return };
        let unsaved = u32::try_from(tail.len()).unwrap_or(u32::MAX);
        let bytes = snapshot.flatten();
        let document = bytes.as_ref().and_then(|bytes| bytes.get(8..));
        match self.home.restore_shard(&schema, &id, document, &tail) {
            Some(shard) => self.home.keep(shard, unsaved),
            None => {
                // The store's own checks passed, so the schema changed or the fault is ours.
                self.context.counters.count("damaged", "shard");
                self.damaged_shards.insert(id.clone());
            }
        }
        if let Some(running) = &mut self.home.running {
            running.missing.remove(&id);
        }
        self.start_if_ready();
        self.work();
    }

    fn start_if_ready(&mut self) {
        let Some(running) = self.home.running.take() else { return };
        if running.missing.is_empty() && running.job.is_none() {
            self.start(running);
        } else {
            self.home.running = Some(running);
        }
    }

    /// Every shard is here: runs the task, or hands it to a worker.
    fn start(&mut self, running: Running) {
        let Some(schema) = self.home.schema.clone() else { return };
        match running.task {
            Task::Write { ask, kind, ops, import } => {
                self.start_write(
                    &schema,
                    Task::Write { ask, kind: kind.clone(), ops: Vec::new(), import },
                    &kind,
                    ops,
                );
            }
            Task::Merge { peer, changes, end, more } => {
                self.start_merge(schema, peer, changes, end, more);
            }
            Task::Sweep { import, kind, sweep, next } => {
                self.start_sweep(&schema, import, kind, &sweep, next);
            }
            Task::Finish { ask, import } => self.finish_import(ask, import),
            Task::Recut { shard, cause, log } => {
                self.load_log(&shard, None);
                let task = Task::Recut { shard, cause, log };
                self.home.running = Some(Running::reading(task));
            }
            Task::Read { ask, kind, id } => {
                let shard = self.home.shard_of(&schema, kind.as_str(), &id);
                let record = shard
                    .and_then(|shard| self.home.resident.get(&shard))
                    .and_then(|resident| resident.shard.get(&id));
                self.context.reply(ask, Answer::Record(record));
            }
            Task::List { ask, kind, shard } => self.reply_list(&schema, ask, kind, shard),
            Task::Rebuild { engine, shards, next } => self.rebuild_step(engine, shards, next),
            Task::Expire(expire) => self.start_expire(&schema, expire),
            Task::TakeSeals { peer, seals } => self.start_taking(peer, seals),
            Task::Written { keys } => self.forget_late(keys),
        }
        self.home.shed();
    }

    fn reply_list(&mut self, schema: &Schema, ask: AskId, kind: KindId, index: u32) {
        let shards = schema.kind(kind.as_str()).map_or(0, |kind| kind.shards);
        let resident = self.home.resident.get(&self.home.shard_id(&kind, index));
        let records = resident.map(|resident| resident.shard.iter().collect()).unwrap_or_default();
        self.context.reply(ask, Answer::Records { records, shards });
    }

    pub(super) fn take_resident(
        &mut self,
        ids: impl Iterator<Item = ShardId>,
    ) -> (Vec<Shard>, BTreeMap<ShardId, u32>) {
        let mut shards = Vec::new();
        let mut unsaved = BTreeMap::new();
        for id in ids {
            if let Some(resident) = self.home.resident.remove(&id) {
                unsaved.insert(id, resident.unsaved);
                shards.push(resident.shard);
            }
        }
        (shards, unsaved)
    }

    fn start_write(&mut self, schema: &Arc<Schema>, task: Task, kind: &KindId, ops: Vec<RecordOp>) {
        let closing = *kind == self.closure_kind();
        let records: BTreeSet<&RecordId> = ops.iter().map(RecordOp::id).collect();
        let records = u64::try_from(records.len()).unwrap_or(u64::MAX);
        let mut ops = self.only_new(schema, &task, kind, ops);
        let late = self.leave_sealed_out(schema, kind, &mut ops);
        if late > 0 && self.refuse_late(&task, kind, late) {
            return;
        }
        let mut by_shard: BTreeMap<ShardId, Vec<RecordOp>> = BTreeMap::new();
        for op in ops {
            let Some(shard) = self.home.shard_of(schema, kind.as_str(), op.id()) else { continue };
            let held = self.home.resident.get(&shard).filter(|_| closing);
            let held = held.and_then(|resident| resident.shard.get(op.id()));
            if !held.is_some_and(|held| is_said(&held, &op)) {
                by_shard.entry(shard).or_default().push(op);
            }
        }
        let (shards, unsaved) = self.take_resident(by_shard.keys().cloned());
        let damaged = shards.len() != by_shard.len();
        let at = self.context.now().wall;
        let author = self.home.author.clone().filter(|author| {
            // What no other node would count is not written.
            !damaged && self.home.writers.may_write_at(&author.actor().writer, kind, at)
        });
        let Some(author) = author else {
            let failure = if damaged { Failure::Damaged("shard") } else { Failure::NoWriter };
            for shard in shards {
                let saved = unsaved.get(shard.id()).copied().unwrap_or(0);
                self.home.keep(shard, saved);
            }
            return self.fail_write(&task, failure);
        };
        let work = shards.into_iter().zip(by_shard.into_values()).collect();
        let fold = Fold { work, author, schema: schema.clone(), at: self.context.now().wall };
        let job = self.context.compute(Job::Fold(Box::new(fold)));
        self.home.jobs.insert(job);
        self.home.running =
            Some(Running { job: Some(job), unsaved, records, ..Running::reading(task) });
    }

    /// In an import that only adds: the operations on records that are not here; it fails if one is
    /// here and says something else.
    fn only_new(
        &mut self,
        schema: &Schema,
        task: &Task,
        kind: &KindId,
        mut ops: Vec<RecordOp>,
    ) -> Vec<RecordOp> {
        let Task::Write { import: Some(number), .. } = task else { return ops };
        let Some(import) = self.home.imports.get(number) else { return ops };
        if import.mode != ImportMode::Append || import.kind != *kind {
            return ops;
        }
        let mut exist = 0_u64;
        let home = &self.home;
        ops.retain(|op| {
            let held = home
                .shard_of(schema, kind.as_str(), op.id())
                .and_then(|shard| home.resident.get(&shard))
                .and_then(|resident| resident.shard.get(op.id()));
            let Some(held) = held else { return true };
            if !matches!(op, RecordOp::Put { record, .. } if *record.record() == held) {
                exist = exist.saturating_add(1);
            }
            false
        });
        if let Some(import) = self.home.imports.get_mut(number).filter(|_| exist > 0) {
            import.failure.get_or_insert(Failure::Exists(exist));
        }
        ops
    }

    /// Whether a write is refused as a whole, because records of it are older than what is sealed; an
    /// import goes on without them and says how many there were.
    fn refuse_late(&mut self, task: &Task, kind: &KindId, late: u64) -> bool {
        let import = match task {
            Task::Write { import, .. } => *import,
            _ => None,
        };
        if let Some(import) = import.and_then(|number| self.home.imports.get_mut(&number)) {
            let refused = import.row.refused.get_or_insert(0);
            *refused = refused.saturating_add(late);
            return false;
        }
        let Task::Write { ask: Some(_), .. } = task else { return false };
        let Some(before) = self.home.seals.before(kind) else { return false };
        self.fail_write(task, Failure::Sealed { kind: kind.clone(), before, late });
        true
    }

    fn fail_write(&mut self, task: &Task, failure: Failure) {
        if let Task::Write { ask: Some(ask), .. } = task {
            self.context.reply(*ask, Answer::Failed(failure));
        } else if let Task::Write { import: Some(import), .. } | Task::Sweep { import, .. } = task
            && let Some(import) = self.home.imports.get_mut(import)
        {
            import.failure.get_or_insert(failure);
        }
    }

    pub(crate) fn on_folded(&mut self, job: JobId, folded: Folded) {
        self.home.jobs.remove(&job);
        let Some(running) = self.home.running.take() else { return };
        let Folded { shards, changes, facts, error } = folded;
        let written = count(&facts);
        let news = !changes.is_empty();
        self.give_back(shards, &running.unsaved, &changes);
        if news {
            self.log_changes(changes);
        }
        let import = match &running.task {
            Task::Write { import, .. } => *import,
            Task::Sweep { import, .. } => Some(*import),
            _ => None,
        };
        self.take_facts(&facts, import);
        self.context.counters.add("records", "written", written.changed_at_all());
        match running.task {
            Task::Write { ask, kind, ops: _, import } => {
                if let Some(error) = error {
                    let failure = Failure::Write(error.to_string());
                    let task =
                        Task::Write { ask, kind: self.closure_kind(), ops: Vec::new(), import };
                    self.fail_write(&task, failure);
                } else if let Some(ask) = ask {
                    let unchanged = running.records.saturating_sub(written.changed_at_all());
                    self.context.reply(ask, Answer::Written(Written { unchanged, ..written }));
                }
                // That periods are closed is not a record that the file brought.
                if kind != self.closure_kind() {
                    self.count_import(import, written);
                }
            }
            Task::Sweep { import, kind, sweep, next } => {
                self.count_import(Some(import), written);
                self.continue_sweep(import, kind, sweep, next);
            }
            _ => {}
        }
        if news {
            self.nudge_home();
        }
        self.release_backpressure();
        self.work();
    }

    /// Shards that a job gave back are kept; one with many changes since its snapshot gets a new one.
    pub(super) fn give_back(
        &mut self,
        shards: Vec<Shard>,
        unsaved: &BTreeMap<ShardId, u32>,
        changes: &[(ShardId, Vec<u8>)],
    ) {
        let mut made: BTreeMap<&ShardId, u32> = BTreeMap::new();
        for (shard, _) in changes {
            let count = made.entry(shard).or_default();
            *count = count.saturating_add(1);
        }
        let end = self.home.log.end.saturating_add(u64::try_from(changes.len()).unwrap_or(0));
        for shard in shards {
            let before = unsaved.get(shard.id()).copied().unwrap_or(0);
            let mut since = before.saturating_add(made.get(shard.id()).copied().unwrap_or(0));
            if since >= CHANGES_PER_SNAPSHOT {
                let mut row = end.to_be_bytes().to_vec();
                row.extend_from_slice(&shard.save());
                self.context.persist(snapshot_key(shard.id()), Some(row));
                since = 0;
            }
            self.home.keep(shard, since);
        }
        self.home.shed();
    }

    fn start_merge(
        &mut self,
        schema: Arc<Schema>,
        peer: NodeKey,
        changes: Vec<SignedChange>,
        end: (u64, u64),
        more: bool,
    ) {
        let ids: BTreeSet<ShardId> = changes.iter().map(|change| change.shard().clone()).collect();
        let (shards, unsaved) = self.take_resident(ids.into_iter());
        let shards = shards
            .into_iter()
            .map(|shard| {
                let waited = self.home.waiting.remove(shard.id()).unwrap_or_default();
                (shard, waited)
            })
            .collect();
        let writers = self.home.writers.clone();
        let merge = Merge { shards, changes, writers, schema };
        let job = self.context.compute(Job::Merge(Box::new(merge)));
        self.home.jobs.insert(job);
        let task = Task::Merge { peer, changes: Vec::new(), end, more };
        self.home.running = Some(Running { job: Some(job), unsaved, ..Running::reading(task) });
    }

    pub(crate) fn on_merged(&mut self, job: JobId, merged: Merged) {
        self.home.jobs.remove(&job);
        let Some(running) = self.home.running.take() else { return };
        let Merged { shards, applied, absorbed, forks, facts, waiting, refused, unknown_writer } =
            merged;
        let news = !applied.is_empty();
        self.context.counters.add("changes", "absorbed", absorbed);
        let again = news && core::mem::take(&mut self.home.overflowed);
        self.home.passed_over |= unknown_writer;
        self.home.keep_waiting(waiting);
        self.give_back(shards, &running.unsaved, &applied);
        if news {
            self.log_changes(applied);
        }
        self.take_facts(&facts, None);
        self.expire_what_came(&facts);
        if let Task::Merge { peer, end, more, .. } = running.task {
            self.after_merge(peer, end, more, &refused);
        }
        if again {
            self.pull_again();
        }
        self.on_forks(forks);
        if news {
            self.nudge_home();
        }
        self.release_backpressure();
        self.work();
    }

    fn start_sweep(
        &mut self,
        schema: &Arc<Schema>,
        import: u64,
        kind: KindId,
        sweep: &Arc<Sweep>,
        next: u32,
    ) {
        let ids = self.home.step_of(schema, &kind, next);
        let mut ops = Vec::new();
        for id in &ids {
            let Some(resident) = self.home.resident.get(id) else { continue };
            for (record_id, record) in resident.shard.iter() {
                if sweep.removes(&record_id, &record) {
                    ops.push(RecordOp::Delete { id: record_id });
                }
            }
        }
        if ops.is_empty() {
            return self.continue_sweep(import, kind, sweep.clone(), next);
        }
        let task = Task::Sweep { import, kind: kind.clone(), sweep: sweep.clone(), next };
        self.start_write(schema, task, &kind, ops);
    }

    fn continue_sweep(&mut self, import: u64, kind: KindId, sweep: Arc<Sweep>, next: u32) {
        let Some(schema) = self.home.schema.clone() else { return };
        let shards = schema.kind(kind.as_str()).map_or(0, |kind| kind.shards);
        let next = next.saturating_add(u32::try_from(SHARDS_PER_STEP).unwrap_or(u32::MAX));
        if next < shards {
            self.home.queue.push_front(Task::Sweep { import, kind, sweep, next });
        }
    }

    fn rebuild_step(&mut self, mut engine: Box<Engine>, shards: Vec<ShardId>, next: usize) {
        let at = self.context.now().wall;
        if next == 0 {
            engine.set_sealed(Arc::new(self.home.seals.sealed.clone()));
            engine.begin_with_left(at);
        }
        for id in shards.iter().skip(next).take(SHARDS_PER_STEP) {
            let id = self.home.shard_id(&id.kind, id.index);
            let Some(resident) = self.home.resident.get(&id) else { continue };
            let fact = |(record, after)| Fact {
                kind: id.kind.clone(),
                id: record,
                before: None,
                after: Some(after),
            };
            let facts: Vec<Fact> = resident.shard.iter().map(fact).collect();
            engine.apply(&facts, at);
        }
        let next = next.saturating_add(SHARDS_PER_STEP);
        if next < shards.len() {
            return self.home.queue.push_front(Task::Rebuild { engine, shards, next });
        }
        for key in core::mem::take(&mut self.home.pages) {
            self.context.persist(rows::key(rows::PAGE, &[&key]), None);
        }
        self.home.engine = Some(*engine);
        self.home.rebuilding = self.home.rebuilding.saturating_sub(1);
        if self.home.rebuilding == 0 {
            self.context.persist(rows::key(rows::META, &[rows::REBUILDING]), None);
        }
        self.persist_pages();
        self.mark_everything_due();
        self.expect_periods();
    }
}

impl Written {
    pub(crate) const fn changed_at_all(&self) -> u64 {
        self.inserted.saturating_add(self.changed).saturating_add(self.deleted)
    }
}

fn count(facts: &[Fact]) -> Written {
    let mut written = Written::default();
    for fact in facts {
        let slot = match (&fact.before, &fact.after) {
            (None, Some(_)) => &mut written.inserted,
            (Some(_), Some(_)) => &mut written.changed,
            (Some(_), None) => &mut written.deleted,
            (None, None) => &mut written.unchanged,
        };
        *slot = slot.saturating_add(1);
    }
    written
}

/// Whether a closure says nothing that is not said already: importing twice changes nothing. A heartbeat,
/// a reason, and what was withdrawn and stands again are news.
fn is_said(held: &Record, op: &RecordOp) -> bool {
    let RecordOp::Put { record, .. } = op else { return false };
    let closures = Closure::from_record(held).zip(Closure::from_record(record.record()));
    closures.is_some_and(|(held, new)| {
        let same_file = new.file_hash.is_some() && new.file_hash == held.file_hash;
        let plain = new.reason.is_none() && new.period != Period::Now;
        (plain && held.reason != Some(RevisionReason::Withdrawn))
            || (same_file && new.reason == held.reason)
    })
}
