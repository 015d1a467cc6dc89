//! Who may connect. A peer that is not on the list is refused after it proved its key and before
//! it can open a stream; an address with too many unproved connections is refused before that.
//!
//! Totals are left to libp2p's own connection limits; this behaviour adds what those do not know.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::IpAddr;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol as Part;
use libp2p::swarm::{ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, ToSwarm, dummy};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use super::event::Refusal;
use super::share::Bucket;

/// Who is let in.
#[derive(Debug)]
pub(super) enum Admission {
    /// These peers.
    Listed(BTreeSet<PeerId>),
    /// Everybody who dials in, at this rate over all (the enrolment port).
    Newcomers(Bucket),
}

/// The behaviour that lets peers in.
#[derive(Debug)]
pub(super) struct Gate {
    admission: Admission,
    per_address: u32,
    unproved: BTreeMap<ConnectionId, IpAddr>,
    by_address: BTreeMap<IpAddr, u32>,
    shut: bool,
}

impl Gate {
    pub(super) fn new(admission: Admission, per_address: u32) -> Self {
        Self {
            admission,
            per_address,
            unproved: BTreeMap::new(),
            by_address: BTreeMap::new(),
            shut: false,
        }
    }

    /// Replaces the list.
    pub(super) fn allow(&mut self, peers: BTreeSet<PeerId>) {
        self.admission = Admission::Listed(peers);
    }

    /// Shuts the gate while the node is behind with its events, or opens it again.
    pub(super) fn set_shut(&mut self, shut: bool) {
        self.shut = shut;
    }

    fn admit_unproved(&mut self, id: ConnectionId, from: &Multiaddr) -> Result<(), Refusal> {
        if self.shut {
            return Err(Refusal::Overloaded);
        }
        if let Admission::Newcomers(bucket) = &mut self.admission
            && !bucket.try_take(Instant::now())
        {
            return Err(Refusal::TooManyConnections);
        }
        let Some(ip) = ip_of(from) else { return Ok(()) };
        let count = self.by_address.entry(ip).or_default();
        if *count >= self.per_address {
            return Err(Refusal::TooManyFromAddress);
        }
        *count += 1;
        self.unproved.insert(id, ip);
        Ok(())
    }

    /// The connection has proved itself or is gone.
    fn settle(&mut self, id: ConnectionId) {
        let Some(ip) = self.unproved.remove(&id) else { return };
        if let Some(count) = self.by_address.get_mut(&ip) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_address.remove(&ip);
            }
        }
    }

    fn admit(&self, peer: &PeerId) -> Result<(), Refusal> {
        match &self.admission {
            Admission::Listed(peers) if !peers.contains(peer) => Err(Refusal::UnknownPeer),
            Admission::Listed(_) | Admission::Newcomers(_) => Ok(()),
        }
    }
}

fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    address.iter().find_map(|part| match part {
        Part::Ip4(ip) => Some(ip.into()),
        Part::Ip6(ip) => Some(ip.into()),
        _ => None,
    })
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: &Multiaddr,
        from: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.admit_unproved(id, from).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<dummy::ConnectionHandler, ConnectionDenied> {
        self.settle(id);
        self.admit(&peer).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<dummy::ConnectionHandler, ConnectionDenied> {
        self.admit(&peer).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ListenFailure(failure) = event {
            self.settle(failure.connection_id);
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: Infallible) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, Infallible>> {
        Poll::Pending
    }
}
