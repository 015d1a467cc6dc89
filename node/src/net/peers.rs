//! The connections of each peer: which there are, which is the newest, which have gone silent.
//! Pure: time comes in.

use std::collections::BTreeMap;
use std::time::Duration;

use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

use super::limits::CONNECTIONS_PER_PEER;
use super::peer::PeerKey;

#[derive(Debug)]
struct Connection {
    id: ConnectionId,
    /// When it was opened or its last ping was answered.
    heard: Instant,
}

/// All connections that count. One that is still closing does not.
#[derive(Debug, Default)]
pub(super) struct Peers {
    /// Oldest connection first; never an empty list.
    connections: BTreeMap<PeerKey, Vec<Connection>>,
    owners: BTreeMap<ConnectionId, PeerKey>,
}

impl Peers {
    /// Adds a connection; the oldest of the peer if there are now too many.
    pub(super) fn add(
        &mut self,
        peer: PeerKey,
        id: ConnectionId,
        now: Instant,
    ) -> Option<ConnectionId> {
        let connections = self.connections.entry(peer).or_default();
        connections.push(Connection { id, heard: now });
        self.owners.insert(id, peer);
        let too_many = connections.len() > CONNECTIONS_PER_PEER;
        connections.first().filter(|_| too_many).map(|oldest| oldest.id)
    }

    /// Forgets a connection; whose it was.
    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<PeerKey> {
        let peer = self.owners.remove(&id)?;
        if let Some(connections) = self.connections.get_mut(&peer) {
            connections.retain(|connection| connection.id != id);
            if connections.is_empty() {
                self.connections.remove(&peer);
            }
        }
        Some(peer)
    }

    /// Forgets all connections of a peer; which they were.
    pub(super) fn remove_all(&mut self, peer: PeerKey) -> Vec<ConnectionId> {
        let gone = self.connections.remove(&peer).unwrap_or_default();
        let ids: Vec<ConnectionId> = gone.iter().map(|connection| connection.id).collect();
        for id in &ids {
            self.owners.remove(id);
        }
        ids
    }

    pub(super) fn owner(&self, id: ConnectionId) -> Option<PeerKey> {
        self.owners.get(&id).copied()
    }

    pub(super) fn is_connected(&self, peer: PeerKey) -> bool {
        self.connections.contains_key(&peer)
    }

    /// The connected peers.
    pub(super) fn names(&self) -> impl Iterator<Item = PeerKey> {
        self.connections.keys().copied()
    }

    /// The connection to send on: after a restart of the peer only the newest is alive.
    pub(super) fn newest(&self, peer: PeerKey) -> Option<ConnectionId> {
        self.connections.get(&peer)?.last().map(|connection| connection.id)
    }

    /// A ping on this connection was answered.
    pub(super) fn heard(&mut self, id: ConnectionId, now: Instant) {
        let Some(peer) = self.owners.get(&id) else { return };
        let connections = self.connections.get_mut(peer).into_iter().flatten();
        for connection in connections.filter(|connection| connection.id == id) {
            connection.heard = now;
        }
    }

    /// The connections on which no ping was answered for so long.
    pub(super) fn silent(&self, now: Instant, patience: Duration) -> Vec<ConnectionId> {
        let all = self.connections.values().flatten();
        let silent = all.filter(|one| now.saturating_duration_since(one.heard) > patience);
        silent.map(|connection| connection.id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: PeerKey = PeerKey::new([1; 32]);

    #[test]
    fn a_third_connection_names_the_oldest() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        let [a, b, c] = [1, 2, 3].map(ConnectionId::new_unchecked);
        assert_eq!(peers.add(PEER, a, now), None);
        assert_eq!(peers.add(PEER, b, now), None);
        assert_eq!(peers.add(PEER, c, now), Some(a));
        assert_eq!(peers.newest(PEER), Some(c));
        assert_eq!(peers.remove(a), Some(PEER));
        assert_eq!(peers.remove(a), None);
        assert_eq!(peers.remove_all(PEER), [b, c]);
        assert!(!peers.is_connected(PEER));
    }

    #[test]
    fn silence_is_counted_from_the_last_answered_ping() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        let [a, b] = [1, 2].map(ConnectionId::new_unchecked);
        peers.add(PEER, a, now);
        peers.add(PEER, b, now);
        let patience = Duration::from_secs(15);
        peers.heard(b, now + Duration::from_secs(10));
        assert!(peers.silent(now + patience, patience).is_empty());
        assert_eq!(peers.silent(now + Duration::from_secs(16), patience), [a]);
    }
}
