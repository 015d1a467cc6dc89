//! Who made a change: a writer at a node, in one incarnation of that node's store.

use std::fmt;

use reeve_statement::digest::Digest;
use reeve_statement::key::{KeyId, SecretKey};

/// Bytes of an actor's id. Automerge keeps 16 without allocating.
const ACTOR_BYTES: usize = 16;

/// An actor's name in the documents: a hash over its three parts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorId([u8; ACTOR_BYTES]);

impl ActorId {
    /// Takes the 16 bytes of an id.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; ACTOR_BYTES] {
        &self.0
    }

    /// The first bytes of a digest.
    pub(super) fn of_digest(digest: &Digest) -> Self {
        let mut id = [0; ACTOR_BYTES];
        for (to, from) in id.iter_mut().zip(digest.as_bytes()) {
            *to = *from;
        }
        Self(id)
    }
}

impl fmt::Display for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActorId({self})")
    }
}

/// The parts of an actor. A store restored from a backup is a new incarnation, because the old one
/// may have signed sequence numbers that the backup does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Actor {
    /// The key that signs.
    pub writer: KeyId,
    /// The node at which it writes.
    pub node: KeyId,
    /// Which life of that node's store.
    pub incarnation: u64,
}

impl Actor {
    /// The actor's name in the documents.
    #[must_use]
    pub fn id(&self) -> ActorId {
        let incarnation = self.incarnation.to_be_bytes();
        let parts: [&[u8]; 4] =
            [b"reeve/actor/1\0", self.writer.as_bytes(), self.node.as_bytes(), &incarnation];
        ActorId::of_digest(&Digest::of_parts(&parts))
    }
}

/// An actor with its key: what it takes to write.
#[derive(Debug, Clone)]
pub struct Author {
    key: SecretKey,
    actor: Actor,
    id: ActorId,
}

impl Author {
    /// The holder of `key`, writing at `node`.
    #[must_use]
    pub fn new(key: SecretKey, node: KeyId, incarnation: u64) -> Self {
        let actor = Actor { writer: key.public().key_id(), node, incarnation };
        Self { key, actor, id: actor.id() }
    }

    /// Who it is.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Its name in the documents.
    #[must_use]
    pub fn id(&self) -> ActorId {
        self.id
    }

    pub(super) fn key(&self) -> &SecretKey {
        &self.key
    }
}
