//! One target in this process: its corpus first, then mutations of it, watched for time and memory.
//!
//! The input under way stands in a file, so that whoever started this process has it, however the
//! process ends. A panic ends it; a watching thread ends it when an input takes too much processor
//! time or memory.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reeve_fuzz::mutate::Mutator;
use reeve_fuzz::{INPUT_BYTES, Target};

use super::{INPUT_MS, MEMORY_KIB, TargetReport};
use crate::bench::machine::peak_memory_kb;
use crate::stopwatch::now;

/// Exit codes by which a process says why it ended early; a panic has Rust's own.
const PANICKED: i32 = 101;
const TOO_SLOW: i32 = 70;
const TOO_LARGE: i32 = 71;
const STUCK: i32 = 72;

/// How often the watching thread looks, in milliseconds.
const LOOK_MS: u64 = 50;
/// Longest time of one input by the clock, in seconds: a guard against waiting for ever, with room for a
/// machine that does much else.
const STUCK_S: u64 = 120;
/// Milliseconds of a tick in which Linux counts processor time (USER_HZ is 100 everywhere).
const TICK_MS: u64 = 10;

/// What a code says.
pub(super) const fn reason(code: i32) -> &'static str {
    match code {
        PANICKED => "panicked",
        TOO_SLOW => "took more than 2 s of processor time",
        TOO_LARGE => "took more than 512 MB",
        STUCK => "did not end",
        _ => "ended with an unknown code",
    }
}

/// What to run in this process.
#[derive(Debug, Clone)]
pub struct ChildSpec {
    /// The target.
    pub target: &'static Target,
    /// Inputs besides the corpus.
    pub executions: u64,
    /// Longest time, in seconds.
    pub seconds: u64,
    /// What the mutations are drawn from.
    pub seed: u64,
    /// Folder with a folder of inputs for each target.
    pub corpus: PathBuf,
    /// The file with the input under way.
    pub current: PathBuf,
}

/// Targets that misbehave on purpose, to show that it is noticed: their names begin with `bad-`.
const BAD: [Target; 3] = [
    Target { name: "bad-panic", what: "", run: |bytes| assert!(bytes != b"7"), seeds, words: &[] },
    Target { name: "bad-time", what: "", run: spin, seeds, words: &[] },
    Target { name: "bad-memory", what: "", run: hoard, seeds, words: &[] },
];

fn seeds() -> Vec<Vec<u8>> {
    (0..10_u8).map(|digit| vec![b'0' + digit]).collect()
}

fn spin(bytes: &[u8]) {
    let began = now();
    let mut sum = 0_u64;
    while bytes == b"7" && began.elapsed() < Duration::from_secs(STUCK_S) {
        sum = sum.wrapping_mul(31).wrapping_add(1);
    }
    std::hint::black_box(sum);
}

fn hoard(bytes: &[u8]) {
    /// More than is allowed, in bytes.
    const MUCH: usize = 700 * 1024 * 1024;
    if bytes == b"7" {
        std::hint::black_box(vec![1_u8; MUCH]);
    }
}

/// The target of a name, among those that misbehave too.
#[must_use]
pub fn named(name: &str) -> Option<&'static Target> {
    const ALL: &[Target] = &BAD;
    Target::named(name).or_else(|| ALL.iter().find(|target| target.name == name))
}

/// Runs the target. Returns if every input went well; else the process ends.
///
/// # Errors
/// When files cannot be read or written.
pub fn run(spec: &ChildSpec) -> io::Result<TargetReport> {
    let began = now();
    let corpus = corpus(spec)?;
    let current = File::create(&spec.current)?;
    let done = Arc::new(AtomicU64::new(0));
    watch(Arc::clone(&done));
    let feed = |bytes: &[u8]| -> io::Result<()> {
        let length = u64::try_from(bytes.len()).unwrap_or_default().to_le_bytes();
        current.write_all_at(&length, 0)?;
        current.write_all_at(bytes, 8)?;
        (spec.target.run)(bytes);
        done.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    corpus.iter().try_for_each(|input| feed(input))?;
    let mut mutator = Mutator::new(spec.seed, spec.target.words);
    let limit = Duration::from_secs(spec.seconds);
    let mut executions = u64::try_from(corpus.len()).unwrap_or_default();
    for _ in 0..spec.executions {
        if began.elapsed() >= limit {
            break;
        }
        feed(&mutator.next(&corpus))?;
        executions = executions.saturating_add(1);
    }
    let peak_kib = peak_kib()?;
    if peak_kib > MEMORY_KIB {
        std::process::exit(TOO_LARGE);
    }
    Ok(TargetReport {
        target: spec.target.name.to_owned(),
        executions,
        corpus: u64::try_from(corpus.len()).unwrap_or_default(),
        peak_kib,
        millis: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        finding: None,
    })
}

/// The inputs of a target: its seeds, then the files of its folder by name.
fn corpus(spec: &ChildSpec) -> io::Result<Vec<Vec<u8>>> {
    let mut inputs = (spec.target.seeds)();
    let folder = spec.corpus.join(spec.target.name);
    if folder.is_dir() {
        let entries = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
        let mut files = entries.collect::<io::Result<Vec<PathBuf>>>()?;
        files.sort();
        for file in files {
            inputs.push(fs::read(file)?);
        }
    }
    inputs.retain(|input| input.len() <= INPUT_BYTES);
    Ok(inputs)
}

/// The input that was under way in a process, from its file.
pub(super) fn read_current(file: &Path) -> io::Result<Vec<u8>> {
    let bytes = fs::read(file)?;
    let Some((length, content)) = bytes.split_first_chunk() else { return Ok(Vec::new()) };
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    Ok(content.get(..length.min(content.len())).unwrap_or_default().to_vec())
}

/// Ends the process when one input takes too much time or memory.
fn watch(done: Arc<AtomicU64>) {
    std::thread::spawn(move || {
        let mut input = u64::MAX;
        let (mut ticks, mut since): (u64, Instant) = (0, now());
        loop {
            std::thread::sleep(Duration::from_millis(LOOK_MS));
            let (spent, under_way) = (processor_ms(), done.load(Ordering::Relaxed));
            if under_way != input {
                (input, ticks, since) = (under_way, spent, now());
            }
            if spent.saturating_sub(ticks) > INPUT_MS {
                std::process::exit(TOO_SLOW);
            }
            if since.elapsed() > Duration::from_secs(STUCK_S) {
                std::process::exit(STUCK);
            }
            if peak_kib().is_ok_and(|peak| peak > MEMORY_KIB) {
                std::process::exit(TOO_LARGE);
            }
        }
    });
}

/// Processor time of this process so far, in milliseconds.
fn processor_ms() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in parentheses may hold blanks; user and system time are the 12th and 13th after it.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks = after.split_whitespace().skip(11).take(2).filter_map(|it| it.parse::<u64>().ok());
    ticks.fold(0, u64::saturating_add).saturating_mul(TICK_MS)
}

/// Memory of this process at its peak, in KiB.
fn peak_kib() -> io::Result<u64> {
    peak_memory_kb().ok_or_else(|| io::Error::other("no VmHWM in /proc/self/status"))
}
