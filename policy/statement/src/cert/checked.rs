//! Signatures on certificates that were found right before.
//!
//! Two opinions are asked about every chain, and the chains of one region share what stands above them:
//! the same signature need not be computed again. What is remembered is a digest over key, signature
//! and message together, so no other bytes ever profit from it. Only what was right is remembered.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::digest::Digest;
use crate::key::{BadSignature, PUBLIC_KEY_BYTES, PublicKey, SIGNATURE_BYTES, Signature};

/// Most signatures that are remembered: every certificate of a large federation, at 32 bytes each.
const MAX_REMEMBERED: usize = 65_536;

/// A memory of signatures.
#[derive(Debug, Default)]
pub(crate) struct Checked(Mutex<BTreeSet<Digest>>);

impl Checked {
    /// Checks a signature, or remembers that it did.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub(crate) fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        let name = name(&key.to_bytes(), message, signature.as_bytes());
        if self.locked().contains(&name) {
            return Ok(());
        }
        key.verify(message, signature)?;
        let mut remembered = self.locked();
        if remembered.len() >= MAX_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(name);
        Ok(())
    }

    /// Whether it has checked this signature before and found it right, with what may not even be a key:
    /// to read a key costs a good part of what a signature does.
    pub(crate) fn remembers(&self, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let (Ok(key), Ok(signature)) = (key.try_into(), signature.try_into()) else { return false };
        self.locked().contains(&name(key, message, signature))
    }

    fn locked(&self) -> MutexGuard<'_, BTreeSet<Digest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Key and signature have one length each, so the parts cannot run into each other.
fn name(key: &[u8; PUBLIC_KEY_BYTES], message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> Digest {
    Digest::of_parts(&[key, signature, message])
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::cert::testing::key;

    #[test]
    fn what_was_right_stays_right_and_nothing_else_becomes_so() {
        let (checked, secret) = (Checked::default(), key("one"));
        let (signature, other) = (secret.sign(b"message"), secret.sign(b"massage"));
        for _ in 0..2 {
            checked.verify(&secret.public(), b"message", &signature).unwrap();
            assert!(checked.verify(&secret.public(), b"massage", &signature).is_err());
            assert!(checked.verify(&secret.public(), b"message", &other).is_err());
            assert!(checked.verify(&key("two").public(), b"message", &signature).is_err());
        }
        assert_eq!(checked.0.lock().unwrap().len(), 1);
        let (one, two) = (secret.public().to_bytes(), key("two").public().to_bytes());
        assert!(checked.remembers(&one, b"message", signature.as_bytes()));
        assert!(!checked.remembers(&two, b"message", signature.as_bytes()));
        assert!(!checked.remembers(&one, b"message", other.as_bytes()));
        assert!(!checked.remembers(&one[1..], b"message", signature.as_bytes()));
    }
}
