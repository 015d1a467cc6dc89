//! A unit that keeps things back: every gap is named, and none is taken for zero.
//!
//! Two municipalities below a region report the same days, one of them honestly. The other leaves out every
//! third day as if there had been none, and for the last quarter it says nothing at all: what it sends is
//! swallowed. The days are long past, so it is late at once.

use std::collections::BTreeSet;

use reeve::api::{Closing, Figure, Operation, WriteRequest, Written};
use serde::Serialize;
use tokio::runtime::Handle;

use super::federation::{Federation, Site};
use super::{ChaosSpec, Seen, end, shape};
use crate::processes::{Leash, SERVING, eventually};
use crate::trial::cases::case;
use crate::trial::{TrialError, broken};

/// The honest unit, and the one that keeps things back.
const HONEST: usize = 2;
/// See [`HONEST`].
const SILENT: usize = 3;

/// Of so many days one is left out.
const LEFT_OUT: u32 = 3;

/// What was seen.
#[derive(Debug, Clone, Serialize)]
pub struct SilenceReport {
    /// How the network was made.
    pub way: &'static str,
    /// Days.
    pub periods: u32,
    /// Days that the unit left out.
    pub kept_back: u32,
    /// Days after it had fallen silent.
    pub silent: u32,
    /// Days for which the nation's figure names it as missing.
    pub named: u32,
    /// The states by which it is named.
    pub states: BTreeSet<String>,
    /// The rest.
    pub seen: Seen,
}

/// So many days. Blocks; letting go of the leash ends it with an error.
///
/// # Errors
/// [`TrialError`].
pub fn run(
    spec: &ChaosSpec,
    periods: u32,
    runtime: &Handle,
    leash: &Leash,
) -> Result<SilenceReport, TrialError> {
    let mut federation = Federation::raise(spec, shape::places(&shape::SMALL)?, runtime, leash)?;
    let done = tried(&mut federation, periods);
    let report = match done {
        Ok(report) => report,
        Err(error) => {
            federation.keep_status();
            return Err(error);
        }
    };
    federation.network.mend()?;
    federation.hold_statements()?;
    Ok(SilenceReport { way: spec.way.text(), seen: end(federation, 0)?, ..report })
}

fn tried(federation: &mut Federation, periods: u32) -> Result<SilenceReport, TrialError> {
    let last_quarter = periods - periods / 4;
    let (mut kept_back, mut told) = (0, BTreeSet::new());
    for number in 0..periods {
        let day = day(number);
        if number == last_quarter {
            // What was said so far has arrived before it falls silent.
            let site = site(federation, SILENT)?;
            eventually(SERVING, "what was said has arrived", || {
                Ok((site.process.status()?.unsent == 0).then_some(()))
            })?;
            federation.network.part(BTreeSet::from([SILENT]))?;
        }
        report(site(federation, HONEST)?, &day)?;
        if number.is_multiple_of(LEFT_OUT) && number < last_quarter {
            kept_back += 1;
            continue;
        }
        report(site(federation, SILENT)?, &day)?;
        if number < last_quarter {
            told.insert(number);
        }
    }
    let (mut named, mut states) = (0, BTreeSet::new());
    for number in 0..periods {
        let state = look(federation, &day(number), told.contains(&number))?;
        named += u32::from(state.is_some());
        states.extend(state);
    }
    Ok(SilenceReport {
        way: "",
        periods,
        kept_back,
        silent: periods - last_quarter,
        named,
        states,
        seen: Seen::default(),
    })
}

/// A unit reports a day: one case, and the day is closed.
fn report(site: &Site, day: &str) -> Result<(), TrialError> {
    let writer = site.process.writer()?;
    let record = case(day, 40, "female", "");
    let operations = vec![Operation::Put { id: day.to_owned(), record }];
    let done: Result<Written, _> =
        writer.send("POST", "/v1/records/case", &WriteRequest { operations });
    done.map_err(|error| site.process.failed(error))?;
    let closing = Closing {
        kind: Some("case".to_owned()),
        source: "health-office".to_owned(),
        closes: vec![day.to_owned()],
        reason: None,
    };
    let done: Result<Written, _> = writer.send("POST", "/v1/close", &closing);
    done.map(drop).map_err(|error| site.process.failed(error).into())
}

/// The nation's figure of a day includes the honest unit, and the other if it told; else it names it, and
/// has no row for it. The state by which it does.
fn look(federation: &Federation, day: &str, told: bool) -> Result<Option<String>, TrialError> {
    let nation = &federation.nation()?.process;
    let (expected, unit) = (u64::from(told) + 1, &site(federation, SILENT)?.place.unit);
    let below = unit.to_string().trim_start_matches("it/").to_owned();
    let path = format!("/v1/figures/confirmed_by_day?period={day}");
    let what = format!("the nation's figure of {day} includes {expected} units");
    let figure = eventually(SERVING, &what, || {
        let figure: Option<Figure> = nation.client.get(&path).ok();
        Ok(figure.filter(|figure| figure.included == expected))
    })?;
    let rows = figure.rows.iter().filter(|row| row.area == below).count();
    let state = figure.exceptions.iter().find(|it| it.unit == below).map(|it| it.state.clone());
    match (told, rows, &state) {
        (true, 1.., None) | (false, 0, Some(_)) if figure.expected == 2 => Ok(state),
        _ => {
            let what = format!(
                "the figure of {day} has {rows} rows of it, says {state:?} and expects {}",
                figure.expected
            );
            Err(broken(unit, what))
        }
    }
}

/// Days of a year that is long past.
fn day(number: u32) -> String {
    let first = jiff::civil::date(2020, 3, 1);
    let days = jiff::ToSpan::days(i64::from(number));
    first.checked_add(days).unwrap_or(first).to_string()
}

fn site(federation: &Federation, node: usize) -> Result<&Site, TrialError> {
    let site = federation.sites.get(node);
    site.ok_or_else(|| TrialError::Trial("there is no such node".to_owned()))
}
