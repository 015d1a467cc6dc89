//! The second pass over a checked file: its records in batches, for the node.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use reeve_crdt::record::{RecordId, Valid};
use reeve_crdt::twin::RecordOp;
use reeve_statement::unit::UnitId;

use super::convert::Converter;
use super::fault::{ImportError, Placed};
use super::mapping::{Mapping, Mode};
use super::plan::Checked;
use super::reader::{Row, Rows};
use super::units::Units;

/// Most records of a batch: one change holds no more operations.
pub const BATCH_RECORDS: usize = 1_000;

/// Bytes of rows that wait in batches of all units together. Rows of many units alternate, and full
/// batches are worth waiting for, within this.
const WAITING_BYTES: usize = 16 << 20;

/// One record to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// Which record.
    pub id: RecordId,
    /// What it says from now on.
    pub record: Valid,
}

impl From<Put> for RecordOp {
    fn from(put: Put) -> Self {
        Self::Put { id: put.id, record: put.record }
    }
}

/// Records of one unit, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Whose they are, if rows name the unit; else the importing node's own.
    pub unit: Option<UnitId>,
    /// At most [`BATCH_RECORDS`] records.
    pub puts: Vec<Put>,
}

#[derive(Default)]
struct Waiting {
    puts: Vec<Put>,
    bytes: usize,
}

/// The batches of a checked file; see [`Checked::batches`]. Ends after an error.
pub struct Batches {
    file: String,
    mapping: Arc<Mapping>,
    units: Arc<Units>,
    rows: Option<Rows>,
    waiting: BTreeMap<Option<UnitId>, Waiting>,
    waiting_bytes: usize,
    ready: VecDeque<Batch>,
}

impl Batches {
    pub(super) fn open(checked: &Checked) -> Result<Self, Placed> {
        let expected = Some(checked.fingerprint.clone());
        let input = checked.source.read(expected, Arc::clone(&checked.progress))?;
        let mapping = Arc::clone(&checked.mapping);
        let rows = Rows::open(input, &mapping.format, mapping.encoding, &mapping.columns)?;
        Ok(Self {
            file: checked.file.clone(),
            mapping,
            units: Arc::clone(&checked.units),
            rows: Some(rows),
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            ready: VecDeque::new(),
        })
    }

    /// Reads until a batch is ready or the file ends.
    fn read(&mut self) -> Result<(), Placed> {
        let mapping = Arc::clone(&self.mapping);
        let mut converter = Converter::new(&mapping);
        let mut row = Row::default();
        while self.ready.is_empty() {
            let Some(rows) = &mut self.rows else { return Ok(()) };
            if !rows.next(&mut row)? {
                self.rows = None;
                let waiting = std::mem::take(&mut self.waiting).into_iter();
                let rest = waiting.map(|(unit, waiting)| Batch { unit, puts: waiting.puts });
                self.ready.extend(rest);
                return Ok(());
            }
            // Bad rows were reported by the first pass, and there are no more than allowed.
            let Ok(Some(says)) = converter.convert(&row) else { continue };
            let first = self.units.first_line(&says.unit, &says.id);
            if mapping.mode != Mode::Upsert && first != Some(row.line) {
                continue;
            }
            self.wait(says.unit, Put { id: says.id, record: says.record }, row.bytes());
        }
        Ok(())
    }

    /// Puts a record to those of its unit that wait, and releases a batch if one is due.
    fn wait(&mut self, unit: Option<UnitId>, put: Put, bytes: usize) {
        let waiting = self.waiting.entry(unit.clone()).or_default();
        waiting.puts.push(put);
        waiting.bytes = waiting.bytes.saturating_add(bytes);
        self.waiting_bytes = self.waiting_bytes.saturating_add(bytes);
        if waiting.puts.len() >= BATCH_RECORDS {
            self.release(&unit);
        } else if self.waiting_bytes > WAITING_BYTES {
            let largest = self.waiting.iter().max_by_key(|(_, waiting)| waiting.bytes);
            if let Some(unit) = largest.map(|(unit, _)| unit.clone()) {
                self.release(&unit);
            }
        }
    }

    fn release(&mut self, unit: &Option<UnitId>) {
        if let Some(waiting) = self.waiting.remove(unit) {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(waiting.bytes);
            self.ready.push_back(Batch { unit: unit.clone(), puts: waiting.puts });
        }
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Err(placed) = self.read() {
            self.rows = None;
            self.waiting.clear();
            self.ready.clear();
            return Some(Err(placed.of_file(&self.file)));
        }
        self.ready.pop_front().map(Ok)
    }
}
