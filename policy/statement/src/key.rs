//! Ed25519 keys and signatures: the only module of the house that touches ed25519-dalek.
//!
//! Two properties hold for every value that leaves this module. A [`PublicKey`] is canonically
//! encoded and not of small order, because it cannot be constructed otherwise; and a signature is
//! only ever checked strictly ([`PublicKey::verify`]), so a statement has one verdict on every node
//! and for every auditor (plain RFC 8032 verification leaves room for two).
//!
//! This module never creates a key from chance: a 32-byte seed comes in from the caller. It never
//! prints a secret: `Debug` of [`SecretKey`] shows the public half only, and the memory is wiped on
//! drop. Key files (PKCS#8) are in [`mod@file`].
//!
//! Specifications: RFC 8032 (Ed25519), RFC 8410 (its identifiers in X.509 and PKCS#8), RFC 7093
//! section 2 (key identifiers from SHA-256).

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

pub mod file;

/// Bytes of a seed, from which a secret key is derived.
pub const SEED_BYTES: usize = 32;
/// Bytes of a public key.
pub const PUBLIC_KEY_BYTES: usize = 32;
/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;
/// Bytes of a key identifier (RFC 7093 method 1: the first 160 bits of SHA-256).
pub const KEY_ID_BYTES: usize = 20;

/// A key that signs: an authority's, a node's or a writer's.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// Derives the key from 32 bytes of good randomness, or from the seed kept in a key file.
    #[must_use]
    pub fn from_seed(seed: &[u8; SEED_BYTES]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs `message`. Callers separate domains themselves (COSE's Sig_structure, a certificate's
    /// to-be-signed part, a checkpoint's origin line).
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }

    /// The seed, for the network identity that is made from the same node key. Wiped on drop.
    #[must_use]
    pub fn seed(&self) -> Zeroizing<[u8; SEED_BYTES]> {
        Zeroizing::new(self.0.to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(redacted, public {})", self.public())
    }
}

/// A key that checks signatures. Canonically encoded and not weak, by construction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Accepts the 32 bytes of a public key.
    ///
    /// # Errors
    /// When the bytes are not 32, do not name a point of the curve, are not the one canonical
    /// encoding of it, or name a point of small order (for which a forged signature is easy).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let found = bytes.len();
        let bytes: &[u8; PUBLIC_KEY_BYTES] =
            bytes.try_into().map_err(|_| KeyError::Length { expected: PUBLIC_KEY_BYTES, found })?;
        if !is_canonical(bytes) {
            return Err(KeyError::NotCanonical);
        }
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotOnCurve)?;
        if key.is_weak() {
            return Err(KeyError::Weak);
        }
        Ok(Self(key))
    }

    /// The 32 bytes of the key.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; PUBLIC_KEY_BYTES] {
        self.0.to_bytes()
    }

    /// The key identifier used in certificates and statements: the first 160 bits of SHA-256 over
    /// the key's bytes.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        let hash: [u8; 32] = Sha256::digest(self.0.as_bytes()).into();
        let mut id = [0; KEY_ID_BYTES];
        for (to, from) in id.iter_mut().zip(hash) {
            *to = from;
        }
        KeyId(id)
    }

    /// Checks a signature strictly: the scalar is reduced, and neither the key nor the signature's
    /// point is of small order.
    ///
    /// # Errors
    /// [`BadSignature`] when it does not hold; deliberately without detail.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0.verify_strict(message, &signature).map_err(|_| BadSignature)
    }
}

/// Whether the y coordinate is below the field's prime 2^255 - 19. The remaining non-canonical
/// encodings (x = 0 with the sign bit set) are of small order and refused as weak.
fn is_canonical(bytes: &[u8; PUBLIC_KEY_BYTES]) -> bool {
    let [low, middle @ .., high] = bytes;
    let y_is_at_least_prime =
        *low >= 0xed && middle.iter().all(|byte| *byte == 0xff) && high & 0x7f == 0x7f;
    !y_is_at_least_prime
}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.as_bytes().cmp(other.0.as_bytes())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// Short name of a public key, as in certificates (subject and authority key identifier) and in
/// the `kid` of a statement.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId([u8; KEY_ID_BYTES]);

