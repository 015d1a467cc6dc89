//! The first pass over a file ([`check`]) and what it leaves behind ([`Checked`]).
//!
//! Nothing is imported here: the first pass decides whether anything may be, and
//! [`Checked::batches`] reads the same bytes again for the node. Order of calls: `check`, then for
//! each of [`Checked::shares`] the `batches`, its `sweep` and its closed periods.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use reeve_protocol::local::Sweep;
use reeve_statement::digest::Digest;
use reeve_statement::period::Period;
use reeve_statement::unit::UnitId;

use super::batch::Batches;
use super::convert::{Converted, Converter, Reject};
use super::fault::{FileFault, ImportError, Placed, RowFault};
use super::mapping::{ClosesRule, Mapping, Mode};
use super::progress::Progress;
use super::reader::{Row, Rows};
use super::rejects::RejectFile;
use super::source::{Fingerprint, Input, Source};
use super::summary::{RejectNote, SHOWN_REJECTS, Summary, UnitSummary};
use super::units::{Share, Units};

/// What the operator says beside the mapping.
#[derive(Clone)]
pub struct ImportOptions {
    /// Bad rows that do not stop the import. Always none in mode `snapshot`: a record whose row is
    /// bad would be deleted.
    pub max_rejects: u64,
    /// Where bad cells are written with their values; `None` writes none.
    pub reject_file: Option<PathBuf>,
    /// The periods that the file closes, in place of what the mapping says. Empty: as the mapping
    /// says.
    pub closes: BTreeSet<Period>,
    /// Whether a snapshot without a record may delete everything, also if the mapping does not say
    /// so.
    pub allow_empty_snapshot: bool,
    /// Told how far both passes are.
    pub progress: Arc<dyn Progress>,
}

impl Default for ImportOptions {
    /// No rejects, no reject file, periods as the mapping says, nobody watches.
    fn default() -> Self {
        Self {
            max_rejects: 0,
            reject_file: None,
            closes: BTreeSet::new(),
            allow_empty_snapshot: false,
            progress: Arc::new(()),
        }
    }
}

/// A file that may be imported.
pub struct Checked {
    pub(super) file: String,
    pub(super) source: Source,
    pub(super) mapping: Arc<Mapping>,
    pub(super) progress: Arc<dyn Progress>,
    pub(super) fingerprint: Fingerprint,
    pub(super) units: Arc<Units>,
    summary: Summary,
}

/// Reads the whole file once: every row is held against mapping and schema, bad cells go to the
/// reject file. Nothing is imported.
///
/// # Errors
/// [`ImportError`]: the file as a whole is not what it should be, or more rows are bad than
/// allowed.
pub fn check(
    input: &Input,
    mapping: &Mapping,
    options: &ImportOptions,
) -> Result<Checked, ImportError> {
    let file = input.name();
    let of_file = |placed: Placed| placed.of_file(&file);
    let every = every_period(&file, mapping, options).map_err(|fault| of_file(fault.into()))?;
    let source = Source::open(input).map_err(|fault| of_file(fault.into()))?;
    let mut pass = Pass::new(mapping, RejectFile::new(options.reject_file.clone()));
    let fingerprint = pass.read(&source, options).map_err(of_file)?;
    let reject_file = std::mem::replace(&mut pass.rejects, RejectFile::new(None));
    let reject_file = reject_file.finish().map_err(|fault| of_file(fault.into()))?;
    if let Some(periods) = &every {
        pass.units.close(periods);
    }
    let summary = pass.summary(&file, &fingerprint, reject_file);
    pass.judge(&summary, options).map_err(|fault| of_file(fault.into()))?;
    Ok(Checked {
        file,
        source,
        mapping: Arc::new(mapping.clone()),
        progress: Arc::clone(&options.progress),
        fingerprint,
        units: Arc::new(pass.units),
        summary,
    })
}

impl Checked {
    /// What was found, for people and for `--json`.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The mapping by which it was read.
    #[must_use]
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// SHA-256 of the file as it lies on disk.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.fingerprint.digest
    }

    /// What the file holds for each unit, by unit; one entry without a unit if rows do not name
    /// units.
    pub fn shares(&self) -> impl Iterator<Item = (Option<&UnitId>, &Share)> {
        self.units.shares()
    }

    /// What the file holds for one unit; `None` if it does not speak of it.
    #[must_use]
    pub fn share(&self, unit: Option<&UnitId>) -> Option<&Share> {
        self.units.share(unit)
    }

    /// For a snapshot: which records of the unit the file has, so that the node deletes the others
    /// within the scope. `None` if it is no snapshot or does not speak of the unit.
    #[must_use]
    pub fn sweep(&self, unit: Option<&UnitId>) -> Option<Sweep> {
        let snapshot = self.mapping.mode == Mode::Snapshot;
        snapshot.then(|| self.units.sweep(unit, &self.mapping.scope)).flatten()
    }

    /// Reads the file again, for import: batches of records in the order of the file, per unit.
    ///
    /// # Errors
    /// As in the first pass; each item may also fail, with [`FileFault::Changed`] above all.
    pub fn batches(&self) -> Result<Batches, ImportError> {
        Batches::open(self).map_err(|placed| placed.of_file(&self.file))
    }
}

