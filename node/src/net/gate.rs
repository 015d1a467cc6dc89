//! Who may connect, and how many. A peer that is not on the list is refused after it proved its
//! key and before it can open a stream; connections above the limits are refused before that.
//!
//! libp2p's own connection limits are not used: they do not count by address, and they keep an
//! entry for every key they have ever seen, which on the enrolment port anybody could fill.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol as Part;
use libp2p::swarm::{ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, ToSwarm, dummy};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use super::event::Refusal;
use super::limits::{CONNECTS_PER_PEER, KNOWN_ADDRESSES, PLACES_FOR_KNOWN};
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
    places: Places,
    unproved: BTreeMap<ConnectionId, IpAddr>,
    by_address: BTreeMap<IpAddr, usize>,
    established: BTreeSet<ConnectionId>,
    /// How often each listed peer has connected lately.
    connects: BTreeMap<PeerId, Bucket>,
    known: Known,
    shut: bool,
}

/// Addresses from which listed peers have connected, the oldest first.
#[derive(Debug, Default)]
struct Known {
    addresses: BTreeSet<IpAddr>,
    order: VecDeque<IpAddr>,
}

impl Known {
    fn add(&mut self, ip: IpAddr) {
        if self.addresses.insert(ip) {
            self.order.push_back(ip);
        }
        if self.order.len() > KNOWN_ADDRESSES
            && let Some(oldest) = self.order.pop_front()
        {
            self.addresses.remove(&oldest);
        }
    }
}

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    /// That have not proved a key.
    pub(super) unproved: usize,
    /// The same, of one IP address.
    pub(super) unproved_per_address: usize,
    /// That have.
    pub(super) established: usize,
}

impl Places {
    /// Places that strangers do not get: a quarter at most, where there are few.
    fn kept(self) -> usize {
        PLACES_FOR_KNOWN.min(self.unproved / 4)
    }
}

impl Gate {
    pub(super) fn new(admission: Admission, places: Places) -> Self {
        Self {
            admission,
            places,
            unproved: BTreeMap::new(),
            by_address: BTreeMap::new(),
            established: BTreeSet::new(),
            connects: BTreeMap::new(),
            known: Known::default(),
            shut: false,
        }
    }

    /// Replaces the list.
    pub(super) fn allow(&mut self, peers: BTreeSet<PeerId>) {
        self.connects.retain(|peer, _| peers.contains(peer));
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
        let ip = ip_of(from).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let may_have_all =
            matches!(self.admission, Admission::Newcomers(_)) || self.known.addresses.contains(&ip);
        let kept = if may_have_all { 0 } else { self.places.kept() };
        if self.unproved.len() >= self.places.unproved.saturating_sub(kept) {
            return Err(Refusal::TooManyConnections);
        }
        let count = self.by_address.get(&ip).copied().unwrap_or_default();
        if count >= self.places.unproved_per_address {
            return Err(Refusal::TooManyFromAddress);
        }
        self.by_address.insert(ip, count + 1);
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
            _ if self.established.len() >= self.places.established => {
                Err(Refusal::TooManyConnections)
            }
            Admission::Listed(_) | Admission::Newcomers(_) => Ok(()),
        }
    }

    /// A peer that dialled in: it must be admitted, and not come back all the time.
    fn admit_inbound(&mut self, peer: PeerId, from: &Multiaddr) -> Result<(), Refusal> {
        self.admit(&peer)?;
        if let Admission::Listed(_) = &self.admission {
            let connects =
                self.connects.entry(peer).or_insert_with(|| Bucket::new(CONNECTS_PER_PEER));
            if !connects.try_take(Instant::now()) {
                return Err(Refusal::ConnectsTooOften);
            }
            if let Some(ip) = ip_of(from) {
                self.known.add(ip);
            }
        }
        Ok(())
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
        from: &Multiaddr,
    ) -> Result<dummy::ConnectionHandler, ConnectionDenied> {
        self.settle(id);
        self.admit_inbound(peer, from).map_err(ConnectionDenied::new)?;
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
        match event {
            FromSwarm::ListenFailure(failure) => self.settle(failure.connection_id),
            FromSwarm::ConnectionEstablished(opened) => {
                self.established.insert(opened.connection_id);
            }
            FromSwarm::ConnectionClosed(closed) => {
                self.established.remove(&closed.connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: Infallible) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, Infallible>> {
        Poll::Pending
    }
}
