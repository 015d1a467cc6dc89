//! Records as JSON objects, for the HTTP API and NDJSON files.
//!
//! An unset field is absent (`null` is read as unset). Decimals are strings, because a JSON number
//! is a float to most readers; a whole number is accepted for one. Dates and moments are strings.

use serde_json::{Map, Value as Json};

use super::{Fault, FieldError, Record, Value};
use crate::schema::{FieldType, Kind};

impl Record {
    /// The record as a JSON object. This shows its values: only for whoever may see the record.
    #[must_use]
    pub fn to_json(&self, kind: &Kind) -> Json {
        let values = self.iter().filter_map(|(name, value)| {
            let field = kind.field(name.as_str())?;
            Some((name.to_string(), value.to_json(&field.field_type)))
        });
        Json::Object(values.collect())
    }

    /// Reads a JSON object. Whether required fields are set is for [`Kind::validate`].
    ///
    /// # Errors
    /// Every field that is unknown or does not spell a value of its type.
    pub fn from_json(kind: &Kind, object: &Map<String, Json>) -> Result<Self, Vec<FieldError>> {
        let mut record = Self::new();
        let mut errors = Vec::new();
        for (name, json) in object.iter().filter(|(_, json)| !json.is_null()) {
            let parsed = match kind.field(name) {
                Some(field) => {
                    Value::from_json(&field.field_type, json).map(|v| (field.id.clone(), v))
                }
                None => Err(Fault::UnknownField),
            };
            match parsed {
                Ok((id, value)) => drop(record.set(id, value)),
                Err(fault) => {
                    errors.push(FieldError { field: crate::located::excerpt(name), fault });
                }
            }
        }
        if errors.is_empty() { Ok(record) } else { Err(errors) }
    }
}

impl Value {
    /// The value as JSON. This shows it: only for whoever may see the record.
    #[must_use]
    pub fn to_json(&self, field_type: &FieldType) -> Json {
        match self {
            Self::Integer(number) => Json::from(*number),
            Self::Boolean(value) => Json::from(*value),
            _ => Json::from(self.to_text(field_type)),
        }
    }

    /// Reads a value of a field's type from JSON.
    ///
    /// # Errors
    /// A [`Fault`] that does not show the value.
    pub fn from_json(field_type: &FieldType, json: &Json) -> Result<Self, Fault> {
        let wrong = |found| Fault::WrongType { expected: field_type.name(), found };
        match (field_type, json) {
            (FieldType::Integer { .. } | FieldType::Decimal { .. }, Json::Number(number)) => {
                let whole = number.as_i64().ok_or_else(|| wrong("a float; write a string"))?;
                Self::parse(field_type, &whole.to_string())
            }
            (FieldType::Integer { .. }, Json::String(_)) => Err(wrong("a string")),
            (FieldType::Boolean, Json::Bool(value)) => Ok(Self::Boolean(*value)),
            (FieldType::Boolean, _) => Err(wrong("no boolean")),
            (_, Json::String(text)) => Self::parse(field_type, text),
            (_, Json::Null) => Err(wrong("null")),
            (_, Json::Bool(_)) => Err(wrong("a boolean")),
            (_, Json::Number(_)) => Err(wrong("a number")),
            (_, Json::Array(_)) => Err(wrong("an array")),
            (_, Json::Object(_)) => Err(wrong("an object")),
        }
    }
}
