//! Completeness: which units a figure includes, down to the leaves, and the state of each that it
//! does not include.

use core::fmt;
use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::cbor::{bounded_length, bounded_vec};
use crate::digest::Digest;
use crate::limits::{EXCEPTIONS, SUBORDINATES};
use crate::release::Sources;
use crate::table::units;
use crate::unit::UnitId;

macro_rules! states {
    ($($(#[$doc:meta])* $name:ident = $code:literal $word:literal $text:literal),+ $(,)?) => {
        /// What a figure knows of one unit. The codes are on the wire and never change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(index_only)]
        pub enum UnitState {
            $($(#[$doc])* #[n($code)] $name),+
        }

        impl UnitState {
            /// All states, by code.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its stable word in documents for programs.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }

            /// What people read.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

states! {
    /// Its figure is included and its period is closed.
    Reported = 0 "reported" "reported",
    /// Its figure is included, but not all of its sources have closed the period.
    Partial = 1 "partial" "partial",
    /// Nothing yet, and its deadline has not passed.
    Awaited = 2 "awaited" "awaited",
    /// Nothing after its deadline, though it has reported other periods.
    Late = 3 "late" "late",
    /// Nothing, and it has never reported this indicator.
    NeverReported = 4 "never_reported" "never reported",
    /// It answered that its policy declines.
    Declined = 5 "declined" "declined",
    /// It answered that it has not adopted the indicator.
    NotAdopted = 6 "not_adopted" "not adopted",
    /// It answered that its own sources have not reported.
    NoReport = 7 "no_report" "no report",
    /// It does not report for this period by its calendar.
    NotDue = 8 "not_due" "not due",
    /// Its certificate was revoked.
    Revoked = 9 "revoked" "revoked",
    /// Its figure has another definition and is not included.
    OtherDefinition = 10 "other_definition" "other definition",
    /// Its figure is outside of what is possible and is not included.
    Implausible = 11 "implausible" "implausible",
    /// It withdrew its figure.
    Withdrawn = 12 "withdrawn" "withdrawn",
    /// Nothing after its deadline, and its superior cannot reach it.
    Unreachable = 13 "unreachable" "unreachable",
    /// It was in its superior's register, and is not expected any more: it was merged, split, moved to
    /// another superior, or ended.
    Left = 16 "left" "left the register",
}

impl UnitState {
    /// Whether the unit's figure is in the sum.
    #[must_use]
    pub const fn is_included(self) -> bool {
        matches!(self, Self::Reported | Self::Partial)
    }
}

impl fmt::Display for UnitState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// How many units, down to the leaves, are in each state. Only units that report data of their own
/// count: leaves, and inner units with an own table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts(BTreeMap<UnitState, u64>);

impl Counts {
    /// One unit in one state.
    #[must_use]
    pub fn one(state: UnitState) -> Self {
        let mut counts = Self::default();
        counts.add(state, 1);
        counts
    }

    /// Adds units in a state; saturates.
    pub fn add(&mut self, state: UnitState, units: u64) {
        if units > 0 {
            let count = self.0.entry(state).or_default();
            *count = count.saturating_add(units);
        }
    }

    /// Adds all of another's counts.
    pub fn merge(&mut self, other: &Self) {
        for (state, units) in &other.0 {
            self.add(*state, *units);
        }
    }

    /// Units in this state.
    #[must_use]
    pub fn of(&self, state: UnitState) -> u64 {
        self.0.get(&state).copied().unwrap_or(0)
    }

    /// All units that are expected. Those that left the register are counted beside them.
    #[must_use]
    pub fn total(&self) -> u64 {
        let expected = self.0.iter().filter(|(state, _)| **state != UnitState::Left);
        expected.fold(0, |sum, (_, units)| sum.saturating_add(*units))
    }

    /// Units whose figure is in the sum.
    #[must_use]
    pub fn included(&self) -> u64 {
        self.of(UnitState::Reported).saturating_add(self.of(UnitState::Partial))
    }

    /// Whether every unit has reported in full.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.of(UnitState::Reported) == self.total()
    }

    /// States with at least one unit, by code.
    pub fn iter(&self) -> impl Iterator<Item = (UnitState, u64)> + '_ {
        self.0.iter().map(|(state, units)| (*state, *units))
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.included(), self.total())?;
        for (state, units) in self.iter().filter(|(state, _)| *state != UnitState::Reported) {
            write!(f, "; {units} {state}")?;
        }
        Ok(())
    }
}

impl<C> Encode<C> for Counts {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.map(u64::try_from(self.0.len()).unwrap_or(u64::MAX))?;
        for (state, units) in &self.0 {
            state.encode(e, ctx)?;
            e.u64(*units)?;
        }
        e.ok()
    }
}

impl<'b, C> Decode<'b, C> for Counts {
    fn decode(d: &mut minicbor::Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let length = d.map()?.filter(|n| *n <= 64).ok_or_else(|| {
            minicbor::decode::Error::message("expected a definite map of at most 64 states")
        })?;
        let mut counts = Self::default();
        for _ in 0..length {
            let state = UnitState::decode(d, ctx)?;
            counts.add(state, d.u64()?);
        }
        Ok(counts)
    }
}

/// One direct subordinate in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ManifestEntry {
    /// The subordinate.
    #[n(0)]
    pub unit: UnitId,
    /// Its state.
    #[n(1)]
    pub state: UnitState,
    /// Digest of its statement (release or notice), if it gave one.
    #[n(2)]
    pub statement: Option<Digest>,
    /// Its term in that statement.
    #[n(3)]
    pub term: u64,
    /// Its edition in that statement.
    #[n(4)]
    pub edition: u64,
    /// What it says of itself and below.
    #[n(5)]
    pub counts: Counts,
}

/// A unit below the issuer whose figure is missing or partial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Units below the issuer, upper first; none for the issuer itself.
    pub units: Vec<UnitId>,
    /// Its state; never `reported`.
    pub state: UnitState,
    /// Of a unit that is partial: how many of its own sources have reported.
    pub sources: Option<Sources>,
}

impl<C> Encode<C> for Exception {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(if self.sources.is_some() { 3 } else { 2 })?;
        self.units.encode(e, ctx)?;
        self.state.encode(e, ctx)?;
        match &self.sources {
            Some(sources) => sources.encode(e, ctx),
            None => Ok(()),
        }
    }
}

