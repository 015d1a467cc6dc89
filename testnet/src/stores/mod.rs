//! The stores under trial: killed, without power, damaged, full, failing; and what they kept.
//!
//! A process writes batches as a node does and says what was acknowledged ([`worker`]); something happens
//! to it or to its files; another process looks at what is left ([`check`]). Nobody asserts on the way:
//! everything is counted, so that the figures of a weak engine can be told as well. What is drawn by
//! chance comes from a seed; at which instruction a signal meets a process does not.

pub mod check;
pub mod child;
mod damage;
mod faults;
pub mod journal;
mod kills;
mod power;
pub mod report;
pub mod worker;
pub mod workload;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use reeve::store::EngineKind;

use crate::processes::Leash;
use crate::shim::{DISK, ShimError};
use child::{Shimmed, Starter};
use journal::JournalError;
use report::{Campaign, Report};

/// What to try, and how often.
#[derive(Debug, Clone)]
pub struct StoresSpec {
    /// This program, which is started again as worker and checker.
    pub program: PathBuf,
    /// Where stores are made; what failed is kept here.
    pub folder: PathBuf,
    /// The engine.
    pub engine: EngineKind,
    /// What chance begins with.
    pub seed: u64,
    /// Processes killed.
    pub kills: u32,
    /// Power losses.
    pub power: u32,
    /// Files damaged.
    pub flips: u32,
    /// Points at which the disk is full.
    pub full: u32,
    /// Writes, and as many syncs, of which each fails once.
    pub errors: u32,
}

/// Why the trial itself cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum StoresError {
    /// The system.
    #[error("{}: {reason}", path.display())]
    System {
        /// Which file or program.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The shim.
    #[error(transparent)]
    Shim(#[from] ShimError),
    /// The journal of a power loss.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A store that nothing was done to does not do.
    #[error("a store that nothing was done to: {0}")]
    Unhurt(String),
    /// Told to stop.
    #[error("told to stop")]
    Stopped,
}

fn system(path: &Path) -> impl Fn(io::Error) -> StoresError + use<> {
    let path = path.to_owned();
    move |reason| StoresError::System { path: path.clone(), reason }
}

/// What a campaign works with.
struct Bench<'a> {
    spec: &'a StoresSpec,
    starter: Starter,
    random: ChaCha8Rng,
    library: PathBuf,
    leash: &'a Leash,
    told: &'a dyn Fn(&str, u32),
}

impl Bench<'_> {
    /// Another place below the trial's folder; what was there is removed.
    fn place(&self, name: &str) -> Result<PathBuf, StoresError> {
        let path = self.spec.folder.join(name);
        if path.exists() {
            fs::remove_dir_all(&path).map_err(system(&path))?;
        }
        Ok(path)
    }

    /// The shim, with what goes wrong and with a journal.
    fn shimmed(&self, control: Option<PathBuf>, journal: Option<PathBuf>) -> Shimmed {
        Shimmed { library: self.library.clone(), control, journal }
    }

    /// Says how far it is; an error if it was told to stop.
    fn told(&self, what: &str, done: u32) -> Result<(), StoresError> {
        if self.leash.is_let_go() {
            return Err(StoresError::Stopped);
        }
        (self.told)(what, done);
        Ok(())
    }
}

/// Runs all campaigns on one engine.
///
/// # Errors
/// [`StoresError`]: the trial itself failed. What a store did wrong is in the report.
pub fn run(
    spec: &StoresSpec,
    leash: &Leash,
    told: &dyn Fn(&str, u32),
) -> Result<Report, StoresError> {
    fs::create_dir_all(&spec.folder).map_err(system(&spec.folder))?;
    let library = DISK.build(&spec.folder)?;
    let starter = Starter { program: spec.program.clone(), engine: spec.engine, seed: spec.seed };
    let random = ChaCha8Rng::seed_from_u64(spec.seed);
    let mut bench = Bench { spec, starter, random, library, leash, told };
    let campaigns: [(&'static str, u32, Run); 6] = [
        (report::KILLS, spec.kills, kills::run),
        (report::POWER, spec.power, power::run),
        (report::FLIPS, spec.flips, damage::run),
        (report::FULL, spec.full, faults::full),
        (report::WRITES, spec.errors, faults::writes),
        (report::SYNCS, spec.errors, faults::syncs),
    ];
    let mut report = Report { engine: spec.engine.name(), seed: spec.seed, campaigns: Vec::new() };
    for (name, count, run) in campaigns {
        let mut campaign = Campaign { name, ..Campaign::default() };
        if count > 0 {
            run(&mut bench, count, &mut campaign)?;
        }
        report.campaigns.push(campaign);
    }
    Ok(report)
}

/// A campaign: so many trials, counted.
type Run = fn(&mut Bench<'_>, u32, &mut Campaign) -> Result<(), StoresError>;

/// Copies a folder with what is in it.
fn copy_folder(from: &Path, to: &Path) -> Result<(), StoresError> {
    fs::create_dir_all(to).map_err(system(to))?;
    for found in fs::read_dir(from).map_err(system(from))? {
        let path = found.map_err(system(from))?.path();
        let Some(name) = path.file_name() else { continue };
        if path.is_dir() {
            copy_folder(&path, &to.join(name))?;
        } else {
            fs::copy(&path, to.join(name)).map_err(system(&path))?;
        }
    }
    Ok(())
}
