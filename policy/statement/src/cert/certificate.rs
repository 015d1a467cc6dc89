//! One certificate, read and held to the profile of this federation.
//!
//! Reading checks form only: size, one encoding, and the profile (`profile`). Whether it may
//! be believed is [`super::verify`]'s business.

use std::fmt;
use std::sync::{Arc, OnceLock};

use der::pem::LineEnding;
use der::{Decode as _, Encode as _};

use super::MAX_CERTIFICATE_BYTES;
use super::action::Actions;
use super::claims::{Claims, ClaimsError};
use super::profile::{Parsed, parse};
use super::succession::{Followed, SuccessionError};
use crate::digest::Digest;
use crate::key::{BadSignature, KeyError, KeyId, PublicKey};
use crate::time::Timestamp;

/// PEM label of a certificate (RFC 7468).
const PEM_LABEL: &str = "CERTIFICATE";

/// Serial number of a certificate: 16 random bytes from the caller. Unique per issuer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Serial(Vec<u8>);

impl Serial {
    /// Most bytes of a serial number (RFC 5280 section 4.1.2.2).
    const MAX_BYTES: usize = 20;

    /// Takes 16 random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self::trimmed(&bytes)
    }

    /// Reads the serial number that a person typed or copied: hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = hex::decode(text.replace(':', "")).ok()?;
        (bytes.len() <= Self::MAX_BYTES).then(|| Self::trimmed(&bytes))
    }

    /// Leading zero bytes carry nothing; without them equal numbers are equal bytes.
    pub(super) fn trimmed(bytes: &[u8]) -> Self {
        Self(bytes.iter().copied().skip_while(|byte| *byte == 0).collect())
    }

    /// The bytes, big-endian, without leading zeros.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

/// From when to when a certificate is valid, both inclusive, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// First second.
    pub not_before: Timestamp,
    /// Last second.
    pub not_after: Timestamp,
}

impl Validity {
    /// First moment at which it is no longer valid.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.not_after.plus_millis(1_000)
    }
}

/// A certificate whose form is right. It is not yet known to be genuine. Copies share what was read.
#[derive(Clone)]
pub struct Certificate(Arc<Read>);

struct Read {
    der: Vec<u8>,
    digest: Digest,
    parsed: Parsed,
    /// For people; made when somebody asks, which of most certificates nobody does.
    subject: OnceLock<String>,
    issuer: OnceLock<String>,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for Certificate {}

impl Certificate {
    /// Reads DER.
    ///
    /// # Errors
    /// Says what is too long, not DER, weak, or outside the profile.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(CertificateError::TooLong { found: der.len() });
        }
        let certificate = x509_cert::Certificate::from_der(der)?;
        if certificate.to_der()? != der {
            return Err(CertificateError::NotDer);
        }
        let parsed = parse(&certificate, der)?;
        let (subject, issuer) = (OnceLock::new(), OnceLock::new());
        let (der, digest) = (der.to_vec(), Digest::of(der));
        Ok(Self(Arc::new(Read { der, digest, parsed, subject, issuer })))
    }

    /// Reads one PEM block.
    ///
    /// # Errors
    /// As [`Certificate::from_der`], and when the text is not PEM.
    pub fn from_pem(text: &str) -> Result<Self, CertificateError> {
        let (label, der) = der::Document::from_pem(text).map_err(CertificateError::Pem)?;
        if label != PEM_LABEL {
            return Err(CertificateError::Label { found: label.to_owned() });
        }
        Self::from_der(der.as_bytes())
    }

    /// The certificate as a PEM block.
    #[must_use]
    pub fn to_pem(&self) -> String {
        // Only a label with control characters or a length beyond usize could fail.
        der::pem::encode_string(PEM_LABEL, LineEnding::LF, &self.0.der).unwrap_or_default()
    }

    /// The DER bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// SHA-256 over the DER: its fingerprint.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// The serial number.
    #[must_use]
    pub fn serial(&self) -> &Serial {
        &self.0.parsed.serial
    }

    /// From when to when it is valid.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.0.parsed.validity
    }

    /// The key it is about.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        &self.0.parsed.key
    }

    /// Its one DNS name.
    #[must_use]
    pub fn dns_name(&self) -> &str {
        &self.0.parsed.dns_name
    }

    /// Its subject, for people: `CN=016 node 1,O=reeve.example`.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.0.subject.get_or_init(|| self.0.parsed.subject.to_string())
    }

    /// The subject of its issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.0.issuer.get_or_init(|| self.0.parsed.issuer.to_string())
    }

    /// The key identifier of its issuer.
    #[must_use]
    pub fn authority_key_id(&self) -> KeyId {
        self.0.parsed.authority_key
    }

    /// The actions it names; the chain above may narrow them.
    #[must_use]
    pub fn actions(&self) -> &Actions {
        &self.0.parsed.actions
    }

    /// What it says beyond X.509; none for a federation root.
    #[must_use]
    pub fn claims(&self) -> Option<&Claims> {
        self.0.parsed.claims.as_ref()
    }

    /// How its authority's key followed one that is known of the unit; the key itself follows at once.
    ///
    /// # Errors
    /// When it is another key, and nothing in the certificate leads to it from the known one.
    pub fn follows(&self, known: &PublicKey) -> Result<Followed, SuccessionError> {
        if self.key() == known {
            return Ok(Followed::HandedOn);
        }
        let claims = self.claims().ok_or(SuccessionError::OtherKey)?;
        let succession = claims.succession.as_ref().ok_or(SuccessionError::OtherKey)?;
        succession.from(claims.unit.leaf(), known, self.key())
    }

    /// How many further levels of authorities it may issue; none for nodes and writers.
    #[must_use]
    pub fn levels_below(&self) -> Option<u8> {
        self.0.parsed.issuing.as_ref().map(|issuing| issuing.path_len)
    }

    pub(super) fn parsed(&self) -> &Parsed {
        &self.0.parsed
    }

    /// Whether the holder of this key signed it. Whether that key may issue it is not asked; see
    /// [`super::verify`].
    #[must_use]
    pub fn is_signed_by(&self, issuer: &PublicKey) -> bool {
        self.authority_key_id() == issuer.key_id() && self.verify_signature(issuer).is_ok()
    }

    /// Checks its signature with the issuer's key. Alone this proves little; see [`super::verify`].
    pub(super) fn verify_signature(&self, issuer: &PublicKey) -> Result<(), BadSignature> {
        issuer.verify(&self.0.parsed.to_be_signed, &self.0.parsed.signature)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, serial {})", self.subject(), self.serial())
    }
}

