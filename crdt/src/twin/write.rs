//! Writing: from operations on records to signed changes.
//!
//! What would change nothing makes no operation, and a write without operations no change, so that
//! importing the same file twice leaves no trace. One write becomes several changes when it exceeds
//! the limits of one; a record is never split between two.

use std::collections::{BTreeMap, BTreeSet};

use reeve_statement::digest::Digest;
use reeve_statement::names::{FieldId, KindId};
use reeve_statement::time::Timestamp;

use super::actor::{ActorId, Author};
use super::change::{Body, Head, KeyOp, Pred, SignedChange};
use super::history::Past;
use super::layout::field_key;
use super::register::{Register, Version};
use super::shard::Shard;
use super::{
    MAX_CHANGE_ACTORS, MAX_CHANGE_BYTES, MAX_CHANGE_DEPS, MAX_CHANGE_OPS, MAX_PREDECESSORS,
    automerge, codec,
};
use crate::record::{Fact, Fault, FieldError, Record, RecordId, Valid, Value};
use crate::schema::{Kind, Merge};

/// Bytes left in a change for everything but its operations: head, signature, dependencies, actors.
const RESERVED_BYTES: usize = 8 * 1024;

/// What to do to one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordOp {
    /// The record says this and nothing else; made if it does not exist.
    Put {
        /// Which record.
        id: RecordId,
        /// What it says.
        record: Valid,
    },
    /// The record no longer exists; nothing if it does not.
    Delete {
        /// Which record.
        id: RecordId,
    },
    /// One field of an existing record; only of kinds with `merge = "field"`.
    SetField {
        /// Which record.
        id: RecordId,
        /// Which field.
        field: FieldId,
        /// Its new value; `None` unsets it.
        value: Option<Value>,
    },
}

impl RecordOp {
    /// Which record it is about.
    #[must_use]
    pub fn id(&self) -> &RecordId {
        match self {
            Self::Put { id, .. } | Self::Delete { id } | Self::SetField { id, .. } => id,
        }
    }
}

/// What a write did. Without changes there is nothing to log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// The signed changes, each depending on the one before.
    pub changes: Vec<SignedChange>,
    /// What they did to which record.
    pub facts: Vec<Fact>,
}

/// Why a write was refused. The caller is at fault; the shard is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A record of another kind.
    #[error("expected a record of kind `{expected}`, found one of `{found}`")]
    OtherKind {
        /// The shard's kind.
        expected: KindId,
        /// The record's.
        found: KindId,
    },
    /// A record that belongs to another shard of the kind.
    #[error("a record of shard {expected} was written to shard {found}")]
    OtherShard {
        /// The shard that the id selects.
        expected: u32,
        /// This shard.
        found: u32,
    },
    /// One field of a kind that merges whole records.
    #[error("kind `{0}` merges whole records; put the record, or set merge = \"field\"")]
    WholeRecords(KindId),
    /// One field of a record that does not exist.
    #[error("expected an existing record; put it first")]
    NoSuchRecord,
    /// A field that the kind does not accept.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The author forked in this shard and is cut off.
    #[error("actor {0} is cut off in this shard; start a new incarnation")]
    CutOff(ActorId),
    /// The shard cannot take another change.
    #[error("the shard is exhausted: more than {what}; start a new epoch")]
    Exhausted {
        /// What ran out.
        what: &'static str,
    },
}

/// What a write makes of one record.
struct Target {
    before: Option<Record>,
    after: Option<Record>,
}

/// A key with its new value; `None` deletes.
type KeyValue = (Box<str>, Option<Box<[u8]>>);

/// A record's part of a change: keys with their new values.
struct Edit {
    fact: Fact,
    keys: Vec<KeyValue>,
}

impl Shard {
    /// Writes records as `author`, at a time that the caller read from its clock. Of several
    /// operations on one record the last decides.
    ///
    /// # Errors
    /// [`WriteError`]; nothing was written then.
    pub fn write(
        &mut self,
        author: &Author,
        ops: Vec<RecordOp>,
        at: Timestamp,
    ) -> Result<Written, WriteError> {
        let targets = self.targets(ops)?;
        let edits = targets.into_iter().filter(|(_, target)| target.before != target.after);
        let edits: Vec<Edit> = edits.map(|(id, target)| self.edit(id, target)).collect();
        let keys: usize = edits.iter().map(|edit| edit.keys.len()).sum();
        self.check_room(author, keys)?;
        let mut written = Written::default();
        for batch in batches(edits) {
            let keys = batch.into_iter().flat_map(|edit| {
                written.facts.push(edit.fact);
                edit.keys
            });
            let keys = keys.collect();
            written.changes.push(self.commit(author, keys, at));
        }
        Ok(written)
    }

