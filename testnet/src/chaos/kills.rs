//! Nodes of a whole federation killed at any moment, several at once, while clients write.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use tokio::runtime::Handle;

use super::federation::Federation;
use super::spread::Spread;
use super::{ChaosSpec, Seen, end, shape};
use crate::processes::Leash;
use crate::stopwatch::now;
use crate::trial::TrialError;

/// Longest time between two kills, in milliseconds: less than starting takes.
const BETWEEN_MS: u64 = 250;

/// Longest time that a killed node stays down, in milliseconds.
const DOWN_MS: u64 = 400;

/// Most nodes killed in one round.
const AT_ONCE: u32 = 4;

/// Rounds of a hundred after which the clients rest and everything is checked.
const CHECKED: u32 = 40;

/// What was seen.
#[derive(Debug, Clone, Serialize)]
pub struct KillsReport {
    /// How the network was made.
    pub way: &'static str,
    /// The store engine.
    pub engine: &'static str,
    /// How often a process was killed.
    pub kills: u32,
    /// How often in rounds of several.
    pub with_others: u32,
    /// From the last process being started again to right figures at the nation.
    pub right: Spread,
    /// The rest.
    pub seen: Seen,
}

/// Kills so often. Blocks; letting go of the leash ends it with an error.
///
/// # Errors
/// [`TrialError`], with the round in which something did not hold.
pub fn run(
    spec: &ChaosSpec,
    kills: u32,
    runtime: &Handle,
    leash: &Leash,
    mut told: impl FnMut(u32),
) -> Result<KillsReport, TrialError> {
    let mut federation = Federation::raise(spec, shape::all()?, runtime, leash)?;
    let mut chance = ChaCha8Rng::seed_from_u64(spec.seed);
    let (mut done, mut with_others, mut right, mut round) = (0, 0, Vec::new(), 0);
    federation.load.go();
    while done < kills {
        round += 1;
        let count = chance.random_range(1..=AT_ONCE).min(kills - done);
        done += count;
        with_others += if count > 1 { count } else { 0 };
        let mut work = || -> Result<(), TrialError> {
            kill(&mut federation, count, &mut chance)?;
            let started = now();
            if done == kills || chance.random_range(0..100) < CHECKED {
                right.push(federation.check(started)?);
            }
            Ok(())
        };
        if let Err(error) = work() {
            federation.keep_status();
            return Err(TrialError::Round { round, seed: spec.seed, error: Box::new(error) });
        }
        told(done);
    }
    Ok(KillsReport {
        way: spec.way.text(),
        engine: spec.engine.name(),
        kills: done,
        with_others,
        right: Spread::of(&right),
        seen: end(federation, 0)?,
    })
}

/// Kills so many nodes shortly one after the other, and starts them again in another order. They may be
/// nodes that are only just starting.
fn kill(
    federation: &mut Federation,
    count: u32,
    chance: &mut ChaCha8Rng,
) -> Result<(), TrialError> {
    let mut victims = BTreeSet::new();
    while victims.len() < usize::try_from(count).unwrap_or(1) {
        victims.insert(chance.random_range(0..federation.sites.len()));
    }
    let mut pause = |most| std::thread::sleep(Duration::from_millis(chance.random_range(0..most)));
    for victim in &victims {
        pause(BETWEEN_MS);
        federation.kill(*victim);
    }
    pause(DOWN_MS);
    for victim in victims.iter().rev() {
        federation.launch(*victim)?;
        pause(BETWEEN_MS);
    }
    federation.look(&BTreeSet::new())
}
