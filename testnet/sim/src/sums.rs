//! What must be true of one release and of the statements that it names: the auditor's sums, done
//! again with nothing of the core's.

use std::collections::BTreeSet;
use std::rc::Rc;

use reeve_audit::{Adding, roots, sum};
use reeve_statement::catalogue::RecipientClass;
use reeve_statement::completeness::{Counts, ManifestEntry, UnitState};
use reeve_statement::digest::Digest;
use reeve_statement::notice::NoticeCode;
use reeve_statement::release::{Release, Sources};
use reeve_statement::statement::Body;
use reeve_statement::table::Table;
use reeve_statement::unit::UnitId;

use crate::invariants::Found;
use crate::known::Known;
use crate::model::{AREA_DEPTH, PERSONAL};

/// What an issuer knew: statements that had reached it and whose signature holds.
pub(crate) type Received<'a> = &'a dyn Fn(&Digest) -> Option<Rc<Known>>;

/// What one entry of a manifest must say.
struct Due {
    state: UnitState,
    counts: Counts,
    /// The statement whose table is in the sum.
    added: Option<Rc<Known>>,
}

/// Completeness counts nobody as reported whose statement, for this figure, had not come and been
/// verified; it names everybody whom the register expects, and who left it, and adds up.
pub(crate) fn invariant_completeness_is_earned(
    told: &Known,
    (expected, left): &(BTreeSet<UnitId>, BTreeSet<UnitId>),
    lies: &dyn Fn(&UnitId) -> bool,
    received: Received<'_>,
) -> Found {
    let Some(release) = told.release() else { return Ok(()) };
    let name = figure_name(told, release);
    let named: BTreeSet<UnitId> =
        told.manifest.direct.iter().map(|entry| entry.unit.clone()).collect();
    if named != *expected || named.len() != told.manifest.direct.len() {
        return Err(format!("{name} names {named:?}, the register {expected:?}"));
    }
    let mut counts = Counts::default();
    let mut exceptions = BTreeSet::new();
    // A superior without records of its own that all have left has no part itself, and tells nothing.
    let empty = told.table.rows.is_empty() && told.table.unlisted.is_empty();
    let only_adds = !left.is_empty() && empty && release.sources.expected == 0;
    if let Some(own) = own_state(told, release).filter(|_| !only_adds) {
        counts.add(own, 1);
        if own != UnitState::Reported {
            exceptions.insert((Vec::new(), own, Some(release.sources)));
        }
    }
    for unit in left {
        counts.add(UnitState::Left, 1);
        exceptions.insert((vec![unit.clone()], UnitState::Left, None));
    }
    for entry in &told.manifest.direct {
        let due =
            due(told, release, entry, lies, received).map_err(|what| format!("{name}: {what}"))?;
        if entry.state != due.state || entry.counts != due.counts {
            return Err(format!(
                "{name} says of {}: {} ({}); it is {} ({})",
                entry.unit, entry.state, entry.counts, due.state, due.counts
            ));
        }
        counts.merge(&due.counts);
        match &due.added {
            None => drop(exceptions.insert((vec![entry.unit.clone()], due.state, None))),
            Some(added) => exceptions.extend(added.manifest.exceptions.iter().map(|below| {
                let units = core::iter::once(&entry.unit).chain(&below.units);
                (units.cloned().collect(), below.state, below.sources)
            })),
        }
    }
    if release.counts != counts {
        return Err(format!("{name} counts {}, its parts {counts}", release.counts));
    }
    let told_of: BTreeSet<(Vec<UnitId>, UnitState, Option<Sources>)> = told
        .manifest
        .exceptions
        .iter()
        .map(|it| (it.units.clone(), it.state, it.sources))
        .collect();
    if told_of != exceptions {
        return Err(format!("{name} excepts {told_of:?}, its parts {exceptions:?}"));
    }
    Ok(())
}

/// A figure is the sum of the issuer's own table and of the statements that it names as included.
pub(crate) fn invariant_a_figure_is_the_sum_of_its_inputs(
    told: &Known,
    lies: &dyn Fn(&UnitId) -> bool,
    received: Received<'_>,
) -> Found {
    let Some(release) = told.release() else { return Ok(()) };
    if told.manifest.direct.is_empty() {
        return Ok(());
    }
    let mut parts: Vec<(Option<&UnitId>, &Table)> =
        told.own.iter().map(|own| (None, own)).collect();
    let dues: Vec<(&UnitId, Due)> = told
        .manifest
        .direct
        .iter()
        .filter_map(|entry| Some((&entry.unit, due(told, release, entry, lies, received).ok()?)))
        .collect();
    let added =
        dues.iter().filter_map(|(unit, due)| Some((Some(*unit), &due.added.as_ref()?.table)));
    parts.extend(added);
    let sum = sum(&parts, AREA_DEPTH, Adding::Sum).ok_or("the sum leaves 64 bits")?;
    if sum == told.table {
        Ok(())
    } else {
        let name = figure_name(told, release);
        Err(format!("{name} tells {:?}, its inputs add up to {sum:?}", told.table))
    }
}

