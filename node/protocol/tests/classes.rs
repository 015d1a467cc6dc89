//! Classes of recipients through whole federations: each has its own editions, told when a window
//! closes, and none tells a step of fewer persons than its floor.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod world;

use std::sync::Arc;

use reeve_crdt::schema::Schema;
use reeve_policy::authz::PolicySet;
use reeve_protocol::NodeKey;
use reeve_protocol::consent::Adopter;
use reeve_protocol::local::{Answer, Failure, FigureView, Question};
use reeve_protocol::refusal::Refusal;
use reeve_protocol::rows::{self, SentRow};
use reeve_statement::bounds::Bounds;
use reeve_statement::catalogue::RecipientClass;
use reeve_statement::cbor::from_slice;
use reeve_statement::completeness::UnitState;
use reeve_statement::names::IndicatorId;
use world::{World, operator, quick_policy, unit};

const DAY: &str = "2026-03-01";
const LEAF: &str = "it/03/016";

const SCHEMA: &str = r#"
[schema]
name = "persons"
version = 1
[kind.case]
twin = "emergency"
subject = "person"
[kind.case.field.reported_on]
type = "date"
required = true
[kind.case.field.sex]
type = "enum"
values = ["f", "m"]
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
legal_basis = "Infectious Disease Act, s. 7"
"#;

const OTHERS: &str = r#"
@id("neighbours") @min_cell("1") @window("5s")
permit (principal is Unit, action in [Action::"pull", Action::"subscribe"], resource is Indicator)
when { principal.relation == Relation::"neighbour" || principal.relation == Relation::"subordinate" };
@id("everybody") @min_cell("1") @window("5s")
permit (principal is Unit, action in [Action::"pull", Action::"subscribe"], resource is Indicator)
when { principal.relation == Relation::"other" };
"#;

struct Trial {
    world: World,
    written: usize,
}

impl Trial {
    fn new(floors: &str, policy: &str) -> Self {
        let mut world = World::new();
        world.schema = Arc::new(Schema::parse("schema.toml", SCHEMA).unwrap());
        world.policy = PolicySet::parse(policy, "policy.cedar").unwrap();
        for path in ["it", "it/03", LEAF, "it/03/015"] {
            world.add(path);
        }
        let nation = world.places[&(unit("it"), "1".to_owned())];
        world.publish_catalogue(nation, "it", &format!("{CATALOGUE}floor = {floors}\n"));
        world.pass(10_000);
        Self { world, written: 0 }
    }

    fn at(&self, path: &str) -> NodeKey {
        self.world.places[&(unit(path), "1".to_owned())]
    }

    /// So many new cases.
    fn put(&mut self, path: &str, sex: &str, number: usize) {
        let at = self.at(path);
        let ops = (0..number)
            .map(|_| {
                self.written += 1;
                self.world.case(&format!("c{}", self.written), DAY, sex)
            })
            .collect();
        assert!(matches!(self.world.write(at, ops), Answer::Written(_)));
    }

    /// Says that the day is complete there.
    fn close(&mut self, path: &str) {
        let at = self.at(path);
        self.world.period_closed(at, DAY);
    }

    fn told(&mut self, path: &str, class: RecipientClass) -> Option<FigureView> {
        let (indicator, period) = (IndicatorId::new("cases").unwrap(), DAY.parse().unwrap());
        let at = self.at(path);
        let question = Question::ClassFigure { indicator, period, area: None, class };
        match self.world.ask(at, operator(), question) {
            Answer::Figure(view) => view.map(|view| *view),
            other => panic!("{other:?}"),
        }
    }

    /// What a class is told of the women of an area.
    fn women(&mut self, path: &str, class: RecipientClass, area: &str) -> Option<Bounds> {
        let view = self.told(path, class)?;
        let key = reeve_statement::table::RowKey {
            area: area.parse().unwrap(),
            dims: vec!["f".to_owned()],
        };
        view.table.rows.get(&key).map(|cell| cell.value)
    }

