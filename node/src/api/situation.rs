//! Documents about the situation: every indicator at a glance.

use std::collections::BTreeMap;

use reeve_protocol::rows::Told;
use reeve_protocol::situation::{
    Coverage, Missing, Revised, Since, SituationView as View, headline_scale,
};
use reeve_statement::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::figure::{BoundsView, ExceptionView, measure, titles};

/// All indicators at a glance, those with trouble first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Situation {
    /// Whose situation.
    pub unit: String,
    /// Whether the unit has no subordinates.
    pub is_leaf: bool,
    /// When the first of them was looked at.
    pub at: String,
    /// The unit's time zone.
    pub time_zone: String,
    /// The indicators that the reader may see.
    pub indicators: Vec<Indication>,
    /// Indicators that policy does not show to the reader.
    pub withheld: Vec<String>,
    /// Names of direct subordinates by language, if the reader may see the register.
    pub names: BTreeMap<String, BTreeMap<String, String>>,
}

/// One indicator at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Indication {
    /// The indicator.
    pub indicator: String,
    /// Its titles by language.
    pub titles: BTreeMap<String, String>,
    /// What is computed: count, sum, mean, min, max, latest-sum.
    pub measure: String,
    /// The period.
    pub period: String,
    /// Whether a whole later period has ended, of which there is no figure.
    pub outdated: bool,
    /// Whether it is the unit's own table as it is.
    pub own: bool,
    /// How it stands.
    pub standing: Stand,
    /// Digits after the point of `value`, the changes and the threshold.
    pub scale: u8,
    /// The figure, times ten to the scale; none: not known, which is not zero.
    pub value: Option<BoundsView>,
    /// Why the unit itself sends no figure, if it says so.
    pub notice: Option<String>,
    /// How many units it includes.
    pub units: UnitsView,
    /// How many people these stand for; none: there are no subordinates.
    pub population: Option<PopulationView>,
    /// Of the own table: sources of this house that said nothing, once the period has ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silent_sources: Vec<String>,
    /// The day before which the records behind the period were removed; its figure stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_before: Option<String>,
    /// Units that did not report in full.
    pub exceptions: Vec<ExceptionView>,
    /// How many such units are not named.
    pub exceptions_unnamed: u64,
    /// What units that are not included could do to the figure.
    pub missing_units: MissingUnits,
    /// Number of the last signed edition; 0: none yet.
    pub edition: u64,
    /// When it was signed.
    pub issued_at: Option<String>,
    /// What has changed since the edition before.
    pub since_edition: Option<SinceView>,
    /// What has changed since the period before; for the present state, since the day before.
    pub since_day: Option<SinceView>,
    /// When the newest of the data was touched.
    pub data_touched: Option<String>,
    /// The least recent such time among the direct subordinates.
    pub data_oldest: Option<String>,
    /// How it stands to a threshold, if one was given.
    pub threshold: Option<ThresholdView>,
    /// Earlier periods that were revised today, by reason.
    pub revised: Vec<RevisedView>,
}

/// Periods that were revised today for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisedView {
    /// Why: correction, late_reports, duplicate_removed, reclassified, definition_changed or withdrawn.
    pub reason: String,
    /// How many periods.
    pub periods: u64,
    /// What has changed in all of them since the day began, times ten to the scale; none: not known.
    pub change: Option<BoundsView>,
}

/// How an indicator stands, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stand {
    /// The threshold is reached, or no longer reached where it shall be.
    Alarm,
    /// There is no figure.
    NotKnown,
    /// Whether the threshold is reached cannot be told.
    CannotTell,
    /// The newest figure is of an older period than the last that has ended.
    Outdated,
    /// Units are missing, or have not reported in full.
    Incomplete,
    /// Every unit has reported in full.
    Complete,
}

/// What units that are not included could do to a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingUnits {
    /// Make it greater, and never less.
    Raises,
    /// Make it less, and never greater.
    Lowers,
    /// Either.
    Either,
}

impl From<Missing> for MissingUnits {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::Raises => Self::Raises,
            Missing::Lowers => Self::Lowers,
            Missing::Either => Self::Either,
        }
    }
}

