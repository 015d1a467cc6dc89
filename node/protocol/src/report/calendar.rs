//! When figures are expected: deadlines, and the days on which something changes by itself.
//!
//! A period that nobody speaks of is not a period in which nothing happened: once its deadline has
//! passed there is a figure for it that says who is late, and a source that is silent is told as such.

use std::collections::BTreeSet;

use jiff::civil::Date;
use reeve_policy::disclosure::Figure;
use reeve_statement::catalogue::{Catalogue, Indicator};
use reeve_statement::completeness::UnitState;
use reeve_statement::digest::Digest;
use reeve_statement::period::Period;
use reeve_statement::statement::FigureId;
use reeve_statement::time::Timestamp;

use crate::node::Node;
use crate::report::Reports;
use crate::rows;

/// How many days back periods are looked for that nobody spoke of while this node was off.
const LOOK_BACK_DAYS: i64 = 400;

impl Node {
    /// When a figure of the period is expected, in this unit's time zone; none: no deadline.
    pub(crate) fn deadline(&self, indicator: &Indicator, period: Period) -> Option<Timestamp> {
        let hours = i64::from(indicator.expected_within_hours?);
        let last = period.last_day()?;
        let end = match indicator.cut_off.and_then(|it| i8::try_from(it.hour()).ok()) {
            Some(hour) => last.at(hour, 0, 0, 0),
            None => last.tomorrow().ok()?.at(0, 0, 0, 0),
        };
        let zone = jiff::tz::TimeZone::get(&self.settings.time_zone).ok()?;
        let end = end.to_zoned(zone).ok()?.timestamp().as_millisecond();
        Some(Timestamp::from_millis(end).plus_millis(hours.saturating_mul(3_600_000)))
    }

    /// When a civil day ends here, stocks grow too old to count and the register may change, without
    /// any record changing: figures of the present are looked at again.
    pub(crate) fn review_day(&mut self) {
        let today = self.today();
        if self.reports.day.replace(today).is_none_or(|day| day == today) {
            return;
        }
        let present: BTreeSet<FigureId> = self
            .reports
            .figures
            .keys()
            .filter(|id| id.period == Some(Period::Now))
            .cloned()
            .collect();
        for id in present {
            self.mark_due(id);
        }
    }

    /// Figures whose deadline has passed are looked at again.
    pub(crate) fn review_deadlines(&mut self) {
        let now = self.context.now().wall;
        while let Some((at, id)) = self.reports.deadlines.pop_first() {
            if at > now {
                self.reports.deadlines.insert((at, id));
                return;
            }
            self.expect_next(&id);
            self.mark_due(id);
        }
    }

    /// Whether a period has begun at this unit. The present always has.
    pub(crate) fn has_begun(&self, period: Period) -> bool {
        period.first_day().is_none_or(|first| first <= self.today())
    }

    /// The civil day at this unit now.
    pub(crate) fn today(&self) -> Date {
        self.day_of(self.context.now().wall)
    }

    /// The civil day at this unit at a moment.
    pub(super) fn day_of(&self, moment: Timestamp) -> Date {
        let zone = jiff::tz::TimeZone::get(&self.settings.time_zone);
        let at = moment.to_jiff().unwrap_or_default();
        at.to_zoned(zone.unwrap_or(jiff::tz::TimeZone::UTC)).date()
    }

    /// A figure that waits for units is looked at again when its deadline passes.
    pub(super) fn note_deadline(&mut self, id: &FigureId, figure: &Figure) {
        if figure.counts().of(UnitState::Awaited) == 0 {
            return;
        }
        let at =
            self.reports.catalogue.as_ref().and_then(|(_, catalogue): &(Digest, Catalogue)| {
                self.deadline(catalogue.find(&id.indicator)?, id.period?)
            });
        if let Some(at) = at.filter(|at| *at > self.context.now().wall) {
            self.reports.deadlines.insert((at, id.clone()));
        }
    }

    /// A catalogue is in force: from today on, each definition that is new here is expected.
    pub(crate) fn note_in_force(&mut self) {
        let today = self.today();
        let new: Vec<Digest> = self
            .reports
            .definitions
            .values()
            .filter(|definition| !self.reports.in_force.contains_key(*definition))
            .copied()
            .collect();
        for definition in new {
            let key = rows::key(rows::META, &[rows::IN_FORCE, definition.as_bytes()]);
            self.context.persist(key, Some(today.to_string().into_bytes()));
            self.reports.in_force.insert(definition, today);
        }
        self.expect_periods();
    }

    pub(crate) fn restore_in_force(&mut self, definition: &[u8], day: &[u8]) -> Option<()> {
        let definition = Digest::from_bytes(definition.try_into().ok()?);
        let day = core::str::from_utf8(day).ok()?.parse().ok()?;
        self.reports.in_force.insert(definition, day);
        Some(())
    }

    /// Figures of periods that have ended without a word are looked at, and the deadline of the next
    /// period of each indicator is waited for.
    pub(crate) fn expect_periods(&mut self) {
        let Some((_, catalogue)) = &self.reports.catalogue else { return };
        let now = self.context.now().wall;
        let (mut due, mut deadlines) = (Vec::new(), Vec::new());
        for indicator in &catalogue.indicators {
            let Some(mut period) = self.first_expected(indicator) else { continue };
            while let Some(at) = self.deadline(indicator, period) {
                let id = own_id(indicator, period);
                if at > now {
                    deadlines.push((at, id));
                    break;
                }
                if !self.told(&id) {
                    due.push(id);
                }
                period = period.next();
            }
        }
        self.reports.deadlines.extend(deadlines);
        for id in due {
            self.mark_due(id);
        }
    }

    /// A period's deadline has passed: the next one's is waited for.
    fn expect_next(&mut self, id: &FigureId) {
        let Some((_, catalogue)) = &self.reports.catalogue else { return };
        let (Some(indicator), Some(period)) = (catalogue.find(&id.indicator), id.period) else {
            return;
        };
        if period.step() != indicator.step {
            return;
        }
        // A clock that jumped does not make this node walk through decades.
        let next = period.next().max(self.first_expected(indicator).unwrap_or(period));
        if let Some(at) = self.deadline(indicator, next) {
            let id = own_id(indicator, next);
            self.reports.deadlines.insert((at, id));
        }
    }

    /// The first period that a figure is expected for; none: the indicator has no deadline, or is not
    /// in force.
    fn first_expected(&self, indicator: &Indicator) -> Option<Period> {
        indicator.expected_within_hours?;
        let back = jiff::Span::new().try_days(-LOOK_BACK_DAYS).ok()?;
        let day = self.in_force_since(indicator)?.max(self.today().checked_add(back).ok()?);
        let period = Period::of(indicator.step, day);
        period.last_day().map(|_| period)
    }

    fn in_force_since(&self, indicator: &Indicator) -> Option<Date> {
        let definition = self.reports.definitions.get(&indicator.id)?;
        self.reports.in_force.get(definition).copied()
    }

    /// Whether somebody should have spoken of the period by now: it ended after the definition came
    /// into force, and its deadline has passed.
    pub(super) fn is_overdue(&self, indicator: &Indicator, period: Period) -> bool {
        let expected = self
            .in_force_since(indicator)
            .is_some_and(|since| period.last_day().is_some_and(|last| last >= since));
        let now = self.context.now().wall;
        expected && self.deadline(indicator, period).is_some_and(|at| at <= now)
    }
}

fn own_id(indicator: &Indicator, period: Period) -> FigureId {
    FigureId { indicator: indicator.id.clone(), period: Some(period), class: Reports::class() }
}
