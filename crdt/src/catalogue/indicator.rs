//! One `[indicator.NAME]`: its keys, and the rules that join them.

use core::ops::Range;

use reeve_statement::calendar::{DueDays, Weekdays};
use reeve_statement::catalogue::{Basis, Dimension, Filter, Indicator, Measure};
use reeve_statement::limits::{INDICATORS, PATH_UNITS, TABLE_ROWS, TEXT_BYTES};
use reeve_statement::names::{FieldId, IndicatorId};
use reeve_statement::period::Step;
use reeve_statement::unit::UnitId;

use super::{dimension, filter, floors, measure};
use crate::located::{Report, Section, Text, describe, excerpt};
use crate::schema::{Field, FieldType, Kind, Schema};

/// Levels down that a roll-up keeps apart if the file does not say: the direct subordinates.
const DEFAULT_AREA_DEPTH: u8 = 1;

/// Longest deadline after a period's end, in hours: a year.
const MAX_EXPECTED_HOURS: u32 = 366 * 24;

/// An indicator and where it stands in the file.
pub(super) struct Draft {
    pub(super) indicator: Indicator,
    pub(super) span: Range<usize>,
    pub(super) path: String,
}

/// Reads all indicators of the file.
pub(super) fn indicators(
    root: &mut Section<'_>,
    schema: &Schema,
    report: &mut Report<'_>,
) -> Vec<Draft> {
    let mut drafts = Vec::new();
    let sections = root.sections("indicator", report);
    if sections.is_empty() || sections.len() > INDICATORS {
        let expected = format!("1 to {INDICATORS} tables [indicator.NAME]");
        report.add(0..0, "indicator", expected, sections.len().to_string(), "");
        return drafts;
    }
    for (name, mut section) in sections {
        let (span, path) = (name.span.clone(), section.path().to_owned());
        let indicator = indicator(&name, &mut section, schema, report);
        section.finish(report);
        drafts.extend(indicator.map(|indicator| Draft { indicator, span, path }));
    }
    drafts
}

/// The field of that name, or a problem that lists those there are.
pub(super) fn field<'k>(
    kind: &'k Kind,
    name: &str,
    span: Range<usize>,
    path: &str,
    report: &mut Report<'_>,
) -> Option<&'k Field> {
    let field = kind.field(name);
    if field.is_none() {
        let names: Vec<&str> = kind.fields.keys().map(FieldId::as_str).collect();
        let expected = format!("a field of the kind `{}` ({})", kind.id, names.join(", "));
        report.add(span, path, expected, format!("`{}`", excerpt(name)), "");
    }
    field
}

/// The keys that stand for themselves.
struct Plain {
    area_depth: u8,
    basis: Option<Basis>,
    legal_basis: Option<String>,
    presence_told: bool,
    expected_within_hours: Option<u32>,
    due_days: Option<DueDays>,
}

fn indicator(
    name: &Text<'_>,
    section: &mut Section<'_>,
    schema: &Schema,
    report: &mut Report<'_>,
) -> Option<Indicator> {
    let id = IndicatorId::new(name.text);
    if id.is_err() {
        let expected = "a name of lower-case letters, digits and underscores, at most 64";
        let found = format!("`{}`", excerpt(name.text));
        report.add(name.span.clone(), section.path(), expected, found, "rename the indicator");
    }
    let title = crate::schema::titles(section, name.text, report);
    let plain = plain(section, report);
    let Some(kind) = kind(section, schema, report) else {
        mark_known(section);
        return None;
    };
    let filter = where_of(section, kind, report);
    let period = period(section, kind, report);
    let group_by = dimension::group_by(section, kind, schema, report);
    let residual = residual(section, kind, report);
    let period_field = period.as_ref().and_then(|(_, field)| field.as_ref());
    let measure = measure::measure(section, kind, period_field, report);
    let floors = floors::floors(section, kind, plain.legal_basis.is_some(), report);
    let (step, period_field) = period?;
    let measured = measure?;
    let indicator = Indicator {
        id: id.ok()?,
        title,
        kind: kind.id.clone(),
        personal: kind.is_personal(),
        filter: filter?,
        step,
        period_field,
        group_by: group_by?,
        measure: measured.measure,
        scale: measured.scale,
        area_depth: plain.area_depth,
        residual: residual?,
        basis: plain.basis?,
        floors: floors?,
        legal_basis: plain.legal_basis,
        presence_told: plain.presence_told,
        expected_within_hours: plain.expected_within_hours,
        record_range: Some(measured.range),
        contributors: measured.contributors,
        cut_off: None,
        due_days: plain.due_days,
    };
    combinations(&indicator, kind, section, report);
    Some(indicator)
}

