//! Catalogues: the signed, versioned list of indicators, each a named aggregate.
//!
//! A definition is complete by itself: closed domains are written out, so that an auditor needs no
//! schema to know what a table may hold.

use minicbor::{Decode, Encode};

use crate::calendar::DueDays;
use crate::cbor::{bounded_length, bounded_text, bounded_vec, to_vec};
use crate::digest::Digest;
use crate::limits::{DIMENSIONS, FILTER_DEPTH, FILTER_OPERANDS, INDICATORS, TEXT_BYTES};
use crate::names::{FieldId, IndicatorId, KindId};
use crate::period::Step;

/// Most values of one closed dimension, and most bands.
pub const DOMAIN_VALUES: usize = 4_096;

/// Most languages of a title.
const LANGUAGES: usize = 64;

/// A text in several languages, by language tag (BCP 47), sorted by tag.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Titles(pub Vec<(String, String)>);

impl Titles {
    /// The text in `language`, else in English, else the first there is.
    #[must_use]
    pub fn text(&self, language: &str) -> Option<&str> {
        let find = |tag: &str| self.0.iter().find(|(t, _)| t == tag);
        find(language).or_else(|| find("en")).or_else(|| self.0.first()).map(|(_, t)| t.as_str())
    }
}

impl<C> Encode<C> for Titles {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        self.0.encode(e, ctx)
    }
}

impl<'b, C> Decode<'b, C> for Titles {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let mut titles = Vec::new();
        for _ in 0..bounded_length(d, LANGUAGES)? {
            if bounded_length(d, 2)? != 2 {
                return Err(minicbor::decode::Error::message("expected [language, text]"));
            }
            titles.push((bounded_text(d, 35)?, bounded_text(d, TEXT_BYTES)?));
        }
        Ok(Self(titles))
    }
}

/// A constant in a filter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scalar {
    /// A text, an enum's value, a reference's record id, or a date in ISO form.
    Text(String),
    /// An integer, or a decimal times ten to its scale.
    Integer(i64),
    /// A boolean.
    Boolean(bool),
}

impl<C> Encode<C> for Scalar {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        match self {
            Self::Text(text) => e.str(text)?.ok(),
            Self::Integer(number) => e.i64(*number)?.ok(),
            Self::Boolean(boolean) => e.bool(*boolean)?.ok(),
        }
    }
}

impl<'b, C> Decode<'b, C> for Scalar {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        use minicbor::data::Type;
        match d.datatype()? {
            Type::String => bounded_text(d, TEXT_BYTES).map(Self::Text),
            Type::Bool => d.bool().map(Self::Boolean),
            _ => d.i64().map(Self::Integer),
        }
    }
}

/// Which records count. An unset field satisfies no comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// The field equals the constant.
    Equal(FieldId, Scalar),
    /// The field equals one of the constants.
    In(FieldId, Vec<Scalar>),
    /// The field is less than the constant.
    Less(FieldId, Scalar),
    /// The field is at most the constant.
    AtMost(FieldId, Scalar),
    /// The field is greater than the constant.
    Greater(FieldId, Scalar),
    /// The field is at least the constant.
    AtLeast(FieldId, Scalar),
    /// The field lies between both constants, ends included.
    Between(FieldId, Scalar, Scalar),
    /// The field is set.
    IsSet(FieldId),
    /// The filter does not hold.
    Not(Box<Filter>),
    /// At least one holds; none of no filters.
    Any(Vec<Filter>),
    /// All hold; all of no filters, so this is "every record" if empty.
    All(Vec<Filter>),
}

impl Filter {
    /// The filter that every record passes.
    #[must_use]
    pub const fn everything() -> Self {
        Self::All(Vec::new())
    }

