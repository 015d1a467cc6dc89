//! Cutting: from a dirty figure to a signed edition, by way of the policy.
//!
//! The order is fixed: decide, compute, disclose, add, compare with the last edition, number, sign,
//! enter into the ledger, persist. Only [`reeve_policy::disclosure`] makes what is signed here.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reeve_crdt::indicator::{Engine, FigureError, OwnFigure};
use reeve_policy::authz::{
    Action, Circumstances, Decision, Peer, Permit, Principal, Question, Refusal, Relation, Resource,
};
use reeve_policy::disclosure::{
    DisclosedTable, DisclosureState, Edition, Figure, Input, OwnPart, Released, Standing as Said,
    Subordinate, commitment, roll_up,
};
use reeve_statement::catalogue::{Floors, Indicator};
use reeve_statement::cbor::to_vec;
use reeve_statement::chunk::Part;
use reeve_statement::completeness::{Counts, Manifest, UnitState};
use reeve_statement::digest::Digest;
use reeve_statement::names::IndicatorId;
use reeve_statement::notice::{Notice, NoticeCode};
use reeve_statement::period::Period;
use reeve_statement::register::RegisterEntry;
use reeve_statement::release::Release;
use reeve_statement::statement::{Audience, Body, FigureId, Onward};
use reeve_statement::table::{Area, Table};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::{UnitId, UnitPath};

use crate::bugs::Bug;
use crate::node::Node;
use crate::report::revise::{OwnPart as Own, is_closed, is_withdrawn};
use crate::report::{CUTS_PER_CALL, FRESH_STATEMENTS, Heard, Reports};
use crate::rows::{self, FigureRow, HeardRow, Told};

/// Domain of the digest from which salts are made; see [`Node::salt`].
const SALT_DOMAIN: &[u8] = b"reeve-salt/1\0";

/// What a figure is computed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// To be cut: where figures are told in windows, not while one is open.
    Cut,
    /// To be cut of what the own table may be told as since a window closed last.
    Told,
    /// To be shown to people of this house.
    View,
}

/// What came of deciding and computing a figure.
pub(super) enum Outcome {
    /// A figure, and the permit it was made for.
    Figure { permit: Box<Permit>, figure: Box<Figure>, own: Option<Own>, asked: Box<Question> },
    /// Policy declines what was asked.
    Declined(Box<Refusal>, Box<Question>),
    /// The home has not adopted the indicator.
    NotAdopted,
    /// There is nothing to tell yet.
    Nothing,
    /// The own sources have not reported, or need not by the calendar.
    Silent(NoticeCode),
    /// The own table changed since a window closed last; windows are so long, in seconds.
    Changed(u32),
    /// It cannot be computed; counted and shown, never papered over.
    Failed(&'static str),
}

impl Node {
    /// A figure may have changed: it is looked at as soon as its last cut lets it.
    pub(crate) fn mark_due(&mut self, id: FigureId) {
        if let Some(row) = self.reports.figures.get_mut(&id) {
            row.dirty = true;
        }
        let at = self.reports.due.mark(id, self.context.now().monotonic);
        self.context.wake_at(at);
    }

    pub(crate) fn mark_touched(&mut self, touched: Vec<(IndicatorId, Period)>) {
        let class = Reports::class();
        for (indicator, period) in touched {
            self.mark_due(FigureId { indicator, period: Some(period), class });
        }
    }

    /// Every figure that data is known for is looked at: a request or a catalogue came.
    pub(crate) fn mark_everything_due(&mut self) {
        let Some((_, catalogue)) = &self.reports.catalogue else { return };
        let class = Reports::class();
        let mut ids: BTreeSet<FigureId> = self.reports.figures.keys().cloned().collect();
        ids.extend(self.reports.heard.keys().cloned());
        for indicator in &catalogue.indicators {
            let periods = self.home.engine.as_ref().map(|engine| engine.periods(&indicator.id));
            for period in periods.unwrap_or_default() {
                let id = FigureId { indicator: indicator.id.clone(), period: Some(period), class };
                ids.insert(id);
            }
        }
        for id in ids.into_iter().filter(|id| id.period.is_some()) {
            self.mark_due(id);
        }
    }

    /// After a restart: figures that were dirty, and those whose inputs are newer than they are.
    pub(crate) fn mark_unfinished_due(&mut self) {
        self.mark_everything_due();
        self.note_in_force();
        self.send_what_is_missing();
    }

