//! The schema's reader against texts that are right and texts that are wrong.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use super::{Closure, FieldType, Merge, Schema, Sensitivity, Twin};
use crate::record::{Fault, Record, RecordId};

pub(crate) const EPIDEMIC: &str = r#"
[schema]
name = "epidemic"
version = 1

[kind.facility]
twin = "city"
title = { en = "Facility", it = "Struttura" }
merge = "field"
[kind.facility.field.name]
type = "text"
max = 80
required = true
sensitivity = "public"
[kind.facility.field.beds]
type = "integer"
min = 0
max = 5000
[kind.facility.field.opened]
type = "boolean"

[kind.case]
twin = "emergency"
title = "Case"
expected_records = 1_000_000
retention = "P5Y"
subject = "person"
[kind.case.field.reported_on]
type = "date"
required = true
[kind.case.field.status]
type = "enum"
values = ["suspected", "confirmed"]
required = true
[kind.case.field.age_band]
type = "band"
values = ["0-9", "10-19", "20+"]
[kind.case.field.temperature]
type = "decimal"
scale = 1
min = "30.0"
max = 45
[kind.case.field.seen_at]
type = "timestamp"
[kind.case.field.hospital]
type = "reference"
kind = "facility"
[kind.case.field.note]
type = "text"
"#;

pub(crate) fn epidemic() -> Schema {
    Schema::parse("epidemic/schema.toml", EPIDEMIC).unwrap()
}

#[test]
fn a_schema_says_what_its_file_says() {
    let schema = epidemic();
    let names: Vec<&str> = schema.kinds().map(|kind| kind.id.as_str()).collect();
    assert_eq!(names, ["case", "closure", "facility"]);
    let case = schema.kind("case").unwrap();
    assert_eq!((case.twin, case.merge, case.shards), (Twin::Emergency, Merge::Record, 1_024));
    assert!(case.is_personal());
    assert_eq!(case.retention.unwrap().years, 5);
    assert_eq!(case.field("note").unwrap().sensitivity, Sensitivity::Personal);
    let temperature = &case.field("temperature").unwrap().field_type;
    assert_eq!(*temperature, FieldType::Decimal { scale: 1, min: 300, max: 450 });
    let facility = schema.kind("facility").unwrap();
    assert_eq!((facility.merge, facility.shards), (Merge::Field, 1));
    assert_eq!(facility.titles.text("it"), Some("Struttura"));
    assert_eq!(facility.field("beds").unwrap().sensitivity, Sensitivity::Internal);
}

#[test]
fn the_hash_is_of_the_content_and_not_of_the_layout() {
    let spaced = EPIDEMIC.replace('\n', "\n\n# a comment\n");
    assert_eq!(Schema::parse("other.toml", &spaced).unwrap().hash(), epidemic().hash());
    let changed = EPIDEMIC.replace("max = 5000", "max = 5001");
    assert_ne!(Schema::parse("other.toml", &changed).unwrap().hash(), epidemic().hash());
}

