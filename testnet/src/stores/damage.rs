//! Damage at rest: bits flipped, files cut, sectors and pages zeroed, in a copy of a store that was closed
//! in good order or killed. The copy may be refused, if that is said; it must not be believed.

use std::fs;
use std::path::{Path, PathBuf};

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use super::child::Looked;
use super::report::{Campaign, FLIPS, May};
use super::{Bench, StoresError, copy_folder, system};

/// Batches in the store that is damaged.
const BATCHES: u64 = 250;

/// Trials on one store before another is made.
const PER_STORE: u32 = 300;

/// One in so many trials takes any of the files, small ones too; the others go by size.
const ANY_FILE: u32 = 4;

pub(super) fn run(
    bench: &mut Bench<'_>,
    trials: u32,
    campaign: &mut Campaign,
) -> Result<(), StoresError> {
    let mut acknowledged = 0;
    let mut store = PathBuf::new();
    for trial in 0..trials {
        if trial.is_multiple_of(PER_STORE) {
            (store, acknowledged) = make(bench, trial)?;
            campaign.acknowledged = campaign.acknowledged.saturating_add(acknowledged);
        }
        bench.told(FLIPS, trial)?;
        let damaged = bench.place("damaged")?;
        copy_folder(&store, &damaged)?;
        let story = damage(&damaged, &mut bench.random)?;
        campaign.met = campaign.met.saturating_add(1);
        let scratch = bench.place("scratch")?;
        let looked = bench.starter.look(&damaged, Some(&scratch), None)?;
        campaign.judge(&looked, acknowledged, May::Refuse, &format!("trial {trial}, {story}"));
    }
    Ok(())
}

/// A store of some batches; every second one is left by a killed process.
fn make(bench: &Bench<'_>, trial: u32) -> Result<(PathBuf, u64), StoresError> {
    let folder = bench.place("whole")?;
    let closed = (trial / PER_STORE).is_multiple_of(2);
    let more = if closed { 0 } else { BATCHES };
    let mut running = bench.starter.worker(&folder, BATCHES.saturating_add(more), None)?;
    let finished = if closed {
        running.ended()?
    } else {
        for _ in 0..BATCHES {
            running.hear();
        }
        running.kill()?
    };
    let acknowledged = finished.acknowledged();
    // Looking at it would close it in good order: a copy is looked at.
    let copy = bench.place("damaged")?;
    copy_folder(&folder, &copy)?;
    match bench.starter.look(&copy, None, None)? {
        Looked::Seen(seen) if seen.why().is_none() && seen.wrong == 0 => Ok((folder, acknowledged)),
        other => Err(StoresError::Unhurt(format!("{other:?}"))),
    }
}

/// Does one thing to one file, and says what.
fn damage(folder: &Path, random: &mut ChaCha8Rng) -> Result<String, StoresError> {
    let mut files = Vec::new();
    list(folder, &mut files)?;
    let any = random.random_range(0..ANY_FILE) == 0;
    let weights: Vec<u64> = files.iter().map(|(_, size)| if any { 1 } else { *size }).collect();
    let mut drawn = random.random_range(0..weights.iter().sum::<u64>().max(1));
    let mut chosen = None;
    for (file, weight) in files.iter().zip(weights) {
        match drawn.checked_sub(weight) {
            Some(rest) => drawn = rest,
            None => {
                chosen = Some(file);
                break;
            }
        }
    }
    let Some((path, _)) = chosen else { return Ok("nothing to damage".to_owned()) };
    let mut bytes = fs::read(path).map_err(system(path))?;
    let what = hurt(&mut bytes, random);
    fs::write(path, bytes).map_err(system(path))?;
    let name = path.strip_prefix(folder).unwrap_or(path);
    Ok(format!("{}: {what}", name.display()))
}

fn hurt(bytes: &mut Vec<u8>, random: &mut ChaCha8Rng) -> String {
    let at = random.random_range(0..bytes.len().max(1));
    match random.random_range(0..5) {
        0 | 1 => {
            let bit = random.random_range(0..8);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << bit;
            }
            format!("bit {bit} of byte {at} flipped")
        }
        2 => {
            bytes.truncate(at);
            format!("cut after {at} bytes")
        }
        how => {
            let size = if how == 3 { 512 } else { 4096 };
            let start = at.checked_div(size).unwrap_or(0).saturating_mul(size);
            let end = start.saturating_add(size).min(bytes.len());
            if let Some(part) = bytes.get_mut(start..end) {
                part.fill(0);
            }
            format!("bytes {start} to {end} zeroed")
        }
    }
}

fn list(folder: &Path, into: &mut Vec<(PathBuf, u64)>) -> Result<(), StoresError> {
    let mut paths = Vec::new();
    for found in fs::read_dir(folder).map_err(system(folder))? {
        paths.push(found.map_err(system(folder))?.path());
    }
    paths.sort();
    for path in paths {
        if path.is_dir() {
            list(&path, into)?;
        } else {
            let size = fs::metadata(&path).map_err(system(&path))?.len();
            if size > 0 {
                into.push((path, size));
            }
        }
    }
    Ok(())
}
