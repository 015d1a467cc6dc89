//! One JSON object per line (RFC 8259, as NDJSON): keys are columns, and only those of the mapping
//! are kept. Numbers keep their digits; nothing passes through a float.

use std::fmt;
use std::io::{BufRead, Read};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Encoding, RECORD_BYTES, Row, is_merge_marker};
use crate::import::fault::{FileFault, Placed, RowFault};
use crate::import::source::Unpacked;

/// Deepest nesting of objects and lists in a line. Mapped values are not nested at all; the rest is
/// skipped, and this bounds the work.
pub const MAX_DEPTH: usize = 64;

pub(in crate::import) struct NdjsonRows {
    pub(super) input: Unpacked,
    encoding: Encoding,
    wanted: Vec<String>,
    line: u64,
    bytes: Vec<u8>,
    text: String,
}

impl NdjsonRows {
    pub(super) fn new(input: Unpacked, encoding: Encoding, wanted: Vec<String>) -> Self {
        Self { input, encoding, wanted, line: 0, bytes: Vec::new(), text: String::new() }
    }

    /// Reads the next row; `false` at the end.
    pub(super) fn next(&mut self, row: &mut Row) -> Result<bool, Placed> {
        loop {
            if !self.read_line()? {
                return Ok(false);
            }
            if !self.bytes.trim_ascii().is_empty() {
                break;
            }
        }
        if self.bytes.contains(&0) {
            return Err(FileFault::Nul.at(self.line, None));
        }
        let bytes = self.bytes.trim_ascii_end();
        if is_merge_marker(bytes, true) {
            return Err(FileFault::MergeMarker.at(self.line, None));
        }
        self.text.clear();
        self.encoding.decode(bytes, &mut self.text).map_err(|fault| fault.at(self.line, None))?;
        row.begin(self.line, self.wanted.len());
        if is_too_deep(&self.text) {
            row.fault = Some((None, RowFault::TooDeep));
        } else {
            parse(&self.text, &self.wanted, row);
        }
        Ok(true)
    }

    /// Reads one line into `bytes`; `false` at the end.
    fn read_line(&mut self) -> Result<bool, Placed> {
        self.bytes.clear();
        self.line = self.line.saturating_add(1);
        let limit = u64::try_from(RECORD_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        let mut limited = self.input.by_ref().take(limit);
        let count = limited.read_until(b'\n', &mut self.bytes).map_err(FileFault::from_io)?;
        if self.bytes.len() > RECORD_BYTES {
            return Err(FileFault::TooLong.at(self.line, None));
        }
        Ok(count > 0)
    }
}

fn parse(text: &str, wanted: &[String], row: &mut Row) {
    let mut json = serde_json::Deserializer::from_str(text);
    let object = (&mut json).deserialize_map(Object { wanted, row: &mut *row });
    let Err(error) = object.and_then(|()| json.end()) else { return };
    // A fault found inside an object that is JSON so far is the better message.
    if row.fault.is_none() {
        let fault = if error.is_data() {
            RowFault::NotAnObject
        } else {
            RowFault::NotJson { byte: error.column() }
        };
        row.fault = Some((None, fault));
    }
}

struct Object<'a> {
    wanted: &'a [String],
    row: &'a mut Row,
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(column) = map.next_key_seed(Key { wanted: self.wanted })? {
            let Some(column) = column else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value: &RawValue = map.next_value()?;
            if self.row.has(column) {
                self.row.fault = Some((Some(column), RowFault::KeyTwice));
            }
            put(self.row, column, value.get());
        }
        Ok(())
    }
}

/// Puts a scalar into the row; `null` is no cell.
fn put(row: &mut Row, column: usize, raw: &str) {
    match raw.as_bytes().first() {
        Some(b'n') => {}
        Some(b'{' | b'[') => row.fault = Some((Some(column), RowFault::Nested)),
        Some(b'"') => {
            let plain = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
            if plain.contains('\\') {
                match serde_json::from_str::<String>(raw) {
                    Ok(text) => row.put(column, &text),
                    Err(error) => {
                        let fault = RowFault::NotJson { byte: error.column() };
                        row.fault = Some((Some(column), fault));
                    }
                }
            } else {
                row.put(column, plain);
            }
        }
        _ => row.put(column, raw),
    }
}

/// Reads a key without keeping it: which of the wanted columns it is.
struct Key<'a> {
    wanted: &'a [String],
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.wanted.iter().position(|wanted| wanted == key))
    }
}

/// Whether objects and lists are nested deeper than allowed.
fn is_too_deep(text: &str) -> bool {
    let opens = |byte: &u8| matches!(byte, b'{' | b'[');
    if text.bytes().filter(opens).count() <= MAX_DEPTH {
        return false;
    }
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        if in_text {
            (in_text, escaped) = (escaped || byte != b'"', !escaped && byte == b'\\');
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}