/// Without a kind the keys that need one cannot be read, yet they are not unknown.
fn mark_known(section: &mut Section<'_>) {
    for key in
        ["where", "period", "group_by", "residual", "measure", "latest", "contributors", "floor"]
    {
        section.entry(key);
    }
}

fn plain(section: &mut Section<'_>, report: &mut Report<'_>) -> Plain {
    let bases = [
        ("residence", Basis::Residence),
        ("report", Basis::Report),
        ("treatment", Basis::Treatment),
    ];
    let presences = [("hidden", false), ("told", true)];
    Plain {
        area_depth: area_depth(section, report),
        basis: crate::schema::choice(section, "basis", &bases, None, report),
        legal_basis: legal_basis(section, report),
        presence_told: crate::schema::choice(section, "presence", &presences, Some(false), report)
            .unwrap_or(false),
        expected_within_hours: expected_within(section, report),
        due_days: due_days(section, report),
    }
}

fn kind<'s>(
    section: &mut Section<'_>,
    schema: &'s Schema,
    report: &mut Report<'_>,
) -> Option<&'s Kind> {
    let name = section.required_text("kind", "a kind of the schema", report)?;
    let kind = schema.kind(name.text).map(AsRef::as_ref);
    if kind.is_none() {
        let names: Vec<&str> = schema.kinds().map(|kind| kind.id.as_str()).collect();
        let expected = format!("a kind of the schema ({})", names.join(", "));
        let found = format!("`{}`", excerpt(name.text));
        report.add(name.span, &section.path_of("kind"), expected, found, "");
    }
    kind
}

fn where_of(section: &mut Section<'_>, kind: &Kind, report: &mut Report<'_>) -> Option<Filter> {
    if section.entry("where").is_none() {
        return Some(Filter::everything());
    }
    let conditions = section.section("where", report)?;
    filter::filter(kind, &conditions, report)
}

/// Step and, unless it is now, the field.
fn period(
    section: &mut Section<'_>,
    kind: &Kind,
    report: &mut Report<'_>,
) -> Option<(Step, Option<FieldId>)> {
    let expected = "a table such as { field = \"reported_on\", step = \"day\" }";
    if section.entry("period").is_none() {
        section.missing("period", expected, report);
        return None;
    }
    let mut period = section.section("period", report)?;
    let steps =
        [("day", Step::Day), ("week", Step::Week), ("month", Step::Month), ("now", Step::Now)];
    let step = crate::schema::choice(&mut period, "step", &steps, None, report);
    let name = period.text("field", report);
    let read = match (step?, name) {
        (Step::Now, None) => Some((Step::Now, None)),
        (Step::Now, Some(name)) => {
            let next = "remove the field, or choose day, week or month";
            let path = period.path_of("field");
            report.add(name.span, &path, "no field with the step now", "one", next);
            None
        }
        (step, None) => {
            period.missing("field", "a date or timestamp of the kind", report);
            let _ = step;
            None
        }
        (step, Some(name)) => {
            let path = period.path_of("field");
            moment(kind, &name, &path, report).map(|field| (step, Some(field)))
        }
    };
    period.finish(report);
    read
}

/// A field that places a record in time.
pub(super) fn moment(
    kind: &Kind,
    name: &Text<'_>,
    path: &str,
    report: &mut Report<'_>,
) -> Option<FieldId> {
    let field = field(kind, name.text, name.span.clone(), path, report)?;
    if matches!(field.field_type, FieldType::Date | FieldType::Timestamp) {
        return Some(field.id.clone());
    }
    let found = format!("`{}` ({})", field.id, field.field_type.name());
    report.add(name.span.clone(), path, "a date or timestamp field", found, "");
    None
}

/// Outer `None` after a problem, inner if there is none.
fn residual(
    section: &mut Section<'_>,
    kind: &Kind,
    report: &mut Report<'_>,
) -> Option<Option<FieldId>> {
    if section.entry("residual").is_none() {
        return Some(None);
    }
    let path = section.path_of("residual");
    let name = section.text("residual", report)?;
    let field = field(kind, name.text, name.span.clone(), &path, report)?;
    let FieldType::Enum { values } = &field.field_type else {
        let found = format!("`{}` ({})", field.id, field.field_type.name());
        report.add(name.span, &path, "an enum field", found, "");
        return None;
    };
    if let Some(value) = values.iter().find(|value| UnitId::new(value).is_err()) {
        let expected = format!("values of `{}` that are unit ids", field.id);
        let next = "name residuals by lower-case letters, digits and hyphens in the schema";
        report.add(name.span, &path, expected, format!("`{}`", excerpt(value)), next);
        return None;
    }
    Some(Some(field.id.clone()))
}

