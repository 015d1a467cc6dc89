//! What one peer may take of this node: streams at once, requests per second, requests that were
//! read but not yet taken. One share per peer, over all its connections, kept while it is
//! connected or on the list, so that reconnecting does not refill it.
//!
//! A peer above its share is not cut off; its requests wait unread on their streams, where the
//! transport's windows hold the peer back, until their deadline.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::limits::{Rate, STREAMS_PER_PEER, UNDELIVERED_PER_PEER};
use super::protocol::Protocol;

/// A token bucket that is asked ahead: each request is given the time at which its token is there.
#[derive(Debug)]
pub(super) struct Bucket {
    /// One token each.
    step: Duration,
    /// How far the next token may lie ahead of now and still be there at once.
    slack: Duration,
    /// When the next token would be there if none had been saved.
    next: Option<Instant>,
}

impl Bucket {
    pub(super) fn new(rate: Rate) -> Self {
        let step = Duration::from_secs(1) / rate.per_second.max(1);
        Self { step, slack: step.saturating_mul(rate.burst.max(1) - 1), next: None }
    }

    /// Takes a token; how long to wait until it is there.
    fn take(&mut self, now: Instant) -> Duration {
        let due = self.next.map_or(now, |next| next.max(now));
        self.next = Some(due + self.step);
        due.saturating_duration_since(now).saturating_sub(self.slack)
    }

    /// Takes a token only if it is there now.
    pub(super) fn try_take(&mut self, now: Instant) -> bool {
        let due = self.next.map_or(now, |next| next.max(now));
        let there = due.saturating_duration_since(now) <= self.slack;
        if there {
            self.next = Some(due + self.step);
        }
        there
    }
}

/// The share of one peer.
#[derive(Debug)]
pub(super) struct Share {
    bucket: Mutex<Bucket>,
    streams: BTreeMap<Protocol, Arc<Semaphore>>,
    undelivered: Arc<Semaphore>,
}

impl Share {
    pub(super) fn new(offer: &[Protocol], rate: Rate) -> Self {
        let stream_places =
            |protocol: &Protocol| (*protocol, Arc::new(Semaphore::new(STREAMS_PER_PEER)));
        Self {
            bucket: Mutex::new(Bucket::new(rate)),
            streams: offer.iter().map(stream_places).collect(),
            undelivered: Arc::new(Semaphore::new(UNDELIVERED_PER_PEER)),
        }
    }

    /// Waits for one of the peer's places for streams of this protocol. None if it has no such
    /// places, because the protocol is not offered.
    pub(super) async fn stream(&self, protocol: Protocol) -> Option<OwnedSemaphorePermit> {
        self.streams.get(&protocol)?.clone().acquire_owned().await.ok()
    }

    /// Waits until the peer may make another request.
    pub(super) async fn turn(&self) {
        let wait = {
            let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
            bucket.take(Instant::now())
        };
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// Waits for a place among the peer's requests that the node has not yet taken.
    pub(super) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.undelivered.clone().acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_a_burst_and_then_the_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(Rate { per_second: 10, burst: 3 });
        let waits: Vec<u128> = (0..5).map(|_| bucket.take(start).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200]);
        // After a second of silence the burst is there again, and no more than the burst.
        let later = start + Duration::from_secs(10);
        let waits: Vec<u128> = (0..4).map(|_| bucket.take(later).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100]);
    }

    #[test]
    fn a_refused_token_is_not_taken() {
        let start = Instant::now();
        let mut bucket = Bucket::new(Rate { per_second: 1, burst: 1 });
        assert!(bucket.try_take(start));
        for _ in 0..10 {
            assert!(!bucket.try_take(start));
        }
        assert!(bucket.try_take(start + Duration::from_secs(1)));
    }
}
