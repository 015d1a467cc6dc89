//! When to dial again: a peer is kept connected until told otherwise, with waits that double from
//! a floor to a ceiling and are spread by chance, so that a superior that comes back is not met by
//! all its subordinates in the same moment. Pure: time and the seed of chance come in.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::limits::{NetLimits, STABLE_AFTER};
use super::peer::PeerKey;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Due(Instant),
    Dialling,
    Connected(Instant),
}

#[derive(Debug)]
struct Kept {
    addresses: Vec<String>,
    state: State,
    /// Attempts since the last connection that lasted.
    failures: u32,
}

/// The peers to keep connected.
#[derive(Debug)]
pub(super) struct Redial {
    kept: BTreeMap<PeerKey, Kept>,
    chance: Chance,
    floor: Duration,
    ceiling: Duration,
}

impl Redial {
    pub(super) fn new(seed: u64, limits: &NetLimits) -> Self {
        Self {
            kept: BTreeMap::new(),
            chance: Chance(seed),
            floor: limits.redial_floor,
            ceiling: limits.redial_ceiling.max(limits.redial_floor),
        }
    }

    /// Keeps this peer connected from now on, at these addresses.
    pub(super) fn keep(
        &mut self,
        peer: PeerKey,
        addresses: Vec<String>,
        connected: bool,
        now: Instant,
    ) {
        let state = if connected { State::Connected(now) } else { State::Due(now) };
        match self.kept.get_mut(&peer) {
            Some(kept) => {
                kept.addresses = addresses;
                if kept.state != State::Dialling {
                    kept.state = state;
                }
            }
            None => {
                self.kept.insert(peer, Kept { addresses, state, failures: 0 });
            }
        }
    }

    /// Keeps this peer no longer.
    pub(super) fn release(&mut self, peer: PeerKey) {
        self.kept.remove(&peer);
    }

    /// The peer may be dialled again at once: what stood in the way is gone.
    pub(super) fn retry_now(&mut self, peer: PeerKey, now: Instant) {
        if let Some(kept) = self.kept.get_mut(&peer)
            && matches!(kept.state, State::Due(_))
        {
            kept.state = State::Due(now);
        }
    }

    /// The peers to dial now, with their addresses.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(PeerKey, Vec<String>)> {
        let is_due = |kept: &Kept| matches!(kept.state, State::Due(at) if at <= now);
        let mut due = Vec::new();
        for (peer, kept) in self.kept.iter_mut().filter(|(_, kept)| is_due(kept)) {
            kept.state = State::Dialling;
            due.push((*peer, kept.addresses.clone()));
        }
        due
    }

    /// Whether a dial of this peer is under way.
    pub(super) fn is_dialling(&self, peer: PeerKey) -> bool {
        self.kept.get(&peer).is_some_and(|kept| kept.state == State::Dialling)
    }

    /// The dial failed. How long until the next; none if the peer is not kept.
    pub(super) fn failed(&mut self, peer: PeerKey, now: Instant) -> Option<Duration> {
        let kept = self.kept.get_mut(&peer)?;
        let wait = spread(&mut self.chance, doubled(self.floor, kept.failures).min(self.ceiling));
        kept.failures = kept.failures.saturating_add(1);
        kept.state = State::Due(now + wait);
        Some(wait)
    }

    /// There is a connection, whoever dialled.
    pub(super) fn connected(&mut self, peer: PeerKey, now: Instant) {
        if let Some(kept) = self.kept.get_mut(&peer)
            && !matches!(kept.state, State::Connected(_))
        {
            kept.state = State::Connected(now);
        }
    }

    /// The last connection is gone.
    pub(super) fn disconnected(&mut self, peer: PeerKey, now: Instant) {
        let Some(kept) = self.kept.get_mut(&peer) else { return };
        let State::Connected(since) = kept.state else { return };
        if now.saturating_duration_since(since) >= STABLE_AFTER {
            kept.failures = 0;
        }
        self.failed(peer, now);
    }
}

/// `floor * 2^times`, without overflow.
fn doubled(floor: Duration, times: u32) -> Duration {
    1_u32.checked_shl(times).map_or(Duration::MAX, |factor| floor.saturating_mul(factor))
}

/// Between half of `wait` and all of it.
fn spread(chance: &mut Chance, wait: Duration) -> Duration {
    wait / 2 + (wait / 2).mul_f64(chance.next())
}

/// SplitMix64 (Steele, Lea and Flood 2014): enough to spread dials, and the same from a seed.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    /// At least 0, less than 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let [a, b, c, d, ..] = (mixed ^ (mixed >> 31)).to_be_bytes();
        f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const PEER: PeerKey = PeerKey::new([1; 32]);

    fn redial(seed: u64) -> (Redial, Instant) {
        let limits = NetLimits { redial_ceiling: Duration::from_secs(60), ..NetLimits::default() };
        (Redial::new(seed, &limits), Instant::now())
    }

    #[test]
    fn waits_double_from_floor_to_ceiling_and_are_spread() {
        let (mut redial, mut now) = redial(1);
        redial.keep(PEER, vec!["a".to_owned()], false, now);
        let mut bound = Duration::from_millis(250);
        for _ in 0..40 {
            assert_eq!(redial.due(now).len(), 1);
            assert!(redial.due(now).is_empty(), "one dial at a time");
            let wait = redial.failed(PEER, now).unwrap();
            assert!(wait >= bound / 2 && wait <= bound, "{wait:?} for {bound:?}");
            assert!(redial.due(now).is_empty());
            now += wait;
            bound = (bound * 2).min(Duration::from_secs(60));
        }
        assert_eq!(bound, Duration::from_secs(60));
    }

    #[test]
    fn the_same_seed_waits_the_same_and_another_does_not() {
        let waits = |seed| {
            let (mut redial, now) = redial(seed);
            redial.keep(PEER, Vec::new(), false, now);
            (0..8).map(|_| redial.failed(PEER, now).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(waits(5), waits(5));
        assert_ne!(waits(5), waits(6));
    }

    #[test]
    fn only_a_connection_that_lasted_resets_the_waits() {
        let (mut redial, now) = redial(3);
        redial.keep(PEER, Vec::new(), false, now);
        for _ in 0..6 {
            redial.failed(PEER, now);
        }
        redial.connected(PEER, now);
        redial.disconnected(PEER, now + Duration::from_millis(5));
        assert!(redial.due(now + Duration::from_secs(5)).is_empty(), "a flapping peer waits");

        redial.connected(PEER, now);
        redial.disconnected(PEER, now + STABLE_AFTER);
        assert_eq!(redial.due(now + STABLE_AFTER + Duration::from_millis(250)).len(), 1);
    }

    #[test]
    fn a_released_peer_is_not_dialled() {
        let (mut redial, now) = redial(4);
        redial.keep(PEER, Vec::new(), false, now);
        redial.release(PEER);
        assert!(redial.due(now + Duration::from_secs(100)).is_empty());
        assert_eq!(redial.failed(PEER, now), None);
    }
}
