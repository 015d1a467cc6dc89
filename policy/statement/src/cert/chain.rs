//! Certificate chains as they travel: leaf first, without the root. Nothing here is verified; see
//! [`super::verify`].
//!
//! A chain is bounded before anything in it is parsed: at most 17 certificates of at most 4 KiB.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use minicbor::encode::Write;

use super::certificate::{Certificate, CertificateError, Serial};
use super::claims::Role;
use super::revocation::Reason;
use super::{MAX_CERTIFICATE_BYTES, MAX_CHAIN};
use crate::digest::{Digest, FederationId};
use crate::time::Timestamp;
use crate::unit::UnitPath;

/// Longest encoded chain, in bytes.
pub const MAX_CHAIN_BYTES: usize = MAX_CHAIN * (MAX_CERTIFICATE_BYTES + 4) + 4;

/// Certificates in right form, leaf first, without the root. Nothing is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    leaf: Certificate,
    above: Vec<Certificate>,
}

impl Chain {
    /// Joins a leaf with the authorities above it, nearest first, without the root.
    ///
    /// # Errors
    /// [`ChainError::TooLong`].
    pub fn new(leaf: Certificate, above: Vec<Certificate>) -> Result<Self, ChainError> {
        if above.len() >= MAX_CHAIN {
            return Err(ChainError::TooLong { found: above.len() + 1, allowed: MAX_CHAIN });
        }
        Ok(Self { leaf, above })
    }

    /// Reads certificates, leaf first.
    ///
    /// # Errors
    /// When there are none or too many, or one is not acceptable in form.
    pub fn from_ders<D: AsRef<[u8]>>(ders: &[D]) -> Result<Self, ChainError> {
        Self::read(ders, Certificate::from_der)
    }

    /// The same, with authorities that were read before taken from a shelf.
    pub(crate) fn from_ders_on<D: AsRef<[u8]>>(
        ders: &[D],
        shelf: &Shelf,
    ) -> Result<Self, ChainError> {
        let mut leaf = true;
        Self::read(ders, |der| {
            // A leaf is in one chain, and what stands above it in many.
            if core::mem::take(&mut leaf) { Certificate::from_der(der) } else { shelf.read(der) }
        })
    }

    fn read<D: AsRef<[u8]>>(
        ders: &[D],
        mut read: impl FnMut(&[u8]) -> Result<Certificate, CertificateError>,
    ) -> Result<Self, ChainError> {
        if ders.len() > MAX_CHAIN {
            return Err(ChainError::TooLong { found: ders.len(), allowed: MAX_CHAIN });
        }
        let parsed = ders
            .iter()
            .enumerate()
            .map(|(position, der)| read(der.as_ref()).map_err(|error| malformed(position, error)));
        let mut certificates = parsed.collect::<Result<Vec<_>, _>>()?.into_iter();
        let leaf = certificates.next().ok_or(ChainError::Empty)?;
        Ok(Self { leaf, above: certificates.collect() })
    }

