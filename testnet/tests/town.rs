//! Federations of real nodes over TCP on loopback, with real stores.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::time::Duration;

use reeve::clock::{Clock, wall};
use reeve::config::Engine;
use reeve::house::{Clerk, Entropy, House, Passphrase};
use reeve_crdt::record::{Record, RecordId, Value};
use reeve_crdt::twin::RecordOp;
use reeve_policy::authz::Role;
use reeve_protocol::local::{Answer, Question};
use reeve_statement::cert::Chain;
use reeve_statement::names::{IndicatorId, KindId};
use reeve_statement::period::Period;
use reeve_statement::unit::UnitPath;
use reeve_testnet::town::{PASSPHRASE, Town, TownSpec};

const SCHEMA: &str = r#"
[schema]
name = "town"
version = 1
[kind.case]
twin = "emergency"
[kind.case.field.reported_on]
type = "date"
required = true
[kind.case.field.sex]
type = "enum"
values = ["f", "m"]
[kind.case.field.note]
type = "text"
max = 200
"#;

const CATALOGUE: &str = r#"
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
"#;

const DAY: &str = "2026-03-01";
const PATIENCE: Duration = Duration::from_secs(60);

fn path(text: &str) -> UnitPath {
    text.parse().unwrap()
}

async fn raise(folder: &Path, engine: Engine) -> Town {
    let spec = TownSpec {
        folder: folder.to_owned(),
        paths: ["it", "it/03", "it/03/016"].map(path).to_vec(),
        schema: SCHEMA.to_owned(),
        policy: None,
        engine,
        tap: None,
    };
    let town = Town::raise(&spec).await.unwrap();
    town.publish(CATALOGUE, PATIENCE).await.unwrap();
    town
}

fn case(town: &Town, id: &str, note: &str) -> RecordOp {
    let kind = town.schema().kind("case").unwrap();
    let mut record = Record::new();
    for (name, text) in [("reported_on", DAY), ("sex", "f"), ("note", note)] {
        let field = kind.field(name).unwrap();
        record.set(field.id.clone(), Value::parse(&field.field_type, text).unwrap());
    }
    RecordOp::Put { id: RecordId::new(id).unwrap(), record: kind.validate(record).unwrap() }
}

async fn write(town: &Town, at: &str, op: RecordOp) {
    let kind = KindId::new("case").unwrap();
    let question = Question::Write { kind, ops: vec![op], import: None };
    let answer = town.ask(&path(at), Role::Writer, question).await.unwrap();
    assert!(matches!(answer, Answer::Written(_)), "{answer:?}");
}

async fn nation_shows(town: &Town, total: i64) {
    let indicator = IndicatorId::new("cases").unwrap();
    let period: Period = DAY.parse().unwrap();
    town.eventually(PATIENCE, &format!("the nation shows {total}"), async || {
        let view = town.figure(&path("it"), &indicator, period).await?;
        let view = view.filter(|view| view.edition > 0);
        Ok(view.and_then(|view| view.total).is_some_and(|cell| cell.value.contains(total)))
    })
    .await
    .unwrap();
}

