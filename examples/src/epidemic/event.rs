//! Events: what changed in a municipality's twin, in plain values.

use core::fmt;
use std::collections::BTreeMap;

/// The value of a field, as a file or the HTTP API would give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldValue {
    /// A text, an enum's value, a date, a decimal, or the id of a record.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Boolean(value) => write!(f, "{value}"),
        }
    }
}

impl From<&str> for FieldValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for FieldValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for FieldValue {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for FieldValue {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<jiff::civil::Date> for FieldValue {
    fn from(date: jiff::civil::Date) -> Self {
        Self::Text(date.to_string())
    }
}

impl From<&FieldValue> for serde_json::Value {
    fn from(value: &FieldValue) -> Self {
        match value {
            FieldValue::Text(text) => text.as_str().into(),
            FieldValue::Integer(number) => (*number).into(),
            FieldValue::Boolean(value) => (*value).into(),
        }
    }
}

/// The set fields of a record, by the names of the schema.
pub type Fields = BTreeMap<&'static str, FieldValue>;

/// What happened to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is now exactly this.
    Put(Fields),
    /// It is gone.
    Delete,
}

/// One change of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its kind in the schema.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// What happened.
    pub change: Change,
}

impl Event {
    pub(super) fn put(kind: &'static str, id: impl Into<String>, fields: Fields) -> Self {
        Self { kind, id: id.into(), change: Change::Put(fields) }
    }

    /// The record as a JSON object; `None` for a deletion.
    #[must_use]
    pub fn to_json(&self) -> Option<serde_json::Map<String, serde_json::Value>> {
        match &self.change {
            Change::Put(fields) => Some(
                fields.iter().map(|(name, value)| ((*name).to_owned(), value.into())).collect(),
            ),
            Change::Delete => None,
        }
    }
}

/// What a municipality holds after its events so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holdings(BTreeMap<(&'static str, String), Fields>);

impl Holdings {
    /// Applies events in order.
    pub fn apply(&mut self, events: &[Event]) {
        for event in events {
            let key = (event.kind, event.id.clone());
            match &event.change {
                Change::Put(fields) => drop(self.0.insert(key, fields.clone())),
                Change::Delete => drop(self.0.remove(&key)),
            }
        }
    }

    /// The records of a kind, by id.
    pub fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Fields)> {
        let records = self.0.iter().filter(move |((k, _), _)| *k == kind);
        records.map(|((_, id), fields)| (id.as_str(), fields))
    }
}
