//! One indicator made ready: from a record to what it contributes, and from a bucket to a row.
//!
//! A *bucket* is the engine's own form of a row: residual and dimension values as numbers of their
//! domains, references as record ids. Values reached through a reference are looked up when a table is
//! made, so that a record that moves (a hospital to another district) re-buckets nothing.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use reeve_statement::catalogue::{Dimension, Indicator, Measure};
use reeve_statement::names::{FieldId, KindId};
use reeve_statement::period::Step;
use reeve_statement::table::{Area, RowKey};
use reeve_statement::unit::UnitId;

use super::condition::{Condition, Row, at, ordinal};
use super::key::{DAY_BYTES, Reader, day_bytes, day_of_period, number_bytes, push_text};
use super::lookup::Lookups;
use crate::record::{RecordId, Value, days_of};
use crate::schema::{FieldType, Kind, Schema};

/// Why an indicator does not fit the schema. The catalogue was checked against another one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The schema has no such kind.
    #[error("the schema has no kind `{0}`")]
    Kind(KindId),
    /// The kind has no such field.
    #[error("the schema has no field `{0}` of that kind")]
    Field(FieldId),
    /// A constant is not of the field's type.
    #[error("a constant for `{0}` is not of its type in the schema")]
    Constant(FieldId),
    /// Texts have no order.
    #[error("`{0}` has no order in the schema")]
    NoOrder(FieldId),
    /// The field is of another type than its use asks for.
    #[error("`{0}` has another type in the schema")]
    Type(FieldId),
    /// The step needs a field, or may have none.
    #[error("the period's step and field do not go together")]
    Period,
}

/// Which fields of a kind its indicators read, each at its place in a row.
#[derive(Default)]
pub(super) struct Slots {
    pub(super) fields: Vec<FieldId>,
}

impl Slots {
    /// The place of a field, and its type.
    pub(super) fn place<'k>(
        &mut self,
        kind: &'k Kind,
        field: &FieldId,
    ) -> Result<(usize, &'k FieldType), Fault> {
        let known = kind.field(field.as_str()).ok_or_else(|| Fault::Field(field.clone()))?;
        let place = self.fields.iter().position(|known| known == field).unwrap_or_else(|| {
            self.fields.push(field.clone());
            self.fields.len().saturating_sub(1)
        });
        Ok((place, &known.field_type))
    }
}

/// The numbers of a closed domain's values, from 1; 0 is "not set".
pub(super) struct Domain {
    numbers: BTreeMap<String, u16>,
    values: Vec<String>,
}

impl Domain {
    pub(super) fn of(values: &[String]) -> Self {
        let numbers = (1_u16..).zip(values).map(|(number, value)| (value.clone(), number));
        Self { numbers: numbers.collect(), values: values.to_vec() }
    }

    /// Whether it is the domain of just these values.
    pub(super) fn has(&self, values: &[String]) -> bool {
        self.values == values
    }

    /// The number of a value; 0 if it is not set or not of the domain.
    pub(super) fn number(&self, value: Option<&Value>) -> u16 {
        let text = match value {
            Some(Value::Boolean(true)) => "true",
            Some(Value::Boolean(false)) => "false",
            Some(value) => value.as_text().unwrap_or_default(),
            None => return 0,
        };
        self.numbers.get(text).copied().unwrap_or(0)
    }

    /// The value of a number; "" for 0.
    pub(super) fn value(&self, number: u16) -> String {
        let index = usize::from(number).checked_sub(1);
        index.and_then(|index| self.values.get(index)).cloned().unwrap_or_default()
    }
}

/// One dimension made ready.
enum Part {
    Closed { slot: usize, domain: Domain },
    Band { slot: usize, spans: Vec<(i64, i64, u16)>, labels: Domain },
    Reference { slot: usize },
    Through { slot: usize, lookup: usize, column: usize },
}