    fn decode_at(
        d: &mut minicbor::Decoder<'_>,
        depth: usize,
    ) -> Result<Self, minicbor::decode::Error> {
        let position = d.position();
        let fail = |reason: &str| Err(minicbor::decode::Error::message(reason).at(position));
        if depth == 0 {
            return fail("a filter is nested deeper than sixteen levels");
        }
        let length = bounded_length(d, 4)?;
        let code = d.u8()?;
        let field = |d: &mut minicbor::Decoder<'_>| FieldId::decode(d, &mut ());
        let scalar = |d: &mut minicbor::Decoder<'_>| Scalar::decode(d, &mut ());
        let several = |d: &mut minicbor::Decoder<'_>| {
            let count = bounded_length(d, FILTER_OPERANDS)?;
            (0..count).map(|_| Self::decode_at(d, depth - 1)).collect::<Result<Vec<_>, _>>()
        };
        Ok(match (code, length) {
            (0, 3) => Self::Equal(field(d)?, scalar(d)?),
            (1, 3) => Self::In(field(d)?, bounded_vec(d, &mut (), FILTER_OPERANDS)?),
            (2, 3) => Self::Less(field(d)?, scalar(d)?),
            (3, 3) => Self::AtMost(field(d)?, scalar(d)?),
            (4, 3) => Self::Greater(field(d)?, scalar(d)?),
            (5, 3) => Self::AtLeast(field(d)?, scalar(d)?),
            (6, 4) => Self::Between(field(d)?, scalar(d)?, scalar(d)?),
            (7, 2) => Self::IsSet(field(d)?),
            (8, 2) => Self::Not(Box::new(Self::decode_at(d, depth - 1)?)),
            (9, 2) => Self::Any(several(d)?),
            (10, 2) => Self::All(several(d)?),
            _ => return fail("unknown form of filter"),
        })
    }
}

impl<C> Encode<C> for Filter {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        match self {
            Self::Equal(f, v) => (0_u8, f, v).encode(e, ctx),
            Self::In(f, v) => (1_u8, f, v).encode(e, ctx),
            Self::Less(f, v) => (2_u8, f, v).encode(e, ctx),
            Self::AtMost(f, v) => (3_u8, f, v).encode(e, ctx),
            Self::Greater(f, v) => (4_u8, f, v).encode(e, ctx),
            Self::AtLeast(f, v) => (5_u8, f, v).encode(e, ctx),
            Self::Between(f, lo, hi) => (6_u8, f, lo, hi).encode(e, ctx),
            Self::IsSet(f) => (7_u8, f).encode(e, ctx),
            Self::Not(filter) => (8_u8, filter).encode(e, ctx),
            Self::Any(filters) => (9_u8, filters).encode(e, ctx),
            Self::All(filters) => (10_u8, filters).encode(e, ctx),
        }
    }
}

impl<'b, C> Decode<'b, C> for Filter {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::decode_at(d, FILTER_DEPTH)
    }
}

/// What is computed from the records that count.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Measure {
    /// How many records there are.
    #[n(0)]
    Count,
    /// Sum of a field over the records where it is set.
    #[n(1)]
    Sum(#[n(0)] FieldId),
    /// Mean of a field: a cell holds the sum, and the count of set values as its contributors.
    #[n(2)]
    Mean(#[n(0)] FieldId),
    /// Least value; not on personal kinds.
    #[n(3)]
    Min(#[n(0)] FieldId),
    /// Greatest value; not on personal kinds.
    #[n(4)]
    Max(#[n(0)] FieldId),
    /// Stocks: of the records that share the values of `by`, only the one latest in `at` counts, and
    /// only if it is not older than `max_age_days` at the end of the period.
    #[n(5)]
    LatestSum {
        /// The field to add.
        #[n(0)]
        field: FieldId,
        /// What makes two records readings of the same stock.
        #[cbor(n(1), decode_with = "decode_by_fields")]
        by: Vec<FieldId>,
        /// The date or timestamp of a reading.
        #[n(2)]
        at: FieldId,
        /// Oldest reading that counts, in days.
        #[n(3)]
        max_age_days: u32,
    },
}

fn decode_by_fields<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<FieldId>, minicbor::decode::Error> {
    bounded_vec(d, ctx, DIMENSIONS)
}

impl Measure {
    /// Whether figures of several units add up.
    #[must_use]
    pub const fn is_additive(&self) -> bool {
        !matches!(self, Self::Min(_) | Self::Max(_))
    }
}

/// A band over numbers: `lo <= value <= hi`, an absent end being open.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Band {
    /// Its value in tables.
    #[cbor(n(0), with = "crate::cbor::text")]
    pub label: String,
    /// Least number, included.
    #[n(1)]
    pub lo: Option<i64>,
    /// Greatest number, included.
    #[n(2)]
    pub hi: Option<i64>,
}

/// How rows are told apart.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Dimension {
    /// By a closed field (enum, boolean).
    #[n(0)]
    Field {
        /// The field.
        #[n(0)]
        field: FieldId,
        /// Its closed domain.
        #[cbor(n(1), decode_with = "decode_domain")]
        values: Vec<String>,
    },
    /// By bands over a number.
    #[n(1)]
    Band {
        /// The number.
        #[n(0)]
        field: FieldId,
        /// The bands; they do not overlap.
        #[cbor(n(1), decode_with = "decode_bands")]
        bands: Vec<Band>,
    },
    /// By a closed field of the public record that a reference names (a case's hospital's district).
    #[n(2)]
    Through {
        /// The reference.
        #[n(0)]
        reference: FieldId,
        /// The closed field of the record it names.
        #[n(1)]
        field: FieldId,
        /// That field's closed domain.
        #[cbor(n(2), decode_with = "decode_domain")]
        values: Vec<String>,
    },
    /// By the public record itself that a reference names.
    #[n(3)]
    Reference {
        /// The reference.
        #[n(0)]
        reference: FieldId,
    },
}

fn decode_domain<C>(
    d: &mut minicbor::Decoder<'_>,
    _: &mut C,
) -> Result<Vec<String>, minicbor::decode::Error> {
    let count = bounded_length(d, DOMAIN_VALUES)?;
    (0..count).map(|_| bounded_text(d, TEXT_BYTES)).collect()
}

fn decode_bands<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<Band>, minicbor::decode::Error> {
    bounded_vec(d, ctx, DOMAIN_VALUES)
}

impl Dimension {
    /// The values that a row may have here; `None` where records decide (a public reference). The
    /// empty value (not set) comes on top.
    #[must_use]
    pub fn domain(&self) -> Option<Vec<&str>> {
        match self {
            Self::Field { values, .. } | Self::Through { values, .. } => {
                Some(values.iter().map(String::as_str).collect())
            }
            Self::Band { bands, .. } => Some(bands.iter().map(|b| b.label.as_str()).collect()),
            Self::Reference { .. } => None,
        }
    }

    /// The field of the indicator's own kind that it reads; the column's name in tables.
    #[must_use]
    pub const fn field(&self) -> &FieldId {
        match self {
            Self::Field { field, .. } | Self::Band { field, .. } => field,
            Self::Through { reference, .. } | Self::Reference { reference } => reference,
        }
    }
}

/// What the area of a figure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Basis {
    /// Where the person lives or the thing stands.
    #[n(0)]
    Residence,
    /// Where it was reported.
    #[n(1)]
    Report,
    /// Where it is treated.
    #[n(2)]
    Treatment,
}

