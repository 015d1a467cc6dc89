//! What must be true, whatever happens. Each function is one sentence; it returns what it found wrong.
//!
//! Most are checked at every step on what the step touched; some after trouble has stopped, when
//! everything must have come right within a bounded time. What must be true of sums is in `sums`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use reeve_protocol::NodeKey;
use reeve_statement::bounds::{Bounds, Cell};
use reeve_statement::bulletin::Bulletin;
use reeve_statement::completeness::{ManifestEntry, UnitState};
use reeve_statement::digest::Digest;
use reeve_statement::register::Register;
use reeve_statement::release::{Release, RevisionReason};
use reeve_statement::statement::FigureId;
use reeve_statement::table::{RowKey, Table};
use reeve_statement::unit::{UnitId, UnitPath};

use crate::known::{Held, Known, Seen};
use crate::model::{CANARY, STRICT};
use crate::registers::expects;

/// Names an edition: issuer, figure, term, number.
pub(crate) type EditionName = (UnitPath, FigureId, u64, u64);

/// An edition of a figure: its number, and the digest of its statement.
pub(crate) type Edition = (u64, Digest);

/// Nothing wrong, or what.
pub(crate) type Found = Result<(), String>;

/// What honest nodes have told so far.
#[derive(Debug, Default)]
pub(crate) struct Told {
    editions: BTreeMap<EditionName, Digest>,
    digests: BTreeSet<Digest>,
    /// What stands where, by ledger and place.
    ledgers: BTreeMap<(String, u64), Digest>,
    /// How strictly each figure was told.
    floors: BTreeMap<(UnitPath, FigureId), u32>,
    /// Every number of persons that was told exactly of a row of a unit's own, to whomever.
    exact: BTreeMap<(UnitPath, String, RowKey), BTreeSet<i64>>,
    /// The own table that was told in each window, of each unit and period.
    windows: BTreeMap<(UnitPath, FigureId, i64), Table>,
}

/// A register names everybody whom the version before it named.
pub(crate) fn invariant_a_register_forgets_nobody(
    before: &Register,
    register: &Register,
    unit: &UnitPath,
) -> Found {
    register.follows(before).map_err(|error| format!("the register of {unit}: {error}"))
}

