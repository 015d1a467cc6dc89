//! The root list: the certificates that everything in a federation hangs from.
//!
//! The first list is trusted by its digest, which *is* the federation's id and which people compare.
//! Each later list names its predecessor and is signed by one of the predecessor's roots, so a
//! federation can replace its roots and stay the same federation.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};

use super::certificate::{Certificate, CertificateError};
use super::name::{Domain, NameError};
use super::{MAX_CERTIFICATE_BYTES, MAX_CRL_BYTES};
use crate::cbor::{self, CborError};
use crate::digest::{Digest, FederationId};
use crate::key::{KeyId, SecretKey, Signature};

/// Most roots of a federation: the one in use, its successor, and some held by co-founders.
pub const MAX_ROOTS: usize = 8;
/// Longest encoded root list, in bytes.
pub const MAX_ROOT_LIST_BYTES: usize = MAX_ROOTS * (MAX_CERTIFICATE_BYTES + 8) + 512;
/// Version of the list that this crate writes and reads.
const VERSION: u16 = 1;
/// Separates a root's signature under a list from everything else it signs.
const SIGNED_AS: &[u8] = b"reeve root list 1\0";

const _: () = assert!(MAX_ROOT_LIST_BYTES < MAX_CRL_BYTES);

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Content {
    #[n(0)]
    version: u16,
    #[n(1)]
    number: u64,
    #[n(2)]
    roots: Ders,
    #[n(3)]
    succession: Option<Succession>,
}

/// What ties a later list to the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Succession {
    #[n(0)]
    federation: FederationId,
    #[n(1)]
    predecessor: Digest,
    #[cbor(n(2), with = "minicbor::bytes")]
    signer: [u8; 20],
    #[cbor(n(3), with = "minicbor::bytes")]
    signature: [u8; 64],
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Ders(Vec<Vec<u8>>);

impl<C> Encode<C> for Ders {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        super::chain::encode_ders(self.0.iter().map(Vec::as_slice), self.0.len(), e)
    }
}

impl<'b, C> Decode<'b, C> for Ders {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        super::chain::decode_ders(d, MAX_ROOTS).map(Self)
    }
}

/// The root certificates of a federation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootList {
    content: Content,
    roots: Vec<Certificate>,
    domain: Domain,
    digest: Digest,
}

impl RootList {
    /// The first list of a new federation. Its digest becomes the federation's id.
    ///
    /// # Errors
    /// When there are no roots, too many, or they are not roots of one domain.
    pub fn genesis(roots: &[Certificate]) -> Result<Self, RootListError> {
        Self::assemble(content(0, roots, None))
    }

    /// The list that follows this one, signed by one of this list's roots.
    ///
    /// # Errors
    /// As [`RootList::genesis`], and when the key is none of this list's roots.
    pub fn successor(&self, roots: &[Certificate], key: &SecretKey) -> Result<Self, RootListError> {
        let mut succession = Succession {
            federation: self.federation(),
            predecessor: self.digest,
            signer: *key.public().key_id().as_bytes(),
            signature: [0; 64],
        };
        let mut content = content(self.content.number + 1, roots, Some(succession));
        succession.signature = *key.sign(&signed_bytes(&content)).as_bytes();
        content.succession = Some(succession);
        let next = Self::assemble(content)?;
        self.accept(&next)?;
        Ok(next)
    }

    /// Reads a list. Only its form is checked: compare [`RootList::federation`] of a first list with
    /// what people were told, and later ones with [`RootList::accept`].
    ///
    /// # Errors
    /// Says what is too long, malformed, or no root.
    pub fn decode(bytes: &[u8]) -> Result<Self, RootListError> {
        Self::assemble(cbor::from_slice("root list", bytes, MAX_ROOT_LIST_BYTES)?)
    }

