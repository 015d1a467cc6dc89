//! The awkward cases of disclosure and roll-up, one by one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;

use reeve_statement::bounds::{Bounds, Cell};
use reeve_statement::catalogue::{Contributors, Dimension, Indicator, Measure, RecipientClass};
use reeve_statement::cbor::{from_slice, to_vec};
use reeve_statement::completeness::UnitState;
use reeve_statement::digest::Digest;
use reeve_statement::notice::NoticeCode;
use reeve_statement::period::Period;
use reeve_statement::release::{RevisionReason, Sources};
use reeve_statement::statement::{Body, Onward};
use reeve_statement::table::{Area, RowKey, Table};
use reeve_statement::unit::{UnitId, UnitPath};

use super::*;
use crate::authz::{DEFAULT_POLICY, PolicySet};
use crate::fixture::{beds, cases, input, period, permit, pull, table};

fn area(text: &str) -> Area {
    text.parse().unwrap()
}

fn areas(texts: &[&str]) -> BTreeSet<Area> {
    texts.iter().map(|text| area(text)).collect()
}

fn unit(text: &str) -> UnitId {
    text.parse().unwrap()
}

fn path(text: &str) -> UnitPath {
    text.parse().unwrap()
}

/// Cases at this floor for the superior.
fn floor(superior: u32) -> Indicator {
    let mut indicator = cases();
    indicator.floors.superior = superior;
    indicator
}

fn fresh(indicator: &Indicator) -> DisclosureState {
    DisclosureState::new(indicator.id.clone(), period())
}

fn disclosed(indicator: &Indicator, own: &Table) -> Result<DisclosedTable, DiscloseError> {
    let areas = areas(&["."]);
    let own = OwnTable { table: own, areas: &areas, combinations: None };
    disclose(&permit(indicator), indicator, period(), &own, &fresh(indicator))
}

const fn hidden(floor: i64) -> Cell {
    match Bounds::between(0, floor - 1) {
        Some(bounds) => Cell { value: bounds, contributors: bounds },
        None => Cell::ZERO,
    }
}

#[test]
fn below_the_floor_hidden_and_absent_look_the_same() {
    let indicator = floor(5);
    let one = disclosed(&indicator, &table(&[(".", "f", 4), (".", "m", 5)])).unwrap();
    let none = disclosed(&indicator, &table(&[(".", "f", 0), (".", "m", 5)])).unwrap();
    let absent = disclosed(&indicator, &table(&[(".", "m", 5)])).unwrap();
    assert_eq!((&one, &one), (&none, &absent));
    assert_eq!(one.table().rows.len(), 1);
    // f and "not set": three combinations, one listed.
    let unlisted = &one.table().unlisted[&area(".")];
    assert_eq!((unlisted.rows, unlisted.each), (2, hidden(5)));
    assert_eq!(one.table().total().unwrap().value, Bounds::between(5, 13).unwrap());
}

#[test]
fn an_area_without_any_rows_looks_like_one_with_hidden_rows() {
    let indicator = floor(5);
    let areas = areas(&[".", "~out-of-region"]);
    let state = fresh(&indicator);
    let told = |rows: &[(&str, &str, i64)]| {
        let own = OwnTable { table: &table(rows), areas: &areas, combinations: None };
        disclose(&permit(&indicator), &indicator, period(), &own, &state)
    };
    assert_eq!(told(&[]).unwrap(), told(&[("~out-of-region", "f", 3)]).unwrap());
    assert_eq!(told(&[]).unwrap().table().unlisted.len(), 2);
    assert_eq!(told(&[("~other", "f", 9)]), Err(DiscloseError::UnknownArea(area("~other"))));
}

