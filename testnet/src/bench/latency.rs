//! From a change at a leaf to the nation's figure, through four hops of real processes.
//!
//! A street's node takes changes over HTTP while the nation's is asked for its figure over HTTP, again
//! and again. Each change adds one case, so the n-th change has arrived when the figure has grown by
//! n. Time is taken before a change is sent, and after an answer that holds it has come: both ways
//! over HTTP and the pause between two questions are part of it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::civil::date;
use reeve::api::{Figure, Written};
use reeve::client::{Client, ClientError};
use reeve::config::Engine;
use reeve_examples::epidemic::{CATALOGUE, SCHEMA};
use reeve_statement::unit::UnitPath;
use serde_json::json;

use super::import::parse;
use super::measure::Measure;
use super::{BenchError, Extent};
use crate::processes::{Houses, Launcher, Leash, Process, ProcessError, Processes};
use crate::stopwatch::now;
use crate::town::TownSpec;

/// The street and its superiors, the nation first.
const UNITS: [&str; 5] = [
    "nation",
    "nation/province",
    "nation/province/city",
    "nation/province/city/county",
    "nation/province/city/county/street",
];

/// Seconds of changes at each rate, in a full and a quick run.
const SECONDS: (u32, u32) = (20, 3);

/// Changes per second.
const RATES: [u32; 2] = [1, 50];

/// Pause between two questions to the nation: small beside what is measured, and no load of its own.
const PAUSE: Duration = Duration::from_millis(3);

/// Longest wait for a change to arrive.
const ARRIVE: Duration = Duration::from_secs(30);

/// Targets on two cores, release build.
const P50_MS: f64 = 100.0;
const P99_MS: f64 = 1_000.0;

/// Measures it. Blocks; letting go of the leash ends it with an error.
///
/// # Errors
/// [`BenchError`].
pub fn run(
    folder: &Path,
    extent: Extent,
    engine: Engine,
    leash: &Leash,
) -> Result<Vec<Measure>, BenchError> {
    let houses = Houses::open(&TownSpec {
        folder: folder.join("nodes"),
        paths: UNITS.iter().map(|path| parse(path)).collect::<Result<Vec<UnitPath>, _>>()?,
        schema: SCHEMA.to_owned(),
        policy: None,
        engine,
        tap: None,
    })?;
    let processes = Processes::start(&Launcher::beside(leash)?, &houses)?;
    processes.publish(&houses.sign_catalogue(CATALOGUE)?)?;
    let (Some(nation), Some(street)) = (processes.list().first(), processes.list().last()) else {
        return Err(BenchError::Thread("runs the processes"));
    };
    let writer = street.writer()?;
    let mut way = Way { street, writer, nation, written: 0 };
    // The first change finds the way open; it is not measured.
    way.measure(1, 1)?;
    let mut measures = Vec::new();
    for rate in RATES {
        let changes = rate * extent.choose(SECONDS.0, SECONDS.1);
        let began = now();
        let mut took = way.measure(changes, rate)?;
        let seconds = began.elapsed().as_secs_f64();
        took.sort_unstable();
        let named = |what: &str| format!("latency at {rate}/s: {what}");
        let (p50, p99) = (percentile(&took, 50), percentile(&took, 99));
        measures.extend([
            Measure::plain(named("changes"), f64::from(changes), "changes"),
            Measure::plain(
                named("rate until the last had arrived"),
                f64::from(changes) / seconds,
                "changes/s",
            ),
            Measure::at_most(named("p50"), p50, "ms", P50_MS),
            Measure::at_most(named("p99"), p99, "ms", P99_MS),
        ]);
    }
    processes.stop();
    Ok(measures)
}

/// The nearest rank, in milliseconds.
fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(rank).map_or(f64::NAN, |took| 1_000.0 * took.as_secs_f64())
}

/// From the street to the nation.
struct Way<'a> {
    street: &'a Process,
    writer: Client,
    nation: &'a Process,
    /// Changes so far: what the nation's figure comes to.
    written: u32,
}

impl Way<'_> {
    /// Writes changes at a rate; how long each took to arrive.
    fn measure(&mut self, changes: u32, rate: u32) -> Result<Vec<Duration>, BenchError> {
        let (base, given_up) = (self.written, AtomicBool::new(false));
        self.written += changes;
        let (sent, arrived) = std::thread::scope(|scope| {
            let watching = scope.spawn(|| self.watch(base, changes, &given_up));
            let sent = self.write(base, changes, rate);
            given_up.store(sent.is_err(), Ordering::Relaxed);
            (sent, watching.join())
        });
        let (sent, arrived) = (sent?, arrived.map_err(|_| BenchError::Thread("asks the nation"))??);
        Ok(sent.iter().zip(&arrived).map(|(sent, here)| here.duration_since(*sent)).collect())
    }

    /// When each change was sent.
    fn write(&self, base: u32, changes: u32, rate: u32) -> Result<Vec<Instant>, ProcessError> {
        let began = now();
        let mut sent = Vec::new();
        for number in 0..changes {
            let due = Duration::from_secs(1) / rate * number;
            std::thread::sleep(due.saturating_sub(began.elapsed()));
            sent.push(now());
            let path = format!("/v1/records/case/c{}", base + number);
            let case = json!({
                "status": "confirmed",
                "reported_on": day(),
                "age": 44,
                "sex": "female",
            });
            let written: Result<Written, _> = self.writer.send("PUT", &path, &case);
            written.map_err(|error| self.street.failed(error))?;
        }
        Ok(sent)
    }

    /// When each change was seen in the nation's figure.
    fn watch(
        &self,
        base: u32,
        changes: u32,
        given_up: &AtomicBool,
    ) -> Result<Vec<Instant>, ProcessError> {
        let changes = usize::try_from(changes).unwrap_or(usize::MAX);
        let mut seen = Vec::new();
        let mut last = now();
        while seen.len() < changes && !given_up.load(Ordering::Relaxed) {
            let total = self.total()?.saturating_sub(i64::from(base));
            let total = usize::try_from(total).unwrap_or(0).min(changes);
            let here = now();
            if total > seen.len() {
                seen.resize(total, here);
                last = here;
            } else if here.duration_since(last) > ARRIVE {
                let what = format!("a change reaches the nation, after {} did", seen.len());
                return Err(ProcessError::TooSlow { seconds: ARRIVE.as_secs(), what });
            }
            std::thread::sleep(PAUSE);
        }
        Ok(seen)
    }

    /// The nation's figure; 0 while there is none.
    fn total(&self) -> Result<i64, ProcessError> {
        let path = format!("/v1/figures/confirmed_by_day?period={}", day());
        match self.nation.client.get::<Figure>(&path) {
            Ok(figure) => Ok(figure.total.map_or(0, |total| total.value.lo)),
            Err(ClientError::Problem(problem)) if problem.status == 404 => Ok(0),
            Err(error) => Err(self.nation.failed(error)),
        }
    }
}

/// The day on which the cases are reported.
fn day() -> String {
    date(2020, 3, 1).to_string()
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the values are given")]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let took: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(percentile(&took, 50), 50.0);
        assert_eq!(percentile(&took, 99), 99.0);
        assert!(percentile(&[], 50).is_nan());
    }
}
