//! Imports: many asks that belong together. Records are folded in large batches, figures are cut when
//! the import ends, and an import that was interrupted is shown until it is run again.

use std::sync::Arc;

use reeve_crdt::record::{Record, RecordId};
use reeve_crdt::schema::closure::{self, Closure};
use reeve_crdt::twin::RecordOp;
use reeve_statement::cbor::to_vec;
use reeve_statement::digest::Digest;
use reeve_statement::names::KindId;
use reeve_statement::period::Period;
use reeve_statement::release::RevisionReason;

use crate::effect::AskId;
use crate::home::{OPS_PER_FOLD, QUEUED_TASKS, Task};
use crate::local::{Answer, Failure, ImportMode, Sweep, Written};
use crate::node::Node;
use crate::rows::{self, ImportRow};

/// Folds of an import that may wait while one is at work: a full buffer each is memory.
const WAITING_FOLDS: usize = 1;

/// For how long an import may be silent, in milliseconds: whoever ran it is taken to be gone then,
/// and figures that it touched wait no longer.
const IDLE_MS: u64 = 10 * 60 * 1_000;

/// An import that began.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) row: ImportRow,
    pub(crate) kind: KindId,
    pub(crate) mode: ImportMode,
    pub(crate) buffer: Vec<RecordOp>,
    /// When it was last heard of, monotonic; none: it is ending.
    pub(crate) heard_at: Option<u64>,
    /// Operations taken so far.
    pub(crate) taken: u64,
    pub(crate) failure: Option<Failure>,
    /// Asks that are answered when there is room again.
    pub(crate) waiting: Vec<(AskId, Written)>,
}

impl Sweep {
    /// Whether a record is in scope and not in the file.
    #[must_use]
    pub fn removes(&self, id: &RecordId, record: &Record) -> bool {
        let in_scope = self.scope.iter().all(|(field, values)| {
            record.get(field.as_str()).is_some_and(|value| values.contains(value))
        });
        in_scope && !self.seen.contains(&Self::hash(id))
    }

    /// How the file's records are remembered: the first 16 bytes of SHA-256 of the record id.
    #[must_use]
    pub fn hash(id: &RecordId) -> [u8; 16] {
        let digest = Digest::of(id.as_str().as_bytes());
        let (half, _) = digest.as_bytes().split_at(16);
        half.try_into().unwrap_or_default()
    }
}

fn import_key(import: u64) -> Vec<u8> {
    rows::numbered(rows::IMPORT, import)
}

impl Node {
    pub(crate) fn closure_kind(&self) -> KindId {
        closure::kind_id()
    }

    pub(crate) fn begin_import(
        &mut self,
        ask: AskId,
        kind: KindId,
        file: Digest,
        name: String,
        mode: ImportMode,
    ) {
        let import = self.home.next_import;
        self.home.next_import = import.saturating_add(1);
        let row = ImportRow {
            file,
            name,
            kind: kind.to_string(),
            begun_at: self.context.now().wall,
            ended_at: None,
            inserted: 0,
            changed: 0,
            deleted: 0,
            unchanged: 0,
            refused: None,
        };
        self.context.persist(import_key(import), Some(to_vec(&row)));
        let import_state = Import {
            row,
            kind,
            mode,
            buffer: Vec::new(),
            heard_at: Some(self.context.now().monotonic),
            taken: 0,
            failure: None,
            waiting: Vec::new(),
        };
        self.home.imports.insert(import, import_state);
        self.context.reply(ask, Answer::Begun(import));
    }

    /// Takes operations of an import; answered at once unless folds are waiting already.
    pub(crate) fn buffer_import(
        &mut self,
        ask: AskId,
        number: u64,
        kind: &KindId,
        ops: Vec<RecordOp>,
    ) {
        let busy = self.home.queue.len() >= WAITING_FOLDS;
        let now = self.context.now().monotonic;
        let Some(import) = self.home.imports.get_mut(&number) else {
            return self.context.reply(ask, Answer::Failed(Failure::NoImport(number)));
        };
        // The right to write was asked for the kind that the ask names.
        if import.kind != *kind {
            return self.context.reply(ask, Answer::Failed(Failure::UnknownKind(kind.clone())));
        }
        import.heard_at = import.heard_at.map(|_| now);
        if let Some(failure) = import.failure.clone() {
            return self.context.reply(ask, Answer::Failed(failure));
        }
        let taken = Written::default();
        import.taken = import.taken.saturating_add(u64::try_from(ops.len()).unwrap_or(0));
        import.buffer.extend(ops);
        let full = import.buffer.len() >= OPS_PER_FOLD;
        if full && busy {
            import.waiting.push((ask, taken));
        } else {
            self.context.reply(ask, Answer::Written(taken));
        }
        if full {
            self.flush_import(number);
        }
    }

    fn flush_import(&mut self, number: u64) {
        let Some(import) = self.home.imports.get_mut(&number) else { return };
        let ops = core::mem::take(&mut import.buffer);
        if ops.is_empty() {
            return;
        }
        let kind = import.kind.clone();
        self.enqueue(Task::Write { ask: None, kind, ops, import: Some(number) });
    }

