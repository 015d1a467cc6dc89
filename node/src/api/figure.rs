//! Documents about figures.

use std::collections::BTreeMap;

use reeve_protocol::local::{FigureView, OwnView};
use reeve_statement::bounds::{Bounds, Cell};
use reeve_statement::catalogue::{Measure, Titles};
use reeve_statement::completeness::{Exception, UnitState};
use reeve_statement::table::RowKey;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;
use serde::{Deserialize, Serialize};

/// A number that lies between two bounds, ends included; equal bounds are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundsView {
    /// Not less than this.
    pub lo: i64,
    /// Not more than this.
    pub hi: i64,
}

impl From<Bounds> for BoundsView {
    fn from(bounds: Bounds) -> Self {
        Self { lo: bounds.lo(), hi: bounds.hi() }
    }
}

/// A value, and how many persons or records stand behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellView {
    /// The value, times ten to the figure's scale; of a mean, the sum.
    pub value: BoundsView,
    /// How many stand behind it; of a mean, the count to divide by.
    pub contributors: BoundsView,
}

impl From<Cell> for CellView {
    fn from(cell: Cell) -> Self {
        Self { value: cell.value.into(), contributors: cell.contributors.into() }
    }
}

/// One row of a figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The area, below the figure's unit: `03/016`, `~other` for a residual, `.` for the unit itself.
    pub area: String,
    /// A value for each dimension; empty where the field was not set.
    pub dimensions: Vec<String>,
    /// The cell.
    #[serde(flatten)]
    pub cell: CellView,
}

/// Rows of an area that are not listed one by one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnlistedRows {
    /// The area.
    pub area: String,
    /// How many rows.
    pub rows: u32,
    /// What is known of each.
    #[serde(flatten)]
    pub each: CellView,
}

/// A unit that did not report in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionView {
    /// The unit, below the figure's unit.
    pub unit: String,
    /// Its state: reported, partial, awaited, late, never_reported, declined, not_adopted, no_report, not_due,
    /// revoked, other_definition, implausible, withdrawn or unreachable.
    pub state: String,
    /// Of a unit that is partial: how many of its own sources have reported, and are expected to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<[u32; 2]>,
}

impl ExceptionView {
    /// What a figure says of a unit, by the name that it is to have.
    pub(super) fn of(exception: &Exception, unit: String) -> Self {
        let sources = exception.sources.map(|it| [it.reported, it.expected]);
        Self { unit, state: exception.state.code().to_owned(), sources }
    }
}

/// A figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figure {
    /// Whose figure.
    pub unit: String,
    /// The area asked for.
    pub area: String,
    /// The indicator.
    pub indicator: String,
    /// Its titles by language.
    pub titles: BTreeMap<String, String>,
    /// What is computed: count, sum, mean, min, max, latest-sum.
    pub measure: String,
    /// Digits after the point: values are times ten to this.
    pub scale: u8,
    /// The period.
    pub period: String,
    /// The class of recipients that it is protected for; [`HOME`]: not at all, it is the unit's own.
    pub class: String,
    /// Names of the dimensions.
    pub dimensions: Vec<String>,
    /// The rows.
    pub rows: Vec<Row>,
    /// Rows that are not listed.
    pub unlisted: Vec<UnlistedRows>,
    /// Their sum; none for measures that do not add up.
    pub total: Option<CellView>,
    /// Units that report data of their own and are expected.
    pub expected: u64,
    /// How many of them the figure includes.
    pub included: u64,
    /// Units by state.
    pub states: BTreeMap<String, u64>,
    /// Units that did not report in full.
    pub exceptions: Vec<ExceptionView>,
    /// Number of the last signed edition; 0: none yet.
    pub edition: u64,
    /// Digest of its statement.
    pub statement: Option<String>,
    /// Why it revises the edition before: update, correction, late_reports, duplicate_removed,
    /// reclassified, definition_changed, withdrawn or inputs_changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was signed.
    pub issued_at: Option<String>,
    /// Whether the home adopted the indicator; if not, nothing of it is sent.
    #[serde(default = "yes")]
    pub adopted: bool,
    /// When the data was last touched.
    pub data_touched: Option<String>,
}

/// The class of a unit's own table as it is: nobody outside of the house gets it.
pub const HOME: &str = "home";

fn yes() -> bool {
    true
}

/// Texts by language.
pub(crate) fn titles(titles: &Titles) -> BTreeMap<String, String> {
    titles.0.iter().cloned().collect()
}

pub(crate) const fn measure(measure: &Measure) -> &'static str {
    match measure {
        Measure::Count => "count",
        Measure::Sum(_) => "sum",
        Measure::Mean(_) => "mean",
        Measure::Min(_) => "min",
        Measure::Max(_) => "max",
        Measure::LatestSum { .. } => "latest-sum",
    }
}

fn row((key, cell): (&RowKey, &Cell)) -> Row {
    Row { area: key.area.to_string(), dimensions: key.dims.clone(), cell: (*cell).into() }
}

