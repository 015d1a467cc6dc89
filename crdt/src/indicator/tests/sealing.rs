//! Sealed periods: their tables stand when the records go, whatever comes later and after any restart.

use std::sync::Arc;

use super::*;

fn visits() -> Vec<Fact> {
    let visit = |name: &str, on: &str, left: &str| {
        let record = record(
            "visit",
            &[("on", on), ("seen_at", left), ("state", "open"), ("age", "5"), ("cost", "1.0")],
        );
        fact("visit", name, None, Some(&record))
    };
    vec![
        visit("a", "2020-02-03", "2020-02-03T10:00:00Z"),
        visit("b", "2020-02-03", "2020-03-20T10:00:00Z"),
        visit("c", "2020-03-05", "2020-03-05T10:00:00Z"),
        closure("office", "visit", "2020-02-03"),
    ]
}

/// Seals the visits before a day, and gives what is to be kept.
fn sealed(engine: &mut Engine, before: Date) -> Arc<Sealed> {
    let mut sealed = Sealed::default();
    let visit = "visit".parse().unwrap();
    for table in engine.seal(&visit, before, TODAY) {
        sealed.keep(table);
    }
    sealed.before(&visit, before);
    let sealed = Arc::new(sealed);
    engine.set_sealed(Arc::clone(&sealed));
    sealed
}

const PERIODS: [(&str, &str); 4] = [
    ("visits_by_day", "2020-02-03"),
    ("least_cost", "2020-02-03"),
    ("weight_by_month", "2020-02"),
    ("seen_by_day", "2020-02-03"),
];

#[test]
fn tables_of_sealed_periods_stand_when_their_records_go() {
    let mut engine = engine();
    let facts = visits();
    engine.apply(&facts, at(1));
    let before: Vec<OwnFigure> = PERIODS.iter().map(|(i, p)| figure(&engine, i, p)).collect();
    let sealed = sealed(&mut engine, date(2020, 3, 1));
    let shown_now = shown(&engine, "visits_now", "now");
    // The first one goes: it is out of what is present, and in the figures of its periods.
    let gone = Fact { before: facts[0].after.clone(), after: None, ..facts[0].clone() };
    let dirty = engine.apply(&[gone], at(2));
    assert!(dirty.iter().all(|(_, period)| period == Period::Now), "{dirty:?}");
    assert_ne!(shown(&engine, "visits_now", "now"), shown_now);
    let after: Vec<OwnFigure> = PERIODS.iter().map(|(i, p)| figure(&engine, i, p)).collect();
    assert_eq!(after, before);
    assert!(before[0].closed && rows(&before[0].table) == [".|open = 2/2"]);
    // The second one is kept and changes: its sealed period stands, the other one does not.
    let changed = record("visit", &[("on", "2020-02-03"), ("seen_at", "2020-03-21T10:00:00Z")]);
    let was = facts[1].after.as_ref().unwrap();
    engine.apply(&[fact("visit", "b", Some(was), Some(&changed))], at(3));
    assert_eq!(figure(&engine, "visits_by_day", "2020-02-03"), before[0]);
    assert_eq!(shown(&engine, "seen_by_day", "2020-03-21"), [". = 1/1"]);
    // Counted anew from what is left, and out of pages.
    let mut anew = super::engine();
    anew.set_sealed(Arc::clone(&sealed));
    anew.begin_with_left(at(4));
    anew.apply(
        &[fact("visit", "b", None, Some(&changed)), facts[2].clone(), facts[3].clone()],
        at(4),
    );
    let mut loaded = super::engine();
    for (key, page) in engine.changed_pages() {
        if let Some(page) = page {
            loaded.load_page(&key, &page).unwrap();
        }
    }
    loaded.finish_loading().unwrap();
    loaded.set_sealed(sealed);
    for engine in [&anew, &loaded] {
        let shown: Vec<OwnFigure> = PERIODS.iter().map(|(i, p)| figure(engine, i, p)).collect();
        assert_eq!(shown, before);
        assert!(
            engine
                .periods(&"weight_by_month".parse().unwrap())
                .contains(&"2020-02".parse().unwrap())
        );
        assert_eq!(super::shown(engine, "visits_by_day", "2020-03-05"), [".|open = 1/1"]);
    }
}

#[test]
fn a_period_that_nothing_was_known_of_when_it_was_sealed_has_no_figure() {
    let mut engine = engine();
    engine.apply(&visits(), at(1));
    sealed(&mut engine, date(2020, 3, 1));
    let asked =
        engine.table(&"visits_by_day".parse().unwrap(), "2020-02-04".parse().unwrap(), TODAY);
    assert!(matches!(asked, Err(FigureError::Sealed { .. })), "{asked:?}");
    assert!(figure(&engine, "visits_by_day", "2020-03-04").table.rows.is_empty());
}

#[test]
fn no_running_period_is_sealed() {
    let engine = engine();
    let visit = "visit".parse().unwrap();
    let day = |before: Date, today: Date| engine.sealable_before(&visit, before, today);
    assert_eq!(day(date(2020, 2, 12), TODAY), date(2020, 2, 12), "all of February is over");
    // March is running, and so is the second week of it.
    assert_eq!(day(date(2020, 3, 10), date(2020, 3, 11)), date(2020, 3, 1));
    // In February so is the week that begins in January.
    assert_eq!(day(date(2020, 2, 2), date(2020, 2, 2)), date(2020, 1, 27));
    assert_eq!(day(date(2021, 1, 1), TODAY), date(2020, 3, 30), "nothing is sealed ahead");
}

#[test]
fn a_record_that_is_erased_leaves_what_it_counted_for_and_nothing_else() {
    let mut engine = engine();
    let facts = visits();
    engine.apply(&facts, at(1));
    let before = figure(&engine, "visits_by_day", "2020-03-05");
    let gone = Fact { before: facts[2].after.clone(), after: None, ..facts[2].clone() };
    let (dirty, left) = engine.erase(&gone, at(2));
    assert!(dirty.iter().all(|(_, period)| period == Period::Now), "{dirty:?}");
    assert_eq!(figure(&engine, "visits_by_day", "2020-03-05"), before);
    let mut sealed = Sealed::default();
    for left in left {
        assert_eq!(sealed.leave(left).1, 1);
    }
    let mut anew = super::engine();
    anew.set_sealed(Arc::new(sealed));
    anew.begin_with_left(at(3));
    anew.apply(&[facts[0].clone(), facts[1].clone(), facts[3].clone()], at(3));
    for (indicator, period) in [("visits_by_day", "2020-03-05"), ("least_cost", "2020-03-05")] {
        let table = figure(&engine, indicator, period).table;
        assert_eq!(figure(&anew, indicator, period).table, table, "{indicator}");
    }
    assert_eq!(shown(&anew, "visits_now", "now"), shown(&engine, "visits_now", "now"));
}