#[test]
fn presence_is_told_only_where_it_does_not_name_the_cell() {
    let mut indicator = Indicator { presence_told: true, ..floor(3) };
    let own = table(&[(".", "f", 1), (".", "m", 3)]);
    let told = disclosed(&indicator, &own).unwrap();
    let one_to_two = Bounds::between(1, 2).unwrap();
    let f = RowKey { area: Area::own(), dims: vec!["f".into()] };
    assert_eq!(told.table().rows[&f], Cell { value: one_to_two, contributors: one_to_two });
    assert!(told.table().unlisted.is_empty());

    indicator.floors.superior = 2;
    let told = disclosed(&indicator, &own).unwrap();
    assert!(!told.table().rows.contains_key(&f));
    assert_eq!(told.table().unlisted[&Area::own()].each, hidden(2));
}

#[test]
fn floor_one_and_things_are_exact() {
    let own = table(&[(".", "f", 1), (".", "m", 70)]);
    let told = disclosed(&floor(1), &own).unwrap();
    assert_eq!(told.table(), &own);
    let stock = Indicator { floors: floor(50).floors, ..beds() };
    assert_eq!(disclosed(&stock, &own).unwrap().table(), &own);
}

#[test]
fn hidden_sums_are_bounded_by_the_declared_range() {
    let sum = Indicator {
        measure: Measure::Sum("dose".parse().unwrap()),
        record_range: Some((-2, 10)),
        ..floor(4)
    };
    let own = |value, contributors| {
        let mut table = Table::default();
        let key = RowKey { area: Area::own(), dims: vec!["f".into()] };
        table.rows.insert(key, Cell::exact(value, contributors));
        table
    };
    let told = disclosed(&sum, &own(25, 3)).unwrap();
    assert_eq!(told.table().unlisted[&Area::own()].each.value, Bounds::between(-6, 30).unwrap());
    let told = disclosed(&sum, &own(25, 4)).unwrap();
    assert_eq!(told.table().rows.len(), 1);
    // What the schema excludes is not papered over.
    assert_eq!(disclosed(&sum, &own(31, 3)), Err(DiscloseError::OutOfRange(Area::own())));
    let unbounded = Indicator { record_range: None, ..sum.clone() };
    assert_eq!(disclosed(&unbounded, &own(1, 1)), Err(DiscloseError::NoRange(sum.id.clone())));
    let persons =
        Indicator { contributors: Contributors::Value, record_range: None, ..sum.clone() };
    let told = disclosed(&persons, &own(3, 3)).unwrap();
    assert_eq!(told.table().unlisted[&Area::own()].each, hidden(4));
    let extreme = Indicator { measure: Measure::Max("dose".parse().unwrap()), ..sum };
    assert!(matches!(disclosed(&extreme, &own(3, 3)), Err(DiscloseError::NotOnPersons(_))));
}

#[test]
fn an_open_dimension_needs_to_know_how_much_it_hides() {
    let reference = Dimension::Reference { reference: "hospital".parse().unwrap() };
    let indicator = Indicator { group_by: vec![reference], ..floor(5) };
    let own = table(&[(".", "h1", 3)]);
    assert!(matches!(disclosed(&indicator, &own), Err(DiscloseError::OpenDomain(_))));
    let areas = areas(&["."]);
    let own = OwnTable { table: &own, areas: &areas, combinations: Some(7) };
    let told = disclose(&permit(&indicator), &indicator, period(), &own, &fresh(&indicator));
    assert_eq!(told.unwrap().table().unlisted[&Area::own()].rows, 7);
}

#[test]
fn a_permit_for_something_else_discloses_nothing() {
    let own = table(&[]);
    let areas = areas(&["."]);
    let own = OwnTable { table: &own, areas: &areas, combinations: None };
    let state = fresh(&cases());
    let other = disclose(&permit(&floor(9)), &cases(), period(), &own, &state);
    assert!(matches!(other, Err(DiscloseError::NotCovered { .. })));
    let later: Period = "2020-03-02".parse().unwrap();
    let other = disclose(&permit(&cases()), &cases(), later, &own, &state);
    assert!(matches!(other, Err(DiscloseError::OtherPeriod { .. })));
    let foreign = DisclosureState::new(beds().id, period());
    let other = disclose(&permit(&cases()), &cases(), period(), &own, &foreign);
    assert!(matches!(other, Err(DiscloseError::OtherState { .. })));
}

