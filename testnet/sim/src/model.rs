//! The reference: which records each home was told of, and what figures must therefore be.
//!
//! It knows nothing of twins, editions or roll-ups. A record whose last write was not acknowledged may
//! say the old thing or the new; it is settled by asking the node, and must be one of the two.

use std::collections::{BTreeMap, BTreeSet};

use reeve_protocol::NodeKey;
use reeve_protocol::effect::AskId;
use reeve_statement::catalogue::RecipientClass;
use reeve_statement::unit::UnitPath;

/// Days that records fall on.
pub(crate) const DAYS: [&str; 3] = ["2026-02-27", "2026-02-28", "2026-03-01"];

/// Wards of patients.
pub(crate) const WARDS: [&str; 2] = ["north", "south"];

/// Stands in every record's free text; nothing that crosses a border may hold it.
pub(crate) const CANARY: &str = "canary-7f3a";

pub(crate) const SCHEMA: &str = r#"
[schema]
name = "sim"
version = 1
[kind.case]
twin = "emergency"
[kind.case.field.reported_on]
type = "date"
required = true
[kind.case.field.note]
type = "text"
max = 200
[kind.patient]
twin = "emergency"
subject = "person"
[kind.patient.field.seen_on]
type = "date"
required = true
[kind.patient.field.ward]
type = "enum"
values = ["north", "south"]
[kind.patient.field.note]
type = "text"
max = 200
"#;

/// A version of the catalogue: each one is stricter about `patients` than the one before it. (A figure
/// once told at a floor is not told below it; a home that missed the stricter version would be set
/// aside for good by one that did not.)
///
/// With a calendar, both are due on working days only.
pub(crate) fn catalogue_text(version: u64, calendar: bool) -> String {
    let [superior, neighbour, public] = RecipientClass::ALL.map(|class| floor(version, class));
    let due = if calendar { "due = \"working\"\n" } else { "" };
    let catalogue = CATALOGUE.replace("basis =", &format!("{due}basis ="));
    format!(
        "[catalogue]\nversion = {version}\n{catalogue}\
         floor = {{ superior = {superior}, neighbour = {neighbour}, public = {public} }}\n"
    )
}

/// Whether a day is due by the calendar of a unit: all work from Monday to Friday; [`DAYS`] are a Friday,
/// a Saturday and a Sunday, and those on holiday have the Friday off.
pub(crate) fn is_due(day: &str, on_holiday: bool) -> bool {
    day == DAYS[0] && !on_holiday
}

const CATALOGUE: &str = r#"
[indicator.cases]
title = { en = "Cases by day" }
kind = "case"
period = { field = "reported_on", step = "day" }
measure = "count"
area_depth = 8
basis = "residence"
expected_within = "36h"
[indicator.patients]
title = { en = "Patients by day and ward" }
kind = "patient"
period = { field = "seen_on", step = "day" }
group_by = ["ward"]
measure = "count"
area_depth = 8
basis = "treatment"
"#;

/// The floor of the first version's `patients`; each later version's is one higher.
const FLOOR: i64 = 5;

/// The floor that homes demand without a declaration, where any are declared: above every catalogue's.
pub(crate) const STRICT: u32 = 100;

/// The indicator on persons.
pub(crate) const PERSONAL: &str = "patients";

/// The indicators, each with the kind that it counts.
pub(crate) const INDICATORS: [(&str, &str); 2] = [("cases", "case"), (PERSONAL, "patient")];

/// How deep the indicators keep areas apart: more than any federation here has levels.
pub(crate) const AREA_DEPTH: usize = 8;

/// How long after a day its cases are expected, in milliseconds: as the catalogue says.
pub(crate) const EXPECTED_WITHIN_MS: i64 = 36 * 3_600_000;

/// The sources that close periods; where several are expected, all of these.
pub(crate) const SOURCES: [&str; 2] = ["registry", "laboratory"];

/// How much higher each coarser class's floor is.
const COARSER: [i64; 3] = [0, 2, 5];

/// Fewest contributors of a told cell of the indicator on persons, in a version of the catalogue.
pub(crate) fn floor(version: u64, class: RecipientClass) -> i64 {
    let [superior, neighbour, public] = COARSER;
    let more = match class {
        RecipientClass::Superior => superior,
        RecipientClass::Neighbour => neighbour,
        RecipientClass::Public => public,
    };
    FLOOR - 1 + i64::try_from(version).unwrap() + more
}

/// Length of the windows in which figures on persons are told, in seconds: as the policies say.
pub(crate) const WINDOW_SECONDS: u32 = 2;

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Said {
    pub(crate) day: &'static str,
    /// Of a patient; a case has none.
    pub(crate) ward: Option<&'static str>,
}

/// Names a record: the node that writes it, and its id there. No two nodes write the same one.
pub(crate) type Name = (NodeKey, String);

/// Names a closure: the node that it is written at, the kind, the day and the source.
pub(crate) type Closing = (NodeKey, &'static str, &'static str, &'static str);

/// A write that is not answered yet.
#[derive(Debug)]
enum Open {
    Record(Name, Option<Said>),
    Closure(Closing),
}

impl Open {
    fn at(&self) -> NodeKey {
        match self {
            Self::Record((at, _), _) | Self::Closure((at, ..)) => *at,
        }
    }
}

/// Records as the clients know them.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// What each record may say; none among it: it may be absent.
    records: BTreeMap<Name, BTreeSet<Option<Said>>>,
    /// Everything that each record was ever to say, for a store that forgets.
    ever: BTreeMap<Name, BTreeSet<Option<Said>>>,
    /// Whether each period is closed; both: it may be.
    closures: BTreeMap<Closing, BTreeSet<bool>>,
    open: BTreeMap<AskId, Open>,
    units: BTreeMap<NodeKey, UnitPath>,
    pub(crate) acknowledged: u64,
}

