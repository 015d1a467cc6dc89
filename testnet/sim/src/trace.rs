//! What happened, as text for people and as a digest that tells whether two runs are the same.

use std::collections::VecDeque;

use reeve_statement::digest::Digest;

/// Lines kept for the report of a violation.
const KEPT: usize = 20_000;

/// An invariant that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: &'static str,
    /// What was found.
    pub what: String,
    /// Virtual time, in milliseconds.
    pub at: u64,
}

impl core::fmt::Display for Violation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} at {} ms: {}", self.invariant, self.at, self.what)
    }
}

/// The run so far.
#[derive(Debug)]
pub(crate) struct Trace {
    digest: Digest,
    events: u64,
    lines: Option<VecDeque<String>>,
}

impl Trace {
    /// Lines cost time; they are kept on wish. The digest does not depend on it.
    pub(crate) fn new(lines: bool) -> Self {
        Self { digest: Digest::of(b"reeve-sim/1"), events: 0, lines: lines.then(VecDeque::new) }
    }

    /// Notes an event: the parts make the digest, the line is for people.
    pub(crate) fn note(&mut self, at: u64, parts: &[&[u8]], line: impl FnOnce() -> String) {
        self.events += 1;
        let mut all: Vec<&[u8]> = vec![self.digest.as_bytes()];
        let time = at.to_be_bytes();
        all.push(&time);
        all.extend_from_slice(parts);
        let next = Digest::of_parts(&all);
        self.digest = next;
        self.explain(at, line);
    }

    /// Adds a line for people about what follows from the events.
    pub(crate) fn explain(&mut self, at: u64, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            if lines.len() >= KEPT {
                lines.pop_front();
            }
            lines.push_back(format!("{:>9}.{:03}  {}", at / 1_000, at % 1_000, line()));
        }
    }

    pub(crate) const fn digest(&self) -> Digest {
        self.digest
    }

    pub(crate) const fn events(&self) -> u64 {
        self.events
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.iter().flatten().cloned().collect()
    }
}
