//! Statements signed and verified, and each way in which one can be wrong.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::samples::{declaration, release, request, sign_anyway, statement, verifier};
use super::*;
use crate::catalogue::Catalogue;
use crate::cert::testing::{DAY_MILLIS, Line, NOW, key, line, line_in, stamp};
use crate::cert::{Actions, CrlSet, NodeGrant, Reason, Revocation};
use crate::statement::Body;

fn verdict(line: &Line, signed: Signed) -> VerifyError {
    signed.verify(&verifier(line), NOW).unwrap_err()
}

#[test]
fn what_was_signed_is_verified_after_travelling() {
    let line = line("it/03/016");
    let (secret, chain) = line.node("1");
    let statement = statement(&line, release());
    let signed = sign(&statement, &secret, &chain).unwrap();
    let received = Signed::decode(&signed.to_bytes()).unwrap();
    assert_eq!(received, signed);
    let verified = received.verify(&verifier(&line), NOW).unwrap();
    assert_eq!(verified.statement(), &statement);
    assert_eq!(verified.digest(), signed.digest());
    assert_eq!(verified.signer().unit(), &statement.issuer);
}

#[test]
fn signing_is_deterministic() {
    let line = line("it/03/016");
    let (secret, chain) = line.node("1");
    let statement = statement(&line, release());
    let bytes = || sign(&statement, &secret, &chain).unwrap().to_bytes();
    assert_eq!(bytes(), bytes());
}

#[test]
fn the_digest_is_the_same_with_and_without_the_chain() {
    let line = line("it/03/016");
    let (secret, chain) = line.node("1");
    let signed = sign(&statement(&line, release()), &secret, &chain).unwrap();
    let bare = signed.clone().without_chain();
    assert_eq!(bare.digest(), signed.digest());
    assert_eq!(bare.digest(), Digest::of(&bare.to_bytes()));
    assert!(bare.to_bytes().len() < signed.to_bytes().len());
    assert_eq!(bare.clone().with_chain(&chain), signed);
    assert_eq!(verdict(&line, bare.clone()), VerifyError::NoChain);
    let verifier = verifier(&line);
    assert!(bare.clone().verify_with(&chain, &verifier, NOW).is_ok());
    let (_, other) = line.node("2");
    let error = bare.verify_with(&other, &verifier, NOW).unwrap_err();
    assert!(matches!(error, VerifyError::OtherCertificate { .. }), "{error}");
}

#[test]
fn debug_shows_nothing_of_the_payload() {
    let line = line("it/03/016");
    let (secret, chain) = line.node("1");
    let signed = sign(&statement(&line, request()), &secret, &chain).unwrap();
    let shown = format!("{signed:?}");
    assert!(!shown.contains("epidemic") && shown.contains("it/03/016"), "{shown}");
}

