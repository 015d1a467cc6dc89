//! The mapping: how the columns of a file become the records of a kind. Checked against the schema
//! when it is read, so that a row can only fail by its own content.
//!
//! The file's format is documented in [`crate::import`]. A mapping holds no data and reads no file.

use std::collections::BTreeMap;
use std::sync::Arc;

use reeve_crdt::located::{Problems, Report};
use reeve_crdt::record::Value;
use reeve_crdt::schema::{FieldType, Kind, Schema};
use reeve_statement::names::FieldId;
use reeve_statement::period::{Period, Step};

use super::dates::TimeFormat;
use super::reader::{Encoding, Format};

mod field;
mod parse;
#[cfg(test)]
mod tests;

/// Most columns that make up an id.
pub const MAX_ID_COLUMNS: usize = 8;

/// What a file means for the records that exist already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Every record is new. One that exists with the same content is left alone; with other content
    /// it is an error of the file.
    Append,
    /// Records are added or replaced.
    Upsert,
    /// The file is the full state of its scope: records of it that the file lacks are deleted.
    Snapshot,
}

/// A checked mapping.
#[derive(Debug, Clone)]
pub struct Mapping {
    pub(super) kind: Arc<Kind>,
    pub(super) mode: Mode,
    pub(super) source: String,
    pub(super) format: Format,
    pub(super) encoding: Encoding,
    /// Every column that is read, each once; all else refers to them by position.
    pub(super) columns: Vec<String>,
    pub(super) fields: Vec<FieldRule>,
    pub(super) id_columns: Vec<usize>,
    pub(super) id_separator: String,
    pub(super) only: Vec<RowFilter>,
    pub(super) unit: Option<UnitRule>,
    pub(super) closes: Option<ClosesRule>,
    pub(super) scope: Vec<FieldId>,
    /// Whether a snapshot without a record may delete everything.
    pub(super) allow_empty: bool,
}

impl Mapping {
    /// Reads a mapping from the text of a TOML file; `file` is its name in messages.
    ///
    /// # Errors
    /// Every problem of the file with its place, for whoever wrote it.
    pub fn parse(file: &str, text: &str, schema: &Schema) -> Result<Self, Problems> {
        let mut report = Report::new(file, text);
        let mapping = parse::mapping(schema, &mut report);
        report.finish(mapping)
    }

    /// The kind of the records.
    #[must_use]
    pub fn kind(&self) -> &Arc<Kind> {
        &self.kind
    }

    /// What the file means for records that exist.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Who reports, as closures of periods name them.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The columns that make up the id, for a message.
    pub(super) fn id_names(&self) -> String {
        let names = self.id_columns.iter().filter_map(|column| self.columns.get(*column));
        names.map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// Whether rows name the unit whose records they are.
    #[must_use]
    pub fn names_units(&self) -> bool {
        self.unit.is_some()
    }
}

/// How one field gets its value.
#[derive(Debug, Clone)]
pub(super) struct FieldRule {
    pub(super) field: FieldId,
    pub(super) field_type: FieldType,
    pub(super) required: bool,
    pub(super) origin: Origin,
}

/// Where a value comes from.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// Every record has the same.
    Constant(Value),
    /// A cell of the row.
    Column(CellRule),
}

/// How a cell is read.
#[derive(Debug, Clone)]
pub(super) struct CellRule {
    pub(super) column: usize,
    pub(super) format: Option<TimeFormat>,
    pub(super) decimal_comma: bool,
    /// What certain texts mean; `None` is not set.
    pub(super) values: BTreeMap<String, Option<Value>>,
    pub(super) other: Other,
    /// What an empty cell means; `None` is not set.
    pub(super) empty: Option<Value>,
}

/// What a text means that `values` does not list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Other {
    /// It is read as it stands.
    #[default]
    Keep,
    /// The field is not set.
    Unset,
    /// The row is rejected.
    Reject,
}

/// A condition that a row must meet to be read at all.
#[derive(Debug, Clone)]
pub(super) struct RowFilter {
    pub(super) column: usize,
    pub(super) texts: Vec<String>,
    /// Whether the cell must be one of the texts, or none of them.
    pub(super) wanted: bool,
}

/// Which unit's record a row is.
#[derive(Debug, Clone)]
pub(super) struct UnitRule {
    pub(super) column: usize,
    /// Unit ids for codes of the file; a code not listed is the unit id itself.
    pub(super) values: BTreeMap<String, reeve_statement::unit::UnitId>,
}

/// Which periods of the kind the file closes.
#[derive(Debug, Clone)]
pub(super) enum ClosesRule {
    /// Each period in which a value of a column lies.
    Column { column: usize, format: Option<TimeFormat>, step: Step },
    /// Always the same.
    Period(Period),
    /// The period that the file's name tells.
    FileName { format: TimeFormat, step: Step },
}
