//! Names of certificates: a path of unit ids as one DNS name below the federation's domain.
//!
//! `it/03/016` in the federation `reeve.example` is `016.03.it.reeve.example`. The names are never
//! resolved; DNS is used because its subtree constraints are the only ones that every X.509
//! implementation enforces alike (RFC 5280 section 4.2.1.10).

use std::fmt;
use std::str::FromStr;

use crate::unit::UnitPath;

/// Longest DNS name, in bytes (RFC 1035 section 2.3.4, without the root's dot).
pub const MAX_NAME_BYTES: usize = 253;
/// Longest label of a DNS name, in bytes (RFC 1035 section 2.3.4).
const MAX_LABEL_BYTES: usize = 63;
/// Longest federation domain, in bytes: leaves most of a name to the units.
const MAX_DOMAIN_BYTES: usize = 64;

/// The DNS name below which all units of a federation are named. Lower case, no trailing dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(String);

impl Domain {
    /// Takes a lower-case DNS name of at most 64 bytes.
    ///
    /// # Errors
    /// [`NameError::Domain`] if it is none.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let fits = (1..=MAX_DOMAIN_BYTES).contains(&text.len());
        if fits && text.split('.').all(is_label) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Domain { found: text.chars().take(80).collect() })
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_label(label: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX_LABEL_BYTES).contains(&label.len())
        && label.bytes().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl FromStr for Domain {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<C> minicbor::Encode<C> for Domain {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Domain {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::new(d.str()?).map_err(minicbor::decode::Error::custom)
    }
}

/// The DNS name of a unit: its ids leaf first, then the federation's domain.
///
/// # Errors
/// [`NameError::TooLong`] when the whole does not fit a DNS name.
pub fn dns_name(unit: &UnitPath, domain: &Domain) -> Result<String, NameError> {
    let mut name = String::new();
    for id in unit.units().iter().rev() {
        name.push_str(id.as_str());
        name.push('.');
    }
    name.push_str(domain.as_str());
    if name.len() > MAX_NAME_BYTES {
        return Err(NameError::TooLong { found: name.len() });
    }
    Ok(name)
}

/// Whether `name` is `subtree` or below it, label by label, as a permitted dNSName subtree means it
/// (RFC 5280 section 4.2.1.10). Both are lower case.
#[must_use]
pub fn is_within(name: &str, subtree: &str) -> bool {
    match name.strip_suffix(subtree) {
        Some(rest) => rest.is_empty() || rest.ends_with('.'),
        None => false,
    }
}

/// Why a name cannot be used. Whoever chose the domain or the unit ids is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The federation's domain breaks the rule for DNS names.
    #[error(
        "expected a federation domain: lower-case DNS labels joined by dots, at most \
         {MAX_DOMAIN_BYTES} bytes, such as reeve.example; found {found:?}"
    )]
    Domain {
        /// The beginning of what was found.
        found: String,
    },
    /// Path and domain together are too long.
    #[error(
        "the DNS name of the unit has {found} bytes, at most {MAX_NAME_BYTES} fit: choose shorter \
         unit ids or a shorter federation domain"
    )]
    TooLong {
        /// Bytes it would have.
        found: usize,
    },
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn names_run_leaf_first() {
        let domain = Domain::new("reeve.example").unwrap();
        let unit: UnitPath = "it/03/016".parse().unwrap();
        assert_eq!(dns_name(&unit, &domain).unwrap(), "016.03.it.reeve.example");
    }

    #[test]
    fn domains_are_plain_dns_names() {
        for good in ["reeve.example", "a", "gov.x-1.it"] {
            assert!(Domain::new(good).is_ok(), "{good}");
        }
        let long = "a.".repeat(40) + "b";
        for bad in ["", ".", "a.", ".a", "A.b", "*.a", "a..b", "-a.b", "b-.a", "é.b", &long] {
            assert!(Domain::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn subtrees_end_at_labels() {
        assert!(is_within("016.03.it.x", "03.it.x"));
        assert!(is_within("03.it.x", "03.it.x"));
        assert!(!is_within("103.it.x", "03.it.x"));
        assert!(!is_within("04.it.x", "03.it.x"));
        assert!(!is_within("it.x", "03.it.x"));
    }

    #[test]
    fn a_name_too_long_for_dns_is_refused() {
        let id = "a".repeat(32);
        let path: UnitPath = vec![id; 8].join("/").parse().unwrap();
        let error = dns_name(&path, &Domain::new("reeve.example").unwrap()).unwrap_err();
        assert_eq!(error, NameError::TooLong { found: 8 * 33 + 13 });
    }
}