impl Figure {
    /// The document for a figure.
    #[must_use]
    pub fn of(view: &FigureView, area: Option<&UnitPath>) -> Self {
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
        let indicator = &view.indicator;
        let exception = |exception: &Exception| {
            let units: Vec<_> = exception.units.iter().map(ToString::to_string).collect();
            ExceptionView::of(exception, units.join("/"))
        };
        let unlisted = |(area, unlisted): &(_, reeve_statement::table::Unlisted)| UnlistedRows {
            area: reeve_statement::table::Area::to_string(area),
            rows: unlisted.rows,
            each: unlisted.each.into(),
        };
        Self {
            unit: view.unit.to_string(),
            area: area.unwrap_or(&view.unit).to_string(),
            indicator: indicator.id.to_string(),
            titles: titles(&indicator.title),
            measure: measure(&indicator.measure).to_owned(),
            scale: indicator.scale,
            period: view.period.to_string(),
            class: view.class.to_string(),
            dimensions: indicator.group_by.iter().map(|by| by.field().to_string()).collect(),
            rows: view.table.rows.iter().map(row).collect(),
            unlisted: view.unlisted.iter().map(unlisted).collect(),
            total: view.total.map(CellView::from),
            expected: view.counts.total(),
            included: view.counts.included(),
            states: view
                .counts
                .iter()
                .map(|(state, units)| (state.code().to_owned(), units))
                .collect(),
            exceptions: view.exceptions.iter().map(exception).collect(),
            edition: view.edition,
            statement: view.statement.map(|digest| digest.to_string()),
            reason: view.reason.map(|reason| reason.code().to_owned()),
            issued_at: time(view.issued_at),
            adopted: view.adopted,
            data_touched: time(view.data_touched),
        }
    }
}

impl Figure {
    /// The document for a unit's own table.
    #[must_use]
    pub fn of_own(view: &OwnView) -> Self {
        let indicator = &view.indicator;
        let included = u64::from(view.state.is_included());
        let sources = [view.sources_reported, view.sources_expected];
        let exception = ExceptionView {
            unit: ".".to_owned(),
            state: view.state.code().to_owned(),
            sources: (view.state == UnitState::Partial).then_some(sources),
        };
        Self {
            unit: view.unit.to_string(),
            area: view.unit.to_string(),
            indicator: indicator.id.to_string(),
            titles: titles(&indicator.title),
            measure: measure(&indicator.measure).to_owned(),
            scale: indicator.scale,
            period: view.period.to_string(),
            class: HOME.to_owned(),
            dimensions: indicator.group_by.iter().map(|by| by.field().to_string()).collect(),
            rows: view.table.rows.iter().map(row).collect(),
            unlisted: Vec::new(),
            total: view.total.map(CellView::from),
            expected: 1,
            included,
            states: BTreeMap::from([(view.state.code().to_owned(), 1)]),
            exceptions: if view.state == UnitState::Reported {
                Vec::new()
            } else {
                vec![exception]
            },
            edition: 0,
            statement: None,
            reason: None,
            issued_at: None,
            adopted: true,
            data_touched: view.data_touched.map(|at| at.to_string()),
        }
    }
}

/// A whole number of units of `10^-scale`, with commas between thousands.
#[must_use]
pub fn number_text(value: i64, scale: u8) -> String {
    let scale = usize::from(scale);
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale.saturating_add(1));
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(scale));
    let mut text = if value < 0 { "-".to_owned() } else { String::new() };
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && whole.len().saturating_sub(at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

/// Both ends of an interval, or the one number.
#[must_use]
pub fn bounds_text(bounds: BoundsView, scale: u8) -> String {
    if bounds.lo == bounds.hi {
        number_text(bounds.lo, scale)
    } else {
        format!("{} to {}", number_text(bounds.lo, scale), number_text(bounds.hi, scale))
    }
}

impl Figure {
    /// The mean that a cell holds, with one more digit than the scale; none if it is of another measure or
    /// cannot be told.
    #[must_use]
    pub fn mean(&self, cell: &CellView) -> Option<i64> {
        let (sum, count) = (cell.value, cell.contributors);
        let exact = sum.lo == sum.hi && count.lo == count.hi && count.lo > 0;
        let tenfold = sum.lo.checked_mul(10).filter(|_| exact && self.measure == "mean");
        tenfold.and_then(|sum| sum.checked_div(count.lo))
    }

    /// The value of a cell; of a mean, the mean where it can be told.
    #[must_use]
    pub fn value_text(&self, cell: &CellView) -> String {
        match self.mean(cell) {
            Some(mean) => number_text(mean, self.scale.saturating_add(1)),
            None if self.measure == "mean" => {
                let (sum, count) = (cell.value, cell.contributors);
                format!("{} over {}", bounds_text(sum, self.scale), bounds_text(count, 0))
            }
            None => bounds_text(cell.value, self.scale),
        }
    }

    /// The figure in a few words: its total; of least and greatest values, the one over all rows.
    #[must_use]
    pub fn headline(&self) -> String {
        if let Some(total) = &self.total {
            return self.value_text(total);
        }
        let values = self.rows.iter().map(|row| row.cell.value);
        let one = values.reduce(|one, other| match self.measure.as_str() {
            "min" => BoundsView { lo: one.lo.min(other.lo), hi: one.hi.min(other.hi) },
            _ => BoundsView { lo: one.lo.max(other.lo), hi: one.hi.max(other.hi) },
        });
        one.map_or_else(|| "no value".to_owned(), |one| bounds_text(one, self.scale))
    }
}
