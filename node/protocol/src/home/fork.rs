//! Writers that are cut off: one who forked, with the proof; one who was struck off, from the moment of
//! its revocation on.
//!
//! What does not count is a function of the changes, the proofs and the certificates alone, so all
//! nodes of a home come to the same records, in whatever order these reach them. A node that had
//! applied such changes builds the shard again from its log.

use std::collections::{BTreeMap, BTreeSet};

use reeve_crdt::twin::{ActorId, ForkProof, ShardId, SignedChange};
use reeve_statement::cbor::to_vec;
use reeve_statement::digest::Digest;
use reeve_statement::key::KeyId;

use super::task::{Running, TAIL_PAGE};
use super::{CHANGES_PER_SNAPSHOT, QUEUED_TASKS, Task, changes_prefix};
use crate::effect::{Channel, JobId, Load, LoadId, Loaded, NodeKey};
use crate::job::{Job, Recut, Recutted};
use crate::local::ForkStatus;
use crate::node::Node;
use crate::refusal::Refusal;
use crate::rows::{self, ForkRow};
use crate::trust::Standing;
use crate::wire::{Blob, HomeMessage};

/// Most forks that are kept: one per actor and shard, and a home has tens of writers. Each takes up to
/// 128 KiB.
pub const FORKS: usize = 256;

/// Bytes of a key identifier.
const KEY_ID_BYTES: usize = 20;

/// The row that names the writers whose shards are being built again.
const STRUCK: &[u8] = b"struck";

/// A fork that was proved.
#[derive(Debug)]
pub(crate) struct Fork {
    pub(crate) proof: ForkProof,
    pub(crate) row: ForkRow,
}

/// Why a shard is built again.
#[derive(Debug, Default)]
pub(crate) struct Cause {
    /// A change that is here, by its hash, and another one of the same place.
    pub(crate) evidence: Vec<(Digest, SignedChange)>,
    /// Proofs that came from another node, and hold.
    pub(crate) proofs: Vec<ForkProof>,
    /// Only if one of these wrote here; with the shards to look at afterwards.
    pub(crate) struck: Option<(BTreeSet<KeyId>, Vec<ShardId>)>,
}

pub(super) fn fork_key(shard: &ShardId, actor: &ActorId) -> Vec<u8> {
    let (index, epoch) = (shard.index.to_be_bytes(), shard.epoch.to_be_bytes());
    let kind = shard.kind.as_str().as_bytes();
    rows::key(rows::FORK, &[kind, b"/", &index, &epoch, actor.as_bytes()])
}

impl Node {
    /// Changes came that contradict some that are here.
    pub(crate) fn on_forks(&mut self, forks: Vec<(ShardId, Digest, SignedChange)>) {
        let mut first: BTreeMap<(ShardId, ActorId), (Digest, SignedChange)> = BTreeMap::new();
        for (shard, held, offered) in forks {
            first.entry((shard, offered.actor().id())).or_insert((held, offered));
        }
        for ((shard, _), evidence) in first {
            let cause = Cause { evidence: vec![evidence], ..Cause::default() };
            self.enqueue(Task::Recut { shard, cause, log: Vec::new() });
        }
    }

    /// Another node of this home proves a fork.
    pub(crate) fn take_fork(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let proof = ForkProof::from_bytes(bytes).map_err(|_| Refusal::Malformed)?;
        let schema = self.home.schema.clone().ok_or(Refusal::NotFound)?;
        if !self.has_shard(proof.shard()) {
            return Err(Refusal::BadChange);
        }
        if self.home.writers.key(&proof.actor().writer).is_none() {
            return Err(Refusal::WriterRight);
        }
        if self.knows_fork(&proof) {
            return Ok(());
        }
        if self.home.forks.len() >= FORKS {
            return Err(Refusal::OverLimit);
        }
        if self.home.queue.len() >= QUEUED_TASKS {
            return Err(Refusal::Busy);
        }
        proof.verify(&schema).map_err(|_| Refusal::BadSignature)?;
        let shard = proof.shard().clone();
        let cause = Cause { proofs: vec![proof], ..Cause::default() };
        self.enqueue(Task::Recut { shard, cause, log: Vec::new() });
        Ok(())
    }

    /// Whether an actor is known to have forked there, or earlier in the same shard.
    fn knows_fork(&self, proof: &ForkProof) -> bool {
        let place = (proof.shard().clone(), proof.actor().id());
        self.home.forks.get(&place).is_some_and(|held| held.proof.seq() <= proof.seq())
    }

