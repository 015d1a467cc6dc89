//! A superior that is away for a week, by all clocks but the machine's: nothing is lost, it is not
//! flooded, and completeness says who is missing, then and afterwards.
//!
//! A region's node is stopped. Day by day the clocks of all others go on (`testnet/shim/clock.c`), and the
//! municipalities write cases of that day and close it, one silent municipality excepted. Then the region
//! comes back, a week later by its own clock, too.

use std::time::{Duration, Instant};

use reeve::api::{Closing, Figure, Operation, WriteRequest, Written};
use reeve::client::ClientError;
use reeve::clock::wall;
use reeve_statement::unit::UnitPath;
use serde::Serialize;
use tokio::runtime::Handle;

use super::federation::{Federation, Site};
use super::{ChaosSpec, Seen, end, shape};
use crate::processes::{Leash, Process, SERVING, eventually};
use crate::stopwatch::now;
use crate::trial::cases::case;
use crate::trial::figures::{Counts, add, wait};
use crate::trial::{TrialError, broken};

/// Seconds of a day.
const DAY_S: i64 = 86_400;

/// The region that goes away.
const REGION: usize = 1;

/// The municipality below it that says nothing.
const SILENT: &str = "it/03/015/182";

/// The indicator that is looked at.
const INDICATOR: &str = "confirmed_by_day";

/// Editions that a figure may take while its superior is away and when it is back: one that was under
/// way, and one that says everything since.
const EDITIONS_PER_FIGURE: usize = 2;

/// Real time given to each day: the nodes look at their deadlines, and try to reach the region.
const REST: Duration = Duration::from_secs(1);

/// What was seen.
#[derive(Debug, Clone, Serialize)]
pub struct WeekReport {
    /// How the network was made.
    pub way: &'static str,
    /// The store engine.
    pub engine: &'static str,
    /// Days that the region was away, by the nodes' clocks.
    pub days: u32,
    /// Changes below it meanwhile.
    pub changes: u64,
    /// Figures of the units right below it, and the editions that they issued meanwhile and on its return.
    pub figures: usize,
    /// Those editions.
    pub editions: usize,
    /// What the nation's figure of the first day said of the units below while the region was away.
    pub away: String,
    /// The same, once it was back.
    pub back: String,
    /// From the region's serving to its own right figures, in seconds.
    pub region: f64,
    /// From then to the nation's, in seconds.
    pub nation: f64,
    /// The rest.
    pub seen: Seen,
}

/// Runs the trial: so many days, so many changes a day at each municipality. Blocks; letting go of the
/// leash ends it with an error.
///
/// # Errors
/// [`TrialError`].
pub fn run(
    spec: &ChaosSpec,
    days: u32,
    changes: u32,
    runtime: &Handle,
    leash: &Leash,
    told: impl FnMut(u32),
) -> Result<WeekReport, TrialError> {
    let federation = Federation::raise(spec, shape::all()?, runtime, leash)?;
    let mut trial = Trial { federation, days: Vec::new(), changes: 0, shift: 0 };
    let done = trial.run(days, changes, spec.within, told);
    let report = match done {
        Ok(report) => report,
        Err(error) => {
            trial.federation.keep_status();
            return Err(error);
        }
    };
    let (way, engine, changes) = (spec.way.text(), spec.engine.name(), trial.changes);
    let seen = end(trial.federation, trial.shift)?;
    Ok(WeekReport { way, engine, days, changes, seen, ..report })
}

struct Trial {
    federation: Federation,
    /// The days that passed, as dates.
    days: Vec<String>,
    changes: u64,
    /// How far the nodes' clocks are from the machine's, in seconds.
    shift: i64,
}

impl Trial {
    fn run(
        &mut self,
        days: u32,
        changes: u32,
        within: Duration,
        mut told: impl FnMut(u32),
    ) -> Result<WeekReport, TrialError> {
        // Something of every municipality is with everybody before the region goes away.
        self.day(changes)?;
        self.right(0, now(), within)?;
        self.federation.hold_statements()?;
        let before = self.below();
        self.federation.kill(REGION);
        for day in 1..=days {
            self.shift += DAY_S;
            self.set_clocks()?;
            self.day(changes)?;
            std::thread::sleep(REST);
            self.federation.look(&[REGION].into())?;
            told(day);
        }
        let away = self.completeness(1)?;
        self.federation.launch(REGION)?;
        if let Some(region) = self.federation.sites.get_mut(REGION) {
            region.process.serving(SERVING)?;
        }
        let back = now();
        let region = self.right(REGION, back, within)?.as_secs_f64();
        let nation = self.right(0, back, within)?.as_secs_f64();
        self.federation.hold_statements()?;
        let after = self.below();
        let (figures, editions) = (after.0, after.1.saturating_sub(before.1));
        if editions > EDITIONS_PER_FIGURE * figures {
            let unit = &self.federation.nation()?.place.unit;
            let what = format!("{editions} editions of {figures} figures came to the region");
            return Err(broken(unit, what));
        }
        let told = self.completeness(1)?;
        Ok(WeekReport {
            way: "",
            engine: "",
            days,
            changes: 0,
            figures,
            editions,
            away,
            back: told,
            region,
            nation,
            seen: Seen::default(),
        })
    }

