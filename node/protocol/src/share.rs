//! What one peer may take of this node: messages that no honest node sends, work under way, rows kept.
//!
//! The adapter below bounds what a peer may send; this bounds what it may cause. A peer that is over
//! its share of work or of bytes is answered `busy`, which an honest one takes as a reason to slow
//! down. One that goes on sending what no node of ours would is barred for a while.

use std::collections::{BTreeMap, BTreeSet};

use reeve_statement::unit::UnitId;

use crate::effect::{Effect, NodeKey};
use crate::node::Node;
use crate::refusal::Refusal;
use crate::report::{VERIFYING_PER_PEER, VerifiedFor};
use crate::trust::Standing;

/// Messages at fault that a peer may send at once. A program of ours sends none; a bit that flips on a
/// bad machine spoils a few.
const FAULTS: u64 = 200;

/// Time in which one of them is forgotten, in milliseconds.
const FAULT_MS: u64 = 500;

/// How long a peer that sent more is barred, in milliseconds: long beside what a connection costs.
const BARRED_MS: u64 = 10_000;

/// Most statements of one peer that wait for their chunks at a time: each may gather megabytes.
const FETCHING_PER_PEER: usize = 4;

/// Most pages of changes that are read for one node of the home at a time: each may take megabytes
/// before it is cut to a frame.
const PAGES_PER_PEER: usize = 2;

/// Most figures that are kept of one subordinate: ten indicators by day for 27 years.
const FIGURES_PER_UNIT: usize = 100_000;

/// Most bytes of the last editions of one subordinate's figures, which are held in memory: the figures
/// above in 600 bytes each, which is a small one, or a year of large ones.
const HELD_BYTES_PER_UNIT: usize = 64 * 1024 * 1024;

/// Bytes of statements that one subordinate may have kept at once: a large import that touches each
/// figure of years.
const WRITTEN_BYTES: u64 = 256 * 1024 * 1024;

/// And from then on for each second: 5.5 GB a day, some thousand statements a minute.
const WRITTEN_BYTES_PER_SECOND: u64 = 64 * 1024;

/// A bucket that fills by what a peer does and empties with time.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    /// What is in it, in the unit that empties in a millisecond.
    filled: u64,
    /// When that was so.
    at: u64,
}

impl Bucket {
    /// What is in it now.
    fn now(self, now: u64) -> u64 {
        self.filled.saturating_sub(now.saturating_sub(self.at))
    }

    fn add(&mut self, amount: u64, now: u64) {
        *self = Self { filled: self.now(now).saturating_add(amount), at: now };
    }
}

/// What is kept of a subordinate's figures.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// How many there are.
    figures: usize,
    /// Bytes of their last editions.
    bytes: usize,
    /// What was written lately, in milliseconds of its rate.
    written: Bucket,
}

impl Kept {
    fn may_keep(
        &mut self,
        before: Option<usize>,
        bytes: usize,
        written: usize,
        now: u64,
    ) -> Result<(), Refusal> {
        let held = self.bytes.saturating_sub(before.unwrap_or(0)).saturating_add(bytes);
        let more = before.is_none() && self.figures >= FIGURES_PER_UNIT;
        if more || (held > HELD_BYTES_PER_UNIT && held > self.bytes) {
            return Err(Refusal::OverLimit);
        }
        if self.written.now(now) > written_ms(WRITTEN_BYTES) {
            return Err(Refusal::Busy);
        }
        self.written.add(written_ms(u64::try_from(written).unwrap_or(u64::MAX)), now);
        Ok(())
    }

    /// A figure's last edition came in the place of another, or of none.
    pub(crate) fn replaced(&mut self, before: Option<usize>, bytes: usize) {
        if before.is_none() {
            self.figures = self.figures.saturating_add(1);
        }
        self.bytes = self.bytes.saturating_sub(before.unwrap_or(0)).saturating_add(bytes);
    }
}

/// What peers have taken.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    faults: BTreeMap<NodeKey, Bucket>,
    /// Peers that are not admitted before this monotonic time.
    barred: BTreeMap<NodeKey, u64>,
    /// Peers that connected, and have not said hello since.
    pub(crate) fresh: BTreeSet<NodeKey>,
    pub(crate) kept: BTreeMap<UnitId, Kept>,
}

/// Milliseconds in which so many bytes may be written.
const fn written_ms(bytes: u64) -> u64 {
    bytes.saturating_mul(1_000) / WRITTEN_BYTES_PER_SECOND
}

impl Shares {
    /// Peers that are barred now.
    pub(crate) fn barred(&self) -> impl Iterator<Item = &NodeKey> {
        self.barred.keys()
    }
}

impl Node {
    /// A peer sent something that is refused. What no honest node sends is counted, and whoever goes on
    /// is barred; its superior a node never bars.
    pub(crate) fn note_fault(&mut self, peer: NodeKey, refusal: Refusal) {
        let standing = self.peers.greeted(&peer).map(|greeted| greeted.standing);
        let parting = self.peers.parting.contains_key(&peer);
        if !refusal.is_fault() || standing == Some(Standing::Superior) || parting {
            return;
        }
        let now = self.context.now().monotonic;
        let faults = self.shares.faults.entry(peer).or_default();
        faults.add(FAULT_MS, now);
        if faults.filled > FAULTS.saturating_mul(FAULT_MS) {
            self.shares.faults.remove(&peer);
            self.shares.barred.insert(peer, now.saturating_add(BARRED_MS));
            self.context.counters.count("barred_peers", refusal.label());
            self.context.act(Effect::Disconnect(peer));
            // What it has said already and the adapter hands over is not listened to.
            self.on_disconnected(peer);
            self.publish_allow_list();
        }
    }

