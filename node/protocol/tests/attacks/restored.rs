//! Attack 14: what was told is forgotten by putting an old copy of the store back.

use std::collections::BTreeMap;

use rand::Rng as _;
use reeve_protocol::NodeKey;
use reeve_protocol::rows::SENT;

use crate::counts::count;
use crate::world::{CATALOGUE, World, unit};
use crate::{chance, day, held};

/// Changes told before the first backup, and between two.
const CHANGES: usize = 3;

fn sent(world: &World, at: NodeKey) -> usize {
    world.sites[&at].rows.keys().filter(|key| key.starts_with(SENT)).count()
}

fn start(world: &mut World, rows: BTreeMap<Vec<u8>, Vec<u8>>) -> NodeKey {
    let settings = world.settings(&unit("it/05"), "1", Some(1));
    world.start(settings, rows)
}

#[test]
fn attack_14_a_store_that_was_put_back_tells_nothing_until_it_is_the_newest_again() {
    let mut world = World::new();
    let nation = world.add("it");
    let leaf = world.add("it/05");
    world.publish_catalogue(nation, "it", CATALOGUE);
    let mut random = chance(14);
    let mut number = 0;
    let mut change = |world: &mut World, leaf: NodeKey, random: &mut rand_chacha::ChaCha8Rng| {
        number += 1;
        world.put_case(leaf, &format!("c{number}"), &day(random.random_range(0..5)), "f");
        world.pass(200);
    };
    let mut backups = Vec::new();
    for _ in 0..count(6, 50) {
        for _ in 0..CHANGES {
            change(&mut world, leaf, &mut random);
        }
        backups.push(world.sites[&leaf].rows.clone());
    }
    change(&mut world, leaf, &mut random);
    world.pass(2_000);
    for backup in backups {
        let newest = world.kill(leaf);
        let told = held(&world, nation);
        // Nobody can say what was told since: nothing is signed.
        world.set_down(nation, true);
        start(&mut world, backup);
        let before = sent(&world, leaf);
        change(&mut world, leaf, &mut random);
        world.pass(5_000);
        assert_eq!(sent(&world, leaf), before, "it does not know yet what it told");
        // The superior says that it knows more: nothing is signed either.
        world.set_down(nation, false);
        world.pass(5_000);
        assert!(world.counter(leaf, "reconcile", "ledger_behind_superior") > 0);
        change(&mut world, leaf, &mut random);
        world.pass(5_000);
        assert_eq!(sent(&world, leaf), before, "what it would sign, it may have signed otherwise");
        assert_eq!(held(&world, nation), told, "nothing was told anew");
        // The newest copy of the store speaks again.
        world.kill(leaf);
        start(&mut world, newest);
        let before = sent(&world, leaf);
        change(&mut world, leaf, &mut random);
        world.pass(2_000);
        assert!(sent(&world, leaf) > before);
    }
    for label in ["equivocation", "old_edition", "ledger_regressed", "ledger_forked"] {
        assert_eq!(world.counter(nation, "refused_statements", label), 0, "{label}");
    }
}
