//! The `where` of an indicator: inline tables of conditions, read against the fields of its kind.

use std::sync::Arc;

use reeve_statement::catalogue::{Filter, Scalar};
use reeve_statement::limits::{FILTER_DEPTH, FILTER_OPERANDS};
use reeve_statement::names::FieldId;

use super::constant::constant;
use crate::located::{Entry, Report, Section, Text, describe};
use crate::schema::{Field, FieldType, Kind};

/// The comparisons, as messages list them.
const COMPARISONS: &str =
    "one of equal, in, less, at_most, greater, at_least, between, set, each with a constant";

/// Reads a filter over records of `kind`; `None` after a problem.
pub(super) fn filter(
    kind: &Kind,
    section: &Section<'_>,
    report: &mut Report<'_>,
) -> Option<Filter> {
    let filter = all_of(kind, section, FILTER_DEPTH, report)?;
    if depth(&filter) > FILTER_DEPTH {
        too_deep(section, report);
        return None;
    }
    Some(filter)
}

fn too_deep(section: &Section<'_>, report: &mut Report<'_>) {
    let expected = format!("a filter nested at most {FILTER_DEPTH} deep");
    report.add(section.span(), section.path(), expected, "a deeper one", "write it flatter");
}

fn depth(filter: &Filter) -> usize {
    let below = match filter {
        Filter::Not(inner) => depth(inner),
        Filter::Any(filters) | Filter::All(filters) => filters.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    };
    below + 1
}

/// Every key of the table holds.
fn all_of(
    kind: &Kind,
    section: &Section<'_>,
    levels: usize,
    report: &mut Report<'_>,
) -> Option<Filter> {
    let Some(levels) = levels.checked_sub(1) else {
        too_deep(section, report);
        return None;
    };
    let parts: Vec<Option<Filter>> = section
        .entries()
        .map(|(key, entry)| {
            let path = section.path_of(key.text);
            match key.text {
                "not" => {
                    let inner = nested(entry, &path, report)?;
                    let inner = all_of(kind, &inner, levels, report)?;
                    Some(Filter::Not(Box::new(inner)))
                }
                "any" => several(kind, entry, &path, levels, report).map(Filter::Any),
                "all" => several(kind, entry, &path, levels, report).map(Filter::All),
                _ => condition(kind, &key, entry, &path, report),
            }
        })
        .collect();
    joined(parts.into_iter().collect::<Option<Vec<_>>>()?, section, report)
}

/// One filter as itself, several as [`Filter::All`]; none is a problem.
fn joined(
    mut parts: Vec<Filter>,
    section: &Section<'_>,
    report: &mut Report<'_>,
) -> Option<Filter> {
    match (parts.pop(), parts.is_empty()) {
        (None, _) => {
            let next = "name a field, or leave `where` out for every record";
            report.add(section.span(), section.path(), "a condition", "an empty table", next);
            None
        }
        (Some(only), true) => Some(only),
        (Some(last), false) => {
            parts.push(last);
            Some(Filter::All(parts))
        }
    }
}

fn nested<'t>(entry: Entry<'t>, path: &str, report: &mut Report<'_>) -> Option<Section<'t>> {
    let section = entry.section(path);
    if section.is_none() {
        let expected = "a table of conditions, such as { status = \"confirmed\" }";
        report.add(entry.span(), path, expected, describe(entry.value), "");
    }
    section
}

fn several(
    kind: &Kind,
    entry: Entry<'_>,
    path: &str,
    levels: usize,
    report: &mut Report<'_>,
) -> Option<Vec<Filter>> {
    let items = operands(entry, path, "a list of 1 to 256 tables of conditions", report)?;
    let filters: Vec<Option<Filter>> = items
        .into_iter()
        .map(|item| {
            let section = nested(item, path, report)?;
            all_of(kind, &section, levels, report)
        })
        .collect();
    filters.into_iter().collect()
}

fn operands<'t>(
    entry: Entry<'t>,
    path: &str,
    expected: &str,
    report: &mut Report<'_>,
) -> Option<Vec<Entry<'t>>> {
    let items = entry.items().filter(|items| (1..=FILTER_OPERANDS).contains(&items.len()));
    if items.is_none() {
        let found = match entry.items() {
            Some(items) => format!("{} operands", items.len()),
            None => describe(entry.value),
        };
        report.add(entry.span(), path, expected, found, "");
    }
    items
}

/// `field = constant` or `field = { comparison = constant, ... }`.
fn condition(
    kind: &Kind,
    key: &Text<'_>,
    entry: Entry<'_>,
    path: &str,
    report: &mut Report<'_>,
) -> Option<Filter> {
    let field = super::indicator::field(kind, key.text, key.span.clone(), path, report)?;
    let Some(section) = entry.section(path) else {
        let constant = constant(field, entry, path, report)?;
        return Some(Filter::Equal(field.id.clone(), constant));
    };
    let parts: Vec<Option<Filter>> = section
        .entries()
        .map(|(operator, entry)| comparison(field, &operator, entry, &section, report))
        .collect();
    joined(parts.into_iter().collect::<Option<Vec<_>>>()?, &section, report)
}

