//! After trouble: everything comes right within a bounded time, and is held against the records.

use reeve_policy::authz::Role;
use reeve_protocol::effect::NodeKey;
use reeve_protocol::local::{Answer, FigureView, Question, Status};
use reeve_statement::bounds::Bounds;
use reeve_statement::names::IndicatorId;
use reeve_statement::table::Area;
use reeve_statement::unit::UnitPath;

use crate::invariants::{
    invariant_acknowledged_records_are_there, invariant_completeness_is_earned,
    invariant_figures_equal_records, invariant_queues_are_bounded,
    invariant_the_truth_is_within_bounds,
};
use crate::model::DAYS;
use crate::setup::REPORTING;
use crate::sim::Sim;

/// How long after trouble everything must be right, in virtual milliseconds.
const RIGHT_WITHIN_MS: u64 = 60_000;

/// How often it is looked at, in virtual milliseconds.
const LOOK_MS: u64 = 1_000;

/// Requests waiting to be written, at rest: none.
const QUEUED_AT_REST: usize = 0;

impl Sim {
    /// Ends all trouble, waits until everything is right, and says so if it never is.
    pub(crate) fn quiet_and_check(&mut self) {
        self.calm_down();
        self.run_until(self.now + REQUESTS_END_MS);
        self.check_records();
        let end = self.now + RIGHT_WITHIN_MS;
        loop {
            let wrong = self.figures_wrong();
            match wrong {
                None => break,
                Some((invariant, what)) if self.now >= end => {
                    self.note_everybody();
                    return self.violated(invariant, Err(what));
                }
                Some(_) => self.run_until(self.now + LOOK_MS),
            }
            if self.violation.is_some() {
                return;
            }
        }
        self.check_rest();
    }

    /// Each record says at its node what was acknowledged.
    fn check_records(&mut self) {
        for name in self.model.unsettled() {
            let said = self.said(&name);
            if self.violation.is_some() {
                return;
            }
            let right = self.model.settle(&name, said);
            let found = invariant_acknowledged_records_are_there(right, &name.1);
            self.violated("acknowledged_records_are_there", found);
        }
        let expected: Vec<_> =
            self.model.settled().map(|(name, said)| (name.clone(), said)).collect();
        for (name, said) in expected {
            let right = self.said(&name) == said || self.violation.is_some();
            let found = invariant_acknowledged_records_are_there(right, &name.1);
            self.violated("acknowledged_records_are_there", found);
        }
    }

    /// The first figure at the top that is not what the records say.
    fn figures_wrong(&mut self) -> Option<(&'static str, String)> {
        let units = self.plan.units.clone();
        let top = self.key_of(&units[0], REPORTING);
        let leaves = self.checked_leaves();
        for day in DAYS {
            let cases = self.figure(top, "cases", day);
            let patients = self.figure(top, "patients", day);
            for leaf in &leaves {
                let records = self.model.count(leaf, day, None);
                let figure = sum_of(cases.as_ref(), leaf, &units[0]);
                if let Err(what) = invariant_figures_equal_records(leaf, day, figure, records) {
                    return Some(("figures_equal_records", what));
                }
                let wards = crate::model::WARDS;
                let records = wards.iter().map(|w| self.model.count(leaf, day, Some(w))).sum();
                let figure = sum_of(patients.as_ref(), leaf, &units[0]);
                let told = patients.is_some() || records > 0;
                if let Err(what) = invariant_the_truth_is_within_bounds(leaf, day, figure, records)
                    && told
                {
                    return Some(("the_truth_is_within_bounds", what));
                }
            }
        }
        None
    }

    pub(crate) fn figure(&mut self, at: NodeKey, indicator: &str, day: &str) -> Option<FigureView> {
        let indicator = IndicatorId::new(indicator).unwrap();
        let question = Question::Figure { indicator, period: day.parse().unwrap(), area: None };
        match self.ask(at, Role::Operator, question)? {
            Answer::Figure(view) => view.map(|view| *view),
            other => panic!("{other:?}"),
        }
    }

    fn status(&mut self, at: NodeKey) -> Option<Status> {
        match self.ask(at, Role::Operator, Question::Status)? {
            Answer::Status(status) => Some(*status),
            other => panic!("{other:?}"),
        }
    }

    /// For whoever reads the trace: how each node fares.
    fn note_everybody(&mut self) {
        let keys: Vec<NodeKey> = self.places.keys().copied().collect();
        for key in keys {
            let Some(status) = self.status(key) else { return };
            let metrics = self.ask(key, Role::Operator, Question::Metrics);
            let Some(Answer::Metrics(counters)) = metrics else { return };
            let counted: Vec<String> = counters
                .iter()
                .map(|(name, label, count)| format!("{name}.{label}={count}"))
                .collect();
            let peers: Vec<String> = status
                .peers
                .iter()
                .map(|peer| {
                    format!(
                        "{:?}:{:?}:{}",
                        peer.unit.as_ref().map(ToString::to_string),
                        peer.standing,
                        peer.connected
                    )
                })
                .collect();
            let line = format!(
                "{} {}: catalogue {} asked {} unsent {} ahead {:?} refused {:?} peers {peers:?} {}",
                status.unit,
                self.places[&key].label,
                status.catalogue_version,
                status.asked,
                status.unsent,
                status.superior_ledger,
                status.refused,
                counted.join(" ")
            );
            self.trace.note(self.now, &[&key.0], || line);
        }
    }

    /// Nothing is left over, and completeness was earned.
    fn check_rest(&mut self) {
        let honest: Vec<UnitPath> =
            self.plan.units.iter().filter(|unit| self.plan.is_honest(unit)).cloned().collect();
        for unit in honest {
            let at = self.key_of(&unit, REPORTING);
            let Some(status) = self.status(at) else { return };
            let found =
                invariant_queues_are_bounded(status.queued_writes, QUEUED_AT_REST, "writes wait");
            self.violated("queues_are_bounded", found);
            if status.superior_ledger.is_some() {
                let what = format!("{unit} runs on its newest store and is told that it is old");
                self.violated("newest_store_is_known", Err(what));
            }
            let only_leaves_below = self
                .plan
                .units
                .iter()
                .filter(|below| below.is_child_of(&unit))
                .all(|below| self.plan.leaves().any(|leaf| leaf == below));
            if !only_leaves_below {
                continue;
            }
            for day in DAYS {
                let heard = self.heard_by(at, "cases", day.parse().unwrap());
                let heard = u64::try_from(heard).unwrap();
                let Some(view) = self.figure(at, "cases", day) else { continue };
                let found =
                    invariant_completeness_is_earned(view.counts.included(), heard + 1, &unit);
                self.violated("completeness_is_earned", found);
            }
        }
    }
}

/// Time for requests of the time of trouble to end, in virtual milliseconds.
const REQUESTS_END_MS: u64 = 12_000;

/// The sum of a figure's rows about a leaf; nothing known is nothing.
fn sum_of(view: Option<&FigureView>, leaf: &UnitPath, top: &UnitPath) -> Bounds {
    let Some(view) = view else { return Bounds::exact(0) };
    let area = Area { units: leaf.below(top).unwrap().to_vec(), residual: None };
    let mut sum = Bounds::exact(0);
    for (_, cell) in view.table.rows.iter().filter(|(key, _)| key.area == area) {
        sum = sum.checked_add(cell.value).unwrap();
    }
    for (_, hidden) in view.unlisted.iter().filter(|(of, _)| *of == area) {
        sum = sum.checked_add(hidden.each.value.checked_times(hidden.rows).unwrap()).unwrap();
    }
    sum
}
