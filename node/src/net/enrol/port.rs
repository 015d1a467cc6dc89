//! The side that listens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use libp2p::Swarm;
use libp2p::swarm::{ConnectionId, NetworkBehaviour, SwarmEvent};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::STREAMS;
use crate::net::carrier::{Carried, Carrier};
use crate::net::event::{InboundId, NetError, NetEvent, Refusal};
use crate::net::exchange::Incoming;
use crate::net::gate::{Admission, Gate, Places};
use crate::net::handler::Told;
use crate::net::limits::{NetLimits, Rate, TICK};
use crate::net::node::NodeSeed;
use crate::net::outbox::Outbox;
use crate::net::peer::PeerKey;
use crate::net::protocol::Protocol;
use crate::net::share::Bucket;
use crate::net::tap::Tap;
use crate::net::{translate, transport};

/// Newcomers served at once. Joining is rare; a person waits a moment rather than the node.
const CONNECTIONS: usize = 4;
/// Connections that have not yet proved a key, in all and per IP address.
const UNPROVED: usize = 8;
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
            transport::swarm(&key, Behaviour::new(&limits, config.tap.clone()), &limits, STREAMS)?;
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
        requests_per_peer: REQUEST_RATE,
        ..NetLimits::default()
    }
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    gate: Gate,
    carrier: Carrier,
}

impl Behaviour {
    fn new(limits: &Arc<NetLimits>, tap: Option<Tap>) -> Self {
        let places =
            Places { unproved: UNPROVED, unproved_per_address: UNPROVED, established: CONNECTIONS };
        let admission = Admission::Newcomers(Bucket::new(CONNECTION_RATE));
        Self {
            gate: Gate::new(admission, places),
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
