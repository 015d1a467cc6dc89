//! The exchanges of all connections, as libp2p's swarm polls them: gives each connection its
//! handler and each peer its share, and passes requests and responses between them and the
//! network task. It decides nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler,
    ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use super::event::Refusal;
use super::exchange::{Line, Outgoing};
use super::handler::{Handler, Told};
use super::limits::NetLimits;
use super::peer::PeerKey;
use super::protocol::Protocol;
use super::share::Share;
use super::tap::Tap;

/// Something that happened on a connection.
#[derive(Debug)]
pub(super) struct Carried {
    pub(super) peer: PeerId,
    pub(super) connection: ConnectionId,
    pub(super) told: Told,
}

/// The behaviour that carries frames.
pub(super) struct Carrier {
    offer: &'static [Protocol],
    limits: Arc<NetLimits>,
    tap: Option<Tap>,
    shares: BTreeMap<PeerKey, Arc<Share>>,
    /// Peers whose share outlives their connections.
    lasting: BTreeSet<PeerKey>,
    queue: VecDeque<ToSwarm<Carried, Outgoing>>,
}

impl Carrier {
    pub(super) fn new(
        offer: &'static [Protocol],
        limits: Arc<NetLimits>,
        tap: Option<Tap>,
    ) -> Self {
        Self {
            offer,
            limits,
            tap,
            shares: BTreeMap::new(),
            lasting: BTreeSet::new(),
            queue: VecDeque::new(),
        }
    }

    /// Sends a request over a connection. The network task bounds how many are under way.
    pub(super) fn send(&mut self, peer: PeerId, connection: ConnectionId, out: Outgoing) {
        self.queue.push_back(ToSwarm::NotifyHandler {
            peer_id: peer,
            handler: NotifyHandler::One(connection),
            event: out,
        });
    }

    /// The shares of these peers are kept when they disconnect; those of others are dropped then.
    pub(super) fn remember(&mut self, peers: BTreeSet<PeerKey>) {
        self.shares.retain(|peer, share| peers.contains(peer) || Arc::strong_count(share) > 1);
        self.lasting = peers;
    }

    fn handler(&mut self, peer: &PeerId) -> Result<Handler, ConnectionDenied> {
        let Some(peer) = PeerKey::from_peer_id(peer) else {
            return Err(ConnectionDenied::new(Refusal::UnknownPeer));
        };
        let (offer, rate) = (self.offer, self.limits.requests_per_peer);
        let share = self.shares.entry(peer).or_insert_with(|| Arc::new(Share::new(offer, rate)));
        let line = Line { peer, share: Arc::clone(share), tap: self.tap.clone() };
        Ok(Handler::new(offer, line, self.limits.request_deadline))
    }

    fn on_closed(&mut self, closed: &ConnectionClosed<'_>) {
        let Some(peer) = PeerKey::from_peer_id(&closed.peer_id) else { return };
        if closed.remaining_established == 0 && !self.lasting.contains(&peer) {
            self.shares.remove(&peer);
        }
    }
}

impl NetworkBehaviour for Carrier {
    type ConnectionHandler = Handler;
    type ToSwarm = Carried;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        self.handler(&peer)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        self.handler(&peer)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ConnectionClosed(closed) = event {
            self.on_closed(&closed);
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, told: Told) {
        self.queue.push_back(ToSwarm::GenerateEvent(Carried { peer, connection, told }));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Carried, Outgoing>> {
        match self.queue.pop_front() {
            Some(event) => Poll::Ready(event),
            None => Poll::Pending,
        }
    }
}
