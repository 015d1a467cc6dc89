//! The faults of a mixed run: drawn, done, and undone.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::federation::Federation;
use super::proxy::Weather;
use crate::trial::TrialError;

/// Bytes of a disk that can be filled: far more than a trial writes.
const DISK: &str = "256m";

/// The file that fills it.
const BALLAST: &str = "ballast";

/// Longest delay of a relay, in milliseconds.
const LATE_MS: u64 = 400;

/// How likely a piece is to break its connection, where they do.
const BREAKS: f64 = 0.1;

/// How far a clock may go wrong, in seconds: an hour back, which stops a node from signing, and as much
/// forward as its peers tolerate.
const CLOCK_S: std::ops::RangeInclusive<i64> = -3_600..=240;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// SIGKILL, and started again.
    Killed,
    /// SIGSTOP, and SIGCONT.
    Frozen,
    /// Its cable pulled.
    Unplugged,
    /// The nodes parted into two sides.
    Parted,
    /// Little goes through; the rest waits or is lost.
    Slowed,
    /// Its relay swallows everything.
    Blackhole,
    /// Its relay swallows one direction.
    OneWay,
    /// Its relay delays.
    Late,
    /// Its relay breaks connections.
    Broken,
    /// Its disk is full.
    DiskFull,
    /// Its clock is wrong.
    WrongClock,
}

/// All kinds.
pub(super) const KINDS: [Kind; 11] = [
    Kind::Killed,
    Kind::Frozen,
    Kind::Unplugged,
    Kind::Parted,
    Kind::Slowed,
    Kind::Blackhole,
    Kind::OneWay,
    Kind::Late,
    Kind::Broken,
    Kind::DiskFull,
    Kind::WrongClock,
];

impl Kind {
    /// Whether it goes through a relay.
    pub(super) const fn needs_relay(self) -> bool {
        matches!(self, Self::Blackhole | Self::OneWay | Self::Late | Self::Broken)
    }

    /// Whether a process that is under it may end by itself.
    pub(super) const fn may_end(self) -> bool {
        matches!(self, Self::DiskFull)
    }

    /// How long it lasts, in milliseconds.
    pub(super) const fn lasts(self) -> (u64, u64) {
        match self {
            Self::Killed => (50, 4_000),
            Self::Frozen => (5_000, 30_000),
            Self::DiskFull => (2_000, 10_000),
            Self::WrongClock => (2_000, 20_000),
            _ => (1_000, 20_000),
        }
    }

    /// Does it to a node.
    pub(super) fn begin(
        self,
        federation: &mut Federation,
        node: usize,
        chance: &mut ChaCha8Rng,
    ) -> Result<(), TrialError> {
        let network = &mut federation.network;
        let relay = |weather| Some(Weather { ..weather });
        let weather = match self {
            Self::Killed => {
                federation.kill(node);
                None
            }
            Self::Frozen => {
                federation.signal(node, "STOP");
                None
            }
            Self::Unplugged => {
                network.cable(node, false)?;
                None
            }
            Self::Parted => {
                let count = federation.sites.len();
                let far = (0..count).filter(|at| *at == node || chance.random_bool(0.4));
                network.part(far.collect())?;
                None
            }
            Self::Slowed => {
                network.slow(node, true)?;
                None
            }
            Self::Blackhole => relay(Weather::BLACKHOLE),
            Self::OneWay => {
                let hold_up = chance.random_bool(0.5);
                relay(Weather { hold_up, hold_down: !hold_up, ..Weather::FAIR })
            }
            Self::Late => relay(Weather { delay: Duration::from_millis(LATE_MS), ..Weather::FAIR }),
            Self::Broken => {
                network.close(node);
                relay(Weather { breaks: BREAKS, ..Weather::FAIR })
            }
            Self::DiskFull => {
                if let Some(site) = federation.sites.get(node) {
                    fill(&site.house.store_folder())?;
                }
                None
            }
            Self::WrongClock => {
                if let Some(site) = federation.sites.get(node) {
                    site.clock.shift(chance.random_range(CLOCK_S))?;
                }
                None
            }
        };
        if let Some(weather) = weather {
            federation.network.weather(node, weather);
        }
        Ok(())
    }

    /// Undoes it.
    pub(super) fn end(self, federation: &mut Federation, node: usize) -> Result<(), TrialError> {
        match self {
            Self::Killed => federation.launch(node),
            Self::Frozen => {
                federation.signal(node, "CONT");
                Ok(())
            }
            Self::Unplugged => federation.network.cable(node, true),
            Self::Parted => federation.network.join(),
            Self::Slowed => federation.network.slow(node, false),
            Self::Blackhole | Self::OneWay | Self::Late | Self::Broken => {
                federation.network.weather(node, Weather::FAIR);
                Ok(())
            }
            Self::DiskFull => {
                if let Some(site) = federation.sites.get(node) {
                    free(&site.house.store_folder())?;
                }
                federation.revive(node)
            }
            Self::WrongClock => {
                federation.sites.get(node).map_or(Ok(()), |site| site.clock.shift(0))
            }
        }
    }
}

/// Puts a small disk of its own under a folder; only within namespaces, where nobody else sees it.
pub(super) fn small_disk(folder: &Path) -> Result<(), TrialError> {
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
fn fill(folder: &Path) -> Result<(), TrialError> {
    const PIECE: usize = 64 * 1024;
    let path = ballast(folder);
    let at = |reason| crate::processes::ProcessError::System { path: path.clone(), reason };
    let mut file = File::create(&path).map_err(at)?;
    let piece = vec![0; PIECE];
    while file.write_all(&piece).is_ok() {}
    Ok(())
}

/// Makes room again.
fn free(folder: &Path) -> Result<(), TrialError> {
    let path = ballast(folder);
    fs::remove_file(&path)
        .map_err(|reason| crate::processes::ProcessError::System { path, reason }.into())
}
