//! When figures are expected: deadlines, and the days on which something changes by itself.
//!
//! A period that nobody speaks of is not a period in which nothing happened: once its deadline has
//! passed there is a figure for it that says who is late, and a source that is silent is told as such.

use std::collections::BTreeSet;

use jiff::civil::Date;
use reeve_policy::disclosure::{Figure, Standing as Said};
use reeve_statement::calendar::{Calendar, DueDays};
use reeve_statement::catalogue::{Indicator, Measure};
use reeve_statement::completeness::{ManifestEntry, UnitState};
use reeve_statement::digest::Digest;
use reeve_statement::period::Period;
use reeve_statement::register::RegisterEntry;
use reeve_statement::statement::{Body, FigureId};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitId;

use crate::bugs::Bug;
use crate::node::Node;
use crate::report::cut::{is_superior, newest, notice_of};
use crate::report::{Heard, Reports};
use crate::rows::{self, HeardRow};
use crate::trust::Standing;

/// Who is silent at a deadline and had no contact for this long before it cannot be reached, in
/// milliseconds: an hour is no flap of a line.
const CONTACT_MS: i64 = 3_600_000;

/// How long after a figure for its superior a subordinate has to give one for another class, in
/// milliseconds: windows are seldom longer than an hour.
const CLASS_MS: i64 = 3_600_000;

/// How long a subordinate that is in contact again has to speak before its silence is told as such, in
/// milliseconds.
const SPEAK_MS: i64 = 30_000;

/// How many periods back the newest one is looked for that is overdue: longer than the longest holidays.
const OVERDUE_PERIODS: usize = 30;

/// How many days back periods are looked for that nobody spoke of while this node was off.
const LOOK_BACK_DAYS: i64 = 400;

impl Node {
    /// When this unit's own figure of the period is expected; none: no deadline.
    pub(crate) fn deadline(&self, indicator: &Indicator, period: Period) -> Option<Timestamp> {
        deadline(indicator, period, &self.settings.time_zone, self.own_calendar())
    }

    /// When a subordinate's figure of the period is expected: by its clocks and its calendar.
    fn deadline_of(
        &self,
        entry: &RegisterEntry,
        indicator: &Indicator,
        period: Period,
    ) -> Option<Timestamp> {
        let zone = entry.time_zone.as_ref().unwrap_or(&self.settings.time_zone);
        deadline(indicator, period, zone, self.calendar_of(&entry.unit).as_ref())
    }

    /// When this unit works: as its superior's register says, by the request.
    fn own_calendar(&self) -> Option<&Calendar> {
        self.reports.subscription.as_ref()?.request.calendar.as_ref()
    }

    /// When a subordinate works.
    pub(crate) fn calendar_of(&self, unit: &UnitId) -> Option<Calendar> {
        self.reports.register.as_ref()?.1.calendar_of(unit)
    }

    /// Whether this unit's own figure of the period is due by the calendar.
    pub(super) fn is_due(&self, indicator: &Indicator, period: Period) -> bool {
        self.settings.bugs.has(Bug::ForgetCalendar)
            || indicator.due_days.is_none_or(|days| days.is_due(period, self.own_calendar()))
    }

    /// Why a subordinate has given nothing: revoked, not due, awaited, late, never reported,
    /// unreachable. It depends on what it said, on its calendar and on its deadline; and after that on
    /// whether it was in contact since, never on a connection that comes and goes before.
    pub(super) fn silent_state(
        &self,
        entry: &RegisterEntry,
        indicator: &Indicator,
        period: Period,
    ) -> UnitState {
        if self.is_revoked(&entry.unit) {
            return UnitState::Revoked;
        }
        let calendar = self.calendar_of(&entry.unit);
        let is_due = |days: DueDays| days.is_due(period, calendar.as_ref());
        let forgets = self.settings.bugs.has(Bug::ForgetCalendar);
        if !forgets && !indicator.due_days.is_none_or(is_due) {
            return UnitState::NotDue;
        }
        let passed =
            self.deadline_of(entry, indicator, period).filter(|at| *at <= self.context.now().wall);
        let Some(deadline) = passed else { return UnitState::Awaited };
        let ever = self.reports.ever.get(&entry.unit);
        if ever.is_some() && !self.was_in_contact(&entry.unit, deadline.plus_millis(-CONTACT_MS)) {
            return UnitState::Unreachable;
        }
        match ever.is_some_and(|indicators| indicators.contains_key(&indicator.id)) {
            true => UnitState::Late,
            false => UnitState::NeverReported,
        }
    }