/// How many units a figure includes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitsView {
    /// Units that report data of their own and are expected; 0: not known.
    pub expected: u64,
    /// How many of them it includes.
    pub included: u64,
    /// Units by state.
    pub states: BTreeMap<String, u64>,
}

impl UnitsView {
    /// Whether every unit has reported in full.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.expected > 0 && self.states.get("reported") == Some(&self.expected)
    }
}

/// How many people a figure stands for, by the register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PopulationView {
    /// People of the subordinates whose population the register knows.
    pub persons: u64,
    /// At least so many of them live where the figure comes from.
    pub included_least: u64,
    /// At most so many.
    pub included_most: u64,
    /// Direct subordinates whose population the register does not know.
    pub units_unknown: u64,
    /// The oldest year of a population.
    pub oldest_year: Option<u16>,
}

impl PopulationView {
    fn of(coverage: Coverage) -> Option<Self> {
        let Coverage { known, unknown, persons, least, most, year } = coverage;
        (known > 0 || unknown > 0).then_some(Self {
            persons,
            included_least: least,
            included_most: most,
            units_unknown: unknown,
            oldest_year: year,
        })
    }

    /// Least and greatest share of the people in hundredths; none: the population is not known.
    #[must_use]
    pub fn percent(&self) -> Option<(u64, u64)> {
        if self.units_unknown > 0 || self.persons == 0 {
            return None;
        }
        let hundredfold = |persons: u64| u128::from(persons).saturating_mul(100);
        let all = u128::from(self.persons);
        // Only all are a hundred, and only nobody is none.
        let least = hundredfold(self.included_least).checked_div(all)?;
        let most = hundredfold(self.included_most).div_ceil(all);
        let most = if self.included_least == self.included_most { least } else { most };
        Some((u64::try_from(least).ok()?, u64::try_from(most).ok()?))
    }
}

/// What has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinceView {
    /// The period of what the figure is compared with.
    pub period: String,
    /// Its edition; 0: none was signed.
    pub edition: u64,
    /// When that was signed.
    pub issued_at: Option<String>,
    /// What it told; none: no figure.
    pub value: Option<BoundsView>,
    /// The change; none: it is not known.
    pub change: Option<BoundsView>,
    /// Whether both include the same units; else the change may be theirs.
    pub same_units: bool,
    /// Why it has changed, if anybody said so.
    #[serde(default)]
    pub reason: Option<String>,
}

/// How a figure stands to a threshold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThresholdView {
    /// The threshold, times ten to the scale.
    pub value: i64,
    /// Whether it is trouble to be below, instead of above.
    pub alarm_below: bool,
    /// The answer.
    pub answer: Against,
}

/// Whether a figure has reached a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// It is at least the threshold, whatever is not known.
    Above,
    /// It is less, whatever is not known.
    Below,
    /// It may be either.
    CannotTell,
}

fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

fn value(told: Option<&Told>) -> Option<BoundsView> {
    told.and_then(|told| told.value).map(BoundsView::from)
}

impl From<&Revised> for RevisedView {
    fn from(revised: &Revised) -> Self {
        Self {
            reason: revised.reason.code().to_owned(),
            periods: revised.periods,
            change: revised.change.map(BoundsView::from),
        }
    }
}

impl From<&Since> for SinceView {
    fn from(since: &Since) -> Self {
        Self {
            period: since.period.to_string(),
            edition: since.edition,
            issued_at: time(since.issued_at),
            value: value(since.before.as_ref()),
            change: since.change.map(BoundsView::from),
            same_units: since.same_units,
            reason: since.reason.map(|reason| reason.code().to_owned()),
        }
    }
}

