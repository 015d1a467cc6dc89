//! Handing the reporting over to another node of the home: figures go on, nothing forks, and the node of
//! before signs nothing any more.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod world;

use std::collections::BTreeMap;

use reeve_crdt::indicator::Source;
use reeve_policy::authz::PolicySet;
use reeve_protocol::NodeKey;
use reeve_protocol::consent::{Accepted, Adopt, Adopter};
use reeve_protocol::local::{Answer, Question, Status};
use reeve_protocol::register::RegisterAct;
use reeve_protocol::rows::SentRow;
use reeve_statement::adoption::Adopted;
use reeve_statement::catalogue::Titles;
use world::{CATALOGUE, World, operator, subordinate, unit};

const DAY: &str = "2026-03-01";
const LEAF: &str = "it/03/016";

struct Town {
    world: World,
    nation: NodeKey,
    region: NodeKey,
    leaf: NodeKey,
}

/// A nation, a region and a leaf that has reported two cases.
fn reported() -> Town {
    let mut world = World::new();
    let nation = world.add("it");
    let region = world.add("it/03");
    let leaf = world.add(LEAF);
    world.publish_catalogue(nation, "it", CATALOGUE);
    for id in ["c1", "c2"] {
        world.put_case(leaf, id, DAY, "f");
        world.pass(1_000);
    }
    assert_eq!(world.total(nation, DAY), Some(2));
    Town { world, nation, region, leaf }
}

/// A further node of a unit, as it joins: only the first node knows it.
fn join(world: &mut World, path: &str, first: NodeKey) -> NodeKey {
    join_as(world, path, first, "2", &[])
}

/// The same by a label; it knows other nodes, too.
fn join_as(
    world: &mut World,
    path: &str,
    first: NodeKey,
    label: &str,
    others: &[NodeKey],
) -> NodeKey {
    let path = unit(path);
    let mut settings = world.settings(&path, label, None);
    settings.dial.retain(|peer| peer.key == first || others.contains(&peer.key));
    let chain = settings.chain.to_cbor();
    let second = world.start(settings, BTreeMap::new());
    world.places.insert((path.clone(), label.to_owned()), second);
    let first_chain = world.registry.node(&path, "1", Some(1)).to_cbor();
    for (host, chain) in [(first, chain), (second, first_chain)] {
        let admit = Question::Admit { chain, names: Titles::default(), time_zone: None };
        assert!(matches!(world.ask(host, operator(), admit), Answer::Done));
    }
    for at in world.places.values().copied().collect::<Vec<_>>() {
        let address = format!("/memory/{}", at.0[0]);
        world.ask(at, operator(), Question::Reached(vec![address]));
    }
    world.pass(5_000);
    second
}

/// The unit's authority appoints one of its nodes, at the node where its holder is.
fn appoint(world: &mut World, at: NodeKey, path: &str, label: &str, term: u64) {
    let chain = world.registry.node(&unit(path), label, Some(term));
    let answer = world.ask(at, operator(), Question::Renew(chain.to_cbor()));
    assert!(matches!(answer, Answer::Done), "{answer:?}");
}

fn status(world: &mut World, at: NodeKey) -> Status {
    match world.ask(at, operator(), Question::Status) {
        Answer::Status(status) => *status,
        other => panic!("{other:?}"),
    }
}

fn sent(world: &mut World, at: NodeKey, term: Option<u64>) -> Vec<SentRow> {
    match world.ask(at, operator(), Question::Sent { term, before: None, limit: 1_000 }) {
        Answer::Sent(rows) => rows,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_leaf_is_handed_over_and_its_editions_go_on() {
    let Town { mut world, nation, region, leaf } = reported();
    let second = join(&mut world, LEAF, leaf);
    assert!(
        world.linked(second, region),
        "the region admitted it, and it knows where the region is"
    );
    let before = world.figure(region, DAY).unwrap().edition;
    appoint(&mut world, leaf, LEAF, "2", 2);
    world.pass(3_000);
    let (old, new) = (status(&mut world, leaf), status(&mut world, second));
    assert_eq!((old.superseded_by, new.term, new.following_home), (Some(2), Some(2), false));
    let silent = sent(&mut world, leaf, None);
    // Either node takes records, and the new one reports them.
    world.put_case(leaf, "c3", DAY, "f");
    world.put_case(second, "c4", DAY, "f");
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), Some(4));
    assert!(world.figure(region, DAY).unwrap().edition > before);
    assert_eq!(sent(&mut world, leaf, None), silent, "the ended term signs nothing");
    let editions: Vec<u64> =
        sent(&mut world, second, Some(2)).iter().map(|row| row.edition).collect();
    assert!(editions.contains(&3), "it goes on after the two that were accepted: {editions:?}");
    // The appointment is in the ledger of either term.
    assert!(issued(&mut world, leaf, 1) > 0 && issued(&mut world, second, 2) > 0);
}

