//! Who is to report and when: superiors say when their subordinates work, and change their minds; homes
//! have one source or several, which say why they say something again.

use std::collections::BTreeSet;

use rand::Rng;
use reeve_crdt::indicator::Source;
use reeve_policy::authz::Role;
use reeve_protocol::local::Question;
use reeve_statement::calendar::Calendar;
use reeve_statement::register::Day;
use reeve_statement::release::RevisionReason;
use reeve_statement::unit::UnitPath;

use crate::model::{DAYS, SOURCES, is_due};
use crate::sim::Sim;

/// Units that have the Friday among the days off.
#[derive(Debug, Default)]
pub(crate) struct OnHoliday(BTreeSet<UnitPath>);

impl Sim {
    /// Whether figures are due on working days only.
    pub(crate) const fn has_calendars(&self) -> bool {
        self.plan.faults.calendars > 0
    }

    /// Whether a day is due at a unit.
    pub(crate) fn is_due(&self, unit: &UnitPath, day: &str) -> bool {
        !self.has_calendars() || is_due(day, self.on_holiday.0.contains(unit))
    }

    /// A superior says of one of its subordinates that it has a day off, or none any more.
    pub(crate) fn change_some_calendar(&mut self) {
        if !self.chance(self.plan.faults.calendars) {
            return;
        }
        let units = self.plan.units.len();
        let unit = self.plan.units[self.random.random_range(1..units)].clone();
        if !self.on_holiday.0.remove(&unit) {
            self.on_holiday.0.insert(unit.clone());
        }
        self.say_calendar(&unit);
    }

    /// In quiet every superior says of each subordinate what holds at last.
    pub(crate) fn settle_calendars(&mut self) {
        if !self.has_calendars() {
            return;
        }
        for unit in self.plan.units.clone() {
            self.say_calendar(&unit);
        }
    }

    /// The sources that every home declares.
    pub(crate) fn sources(&self) -> Vec<Source> {
        let named = if self.plan.faults.sources > 0 { SOURCES.as_slice() } else { &[] };
        let source = |name: &&str| Source {
            name: (*name).to_owned(),
            kinds: Vec::new(),
            from: None,
            until: None,
            silent_after_ms: None,
        };
        named.iter().map(source).collect()
    }

    /// How many sources must close a day.
    pub(crate) const fn sources_needed(&self) -> usize {
        if self.plan.faults.sources > 0 { SOURCES.len() } else { 1 }
    }

    /// Which source closes a day, and why again, if it says so.
    pub(crate) fn draw_source(&mut self) -> (&'static str, Option<RevisionReason>) {
        if self.plan.faults.sources == 0 {
            return (SOURCES[0], None);
        }
        let source = SOURCES[self.random.random_range(0..SOURCES.len())];
        let says = self.chance(self.plan.faults.sources);
        (source, says.then_some(RevisionReason::DuplicateRemoved))
    }

    fn say_calendar(&mut self, unit: &UnitPath) {
        let Some(superior) = unit.parent() else { return };
        let at = self.reporter(&superior);
        if !self.is_up(at) {
            return;
        }
        let holidays = vec![Day(DAYS[0].parse().unwrap())];
        let off = self.on_holiday.0.contains(unit);
        let calendar = off.then_some(Calendar { weekdays: None, holidays });
        let unit = Some(unit.leaf().clone());
        self.send_ask(at, Role::Operator, Question::SetCalendar { unit, calendar });
    }
}