    /// What each record is to become.
    fn targets(&self, ops: Vec<RecordOp>) -> Result<BTreeMap<RecordId, Target>, WriteError> {
        let mut targets: BTreeMap<RecordId, Target> = BTreeMap::new();
        for op in ops {
            let id = op.id();
            let expected = self.kind.shard_of(id);
            if expected != self.id.index {
                return Err(WriteError::OtherShard { expected, found: self.id.index });
            }
            let target = targets.entry(id.clone()).or_insert_with(|| {
                let before = self.get(id);
                Target { after: before.clone(), before }
            });
            self.aim(target, op)?;
        }
        Ok(targets)
    }

    fn aim(&self, target: &mut Target, op: RecordOp) -> Result<(), WriteError> {
        match op {
            RecordOp::Put { record, .. } => {
                if *record.kind() != self.kind.id {
                    let (expected, found) = (self.kind.id.clone(), record.kind().clone());
                    return Err(WriteError::OtherKind { expected, found });
                }
                target.after = Some(record.into_record());
            }
            RecordOp::Delete { .. } => target.after = None,
            RecordOp::SetField { field, value, .. } => {
                if self.kind.merge != Merge::Field {
                    return Err(WriteError::WholeRecords(self.kind.id.clone()));
                }
                let record = target.after.as_mut().ok_or(WriteError::NoSuchRecord)?;
                set_field(&self.kind, record, field, value)?;
            }
        }
        Ok(())
    }

    /// The keys that make a record what it is to become.
    fn edit(&self, id: RecordId, target: Target) -> Edit {
        let keys = match self.kind.merge {
            Merge::Record => {
                let value = target.after.as_ref().map(|record| record.to_cbor().into_boxed_slice());
                vec![(Box::from(id.as_str()), value)]
            }
            Merge::Field => self.field_keys(&id, &target),
        };
        let Target { before, after } = target;
        Edit { fact: Fact { kind: self.kind.id.clone(), id, before, after }, keys }
    }

    /// A record that is made or deleted takes its existence and all its field keys along, so that
    /// nothing of an earlier life shows; an existing one only the fields that differ.
    fn field_keys(&self, id: &RecordId, target: &Target) -> Vec<KeyValue> {
        let bytes = |value: &Value| value.to_cbor().into_boxed_slice();
        let after = |name: &str| target.after.as_ref().and_then(|record| record.get(name));
        let before = |name: &str| target.before.as_ref().and_then(|record| record.get(name));
        let edits = target.before.is_some() && target.after.is_some();
        let mut keys = Vec::new();
        if !edits {
            let exists = target.after.is_some().then(Box::default);
            keys.push((Box::from(id.as_str()), exists));
        }
        let held: BTreeSet<&str> = self.field_registers(id).map(|(name, _)| name).collect();
        for field in self.kind.fields.values() {
            let name = field.id.as_str();
            let value = after(name);
            let changed =
                if edits { value != before(name) } else { value.is_some() || held.contains(name) };
            if changed {
                keys.push((field_key(id, &field.id), value.map(bytes)));
            }
        }
        keys
    }

    fn check_room(&self, author: &Author, keys: usize) -> Result<(), WriteError> {
        let exhausted = |what| Err(WriteError::Exhausted { what });
        if self.cuts().contains_key(&author.id()) {
            return Err(WriteError::CutOff(author.id()));
        }
        if !self.history.has_room_for(&author.id()) {
            return exhausted("the actors a shard may have");
        }
        if self.heads().len() > MAX_CHANGE_DEPS {
            return exhausted("the concurrent changes one change may join");
        }
        let last = u64::from(self.history.present().last_op);
        let last = last.saturating_add(u64::try_from(keys).unwrap_or(u64::MAX));
        if u32::try_from(last).is_err() {
            return exhausted("four billion operations");
        }
        Ok(())
    }

    /// Makes, signs and applies one change.
    fn commit(&mut self, author: &Author, keys: Vec<KeyValue>, at: Timestamp) -> SignedChange {
        let past = self.history.present();
        let mut body = self.describe(author, keys, at, &past);
        body.head.hash = automerge::hash_of(&automerge::change(&body));
        let bytes = codec::encode(&body);
        let signature = author.key().sign(&codec::to_be_signed(&bytes));
        let signed = SignedChange::from_parts(codec::seal(&bytes, &signature), body.head.clone());
        self.take(body, past);
        signed
    }

