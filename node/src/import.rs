//! Import: from a file and a mapping to records for the twin.
//!
//! Everything here works without a running node and imports nothing itself. [`check`] reads the
//! whole file, holds every row against mapping and schema and writes bad cells to a reject file;
//! only if the file may be imported there is a [`Checked`], from which the node takes
//! [`Checked::batches`] (records to write), [`Checked::sweep`] (what a snapshot has, so that the
//! rest is deleted) and [`Checked::shares`] (periods that the file closes). The second reading
//! compares every block with the first before it uses it. Memory is bounded whatever the file: one row, one
//! block, waiting batches, and about 35 bytes per record for its id.
//!
//! No message holds a value of the file. Values go to the reject file, which only its owner may
//! read.
//!
//! # The mapping file
//!
//! ```toml
//! kind = "case"                    # required: a kind of the schema
//! mode = "upsert"                  # required: append | upsert | snapshot, see below
//! id = ["Region", "Number"]        # required: the columns whose cells make up a record's id
//! id_separator = "/"               # between them; default "/"
//! source = "health-office"         # who reports, 1 to 48 bytes; default: the kind's name
//!
//! [file]                           # may be left out: UTF-8 CSV with commas and a header
//! format = "csv"                   # csv (default) | ndjson
//! delimiter = ";"                  # csv: one ASCII character; default ","
//! header = true                    # csv: false names the columns "1", "2", ...
//! encoding = "utf-8"               # utf-8 (default) | latin-1 (read as windows-1252)
//!
//! [field.reported_on]              # one table per field; required fields need one
//! column = "Datum"                 # the column, or key, that holds it
//! format = "%d/%m/%Y"              # dates and moments only: as in strptime; a moment needs %z.
//!                                  # default: 2020-03-01, and RFC 3339
//!
//! [field.sex]
//! column = "Geschlecht"
//! values = { M = "male", W = "female", "?" = "unset" }   # what texts mean; unset: no value
//! other = "keep"                   # texts not listed: keep (read as they are, default) | unset
//!                                  # | reject (the row is bad)
//! empty = "unset"                  # what an empty cell means: unset (default), or a value
//!
//! [field.dose]
//! column = "Dosis"
//! decimal_comma = true             # decimals only: 1,5 is 1.5
//!
//! [field.status]
//! constant = "confirmed"           # every record has this value
//!
//! [only]                           # rows that meet all of these are read, others left out
//! Disease = "COVID-19"             # the cell is this text,
//! Region = ["03", "05"]            # one of these,
//! Kind = { not = ["test", "" ] }   # or none of these
//!
//! [closes]                         # which periods of the kind the file closes; one of three:
//! column = "Datum"                 # each period seen in a column (of rows that are read),
//! format = "%d/%m/%Y"              #   by a format; default 2020-03-01, 2020-W10, 2020-03
//! step = "day"                     #   day (default) | week | month
//! # period = "now"                 # or always this period
//! # file_name = "cases-%Y-%m-%d.csv"   # or the period that the file's name tells (.gz may
//! # step = "day"                       #   follow); both may lack what the step does not need
//!
//! [unit]                           # one file for many nodes of a test network
//! column = "province"              # names the unit whose record the row is
//! values = { "879" = "13" }        # units of codes; a code not listed is the unit's id
//!
//! [snapshot]                       # with mode = "snapshot" only; may be left out
//! scope = ["reported_on"]          # see below; default: all records of the kind
//! allow_empty = true               # a file without a record deletes them all; default false
//! ```
//!
//! A key not named here is refused. Cells are read without blanks at their ends. A missing cell is an
//! empty one. In NDJSON a column is a key of the object in each line; its value is a text, a number,
//! `true`, `false` or `null` (empty); other keys may hold anything. Gzip is recognised by its
//! content.
//!
//! **Ids.** With several columns no cell but the last may hold the separator, so two rows never
//! share an id by accident. The cells count as they stand: `7` and `07` are two ids.
//!
//! **Modes.** `append`: all records are new; one that exists with equal content is left alone, with
//! other content it is an error. `upsert`: records are added or replaced. `snapshot`: the file is
//! the full state; records that it lacks are deleted, of all records of the kind, or with `scope`
//! only of those each of whose listed fields has a value that some row of the file has in it (a
//! file of one day's reports is the full state of that day). If rows name units, each unit's records are
//! compared with its rows only, and a unit without rows is left alone. A snapshot without any record
//! is refused unless the mapping has `allow_empty = true`: an export that failed looks like that.
//!
//! **The same id twice.** In `append` and `snapshot` every further row with an id of the file is
//! bad, even if it is equal: a file that repeats itself was put together wrongly. In `upsert` the
//! last one wins. The same id under two units is two records.
//!
//! **Closing.** A closed period says that records which are not there do not exist; a file with its
//! header only is a nil report. A row that is left out or bad closes nothing. A file of no bytes is
//! an error.
//!
//! **Bad rows.** By default one bad row fails the import, and nothing is imported. With
//! `--max-rejects` that many are left out. A snapshot allows none, because their records would be
//! deleted. What makes the whole file doubtful (encoding, merge markers, NUL bytes, a quotation mark
//! that is never closed, a missing column) always fails it.

mod batch;
mod convert;
mod dates;
pub mod fault;
pub mod mapping;
mod plan;
pub mod progress;
mod reader;
mod rejects;
mod source;
pub mod summary;
#[cfg(test)]
mod tests;
mod units;

pub use batch::{BATCH_RECORDS, Batch, Batches, Put};
pub use fault::{FileFault, ImportError, RowFault};
pub use mapping::{Mapping, Mode};
pub use plan::{Checked, ImportOptions, check};
pub use progress::{Pass, Progress};
pub use rejects::disarmed;
pub use source::Input;
pub use summary::Summary;
pub use units::Share;
