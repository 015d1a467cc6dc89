//! Refuses overlapping personal indicators: two different cuts of the same persons, of which at
//! least one is protected for a class, can be subtracted from each other.
//!
//! This check knows definitions only. What one protected table reveals by itself, and over time, is
//! the affair of disclosure control.

use std::collections::{BTreeMap, BTreeSet};

use reeve_statement::catalogue::{Filter, Indicator, RecipientClass, Scalar};
use reeve_statement::names::FieldId;

use super::floors::{NEVER, shown};
use super::indicator::{Draft, same_selection};
use crate::located::Report;

/// Holds each pair of indicators against the rule; a problem stands at the later one.
pub(super) fn check(drafts: &[Draft], report: &mut Report<'_>) {
    for (index, later) in drafts.iter().enumerate() {
        for earlier in drafts.iter().take(index) {
            pair(earlier, later, report);
        }
    }
}

fn pair(earlier: &Draft, later: &Draft, report: &mut Report<'_>) {
    let (a, b) = (&earlier.indicator, &later.indicator);
    let candidates = a.personal && b.personal && a.kind == b.kind;
    if !candidates || same_cut(a, b) || disjoint(&a.filter, &b.filter) {
        return;
    }
    let classes: Vec<String> = RecipientClass::ALL
        .into_iter()
        .filter(|class| subtractable(a.floors.of(*class), b.floors.of(*class)))
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
        "an overlap with `{}` for {}: one table less the other may tell a hidden cell",
        a.id,
        classes.join(", ")
    );
    let next = "leave the class out of one `floor`, give both the same where, period, group_by and \
                residual, or let a field's value tell their records apart";
    report.add(later.span.clone(), &later.path, expected, found, next);
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
