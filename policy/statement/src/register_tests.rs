//! Who is expected is read as of the period; what is no register is told.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::*;

fn day(text: &str) -> Day {
    Day(text.parse().unwrap())
}

fn entry(unit: &str, from: &str, to: &str) -> RegisterEntry {
    let on = |text: &str| (!text.is_empty()).then(|| day(text));
    RegisterEntry {
        valid_from: on(from),
        valid_to: on(to),
        ..RegisterEntry::new(unit.parse().unwrap())
    }
}

fn register(entries: &[RegisterEntry]) -> Register {
    Register { version: 1, previous: None, entries: entries.to_vec(), calendar: None }
}

/// Whom a register expects, and who left it.
fn read(register: &Register, period: &str) -> (Vec<String>, Vec<String>) {
    let (period, today) = (period.parse().unwrap(), "2020-03-20".parse().unwrap());
    let units = |entries: Vec<&RegisterEntry>| -> Vec<String> {
        entries.iter().map(|entry| entry.unit.to_string()).collect()
    };
    (units(register.expected(period, today)), units(register.left(period, today)))
}

fn names(units: &[&str]) -> Vec<String> {
    units.iter().map(|unit| (*unit).to_owned()).collect()
}

/// The tenth week of 2020 is from 2 to 8 March.
#[test]
fn who_is_expected_is_read_as_of_the_period() {
    let merged = register(&[
        entry("a", "", "2020-03-03"),
        entry("b", "", "2020-03-03"),
        entry("c", "2020-03-04", ""),
    ]);
    for (period, expected, left) in [
        ("2020-03-03", &["a", "b"][..], &[][..]),
        ("2020-03-04", &["c"], &["a", "b"]),
        ("2020-W10", &["a", "b", "c"], &[]),
        ("2020-W09", &["a", "b"], &[]),
        ("2020-W11", &["c"], &["a", "b"]),
        ("now", &["c"], &["a", "b"]),
        ("2021-05-01", &["c"], &[]),
    ] {
        assert_eq!(read(&merged, period), (names(expected), names(left)), "{period}");
    }
}

#[test]
fn of_a_unit_that_moved_in_the_middle_of_a_week_one_superior_expects_the_week() {
    let there = Some("it/05".parse().unwrap());
    let old = register(&[RegisterEntry { went_to: there, ..entry("a", "", "2020-03-03") }]);
    let here = Some("it/03".parse().unwrap());
    let new = register(&[RegisterEntry { came_from: here, ..entry("a", "2020-03-04", "") }]);
    for (period, by_old) in [
        ("2020-03-03", true),
        ("2020-03-04", false),
        ("2020-W09", true),
        ("2020-W10", false),
        ("2020-W11", false),
        ("2020-02", true),
        ("2020-03", false),
        ("now", false),
    ] {
        let both = (read(&old, period).0.len(), read(&new, period).0.len());
        assert_eq!(both, (usize::from(by_old), usize::from(!by_old)), "{period}");
        assert_eq!(read(&old, period).1.len(), usize::from(!by_old), "it left: {period}");
    }
}

#[test]
fn a_unit_has_one_entry_at_a_time_and_is_named_once() {
    let renamed = register(&[entry("a", "", "2020-03-03"), entry("a", "2020-03-04", "")]);
    renamed.check().unwrap();
    assert_eq!(read(&renamed, "2020-W10"), (names(&["a"]), names(&[])));
    let today = "2020-03-20".parse().unwrap();
    let week = renamed.expected("2020-W10".parse().unwrap(), today);
    assert_eq!(week[0].valid_from, Some(day("2020-03-04")), "the last name of the week");
    assert_eq!(read(&renamed, "2020-03-02"), (names(&["a"]), names(&[])));
}

#[test]
fn what_is_no_register_is_told() {
    let a = || "a".parse().unwrap();
    for (entries, expected) in [
        (vec![entry("b", "", ""), entry("a", "", "")], RegisterError::Order(a())),
        (vec![entry("a", "", ""), entry("a", "", "")], RegisterError::Order(a())),
        (vec![entry("a", "2020-03-04", "2020-03-03")], RegisterError::Ends(a())),
        (
            vec![entry("a", "", "2020-03-04"), entry("a", "2020-03-04", "")],
            RegisterError::Overlap(a()),
        ),
        (vec![entry("a", "", ""), entry("a", "2020-03-04", "")], RegisterError::Overlap(a())),
        (
            vec![RegisterEntry { went_to: Some("it/05".parse().unwrap()), ..entry("a", "", "") }],
            RegisterError::Undated(a()),
        ),
        (
            vec![RegisterEntry { predecessors: vec![a()], ..entry("a", "", "") }],
            RegisterError::Itself(a()),
        ),
    ] {
        assert_eq!(register(&entries).check(), Err(expected));
    }
}

#[test]
fn a_register_that_shrinks_does_not_follow() {
    let before = register(&[entry("a", "", ""), entry("b", "", "")]);
    let next = |version, entries: &[RegisterEntry]| Register { version, ..register(entries) };
    let ended = next(2, &[entry("a", "", "2020-03-03"), entry("b", "", "")]);
    assert_eq!(ended.follows(&before), Ok(()));
    let forgets = next(2, &[entry("b", "", "")]);
    assert_eq!(forgets.follows(&before), Err(RegisterError::Forgets("a".parse().unwrap())));
    let skips = next(3, &[entry("a", "", ""), entry("b", "", "")]);
    assert_eq!(skips.follows(&before), Err(RegisterError::Version { expected: 2, found: 3 }));
}
