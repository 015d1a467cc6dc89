//! Nodes killed between any two steps: nothing acknowledged is lost, no edition is told twice.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod world;

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reeve_protocol::NodeKey;
use reeve_protocol::effect::AskId;
use reeve_protocol::local::{Answer, Question};
use reeve_protocol::wire::{Upward, decode};
use reeve_statement::cert::Chain;
use reeve_statement::cose::{Signed, Verifier};
use reeve_statement::digest::Digest;
use reeve_statement::names::KindId;
use reeve_statement::statement::FigureId;
use reeve_statement::unit::UnitPath;
use world::{CATALOGUE, World, person};

const DAYS: [&str; 3] = ["2026-02-27", "2026-02-28", "2026-03-01"];
const PLACES: [&str; 6] = ["it", "it/03", "it/05", "it/03/016", "it/03/015", "it/05/023"];
const LEAVES: [&str; 3] = ["it/03/016", "it/03/015", "it/05/023"];

fn federation() -> World {
    let mut world = World::new();
    let nation = world.add("it");
    for path in &PLACES[1..] {
        world.add(path);
    }
    world.publish_catalogue(nation, "it", CATALOGUE);
    world
}

fn at(world: &World, path: &str) -> NodeKey {
    world.places[&(world::unit(path), "1".to_owned())]
}

/// What a client knows of the records at one leaf.
#[derive(Default)]
struct Known {
    /// Acknowledged: record and its day.
    records: BTreeMap<String, &'static str>,
    /// Asked and not answered: the record may be on any of these days, or not there.
    open: BTreeMap<String, BTreeSet<&'static str>>,
    asks: Vec<(AskId, String, &'static str)>,
}

impl Known {
    fn settle_asks(&mut self, world: &mut World, leaf: NodeKey) {
        let Some(site) = world.sites.get_mut(&leaf) else { return };
        let mut left = Vec::new();
        for (ask, id, day) in self.asks.drain(..) {
            match site.answers.remove(&ask) {
                Some(Answer::Written(_)) => {
                    self.open.remove(&id);
                    self.records.insert(id, day);
                }
                Some(other) => panic!("{other:?}"),
                None => left.push((ask, id, day)),
            }
        }
        self.asks = left;
    }

