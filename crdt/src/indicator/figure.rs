//! From the engine's numbers to a table: buckets become rows, values reached through references are
//! looked up, sums are held against 64 bits.

use std::collections::BTreeMap;
use std::ops::Bound;

use jiff::civil::Date;
use reeve_statement::bounds::Cell;
use reeve_statement::catalogue::{Contributors, Indicator, Measure};
use reeve_statement::limits::TABLE_ROWS;
use reeve_statement::names::IndicatorId;
use reeve_statement::period::{Period, Step};
use reeve_statement::release::RevisionReason;
use reeve_statement::table::{RowKey, Table};
use reeve_statement::time::Timestamp;

use super::closures::Closures;
use super::key::{DAY_BYTES, NUMBER_BYTES, Reader, day_bytes, day_of_period, first_day};
use super::lookup::Lookups;
use super::paged::Paged;
use super::plan::{Counted, Plan, after_day, split_value};
use super::source::Feed;
use super::state::{Numbers, Reading, State, Sum, Tally};
use crate::record::days_of;

/// The home's own figure for one period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnFigure {
    /// Exact and unprotected; its areas are the unit itself or a residual of it.
    pub table: Table,
    /// Whether the sources closed the period, so that an absent row is zero. Otherwise an empty table
    /// means "no report".
    pub closed: bool,
    /// How many sources closed the whole period.
    pub sources_reported: u32,
    /// How many sources ever closed a period of the kind.
    pub sources_known: u32,
    /// How many sources are expected to report it; none: the house declares none for the kind.
    pub sources_expected: Option<u32>,
    /// Of the present state: the feeds that are expected; they are not among those that reported.
    pub feeds: Vec<Feed>,
    /// The sources that did not close the whole period; feeds of the present state are not among them.
    pub silent: Vec<String>,
    /// The last thing that a source said of it with a reason, and when.
    pub stated: Option<(Timestamp, RevisionReason)>,
    /// When a record behind it last changed.
    pub touched: Option<Timestamp>,
}

/// Why there is no figure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FigureError {
    /// The caller asked for something that is not in the catalogue.
    #[error("expected an indicator of the catalogue, found `{0}`")]
    Unknown(IndicatorId),
    /// The caller asked for a period of another step.
    #[error("indicator `{indicator}`: expected a period of step {expected}, found {found}")]
    Step {
        /// The indicator.
        indicator: IndicatorId,
        /// Its step.
        expected: Step,
        /// The period asked for.
        found: Period,
    },
    /// A sum beyond 64 bits; the records are at fault.
    #[error(
        "indicator `{indicator}` for {period}: a sum is beyond the range of 64-bit integers; look \
         for records with absurd values"
    )]
    Overflow {
        /// The indicator.
        indicator: IndicatorId,
        /// The period.
        period: Period,
    },
    /// More rows than a table holds; the definition is at fault.
    #[error(
        "indicator `{indicator}` for {period}: expected at most {TABLE_ROWS} rows, found {found}; \
         group by fewer dimensions"
    )]
    TooManyRows {
        /// The indicator.
        indicator: IndicatorId,
        /// The period.
        period: Period,
        /// Rows found.
        found: usize,
    },
    /// The period was sealed when another definition was in force, or none.
    #[error(
        "indicator `{indicator}` for {period}: the period was sealed before this definition was in force, \
         and the records behind it are gone"
    )]
    Sealed {
        /// The indicator.
        indicator: IndicatorId,
        /// The period.
        period: Period,
    },
    /// Facts were applied whose `before` was never told, or stored pages are not of one moment. Our
    /// own fault.
    #[error(
        "indicator `{indicator}` for {period}: the facts contradict each other; rebuild the \
         indicators from the records"
    )]
    Inconsistent {
        /// The indicator.
        indicator: IndicatorId,
        /// The period.
        period: Period,
    },
}

/// What is wrong with the rows of a figure.
enum Wrong {
    Overflow,
    Inconsistent,
}

/// A row on its way to a cell.
#[derive(Default)]
struct Draft {
    value: i128,
    records: i64,
}

