//! Sequences of operations: bytes become inserts, changes, deletes, closures and restarts of the
//! indicators' engine, and every figure is held against a recount of all records.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use reeve_crdt::indicator::Engine;
use reeve_crdt::record::{Fact, Record, RecordId, Value};
use reeve_crdt::schema::{Closure, Schema};
use reeve_statement::bounds::Cell;
use reeve_statement::catalogue::Catalogue;
use reeve_statement::names::{IndicatorId, KindId};
use reeve_statement::period::Period;
use reeve_statement::table::RowKey;
use reeve_statement::time::Timestamp;

const SCHEMA: &str = r#"
[schema]
name = "t"
version = 1
[kind.visit]
twin = "emergency"
field.on = { type = "date" }
field.state = { type = "enum", values = ["open", "closed", "lost"] }
field.age = { type = "integer", min = 0, max = 9 }
field.weight = { type = "integer", min = -9223372036854775808, max = 9223372036854775807 }
"#;

const CATALOGUE: &str = r#"
[catalogue]
version = 1
[indicator.by_state]
kind = "visit"
basis = "report"
period = { field = "on", step = "day" }
group_by = ["state"]
measure = "count"
[indicator.weight]
kind = "visit"
basis = "report"
period = { field = "on", step = "day" }
measure = "sum(weight)"
where = { state = { in = ["open", "lost"] } }
[indicator.youngest]
kind = "visit"
basis = "report"
period = { field = "on", step = "day" }
group_by = ["state"]
measure = "min(age)"
"#;

/// Days that records and closures are about: few, so that operations meet.
const DAYS: [&str; 4] = ["2026-02-26", "2026-02-27", "2026-02-28", "2026-03-01"];
const STATES: [&str; 3] = ["open", "closed", "lost"];
const TODAY: &str = "2026-03-01";
/// Most operations of one input: what a figure costs to recount grows with them.
const OPERATIONS: usize = 200;

type Records = BTreeMap<RecordId, Record>;

fn fixture() -> &'static (Schema, Catalogue) {
    static FIXTURE: OnceLock<(Schema, Catalogue)> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let schema = Schema::parse("t.toml", SCHEMA).unwrap();
        let catalogue = reeve_crdt::catalogue::parse("c.toml", CATALOGUE, &schema).unwrap();
        (schema, catalogue)
    })
}

fn engine() -> Engine {
    let (schema, catalogue) = fixture();
    Engine::new(schema, catalogue, "Europe/Rome").unwrap()
}

fn visit() -> KindId {
    KindId::new("visit").unwrap()
}

/// A record from three bytes.
fn record(day: u8, state: u8, numbers: u8) -> Record {
    let (schema, _) = fixture();
    let kind = schema.kind("visit").unwrap();
    let weight = match numbers % 8 {
        6 => i64::MAX.to_string(),
        7 => i64::MIN.to_string(),
        small => small.to_string(),
    };
    let fields = [
        ("on", DAYS.get(usize::from(day % 5)).map(|it| (*it).to_owned())),
        ("state", STATES.get(usize::from(state % 4)).map(|it| (*it).to_owned())),
        ("age", (numbers & 0x80 == 0).then(|| (numbers % 10).to_string())),
        ("weight", Some(weight)),
    ];
    let mut record = Record::new();
    for (name, text) in fields {
        let Some(text) = text else { continue };
        let field = kind.field(name).unwrap();
        record.set(field.id.clone(), Value::parse(&field.field_type, &text).unwrap());
    }
    record
}

/// The state of one run: the engine, what it stored, and what the oracle knows.
struct Run {
    engine: Engine,
    stored: BTreeMap<Vec<u8>, Vec<u8>>,
    records: Records,
    closures: Records,
    moment: i64,
}

impl Run {
    fn apply(&mut self, fact: Fact) {
        self.moment += 1;
        self.engine.apply(&[fact], Timestamp::from_seconds(self.moment));
    }

    fn put(&mut self, name: u8, after: Option<Record>) {
        let id = RecordId::new(&format!("visit {}", name % 16)).unwrap();
        let before = match &after {
            Some(record) => self.records.insert(id.clone(), record.clone()),
            None => self.records.remove(&id),
        };
        self.apply(Fact { kind: visit(), id, before, after });
    }

    fn close(&mut self, day: u8, source: u8, closed: bool) {
        let closure = Closure {
            source: format!("source {}", source % 3),
            kind: visit(),
            period: DAYS[usize::from(day % 4)].parse().unwrap(),
            closed_at: Timestamp::from_seconds(0),
            file_hash: None,
            reason: None,
        };
        let id = closure.id().unwrap();
        let after = closed.then(|| closure.to_record());
        let before = match &after {
            Some(record) => self.closures.insert(id.clone(), record.clone()),
            None => self.closures.remove(&id),
        };
        self.apply(Fact { kind: KindId::new("closure").unwrap(), id, before, after });
    }

    fn store(&mut self) {
        for (key, page) in self.engine.changed_pages() {
            match page {
                Some(page) => drop(self.stored.insert(key, page)),
                None => drop(self.stored.remove(&key)),
            }
        }
    }

    fn restart(&mut self) {
        self.store();
        let mut engine = engine();
        for (key, page) in &self.stored {
            engine.load_page(key, page).expect("a page that was just stored");
        }
        engine.finish_loading().expect("pages of one moment");
        self.engine = engine;
    }

