//! The `group_by` of an indicator: closed domains only, written out in the signed form.

use std::sync::Arc;

use reeve_statement::catalogue::{Band, DOMAIN_VALUES, Dimension};
use reeve_statement::limits::DIMENSIONS;

use super::constant::number;
use super::indicator::{field, found};
use crate::located::{Entry, Report, Section, Text, describe, excerpt};
use crate::record::Value;
use crate::schema::{Field, FieldType, Kind, Schema};

/// Longest label of a band, in bytes: it is repeated in every row.
const LABEL_BYTES: usize = crate::schema::MAX_LABEL_BYTES;

/// Reads `group_by`; absent is no dimension.
pub(super) fn group_by(
    section: &mut Section<'_>,
    kind: &Kind,
    schema: &Schema,
    report: &mut Report<'_>,
) -> Option<Vec<Dimension>> {
    let Some(entry) = section.entry("group_by") else { return Some(Vec::new()) };
    let path = section.path_of("group_by");
    let Some(items) = entry.items().filter(|items| items.len() <= DIMENSIONS) else {
        let expected = format!("a list of at most {DIMENSIONS} dimensions");
        let found = entry.items().map_or_else(|| found(entry), |items| items.len().to_string());
        report.add(entry.span(), &path, expected, found, "");
        return None;
    };
    let mut dimensions: Vec<Option<Dimension>> = Vec::new();
    for item in items {
        let dimension = match item.value.as_str() {
            Some(text) => named(kind, schema, text, item, &path, report),
            None => banded(kind, item, &path, report),
        };
        if dimension.is_some() && dimensions.contains(&dimension) {
            let expected = "each dimension once";
            report.add(item.span(), &path, expected, "one a second time", "remove it");
        }
        dimensions.push(dimension);
    }
    dimensions.into_iter().collect()
}

/// `"sex"`, `"hospital"` or `"hospital.district"`.
fn named(
    kind: &Kind,
    schema: &Schema,
    text: &str,
    item: Entry<'_>,
    path: &str,
    report: &mut Report<'_>,
) -> Option<Dimension> {
    let Some((reference, target)) = text.split_once('.') else {
        let field = field(kind, text, item.span(), path, report)?;
        if let FieldType::Reference { kind: target } = &field.field_type {
            public_kind(schema, target.as_str(), item, path, report)?;
            return Some(Dimension::Reference { reference: field.id.clone() });
        }
        let values = closed(field, item, path, report)?;
        return Some(Dimension::Field { field: field.id.clone(), values });
    };
    let reference = field(kind, reference, item.span(), path, report)?;
    let FieldType::Reference { kind: target_kind } = &reference.field_type else {
        let found = format!("`{}` ({})", reference.id, reference.field_type.name());
        report.add(item.span(), path, "a reference before the point", found, "");
        return None;
    };
    let target_kind = public_kind(schema, target_kind.as_str(), item, path, report)?;
    let target = field(target_kind, target, item.span(), path, report)?;
    let values = closed(target, item, path, report)?;
    let (reference, field) = (reference.id.clone(), target.id.clone());
    Some(Dimension::Through { reference, field, values })
}

/// The kind that a reference names, if its records may be told apart in a table.
fn public_kind<'s>(
    schema: &'s Schema,
    name: &str,
    item: Entry<'_>,
    path: &str,
    report: &mut Report<'_>,
) -> Option<&'s Kind> {
    let kind = schema.kind(name)?;
    if kind.is_personal() {
        let expected = "a reference to a kind that is not personal";
        report.add(item.span(), path, expected, format!("one to `{name}`"), "");
        return None;
    }
    Some(kind)
}

/// The closed domain of a field.
fn closed(
    field: &Field,
    item: Entry<'_>,
    path: &str,
    report: &mut Report<'_>,
) -> Option<Vec<String>> {
    if let Some(domain) = field.field_type.domain() {
        return Some(domain.iter().map(Arc::as_ref).map(str::to_owned).collect());
    }
    if field.field_type == FieldType::Boolean {
        return Some(vec!["false".to_owned(), "true".to_owned()]);
    }
    let next = match field.field_type {
        FieldType::Integer { .. } | FieldType::Decimal { .. } => {
            format!("use {{ field = \"{}\", bands = [...] }}", field.id)
        }
        FieldType::Date | FieldType::Timestamp => "use `period` for time".to_owned(),
        _ => "make the field an enum in the schema".to_owned(),
    };
    let found = format!("`{}` ({}), whose domain is open", field.id, field.field_type.name());
    report.add(item.span(), path, "a closed field: enum, band, boolean", found, next);
    None
}

/// `{ field = "age", bands = [...] }`.
fn banded(kind: &Kind, item: Entry<'_>, path: &str, report: &mut Report<'_>) -> Option<Dimension> {
    let Some(mut section) = item.section(path) else {
        let expected = "a field's name or { field = \"...\", bands = [...] }";
        report.add(item.span(), path, expected, describe(item.value), "");
        return None;
    };
    let name = section.required_text("field", "an integer or decimal field", report);
    let entry = section.entry("bands");
    if entry.is_none() {
        section.missing("bands", "a list such as [{ to = 17 }, { from = 18 }]", report);
    }
    let read = name.and_then(|name| banded_field(kind, &name, &section, report));
    let bands = read.and_then(|field| bands(field, entry?, &section, report));
    section.finish(report);
    Some(Dimension::Band { field: read?.id.clone(), bands: bands? })
}

