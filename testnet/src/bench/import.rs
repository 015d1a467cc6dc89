//! Import of a long line list into one node, and how long that node then takes to start again.

use std::fs::File;
use std::path::{Path, PathBuf};

use jiff::civil::{Date, date};
use reeve::config::Engine;
use reeve_examples::epidemic::{CATALOGUE, cases_csv, facilities_csv, schema_expecting};
use reeve_statement::unit::UnitPath;

use super::feed::{Fed, feed, mapping_text};
use super::machine::{peak_memory_kb, reset_peak_memory};
use super::measure::{Measure, count};
use super::{BenchError, Extent};
use crate::stopwatch::now;
use crate::town::{LONG, Town, TownSpec};

/// Cases of a full and of a quick run.
const CASES: (u32, u32) = (1_000_000, 5_000);

/// Seed of the line list: the same cases in every run.
pub(super) const SEED: u64 = 1;

/// The first day of the line list.
pub(super) const FIRST_DAY: Date = date(2020, 1, 1);

/// The file's name tells the day that it closes: one on which every case of the list is reported.
const CASES_FILE: &str = "case-2020-12-31.csv";

/// The same for hospitals.
const FACILITIES_FILE: &str = "facility-2020-12-31.csv";

/// Targets on two cores, release build.
const RECORDS_PER_SECOND: f64 = 20_000.0;
const PEAK_MB: f64 = 600.0;
const RESTART_SECONDS: f64 = 2.0;

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
    let unit: UnitPath = parse("city")?;
    let (facilities, list) = write_files(folder, cases)?;
    let mut town = Town::raise(&TownSpec {
        folder: folder.join("nodes"),
        paths: vec![unit.clone()],
        schema: schema_expecting(u64::from(cases)),
        policy: None,
        engine,
        tap: None,
    })
    .await?;
    town.publish(CATALOGUE, LONG).await?;
    feed(&town, &unit, mapping_text("facility")?, &facilities).await?;
    reset_peak_memory();
    let fed = feed(&town, &unit, mapping_text("case")?, &list).await?;
    let peak = peak_memory_kb();
    town.halt(&unit).await?;
    let began = now();
    town.start(&unit).await?;
    town.status(&unit).await?;
    let restart = began.elapsed().as_secs_f64();
    town.stop().await?;
    Ok(measures(&fed, peak, restart))
}

fn measures(fed: &Fed, peak_kb: Option<u64>, restart: f64) -> Vec<Measure> {
    let importing = fed.importing.as_secs_f64();
    let rate = count(fed.records) / importing;
    let mut measures = vec![
        Measure::plain("import: records", count(fed.records), "records"),
        Measure::plain("import: check of the file", fed.checking.as_secs_f64(), "s"),
        Measure::plain("import: into the node", importing, "s"),
        Measure::at_least("import: rate", rate, "records/s", RECORDS_PER_SECOND),
    ];
    if let Some(peak) = peak_kb {
        let peak = count(peak) / 1_000.0;
        let what = "import: peak memory, node and importer";
        measures.push(Measure::at_most(what, peak, "MB", PEAK_MB));
    }
    measures.push(Measure::at_most("import: restart to serving", restart, "s", RESTART_SECONDS));
    measures
}

/// Writes the hospitals and the line list as a city's offices would.
pub(super) fn write_files(folder: &Path, cases: u32) -> Result<(PathBuf, PathBuf), BenchError> {
    let facilities = folder.join(FACILITIES_FILE);
    let list = folder.join(CASES_FILE);
    create(&facilities, facilities_csv)?;
    create(&list, |file| cases_csv(file, cases, SEED, FIRST_DAY))?;
    Ok((facilities, list))
}

/// Makes a file and fills it.
pub(super) fn create(
    path: &Path,
    fill: impl FnOnce(File) -> std::io::Result<()>,
) -> Result<(), BenchError> {
    File::create(path)
        .and_then(fill)
        .map_err(|reason| BenchError::File { path: path.to_owned(), reason })
}

/// A unit's path out of its text.
pub(super) fn parse(path: &str) -> Result<UnitPath, BenchError> {
    path.parse().map_err(|error| BenchError::Name(format!("{path}: {error}")))
}
