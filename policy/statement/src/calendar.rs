//! Reporting calendars: on which days a unit reports what is not reported every day.
//!
//! An indicator says which days are due: every day, the unit's working days, or some days of the week.
//! A unit's calendar says which days it works and which are holidays there; it stands in its superior's
//! register and in the request that the unit gets, so that both judge alike. A period that is not due
//! is no silence: who reports nothing of it is `not due`, and not late.

use jiff::Span;
use jiff::civil::{Date, Weekday};
use minicbor::{Decode, Encode};

use crate::cbor::bounded_vec;
use crate::period::Period;
use crate::register::Day;

/// Most holidays of one calendar: ten years of them.
pub const HOLIDAYS: usize = 256;

/// How many days a deadline is looked for that falls on a working day: longer than any holidays.
const LONGEST_BREAK_DAYS: i64 = 31;

/// Days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode)]
#[cbor(transparent)]
pub struct Weekdays(#[n(0)] u8);

/// The days' short names, Monday first, as files and commands name them.
const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// All seven.
const ALL: u8 = 0x7f;

impl Weekdays {
    /// Monday to Friday.
    pub const WORKING: Self = Self(0x1f);

    /// The days of these names, such as `mon`; none: one is no name, or there are none.
    #[must_use]
    pub fn of_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut days = 0_u8;
        for name in names {
            let place = NAMES.iter().position(|known| *known == name)?;
            days |= 1_u8.checked_shl(u32::try_from(place).ok()?)?;
        }
        Self::new(days)
    }

    const fn new(days: u8) -> Option<Self> {
        if days >= 1 && days <= ALL { Some(Self(days)) } else { None }
    }

    /// The short names, Monday first.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let set = move |place: usize| u32::try_from(place).is_ok_and(|place| self.has_place(place));
        NAMES.iter().enumerate().filter(move |(place, _)| set(*place)).map(|(_, name)| *name)
    }

    /// Whether a day of the week is among them.
    #[must_use]
    pub fn contains(self, day: Weekday) -> bool {
        u32::try_from(day.to_monday_zero_offset()).is_ok_and(|place| self.has_place(place))
    }

    fn has_place(self, place: u32) -> bool {
        1_u8.checked_shl(place).is_some_and(|bit| self.0 & bit != 0)
    }
}

impl<'b, C> Decode<'b, C> for Weekdays {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let at = d.position();
        Self::new(d.u8()?)
            .ok_or_else(|| minicbor::decode::Error::message("no days of the week").at(at))
    }
}

/// When a unit, or all units of a register, work.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(map)]
pub struct Calendar {
    /// Days of the week on which it works; none: as the register says for all, else Monday to Friday.
    #[n(0)]
    pub weekdays: Option<Weekdays>,
    /// Days on which it does not, sorted.
    #[cbor(n(1), decode_with = "decode_holidays")]
    pub holidays: Vec<Day>,
}

fn decode_holidays<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<Day>, minicbor::decode::Error> {
    bounded_vec(d, ctx, HOLIDAYS)
}

impl Calendar {
    /// The calendar of one unit under the one for all: its own days of the week, and the holidays of
    /// both. None where neither says anything.
    #[must_use]
    pub fn joined(all: Option<&Self>, one: Option<&Self>) -> Option<Self> {
        let calendars = || all.into_iter().chain(one);
        let mut holidays: Vec<Day> =
            calendars().flat_map(|calendar| &calendar.holidays).copied().collect();
        holidays.sort_unstable();
        holidays.dedup();
        let weekdays = one.and_then(|it| it.weekdays).or_else(|| all.and_then(|it| it.weekdays));
        (weekdays.is_some() || !holidays.is_empty()).then_some(Self { weekdays, holidays })
    }

    fn is_holiday(&self, day: Date) -> bool {
        self.holidays.binary_search(&Day(day)).is_ok()
    }
}

/// On which days figures of an indicator are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum DueDays {
    /// On the days that the unit works.
    #[n(0)]
    Working,
    /// On these days of the week, but for the unit's holidays.
    #[n(1)]
    On(#[n(0)] Weekdays),
}

impl DueDays {
    /// Whether a day is due at a unit with this calendar.
    #[must_use]
    pub fn holds(self, day: Date, calendar: Option<&Calendar>) -> bool {
        let own = calendar.and_then(|calendar| calendar.weekdays);
        let weekdays = match self {
            Self::Working => own.unwrap_or(Weekdays::WORKING),
            Self::On(weekdays) => weekdays,
        };
        weekdays.contains(day.weekday()) && !calendar.is_some_and(|it| it.is_holiday(day))
    }