    /// One day by the nodes' clocks: cases of that day at every municipality, which then closes it.
    fn day(&mut self, changes: u32) -> Result<(), TrialError> {
        let at = wall().plus_millis(self.shift.saturating_mul(1_000)).to_string();
        let day = at.get(..10).unwrap_or_default().to_owned();
        for site in self.writing() {
            let writer = site.process.writer()?;
            for number in 0..changes {
                let id = format!("{day}-{number}");
                let record = case(&day, number % 100, "female", "");
                let request = WriteRequest { operations: vec![Operation::Put { id, record }] };
                let done: Result<Written, _> = writer.send("POST", "/v1/records/case", &request);
                done.map_err(|error| site.process.failed(error))?;
            }
            let closing = Closing {
                kind: Some("case".to_owned()),
                source: "health-office".to_owned(),
                closes: vec![day.clone()],
                reason: None,
            };
            let done: Result<Written, _> = writer.send("POST", "/v1/close", &closing);
            done.map_err(|error| site.process.failed(error))?;
        }
        let written = u64::from(changes) * u64::try_from(self.writing().count()).unwrap_or(0);
        self.changes += written;
        self.days.push(day);
        Ok(())
    }

    /// The first nodes of municipalities that are not silent.
    fn writing(&self) -> impl Iterator<Item = &Site> {
        let sites = self.federation.sites.iter();
        let lowest = sites.filter(|site| site.place.reports() && site.place.unit.depth() == 4);
        lowest.filter(|site| site.place.unit.to_string() != SILENT)
    }

    fn set_clocks(&self) -> Result<(), TrialError> {
        // The region's node is down; it finds its clock a week on when it comes back.
        self.federation.sites.iter().try_for_each(|site| site.steering.shift_clock(self.shift))
    }

    /// Waits until a node shows what the records below it come to.
    fn right(&self, node: usize, since: Instant, within: Duration) -> Result<Duration, TrialError> {
        let Some(above) = self.federation.sites.get(node) else { return Ok(Duration::ZERO) };
        let mut expected = Counts::new();
        for site in self.writing() {
            let (unit, own) = (&site.place.unit, &above.place.unit);
            if unit.to_string().starts_with(&format!("{own}/")) {
                add(&mut expected, own, unit, &self.federation.agreed(unit)?);
            }
        }
        let days: Vec<&str> = self.days.iter().map(String::as_str).collect();
        wait(&above.process, &days, &expected, since, within)
    }

    /// Figures of the units right below the region, and their editions.
    fn below(&self) -> (usize, usize) {
        let region = self.federation.sites.get(REGION).map(|site| site.place.unit.clone());
        let below = |unit: &UnitPath| unit.parent() == region;
        let sites = self.federation.sites.iter().filter(|site| below(&site.place.unit));
        sites.fold((0, 0), |(figures, editions), site| {
            let (more, further) = self.federation.book.editions_of(&site.place.unit);
            (figures + more, editions + further)
        })
    }

    /// What the nation's figure of a day says of the units, in words: it must not take who is missing
    /// for zero.
    fn completeness(&self, day: usize) -> Result<String, TrialError> {
        let nation = &self.federation.nation()?.process;
        let day = self.days.get(day).cloned().unwrap_or_default();
        let figure = figure_of(nation, &day)?;
        let states: Vec<String> =
            figure.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
        let named: Vec<String> =
            figure.exceptions.iter().map(|it| format!("{} {}", it.unit, it.state)).collect();
        Ok(format!(
            "{} of {} included ({}); {}",
            figure.included,
            figure.expected,
            states.join(", "),
            if named.is_empty() { "none missing".to_owned() } else { named.join(", ") }
        ))
    }
}

fn figure_of(nation: &Process, day: &str) -> Result<Figure, TrialError> {
    let path = format!("/v1/figures/{INDICATOR}?period={day}");
    let figure = eventually(SERVING, "the nation has a figure", || {
        match nation.client.get::<Figure>(&path) {
            Ok(figure) => Ok(Some(figure)),
            Err(ClientError::Problem(problem)) if problem.status == 404 => Ok(None),
            Err(error) => Err(nation.failed(error)),
        }
    });
    Ok(figure?)
}
