//! The edge cases of Ed25519 on which libraries disagree: small order and second spellings, 14 keys by
//! 14 points (the construction behind ZIP-215), and the twelve signatures of "Taming the many EdDSAs"
//! (Chalkias, Garillot, Nikolaenko 2020), made here from the curve's constants. One function checks
//! every signature of the house ([`PublicKey::verify`]), so a node and an auditor say the same.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use curve25519_dalek::constants::{ED25519_BASEPOINT_TABLE as BASE, EIGHT_TORSION};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use sha2::{Digest as _, Sha512};

use super::*;

/// The prime 2^255 - 19, little endian.
fn prime() -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xed;
    bytes[31] = 0x7f;
    bytes
}

fn with_sign(mut bytes: [u8; 32]) -> [u8; 32] {
    bytes[31] |= 0x80;
    bytes
}

/// The 14 encodings of points of small order: eight in their one form, six that only lax decoders take.
pub(crate) fn small_order() -> Vec<[u8; 32]> {
    let canonical: Vec<[u8; 32]> =
        EIGHT_TORSION.iter().map(|point| point.compress().to_bytes()).collect();
    let (mut one, mut minus_one, mut past) = ([0; 32], prime(), prime());
    one[0] = 1;
    minus_one[0] -= 1;
    past[0] += 1;
    // y = 1 and y = -1 have x = 0, which has no sign; y = p is 0 and y = p + 1 is 1 again.
    let second = [one, minus_one, prime(), past].map(with_sign);
    canonical.into_iter().chain(second).chain([prime(), past]).collect()
}

/// SHA-512(R, A, M) as a scalar, over the bytes as they are written.
fn challenge(r: &[u8; 32], a: &[u8; 32], message: &[u8]) -> Scalar {
    let hash = Sha512::new().chain_update(r).chain_update(a).chain_update(message).finalize();
    Scalar::from_bytes_mod_order_wide(&hash.into())
}

fn scalar(name: &str) -> Scalar {
    Scalar::from_bytes_mod_order_wide(&Sha512::digest(name.as_bytes()).into())
}

fn signature(r: &[u8; 32], s: &[u8; 32]) -> Signature {
    Signature::from_bytes(&[r.as_slice(), s].concat()).unwrap()
}

/// Whether anybody of ours would believe it: the key is taken at all, and the signature holds.
fn is_believed(key: &[u8; 32], message: &[u8], signature: &Signature) -> bool {
    PublicKey::from_bytes(key).is_ok_and(|key| key.verify(message, signature).is_ok())
}

#[test]
fn attack_01_keys_and_points_of_small_order_are_refused_in_all_their_spellings() {
    let points = small_order();
    let distinct: BTreeSet<_> = points.iter().collect();
    assert_eq!(distinct.len(), 14);
    let honest = SecretKey::from_seed(&[7; SEED_BYTES]).public().to_bytes();
    let mut tried = 0;
    for key in &points {
        assert!(PublicKey::from_bytes(key).is_err());
        for point in &points {
            // s = 0 satisfies the equation with cofactor for every message.
            let forged = signature(point, &[0; 32]);
            assert!(!is_believed(key, b"Zcash", &forged));
            assert!(!is_believed(&honest, b"Zcash", &forged));
            tried += 1;
        }
    }
    assert_eq!(tried, 196);
}

/// One of the twelve: a key, a message and a signature that some library takes.
struct Case {
    what: &'static str,
    key: [u8; 32],
    message: Vec<u8>,
    signature: Signature,
}

/// A key with a part of small order, what it signs, and how the torsion parts come out.
struct Mixed {
    secret: Scalar,
    torsion: EdwardsPoint,
    key: [u8; 32],
}

impl Mixed {
    fn new() -> Self {
        let (secret, torsion) = (scalar("a mixed key"), EIGHT_TORSION[1]);
        let key = (BASE * &secret + torsion).compress().to_bytes();
        Self { secret, torsion, key }
    }

    /// The first message for which the torsion part of `r` and of h·A cancel, or do not.
    fn sign(
        &self,
        r: [u8; 32],
        nonce: Scalar,
        of_r: EdwardsPoint,
        cancels: bool,
    ) -> (Vec<u8>, [u8; 32]) {
        let message = (0_u32..).map(|n| n.to_be_bytes().to_vec()).find(|message| {
            let h = challenge(&r, &self.key, message);
            (of_r + self.torsion * h == EdwardsPoint::default()) == cancels
        });
        let message = message.unwrap();
        let s = nonce + challenge(&r, &self.key, &message) * self.secret;
        (message, s.to_bytes())
    }
}

/// s + 2^k multiples of the group's order: the same scalar in more bits than it may have.
fn unreduced(s: &[u8; 32], times: u32) -> [u8; 32] {
    // The order 2^252 + 27742317777372353535851937790883648493, little endian.
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let (mut sum, mut carry) = (*s, 0_u32);
    for (to, from) in sum.iter_mut().zip(ORDER) {
        let digit = u32::from(*to) + u32::from(from) * times + carry;
        *to = u8::try_from(digit & 0xff).unwrap();
        carry = digit >> 8;
    }
    assert_eq!(carry, 0);
    sum
}