/// What is counted, made ready.
pub(super) enum Counted {
    /// Records.
    Records,
    /// A field's sum, and the records where it is set.
    Sum { slot: usize },
    /// A field's least or greatest value.
    Extreme { slot: usize, greatest: bool },
    /// The latest readings.
    Latest { slot: usize, by: Vec<usize>, at: usize, max_age_days: i32 },
}

/// One indicator made ready.
pub(super) struct Plan {
    pub(super) indicator: Indicator,
    pub(super) counted: Counted,
    condition: Condition,
    period_slot: Option<usize>,
    residual: Option<(usize, Domain)>,
    parts: Vec<Part>,
}

/// What one record adds to an indicator.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Contribution {
    /// First day of its period.
    pub(super) day: i32,
    /// Where it is kept: under the period's day and the bucket, or as a reading.
    pub(super) key: Vec<u8>,
    /// The bucket of a reading.
    pub(super) bucket: Vec<u8>,
    /// The value.
    pub(super) value: i64,
}

impl Plan {
    /// Makes an indicator ready.
    pub(super) fn of(
        indicator: &Indicator,
        schema: &Schema,
        slots: &mut Slots,
        lookups: &mut Lookups,
    ) -> Result<Self, Fault> {
        let kind = schema.kind(indicator.kind.as_str());
        let kind = kind.ok_or_else(|| Fault::Kind(indicator.kind.clone()))?;
        let period_slot = match (&indicator.period_field, indicator.step) {
            (None, Step::Now) => None,
            (Some(field), Step::Day | Step::Week | Step::Month) => {
                Some(moment(kind, field, slots)?)
            }
            _ => return Err(Fault::Period),
        };
        let residual = match &indicator.residual {
            None => None,
            Some(field) => {
                let (slot, field_type) = slots.place(kind, field)?;
                let values = field_type.domain().ok_or_else(|| Fault::Type(field.clone()))?;
                let values: Vec<String> = values.iter().map(ToString::to_string).collect();
                Some((slot, Domain::of(&values)))
            }
        };
        let part = |dimension| Part::of(dimension, kind, schema, slots, lookups);
        let parts = indicator.group_by.iter().map(part).collect::<Result<_, _>>()?;
        Ok(Self {
            condition: Condition::of(&indicator.filter, kind, slots)?,
            counted: Counted::of(&indicator.measure, kind, slots)?,
            indicator: indicator.clone(),
            period_slot,
            residual,
            parts,
        })
    }

    /// The lookups it reads when a table is made.
    pub(super) fn lookups(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().filter_map(|part| match part {
            Part::Through { lookup, .. } => Some(*lookup),
            _ => None,
        })
    }

    /// Puts what a record adds into `into`; `false` if it adds nothing.
    pub(super) fn contribution(
        &self,
        id: &RecordId,
        row: &Row<'_>,
        zone: &TimeZone,
        into: &mut Contribution,
    ) -> bool {
        into.key.clear();
        into.bucket.clear();
        self.condition.holds(row) && self.contribute(id, row, zone, into).is_some()
    }

    fn contribute(
        &self,
        id: &RecordId,
        row: &Row<'_>,
        zone: &TimeZone,
        into: &mut Contribution,
    ) -> Option<()> {
        let step = self.indicator.step;
        into.day = match self.period_slot {
            None => day_of_period(reeve_statement::period::Period::Now),
            Some(slot) => super::key::first_day(step, self.day(at(row, slot)?, zone)?)?,
        };
        into.value = match &self.counted {
            Counted::Records => 1,
            Counted::Sum { slot }
            | Counted::Extreme { slot, .. }
            | Counted::Latest { slot, .. } => at(row, *slot)?.as_number()?,
        };
        if let Counted::Latest { by, at: moment, .. } = &self.counted {
            by.iter().for_each(|slot| push_by(&mut into.key, at(row, *slot)));
            let taken = at(row, *moment)?;
            into.key.extend(day_bytes(self.day(taken, zone)?));
            into.key.extend(number_bytes(ordinal(taken)?));
            into.key.extend(id.as_str().as_bytes());
            self.push_bucket(&mut into.bucket, row);
        } else {
            into.key.extend(day_bytes(into.day));
            self.push_bucket(&mut into.key, row);
            if let Counted::Extreme { .. } = &self.counted {
                into.key.extend(number_bytes(into.value));
            }
        }
        Some(())
    }