    /// Cuts figures that are due, a bounded number per call.
    pub(crate) fn cut_due(&mut self) {
        if self.is_clock_behind() || self.short {
            // Nothing can be signed or kept; figures keep their marks until it can.
            return;
        }
        let now = self.context.now().monotonic;
        let mut waiting = Vec::new();
        let mut cuts = 0;
        while cuts < CUTS_PER_CALL
            && let Some(id) = self.reports.due.pop(now)
        {
            // A request, a catalogue, the end of a rebuild or of the import makes it due again.
            if !self.is_reporting() || self.home.rebuilding > 0 || self.is_held(&id) {
                continue;
            }
            if self.may_cut(&id) {
                cuts += 1;
                self.cut(&id);
            } else {
                // It stays dirty; the answer to the delivery under way makes it due again.
                waiting.push(id);
            }
        }
        for id in waiting {
            if let Some(row) = self.reports.figures.get_mut(&id) {
                row.dirty = true;
            }
        }
        if let Some(at) = self.reports.due.next() {
            self.context.wake_at(at.max(now));
        }
    }

    /// Whether this node cuts figures: it may sign, follows no older catalogue than it did, and has
    /// somebody to tell or is the top.
    fn is_reporting(&self) -> bool {
        let top = self.settings.unit.depth() == 1;
        let told = top || self.reports.subscription.is_some();
        self.may_sign() && told && self.catalogue_version() >= self.reports.followed
    }

    /// Whether a running import touched the figure: it is cut when the import ends.
    fn is_held(&self, id: &FigureId) -> bool {
        let Some(period) = id.period else { return false };
        let figure = (id.indicator.clone(), period);
        self.reports.held.values().any(|held| held.contains(&figure))
    }

    /// The request that a figure answers.
    fn request_of(&self, id: &FigureId) -> Option<Digest> {
        self.reports.subscription.as_ref().filter(|_| is_superior(id)).map(|asked| asked.digest)
    }

    /// To whom figures go: the superior that asked; at the top, the unit itself.
    pub(crate) fn recipient(&self) -> UnitPath {
        self.settings.unit.parent().unwrap_or_else(|| self.settings.unit.clone())
    }

    fn cut(&mut self, id: &FigureId) {
        self.reports.due.note_look(id, self.context.now().monotonic);
        if !self.is_for_somebody(id) {
            return;
        }
        let outcome = match self.consented(id, Look::Cut) {
            Outcome::Changed(seconds) => self.in_window(id, seconds),
            outcome => outcome,
        };
        match outcome {
            Outcome::Figure { permit, figure, own, asked } => {
                if let Some(at) = own.as_ref().and_then(|own| own.silent_at) {
                    self.reports.deadlines.insert((at, id.clone()));
                }
                self.cut_release(id, (&permit, &asked), *figure, own.as_ref());
            }
            Outcome::Declined(refusal, asked) => {
                let decided = Some((refusal.decision(), &*asked));
                self.cut_notice(id, NoticeCode::Declined, decided);
            }
            Outcome::NotAdopted => self.cut_notice(id, NoticeCode::NotAdopted, None),
            Outcome::Silent(code) => self.cut_notice(id, code, None),
            Outcome::Nothing | Outcome::Changed(_) => {}
            Outcome::Failed(label) => self.context.counters.count("figures_failed", label),
        }
        if let Some(row) = self.reports.figures.get_mut(id) {
            row.dirty = false;
        }
    }

    /// What is to be said of a figure, if the home adopted its indicator.
    pub(super) fn consented(&self, id: &FigureId, look: Look) -> Outcome {
        let indicator = self.reports.catalogue.as_ref().and_then(|(_, it)| it.find(&id.indicator));
        let fits = |it: &&Indicator| id.period.is_some_and(|period| period.step() == it.step);
        match indicator.filter(fits) {
            // What the superior did not ask for belongs to another one, or to nobody above.
            Some(_)
                if id.class == Reports::class()
                    && id.period.is_some_and(|period| !self.is_asked_for(period)) =>
            {
                Outcome::Nothing
            }
            Some(indicator) if !self.is_adopted(indicator) && self.stands(id, indicator) => {
                Outcome::Nothing
            }
            Some(indicator) if !self.is_adopted(indicator) => Outcome::NotAdopted,
            _ => self.outcome(id, look),
        }
    }

