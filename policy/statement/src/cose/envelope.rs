//! The signed envelope itself: COSE_Sign1 with one permitted form.
//!
//! ```text
//! 18([ protected: << { 1: -8,                       alg: EdDSA (Ed25519)
//!                      3: content type,
//!                      4: key identifier,           20 bytes, as in the certificate
//!                      15: { 1: issuer, 6: seconds },  CWT claims iss and iat (RFC 9597)
//!                      34: [ -16, SHA-256 ] } >>,   x5t of the leaf certificate (RFC 9360)
//!      unprotected: { ? 33: certificates,           x5chain, leaf first (RFC 9360)
//!                     ? 394: [ + receipt ] },       receipts of logs, not read here
//!      payload: bytes,
//!      signature: 64 bytes ])
//! ```
//!
//! The content type separates what is signed: a writer's change can never pass for a statement.
//! Sizes are checked before anything is decoded, and what was decoded is encoded again and compared,
//! so an envelope has one form. [`Envelope::digest`] leaves the unprotected part out: it is no part of
//! what was said. The payload stays inside until a signer's key was checked.
//!
//! Specification: RFC 9052 section 4.2 and 4.4, RFC 9053 section 2.2.

use std::fmt;

use minicbor::data::Tag;
use minicbor::decode::{Decoder, Error};
use minicbor::encode::Encoder;

use super::VerifyError;
use crate::cbor::CborError;
use crate::cert::chain::{decode_ders, encode_ders};
use crate::cert::{Chain, ChainError, MAX_CERTIFICATE_BYTES, MAX_CHAIN, Shelf, VerifiedChain};
use crate::digest::Digest;
use crate::key::{KeyId, SecretKey, Signature};
use crate::time::Timestamp;
use crate::unit::UnitPath;

/// Longest envelope, in bytes: one frame of the wire (256 KiB) less its header.
pub const MAX_ENVELOPE_BYTES: usize = 255 * 1024;
/// Longest protected header, in bytes: a path of sixteen units and the fixed fields.
const MAX_PROTECTED_BYTES: usize = 1_024;
/// Most receipts, and the longest one in bytes.
const MAX_RECEIPTS: usize = 8;
const MAX_RECEIPT_BYTES: usize = 4 * 1024;

/// CBOR tag of COSE_Sign1 (RFC 9052 section 2).
const COSE_SIGN1: u64 = 18;
/// Labels of header parameters (IANA registry "COSE Header Parameters").
const ALG: u32 = 1;
const CONTENT_TYPE: u32 = 3;
const KID: u32 = 4;
const CWT_CLAIMS: u32 = 15;
const X5CHAIN: u32 = 33;
const X5T: u32 = 34;
const RECEIPTS: u32 = 394;
/// Algorithms (IANA registry "COSE Algorithms"): EdDSA, SHA-256.
const EDDSA: i32 = -8;
const SHA_256: i32 = -16;
/// CWT claims (RFC 8392): issuer, issued at.
const ISS: u32 = 1;
const IAT: u32 = 6;

/// What the protected header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub content_type: String,
    pub key: KeyId,
    pub issuer: UnitPath,
    pub issued_at_seconds: i64,
    pub leaf: Digest,
}

impl Header {
    fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::new(Vec::new());
        // A vector takes every write.
        let written = self.write(&mut e);
        debug_assert!(written.is_ok(), "encoding into a vector cannot fail");
        e.into_writer()
    }

    fn write(
        &self,
        e: &mut Encoder<Vec<u8>>,
    ) -> Result<(), minicbor::encode::Error<core::convert::Infallible>> {
        e.map(5)?;
        e.u32(ALG)?.i32(EDDSA)?;
        e.u32(CONTENT_TYPE)?.str(&self.content_type)?;
        e.u32(KID)?.bytes(self.key.as_bytes())?;
        e.u32(CWT_CLAIMS)?.map(2)?;
        e.u32(ISS)?.str(&self.issuer.to_string())?;
        e.u32(IAT)?.i64(self.issued_at_seconds)?;
        e.u32(X5T)?.array(2)?.i32(SHA_256)?.bytes(self.leaf.as_bytes())?;
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let d = &mut Decoder::new(bytes);
        exactly(d.map()?, 5)?;
        label(d, ALG)?;
        if d.i32()? != EDDSA {
            return Err(Error::message("expected algorithm -8 (EdDSA)"));
        }
        label(d, CONTENT_TYPE)?;
        let content_type = d.str()?.to_owned();
        label(d, KID)?;
        let key = KeyId::from_bytes(d.bytes()?);
        let key = key.ok_or_else(|| Error::message("expected a key identifier of 20 bytes"))?;
        label(d, CWT_CLAIMS)?;
        exactly(d.map()?, 2)?;
        label(d, ISS)?;
        let issuer = d.str()?.parse().map_err(Error::custom)?;
        label(d, IAT)?;
        let issued_at_seconds = d.i64()?;
        label(d, X5T)?;
        exactly(d.array()?, 2)?;
        if d.i32()? != SHA_256 {
            return Err(Error::message("expected a certificate hash by SHA-256 (-16)"));
        }
        let leaf = <[u8; 32]>::try_from(d.bytes()?)
            .map_err(|_| Error::message("expected a certificate hash of 32 bytes"))?;
        at_end(d, bytes)?;
        Ok(Self { content_type, key, issuer, issued_at_seconds, leaf: Digest::from_bytes(leaf) })
    }
}

