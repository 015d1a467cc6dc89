//! The sums of a situation: one indicator at a glance, and what has changed.
//!
//! Everything here is an interval. What is not known is `None` or a wider interval, never a zero: a
//! unit that has not reported adds nothing to the figure, and the coverage says how many people that
//! leaves out.

use core::cmp::{max, min};

use jiff::civil::Date;
use reeve_statement::bounds::Bounds;
use reeve_statement::catalogue::{Indicator, Measure};
use reeve_statement::completeness::{Counts, Exception, Manifest};
use reeve_statement::digest::Digest;
use reeve_statement::notice::NoticeCode;
use reeve_statement::period::Period;
use reeve_statement::release::RevisionReason;
use reeve_statement::table::Table;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use crate::rows::Told;

/// One indicator at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SituationView {
    /// Whose figure.
    pub unit: UnitPath,
    /// Whether the unit has no subordinates.
    pub is_leaf: bool,
    /// When it was looked at.
    pub at: Timestamp,
    /// The unit's time zone: where its days begin and end.
    pub time_zone: String,
    /// The definition.
    pub indicator: Indicator,
    /// The period; the present one if there is no figure of any.
    pub period: Period,
    /// Whether a whole period has ended since, of which there is no figure.
    pub is_outdated: bool,
    /// Whether it is the unit's own table as it is, which never leaves the house.
    pub is_own: bool,
    /// The figure as it stands; none: there is none, which is not zero.
    pub told: Option<Told>,
    /// Why the unit itself sends no figure, if it says so in a notice.
    pub notice: Option<NoticeCode>,
    /// Units per state, down to the leaves, also where there is no figure.
    pub counts: Counts,
    /// Units that did not report in full.
    pub exceptions: Vec<Exception>,
    /// How many such units are not named for want of room.
    pub unnamed: u64,
    /// Of the own table: the sources of this house that said nothing, once the period has ended.
    pub silent_sources: Vec<String>,
    /// The day before which the unit's records were removed, if the period began before it.
    pub sealed_before: Option<Date>,
    /// How many people the units stand for that the figure includes.
    pub coverage: Coverage,
    /// Number of the last signed edition; 0: none.
    pub edition: u64,
    /// When it was signed.
    pub issued_at: Option<Timestamp>,
    /// What has changed since the edition before; none: there is none, or it is not known.
    pub since_edition: Option<Since>,
    /// What has changed since the period before; for the present state, since the day before.
    pub since_day: Option<Since>,
    /// When the newest of the data was touched.
    pub data_touched: Option<Timestamp>,
    /// The least recent such time among the direct subordinates that are included.
    pub data_oldest: Option<Timestamp>,
    /// Earlier periods that were revised today, by reason.
    pub revised: Vec<Revised>,
}

/// Periods that were revised today for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revised {
    /// The reason.
    pub reason: RevisionReason,
    /// How many periods.
    pub periods: u64,
    /// What has changed in all of them since the day began; none: it is not known.
    pub change: Option<Bounds>,
}

impl Revised {
    /// Adds a period: what stands and what stood.
    pub fn add(&mut self, now: Option<Bounds>, before: Option<Bounds>) {
        let change = now.zip(before).and_then(|(now, before)| difference(now, before));
        self.change = self.change.zip(change).and_then(|(all, one)| all.checked_add(one).ok());
        self.periods = self.periods.saturating_add(1);
    }
}

/// What a figure is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// The period of what it is compared with.
    pub period: Period,
    /// Its edition; 0: none was signed.
    pub edition: u64,
    /// When that was signed.
    pub issued_at: Option<Timestamp>,
    /// What it told; none: no figure.
    pub before: Option<Told>,
    /// The change; none: one of both has no figure, or they have different definitions.
    pub change: Option<Bounds>,
    /// Whether both include the same units; else a change may be theirs and none of the situation.
    pub same_units: bool,
    /// Why it has changed, if anybody said so.
    pub reason: Option<RevisionReason>,
}

impl Since {
    /// Compares what stands with what stood.
    #[must_use]
    pub fn new(
        now: Option<&Told>,
        before: Option<Told>,
        period: Period,
        edition: u64,
        issued_at: Option<Timestamp>,
    ) -> Self {
        let pair = now.zip(before.as_ref()).filter(|(now, then)| now.definition == then.definition);
        let change = pair.and_then(|(now, then)| difference(now.value?, then.value?));
        let same_units = pair.is_some_and(|(now, then)| {
            now.missing == then.missing && now.counts.total() == then.counts.total()
        });
        Self { period, edition, issued_at, before, change, same_units, reason: None }
    }