    /// Decides, computes, discloses and adds; changes nothing, and does not ask whether the home adopted
    /// the indicator.
    fn outcome(&self, id: &FigureId, look: Look) -> Outcome {
        let (Some((_, catalogue)), Some(period)) = (&self.reports.catalogue, id.period) else {
            return Outcome::Nothing;
        };
        let Some(indicator) = catalogue.find(&id.indicator) else { return Outcome::Nothing };
        if indicator.step != period.step() {
            // A period of an earlier definition.
            return Outcome::Nothing;
        }
        let indicator: &Indicator = &self.as_disclosed(indicator);
        match self.decide_for(id.class, indicator, Some(period)) {
            (asked, Decision::Permit(permit)) => {
                self.compute(indicator, period, (permit, asked), id, look)
            }
            // Of a class that was never told anything nobody waits for a word.
            (_, Decision::Decline(_))
                if !is_superior(id) && !self.reports.figures.contains_key(id) =>
            {
                Outcome::Nothing
            }
            (asked, Decision::Decline(refusal)) => {
                Outcome::Declined(Box::new(refusal), Box::new(asked))
            }
        }
    }

    /// The figure as it would be released now, if its indicator is adopted; none if nothing would be.
    pub(crate) fn compute_figure(&self, id: &FigureId) -> Option<Figure> {
        match self.outcome(id, Look::View) {
            Outcome::Figure { figure, .. } => Some(*figure),
            _ => None,
        }
    }

    pub(super) fn question(&self, indicator: &Indicator, period: Option<Period>) -> Question {
        let request = self.reports.subscription.as_ref().map(|asked| &asked.request);
        let from = self.reports.subscription.as_ref().map(|asked| asked.from.clone());
        let top = self.settings.unit.depth() == 1;
        // What is declared, never what the asker says to be in force.
        let (response_level, declarations) = self.response();
        Question {
            principal: Principal::Unit(Peer {
                path: from.filter(|_| !top).unwrap_or_else(|| self.recipient()),
                relation: Relation::Superior,
                auditor: false,
            }),
            action: if request.is_some_and(|request| !request.subscribe) {
                Action::Pull
            } else {
                Action::Subscribe
            },
            resource: Resource::Indicator(Box::new(indicator.clone())),
            circumstances: Circumstances {
                purpose: request.map(|r| r.purpose.clone()).unwrap_or_default(),
                legal_basis: request.map(|r| r.legal_basis.clone()).filter(|b| !b.is_empty()),
                period,
                area: None,
                own: false,
                response_level,
                declarations,
                adoption: self.adoption_of(indicator),
            },
        }
    }

    fn compute(
        &self,
        indicator: &Indicator,
        period: Period,
        (permit, asked): (Permit, Question),
        id: &FigureId,
        look: Look,
    ) -> Outcome {
        let key = (indicator.id.clone(), period);
        let fresh = DisclosureState::new(indicator.id.clone(), period);
        let forgets = self.settings.bugs.has(Bug::ForgetTold);
        let told = self.reports.disclosure.get(&key).filter(|_| !forgets);
        let state = told.unwrap_or(&fresh);
        let expected = self.expected(period);
        let own = self.own_figure(indicator, period);
        let leaf = expected.is_empty() && !self.only_adds(indicator, period);
        let now = self.context.now().wall;
        let silent = match self.is_due(indicator, period) {
            true => Outcome::Silent(NoticeCode::NoReport),
            false => Outcome::Silent(NoticeCode::NotDue),
        };
        let disclosed = match &own {
            None if leaf && self.is_silent(indicator, period, id) => return silent,
            None if leaf => return Outcome::Nothing,
            None => None,
            Some(Err(label)) => return Outcome::Failed(label),
            Some(Ok(own)) if leaf && is_withdrawn(own, now) => {
                return Outcome::Silent(NoticeCode::Withdrawn);
            }
            Some(Ok(own)) if own.table.rows.is_empty() && !is_closed(own, now) && leaf => {
                return silent;
            }
            Some(Ok(own)) => {
                match self.disclosed(&permit, indicator, period, &own.table, state, look) {
                    Ok(disclosed) => Some((disclosed, own)),
                    Err(outcome) => return outcome,
                }
            }
        };
        // That there are a few persons at all would tell them from none: where no row is told and nobody
        // says that the period is complete, there is no report.
        let tells_nobody = |(table, own): &(DisclosedTable, &OwnFigure)| {
            let hides = table.protection().step > 1 && !indicator.presence_told;
            hides && table.table().rows.is_empty() && !is_closed(own, now)
        };
        if leaf && disclosed.as_ref().is_some_and(tells_nobody) {
            return silent;
        }
        let part = match &disclosed {
            None => OwnPart::None,
            Some((table, own)) => OwnPart::Table {
                table,
                sources: self.own_sources(own, period),
                touched: own.touched.map(|at| at_window(at, permit.window_seconds())),
            },
        };
        let rolled = self.add(&permit, indicator, period, part, &expected, state, id);
        let unprotected = disclosed.map(|(_, own)| Own::of(own, now));
        match rolled {
            Ok(figure)
                if figure.counts().included() == 0
                    && own.is_none()
                    && !self.told(id)
                    && !self.is_overdue(indicator, period) =>
            {
                Outcome::Nothing
            }
            Ok(figure) => {
                let (permit, figure) = (Box::new(permit), Box::new(figure));
                Outcome::Figure { permit, figure, own: unprotected, asked: Box::new(asked) }
            }
            Err(label) => Outcome::Failed(label),
        }
    }