fn area_depth(section: &mut Section<'_>, report: &mut Report<'_>) -> u8 {
    let Some((number, span)) = section.integer("area_depth", report) else {
        return DEFAULT_AREA_DEPTH;
    };
    let depth = u8::try_from(number).ok().filter(|depth| usize::from(*depth) < PATH_UNITS);
    if depth.is_none() {
        let path = section.path_of("area_depth");
        let expected = format!("0 to {} levels", PATH_UNITS - 1);
        report.add(span, &path, expected, number.to_string(), "");
    }
    depth.unwrap_or(DEFAULT_AREA_DEPTH)
}

fn legal_basis(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = section.text("legal_basis", report)?;
    let trimmed = text.text.trim();
    if trimmed.is_empty() || trimmed.len() > TEXT_BYTES {
        let path = section.path_of("legal_basis");
        let expected = format!("the law by name, 1 to {TEXT_BYTES} bytes");
        report.add(text.span, &path, expected, format!("{} bytes", trimmed.len()), "");
        return None;
    }
    Some(trimmed.to_owned())
}

fn expected_within(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<u32> {
    let text = section.text("expected_within", report)?;
    let hours = duration(text.text, 'h')
        .or_else(|| duration(text.text, 'd')?.checked_mul(24))
        .filter(|hours| (1..=MAX_EXPECTED_HOURS).contains(hours));
    if hours.is_none() {
        let path = section.path_of("expected_within");
        let expected = "hours or days, such as \"36h\" or \"2d\", at most \"366d\"";
        report.add(text.span, &path, expected, format!("\"{}\"", excerpt(text.text)), "");
    }
    hours
}

/// Days on which it is due; none: every day.
fn due_days(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<DueDays> {
    let entry = section.entry("due")?;
    let expected = "\"every\", \"working\", or days such as [\"mon\", \"thu\"]";
    match entry.value.as_str() {
        Some("every") => return None,
        Some("working") => return Some(DueDays::Working),
        _ => {}
    }
    let days = entry.value.as_array().and_then(|items| {
        let names: Option<Vec<&str>> = items.iter().map(|item| item.get_ref().as_str()).collect();
        Weekdays::of_names(names?)
    });
    if days.is_none() {
        section.wrong("due", entry, expected, "", report);
    }
    days.map(DueDays::On)
}

/// `36h`: a whole number and a letter.
pub(super) fn duration(text: &str, letter: char) -> Option<u32> {
    let digits = text.strip_suffix(letter)?;
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// A table that can never exceed the limit of rows is refused now rather than on a bad day.
fn combinations(
    indicator: &Indicator,
    kind: &Kind,
    section: &mut Section<'_>,
    report: &mut Report<'_>,
) {
    if indicator.group_by.iter().any(|dimension| matches!(dimension, Dimension::Reference { .. })) {
        return;
    }
    let residuals = indicator.residual.as_ref().and_then(|field| kind.field(field.as_str()));
    let areas = residuals.and_then(|field| field.field_type.domain()).map_or(0, <[_]>::len) + 1;
    let rows = indicator
        .combinations()
        .and_then(|rows| usize::try_from(rows).ok())
        .and_then(|rows| rows.checked_mul(areas));
    if rows.is_some_and(|rows| rows <= TABLE_ROWS) {
        return;
    }
    let found = rows.map_or_else(|| "more than 4,294,967,295".to_owned(), |rows| rows.to_string());
    let span = section.entry("group_by").map_or_else(|| section.span(), |entry| entry.span());
    let expected = format!("at most {TABLE_ROWS} combinations of dimension values and residuals");
    let next = "group by fewer dimensions or wider bands";
    report.add(span, &section.path_of("group_by"), expected, found, next);
}

/// Whether two measures select the same records: all but latest-sum take every one.
pub(super) fn same_selection(a: &Measure, b: &Measure) -> bool {
    match (a, b) {
        (
            Measure::LatestSum { by, at, max_age_days, .. },
            Measure::LatestSum { by: other_by, at: other_at, max_age_days: other_age, .. },
        ) => by == other_by && at == other_at && max_age_days == other_age,
        (Measure::LatestSum { .. }, _) | (_, Measure::LatestSum { .. }) => false,
        _ => true,
    }
}

/// What an entry is, for the message that a table or text was expected.
pub(super) fn found(entry: crate::located::Entry<'_>) -> String {
    describe(entry.value)
}