    /// The same with a reason, if it says more than that something changed.
    #[must_use]
    pub fn because(self, reason: Option<RevisionReason>) -> Self {
        Self { reason: reason.filter(|reason| reason.is_telling()), ..self }
    }
}

/// What an interval has become: the least and the greatest change that are possible.
fn difference(now: Bounds, before: Bounds) -> Option<Bounds> {
    let least = now.lo().checked_sub(before.hi())?;
    let greatest = now.hi().checked_sub(before.lo())?;
    Bounds::between(least, greatest)
}

/// Digits after the point of the number that stands for an indicator: a mean has one more than the
/// values it is of.
#[must_use]
pub fn headline_scale(indicator: &Indicator) -> u8 {
    let more = u8::from(matches!(indicator.measure, Measure::Mean(_)));
    indicator.scale.saturating_add(more)
}

/// The one number that stands for a table: its total; of least and greatest values the one over all
/// rows; of a mean the mean, rounded down at its last digit. None where it is not known.
#[must_use]
pub fn headline(indicator: &Indicator, table: &Table) -> Option<Bounds> {
    let values = || table.rows.values().map(|cell| cell.value);
    match indicator.measure {
        Measure::Min(_) => values().reduce(Bounds::min),
        Measure::Max(_) => values().reduce(Bounds::max),
        Measure::Mean(_) => {
            let total = table.total().ok()?;
            mean(total.value, total.contributors)
        }
        _ => Some(table.total().ok()?.value),
    }
}

/// The mean of a sum and a count with one more digit, rounded down. None where nobody may be counted.
fn mean(sum: Bounds, count: Bounds) -> Option<Bounds> {
    if count.lo() < 1 {
        return None;
    }
    let [lo, hi] = [sum.lo().checked_mul(10)?, sum.hi().checked_mul(10)?];
    let over = |sum: i64| [sum.checked_div_euclid(count.lo()), sum.checked_div_euclid(count.hi())];
    let [a, b] = over(lo);
    let [c, d] = over(hi);
    Bounds::between(min(a?, b?), max(c?, d?))
}

/// What units that are not included could do to a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Missing {
    /// Make it greater, and never less.
    Raises,
    /// Make it less, and never greater.
    Lowers,
    /// Either.
    Either,
}

impl Missing {
    /// What they could do to figures of an indicator.
    #[must_use]
    pub fn of(indicator: &Indicator) -> Self {
        let positive = indicator.record_range.is_some_and(|(least, _)| least >= 0);
        match indicator.measure {
            Measure::Count | Measure::Max(_) => Self::Raises,
            Measure::Min(_) => Self::Lowers,
            Measure::Sum(_) | Measure::LatestSum { .. } if positive => Self::Raises,
            Measure::Sum(_) | Measure::LatestSum { .. } | Measure::Mean(_) => Self::Either,
        }
    }

    /// The stable word for it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Raises => "raises",
            Self::Lowers => "lowers",
            Self::Either => "either",
        }
    }
}

/// Digest over the units that a figure does not include.
#[must_use]
pub fn missing(manifest: &Manifest) -> Digest {
    let units: Vec<_> = manifest
        .exceptions
        .iter()
        .filter(|exception| !exception.state.is_included())
        .map(|exception| &exception.units)
        .collect();
    let known = reeve_statement::cbor::to_vec(&(units, manifest.unnamed));
    Digest::of_parts(&[b"reeve-missing/1\0", &known])
}

/// How many people a figure stands for, by the populations that the register gives the direct
/// subordinates. Of one that is included in part only the bounds are known: nobody to everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coverage {
    /// Subordinates with a population in the register.
    pub known: u64,
    /// Subordinates without one: how many people live there is not known.
    pub unknown: u64,
    /// People of the known ones.
    pub persons: u64,
    /// At least so many of them live where the figure comes from.
    pub least: u64,
    /// At most so many.
    pub most: u64,
    /// The oldest year of a population.
    pub year: Option<u16>,
}