    /// Whether this unit had subordinates, and no source of its own ever said anything of what the
    /// indicator counts: where all of them have left it has nothing to report, and says that they left.
    fn only_adds(&self, indicator: &Indicator, period: Period) -> bool {
        let keeps = |engine: &Engine| {
            let own = engine.table(&indicator.id, period, self.today());
            let sources = own.map_or(1, |own| own.sources_expected.unwrap_or(own.sources_known));
            sources > 0 || !engine.periods(&indicator.id).is_empty()
        };
        self.was_superior(period) && !self.home.engine.as_ref().is_some_and(keeps)
    }

    /// Whether anything was ever said or heard of a figure.
    pub(super) fn told(&self, id: &FigureId) -> bool {
        self.reports.figures.contains_key(id) || self.reports.heard.contains_key(id)
    }

    /// Whether this node keeps what the indicator counts, has nothing of the period, and must say so:
    /// because it is overdue, or because it told something of it before.
    fn is_silent(&self, indicator: &Indicator, period: Period, id: &FigureId) -> bool {
        let schema = self.home.schema.as_ref().filter(|_| self.home.engine.is_some());
        schema.is_some_and(|schema| schema.kind(indicator.kind.as_str()).is_some())
            && (self.is_overdue(indicator, period) || self.reports.figures.contains_key(id))
    }

    #[expect(clippy::too_many_arguments, reason = "everything that a sum is made of")]
    fn add(
        &self,
        permit: &Permit,
        indicator: &Indicator,
        period: Period,
        own: OwnPart<'_>,
        expected: &[&RegisterEntry],
        state: &DisclosureState,
        id: &FigureId,
    ) -> Result<Figure, &'static str> {
        let said = self.reports.heard.get(id);
        let every = FigureId { period: None, ..id.clone() };
        let said_of_all = self.reports.heard.get(&every);
        let inputs: BTreeMap<_, _> = expected
            .iter()
            .filter_map(|entry| {
                let row = said.and_then(|units| units.get(&entry.unit));
                let all = said_of_all.and_then(|units| units.get(&entry.unit));
                Some((&entry.unit, newest(row, all)?))
            })
            .collect();
        let pretended: BTreeMap<_, _> = expected
            .iter()
            .filter_map(|entry| {
                let heard = inputs.get(&entry.unit).map(|heard| &heard.row);
                Some((&entry.unit, self.pretended(id, &entry.unit, heard)?))
            })
            .collect();
        let mut subordinates: Vec<Subordinate<'_>> = expected
            .iter()
            .map(|entry| {
                let standing = match inputs.get(&entry.unit) {
                    _ if pretended.contains_key(&entry.unit) => pretended
                        .get(&entry.unit)
                        .map_or(Said::Nothing(UnitState::Late), Said::Figure),
                    Some(Heard { input: Some(_), row, .. })
                        if self.is_too_old(indicator, period, row) =>
                    {
                        Said::Nothing(self.lost_state(&entry.unit))
                    }
                    Some(Heard { input: Some(input), .. }) => Said::Figure(input),
                    Some(heard) => notice_of(&heard.row),
                    None => self.silent_of_class(entry, indicator, id, period),
                };
                Subordinate {
                    unit: &entry.unit,
                    standing,
                    possible: possible(entry, indicator),
                    stands_for: 1,
                }
            })
            .collect();
        if self.settings.bugs.has(Bug::LeaveOneOut) {
            subordinates.pop();
        }
        let left = self.left(period);
        subordinates.extend(left.iter().map(|entry| Subordinate {
            unit: &entry.unit,
            standing: Said::Left,
            possible: None,
            stands_for: 1,
        }));
        let issuer = &self.settings.unit;
        roll_up(permit, indicator, period, issuer, own, &subordinates, state)
            .map_err(|error| roll_up_label(&error))
    }

