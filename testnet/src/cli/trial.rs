//! `testnet trial`: federations of processes that are killed, kept from each other, or attacked.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use reeve::config::Engine;
use reeve_testnet::processes::Leash;
use reeve_testnet::trial::TrialError;
use reeve_testnet::trial::away::{self, Absence, AwaySpec};
use reeve_testnet::trial::kills::{self, KillsReport, KillsSpec};

use super::disks::{Copies, Full};
use super::hostile::Hostile;
use super::{Failed, runtime, unless_stopped};

/// Kills between two lines about how far it is.
const TOLD: u32 = 10;

/// Which trial.
#[derive(Debug, Args)]
#[command(
    after_help = "A trial that fails keeps the nodes' folders and says where they are.\n\nExamples:\n  testnet trial kills --engine sled --count 100 --seed 7\n  testnet trial away --rounds 5"
)]
pub struct Arguments {
    #[command(subcommand)]
    which: Which,
}

#[derive(Debug, Subcommand)]
enum Which {
    /// Kill nodes that are written to; nothing acknowledged may be lost, nothing said twice
    Kills(Kills),
    /// Stop a superior while much changes below; its figures must be right soon after
    Away(Away),
    /// Kill, damage, fill and fail a store alone; what was acknowledged must be there or be missed
    Stores(super::stores::Arguments),
    /// Put old stores back and run a node twice; no number may be used for two statements
    Copies(On<Copies>),
    /// Fill the disk below nodes; they refuse writes, answer, lose nothing and go on
    Full(On<Full>),
    /// Attack a node; honest people must not notice, and it must come to rest after
    Hostile(Hostile),
}

/// A store engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Store {
    /// The default of a node
    Redb,
    /// The other one
    Sled,
}

impl Store {
    pub(super) const fn engine(self) -> Engine {
        match self {
            Self::Redb => Engine::Redb,
            Self::Sled => Engine::Sled,
        }
    }
}

/// A trial of nodes on one engine.
#[derive(Debug, Args)]
struct On<T: Args> {
    /// Store engine
    #[arg(long, value_enum, default_value = "redb")]
    engine: Store,
    #[command(flatten)]
    what: T,
}

#[derive(Debug, Args)]
struct Kills {
    /// Store engine
    #[arg(long, value_enum, default_value = "redb")]
    engine: Store,
    /// How often a node is killed
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    count: u32,
    /// What chance begins with
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Longest time to right figures after a node is back, in seconds
    #[arg(long, default_value_t = 30)]
    within: u64,
}

#[derive(Debug, Args)]
struct Away {
    /// Store engine
    #[arg(long, value_enum, default_value = "redb")]
    engine: Store,
    /// How often the superior goes away
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// Changes below meanwhile
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    changes: u32,
    /// Shortest time that it is away, in seconds
    #[arg(long, default_value_t = 12)]
    seconds: u64,
    /// Target: longest time to right figures after it is back, in seconds
    #[arg(long, default_value_t = 5)]
    within: u64,
}

/// Runs it.
///
/// # Errors
/// When something does not hold, or the federation cannot be raised.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failed> {
    if let Which::Hostile(hostile) = &arguments.which
        && hostile.lists()
    {
        Hostile::tell_names();
        return Ok(ExitCode::SUCCESS);
    }
    let folder = tempfile::Builder::new().prefix("reeve-trial-").tempdir()?;
    let (path, leash) = (folder.path().to_owned(), Leash::default());
    // Waits for the trial's thread when it is dropped, before the folder is.
    let runtime = runtime()?;
    let done = match &arguments.which {
        Which::Kills(kills) => {
            let work = in_thread(kills_in(kills, path, leash.clone()));
            let report = runtime.block_on(unless_stopped(&leash, work));
            report.map(|report| tell_kills(kills, &report)).map(|()| true)
        }
        Which::Stores(stores) => return super::stores::run(stores),
        Which::Copies(On { engine, what }) => {
            let work = in_thread(what.work(path, engine.engine(), leash.clone()));
            let report = runtime.block_on(unless_stopped(&leash, work));
            report.map(|report| what.tell(engine.engine(), &report)).map(|()| true)
        }
        Which::Full(On { engine, what }) => {
            let work = in_thread(what.work(path, engine.engine(), leash.clone()));
            let report = runtime.block_on(unless_stopped(&leash, work));
            report.map(|report| what.tell(engine.engine(), &report)).map(|()| true)
        }
        Which::Away(away) => {
            let work = in_thread(away_in(away, path, leash.clone()));
            let absences = runtime.block_on(unless_stopped(&leash, work));
            absences.map(|absences| tell_away(away, &absences))
        }
        Which::Hostile(hostile) => {
            let work = in_thread(hostile.work(path, leash.clone())?);
            let outcomes = runtime.block_on(unless_stopped(&leash, work));
            outcomes.map(|outcomes| hostile.tell(&outcomes))
        }
    };
    drop(runtime);
    match done {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) if matches!(arguments.which, Which::Hostile(_)) => {
            anstream::eprintln!("the nodes' folders are in {}", folder.keep().display());
            Ok(ExitCode::FAILURE)
        }
        Ok(false) => Ok(ExitCode::FAILURE),
        Err(error) if error.downcast_ref::<TrialError>().is_some() => {
            let kept = folder.keep();
            Err(format!("{error}; the nodes' folders are in {}", kept.display()).into())
        }
        Err(error) => Err(error),
    }
}