    pub(crate) fn restore_fork(&mut self, row: ForkRow) -> Option<()> {
        let proof = ForkProof::from_bytes(&row.proof).ok()?;
        let place = (proof.shard().clone(), proof.actor().id());
        self.home.forks.insert(place, Fork { proof, row });
        Some(())
    }

    /// Keeps a proof, and passes it on: everybody cuts the writer off by it.
    fn keep_fork(&mut self, proof: ForkProof) {
        if self.knows_fork(&proof) || self.home.forks.len() >= FORKS {
            return;
        }
        let row = ForkRow { found_at: self.context.now().wall, proof: proof.to_bytes() };
        let place = (proof.shard().clone(), proof.actor().id());
        self.context.persist(fork_key(&place.0, &place.1), Some(to_vec(&row)));
        self.context.counters.count("forks", "proved");
        let message = to_vec(&HomeMessage::Fork(Blob(row.proof.clone())));
        let home: Vec<NodeKey> = self.peers.of(Standing::Home).map(|(key, _)| *key).collect();
        for peer in home {
            self.context.send(peer, Channel::Home, message.clone());
        }
        self.home.forks.insert(place, Fork { proof, row });
    }

    /// A home peer is told of every fork: it may not have been there.
    pub(crate) fn tell_forks(&mut self, peer: NodeKey) {
        let proofs: Vec<Vec<u8>> =
            self.home.forks.values().map(|fork| fork.row.proof.clone()).collect();
        for proof in proofs {
            let message = to_vec(&HomeMessage::Fork(Blob(proof)));
            self.context.send(peer, Channel::Home, message);
        }
    }

    /// Builds every shard again that one of these writers wrote to: what counts of them has changed.
    pub(crate) fn strike(&mut self, writers: BTreeSet<KeyId>) {
        let Some(schema) = self.home.schema.clone().filter(|_| !writers.is_empty()) else { return };
        let mut pending = self.home.striking.clone();
        pending.extend(writers);
        let row: Vec<u8> = pending.iter().flat_map(|key| *key.as_bytes()).collect();
        self.context.persist(rows::key(rows::META, &[STRUCK]), Some(row));
        self.home.striking = pending.clone();
        let shards = self.home.all_shards(&schema);
        self.strike_next(pending, shards);
    }

    fn strike_next(&mut self, writers: BTreeSet<KeyId>, mut shards: Vec<ShardId>) {
        // A later revocation has begun again at the first shard, with these writers too.
        let current = writers == self.home.striking;
        match shards.pop().filter(|_| current) {
            Some(shard) => {
                let cause = Cause { struck: Some((writers, shards)), ..Cause::default() };
                self.home.queue.push_back(Task::Recut { shard, cause, log: Vec::new() });
            }
            None if current => {
                self.home.striking = BTreeSet::new();
                self.context.persist(rows::key(rows::META, &[STRUCK]), None);
            }
            None => {}
        }
    }

    /// A restart came in between.
    pub(crate) fn restore_striking(&mut self, row: &[u8]) {
        let keys = row.chunks(KEY_ID_BYTES).filter_map(KeyId::from_bytes);
        self.home.striking = keys.collect();
    }

    pub(crate) fn resume_striking(&mut self) {
        let pending = core::mem::take(&mut self.home.striking);
        self.strike(pending);
        self.work();
    }

    /// Reads the log of the shard of the task at work.
    pub(crate) fn load_log(&mut self, shard: &ShardId, after: Option<Vec<u8>>) {
        let what = Load::Scan { prefix: changes_prefix(shard), after, limit: TAIL_PAGE };
        let load = self.context.load(what);
        self.home.recutting.insert(load);
    }

    /// A page of the log came from the store.
    pub(crate) fn on_log_loaded(&mut self, load: LoadId, loaded: Loaded) -> Option<Loaded> {
        if !self.home.recutting.remove(&load) {
            return Some(loaded);
        }
        let Some(Running { task: Task::Recut { shard, log, .. }, .. }) = &mut self.home.running
        else {
            return None;
        };
        let Loaded::Rows(page) = loaded else { return None };
        let last = (page.len() == TAIL_PAGE).then(|| page.last().map(|(key, _)| key.clone()));
        log.extend(page.into_iter().map(|(_, value)| value));
        let shard = shard.clone();
        match last.flatten() {
            Some(last) => self.load_log(&shard, Some(last)),
            None => self.start_recut(),
        }
        None
    }

