//! How fast shards are, and how much memory they take: the figures behind `reeve_crdt::twin`.
//!
//! `cargo run --release -p reeve-crdt --example shard_speed -- [RECORDS] [BATCH]`
//!
//! Writes cases to 1,024 shards in batches as an import does, then verifies and applies the changes
//! on a second node, then saves and loads everything. Prints
//! microseconds per record of this process's own time on a processor (Linux), so that other load on
//! the machine does not show.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a measurement stops at what it does not expect"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use reeve_crdt::record::{Record, RecordId, Value};
use reeve_crdt::schema::{Kind, Schema};
use reeve_crdt::twin::{
    Author, HomeId, RecordOp, Shard, SignedChange, WritableKinds, WriterDirectory, merge,
};
use reeve_statement::digest::{Digest, FederationId};
use reeve_statement::key::SecretKey;
use reeve_statement::time::Timestamp;

const SCHEMA: &str = r#"
[schema]
name = "speed"
version = 1
[kind.case]
twin = "emergency"
expected_records = 1_000_000
subject = "person"
field.reported_on = { type = "date", required = true }
field.onset_on = { type = "date" }
field.status = { type = "enum", values = ["suspected", "confirmed", "closed"], required = true }
field.age = { type = "integer", min = 0, max = 130 }
field.sex = { type = "enum", values = ["f", "m", "x"] }
field.hospital = { type = "reference", kind = "hospital" }
field.note = { type = "text" }
[kind.hospital]
twin = "city"
field.name = { type = "text" }
"#;

