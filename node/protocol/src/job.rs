//! Bounded pure jobs that the driver runs on any thread: verifying, folding, merging.
//!
//! A job owns all that it needs and gives it back. It never sees a clock, a store or a peer.

use std::collections::BTreeMap;
use std::sync::Arc;

use reeve_crdt::record::Fact;
use reeve_crdt::schema::Schema;
use reeve_crdt::twin::{
    ActorId, ApplyError, Author, ForkProof, RecordOp, Shard, ShardId, SignedChange, VerifiedChange,
    VerifiedFork, VerifyError as ChangeRefusal, WriteError, WriterDirectory, merge,
};
use reeve_statement::cose::{Signed, Verified, Verifier, VerifyError};
use reeve_statement::digest::Digest;
use reeve_statement::time::Timestamp;

use crate::refusal::Refusal;

/// Work for a worker thread.
#[derive(Debug)]
pub enum Job {
    /// Check the signature and chain of a statement.
    Verify {
        /// The statement.
        signed: Box<Signed>,
        /// Roots and lists.
        verifier: Arc<Verifier>,
        /// The time to check at.
        at: Timestamp,
    },
    /// Write local operations into shards, and sign the changes.
    Fold(Box<Fold>),
    /// Apply other nodes' signed changes to shards.
    Merge(Box<Merge>),
    /// Build a shard again from its log, with what does not count cut off.
    Recut(Box<Recut>),
}

/// Local operations, and the shards they go to.
#[derive(Debug)]
pub struct Fold {
    /// The shards with their operations.
    pub work: Vec<(Shard, Vec<RecordOp>)>,
    /// In whose name.
    pub author: Arc<Author>,
    /// The schema.
    pub schema: Arc<Schema>,
    /// The time that the changes carry.
    pub at: Timestamp,
}

/// Other nodes' changes, and the shards they go to.
#[derive(Debug)]
pub struct Merge {
    /// The shards, with verified changes that waited for others.
    pub shards: Vec<(Shard, Vec<VerifiedChange>)>,
    /// The changes, in the order in which they came.
    pub changes: Vec<SignedChange>,
    /// Who may write what.
    pub writers: Arc<WriterDirectory>,
    /// The schema.
    pub schema: Arc<Schema>,
}

/// A shard to build again.
#[derive(Debug)]
pub struct Recut {
    /// The shard as it is.
    pub shard: Shard,
    /// Its whole log.
    pub log: Vec<Vec<u8>>,
    /// Verified changes that waited for others.
    pub waiting: Vec<VerifiedChange>,
    /// Changes that contradict one of the log, with that one's hash.
    pub evidence: Vec<(Digest, SignedChange)>,
    /// Forks in this shard that were proved.
    pub proofs: Vec<ForkProof>,
    /// Who may write what, and when.
    pub writers: Arc<WriterDirectory>,
    /// The schema.
    pub schema: Arc<Schema>,
}

/// What a job gives back.
#[derive(Debug)]
pub enum JobResult {
    /// Of [`Job::Verify`].
    Verified(Result<Box<Verified>, Box<VerifyError>>),
    /// Of [`Job::Fold`].
    Folded(Box<Folded>),
    /// Of [`Job::Merge`].
    Merged(Box<Merged>),
    /// Of [`Job::Recut`].
    Recut(Box<Recutted>),
}

/// Result of a fold.
#[derive(Debug)]
pub struct Folded {
    /// The shards, in their order.
    pub shards: Vec<Shard>,
    /// The signed changes made, with their shard.
    pub changes: Vec<(ShardId, Vec<u8>)>,
    /// What changed.
    pub facts: Vec<Fact>,
    /// The first operation that could not be written; nothing of its shard was.
    pub error: Option<WriteError>,
}

/// Result of a merge.
#[derive(Debug, Default)]
pub struct Merged {
    /// The shards, in their order.
    pub shards: Vec<Shard>,
    /// Changes that were applied, with their shard.
    pub applied: Vec<(ShardId, Vec<u8>)>,
    /// How many of them do not count.
    pub absorbed: u64,
    /// Changes that contradict one that is here, with that one's hash.
    pub forks: Vec<(ShardId, Digest, SignedChange)>,
    /// What changed.
    pub facts: Vec<Fact>,
    /// Verified changes that wait for others.
    pub waiting: Vec<VerifiedChange>,
    /// Changes that were refused, with the reason.
    pub refused: Vec<Refusal>,
    /// Whether one of them was by a writer who is not known (yet).
    pub unknown_writer: bool,
}

/// Result of a [`Recut`].
#[derive(Debug)]
pub struct Recutted {
    /// The shard; as it was if this failed.
    pub shard: Shard,
    /// All forks in it that are proved.
    pub proved: Vec<ForkProof>,
    /// Changes that are new to the log, with their shard.
    pub logged: Vec<(ShardId, Vec<u8>)>,
    /// What changed.
    pub facts: Vec<Fact>,
    /// Verified changes that wait for others.
    pub waiting: Vec<VerifiedChange>,
    /// Further contradictions, among what had waited.
    pub forks: Vec<(ShardId, Digest, SignedChange)>,
    /// The log is not the shard's.
    pub failed: bool,
}

impl Job {
    /// Does the work.
    #[must_use]
    pub fn run(self) -> JobResult {
        match self {
            Self::Verify { signed, verifier, at } => {
                JobResult::Verified(signed.verify(&verifier, at).map(Box::new).map_err(Box::new))
            }
            Self::Fold(fold) => JobResult::Folded(Box::new(fold.run())),
            Self::Merge(merge) => JobResult::Merged(Box::new(merge.run())),
            Self::Recut(recut) => JobResult::Recut(Box::new(recut.run())),
        }
    }
}

