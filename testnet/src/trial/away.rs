//! A superior that was away while much happened below it: how soon its figures are right.
//!
//! The region between a nation and two municipalities is killed, and started again after so many changes
//! at the municipalities, and not before they have waited long enough to try again at their slowest.

use std::path::PathBuf;
use std::time::Duration;

use reeve::api::{Operation, WriteRequest, Written};
use reeve::client::Client;
use reeve::config::Engine;

use super::cases::{DAYS, case};
use super::figures::{Counts, add, records, wait};
use super::{TrialError, raise};
use crate::processes::{Leash, Process, SERVING};
use crate::stopwatch::now;

/// The nation, the region that goes away, and the municipalities below it.
const UNITS: [&str; 4] = ["it", "it/03", "it/03/015", "it/03/016"];

/// What to do.
#[derive(Debug, Clone)]
pub struct AwaySpec {
    /// Where the nodes' folders are made.
    pub folder: PathBuf,
    /// Their store engine.
    pub engine: Engine,
    /// How often the superior goes away.
    pub rounds: u32,
    /// Changes below meanwhile, one request each.
    pub changes: u32,
    /// Shortest time that it is away.
    pub away: Duration,
    /// Longest time from its serving again to right figures.
    pub within: Duration,
}

/// One absence.
#[derive(Debug, Clone, Copy)]
pub struct Absence {
    /// How long it was away, from the kill to the start.
    pub away: Duration,
    /// From the start of its process to its serving.
    pub start: Duration,
    /// From its serving to its own right figures.
    pub superior: Duration,
    /// From its serving to the nation's right figures.
    pub nation: Duration,
}

/// Runs the trial. Blocks; letting go of the leash ends it with an error.
///
/// # Errors
/// [`TrialError`].
pub fn run(spec: &AwaySpec, leash: &Leash) -> Result<Vec<Absence>, TrialError> {
    let (_houses, mut processes) = raise(&spec.folder, &UNITS, spec.engine, leash)?;
    let [nation, region, below @ ..] = processes.list_mut() else {
        return Err(TrialError::Trial("there is no region".to_owned()));
    };
    let mut absences = Vec::new();
    // Something is reported before the superior goes away for the first time.
    change(below, spec.changes, 0)?;
    wait(nation, &DAYS, &expected(nation, below)?, now(), SERVING)?;
    for round in 1..=spec.rounds {
        region.kill();
        let gone = now();
        change(below, spec.changes, round)?;
        std::thread::sleep(spec.away.saturating_sub(gone.elapsed()));
        let away = gone.elapsed();
        let started = now();
        region.launch()?;
        region.serving(SERVING)?;
        let (start, ready) = (started.elapsed(), now());
        let superior = wait(region, &DAYS, &expected(region, below)?, ready, spec.within)?;
        let nation = wait(nation, &DAYS, &expected(nation, below)?, ready, spec.within)?;
        absences.push(Absence { away, start, superior, nation });
    }
    processes.stop();
    Ok(absences)
}

/// So many changes, taking turns at the units below.
fn change(below: &[Process], changes: u32, round: u32) -> Result<(), TrialError> {
    let mut writers: Vec<(&Process, Client)> = Vec::new();
    for process in below {
        writers.push((process, process.writer()?));
    }
    let turns = writers.iter().cycle();
    for ((process, writer), number) in turns.zip(0..changes) {
        // Half of them are cases that other rounds have written: the rest adds up.
        let id = format!("c{}", if number % 2 == 0 { number } else { changes * round + number });
        let day = DAYS.into_iter().cycle().nth(usize::try_from(number + round).unwrap_or(0));
        let record = case(day.unwrap_or_default(), (number + round) % 100, "female", "");
        let request = WriteRequest { operations: vec![Operation::Put { id, record }] };
        let written: Result<Written, _> = writer.send("POST", "/v1/records/case", &request);
        written.map_err(|error| process.failed(error))?;
    }
    Ok(())
}

/// What `above` must show by the records below it.
fn expected(above: &Process, below: &[Process]) -> Result<Counts, TrialError> {
    let mut counts = Counts::new();
    for process in below {
        let held = records(&process.unit, &process.writer()?)?;
        add(&mut counts, &above.unit, &process.unit, &held);
    }
    Ok(counts)
}
