//! Changes of records as other nodes of a home send them, and records as such.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use reeve_crdt::record::{Record, RecordId, Value};
use reeve_crdt::schema::Schema;
use reeve_crdt::twin::{
    Author, Document, Erased, ForkProof, HomeId, MAX_CHANGE_OPS, RecordOp, Seal, Shard, ShardSeal,
    SignedChange, SignedSeal, VerifiedChange, WritableKinds, WriterDirectory, merge,
};
use reeve_statement::digest::Digest;
use reeve_statement::key::SecretKey;

use super::text;
use crate::house::{NOW, house, key};

/// Both ways of merging, every type of field.
const SCHEMA: &str = r#"
[schema]
name = "t"
version = 1
[kind.case]
twin = "emergency"
field.status = { type = "enum", values = ["suspected", "confirmed", "closed"], required = true }
field.age = { type = "integer", min = 0, max = 130 }
field.dose = { type = "decimal", scale = 2, min = "-1.00", max = "99.99" }
field.seen_on = { type = "date" }
field.seen_at = { type = "timestamp" }
field.band = { type = "band", values = ["young", "old"] }
field.urgent = { type = "boolean" }
field.team = { type = "reference", kind = "team" }
field.note = { type = "text", max = 200 }
[kind.team]
twin = "emergency"
merge = "field"
field.name = { type = "text", required = true }
field.size = { type = "integer", min = 0, max = 99, required = true }
field.place = { type = "text" }
"#;

fn schema() -> &'static Schema {
    static PARSED: OnceLock<Schema> = OnceLock::new();
    PARSED.get_or_init(|| Schema::parse("t.toml", SCHEMA).unwrap())
}

fn home() -> HomeId {
    HomeId::of(&house().roots.federation(), &"016".parse().unwrap())
}

/// A seal: one that is read is what was signed.
pub(super) fn seal(bytes: &[u8]) {
    if let Ok(seal) = SignedSeal::decode(bytes, home()) {
        assert_eq!(seal.as_bytes(), bytes);
        assert_eq!(seal.seal().home.as_bytes(), home().as_bytes());
    }
}

/// A seal of a shard.
pub(super) fn signed_seal() -> Vec<u8> {
    let kind = schema().kind("case").unwrap().id.clone();
    let id = RecordId::new("c1").unwrap();
    let shard = ShardSeal {
        index: 0,
        epoch: 1,
        seen: shard("case").seen(),
        kept: shard("case").digest_of_records(),
        removed: 1,
        erased: Some(Erased::of([1; 16], &kind, &id)),
    };
    let home = Digest::from_bytes(*home().as_bytes());
    let seal = Seal { home, kind, before: Some(18_000), shard: Some(shard), term: 1, at: NOW };
    SignedSeal::sign(seal, &key("some node")).as_bytes().to_vec()
}

fn shard(kind: &str) -> Shard {
    Shard::new(home(), schema().kind(kind).unwrap().clone(), 0, 0)
}

fn writer(number: u8) -> SecretKey {
    key(&format!("writer {number}"))
}

fn author(number: u8) -> Author {
    Author::new(writer(number), key("some node").public().key_id(), 1)
}

fn directory() -> &'static WriterDirectory {
    static WRITERS: OnceLock<WriterDirectory> = OnceLock::new();
    WRITERS.get_or_init(|| {
        let mut writers = WriterDirectory::new();
        for number in 1..=2 {
            writers.insert(writer(number).public(), WritableKinds::All);
        }
        writers
    })
}

fn put(kind: &str, id: &str, fields: &[(&str, &str)]) -> RecordOp {
    let kind = schema().kind(kind).unwrap();
    let mut record = Record::new();
    for (name, text) in fields {
        let field = kind.field(name).unwrap();
        record.set(field.id.clone(), Value::parse(&field.field_type, text).unwrap());
    }
    RecordOp::Put { id: RecordId::new(id).unwrap(), record: kind.validate(record).unwrap() }
}

