//! From TOML to one [`Field`]: its type and the keys that belong to that type.

use std::sync::Arc;

use reeve_statement::names::{FieldId, KindId};

use super::kind::{Field, FieldType, Sensitivity};
use super::parse::{Referral, choice, titles};
use super::{MAX_LABEL_BYTES, MAX_SCALE, MAX_TEXT_CHARS, MAX_VALUES};
use crate::located::{Report, Section, Text, excerpt, integer_of};
use crate::record::parse_decimal;

/// Characters of a text field that does not say.
const DEFAULT_TEXT_CHARS: u32 = 256;

/// The types, as messages list them.
const TYPES: &str =
    "one of enum, band, text, integer, decimal, boolean, date, timestamp, reference";

pub(super) fn field(
    name: &Text<'_>,
    section: &mut Section<'_>,
    personal: bool,
    referrals: &mut Vec<Referral>,
    report: &mut Report<'_>,
) -> Option<Field> {
    let id = FieldId::new(name.text);
    if id.is_err() {
        let expected = "a name of lower-case letters, digits and underscores, at most 64";
        let found = format!("\"{}\"", excerpt(name.text));
        report.add(name.span.clone(), section.path(), expected, found, "rename the field");
    }
    let titles = titles(section, name.text, report);
    let required = section.boolean("required", report).unwrap_or(false);
    let levels = [
        ("public", Sensitivity::Public),
        ("internal", Sensitivity::Internal),
        ("personal", Sensitivity::Personal),
    ];
    let default = if personal { Sensitivity::Personal } else { Sensitivity::Internal };
    let sensitivity = choice(section, "sensitivity", &levels, Some(default), report);
    let field_type = field_type(section, referrals, report);
    let (id, field_type, sensitivity) = (id.ok()?, field_type?, sensitivity?);
    Some(Field { id, titles, field_type, required, sensitivity })
}

fn field_type(
    section: &mut Section<'_>,
    referrals: &mut Vec<Referral>,
    report: &mut Report<'_>,
) -> Option<FieldType> {
    let name = section.required_text("type", TYPES, report)?;
    match name.text {
        "enum" => labels(section, report).map(|values| FieldType::Enum { values }),
        "band" => labels(section, report).map(|labels| FieldType::Band { labels }),
        "text" => text(section, report),
        "integer" => integer(section, report),
        "decimal" => decimal(section, report),
        "boolean" => Some(FieldType::Boolean),
        "date" => Some(FieldType::Date),
        "timestamp" => Some(FieldType::Timestamp),
        "reference" => reference(section, referrals, report),
        other => {
            let found = format!("\"{}\"", excerpt(other));
            report.add(name.span, &section.path_of("type"), TYPES, found, "");
            None
        }
    }
}

fn labels(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<Vec<Arc<str>>> {
    let Some(texts) = section.texts("values", report) else {
        section.missing("values", "a list of strings", report);
        return None;
    };
    let path = section.path_of("values");
    if texts.is_empty() || texts.len() > MAX_VALUES {
        let expected = format!("1 to {MAX_VALUES} values");
        report.add(section.span(), &path, expected, texts.len().to_string(), "");
        return None;
    }
    let mut labels: Vec<Arc<str>> = Vec::new();
    for Text { text, span } in texts {
        if !is_label(text) {
            let expected = format!(
                "1 to {MAX_LABEL_BYTES} bytes without control characters, blanks at the ends, or ~ first"
            );
            report.add(span, &path, expected, format!("\"{}\"", excerpt(text)), "");
        } else if labels.iter().any(|label| label.as_ref() == text) {
            let found = format!("\"{}\" a second time", excerpt(text));
            report.add(span, &path, "each value once", found, "remove one of them");
        } else {
            labels.push(Arc::from(text));
        }
    }
    Some(labels)
}

/// A label becomes part of a row's key, where "" means "not set" and `~` marks a residual row.
fn is_label(text: &str) -> bool {
    (1..=MAX_LABEL_BYTES).contains(&text.len())
        && text.trim() == text
        && !text.starts_with('~')
        && !text.chars().any(char::is_control)
}

fn text(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<FieldType> {
    let Some((number, span)) = section.integer("max", report) else {
        return Some(FieldType::Text { max: DEFAULT_TEXT_CHARS });
    };
    let max = u32::try_from(number).ok().filter(|max| (1..=MAX_TEXT_CHARS).contains(max));
    if max.is_none() {
        let expected = format!("1 to {MAX_TEXT_CHARS} characters");
        report.add(span, &section.path_of("max"), expected, number.to_string(), "");
    }
    max.map(|max| FieldType::Text { max })
}

fn integer(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<FieldType> {
    let min = bound(section, "min", 0, report);
    let max = bound(section, "max", 0, report);
    let (min, max) = ordered(section, min?, max?, report)?;
    Some(FieldType::Integer { min, max })
}

fn decimal(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<FieldType> {
    let expected = format!("digits after the point, 0 to {MAX_SCALE}");
    let scale = match section.integer("scale", report) {
        Some((number, span)) => {
            let scale = u8::try_from(number).ok().filter(|scale| *scale <= MAX_SCALE);
            if scale.is_none() {
                let path = section.path_of("scale");
                report.add(span, &path, expected, number.to_string(), "");
            }
            scale
        }
        None => {
            section.missing("scale", &expected, report);
            None
        }
    };
    // Read both bounds in any case, so that they count as known keys.
    let min = bound(section, "min", scale.unwrap_or(MAX_SCALE), report);
    let max = bound(section, "max", scale.unwrap_or(MAX_SCALE), report);
    let (scale, (min, max)) = (scale?, ordered(section, min?, max?, report)?);
    Some(FieldType::Decimal { scale, min, max })
}

/// One end of a range, scaled. Whole numbers, or decimals written as strings, never floats.
fn bound(
    section: &mut Section<'_>,
    key: &'static str,
    scale: u8,
    report: &mut Report<'_>,
) -> Option<i64> {
    let expected = if scale == 0 {
        "a whole number that fits 64 bits".to_owned()
    } else {
        format!(
            "a whole number, or a string such as \"1.5\" with at most {scale} digits after the point"
        )
    };
    let Some(entry) = section.entry(key) else {
        section.missing(key, &expected, report);
        return None;
    };
    let whole = integer_of(entry.value).map(|number| number.to_string());
    let text = match (whole, entry.value.as_str()) {
        (Some(whole), _) => Some(whole),
        (None, Some(text)) if scale > 0 => Some(text.to_owned()),
        _ => None,
    };
    let bound = text.and_then(|text| parse_decimal(&text, scale).ok());
    if bound.is_none() {
        section.wrong(key, entry, &expected, "", report);
    }
    bound
}

fn ordered(
    section: &Section<'_>,
    min: i64,
    max: i64,
    report: &mut Report<'_>,
) -> Option<(i64, i64)> {
    if min <= max {
        return Some((min, max));
    }
    let path = section.path_of("min");
    report.add(section.span(), &path, "min at most max", "min above max", "swap them");
    None
}

fn reference(
    section: &mut Section<'_>,
    referrals: &mut Vec<Referral>,
    report: &mut Report<'_>,
) -> Option<FieldType> {
    let name = section.required_text("kind", "the kind referred to", report)?;
    let path = section.path_of("kind");
    match KindId::new(name.text) {
        Ok(kind) => {
            referrals.push(Referral { span: name.span, path });
            Some(FieldType::Reference { kind })
        }
        Err(_) => {
            let found = format!("\"{}\"", excerpt(name.text));
            report.add(name.span, &path, "the name of a kind", found, "");
            None
        }
    }
}
