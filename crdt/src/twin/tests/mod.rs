//! What the twins promise: nodes that exchange changes in any order hold the same records, and what
//! is wrong is refused for its own reason without harm to the rest.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use reeve_statement::digest::{Digest, FederationId};
use reeve_statement::key::SecretKey;
use reeve_statement::time::Timestamp;

use super::{
    Applied, Author, HomeId, RecordOp, Shard, SignedChange, VerifiedChange, WritableKinds,
    WriterDirectory, Written,
};
use crate::record::{Record, RecordId, Value};
use crate::schema::{Kind, Schema};

mod converge;
mod refuse;
mod seals;

const SCHEMA: &str = r#"
[schema]
name = "t"
version = 1
[kind.case]
twin = "emergency"
expected_records = 4000
field.status = { type = "enum", values = ["suspected", "confirmed", "closed"], required = true }
field.age = { type = "integer", min = 0, max = 130 }
[kind.team]
twin = "emergency"
merge = "field"
field.name = { type = "text", required = true }
field.size = { type = "integer", min = 0, max = 99, required = true }
field.place = { type = "text" }
"#;

fn schema() -> Schema {
    Schema::parse("t.toml", SCHEMA).unwrap()
}

fn kind(name: &str) -> Arc<Kind> {
    Arc::clone(schema().kind(name).unwrap())
}

fn home() -> HomeId {
    HomeId::of(&FederationId(Digest::of(b"f")), &"a1".parse().unwrap())
}

fn shard(name: &str, index: u32) -> Shard {
    Shard::new(home(), kind(name), index, 0)
}