/// On each day each unit that is in a register is expected by one superior, from the first day that one
/// names until it ends.
pub(crate) fn invariant_one_superior_expects_each_unit(
    registers: &BTreeMap<UnitPath, Register>,
    unit: &UnitId,
    day: &str,
) -> Found {
    let expecting = registers.iter().filter(|(_, register)| expects(register, unit, day));
    let expecting: Vec<String> = expecting.map(|(superior, _)| superior.to_string()).collect();
    let on: Date = day.parse().unwrap();
    let entries = registers.values().flat_map(|register| &register.entries);
    let begun = entries.filter(|it| it.unit == *unit && it.valid_from.is_none_or(|at| at.0 <= on));
    let last = begun.max_by_key(|entry| entry.valid_from);
    // Whoever goes to a superior that is not looked at is expected by that one.
    let elsewhere = |to: &UnitPath| !registers.contains_key(to);
    let due = last.is_some_and(|entry| match (&entry.valid_to, &entry.went_to) {
        (Some(to), None) => on <= to.0,
        (Some(to), Some(superior)) => on <= to.0 || !elsewhere(superior),
        (None, _) => true,
    });
    if expecting.len() == usize::from(due) {
        Ok(())
    } else {
        Err(format!("{unit} on {day} is expected by {expecting:?}; somebody is to: {due}"))
    }
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

/// An edition names the one before it, as far as that was told.
pub(crate) fn invariant_an_edition_names_the_one_before(
    told: &Told,
    name: &EditionName,
    previous: Option<Digest>,
) -> Found {
    let (unit, figure, term, edition) = name;
    let before = edition.checked_sub(1).filter(|before| *before > 0);
    let before = before.map(|before| (unit.clone(), figure.clone(), *term, before));
    let Some(told_before) = before.and_then(|before| told.editions.get(&before)) else {
        return Ok(());
    };
    if previous == Some(*told_before) {
        Ok(())
    } else {
        Err(format!(
            "edition {edition} of {figure} of {unit} follows {previous:?}, told was {told_before}"
        ))
    }
}

/// A bulletin names editions that were issued and are kept, each the last one before it in the ledger.
pub(crate) fn invariant_a_bulletin_freezes_the_last_editions(
    bulletin: &Bulletin,
    last: &[Option<Edition>],
    unit: &UnitPath,
) -> Found {
    for (frozen, last) in bulletin.figures().iter().zip(last) {
        let named = (frozen.edition, frozen.statement);
        if *last != Some(named) {
            let figure = &frozen.figure;
            return Err(format!(
                "{unit} froze {named:?} of {figure}; its last edition was {last:?}"
            ));
        }
    }
    Ok(())
}

/// Nothing is spoken that is not durable.
pub(crate) fn invariant_commit_then_speak(durable: bool, what: &dyn core::fmt::Display) -> Found {
    if durable { Ok(()) } else { Err(format!("spoken before it was durable: {what}")) }
}

/// No raw field is above its home.
pub(crate) fn invariant_no_raw_field_crosses_a_border(frame: &[u8]) -> Found {
    let (first, canary) = (CANARY.as_bytes()[0], CANARY.as_bytes());
    let mut rest = frame;
    while let Some(at) = rest.iter().position(|byte| *byte == first) {
        rest = &rest[at..];
        if rest.starts_with(canary) {
            return Err("a record's text is in a frame to another jurisdiction".to_owned());
        }
        rest = &rest[1..];
    }
    Ok(())
}

/// Nothing under its floor is visible: the floor of the catalogue that the release follows.
pub(crate) fn invariant_nothing_under_its_floor_is_told(table: &Table, floor: i64) -> Found {
    let told = |bounds: &Bounds| bounds.is_exact() && (1..floor).contains(&bounds.lo());
    let shows = |cell: &Cell| told(&cell.contributors) || told(&cell.value);
    if let Some((key, cell)) = table.rows.iter().find(|(_, cell)| shows(cell)) {
        return Err(format!("the row {key:?} tells {cell:?}, the floor is {floor}"));
    }
    if let Some((area, hidden)) = table.unlisted.iter().find(|(_, hidden)| shows(&hidden.each)) {
        let each = hidden.each;
        return Err(format!("{area} tells {each:?} of what is not listed, the floor is {floor}"));
    }
    Ok(())
}

/// A unit never follows an older catalogue than it did.
pub(crate) fn invariant_a_catalogue_never_goes_back(
    followed: &mut BTreeMap<UnitPath, u64>,
    unit: &UnitPath,
    release: &Release,
) -> Found {
    let found = release.catalogue_version;
    let before = followed.insert(unit.clone(), found).unwrap_or(0);
    if before <= found {
        Ok(())
    } else {
        Err(format!("{unit} followed catalogue {before} and then {found}"))
    }
}

/// A statement of an honest unit that was accepted is one that the unit told.
pub(crate) fn invariant_nothing_forged_is_accepted(told: &Told, digest: Digest) -> Found {
    if told.digests.contains(&digest) {
        Ok(())
    } else {
        Err(format!("accepted, and never told by its honest issuer: {digest}"))
    }
}

/// What is accepted verifies, and so does the ledger that came with it.
pub(crate) fn invariant_what_is_accepted_verifies(
    statement: bool,
    checkpoint: bool,
    digest: Digest,
) -> Found {
    match (statement, checkpoint) {
        (true, true) => Ok(()),
        (false, _) => Err(format!("accepted, and its signature does not hold: {digest}")),
        (true, false) => {
            Err(format!("accepted with a ledger that its issuer did not sign: {digest}"))
        }
    }
}

/// Nothing is accepted that speaks for another area than its sender's.
pub(crate) fn invariant_nothing_is_accepted_from_out_of_area(
    sender: &UnitPath,
    issuer: &UnitPath,
) -> Found {
    if sender == issuer { Ok(()) } else { Err(format!("accepted of {issuer} from {sender}")) }
}

/// Nothing is accepted from a revoked key.
pub(crate) fn invariant_nothing_is_accepted_from_the_revoked(
    revoked: bool,
    unit: &UnitPath,
) -> Found {
    if revoked { Err(format!("accepted from {unit}, whose node was revoked")) } else { Ok(()) }
}

/// Nothing is accepted from a key whose certificate has ended.
pub(crate) fn invariant_nothing_is_accepted_from_the_expired(
    expired: bool,
    unit: &UnitPath,
) -> Found {
    if expired { Err(format!("accepted from {unit}, whose certificate has ended")) } else { Ok(()) }
}

/// A node never takes an older edition in place of a newer one, nor two statements as one edition.
pub(crate) fn invariant_no_acceptance_goes_back(
    seen: &mut Seen,
    name: (NodeKey, UnitPath, FigureId),
    taken: Held,
) -> Found {
    let (unit, figure) = (name.1.clone(), name.2.clone());
    let before = *seen.accepted.entry(name.clone()).or_insert(taken);
    let ((term, edition, digest), (old_term, old_edition, old_digest)) = (taken, before);
    if (term, edition) < (old_term, old_edition) {
        return Err(format!("{figure} of {unit}: took edition {edition} after {old_edition}"));
    }
    if (term, edition) == (old_term, old_edition) && digest != old_digest {
        return Err(format!(
            "{figure} of {unit}: took {old_digest} and {digest} as edition {edition}"
        ));
    }
    seen.accepted.insert(name, taken);
    Ok(())
}

/// A ledger only grows: a place that was taken keeps its statement.
pub(crate) fn invariant_a_ledger_only_grows(
    told: &mut Told,
    ledger: &str,
    index: u64,
    digest: Digest,
) -> Found {
    let first = *told.ledgers.entry((ledger.to_owned(), index)).or_insert(digest);
    if first == digest {
        Ok(())
    } else {
        Err(format!("entry {index} of the ledger {ledger} was {first} and is {digest}"))
    }
}

/// A ledger of one size has one root, whoever is shown it.
pub(crate) fn invariant_a_ledger_has_one_root(
    seen: &mut Seen,
    ledger: &str,
    size: u64,
    root: Digest,
) -> Found {
    let first = *seen.heads.entry((ledger.to_owned(), size)).or_insert(root);
    if first == root {
        Ok(())
    } else {
        Err(format!("the ledger {ledger} of {size} entries was shown as {first} and {root}"))
    }
}

/// Every issued statement is in the ledger, at the place that its unit says.
pub(crate) fn invariant_every_statement_is_in_the_ledger(
    entry: Option<Digest>,
    expected: Digest,
    unit: &UnitPath,
) -> Found {
    if entry == Some(expected) {
        Ok(())
    } else {
        Err(format!("the ledger of {unit} has {entry:?} where {expected} must be"))
    }
}

/// The ledger that a disk holds is the one that was shown, at every size that was shown.
pub(crate) fn invariant_the_ledger_is_what_was_shown(
    ledger: &str,
    roots: &BTreeMap<u64, Digest>,
    seen: &Seen,
) -> Found {
    let from = (ledger.to_owned(), 0)..=(ledger.to_owned(), u64::MAX);
    for ((_, size), shown) in seen.heads.range(from) {
        if roots.get(size) != Some(shown) {
            let found = roots.get(size);
            return Err(format!(
                "the ledger {ledger} was shown as {shown} at {size} entries; the disk gives {found:?}"
            ));
        }
    }
    Ok(())
}

/// Once all nodes of a home have heard of it, no disk of theirs holds what was removed.
pub(crate) fn invariant_removed_records_are_gone(held: Option<&str>) -> Found {
    match held {
        None => Ok(()),
        Some(id) => Err(format!("{id} was removed, and a disk of its home holds it")),
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

/// A unit's state is what its records, or its silence, make it: zero needs a report, and a report is
/// never counted that was not made.
pub(crate) fn invariant_states_follow_the_records(
    unit: &UnitPath,
    indicator: &str,
    day: &str,
    state: Option<UnitState>,
    due: &[Option<UnitState>],
) -> Found {
    if due.contains(&state) {
        Ok(())
    } else {
        Err(format!("{unit} is {state:?} for {indicator} {day}, by its records {due:?}"))
    }
}

/// What decided is the policy set that the ledger says was in force: it was there before, or an act put it in
/// place of another one.
pub(crate) fn invariant_a_change_of_the_policy_is_in_the_ledger(
    due: Digest,
    decided: Digest,
    place: u64,
    unit: &UnitPath,
) -> Found {
    if due == decided {
        Ok(())
    } else {
        Err(format!("entry {place} of {unit} was decided by {decided}, in force was {due}"))
    }
}

/// What decided is kept, and what was asked; decided again it is the same.
pub(crate) fn invariant_a_decision_can_be_made_again(
    differences: Vec<String>,
    place: u64,
    unit: &UnitPath,
) -> Found {
    if differences.is_empty() {
        Ok(())
    } else {
        Err(format!("entry {place} of {unit}: {}", differences.join("; ")))
    }
}

/// What people are shown is what was signed last.
pub(crate) fn invariant_people_see_what_was_said(right: bool, indicator: &str, day: &str) -> Found {
    if right {
        Ok(())
    } else {
        Err(format!("the view of {indicator} {day} is not its last edition"))
    }
}

/// At rest every superior holds the last word of each subordinate, and has said so to its own.
pub(crate) fn invariant_the_last_word_is_held(
    unit: &UnitPath,
    figure: &FigureId,
    last: Option<String>,
    held: Option<String>,
) -> Found {
    if last == held {
        Ok(())
    } else {
        Err(format!(
            "{figure} of {unit}: its last edition is {last:?}, the sum above is of {held:?}"
        ))
    }
}

/// A node that runs on an older copy of its store is told so, and knows it.
pub(crate) fn invariant_an_older_copy_is_noticed(noticed: bool, unit: &UnitPath) -> Found {
    if noticed { Ok(()) } else { Err(format!("{unit} runs on an older store and does not know")) }
}

/// Memory and queues stay within their bounds.
pub(crate) fn invariant_queues_are_bounded(held: usize, most: usize, what: &str) -> Found {
    if held <= most { Ok(()) } else { Err(format!("{held} {what}, at most {most}")) }
}

/// Nothing of an indicator is sent before somebody of the home adopted its definition, and the act was
/// entered into the ledger.
pub(crate) fn invariant_nothing_is_sent_unadopted(
    asked: bool,
    entered: bool,
    unit: &UnitPath,
    indicator: &str,
) -> Found {
    match (asked, entered) {
        (true, true) => Ok(()),
        (false, _) => Err(format!("{unit} sent {indicator}, which nobody there adopted")),
        (true, false) => Err(format!("{unit} sent {indicator} before its ledger held the act")),
    }
}

/// No figure is told below the floor that its home demands, unless a declaration for its area is in force
/// when it is signed.
pub(crate) fn invariant_no_relaxation_without_a_declaration(
    floor: u32,
    declared: bool,
    unit: &UnitPath,
) -> Found {
    if declared || floor >= STRICT {
        Ok(())
    } else {
        Err(format!("{unit} told persons at floor {floor} and nothing was declared"))
    }
}

/// A home tells its own figure never less protected than it did before.
pub(crate) fn invariant_protection_is_never_loosened(
    told: &mut Told,
    name: (UnitPath, FigureId),
    floor: u32,
) -> Found {
    let before = told.floors.entry(name.clone()).or_insert(floor);
    let held = *before;
    *before = held.max(floor);
    if held <= floor {
        Ok(())
    } else {
        Err(format!("{} told {} at floor {held} and then at {floor}", name.0, name.1))
    }
}

/// No two editions, to whichever classes, subtract to a step of fewer persons than the floor.
pub(crate) fn invariant_no_small_step_is_told(
    told: &mut Told,
    (unit, period): (&UnitPath, String),
    own: &Table,
    floor: i64,
) -> Found {
    for (key, cell) in own.rows.iter().filter(|(_, cell)| cell.contributors.is_exact()) {
        let number = cell.contributors.lo();
        let name = (unit.clone(), period.clone(), key.clone());
        let before = told.exact.entry(name).or_default();
        let near = before.iter().find(|other| (1..floor).contains(&(number - **other).abs()));
        if let Some(near) = near {
            return Err(format!(
                "{unit} told {near} and {number} of {key:?} of {period}; the floor is {floor}"
            ));
        }
        before.insert(number);
    }
    Ok(())
}

/// In one window a unit's own part of a figure is told one way.
pub(crate) fn invariant_a_window_is_waited_for(
    told: &mut Told,
    name: (UnitPath, FigureId),
    window: i64,
    own: &Table,
) -> Found {
    let (unit, figure) = name;
    let before = told.windows.entry((unit.clone(), figure.clone(), window));
    let before = before.or_insert_with(|| own.clone());
    if *before == *own {
        Ok(())
    } else {
        Err(format!("{unit} told {figure} two ways in window {window}: {before:?}, {own:?}"))
    }
}

/// A node that knows of a later term of its unit, signed for another node, signs nothing any more.
pub(crate) fn invariant_an_ended_term_signs_nothing(
    term: u64,
    later: Option<u64>,
    unit: &UnitPath,
) -> Found {
    match later.filter(|later| *later > term) {
        None => Ok(()),
        Some(later) => Err(format!("{unit} signed in term {term} and knew of term {later}")),
    }
}

/// Once every declaration is over, each figure is told under the stricter rules again.
pub(crate) fn invariant_the_stricter_rules_bind_again(
    floor: u32,
    unit: &UnitPath,
    day: &str,
) -> Found {
    if floor >= STRICT {
        Ok(())
    } else {
        Err(format!("patients of {unit} on {day}: nothing is declared, told at floor {floor}"))
    }
}

/// A later edition says why: one of a closed period that tells another number than the one before, one
/// under another definition, and one that adds a statement which says why.
pub(crate) fn invariant_a_revision_says_why(
    told: &Known,
    before: Option<&Known>,
    input: impl Fn(&Digest) -> Option<RevisionReason>,
) -> Found {
    let (Some(release), Some(before)) = (told.release(), before) else { return Ok(()) };
    // Who goes on in a new term, or from an older store, knows the number of the last edition and no more.
    let goes_on = before.statement.term == told.statement.term;
    let Some(was) = before.release().filter(|_| goes_on) else { return Ok(()) };
    let telling = release.reason.is_some_and(RevisionReason::is_telling);
    let about = |what: &str| {
        let (unit, reason) = (&told.statement.issuer, release.reason);
        let Release { indicator, period, edition, .. } = release;
        Err(format!("{unit}, {indicator} {period}, edition {edition} is {reason:?}: {what}"))
    };
    if was.definition != release.definition {
        let right = release.reason == Some(RevisionReason::DefinitionChanged);
        return if right { Ok(()) } else { about("its definition is another one") };
    }
    if told.manifest.direct.is_empty() {
        let closed = was.sources.reported >= was.sources.expected;
        let total = |known: &Known| known.table.total().ok().map(|cell| cell.value);
        let changed = total(before) != total(told);
        return if telling || !closed || !changed { Ok(()) } else { about("it was closed") };
    }
    let name = |entry: &ManifestEntry| (entry.unit.clone(), entry.statement);
    let held = |entry: &&ManifestEntry| {
        before.manifest.direct.iter().any(|other| name(other) == name(entry))
    };
    let added = told.manifest.direct.iter().filter(|entry| !held(entry));
    let mut reasons = added.filter_map(|entry| input(entry.statement.as_ref()?));
    match reasons.find(|reason| reason.is_telling()) {
        Some(reason) if !telling => about(&format!("an input that it adds is {reason}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "invariants_tests.rs"]
mod tests;
