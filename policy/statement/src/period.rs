//! Periods of indicators: days, ISO weeks (ISO 8601), months, and now.
//!
//! A period is a span of civil days; in which time zone a day lies is the unit's affair.

use core::fmt;
use core::str::FromStr;

use jiff::civil::{Date, ISOWeekDate, Weekday};
use jiff::{Span, ToSpan};

/// How long a period is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode,
)]
#[cbor(index_only)]
pub enum Step {
    /// One civil day.
    #[n(0)]
    Day,
    /// Monday to Sunday.
    #[n(1)]
    Week,
    /// One calendar month.
    #[n(2)]
    Month,
    /// The present state; it has no end.
    #[n(3)]
    Now,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Now => "now",
        })
    }
}

/// One period. Written `2020-03-01`, `2020-W10`, `2020-03` or `now`; ordered by step, then time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// A civil day.
    Day(Date),
    /// An ISO week: its Monday.
    Week(Date),
    /// A month: its first day.
    Month(Date),
    /// The present state.
    Now,
}

/// Why a text is no period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a period: 2020-03-01, 2020-W10, 2020-03 or now; found {found:?}")]
pub struct PeriodError {
    /// The text, cut to 40 characters.
    pub found: String,
}

impl Period {
    /// The period of this step in which a day lies.
    #[must_use]
    pub fn of(step: Step, day: Date) -> Self {
        match step {
            Step::Day => Self::Day(day),
            Step::Week => Self::Week(monday(day)),
            Step::Month => Self::Month(day.first_of_month()),
            Step::Now => Self::Now,
        }
    }

    /// How long it is.
    #[must_use]
    pub const fn step(self) -> Step {
        match self {
            Self::Day(_) => Step::Day,
            Self::Week(_) => Step::Week,
            Self::Month(_) => Step::Month,
            Self::Now => Step::Now,
        }
    }

    /// First day; `None` for now.
    #[must_use]
    pub const fn first_day(self) -> Option<Date> {
        match self {
            Self::Day(day) | Self::Week(day) | Self::Month(day) => Some(day),
            Self::Now => None,
        }
    }

    /// Last day; `None` for now.
    #[must_use]
    pub fn last_day(self) -> Option<Date> {
        match self {
            Self::Day(day) => Some(day),
            Self::Week(day) => Some(day.saturating_add(6.days())),
            Self::Month(day) => Some(day.last_of_month()),
            Self::Now => None,
        }
    }

    /// The next period of the same step; now stays now, and so does the last of the calendar.
    #[must_use]
    pub fn next(self) -> Self {
        let after = |span: Span, day: Date| Self::of(self.step(), day.saturating_add(span));
        match self {
            Self::Day(day) => after(1.days(), day),
            Self::Week(day) => after(7.days(), day),
            Self::Month(day) => after(1.months(), day),
            Self::Now => Self::Now,
        }
    }

    /// The period of the same step before this one; now stays now, and so does the first of the
    /// calendar.
    #[must_use]
    pub fn previous(self) -> Self {
        self.first_day().map_or(self, |first| Self::of(self.step(), first.saturating_sub(1.days())))
    }
}

fn monday(day: Date) -> Date {
    let back = i64::from(day.weekday().to_monday_zero_offset());
    day.saturating_sub(back.days())
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => write!(f, "{day}"),
            Self::Week(day) => {
                let week = day.iso_week_date();
                write!(f, "{:04}-W{:02}", week.year(), week.week())
            }
            Self::Month(day) => write!(f, "{:04}-{:02}", day.year(), day.month()),
            Self::Now => f.write_str("now"),
        }
    }
}

fn parse(text: &str) -> Option<Period> {
    if text == "now" {
        return Some(Period::Now);
    }
    if !text.is_ascii() {
        return None;
    }
    if let Some((year, week)) = text.split_once("-W") {
        let week =
            ISOWeekDate::new(year.parse().ok()?, week.parse().ok()?, Weekday::Monday).ok()?;
        return Some(Period::Week(week.date()));
    }
    match text.len() {
        10 => text.parse().ok().map(Period::Day),
        7 => format!("{text}-01").parse().ok().map(Period::Month),
        _ => None,
    }
}

impl FromStr for Period {
    type Err = PeriodError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text)
            .filter(|period| period.to_string() == text)
            .ok_or_else(|| PeriodError { found: text.chars().take(40).collect() })
    }
}

impl<C> minicbor::Encode<C> for Period {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.to_string())?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Period {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.str()?.parse().map_err(minicbor::decode::Error::custom)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn texts_round_trip_and_others_are_refused() {
        for text in ["2020-02-29", "2020-W53", "2021-W01", "2020-03", "now"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        for text in ["2021-02-29", "2021-W53", "2020-W1", "2020-13", "Now", "", "2020", "2020-W٠١"]
        {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_calendar_ends_with_a_period_of_its_own() {
        for text in ["9999-12-31", "9999-W52", "9999-12"] {
            let last: Period = text.parse().unwrap();
            assert_eq!(last.next(), last, "{text}");
        }
        assert_eq!("9999-11".parse::<Period>().unwrap().next().to_string(), "9999-12");
    }

    #[test]
    fn a_week_begins_on_monday_across_the_year() {
        let day: Date = "2021-01-03".parse().unwrap();
        let week = Period::of(Step::Week, day);
        assert_eq!(week.to_string(), "2020-W53");
        assert_eq!(week.last_day(), Some(day));
        assert_eq!(week.next().to_string(), "2021-W01");
        assert_eq!(week.next().previous(), week);
    }

    #[test]
    fn the_period_before_ends_where_this_one_begins() {
        for (text, before) in [
            ("2020-03-01", "2020-02-29"),
            ("2021-W01", "2020-W53"),
            ("2021-01", "2020-12"),
            ("now", "now"),
        ] {
            assert_eq!(text.parse::<Period>().unwrap().previous().to_string(), before);
        }
    }
}
