//! The DER of certificates, put together field by field, and the small conversions around it.
//!
//! x509-cert's types are read with the library's own decoder; for writing, its builder would bring
//! SHA-1 and a signer of its own choosing, so the outer structure is declared here.

use std::time::Duration;

use der::asn1::{BitString, Ia5String, ObjectIdentifier, OctetString};
use der::{DateTime, Encode as _, Sequence};
use x509_cert::Version;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectAltName, SubjectKeyIdentifier};
use x509_cert::ext::{Extension, Extensions};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::time::{Time, Validity};

use super::issue::IssueError;
use crate::key::{KeyId, PublicKey, SecretKey};
use crate::time::Timestamp;

/// id-Ed25519, for keys and for signatures (RFC 8410 section 3).
pub(super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// TBSCertificate of RFC 5280 section 4.1.
#[derive(Sequence)]
pub(super) struct ToBeSigned {
    #[asn1(context_specific = "0", default = "Default::default")]
    pub version: Version,
    pub serial: SerialNumber,
    pub signature: AlgorithmIdentifierOwned,
    pub issuer: Name,
    pub validity: Validity,
    pub subject: Name,
    pub key: SubjectPublicKeyInfoOwned,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    pub extensions: Option<Extensions>,
}

/// Certificate of RFC 5280 section 4.1.
#[derive(Sequence)]
struct SignedCertificate {
    to_be_signed: ToBeSigned,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

/// Signs a certificate and returns its DER.
pub(super) fn sign(to_be_signed: ToBeSigned, key: &SecretKey) -> Result<Vec<u8>, IssueError> {
    let signature = signature_over(&to_be_signed.to_der()?, key)?;
    let certificate = SignedCertificate { to_be_signed, algorithm: ed25519(), signature };
    Ok(certificate.to_der()?)
}

pub(super) fn signature_over(bytes: &[u8], key: &SecretKey) -> Result<BitString, der::Error> {
    BitString::from_bytes(key.sign(bytes).as_bytes())
}

pub(super) fn ed25519() -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid: ED25519, parameters: None }
}

pub(super) fn key_info(key: &PublicKey) -> Result<SubjectPublicKeyInfoOwned, der::Error> {
    let subject_public_key = BitString::from_bytes(&key.to_bytes())?;
    Ok(SubjectPublicKeyInfoOwned { algorithm: ed25519(), subject_public_key })
}

pub(super) fn time(at: Timestamp) -> Result<Time, der::Error> {
    date_time(at).map(Time::from)
}

pub(super) fn date_time(at: Timestamp) -> Result<DateTime, der::Error> {
    let seconds = u64::try_from(at.as_seconds()).map_err(|_| der::ErrorKind::DateTime)?;
    DateTime::from_unix_duration(Duration::from_secs(seconds))
}

pub(super) fn timestamp(time: Time) -> Timestamp {
    let seconds = time.to_unix_duration().as_secs();
    Timestamp::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}

pub(super) fn dns(name: &str) -> Result<GeneralName, der::Error> {
    Ia5String::new(name).map(GeneralName::DnsName)
}

pub(super) fn extension<T: der::Encode>(
    oid: ObjectIdentifier,
    critical: bool,
    value: &T,
) -> Result<Extension, der::Error> {
    let extn_value = OctetString::new(value.to_der()?)?;
    Ok(Extension { extn_id: oid, critical, extn_value })
}

pub(super) fn subject_key(key: &KeyId) -> Result<SubjectKeyIdentifier, der::Error> {
    OctetString::new(key.as_bytes().as_slice()).map(SubjectKeyIdentifier)
}

pub(super) fn authority_key(key: &KeyId) -> Result<AuthorityKeyIdentifier, der::Error> {
    let key_identifier = Some(OctetString::new(key.as_bytes().as_slice())?);
    Ok(AuthorityKeyIdentifier { key_identifier, ..Default::default() })
}

pub(super) fn alternative_name(name: &str) -> Result<SubjectAltName, der::Error> {
    Ok(SubjectAltName(vec![dns(name)?]))
}
