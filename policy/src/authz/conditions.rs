//! What a permit demands of a release: conditions, read from the annotations of policies.
//!
//! An annotation that is not known here is an error and never ignored: `@min_cel("11")` must not
//! release what its author meant to protect.

use core::fmt;
use std::collections::BTreeMap;

use reeve_statement::statement::Onward;

/// Roundings offered, each dividing the next, so that a coarser one is a coarsening of every finer
/// one and two recipients learn nothing by laying their tables side by side.
pub const ROUNDINGS: [u32; 6] = [5, 10, 50, 100, 500, 1_000];

/// Largest floor, in contributors. Far above any rule in use (5 to 20); catches a slipped key.
pub const MAX_FLOOR: u32 = 100_000;

/// Longest retention, in days (200 years): an annotation beyond it is a mistake.
pub const MAX_RETENTION_DAYS: u32 = 73_050;

/// Longest window of publication, in seconds (a day): an annotation beyond it is a mistake.
pub const MAX_WINDOW_SECONDS: u32 = 86_400;

/// Names of the onward rights in policies, strictest first.
const ONWARD: [(&str, Onward); 3] = [
    ("aggregate", Onward::Aggregate),
    ("superiors", Onward::Superiors),
    ("anyone", Onward::Anyone),
];

/// The conditions of one policy or, combined, of a permit. `None` demands nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conditions {
    /// Least contributors behind a published cell. 1 or none: exact.
    pub min_cell: Option<u32>,
    /// Least change of a cell in contributors that is told.
    pub min_step: Option<u32>,
    /// Values and contributors are told as intervals between multiples of this.
    pub rounding: Option<u32>,
    /// How long the recipient may keep the figure, in days.
    pub retention_days: Option<u32>,
    /// Whom the recipient may tell.
    pub onward: Option<Onward>,
    /// Length of the window of publication, in seconds, where figures are told in windows.
    pub window_seconds: Option<u32>,
}

/// What is wrong with an annotation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnnotationFault {
    /// Not in the vocabulary.
    #[error("unknown annotation @{key}; expected one of {}", VOCABULARY.join(", "))]
    Unknown {
        /// Its key.
        key: String,
    },
    /// Known, with a value that means nothing.
    #[error("@{key}: expected {expected}, found {found:?}")]
    Value {
        /// Its key.
        key: String,
        /// What would be right.
        expected: String,
        /// What stands there.
        found: String,
    },
}

impl AnnotationFault {
    /// The annotation's key.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Unknown { key } | Self::Value { key, .. } => key,
        }
    }
}

/// Every annotation a policy may carry. `id` names the policy, `note` is for people, `supersedes` the
/// policies in whose place it holds under a declaration.
pub const VOCABULARY: [&str; 9] =
    ["id", "note", "min_cell", "min_step", "rounding", "retention", "onward", "window", SUPERSEDES];

/// The annotation of a permit that holds only while a declaration is in force, and then in place of the
/// policies that it names.
pub(super) const SUPERSEDES: &str = "supersedes";

fn fault(key: &str, expected: impl Into<String>, found: &str) -> AnnotationFault {
    AnnotationFault::Value { key: key.into(), expected: expected.into(), found: found.into() }
}

/// A whole number written the one plain way: digits only, no leading zero.
fn number(key: &str, text: &str, max: u32) -> Result<u32, AnnotationFault> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let value = text.parse().ok().filter(|value| plain && (1..=max).contains(value));
    value.ok_or_else(|| fault(key, format!("a whole number from 1 to {max}"), text))
}

fn rounding(key: &str, text: &str) -> Result<u32, AnnotationFault> {
    let found = ROUNDINGS.into_iter().find(|step| step.to_string() == text);
    found.ok_or_else(|| fault(key, "one of 5, 10, 50, 100, 500, 1000", text))
}

fn days(key: &str, text: &str) -> Result<u32, AnnotationFault> {
    text.strip_suffix('d')
        .and_then(|digits| number(key, digits, MAX_RETENTION_DAYS).ok())
        .ok_or_else(|| fault(key, "a number of days such as 90d", text))
}

fn seconds(key: &str, text: &str) -> Result<u32, AnnotationFault> {
    text.strip_suffix('s')
        .and_then(|digits| number(key, digits, MAX_WINDOW_SECONDS).ok())
        .ok_or_else(|| fault(key, "a number of seconds such as 60s", text))
}

fn onward(key: &str, text: &str) -> Result<Onward, AnnotationFault> {
    let found = ONWARD.into_iter().find(|(name, _)| *name == text);
    found
        .map(|(_, onward)| onward)
        .ok_or_else(|| fault(key, "one of aggregate, superiors, anyone", text))
}