/// Replaces one piece of the good schema and gives what is then wrong, as the user sees it.
fn problems(from: &str, to: &str) -> String {
    assert!(EPIDEMIC.contains(from));
    Schema::parse("s.toml", &EPIDEMIC.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn every_problem_names_its_place() {
    let cases = [
        (
            "twin = \"city\"",
            "twin = \"village\"",
            "s.toml:7:8: kind.facility.twin: expected city or",
        ),
        (
            "max = 80",
            "max = 80\nsize = 3",
            "s.toml:13:1: kind.facility.field.name.size: expected one of",
        ),
        ("max = 5000", "", "kind.facility.field.beds.max: expected a whole number"),
        ("max = 5000", "max = -1", "expected min at most max"),
        ("max = 5000", "max = 1.5", "found the floating number 1.5"),
        ("type = \"boolean\"", "type = \"bool\"", "found \"bool\""),
        (
            "kind = \"facility\"",
            "kind = \"hospital\"",
            "kind.case.field.hospital.kind: expected a kind of",
        ),
        ("\"confirmed\"]", "\"suspected\"]", "found \"suspected\" a second time"),
        ("\"confirmed\"]", "\"~x\"]", "found \"~x\""),
        ("[kind.case]", "[kind.closure]", "found the built-in kind `closure`"),
        ("[kind.case]", "[kind.Case]", "expected a name: a lower-case letter"),
        ("P5Y", "PT5H", "kind.case.retention: expected a duration of years"),
        ("1_000_000", "0", "expected 1 to 65536000, found 0"),
        ("version = 1", "version = 0", "schema.version: expected 1 or more"),
        ("scale = 1", "scale = 10", "expected digits after the point, 0 to 9"),
        ("min = \"30.0\"", "min = \"30.05\"", "kind.case.field.temperature.min"),
        ("[schema]", "[scheme]", "expected one of schema, kind, found the unknown key `scheme`"),
        ("merge = \"field\"", "merge = ", "s.toml:9:9: expected TOML"),
    ];
    for (from, to, expected) in cases {
        let found = problems(from, to);
        assert!(found.contains(expected), "{from} -> {to}: {found}");
    }
}

#[test]
fn the_city_never_refers_to_an_emergency() {
    let to = "type = \"reference\"\nkind = \"case\"";
    let found = problems("type = \"boolean\"", to);
    assert!(found.contains("expected a kind of the city twin"), "{found}");
    assert!(found.starts_with("s.toml:21:8: kind.facility.field.opened.kind"), "{found}");
}

#[test]
fn all_problems_of_a_file_are_reported_in_order() {
    let text = EPIDEMIC.replace("max = 80", "max = 0").replace("P5Y", "5 years");
    let problems = Schema::parse("s.toml", &text).unwrap_err();
    let lines: Vec<usize> = problems.iter().map(|p| p.line).collect();
    assert_eq!(lines, [12, 26]);
}

#[test]
fn a_new_version_adds_and_widens_only() {
    let old = epidemic();
    let follow = |from: &str, to: &str| {
        let text = EPIDEMIC.replace("version = 1", "version = 2");
        assert!(text.contains(from), "{from}");
        let text = text.replacen(from, to, 1);
        let new = Schema::parse("s.toml", &text).unwrap();
        new.can_follow(&old).map_err(|against| against[0].to_string())
    };
    assert_eq!(old.can_follow(&old), Ok(()));
    for (from, to) in [
        ("max = 80", "max = 81"),
        ("\"confirmed\"]", "\"closed\", \"confirmed\"]"),
        ("min = 0\nmax = 5000", "min = -1\nmax = 5000"),
        (
            "[kind.case.field.note]",
            "[kind.case.field.sex]\ntype = \"text\"\n[kind.case.field.note]",
        ),
        ("P5Y", "P6Y"),
    ] {
        assert_eq!(follow(from, to), Ok(()), "{to}");
    }
    for (from, to, why) in [
        ("max = 80", "max = 79", "narrower type"),
        ("max = 5000", "max = 4999", "narrower type"),
        (", \"confirmed\"]", "]", "narrower type"),
        ("type = \"boolean\"", "type = \"date\"", "another or a narrower"),
        ("[kind.case.field.note]", "[kind.case.field.notes]", "is gone"),
        (
            "[kind.case.field.seen_at]",
            "[kind.case.field.seen_at]\nrequired = true",
            "newly required",
        ),
        ("merge = \"field\"", "merge = \"record\"", "merge cannot change"),
        ("1_000_000", "2_000_000", "number of shards"),
        (
            "version = 2\n\n[kind.facility]",
            "version = 1\n\n[kind.facility]\nretention = \"P1Y\"",
            "version above 1",
        ),
        ("name = \"epidemic\"", "name = \"flood\"", "expected the schema `epidemic`"),
    ] {
        assert!(follow(from, to).unwrap_err().contains(why), "{to}");
    }
}

#[test]
fn records_spread_over_the_shards() {
    let schema = epidemic();
    let case = schema.kind("case").unwrap();
    let mut filled = vec![0u32; 1_024];
    for n in 0..100_000 {
        let shard = case.shard_of(&RecordId::new(&format!("case-{n}")).unwrap());
        *filled.get_mut(usize::try_from(shard).unwrap()).unwrap() += 1;
    }
    assert!(filled.iter().all(|n| (40..180).contains(n)), "{filled:?}");
}

#[test]
fn a_closure_is_a_valid_record_and_comes_back() {
    let schema = epidemic();
    let closure = Closure {
        source: "health".to_owned(),
        kind: "case".parse().unwrap(),
        period: "2020-03-01".parse().unwrap(),
        closed_at: "2020-03-02T06:00:00Z".parse().unwrap(),
        file_hash: Some(schema.hash()),
        reason: None,
    };
    let valid = schema.validate(&"closure".parse().unwrap(), closure.to_record()).unwrap();
    assert_eq!(Closure::from_record(valid.record()), Some(closure.clone()));
    assert_eq!(closure.id().unwrap().as_str(), "health/case/2020-03-01");
    let source = "x".repeat(49);
    assert!(Closure { source, ..closure }.id().is_err());
}

#[test]
fn a_record_is_held_against_its_kind() {
    let schema = epidemic();
    let case = schema.kind("case").unwrap();
    let errors = case.validate(Record::new()).unwrap_err();
    assert!(errors.iter().all(|e| e.fault == Fault::Missing));
    let names: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
    assert_eq!(names, ["reported_on", "status"]);
}
