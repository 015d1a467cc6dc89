//! The full verification: what a walk over every row finds, held against the anchor.

use super::anchor::{ANCHOR_KEY, Anchor};
use super::envelope::{self, Checksum};
use super::error::{KeyName, StoreError};

/// Damaged rows a verification reports by name; more are only counted.
const REPORTED_DAMAGE: usize = 100;

/// What a full verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Rows that are as written.
    pub rows: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// How many rows are damaged.
    pub damaged: u64,
    /// The first of them.
    pub damaged_keys: Vec<KeyName>,
}

/// What a walk over all rows has seen so far.
#[derive(Debug, Default)]
pub(super) struct Walk {
    report: VerifyReport,
    sum: u128,
}

impl Walk {
    /// Takes in one row as the engine holds it.
    pub(super) fn visit(&mut self, key: &[u8], value: Vec<u8>) -> Result<(), StoreError> {
        let bytes = u64::try_from(key.len().saturating_add(value.len())).unwrap_or(u64::MAX);
        match envelope::unwrap(key, value) {
            Ok(_) if key == ANCHOR_KEY => {}
            Ok((_, Checksum(sum))) => {
                self.sum = self.sum.wrapping_add(sum);
                self.report.rows = self.report.rows.saturating_add(1);
                self.report.bytes = self.report.bytes.saturating_add(bytes);
            }
            Err(StoreError::CorruptValue { key, .. }) => self.damaged(key),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn damaged(&mut self, key: KeyName) {
        self.report.damaged = self.report.damaged.saturating_add(1);
        if self.report.damaged_keys.len() < REPORTED_DAMAGE {
            self.report.damaged_keys.push(key);
        }
    }

    /// Whether rows are missing, left over or stale. Damaged rows count as there.
    pub(super) fn compare(&self, anchor: &Anchor) -> Result<(), StoreError> {
        let found = self.report.rows.saturating_add(self.report.damaged);
        if found != anchor.rows {
            return Err(broken("rows", anchor.rows, found));
        }
        if self.report.damaged == 0 && self.sum != anchor.sum {
            let hex = |sum: u128| format!("{sum:032x}");
            return Err(broken("checksum sum", hex(anchor.sum), hex(self.sum)));
        }
        Ok(())
    }

    /// Nothing, if every row is as committed.
    pub(super) fn require_sound(&self, anchor: &Anchor) -> Result<(), StoreError> {
        match self.report.damaged_keys.first() {
            Some(key) => Err(StoreError::CorruptValue {
                key: key.clone(),
                found: "its checksum does not match",
            }),
            None => self.compare(anchor),
        }
    }

    /// The report for the operator.
    pub(super) fn into_report(self) -> VerifyReport {
        self.report
    }
}

/// The anchor and the store disagree about `what`.
pub(super) fn broken(
    what: &'static str,
    expected: impl ToString,
    found: impl ToString,
) -> StoreError {
    StoreError::AnchorBroken { what, expected: expected.to_string(), found: found.to_string() }
}