    /// A deliberate fault: a figure of zero for a unit that gave none, made of what another one gave.
    /// None where the node does not have the fault.
    fn pretended(&self, id: &FigureId, unit: &UnitId, heard: Option<&HeardRow>) -> Option<Input> {
        let notice = heard.is_some_and(|row| matches!(row.said.body, Body::Notice(_)));
        let faults = self.settings.bugs;
        let silence = heard.is_none() && faults.has(Bug::SilenceIsZero);
        let pretends = silence || (notice && faults.has(Bug::NoticeIsZero));
        if !pretends {
            return None;
        }
        let others = self.reports.heard.get(id)?.values();
        let template = others
            .map(|heard| &heard.row.said)
            .find(|said| matches!(said.body, Body::Release(_)))?;
        let mut said = template.clone();
        said.issuer = self.settings.unit.child(unit.clone()).ok()?;
        if let Body::Release(release) = &mut said.body {
            release.table = Part::Inline(Table::default());
            release.counts = Counts::one(UnitState::Reported);
            release.manifest = Part::Inline(Manifest::default());
        }
        Input::of_kept(&said, heard.map_or(Digest::ZERO, |row| row.statement)).ok()
    }

    /// The definition as it is decided by and disclosed under.
    pub(super) fn as_disclosed<'a>(&self, indicator: &'a Indicator) -> Cow<'a, Indicator> {
        let superior = indicator.floors.superior;
        let all = Floors { superior, neighbour: superior, public: superior };
        if self.settings.bugs.has(Bug::TellAllTheSame) && indicator.personal {
            return Cow::Owned(Indicator { floors: all, ..indicator.clone() });
        }
        if !self.settings.bugs.has(Bug::ForgetFloor) {
            return Cow::Borrowed(indicator);
        }
        let mut bare = indicator.clone();
        bare.personal = false;
        bare.floors = Floors { superior: 1, neighbour: 1, public: 1 };
        Cow::Owned(bare)
    }

    /// The own unprotected figure; none if this node has no records or closures for it.
    pub(crate) fn own_figure(
        &self,
        indicator: &Indicator,
        period: Period,
    ) -> Option<Result<OwnFigure, &'static str>> {
        let engine = self.home.engine.as_ref()?;
        match engine.table(&indicator.id, period, self.today()) {
            Ok(own)
                if own.table.rows.is_empty()
                    && !own.closed
                    && !engine.periods(&indicator.id).contains(&period) =>
            {
                None
            }
            Ok(own) => Some(Ok(own)),
            Err(FigureError::Sealed { .. }) => None,
            Err(_) => Some(Err("own_table")),
        }
    }

    /// Every area that this unit's own rows may have: itself, and the residuals of the definition.
    pub(super) fn own_areas(&self, indicator: &Indicator) -> BTreeSet<Area> {
        let field = indicator.residual.as_ref().and_then(|residual| {
            let kind = self.home.schema.as_ref()?.kind(indicator.kind.as_str())?;
            kind.field(residual.as_str())?.field_type.domain()
        });
        let residual = |value: &Arc<str>| {
            Some(Area { units: Vec::new(), residual: Some(UnitId::new(value).ok()?) })
        };
        let mut areas: BTreeSet<Area> = field.into_iter().flatten().filter_map(residual).collect();
        areas.insert(Area::own());
        areas
    }

    fn cut_release(
        &mut self,
        id: &FigureId,
        (permit, asked): (&Permit, &Question),
        figure: Figure,
        own: Option<&Own>,
    ) {
        let content = self.content_of(id, &figure);
        let last = self.reports.figures.get(id);
        if last.is_some_and(|row| row.content == content) {
            return self.note_deadline(id, &figure);
        }
        let (number, previous) = next_edition(last);
        let reused = self.settings.bugs.has(Bug::ReuseEdition) && number > 1;
        let number = number.saturating_sub(u64::from(reused));
        let stated = own.and_then(|own| own.stated);
        let reason = last.map(|last| self.revision_reason(id, last, &figure, stated));
        let asked = self.keep_asked(id, asked);
        let edition = Edition {
            asked,
            edition: number,
            previous,
            reason,
            request: self.request_of(id),
            commitment: own.map(|own| commitment(&self.salt(id, number), &own.table)),
            register: self.reports.register.as_ref().map(|(digest, _)| *digest),
            catalogue_version: self.catalogue_version(),
        };
        self.note_deadline(id, &figure);
        let told = self.told_by(id, figure.table(), figure.counts(), figure.manifest());
        let Ok(released) = Released::new(permit, figure, edition) else {
            return self.context.counters.count("figures_failed", "release");
        };
        if !self.record_disclosure(id, &released) {
            return self.context.counters.count("figures_failed", "disclosure_state");
        }
        let onward = released.onward();
        let (body, chunks) = released.into_body();
        for chunk in chunks {
            self.context.persist(rows::chunk(&Digest::of(&chunk)), Some(chunk));
        }
        self.issue_edition(id, number, content, onward, body, told);
        if let (Some((at, _)), Some(row)) = (stated, self.reports.figures.get_mut(id)) {
            row.stated = Some(at);
            let value = to_vec(row);
            self.context.persist(rows::figure(id), Some(value));
        }
    }

    fn cut_notice(
        &mut self,
        id: &FigureId,
        code: NoticeCode,
        decided: Option<(reeve_statement::release::Decision, &Question)>,
    ) {
        let last = self.reports.figures.get(id);
        let definition = self.reports.definitions.get(&id.indicator).copied();
        let content = notice_content(code, decided.as_ref().map(|(it, _)| it), definition);
        if last.is_some_and(|row| row.content == content) {
            return;
        }
        let (number, previous) = next_edition(last);
        let decision = decided.map(|(decision, question)| {
            let asked = self.keep_asked(id, question);
            reeve_statement::release::Decision { asked, ..decision }
        });
        let notice = Notice {
            class: id.class,
            indicator: id.indicator.clone(),
            definition,
            period: id.period,
            edition: number,
            previous,
            code,
            request: self.request_of(id),
            decision,
        };
        self.issue_edition(id, number, content, Onward::Aggregate, Body::Notice(notice), None);
    }

    /// Signs an edition and makes it the figure's last one.
    fn issue_edition(
        &mut self,
        id: &FigureId,
        number: u64,
        content: Digest,
        onward: Onward,
        body: Body,
        told: Option<Told>,
    ) {
        let decision = match &body {
            Body::Release(release) => Some(release.decision.clone()),
            Body::Notice(notice) => notice.decision.clone(),
            _ => None,
        };
        let audience = if is_superior(id) {
            Audience::Unit(self.recipient())
        } else {
            Audience::Class(id.class)
        };
        let kept = body.clone();
        let Some((statement, bytes)) = self.issue(audience, onward, body, decision.as_ref()) else {
            return;
        };
        let before = self.reports.figures.get(id);
        let (previous, eve) = self.editions_before(before);
        let row = FigureRow {
            id: id.clone(),
            edition: number,
            statement,
            content,
            accepted: before.map_or(0, |row| row.accepted),
            refused: None,
            issued_at: self.reports.last_signed,
            dirty: false,
            body: Some(kept),
            term: self.ledger.term(),
            told,
            previous,
            eve,
            stated: before.and_then(|row| row.stated),
        };
        self.context.persist(rows::figure(id), Some(to_vec(&row)));
        self.reports.figures.insert(id.clone(), row);
        if self.settings.unit.depth() > 1 {
            if self.superior().is_some() && self.fresh.len() < FRESH_STATEMENTS {
                self.fresh.insert(statement, bytes);
            }
            self.reports.unsent.insert(id.clone());
        }
    }

    fn record_disclosure(&mut self, id: &FigureId, released: &Released) -> bool {
        let Some(period) = id.period else { return false };
        let key = (id.indicator.clone(), period);
        let state = self
            .reports
            .disclosure
            .entry(key)
            .or_insert_with(|| DisclosureState::new(id.indicator.clone(), period));
        if state.record(released, self.ledger.term()).is_err() {
            return false;
        }
        let value = to_vec(state);
        self.context.persist(rows::disclosure(id), Some(value));
        true
    }

    pub(crate) fn restore_disclosure(&mut self, value: &[u8]) -> Result<(), String> {
        let state: DisclosureState =
            reeve_statement::cbor::from_slice("disclosure state", value, value.len())
                .map_err(|error| error.to_string())?;
        self.reports.disclosure.insert((state.indicator().clone(), state.period()), state);
        Ok(())
    }

    /// The salt of an edition's commitment: a digest under the node's key, so that it can be opened
    /// at home, cannot be guessed outside, and differs between editions.
    fn salt(&self, id: &FigureId, edition: u64) -> [u8; 32] {
        let figure = to_vec(id);
        let seed = self.settings.key.seed();
        let parts: [&[u8]; 4] = [SALT_DOMAIN, seed.as_slice(), &figure, &edition.to_be_bytes()];
        *Digest::of_parts(&parts).as_bytes()
    }
}