    /// The encoded list.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        cbor::to_vec(&self.content)
    }

    /// Checks that `next` follows this list: same federation and domain, next number, this list as
    /// predecessor, signed by one of this list's roots.
    ///
    /// # Errors
    /// Says which of these does not hold.
    pub fn accept(&self, next: &Self) -> Result<(), RootListError> {
        let succession = next.content.succession.ok_or(RootListError::NotSuccessor)?;
        if succession.federation != self.federation() || next.domain != self.domain {
            return Err(RootListError::OtherFederation {
                expected: self.federation(),
                found: succession.federation,
            });
        }
        let expected = self.content.number + 1;
        if next.content.number != expected || succession.predecessor != self.digest {
            return Err(RootListError::Number { expected, found: next.content.number });
        }
        let signature = Signature::from_bytes(&succession.signature);
        let signer = KeyId::from_bytes(&succession.signer).and_then(|id| self.root_with_key(&id));
        let (Ok(signature), Some(signer)) = (signature, signer) else {
            return Err(RootListError::Unsigned);
        };
        let bytes = signed_bytes(&next.content);
        signer.key().verify(&bytes, &signature).map_err(|_| RootListError::Unsigned)
    }

    /// Which federation: the digest of the first list.
    #[must_use]
    pub fn federation(&self) -> FederationId {
        match self.content.succession {
            Some(succession) => succession.federation,
            None => FederationId(self.digest),
        }
    }

    /// 0 for the first list, counting up.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.content.number
    }

    /// The domain below which all units of the federation are named.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The root certificates.
    #[must_use]
    pub fn roots(&self) -> &[Certificate] {
        &self.roots
    }

    /// The root with this key identifier.
    #[must_use]
    pub fn root_with_key(&self, key: &KeyId) -> Option<&Certificate> {
        self.roots.iter().find(|root| root.key().key_id() == *key)
    }

    /// The roots as PEM, for `openssl verify -CAfile`.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.roots.iter().map(Certificate::to_pem).collect()
    }

    fn assemble(content: Content) -> Result<Self, RootListError> {
        if content.version != VERSION {
            return Err(RootListError::Version { found: content.version });
        }
        if (content.number == 0) != content.succession.is_none() {
            return Err(RootListError::NotSuccessor);
        }
        let ders = &content.roots.0;
        let parsed = ders.iter().map(|der| Certificate::from_der(der));
        let roots = parsed.collect::<Result<Vec<_>, _>>()?;
        let domain = check_roots(&roots)?;
        let digest = Digest::of(&cbor::to_vec(&content));
        Ok(Self { content, roots, domain, digest })
    }
}

fn content(number: u64, roots: &[Certificate], succession: Option<Succession>) -> Content {
    let roots = Ders(roots.iter().map(|root| root.der().to_vec()).collect());
    Content { version: VERSION, number, roots, succession }
}

/// What the predecessor's root signs: the list with an empty signature.
fn signed_bytes(content: &Content) -> Vec<u8> {
    let mut content = content.clone();
    if let Some(succession) = &mut content.succession {
        succession.signature = [0; 64];
    }
    [SIGNED_AS, &cbor::to_vec(&content)].concat()
}

/// One to eight self-signed roots of one domain, each with a key of its own.
fn check_roots(roots: &[Certificate]) -> Result<Domain, RootListError> {
    let Some(first) = roots.first().filter(|_| roots.len() <= MAX_ROOTS) else {
        return Err(RootListError::Count { found: roots.len() });
    };
    for root in roots {
        let subject = root.subject().to_owned();
        let is_root = root.claims().is_none() && root.verify_signature(root.key()).is_ok();
        if !is_root || root.dns_name() != first.dns_name() {
            return Err(RootListError::NotARoot { subject });
        }
    }
    let keys: BTreeSet<_> = roots.iter().map(|root| root.key().key_id()).collect();
    if keys.len() != roots.len() {
        return Err(RootListError::Count { found: roots.len() });
    }
    Ok(Domain::new(first.dns_name())?)
}

/// Why a root list is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootListError {
    /// Not the CBOR it should be.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// A root certificate is not acceptable.
    #[error("a root certificate is refused: {0}")]
    Certificate(#[from] CertificateError),
    /// The domain is not acceptable.
    #[error(transparent)]
    Name(#[from] NameError),
    /// No roots, too many, or one key twice.
    #[error("expected 1 to {MAX_ROOTS} roots with different keys, found {found}")]
    Count {
        /// Roots found.
        found: usize,
    },
    /// Not self-signed, not a root, or of another domain.
    #[error("{subject} is not a self-signed root of this federation's domain")]
    NotARoot {
        /// The certificate's subject.
        subject: String,
    },
    /// Another version of the list.
    #[error("expected a root list of version {VERSION}, found {found}: update this program")]
    Version {
        /// The version found.
        found: u16,
    },
    /// A first list where a later one belongs, or the reverse.
    #[error(
        "a first root list names no predecessor and every later one does; this one does not fit"
    )]
    NotSuccessor,
    /// A list of another federation.
    #[error("expected a root list of federation {expected}, found one of {found}")]
    OtherFederation {
        /// The federation we are in.
        expected: FederationId,
        /// The federation of the list.
        found: FederationId,
    },
    /// Not the next list.
    #[error("expected root list number {expected} on top of the one we hold, found number {found}")]
    Number {
        /// The next number.
        expected: u64,
        /// The number found.
        found: u64,
    },
    /// No root of the predecessor signed it.
    #[error("the root list is not signed by a root of its predecessor")]
    Unsigned,
}
