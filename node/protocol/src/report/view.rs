//! What this node's people see: figures, status.

use std::collections::BTreeMap;

use reeve_statement::bounds::Cell;
use reeve_statement::catalogue::{Indicator, RecipientClass};
use reeve_statement::completeness::{Counts, Manifest, UnitState};
use reeve_statement::digest::Digest;
use reeve_statement::names::IndicatorId;
use reeve_statement::period::Period;
use reeve_statement::release::Release;
use reeve_statement::statement::{Body, FigureId};
use reeve_statement::table::{Area, Table};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use crate::local::{FigureView, PeerStatus, Status, SubordinateStatus};
use crate::node::Node;
use crate::report::Reports;
use crate::rows::FigureRow;
use crate::trust::Standing;

/// Most figures that the status names per subordinate: a status is read by a person.
const BEHIND_SHOWN: usize = 50;

impl Node {
    /// The figure of this unit as it would be cut now, with what is known of its last edition.
    pub(crate) fn view_figure(
        &self,
        indicator: &IndicatorId,
        period: Period,
        area: Option<&UnitPath>,
    ) -> Option<FigureView> {
        let definition = self.reports.catalogue.as_ref()?.1.find(indicator)?.clone();
        let class = Reports::class();
        let id = FigureId { indicator: indicator.clone(), period: Some(period), class };
        let stated = self.stated_figure(&id)?;
        self.view_of(definition, period, area, &id, stated)
    }

    /// The last edition of the figure that a class of recipients was told.
    pub(crate) fn view_told(
        &self,
        indicator: &IndicatorId,
        period: Period,
        area: Option<&UnitPath>,
        class: RecipientClass,
    ) -> Option<FigureView> {
        let definition = self.reports.catalogue.as_ref()?.1.find(indicator)?.clone();
        let id = FigureId { indicator: indicator.clone(), period: Some(period), class };
        let told = self.last_told(&id)?;
        self.view_of(definition, period, area, &id, told)
    }

    fn view_of(
        &self,
        definition: Indicator,
        period: Period,
        area: Option<&UnitPath>,
        id: &FigureId,
        (table, manifest, counts): (Table, Manifest, Counts),
    ) -> Option<FigureView> {
        let (class, adopted) = (id.class, self.is_adopted(&definition));
        let row = self.reports.figures.get(id);
        let data_touched = row.and_then(FigureRow::release).and_then(|it| it.data_touched);
        let scope = area_below(&self.settings.unit, area)?;
        let view = narrow(table, &manifest, counts, &scope);
        let total = total(&view.0, &view.1, definition.measure.is_additive());
        Some(FigureView {
            unit: self.settings.unit.clone(),
            unlisted: view.0.unlisted.iter().map(|(a, u)| (a.clone(), u.clone())).collect(),
            indicator: definition,
            period,
            class,
            total,
            table: view.0,
            counts: view.1,
            exceptions: view.2,
            edition: row.map_or(0, |row| row.edition),
            statement: row.filter(|row| row.body.is_some()).map(|row| row.statement),
            reason: row.and_then(FigureRow::release).and_then(|release| release.reason),
            issued_at: row.map(|row| row.issued_at),
            adopted,
            data_touched,
        })
    }

    /// A figure as it would be cut now; else as its last edition tells it.
    pub(super) fn stated_figure(&self, id: &FigureId) -> Option<(Table, Manifest, Counts)> {
        // While the indicators are rebuilt only the last edition can be believed.
        let now = if self.home.rebuilding > 0 { None } else { self.compute_figure(id) };
        if let Some(figure) = now {
            let (table, manifest) = (figure.table().clone(), figure.manifest().clone());
            return Some((table, manifest, figure.counts().clone()));
        }
        self.last_told(id)
    }

    /// The last edition's table, and what it is made of.
    fn last_told(&self, id: &FigureId) -> Option<(Table, Manifest, Counts)> {
        let release = self.reports.figures.get(id).and_then(FigureRow::release)?;
        Some((
            release.table.inline().cloned()?,
            release.manifest.inline().cloned().unwrap_or_default(),
            release.counts.clone(),
        ))
    }

    /// Whether an area is this unit's own, or begins with a unit of its register. What lies deeper is
    /// known to that unit.
    pub(crate) fn is_known_area(&self, area: &UnitPath) -> bool {
        let Some(below) = area.below(&self.settings.unit) else { return false };
        let Some(first) = below.first() else { return true };
        let register = self.reports.register.as_ref();
        register.is_some_and(|(_, it)| it.entries.iter().any(|entry| entry.unit == *first))
    }

