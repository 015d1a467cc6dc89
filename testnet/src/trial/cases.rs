//! The cases that a trial writes, and what a client may believe of them afterwards.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use reeve::api::{Operation, RecordView};
use serde_json::{Map, Value, json};

/// The days on which cases are reported.
pub(crate) const DAYS: [&str; 3] = ["2020-03-01", "2020-03-02", "2020-03-03"];

/// Ids that a unit's cases have: few, so that most writes change or delete what is there.
const IDS: u32 = 80;

/// Longest note, in characters, as in the schema.
const NOTE: usize = 200;

/// What notes are made of. No log may show it.
pub(crate) const CANARY: &str = "told-to-a-doctor ";

/// Operations of a hundred that delete.
const DELETES: u32 = 15;

/// The fields of a record.
pub(crate) type Fields = Map<String, Value>;

/// A case that was confirmed on a day.
pub(crate) fn case(day: &str, age: u32, sex: &str, note: &str) -> Fields {
    let fields = json!({
        "status": "confirmed", "reported_on": day, "age": age, "sex": sex, "note": note,
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Fields::new(),
    }
}

/// An operation by chance, on one of `days`.
fn operation(prefix: &str, days: &[&str], chance: &mut ChaCha8Rng) -> Operation {
    let id = format!("{prefix}c{}", chance.random_range(0..IDS));
    if chance.random_range(0..100) < DELETES {
        return Operation::Delete { id };
    }
    let day = days.get(chance.random_range(0..days.len())).copied().unwrap_or_default();
    let sex = if chance.random_bool(0.5) { "female" } else { "male" };
    let note = CANARY.repeat(chance.random_range(0..=NOTE / CANARY.len()));
    Operation::Put { id, record: case(day, chance.random_range(0..=100), sex, &note) }
}

/// What a record may say: one thing once an answer came, several while one is missing.
type May = BTreeSet<Option<String>>;

/// What a client knows of the records that it wrote to one node.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// How its records' ids begin, if others write to the same home.
    prefix: String,
    records: BTreeMap<String, May>,
}

impl Known {
    /// Nothing yet, about records whose ids begin so.
    pub(crate) fn beginning_with(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), records: BTreeMap::new() }
    }

    /// Some operations by chance, about to be sent.
    pub(crate) fn draw(
        &mut self,
        count: usize,
        days: &[&str],
        chance: &mut ChaCha8Rng,
    ) -> Vec<Operation> {
        let drawn: Vec<Operation> =
            (0..count).map(|_| operation(&self.prefix, days, chance)).collect();
        self.sent(&drawn);
        drawn
    }

    /// These operations are about to be sent.
    pub(crate) fn sent(&mut self, operations: &[Operation]) {
        for (id, says) in operations.iter().filter_map(says) {
            self.records.entry(id.to_owned()).or_insert_with(absent).insert(says);
        }
    }

    /// They were acknowledged.
    pub(crate) fn acknowledged(&mut self, operations: &[Operation]) {
        for (id, says) in operations.iter().filter_map(says) {
            self.records.insert(id.to_owned(), May::from([says]));
        }
    }

    /// Holds the records that are there against what is known; from then on they are what is known.
    ///
    /// # Errors
    /// Which record is not what it may be, in words.
    pub(crate) fn hold(&mut self, records: &[RecordView]) -> Result<(), String> {
        let mut held: BTreeMap<&str, Option<String>> = BTreeMap::new();
        for view in records.iter().filter(|view| view.id.starts_with(&self.prefix)) {
            if held.insert(&view.id, Some(text(&view.record))).is_some() {
                return Err(format!("record {} is there twice", view.id));
            }
            if !self.records.contains_key(&view.id) {
                return Err(format!("record {} came from nowhere", view.id));
            }
        }
        for (id, may) in &mut self.records {
            let says = held.remove(id.as_str()).unwrap_or_default();
            if !may.contains(&says) {
                let what = if says.is_none() { "lost" } else { "not what was acknowledged" };
                return Err(format!("record {id} is {what}"));
            }
            *may = May::from([says]);
        }
        Ok(())
    }
}

fn absent() -> May {
    May::from([None])
}

fn says(operation: &Operation) -> Option<(&str, Option<String>)> {
    match operation {
        Operation::Put { id, record } => Some((id, Some(text(record)))),
        Operation::Delete { id } => Some((id, None)),
        Operation::Set { .. } => None,
    }
}

/// Fields in one form, sorted by name.
fn text(fields: &Fields) -> String {
    let sorted: BTreeMap<&String, &Value> = fields.iter().collect();
    format!("{sorted:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(id: &str, age: u32) -> Operation {
        Operation::Put { id: id.to_owned(), record: case("2020-03-01", age, "female", "") }
    }

    fn view(id: &str, age: u32) -> RecordView {
        RecordView { id: id.to_owned(), record: case("2020-03-01", age, "female", "") }
    }

    #[test]
    fn what_was_acknowledged_must_be_there() {
        let mut known = Known::default();
        known.sent(&[put("a", 1)]);
        known.acknowledged(&[put("a", 1)]);
        assert!(known.hold(&[]).is_err_and(|what| what.contains("lost")));
        assert!(known.hold(&[view("a", 2)]).is_err());
        assert!(known.hold(&[view("a", 1), view("b", 1)]).is_err());
        assert_eq!(known.hold(&[view("a", 1)]), Ok(()));
    }

    #[test]
    fn what_was_not_answered_may_be_there_or_not_but_not_change_its_mind() {
        let mut known = Known::default();
        known.sent(&[put("a", 1)]);
        assert_eq!(known.hold(&[]), Ok(()));
        assert!(known.hold(&[view("a", 1)]).is_err());
        known.sent(&[put("a", 2)]);
        assert_eq!(known.hold(&[view("a", 2)]), Ok(()));
        assert!(known.hold(&[]).is_err());
    }
}
