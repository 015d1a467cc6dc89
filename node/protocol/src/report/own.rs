//! The unit's own table as it is: for people of this house whom the policy lets see it.
//!
//! It is read from the indicators and answered to a local ask; it is never disclosed, numbered,
//! signed or sent. What subordinates reported is no part of it: that is known only as they told it.

use reeve_statement::catalogue::Indicator;
use reeve_statement::completeness::UnitState;
use reeve_statement::names::IndicatorId;
use reeve_statement::period::Period;

use crate::local::{Failure, OwnView};
use crate::node::Node;

impl Node {
    /// What this unit is while its sources say nothing of a period.
    pub(super) fn own_silence(&self, indicator: &Indicator, period: Period) -> UnitState {
        match self.is_due(indicator, period) {
            true => UnitState::NoReport,
            false => UnitState::NotDue,
        }
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
            data_touched: own.touched,
        }))
    }
}
