//! The oracle: every figure counted from all records, by the words of the catalogue's format and
//! without anything of the engine.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use reeve_statement::bounds::{Bounds, Cell};
use reeve_statement::catalogue::{Contributors, Dimension, Filter, Indicator, Measure, Scalar};
use reeve_statement::names::KindId;
use reeve_statement::period::Period;
use reeve_statement::table::{Area, RowKey, Table};
use reeve_statement::time::Timestamp;

use crate::record::{Record, RecordId, Value};
use crate::schema::Closure;

pub(super) type Records = BTreeMap<(KindId, RecordId), Record>;

/// A figure as the oracle sees it; `None` for a table whose sums do not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Naive {
    pub(super) table: Option<Table>,
    pub(super) closed: bool,
    pub(super) sources: usize,
    pub(super) known: usize,
}

fn holds(filter: &Filter, record: &Record) -> bool {
    use core::cmp::Ordering::{Equal, Greater, Less};
    let is = |field: &str, scalar: &Scalar, wanted: &[core::cmp::Ordering]| {
        record
            .get(field)
            .and_then(|value| compare(value, scalar))
            .is_some_and(|o| wanted.contains(&o))
    };
    match filter {
        Filter::Equal(f, v) => is(f.as_str(), v, &[Equal]),
        Filter::In(f, values) => values.iter().any(|v| is(f.as_str(), v, &[Equal])),
        Filter::Less(f, v) => is(f.as_str(), v, &[Less]),
        Filter::AtMost(f, v) => is(f.as_str(), v, &[Less, Equal]),
        Filter::Greater(f, v) => is(f.as_str(), v, &[Greater]),
        Filter::AtLeast(f, v) => is(f.as_str(), v, &[Greater, Equal]),
        Filter::Between(f, lo, hi) => {
            is(f.as_str(), lo, &[Greater, Equal]) && is(f.as_str(), hi, &[Less, Equal])
        }
        Filter::IsSet(f) => record.get(f.as_str()).is_some(),
        Filter::Not(inner) => !holds(inner, record),
        Filter::Any(inner) => inner.iter().any(|filter| holds(filter, record)),
        Filter::All(inner) => inner.iter().all(|filter| holds(filter, record)),
    }
}

fn compare(value: &Value, scalar: &Scalar) -> Option<core::cmp::Ordering> {
    match (value, scalar) {
        (Value::Integer(a) | Value::Decimal(a), Scalar::Integer(b)) => Some(a.cmp(b)),
        (Value::Boolean(a), Scalar::Boolean(b)) => Some(a.cmp(b)),
        (Value::Date(a), Scalar::Text(b)) => Some(a.cmp(&b.parse::<Date>().unwrap())),
        (Value::Timestamp(a), Scalar::Text(b)) => Some(a.cmp(&b.parse::<Timestamp>().unwrap())),
        (Value::Enum(a), Scalar::Text(b)) => Some(a.as_ref().cmp(b)),
        (Value::Text(a), Scalar::Text(b)) => Some(a.cmp(b)),
        (Value::Reference(a), Scalar::Text(b)) => Some(a.as_str().cmp(b)),
        _ => None,
    }
}

fn local_day(indicator: &Indicator, value: &Value, zone: &TimeZone) -> Date {
    match value {
        Value::Date(date) => *date,
        Value::Timestamp(at) => {
            let clock = at.to_jiff().unwrap().to_zoned(zone.clone()).datetime();
            // What is left of a day after it has ended is put before the next one.
            let left = indicator.cut_off.map_or(0, |it| 24 - i64::from(it.hour()));
            clock.saturating_add(jiff::Span::new().hours(left)).date()
        }
        _ => unreachable!("a period's field is a date or timestamp"),
    }
}

fn word(value: Option<&Value>) -> String {
    match value {
        Some(Value::Boolean(value)) => value.to_string(),
        Some(value) => value.as_text().unwrap().to_owned(),
        None => String::new(),
    }
}

fn key(indicator: &Indicator, record: &Record, records: &Records) -> RowKey {
    let residual = indicator.residual.as_ref().and_then(|field| record.get(field.as_str()));
    let area = Area {
        units: vec![],
        residual: residual.map(|value| value.as_text().unwrap().parse().unwrap()),
    };
    let dims = indicator.group_by.iter().map(|dimension| match dimension {
        Dimension::Field { field, .. } | Dimension::Reference { reference: field } => {
            word(record.get(field.as_str()))
        }
        Dimension::Band { field, bands } => {
            let number = record.get(field.as_str()).and_then(Value::as_number);
            let holds = |n: i64| {
                bands
                    .iter()
                    .find(|b| b.lo.is_none_or(|lo| lo <= n) && b.hi.is_none_or(|hi| n <= hi))
            };
            number.and_then(holds).map(|band| band.label.clone()).unwrap_or_default()
        }
        Dimension::Through { reference, field, .. } => {
            let id = match record.get(reference.as_str()) {
                Some(Value::Reference(id)) => Some(id.clone()),
                _ => None,
            };
            let target = id.and_then(|id| records.get(&("hospital".parse().unwrap(), id)));
            word(target.and_then(|target| target.get(field.as_str())))
        }
    });
    RowKey { area, dims: dims.collect() }
}

