//! Rows of a file, one at a time, whatever its format: only the columns that a mapping names.
//!
//! A reader holds one row and one buffer, however long the file. Faults of a row leave the row in
//! place, for the reject file; faults of the file end the reading. No reader knows kinds or fields.

use std::io::BufRead;

use super::fault::{FileFault, Placed, RowFault};
use super::source::Unpacked;

pub(super) mod csv;
pub(super) mod encoding;
pub(super) mod ndjson;

pub use encoding::Encoding;

/// Longest record, in bytes, and so the most that a reader holds: sixty times the largest record
/// that a twin accepts.
pub const RECORD_BYTES: usize = 1 << 20;

/// Most columns of a file: eight times the fields that a kind may have.
pub const MAX_COLUMNS: usize = 1_000;

/// About what a value takes in memory beside its text, in bytes.
const CELL_BYTES: usize = 48;

/// What a zip file begins with, and so spreadsheets (.xlsx, .ods).
const ZIP_MAGIC: &[u8] = b"PK\x03\x04";

/// The byte order mark in UTF-8.
const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// How a file is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// Separated values as in RFC 4180, with any delimiter, and with CR, LF or CR LF.
    Csv {
        /// Between two cells: one ASCII character.
        delimiter: u8,
        /// Whether the first row names the columns; else they are called `1`, `2`, ...
        header: bool,
    },
    /// One JSON object per line; a key is a column.
    Ndjson,
}

/// One row; used again and again. It holds values of the file, so it has no `Debug`.
#[derive(Default)]
pub(super) struct Row {
    /// The line in which it begins, from 1.
    pub(super) line: u64,
    /// The content of the cells, one after the other.
    text: String,
    /// Where each column of the mapping stands in `text`; `None` if the row has no such cell.
    cells: Vec<Option<(usize, usize)>>,
    /// What is wrong with the row, and in which column of the mapping.
    pub(super) fault: Option<(Option<usize>, RowFault)>,
}

impl Row {
    /// The cell of a column of the mapping, blanks at both ends cut off; `None` if there is none.
    pub(super) fn cell(&self, column: usize) -> Option<&str> {
        let (start, end) = (*self.cells.get(column)?)?;
        self.text.get(start..end).map(str::trim)
    }

    /// About how much memory the row takes, in bytes: its text and a fixed part per cell.
    pub(super) fn bytes(&self) -> usize {
        self.text.len().saturating_add(self.cells.len().saturating_mul(CELL_BYTES))
    }

    fn begin(&mut self, line: u64, columns: usize) {
        self.line = line;
        self.text.clear();
        self.cells.clear();
        self.cells.resize(columns, None);
        self.fault = None;
    }

    fn put(&mut self, column: usize, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        if let Some(cell) = self.cells.get_mut(column) {
            *cell = Some((start, self.text.len()));
        }
    }

    fn has(&self, column: usize) -> bool {
        self.cells.get(column).is_some_and(Option::is_some)
    }
}

/// Reads rows of either format.
pub(super) enum Rows {
    Csv(Box<csv::CsvRows>),
    Ndjson(Box<ndjson::NdjsonRows>),
}

impl Rows {
    /// Begins to read: looks at the first bytes and the header, and finds the wanted columns.
    pub(super) fn open(
        mut input: Unpacked,
        format: &Format,
        encoding: Encoding,
        wanted: &[String],
    ) -> Result<Self, Placed> {
        look_at_head(&mut input)?;
        let wanted = wanted.to_vec();
        Ok(match format {
            Format::Csv { delimiter, header } => {
                let rows = csv::CsvRows::open(input, *delimiter, *header, encoding, wanted)?;
                Self::Csv(Box::new(rows))
            }
            Format::Ndjson => {
                let rows = ndjson::NdjsonRows::new(input, encoding, wanted);
                Self::Ndjson(Box::new(rows))
            }
        })
    }

    /// Reads the next row into `row`; `false` at the end of the file.
    pub(super) fn next(&mut self, row: &mut Row) -> Result<bool, Placed> {
        match self {
            Self::Csv(rows) => rows.next(row),
            Self::Ndjson(rows) => rows.next(row),
        }
    }

    /// The bytes that were read.
    pub(super) fn input(&self) -> &Unpacked {
        match self {
            Self::Csv(rows) => &rows.input,
            Self::Ndjson(rows) => &rows.input,
        }
    }
}

/// Refuses what is no text by its first bytes, and skips a UTF-8 byte order mark.
fn look_at_head(input: &mut Unpacked) -> Result<(), FileFault> {
    let head = input.fill_buf().map_err(FileFault::from_io)?;
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return Err(FileFault::Utf16);
    }
    if head.starts_with(ZIP_MAGIC) {
        return Err(FileFault::Spreadsheet);
    }
    let mark = if head.starts_with(UTF8_MARK) { UTF8_MARK.len() } else { 0 };
    if head.len() == mark {
        return Err(FileFault::Empty);
    }
    input.consume(mark);
    Ok(())
}

/// Whether a line, given by its first cell, was written by a merge that met a conflict.
fn is_merge_marker(first_cell: &[u8], alone: bool) -> bool {
    first_cell.starts_with(b"<<<<<<< ")
        || first_cell.starts_with(b">>>>>>> ")
        || (alone && first_cell == b"=======")
}
