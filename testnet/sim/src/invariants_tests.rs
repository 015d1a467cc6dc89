//! Each invariant can fail: what it must find wrong, and what it must not.

use std::collections::BTreeMap;

use reeve_protocol::NodeKey;
use reeve_statement::bounds::{Bounds, Cell};
use reeve_statement::bulletin::{Bulletin, Frozen};
use reeve_statement::catalogue::RecipientClass;
use reeve_statement::completeness::UnitState;
use reeve_statement::digest::Digest;
use reeve_statement::names::IndicatorId;
use reeve_statement::register::{Day, Register, RegisterEntry};
use reeve_statement::statement::FigureId;
use reeve_statement::table::{Area, RowKey, Table, Unlisted};
use reeve_statement::unit::UnitPath;

use super::*;

fn unit() -> UnitPath {
    "top/u1".parse().unwrap()
}

fn figure() -> FigureId {
    FigureId {
        indicator: IndicatorId::new("cases").unwrap(),
        period: Some("2026-03-01".parse().unwrap()),
        class: RecipientClass::Superior,
    }
}

fn name(edition: u64) -> EditionName {
    (unit(), figure(), 1, edition)
}

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

#[test]
fn an_edition_that_is_told_twice_is_found() {
    let mut told = Told::default();
    let mut tell = |edition, text| {
        invariant_no_edition_is_told_twice(&mut told, name(edition), digest(text)).is_ok()
    };
    assert!(tell(1, "a") && tell(1, "a") && tell(2, "b"));
    assert!(!tell(1, "b"));
}

#[test]
fn an_edition_that_follows_another_one_is_found() {
    let mut told = Told::default();
    let _ = invariant_no_edition_is_told_twice(&mut told, name(1), digest("a"));
    let follows = |edition, previous| {
        invariant_an_edition_names_the_one_before(&told, &name(edition), previous).is_ok()
    };
    assert!(follows(1, None) && follows(2, Some(digest("a"))));
    assert!(follows(5, Some(digest("never told"))));
    assert!(!follows(2, Some(digest("b"))) && !follows(2, None));
}

#[test]
fn a_bulletin_of_another_edition_is_found() {
    let frozen = Frozen { figure: figure(), edition: 2, statement: digest("second") };
    let bulletin = Bulletin::new("Noon".to_owned(), vec![frozen]).unwrap();
    let found = |last| {
        let last = [last];
        invariant_a_bulletin_freezes_the_last_editions(&bulletin, &last, &unit())
    };
    assert!(found(Some((2, digest("second")))).is_ok());
    assert!(found(Some((3, digest("third")))).is_err());
    assert!(found(Some((2, digest("other")))).is_err());
    assert!(found(None).is_err());
}

#[test]
fn what_is_spoken_too_early_is_found() {
    assert!(invariant_commit_then_speak(true, &"it").is_ok());
    assert!(invariant_commit_then_speak(false, &"it").is_err());
}

#[test]
fn a_records_text_is_found_anywhere_in_a_frame() {
    let free = |frame: &[u8]| invariant_no_raw_field_crosses_a_border(frame).is_ok();
    assert!(free(b"") && free(b"cccc") && free(&CANARY.as_bytes()[1..]));
    assert!(!free(CANARY.as_bytes()));
    assert!(!free(format!("cc{CANARY} and more").as_bytes()));
}

#[test]
fn what_is_under_the_floor_is_found() {
    let table = |cell: Cell, each: Option<Cell>| {
        let key = RowKey { area: Area::own(), dims: vec!["north".to_owned()] };
        let mut table = Table::default();
        table.rows.insert(key, cell);
        if let Some(each) = each {
            table.unlisted.insert(Area::own(), Unlisted { rows: 1, each });
        }
        table
    };
    let free = |table: &Table| invariant_nothing_under_its_floor_is_told(table, 5).is_ok();
    let hidden = Bounds::between(0, 4).unwrap();
    let hidden = Cell { value: hidden, contributors: hidden };
    assert!(free(&table(Cell::exact(0, 0), None)) && free(&table(Cell::exact(5, 5), None)));
    assert!(free(&table(hidden, Some(hidden))));
    assert!(!free(&table(Cell::exact(4, 4), None)));
    assert!(!free(&table(Cell { contributors: Bounds::exact(1), ..hidden }, None)));
    assert!(!free(&table(hidden, Some(Cell::exact(1, 1)))));
}

