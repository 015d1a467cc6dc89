//! A disk that is full at some point, or fails a write or a sync: nothing acknowledged is lost, the error is
//! named, and after space is freed or the node is started again it goes on.

use std::fs;
use std::path::{Path, PathBuf};

use rand::Rng as _;

use super::child::{Finished, Looked};
use super::journal::Journal;
use super::report::{Campaign, FULL, May, SYNCS, WRITES};
use super::{Bench, StoresError, copy_folder, system};

/// Batches that are there before something goes wrong; every other trial begins with no store at all.
const BEFORE: u64 = 20;

/// Batches that are tried while something goes wrong.
const BATCHES: u64 = 120;

/// Batches written afterwards, to see that it goes on.
const AFTER: u64 = 3;

/// Bytes between one point at which the disk is full and the next.
const STEP: u64 = 5 * 1024;

/// Disks that are full at one point after another.
pub(super) fn full(
    bench: &mut Bench<'_>,
    points: u32,
    campaign: &mut Campaign,
) -> Result<(), StoresError> {
    for point in 0..points {
        let bytes = u64::from(point).saturating_mul(STEP);
        let bytes = bytes.saturating_add(bench.random.random_range(0..STEP));
        let order = format!("space {bytes}\n");
        let failing = Failing { name: FULL, number: point, order };
        let (folder, acknowledged) = failing.run(bench, campaign)?;
        // Still full: whether it can be read at least. A refusal must say that there is no space.
        let control = failing.control(bench, "space 0\n")?;
        let copy = bench.place("still-full")?;
        copy_folder(&folder, &copy)?;
        let shimmed = bench.shimmed(Some(control), None);
        let story = format!("{bytes} bytes left, still full");
        match bench.starter.look(&copy, None, Some(&shimmed))? {
            Looked::Seen(seen) if seen.refused.is_none() => {
                campaign.read_while_full = campaign.read_while_full.saturating_add(1);
            }
            Looked::Seen(seen) if seen.why().is_some_and(|why| why.contains("no space")) => {}
            other => campaign.tell(format!("{story}: {other:?}")),
        }
        go_on(bench, &folder, acknowledged, campaign, &failing)?;
    }
    Ok(())
}

/// One write after another fails.
pub(super) fn writes(
    bench: &mut Bench<'_>,
    count: u32,
    campaign: &mut Campaign,
) -> Result<(), StoresError> {
    fail_each(bench, count, "write", WRITES, campaign)
}

/// One sync after another fails.
pub(super) fn syncs(
    bench: &mut Bench<'_>,
    count: u32,
    campaign: &mut Campaign,
) -> Result<(), StoresError> {
    fail_each(bench, count, "sync", SYNCS, campaign)
}

/// Once, and from then on.
const HOW: [&str; 2] = ["once", "on"];

fn fail_each(
    bench: &mut Bench<'_>,
    count: u32,
    call: &str,
    name: &'static str,
    campaign: &mut Campaign,
) -> Result<(), StoresError> {
    for number in 0..count {
        for how in HOW {
            let order = format!("{call} {} EIO {how}\n", number.saturating_add(1));
            let failing = Failing { name, number, order };
            let (folder, acknowledged) = failing.run(bench, campaign)?;
            go_on(bench, &folder, acknowledged, campaign, &failing)?;
        }
    }
    Ok(())
}

/// Something that goes wrong.
struct Failing {
    name: &'static str,
    number: u32,
    order: String,
}

impl Failing {
    fn control(&self, bench: &Bench<'_>, order: &str) -> Result<PathBuf, StoresError> {
        let control = bench.spec.folder.join("control");
        fs::write(&control, order).map_err(system(&control))?;
        Ok(control)
    }

    /// Lets one write until it goes wrong. After that comes the worst: the power is lost as well. What it
    /// left is judged, and the folder as the process left it is returned.
    fn run(
        &self,
        bench: &mut Bench<'_>,
        campaign: &mut Campaign,
    ) -> Result<(PathBuf, u64), StoresError> {
        bench.told(self.name, self.number)?;
        let folder = bench.place("failing")?;
        fs::create_dir_all(&folder).map_err(system(&folder))?;
        if self.number.is_multiple_of(2) {
            bench.starter.worker(&folder, BEFORE, None)?.ended()?;
        }
        let path = bench.spec.folder.join("journal");
        if path.exists() {
            fs::remove_file(&path).map_err(system(&path))?;
        }
        let mut journal = Journal::begin(&folder)?;
        let control = self.control(bench, &self.order)?;
        let shimmed = bench.shimmed(Some(control), Some(path.clone()));
        let finished = bench.starter.worker(&folder, BATCHES, Some(&shimmed))?.ended()?;
        campaign.judge_worker(&finished, self.order.trim());
        journal.read(&path)?;
        self.note(&finished, &journal, campaign);
        let before = if self.number.is_multiple_of(2) { BEFORE } else { 0 };
        let acknowledged = finished.acknowledged().max(before);
        campaign.acknowledged =
            campaign.acknowledged.saturating_add(acknowledged.saturating_sub(before));
        let dark = bench.place("dark")?;
        journal.image(journal.moments().saturating_sub(1), &mut bench.random, &dark)?;
        let looked = bench.starter.look(&dark, None, None)?;
        let story = format!("{}, then without power", self.order.trim());
        campaign.judge(&looked, acknowledged, May::Open, &story);
        Ok((folder, acknowledged))
    }

    /// Whether it went wrong at all, and whether it was said.
    fn note(&self, finished: &Finished, journal: &Journal, campaign: &mut Campaign) {
        if !journal.met_fault() {
            return;
        }
        campaign.met = campaign.met.saturating_add(1);
        let expected = if self.name == FULL { "no space" } else { "rror" };
        if let Some(why) = finished.failed().filter(|why| !why.contains(expected)) {
            campaign.tell(format!("{}: it failed, and said: {why}", self.order.trim()));
        }
    }
}

/// The disk is well again: the store as the process left it must open, be whole, and take more.
fn go_on(
    bench: &Bench<'_>,
    folder: &Path,
    acknowledged: u64,
    campaign: &mut Campaign,
    failing: &Failing,
) -> Result<(), StoresError> {
    let story = format!("{}, then well again", failing.order.trim());
    let looked = bench.starter.look(folder, None, None)?;
    if !campaign.judge(&looked, acknowledged, May::Open, &story) {
        return Ok(());
    }
    let finished = bench.starter.worker(folder, AFTER, None)?.ended()?;
    if finished.acknowledged() < acknowledged.saturating_add(AFTER) {
        campaign.tell(format!("{story}: it did not go on: {:?}", finished.failed()));
    }
    Ok(())
}