async fn up_the_levels_and_through_restarts(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let mut town = raise(folder.path(), engine).await;
    write(&town, "it/03/016", case(&town, "c1", "")).await;
    nation_shows(&town, 1).await;
    for unit in ["it/03", "it/03/016", "it"] {
        town.halt(&path(unit)).await.unwrap();
        town.start(&path(unit)).await.unwrap();
    }
    write(&town, "it/03/016", case(&town, "c2", "")).await;
    nation_shows(&town, 2).await;
    town.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_reaches_the_nation_and_survives_restarts_on_redb() {
    up_the_levels_and_through_restarts(Engine::Redb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_reaches_the_nation_and_survives_restarts_on_sled() {
    up_the_levels_and_through_restarts(Engine::Sled).await;
}

/// How soon a revoked node must be cut off after its superior heard of it.
const CUT_OFF: Duration = Duration::from_secs(2);

async fn are_apart(town: &Town, one: &str, other: &str) -> bool {
    let status = town.status(&path(one)).await.unwrap();
    let key = town.node(&path(other)).unwrap().key();
    !status.peers.iter().any(|peer| peer.key == key && peer.connected)
}

/// The nation revokes the region's authority: the region is cut off, hears why, and with it all that
/// stand on its certificate.
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_unit_is_cut_off_within_two_seconds_and_so_is_what_it_certified() {
    let folder = tempfile::tempdir().unwrap();
    let town = raise(folder.path(), Engine::Redb).await;
    assert!(
        !are_apart(&town, "it", "it/03").await && !are_apart(&town, "it/03", "it/03/016").await
    );
    let clock = Clock::start();
    town.revoke(&path("it"), path("it/03").leaf()).await.unwrap();
    let mut took = Vec::new();
    for (above, below) in [("it", "it/03"), ("it/03", "it/03/016")] {
        let parted = async || Ok(are_apart(&town, above, below).await);
        town.eventually(CUT_OFF, &format!("{above} and {below} part"), parted).await.unwrap();
        took.push(Duration::from_millis(clock.now().monotonic));
    }
    println!("the region was cut off after {:?}, its municipality after {:?}", took[0], took[1]);
    assert!(took[1] < CUT_OFF, "{took:?}");
    let taken = town.ask(&path("it/03/016"), Role::Operator, Question::Metrics).await.unwrap();
    assert!(format!("{taken:?}").contains("lists"), "the municipality knows why: {taken:?}");
    town.stop().await.unwrap();
}

/// The root renews the nation's authority and the nation the region's, while all nodes run: every node
/// stands on the new certificates without a restart, and keeps them in its folder.
#[tokio::test(flavor = "multi_thread")]
async fn renewed_authorities_reach_every_folder_below_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut town = raise(folder.path(), Engine::Redb).await;
    let mut nation = House::open(town.folder(&path("it")).unwrap()).unwrap();
    let passphrase = Passphrase::new(PASSPHRASE);
    let mut entropy = Entropy::system();
    let mut clerk = Clerk::new(wall(), &mut entropy);
    clerk.lifetimes.authority_days = 6 * 365;
    let root = nation.root(&nation.folder().join("keys/root.key"), &passphrase).unwrap();
    let first = nation.renew_first(&root, &mut clerk).unwrap();
    let authority = nation.authority(&passphrase).unwrap();
    let second = nation.renew_issued(&authority, "03", &mut clerk).unwrap().remove(0);
    for chain in [&first, &second] {
        let renew = Question::Renew(chain.to_cbor());
        let answer = town.ask(&path("it"), Role::Operator, renew).await.unwrap();
        assert!(matches!(answer, Answer::Done), "{answer:?}");
    }
    for (unit, renewed) in [("it/03", &second), ("it/03/016", &second), ("it/03/016", &first)] {
        let kept = async || {
            let house = House::open(town.folder(&path(unit))?).unwrap();
            let identity = house.identity().unwrap();
            let chains = [&identity.node, &identity.writer, &identity.authority];
            let has = |chain: &Chain| chain.certificates().any(|it| it == renewed.leaf());
            Ok(chains.into_iter().all(has))
        };
        town.eventually(PATIENCE, &format!("{unit} keeps the renewed chains"), kept).await.unwrap();
    }
    write(&town, "it/03/016", case(&town, "c1", "")).await;
    nation_shows(&town, 1).await;
    for unit in ["it/03/016", "it/03", "it"] {
        town.halt(&path(unit)).await.unwrap();
        town.start(&path(unit)).await.unwrap();
    }
    write(&town, "it/03/016", case(&town, "c2", "")).await;
    nation_shows(&town, 2).await;
    let issued = Question::Issued { term: None, from: 0, limit: 100 };
    let answer = town.ask(&path("it"), Role::Operator, issued).await.unwrap();
    let Answer::Issued(rows) = answer else { panic!("{answer:?}") };
    let held: Vec<_> = rows.iter().map(|row| row.certificate.as_slice()).collect();
    for certificate in nation.issued().unwrap() {
        assert!(held.contains(&certificate.der()), "{certificate:?} is in the ledger");
    }
    town.stop().await.unwrap();
}
