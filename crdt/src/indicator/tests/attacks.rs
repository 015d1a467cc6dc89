//! Absurd numbers: every measure over values at the limits is exact or refused, and never wraps.

use super::*;
use crate::record::{Record, RecordId, Value};
use crate::schema::Schema;

const SCHEMA: &str = r#"
[schema]
name = "t"
version = 1
[kind.count]
twin = "emergency"
field.on = { type = "date" }
field.n = { type = "integer", min = -9223372036854775808, max = 9223372036854775807 }
"#;

const CATALOGUE: &str = r#"
[catalogue]
version = 1
[indicator.total]
kind = "count"
basis = "report"
period = { field = "on", step = "day" }
measure = "sum(n)"
[indicator.average]
kind = "count"
basis = "report"
period = { field = "on", step = "day" }
measure = "mean(n)"
[indicator.least]
kind = "count"
basis = "report"
period = { field = "on", step = "day" }
measure = "min(n)"
[indicator.greatest]
kind = "count"
basis = "report"
period = { field = "on", step = "day" }
measure = "max(n)"
"#;

/// Twenty texts for one number; the last six are none.
const VALUES: [&str; 20] = [
    "-9223372036854775808",
    "-9223372036854775807",
    "-9007199254740993",
    "-9007199254740992",
    "-1",
    "0",
    "1",
    "9007199254740992",
    "9007199254740993",
    "1000000000000000000",
    "4611686018427387904",
    "9000000000000000000",
    "9223372036854775806",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "NaN",
    "1e18",
    "inf",
    "0x10",
];

fn engine_of(values: &[i64]) -> Engine {
    let schema = Schema::parse("t.toml", SCHEMA).unwrap();
    let catalogue = crate::catalogue::parse("c.toml", CATALOGUE, &schema).unwrap();
    let mut engine = Engine::new(&schema, &catalogue, "UTC").unwrap();
    let facts: Vec<Fact> = (0..).zip(values).map(|(number, value)| fact(number, *value)).collect();
    engine.apply(&facts, Timestamp::from_seconds(1));
    engine
}

fn fact(number: u32, value: i64) -> Fact {
    let mut record = Record::new();
    record.set("on".parse().unwrap(), Value::Date("2026-02-28".parse().unwrap()));
    record.set("n".parse().unwrap(), Value::Integer(value));
    let id = RecordId::new(&number.to_string()).unwrap();
    Fact { kind: "count".parse().unwrap(), id, before: None, after: Some(record) }
}

/// A figure's only value; none if it does not fit.
fn value_of(engine: &Engine, indicator: &str) -> Option<i64> {
    let day = "2026-02-28".parse().unwrap();
    match engine.table(&indicator.parse().unwrap(), day, "2026-03-01".parse().unwrap()) {
        Ok(figure) => {
            let cell = figure.table.rows.values().next().unwrap();
            assert!(cell.value.is_exact());
            Some(cell.value.lo())
        }
        Err(FigureError::Overflow { .. }) => None,
        Err(error) => unreachable!("{indicator}: {error}"),
    }
}

#[test]
fn attack_07_numbers_at_the_limits_are_exact_or_refused_in_every_measure() {
    let schema = Schema::parse("t.toml", SCHEMA).unwrap();
    let field = &schema.kind("count").unwrap().field("n").unwrap().field_type;
    let read = |text: &str| match Value::parse(field, text) {
        Ok(Value::Integer(value)) => Some(value),
        _ => None,
    };
    let values: Vec<i64> = VALUES.iter().filter_map(|text| read(text)).collect();
    assert_eq!(values.len(), 14, "what is no number in 64 bits is refused as it is read");
    for one in &values {
        for other in &values {
            let engine = engine_of(&[*one, *other]);
            let sum = i64::try_from(i128::from(*one) + i128::from(*other)).ok();
            assert_eq!(value_of(&engine, "total"), sum, "{one} + {other}");
            assert_eq!(value_of(&engine, "average"), sum, "a mean tells its sum");
            assert_eq!(value_of(&engine, "least"), Some(*one.min(other)));
            assert_eq!(value_of(&engine, "greatest"), Some(*one.max(other)));
        }
    }
}

#[test]
fn attack_07_ten_thousand_greatest_numbers_do_not_wrap() {
    for extreme in [i64::MAX, i64::MIN] {
        let engine = engine_of(&vec![extreme; 10_000]);
        assert_eq!(value_of(&engine, "total"), None);
        assert_eq!(value_of(&engine, "greatest"), Some(extreme));
        // Taken away again, the sum fits again.
        let mut engine = engine;
        let taken = |number| {
            let Fact { kind, id, after, .. } = fact(number, extreme);
            Fact { kind, id, before: after, after: None }
        };
        let facts: Vec<Fact> = (1..10_000).map(taken).collect();
        engine.apply(&facts, Timestamp::from_seconds(2));
        assert_eq!(value_of(&engine, "total"), Some(extreme));
    }
}