fn secret(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

/// The writer of this seed, at a node of its own.
fn author(seed: u8) -> Author {
    Author::new(secret(seed), secret(seed + 100).public().key_id(), 1)
}

fn directory() -> WriterDirectory {
    let mut writers = WriterDirectory::new();
    for seed in 1..=4 {
        writers.insert(secret(seed).public(), WritableKinds::All);
    }
    writers
}

fn id(text: &str) -> RecordId {
    RecordId::new(text).unwrap()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn case(status: &str, age: Option<i64>) -> Record {
    let mut record = Record::new();
    record.set("status".parse().unwrap(), Value::Enum(status.into()));
    if let Some(age) = age {
        record.set("age".parse().unwrap(), Value::Integer(age));
    }
    record
}

fn team(name: &str, size: i64, place: Option<&str>) -> Record {
    let mut record = Record::new();
    record.set("name".parse().unwrap(), Value::Text(name.to_owned()));
    record.set("size".parse().unwrap(), Value::Integer(size));
    if let Some(place) = place {
        record.set("place".parse().unwrap(), Value::Text(place.to_owned()));
    }
    record
}

fn put(kind_name: &str, id_text: &str, record: Record) -> RecordOp {
    RecordOp::Put { id: id(id_text), record: kind(kind_name).validate(record).unwrap() }
}

fn set(id_text: &str, field: &str, value: Option<Value>) -> RecordOp {
    RecordOp::SetField { id: id(id_text), field: field.parse().unwrap(), value }
}

fn delete(id_text: &str) -> RecordOp {
    RecordOp::Delete { id: id(id_text) }
}

/// As another node gets it: through bytes.
fn received(change: &SignedChange) -> VerifiedChange {
    let change = SignedChange::decode(change.as_bytes()).unwrap();
    change.verify(&directory(), &schema()).unwrap()
}

fn all_received(written: &Written) -> Vec<VerifiedChange> {
    written.changes.iter().map(received).collect()
}

/// An id of the `case` kind that belongs to shard 0.
fn case_id(n: usize) -> String {
    let kind = kind("case");
    let ids = (0..).map(|i| format!("case {i}"));
    ids.filter(|text| kind.shard_of(&id(text)) == 0).nth(n).unwrap()
}

fn records(shard: &Shard) -> BTreeMap<RecordId, Record> {
    shard.iter().collect()
}

#[test]
fn a_write_makes_signed_changes_and_facts() {
    let mut shard = shard("team", 0);
    let ops = vec![put("team", "t1", team("rescue", 5, None))];
    let written = shard.write(&author(1), ops, at(1)).unwrap();
    assert_eq!((written.changes.len(), written.facts.len()), (1, 1));
    assert_eq!(written.facts[0].before, None);
    assert_eq!(written.facts[0].after, Some(team("rescue", 5, None)));
    assert_eq!(shard.get(&id("t1")), Some(team("rescue", 5, None)));

    let ops = vec![set("t1", "place", Some(Value::Text("square".into()))), delete("nobody")];
    let written = shard.write(&author(1), ops, at(2)).unwrap();
    assert_eq!(received(&written.changes[0]).operations(), 1);
    assert_eq!(shard.get(&id("t1")), Some(team("rescue", 5, Some("square"))));

    let written = shard.write(&author(1), vec![delete("t1")], at(3)).unwrap();
    assert_eq!(written.facts[0].after, None);
    assert!(shard.is_empty() && shard.entries().is_empty());
}

#[test]
fn writing_the_same_again_leaves_no_trace() {
    for (kind, record) in [("case", case("closed", Some(3))), ("team", team("a", 1, Some("b")))] {
        let mut shard = shard(kind, 0);
        let name = case_id(0);
        let ops = vec![put(kind, &name, record)];
        shard.write(&author(1), ops.clone(), at(1)).unwrap();
        let heads = shard.heads().clone();
        assert_eq!(shard.write(&author(2), ops, at(2)).unwrap(), Written::default());
        assert_eq!(*shard.heads(), heads);
    }
}

#[test]
fn of_several_operations_on_one_record_the_last_decides() {
    let mut shard = shard("team", 0);
    let place = Some(Value::Text("p".into()));
    let ops = vec![
        put("team", "t", team("a", 1, None)),
        delete("t"),
        put("team", "t", team("b", 2, None)),
        set("t", "place", place),
    ];
    let written = shard.write(&author(1), ops, at(1)).unwrap();
    assert_eq!((written.changes.len(), written.facts.len()), (1, 1));
    assert_eq!(shard.get(&id("t")), Some(team("b", 2, Some("p"))));
}

#[test]
fn a_large_write_becomes_several_changes() {
    let mut one = shard("team", 0);
    let put = |n: usize| put("team", &format!("t{n:05}"), team(&"x".repeat(200), 1, None));
    let written = one.write(&author(1), (0..1_500).map(put).collect(), at(1)).unwrap();
    assert!(written.changes.len() > 5);
    let mut other = shard("team", 0);
    let merged = super::merge(&mut other, all_received(&written), &directory());
    assert_eq!((merged.applied.len(), merged.facts.len()), (written.changes.len(), 1_500));
    assert_eq!(records(&one), records(&other));
    assert_eq!(one.heads(), other.heads());
}

/// Two writers who made the shard apart share its first change, so each other's changes apply.
#[test]
fn two_who_create_a_shard_apart_merge() {
    let (mut one, mut other) = (shard("team", 0), shard("team", 0));
    let first = one.write(&author(1), vec![put("team", "t", team("a", 1, Some("x")))], at(1));
    let second = other.write(&author(2), vec![put("team", "t", team("a", 2, None))], at(1));
    let (first, second) = (first.unwrap(), second.unwrap());
    let facts = one.apply(&received(&second.changes[0])).unwrap();
    other.apply(&received(&first.changes[0])).unwrap();
    assert_eq!(records(&one), records(&other));
    // Both creations unite: the place that only the first set stands.
    let place = one.get(&id("t")).unwrap().get("place").cloned();
    assert_eq!(place, Some(Value::Text("x".into())));
    if let Applied::New(facts) = facts {
        assert!(facts.iter().all(|f| f.after == one.get(&id("t"))));
    }
}

#[test]
fn a_saved_shard_comes_back_and_goes_on() {
    for (name, record) in [("case", case("closed", Some(3))), ("team", team("a", 1, Some("b")))] {
        let text = case_id(0);
        let (mut shard, mut peer) = (shard(name, 0), shard(name, 0));
        shard.write(&author(1), vec![put(name, &text, record.clone())], at(1)).unwrap();
        let apart = peer.write(&author(2), vec![put(name, &text, record)], at(2)).unwrap();
        shard.apply(&received(&apart.changes[0])).unwrap();
        let mut loaded = Shard::load(home(), kind(name), 0, 0, &shard.save()).unwrap();
        assert_eq!(loaded.entries(), shard.entries());
        assert_eq!(loaded.version_vector(), shard.version_vector());
        let ops = vec![delete(&text)];
        let a = shard.write(&author(1), ops.clone(), at(3)).unwrap();
        let b = loaded.write(&author(1), ops, at(3)).unwrap();
        assert_eq!(a, b);
        assert_eq!(shard.save(), loaded.save());
    }
}

#[test]
fn a_cache_of_something_else_is_not_taken() {
    let mut one = shard("case", 0);
    one.write(&author(1), vec![put("case", &case_id(0), case("closed", None))], at(1)).unwrap();
    let bytes = one.save();
    let load = |kind: Arc<Kind>, index, epoch, bytes: &[u8]| {
        Shard::load(home(), kind, index, epoch, bytes).is_err()
    };
    assert!(load(kind("case"), 1, 0, &bytes) && load(kind("case"), 0, 1, &bytes));
    assert!(load(kind("team"), 0, 0, &bytes));
    let other = Schema::parse("t.toml", &SCHEMA.replace("max = 130", "max = 131")).unwrap();
    assert!(load(Arc::clone(other.kind("case").unwrap()), 0, 0, &bytes));
    for end in 0..bytes.len() {
        assert!(load(kind("case"), 0, 0, &bytes[..end]), "cut at {end}");
    }
}
