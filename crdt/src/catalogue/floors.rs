//! The `floor` of an indicator: fewest contributors of a told cell, per class of recipients.

use reeve_statement::catalogue::{Floors, RecipientClass};

use crate::located::{Report, Section};
use crate::schema::Kind;

/// The floor of a class that is told nothing.
pub const NEVER: u32 = Floors::NEVER;

/// The floor that means exact.
const EXACT: u32 = 1;

/// Reads `floor`.
pub(super) fn floors(
    section: &mut Section<'_>,
    kind: &Kind,
    has_legal_basis: bool,
    report: &mut Report<'_>,
) -> Option<Floors> {
    let absent = if kind.is_personal() { NEVER } else { EXACT };
    if section.entry("floor").is_none() {
        if kind.is_personal() {
            let expected = "a table such as { superior = 5 }, because the kind is personal";
            section.missing("floor", expected, report);
            return None;
        }
        return Some(Floors { superior: EXACT, neighbour: EXACT, public: EXACT });
    }
    let mut table = section.section("floor", report)?;
    let superior = floor(&mut table, "superior", absent, report);
    let neighbour = floor(&mut table, "neighbour", absent, report);
    let public = floor(&mut table, "public", absent, report);
    let floors = Floors { superior: superior?, neighbour: neighbour?, public: public? };
    check(&table, kind, floors, has_legal_basis, report);
    table.finish(report);
    Some(floors)
}

fn floor(
    table: &mut Section<'_>,
    key: &'static str,
    absent: u32,
    report: &mut Report<'_>,
) -> Option<u32> {
    let Some(entry) = table.entry(key) else { return Some(absent) };
    let (number, span) = table.integer(key, report)?;
    let floor = u32::try_from(number).ok().filter(|floor| (EXACT..NEVER).contains(floor));
    if floor.is_none() {
        let next = "leave the class out if it is to be told nothing";
        let path = table.path_of(key);
        report.add(span, &path, "1 or more contributors", super::indicator::found(entry), next);
    }
    floor
}

fn check(
    table: &Section<'_>,
    kind: &Kind,
    floors: Floors,
    has_legal_basis: bool,
    report: &mut Report<'_>,
) {
    if floors.superior > floors.neighbour || floors.neighbour > floors.public {
        let expected = "floors that do not fall from superior to neighbour to public";
        let found = format!(
            "superior {}, neighbour {}, public {}",
            shown(floors.superior),
            shown(floors.neighbour),
            shown(floors.public)
        );
        let next = "a coarser class is told a coarsening of what a finer one is told";
        report.add(table.span(), table.path(), expected, found, next);
    }
    let exact = RecipientClass::ALL.iter().any(|class| floors.of(*class) == EXACT);
    if kind.is_personal() && exact && !has_legal_basis {
        let expected = "a `legal_basis` beside a floor of 1, because the kind is personal";
        let next = "name the law in `legal_basis`, or raise the floor";
        report.add(table.span(), table.path(), expected, "none", next);
    }
}

/// A floor for a message.
pub(super) fn shown(floor: u32) -> String {
    if floor == NEVER { "left out".to_owned() } else { floor.to_string() }
}
