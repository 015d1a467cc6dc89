//! Units of government: their ids and where they stand.

use core::fmt;
use core::str::FromStr;

use crate::limits::PATH_UNITS;

/// Longest unit id, in bytes: half of a DNS label (RFC 1035 section 2.3.4), so that a whole chain of
/// them stays a valid DNS name.
pub const UNIT_ID_BYTES: usize = 32;

/// The id of a unit of government: one lower-case DNS label, unique in its federation, stable, never
/// used again for another unit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitId(String);

/// Why a text is no unit id or no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// A unit id breaks the rule for labels.
    #[error(
        "expected a unit id: 1 to 32 lower-case letters, digits or hyphens, no hyphen at either \
         end; found {0:?}"
    )]
    Id(String),
    /// A path is empty or too long.
    #[error("expected a path of 1 to 16 unit ids, root first, such as it/03/016; found {0} units")]
    Depth(usize),
}

fn is_label(text: &str) -> bool {
    let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    (1..=UNIT_ID_BYTES).contains(&bytes.len())
        && bytes.iter().all(|&b| ok(b) || b == b'-')
        && bytes.first().is_some_and(|&b| ok(b))
        && bytes.last().is_some_and(|&b| ok(b))
}

impl UnitId {
    /// Takes a text that follows the rule for unit ids.
    ///
    /// # Errors
    /// [`UnitError::Id`] if it does not.
    pub fn new(text: &str) -> Result<Self, UnitError> {
        if is_label(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(UnitError::Id(text.chars().take(80).collect()))
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UnitId {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<C> minicbor::Encode<C> for UnitId {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for UnitId {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::new(d.str()?).map_err(minicbor::decode::Error::custom)
    }
}

/// Where a unit stands at a date: unit ids from the root down, `it/03/016`. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitPath(Vec<UnitId>);

impl UnitPath {
    /// Takes unit ids, root first.
    ///
    /// # Errors
    /// [`UnitError::Depth`] if there are none or more than sixteen.
    pub fn new(units: Vec<UnitId>) -> Result<Self, UnitError> {
        if (1..=PATH_UNITS).contains(&units.len()) {
            Ok(Self(units))
        } else {
            Err(UnitError::Depth(units.len()))
        }
    }

    /// The path of a federation's root unit.
    #[must_use]
    pub fn root(unit: UnitId) -> Self {
        Self(vec![unit])
    }

    /// The unit ids, root first.
    #[must_use]
    pub fn units(&self) -> &[UnitId] {
        &self.0
    }

    /// The unit that stands here.
    #[must_use]
    #[expect(clippy::expect_used, reason = "both constructors refuse an empty path")]
    pub fn leaf(&self) -> &UnitId {
        self.0.last().expect("a path is never empty")
    }

    /// How many units the path has; the root's is 1.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.0.len()
    }

    /// The superior's path; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.0.split_last()?;
        Self::new(above.to_vec()).ok()
    }

    /// The path of a subordinate of this unit.
    ///
    /// # Errors
    /// [`UnitError::Depth`] if it would be longer than sixteen units.
    pub fn child(&self, unit: UnitId) -> Result<Self, UnitError> {
        let mut units = self.0.clone();
        units.push(unit);
        Self::new(units)
    }

    /// Whether this is `area` or stands anywhere below it.
    #[must_use]
    pub fn is_within(&self, area: &Self) -> bool {
        self.0.starts_with(&area.0)
    }

    /// The units below `area`, if this is `area` (then none) or stands below it.
    #[must_use]
    pub fn below(&self, area: &Self) -> Option<&[UnitId]> {
        self.0.strip_prefix(area.0.as_slice())
    }

    /// Whether `other` is the direct superior of this unit.
    #[must_use]
    pub fn is_child_of(&self, other: &Self) -> bool {
        self.depth() == other.depth() + 1 && self.is_within(other)
    }
}

impl fmt::Display for UnitPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, unit) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("/")?;
            }
            write!(f, "{unit}")?;
        }
        Ok(())
    }
}

impl FromStr for UnitPath {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let units = text.split('/').map(UnitId::new).collect::<Result<Vec<_>, _>>()?;
        Self::new(units)
    }
}

impl<C> minicbor::Encode<C> for UnitPath {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        self.0.encode(e, ctx)
    }
}

impl<'b, C> minicbor::Decode<'b, C> for UnitPath {
    fn decode(d: &mut minicbor::Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let units = crate::cbor::bounded_vec(d, ctx, PATH_UNITS)?;
        Self::new(units).map_err(minicbor::decode::Error::custom)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn ids_are_dns_labels() {
        for good in ["it", "03", "016", "a-b", "x"] {
            assert!(UnitId::new(good).is_ok(), "{good}");
        }
        let long = "a".repeat(33);
        for bad in ["", "-a", "a-", "A", "a.b", "a/b", "é", "a b", "*", long.as_str()] {
            assert!(UnitId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_longer_id_with_the_same_start_is_not_within() {
        let county: UnitPath = "cn/4403001".parse().unwrap();
        let city: UnitPath = "cn/440300".parse().unwrap();
        assert!(!county.is_within(&city));
    }

    #[test]
    fn below_and_parent_agree() {
        let leaf: UnitPath = "it/03/016".parse().unwrap();
        let region = leaf.parent().unwrap();
        assert_eq!(region.to_string(), "it/03");
        assert!(leaf.is_child_of(&region));
        assert_eq!(leaf.below(&region).unwrap().len(), 1);
        assert_eq!(leaf.leaf().as_str(), "016");
    }
}
