//! Classes of recipients, and the windows in which protected figures are told.
//!
//! The superior asks; the other classes are open where the policy permits their figures to whoever is
//! of the class. Each open class has its own editions, which go up like the superior's: a superior adds
//! those of its subordinates to its own, class by class, and answers whoever is of the class.
//!
//! What is protected is told when a window closes. Windows of all figures of a unit close together, at
//! times of the wall clock that differ from unit to unit, so that the time of an edition says nothing of
//! the time at which a record came. At the close every class is worked out at once, the coarser of the
//! finer; that is durable before any of it is told.

use reeve_policy::authz::{Decision, Peer, Permit, Principal, Question, Relation};
use reeve_policy::disclosure::{
    DisclosedTable, DisclosureState, OwnTable, Protection, advance, basis, disclose,
};
use reeve_statement::catalogue::{Floors, Indicator, RecipientClass};
use reeve_statement::cbor::to_vec;
use reeve_statement::digest::Digest;
use reeve_statement::period::Period;
use reeve_statement::statement::FigureId;
use reeve_statement::table::Table;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::{UnitId, UnitPath};

use crate::bugs::Bug;
use crate::node::{CLOCK_BACK_MS, Node};
use crate::report::Open;
use crate::report::cut::{Look, Outcome, disclose_label, is_superior};
use crate::rows;

/// Who stands for everybody of a class where nobody in particular asks: no unit has this name.
const ANYBODY: &str = "anybody-of-this-class";

impl Node {
    /// Decides for a class of recipients as such: for the superior that asked, or for whoever is of the
    /// class. What holds for some of them only opens no class. What was asked is given with the answer.
    pub(super) fn decide_for(
        &self,
        class: RecipientClass,
        indicator: &Indicator,
        period: Option<Period>,
    ) -> (Question, Decision) {
        let question = self.question(indicator, period);
        let decided = |question: Question| {
            let decision = self.policy.decide(&question);
            (question, decision)
        };
        let relations: &[Relation] = match class {
            RecipientClass::Superior => return decided(question),
            RecipientClass::Neighbour => &[Relation::Neighbour, Relation::Subordinate],
            RecipientClass::Public => &[Relation::Other],
        };
        let mut decisions = relations
            .iter()
            .filter_map(|relation| self.anybody(*relation, question.clone()))
            .map(decided)
            .collect::<Vec<_>>()
            .into_iter();
        let permitted = decisions.clone().find(|(_, decision)| decision.permit().is_some());
        let declined = decisions.next_back();
        permitted.or(declined).unwrap_or_else(|| decided(question))
    }

    /// The same question by somebody who stands for all of a relation; none: there are none.
    fn anybody(&self, relation: Relation, question: Question) -> Option<Question> {
        let anybody = UnitId::new(ANYBODY).ok()?;
        let path = match relation {
            Relation::Neighbour => self.settings.unit.parent()?.child(anybody).ok()?,
            Relation::Subordinate => self.settings.unit.child(anybody).ok()?,
            _ => UnitPath::root(anybody),
        };
        let mut question = question;
        question.principal = Principal::Unit(Peer { path, relation, auditor: false });
        if question.circumstances.purpose.is_empty() {
            question.circumstances.purpose.clone_from(&self.settings.purpose.purpose);
        }
        Some(question)
    }

    /// The classes beside the superior that the policy opens an indicator to.
    fn open_classes(&mut self, indicator: &Indicator) -> Vec<RecipientClass> {
        let others = [RecipientClass::Neighbour, RecipientClass::Public];
        if others.iter().all(|class| indicator.floors.of(*class) == Floors::NEVER) {
            return Vec::new();
        }
        let asked = self.reports.subscription.as_ref().map(|asked| asked.digest);
        let under = (self.policy.hash(), self.response().0, asked);
        let Some(definition) = self.reports.definitions.get(&indicator.id).copied() else {
            return Vec::new();
        };
        if let Some(open) = self.reports.open.get(&definition).filter(|open| open.under == under) {
            return open.classes.clone();
        }
        let is_open = |class: &RecipientClass| {
            indicator.floors.of(*class) != Floors::NEVER
                && self.decide_for(*class, indicator, None).1.permit().is_some()
        };
        let classes: Vec<RecipientClass> = others.into_iter().filter(is_open).collect();
        let open = Open { under, classes: classes.clone() };
        self.reports.open.insert(definition, open);
        classes
    }

