//! The processes of the trials: this program again, as one that writes or one that looks.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use reeve::store::EngineKind;

use super::check::Seen;
use super::worker::{ACKNOWLEDGED, FAILED, OPENED};
use super::{StoresError, system};
use crate::shim::{DISK_CONTROL, DISK_FOLDER, DISK_JOURNAL, PRELOAD};
use crate::stopwatch::now;

/// The hidden command of this program that writes.
pub const WORKER: &str = "store-worker";
/// The hidden command of this program that looks.
pub const CHECKER: &str = "store-check";

/// Longest time for a process to do what it does in a second or so: more is a hang. The sled engine's
/// own deadline for opening is 120 s.
const HANG: Duration = Duration::from_secs(150);

/// How often it is looked whether a process has ended.
const LOOK: Duration = Duration::from_millis(2);

/// Lines that wait to be heard; then whoever says them waits.
const LINES: usize = 1_024;

/// Bytes of what is said on standard error that are kept.
const ERRORS_KEPT: u64 = 64 * 1024;

/// What starts the processes.
#[derive(Debug, Clone)]
pub struct Starter {
    /// This program.
    pub program: PathBuf,
    /// The engine under trial.
    pub engine: EngineKind,
    /// What the workload begins with.
    pub seed: u64,
}

/// The disk shim, and how it is steered.
#[derive(Debug, Clone, Default)]
pub struct Shimmed {
    /// The library.
    pub library: PathBuf,
    /// What goes wrong, if anything.
    pub control: Option<PathBuf>,
    /// Where it is written down what was written, if anywhere.
    pub journal: Option<PathBuf>,
}

impl Shimmed {
    fn put_before(&self, command: &mut Command, folder: &Path) {
        command.env(PRELOAD, &self.library).env(DISK_FOLDER, folder);
        if let Some(control) = &self.control {
            command.env(DISK_CONTROL, control);
        }
        if let Some(journal) = &self.journal {
            command.env(DISK_JOURNAL, journal);
        }
    }
}

impl Starter {
    /// Starts one that writes a number of batches.
    ///
    /// # Errors
    /// [`StoresError::System`].
    pub fn worker(
        &self,
        folder: &Path,
        batches: u64,
        shimmed: Option<&Shimmed>,
    ) -> Result<Running, StoresError> {
        let mut command = self.command(WORKER, folder);
        command.args(["--batches", &batches.to_string()]);
        if let Some(shimmed) = shimmed {
            shimmed.put_before(&mut command, folder);
        }
        Running::start(command)
    }

    /// Lets one look. With a scratch folder it verifies a copy there first.
    ///
    /// # Errors
    /// [`StoresError::System`].
    pub fn look(
        &self,
        folder: &Path,
        scratch: Option<&Path>,
        shimmed: Option<&Shimmed>,
    ) -> Result<Looked, StoresError> {
        let mut command = self.command(CHECKER, folder);
        if let Some(scratch) = scratch {
            command.arg("--scratch").arg(scratch);
        }
        if let Some(shimmed) = shimmed {
            shimmed.put_before(&mut command, folder);
        }
        let finished = Running::start(command)?.end(HANG)?;
        let seen = finished.lines.iter().find_map(|line| serde_json::from_str(line).ok());
        Ok(match (finished.status, seen) {
            (None, _) => Looked::Hung,
            (Some(status), Some(seen)) if status.success() => Looked::Seen(Box::new(seen)),
            (Some(status), _) => Looked::Died(format!("{status}: {}", finished.first_error())),
        })
    }

    fn command(&self, what: &str, folder: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(what).arg("--folder").arg(folder);
        command.args(["--engine", self.engine.name(), "--seed", &self.seed.to_string()]);
        command
    }
}

/// What became of one that looked.
#[derive(Debug)]
pub enum Looked {
    /// It saw this.
    Seen(Box<Seen>),
    /// It died: a panic or an abort that nothing caught.
    Died(String),
    /// It did not come to an end.
    Hung,
}

