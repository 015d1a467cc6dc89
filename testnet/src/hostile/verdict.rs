//! What an attack came to, and what is held against it.

use std::time::Duration;

use super::honest::Noticed;
use super::watch::Sample;

/// Lines that a log may grow by in a second, whoever attacks.
const LOG_LINES_PER_SECOND: f64 = 10.0;

/// Lines of the log at which a node that was started has said what it says anyway.
const LOG_LINES: f64 = 20.0;

/// What is held against the figures of one attack.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Of honest changes and queries at the 99th percentile; none: time is not judged.
    pub honest: Option<Duration>,
    /// Most memory, in kB.
    pub memory_kb: u64,
    /// Most memory over what it was before, in kB, at rest.
    pub memory_at_rest_kb: u64,
    /// Most open descriptors.
    pub descriptors: u64,
    /// Most descriptors over what they were before, at rest.
    pub descriptors_at_rest: u64,
    /// Most threads.
    pub threads: u64,
    /// Longest time until the process is at rest.
    pub rest: Duration,
    /// Most processor time at rest, in percent of a core.
    pub work_at_rest: f64,
    /// Most that the store may grow by during one attack, in bytes.
    pub store: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            honest: Some(Duration::from_secs(1)),
            memory_kb: 512 * 1024,
            memory_at_rest_kb: 256 * 1024,
            // 1,024 is what a process may have on most systems.
            descriptors: 900,
            // A connection that was replaced, a file of the store.
            descriptors_at_rest: 8,
            // Workers of the runtime, and those that verify and write.
            threads: 64,
            rest: Duration::from_secs(30),
            work_at_rest: 10.0,
            store: 1024 * 1024 * 1024,
        }
    }
}

impl Bounds {
    /// Whether a process is at rest that was so before.
    pub(super) fn at_rest(&self, rest: &Rest, before: &Sample) -> bool {
        let Sample { memory_kb, descriptors, .. } = rest.sample;
        rest.work <= self.work_at_rest
            && descriptors <= before.descriptors.saturating_add(self.descriptors_at_rest)
            && memory_kb <= before.memory_kb.saturating_add(self.memory_at_rest_kb)
    }
}

/// How the process was when it had come to rest, or when that was given up.
#[derive(Debug, Clone, Copy)]
pub struct Rest {
    /// How long that took.
    pub after: Duration,
    /// Processor time, in percent of a core.
    pub work: f64,
    /// The process.
    pub sample: Sample,
    /// Bytes by which the store still grew afterwards.
    pub growing: u64,
}

/// Bytes of the store.
#[derive(Debug, Clone, Copy)]
pub struct Store {
    /// Before the attack.
    pub before: u64,
    /// When it ended.
    pub after: u64,
}

/// What an attack came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Its name.
    pub attack: &'static str,
    /// What was tried: sockets, streams, frames, requests.
    pub attempts: u64,
    /// What of it was let in or answered as right.
    pub accepted: u64,
    /// What was refused, or closed on.
    pub refused: u64,
    /// How long it lasted.
    pub lasted: Duration,
    /// What honest people noticed before.
    pub before: Noticed,
    /// During the attack.
    pub during: Noticed,
    /// Afterwards.
    pub after: Noticed,
    /// The process before.
    pub at_first: Sample,
    /// The most of everything during the attack.
    pub most: Sample,
    /// The process at rest.
    pub rest: Rest,
    /// Its store.
    pub store: Store,
    /// Lines that the log grew by in a second.
    pub log_lines_per_second: f64,
    /// What is out of its bound, in words; nothing: everything held.
    pub faults: Vec<String>,
}

impl Outcome {
    /// The same, held against bounds.
    pub(super) fn judged(mut self, bounds: &Bounds) -> Self {
        let mut faults = Vec::new();
        let mut most = |what: &str, found: u64, limit: u64| {
            if found > limit {
                faults.push(format!("{what}: {found}, at most {limit} were wanted"));
            }
        };
        let first = &self.at_first;
        most("kB of memory", self.most.peak_kb, bounds.memory_kb);
        most("descriptors", self.most.descriptors, bounds.descriptors);
        most("threads", self.most.threads, bounds.threads);
        let (kept, limit) = (&self.rest.sample, bounds.descriptors_at_rest);
        most("descriptors at rest", kept.descriptors, first.descriptors.saturating_add(limit));
        let limit = first.memory_kb.saturating_add(bounds.memory_at_rest_kb);
        most("kB of memory at rest", kept.memory_kb, limit);
        most(
            "bytes of the store",
            self.store.after.saturating_sub(self.store.before),
            bounds.store,
        );
        most("bytes that the store grew by at rest", self.rest.growing, 0);
        if self.rest.work > bounds.work_at_rest {
            faults.push(format!("{:.0} % of a core at rest", self.rest.work));
        }
        let lines = self.log_lines_per_second;
        if lines > LOG_LINES_PER_SECOND && lines * self.lasted.as_secs_f64() > LOG_LINES {
            faults.push(format!("{lines:.0} lines of log a second"));
        }
        for (noticed, when) in [(&self.during, "during the attack"), (&self.after, "after it")] {
            faults.extend(slow(noticed, when, bounds));
        }
        self.faults = faults;
        self
    }
}

/// What honest people had to wait for too long.
fn slow(noticed: &Noticed, when: &str, bounds: &Bounds) -> Vec<String> {
    let mut faults = Vec::new();
    if noticed.changes.contains(&super::honest::GIVEN_UP) {
        faults.push(format!("an honest change did not arrive {when}"));
    }
    let Some(limit) = bounds.honest else { return faults };
    for (what, p99) in [("change", noticed.change(99)), ("query", noticed.query(99))] {
        if p99 > limit {
            faults.push(format!("an honest {what} took {} ms {when} (p99)", p99.as_millis()));
        }
    }
    faults
}
