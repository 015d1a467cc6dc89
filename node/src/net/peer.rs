//! The key that names a node on the network.
//!
//! A node is known by its Ed25519 public key and by nothing else: libp2p's `PeerId` is that key in
//! an identity multihash. This module translates between the two, so that no other part of the
//! node ever sees a libp2p type. It never decides whether a key may connect.

use std::fmt;

use libp2p::PeerId;
use libp2p::identity::Keypair;

/// What stands before the 32 key bytes in the bytes of a `PeerId`: identity multihash (0x00) of
/// 36 (0x24) bytes, which are the protobuf of an Ed25519 key (type 1, 32 bytes of data).
const PEER_ID_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// The Ed25519 public key of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey([u8; 32]);

impl PeerKey {
    /// The peer with these public key bytes.
    pub const fn new(public_key: [u8; 32]) -> Self {
        Self(public_key)
    }

    /// The public key bytes.
    pub const fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// The key in a libp2p `PeerId`; none if that is not an Ed25519 key in full.
    pub(super) fn from_peer_id(peer: &PeerId) -> Option<Self> {
        let bytes = peer.to_bytes();
        let key = bytes.strip_prefix(&PEER_ID_PREFIX)?;
        Some(Self(key.try_into().ok()?))
    }

    /// The end of a multiaddress that names this peer: `/p2p/12D3Koo...`.
    ///
    /// None cannot happen with the libp2p this was written for.
    pub fn address_end(self) -> Option<String> {
        self.to_peer_id().map(|peer| format!("/p2p/{peer}"))
    }

    /// The libp2p name of this peer.
    ///
    /// None cannot happen with the libp2p this was written for; callers treat it as "no such
    /// peer" instead of panicking.
    pub(super) fn to_peer_id(self) -> Option<PeerId> {
        let mut bytes = PEER_ID_PREFIX.to_vec();
        bytes.extend_from_slice(&self.0);
        PeerId::from_bytes(&bytes).ok()
    }
}

impl fmt::Display for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerKey({self})")
    }
}

/// The libp2p key pair of a secret Ed25519 seed, and the peer it makes us.
pub(super) fn key_pair(seed: &[u8; 32]) -> Option<(Keypair, PeerKey)> {
    // libp2p wipes the copy it is given.
    let pair = Keypair::ed25519_from_bytes(*seed).ok()?;
    let peer = PeerKey::from_peer_id(&pair.public().to_peer_id())?;
    Some((pair, peer))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_peer_id_and_its_key_name_each_other() {
        let (pair, peer) = key_pair(&[7; 32]).unwrap();
        let public = pair.public().try_into_ed25519().unwrap();
        assert_eq!(peer.to_bytes(), public.to_bytes());
        assert_eq!(peer.to_peer_id().unwrap(), pair.public().to_peer_id());
        assert_eq!(PeerKey::from_peer_id(&pair.public().to_peer_id()), Some(peer));
    }

    #[test]
    fn a_hashed_peer_id_is_no_key() {
        let hashed: PeerId = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N".parse().unwrap();
        assert_eq!(PeerKey::from_peer_id(&hashed), None);
    }
}