fn banded_field<'k>(
    kind: &'k Kind,
    name: &Text<'_>,
    section: &Section<'_>,
    report: &mut Report<'_>,
) -> Option<&'k Field> {
    let path = section.path_of("field");
    let field = field(kind, name.text, name.span.clone(), &path, report)?;
    if field.field_type.range().is_none() {
        let found = format!("`{}` ({})", field.id, field.field_type.name());
        report.add(name.span.clone(), &path, "an integer or decimal field", found, "");
        return None;
    }
    Some(field)
}

fn bands(
    field: &Field,
    entry: Entry<'_>,
    section: &Section<'_>,
    report: &mut Report<'_>,
) -> Option<Vec<Band>> {
    let path = section.path_of("bands");
    let Some(items) = entry.items().filter(|items| (1..=DOMAIN_VALUES).contains(&items.len()))
    else {
        let expected = format!("a list of 1 to {DOMAIN_VALUES} bands");
        report.add(entry.span(), &path, expected, describe(entry.value), "");
        return None;
    };
    let bands: Vec<Option<Band>> =
        items.into_iter().map(|item| band(field, item, &path, report)).collect();
    let bands = bands.into_iter().collect::<Option<Vec<_>>>()?;
    cover(field, &bands, entry, &path, report)?;
    Some(bands)
}

fn band(field: &Field, item: Entry<'_>, path: &str, report: &mut Report<'_>) -> Option<Band> {
    let Some(mut section) = item.section(path) else {
        let expected = "a band such as { label = \"0-17\", from = 0, to = 17 }";
        report.add(item.span(), path, expected, describe(item.value), "");
        return None;
    };
    let from = section.entry("from").map(|end| number(field, end, path, report));
    let to = section.entry("to").map(|end| number(field, end, path, report));
    let label = section.text("label", report);
    section.finish(report);
    let (lo, hi) =
        (from.map_or(Some(None), |n| n.map(Some))?, to.map_or(Some(None), |n| n.map(Some))?);
    if let (Some(lo), Some(hi)) = (lo, hi)
        && lo > hi
    {
        report.add(item.span(), path, "from at most to", "from above to", "swap them");
        return None;
    }
    let label = label.map_or_else(|| default_label(field, lo, hi), |text| text.text.to_owned());
    let fits = (1..=LABEL_BYTES).contains(&label.len())
        && label.trim() == label
        && !label.starts_with('~')
        && !label.chars().any(char::is_control);
    if !fits {
        let expected = format!(
            "a label of 1 to {LABEL_BYTES} bytes without control characters, blanks at the ends, \
             or ~ first"
        );
        report.add(item.span(), path, expected, format!("\"{}\"", excerpt(&label)), "");
        return None;
    }
    Some(Band { label, lo, hi })
}

/// A number of the field's type as people write it.
fn shown(field: &Field, number: i64) -> String {
    Value::Decimal(number).to_text(&field.field_type)
}

/// `0-17`, `18+`, `up to 17`, `all`.
fn default_label(field: &Field, lo: Option<i64>, hi: Option<i64>) -> String {
    let text = |number: i64| shown(field, number);
    match (lo, hi) {
        (Some(lo), Some(hi)) if lo == hi => text(lo),
        (Some(lo), Some(hi)) => format!("{}-{}", text(lo), text(hi)),
        (Some(lo), None) => format!("{}+", text(lo)),
        (None, Some(hi)) => format!("up to {}", text(hi)),
        (None, None) => "all".to_owned(),
    }
}

/// Every number of the declared range lies in exactly one band, and no label occurs twice.
fn cover(
    field: &Field,
    bands: &[Band],
    entry: Entry<'_>,
    path: &str,
    report: &mut Report<'_>,
) -> Option<()> {
    let (min, max) = field.field_type.range()?;
    let fault = repeated(bands).or_else(|| overlap(bands)).or_else(|| gap(field, bands, min, max));
    let Some(fault) = fault else { return Some(()) };
    let (min, max) = (shown(field, min), shown(field, max));
    let expected = format!("bands that hold each number from {min} to {max} once");
    report.add(entry.span(), path, expected, fault, "the declared range is in the schema");
    None
}

fn repeated(bands: &[Band]) -> Option<String> {
    let mut labels: Vec<&str> = bands.iter().map(|band| band.label.as_str()).collect();
    labels.sort_unstable();
    let twice = labels.windows(2).find(|pair| pair.first() == pair.last())?;
    Some(format!("the label \"{}\" twice", twice.first()?))
}

/// The bands as closed intervals, lowest first.
fn intervals(bands: &[Band]) -> Vec<(i64, i64, &str)> {
    let ends = |band: &Band| (band.lo.unwrap_or(i64::MIN), band.hi.unwrap_or(i64::MAX));
    let mut intervals: Vec<(i64, i64, &str)> = bands
        .iter()
        .map(|band| {
            let (lo, hi) = ends(band);
            (lo, hi, band.label.as_str())
        })
        .collect();
    intervals.sort_unstable();
    intervals
}

fn overlap(bands: &[Band]) -> Option<String> {
    let intervals = intervals(bands);
    intervals.iter().zip(intervals.iter().skip(1)).find_map(|((_, hi, a), (lo, _, b))| {
        (hi >= lo).then(|| format!("\"{a}\" and \"{b}\" with numbers in common"))
    })
}

fn gap(field: &Field, bands: &[Band], min: i64, max: i64) -> Option<String> {
    let none = |from: i64, to: i64| {
        Some(format!("no band for {} to {}", shown(field, from), shown(field, to)))
    };
    let mut next = min;
    for (lo, hi, _) in intervals(bands) {
        if lo > next {
            return none(next, lo.saturating_sub(1).min(max));
        }
        match hi.checked_add(1) {
            Some(after) => next = next.max(after),
            None => return None,
        }
        if next > max {
            return None;
        }
    }
    none(next, max)
}