    /// When each edition of a class was signed, in order.
    fn editions(&self, path: &str, class: RecipientClass) -> Vec<i64> {
        let rows = &self.world.sites[&self.at(path)].rows;
        let sent = rows.iter().filter(|(key, _)| key.starts_with(rows::SENT));
        let rows = sent.map(|(_, value)| from_slice::<SentRow>("row", value, value.len()).unwrap());
        rows.filter(|row| row.figure.as_ref().is_some_and(|id| id.class == class))
            .map(|row| row.issued_at.as_millis())
            .collect()
    }
}

fn between(lo: i64, hi: i64) -> Option<Bounds> {
    Bounds::between(lo, hi)
}

const SUPERIOR: RecipientClass = RecipientClass::Superior;
const NEIGHBOUR: RecipientClass = RecipientClass::Neighbour;
const PUBLIC: RecipientClass = RecipientClass::Public;

#[test]
fn each_class_is_told_its_own_edition_at_every_level() {
    let floors = "{ superior = 1, neighbour = 5, public = 11 }";
    let mut trial = Trial::new(floors, &(quick_policy() + OTHERS));
    trial.put(LEAF, "f", 7);
    trial.close(LEAF);
    trial.world.pass(100);
    let exact = Some(Bounds::exact(7));
    assert_eq!(trial.women(LEAF, SUPERIOR, "."), exact, "on a named legal basis at once");
    assert_eq!(trial.told(LEAF, NEIGHBOUR).map(|view| view.edition), None, "not before the close");
    trial.world.pass(6_000);
    for (path, area) in [(LEAF, "."), ("it/03", "016"), ("it", "03/016")] {
        assert_eq!(trial.women(path, SUPERIOR, area), exact, "{path}");
        assert_eq!(trial.women(path, NEIGHBOUR, area), exact, "{path}");
        let public = trial.told(path, PUBLIC).unwrap();
        assert!(public.table.rows.is_empty(), "{path}: {public:?}");
        let hidden = public.table.unlisted[&area.parse().unwrap()].each.value;
        // Ten, and as far as what neighbours are told may be from the truth.
        assert_eq!(Some(hidden), between(0, 14), "{path}");
    }
    // Two more: the superior hears of them at once, neighbours of no step under five.
    trial.put(LEAF, "f", 2);
    trial.world.pass(6_000);
    for (path, area) in [(LEAF, "."), ("it/03", "016"), ("it", "03/016")] {
        assert_eq!(trial.women(path, SUPERIOR, area), Some(Bounds::exact(9)), "{path}");
        assert_eq!(trial.women(path, NEIGHBOUR, area), between(3, 11), "{path}");
    }
    let held = trial.editions(LEAF, NEIGHBOUR).len();
    trial.put(LEAF, "f", 1);
    trial.world.pass(6_000);
    assert_eq!(trial.editions(LEAF, NEIGHBOUR).len(), held, "nothing new to say");
    trial.put(LEAF, "f", 6);
    trial.world.pass(6_000);
    for (path, area) in [(LEAF, "."), ("it/03", "016"), ("it", "03/016")] {
        assert_eq!(trial.women(path, NEIGHBOUR, area), Some(Bounds::exact(16)), "{path}");
        assert_eq!(trial.women(path, PUBLIC, area), Some(Bounds::exact(16)), "{path}");
    }
}

#[test]
fn a_class_that_no_policy_opens_is_told_nothing_and_costs_nothing() {
    let floors = "{ superior = 1, neighbour = 5, public = 11 }";
    let mut trial = Trial::new(floors, &quick_policy());
    trial.put(LEAF, "f", 20);
    trial.world.pass(10_000);
    assert_eq!(trial.women(LEAF, SUPERIOR, "."), Some(Bounds::exact(20)));
    for path in [LEAF, "it/03", "it"] {
        for class in [NEIGHBOUR, PUBLIC] {
            assert_eq!(trial.told(path, class), None, "{path} {class}");
            assert!(trial.editions(path, class).is_empty(), "{path} {class}");
        }
    }
    assert_eq!(trial.world.counter(trial.at(LEAF), "windows", "closed"), 0);
}

