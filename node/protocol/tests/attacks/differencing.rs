//! Attacks 10 and 11: a curious superior asks again and again, and the policy goes to and fro.
//!
//! Two federations differ in small cells only. Whoever could find out a small cell could tell them
//! apart; so everything that they tell must be the same, whatever is asked in whichever order.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use reeve_crdt::schema::Schema;
use reeve_policy::authz::{PolicySet, Role};
use reeve_protocol::NodeKey;
use reeve_protocol::consent::Adopter;
use reeve_protocol::local::{Answer, FigureView, Question};
use reeve_protocol::rows::HeardRow;
use reeve_statement::digest::Digest;
use reeve_statement::names::IndicatorId;
use reeve_statement::statement::Body;

use crate::counts::count;
use crate::world::{World, operator, person, quick_policy, unit};
use crate::{chance, day, held};

const LEAVES: [&str; 3] = ["it/03/016", "it/03/015", "it/05/023"];
const PLACES: [&str; 6] = ["it", "it/03", "it/05", "it/03/016", "it/03/015", "it/05/023"];
const DAYS: usize = 4;

/// The floor of the catalogue.
const FLOOR: u32 = 5;

const SCHEMA: &str = r#"
[schema]
name = "persons"
version = 1
[kind.case]
twin = "emergency"
subject = "person"
expected_records = 1000
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
floor = { public = 11, neighbour = 11, superior = 5 }
"#;

/// More than any floor here: as many as make a step that is told.
const STEP: usize = 12;

/// Records of each leaf and day: many women, few men.
type Counts = BTreeMap<(usize, usize), (u32, u32)>;

/// Two federations' counts, which differ where fewer than `floor` men are.
fn counts(floor: u32, random: &mut ChaCha8Rng) -> [Counts; 2] {
    let (mut one, mut other) = (Counts::new(), Counts::new());
    for leaf in 0..LEAVES.len() {
        for day in 0..DAYS {
            let women = random.random_range(11..16);
            one.insert((leaf, day), (women, random.random_range(0..floor)));
            other.insert((leaf, day), (women, random.random_range(0..floor)));
        }
    }
    [one, other]
}

fn at(world: &World, path: &str) -> NodeKey {
    world.places[&(unit(path), "1".to_owned())]
}

fn set_floor(world: &mut World, path: &str, floor: u32) {
    let text = quick_policy()
        .replace("@min_cell(\"1\")\npermit", &format!("@min_cell(\"{floor}\")\npermit"));
    assert!(floor == 1 || text != quick_policy());
    let set = PolicySet::parse(&text, "policy.cedar").unwrap();
    let node = at(world, path);
    let answer = world.ask(node, operator(), Question::SetPolicy(Box::new(set), Adopter::Alone));
    assert!(matches!(answer, Answer::Done), "{answer:?}");
}

/// A federation with these records, whose homes begin with a policy of that floor.
fn federation(counts: &Counts, floor: u32) -> World {
    let mut world = World::new();
    world.schema = Arc::new(Schema::parse("schema.toml", SCHEMA).unwrap());
    for path in PLACES {
        world.add(path);
        set_floor(&mut world, path, floor);
    }
    for (number, path) in LEAVES.iter().enumerate() {
        let mut ops = Vec::new();
        for on in 0..DAYS {
            let (women, men) = counts[&(number, on)];
            for (sex, many) in [("f", women), ("m", men)] {
                for n in 0..many {
                    ops.push(world.case(&format!("{on}{sex}{n}"), &day(on), sex));
                }
            }
        }
        let leaf = at(&world, path);
        let answer = world.write(leaf, ops);
        assert!(matches!(answer, Answer::Written(_)), "{answer:?}");
    }
    let nation = at(&world, "it");
    world.publish_catalogue(nation, "it", CATALOGUE);
    world.pass(5_000);
    world
}

/// What a figure tells, without the digests that a salted commitment makes differ.
fn told(view: &FigureView) -> String {
    let view = FigureView { statement: None, ..view.clone() };
    format!("{view:?}")
}

/// All that a superior holds of its subordinates, likewise.
fn holdings(world: &World, path: &str) -> Vec<String> {
    let rows = held(world, at(world, path));
    let blind = |row: HeardRow| match row.said.body {
        Body::Release(mut release) => {
            (release.commitment, release.previous) = (None, None);
            (release.inputs_root, release.manifest_root) = (Digest::ZERO, Digest::ZERO);
            (release.request, release.register) = (None, None);
            if let reeve_statement::chunk::Part::Inline(manifest) = &mut release.manifest {
                manifest.direct.iter_mut().for_each(|entry| entry.statement = None);
            }
            format!("{} {:?} {} {release:?}", row.unit, row.id, row.edition)
        }
        other => format!("{} {:?} {} {other:?}", row.unit, row.id, row.edition),
    };
    rows.into_iter().map(blind).collect()
}

