//! What Italy's publisher took back, through a federation: on each evening the nation must know what
//! was published that evening, and say that it is a correction.
//!
//! A nation's figure is the sum of its regions' statements. So it cannot tell what the publisher did a
//! few times: a national number that its own regions did not add up to. Such evenings are told apart,
//! with both numbers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use reeve_examples::italy::{
    Evening, MEASURES, ProvincesEvening, Published, Restated, Values, data_folder,
};
use reeve_protocol::local::FigureView;
use reeve_statement::names::IndicatorId;
use reeve_statement::release::RevisionReason;
use reeve_statement::table::Area;
use reeve_statement::unit::UnitId;

use crate::italy::{Italy, ItalyError, ItalySpec, Tree};
use crate::town::TownError;

/// A row of the nation's table that is not what was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which figure.
    pub indicator: IndicatorId,
    /// Which row.
    pub area: Area,
    /// What the nation has.
    pub figure: i64,
    /// What was published.
    pub published: i64,
}

/// A national number that is not the sum of the regions published beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotASum {
    /// Which figure.
    pub indicator: IndicatorId,
    /// The sum of the regions, which is the nation's figure here.
    pub figure: i64,
    /// What was published of the nation.
    pub published: i64,
}

/// One evening's outcome.
#[derive(Debug, Clone)]
pub struct EveningReport {
    /// Which day it is about.
    pub date: Date,
    /// When it took the place of what stood before; none: what was published first.
    pub at: Option<Timestamp>,
    /// The nation's figures after it: totals.
    pub nation: BTreeMap<IndicatorId, i64>,
    /// Rows that changed in it.
    pub restated: usize,
    /// Rows that are not what was published.
    pub differences: Vec<Difference>,
    /// National numbers that are no sum.
    pub not_sums: Vec<NotASum>,
    /// Figures whose change is not told as a correction, with what is told.
    pub other_reasons: Vec<(IndicatorId, Option<RevisionReason>)>,
}

impl EveningReport {
    /// Whether the nation knew what was published, row by row, and said why it changed.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.differences.is_empty() && self.other_reasons.is_empty()
    }
}

/// Which restatements to play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Those of regions and the nation: seven measures.
    Regions,
    /// Those of provinces: total cases.
    Provinces,
}

/// Rows of one figure as published, by area.
type Rows = BTreeMap<Area, i64>;

/// A federation for the restatements of one level.
#[derive(Debug)]
pub struct Restating {
    italy: Italy,
    restated: Restated,
    level: Level,
}

impl Restating {
    /// Reads the files, founds the federation, starts its nodes.
    ///
    /// # Errors
    /// [`ItalyError`].
    pub async fn raise(spec: &ItalySpec, level: Level) -> Result<Self, ItalyError> {
        let data = spec.data.clone().or_else(data_folder).ok_or(ItalyError::NoData)?;
        let published = Published::read(&data)?;
        let restated = Restated::read(&data, &published)?;
        let tree = match level {
            Level::Regions => Tree::Regions,
            Level::Provinces => Tree::Provinces,
        };
        let italy = Italy::raise_tree(spec, published, tree).await?;
        Ok(Self { italy, restated, level })
    }

    /// The days of which something was taken back, in the spec's window.
    #[must_use]
    pub fn days(&self, window: (Date, Date)) -> Vec<Date> {
        let window = window.0..=window.1;
        match self.level {
            Level::Regions => self.restated.regions.range(window).map(|(date, _)| *date).collect(),
            Level::Provinces => {
                self.restated.provinces.range(window).map(|(date, _)| *date).collect()
            }
        }
    }

    /// Plays every evening of a day: what was published first, then each restatement.
    ///
    /// # Errors
    /// [`ItalyError`].
    pub async fn day(&self, date: Date) -> Result<Vec<EveningReport>, ItalyError> {
        let mut reports = Vec::new();
        let mut before = BTreeMap::new();
        match self.level {
            Level::Regions => {
                for evening in self.restated.regions.get(&date).into_iter().flatten() {
                    let (csv, rows) = (regions_csv(date, evening), regions_rows(evening));
                    let mut report = self.evening(date, evening.at, &csv, &rows, &before).await?;
                    report.not_sums = not_sums(evening);
                    reports.push(report);
                    before = rows;
                }
            }
            Level::Provinces => {
                for evening in self.restated.provinces.get(&date).into_iter().flatten() {
                    let published = self.italy.published();
                    let csv = published.csv_of(date, &evening.rows, None);
                    let indicator = self.italy.indicators().first().cloned();
                    let rows = provinces_rows(published, evening);
                    let rows = indicator.into_iter().map(|indicator| (indicator, rows.clone()));
                    let rows = rows.collect();
                    reports.push(self.evening(date, evening.at, &csv, &rows, &before).await?);
                    before = rows;
                }
            }
        }
        Ok(reports)
    }

