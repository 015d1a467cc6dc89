//! The outbreak through the pack's schema and catalogue: figures of one municipality, held against a
//! count by hand.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use jiff::civil::Date;
use reeve_crdt::catalogue;
use reeve_crdt::indicator::{Engine, OwnFigure};
use reeve_crdt::record::{Fact, Record, RecordId};
use reeve_crdt::schema::{Closure, Schema};
use reeve_examples::epidemic::{
    CATALOGUE, Change, Event, FieldValue, Fields, Holdings, Outbreak, SCHEMA, Topology,
};
use reeve_statement::names::KindId;
use reeve_statement::period::{Period, Step};
use reeve_statement::time::Timestamp;

const DAYS: u32 = 60;
const AT: Timestamp = Timestamp::from_seconds(1_772_604_000);

/// The first municipality of an outbreak, in the engine and by hand.
struct Town {
    schema: Schema,
    engine: Engine,
    held: BTreeMap<(KindId, RecordId), Record>,
    holdings: Holdings,
    today: Date,
}

impl Town {
    fn new() -> Self {
        let schema = Schema::parse("schema.toml", SCHEMA).unwrap();
        let catalogue = catalogue::parse("catalogue.toml", CATALOGUE, &schema).unwrap();
        let engine = Engine::new(&schema, &catalogue, "Europe/Rome").unwrap();
        let (held, holdings) = (BTreeMap::new(), Holdings::default());
        let today = "2026-03-02".parse().unwrap();
        let mut town = Self { schema, engine, held, holdings, today };
        let topology = Topology::nation("atlantis", 1, 2).unwrap();
        let mut outbreak = Outbreak::new(21, &topology, town.today);
        for day in 0..DAYS {
            town.today = outbreak.date(day);
            town.live(outbreak.day(day).first().unwrap());
        }
        town
    }

    /// Takes a day's events, and closes the day for every kind.
    fn live(&mut self, events: &[Event]) {
        self.holdings.apply(events);
        for event in events {
            let kind = self.schema.kind(event.kind).unwrap();
            let json = event.to_json();
            let record = json.map(|json| Record::from_json(kind, &json).unwrap());
            let record = record.map(|record| kind.validate(record).unwrap().into_record());
            let (kind, id) = (kind.id.clone(), RecordId::new(&event.id).unwrap());
            self.put(kind, id, record);
        }
        for kind in ["case", "facility", "supply_stock", "team", "isolation_place"] {
            let closure = Closure {
                source: "office".to_owned(),
                kind: kind.parse().unwrap(),
                period: Period::Day(self.today),
                closed_at: AT,
                file_hash: None,
                reason: None,
            };
            let id = closure.id().unwrap();
            self.put("closure".parse().unwrap(), id, Some(closure.to_record()));
        }
    }

    fn put(&mut self, kind: KindId, id: RecordId, after: Option<Record>) {
        let key = (kind.clone(), id.clone());
        let before = match &after {
            Some(record) => self.held.insert(key, record.clone()),
            None => self.held.remove(&key),
        };
        self.engine.apply(&[Fact { kind, id, before, after }], AT);
    }

    fn figure(&self, indicator: &str, period: Period) -> OwnFigure {
        self.engine.table(&indicator.parse().unwrap(), period, self.today).unwrap()
    }

    fn value(&self, indicator: &str, period: Period) -> i64 {
        let figure = self.figure(indicator, period);
        assert!(figure.closed, "{indicator} {period}");
        figure.table.total().unwrap().value.lo()
    }

    fn count(&self, kind: &str, holds: impl Fn(&Fields) -> bool) -> i64 {
        let count = self.holdings.of(kind).filter(|(_, fields)| holds(fields)).count();
        i64::try_from(count).unwrap()
    }
}

fn text<'a>(fields: &'a Fields, name: &str) -> &'a str {
    match fields.get(name) {
        Some(FieldValue::Text(text)) => text,
        _ => "",
    }
}

fn number(fields: &Fields, name: &str) -> i64 {
    match fields.get(name) {
        Some(FieldValue::Integer(number)) => *number,
        _ => 0,
    }
}

fn is_confirmed(case: &Fields) -> bool {
    ["confirmed", "recovered", "died"].contains(&text(case, "status"))
}

