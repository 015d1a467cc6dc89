//! Proof that a unit keeps two ledgers: two checkpoints of one ledger, with one size and different roots,
//! both signed by its node.
//!
//! Whoever has the node's key can check it, with nothing else. It says nothing of why: a node whose store
//! was put back and that signed on is caught like one that tells two stories.

use super::checkpoint::{Checkpoint, CheckpointError, Origin};
use crate::key::PublicKey;

/// A proof that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equivocation {
    /// What one note says.
    pub one: Checkpoint,
    /// What the other says.
    pub other: Checkpoint,
}

impl Equivocation {
    /// Checks two notes of a ledger with its node's key.
    ///
    /// # Errors
    /// [`NotProven`]: a note is not the ledger's, or the two do not contradict each other.
    pub fn verify(
        one: &str,
        other: &str,
        origin: &Origin,
        key: &PublicKey,
    ) -> Result<Self, NotProven> {
        let one = Checkpoint::verify(one, origin, key)?;
        let other = Checkpoint::verify(other, origin, key)?;
        if one.size != other.size {
            return Err(NotProven::Sizes { one: one.size, other: other.size });
        }
        if one.root == other.root {
            return Err(NotProven::Same { size: one.size });
        }
        Ok(Self { one, other })
    }
}

/// Why two notes prove nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotProven {
    /// One of them is not a checkpoint that the node has signed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// They are of two sizes: one may be the beginning of the other.
    #[error(
        "the checkpoints have {one} and {other} entries: one may be the beginning of the other"
    )]
    Sizes {
        /// Entries of one.
        one: u64,
        /// Entries of the other.
        other: u64,
    },
    /// They say the same.
    #[error("both checkpoints have the same root of {size} entries")]
    Same {
        /// Entries of both.
        size: u64,
    },
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::key::SecretKey;

    fn note(size: u64, root: &[u8], key: &SecretKey) -> String {
        let origin = Origin::of("016.03.it.reeve.example", 1).unwrap();
        Checkpoint { origin, size, root: Digest::of(root) }.sign(key)
    }

    #[test]
    fn two_roots_of_one_size_are_proof_and_nothing_else_is() {
        let (key, stranger) = (SecretKey::from_seed(&[5; 32]), SecretKey::from_seed(&[6; 32]));
        let origin = Origin::of("016.03.it.reeve.example", 1).unwrap();
        let check =
            |one: &str, other: &str| Equivocation::verify(one, other, &origin, &key.public());
        let one = note(7, b"a", &key);
        let proven = check(&one, &note(7, b"b", &key)).unwrap();
        assert_eq!((proven.one.size, proven.other.root), (7, Digest::of(b"b")));
        assert_eq!(check(&one, &one), Err(NotProven::Same { size: 7 }));
        let longer = check(&one, &note(8, b"b", &key));
        assert_eq!(longer, Err(NotProven::Sizes { one: 7, other: 8 }));
        let forged = check(&one, &note(7, b"b", &stranger));
        assert!(matches!(forged, Err(NotProven::Checkpoint(CheckpointError::NotSigned { .. }))));
        let altered = check(&one, &note(7, b"b", &key).replacen("\n7\n", "\n8\n", 1));
        assert!(matches!(altered, Err(NotProven::Checkpoint(CheckpointError::BadSignature))));
    }
}
