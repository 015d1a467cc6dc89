//! Records and values, through their codec and from JSON.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use proptest::prelude::*;
use reeve_statement::time::Timestamp;

use super::{Fact, Fault, Record, RecordError, RecordId, Value, parse_decimal};
use crate::schema::{FieldType, Schema};

fn schema() -> Schema {
    let text = r#"
[schema]
name = "t"
version = 1
[kind.thing]
twin = "city"
field.text = { type = "text", max = 40 }
field.number = { type = "integer", min = -1000, max = 1000 }
field.price = { type = "decimal", scale = 2, min = "-10.00", max = "99.99" }
field.on = { type = "boolean" }
field.day = { type = "date" }
field.at = { type = "timestamp" }
field.colour = { type = "enum", values = ["red", "green"] }
field.peer = { type = "reference", kind = "thing" }
"#;
    Schema::parse("t.toml", text).unwrap()
}

fn parsed(field: &str, text: &str) -> Result<Value, Fault> {
    Value::parse(&schema().kind("thing").unwrap().field(field).unwrap().field_type, text)
}

#[test]
fn text_is_read_by_the_type_of_its_field() {
    for (field, good) in [
        ("text", "two\nlines"),
        ("number", "-1000"),
        ("price", "-9.50"),
        ("on", "true"),
        ("day", "2020-02-29"),
        ("at", "2020-02-29T12:00:00Z"),
        ("colour", "green"),
        ("peer", "x/1"),
    ] {
        assert!(parsed(field, good).is_ok(), "{field}: {good}");
    }
    for (field, bad) in [
        ("text", "bell\u{7}"),
        ("text", "a text that is longer than the forty characters"),
        ("number", "1001"),
        ("number", "1e3"),
        ("number", ""),
        ("price", "1.005"),
        ("price", "100"),
        ("price", "1."),
        ("on", "yes"),
        ("day", "2019-02-29"),
        ("day", "20200229"),
        ("at", "2020-02-29 12:00"),
        ("colour", "blue"),
        ("peer", ""),
    ] {
        assert!(parsed(field, bad).is_err(), "{field}: {bad}");
    }
}

#[test]
fn decimals_are_exact() {
    assert_eq!(parse_decimal("12.5", 2), Ok(1250));
    assert_eq!(parse_decimal("-0.05", 2), Ok(-5));
    assert_eq!(parse_decimal("7", 0), Ok(7));
    assert_eq!(parse_decimal("7.000", 0), Ok(7));
    assert_eq!(parse_decimal("0.001", 2), Err(Fault::TooPrecise { scale: 2 }));
    for bad in ["", "-", ".5", "5.", "1,5", "+1", "1 ", "99999999999999999999"] {
        assert!(parse_decimal(bad, 2).is_err(), "{bad}");
    }
    let price = FieldType::Decimal { scale: 2, min: i64::MIN, max: i64::MAX };
    assert_eq!(Value::Decimal(-5).to_text(&price), "-0.05");
    assert_eq!(Value::Decimal(i64::MIN).to_text(&price), "-92233720368547758.08");
}

/// THREATS: raw values reach neither logs nor errors.
#[test]
fn nothing_shows_a_value_unasked() {
    const CANARY: &str = "CANARY-7f3a";
    let schema = schema();
    let kind = schema.kind("thing").unwrap();
    let id = RecordId::new(CANARY).unwrap();
    let mut record = Record::new();
    record.set("text".parse().unwrap(), Value::Text(CANARY.repeat(9)));
    record.set("peer".parse().unwrap(), Value::Reference(id.clone()));
    record.set("colour".parse().unwrap(), Value::Enum(CANARY.into()));
    record.set("number".parse().unwrap(), Value::Integer(77_777));
    let errors = kind.validate(record.clone()).unwrap_err();
    assert_eq!(errors.len(), 3);
    let cbor = Record::from_cbor(kind, &record.to_cbor()).unwrap_err();
    let fact = Fact { kind: kind.id.clone(), id, before: Some(record), after: None };
    let shown = format!("{fact:?} {errors:?} {cbor} {cbor:?} {:?}", RecordId::new(""));
    let parse = parsed("colour", CANARY).unwrap_err();
    let shown = format!("{shown} {parse} {parse:?}");
    assert!(!shown.contains(CANARY) && !shown.contains("77777") && !shown.contains("77_777"));
    assert!(shown.contains("\"colour\""), "{shown}");
}

