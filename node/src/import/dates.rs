//! Dates, moments and periods as files write them, by a format of `strptime` (POSIX), and periods
//! in file names.

use std::fmt;

use jiff::civil::{Date, Weekday, date};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use reeve_statement::period::{Period, Step};
use reeve_statement::time::Timestamp;

/// A format that is known to tell what it is used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeFormat(String);

/// Why a format is refused. Whoever wrote the mapping is at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FormatError {
    /// What the format has to tell.
    pub(super) expected: &'static str,
}

impl TimeFormat {
    /// A format that tells a civil date.
    pub(super) fn of_date(format: &str) -> Result<Self, FormatError> {
        let expected = "a format that tells year, month and day, such as %d/%m/%Y";
        let sample = date(2021, 11, 23).at(13, 14, 15, 0);
        let written = sample
            .to_zoned(TimeZone::UTC)
            .ok()
            .and_then(|at| jiff::fmt::strtime::format(format, &at).ok());
        let format = Self(format.to_owned());
        match written.and_then(|text| format.date(&text)) {
            Some(read) if read == sample.date() => Ok(format),
            _ => Err(FormatError { expected }),
        }
    }

    /// A format that tells a moment: date, time and offset.
    pub(super) fn of_moment(format: &str) -> Result<Self, FormatError> {
        let expected =
            "a format that tells date, hour, minute and offset, such as %Y-%m-%d %H:%M%z";
        let sample = date(2021, 11, 23).at(13, 14, 0, 0).to_zoned(TimeZone::UTC).ok();
        let format = Self(format.to_owned());
        let read = sample
            .as_ref()
            .and_then(|at| jiff::fmt::strtime::format(&format.0, at).ok())
            .and_then(|text| format.moment(&text));
        match (read, sample) {
            (Some(read), Some(sample)) if read.to_jiff() == Some(sample.timestamp()) => Ok(format),
            _ => Err(FormatError { expected }),
        }
    }

    /// A format that tells a period of this step; a day or a week's day may be left out if the step
    /// does not need it.
    pub(super) fn of_period(format: &str, step: Step) -> Result<Self, FormatError> {
        let expected = match step {
            Step::Day => "a format that tells a day, such as %Y-%m-%d",
            Step::Week => "a format that tells a week or a day, such as %G-W%V",
            Step::Month => "a format that tells a month or a day, such as %Y-%m",
            Step::Now => "no format, because the step is now",
        };
        let sample = date(2021, 11, 23).at(13, 14, 15, 0).to_zoned(TimeZone::UTC).ok();
        let format = Self(format.to_owned());
        let read = sample
            .as_ref()
            .and_then(|at| jiff::fmt::strtime::format(&format.0, at).ok())
            .and_then(|text| format.period(step, &text));
        match read {
            Some(read) if read == Period::of(step, date(2021, 11, 23)) => Ok(format),
            _ => Err(FormatError { expected }),
        }
    }

    /// The date that a text tells, if it is one of this format that exists.
    pub(super) fn date(&self, text: &str) -> Option<Date> {
        BrokenDownTime::parse(&self.0, text).ok()?.to_date().ok()
    }

    /// The moment that a text tells.
    pub(super) fn moment(&self, text: &str) -> Option<Timestamp> {
        let at = BrokenDownTime::parse(&self.0, text).ok()?.to_timestamp().ok()?;
        Some(Timestamp::from_millis(at.as_millisecond()))
    }

    /// The period that a text tells.
    pub(super) fn period(&self, step: Step, text: &str) -> Option<Period> {
        let mut told = BrokenDownTime::parse(&self.0, text).ok()?;
        match step {
            Step::Month if told.day().is_none() => told.set_day(Some(1)).ok()?,
            Step::Week if told.iso_week().is_some() && told.weekday().is_none() => {
                told.set_weekday(Some(Weekday::Monday));
            }
            _ => {}
        }
        Some(Period::of(step, told.to_date().ok()?))
    }
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The period of a step that a text tells without a format: a period of that step, or a day in it.
pub(super) fn plain_period(step: Step, text: &str) -> Option<Period> {
    match text.parse().ok()? {
        period @ (Period::Day(_) | Period::Week(_) | Period::Month(_)) if period.step() == step => {
            Some(period)
        }
        Period::Day(day) => Some(Period::of(step, day)),
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn formats_that_tell_too_little_are_refused() {
        for format in ["%d/%m", "%Y", "%Q", "", "day %d", "%y-%m"] {
            assert!(TimeFormat::of_date(format).is_err(), "{format}");
        }
        assert!(TimeFormat::of_moment("%Y-%m-%d %H:%M").is_err());
        assert!(TimeFormat::of_period("%Y-%m", Step::Day).is_err());
    }

    #[test]
    fn dates_that_do_not_exist_are_none() {
        let format = TimeFormat::of_date("%d.%m.%Y").unwrap();
        assert_eq!(format.date("29.02.2020"), Some(date(2020, 2, 29)));
        for text in ["29.02.2021", "31.04.2020", "1.13.2020", "01.01.2020 ", "01.01.2020x", ""] {
            assert_eq!(format.date(text), None, "{text}");
        }
        let with_time = TimeFormat::of_date("%Y-%m-%dT%H:%M:%S").unwrap();
        assert_eq!(with_time.date("2020-03-07T17:00:00"), Some(date(2020, 3, 7)));
    }

    #[test]
    fn periods_are_told_by_month_and_week() {
        let month = TimeFormat::of_period("cases_%Y-%m.csv", Step::Month).unwrap();
        assert_eq!(month.period(Step::Month, "cases_2020-03.csv").unwrap().to_string(), "2020-03");
        let week = TimeFormat::of_period("%G-W%V", Step::Week).unwrap();
        assert_eq!(week.period(Step::Week, "2020-W53").unwrap().to_string(), "2020-W53");
        assert_eq!(plain_period(Step::Week, "2021-01-03").unwrap().to_string(), "2020-W53");
        assert_eq!(plain_period(Step::Day, "2020-03"), None);
    }
}
