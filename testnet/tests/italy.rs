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
use reeve_statement::names::IndicatorId;
use reeve_testnet::italy::{Italy, ItalySpec};
use reeve_testnet::restated::{EveningReport, Level, Restating};

/// How often a byte of a bundle is changed at random; `REEVE_FULL` asks for more.
const FLIPS: usize = 10;

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
    audit(&italy, first).await;
    italy.stop().await.unwrap();
    differing
}

/// An auditor gets the first day's bundle: it passes, down to every province, and with a byte of a
/// statement changed it does not.
async fn audit(italy: &Italy, day: Date) {
    italy.serve().await.unwrap();
    let evidence = italy.evidence(day).await.unwrap();
    let audited = evidence.audit().unwrap();
    assert!(audited.passes(), "{}", audited.report.text());
    assert_eq!(audited.leaves, 107, "{}", audited.report.text());
    let times = if std::env::var_os("REEVE_FULL").is_some() { 10_000 } else { FLIPS };
    assert_eq!(evidence.flips(times, 1).unwrap(), []);
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

/// Plays what was taken back of some days; nothing where the files are not here.
async fn evenings(level: Level, days: &[Date]) -> Vec<EveningReport> {
    if data_folder().is_none() {
        eprintln!(
            "SKIPPED: Italy's published files are not here; set REEVE_ITALY_DATA to try them"
        );
        return Vec::new();
    }
    let folder = tempfile::tempdir().unwrap();
    let spec = ItalySpec {
        data: None,
        folder: folder.path().to_owned(),
        window: (Date::MIN, Date::MAX),
        floor5: false,
        engine: Engine::Redb,
    };
    let restating = Restating::raise(&spec, level).await.unwrap();
    let known = restating.days(spec.window);
    let mut reports = Vec::new();
    for day in days {
        assert!(known.contains(day), "{day} is not among {known:?}");
        reports.extend(restating.day(*day).await.unwrap());
    }
    restating.stop().await.unwrap();
    for report in &reports {
        assert!(report.agrees(), "{report:?}");
    }
    reports
}

/// On 12 May 2020 an old file stood first; on 6 March the rows of the regions stood one beside the other;
/// on 25 February the nation's number was not the sum of its regions.
#[tokio::test(flavor = "multi_thread")]
async fn the_nation_knows_on_each_evening_what_was_published_of_the_regions() {
    let days = [date(2020, 2, 25), date(2020, 3, 6), date(2020, 5, 12)];
    let reports = evenings(Level::Regions, &days).await;
    if data_folder().is_none() {
        return;
    }
    let cases: IndicatorId = "totale_casi".parse().unwrap();
    let told: Vec<_> = reports.iter().map(|it| (it.date, it.nation.get(&cases).copied())).collect();
    let [february, march, may] = days;
    assert_eq!(
        told,
        [
            (february, Some(322)),
            (february, Some(322)),
            (march, Some(4636)),
            (march, Some(4636)),
            (may, Some(178_972)),
            (may, Some(221_216)),
        ]
    );
    let not_sums: Vec<usize> = reports.iter().map(|it| it.not_sums.len()).collect();
    assert_eq!(not_sums, [2, 0, 0, 0, 0, 0]);
}

/// On 28 May 2020 two provinces of Apulia had each other's numbers.
#[tokio::test(flavor = "multi_thread")]
async fn the_nation_knows_on_each_evening_what_was_published_of_the_provinces() {
    let reports = evenings(Level::Provinces, &[date(2020, 5, 28)]).await;
    let restated: Vec<usize> = reports.iter().map(|it| it.restated).collect();
    assert!(data_folder().is_none() || restated == [0, 2], "{restated:?}");
}
