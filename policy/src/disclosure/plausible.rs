//! Sets aside what cannot be: a subordinate's table that contradicts itself, its definition, or what
//! its population allows. One unit's nonsense must not spoil or stop everybody's figure.

use std::collections::BTreeSet;

use reeve_statement::bounds::{Bounds, Cell};
use reeve_statement::catalogue::{Contributors, Indicator, Measure};
use reeve_statement::table::{RowKey, Table};

use super::protect::contributor_range;

/// The greatest amount of anything that one unit may report, whatever its population: so many that two
/// thousand of them, as many as a superior has subordinates, still fit 64 bits. Without it two
/// liars could make a sum that nobody can tell.
const MOST: i64 = i64::MAX / 2_048;

/// Why a table cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Implausible {
    /// A row's dimension values are not those of the definition.
    #[error("a row of area {} has dimension values that the definition does not know", .0.area)]
    Dimensions(Box<RowKey>),
    /// More rows than the definition has combinations.
    #[error("more rows are said to be unlisted than there are combinations")]
    Combinations,
    /// A value that so many contributors cannot add up to.
    #[error("a row of area {} has a value that its contributors cannot add up to", .0.area)]
    Value(Box<RowKey>),
    /// Rows of least or greatest values are never hidden.
    #[error("a least or greatest value cannot be hidden")]
    HiddenExtreme,
    /// The total is out of what is possible for the unit.
    #[error("the total is at least {found}, more than {possible} is not possible there")]
    Beyond {
        /// The greatest possible total, by amount.
        possible: i64,
        /// The least amount that the table's total can be.
        found: i64,
    },
    /// The total leaves 64 bits.
    #[error("the total is beyond 64 bits")]
    Overflow,
}

/// Judges a subordinate's table. `rounding` is the one its release states; `possible` the greatest
/// amount that its total can be.
///
/// # Errors
/// The first thing that cannot be.
pub fn judge(
    indicator: &Indicator,
    table: &Table,
    rounding: u32,
    possible: Option<i64>,
) -> Result<(), Implausible> {
    dimensions(indicator, table)?;
    let contributors = Envelope::of(indicator).filter(|_| rounding <= 1);
    if let Some(envelope) = contributors {
        let odd = table.rows.iter().find(|(_, cell)| !envelope.holds(cell));
        if let Some((key, _)) = odd {
            return Err(Implausible::Value(Box::new(key.clone())));
        }
    }
    if indicator.measure.is_additive() {
        let total = table.total().map_err(|_| Implausible::Overflow)?;
        let hidden = table.unlisted.values().map(|hidden| &hidden.each);
        // Rows of both signs may hide each other in the total.
        table.rows.values().chain(hidden).try_for_each(|cell| within(cell, None))?;
        within(&total, possible)
    } else if table.unlisted.is_empty() {
        table.rows.values().try_for_each(|cell| within(cell, possible))
    } else {
        Err(Implausible::HiddenExtreme)
    }
}

fn dimensions(indicator: &Indicator, table: &Table) -> Result<(), Implausible> {
    let domains: Vec<Option<BTreeSet<&str>>> = indicator
        .group_by
        .iter()
        .map(|dimension| dimension.domain().map(|values| values.into_iter().collect()))
        .collect();
    let fits = |key: &RowKey| {
        key.dims.len() == domains.len()
            && key.dims.iter().zip(&domains).all(|(value, domain)| {
                let open = domain.as_ref().is_none_or(|domain| domain.contains(value.as_str()));
                open || value.is_empty()
            })
    };
    if let Some(key) = table.rows.keys().find(|key| !fits(key)) {
        return Err(Implausible::Dimensions(Box::new(key.clone())));
    }
    let most = indicator.combinations().unwrap_or(u32::MAX);
    let few = table.unlisted.values().all(|unlisted| unlisted.rows <= most);
    if few { Ok(()) } else { Err(Implausible::Combinations) }
}

fn within(cell: &Cell, possible: Option<i64>) -> Result<(), Implausible> {
    let far = |bounds: Bounds| bounds.hi().max(bounds.lo().saturating_neg());
    let farthest = far(cell.value).max(far(cell.contributors));
    if farthest > MOST {
        return Err(Implausible::Beyond { possible: MOST, found: farthest });
    }
    let Some(possible) = possible else { return Ok(()) };
    let found = cell.value.lo().max(cell.value.hi().saturating_neg());
    if found > possible { Err(Implausible::Beyond { possible, found }) } else { Ok(()) }
}

/// What so many contributors can add up to.
struct Envelope {
    least: i128,
    most: i128,
    /// Where the value itself counts contributors, corrections may take it below.
    open_below: bool,
}

impl Envelope {
    /// Extremes and sums without a declared range have none.
    fn of(indicator: &Indicator) -> Option<Self> {
        let (least, most) = contributor_range(indicator).ok()?;
        let counted = !matches!(indicator.measure, Measure::Count);
        let open_below = counted && indicator.contributors == Contributors::Value;
        Some(Self { least: i128::from(least), most: i128::from(most), open_below })
    }

    fn holds(&self, cell: &Cell) -> bool {
        let few = i128::from(cell.contributors.lo());
        let many = i128::from(cell.contributors.hi());
        let least = (few * self.least).min(many * self.least);
        let most = (few * self.most).max(many * self.most);
        let (lo, hi) = (i128::from(cell.value.lo()), i128::from(cell.value.hi()));
        few >= 0 && (self.open_below || lo >= least) && hi <= most
    }
}
