//! One indicator at a glance, for the people of this house: see [`crate::situation`].

use std::collections::BTreeMap;

use jiff::civil::Date;
use reeve_statement::bounds::Bounds;
use reeve_statement::catalogue::Indicator;
use reeve_statement::completeness::{Counts, Exception, Manifest, UnitState};
use reeve_statement::digest::Digest;
use reeve_statement::notice::NoticeCode;
use reeve_statement::period::{Period, Step};
use reeve_statement::register::RegisterEntry;
use reeve_statement::release::{RevisionReason, Sources};
use reeve_statement::statement::{Body, FigureId};
use reeve_statement::table::Table;
use reeve_statement::time::Timestamp;

use crate::local::{Answer, Failure, OwnView};
use crate::node::Node;
use crate::report::Reports;
use crate::rows::{FigureRow, PastEdition, Told};
use crate::situation::{Coverage, Revised, Since, SituationView, headline, missing};

/// What stands for a period, and what it is made of.
#[derive(Default)]
struct Standing {
    told: Option<Told>,
    counts: Counts,
    manifest: Manifest,
    touched: Option<Timestamp>,
}

impl Node {
    /// What a figure tells in one number, for its row.
    pub(super) fn told_by(
        &self,
        id: &FigureId,
        table: &Table,
        counts: &Counts,
        manifest: &Manifest,
    ) -> Option<Told> {
        let definition = *self.reports.definitions.get(&id.indicator)?;
        let indicator = self.reports.catalogue.as_ref()?.1.find(&id.indicator)?;
        Some(summary(indicator, definition, table, counts, manifest))
    }

    /// What stays of earlier editions when a new one becomes the last: the one before, and the one
    /// that stood when this day began.
    pub(super) fn editions_before(
        &self,
        last: Option<&FigureRow>,
    ) -> (Option<PastEdition>, Option<PastEdition>) {
        let Some(last) = last else { return (None, None) };
        let previous = PastEdition::from(last);
        let earlier_day = self.day_of(last.issued_at) < self.day_of(self.reports.last_signed);
        let eve = if earlier_day { Some(previous.clone()) } else { last.eve.clone() };
        (Some(previous), eve)
    }

    /// One indicator at a glance. `may_see` says which periods whoever asks may see: the period before
    /// is compared with only if it is one of them.
    pub(crate) fn view_situation(
        &self,
        definition: &Indicator,
        day: Option<Date>,
        own: bool,
        may_see: impl Fn(Period) -> Result<(), Box<Answer>>,
    ) -> Result<SituationView, Box<Answer>> {
        let failed = |failure| Box::new(Answer::Failed(failure));
        let period = self.period_to_show(definition, day);
        may_see(period)?;
        let id = figure_id(definition, period);
        let row = self.reports.figures.get(&id);
        let now = self.standing(definition, period, own).map_err(failed)?;
        let since_day = if may_see(period.previous()).is_ok() {
            self.since_day(definition, period, own, now.told.as_ref()).map_err(failed)?
        } else {
            None
        };
        let expected = self.expected(period);
        let is_seen = |period: Period| may_see(period).is_ok();
        Ok(SituationView {
            revised: self.revised_today(definition, period, is_seen),
            unit: self.settings.unit.clone(),
            is_leaf: self.reports.register.as_ref().is_none_or(|(_, it)| it.entries.is_empty()),
            at: self.context.now().wall,
            time_zone: self.settings.time_zone.clone(),
            period,
            is_outdated: day.is_none() && self.is_outdated(period),
            is_own: own,
            notice: if self.is_adopted(definition) {
                row.and_then(|row| match &row.body {
                    Some(Body::Notice(notice)) if now.told.is_none() => Some(notice.code),
                    _ => None,
                })
            } else {
                // What is shown is what would be sent.
                Some(NoticeCode::NotAdopted)
            },
            silent_sources: if own { self.silent_sources(definition, period) } else { Vec::new() },
            sealed_before: self
                .home
                .seals
                .before(&definition.kind)
                .filter(|day| period.first_day().is_some_and(|first| first < *day)),
            coverage: coverage(&expected, &now.manifest),
            data_oldest: self.oldest(&id, &now.manifest),
            edition: row.map_or(0, |row| row.edition),
            issued_at: row.map(|row| row.issued_at),
            since_edition: since_edition(now.told.as_ref(), row, period),
            since_day,
            indicator: definition.clone(),
            told: now.told,
            counts: now.counts,
            exceptions: now.manifest.exceptions,
            unnamed: now.manifest.unnamed,
            data_touched: now.touched,
        })
    }