    pub(crate) fn view_periods(&self, indicator: &IndicatorId, limit: usize) -> Vec<Period> {
        let mut periods: Vec<Period> = self
            .reports
            .figures
            .keys()
            .chain(self.reports.heard.keys())
            .filter(|id| id.indicator == *indicator && id.class == RecipientClass::Superior)
            .filter_map(|id| id.period)
            .collect();
        if let Some(engine) = &self.home.engine {
            periods.extend(engine.periods(indicator));
        }
        periods.sort_unstable();
        periods.dedup();
        periods.reverse();
        periods.truncate(limit);
        periods
    }

    pub(crate) fn view_status(&self) -> Status {
        let frontier = self.ledger.frontier();
        let asked = |row: &&FigureRow| row.id.period.is_none_or(|it| self.is_asked_for(it));
        let behind_superior = |row: &&FigureRow| row.accepted < row.edition && asked(row);
        let waits = self.settings.unit.depth() > 1;
        Status {
            unit: self.settings.unit.clone(),
            key: self.key,
            term: self.settings.term,
            not_after: self.own_not_after,
            authority_not_after: self.authority_ends(),
            writer_not_after: self.settings.writer.chain.leaf().validity().not_after,
            own_refusal: self.own_refusal(),
            peers: self.view_peers(),
            subordinates: self.view_subordinates(),
            catalogue_version: self.catalogue_version(),
            not_adopted: self.not_adopted(),
            response_level: self.response().0,
            declarations: self.view_declarations(),
            asked: self.reports.subscription.is_some(),
            figures: self.reports.figures.len(),
            unsent: if waits {
                self.reports.figures.values().filter(behind_superior).count()
            } else {
                0
            },
            refused: self
                .reports
                .figures
                .values()
                .filter_map(|row| Some((row.id.to_string(), row.refused?)))
                .collect(),
            superior_ledger: self.ahead,
            restored_from: self.lacks_new_term().cloned(),
            following_home: self.is_following(),
            needs_letter: self.needs_letter(),
            clock_behind: self.clock_behind(),
            refused_by: self.last_hello_refusal,
            superseded_by: self.superseded,
            home_term: self.home_term(),
            authorities: self.view_authorities(),
            past_ledgers: self.past_ledgers.iter().map(|(term, size)| (*term, *size)).collect(),
            short_of_space: self.short,
            ledger_size: frontier.size(),
            ledger_root: frontier.root(),
            witnessed: self.view_witnessed(),
            auditors: self.view_auditors(),
            equivocations: self.view_equivocations(),
            taken_over: self.view_taken_over(),
            sources: self.view_sources(),
            sealed: self.home.seals.days(),
            forks: self.view_forks(),
            interrupted_imports: self.interrupted.values().cloned().collect(),
            queued_writes: self.home.queue.len(),
            pending_persists: self.context.pending_persists(),
        }
    }

    fn view_peers(&self) -> Vec<PeerStatus> {
        let mut peers: BTreeMap<_, PeerStatus> = BTreeMap::new();
        let absent = |key| PeerStatus {
            key,
            unit: None,
            standing: None,
            connected: false,
            not_after: None,
            clock_offset: None,
        };
        for key in self.allowed.iter().flatten() {
            peers.insert(*key, absent(*key));
        }
        for (key, peer) in &self.peers.connected {
            let entry = peers.entry(*key).or_insert_with(|| absent(*key));
            entry.connected = true;
            if let Some(greeted) = peer {
                entry.unit = Some(greeted.unit.clone());
                entry.standing = Some(greeted.standing);
                entry.not_after = Some(greeted.chain.not_after());
                entry.clock_offset = Some(greeted.clock_offset);
            }
        }
        peers.into_values().collect()
    }

