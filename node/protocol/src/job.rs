//! Bounded pure jobs that the driver runs on any thread: verifying, folding, merging.
//!
//! A job owns all that it needs and gives it back. It never sees a clock, a store or a peer.

use std::collections::BTreeMap;
use std::sync::Arc;

use reeve_crdt::record::{Fact, RecordId};
use reeve_crdt::schema::Schema;
use reeve_crdt::twin::{
    ApplyError, Author, RecordOp, Shard, ShardId, SignedChange, VerifiedChange,
    VerifyError as ChangeRefusal, WriteError, WriterDirectory, merge,
};
use reeve_statement::cose::{Signed, Verified, Verifier, VerifyError};
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

/// What a job gives back.
#[derive(Debug)]
pub enum JobResult {
    /// Of [`Job::Verify`].
    Verified(Result<Box<Verified>, Box<VerifyError>>),
    /// Of [`Job::Fold`].
    Folded(Box<Folded>),
    /// Of [`Job::Merge`].
    Merged(Box<Merged>),
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
#[derive(Debug)]
pub struct Merged {
    /// The shards, in their order.
    pub shards: Vec<Shard>,
    /// Changes that were applied, with their shard.
    pub applied: Vec<(ShardId, Vec<u8>)>,
    /// What changed.
    pub facts: Vec<Fact>,
    /// Verified changes that wait for others.
    pub waiting: Vec<VerifiedChange>,
    /// Changes that were refused, with the reason.
    pub refused: Vec<Refusal>,
    /// Whether one of them was by a writer who is not known (yet).
    pub unknown_writer: bool,
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
        let mut merged = Merged {
            shards: Vec::new(),
            applied: Vec::new(),
            facts: Vec::new(),
            waiting: Vec::new(),
            refused: Vec::new(),
            unknown_writer: false,
        };
        let mut by_shard: BTreeMap<ShardId, Vec<VerifiedChange>> = BTreeMap::new();
        for change in self.changes {
            match change.verify(&self.writers, &self.schema) {
                Ok(verified) => {
                    let shard = verified.signed().shard().clone();
                    by_shard.entry(shard).or_default().push(verified);
                }
                Err(error) => {
                    merged.unknown_writer |= matches!(error, ChangeRefusal::UnknownWriter(_));
                    merged.refused.push(refusal_of_change(&error));
                }
            }
        }
        for (mut shard, mut changes) in self.shards {
            changes.extend(by_shard.remove(shard.id()).unwrap_or_default());
            merged.take(&mut shard, changes);
            merged.shards.push(shard);
        }
        merged
    }
}

impl Merged {
    fn take(&mut self, shard: &mut Shard, changes: Vec<VerifiedChange>) {
        let done = merge(shard, changes);
        let id = shard.id();
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
        ChangeRefusal::UnknownWriter(_) | ChangeRefusal::NotPermitted { .. } => {
            Refusal::WriterRight
        }
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

/// In which shard a record is.
pub(crate) fn shard_of(schema: &Schema, kind: &str, id: &RecordId) -> Option<ShardId> {
    let kind = schema.kind(kind)?;
    Some(ShardId { kind: kind.id.clone(), index: kind.shard_of(id), epoch: 0 })
}