    /// The same for a class of recipients. Beside the superior's nobody need open one: how a subordinate
    /// stands is said by its word to its superior, and one that gave a figure there, and an hour later
    /// none to the class, does not tell the class.
    pub(super) fn silent_of_class(
        &self,
        entry: &RegisterEntry,
        indicator: &Indicator,
        id: &FigureId,
        period: Period,
    ) -> Said<'static> {
        let silent = self.silent_state(entry, indicator, period);
        let word = self.word_to_superior(id, &entry.unit);
        let (Some(heard), false) = (word, silent == UnitState::Revoked) else {
            return Said::Nothing(silent);
        };
        match &heard.row.said.body {
            Body::Notice(_) => notice_of(&heard.row),
            _ if opens_until(heard) <= self.context.now().wall => {
                Said::Nothing(UnitState::Declined)
            }
            _ => Said::Nothing(UnitState::Awaited),
        }
    }

    /// What a subordinate told its superior of the figure that is this one for another class; none: this
    /// is the superior's, or it told nothing.
    fn word_to_superior(&self, id: &FigureId, unit: &UnitId) -> Option<&Heard> {
        let told = FigureId { class: Reports::class(), ..id.clone() };
        let every = FigureId { period: None, ..told.clone() };
        let of = |id: &FigureId| self.reports.heard.get(id)?.get(unit);
        if is_superior(id) { None } else { newest(of(&told), of(&every)) }
    }

    /// Whether a subordinate is connected, or was heard of or connected after a moment.
    fn was_in_contact(&self, unit: &UnitId, after: Timestamp) -> bool {
        let ever = self.reports.ever.get(unit).and_then(|by| by.values().max());
        let parted = self.reports.parted.get(unit);
        self.is_connected_to(unit) || ever.max(parted).is_some_and(|at| *at >= after)
    }

    /// Digest of what a figure says. A stock that is counted again at the same number is told again once a
    /// day: superiors know so that it is not old.
    pub(super) fn content_of(&self, id: &FigureId, figure: &Figure) -> Digest {
        let content = figure.content();
        let catalogue = self.reports.catalogue.as_ref();
        let indicator = catalogue.and_then(|(_, it)| it.find(&id.indicator));
        let is_stock = indicator.is_some_and(|it| max_age(it, id.period).is_some());
        match figure.touched().filter(|_| is_stock) {
            Some(at) => {
                let day = self.day_of(at).to_string();
                Digest::of_parts(&[content.as_bytes(), day.as_bytes()])
            }
            None => content,
        }
    }

    /// Whether the stocks that a subordinate told of the present are too old to count: those who are
    /// silent have not the beds of last month.
    pub(super) fn is_too_old(&self, indicator: &Indicator, period: Period, row: &HeardRow) -> bool {
        let Some(days) = max_age(indicator, Some(period)) else { return false };
        let Body::Release(release) = &row.said.body else { return false };
        let touched = self.day_of(release.data_touched.unwrap_or(row.issued_at));
        let oldest = jiff::Span::new().try_days(-i64::from(days)).ok();
        let oldest = oldest.and_then(|span| self.today().checked_add(span).ok());
        oldest.is_some_and(|oldest| touched < oldest)
    }

    /// What a subordinate is whose figure is too old.
    pub(super) fn lost_state(&self, unit: &UnitId) -> UnitState {
        match self.is_connected_to(unit) {
            true => UnitState::Late,
            false => UnitState::Unreachable,
        }
    }

    /// Whether a node of a subordinate is connected.
    fn is_connected_to(&self, unit: &UnitId) -> bool {
        self.peers.of(Standing::Subordinate).any(|(_, peer)| peer.unit.leaf() == unit)
    }

    /// The last connection to a node of a subordinate has ended, or may have.
    pub(crate) fn note_parted(&mut self, unit: &UnitId) {
        self.reports.parted.insert(unit.clone(), self.context.now().wall);
    }

    /// A subordinate is in contact again: what said that it was not is looked at once it has had time
    /// to speak for itself.
    pub(crate) fn note_back(&mut self, unit: &UnitId) {
        let at = self.context.now().wall.plus_millis(SPEAK_MS);
        let of_unit =
            |entry: &ManifestEntry| entry.unit == *unit && entry.state == UnitState::Unreachable;
        let said: Vec<FigureId> = self
            .reports
            .figures
            .values()
            .filter_map(|row| Some((row, row.release()?.manifest.inline()?)))
            .filter(|(_, manifest)| manifest.direct.iter().any(of_unit))
            .map(|(row, _)| row.id.clone())
            .collect();
        self.reports.deadlines.extend(said.into_iter().map(|id| (at, id)));
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
    pub(crate) fn day_of(&self, moment: Timestamp) -> Date {
        let zone = jiff::tz::TimeZone::get(&self.settings.time_zone);
        let at = moment.to_jiff().unwrap_or_default();
        at.to_zoned(zone.unwrap_or(jiff::tz::TimeZone::UTC)).date()
    }

    /// A figure that waits for units is looked at again when its deadline passes.
    pub(super) fn note_deadline(&mut self, id: &FigureId, figure: &Figure) {
        if figure.counts().of(UnitState::Awaited) == 0 {
            return;
        }
        let Some((_, catalogue)) = &self.reports.catalogue else { return };
        let (Some(indicator), Some(period)) = (catalogue.find(&id.indicator), id.period) else {
            return;
        };
        let now = self.context.now().wall;
        let below = self.expected(period);
        let of_units = below.into_iter().map(|entry| self.deadline_of(entry, indicator, period));
        let below = self.expected(period).into_iter();
        let of_classes = below.map(|it| self.word_to_superior(id, &it.unit).map(opens_until));
        let all = of_units.chain(of_classes).chain([self.deadline(indicator, period)]).flatten();
        let deadlines: BTreeSet<Timestamp> = all.filter(|at| *at > now).collect();
        self.reports.deadlines.extend(deadlines.into_iter().map(|at| (at, id.clone())));
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

    /// The newest period of an indicator that this unit should have spoken of by now.
    pub(super) fn last_overdue(&self, indicator: &Indicator) -> Option<Period> {
        let mut period = Period::of(indicator.step, self.today());
        for _ in 0..OVERDUE_PERIODS {
            if self.is_overdue(indicator, period) && self.is_due(indicator, period) {
                return Some(period);
            }
            period = period.previous();
        }
        None
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

/// Until when a class may be told a figure that its superior was told.
fn opens_until(heard: &Heard) -> Timestamp {
    heard.row.received_at.plus_millis(CLASS_MS)
}

/// For how many days a reading of the present counts, if the indicator is of readings.
fn max_age(indicator: &Indicator, period: Option<Period>) -> Option<u32> {
    match indicator.measure {
        Measure::LatestSum { max_age_days, .. } if period == Some(Period::Now) => {
            Some(max_age_days)
        }
        _ => None,
    }
}

/// When a figure of a period is expected, on the clocks of a time zone. A deadline on a day on which
/// the unit does not report moves to the next one on which it does.
fn deadline(
    indicator: &Indicator,
    period: Period,
    zone: &str,
    calendar: Option<&Calendar>,
) -> Option<Timestamp> {
    let hours = i64::from(indicator.expected_within_hours?);
    let last = period.last_day()?;
    let end = match indicator.cut_off.and_then(|it| i8::try_from(it.hour()).ok()) {
        Some(hour) => last.at(hour, 0, 0, 0),
        None => last.tomorrow().ok()?.at(0, 0, 0, 0),
    };
    let zone = jiff::tz::TimeZone::get(zone).ok()?;
    let end = end.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond();
    let at = Timestamp::from_millis(end).plus_millis(hours.saturating_mul(3_600_000));
    let Some(days) = indicator.due_days else { return Some(at) };
    let local = at.to_jiff()?.to_zoned(zone.clone()).datetime();
    // At the end of a day it is that day's deadline, not the next one's.
    let (day, time) = match local.time() == jiff::civil::Time::midnight() {
        true => (local.date().yesterday().ok()?, None),
        false => (local.date(), Some(local.time())),
    };
    let day = days.next_from(day, calendar);
    let moved = match time {
        Some(time) => day.to_datetime(time),
        None => day.tomorrow().ok()?.at(0, 0, 0, 0),
    };
    let moved = moved.to_zoned(zone).ok()?.timestamp().as_millisecond();
    Some(Timestamp::from_millis(moved))
}

fn own_id(indicator: &Indicator, period: Period) -> FigureId {
    FigureId { indicator: indicator.id.clone(), period: Some(period), class: Reports::class() }
}