    /// Forgets faults that are long ago, and admits again whoever was barred for long enough.
    pub(crate) fn review_shares(&mut self) {
        let now = self.context.now().monotonic;
        self.shares.faults.retain(|_, faults| faults.now(now) > 0);
        self.shares.barred.retain(|_, until| *until > now);
    }

    /// Whether a peer has as many statements under way as it may.
    pub(crate) fn is_busy_for(&self, peer: NodeKey) -> bool {
        let verifying = self.reports.verifying.values().filter(
            |v| matches!(v.purpose, VerifiedFor::Delivery { peer: other, .. } | VerifiedFor::PeerAsk { peer: other, .. } if other == peer),
        );
        verifying.count().saturating_add(self.fetching_of(peer)) >= VERIFYING_PER_PEER
    }

    /// Whether a peer has as many statements that wait for chunks as it may.
    pub(crate) fn is_fetching_enough(&self, peer: NodeKey) -> bool {
        self.fetching_of(peer) >= FETCHING_PER_PEER
    }

    fn fetching_of(&self, peer: NodeKey) -> usize {
        self.reports.fetching.values().filter(|fetching| fetching.peer == peer).count()
    }

    /// Whether as many pages are read for a node of this home as may be.
    pub(crate) fn is_serving_enough(&self, peer: NodeKey) -> bool {
        let serving = self.home.serving.values();
        serving.filter(|serving| serving.is_for(peer)).count() >= PAGES_PER_PEER
    }

    /// Whether a figure may be kept of a subordinate: in place of an edition whose row had this many
    /// bytes, or as a new one; in a row of so many bytes, and so many written in all.
    pub(crate) fn may_keep(
        &mut self,
        unit: &UnitId,
        before: Option<usize>,
        bytes: usize,
        written: usize,
    ) -> Result<(), Refusal> {
        let now = self.context.now().monotonic;
        self.shares.kept.entry(unit.clone()).or_default().may_keep(before, bytes, written, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_with_time() {
        let mut bucket = Bucket::default();
        bucket.add(1_000, 50);
        assert_eq!(bucket.now(50), 1_000);
        assert_eq!(bucket.now(550), 500);
        bucket.add(100, 550);
        assert_eq!(bucket.now(1_049), 101);
        assert_eq!(bucket.now(9_999), 0);
    }

    /// Has a subordinate do something a million times; how often each answer was given.
    fn flooded(bytes: usize, new: bool, every_ms: u64) -> (usize, BTreeMap<Refusal, usize>, Kept) {
        let (mut kept, mut taken, mut refused) = (Kept::default(), 0, BTreeMap::new());
        for number in 0..1_000_000 {
            let before = (!new && number > 0).then_some(bytes);
            match kept.may_keep(before, bytes, 2 * bytes, every_ms * number) {
                Ok(()) => {
                    kept.replaced(before, bytes);
                    taken += 1;
                }
                Err(refusal) => *refused.entry(refusal).or_default() += 1,
            }
        }
        (taken, refused, kept)
    }

    /// THREATS row 29.
    #[test]
    fn attack_29_neither_many_figures_nor_large_ones_nor_many_editions_fill_the_disk() {
        let (taken, refused, _) = flooded(100, true, 1_000);
        assert_eq!(taken, FIGURES_PER_UNIT);
        assert_eq!(refused, BTreeMap::from([(Refusal::OverLimit, 1_000_000 - FIGURES_PER_UNIT)]));
        let (_, refused, kept) = flooded(32 * 1024, true, 10);
        assert_eq!(kept.bytes, HELD_BYTES_PER_UNIT);
        assert!(!refused.contains_key(&Refusal::Busy), "{refused:?}");
        // A thousand editions a second for a quarter of an hour.
        let (taken, refused, kept) = flooded(32 * 1024, false, 1);
        let written = u64::try_from(taken * 64 * 1024).unwrap_or(u64::MAX);
        assert!(written <= WRITTEN_BYTES + 1_001 * WRITTEN_BYTES_PER_SECOND, "{written}");
        assert!(refused.contains_key(&Refusal::Busy) && kept.figures == 1);
    }

    /// Ten figures that change once a second, all day.
    #[test]
    fn an_honest_subordinate_notices_nothing_of_its_quota() {
        let (taken, refused, _) = flooded(3_000, false, 100);
        assert_eq!((taken, refused.len()), (1_000_000, 0), "{refused:?}");
    }

    #[test]
    fn a_figure_that_is_replaced_is_not_one_more() {
        let mut kept = Kept::default();
        kept.replaced(None, 500);
        kept.replaced(None, 300);
        kept.replaced(Some(500), 100);
        assert_eq!((kept.figures, kept.bytes), (2, 400));
    }
}