/// Digest of what a notice says. What is not adopted is a definition: another one is said anew.
fn notice_content(
    code: NoticeCode,
    decision: Option<&reeve_statement::release::Decision>,
    definition: Option<Digest>,
) -> Digest {
    let proposed = definition.filter(|_| code == NoticeCode::NotAdopted);
    let proposed = proposed.map(|digest| digest.as_bytes().to_vec()).unwrap_or_default();
    Digest::of_parts(&[b"reeve-notice/1\0", &to_vec(&(code, decision)), &proposed])
}

/// A moment as it is told of figures that are told in windows: when its window began.
fn at_window(moment: Timestamp, seconds: u32) -> Timestamp {
    let length = i64::from(seconds).saturating_mul(1_000);
    let into = if length > 0 { moment.as_millis().rem_euclid(length) } else { 0 };
    moment.plus_millis(-into)
}

/// Whether a figure is the superior's.
pub(super) fn is_superior(id: &FigureId) -> bool {
    id.class == Reports::class()
}

fn next_edition(last: Option<&FigureRow>) -> (u64, Option<Digest>) {
    last.map_or((1, None), |row| (row.edition.saturating_add(1), Some(row.statement)))
}

/// The later of what a unit said of one period and of every period.
pub(super) fn newest<'a>(one: Option<&'a Heard>, all: Option<&'a Heard>) -> Option<&'a Heard> {
    match (one, all) {
        (Some(one), Some(all)) if all.row.issued_at > one.row.issued_at => Some(all),
        (Some(one), _) => Some(one),
        (None, all) => all,
    }
}

