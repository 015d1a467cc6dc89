//! How a large federation fares without faults: one change per leaf and virtual second.

use std::collections::BTreeMap;

use reeve_policy::authz::Role;
use reeve_protocol::local::Question;
use reeve_statement::names::KindId;
use reeve_statement::unit::UnitPath;

use crate::model::{DAYS, Name, Said};
use crate::plan::Plan;
use crate::sim::Sim;

/// Leaves of one city, and cities of one region.
const FAN_OUT: (usize, usize) = (20, 8);

/// How often the top is looked at, in virtual milliseconds.
const LOOK_MS: u64 = 100;

/// Statements and chunks that a node's disk keeps. All of them, in memory, would be what limits the run:
/// about 10 kB for each statement of a region.
const KEPT: usize = 200;

/// Time for the last changes to arrive, in virtual milliseconds.
const REST_MS: u64 = 5_000;

/// What a run came to.
#[derive(Debug)]
pub struct Scale {
    /// Jurisdictions, inner ones included.
    pub units: usize,
    /// Virtual time of changes, in milliseconds.
    pub virtual_ms: u64,
    /// Changes made.
    pub changes: u64,
    /// Changes that the top's figure had at the end.
    pub arrived: u64,
    /// Frames between nodes.
    pub frames: u64,
    /// Statements issued, each with a signature of its own.
    pub issued: u64,
    /// Median, 99th percentile and greatest lag of a change at the top, in virtual milliseconds, as
    /// seen ten times a second.
    pub lag_ms: (u64, u64, u64),
}

/// Units of a federation with so many leaves, on four levels.
fn units(leaves: usize) -> Vec<UnitPath> {
    let cities = leaves.div_ceil(FAN_OUT.0);
    let regions = cities.div_ceil(FAN_OUT.1);
    let mut units: Vec<String> = vec!["top".to_owned()];
    units.extend((0..regions).map(|region| format!("top/r{region}")));
    let city = |city: usize| format!("top/r{}/c{city}", city / FAN_OUT.1);
    units.extend((0..cities).map(city));
    units.extend((0..leaves).map(|leaf| format!("{}/l{leaf}", city(leaf / FAN_OUT.0))));
    units.iter().map(|unit| unit.parse().unwrap()).collect()
}

/// Runs so many leaves for so many virtual seconds. The invariants are not looked at on the way, for that
/// costs more than the federation does; that all changes arrive is left to the caller.
#[must_use]
pub fn scale(leaves: usize, seconds: u64) -> Scale {
    let plan = Plan::calm(1, units(leaves));
    let count = plan.units.len();
    let paths: Vec<UnitPath> = plan.leaves().cloned().collect();
    let mut sim = Sim::new(plan, false);
    sim.watched = false;
    sim.disks.values_mut().for_each(|disk| disk.most = Some(KEPT));
    let issued = sim.issued;
    let frames = sim.frames;
    let began = sim.now;
    let mut written: BTreeMap<UnitPath, Vec<u64>> = BTreeMap::new();
    let mut arrived: BTreeMap<UnitPath, usize> = BTreeMap::new();
    let mut lags = Vec::new();
    let step = 1_000 / LOOK_MS;
    for look in 0..(seconds * step + REST_MS / LOOK_MS) {
        // A tenth of the leaves write in each tenth of a second.
        if look < seconds * step {
            for (number, leaf) in paths.iter().enumerate() {
                if u64::try_from(number).unwrap() % step == look % step {
                    sim.write_case(leaf, look);
                    written.entry(leaf.clone()).or_default().push(sim.now);
                }
            }
        }
        sim.run_until(sim.now + LOOK_MS);
        let told = sim.cases_by_leaf(DAYS[0]);
        for (leaf, times) in &written {
            let had = arrived.entry(leaf.clone()).or_default();
            let has = told.get(leaf).copied().unwrap_or(0).min(times.len());
            lags.extend(times[*had..has.max(*had)].iter().map(|at| sim.now - at));
            *had = has.max(*had);
        }
    }
    lags.sort_unstable();
    let of = |per_thousand: usize| lags.get(lags.len() * per_thousand / 1_000).copied();
    let greatest = lags.last().copied().unwrap_or(0);
    Scale {
        units: count,
        virtual_ms: sim.now - began,
        changes: written.values().map(|times| u64::try_from(times.len()).unwrap()).sum(),
        arrived: u64::try_from(lags.len()).unwrap(),
        frames: sim.frames - frames,
        issued: sim.issued - issued,
        lag_ms: (of(500).unwrap_or(0), of(990).unwrap_or(greatest), greatest),
    }
}

impl Sim {
    fn write_case(&mut self, leaf: &UnitPath, number: u64) {
        let at = self.reporter(leaf);
        let name: Name = (at, format!("case-1-{number}"));
        let said = Some(Said { day: DAYS[0], ward: None });
        let op = self.operation("case", &name.1, said);
        let kind = KindId::new("case").unwrap();
        let what = Question::Write { kind, ops: vec![op], import: None };
        let ask = self.send_ask(at, Role::Writer, what);
        self.model.ask(ask, name, said);
    }

    /// The top's figure of a day by leaf.
    fn cases_by_leaf(&mut self, day: &str) -> BTreeMap<UnitPath, usize> {
        let top = self.plan.units[0].clone();
        let at = self.reporter(&top);
        let Some(view) = self.figure(at, "cases", day) else { return BTreeMap::new() };
        let row =
            |(key, cell): (&reeve_statement::table::RowKey, &reeve_statement::bounds::Cell)| {
                let mut path = top.clone();
                for unit in &key.area.units {
                    path = path.child(unit.clone()).unwrap();
                }
                (path, usize::try_from(cell.value.lo()).unwrap())
            };
        view.table.rows.iter().map(row).collect()
    }
}
