//! Trials of whole federations: `reeve` processes that are killed or kept away, and what must hold
//! all the same.
//!
//! A trial checks as it goes and ends at the first thing that does not hold; the nodes' folders then
//! show the rest. What is drawn by chance comes from a seed; at which instruction a signal meets a
//! process does not.

pub mod away;
pub(crate) mod book;
pub(crate) mod cases;
pub mod copies;
pub(crate) mod figures;
pub mod full;
pub mod kills;
pub(crate) mod load;
pub(crate) mod stores;

use std::path::Path;

use reeve::config::Engine;
use reeve::house::HouseError;
use reeve::store::StoreError;
use reeve_examples::epidemic::{CATALOGUE, schema_expecting};
use reeve_statement::unit::UnitPath;

use crate::processes::{Houses, Launcher, Leash, Process, ProcessError, Processes};
use crate::town::{TownError, TownSpec};

/// Cases expected in one home: they fill a few shards.
pub(crate) const CASES: u64 = 3_000;

/// Why a trial ends early.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The federation.
    #[error(transparent)]
    Town(#[from] TownError),
    /// A process.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A folder.
    #[error(transparent)]
    House(Box<HouseError>),
    /// A store that was left behind.
    #[error("the store of {unit}: {error}")]
    Store {
        /// Whose.
        unit: UnitPath,
        /// What is wrong.
        error: StoreError,
    },
    /// What must hold did not.
    #[error("{unit}: {what}")]
    Broken {
        /// At which node it showed.
        unit: UnitPath,
        /// What.
        what: String,
    },
    /// Which round of a trial failed.
    #[error("in round {round} of seed {seed}: {error}")]
    Round {
        /// The round, from 1.
        round: u32,
        /// The seed.
        seed: u64,
        /// What happened.
        error: Box<TrialError>,
    },
    /// A library that makes a disk or a clock misbehave.
    #[error(transparent)]
    Shim(#[from] crate::shim::ShimError),
    /// A name or number of the trial itself.
    #[error("{0}")]
    Trial(String),
}

impl From<HouseError> for TrialError {
    fn from(error: HouseError) -> Self {
        Self::House(Box::new(error))
    }
}

/// What must hold did not.
pub(crate) fn broken(unit: &UnitPath, what: impl Into<String>) -> TrialError {
    TrialError::Broken { unit: unit.clone(), what: what.into() }
}

/// The files in a node's folder that say how it fared when a trial failed, and by which question.
const STATUS: [(&str, &str); 2] = [("status.json", "/v1/status"), ("metrics.txt", "/metrics")];

/// Writes down how each node fares that still answers, for whoever looks into a trial that failed.
pub(crate) fn keep_status<'a>(processes: impl IntoIterator<Item = &'a Process>) {
    for process in processes {
        for (file, path) in STATUS {
            if let Ok(answer) = process.client.bytes(path, "*/*") {
                // The trial failed for another reason, which is to be told.
                let _ = std::fs::write(process.folder.join(file), answer);
            }
        }
    }
}

/// Founds a federation and starts its processes; all follow the epidemic pack's catalogue.
fn raise(
    folder: &Path,
    paths: &[&str],
    engine: Engine,
    leash: &Leash,
) -> Result<(Houses, Processes), TrialError> {
    let path = |text: &&str| -> Result<UnitPath, TrialError> {
        text.parse().map_err(|error| TrialError::Trial(format!("{text}: {error}")))
    };
    let spec = TownSpec {
        folder: folder.to_owned(),
        paths: paths.iter().map(path).collect::<Result<_, _>>()?,
        schema: schema_expecting(CASES),
        policy: None,
        engine,
        tap: None,
    };
    let houses = Houses::open(&spec)?;
    let processes = Processes::start(&Launcher::beside(leash)?, &houses)?;
    processes.publish(&houses.sign_catalogue(CATALOGUE)?)?;
    Ok((houses, processes))
}
