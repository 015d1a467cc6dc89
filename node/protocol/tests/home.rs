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

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reeve_crdt::record::RecordId;
use reeve_crdt::twin::{Author, ForkProof, HomeId, RecordOp, Shard, ShardId, SignedChange};
use reeve_policy::authz::Role;
use reeve_protocol::NodeKey;
use reeve_protocol::local::{Answer, Question, Status};
use reeve_protocol::wire::{Blob, HelloAnswer, HomeAnswer, HomeMessage, decode};
use reeve_sim::registry::stamp;
use reeve_statement::cbor::to_vec;
use reeve_statement::cert::{Actions, Chain, Issuer, Stamp, Validity, WriterGrant};
use reeve_statement::names::KindId;
use reeve_statement::time::Timestamp;
use world::hostile::{Caught, Hostile};
use world::{CATALOGUE, NOON, World, key, person, unit};

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
    /// Shards as its last writes left them.
    shards: BTreeMap<u32, Shard>,
}

impl Department {
    fn join(world: &mut World, host: NodeKey, name: &str, kinds: &[&str]) -> Self {
        let kinds = kinds.iter().map(|kind| KindId::new(kind).unwrap()).collect();
        let chain = world.registry.writer(&unit("it/03"), name, kinds);
        Self::join_as(world, host, name, &chain)
    }

    fn join_as(world: &mut World, host: NodeKey, name: &str, chain: &Chain) -> Self {
        let peer = Hostile::of(world, "it/03", 1, name);
        let node = key(&format!("node it/03 {name}")).public().key_id();
        let author = Author::new(key(&format!("writer it/03 {name}")), node, 1);
        let department = Self { peer, author, at: 0, shards: BTreeMap::new() };
        department.meet(world, host, chain);
        department
    }

    /// Is admitted by a node of the home, and says hello with its writer's chain.
    fn meet(&self, world: &mut World, host: NodeKey, chain: &Chain) {
        let answer = world.ask(host, world::operator(), self.peer.admission());
        assert!(matches!(answer, Answer::Done), "{answer:?}");
        self.peer.connect(world, host);
        let writers = vec![Blob(chain.to_cbor())];
        assert!(matches!(self.peer.hello_with(world, host, writers), HelloAnswer::Welcome(_)));
    }

