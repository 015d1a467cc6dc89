//! Bulletins: chosen figures are frozen as they stand, and what comes later does not change them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod world;

use reeve_policy::authz::Role;
use reeve_protocol::NodeKey;
use reeve_protocol::bulletin::{BulletinFault, BulletinRow, BulletinView, Choice};
use reeve_protocol::consent::Adopter;
use reeve_protocol::local::{Answer, Failure, Question};
use reeve_protocol::rows::{self, SentRow};
use reeve_statement::bulletin::BulletinError;
use reeve_statement::catalogue::RecipientClass;
use reeve_statement::cbor::from_slice;
use reeve_statement::cose::{Signed, Verifier};
use reeve_statement::names::IndicatorId;
use reeve_statement::notice::NoticeCode;
use reeve_statement::statement::{Body, Statement};
use world::{CATALOGUE, World, operator, person};

const DAY: &str = "2026-03-01";
const NEXT: &str = "2026-03-02";
const LEAF: &str = "it/03/016";

struct Trial {
    world: World,
    top: NodeKey,
    leaf: NodeKey,
}

impl Trial {
    fn new() -> Self {
        let mut world = World::new();
        let top = world.add("it");
        world.add("it/03");
        let leaf = world.add(LEAF);
        world.publish_catalogue(top, "it", CATALOGUE);
        let mut trial = Self { world, top, leaf };
        trial.put("c1", DAY);
        trial
    }

    fn put(&mut self, id: &str, day: &str) {
        self.world.put_case(self.leaf, id, day, "f");
        self.world.pass(2_000);
    }

    fn ask(&mut self, at: NodeKey, choice: Choice) -> Answer {
        let what = Question::PublishBulletin(choice, Adopter::Alone);
        self.world.ask(at, operator(), what)
    }

    fn publish(&mut self, at: NodeKey, title: &str, days: &[&str]) -> BulletinView {
        match self.ask(at, choice(title, days)) {
            Answer::Bulletin(Some(view)) => *view,
            other => panic!("{other:?}"),
        }
    }

    fn list(&mut self, at: NodeKey, before: Option<(u64, u64)>, limit: usize) -> Vec<BulletinRow> {
        match self.world.ask(at, operator(), Question::Bulletins { before, limit }) {
            Answer::Bulletins(rows) => rows,
            other => panic!("{other:?}"),
        }
    }

    fn show(&mut self, row: &BulletinRow) -> BulletinView {
        match self.world.ask(self.top, operator(), Question::Bulletin(row.statement)) {
            Answer::Bulletin(Some(view)) => *view,
            other => panic!("{other:?}"),
        }
    }

    /// The statement as an auditor has it.
    fn statement(&self, row: &BulletinRow) -> Statement {
        let bytes = &self.world.sites[&self.top].rows[&rows::statement(&row.statement)];
        let verifier = Verifier::new(self.world.registry.roots.clone(), Default::default());
        let at = self.world.time().wall;
        Signed::decode(bytes).unwrap().verify(&verifier, at).unwrap().into_statement()
    }

    fn fault(&mut self, at: NodeKey, choice: Choice) -> BulletinFault {
        match self.ask(at, choice) {
            Answer::Failed(Failure::Bulletin(fault)) => *fault,
            other => panic!("{other:?}"),
        }
    }
}

fn choice(title: &str, days: &[&str]) -> Choice {
    let figure = |day: &&str| (IndicatorId::new("cases").unwrap(), day.parse().unwrap());
    Choice {
        title: title.to_owned(),
        class: RecipientClass::Superior,
        figures: days.iter().map(figure).collect(),
    }
}

fn total(view: &BulletinView, place: usize) -> Option<i64> {
    Some(view.row.told[place].told.as_ref()?.value?.lo())
}