fn issued(world: &mut World, at: NodeKey, term: u64) -> usize {
    let what = Question::Issued { term: Some(term), from: 0, limit: 100 };
    match world.ask(at, operator(), what) {
        Answer::Issued(rows) => rows.iter().filter(|row| row.role == "node").count(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_old_node_stays_silent_after_a_start_alone() {
    let Town { mut world, nation, leaf, .. } = reported();
    let second = join(&mut world, LEAF, leaf);
    appoint(&mut world, leaf, LEAF, "2", 2);
    world.pass(3_000);
    world.kill(second);
    let leaf = world.restart(LEAF, "1", Some(1));
    let before = sent(&mut world, leaf, None);
    world.put_case(leaf, "c3", DAY, "f");
    world.pass(3_000);
    assert_eq!(
        status(&mut world, leaf).superseded_by,
        Some(2),
        "it knows without being told again"
    );
    assert_eq!((world.total(nation, DAY), sent(&mut world, leaf, None)), (Some(2), before));
}

#[test]
fn a_lost_node_is_replaced_by_force_and_refused_when_it_turns_up() {
    let Town { mut world, nation, region, leaf } = reported();
    let second = join(&mut world, LEAF, leaf);
    let disk = world.kill(leaf);
    world.put_case(second, "c3", DAY, "f");
    appoint(&mut world, second, LEAF, "2", 2);
    world.pass(3_000);
    assert!(status(&mut world, second).following_home, "the other may still come");
    world.pass(70_000);
    assert_eq!(world.total(nation, DAY), Some(3));
    // What is left of it turns up, and reaches the region alone.
    world.kill(second);
    let settings = world.settings(&unit(LEAF), "1", Some(1));
    let leaf = world.start(settings, disk);
    world.put_case(leaf, "c9", DAY, "f");
    world.pass(3_000);
    assert!(world.counter(region, "refused_peers", "old_term") > 0);
    assert_eq!(status(&mut world, leaf).superseded_by, Some(2), "it hears that its term is over");
    assert_eq!(world.total(nation, DAY), Some(3));
}

#[test]
fn a_third_node_that_is_there_does_not_make_the_second_wait_for_the_lost_one() {
    let Town { mut world, nation, leaf, .. } = reported();
    let second = join(&mut world, LEAF, leaf);
    let third = join_as(&mut world, LEAF, leaf, "3", &[second]);
    world.kill(leaf);
    appoint(&mut world, second, LEAF, "2", 2);
    // The third is asked again and again, and has nothing new.
    world.pass(90_000);
    assert!(world.linked(second, third));
    assert!(!status(&mut world, second).following_home);
    world.put_case(second, "c3", DAY, "f");
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), Some(3));
}

#[test]
fn a_region_is_handed_over_with_what_its_subordinates_said() {
    let Town { mut world, nation, region, leaf } = reported();
    let other = world.add("it/03/017");
    world.put_case(other, "d1", DAY, "m");
    world.pass(2_000);
    let second = join(&mut world, "it/03", region);
    // One of the two is away while the region is handed over: what it said counts on.
    world.set_down(other, true);
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), Some(3));
    appoint(&mut world, region, "it/03", "2", 2);
    for _ in 0..20 {
        world.pass(250);
        assert_eq!(world.total(nation, DAY), Some(3), "there is no gap");
    }
    assert!(!status(&mut world, second).following_home);
    assert!(world.linked(leaf, second), "the leaf knows where the region's other node is");
    world.put_case(leaf, "c3", DAY, "f");
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), Some(4));
    world.put_case(other, "d2", DAY, "m");
    world.set_down(other, false);
    world.pass(5_000);
    assert_eq!(world.total(nation, DAY), Some(5));
    let known = status(&mut world, second).subordinates.len();
    assert_eq!(known, 2, "the register came over");
    // Whoever asks the old node is told that another one reports.
    world.kill(second);
    world.put_case(leaf, "c4", DAY, "f");
    world.pass(5_000);
    assert_eq!(world.total(nation, DAY), Some(5));
    let refused = status(&mut world, leaf).refused;
    assert!(refused.iter().any(|(_, why)| why.label() == "not_reporting"), "{refused:?}");
}

