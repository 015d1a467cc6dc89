//! Which figures are to be looked at, and from when on: a set, paced per figure.
//!
//! The first change of a quiet figure is looked at at once. A busy one is looked at once per
//! [`COALESCE_MS`] on average; one look may come early by [`EARLY_MS`]. Without that allowance each
//! level would keep the rhythm of the latest arrival it ever saw: changes come from below one per
//! interval already, and one that was late by 30 ms would hold up every later one by as much.

use std::collections::{BTreeMap, BTreeSet};

use reeve_statement::statement::FigureId;

/// Average time between two editions of a busy figure, in milliseconds. The first change goes at once;
/// what follows within this time is one edition.
pub const COALESCE_MS: u64 = 50;

/// How much earlier than [`COALESCE_MS`] after the last one an edition may come, in milliseconds:
/// what arrives unevenly is not made wait for its neighbour's delay.
const EARLY_MS: u64 = COALESCE_MS;

/// Figures to look at.
#[derive(Debug, Default)]
pub(crate) struct Due {
    queue: BTreeSet<(u64, FigureId)>,
    waiting: BTreeMap<FigureId, u64>,
    /// From when on each figure has its whole allowance again, monotonic.
    paced: BTreeMap<FigureId, u64>,
}

impl Due {
    /// The figure is to be looked at, as soon as its pace lets it; from when on.
    pub(crate) fn mark(&mut self, id: FigureId, now: u64) -> u64 {
        let paced = self.paced.get(&id).copied().unwrap_or(0);
        let at = now.max(paced.saturating_sub(EARLY_MS));
        match self.waiting.get(&id) {
            Some(earlier) if *earlier <= at => *earlier,
            other => {
                if let Some(later) = other.copied() {
                    self.queue.remove(&(later, id.clone()));
                }
                self.waiting.insert(id.clone(), at);
                self.queue.insert((at, id));
                at
            }
        }
    }

    /// The figure is to be looked at again at a time, if it is not sooner; from when on.
    pub(crate) fn mark_later(&mut self, id: FigureId, at: u64) -> u64 {
        self.mark(id, at)
    }

    /// How many figures are to be looked at.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// The next figure whose time has come, if any.
    pub(crate) fn pop(&mut self, now: u64) -> Option<FigureId> {
        if self.next()? > now {
            return None;
        }
        let (_, id) = self.queue.pop_first()?;
        self.waiting.remove(&id);
        Some(id)
    }

    /// When the next figure's time comes.
    pub(crate) fn next(&self) -> Option<u64> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// The figure is being looked at.
    pub(crate) fn note_look(&mut self, id: &FigureId, now: u64) {
        let paced = self.paced.get(id).copied().unwrap_or(0);
        let next = paced.max(now).saturating_add(COALESCE_MS);
        match self.paced.get_mut(id) {
            Some(paced) => *paced = next,
            None => drop(self.paced.insert(id.clone(), next)),
        }
    }

    /// Forgets the pace of figures that are quiet again.
    pub(crate) fn forget_quiet(&mut self, now: u64) {
        self.paced.retain(|_, paced| *paced > now);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use reeve_statement::catalogue::RecipientClass;
    use reeve_statement::names::IndicatorId;
    use reeve_statement::period::Period;

    use super::*;

    fn id() -> FigureId {
        FigureId {
            indicator: IndicatorId::new("cases").unwrap(),
            period: Some(Period::Now),
            class: RecipientClass::Superior,
        }
    }

    /// Marks at each arrival and cuts as soon as it may; the time that each arrival waited.
    fn waits(arrivals: &[u64]) -> Vec<u64> {
        let mut due = Due::default();
        let mut marked: Vec<u64> = Vec::new();
        let mut waits = Vec::new();
        for now in 0..=arrivals.last().unwrap() + 1_000 {
            for at in arrivals.iter().filter(|at| **at == now) {
                due.mark(id(), now);
                marked.push(*at);
            }
            while due.pop(now).is_some() {
                due.note_look(&id(), now);
                waits.extend(marked.drain(..).map(|at| now - at));
            }
        }
        waits
    }

    #[test]
    fn a_late_arrival_does_not_hold_up_those_after_it() {
        let steady: Vec<u64> =
            (0..40).map(|n| 1_000 + n * 50 + if n == 5 { 40 } else { 0 }).collect();
        let waited = waits(&steady);
        assert_eq!(waited.len(), 40);
        assert!(waited.iter().all(|wait| *wait == 0), "{waited:?}");
    }

    #[test]
    fn a_flood_is_one_edition_per_interval() {
        let flood: Vec<u64> = (1_000..3_000).collect();
        let mut due = Due::default();
        let mut cuts = 0;
        for now in flood {
            due.mark(id(), now);
            while due.pop(now).is_some() {
                due.note_look(&id(), now);
                cuts += 1;
            }
        }
        assert!((40..=42).contains(&cuts), "2,000 ms hold 40 intervals and one early look: {cuts}");
    }

    #[test]
    fn an_id_waits_once_and_at_its_earliest() {
        let mut due = Due::default();
        due.note_look(&id(), 1_000);
        due.note_look(&id(), 1_000);
        assert_eq!(due.mark(id(), 1_001), 1_050);
        assert_eq!(due.mark(id(), 1_002), 1_050);
        assert_eq!(due.pop(1_049), None);
        assert_eq!(due.pop(1_050), Some(id()));
        assert_eq!(due.pop(9_999), None, "it waited once");
    }
}
