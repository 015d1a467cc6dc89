//! A node whose clock jumps: nothing is ever dated below what it signed last, and it says why it does not
//! sign.
//!
//! All nodes' clocks are well ahead of the machine's, so that there is room to go back within everybody's
//! certificates. A municipality's clock goes on by up to a minute, and it must report; or it falls back by
//! six minutes to two days, and it must not, also after a restart, and `status` must say so.

use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reeve::api::{Operation, StatusView, WriteRequest, Written};
use serde::Serialize;
use tokio::runtime::Handle;

use super::federation::{Federation, Site};
use super::{ChaosSpec, Seen, end, shape};
use crate::processes::{LOG_FILE, Leash, ProcessError, SERVING, eventually};
use crate::trial::book::sent;
use crate::trial::cases::{DAYS, case};
use crate::trial::{TrialError, broken};

/// How far all clocks are ahead at first, in seconds: sixty days, of which nobody's certificates end.
const AHEAD_S: i64 = 60 * 86_400;

/// Longest step forward, in seconds.
const STEP_S: i64 = 60;

/// Shortest and longest way back, in seconds: more than the five minutes that are tolerated.
const BACK_S: std::ops::RangeInclusive<i64> = 360..=172_800;

/// The node whose clock jumps.
const NODE: usize = 3;

/// Of so many jumps back one is followed by a restart.
const RESTARTED: u32 = 10;

/// Time given to a node to do what it must not.
const TEMPTED: Duration = Duration::from_millis(150);

/// What it says in its log.
const LOUD: &str = "nothing is signed until it is right";

/// What was seen.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ClocksReport {
    /// How the network was made.
    pub way: &'static str,
    /// Jumps.
    pub jumps: u32,
    /// Those that went back.
    pub back: u32,
    /// Those after which the node was started again.
    pub restarts: u32,
    /// Those after which it did not sign and said so.
    pub refused: u32,
    /// Statements that it signed in all.
    pub signed: usize,
    /// The rest.
    pub seen: Seen,
}

/// So many jumps. Blocks; letting go of the leash ends it with an error.
///
/// # Errors
/// [`TrialError`], with the jump after which something did not hold.
pub fn run(
    spec: &ChaosSpec,
    jumps: u32,
    runtime: &Handle,
    leash: &Leash,
    mut told: impl FnMut(u32),
) -> Result<ClocksReport, TrialError> {
    let federation = Federation::raise(spec, shape::places(&shape::SMALL)?, runtime, leash)?;
    let mut trial = Trial { federation, ahead: AHEAD_S, report: ClocksReport::default() };
    let mut chance = ChaCha8Rng::seed_from_u64(spec.seed);
    trial.go_on(0)?;
    for jump in 1..=jumps {
        if let Err(error) = trial.jump(jump, &mut chance) {
            trial.federation.keep_status();
            let error = Box::new(error);
            return Err(TrialError::Round { round: jump, seed: spec.seed, error });
        }
        told(jump);
    }
    // Another number than the last jump's, so that there is something to tell.
    trial.go_on(jumps.saturating_add(1))?;
    trial.federation.hold_statements()?;
    let signed = trial.in_order()?;
    trial.loud()?;
    let Trial { federation, ahead, report } = trial;
    let seen = end(federation, ahead)?;
    Ok(ClocksReport { way: spec.way.text(), jumps, signed, seen, ..report })
}

struct Trial {
    federation: Federation,
    /// How far the clocks are ahead of the machine's, in seconds.
    ahead: i64,
    report: ClocksReport,
}

impl Trial {
    fn jump(&mut self, jump: u32, chance: &mut ChaCha8Rng) -> Result<(), TrialError> {
        if chance.random_bool(0.5) {
            self.ahead += chance.random_range(1..=STEP_S);
            return self.go_on(jump);
        }
        self.report.back += 1;
        self.site()?.steering.shift_clock(self.ahead - chance.random_range(BACK_S))?;
        if self.report.back.is_multiple_of(RESTARTED) {
            self.federation.kill(NODE);
            self.federation.launch(NODE)?;
            if let Some(site) = self.federation.sites.get_mut(NODE) {
                site.process.serving(SERVING)?;
            }
            self.report.restarts += 1;
        }
        let size = self.status()?.ledger_size;
        self.write(jump, chance.random_range(0..=100))?;
        let process = &self.site()?.process;
        eventually(SERVING, "status says that the clock is behind", || {
            Ok(process.status()?.clock_behind_ms)
        })?;
        std::thread::sleep(TEMPTED);
        if self.status()?.ledger_size != size {
            return Err(broken(&self.site()?.place.unit, "it signed with a clock that went back"));
        }
        self.report.refused += 1;
        self.go_on(jump)
    }

    /// All clocks are right, and the node reports.
    fn go_on(&self, jump: u32) -> Result<(), TrialError> {
        for site in &self.federation.sites {
            site.steering.shift_clock(self.ahead)?;
        }
        let (process, before) = (&self.site()?.process, self.status()?.ledger_size);
        self.write(jump, 101 + jump % 2)?;
        eventually(SERVING, "the node signs and its superior has it", || {
            let status = process.status()?;
            Ok((status.ledger_size > before && status.unsent == 0).then_some(()))
        })?;
        Ok(())
    }

    fn write(&self, jump: u32, age: u32) -> Result<(), TrialError> {
        let process = &self.site()?.process;
        let day = DAYS.into_iter().cycle().nth(usize::try_from(jump).unwrap_or_default());
        let record = case(day.unwrap_or_default(), age, "male", "");
        let operations = vec![Operation::Put { id: "c1".to_owned(), record }];
        let writer = process.writer()?;
        let done: Result<Written, _> =
            writer.send("POST", "/v1/records/case", &WriteRequest { operations });
        done.map(drop).map_err(|error| process.failed(error).into())
    }

    fn site(&self) -> Result<&Site, TrialError> {
        let site = self.federation.sites.get(NODE);
        site.ok_or_else(|| TrialError::Trial("there is no such node".to_owned()))
    }

    fn status(&self) -> Result<StatusView, TrialError> {
        Ok(self.site()?.process.status()?)
    }

    /// No statement is dated below one that was signed before it; how many there are.
    fn in_order(&self) -> Result<usize, TrialError> {
        let site = self.site()?;
        let all = sent(&site.process, 0, self.status()?.ledger_size)?;
        let mut last = String::new();
        for entry in &all {
            // All of one form: the text is ordered as the times are.
            if entry.issued_at < last {
                let what = format!("statement {} is dated {}", entry.index, entry.issued_at);
                return Err(broken(&site.place.unit, format!("{what}, after {last}")));
            }
            last.clone_from(&entry.issued_at);
        }
        Ok(all.len())
    }

    /// Its log says that it did not sign, if it did not.
    fn loud(&self) -> Result<(), TrialError> {
        let site = self.site()?;
        let path = site.process.folder.join(LOG_FILE);
        let log = std::fs::read_to_string(&path)
            .map_err(|reason| ProcessError::System { path, reason })?;
        if self.report.back > 0 && !log.contains(LOUD) {
            return Err(broken(&site.place.unit, "its log does not say that it does not sign"));
        }
        Ok(())
    }
}