pub(super) fn notice_of(row: &HeardRow) -> Said<'static> {
    let code = match &row.said.body {
        Body::Notice(notice) => notice.code,
        _ => NoticeCode::Withdrawn,
    };
    Said::Notice { statement: row.statement, term: row.term, edition: row.edition, code }
}

/// The greatest total that a unit of that population can have: every person counted once.
fn possible(entry: &RegisterEntry, indicator: &Indicator) -> Option<i64> {
    let persons = i64::try_from(entry.population.as_ref()?.persons).ok()?;
    let per_person = indicator.record_range.map_or(1, |(lo, hi)| hi.max(lo.saturating_neg()));
    indicator.personal.then(|| persons.saturating_mul(per_person))
}

pub(super) fn disclose_label(error: &reeve_policy::disclosure::DiscloseError) -> &'static str {
    use reeve_policy::disclosure::DiscloseError as E;
    match error {
        E::NoRange(_) => "no_declared_range",
        E::NotOnPersons(_) => "extreme_of_persons",
        E::OpenDomain(_) => "open_domain",
        E::TooManyRows(_) => "too_many_rows",
        E::Overflow(_) => "overflow",
        _ => "disclosure",
    }
}

fn roll_up_label(error: &reeve_policy::disclosure::RollUpError) -> &'static str {
    use reeve_policy::disclosure::RollUpError as E;
    match error {
        E::Overflow { .. } => "overflow",
        E::TooManyRows(_) => "too_many_rows",
        E::TooMany(_) => "too_many_subordinates",
        _ => "roll_up",
    }
}

impl FigureRow {
    /// The release of the last edition, if it was one.
    #[must_use]
    pub fn release(&self) -> Option<&Release> {
        match &self.body {
            Some(Body::Release(release)) => Some(release),
            _ => None,
        }
    }
}
