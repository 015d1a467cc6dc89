//! The only place that builds automerge changes: from checked operations to a change and its hash.
//!
//! Built with `ExpandedChange`, never parsed from bytes. What could make the conversion panic
//! (unsorted predecessors, counters beyond 32 bits) cannot be expressed here or was refused by
//! verification before.

use std::num::NonZeroU64;

use automerge::legacy::{Key, ObjectId, Op, OpId, OpType, SortedVec};
use automerge::{ActorId as AutomergeActor, Change, ChangeHash, ExpandedChange, ScalarValue};
use reeve_statement::digest::Digest;

use super::change::{Body, KeyOp};
use super::{HomeId, ShardId};

/// The fixed first change of a shard, the same on every node: two writers who create the shard
/// concurrently both build on it. It has no operations and binds home, shard and count of shards.
pub(super) fn genesis(home: &HomeId, shard: &ShardId, shards: u32) -> Change {
    let numbers = [shards, shard.index, shard.epoch].map(u32::to_be_bytes).concat();
    let kind = shard.kind.as_str().as_bytes();
    let parts: [&[u8]; 4] = [b"reeve/genesis/1\0", home.as_bytes(), &numbers, kind];
    let digest = Digest::of_parts(&parts);
    Change::from(ExpandedChange {
        operations: Vec::new(),
        actor_id: AutomergeActor::from(digest.as_bytes()),
        hash: None,
        seq: 1,
        start_op: NonZeroU64::MIN,
        time: 0,
        message: None,
        deps: Vec::new(),
        extra_bytes: Vec::new(),
        author: None,
    })
}

/// The automerge change that a body describes. Whatever hash the body states is ignored.
pub(super) fn change(body: &Body) -> Change {
    let actors: Vec<AutomergeActor> = std::iter::once(body.head.actor.id())
        .chain(body.others.iter().copied())
        .map(|actor| AutomergeActor::from(actor.as_bytes()))
        .collect();
    Change::from(ExpandedChange {
        operations: body.ops.iter().map(|op| operation(op, &actors)).collect(),
        actor_id: AutomergeActor::from(body.head.actor.id().as_bytes()),
        hash: None,
        seq: body.head.seq,
        start_op: NonZeroU64::new(body.start_op).unwrap_or(NonZeroU64::MIN),
        time: body.time,
        message: None,
        deps: body.deps.iter().map(|dep| ChangeHash(*dep.as_bytes())).collect(),
        extra_bytes: Vec::new(),
        author: None,
    })
}

fn operation(op: &KeyOp, actors: &[AutomergeActor]) -> Op {
    let pred = op.preds.iter().filter_map(|pred| {
        let actor = actors.get(usize::try_from(pred.actor).ok()?)?;
        Some(OpId::new(pred.counter, actor))
    });
    Op {
        action: match &op.value {
            Some(value) => OpType::Put(ScalarValue::Bytes(value.to_vec())),
            None => OpType::Delete,
        },
        obj: ObjectId::Root,
        key: Key::from(&op.key),
        pred: pred.collect::<SortedVec<_>>(),
        insert: false,
    }
}

/// A change's name in this crate's type.
pub(super) fn hash_of(change: &Change) -> Digest {
    Digest::from_bytes(change.hash().0)
}
