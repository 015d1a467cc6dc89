//! What can be wrong with a file to import: as a whole ([`FileFault`], the import fails) or in one
//! row ([`RowFault`], the row is rejected and the import fails unless rejects are allowed).
//!
//! No message here holds a value of the file: values are records, and go to the reject file only.
//! Names of columns and fields are the mapping's own words.

use std::io;
use std::path::PathBuf;

use reeve_crdt::record::{Fault, RecordIdError};
use reeve_statement::period::Step;

use super::reader::ndjson::MAX_DEPTH;
use super::reader::{MAX_COLUMNS, RECORD_BYTES};
use super::source::MAX_RATIO;
use super::summary::Summary;

/// Why an import cannot go on, and where. Whoever supplied the file or the mapping is at fault
/// unless the fault says otherwise.
#[derive(Debug, thiserror::Error)]
pub struct ImportError {
    /// The file as messages name it.
    pub file: String,
    /// Line, from 1, where it has one.
    pub line: Option<u64>,
    /// The column's name in the file, or its number if it has no name.
    pub column: Option<String>,
    /// What is wrong.
    pub fault: Box<FileFault>,
}

impl std::fmt::Display for ImportError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ": column `{column}`")?;
        }
        write!(f, ": {}", self.fault)
    }
}

/// What is wrong with the file as a whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileFault {
    /// The operating system refused to open it.
    #[error("cannot open it: {0}")]
    Open(#[source] io::Error),
    /// Reading failed in between.
    #[error("cannot read on: {0}")]
    Read(#[source] io::Error),
    /// A folder, a pipe or a device.
    #[error("expected a regular file, because it is read twice; copy the data into a file first")]
    NotAFile,
    /// No byte in it.
    #[error(
        "the file is empty; expected at least a header line. If there was nothing to report, \
         supply a file with its header line only and let the mapping close the period"
    )]
    Empty,
    /// gzip found damage.
    #[error("the gzip data is damaged or cut short ({0}); fetch the file again")]
    Gzip(#[source] io::Error),
    /// gzip data unpacks to an absurd size.
    #[error(
        "one byte unpacks to more than {MAX_RATIO}: this looks like a decompression bomb; unpack \
         it yourself if you trust it"
    )]
    Bomb,
    /// A zip file, as spreadsheets are.
    #[error("expected text, found a zip file or a spreadsheet (.xlsx, .ods); save it as CSV")]
    Spreadsheet,
    /// UTF-16, by its byte order mark.
    #[error("the text is UTF-16; save it as UTF-8 (in a spreadsheet: `CSV UTF-8`)")]
    Utf16,
    /// A NUL byte: binary, or UTF-16 without a mark.
    #[error("found a NUL byte: this is no text, or it is UTF-16; save it as UTF-8")]
    Nul,
    /// Bytes that UTF-8 does not allow.
    #[error(
        "found bytes that are not UTF-8; this looks like Latin-1: set `encoding = \"latin-1\"` \
         under [file] of the mapping"
    )]
    NotUtf8,
    /// One of the five bytes without a meaning.
    #[error("found a byte that Latin-1 (windows-1252) does not define; set the right `encoding`")]
    NotLatin1,
    /// Left behind by a version control system.
    #[error("found a merge marker: the file holds two versions of its rows; resolve the conflict")]
    MergeMarker,
    /// One record is too long.
    #[error(
        "the row that begins here is longer than {RECORD_BYTES} bytes; is a quotation mark not \
         closed, or is the file of another format?"
    )]
    TooLong,
    /// One record has too many columns.
    #[error("the row has more than {MAX_COLUMNS} columns; is the file of another format?")]
    TooManyColumns,
    /// A quotation mark is open at the end.
    #[error("a quotation mark opened in the row that begins here is never closed")]
    OpenQuote,
    /// The header lacks a column that the mapping names.
    #[error(
        "the mapping needs this column and the header has no such name among its {columns}{hint}"
    )]
    MissingColumn {
        /// Names in the header.
        columns: usize,
        /// A guess, beginning with a separator; may be empty.
        hint: String,
    },
    /// The header has a column twice that the mapping names.
    #[error("the header names this column twice; rename one of them")]
    AmbiguousColumn,
    /// The file is not the one that was checked.
    #[error("the file changed while it was imported; import it again when it is complete")]
    Changed,
    /// More bad rows than allowed.
    #[error("{} rows are bad, {allowed} allowed{}; nothing was imported{}", summary.rejected, summary.why_none(), summary.rejects_text())]
    TooManyRejects {
        /// Bad rows allowed.
        allowed: u64,
        /// What was found.
        summary: Box<Summary>,
    },
    /// More records than the bookkeeping of ids has room for.
    #[error("the file has more than {0} records; split it")]
    TooManyRecords(usize),
    /// More periods closed than make sense.
    #[error("the file closes more than {0} periods; is the right column named under [closes]?")]
    TooManyPeriods(usize),
    /// More values in the scope of a snapshot than make sense.
    #[error("the fields of the snapshot's scope take more than {0} values; choose fewer fields")]
    TooManyScopeValues(usize),
    /// More units than make sense.
    #[error("the file names more than {0} units; is the right column named under `unit`?")]
    TooManyUnits(usize),
    /// A snapshot of nothing would delete everything.
    #[error(
        "the file holds no record and the mode is `snapshot`, so every record of the kind would \
         be deleted; if that can be so, set `allow_empty = true` under [snapshot] of the mapping"
    )]
    EmptySnapshot,
    /// The file name should tell which period the file closes, and does not.
    #[error(
        "the file's name does not match `{pattern}`, which tells the period that it closes; \
         rename the file, or name the period when importing"
    )]
    FileName {
        /// The mapping's pattern.
        pattern: String,
    },
    /// The reject file cannot be written.
    #[error("cannot write the reject file {}: {error}", path.display())]
    RejectFile {
        /// Its path.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl FileFault {
    /// Wraps this fault so that it survives a trip through `std::io`.
    pub(super) fn into_io(self) -> io::Error {
        io::Error::other(self)
    }

    /// Takes it out again; any other error is one of reading.
    pub(super) fn from_io(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(fault) => fault,
            Err(error) => Self::Read(error),
        }
    }

    /// The same fault with its place.
    pub(super) fn at(self, line: u64, column: Option<String>) -> Placed {
        Placed { line: Some(line), column, fault: self }
    }
}