    /// Every figure is what a recount of all records comes to.
    fn invariant_figures_are_recounted(&self) {
        for indicator in ["by_state", "weight", "youngest"] {
            for day in DAYS {
                let period: Period = day.parse().unwrap();
                let id = IndicatorId::new(indicator).unwrap();
                let found = self.engine.table(&id, period, TODAY.parse().unwrap());
                match (found, self.recount(indicator, day)) {
                    (Ok(found), Some(rows)) => {
                        assert_eq!(found.table.rows, rows, "{indicator} {day}");
                        assert_eq!(found.closed, self.closed(day), "{indicator} {day}");
                    }
                    (Err(_), None) => {}
                    (found, expected) => panic!("{indicator} {day}: {found:?}, {expected:?}"),
                }
            }
        }
    }

    fn closed(&self, day: &str) -> bool {
        let of = |record: &Record| Closure::from_record(record).map(|it| it.period.to_string());
        self.closures.values().filter_map(of).any(|period| period == day)
    }

    /// The naive way; none if a sum does not fit.
    fn recount(&self, indicator: &str, day: &str) -> Option<BTreeMap<RowKey, Cell>> {
        let word = |record: &Record, field: &str| {
            record.get(field).and_then(Value::as_text).unwrap_or_default().to_owned()
        };
        let number = |record: &Record, field: &str| record.get(field).and_then(Value::as_number);
        let on = |record: &&Record| matches!(record.get("on"), Some(Value::Date(date)) if date.to_string() == day);
        let mut groups: BTreeMap<Vec<String>, Vec<i64>> = BTreeMap::new();
        for record in self.records.values().filter(on) {
            let state = word(record, "state");
            let (dims, value) = match indicator {
                "by_state" => (vec![state], Some(1)),
                "weight" if ["open", "lost"].contains(&state.as_str()) => {
                    (Vec::new(), number(record, "weight"))
                }
                "youngest" => (vec![state], number(record, "age")),
                _ => continue,
            };
            if let Some(value) = value {
                groups.entry(dims).or_default().push(value);
            }
        }
        let mut rows = BTreeMap::new();
        for (dims, values) in groups {
            let sum: i128 = values.iter().copied().map(i128::from).sum();
            let value = match indicator {
                "youngest" => *values.iter().min()?,
                _ => i64::try_from(sum).ok()?,
            };
            let records = i64::try_from(values.len()).ok()?;
            let area = reeve_statement::table::Area::default();
            rows.insert(RowKey { area, dims }, Cell::exact(value, records));
        }
        Some(rows)
    }
}

/// Operations on the engine, four bytes each.
pub fn operations(bytes: &[u8]) {
    let mut run = Run {
        engine: engine(),
        stored: BTreeMap::new(),
        records: BTreeMap::new(),
        closures: BTreeMap::new(),
        moment: 0,
    };
    for (number, operation) in bytes.chunks_exact(4).take(OPERATIONS).enumerate() {
        let [what, a, b, c] = *operation else { return };
        match what % 8 {
            0..=3 => run.put(a, Some(record(b, c, what ^ c))),
            4 => run.put(a, None),
            5 => run.close(a, b, c & 1 == 0),
            6 => run.store(),
            _ => run.restart(),
        }
        if number % 16 == 15 {
            run.invariant_figures_are_recounted();
        }
    }
    run.invariant_figures_are_recounted();
    run.restart();
    run.invariant_figures_are_recounted();
}

/// A stored page of another home, or a damaged one: refused, or read; never a panic.
pub fn page(bytes: &[u8]) {
    let (key, page) = bytes.split_at(bytes.len().min(24));
    let mut engine = engine();
    let _ = engine.load_page(key, page);
    let _ = engine.finish_loading();
    let listed: BTreeSet<Period> = engine.periods(&IndicatorId::new("by_state").unwrap());
    for period in listed.into_iter().take(8) {
        let id = IndicatorId::new("by_state").unwrap();
        let _ = engine.table(&id, period, TODAY.parse().unwrap());
    }
}

/// Seeds of [`operations`].
pub fn operation_seeds() -> Vec<Vec<u8>> {
    let week: Vec<u8> = (0..120_u8).map(|n| n.wrapping_mul(37)).collect();
    let one = vec![0, 1, 2, 0, 5, 2, 0, 0, 7, 0, 0, 0, 4, 1, 0, 0];
    let extreme = vec![0, 1, 2, 6, 0, 2, 2, 6, 1, 3, 2, 7, 7, 0, 0, 0, 4, 1, 0, 0];
    vec![week, one, extreme]
}

/// Seeds of [`page`]: a key of 24 bytes, as far as it goes, and the page.
pub fn page_seeds() -> Vec<Vec<u8>> {
    let mut engine = engine();
    let fact = |name: &str, day, state| Fact {
        kind: visit(),
        id: RecordId::new(name).unwrap(),
        before: None,
        after: Some(record(day, state, 3)),
    };
    engine.apply(&[fact("1", 0, 0), fact("2", 1, 1)], Timestamp::from_seconds(1));
    let stored = engine.changed_pages();
    let seed = |(key, page): (Vec<u8>, Option<Vec<u8>>)| {
        let mut bytes = key;
        bytes.resize(24, 0);
        Some([bytes, page?].concat())
    };
    stored.into_iter().filter_map(seed).collect()
}