/// The records that count in a period.
fn counted<'r>(
    indicator: &Indicator,
    records: &'r Records,
    period: Period,
    today: Date,
    zone: &TimeZone,
) -> Vec<&'r Record> {
    let all = records
        .iter()
        .filter(|((kind, _), record)| *kind == indicator.kind && holds(&indicator.filter, record));
    if let Measure::LatestSum { field, by, at, max_age_days } = &indicator.measure {
        let end = period.last_day().unwrap_or(today);
        let mut latest: BTreeMap<Vec<Option<&Value>>, (&Value, &RecordId, &Record)> =
            BTreeMap::new();
        for ((_, id), record) in all {
            let (Some(taken), Some(_)) = (record.get(at.as_str()), record.get(field.as_str()))
            else {
                continue;
            };
            if local_day(indicator, taken, zone) > end {
                continue;
            }
            let stock = by.iter().map(|field| record.get(field.as_str())).collect();
            let reading = latest.entry(stock).or_insert((taken, id, record));
            if (taken, id) > (reading.0, reading.1) {
                *reading = (taken, id, record);
            }
        }
        let oldest = end.saturating_sub(jiff::Span::new().days(i64::from(*max_age_days)));
        let fresh = |(taken, _, _): &(&Value, &RecordId, &Record)| {
            local_day(indicator, taken, zone) >= oldest
        };
        return latest.into_values().filter(fresh).map(|(_, _, record)| record).collect();
    }
    let in_period = |record: &&Record| match &indicator.period_field {
        None => true,
        Some(field) => record.get(field.as_str()).is_some_and(|value| {
            Period::of(indicator.step, local_day(indicator, value, zone)) == period
        }),
    };
    all.map(|(_, record)| record).filter(in_period).collect()
}

fn table(indicator: &Indicator, records: &Records, chosen: &[&Record]) -> Option<Table> {
    let mut groups: BTreeMap<RowKey, Vec<i128>> = BTreeMap::new();
    for record in chosen {
        let value = match &indicator.measure {
            Measure::Count => Some(1),
            Measure::Sum(field)
            | Measure::Mean(field)
            | Measure::Min(field)
            | Measure::Max(field)
            | Measure::LatestSum { field, .. } => {
                record.get(field.as_str()).and_then(Value::as_number).map(i128::from)
            }
        };
        if let Some(value) = value {
            groups.entry(key(indicator, record, records)).or_default().push(value);
        }
    }
    let mut table = Table::default();
    for (key, values) in groups {
        let value = match indicator.measure {
            Measure::Min(_) => *values.iter().min().unwrap(),
            Measure::Max(_) => *values.iter().max().unwrap(),
            _ => values.iter().sum(),
        };
        let value = i64::try_from(value).ok()?;
        let contributors = match indicator.contributors {
            Contributors::Records => i64::try_from(values.len()).unwrap(),
            Contributors::Value => value,
        };
        let cell = Cell { value: Bounds::exact(value), contributors: Bounds::exact(contributors) };
        table.rows.insert(key, cell);
    }
    Some(table)
}

/// The days of a period.
fn days(period: Period) -> Vec<Date> {
    let (first, last) = (period.first_day().unwrap(), period.last_day().unwrap());
    core::iter::successors(Some(first), |day| day.tomorrow().ok())
        .take_while(|day| *day <= last)
        .collect()
}

pub(super) fn naive(
    indicator: &Indicator,
    records: &Records,
    period: Period,
    today: Date,
    zone: &TimeZone,
) -> Naive {
    let chosen = counted(indicator, records, period, today, zone);
    let closures: Vec<Closure> = records
        .iter()
        .filter(|((kind, _), _)| kind.as_str() == "closure")
        .filter_map(|(_, record)| Closure::from_record(record))
        .filter(|closure| closure.kind == indicator.kind)
        .collect();
    let sources: BTreeSet<&str> = closures.iter().map(|closure| closure.source.as_str()).collect();
    let (closed, whole) = if period == Period::Now {
        let age = match indicator.measure {
            Measure::LatestSum { max_age_days, .. } => Some(i64::from(max_age_days)),
            _ => None,
        };
        let current: BTreeSet<&str> = closures
            .iter()
            .filter(|closure| match (closure.period.last_day(), age) {
                (Some(last), Some(age)) => {
                    last >= today.saturating_sub(jiff::Span::new().days(age))
                }
                _ => true,
            })
            .map(|closure| closure.source.as_str())
            .collect();
        (!current.is_empty(), current.len())
    } else {
        let covers = |source: &str, day: Date| {
            closures.iter().any(|closure| {
                closure.source == source
                    && closure.period != Period::Now
                    && days(closure.period).contains(&day)
            })
        };
        let days = days(period);
        let closed = days.iter().all(|day| sources.iter().any(|source| covers(source, *day)));
        let whole = sources.iter().filter(|source| days.iter().all(|day| covers(source, *day)));
        (closed, whole.count())
    };
    let table = table(indicator, records, &chosen);
    Naive { table, closed, sources: whole, known: sources.len() }
}
