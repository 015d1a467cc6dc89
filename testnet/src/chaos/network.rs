//! The network between the nodes, whichever way it is made: who dials whom through what, and how it is
//! parted, slowed and mended.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::runtime::Handle;

use super::namespaces::Namespaces;
use super::proxy::{Proxy, Weather, Wire};
use super::shape::Place;
use super::way::Way;
use super::{ChaosSpec, Transport};
use crate::processes::Leash;
use crate::town::free_port;
use crate::trial::TrialError;

/// Of so many connections one goes through a relay, where there are namespaces.
const RELAYED: usize = 3;

/// Slowed cables, in kilobits per second: a few statements a second, no more.
const SLOW_KILOBITS: u32 = 96;

/// The same for a relay, in bytes per second.
const SLOW_BYTES: u32 = 12_000;

/// The connection that a node dials.
#[derive(Debug)]
struct Link {
    /// Who dials.
    node: usize,
    /// Who is dialled.
    above: usize,
    relay: Option<Proxy>,
    /// What a fault does to it while both ends see each other.
    weather: Weather,
}

/// Where a node is.
#[derive(Debug, Clone)]
pub(super) struct Seat {
    /// Where it listens for peers.
    pub(super) peers: SocketAddr,
    /// Where its local API is.
    pub(super) api: SocketAddr,
    /// How it is run there.
    pub(super) within: Vec<String>,
}

/// The network.
#[derive(Debug)]
pub(super) struct Network {
    namespaces: Option<Namespaces>,
    seats: Vec<Seat>,
    links: Vec<Link>,
    /// Nodes on the far side of a parting, if there is one.
    far: BTreeSet<usize>,
    /// Nodes whose cable is down.
    unplugged: BTreeSet<usize>,
}

impl Network {
    /// Makes it for these places.
    pub(super) fn make(
        spec: &ChaosSpec,
        places: &[Place],
        runtime: &Handle,
        leash: &Leash,
    ) -> Result<Self, TrialError> {
        let count = u8::try_from(places.len())
            .map_err(|_| TrialError::Trial("too many nodes for one network".to_owned()))?;
        let namespaces = match spec.way {
            Way::Namespaces => Some(Namespaces::make(count, leash)?),
            Way::Loopback => None,
        };
        let mut seats = Vec::new();
        for at in 0..count {
            seats.push(seat(namespaces.as_ref(), at)?);
        }
        let mut links = Vec::new();
        for (node, place) in places.iter().enumerate() {
            let Some(above) = place.above else { continue };
            let target = seats.get(above).map(|seat| seat.peers);
            let relayed = namespaces.is_none() || links.len().is_multiple_of(RELAYED);
            let relay = match target.filter(|_| relayed) {
                Some(target) => {
                    let listen = if namespaces.is_some() { Namespaces::hub() } else { loopback(0) };
                    let seed = spec.seed ^ count_of(node);
                    let relay = match spec.transport {
                        Transport::Tcp => Proxy::tcp(runtime, listen, target, seed),
                        Transport::Quic => Proxy::udp(runtime, listen, target, seed),
                    };
                    Some(relay.map_err(|error| TrialError::Trial(format!("a relay: {error}")))?)
                }
                None => None,
            };
            links.push(Link { node, above, relay, weather: Weather::FAIR });
        }
        let (far, unplugged) = (BTreeSet::new(), BTreeSet::new());
        Ok(Self { namespaces, seats, links, far, unplugged })
    }

    /// Where a node is.
    pub(super) fn seat(&self, node: usize) -> Option<&Seat> {
        self.seats.get(node)
    }

    /// Where a node dials the one above it.
    pub(super) fn dialled(&self, node: usize) -> Option<SocketAddr> {
        let link = self.links.iter().find(|link| link.node == node)?;
        match &link.relay {
            Some(relay) => Some(relay.address()),
            None => self.seat(link.above).map(|seat| seat.peers),
        }
    }

    /// What went through the relays.
    pub(super) fn wires(&self) -> impl Iterator<Item = &Wire> {
        self.links.iter().filter_map(|link| link.relay.as_ref()).map(Proxy::wire)
    }

