//! From TOML to a [`Mapping`].

use std::sync::Arc;

use reeve_crdt::located::{Report, Section, Text, describe, excerpt};
use reeve_crdt::schema::{Kind, Schema, closure};
use reeve_statement::names::FieldId;
use reeve_statement::period::{Period, Step};
use reeve_statement::unit::UnitId;
use toml::de::DeValue;

use super::{ClosesRule, FieldRule, MAX_ID_COLUMNS, Mapping, Mode, RowFilter, UnitRule, field};
use crate::import::dates::TimeFormat;
use crate::import::reader::{Encoding, Format, MAX_COLUMNS};

/// Between the parts of an id, if the mapping does not say.
const ID_SEPARATOR: &str = "/";

/// The columns that a mapping names, each once.
#[derive(Default)]
pub(super) struct Columns {
    names: Vec<String>,
    /// Whether columns have numbers in place of names.
    numbered: bool,
}

impl Columns {
    /// The position of a column, added if it is new.
    pub(super) fn position(
        &mut self,
        name: &Text<'_>,
        path: &str,
        report: &mut Report<'_>,
    ) -> usize {
        let number = name.text.parse::<usize>().ok().filter(|n| (1..=MAX_COLUMNS).contains(n));
        if self.numbered && number.is_none() {
            let expected = format!("a column's number, \"1\" to \"{MAX_COLUMNS}\"");
            let found = format!("\"{}\"", excerpt(name.text));
            let next = "columns have numbers, because the file has `header = false`";
            report.add(name.span.clone(), path, expected, found, next);
        }
        if name.text.trim() != name.text || name.text.is_empty() {
            let found = format!("\"{}\"", excerpt(name.text));
            let expected = "a column's name without blanks at its ends";
            report.add(name.span.clone(), path, expected, found, "");
        }
        if let Some(position) = self.names.iter().position(|known| known == name.text) {
            return position;
        }
        self.names.push(name.text.to_owned());
        self.names.len().saturating_sub(1)
    }
}

/// One of the words that a key may have.
pub(super) fn choice<T: Copy>(
    section: &mut Section<'_>,
    key: &'static str,
    choices: &[(&str, T)],
    report: &mut Report<'_>,
) -> Option<T> {
    let text = section.text(key, report)?;
    let chosen = choices.iter().find(|(word, _)| *word == text.text).map(|(_, value)| *value);
    if chosen.is_none() {
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        let expected = format!("one of {}", words.join(", "));
        let found = format!("\"{}\"", excerpt(text.text));
        report.add(text.span, &section.path_of(key), expected, found, "");
    }
    chosen
}

pub(super) fn mapping(schema: &Schema, report: &mut Report<'_>) -> Option<Mapping> {
    let table = report.parse()?;
    let mut root = Section::root(&table);
    let kind = kind(&mut root, schema, report);
    let modes = [("append", Mode::Append), ("upsert", Mode::Upsert), ("snapshot", Mode::Snapshot)];
    if root.entry("mode").is_none() {
        root.missing("mode", "append, upsert or snapshot", report);
    }
    let mode = choice(&mut root, "mode", &modes, report);
    let (format, encoding) = file(&mut root, report);
    let numbered = matches!(format, Some(Format::Csv { header: false, .. }));
    let mut columns = Columns { names: Vec::new(), numbered };
    let (id_columns, id_separator) = id(&mut root, &mut columns, report);
    let fields = root.sections("field", report);
    let fields = kind.as_ref().map(|kind| field::fields(fields, kind, &mut columns, report));
    let only = only(&mut root, &mut columns, report);
    let unit = unit(&mut root, &mut columns, report);
    let closes = closes(&mut root, &mut columns, report);
    let source = source(&mut root, kind.as_deref(), report);
    let fields_known = fields.as_deref().unwrap_or_default();
    let (scope, allow_empty) = snapshot(&mut root, mode, fields_known, report);
    root.finish(report);
    Some(Mapping {
        kind: kind?,
        mode: mode?,
        source: source?,
        format: format?,
        encoding: encoding?,
        columns: columns.names,
        fields: fields?,
        id_columns: id_columns?,
        id_separator,
        only,
        unit,
        closes,
        scope,
        allow_empty,
    })
}

fn kind(root: &mut Section<'_>, schema: &Schema, report: &mut Report<'_>) -> Option<Arc<Kind>> {
    let name = root.required_text("kind", "a kind of the schema", report)?;
    let known = schema.kind(name.text).filter(|kind| kind.id.as_str() != closure::KIND);
    if known.is_none() {
        let kinds = schema.kinds().map(|kind| kind.id.as_str()).filter(|id| *id != closure::KIND);
        let expected = format!("one of {}", kinds.collect::<Vec<_>>().join(", "));
        let found = format!("\"{}\"", excerpt(name.text));
        report.add(name.span, "kind", expected, found, "correct it, or add the kind to the schema");
    }
    known.cloned()
}

