//! One measured figure, its unit, and the target that it is held against.

use serde::Serialize;

/// Which way a target limits a figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// No less than this.
    AtLeast(f64),
    /// No more than this.
    AtMost(f64),
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measure {
    /// What was measured.
    pub what: String,
    /// The figure.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What it is held against.
    pub target: Option<Target>,
}

impl Measure {
    /// A figure without a target.
    pub fn plain(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { what: what.into(), value, unit, target: None }
    }

    /// A figure that must not be less.
    pub fn at_least(what: impl Into<String>, value: f64, unit: &'static str, least: f64) -> Self {
        Self { target: Some(Target::AtLeast(least)), ..Self::plain(what, value, unit) }
    }

    /// A figure that must not be more.
    pub fn at_most(what: impl Into<String>, value: f64, unit: &'static str, most: f64) -> Self {
        Self { target: Some(Target::AtMost(most)), ..Self::plain(what, value, unit) }
    }

    /// The target in words.
    #[must_use]
    pub fn target_text(&self) -> String {
        match self.target {
            None => "report".to_owned(),
            Some(Target::AtLeast(least)) => format!("at least {} {}", number(least), self.unit),
            Some(Target::AtMost(most)) => format!("at most {} {}", number(most), self.unit),
        }
    }

    /// The figure in words.
    #[must_use]
    pub fn value_text(&self) -> String {
        format!("{} {}", number(self.value), self.unit)
    }

    /// Whether the target is met, and by how much not.
    #[must_use]
    pub fn verdict(&self) -> String {
        let (met, target) = match self.target {
            None => return String::new(),
            Some(Target::AtLeast(least)) => (self.value >= least, least),
            Some(Target::AtMost(most)) => (self.value <= most, most),
        };
        if met {
            return "met".to_owned();
        }
        format!("missed by {:.0} %", 100.0 * (self.value - target).abs() / target)
    }
}

/// Large figures without a fraction, small ones with three digits.
fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        middle if middle >= 1.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

/// A count as a figure; exact below 2^53.
#[must_use]
pub fn count(count: u64) -> f64 {
    const HALF: u64 = 1 << 32;
    let part = |part: u64| f64::from(u32::try_from(part).unwrap_or(u32::MAX));
    part(count / HALF) * 4_294_967_296.0 + part(count % HALF)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "counts are exact")]
mod tests {
    use super::*;

    #[test]
    fn a_missed_target_says_by_how_much() {
        assert_eq!(
            Measure::at_least("x", 15_000.0, "records/s", 20_000.0).verdict(),
            "missed by 25 %"
        );
        assert_eq!(Measure::at_most("x", 90.0, "ms", 100.0).verdict(), "met");
        assert_eq!(Measure::plain("x", 0.5, "").verdict(), "");
    }

    #[test]
    fn counts_stay_exact() {
        assert_eq!(count(5_000_000_001), 5_000_000_001.0);
        assert_eq!(count(0), 0.0);
    }
}
