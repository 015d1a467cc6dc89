//! Consent: what a catalogue proposes is not sent before the home adopts it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod world;

use std::collections::BTreeSet;

use reeve_policy::authz::Role;
use reeve_protocol::NodeKey;
use reeve_protocol::consent::{Accepted, Act, Adopt, Adopter, Consent, Proposal};
use reeve_protocol::local::{Answer, Failure, Question};
use reeve_protocol::rows::{self, AdoptionRow, SentRow};
use reeve_protocol::stored::LedgerCheck;
use reeve_statement::adoption::Adopted;
use reeve_statement::cbor::from_slice;
use reeve_statement::completeness::UnitState;
use reeve_statement::digest::Digest;
use reeve_statement::names::IndicatorId;
use reeve_statement::statement::Body;
use world::{CATALOGUE, World, operator, person, unit};

const DAY: &str = "2026-03-01";
const LEAF: &str = "it/03/016";
const BASIS: &str = "Test Act, s. 1";

/// A nation, a region that adopts everything, and a leaf that adopts nothing by itself.
struct Trial {
    world: World,
    nation: NodeKey,
    leaf: NodeKey,
}

impl Trial {
    fn new() -> Self {
        let mut world = World::new();
        let nation = world.add("it");
        world.add("it/03");
        world.accepted.insert(unit(LEAF), Accepted::Nothing);
        let leaf = world.add(LEAF);
        Self { world, nation, leaf }
    }

    fn publish(&mut self, version: u64, depth: u8) {
        let text = CATALOGUE
            .replace("version = 1", &format!("version = {version}"))
            .replace("area_depth = 3", &format!("area_depth = {depth}"))
            + &format!("legal_basis = \"{BASIS}\"\n");
        self.world.publish_catalogue(self.nation, "it", &text);
    }

    fn put(&mut self, id: &str) {
        self.world.put_case(self.leaf, id, DAY, "f");
        self.world.pass(1_000);
    }

    fn proposals(&mut self, at: NodeKey) -> (Vec<Proposal>, Vec<Act>) {
        match self.world.ask(at, operator(), Question::Adoptions) {
            Answer::Adoptions { proposals, acts } => (proposals, acts),
            other => panic!("{other:?}"),
        }
    }

    /// Adopts the indicator as it is proposed now.
    fn adopt(&mut self, at: NodeKey) -> Answer {
        let (proposals, _) = self.proposals(at);
        let what = adopting(&proposals[0]);
        let answer = self.world.ask(at, operator(), Question::Adopt(what, Adopter::Alone));
        self.world.pass(1_000);
        answer
    }

    fn ask(&mut self, what: Adopt) -> Answer {
        let what = Question::Adopt(what, Adopter::Alone);
        let answer = self.world.ask(self.leaf, operator(), what);
        self.world.pass(1_000);
        answer
    }

    fn withdraw(&mut self) {
        let answer = self.ask(Adopt::Withdraw(IndicatorId::new("cases").unwrap()));
        assert!(matches!(answer, Answer::Done), "{answer:?}");
    }

    /// Units per state in the nation's figure, and its total.
    fn told(&mut self) -> (u64, u64, Option<i64>) {
        self.told_of(DAY)
    }

    fn told_of(&mut self, day: &str) -> (u64, u64, Option<i64>) {
        let figure = self.world.figure(self.nation, day).unwrap();
        let counts = &figure.counts;
        let total = figure.total.map(|total| total.value.lo());
        (counts.included(), counts.of(UnitState::NotAdopted), total)
    }

    /// What the leaf's last statement of the day says.
    fn said(&mut self) -> Body {
        let row = self.world.sites[&self.leaf]
            .rows
            .iter()
            .filter(|(key, _)| key.starts_with(rows::FIGURE))
            .map(|(_, value)| from_slice::<rows::FigureRow>("row", value, value.len()).unwrap())
            .find(|row| row.id.period == Some(DAY.parse().unwrap()));
        row.unwrap().body.unwrap()
    }
}

fn adopting(proposal: &Proposal) -> Adopt {
    Adopt::Indicator { indicator: proposal.indicator.id.clone(), definition: proposal.definition }
}

