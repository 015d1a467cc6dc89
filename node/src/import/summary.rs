//! What an import found, for people and for `--json`: counts, places and reasons, never a value of
//! the file.

use std::fmt::Write as _;
use std::path::PathBuf;

use reeve_statement::names::FieldId;
use serde::Serialize;

use super::fault::RowFault;
use super::mapping::Mode;

/// Rejects that a summary shows; the reject file has all of them.
pub const SHOWN_REJECTS: usize = 10;

/// The outcome of the first pass over a file.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The file as messages name it.
    pub file: String,
    /// SHA-256 of the file as it lies on disk, in hexadecimal digits.
    pub sha256: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// The kind of the records.
    pub kind: String,
    /// What the file means for records that exist.
    pub mode: Mode,
    /// Who reports.
    pub source: String,
    /// Rows read, the header not counted.
    pub rows: u64,
    /// Rows that the mapping leaves out.
    pub skipped: u64,
    /// Rows that are records.
    pub accepted: u64,
    /// Rows that are bad.
    pub rejected: u64,
    /// Rows whose id an earlier row has: replaced in mode `upsert`, else among the rejected.
    pub repeated: u64,
    /// Records and closed periods by unit; one entry without a name if rows do not name units.
    pub units: Vec<UnitSummary>,
    /// Columns of the mapping that no row has; only where a row may lack a column (NDJSON).
    pub unused_columns: Vec<String>,
    /// Where the reject file lies.
    pub reject_file: Option<PathBuf>,
    /// The first bad cells.
    pub first_rejects: Vec<RejectNote>,
}

/// What a file says of one unit.
#[derive(Debug, Clone, Serialize)]
pub struct UnitSummary {
    /// The unit, if rows name it.
    pub unit: Option<String>,
    /// Its records.
    pub records: u64,
    /// How many periods the file closes for it.
    pub periods_closed: usize,
    /// The first of them.
    pub first_period: Option<String>,
    /// The last of them.
    pub last_period: Option<String>,
}

/// One bad cell without its value.
#[derive(Debug, Clone, Serialize)]
pub struct RejectNote {
    /// Line, from 1.
    pub line: u64,
    /// The column in the file.
    pub column: Option<String>,
    /// The field of the record.
    pub field: Option<String>,
    /// Why.
    pub reason: String,
}

impl RejectNote {
    pub(super) fn new(
        line: u64,
        column: Option<&str>,
        field: Option<&FieldId>,
        fault: &RowFault,
    ) -> Self {
        Self {
            line,
            column: column.map(str::to_owned),
            field: field.map(ToString::to_string),
            reason: fault.to_string(),
        }
    }
}

impl std::fmt::Display for RejectNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = &self.column {
            write!(f, ", column `{column}`")?;
        }
        if let Some(field) = &self.field {
            write!(f, ", field `{field}`")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl Summary {
    /// Why no bad row is allowed, if that does not depend on anybody's wish.
    pub(super) const fn why_none(&self) -> &'static str {
        match self.mode {
            Mode::Snapshot => " (a snapshot allows none: their records would be taken for gone)",
            Mode::Append | Mode::Upsert => "",
        }
    }

    /// The first rejects and the place of the rest, to follow a message.
    pub(super) fn rejects_text(&self) -> String {
        let mut text = String::new();
        for note in &self.first_rejects {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  {note}");
        }
        if let Some(path) = &self.reject_file {
            let _ = write!(text, "\n  all of them with their values: {}", path.display());
        }
        text
    }
}
