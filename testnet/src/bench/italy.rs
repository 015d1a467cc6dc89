//! Italy's published figures through 129 nodes: how long it takes.

use std::path::Path;
use std::time::Duration;

use reeve::config::Engine;
use reeve_examples::italy::WINDOW;

use super::measure::Measure;
use super::{BenchError, Extent};
use crate::italy::{Italy, ItalySpec};
use crate::stopwatch::now;

/// Days of a quick run.
const QUICK_DAYS: usize = 2;

/// Target on two cores, release build: all days through all nodes.
const SECONDS: f64 = 120.0;

/// Measures it; nothing where the folder of published files is not there.
///
/// # Errors
/// [`BenchError`].
pub async fn run(
    folder: &Path,
    extent: Extent,
    engine: Engine,
) -> Result<Option<Vec<Measure>>, BenchError> {
    let Some(data) = reeve_examples::italy::data_folder() else { return Ok(None) };
    let spec = ItalySpec {
        data: Some(data),
        folder: folder.join("nodes"),
        window: WINDOW,
        floor5: false,
        engine,
    };
    let began = now();
    let italy = Italy::raise(&spec).await?;
    let founding = began.elapsed();
    let began = now();
    let (mut days, mut agreeing) = (0_u32, 0_u32);
    for date in italy.days(WINDOW).take(extent.choose(usize::MAX, QUICK_DAYS)).collect::<Vec<_>>() {
        days += 1;
        agreeing += u32::from(italy.day(date).await?.agrees());
    }
    let took = began.elapsed();
    italy.stop().await?;
    Ok(Some(measures(founding, took, days, agreeing)))
}

fn measures(founding: Duration, took: Duration, days: u32, agreeing: u32) -> Vec<Measure> {
    let took = took.as_secs_f64();
    vec![
        Measure::plain("italy: founding 129 nodes", founding.as_secs_f64(), "s"),
        Measure::plain("italy: days", f64::from(days), "days"),
        Measure::plain("italy: days on which the nation agrees", f64::from(agreeing), "days"),
        Measure::plain("italy: per day", took / f64::from(days.max(1)), "s"),
        Measure::at_most("italy: all days", took, "s", SECONDS),
    ]
}
