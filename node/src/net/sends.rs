//! Requests under way: which wait, which are on a connection, which have passed their deadline.
//! At most a fixed number per peer and protocol are on streams, at most a fixed number wait behind
//! them. Every request that was accepted ends exactly once. Pure: time comes in.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

use super::event::{RequestId, SendFailure};
use super::exchange::Outgoing;
use super::limits::{STREAMS_PER_PEER, WAITING_REQUESTS};
use super::peer::PeerKey;
use super::protocol::Protocol;

#[derive(Debug)]
struct Flight {
    peer: PeerKey,
    protocol: Protocol,
    deadline: Instant,
    /// Where it went; none while it waits.
    connection: Option<ConnectionId>,
}

#[derive(Debug, Default)]
struct Lane {
    under_way: usize,
    waiting: VecDeque<Outgoing>,
}

/// All requests that have not ended.
#[derive(Debug, Default)]
pub(super) struct Sends {
    flights: BTreeMap<RequestId, Flight>,
    lanes: BTreeMap<(PeerKey, Protocol), Lane>,
    deadlines: BTreeSet<(Instant, RequestId)>,
}

impl Sends {
    /// Accepts a request; it waits until `next` gives it out.
    pub(super) fn add(&mut self, peer: PeerKey, out: Outgoing) -> Result<(), SendFailure> {
        let (length, limit) = (out.bytes.len(), out.protocol.max_request());
        if length > limit {
            return Err(SendFailure::TooLong { length, limit });
        }
        if self.flights.contains_key(&out.request) {
            return Err(SendFailure::NameInUse);
        }
        let lane = self.lanes.entry((peer, out.protocol)).or_default();
        if lane.waiting.len() >= WAITING_REQUESTS {
            return Err(SendFailure::Busy);
        }
        let (protocol, deadline) = (out.protocol, out.deadline);
        self.flights.insert(out.request, Flight { peer, protocol, deadline, connection: None });
        self.deadlines.insert((deadline, out.request));
        lane.waiting.push_back(out);
        Ok(())
    }

    /// The next request that may go out on this connection of the peer, if there is one.
    pub(super) fn next(
        &mut self,
        peer: PeerKey,
        protocol: Protocol,
        connection: ConnectionId,
    ) -> Option<Outgoing> {
        let lane = self.lanes.get_mut(&(peer, protocol))?;
        if lane.under_way >= STREAMS_PER_PEER {
            return None;
        }
        let out = lane.waiting.pop_front()?;
        lane.under_way += 1;
        if let Some(flight) = self.flights.get_mut(&out.request) {
            flight.connection = Some(connection);
        }
        Some(out)
    }

    /// Ends a request; its peer and protocol, or none if it has ended before.
    pub(super) fn end(&mut self, request: RequestId) -> Option<(PeerKey, Protocol)> {
        let Flight { peer, protocol, deadline, connection } = self.flights.remove(&request)?;
        self.deadlines.remove(&(deadline, request));
        if let Some(lane) = self.lanes.get_mut(&(peer, protocol)) {
            if connection.is_some() {
                lane.under_way = lane.under_way.saturating_sub(1);
            } else {
                lane.waiting.retain(|out| out.request != request);
            }
            if lane.under_way == 0 && lane.waiting.is_empty() {
                self.lanes.remove(&(peer, protocol));
            }
        }
        Some((peer, protocol))
    }

    /// The requests whose deadline has passed.
    pub(super) fn expired(&self, now: Instant) -> Vec<RequestId> {
        let passed = self.deadlines.iter().take_while(|(deadline, _)| *deadline <= now);
        passed.map(|(_, request)| *request).collect()
    }

    /// The requests of a peer that are on this connection, or all of them.
    pub(super) fn of(&self, peer: PeerKey, on: Option<ConnectionId>) -> Vec<(RequestId, bool)> {
        let chosen =
            |flight: &Flight| flight.peer == peer && (on.is_none() || flight.connection == on);
        let found = self.flights.iter().filter(|(_, flight)| chosen(flight));
        found.map(|(request, flight)| (*request, flight.connection.is_some())).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::time::Duration;

    use super::*;

    const PEER: PeerKey = PeerKey::new([1; 32]);

    fn out(request: u64, deadline: Instant) -> Outgoing {
        let (request, protocol) = (RequestId(request), Protocol::Report);
        Outgoing { request, protocol, bytes: vec![0; 8], deadline }
    }

    fn id(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    #[test]
    fn only_so_many_are_on_streams_and_only_so_many_wait() {
        let (mut sends, now) = (Sends::default(), Instant::now());
        for request in 0..WAITING_REQUESTS as u64 {
            sends.add(PEER, out(request, now)).unwrap();
        }
        assert_eq!(sends.add(PEER, out(9_999, now)), Err(SendFailure::Busy));
        let mut under_way = 0_u64;
        while sends.next(PEER, Protocol::Report, id(1)).is_some() {
            under_way += 1;
        }
        assert_eq!(under_way, STREAMS_PER_PEER as u64);
        assert!(sends.end(RequestId(0)).is_some());
        assert!(sends.end(RequestId(0)).is_none(), "a request ends once");
        let next = sends.next(PEER, Protocol::Report, id(1)).unwrap();
        assert_eq!(next.request, RequestId(under_way));
    }

    #[test]
    fn a_request_that_expired_while_waiting_is_never_sent() {
        let (mut sends, now) = (Sends::default(), Instant::now());
        sends.add(PEER, out(1, now)).unwrap();
        sends.add(PEER, out(2, now + Duration::from_secs(1))).unwrap();
        assert_eq!(sends.expired(now), [RequestId(1)]);
        sends.end(RequestId(1));
        assert_eq!(sends.next(PEER, Protocol::Report, id(1)).unwrap().request, RequestId(2));
        assert_eq!(sends.expired(now + Duration::from_secs(1)), [RequestId(2)]);
    }

    #[test]
    fn our_own_mistakes_are_refused() {
        let (mut sends, now) = (Sends::default(), Instant::now());
        let mut long = out(1, now);
        long.bytes = vec![0; long.protocol.max_request() + 1];
        assert!(matches!(sends.add(PEER, long), Err(SendFailure::TooLong { .. })));
        sends.add(PEER, out(1, now)).unwrap();
        assert_eq!(sends.add(PEER, out(1, now)), Err(SendFailure::NameInUse));
    }

    #[test]
    fn requests_are_found_by_peer_and_connection() {
        let (mut sends, now) = (Sends::default(), Instant::now());
        sends.add(PEER, out(1, now)).unwrap();
        sends.add(PEER, out(2, now)).unwrap();
        sends.next(PEER, Protocol::Report, id(7));
        assert_eq!(sends.of(PEER, Some(id(7))), [(RequestId(1), true)]);
        assert_eq!(sends.of(PEER, None), [(RequestId(1), true), (RequestId(2), false)]);
        assert!(sends.of(PeerKey::new([2; 32]), None).is_empty());
    }
}