    /// Whether anybody may wait for a figure. With the superior's those of the other classes are looked
    /// at.
    pub(super) fn is_for_somebody(&mut self, id: &FigureId) -> bool {
        let indicator = self.reports.catalogue.as_ref().and_then(|(_, it)| it.find(&id.indicator));
        let others = [RecipientClass::Neighbour, RecipientClass::Public];
        let told =
            |it: &&Indicator| others.iter().any(|class| it.floors.of(*class) != Floors::NEVER);
        let Some(indicator) = indicator.filter(told).cloned() else {
            return is_superior(id) || self.reports.figures.contains_key(id);
        };
        let open = self.open_classes(&indicator);
        if !is_superior(id) {
            return open.contains(&id.class) || self.reports.figures.contains_key(id);
        }
        let told = |class: &RecipientClass| {
            let id = FigureId { class: *class, ..id.clone() };
            open.contains(class) || self.reports.figures.contains_key(&id)
        };
        // While a window is open they are looked at when it closes.
        let now = self.context.now().monotonic;
        let closes = self.closes(id).unwrap_or(now);
        for class in others.into_iter().filter(told).collect::<Vec<_>>() {
            let id = FigureId { class, ..id.clone() };
            if let Some(row) = self.reports.figures.get_mut(&id) {
                row.dirty = true;
            }
            self.context.wake_at(self.reports.due.mark_later(id, closes));
        }
        true
    }

    /// When the window of a figure closes, monotonic; none: none is open.
    fn closes(&self, id: &FigureId) -> Option<u64> {
        let figure = (id.indicator.clone(), id.period?);
        let now = self.context.now().monotonic;
        self.reports.windows.get(&figure).copied().filter(|closes| now < *closes)
    }

    /// What the policy permits each class of a figure.
    fn permits(&self, indicator: &Indicator, period: Period) -> Vec<Permit> {
        let of = |class| self.decide_for(class, indicator, Some(period)).1.permit().cloned();
        let told = |class: &RecipientClass| indicator.floors.of(*class) != Floors::NEVER;
        RecipientClass::ALL.into_iter().filter(told).filter_map(of).collect()
    }

    /// The own table as the permit's class may see it.
    pub(super) fn disclosed(
        &self,
        permit: &Permit,
        indicator: &Indicator,
        period: Period,
        own: &Table,
        state: &DisclosureState,
        look: Look,
    ) -> Result<DisclosedTable, Outcome> {
        let failed = |error| Outcome::Failed(disclose_label(&error));
        let areas = self.own_areas(indicator);
        let own = OwnTable { table: own, areas: &areas, combinations: None };
        let protection = Protection::of(permit, indicator, period, state).map_err(failed)?;
        if protection.step <= 1 {
            return disclose(permit, indicator, period, &own, state).map_err(failed);
        }
        let permits = self.permits(indicator, period);
        let permits: Vec<&Permit> = permits.iter().collect();
        let steps = state.steps();
        let news = || !steps.is_some_and(|it| it.is_of(basis(&permits, indicator, &own, state)));
        if look == Look::Cut && news() {
            return Err(Outcome::Changed(permit.window_seconds()));
        }
        let told = steps.and_then(|it| it.disclosed(permit, indicator, period, state).ok());
        let class = protection.class;
        let id = FigureId { indicator: indicator.id.clone(), period: Some(period), class };
        let closed = self.closes(&id).is_none();
        match told {
            Some(told) => Ok(told),
            None if look == Look::View && closed => {
                disclose(permit, indicator, period, &own, state).map_err(failed)
            }
            None => Err(Outcome::Nothing),
        }
    }

    /// The own table has changed. It is told when the window closes; meanwhile a sum goes on with what it
    /// was told as before.
    pub(super) fn in_window(&mut self, id: &FigureId, seconds: u32) -> Outcome {
        let Some(period) = id.period else { return Outcome::Nothing };
        let figure = (id.indicator.clone(), period);
        let now = self.context.now().monotonic;
        let held = self.reports.windows.get(&figure).copied();
        // It is too late for a window that nothing was told of when it closed.
        let last = |closes: &u64| closes.saturating_add(u64::from(seconds.max(1)) * 1_000);
        let held = held.filter(|closes| {
            now < *closes || (now < last(closes) && !self.is_told_in_window(id, seconds))
        });
        let closes = held.unwrap_or_else(|| now.saturating_add(self.until_close(id, seconds)));
        if now < closes {
            self.reports.windows.insert(figure, closes);
            self.context.wake_at(self.reports.due.mark_later(id.clone(), closes));
            return self.consented(id, Look::Told);
        }
        self.reports.windows.remove(&figure);
        match self.close_window(id, period) {
            Ok(()) => self.consented(id, Look::Told),
            Err(outcome) => outcome,
        }
    }

