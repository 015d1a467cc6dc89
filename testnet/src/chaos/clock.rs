//! Wrong clocks: a library that is preloaded into a node's process and shifts its wall clock by what a
//! file says (`testnet/shim/clock.c`). Nothing of it is in the program that is tried.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::trial::TrialError;

/// The library's source.
const SOURCE: &str = include_str!("../../shim/clock.c");

/// The variable that names a process's file.
const VARIABLE: &str = "REEVE_TESTNET_CLOCK";

/// Nanoseconds of a second.
const SECOND: i64 = 1_000_000_000;

/// The library, built for this machine.
#[derive(Debug, Clone)]
pub struct ClockShim {
    library: PathBuf,
}

impl ClockShim {
    /// Builds it in a folder, with the C compiler that linking Rust needs anyway.
    ///
    /// # Errors
    /// When there is none, or it fails.
    pub fn build(folder: &Path) -> Result<Self, TrialError> {
        let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
        std::fs::write(&source, SOURCE).map_err(|error| failed(&source, &error))?;
        let mut command = Command::new("cc");
        command.args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
        let built =
            command.stdin(Stdio::null()).output().map_err(|error| failed(&source, &error))?;
        if built.status.success() {
            return Ok(Self { library });
        }
        Err(failed(&source, &String::from_utf8_lossy(&built.stderr)))
    }

    /// A clock that is right, with its file at `path`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn clock(&self, path: &Path) -> Result<Clock, TrialError> {
        let clock = Clock { library: self.library.clone(), path: path.to_owned() };
        clock.shift(0)?;
        Ok(clock)
    }
}

/// The clock of one process.
#[derive(Debug, Clone)]
pub struct Clock {
    library: PathBuf,
    path: PathBuf,
}

impl Clock {
    /// What a process that shall have this clock is started with.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        vec![
            ("LD_PRELOAD".to_owned(), self.library.to_string_lossy().into_owned()),
            (VARIABLE.to_owned(), self.path.to_string_lossy().into_owned()),
        ]
    }

    /// Shifts it by so many seconds from the machine's, at once.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn shift(&self, seconds: i64) -> Result<(), TrialError> {
        let shift = seconds.saturating_mul(SECOND).to_ne_bytes();
        let written = File::options().create(true).truncate(false).write(true).open(&self.path);
        // In place: the process has the file mapped.
        let written = written.and_then(|file| file.write_all_at(&shift, 0));
        written.map_err(|error| failed(&self.path, &error))
    }
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> TrialError {
    TrialError::Trial(format!("{}: {error}", path.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn seconds(clock: &Clock) -> i64 {
        let mut command = Command::new("date");
        let output = command.arg("+%s").envs(clock.environment()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
    }

    #[test]
    fn a_process_sees_the_time_that_its_file_says() {
        let folder = tempfile::tempdir().unwrap();
        let clock = ClockShim::build(folder.path()).unwrap();
        let clock = clock.clock(&folder.path().join("clock")).unwrap();
        let before = seconds(&clock);
        clock.shift(-86_400).unwrap();
        assert!((-86_400..-86_300).contains(&(seconds(&clock) - before)));
        clock.shift(7 * 86_400).unwrap();
        assert!((604_800..604_900).contains(&(seconds(&clock) - before)));
    }
}
