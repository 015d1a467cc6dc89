//! Reading a TOML file so that every complaint names its place.
//!
//! A schema or a catalogue is written by a person. [`Section`] walks the parsed file key by key and [`Report`]
//! collects every problem with file, line, column, the path of the key, what was expected, what was found and
//! what to do next; a key nobody asked for is a problem too. It never stops at the first problem, never guesses,
//! and knows nothing of schemas. Follows TOML 1.1 as read by the `toml` crate.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Longest file accepted, in bytes: a schema or catalogue is written by hand, and 1 MiB is far above any.
pub const MAX_FILE_BYTES: usize = 1 << 20;

/// Most problems reported for one file, so that a file of another format does not fill a screen.
pub const MAX_PROBLEMS: usize = 50;

/// Longest excerpt of the file shown in a problem, in characters.
const MAX_EXCERPT_CHARS: usize = 60;

/// One thing wrong in a file, with its place and the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    /// The file as the caller named it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The key's path, such as `kind.case.field.age`; empty for the whole file.
    pub path: String,
    /// What should stand there.
    pub expected: String,
    /// What stands there.
    pub found: String,
    /// What to do about it; may be empty when `expected` says it all.
    pub next: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "expected {}, found {}", self.expected, self.found)?;
        if self.next.is_empty() { Ok(()) } else { write!(f, "; {}", self.next) }
    }
}

/// Everything wrong in a file, in the order of its lines. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The problems, first line first.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

/// Collects the problems of one file.
pub struct Report<'t> {
    file: &'t str,
    text: &'t str,
    problems: Vec<Problem>,
}

impl<'t> Report<'t> {
    /// A report on `text`, which the messages call `file`.
    pub fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, text, problems: Vec::new() }
    }

    /// Parses the file; `None` means that it is not TOML, and the report says where.
    pub fn parse(&mut self) -> Option<Spanned<DeTable<'t>>> {
        if self.text.len() > MAX_FILE_BYTES {
            let found = format!("{} bytes", self.text.len());
            self.add(0..0, "", format!("at most {MAX_FILE_BYTES} bytes"), found, "");
            return None;
        }
        match DeTable::parse(self.text) {
            Ok(table) => Some(table),
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                self.add(span, "", "TOML", error.message(), "");
                None
            }
        }
    }

    /// Adds a problem at `span`, a byte range of the text.
    pub fn add(
        &mut self,
        span: Range<usize>,
        path: &str,
        expected: impl Into<String>,
        found: impl Into<String>,
        next: impl Into<String>,
    ) {
        if self.problems.len() >= MAX_PROBLEMS {
            return;
        }
        let (line, column) = self.position(span.start);
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line,
            column,
            path: path.to_owned(),
            expected: expected.into(),
            found: found.into(),
            next: next.into(),
        });
    }

    /// `value` if nothing was wrong, else all problems sorted by place.
    pub fn finish<T>(mut self, value: Option<T>) -> Result<T, Problems> {
        match value {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => {
                if self.problems.is_empty() {
                    self.add(0..0, "", "a complete file", "an incomplete one", "");
                }
                self.problems.sort_by_key(|p| (p.line, p.column));
                Err(Problems(self.problems))
            }
        }
    }

    /// Line and column, both from 1, of a byte offset.
    fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let column = before.get(line_start..).map_or(0, |s| s.chars().count()) + 1;
        (line, column)
    }
}

/// One value of the file with its place.
#[derive(Clone, Copy)]
pub struct Entry<'t> {
    /// The value.
    pub value: &'t DeValue<'t>,
    start: usize,
    end: usize,
}

impl<'t> Entry<'t> {
    /// The value's byte range in the file.
    pub fn span(&self) -> Range<usize> {
        self.start..self.end
    }

    fn new(value: &'t Spanned<DeValue<'t>>) -> Self {
        let span = value.span();
        Self { value: value.get_ref(), start: span.start, end: span.end }
    }

    /// The items of a list; `None` if it is no list.
    pub fn items(&self) -> Option<Vec<Self>> {
        self.value.as_array().map(|array| array.iter().map(Self::new).collect())
    }

    /// The value as a table whose keys `path` leads to; `None` if it is no table.
    pub fn section(&self, path: &str) -> Option<Section<'t>> {
        let (table, span) = (self.value.as_table()?, self.span());
        Some(Section { table, span, path: path.to_owned(), known: Vec::new() })
    }
}

/// A text of the file with its place.
#[derive(Clone)]
pub struct Text<'t> {
    /// The text.
    pub text: &'t str,
    /// Its byte range in the file.
    pub span: Range<usize>,
}

/// One table of the file. Every key must be asked for by name before [`Section::finish`]; the rest is unknown.
pub struct Section<'t> {
    table: &'t DeTable<'t>,
    span: Range<usize>,
    path: String,
    known: Vec<&'static str>,
}

impl<'t> Section<'t> {
    /// The whole file.
    pub fn root(table: &'t Spanned<DeTable<'t>>) -> Self {
        Self { table: table.get_ref(), span: 0..0, path: String::new(), known: Vec::new() }
    }

    /// The path of this table, such as `kind.case`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The table's byte range in the file.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The path of a key of this table.
    pub fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The value of `key`, marking it known.
    pub fn entry(&mut self, key: &'static str) -> Option<Entry<'t>> {
        self.known.push(key);
        self.table.get(key).map(Entry::new)
    }

    /// A string; another type is a problem, absence is not.
    pub fn text(&mut self, key: &'static str, report: &mut Report<'_>) -> Option<Text<'t>> {
        let entry = self.entry(key)?;
        self.text_of(key, entry, report)
    }

