//! Where in a policy file something stands: cuts the text into single policies and counts lines.
//!
//! Cedar tells which policy is at fault but not its line; officers edit files, so errors name both.
//! This module only looks for the ends of policies; it judges nothing.

use core::fmt;
use core::ops::Range;

/// A place in a policy file, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file's name as it was given.
    pub file: String,
    /// The line.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A policy file's text with its name.
#[derive(Debug, Clone)]
pub(super) struct Source<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// The place of a byte offset.
    pub(super) fn place(&self, offset: usize) -> Place {
        let before = self.text.bytes().take(offset);
        let line = before.filter(|byte| *byte == b'\n').count().saturating_add(1);
        Place { file: self.file.to_owned(), line }
    }

    /// The place of annotation `key` of the policy at `range`; its first line if not found.
    pub(super) fn annotation(&self, range: &Range<usize>, key: &str) -> Place {
        let policy = self.text.get(range.clone()).unwrap_or_default();
        let found = policy.match_indices('@').find(|(at, _)| {
            let rest = policy.get(at.saturating_add(1)..).unwrap_or_default().trim_start();
            rest.strip_prefix(key).is_some_and(|after| !after.starts_with(is_identifier))
        });
        self.place(range.start.saturating_add(found.map_or(0, |(at, _)| at)))
    }
}

fn is_identifier(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// Where a scan stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    Comment,
    Text,
    Escape,
}

/// The byte ranges of the policies in `text`, each with its semicolon. What follows the last
/// semicolon is one more if it holds anything but comments.
pub(super) fn policies(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut state = State::Code;
    let mut start = None;
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match (state, letter) {
            (State::Comment, '\n') | (State::Text, '"') => state = State::Code,
            (State::Comment, _) => {}
            (State::Text, '\\') => state = State::Escape,
            (State::Text, _) => {}
            (State::Escape, _) => state = State::Text,
            (State::Code, '/') if letters.peek().is_some_and(|(_, next)| *next == '/') => {
                state = State::Comment;
            }
            (State::Code, ';') => {
                let from = start.take().unwrap_or(at);
                found.push(from..at.saturating_add(1));
            }
            (State::Code, _) if letter.is_whitespace() => {}
            (State::Code, _) => {
                start.get_or_insert(at);
                if letter == '"' {
                    state = State::Text;
                }
            }
        }
    }
    found.extend(start.map(|from| from..text.len()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semicolons_in_texts_and_comments_end_nothing() {
        let text = "// a; b\n@id(\"x;\\\";\") permit(a,b,c); // ;\n\nforbid(d);\n// end\nrest";
        let found: Vec<_> = policies(text).into_iter().filter_map(|r| text.get(r)).collect();
        assert_eq!(found, ["@id(\"x;\\\";\") permit(a,b,c);", "forbid(d);", "rest"]);
    }

    #[test]
    fn places_count_lines_from_one() {
        let text = "@id(\"a\")\n@min_cells(\"3\")\n@min_cell(\"3\")\npermit();";
        let source = Source { file: "p.cedar", text };
        let range = 0..text.len();
        assert_eq!(source.annotation(&range, "min_cell").to_string(), "p.cedar:3");
        assert_eq!(source.annotation(&range, "min_cells").to_string(), "p.cedar:2");
    }
}