/// Who receives a release. All recipients of one class see the identical edition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum RecipientClass {
    /// The superiors, up to the root.
    #[n(0)]
    Superior,
    /// Another jurisdiction that is not a superior.
    #[n(1)]
    Neighbour,
    /// Everybody.
    #[n(2)]
    Public,
}

impl RecipientClass {
    /// All classes, finest first.
    pub const ALL: [Self; 3] = [Self::Superior, Self::Neighbour, Self::Public];
}

impl core::fmt::Display for RecipientClass {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Superior => "superior",
            Self::Neighbour => "neighbour",
            Self::Public => "public",
        })
    }
}

/// Fewest contributors of a told cell, per recipient class; 1 means exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Floors {
    /// For superiors.
    #[n(0)]
    pub superior: u32,
    /// For neighbours.
    #[n(1)]
    pub neighbour: u32,
    /// For everybody.
    #[n(2)]
    pub public: u32,
}

impl Floors {
    /// The floor of a class that is told nothing: no cell has so many contributors.
    pub const NEVER: u32 = u32::MAX;

    /// The floor for a class.
    #[must_use]
    pub const fn of(&self, class: RecipientClass) -> u32 {
        match class {
            RecipientClass::Superior => self.superior,
            RecipientClass::Neighbour => self.neighbour,
            RecipientClass::Public => self.public,
        }
    }
}

/// What counts as one contributor of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum Contributors {
    /// Each record that counts.
    #[default]
    #[n(0)]
    Records,
    /// Each unit of the summed field: a record stands for as many persons as its field says, such as
    /// a source's count of cases, so a cell's contributors are its value.
    #[n(1)]
    Value,
}

/// The hour of the clock, 1 to 23, at which a day ends for moments: one at or after it counts for the
/// next day. Without it days end at midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode)]
#[cbor(transparent)]
pub struct CutOff(#[n(0)] u8);

impl CutOff {
    /// The cut-off at an hour; none if a day cannot end then.
    #[must_use]
    pub const fn new(hour: u8) -> Option<Self> {
        if hour >= 1 && hour <= 23 { Some(Self(hour)) } else { None }
    }

    /// The hour.
    #[must_use]
    pub const fn hour(self) -> u8 {
        self.0
    }

    /// The day that a moment of the clock counts for; none beyond the last day of the calendar.
    #[must_use]
    pub fn day_of(self, moment: jiff::civil::DateTime) -> Option<jiff::civil::Date> {
        let is_next = u8::try_from(moment.hour()).is_ok_and(|hour| hour >= self.0);
        if is_next { moment.date().tomorrow().ok() } else { Some(moment.date()) }
    }
}

impl<'b, C> Decode<'b, C> for CutOff {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let at = d.position();
        Self::new(d.u8()?)
            .ok_or_else(|| minicbor::decode::Error::message("no hour from 1 to 23").at(at))
    }
}

