//! All faults at once for a while, then quiet; then everything must be right.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use tokio::runtime::Handle;

use super::faults::{KINDS, Kind};
use super::federation::Federation;
use super::{ChaosSpec, Seen, end, shape};
use crate::processes::Leash;
use crate::stopwatch::now;
use crate::trial::TrialError;

/// Most faults at a time.
const AT_ONCE: usize = 4;

/// Longest pause between two faults, in milliseconds.
const BETWEEN_MS: u64 = 1_500;

/// Time of trouble between two times of quiet.
const ROUND: Duration = Duration::from_secs(60);

/// Why a superior whose clock is behind refuses what comes from below; it is delivered again later.
const BY_CLOCKS: &[&str] = &["clock_skew", "not_yet_valid"];

/// Why a superior refuses what a connection that was cut or frozen still had under way: it comes after
/// what was signed since and came over the next one.
const BY_OLD_CONNECTIONS: &[&str] = &["old_edition"];

/// How long after its disk is well again a node may stop because it was not.
const SHAKEN: Duration = Duration::from_secs(5);

/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What was seen.
#[derive(Debug, Clone, Serialize)]
pub struct MixedReport {
    /// How the network was made.
    pub way: &'static str,
    /// The store engine.
    pub engine: &'static str,
    /// Time of trouble, in seconds.
    pub seconds: u64,
    /// How often each fault came.
    pub faults: BTreeMap<Kind, u32>,
    /// Processes that stopped by themselves, rather than acknowledge what they could not keep.
    pub stopped: u32,
    /// From the end of all faults to right figures at the nation, in seconds, round by round.
    pub right: Vec<f64>,
    /// The rest.
    pub seen: Seen,
}

/// Runs for so long. Blocks; letting go of the leash ends it with an error.
///
/// # Errors
/// [`TrialError`], with the round in which something did not hold.
pub fn run(
    spec: &ChaosSpec,
    trouble: Duration,
    runtime: &Handle,
    leash: &Leash,
    mut told: impl FnMut(Duration),
) -> Result<MixedReport, TrialError> {
    let federation = Federation::raise(spec, shape::all()?, runtime, leash)?;
    let chance = ChaCha8Rng::seed_from_u64(spec.seed);
    let mut trial = Trial {
        federation,
        chance,
        active: Vec::new(),
        faults: BTreeMap::new(),
        shaken: BTreeMap::new(),
    };
    trial.federation.load.go();
    let (mut done, mut right, mut round) = (Duration::ZERO, Vec::new(), 0);
    while done < trouble {
        round += 1;
        let length = ROUND.min(trouble - done);
        match trial.round(length) {
            Ok(took) => right.push(took.as_secs_f64()),
            Err(error) => {
                trial.federation.keep_status();
                let error = Box::new(error);
                return Err(TrialError::Round { round, seed: spec.seed, error });
            }
        }
        done += length;
        told(done);
    }
    Ok(MixedReport {
        way: spec.way.text(),
        engine: spec.engine.name(),
        seconds: done.as_secs(),
        faults: trial.faults,
        stopped: trial.federation.revived,
        right,
        seen: end(trial.federation, 0)?,
    })
}

/// A fault that lasts.
struct Active {
    kind: Kind,
    node: usize,
    until: Instant,
}

struct Trial {
    federation: Federation,
    chance: ChaCha8Rng,
    active: Vec<Active>,
    faults: BTreeMap<Kind, u32>,
    /// Nodes whose disk was not well a moment ago, and until when they may stop because of it.
    shaken: BTreeMap<usize, Instant>,
}

impl Trial {
    /// Trouble, then quiet; how long until figures were right.
    fn round(&mut self, length: Duration) -> Result<Duration, TrialError> {
        let began = now();
        while began.elapsed() < length {
            self.undo(false)?;
            if self.active.len() < AT_ONCE {
                self.strike()?;
            }
            self.look()?;
            let pause = self.chance.random_range(0..BETWEEN_MS);
            std::thread::sleep(Duration::from_millis(pause).min(length));
        }
        self.undo(true)?;
        self.federation.network.mend()?;
        let quiet = now();
        while !self.shaken.is_empty() {
            self.look()?;
            std::thread::sleep(LOOK);
        }
        self.federation.check(quiet)
    }

    /// Undoes what has lasted long enough, or everything.
    fn undo(&mut self, all: bool) -> Result<(), TrialError> {
        let (over, active): (Vec<_>, Vec<_>) = std::mem::take(&mut self.active)
            .into_iter()
            .partition(|fault| all || fault.until <= now());
        self.active = active;
        for Active { kind, node, .. } in over {
            kind.end(&mut self.federation, node)?;
            if kind.may_end() {
                self.shaken.insert(node, now() + SHAKEN);
            }
        }
        Ok(())
    }

    /// Draws a fault for a node that has none, and does it.
    fn strike(&mut self) -> Result<(), TrialError> {
        let kind = KINDS.get(self.chance.random_range(0..KINDS.len())).copied();
        let Some(kind) = kind else { return Ok(()) };
        let nodes = self.federation.suited_to(kind);
        let free: Vec<usize> = nodes
            .into_iter()
            .filter(|node| self.active.iter().all(|fault| fault.node != *node))
            .collect();
        let Some(node) = free.get(self.chance.random_range(0..free.len().max(1))).copied() else {
            return Ok(());
        };
        // There is one network: it is parted once at a time.
        if kind == Kind::Parted && self.active.iter().any(|fault| fault.kind == kind) {
            return Ok(());
        }
        kind.begin(&mut self.federation, node, &mut self.chance)?;
        let (least, most) = kind.lasts();
        let lasts = Duration::from_millis(self.chance.random_range(least..=most));
        self.active.push(Active { kind, node, until: now() + lasts });
        self.federation.excused.extend(match kind {
            Kind::WrongClock => BY_CLOCKS,
            Kind::Frozen
            | Kind::Unplugged
            | Kind::Parted
            | Kind::Slowed
            | Kind::Blackhole
            | Kind::OneWay
            | Kind::Late => BY_OLD_CONNECTIONS,
            _ => &[],
        });
        *self.faults.entry(kind).or_default() += 1;
        Ok(())
    }

    /// No process has ended by itself but for a reason.
    fn look(&mut self) -> Result<(), TrialError> {
        self.shaken.retain(|_, until| *until > now());
        for node in self.shaken.keys() {
            if !self.active.iter().any(|fault| fault.node == *node) {
                self.federation.revive(*node)?;
            }
        }
        let may_end = self.active.iter().filter(|fault| fault.kind.may_end());
        let may_end: BTreeSet<usize> =
            may_end.map(|fault| fault.node).chain(self.shaken.keys().copied()).collect();
        self.federation.look(&may_end)
    }
}
