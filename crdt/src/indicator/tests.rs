//! The engine's awkward cases; against a naive recompute in `engine_is_naive`.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use jiff::civil::date;
use reeve_statement::bounds::Cell;
use reeve_statement::table::Table;

use super::*;

mod attacks;
mod engine_is_naive;
mod naive;
mod sealing;
mod world;

use world::{CATALOGUE, SCHEMA, ZONE, catalogue, closure, fact, record, schema};

const TODAY: Date = date(2020, 4, 1);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn engine() -> Engine {
    Engine::new(&schema(), &catalogue(), ZONE).unwrap()
}

fn figure(engine: &Engine, indicator: &str, period: &str) -> OwnFigure {
    engine.table(&indicator.parse().unwrap(), period.parse().unwrap(), TODAY).unwrap()
}

/// Rows as `area|dim|dim = value/contributors`.
fn rows(table: &Table) -> Vec<String> {
    let row = |(key, cell): (&reeve_statement::table::RowKey, &Cell)| {
        let mut parts = vec![key.area.to_string()];
        parts.extend(key.dims.iter().cloned());
        format!("{} = {}/{}", parts.join("|"), cell.value, cell.contributors)
    };
    table.rows.iter().map(row).collect()
}

fn shown(engine: &Engine, indicator: &str, period: &str) -> Vec<String> {
    rows(&figure(engine, indicator, period).table)
}

#[test]
fn a_change_of_the_period_field_moves_the_record_and_marks_both_periods() {
    let mut engine = engine();
    let first = record("visit", &[("on", "2020-03-28"), ("state", "open")]);
    let moved = record("visit", &[("on", "2020-03-30"), ("state", "open")]);
    engine.apply(&[fact("visit", "a", None, Some(&first))], at(1));
    let dirty = engine.apply(&[fact("visit", "a", Some(&first), Some(&moved))], at(2));
    assert!(shown(&engine, "visits_by_day", "2020-03-28").is_empty());
    assert_eq!(shown(&engine, "visits_by_day", "2020-03-30"), [".|open = 1/1"]);
    for day in ["2020-03-28", "2020-03-30"] {
        assert!(dirty.contains(&"visits_by_day".parse().unwrap(), day.parse().unwrap()));
    }
    assert!(!dirty.contains(&"visits_by_day".parse().unwrap(), "2020-03-29".parse().unwrap()));
    assert_eq!(figure(&engine, "visits_by_day", "2020-03-28").touched, Some(at(2)));
}

#[test]
fn a_change_that_no_indicator_reads_marks_nothing() {
    let mut engine = engine();
    let before = record("visit", &[("on", "2020-03-28"), ("note", "x")]);
    let after = record("visit", &[("on", "2020-03-28"), ("note", "y")]);
    engine.apply(&[fact("visit", "a", None, Some(&before))], at(1));
    assert!(engine.apply(&[fact("visit", "a", Some(&before), Some(&after))], at(2)).is_empty());
    assert_eq!(figure(&engine, "visits_by_day", "2020-03-28").touched, Some(at(1)));
}

#[test]
fn a_moment_lies_in_the_day_of_the_unit() {
    let mut engine = engine();
    // Rome is an hour ahead in winter and two in summer, which begins on 2020-03-29.
    for (name, moment) in [("a", "2020-03-28T23:30:00Z"), ("b", "2020-03-30T22:30:00Z")] {
        let seen = record("visit", &[("seen_at", moment)]);
        engine.apply(&[fact("visit", name, None, Some(&seen))], at(1));
    }
    assert_eq!(shown(&engine, "seen_by_day", "2020-03-29"), [". = 1/1"]);
    assert_eq!(shown(&engine, "seen_by_day", "2020-03-31"), [". = 1/1"]);
    assert!(shown(&engine, "seen_by_day", "2020-03-28").is_empty());
}

