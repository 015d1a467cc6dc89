//! The automerge document of a shard, made from its log when somebody wants one: to hand the history
//! to other automerge tools, and to check a shard against automerge itself.
//!
//! A node needs no documents to work (see [`super`]). Automerge gets only changes that this node
//! built, from a log that verification accepted; predecessors, which verification cannot check
//! alone, are checked here against the whole log before automerge sees them.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::{Automerge, ChangeHash, ROOT, ReadDoc, ScalarValue, Value as AutomergeValue};
use reeve_statement::digest::Digest;

use super::actor::ActorId;
use super::change::{Body, VerifiedChange};
use super::shard::Shard;
use super::{ShardId, automerge as build};

/// The automerge document of a shard.
#[derive(Clone)]
pub struct Document(Automerge);

/// Why a log makes no document. The shard is sound all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// A document holds no forks.
    #[error("shard {0} has a writer that forked; a document cannot say so")]
    Forked(ShardId),
    /// A change names a predecessor that is not an earlier operation on the same key. Its writer is
    /// at fault; shards do not go by predecessors.
    #[error("actor {actor}, change {seq}: a predecessor is no earlier operation on its key")]
    Predecessor {
        /// The actor.
        actor: ActorId,
        /// The change's number.
        seq: u64,
    },
    /// The log is not that of the shard, or a change lacks what it depends on.
    #[error("expected the heads of shard {0}; the log lacks changes")]
    Incomplete(ShardId),
    /// Automerge refused what this node built; our bug.
    #[error("automerge: {0}")]
    Automerge(String),
}

impl Document {
    /// The document of a shard from its whole log.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn of(shard: &Shard, log: &[VerifiedChange]) -> Result<Self, DocumentError> {
        if !shard.cuts().is_empty() {
            return Err(DocumentError::Forked(shard.id().clone()));
        }
        let mut bodies: Vec<&Body> = log.iter().map(VerifiedChange::body).collect();
        bodies.sort_by_key(|body| body.start_op);
        check_predecessors(&bodies)?;
        let genesis = build::genesis(&shard.home, shard.id(), shard.kind().shards);
        let changes = bodies.into_iter().map(build::change);
        let changes: Vec<_> = std::iter::once(genesis).chain(changes).collect();
        // The last belt only: nothing known makes automerge panic on these.
        let document = catch_unwind(AssertUnwindSafe(|| {
            let mut document = Automerge::new();
            document.apply_changes(changes).map(|()| document)
        }));
        let document = match document {
            Ok(Ok(document)) => Self(document),
            Ok(Err(error)) => return Err(DocumentError::Automerge(error.to_string())),
            Err(_) => return Err(DocumentError::Automerge("it panicked".to_owned())),
        };
        let complete = document.heads().iter().eq(shard.heads());
        if complete { Ok(document) } else { Err(DocumentError::Incomplete(shard.id().clone())) }
    }

    /// The hashes of the changes that no other depends on, ascending.
    #[must_use]
    pub fn heads(&self) -> Vec<Digest> {
        let mut heads: Vec<Digest> = self
            .0
            .get_heads()
            .into_iter()
            .map(|ChangeHash(hash)| Digest::from_bytes(hash))
            .collect();
        heads.sort_unstable();
        heads
    }

    /// What automerge shows at each key. Holds records: not for logs.
    #[must_use]
    pub fn entries(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = self.0.keys(ROOT).filter_map(|key| match self.0.get(ROOT, key.as_str()) {
            Ok(Some((AutomergeValue::Scalar(value), _))) => match value.into_owned() {
                ScalarValue::Bytes(bytes) => Some((key, bytes)),
                _ => None,
            },
            _ => None,
        });
        entries.collect()
    }

    /// The document in automerge's own format. Holds records and their history: never leaves home.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        self.0.save()
    }
}

/// Its heads; never a record.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Document").field(&self.heads()).finish()
    }
}

impl Shard {
    /// What this shard shows at each key, to compare with [`Document::entries`].
    #[must_use]
    pub fn entries(&self) -> BTreeMap<String, Vec<u8>> {
        let shown = |value: &[u8]| value.to_vec();
        self.registers
            .iter()
            .map(|(key, register)| (key.to_string(), shown(register.value(&self.history))))
            .collect()
    }
}

fn check_predecessors(bodies: &[&Body]) -> Result<(), DocumentError> {
    let mut keys: BTreeMap<(u64, ActorId), &str> = BTreeMap::new();
    for body in bodies {
        let (actor, seq) = (body.head.actor.id(), body.head.seq);
        for (counter, op) in (body.start_op..).zip(&body.ops) {
            for pred in &op.preds {
                let on_key = body.actor_of(pred.actor).and_then(|a| keys.get(&(pred.counter, a)));
                if on_key.is_none_or(|key| *key != &*op.key) {
                    return Err(DocumentError::Predecessor { actor, seq });
                }
            }
            keys.insert((counter, actor), &op.key);
        }
    }
    Ok(())
}