fn label(d: &mut Decoder<'_>, expected: u32) -> Result<(), Error> {
    let position = d.position();
    let found = d.u32()?;
    if found == expected {
        return Ok(());
    }
    Err(Error::message(format!("expected label {expected}, found {found}")).at(position))
}

fn exactly(found: Option<u64>, expected: u64) -> Result<(), Error> {
    if found == Some(expected) {
        return Ok(());
    }
    Err(Error::message(format!("expected exactly {expected} elements")))
}

fn at_end(d: &Decoder<'_>, bytes: &[u8]) -> Result<(), Error> {
    if d.position() == bytes.len() {
        return Ok(());
    }
    Err(Error::message("bytes are left over").at(d.position()))
}

/// Signed bytes of one content type. The payload is unreachable until [`Envelope::verify`].
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    protected: Vec<u8>,
    header: Header,
    /// Certificates of the unprotected header, leaf first; empty when the chain travels apart.
    certificates: Vec<Vec<u8>>,
    receipts: Vec<Vec<u8>>,
    payload: Vec<u8>,
    signature: Signature,
}

impl Envelope {
    /// Signs `payload`.
    pub(super) fn sign(
        content_type: &str,
        payload: Vec<u8>,
        issuer: &UnitPath,
        issued_at: Timestamp,
        key: &SecretKey,
        leaf: Digest,
    ) -> Self {
        let header = Header {
            content_type: content_type.to_owned(),
            key: key.public().key_id(),
            issuer: issuer.clone(),
            issued_at_seconds: issued_at.as_seconds(),
            leaf,
        };
        let protected = header.encode();
        let signature = key.sign(&to_be_signed(&protected, &payload));
        let (certificates, receipts) = (Vec::new(), Vec::new());
        Self { protected, header, certificates, receipts, payload, signature }
    }

    /// Reads an envelope of this content type with a payload of at most `limit` bytes. Nothing is
    /// verified yet.
    ///
    /// # Errors
    /// Says what is too long, malformed, not canonical, or of another content type.
    pub fn decode(
        bytes: &[u8],
        content_type: &'static str,
        limit: usize,
    ) -> Result<Self, EnvelopeError> {
        if bytes.len() > MAX_ENVELOPE_BYTES {
            return Err(EnvelopeError::TooLong { limit: MAX_ENVELOPE_BYTES, found: bytes.len() });
        }
        let mut d = Decoder::new(bytes);
        let envelope = Self::read(&mut d, limit)
            .and_then(|envelope| at_end(&d, bytes).map(|()| envelope))
            .map_err(|error| EnvelopeError::Malformed {
                position: d.position(),
                reason: error.to_string(),
            })?;
        if envelope.header.content_type != content_type {
            let found = envelope.header.content_type;
            return Err(EnvelopeError::ContentType { expected: content_type, found });
        }
        if envelope.to_bytes() != bytes || envelope.header.encode() != envelope.protected {
            return Err(EnvelopeError::NotCanonical);
        }
        Ok(envelope)
    }