#[test]
fn every_flipped_bit_is_refused() {
    let line = line("it/03/016");
    let (secret, chain) = line.node("1");
    // The same verifier throughout: what it remembers must not help a forgery.
    let verifier = verifier(&line);
    for body in [release(), request()] {
        let signed = sign(&statement(&line, body), &secret, &chain).unwrap().without_chain();
        let bytes = signed.to_bytes();
        signed.verify_with(&chain, &verifier, NOW).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let Ok(signed) = Signed::decode(&flipped) else { continue };
            assert!(signed.verify_with(&chain, &verifier, NOW).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn a_flipped_bit_in_any_byte_of_the_chain_is_refused() {
    let line = line("it/03/016");
    let (secret, chain) = line.node("1");
    let verifier = verifier(&line);
    let bytes = sign(&statement(&line, request()), &secret, &chain).unwrap().to_bytes();
    Signed::decode(&bytes).unwrap().verify(&verifier, NOW).unwrap();
    for byte in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[byte] ^= 1 << (byte % 8);
        let Ok(signed) = Signed::decode(&flipped) else { continue };
        assert!(signed.verify(&verifier, NOW).is_err(), "byte {byte}");
    }
}

#[test]
fn an_altered_payload_is_a_bad_signature() {
    let line = line("it/03/016");
    let (secret, chain) = line.node("1");
    let mut bytes = sign(&statement(&line, request()), &secret, &chain).unwrap().to_bytes();
    let place = bytes.windows(8).position(|part| part == b"epidemic").unwrap();
    bytes[place] = b'E';
    let error = verdict(&line, Signed::decode(&bytes).unwrap());
    assert!(matches!(error, VerifyError::BadSignature { .. }), "{error}");
}

#[test]
fn another_federation_is_refused_twice_over() {
    let (own, other) = (line("it/03/016"), line_in("other.example", "it/03/016"));
    let (secret, chain) = other.node("1");
    let foreign = sign(&statement(&other, release()), &secret, &chain).unwrap();
    let error = verdict(&own, foreign);
    assert!(matches!(error, VerifyError::Chain(ChainError::WrongFederation { .. })), "{error}");
    let (secret, chain) = own.node("1");
    let mislabelled = sign(&statement(&other, release()), &secret, &chain).unwrap();
    let error = verdict(&own, mislabelled);
    assert!(matches!(error, VerifyError::WrongFederation { .. }), "{error}");
}

#[test]
fn nobody_speaks_for_another_unit() {
    let line = line("it/03/016");
    let (secret, chain) = line.node("1");
    let mut other = statement(&line, release());
    other.issuer = "it/03/017".parse().unwrap();
    assert!(matches!(sign(&other, &secret, &chain), Err(SignError::OtherUnit { .. })));
    let error = verdict(&line, sign_anyway(&other, &secret, &chain));
    assert!(matches!(error, VerifyError::WrongIssuer { .. }), "{error}");
    let payload = cbor::to_vec(&other);
    let (issuer, at, leaf) = (&other.issuer, other.issued_at, chain.leaf_digest());
    let envelope = Envelope::sign(STATEMENT_TYPE, payload, issuer, at, &secret, leaf);
    let error = verdict(&line, Signed(envelope.with_chain(&chain)));
    assert!(matches!(error, VerifyError::WrongIssuer { .. }), "{error}");
}

#[test]
fn header_and_statement_agree_about_the_time() {
    let line = line("it/03/016");
    let (secret, chain) = line.node("1");
    let statement = statement(&line, release());
    let payload = cbor::to_vec(&statement);
    let at = NOW.plus_millis(DAY_MILLIS);
    let (issuer, leaf) = (&statement.issuer, chain.leaf_digest());
    let envelope = Envelope::sign(STATEMENT_TYPE, payload, issuer, at, &secret, leaf);
    let error = verdict(&line, Signed(envelope.with_chain(&chain)));
    assert!(matches!(error, VerifyError::IssuedAtDiffers { .. }), "{error}");
}

#[test]
fn rights_are_checked_per_kind() {
    let line = line("it/03/016");
    let only_query: Actions = [Action::Query].into_iter().collect();
    let (secret, chain) = line.node_with("1", only_query, &stamp("q"));
    sign(&statement(&line, request()), &secret, &chain)
        .unwrap()
        .verify(&verifier(&line), NOW)
        .unwrap();
    let catalogue = Body::Catalogue(Catalogue {
        version: 1,
        schema: Digest::of(b"schema"),
        indicators: Vec::new(),
    });
    let wanted = [
        (release(), Action::Report),
        (catalogue, Action::Catalogue),
        (declaration(), Action::Declare),
    ];
    for (body, expected) in wanted {
        let signed = sign(&statement(&line, body), &secret, &chain).unwrap();
        let error = verdict(&line, signed);
        assert!(
            matches!(&error, VerifyError::NotEntitled { action, .. } if *action == expected),
            "{error}"
        );
    }
}

#[test]
fn an_authority_may_declare_for_its_unit() {
    let line = line("it/03/016");
    let mut above = line.above();
    let leaf = above.remove(0);
    let chain = Chain::new(leaf, above).unwrap();
    let secret = &line.authorities.last().unwrap().0;
    let signed = sign(&statement(&line, declaration()), secret, &chain).unwrap();
    signed.verify(&verifier(&line), NOW).unwrap();
}

#[test]
fn a_first_level_authority_s_chain_of_one_travels_without_an_array() {
    let line = line("it");
    let chain = Chain::new(line.above().remove(0), Vec::new()).unwrap();
    let mut statement = statement(&line, declaration());
    statement.issuer = "it".parse().unwrap();
    let secret = &line.authorities.last().unwrap().0;
    let signed = sign(&statement, secret, &chain).unwrap();
    let received = Signed::decode(&signed.to_bytes()).unwrap();
    received.verify(&verifier(&line), NOW).unwrap();
}

#[test]
fn a_writer_cannot_speak_for_its_unit() {
    let line = line("it/03/016");
    let (secret, chain) = line.writer("health", &["case"]);
    let signed = sign(&statement(&line, request()), &secret, &chain).unwrap();
    let error = verdict(&line, signed);
    assert!(matches!(error, VerifyError::WrongRole { role: Role::Writer, .. }), "{error}");
}

#[test]
fn figures_are_bound_to_the_certified_term() {
    let line = line("it/03/016");
    let (secret, chain) = line.node("1");
    let mut later = statement(&line, release());
    later.term = 2;
    let error = verdict(&line, sign(&later, &secret, &chain).unwrap());
    assert_eq!(error, VerifyError::WrongTerm { certified: Some(1), found: 2 });
    let secret = key("second node");
    let grant = NodeGrant {
        label: "2".to_owned(),
        key: secret.public(),
        actions: Actions::of_node(),
        term: None,
    };
    let leaf = line.issuer().node(&grant, &stamp("second node")).unwrap();
    let chain = line.with_leaf(leaf);
    let error = verdict(&line, sign(&statement(&line, release()), &secret, &chain).unwrap());
    assert!(matches!(error, VerifyError::WrongTerm { certified: None, .. }), "{error}");
}

#[test]
fn a_revoked_signer_is_refused_by_the_next_verifier() {
    let line = line("it/03/016");
    let (secret, chain) = line.node("1");
    let signed = sign(&statement(&line, release()), &secret, &chain).unwrap();
    let revocation = Revocation { at: NOW, reason: Reason::KeyCompromise, since: None };
    let revoked = [(chain.leaf().serial().clone(), revocation)].into();
    let list = line.issuer().crl(1, NOW, NOW.plus_millis(DAY_MILLIS), &revoked).unwrap();
    let mut crls = CrlSet::default();
    crls.insert(list, line.issuer().certificate().key()).unwrap();
    let error = signed.verify(&Verifier::new(line.roots.clone(), crls), NOW).unwrap_err();
    assert!(matches!(error, VerifyError::Chain(ChainError::Revoked { .. })), "{error}");
}

#[test]
fn a_remembered_verdict_ends_with_the_certificate() {
    let line = line("it/03/016");
    let (secret, chain) = line.node("1");
    let signed = sign(&statement(&line, release()), &secret, &chain).unwrap();
    let verifier = verifier(&line);
    signed.clone().verify(&verifier, NOW).unwrap();
    let end = chain.leaf().validity().end();
    let error = signed.verify(&verifier, end).unwrap_err();
    assert!(matches!(error, VerifyError::Chain(ChainError::Expired { .. })), "{error}");
}

#[test]
fn another_version_is_named() {
    let line = line("it/03/016");
    let (secret, chain) = line.node("1");
    let mut newer = statement(&line, request());
    newer.version = 2;
    let error = verdict(&line, sign(&newer, &secret, &chain).unwrap());
    assert_eq!(error, VerifyError::Version { found: 2 });
}

#[test]
fn content_types_do_not_mix() {
    let line = line("it/03/016");
    let (secret, chain) = line.writer("health", &["case"]);
    let unit: UnitPath = "it/03/016".parse().unwrap();
    let leaf = chain.leaf_digest();
    let bytes = sign_bytes(CHANGE_TYPE, b"change".to_vec(), &unit, NOW, &secret, leaf);
    let verifier = verifier(&line);
    let signer = verifier.verify_chain(&chain, NOW).unwrap();
    assert_eq!(open_bytes(&bytes, CHANGE_TYPE, 100, &signer).unwrap(), b"change");
    assert!(matches!(Signed::decode(&bytes), Err(EnvelopeError::ContentType { .. })));
    let error = open_bytes(&bytes, CHANGE_TYPE, 5, &signer).unwrap_err();
    assert!(matches!(error, VerifyError::Envelope(EnvelopeError::Malformed { .. })), "{error}");
    let other = verifier.verify_chain(&line.node("1").1, NOW).unwrap();
    let error = open_bytes(&bytes, CHANGE_TYPE, 100, &other).unwrap_err();
    assert!(matches!(error, VerifyError::OtherCertificate { .. }), "{error}");
}

#[test]
fn sizes_are_checked_before_anything_else() {
    let long = vec![0u8; MAX_ENVELOPE_BYTES + 1];
    let expected =
        EnvelopeError::TooLong { limit: MAX_ENVELOPE_BYTES, found: MAX_ENVELOPE_BYTES + 1 };
    assert_eq!(Signed::decode(&long), Err(expected));
    // An array that announces 2^32 certificates.
    let mut bytes = vec![0xd2, 0x84, 0x58, 0x20];
    bytes.extend([0; 32]);
    bytes.extend([0xa1, 0x18, 0x21, 0x9a, 0xff, 0xff, 0xff, 0xff]);
    assert!(matches!(Signed::decode(&bytes), Err(EnvelopeError::Malformed { .. })));
}

#[test]
fn openssl_verifies_the_signature_with_the_certificate_alone() {
    use std::process::Command;
    if Command::new("openssl").arg("version").output().is_err() {
        #[allow(clippy::print_stderr, reason = "a skipped comparison must be seen")]
        {
            eprintln!("SKIPPED: no `openssl` on this machine, the signature was not compared");
        }
        return;
    }
    let line = line("it/03/016");
    let (secret, chain) = line.node("1");
    let signed = sign(&statement(&line, release()), &secret, &chain).unwrap();
    let (message, signature) = signed.0.signature_parts();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("leaf.pem"), chain.leaf().to_pem()).unwrap();
    std::fs::write(path("message"), message).unwrap();
    std::fs::write(path("signature"), signature).unwrap();
    let run = |command: &str| {
        let arguments: Vec<_> = command.split(' ').collect();
        Command::new("openssl").args(arguments).current_dir(folder.path()).output().unwrap()
    };
    let public = run("x509 -in leaf.pem -pubkey -noout");
    std::fs::write(path("public.pem"), public.stdout).unwrap();
    let checked =
        run("pkeyutl -verify -pubin -inkey public.pem -rawin -in message -sigfile signature");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

proptest! {
    #[test]
    fn decoding_never_panics_and_keeps_one_form(mut bytes: Vec<u8>, cut in 0usize..4_000) {
        let _ = Signed::decode(&bytes);
        let line = line("it/03/016");
        let (secret, chain) = line.node("1");
        let good = sign(&statement(&line, release()), &secret, &chain).unwrap().to_bytes();
        let cut = cut % good.len();
        let mut spliced = good[..cut].to_vec();
        spliced.append(&mut bytes);
        spliced.extend_from_slice(&good[cut..]);
        if let Ok(signed) = Signed::decode(&spliced) {
            prop_assert_eq!(signed.to_bytes(), spliced);
        }
    }
}
