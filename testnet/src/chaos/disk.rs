//! Small disks of their own for some nodes' stores, within namespaces, where nobody else sees them; and
//! filling them up.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::processes::ProcessError;
use crate::trial::TrialError;

/// Bytes of such a disk: far more than a trial writes.
const DISK: &str = "1g";

/// The file that fills it.
const BALLAST: &str = "ballast";

/// Puts a small disk of its own under a folder; only within namespaces, where nobody else sees it.
pub(super) fn mount(folder: &Path) -> Result<(), TrialError> {
    let failed = |error: &dyn std::fmt::Display| {
        TrialError::Trial(format!("a disk at {}: {error}", folder.display()))
    };
    fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    let mut command = Command::new("mount");
    command.args(["-t", "tmpfs", "-o", &format!("size={DISK},mode=0700"), "chaos"]).arg(folder);
    let output = command.output().map_err(|error| failed(&error))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(&String::from_utf8_lossy(&output.stderr)))
}

fn ballast(folder: &Path) -> PathBuf {
    folder.join(BALLAST)
}

/// Fills the disk of a folder until nothing more fits.
pub(super) fn fill(folder: &Path) -> Result<(), TrialError> {
    const PIECE: usize = 64 * 1024;
    let path = ballast(folder);
    let at = |reason| ProcessError::System { path: path.clone(), reason };
    let mut file = File::create(&path).map_err(at)?;
    let piece = vec![0; PIECE];
    while file.write_all(&piece).is_ok() {}
    Ok(())
}

/// Makes room again.
pub(super) fn free(folder: &Path) -> Result<(), TrialError> {
    let path = ballast(folder);
    fs::remove_file(&path).map_err(|reason| ProcessError::System { path, reason }.into())
}
