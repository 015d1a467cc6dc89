//! The process that writes: it opens the store, commits batches through the store's thread as a node
//! does, several at a time, and says on its standard output what was acknowledged.
//!
//! It goes on until it has committed what it was told to, or its standard input ends; then it closes
//! the store in good order. The first error ends it, as a failed commit ends a node.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reeve::store::{Committing, EngineKind, Store, StoreConfig, StoreError, StoreHandle, start};

use super::workload::{Workload, last};

/// Commits under way at the same time, at most.
pub const IN_FLIGHT: u64 = 8;

/// What it says once the store is open, with the last batch that it holds.
pub const OPENED: &str = "opened";
/// What it says of each batch that is durable.
pub const ACKNOWLEDGED: &str = "acknowledged";
/// What it says when the store is closed.
pub const CLOSED: &str = "closed";
/// What it says when it cannot go on, and why.
pub const FAILED: &str = "failed";

/// What to write, and where.
#[derive(Debug, Clone)]
pub struct Work {
    /// The store's folder.
    pub folder: PathBuf,
    /// Its engine.
    pub engine: EngineKind,
    /// What chance begins with.
    pub seed: u64,
    /// How many batches; then it ends.
    pub batches: u64,
}

/// Works; whether all was written and the store closed in good order.
///
/// # Errors
/// When a thread cannot be started, or nobody listens.
pub fn run(work: &Work) -> std::io::Result<bool> {
    let ended = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&ended);
    std::thread::spawn(move || {
        // Whatever ends the reading, nobody holds the other end any more.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        told.store(true, Ordering::Relaxed);
    });
    let config = StoreConfig { folder: work.folder.clone(), engine: work.engine };
    let opened = Store::open(&config).and_then(|(store, _)| Ok((last(&store)?, store)));
    let (begin, store) = match opened {
        Ok(opened) => opened,
        Err(error) => return failed(&error),
    };
    say(OPENED, begin)?;
    let (handle, thread) = start(store)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let written = runtime.block_on(write(work, begin, handle, &ended))?;
    if let Err(error) = written.and(thread.join()) {
        return failed(&error);
    }
    say(CLOSED, "")?;
    Ok(true)
}

async fn write(
    work: &Work,
    begin: u64,
    handle: StoreHandle,
    ended: &AtomicBool,
) -> std::io::Result<Result<(), StoreError>> {
    let workload = Workload(work.seed);
    let mut under_way: VecDeque<Committing> = VecDeque::new();
    let end = begin.saturating_add(work.batches);
    for number in begin.saturating_add(1)..=end {
        if ended.load(Ordering::Relaxed) {
            break;
        }
        match handle.commit(number, workload.batch(number)).await {
            Ok(committing) => under_way.push_back(committing),
            Err(error) => return Ok(Err(error)),
        }
        // One at a time, or a few: what is grouped changes with the number.
        let window = number % IN_FLIGHT;
        while u64::try_from(under_way.len()).unwrap_or(u64::MAX) > window {
            if let Err(error) = acknowledge(&mut under_way).await? {
                return Ok(Err(error));
            }
        }
    }
    while !under_way.is_empty() {
        if let Err(error) = acknowledge(&mut under_way).await? {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

async fn acknowledge(
    under_way: &mut VecDeque<Committing>,
) -> std::io::Result<Result<(), StoreError>> {
    let Some(first) = under_way.pop_front() else { return Ok(Ok(())) };
    let committed = first.done().await;
    match committed.result {
        Ok(_) => say(ACKNOWLEDGED, committed.ticket).map(Ok),
        Err(error) => Ok(Err(error)),
    }
}

/// One line in one write: whoever reads gets whole lines, and the journal has them in their place.
fn say(word: &str, what: impl std::fmt::Display) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{word} {what}\n").as_bytes())?;
    out.flush()
}

fn failed(error: &StoreError) -> std::io::Result<bool> {
    say(FAILED, error.to_string().replace('\n', " "))?;
    Ok(false)
}