/// A process that runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    heard: Vec<String>,
    errors: JoinHandle<String>,
}

/// A process that ended.
#[derive(Debug)]
pub struct Finished {
    /// How; none: it hung and was killed.
    pub status: Option<ExitStatus>,
    /// What it said.
    pub lines: Vec<String>,
    /// What it said on standard error.
    pub errors: String,
}

impl Running {
    fn start(mut command: Command) -> Result<Self, StoresError> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let program = PathBuf::from(command.get_program());
        let mut child = command.spawn().map_err(system(&program))?;
        let missing = || system(&program)(std::io::ErrorKind::BrokenPipe.into());
        let out = child.stdout.take().ok_or_else(missing)?;
        let err = child.stderr.take().ok_or_else(missing)?;
        let (sender, lines) = sync_channel(LINES);
        std::thread::spawn(move || {
            let whole = BufReader::new(out).lines().map_while(Result::ok);
            whole.take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
        });
        let errors = std::thread::spawn(move || {
            let (mut kept, mut err) = (Vec::new(), err);
            // What is lost of it at the end of a killed process is not needed.
            let _ = err.by_ref().take(ERRORS_KEPT).read_to_end(&mut kept);
            let _ = std::io::copy(&mut err, &mut std::io::sink());
            String::from_utf8_lossy(&kept).into_owned()
        });
        Ok(Self { child, lines, heard: Vec::new(), errors })
    }

    /// Waits for its next line; whether there is one.
    pub fn hear(&mut self) -> bool {
        match self.lines.recv_timeout(HANG) {
            Ok(line) => {
                self.heard.push(line);
                true
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
        }
    }

    /// Closes its standard input, which tells one that writes to stop in good order.
    pub fn tell_to_stop(&mut self) {
        drop(self.child.stdin.take());
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// [`StoresError::System`].
    pub fn kill(mut self) -> Result<Finished, StoresError> {
        // An error means that it has ended already.
        let _ = self.child.kill();
        self.end(HANG)
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// [`StoresError::System`].
    pub fn ended(self) -> Result<Finished, StoresError> {
        self.end(HANG)
    }

    fn end(mut self, within: Duration) -> Result<Finished, StoresError> {
        let began = now();
        let mut status = None;
        while status.is_none() && began.elapsed() < within {
            self.heard.extend(self.lines.try_iter());
            status = self.child.try_wait().map_err(system(Path::new("a child")))?;
            if status.is_none() {
                std::thread::sleep(LOOK);
            }
        }
        if status.is_none() {
            // An error means that it has ended just now.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        // The readers end with the pipes.
        self.heard.extend(self.lines.iter());
        Ok(Finished { status, lines: self.heard, errors: self.errors.join().unwrap_or_default() })
    }
}

impl Finished {
    /// The last batch that it acknowledged, or found when it opened.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        let numbers = self.lines.iter().filter_map(|line| {
            let number = line.strip_prefix(ACKNOWLEDGED).or_else(|| line.strip_prefix(OPENED))?;
            number.trim().parse().ok()
        });
        numbers.max().unwrap_or(0)
    }

    /// Whether a signal ended it.
    #[must_use]
    pub fn was_killed(&self) -> bool {
        self.status.is_some_and(|status| status.signal().is_some())
    }

    /// Why it could not go on, if it said so.
    #[must_use]
    pub fn failed(&self) -> Option<&str> {
        self.lines.iter().find_map(|line| line.strip_prefix(FAILED)).map(str::trim)
    }

    /// Whether it ended otherwise than it may: by a panic, an abort, or not at all.
    #[must_use]
    pub fn died(&self) -> Option<String> {
        match self.status {
            None => Some("it hung".to_owned()),
            Some(status) if status.success() || self.failed().is_some() => None,
            Some(status) => Some(format!("{status}: {}", self.first_error())),
        }
    }

    fn first_error(&self) -> String {
        self.errors.lines().take(3).collect::<Vec<_>>().join(" | ")
    }
}