impl<'b, C> Decode<'b, C> for Exception {
    fn decode(d: &mut minicbor::Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let length = bounded_length(d, 3)?;
        if length < 2 {
            return Err(minicbor::decode::Error::message("expected [units, state, ? sources]"));
        }
        let (units, state) = (units(d, ctx)?, Decode::decode(d, ctx)?);
        let sources = if length == 3 { Some(Decode::decode(d, ctx)?) } else { None };
        Ok(Self { units, state, sources })
    }
}

/// What a figure is made of: every direct subordinate, and by name every unit below that did not
/// report in full.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(map)]
pub struct Manifest {
    /// Direct subordinates expected for the period, sorted by unit.
    #[cbor(n(0), decode_with = "decode_entries")]
    pub direct: Vec<ManifestEntry>,
    /// Units at any depth that are not `reported`, sorted; at most [`EXCEPTIONS`].
    #[cbor(n(1), decode_with = "decode_exceptions")]
    pub exceptions: Vec<Exception>,
    /// How many exceptions are not named for want of room.
    #[n(2)]
    pub unnamed: u64,
}

fn decode_entries<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<ManifestEntry>, minicbor::decode::Error> {
    bounded_vec(d, ctx, SUBORDINATES)
}

fn decode_exceptions<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<Exception>, minicbor::decode::Error> {
    bounded_vec(d, ctx, EXCEPTIONS)
}
