//! `testnet trial stores`, and the two hidden commands that it starts this program with.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use reeve::store::EngineKind;
use reeve_testnet::processes::Leash;
use reeve_testnet::stores::check::{Look, look};
use reeve_testnet::stores::worker::{self, Work};
use reeve_testnet::stores::{self, StoresSpec};

use super::{Failed, runtime, unless_stopped};

/// Trials between two lines about how far it is.
const TOLD: u32 = 50;

/// A store engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// The default of a node
    Redb,
    /// The other one
    Sled,
}

impl Engine {
    const fn kind(self) -> EngineKind {
        match self {
            Self::Redb => EngineKind::Redb,
            Self::Sled => EngineKind::Sled,
        }
    }
}

/// How often what is tried.
#[derive(Debug, Args)]
#[command(after_help = "\
What is lost, silently wrong, dead or hung is a failure; so is a refusal to open where nothing was
damaged. Stores that failed are kept in the folder that is printed.

Example:
  testnet trial stores --engine sled --kills 100 --power 0 --flips 0 --full 0 --errors 0")]
pub struct Arguments {
    /// Store engine
    #[arg(long, value_enum, default_value = "redb")]
    engine: Engine,
    /// Processes killed while they open, write or close
    #[arg(long, default_value_t = 1_000)]
    kills: u32,
    /// Power losses: only what was synced is there for certain
    #[arg(long, default_value_t = 300)]
    power: u32,
    /// Bits flipped, files cut, sectors zeroed
    #[arg(long, default_value_t = 3_000)]
    flips: u32,
    /// Points at which the disk is full
    #[arg(long, default_value_t = 100)]
    full: u32,
    /// First writes and first syncs of which each fails, once and from then on
    #[arg(long, default_value_t = 100)]
    errors: u32,
    /// What chance begins with
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One line of JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Runs it.
///
/// # Errors
/// When the trial itself cannot go on.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failed> {
    let folder = tempfile::Builder::new().prefix("reeve-stores-").tempdir()?;
    let leash = Leash::default();
    let spec = StoresSpec {
        program: std::env::current_exe()?,
        folder: folder.path().canonicalize()?,
        engine: arguments.engine.kind(),
        seed: arguments.seed,
        kills: arguments.kills,
        power: arguments.power,
        flips: arguments.flips,
        full: arguments.full,
        errors: arguments.errors,
    };
    let told = |what: &str, done: u32| {
        if done.is_multiple_of(TOLD) {
            anstream::eprintln!("{what}: {done} done");
        }
    };
    let held = leash.clone();
    let runtime = runtime()?;
    let work = tokio::task::spawn_blocking;
    let report = runtime.block_on(unless_stopped(&leash, async {
        let done = work(move || stores::run(&spec, &held, &told)).await?;
        Ok::<_, Failed>(done?)
    }))?;
    drop(runtime);
    if arguments.json {
        anstream::println!("{}", serde_json::to_string(&report)?);
    } else {
        anstream::print!("{}", report.describe());
    }
    if report.held() {
        return Ok(ExitCode::SUCCESS);
    }
    anstream::eprintln!("not all held; what failed is kept in {}", folder.keep().display());
    Ok(ExitCode::FAILURE)
}

/// What both hidden commands are told.
#[derive(Debug, Args)]
struct Place {
    /// The store's folder
    #[arg(long)]
    folder: PathBuf,
    /// Its engine
    #[arg(long, value_enum)]
    engine: Engine,
    /// What the workload begins with
    #[arg(long)]
    seed: u64,
}

/// One that writes.
#[derive(Debug, Args)]
pub struct WorkerArguments {
    #[command(flatten)]
    place: Place,
    /// How many batches
    #[arg(long)]
    batches: u64,
}

/// One that looks.
#[derive(Debug, Args)]
pub struct CheckArguments {
    #[command(flatten)]
    place: Place,
    /// Verify a copy here first
    #[arg(long)]
    scratch: Option<PathBuf>,
}

/// Writes.
///
/// # Errors
/// When nobody listens.
pub fn write(arguments: WorkerArguments) -> Result<ExitCode, Failed> {
    let WorkerArguments { place: Place { folder, engine, seed }, batches } = arguments;
    let done = worker::run(&Work { folder, engine: engine.kind(), seed, batches })?;
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Looks.
///
/// # Errors
/// When nobody listens.
pub fn check(arguments: CheckArguments) -> Result<ExitCode, Failed> {
    let CheckArguments { place: Place { folder, engine, seed }, scratch } = arguments;
    let seen = look(&Look { folder, engine: engine.kind(), seed, scratch });
    anstream::println!("{}", serde_json::to_string(&seen)?);
    Ok(ExitCode::SUCCESS)
}
