//! Power losses: a process works with a journal, and images of what a loss at any moment could have left
//! are made of it. The next process works on one of those images, so that losses meet recoveries too.

use std::fs;
use std::path::{Path, PathBuf};

use rand::Rng as _;

use super::journal::Journal;
use super::report::{Campaign, May, POWER};
use super::{Bench, StoresError, copy_folder, system};

/// Images made of one journal.
const PER_RUN: u32 = 15;

/// Batches in one run.
const BATCHES: u64 = 30;

/// Runs on one store before a new one is made, so that the making of a store is met too.
const PER_STORE: u32 = 4;

/// A store that has been through some losses.
struct Powered {
    folder: PathBuf,
    runs: u32,
    acknowledged: u64,
}

pub(super) fn run(
    bench: &mut Bench<'_>,
    losses: u32,
    campaign: &mut Campaign,
) -> Result<(), StoresError> {
    let mut done = 0;
    let mut powered = None;
    while done < losses {
        let mut store = match powered.take().filter(|store: &Powered| store.runs < PER_STORE) {
            Some(store) => store,
            None => new_store(bench)?,
        };
        let images = PER_RUN.min(losses.saturating_sub(done));
        let journal = work(bench, &store, campaign)?;
        bench.told(POWER, done)?;
        let mut left = None;
        for _ in 0..images {
            let moment = bench.random.random_range(0..journal.moments());
            let acknowledged = journal.acknowledged(moment).max(store.acknowledged);
            let sound = lose(bench, &journal, moment, acknowledged, campaign)?;
            left = sound.then_some(acknowledged);
        }
        done = done.saturating_add(images);
        if let Some(acknowledged) = left {
            store.acknowledged = acknowledged;
            store.runs = store.runs.saturating_add(1);
            store.folder = bench.place("powered")?;
            fs::rename(bench.spec.folder.join("next"), &store.folder)
                .map_err(system(&store.folder))?;
            powered = Some(store);
        }
    }
    Ok(())
}

fn new_store(bench: &Bench<'_>) -> Result<Powered, StoresError> {
    let folder = bench.place("powered")?;
    fs::create_dir_all(&folder).map_err(system(&folder))?;
    Ok(Powered { folder, runs: 0, acknowledged: 0 })
}

/// Lets one write, and reads the journal of it.
fn work(
    bench: &Bench<'_>,
    store: &Powered,
    campaign: &mut Campaign,
) -> Result<Journal, StoresError> {
    let path = bench.spec.folder.join("journal");
    if path.exists() {
        fs::remove_file(&path).map_err(system(&path))?;
    }
    let mut journal = Journal::begin(&store.folder)?;
    let shimmed = bench.shimmed(None, Some(path.clone()));
    let finished = bench.starter.worker(&store.folder, BATCHES, Some(&shimmed))?.ended()?;
    campaign.judge_worker(&finished, "under power");
    let acknowledged = finished.acknowledged().saturating_sub(store.acknowledged);
    campaign.acknowledged = campaign.acknowledged.saturating_add(acknowledged);
    journal.read(&path)?;
    Ok(journal)
}

/// One loss: an image is made and looked at. Another copy of it stays in `next`; if it is not well, under a
/// name that the story tells.
fn lose(
    bench: &mut Bench<'_>,
    journal: &Journal,
    moment: usize,
    acknowledged: u64,
    campaign: &mut Campaign,
) -> Result<bool, StoresError> {
    let (dark, next) = (bench.place("dark")?, bench.place("next")?);
    journal.image(moment, &mut bench.random, &dark)?;
    copy_folder(&dark, &next)?;
    let looked = bench.starter.look(&dark, None, None)?;
    let name = format!("power-{}", campaign.looks);
    let story = format!("moment {moment} of {}, kept as {name}", journal.moments());
    campaign.met = campaign.met.saturating_add(1);
    let well = campaign.judge(&looked, acknowledged, May::Open, &story);
    if !well {
        keep(bench, &next, &name)?;
    }
    Ok(well)
}

fn keep(bench: &Bench<'_>, folder: &Path, name: &str) -> Result<(), StoresError> {
    let kept = bench.place(name)?;
    fs::rename(folder, &kept).map_err(system(&kept))
}
