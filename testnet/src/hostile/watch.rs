//! What an attack does to the process: memory, descriptors, threads, work, store and log, as Linux
//! tells them (proc(5)).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reeve::store::size_of;

use super::HostileError;
use crate::processes::{LOG_FILE, Process};
use crate::stopwatch::now;

/// How often the process is looked at during an attack.
const LOOK: Duration = Duration::from_millis(200);

/// Ticks of processor time in a second, as proc(5) counts them: USER_HZ is 100 on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sample {
    /// Memory in use, in kB.
    pub memory_kb: u64,
    /// The most memory so far, in kB.
    pub peak_kb: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
    /// Processor time so far, in ticks.
    pub ticks: u64,
    /// Bytes of the store.
    pub store: u64,
    /// Lines of the log.
    pub log_lines: u64,
}

/// Where to look.
pub(super) struct Watch {
    pid: u32,
    store: PathBuf,
    log: PathBuf,
}

impl Watch {
    pub(super) fn of(process: &Process) -> Self {
        Self {
            pid: process.pid(),
            store: process.folder.join("store"),
            log: process.folder.join(LOG_FILE),
        }
    }

    /// How it is now.
    pub(super) fn look(&self) -> Result<Sample, HostileError> {
        let mut sample = self.quick()?;
        sample.store = size_of(&self.store).unwrap_or(0);
        sample.log_lines = lines(&self.log)?;
        Ok(sample)
    }

    fn quick(&self) -> Result<Sample, HostileError> {
        let folder = PathBuf::from(format!("/proc/{}", self.pid));
        let text = |name: &str| fs::read_to_string(folder.join(name)).map_err(HostileError::text);
        let (status, stat) = (text("status")?, text("stat")?);
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
        };
        let descriptors = fs::read_dir(folder.join("fd")).map_err(HostileError::text)?.count();
        Ok(Sample {
            memory_kb: number("VmRSS:"),
            peak_kb: number("VmHWM:"),
            descriptors: u64::try_from(descriptors).unwrap_or(u64::MAX),
            threads: number("Threads:"),
            ticks: ticks(&stat),
            ..Sample::default()
        })
    }

    /// The most of everything until told to stop.
    pub(super) fn most(&self, stop: &AtomicBool) -> Result<Sample, HostileError> {
        let mut most = self.quick()?;
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK);
            let one = self.quick()?;
            most.memory_kb = most.memory_kb.max(one.memory_kb);
            most.peak_kb = most.peak_kb.max(one.peak_kb);
            most.descriptors = most.descriptors.max(one.descriptors);
            most.threads = most.threads.max(one.threads);
        }
        Ok(most)
    }

    /// Processor time over a while, in percent of one core.
    pub(super) fn work(&self, over: Duration) -> Result<f64, HostileError> {
        let (before, began) = (self.quick()?.ticks, now());
        std::thread::sleep(over);
        let ticks = u32::try_from(self.quick()?.ticks.saturating_sub(before)).unwrap_or(u32::MAX);
        Ok(100.0 * f64::from(ticks) / TICKS_PER_SECOND / began.elapsed().as_secs_f64())
    }
}

/// User and system time of a `stat` line; what stands before the last `)` is a name.
fn ticks(stat: &str) -> u64 {
    /// Where user and system time stand, counted from behind the name.
    const USER: usize = 11;
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let fields = after.split_whitespace().skip(USER).take(2);
    fields.filter_map(|field| field.parse::<u64>().ok()).sum()
}

fn lines(path: &Path) -> Result<u64, HostileError> {
    let bytes = fs::read(path).map_err(HostileError::text)?;
    let count = bytes.iter().filter(|byte| **byte == b'\n').count();
    Ok(u64::try_from(count).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_a_strange_name() {
        let stat = "7 (a) b) S 1 1 1 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 8 0 1 1 1";
        assert_eq!(ticks(stat), 300);
    }
}
