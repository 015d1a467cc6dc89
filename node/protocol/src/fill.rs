//! How full a node's queues are: for whoever watches that they stay within their bounds.

use std::collections::BTreeMap;

use crate::home::{QUEUED_TASKS, RESIDENT_SHARDS, WAITING_CHANGES};
use crate::node::Node;
use crate::peers::{EARLY_FRAMES, TELLING};
use crate::report::{DELIVERIES_IN_FLIGHT, FRESH_STATEMENTS, VERIFYING_PER_PEER, VerifiedFor};

/// Most tasks that a node sets itself beside what it was asked: two per node of a home, at most sixteen
/// of them, and one per shard of a writer that is struck.
const OWN_TASKS: usize = 128;

/// One bounded thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// What.
    pub what: &'static str,
    /// How many there are.
    pub held: usize,
    /// How many there may be.
    pub most: usize,
}

impl Node {
    /// How full each bounded thing is now.
    #[must_use]
    pub fn fills(&self) -> [Fill; 8] {
        let fill = |what, held, most| Fill { what, held, most };
        let early = self.peers.most_early();
        let waiting: usize = self.home.waiting.values().map(Vec::len).sum();
        [
            fill("statements kept from signing", self.fresh.len(), FRESH_STATEMENTS),
            fill("deliveries under way", self.reports.in_flight.len(), DELIVERIES_IN_FLIGHT),
            fill("statements verified for one peer", self.most_verifying(), VERIFYING_PER_PEER),
            fill("frames kept before a hello", early, EARLY_FRAMES),
            fill("messages told at once to one peer", self.peers.most_telling(), TELLING),
            fill("tasks on records", self.home.queue.len(), QUEUED_TASKS.saturating_add(OWN_TASKS)),
            fill("shards in memory", self.home.resident.len(), RESIDENT_SHARDS),
            fill("changes that wait for others", waiting, WAITING_CHANGES),
        ]
    }

    fn most_verifying(&self) -> usize {
        let mut by_peer = BTreeMap::new();
        for verifying in self.reports.verifying.values() {
            if let VerifiedFor::Delivery { peer, .. } = verifying.purpose {
                let count: &mut usize = by_peer.entry(peer).or_default();
                *count = count.saturating_add(1);
            }
        }
        by_peer.into_values().max().unwrap_or(0)
    }
}