/// What two writers did, one after the other, to each kind.
fn history() -> &'static BTreeMap<&'static str, Vec<SignedChange>> {
    static HISTORY: OnceLock<BTreeMap<&'static str, Vec<SignedChange>>> = OnceLock::new();
    HISTORY.get_or_init(|| {
        let ops = |kind: &str, number: u8| match (kind, number) {
            ("case", 1) => vec![
                put("case", "c1", &[("status", "suspected"), ("age", "40"), ("dose", "1.50")]),
                put("case", "c2", &[("status", "closed"), ("note", "text"), ("urgent", "true")]),
            ],
            ("case", _) => vec![
                RecordOp::Delete { id: RecordId::new("c2").unwrap() },
                put("case", "c3", &[("status", "confirmed"), ("seen_on", "2026-02-28")]),
            ],
            (_, 1) => vec![put("team", "t1", &[("name", "rescue"), ("size", "5")])],
            _ => vec![RecordOp::SetField {
                id: RecordId::new("t1").unwrap(),
                field: "place".parse().unwrap(),
                value: Some(Value::Text("square".to_owned())),
            }],
        };
        ["case", "team"]
            .map(|kind| {
                let mut shard = shard(kind);
                let mut changes = Vec::new();
                for number in [1, 2, 1] {
                    let written = shard.write(&author(number), ops(kind, number), NOW).unwrap();
                    changes.extend(written.changes);
                }
                (kind, changes)
            })
            .into()
    })
}

fn verified(change: &SignedChange) -> VerifiedChange {
    change.clone().verify(directory(), schema()).unwrap()
}

/// The bytes of changes, for messages that carry them.
pub(super) fn changes() -> Vec<Vec<u8>> {
    history().values().flatten().map(|change| change.as_bytes().to_vec()).collect()
}

/// A proof of a fork, for messages that carry one.
pub(super) fn fork() -> Vec<u8> {
    let changes = [1, 2].map(|size: u8| {
        let size = size.to_string();
        let ops = vec![put("team", "t9", &[("name", "fork"), ("size", &size)])];
        shard("team").write(&author(1), ops, NOW).unwrap().changes.remove(0)
    });
    let [one, other] = changes;
    ForkProof::new(writer(1).public(), one, other).unwrap().to_bytes()
}

/// The two parts of a signed change: `[body, signature]`.
fn body_of(change: &[u8]) -> Option<&[u8]> {
    let mut d = minicbor::Decoder::new(change);
    d.array().ok()?;
    d.bytes().ok()
}

/// A body signed anew by a writer of this home, as an insider would.
fn sealed(body: &[u8], number: u8) -> Vec<u8> {
    let signed = [b"reeve/change/1\0".as_slice(), Digest::of(body).as_bytes()].concat();
    let mut e = minicbor::Encoder::new(Vec::new());
    e.array(2).unwrap().bytes(body).unwrap();
    e.bytes(writer(number).sign(&signed).as_bytes()).unwrap();
    e.into_writer()
}

/// A change: as it comes, and signed by an insider who may write. It is refused, or applied alike in
/// every order; the automerge document that is made of the log has the same records.
pub fn change(bytes: &[u8]) {
    if let Ok(signed) = SignedChange::decode(bytes) {
        assert_eq!(signed.as_bytes(), bytes);
        let known = changes();
        if signed.clone().verify(directory(), schema()).is_ok() {
            assert!(known.iter().any(|it| it == bytes), "a change that nobody signed");
        }
    }
    let body = body_of(bytes).unwrap_or(bytes);
    for number in 1..=2 {
        let Ok(insider) = SignedChange::decode(&sealed(body, number)) else { return };
        let Ok(change) = insider.verify(directory(), schema()) else { continue };
        apply(&change);
    }
    if let Ok(proof) = ForkProof::from_bytes(bytes) {
        assert_eq!(proof.to_bytes(), bytes, "a second encoding of a proof");
        if proof.verify(schema()).is_ok() {
            assert_eq!(bytes, fork(), "a fork that never was");
        }
    }
}