    /// Nodes that dial through a relay.
    pub(super) fn relayed(&self) -> Vec<usize> {
        self.links.iter().filter(|link| link.relay.is_some()).map(|link| link.node).collect()
    }

    /// Whether nodes have cables of their own.
    pub(super) const fn has_cables(&self) -> bool {
        self.namespaces.is_some()
    }

    /// Parts the network into these nodes and the others. Nobody is told: packets vanish.
    pub(super) fn part(&mut self, far: BTreeSet<usize>) -> Result<(), TrialError> {
        if self.has_cables() {
            Namespaces::part(numbers(&far))?;
        }
        self.far = far;
        self.apply();
        Ok(())
    }

    /// Ends a parting.
    pub(super) fn join(&mut self) -> Result<(), TrialError> {
        let far = std::mem::take(&mut self.far);
        if self.has_cables() {
            Namespaces::join(numbers(&far))?;
        }
        self.apply();
        Ok(())
    }

    /// Pulls the cable of a node, or puts it back. Without cables all that it is connected by is held.
    pub(super) fn cable(&mut self, node: usize, up: bool) -> Result<(), TrialError> {
        if up {
            self.unplugged.remove(&node);
        } else {
            self.unplugged.insert(node);
        }
        if self.has_cables() {
            return Namespaces::cable(number(node), up);
        }
        self.apply();
        Ok(())
    }

    /// Slows what comes to a node, or stops doing so.
    pub(super) fn slow(&mut self, node: usize, slow: bool) -> Result<(), TrialError> {
        if self.has_cables() {
            return Namespaces::slow(number(node), slow.then_some(SLOW_KILOBITS));
        }
        let rate = slow.then_some(SLOW_BYTES);
        self.weather(node, Weather { rate, ..Weather::FAIR });
        Ok(())
    }

    /// What the relay through which a node dials does from now on.
    pub(super) fn weather(&mut self, node: usize, weather: Weather) {
        if let Some(link) = self.links.iter_mut().find(|link| link.node == node) {
            link.weather = weather;
        }
        self.apply();
    }

    /// Closes what goes through the relay of a node.
    pub(super) fn close(&self, node: usize) {
        let link = self.links.iter().find(|link| link.node == node);
        if let Some(relay) = link.and_then(|link| link.relay.as_ref()) {
            relay.close_all();
        }
    }

    /// Mends everything.
    pub(super) fn mend(&mut self) -> Result<(), TrialError> {
        self.join()?;
        for node in std::mem::take(&mut self.unplugged) {
            self.cable(node, true)?;
        }
        for link in &mut self.links {
            link.weather = Weather::FAIR;
        }
        self.apply();
        Ok(())
    }

    /// Sets every relay to what counts for it now.
    fn apply(&self) {
        for link in &self.links {
            let parted = self.far.contains(&link.node) != self.far.contains(&link.above);
            let unplugged = !self.has_cables()
                && (self.unplugged.contains(&link.node) || self.unplugged.contains(&link.above));
            let weather = if parted || unplugged { Weather::BLACKHOLE } else { link.weather };
            if let Some(relay) = &link.relay {
                relay.set(weather);
            }
        }
    }
}

fn seat(namespaces: Option<&Namespaces>, at: u8) -> Result<Seat, TrialError> {
    Ok(match namespaces {
        Some(namespaces) => Seat {
            peers: Namespaces::peers(at),
            api: Namespaces::api(at),
            within: namespaces.within(at),
        },
        None => {
            Seat { peers: loopback(free_port()?), api: loopback(free_port()?), within: Vec::new() }
        }
    })
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn numbers(nodes: &BTreeSet<usize>) -> impl Iterator<Item = u8> {
    nodes.iter().map(|node| number(*node))
}

/// There are never more nodes than that.
fn number(node: usize) -> u8 {
    u8::try_from(node).unwrap_or(u8::MAX)
}

fn count_of(node: usize) -> u64 {
    u64::try_from(node).unwrap_or_default()
}
