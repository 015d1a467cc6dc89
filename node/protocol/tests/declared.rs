//! Declarations: what they switch on ends with them, and what was protected stays so.

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
use reeve_policy::authz::{PolicySet, Role};
use reeve_protocol::NodeKey;
use reeve_protocol::declared::{LONGEST_MS, Phase};
use reeve_protocol::local::{Answer, Failure, Question, Status};
use reeve_protocol::refusal::Refusal;
use reeve_protocol::rows::{self, HeardRow};
use reeve_statement::cbor::from_slice;
use reeve_statement::completeness::UnitState;
use reeve_statement::register::Declaration;
use reeve_statement::release::Release;
use reeve_statement::statement::Body;
use reeve_statement::time::Timestamp;
use world::{NOON, World, operator, person, quick_policy, unit};

const LEAF: &str = "it/03/016";
const PLACES: [&str; 5] = ["it", "it/03", "it/05", LEAF, "it/03/015"];
const SECOND_MS: i64 = 1_000;

/// What the houses' policy demands, and what the catalogue does.
const STRICT: u32 = 11;
const RELAXED: u32 = 5;

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
floor = { superior = 5 }
"#;

const RELAXATION: &str = r#"
@id("emergency") @supersedes("superior-figures") @min_cell("1") @window("1s")
permit (principal is Unit, action in [Action::"pull", Action::"subscribe"], resource is Indicator)
when { principal.relation == Relation::"superior" && context.response_level == 1 };
"#;

/// A federation whose houses demand more than the catalogue unless an emergency is declared.
struct Trial {
    world: World,
}

impl Trial {
    fn new() -> Self {
        let mut world = World::new();
        world.schema = Arc::new(Schema::parse("schema.toml", SCHEMA).unwrap());
        let policy =
            quick_policy().replace("@min_cell(\"1\")\npermit", "@min_cell(\"11\")\npermit");
        world.policy = PolicySet::parse(&(policy + RELAXATION), "policy.cedar").unwrap();
        for path in PLACES {
            world.add(path);
        }
        let mut trial = Self { world };
        let nation = trial.at("it");
        trial.world.publish_catalogue(nation, "it", CATALOGUE);
        trial
    }

    fn at(&self, path: &str) -> NodeKey {
        self.world.places[&(unit(path), "1".to_owned())]
    }

    /// So many cases of a day at a unit, one of them new with each call.
    fn put(&mut self, path: &str, day: &str, number: usize) {
        let at = self.at(path);
        for n in 0..number {
            self.world.put_case(at, &format!("{day}-{number}-{n}"), day, "f");
        }
        // Otherwise nobody is told whether a few are all.
        self.world.period_closed(at, day);
        self.world.pass(1_500);
    }

    fn now(&self) -> i64 {
        NOON + i64::try_from(self.world.now).unwrap()
    }

    /// Declares for an area, for so many seconds from so many seconds on.
    fn declare(&mut self, issuer: &str, name: &str, area: &str, from: i64, lasts: i64) -> Answer {
        let from = self.now() + from * SECOND_MS;
        let declaration = Declaration {
            id: name.to_owned(),
            level: 1,
            legal_basis: "Civil Protection Act, s. 24".to_owned(),
            area: unit(area),
            from: Timestamp::from_millis(from),
            until: Timestamp::from_millis(from + lasts * SECOND_MS),
            ended: false,
        };
        self.publish(issuer, declaration)
    }

    fn publish(&mut self, issuer: &str, declaration: Declaration) -> Answer {
        let (at, now) = (self.at(issuer), self.now());
        let bytes = self.world.registry.declaration(&unit(issuer), declaration, now);
        let answer = self.world.ask(at, operator(), Question::Declare(bytes));
        self.world.pass(1_500);
        answer
    }

    fn status(&mut self, path: &str) -> Status {
        let at = self.at(path);
        match self.world.ask(at, operator(), Question::Status) {
            Answer::Status(status) => *status,
            other => panic!("{other:?}"),
        }
    }

    fn level(&mut self, path: &str) -> u8 {
        self.status(path).response_level
    }

    /// What a superior holds of a unit's figure of a day.
    fn held(&self, superior: &str, of: &str, day: &str) -> Release {
        let rows = &self.world.sites[&self.at(superior)].rows;
        let row = rows
            .iter()
            .filter(|(key, _)| key.starts_with(rows::HEARD))
            .map(|(_, value)| from_slice::<HeardRow>("row", value, value.len()).unwrap())
            .find(|row| row.said.issuer == unit(of) && row.id.period == Some(day.parse().unwrap()));
        match row.expect("a figure").said.body {
            Body::Release(release) => *release,
            other => panic!("{other:?}"),
        }
    }

    fn floor(&self, superior: &str, of: &str, day: &str) -> u32 {
        self.held(superior, of, day).decision.conditions.floor
    }

