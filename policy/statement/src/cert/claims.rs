//! The private extension of our certificates: role, level, path, term, writable kinds.
//!
//! X.509 has no field for these. The extension is not critical, so `openssl verify` passes over it;
//! our verifier demands it. Its value is a DER OCTET STRING that holds deterministic CBOR.

use der::asn1::ObjectIdentifier;
use minicbor::{Decode, Encode};

use super::succession::Succession;
use crate::cbor;
use crate::limits;
use crate::names::KindId;
use crate::unit::UnitPath;

/// Identifier of the extension: `ARC.1`.
pub const CLAIMS_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.32473.1.1");
/// Longest encoded claims, in bytes; well within a certificate.
pub const MAX_CLAIMS_BYTES: usize = 2 * 1024;
/// Most kinds that a writer's certificate names.
pub const MAX_WRITABLE_KINDS: usize = 32;
/// Version of the claims that this crate writes and reads.
const VERSION: u16 = 1;

/// What the holder of a certificate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Role {
    /// A unit's authority: issues certificates, used rarely.
    #[n(0)]
    Authority,
    /// A node of a unit: signs statements.
    #[n(1)]
    Node,
    /// A department or contributor: signs changes of records.
    #[n(2)]
    Writer,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Authority => "authority",
            Self::Node => "node",
            Self::Writer => "writer",
        })
    }
}

/// What our certificates say beyond X.509.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Claims {
    #[n(0)]
    version: u16,
    /// What the holder is.
    #[n(1)]
    pub role: Role,
    /// The unit, where it stood at issuance. Equals the certificate's DNS name.
    #[n(2)]
    pub unit: UnitPath,
    /// Name of the unit's level, such as `municipality`.
    #[cbor(n(3), with = "cbor::text")]
    pub level: String,
    /// The reporting term for which a node was appointed, if it was.
    #[n(4)]
    pub term: Option<u64>,
    /// Kinds of records that a writer may change.
    #[cbor(n(5), with = "kinds")]
    pub writable_kinds: Vec<KindId>,
    /// How an authority came to this key, if it had another one before.
    #[n(6)]
    pub succession: Option<Succession>,
}

impl Claims {
    /// Claims of a unit's authority.
    #[must_use]
    pub fn authority(unit: UnitPath, level: &str) -> Self {
        Self::new(Role::Authority, unit, level)
    }

    /// Claims of a node, with the term it was appointed for.
    #[must_use]
    pub fn node(unit: UnitPath, level: &str, term: Option<u64>) -> Self {
        Self { term, ..Self::new(Role::Node, unit, level) }
    }

    /// Claims of a writer, with the kinds it may change. They are sorted and made unique.
    #[must_use]
    pub fn writer(unit: UnitPath, level: &str, mut kinds: Vec<KindId>) -> Self {
        kinds.sort();
        kinds.dedup();
        Self { writable_kinds: kinds, ..Self::new(Role::Writer, unit, level) }
    }

    fn new(role: Role, unit: UnitPath, level: &str) -> Self {
        let level = level.to_owned();
        Self {
            version: VERSION,
            role,
            unit,
            level,
            term: None,
            writable_kinds: Vec::new(),
            succession: None,
        }
    }

    /// The same, of an authority that had another key before.
    #[must_use]
    pub fn with_succession(self, succession: Option<Succession>) -> Self {
        Self { succession, ..self }
    }

    /// The encoded claims.
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        cbor::to_vec(self)
    }

    /// Reads encoded claims.
    ///
    /// # Errors
    /// Says what is too long, malformed, or of another version.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, ClaimsError> {
        let claims: Self = cbor::from_slice("certificate claims", bytes, MAX_CLAIMS_BYTES)?;
        if claims.version != VERSION {
            return Err(ClaimsError::Version { found: claims.version });
        }
        if !claims.writable_kinds.is_sorted_by(|a, b| a < b) {
            return Err(ClaimsError::Kinds);
        }
        Ok(claims)
    }
}

mod kinds {
    use minicbor::decode::{Decoder, Error};
    use minicbor::encode::{self, Encode as _, Encoder, Write};

    use super::{KindId, MAX_WRITABLE_KINDS};

    pub fn encode<C, W: Write>(
        kinds: &[KindId],
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        kinds.encode(e, ctx)
    }

    pub fn decode<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Result<Vec<KindId>, Error> {
        crate::cbor::bounded_vec(d, ctx, MAX_WRITABLE_KINDS)
    }
}

/// Why the private extension cannot be read. The issuer is at fault, or uses a newer version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsError {
    /// Not the CBOR it should be.
    #[error(transparent)]
    Cbor(#[from] cbor::CborError),
    /// Another version of the extension.
    #[error("expected certificate claims of version {VERSION}, found {found}: update this program")]
    Version {
        /// The version found.
        found: u16,
    },
    /// Kinds twice or out of order.
    #[error("the writable kinds of a certificate must be sorted and unique")]
    Kinds,
}

const _: () = assert!(limits::TEXT_BYTES < MAX_CLAIMS_BYTES);

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn claims_return_as_they_were() {
        let kind = |name| KindId::new(name).unwrap();
        let unit: UnitPath = "it/03/016".parse().unwrap();
        let claims = Claims::writer(unit, "municipality", vec![kind("stock"), kind("case")]);
        assert_eq!(Claims::from_cbor(&claims.to_cbor()).unwrap(), claims);
        assert_eq!(claims.writable_kinds, [kind("case"), kind("stock")]);
    }

    #[test]
    fn another_version_is_named() {
        let mut claims = Claims::authority("it".parse().unwrap(), "nation");
        claims.version = 2;
        let error = Claims::from_cbor(&claims.to_cbor()).unwrap_err();
        assert_eq!(error, ClaimsError::Version { found: 2 });
    }

    #[test]
    fn bytes_left_over_are_refused() {
        let mut bytes = Claims::authority("it".parse().unwrap(), "nation").to_cbor();
        bytes.push(0);
        assert!(matches!(Claims::from_cbor(&bytes), Err(ClaimsError::Cbor(_))));
    }
}
