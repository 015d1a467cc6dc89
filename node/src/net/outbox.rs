//! Events that wait to be taken. Bounded by what lies before it: requests by each peer's places,
//! responses by the requests under way, connections by the gate, which shuts while too many
//! events wait. Refusals are the one thing a stranger can cause at will; they are counted together
//! and reported at most once per tick.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::OwnedSemaphorePermit;

use super::event::{NetEvent, Refusal};
use super::limits::{REFUSALS_APART, WAITING_EVENTS};
use super::peer::PeerKey;

#[derive(Debug, Default)]
struct Count {
    times: u64,
    address: Option<String>,
}

/// Events on their way to the node.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<(NetEvent, Option<OwnedSemaphorePermit>)>,
    refused: BTreeMap<(Refusal, Option<PeerKey>), Count>,
}

impl Outbox {
    pub(super) fn push(&mut self, event: NetEvent) {
        self.waiting.push_back((event, None));
    }

    /// Adds a request; its place in the peer's share is free once the node has taken it.
    pub(super) fn push_request(&mut self, event: NetEvent, place: OwnedSemaphorePermit) {
        self.waiting.push_back((event, Some(place)));
    }

    pub(super) fn refuse(
        &mut self,
        what: Refusal,
        peer: Option<PeerKey>,
        address: Option<String>,
        times: u64,
    ) {
        let crowded = self.refused.len() >= REFUSALS_APART;
        let known = self.refused.contains_key(&(what, peer));
        let key = if crowded && !known { (what, None) } else { (what, peer) };
        let count = self.refused.entry(key).or_default();
        count.times = count.times.saturating_add(times);
        count.address = address.or(count.address.take());
    }

    /// Turns the counted refusals into events, unless too many events wait already.
    pub(super) fn report_refusals(&mut self) {
        if self.is_behind() {
            return;
        }
        while let Some(((what, peer), Count { times: count, address })) = self.refused.pop_first() {
            self.push(NetEvent::Refused { what, address, peer, count });
        }
    }

    pub(super) fn pop(&mut self) -> Option<NetEvent> {
        self.waiting.pop_front().map(|(event, _place)| event)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether so many events wait that nothing that causes more should be let in.
    pub(super) fn is_behind(&self) -> bool {
        self.waiting.len() >= WAITING_EVENTS
    }
}

#[cfg(test)]
#[allow(clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_and_bounded() {
        let mut outbox = Outbox::default();
        for number in 0..10_000_u32 {
            let mut key = [0; 32];
            key[..4].copy_from_slice(&number.to_be_bytes());
            let stranger = Some(PeerKey::new(key));
            outbox.refuse(Refusal::UnknownPeer, stranger, None, 1);
            outbox.refuse(Refusal::Handshake, None, Some(format!("/{number}")), 2);
        }
        outbox.report_refusals();
        let (mut strangers, mut handshakes, mut reports) = (0, 0, 0);
        while let Some(event) = outbox.pop() {
            reports += 1;
            match event {
                NetEvent::Refused { what: Refusal::UnknownPeer, count, .. } => strangers += count,
                NetEvent::Refused { what: Refusal::Handshake, count, address, .. } => {
                    handshakes += count;
                    assert_eq!(address.as_deref(), Some("/9999"));
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((strangers, handshakes), (10_000, 20_000));
        assert!(reports <= REFUSALS_APART + 2, "{reports}");
    }
}
