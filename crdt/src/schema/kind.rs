//! What a schema says of one kind of record: its twin, its fields, how its records merge.
//!
//! These are plain descriptions. Reading them from a file is in `parse`, holding a record
//! against them in [`crate::record`].

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use reeve_statement::catalogue::Titles;
use reeve_statement::digest::Digest;
use reeve_statement::names::{FieldId, KindId};

use crate::record::RecordId;

/// Records that one shard is meant to hold. At 1,000 a change costs tens of microseconds to apply
/// and a shard is rewritten in a few hundred kilobytes; both grow with the shard.
pub const RECORDS_PER_SHARD: u64 = 1_000;

/// Most shards of one kind: 65 million records, more than the largest register of persons here.
pub const MAX_SHARDS: u64 = 65_536;

/// Which of the two twins a kind belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Twin {
    /// The city twin: facilities, roads, population groups, sensors. Refers to the city twin only.
    City,
    /// The emergency twin: cases, supplies, teams, incidents. May refer to both.
    Emergency,
}

/// How concurrent changes of one record meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Merge {
    /// One of the two whole records wins.
    Record,
    /// Field by field: for kinds that several departments edit at once.
    Field,
}

/// Whom a kind's records stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// Persons: the kind is personal, and the floors of disclosure bind its indicators.
    Person,
    /// Anything else.
    Thing,
}

/// Who may be shown a field's values at all; policies refer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sensitivity {
    /// Already public, such as a facility's name.
    Public,
    /// For the home only.
    Internal,
    /// About a person.
    Personal,
}

/// How long a record is kept: a calendar span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Retention {
    /// Calendar years.
    pub years: i16,
    /// Calendar months.
    pub months: i32,
    /// Days.
    pub days: i32,
}

/// The type of a field, with its domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldType {
    /// One of a closed list of values.
    Enum {
        /// The values in the order of the file.
        values: Vec<Arc<str>>,
    },
    /// One of a closed, ordered list of bands, such as age groups.
    Band {
        /// The labels, lowest first.
        labels: Vec<Arc<str>>,
    },
    /// Free text; never a dimension.
    Text {
        /// Most characters (Unicode scalar values).
        max: u32,
    },
    /// A whole number of a declared range.
    Integer {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// A decimal number, held as a whole number of units of `10^-scale`.
    Decimal {
        /// Digits after the point.
        scale: u8,
        /// Least value, scaled.
        min: i64,
        /// Greatest value, scaled.
        max: i64,
    },
    /// True or false.
    Boolean,
    /// A civil date.
    Date,
    /// A moment.
    Timestamp,
    /// The id of a record of another kind.
    Reference {
        /// The kind referred to.
        kind: KindId,
    },
}

/// One field of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field {
    /// Its name.
    pub id: FieldId,
    /// Its name for people, by language.
    pub titles: Titles,
    /// Its type.
    pub field_type: FieldType,
    /// Whether every record must set it.
    pub required: bool,
    /// Who may be shown it.
    pub sensitivity: Sensitivity,
}

/// One kind of record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kind {
    /// Its name.
    pub id: KindId,
    /// Its name for people, by language.
    pub titles: Titles,
    /// Its twin.
    pub twin: Twin,
    /// Number of shards, a power of two.
    pub shards: u32,
    /// How concurrent changes of one record meet.
    pub merge: Merge,
    /// How long records are kept; `None` is for ever.
    pub retention: Option<Retention>,
    /// Whom its records stand for.
    pub subject: Subject,
    /// Its fields by name.
    pub fields: BTreeMap<FieldId, Field>,
}

impl Kind {
    /// Whether records stand for persons, so that the floors of disclosure bind.
    #[must_use]
    pub fn is_personal(&self) -> bool {
        self.subject == Subject::Person
    }

    /// The field of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.get(name)
    }

    /// A hash over the kind's definition.
    #[must_use]
    pub fn hash(&self) -> Digest {
        super::hash::of_kind(self)
    }

    /// The shard that holds the record of this id: the same on every node of the home.
    #[must_use]
    pub fn shard_of(&self, id: &RecordId) -> u32 {
        let kind = self.id.as_str().as_bytes();
        let hash = Digest::of_parts(&[b"reeve/shard/1\0", kind, b"\0", id.as_str().as_bytes()]);
        let [a, b, c, d, ..] = *hash.as_bytes();
        u32::from_be_bytes([a, b, c, d]) & self.shards.saturating_sub(1)
    }
}

impl FieldType {
    /// The type's name in the schema file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Enum { .. } => "enum",
            Self::Band { .. } => "band",
            Self::Text { .. } => "text",
            Self::Integer { .. } => "integer",
            Self::Decimal { .. } => "decimal",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Reference { .. } => "reference",
        }
    }

    /// The values of a closed domain in the order of the file; `None` if the type has none.
    #[must_use]
    pub fn domain(&self) -> Option<&[Arc<str>]> {
        match self {
            Self::Enum { values } => Some(values),
            Self::Band { labels } => Some(labels),
            _ => None,
        }
    }

    /// Least and greatest value of a number, scaled; `None` if the type is no number.
    #[must_use]
    pub fn range(&self) -> Option<(i64, i64)> {
        match self {
            Self::Integer { min, max } | Self::Decimal { min, max, .. } => Some((*min, *max)),
            _ => None,
        }
    }
}

/// Number of shards for so many expected records: a power of two, so that a mask selects one.
#[must_use]
pub fn shards_for(expected_records: u64) -> u32 {
    let shards = expected_records.div_ceil(RECORDS_PER_SHARD).max(1).next_power_of_two();
    u32::try_from(shards.min(MAX_SHARDS)).unwrap_or(u32::MAX)
}

impl FromStr for Retention {
    type Err = ();

    /// Reads an ISO 8601 duration of years, months, weeks and days, such as `P5Y` or `P18M`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // jiff also reads "5 years"; one spelling is enough here.
        let iso = text.strip_prefix('P').filter(|rest| !rest.contains(' ')).map(|_| text);
        let span: jiff::Span = iso.ok_or(())?.parse().map_err(|_| ())?;
        let days = span.get_weeks().checked_mul(7).and_then(|d| d.checked_add(span.get_days()));
        let retention =
            Self { years: span.get_years(), months: span.get_months(), days: days.ok_or(())? };
        let calendar_only = jiff::Span::new()
            .try_years(span.get_years())
            .and_then(|s| s.try_months(span.get_months()))
            .and_then(|s| s.try_weeks(span.get_weeks()))
            .and_then(|s| s.try_days(span.get_days()))
            .map_err(|_| ())?;
        let positive = span.is_positive() && calendar_only.fieldwise() == span.fieldwise();
        if positive { Ok(retention) } else { Err(()) }
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "P{}Y{}M{}D", self.years, self.months, self.days)
    }
}