    /// Whether a period is due: it has a day that is. The present always is.
    #[must_use]
    pub fn is_due(self, period: Period, calendar: Option<&Calendar>) -> bool {
        let (Some(first), Some(last)) = (period.first_day(), period.last_day()) else {
            return true;
        };
        first
            .series(Span::new().days(1))
            .take_while(|day| *day <= last)
            .any(|day| self.holds(day, calendar))
    }

    /// The first day from this one on that is due: where a deadline on a free day moves to.
    #[must_use]
    pub fn next_from(self, day: Date, calendar: Option<&Calendar>) -> Date {
        let within = usize::try_from(LONGEST_BREAK_DAYS).unwrap_or(0);
        let mut days = day.series(Span::new().days(1)).take(within);
        days.find(|day| self.holds(*day, calendar)).unwrap_or(day)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn calendar(weekdays: Option<&[&str]>, holidays: &[&str]) -> Calendar {
        Calendar {
            weekdays: weekdays.map(|names| Weekdays::of_names(names.iter().copied()).unwrap()),
            holidays: holidays.iter().map(|text| Day(day(text))).collect(),
        }
    }

    #[test]
    fn working_days_are_those_of_the_unit_but_for_its_holidays() {
        let due = |text: &str, calendar: Option<&Calendar>| {
            DueDays::Working.is_due(text.parse().unwrap(), calendar)
        };
        // 2026-04-03 is a Friday.
        for (text, expected) in
            [("2026-04-03", true), ("2026-04-04", false), ("2026-04-05", false), ("now", true)]
        {
            assert_eq!(due(text, None), expected, "{text}");
        }
        let saturdays = calendar(Some(&["sat"]), &["2026-04-11"]);
        for (text, expected) in [("2026-04-03", false), ("2026-04-04", true), ("2026-04-11", false)]
        {
            assert_eq!(due(text, Some(&saturdays)), expected, "{text}");
        }
        assert!(due("2026-W14", Some(&saturdays)), "a week with one working day is due");
        assert!(!due("2026-W15", Some(&saturdays)), "its only working day is a holiday");
    }

    #[test]
    fn an_indicator_of_some_days_knows_holidays_and_no_other_weekdays_of_the_unit() {
        let mondays = DueDays::On(Weekdays::of_names(["mon"]).unwrap());
        let unit = calendar(Some(&["tue"]), &["2026-04-06"]);
        assert!(mondays.holds(day("2026-04-13"), Some(&unit)));
        assert!(!mondays.holds(day("2026-04-06"), Some(&unit)), "Easter Monday");
        assert!(!mondays.holds(day("2026-04-14"), Some(&unit)));
    }

    #[test]
    fn a_deadline_moves_to_the_next_day_that_is_due() {
        let easter = calendar(None, &["2026-04-06"]);
        let next = |text: &str| DueDays::Working.next_from(day(text), Some(&easter));
        assert_eq!(next("2026-04-03"), day("2026-04-03"));
        assert_eq!(next("2026-04-04"), day("2026-04-07"));
        let never: Vec<String> = (1..=31).map(|n| format!("2026-05-{n:02}")).collect();
        let never: Vec<&str> = never.iter().map(String::as_str).collect();
        let month = calendar(None, &never);
        let next = DueDays::Working.next_from(day("2026-05-01"), Some(&month));
        assert_eq!(next, day("2026-05-01"), "a deadline is never lost");
    }

    #[test]
    fn a_unit_has_its_own_days_and_the_holidays_of_all() {
        let all = calendar(Some(&["mon", "tue"]), &["2026-12-25"]);
        let one = calendar(None, &["2026-12-07"]);
        let joined = Calendar::joined(Some(&all), Some(&one)).unwrap();
        assert_eq!(joined, calendar(Some(&["mon", "tue"]), &["2026-12-07", "2026-12-25"]));
        let own = calendar(Some(&["sun"]), &[]);
        assert_eq!(Calendar::joined(Some(&all), Some(&own)).unwrap().weekdays, own.weekdays);
        assert_eq!(Calendar::joined(None, Some(&Calendar::default())), None);
    }

    #[test]
    fn days_of_the_week_have_names() {
        let days = Weekdays::of_names(["sun", "mon"]).unwrap();
        assert_eq!(days.names().collect::<Vec<_>>(), ["mon", "sun"]);
        assert_eq!(Weekdays::of_names(["monday"]), None);
        assert_eq!(Weekdays::of_names([]), None);
        for bad in [0_u8, 0x80, 0xff] {
            assert!(minicbor::decode::<Weekdays>(&crate::cbor::to_vec(&bad)).is_err());
        }
    }
}
