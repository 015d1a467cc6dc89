//! What a node's swarm is made of: the gate, identify, ping, and the carrier of frames.

use std::collections::BTreeSet;
use std::sync::Arc;

use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{identify, ping};

use super::carrier::Carrier;
use super::gate::{Admission, Gate, Places};
use super::limits::NetLimits;
use super::protocol::Protocol;
use super::tap::Tap;

#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub(super) gate: Gate,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    pub(super) carrier: Carrier,
}

impl Behaviour {
    pub(super) fn new(key: &Keypair, limits: &Arc<NetLimits>, tap: Option<Tap>) -> Self {
        // Peers are told our version and nothing else; what they tell is not kept, least of all
        // addresses to dial.
        let identity = identify::Config::new("/reeve/1".to_owned(), key.public())
            .with_agent_version(concat!("reeve/", env!("CARGO_PKG_VERSION")).to_owned())
            .with_hide_listen_addrs(true)
            .with_cache_size(0);
        let pings = ping::Config::new()
            .with_interval(limits.ping_interval)
            .with_timeout(limits.ping_timeout);
        let places = Places {
            unproved: limits.pending_inbound,
            unproved_per_address: limits.pending_inbound_per_address,
            established: limits.established,
        };
        let nobody = Admission::Listed(BTreeSet::new());
        Self {
            gate: Gate::new(nobody, places),
            identify: identify::Behaviour::new(identity),
            ping: ping::Behaviour::new(pings),
            carrier: Carrier::new(Protocol::BETWEEN_NODES, Arc::clone(limits), tap),
        }
    }
}
