//! The machine that figures are measured on, and the memory of this process, as Linux tells them.
//! Elsewhere the answers are "unknown": figures are printed all the same.

use std::fs;
use std::path::Path;

use serde::Serialize;

/// Where Linux tells about this process's memory.
const STATUS: &str = "/proc/self/status";

/// Writing this to `clear_refs` makes the peak of memory begin anew (proc(5)).
const RESET_PEAK: &str = "5";

/// What figures depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Threads that run at once.
    pub cores: usize,
    /// The processor, as it calls itself.
    pub cpu: String,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: String,
    /// `debug` or `release`.
    pub profile: &'static str,
}

impl Machine {
    /// This machine, now.
    #[must_use]
    pub fn here() -> Self {
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            cpu: cpu().unwrap_or_else(unknown),
            load: load().unwrap_or_else(unknown),
            profile: if cfg!(debug_assertions) { "debug" } else { "release" },
        }
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn cpu() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Load averages over 1, 5 and 15 minutes.
#[must_use]
pub fn load() -> Option<String> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    let averages: Vec<&str> = text.split_whitespace().take(3).collect();
    Some(averages.join(" "))
}

/// Lets the peak of memory begin anew, where the system permits it.
pub fn reset_peak_memory() {
    // Where it does not, the peak is that of the whole run: never too small.
    let _ = fs::write("/proc/self/clear_refs", RESET_PEAK);
}

/// The most memory that this process has held, in kB; none where the system does not tell.
#[must_use]
pub fn peak_memory_kb() -> Option<u64> {
    peak_in(STATUS.as_ref())
}

/// The most memory that a process has held, in kB; none if it has ended, or the system does not tell.
pub(crate) fn peak_memory_kb_of(pid: u32) -> Option<u64> {
    peak_in(format!("/proc/{pid}/status").as_ref())
}

fn peak_in(status: &Path) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