type Rows = BTreeMap<RowKey, Draft>;

pub(super) fn figure(
    plan: &Plan,
    state: &State,
    standing: Option<(Table, Option<Timestamp>)>,
    lookups: &Lookups,
    closures: &Closures,
    period: Period,
    today: Date,
) -> Result<OwnFigure, FigureError> {
    let indicator = plan.indicator.id.clone();
    if period.step() != plan.indicator.step {
        let expected = plan.indicator.step;
        return Err(FigureError::Step { indicator, expected, found: period });
    }
    let last_day = days_of(period.last_day().unwrap_or(today));
    let (table, touched) = match standing {
        Some((table, touched)) => (Ok(table), touched),
        None => {
            let rows = rows(plan, state, lookups, period, last_day);
            (rows.and_then(|rows| cells(plan, rows)), touched(plan, state, period, last_day))
        }
    };
    let table = table.map_err(|wrong| match wrong {
        Wrong::Overflow => FigureError::Overflow { indicator: indicator.clone(), period },
        Wrong::Inconsistent => FigureError::Inconsistent { indicator: indicator.clone(), period },
    })?;
    if table.rows.len() > TABLE_ROWS {
        let found = table.rows.len();
        return Err(FigureError::TooManyRows { indicator, period, found });
    }
    let oldest = last_day.saturating_sub(max_age(plan).unwrap_or(i32::MAX));
    let reported = closures.reported(&plan.indicator.kind, period, oldest, today);
    Ok(OwnFigure {
        table,
        closed: reported.closed,
        sources_reported: reported.sources,
        sources_known: reported.known,
        sources_expected: reported.expected,
        feeds: reported.feeds,
        silent: reported.silent,
        stated: reported.stated,
        touched,
    })
}

/// How old a reading may be, if the measure is of readings.
fn max_age(plan: &Plan) -> Option<i32> {
    match plan.counted {
        Counted::Latest { max_age_days, .. } => Some(max_age_days),
        _ => None,
    }
}

fn rows(
    plan: &Plan,
    state: &State,
    lookups: &Lookups,
    period: Period,
    last_day: i32,
) -> Result<Rows, Wrong> {
    let day = day_bytes(day_of_period(period));
    match &state.numbers {
        Numbers::Sums(sums) => added(plan, sums, lookups, &day),
        Numbers::Extremes(tallies) => extremes(plan, tallies, lookups, &day),
        Numbers::Readings(readings) => latest(plan, readings, lookups, last_day),
    }
}

fn added(plan: &Plan, sums: &Paged<Sum>, lookups: &Lookups, day: &[u8]) -> Result<Rows, Wrong> {
    let mut rows = Rows::new();
    for (key, sum) in sums.starting_with(day) {
        let row = after_day(key).and_then(|bucket| plan.row(bucket, lookups));
        let draft = rows.entry(row.ok_or(Wrong::Inconsistent)?).or_default();
        draft.value = draft.value.checked_add(sum.value).ok_or(Wrong::Overflow)?;
        draft.records = draft.records.checked_add(sum.records).ok_or(Wrong::Overflow)?;
    }
    Ok(rows)
}

fn extremes(
    plan: &Plan,
    tallies: &Paged<Tally>,
    lookups: &Lookups,
    day: &[u8],
) -> Result<Rows, Wrong> {
    let greatest = matches!(plan.counted, Counted::Extreme { greatest: true, .. });
    let mut rows = Rows::new();
    let mut before: Option<(&[u8], RowKey)> = None;
    for (key, tally) in tallies.starting_with(day) {
        let (bucket, value) = after_day(key).and_then(split_value).ok_or(Wrong::Inconsistent)?;
        let row = match before.take() {
            Some((known, row)) if known == bucket => row,
            _ => plan.row(bucket, lookups).ok_or(Wrong::Inconsistent)?,
        };
        if tally.0 < 0 {
            return Err(Wrong::Inconsistent);
        }
        before = Some((bucket, row.clone()));
        let value = i128::from(value);
        let draft = rows.entry(row).or_insert(Draft { value, records: 0 });
        draft.value = if greatest { draft.value.max(value) } else { draft.value.min(value) };
        draft.records = draft.records.checked_add(tally.0).ok_or(Wrong::Overflow)?;
    }
    Ok(rows)
}

