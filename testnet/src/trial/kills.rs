//! Nodes killed at any moment: nothing acknowledged is lost, no number is used twice, figures come right.
//!
//! Four processes in three levels keep records, while clients write to all of them over HTTP. In every
//! round one is killed by SIGKILL after a time drawn by chance, and started again; it may be one that
//! is only just starting. After most rounds the clients rest and everything is held against what they
//! and the nodes said before.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reeve::client::ClientError;
use reeve::clock::wall;
use reeve::config::Engine;
use reeve_statement::unit::UnitPath;

use super::book::{Book, held_by, nothing_impossible};
use super::cases::{DAYS, Known};
use super::figures::{Counts, add, records, wait};
use super::load::{PAUSE, Tally, write};
use super::{TrialError, broken, keep_status, raise, stores};
use crate::processes::{Houses, LOG_FILE, Leash, Process, ProcessError, Processes, SERVING};
use crate::stopwatch::now;

/// The units, superiors first.
const UNITS: [&str; 4] = ["it", "it/03", "it/03/015", "it/03/016"];

/// Longest time of writing before a kill, in milliseconds: less than starting takes, and more than
/// coming to rest does.
const RUN_MS: u64 = 400;

/// Longest time that the others are written to after it.
const LAG_MS: u64 = 60;

/// Longest time that a killed node stays down. Now and then it is long enough for its peers to notice
/// and to try again in vain.
const DOWN_MS: u64 = 300;

/// Rounds of a hundred after which the clients rest and everything is checked.
const CHECKED: u32 = 70;

/// Longest wait for what was issued to be with the superiors, once figures are right.
const DELIVERED: Duration = Duration::from_secs(30);

/// What to do.
#[derive(Debug, Clone)]
pub struct KillsSpec {
    /// Where the nodes' folders are made.
    pub folder: PathBuf,
    /// Their store engine.
    pub engine: Engine,
    /// How often a node is killed.
    pub kills: u32,
    /// What chance begins with.
    pub seed: u64,
    /// Longest time from the last killed node's serving again to right figures at the nation.
    pub within: Duration,
}

/// What was seen to hold.
#[derive(Debug, Default)]
pub struct KillsReport {
    /// Kills of each unit's node.
    pub kills: Vec<(UnitPath, u32)>,
    /// Kills of a node that was only just starting.
    pub starting: u32,
    /// Requests that were acknowledged.
    pub acknowledged: u64,
    /// Requests that were cut off.
    pub cut_off: u64,
    /// Rounds after which everything was checked.
    pub checked: u32,
    /// Entries of all ledgers, and editions of figures.
    pub entered: (usize, usize),
    /// Statements verified in the stores that were left.
    pub verified: usize,
    /// From the start of a process that was killed to its serving.
    pub starts: Vec<Duration>,
    /// From then to right figures at the nation.
    pub right: Vec<Duration>,
}

/// Runs the trial. Blocks; letting go of the leash ends it with an error.
///
/// # Errors
/// [`TrialError`], with the round in which something did not hold.
pub fn run(
    spec: &KillsSpec,
    leash: &Leash,
    mut told: impl FnMut(u32),
) -> Result<KillsReport, TrialError> {
    let (houses, processes) = raise(&spec.folder, &UNITS, spec.engine, leash)?;
    let mut trial = Trial::new(spec, processes);
    for round in 1..=spec.kills {
        if let Err(error) = trial.round(round == spec.kills) {
            keep_status(trial.processes.list());
            return Err(TrialError::Round { round, seed: spec.seed, error: Box::new(error) });
        }
        told(round);
    }
    trial.end(&houses)
}

/// What is known of one unit's node.
#[derive(Debug)]
struct Site {
    known: Known,
    chance: ChaCha8Rng,
    kills: u32,
    /// When it was last started after a kill, until it serves.
    started: Option<Instant>,
}

struct Trial<'a> {
    spec: &'a KillsSpec,
    chance: ChaCha8Rng,
    processes: Processes,
    sites: Vec<Site>,
    book: Book,
    /// When the last node came back.
    ready: Instant,
    report: KillsReport,
}

impl<'a> Trial<'a> {
    fn new(spec: &'a KillsSpec, processes: Processes) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64(spec.seed);
        let site = |_| Site {
            known: Known::default(),
            chance: ChaCha8Rng::seed_from_u64(chance.random()),
            kills: 0,
            started: None,
        };
        let sites = processes.list().iter().map(site).collect();
        let (book, report) = (Book::default(), KillsReport::default());
        Self { spec, chance, processes, sites, book, ready: now(), report }
    }

    /// Writes, kills one node, starts it again; then, perhaps, checks.
    fn round(&mut self, last: bool) -> Result<(), TrialError> {
        self.look()?;
        let victim = self.chance.random_range(0..self.sites.len());
        self.write_and_kill(victim)?;
        let down = Duration::from_millis(self.chance.random_range(0..DOWN_MS));
        std::thread::sleep(down);
        for (at, (process, site)) in self.pairs().enumerate() {
            if at == victim {
                process.launch()?;
                site.started = Some(now());
            }
        }
        let checked = self.chance.random_range(0..100) < CHECKED;
        if checked || last { self.check() } else { Ok(()) }
    }

    fn pairs(&mut self) -> impl Iterator<Item = (&mut Process, &mut Site)> {
        self.processes.list_mut().iter_mut().zip(&mut self.sites)
    }