    /// Reads a CBOR array of certificates, leaf first (RFC 9360's `COSE_X509` with an array).
    ///
    /// # Errors
    /// As [`Chain::from_ders`], and when the bytes are not such an array.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, ChainError> {
        if bytes.len() > MAX_CHAIN_BYTES {
            return Err(ChainError::Cbor);
        }
        let mut decoder = minicbor::Decoder::new(bytes);
        let ders = decode_ders(&mut decoder, MAX_CHAIN).map_err(|_| ChainError::Cbor)?;
        if decoder.position() != bytes.len() {
            return Err(ChainError::Cbor);
        }
        let chain = Self::from_ders(&ders)?;
        if chain.to_cbor() == bytes { Ok(chain) } else { Err(ChainError::Cbor) }
    }

    /// The chain as a CBOR array of certificates, leaf first.
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = minicbor::Encoder::new(&mut bytes);
        let ders = self.certificates().map(Certificate::der);
        // A vector takes every write.
        let written = encode_ders(ders, self.len(), &mut encoder);
        debug_assert!(written.is_ok(), "encoding into a vector cannot fail");
        bytes
    }

    /// The authorities above the leaf as PEM, for `openssl verify -untrusted`.
    #[must_use]
    pub fn authorities_pem(&self) -> String {
        self.above.iter().map(Certificate::to_pem).collect()
    }

    /// Reads PEM blocks, leaf first.
    ///
    /// # Errors
    /// As [`Chain::from_ders`], and when the text is not PEM.
    pub fn from_pem(text: &str) -> Result<Self, ChainError> {
        const END: &str = "-----END CERTIFICATE-----";
        let blocks: Vec<_> = text.split_inclusive(END).filter(|part| part.contains(END)).collect();
        if blocks.len() > MAX_CHAIN {
            return Err(ChainError::TooLong { found: blocks.len(), allowed: MAX_CHAIN });
        }
        let parsed = blocks.iter().enumerate().map(|(position, block)| {
            Certificate::from_pem(block.trim_start()).map_err(|error| malformed(position, error))
        });
        let mut certificates = parsed.collect::<Result<Vec<_>, _>>()?.into_iter();
        let leaf = certificates.next().ok_or(ChainError::Empty)?;
        Ok(Self { leaf, above: certificates.collect() })
    }

    /// The whole chain as PEM, leaf first.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.certificates().map(Certificate::to_pem).collect()
    }

    /// The certificate the chain is about.
    #[must_use]
    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// The authorities above the leaf, nearest first.
    #[must_use]
    pub fn authorities(&self) -> &[Certificate] {
        &self.above
    }

    /// This chain with renewed certificates of its authorities, given from the nearest renewed one up
    /// to the top; none if they are not the authorities of this chain, or none of them is valid
    /// longer than the one that it replaces or has a key that followed its one. The leaf stays: the
    /// nearest authority that is renewed keeps its name and key. Nothing is verified.
    #[must_use]
    pub fn re_anchored(&self, renewed: &[Certificate]) -> Option<Self> {
        let same = |old: &Certificate, new: &Certificate| {
            old.key() == new.key() && old.subject() == new.subject()
        };
        let first = renewed.first()?;
        let from = self.above.iter().position(|old| same(old, first))?;
        let (kept, replaced) = self.above.split_at_checked(from)?;
        let end = |it: &Certificate| it.validity().not_after;
        let follows = |old: &Certificate, new: &Certificate| {
            old.key() != new.key()
                && old.subject() == new.subject()
                && new.follows(old.key()).is_ok()
        };
        let pairs = || replaced.iter().zip(renewed);
        let fits = |(old, new): (&Certificate, &Certificate)| {
            same(old, new) && end(new) >= end(old) || follows(old, new)
        };
        let longer =
            pairs().all(fits) && pairs().any(|(old, new)| end(new) > end(old) || follows(old, new));
        if replaced.len() != renewed.len() || !longer {
            return None;
        }
        let above = kept.iter().chain(renewed).cloned().collect();
        Some(Self { leaf: self.leaf.clone(), above })
    }

    /// When the first certificate of the chain ends.
    #[must_use]
    pub fn ends(&self) -> Timestamp {
        let end = |it: &Certificate| it.validity().not_after;
        self.above.iter().map(end).fold(end(&self.leaf), Timestamp::min)
    }

    /// All certificates, leaf first.
    pub fn certificates(&self) -> impl DoubleEndedIterator<Item = &Certificate> {
        std::iter::once(&self.leaf).chain(&self.above)
    }

    /// Digest of the leaf, by which statements refer to a chain.
    #[must_use]
    pub fn leaf_digest(&self) -> Digest {
        self.leaf.digest()
    }

    fn len(&self) -> usize {
        self.above.len() + 1
    }
}

/// Most certificates on a shelf: every authority of a large federation, at about 3 KiB each.
const SHELF: usize = 4_096;

/// Certificates of authorities that were read before. That one is here says that its form is right, and
/// nothing else.
#[derive(Debug, Default)]
pub(crate) struct Shelf(Mutex<BTreeMap<Digest, Certificate>>);

impl Shelf {
    fn read(&self, der: &[u8]) -> Result<Certificate, CertificateError> {
        let name = Digest::of(der);
        let locked = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = locked().get(&name) {
            return Ok(known.clone());
        }
        let read = Certificate::from_der(der)?;
        let mut shelf = locked();
        if shelf.len() >= SHELF {
            shelf.clear();
        }
        shelf.insert(name, read.clone());
        Ok(read)
    }
}

fn malformed(position: usize, error: CertificateError) -> ChainError {
    match error {
        CertificateError::Key(error) => ChainError::WeakKey { position, error },
        error => ChainError::Malformed { position, error },
    }
}

/// Writes an array of byte strings.
pub(crate) fn encode_ders<'a, W: Write>(
    ders: impl Iterator<Item = &'a [u8]>,
    count: usize,
    e: &mut minicbor::Encoder<W>,
) -> Result<(), minicbor::encode::Error<W::Error>> {
    e.array(u64::try_from(count).unwrap_or(u64::MAX))?;
    for der in ders {
        e.bytes(der)?;
    }
    Ok(())
}

/// Reads an array of at most `limit` certificates' bytes, each checked for size before it is copied.
pub(crate) fn decode_ders(
    d: &mut minicbor::Decoder<'_>,
    limit: usize,
) -> Result<Vec<Vec<u8>>, minicbor::decode::Error> {
    let count = crate::cbor::bounded_length(d, limit)?;
    let mut ders = Vec::with_capacity(count);
    for _ in 0..count {
        let der = d.bytes()?;
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(minicbor::decode::Error::message("a certificate is too long"));
        }
        ders.push(der.to_vec());
    }
    Ok(ders)
}

