//! `testnet chaos`: a federation of real processes under faults drawn from a seed.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use reeve_testnet::chaos::clocks::ClocksReport;
use reeve_testnet::chaos::kills::KillsReport;
use reeve_testnet::chaos::mixed::MixedReport;
use reeve_testnet::chaos::partitions::PartitionsReport;
use reeve_testnet::chaos::relay::RelayReport;
use reeve_testnet::chaos::silence::SilenceReport;
use reeve_testnet::chaos::way::{self, Way};
use reeve_testnet::chaos::week::WeekReport;
use reeve_testnet::chaos::{
    ChaosSpec, Seen, Transport, clocks, kills, mixed, partitions, relay, silence, week,
};
use reeve_testnet::processes::Leash;
use reeve_testnet::trial::TrialError;
use serde::Serialize;
use tokio::runtime::Handle;

use super::trial::Store;
use super::{Failed, runtime, unless_stopped};

/// Kills or cycles between two lines about how far it is.
const TOLD: u32 = 10;

/// Which trial, and how.
#[derive(Debug, Args)]
#[command(
    after_help = "Without an option each trial is the full run. It says which way its network is made: namespaces need\nutil-linux, iproute2 and the right to make them (root, or user namespaces). A trial that fails keeps the\nnodes' folders and says where they are.\n\nExamples:\n  testnet chaos partitions --cycles 20\n  testnet chaos --network loopback --engine sled kills --count 100 --seed 7\n  testnet chaos --json mixed --seconds 120"
)]
pub struct Arguments {
    #[command(subcommand)]
    which: Which,
    /// How the nodes' network is made
    #[arg(long, value_enum, default_value = "auto", global = true)]
    network: Network,
    /// Store engine
    #[arg(long, value_enum, default_value = "redb", global = true)]
    engine: Store,
    /// Over what the nodes reach each other
    #[arg(long, value_enum, default_value = "tcp", global = true)]
    transport: Over,
    /// What chance begins with
    #[arg(long, default_value_t = 1, global = true)]
    seed: u64,
    /// Longest time to right figures after a fault, in seconds
    #[arg(long, default_value_t = 30, global = true)]
    within: u64,
    /// One JSON document instead of text
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Clone, Subcommand)]
enum Which {
    /// Let the network fall apart and heal; figures must be right soon after each time
    Partitions {
        /// How often
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        cycles: u32,
    },
    /// Kill nodes, several at once; nothing acknowledged may be lost, nothing said twice
    Kills {
        /// How many kills
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        count: u32,
    },
    /// Stop a superior for a week of the nodes' clocks; nothing may be lost, and it must not be flooded
    Week {
        /// How many days
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(2..=365))]
        days: u32,
        /// Changes a day at each municipality
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        changes: u32,
    },
    /// Let a node's clock jump; it must never sign below what it signed last, and say so
    Clocks {
        /// How often
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        jumps: u32,
    },
    /// Relays that lose 30 % and repeat 50 % of all datagrams (with --transport quic), and read along
    Relay {
        /// How long
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=100_000))]
        seconds: u64,
    },
    /// A unit that keeps periods back, then says nothing at all: every gap must be named
    Silence {
        /// How many periods
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(4..=300))]
        periods: u32,
    },
    /// All faults at once, several at a time, with times of quiet in which everything is checked
    Mixed {
        /// How long
        #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
        seconds: u64,
    },
}

/// Over what nodes reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Over {
    Tcp,
    Quic,
}

impl Over {
    const fn transport(self) -> Transport {
        match self {
            Self::Tcp => Transport::Tcp,
            Self::Quic => Transport::Quic,
        }
    }
}

/// How the network is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Network {
    /// Namespaces where this machine gives them, else loopback
    Auto,
    /// Namespaces, or not at all
    Namespaces,
    /// Loopback, with a relay in each connection
    Loopback,
}

impl Network {
    /// The way, if this program can go on as it is; else it goes on within namespaces.
    fn choose(self) -> Result<Way, Failed> {
        if self == Self::Loopback {
            return Ok(Way::Loopback);
        }
        if way::is_within() {
            return Ok(Way::Namespaces);
        }
        match way::unsharing() {
            Some(unsharing) => Err(way::enter(unsharing).into()),
            None if self == Self::Auto => Ok(Way::Loopback),
            None => Err("this machine gives no namespaces; use --network loopback".into()),
        }
    }
}

/// Runs it.
///
/// # Errors
/// When something does not hold, or the federation cannot be raised.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failed> {
    let network = match arguments.which {
        // There every connection has a relay.
        Which::Relay { .. } => Network::Loopback,
        _ => arguments.network,
    };
    let way = network.choose()?;
    anstream::eprintln!("NETWORK: {}", way.text());
    let folder = tempfile::Builder::new().prefix("reeve-chaos-").tempdir()?;
    let leash = Leash::default();
    let spec = ChaosSpec {
        folder: folder.path().to_owned(),
        engine: arguments.engine.engine(),
        way,
        transport: arguments.transport.transport(),
        seed: arguments.seed,
        within: Duration::from_secs(arguments.within),
    };
    // Waits for the trial's thread when it is dropped, before the folder is.
    let runtime = runtime()?;
    let (handle, held) = (runtime.handle().clone(), leash.clone());
    let (which, json) = (arguments.which.clone(), arguments.json);
    let work = async move {
        let trial = tokio::task::spawn_blocking(move || one(&which, json, &spec, &handle, &held));
        Ok::<String, Failed>(trial.await??)
    };
    let done = runtime.block_on(unless_stopped(&leash, work));
    drop(runtime);
    match done {
        Ok(text) => {
            anstream::println!("{text}");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if error.downcast_ref::<TrialError>().is_some() => {
            let kept = folder.keep();
            Err(format!("{error}; the nodes' folders are in {}", kept.display()).into())
        }
        Err(error) => Err(error),
    }
}