    /// A string that must be there.
    pub fn required_text(
        &mut self,
        key: &'static str,
        expected: &str,
        report: &mut Report<'_>,
    ) -> Option<Text<'t>> {
        let Some(entry) = self.entry(key) else {
            self.missing(key, expected, report);
            return None;
        };
        self.text_of(key, entry, report)
    }

    fn text_of(&self, key: &str, entry: Entry<'t>, report: &mut Report<'_>) -> Option<Text<'t>> {
        match entry.value.as_str() {
            Some(text) => Some(Text { text, span: entry.span() }),
            None => {
                self.wrong(key, entry, "a string", "", report);
                None
            }
        }
    }

    /// A whole number that fits 64 bits; another type is a problem, absence is not.
    pub fn integer(
        &mut self,
        key: &'static str,
        report: &mut Report<'_>,
    ) -> Option<(i64, Range<usize>)> {
        let entry = self.entry(key)?;
        match integer_of(entry.value) {
            Some(number) => Some((number, entry.span())),
            None => {
                self.wrong(key, entry, "a whole number that fits 64 bits", "", report);
                None
            }
        }
    }

    /// `true` or `false`; another type is a problem, absence is not.
    pub fn boolean(&mut self, key: &'static str, report: &mut Report<'_>) -> Option<bool> {
        let entry = self.entry(key)?;
        let value = entry.value.as_bool();
        if value.is_none() {
            self.wrong(key, entry, "true or false", "", report);
        }
        value
    }

    /// A list of strings; another type is a problem, absence is not.
    pub fn texts(&mut self, key: &'static str, report: &mut Report<'_>) -> Option<Vec<Text<'t>>> {
        let entry = self.entry(key)?;
        let Some(array) = entry.value.as_array() else {
            self.wrong(key, entry, "a list of strings", "", report);
            return None;
        };
        let mut texts = Vec::new();
        for item in array.iter() {
            let item = Entry::new(item);
            texts.extend(self.text_of(key, item, report));
        }
        Some(texts)
    }

    /// A table under `key`; another type is a problem, absence is not.
    pub fn section(&mut self, key: &'static str, report: &mut Report<'_>) -> Option<Section<'t>> {
        let entry = self.entry(key)?;
        self.section_of(key, entry, report)
    }

    /// The named tables under `key` (`[key.name]`), in the order of the file.
    pub fn sections(
        &mut self,
        key: &'static str,
        report: &mut Report<'_>,
    ) -> Vec<(Text<'t>, Section<'t>)> {
        let Some(outer) = self.section(key, report) else { return Vec::new() };
        let mut sections = Vec::new();
        for (name, value) in outer.table.iter() {
            let text = Text { text: name.get_ref().as_ref(), span: name.span() };
            let entry = Entry::new(value);
            if let Some(section) = outer.section_of(text.text, entry, report) {
                sections.push((text, section));
            }
        }
        sections
    }

    fn section_of(
        &self,
        key: &str,
        entry: Entry<'t>,
        report: &mut Report<'_>,
    ) -> Option<Section<'t>> {
        match entry.value.as_table() {
            Some(table) => Some(Section {
                table,
                span: entry.span(),
                path: self.path_of(key),
                known: Vec::new(),
            }),
            None => {
                self.wrong(key, entry, "a table", "", report);
                None
            }
        }
    }

    /// Every key and value of this table in the order of the file, all marked known: for tables whose keys are
    /// names the file chooses.
    pub fn entries(&self) -> impl Iterator<Item = (Text<'t>, Entry<'t>)> + use<'t> {
        let table = self.table;
        table.iter().map(|(name, value)| {
            (Text { text: name.get_ref().as_ref(), span: name.span() }, Entry::new(value))
        })
    }

    /// Reports a key that must be there and is not.
    pub fn missing(&self, key: &str, expected: &str, report: &mut Report<'_>) {
        let found = "nothing";
        report.add(self.span(), &self.path_of(key), expected, found, format!("add `{key} = ...`"));
    }

    /// Reports that the value of `key` is not what was expected.
    pub fn wrong(
        &self,
        key: &str,
        entry: Entry<'_>,
        expected: &str,
        next: &str,
        report: &mut Report<'_>,
    ) {
        let found = describe(entry.value);
        report.add(entry.span(), &self.path_of(key), expected, found, next);
    }

    /// Reports every key of this table that nobody asked for.
    pub fn finish(self, report: &mut Report<'_>) {
        for (name, _) in self.table.iter() {
            let key = name.get_ref().as_ref();
            if !self.known.contains(&key) {
                let expected = format!("one of {}", self.known.join(", "));
                let found = format!("the unknown key `{}`", excerpt(key));
                report.add(name.span(), &self.path_of(key), expected, found, "");
            }
        }
    }
}

/// A TOML integer as `i64`, or `None` if it is none or does not fit.
pub fn integer_of(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// What a value is, for a message.
pub fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the string \"{}\"", excerpt(text)),
        DeValue::Integer(number) => format!("the number {}", excerpt(number.as_str())),
        DeValue::Float(number) => format!("the floating number {}", excerpt(number.as_str())),
        DeValue::Boolean(value) => format!("{value}"),
        DeValue::Datetime(_) => "a TOML date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// The text without control characters, cut to a length that fits a message.
pub fn excerpt(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(MAX_EXCERPT_CHARS)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().count() > MAX_EXCERPT_CHARS {
        shown.push('…');
    }
    shown
}
