//! What crosses a leaf's border for the cases that it imports day by day.
//!
//! Every application byte between leaf and superior is counted, before encryption; what is compared
//! with it is the size of the imported rows as they stood in the file.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::ToSpan as _;
use reeve::config::Engine;
use reeve::net::{Direction, PeerKey, Tap};
use reeve_examples::epidemic::{CATALOGUE, cases_csv, facilities_csv, schema_expecting};
use reeve_statement::unit::UnitPath;

use super::feed::{feed, mapping_text};
use super::import::{FIRST_DAY, SEED, create, parse};
use super::measure::{Measure, count};
use super::{BenchError, Extent};
use crate::town::{LONG, Town, TownSpec};

/// Cases of a full and of a quick run, and the days over which they are reported.
const CASES: (u32, u32) = (100_000, 2_000);
const DAYS: (u32, u32) = (366, 8);

/// Days over which the generator spreads its list; a quick run takes the first of them.
const LIST_DAYS: u32 = 366;

/// Which column of the line list says when a case was reported.
const REPORTED: usize = 5;

/// Measures it.
///
/// # Errors
/// [`BenchError`].
pub async fn run(
    folder: &Path,
    extent: Extent,
    engine: Engine,
) -> Result<Vec<Measure>, BenchError> {
    let cases = extent.choose(CASES.0, CASES.1);
    let days = extent.choose(DAYS.0, DAYS.1);
    let (superior, leaf) = (parse("nation")?, parse("nation/city")?);
    let border = Border::default();
    let town = Town::raise(&TownSpec {
        folder: folder.join("nodes"),
        paths: vec![superior.clone(), leaf.clone()],
        schema: schema_expecting(u64::from(cases)),
        policy: None,
        engine,
        tap: Some(border.tap()),
    })
    .await?;
    town.publish(CATALOGUE, LONG).await?;
    let hospitals = folder.join("facility-2020-12-31.csv");
    create(&hospitals, facilities_csv)?;
    feed(&town, &leaf, mapping_text("facility")?, &hospitals).await?;
    settle(&town, &leaf).await?;
    let before = border.sent();
    let rows = import_days(&town, &leaf, folder, (cases, days)).await?;
    let after = border.sent();
    let keys = (key(&town, &superior)?, key(&town, &leaf)?);
    town.stop().await?;
    let crossed = |to: PeerKey| {
        let of = |sent: &BTreeMap<PeerKey, u64>| sent.get(&to).copied().unwrap_or(0);
        of(&after).saturating_sub(of(&before))
    };
    Ok(measures(&rows, days, crossed(keys.0), crossed(keys.1)))
}

/// What was imported.
#[derive(Debug, Default)]
struct Rows {
    records: u64,
    bytes: u64,
}

/// Imports each day's new cases as a file of its own, and waits until the superior has the figures.
async fn import_days(
    town: &Town,
    leaf: &UnitPath,
    folder: &Path,
    (cases, days): (u32, u32),
) -> Result<Rows, BenchError> {
    let mut list = Vec::new();
    cases_csv(&mut list, cases.saturating_mul(LIST_DAYS) / days, SEED, FIRST_DAY)
        .map_err(|reason| BenchError::File { path: folder.to_owned(), reason })?;
    let list = String::from_utf8_lossy(&list);
    let mut lines = list.lines();
    let header = lines.next().unwrap_or_default();
    let cases = usize::try_from(cases).unwrap_or(usize::MAX);
    let lines: Vec<&str> = lines.take(cases).collect();
    let mapping = daily_mapping()?;
    let mut rows = Rows::default();
    let reported = |line: &&str| line.split(',').nth(REPORTED).map(str::to_owned);
    let mut day = FIRST_DAY;
    for of_day in lines.chunk_by(|one, other| reported(one) == reported(other)) {
        let file = folder.join(format!("case-{day}.csv"));
        create(&file, |mut file| {
            writeln!(file, "{header}")?;
            of_day.iter().try_for_each(|line| writeln!(file, "{line}"))
        })?;
        rows.records += feed(town, leaf, &mapping, &file).await?.records;
        let bytes: usize = of_day.iter().map(|line| line.len().saturating_add(1)).sum();
        rows.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
        settle(town, leaf).await?;
        day = day.saturating_add(1.day());
    }
    Ok(rows)
}

/// The pack's mapping for files with the new cases of a day only.
fn daily_mapping() -> Result<String, BenchError> {
    let text = mapping_text("case")?;
    let (text, _) =
        text.split_once("[snapshot]").ok_or(BenchError::NotInPack("snapshot of cases"))?;
    Ok(text.replace("mode = \"snapshot\"", "mode = \"upsert\""))
}

/// Waits until the superior has the last edition of every figure.
async fn settle(town: &Town, leaf: &UnitPath) -> Result<(), BenchError> {
    town.eventually(LONG, "the superior has every figure", async || {
        let status = town.status(leaf).await?;
        Ok(status.unsent == 0 && status.queued_writes == 0 && status.pending_persists == 0)
    })
    .await?;
    Ok(())
}

fn key(town: &Town, unit: &UnitPath) -> Result<PeerKey, BenchError> {
    Ok(PeerKey::new(town.node(unit)?.key().0))
}

fn measures(rows: &Rows, days: u32, up: u64, down: u64) -> Vec<Measure> {
    let (records, up, size) = (count(rows.records), count(up), count(rows.bytes));
    vec![
        Measure::plain("bytes: records imported", records, "records"),
        Measure::plain("bytes: days released", f64::from(days), "days"),
        Measure::plain("bytes: size of the records", size, "B"),
        Measure::plain("bytes: out of the leaf", up, "B"),
        Measure::plain("bytes: into the leaf", count(down), "B"),
        Measure::plain("bytes: out of the leaf, per record", up / records, "B"),
        Measure::plain("bytes: out of the leaf / size of the records", up / size, ""),
    ]
}

/// Counts what nodes send, by receiver.
#[derive(Clone, Default)]
struct Border(Arc<Mutex<BTreeMap<PeerKey, u64>>>);

impl Border {
    fn tap(&self) -> Tap {
        let counts = Arc::clone(&self.0);
        Tap::new(move |way, to, _, bytes| {
            if way == Direction::Sent {
                let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
                let count = counts.entry(to).or_default();
                *count = count.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            }
        })
    }

    fn sent(&self) -> BTreeMap<PeerKey, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
