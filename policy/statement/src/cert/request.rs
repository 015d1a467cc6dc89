//! Applications for a certificate (PKCS#10, RFC 2986): a key, what it is wanted for, and proof that
//! the applicant holds it.
//!
//! What the application asks for is a wish: the issuer decides what it grants.

use der::asn1::OctetString;
use der::pem::LineEnding;
use der::{Decode as _, Encode as _};
use std::str::FromStr as _;
use x509_cert::attr::Attribute;
use x509_cert::ext::Extension;
use x509_cert::name::Name;
use x509_cert::request::{CertReq, CertReqInfo, ExtensionReq, Version};

use super::MAX_CERTIFICATE_BYTES;
use super::build;
use super::certificate::CertificateError;
use super::claims::{CLAIMS_OID, Claims, ClaimsError};
use super::profile::{check_algorithm, public_key};
use crate::key::{PublicKey, SecretKey, Signature};

/// PEM label of an application (RFC 7468).
const PEM_LABEL: &str = "CERTIFICATE REQUEST";

/// An application whose signature was checked: the applicant held the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRequest {
    der: Vec<u8>,
    key: PublicKey,
    claims: Claims,
}

impl CertificateRequest {
    /// Applies for a certificate with these claims for `key`.
    ///
    /// # Errors
    /// When a value does not fit its field.
    pub fn create(key: &SecretKey, claims: &Claims) -> Result<Self, RequestError> {
        let octets = OctetString::new(claims.to_cbor())?;
        let extension = build::extension(CLAIMS_OID, false, &octets)?;
        let mut attributes = x509_cert::attr::Attributes::new();
        attributes.insert(Attribute::try_from(ExtensionReq(vec![extension]))?)?;
        let common_name = format!("CN={} {}", claims.unit.leaf(), claims.role);
        let info = CertReqInfo {
            version: Version::V1,
            subject: Name::from_str(&common_name)?,
            public_key: build::key_info(&key.public())?,
            attributes,
        };
        let signature = build::signature_over(&info.to_der()?, key)?;
        Self::from_der(&CertReq { info, algorithm: build::ed25519(), signature }.to_der()?)
    }

    /// Reads DER and checks that the applicant held the key.
    ///
    /// # Errors
    /// Says what is too long, malformed, weak, or not proven.
    pub fn from_der(der: &[u8]) -> Result<Self, RequestError> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(RequestError::TooLong { found: der.len() });
        }
        let request = CertReq::from_der(der)?;
        if request.to_der()? != der {
            return Err(RequestError::NotDer);
        }
        check_algorithm(&request.algorithm)?;
        let key = public_key(&request.info.public_key)?;
        let signature = Signature::from_bytes(request.signature.as_bytes().unwrap_or_default());
        let signature = signature.map_err(CertificateError::Signature)?;
        key.verify(&request.info.to_der()?, &signature).map_err(|_| RequestError::NotProven)?;
        Ok(Self { der: der.to_vec(), key, claims: read_claims(&request.info)? })
    }

    /// Reads one PEM block.
    ///
    /// # Errors
    /// As [`CertificateRequest::from_der`], and when the text is not such a block.
    pub fn from_pem(text: &str) -> Result<Self, RequestError> {
        match der::Document::from_pem(text) {
            Ok((PEM_LABEL, der)) => Self::from_der(der.as_bytes()),
            _ => Err(RequestError::NotPem),
        }
    }

    /// The application as a PEM block.
    #[must_use]
    pub fn to_pem(&self) -> String {
        der::pem::encode_string(PEM_LABEL, LineEnding::LF, &self.der).unwrap_or_default()
    }

    /// The DER bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The applicant's key.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// What the applicant asks to be.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }
}

fn read_claims(info: &CertReqInfo) -> Result<Claims, RequestError> {
    let wanted = <ExtensionReq as der::oid::AssociatedOid>::OID;
    let extensions = info
        .attributes
        .iter()
        .filter(|attribute| attribute.oid == wanted)
        .flat_map(|attribute| attribute.values.iter());
    for value in extensions {
        let extensions = Vec::<Extension>::from_der(&value.to_der()?)?;
        let mut ours = extensions.iter().filter(|extension| extension.extn_id == CLAIMS_OID);
        if let Some(extension) = ours.next() {
            let octets = OctetString::from_der(extension.extn_value.as_bytes())?;
            return Ok(Claims::from_cbor(octets.as_bytes())?);
        }
    }
    Err(RequestError::NoClaims)
}

/// Why an application is refused. The applicant is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// More bytes than allowed; nothing was decoded.
    #[error("the certificate request has {found} bytes, expected at most {MAX_CERTIFICATE_BYTES}")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// Not DER, or not a request.
    #[error("the certificate request is malformed: {0}")]
    Der(#[from] der::Error),
    /// It decodes but is not the one encoding of its content.
    #[error("the certificate request is not in DER's one encoding")]
    NotDer,
    /// Not a PEM text of a request.
    #[error("expected a PEM block {PEM_LABEL}")]
    NotPem,
    /// Another algorithm, or a key that must not be used.
    #[error("the certificate request is refused: {0}")]
    Key(#[from] CertificateError),
    /// The signature does not match the key.
    #[error("the certificate request does not prove that its sender holds the key")]
    NotProven,
    /// It does not say what is asked for.
    #[error("the certificate request does not say for which unit and role it asks")]
    NoClaims,
    /// What it asks for cannot be read.
    #[error(transparent)]
    Claims(#[from] ClaimsError),
}