/// A named aggregate: kind, filter, dimensions, measure and period.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Indicator {
    /// Its name.
    #[n(0)]
    pub id: IndicatorId,
    /// What people call it, per language.
    #[n(1)]
    pub title: Titles,
    /// The kind whose records count.
    #[n(2)]
    pub kind: KindId,
    /// Whether those records stand for persons; floors above 1 bind only then.
    #[n(3)]
    pub personal: bool,
    /// Which of them count.
    #[n(4)]
    pub filter: Filter,
    /// Length of a period.
    #[n(5)]
    pub step: Step,
    /// The date or timestamp that puts a record into a period; none for `now`.
    #[n(6)]
    pub period_field: Option<FieldId>,
    /// Dimensions, in order.
    #[cbor(n(7), decode_with = "decode_dimensions")]
    pub group_by: Vec<Dimension>,
    /// What is computed.
    #[n(8)]
    pub measure: Measure,
    /// Decimal places of the values: a value of 125 at scale 1 is 12.5.
    #[n(9)]
    pub scale: u8,
    /// How many levels down a roll-up keeps rows by area.
    #[n(10)]
    pub area_depth: u8,
    /// An enum field whose set value puts a record into that residual of the unit's area.
    #[n(11)]
    pub residual: Option<FieldId>,
    /// What the area means.
    #[n(12)]
    pub basis: Basis,
    /// Fewest contributors per recipient class.
    #[n(13)]
    pub floors: Floors,
    /// The law that demands it; required where a personal floor is 1.
    #[n(14)]
    pub legal_basis: Option<String>,
    /// Whether presence or absence of a row may be told although it is personal.
    #[n(15)]
    pub presence_told: bool,
    /// Hours after a period's end within which a report is expected; none: no deadline.
    #[n(16)]
    pub expected_within_hours: Option<u32>,
    /// Least and greatest value that one contributor can add: the declared range of the measured
    /// field, or 1 to 1 where the field itself counts contributors.
    #[n(17)]
    pub record_range: Option<(i64, i64)>,
    /// What counts as one contributor.
    #[n(18)]
    pub contributors: Contributors,
    /// When its days end, if it puts moments into days and they do not end at midnight.
    #[n(19)]
    pub cut_off: Option<CutOff>,
    /// On which days it is due; none: every day.
    #[n(20)]
    pub due_days: Option<DueDays>,
}

fn decode_dimensions<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<Dimension>, minicbor::decode::Error> {
    bounded_vec(d, ctx, DIMENSIONS)
}

impl Indicator {
    /// Digest over everything that gives the figure its meaning; titles do not. Only figures of equal
    /// definition digests are added.
    #[must_use]
    pub fn definition(&self) -> Digest {
        let mut bare = self.clone();
        bare.title = Titles::default();
        Digest::of_parts(&[b"reeve-definition/1\0", &to_vec(&bare)])
    }

    /// How many dimension combinations a unit's table can have; `None` where records decide.
    #[must_use]
    pub fn combinations(&self) -> Option<u32> {
        self.group_by.iter().try_fold(1_u32, |product, dimension| {
            // One more than the domain: the empty value stands for "not set".
            let values = u32::try_from(dimension.domain()?.len()).ok()?.checked_add(1)?;
            product.checked_mul(values)
        })
    }
}

/// The signed, versioned list of indicators.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Catalogue {
    /// Counts up; a higher one replaces a lower one of the same issuer.
    #[n(0)]
    pub version: u64,
    /// Digest of the schema it was checked against.
    #[n(1)]
    pub schema: Digest,
    /// The indicators, sorted by id.
    #[cbor(n(2), decode_with = "decode_indicators")]
    pub indicators: Vec<Indicator>,
}

fn decode_indicators<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<Indicator>, minicbor::decode::Error> {
    bounded_vec(d, ctx, INDICATORS)
}

impl Catalogue {
    /// The indicator of that name.
    #[must_use]
    pub fn find(&self, id: &IndicatorId) -> Option<&Indicator> {
        self.indicators.iter().find(|indicator| indicator.id == *id)
    }
}
