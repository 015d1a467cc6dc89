//! Merging a batch of changes that arrive in any order: the job a worker thread runs.

use std::collections::BTreeSet;

use reeve_statement::digest::Digest;

use super::change::{SignedChange, VerifiedChange};
use super::directory::WriterDirectory;
use super::shard::{Applied, ApplyError, Shard};
use crate::record::Fact;

/// What merging a batch came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merged {
    /// The changes that were new, in the order in which they were applied: log them.
    pub applied: Vec<VerifiedChange>,
    /// How many of them do not count, because their actor was cut off or their writer struck off.
    pub absorbed: u64,
    /// Pairs that prove a fork: the hash of the change that is here, and the other one.
    pub forks: Vec<(Digest, SignedChange)>,
    /// What they did to which record, in the same order.
    pub facts: Vec<Fact>,
    /// Changes that depend on some that are not here; give them again when those have come.
    pub waiting: Vec<VerifiedChange>,
    /// The hashes that the waiting ones lack.
    pub missing: BTreeSet<Digest>,
    /// Changes that were refused, each for its own reason; the others stand.
    pub refused: Vec<(VerifiedChange, ApplyError)>,
}

/// Applies a batch of changes of one shard, whatever their order.
pub fn merge(shard: &mut Shard, changes: Vec<VerifiedChange>, writers: &WriterDirectory) -> Merged {
    let mut merged = Merged::default();
    let mut changes = changes;
    // A change has a greater counter than all it depends on, so one pass applies all it can.
    changes.sort_by_key(|change| change.body().start_op);
    for change in changes {
        match shard.settle(&change, writers) {
            Ok(Applied::Known) => {}
            Ok(Applied::Absorbed) => {
                merged.absorbed = merged.absorbed.saturating_add(1);
                merged.applied.push(change);
            }
            Ok(Applied::New(facts)) => {
                merged.facts.extend(facts);
                merged.applied.push(change);
            }
            Err(ApplyError::Missing(missing)) => {
                merged.missing.extend(missing);
                merged.waiting.push(change);
            }
            Err(error) => {
                if let ApplyError::Fork { held, offered } = &error {
                    merged.forks.push((*held, SignedChange::clone(offered)));
                }
                merged.refused.push((change, error));
            }
        }
    }
    let waiting = merged.waiting.iter().map(|change| change.signed().hash());
    for hash in waiting.collect::<Vec<_>>() {
        merged.missing.remove(&hash);
    }
    merged
}