    /// The least that a superior knows of a unit's total of a day.
    fn least(&self, superior: &str, of: &str, day: &str) -> i64 {
        self.held(superior, of, day).table.inline().unwrap().total().unwrap().value.lo()
    }
}

#[test]
fn a_relaxation_begins_and_ends_with_its_declaration() {
    let mut trial = Trial::new();
    assert!(matches!(trial.declare("it", "wave", "it/03", 10, 20), Answer::Done));
    trial.put(LEAF, "2026-02-27", 7);
    assert_eq!(trial.level(LEAF), 0, "its time has not come");
    assert_eq!(trial.status(LEAF).declarations[0].phase, Phase::Ahead);
    assert_eq!(trial.floor("it/03", LEAF, "2026-02-27"), STRICT);

    trial.world.pass(10_000);
    for (path, level) in [("it", 0), ("it/03", 1), (LEAF, 1), ("it/05", 0)] {
        assert_eq!(trial.level(path), level, "{path}");
    }
    assert!(trial.status("it/05").declarations.is_empty(), "it is no affair of it/05");
    assert_eq!(trial.status("it").declarations[0].phase, Phase::Elsewhere);
    trial.put(LEAF, "2026-03-01", 7);
    let told = trial.held("it/03", LEAF, "2026-03-01");
    assert_eq!(told.decision.conditions.floor, RELAXED, "the catalogue's floor still binds");
    let declared = trial.status(LEAF).declarations[0].statement;
    assert_eq!(told.decision.declarations, [declared], "the figure names it");
    assert_eq!(trial.least("it/03", LEAF, "2026-03-01"), 7);
    assert_eq!(trial.floor("it/03", LEAF, "2026-02-27"), STRICT, "told strictly before");
    assert_eq!(trial.least("it/03", LEAF, "2026-02-27"), 0);

    // Nothing happens but that its time passes.
    trial.world.pass(30_000);
    assert_eq!(trial.level(LEAF), 0);
    assert_eq!(trial.status(LEAF).declarations[0].phase, Phase::Over);
    for day in ["2026-02-27", "2026-03-01"] {
        assert_eq!(trial.floor("it/03", LEAF, day), STRICT, "{day}");
        assert_eq!(trial.least("it/03", LEAF, day), 0, "{day}");
    }
    // A second one discloses nothing that is protected by now.
    assert!(matches!(trial.declare("it", "wave-2", "it", 0, 600), Answer::Done));
    trial.put(LEAF, "2026-03-01", 8);
    assert_eq!(trial.level(LEAF), 1);
    assert_eq!(trial.floor("it/03", LEAF, "2026-03-01"), STRICT);
    trial.put(LEAF, "2026-02-28", 6);
    assert_eq!(trial.floor("it/03", LEAF, "2026-02-28"), RELAXED, "nothing of it was told before");
}

#[test]
fn one_that_was_told_strictly_does_not_push_its_neighbour_out_of_the_sum() {
    let mut trial = Trial::new();
    let day = "2026-03-01";
    trial.put(LEAF, day, 7);
    assert_eq!(trial.floor("it", "it/03", day), STRICT);
    assert!(matches!(trial.declare("it", "wave", "it", 0, 20), Answer::Done));
    trial.put("it/03/015", day, 8);
    let region = trial.held("it", "it/03", day);
    assert_eq!(region.counts.of(UnitState::OtherDefinition), 0, "{:?}", region.counts);
    assert_eq!(region.decision.conditions.floor, RELAXED, "that of its least protected part");
    assert_eq!(trial.least("it", "it/03", day), 8, "and nothing of the other one");
    trial.world.pass(30_000);
    let region = trial.held("it", "it/03", day);
    assert_eq!(region.decision.conditions.floor, STRICT);
    assert_eq!(region.counts.of(UnitState::OtherDefinition), 0, "{:?}", region.counts);
    assert_eq!(trial.least("it", "it/03", day), 0);
}

#[test]
fn it_is_ended_before_its_time_for_good() {
    let mut trial = Trial::new();
    assert!(matches!(trial.declare("it/03", "flood", "it/03", 0, 600), Answer::Done));
    assert_eq!((trial.level(LEAF), trial.level("it/03")), (1, 1));
    trial.put(LEAF, "2026-03-01", 7);
    assert_eq!(trial.least("it/03", LEAF, "2026-03-01"), 7);
    let original = trial.status("it/03").declarations[0].declaration.clone();
    let ended = Declaration { ended: true, ..original.clone() };
    assert!(matches!(trial.publish("it/03", ended), Answer::Done));
    assert_eq!((trial.level(LEAF), trial.level("it/03")), (0, 0));
    assert_eq!(trial.least("it/03", LEAF, "2026-03-01"), 0, "the stricter rules bind again");
    // Nobody brings it back: neither with the old statement nor with a new one.
    let again = trial.publish("it/03", original);
    assert!(matches!(again, Answer::Failed(Failure::Refused(Refusal::OldVersion))), "{again:?}");
    assert_eq!(trial.level(LEAF), 0);
}

