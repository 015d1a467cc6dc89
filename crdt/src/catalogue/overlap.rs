//! Refuses overlapping personal indicators: two different cuts of the same persons, of which at
//! least one is protected for a class, can be subtracted from each other. So can two figures of one cut
//! that count other persons, or hide at other floors. The message says what less what tells whom.
//!
//! This check knows definitions only. What one protected table reveals by itself, and over time, is
//! the affair of disclosure control.

use std::collections::{BTreeMap, BTreeSet};

use reeve_statement::catalogue::{
    Contributors, Filter, Indicator, Measure, RecipientClass, Scalar,
};
use reeve_statement::names::FieldId;
use reeve_statement::period::Step;

use super::floors::{NEVER, shown};
use super::indicator::{Draft, same_selection};
use crate::located::Report;
use crate::schema::Schema;

/// Holds each pair of indicators against the rule; a problem stands at the later one.
pub(super) fn check(drafts: &[Draft], schema: &Schema, report: &mut Report<'_>) {
    for (index, later) in drafts.iter().enumerate() {
        for earlier in drafts.iter().take(index) {
            pair(earlier, later, schema, report);
        }
    }
}

fn pair(earlier: &Draft, later: &Draft, schema: &Schema, report: &mut Report<'_>) {
    let (a, b) = (&earlier.indicator, &later.indicator);
    let candidates = a.personal && b.personal && a.kind == b.kind;
    if !candidates || disjoint(&a.filter, &b.filter) {
        return;
    }
    let same_rows = same_cut(a, b) && same_contributors(a, b, schema);
    let classes: Vec<String> = RecipientClass::ALL
        .into_iter()
        .filter(|class| {
            let (a, b) = (a.floors.of(*class), b.floors.of(*class));
            subtractable(a, b) && !(same_rows && a == b)
        })
        .map(|class| {
            let (a, b) = (a.floors.of(class), b.floors.of(class));
            format!("{class} (floors {} and {})", shown(a), shown(b))
        })
        .collect();
    if classes.is_empty() {
        return;
    }
    let expected = format!(
        "no second cut of the personal kind `{}` for a class that one of them protects",
        b.kind
    );
    let found = format!(
        "an overlap with `{}` for {}: {}",
        a.id,
        classes.join(", "),
        subtraction(a, b, same_rows)
    );
    let next = "leave the class out of one `floor`, give both the same where, period, group_by, \
                residual, floors and counted persons, or let a field's value tell their records apart";
    report.add(later.span.clone(), &later.path, expected, found, next);
}

/// What is subtracted from what, and what that tells.
fn subtraction(a: &Indicator, b: &Indicator, same_rows: bool) -> String {
    let (one, other) = (&a.id, &b.id);
    if same_rows {
        return format!(
            "both count the same persons at different floors, so that a row which `{one}` hides may \
             stand in `{other}`, and their steps in time differ by single persons"
        );
    }
    if a.step != b.step {
        let (long, short) = if length(a.step) > length(b.step) { (a, b) } else { (b, a) };
        return format!(
            "a {} of `{}` less all but one {} of `{}` within it tells the last one, however small",
            long.step, long.id, short.step, short.id
        );
    }
    if a.filter != b.filter {
        return format!(
            "a row of the one less the same row of the other tells how many of `{one}` are not in \
             `{other}`, or the other way round, however few"
        );
    }
    if a.group_by != b.group_by {
        return format!(
            "the rows of `{one}` added up, less all but one of the rows of `{other}` that make up \
             the same persons, tell the last one, however small"
        );
    }
    if !same_cut(a, b) {
        return format!(
            "a row of `{one}` less the same row of `{other}` tells how many persons the one puts \
             there and the other elsewhere"
        );
    }
    format!(
        "the contributors of a row of the one less those of the other tell how many persons lack the \
         field that `{one}` or `{other}` measures"
    )
}

const fn length(step: Step) -> u8 {
    match step {
        Step::Now => 0,
        Step::Day => 1,
        Step::Week => 2,
        Step::Month => 3,
    }
}

/// Whether the same persons stand behind each row of both: every record of the cut, or those with the
/// same field.
fn same_contributors(a: &Indicator, b: &Indicator, schema: &Schema) -> bool {
    let counted = |indicator: &Indicator| {
        let field = measured(&indicator.measure)?;
        let kind = schema.kind(indicator.kind.as_str())?;
        let required = kind.field(field.as_str()).is_some_and(|field| field.required);
        let by_value = indicator.contributors == Contributors::Value;
        (by_value || !required).then(|| (field.clone(), indicator.contributors))
    };
    counted(a) == counted(b)
}

const fn measured(measure: &Measure) -> Option<&FieldId> {
    match measure {
        Measure::Count => None,
        Measure::Sum(field) | Measure::Mean(field) | Measure::Min(field) | Measure::Max(field) => {
            Some(field)
        }
        Measure::LatestSum { field, .. } => Some(field),
    }
}

/// Whether a class is told both, and at least one of them protected.
const fn subtractable(a: u32, b: u32) -> bool {
    let told = a != NEVER && b != NEVER;
    let exact = a == 1 && b == 1;
    told && !exact
}

/// Whether both put the same records into the same cells.
fn same_cut(a: &Indicator, b: &Indicator) -> bool {
    a.filter == b.filter
        && a.step == b.step
        && a.period_field == b.period_field
        && a.group_by == b.group_by
        && a.residual == b.residual
        && same_selection(&a.measure, &b.measure)
}

/// What a filter demands of a field in any case.
#[derive(Default)]
struct Demand {
    /// The values it may have, if limited.
    values: Option<BTreeSet<Scalar>>,
    /// Whether it must be set.
    set: bool,
    /// Whether it must not be set.
    unset: bool,
}

/// Whether no record can pass both: some field must have different values.
fn disjoint(a: &Filter, b: &Filter) -> bool {
    let (mut of_a, mut of_b) = (BTreeMap::new(), BTreeMap::new());
    demands(a, &mut of_a);
    demands(b, &mut of_b);
    of_a.iter().any(|(field, a)| of_b.get(field).is_some_and(|b| exclude(a, b)))
}

fn exclude(a: &Demand, b: &Demand) -> bool {
    let apart = match (&a.values, &b.values) {
        (Some(a), Some(b)) => a.is_disjoint(b),
        _ => false,
    };
    apart || (a.set && b.unset) || (a.unset && b.set)
}

fn demands<'f>(filter: &'f Filter, demands_of: &mut BTreeMap<&'f FieldId, Demand>) {
    match filter {
        Filter::Equal(field, value) => {
            limit(demands_of.entry(field).or_default(), std::slice::from_ref(value));
        }
        Filter::In(field, values) => limit(demands_of.entry(field).or_default(), values),
        Filter::Less(field, _)
        | Filter::AtMost(field, _)
        | Filter::Greater(field, _)
        | Filter::AtLeast(field, _)
        | Filter::Between(field, _, _)
        | Filter::IsSet(field) => demands_of.entry(field).or_default().set = true,
        Filter::Not(inner) => {
            if let Filter::IsSet(field) = inner.as_ref() {
                demands_of.entry(field).or_default().unset = true;
            }
        }
        Filter::All(filters) => filters.iter().for_each(|inner| demands(inner, demands_of)),
        Filter::Any(_) => {}
    }
}

fn limit(demand: &mut Demand, values: &[Scalar]) {
    let values: BTreeSet<Scalar> = values.iter().cloned().collect();
    demand.set = true;
    demand.values = Some(match demand.values.take() {
        Some(before) => before.intersection(&values).cloned().collect(),
        None => values,
    });
}
