//! Changes of the policy are in the ledger, and every decision there can be made again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod world;

use std::collections::BTreeSet;

use reeve_policy::authz::{KeptQuestion, PolicySet, Role};
use reeve_protocol::NodeKey;
use reeve_protocol::consent::{Act, Adopter};
use reeve_protocol::local::{Answer, Failure, Question};
use reeve_protocol::rows::{self, AdoptionRow, SentRow};
use reeve_statement::adoption::Adopted;
use reeve_statement::cbor::from_slice;
use reeve_statement::cert::CrlSet;
use reeve_statement::cose::{Signed, Verifier};
use reeve_statement::digest::Digest;
use reeve_statement::release::Decision;
use reeve_statement::statement::Body;
use world::{CATALOGUE, World, operator, person, quick_policy};

const DAY: &str = "2026-03-01";
const LEAF: &str = "it/03/016";

fn parse(text: &str) -> PolicySet {
    PolicySet::parse(text, "policy.cedar").unwrap()
}

/// A policy that declines what the superior asks.
fn declines() -> PolicySet {
    parse(&quick_policy().replace(r#"Relation::"superior""#, r#"Relation::"above""#))
}

/// A nation, a region, and a leaf with a case.
fn reported() -> (World, NodeKey) {
    let mut world = World::new();
    let nation = world.add("it");
    world.add("it/03");
    let leaf = world.add(LEAF);
    world.publish_catalogue(nation, "it", CATALOGUE);
    world.put_case(leaf, "c1", DAY, "f");
    world.pass(3_000);
    (world, leaf)
}

fn set(world: &mut World, at: NodeKey, policy: PolicySet, adopter: Adopter) -> Answer {
    let answer = world.ask(at, operator(), Question::SetPolicy(Box::new(policy), adopter));
    world.pass(3_000);
    answer
}

fn acts(world: &mut World, at: NodeKey) -> Vec<Act> {
    match world.ask(at, operator(), Question::Adoptions) {
        Answer::Adoptions { acts, .. } => acts,
        other => panic!("{other:?}"),
    }
}

/// From which policy set to which, and by whom.
fn change(act: &Act) -> (Digest, Digest, &str) {
    match act.adoption.what {
        Adopted::Policy { before, after } => (before, after, act.adoption.by.as_str()),
        ref other => panic!("{other:?}"),
    }
}

fn of<'a>(world: &'a World, at: NodeKey, prefix: &'a [u8]) -> impl Iterator<Item = &'a Vec<u8>> {
    let rows = world.sites[&at].rows.range(prefix.to_vec()..);
    rows.take_while(move |(key, _)| key.starts_with(prefix)).map(|(_, value)| value)
}

/// The decisions that a node's ledger holds, with their places.
fn decisions(world: &World, at: NodeKey) -> Vec<(u64, bool, Decision)> {
    let verifier = Verifier::new(world.registry.roots.clone(), CrlSet::default());
    let mut found = Vec::new();
    for row in of(world, at, rows::SENT) {
        let row: SentRow = from_slice("row", row, row.len()).unwrap();
        let bytes = &world.sites[&at].rows[&rows::statement(&row.statement)];
        let signed = Signed::decode(bytes).unwrap();
        let when = signed.unverified_issued_at();
        match &signed.verify(&verifier, when).unwrap().statement().body {
            Body::Release(release) => found.push((row.index, true, release.decision.clone())),
            Body::Notice(notice) => {
                found.extend(notice.decision.clone().map(|it| (row.index, false, it)));
            }
            _ => {}
        }
    }
    found
}

/// Fetches what a decision names, as an auditor does, and decides again.
fn differences(world: &mut World, at: NodeKey, permitted: bool, told: &Decision) -> Vec<String> {
    let mut fetch = |what: Question| {
        let Answer::Statement(Some(bytes)) = world.ask(at, person(Role::Auditor), what) else {
            panic!("not kept");
        };
        String::from_utf8(bytes).unwrap()
    };
    let asked = fetch(Question::Asked(told.asked.unwrap()));
    assert_eq!(Digest::of(asked.as_bytes()), told.asked.unwrap());
    let kept = KeptQuestion::parse(&asked).unwrap();
    let schema = fetch(Question::PolicySet(kept.schema()));
    let policy = fetch(Question::PolicySet(told.policy_set));
    assert_eq!(Digest::of(policy.as_bytes()), told.policy_set);
    let set = PolicySet::parse_under(&policy, "policy.cedar", &schema).unwrap();
    set.decide_again(&kept).unwrap().differences(permitted, told)
}

#[test]
fn a_change_of_the_policy_is_in_the_ledger_before_anything_is_decided_by_it() {
    let (mut world, leaf) = reported();
    let first = world.policy.clone();
    assert!(acts(&mut world, leaf).is_empty(), "the first policy set is no change");
    let second = Adopter::SecondAfter("anna".to_owned());
    assert!(matches!(set(&mut world, leaf, declines(), Adopter::FirstOfTwo), Answer::Done));
    assert!(acts(&mut world, leaf).is_empty(), "one of two changes nothing");
    assert!(matches!(set(&mut world, leaf, declines(), second), Answer::Done));
    assert!(matches!(set(&mut world, leaf, first.clone(), Adopter::Alone), Answer::Done));
    assert!(matches!(set(&mut world, leaf, first.clone(), Adopter::Alone), Answer::Done));
    let acts = acts(&mut world, leaf);
    let (one, other) = (first.hash(), declines().hash());
    let changes: Vec<_> = acts.iter().map(change).collect();
    assert_eq!(changes, [(one, other, "anna, test"), (other, one, "test")], "and no more");
    let entered: Vec<AdoptionRow> = of(&world, leaf, rows::ADOPTED)
        .map(|row| from_slice("row", row, row.len()).unwrap())
        .collect();
    for (act, row) in acts.iter().zip(&entered) {
        assert_eq!((act.entry, act.index), (row.act.entry(), Some(row.index)));
    }
    let decisions = decisions(&world, leaf);
    let declined = decisions.iter().find(|(_, permitted, _)| !permitted).unwrap();
    assert_eq!(declined.2.policy_set, other);
    assert!(entered[0].index < declined.0 && declined.0 < entered[1].index, "{entered:?}");
    for (index, permitted, told) in &decisions {
        let found = differences(&mut world, leaf, *permitted, told);
        assert_eq!(found, Vec::<String>::new(), "entry {index}");
    }
    // Another answer would show.
    let found = differences(&mut world, leaf, true, &declined.2);
    assert!(found[0].contains("again it is declined (no policy permits it)"), "{found:?}");
}

#[test]
fn a_policy_that_is_found_at_a_start_is_a_change_by_nobody() {
    let (mut world, leaf) = reported();
    let first = world.policy.clone();
    world.restart(LEAF, "1", Some(1));
    world.pass(3_000);
    assert!(acts(&mut world, leaf).is_empty());
    world.policy = declines();
    world.restart(LEAF, "1", Some(1));
    world.pass(3_000);
    let found = acts(&mut world, leaf);
    assert_eq!(change(&found[0]), (first.hash(), declines().hash(), ""));
    assert!(found[0].index.is_some());
    let decided = decisions(&world, leaf);
    let (_, permitted, told) = decided.last().unwrap();
    assert_eq!((*permitted, told.policy_set), (false, declines().hash()));
    world.restart(LEAF, "1", Some(1));
    world.pass(3_000);
    assert_eq!(acts(&mut world, leaf).len(), 1, "the same again is no change");
    for (_, permitted, told) in decided {
        assert_eq!(differences(&mut world, leaf, permitted, &told), Vec::<String>::new());
    }
    // Each term's ledger says it anew.
    world.restart(LEAF, "1", Some(2));
    world.pass(3_000);
    let again = acts(&mut world, leaf);
    assert_eq!((again[0].entry, again[0].index.is_some()), (found[0].entry, true));
}

#[test]
fn one_question_is_kept_for_many_editions() {
    let (mut world, leaf) = reported();
    for id in ["c2", "c3", "c4", "c5"] {
        world.put_case(leaf, id, DAY, "f");
        world.pass(3_000);
    }
    let decisions = decisions(&world, leaf);
    assert!(decisions.len() >= 5, "{decisions:?}");
    let asked: BTreeSet<_> = decisions.iter().map(|(_, _, told)| told.asked.unwrap()).collect();
    assert_eq!((asked.len(), of(&world, leaf, rows::ASKED).count()), (1, 1));
    assert_eq!(of(&world, leaf, rows::POLICY).count(), 2, "the policy set and the schema");
    let kept = of(&world, leaf, rows::ASKED).next().unwrap();
    assert!(kept.len() < 2_048, "{}", kept.len());
    // Its own term's editions name what this store has, also after another store was lost.
    world.restart(LEAF, "1", Some(2));
    world.put_case(leaf, "c6", DAY, "f");
    world.pass(3_000);
    for (_, permitted, told) in self::decisions(&world, leaf) {
        assert_eq!(differences(&mut world, leaf, permitted, &told), Vec::<String>::new());
    }
}

/// What is asked for by its digest.
type Ask = fn(Digest) -> Question;

#[test]
fn who_is_not_entitled_is_shown_nothing_of_a_decision() {
    let (mut world, leaf) = reported();
    let (_, _, told) = decisions(&world, leaf).pop().unwrap();
    let ways: [(Ask, Digest); 2] =
        [(Question::PolicySet, told.policy_set), (Question::Asked, told.asked.unwrap())];
    for (what, digest) in ways {
        for role in [Role::Viewer, Role::Writer] {
            let answer = world.ask(leaf, person(role), what(digest));
            assert!(matches!(answer, Answer::Declined(_)), "{answer:?}");
        }
        for role in [Role::Operator, Role::Auditor] {
            let answer = world.ask(leaf, person(role), what(digest));
            assert!(matches!(answer, Answer::Statement(Some(_))), "{answer:?}");
        }
    }
    let nothing = Question::PolicySet(Digest::of(b"nothing"));
    let answer = world.ask(leaf, person(Role::Auditor), nothing);
    assert!(matches!(answer, Answer::Statement(None)), "{answer:?}");
}

#[test]
fn a_full_disk_takes_no_other_policy() {
    let (mut world, leaf) = reported();
    world.space(leaf, true);
    let answer = set(&mut world, leaf, declines(), Adopter::Alone);
    assert!(matches!(answer, Answer::Failed(Failure::NoSpace)), "{answer:?}");
    assert!(acts(&mut world, leaf).is_empty());
    world.space(leaf, false);
    world.put_case(leaf, "c2", DAY, "f");
    world.pass(3_000);
    assert!(decisions(&world, leaf).iter().all(|(_, permitted, _)| *permitted));
}