impl KeyId {
    /// Accepts the 20 bytes of an identifier.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 20 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; KEY_ID_BYTES] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// An Ed25519 signature. Says nothing until a [`PublicKey`] has checked it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; SIGNATURE_BYTES]);

impl Signature {
    /// Accepts 64 bytes.
    ///
    /// # Errors
    /// When there are not exactly 64.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let found = bytes.len();
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| KeyError::Length { expected: SIGNATURE_BYTES, found })
    }

    /// The 64 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; SIGNATURE_BYTES] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", hex::encode(self.0))
    }
}

/// The signature was not made by this key over these bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not match: other bytes were signed, or by another key")]
pub struct BadSignature;

/// Why bytes are not an acceptable public key or signature. Whoever sent them is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The number of bytes is wrong.
    #[error("expected {expected} bytes, found {found}")]
    Length {
        /// Bytes that the format has.
        expected: usize,
        /// Bytes that were given.
        found: usize,
    },
    /// A second spelling of a point; it would give one key two names.
    #[error("the public key is not in its canonical encoding")]
    NotCanonical,
    /// No point of the curve has this encoding.
    #[error("the bytes do not name a point of Ed25519's curve")]
    NotOnCurve,
    /// A key of small order, for which one signature fits almost every message.
    #[error("the public key is weak (small order); a new key must be made")]
    Weak,
}

#[cfg(test)]
pub(crate) mod edge_tests;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The points of small order (1, 2, 4 and 8), each with both sign bits.
    const WEAK: [&str; 10] = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ];

    #[test]
    fn weak_keys_are_refused() {
        for key in WEAK {
            assert_eq!(PublicKey::from_bytes(&hex::decode(key).unwrap()), Err(KeyError::Weak));
        }
    }

    #[test]
    fn every_second_spelling_is_refused() {
        for low in 0xed..=0xffu8 {
            for high in [0x7f, 0xff] {
                let mut bytes = [0xff; 32];
                bytes[0] = low;
                bytes[31] = high;
                assert_eq!(PublicKey::from_bytes(&bytes), Err(KeyError::NotCanonical));
            }
        }
    }

    #[test]
    fn a_wrong_length_is_named() {
        let error = PublicKey::from_bytes(&[1; 31]).unwrap_err();
        assert_eq!(error.to_string(), "expected 32 bytes, found 31");
        assert!(Signature::from_bytes(&[0; 63]).is_err());
    }

    /// RFC 8032, section 7.1, test 2.
    #[test]
    fn matches_the_rfc_vector() {
        let seed = hex::decode("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let key = SecretKey::from_seed(&seed.unwrap().try_into().unwrap());
        assert_eq!(
            key.public().to_string(),
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
        );
        let signature = key.sign(&[0x72]);
        assert!(hex::encode(signature.as_bytes()).starts_with("92a009a9f0d4cab8720e820b5f642540"));
        key.public().verify(&[0x72], &signature).unwrap();
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = SecretKey::from_seed(&[7; 32]);
        let shown = format!("{key:?}");
        assert!(!shown.contains(&hex::encode([7u8; 32])) && !shown.contains("7, 7, 7"));
        assert!(shown.contains("redacted"));
    }

    proptest! {
        #[test]
        fn a_signature_holds_for_its_message_and_key_only(
            seed: [u8; 32], other: [u8; 32], message: Vec<u8>, bit in 0usize..512,
        ) {
            prop_assume!(seed != other);
            let key = SecretKey::from_seed(&seed);
            let signature = key.sign(&message);
            prop_assert!(key.public().verify(&message, &signature).is_ok());
            prop_assert!(SecretKey::from_seed(&other).public().verify(&message, &signature).is_err());
            let mut flipped = *signature.as_bytes();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let flipped = Signature::from_bytes(&flipped).unwrap();
            prop_assert!(key.public().verify(&message, &flipped).is_err());
        }
    }
}