impl Fold {
    fn run(self) -> Folded {
        let mut folded =
            Folded { shards: Vec::new(), changes: Vec::new(), facts: Vec::new(), error: None };
        for (mut shard, ops) in self.work {
            match shard.write(&self.author, ops, self.at) {
                Ok(written) => {
                    let id = shard.id();
                    let logged =
                        written.changes.iter().map(|c| (id.clone(), c.as_bytes().to_vec()));
                    folded.changes.extend(logged);
                    folded.facts.extend(written.facts);
                }
                Err(error) => {
                    folded.error.get_or_insert(error);
                }
            }
            folded.shards.push(shard);
        }
        folded
    }
}

impl Merge {
    fn run(self) -> Merged {
        let mut merged = Merged::default();
        let mut by_shard: BTreeMap<ShardId, Vec<VerifiedChange>> = BTreeMap::new();
        for change in self.changes {
            match change.verify(&self.writers, &self.schema) {
                Ok(verified) => {
                    let shard = verified.signed().shard().clone();
                    by_shard.entry(shard).or_default().push(verified);
                }
                Err(error) => {
                    merged.unknown_writer |= matches!(
                        error,
                        ChangeRefusal::UnknownWriter(_) | ChangeRefusal::OutOfTime(_)
                    );
                    merged.refused.push(refusal_of_change(&error));
                }
            }
        }
        for (mut shard, mut changes) in self.shards {
            changes.extend(by_shard.remove(shard.id()).unwrap_or_default());
            merged.take(&mut shard, changes, &self.writers);
            merged.shards.push(shard);
        }
        merged
    }
}

impl Recut {
    fn run(self) -> Recutted {
        let Self { mut shard, log, waiting, evidence, mut proofs, writers, schema } = self;
        let read = |bytes: &Vec<u8>| SignedChange::from_own_log(bytes, &schema).ok();
        let held: Vec<VerifiedChange> = log.iter().filter_map(read).collect();
        let hashes: BTreeMap<Digest, &VerifiedChange> =
            held.iter().map(|change| (change.signed().hash(), change)).collect();
        for (hash, offered) in evidence {
            let proof = hashes.get(&hash).and_then(|one| {
                let key = *writers.key(&offered.actor().writer)?;
                ForkProof::new(key, one.signed().clone(), offered).ok()
            });
            proofs.extend(proof);
        }
        let verified = |proof: ForkProof| Some((proof.verify(&schema).ok()?, proof));
        let (forks, proved): (Vec<VerifiedFork>, Vec<ForkProof>) =
            proofs.into_iter().filter_map(verified).unzip();
        let mut cuts: BTreeMap<ActorId, u64> = BTreeMap::new();
        let mut cut = |actor: ActorId, seq: u64| {
            let from = cuts.entry(actor).or_insert(seq);
            *from = seq.min(*from);
        };
        forks.iter().for_each(|fork| cut(fork.actor(), fork.seq()));
        let struck = held.iter().filter(|change| writers.is_struck(change));
        struck.for_each(|change| cut(change.signed().actor().id(), change.signed().seq()));
        let others: Vec<VerifiedChange> =
            forks.iter().flat_map(|fork| fork.changes().iter().cloned()).collect();
        let facts = shard.recut(&cuts, &held, &others);
        let failed = facts.is_err() || held.len() != log.len();
        let mut merged = Merged { facts: facts.unwrap_or_default(), ..Merged::default() };
        // Others may depend on the two changes of a fork, so they are logged and passed on too.
        for other in &others {
            let hash = other.signed().hash();
            let logged = merged.applied.iter().any(|(_, b)| *b == other.signed().as_bytes());
            if !hashes.contains_key(&hash) && shard.knows(&hash) && !logged {
                let bytes = other.signed().as_bytes().to_vec();
                merged.applied.push((shard.id().clone(), bytes));
            }
        }
        merged.take(&mut shard, waiting, &writers);
        let Merged { applied: logged, facts, waiting, forks, .. } = merged;
        Recutted { shard, proved, logged, facts, waiting, forks, failed }
    }
}

impl Merged {
    fn take(&mut self, shard: &mut Shard, changes: Vec<VerifiedChange>, writers: &WriterDirectory) {
        let done = merge(shard, changes, writers);
        let id = shard.id();
        self.absorbed = self.absorbed.saturating_add(done.absorbed);
        let forks = done.forks.into_iter().map(|(held, offered)| (id.clone(), held, offered));
        self.forks.extend(forks);
        let logged = done.applied.iter().map(|c| (id.clone(), c.signed().as_bytes().to_vec()));
        self.applied.extend(logged);
        self.facts.extend(done.facts);
        self.waiting.extend(done.waiting);
        self.refused.extend(done.refused.iter().map(|(_, error)| refusal_of_apply(error)));
    }
}

/// The wire's word for a change that does not verify.
pub(crate) const fn refusal_of_change(error: &ChangeRefusal) -> Refusal {
    match error {
        ChangeRefusal::UnknownWriter(_)
        | ChangeRefusal::OutOfTime(_)
        | ChangeRefusal::NotPermitted { .. } => Refusal::WriterRight,
        ChangeRefusal::BadSignature(_) => Refusal::BadSignature,
        ChangeRefusal::Change(_) => Refusal::OverLimit,
        _ => Refusal::BadChange,
    }
}

const fn refusal_of_apply(error: &ApplyError) -> Refusal {
    match error {
        ApplyError::Fork { .. } | ApplyError::CutOff { .. } => Refusal::Fork,
        _ => Refusal::BadChange,
    }
}