/// Steps from stock to stock; of each only the latest reading not after `last_day` is looked at.
fn latest(
    plan: &Plan,
    readings: &Paged<Reading>,
    lookups: &Lookups,
    last_day: i32,
) -> Result<Rows, Wrong> {
    let oldest = last_day.saturating_sub(max_age(plan).unwrap_or(i32::MAX));
    let mut rows = Rows::new();
    let mut next = readings.from(Bound::Unbounded).next();
    while let Some((key, _)) = next {
        let stock = plan.stock(key).ok_or(Wrong::Inconsistent)?;
        let end = [stock, &day_bytes(last_day), &AFTER_ANY_READING].concat();
        let start = [stock, &day_bytes(oldest)].concat();
        if let Some((_, reading)) = readings.last_between(&start, &end) {
            let row = plan.row(&reading.bucket, lookups).ok_or(Wrong::Inconsistent)?;
            let draft = rows.entry(row).or_default();
            let value = i128::from(reading.value);
            draft.value = draft.value.checked_add(value).ok_or(Wrong::Overflow)?;
            draft.records = draft.records.checked_add(1).ok_or(Wrong::Overflow)?;
        }
        let past = [stock, &[u8::MAX; DAY_BYTES], &AFTER_ANY_READING].concat();
        next = readings.from(Bound::Excluded(past.as_slice())).next();
    }
    Ok(rows)
}

/// Follows the day in a key that is greater than that of every reading of the day: no moment and no
/// text has such bytes.
const AFTER_ANY_READING: [u8; NUMBER_BYTES + 1] = [u8::MAX; NUMBER_BYTES + 1];

fn cells(plan: &Plan, rows: Rows) -> Result<Table, Wrong> {
    let mut table = Table::default();
    for (key, draft) in rows {
        if draft.records < 0 || (draft.records == 0 && draft.value != 0) {
            return Err(Wrong::Inconsistent);
        }
        if draft.records > 0 {
            table.rows.insert(key, cell(&plan.indicator, &draft)?);
        }
    }
    Ok(table)
}

fn cell(indicator: &Indicator, draft: &Draft) -> Result<Cell, Wrong> {
    let value = match indicator.measure {
        Measure::Count => draft.records,
        _ => i64::try_from(draft.value).map_err(|_| Wrong::Overflow)?,
    };
    let contributors = match indicator.contributors {
        Contributors::Records => draft.records,
        Contributors::Value => value,
    };
    if contributors < 0 {
        return Err(Wrong::Inconsistent);
    }
    Ok(Cell::exact(value, contributors))
}

/// The latest touch of any period whose records the figure shows.
fn touched(plan: &Plan, state: &State, period: Period, last_day: i32) -> Option<Timestamp> {
    let last = day_of_period(period);
    let first = match max_age(plan) {
        Some(age) if period != Period::Now => {
            first_day(plan.indicator.step, last_day.saturating_sub(age)).unwrap_or(last)
        }
        _ => last,
    };
    let everywhere = state.touched.get(&[]);
    let first = day_bytes(first.min(last));
    let within = state
        .touched
        .from(Bound::Included(first.as_slice()))
        .take_while(|(key, _)| *key <= day_bytes(last).as_slice())
        .map(|(_, touched)| touched);
    let latest = within.chain(everywhere).map(|touched| touched.0).max();
    latest.map(Timestamp::from_millis)
}

impl State {
    /// The first days of the periods that were ever touched.
    pub(super) fn touched_days(&self) -> impl Iterator<Item = i32> {
        self.touched.from(Bound::Unbounded).filter_map(|(key, _)| Reader(key).day())
    }

    /// The first day of the last of them.
    pub(super) fn last_touched_day(&self) -> Option<i32> {
        let (key, _) = self.touched.last_between(&[], &[u8::MAX; DAY_BYTES])?;
        Reader(key).day()
    }
}
