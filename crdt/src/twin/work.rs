//! Merging a batch of changes that arrive in any order: the job a worker thread runs.

use std::collections::BTreeSet;

use reeve_statement::digest::Digest;

use super::change::VerifiedChange;
use super::shard::{Applied, ApplyError, Shard};
use crate::record::Fact;

/// What merging a batch came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merged {
    /// The changes that were new, in the order in which they were applied: log them.
    pub applied: Vec<VerifiedChange>,
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
pub fn merge(shard: &mut Shard, changes: Vec<VerifiedChange>) -> Merged {
    let mut merged = Merged::default();
    let mut changes = changes;
    // A change has a greater counter than all it depends on, so one pass applies all it can.
    changes.sort_by_key(|change| change.body().start_op);
    for change in changes {
        match shard.apply(&change) {
            Ok(Applied::Known) => {}
            Ok(Applied::New(facts)) => {
                merged.facts.extend(facts);
                merged.applied.push(change);
            }
            Err(ApplyError::Missing(missing)) => {
                merged.missing.extend(missing);
                merged.waiting.push(change);
            }
            Err(error) => merged.refused.push((change, error)),
        }
    }
    let waiting = merged.waiting.iter().map(|change| change.signed().hash());
    for hash in waiting.collect::<Vec<_>>() {
        merged.missing.remove(&hash);
    }
    merged
}
