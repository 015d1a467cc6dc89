//! Feeds the targets of `testnet/fuzz/` with their inputs and mutations of them, each target in a
//! process of its own that is watched for time and memory.
//!
//! [`fuzz`] starts the processes and gathers what they say; [`child`] is what runs in them. An input that
//! upsets a target is kept in a file and named. The same seed gives the same inputs.

pub mod child;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use reeve_fuzz::Target;
use reeve_statement::digest::Digest;
use serde::{Deserialize, Serialize};

/// Most memory of a target's process at its peak, in KiB: 512 MB.
pub const MEMORY_KIB: u64 = 512 * 1_000_000 / 1_024;
/// Most processor time of one input, in milliseconds.
pub const INPUT_MS: u64 = 2_000;
/// Address space of a target's process, in KiB: what asks for more at once ends at once. Far above
/// [`MEMORY_KIB`], because a program's text, stacks and arenas take address space and no memory.
const ADDRESS_SPACE_KIB: u64 = 4 * 1024 * 1024;

/// What to run.
#[derive(Debug, Clone)]
pub struct FuzzSpec {
    /// The program whose `fuzz --child` runs one target.
    pub program: PathBuf,
    /// Names of targets.
    pub targets: Vec<String>,
    /// Inputs of each target, besides its corpus.
    pub executions: u64,
    /// Longest time of each target, in seconds.
    pub seconds: u64,
    /// What the mutations are drawn from.
    pub seed: u64,
    /// Folder with a folder of inputs for each target.
    pub corpus: PathBuf,
    /// Folder for inputs that upset a target; made when needed.
    pub keep: PathBuf,
}

/// How one target fared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetReport {
    /// Its name.
    pub target: String,
    /// Inputs that it took.
    pub executions: u64,
    /// Of these, inputs of its corpus and seeds.
    pub corpus: u64,
    /// Memory at its peak, in KiB.
    pub peak_kib: u64,
    /// Time, in milliseconds.
    pub millis: u64,
    /// Why it stopped early, and the file with the input that it stopped at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<Finding>,
}

/// An input that upset a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What happened.
    pub what: String,
    /// Where the input is kept.
    pub file: PathBuf,
}

/// Runs the targets, as many at a time as the machine has processors, and tells how each fared.
///
/// # Errors
/// When a process cannot be started, or a file not be written.
pub fn fuzz(spec: &FuzzSpec, told: impl Fn(&TargetReport) + Sync) -> io::Result<Vec<TargetReport>> {
    let next = AtomicUsize::new(0);
    let reports = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || -> io::Result<()> {
        while let Some(target) = spec.targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            let report = run_child(spec, target)?;
            told(&report);
            if let Ok(mut reports) = reports.lock() {
                reports.push(report);
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let ended = threads.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("a worker panicked")))
        });
        ended.collect::<io::Result<Vec<()>>>()
    })?;
    let mut reports = reports.into_inner().unwrap_or_default();
    reports.sort_by(|a, b| a.target.cmp(&b.target));
    Ok(reports)
}

/// One target in a process of its own.
fn run_child(spec: &FuzzSpec, target: &str) -> io::Result<TargetReport> {
    let place = tempfile::tempdir()?;
    let current = place.path().join("input");
    let output = Command::new("sh")
        .args(["-c", "ulimit -v \"$1\" && shift && exec \"$@\"", "sh"])
        .arg(ADDRESS_SPACE_KIB.to_string())
        .arg(&spec.program)
        .args(["fuzz", "--child", target, "--seed", &spec.seed.to_string()])
        .args(["--executions", &spec.executions.to_string()])
        .args(["--seconds", &spec.seconds.to_string()])
        .arg("--corpus")
        .arg(&spec.corpus)
        .arg("--current")
        .arg(&current)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let mut report: TargetReport = match serde_json::from_str(said.trim()) {
        Ok(report) => report,
        Err(_) => TargetReport {
            target: target.to_owned(),
            executions: 0,
            corpus: 0,
            peak_kib: 0,
            millis: 0,
            finding: None,
        },
    };
    if !output.status.success() {
        let what = match output.status.code() {
            Some(code) => child::reason(code),
            None => "was killed, or gave up memory that it could not get",
        };
        let file = keep(spec, target, &current)?;
        report.finding = Some(Finding { what: what.to_owned(), file });
    }
    Ok(report)
}

/// Keeps the input that was under way, under a name made from its content.
fn keep(spec: &FuzzSpec, target: &str, current: &Path) -> io::Result<PathBuf> {
    let bytes = child::read_current(current)?;
    fs::create_dir_all(&spec.keep)?;
    let file = spec.keep.join(format!("{target}-{}", Digest::of(&bytes).short()));
    fs::write(&file, bytes)?;
    Ok(file)
}

/// Writes the seeds of targets into their folders; a seed's name is made from its content.
///
/// # Errors
/// When a file cannot be written.
pub fn write_seeds(corpus: &Path, target: &Target) -> io::Result<usize> {
    let folder = corpus.join(target.name);
    fs::create_dir_all(&folder)?;
    let seeds = (target.seeds)();
    for seed in &seeds {
        fs::write(folder.join(Digest::of(seed).short()), seed)?;
    }
    Ok(seeds.len())
}
