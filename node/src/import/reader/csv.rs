//! Separated values (RFC 4180), parsed by `csv-core` into buffers whose growth is capped here.
//!
//! `csv-core` prefers any parse over none; what it would pass over in silence is looked for around
//! it: rows of another length, a quotation mark that is never closed, merge markers, NUL bytes.

use std::io::BufRead;

use csv_core::ReadRecordResult;

use super::{Encoding, MAX_COLUMNS, RECORD_BYTES, Row, is_merge_marker};
use crate::import::fault::{FileFault, Placed, RowFault};
use crate::import::source::Unpacked;

/// Room for a row at first, in bytes; it doubles up to [`RECORD_BYTES`].
const FIRST_BYTES: usize = 4 << 10;

/// Room for cells at first; it doubles up to [`MAX_COLUMNS`].
const FIRST_COLUMNS: usize = 64;

/// Delimiters that people use, to guess what was meant.
const DELIMITERS: [char; 4] = [';', '\t', ',', '|'];

pub(in crate::import) struct CsvRows {
    pub(super) input: Unpacked,
    core: csv_core::Reader,
    encoding: Encoding,
    delimiter: u8,
    wanted: Vec<String>,
    /// Where each wanted column stands in a row.
    positions: Vec<usize>,
    /// Names of the columns; empty without a header.
    names: Vec<String>,
    /// Cells of every row; `None` until a row without a header tells.
    width: Option<usize>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// How much of `bytes` and `ends` the present record fills.
    used: usize,
    count: usize,
    /// Line ends that were skipped here and not counted by `core`.
    skipped: u64,
}

impl CsvRows {
    pub(super) fn open(
        input: Unpacked,
        delimiter: u8,
        header: bool,
        encoding: Encoding,
        wanted: Vec<String>,
    ) -> Result<Self, Placed> {
        let mut rows = Self {
            input,
            core: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            encoding,
            delimiter,
            wanted,
            positions: Vec::new(),
            names: Vec::new(),
            width: None,
            bytes: vec![0; FIRST_BYTES],
            ends: vec![0; FIRST_COLUMNS],
            used: 0,
            count: 0,
            skipped: 0,
        };
        if header {
            rows.read_header()?;
        } else {
            rows.number_columns();
        }
        Ok(rows)
    }

    /// Reads the next row; `false` at the end.
    pub(super) fn next(&mut self, row: &mut Row) -> Result<bool, Placed> {
        let Some(line) = self.read_record()? else { return Ok(false) };
        row.begin(line, self.wanted.len());
        let width = match self.width {
            Some(width) => width,
            None => self.first_row(line)?,
        };
        if self.count != width {
            row.fault = Some((None, RowFault::Columns { expected: width, found: self.count }));
        }
        self.fill(row)?;
        Ok(true)
    }

    fn read_header(&mut self) -> Result<(), Placed> {
        let Some(line) = self.read_record()? else { return Err(FileFault::Empty.into()) };
        let mut names = Vec::with_capacity(self.count);
        for index in 0..self.count {
            let mut name = String::new();
            let bytes = self.cell(index);
            let decoded = self.encoding.decode(bytes, &mut name);
            decoded.map_err(|fault| fault.at(line, Some(number(index))))?;
            names.push(name.trim().to_owned());
        }
        let mut positions = Vec::with_capacity(self.wanted.len());
        for wanted in &self.wanted {
            let mut found = names.iter().enumerate().filter(|(_, name)| *name == wanted);
            let fault = match (found.next(), found.next()) {
                (Some((position, _)), None) => {
                    positions.push(position);
                    continue;
                }
                (Some(_), Some(_)) => FileFault::AmbiguousColumn,
                (None, _) => FileFault::MissingColumn {
                    columns: names.len(),
                    hint: self.hint(wanted, &names),
                },
            };
            return Err(fault.at(line, Some(wanted.clone())));
        }
        self.positions = positions;
        self.width = Some(names.len());
        self.names = names;
        Ok(())
    }

    /// A guess why a column is missing. It repeats a name only if that is the wanted one in another
    /// spelling: without a header the first row holds values.
    fn hint(&self, wanted: &str, names: &[String]) -> String {
        let plain = |name: &str| -> String {
            name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
        };
        if let Some(near) = names.iter().find(|name| plain(name) == plain(wanted)) {
            return format!("; is `{near}` meant?");
        }
        if let [only] = names
            && let Some(other) =
                DELIMITERS.iter().find(|d| char::from(self.delimiter) != **d && only.contains(**d))
        {
            return format!("; the cells seem to be separated by {other:?}: set `delimiter`");
        }
        "; correct the mapping, or set `header = false` if the first row holds values".to_owned()
    }

    /// Without a header columns are called by their number.
    fn number_columns(&mut self) {
        let position =
            |name: &String| name.parse::<usize>().map_or(usize::MAX, |n| n.wrapping_sub(1));
        self.positions = self.wanted.iter().map(position).collect();
    }