#[test]
fn a_protected_figure_is_told_once_per_window_however_busy_it_is() {
    let floors = "{ superior = 5 }";
    let policy = quick_policy().replace("@window(\"1s\")", "@window(\"10s\")");
    let mut trial = Trial::new(floors, &policy);
    for _ in 0..120 {
        trial.put(LEAF, "f", 5);
        trial.world.pass(250);
    }
    let editions = trial.editions(LEAF, SUPERIOR);
    assert!((3..=6).contains(&editions.len()), "{editions:?}");
    let apart = editions.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(apart.clone().all(|apart| apart >= 9_900), "{editions:?}");
    // What is told says nothing of when the last record came.
    let at = trial.told(LEAF, SUPERIOR).unwrap().data_touched.unwrap();
    assert_eq!(at.as_millis() % 10_000, 0);
}

#[test]
fn a_restart_remembers_every_step_that_was_told() {
    let mut trial = Trial::new("{ superior = 5 }", &quick_policy());
    trial.put(LEAF, "f", 20);
    trial.world.pass(3_000);
    assert_eq!(trial.women("it/03", SUPERIOR, "016"), Some(Bounds::exact(20)));
    trial.put(LEAF, "f", 1);
    trial.world.restart(LEAF, "1", Some(1));
    trial.world.pass(5_000);
    assert_eq!(trial.women("it/03", SUPERIOR, "016"), between(16, 24));
    trial.put(LEAF, "f", 5);
    trial.world.restart(LEAF, "1", Some(1));
    trial.world.pass(5_000);
    assert_eq!(trial.women("it/03", SUPERIOR, "016"), Some(Bounds::exact(26)));
}

#[test]
fn a_floor_that_is_raised_counts_what_was_told_exactly_before() {
    let mut trial = Trial::new("{ superior = 1 }", &quick_policy());
    trial.put(LEAF, "f", 20);
    trial.world.pass(3_000);
    assert_eq!(trial.women("it/03", SUPERIOR, "016"), Some(Bounds::exact(20)));
    let stricter = quick_policy().replace("@min_cell(\"1\")\npermit", "@min_cell(\"5\")\npermit");
    let leaf = trial.at(LEAF);
    trial.put(LEAF, "f", 2);
    let policy = PolicySet::parse(&stricter, "policy.cedar").unwrap();
    // Both come before anything is told of the two.
    let set = Question::SetPolicy(Box::new(policy), Adopter::Alone);
    assert!(matches!(trial.world.ask(leaf, operator(), set), Answer::Done));
    trial.put(LEAF, "f", 1);
    trial.world.pass(5_000);
    let last = trial.women("it/03", SUPERIOR, "016").unwrap();
    assert!(!last.is_exact() && last.contains(23), "{last}");
}

#[test]
fn a_few_persons_of_an_open_day_are_not_told_from_none() {
    let mut trial = Trial::new("{ superior = 5 }", &quick_policy());
    trial.put(LEAF, "f", 4);
    trial.put("it/03/015", "f", 6);
    trial.world.pass(5_000);
    let state = |view: &FigureView, state| view.counts.of(state);
    let view = trial.told("it/03", SUPERIOR).unwrap();
    assert_eq!(state(&view, UnitState::Partial), 1, "{view:?}");
    assert!(!view.table.unlisted.contains_key(&"016".parse().unwrap()), "{view:?}");
    trial.close(LEAF);
    trial.world.pass(5_000);
    let view = trial.told("it/03", SUPERIOR).unwrap();
    assert_eq!((state(&view, UnitState::Partial), state(&view, UnitState::Reported)), (1, 1));
    let hidden = view.table.unlisted[&"016".parse().unwrap()].each.value;
    assert_eq!(Some(hidden), between(0, 4));
}

fn ask_superior(trial: &mut Trial, path: &str) -> Answer {
    let (indicator, period) = (IndicatorId::new("cases").unwrap(), DAY.parse().unwrap());
    let at = trial.at(path);
    trial.world.ask(at, operator(), Question::SuperiorFigure { indicator, period })
}