fn apply(change: &VerifiedChange) {
    assert!(change.operations() <= MAX_CHANGE_OPS);
    let kind = change.signed().shard().kind.as_str();
    let Some(log) = history().get(kind) else { return };
    if change.signed().shard().index != 0 || change.signed().shard().epoch != 0 {
        let _ = merge(&mut shard(kind), vec![change.clone()], directory());
        return;
    }
    let honest: Vec<VerifiedChange> = log.iter().map(verified).collect();
    let with = |first: bool| {
        let mut shard = shard(kind);
        let (mut before, mut after) = (Vec::new(), honest.clone());
        if first {
            before.push(change.clone())
        } else {
            after.push(change.clone())
        }
        let mut waiting = merge(&mut shard, before, directory()).waiting;
        waiting.extend(after);
        let merged = merge(&mut shard, waiting, directory());
        (shard, merged.forks.is_empty() && merged.refused.is_empty())
    };
    let ((one, clean), (other, _)) = (with(true), with(false));
    if clean {
        let records = |shard: &Shard| shard.iter().collect::<BTreeMap<_, _>>();
        assert_eq!(records(&one), records(&other), "the order of arrival decides");
        for (_, record) in one.iter() {
            one.kind().validate(record).expect("a record that the schema refuses");
        }
        let saved = one.save();
        let loaded = Shard::load(home(), one.kind().clone(), 0, 0, &saved).unwrap();
        assert_eq!(loaded.save(), saved);
        if one.knows(&change.signed().hash()) {
            let mut log = honest;
            if !log.iter().any(|it| it.signed().hash() == change.signed().hash()) {
                log.push(change.clone());
            }
            if let Ok(document) = Document::of(&one, &log) {
                assert_eq!(document.entries(), one.entries(), "automerge sees other records");
            }
        }
    }
}

/// Seeds of [`change`].
pub fn change_seeds() -> Vec<Vec<u8>> {
    let bodies = changes().iter().filter_map(|it| body_of(it).map(<[u8]>::to_vec)).collect();
    [changes(), bodies, vec![fork()]].concat()
}

/// A stored shard that was damaged: it is refused, or read as it is written.
pub fn cache(bytes: &[u8]) {
    for kind in ["case", "team"] {
        let kind = schema().kind(kind).unwrap();
        if let Ok(shard) = Shard::load(home(), kind.clone(), 0, 0, bytes) {
            let saved = shard.save();
            let again = Shard::load(home(), kind.clone(), 0, 0, &saved).unwrap();
            assert_eq!(again.save(), saved);
        }
    }
}

/// Seeds of [`cache`].
pub fn cache_seeds() -> Vec<Vec<u8>> {
    let saved = |(kind, log): (&&str, &Vec<SignedChange>)| {
        let mut shard = shard(kind);
        merge(&mut shard, log.iter().map(verified).collect(), directory());
        shard.save()
    };
    history().iter().map(saved).collect()
}

/// A record in CBOR or JSON, and batches of them: one encoding, and nothing that the schema refuses.
pub fn record(bytes: &[u8]) {
    for kind in ["case", "team"] {
        let kind = schema().kind(kind).unwrap();
        if let Ok(valid) = Record::from_cbor(kind, bytes) {
            assert_eq!(valid.record().to_cbor(), bytes, "a second encoding of a record");
            let json = valid.record().to_json(kind);
            let again = Record::from_json(kind, json.as_object().unwrap()).unwrap();
            assert_eq!(again, *valid.record(), "a record that JSON cannot tell");
        }
        if let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(bytes) {
            let record = Record::from_json(kind, &object);
            if let Some(valid) = record.ok().and_then(|record| kind.validate(record).ok()) {
                let cbor = valid.record().to_cbor();
                assert_eq!(Record::from_cbor(kind, &cbor).unwrap(), valid);
            }
        }
        if let Ok(operations) = reeve::api::batch::decode(kind, bytes) {
            assert!(operations.len() <= reeve::api::MAX_OPERATIONS);
        }
        if let Some(text) = text(bytes) {
            for field in kind.fields.values() {
                if let Ok(value) = Value::parse(&field.field_type, text) {
                    let printed = value.to_text(&field.field_type);
                    assert_eq!(Value::parse(&field.field_type, &printed), Ok(value));
                }
            }
        }
    }
}

/// Seeds of [`record`].
pub fn record_seeds() -> Vec<Vec<u8>> {
    let texts = [
        r#"{"status":"confirmed","age":40,"dose":"1.50","seen_on":"2026-02-28","urgent":true}"#,
        r#"{"name":"rescue","size":5,"place":null}"#,
        "2026-03-01T12:00:00.5+01:00",
        "-0.07",
        "9223372036854775808",
    ];
    let mut seeds: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    let fields = [("status", "confirmed"), ("seen_at", "2026-03-01T12:00:00Z"), ("band", "old")];
    let RecordOp::Put { id, record } = put("case", "c1", &fields) else { unreachable!("a put") };
    seeds.push(record.record().to_cbor());
    let one = [(&id, record.record())];
    seeds.push(reeve::api::batch::encode(one.into_iter()));
    seeds
}
