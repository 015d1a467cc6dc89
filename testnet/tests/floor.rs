//! Figures with a floor through real nodes: what is told is a bound that holds the truth, and nothing
//! that stands for one to four persons is told exactly.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use reeve::config::Engine;
use reeve_crdt::record::{Record, RecordId};
use reeve_crdt::twin::RecordOp;
use reeve_examples::epidemic::{CATALOGUE, schema_expecting};
use reeve_policy::authz::{DEFAULT_POLICY, Role};
use reeve_protocol::local::{Answer, FigureView, Question};
use reeve_statement::names::{IndicatorId, KindId};
use reeve_statement::period::Period;
use reeve_statement::unit::UnitPath;
use reeve_testnet::town::{Town, TownSpec};
use serde_json::{Value, json};

const FLOOR: i64 = 5;
const DAY: &str = "2020-03-01";
const PATIENCE: Duration = Duration::from_secs(60);

/// Cases by area below the nation, age band and sex.
type Truth = BTreeMap<(&'static str, &'static str, &'static str), i64>;

/// For each: a municipality's path, an age of the band, the band, the sex, and how many at first and
/// later. Cells of every size about the floor, a cell that passes it and one that no longer reaches it,
/// steps that are told and steps that are held.
const CELLS: [(&str, i64, &str, &str, [i64; 2]); 10] = [
    ("03/015", 10, "0-17", "female", [1, 1]),
    ("03/015", 20, "18-39", "female", [4, 5]),
    ("03/015", 50, "40-64", "male", [5, 5]),
    ("03/015", 90, "80+", "male", [12, 18]),
    ("03/016", 10, "0-17", "female", [3, 2]),
    ("03/016", 50, "40-64", "male", [6, 4]),
    ("03/016", 70, "65-79", "female", [0, 2]),
    ("03/016", 20, "18-39", "male", [7, 8]),
    ("05/023", 20, "18-39", "female", [2, 2]),
    ("05/023", 30, "18-39", "male", [9, 9]),
];

/// The policy of a new node, with windows of a second.
fn quick_windows() -> String {
    let named = "@id(\"superior-figures\")";
    DEFAULT_POLICY.replace(named, &format!("{named}\n@window(\"1s\")"))
}

fn path(text: &str) -> UnitPath {
    text.parse().unwrap()
}

async fn raise(folder: &std::path::Path) -> Town {
    let spec = TownSpec {
        folder: folder.to_owned(),
        paths: ["it", "it/03", "it/05", "it/03/015", "it/03/016", "it/05/023"].map(path).to_vec(),
        schema: schema_expecting(500),
        policy: Some(quick_windows()),
        engine: Engine::Redb,
        tap: None,
    };
    let town = Town::raise(&spec).await.unwrap();
    town.publish(&catalogue(), PATIENCE).await.unwrap();
    town
}

/// The pack's catalogue with a floor for superiors, too. Its other cuts of the cases, which superiors
/// have exactly, cannot stand beside that.
fn catalogue() -> String {
    let exact = "floor      = { superior = 1, neighbour = 5, public = 11 }";
    let floors = format!("floor = {{ superior = {FLOOR}, neighbour = {FLOOR}, public = 11 }}");
    let mut sections = CATALOGUE.split("[indicator.");
    let mut catalogue = sections.next().unwrap().to_owned();
    for section in sections {
        if section.starts_with("confirmed_by_day]") {
            assert!(section.contains(exact), "the pack's own floors");
            catalogue += &format!("[indicator.{}", section.replacen(exact, &floors, 1));
        } else if !section.contains("\"case\"") {
            catalogue += &format!("[indicator.{section}");
        }
    }
    catalogue
}

/// Makes each cell as large as it is at a step.
async fn write(town: &Town, step: usize) -> Truth {
    let kind = town.schema().kind("case").unwrap();
    let mut truth = Truth::new();
    for (area, age, band, sex, sizes) in CELLS {
        let (before, size) = (if step == 0 { 0 } else { sizes[0] }, sizes[step]);
        let fields = json!({"status": "confirmed", "reported_on": DAY, "age": age, "sex": sex});
        let Value::Object(fields) = fields else { panic!("fields are an object") };
        let op = |number: i64| {
            let id = RecordId::new(&format!("{band}-{sex}-{number}")).unwrap();
            let record = kind.validate(Record::from_json(kind, &fields).unwrap()).unwrap();
            if number < size { RecordOp::Put { id, record } } else { RecordOp::Delete { id } }
        };
        let ops: Vec<RecordOp> = (0..size.max(before)).map(op).collect();
        if !ops.is_empty() {
            let question =
                Question::Write { kind: KindId::new("case").unwrap(), ops, import: None };
            let answer = town.ask(&path(&format!("it/{area}")), Role::Writer, question).await;
            assert!(matches!(answer, Ok(Answer::Written(_))), "{answer:?}");
        }
        truth.insert((area, band, sex), size);
    }
    truth
}

async fn nation(town: &Town) -> Option<FigureView> {
    let (indicator, day) = (IndicatorId::new("confirmed_by_day").unwrap(), DAY.parse::<Period>());
    town.figure(&path("it"), &indicator, day.unwrap()).await.unwrap()
}

/// The rows that are told, in the truth's words.
fn told(view: &FigureView) -> BTreeMap<[String; 3], (i64, i64)> {
    let rows = view.table.rows.iter().map(|(key, cell)| {
        let [band, sex] = key.dims.as_slice() else { panic!("two dimensions: {key:?}") };
        ([key.area.to_string(), band.clone(), sex.clone()], (cell.value.lo(), cell.value.hi()))
    });
    rows.collect()
}

/// Whether every cell lies within what is told of it, and every large one is told by itself.
fn holds(view: &FigureView, truth: &Truth) -> bool {
    let told = told(view);
    truth.iter().all(|((area, band, sex), size)| {
        match told.get(&[area, band, sex].map(|text| (*text).to_owned())) {
            Some((lo, hi)) => (*lo..=*hi).contains(size),
            None => *size < FLOOR,
        }
    })
}

/// Waits until what the nation shows holds the truth: a window closes first.
async fn settled(town: &Town, truth: &Truth) -> FigureView {
    town.eventually(PATIENCE, "what the nation shows holds the truth", async || {
        Ok(nation(town).await.is_some_and(|view| holds(&view, truth)))
    })
    .await
    .unwrap();
    nation(town).await.unwrap()
}

fn assert_bounds_hold(view: &FigureView, truth: &Truth) {
    let told = told(view);
    let (mut exact, mut bounded) = (0, 0);
    for (key, (lo, hi)) in &told {
        let cell = truth.iter().find(|((area, band, sex), _)| {
            [*area, *band, *sex].iter().zip(key).all(|(one, other)| one == other)
        });
        let size = cell.map_or(0, |(_, size)| *size);
        assert!((*lo..=*hi).contains(&size), "{key:?}: {lo} to {hi}, not {size}");
        if lo == hi {
            exact += 1;
            assert!(*lo == 0 || *lo >= FLOOR, "{key:?} tells {lo}");
        } else {
            bounded += 1;
        }
    }
    assert!(exact > 0 && bounded + view.unlisted.len() > 0, "{told:?}, {:?}", view.unlisted);
    let total = view.total.unwrap().value;
    let sum: i64 = truth.values().sum();
    assert!(total.lo() < sum && sum < total.hi(), "{total:?} around {sum}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bound_with_a_floor_holds_the_truth_and_tells_nothing_small() {
    let folder = tempfile::tempdir().unwrap();
    let town = raise(folder.path()).await;
    for step in [0, 1] {
        let truth = write(&town, step).await;
        let view = settled(&town, &truth).await;
        assert_bounds_hold(&view, &truth);
    }
    town.stop().await.unwrap();
}