    fn view_subordinates(&self) -> Vec<SubordinateStatus> {
        let Some((_, register)) = &self.reports.register else { return Vec::new() };
        let connected: Vec<_> =
            self.peers.of(Standing::Subordinate).map(|(_, p)| p.unit.leaf().clone()).collect();
        register
            .entries
            .iter()
            .map(|entry| {
                let ever = self.reports.ever.get(&entry.unit);
                let head = self.reports.heads.get(&entry.unit);
                let witnessed = self.witnessing.witnessed(&entry.unit);
                let witnessed =
                    witnessed.filter(|it| head.is_some_and(|head| head.term == it.term));
                SubordinateStatus {
                    unit: entry.unit.clone(),
                    connected: connected.contains(&entry.unit),
                    last_heard: ever.and_then(|by| by.values().max().copied()),
                    term: head.map(|head| head.term),
                    ledger_size: head.map(|head| head.size),
                    cosigned: witnessed.map(|it| (it.size, it.at)),
                    behind: self.view_behind(&entry.unit),
                }
            })
            .collect()
    }

    fn view_behind(
        &self,
        unit: &reeve_statement::unit::UnitId,
    ) -> Vec<(IndicatorId, Period, UnitState)> {
        let mut behind = Vec::new();
        for row in self.reports.figures.values() {
            let (Some(period), Some(Body::Release(release))) = (row.id.period, &row.body) else {
                continue;
            };
            let Some(manifest) = release.manifest.inline() else { continue };
            for entry in manifest.direct.iter().filter(|entry| entry.unit == *unit) {
                if entry.state != UnitState::Reported {
                    behind.push((row.id.indicator.clone(), period, entry.state));
                }
            }
        }
        behind.sort_by_key(|(_, period, _)| core::cmp::Reverse(*period));
        behind.truncate(BEHIND_SHOWN);
        behind
    }
}

impl FigureView {
    /// A figure as one edition of it told it: the part that is about an area. None: the area is not in
    /// the unit.
    #[must_use]
    pub fn of_edition(
        unit: &UnitPath,
        indicator: Indicator,
        release: &Release,
        (table, manifest): (Table, Manifest),
        (statement, issued_at): (Digest, Timestamp),
        area: Option<&UnitPath>,
    ) -> Option<Self> {
        let scope = area_below(unit, area)?;
        let additive = indicator.measure.is_additive();
        let (table, counts, exceptions) = narrow(table, &manifest, release.counts.clone(), &scope);
        Some(Self {
            unit: unit.clone(),
            unlisted: table.unlisted.iter().map(|(a, u)| (a.clone(), u.clone())).collect(),
            indicator,
            period: release.period,
            class: release.class,
            total: total(&table, &counts, additive),
            table,
            counts,
            exceptions,
            edition: release.edition,
            statement: Some(statement),
            reason: release.reason,
            issued_at: Some(issued_at),
            adopted: true,
            data_touched: release.data_touched,
        })
    }
}

/// The sum of a table. Where nobody is included there is none: missing is not zero.
fn total(table: &Table, counts: &Counts, additive: bool) -> Option<Cell> {
    (additive && counts.included() > 0).then(|| table.total().ok()).flatten()
}

/// Units below this one that lead to the area; none: the area is not within.
fn area_below(unit: &UnitPath, area: Option<&UnitPath>) -> Option<Area> {
    let Some(area) = area else { return Some(Area::own()) };
    Some(Area { units: area.below(unit)?.to_vec(), residual: None })
}

type Narrowed = (Table, Counts, Vec<reeve_statement::completeness::Exception>);

/// The part of a figure that is about an area.
fn narrow(mut table: Table, manifest: &Manifest, counts: Counts, scope: &Area) -> Narrowed {
    let Some(first) = scope.units.first() else {
        return (table, counts, manifest.exceptions.clone());
    };
    let within = |area: &Area| area.units.starts_with(&scope.units);
    table.rows.retain(|key, _| within(&key.area));
    table.unlisted.retain(|area, _| within(area));
    let exceptions: Vec<_> = manifest
        .exceptions
        .iter()
        .filter(|exception| exception.units.starts_with(&scope.units))
        .cloned()
        .collect();
    let direct = manifest.direct.iter().find(|entry| entry.unit == *first);
    let counts = match direct {
        Some(entry) if scope.units.len() == 1 => entry.counts.clone(),
        _ => {
            let mut counts = Counts::default();
            for exception in &exceptions {
                counts.add(exception.state, 1);
            }
            // Units further down are named where they did not report in full; who is not named did.
            if exceptions.is_empty() && !(table.rows.is_empty() && table.unlisted.is_empty()) {
                counts.add(UnitState::Reported, 1);
            }
            counts
        }
    };
    (table, counts, exceptions)
}
