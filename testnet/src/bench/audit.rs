//! How long an auditor's program takes, and how much memory: one day of 3,200 jurisdictions, and a year
//! of one indicator in 107 provinces.
//!
//! The bundles are of federations on paper ([`reeve_sim::specimen`]): as many signed statements, chains,
//! ledgers and proofs as real ones. What is measured is the program itself, `reeve audit verify`, from its
//! start to its end, with reading every file.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::civil::{Date, date};
use reeve_sim::specimen::{Files, Specimen};
use reeve_statement::digest::{Digest, FederationId};
use reeve_statement::period::Period;
use reeve_statement::unit::{UnitId, UnitPath};
use serde_json::Value;

use super::machine::peak_memory_kb_of;
use super::measure::{Measure, count};
use super::{BenchError, Extent};
use crate::processes::{Launcher, Leash};
use crate::stopwatch::now;

/// Units below each unit of a day, level by level: 32 regions, 320 districts, 3,200 jurisdictions.
const DAY: [usize; 3] = [32, 10, 10];
const QUICK_DAY: [usize; 3] = [3, 2, 4];

/// Regions and provinces of a year, and its days.
const YEAR: (usize, usize, usize) = (21, 107, 366);
const QUICK_YEAR: (usize, usize, usize) = (3, 8, 4);

/// Values of the one dimension that the figures are told by.
const VALUES: usize = 12;

/// Targets on one core, release build.
const DAY_SECONDS: f64 = 2.0;
const YEAR_SECONDS: f64 = 20.0;

/// Most memory, in megabytes: it goes by the number of statements, and not by what they hold.
const MEMORY_MB: f64 = 300.0;

/// How often the program is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// Measures it. Blocks; letting go of the leash ends it with an error.
///
/// # Errors
/// [`BenchError`].
pub fn run(folder: &Path, extent: Extent, leash: &Leash) -> Result<Vec<Measure>, BenchError> {
    let mut measures = Vec::new();
    let first = date(2026, 1, 1);
    let levels = extent.choose(DAY, QUICK_DAY);
    measures.extend(measure(
        &Books { units: levelled(&levels)?, days: vec![first] },
        ("audit of a day", DAY_SECONDS),
        &folder.join("day"),
        leash,
    )?);
    let (regions, provinces, days) = extent.choose(YEAR, QUICK_YEAR);
    let days = first.series(jiff::Span::new().days(1)).take(days).collect();
    measures.extend(measure(
        &Books { units: divided(regions, provinces)?, days },
        ("audit of a year", YEAR_SECONDS),
        &folder.join("year"),
        leash,
    )?);
    Ok(measures)
}

/// What a bundle is made of.
struct Books {
    units: Vec<UnitPath>,
    days: Vec<Date>,
}

impl Books {
    /// The bundle, and the federation's id.
    fn bundle(&self) -> (Files, FederationId) {
        let values: Vec<String> = (0..VALUES).map(|number| format!("band-{number}")).collect();
        let mut paper = Specimen::new(&self.units, &values);
        let figures: Vec<Digest> =
            self.days.iter().map(|day| paper.tell_all(Period::Day(*day))).collect();
        (paper.bundle(&figures), paper.registry.roots.federation())
    }
}

/// A nation with so many units below each unit, superiors first.
fn levelled(levels: &[usize]) -> Result<Vec<UnitPath>, BenchError> {
    let mut level = vec![unit(None, "nation")?];
    let mut all = level.clone();
    for below in levels {
        let mut next = Vec::new();
        for above in &level {
            for number in 0..*below {
                next.push(unit(Some(above), &format!("u{number:02}"))?);
            }
        }
        all.extend(next.iter().cloned());
        level = next;
    }
    Ok(all)
}

/// A nation whose provinces stand under regions, as evenly as can be.
fn divided(regions: usize, provinces: usize) -> Result<Vec<UnitPath>, BenchError> {
    let mut all = levelled(&[regions])?;
    let above: Vec<UnitPath> = all.iter().skip(1).cloned().collect();
    for (number, region) in (0..provinces).zip(above.iter().cycle()) {
        all.push(unit(Some(region), &format!("p{number:03}"))?);
    }
    Ok(all)
}