    /// The day of a date, or that of a moment in the unit's time zone, by the cut-off hour.
    fn day(&self, value: &Value, zone: &TimeZone) -> Option<i32> {
        match value {
            Value::Date(date) => Some(days_of(*date)),
            Value::Timestamp(at) => {
                let moment = zone.to_datetime(at.to_jiff()?);
                let day = match self.indicator.cut_off {
                    Some(cut_off) => cut_off.day_of(moment)?,
                    None => moment.date(),
                };
                Some(days_of(day))
            }
            _ => None,
        }
    }

    fn push_bucket(&self, key: &mut Vec<u8>, row: &Row<'_>) {
        if let Some((slot, domain)) = &self.residual {
            key.extend(domain.number(at(row, *slot)).to_be_bytes());
        }
        for part in &self.parts {
            match part {
                Part::Closed { slot, domain } => {
                    key.extend(domain.number(at(row, *slot)).to_be_bytes());
                }
                Part::Band { slot, spans, .. } => {
                    key.extend(band(spans, at(row, *slot)).to_be_bytes());
                }
                Part::Reference { slot } | Part::Through { slot, .. } => {
                    push_text(key, at(row, *slot).and_then(Value::as_text).unwrap_or_default());
                }
            }
        }
    }

    /// The row that a bucket belongs to now; `None` if the bytes are no bucket of this indicator.
    pub(super) fn row(&self, bucket: &[u8], lookups: &Lookups) -> Option<RowKey> {
        let mut reader = Reader(bucket);
        let residual = match &self.residual {
            None => None,
            Some((_, domain)) => {
                let value = domain.value(reader.index()?);
                if value.is_empty() { None } else { Some(UnitId::new(&value).ok()?) }
            }
        };
        let dims = self.parts.iter().map(|part| {
            Some(match part {
                Part::Closed { domain, .. } => domain.value(reader.index()?),
                Part::Band { labels, .. } => labels.value(reader.index()?),
                Part::Reference { .. } => reader.text()?.to_owned(),
                Part::Through { lookup, column, .. } => {
                    lookups.value(*lookup, *column, reader.text()?)
                }
            })
        });
        let dims = dims.collect::<Option<Vec<String>>>()?;
        Some(RowKey { area: Area { units: Vec::new(), residual }, dims })
    }

    /// The bytes of a reading's key that say of what it is a reading.
    pub(super) fn stock<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        let Counted::Latest { by, .. } = &self.counted else { return None };
        let mut reader = Reader(key);
        for _ in by {
            match reader.bytes()? {
                [BY_ORDINAL] => drop(reader.number()?),
                [BY_TEXT] => drop(reader.text()?),
                _ => {}
            }
        }
        key.get(..key.len().checked_sub(reader.0.len())?)
    }
}

/// In a reading's key: the field is not set.
const BY_UNSET: u8 = 0;
/// In a reading's key: an ordinal follows.
const BY_ORDINAL: u8 = 1;
/// In a reading's key: a text follows.
const BY_TEXT: u8 = 2;

fn push_by(key: &mut Vec<u8>, value: Option<&Value>) {
    match value.map(|value| (ordinal(value), value.as_text())) {
        Some((Some(number), _)) => {
            key.push(BY_ORDINAL);
            key.extend(number_bytes(number));
        }
        Some((None, Some(text))) => {
            key.push(BY_TEXT);
            push_text(key, text);
        }
        _ => key.push(BY_UNSET),
    }
}

fn band(spans: &[(i64, i64, u16)], value: Option<&Value>) -> u16 {
    let Some(number) = value.and_then(Value::as_number) else { return 0 };
    let holds = |(lo, hi, _): &&(i64, i64, u16)| *lo <= number && number <= *hi;
    spans.iter().find(holds).map_or(0, |(_, _, band)| *band)
}

