//! The register: units are merged, split, renamed, moved and ended, in the middle of a week too, and every
//! record is counted once.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod world;

use jiff::civil::Date;
use reeve_protocol::NodeKey;
use reeve_protocol::local::{Answer, Failure, FigureView, Question};
use reeve_protocol::register::{RegisterAct, RegisterFault};
use reeve_protocol::wire::{Blob, Downward, ReportAnswer, decode};
use reeve_statement::catalogue::Titles;
use reeve_statement::cbor::to_vec;
use reeve_statement::completeness::UnitState;
use reeve_statement::digest::Digest;
use reeve_statement::names::IndicatorId;
use reeve_statement::register::RegisterEntry;
use world::hostile::Hostile;
use world::{CATALOGUE, World, operator, subordinate, unit};

/// By day and by week; the week of all days here ends with 1 March.
const BY_WEEK: &str = r#"
[indicator.cases_by_week]
title = { en = "Cases by week" }
kind = "case"
period = { field = "reported_on", step = "week" }
measure = "count"
area_depth = 3
basis = "residence"
"#;

const MONDAY: &str = "2026-02-23";
const TUESDAY: &str = "2026-02-24";
const WEDNESDAY: &str = "2026-02-25";
const FRIDAY: &str = "2026-02-27";
const WEEK: &str = "2026-W09";

struct Districts {
    world: World,
    nation: NodeKey,
    regions: [NodeKey; 2],
    a: NodeKey,
    b: NodeKey,
}

