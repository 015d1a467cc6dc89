//! The envelope around every value: format version and a checksum bound to the key.
//!
//! Layout: one byte format, 16 bytes checksum, payload. The checksum is the first 16 bytes of
//! SHA-256 over a domain string, the key's length, the key and the payload, so a flipped bit and
//! two values changing places are both seen. It guards against nature and software faults; whoever
//! can write the disk can also compute checksums, and only the ledger and the peers notice them.

use sha2::{Digest, Sha256};

use super::error::{KeyName, StoreError};

/// The newest format of values and of the anchor row that this program reads, and the one it writes.
pub const FORMAT: u8 = 1;

/// Bytes of a checksum.
pub const CHECKSUM_BYTES: usize = 16;

/// Bytes before the payload.
pub const HEAD_BYTES: usize = 1 + CHECKSUM_BYTES;

/// Keeps these hashes apart from every other use of SHA-256 in the system.
const DOMAIN: &[u8] = b"reeve store value 1";

/// A value's checksum, as a number: the anchor keeps the sum of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum(pub u128);

/// Wraps `payload` for `key`.
pub fn wrap(key: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEAD_BYTES.saturating_add(payload.len()));
    value.push(FORMAT);
    value.extend_from_slice(&checksum(key, payload).0.to_be_bytes());
    value.extend_from_slice(payload);
    value
}

/// Unwraps the value found at `key`, or says what is wrong with it.
pub fn unwrap(key: &[u8], mut value: Vec<u8>) -> Result<(Vec<u8>, Checksum), StoreError> {
    let damaged = |found| StoreError::CorruptValue { key: KeyName::new(key), found };
    let claimed = claimed(&value).ok_or_else(|| damaged("it is shorter than its envelope"))?;
    match value.first() {
        Some(&FORMAT) => {}
        Some(&found) if found > FORMAT => {
            return Err(StoreError::NewerFormat { found, supported: FORMAT });
        }
        _ => return Err(damaged("its format byte is not valid")),
    }
    value.drain(..HEAD_BYTES);
    if checksum(key, &value) != claimed {
        return Err(damaged("its checksum does not match"));
    }
    Ok((value, claimed))
}

/// The checksum a wrapped value claims to have, unchecked; needs its first [`HEAD_BYTES`] only.
pub fn claimed(value: &[u8]) -> Option<Checksum> {
    let bytes = value.get(1..HEAD_BYTES)?;
    Some(Checksum(u128::from_be_bytes(bytes.try_into().ok()?)))
}

fn checksum(key: &[u8], payload: &[u8]) -> Checksum {
    let key_bytes = u64::try_from(key.len()).unwrap_or(u64::MAX);
    let hash = Sha256::new()
        .chain_update(DOMAIN)
        .chain_update(key_bytes.to_be_bytes())
        .chain_update(key)
        .chain_update(payload)
        .finalize();
    let first = hash.iter().take(CHECKSUM_BYTES);
    Checksum(first.fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_seen() {
        let wrapped = wrap(b"record/1", b"payload");
        for bit in 0..wrapped.len() * 8 {
            let mut flipped = wrapped.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(unwrap(b"record/1", flipped).is_err(), "bit {bit}");
        }
        for cut in 0..wrapped.len() {
            assert!(unwrap(b"record/1", wrapped[..cut].to_vec()).is_err(), "cut {cut}");
        }
        assert_eq!(unwrap(b"record/1", wrapped).unwrap().0, b"payload");
    }

    #[test]
    fn a_value_at_another_key_is_seen() {
        let wrapped = wrap(b"record/1", b"payload");
        assert!(matches!(unwrap(b"record/2", wrapped), Err(StoreError::CorruptValue { .. })));
        let wrapped = wrap(b"ab", b"c");
        assert!(unwrap(b"a", wrapped).is_err());
    }

    #[test]
    fn a_newer_format_is_told_apart_from_damage() {
        let mut wrapped = wrap(b"k", b"v");
        wrapped[0] = FORMAT + 1;
        let error = unwrap(b"k", wrapped).unwrap_err();
        assert!(matches!(error, StoreError::NewerFormat { found: 2, supported: 1 }));
    }
}
