//! One value of a field: its type, its check against the schema, its text form.

use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use reeve_statement::time::Timestamp;

use super::RecordId;
use crate::schema::FieldType;

/// The value of one field. `Debug` shows its type only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Free text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A decimal number, times ten to its field's scale.
    Decimal(i64),
    /// True or false.
    Boolean(bool),
    /// A civil date.
    Date(Date),
    /// A moment.
    Timestamp(Timestamp),
    /// A value of an enum or a label of a band.
    Enum(Arc<str>),
    /// The id of a record of the kind that the field names.
    Reference(RecordId),
}

/// What is wrong with a value, without the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The kind has no such field.
    #[error("the kind has no such field; remove it or add it to the schema")]
    UnknownField,
    /// A required field is not set.
    #[error("a value is required, found none")]
    Missing,
    /// The value has another type than the field.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// The field's type.
        expected: &'static str,
        /// The value's type.
        found: &'static str,
    },
    /// The text does not spell a value of the type.
    #[error("expected {expected}")]
    Malformed {
        /// What would do.
        expected: &'static str,
    },
    /// A number outside of the declared range; both ends scaled if the field is a decimal.
    #[error("expected a number from {min} to {max}")]
    OutOfRange {
        /// Least value, as text.
        min: String,
        /// Greatest value, as text.
        max: String,
    },
    /// More digits after the point than the field keeps; nothing is rounded silently.
    #[error("expected at most {scale} digits after the point")]
    TooPrecise {
        /// The field's scale.
        scale: u8,
    },
    /// Not one of the closed values.
    #[error("expected one of the {count} values of the schema, such as `{example}`")]
    NotInDomain {
        /// How many values there are.
        count: usize,
        /// The first of them.
        example: Arc<str>,
    },
    /// A text longer than declared.
    #[error("expected at most {max} characters, found {found}")]
    TooLong {
        /// Most characters.
        max: u32,
        /// Characters found.
        found: usize,
    },
    /// Control characters in a text.
    #[error("expected text without control characters other than line breaks and tabs")]
    ControlCharacter,
    /// The record as a whole is too large.
    #[error("the record: expected at most {} bytes, found {found}", super::MAX_RECORD_BYTES)]
    RecordTooLarge {
        /// Bytes found.
        found: usize,
    },
}

impl Value {
    /// Reads a value of a field's type from text. The empty text is a value only of a text field:
    /// a caller for whom "" means "not set" does not call this.
    ///
    /// # Errors
    /// A [`Fault`] that does not show the text.
    pub fn parse(field_type: &FieldType, text: &str) -> Result<Self, Fault> {
        let malformed = |expected| Fault::Malformed { expected };
        let value = match field_type {
            FieldType::Enum { values: domain } | FieldType::Band { labels: domain } => {
                let known = domain.iter().find(|value| value.as_ref() == text);
                Self::Enum(known.cloned().ok_or_else(|| not_in(domain))?)
            }
            FieldType::Text { .. } => Self::Text(text.to_owned()),
            FieldType::Integer { .. } => {
                let number = text.parse().map_err(|_| malformed("a whole number such as 42"))?;
                Self::Integer(number)
            }
            FieldType::Decimal { scale, .. } => Self::Decimal(parse_decimal(text, *scale)?),
            FieldType::Boolean => match text {
                "true" => Self::Boolean(true),
                "false" => Self::Boolean(false),
                _ => return Err(malformed("true or false")),
            },
            FieldType::Date => Self::Date(parse_date(text)?),
            FieldType::Timestamp => {
                let at = text.parse().map_err(|_| malformed("a moment, 2020-03-01T12:00:00Z"))?;
                Self::Timestamp(at)
            }
            FieldType::Reference { .. } => {
                let id = RecordId::new(text).map_err(|_| malformed("the id of a record"))?;
                Self::Reference(id)
            }
        };
        value.check(field_type)?;
        Ok(value)
    }

    /// Holds the value against a field's type.
    ///
    /// # Errors
    /// A [`Fault`] that does not show the value.
    pub fn check(&self, field_type: &FieldType) -> Result<(), Fault> {
        match (field_type, self) {
            (
                FieldType::Enum { values: domain } | FieldType::Band { labels: domain },
                Self::Enum(value),
            ) => {
                if domain.contains(value) {
                    Ok(())
                } else {
                    Err(not_in(domain))
                }
            }
            (FieldType::Text { max }, Self::Text(text)) => check_text(text, *max),
            (FieldType::Integer { min, max }, Self::Integer(number)) => {
                check_range(*number, *min, *max, 0)
            }
            (FieldType::Decimal { scale, min, max }, Self::Decimal(number)) => {
                check_range(*number, *min, *max, *scale)
            }
            (FieldType::Date, Self::Date(day)) => check_year(Some(*day)),
            (FieldType::Timestamp, Self::Timestamp(at)) => {
                let utc = at.to_jiff().map(|at| at.to_zoned(TimeZone::UTC).date());
                check_year(utc)
            }
            (FieldType::Boolean, Self::Boolean(_))
            | (FieldType::Reference { .. }, Self::Reference(_)) => Ok(()),
            (field_type, value) => {
                Err(Fault::WrongType { expected: field_type.name(), found: value.type_name() })
            }
        }
    }

