//! `testnet fuzz`: hostile bytes to every decoder and parser.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use reeve_fuzz::TARGETS;
use reeve_testnet::fuzz::child::{self, ChildSpec};
use reeve_testnet::fuzz::{FuzzSpec, TargetReport, fuzz, write_seeds};

use super::Failed;

/// What to run.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  testnet fuzz                                  every target, 20,000 inputs each
  testnet fuzz --target statement --executions 10000000 --seconds 3600
  testnet fuzz --target peer --input FILE       one input again
  testnet fuzz --write-seeds                    what the program's own encoders make, into the corpus

Exit codes: 0 nothing was found; 5 something was, and the input is kept and named.")]
pub struct Arguments {
    /// Only this target; may be given again.
    #[arg(long = "target", value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(names()))]
    targets: Vec<String>,
    /// Mutated inputs of each target.
    #[arg(long, default_value_t = 20_000)]
    executions: u64,
    /// Longest time of each target, in seconds.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// What the mutations are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder with a folder of inputs for each target.
    #[arg(long, value_name = "FOLDER", default_value = "testnet/fuzz/corpus")]
    corpus: PathBuf,
    /// Where an input that upset a target is kept.
    #[arg(long, value_name = "FOLDER", default_value = "testnet/fuzz/findings")]
    keep: PathBuf,
    /// Run this one input, in this process, without limits.
    #[arg(long, value_name = "FILE", requires = "targets", conflicts_with = "write_seeds")]
    input: Option<PathBuf>,
    /// Write the seeds into the corpus, and run nothing.
    #[arg(long)]
    write_seeds: bool,
    /// One JSON document per target.
    #[arg(long)]
    json: bool,
    /// Run this target in this process.
    #[arg(long, hide = true, value_name = "NAME", requires = "current")]
    child: Option<String>,
    /// File for the input under way.
    #[arg(long, hide = true)]
    current: Option<PathBuf>,
}

fn names() -> Vec<&'static str> {
    TARGETS.iter().map(|target| target.name).collect()
}

/// Runs it.
///
/// # Errors
/// When a process cannot be started, or a file not be read or written.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failed> {
    if let (Some(target), Some(current)) = (&arguments.child, &arguments.current) {
        return run_child(arguments, target, current.clone());
    }
    let chosen =
        |name: &&str| arguments.targets.is_empty() || arguments.targets.iter().any(|it| it == name);
    let targets: Vec<&str> = names().into_iter().filter(chosen).collect();
    if let Some(file) = &arguments.input {
        let bytes = fs::read(file)?;
        targets.iter().for_each(|name| reeve_fuzz::run(name, &bytes));
        anstream::println!("nothing found in {} bytes", bytes.len());
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.write_seeds {
        for target in TARGETS.iter().filter(|target| targets.contains(&target.name)) {
            let seeds = write_seeds(&arguments.corpus, target)?;
            anstream::println!("{:<10} {seeds} seeds", target.name);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let spec = FuzzSpec {
        program: std::env::current_exe()?,
        targets: targets.into_iter().map(str::to_owned).collect(),
        executions: arguments.executions,
        seconds: arguments.seconds,
        seed: arguments.seed,
        corpus: arguments.corpus.clone(),
        keep: arguments.keep.clone(),
    };
    let reports = fuzz(&spec, |report| tell(report, arguments.json))?;
    let executions: u64 = reports.iter().map(|report| report.executions).sum();
    let found = reports.iter().filter(|report| report.finding.is_some()).count();
    if !arguments.json {
        anstream::println!(
            "{} targets, {executions} inputs, {found} findings (seed {})",
            reports.len(),
            arguments.seed
        );
    }
    Ok(if found == 0 { ExitCode::SUCCESS } else { ExitCode::from(5) })
}

fn run_child(arguments: &Arguments, target: &str, current: PathBuf) -> Result<ExitCode, Failed> {
    let spec = ChildSpec {
        target: child::named(target).ok_or("no target of this name")?,
        executions: arguments.executions,
        seconds: arguments.seconds,
        seed: arguments.seed,
        corpus: arguments.corpus.clone(),
        current,
    };
    let report = child::run(&spec)?;
    anstream::println!("{}", serde_json::to_string(&report)?);
    Ok(ExitCode::SUCCESS)
}

fn tell(report: &TargetReport, json: bool) {
    if json {
        if let Ok(line) = serde_json::to_string(report) {
            anstream::println!("{line}");
        }
        return;
    }
    anstream::println!(
        "{:<10} {:>9} inputs in {:>6.1} s, peak {:>3} MB",
        report.target,
        report.executions,
        std::time::Duration::from_millis(report.millis).as_secs_f64(),
        report.peak_kib.saturating_mul(1_024) / 1_000_000
    );
    if let Some(finding) = &report.finding {
        anstream::println!("FOUND: {} {}: {}", report.target, finding.what, finding.file.display());
    }
}