    fn start_recut(&mut self) {
        let Some(schema) = self.home.schema.clone() else { return };
        let Some(Running { task: Task::Recut { shard, mut cause, log }, .. }) =
            self.home.running.take()
        else {
            return;
        };
        let wrote = |writers: &BTreeSet<KeyId>| {
            let changes = log.iter().filter_map(|bytes| SignedChange::decode(bytes).ok());
            changes.into_iter().any(|change| writers.contains(&change.actor().writer))
        };
        let concerned = cause.struck.as_ref().is_none_or(|(writers, _)| wrote(writers));
        let wanted = concerned.then(|| shard.clone());
        let (mut shards, _) = self.take_resident(wanted.into_iter());
        let Some(resident) = shards.pop() else {
            self.after_recut(cause);
            return self.work();
        };
        let held = self.home.forks.iter().filter(|((of, _), _)| *of == shard);
        let mut proofs = core::mem::take(&mut cause.proofs);
        proofs.extend(held.map(|(_, fork)| fork.proof.clone()));
        let recut = Recut {
            shard: resident,
            log,
            waiting: self.home.waiting.remove(&shard).unwrap_or_default(),
            evidence: core::mem::take(&mut cause.evidence),
            proofs,
            writers: self.home.writers.clone(),
            schema,
        };
        let job = self.context.compute(Job::Recut(Box::new(recut)));
        self.home.jobs.insert(job);
        self.home.running = Some(Running {
            task: Task::Recut { shard, cause, log: Vec::new() },
            missing: BTreeSet::new(),
            job: Some(job),
            unsaved: BTreeMap::new(),
            records: 0,
            rows: Vec::new(),
        });
    }

    pub(crate) fn on_recut(&mut self, job: JobId, recut: Recutted) {
        self.home.jobs.remove(&job);
        let Some(running) = self.home.running.take() else { return };
        let Recutted { shard, proved, logged, facts, waiting, forks, failed } = recut;
        if failed {
            self.context.counters.count("damaged", "shard_log");
        }
        let own = self.home.author.as_ref().map(|author| author.id());
        let blocked = own.is_some_and(|own| shard.cuts().contains_key(&own));
        for proof in proved {
            self.keep_fork(proof);
        }
        self.home.keep_waiting(waiting);
        // A snapshot now: the cuts are in it, and what follows in the log is read after it.
        let unsaved = BTreeMap::from([(shard.id().clone(), CHANGES_PER_SNAPSHOT)]);
        self.give_back(vec![shard], &unsaved, &logged);
        let news = !logged.is_empty();
        if news {
            self.log_changes(logged);
        }
        self.take_facts(&facts, None);
        if blocked {
            self.begin_new_incarnation();
        }
        self.on_forks(forks);
        if let Task::Recut { cause, .. } = running.task {
            self.after_recut(cause);
        }
        if news {
            self.nudge_home();
        }
        self.release_backpressure();
        self.work();
    }

    pub(super) fn after_recut(&mut self, cause: Cause) {
        if let Some((writers, shards)) = cause.struck {
            self.strike_next(writers, shards);
        }
    }

    /// This node's own writer is cut off: its store was put back from a copy, and wrote again what it
    /// had written differently. It goes on as another actor.
    fn begin_new_incarnation(&mut self) {
        let old = self.home.incarnation.to_be_bytes();
        let parts: [&[u8]; 3] = [b"reeve-incarnation/1\0", &self.settings.entropy, &old];
        let digest = Digest::of_parts(&parts);
        let (first, _) = digest.as_bytes().split_at(8);
        self.home.incarnation = u64::from_be_bytes(first.try_into().unwrap_or([1; 8])) | 1;
        self.log_changes(Vec::new());
        self.begin_writing();
        self.context.counters.count("writer", "new_incarnation");
    }

    /// Forks for the status.
    pub(crate) fn view_forks(&self) -> Vec<ForkStatus> {
        let view = |fork: &Fork| ForkStatus {
            shard: fork.proof.shard().clone(),
            writer: fork.proof.actor().writer,
            node: fork.proof.actor().node,
            seq: fork.proof.seq(),
            found_at: fork.row.found_at,
        };
        self.home.forks.values().map(view).collect()
    }
}