#[test]
fn only_canonical_bytes_are_a_record() {
    let schema = schema();
    let kind = schema.kind("thing").unwrap();
    let read = |hex: &str| {
        let bytes: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(hex.get(at..at + 2).unwrap(), 16).unwrap())
            .collect();
        Record::from_cbor(kind, &bytes)
    };
    // {"on": true}, {"on": true, "day": 1}
    assert!(read("a1626f6ef5").is_ok());
    assert!(read("a2626f6ef5636461790 1".replace(' ', "").as_str()).is_ok());
    let bad = [
        ("a2636461790 1626f6ef5", "the order of names is wrong"),
        ("a2626f6ef5626f6ef5", "a name occurs twice"),
        ("a1626f6ef500", "bytes are left over"),
        ("a163646179181 8ff", "bytes are left over"),
        ("a16364617918 01", "a number is longer than needed"),
        ("bf626f6ef5ff", "the map is of unknown length"),
        ("a1626f6e", "the bytes end early"),
        ("a1626f7af5", "the field is unknown"),
        ("bb7fffffffffffffff", "the announced length is a lie"),
        ("a1626f6e01", "the value has another type"),
    ];
    for (hex, why) in bad {
        assert!(read(&hex.replace(' ', "")).is_err(), "{why}");
    }
    let error = Record::from_cbor(kind, &vec![0; 20_000]).unwrap_err();
    assert_eq!(error, RecordError::TooLong { found: 20_000 });
}

prop_compose! {
    fn any_record()(
        text in proptest::option::of("[a-zé\n]{0,40}"),
        number in proptest::option::of(-1000i64..=1000),
        price in proptest::option::of(-1000i64..=9999),
        on in proptest::option::of(any::<bool>()),
        day in proptest::option::of(-700_000i64..2_900_000),
        at in proptest::option::of(any::<i32>()),
        colour in proptest::option::of(prop_oneof![Just("red"), Just("green")]),
        peer in proptest::option::of("[!-~é]{1,60}"),
    ) -> Record {
        let epoch = jiff::civil::date(1970, 1, 1);
        let day = day.and_then(|days| epoch.checked_add(jiff::Span::new().days(days)).ok());
        let at = at.map(|at| Timestamp::from_millis(i64::from(at) * 20_011));
        [
            ("text", text.map(Value::Text)),
            ("number", number.map(Value::Integer)),
            ("price", price.map(Value::Decimal)),
            ("on", on.map(Value::Boolean)),
            ("day", day.map(Value::Date)),
            ("at", at.map(Value::Timestamp)),
            ("colour", colour.map(|c| Value::Enum(c.into()))),
            ("peer", peer.map(|id| Value::Reference(RecordId::new(&id).unwrap()))),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.parse().unwrap(), value?)))
        .collect()
    }
}

proptest! {
    #[test]
    fn a_record_survives_cbor_json_and_text(record in any_record()) {
        let schema = schema();
        let kind = schema.kind("thing").unwrap();
        let bytes = record.to_cbor();
        prop_assert_eq!(bytes.len(), record.encoded_len());
        let back = Record::from_cbor(kind, &bytes).unwrap();
        prop_assert_eq!(back.record(), &record);
        let json = record.to_json(kind);
        let from_json = Record::from_json(kind, json.as_object().unwrap()).unwrap();
        prop_assert_eq!(&from_json, &record);
        for (name, value) in record.iter() {
            let field_type = &kind.field(name.as_str()).unwrap().field_type;
            prop_assert_eq!(&Value::parse(field_type, &value.to_text(field_type)).unwrap(), value);
        }
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let schema = schema();
        let _ = Record::from_cbor(schema.kind("thing").unwrap(), &bytes);
    }
}
