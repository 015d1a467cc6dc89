//! The canaries, and where they are planted.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

/// Begins every canary that is text.
pub const CANARY: &str = "CANARY-7f3a91";

/// A value of an enum: every node that knows the schema knows it, and nobody knows who has it.
pub const CLOSED: &str = "ultramarine-4c1";

pub const DAY: &str = "2026-03-01";

pub const PATHS: [&str; 3] = ["it", "it/03", "it/03/016"];

pub const CATALOGUE: &str = r#"
[catalogue]
version = 1
[indicator.cases]
title = { en = "Cases by day and sex" }
kind = "case"
period = { field = "reported_on", step = "day" }
group_by = ["sex"]
measure = "count"
area_depth = 3
basis = "residence"
floor = { public = 1, neighbour = 1, superior = 1 }
legal_basis = "Test Act, s. 1"
[indicator.places_now]
title = { en = "Places" }
kind = "place"
period = { step = "now" }
measure = "count"
area_depth = 3
basis = "report"
"#;

/// A field of every type there is, and a kind whose fields are merged one by one.
pub fn schema() -> String {
    format!(
        r#"
[schema]
name = "canary"
version = 1
[kind.place]
twin = "city"
merge = "field"
[kind.place.field.name]
type = "text"
max = 200
required = true
[kind.case]
twin = "emergency"
subject = "person"
[kind.case.field.reported_on]
type = "date"
required = true
[kind.case.field.sex]
type = "enum"
values = ["f", "m"]
[kind.case.field.note]
type = "text"
max = 200
[kind.case.field.colour]
type = "enum"
values = ["plain", "{CLOSED}"]
[kind.case.field.band]
type = "band"
values = ["low", "{CLOSED}-band"]
[kind.case.field.number]
type = "integer"
min = 0
max = 9000000000
[kind.case.field.amount]
type = "decimal"
scale = 2
min = "0"
max = "99999999.99"
[kind.case.field.born]
type = "date"
[kind.case.field.seen]
type = "timestamp"
[kind.case.field.place]
type = "reference"
kind = "place"
"#
    )
}

const NUMBER: i64 = 7_391_846_205;
const AMOUNT: &str = "48151623.42";
const SCALED: i64 = 4_815_162_342;
const BORN: &str = "1931-07-19";
const SEEN: &str = "1999-12-31T23:59:58.000Z";
const SEEN_MS: i64 = 946_684_798_000;

pub fn place_id() -> String {
    format!("{CANARY}-place")
}

pub fn case_id() -> String {
    format!("{CANARY}-case")
}

pub fn person() -> String {
    format!("{CANARY}-person")
}

pub fn place() -> Map<String, Value> {
    fields(json!({ "name": format!("{CANARY}-name") }))
}

pub fn case() -> Map<String, Value> {
    fields(json!({
        "reported_on": DAY,
        "sex": "f",
        "note": format!("{CANARY}-note"),
        "colour": CLOSED,
        "band": format!("{CLOSED}-band"),
        "number": NUMBER,
        "amount": AMOUNT,
        "born": BORN,
        "seen": SEEN,
        "place": place_id(),
    }))
}

fn fields(json: Value) -> Map<String, Value> {
    let Value::Object(fields) = json else { panic!("fields are an object") };
    fields
}

/// What is searched for.
pub struct Needle {
    pub name: &'static str,
    bytes: Vec<u8>,
    /// Whether a schema holds it.
    pub closed: bool,
}

impl Needle {
    pub fn is_in(&self, haystack: &[u8]) -> bool {
        haystack.windows(self.bytes.len()).any(|window| window == self.bytes)
    }
}

/// Every canary, as text and as the bytes that a store or a frame would hold.
pub fn needles() -> Vec<Needle> {
    let needle = |name, bytes: &[u8]| Needle { name, bytes: bytes.to_vec(), closed: false };
    let written = |name, number: i64| needle(name, &number.to_be_bytes());
    vec![
        needle("a text, an id or a name", CANARY.as_bytes()),
        Needle { closed: true, ..needle("a closed value", CLOSED.as_bytes()) },
        needle("a number", NUMBER.to_string().as_bytes()),
        written("a number in bytes", NUMBER),
        needle("an amount", AMOUNT.as_bytes()),
        needle("an amount without its point", SCALED.to_string().as_bytes()),
        written("an amount in bytes", SCALED),
        needle("a date", BORN.as_bytes()),
        needle("a moment", b"1999-12-31T23:59:58"),
        written("a moment in bytes", SEEN_MS),
    ]
}

/// Fails if a canary is there.
pub fn assert_none(place: &str, haystack: &[u8], may_hold_closed: bool) {
    for needle in needles().iter().filter(|needle| !(needle.closed && may_hold_closed)) {
        assert!(!needle.is_in(haystack), "{} is in {place}", needle.name);
    }
}

/// Fails unless every canary is in one of these.
pub fn assert_all(place: &str, haystacks: &[Vec<u8>]) {
    for needle in needles() {
        let found = haystacks.iter().any(|haystack| needle.is_in(haystack));
        assert!(found || needle.name == "an amount without its point", "{place}: {}", needle.name);
    }
}

/// All files below a folder, with what they hold.
pub fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found
}

/// Fails if a canary is in a file below a folder; the schema holds the closed ones.
pub fn assert_none_below(folder: &Path) {
    let files = files(folder);
    assert!(files.iter().any(|(path, _)| path.ends_with("schema.toml")), "this is a node's folder");
    for (path, bytes) in files {
        assert_none(&path.display().to_string(), &bytes, path.ends_with("schema.toml"));
    }
}