    /// Earlier periods whose last edition was signed today and says why it revises what stood before.
    fn revised_today(
        &self,
        definition: &Indicator,
        shown: Period,
        may_see: impl Fn(Period) -> bool,
    ) -> Vec<Revised> {
        let today = self.today();
        let mut by_reason: BTreeMap<RevisionReason, Revised> = BTreeMap::new();
        for row in self.reports.figures.values().filter(|row| row.id.indicator == definition.id) {
            let Some(period) = row.id.period.filter(|period| *period < shown) else { continue };
            let reason = row.release().and_then(|release| release.reason);
            let Some(reason) = reason.filter(|reason| reason.is_telling()) else { continue };
            let Some(eve) = row.eve.as_ref().filter(|_| self.day_of(row.issued_at) == today) else {
                continue;
            };
            if period.step() != definition.step || !may_see(period) {
                continue;
            }
            let none = Revised { reason, periods: 0, change: Some(Bounds::exact(0)) };
            let value = |told: Option<&Told>| told.and_then(|told| told.value);
            let revised = by_reason.entry(reason).or_insert(none);
            revised.add(value(row.told.as_ref()), value(eve.told.as_ref()));
        }
        by_reason.into_values().collect()
    }

    /// The period with this day, else the newest that has a figure.
    fn period_to_show(&self, indicator: &Indicator, day: Option<Date>) -> Period {
        let of = |day| Period::of(indicator.step, day);
        if let Some(day) = day {
            return of(day);
        }
        // A record that is dated ahead by mistake does not hide the present.
        self.view_periods(&indicator.id, usize::MAX)
            .into_iter()
            .find(|period| period.step() == indicator.step && self.has_begun(*period))
            .unwrap_or_else(|| of(self.today()))
    }

    /// Whether the period after this one has ended.
    fn is_outdated(&self, period: Period) -> bool {
        period.step() != Step::Now
            && period.next().last_day().is_some_and(|last| last < self.today())
    }

    fn standing(
        &self,
        indicator: &Indicator,
        period: Period,
        own: bool,
    ) -> Result<Standing, Failure> {
        if own {
            let view = self.view_own(&indicator.id, period)?;
            let silence = self.own_silence(indicator, period);
            return Ok(view.map_or_else(|| silent_home(silence), |view| own_standing(&view)));
        }
        let id = figure_id(indicator, period);
        if let Some((table, manifest, counts)) = self.stated_figure(&id) {
            let definition = indicator.definition();
            let told = summary(indicator, definition, &table, &counts, &manifest);
            let row = self.reports.figures.get(&id);
            let touched = row.and_then(FigureRow::release).and_then(|it| it.data_touched);
            return Ok(Standing { told: Some(told), counts, manifest, touched });
        }
        Ok(if self.told(&id) { Standing::default() } else { self.silence(indicator, period) })
    }

    /// Nobody has spoken of the period: who is expected to.
    fn silence(&self, indicator: &Indicator, period: Period) -> Standing {
        let mut standing = Standing::default();
        let silent = |entry| self.silent_state(entry, indicator, period);
        let expected = self.expected(period).into_iter().map(|entry| (entry, silent(entry)));
        let left = self.left(period).into_iter().map(|entry| (entry, UnitState::Left));
        for (entry, state) in expected.chain(left) {
            standing.counts.add(state, 1);
            let (units, state) = (vec![entry.unit.clone()], state);
            standing.manifest.exceptions.push(Exception { units, state, sources: None });
        }
        standing
    }