/// The acts that a node's ledger holds.
fn entered(world: &World, at: NodeKey) -> Vec<AdoptionRow> {
    let rows = world.sites[&at].rows.range(rows::ADOPTED.to_vec()..);
    rows.take_while(|(key, _)| key.starts_with(rows::ADOPTED))
        .map(|(_, value)| from_slice("row", value, value.len()).unwrap())
        .collect()
}

/// What `reeve verify` does with a node's ledger.
fn ledger_is_whole(world: &World, at: NodeKey) -> (u64, Digest) {
    let rows = &world.sites[&at].rows;
    let of = |prefix: Vec<u8>| {
        let from = rows.range(prefix.clone()..);
        from.take_while(move |(key, _)| key.starts_with(&prefix)).map(|(_, value)| value)
    };
    let key = LedgerCheck::edge_key(1);
    let mut check = LedgerCheck::new(&key, &rows[&key], &world.registry.roots).unwrap();
    of(check.issued_rows()).for_each(|row| check.issued(row).unwrap());
    of(check.adopted_rows()).for_each(|row| check.adopted(row).unwrap());
    for row in of(check.sent_rows()) {
        for needed in check.sent(row).unwrap() {
            let value = rows.get(&needed.key).map(Vec::as_slice);
            needed.check(value).unwrap();
        }
    }
    check.certificates().unwrap();
    check.end().unwrap()
}

#[test]
fn nothing_is_sent_before_it_is_adopted() {
    let mut trial = Trial::new();
    trial.publish(1, 3);
    trial.put("c1");
    assert_eq!(trial.told(), (0, 1, None), "a notice says so; missing is not zero");
    let Body::Notice(notice) = trial.said() else { panic!("a release") };
    assert!(notice.definition.is_some() && notice.decision.is_none(), "{notice:?}");
    // The house sees what would be sent.
    let preview = trial.world.figure(trial.leaf, DAY).unwrap();
    assert_eq!((preview.adopted, preview.total.unwrap().value.lo()), (false, 1));

    let (proposals, acts) = trial.proposals(trial.leaf);
    assert_eq!(proposals[0].consent, Consent::NotAdopted);
    assert!(acts.is_empty());
    assert!(matches!(trial.adopt(trial.leaf), Answer::Done));
    assert_eq!(trial.told(), (1, 0, Some(1)));
    let Body::Release(release) = trial.said() else { panic!("a notice") };
    let row = &entered(&trial.world, trial.leaf)[0];
    assert_eq!(release.decision.adoption, Some(row.entry), "the figure names the act");
    assert_eq!((row.act.by.as_str(), row.act.entry()), ("test", row.entry));
    let sent = trial.world.ask(
        trial.leaf,
        operator(),
        Question::Sent { term: None, before: None, limit: 100 },
    );
    let Answer::Sent(sent) = sent else { panic!("{sent:?}") };
    let first = sent.iter().map(|row: &SentRow| (row.index, row.kind.clone()));
    let release = first.filter(|(_, kind)| kind == "release").map(|(index, _)| index).min();
    assert!(release > Some(row.index), "the act is entered before the figure: {sent:?}");
    ledger_is_whole(&trial.world, trial.leaf);
}

#[test]
fn a_changed_definition_is_proposed_anew() {
    let mut trial = Trial::new();
    trial.publish(1, 3);
    trial.put("c1");
    assert!(matches!(trial.adopt(trial.leaf), Answer::Done));
    let before = trial.proposals(trial.leaf).0;
    trial.publish(2, 2);
    assert_eq!(trial.told(), (0, 1, None));
    let stale = trial.world.ask(
        trial.leaf,
        operator(),
        Question::Adopt(adopting(&before[0]), Adopter::Alone),
    );
    assert!(
        matches!(stale, Answer::Failed(Failure::OtherDefinition(_))),
        "what was looked at is not proposed any more: {stale:?}"
    );
    assert!(matches!(trial.adopt(trial.leaf), Answer::Done));
    assert_eq!(trial.told(), (1, 0, Some(1)));
    // Only what people call it has changed.
    let text = CATALOGUE
        .replace("version = 1", "version = 3")
        .replace("area_depth = 3", "area_depth = 2")
        .replace("Cases by day and sex", "New cases by day and sex")
        + &format!("legal_basis = \"{BASIS}\"\n");
    trial.world.publish_catalogue(trial.nation, "it", &text);
    assert_eq!(trial.told(), (1, 0, Some(1)), "titles are no part of a definition");
}