/// A nation, two regions, districts a and b of the first. Each has one case on Monday, b one on Tuesday.
fn districts() -> Districts {
    let mut world = World::new();
    let nation = world.add("it");
    world.publish_catalogue(nation, "it", &format!("{CATALOGUE}{BY_WEEK}"));
    let regions = [world.add("it/03"), world.add("it/05")];
    let (a, b) = (world.add("it/03/a"), world.add("it/03/b"));
    world.put_case(a, "a1", MONDAY, "f");
    world.put_case(b, "b1", MONDAY, "f");
    world.put_case(b, "b2", TUESDAY, "m");
    world.pass(2_000);
    Districts { world, nation, regions, a, b }
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

impl Districts {
    fn act(&mut self, at: NodeKey, act: RegisterAct) -> Answer {
        let answer = self.world.ask(at, operator(), Question::ChangeRegister(act));
        self.world.pass(2_000);
        answer
    }

    fn acts(&mut self, at: NodeKey, act: RegisterAct) -> Digest {
        match self.act(at, act) {
            Answer::Registered(statement) => statement,
            other => panic!("{other:?}"),
        }
    }

    fn look(&mut self, at: NodeKey, period: &str) -> Option<FigureView> {
        let indicator = if period.contains('W') { "cases_by_week" } else { "cases" };
        let indicator = IndicatorId::new(indicator).unwrap();
        let question = Question::Figure { indicator, period: period.parse().unwrap(), area: None };
        match self.world.ask(at, operator(), question) {
            Answer::Figure(view) => view.map(|view| *view),
            other => panic!("{other:?}"),
        }
    }

    /// The nation's total of a period, how many units it includes of how many, and how many left.
    fn told(&mut self, period: &str) -> (i64, u64, u64, u64) {
        let view = self.look(self.nation, period).unwrap();
        let total = view.total.map_or(0, |cell| cell.value.lo());
        let counts = &view.counts;
        (total, counts.included(), counts.total(), counts.of(UnitState::Left))
    }

    fn register(&mut self, at: NodeKey) -> Vec<RegisterEntry> {
        match self.world.ask(at, operator(), Question::Register) {
            Answer::Register(entries) => entries,
            other => panic!("{other:?}"),
        }
    }
}

fn merge(units: &[&str], into: &str) -> RegisterAct {
    RegisterAct::Merge {
        units: units.iter().map(|unit| subordinate(unit)).collect(),
        into: subordinate(into),
        names: Titles(vec![("en".to_owned(), "Both".to_owned())]),
        from: day(WEDNESDAY),
    }
}

#[test]
fn districts_that_merge_in_the_middle_of_a_week_are_counted_once() {
    let mut it = districts();
    assert_eq!(it.told(WEEK), (3, 2, 3, 0), "the other region has no districts and awaits nobody");
    it.acts(it.regions[0], merge(&["a", "b"], "c"));
    let c = it.world.add("it/03/c");
    for n in 0..4 {
        it.world.put_case(c, &format!("c{n}"), FRIDAY, "f");
    }
    it.world.pass(2_000);
    assert_eq!(it.told(MONDAY), (2, 2, 3, 0), "history stays with those it is of");
    assert_eq!(it.told(FRIDAY), (4, 1, 2, 2), "the two left, and are named");
    assert_eq!(it.told(WEEK), (7, 3, 4, 0), "the week has a part of each");
    let view = it.look(it.nation, FRIDAY).unwrap();
    let left = view.exceptions.iter().filter(|it| it.state == UnitState::Left);
    let left: Vec<String> = left.map(|it| format!("{}/{}", it.units[0], it.units[1])).collect();
    assert_eq!(left, ["03/a", "03/b"], "seen two levels up");

    // Late: a case of Monday is found in the old district's records, and corrected there.
    it.world.put_case(it.a, "a2", MONDAY, "m");
    // A mistake: the old district is not expected any more, and is not asked.
    it.world.put_case(it.b, "b9", FRIDAY, "m");
    it.world.pass(2_000);
    assert_eq!(it.told(MONDAY).0, 3);
    assert_eq!(it.told(FRIDAY), (4, 1, 2, 2));
    // The new district is not asked for days on which it was not there.
    it.world.put_case(c, "c9", TUESDAY, "m");
    it.world.pass(2_000);
    assert_eq!(it.told(TUESDAY).0, 1);
}

#[test]
fn a_district_that_takes_in_another_goes_on_under_its_id() {
    let mut it = districts();
    it.acts(it.regions[0], merge(&["a", "b"], "a"));
    it.world.put_case(it.a, "a2", FRIDAY, "f");
    it.world.pass(2_000);
    assert_eq!(it.told(FRIDAY), (1, 1, 2, 1));
    assert_eq!(it.told(WEEK), (4, 2, 3, 0));
    let entries = it.register(it.regions[0]);
    assert_eq!(entries.len(), 3, "a before, a after, b");
    assert_eq!(entries[1].predecessors, [subordinate("b")]);
    assert_eq!(entries[1].names.text("en"), Some("Both"));
    assert_eq!(entries[0].names.text("en"), None, "it was called otherwise before");
}

#[test]
fn a_district_that_splits_in_the_middle_of_a_week_is_counted_once() {
    let mut it = districts();
    let into = ["d", "e"].map(|unit| (subordinate(unit), Titles::default())).to_vec();
    let split =
        RegisterAct::Split { unit: subordinate("b"), into, stays: false, from: day(WEDNESDAY) };
    it.acts(it.regions[0], split.clone());
    let (d, e) = (it.world.add("it/03/d"), it.world.add("it/03/e"));
    it.world.put_case(d, "d1", FRIDAY, "f");
    it.world.put_case(e, "e1", FRIDAY, "f");
    it.world.pass(2_000);
    assert_eq!(it.told(TUESDAY), (1, 1, 3, 0), "a and the other region say nothing of Tuesday");
    assert_eq!(it.told(FRIDAY), (2, 2, 4, 1));
    assert_eq!(it.told(WEEK), (5, 4, 5, 0));
    match it.act(it.regions[0], split) {
        Answer::Failed(Failure::Register(RegisterFault::Ended { until, .. })) => {
            assert_eq!(until, day(WEDNESDAY));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_district_that_ends_is_missed_and_can_be_had_back() {
    let mut it = districts();
    let b = subordinate("b");
    it.acts(it.regions[0], RegisterAct::End { unit: b.clone(), from: day(TUESDAY) });
    assert_eq!(it.told(TUESDAY), (0, 0, 2, 1), "a register that shrinks is seen");
    let view = it.look(it.nation, TUESDAY).unwrap();
    assert!(!view.counts.is_complete());
    it.acts(it.regions[0], RegisterAct::Reopen { unit: b.clone() });
    assert_eq!(it.told(TUESDAY), (1, 1, 3, 0));
    let again = it.act(it.regions[0], RegisterAct::Reopen { unit: b });
    assert!(matches!(again, Answer::Failed(Failure::Register(RegisterFault::Open(_)))));
}

#[test]
fn a_region_that_all_have_left_says_so_and_is_not_silent() {
    let mut it = districts();
    assert_eq!(it.told(TUESDAY), (1, 1, 3, 0));
    for unit in ["a", "b"] {
        let unit = subordinate(unit);
        it.acts(it.regions[0], RegisterAct::End { unit, from: day(TUESDAY) });
    }
    let own = it.look(it.regions[0], TUESDAY).unwrap();
    assert_eq!((own.counts.total(), own.counts.of(UnitState::Left)), (0, 2), "nobody is expected");
    assert_eq!(own.total, None, "which is no zero");
    assert_eq!(it.told(TUESDAY), (0, 0, 1, 2), "the other region alone is waited for");
    assert_eq!(it.told(MONDAY).0, 2, "history stays");
    let view = it.look(it.nation, TUESDAY).unwrap();
    assert_eq!(view.counts.of(UnitState::NoReport), 0, "{:?}", view.counts);
    // It keeps records of its own from some day on: of these it has to speak.
    it.world.put_case(it.regions[0], "own", FRIDAY, "f");
    it.world.period_closed(it.regions[0], FRIDAY);
    it.world.pass(2_000);
    assert_eq!(it.told(FRIDAY), (1, 1, 2, 2));
}

#[test]
fn a_unit_that_stands_elsewhere_joins_only_once_it_was_taken() {
    let mut it = districts();
    let may = |it: &mut Districts, from: &str| {
        let what = Question::MayJoin { unit: subordinate("a"), from: unit(from) };
        it.world.ask(it.regions[1], operator(), what)
    };
    match may(&mut it, "it/03/a") {
        Answer::Failed(Failure::Register(RegisterFault::NotReceived { above, .. })) => {
            assert_eq!(above, unit("it/03"));
        }
        other => panic!("{other:?}"),
    }
    let (_, statement) = let_go(&mut it);
    assert!(matches!(may(&mut it, "it/03/a"), Answer::Failed(_)), "let go, and not taken");
    receive(&mut it, statement);
    assert!(matches!(may(&mut it, "it/03/a"), Answer::Done));
    assert!(matches!(may(&mut it, "it/07/a"), Answer::Failed(_)), "from there and nowhere else");
    // The region itself moved, and what stands below it with it.
    assert!(matches!(may(&mut it, "fr/05/a"), Answer::Done));
}

#[test]
fn a_new_name_holds_from_its_day_on() {
    let mut it = districts();
    let named = |name: &str, from: Option<&str>| RegisterAct::Rename {
        unit: subordinate("a"),
        names: vec![("en".to_owned(), name.to_owned())],
        from: from.map(day),
    };
    it.acts(it.regions[0], named("Old", None));
    it.acts(it.regions[0], named("New", Some(WEDNESDAY)));
    let names: Vec<_> = it
        .register(it.regions[0])
        .iter()
        .filter(|entry| entry.unit.as_str() == "a")
        .map(|entry| (entry.names.text("en").map(str::to_owned), entry.valid_to.is_some()))
        .collect();
    assert_eq!(names, [(Some("Old".to_owned()), true), (Some("New".to_owned()), false)]);
    assert_eq!(it.told(WEEK), (3, 2, 3, 0), "it is one unit, and expected once");
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let mut it = districts();
    let before = it.register(it.regions[0]);
    let end =
        |unit: &str, from: &str| RegisterAct::End { unit: subordinate(unit), from: day(from) };
    let refused = |answer: Answer| match answer {
        Answer::Failed(failure) => failure.to_string(),
        other => panic!("{other:?}"),
    };
    for (act, says) in [
        (end("x", MONDAY), "no unit x"),
        (merge(&["a"], "a"), "1 to 64 units"),
        (merge(&["a", "b"], "03"), "never given to another"),
        (
            RegisterAct::Move { unit: subordinate("a"), to: unit("it/03"), from: day(MONDAY) },
            "another superior",
        ),
    ] {
        let answer = it.act(it.regions[0], act);
        assert!(refused(answer).contains(says), "{says}");
    }
    assert_eq!(it.register(it.regions[0]), before);
    it.acts(it.regions[0], merge(&["a", "b"], "c"));
    let answer = it.act(it.regions[0], end("c", MONDAY));
    assert!(refused(answer).contains("expected a later day"));
}

/// District a goes from the first region to the second on Wednesday; the word of the first.
fn let_go(it: &mut Districts) -> (Digest, Vec<u8>) {
    let to = unit("it/05");
    let act = RegisterAct::Move { unit: subordinate("a"), to, from: day(WEDNESDAY) };
    let digest = it.acts(it.regions[0], act);
    let what = Question::Statement(digest);
    match it.world.ask(it.regions[0], operator(), what) {
        Answer::Statement(Some(bytes)) => (digest, bytes),
        other => panic!("{other:?}"),
    }
}

fn receive(it: &mut Districts, statement: Vec<u8>) -> Answer {
    let at = it.regions[1];
    let what = Question::ReceiveUnit { unit: subordinate("a"), statement };
    let answer = it.world.ask(at, operator(), what);
    it.world.pass(2_000);
    answer
}

#[test]
fn a_district_that_moves_in_the_middle_of_a_week_is_expected_by_one_and_counted_once() {
    let mut it = districts();
    it.world.put_case(it.a, "a2", FRIDAY, "f");
    it.world.pass(2_000);
    assert_eq!(it.told(WEEK).0, 4);
    let (digest, statement) = let_go(&mut it);
    // Nobody has it yet: that is seen, and nothing is counted twice.
    assert_eq!(it.told(FRIDAY), (0, 0, 2, 1));
    assert_eq!(it.told(WEEK), (2, 1, 2, 1));
    assert_eq!(let_go(&mut it).0, digest, "who lost the paper asks again");

    let answer = receive(&mut it, statement.clone());
    assert!(matches!(answer, Answer::Registered(_)), "{answer:?}");
    receive(&mut it, statement);
    let taken = it.register(it.regions[1]);
    assert_eq!(taken.len(), 1, "taken once");
    assert_eq!(taken[0].valid_from.map(|it| it.0), Some(day(WEDNESDAY)));
    assert_eq!(taken[0].came_from, Some(unit("it/03")));
    assert_eq!(it.told(FRIDAY), (0, 0, 2, 1), "expected there, and not there yet");

    // Until it joins there, the time before is corrected by way of the old superior.
    it.world.put_case(it.a, "a3", MONDAY, "m");
    it.world.pass(2_000);
    assert_eq!(it.told(MONDAY).0, 3);

    let a = it.world.move_node("it/03/a", "it/05/a", 2);
    assert_eq!(it.told(MONDAY), (3, 2, 3, 0), "history stays where it was told");
    assert_eq!(it.told(FRIDAY), (1, 1, 2, 1), "from its day on it is counted there");
    assert_eq!(it.told(WEEK), (5, 2, 2, 1), "and the week of the move, as a whole");
    it.world.put_case(a, "a4", FRIDAY, "m");
    it.world.pass(2_000);
    assert_eq!(it.told(FRIDAY).0, 2);
    for period in [MONDAY, FRIDAY, WEEK] {
        let by = it.regions.map(|region| {
            let view = it.look(region, period);
            let direct = view.map_or(0, |view| view.counts.included());
            // District b tells of Monday, and of the week.
            direct.saturating_sub(u64::from(region == it.regions[0] && period != FRIDAY))
        });
        assert_eq!(by.iter().sum::<u64>(), 1, "{period}: {by:?}");
    }
    // What it wrote before it moved is its own as before.
    assert_eq!(it.world.day_of(a, "a1").as_deref(), Some(MONDAY));
    // A case of before the move comes to light only now: what was told stands.
    it.world.put_case(a, "a5", MONDAY, "f");
    it.world.pass(2_000);
    assert_eq!(it.told(MONDAY).0, 3);
    let status = match it.world.ask(a, operator(), Question::Status) {
        Answer::Status(status) => status,
        other => panic!("{other:?}"),
    };
    assert_eq!((status.unsent, status.unit), (0, unit("it/05/a")));
}

#[test]
fn the_word_is_given_again_under_the_certificate_of_today() {
    let mut it = districts();
    let (first, _) = let_go(&mut it);
    let before = it.register(it.regions[0]);
    let chain = it.world.registry.node(&unit("it/03"), "1", Some(2));
    let renew = Question::Renew(chain.to_cbor());
    assert!(matches!(it.world.ask(it.regions[0], operator(), renew), Answer::Done));
    it.world.pass(2_000);
    let (again, statement) = let_go(&mut it);
    assert_ne!(again, first, "the first paper is signed under a certificate that has had its day");
    assert_eq!(it.register(it.regions[0]), before, "and nothing else has changed");
    it.regions[0] = it.world.restart("it/03", "1", Some(2));
    it.world.pass(2_000);
    assert_eq!(let_go(&mut it).0, again, "once is enough");
    let answer = receive(&mut it, statement);
    assert!(matches!(answer, Answer::Registered(_)), "{answer:?}");
}

#[test]
fn a_subordinate_is_asked_again_when_it_has_answered() {
    let mut it = districts();
    let host = it.regions[0];
    let peer = Hostile::admit(&mut it.world, host, "it/03/x", 1);
    peer.connect(&mut it.world, host);
    peer.hello(&mut it.world, host);
    it.world.pass(1_000);
    let asked = |world: &World| -> Vec<(usize, Vec<u8>)> {
        let caught = world.caught.iter().enumerate().filter(|(_, it)| it.to == peer.key());
        let asks = caught.filter_map(|(at, it)| match decode(&it.bytes) {
            Ok(Downward::Ask(Blob(bytes))) => Some((at, bytes)),
            _ => None,
        });
        asks.collect()
    };
    let first = asked(&it.world);
    assert_eq!(first.len(), 1);
    // It is to be asked for less, and for something else again, before it has said a word.
    for from in [FRIDAY, WEDNESDAY] {
        it.acts(host, RegisterAct::End { unit: subordinate("x"), from: day(from) });
        it.acts(host, RegisterAct::Reopen { unit: subordinate("x") });
    }
    it.acts(host, RegisterAct::End { unit: subordinate("x"), from: day(FRIDAY) });
    assert_eq!(asked(&it.world), first, "of two requests the first could come last");
    for wanted in [2, 2] {
        let (at, _) = asked(&it.world).pop().unwrap();
        let caught = it.world.caught.swap_remove(at);
        it.world.answer(&caught, to_vec(&ReportAnswer::Accepted));
        it.world.caught.push(caught);
        it.world.pass(1_000);
        assert_eq!(asked(&it.world).len(), wanted);
    }
    let [(_, before), (_, after)] = asked(&it.world).try_into().unwrap();
    assert_ne!(before, after);
}

#[test]
fn a_unit_is_taken_only_on_the_word_of_the_superior_that_let_it_go() {
    let mut it = districts();
    let kept = it.acts(it.regions[0], merge(&["b"], "a"));
    let kept = match it.world.ask(it.regions[0], operator(), Question::Statement(kept)) {
        Answer::Statement(Some(bytes)) => bytes,
        other => panic!("{other:?}"),
    };
    for (bytes, says) in [(kept.clone(), "does not say so"), (vec![0xa0], "does not decode")] {
        match receive(&mut it, bytes) {
            Answer::Failed(failure) => {
                assert!(failure.to_string().contains(says), "{failure}");
            }
            other => panic!("{other:?}"),
        }
    }
    let mut altered = kept;
    let last = altered.len() - 1;
    altered[last] ^= 1;
    let answer = receive(&mut it, altered);
    assert!(matches!(answer, Answer::Failed(Failure::Refused(_))), "{answer:?}");
    assert!(it.register(it.regions[1]).is_empty());
}
