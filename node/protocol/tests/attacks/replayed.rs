//! Attacks 2, 3 and 4: statements said again, to somebody else, out of order, or twice differently.

use rand::Rng as _;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use reeve_protocol::NodeKey;
use reeve_protocol::effect::Channel;
use reeve_protocol::refusal::Refusal;
use reeve_protocol::wire::{ReportAnswer, decode};
use reeve_sim::registry::Registry;
use reeve_statement::digest::Digest;
use reeve_statement::ledger::checkpoint::{Checkpoint, Origin};

use crate::counts::count;
use crate::world::hostile::Hostile;
use crate::world::{CATALOGUE, World, key, unit};
use crate::{chance, day, greet, held};

/// Days of which the attacker holds statements.
const DAYS: usize = 6;
/// Editions of each.
const EDITIONS: u64 = 3;

fn with_subordinate() -> (World, NodeKey, Hostile) {
    let mut world = World::new();
    let nation = world.add("it");
    world.publish_catalogue(nation, "it", CATALOGUE);
    let peer = Hostile::admit(&mut world, nation, "it/05", 1);
    greet(&mut world, &peer, nation);
    (world, nation, peer)
}

/// Every edition of every day, all accepted in order.
fn told(world: &mut World, nation: NodeKey, peer: &mut Hostile) -> Vec<(u64, Vec<u8>)> {
    let mut statements = Vec::new();
    for number in 0..DAYS {
        for edition in 1..=EDITIONS {
            let statement = peer.notice(world, &day(number), edition);
            assert_eq!(peer.deliver(world, nation, &statement), ReportAnswer::Accepted);
            statements.push((edition, statement));
        }
    }
    statements
}

#[test]
fn attack_02_a_statement_said_again_changes_nothing() {
    let (mut world, nation, mut peer) = with_subordinate();
    // A superior beside, whose subordinate passes on what it overheard.
    let region = world.add("it/03");
    let mut relay = Hostile::admit(&mut world, region, "it/03/099", 1);
    greet(&mut world, &relay, region);
    // The same units in another federation.
    let mut abroad = World::new();
    abroad.registry = Registry::rooted_in("another root");
    let nation_abroad = abroad.add("it");
    let mut peer_abroad = Hostile::admit(&mut abroad, nation_abroad, "it/05", 1);
    greet(&mut abroad, &peer_abroad, nation_abroad);

    let statements = told(&mut world, nation, &mut peer);
    let before = held(&world, nation);
    assert_eq!(before.len(), DAYS);
    let mut random = chance(2);
    for number in 0..count(400, 10_000) {
        let (edition, statement) = statements.choose(&mut random).unwrap();
        let answer = match random.random_range(0..4) {
            0 => relay.deliver(&mut world, region, statement),
            1 => peer_abroad.deliver(&mut abroad, nation_abroad, statement),
            _ => {
                let news = world.counter(nation, "statements", "accepted");
                let answer = peer.deliver(&mut world, nation, statement);
                if *edition == EDITIONS {
                    // What is held already is no news, and is answered as it was before.
                    assert_eq!(answer, ReportAnswer::Accepted);
                    assert_eq!(world.counter(nation, "statements", "accepted"), news);
                    continue;
                }
                assert_eq!(answer, ReportAnswer::Refused(Refusal::OldEdition), "{number}");
                answer
            }
        };
        assert!(matches!(answer, ReportAnswer::Refused(_)), "{number}: {answer:?}");
        if random.random_ratio(1, 100) {
            world.restart("it", "1", Some(1));
            greet(&mut world, &peer, nation);
        }
    }
    assert_eq!(held(&world, nation), before);
    assert!(held(&world, region).is_empty() && held(&abroad, nation_abroad).is_empty());
}

#[test]
fn attack_02_a_superior_whose_backup_was_put_back_takes_nothing_older_than_the_backup() {
    let (mut world, nation, mut peer) = with_subordinate();
    let statements = told(&mut world, nation, &mut peer);
    let backup = world.sites[&nation].rows.clone();
    let newest = peer.notice(&world, &day(0), EDITIONS + 1);
    assert_eq!(peer.deliver(&mut world, nation, &newest), ReportAnswer::Accepted);
    let mut random = chance(22);
    for _ in 0..count(3, 50) {
        world.kill(nation);
        let settings = world.settings(&unit("it"), "1", Some(1));
        world.start(settings, backup.clone());
        greet(&mut world, &peer, nation);
        let mut again = statements.clone();
        again.shuffle(&mut random);
        for (edition, statement) in &again {
            let answer = peer.deliver(&mut world, nation, statement);
            assert_eq!(answer == ReportAnswer::Accepted, *edition == EDITIONS, "{answer:?}");
        }
        assert!(held(&world, nation).iter().all(|row| row.edition == EDITIONS));
        // What it lost with the backup is right when it is told again.
        assert_eq!(peer.deliver(&mut world, nation, &newest), ReportAnswer::Accepted);
    }
}

