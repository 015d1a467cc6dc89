//! Filters made ready for many records: fields become places in a row of values, constants become
//! what values are compared by.
//!
//! An unset field, or a value of another type than the filter expects, satisfies no comparison.

use std::collections::BTreeSet;

use jiff::civil::Date;
use reeve_statement::catalogue::{Filter, Scalar};
use reeve_statement::names::FieldId;
use reeve_statement::time::Timestamp;

use super::plan::{Fault, Slots};
use crate::record::{Value, days_of};
use crate::schema::{FieldType, Kind};

/// The values of the fields that a kind's indicators read, in the order of its [`Slots`].
pub(super) type Row<'r> = [Option<&'r Value>];

/// The value at a place of a row.
pub(super) fn at<'r>(row: &Row<'r>, slot: usize) -> Option<&'r Value> {
    row.get(slot).copied().flatten()
}

/// A filter made ready.
pub(super) enum Condition {
    /// The ordinal lies in this closed interval.
    Within { slot: usize, lo: i64, hi: i64 },
    /// The ordinal is one of these.
    Ordinals { slot: usize, ordinals: BTreeSet<i64> },
    /// The text is one of these.
    Texts { slot: usize, texts: BTreeSet<String> },
    /// The field is set.
    Set { slot: usize },
    /// It does not hold.
    Not(Box<Condition>),
    /// At least one holds.
    Any(Vec<Condition>),
    /// All hold.
    All(Vec<Condition>),
}

impl Condition {
    pub(super) fn holds(&self, row: &Row<'_>) -> bool {
        match self {
            Self::Within { slot, lo, hi } => {
                at(row, *slot).and_then(ordinal).is_some_and(|n| *lo <= n && n <= *hi)
            }
            Self::Ordinals { slot, ordinals } => {
                at(row, *slot).and_then(ordinal).is_some_and(|n| ordinals.contains(&n))
            }
            Self::Texts { slot, texts } => {
                at(row, *slot).and_then(Value::as_text).is_some_and(|text| texts.contains(text))
            }
            Self::Set { slot } => at(row, *slot).is_some(),
            Self::Not(inner) => !inner.holds(row),
            Self::Any(inner) => inner.iter().any(|condition| condition.holds(row)),
            Self::All(inner) => inner.iter().all(|condition| condition.holds(row)),
        }
    }

    /// Holds for no record.
    fn never() -> Self {
        Self::Any(Vec::new())
    }

    /// Makes a filter over records of `kind` ready.
    pub(super) fn of(filter: &Filter, kind: &Kind, slots: &mut Slots) -> Result<Self, Fault> {
        let several = |filters: &[Filter], slots: &mut Slots| {
            filters.iter().map(|inner| Self::of(inner, kind, slots)).collect::<Result<_, _>>()
        };
        let mut compare = |field: &FieldId, interval: Interval<'_>| {
            let (slot, field_type) = slots.place(kind, field)?;
            interval.condition(slot, field, field_type)
        };
        match filter {
            Filter::Equal(field, value) => compare(field, Interval::from(Some(value), Some(value))),
            Filter::AtLeast(field, value) => compare(field, Interval::from(Some(value), None)),
            Filter::AtMost(field, value) => compare(field, Interval::from(None, Some(value))),
            Filter::Between(field, lo, hi) => compare(field, Interval::from(Some(lo), Some(hi))),
            Filter::Less(field, value) => compare(field, Interval::from(None, Some(value)).open()),
            Filter::Greater(field, value) => {
                compare(field, Interval::from(Some(value), None).open())
            }
            Filter::In(field, values) => {
                let (slot, field_type) = slots.place(kind, field)?;
                one_of(values, slot, field, field_type)
            }
            Filter::IsSet(field) => Ok(Self::Set { slot: slots.place(kind, field)?.0 }),
            Filter::Not(inner) => Ok(Self::Not(Box::new(Self::of(inner, kind, slots)?))),
            Filter::Any(filters) => several(filters, slots).map(Self::Any),
            Filter::All(filters) => several(filters, slots).map(Self::All),
        }
    }
}