#[test]
fn a_hospital_that_moves_takes_its_visits_along() {
    let mut engine = engine();
    let north = record("hospital", &[("district", "north")]);
    let south = record("hospital", &[("district", "south")]);
    let visit = [("on", "2020-03-28"), ("hospital", "h"), ("state", "open"), ("age", "3")];
    let visit = record("visit", &visit);
    engine.apply(&[fact("visit", "a", None, Some(&visit))], at(1));
    assert_eq!(shown(&engine, "by_district", "2020-03-28"), [".|| = 1/1"]);
    engine.apply(&[fact("hospital", "h", None, Some(&north))], at(2));
    assert_eq!(shown(&engine, "by_district", "2020-03-28"), [".|north| = 1/1"]);
    let dirty = engine.apply(&[fact("hospital", "h", Some(&north), Some(&south))], at(3));
    assert_eq!(shown(&engine, "by_district", "2020-03-28"), [".|south| = 1/1"]);
    assert!(dirty.contains(&"by_district".parse().unwrap(), "2020-03-28".parse().unwrap()));
    assert_eq!(figure(&engine, "by_district", "2020-03-28").touched, Some(at(3)));
    assert_eq!(shown(&engine, "by_hospital", "2020-W13"), [".|h = 3/3"]);
}

#[test]
fn zero_needs_a_report() {
    let mut engine = engine();
    let empty = figure(&engine, "visits_by_day", "2020-03-28");
    assert!(!empty.closed && empty.table.rows.is_empty() && empty.touched.is_none());
    let close = |source: &str, period: &str| closure(source, "visit", period);
    let facts = [close("ward", "2020-03-28"), close("lab", "2020-03-28"), close("lab", "2020-W12")];
    let dirty = engine.apply(&facts, at(1));
    let closed = figure(&engine, "visits_by_day", "2020-03-28");
    assert!(closed.closed);
    assert_eq!((closed.sources_reported, closed.sources_known), (2, 2));
    assert!(dirty.contains(&"visits_by_day".parse().unwrap(), "2020-03-28".parse().unwrap()));
    assert!(dirty.contains(&"visits_by_day".parse().unwrap(), "2020-03-16".parse().unwrap()));
    // The week of Monday 16 was closed as such, that of 23 only on its Saturday.
    assert!(figure(&engine, "by_hospital", "2020-W12").closed);
    assert!(!figure(&engine, "by_hospital", "2020-W13").closed);
    let days = ["2020-03-23", "2020-03-24", "2020-03-25", "2020-03-26", "2020-03-27", "2020-03-29"];
    engine.apply(&days.map(|day| close("ward", day)), at(2));
    let week = figure(&engine, "by_hospital", "2020-W13");
    assert!(week.closed && week.table.rows.is_empty());
    assert_eq!((week.sources_reported, week.sources_known), (1, 2));
    assert!(!figure(&engine, "visits_by_day", "2020-03-30").closed);
    assert!(figure(&engine, "visits_now", "now").closed);
    let withdrawn = Fact {
        before: close("ward", "2020-03-28").after,
        after: None,
        ..close("ward", "2020-03-28")
    };
    engine.apply(&[withdrawn], at(3));
    assert_eq!(figure(&engine, "visits_by_day", "2020-03-28").sources_reported, 1);
}

#[test]
fn a_stock_counts_by_its_latest_reading_until_it_is_too_old() {
    let mut engine = engine();
    let reading = |day: &str, amount: &str| {
        record("stock", &[("item", "mask"), ("counted_on", day), ("amount", amount)])
    };
    let (early, late) = (reading("2020-03-20", "10"), reading("2020-03-22", "7"));
    engine.apply(&[fact("stock", "a", None, Some(&early))], at(1));
    engine.apply(
        &[fact("stock", "b", None, Some(&late)), closure("depot", "stock", "2020-03-26")],
        at(2),
    );
    assert_eq!(shown(&engine, "stock_by_day", "2020-03-21"), [".|mask = 10/1"]);
    assert_eq!(shown(&engine, "stock_by_day", "2020-03-24"), [".|mask = 7/1"]);
    assert!(shown(&engine, "stock_by_day", "2020-03-25").is_empty());
    assert!(shown(&engine, "stock_by_day", "2020-03-19").is_empty());
    // A correction shows in every day in which the reading counts, but not in the future.
    let corrected = reading("2020-03-22", "8");
    let dirty = engine.apply(&[fact("stock", "b", Some(&late), Some(&corrected))], at(3));
    let days: Vec<String> = dirty
        .iter()
        .filter(|(indicator, _)| indicator.as_str() == "stock_by_day")
        .map(|(_, period)| period.to_string())
        .collect();
    assert_eq!(days, ["2020-03-22", "2020-03-23", "2020-03-24"]);
    assert_eq!(figure(&engine, "stock_by_day", "2020-03-24").touched, Some(at(3)));
    let dirty = engine.apply(&[fact("stock", "b", Some(&corrected), None)], at(4));
    assert!(dirty.contains(&"stock_by_day".parse().unwrap(), "2020-03-23".parse().unwrap()));
    assert_eq!(shown(&engine, "stock_by_day", "2020-03-22"), [".|mask = 10/1"]);
}