fn comparison(
    field: &Field,
    operator: &Text<'_>,
    entry: Entry<'_>,
    section: &Section<'_>,
    report: &mut Report<'_>,
) -> Option<Filter> {
    let path = section.path_of(operator.text);
    let id = field.id.clone();
    match operator.text {
        "equal" => Some(Filter::Equal(id, constant(field, entry, &path, report)?)),
        "in" => {
            let items = operands(entry, &path, "a list of 1 to 256 constants", report)?;
            let constants: Vec<Option<Scalar>> =
                items.into_iter().map(|item| constant(field, item, &path, report)).collect();
            let mut constants = constants.into_iter().collect::<Option<Vec<_>>>()?;
            constants.sort();
            constants.dedup();
            Some(Filter::In(id, constants))
        }
        "set" => match entry.value.as_bool() {
            Some(true) => Some(Filter::IsSet(id)),
            Some(false) => Some(Filter::Not(Box::new(Filter::IsSet(id)))),
            None => {
                report.add(entry.span(), &path, "true or false", describe(entry.value), "");
                None
            }
        },
        "less" | "at_most" | "greater" | "at_least" => {
            ordered(field, operator, &path, report)?;
            let constant = constant(field, entry, &path, report)?;
            compare(field, operator.text, constant, entry, &path, report)
        }
        "between" => {
            ordered(field, operator, &path, report)?;
            between(field, entry, &path, report)
        }
        other => {
            let found = format!("`{}`", crate::located::excerpt(other));
            report.add(operator.span.clone(), &path, COMPARISONS, found, "");
            None
        }
    }
}

/// Only numbers, dates, moments and bands have an order.
fn ordered(field: &Field, operator: &Text<'_>, path: &str, report: &mut Report<'_>) -> Option<()> {
    use FieldType::{Band, Boolean, Date, Decimal, Enum, Integer, Reference, Text, Timestamp};
    match field.field_type {
        Integer { .. } | Decimal { .. } | Date | Timestamp | Band { .. } => Some(()),
        Enum { .. } | Text { .. } | Boolean | Reference { .. } => {
            let expected = format!(
                "equal, in or set, because the field `{}` ({}) has no order",
                field.id,
                field.field_type.name()
            );
            let found = format!("`{}`", operator.text);
            report.add(operator.span.clone(), path, expected, found, "");
            None
        }
    }
}

fn compare(
    field: &Field,
    operator: &str,
    constant: Scalar,
    entry: Entry<'_>,
    path: &str,
    report: &mut Report<'_>,
) -> Option<Filter> {
    let id = field.id.clone();
    if let FieldType::Band { labels } = &field.field_type {
        let at = position(labels, &constant)?;
        let chosen = match operator {
            "less" => labels.get(..at),
            "at_most" => labels.get(..=at),
            "greater" => labels.get(at.saturating_add(1)..),
            _ => labels.get(at..),
        };
        return listed(id, chosen?, entry, path, report);
    }
    Some(match operator {
        "less" => Filter::Less(id, constant),
        "at_most" => Filter::AtMost(id, constant),
        "greater" => Filter::Greater(id, constant),
        _ => Filter::AtLeast(id, constant),
    })
}

fn position(labels: &[Arc<str>], constant: &Scalar) -> Option<usize> {
    match constant {
        Scalar::Text(text) => labels.iter().position(|label| label.as_ref() == text),
        _ => None,
    }
}

/// A comparison of bands becomes the list of the bands that satisfy it: the signed form needs no
/// order of labels.
fn listed(
    id: FieldId,
    labels: &[Arc<str>],
    entry: Entry<'_>,
    path: &str,
    report: &mut Report<'_>,
) -> Option<Filter> {
    if labels.is_empty() || labels.len() > FILTER_OPERANDS {
        let expected = format!("a comparison that 1 to {FILTER_OPERANDS} bands satisfy");
        let found = format!("{} bands", labels.len());
        report.add(entry.span(), path, expected, found, "");
        return None;
    }
    let mut constants: Vec<Scalar> =
        labels.iter().map(|label| Scalar::Text(label.to_string())).collect();
    constants.sort();
    Some(Filter::In(id, constants))
}

fn between(field: &Field, entry: Entry<'_>, path: &str, report: &mut Report<'_>) -> Option<Filter> {
    let expected = "a list of two constants, the lesser first";
    let Some(&[lo, hi]) = entry.items().as_deref() else {
        report.add(entry.span(), path, expected, describe(entry.value), "");
        return None;
    };
    let (lo, hi) = (constant(field, lo, path, report), constant(field, hi, path, report));
    let (lo, hi) = (lo?, hi?);
    if let FieldType::Band { labels } = &field.field_type {
        let chosen = labels.get(position(labels, &lo)?..=position(labels, &hi)?);
        return listed(field.id.clone(), chosen.unwrap_or_default(), entry, path, report);
    }
    // Dates and moments are in one fixed form each, whose order as text is that of time (years
    // below 0 or above 9999 are not in use).
    if lo > hi {
        report.add(entry.span(), path, expected, "the greater first", "swap them");
        return None;
    }
    Some(Filter::Between(field.id.clone(), lo, hi))
}