#[test]
fn what_is_frozen_stays_whatever_comes_later() {
    let mut trial = Trial::new();
    trial.put("c2", NEXT);
    let top = trial.top;
    let view = trial.publish(top, "Noon", &[NEXT, DAY]);
    let row = view.row.clone();
    assert_eq!((total(&view, 0), total(&view, 1)), (Some(1), Some(1)));
    assert_eq!((row.by.as_str(), row.term, row.bulletin.title()), ("test", 1, "Noon"));
    assert!(view.now.iter().all(|now| now.as_ref().is_some_and(|now| !now.revised)));

    // It is a statement of the unit, behind all that it names in the ledger.
    let statement = trial.statement(&row);
    assert_eq!(
        (&statement.body, statement.issued_at),
        (&Body::Bulletin(row.bulletin.clone()), row.issued_at)
    );
    let sent: Vec<SentRow> = trial.world.sites[&top]
        .rows
        .iter()
        .filter(|(key, _)| key.starts_with(rows::SENT))
        .map(|(_, value)| from_slice("sent", value, value.len()).unwrap())
        .collect();
    let own = sent.iter().find(|sent| sent.statement == row.statement).unwrap();
    assert_eq!((own.kind.as_str(), own.index), ("bulletin", row.index));
    for frozen in row.bulletin.figures() {
        let named = sent.iter().find(|sent| sent.statement == frozen.statement).unwrap();
        assert_eq!((named.figure.as_ref(), named.edition), (Some(&frozen.figure), frozen.edition));
        assert!(named.index < row.index, "{frozen:?}");
    }

    // One of the figures is revised; the bulletin stays, and says so.
    trial.put("c3", DAY);
    let view = trial.show(&row);
    assert_eq!(view.row, row);
    let now: Vec<_> = view.now.iter().map(|now| now.as_ref().unwrap()).collect();
    assert_eq!((now[0].revised, now[1].revised), (true, false));
    assert!(now[0].edition > row.bulletin.figures()[0].edition);
    assert_eq!(now[0].told.as_ref().unwrap().value.unwrap().lo(), 2);
    assert_eq!(total(&view, 0), Some(1));

    // The next one freezes what stands then; the list has the newest first, by pages.
    let second = trial.publish(top, "Evening", &[DAY]).row;
    let all = trial.list(top, None, 10);
    assert_eq!(all, [second.clone(), row.clone()]);
    assert_eq!(trial.list(top, None, 1), std::slice::from_ref(&second));
    let place = (second.term, second.index);
    assert_eq!(trial.list(top, Some(place), 10), std::slice::from_ref(&row));
    assert_eq!(trial.list(top, Some((row.term, row.index)), 10), []);

    // After a start it is all there.
    trial.world.restart("it", "1", Some(1));
    assert_eq!(trial.list(top, None, 10), all);
    assert_eq!(trial.show(&row).row, row);
}