fn file(root: &mut Section<'_>, report: &mut Report<'_>) -> (Option<Format>, Option<Encoding>) {
    let csv = Format::Csv { delimiter: b',', header: true };
    let Some(mut section) = root.section("file", report) else {
        return (Some(csv), Some(Encoding::Utf8));
    };
    let given = section.entry("format").is_some();
    let is_csv = choice(&mut section, "format", &[("csv", true), ("ndjson", false)], report);
    let is_csv = if given { is_csv } else { Some(true) };
    let given = section.entry("encoding").is_some();
    let encodings = [("utf-8", Encoding::Utf8), ("latin-1", Encoding::Latin1)];
    let encoding = choice(&mut section, "encoding", &encodings, report);
    let encoding = if given { encoding } else { Some(Encoding::Utf8) };
    let format = match is_csv {
        Some(true) => {
            let header = section.boolean("header", report).unwrap_or(true);
            delimiter(&mut section, report).map(|delimiter| Format::Csv { delimiter, header })
        }
        Some(false) => Some(Format::Ndjson),
        None => None,
    };
    section.finish(report);
    (format, encoding)
}

fn delimiter(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<u8> {
    let Some(text) = section.text("delimiter", report) else { return Some(b',') };
    match text.text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r' | 0) => Some(*byte),
        _ => {
            let found = format!("\"{}\"", excerpt(text.text));
            let expected = "one ASCII character such as \";\" or \"\\t\"";
            report.add(text.span, &section.path_of("delimiter"), expected, found, "");
            None
        }
    }
}

fn id(
    root: &mut Section<'_>,
    columns: &mut Columns,
    report: &mut Report<'_>,
) -> (Option<Vec<usize>>, String) {
    let separator = root.text("id_separator", report);
    if let Some(separator) = &separator
        && (separator.text.is_empty() || separator.text.chars().any(char::is_control))
    {
        let found = format!("\"{}\"", excerpt(separator.text));
        report.add(separator.span.clone(), "id_separator", "visible text", found, "");
    }
    let separator = separator.map_or_else(|| ID_SEPARATOR.to_owned(), |text| text.text.to_owned());
    let Some(texts) = root.texts("id", report) else {
        root.missing("id", "the columns that make up a record's id, such as [\"number\"]", report);
        return (None, separator);
    };
    if !(1..=MAX_ID_COLUMNS).contains(&texts.len()) {
        let expected = format!("1 to {MAX_ID_COLUMNS} columns");
        let span = root.entry("id").map_or(0..0, |entry| entry.span());
        report.add(span, "id", expected, texts.len().to_string(), "");
    }
    let positions = texts.iter().map(|text| columns.position(text, "id", report)).collect();
    (Some(positions), separator)
}

fn only(root: &mut Section<'_>, columns: &mut Columns, report: &mut Report<'_>) -> Vec<RowFilter> {
    let Some(section) = root.section("only", report) else { return Vec::new() };
    let expected = "a text, a list of texts, or { not = a text or a list of texts }";
    let mut filters = Vec::new();
    for (name, entry) in section.entries() {
        let path = section.path_of(name.text);
        let column = columns.position(&name, &path, report);
        let (value, wanted) = match entry.value.as_table() {
            Some(table) if table.iter().count() == 1 => {
                (table.get("not").map(|value| value.get_ref()), false)
            }
            Some(_) => (None, false),
            None => (Some(entry.value), true),
        };
        match value.and_then(texts_of) {
            Some(texts) => filters.push(RowFilter { column, texts, wanted }),
            None => report.add(entry.span(), &path, expected, describe(entry.value), ""),
        }
    }
    filters
}

/// One text or a list of texts.
fn texts_of(value: &DeValue<'_>) -> Option<Vec<String>> {
    if let Some(text) = value.as_str() {
        return Some(vec![text.to_owned()]);
    }
    let items = value.as_array()?.iter();
    items.map(|item| item.get_ref().as_str().map(str::to_owned)).collect()
}

fn unit(
    root: &mut Section<'_>,
    columns: &mut Columns,
    report: &mut Report<'_>,
) -> Option<UnitRule> {
    let mut section = root.section("unit", report)?;
    let column = section.required_text("column", "the column that names the unit", report);
    let path = section.path_of("column");
    let column = column.map(|name| columns.position(&name, &path, report));
    let mut values = std::collections::BTreeMap::new();
    if let Some(table) = section.section("values", report) {
        for (code, entry) in table.entries() {
            match entry.value.as_str().and_then(|text| UnitId::new(text).ok()) {
                Some(unit) => drop(values.insert(code.text.to_owned(), unit)),
                None => table.wrong(code.text, entry, "a unit id", "", report),
            }
        }
    }
    section.finish(report);
    Some(UnitRule { column: column?, values })
}

