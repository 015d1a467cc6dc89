//! The anchor row: one row per store, rewritten in the same transaction as each commit.
//!
//! It says which store this is, which commit it is at, and what the store must hold: the number of
//! rows and the sum (modulo 2^128) of their checksums. A row that vanished, came back or kept an
//! old value leaves the count or the sum wrong, so a full verification sees it even if the engine
//! does not. The previous anchor's digest ties each commit to the one before it.

use sha2::{Digest, Sha256};

use super::envelope::{self, Checksum};
use super::error::{KeyName, StoreError};
use super::port::{Closing, Row};

/// The first byte of the keys the store keeps for itself.
pub const RESERVED: u8 = 0;

/// Where the anchor is kept.
pub const ANCHOR_KEY: &[u8] = b"\0anchor";

/// Bytes of a store's identity.
pub const IDENTITY_BYTES: usize = 16;

/// Tells one store from another, so that files of two stores are not mixed.
pub type Identity = [u8; IDENTITY_BYTES];

/// What the store must hold, as of one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// Which store.
    pub identity: Identity,
    /// The number of this commit; the first is 1, an empty store is at 0.
    pub sequence: u64,
    /// SHA-256 of the anchor before this one; zeros at 0.
    pub previous: [u8; 32],
    /// Rows of the users of the store.
    pub rows: u64,
    /// The sum of the rows' checksums.
    pub sum: u128,
}

impl Anchor {
    /// The anchor of a store that has seen no commit.
    pub fn empty(identity: Identity) -> Self {
        Self { identity, sequence: 0, previous: [0; 32], rows: 0, sum: 0 }
    }

    /// SHA-256 of the encoded anchor.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.encode()).into()
    }

    /// The row's payload: identity, sequence, previous, rows, sum; big-endian, fixed width.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(80);
        bytes.extend_from_slice(&self.identity);
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.previous);
        bytes.extend_from_slice(&self.rows.to_be_bytes());
        bytes.extend_from_slice(&self.sum.to_be_bytes());
        bytes
    }

    /// Reads a payload.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        Self::try_decode(bytes).ok_or_else(|| StoreError::CorruptValue {
            key: KeyName::new(ANCHOR_KEY),
            found: "the anchor has the wrong length",
        })
    }

    fn try_decode(bytes: &[u8]) -> Option<Self> {
        let (identity, rest) = bytes.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let (previous, rest) = rest.split_first_chunk()?;
        let (rows, rest) = rest.split_first_chunk()?;
        let (sum, rest) = rest.split_first_chunk()?;
        rest.is_empty().then_some(Self {
            identity: *identity,
            sequence: u64::from_be_bytes(*sequence),
            previous: *previous,
            rows: u64::from_be_bytes(*rows),
            sum: u128::from_be_bytes(*sum),
        })
    }
}

/// Carries the anchor over one commit: takes out what is replaced, adds what is new.
#[derive(Debug)]
pub struct Tally {
    next: Anchor,
    broken: Option<StoreError>,
}

impl Tally {
    /// A tally for the commit that follows `current`.
    pub fn new(current: &Anchor) -> Self {
        let sequence = current.sequence.saturating_add(1);
        Self { next: Anchor { sequence, previous: current.digest(), ..*current }, broken: None }
    }

    /// The anchor after the commit.
    pub fn finish(self) -> Anchor {
        self.next
    }

    fn remove(&mut self, key: &[u8], old: &[u8]) -> Result<(), StoreError> {
        let Checksum(sum) = claimed(key, old)?;
        self.next.sum = self.next.sum.wrapping_sub(sum);
        self.next.rows = self.next.rows.checked_sub(1).ok_or(StoreError::AnchorBroken {
            what: "rows",
            expected: "0".to_owned(),
            found: "at least 1".to_owned(),
        })?;
        Ok(())
    }

    fn add(&mut self, key: &[u8], new: &[u8]) -> Result<(), StoreError> {
        let Checksum(sum) = claimed(key, new)?;
        self.next.sum = self.next.sum.wrapping_add(sum);
        self.next.rows = self.next.rows.saturating_add(1);
        Ok(())
    }
}

fn claimed(key: &[u8], value: &[u8]) -> Result<Checksum, StoreError> {
    envelope::claimed(value).ok_or_else(|| StoreError::CorruptValue {
        key: KeyName::new(key),
        found: "it is shorter than its envelope",
    })
}

impl Closing for Tally {
    fn changed(&mut self, key: &[u8], old: Option<&[u8]>, new: Option<&[u8]>) {
        let removed = old.map_or(Ok(()), |old| self.remove(key, old));
        let added = new.map_or(Ok(()), |new| self.add(key, new));
        if let Err(error) = removed.and(added) {
            self.broken.get_or_insert(error);
        }
    }

    fn row(&mut self) -> Result<Row, StoreError> {
        match self.broken.take() {
            Some(error) => Err(error),
            None => Ok((ANCHOR_KEY.to_vec(), envelope::wrap(ANCHOR_KEY, &self.next.encode()))),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_reads_back_and_no_other_length_does() {
        let anchor = Anchor { sequence: 7, rows: 3, sum: u128::MAX, ..Anchor::empty([9; 16]) };
        let bytes = anchor.encode();
        assert_eq!(Anchor::decode(&bytes).unwrap(), anchor);
        for cut in 0..bytes.len() {
            assert!(Anchor::decode(bytes.get(..cut).unwrap()).is_err());
        }
    }

    #[test]
    fn putting_and_removing_the_same_row_restores_the_counts() {
        let start = Anchor::empty([1; 16]);
        let value = envelope::wrap(b"k", b"v");
        let mut tally = Tally::new(&start);
        tally.changed(b"k", None, Some(&value));
        let one = tally.finish();
        assert_eq!((one.rows, one.sequence, one.previous), (1, 1, start.digest()));
        let mut tally = Tally::new(&one);
        tally.changed(b"k", Some(&value), None);
        let none = tally.finish();
        assert_eq!((none.rows, none.sum), (0, 0));
    }

    #[test]
    fn removing_more_than_was_there_cancels_the_commit() {
        let value = envelope::wrap(b"k", b"v");
        let mut tally = Tally::new(&Anchor::empty([1; 16]));
        tally.changed(b"k", Some(&value), None);
        assert!(matches!(tally.row(), Err(StoreError::AnchorBroken { .. })));
    }
}
