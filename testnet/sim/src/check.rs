//! After trouble: everything comes right within a bounded time, and is held against the records.

use std::collections::BTreeMap;

use reeve_policy::authz::Role;
use reeve_protocol::effect::NodeKey;
use reeve_protocol::local::{Answer, FigureView, Question, Status};
use reeve_protocol::rows::{self, AdoptionRow, IssuedRow, SentRow};
use reeve_statement::bounds::Bounds;
use reeve_statement::catalogue::RecipientClass;
use reeve_statement::cbor::from_slice;
use reeve_statement::completeness::UnitState;
use reeve_statement::digest::Digest;
use reeve_statement::ledger::{Frontier, leaf_hash};
use reeve_statement::names::IndicatorId;
use reeve_statement::release::Release;
use reeve_statement::statement::{Body, FigureId};
use reeve_statement::table::{Area, RowKey};
use reeve_statement::unit::UnitPath;

use crate::disk::Disk;
use crate::invariants::{
    invariant_acknowledged_records_are_there, invariant_an_older_copy_is_noticed,
    invariant_figures_equal_records, invariant_people_see_what_was_said,
    invariant_queues_are_bounded, invariant_states_follow_the_records,
    invariant_the_last_word_is_held, invariant_the_ledger_is_what_was_shown,
    invariant_the_stricter_rules_bind_again, invariant_the_truth_is_within_bounds,
};
use crate::model::{DAYS, EXPECTED_WITHIN_MS, INDICATORS, PERSONAL, WARDS};
use crate::registry::{DAY_MS, NOON};
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
            // A catalogue may have come only now.
            self.adopt_everything();
            self.settle_calendars();
            let moving = self.finish_moves() || self.is_catalogue_under_way();
            let wrong = self.figures_wrong();
            match wrong {
                None if !moving || self.now >= end => break,
                None => self.run_until(self.now + LOOK_MS),
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
        self.audit_everything();
    }

    /// Each record says at its node what was acknowledged, and each day is as closed as it was.
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
        for (closing, _) in self.model.closings() {
            let Some(closed) = self.is_closed(closing) else { return };
            let right = self.model.settle_closure(closing, closed);
            let what = format!("closure of {} on {}", closing.1, closing.2);
            let found = invariant_acknowledged_records_are_there(right, &what);
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

    /// The first last edition that is not what it must be: a leaf's what its records say, a sum's what
    /// the units below it said last. What each sum makes of that was checked when it was issued.
    pub(crate) fn figures_wrong(&self) -> Option<(&'static str, String)> {
        for unit in self.plan.units.iter().filter(|unit| self.is_sound_up(unit)) {
            let leaf = !self.plan.units.iter().any(|other| other.is_child_of(unit));
            for (indicator, kind) in INDICATORS {
                for day in DAYS {
                    if !self.is_expected(unit, day) {
                        continue;
                    }
                    if let Err(what) = self.relaxed_at_rest(unit, indicator, day) {
                        return Some(("the_stricter_rules_bind_again", what));
                    }
                    let wrong = if leaf {
                        self.leaf_wrong(unit, indicator, kind, day)
                    } else {
                        self.sum_wrong(unit, indicator, day)
                    };
                    if wrong.is_some() {
                        return wrong;
                    }
                }
            }
        }
        None
    }

    /// Whether a figure is still told as under a declaration: all of them are over.
    fn relaxed_at_rest(&self, unit: &UnitPath, indicator: &str, day: &str) -> Result<(), String> {
        let last = self.seen.last_of(unit, &figure_id(indicator, day));
        let release = last.as_ref().and_then(|known| known.release());
        let floor = release.map(|release| release.decision.conditions.floor);
        let declared = self.plan.faults.declarations > 0 && indicator == PERSONAL;
        match floor.filter(|_| declared) {
            Some(floor) => invariant_the_stricter_rules_bind_again(floor, unit, day),
            None => Ok(()),
        }
    }

    fn leaf_wrong(
        &self,
        unit: &UnitPath,
        indicator: &str,
        kind: &str,
        day: &str,
    ) -> Option<(&'static str, String)> {
        let last = self.seen.last_of(unit, &figure_id(indicator, day));
        let closed = self.model.closed_by(unit, kind, day);
        let rows: Vec<(Option<&str>, i64)> = if indicator == PERSONAL {
            WARDS
                .iter()
                .map(|ward| (Some(*ward), self.model.count(unit, day, Some(ward))))
                .collect()
        } else {
            vec![(None, self.model.count(unit, day, None))]
        };
        let records: i64 = rows.iter().map(|(_, count)| count).sum();
        let state = match last.as_ref().map(|known| &known.statement.body) {
            None => None,
            Some(Body::Notice(notice)) => notice.code.state(),
            Some(Body::Release(release)) => release.counts.iter().map(|(state, _)| state).next(),
            Some(_) => None,
        };
        let due: &[Option<UnitState>] = match (closed, records) {
            (closed, _) if closed >= self.sources_needed() => &[Some(UnitState::Reported)],
            (0, 0) if self.is_due(unit, day) => &[None, Some(UnitState::NoReport)],
            (0, 0) => &[None, Some(UnitState::NotDue)],
            // A few persons are not told from none.
            (0, _) if indicator == PERSONAL && self.is_due(unit, day) => {
                &[Some(UnitState::Partial), Some(UnitState::NoReport), None]
            }
            (0, _) if indicator == PERSONAL => {
                &[Some(UnitState::Partial), Some(UnitState::NotDue), None]
            }
            _ => &[Some(UnitState::Partial)],
        };
        let found = invariant_states_follow_the_records(unit, indicator, day, state, due);
        if let Err(what) = found {
            return Some(("states_follow_the_records", what));
        }
        let last = last.filter(|known| known.release().is_some())?;
        for (ward, count) in rows {
            let dims: Vec<String> = ward.map(str::to_owned).into_iter().collect();
            let key = RowKey { area: Area::own(), dims };
            let hidden = last.table.unlisted.get(&key.area).map(|hidden| hidden.each.value);
            let listed = last.table.rows.get(&key).map(|cell| cell.value);
            let told = listed.or(hidden).unwrap_or(Bounds::exact(0));
            if indicator == PERSONAL {
                let found = invariant_the_truth_is_within_bounds(unit, day, told, count);
                if let Err(what) = found {
                    return Some(("the_truth_is_within_bounds", what));
                }
            } else if let Err(what) = invariant_figures_equal_records(unit, day, told, count) {
                return Some(("figures_equal_records", what));
            }
        }
        None
    }

    fn sum_wrong(
        &self,
        unit: &UnitPath,
        indicator: &str,
        day: &str,
    ) -> Option<(&'static str, String)> {
        let id = figure_id(indicator, day);
        let sum = self.seen.last_of(unit, &id);
        let direct = sum.as_ref().map(|known| known.manifest.direct.as_slice()).unwrap_or_default();
        for below in self.plan.units.iter().filter(|below| below.is_child_of(unit)) {
            // What a liar, a stopped or a revoked unit said last is not for its superior to hold.
            if !self.is_sound_up(below) || !self.is_expected(below, day) {
                continue;
            }
            let last = self.seen.last_of(below, &id).map(|known| known.digest);
            let entry = direct.iter().find(|entry| entry.unit == *below.leaf());
            let held = entry.and_then(|entry| entry.statement);
            let (last, held) = (last.map(|it| self.name_of(it)), held.map(|it| self.name_of(it)));
            let found = invariant_the_last_word_is_held(below, &id, last, held);
            if let Err(what) = found {
                return Some(("the_last_word_is_held", what));
            }
            let Some(entry) = entry.filter(|entry| entry.statement.is_none()) else { continue };
            let due = self.silent_state(below, indicator, day);
            let states = [Some(due)];
            let state = Some(entry.state);
            let found = invariant_states_follow_the_records(below, indicator, day, state, &states);
            if let Err(what) = found {
                return Some(("states_follow_the_records", what));
            }
        }
        None
    }

    /// A statement by its term and edition, and its digest.
    fn name_of(&self, digest: Digest) -> String {
        let known = self.seen.known(&digest);
        let edition = known.as_ref().and_then(|known| known.statement.figure());
        match (known, edition) {
            (Some(known), Some((_, edition))) => {
                format!("term {} edition {edition}, {digest}", known.statement.term)
            }
            _ => digest.to_string(),
        }
    }

    /// The state of a unit whose superior holds nothing of a figure.
    fn silent_state(&self, unit: &UnitPath, indicator: &str, day: &str) -> UnitState {
        let held =
            unit.parent().map(|above| self.disks[&self.reporter(&above)].heard_of(unit.leaf()));
        let is_of = |digest: &Digest| {
            let known = self.seen.known(digest)?;
            Some(known.statement.figure()?.0.indicator.as_str() == indicator)
        };
        let ever = held.unwrap_or_default().iter().any(|digest| is_of(digest) == Some(true));
        if !self.is_due(unit, day) {
            return UnitState::NotDue;
        }
        let passed = deadline(indicator, day).is_some_and(|at| at <= NOON + self.now_millis());
        match (passed, ever) {
            (true, true) => UnitState::Late,
            (true, false) => UnitState::NeverReported,
            (false, _) => UnitState::Awaited,
        }
    }

    /// What the top shows its people is what it said last; an edition that is being cut is waited for.
    fn check_view(&mut self) {
        for (indicator, _) in INDICATORS {
            for day in DAYS {
                let end = self.now + RIGHT_WITHIN_MS;
                let mut right = self.is_view_right(indicator, day);
                while !right && self.now < end && self.violation.is_none() {
                    self.run_until(self.now + LOOK_MS);
                    right = self.is_view_right(indicator, day);
                }
                let found = invariant_people_see_what_was_said(right, indicator, day);
                self.violated("people_see_what_was_said", found);
            }
        }
    }

    fn is_view_right(&mut self, indicator: &str, day: &str) -> bool {
        let top = self.plan.units[0].clone();
        let at = self.reporter(&top);
        let view = self.figure(at, indicator, day);
        let last = self.seen.last_of(&top, &figure_id(indicator, day));
        match (&last, &view) {
            // Beside a notice people are shown what would be told, and that it is not.
            (Some(last), Some(view)) => {
                let same =
                    |release: &Release| last.table == view.table && release.counts == view.counts;
                last.digest == view.statement.unwrap_or(Digest::ZERO)
                    && last.release().is_none_or(same)
            }
            (None, _) => true,
            (Some(last), None) => last.release().is_none(),
        }
    }

    /// Each ledger, put together again from what the disk holds, is what was ever shown of it.
    fn check_ledgers(&mut self) {
        let honest: Vec<UnitPath> = self
            .plan
            .units
            .iter()
            .filter(|unit| !self.plan.hostile.contains(unit))
            .cloned()
            .collect();
        for unit in honest {
            if self.stopped.contains(&unit) {
                continue;
            }
            // Of a term that ended with a store put back, what was shown last is on no disk any more.
            let key = self.reporter(&unit);
            let term = self.places[&key].term.unwrap();
            let (ledger, roots) = (self.ledger_of(&unit, term), roots_of(&self.disks[&key], term));
            let found = invariant_the_ledger_is_what_was_shown(&ledger, &roots, &self.seen);
            self.violated("the_ledger_is_what_was_shown", found);
        }
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
        let there = self.places.keys().filter(|key| !self.lost.contains(key));
        for key in there.copied().collect::<Vec<NodeKey>>() {
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
                "{} {}: term {:?} superseded {:?} following {} clock behind {:?} catalogue {} asked {} unsent {} \
                 ahead {:?} refused {:?} peers {peers:?} {}",
                status.unit,
                self.places[&key].label,
                status.term,
                status.superseded_by,
                status.following_home,
                status.clock_behind,
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

    /// Nothing is left over, and whoever runs on an older store knows it.
    fn check_rest(&mut self) {
        self.check_view();
        self.check_ledgers();
        self.check_policies();
        self.check_registers();
        for unit in self.plan.units.clone() {
            let at = self.reporter(&unit);
            let Some(status) = self.status(at) else { return };
            let found =
                invariant_queues_are_bounded(status.queued_writes, QUEUED_AT_REST, "writes wait");
            self.violated("queues_are_bounded", found);
            let above = unit.parent().is_some_and(|above| self.is_sound_up(&above));
            if self.stopped.contains(&unit) && above {
                let found =
                    invariant_an_older_copy_is_noticed(status.superior_ledger.is_some(), &unit);
                self.violated("an_older_copy_is_noticed", found);
            } else if self.is_sound_up(&unit) && status.superior_ledger.is_some() {
                let what = format!("{unit} runs on its newest store and is told that it is old");
                self.violated("newest_store_is_known", Err(what));
            }
        }
    }
}

impl Sim {
    fn now_millis(&self) -> i64 {
        i64::try_from(self.now).unwrap()
    }
}

/// When a figure of a day is expected, wall clock; none: whenever it comes.
fn deadline(indicator: &str, day: &str) -> Option<i64> {
    if indicator == PERSONAL {
        return None;
    }
    // The last of the days ends twelve hours after every run's beginning.
    let days_before = DAYS.iter().rev().position(|other| *other == day)?;
    let ends = NOON - DAY_MS / 2 - i64::try_from(days_before).ok()? * DAY_MS;
    Some(ends + EXPECTED_WITHIN_MS)
}

/// Time for requests of the time of trouble to end, in virtual milliseconds.
const REQUESTS_END_MS: u64 = 12_000;

fn figure_id(indicator: &str, day: &str) -> FigureId {
    FigureId {
        indicator: IndicatorId::new(indicator).unwrap(),
        period: Some(day.parse().unwrap()),
        class: RecipientClass::Superior,
    }
}

/// Entries of a term's ledger that a disk holds, by their place.
pub(crate) fn entries_of(disk: &Disk, term: u64) -> BTreeMap<u64, Digest> {
    let of = |prefix: &[u8]| {
        let prefix = rows::key(prefix, &[&term.to_be_bytes()]);
        let rows = disk.rows.range(prefix.clone()..);
        rows.take_while(move |(key, _)| key.starts_with(&prefix))
    };
    let sent = of(rows::SENT).map(|(_, value)| {
        let row = from_slice::<SentRow>("sent", value, value.len()).unwrap();
        (row.index, row.statement)
    });
    let issued = of(rows::ISSUED).map(|(_, value)| {
        let row = from_slice::<IssuedRow>("issued", value, value.len()).unwrap();
        (row.index, row.entry)
    });
    let adopted = of(rows::ADOPTED).map(|(_, value)| {
        let row = from_slice::<AdoptionRow>("adopted", value, value.len()).unwrap();
        (row.index, row.entry)
    });
    sent.chain(issued).chain(adopted).collect()
}

/// Roots of a term's ledger that a disk holds, by size: from its entries alone.
fn roots_of(disk: &Disk, term: u64) -> BTreeMap<u64, Digest> {
    let mut tree = Frontier::new();
    let mut roots = BTreeMap::from([(0, tree.root())]);
    for entry in entries_of(disk, term).values() {
        tree.append(leaf_hash(entry.as_bytes())).unwrap();
        roots.insert(tree.size(), tree.root());
    }
    roots
}