#[test]
fn a_present_stock_grows_old_with_the_day() {
    let mut engine = engine();
    let moment = "2020-03-31T10:00:00Z";
    let reading = record("stock", &[("item", "bed"), ("counted_at", moment), ("amount", "5")]);
    engine.apply(&[fact("stock", "a", None, Some(&reading))], at(1));
    let on = |today: Date| {
        let figure = engine.table(&"stock_now".parse().unwrap(), Period::Now, today).unwrap();
        rows(&figure.table)
    };
    assert!(on(date(2020, 3, 30)).is_empty());
    assert_eq!(on(date(2020, 3, 31)), [". = 5/5"]);
    assert_eq!(on(date(2020, 4, 2)), [". = 5/5"]);
    assert!(on(date(2020, 4, 3)).is_empty());
}

#[test]
fn an_overflow_is_an_error_of_that_figure_and_passes_with_its_cause() {
    let mut engine = engine();
    let huge = record("visit", &[("on", "2020-03-28"), ("weight", &i64::MAX.to_string())]);
    let facts = ["a", "b"].map(|name| fact("visit", name, None, Some(&huge)));
    engine.apply(&facts, at(1));
    let asked =
        engine.table(&"weight_by_month".parse().unwrap(), "2020-03".parse().unwrap(), TODAY);
    assert!(matches!(asked, Err(FigureError::Overflow { .. })), "{asked:?}");
    assert_eq!(shown(&engine, "visits_by_day", "2020-03-28"), [".| = 2/2"]);
    engine.apply(&[fact("visit", "b", Some(&huge), None)], at(2));
    assert_eq!(shown(&engine, "weight_by_month", "2020-03"), [format!(". = {}/1", i64::MAX)]);
}

#[test]
fn wrong_questions_and_contradicting_facts_are_errors() {
    let mut engine = engine();
    let ask = |engine: &Engine, name: &str, period: &str| {
        engine.table(&name.parse().unwrap(), period.parse().unwrap(), TODAY).unwrap_err()
    };
    assert!(matches!(ask(&engine, "nothing", "now"), FigureError::Unknown(_)));
    assert!(matches!(ask(&engine, "visits_by_day", "2020-03"), FigureError::Step { .. }));
    let visit = record("visit", &[("on", "2020-03-28")]);
    engine.apply(&[fact("visit", "a", Some(&visit), None)], at(1));
    let error = ask(&engine, "visits_by_day", "2020-03-28");
    assert!(matches!(error, FigureError::Inconsistent { .. }));
    assert!(Engine::new(&schema(), &catalogue(), "Europe/Nowhere").is_err());
    let other = SCHEMA.replace("weight", "mass");
    let other = Schema::parse("schema.toml", &other).unwrap();
    let error = Engine::new(&other, &catalogue(), ZONE).err().unwrap();
    assert!(error.to_string().contains("`weight`"), "{error}");
}

#[test]
fn too_many_rows_are_an_error() {
    let mut engine = engine();
    let facts: Vec<Fact> = (0..=reeve_statement::limits::TABLE_ROWS)
        .map(|n| {
            let hospital = format!("h{n}");
            let visit = [("on", "2020-03-28"), ("hospital", hospital.as_str()), ("age", "1")];
            let visit = record("visit", &visit);
            fact("visit", &format!("v{n}"), None, Some(&visit))
        })
        .collect();
    engine.apply(&facts, at(1));
    let asked = engine.table(&"by_hospital".parse().unwrap(), "2020-W13".parse().unwrap(), TODAY);
    assert!(matches!(asked, Err(FigureError::TooManyRows { found: 10_001, .. })), "{asked:?}");
}

