//! The enrolment port: a second, much smaller listener that strangers may talk to, and the one
//! call that a stranger makes.
//!
//! It speaks one protocol, `/reeve/enrol/1`, and shares nothing with the node's network but code:
//! whatever happens here, no list, share or queue of the node is touched. Few connections, short
//! ones, at a low rate. Whether a newcomer is admitted is decided by whoever answers the request.
//!
//! The channel is encrypted, but a caller who does not say which peer it expects cannot know who
//! is at the other end: [`EnrolAnswer::server`] tells who it was.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionId, NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::address::{AddressError, NodeAddress};
use super::carrier::{Carried, Carrier};
use super::driver::NodeSeed;
use super::event::{DialFailure, InboundId, NetError, Refusal, RequestId, SendFailure};
use super::exchange::{Incoming, Outgoing};
use super::gate::{Admission, Gate};
use super::handler::Told;
use super::limits::{NetLimits, Rate, TICK};
use super::outbox::Outbox;
use super::peer::PeerKey;
use super::protocol::Protocol;
use super::share::Bucket;
use super::tap::Tap;
use super::{NetEvent, translate, transport};

/// Newcomers served at once. Joining is rare; a person waits a moment rather than the node.
const CONNECTIONS: u32 = 4;
/// Connections that have not yet proved a key, in all and per IP address.
const UNPROVED: u32 = 8;
/// A connection is closed after this long, whatever it is doing.
const LIFETIME: Duration = Duration::from_secs(10);
/// Connections let in over all addresses.
const CONNECTION_RATE: Rate = Rate { per_second: 4, burst: 32 };
/// Requests of one newcomer.
const REQUEST_RATE: Rate = Rate { per_second: 1, burst: 4 };
/// Requests on their way to whoever answers them.
const QUEUE: usize = 8;

/// How the enrolment port is opened.
#[derive(Debug, Clone)]
pub struct EnrolConfig {
    /// The node key: newcomers who know it can tell that they talk to the right node.
    pub seed: NodeSeed,
    /// Multiaddresses to listen on.
    pub listen: Vec<String>,
    /// For tests: sees every application byte.
    pub tap: Option<Tap>,
}

/// What the enrolment port is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnrolCommand {
    /// Answer a newcomer.
    Respond {
        /// Which request.
        inbound: InboundId,
        /// What.
        bytes: Vec<u8>,
    },
    /// Close the port.
    Shutdown,
}

/// What the enrolment port reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnrolEvent {
    /// Newcomers can reach us here.
    Listening {
        /// The multiaddress, with the real port.
        address: String,
    },
    /// The port cannot be reached any more.
    ListenerClosed {
        /// Its multiaddresses.
        addresses: Vec<String>,
        /// What the system said.
        reason: String,
    },
    /// A newcomer asks.
    Request {
        /// Name for the answer.
        inbound: InboundId,
        /// The key it connected with; it has proved nothing else.
        peer: PeerKey,
        /// What it says.
        bytes: Vec<u8>,
    },
    /// Something was refused, `count` times since the last report.
    Refused {
        /// What.
        what: Refusal,
        /// The last address it came from, where one is known.
        address: Option<String>,
        /// From whom, where that was proved.
        peer: Option<PeerKey>,
        /// How often.
        count: u64,
    },
}

/// The enrolment port of one node.
#[derive(Debug)]
pub struct EnrolPort {
    /// Where commands go.
    pub commands: mpsc::Sender<EnrolCommand>,
    task: JoinHandle<()>,
}

impl EnrolPort {
    /// Opens the port in the current tokio runtime.
    ///
    /// # Errors
    ///
    /// If the key is unusable or an address cannot be listened on.
    pub fn spawn(config: &EnrolConfig) -> Result<(Self, mpsc::Receiver<EnrolEvent>), NetError> {
        let (key, _) = config.seed.key_pair()?;
        let limits = Arc::new(port_limits());
        let mut swarm =
            transport::swarm(&key, Behaviour::new(&limits, config.tap.clone()), &limits)?;
        transport::listen(&mut swarm, &config.listen)?;
        let (commands, commanded) = mpsc::channel(QUEUE);
        let (events, reported) = mpsc::channel(QUEUE);
        let task = tokio::spawn(Driver::new(swarm).run(commanded, events));
        Ok((Self { commands, task }, reported))
    }