/// The periods that a file closes for every unit of it, whatever its rows say; `None` if rows tell.
fn every_period(
    file: &str,
    mapping: &Mapping,
    options: &ImportOptions,
) -> Result<Option<BTreeSet<Period>>, FileFault> {
    if !options.closes.is_empty() {
        return Ok(Some(options.closes.clone()));
    }
    match &mapping.closes {
        None | Some(ClosesRule::Column { .. }) => Ok(None),
        Some(ClosesRule::Period(period)) => Ok(Some(BTreeSet::from([*period]))),
        Some(ClosesRule::FileName { format, step }) => {
            let plain = file.strip_suffix(".gz").unwrap_or(file);
            let period = format.period(*step, file).or_else(|| format.period(*step, plain));
            let pattern = || FileFault::FileName { pattern: format.to_string() };
            Ok(Some(BTreeSet::from([period.ok_or_else(pattern)?])))
        }
    }
}

/// The state of the first pass.
struct Pass<'m> {
    mapping: &'m Mapping,
    rejects: RejectFile,
    units: Units,
    rows: u64,
    skipped: u64,
    accepted: u64,
    rejected: u64,
    repeated: u64,
    used: Vec<bool>,
    notes: Vec<RejectNote>,
}

impl<'m> Pass<'m> {
    fn new(mapping: &'m Mapping, rejects: RejectFile) -> Self {
        Self {
            mapping,
            rejects,
            units: Units::new(mapping.unit.is_some()),
            rows: 0,
            skipped: 0,
            accepted: 0,
            rejected: 0,
            repeated: 0,
            used: vec![false; mapping.columns.len()],
            notes: Vec::new(),
        }
    }

    fn read(&mut self, source: &Source, options: &ImportOptions) -> Result<Fingerprint, Placed> {
        let mapping = self.mapping;
        let input = source.read(None, Arc::clone(&options.progress))?;
        let mut rows = Rows::open(input, &mapping.format, mapping.encoding, &mapping.columns)?;
        let mut converter = Converter::new(mapping);
        let mut row = Row::default();
        while rows.next(&mut row)? {
            self.rows = self.rows.saturating_add(1);
            for (column, used) in self.used.iter_mut().enumerate().filter(|(_, used)| !**used) {
                *used = row.cell(column).is_some();
            }
            let rejects = match converter.convert(&row) {
                Ok(None) => {
                    self.skipped = self.skipped.saturating_add(1);
                    continue;
                }
                Ok(Some(converted)) => match self.accept(&row, converted)? {
                    None => continue,
                    Some(reject) => vec![reject],
                },
                Err(rejects) => rejects,
            };
            self.rejected = self.rejected.saturating_add(1);
            for reject in &rejects {
                self.note(reject)?;
            }
        }
        Ok(rows.input().fingerprint())
    }

    /// Books a good row; gives it back as a reject if its id stands already in the file.
    fn accept(&mut self, row: &Row, row_says: Converted) -> Result<Option<Reject>, FileFault> {
        let Converted { unit, id, record, closes } = row_says;
        let first = self.units.add_id(&unit, &id, row.line)?;
        if let Some(line) = first {
            self.repeated = self.repeated.saturating_add(1);
            if self.mapping.mode != Mode::Upsert {
                return Ok(Some(Reject {
                    line: row.line,
                    column: Some(self.mapping.id_names()),
                    field: None,
                    value: id.as_str().to_owned(),
                    fault: RowFault::IdTwice { line },
                }));
            }
        }
        self.units.add_record(&unit, record.record(), &self.mapping.scope, closes)?;
        self.accepted = self.accepted.saturating_add(1);
        Ok(None)
    }

    fn note(&mut self, reject: &Reject) -> Result<(), FileFault> {
        if self.notes.len() < SHOWN_REJECTS {
            let Reject { line, column, field, fault, .. } = reject;
            self.notes.push(RejectNote::new(*line, column.as_deref(), field.as_ref(), fault));
        }
        self.rejects.write(reject)
    }

    fn summary(
        &self,
        file: &str,
        fingerprint: &Fingerprint,
        reject_file: Option<PathBuf>,
    ) -> Summary {
        let unit = |(unit, share): (Option<&UnitId>, &Share)| UnitSummary {
            unit: unit.map(ToString::to_string),
            records: share.records,
            periods_closed: share.closes.len(),
            first_period: share.closes.first().map(ToString::to_string),
            last_period: share.closes.last().map(ToString::to_string),
        };
        let unused = self.mapping.columns.iter().zip(&self.used).filter(|(_, used)| !**used);
        let unused = unused.map(|(name, _)| name.clone()).collect();
        Summary {
            file: file.to_owned(),
            sha256: fingerprint.digest.to_string(),
            bytes: fingerprint.bytes,
            kind: self.mapping.kind.id.to_string(),
            mode: self.mapping.mode,
            source: self.mapping.source.clone(),
            rows: self.rows,
            skipped: self.skipped,
            accepted: self.accepted,
            rejected: self.rejected,
            repeated: self.repeated,
            units: self.units.shares().map(unit).collect(),
            unused_columns: if self.rows == 0 { Vec::new() } else { unused },
            reject_file,
            first_rejects: self.notes.clone(),
        }
    }

    /// Decides whether the file may be imported.
    fn judge(&self, summary: &Summary, options: &ImportOptions) -> Result<(), FileFault> {
        let snapshot = self.mapping.mode == Mode::Snapshot;
        let allowed = if snapshot { 0 } else { options.max_rejects };
        if self.rejected > allowed {
            let summary = Box::new(summary.clone());
            return Err(FileFault::TooManyRejects { allowed, summary });
        }
        let allow_empty = self.mapping.allow_empty || options.allow_empty_snapshot;
        if snapshot && self.accepted == 0 && !allow_empty {
            return Err(FileFault::EmptySnapshot);
        }
        Ok(())
    }
}