#[test]
fn pages_of_other_definitions_damaged_or_missing_are_refused() {
    let mut engine = engine();
    let visit = record("visit", &[("on", "2020-03-28"), ("state", "open")]);
    engine.apply(&[fact("visit", "a", None, Some(&visit))], at(1));
    let pages = engine.changed_pages();
    assert!(engine.changed_pages().is_empty());
    let fresh = || Engine::new(&schema(), &catalogue(), ZONE).unwrap();
    assert_eq!(fresh().finish_loading(), Err(PageError::Missing));
    for without in 0..pages.len() {
        let mut partly = fresh();
        for (index, (key, page)) in pages.iter().enumerate() {
            if index != without {
                partly.load_page(key, page.as_ref().unwrap()).unwrap();
            }
        }
        assert_eq!(partly.finish_loading(), Err(PageError::Missing), "without page {without}");
    }
    let changed = CATALOGUE.replace("at_least = 3", "at_least = 4");
    let changed = crate::catalogue::parse("c.toml", &changed, &schema()).unwrap();
    let titled = CATALOGUE.replace("title = \"Visits\"", "title = \"All visits\"");
    let titled = crate::catalogue::parse("c.toml", &titled, &schema()).unwrap();
    assert_ne!(titled, catalogue());
    let (key, page) = pages.first().unwrap();
    let page = page.as_ref().unwrap();
    let load = |catalogue: &Catalogue, zone: &str, key: &[u8], page: &[u8]| {
        Engine::new(&schema(), catalogue, zone).unwrap().load_page(key, page)
    };
    assert_eq!(load(&titled, ZONE, key, page), Ok(()));
    assert_eq!(load(&changed, ZONE, key, page), Err(PageError::Stale));
    assert_eq!(load(&catalogue(), "UTC", key, page), Err(PageError::Stale));
    for end in 0..page.len() {
        assert!(load(&catalogue(), ZONE, key, page.get(..end).unwrap()).is_err());
    }
    for bad in [&[][..], &[9, 0, 0, 0, 0, 0, 0], &[1, 255, 255, 0, 0, 0, 0], &[1, 0, 0, 0]] {
        assert!(load(&catalogue(), ZONE, bad, page).is_err());
    }
}

proptest::proptest! {
    #[test]
    fn no_page_makes_the_decoder_panic(
        section in 0_u8..6,
        index in 0_u8..20,
        body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
    ) {
        let mut engine = engine();
        let mut page = Vec::new();
        minicbor::Encoder::new(&mut page).bytes(engine.seal.as_bytes()).unwrap();
        page.extend(body);
        let _ = engine.load_page(&[section, 0, index, 0, 0, 0, 1], &page);
        for name in engine.indicators().map(|indicator| indicator.id.clone()).collect::<Vec<_>>() {
            for period in engine.periods(&name).into_iter().take(50) {
                let _ = engine.table(&name, period, TODAY);
            }
        }
    }
}

#[test]
fn a_day_ends_at_the_cut_off_hour_of_the_units_clock() {
    let mut engine = Engine::new(&schema(), &world::catalogue_with(Some(18)), ZONE).unwrap();
    // Rome is an hour ahead of UTC before 2020-03-29, two hours from then on.
    let seen = ["2020-03-25T16:59:59Z", "2020-03-25T17:00:00Z", "2020-03-30T15:59:59Z"];
    for (name, at) in ["a", "b", "c"].into_iter().zip(seen) {
        let record = record("visit", &[("seen_at", at), ("on", "2020-03-25")]);
        engine.apply(&[fact("visit", name, None, Some(&record))], Timestamp::from_seconds(1));
    }
    let total = |indicator: &str, day: &str| {
        figure(&engine, indicator, day).table.total().unwrap().value.lo()
    };
    assert_eq!(total("seen_by_day", "2020-03-25"), 1);
    assert_eq!(total("seen_by_day", "2020-03-26"), 1, "18:00 is the next day");
    assert_eq!(total("seen_by_day", "2020-03-30"), 1);
    assert_eq!(total("visits_by_day", "2020-03-25"), 3, "dates are not moved");
}

#[test]
fn a_cut_off_is_part_of_the_definitions_that_it_bears_on_and_of_no_other() {
    let (plain, cut) = (catalogue(), world::catalogue_with(Some(18)));
    let bears_on = ["cost_by_week", "seen_by_day", "stock_by_week"];
    for (one, other) in plain.indicators.iter().zip(&cut.indicators) {
        let differs = one.definition() != other.definition();
        assert_eq!(differs, bears_on.contains(&one.id.as_str()), "{}", one.id);
    }
    let bytes = reeve_statement::cbor::to_vec(&cut);
    assert_eq!(reeve_statement::cbor::from_slice("catalogue", &bytes, bytes.len()), Ok(cut));
}
