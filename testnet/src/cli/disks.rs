//! `testnet trial copies` and `testnet trial full`: the disks below running nodes.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use reeve::config::Engine;
use reeve_testnet::processes::Leash;
use reeve_testnet::trial::TrialError;
use reeve_testnet::trial::copies::{self, CopiesReport, CopiesSpec};
use reeve_testnet::trial::full::{self, FullReport, FullSpec};

/// Rounds between two lines about how far it is.
const TOLD: u32 = 10;

/// How often old and other copies run.
#[derive(Debug, Args)]
pub struct Copies {
    /// Old copies of the store put back
    #[arg(long, default_value_t = 50)]
    copies: u32,
    /// Second processes on the same folder
    #[arg(long, default_value_t = 100)]
    twins: u32,
    /// Copies of the whole machine that run beside it; if the superior took figures of both in turn,
    /// neither is the newest, and the trial ends there
    #[arg(long, default_value_t = 5)]
    clones: u32,
    /// Stores that are damaged, and put in order by the procedure in docs/operate.md
    #[arg(long, default_value_t = 10)]
    damaged: u32,
    /// Longest time until a copy is noticed, and until figures are right, in seconds
    #[arg(long, default_value_t = 60)]
    within: u64,
}

/// How often a disk fills up.
#[derive(Debug, Args)]
pub struct Full {
    /// How often
    #[arg(long, default_value_t = 100)]
    rounds: u32,
    /// What chance begins with
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Longest time until it is noticed, and until figures are right, in seconds
    #[arg(long, default_value_t = 60)]
    within: u64,
}

impl Copies {
    /// The trial, to be run.
    pub fn work(
        &self,
        folder: PathBuf,
        engine: Engine,
        leash: Leash,
    ) -> impl FnOnce() -> Result<CopiesReport, TrialError> + use<> {
        let spec = CopiesSpec {
            folder,
            engine,
            copies: self.copies,
            twins: self.twins,
            clones: self.clones,
            damaged: self.damaged,
            within: Duration::from_secs(self.within),
        };
        let told = |what: &str, done: u32| {
            if done.is_multiple_of(TOLD) {
                anstream::eprintln!("{what}: {done} done");
            }
        };
        move || copies::run(&spec, &leash, told)
    }

    /// What came of it.
    pub fn tell(&self, engine: Engine, report: &CopiesReport) {
        let longest = report.noticed.iter().max().copied().unwrap_or_default();
        anstream::println!("Old and other copies of a node on {}", engine.name());
        anstream::println!(
            "  old copies         {} put back, {} of them wrote alone first; all noticed, within {:.2} s",
            report.noticed.len(),
            report.alone,
            longest.as_secs_f64()
        );
        anstream::println!("  second processes   {}, all refused", report.twins);
        anstream::println!("  copies of it all   {}, all noticed", report.clones);
        anstream::println!("  damaged stores     {}, all named and put in order", report.damaged);
        anstream::println!("  editions           {}, no number used twice", report.editions);
    }
}

impl Full {
    /// The trial, to be run.
    pub fn work(
        &self,
        folder: PathBuf,
        engine: Engine,
        leash: Leash,
    ) -> impl FnOnce() -> Result<FullReport, TrialError> + use<> {
        let within = Duration::from_secs(self.within);
        let spec = FullSpec { folder, engine, rounds: self.rounds, seed: self.seed, within };
        let told = |round: u32| {
            if round.is_multiple_of(TOLD) {
                anstream::eprintln!("full disks: {round} done");
            }
        };
        move || full::run(&spec, &leash, told)
    }

    /// What came of it.
    pub fn tell(&self, engine: Engine, report: &FullReport) {
        let name = engine.name();
        anstream::println!("{} full disks below nodes on {name}, seed {}", self.rounds, self.seed);
        anstream::println!("  acknowledged       {} writes, none lost", report.acknowledged);
        anstream::println!("  refused            {} writes, for want of space", report.refused);
        anstream::println!(
            "  stopped            {} times; served again on the full disk {} times",
            report.stopped,
            report.served_full
        );
    }
}