/// The roots of a release are those of the statements that it includes and of its manifest.
pub(crate) fn invariant_the_roots_are_of_the_inputs(told: &Known) -> Found {
    let Some(release) = told.release() else { return Ok(()) };
    if (release.inputs_root, release.manifest_root) == roots(&told.manifest.direct) {
        Ok(())
    } else {
        Err(format!("{}: the roots are not those of what it names", figure_name(told, release)))
    }
}

fn figure_name(told: &Known, release: &Release) -> String {
    let (issuer, Release { indicator, period, edition, .. }) = (&told.statement.issuer, release);
    format!("{issuer}, {indicator} {period}, edition {edition}")
}

/// The state of the issuer's own part; none where it has none.
fn own_state(told: &Known, release: &Release) -> Option<UnitState> {
    let own = told.own.is_some() || told.manifest.direct.is_empty();
    let closed = release.sources.reported >= release.sources.expected.max(1);
    own.then_some(if closed { UnitState::Reported } else { UnitState::Partial })
}

fn due(
    told: &Known,
    release: &Release,
    entry: &ManifestEntry,
    lies: &dyn Fn(&UnitId) -> bool,
    received: Received<'_>,
) -> Result<Due, String> {
    let missing = |state| Due { state, counts: Counts::one(state), added: None };
    let Some(digest) = &entry.statement else {
        let silent = [
            UnitState::Awaited,
            UnitState::Late,
            UnitState::NeverReported,
            UnitState::Revoked,
            UnitState::NotDue,
            UnitState::Unreachable,
        ];
        // Who tells its superior and not the class has said nothing of the class.
        let closed = release.class != RecipientClass::Superior;
        if silent.contains(&entry.state) || (closed && entry.state == UnitState::Declined) {
            return Ok(missing(entry.state));
        }
        return Err(format!("{} is {} without a statement", entry.unit, entry.state));
    };
    let Some(said) = received(digest) else {
        return Err(format!("{digest} of {} had not come, or does not verify", entry.unit));
    };
    let statement = &said.statement;
    let about = statement.figure();
    // Why there is nothing for the superior is why there is nothing for another class.
    let for_superior = matches!(statement.body, Body::Notice(_));
    let right_figure = about.as_ref().is_some_and(|(id, edition)| {
        id.indicator == release.indicator
            && (id.class == release.class || (for_superior && id.class == RecipientClass::Superior))
            && id.period.is_none_or(|period| period == release.period)
            && *edition == entry.edition
    });
    let right_issuer = statement.issuer.is_child_of(&told.statement.issuer)
        && *statement.issuer.leaf() == entry.unit
        && statement.term == entry.term;
    if !right_figure || !right_issuer {
        let (issuer, term) = (&statement.issuer, statement.term);
        return Err(format!("{digest} of {} is {about:?} of {issuer} in term {term}", entry.unit));
    }
    match &statement.body {
        Body::Notice(notice) => Ok(missing(state_after(notice.code))),
        Body::Release(input) if is_other(release, input) => Ok(missing(UnitState::OtherDefinition)),
        // Honest figures are plausible; what a liar says may be set aside, and is then not added.
        Body::Release(_) if entry.state == UnitState::Implausible && lies(&entry.unit) => {
            Ok(missing(UnitState::Implausible))
        }
        Body::Release(input) => {
            let full = input.counts.of(UnitState::Reported) == input.counts.total();
            let state = if full { UnitState::Reported } else { UnitState::Partial };
            Ok(Due { state, counts: input.counts.clone(), added: Some(said.clone()) })
        }
        _ => Err(format!("{digest} of {} is no figure", entry.unit)),
    }
}

/// Whether an input follows another definition, or tells more finely than the sum may.
fn is_other(sum: &Release, input: &Release) -> bool {
    let (needed, found) = (sum.decision.conditions.floor, input.decision.conditions.floor);
    let personal = sum.indicator.as_str() == PERSONAL;
    input.definition != sum.definition || (personal && found < needed && needed > 1)
}

const fn state_after(code: NoticeCode) -> UnitState {
    match code {
        NoticeCode::Declined => UnitState::Declined,
        NoticeCode::NotAdopted => UnitState::NotAdopted,
        NoticeCode::NotDue => UnitState::NotDue,
        NoticeCode::NoReport | NoticeCode::Sealed => UnitState::NoReport,
        NoticeCode::Withdrawn => UnitState::Withdrawn,
        NoticeCode::UnknownIndicator => UnitState::OtherDefinition,
    }
}

#[cfg(test)]
#[path = "sums_tests.rs"]
mod tests;