impl Coverage {
    /// Adds a subordinate: its population and year, and what it says of itself and below.
    pub fn add(&mut self, population: Option<(u64, u16)>, counts: &Counts) {
        let Some((persons, year)) = population else {
            self.unknown = self.unknown.saturating_add(1);
            return;
        };
        self.known = self.known.saturating_add(1);
        self.persons = self.persons.saturating_add(persons);
        self.year = Some(self.year.map_or(year, |oldest| oldest.min(year)));
        let (included, total) = (counts.included(), counts.total());
        if included > 0 {
            self.most = self.most.saturating_add(persons);
        }
        if included > 0 && included == total {
            self.least = self.least.saturating_add(persons);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use reeve_statement::completeness::UnitState;

    use super::*;

    fn between(lo: i64, hi: i64) -> Bounds {
        Bounds::between(lo, hi).unwrap()
    }

    fn told(definition: &[u8], value: Option<Bounds>, missing: &[u8], units: u64) -> Told {
        let mut counts = Counts::default();
        counts.add(UnitState::Reported, units);
        let (definition, missing) = (Digest::of(definition), Digest::of(missing));
        Told { definition, value, counts, missing }
    }

    #[test]
    fn a_change_of_intervals_holds_every_change_that_is_possible() {
        for (now, before, change) in [
            (between(12, 12), between(7, 7), between(5, 5)),
            (between(10, 14), between(10, 14), between(-4, 4)),
            (between(0, 4), between(9, 9), between(-9, -5)),
        ] {
            assert_eq!(difference(now, before), Some(change));
        }
        assert_eq!(difference(between(i64::MAX, i64::MAX), between(-1, -1)), None);
    }

    #[test]
    fn nothing_is_compared_with_what_is_not_known_or_means_something_else() {
        let now = told(b"d", Some(between(5, 5)), b"nobody", 3);
        let since = |now: Option<&Told>, before| Since::new(now, before, Period::Now, 1, None);
        let same = since(Some(&now), Some(told(b"d", Some(between(3, 3)), b"nobody", 3)));
        assert_eq!((same.change, same.same_units), (Some(between(2, 2)), true));
        let fewer = since(Some(&now), Some(told(b"d", Some(between(3, 3)), b"016", 3)));
        assert_eq!((fewer.change, fewer.same_units), (Some(between(2, 2)), false));
        let younger = since(Some(&now), Some(told(b"d", Some(between(3, 3)), b"nobody", 2)));
        assert!(!younger.same_units, "a unit was not there yet");
        for before in [
            None,
            Some(told(b"d", None, b"nobody", 3)),
            Some(told(b"other", Some(between(3, 3)), b"nobody", 3)),
        ] {
            assert_eq!(since(Some(&now), before).change, None);
        }
        assert_eq!(since(None, Some(now)).change, None, "no figure is not zero");
    }

    #[test]
    fn a_mean_is_rounded_down_and_needs_somebody() {
        assert_eq!(mean(between(50, 50), between(4, 4)), Some(between(125, 125)));
        assert_eq!(mean(between(50, 50), between(3, 3)), Some(between(166, 166)));
        assert_eq!(mean(between(-5, -5), between(3, 3)), Some(between(-17, -17)));
        assert_eq!(mean(between(50, 60), between(1, 4)), Some(between(125, 600)));
        assert_eq!(mean(between(-60, 60), between(1, 4)), Some(between(-600, 600)));
        assert_eq!(mean(between(0, 0), between(0, 3)), None);
    }

    #[test]
    fn people_are_counted_by_whole_units_and_bounded_by_parts() {
        let counts = |included: u64, late: u64| {
            let mut counts = Counts::default();
            counts.add(UnitState::Reported, included);
            counts.add(UnitState::Late, late);
            counts
        };
        let mut coverage = Coverage::default();
        coverage.add(Some((1_000, 2021)), &counts(4, 0));
        coverage.add(Some((500, 2019)), &counts(3, 1));
        coverage.add(Some((70, 2023)), &counts(0, 2));
        assert_eq!((coverage.persons, coverage.least, coverage.most), (1_570, 1_000, 1_500));
        assert_eq!((coverage.known, coverage.unknown, coverage.year), (3, 0, Some(2019)));
        coverage.add(None, &counts(1, 0));
        assert_eq!((coverage.persons, coverage.unknown), (1_570, 1), "an unknown one is no zero");
    }
}