/// Why a certificate's form is refused. Its issuer is at fault, or it was damaged on the way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// More bytes than allowed; nothing was decoded.
    #[error("the certificate has {found} bytes, expected at most {MAX_CERTIFICATE_BYTES}")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// Not DER, or not a certificate.
    #[error("the certificate is malformed: {0}")]
    Der(#[from] der::Error),
    /// It decodes but is not the one encoding of its content.
    #[error("the certificate is not in DER's one encoding")]
    NotDer,
    /// Not a PEM text.
    #[error("the certificate's text is not PEM: {0}")]
    Pem(der::Error),
    /// A PEM block of something else.
    #[error("expected a PEM block {PEM_LABEL}, found {found}")]
    Label {
        /// The label found.
        found: String,
    },
    /// Another algorithm than Ed25519.
    #[error("expected Ed25519 (1.3.101.112), found algorithm {found}")]
    Algorithm {
        /// The algorithm's object identifier.
        found: String,
    },
    /// A key that must not be used.
    #[error("the certificate's key is not acceptable: {0}")]
    Key(KeyError),
    /// A signature of the wrong length.
    #[error("the certificate's signature is malformed: {0}")]
    Signature(KeyError),
    /// No name, several, a wildcard, or upper case.
    #[error("the certificate must have exactly one name: a lower-case dNSName without wildcard")]
    Name,
    /// The claims speak of another unit than the name.
    #[error("the certificate's name {name} does not agree with its unit {unit}")]
    NameDiffers {
        /// The DNS name.
        name: String,
        /// The path in the claims.
        unit: String,
    },
    /// The private extension cannot be read.
    #[error(transparent)]
    Claims(#[from] ClaimsError),
    /// An extension occurs twice.
    #[error("the certificate's extension {oid} occurs twice")]
    Twice {
        /// The extension's object identifier.
        oid: String,
    },
    /// An extension must be understood and is not.
    #[error("the certificate's critical extension {oid} is not understood")]
    UnknownCritical {
        /// The extension's object identifier.
        oid: String,
    },
    /// A rule of the profile is broken.
    #[error("the certificate breaks the profile: {0}")]
    Profile(&'static str),
}