fn twelve() -> Vec<Case> {
    let mixed = Mixed::new();
    let nonce = scalar("a nonce");
    let small = EIGHT_TORSION[1];
    let encoded = |point: EdwardsPoint| point.compress().to_bytes();
    let honest = SecretKey::from_seed(&[9; SEED_BYTES]);
    let ours = *honest.sign(b"message").as_bytes();
    let (own_r, own_s): ([u8; 32], [u8; 32]) =
        (ours[..32].try_into().unwrap(), ours[32..].try_into().unwrap());
    let case = |what, key, message: &[u8], r, s| Case {
        what,
        key,
        message: message.to_vec(),
        signature: signature(&r, &s),
    };
    let mut cases = Vec::new();
    // 0 and 1: a small key signs every eighth message in anybody's name.
    let small_key = Mixed { secret: Scalar::ZERO, torsion: small, key: encoded(small) };
    let (message, s) = small_key.sign(encoded(small), Scalar::ZERO, small, true);
    cases.push(case("small key, small R, s = 0", small_key.key, &message, encoded(small), s));
    let r = BASE * &nonce + small;
    let (message, s) = small_key.sign(encoded(r), nonce, small, true);
    cases.push(case("small key, mixed R", small_key.key, &message, encoded(r), s));
    // 2 to 5: a mixed key.
    let (message, s) = mixed.sign(encoded(small), Scalar::ZERO, small, true);
    cases.push(case("mixed key, small R", mixed.key, &message, encoded(small), s));
    let (message, s) = mixed.sign(encoded(r), nonce, small, true);
    cases.push(case("mixed key, mixed R, holds", mixed.key, &message, encoded(r), s));
    let (message, s) = mixed.sign(encoded(r), nonce, small, false);
    cases.push(case("mixed key, mixed R, holds with cofactor", mixed.key, &message, encoded(r), s));
    let plain = BASE * &nonce;
    let (message, s) = mixed.sign(encoded(plain), nonce, EdwardsPoint::default(), false);
    cases.push(case("mixed key, holds with cofactor", mixed.key, &message, encoded(plain), s));
    // 6 and 7: an honest signature with a scalar of more bits.
    let key = honest.public().to_bytes();
    cases.push(case("s beyond the order", key, b"message", own_r, unreduced(&own_s, 1)));
    cases.push(case("s far beyond the order", key, b"message", own_r, unreduced(&own_s, 13)));
    // 8 and 9: R in a second spelling, hashed as written or as meant.
    let second = with_sign({
        let mut one = [0; 32];
        one[0] = 1;
        one
    });
    let identity = EdwardsPoint::default();
    let (message, s) = mixed.sign(second, Scalar::ZERO, identity, true);
    cases.push(case("second spelling of R", mixed.key, &message, second, s));
    let (message, s) = mixed.sign(encoded(identity), Scalar::ZERO, identity, true);
    cases.push(case("second spelling of R, hashed as meant", mixed.key, &message, second, s));
    // 10 and 11: the key in a second spelling.
    let as_written = Mixed { secret: Scalar::ZERO, torsion: identity, key: second };
    let (message, s) = as_written.sign(encoded(plain), nonce, identity, true);
    cases.push(case("second spelling of the key", second, &message, encoded(plain), s));
    let as_meant = Mixed { secret: Scalar::ZERO, torsion: identity, key: encoded(identity) };
    let (message, s) = as_meant.sign(encoded(plain), nonce, identity, true);
    cases.push(case(
        "second spelling of the key, hashed as meant",
        second,
        &message,
        encoded(plain),
        s,
    ));
    cases
}

/// Eleven of twelve are refused. The fourth is no forgery: its key has a part of small order, which its
/// holder chose, and the holder signed so that the equation holds without the cofactor; every checker
/// takes it alike.
#[test]
fn attack_01_the_twelve_signatures_that_libraries_disagree_on() {
    let cases = twelve();
    assert_eq!(cases.len(), 12);
    for (number, case) in cases.iter().enumerate() {
        let believed = is_believed(&case.key, &case.message, &case.signature);
        assert_eq!(believed, number == 3, "{number}: {}", case.what);
    }
}

/// The cases are what they say they are: the equation with the cofactor holds for those that a lax
/// checker takes.
#[test]
fn the_cases_are_not_refused_for_nothing() {
    use curve25519_dalek::edwards::CompressedEdwardsY;
    for (number, case) in twelve().iter().enumerate().filter(|(number, _)| *number < 6) {
        let bytes = case.signature.as_bytes();
        let r: [u8; 32] = bytes[..32].try_into().unwrap();
        let s = Scalar::from_bytes_mod_order(bytes[32..].try_into().unwrap());
        let h = challenge(&r, &case.key, &case.message);
        let point = |bytes: [u8; 32]| CompressedEdwardsY(bytes).decompress().unwrap();
        let rest = BASE * &s - point(r) - point(case.key) * h;
        assert!(rest.is_small_order(), "{number}: {}", case.what);
        let exact = rest == EdwardsPoint::default();
        assert_eq!(exact, number < 4, "{number}: {}", case.what);
    }
}