    /// After a task ended: imports that waited for room go on.
    pub(crate) fn release_backpressure(&mut self) {
        if self.home.queue.len() >= WAITING_FOLDS.min(QUEUED_TASKS) {
            return;
        }
        for import in self.home.imports.values_mut() {
            for (ask, written) in core::mem::take(&mut import.waiting) {
                self.context.reply(ask, Answer::Written(written));
            }
        }
    }

    pub(crate) fn end_import(
        &mut self,
        ask: AskId,
        number: u64,
        source: &str,
        closes: &[Period],
        reason: Option<RevisionReason>,
        sweep: Option<Sweep>,
    ) {
        let Some(import) = self.home.imports.get(&number) else {
            return self.context.reply(ask, Answer::Failed(Failure::NoImport(number)));
        };
        let (kind, file) = (import.kind.clone(), import.row.file);
        let ops = match self.closures(&kind, source, closes, reason, Some(file)) {
            Ok(ops) => ops,
            Err(failure) => return self.context.reply(ask, Answer::Failed(failure)),
        };
        self.flush_import(number);
        if let Some(import) = self.home.imports.get_mut(&number) {
            import.heard_at = None;
        }
        if let Some(sweep) = sweep {
            let sweep = Arc::new(sweep);
            self.enqueue(Task::Sweep { import: number, kind, sweep, next: 0 });
        }
        if !ops.is_empty() {
            let kind = self.closure_kind();
            self.enqueue(Task::Write { ask: None, kind, ops, import: Some(number) });
        }
        self.enqueue(Task::Finish { ask, import: number });
    }

    /// The records that say that a source has closed periods.
    pub(crate) fn closures(
        &self,
        kind: &KindId,
        source: &str,
        periods: &[Period],
        reason: Option<RevisionReason>,
        file_hash: Option<Digest>,
    ) -> Result<Vec<RecordOp>, Failure> {
        let schema = self.home.schema.as_ref().ok_or(Failure::NoTwin)?;
        let mut ops = Vec::new();
        for period in periods {
            let closure = Closure {
                source: source.to_owned(),
                kind: kind.clone(),
                period: *period,
                closed_at: self.context.now().wall,
                file_hash,
                reason,
            };
            let id = closure.id().map_err(|error| Failure::Write(error.to_string()))?;
            let record = schema
                .validate(&self.closure_kind(), closure.to_record())
                .map_err(|error| Failure::Write(error.to_string()))?;
            ops.push(RecordOp::Put { id, record });
        }
        Ok(ops)
    }

    pub(crate) fn count_import(&mut self, import: Option<u64>, written: Written) {
        let Some(import) = import.and_then(|number| self.home.imports.get_mut(&number)) else {
            return;
        };
        let row = &mut import.row;
        row.inserted = row.inserted.saturating_add(written.inserted);
        row.changed = row.changed.saturating_add(written.changed);
        row.deleted = row.deleted.saturating_add(written.deleted);
    }

    /// Everything of the import is written: what it touched may be cut.
    pub(crate) fn finish_import(&mut self, ask: AskId, number: u64) {
        let touched = self.reports.held.remove(&number).unwrap_or_default();
        self.mark_touched(touched.into_iter().collect());
        let Some(mut import) = self.home.imports.remove(&number) else {
            return self.context.reply(ask, Answer::Failed(Failure::NoImport(number)));
        };
        if let Some(failure) = import.failure {
            self.interrupted.insert(number, import.row);
            return self.context.reply(ask, Answer::Failed(failure));
        }
        let row = &mut import.row;
        row.ended_at = Some(self.context.now().wall);
        let written = row.inserted.saturating_add(row.changed);
        let written = written.saturating_add(row.refused.unwrap_or(0));
        row.unchanged = import.taken.saturating_sub(written);
        self.context.persist(import_key(number), Some(to_vec(row)));
        self.forget_interrupted(&import.row);
        self.context.reply(ask, Answer::Ended(import.row));
    }

    /// An import that was run again is no longer shown as interrupted.
    fn forget_interrupted(&mut self, done: &ImportRow) {
        let again = |row: &ImportRow| {
            row.kind == done.kind && (row.file == done.file || row.name == done.name)
        };
        let over: Vec<u64> =
            self.interrupted.iter().filter(|(_, row)| again(row)).map(|(n, _)| *n).collect();
        for number in over {
            self.interrupted.remove(&number);
            self.context.persist(import_key(number), None);
        }
    }

    /// Imports that nobody goes on with are interrupted.
    pub(crate) fn review_imports(&mut self) {
        let now = self.context.now().monotonic;
        let silent =
            |import: &Import| import.heard_at.is_some_and(|at| now.saturating_sub(at) >= IDLE_MS);
        let over: Vec<u64> =
            self.home.imports.iter().filter(|(_, i)| silent(i)).map(|(n, _)| *n).collect();
        for number in over {
            let Some(import) = self.home.imports.remove(&number) else { continue };
            self.interrupted.insert(number, import.row);
            let touched = self.reports.held.remove(&number).unwrap_or_default();
            self.mark_touched(touched.into_iter().collect());
        }
    }
}
