//! A look at every application byte, before encryption and after decryption. For tests that
//! search the wire for what must not be on it; a running node has none.

use std::fmt;
use std::sync::Arc;

use super::peer::PeerKey;
use super::protocol::Protocol;

/// Which way bytes went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Out of this node.
    Sent,
    /// Into this node.
    Received,
}

type Look = dyn Fn(Direction, PeerKey, Protocol, &[u8]) + Send + Sync;

/// A function that sees every frame. It is called on the path of the bytes: it must be quick and
/// must not block.
#[derive(Clone)]
pub struct Tap(Arc<Look>);

impl Tap {
    /// A tap that calls `look` with each frame.
    pub fn new(look: impl Fn(Direction, PeerKey, Protocol, &[u8]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(look))
    }

    pub(super) fn see(&self, way: Direction, peer: PeerKey, protocol: Protocol, bytes: &[u8]) {
        (self.0)(way, peer, protocol, bytes);
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tap")
    }
}