fn moment(kind: &Kind, field: &FieldId, slots: &mut Slots) -> Result<usize, Fault> {
    let (slot, field_type) = slots.place(kind, field)?;
    match field_type {
        FieldType::Date | FieldType::Timestamp => Ok(slot),
        _ => Err(Fault::Type(field.clone())),
    }
}

fn number(kind: &Kind, field: &FieldId, slots: &mut Slots) -> Result<usize, Fault> {
    let (slot, field_type) = slots.place(kind, field)?;
    field_type.range().map(|_| slot).ok_or_else(|| Fault::Type(field.clone()))
}

impl Counted {
    fn of(measure: &Measure, kind: &Kind, slots: &mut Slots) -> Result<Self, Fault> {
        Ok(match measure {
            Measure::Count => Self::Records,
            Measure::Sum(field) | Measure::Mean(field) => {
                Self::Sum { slot: number(kind, field, slots)? }
            }
            Measure::Min(field) => {
                Self::Extreme { slot: number(kind, field, slots)?, greatest: false }
            }
            Measure::Max(field) => {
                Self::Extreme { slot: number(kind, field, slots)?, greatest: true }
            }
            Measure::LatestSum { field, by, at, max_age_days } => Self::Latest {
                slot: number(kind, field, slots)?,
                by: by
                    .iter()
                    .map(|field| slots.place(kind, field).map(|(slot, _)| slot))
                    .collect::<Result<_, _>>()?,
                at: moment(kind, at, slots)?,
                max_age_days: i32::try_from(*max_age_days).unwrap_or(i32::MAX),
            },
        })
    }
}

impl Part {
    fn of(
        dimension: &Dimension,
        kind: &Kind,
        schema: &Schema,
        slots: &mut Slots,
        lookups: &mut Lookups,
    ) -> Result<Self, Fault> {
        let (slot, field_type) = slots.place(kind, dimension.field())?;
        let wrong = || Fault::Type(dimension.field().clone());
        match dimension {
            Dimension::Field { values, .. } => {
                let closed = field_type.domain().is_some() || *field_type == FieldType::Boolean;
                let domain = Domain::of(values);
                if closed { Ok(Self::Closed { slot, domain }) } else { Err(wrong()) }
            }
            Dimension::Band { bands, .. } => {
                field_type.range().ok_or_else(wrong)?;
                let spans = (1_u16..).zip(bands).map(|(number, band)| {
                    (band.lo.unwrap_or(i64::MIN), band.hi.unwrap_or(i64::MAX), number)
                });
                let labels: Vec<String> = bands.iter().map(|band| band.label.clone()).collect();
                Ok(Self::Band { slot, spans: spans.collect(), labels: Domain::of(&labels) })
            }
            Dimension::Reference { .. } => match field_type {
                FieldType::Reference { .. } => Ok(Self::Reference { slot }),
                _ => Err(wrong()),
            },
            Dimension::Through { field, values, .. } => {
                let FieldType::Reference { kind: target } = field_type else {
                    return Err(wrong());
                };
                let target = schema.kind(target.as_str()).ok_or_else(wrong)?;
                target.field(field.as_str()).ok_or_else(|| Fault::Field(field.clone()))?;
                let (lookup, column) = lookups.column(&target.id, field, values);
                Ok(Self::Through { slot, lookup, column })
            }
        }
    }
}

/// Splits a bucket's key of an extreme's tally into the bucket and the value.
pub(super) fn split_value(key: &[u8]) -> Option<(&[u8], i64)> {
    let (bucket, value) = key.split_last_chunk::<{ super::key::NUMBER_BYTES }>()?;
    Some((bucket, Reader(value).number()?))
}

/// The bucket behind a key that begins with its period's day.
pub(super) fn after_day(key: &[u8]) -> Option<&[u8]> {
    key.get(DAY_BYTES..)
}
