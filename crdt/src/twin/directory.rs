//! From a signed change to a verified one: who may write what, and whether this is one of theirs.
//!
//! The directory is filled by the caller from writer certificates that it has checked; this module
//! knows no certificates. Cheap checks come first, the signature before anything is parsed of the
//! operations, the records last.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reeve_statement::key::{KeyId, PublicKey};
use reeve_statement::names::KindId;

use super::change::{Body, SignedChange, VerifiedChange};
use super::codec::{self, ChangeError};
use super::layout::{self, LayoutError};
use crate::schema::{Kind, Schema};

/// Which kinds a writer may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WritableKinds {
    /// Every kind, such as the reporting node's own.
    All,
    /// The named kinds, such as a department's.
    Only(BTreeSet<KindId>),
}

impl WritableKinds {
    /// Whether the kind is among them.
    #[must_use]
    pub fn contains(&self, kind: &KindId) -> bool {
        match self {
            Self::All => true,
            Self::Only(kinds) => kinds.contains(kind),
        }
    }
}

/// The writers of a home, by key.
#[derive(Debug, Clone, Default)]
pub struct WriterDirectory(BTreeMap<KeyId, (PublicKey, WritableKinds)>);

impl WriterDirectory {
    /// A home without writers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Enters a writer, or replaces what it may write.
    pub fn insert(&mut self, key: PublicKey, kinds: WritableKinds) {
        self.0.insert(key.key_id(), (key, kinds));
    }

    /// Strikes a writer: no further change of it is accepted from anyone.
    pub fn remove(&mut self, key: &KeyId) -> bool {
        self.0.remove(key).is_some()
    }

    /// Whether the holder of the key may change records of the kind.
    #[must_use]
    pub fn may_write(&self, key: &KeyId, kind: &KindId) -> bool {
        self.0.get(key).is_some_and(|(_, kinds)| kinds.contains(kind))
    }
}

/// Why a change is refused before it comes near a shard. Its sender or writer is at fault; the
/// honest ones go on. Nothing of a record is shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Not in the home's directory.
    #[error("the writer {0} is not enrolled in this home or was struck; enrol it or drop its node")]
    UnknownWriter(KeyId),
    /// Enrolled, but not for this kind.
    #[error("the writer {writer} may not write kind `{kind}`; its certificate names its kinds")]
    NotPermitted {
        /// The writer.
        writer: KeyId,
        /// The kind.
        kind: KindId,
    },
    /// The signature does not hold.
    #[error("the signature of writer {0} does not hold; the change was altered or forged")]
    BadSignature(KeyId),
    /// The schema has no such kind.
    #[error("expected a kind of this home's schema, found `{0}`; the home's schemas differ")]
    UnknownKind(KindId),
    /// The kind has fewer shards.
    #[error("expected a shard below {shards}, found {found}; the home's schemas differ")]
    UnknownShard {
        /// How many the kind has.
        shards: u32,
        /// The shard named.
        found: u32,
    },
    /// Not well-formed, or over a limit.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// Its operations are not those of records of the kind.
    #[error("the change of writer {writer}: {error}")]
    Layout {
        /// The writer.
        writer: KeyId,
        /// What is wrong.
        error: LayoutError,
    },
    /// A counter, dependency or predecessor that no honest writer makes.
    #[error("the change of writer {writer}: its {what} out of order")]
    Order {
        /// The writer.
        writer: KeyId,
        /// What.
        what: &'static str,
    },
}

impl SignedChange {
    /// Checks that an enrolled writer signed this change, may write its kind, kept to the limits,
    /// and wrote records that the schema accepts.
    ///
    /// # Errors
    /// [`VerifyError`], a different one for each of these.
    pub fn verify(
        self,
        writers: &WriterDirectory,
        schema: &Schema,
    ) -> Result<VerifiedChange, VerifyError> {
        let writer = self.actor().writer;
        let kind = &self.shard().kind;
        let Some((key, kinds)) = writers.0.get(&writer) else {
            return Err(VerifyError::UnknownWriter(writer));
        };
        if !kinds.contains(kind) {
            return Err(VerifyError::NotPermitted { writer, kind: kind.clone() });
        }
        let (body, signature) = self.envelope()?;
        key.verify(&codec::to_be_signed(body), &signature)
            .map_err(|_| VerifyError::BadSignature(writer))?;
        self.open(schema)
    }

    /// Reads a change of this node's own log, which was verified before it got there. Everything is
    /// checked again but the signature and the writer's rights, which may have ended since.
    ///
    /// # Errors
    /// [`VerifyError`]: the log is damaged, or the schema changed under it.
    pub fn from_own_log(bytes: &[u8], schema: &Schema) -> Result<VerifiedChange, VerifyError> {
        Self::decode(bytes)?.open(schema)
    }

    fn open(self, schema: &Schema) -> Result<VerifiedChange, VerifyError> {
        let kind = self.kind(schema)?;
        let (body, _) = self.envelope()?;
        let body = codec::body(body)?;
        let writer = self.actor().writer;
        check_order(&body).map_err(|what| VerifyError::Order { writer, what })?;
        layout::check(&kind, self.shard().index, &body.ops)
            .map_err(|error| VerifyError::Layout { writer, error })?;
        Ok(VerifiedChange::new(self, body))
    }

    fn kind(&self, schema: &Schema) -> Result<Arc<Kind>, VerifyError> {
        let shard = self.shard();
        let Some(kind) = schema.kind(shard.kind.as_str()) else {
            return Err(VerifyError::UnknownKind(shard.kind.clone()));
        };
        if shard.index >= kind.shards {
            return Err(VerifyError::UnknownShard { shards: kind.shards, found: shard.index });
        }
        Ok(Arc::clone(kind))
    }
}

/// What can be said of counters and lists without knowing the shard. Automerge panics on some of
/// what this refuses.
fn check_order(body: &Body) -> Result<(), &'static str> {
    fn strictly_ascending<T: Ord>(list: &[T]) -> bool {
        list.iter().zip(list.iter().skip(1)).all(|(a, b)| a < b)
    }
    if body.head.seq == 0 || u32::try_from(body.head.seq).is_err() {
        return Err("sequence number is");
    }
    if body.start_op == 0 || u32::try_from(body.last_op()).is_err() {
        return Err("counters are");
    }
    if body.deps.is_empty() || !strictly_ascending(&body.deps) {
        return Err("dependencies are");
    }
    if !strictly_ascending(&body.others) || body.others.contains(&body.head.actor.id()) {
        return Err("actors are");
    }
    let others = body.others.len();
    let known = |actor: u32| usize::try_from(actor).is_ok_and(|actor| actor <= others);
    for op in &body.ops {
        // The author's own id takes its place among the others when preds are compared.
        let ids = op.preds.iter().map(|pred| (pred.counter, body.actor_of(pred.actor)));
        let ids: Vec<_> = ids.collect();
        let earlier = |counter: u64| counter > 0 && counter < body.start_op;
        let sound = op.preds.iter().all(|p| earlier(p.counter) && known(p.actor));
        if !sound || !strictly_ascending(&ids) {
            return Err("predecessors are");
        }
    }
    Ok(())
}