impl Conditions {
    /// Reads the annotations of one policy; every fault is returned, not only the first.
    ///
    /// # Errors
    /// The faults by annotation key.
    pub fn read(annotations: &BTreeMap<String, String>) -> Result<Self, Vec<AnnotationFault>> {
        let mut conditions = Self::default();
        let faults: Vec<_> = annotations
            .iter()
            .filter_map(|(key, value)| conditions.take(key, value).err())
            .collect();
        if faults.is_empty() { Ok(conditions) } else { Err(faults) }
    }

    fn take(&mut self, key: &str, value: &str) -> Result<(), AnnotationFault> {
        match key {
            "id" if value.is_empty() => return Err(fault(key, "a name", value)),
            // What it names is checked where the whole set is known.
            "id" | "note" | SUPERSEDES => {}
            "min_cell" => self.min_cell = Some(number(key, value, MAX_FLOOR)?),
            "min_step" => self.min_step = Some(number(key, value, MAX_FLOOR)?),
            "rounding" => self.rounding = Some(rounding(key, value)?),
            "retention" => self.retention_days = Some(days(key, value)?),
            "onward" => self.onward = Some(onward(key, value)?),
            "window" => self.window_seconds = Some(seconds(key, value)?),
            _ => return Err(AnnotationFault::Unknown { key: key.to_owned() }),
        }
        Ok(())
    }

    /// Both at once: of each condition the stricter.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            min_cell: self.min_cell.max(other.min_cell),
            min_step: self.min_step.max(other.min_step),
            rounding: self.rounding.max(other.rounding),
            retention_days: stricter(self.retention_days, other.retention_days, |days| days),
            onward: stricter(self.onward, other.onward, openness),
            window_seconds: self.window_seconds.max(other.window_seconds),
        }
    }
}

/// The lesser of two demands by `rank`, where none is no demand.
fn stricter<T: Copy, R: Ord>(a: Option<T>, b: Option<T>, rank: fn(T) -> R) -> Option<T> {
    a.into_iter().chain(b).min_by_key(|demand| rank(*demand))
}

/// How far an onward right reaches: its place in [`ONWARD`].
fn openness(onward: Onward) -> usize {
    ONWARD.into_iter().take_while(|(_, known)| *known != onward).count()
}

fn onward_name(onward: Onward) -> &'static str {
    match onward {
        Onward::Aggregate => "nobody, sums aside",
        Onward::Superiors => "superiors and auditors",
        Onward::Anyone => "anyone",
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.min_cell.map(|k| format!("at least {k} behind a cell")));
        parts.extend(self.min_step.map(|step| format!("steps of at least {step}")));
        parts.extend(self.rounding.map(|step| format!("rounded to {step}")));
        parts.extend(self.retention_days.map(|days| format!("kept at most {days} days")));
        parts.extend(self.window_seconds.map(|it| format!("told every {it} s")));
        parts.extend(self.onward.map(|onward| format!("passed on to {}", onward_name(onward))));
        if parts.is_empty() { f.write_str("none") } else { f.write_str(&parts.join(", ")) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Conditions, Vec<AnnotationFault>> {
        let owned = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Conditions::read(&owned)
    }

    #[test]
    fn strictest_wins() {
        let a = read(&[("min_cell", "5"), ("retention", "90d"), ("onward", "anyone")]).unwrap();
        let b = read(&[("min_cell", "11"), ("rounding", "10"), ("onward", "aggregate")]).unwrap();
        let both = a.clone().and(b.clone());
        assert_eq!(both, b.and(a));
        assert_eq!(both.min_cell, Some(11));
        assert_eq!(both.rounding, Some(10));
        assert_eq!(both.retention_days, Some(90));
        assert_eq!(both.onward, Some(Onward::Aggregate));
    }

    #[test]
    fn anything_not_plain_is_a_fault() {
        for (key, value) in [
            ("min_cell", ""),
            ("min_cell", "0"),
            ("min_cell", "05"),
            ("min_cell", "+5"),
            ("min_cell", " 5"),
            ("min_cell", "5.0"),
            ("min_cell", "-5"),
            ("min_cell", "99999999999"),
            ("min_step", "five"),
            ("rounding", "7"),
            ("retention", "90"),
            ("retention", "90 d"),
            ("window", "60"),
            ("window", "0s"),
            ("window", "1m"),
            ("onward", "Anyone"),
            ("id", ""),
            ("min_cel", "5"),
            ("Min_cell", "5"),
        ] {
            assert_eq!(read(&[(key, value)]).unwrap_err().len(), 1, "@{key}({value:?})");
        }
    }
}
