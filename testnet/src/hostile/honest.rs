//! The honest peer and the honest client: what they notice of an attack.
//!
//! One change after the other is written at the honest subordinate, and the superior is asked over
//! HTTP until its figure holds it. Meanwhile another client asks over a new connection each time, as a
//! command line does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reeve::api::{Figure, Written};
use reeve::client::{Client, ClientError};
use reeve::token::OPERATOR_TOKEN_FILE;
use serde_json::json;

use super::HostileError;
use super::forge::INDICATOR;
use super::stage::Stage;
use crate::processes::Process;
use crate::stopwatch::now;

/// The day of the honest cases.
const DAY: &str = "2020-03-01";

/// Pause between two looks at the figure.
const LOOK: Duration = Duration::from_millis(5);

/// Pause after a change has arrived, and between two queries: a load that two honest people make.
const PAUSE: Duration = Duration::from_millis(40);

/// A change that has not arrived after this long is given up and counted with this time.
pub(super) const GIVEN_UP: Duration = Duration::from_secs(30);

/// What took how long.
#[derive(Debug, Clone, Default)]
pub struct Noticed {
    /// From a change below to the figure above.
    pub changes: Vec<Duration>,
    /// From a question over HTTP, with its connection, to its answer.
    pub queries: Vec<Duration>,
    /// Requests of honest clients that failed and were made again.
    pub failed: u64,
}

impl Noticed {
    /// The nearest rank of the changes' times.
    #[must_use]
    pub fn change(&self, percent: usize) -> Duration {
        rank(&self.changes, percent)
    }

    /// The nearest rank of the queries' times.
    #[must_use]
    pub fn query(&self, percent: usize) -> Duration {
        rank(&self.queries, percent)
    }
}

/// The nearest rank; zero of nothing.
fn rank(took: &[Duration], percent: usize) -> Duration {
    let mut sorted = took.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}

/// The honest ones of a stage; what they wrote so far.
pub(super) struct Honest<'a> {
    above: &'a Process,
    below: &'a Process,
    written: u32,
}

impl<'a> Honest<'a> {
    pub(super) fn new(stage: &'a Stage) -> Result<Self, HostileError> {
        let (above, below) = (stage.superior_process()?, stage.home_process()?);
        let mut honest = Self { above, below, written: 0 };
        // The first change finds the way open; it is not measured.
        honest.work(&AtomicBool::new(true))?;
        Ok(honest)
    }

    /// Works until told to stop, and at least until one change has arrived or was given up.
    pub(super) fn work(&mut self, stop: &AtomicBool) -> Result<Noticed, HostileError> {
        let failed = Mutex::new(0_u64);
        let fail = || {
            let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
            *failed = failed.saturating_add(1);
        };
        let (done, above) = (AtomicBool::new(false), self.above);
        let (changes, queries) = std::thread::scope(|scope| {
            let asking = scope.spawn(|| ask(above, &done, &fail));
            let changes = self.change(stop, &fail);
            done.store(true, Ordering::Relaxed);
            (changes, asking.join())
        });
        let queries = queries.map_err(|_| HostileError::text("the honest client panicked"))?;
        let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Noticed { changes: changes?, queries: queries?, failed })
    }

    fn change(
        &mut self,
        stop: &AtomicBool,
        fail: &impl Fn(),
    ) -> Result<Vec<Duration>, HostileError> {
        let mut took = Vec::new();
        loop {
            let began = now();
            self.write(began, fail)?;
            let mut arrived = false;
            while !arrived && began.elapsed() < GIVEN_UP {
                self.above.check()?;
                match total(&self.above.client) {
                    Ok(total) => arrived = total >= i64::from(self.written),
                    Err(_) => fail(),
                }
                if !arrived {
                    std::thread::sleep(LOOK);
                }
            }
            took.push(if arrived { began.elapsed() } else { GIVEN_UP });
            if stop.load(Ordering::Relaxed) {
                return Ok(took);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Writes one more case; what failed is tried again with the same id.
    fn write(&mut self, began: Instant, fail: &impl Fn()) -> Result<(), HostileError> {
        let writer = self.below.writer_named("honest")?;
        let case = json!({ "status": "confirmed", "reported_on": DAY, "age": 44, "sex": "female" });
        let path = format!("/v1/records/case/honest-{}", self.written);
        self.written += 1;
        loop {
            let written: Result<Written, ClientError> = writer.send("PUT", &path, &case);
            match written {
                Ok(_) => return Ok(()),
                Err(_) if began.elapsed() < GIVEN_UP => {
                    self.below.check()?;
                    fail();
                    std::thread::sleep(LOOK);
                }
                Err(error) => return Err(self.below.failed(error).into()),
            }
        }
    }
}

/// Asks again and again, each time over a new connection.
fn ask(
    above: &Process,
    done: &AtomicBool,
    fail: &impl Fn(),
) -> Result<Vec<Duration>, HostileError> {
    let token = above.folder.join(OPERATOR_TOKEN_FILE);
    let mut took = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let began = now();
        while began.elapsed() < GIVEN_UP {
            let client = Client::new(above.client.address(), &token);
            let client = client.map_err(|error| above.failed(error))?;
            if total(&client).is_ok() {
                break;
            }
            above.check()?;
            fail();
            std::thread::sleep(LOOK);
        }
        took.push(began.elapsed());
        std::thread::sleep(PAUSE);
    }
    Ok(took)
}

/// The figure of the honest cases; 0 while there is none.
fn total(client: &Client) -> Result<i64, ClientError> {
    let path = format!("/v1/figures/{INDICATOR}?period={DAY}");
    match client.get::<Figure>(&path) {
        Ok(figure) => Ok(figure.total.map_or(0, |total| total.value.lo)),
        Err(ClientError::Problem(problem)) if problem.status == 404 => Ok(0),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_nearest_ranks() {
        let took: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(rank(&took, 50), Duration::from_millis(100));
        assert_eq!(rank(&took, 99), Duration::from_millis(198));
        assert_eq!(rank(&[], 99), Duration::ZERO);
    }
}
