//! Registers and declarations: who is a subordinate, and which emergency is in force.
//!
//! A register says who reports to a superior, and when. A unit has one entry for each stretch of time in
//! which the same is to be said of it; entries are ended and followed by others, never taken out. So it
//! is read from the newest version who is, or was, expected for any period.

use std::collections::{BTreeMap, BTreeSet};

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

/// For how many days after a unit left a register figures of later periods still say so.
pub const LEFT_DAYS: i64 = 400;

/// One subordinate unit in its superior's register, for a stretch of time.
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
    /// The superior under which it stood until the day before; none: it did not move here.
    #[n(8)]
    pub came_from: Option<UnitPath>,
    /// The superior under which it stands from the day after; none: it did not move away.
    #[n(9)]
    pub went_to: Option<UnitPath>,
}

fn decode_predecessors<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<UnitId>, minicbor::decode::Error> {
    bounded_vec(d, ctx, 64)
}

impl RegisterEntry {
    /// Of a unit about which nothing is known but its id.
    #[must_use]
    pub const fn new(unit: UnitId) -> Self {
        Self {
            unit,
            names: Titles(Vec::new()),
            valid_from: None,
            valid_to: None,
            predecessors: Vec::new(),
            population: None,
            time_zone: None,
            calendar: None,
            came_from: None,
            went_to: None,
        }
    }

    /// Whether the unit is expected to report for the period here: it is a subordinate on any day of it.
    /// Of one that moved away the new superior expects the whole period in which it moved, so that no
    /// record is told to two. `now` is judged at `today`.
    #[must_use]
    pub fn is_expected(&self, period: Period, today: Date) -> bool {
        let first = period.first_day().unwrap_or(today);
        let last = period.last_day().unwrap_or(today);
        let needed = if self.went_to.is_some() { last } else { first };
        self.has_begun(last) && self.valid_to.is_none_or(|to| needed <= to.0)
    }

    fn has_begun(&self, day: Date) -> bool {
        self.valid_from.is_none_or(|from| from.0 <= day)
    }
}

/// Why a register is none. Its issuer's program is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// Entries are out of order, or two begin on one day.
    #[error(
        "the entries of {0} are out of order: expected one after the other, by unit and first day"
    )]
    Order(UnitId),
    /// An entry ends before it begins.
    #[error("an entry of {0} ends before it begins")]
    Ends(UnitId),
    /// Two entries of a unit hold on one day.
    #[error("{0} stands there twice on one day: an entry begins before the one before it ends")]
    Overlap(UnitId),
    /// It says where a unit came from or went to, and not when.
    #[error("{0} moved, and it is not said on which day")]
    Undated(UnitId),
    /// A unit continues itself.
    #[error("{0} is named as its own predecessor")]
    Itself(UnitId),
    /// A unit that an earlier version named is not there any more.
    #[error(
        "{0} was in the version before and is not there any more: units are ended, never taken out"
    )]
    Forgets(UnitId),
    /// It is no later version of the same register.
    #[error("expected version {expected}, found {found}")]
    Version {
        /// The next one.
        expected: u64,
        /// What it says.
        found: u64,
    },
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
    /// Subordinates, past ones included, sorted by unit and first day.
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
        let entry = self.last_of(unit);
        Calendar::joined(self.calendar.as_ref(), entry.and_then(|entry| entry.calendar.as_ref()))
    }

    /// Who is expected to report for a period: the last entry of each such unit, by unit.
    #[must_use]
    pub fn expected(&self, period: Period, today: Date) -> Vec<&RegisterEntry> {
        let expecting = self.entries.iter().filter(|entry| entry.is_expected(period, today));
        let by_unit: BTreeMap<&UnitId, &RegisterEntry> =
            expecting.map(|entry| (&entry.unit, entry)).collect();
        by_unit.into_values().collect()
    }

    /// Who was a subordinate and is not expected for a period any more: merged, split, moved away or
    /// ended, at most [`LEFT_DAYS`] before it; the last entry of each, by unit.
    #[must_use]
    pub fn left(&self, period: Period, today: Date) -> Vec<&RegisterEntry> {
        let expected: BTreeSet<&UnitId> =
            self.expected(period, today).into_iter().map(|entry| &entry.unit).collect();
        let last = period.last_day().unwrap_or(today);
        let since = jiff::Span::new().try_days(-LEFT_DAYS).ok();
        let since = since.and_then(|back| last.checked_add(back).ok()).unwrap_or(Date::MIN);
        let begun = self.entries.iter().filter(|entry| entry.has_begun(last));
        let by_unit: BTreeMap<&UnitId, &RegisterEntry> =
            begun.map(|entry| (&entry.unit, entry)).collect();
        let recently = |entry: &&RegisterEntry| entry.valid_to.is_some_and(|to| to.0 >= since);
        let gone = |entry: &&RegisterEntry| !expected.contains(&entry.unit);
        by_unit.into_values().filter(gone).filter(recently).collect()
    }

    /// Whether it has named anybody as a subordinate by the end of a period; `now` is judged at `today`.
    #[must_use]
    pub fn has_begun(&self, period: Period, today: Date) -> bool {
        let last = period.last_day().unwrap_or(today);
        self.entries.iter().any(|entry| entry.has_begun(last))
    }

    /// What the register says last of a unit.
    #[must_use]
    pub fn last_of(&self, unit: &UnitId) -> Option<&RegisterEntry> {
        self.entries.iter().rfind(|entry| entry.unit == *unit)
    }

    /// Whether it is one: in order, and each unit there at most once on each day.
    ///
    /// # Errors
    /// [`RegisterError`].
    pub fn check(&self) -> Result<(), RegisterError> {
        for entry in &self.entries {
            let unit = || entry.unit.clone();
            let RegisterEntry { valid_from: from, valid_to: to, came_from, went_to, .. } = entry;
            if from.zip(*to).is_some_and(|(from, to)| to < from) {
                return Err(RegisterError::Ends(unit()));
            }
            if (came_from.is_some() && from.is_none()) || (went_to.is_some() && to.is_none()) {
                return Err(RegisterError::Undated(unit()));
            }
            if entry.predecessors.contains(&entry.unit) {
                return Err(RegisterError::Itself(unit()));
            }
        }
        for (entry, next) in self.entries.iter().zip(self.entries.iter().skip(1)) {
            let place = |entry: &RegisterEntry| (entry.unit.clone(), entry.valid_from);
            if place(entry) >= place(next) {
                return Err(RegisterError::Order(next.unit.clone()));
            }
            let apart = entry.valid_to.zip(next.valid_from).is_some_and(|(to, from)| to < from);
            if entry.unit == next.unit && !apart {
                return Err(RegisterError::Overlap(next.unit.clone()));
            }
        }
        Ok(())
    }

    /// Whether it follows a version of the same register: it is the next one, and forgets nobody.
    ///
    /// # Errors
    /// [`RegisterError`].
    pub fn follows(&self, before: &Self) -> Result<(), RegisterError> {
        self.check()?;
        let expected = before.version.saturating_add(1);
        if self.version != expected {
            return Err(RegisterError::Version { expected, found: self.version });
        }
        let gone = before.entries.iter().find(|entry| self.last_of(&entry.unit).is_none());
        gone.map_or(Ok(()), |entry| Err(RegisterError::Forgets(entry.unit.clone())))
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

#[cfg(test)]
#[path = "register_tests.rs"]
mod tests;