#[test]
fn the_first_unit_is_handed_over_and_its_editions_go_on() {
    let Town { mut world, nation, leaf, .. } = reported();
    let second = join(&mut world, "it", nation);
    let before = world.figure(nation, DAY).unwrap().edition;
    appoint(&mut world, nation, "it", "2", 2);
    world.pass(3_000);
    world.put_case(leaf, "c3", DAY, "f");
    world.pass(3_000);
    assert_eq!(world.total(second, DAY), Some(3));
    let after = world.figure(second, DAY).unwrap().edition;
    assert!(after > before, "{before} then {after}");
    assert_eq!(sent(&mut world, nation, Some(1)).iter().filter(|row| row.term > 1).count(), 0);
}

#[test]
fn it_is_handed_back() {
    let Town { mut world, nation, leaf, .. } = reported();
    let second = join(&mut world, LEAF, leaf);
    appoint(&mut world, leaf, LEAF, "2", 2);
    world.pass(3_000);
    world.put_case(second, "c3", DAY, "f");
    world.pass(2_000);
    appoint(&mut world, leaf, LEAF, "1", 3);
    world.pass(3_000);
    assert_eq!(status(&mut world, second).superseded_by, Some(3));
    let before = sent(&mut world, second, None);
    world.put_case(second, "c4", DAY, "f");
    world.pass(2_000);
    assert_eq!(world.total(nation, DAY), Some(4));
    assert_eq!(sent(&mut world, second, None), before);
    assert_eq!(status(&mut world, leaf).term, Some(3));
}

#[test]
fn a_term_that_ended_before_its_node_heard_of_it_never_begins() {
    let Town { mut world, leaf, .. } = reported();
    let second = join(&mut world, LEAF, leaf);
    // There and back; the second node hears of the way back first.
    appoint(&mut world, second, LEAF, "1", 3);
    appoint(&mut world, second, LEAF, "2", 2);
    let status = status(&mut world, second);
    assert_eq!((status.term, status.superseded_by), (Some(2), Some(3)));
    world.put_case(second, "c3", DAY, "f");
    world.pass(2_000);
    assert_eq!(sent(&mut world, second, None), []);
}

#[test]
fn a_node_that_was_passed_over_tells_nothing_of_an_office_that_it_had_before() {
    let Town { mut world, region, .. } = reported();
    let path = "it/03";
    let second = join(&mut world, path, region);
    let third = join_as(&mut world, path, region, "3", &[second]);
    appoint(&mut world, region, path, "2", 2);
    world.pass(3_000);
    let name = |world: &mut World, at: NodeKey| match world.ask(at, operator(), Question::Register)
    {
        Answer::Register(entries) => entries.first().map(|it| it.names.0.clone()),
        other => panic!("{other:?}"),
    };
    let names = vec![("en".to_owned(), "New name".to_owned())];
    let rename = RegisterAct::Rename { unit: subordinate("016"), names: names.clone(), from: None };
    let answer = world.ask(second, operator(), Question::ChangeRegister(rename));
    assert!(matches!(answer, Answer::Registered(_)), "{answer:?}");
    world.pass(2_000);
    // Back to the first, which cannot take over what the second kept, and on to the third.
    world.set_down(second, true);
    appoint(&mut world, region, path, "1", 3);
    world.pass(1_000);
    assert!(status(&mut world, region).following_home);
    appoint(&mut world, third, path, "3", 4);
    world.pass(90_000);
    assert_eq!(status(&mut world, third).term, Some(4));
    assert!(!status(&mut world, third).following_home);
    assert_eq!(name(&mut world, third), Some(names));
}

