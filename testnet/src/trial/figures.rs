//! The nation's figures, and what they must be by the records below.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reeve::api::{Figure, RecordView, Records};
use reeve::client::{Client, ClientError};
use reeve_statement::unit::UnitPath;

use super::cases::Fields;
use super::{TrialError, broken};
use crate::processes::{Process, ProcessError};

/// Pause between two questions.
const PAUSE: Duration = Duration::from_millis(10);

/// Levels down to which the pack's indicator keeps rows apart by area.
const AREA_DEPTH: usize = 2;

/// Bands of the pack's indicator `confirmed_by_day`: the label, and the highest age.
const BANDS: [(&str, u64); 5] =
    [("0-17", 17), ("18-39", 39), ("40-64", 64), ("65-79", 79), ("80+", u64::MAX)];

/// Confirmed cases by day, area below the unit that is asked, age band and sex.
pub(crate) type Counts = BTreeMap<[String; 4], i64>;

/// All records of the kind `case` that a node holds.
pub(crate) fn records(unit: &UnitPath, client: &Client) -> Result<Vec<RecordView>, TrialError> {
    let (mut all, mut shard) = (Vec::new(), 0);
    loop {
        let page: Result<Records, _> = client.get(&format!("/v1/records/case?shard={shard}"));
        let page =
            page.map_err(|error| ProcessError::Api { unit: unit.clone(), error: Box::new(error) })?;
        all.extend(page.records);
        shard += 1;
        if shard >= page.shards {
            return Ok(all);
        }
    }
}

/// Counts the records of a unit, as `above` must show them.
pub(crate) fn add(counts: &mut Counts, above: &UnitPath, unit: &UnitPath, records: &[RecordView]) {
    let (above, unit) = (above.to_string(), unit.to_string());
    let area = unit.strip_prefix(&above).unwrap_or(&unit).trim_start_matches('/');
    let area: Vec<&str> = area.split('/').take(AREA_DEPTH).collect();
    let area = area.join("/");
    let area = if area.is_empty() { ".".to_owned() } else { area };
    for RecordView { record, .. } in records {
        let text = |field: &str| text(record, field).to_owned();
        let age = record.get("age").and_then(serde_json::Value::as_u64).unwrap_or(u64::MAX);
        let band = BANDS.iter().find(|(_, most)| age <= *most).map_or("", |(label, _)| label);
        let cell = [text("reported_on"), area.clone(), band.to_owned(), text("sex")];
        *counts.entry(cell).or_insert(0) += 1;
    }
}

fn text<'a>(record: &'a Fields, field: &str) -> &'a str {
    record.get(field).and_then(serde_json::Value::as_str).unwrap_or_default()
}

/// What a node shows now; none if a cell is not told exactly.
fn shown(process: &Process, days: &[&str]) -> Result<Option<Counts>, TrialError> {
    let mut counts = Counts::new();
    for &day in days {
        let path = format!("/v1/figures/confirmed_by_day?period={day}");
        let figure = match process.client.get::<Figure>(&path) {
            Ok(figure) => figure,
            Err(ClientError::Problem(problem)) if problem.status == 404 => continue,
            Err(error) => return Err(process.failed(error).into()),
        };
        for row in figure.rows {
            let ([band, sex], value) = (row.dimensions.as_slice(), row.cell.value) else {
                return Err(broken(&process.unit, "a row without its two dimensions"));
            };
            if value.lo != value.hi {
                return Ok(None);
            }
            if value.lo != 0 {
                counts.insert([day.to_owned(), row.area, band.clone(), sex.clone()], value.lo);
            }
        }
    }
    Ok(Some(counts))
}

/// Waits until a node shows these counts for these days and has signed them; how long that took since `since`.
pub(crate) fn wait(
    process: &Process,
    days: &[&str],
    expected: &Counts,
    since: Instant,
    within: Duration,
) -> Result<Duration, TrialError> {
    loop {
        let found = shown(process, days)?;
        let took = since.elapsed();
        if found.as_ref() == Some(expected) {
            return Ok(took);
        }
        if took > within {
            let difference = found
                .map_or_else(|| "it shows bounds".to_owned(), |found| differing(expected, &found));
            let what = format!("not right after {} s: {difference}", took.as_secs());
            return Err(broken(&process.unit, what));
        }
        std::thread::sleep(PAUSE);
    }
}

/// The first cell that differs.
fn differing(expected: &Counts, found: &Counts) -> String {
    let cells = expected.keys().chain(found.keys());
    let differs = |cell: &&[String; 4]| expected.get(*cell) != found.get(*cell);
    cells.into_iter().find(differs).map_or_else(String::new, |cell| {
        let count = |counts: &Counts| counts.get(cell).copied().unwrap_or(0);
        format!("{}: {} instead of {}", cell.join(" "), count(found), count(expected))
    })
}
