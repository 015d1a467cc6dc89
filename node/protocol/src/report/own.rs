//! The unit's own table as it is: for people of this house whom the policy lets see it.
//!
//! It is read from the indicators and answered to a local ask; it is never disclosed, numbered,
//! signed or sent. What subordinates reported is no part of it: that is known only as they told it.

use std::collections::BTreeMap;

use reeve_crdt::indicator::SourceSaid;
use reeve_statement::catalogue::Indicator;
use reeve_statement::completeness::UnitState;
use reeve_statement::names::{IndicatorId, KindId};
use reeve_statement::period::Period;

use crate::local::{Failure, OwnView, SourceStatus};
use crate::node::Node;

impl Node {
    /// What this unit is while its sources say nothing of a period.
    pub(super) fn own_silence(&self, indicator: &Indicator, period: Period) -> UnitState {
        match self.is_due(indicator, period) {
            true => UnitState::NoReport,
            false => UnitState::NotDue,
        }
    }

    /// The sources of this house that said nothing of a period which has ended; of the present, the feeds
    /// that are silent.
    pub(super) fn silent_sources(&self, indicator: &Indicator, period: Period) -> Vec<String> {
        let Some(engine) = &self.home.engine else { return Vec::new() };
        let Ok(own) = engine.table(&indicator.id, period, self.today()) else { return Vec::new() };
        let now = self.context.now().wall;
        let ended = period.last_day().is_none_or(|last| last < self.today());
        let feeds = own.feeds.into_iter().filter(|feed| !feed.is_alive(now)).map(|feed| feed.name);
        own.silent.into_iter().chain(feeds).filter(|_| ended).collect()
    }

    /// The sources of this house that report now, and what they said last.
    pub(super) fn view_sources(&self) -> Vec<SourceStatus> {
        let Some(engine) = &self.home.engine else { return Vec::new() };
        let now = self.context.now().wall;
        let owed = self.owed();
        let of = |said: SourceSaid| {
            let is_silent = said.feed.as_ref().is_some_and(|feed| !feed.is_alive(now));
            SourceStatus {
                owes: owed.get(&(said.kind.clone(), said.name.clone())).copied(),
                heard: said.feed.and_then(|feed| feed.heard),
                kind: said.kind,
                name: said.name,
                last_day: said.last_day,
                is_silent,
            }
        };
        engine.sources(self.today()).into_iter().map(of).collect()
    }

    /// Of the newest period of each indicator whose deadline has passed: which sources said nothing.
    fn owed(&self) -> BTreeMap<(KindId, String), Period> {
        let mut owed = BTreeMap::new();
        let indicators = self.reports.catalogue.iter().flat_map(|(_, it)| &it.indicators);
        for indicator in indicators {
            let Some(period) = self.last_overdue(indicator) else { continue };
            for source in self.silent_sources(indicator, period) {
                owed.insert((indicator.kind.clone(), source), period);
            }
        }
        owed
    }

    /// The own table of a period; none if no record and no closure is about it.
    pub(crate) fn view_own(
        &self,
        indicator: &IndicatorId,
        period: Period,
    ) -> Result<Option<OwnView>, Failure> {
        let unknown = || Failure::UnknownIndicator(indicator.clone());
        let catalogue = self.reports.catalogue.as_ref().ok_or_else(unknown)?;
        let definition = catalogue.1.find(indicator).ok_or_else(unknown)?;
        if self.home.engine.is_none() {
            return Err(Failure::NoTwin);
        }
        if self.home.rebuilding > 0 {
            return Err(Failure::Rebuilding);
        }
        let Some(own) = self.own_figure(definition, period) else { return Ok(None) };
        let own = own.map_err(|_| Failure::OwnTable(indicator.clone()))?;
        let sources = self.own_sources(&own, period);
        let state = match (sources.reported >= sources.expected, own.table.rows.is_empty()) {
            (true, _) => UnitState::Reported,
            (false, true) if sources.reported == 0 => self.own_silence(definition, period),
            (false, _) => UnitState::Partial,
        };
        let silent_sources = self.silent_sources(definition, period);
        let total = definition.measure.is_additive().then(|| own.table.total().ok()).flatten();
        Ok(Some(OwnView {
            unit: self.settings.unit.clone(),
            indicator: definition.clone(),
            period,
            total,
            table: own.table,
            state,
            sources_reported: sources.reported,
            sources_expected: sources.expected,
            silent_sources,
            data_touched: own.touched,
        }))
    }
}