#[test]
fn a_legal_basis_is_adopted_with_all_that_names_it() {
    let mut trial = Trial::new();
    trial.publish(1, 3);
    trial.put("c1");
    let adopt = |basis: &str| Question::Adopt(Adopt::LegalBasis(basis.to_owned()), Adopter::Alone);
    let other = trial.world.ask(trial.leaf, operator(), adopt("Another Act"));
    assert!(matches!(other, Answer::Done));
    trial.world.pass(1_000);
    assert_eq!(trial.told(), (0, 1, None), "word for word");
    let empty = trial.world.ask(trial.leaf, operator(), adopt(""));
    assert!(matches!(empty, Answer::Failed(Failure::LegalBasis(0))), "{empty:?}");
    assert!(matches!(trial.world.ask(trial.leaf, operator(), adopt(BASIS)), Answer::Done));
    trial.world.pass(1_000);
    assert_eq!(trial.told(), (1, 0, Some(1)));
    trial.publish(2, 2);
    assert_eq!(trial.told(), (1, 0, Some(1)), "later definitions too");
    let again = trial.world.ask(trial.leaf, operator(), adopt(BASIS));
    assert!(matches!(again, Answer::Done));
    let (_, acts) = trial.proposals(trial.leaf);
    let bases = acts.iter().map(|act| &act.adoption.what);
    assert_eq!(bases.filter(|it| **it == Adopted::LegalBasis(BASIS.to_owned())).count(), 1);
}

#[test]
fn settings_and_an_own_catalogue_need_no_act() {
    let mut trial = Trial::new();
    let bases = BTreeSet::from([BASIS.to_owned()]);
    trial.world.accepted.insert(unit(LEAF), Accepted::LegalBases(bases));
    trial.world.accepted.insert(unit("it"), Accepted::Nothing);
    trial.world.restart(LEAF, "1", Some(1));
    trial.world.restart("it", "1", Some(1));
    trial.publish(1, 3);
    trial.put("c1");
    assert_eq!(trial.told(), (1, 0, Some(1)));
    let (leaf, _) = trial.proposals(trial.leaf);
    let (nation, _) = trial.proposals(trial.nation);
    assert_eq!(
        (&leaf[0].consent, &nation[0].consent),
        (&Consent::Settings, &Consent::OwnCatalogue)
    );
    let Body::Release(release) = trial.said() else { panic!("a notice") };
    assert_eq!(release.decision.adoption, None, "by default");
}

#[test]
fn an_act_outlives_a_restart_and_is_entered_once_in_each_term() {
    let mut trial = Trial::new();
    trial.publish(1, 3);
    trial.put("c1");
    assert!(matches!(trial.adopt(trial.leaf), Answer::Done));
    trial.world.restart(LEAF, "1", Some(1));
    trial.world.pass(2_000);
    trial.put("c2");
    assert_eq!(trial.told(), (1, 0, Some(2)));
    assert_eq!(entered(&trial.world, trial.leaf).len(), 1);
    ledger_is_whole(&trial.world, trial.leaf);
    let chain = trial.world.registry.node(&unit(LEAF), "1", Some(2));
    let renewed = trial.world.ask(trial.leaf, operator(), Question::Renew(chain.to_cbor()));
    assert!(matches!(renewed, Answer::Done), "{renewed:?}");
    trial.world.pass(2_000);
    trial.put("c3");
    assert_eq!(trial.told(), (1, 0, Some(3)));
    let terms: Vec<u64> = entered(&trial.world, trial.leaf).iter().map(|row| row.term).collect();
    assert_eq!(terms, [1, 2], "the new ledger names it too");
}

