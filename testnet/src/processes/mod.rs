//! A federation of nodes, each a process of its own: `reeve run` in its folder, on loopback.
//!
//! Folders are founded once and used again. A process that is dropped is killed, and one whose starter
//! is killed stops by itself: none outlives what started it.

pub(crate) mod child;
mod houses;
mod process;

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use reeve::api::Published;
use reeve::client::ClientError;
use reeve_statement::unit::UnitPath;

pub use child::Leash;
pub use houses::Houses;
pub(crate) use process::Starting;
pub use process::{LOG_FILE, Launcher, Process};

use crate::stopwatch::now;
use crate::town::TownError;

/// Longest wait for a process to serve, or for all to follow a catalogue.
pub const SERVING: Duration = Duration::from_secs(60);

/// How often something that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Why processes cannot be started, or do not do what they should.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// There is no binary.
    #[error("there is no {}; build it with `cargo build -p reeve` (and --release, as here)", .0.display())]
    NoBinary(PathBuf),
    /// Founding.
    #[error(transparent)]
    Town(#[from] TownError),
    /// The system.
    #[error("{}: {reason}", path.display())]
    System {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// A process that ended.
    #[error("the node of {unit} ended ({status}); see {}", log.display())]
    Ended {
        /// Whose.
        unit: UnitPath,
        /// How.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
    },
    /// The local API.
    #[error("{unit}: {error}")]
    Api {
        /// Whose.
        unit: UnitPath,
        /// What is wrong.
        error: Box<ClientError>,
    },
    /// The nodes did not do something in time.
    #[error("within {seconds} s: {what}")]
    TooSlow {
        /// How long was waited.
        seconds: u64,
        /// What for.
        what: String,
    },
}

/// The processes of a federation, superiors first.
#[derive(Debug)]
pub struct Processes {
    list: Vec<Process>,
}

impl Processes {
    /// Starts a process for every house, and waits until all serve.
    ///
    /// # Errors
    /// [`ProcessError`]; those that were started are ended.
    pub fn start(launcher: &Launcher, houses: &Houses) -> Result<Self, ProcessError> {
        let mut started = Vec::new();
        for (unit, house, _) in houses.list() {
            started.push(process::Starting::new(launcher, unit, house)?);
        }
        let mut list = Vec::new();
        for starting in started {
            list.push(starting.serving(SERVING)?);
        }
        Ok(Self { list })
    }

    /// The processes.
    #[must_use]
    pub fn list(&self) -> &[Process] {
        &self.list
    }

    /// The processes, to be killed and started again.
    pub fn list_mut(&mut self) -> &mut [Process] {
        &mut self.list
    }

    /// Hands a signed catalogue to the first unit's node, and waits until every node follows it.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub fn publish(&self, signed: &[u8]) -> Result<(), ProcessError> {
        let Some(first) = self.list.first() else { return Ok(()) };
        let media = "application/cose";
        let done: Result<Published, _> =
            first.client.send_bytes("POST", "/v1/catalogue", media, signed.to_vec());
        done.map_err(|error| first.failed(error))?;
        eventually(SERVING, "every node follows the catalogue", || {
            for process in &self.list {
                if process.status()?.catalogue_version == 0 {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })
    }

    /// Whether the first unit's node follows a catalogue.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub fn have_catalogue(&self) -> Result<bool, ProcessError> {
        let Some(first) = self.list.first() else { return Ok(true) };
        Ok(first.status()?.catalogue_version > 0)
    }

    /// Whether all still run.
    ///
    /// # Errors
    /// [`ProcessError::Ended`] for the first that has ended by itself.
    pub fn check(&self) -> Result<(), ProcessError> {
        self.list.iter().try_for_each(Process::check)
    }

    /// Tells every process to stop, subordinates first, and waits for them.
    pub fn stop(mut self) {
        while let Some(process) = self.list.pop() {
            process.stop();
        }
    }
}

/// Waits until there is something.
pub(crate) fn eventually<T>(
    within: Duration,
    what: &str,
    mut find: impl FnMut() -> Result<Option<T>, ProcessError>,
) -> Result<T, ProcessError> {
    let began = now();
    loop {
        if let Some(found) = find()? {
            return Ok(found);
        }
        if began.elapsed() > within {
            return Err(ProcessError::TooSlow { seconds: within.as_secs(), what: what.to_owned() });
        }
        std::thread::sleep(LOOK);
    }
}
