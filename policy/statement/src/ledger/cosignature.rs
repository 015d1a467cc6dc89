//! Cosignatures: what a witness adds to a checkpoint after it has seen that the ledger only grew.
//!
//! A cosignature says: as of this time, the largest tree that the witness has seen of this ledger, and
//! that goes on from every one it has seen before, has this root. It is one more signature line of the
//! checkpoint's note. This module never decides whether a checkpoint may be cosigned: that needs the last
//! one seen and a consistency proof, and both must be durable first.
//!
//! Specifications: C2SP tlog-cosignature, Ed25519 (`cosignature/v1`, type 0x04), and signed-note.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::checkpoint::{
    CheckpointError, KEY_HASH_BYTES, Origin, SIGNATURE_PREFIX, key_hash, split_note,
};
use crate::key::{PublicKey, SIGNATURE_BYTES, SecretKey, Signature};
use crate::time::Timestamp;

/// Signature type of timestamped Ed25519 cosignatures (signed-note).
const COSIGNATURE_TYPE: u8 = 0x04;
/// Bytes of the time before a cosignature.
const TIME_BYTES: usize = 8;
/// After the unit's name in the name of its witness.
const WITNESS: &str = "/witness";

/// The name under which a unit's node cosigns: `03.it.<federation domain>/witness`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WitnessName(String);

impl WitnessName {
    /// The name of the witness of the unit with this DNS name.
    ///
    /// # Errors
    /// When the name does not fit into a signature line.
    pub fn of(dns_name: &str) -> Result<Self, CheckpointError> {
        Origin::new(&format!("{dns_name}{WITNESS}")).map(|name| Self(name.to_string()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for WitnessName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is signed: two lines, and the checkpoint without its signatures.
fn message(text: &str, seconds: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {seconds}\n{text}").into_bytes()
}

/// Cosigns a signed checkpoint at a time, in whole seconds: the signature line, with its line ending.
///
/// # Errors
/// When the note is malformed, or the time is before 1970.
pub fn cosign(
    note: &str,
    witness: &WitnessName,
    key: &SecretKey,
    at: Timestamp,
) -> Result<String, CheckpointError> {
    let (text, _) = split_note(note)?;
    let seconds = u64::try_from(at.as_seconds()).map_err(|_| malformed())?;
    let mut blob = key_hash(witness.as_str(), COSIGNATURE_TYPE, &key.public()).to_vec();
    blob.extend_from_slice(&seconds.to_be_bytes());
    blob.extend_from_slice(key.sign(&message(text, seconds)).as_bytes());
    Ok(format!("{SIGNATURE_PREFIX}{witness} {}\n", BASE64.encode(blob)))
}

/// The time at which a witness cosigned a checkpoint, by its own clock; none: it has not.
///
/// # Errors
/// When the note is malformed, or the witness's signature does not match.
pub fn verify_cosignature(
    note: &str,
    witness: &WitnessName,
    key: &PublicKey,
) -> Result<Option<Timestamp>, CheckpointError> {
    let (text, lines) = split_note(note)?;
    let expected = key_hash(witness.as_str(), COSIGNATURE_TYPE, key);
    for line in lines.lines() {
        let (name, blob) = parts(line)?;
        let Some(rest) = blob.strip_prefix(&expected).filter(|_| name == witness.as_str()) else {
            continue;
        };
        let (time, signature) = rest.split_first_chunk::<TIME_BYTES>().ok_or_else(malformed)?;
        let seconds = u64::from_be_bytes(*time);
        let at = i64::try_from(seconds).map_err(|_| malformed())?;
        let signature = Signature::from_bytes(signature).map_err(|_| malformed())?;
        let signed = key.verify(&message(text, seconds), &signature);
        signed.map_err(|_| CheckpointError::BadCosignature { witness: name.to_owned() })?;
        return Ok(Some(Timestamp::from_seconds(at)));
    }
    Ok(None)
}

/// Who claims to have cosigned a note: names that have the form of a unit's witness, and nothing of it
/// verified.
///
/// # Errors
/// When the note is malformed.
pub fn claimed_witnesses(note: &str) -> Result<Vec<String>, CheckpointError> {
    let (_, lines) = split_note(note)?;
    let mut names = Vec::new();
    for line in lines.lines() {
        let (name, blob) = parts(line)?;
        let length = KEY_HASH_BYTES + TIME_BYTES + SIGNATURE_BYTES;
        if name.ends_with(WITNESS) && blob.len() == length {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// The verifier key in the notation that existing note tools take: `name+hash+key`.
#[must_use]
pub fn witness_key(witness: &WitnessName, key: &PublicKey) -> String {
    let mut typed = vec![COSIGNATURE_TYPE];
    typed.extend_from_slice(&key.to_bytes());
    let hash = hex::encode(key_hash(witness.as_str(), COSIGNATURE_TYPE, key));
    format!("{witness}+{hash}+{}", BASE64.encode(typed))
}

fn parts(line: &str) -> Result<(&str, Vec<u8>), CheckpointError> {
    let parts = line.strip_prefix(SIGNATURE_PREFIX).and_then(|rest| rest.split_once(' '));
    let (name, blob) = parts.ok_or_else(malformed)?;
    Ok((name, BASE64.decode(blob).map_err(|_| malformed())?))
}

const fn malformed() -> CheckpointError {
    CheckpointError::Line { what: "cosignature" }
}

#[cfg(test)]
#[path = "cosignature_tests.rs"]
mod tests;