fn own_part(table: &DisclosedTable) -> OwnPart<'_> {
    OwnPart::Table { table, sources: Sources { reported: 1, expected: 1 }, touched: None }
}

fn leaf_figure(indicator: &Indicator, own: &Table) -> Figure {
    let told = disclosed(indicator, own).unwrap();
    let state = fresh(indicator);
    let issuer = path("it/03/016");
    roll_up(&permit(indicator), indicator, period(), &issuer, own_part(&told), &[], &state).unwrap()
}

fn first() -> Edition {
    Edition { edition: 1, catalogue_version: 3, ..Edition::default() }
}

#[test]
fn protection_is_remembered_and_never_loosened() {
    // The data's state decides, also when policy or catalogue say less later.
    let (strict, loose) = (floor(9), floor(2));
    let mut state = fresh(&strict);
    let own = table(&[(".", "f", 4)]);
    let released = Released::new(&permit(&strict), leaf_figure(&strict, &own), first()).unwrap();
    state.record(&released, 1).unwrap();
    let restored: DisclosureState = from_slice("state", &to_vec(&state), 10_000).unwrap();
    assert_eq!(restored, state);
    let areas = areas(&["."]);
    let own = OwnTable { table: &own, areas: &areas, combinations: None };
    let told = disclose(&permit(&loose), &loose, period(), &own, &restored).unwrap();
    assert_eq!(told.protection().floor, 9);
    assert!(told.table().rows.is_empty());
}

#[test]
fn an_edition_is_told_once_and_with_one_content() {
    let indicator = floor(5);
    let mut state = fresh(&indicator);
    let make = |count, edition| {
        let figure = leaf_figure(&indicator, &table(&[(".", "f", count)]));
        Released::new(&permit(&indicator), figure, edition).unwrap()
    };
    let one = make(8, first());
    state.record(&one, 1).unwrap();
    state.record(&one, 1).unwrap();
    assert!(state.is_told(RecipientClass::Superior, one.content()));
    assert!(!state.is_told(RecipientClass::Public, one.content()));
    let fork = state.record(&make(9, first()), 1);
    assert_eq!(fork, Err(StateError::EditionTaken { told: 1, found: 1 }));
    let second = Edition {
        edition: 2,
        previous: Some(Digest::ZERO),
        reason: Some(RevisionReason::Update),
        ..first()
    };
    state.record(&make(9, second.clone()), 1).unwrap();
    assert!(matches!(state.record(&one, 1), Err(StateError::EditionTaken { .. })));
    // A later term counts on from what was accepted; an earlier one tells nothing more.
    state.record(&one, 2).unwrap();
    let late = Edition { edition: 3, ..second };
    assert!(matches!(state.record(&make(9, late), 1), Err(StateError::EditionTaken { .. })));
    // Changes below the floor are no news.
    assert_eq!(make(1, first()).content(), make(4, first()).content());
}

#[test]
fn a_release_carries_its_decision_and_needs_its_own_permit() {
    let indicator = floor(5);
    let figure = leaf_figure(&indicator, &table(&[(".", "f", 8)]));
    let other = permit(&cases());
    assert_eq!(
        Released::new(&other, figure.clone(), first()).unwrap_err(),
        ReleaseError::OtherPermit
    );
    let permit = permit(&indicator);
    let gap = Edition { edition: 2, ..first() };
    assert_eq!(Released::new(&permit, figure.clone(), gap).unwrap_err(), ReleaseError::Edition(2));
    let released = Released::new(&permit, figure, first()).unwrap();
    assert_eq!(released.onward(), Onward::Aggregate);
    let (Body::Release(release), chunks) = released.into_body() else { panic!("not a release") };
    assert_eq!(chunks.len(), 0);
    assert_eq!(release.decision.conditions.floor, 5);
    assert_eq!(release.decision.determining, ["superior-figures"]);
    assert_eq!(release.counts.of(UnitState::Reported), 1);
    assert_eq!(release.own, None);
}