    /// The value as text, as [`Value::parse`] reads it. This shows the value: only for whoever may
    /// see the record.
    #[must_use]
    pub fn to_text(&self, field_type: &FieldType) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Decimal(number) => match field_type {
                FieldType::Decimal { scale, .. } => decimal_text(*number, *scale),
                _ => number.to_string(),
            },
            Self::Boolean(value) => value.to_string(),
            Self::Date(date) => date.to_string(),
            Self::Timestamp(at) => at.to_string(),
            Self::Enum(value) => value.to_string(),
            Self::Reference(id) => id.as_str().to_owned(),
        }
    }

    /// The text of a text, an enum's value or a reference.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Enum(value) => Some(value),
            Self::Reference(id) => Some(id.as_str()),
            _ => None,
        }
    }

    /// The number of an integer, or of a decimal times ten to its scale.
    #[must_use]
    pub fn as_number(&self) -> Option<i64> {
        match self {
            Self::Integer(number) | Self::Decimal(number) => Some(*number),
            _ => None,
        }
    }

    /// The value's type, for a message.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Integer(_) => "integer",
            Self::Decimal(_) => "decimal",
            Self::Boolean(_) => "boolean",
            Self::Date(_) => "date",
            Self::Timestamp(_) => "timestamp",
            Self::Enum(_) => "enum",
            Self::Reference(_) => "reference",
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(redacted)", self.type_name())
    }
}

fn not_in(domain: &[Arc<str>]) -> Fault {
    let example = domain.first().cloned().unwrap_or_else(|| Arc::from(""));
    Fault::NotInDomain { count: domain.len(), example }
}

fn check_text(text: &str, max: u32) -> Result<(), Fault> {
    let found = text.chars().count();
    if usize::try_from(max).is_ok_and(|max| found > max) {
        return Err(Fault::TooLong { max, found });
    }
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.chars().any(control) { Err(Fault::ControlCharacter) } else { Ok(()) }
}

fn check_range(number: i64, min: i64, max: i64, scale: u8) -> Result<(), Fault> {
    if (min..=max).contains(&number) {
        return Ok(());
    }
    Err(Fault::OutOfRange { min: decimal_text(min, scale), max: decimal_text(max, scale) })
}

/// Four digits, as ISO 8601 and RFC 3339 write a year.
fn check_year(day: Option<Date>) -> Result<(), Fault> {
    let four_digits = day.is_some_and(|day| (0..=9_999).contains(&day.year()));
    if four_digits { Ok(()) } else { Err(Fault::Malformed { expected: "a year from 0 to 9999" }) }
}

/// A date in the extended form of ISO 8601 only, so that one day has one spelling.
fn parse_date(text: &str) -> Result<Date, Fault> {
    let fault = Fault::Malformed { expected: "a date that exists, written 2020-03-01" };
    if text.len() != "2020-03-01".len() {
        return Err(fault);
    }
    text.parse().map_err(|_| fault)
}

/// Reads a decimal number exactly, as a whole number of units of `10^-scale`.
///
/// # Errors
/// [`Fault::TooPrecise`] if digits would be lost, [`Fault::Malformed`] if it is no such number or
/// does not fit 64 bits.
pub fn parse_decimal(text: &str, scale: u8) -> Result<i64, Fault> {
    let fault = Fault::Malformed { expected: "a decimal number such as -12.5" };
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let numeric = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !numeric(whole) || !numeric(fraction) {
        return Err(fault);
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > usize::from(scale) {
        return Err(Fault::TooPrecise { scale });
    }
    let padding = usize::from(scale).saturating_sub(fraction.len());
    let sign = if negative { "-" } else { "" };
    format!("{sign}{whole}{fraction}{}", "0".repeat(padding)).parse().map_err(|_| fault)
}

/// A scaled number as a decimal with exactly `scale` digits after the point.
pub(super) fn decimal_text(number: i64, scale: u8) -> String {
    let scale = usize::from(scale);
    let digits = format!("{:0>width$}", number.unsigned_abs(), width = scale.saturating_add(1));
    let sign = if number < 0 { "-" } else { "" };
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(scale));
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}
