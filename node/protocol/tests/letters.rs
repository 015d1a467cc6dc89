//! Letters: whatever the order in which they are taken, and however often, the effect is that of a line.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod world;

use std::collections::BTreeMap;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use reeve_protocol::NodeKey;
use reeve_protocol::local::{Answer, Failure, LetterTaken, Question, Status};
use reeve_protocol::refusal::Refusal;
use reeve_protocol::rows::SENT;
use reeve_statement::catalogue::Titles;
use world::{CATALOGUE, World, operator, unit};

const DAY: &str = "2026-03-01";
const LEAF: &str = "it/05";

type Disk = BTreeMap<Vec<u8>, Vec<u8>>;

/// Starts a leaf that dials nobody.
fn start(world: &mut World, path: &str, disk: Disk) -> NodeKey {
    let mut settings = world.settings(&unit(path), "1", Some(1));
    settings.dial.clear();
    world.start(settings, disk)
}

fn admit(world: &mut World, at: NodeKey, path: &str) {
    let chain = world.registry.node(&unit(path), "1", Some(1)).to_cbor();
    let admit = Question::Admit { chain, names: Titles::default(), time_zone: None };
    assert!(matches!(world.ask(at, operator(), admit), Answer::Done));
}

/// A nation with a catalogue, and a leaf that it knows of.
fn apart() -> (World, NodeKey, NodeKey) {
    let mut world = World::new();
    let nation = world.add("it");
    world.publish_catalogue(nation, "it", CATALOGUE);
    let leaf = start(&mut world, LEAF, Disk::new());
    admit(&mut world, nation, LEAF);
    admit(&mut world, leaf, "it");
    (world, nation, leaf)
}

fn write(world: &mut World, at: NodeKey, to: &str) -> Vec<Vec<u8>> {
    for _ in 0..20 {
        let due = world.ask(at, operator(), Question::Freshen);
        if matches!(due, Answer::Due(0)) {
            break;
        }
        world.pass(100);
    }
    let (mut letters, mut after) = (Vec::new(), None);
    loop {
        match world.ask(at, operator(), Question::Letter { to: unit(to), after }) {
            Answer::Letter { letter, next } => {
                letters.push(letter);
                after = next;
            }
            other => panic!("{other:?}"),
        }
        if after.is_none() {
            return letters;
        }
    }
}

fn take(world: &mut World, at: NodeKey, letter: &[u8]) -> Result<LetterTaken, Failure> {
    let answer = world.ask(at, operator(), Question::TakeLetter(letter.to_vec()));
    world.pass(200);
    match answer {
        Answer::LetterTaken(taken) => Ok(*taken),
        Answer::Failed(failure) => Err(failure),
        other => panic!("{other:?}"),
    }
}

fn take_all(world: &mut World, at: NodeKey, letters: &[Vec<u8>]) {
    for letter in letters {
        let taken = take(world, at, letter).unwrap();
        assert!(taken.refused.is_empty(), "{taken:?}");
    }
}

fn exchange(world: &mut World, nation: NodeKey, leaf: NodeKey) {
    let up = write(world, leaf, "it");
    take_all(world, nation, &up);
    let down = write(world, nation, LEAF);
    take_all(world, leaf, &down);
}

fn status(world: &mut World, at: NodeKey) -> Status {
    match world.ask(at, operator(), Question::Status) {
        Answer::Status(status) => *status,
        other => panic!("{other:?}"),
    }
}

fn signed(world: &World, at: NodeKey) -> usize {
    world.sites[&at].rows.keys().filter(|key| key.starts_with(SENT)).count()
}

#[test]
fn letters_taken_in_any_order_and_again_come_to_the_same() {
    for seed in 0..12 {
        let (mut world, nation, mut leaf) = apart();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (mut up, mut down) = (Vec::new(), Vec::new());
        let (mut cases, mut seen) = (0, 0);
        for _ in 0..60 {
            match random.random_range(0..10) {
                0..3 => {
                    cases += 1;
                    world.put_case(leaf, &format!("c{cases}"), DAY, "f");
                    world.pass(random.random_range(1..2_000));
                }
                3 => up.extend(write(&mut world, leaf, "it")),
                4 => down.extend(write(&mut world, nation, LEAF)),
                5 => {
                    let disk = world.kill(leaf);
                    leaf = start(&mut world, LEAF, disk);
                }
                6..8 if !up.is_empty() => {
                    let letter = up[random.random_range(0..up.len())].clone();
                    take_all(&mut world, nation, &[letter]);
                }
                8..10 if !down.is_empty() => {
                    let letter = down[random.random_range(0..down.len())].clone();
                    take_all(&mut world, leaf, &[letter]);
                }
                _ => {}
            }
            let total = world.figure(nation, DAY).and_then(|figure| figure.total);
            let total = total.map_or(0, |total| total.value.lo());
            assert!(total >= seen && total <= cases, "seed {seed}: {seen}, {total} of {cases}");
            seen = total;
        }
        for _ in 0..3 {
            exchange(&mut world, nation, leaf);
        }
        assert_eq!(world.total(nation, DAY).unwrap_or(0), cases, "seed {seed}");
        let told = status(&mut world, leaf);
        assert_eq!(
            (told.unsent, told.needs_letter, told.superior_ledger),
            (0, false, None),
            "{seed}"
        );
        for label in ["equivocation", "old_term", "ledger_regressed", "ledger_forked", "bad_parts"]
        {
            assert_eq!(world.counter(nation, "refused_statements", label), 0, "{seed}: {label}");
        }
    }
}

