//! The log of a node's signed changes: in the order in which this node took them, by position.
//!
//! The other nodes of a home follow it by position, and a position means nothing without the life of the
//! store in which it was written: a store that is put back from a copy goes on from an older position and
//! writes others there. Each start of a node that writes to its log begins a *life*, drawn at random; the
//! log remembers which life wrote from which position on. A peer says up to which position of which life it
//! has followed, and is served from where that life ended here, or from the beginning if this log does not
//! know it. (Kafka has the same in its leader epochs, KIP-101.)

use std::collections::BTreeMap;

use reeve_crdt::twin::ShardId;
use reeve_statement::digest::Digest;

use crate::home::change_key;
use crate::node::Node;
use crate::rows;

/// Most lives that a log remembers; a peer that last followed an older one gets everything again.
const LIVES: usize = 256;

/// Key of a life's row, after [`rows::META`], before the position from which on it wrote.
pub(crate) const LIFE: &[u8] = b"log-life/";

/// What is known of the log without reading it.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Position of the last change; the first has 1.
    pub(crate) end: u64,
    /// Which life wrote the changes from a position on.
    lives: BTreeMap<u64, u64>,
    /// The life of this process, once it has written.
    writing: bool,
}

impl Log {
    /// A life that was read from the store.
    pub(crate) fn restore_life(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let from = u64::from_be_bytes(key.try_into().ok()?);
        self.lives.insert(from, u64::from_be_bytes(value.try_into().ok()?));
        Some(())
    }

    /// The life that wrote last; 0 before any did.
    pub(crate) fn life(&self) -> u64 {
        self.lives.last_key_value().map_or(0, |(_, life)| *life)
    }

    /// The position after which a peer is served that has followed `life` as far as `position`.
    pub(crate) fn serve_after(&self, life: u64, position: u64) -> u64 {
        let mut lives = self.lives.values().zip(self.lives.keys().skip(1));
        let ended = lives.find(|(known, _)| **known == life);
        match ended {
            Some((_, next)) => position.min(next.saturating_sub(1)),
            None if life == self.life() => position.min(self.end),
            None => 0,
        }
    }

    /// Begins this process's life if it has none; what became of its rows.
    fn begin(&mut self, entropy: &[u8]) -> Vec<(u64, Option<u64>)> {
        if core::mem::replace(&mut self.writing, true) {
            return Vec::new();
        }
        let drawn = Digest::of_parts(&[b"reeve-log-life/1\0", entropy]);
        let (first, _) = drawn.as_bytes().split_at(8);
        let life = u64::from_be_bytes(first.try_into().unwrap_or([1; 8])) | 1;
        let from = self.end.saturating_add(1);
        self.lives.insert(from, life);
        let mut rows = vec![(from, Some(life))];
        while self.lives.len() > LIVES {
            rows.extend(self.lives.pop_first().map(|(from, _)| (from, None)));
        }
        rows
    }
}

impl Node {
    /// Persists signed changes with their place in the log.
    pub(crate) fn log_changes(&mut self, changes: Vec<(ShardId, Vec<u8>)>) {
        if !changes.is_empty() {
            for (from, life) in self.home.log.begin(&self.settings.entropy) {
                let key = rows::key(rows::META, &[LIFE, &from.to_be_bytes()]);
                self.context.persist(key, life.map(|life| life.to_be_bytes().to_vec()));
            }
        }
        for (shard, bytes) in changes {
            self.home.log.end = self.home.log.end.saturating_add(1);
            let key = change_key(&shard, self.home.log.end);
            self.context.persist(rows::numbered(rows::LOG, self.home.log.end), Some(key.clone()));
            self.context.persist(key, Some(bytes));
        }
        let mut row = self.home.incarnation.to_be_bytes().to_vec();
        row.extend_from_slice(&self.home.log.end.to_be_bytes());
        self.context.persist(rows::key(rows::META, &[b"log"]), Some(row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process starts on what `log` has stored, and writes `changes` (at least one).
    fn lived(log: &Log, entropy: u8, changes: u64) -> Log {
        let mut log = Log { end: log.end, lives: log.lives.clone(), writing: false };
        log.begin(&[entropy]);
        log.end += changes;
        log
    }

    #[test]
    fn a_peer_that_followed_is_served_what_came_since() {
        let log = lived(&Log::default(), 1, 10);
        assert_eq!(log.serve_after(log.life(), 7), 7);
        let later = lived(&log, 2, 5);
        assert_ne!(later.life(), log.life());
        assert_eq!(later.serve_after(log.life(), 10), 10);
        assert_eq!(later.serve_after(later.life(), 13), 13);
        assert_eq!(later.serve_after(0, 0), 0);
    }

    #[test]
    fn a_peer_that_followed_a_life_which_was_undone_is_served_from_where_they_part() {
        let copy = lived(&Log::default(), 1, 10);
        let newest = lived(&copy, 2, 6);
        let on_the_copy = lived(&copy, 3, 4);
        // The peer followed the newest, and meets the copy.
        assert_eq!(on_the_copy.serve_after(newest.life(), 16), 0);
        // It followed what was written on the copy, and meets the newest again.
        assert_eq!(newest.serve_after(on_the_copy.life(), 14), 0);
        let again = lived(&newest, 4, 1);
        assert_eq!(again.serve_after(on_the_copy.life(), 14), 0);
        assert_eq!(again.serve_after(newest.life(), 14), 14);
        // A life of which the copy has but a part.
        assert_eq!(on_the_copy.serve_after(copy.life(), 12), 10);
    }

    #[test]
    fn lives_are_forgotten_and_then_everything_is_served() {
        let first = lived(&Log::default(), 1, 1);
        let mut log = lived(&Log::default(), 1, 1);
        for number in 0..LIVES {
            log.writing = false;
            let rows = log.begin(&number.to_be_bytes());
            log.end += 1;
            assert_eq!(rows.len(), if number + 1 == LIVES { 2 } else { 1 });
        }
        assert_eq!(log.lives.len(), LIVES);
        assert_eq!(log.serve_after(first.life(), 1), 0);
    }
}