/// Why a chain is refused: one variant for each reason. Whoever presents the chain is at fault,
/// except for [`ChainError::StaleList`] and [`ChainError::NoList`], where lists did not reach us.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No certificate at all.
    #[error("expected a certificate chain, found no certificate")]
    Empty,
    /// More certificates than any path needs; nothing was parsed.
    #[error("expected at most {allowed} certificates, found {found}")]
    TooLong {
        /// Certificates found.
        found: usize,
        /// Certificates allowed.
        allowed: usize,
    },
    /// Not the one encoding of a list of certificates.
    #[error("expected a canonical CBOR array of certificates within the size limit")]
    Cbor,
    /// A certificate is not acceptable in form.
    #[error("certificate {position} of the chain is refused: {error}")]
    Malformed {
        /// Its position, the leaf being 0.
        position: usize,
        /// Why.
        error: CertificateError,
    },
    /// A certificate's key must not be used.
    #[error("certificate {position} of the chain has an unacceptable key: {error}")]
    WeakKey {
        /// Its position, the leaf being 0.
        position: usize,
        /// Why.
        error: crate::key::KeyError,
    },
    /// The chain does not end at one of this federation's roots.
    #[error("{subject} was not issued by a root of federation {federation}")]
    WrongFederation {
        /// The topmost certificate's subject.
        subject: String,
        /// Our federation.
        federation: FederationId,
    },
    /// A federation root where an authority or leaf belongs.
    #[error("{subject} is a federation root, which is not part of a chain")]
    RootInChain {
        /// The certificate's subject.
        subject: String,
    },
    /// A certificate was not issued by the one above it in the chain.
    #[error("{subject} was not issued by {issuer}: is the chain complete and leaf first?")]
    WrongIssuer {
        /// The certificate's subject.
        subject: String,
        /// The subject of the certificate above it.
        issuer: String,
    },
    /// A signature does not match.
    #[error("the signature of the certificate of {subject} does not match")]
    BadSignature {
        /// The certificate's subject.
        subject: String,
    },
    /// A certificate is not valid yet.
    #[error("the certificate of {subject} is valid from {from} only: check this machine's clock")]
    NotYetValid {
        /// The certificate's subject.
        subject: String,
        /// First moment of validity.
        from: Timestamp,
    },
    /// A certificate has expired.
    #[error("the certificate of {subject} expired at {until}: it must be renewed")]
    Expired {
        /// The certificate's subject.
        subject: String,
        /// Last second of validity.
        until: Timestamp,
    },
    /// A certificate was revoked.
    #[error("the certificate of {subject} (serial {serial}) was revoked at {at}: {reason}")]
    Revoked {
        /// The certificate's subject.
        subject: String,
        /// Its serial number.
        serial: Serial,
        /// Why.
        reason: Reason,
        /// Since when.
        at: Timestamp,
    },
    /// A certificate is for another area than its issuer's.
    #[error("the name {name} is outside of {permitted}, which is all that its issuer may certify")]
    OutOfArea {
        /// The certificate's name.
        name: String,
        /// What its issuer may certify.
        permitted: String,
    },
    /// A superior tried to make a node of its subordinate, or skipped a level.
    #[error("a certificate for {role} of {unit} must be issued by the authority {}, not by {issuer}", if *.role == Role::Authority { "directly above it" } else { "of the identical unit" })]
    WrongIssuerUnit {
        /// The certificate's role.
        role: Role,
        /// The certificate's unit.
        unit: UnitPath,
        /// Name of the issuer.
        issuer: String,
    },
    /// A list came with the chain of a node or writer.
    #[error("{subject} is not an authority and may not sign revocation lists")]
    NotAnAuthority {
        /// The certificate's subject.
        subject: String,
    },
    /// An authority above allowed fewer levels.
    #[error("{subject} stands deeper than an authority above it allowed (path length)")]
    TooDeep {
        /// The certificate's subject.
        subject: String,
    },
    /// An authority's revocation list is overdue beyond the declared bound.
    #[error(
        "the revocation list of {issuer} was due at {due} and is overdue beyond the configured bound"
    )]
    StaleList {
        /// The authority.
        issuer: String,
        /// When the next list was due.
        due: Timestamp,
    },
    /// An authority's revocation list is required and was never received.
    #[error("no revocation list of {issuer} has been received, and one is required")]
    NoList {
        /// The authority.
        issuer: String,
    },
    /// webpki refuses what our walk accepted; one of the two is wrong, so the chain is refused.
    #[error("the second path checker (webpki) refuses the chain: {error}")]
    SecondOpinion {
        /// webpki's reason.
        error: String,
    },
}
