//! `testnet sim`: federations under virtual time, with faults from seeds.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use reeve_sim::{Plan, Report, Sim, Size, minimise};
use reeve_testnet::bench::machine::peak_memory_kb;
use reeve_testnet::stopwatch::now;

use super::Failed;

/// An hour, in milliseconds.
const HOUR_MS: f64 = 3_600_000.0;

/// Last events that are printed of a run that failed, unless all are wished for.
const LINES: usize = 200;

/// What to run.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  testnet sim                          100 seeds
  testnet sim --from 5000 --seeds 500
  testnet sim --seed 7 --trace         one run, with its events
  testnet sim --plan testnet/regressions/a-day-that-became-empty.toml
  testnet sim --scale 1000             so many jurisdictions, without faults: how fast, how late

Exit codes: 0 every invariant held; 5 one did not, and the run is printed and kept.")]
pub struct Arguments {
    /// Run this seed only.
    #[arg(long, conflicts_with_all = ["seeds", "from", "plan", "scale"])]
    seed: Option<u64>,
    /// How many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run a plan from a file.
    #[arg(long, value_name = "FILE", conflicts_with = "scale")]
    plan: Option<PathBuf>,
    /// Run so many leaves, each with one change per second, for ten virtual minutes.
    #[arg(long, value_name = "LEAVES")]
    scale: Option<usize>,
    /// For how many virtual seconds, with --scale.
    #[arg(long, default_value_t = 600, requires = "scale")]
    seconds: u64,
    /// Most jurisdictions of a drawn federation.
    #[arg(long, default_value_t = Size::SMALL.units)]
    units: usize,
    /// Most levels of a drawn federation.
    #[arg(long, default_value_t = Size::SMALL.levels)]
    levels: usize,
    /// Print every event that is kept of the run, not only the last ones of one that failed.
    #[arg(long)]
    trace: bool,
    /// Where a failing run is kept, made as small as possible.
    #[arg(long, value_name = "FOLDER", default_value = "testnet/regressions")]
    keep: PathBuf,
}

/// Runs it.
///
/// # Errors
/// When a plan cannot be read or kept.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failed> {
    let size = Size { levels: arguments.levels, units: arguments.units };
    if let Some(leaves) = arguments.scale {
        return scale(leaves, arguments.seconds);
    }
    if let Some(file) = &arguments.plan {
        let plan = Plan::from_toml(&fs::read_to_string(file)?)?;
        return Ok(one(&plan, arguments.trace));
    }
    if let Some(seed) = arguments.seed {
        return Ok(one(&Plan::of(seed, size), arguments.trace));
    }
    many(arguments, size)
}

fn one(plan: &Plan, trace: bool) -> ExitCode {
    let report = Sim::new(plan.clone(), true).run();
    if trace || report.violation.is_some() {
        anstream::println!("{}", plan.to_toml());
        let lines = if trace { 0 } else { report.lines.len().saturating_sub(LINES) };
        for line in report.lines.iter().skip(lines) {
            anstream::println!("{line}");
        }
    }
    anstream::println!(
        "seed {}: {} events, {} frames, {} statements, {} crashes, {} acknowledged writes in {} virtual ms",
        report.seed,
        report.events,
        report.frames,
        report.statements,
        report.crashes,
        report.acknowledged,
        report.virtual_ms
    );
    anstream::println!("trace {}", report.trace);
    match report.violation {
        None => ExitCode::SUCCESS,
        Some(violation) => {
            anstream::println!("BROKEN: {violation}");
            ExitCode::from(5)
        }
    }
}

/// What many runs came to, together.
#[derive(Debug, Default)]
struct Sum {
    events: u64,
    statements: u64,
    acknowledged: u64,
    crashes: u64,
    virtual_ms: u64,
    broken: Vec<Report>,
}

impl Sum {
    fn add(&mut self, report: Report) {
        self.events += report.events;
        self.statements += report.statements;
        self.acknowledged += report.acknowledged;
        self.crashes += report.crashes;
        self.virtual_ms += report.virtual_ms;
        if report.violation.is_some() {
            self.broken.push(report);
        }
    }
}

fn many(arguments: &Arguments, size: Size) -> Result<ExitCode, Failed> {
    let began = now();
    let next = AtomicU64::new(arguments.from);
    let end = arguments.from.saturating_add(arguments.seeds);
    let sum = Mutex::new(Sum::default());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let report = Sim::new(Plan::of(seed, size), false).run();
                    if let Ok(mut sum) = sum.lock() {
                        sum.add(report);
                    }
                }
            });
        }
    });
    let sum = sum.into_inner().unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let hours = sum.virtual_ms as f64 / HOUR_MS;
    anstream::println!(
        "{} seeds in {:.1} s: {} events, {} statements, {} crashes, {} acknowledged writes, {hours:.1} virtual hours",
        arguments.seeds,
        began.elapsed().as_secs_f64(),
        sum.events,
        sum.statements,
        sum.crashes,
        sum.acknowledged
    );
    for (report, broken) in sum.broken.iter().filter_map(|it| Some((it, it.violation.as_ref()?))) {
        anstream::println!("BROKEN in seed {}: {broken}", report.seed);
    }
    for report in &sum.broken {
        tell_broken(report, size, arguments)?;
    }
    Ok(if sum.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(5) })
}

/// Prints a failing run, made as small as possible, and keeps it.
fn tell_broken(report: &Report, size: Size, arguments: &Arguments) -> Result<(), Failed> {
    let smallest = minimise(&Plan::of(report.seed, size));
    let _ = one(&smallest, arguments.trace);
    fs::create_dir_all(&arguments.keep)?;
    let file = arguments.keep.join(format!("seed-{}.toml", report.seed));
    fs::write(&file, smallest.to_toml())?;
    anstream::println!("kept as {}", file.display());
    Ok(())
}

/// How a federation of so many leaves fares without faults.
fn scale(leaves: usize, seconds: u64) -> Result<ExitCode, Failed> {
    let began = now();
    let report = reeve_sim::scale(leaves, seconds);
    let wall = began.elapsed().as_secs_f64();
    let virtual_s = report.virtual_ms / 1_000;
    let per_second = |count: u64| count / virtual_s.max(1);
    let (median, most, greatest) = report.lag_ms;
    anstream::println!("{leaves} leaves, {} jurisdictions, {virtual_s} virtual s", report.units);
    anstream::println!("  at the top            {} of {} changes", report.arrived, report.changes);
    anstream::println!(
        "  lag, virtual          median {median} ms, 99th percentile {most} ms, greatest {greatest} ms"
    );
    anstream::println!("  frames                {} per virtual s", per_second(report.frames));
    anstream::println!(
        "  signatures            {} statements and {} changes per virtual s",
        per_second(report.issued),
        per_second(report.changes)
    );
    anstream::println!("  wall time             {wall:.1} s");
    if let Some(peak) = peak_memory_kb() {
        anstream::println!("  peak memory           {} MiB", peak / 1_024);
    }
    Ok(if report.arrived == report.changes { ExitCode::SUCCESS } else { ExitCode::from(5) })
}