    fn read(d: &mut Decoder<'_>, limit: usize) -> Result<Self, Error> {
        if d.tag()? != Tag::new(COSE_SIGN1) {
            return Err(Error::message("expected tag 18 (COSE_Sign1)"));
        }
        exactly(d.array()?, 4)?;
        let protected = bounded_bytes(d, MAX_PROTECTED_BYTES)?;
        let header = Header::decode(protected)?;
        let (mut certificates, mut receipts) = (Vec::new(), Vec::new());
        for _ in 0..d.map()?.unwrap_or(u64::MAX) {
            match d.u32()? {
                X5CHAIN if certificates.is_empty() => certificates = read_certificates(d)?,
                RECEIPTS if receipts.is_empty() => receipts = read_receipts(d)?,
                other => return Err(Error::message(format!("unexpected header label {other}"))),
            }
        }
        let payload = bounded_bytes(d, limit)?.to_vec();
        let signature = Signature::from_bytes(d.bytes()?).map_err(Error::custom)?;
        let protected = protected.to_vec();
        Ok(Self { protected, header, certificates, receipts, payload, signature })
    }

    /// The one encoding of this envelope.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode(&self.certificates, &self.receipts)
    }

    /// SHA-256 over the envelope with an empty unprotected header: the name of what was said, with
    /// whatever chain or receipts it travels.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.encode(&[], &[]))
    }

    fn encode(&self, certificates: &[Vec<u8>], receipts: &[Vec<u8>]) -> Vec<u8> {
        let mut e = Encoder::new(Vec::with_capacity(self.payload.len() + 512));
        let written = self.write(&mut e, certificates, receipts);
        debug_assert!(written.is_ok(), "encoding into a vector cannot fail");
        e.into_writer()
    }

    fn write(
        &self,
        e: &mut Encoder<Vec<u8>>,
        certificates: &[Vec<u8>],
        receipts: &[Vec<u8>],
    ) -> Result<(), minicbor::encode::Error<core::convert::Infallible>> {
        e.tag(Tag::new(COSE_SIGN1))?.array(4)?.bytes(&self.protected)?;
        let entries = u64::from(!certificates.is_empty()) + u64::from(!receipts.is_empty());
        e.map(entries)?;
        match certificates {
            [] => {}
            // RFC 9360 section 2: one certificate stands without an array.
            [single] => {
                e.u32(X5CHAIN)?.bytes(single)?;
            }
            several => {
                e.u32(X5CHAIN)?;
                encode_ders(several.iter().map(Vec::as_slice), several.len(), e)?;
            }
        }
        if !receipts.is_empty() {
            e.u32(RECEIPTS)?;
            encode_ders(receipts.iter().map(Vec::as_slice), receipts.len(), e)?;
        }
        e.bytes(&self.payload)?.bytes(self.signature.as_bytes())?.ok()
    }

    /// The same envelope carrying the signer's chain.
    #[must_use]
    pub(super) fn with_chain(mut self, chain: &Chain) -> Self {
        self.certificates = chain.certificates().map(|it| it.der().to_vec()).collect();
        self
    }

    /// The same envelope without the signer's chain, for a connection on which it was sent before.
    #[must_use]
    pub(super) fn without_chain(mut self) -> Self {
        self.certificates.clear();
        self
    }

    pub(super) const fn carries_chain(&self) -> bool {
        !self.certificates.is_empty()
    }

    /// The chain it carries, in right form but not verified.
    ///
    /// # Errors
    /// When a certificate is not acceptable in form.
    pub fn unverified_chain(&self) -> Option<Result<Chain, ChainError>> {
        self.carries_chain().then(|| Chain::from_ders(&self.certificates))
    }

    /// The same, with authorities that were read before taken from a shelf.
    pub(super) fn chain_on(&self, shelf: &Shelf) -> Option<Result<Chain, ChainError>> {
        self.carries_chain().then(|| Chain::from_ders_on(&self.certificates, shelf))
    }

    /// Digest of the chain it carries, as the cache of verified chains names it.
    pub(super) fn chain_digest(&self) -> Option<Digest> {
        self.carries_chain()
            .then(|| super::verifier::chain_digest(self.certificates.iter().map(Vec::as_slice)))
    }

    /// Who claims to have signed it: for routing and limits only.
    #[must_use]
    pub fn unverified_issuer(&self) -> &UnitPath {
        &self.header.issuer
    }

    /// When it claims to have been signed, in whole seconds: for limits only.
    #[must_use]
    pub fn unverified_issued_at(&self) -> Timestamp {
        Timestamp::from_seconds(self.header.issued_at_seconds)
    }

    /// Digest of the certificate it claims to be signed under: to look up a chain.
    #[must_use]
    pub fn unverified_leaf_digest(&self) -> Digest {
        self.header.leaf
    }

    /// The payload, for whoever knows by the digest that it was verified before.
    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Bytes of the payload: for limits only.
    #[must_use]
    pub fn unverified_payload_len(&self) -> usize {
        self.payload.len()
    }

    /// Checks that the holder of a verified chain signed this in the name of its own unit, and
    /// returns the payload.
    ///
    /// # Errors
    /// Which of certificate hash, key identifier, signature or issuer does not fit.
    pub fn verify(&self, signer: &VerifiedChain) -> Result<&[u8], VerifyError> {
        if signer.leaf_digest() != self.header.leaf {
            return Err(VerifyError::OtherCertificate {
                expected: self.header.leaf,
                found: signer.leaf_digest(),
            });
        }
        if signer.key().key_id() != self.header.key {
            return Err(VerifyError::KeyId {
                expected: signer.key().key_id(),
                found: self.header.key,
            });
        }
        signer
            .key()
            .verify(&to_be_signed(&self.protected, &self.payload), &self.signature)
            .map_err(|_| VerifyError::BadSignature { issuer: self.header.issuer.clone() })?;
        if *signer.unit() != self.header.issuer {
            return Err(VerifyError::WrongIssuer {
                issuer: self.header.issuer.clone(),
                certified: signer.unit().clone(),
            });
        }
        Ok(&self.payload)
    }

    /// What the signature is over and the signature, for other tools' verification in tests.
    #[cfg(test)]
    pub(super) fn signature_parts(&self) -> (Vec<u8>, Vec<u8>) {
        (to_be_signed(&self.protected, &self.payload), self.signature.as_bytes().to_vec())
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Header { content_type, issuer, .. } = &self.header;
        write!(f, "Envelope({content_type} of {issuer}, {} bytes, unverified)", self.payload.len())
    }
}

