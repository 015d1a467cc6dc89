//! SIGKILL at any point: while it opens, writes or closes. A kill keeps what the kernel holds.

use std::time::Duration;

use rand::Rng as _;

use super::report::{Campaign, KILLS, May};
use super::{Bench, StoresError};

/// Kills on one store before a new one is made.
const PER_STORE: u32 = 50;

/// Acknowledged batches that are waited for, at most.
const WAITED: u32 = 40;

/// More than are written before the kill.
const BATCHES: u64 = 1_000;

/// Longest pauses before the kill: during work, and while it opens or closes.
const PAUSE: Duration = Duration::from_millis(4);
const OPENING: Duration = Duration::from_millis(30);

pub(super) fn run(
    bench: &mut Bench<'_>,
    kills: u32,
    campaign: &mut Campaign,
) -> Result<(), StoresError> {
    let mut known = 0;
    for kill in 0..kills {
        bench.told(KILLS, kill)?;
        let folder = if kill.is_multiple_of(PER_STORE) {
            known = 0;
            bench.place("killed")?
        } else {
            bench.spec.folder.join("killed")
        };
        let mut running = bench.starter.worker(&folder, BATCHES, None)?;
        match bench.random.random_range(0..10) {
            0 => std::thread::sleep(OPENING.mul_f64(bench.random.random())),
            how => {
                for _ in 0..bench.random.random_range(1..=WAITED) {
                    running.hear();
                }
                if how == 1 {
                    running.tell_to_stop();
                    std::thread::sleep(OPENING.mul_f64(bench.random.random()));
                } else {
                    std::thread::sleep(PAUSE.mul_f64(bench.random.random()));
                }
            }
        }
        let finished = running.kill()?;
        let acknowledged = finished.acknowledged().max(known);
        campaign.met = campaign.met.saturating_add(u64::from(finished.was_killed()));
        campaign.acknowledged =
            campaign.acknowledged.saturating_add(acknowledged.saturating_sub(known));
        let looked = bench.starter.look(&folder, None, None)?;
        campaign.judge(&looked, acknowledged, May::Open, &format!("kill {kill}"));
        known = acknowledged;
    }
    Ok(())
}