    async fn evening(
        &self,
        date: Date,
        at: Option<Timestamp>,
        csv: &str,
        rows: &BTreeMap<IndicatorId, Rows>,
        before: &BTreeMap<IndicatorId, Rows>,
    ) -> Result<EveningReport, ItalyError> {
        let reason = at.map(|_| RevisionReason::Correction);
        self.italy.import(date, csv, reason).await?;
        let mut report = EveningReport {
            date,
            at,
            nation: BTreeMap::new(),
            restated: 0,
            differences: Vec::new(),
            not_sums: Vec::new(),
            other_reasons: Vec::new(),
        };
        for (indicator, published) in rows {
            let arrived =
                |view: &FigureView| view.edition > 0 && differing(view, published).is_empty();
            let what = format!("{indicator} of {date} is at the top");
            let view = match self.italy.top_figure(indicator, date, &what, arrived).await {
                // It is shown with what it has.
                Err(ItalyError::Town(TownError::TooSlow { .. })) => {
                    self.italy.top_figure(indicator, date, &what, |_| true).await?
                }
                other => other?,
            };
            let different = differing(&view, published).into_iter();
            report.differences.extend(different.map(|(area, figure, published)| Difference {
                indicator: indicator.clone(),
                area,
                figure,
                published,
            }));
            let stood = before.get(indicator);
            let changed = |area: &Area, value: i64| {
                stood.is_some_and(|stood| stood.get(area).copied() != Some(value))
            };
            let restated = published.iter().filter(|(area, value)| changed(area, **value)).count();
            if restated > 0 && view.reason != Some(RevisionReason::Correction) {
                report.other_reasons.push((indicator.clone(), view.reason));
            }
            report.restated += restated;
            let total = view.total.map_or(0, |total| total.value.lo());
            report.nation.insert(indicator.clone(), total);
        }
        Ok(report)
    }

    /// Stops every node.
    ///
    /// # Errors
    /// [`ItalyError`].
    pub async fn stop(self) -> Result<(), ItalyError> {
        self.italy.stop().await
    }
}

/// Rows of a figure that are not what was published: with both.
fn differing(view: &FigureView, published: &Rows) -> Vec<(Area, i64, i64)> {
    let mut told: Rows = published.keys().map(|area| (area.clone(), 0)).collect();
    for (key, cell) in &view.table.rows {
        *told.entry(key.area.clone()).or_default() += cell.value.lo();
    }
    let published = |area: &Area| published.get(area).copied().unwrap_or(0);
    let rows = told.into_iter().map(|(area, figure)| {
        let published = published(&area);
        (area, figure, published)
    });
    rows.filter(|(_, figure, published)| figure != published).collect()
}

fn indicator(measure: &str) -> Option<IndicatorId> {
    measure.parse().ok()
}

fn regions_rows(evening: &Evening) -> BTreeMap<IndicatorId, Rows> {
    let of = |measure: &str| {
        let row = |(region, values): (&UnitId, &Values)| {
            let area = Area { units: vec![region.clone()], residual: None };
            Some((area, *values.get(measure)?))
        };
        evening.regions.iter().filter_map(row).collect()
    };
    MEASURES.into_iter().filter_map(|measure| Some((indicator(measure)?, of(measure)))).collect()
}

fn provinces_rows(published: &Published, evening: &ProvincesEvening) -> Rows {
    let row = |(code, value): (&String, &i64)| {
        published.sources.get(code).map(|source| (source.area(), *value))
    };
    evening.rows.iter().filter_map(row).collect()
}

fn regions_csv(date: Date, evening: &Evening) -> String {
    let mut text = format!("date,region_id,{}\n", MEASURES.join(","));
    for (region, values) in &evening.regions {
        let of = |measure: &&str| values.get(measure).map(ToString::to_string).unwrap_or_default();
        let values: Vec<String> = MEASURES.iter().map(of).collect();
        text.push_str(&format!("{date},{region},{}\n", values.join(",")));
    }
    text
}

fn not_sums(evening: &Evening) -> Vec<NotASum> {
    let not = |measure: &'static str| {
        let published = *evening.nation.get(measure)?;
        let figure = evening.regions.values().filter_map(|values| values.get(measure)).sum();
        let indicator = indicator(measure)?;
        (figure != published).then_some(NotASum { indicator, figure, published })
    };
    MEASURES.into_iter().filter_map(not).collect()
}
