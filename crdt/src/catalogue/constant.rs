//! Constants of filters and ends of bands: a TOML value read as a value of a field's type.

use core::ops::Range;

use jiff::civil::Date;
use reeve_statement::catalogue::Scalar;
use reeve_statement::time::Timestamp;
use toml::de::DeValue;

use crate::located::{Entry, Report, describe, integer_of};
use crate::record::{RecordId, Value, parse_decimal};
use crate::schema::{Field, FieldType};

/// Reads a constant of the type of `field`; what does not fit is a problem at `path`.
pub(super) fn constant(
    field: &Field,
    entry: Entry<'_>,
    path: &str,
    report: &mut Report<'_>,
) -> Option<Scalar> {
    let scalar = scalar(&field.field_type, entry.value);
    if scalar.is_none() {
        wrong(field, entry.span(), describe(entry.value), path, report);
    }
    scalar
}

/// Reads a number of the type of `field`, scaled.
pub(super) fn number(
    field: &Field,
    entry: Entry<'_>,
    path: &str,
    report: &mut Report<'_>,
) -> Option<i64> {
    match constant(field, entry, path, report)? {
        Scalar::Integer(number) => Some(number),
        _ => None,
    }
}

fn wrong(field: &Field, span: Range<usize>, found: String, path: &str, report: &mut Report<'_>) {
    let expected = format!("{} of the field `{}`", expectation(&field.field_type), field.id);
    report.add(span, path, expected, found, "write a value that the schema allows");
}

fn scalar(field_type: &FieldType, value: &DeValue<'_>) -> Option<Scalar> {
    match field_type {
        FieldType::Enum { .. } | FieldType::Band { .. } => {
            let text = value.as_str()?;
            let known = field_type.domain()?.iter().any(|label| label.as_ref() == text);
            known.then(|| Scalar::Text(text.to_owned()))
        }
        FieldType::Text { .. } => value.as_str().map(|text| Scalar::Text(text.to_owned())),
        FieldType::Integer { min, max } => within(integer_of(value)?, *min, *max),
        FieldType::Decimal { scale, min, max } => {
            within(parse_decimal(&numeral(value)?, *scale).ok()?, *min, *max)
        }
        FieldType::Boolean => value.as_bool().map(Scalar::Boolean),
        FieldType::Date => {
            let date: Date = moment(value)?.parse().ok()?;
            Some(Scalar::Text(date.to_string()))
        }
        FieldType::Timestamp => {
            let at: Timestamp = moment(value)?.parse().ok()?;
            Some(Scalar::Text(at.to_string()))
        }
        FieldType::Reference { .. } => {
            RecordId::new(value.as_str()?).ok().map(|id| Scalar::Text(id.as_str().to_owned()))
        }
    }
}

fn within(number: i64, min: i64, max: i64) -> Option<Scalar> {
    (min <= number && number <= max).then_some(Scalar::Integer(number))
}

/// The digits of a number as they stand in the file, so that no float is ever made of them.
fn numeral(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::Integer(_) => integer_of(value).map(|number| number.to_string()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::String(text) => Some(text.to_string()),
        _ => None,
    }
}

fn moment(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::Datetime(moment) => Some(moment.to_string()),
        DeValue::String(text) => Some(text.to_string()),
        _ => None,
    }
}

/// What a value of the type is, for a message.
pub(super) fn expectation(field_type: &FieldType) -> String {
    match field_type {
        FieldType::Enum { .. } | FieldType::Band { .. } => {
            let values = field_type.domain().unwrap_or_default();
            let shown: Vec<&str> = values.iter().take(SHOWN_VALUES).map(AsRef::as_ref).collect();
            let more = if values.len() > SHOWN_VALUES { ", ..." } else { "" };
            format!("one of the values ({}{more})", shown.join(", "))
        }
        FieldType::Text { .. } => "a text".to_owned(),
        FieldType::Integer { min, max } => format!("a whole number from {min} to {max}"),
        FieldType::Decimal { scale, min, max } => {
            let text = |number: i64| Value::Decimal(number).to_text(field_type);
            format!(
                "a decimal from {} to {} with at most {scale} digits after the point",
                text(*min),
                text(*max)
            )
        }
        FieldType::Boolean => "true or false".to_owned(),
        FieldType::Date => "a date such as 2020-03-01".to_owned(),
        FieldType::Timestamp => "a moment such as 2020-03-01T12:00:00Z".to_owned(),
        FieldType::Reference { kind } => format!("the id of a record of `{kind}`"),
    }
}

/// Most values of a domain that a message lists.
const SHOWN_VALUES: usize = 12;