impl Model {
    pub(crate) fn place(&mut self, node: NodeKey, unit: &UnitPath) {
        self.units.insert(node, unit.clone());
    }

    /// Whether a record's last write is not answered: another one would race with it.
    pub(crate) fn is_open(&self, name: &Name) -> bool {
        self.open.values().any(|open| matches!(open, Open::Record(other, _) if other == name))
    }

    pub(crate) fn ask(&mut self, ask: AskId, name: Name, said: Option<Said>) {
        self.ever.entry(name.clone()).or_insert_with(|| BTreeSet::from([None])).insert(said);
        self.open.insert(ask, Open::Record(name, said));
    }

    pub(crate) fn ask_closure(&mut self, ask: AskId, closing: Closing) {
        self.open.insert(ask, Open::Closure(closing));
    }

    /// The write is acknowledged: from now on the record says this and nothing else.
    pub(crate) fn acknowledge(&mut self, ask: AskId) -> bool {
        match self.open.remove(&ask) {
            Some(Open::Record(name, said)) => {
                drop(self.records.insert(name, BTreeSet::from([said])))
            }
            Some(Open::Closure(closing)) => {
                self.closures.insert(closing, BTreeSet::from([true]));
            }
            None => return false,
        }
        self.acknowledged += 1;
        true
    }

    /// The node did not take the write.
    pub(crate) fn refuse(&mut self, ask: AskId) {
        self.open.remove(&ask);
    }

    /// The node is gone: what it did not answer may have happened.
    pub(crate) fn lose(&mut self, node: NodeKey) {
        let lost: Vec<AskId> =
            self.open.iter().filter(|(_, open)| open.at() == node).map(|(ask, _)| *ask).collect();
        for ask in lost {
            match self.open.remove(&ask) {
                Some(Open::Record(name, said)) => {
                    self.records.entry(name).or_insert_with(|| BTreeSet::from([None])).insert(said);
                }
                Some(Open::Closure(closing)) => {
                    let may = self.closures.entry(closing);
                    may.or_insert_with(|| BTreeSet::from([false])).insert(true);
                }
                None => {}
            }
        }
    }

    /// The node runs on an older copy of its store for good: its records may say what they once said.
    pub(crate) fn forget(&mut self, node: NodeKey) {
        self.lose(node);
        for (name, may) in self.records.iter_mut().filter(|((at, _), _)| *at == node) {
            may.extend(self.ever.get(name).into_iter().flatten().copied());
        }
        for (_, may) in self.closures.iter_mut().filter(|((at, ..), _)| *at == node) {
            may.insert(false);
        }
    }

    /// Records that may say more than one thing.
    pub(crate) fn unsettled(&self) -> Vec<Name> {
        let several = self.records.iter().filter(|(_, may)| may.len() > 1);
        several.map(|(name, _)| name.clone()).collect()
    }

    /// Every period of which a closing was asked.
    pub(crate) fn closings(&self) -> Vec<(Closing, BTreeSet<bool>)> {
        self.closures.iter().map(|(closing, may)| (*closing, may.clone())).collect()
    }

    /// What a record was found to say; false if it may not say that.
    pub(crate) fn settle(&mut self, name: &Name, said: Option<Said>) -> bool {
        let Some(may) = self.records.get_mut(name) else { return said.is_none() };
        let right = may.contains(&said);
        *may = BTreeSet::from([said]);
        right
    }

    /// Whether a period was found closed; false if it may not be so.
    pub(crate) fn settle_closure(&mut self, closing: Closing, closed: bool) -> bool {
        let Some(may) = self.closures.get_mut(&closing) else { return !closed };
        let right = may.contains(&closed);
        *may = BTreeSet::from([closed]);
        right
    }

    /// How many records of a unit say so. Everything is settled.
    pub(crate) fn count(&self, unit: &UnitPath, day: &str, ward: Option<&str>) -> i64 {
        let of_unit = |node: &NodeKey| self.units.get(node) == Some(unit);
        let says = |may: &BTreeSet<Option<Said>>| {
            may.iter().flatten().any(|said| said.day == day && said.ward == ward)
        };
        let found = self.records.iter().filter(|((node, _), may)| of_unit(node) && says(may));
        i64::try_from(found.count()).unwrap()
    }

    /// How many of a unit's sources have closed a day of a kind. Everything is settled.
    pub(crate) fn closed_by(&self, unit: &UnitPath, kind: &str, day: &str) -> usize {
        let of_day = self.closures.iter().filter(|((at, of, on, _), may)| {
            self.units.get(at) == Some(unit) && *of == kind && *on == day && may.contains(&true)
        });
        let sources: BTreeSet<&str> = of_day.map(|((.., source), _)| *source).collect();
        sources.len()
    }

    /// Every record with what it must say.
    pub(crate) fn settled(&self) -> impl Iterator<Item = (&Name, Option<Said>)> {
        self.records.iter().filter_map(|(name, may)| Some((name, *may.first()?)))
    }
}