    /// The node was killed: what was not answered may have happened or not.
    fn lose_asks(&mut self) {
        for (_, id, day) in self.asks.drain(..) {
            self.open.entry(id).or_default().insert(day);
        }
    }
}

/// Every figure ever sent up, by issuer, figure, term and edition: one digest each.
fn invariant_no_edition_is_told_twice(world: &World, seed: u64) {
    let roots = world.registry.roots.clone();
    let verifier = Verifier::new(roots, reeve_statement::cert::CrlSet::default());
    let mut chains: BTreeMap<UnitPath, Chain> = BTreeMap::new();
    let mut told: BTreeMap<(UnitPath, FigureId, u64, u64), Digest> = BTreeMap::new();
    for frame in &world.wire {
        let Ok(Upward::Deliver { statement, .. }) = decode::<Upward>(frame) else { continue };
        let Ok(signed) = Signed::decode(&statement.0) else { continue };
        // Deliveries carry no chain: the hello told it.
        let issuer = signed.unverified_issuer().clone();
        let chain = chains.entry(issuer).or_insert_with_key(|path| world.chain_of(path));
        let verified = signed.verify_with(chain, &verifier, world.time().wall).unwrap();
        let statement = verified.statement();
        let Some((id, edition)) = statement.figure() else { continue };
        let name = (statement.issuer.clone(), id, statement.term, edition);
        let digest = *told.entry(name.clone()).or_insert_with(|| verified.digest());
        assert_eq!(digest, verified.digest(), "seed {seed}: told twice: {name:?}");
    }
    assert!(!told.is_empty());
}

fn one_life(seed: u64, kills: usize) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut world = federation();
    let mut known: BTreeMap<&str, Known> = LEAVES.iter().map(|p| (*p, Known::default())).collect();
    for kill in 0..kills {
        for _ in 0..random.random_range(1..4) {
            let path = LEAVES[random.random_range(0..3)];
            let leaf = at(&world, path);
            let id = format!("c{}", random.random_range(0..40));
            let day = DAYS[random.random_range(0..3)];
            let open = known.get_mut(path).unwrap();
            // A record whose last write is not answered is left alone: its order is not known.
            if open.asks.iter().any(|(_, asked, _)| *asked == id) {
                continue;
            }
            let op = world.case(&id, day, if random.random_bool(0.5) { "f" } else { "m" });
            let kind = KindId::new("case").unwrap();
            let what = Question::Write { kind, ops: vec![op], import: None };
            let ask = world.send_ask(leaf, person(reeve_policy::authz::Role::Writer), what);
            open.asks.push((ask, id, day));
        }
        if random.random_bool(0.5) {
            world.steps(random.random_range(0..120));
        } else {
            world.pass(random.random_range(0..200));
            world.steps(random.random_range(0..20));
        }
        for path in LEAVES {
            let leaf = at(&world, path);
            known.get_mut(path).unwrap().settle_asks(&mut world, leaf);
        }
        let victim = PLACES[random.random_range(0..PLACES.len())];
        if let Some(lost) = known.get_mut(victim) {
            lost.lose_asks();
        }
        world.restart_now(victim, "1", Some(1));
        world.steps(random.random_range(0..40));
        if kill % 10 == 9 {
            world.pass(1_000);
        }
    }
    world.pass(3_000);
    for path in LEAVES {
        let leaf = at(&world, path);
        known.get_mut(path).unwrap().settle_asks(&mut world, leaf);
    }
    let held = invariant_acknowledged_records_are_there(&mut world, &known, seed);
    for day in DAYS {
        let count = held.values().filter(|held| **held == day).count();
        let total = at(&world, "it");
        let total = world.total(total, day).unwrap_or(0);
        assert_eq!(total, i64::try_from(count).unwrap(), "seed {seed}, {day}");
    }
    invariant_no_edition_is_told_twice(&world, seed);
    for path in PLACES {
        let node = at(&world, path);
        for label in
            ["equivocation", "old_edition", "ledger_regressed", "ledger_forked", "bad_signature"]
        {
            assert_eq!(world.counter(node, "refused_statements", label), 0, "seed {seed} {path}");
        }
    }
}

/// The records there are, by leaf and id, with their day.
fn invariant_acknowledged_records_are_there(
    world: &mut World,
    known: &BTreeMap<&'static str, Known>,
    seed: u64,
) -> BTreeMap<(&'static str, String), String> {
    let mut held = BTreeMap::new();
    for (path, known) in known {
        let leaf = at(world, path);
        assert!(known.asks.is_empty(), "seed {seed}: {path} did not answer");
        for number in 0..40 {
            let id = format!("c{number}");
            let day = world.day_of(leaf, &id);
            let open = known.open.get(&id);
            let may = |day: &str| open.is_some_and(|days| days.contains(day));
            match (known.records.get(&id), &day) {
                (Some(acknowledged), Some(day)) => {
                    assert!(day == acknowledged || may(day), "seed {seed}: {path} {id}: {day}");
                }
                (None, Some(day)) => assert!(may(day), "seed {seed}: {path} {id} from nowhere"),
                (Some(_), None) => panic!("seed {seed}: {path} lost {id}"),
                (None, None) => {}
            }
            if let Some(day) = day {
                held.insert((*path, id), day);
            }
        }
    }
    held
}

#[test]
fn a_hundred_kills_lose_nothing() {
    for seed in 0..4 {
        one_life(seed, 25);
    }
}

#[test]
fn five_hundred_changes_while_the_superior_was_away_arrive_within_five_seconds() {
    let mut world = federation();
    let (nation, region) = (at(&world, "it"), at(&world, "it/03"));
    world.set_down(region, true);
    for n in 0..500 {
        let leaf = at(&world, if n % 2 == 0 { "it/03/016" } else { "it/03/015" });
        world.put_case(leaf, &format!("c{n}"), DAYS[n % 3], "f");
        world.pass(20);
    }
    world.set_down(region, false);
    let mut waited = 0;
    let complete = |world: &mut World| {
        DAYS.iter().map(|day| world.total(nation, day).unwrap_or(0)).sum::<i64>() == 500
    };
    while !complete(&mut world) {
        world.pass(100);
        waited += 100;
        assert!(waited <= 5_000, "not complete after five seconds");
    }
}