async fn in_thread<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, Failed>
where
    T: Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    Ok(tokio::task::spawn_blocking(work).await??)
}

fn kills_in(
    kills: &Kills,
    folder: PathBuf,
    leash: Leash,
) -> impl FnOnce() -> Result<KillsReport, TrialError> + use<> {
    let spec = KillsSpec {
        folder,
        engine: kills.engine.engine(),
        kills: kills.count,
        seed: kills.seed,
        within: Duration::from_secs(kills.within),
    };
    let told = |kill: u32| {
        if kill.is_multiple_of(TOLD) {
            anstream::eprintln!("{kill} kills");
        }
    };
    move || kills::run(&spec, &leash, told)
}

fn tell_kills(kills: &Kills, report: &KillsReport) {
    let by_unit: Vec<String> =
        report.kills.iter().map(|(unit, kills)| format!("{unit} {kills}")).collect();
    let name = kills.engine.engine().name();
    anstream::println!("{} kills on {name}, seed {}", kills.count, kills.seed);
    anstream::println!("  of                 {}", by_unit.join(", "));
    anstream::println!("  while starting     {}", report.starting);
    anstream::println!("  acknowledged       {} requests, none lost", report.acknowledged);
    anstream::println!("  cut off            {} requests", report.cut_off);
    let (entries, editions) = report.entered;
    anstream::println!(
        "  ledgers            {entries} entries; {editions} editions, no number used twice"
    );
    anstream::println!("  verified in stores {}", report.verified);
    anstream::println!("  checked after      {} kills", report.checked);
    anstream::println!("  start to serving   {}", spread(&report.starts));
    anstream::println!("  serving to right   {}", spread(&report.right));
}

fn away_in(
    away: &Away,
    folder: PathBuf,
    leash: Leash,
) -> impl FnOnce() -> Result<Vec<Absence>, TrialError> + use<> {
    /// A target that is missed is measured all the same, up to this many times of it.
    const PATIENCE: u32 = 20;
    let spec = AwaySpec {
        folder,
        engine: away.engine.engine(),
        rounds: away.rounds,
        changes: away.changes,
        away: Duration::from_secs(away.seconds),
        within: Duration::from_secs(away.within) * PATIENCE,
    };
    move || away::run(&spec, &leash)
}

/// Whether every absence met the target.
fn tell_away(away: &Away, absences: &[Absence]) -> bool {
    let name = away.engine.engine().name();
    anstream::println!("{} changes below a superior that was away, on {name}", away.changes);
    let each = |of: fn(&Absence) -> Duration| absences.iter().map(of).collect::<Vec<_>>();
    anstream::println!("  away               {}", spread(&each(|absence| absence.away)));
    anstream::println!("  start to serving   {}", spread(&each(|absence| absence.start)));
    anstream::println!("  serving to right   {}", spread(&each(|absence| absence.superior)));
    anstream::println!("  nation right       {}", spread(&each(|absence| absence.nation)));
    let limit = Duration::from_secs(away.within);
    let met = absences.iter().filter(|absence| absence.nation <= limit).count();
    anstream::println!(
        "  target             {} s: met in {met} of {}",
        away.within,
        absences.len()
    );
    met == absences.len()
}

/// The middle and the ends, in seconds.
fn spread(took: &[Duration]) -> String {
    let mut sorted = took.to_vec();
    sorted.sort_unstable();
    match (sorted.first(), sorted.get(sorted.len() / 2), sorted.last()) {
        (Some(least), Some(middle), Some(most)) => format!(
            "{:.2} s in the middle, {:.2} to {:.2} s ({} times)",
            middle.as_secs_f64(),
            least.as_secs_f64(),
            most.as_secs_f64(),
            sorted.len()
        ),
        _ => "-".to_owned(),
    }
}
