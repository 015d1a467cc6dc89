//! The network task: takes commands, polls libp2p, tells what happened. It never waits for the
//! node (events that are not taken wait in the outbox) and never computes anything long, so pings
//! are answered and connections are cut whatever the node is busy with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionError, ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, ping};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::address::{AddressError, NodeAddress};
use super::behaviour::{Behaviour, BehaviourEvent};
use super::carrier::Carried;
use super::event::{
    DialFailure, DisconnectReason, InboundId, NetCommand, NetEvent, Refusal, RequestId, SendFailure,
};
use super::exchange::{Incoming, Outgoing};
use super::handler::Told;
use super::limits::{ADDRESSES_PER_PEER, NetLimits, TICK};
use super::node::NetConfig;
use super::outbox::Outbox;
use super::peer::PeerKey;
use super::peers::Peers;
use super::protocol::Protocol;
use super::redial::Redial;
use super::sends::Sends;
use super::translate;

/// The answer to a dial's first half: where the peer can be reached.
type Resolved = (PeerKey, Result<Vec<Multiaddr>, DialFailure>);

/// Requests that the node has been told of and may still answer.
#[derive(Debug, Default)]
struct Asked {
    last: u64,
    open: BTreeMap<InboundId, (Instant, oneshot::Sender<Vec<u8>>)>,
}

impl Asked {
    fn add(&mut self, answer: oneshot::Sender<Vec<u8>>, until: Instant) -> InboundId {
        self.last += 1;
        self.open.insert(InboundId(self.last), (until, answer));
        InboundId(self.last)
    }

    /// Forgets those that can no longer be answered; the oldest come first.
    fn expire(&mut self, now: Instant) {
        while let Some(oldest) = self.open.first_entry() {
            if oldest.get().0 > now {
                return;
            }
            oldest.remove();
        }
    }
}

/// The state of the task.
pub(super) struct Driver {
    swarm: Swarm<Behaviour>,
    limits: Arc<NetLimits>,
    allow_private: bool,
    allowed: BTreeSet<PeerKey>,
    peers: Peers,
    sends: Sends,
    asked: Asked,
    redial: Redial,
    resolving: FuturesUnordered<BoxFuture<'static, Resolved>>,
    outbox: Outbox,
}

impl Driver {
    pub(super) fn new(swarm: Swarm<Behaviour>, limits: Arc<NetLimits>, config: &NetConfig) -> Self {
        Self {
            swarm,
            redial: Redial::new(config.jitter_seed, &limits),
            limits,
            allow_private: config.allow_private_addresses,
            allowed: BTreeSet::new(),
            peers: Peers::default(),
            sends: Sends::default(),
            asked: Asked::default(),
            resolving: FuturesUnordered::new(),
            outbox: Outbox::default(),
        }
    }

