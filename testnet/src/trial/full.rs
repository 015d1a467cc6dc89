//! Full disks below running nodes: writes are refused and say why, everything can be read, nothing that was
//! acknowledged is lost, and it goes on when there is space, or after a restart.
//!
//! The disk shim rules the nodes' folders: it lets their space end at a byte that chance chooses, as seen
//! by whoever asks how much is free and by whoever writes. At times it ends all at once, as when another
//! program fills the disk; a node may then stop, and must start again on the disk that is still full.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use reeve::api::{JSON, StatusView, WriteRequest, Written};
use reeve::client::ClientError;
use reeve::config::Engine;
use reeve_examples::epidemic::{CATALOGUE, schema_expecting};

use super::cases::{DAYS, Known};
use super::figures::{Counts, add, records, wait};
use super::{CASES, TrialError, broken};
use crate::processes::{Houses, Launcher, Leash, Process, ProcessError, Processes, SERVING};
use crate::shim::{DISK, DISK_CONTROL, DISK_FOLDER, PRELOAD};
use crate::stopwatch::now;
use crate::town::TownSpec;

/// The nation, and the unit that is written to.
const UNITS: [&str; 2] = ["it", "it/03"];

/// Bytes left that are less than a node wants to have.
const LITTLE: u64 = 8 * 1024 * 1024;

/// Bytes left at most when the disk is full all at once.
const NEXT_TO_NOTHING: u64 = 256 * 1024;

/// Writes that are tried in a round while there is space.
const WRITES: u32 = 20;

/// Status of a write that finds no space.
const NO_SPACE: u16 = 507;

/// Status of an answer by a node that stops.
const STOPPING: u16 = 503;

/// Pause between two questions.
const PAUSE: Duration = Duration::from_millis(20);

/// What to do.
#[derive(Debug, Clone)]
pub struct FullSpec {
    /// Where the nodes' folders are made.
    pub folder: PathBuf,
    /// Their store engine.
    pub engine: Engine,
    /// How often the disk fills up.
    pub rounds: u32,
    /// What chance begins with.
    pub seed: u64,
    /// Longest time until a node notices, and until figures are right.
    pub within: Duration,
}

/// What was seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct FullReport {
    /// Writes that were acknowledged; none is lost.
    pub acknowledged: u32,
    /// Writes that were refused for want of space.
    pub refused: u32,
    /// Times that a node stopped because a commit found no space.
    pub stopped: u32,
    /// Of those, how often it served again on a disk that was still full.
    pub served_full: u32,
}

/// Runs the trial, and tells how often it has been full. Blocks; letting go of the leash ends it with an
/// error.
///
/// # Errors
/// [`TrialError`].
pub fn run(
    spec: &FullSpec,
    leash: &Leash,
    mut told: impl FnMut(u32),
) -> Result<FullReport, TrialError> {
    let town = TownSpec {
        folder: spec.folder.clone(),
        paths: UNITS.iter().filter_map(|unit| unit.parse().ok()).collect(),
        schema: schema_expecting(CASES),
        policy: None,
        engine: spec.engine,
        tap: None,
    };
    let houses = Houses::open(&town)?;
    let library = DISK.build(&spec.folder).map_err(|error| TrialError::Trial(error.to_string()))?;
    let control = spec.folder.join("control");
    let mut launcher = Launcher::beside(leash)?;
    let variables = [(PRELOAD, &library), (DISK_FOLDER, &spec.folder), (DISK_CONTROL, &control)];
    launcher.environment =
        variables.map(|(name, value)| (name.to_owned(), value.display().to_string())).to_vec();
    let random = ChaCha8Rng::seed_from_u64(spec.seed);
    let mut trial = Trial {
        spec,
        control,
        random,
        known: Known::default(),
        report: FullReport::default(),
        processes: {
            let processes = Processes::start(&launcher, &houses)?;
            processes.publish(&houses.sign_catalogue(CATALOGUE)?)?;
            processes
        },
    };
    for round in 0..spec.rounds {
        told(round);
        trial.write()?;
        trial.fill(round)?;
        trial.free()?;
    }
    let report = trial.report;
    trial.processes.stop();
    Ok(report)
}

struct Trial<'a> {
    spec: &'a FullSpec,
    control: PathBuf,
    random: ChaCha8Rng,
    known: Known,
    report: FullReport,
    processes: Processes,
}

/// What became of a write.
enum Outcome {
    Acknowledged,
    NoSpace,
    Open,
}