    /// Closes the port and waits until its sockets are closed.
    pub async fn shut_down(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

fn port_limits() -> NetLimits {
    NetLimits {
        request_deadline: LIFETIME,
        idle_timeout: LIFETIME,
        pending_inbound: UNPROVED,
        pending_inbound_per_address: UNPROVED,
        established: CONNECTIONS,
        requests_per_peer: REQUEST_RATE,
        ..NetLimits::default()
    }
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    limits: connection_limits::Behaviour,
    gate: Gate,
    carrier: Carrier,
}

impl Behaviour {
    fn new(limits: &Arc<NetLimits>, tap: Option<Tap>) -> Self {
        let connections = ConnectionLimits::default()
            .with_max_pending_incoming(Some(limits.pending_inbound))
            .with_max_established(Some(limits.established))
            .with_max_established_per_peer(Some(1));
        let admission = Admission::Newcomers(Bucket::new(CONNECTION_RATE));
        Self {
            limits: connection_limits::Behaviour::new(connections),
            gate: Gate::new(admission, limits.pending_inbound_per_address),
            carrier: Carrier::new(Protocol::ENROLMENT, Arc::clone(limits), tap),
        }
    }
}

struct Driver {
    swarm: Swarm<Behaviour>,
    /// Open connections, and when each is closed.
    open: BTreeMap<ConnectionId, Instant>,
    asked: BTreeMap<InboundId, oneshot::Sender<Vec<u8>>>,
    last_asked: u64,
    outbox: Outbox,
}

impl Driver {
    fn new(swarm: Swarm<Behaviour>) -> Self {
        let (open, asked) = (BTreeMap::new(), BTreeMap::new());
        Self { swarm, open, asked, last_asked: 0, outbox: Outbox::default() }
    }

    async fn run(
        mut self,
        mut commands: mpsc::Receiver<EnrolCommand>,
        events: mpsc::Sender<EnrolEvent>,
    ) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let behind = self.outbox.is_behind();
            self.swarm.behaviour_mut().gate.set_shut(behind);
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm(event),
                command = commands.recv() => match command {
                    Some(EnrolCommand::Respond { inbound, bytes }) => self.respond(inbound, bytes),
                    None | Some(EnrolCommand::Shutdown) => return,
                },
                place = events.reserve(), if !self.outbox.is_empty() => match place {
                    Ok(place) => {
                        if let Some(event) = self.outbox.pop().and_then(enrol_event) {
                            place.send(event);
                        }
                    }
                    Err(_) => return,
                },
                _ = tick.tick() => self.on_tick(Instant::now()),
            }
        }
    }

    fn respond(&mut self, inbound: InboundId, bytes: Vec<u8>) {
        if let Some(answer) = self.asked.remove(&inbound) {
            // A newcomer that has gone meanwhile asks again.
            let _ = answer.send(bytes);
        }
    }

    fn on_swarm(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Carrier(carried)) => self.on_carried(carried),
            SwarmEvent::ConnectionEstablished { connection_id, .. } => {
                self.open.insert(connection_id, Instant::now() + LIFETIME);
            }
            SwarmEvent::ConnectionClosed { connection_id, .. } => {
                self.open.remove(&connection_id);
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

    fn on_carried(&mut self, carried: Carried) {
        let Some(peer) = PeerKey::from_peer_id(&carried.peer) else { return };
        match carried.told {
            Told::Incoming(Incoming { protocol, bytes, answer, place }) => {
                self.last_asked += 1;
                let inbound = InboundId(self.last_asked);
                self.asked.insert(inbound, answer);
                let event = NetEvent::Request { inbound, peer, protocol, bytes };
                self.outbox.push_request(event, place);
            }
            Told::Refused { what, count } => self.outbox.refuse(what, Some(peer), None, count),
            Told::Asked { .. } => {}
        }
    }

    fn on_tick(&mut self, now: Instant) {
        let over = self.open.iter().filter(|(_, until)| **until <= now);
        let over: Vec<ConnectionId> = over.map(|(id, _)| *id).collect();
        for id in over {
            self.open.remove(&id);
            self.swarm.close_connection(id);
        }
        self.asked.retain(|_, answer| !answer.is_closed());
        self.outbox.report_refusals();
    }
}

fn enrol_event(event: NetEvent) -> Option<EnrolEvent> {
    Some(match event {
        NetEvent::Listening { address } => EnrolEvent::Listening { address },
        NetEvent::ListenerClosed { addresses, reason } => {
            EnrolEvent::ListenerClosed { addresses, reason }
        }
        NetEvent::Request { inbound, peer, bytes, .. } => {
            EnrolEvent::Request { inbound, peer, bytes }
        }
        NetEvent::Refused { what, address, peer, count } => {
            EnrolEvent::Refused { what, address, peer, count }
        }
        _ => return None,
    })
}