impl Indication {
    /// The document for one indicator, without a threshold.
    #[must_use]
    pub fn of(view: &View) -> Self {
        let indicator = &view.indicator;
        let exception = |exception: &reeve_statement::completeness::Exception| {
            let units: Vec<_> = exception.units.iter().map(ToString::to_string).collect();
            let unit = if units.is_empty() { ".".to_owned() } else { units.join("/") };
            ExceptionView::of(exception, unit)
        };
        let states = view.counts.iter().map(|(state, units)| (state.code().to_owned(), units));
        let mut indication = Self {
            indicator: indicator.id.to_string(),
            titles: titles(&indicator.title),
            measure: measure(&indicator.measure).to_owned(),
            period: view.period.to_string(),
            outdated: view.is_outdated,
            own: view.is_own,
            standing: Stand::NotKnown,
            scale: headline_scale(indicator),
            value: value(view.told.as_ref()),
            notice: view.notice.map(|code| code.code().to_owned()),
            units: UnitsView {
                expected: view.counts.total(),
                included: view.counts.included(),
                states: states.collect(),
            },
            population: PopulationView::of(view.coverage),
            silent_sources: view.silent_sources.clone(),
            sealed_before: view.sealed_before.map(|day| day.to_string()),
            exceptions: view.exceptions.iter().map(exception).collect(),
            exceptions_unnamed: view.unnamed,
            missing_units: Missing::of(indicator).into(),
            edition: view.edition,
            issued_at: time(view.issued_at),
            since_edition: view.since_edition.as_ref().map(SinceView::from),
            since_day: view.since_day.as_ref().map(SinceView::from),
            data_touched: time(view.data_touched),
            data_oldest: time(view.data_oldest),
            threshold: None,
            revised: view.revised.iter().map(RevisedView::from).collect(),
        };
        indication.standing = indication.stand();
        indication
    }

    /// Holds it against a threshold, which is times ten to the scale.
    pub fn hold_against(&mut self, threshold: i64, alarm_below: bool) {
        let answer = self.against(threshold);
        self.threshold = Some(ThresholdView { value: threshold, alarm_below, answer });
        self.standing = self.stand();
    }

    /// What is missing counts: a figure without some of its units is no proof that the threshold is not
    /// reached.
    fn against(&self, threshold: i64) -> Against {
        let Some(value) = self.value else { return Against::CannotTell };
        let complete = self.units.is_complete();
        let may_rise = !complete && self.missing_units != MissingUnits::Lowers;
        let may_fall = !complete && self.missing_units != MissingUnits::Raises;
        match () {
            () if value.lo >= threshold && !may_fall => Against::Above,
            () if value.hi < threshold && !may_rise => Against::Below,
            () => Against::CannotTell,
        }
    }

    fn stand(&self) -> Stand {
        let answer = self.threshold.as_ref().map(|it| (it.answer, it.alarm_below));
        match answer {
            Some((Against::Above, false) | (Against::Below, true)) => Stand::Alarm,
            _ if self.value.is_none() => Stand::NotKnown,
            Some((Against::CannotTell, _)) => Stand::CannotTell,
            _ if self.outdated => Stand::Outdated,
            _ if self.units.is_complete() => Stand::Complete,
            _ => Stand::Incomplete,
        }
    }
}

impl Situation {
    /// The document for the views of one unit.
    #[must_use]
    pub fn of(
        views: &[View],
        withheld: Vec<String>,
        names: BTreeMap<String, BTreeMap<String, String>>,
    ) -> Option<Self> {
        let first = views.first()?;
        let mut situation = Self {
            unit: first.unit.to_string(),
            is_leaf: first.is_leaf,
            at: first.at.to_string(),
            time_zone: first.time_zone.clone(),
            indicators: views.iter().map(Indication::of).collect(),
            withheld,
            names,
        };
        situation.sort();
        Some(situation)
    }

