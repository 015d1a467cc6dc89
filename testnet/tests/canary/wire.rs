//! On the wire, before encryption: nodes in one process, whose network shows its bytes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reeve::config::Engine;
use reeve::net::{Direction, Tap};
use reeve::runtime::local_person;
use reeve_crdt::record::{Record, RecordId};
use reeve_crdt::twin::RecordOp;
use reeve_policy::authz::Role;
use reeve_protocol::local::{Answer, Question};
use reeve_statement::names::{IndicatorId, KindId};
use reeve_statement::unit::UnitPath;
use reeve_testnet::town::{Town, TownSpec};
use serde_json::{Map, Value};

use crate::counts::count;
use crate::planted::{
    CANARY, CATALOGUE, DAY, PATHS, assert_all, assert_none, assert_none_below, case, case_id,
    files, person, place, place_id, schema,
};

const PATIENCE: Duration = Duration::from_secs(60);

fn path(text: &str) -> UnitPath {
    text.parse().unwrap()
}

async fn write(town: &Town, kind: &str, id: &str, fields: &Map<String, Value>) {
    write_all(town, kind, vec![put(town, kind, id, fields)]).await;
}

fn put(town: &Town, kind: &str, id: &str, fields: &Map<String, Value>) -> RecordOp {
    let schema = town.schema().kind(kind).unwrap();
    let record = schema.validate(Record::from_json(schema, fields).unwrap()).unwrap();
    RecordOp::Put { id: RecordId::new(id).unwrap(), record }
}

async fn write_all(town: &Town, kind: &str, ops: Vec<RecordOp>) {
    let question = Question::Write { kind: KindId::new(kind).unwrap(), ops, import: None };
    let node = town.node(&path("it/03/016")).unwrap();
    let answer = node.ask(local_person(&person(), Role::Writer), question).await;
    assert!(matches!(answer, Answer::Written(_)), "{answer:?}");
}

/// Waits until the nation's figure is so many.
async fn nation_shows(town: &Town, many: i64) {
    let (indicator, day) = (IndicatorId::new("cases").unwrap(), DAY.parse().unwrap());
    town.eventually(PATIENCE, "the nation shows the cases", async || {
        let view = town.figure(&path("it"), &indicator, day).await?;
        let total = view.filter(|view| view.edition > 0).and_then(|view| view.total);
        Ok(total.is_some_and(|cell| (cell.value.lo(), cell.value.hi()) == (many, many)))
    })
    .await
    .unwrap();
}

/// Cases that come, are changed and go again: what they said stays in the leaf's history.
async fn come_and_go(town: &Town) {
    let many = count(40, 1_000);
    let id = |number: usize| format!("{}-{number}", case_id());
    let all = |fields: &Map<String, Value>| -> Vec<RecordOp> {
        (0..many).map(|number| put(town, "case", &id(number), fields)).collect()
    };
    write_all(town, "case", all(&case())).await;
    nation_shows(town, i64::try_from(many).unwrap() + 1).await;
    let mut changed = case();
    changed.insert("note".to_owned(), Value::String(format!("{CANARY}-another-note")));
    write_all(town, "case", all(&changed)).await;
    let gone = |number| RecordOp::Delete { id: RecordId::new(&id(number)).unwrap() };
    write_all(town, "case", (0..many).map(gone).collect()).await;
    nation_shows(town, 1).await;
}

async fn nothing_on_the_wire(engine: Engine) {
    let wire: Arc<Mutex<Vec<u8>>> = Arc::default();
    let seen = Arc::clone(&wire);
    let tap = Tap::new(move |way, _, _, bytes| {
        if way == Direction::Sent {
            seen.lock().unwrap().extend_from_slice(bytes);
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let spec = TownSpec {
        folder: folder.path().to_owned(),
        paths: PATHS.map(path).to_vec(),
        schema: schema(),
        policy: None,
        engine,
        tap: Some(tap),
    };
    let town = Town::raise(&spec).await.unwrap();
    town.publish(CATALOGUE, PATIENCE).await.unwrap();
    write(&town, "place", &place_id(), &place()).await;
    write(&town, "case", &case_id(), &case()).await;
    nation_shows(&town, 1).await;
    come_and_go(&town).await;
    let folders = PATHS.map(|unit| town.folder(&path(unit)).unwrap().to_owned());
    town.stop().await.unwrap();
    let wire = wire.lock().unwrap();
    assert!(wire.windows(5).any(|word| word == b"cases"), "the tap saw the figures pass");
    assert_none("what was sent", &wire, false);
    let [nation, region, leaf] = folders;
    assert_none_below(&nation);
    assert_none_below(&region);
    let mut at_home: Vec<Vec<u8>> = files(&leaf).into_iter().map(|(_, bytes)| bytes).collect();
    // As text they are at home in answers only, which `house` searches.
    at_home.push(serde_json::to_vec(&case()).unwrap());
    assert_all("the leaf's own store", &at_home);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_17_nothing_of_changed_or_deleted_records_is_on_the_wire_or_in_a_redb_store_above() {
    nothing_on_the_wire(Engine::Redb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_17_nothing_of_changed_or_deleted_records_is_on_the_wire_or_in_a_sled_store_above() {
    nothing_on_the_wire(Engine::Sled).await;
}
