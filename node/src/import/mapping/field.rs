//! From `[field.NAME]` to the rule by which a field gets its value, checked against its type.

use std::collections::BTreeMap;

use reeve_crdt::located::{Entry, Report, Section, Text, describe, excerpt, integer_of};
use reeve_crdt::record::Value;
use reeve_crdt::schema::{Field, FieldType, Kind};

use super::parse::{Columns, choice};
use super::{CellRule, FieldRule, Origin, Other};
use crate::import::dates::TimeFormat;

/// The word for no value: in `empty`, and among `values`.
const UNSET: &str = "unset";

/// Reads all field sections, in the order in which a record holds its fields.
pub(super) fn fields(
    sections: Vec<(Text<'_>, Section<'_>)>,
    kind: &Kind,
    columns: &mut Columns,
    report: &mut Report<'_>,
) -> Vec<FieldRule> {
    let mut rules = Vec::new();
    let mut named = Vec::new();
    for (name, section) in sections {
        let Some(field) = kind.field(name.text) else {
            let names: Vec<_> = kind.fields.keys().map(|id| id.as_str()).collect();
            let expected = format!("a field of kind {}: {}", kind.id, names.join(", "));
            let found = format!("\"{}\"", excerpt(name.text));
            report.add(name.span, section.path(), expected, found, "");
            continue;
        };
        named.push(&field.id);
        rules.extend(rule(field, section, columns, report));
    }
    for field in kind.fields.values().filter(|f| f.required && !named.contains(&&f.id)) {
        let next = format!("add [field.{}] with `column` or `constant`", field.id);
        let expected = format!("a rule for the required field `{}`", field.id);
        report.add(0..0, "field", expected, "none", next);
    }
    rules.sort_by(|a: &FieldRule, b| {
        let key = |rule: &FieldRule| (rule.field.as_str().len(), rule.field.clone());
        key(a).cmp(&key(b))
    });
    rules
}

fn rule(
    field: &Field,
    mut section: Section<'_>,
    columns: &mut Columns,
    report: &mut Report<'_>,
) -> Option<FieldRule> {
    let origin = match (section.entry("constant"), section.entry("column")) {
        (Some(entry), None) => {
            let path = section.path_of("constant");
            value_at(&field.field_type, entry, &path, report).map(Origin::Constant)
        }
        (None, Some(_)) => cell(field, &mut section, columns, report).map(Origin::Column),
        _ => {
            let expected = "either `column` or `constant`";
            report.add(section.span(), section.path(), expected, "both or none", "");
            None
        }
    };
    let (id, field_type) = (field.id.clone(), field.field_type.clone());
    section.finish(report);
    Some(FieldRule { field: id, field_type, required: field.required, origin: origin? })
}

fn cell(
    field: &Field,
    section: &mut Section<'_>,
    columns: &mut Columns,
    report: &mut Report<'_>,
) -> Option<CellRule> {
    let field_type = &field.field_type;
    let name = section.text("column", report)?;
    let column = columns.position(&name, &section.path_of("column"), report);
    let format = format(field_type, section, report);
    let decimal_comma = decimal_comma(field_type, section, report);
    let values = values(field_type, section, report);
    let others = [("keep", Other::Keep), ("unset", Other::Unset), ("reject", Other::Reject)];
    let other = choice(section, "other", &others, report).unwrap_or_default();
    let path = section.path_of("empty");
    let empty = match section.entry("empty") {
        Some(entry) if entry.value.as_str() != Some(UNSET) => {
            value_at(field_type, entry, &path, report)
        }
        _ => None,
    };
    Some(CellRule { column, format, decimal_comma, values, other, empty })
}

fn format(
    field_type: &FieldType,
    section: &mut Section<'_>,
    report: &mut Report<'_>,
) -> Option<TimeFormat> {
    let text = section.text("format", report)?;
    let found = format!("\"{}\"", excerpt(text.text));
    let path = section.path_of("format");
    let format = match field_type {
        FieldType::Date => TimeFormat::of_date(text.text),
        FieldType::Timestamp => TimeFormat::of_moment(text.text),
        other => {
            let expected = format!("no format, because the field's type is {}", other.name());
            report.add(text.span, &path, expected, found, "remove it");
            return None;
        }
    };
    match format {
        Ok(format) => Some(format),
        Err(error) => {
            report.add(text.span, &path, error.expected, found, "");
            None
        }
    }
}

fn decimal_comma(
    field_type: &FieldType,
    section: &mut Section<'_>,
    report: &mut Report<'_>,
) -> bool {
    let Some(yes) = section.boolean("decimal_comma", report) else { return false };
    if yes && !matches!(field_type, FieldType::Decimal { .. }) {
        let expected =
            format!("no decimal comma, because the field's type is {}", field_type.name());
        report.add(
            section.span(),
            &section.path_of("decimal_comma"),
            expected,
            "true",
            "remove it",
        );
    }
    yes
}

fn values(
    field_type: &FieldType,
    section: &mut Section<'_>,
    report: &mut Report<'_>,
) -> BTreeMap<String, Option<Value>> {
    let Some(table) = section.section("values", report) else { return BTreeMap::new() };
    let mut values = BTreeMap::new();
    for (text, entry) in table.entries() {
        let value = if entry.value.as_str() == Some(UNSET) {
            None
        } else {
            let path = table.path_of(text.text);
            let Some(value) = value_at(field_type, entry, &path, report) else { continue };
            Some(value)
        };
        values.insert(text.text.trim().to_owned(), value);
    }
    values
}

/// A value that the mapping itself spells: a string, a whole number, true or false.
fn value_at(
    field_type: &FieldType,
    entry: Entry<'_>,
    path: &str,
    report: &mut Report<'_>,
) -> Option<Value> {
    let number = integer_of(entry.value).map(|number| number.to_string());
    let boolean = entry.value.as_bool().map(|value| value.to_string());
    let text = entry.value.as_str().map(str::to_owned).or(number).or(boolean);
    let Some(text) = text else {
        let expected = format!("a value of type {} as a string", field_type.name());
        report.add(entry.span(), path, expected, describe(entry.value), "");
        return None;
    };
    match Value::parse(field_type, &text) {
        Ok(value) => Some(value),
        Err(fault) => {
            let fault = fault.to_string();
            let expected = fault.strip_prefix("expected ").unwrap_or(&fault);
            report.add(entry.span(), path, expected, describe(entry.value), "");
            None
        }
    }
}
