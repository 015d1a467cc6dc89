//! The side that calls.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, PeerId};
use thiserror::Error;
use tokio::time::Instant;

use super::STREAMS;
use crate::net::address::{AddressError, NodeAddress};
use crate::net::carrier::{Carried, Carrier};
use crate::net::event::{DialFailure, NetError, RequestId, SendFailure};
use crate::net::exchange::Outgoing;
use crate::net::handler::Told;
use crate::net::limits::NetLimits;
use crate::net::node::NodeSeed;
use crate::net::peer::PeerKey;
use crate::net::protocol::Protocol;
use crate::net::{translate, transport};

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
    let mut swarm = transport::swarm(&key, carrier, &limits, STREAMS)?;
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
