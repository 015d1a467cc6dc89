//! Registers and declarations: who is a subordinate, and which emergency is in force.

use jiff::civil::Date;
use minicbor::{Decode, Encode};

use crate::calendar::Calendar;
use crate::catalogue::Titles;
use crate::cbor::bounded_vec;
use crate::digest::Digest;
use crate::limits::SUBORDINATES;
use crate::period::Period;
use crate::time::Timestamp;
use crate::unit::{UnitId, UnitPath};

/// For `#[cbor(with = "date")]`: a civil day as its ISO text.
mod date {
    use super::{Date, Period};
    use minicbor::decode::{Decode, Decoder, Error};
    use minicbor::encode::{self, Encode, Encoder, Write};

    pub(super) fn encode<C, W: Write>(
        day: &Date,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        Period::Day(*day).encode(e, ctx)
    }

    pub(super) fn decode<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Result<Date, Error> {
        match Period::decode(d, ctx)? {
            Period::Day(day) => Ok(day),
            _ => Err(Error::message("expected a day such as 2020-03-01")),
        }
    }
}

/// A civil day on the wire: its ISO text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct Day(#[cbor(n(0), with = "date")] pub Date);

/// Population of a unit, with its year and source.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Population {
    /// Persons.
    #[n(0)]
    pub persons: u64,
    /// Year of the figure.
    #[n(1)]
    pub year: u16,
    /// Who published it.
    #[cbor(n(2), with = "crate::cbor::text")]
    pub source: String,
}

/// One subordinate unit in its superior's register.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RegisterEntry {
    /// Its unit id.
    #[n(0)]
    pub unit: UnitId,
    /// Its names per language.
    #[n(1)]
    pub names: Titles,
    /// First day on which it reports to this superior; none: since ever.
    #[n(2)]
    pub valid_from: Option<Day>,
    /// Last such day; none: open.
    #[n(3)]
    pub valid_to: Option<Day>,
    /// Units that it continues.
    #[cbor(n(4), decode_with = "decode_predecessors")]
    pub predecessors: Vec<UnitId>,
    /// Its population.
    #[n(5)]
    pub population: Option<Population>,
    /// Its time zone (IANA name); none: the superior's.
    #[n(6)]
    pub time_zone: Option<String>,
    /// When it works, beside what the register says for all.
    #[n(7)]
    pub calendar: Option<Calendar>,
}

fn decode_predecessors<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<UnitId>, minicbor::decode::Error> {
    bounded_vec(d, ctx, 64)
}

impl RegisterEntry {
    /// Whether the unit is a subordinate on any day of the period; `now` is judged at `today`.
    #[must_use]
    pub fn is_expected(&self, period: Period, today: Date) -> bool {
        let first = period.first_day().unwrap_or(today);
        let last = period.last_day().unwrap_or(today);
        self.valid_from.is_none_or(|from| from.0 <= last)
            && self.valid_to.is_none_or(|to| first <= to.0)
    }
}

/// The signed list of a superior's subordinate units.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Register {
    /// Counts up per issuer.
    #[n(0)]
    pub version: u64,
    /// Digest of the statement with the previous version.
    #[n(1)]
    pub previous: Option<Digest>,
    /// Subordinates, past ones included, sorted by unit.
    #[cbor(n(2), decode_with = "decode_subordinates")]
    pub entries: Vec<RegisterEntry>,
    /// When all of them work.
    #[n(3)]
    pub calendar: Option<Calendar>,
}

impl Register {
    /// When a subordinate works; none: nothing is said of it.
    #[must_use]
    pub fn calendar_of(&self, unit: &UnitId) -> Option<Calendar> {
        let entry = self.entries.iter().find(|entry| entry.unit == *unit);
        Calendar::joined(self.calendar.as_ref(), entry.and_then(|entry| entry.calendar.as_ref()))
    }
}

fn decode_subordinates<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<RegisterEntry>, minicbor::decode::Error> {
    bounded_vec(d, ctx, SUBORDINATES)
}

/// A signed emergency response level.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Declaration {
    /// Its name, unique for the issuer.
    #[cbor(n(0), with = "crate::cbor::text")]
    pub id: String,
    /// The level; 1 is the highest.
    #[n(1)]
    pub level: u8,
    /// On which legal basis.
    #[cbor(n(2), with = "crate::cbor::text")]
    pub legal_basis: String,
    /// For which area.
    #[n(3)]
    pub area: UnitPath,
    /// From when.
    #[n(4)]
    pub from: Timestamp,
    /// Until when.
    #[n(5)]
    pub until: Timestamp,
    /// Whether it ends an earlier one of the same id.
    #[n(6)]
    pub ended: bool,
}
