//! The `measure` of an indicator, and `latest` that goes with `latest-sum`.

use reeve_statement::catalogue::{Contributors, Measure};
use reeve_statement::limits::DIMENSIONS;
use reeve_statement::names::FieldId;

use super::indicator::{duration, field, moment};
use crate::located::{Report, Section, Text, excerpt};
use crate::schema::{Field, FieldType, Kind};

/// The measures, as messages list them.
const MEASURES: &str =
    "count, sum(field), mean(field), min(field), max(field) or latest-sum(field)";

/// What one contributor adds to a count of them.
const ONE: (i64, i64) = (1, 1);

/// Greatest age of a reading that still counts, in days: a year.
const MAX_AGE_DAYS: u32 = 366;

/// A measure and what follows from it.
pub(super) struct Measured {
    pub(super) measure: Measure,
    /// Decimal places.
    pub(super) scale: u8,
    /// Least and greatest value that one contributor can add.
    pub(super) range: (i64, i64),
    pub(super) contributors: Contributors,
}

/// Reads `measure` and `latest`.
pub(super) fn measure(
    section: &mut Section<'_>,
    kind: &Kind,
    period_field: Option<&FieldId>,
    report: &mut Report<'_>,
) -> Option<Measured> {
    let has_latest = section.entry("latest").is_some();
    let counted = contributors(section, report);
    let text = section.required_text("measure", MEASURES, report)?;
    let path = section.path_of("measure");
    let latest = text.text.starts_with("latest-sum");
    if has_latest && !latest {
        let next = "remove it, or use latest-sum(field)";
        let found = format!("it beside `{}`", excerpt(text.text));
        let span = section.entry("latest").map_or_else(|| section.span(), |entry| entry.span());
        let expected = "`latest` only with the measure latest-sum";
        report.add(span, &section.path_of("latest"), expected, found, next);
    }
    if text.text == "count" {
        check_contributors(&Measure::Count, None, counted, section, report);
        return Some(Measured {
            measure: Measure::Count,
            scale: 0,
            range: ONE,
            contributors: Contributors::Records,
        });
    }
    let Some((name, argument)) = call(text.text) else {
        let found = format!("\"{}\"", excerpt(text.text));
        report.add(text.span, &path, MEASURES, found, "");
        return None;
    };
    let argument = Text { text: argument, span: text.span.clone() };
    let field = number_field(kind, &argument, &path, report)?;
    let id = field.id.clone();
    let measure = match name {
        "sum" => Measure::Sum(id),
        "mean" => Measure::Mean(id),
        "min" | "max" if kind.is_personal() => {
            let next = "an extreme value singles a person out; use count with bands instead";
            let expected = "no min or max on a personal kind";
            report.add(text.span, &path, expected, format!("`{}`", excerpt(text.text)), next);
            return None;
        }
        "min" => Measure::Min(id),
        "max" => Measure::Max(id),
        "latest-sum" => latest_sum(id, section, kind, period_field, report)?,
        other => {
            report.add(text.span, &path, MEASURES, format!("`{}`", excerpt(other)), "");
            return None;
        }
    };
    check_contributors(&measure, Some(field), counted, section, report);
    let scale = if let FieldType::Decimal { scale, .. } = field.field_type { scale } else { 0 };
    let range = match counted {
        Contributors::Records => field.field_type.range()?,
        Contributors::Value => ONE,
    };
    Some(Measured { measure, scale, range, contributors: counted })
}

fn contributors(section: &mut Section<'_>, report: &mut Report<'_>) -> Contributors {
    let choices = [("records", Contributors::Records), ("value", Contributors::Value)];
    let default = Some(Contributors::Records);
    crate::schema::choice(section, "contributors", &choices, default, report).unwrap_or_default()
}

