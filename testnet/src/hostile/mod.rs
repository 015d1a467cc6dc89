//! A real node under attack: what honest people notice of it, and whether it comes to rest after.
//!
//! Each attack has a federation of its own: a superior and honest subordinates, each a process, and an
//! attacker inside this one with raw sockets, raw Noise and Yamux, and keys: unknown ones, that of an
//! admitted subordinate, that of a second node of a home. Everything is on loopback, bounded, and ends
//! by itself. What is held against which bound is in [`verdict`].

pub mod attacks;
mod forge;
mod honest;
mod stage;
pub mod verdict;
mod watch;
mod wire;

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reeve::config::Engine;
use reeve::house::HouseError;

use crate::processes::{Leash, ProcessError};
use crate::stopwatch::now;
use attacks::{Attack, Scene, Victim};
use honest::Honest;
use stage::Stage;
use watch::Watch;

pub use honest::Noticed;
pub use verdict::{Bounds, Outcome, Rest, Store};
pub use watch::Sample;

/// Threads of the attacker: as many as a small machine has cores.
const THREADS: usize = 2;

/// How long the process is watched to say how much it works.
const WORK: Duration = Duration::from_secs(1);

/// How long the store is watched to say whether it still grows.
const STILL: Duration = Duration::from_secs(2);

/// Longest time that an attack may take to end when its time is over: its last requests.
const ENDING: Duration = Duration::from_secs(60);

/// What to do.
#[derive(Debug, Clone)]
pub struct HostileSpec {
    /// Where the nodes' folders are made.
    pub folder: PathBuf,
    /// Their store engine.
    pub engine: Engine,
    /// How long each attack lasts.
    pub each: Duration,
    /// How long honest people work before and after it.
    pub calm: Duration,
    /// What is held against the figures.
    pub bounds: Bounds,
}

/// Why a trial ends early: the trial itself failed, or the node is gone.
#[derive(Debug, thiserror::Error)]
pub enum HostileError {
    /// A process.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A folder.
    #[error(transparent)]
    House(#[from] HouseError),
    /// Something of the trial itself, in words.
    #[error("{0}")]
    Trial(String),
}

impl HostileError {
    fn text(text: impl Display) -> Self {
        Self::Trial(text.to_string())
    }
}

/// Plays one attack against a federation of its own. Blocks; letting go of the leash ends it with an
/// error.
///
/// # Errors
/// [`HostileError`]; what is out of its bound is no error but in the outcome.
pub fn play(spec: &HostileSpec, attack: Attack, leash: &Leash) -> Result<Outcome, HostileError> {
    let folder = spec.folder.join(attack.name);
    let stage = Stage::raise(&folder, spec.engine, leash)?;
    let outcome = against(&stage, spec, attack);
    stage.end();
    if outcome.as_ref().is_ok_and(|outcome| outcome.faults.is_empty()) {
        // What is left of a stage where everything held tells nothing.
        remove(&folder);
    }
    outcome
}

fn remove(folder: &Path) {
    // A folder that stays is in the way of nobody.
    let _ = std::fs::remove_dir_all(folder);
}

fn against(stage: &Stage, spec: &HostileSpec, attack: Attack) -> Result<Outcome, HostileError> {
    let process = match attack.victim {
        Victim::Superior => stage.superior_process()?,
        Victim::Home => stage.home_process()?,
    };
    let (watch, mut honest) = (Watch::of(process), Honest::new(stage)?);
    let before = calm(&mut honest, spec.calm)?;
    let at_first = watch.look()?;
    let began = now();
    let (during, most, tally) = under_attack(stage, spec, attack, &watch, &mut honest)?;
    let lasted = began.elapsed();
    let at_end = watch.look()?;
    let rest = rest(&watch, &at_first, &spec.bounds)?;
    let after = calm(&mut honest, spec.calm)?;
    process.check()?;
    let lines = at_end.log_lines.saturating_sub(at_first.log_lines);
    let outcome = Outcome {
        attack: attack.name,
        attempts: tally.0,
        accepted: tally.1,
        refused: tally.2,
        lasted,
        before,
        during,
        after,
        at_first,
        most,
        rest,
        store: Store { before: at_first.store, after: at_end.store },
        log_lines_per_second: f64::from(u32::try_from(lines).unwrap_or(u32::MAX))
            / lasted.as_secs_f64(),
        faults: Vec::new(),
    };
    Ok(outcome.judged(&spec.bounds))
}

/// Honest people alone.
fn calm(honest: &mut Honest<'_>, length: Duration) -> Result<Noticed, HostileError> {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let working = scope.spawn(|| honest.work(&stop));
        std::thread::sleep(length);
        stop.store(true, Ordering::Relaxed);
        working.join().map_err(|_| HostileError::text("the honest ones panicked"))?
    })
}

/// What an attack attempted, and how much of it was accepted and refused.
type Counted = (u64, u64, u64);

/// The attack, with honest people at work and the process watched.
fn under_attack(
    stage: &Stage,
    spec: &HostileSpec,
    attack: Attack,
    watch: &Watch,
    honest: &mut Honest<'_>,
) -> Result<(Noticed, Sample, Counted), HostileError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .map_err(HostileError::text)?;
    let stop = AtomicBool::new(false);
    let scene = Arc::new(Scene::new(stage, spec.each));
    let (noticed, most, ended) = std::thread::scope(|scope| {
        let working = scope.spawn(|| honest.work(&stop));
        let watching = scope.spawn(|| watch.most(&stop));
        let attacking = attack.run(Arc::clone(&scene));
        let ended = runtime.block_on(async {
            let (attack, least) = (tokio::spawn(attacking), tokio::time::sleep(spec.each));
            let limit = spec.each + ENDING;
            let done = tokio::time::timeout(limit, attack).await;
            least.await;
            done.is_ok_and(|done| done.is_ok())
        });
        stop.store(true, Ordering::Relaxed);
        (working.join(), watching.join(), ended)
    });
    // Connections that are still open are the attacker's, and end with it.
    runtime.shutdown_background();
    if !ended {
        return Err(HostileError::text(format!("the attack {} did not end", attack.name)));
    }
    let panicked = |_| HostileError::text("a thread of the trial panicked");
    Ok((noticed.map_err(panicked)??, most.map_err(panicked)??, scene.tally().read()))
}

/// Waits until the process is at rest, and says how it is then.
fn rest(watch: &Watch, before: &Sample, bounds: &Bounds) -> Result<Rest, HostileError> {
    let began = now();
    loop {
        let work = watch.work(WORK)?;
        let sample = watch.look()?;
        let rest = Rest { after: began.elapsed(), work, sample, growing: 0 };
        if bounds.at_rest(&rest, before) || began.elapsed() > bounds.rest {
            std::thread::sleep(STILL);
            let later = watch.look()?;
            let growing = later.store.saturating_sub(sample.store);
            return Ok(Rest { growing, ..rest });
        }
    }
}
