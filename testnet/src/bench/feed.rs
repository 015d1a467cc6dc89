//! Feeds a node of a town with a file, as `reeve import` does: checked first, then batch by batch.
//!
//! A thread reads and converts the next batches while the node writes one. The way over HTTP is left
//! out; everything behind it is the same.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use reeve::import::{Checked, ImportError, ImportOptions, Input, Mapping, check};
use reeve_crdt::twin::RecordOp;
use reeve_examples::epidemic::MAPPINGS;
use reeve_policy::authz::Role;
use reeve_protocol::local::{Answer, ImportMode, Question};
use reeve_statement::names::KindId;
use reeve_statement::unit::UnitPath;

use super::BenchError;
use crate::stopwatch::now;
use crate::town::{Town, unexpected};

/// Batches that may wait for the node: parsing never waits, and memory stays small.
const AHEAD: usize = 4;

/// What an import took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fed {
    /// Records inserted or changed.
    pub records: u64,
    /// The first pass over the file.
    pub checking: Duration,
    /// From the beginning of the import to its end: signed, durable, figures computed.
    pub importing: Duration,
}

/// The text of the pack's mapping of a kind.
///
/// # Errors
/// [`BenchError::NotInPack`].
pub fn mapping_text(kind: &str) -> Result<&'static str, BenchError> {
    let found = MAPPINGS.iter().find(|(name, _)| *name == kind);
    found.map(|(_, text)| *text).ok_or(BenchError::NotInPack("mapping of that kind"))
}

/// Imports a file into a node.
///
/// # Errors
/// [`BenchError`].
pub async fn feed(
    town: &Town,
    unit: &UnitPath,
    mapping: &str,
    file: &Path,
) -> Result<Fed, BenchError> {
    let mapping =
        Mapping::parse("mapping.toml", mapping, town.schema()).map_err(BenchError::Mapping)?;
    let input = Input::from(file);
    let began = now();
    let for_check = mapping.clone();
    let checking = move || check(&input, &for_check, &ImportOptions::default());
    let checked = tokio::task::spawn_blocking(checking).await;
    let checked = checked.map_err(|_| BenchError::Thread("checks the file"))??;
    let checking = began.elapsed();
    let began = now();
    let records = write(town, unit, checked).await?;
    Ok(Fed { records, checking, importing: began.elapsed() })
}

async fn write(town: &Town, unit: &UnitPath, checked: Checked) -> Result<u64, BenchError> {
    let kind = checked.mapping().kind().id.clone();
    let begin = Question::BeginImport {
        kind: kind.clone(),
        file: checked.digest(),
        name: checked.summary().file.clone(),
        mode: ImportMode::Replace,
    };
    let import = match town.ask(unit, Role::Writer, begin).await? {
        Answer::Begun(import) => import,
        other => return Err(unexpected(unit, &other).into()),
    };
    let (send, receive) = sync_channel(AHEAD);
    let reading = tokio::task::spawn_blocking(move || read(checked, &send));
    let mut batches = Some(receive);
    while let Some(receive) = batches.take() {
        let (receive, batch) = next(receive).await?;
        let Some(batch) = batch else { break };
        put(town, unit, &kind, import, batch).await?;
        batches = Some(receive);
    }
    let checked = reading.await.map_err(|_| BenchError::Thread("reads the file"))??;
    end(town, unit, import, &checked).await
}

type Batch = Vec<RecordOp>;

fn read(checked: Checked, send: &SyncSender<Batch>) -> Result<Checked, ImportError> {
    for batch in checked.batches()? {
        let ops = batch?.puts.into_iter().map(RecordOp::from).collect();
        if send.send(ops).is_err() {
            // Nobody imports any more; the error is there.
            break;
        }
    }
    Ok(checked)
}

/// The next batch; waiting for the thread that reads must not hold up the node's tasks.
async fn next(receive: Receiver<Batch>) -> Result<(Receiver<Batch>, Option<Batch>), BenchError> {
    if let Ok(batch) = receive.try_recv() {
        return Ok((receive, Some(batch)));
    }
    let waiting = tokio::task::spawn_blocking(move || {
        let batch = receive.recv().ok();
        (receive, batch)
    });
    waiting.await.map_err(|_| BenchError::Thread("waits for batches"))
}

async fn put(
    town: &Town,
    unit: &UnitPath,
    kind: &KindId,
    import: u64,
    ops: Batch,
) -> Result<(), BenchError> {
    let question = Question::Write { kind: kind.clone(), ops, import: Some(import) };
    match town.ask(unit, Role::Writer, question).await? {
        Answer::Written(_) => Ok(()),
        other => Err(unexpected(unit, &other).into()),
    }
}

async fn end(
    town: &Town,
    unit: &UnitPath,
    import: u64,
    checked: &Checked,
) -> Result<u64, BenchError> {
    let closes = checked.share(None).into_iter().flat_map(|share| share.closes.iter().copied());
    let question = Question::EndImport {
        import,
        source: checked.mapping().source().to_owned(),
        closes: closes.collect(),
        reason: None,
        sweep: checked.sweep(None),
    };
    match town.ask(unit, Role::Writer, question).await? {
        Answer::Ended(row) => Ok(row.inserted.saturating_add(row.changed)),
        other => Err(unexpected(unit, &other).into()),
    }
}