#[test]
fn an_old_answer_does_not_make_a_lost_store_sign() {
    let (mut world, nation, leaf) = apart();
    world.put_case(leaf, "c1", DAY, "f");
    let first = write(&mut world, nation, LEAF);
    take_all(&mut world, leaf, &first);
    assert!(status(&mut world, leaf).needs_letter, "it answers nothing");
    assert_eq!(signed(&world, leaf), 0);
    exchange(&mut world, nation, leaf);
    let answer = write(&mut world, nation, LEAF);
    exchange(&mut world, nation, leaf);
    assert_eq!(world.total(nation, DAY), Some(1));

    world.kill(leaf);
    let leaf = start(&mut world, LEAF, Disk::new());
    admit(&mut world, leaf, "it");
    world.put_case(leaf, "c2", DAY, "f");
    for letters in [&first, &answer] {
        take_all(&mut world, leaf, letters);
        world.pass(2_000);
        assert!(status(&mut world, leaf).needs_letter);
        assert_eq!(signed(&world, leaf), 0, "it may have said something else");
    }
    // The true answer says that more was told than this store knows: a new term is due.
    exchange(&mut world, nation, leaf);
    let told = status(&mut world, leaf);
    assert!(told.superior_ledger.is_some(), "{told:?}");
    // An older one does not make it forget that.
    take_all(&mut world, leaf, &first);
    assert!(status(&mut world, leaf).superior_ledger.is_some());
    assert_eq!(signed(&world, leaf), 0);
    let chain = world.registry.node(&unit(LEAF), "1", Some(2));
    world.ask(leaf, operator(), Question::Renew(chain.to_cbor()));
    world.put_case(leaf, "c3", DAY, "f");
    for _ in 0..2 {
        exchange(&mut world, nation, leaf);
    }
    assert_eq!(world.total(nation, DAY), Some(2), "what the new store holds");
}

#[test]
fn letters_of_others_for_others_or_altered_are_refused_whole() {
    let (mut world, nation, leaf) = apart();
    let other = start(&mut world, "it/07", Disk::new());
    world.put_case(leaf, "c1", DAY, "f");
    exchange(&mut world, nation, leaf);
    let up = write(&mut world, leaf, "it").remove(0);
    let down = write(&mut world, nation, LEAF).remove(0);
    let refused = |failure: Result<LetterTaken, Failure>| match failure {
        Err(Failure::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(take(&mut world, leaf, &up)), Refusal::OtherAudience);
    assert_eq!(refused(take(&mut world, other, &down)), Refusal::OtherAudience);
    // Nobody admitted it, and its authority's certificate is not in the nation's ledger.
    let strange = write(&mut world, other, "it").remove(0);
    assert_eq!(refused(take(&mut world, nation, &strange)), Refusal::UnknownPeer);
    for at in (0..up.len()).step_by(13) {
        let mut bad = up.clone();
        bad[at] ^= 4;
        let refusal = refused(take(&mut world, nation, &bad));
        assert!(
            matches!(
                refusal,
                Refusal::BadSignature
                    | Refusal::Malformed
                    | Refusal::BadChain
                    | Refusal::OtherVersion
                    | Refusal::OtherFederation
                    | Refusal::OtherAudience
                    | Refusal::ClockSkew
                    | Refusal::NotYetValid
                    | Refusal::Expired
                    | Refusal::OutOfArea
            ),
            "byte {at}: {refusal:?}"
        );
    }
    let to = unit("it/07/001");
    let answer = world.ask(leaf, operator(), Question::Letter { to, after: None });
    assert!(matches!(answer, Answer::Failed(Failure::NoLetter(_))), "{answer:?}");
    take_all(&mut world, nation, &[up]);
}