/// Processor time spent per step.
#[derive(Default)]
struct Spent(BTreeMap<&'static str, Duration>);

impl Spent {
    fn on<T>(&mut self, step: &'static str, work: impl FnOnce() -> T) -> T {
        let start = on_processor();
        let done = work();
        *self.0.entry(step).or_default() += on_processor().saturating_sub(start);
        done
    }

    fn print(&self, records: usize) {
        for (step, spent) in &self.0 {
            let nanos = spent.as_nanos() / u128::try_from(records.max(1)).unwrap_or(1);
            let micros = (nanos / 1_000, nanos % 1_000 / 10);
            println!(
                "{step:<12} {:>3}.{:02} us per record, {spent:.2?} in all",
                micros.0, micros.1
            );
        }
    }
}

fn main() {
    let number = |n| std::env::args().nth(n).and_then(|text| text.parse().ok());
    let records: usize = number(1).unwrap_or(1_000_000);
    let batch: usize = number(2).unwrap_or(50_000);
    let schema = Schema::parse("speed.toml", SCHEMA).expect("a schema");
    let kind = Arc::clone(schema.kind("case").expect("cases"));
    let home = HomeId::of(&FederationId(Digest::ZERO), &"a1".parse().expect("a unit"));
    let empty = |index| Shard::new(home, Arc::clone(&kind), index, 0);
    let mut shards: Vec<Shard> = (0..kind.shards).map(empty).collect();
    let secret = SecretKey::from_seed(&[1; 32]);
    let mut writers = WriterDirectory::new();
    writers.insert(secret.public(), WritableKinds::All);
    let author = Author::new(secret.clone(), secret.public().key_id(), 1);

    let mut spent = Spent::default();
    let mut chance = ChaCha8Rng::seed_from_u64(7);
    let mut log: Vec<(u32, SignedChange)> = Vec::new();
    let (mut bytes, mut facts) = (0usize, 0usize);
    for start in (0..records).step_by(batch) {
        let rows: Vec<(String, Record)> = spent.on("0 generate", || {
            (start..records.min(start + batch)).map(|n| row(n, &mut chance)).collect()
        });
        let ops = spent.on("1 route", || route(&kind, rows));
        spent.on("2 write", || {
            for (index, ops) in ops {
                let shard = usize::try_from(index).ok().and_then(|i| shards.get_mut(i));
                let shard = shard.expect("a shard");
                let written =
                    shard.write(&author, ops, Timestamp::from_millis(1)).expect("written");
                facts += written.facts.len();
                for change in written.changes {
                    bytes += change.as_bytes().len();
                    log.push((index, change));
                }
            }
        });
    }
    println!("{records} records in batches of {batch}: {} changes, {facts} facts", log.len());
    println!("log {} bytes per record; memory with log {} MiB", bytes / records, memory());

    let sample = log.iter().filter(|(index, _)| *index < kind.shards / 8);
    let mut arrived: BTreeMap<u32, Vec<Vec<u8>>> = BTreeMap::new();
    for (index, change) in sample {
        arrived.entry(*index).or_default().push(change.as_bytes().to_vec());
    }
    drop(log);
    let mut peers: Vec<Shard> = (0..kind.shards / 8).map(empty).collect();
    let mut applied = 0;
    let mut remote = Spent::default();
    for (index, changes) in arrived {
        let changes = changes.into_iter().map(|bytes| {
            let change = remote.on("3 decode", || SignedChange::decode(&bytes)).expect("a change");
            remote.on("4 verify", || change.verify(&writers, &schema)).expect("a good change")
        });
        let changes = changes.collect();
        let peer = usize::try_from(index).ok().and_then(|i| peers.get_mut(i)).expect("a shard");
        applied += remote.on("5 apply", || merge(peer, changes, &writers)).facts.len();
    }
    drop(peers);
    let saved: Vec<Vec<u8>> = spent.on("6 save", || shards.iter().map(Shard::save).collect());
    println!("memory without log {} MiB, with caches", memory());
    drop(shards);
    let size: usize = saved.iter().map(Vec::len).sum();
    println!("caches {} bytes per record", size / records);
    spent.on("7 load", || {
        for (index, bytes) in (0..).zip(&saved) {
            Shard::load(home, Arc::clone(&kind), index, 0, bytes).expect("a cache");
        }
    });
    spent.print(records);
    remote.print(applied);
    println!("peak memory {} MiB", peak());
}

fn row(n: usize, chance: &mut ChaCha8Rng) -> (String, Record) {
    let day = jiff::civil::date(2020, 3, 1);
    let day = day.saturating_add(jiff::Span::new().days(chance.random_range(0..365)));
    let status = ["suspected", "confirmed", "closed"][chance.random_range(0..3)];
    let hospital = RecordId::new(&format!("hospital-{}", chance.random_range(0..300)));
    let values = [
        ("reported_on", Value::Date(day)),
        ("onset_on", Value::Date(day)),
        ("status", Value::Enum(status.into())),
        ("age", Value::Integer(chance.random_range(0..100))),
        ("sex", Value::Enum(["f", "m"][chance.random_range(0..2)].into())),
        ("hospital", Value::Reference(hospital.expect("an id"))),
        ("note", Value::Text("x".repeat(chance.random_range(0..40)))),
    ];
    let named = values.map(|(name, value)| (name.parse().expect("a field"), value));
    (format!("case-2020-{n:07}"), named.into_iter().collect())
}

fn route(kind: &Kind, rows: Vec<(String, Record)>) -> BTreeMap<u32, Vec<RecordOp>> {
    let mut ops: BTreeMap<u32, Vec<RecordOp>> = BTreeMap::new();
    for (id, record) in rows {
        let id = RecordId::new(&id).expect("an id");
        let record = kind.validate(record).expect("a valid record");
        ops.entry(kind.shard_of(&id)).or_default().push(RecordOp::Put { id, record });
    }
    ops
}

fn memory() -> u64 {
    status("VmRSS:")
}

fn peak() -> u64 {
    status("VmHWM:")
}

/// How long this process has run on a processor; zero where the system does not say.
fn on_processor() -> Duration {
    let times = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = times.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

/// A line of this process's status, in MiB; 0 where there is none.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or_default() / 1_024
}
