//! Italy's published figures through 129 nodes, over a short window. Needs the published files; see
//! `examples/italy/README.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use jiff::civil::{Date, date};
use reeve::config::Engine;
use reeve_examples::italy::data_folder;
use reeve_testnet::italy::{Italy, ItalySpec};

/// Runs some days from the first on; how many region-days differ from what was published.
async fn run(first: Date, days: usize, floor5: bool) -> usize {
    if data_folder().is_none() {
        eprintln!(
            "SKIPPED: Italy's published files are not here; set REEVE_ITALY_DATA to try them"
        );
        return 0;
    }
    let folder = tempfile::tempdir().unwrap();
    let window = (first, date(2025, 1, 8));
    let spec = ItalySpec {
        data: None,
        folder: folder.path().to_owned(),
        window,
        floor5,
        engine: Engine::Redb,
    };
    let italy = Italy::raise(&spec).await.unwrap();
    let mut differing = 0;
    let dates: Vec<_> = italy.days(window).take(days).collect();
    for day in dates {
        let report = italy.day(day).await.unwrap();
        assert!(report.is_as_listed(&italy.published().exceptions), "{day}: {report:?}");
        assert_eq!(report.agrees(), report.regions.is_empty(), "{day}: {report:?}");
        differing += report.regions.len();
        assert!(floor5 || report.nation.is_exact(), "{day}: {report:?}");
    }
    italy.stop().await.unwrap();
    differing
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nation_equals_what_was_published() {
    // Sicily's correction of 2020-06-19 lowers a figure.
    assert_eq!(run(date(2020, 6, 18), 3, false).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_published_another_sum_is_told() {
    let differing = run(date(2025, 1, 4), 2, false).await;
    assert!(data_folder().is_none() || differing == 1, "{differing} region-days differ");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_floor_every_bound_holds_what_was_published() {
    assert_eq!(run(date(2020, 6, 18), 2, true).await, 0);
}