/// Sig_structure of RFC 9052 section 4.4, with empty external data.
fn to_be_signed(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut e = Encoder::new(Vec::with_capacity(protected.len() + payload.len() + 32));
    let written = write_to_be_signed(&mut e, protected, payload);
    debug_assert!(written.is_ok(), "encoding into a vector cannot fail");
    e.into_writer()
}

fn write_to_be_signed(
    e: &mut Encoder<Vec<u8>>,
    protected: &[u8],
    payload: &[u8],
) -> Result<(), minicbor::encode::Error<core::convert::Infallible>> {
    e.array(4)?.str("Signature1")?.bytes(protected)?.bytes(&[])?.bytes(payload)?.ok()
}

fn bounded_bytes<'b>(d: &mut Decoder<'b>, limit: usize) -> Result<&'b [u8], Error> {
    let position = d.position();
    let bytes = d.bytes()?;
    if bytes.len() <= limit {
        return Ok(bytes);
    }
    let reason = format!("expected at most {limit} bytes, found {}", bytes.len());
    Err(Error::message(reason).at(position))
}

fn read_certificates(d: &mut Decoder<'_>) -> Result<Vec<Vec<u8>>, Error> {
    if d.datatype()? == minicbor::data::Type::Bytes {
        return Ok(vec![bounded_bytes(d, MAX_CERTIFICATE_BYTES)?.to_vec()]);
    }
    decode_ders(d, MAX_CHAIN)
}

fn read_receipts(d: &mut Decoder<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let count = crate::cbor::bounded_length(d, MAX_RECEIPTS)?;
    (0..count).map(|_| bounded_bytes(d, MAX_RECEIPT_BYTES).map(<[u8]>::to_vec)).collect()
}

/// Why bytes are no envelope of ours. Whoever sent them is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// More bytes than allowed; nothing was decoded.
    #[error("the signed envelope has {found} bytes, expected at most {limit}")]
    TooLong {
        /// Bytes allowed.
        limit: usize,
        /// Bytes found.
        found: usize,
    },
    /// Not a COSE_Sign1 of our form.
    #[error("the signed envelope is malformed at byte {position}: {reason}")]
    Malformed {
        /// Where decoding stopped.
        position: usize,
        /// The decoder's reason.
        reason: String,
    },
    /// It decodes but is not the one form of its content.
    #[error("the signed envelope is not in canonical form (RFC 8949 section 4.2.1)")]
    NotCanonical,
    /// Signed as something else.
    #[error("expected content type {expected}, found {found:?}")]
    ContentType {
        /// The type asked for.
        expected: &'static str,
        /// The type found.
        found: String,
    },
    /// The payload to be signed is too long.
    #[error(transparent)]
    Payload(#[from] CborError),
}