    fn describe(&self, author: &Author, keys: Vec<KeyValue>, at: Timestamp, past: &Past) -> Body {
        let held: Vec<Vec<(u64, ActorId)>> = keys.iter().map(|(key, _)| self.held(key)).collect();
        let others: BTreeSet<ActorId> =
            held.iter().flatten().map(|(_, actor)| *actor).filter(|a| *a != author.id()).collect();
        let others: Vec<ActorId> = others.into_iter().take(MAX_CHANGE_ACTORS).collect();
        let number = |actor: &ActorId| match others.binary_search(actor) {
            Ok(index) => u32::try_from(index.saturating_add(1)).ok(),
            Err(_) => (*actor == author.id()).then_some(0),
        };
        let preds = held.iter().map(|held| {
            let pred = |(counter, actor): &(u64, ActorId)| {
                Some(Pred { counter: *counter, actor: number(actor)? })
            };
            held.iter().filter_map(pred).collect()
        });
        let preds: Vec<Vec<Pred>> = preds.collect();
        let ops = keys.into_iter().zip(preds);
        let ops = ops.map(|((key, value), preds)| KeyOp { key, value, preds }).collect();
        let seq = self.history.count(&author.id()).saturating_add(1);
        let head = Head { shard: self.id.clone(), actor: *author.actor(), seq, hash: Digest::ZERO };
        let deps = self.heads().iter().copied().collect();
        let start_op = u64::from(past.last_op).saturating_add(1);
        Body { head, start_op, time: at.as_millis(), deps, others, ops }
    }

    /// The operations whose values a key holds, as predecessors: in order, the greatest few.
    fn held(&self, key: &str) -> Vec<(u64, ActorId)> {
        let versions = self.registers.get(key).map_or(&[][..], Register::versions);
        let id = |v: &Version| Some((u64::from(v.counter), *self.history.actor(v.actor)?));
        let mut held: Vec<(u64, ActorId)> = versions.iter().filter_map(id).collect();
        held.sort_unstable();
        held.split_off(held.len().saturating_sub(MAX_PREDECESSORS))
    }

    /// Takes an own change in; it has seen everything, so it replaces whatever its keys hold.
    fn take(&mut self, body: Body, past: Past) {
        let clock = past.clock.clone();
        let place = self.enter(&body, past);
        let mut counter = u32::try_from(body.start_op).unwrap_or(u32::MAX);
        for op in body.ops {
            self.replace(op.key, op.value, &clock, place, counter);
            counter = counter.saturating_add(1);
        }
    }
}

fn set_field(
    kind: &Kind,
    record: &mut Record,
    field: FieldId,
    value: Option<Value>,
) -> Result<(), FieldError> {
    let error = |fault| FieldError { field: field.to_string(), fault };
    let Some(known) = kind.field(field.as_str()) else {
        return Err(error(Fault::UnknownField));
    };
    match value {
        Some(value) => {
            value.check(&known.field_type).map_err(error)?;
            record.set(field, value);
        }
        None if known.required => return Err(error(Fault::Missing)),
        None => drop(record.unset(field.as_str())),
    }
    Ok(())
}

/// Cuts edits into as many changes as the limits of one demand.
fn batches(edits: Vec<Edit>) -> Vec<Vec<Edit>> {
    let most_bytes = MAX_CHANGE_BYTES.saturating_sub(RESERVED_BYTES);
    let mut batches: Vec<Vec<Edit>> = Vec::new();
    let (mut ops, mut bytes) = (0usize, 0usize);
    for edit in edits {
        let edit_ops = edit.keys.len();
        let edit_bytes = edit.keys.iter().map(key_len).fold(0, usize::saturating_add);
        ops = ops.saturating_add(edit_ops);
        bytes = bytes.saturating_add(edit_bytes);
        match batches.last_mut() {
            Some(batch) if ops <= MAX_CHANGE_OPS && bytes <= most_bytes => batch.push(edit),
            _ => {
                batches.push(vec![edit]);
                (ops, bytes) = (edit_ops, edit_bytes);
            }
        }
    }
    batches
}

/// An upper bound of the bytes of one operation, with all its predecessors.
fn key_len((key, value): &KeyValue) -> usize {
    /// Three heads of lengths and eight predecessors of eight bytes.
    const OVERHEAD_BYTES: usize = 80;
    let value = value.as_ref().map_or(0, |value| value.len());
    key.len().saturating_add(value).saturating_add(OVERHEAD_BYTES)
}
