//! What must be true, whatever happens. Each function is one sentence; it returns what it found wrong.
//!
//! The first group is checked at every step on what the step touched; the second after trouble has
//! stopped, when everything must have come right within a bounded time.

use std::collections::{BTreeMap, BTreeSet};

use reeve_statement::bounds::Bounds;
use reeve_statement::digest::Digest;
use reeve_statement::release::Release;
use reeve_statement::statement::FigureId;
use reeve_statement::unit::UnitPath;

use crate::model::{CANARY, FLOOR};

/// Names an edition: issuer, figure, term, number.
pub(crate) type EditionName = (UnitPath, FigureId, u64, u64);

type Found = Result<(), String>;

/// What honest nodes have told so far.
#[derive(Debug, Default)]
pub(crate) struct Told {
    editions: BTreeMap<EditionName, Digest>,
    digests: BTreeSet<Digest>,
    ledgers: BTreeMap<(UnitPath, u64), Digest>,
}

/// No two different statements have one issuer, figure, term and edition.
pub(crate) fn invariant_no_edition_is_told_twice(
    told: &mut Told,
    name: EditionName,
    digest: Digest,
) -> Found {
    told.digests.insert(digest);
    let first = *told.editions.entry(name.clone()).or_insert(digest);
    if first == digest {
        return Ok(());
    }
    let (unit, figure, term, edition) = name;
    Err(format!("{unit} told edition {edition} of {figure} in term {term} as {first} and {digest}"))
}

/// Nothing is spoken that is not durable.
pub(crate) fn invariant_commit_then_speak(durable: bool, what: &dyn core::fmt::Display) -> Found {
    if durable { Ok(()) } else { Err(format!("spoken before it was durable: {what}")) }
}

/// No raw field is above its home.
pub(crate) fn invariant_no_raw_field_crosses_a_border(frame: &[u8]) -> Found {
    let canary = CANARY.as_bytes();
    if frame.windows(canary.len()).any(|window| window == canary) {
        return Err("a record's text is in a frame to another jurisdiction".to_owned());
    }
    Ok(())
}

/// Nothing under its floor is visible.
pub(crate) fn invariant_nothing_under_its_floor_is_told(release: &Release) -> Found {
    let Some(table) = release.table.inline() else { return Ok(()) };
    for (key, cell) in &table.rows {
        let told = |bounds: &Bounds| bounds.is_exact() && (1..FLOOR).contains(&bounds.lo());
        if told(&cell.contributors) || told(&cell.value) {
            return Err(format!("the row {key:?} tells {cell:?}, the floor is {FLOOR}"));
        }
    }
    Ok(())
}

/// A statement of an honest unit that was accepted is one that the unit told.
pub(crate) fn invariant_nothing_forged_is_accepted(told: &Told, digest: Digest) -> Found {
    if told.digests.contains(&digest) {
        Ok(())
    } else {
        Err(format!("accepted, and never told by its honest issuer: {digest}"))
    }
}

/// Nothing is accepted from a revoked key.
pub(crate) fn invariant_nothing_is_accepted_from_the_revoked(
    revoked: bool,
    unit: &UnitPath,
) -> Found {
    if revoked { Err(format!("accepted from {unit}, whose node was revoked")) } else { Ok(()) }
}

/// A ledger only grows: a place that was taken keeps its statement.
pub(crate) fn invariant_a_ledger_only_grows(
    told: &mut Told,
    unit: &UnitPath,
    index: u64,
    digest: Digest,
) -> Found {
    let first = *told.ledgers.entry((unit.clone(), index)).or_insert(digest);
    if first == digest {
        Ok(())
    } else {
        Err(format!("entry {index} of the ledger of {unit} was {first} and is {digest}"))
    }
}

/// No acknowledged record is lost, and none says what nobody wrote.
pub(crate) fn invariant_acknowledged_records_are_there(right: bool, what: &str) -> Found {
    if right { Ok(()) } else { Err(format!("the record {what} says what nobody wrote last")) }
}

/// Every exact figure equals what the records say.
pub(crate) fn invariant_figures_equal_records(
    unit: &UnitPath,
    day: &str,
    figure: Bounds,
    records: i64,
) -> Found {
    if figure == Bounds::exact(records) {
        Ok(())
    } else {
        Err(format!("cases of {unit} on {day}: told {figure}, there are {records}"))
    }
}

/// The truth lies inside every published bound.
pub(crate) fn invariant_the_truth_is_within_bounds(
    unit: &UnitPath,
    day: &str,
    figure: Bounds,
    records: i64,
) -> Found {
    if figure.contains(records) {
        Ok(())
    } else {
        Err(format!("patients of {unit} on {day}: told {figure}, there are {records}"))
    }
}

/// Completeness counts every unit once, and none that was not heard.
pub(crate) fn invariant_completeness_is_earned(
    included: u64,
    heard: u64,
    unit: &UnitPath,
) -> Found {
    if included <= heard {
        Ok(())
    } else {
        Err(format!("{unit} includes {included} units and was told by {heard}"))
    }
}

/// Queues stay within their bounds.
pub(crate) fn invariant_queues_are_bounded(waiting: usize, bound: usize, what: &str) -> Found {
    if waiting <= bound { Ok(()) } else { Err(format!("{waiting} {what}, at most {bound}")) }
}