#[test]
fn acceptances_that_may_not_be_are_found() {
    let mut told = Told::default();
    let _ = invariant_no_edition_is_told_twice(&mut told, name(1), digest("told"));
    assert!(invariant_nothing_forged_is_accepted(&told, digest("told")).is_ok());
    assert!(invariant_nothing_forged_is_accepted(&told, digest("forged")).is_err());
    let verifies = |a, b| invariant_what_is_accepted_verifies(a, b, digest("it")).is_ok();
    assert!(verifies(true, true) && !verifies(false, true) && !verifies(true, false));
    let other: UnitPath = "top/u2".parse().unwrap();
    assert!(invariant_nothing_is_accepted_from_out_of_area(&unit(), &unit()).is_ok());
    assert!(invariant_nothing_is_accepted_from_out_of_area(&unit(), &other).is_err());
    assert!(invariant_nothing_is_accepted_from_the_revoked(false, &unit()).is_ok());
    assert!(invariant_nothing_is_accepted_from_the_revoked(true, &unit()).is_err());
    assert!(invariant_nothing_is_accepted_from_the_expired(false, &unit()).is_ok());
    assert!(invariant_nothing_is_accepted_from_the_expired(true, &unit()).is_err());
}

#[test]
fn an_acceptance_that_goes_back_is_found() {
    let mut seen = Seen::default();
    let mut take = |term, edition, text| {
        let name = (NodeKey([1; 32]), unit(), figure());
        invariant_no_acceptance_goes_back(&mut seen, name, (term, edition, digest(text))).is_ok()
    };
    assert!(take(1, 1, "a") && take(1, 1, "a") && take(1, 3, "c"));
    assert!(!take(1, 2, "b"), "an older edition");
    assert!(!take(1, 3, "d"), "another statement as the same edition");
    assert!(take(2, 1, "e"), "a new term");
}

#[test]
fn ledgers_that_change_are_found() {
    let mut told = Told::default();
    let mut place =
        |index, text| invariant_a_ledger_only_grows(&mut told, "it/1", index, digest(text)).is_ok();
    assert!(place(0, "a") && place(1, "b") && place(0, "a"));
    assert!(!place(0, "b"));
    let mut seen = Seen::default();
    let mut head =
        |size, text| invariant_a_ledger_has_one_root(&mut seen, "it/1", size, digest(text)).is_ok();
    assert!(head(1, "a") && head(2, "b") && !head(2, "c"));
    let in_ledger =
        |entry| invariant_every_statement_is_in_the_ledger(entry, digest("it"), &unit()).is_ok();
    assert!(in_ledger(Some(digest("it"))));
    assert!(!in_ledger(None) && !in_ledger(Some(digest("another"))));
    let shown = |roots: &[(u64, Digest)]| {
        let roots: BTreeMap<u64, Digest> = roots.iter().copied().collect();
        invariant_the_ledger_is_what_was_shown("it/1", &roots, &seen).is_ok()
    };
    assert!(shown(&[(1, digest("a")), (2, digest("b")), (3, digest("c"))]));
    assert!(!shown(&[(1, digest("a"))]), "it shrank");
    assert!(!shown(&[(1, digest("x")), (2, digest("b"))]));
}

#[test]
fn what_is_told_without_consent_or_declaration_is_found() {
    let sent = |asked, entered| {
        invariant_nothing_is_sent_unadopted(asked, entered, &unit(), "cases").is_ok()
    };
    assert!(sent(true, true));
    assert!(!sent(false, false) && !sent(false, true) && !sent(true, false));
    let relaxed = |floor, declared| {
        invariant_no_relaxation_without_a_declaration(floor, declared, &unit()).is_ok()
    };
    assert!(relaxed(STRICT, false) && relaxed(5, true));
    assert!(!relaxed(5, false));
    let mut told = Told::default();
    let mut tell = |floor| {
        invariant_protection_is_never_loosened(&mut told, (unit(), figure()), floor).is_ok()
    };
    assert!(tell(5) && tell(STRICT) && tell(STRICT));
    assert!(!tell(5));
    let rest =
        |floor| invariant_the_stricter_rules_bind_again(floor, &unit(), "2026-03-01").is_ok();
    assert!(rest(STRICT) && !rest(5));
}