    pub(super) async fn run(
        mut self,
        mut commands: mpsc::Receiver<NetCommand>,
        events: mpsc::Sender<NetEvent>,
    ) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let behind = self.outbox.is_behind();
            self.swarm.behaviour_mut().gate.set_shut(behind);
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm(event),
                command = commands.recv(), if !behind => match command {
                    None | Some(NetCommand::Shutdown) => return,
                    Some(command) => self.on_command(command),
                },
                place = events.reserve(), if !self.outbox.is_empty() => match place {
                    Ok(place) => {
                        if let Some(event) = self.outbox.pop() {
                            place.send(event);
                        }
                    }
                    Err(_) => return,
                },
                Some((peer, found)) = self.resolving.next(), if !self.resolving.is_empty() => {
                    self.on_resolved(peer, found);
                }
                _ = tick.tick() => self.on_tick(Instant::now()),
            }
        }
    }

    // Commands.

    fn on_command(&mut self, command: NetCommand) {
        match command {
            NetCommand::Allow(peers) => self.allow(peers),
            NetCommand::Dial { peer, addresses } => {
                let connected = self.peers.is_connected(peer);
                self.redial.keep(peer, addresses, connected, Instant::now());
                self.dial_due(Instant::now());
            }
            NetCommand::Hangup { peer } => {
                self.redial.release(peer);
                self.cut(peer, &DisconnectReason::Requested);
            }
            NetCommand::Send { request, peer, protocol, bytes } => {
                self.send(request, peer, protocol, bytes);
            }
            NetCommand::Respond { inbound, bytes } => {
                if let Some((_, answer)) = self.asked.open.remove(&inbound) {
                    // The receiver is gone if the peer is: there is nobody to tell.
                    let _ = answer.send(bytes);
                }
            }
            NetCommand::Disconnect { peer } => self.cut(peer, &DisconnectReason::Requested),
            NetCommand::Shutdown => {}
        }
    }

    fn allow(&mut self, peers: BTreeSet<PeerKey>) {
        let now = Instant::now();
        let behaviour = self.swarm.behaviour_mut();
        behaviour.gate.allow(peers.iter().filter_map(|peer| peer.to_peer_id()).collect());
        behaviour.carrier.remember(peers.clone());
        for peer in peers.difference(&self.allowed) {
            self.redial.retry_now(*peer, now);
        }
        self.allowed = peers;
        let gone: Vec<PeerKey> =
            self.peers.names().filter(|peer| !self.allowed.contains(peer)).collect();
        for peer in gone {
            self.cut(peer, &DisconnectReason::NotAllowed);
        }
        self.dial_due(now);
    }

    /// Closes all connections of a peer. It counts as gone from here on; libp2p closes politely,
    /// which an unfriendly peer could drag out.
    fn cut(&mut self, peer: PeerKey, reason: &DisconnectReason) {
        let ids = self.peers.remove_all(peer);
        if ids.is_empty() {
            return;
        }
        for id in ids {
            self.swarm.close_connection(id);
        }
        self.gone(peer, reason.clone());
    }

    /// The peer has no connection any more.
    fn gone(&mut self, peer: PeerKey, reason: DisconnectReason) {
        self.fail_sends(peer, None);
        self.redial.disconnected(peer, Instant::now());
        self.outbox.push(NetEvent::Disconnected { peer, reason });
    }

    // Requests that we make.

    fn send(&mut self, request: RequestId, peer: PeerKey, protocol: Protocol, bytes: Vec<u8>) {
        let deadline = Instant::now() + self.limits.request_deadline;
        let out = Outgoing { request, protocol, bytes, deadline };
        let accepted = if self.peers.is_connected(peer) {
            self.sends.add(peer, out)
        } else {
            Err(SendFailure::NotConnected)
        };
        match accepted {
            Ok(()) => self.send_waiting(peer, protocol),
            Err(failure) => {
                self.outbox.push(NetEvent::Response { request, peer, result: Err(failure) });
            }
        }
    }

    fn send_waiting(&mut self, peer: PeerKey, protocol: Protocol) {
        let (Some(id), Some(name)) = (self.peers.newest(peer), peer.to_peer_id()) else { return };
        while let Some(out) = self.sends.next(peer, protocol, id) {
            self.swarm.behaviour_mut().carrier.send(name, id, out);
        }
    }

    fn end_send(&mut self, request: RequestId, result: Result<Vec<u8>, SendFailure>) {
        let Some((peer, protocol)) = self.sends.end(request) else { return };
        self.outbox.push(NetEvent::Response { request, peer, result });
        self.send_waiting(peer, protocol);
    }

    /// Ends the requests on a connection that is gone, or all of a peer that is gone.
    fn fail_sends(&mut self, peer: PeerKey, on: Option<ConnectionId>) {
        for (request, under_way) in self.sends.of(peer, on) {
            let failure =
                if under_way { SendFailure::ConnectionClosed } else { SendFailure::NotConnected };
            self.end_send(request, Err(failure));
        }
    }

    // Dials.

    fn dial_due(&mut self, now: Instant) {
        for (peer, addresses) in self.redial.due(now) {
            if !self.allowed.contains(&peer) {
                self.dial_failed(peer, DialFailure::NotAllowed);
                continue;
            }
            let (allow_private, limits) = (self.allow_private, Arc::clone(&self.limits));
            self.resolving.push(Box::pin(async move {
                (peer, resolve(peer, addresses, allow_private, &limits).await)
            }));
        }
    }

    fn on_resolved(&mut self, peer: PeerKey, found: Result<Vec<Multiaddr>, DialFailure>) {
        if !self.redial.is_dialling(peer) {
            return;
        }
        let started = found.and_then(|addresses| {
            let name = peer.to_peer_id().ok_or(DialFailure::NoAddress)?;
            let dial = DialOpts::peer_id(name)
                .condition(PeerCondition::Always)
                .addresses(addresses)
                .allocate_new_port()
                .build();
            self.swarm.dial(dial).map_err(translate::dial_failure)
        });
        if let Err(reason) = started {
            self.dial_failed(peer, reason);
        }
    }

    fn dial_failed(&mut self, peer: PeerKey, reason: DialFailure) {
        if !self.redial.is_dialling(peer) {
            return;
        }
        if let Some(retry_in) = self.redial.failed(peer, Instant::now()) {
            self.outbox.push(NetEvent::DialFailed { peer, reason, retry_in });
        }
    }

    // What libp2p tells.

    fn on_swarm(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Carrier(carried)) => self.on_carried(carried),
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping)) => self.on_ping(&ping),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                let address = translate::bare(endpoint.get_remote_address());
                self.on_connected(peer_id, connection_id, endpoint.is_dialer(), address);
            }
            SwarmEvent::ConnectionClosed { connection_id, cause, .. } => {
                self.on_closed(connection_id, cause.as_ref());
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                if let Some(peer) = PeerKey::from_peer_id(&peer) {
                    self.dial_failed(peer, translate::dial_failure(error));
                }
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, peer_id, .. } => {
                let peer = peer_id.as_ref().and_then(PeerKey::from_peer_id);
                let address = Some(translate::bare(&send_back_addr));
                self.outbox.refuse(translate::refusal(error), peer, address, 1);
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                self.outbox.push(NetEvent::Listening { address: translate::bare(&address) });
            }
            SwarmEvent::ListenerClosed { addresses, reason, .. } => {
                self.outbox.push(translate::listener_closed(&addresses, reason));
            }
            _ => {}
        }
    }

    fn on_connected(&mut self, name: PeerId, id: ConnectionId, dialled: bool, address: String) {
        // The list may have changed since the gate was passed.
        let known = PeerKey::from_peer_id(&name).filter(|peer| self.allowed.contains(peer));
        let Some(peer) = known else {
            self.swarm.close_connection(id);
            return;
        };
        let now = Instant::now();
        if let Some(oldest) = self.peers.add(peer, id, now) {
            self.peers.remove(oldest);
            self.swarm.close_connection(oldest);
            self.fail_sends(peer, Some(oldest));
            self.outbox.refuse(Refusal::Replaced, Some(peer), None, 1);
        }
        self.redial.connected(peer, now);
        self.outbox.push(NetEvent::Connected { peer, dialled, address });
    }

    fn on_closed(&mut self, id: ConnectionId, cause: Option<&ConnectionError>) {
        if let Some(peer) = self.peers.remove(id) {
            self.fail_sends(peer, Some(id));
            if !self.peers.is_connected(peer) {
                self.gone(peer, translate::closed(cause));
            }
        }
    }

    fn on_carried(&mut self, carried: Carried) {
        // What a connection still says after it was cut is not heard.
        if self.peers.owner(carried.connection).is_none() {
            return;
        }
        let Some(peer) = PeerKey::from_peer_id(&carried.peer) else { return };
        match carried.told {
            Told::Incoming(Incoming { protocol, bytes, answer, place }) => {
                let until = Instant::now() + self.limits.request_deadline;
                let inbound = self.asked.add(answer, until);
                let event = NetEvent::Request { inbound, peer, protocol, bytes };
                self.outbox.push_request(event, place);
            }
            Told::Asked { request, result } => self.end_send(request, result),
            Told::Refused { what, count } => self.outbox.refuse(what, Some(peer), None, count),
        }
    }

    fn on_ping(&mut self, ping: &ping::Event) {
        match &ping.result {
            Ok(_) => self.peers.heard(ping.connection, Instant::now()),
            Err(_) => self.drop_silent(ping.connection),
        }
    }

    /// Closes a connection whose ping failed.
    fn drop_silent(&mut self, id: ConnectionId) {
        let Some(peer) = self.peers.remove(id) else { return };
        self.swarm.close_connection(id);
        self.fail_sends(peer, Some(id));
        if !self.peers.is_connected(peer) {
            self.gone(peer, DisconnectReason::PingFailed);
        }
    }

    fn on_tick(&mut self, now: Instant) {
        // libp2p's ping keeps the first failure to itself and would tell of a dead peer after
        // half a minute: an answer that is missing for one interval and timeout is the failure.
        let patience = self.limits.ping_interval + self.limits.ping_timeout;
        for id in self.peers.silent(now, patience) {
            self.drop_silent(id);
        }
        for request in self.sends.expired(now) {
            self.end_send(request, Err(SendFailure::Deadline));
        }
        self.asked.expire(now);
        self.dial_due(now);
        self.outbox.report_refusals();
    }
}

/// All literal addresses of a peer that may be dialled; the last error if there is none.
async fn resolve(
    peer: PeerKey,
    addresses: Vec<String>,
    allow_private: bool,
    limits: &NetLimits,
) -> Result<Vec<Multiaddr>, DialFailure> {
    let mut failure = DialFailure::NoAddress;
    let mut usable = Vec::new();
    for text in addresses.iter().take(ADDRESSES_PER_PEER) {
        let parsed: Result<NodeAddress, AddressError> = text.parse();
        match parsed.and_then(|address| address.for_peer(peer)) {
            Ok(address) => match address.resolve(allow_private, limits.dial_timeout).await {
                Ok(literal) => usable.extend(literal),
                Err(error) => failure = error.into(),
            },
            Err(error) => failure = error.into(),
        }
    }
    if usable.is_empty() { Err(failure) } else { Ok(usable) }
}
