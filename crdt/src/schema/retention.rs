//! How long records are kept: from which day on a kind's records stay, and how old a record is.
//!
//! A record is as old as the newest day that it names. One that names no day has no age and is never
//! expired; it can be erased alone. Nothing here removes anything.

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::{Kind, Retention};
use crate::record::{Record, Value};

impl Retention {
    /// The first day whose records are still kept on a day; `None` beyond the calendar.
    #[must_use]
    pub fn first_kept(&self, today: Date) -> Option<Date> {
        let years = jiff::Span::new().try_years(self.years).ok()?;
        let span = years.try_months(self.months).ok()?.try_days(self.days).ok()?;
        today.checked_sub(span).ok()
    }
}

impl Kind {
    /// The newest day that a record names; `None` if it names none. A moment counts for the day after
    /// the one that it has in UTC: no time zone and no cut-off hour puts it into a later one.
    #[must_use]
    pub fn newest_day(&self, record: &Record) -> Option<Date> {
        let day = |value: &Value| match value {
            Value::Date(day) => Some(*day),
            Value::Timestamp(at) => {
                let day = at.to_jiff()?.to_zoned(jiff::tz::TimeZone::UTC).date();
                Some(day.checked_add(1.day()).unwrap_or(day))
            }
            _ => None,
        };
        record.iter().filter_map(|(_, value)| day(value)).max()
    }

    /// Whether every day that a record names lies before this one.
    #[must_use]
    pub fn is_expired(&self, record: &Record, before: Date) -> bool {
        self.newest_day(record).is_some_and(|newest| newest < before)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::schema::Schema;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn a_retention_reaches_back_by_the_calendar() {
        let kept = |text: &str| {
            let retention: Retention = text.parse().unwrap();
            retention.first_kept(day("2026-03-31")).unwrap().to_string()
        };
        assert_eq!(kept("P2Y"), "2024-03-31");
        assert_eq!(kept("P1M"), "2026-02-28");
        assert_eq!(kept("P1W"), "2026-03-24");
        let long: Retention = "P15000Y".parse().unwrap();
        assert_eq!(long.first_kept(day("2026-03-31")), None);
    }

    #[test]
    fn a_record_is_as_old_as_the_newest_day_that_it_names() {
        let text = "[schema]\nname = \"s\"\nversion = 1\n[kind.visit]\ntwin = \"emergency\"\n\
                    [kind.visit.field.on]\ntype = \"date\"\n[kind.visit.field.left]\ntype = \"date\"\n\
                    [kind.visit.field.seen]\ntype = \"timestamp\"\n[kind.visit.field.beds]\n\
                    type = \"integer\"\nmin = 0\nmax = 9\n";
        let schema = Schema::parse("schema.toml", text).unwrap();
        let kind = schema.kind("visit").unwrap();
        let record =
            |json: &str| Record::from_json(kind, &serde_json::from_str(json).unwrap()).unwrap();
        let visit = record(r#"{"on": "2020-03-01", "left": "2020-03-09"}"#);
        assert_eq!(kind.newest_day(&visit), Some(day("2020-03-09")));
        assert!(kind.is_expired(&visit, day("2020-03-10")));
        assert!(!kind.is_expired(&visit, day("2020-03-09")), "its last day is kept");
        let seen = record(r#"{"seen": "2020-03-09T23:30:00Z"}"#);
        assert!(!kind.is_expired(&seen, day("2020-03-10")), "it may be the 10th there");
        assert!(kind.is_expired(&seen, day("2020-03-11")));
        assert!(!kind.is_expired(&record(r#"{"beds": 3}"#), day("9999-01-01")), "it has no age");
    }
}