/// Runs one trial; what it saw.
fn one(
    which: &Which,
    json: bool,
    spec: &ChaosSpec,
    handle: &Handle,
    leash: &Leash,
) -> Result<String, TrialError> {
    let counted = |what: &'static str| {
        move |done: u32| {
            if done.is_multiple_of(TOLD) {
                anstream::eprintln!("{done} {what}");
            }
        }
    };
    match *which {
        Which::Partitions { cycles } => {
            let report = partitions::run(spec, cycles, handle, leash, counted("cycles"))?;
            told(json, &report, partitions_text)
        }
        Which::Kills { count } => {
            let report = kills::run(spec, count, handle, leash, counted("kills"))?;
            told(json, &report, kills_text)
        }
        Which::Week { days, changes } => {
            let day = |day| anstream::eprintln!("day {day}");
            told(json, &week::run(spec, days, changes, handle, leash, day)?, week_text)
        }
        Which::Clocks { jumps } => {
            told(json, &clocks::run(spec, jumps, handle, leash, counted("jumps"))?, clocks_text)
        }
        Which::Relay { seconds } => {
            let length = Duration::from_secs(seconds);
            told(json, &relay::run(spec, length, handle, leash)?, relay_text)
        }
        Which::Silence { periods } => {
            told(json, &silence::run(spec, periods, handle, leash)?, silence_text)
        }
        Which::Mixed { seconds } => {
            let so_far = |done: Duration| anstream::eprintln!("{} s", done.as_secs());
            let length = Duration::from_secs(seconds);
            told(json, &mixed::run(spec, length, handle, leash, so_far)?, mixed_text)
        }
    }
}

fn told<T: Serialize>(
    json: bool,
    report: &T,
    text: fn(&T) -> String,
) -> Result<String, TrialError> {
    if !json {
        return Ok(text(report));
    }
    serde_json::to_string(report).map_err(|error| TrialError::Trial(error.to_string()))
}

fn partitions_text(report: &PartitionsReport) -> String {
    let PartitionsReport { way, parted, unplugged, swallowed, apart, healed, seen } = report;
    let count = parted + unplugged + swallowed;
    format!(
        "{count} partitions of 14 nodes, {way}\n  \
         parted in two      {parted}\n  cables pulled      {unplugged}\n  \
         swallowed          {swallowed}\n  apart              {apart}\n  \
         healing to right   {healed}\n{}",
        seen_text(seen)
    )
}

fn kills_text(report: &KillsReport) -> String {
    let KillsReport { way, engine, kills, with_others, right, seen } = report;
    format!(
        "{kills} kills among 14 nodes on {engine}, {way}\n  \
         several at once    {with_others}\n  start to right     {right}\n{}",
        seen_text(seen)
    )
}

fn week_text(report: &WeekReport) -> String {
    let WeekReport { way, engine, days, changes, figures, editions, away, back, .. } = report;
    format!(
        "A region away for {days} days, on {engine}, {way}\n  \
         changes below      {changes}\n  \
         came on its return {editions} editions of {figures} figures\n  \
         nation meanwhile   {away}\n  nation afterwards  {back}\n  \
         region right after {:.2} s, nation after {:.2} s\n{}",
        report.region,
        report.nation,
        seen_text(&report.seen)
    )
}

fn mixed_text(report: &MixedReport) -> String {
    let MixedReport { way, engine, seconds, faults, stopped, right, seen } = report;
    let faults: Vec<String> =
        faults.iter().map(|(kind, count)| format!("{count} {kind:?}")).collect();
    let longest = right.iter().copied().fold(0.0, f64::max);
    format!(
        "{seconds} s of all faults among 14 nodes on {engine}, {way}\n  \
         faults             {}\n  stopped themselves {stopped}\n  \
         quiet to right     longest {longest:.2} s ({} times)\n{}",
        faults.join(", "),
        right.len(),
        seen_text(seen)
    )
}

fn clocks_text(report: &ClocksReport) -> String {
    let ClocksReport { jumps, back, restarts, refused, signed, seen, .. } = report;
    format!(
        "{jumps} jumps of a node's clock, {back} of them back by 6 minutes to 48 hours\n  \
         refused to sign    {refused}, {restarts} of them after a restart; each told in status\n  \
         signed             {signed} statements, none dated below one before it\n{}",
        seen_text(seen)
    )
}

fn relay_text(report: &RelayReport) -> String {
    let RelayReport { transport, pieces, lost, repeated, searched, right, seen, .. } = report;
    format!(
        "Relays between all nodes, {transport}\n  \
         came               {pieces} pieces; {lost} lost, {repeated} repeated\n  \
         read along         {searched} bytes, nothing of ours in them\n  \
         rest to right      {right:.2} s\n{}",
        seen_text(seen)
    )
}

fn silence_text(report: &SilenceReport) -> String {
    let SilenceReport { periods, kept_back, silent, named, seen, .. } = report;
    format!(
        "{periods} periods; {kept_back} kept back by one of two units, {silent} after it fell silent\n  \
         named as missing   {named}, none taken for zero\n{}",
        seen_text(seen)
    )
}

fn seen_text(seen: &Seen) -> String {
    let Seen { acknowledged, open, entries, editions, verified, peak_mb } = seen;
    format!(
        "  acknowledged       {acknowledged} requests, none lost; {open} without an answer\n  \
         ledgers            {entries} entries; {editions} editions, no number used twice\n  \
         verified in stores {verified}\n  memory             at most {peak_mb} MB in a process\n  \
         logs               no panic, no secret"
    )
}
