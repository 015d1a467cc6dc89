//! Italy's published figures through 129 nodes, over a short window. Needs the published files; see
//! `examples/italy/README.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use jiff::civil::date;
use reeve::config::Engine;
use reeve_examples::italy::data_folder;
use reeve_testnet::italy::{Italy, ItalySpec};

async fn run(floor5: bool, days: usize) {
    if data_folder().is_none() {
        eprintln!(
            "SKIPPED: Italy's published files are not here; set REEVE_ITALY_DATA to try them"
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // Sicily's correction of 2020-06-19 lowers a figure.
    let window = (date(2020, 6, 18), date(2020, 6, 20));
    let spec = ItalySpec {
        data: None,
        folder: folder.path().to_owned(),
        window,
        floor5,
        engine: Engine::Redb,
    };
    let italy = Italy::raise(&spec).await.unwrap();
    let dates: Vec<_> = italy.days(window).take(days).collect();
    for day in dates {
        let report = italy.day(day).await.unwrap();
        assert!(report.agrees(), "{day}: {report:?}");
        assert!(report.regions.is_empty(), "{day}: {report:?}");
        assert!(floor5 || report.nation.is_exact(), "{day}: {report:?}");
    }
    italy.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nation_equals_what_was_published() {
    run(false, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_floor_every_bound_holds_what_was_published() {
    run(true, 2).await;
}