#[test]
fn a_node_that_stops_while_it_takes_over_goes_on_after_its_start() {
    let Town { mut world, nation, leaf, .. } = reported();
    let second = join(&mut world, LEAF, leaf);
    let chain = world.registry.node(&unit(LEAF), "2", Some(2));
    world.send_ask(leaf, operator(), Question::Renew(chain.to_cbor()));
    world.steps(12);
    let disk = world.kill(second);
    let mut settings = world.settings(&unit(LEAF), "2", Some(2));
    settings.dial.retain(|peer| peer.key == leaf);
    let second = world.start(settings, disk);
    world.pass(70_000);
    world.put_case(leaf, "c3", DAY, "f");
    world.pass(3_000);
    assert_eq!(world.total(nation, DAY), Some(3));
    assert_eq!(status(&mut world, second).term, Some(2));
}

#[test]
fn a_node_that_takes_over_says_where_it_differs_from_the_one_before() {
    let Town { mut world, nation, leaf, .. } = reported();
    world.period_closed(leaf, DAY);
    world.pass(1_000);
    // Its own are another policy, sources of its own, and nothing that is accepted beforehand.
    let other = world::quick_policy()
        + "\n// Of the second node.\n@id(\"more\")\npermit (principal is Unit, \
        action == Action::\"pull\", resource is Indicator) when { principal.relation == Relation::\"other\" };\n";
    let policy = |text: &str| PolicySet::parse(text, "policy.cedar").unwrap();
    let same = core::mem::replace(&mut world.policy, policy(&other));
    let source = |name: &str| Source {
        name: name.to_owned(),
        kinds: Vec::new(),
        from: None,
        until: None,
        silent_after_ms: None,
    };
    world.sources.insert(unit(LEAF), vec![source("registry"), source("laboratory")]);
    world.accepted.insert(unit(LEAF), Accepted::Nothing);
    let second = join(&mut world, LEAF, leaf);
    assert_eq!(status(&mut world, second).taken_over, None, "it does not report");
    appoint(&mut world, leaf, LEAF, "2", 2);
    world.pass(3_000);
    let differs = status(&mut world, second).taken_over.unwrap();
    assert_eq!((differs.term, differs.policy), (1, Some((same.hash(), policy(&other).hash()))));
    let names: Vec<&str> = differs.not_adopted.iter().map(|it| it.as_str()).collect();
    assert_eq!(names, ["cases"], "what the one before told is not adopted here");
    assert_eq!(differs.sources.iter().map(|it| (it.1, it.2)).collect::<Vec<_>>(), [(1, 2)]);
    let Answer::Adoptions { acts, .. } = world.ask(second, operator(), Question::Adoptions) else {
        panic!("no acts");
    };
    let what = Adopted::Policy { before: same.hash(), after: policy(&other).hash() };
    assert_eq!((&acts[0].adoption.what, acts[0].adoption.by.as_str()), (&what, ""));
    assert!(acts[0].index.is_some(), "the unit's policy changed with the node: its ledger says so");
    // A restart does not make it forget; whoever sets the policy and adopts has seen to it.
    world.restart(LEAF, "2", Some(2));
    world.pass(3_000);
    assert_eq!(status(&mut world, second).taken_over, Some(differs));
    let set = Question::SetPolicy(Box::new(same), Adopter::Alone);
    assert!(matches!(world.ask(second, operator(), set), Answer::Done));
    let proposals = match world.ask(second, operator(), Question::Adoptions) {
        Answer::Adoptions { proposals, .. } => proposals,
        other => panic!("{other:?}"),
    };
    let [proposal] = proposals.as_slice() else { panic!("{proposals:?}") };
    let (indicator, definition) = (proposal.indicator.id.clone(), proposal.definition);
    let adopt = Question::Adopt(Adopt::Indicator { indicator, definition }, Adopter::Alone);
    assert!(matches!(world.ask(second, operator(), adopt), Answer::Done));
    let left = status(&mut world, second).taken_over.unwrap();
    assert_eq!((left.policy, left.not_adopted.len(), left.sources.len()), (None, 0, 1));
    assert_eq!(world.total(nation, DAY), Some(2));
}