#[test]
fn it_is_kept_and_reaches_those_who_were_away() {
    let mut trial = Trial::new();
    let (leaf, region) = (trial.at(LEAF), trial.at("it/03"));
    let second = trial.world.add_node(LEAF, "2", None);
    trial.world.set_down(leaf, true);
    assert!(matches!(trial.declare("it", "wave", "it/03/016", 0, 60), Answer::Done));
    assert_eq!(trial.level(LEAF), 0, "it was away");
    assert_eq!(trial.status("it/03").declarations[0].phase, Phase::Elsewhere, "it passes it on");
    trial.world.restart("it/03", "1", Some(1));
    trial.world.set_down(leaf, false);
    trial.world.pass(2_000);
    assert_eq!(trial.level(LEAF), 1);
    let status = match trial.world.ask(second, operator(), Question::Status) {
        Answer::Status(status) => status,
        other => panic!("{other:?}"),
    };
    assert_eq!(status.response_level, 1, "the other nodes of the home hear of it");
    trial.world.set_down(region, true);
    trial.world.restart(LEAF, "1", Some(1));
    assert_eq!(trial.level(LEAF), 1, "it is durable");
    trial.world.pass(70_000);
    assert_eq!(trial.level(LEAF), 0, "it ends by the node's own clock");
}

#[test]
fn a_clock_that_goes_back_a_little_does_not_bring_it_back() {
    let mut trial = Trial::new();
    assert!(matches!(trial.declare("it", "wave", "it", 0, 20), Answer::Done));
    trial.put(LEAF, "2026-03-01", 7);
    trial.world.pass(30_000);
    assert_eq!(trial.floor("it/03", LEAF, "2026-03-01"), STRICT);
    trial.world.wall_ahead_ms = -25_000;
    trial.put(LEAF, "2026-02-28", 7);
    assert_eq!(trial.floor("it/03", LEAF, "2026-02-28"), STRICT, "signed after its end");
}

#[test]
fn what_makes_no_sense_or_comes_from_elsewhere_is_refused() {
    let mut trial = Trial::new();
    let now = trial.now();
    let good = Declaration {
        id: "wave".to_owned(),
        level: 1,
        legal_basis: "Act".to_owned(),
        area: unit("it/03"),
        from: Timestamp::from_millis(now),
        until: Timestamp::from_millis(now + 60 * SECOND_MS),
        ended: false,
    };
    let bad = [
        (Declaration { level: 0, ..good.clone() }, Refusal::BadDeclaration),
        (Declaration { id: String::new(), ..good.clone() }, Refusal::BadDeclaration),
        (Declaration { until: good.from, ..good.clone() }, Refusal::BadDeclaration),
        (
            Declaration { until: good.from.plus_millis(LONGEST_MS + 1), ..good.clone() },
            Refusal::BadDeclaration,
        ),
        (Declaration { area: unit("it"), ..good.clone() }, Refusal::OutOfArea),
        (Declaration { area: unit("it/05"), ..good.clone() }, Refusal::OutOfArea),
    ];
    for (declaration, expected) in bad {
        let answer = trial.publish("it/03", declaration);
        let found = match answer {
            Answer::Failed(Failure::Refused(found)) => found,
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected);
    }
    // A neighbour's authority, or a subordinate's, declares nothing here; nor does whoever has no right.
    let bytes = trial.world.registry.declaration(&unit("it/05"), good.clone(), now);
    let region = trial.at("it/03");
    let answer = trial.world.ask(region, operator(), Question::Declare(bytes));
    assert!(matches!(answer, Answer::Failed(Failure::Refused(Refusal::OutOfArea))), "{answer:?}");
    let bytes = trial.world.registry.declaration(&unit("it/03"), good, now);
    let wrong_door = trial.world.ask(region, operator(), Question::Publish(bytes.clone()));
    assert!(
        matches!(wrong_door, Answer::Failed(Failure::Refused(Refusal::OutOfPlace))),
        "{wrong_door:?}"
    );
    for role in [Role::Viewer, Role::Writer, Role::Auditor] {
        let answer = trial.world.ask(region, person(role), Question::Declare(bytes.clone()));
        assert!(matches!(answer, Answer::Declined(_)), "{role:?}: {answer:?}");
    }
    assert_eq!(trial.level(LEAF), 0);
}

#[test]
fn what_a_revoked_authority_declared_has_no_force() {
    let mut trial = Trial::new();
    assert!(matches!(trial.declare("it/03", "wave", "it/03", 0, 600), Answer::Done));
    assert_eq!(trial.level(LEAF), 1);
    let at = trial.now();
    let list = trial.world.registry.revoke_stamped(&unit("it"), "a it/03", 1, at);
    let leaf = trial.at(LEAF);
    let answer = trial.world.ask(leaf, operator(), Question::TakeList(list));
    assert!(matches!(answer, Answer::Done), "{answer:?}");
    assert_eq!(trial.level(LEAF), 0);
}