#[test]
fn an_edition_goes_to_all_of_its_class_whose_permit_it_satisfies() {
    let indicator = floor(5);
    let figure = leaf_figure(&indicator, &table(&[(".", "f", 8)]));
    let released = Released::new(&permit(&indicator), figure, first()).unwrap();
    let release = released.release();
    let under = |annotations: &str, path: &str| {
        let text =
            format!("@id(\"x\") {annotations} permit (principal is Unit, action, resource);");
        let set = PolicySet::parse(&text, "node.cedar").unwrap();
        set.decide(&pull(path, indicator.clone())).into_result().unwrap()
    };
    assert!(may_receive(&under("@min_cell(\"3\")", "it/03"), release));
    for (annotations, path) in [
        ("@min_cell(\"6\")", "it/03"),
        ("@min_cell(\"1\") @rounding(\"5\")", "it/03"),
        ("@min_cell(\"1\") @retention(\"30d\")", "it/03"),
        ("@min_cell(\"1\")", "it/03/015"),
    ] {
        assert!(!may_receive(&under(annotations, path), release), "{annotations} {path}");
    }
}

#[test]
fn records_without_a_closed_period_are_partial() {
    let indicator = floor(1);
    let told = disclosed(&indicator, &table(&[(".", "f", 2)])).unwrap();
    let state_of = |reported, expected| {
        let sources = Sources { reported, expected };
        let own = OwnPart::Table { table: &told, sources, touched: None };
        let (issuer, state) = (path("it/03/016"), fresh(&indicator));
        roll_up(&permit(&indicator), &indicator, period(), &issuer, own, &[], &state).unwrap()
    };
    assert!(state_of(2, 2).counts().is_complete());
    for (reported, expected) in [(0, 0), (0, 2), (1, 2)] {
        let figure = state_of(reported, expected);
        assert_eq!(figure.counts().of(UnitState::Partial), 1);
        assert_eq!(figure.manifest().exceptions.len(), 1);
    }
}

fn standing<'a>(unit: &'a UnitId, standing: Standing<'a>) -> Subordinate<'a> {
    Subordinate { unit, standing, possible: None, stands_for: 1 }
}

