//! Closed intervals of integers, and cells made of two of them.

use core::fmt;

use minicbor::data::Type;
use minicbor::{Decode, Encode};

/// A closed interval: the truth is at least `lo` and at most `hi`. Exact if they are equal.
///
/// On the wire an exact one is an integer, any other an array `[lo, hi]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bounds {
    lo: i64,
    hi: i64,
}

/// A sum left the range of 64-bit integers. Nothing wraps; the caller names who is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sum is beyond the range of 64-bit integers")]
pub struct Overflow;

impl Bounds {
    /// Exactly zero.
    pub const ZERO: Self = Self { lo: 0, hi: 0 };

    /// Exactly `value`.
    #[must_use]
    pub const fn exact(value: i64) -> Self {
        Self { lo: value, hi: value }
    }

    /// From `lo` to `hi`; `None` if `lo` is greater.
    #[must_use]
    pub const fn between(lo: i64, hi: i64) -> Option<Self> {
        if lo <= hi { Some(Self { lo, hi }) } else { None }
    }

    /// The smallest interval that holds both values.
    #[must_use]
    pub fn spanning(a: i64, b: i64) -> Self {
        Self { lo: a.min(b), hi: a.max(b) }
    }

    /// Least possible value.
    #[must_use]
    pub const fn lo(self) -> i64 {
        self.lo
    }

    /// Greatest possible value.
    #[must_use]
    pub const fn hi(self) -> i64 {
        self.hi
    }

    /// Whether only one value is possible.
    #[must_use]
    pub const fn is_exact(self) -> bool {
        self.lo == self.hi
    }

    /// Whether `value` is possible.
    #[must_use]
    pub const fn contains(self, value: i64) -> bool {
        self.lo <= value && value <= self.hi
    }

    /// How far apart the ends are; 0 if exact.
    #[must_use]
    pub const fn width(self) -> u64 {
        self.hi.abs_diff(self.lo)
    }

    /// Interval of the sum.
    ///
    /// # Errors
    /// [`Overflow`] if an end leaves 64 bits.
    pub fn checked_add(self, other: Self) -> Result<Self, Overflow> {
        let lo = self.lo.checked_add(other.lo).ok_or(Overflow)?;
        let hi = self.hi.checked_add(other.hi).ok_or(Overflow)?;
        Ok(Self { lo, hi })
    }

    /// Interval of the sum of `times` such values.
    ///
    /// # Errors
    /// [`Overflow`] if an end leaves 64 bits.
    pub fn checked_times(self, times: u32) -> Result<Self, Overflow> {
        let lo = self.lo.checked_mul(i64::from(times)).ok_or(Overflow)?;
        let hi = self.hi.checked_mul(i64::from(times)).ok_or(Overflow)?;
        Ok(Self { lo, hi })
    }

    /// Interval of the lesser of both.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self { lo: self.lo.min(other.lo), hi: self.hi.min(other.hi) }
    }

    /// Interval of the greater of both.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { lo: self.lo.max(other.lo), hi: self.hi.max(other.hi) }
    }

    /// The smallest interval that holds both intervals.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self { lo: self.lo.min(other.lo), hi: self.hi.max(other.hi) }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_exact() {
            write!(f, "{}", self.lo)
        } else {
            write!(f, "{} to {}", self.lo, self.hi)
        }
    }
}

impl<C> Encode<C> for Bounds {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        if self.is_exact() {
            e.i64(self.lo)?.ok()
        } else {
            e.array(2)?.i64(self.lo)?.i64(self.hi)?.ok()
        }
    }
}

impl<'b, C> Decode<'b, C> for Bounds {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        if d.datatype()? != Type::Array {
            return Ok(Self::exact(d.i64()?));
        }
        if crate::cbor::bounded_length(d, 2)? != 2 {
            return Err(minicbor::decode::Error::message("expected an interval [lo, hi]"));
        }
        let (lo, hi) = (d.i64()?, d.i64()?);
        Self::between(lo, hi)
            .ok_or_else(|| minicbor::decode::Error::message("an interval's lo exceeds its hi"))
    }
}

/// One figure of a table: what it may be, and how many persons or records may stand behind it.
///
/// For a mean, `value` is the sum and `contributors` the count of set values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Cell {
    /// Interval of the value, in the indicator's unit times ten to its scale.
    #[n(0)]
    pub value: Bounds,
    /// Interval of the number of contributors; never negative.
    #[n(1)]
    pub contributors: Bounds,
}

impl Cell {
    /// Zero, with nobody behind it.
    pub const ZERO: Self = Self { value: Bounds::ZERO, contributors: Bounds::ZERO };

    /// A cell whose value and contributors are known.
    #[must_use]
    pub const fn exact(value: i64, contributors: i64) -> Self {
        Self { value: Bounds::exact(value), contributors: Bounds::exact(contributors) }
    }

    /// Whether value and contributors are exact.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        self.value.is_exact() && self.contributors.is_exact()
    }

    /// Sum of both cells.
    ///
    /// # Errors
    /// [`Overflow`] if an end leaves 64 bits.
    pub fn checked_add(self, other: Self) -> Result<Self, Overflow> {
        Ok(Self {
            value: self.value.checked_add(other.value)?,
            contributors: self.contributors.checked_add(other.contributors)?,
        })
    }

    /// Sum of `times` such cells.
    ///
    /// # Errors
    /// [`Overflow`] if an end leaves 64 bits.
    pub fn checked_times(self, times: u32) -> Result<Self, Overflow> {
        Ok(Self {
            value: self.value.checked_times(times)?,
            contributors: self.contributors.checked_times(times)?,
        })
    }
}