impl Trial<'_> {
    fn order(&self, order: &str) -> Result<(), TrialError> {
        fs::write(&self.control, order)
            .map_err(|reason| ProcessError::System { path: self.control.clone(), reason }.into())
    }

    fn unit(&self) -> Result<&Process, TrialError> {
        let unit = self.processes.list().get(1);
        unit.ok_or_else(|| TrialError::Trial("there is no unit".to_owned()))
    }

    /// Writes while there is space.
    fn write(&mut self) -> Result<(), TrialError> {
        for _ in 0..WRITES {
            match self.write_one()? {
                Outcome::Acknowledged => {}
                Outcome::NoSpace | Outcome::Open => {
                    return Err(broken(&self.unit()?.unit, "a write with space was refused"));
                }
            }
        }
        Ok(())
    }

    fn write_one(&mut self) -> Result<Outcome, TrialError> {
        let operations = self.known.draw(1, &DAYS, &mut self.random);
        let request = WriteRequest { operations };
        let unit = self.unit()?;
        let answer: Result<Written, _> = unit.writer()?.send("POST", "/v1/records/case", &request);
        Ok(match answer {
            Ok(_) => {
                self.known.acknowledged(&request.operations);
                self.report.acknowledged += 1;
                Outcome::Acknowledged
            }
            Err(ClientError::Problem(problem)) if problem.status == NO_SPACE => {
                self.report.refused += 1;
                Outcome::NoSpace
            }
            Err(error) if is_stopping(&error) => Outcome::Open,
            Err(error) => return Err(unit.failed(error).into()),
        })
    }

    /// Lets the space end, a little at a time or all at once, and writes into it.
    fn fill(&mut self, round: u32) -> Result<(), TrialError> {
        let at_once = round % 2 == 1;
        let most = if at_once { NEXT_TO_NOTHING } else { LITTLE };
        let bytes = self.random.random_range(0..most);
        self.order(&format!("space {bytes}\n"))?;
        let began = now();
        loop {
            match self.write_one()? {
                Outcome::NoSpace => break,
                Outcome::Acknowledged => std::thread::sleep(PAUSE),
                Outcome::Open => {
                    self.stopped_and_started()?;
                    break;
                }
            }
            if began.elapsed() > self.spec.within {
                return Err(broken(&self.unit()?.unit, "a full disk was not noticed"));
            }
        }
        self.start_the_stopped()?;
        loop {
            for at in 0..UNITS.len() {
                self.answers(at)?;
            }
            match self.write_one()? {
                Outcome::NoSpace => break,
                Outcome::Acknowledged => {
                    let unit = &self.unit()?.unit;
                    return Err(broken(unit, "it took a write though the disk is full"));
                }
                // A commit of its own found no space since.
                Outcome::Open => {
                    self.stopped_and_started()?;
                    self.start_the_stopped()?;
                }
            }
            if began.elapsed() > self.spec.within {
                return Err(broken(&self.unit()?.unit, "it stops again and again on a full disk"));
            }
        }
        // Everything can be read.
        self.hold()
    }

    /// A node answers on the full disk: that it is full, and its figures. One whose commit found no space in
    /// between is started again.
    fn answers(&mut self, at: usize) -> Result<(), TrialError> {
        let began = now();
        loop {
            let list = self.processes.list();
            let Some(process) = list.get(at) else { return Ok(()) };
            match full_and_figures(process) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if is_stopping(&error) => {}
                Err(error) => return Err(process.failed(error).into()),
            }
            if began.elapsed() > self.spec.within {
                return Err(broken(&process.unit, "its status says nothing of the full disk"));
            }
            std::thread::sleep(PAUSE);
            self.start_the_stopped()?;
        }
    }

    /// A node whose commit found no space has stopped; its log says why. It serves again on the same disk.
    fn stopped_and_started(&mut self) -> Result<(), TrialError> {
        let within = self.spec.within;
        let began = now();
        while self.unit()?.check().is_ok() {
            if began.elapsed() > within {
                return Err(broken(&self.unit()?.unit, "it neither answers nor stops"));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Starts again what has stopped for want of space, and for no other reason.
    fn start_the_stopped(&mut self) -> Result<(), TrialError> {
        for process in self.processes.list_mut() {
            if process.check().is_ok() {
                continue;
            }
            let log = fs::read_to_string(process.folder.join(crate::processes::LOG_FILE));
            let log = log.unwrap_or_default();
            if log.contains("panicked at") {
                return Err(broken(&process.unit, "it panicked on a full disk"));
            }
            self.report.stopped += 1;
            process.launch()?;
            process.serving(SERVING)?;
            self.report.served_full += 1;
        }
        Ok(())
    }

    fn hold(&mut self) -> Result<(), TrialError> {
        let unit = self.unit()?;
        let held = records(&unit.unit, &unit.writer()?)?;
        let name = unit.unit.clone();
        self.known.hold(&held).map_err(|what| broken(&name, what))
    }

    /// There is space again: it goes on by itself, and what was acknowledged is counted at the nation.
    fn free(&mut self) -> Result<(), TrialError> {
        self.order("")?;
        let within = self.spec.within;
        let began = now();
        loop {
            // The other node may have stopped later than the one that is written to.
            self.start_the_stopped()?;
            let mut short = false;
            for process in self.processes.list() {
                short |= process.status().map_or(true, |status| status.short_of_space);
            }
            if !short {
                break;
            }
            if began.elapsed() > within {
                return Err(broken(&self.unit()?.unit, "it does not go on though there is space"));
            }
            std::thread::sleep(PAUSE);
        }
        self.write()?;
        self.hold()?;
        let list = self.processes.list();
        let (Some(nation), Some(unit)) = (list.first(), list.get(1)) else { return Ok(()) };
        let held = records(&unit.unit, &unit.writer()?)?;
        let mut expected = Counts::new();
        add(&mut expected, &nation.unit, &unit.unit, &held);
        wait(nation, &DAYS, &expected, now(), within).map(drop)
    }
}

/// Whether a node has stopped, or says that it does, as it may when a commit finds no space.
fn is_stopping(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. } | ClientError::Answer { .. } => true,
        ClientError::Problem(problem) => problem.status == STOPPING,
        _ => false,
    }
}

/// Whether a node says that its disk is full; asks it for its figures as well.
fn full_and_figures(process: &Process) -> Result<bool, ClientError> {
    for day in DAYS {
        let path = format!("/v1/figures/confirmed_by_day?period={day}");
        match process.client.bytes(&path, JSON) {
            Ok(_) => {}
            // A day of which there is no figure yet.
            Err(ClientError::Problem(problem)) if problem.status == 404 => {}
            Err(error) => return Err(error),
        }
    }
    let status: StatusView = process.client.get("/v1/status")?;
    Ok(status.short_of_space)
}