    /// Without a header the first row says how many cells there are.
    fn first_row(&mut self, line: u64) -> Result<usize, Placed> {
        for (wanted, position) in self.wanted.iter().zip(&self.positions) {
            if *position >= self.count {
                let hint = "; without a header, columns are called 1, 2, 3, ...".to_owned();
                let fault = FileFault::MissingColumn { columns: self.count, hint };
                return Err(fault.at(line, Some(wanted.clone())));
            }
        }
        self.width = Some(self.count);
        Ok(self.count)
    }

    /// The bytes of one cell of the present record.
    fn cell(&self, index: usize) -> &[u8] {
        let start = match index.checked_sub(1) {
            Some(before) => self.ends.get(before).copied().unwrap_or(0),
            None => 0,
        };
        let end = self.ends.get(index).copied().unwrap_or(start);
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// Puts the wanted cells of the present record into the row, and checks that all of it is text.
    fn fill(&self, row: &mut Row) -> Result<(), Placed> {
        let record = self.bytes.get(..self.used).unwrap_or_default();
        if !record.is_ascii() {
            self.check_text(record, row.line)?;
        } else if record.contains(&0) {
            return Err(self.place(row.line, |cell| cell.contains(&0), FileFault::Nul));
        }
        for (column, position) in self.positions.iter().enumerate() {
            if *position >= self.count {
                continue;
            }
            let start = row.text.len();
            let decoded = self.encoding.decode(self.cell(*position), &mut row.text);
            decoded.map_err(|fault| fault.at(row.line, Some(self.name(*position))))?;
            if let Some(cell) = row.cells.get_mut(column) {
                *cell = Some((start, row.text.len()));
            }
        }
        Ok(())
    }

    /// Checks cells that nobody wants, too: a file in another encoding is not what it seems.
    fn check_text(&self, record: &[u8], line: u64) -> Result<(), Placed> {
        if record.contains(&0) {
            return Err(self.place(line, |cell| cell.contains(&0), FileFault::Nul));
        }
        if self.encoding == Encoding::Utf8 && std::str::from_utf8(record).is_err() {
            let bad = |cell: &[u8]| std::str::from_utf8(cell).is_err();
            return Err(self.place(line, bad, FileFault::NotUtf8));
        }
        Ok(())
    }

    fn place(&self, line: u64, bad: impl Fn(&[u8]) -> bool, fault: FileFault) -> Placed {
        let cell = (0..self.count).find(|index| bad(self.cell(*index)));
        fault.at(line, cell.map(|index| self.name(index)))
    }

    fn name(&self, position: usize) -> String {
        self.names.get(position).cloned().unwrap_or_else(|| number(position))
    }

    /// Reads one record into the buffers and gives the line in which it begins; `None` at the end.
    fn read_record(&mut self) -> Result<Option<u64>, Placed> {
        (self.used, self.count) = (0, 0);
        if self.skip_line_ends()? {
            return Ok(None);
        }
        let line = self.skipped.saturating_add(self.core.line());
        loop {
            let input = self.input.fill_buf().map_err(FileFault::from_io)?;
            let at_end = input.is_empty();
            // The last line may lack its end; an open quotation mark swallows the one given here.
            let bytes = if at_end { b"\n" } else { input };
            let (result, read, written, ends) = self.core.read_record(
                bytes,
                self.bytes.get_mut(self.used..).unwrap_or_default(),
                self.ends.get_mut(self.count..).unwrap_or_default(),
            );
            if !at_end {
                self.input.consume(read);
            }
            self.used = self.used.saturating_add(written);
            self.count = self.count.saturating_add(ends);
            match result {
                ReadRecordResult::Record => break,
                ReadRecordResult::InputEmpty if at_end => {
                    return Err(FileFault::OpenQuote.at(line, None));
                }
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => {
                    grow(&mut self.bytes, RECORD_BYTES, FileFault::TooLong, line)?;
                }
                ReadRecordResult::OutputEndsFull => {
                    grow(&mut self.ends, MAX_COLUMNS, FileFault::TooManyColumns, line)?;
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
        if is_merge_marker(self.cell(0), self.count == 1) {
            return Err(FileFault::MergeMarker.at(line, None));
        }
        Ok(Some(line))
    }

    /// Skips the ends of lines before a record, so that its line is known; `true` at the end.
    fn skip_line_ends(&mut self) -> Result<bool, Placed> {
        loop {
            let input = self.input.fill_buf().map_err(FileFault::from_io)?;
            match input.first() {
                None => return Ok(true),
                Some(b'\n') => self.skipped = self.skipped.saturating_add(1),
                Some(b'\r') => {}
                Some(_) => return Ok(false),
            }
            self.input.consume(1);
        }
    }
}

/// Doubles a buffer up to its cap.
fn grow<T: Clone + Default>(
    buffer: &mut Vec<T>,
    cap: usize,
    fault: FileFault,
    line: u64,
) -> Result<(), Placed> {
    if buffer.len() >= cap {
        return Err(fault.at(line, None));
    }
    let length = buffer.len().saturating_mul(2).min(cap);
    buffer.resize(length, T::default());
    Ok(())
}

/// The name of a column that has none.
fn number(position: usize) -> String {
    position.saturating_add(1).to_string()
}