#[test]
fn nothing_is_frozen_that_nobody_was_told() {
    let mut trial = Trial::new();
    let (top, leaf) = (trial.top, trial.leaf);
    let before = trial.list(top, None, 10);
    assert_eq!(before, []);
    let never = trial.fault(top, choice("Noon", &[DAY, "2026-02-01"]));
    assert!(
        matches!(&never, BulletinFault::NeverTold(figure) if figure.to_string().contains("2026-02-01"))
    );
    assert!(never.to_string().contains("no edition of cases 2026-02-01 for superior"), "{never}");
    let other = Choice { class: RecipientClass::Public, ..choice("Noon", &[DAY]) };
    assert!(matches!(trial.fault(top, other), BulletinFault::NeverTold(_)));
    let unknown = IndicatorId::new("none").unwrap();
    let unknown = Choice { figures: vec![(unknown, DAY.parse().unwrap())], ..choice("Noon", &[]) };
    assert!(matches!(trial.ask(top, unknown), Answer::Failed(Failure::UnknownIndicator(_))));
    let twice = trial.fault(top, choice("Noon", &[DAY, DAY]));
    assert!(matches!(twice, BulletinFault::Form(BulletinError::Order(_))), "{twice:?}");
    let empty = trial.fault(top, choice("Noon", &[]));
    assert!(matches!(empty, BulletinFault::Form(BulletinError::Many(0))), "{empty:?}");
    let untitled = trial.fault(top, choice(" ", &[DAY]));
    assert!(matches!(untitled, BulletinFault::Form(BulletinError::Title(1))), "{untitled:?}");
    let many = trial.fault(top, choice("Noon", &[DAY; 257]));
    assert!(matches!(many, BulletinFault::Form(BulletinError::Many(257))), "{many:?}");

    // What is withheld is not frozen: the leaf's home declines from now on.
    let strict = world::quick_policy().replace(r#"Relation::"superior""#, r#"Relation::"above""#);
    let strict = reeve_policy::authz::PolicySet::parse(&strict, "policy.cedar").unwrap();
    let set = Question::SetPolicy(Box::new(strict), Adopter::Alone);
    assert!(matches!(trial.world.ask(leaf, operator(), set), Answer::Done));
    trial.world.pass(2_000);
    let withheld = trial.fault(leaf, choice("Noon", &[DAY]));
    assert!(matches!(withheld, BulletinFault::Withheld { .. }), "{withheld:?}");
    assert!(withheld.to_string().contains("declined"), "{withheld}");

    // Nobody but the operator, and nobody on a node that does not report.
    for role in [Role::Viewer, Role::Writer, Role::Auditor] {
        let what = Question::PublishBulletin(choice("Noon", &[DAY]), Adopter::Alone);
        let answer = trial.world.ask(top, person(role), what);
        assert!(matches!(answer, Answer::Declined(_)), "{role:?}: {answer:?}");
    }
    let second = trial.world.add_node("it", "2", None);
    trial.world.pass(2_000);
    assert_eq!(trial.fault(second, choice("Noon", &[DAY])), BulletinFault::NotReporting);

    // The first of two is told whether it could be done; nothing is done.
    let first = Question::PublishBulletin(choice("Noon", &[DAY]), Adopter::FirstOfTwo);
    assert!(matches!(trial.world.ask(top, operator(), first), Answer::Done));
    assert_eq!(trial.list(top, None, 10), []);
    let second = Adopter::SecondAfter("anna".to_owned());
    let second = Question::PublishBulletin(choice("Noon", &[DAY]), second);
    let answer = trial.world.ask(top, operator(), second);
    assert!(matches!(answer, Answer::Bulletin(Some(view)) if view.row.by == "anna, test"));

    // A disk without room takes none.
    trial.world.space(top, true);
    assert!(matches!(trial.ask(top, choice("Noon", &[DAY])), Answer::Failed(Failure::NoSpace)));
}

#[test]
fn a_store_that_was_lost_freezes_what_its_new_term_signed_and_nothing_else() {
    let mut trial = Trial::new();
    trial.put("c2", NEXT);
    let before = trial.publish(trial.leaf, "Before", &[DAY]).row;
    trial.world.kill(trial.leaf);
    let mut settings = trial.world.settings(&world::unit(LEAF), "1", Some(1));
    trial.leaf = trial.world.start(settings, Default::default());
    trial.put("c3", DAY);
    let leaf = trial.leaf;
    assert_eq!(trial.fault(leaf, choice("Noon", &[DAY])), BulletinFault::NotReporting);
    assert_eq!(trial.list(leaf, None, 10), [], "bulletins are where they were published");

    trial.world.kill(leaf);
    settings = trial.world.settings(&world::unit(LEAF), "1", Some(2));
    trial.leaf = trial.world.start(settings, Default::default());
    trial.put("c4", DAY);
    let row = trial.publish(leaf, "Noon", &[DAY]).row;
    let [was, is] = [&before, &row].map(|row| &row.bulletin.figures()[0]);
    assert_eq!((row.term, is.edition > was.edition), (2, true), "{is:?} after {was:?}");
    // Of this day nobody has records any more, and the new term says so.
    let other = trial.fault(leaf, choice("Noon", &[NEXT]));
    assert!(
        matches!(other, BulletinFault::Withheld { code: NoticeCode::NoReport, .. }),
        "{other:?}"
    );
}