    /// Notices which of the started nodes serve by now.
    fn look(&mut self) -> Result<(), TrialError> {
        for (process, site) in self.pairs() {
            if site.started.is_none() {
                process.check()?;
                continue;
            }
            match process.serving(Duration::ZERO) {
                Ok(()) => site.started = None,
                Err(ProcessError::TooSlow { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn write_and_kill(&mut self, victim: usize) -> Result<(), TrialError> {
        let run = Duration::from_millis(self.chance.random_range(0..RUN_MS));
        let lag = Duration::from_millis(self.chance.random_range(0..LAG_MS));
        let stop = AtomicBool::new(false);
        let mut writers = Vec::new();
        for process in self.processes.list() {
            writers.push(process.writer()?);
        }
        let (processes, sites) = (self.processes.list(), &mut self.sites);
        let Some(killed) = processes.get(victim) else { return Ok(()) };
        let tallies: Vec<Result<Tally, ClientError>> = std::thread::scope(|scope| {
            let mut writing = Vec::new();
            for (client, site) in writers.iter().zip(sites.iter_mut()) {
                if site.started.is_some() {
                    continue;
                }
                let (known, chance, stop) = (&mut site.known, &mut site.chance, &stop);
                writing.push(scope.spawn(move || write(client, known, chance, stop, PAUSE)));
            }
            std::thread::sleep(run);
            killed.kill();
            std::thread::sleep(lag);
            stop.store(true, Ordering::Relaxed);
            writing.into_iter().filter_map(|writing| writing.join().ok()).collect()
        });
        for tally in tallies {
            let tally = tally.map_err(|error| killed.failed(error))?;
            self.report.acknowledged += tally.acknowledged;
            self.report.cut_off += tally.open;
        }
        if let Some(site) = self.sites.get_mut(victim) {
            self.report.starting += u32::from(site.started.is_some());
            site.kills += 1;
        }
        Ok(())
    }

    /// All nodes serve again; then nothing is lost, nothing was said twice, and figures come right.
    fn check(&mut self) -> Result<(), TrialError> {
        let mut starts = Vec::new();
        for (process, site) in self.pairs() {
            process.serving(SERVING)?;
            starts.extend(site.started.take().map(|started| started.elapsed()));
        }
        self.ready = now();
        self.report.starts.extend(starts);
        let expected = self.hold_records()?;
        let nation = self.processes.list().first();
        let nation = nation.ok_or_else(|| TrialError::Trial("there is no nation".to_owned()))?;
        let right = wait(nation, &DAYS, &expected, self.ready, self.spec.within)?;
        self.report.right.push(right);
        self.report.checked += 1;
        self.hold_statements()
    }

    /// Every node has the records that were acknowledged; what they come to.
    fn hold_records(&mut self) -> Result<Counts, TrialError> {
        let mut expected = Counts::new();
        let top = self.processes.list().first().map(|nation| nation.unit.clone());
        for (process, site) in self.processes.list().iter().zip(&mut self.sites) {
            let held = records(&process.unit, &process.writer()?)?;
            site.known.hold(&held).map_err(|what| broken(&process.unit, what))?;
            add(&mut expected, top.as_ref().unwrap_or(&process.unit), &process.unit, &held);
        }
        Ok(expected)
    }

    /// Every ledger goes on where it was, and the superiors hold what was said last.
    fn hold_statements(&mut self) -> Result<(), TrialError> {
        for process in self.processes.list() {
            delivered(process)?;
            let news = self.book.read(process)?;
            let above = process.unit.parent();
            let superior =
                self.processes.list().iter().find(|other| Some(&other.unit) == above.as_ref());
            for entry in superior.iter().flat_map(|_| &news) {
                superior.map_or(Ok(()), |superior| held_by(superior, entry))?;
            }
            nothing_impossible(process, &[])?;
        }
        Ok(())
    }

    /// Stops the nodes and looks into what they left.
    fn end(self, houses: &Houses) -> Result<KillsReport, TrialError> {
        let Self { processes, sites, mut book, mut report, .. } = self;
        processes.stop();
        let units: Vec<UnitPath> = houses.list().iter().map(|(unit, ..)| unit.clone()).collect();
        for (unit, house, _) in houses.list().iter().rev() {
            let below: Vec<UnitPath> = units
                .iter()
                .filter(|other| other.parent().as_ref() == Some(unit))
                .cloned()
                .collect();
            report.verified += stores::check(&mut book, unit, house, &below, wall())?;
            no_panic(unit, house.folder())?;
        }
        report.kills = units.into_iter().zip(sites.iter().map(|site| site.kills)).collect();
        report.entered = book.size();
        Ok(report)
    }
}

/// Waits until the superior has the last edition of every figure.
pub(crate) fn delivered(process: &Process) -> Result<(), TrialError> {
    let began = now();
    loop {
        let status = process.status()?;
        if let Some(refused) = status.refused.first() {
            let what = format!("the superior refused {}: {}", refused.figure, refused.code);
            return Err(broken(&process.unit, what));
        }
        let none_above = process.unit.depth() == 1;
        if none_above || (status.unsent == 0 && status.pending_persists == 0) {
            return Ok(());
        }
        if began.elapsed() > DELIVERED {
            let what = format!("{} figures are not with the superior", status.unsent);
            return Err(broken(&process.unit, what));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A node that was killed leaves no complaint; one that panicked does.
pub(crate) fn no_panic(unit: &UnitPath, folder: &Path) -> Result<(), TrialError> {
    let path = folder.join(LOG_FILE);
    let log = std::fs::read(&path).map_err(|reason| ProcessError::System { path, reason })?;
    let log = String::from_utf8_lossy(&log);
    match log.lines().find(|line| line.contains("panicked at")) {
        Some(line) => Err(broken(unit, format!("its log says: {line}"))),
        None => Ok(()),
    }
}
