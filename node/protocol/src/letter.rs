//! What travels by file: letters, each signed by the node that wrote it.
//!
//! Over a connection a message is believed to come from whoever holds the key of the connection. A file
//! has none, so what would be said is put into a letter that its sender's key signs. A letter names the
//! unit that it is for, and holds the very messages of the wire; whoever takes it judges them as if they
//! had come over a connection.

use minicbor::{Decode, Encode};
use reeve_statement::cbor::{CborError, bounded_vec, from_slice, to_vec};
use reeve_statement::digest::FederationId;
use reeve_statement::key::{PublicKey, SecretKey, Signature};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use crate::wire::Blob;

/// Version of letters.
pub const LETTER_VERSION: u16 = 1;

/// Longest letter, in bytes: what a superior holds of a subordinate with as many figures as it may have
/// (100,000 of about 110 bytes) is in one.
pub const LETTER_BYTES: usize = 16 * 1024 * 1024;

/// Most parts of a letter: some statements with all of their chunks; or the pages of what is held, and
/// every list.
pub const PARTS: usize = 4 * 1024;

/// Keeps signatures of letters apart from all others.
const DOMAIN: &[u8] = b"reeve-letter/1\0";

/// One part of a letter.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Part {
    /// A message for a superior, as on the report channel.
    #[n(0)]
    Up(#[n(0)] Blob),
    /// A chunk that a statement of the same letter names.
    #[n(1)]
    Chunk(#[n(0)] Blob),
    /// A message for a subordinate, as on the report channel.
    #[n(2)]
    Down(#[n(0)] Blob),
}

/// What a letter says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Letter {
    /// [`LETTER_VERSION`] of its writer.
    #[n(0)]
    pub version: u16,
    /// The federation.
    #[n(1)]
    pub federation: FederationId,
    /// The chain of the node that wrote it, itself first.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub chain: Vec<u8>,
    /// For which unit it is.
    #[n(3)]
    pub to: UnitPath,
    /// When it was written.
    #[n(4)]
    pub written_at: Timestamp,
    /// Drawn by the store of a node that reports, to know by what its superior answers it; 0: none.
    #[n(5)]
    pub mark: u64,
    /// The mark of the newest letter that its writer took from the unit that this one is for; 0: of none.
    #[n(6)]
    pub answers: u64,
    /// The messages.
    #[cbor(n(7), decode_with = "decode_parts")]
    pub parts: Vec<Part>,
}

fn decode_parts<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<Part>, minicbor::decode::Error> {
    bounded_vec(d, ctx, PARTS)
}

/// A letter and its signature.
#[derive(Debug, Encode, Decode)]
#[cbor(map)]
struct Sealed {
    #[cbor(n(0), with = "minicbor::bytes")]
    letter: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    signature: Vec<u8>,
}

/// A letter that was read, and whose signature was not checked yet.
#[derive(Debug)]
pub struct Unread {
    letter: Letter,
    signed: Vec<u8>,
    signature: Vec<u8>,
}

impl Letter {
    /// Signs it.
    #[must_use]
    pub fn seal(&self, key: &SecretKey) -> Vec<u8> {
        let letter = to_vec(self);
        let signature = key.sign(&signed(&letter)).as_bytes().to_vec();
        to_vec(&Sealed { letter, signature })
    }
}

fn signed(letter: &[u8]) -> Vec<u8> {
    [DOMAIN, letter].concat()
}

impl Unread {
    /// Reads a letter.
    ///
    /// # Errors
    /// [`CborError`] if it is too long, malformed or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        let sealed: Sealed = from_slice("letter", bytes, LETTER_BYTES)?;
        let letter = from_slice("letter", &sealed.letter, LETTER_BYTES)?;
        Ok(Self { letter, signed: signed(&sealed.letter), signature: sealed.signature })
    }

    /// What it says, if it is to be believed: only to find out by which key it must be signed.
    #[must_use]
    pub const fn unverified(&self) -> &Letter {
        &self.letter
    }

    /// The letter, if this key signed it.
    #[must_use]
    pub fn verify(self, key: &PublicKey) -> Option<Letter> {
        let signature = Signature::from_bytes(&self.signature).ok()?;
        key.verify(&self.signed, &signature).ok()?;
        Some(self.letter)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_read_by_its_key_and_no_altered_one_is() {
        let key = SecretKey::from_seed(&[7; 32]);
        let letter = Letter {
            version: LETTER_VERSION,
            federation: FederationId(reeve_statement::digest::Digest::ZERO),
            chain: vec![1, 2, 3],
            to: "it/03".parse().unwrap(),
            written_at: Timestamp::from_millis(5),
            mark: 1,
            answers: 2,
            parts: vec![Part::Up(Blob(vec![4])), Part::Chunk(Blob(vec![5]))],
        };
        let bytes = letter.seal(&key);
        let read = Unread::decode(&bytes).unwrap();
        assert_eq!(read.verify(&key.public()), Some(letter));
        let other = SecretKey::from_seed(&[8; 32]);
        assert!(Unread::decode(&bytes).unwrap().verify(&other.public()).is_none());
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            let read = Unread::decode(&bad).ok().and_then(|read| read.verify(&key.public()));
            assert!(read.is_none(), "byte {at}");
        }
    }
}
