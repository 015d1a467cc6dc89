//! The schema: which kinds of records the two twins hold, and what a record of each may say.
//!
//! A schema is read from TOML by [`Schema::parse`], which reports every problem with file, line,
//! column, key, what was expected, what was found and what to do. It never reads a file itself and
//! never changes after it was read; [`Schema::hash`] names its content.
//!
//! # The schema file
//!
//! ```toml
//! [schema]
//! name = "epidemic"                  # required: letter, then letters, digits, underscores
//! version = 1                        # required: 1 or more; raise it with every change
//!
//! [kind.case]                        # at most 256 kinds; same rule for names
//! twin = "emergency"                 # required: city | emergency
//! title = { en = "Case", it = "Caso" }  # or one string; default: the kind's name
//! expected_records = 1000000         # default 1000; sets the number of shards, see below
//! merge = "record"                   # record (default) | field
//! retention = "P5Y"                  # ISO 8601 years, months, weeks, days; default: for ever
//! subject = "person"                 # person | thing (default); person: the kind is personal
//!
//! [kind.case.field.reported_on]      # at most 128 fields
//! type = "date"                      # required, see the table
//! title = "Date of report"           # as above
//! required = true                    # default false
//! sensitivity = "personal"           # public | internal | personal; default personal in a kind
//!                                    # whose subject is a person, else internal
//! ```
//!
//! | type | further keys | a value is |
//! |---|---|---|
//! | `enum` | `values = ["confirmed", ...]` | one of the values |
//! | `band` | `values = ["0-9", "10-19", ...]`, lowest first | one of the labels |
//! | `text` | `max` characters, 1 to 4096, default 256 | text without control characters but line breaks and tabs |
//! | `integer` | `min`, `max`, both required | a whole number of that range |
//! | `decimal` | `scale` 0 to 9, `min`, `max` as strings (`"0.00"`) or whole numbers, all required | an exact decimal of that range with at most `scale` digits after the point |
//! | `boolean` | | `true`, `false` |
//! | `date` | | a civil date, `2020-03-01` |
//! | `timestamp` | | a moment per RFC 3339, kept to the millisecond |
//! | `reference` | `kind` | the id of a record of that kind |
//!
//! Values and labels have 1 to 64 bytes, no control characters, no blank at either end, do not begin
//! with `~`, and do not repeat; at most 1,024 of them. A key not named here is refused. Ranges are
//! required because the bounds of a hidden sum come from them.
//!
//! **References.** A reference names a kind of the same file. A city kind refers to city kinds only;
//! an emergency kind refers to both.
//!
//! **Shards.** A kind has `ceil(expected_records / 1000)` shards, rounded up to a power of two, at
//! most 65,536. Records are spread by a hash of their id. More records than expected only make
//! shards larger.
//!
//! **A new version** of a schema ([`Schema::can_follow`]) may add kinds and optional fields, values of
//! an enum or labels of a band, and widen ranges and lengths. It may not take away, narrow or newly
//! require anything, nor change a kind's `twin`, `subject`, `merge` or number of shards, because
//! records that exist must stay valid and stay in their shards.
//!
//! **The built-in kind `closure`.** Every schema has it and no file may define it. One record says
//! that a *source* has closed a *period* of a *kind*, so that a row that is absent is zero and not
//! unknown: fields `source`, `kind`, `period`, `closed_at`, `file_hash`, `reason` (see [`closure`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use reeve_statement::digest::Digest;
use reeve_statement::names::KindId;

use crate::located::{Problems, Report};

pub mod closure;
mod hash;
pub mod kind;
mod parse;
mod parse_field;
mod retention;
mod succession;

pub use closure::Closure;
pub(crate) use parse::{choice, titles};

pub use kind::{Field, FieldType, Kind, Merge, Retention, Sensitivity, Subject, Twin};
pub use succession::Incompatible;

/// Most kinds of one schema: each costs memory for its shards' heads.
pub const MAX_KINDS: usize = 256;

/// Most fields of one kind: a record of all of them must fit its own limit.
pub const MAX_FIELDS: usize = 128;

/// Most values of an enum or labels of a band: each may become a row of a table.
pub const MAX_VALUES: usize = 1_024;

/// Longest value of an enum or label of a band, in bytes: it is repeated in every row.
pub const MAX_LABEL_BYTES: usize = 64;

/// Longest text field, in characters: a record must fit a change.
pub const MAX_TEXT_CHARS: u32 = 4_096;

/// Most digits after the point of a decimal, so that a scaled value keeps nine before it.
pub const MAX_SCALE: u8 = 9;

/// The kinds of both twins, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    name: String,
    version: u64,
    kinds: BTreeMap<KindId, Arc<Kind>>,
}

impl Schema {
    /// Reads a schema from the text of a TOML file; `file` is its name in messages.
    ///
    /// # Errors
    /// Every problem of the file with its place, for whoever wrote it.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        let mut report = Report::new(file, text);
        let schema = parse::schema(&mut report);
        report.finish(schema)
    }

    /// The schema's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The schema's version, raised by its author with every change.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The kind of this name.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<&Arc<Kind>> {
        self.kinds.get(name)
    }

    /// All kinds by name, `closure` among them.
    pub fn kinds(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.kinds.values()
    }

    /// A hash over everything the schema says, whatever the file's layout.
    #[must_use]
    pub fn hash(&self) -> Digest {
        hash::of(self)
    }
}

#[cfg(test)]
mod tests;