    /// Milliseconds until the open window closes.
    fn until_close(&self, id: &FigureId, seconds: u32) -> u64 {
        if self.settings.bugs.has(Bug::TellAtOnce) {
            return 0;
        }
        let now = self.context.now().wall;
        // What was told last may carry a later time, of a node of this home that reported before and
        // whose clock is ahead: its window is this one's too.
        let told = RecipientClass::ALL.into_iter().filter_map(|class| {
            let row = self.reports.figures.get(&FigureId { class, ..id.clone() })?;
            Some(row.issued_at).filter(|at| at.since(now) <= CLOCK_BACK_MS)
        });
        let from = told.fold(now, Timestamp::max);
        let length = i64::from(seconds.max(1)).saturating_mul(1_000);
        let left = length.saturating_sub(self.elapsed_in_window(from, seconds));
        u64::try_from(left.saturating_add(from.since(now))).unwrap_or(0)
    }

    /// Milliseconds from the beginning of a moment's window: each unit's begin at other times.
    fn elapsed_in_window(&self, moment: Timestamp, seconds: u32) -> i64 {
        let length = i64::from(seconds.max(1)).saturating_mul(1_000);
        let unit = Digest::of(self.settings.unit.to_string().as_bytes());
        let [first, second, third, ..] = *unit.as_bytes();
        let phase = i64::from(u32::from_be_bytes([0, first, second, third]));
        moment.as_millis().saturating_sub(phase).rem_euclid(length)
    }

    /// Whether the own table was told to a class whose steps are protected since the present window began: once
    /// in a window is what there is to be told.
    fn is_told_in_window(&self, id: &FigureId, seconds: u32) -> bool {
        let now = self.context.now().wall;
        let began = now.plus_millis(-self.elapsed_in_window(now, seconds));
        RecipientClass::ALL.into_iter().any(|class| {
            let row = self.reports.figures.get(&FigureId { class, ..id.clone() });
            row.filter(|row| row.issued_at >= began)
                .and_then(|row| row.release())
                .is_some_and(|release| release.decision.conditions.min_step > 1)
        })
    }

    /// Works out what every class may be told from now on, and makes it durable.
    fn close_window(&mut self, id: &FigureId, period: Period) -> Result<(), Outcome> {
        let indicator = self.reports.catalogue.as_ref().and_then(|(_, it)| it.find(&id.indicator));
        let indicator = indicator.map(|it| self.as_disclosed(it).into_owned());
        let indicator = indicator.ok_or(Outcome::Nothing)?;
        let own = match self.own_figure(&indicator, period) {
            Some(Ok(own)) => own,
            Some(Err(label)) => return Err(Outcome::Failed(label)),
            None => return Err(Outcome::Nothing),
        };
        let permits = self.permits(&indicator, period);
        let mut state = self.disclosure_state(&indicator, period);
        self.remember_exact(id, &permits, &mut state);
        let areas = self.own_areas(&indicator);
        let own = OwnTable { table: &own.table, areas: &areas, combinations: None };
        let permits: Vec<&Permit> = permits.iter().collect();
        let steps = advance(&permits, &indicator, &own, &state, self.settings.bugs.lapses())
            .map_err(|error| Outcome::Failed(disclose_label(&error)))?;
        state.take_steps(steps);
        self.context.persist(rows::disclosure(id), Some(to_vec(&state)));
        self.context.counters.count("windows", "closed");
        self.reports.disclosure.insert((indicator.id.clone(), period), state);
        Ok(())
    }

    /// What was told of a figure; fresh if nothing was.
    fn disclosure_state(&self, indicator: &Indicator, period: Period) -> DisclosureState {
        let told = self.reports.disclosure.get(&(indicator.id.clone(), period));
        let forgets = self.settings.bugs.has(Bug::ForgetTold);
        let fresh = || DisclosureState::new(indicator.id.clone(), period);
        told.filter(|_| !forgets).cloned().unwrap_or_else(fresh)
    }

    /// What was told exactly while no floor applied is not forgotten when one does.
    fn remember_exact(&self, id: &FigureId, permits: &[Permit], state: &mut DisclosureState) {
        for class in permits.iter().filter_map(Permit::class) {
            let figure = FigureId { class, ..id.clone() };
            let release = self.reports.figures.get(&figure).and_then(|row| row.release());
            let Some(release) = release.filter(|it| it.decision.conditions.min_step <= 1) else {
                continue;
            };
            let own = match &release.own {
                Some(own) => own.inline(),
                None => release.table.inline(),
            };
            if let Some(own) = own {
                state.remember_exact(class, own);
            }
        }
    }
}