/// A fault with its place, before the file's name is known.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) line: Option<u64>,
    pub(super) column: Option<String>,
    pub(super) fault: FileFault,
}

impl From<FileFault> for Placed {
    fn from(fault: FileFault) -> Self {
        Self { line: None, column: None, fault }
    }
}

impl Placed {
    pub(super) fn of_file(self, file: &str) -> ImportError {
        ImportError {
            file: file.to_owned(),
            line: self.line,
            column: self.column,
            fault: Box::new(self.fault),
        }
    }
}

/// What is wrong with one row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowFault {
    /// Fewer or more cells than the header.
    #[error("expected {expected} columns, found {found}")]
    Columns {
        /// Columns of the header, or of the first row if there is none.
        expected: usize,
        /// Cells of this row.
        found: usize,
    },
    /// The line is no JSON.
    #[error("expected one JSON object in the line; it is malformed at byte {byte}")]
    NotJson {
        /// Byte in the line, from 1.
        byte: usize,
    },
    /// The line is JSON, but no object.
    #[error("expected a JSON object")]
    NotAnObject,
    /// A mapped key holds an object or a list.
    #[error("expected a text, a number, true, false or null; found an object or a list")]
    Nested,
    /// Nested too deep.
    #[error("nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// A mapped key stands twice in one object.
    #[error("the key stands twice in the object")]
    KeyTwice,
    /// A required field has no value.
    #[error("the field is required and the cell is empty")]
    Required,
    /// The cell does not fit the field, in the schema's words.
    #[error(transparent)]
    Value(#[from] Fault),
    /// A text that the mapping does not list, where it must.
    #[error("expected one of the texts that the mapping lists under `values`")]
    NotListed,
    /// The cell is no date of the format.
    #[error("expected an existing date as `{format}`")]
    Date {
        /// The mapping's format.
        format: String,
    },
    /// An id column is empty.
    #[error("the cell is part of the record's id and is empty")]
    IdEmpty,
    /// An id column holds the separator, so that two records could share an id.
    #[error(
        "the cell is part of the record's id, not its last, and holds the separator `{separator}`"
    )]
    IdSeparator {
        /// The mapping's separator.
        separator: String,
    },
    /// The id breaks the rule for ids.
    #[error(transparent)]
    Id(#[from] RecordIdError),
    /// Another row has the same id.
    #[error(
        "the id stands already in line {line}; each record once (mode `upsert` allows repeats)"
    )]
    IdTwice {
        /// The line of the first.
        line: u64,
    },
    /// The cell names no unit.
    #[error("expected a unit id (lower-case letters, digits, hyphens) or a code listed for one")]
    Unit,
    /// The cell tells no period to close.
    #[error("expected a {step} to close")]
    Period {
        /// The mapping's step.
        step: Step,
    },
}