    fn since_day(
        &self,
        indicator: &Indicator,
        period: Period,
        own: bool,
        now: Option<&Told>,
    ) -> Result<Option<Since>, Failure> {
        let row_of = |period| self.reports.figures.get(&figure_id(indicator, period));
        if period.step() == Step::Now {
            return Ok(row_of(period).and_then(|row| {
                let today = self.today();
                let last = PastEdition::from(row);
                let is_past = self.day_of(last.issued_at) < today;
                let past = if is_past { Some(last) } else { row.eve.clone() }?;
                let PastEdition { edition, issued_at, told } = past;
                let since = Since::new(now, told, period, edition, Some(issued_at));
                Some(since.because(row.release().and_then(|release| release.reason)))
            }));
        }
        let before = period.previous();
        let told = self.standing(indicator, before, own)?.told;
        let row = row_of(before);
        if told.is_none() && row.is_none() {
            return Ok(None);
        }
        let (edition, issued_at) = row.map_or((0, None), |it| (it.edition, Some(it.issued_at)));
        let reason = |row: Option<&FigureRow>| {
            let reason = row.and_then(FigureRow::release).and_then(|release| release.reason);
            reason.filter(|reason| reason.is_telling())
        };
        let reason = reason(row_of(period)).or_else(|| reason(row));
        Ok(Some(Since::new(now, told, before, edition, issued_at).because(reason)))
    }

    /// When the least recently touched of the subordinates' data was touched.
    fn oldest(&self, id: &FigureId, manifest: &Manifest) -> Option<Timestamp> {
        let heard = self.reports.heard.get(id)?;
        manifest
            .direct
            .iter()
            .filter(|entry| entry.state.is_included())
            .filter_map(|entry| match &heard.get(&entry.unit)?.row.said.body {
                Body::Release(release) => release.data_touched,
                _ => None,
            })
            .min()
    }
}

fn figure_id(indicator: &Indicator, period: Period) -> FigureId {
    FigureId { indicator: indicator.id.clone(), period: Some(period), class: Reports::class() }
}

fn summary(
    indicator: &Indicator,
    definition: Digest,
    table: &Table,
    counts: &Counts,
    manifest: &Manifest,
) -> Told {
    // Where nobody is included there is no number: missing is not zero.
    let value = headline(indicator, table).filter(|_| counts.included() > 0);
    Told { definition, value, counts: counts.clone(), missing: missing(manifest) }
}

/// The edition that is revised by what stands: the one before the last, or the last where something
/// has come since that is not signed yet.
fn since_edition(now: Option<&Told>, row: Option<&FigureRow>, period: Period) -> Option<Since> {
    let row = row?;
    let is_last = !row.dirty || now == row.told.as_ref();
    let past = if is_last { row.previous.clone()? } else { PastEdition::from(row) };
    let PastEdition { edition, issued_at, told } = past;
    let reason = row.release().and_then(|release| release.reason).filter(|_| is_last);
    Some(Since::new(now, told, period, edition, Some(issued_at)).because(reason))
}

fn coverage(expected: &[&RegisterEntry], manifest: &Manifest) -> Coverage {
    let mut coverage = Coverage::default();
    let nothing = Counts::default();
    for entry in expected {
        let direct = manifest.direct.iter().find(|direct| direct.unit == entry.unit);
        let population = entry.population.as_ref().map(|it| (it.persons, it.year));
        coverage.add(population, direct.map_or(&nothing, |direct| &direct.counts));
    }
    coverage
}

/// The own table as it is.
fn own_standing(view: &OwnView) -> Standing {
    let sources = Sources { reported: view.sources_reported, expected: view.sources_expected };
    let partial = view.state == UnitState::Partial;
    let manifest = own_manifest(view.state, partial.then_some(sources));
    let counts = Counts::one(view.state);
    let definition = view.indicator.definition();
    let told = summary(&view.indicator, definition, &view.table, &counts, &manifest);
    Standing { told: Some(told), counts, manifest, touched: view.data_touched }
}

/// No record and no closure is about the period: nothing is known of it, which is not zero.
fn silent_home(state: UnitState) -> Standing {
    let manifest = own_manifest(state, None);
    Standing { counts: Counts::one(state), manifest, ..Standing::default() }
}

fn own_manifest(state: UnitState, sources: Option<Sources>) -> Manifest {
    let exceptions = if state == UnitState::Reported {
        Vec::new()
    } else {
        vec![Exception { units: Vec::new(), state, sources }]
    };
    Manifest { exceptions, ..Manifest::default() }
}