#[test]
fn what_is_wrong_at_rest_is_found() {
    assert!(invariant_acknowledged_records_are_there(true, "it").is_ok());
    assert!(invariant_acknowledged_records_are_there(false, "it").is_err());
    let day = "2026-03-01";
    let equal =
        |told, records| invariant_figures_equal_records(&unit(), day, told, records).is_ok();
    assert!(equal(Bounds::exact(3), 3) && !equal(Bounds::exact(3), 4));
    assert!(!equal(Bounds::between(3, 4).unwrap(), 3), "not exact");
    let within =
        |told, records| invariant_the_truth_is_within_bounds(&unit(), day, told, records).is_ok();
    let told = Bounds::between(0, 4).unwrap();
    assert!(within(told, 0) && within(told, 4) && !within(told, 5));
    let held = |last: Option<&str>, held: Option<&str>| {
        let (last, held) = (last.map(str::to_owned), held.map(str::to_owned));
        invariant_the_last_word_is_held(&unit(), &figure(), last, held).is_ok()
    };
    assert!(held(None, None) && held(Some("a"), Some("a")));
    assert!(!held(Some("a"), None) && !held(Some("a"), Some("b")));
    let states = |state, due: &[Option<UnitState>]| {
        invariant_states_follow_the_records(&unit(), "cases", day, state, due).is_ok()
    };
    let due = [None, Some(UnitState::NoReport)];
    assert!(states(None, &due) && states(Some(UnitState::NoReport), &due));
    assert!(!states(Some(UnitState::Reported), &due), "zero needs a report");
    assert!(invariant_people_see_what_was_said(true, "cases", day).is_ok());
    assert!(invariant_people_see_what_was_said(false, "cases", day).is_err());
    assert!(invariant_an_older_copy_is_noticed(true, &unit()).is_ok());
    assert!(invariant_an_older_copy_is_noticed(false, &unit()).is_err());
    assert!(invariant_queues_are_bounded(8, 8, "deliveries").is_ok());
    assert!(invariant_queues_are_bounded(9, 8, "deliveries").is_err());
}

#[test]
fn a_register_that_forgets_or_expects_twice_is_noticed() {
    let entry = |from: &str, to: &str, went_to: &str| {
        let day = |text: &str| text.parse().ok().map(Day);
        RegisterEntry {
            valid_from: day(from),
            valid_to: day(to),
            went_to: went_to.parse().ok(),
            ..RegisterEntry::new("u1".parse().unwrap())
        }
    };
    let register = |version, entries: &[RegisterEntry]| Register {
        version,
        previous: None,
        entries: entries.to_vec(),
        calendar: None,
    };
    let open = register(1, &[entry("", "", "")]);
    let forgets = |after| invariant_a_register_forgets_nobody(&open, &after, &unit());
    assert!(forgets(register(2, &[])).is_err());
    assert!(forgets(register(2, &[entry("", "2026-03-01", "")])).is_ok());

    let expected = |one: &[RegisterEntry], other: &[RegisterEntry]| {
        let paths = ["top", "top/u2"].map(|path| path.parse().unwrap());
        let all = paths.into_iter().zip([register(1, one), register(1, other)]).collect();
        let unit = "u1".parse().unwrap();
        let day = |day: &&str| invariant_one_superior_expects_each_unit(&all, &unit, day).is_ok();
        ["2026-02-28", "2026-03-01"].iter().filter(|it| day(it)).count()
    };
    let (moved, taken) = (entry("", "2026-02-28", "top/u2"), entry("2026-03-01", "", ""));
    assert_eq!(expected(core::slice::from_ref(&moved), core::slice::from_ref(&taken)), 2);
    assert_eq!(expected(core::slice::from_ref(&moved), &[]), 1, "nobody expects it");
    assert_eq!(expected(&[entry("", "", "")], &[taken]), 1, "both expect it");
    assert_eq!(expected(&[entry("", "2026-02-28", "")], &[]), 2, "it ended");
}

#[test]
fn a_small_step_is_found_in_whichever_edition() {
    let mut told = Told::default();
    let mut tell = |number| {
        let key = RowKey { area: Area::own(), dims: vec!["north".to_owned()] };
        let cell = Cell::exact(number, number);
        let own = Table { rows: [(key, cell)].into(), ..Table::default() };
        let of = (&unit(), "2026-03-01".to_owned());
        invariant_no_small_step_is_told(&mut told, of, &own, 5).is_ok()
    };
    assert!(tell(20) && tell(20) && tell(25) && tell(30));
    assert!(!tell(21), "between two that were told long ago");
    assert!(!tell(34));
}

#[test]
fn two_ways_in_one_window_are_found() {
    let mut told = Told::default();
    let mut tell = |window, own: &Table| {
        invariant_a_window_is_waited_for(&mut told, (unit(), figure()), window, own).is_ok()
    };
    let none = Table::default();
    let hidden = Unlisted { rows: 1, each: Cell::ZERO };
    let other = Table { unlisted: [(Area::own(), hidden)].into(), ..Table::default() };
    assert!(tell(1, &none) && tell(1, &none) && tell(2, &other));
    assert!(!tell(2, &none));
}

#[test]
fn a_removed_record_that_is_still_there_is_found() {
    assert!(invariant_removed_records_are_gone(None).is_ok());
    assert!(invariant_removed_records_are_gone(Some("case-1")).is_err());
}