fn held_edition(world: &World, nation: NodeKey) -> u64 {
    held(world, nation).first().map_or(0, |row| row.edition)
}

#[test]
fn attack_03_no_older_statement_replaces_a_newer_one() {
    let (mut world, nation, mut peer) = with_subordinate();
    let mut random = chance(3);
    let editions = u64::try_from(count(150, 1_000)).unwrap();
    let mut older: Vec<_> = (1..=editions).map(|n| peer.notice(&world, &day(0), n)).collect();
    let newest = older.pop().unwrap();
    assert_eq!(peer.deliver(&mut world, nation, &newest), ReportAnswer::Accepted);
    older.shuffle(&mut random);
    for statement in &older {
        let answer = peer.deliver(&mut world, nation, statement);
        assert_eq!(answer, ReportAnswer::Refused(Refusal::OldEdition));
    }
    assert_eq!(held_edition(&world, nation), editions);
}

#[test]
fn attack_03_a_node_killed_between_check_and_store_forgets_nothing_it_acknowledged() {
    let (mut world, nation, mut peer) = with_subordinate();
    let mut random = chance(33);
    let (mut edition, mut durable, mut answered, mut lost) = (0, 0, 0, 0);
    for _ in 0..count(30, 100) {
        edition += 1;
        let statement = peer.notice(&world, &day(0), edition);
        let message = peer.delivery(&world, &statement);
        let inbound = peer.post(&mut world, nation, Channel::Report, message);
        world.steps(random.random_range(0..8));
        let answer = world.responses.remove(&(nation, inbound));
        let accepted = answer.map(|bytes| decode::<ReportAnswer>(&bytes).unwrap());
        world.restart_now("it", "1", Some(1));
        world.settle();
        if accepted == Some(ReportAnswer::Accepted) {
            answered += 1;
            assert_eq!(held_edition(&world, nation), edition, "it was acknowledged");
        }
        let now = held_edition(&world, nation);
        assert!(now >= durable, "edition {durable} was held, now {now}");
        durable = now;
        lost += usize::from(durable < edition);
        greet(&mut world, &peer, nation);
        // One older than what is held is refused, whatever the kill left behind.
        if durable > 1 {
            let old = peer.notice(&world, &day(0), random.random_range(1..durable));
            let answer = peer.deliver(&mut world, nation, &old);
            assert_eq!(answer, ReportAnswer::Refused(Refusal::OldEdition));
        }
    }
    assert!(answered > 0 && lost > 0, "kills came before and after: {answered}, {lost}");
}

#[test]
fn attack_04_two_statements_for_one_edition_and_two_ledgers_of_one_size() {
    let (mut world, nation, mut peer) = with_subordinate();
    let mut random = chance(4);
    for fork in 0..count(40, 200) {
        peer.ledger += 1;
        let edition = random.random_range(1..9);
        let one = peer.notice(&world, &day(fork), edition);
        let other = peer.signed(&world, &day(fork), edition, |statement| {
            statement.issued_at =
                statement.issued_at.plus_millis(random.random_range(1..9) * 1_000);
        });
        assert_eq!(peer.deliver(&mut world, nation, &one), ReportAnswer::Accepted);
        if random.random_bool(0.2) {
            world.restart("it", "1", Some(1));
            greet(&mut world, &peer, nation);
        }
        let answer = peer.deliver(&mut world, nation, &other);
        assert_eq!(answer, ReportAnswer::Refused(Refusal::Equivocation), "fork {fork}");
    }
    // The same fork, told by two heads of one ledger size: from then on there is proof.
    for _ in 0..2 {
        let forked = forked_head(&world, &peer);
        let answer: ReportAnswer =
            decode(&peer.frame(&mut world, nation, Channel::Report, forked)).unwrap();
        assert_eq!(answer, ReportAnswer::Refused(Refusal::LedgerForked));
        let right = peer.notice(&world, &day(count(40, 200)), 1);
        let answer = peer.deliver(&mut world, nation, &right);
        assert_eq!(answer, ReportAnswer::Refused(Refusal::LedgerForked), "nothing more is taken");
        world.restart("it", "1", Some(1));
        greet(&mut world, &peer, nation);
    }
}

/// A head of the size that was shown last, with another root.
fn forked_head(world: &World, peer: &Hostile) -> Vec<u8> {
    let name = reeve_statement::cert::dns_name(&peer.path, world.registry.roots.domain()).unwrap();
    let origin = Origin::of(&name, 1).unwrap();
    let secret = key(&format!("node {} {}", peer.path, peer.label));
    let checkpoint = Checkpoint { origin, size: peer.ledger, root: Digest::of(b"another") };
    reeve_statement::cbor::to_vec(&reeve_protocol::wire::Upward::Head(checkpoint.sign(&secret)))
}
