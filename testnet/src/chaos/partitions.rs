//! A network that falls apart and comes together again, many times: after each healing every figure at
//! the nation equals the book within a bound.
//!
//! Half of the cycles part the nodes into two sides by chance; others pull single cables, or swallow what
//! goes through single connections. Nobody is told: packets vanish, connections stay open. Now and then
//! it lasts long enough for both ends to notice.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use tokio::runtime::Handle;

use super::federation::Federation;
use super::proxy::Weather;
use super::spread::Spread;
use super::{ChaosSpec, Seen, end, shape};
use crate::processes::Leash;
use crate::stopwatch::now;
use crate::trial::TrialError;

/// Time of writing before the network falls apart, in milliseconds.
const BEFORE_MS: u64 = 500;

/// Usual longest time apart, in milliseconds: the ends of most connections notice nothing.
const SHORT_MS: u64 = 5_000;

/// Longest time apart, in milliseconds: more than it takes until a ping fails on both ends.
const LONG_MS: u64 = 20_000;

/// Cycles of a hundred that last long.
const LONG: u32 = 10;

/// Cables pulled, or connections swallowed, at once.
const AT_ONCE: usize = 3;

/// What was seen.
#[derive(Debug, Clone, Serialize)]
pub struct PartitionsReport {
    /// How the network was made.
    pub way: &'static str,
    /// Cycles in which the nodes were parted into two sides.
    pub parted: u32,
    /// Cycles in which cables were pulled.
    pub unplugged: u32,
    /// Cycles in which connections were swallowed.
    pub swallowed: u32,
    /// How long the network was apart.
    pub apart: Spread,
    /// From healing to right figures at the nation.
    pub healed: Spread,
    /// The rest.
    pub seen: Seen,
}

/// Runs so many cycles. Blocks; letting go of the leash ends it with an error.
///
/// # Errors
/// [`TrialError`], with the cycle in which something did not hold.
pub fn run(
    spec: &ChaosSpec,
    cycles: u32,
    runtime: &Handle,
    leash: &Leash,
    mut told: impl FnMut(u32),
) -> Result<PartitionsReport, TrialError> {
    let federation = Federation::raise(spec, shape::all()?, runtime, leash)?;
    let chance = ChaCha8Rng::seed_from_u64(spec.seed);
    let mut trial =
        Trial { federation, chance, kinds: [0; 3], apart: Vec::new(), healed: Vec::new() };
    trial.federation.load.go();
    trial.federation.check(now())?;
    for cycle in 1..=cycles {
        if let Err(error) = trial.cycle() {
            trial.federation.keep_status();
            let error = Box::new(error);
            return Err(TrialError::Round { round: cycle, seed: spec.seed, error });
        }
        told(cycle);
    }
    let [parted, unplugged, swallowed] = trial.kinds;
    Ok(PartitionsReport {
        way: spec.way.text(),
        parted,
        unplugged,
        swallowed,
        apart: Spread::of(&trial.apart),
        healed: Spread::of(&trial.healed),
        seen: end(trial.federation, 0)?,
    })
}

struct Trial {
    federation: Federation,
    chance: ChaCha8Rng,
    kinds: [u32; 3],
    apart: Vec<Duration>,
    healed: Vec<Duration>,
}

impl Trial {
    fn cycle(&mut self) -> Result<(), TrialError> {
        std::thread::sleep(self.up_to(BEFORE_MS));
        let began = now();
        self.fall_apart()?;
        let most = if self.chance.random_range(0..100) < LONG { LONG_MS } else { SHORT_MS };
        std::thread::sleep(self.up_to(most));
        self.federation.network.mend()?;
        let healed = now();
        self.apart.push(healed.duration_since(began));
        self.federation.look(&BTreeSet::new())?;
        self.healed.push(self.federation.check(healed)?);
        Ok(())
    }

    fn fall_apart(&mut self) -> Result<(), TrialError> {
        let kind = match self.chance.random_range(0..4) {
            0 | 1 => 0,
            2 => 1,
            _ => 2,
        };
        if let Some(count) = self.kinds.get_mut(kind) {
            *count += 1;
        }
        match kind {
            0 => self.part(),
            1 => {
                for node in self.some((0..self.federation.sites.len()).collect()) {
                    self.federation.network.cable(node, false)?;
                }
                Ok(())
            }
            _ => {
                for node in self.some(self.federation.network.relayed()) {
                    self.federation.network.weather(node, Weather::BLACKHOLE);
                }
                Ok(())
            }
        }
    }

    /// Two sides by chance, none of them empty.
    fn part(&mut self) -> Result<(), TrialError> {
        let count = self.federation.sites.len();
        let mut far: BTreeSet<usize> =
            (0..count).filter(|_| self.chance.random_bool(0.5)).collect();
        if far.is_empty() || far.len() == count {
            far = BTreeSet::from([self.chance.random_range(0..count)]);
        }
        self.federation.network.part(far)
    }

    fn some(&mut self, of: Vec<usize>) -> BTreeSet<usize> {
        let count = self.chance.random_range(1..=AT_ONCE);
        (0..count)
            .filter_map(|_| of.get(self.chance.random_range(0..of.len().max(1))).copied())
            .collect()
    }

    fn up_to(&mut self, milliseconds: u64) -> Duration {
        Duration::from_millis(self.chance.random_range(0..=milliseconds))
    }
}