/// One question of the attacker, who sits at a superior.
fn question(random: &mut ChaCha8Rng) -> (&'static str, String, Option<&'static str>) {
    let seat = PLACES[random.random_range(0..3)];
    let area = Some(PLACES[random.random_range(0..PLACES.len())]);
    let on = day(random.random_range(0..DAYS + 1));
    (seat, on, area.filter(|area| area.starts_with(seat)))
}

fn ask(world: &mut World, (seat, on, area): &(&str, String, Option<&str>)) -> Option<FigureView> {
    let indicator = IndicatorId::new("cases").unwrap();
    let area = area.map(unit);
    let what = Question::Figure { indicator, period: on.parse().unwrap(), area };
    let node = at(world, seat);
    match world.ask(node, person(Role::Viewer), what) {
        Answer::Figure(view) => view.map(|view| *view),
        other => panic!("{other:?}"),
    }
}

#[test]
fn attack_10_ten_thousand_questions_do_not_tell_two_federations_apart() {
    let mut random = chance(10);
    let counts = counts(FLOOR, &mut random);
    assert_ne!(counts[0], counts[1]);
    let [mut one, mut other] = counts.each_ref().map(|counts| federation(counts, 1));
    let mut answers: BTreeMap<(&str, String, Option<&str>), String> = BTreeMap::new();
    let mut answered = 0;
    for _ in 0..count(300, 10_000) {
        let asked = question(&mut random);
        let (view, same) = (ask(&mut one, &asked), ask(&mut other, &asked));
        assert_eq!(view.as_ref().map(told), same.as_ref().map(told), "{asked:?}");
        answered += usize::from(view.is_some());
        // Asked again, it is answered byte for byte as before, signature included.
        let said = format!("{view:?}");
        assert_eq!(*answers.entry(asked).or_insert_with(|| said.clone()), said);
        let small = |view: &FigureView| {
            view.table
                .rows
                .values()
                .any(|cell| (1..i64::from(FLOOR)).contains(&cell.contributors.lo()))
        };
        assert!(!view.as_ref().is_some_and(small), "a small cell: {view:?}");
        if random.random_ratio(1, 100) {
            one.pass(1_000);
            other.pass(1_000);
        }
    }
    assert!(answered > 100, "{answered} questions had an answer");
    // Nor do the siblings' and superiors' own holdings, put together.
    for path in ["it", "it/03", "it/05"] {
        let (one, other) = (holdings(&one, path), holdings(&other, path));
        assert!(!one.is_empty());
        assert_eq!(one, other, "{path}");
    }
    // The truth differs: the attack could have succeeded.
    let own = |world: &mut World, path: &str| {
        let node = at(world, path);
        let indicator = IndicatorId::new("cases").unwrap();
        let period = day(0).parse().unwrap();
        let asked = Question::OwnFigure { indicator, period };
        format!("{:?}", world.ask(node, operator(), asked))
    };
    assert!(LEAVES.iter().any(|path| own(&mut one, path) != own(&mut other, path)));
}

/// Both federations change their policies alike, again and again; the attacker keeps everything.
fn flipped(first: u32, floors: &[u32], seed: u64) {
    let mut random = chance(seed);
    let counts = counts(first.max(FLOOR), &mut random);
    let mut both = counts.each_ref().map(|counts| federation(counts, first));
    for flip in 0..count(10, 100) {
        let floor = floors[random.random_range(0..floors.len())];
        let path = PLACES[random.random_range(0..PLACES.len())];
        let changed = random.random_range(0..DAYS);
        for world in &mut both {
            set_floor(world, path, floor);
            // Something changes as well, so that there is a reason for another edition.
            let leaf = at(world, LEAVES[flip % LEAVES.len()]);
            let new = |n| world.case(&format!("new{flip}-{n}"), &day(changed), "f");
            let ops = (0..STEP).map(new).collect();
            assert!(matches!(world.write(leaf, ops), Answer::Written(_)));
            world.pass(1_500);
        }
        let [one, other] = &both;
        for path in ["it", "it/03", "it/05"] {
            assert_eq!(holdings(one, path), holdings(other, path), "{path} after flip {flip}");
        }
    }
    let editions = held(&both[0], at(&both[0], "it")).iter().map(|row| row.edition).max();
    assert!(editions > Some(3), "figures were told anew: {editions:?}");
}

#[test]
fn attack_11_a_policy_that_goes_to_and_fro_tells_no_small_cell() {
    flipped(1, &[1, 5, 7, 9, 11], 11);
}

#[test]
fn attack_11_a_floor_that_was_told_is_not_lowered_by_a_laxer_policy() {
    flipped(9, &[1, 5, 9], 111);
}
