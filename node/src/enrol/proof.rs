//! Proofs that the other side knows an invite's secret (HMAC-SHA256, RFC 2104), one domain for each
//! direction, compared in constant time.

use hmac::{Hmac, KeyInit as _, Mac as _};
use minicbor::{Decode, Encode};
use reeve_statement::digest::Digest;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of a secret: guessing is out of the question.
const SECRET_BYTES: usize = 32;
/// Bytes of the name by which a desk finds an invite.
const ID_BYTES: usize = 16;

const ASKED: &[u8] = b"reeve enrolment 1 asked\0";
const ANSWERED: &[u8] = b"reeve enrolment 1 answered\0";
const NAMED: &[u8] = b"reeve enrolment 1 named\0";

/// An invite's one-time secret; never printed, wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(Zeroizing<[u8; SECRET_BYTES]>);

/// The name of an invite: made from the secret, tells nothing about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct InviteId(#[cbor(n(0), with = "minicbor::bytes")] [u8; ID_BYTES]);

/// A proof that whoever said something knows the secret.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct Proof(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]);

impl Proof {
    /// In refusals, which need none.
    pub(super) const NONE: Self = Self([0; 32]);
}

impl Secret {
    pub(super) fn new(bytes: Zeroizing<[u8; SECRET_BYTES]>) -> Self {
        Self(bytes)
    }

    pub(super) fn id(&self) -> InviteId {
        let hash = Digest::of_parts(&[NAMED, self.0.as_slice()]);
        let mut id = [0; ID_BYTES];
        for (to, from) in id.iter_mut().zip(hash.as_bytes()) {
            *to = *from;
        }
        InviteId(id)
    }

    fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        // Every length of key is a key for HMAC; a key of no bytes could only fail to match.
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice())
            .unwrap_or_else(|_| Hmac::<Sha256>::new(&[0; 64].into()));
        for part in parts {
            mac.update(part);
        }
        mac
    }

    pub(super) fn prove_asked(&self, body: &[u8]) -> Proof {
        Proof(self.mac(&[ASKED, body]).finalize().into_bytes().into())
    }

    pub(super) fn was_asked(&self, body: &[u8], proof: &Proof) -> bool {
        self.mac(&[ASKED, body]).verify_slice(&proof.0).is_ok()
    }

    pub(super) fn prove_answered(&self, asked: &[u8], body: &[u8]) -> Proof {
        let asked = Digest::of(asked);
        Proof(self.mac(&[ANSWERED, asked.as_bytes(), body]).finalize().into_bytes().into())
    }

    pub(super) fn was_answered(&self, asked: &[u8], body: &[u8], proof: &Proof) -> bool {
        let asked = Digest::of(asked);
        self.mac(&[ANSWERED, asked.as_bytes(), body]).verify_slice(&proof.0).is_ok()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl<C> Encode<C> for Secret {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(self.0.as_slice())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Secret {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        let bytes = d.bytes()?;
        if bytes.len() != SECRET_BYTES {
            return Err(minicbor::decode::Error::message("expected a secret of 32 bytes"));
        }
        secret.copy_from_slice(bytes);
        Ok(Self(secret))
    }
}