/// What a value other than a text is compared by: numbers themselves, days and milliseconds since
/// 1970, false before true.
pub(super) fn ordinal(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) | Value::Decimal(number) => Some(*number),
        Value::Boolean(value) => Some(i64::from(*value)),
        Value::Date(date) => Some(i64::from(days_of(*date))),
        Value::Timestamp(at) => Some(at.as_millis()),
        Value::Text(_) | Value::Enum(_) | Value::Reference(_) => None,
    }
}

/// The ordinal of a constant of a field's type; `None` if it is of another type.
fn constant(field_type: &FieldType, scalar: &Scalar) -> Option<i64> {
    match (field_type, scalar) {
        (FieldType::Integer { .. } | FieldType::Decimal { .. }, Scalar::Integer(number)) => {
            Some(*number)
        }
        (FieldType::Boolean, Scalar::Boolean(value)) => Some(i64::from(*value)),
        (FieldType::Date, Scalar::Text(text)) => {
            text.parse::<Date>().ok().map(|date| i64::from(days_of(date)))
        }
        (FieldType::Timestamp, Scalar::Text(text)) => {
            text.parse::<Timestamp>().ok().map(Timestamp::as_millis)
        }
        _ => None,
    }
}

fn is_text(field_type: &FieldType) -> bool {
    matches!(
        field_type,
        FieldType::Text { .. }
            | FieldType::Enum { .. }
            | FieldType::Band { .. }
            | FieldType::Reference { .. }
    )
}

/// A comparison: between two constants, either of which may be absent.
struct Interval<'f> {
    lo: Option<&'f Scalar>,
    hi: Option<&'f Scalar>,
    /// Whether the constants themselves are left out.
    open: bool,
}

impl<'f> Interval<'f> {
    const fn from(lo: Option<&'f Scalar>, hi: Option<&'f Scalar>) -> Self {
        Self { lo, hi, open: false }
    }

    const fn open(self) -> Self {
        Self { open: true, ..self }
    }

    fn condition(
        &self,
        slot: usize,
        field: &FieldId,
        field_type: &FieldType,
    ) -> Result<Condition, Fault> {
        if is_text(field_type) {
            // Texts are compared for equality only.
            return match (self.lo, self.hi) {
                (Some(lo), Some(hi)) if lo == hi => {
                    one_of(std::slice::from_ref(lo), slot, field, field_type)
                }
                _ => Err(Fault::NoOrder(field.clone())),
            };
        }
        let end = |scalar: Option<&Scalar>, absent: i64| match scalar {
            None => Ok(absent),
            Some(scalar) => {
                constant(field_type, scalar).ok_or_else(|| Fault::Constant(field.clone()))
            }
        };
        let (lo, hi) = (end(self.lo, i64::MIN)?, end(self.hi, i64::MAX)?);
        // Only one end of an open comparison is given; past the last number nothing satisfies it.
        let step = i64::from(self.open);
        let lo = if self.lo.is_some() { lo.checked_add(step) } else { Some(lo) };
        let hi = if self.hi.is_some() { hi.checked_sub(step) } else { Some(hi) };
        Ok(match (lo, hi) {
            (Some(lo), Some(hi)) => Condition::Within { slot, lo, hi },
            _ => Condition::never(),
        })
    }
}

fn one_of(
    values: &[Scalar],
    slot: usize,
    field: &FieldId,
    field_type: &FieldType,
) -> Result<Condition, Fault> {
    let wrong = || Fault::Constant(field.clone());
    if is_text(field_type) {
        let text = |scalar: &Scalar| match scalar {
            Scalar::Text(text) => Ok(text.clone()),
            _ => Err(wrong()),
        };
        let texts = values.iter().map(text).collect::<Result<_, _>>()?;
        return Ok(Condition::Texts { slot, texts });
    }
    let ordinals = values
        .iter()
        .map(|scalar| constant(field_type, scalar).ok_or_else(wrong))
        .collect::<Result<_, _>>()?;
    Ok(Condition::Ordinals { slot, ordinals })
}
