//! From a signed change to a verified one: who may write what, and whether this is one of theirs.
//!
//! The directory is filled by the caller from writer certificates that it has checked; this module
//! knows no certificates. Cheap checks come first, the signature before anything is parsed of the
//! operations, the records last.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reeve_statement::key::{KeyId, PublicKey};
use reeve_statement::names::KindId;
use reeve_statement::time::Timestamp;

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

/// For how long a certificate lets a writer write what. Compared with the time that a change carries
/// and its writer signed, never with a clock: so every node decides alike, whenever a change reaches
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriterTerm {
    /// Which kinds.
    pub kinds: WritableKinds,
    /// From when on.
    pub from: Timestamp,
    /// Until when, exclusive.
    pub until: Timestamp,
    /// From when on its changes do not count because the certificate, or one above it, was revoked.
    pub struck_at: Option<Timestamp>,
}

impl WriterTerm {
    fn covers(&self, kind: &KindId, at: Timestamp) -> bool {
        self.kinds.contains(kind) && self.from <= at && at < self.until
    }

    fn is_struck(&self, at: Timestamp) -> bool {
        self.struck_at.is_some_and(|struck| struck <= at)
    }
}

/// The writers of a home, by key.
#[derive(Debug, Clone, Default)]
pub struct WriterDirectory(BTreeMap<KeyId, (PublicKey, Vec<WriterTerm>)>);

impl WriterDirectory {
    /// A home without writers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Enters a writer for all times, or replaces what it may write.
    pub fn insert(&mut self, key: PublicKey, kinds: WritableKinds) {
        let (from, until) = (i64::MIN, i64::MAX);
        let (from, until) = (Timestamp::from_millis(from), Timestamp::from_millis(until));
        self.0
            .insert(key.key_id(), (key, vec![WriterTerm { kinds, from, until, struck_at: None }]));
    }

    /// Adds what one of a writer's certificates allows.
    pub fn grant(&mut self, key: PublicKey, term: WriterTerm) {
        self.0.entry(key.key_id()).or_insert_with(|| (key, Vec::new())).1.push(term);
    }

    /// A writer's key.
    #[must_use]
    pub fn key(&self, key: &KeyId) -> Option<&PublicKey> {
        self.0.get(key).map(|(key, _)| key)
    }

    /// Whether a writer may change records of the kind at a time.
    #[must_use]
    pub fn may_write_at(&self, key: &KeyId, kind: &KindId, at: Timestamp) -> bool {
        self.terms(key).any(|term| term.covers(kind, at) && !term.is_struck(at))
    }

    /// Whether a change was made after its writer was struck off, as its own time says: it does not
    /// count, and neither does what its actor did afterwards.
    #[must_use]
    pub fn is_struck(&self, change: &VerifiedChange) -> bool {
        let at = Timestamp::from_millis(change.body().time);
        let (writer, kind) = (&change.signed().actor().writer, &change.signed().shard().kind);
        self.terms(writer).any(|term| term.covers(kind, at) && term.is_struck(at))
            && !self.may_write_at(writer, kind, at)
    }

    /// Whether any of a writer's certificates was revoked.
    pub fn struck(&self) -> impl Iterator<Item = (&KeyId, Timestamp)> {
        let least = |terms: &[WriterTerm]| terms.iter().filter_map(|term| term.struck_at).min();
        self.0.iter().filter_map(move |(key, (_, terms))| Some((key, least(terms)?)))
    }

    fn terms(&self, key: &KeyId) -> impl Iterator<Item = &WriterTerm> {
        self.0.get(key).into_iter().flat_map(|(_, terms)| terms)
    }

    /// Strikes a writer: no further change of it is accepted from anyone.
    pub fn remove(&mut self, key: &KeyId) -> bool {
        self.0.remove(key).is_some()
    }

    /// Whether the holder of the key may change records of the kind.
    #[must_use]
    pub fn may_write(&self, key: &KeyId, kind: &KindId) -> bool {
        self.terms(key).any(|term| term.kinds.contains(kind))
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
    /// Enrolled, but not at the time that the change carries, as far as is known here.
    #[error("no certificate of writer {0} that is known here covers the time of the change")]
    OutOfTime(KeyId),
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
    /// Checks that an enrolled writer signed this change, may write its kind at the time that it
    /// carries, kept to the limits, and wrote records that the schema accepts. One by a writer who was
    /// struck off before is verified too; [`Shard::settle`] knows that it does not count.
    ///
    /// [`Shard::settle`]: super::Shard::settle
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
        let Some((key, _)) = writers.0.get(&writer) else {
            return Err(VerifyError::UnknownWriter(writer));
        };
        if !writers.may_write(&writer, kind) {
            return Err(VerifyError::NotPermitted { writer, kind: kind.clone() });
        }
        let (body, signature) = self.envelope()?;
        key.verify(&codec::to_be_signed(body), &signature)
            .map_err(|_| VerifyError::BadSignature(writer))?;
        let change = self.open(schema)?;
        let at = Timestamp::from_millis(change.body().time);
        let kind = &change.signed().shard().kind;
        if writers.may_write_at(&writer, kind, at) || writers.is_struck(&change) {
            return Ok(change);
        }
        Err(VerifyError::OutOfTime(writer))
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