#[test]
fn an_act_at_any_node_holds_for_the_home() {
    let mut trial = Trial::new();
    let second = trial.world.add_node(LEAF, "2", None);
    trial.publish(1, 3);
    trial.put("c1");
    assert!(matches!(trial.adopt(second), Answer::Done));
    assert_eq!(trial.told(), (1, 0, Some(1)));
    assert!(entered(&trial.world, second).is_empty(), "it keeps no ledger");
    assert_eq!(entered(&trial.world, trial.leaf).len(), 1);
    // One that joins later, or was away, hears of it too.
    trial.world.set_down(second, true);
    trial.publish(2, 2);
    assert!(matches!(trial.adopt(trial.leaf), Answer::Done));
    trial.world.set_down(second, false);
    trial.world.pass(2_000);
    let third = trial.world.add_node(LEAF, "3", None);
    trial.world.pass(2_000);
    for node in [second, third] {
        let (proposals, acts) = trial.proposals(node);
        assert!(matches!(proposals[0].consent, Consent::Act(_)), "{proposals:?}");
        assert_eq!(acts.len(), 2);
    }
}

#[test]
fn only_who_may_adopts() {
    let mut trial = Trial::new();
    trial.publish(1, 3);
    let (proposals, _) = trial.proposals(trial.leaf);
    for role in [Role::Viewer, Role::Writer, Role::Auditor] {
        for what in [adopting(&proposals[0]), Adopt::LegalBasis(BASIS.to_owned())] {
            let answer =
                trial.world.ask(trial.leaf, person(role), Question::Adopt(what, Adopter::Alone));
            assert!(matches!(answer, Answer::Declined(_)), "{role:?}: {answer:?}");
        }
    }
    let unknown =
        Adopt::Indicator { indicator: IndicatorId::new("none").unwrap(), definition: Digest::ZERO };
    let answer = trial.world.ask(trial.leaf, operator(), Question::Adopt(unknown, Adopter::Alone));
    assert!(matches!(answer, Answer::Failed(Failure::UnknownIndicator(_))), "{answer:?}");
    assert!(trial.proposals(trial.leaf).1.is_empty());
}

#[test]
fn a_region_that_has_not_adopted_passes_nothing_on() {
    let mut trial = Trial::new();
    trial.world.accepted.insert(unit(LEAF), Accepted::Everything);
    trial.world.accepted.insert(unit("it/03"), Accepted::Nothing);
    trial.world.restart(LEAF, "1", Some(1));
    let region = trial.world.restart("it/03", "1", Some(1));
    trial.publish(1, 3);
    trial.put("c1");
    assert_eq!(trial.told(), (0, 1, None));
    let held = trial.world.figure(region, DAY).unwrap();
    assert_eq!((held.adopted, held.total.unwrap().value.lo()), (false, 1), "it holds the figure");
    assert!(matches!(trial.adopt(region), Answer::Done));
    assert_eq!(trial.told(), (1, 0, Some(1)));
}

/// The day on which the world begins.
const TODAY: &str = "2026-03-02";

