//! From records to a table: two nodes of one home, two departments. The health department writes
//! cases at the one, the hospitals' office beds at the other; each sends the other its signed
//! changes, and both count the same.
//!
//! Run it: `cargo run -p reeve-examples --example count_records`

use std::collections::BTreeMap;
use std::error::Error;

use reeve_crdt::catalogue;
use reeve_crdt::indicator::Engine;
use reeve_crdt::record::{Fact, Record, RecordId};
use reeve_crdt::schema::{Closure, Schema};
use reeve_crdt::twin::{
    Applied, Author, HomeId, RecordOp, Shard, SignedChange, WritableKinds, WriterDirectory,
};
use reeve_examples::epidemic;
use reeve_statement::digest::{Digest, FederationId};
use reeve_statement::key::SecretKey;
use reeve_statement::names::KindId;
use reeve_statement::period::Period;
use reeve_statement::time::Timestamp;
use serde_json::json;

/// 2026-03-04 at 06:00, UTC. Nothing in the libraries reads a clock.
const NOW: Timestamp = Timestamp::from_seconds(1_772_604_000);

/// A key for a name. Real keys come from the operating system's randomness.
fn key(name: &str) -> SecretKey {
    SecretKey::from_seed(Digest::of(name.as_bytes()).as_bytes())
}

/// One node: the documents of its home, and the indicators counted from them.
struct Node<'a> {
    schema: &'a Schema,
    home: HomeId,
    author: Author,
    shards: BTreeMap<(KindId, u32), Shard>,
    indicators: Engine,
}

impl Node<'_> {
    fn shard(&mut self, kind: &KindId, index: u32) -> Result<&mut Shard, Box<dyn Error>> {
        let described = self.schema.kind(kind.as_str()).ok_or("no such kind")?;
        let new = || Shard::new(self.home, described.clone(), index, 0);
        Ok(self.shards.entry((kind.clone(), index)).or_insert_with(new))
    }

    /// Writes a record as JSON gives it; the signed changes are for the other nodes of the home.
    fn put(
        &mut self,
        kind: &str,
        id: &str,
        fields: &serde_json::Value,
    ) -> Result<Vec<SignedChange>, Box<dyn Error>> {
        let described = self.schema.kind(kind).ok_or("no such kind")?;
        let object = fields.as_object().ok_or("expected an object")?;
        let record =
            Record::from_json(described, object).map_err(|faults| format!("{faults:?}"))?;
        self.put_record(&described.id, RecordId::new(id)?, record)
    }

    fn put_record(
        &mut self,
        kind: &KindId,
        id: RecordId,
        record: Record,
    ) -> Result<Vec<SignedChange>, Box<dyn Error>> {
        let described = self.schema.kind(kind.as_str()).ok_or("no such kind")?;
        let record = described.validate(record).map_err(|faults| format!("{faults:?}"))?;
        let (index, author) = (described.shard_of(&id), self.author.clone());
        let put = RecordOp::Put { id, record };
        let written = self.shard(kind, index)?.write(&author, vec![put], NOW)?;
        self.count(&written.facts);
        Ok(written.changes)
    }

    /// Takes a change of another node, if its writer is enrolled for that kind.
    fn receive(
        &mut self,
        change: SignedChange,
        writers: &WriterDirectory,
    ) -> Result<(), Box<dyn Error>> {
        let change = change.verify(writers, self.schema)?;
        let id = change.signed().shard().clone();
        if let Applied::New(facts) = self.shard(&id.kind, id.index)?.apply(&change)? {
            self.count(&facts);
        }
        Ok(())
    }

    fn count(&mut self, facts: &[Fact]) {
        self.indicators.apply(facts, NOW);
    }

    fn show(&self, name: &str, indicator: &str, period: Period) -> Result<i64, Box<dyn Error>> {
        let figure = self.indicators.table(&indicator.parse()?, period, "2026-03-04".parse()?)?;
        let state = if figure.closed { "closed" } else { "not closed: absent rows are unknown" };
        println!("{name}, {indicator} for {period} ({state})");
        for (row, cell) in &figure.table.rows {
            println!("  {} {:?}: {}", row.area, row.dims, cell.value);
        }
        Ok(figure.table.total()?.value.lo())
    }
}

/// The health department's work: three cases and, at the end of the day, "that was all".
fn report_cases(health: &mut Node<'_>, day: Period) -> Result<Vec<SignedChange>, Box<dyn Error>> {
    let case = |status: &str, age: u8, sex: &str| json!({ "status": status, "age": age, "sex": sex, "reported_on": "2026-03-03" });
    let mut changes = health.put("case", "c1", &case("confirmed", 71, "female"))?;
    changes.extend(health.put("case", "c2", &case("confirmed", 34, "male"))?);
    changes.extend(health.put("case", "c3", &case("suspected", 35, "male"))?);
    // The result of the third arrives; a change of a record is a put of the whole of it.
    changes.extend(health.put("case", "c3", &case("confirmed", 35, "male"))?);
    let closure = Closure {
        source: "health".to_owned(),
        kind: "case".parse()?,
        period: day,
        closed_at: NOW,
        file_hash: None,
        reason: None,
    };
    changes.extend(health.put_record(&"closure".parse()?, closure.id()?, closure.to_record())?);
    Ok(changes)
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let schema = Schema::parse("schema.toml", epidemic::SCHEMA)?;
    let catalogue = catalogue::parse("catalogue.toml", epidemic::CATALOGUE, &schema)?;
    let home = HomeId::of(&FederationId(Digest::of(b"example")), &"03".parse()?);
    let node = |name: &str| -> Result<Node<'_>, Box<dyn Error>> {
        let author = Author::new(key(name), key("node").public().key_id(), 0);
        let indicators = Engine::new(&schema, &catalogue, "Europe/Rome")?;
        Ok(Node { schema: &schema, home, author, shards: BTreeMap::new(), indicators })
    };
    let (mut health, mut hospitals) = (node("health")?, node("hospitals")?);
    let mut writers = WriterDirectory::new();
    let kinds = |names: &[&str]| -> Result<WritableKinds, Box<dyn Error>> {
        Ok(WritableKinds::Only(names.iter().map(|name| name.parse()).collect::<Result<_, _>>()?))
    };
    writers.insert(key("health").public(), kinds(&["case", "closure"])?);
    writers.insert(key("hospitals").public(), kinds(&["facility"])?);

    // Apart: each writes what is its own.
    let day: Period = "2026-03-03".parse()?;
    let cases = report_cases(&mut health, day)?;
    let hospital = json!({
        "name": "Hospital 1", "type": "hospital", "health_district": "north",
        "beds": 90, "beds_free": 12, "open": true,
    });
    let beds = hospitals.put("facility", "h1", &hospital)?;

    // Together: each takes the other's changes, and both hold and count the same.
    for change in cases {
        hospitals.receive(change, &writers)?;
    }
    for change in beds {
        health.receive(change, &writers)?;
    }
    for (name, node) in [("health", &health), ("hospitals", &hospitals)] {
        let confirmed = node.show(name, "confirmed_by_day", day)?;
        let beds = node.show(name, "beds_free", Period::Now)?;
        assert_eq!((confirmed, beds), (3, 12));
    }

    // The hospitals' office may not write cases: the health department's node refuses it.
    let case = json!({ "status": "confirmed", "reported_on": "2026-03-03" });
    for change in hospitals.put("case", "c4", &case)? {
        match health.receive(change, &writers) {
            Ok(()) => return Err("a case by the hospitals' office was accepted".into()),
            Err(error) => println!("refused: {error}"),
        }
    }
    Ok(())
}