/// One call to an enrolment port.
#[derive(Debug, Clone)]
pub struct EnrolCall {
    /// The caller's key; it may be fresh.
    pub seed: NodeSeed,
    /// The multiaddress of the port; if it ends in `/p2p/PEER`, only that peer is talked to.
    pub address: String,
    /// Whether the address may be loopback, link-local or private.
    pub allow_private_addresses: bool,
    /// For everything: name, dial, question, answer.
    pub timeout: Duration,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolAnswer {
    /// Who answered.
    pub server: PeerKey,
    /// What.
    pub bytes: Vec<u8>,
}

/// Why a call to an enrolment port failed.
#[derive(Debug, Error)]
pub enum EnrolError {
    /// The address cannot be used.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The network could not be set up.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The port cannot be reached.
    #[error("the enrolment port at {address} cannot be reached: {reason}")]
    Dial {
        /// As given.
        address: String,
        /// Why.
        reason: DialFailure,
    },
    /// The port gave no answer.
    #[error("the enrolment port at {address} gave no answer: {reason}")]
    NoAnswer {
        /// As given.
        address: String,
        /// Why.
        reason: SendFailure,
    },
    /// The request is too long.
    #[error("the enrolment request has {length} bytes; at most {limit} are allowed")]
    TooLong {
        /// Bytes of the request.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
}

/// Asks an enrolment port once.
///
/// # Errors
///
/// See [`EnrolError`]. If an answer is missing, whether the port acted on the request is not
/// known.
pub async fn enrol_call(call: &EnrolCall, request: Vec<u8>) -> Result<EnrolAnswer, EnrolError> {
    let (length, limit) = (request.len(), Protocol::Enrol.max_request());
    if length > limit {
        return Err(EnrolError::TooLong { length, limit });
    }
    let address: NodeAddress = call.address.parse()?;
    let deadline = Instant::now() + call.timeout;
    let found = address.resolve(call.allow_private_addresses, call.timeout).await?;
    let mut failure = DialFailure::NoAddress;
    for literal in found {
        match tokio::time::timeout_at(
            deadline,
            attempt(call, &address, literal, &request, deadline),
        )
        .await
        {
            Ok(Err(EnrolError::Dial { reason, .. })) => failure = reason,
            Ok(done) => return done,
            Err(_) => {
                let (address, reason) = (call.address.clone(), SendFailure::Deadline);
                return Err(EnrolError::NoAnswer { address, reason });
            }
        }
    }
    Err(EnrolError::Dial { address: call.address.clone(), reason: failure })
}

async fn attempt(
    call: &EnrolCall,
    address: &NodeAddress,
    literal: Multiaddr,
    request: &[u8],
    deadline: Instant,
) -> Result<EnrolAnswer, EnrolError> {
    let (key, _) = call.seed.key_pair()?;
    let limits = Arc::new(NetLimits::default());
    let carrier = Carrier::new(Protocol::ENROLMENT, Arc::clone(&limits), None);
    let mut swarm = transport::swarm(&key, carrier, &limits)?;
    let dial = match address.peer().and_then(PeerKey::to_peer_id) {
        Some(peer) => DialOpts::peer_id(peer).addresses(vec![literal]).allocate_new_port().build(),
        None => DialOpts::unknown_peer_id().address(literal).allocate_new_port().build(),
    };
    let unreached = |error| EnrolError::Dial {
        address: call.address.clone(),
        reason: translate::dial_failure(error),
    };
    swarm.dial(dial).map_err(unreached)?;
    let unanswered = |reason| EnrolError::NoAnswer { address: call.address.clone(), reason };
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, .. } => {
                let bytes = request.to_vec();
                ask(swarm.behaviour_mut(), peer_id, connection_id, bytes, deadline);
            }
            SwarmEvent::OutgoingConnectionError { error, .. } => return Err(unreached(error)),
            SwarmEvent::ConnectionClosed { .. } => {
                return Err(unanswered(SendFailure::ConnectionClosed));
            }
            SwarmEvent::Behaviour(Carried { peer, told: Told::Asked { result, .. }, .. }) => {
                let bytes = result.map_err(unanswered)?;
                let server = PeerKey::from_peer_id(&peer).ok_or(NetError::Key)?;
                return Ok(EnrolAnswer { server, bytes });
            }
            _ => {}
        }
    }
}

fn ask(
    carrier: &mut Carrier,
    peer: PeerId,
    connection: ConnectionId,
    bytes: Vec<u8>,
    deadline: Instant,
) {
    let (request, protocol) = (RequestId(0), Protocol::Enrol);
    carrier.send(peer, connection, Outgoing { request, protocol, bytes, deadline });
}
