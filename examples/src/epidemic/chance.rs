//! Chance, from a seed: integer draws only, so that every machine draws the same.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A source of draws. Each municipality has its own, so that one does not depend on the others'.
#[derive(Debug, Clone)]
pub(super) struct Chance(ChaCha8Rng);

impl Chance {
    /// The draws of number `stream` under a seed.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// From `least` to `most`, both included.
    pub(super) fn between(&mut self, least: i64, most: i64) -> i64 {
        self.0.random_range(least..=most.max(least))
    }

    /// True `permille` times of a thousand.
    pub(super) fn happens(&mut self, permille: u32) -> bool {
        self.0.random_range(0..1_000) < permille
    }

    /// One of several things.
    pub(super) fn one<'a, T>(&mut self, things: &'a [T]) -> Option<&'a T> {
        let at = self.0.random_range(0..things.len().max(1));
        things.get(at)
    }

    /// The position of a weight, in proportion to it.
    pub(super) fn weighted(&mut self, weights: &[u32]) -> usize {
        let total: u32 = weights.iter().sum();
        let mut drawn = self.0.random_range(0..total.max(1));
        for (at, weight) in weights.iter().enumerate() {
            match drawn.checked_sub(*weight) {
                Some(rest) => drawn = rest,
                None => return at,
            }
        }
        weights.len().saturating_sub(1)
    }

    /// A number of thousandths as a whole number: rounded up as often as its fraction says.
    pub(super) fn whole(&mut self, thousandths: u64) -> u64 {
        let up = self.0.random_range(0..1_000) < thousandths % 1_000;
        thousandths / 1_000 + u64::from(up)
    }
}
