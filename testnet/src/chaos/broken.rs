//! What a node's process is told of its disk and its clock: it runs with both shims
//! (`testnet/src/shim.rs`), which do nothing until told. Nothing of them is in the program that is tried.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::processes::ProcessError;
use crate::shim::{self, CLOCK, CLOCK_CONTROL, DISK, DISK_CONTROL, DISK_FOLDER, PRELOAD};
use crate::trial::TrialError;

/// Nanoseconds of a second.
const SECOND: i64 = 1_000_000_000;

/// The shims, built for this machine.
#[derive(Debug)]
pub(super) struct Shims {
    preload: String,
}

impl Shims {
    /// Builds them in a folder.
    pub(super) fn build(folder: &Path) -> Result<Self, TrialError> {
        let libraries = [CLOCK.build(folder)?, DISK.build(folder)?];
        let preload = shim::preload(&libraries).to_string_lossy().into_owned();
        Ok(Self { preload })
    }

    /// What steers a process whose house is in `folder` and whose store is in `store`: all is well.
    pub(super) fn steering(&self, folder: &Path, store: &Path) -> Result<Steering, TrialError> {
        let (clock, disk) = (folder.join("clock.control"), folder.join("disk.control"));
        let variables = [
            (PRELOAD, self.preload.clone()),
            (CLOCK_CONTROL, clock.to_string_lossy().into_owned()),
            (DISK_CONTROL, disk.to_string_lossy().into_owned()),
            (DISK_FOLDER, store.to_string_lossy().into_owned()),
        ];
        let environment = variables.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let steering = Steering { environment, clock, disk };
        steering.shift_clock(0)?;
        steering.tell_disk("")?;
        Ok(steering)
    }
}

/// Steers the disk and the clock of one process.
#[derive(Debug)]
pub(super) struct Steering {
    /// What the process is started with.
    pub(super) environment: Vec<(String, String)>,
    clock: PathBuf,
    disk: PathBuf,
}

impl Steering {
    /// Shifts its wall clock by so many seconds from the machine's, at once.
    pub(super) fn shift_clock(&self, seconds: i64) -> Result<(), TrialError> {
        let shift = seconds.saturating_mul(SECOND).to_ne_bytes();
        let opened = File::options().create(true).truncate(false).write(true).open(&self.clock);
        // In place: the process has the file mapped.
        let written = opened.and_then(|file| file.write_all_at(&shift, 0));
        written.map_err(|reason| system(&self.clock, reason))
    }

    /// Has every write to its store fail from now on, a full disk.
    pub(super) fn fill_disk(&self) -> Result<(), TrialError> {
        self.tell_disk("space 0\n")
    }

    /// Has every write or every sync of its store fail from now on, a broken disk.
    pub(super) fn break_disk(&self, syncs: bool) -> Result<(), TrialError> {
        self.tell_disk(if syncs { "sync 1 EIO on\n" } else { "write 1 EIO on\n" })
    }

    /// Its disk is well again.
    pub(super) fn heal_disk(&self) -> Result<(), TrialError> {
        self.tell_disk("")
    }

    fn tell_disk(&self, text: &str) -> Result<(), TrialError> {
        std::fs::write(&self.disk, text).map_err(|reason| system(&self.disk, reason))
    }
}

fn system(path: &Path, reason: std::io::Error) -> TrialError {
    ProcessError::System { path: path.to_owned(), reason }.into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::process::Command;

    use super::*;

    fn seconds(steering: &Steering) -> i64 {
        let environment = steering.environment.iter().map(|(name, value)| (name, value));
        let output = Command::new("date").arg("+%s").envs(environment).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
    }

    #[test]
    fn a_process_sees_the_time_that_it_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let shims = Shims::build(folder.path()).unwrap();
        let steering = shims.steering(folder.path(), &folder.path().join("store")).unwrap();
        let before = seconds(&steering);
        steering.shift_clock(-86_400).unwrap();
        assert!((-86_400..-86_300).contains(&(seconds(&steering) - before)));
        steering.shift_clock(7 * 86_400).unwrap();
        assert!((604_800..604_900).contains(&(seconds(&steering) - before)));
    }

    #[test]
    fn a_process_finds_its_disk_full_and_broken_and_well_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        std::fs::create_dir(&store).unwrap();
        let steering =
            Shims::build(folder.path()).unwrap().steering(folder.path(), &store).unwrap();
        let writes = || {
            let environment = steering.environment.iter().map(|(name, value)| (name, value));
            let mut command = Command::new("dd");
            command.args(["if=/dev/zero", "bs=8192", "count=1", "conv=fsync"]);
            command.arg(format!("of={}", store.join("row").display())).envs(environment);
            command.output().unwrap().status.success()
        };
        assert!(writes());
        steering.break_disk(true).unwrap();
        assert!(!writes());
        steering.heal_disk().unwrap();
        assert!(writes());
    }
}
