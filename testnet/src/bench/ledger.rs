//! The ledger's rows into a store: how many entries a second are durable, and what memory a long ledger
//! takes.

use std::path::Path;

use reeve::config::Engine;
use reeve::store::{Batch, EngineKind, Store, StoreConfig};
use reeve_protocol::ledger::rows_of_append;
use reeve_statement::digest::Digest;
use reeve_statement::ledger::Frontier;

use super::machine::{peak_memory_kb, reset_peak_memory};
use super::measure::{Measure, count};
use super::{BenchError, Extent};
use crate::stopwatch::now;

/// Entries of a full and of a quick run.
const ENTRIES: (u64, u64) = (10_000_000, 20_000);

/// Entries of a batch that is committed, and so durable, as one.
const BATCH: u64 = 1_000;

/// Target on two cores, release build.
const ENTRIES_PER_SECOND: f64 = 5_000.0;

/// How much more memory ten times as many entries may take: none, but for what the system rounds.
const GROWTH: f64 = 1.25;

/// Measures it.
///
/// # Errors
/// [`BenchError`].
pub fn run(folder: &Path, extent: Extent, engine: Engine) -> Result<Vec<Measure>, BenchError> {
    let entries = extent.choose(ENTRIES.0, ENTRIES.1);
    let engine = match engine {
        Engine::Redb => EngineKind::Redb,
        Engine::Sled => EngineKind::Sled,
    };
    let (mut store, _) = Store::open(&StoreConfig { folder: folder.join("store"), engine })?;
    let mut tree = Frontier::new();
    reset_peak_memory();
    let (began, mut early) = (now(), None);
    while tree.size() < entries {
        let mut batch = Batch::new();
        for _ in 0..BATCH {
            let entry = Digest::of(&tree.size().to_be_bytes());
            let full = || BenchError::Name("the ledger is full".to_owned());
            for (key, value) in rows_of_append(&mut tree, 1, entry).ok_or_else(full)? {
                batch.put(key, value);
            }
        }
        store.commit(batch)?;
        if early.is_none() && tree.size() >= entries / 10 {
            early = peak_memory_kb();
        }
    }
    let took = began.elapsed().as_secs_f64();
    let peak = peak_memory_kb();
    let size = store.size_on_disk()?;
    store.close()?;
    let rate = count(entries) / took;
    let mut measures = vec![
        Measure::plain("ledger: entries", count(entries), "entries"),
        Measure::plain("ledger: entries per durable commit", count(BATCH), "entries"),
        Measure::at_least("ledger: rate", rate, "entries/s", ENTRIES_PER_SECOND),
        Measure::plain("ledger: on disk, per entry", count(size) / count(entries), "B"),
    ];
    if let (Some(early), Some(peak)) = (early, peak) {
        let mb = |kb: u64| count(kb) / 1_000.0;
        measures.push(Measure::plain("ledger: peak memory of the first tenth", mb(early), "MB"));
        let what = "ledger: peak memory of all, over that";
        measures.push(Measure::at_most(what, mb(peak) / mb(early), "", GROWTH));
    }
    Ok(measures)
}