#[test]
fn a_subordinate_that_asks_its_superior_gets_the_edition_of_its_class() {
    let floors = "{ superior = 1, neighbour = 5, public = 11 }";
    let mut trial = Trial::new(floors, &(quick_policy() + OTHERS));
    for (path, number) in [(LEAF, 7), ("it/03/015", 3)] {
        trial.put(path, "f", number);
        trial.close(path);
    }
    trial.world.pass(6_000);
    let Answer::Figure(Some(first)) = ask_superior(&mut trial, LEAF) else { panic!("no figure") };
    let Answer::Figure(Some(other)) = ask_superior(&mut trial, "it/03/015") else { panic!("none") };
    assert_eq!((first.unit.clone(), first.class), (unit("it/03"), NEIGHBOUR));
    assert_eq!(first.statement, other.statement, "all of a class get the identical edition");
    let own = trial.told("it/03", NEIGHBOUR).unwrap();
    assert_eq!((first.statement, first.table.clone()), (own.statement, own.table));
    let hidden = first.table.unlisted[&"015".parse().unwrap()].each.value;
    assert_eq!(Some(hidden), between(0, 4), "the three of its neighbour are not told");
    // The nation has nobody above it, and what the policy does not open is not told.
    let top = ask_superior(&mut trial, "it");
    assert!(matches!(top, Answer::Failed(Failure::NoSuperior)), "{top:?}");
    let (indicator, period) = (IndicatorId::new("cases").unwrap(), "2026-02-01".parse().unwrap());
    let at = trial.at(LEAF);
    let none = trial.world.ask(at, operator(), Question::SuperiorFigure { indicator, period });
    assert!(matches!(none, Answer::Figure(None)), "{none:?}");
    let region = trial.at("it/03");
    let closed = PolicySet::parse(&quick_policy(), "policy.cedar").unwrap();
    trial.world.ask(region, operator(), Question::SetPolicy(Box::new(closed), Adopter::Alone));
    let declined = ask_superior(&mut trial, LEAF);
    assert!(matches!(declined, Answer::Failed(Failure::Refused(Refusal::NoRight))), "{declined:?}");
}

/// How many units of the region's figure for a class are in a state.
fn in_state(trial: &mut Trial, class: RecipientClass, state: UnitState) -> u64 {
    trial.told("it/03", class).unwrap().counts.of(state)
}

#[test]
fn a_subordinate_that_does_not_open_a_class_looks_like_that_and_not_late() {
    let floors = "{ superior = 1, neighbour = 5 }\nexpected_within = \"2h\"";
    let mut trial = Trial::new(floors, &(quick_policy() + OTHERS));
    let closed = PolicySet::parse(&quick_policy(), "policy.cedar").unwrap();
    let other = trial.at("it/03/015");
    trial.world.ask(other, operator(), Question::SetPolicy(Box::new(closed), Adopter::Alone));
    for path in [LEAF, "it/03/015"] {
        trial.put(path, "f", 9);
        trial.close(path);
    }
    trial.world.pass(6_000);
    assert_eq!(in_state(&mut trial, SUPERIOR, UnitState::Reported), 2);
    assert_eq!(in_state(&mut trial, NEIGHBOUR, UnitState::Reported), 1);
    assert_eq!(in_state(&mut trial, NEIGHBOUR, UnitState::Awaited), 1, "its window may be open");
    trial.world.pass_over(3_700_000);
    trial.world.pass(10_000);
    assert_eq!(in_state(&mut trial, NEIGHBOUR, UnitState::Declined), 1);
    trial.world.pass_over(24 * 3_600_000);
    trial.world.pass(10_000);
    assert_eq!(in_state(&mut trial, NEIGHBOUR, UnitState::Declined), 1, "long after the deadline");
    assert_eq!(in_state(&mut trial, NEIGHBOUR, UnitState::Late), 0);
    // It opens the class after all.
    let open = PolicySet::parse(&(quick_policy() + OTHERS), "policy.cedar").unwrap();
    trial.world.ask(other, operator(), Question::SetPolicy(Box::new(open), Adopter::Alone));
    trial.world.pass(10_000);
    assert_eq!(in_state(&mut trial, NEIGHBOUR, UnitState::Reported), 2);
}