fn rolled(indicator: &Indicator, subordinates: &[Subordinate<'_>]) -> Result<Figure, RollUpError> {
    let (issuer, state) = (path("it/03"), fresh(indicator));
    let permit = permit(indicator);
    roll_up(&permit, indicator, period(), &issuer, OwnPart::None, subordinates, &state)
}

#[test]
fn what_is_missing_is_counted_and_never_zero() {
    let indicator = floor(1);
    let units: Vec<UnitId> = ["a", "b", "c", "d", "e"].into_iter().map(unit).collect();
    let [a, b, c, d, e] = units.as_slice() else { panic!("five") };
    let good = input("it/03/a", &indicator, &table(&[(".", "f", 7)]));
    let other = input("it/03/b", &floor(2), &table(&[(".", "f", 9)]));
    let notice = Standing::Notice {
        statement: Digest::of(b"notice"),
        term: 1,
        edition: 4,
        code: NoticeCode::Declined,
    };
    let subordinates = [
        standing(e, Standing::Nothing(UnitState::Late)),
        Subordinate { stands_for: 12, ..standing(d, Standing::Nothing(UnitState::NeverReported)) },
        standing(c, notice),
        standing(b, Standing::Figure(&other)),
        standing(a, Standing::Figure(&good)),
    ];
    let figure = rolled(&indicator, &subordinates).unwrap();
    assert_eq!(figure.table(), &table(&[("a", "f", 7)]));
    let counts = figure.counts();
    assert_eq!((counts.included(), counts.total()), (1, 16));
    assert_eq!(counts.of(UnitState::NeverReported), 12);
    assert_eq!(counts.of(UnitState::OtherDefinition), 1);
    let manifest = figure.manifest();
    let direct: Vec<_> = manifest.direct.iter().map(|entry| entry.unit.as_str()).collect();
    assert_eq!(direct, ["a", "b", "c", "d", "e"]);
    let named: Vec<_> =
        manifest.exceptions.iter().map(|e| (e.units[0].as_str(), e.state)).collect();
    let expected = [
        ("b", UnitState::OtherDefinition),
        ("c", UnitState::Declined),
        ("d", UnitState::NeverReported),
        ("e", UnitState::Late),
    ];
    assert_eq!(named, expected);
    // Nobody can be made to count as included by saying so.
    let lie = [standing(a, Standing::Nothing(UnitState::Reported))];
    assert_eq!(rolled(&indicator, &lie).unwrap().counts().included(), 0);
}

#[test]
fn nonsense_is_set_aside_and_the_rest_stands() {
    let indicator = floor(1);
    let (a, b) = (unit("a"), unit("b"));
    let good = input("it/03/a", &indicator, &table(&[(".", "f", 7)]));
    let mut twisted = table(&[(".", "f", 9)]);
    twisted.rows.values_mut().for_each(|cell| cell.value = Bounds::exact(900));
    let mut wide = table(&[]);
    wide.unlisted
        .insert(Area::own(), reeve_statement::table::Unlisted { rows: 4, each: hidden(5) });
    let max = i64::MAX;
    for (nonsense, possible) in [
        (table(&[(".", "x", 9)]), None),
        (twisted, None),
        (wide, None),
        (table(&[(".", "f", max), (".", "m", max)]), None),
        (table(&[(".", "f", 900), (".", "m", 101)]), Some(1_000)),
    ] {
        let bad = input("it/03/b", &indicator, &nonsense);
        let subordinates = [
            standing(&a, Standing::Figure(&good)),
            Subordinate { possible, ..standing(&b, Standing::Figure(&bad)) },
        ];
        let figure = rolled(&indicator, &subordinates).unwrap();
        assert_eq!(figure.table(), &table(&[("a", "f", 7)]), "{nonsense:?}");
        assert_eq!(figure.counts().of(UnitState::Implausible), 1);
        assert_eq!(figure.set_aside().len(), 1);
    }
}

#[test]
fn liars_cannot_make_a_sum_that_nobody_can_tell() {
    let indicator = Indicator { area_depth: 0, ..floor(1) };
    let (a, b, c) = (unit("a"), unit("b"), unit("c"));
    let honest = input("it/03/c", &indicator, &table(&[(".", "f", 7)]));
    for huge in [i64::MAX, i64::MAX / 2_048 + 1] {
        let huge = table(&[(".", "f", huge)]);
        let (one, two) = (input("it/03/a", &indicator, &huge), input("it/03/b", &indicator, &huge));
        let figure = rolled(
            &indicator,
            &[
                standing(&a, Standing::Figure(&one)),
                standing(&b, Standing::Figure(&two)),
                standing(&c, Standing::Figure(&honest)),
            ],
        )
        .unwrap();
        assert_eq!(figure.table(), &table(&[(".", "f", 7)]));
        assert_eq!(figure.counts().of(UnitState::Implausible), 2);
    }
}

#[test]
fn statements_of_others_are_refused() {
    let indicator = floor(5);
    let (a, b) = (unit("a"), unit("b"));
    let of_a = input("it/03/a", &indicator, &table(&[]));
    let foreign = input("it/04/a", &indicator, &table(&[]));
    for (named, given) in [(&b, &of_a), (&a, &foreign)] {
        let error = rolled(&indicator, &[standing(named, Standing::Figure(given))]).unwrap_err();
        assert!(matches!(error, RollUpError::WrongInput { .. }));
    }
    let twice = [standing(&a, Standing::Figure(&of_a)), standing(&a, Standing::Figure(&of_a))];
    assert_eq!(rolled(&indicator, &twice).unwrap_err(), RollUpError::Twice(a.clone()));
}

#[test]
fn an_input_less_protected_than_the_release_is_not_passed_on() {
    let indicator = Indicator { legal_basis: None, ..floor(5) };
    let a = unit("a");
    let fine = input("it/03/a", &indicator, &table(&[(".", "f", 7)]));
    let (issuer, mut state) = (path("it/03"), fresh(&indicator));
    let subordinates = [standing(&a, Standing::Figure(&fine))];
    assert!(rolled(&indicator, &subordinates).is_ok());
    // Told at 9 before: the figure of the subordinate at 5 would be finer.
    let strict = floor(9);
    let leaf = Released::new(&permit(&strict), leaf_figure(&strict, &table(&[])), first()).unwrap();
    state.record(&leaf, 1).unwrap();
    let permit = permit(&indicator);
    let again =
        roll_up(&permit, &indicator, period(), &issuer, OwnPart::None, &subordinates, &state);
    let again = again.unwrap();
    assert_eq!(again.counts().of(UnitState::OtherDefinition), 1);
    assert!(again.table().rows.is_empty(), "{again:?}");
}

#[test]
fn an_input_of_smaller_steps_than_the_policy_demands_is_not_passed_on() {
    let indicator = Indicator { legal_basis: None, ..floor(5) };
    let a = unit("a");
    let small = input("it/03/a", &indicator, &table(&[(".", "f", 7)]));
    let (issuer, state) = (path("it/03"), fresh(&indicator));
    let subordinates = [standing(&a, Standing::Figure(&small))];
    for (step, included) in [(5, 1), (6, 0), (20, 0)] {
        let named = "@id(\"superior-figures\")";
        let text = DEFAULT_POLICY.replace(named, &format!("{named}\n@min_step(\"{step}\")"));
        let set = PolicySet::parse(&text, "policy").unwrap();
        let permit = set.decide(&pull("it/03", indicator.clone())).into_result().unwrap();
        let figure =
            roll_up(&permit, &indicator, period(), &issuer, OwnPart::None, &subordinates, &state);
        let counts = figure.unwrap().counts().clone();
        assert_eq!(counts.included(), included, "@min_step({step})");
        assert_eq!(counts.of(UnitState::OtherDefinition), 1 - included);
    }
}

#[test]
fn residual_rows_stay_and_extremes_combine() {
    let indicator = Indicator { area_depth: 1, ..floor(1) };
    let a = unit("a");
    let rows = table(&[(".", "f", 2), ("~out", "f", 3), ("x", "f", 4), ("y", "f", 5)]);
    let of_a = input("it/03/a", &indicator, &rows);
    let figure = rolled(&indicator, &[standing(&a, Standing::Figure(&of_a))]).unwrap();
    assert_eq!(figure.table(), &table(&[("a", "f", 11), ("a/~out", "f", 3)]));

    let least =
        Indicator { area_depth: 0, measure: Measure::Min("free".parse().unwrap()), ..beds() };
    let b = unit("b");
    let (one, two) = (
        input("it/03/a", &least, &table(&[(".", "f", 8)])),
        input("it/03/b", &least, &table(&[(".", "f", 3), (".", "m", 6)])),
    );
    let subordinates = [standing(&a, Standing::Figure(&one)), standing(&b, Standing::Figure(&two))];
    let figure = rolled(&least, &subordinates).unwrap();
    let cell =
        |dim: &str| figure.table().rows[&RowKey { area: Area::own(), dims: vec![dim.into()] }];
    assert_eq!(cell("f"), Cell::exact(3, 11));
    assert_eq!(cell("m"), Cell::exact(6, 6));
}

#[test]
fn roundings_hide_exactness_and_hold_the_truth() {
    for (value, lo, hi) in [(10, 10, 14), (11, 10, 14), (0, 0, 4), (-1, -5, -1), (-5, -5, -1)] {
        let cell = Cell { value: Bounds::exact(value), contributors: Bounds::exact(12) };
        let told = super::protect::rounded(cell, 5).unwrap();
        assert_eq!(told.value, Bounds::between(lo, hi).unwrap());
        assert_eq!(told.contributors, Bounds::between(10, 14).unwrap());
    }
    assert!(super::protect::rounded(Cell::exact(i64::MAX, 1), 10).is_err());
    assert!(super::protect::rounded(Cell::exact(i64::MIN, 1), 10).is_err());
}