fn closes(
    root: &mut Section<'_>,
    columns: &mut Columns,
    report: &mut Report<'_>,
) -> Option<ClosesRule> {
    let mut section = root.section("closes", report)?;
    let column = section.text("column", report);
    let format = section.text("format", report);
    let period = section.text("period", report);
    let file_name = section.text("file_name", report);
    let steps = [("day", Step::Day), ("week", Step::Week), ("month", Step::Month)];
    let step_given = section.entry("step").is_some();
    let step = choice(&mut section, "step", &steps, report).unwrap_or(Step::Day);
    let mut format_at = |text: &Text<'_>, key: &str, section: &Section<'_>| {
        let format = TimeFormat::of_period(text.text, step);
        if let Err(error) = &format {
            let found = format!("\"{}\"", excerpt(text.text));
            report.add(text.span.clone(), &section.path_of(key), error.expected, found, "");
        }
        format.ok()
    };
    let rule = match (&column, &period, &file_name) {
        (Some(column), None, None) => {
            let format = match &format {
                Some(format) => Some(format_at(format, "format", &section)?),
                None => None,
            };
            let column = columns.position(column, &section.path_of("column"), report);
            Some(ClosesRule::Column { column, format, step })
        }
        (None, None, Some(name)) if format.is_none() => {
            let format = format_at(name, "file_name", &section)?;
            Some(ClosesRule::FileName { format, step })
        }
        (None, Some(period), None) if format.is_none() && !step_given => {
            match period.text.parse::<Period>() {
                Ok(period) => Some(ClosesRule::Period(period)),
                Err(_) => {
                    let expected = "a period: 2020-03-01, 2020-W10, 2020-03 or now";
                    let found = format!("\"{}\"", excerpt(period.text));
                    let path = section.path_of("period");
                    report.add(period.span.clone(), &path, expected, found, "");
                    None
                }
            }
        }
        _ => {
            let expected = "either `column` (and `format`, `step`), or `period`, or `file_name` \
                            (and `step`)";
            let found = "another combination of keys";
            report.add(section.span(), section.path(), expected, found, "");
            None
        }
    };
    section.finish(report);
    rule
}

fn source(root: &mut Section<'_>, kind: Option<&Kind>, report: &mut Report<'_>) -> Option<String> {
    let Some(text) = root.text("source", report) else {
        let mut name = kind?.id.as_str().to_owned();
        name.truncate(closure::MAX_SOURCE_BYTES);
        return Some(name);
    };
    let fits = (1..=closure::MAX_SOURCE_BYTES).contains(&text.text.len())
        && !text.text.chars().any(|c| c == '/' || c.is_control());
    if !fits {
        let expected =
            format!("1 to {} bytes without `/` and control characters", closure::MAX_SOURCE_BYTES);
        let found = format!("\"{}\"", excerpt(text.text));
        report.add(text.span, "source", expected, found, "choose a short name");
        return None;
    }
    Some(text.text.to_owned())
}

fn snapshot(
    root: &mut Section<'_>,
    mode: Option<Mode>,
    fields: &[FieldRule],
    report: &mut Report<'_>,
) -> (Vec<FieldId>, bool) {
    let Some(mut section) = root.section("snapshot", report) else { return (Vec::new(), false) };
    if mode.is_some_and(|mode| mode != Mode::Snapshot) {
        let expected = "[snapshot] with `mode = \"snapshot\"` only";
        report.add(section.span(), "snapshot", expected, "another mode", "remove it");
    }
    let path = section.path_of("scope");
    let texts = section.texts("scope", report);
    if texts.as_ref().is_some_and(Vec::is_empty) {
        report.add(section.span(), &path, "at least one mapped field", "none", "or remove the key");
    }
    let allow_empty = section.boolean("allow_empty", report).unwrap_or(false);
    let mut scope = Vec::new();
    for text in texts.into_iter().flatten() {
        match fields.iter().find(|rule| rule.field.as_str() == text.text) {
            Some(rule) if !scope.contains(&rule.field) => scope.push(rule.field.clone()),
            Some(_) => report.add(text.span, &path, "each field once", "a field twice", ""),
            None => {
                let found = format!("\"{}\"", excerpt(text.text));
                report.add(text.span, &path, "a field that this mapping maps", found, "");
            }
        }
    }
    section.finish(report);
    (scope, allow_empty)
}
