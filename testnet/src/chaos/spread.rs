//! How long something took, many times.

use std::time::Duration;

use serde::Serialize;

/// The middle, the 99th percentile and the longest of many times, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Spread {
    /// How many times.
    pub count: usize,
    /// Half of them took no longer.
    pub median: f64,
    /// Of a hundred, 99 took no longer.
    pub p99: f64,
    /// None took longer.
    pub longest: f64,
}

impl Spread {
    /// Of these.
    #[must_use]
    pub fn of(took: &[Duration]) -> Self {
        let mut sorted = took.to_vec();
        sorted.sort_unstable();
        let at = |hundredths: usize| {
            let rank = (sorted.len() * hundredths).div_ceil(100).saturating_sub(1);
            sorted.get(rank).map_or(0.0, Duration::as_secs_f64)
        };
        Self { count: sorted.len(), median: at(50), p99: at(99), longest: at(100) }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { count, median, p99, longest } = self;
        write!(f, "median {median:.2} s, p99 {p99:.2} s, longest {longest:.2} s ({count} times)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_the_nearest() {
        let took: Vec<Duration> = (1..=200).rev().map(Duration::from_secs).collect();
        let spread = Spread::of(&took);
        assert_eq!((spread.median, spread.p99, spread.longest), (100.0, 198.0, 200.0));
        assert_eq!(Spread::of(&[]), Spread::default());
    }
}