fn unit(above: Option<&UnitPath>, name: &str) -> Result<UnitPath, BenchError> {
    let wrong = |error: &dyn std::fmt::Display| BenchError::Name(format!("{name}: {error}"));
    match above {
        None => name.parse().map_err(|error| wrong(&error)),
        Some(above) => {
            let id = UnitId::new(name).map_err(|error| wrong(&error))?;
            above.child(id).map_err(|error| wrong(&error))
        }
    }
}

fn measure(
    books: &Books,
    (what, seconds): (&str, f64),
    folder: &Path,
    leash: &Leash,
) -> Result<Vec<Measure>, BenchError> {
    let (files, federation) = books.bundle();
    let bytes: usize = files.values().map(Vec::len).sum();
    let number = files.len();
    write(folder, &files)?;
    drop(files);
    let Verified { took, peak_kb, report } = verify(folder, federation, leash)?;
    let verdict = report.get("verdict").and_then(Value::as_str).unwrap_or_default();
    if verdict != "pass" {
        let findings = report.get("findings").map(Value::to_string).unwrap_or_default();
        let first: String = findings.chars().take(500).collect();
        return Err(BenchError::Verdict(format!("{what}: {verdict}: {first}")));
    }
    let counted = |name: &str| {
        let found = report.get("counted").and_then(|counted| counted.get(name));
        count(found.and_then(Value::as_u64).unwrap_or(0))
    };
    let size = count(u64::try_from(bytes).unwrap_or(u64::MAX)) / 1e6;
    let mut measures = vec![
        Measure::plain(format!("{what}: statements"), counted("statements"), ""),
        Measure::plain(format!("{what}: figures added or summands"), counted("sums"), ""),
        Measure::plain(format!("{what}: in ledgers"), counted("in_ledger"), ""),
        Measure::plain(format!("{what}: files"), count(u64::try_from(number).unwrap_or(0)), ""),
        Measure::plain(format!("{what}: bytes of the bundle"), size, "MB"),
        Measure::at_most(format!("{what}: time"), took.as_secs_f64(), "s", seconds),
    ];
    if let Some(peak) = peak_kb {
        let peak = count(peak) * 1_024.0 / 1e6;
        measures.push(Measure::at_most(format!("{what}: peak memory"), peak, "MB", MEMORY_MB));
        measures.push(Measure::plain(format!("{what}: memory per byte"), peak / size, "B"));
    }
    Ok(measures)
}

fn write(folder: &Path, files: &Files) -> Result<(), BenchError> {
    for (place, bytes) in files {
        let path = folder.join(place);
        let within = path.parent().unwrap_or(folder);
        fs::create_dir_all(within).map_err(failed(within))?;
        fs::write(&path, bytes).map_err(failed(&path))?;
    }
    Ok(())
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> BenchError {
    let path = path.to_owned();
    move |reason| BenchError::File { path, reason }
}

/// What one run of the program took, and said.
struct Verified {
    took: Duration,
    peak_kb: Option<u64>,
    report: Value,
}

fn verify(folder: &Path, federation: FederationId, leash: &Leash) -> Result<Verified, BenchError> {
    let out = folder.with_extension("json");
    let binary = Launcher::beside(leash)?.binary;
    let mut command = Command::new(&binary);
    command
        .args(["audit", "verify", "--json", "--federation", &federation.to_string()])
        .arg(folder);
    command.stdout(File::create(&out).map_err(failed(&out))?).stderr(Stdio::inherit());
    let began = now();
    let child = leash.start(&mut command).map_err(failed(&binary))?;
    let mut peak_kb = None;
    while child.ended().is_none() {
        peak_kb = peak_memory_kb_of(child.pid()).or(peak_kb);
        std::thread::sleep(LOOK);
    }
    let took = began.elapsed();
    let text = fs::read(&out).map_err(failed(&out))?;
    let report = serde_json::from_slice(&text)
        .map_err(|error| BenchError::Verdict(format!("{}: {error}", out.display())))?;
    Ok(Verified { took, peak_kb, report })
}