#[test]
fn a_consent_is_withdrawn_and_what_was_released_stands() {
    let mut trial = Trial::new();
    trial.publish(1, 3);
    assert!(matches!(trial.adopt(trial.leaf), Answer::Done));
    trial.put("c1");
    trial.world.put_case(trial.leaf, "t1", TODAY, "f");
    trial.world.pass(1_000);
    assert_eq!(trial.told(), (1, 0, Some(1)));
    assert_eq!(trial.told_of(TODAY), (1, 0, Some(1)));

    trial.withdraw();
    let (proposals, acts) = trial.proposals(trial.leaf);
    assert!(matches!(proposals[0].consent, Consent::Withdrawn(_)), "{proposals:?}");
    let entry = acts[1].entry;
    let rows = entered(&trial.world, trial.leaf);
    assert_eq!(rows.last().map(|row| row.entry), Some(entry), "the act is in the ledger");
    assert_eq!(trial.told(), (1, 0, Some(1)), "the day had ended");
    assert_eq!(trial.told_of(TODAY), (0, 1, None), "of what runs a notice says so");
    // Nothing more is said, neither of what stands nor of what is new.
    trial.put("c2");
    trial.world.put_case(trial.leaf, "t2", TODAY, "m");
    trial.world.put_case(trial.leaf, "b1", "2026-02-28", "m");
    trial.world.pass(2_000);
    assert_eq!(trial.told(), (1, 0, Some(1)));
    assert_eq!(trial.told_of(TODAY), (0, 1, None));
    assert_eq!(trial.told_of("2026-02-28"), (0, 1, None));
    ledger_is_whole(&trial.world, trial.leaf);
    // Said twice is said once, and a restart remembers it.
    trial.withdraw();
    assert_eq!(trial.proposals(trial.leaf).1.len(), 2);
    trial.world.restart(LEAF, "1", Some(1));
    trial.world.pass(2_000);
    assert_eq!((trial.told(), trial.told_of(TODAY)), ((1, 0, Some(1)), (0, 1, None)));
    // Another definition is not adopted either: the consent to the indicator is gone.
    trial.publish(2, 2);
    assert_eq!(trial.told(), (0, 1, None), "what was told has another definition");

    assert!(matches!(trial.adopt(trial.leaf), Answer::Done));
    assert_eq!(trial.told(), (1, 0, Some(2)), "adopted again, all is told");
    assert_eq!(trial.told_of(TODAY), (1, 0, Some(2)));
    let (proposals, acts) = trial.proposals(trial.leaf);
    assert!(matches!(proposals[0].consent, Consent::Act(_)));
    assert_eq!(acts.len(), 3);
}

#[test]
fn a_withdrawal_binds_against_settings_and_legal_bases() {
    let mut trial = Trial::new();
    trial.world.accepted.insert(unit(LEAF), Accepted::Everything);
    trial.world.restart(LEAF, "1", Some(1));
    trial.publish(1, 3);
    trial.world.put_case(trial.leaf, "t1", TODAY, "f");
    trial.world.pass(1_000);
    assert_eq!(trial.told_of(TODAY), (1, 0, Some(1)));
    trial.withdraw();
    assert_eq!(trial.told_of(TODAY), (0, 1, None), "whatever the settings accept");
    assert!(matches!(trial.ask(Adopt::LegalBasis(BASIS.to_owned())), Answer::Done));
    assert_eq!(trial.told_of(TODAY), (1, 0, Some(1)), "a later act adopts again");
    let not = Adopt::WithdrawLegalBasis(BASIS.to_owned());
    assert!(matches!(trial.ask(not), Answer::Done));
    assert_eq!(trial.told_of(TODAY), (0, 1, None));
    let unknown = trial.ask(Adopt::Withdraw(IndicatorId::new("none").unwrap()));
    assert!(matches!(unknown, Answer::Failed(Failure::UnknownIndicator(_))), "{unknown:?}");
    let viewer = Question::Adopt(Adopt::Withdraw("cases".parse().unwrap()), Adopter::Alone);
    let answer = trial.world.ask(trial.leaf, person(Role::Viewer), viewer);
    assert!(matches!(answer, Answer::Declined(_)), "{answer:?}");
}

#[test]
fn a_withdrawal_at_any_node_holds_for_the_home_and_comes_after_what_it_has_seen() {
    let mut trial = Trial::new();
    let second = trial.world.add_node(LEAF, "2", None);
    trial.publish(1, 3);
    trial.world.put_case(trial.leaf, "t1", TODAY, "f");
    assert!(matches!(trial.adopt(trial.leaf), Answer::Done));
    assert_eq!(trial.told_of(TODAY), (1, 0, Some(1)));
    let what = Adopt::Withdraw(IndicatorId::new("cases").unwrap());
    let answer = trial.world.ask(second, operator(), Question::Adopt(what, Adopter::Alone));
    assert!(matches!(answer, Answer::Done));
    trial.world.pass(2_000);
    assert_eq!(trial.told_of(TODAY), (0, 1, None));
    for node in [trial.leaf, second] {
        let (proposals, acts) = trial.proposals(node);
        assert!(matches!(proposals[0].consent, Consent::Withdrawn(_)), "{proposals:?}");
        assert!(acts[0].adoption.at < acts[1].adoption.at);
    }
    assert!(entered(&trial.world, second).is_empty(), "it keeps no ledger");
}
