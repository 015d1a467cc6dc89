//! Names of kinds, fields and indicators: short, lower-case, stable.

use core::borrow::Borrow;
use core::fmt;
use core::str::FromStr;
use std::sync::Arc;

/// Longest name, in bytes.
pub const NAME_BYTES: usize = 64;

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a {what} name: a lower-case letter, then up to 63 lower-case letters, digits or \
     underscores; found {found:?}"
)]
pub struct NameError {
    /// What was to be named: indicator, kind, field.
    pub what: &'static str,
    /// The text, cut to 80 characters.
    pub found: String,
}

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= NAME_BYTES
        && bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        // Shared, because every field of every record in memory names itself.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Takes a text that follows the rule for names.
            ///
            /// # Errors
            /// [`NameError`] with the text if it does not.
            pub fn new(text: &str) -> Result<Self, NameError> {
                if is_name(text) {
                    Ok(Self(Arc::from(text)))
                } else {
                    let found = text.chars().take(80).collect();
                    Err(NameError { what: $what, found })
                }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<C> minicbor::Encode<C> for $type {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.str(&self.0)?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $type {
            fn decode(
                d: &mut minicbor::Decoder<'b>,
                _: &mut C,
            ) -> Result<Self, minicbor::decode::Error> {
                Self::new(d.str()?).map_err(minicbor::decode::Error::custom)
            }
        }
    };
}

name!(
    /// The name of an indicator, unique in a catalogue.
    IndicatorId,
    "indicator"
);
name!(
    /// The name of a kind of record, unique in a schema.
    KindId,
    "kind"
);
name!(
    /// The name of a field, unique in its kind.
    FieldId,
    "field"
);
