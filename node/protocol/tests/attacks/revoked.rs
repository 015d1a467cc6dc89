//! Attacks 19, 20 and 22: keys that were stolen, revoked and replaced, and lists that are held back.

use rand::Rng as _;
use reeve_protocol::NodeKey;
use reeve_protocol::local::{Answer, Question};
use reeve_protocol::refusal::Refusal;
use reeve_protocol::wire::{ReportAnswer, SignedList};

use crate::counts::count;
use crate::world::hostile::Hostile;
use crate::world::{CATALOGUE, NOON, World, operator, unit};
use crate::{chance, day, greet, held};

/// For how long a list of this world's authorities says that it is current.
const LIST_MS: u64 = 30 * 86_400_000;
/// For how long an overdue list still counts.
const OVERDUE_MS: u64 = 30 * 86_400_000;

fn nation() -> (World, NodeKey) {
    let mut world = World::new();
    let nation = world.add("it");
    world.publish_catalogue(nation, "it", CATALOGUE);
    (world, nation)
}

fn take(world: &mut World, at: NodeKey, list: SignedList) {
    let answer = world.ask(at, operator(), Question::TakeList(list));
    assert!(matches!(answer, Answer::Done), "{answer:?}");
}

fn is_accepted(answer: &ReportAnswer) -> bool {
    *answer == ReportAnswer::Accepted
}

#[test]
fn attack_19_nothing_is_taken_from_a_revoked_key_by_whatever_way() {
    let (mut world, nation) = nation();
    let mut thief = Hostile::admit(&mut world, nation, "it/05", 1);
    greet(&mut world, &thief, nation);
    let before = thief.notice(&world, &day(0), 1);
    assert_eq!(thief.deliver(&mut world, nation, &before), ReportAnswer::Accepted);
    let rows = held(&world, nation);
    let list = world.registry.revoke(&thief.path, &thief.label, 1, NOON);
    take(&mut world, nation, list);
    // The unit's new node: the thief's statements may come by it, too.
    let mut other = Hostile::admit(&mut world, nation, "it/05", 2);
    greet(&mut world, &other, nation);
    let mut random = chance(19);
    for number in 1..=count(150, 1_000) {
        let statement = thief.notice(&world, &day(number), random.random_range(1..4));
        let answer = if random.random_bool(0.5) {
            thief.deliver(&mut world, nation, &statement)
        } else {
            let answer = other.deliver(&mut world, nation, &statement);
            assert_eq!(answer, ReportAnswer::Refused(Refusal::Revoked));
            answer
        };
        assert!(!is_accepted(&answer), "statement {number}");
        if random.random_ratio(1, 100) {
            world.restart("it", "1", Some(1));
            greet(&mut world, &other, nation);
        }
    }
    assert_eq!(held(&world, nation), rows, "what was said before stands, and nothing was added");
}

#[test]
fn attack_20_a_list_that_is_held_back_stops_its_issuer_s_nodes_to_the_millisecond() {
    let end = LIST_MS + OVERDUE_MS;
    for sample in 0..count(2, 20) {
        let (mut world, nation) = nation();
        let mut peer = Hostile::admit(&mut world, nation, "it/05", 1);
        let list = world.registry.revoke(&unit("it/05"), "another", 1, NOON);
        take(&mut world, nation, list);
        greet(&mut world, &peer, nation);
        let early = u64::try_from(sample).unwrap() + 1;
        let passed = world.now + 2_000;
        world.pass_over(end - early - passed);
        assert_eq!(world.now, end - early);
        let statement = peer.notice(&world, &day(0), 1);
        assert_eq!(peer.deliver(&mut world, nation, &statement), ReportAnswer::Accepted);
        world.now = end;
        let statement = peer.notice(&world, &day(1), 1);
        let answer = peer.deliver(&mut world, nation, &statement);
        assert_eq!(answer, ReportAnswer::Refused(Refusal::StaleList));
        world.pass(2_000);
        assert!(!is_accepted(&peer.deliver(&mut world, nation, &statement)));
        // A newer list, and it is heard again.
        let now = world.time().wall.as_millis();
        let list = world.registry.revoke(&unit("it/05"), "another", 2, now);
        take(&mut world, nation, list);
        greet(&mut world, &peer, nation);
        assert_eq!(peer.deliver(&mut world, nation, &statement), ReportAnswer::Accepted);
    }
}

#[test]
fn attack_22_nodes_that_change_keys_under_load_lose_nothing_and_let_no_thief_in() {
    let (mut world, nation) = nation();
    let nodes = count(8, 100);
    let mut random = chance(22);
    let mut old: Vec<Hostile> = Vec::new();
    for number in 0..nodes {
        let peer = Hostile::admit(&mut world, nation, &format!("it/u{number}"), 1);
        greet(&mut world, &peer, nation);
        old.push(peer);
    }
    let mut new: Vec<Option<Hostile>> = vec![None; nodes];
    let (mut said, mut stolen) = (0, 0);
    for round in 0..2 * nodes {
        // Everybody reports, each by the key that is its own now.
        for number in 0..nodes {
            let peer = new[number].as_mut().unwrap_or(&mut old[number]);
            let statement = peer.notice(&world, &day(round), 1);
            let answer = peer.deliver(&mut world, nation, &statement);
            assert!(is_accepted(&answer), "round {round}, node {number}: {answer:?}");
            said += 1;
        }
        // Somebody's key is known to be stolen: revoked, and a new one appointed.
        if let Some(number) = (0..nodes).find(|number| new[*number].is_none() && *number <= round) {
            let thief = old[number].clone();
            let list = world.registry.revoke(&thief.path, &thief.label, 1, NOON);
            take(&mut world, nation, list);
            let path = thief.path.to_string();
            let peer = Hostile::admit(&mut world, nation, &path, 2);
            greet(&mut world, &peer, nation);
            new[number] = Some(peer);
        }
        // And each thief goes on trying.
        for (number, new) in new.iter_mut().enumerate() {
            let Some(new) = new else { continue };
            let statement = old[number].notice(&world, &day(random.random_range(0..2 * nodes)), 2);
            let by_itself = random.random_bool(0.5);
            let peer = if by_itself { &mut old[number] } else { new };
            let answer = peer.deliver(&mut world, nation, &statement);
            assert!(!is_accepted(&answer), "a stolen key of node {number}: {answer:?}");
            stolen += 1;
        }
    }
    assert_eq!(held(&world, nation).len(), said, "nothing that was accepted is lost");
    assert!(stolen > nodes);
}