    /// Trouble first, and of what is not known that which is not due yet last; what is alike stays in the
    /// order of the catalogue.
    pub fn sort(&mut self) {
        let is_awaited =
            |it: &Indication| it.value.is_none() && it.units.states.keys().eq(["awaited"]);
        self.indicators.sort_by_key(|it| (it.standing, is_awaited(it)));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(crate) mod tests {
    use super::*;

    fn population(persons: u64, least: u64, most: u64, unknown: u64) -> PopulationView {
        PopulationView {
            persons,
            included_least: least,
            included_most: most,
            units_unknown: unknown,
            oldest_year: None,
        }
    }

    #[test]
    fn a_share_is_told_only_of_a_population_that_is_known() {
        assert_eq!(population(1_000, 1_000, 1_000, 0).percent(), Some((100, 100)));
        assert_eq!(population(1_000, 999, 999, 0).percent(), Some((99, 99)));
        assert_eq!(population(1_000, 661, 999, 0).percent(), Some((66, 100)));
        assert_eq!(population(1_000, 0, 1, 0).percent(), Some((0, 1)));
        assert_eq!(population(1_000, 1_000, 1_000, 1).percent(), None);
        assert_eq!(population(0, 0, 0, 0).percent(), None);
    }

    /// An indication with a value, of which so many of three units have reported.
    pub(crate) fn indication(value: Option<(i64, i64)>, reported: u64) -> Indication {
        let mut states = BTreeMap::from([("reported".to_owned(), reported)]);
        let mut exceptions = Vec::new();
        if reported < 3 {
            states.insert("late".to_owned(), 3 - reported);
            exceptions.push(ExceptionView {
                unit: "03".to_owned(),
                state: "late".to_owned(),
                sources: None,
            });
        }
        let mut indication = Indication {
            indicator: "cases".to_owned(),
            titles: BTreeMap::from([("en".to_owned(), "Cases by day".to_owned())]),
            measure: "count".to_owned(),
            period: "2026-03-01".to_owned(),
            outdated: false,
            own: false,
            standing: Stand::Complete,
            scale: 0,
            value: value.map(|(lo, hi)| BoundsView { lo, hi }),
            notice: None,
            units: UnitsView { expected: 3, included: reported, states },
            population: Some(population(900, reported * 300, reported * 300, 0)),
            silent_sources: Vec::new(),
            sealed_before: None,
            exceptions,
            exceptions_unnamed: 0,
            missing_units: MissingUnits::Raises,
            edition: 2,
            issued_at: None,
            since_edition: None,
            since_day: None,
            data_touched: None,
            data_oldest: None,
            threshold: None,
            revised: Vec::new(),
        };
        indication.standing = indication.stand();
        indication
    }

    #[test]
    fn a_threshold_is_answered_only_where_nothing_unknown_could_change_it() {
        use Against::{Above, Below, CannotTell};
        use MissingUnits::{Either, Lowers, Raises};
        for (value, reported, missing, answer) in [
            (Some((50, 50)), 3, Raises, Above),
            (Some((49, 49)), 3, Raises, Below),
            (Some((46, 50)), 3, Raises, CannotTell),
            (Some((50, 54)), 2, Raises, Above),
            (Some((3, 3)), 2, Raises, CannotTell),
            (Some((3, 3)), 2, Lowers, Below),
            (Some((60, 60)), 2, Lowers, CannotTell),
            (Some((60, 60)), 2, Either, CannotTell),
            (Some((3, 3)), 2, Either, CannotTell),
            (None, 0, Raises, CannotTell),
        ] {
            let mut it = indication(value, reported);
            it.missing_units = missing;
            it.hold_against(50, false);
            let found = it.threshold.as_ref().map(|it| it.answer);
            assert_eq!(found, Some(answer), "{value:?} {reported} {missing:?}");
        }
    }

    #[test]
    fn trouble_comes_first() {
        let mut alarm = indication(Some((60, 60)), 3);
        alarm.hold_against(50, false);
        let mut short = indication(Some((3, 3)), 3);
        short.hold_against(50, true);
        let mut enough = indication(Some((60, 60)), 3);
        enough.hold_against(50, true);
        let mut unclear = indication(Some((46, 50)), 3);
        unclear.hold_against(50, false);
        let mut old = indication(Some((1, 1)), 3);
        old.outdated = true;
        old.standing = old.stand();
        let order: Vec<Stand> =
            [enough, indication(Some((0, 0)), 2), old, unclear, indication(None, 0), alarm, short]
                .iter()
                .map(|it| it.standing)
                .collect();
        use Stand::{Alarm, CannotTell, Complete, Incomplete, NotKnown, Outdated};
        assert_eq!(order, [Complete, Incomplete, Outdated, CannotTell, NotKnown, Alarm, Alarm]);
        let mut sorted = order;
        sorted.sort();
        assert_eq!(sorted, [Alarm, Alarm, NotKnown, CannotTell, Outdated, Incomplete, Complete]);
    }
}
