//! The engine against the oracle, over random histories of inserts, changes, deletes and restarts.

use proptest::prelude::*;

use super::naive::{Naive, Records, naive};
use super::world::{ZONE, catalogue_with, closure, id, record, schema};
use super::*;

const FIRST: Date = date(2020, 3, 20);
const DAYS: i64 = 20;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Event {
    Put { kind: &'static str, name: u8, values: Vec<Option<u8>> },
    Delete { kind: &'static str, name: u8 },
    Close { source: u8, kind: &'static str, step: u8, day: u8 },
    Reopen { source: u8, kind: &'static str, step: u8, day: u8 },
}

/// The fields of a kind and how a number becomes one of their values.
fn spelled(kind: &str, values: &[Option<u8>]) -> Record {
    let day = |n: u8| FIRST.saturating_add(jiff::Span::new().days(i64::from(n) % DAYS)).to_string();
    let moment =
        |n: u8| format!("{}T{:02}:30:00Z", day(n / 3), [0, 12, 22, 23][usize::from(n % 4)]);
    let among = |words: &[&str], n: u8| words[usize::from(n) % words.len()].to_owned();
    let big = |n: u8| match n % 9 {
        7 => i64::MAX.to_string(),
        8 => i64::MIN.to_string(),
        small => small.to_string(),
    };
    type Spell<'a> = Box<dyn Fn(u8) -> String + 'a>;
    let fields: Vec<(&str, Spell<'_>)> = match kind {
        "hospital" => vec![
            ("district", Box::new(|n| among(&["north", "south"], n))),
            ("public", Box::new(|n| among(&["true", "false"], n))),
        ],
        "visit" => vec![
            ("on", Box::new(day)),
            ("seen_at", Box::new(moment)),
            ("state", Box::new(|n| among(&["open", "closed", "lost"], n))),
            ("place", Box::new(|n| among(&["out-of-region", "unassigned"], n))),
            ("age", Box::new(|n| (n % 10).to_string())),
            ("age_band", Box::new(|n| among(&["young", "middle", "old"], n))),
            ("weight", Box::new(big)),
            ("cost", Box::new(|n| among(&["-2.0", "-1.5", "-0.1", "0", "0.3", "1.5", "1.6"], n))),
            ("urgent", Box::new(|n| among(&["true", "false"], n))),
            ("hospital", Box::new(|n| format!("hospital{}", n % 4))),
            ("note", Box::new(|n| format!("note {n}"))),
        ],
        _ => vec![
            ("item", Box::new(|n| among(&["mask", "bed"], n))),
            ("site", Box::new(|n| format!("hospital{}", n % 4))),
            ("counted_on", Box::new(day)),
            ("counted_at", Box::new(moment)),
            ("amount", Box::new(|n| (n % 10).to_string())),
        ],
    };
    let texts: Vec<(&str, String)> = fields
        .iter()
        .zip(values)
        .filter_map(|((name, spell), value)| Some((*name, spell((*value)?))))
        .collect();
    let texts: Vec<(&str, &str)> =
        texts.iter().map(|(name, text)| (*name, text.as_str())).collect();
    record(kind, &texts)
}

fn kinds() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("visit"), Just("visit"), Just("stock"), Just("hospital")]
}

fn events() -> impl Strategy<Value = Event> {
    let value = prop::option::weighted(0.85, any::<u8>());
    let values = prop::collection::vec(value, 11);
    let closing = || (0..3_u8, kinds(), 0..4_u8, any::<u8>());
    prop_oneof![
        8 => (kinds(), 0..6_u8, values)
            .prop_map(|(kind, name, values)| Event::Put { kind, name, values }),
        2 => (kinds(), 0..6_u8).prop_map(|(kind, name)| Event::Delete { kind, name }),
        2 => closing().prop_map(|(source, kind, step, day)| Event::Close { source, kind, step, day }),
        1 => closing().prop_map(|(source, kind, step, day)| Event::Reopen { source, kind, step, day }),
    ]
}

fn closed(source: u8, kind: &str, step: u8, day: u8) -> Fact {
    let day = FIRST.saturating_add(jiff::Span::new().days(i64::from(day) % DAYS));
    let step = [Step::Day, Step::Week, Step::Month, Step::Now][usize::from(step)];
    closure(&format!("s{source}"), kind, &Period::of(step, day).to_string())
}

/// Applies an event to the records, and says what it did.
fn happen(event: &Event, records: &mut Records) -> Option<Fact> {
    let (kind, id, after) = match event {
        Event::Put { kind, name, values } => {
            (kind.parse().unwrap(), id(&format!("{kind}{name}")), Some(spelled(kind, values)))
        }
        Event::Delete { kind, name } => (kind.parse().unwrap(), id(&format!("{kind}{name}")), None),
        Event::Close { source, kind, step, day } => {
            let fact = closed(*source, kind, *step, *day);
            (fact.kind, fact.id, fact.after)
        }
        Event::Reopen { source, kind, step, day } => {
            let fact = closed(*source, kind, *step, *day);
            (fact.kind, fact.id, None)
        }
    };
    let place = (kind.clone(), id.clone());
    let before = match &after {
        Some(after) => records.insert(place, after.clone()),
        None => records.remove(&place),
    };
    (before != after).then_some(Fact { kind, id, before, after })
}

fn periods_of(step: Step) -> BTreeSet<Period> {
    (-12..DAYS + 12)
        .map(|day| Period::of(step, FIRST.saturating_add(jiff::Span::new().days(day))))
        .collect()
}

type Figures = BTreeMap<(IndicatorId, Period), Naive>;

fn naive_figures(catalogue: &Catalogue, records: &Records) -> Figures {
    let zone = TimeZone::get(ZONE).unwrap();
    let of = |indicator: &Indicator| -> Vec<((IndicatorId, Period), Naive)> {
        periods_of(indicator.step)
            .into_iter()
            .map(|p| ((indicator.id.clone(), p), naive(indicator, records, p, TODAY, &zone)))
            .collect()
    };
    catalogue.indicators.iter().flat_map(of).collect()
}

fn engine_figures(engine: &Engine, catalogue: &Catalogue) -> Figures {
    let figure = |indicator: &IndicatorId, period| match engine.table(indicator, period, TODAY) {
        Ok(own) => Some(own),
        Err(FigureError::Overflow { .. }) => None,
        Err(error) => unreachable!("{error}"),
    };
    let mut figures = Figures::new();
    for indicator in &catalogue.indicators {
        for period in periods_of(indicator.step) {
            let own = figure(&indicator.id, period);
            let overflown = Naive { table: None, closed: false, sources: 0, known: 0 };
            let seen = own.map_or(overflown, |own| Naive {
                table: Some(own.table),
                closed: own.closed,
                sources: usize::try_from(own.sources_reported).unwrap(),
                known: usize::try_from(own.sources_known).unwrap(),
            });
            figures.insert((indicator.id.clone(), period), seen);
        }
    }
    figures
}

/// An overflown figure says nothing of closures.
fn comparable(figures: Figures) -> Figures {
    let blank = |figure: Naive| match figure.table {
        Some(_) => figure,
        None => Naive { table: None, closed: false, sources: 0, known: 0 },
    };
    figures.into_iter().map(|(key, figure)| (key, blank(figure))).collect()
}

fn invariant_what_changed_is_dirty(
    engine: &Engine,
    dirty: &Dirty,
    before: &Figures,
    after: &Figures,
) {
    for ((indicator, period), figure) in after {
        let was = before.get(&(indicator.clone(), *period)).unwrap();
        let differs = was.table != figure.table
            || was.closed != figure.closed
            || was.sources != figure.sources;
        if differs && engine.periods(indicator).contains(period) {
            assert!(dirty.contains(indicator, *period), "{indicator} {period} changed unnoticed");
        }
    }
}

fn invariant_nothing_is_unknown(engine: &Engine, figures: &Figures) {
    for ((indicator, period), figure) in figures {
        let stock = indicator.as_str().starts_with("stock");
        let something = figure.closed || figure.table.as_ref().is_none_or(|t| !t.rows.is_empty());
        if something && !stock {
            assert!(
                engine.periods(indicator).contains(period),
                "{indicator} {period} is not listed"
            );
        }
    }
}

fn restarted(catalogue: &Catalogue, stored: &BTreeMap<Vec<u8>, Vec<u8>>) -> Engine {
    let mut engine = Engine::new(&schema(), catalogue, ZONE).unwrap();
    for (key, page) in stored.iter().rev() {
        engine.load_page(key, page).unwrap();
    }
    engine.finish_loading().unwrap();
    engine
}

fn store(engine: &mut Engine, stored: &mut BTreeMap<Vec<u8>, Vec<u8>>) {
    for (key, page) in engine.changed_pages() {
        assert!(key.len() <= MAX_PAGE_KEY_BYTES);
        match page {
            Some(page) => drop(stored.insert(key, page)),
            None => drop(stored.remove(&key)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn the_engine_equals_the_oracle(
        batches in prop::collection::vec((prop::collection::vec(events(), 1..16), any::<bool>()), 1..8),
        cut_off in prop::sample::select(vec![None, Some(1), Some(14), Some(23)]),
    ) {
        let catalogue = catalogue_with(cut_off);
        let mut engine = Engine::new(&schema(), &catalogue, ZONE).unwrap();
        let mut records = Records::new();
        let mut stored = BTreeMap::new();
        let mut before = naive_figures(&catalogue, &records);
        for (round, (batch, restart)) in (1..).zip(batches) {
            let facts: Vec<Fact> = batch.iter().filter_map(|event| happen(event, &mut records)).collect();
            let dirty = engine.apply(&facts, Timestamp::from_seconds(round));
            let after = naive_figures(&catalogue, &records);
            prop_assert_eq!(&engine_figures(&engine, &catalogue), &comparable(after.clone()));
            invariant_what_changed_is_dirty(&engine, &dirty, &before, &after);
            invariant_nothing_is_unknown(&engine, &after);
            store(&mut engine, &mut stored);
            if restart {
                let reopened = restarted(&catalogue, &stored);
                for indicator in &catalogue.indicators {
                    prop_assert_eq!(reopened.periods(&indicator.id), engine.periods(&indicator.id));
                    for period in engine.periods(&indicator.id) {
                        prop_assert_eq!(
                            reopened.table(&indicator.id, period, TODAY),
                            engine.table(&indicator.id, period, TODAY)
                        );
                    }
                }
                engine = reopened;
            }
            before = after;
        }
        let all = records.into_iter().map(|((kind, id), record)| (kind, id, record));
        let rebuilt = Engine::rebuild(&schema(), &catalogue, ZONE, all, Timestamp::from_seconds(0)).unwrap();
        prop_assert_eq!(engine_figures(&rebuilt, &catalogue), comparable(before));
    }
}