    /// Changes as an honest department makes them, dated so.
    fn write(&mut self, world: &World, op: RecordOp, at: i64) -> Vec<Vec<u8>> {
        let home = HomeId::of(&world.registry.roots.federation(), unit("it/03").leaf());
        let kind = world.schema.kind("case").unwrap().clone();
        let index = kind.shard_of(op.id());
        let shard = self.shards.entry(index).or_insert_with(|| Shard::new(home, kind, index, 0));
        let written = shard.write(&self.author, vec![op], Timestamp::from_millis(at)).unwrap();
        written.changes.iter().map(|change| change.as_bytes().to_vec()).collect()
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
        let answer = HomeAnswer::Changes { life: 7, changes: page, more: false };
        let to = self.peer.key();
        let (caught, others) = std::mem::take(&mut world.caught)
            .into_iter()
            .partition(|caught| caught.from == host && caught.to == to);
        world.caught = others;
        let pull = |bytes: &[u8]| matches!(decode(bytes), Ok(HomeMessage::Pull { .. }));
        let caught: Vec<Caught> = caught;
        let pulls: Vec<_> = caught.iter().filter(|caught| pull(&caught.bytes)).collect();
        // One pull is under way at a time; earlier ones are of before a restart.
        world.answer(pulls.last().expect("the node pulls"), to_vec(&answer));
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
    // Another content under a number that was used: a fork, from which on nothing of it counts.
    world.put_case(host, "own", DAYS[0], "f");
    let again = health.changes(&world, world.case("one", DAYS[1], "m"));
    health.offer(&mut world, host, again);
    assert_eq!(world.counter(host, "refused_changes", "fork"), 1);
    assert_eq!(world.day_of(host, "one"), None);
    // The node itself writes on.
    world.put_case(host, "own-2", DAYS[0], "f");
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
    let late =
        Department { peer: relay.peer.clone(), author: unknown, at: 0, shards: BTreeMap::new() };
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
    assert_eq!(world.counter(host, "changes", "absorbed"), 1, "kept for those that depend on it");
    assert!(world.day_of(host, "one").is_none());
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

fn status(world: &mut World, at: NodeKey) -> Status {
    match world.ask(at, world::operator(), Question::Status) {
        Answer::Status(status) => *status,
        other => panic!("{other:?}"),
    }
}

fn invariant_the_fork_is_known(world: &mut World, nodes: &[NodeKey], department: &Department) {
    for node in nodes {
        let forks = status(world, *node).forks;
        let [fork] = forks.as_slice() else { panic!("{forks:?}") };
        assert_eq!(fork.writer, department.author.actor().writer);
        assert_eq!(fork.seq, 1);
    }
}

/// A department tells two nodes of its home different things under one number.
fn fork(nodes: usize) {
    let (mut world, keys) = home(nodes);
    let (one, other) = (keys[0], keys[1]);
    let chain = world.registry.writer(&unit("it/03"), "health", Vec::new());
    let mut health = Department::join_as(&mut world, one, "health", &chain);
    health.meet(&mut world, other, &chain);
    for away in &keys[1..] {
        world.set_down(*away, true);
    }
    let first = health.changes(&world, world.case("c1", DAYS[0], "f"));
    health.offer(&mut world, one, first);
    assert!(world.day_of(one, "c1").is_some());
    world.set_down(one, true);
    world.set_down(other, false);
    health.peer.connect(&mut world, other);
    assert!(matches!(health.peer.hello(&mut world, other), HelloAnswer::Welcome(_)));
    let second = health.changes(&world, world.case("c1", DAYS[1], "m"));
    health.offer(&mut world, other, second);
    assert_eq!(world.day_of(other, "c1").unwrap(), DAYS[1]);
    // An honest officer builds on what the department said there.
    world.put_case(other, "c1", DAYS[0], "m");
    world.put_case(other, "c2", DAYS[0], "m");
    for back in &keys {
        world.set_down(*back, false);
    }
    world.pass(3_000);
    invariant_the_fork_is_known(&mut world, &keys, &health);
    invariant_all_nodes_are_equal(&mut world, &keys, 0);
    assert_eq!(records(&mut world, one).len(), 2, "what honest writers said stands");
    assert_eq!(world.day_of(one, "c1").unwrap(), DAYS[0]);

    // The same after restarts, and for a node that joins now.
    for n in 0..nodes {
        world.restart("it/03", &(n + 1).to_string(), (n == 0).then_some(1));
    }
    let late = world.add_node("it/03", "9", None);
    world.pass(3_000);
    let all: Vec<NodeKey> = keys.iter().copied().chain([late]).collect();
    invariant_the_fork_is_known(&mut world, &all, &health);
    invariant_all_nodes_are_equal(&mut world, &all, 0);
    // Whatever the department adds there counts on no node; others write on.
    health.peer.connect(&mut world, one);
    assert!(matches!(health.peer.hello(&mut world, one), HelloAnswer::Welcome(_)));
    let third = health.changes(&world, world.case("c1", DAYS[1], "f"));
    health.offer(&mut world, one, third);
    world.put_case(late, "c3", DAYS[1], "f");
    world.pass(3_000);
    invariant_all_nodes_are_equal(&mut world, &all, 0);
    assert_eq!(records(&mut world, one).len(), 3);
    assert_eq!(world.day_of(one, "c1").unwrap(), DAYS[0]);
}

#[test]
fn a_forked_writer_is_cut_off_by_two_nodes_with_proof() {
    fork(2);
}

#[test]
fn a_forked_writer_is_cut_off_by_three_nodes_with_proof() {
    fork(3);
}

#[test]
fn what_is_no_proof_of_a_fork_cuts_nobody_off() {
    let (mut world, keys) = home(1);
    let mut health = Department::join(&mut world, keys[0], "health", &[]);
    let change = health.changes(&world, world.case("c1", DAYS[0], "f"));
    health.offer(&mut world, keys[0], change.clone());
    let send = |world: &mut World, proof: Vec<u8>| {
        let message = to_vec(&HomeMessage::Fork(Blob(proof)));
        health.peer.frame(world, keys[0], reeve_protocol::effect::Channel::Home, message);
    };
    send(&mut world, vec![1, 2, 3]);
    assert_eq!(world.counter(keys[0], "refused_forks", "malformed"), 1);
    // A change with a signature that does not hold, beside a good one.
    let mut forged = health.changes(&world, world.case("c1", DAYS[1], "m"));
    *forged[0].last_mut().unwrap() ^= 1;
    let read = |bytes: &[u8]| SignedChange::decode(bytes).unwrap();
    let public = key("writer it/03 health").public();
    let proof = ForkProof::new(public, read(&change[0]), read(&forged[0])).unwrap();
    send(&mut world, proof.to_bytes());
    assert_eq!(world.counter(keys[0], "refused_forks", "bad_signature"), 1);
    // Of a writer whom nobody named.
    let stranger = Author::new(key("writer it/03 x"), key("node it/03 x").public().key_id(), 1);
    let other =
        Department { peer: health.peer.clone(), author: stranger, at: 0, shards: BTreeMap::new() };
    let pair = ["f", "m"].map(|sex| other.changes(&world, world.case("c1", DAYS[0], sex)));
    let public = key("writer it/03 x").public();
    let proof = ForkProof::new(public, read(&pair[0][0]), read(&pair[1][0])).unwrap();
    send(&mut world, proof.to_bytes());
    assert_eq!(world.counter(keys[0], "refused_forks", "writer_right"), 1);
    assert!(status(&mut world, keys[0]).forks.is_empty());
    assert!(world.day_of(keys[0], "c1").is_some());
}

#[test]
fn a_node_whose_store_was_put_back_goes_on_as_another_actor() {
    let (mut world, keys) = home(2);
    world.put_case(keys[1], "c1", DAYS[0], "f");
    world.pass(1_000);
    let old = world.sites[&keys[1]].rows.clone();
    world.put_case(keys[1], "c1", DAYS[1], "f");
    world.pass(1_000);
    assert_eq!(world.day_of(keys[0], "c1").unwrap(), DAYS[1]);
    world.kill(keys[1]);
    let settings = world.settings(&unit("it/03"), "2", None);
    world.set_down(keys[0], true);
    world.start(settings, old);
    world.put_case(keys[1], "c1", DAYS[0], "m");
    world.set_down(keys[0], false);
    world.pass(3_000);
    assert_eq!(world.counter(keys[1], "writer", "new_incarnation"), 1);
    invariant_all_nodes_are_equal(&mut world, &keys, 0);
    world.put_case(keys[1], "c1", DAYS[1], "m");
    world.pass(3_000);
    invariant_all_nodes_are_equal(&mut world, &keys, 0);
    assert_eq!(world.day_of(keys[0], "c1").unwrap(), DAYS[1]);
}

/// Ids of cases that lie in one shard.
fn cases_of_one_shard(world: &World, count: usize) -> Vec<String> {
    let kind = world.schema.kind("case").unwrap();
    let ids = (0..).map(|n| format!("s{n}"));
    let in_first = |id: &String| kind.shard_of(&RecordId::new(id).unwrap()) == 0;
    ids.filter(in_first).take(count).collect()
}

#[test]
fn what_a_struck_off_writer_wrote_before_counts_on_all_nodes_and_nothing_after() {
    const STRUCK: i64 = NOON + 10_000;
    let (mut world, keys) = home(3);
    let ids = cases_of_one_shard(&world, 4);
    let mut health = Department::join(&mut world, keys[0], "health", &[]);
    let case = |world: &World, id: &str, day: &str| world.case(id, day, "f");
    // The third node is away: it hears of the revocation before it gets any of the changes.
    world.set_down(keys[2], true);
    let before = health.write(&world, case(&world, &ids[0], DAYS[0]), STRUCK - 1);
    let after = health.write(&world, case(&world, &ids[1], DAYS[0]), STRUCK);
    let backdated = health.write(&world, case(&world, &ids[2], DAYS[0]), STRUCK - 5);
    health.offer(&mut world, keys[0], [before, after, backdated].concat());
    world.pass(1_000);
    assert_eq!(records(&mut world, keys[0]).len(), 3, "nobody knows better yet");
    // An honest officer builds on it.
    world.put_case(keys[1], &ids[1], DAYS[1], "m");
    world.put_case(keys[1], &ids[3], DAYS[1], "m");
    world.pass(1_000);
    let list = world.registry.revoke_stamped(&unit("it/03"), "w it/03 health", 1, STRUCK);
    let answer = world.ask(keys[0], world::operator(), Question::TakeList(list));
    assert!(matches!(answer, Answer::Done), "{answer:?}");
    // One node dies while it builds its shards again.
    world.restart_now("it/03", "2", None);
    world.set_down(keys[2], false);
    world.pass(5_000);
    invariant_all_nodes_are_equal(&mut world, &keys, 0);
    let left: Vec<String> =
        records(&mut world, keys[2]).into_iter().map(|(id, _)| id.as_str().to_owned()).collect();
    let mut expected = vec![ids[0].clone(), ids[1].clone(), ids[3].clone()];
    expected.sort();
    assert_eq!(left, expected, "the honest change on top of what does not count stands");
    for label in ["1", "2", "3"] {
        world.restart("it/03", label, (label == "1").then_some(1));
    }
    world.pass(3_000);
    invariant_all_nodes_are_equal(&mut world, &keys, 0);
    assert_eq!(records(&mut world, keys[0]).len(), 3);
}

#[test]
fn what_an_expired_writer_wrote_in_its_time_counts_for_a_node_that_joins_later() {
    let (mut world, keys) = home(1);
    let (authority, mut above) = world.registry.authority(&unit("it/03"));
    let signer = key("authority it/03");
    let issuer = Issuer::new(&authority, &signer).unwrap();
    let Stamp { serial, validity } = stamp("short");
    let not_after = Timestamp::from_millis(NOON + 20_000);
    let grant = WriterGrant {
        label: "health".to_owned(),
        key: key("writer it/03 health").public(),
        actions: Actions::all(),
        kinds: Vec::new(),
    };
    let stamp = Stamp { serial, validity: Validity { not_after, ..validity } };
    let leaf = issuer.writer(&grant, &stamp).unwrap();
    above.insert(0, authority);
    let chain = Chain::new(leaf, above).unwrap();
    let mut health = Department::join_as(&mut world, keys[0], "health", &chain);
    let good = health.write(&world, world.case("good", DAYS[0], "f"), NOON + 5_000);
    health.offer(&mut world, keys[0], good);
    world.pass(60_000);
    world.restart("it/03", "1", Some(1));
    let late = world.add_node("it/03", "2", None);
    world.pass(3_000);
    invariant_all_nodes_are_equal(&mut world, &[keys[0], late], 0);
    assert!(world.day_of(late, "good").is_some());
    // What carries a time after its end is believed by neither.
    health.peer.connect(&mut world, keys[0]);
    assert!(matches!(health.peer.hello(&mut world, keys[0]), HelloAnswer::Welcome(_)));
    let bad = health.write(&world, world.case("bad", DAYS[0], "f"), NOON + 21_000);
    health.offer(&mut world, keys[0], bad);
    assert_eq!(world.counter(keys[0], "refused_changes", "writer_right"), 1);
    assert!(world.day_of(keys[0], "bad").is_none());
}

#[test]
fn more_changes_than_can_wait_are_pulled_again() {
    let (mut world, keys) = home(1);
    let host = keys[0];
    let mut health = Department::join(&mut world, host, "health", &[]);
    let ids = cases_of_one_shard(&world, 1);
    // As many as may wait, and some more.
    let count = 256 + 50;
    let mut log = Vec::new();
    for n in 0..count {
        let op = world.case(&ids[0], DAYS[n % 2], if n % 3 == 0 { "f" } else { "m" });
        log.extend(health.write(&world, op, NOON + i64::try_from(n).unwrap()));
    }
    // The first one comes last: all others wait for it, and not all of them can.
    log.rotate_left(1);
    let channel = reeve_protocol::effect::Channel::Home;
    health.peer.frame(&mut world, host, channel, to_vec(&HomeMessage::Nudge));
    for _ in 0..20 {
        for caught in std::mem::take(&mut world.caught) {
            let Ok(HomeMessage::Pull { after, .. }) = decode(&caught.bytes) else { continue };
            let page = (1_u64..).zip(&log).filter(|(at, _)| *at > after).take(100);
            let changes: Vec<_> = page.map(|(at, bytes)| (at, Blob(bytes.clone()))).collect();
            let more = changes.len() == 100;
            let answer = HomeAnswer::Changes { life: 7, changes, more };
            world.answer(&caught, to_vec(&answer));
        }
        world.pass(100);
    }
    assert_eq!(world.counter(host, "changes", "pulled_again"), 1);
    assert_eq!(world.day_of(host, &ids[0]).unwrap(), DAYS[(count - 1) % 2]);
}
