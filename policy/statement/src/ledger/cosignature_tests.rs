//! Cosignatures against vectors that this project did not make: `testdata/cosignature-v1` was written by
//! a few lines of Python from the specifications, with the seeds below.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::PathBuf;

use super::*;
use crate::digest::Digest;
use crate::ledger::checkpoint::{Checkpoint, verifier_key};

const AT: Timestamp = Timestamp::from_seconds(1_772_366_400);

fn vector(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/cosignature-v1");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn keys() -> (SecretKey, SecretKey) {
    (SecretKey::from_seed(&[5; 32]), SecretKey::from_seed(&[6; 32]))
}

fn witness() -> WitnessName {
    WitnessName::of("03.it.reeve.example").unwrap()
}

fn signed() -> (Origin, String) {
    let origin = Origin::of("016.03.it.reeve.example", 1).unwrap();
    let checkpoint = Checkpoint { origin: origin.clone(), size: 42, root: Digest::of(b"root") };
    (origin, checkpoint.sign(&keys().0))
}

#[test]
fn a_cosigned_checkpoint_is_what_others_make() {
    let (origin, note) = signed();
    let (ledger, key) = keys();
    let line = cosign(&note, &witness(), &key, AT).unwrap();
    let cosigned = format!("{note}{line}");
    assert_eq!(cosigned, vector("good_cosigned.note"));
    assert_eq!(verify_cosignature(&cosigned, &witness(), &key.public()), Ok(Some(AT)));
    assert_eq!(Checkpoint::verify(&cosigned, &origin, &ledger.public()).unwrap().size, 42);
    assert_eq!(claimed_witnesses(&cosigned).unwrap(), [witness().to_string()]);
    let vkey = format!("{}\n", witness_key(&witness(), &key.public()));
    assert_eq!(vkey, vector("witness.vkey"));
    assert_eq!(format!("{}\n", verifier_key(&origin, &ledger.public())), vector("ledger.vkey"));
}

#[test]
fn bad_cosignatures_are_refused_for_their_own_reason() {
    let key = keys().1.public();
    let judge = |name: &str| verify_cosignature(&vector(name), &witness(), &key);
    let bad = Err(CheckpointError::BadCosignature { witness: witness().to_string() });
    assert_eq!(judge("bad_other_time.note"), bad);
    assert_eq!(judge("bad_other_root.note"), bad);
    assert_eq!(judge("bad_plain_signature.note"), bad);
    assert_eq!(judge("bad_not_cosigned.note"), Ok(None));
}

#[test]
fn another_witness_is_not_taken_for_this_one() {
    let note = vector("good_cosigned.note");
    let (ledger, key) = keys();
    let other = WitnessName::of("04.it.reeve.example").unwrap();
    assert_eq!(verify_cosignature(&note, &other, &key.public()), Ok(None));
    assert_eq!(verify_cosignature(&note, &witness(), &ledger.public()), Ok(None));
    let cut = note.replace("ppCpAj", "ppCpA");
    assert!(verify_cosignature(&cut, &witness(), &key.public()).is_err());
    assert!(cosign(&note, &witness(), &key, Timestamp::from_seconds(-1)).is_err());
}
