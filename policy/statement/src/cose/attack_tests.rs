//! Attacks on signed statements: every bit of many of them flipped, and the edge cases of Ed25519 where
//! nodes and auditors meet them. A few by default, all with `REEVE_FULL=1`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::samples::{
    catalogue, declaration, notice, register, release, request, statement, verifier,
};
use super::*;
use crate::cert::testing::{DAY_MILLIS, NOW, line};
use crate::cert::{Certificate, CertificateError};
use crate::key::PublicKey;
use crate::statement::Body;

pub(crate) fn is_full() -> bool {
    std::env::var_os("REEVE_FULL").is_some_and(|it| it == "1")
}

/// So many different statements by one node.
fn statements(count: usize) -> impl Iterator<Item = Statement> {
    let line = line("it/03/016");
    (0..count).map(move |number| {
        let bodies = [release, request, notice, release, catalogue, register, declaration];
        let body: Body = bodies[number % 4]();
        let mut made = statement(&line, body);
        let days = i64::try_from(number).unwrap();
        made.issued_at = NOW.plus_millis(days * DAY_MILLIS / 1_000);
        made.valid_until = (number % 3 == 0).then(|| NOW.plus_millis(days * DAY_MILLIS));
        made
    })
}

#[test]
fn attack_01_every_flipped_bit_of_many_statements_is_refused() {
    let count = if is_full() { 100 } else { 2 };
    let line = line("it/03/016");
    let (secret, chain) = line.node("1");
    let verifier = verifier(&line);
    let mut flips = 0_u64;
    for made in statements(count) {
        let signed = sign(&made, &secret, &chain).unwrap().without_chain();
        let mut bytes = signed.to_bytes();
        signed.verify_with(&chain, &verifier, NOW).unwrap();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let accepted = Signed::decode(&bytes)
                .is_ok_and(|signed| signed.verify_with(&chain, &verifier, NOW).is_ok());
            assert!(!accepted, "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
            flips += 1;
        }
    }
    assert!(flips > u64::try_from(count).unwrap() * 2_000, "only {flips} bits");
}

#[test]
fn attack_01_random_bytes_and_random_signatures_are_refused() {
    let count = if is_full() { 10_000 } else { 500 };
    let line = line("it/03/016");
    let (secret, chain) = line.node("1");
    let verifier = verifier(&line);
    let good = sign(&statement(&line, release()), &secret, &chain).unwrap().to_bytes();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..count {
        let mut bytes = good.clone();
        let from = bytes.len() - 64;
        random.fill(&mut bytes[from..]);
        assert!(Signed::decode(&bytes).unwrap().verify(&verifier, NOW).is_err());
        let mut noise = vec![0; random.random_range(0..600)];
        random.fill(noise.as_mut_slice());
        noise.splice(0..0, [0xd2, 0x84]);
        assert!(Signed::decode(&noise).is_err());
    }
}

/// The points of small order that `key::edge_tests` makes, met where they would arrive: in a statement's
/// signature, in a certificate's, and as a certificate's key.
#[test]
fn attack_01_points_of_small_order_are_refused_in_statements_and_certificates() {
    let line = line("it/03/016");
    let (secret, chain) = line.node("1");
    let verifier = verifier(&line);
    let signed = sign(&statement(&line, release()), &secret, &chain).unwrap();
    let (bytes, der) = (signed.to_bytes(), chain.leaf().der());
    let key = chain.leaf().key().to_bytes();
    let place = der.windows(32).position(|part| part == key).unwrap();
    for point in crate::key::edge_tests::small_order() {
        // s = 0 with any of these points.
        let mut forged = bytes.clone();
        let from = forged.len() - 64;
        forged[from..from + 32].copy_from_slice(&point);
        forged[from + 32..].fill(0);
        let refused = Signed::decode(&forged).unwrap().verify(&verifier, NOW).unwrap_err();
        assert!(matches!(refused, VerifyError::BadSignature { .. }), "{refused}");

        let mut forged = der.to_vec();
        let from = forged.len() - 64;
        forged[from..from + 32].copy_from_slice(&point);
        forged[from + 32..].fill(0);
        let leaf = Certificate::from_der(&forged).unwrap();
        let refused = verifier.verify_chain(&line.with_leaf(leaf), NOW).unwrap_err();
        assert!(matches!(refused, ChainError::BadSignature { .. }), "{refused}");

        let mut forged = der.to_vec();
        forged[place..place + 32].copy_from_slice(&point);
        let refused = Certificate::from_der(&forged).unwrap_err();
        assert!(matches!(refused, CertificateError::Key(_)), "{refused}");
        assert!(PublicKey::from_bytes(&point).is_err());
    }
}
