//! One home with several nodes: departments that edit apart converge, and what is wrong is refused
//! without holding up what is right.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod world;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reeve_crdt::record::RecordId;
use reeve_crdt::twin::{Author, HomeId, RecordOp, Shard, ShardId};
use reeve_policy::authz::Role;
use reeve_protocol::NodeKey;
use reeve_protocol::local::{Answer, Question};
use reeve_protocol::wire::{Blob, HelloAnswer, HomeAnswer, HomeMessage, decode};
use reeve_statement::cbor::to_vec;
use reeve_statement::names::KindId;
use world::hostile::Hostile;
use world::{CATALOGUE, World, key, person, unit};

const DAYS: [&str; 2] = ["2026-02-28", "2026-03-01"];

fn home(nodes: usize) -> (World, Vec<NodeKey>) {
    let mut world = World::new();
    let nation = world.add("it");
    let mut keys = vec![world.add("it/03")];
    world.publish_catalogue(nation, "it", CATALOGUE);
    for label in ["2", "3"].iter().take(nodes - 1) {
        keys.push(world.add_node("it/03", label, None));
    }
    world.pass(1_000);
    (world, keys)
}

fn records(world: &mut World, at: NodeKey) -> Vec<(RecordId, reeve_crdt::record::Record)> {
    let kind = KindId::new("case").unwrap();
    let (mut all, mut shard, mut shards) = (Vec::new(), 0, 1);
    while shard < shards {
        let what = Question::Records { kind: kind.clone(), shard };
        match world.ask(at, person(Role::Writer), what) {
            Answer::Records { records, shards: count } => {
                all.extend(records);
                shards = count;
            }
            other => panic!("{other:?}"),
        }
        shard += 1;
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn invariant_all_nodes_are_equal(world: &mut World, nodes: &[NodeKey], seed: u64) {
    let first = records(world, nodes[0]);
    for other in &nodes[1..] {
        assert_eq!(records(world, *other), first, "seed {seed}: records differ");
    }
    for day in DAYS {
        let table = world.figure(nodes[0], day).map(|view| view.table);
        for other in &nodes[1..] {
            let theirs = world.figure(*other, day).map(|view| view.table);
            assert_eq!(theirs, table, "seed {seed}: figures of {day} differ");
        }
    }
}

fn edit(world: &mut World, at: NodeKey, random: &mut ChaCha8Rng) {
    let id = format!("c{}", random.random_range(0..12));
    let op = if random.random_bool(0.2) {
        RecordOp::Delete { id: RecordId::new(&id).unwrap() }
    } else {
        let day = DAYS[random.random_range(0..2)];
        world.case(&id, day, if random.random_bool(0.5) { "f" } else { "m" })
    };
    let answer = world.write(at, vec![op]);
    assert!(matches!(answer, Answer::Written(_)), "{answer:?}");
}

fn converge(nodes: usize, seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut world, keys) = home(nodes);
    for _ in 0..4 {
        let away = keys[random.random_range(0..nodes)];
        world.set_down(away, true);
        for _ in 0..12 {
            let at = keys[random.random_range(0..nodes)];
            edit(&mut world, at, &mut random);
        }
        if random.random_bool(0.5) {
            let label = random.random_range(0..nodes) + 1;
            world.restart("it/03", &label.to_string(), (label == 1).then_some(1));
        }
        world.set_down(away, false);
        world.pass(1_000);
    }
    world.pass(3_000);
    invariant_all_nodes_are_equal(&mut world, &keys, seed);
    let count = records(&mut world, keys[0]).len();
    let nation = world.places[&(unit("it"), "1".to_owned())];
    let total: i64 = DAYS.iter().map(|day| world.total(nation, day).unwrap_or(0)).sum();
    assert_eq!(total, i64::try_from(count).unwrap(), "seed {seed}: the reporting node tells all");
}

#[test]
fn two_nodes_that_edit_apart_converge() {
    for seed in 0..5 {
        converge(2, seed);
    }
}

#[test]
fn three_nodes_that_edit_apart_converge() {
    for seed in 0..5 {
        converge(3, seed);
    }
}

#[test]
fn a_home_at_rest_is_silent() {
    let (mut world, keys) = home(2);
    world.put_case(keys[1], "c1", DAYS[0], "f");
    world.pass(1_000);
    assert_eq!(records(&mut world, keys[0]).len(), 1, "the first node has what the second wrote");
    let frames = world.wire.len();
    world.pass(20_000);
    assert!(world.wire.len() - frames < 8, "{} frames", world.wire.len() - frames);
}

#[test]
fn a_node_that_joins_late_gets_everything() {
    let (mut world, keys) = home(1);
    for n in 0..30 {
        world.put_case(keys[0], &format!("c{n}"), DAYS[n % 2], "f");
    }
    let second = world.add_node("it/03", "2", None);
    world.pass(2_000);
    invariant_all_nodes_are_equal(&mut world, &[keys[0], second], 0);
    world.restart("it/03", "2", None);
    world.pass(2_000);
    invariant_all_nodes_are_equal(&mut world, &[keys[0], second], 0);
}

/// A home node that the test plays, with a writer of its own.
struct Department {
    peer: Hostile,
    author: Author,
    at: u64,
}

impl Department {
    fn join(world: &mut World, host: NodeKey, name: &str, kinds: &[&str]) -> Self {
        let peer = Hostile::of(world, "it/03", 1, name);
        let answer = world.ask(host, world::operator(), peer.admission());
        assert!(matches!(answer, Answer::Done), "{answer:?}");
        let kinds = kinds.iter().map(|kind| KindId::new(kind).unwrap()).collect();
        let chain = world.registry.writer(&unit("it/03"), name, kinds);
        peer.connect(world, host);
        let writers = vec![Blob(chain.to_cbor())];
        assert!(matches!(peer.hello_with(world, host, writers), HelloAnswer::Welcome(_)));
        let node = key(&format!("node it/03 {name}")).public().key_id();
        let author = Author::new(key(&format!("writer it/03 {name}")), node, 1);
        Self { peer, author, at: 0 }
    }

    /// A shard as this department has it, and the changes that an operation makes there.
    fn changes(&self, world: &World, op: RecordOp) -> Vec<Vec<u8>> {
        let federation = world.registry.roots.federation();
        let home = HomeId::of(&federation, unit("it/03").leaf());
        let kind = world.schema.kind("case").unwrap().clone();
        let index = kind.shard_of(op.id());
        let mut shard = Shard::new(home, kind, index, 0);
        let written = shard.write(&self.author, vec![op], world.time().wall).unwrap();
        written.changes.iter().map(|change| change.as_bytes().to_vec()).collect()
    }

    /// Offers changes: nudges, and answers the pull that follows.
    fn offer(&mut self, world: &mut World, host: NodeKey, changes: Vec<Vec<u8>>) {
        let channel = reeve_protocol::effect::Channel::Home;
        self.peer.frame(world, host, channel, to_vec(&HomeMessage::Nudge));
        let mut page = Vec::new();
        for bytes in changes {
            self.at += 1;
            page.push((self.at, Blob(bytes)));
        }
        let answer = HomeAnswer::Changes { incarnation: 7, changes: page, more: false };
        let caught = std::mem::take(&mut world.caught);
        let pull = |bytes: &[u8]| matches!(decode(bytes), Ok(HomeMessage::Pull { .. }));
        let pulls: Vec<_> = caught.iter().filter(|caught| pull(&caught.bytes)).collect();
        assert!(!pulls.is_empty(), "the node pulls");
        for (n, caught) in pulls.into_iter().enumerate() {
            let empty = HomeAnswer::Changes { incarnation: 7, changes: Vec::new(), more: false };
            world.answer(caught, to_vec(if n == 0 { &answer } else { &empty }));
        }
        world.pass(100);
    }
}

#[test]
fn wrong_changes_are_refused_and_the_honest_go_on() {
    let (mut world, keys) = home(1);
    let host = keys[0];
    let mut health = Department::join(&mut world, host, "health", &["case"]);
    let mut police = Department::join(&mut world, host, "police", &["stock"]);
    let good = |world: &World, health: &Department, id: &str| {
        health.changes(world, world.case(id, DAYS[0], "f"))
    };
    // A signature that does not hold, in front of nothing else.
    let mut bad = good(&world, &health, "bad");
    *bad[0].last_mut().unwrap() ^= 1;
    let honest = good(&world, &health, "one");
    health.offer(&mut world, host, [bad, honest].concat());
    assert_eq!(world.counter(host, "refused_changes", "bad_signature"), 1);
    assert!(world.day_of(host, "one").is_some(), "the honest change behind it is taken");
    assert!(world.day_of(host, "bad").is_none());
    // A writer without the right for the kind.
    let foreign = police.changes(&world, world.case("police", DAYS[0], "f"));
    police.offer(&mut world, host, foreign);
    assert_eq!(world.counter(host, "refused_changes", "writer_right"), 1);
    assert!(world.day_of(host, "police").is_none());
    // Over the limits, and no change at all.
    health.offer(&mut world, host, vec![vec![0x80; 70_000], vec![1, 2, 3], Vec::new()]);
    assert_eq!(world.counter(host, "refused_changes", "over_limit"), 3);
    // Another content under a number that was used: a fork.
    let again = health.changes(&world, world.case("one", DAYS[1], "m"));
    health.offer(&mut world, host, again);
    assert_eq!(world.counter(host, "refused_changes", "fork"), 1);
    assert_eq!(world.day_of(host, "one").unwrap(), DAYS[0]);
    // The node itself writes on.
    world.put_case(host, "own", DAYS[0], "f");
    world.pass(1_000);
    let nation = world.places[&(unit("it"), "1".to_owned())];
    assert_eq!(world.total(nation, DAYS[0]), Some(2));
}

#[test]
fn changes_of_a_writer_who_is_named_later_are_taken_then() {
    let (mut world, keys) = home(1);
    let host = keys[0];
    let mut relay = Department::join(&mut world, host, "relay", &[]);
    let unknown =
        Author::new(key("writer it/03 late"), key("node it/03 late").public().key_id(), 1);
    let late = Department { peer: relay.peer.clone(), author: unknown, at: 0 };
    let changes = late.changes(&world, world.case("late", DAYS[0], "f"));
    relay.offer(&mut world, host, changes.clone());
    assert_eq!(world.counter(host, "refused_changes", "writer_right"), 1);
    assert!(world.day_of(host, "late").is_none());
    let chain = world.registry.writer(&unit("it/03"), "late", Vec::new());
    let message = to_vec(&HomeMessage::Writer(Blob(chain.to_cbor())));
    relay.peer.frame(&mut world, host, reeve_protocol::effect::Channel::Home, message);
    relay.at = 0;
    relay.offer(&mut world, host, changes);
    assert_eq!(world.day_of(host, "late").unwrap(), DAYS[0]);
}

#[test]
fn a_revoked_writer_writes_no_more_also_after_a_restart() {
    let (mut world, keys) = home(1);
    let host = keys[0];
    let mut health = Department::join(&mut world, host, "health", &[]);
    let list = world.registry.revoke_stamped(&unit("it/03"), "w it/03 health", 1, world::NOON);
    let answer = world.ask(host, world::operator(), Question::TakeList(list));
    assert!(matches!(answer, Answer::Done), "{answer:?}");
    let changes = health.changes(&world, world.case("one", DAYS[0], "f"));
    health.offer(&mut world, host, changes.clone());
    assert_eq!(world.counter(host, "refused_changes", "writer_right"), 1);
    world.restart("it/03", "1", Some(1));
    health.peer.connect(&mut world, host);
    assert!(matches!(health.peer.hello(&mut world, host), HelloAnswer::Welcome(_)));
    health.at = 10;
    health.offer(&mut world, host, changes);
    assert!(world.day_of(host, "one").is_none());
}

#[test]
fn a_change_for_a_shard_that_there_is_not_costs_nothing() {
    let (mut world, keys) = home(1);
    let mut health = Department::join(&mut world, keys[0], "health", &[]);
    let federation = world.registry.roots.federation();
    let home = HomeId::of(&federation, unit("it/03").leaf());
    let kind = world.schema.kind("case").unwrap().clone();
    let op = world.case("one", DAYS[0], "f");
    let index = kind.shard_of(op.id());
    let mut shard = Shard::new(home, kind, index, 9);
    let written = shard.write(&health.author, vec![op], world.time().wall).unwrap();
    let found: &ShardId = written.changes[0].shard();
    assert_eq!(found.epoch, 9);
    health.offer(&mut world, keys[0], vec![written.changes[0].as_bytes().to_vec()]);
    assert_eq!(world.counter(keys[0], "refused_changes", "bad_change"), 1);
    assert_eq!(world.counter(keys[0], "damaged", "shard"), 0);
}