/// A field that counts persons is a whole number, never negative, and is added.
fn check_contributors(
    measure: &Measure,
    field: Option<&Field>,
    counted: Contributors,
    section: &mut Section<'_>,
    report: &mut Report<'_>,
) {
    let adds = matches!(measure, Measure::Sum(_) | Measure::LatestSum { .. });
    let counts = field.is_some_and(
        |field| matches!(field.field_type, FieldType::Integer { min, .. } if min >= 0),
    );
    if counted == Contributors::Records || (adds && counts) {
        return;
    }
    let span = section.entry("contributors").map_or_else(|| section.span(), |e| e.span());
    let expected = "\"value\" only with the sum or latest-sum of an integer whose min is 0 or more";
    let next = "use \"records\", or count persons in such a field";
    report.add(span, &section.path_of("contributors"), expected, "another measure", next);
}

/// `name(argument)`
fn call(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.split_once('(')?;
    Some((name.trim(), rest.trim_end().strip_suffix(')')?.trim()))
}

fn number_field<'k>(
    kind: &'k Kind,
    name: &Text<'_>,
    path: &str,
    report: &mut Report<'_>,
) -> Option<&'k Field> {
    let field = field(kind, name.text, name.span.clone(), path, report)?;
    if field.field_type.range().is_some() {
        return Some(field);
    }
    let found = format!("`{}` ({})", field.id, field.field_type.name());
    report.add(name.span.clone(), path, "an integer or decimal field", found, "");
    None
}

fn latest_sum(
    field: FieldId,
    section: &mut Section<'_>,
    kind: &Kind,
    period_field: Option<&FieldId>,
    report: &mut Report<'_>,
) -> Option<Measure> {
    let expected =
        "a table such as { by = [\"site\", \"item\"], at = \"counted_at\", max_age = \"3d\" }";
    if section.entry("latest").is_none() {
        section.missing("latest", expected, report);
        return None;
    }
    let mut latest = section.section("latest", report)?;
    let by = by_fields(&mut latest, kind, report);
    let at = latest.required_text("at", "a date or timestamp of the kind", report);
    let at_path = latest.path_of("at");
    let at_field = at.as_ref().and_then(|name| moment(kind, name, &at_path, report));
    let max_age_days = max_age(&mut latest, report);
    latest.finish(report);
    if let (Some(name), Some(at), Some(period)) = (at, &at_field, period_field)
        && at != period
    {
        let expected = format!("the period's field `{period}`");
        let next = "a reading belongs to the period in which it was taken";
        report.add(name.span, &at_path, expected, format!("`{at}`"), next);
    }
    Some(Measure::LatestSum { field, by: by?, at: at_field?, max_age_days: max_age_days? })
}

fn by_fields(
    latest: &mut Section<'_>,
    kind: &Kind,
    report: &mut Report<'_>,
) -> Option<Vec<FieldId>> {
    let expected = format!("1 to {DIMENSIONS} fields that make two records readings of one stock");
    let path = latest.path_of("by");
    let Some(names) = latest.texts("by", report) else {
        latest.missing("by", &expected, report);
        return None;
    };
    if names.is_empty() || names.len() > DIMENSIONS {
        report.add(latest.span(), &path, expected, names.len().to_string(), "");
        return None;
    }
    let fields: Vec<Option<FieldId>> =
        names.iter().map(|name| by_field(kind, name, &path, report)).collect();
    fields.into_iter().collect()
}

fn by_field(kind: &Kind, name: &Text<'_>, path: &str, report: &mut Report<'_>) -> Option<FieldId> {
    let field = field(kind, name.text, name.span.clone(), path, report)?;
    if matches!(field.field_type, FieldType::Text { .. }) {
        let next = "name the stock by an enum, a reference or a number";
        let found = format!("`{}` (text)", field.id);
        report.add(name.span.clone(), path, "a field that is not free text", found, next);
        return None;
    }
    Some(field.id.clone())
}

fn max_age(latest: &mut Section<'_>, report: &mut Report<'_>) -> Option<u32> {
    let expected = format!("days, such as \"3d\", at most \"{MAX_AGE_DAYS}d\"");
    let text = latest.required_text("max_age", &expected, report)?;
    let days = duration(text.text, 'd').filter(|days| *days <= MAX_AGE_DAYS);
    if days.is_none() {
        let found = format!("\"{}\"", excerpt(text.text));
        report.add(text.span, &latest.path_of("max_age"), expected, found, "");
    }
    days
}
