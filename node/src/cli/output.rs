//! What a command prints: one JSON document, or text for people.
//!
//! Results go to standard output, remarks and failures to standard error. Text of others (titles,
//! labels, names) is escaped, so that it cannot steer a terminal. Colour only on a terminal, unless
//! asked for.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style as Ansi};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::json;

use super::texts::{Locale, Text};
use super::{Colour, CommandError};
use crate::client::ClientError;

/// How a command prints.
#[derive(Debug, Clone)]
pub struct Output {
    json: bool,
    colour: ColorChoice,
    locale: Locale,
}

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A heading.
    Heading,
    /// As it should be.
    Good,
    /// To be looked at.
    Doubtful,
    /// To be acted on.
    Bad,
    /// Of less interest.
    Dim,
}

impl Style {
    /// The text in this style; colours are dropped where they are not wanted.
    #[must_use]
    pub fn of(self, text: &str) -> String {
        let style = match self {
            Self::Heading => Ansi::new().bold(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Doubtful => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Dim => Ansi::new().dimmed(),
        };
        format!("{style}{text}{style:#}")
    }
}

impl Output {
    /// Prints JSON, or text in a language, coloured as wished.
    #[must_use]
    pub fn new(json: bool, colour: Colour, locale: Locale) -> Self {
        let colour = match colour {
            Colour::Auto => ColorChoice::Auto,
            Colour::Always => ColorChoice::Always,
            Colour::Never => ColorChoice::Never,
        };
        Self { json, colour, locale }
    }

    /// The language of texts.
    pub(super) const fn locale(&self) -> &Locale {
        &self.locale
    }

    /// Whether JSON is wanted.
    #[must_use]
    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a result: the value as JSON, or the text that `human` makes.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn show<T: Serialize + ?Sized>(
        &self,
        value: &T,
        human: impl FnOnce() -> String,
    ) -> Result<(), CommandError> {
        let mut text = if self.json {
            serde_json::to_string_pretty(value)
                .map_err(|error| CommandError::Output(io::Error::other(error)))?
        } else {
            human()
        };
        if !text.ends_with('\n') {
            text.push('\n');
        }
        self.bytes(text.as_bytes())
    }

    /// Prints bytes as they are.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), CommandError> {
        let mut out = AutoStream::new(io::stdout(), self.choice_for_stdout());
        match out.write_all(bytes).and_then(|()| out.flush()) {
            // The reader, such as `head`, has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            result => result.map_err(CommandError::Output),
        }
    }

    /// Prints bytes that are no text.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn raw(&self, bytes: &[u8]) -> Result<(), CommandError> {
        self.raw_by(|out| out.write_all(bytes))
    }

    /// The same, for what is made as it is written.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn raw_by(
        &self,
        write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    ) -> Result<(), CommandError> {
        let mut out = io::stdout();
        match write(&mut out).and_then(|()| out.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            result => result.map_err(CommandError::Output),
        }
    }

    fn choice_for_stdout(&self) -> ColorChoice {
        match self.colour {
            ColorChoice::Auto => AutoStream::choice(&io::stdout()),
            choice => choice,
        }
    }

    /// A remark for people, on standard error; nothing with JSON.
    pub fn note(&self, text: &str) {
        if !self.json {
            self.say(text);
        }
    }

    /// Says why a command failed, on standard error.
    pub fn failure(&self, error: &CommandError) {
        if self.json {
            let told = error.to_string();
            let exit = error.exit() as u8;
            let document = match error {
                CommandError::Client(ClientError::Problem(problem)) => json!({
                    "error": told,
                    "exit": exit,
                    "code": problem.code,
                    "reason": problem.reason,
                }),
                _ => json!({ "error": told, "exit": exit }),
            };
            self.say(&document.to_string());
        } else {
            let word = Style::Bad.of(self.locale.say(Text::Error));
            self.say(&format!("{word} {}", self.locale.failure(error)));
        }
    }

    fn say(&self, text: &str) {
        let choice = match self.colour {
            ColorChoice::Auto => AutoStream::choice(&io::stderr()),
            choice => choice,
        };
        let mut err = AutoStream::new(io::stderr(), choice);
        // Nobody is left to be told when standard error is gone.
        let _ = writeln!(err, "{text}");
    }
}

/// The text with its control characters escaped, for texts of others.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        let steers =
            c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if steers {
            // Writing to a string cannot fail.
            let _ = write!(safe, "{}", c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// A table for people; every cell is escaped. Columns named in `right` are aligned to the right.
#[must_use]
pub fn table(headings: &[&str], right: &[usize], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings.iter().map(|heading| heading.to_uppercase()));
    for row in rows {
        table.add_row(row.iter().map(|cell| plain(cell)));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if index == 0 { 0 } else { 1 }, 1));
        if right.contains(&index) {
            column.set_cell_alignment(comfy_table::CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}