#[test]
fn case_figures_are_those_of_the_line_list() {
    let town = Town::new();
    let (mut confirmed, mut deaths) = (0, 0);
    let mut day: Date = "2026-03-02".parse().unwrap();
    while day <= town.today {
        let on = day.to_string();
        let by_hand = town.count("case", |c| is_confirmed(c) && text(c, "reported_on") == on);
        assert_eq!(town.value("confirmed_by_day", Period::Day(day)), by_hand, "{on}");
        let died = town.count("case", |c| text(c, "died_on") == on);
        assert_eq!(town.value("deaths_by_day", Period::Day(day)), died, "{on}");
        (confirmed, deaths) = (confirmed + by_hand, deaths + died);
        day = day.tomorrow().unwrap();
    }
    assert!(confirmed > 500 && deaths > 5, "{confirmed} {deaths}");
    let suspected = town.count("case", |c| text(c, "status") == "suspected");
    assert_eq!(town.value("suspected_now", Period::Now), suspected);
    let inside = |c: &Fields| c.contains_key("admitted_on") && !c.contains_key("discharged_on");
    assert_eq!(town.value("hospitalised_now", Period::Now), town.count("case", inside));
}

#[test]
fn a_mean_is_a_sum_and_a_count() {
    let town = Town::new();
    let week = Period::of(Step::Week, "2026-04-08".parse().unwrap());
    let total = town.figure("mean_age_by_week", week).table.total().unwrap();
    let within = |case: &Fields| {
        let day: Date = text(case, "reported_on").parse().unwrap();
        is_confirmed(case) && Period::of(Step::Week, day) == week
    };
    let cases = town.holdings.of("case").filter(|(_, case)| within(case));
    let ages: Vec<i64> = cases.map(|(_, case)| number(case, "age")).collect();
    assert_eq!(total.contributors.lo(), i64::try_from(ages.len()).unwrap());
    assert_eq!(total.value.lo(), ages.iter().sum::<i64>());
    assert!((25..65).contains(&(total.value.lo() / total.contributors.lo())));
}

#[test]
fn stocks_count_by_the_latest_reading_of_the_last_three_days() {
    let town = Town::new();
    let mut latest: BTreeMap<(String, String), (Date, i64)> = BTreeMap::new();
    for (_, stock) in town.holdings.of("supply_stock") {
        let day: Date = text(stock, "counted_on").parse().unwrap();
        let key = (text(stock, "site").to_owned(), text(stock, "item").to_owned());
        let entry = latest.entry(key).or_insert((day, 0));
        if day >= entry.0 {
            *entry = (day, number(stock, "quantity"));
        }
    }
    let fresh = latest.iter().filter(|((_, item), (day, _))| {
        item.starts_with("mask") && day.until(town.today).unwrap().get_days() <= 3
    });
    let by_hand: i64 = fresh.map(|(_, (_, quantity))| quantity).sum();
    assert!(by_hand > 0);
    assert_eq!(town.value("masks_in_stock", Period::Day(town.today)), by_hand);
}

#[test]
fn beds_rooms_and_teams_are_as_they_stand() {
    let town = Town::new();
    let hospitals = || town.holdings.of("facility").filter(|(_, f)| text(f, "type") == "hospital");
    let free = || hospitals().map(|(_, hospital)| number(hospital, "beds_free"));
    assert_eq!(town.value("beds_free", Period::Now), free().sum::<i64>());
    assert_eq!(town.value("beds_free_least", Period::Now), free().min().unwrap());
    let rooms = town.holdings.of("isolation_place").map(|(_, place)| number(place, "rooms_free"));
    assert_eq!(town.value("isolation_rooms_free", Period::Now), rooms.sum::<i64>());
    let on_duty = |team: &Fields| team.get("on_duty") == Some(&FieldValue::Boolean(true));
    assert_eq!(town.value("teams_on_duty", Period::Now), town.count("team", on_duty));
    assert!(!town.figure("residents", Period::Now).closed, "nobody closed population groups");
}

#[test]
fn admissions_are_by_the_hospitals_health_district() {
    let town = Town::new();
    let period = Period::of(Step::Week, "2026-04-08".parse().unwrap());
    let figure = town.figure("admissions_by_health_district", period);
    let within = |case: &Fields| {
        let day = text(case, "admitted_on").parse::<Date>().ok();
        day.is_some_and(|day| Period::of(Step::Week, day) == period)
    };
    assert!(!figure.table.rows.is_empty());
    assert_eq!(figure.table.total().unwrap().value.lo(), town.count("case", within));
    assert!(figure.table.rows.keys().all(|row| row.dims.iter().all(|dim| !dim.is_empty())));
}

/// Deletions reach the figures as well: no duplicate counts for longer than it is there.
#[test]
fn something_was_deleted() {
    let topology = Topology::nation("atlantis", 1, 2).unwrap();
    let mut outbreak = Outbreak::new(21, &topology, "2026-03-02".parse().unwrap());
    let deleted = (0..DAYS).any(|day| {
        outbreak.day(day).first().unwrap().iter().any(|event| event.change == Change::Delete)
    });
    assert!(deleted);
}
