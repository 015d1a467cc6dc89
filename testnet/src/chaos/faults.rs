//! The faults of a mixed run: drawn, done, and undone.

use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::disk;
use super::federation::{Federation, Site};
use super::proxy::Weather;
use crate::trial::TrialError;

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
    /// Its disk fails.
    DiskBroken,
    /// Its clock is wrong.
    WrongClock,
}

/// All kinds.
pub(super) const KINDS: [Kind; 12] = [
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
    Kind::DiskBroken,
    Kind::WrongClock,
];

impl Kind {
    /// Whether it goes through a relay.
    pub(super) const fn needs_relay(self) -> bool {
        matches!(self, Self::Blackhole | Self::OneWay | Self::Late | Self::Broken)
    }

    /// Whether a process that is under it may end by itself.
    pub(super) const fn may_end(self) -> bool {
        matches!(self, Self::DiskFull | Self::DiskBroken)
    }

    /// How long it lasts, in milliseconds.
    pub(super) const fn lasts(self) -> (u64, u64) {
        match self {
            Self::Killed => (50, 4_000),
            Self::Frozen => (5_000, 30_000),
            Self::DiskFull | Self::DiskBroken => (2_000, 10_000),
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
            Self::DiskFull | Self::DiskBroken | Self::WrongClock => {
                if let Some(site) = federation.sites.get(node) {
                    self.begin_at(site, chance)?;
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
            Self::DiskFull | Self::DiskBroken | Self::WrongClock => {
                if let Some(site) = federation.sites.get(node) {
                    self.end_at(site)?;
                }
                federation.revive(node)
            }
        }
    }

    /// What is wrong with a node's machine.
    fn begin_at(self, site: &Site, chance: &mut ChaCha8Rng) -> Result<(), TrialError> {
        match self {
            Self::DiskFull if site.small_disk => disk::fill(&site.house.store_folder()),
            Self::DiskFull => site.steering.fill_disk(),
            Self::DiskBroken => site.steering.break_disk(chance.random_bool(0.5)),
            _ => site.steering.shift_clock(chance.random_range(CLOCK_S)),
        }
    }

    fn end_at(self, site: &Site) -> Result<(), TrialError> {
        match self {
            Self::DiskFull if site.small_disk => disk::free(&site.house.store_folder()),
            Self::DiskFull | Self::DiskBroken => site.steering.heal_disk(),
            _ => site.steering.shift_clock(0),
        }
    }
}
