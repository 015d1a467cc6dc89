//! Counted events, for metrics and status. Labels are fixed words, never data.

use std::collections::BTreeMap;

/// Counts by name and label, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters(BTreeMap<(&'static str, &'static str), u64>);

impl Counters {
    /// Counts one event.
    pub fn count(&mut self, name: &'static str, label: &'static str) {
        self.add(name, label, 1);
    }

    /// Counts several events; saturates.
    pub fn add(&mut self, name: &'static str, label: &'static str, events: u64) {
        let count = self.0.entry((name, label)).or_default();
        *count = count.saturating_add(events);
    }

    /// How often an event happened.
    #[must_use]
    pub fn of(&self, name: &'static str, label: &'static str) -> u64 {
        self.0.get(&(name, label)).copied().unwrap_or(0)
    }

    /// All counts, by name and label.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + '_ {
        self.0.iter().map(|((name, label), count)| (*name, *label, *count))
    }
}
