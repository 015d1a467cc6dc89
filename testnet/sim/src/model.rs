//! The reference: which records each home was told of, and what figures must therefore be.
//!
//! It knows nothing of twins, editions or roll-ups. A record whose last write was not acknowledged may
//! say the old thing or the new; it is settled by asking the node, and must be one of the two.

use std::collections::{BTreeMap, BTreeSet};

use reeve_protocol::NodeKey;
use reeve_protocol::effect::AskId;
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
pub(crate) fn catalogue_text(version: u64) -> String {
    let floor = FLOOR - 1 + i64::try_from(version).unwrap();
    format!("[catalogue]\nversion = {version}\n{INDICATORS}floor = {{ superior = {floor} }}\n")
}

const INDICATORS: &str = r#"
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

/// The least floor of the indicator `patients`, in any version.
pub(crate) const FLOOR: i64 = 5;

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Said {
    pub(crate) day: &'static str,
    /// Of a patient; a case has none.
    pub(crate) ward: Option<&'static str>,
}

/// Names a record: the node that writes it, and its id there. No two nodes write the same one.
pub(crate) type Name = (NodeKey, String);

/// A write that is not answered yet.
#[derive(Debug)]
struct Open {
    name: Name,
    said: Option<Said>,
}

/// Records as the clients know them.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// What each record may say; none among it: it may be absent.
    records: BTreeMap<Name, BTreeSet<Option<Said>>>,
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
        self.open.values().any(|open| open.name == *name)
    }

    pub(crate) fn ask(&mut self, ask: AskId, name: Name, said: Option<Said>) {
        self.open.insert(ask, Open { name, said });
    }

    /// The write is acknowledged: from now on the record says this and nothing else.
    pub(crate) fn acknowledge(&mut self, ask: AskId) -> bool {
        let Some(Open { name, said }) = self.open.remove(&ask) else { return false };
        self.records.insert(name, BTreeSet::from([said]));
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
            self.open.iter().filter(|(_, open)| open.name.0 == node).map(|(ask, _)| *ask).collect();
        for ask in lost {
            let Some(Open { name, said }) = self.open.remove(&ask) else { continue };
            self.records.entry(name).or_insert_with(|| BTreeSet::from([None])).insert(said);
        }
    }

    /// Records that may say more than one thing.
    pub(crate) fn unsettled(&self) -> Vec<Name> {
        let several = self.records.iter().filter(|(_, may)| may.len() > 1);
        several.map(|(name, _)| name.clone()).collect()
    }

    /// What a record was found to say; false if it may not say that.
    pub(crate) fn settle(&mut self, name: &Name, said: Option<Said>) -> bool {
        let Some(may) = self.records.get_mut(name) else { return said.is_none() };
        let right = may.contains(&said);
        *may = BTreeSet::from([said]);
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

    /// Every record with what it must say.
    pub(crate) fn settled(&self) -> impl Iterator<Item = (&Name, Option<Said>)> {
        self.records.iter().filter_map(|(name, may)| Some((name, *may.first()?)))
    }
}
