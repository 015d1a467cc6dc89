//! Checkpoints: a ledger's size and root, signed as a note, so that a unit can show only one history.
//!
//! A checkpoint is text that a person can read and that existing witnesses and verifiers understand.
//! Signatures by other keys (witnesses) may follow ours and are left alone; `cosignature` reads them. This
//! module never decides whether a checkpoint is new: that needs a consistency proof from the last one seen.
//!
//! Specifications: C2SP tlog-checkpoint and signed-note (c2sp.org), Ed25519 signatures (type 0x01).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::key::{PublicKey, SecretKey, Signature};

/// Longest signed checkpoint, in bytes: three lines and a few dozen witness signatures.
pub const MAX_CHECKPOINT_BYTES: usize = 16 * 1024;
/// Longest origin, in bytes: a DNS name (253), a suffix and a term.
pub const MAX_ORIGIN_BYTES: usize = 300;

/// Between the unit's name and the term in every ledger's origin.
const ORIGIN_MIDDLE: &str = "/ledger/";
/// A signature line starts with an em dash and a space (signed-note).
pub(super) const SIGNATURE_PREFIX: &str = "\u{2014} ";
/// Signature type Ed25519 (signed-note).
const ED25519_TYPE: u8 = 0x01;
/// Bytes of the key hash in front of a signature (signed-note).
pub(super) const KEY_HASH_BYTES: usize = 4;

/// The name of a ledger: `016.03.it.<federation domain>/ledger/1`. Also the name of its key. A unit has
/// one ledger per reporting term: whoever is appointed anew begins a new one, and so need not know how
/// the last one ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin(String);

impl Origin {
    /// The origin of the ledger that the unit with this DNS name keeps in a reporting term.
    ///
    /// # Errors
    /// When the name does not fit into an origin line.
    pub fn of(dns_name: &str, term: u64) -> Result<Self, CheckpointError> {
        Self::new(&format!("{dns_name}{ORIGIN_MIDDLE}{term}"))
    }

    pub(super) fn new(text: &str) -> Result<Self, CheckpointError> {
        let printable = |byte: u8| byte.is_ascii_graphic() && byte != b'+';
        if text.is_empty() || text.len() > MAX_ORIGIN_BYTES || !text.bytes().all(printable) {
            let found = text.chars().take(80).collect();
            return Err(CheckpointError::Origin { found });
        }
        Ok(Self(text.to_owned()))
    }

    /// The reporting term, if it is named as [`Origin::of`] names it.
    #[must_use]
    pub fn term(&self) -> Option<u64> {
        self.0.split_once(ORIGIN_MIDDLE)?.1.parse().ok()
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a checkpoint commits to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which ledger.
    pub origin: Origin,
    /// Number of entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Digest,
}

impl Checkpoint {
    /// The signed text (tlog-checkpoint: origin, size, root, each on a line).
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root.as_bytes()))
    }

    /// Signs the checkpoint with the key of the reporting node.
    #[must_use]
    pub fn sign(&self, key: &SecretKey) -> String {
        let text = self.text();
        let signature = key.sign(text.as_bytes());
        let mut blob = key_hash(self.origin.as_str(), ED25519_TYPE, &key.public()).to_vec();
        blob.extend_from_slice(signature.as_bytes());
        format!("{text}\n{SIGNATURE_PREFIX}{} {}\n", self.origin, BASE64.encode(blob))
    }

    /// Checks a signed checkpoint of `origin` with the key of its unit's node. The origin is the
    /// caller's, so that another unit's checkpoint is not taken for this one's.
    ///
    /// # Errors
    /// Says what is malformed, whether it is another ledger's, unsigned by this key, or altered.
    pub fn verify(note: &str, origin: &Origin, key: &PublicKey) -> Result<Self, CheckpointError> {
        let (text, signatures) = split_note(note)?;
        let checkpoint = Self::parse_text(text)?;
        if checkpoint.origin != *origin {
            return Err(CheckpointError::OtherOrigin {
                expected: origin.clone(),
                found: checkpoint.origin,
            });
        }
        let signature = find_signature(signatures, origin, key)?;
        key.verify(text.as_bytes(), &signature).map_err(|_| CheckpointError::BadSignature)?;
        Ok(checkpoint)
    }

    /// Reads a signed checkpoint without checking the signature: to see whose key is needed.
    ///
    /// # Errors
    /// Says what is malformed.
    pub fn parse_unverified(note: &str) -> Result<Self, CheckpointError> {
        split_note(note).and_then(|(text, _)| Self::parse_text(text))
    }

    fn parse_text(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.lines();
        let mut next = |what| lines.next().ok_or(CheckpointError::Line { what });
        let origin = Origin::new(next("origin")?)?;
        let size = parse_size(next("size")?)?;
        let root = parse_root(next("root")?)?;
        let checkpoint = Self { origin, size, root };
        // Lines after the root are extensions: signed, and ignored by who does not know them.
        if text.starts_with(&checkpoint.text()) {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::Line { what: "line ending" })
        }
    }
}

fn parse_size(line: &str) -> Result<u64, CheckpointError> {
    let size = line.parse::<u64>().ok().filter(|size| size.to_string() == line);
    size.ok_or(CheckpointError::Line { what: "size" })
}

fn parse_root(line: &str) -> Result<Digest, CheckpointError> {
    let bytes = BASE64.decode(line).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.map(Digest::from_bytes).ok_or(CheckpointError::Line { what: "root" })
}

/// Splits a note into the signed text (with its last newline) and its signature lines.
pub(super) fn split_note(note: &str) -> Result<(&str, &str), CheckpointError> {
    if note.len() > MAX_CHECKPOINT_BYTES {
        return Err(CheckpointError::TooLong { found: note.len() });
    }
    let blank = note.rfind("\n\n").ok_or(CheckpointError::Line { what: "blank line" })?;
    let (text, rest) = note.split_at(blank + 1);
    let signatures = rest.strip_prefix('\n').filter(|lines| lines.ends_with('\n'));
    Ok((text, signatures.ok_or(CheckpointError::Line { what: "signature" })?))
}

fn find_signature(
    lines: &str,
    origin: &Origin,
    key: &PublicKey,
) -> Result<Signature, CheckpointError> {
    let expected = key_hash(origin.as_str(), ED25519_TYPE, key);
    for line in lines.lines() {
        let parts = line.strip_prefix(SIGNATURE_PREFIX).and_then(|rest| rest.split_once(' '));
        let (name, blob) = parts.ok_or(CheckpointError::Line { what: "signature" })?;
        let blob = BASE64.decode(blob).map_err(|_| CheckpointError::Line { what: "signature" })?;
        let Some((hash, signature)) = blob.split_first_chunk::<KEY_HASH_BYTES>() else {
            return Err(CheckpointError::Line { what: "signature" });
        };
        if name == origin.as_str() && *hash == expected {
            return Signature::from_bytes(signature)
                .map_err(|_| CheckpointError::Line { what: "signature" });
        }
    }
    Err(CheckpointError::NotSigned { origin: origin.clone() })
}

/// The key hash of signed-note: tells apart keys of one name.
pub(super) fn key_hash(name: &str, kind: u8, key: &PublicKey) -> [u8; KEY_HASH_BYTES] {
    let mut hasher = Sha256::new();
    hasher.update(name);
    hasher.update([b'\n', kind]);
    hasher.update(key.to_bytes());
    let hash: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, ..] = hash;
    [a, b, c, d]
}

/// The verifier key in the notation that existing note tools take: `name+hash+key`.
#[must_use]
pub fn verifier_key(origin: &Origin, key: &PublicKey) -> String {
    let mut typed = vec![ED25519_TYPE];
    typed.extend_from_slice(&key.to_bytes());
    format!(
        "{origin}+{}+{}",
        hex::encode(key_hash(origin.as_str(), ED25519_TYPE, key)),
        BASE64.encode(typed)
    )
}

/// Why a checkpoint is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// More bytes than any checkpoint has.
    #[error("the checkpoint has {found} bytes, expected at most {MAX_CHECKPOINT_BYTES}")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// The name of the ledger breaks its rule.
    #[error(
        "expected a ledger's origin of printable ASCII without spaces and plus, found {found:?}"
    )]
    Origin {
        /// The beginning of what was found.
        found: String,
    },
    /// A part is missing or malformed.
    #[error("the checkpoint's {what} is missing or malformed")]
    Line {
        /// Which part.
        what: &'static str,
    },
    /// A checkpoint of another ledger.
    #[error("expected a checkpoint of {expected}, found one of {found}")]
    OtherOrigin {
        /// The ledger asked for.
        expected: Origin,
        /// The ledger found.
        found: Origin,
    },
    /// None of the signatures is by this key.
    #[error("the checkpoint is not signed by the key of {origin}")]
    NotSigned {
        /// The ledger.
        origin: Origin,
    },
    /// The signature does not match the text.
    #[error("the checkpoint's signature does not match its text: it was altered")]
    BadSignature,
    /// A witness's signature does not match.
    #[error("the cosignature of {witness} does not match the checkpoint: one of them was altered")]
    BadCosignature {
        /// Whose.
        witness: String,
    },
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn key() -> SecretKey {
        SecretKey::from_seed(&[5; 32])
    }

    fn checkpoint() -> Checkpoint {
        let origin = Origin::of("016.03.it.reeve.example", 1).unwrap();
        Checkpoint { origin, size: 42, root: Digest::of(b"root") }
    }

    #[test]
    fn reads_like_the_specification() {
        let note = checkpoint().sign(&key());
        let lines: Vec<_> = note.split('\n').collect();
        assert_eq!(lines[0], "016.03.it.reeve.example/ledger/1");
        assert_eq!(lines[1], "42");
        assert_eq!(lines[3], "");
        assert!(lines[4].starts_with("— 016.03.it.reeve.example/ledger/1 "));
        assert_eq!(lines[5], "");
    }

    #[test]
    fn a_signed_checkpoint_verifies_for_its_key_and_origin() {
        let (checkpoint, public) = (checkpoint(), key().public());
        let note = checkpoint.sign(&key());
        assert_eq!(Checkpoint::verify(&note, &checkpoint.origin, &public).unwrap(), checkpoint);
        let other = SecretKey::from_seed(&[6; 32]).public();
        let error = Checkpoint::verify(&note, &checkpoint.origin, &other).unwrap_err();
        assert!(matches!(error, CheckpointError::NotSigned { .. }));
        let elsewhere = Origin::of("017.03.it.reeve.example", 1).unwrap();
        let error = Checkpoint::verify(&note, &elsewhere, &public).unwrap_err();
        assert!(matches!(error, CheckpointError::OtherOrigin { .. }));
    }

    #[test]
    fn an_altered_size_is_seen() {
        let checkpoint = checkpoint();
        let note = checkpoint.sign(&key()).replace("\n42\n", "\n43\n");
        let error = Checkpoint::verify(&note, &checkpoint.origin, &key().public()).unwrap_err();
        assert_eq!(error, CheckpointError::BadSignature);
    }

    #[test]
    fn witness_signatures_are_left_alone() {
        let checkpoint = checkpoint();
        let witness = format!("— witness.example {}\n", BASE64.encode([0; 76]));
        let note = checkpoint.sign(&key()) + &witness;
        Checkpoint::verify(&note, &checkpoint.origin, &key().public()).unwrap();
    }

    #[test]
    fn malformed_notes_are_refused() {
        let checkpoint = checkpoint();
        let note = checkpoint.sign(&key());
        for (from, to) in [
            ("\n42\n", "\n042\n"),
            ("\n42\n", "\n-1\n"),
            ("\n\n", "\n"),
            ("/ledger/1\n42", " x\n42"),
        ] {
            let broken = note.replacen(from, to, 1);
            assert!(Checkpoint::verify(&broken, &checkpoint.origin, &key().public()).is_err());
        }
        assert!(Checkpoint::parse_unverified(note.trim_end()).is_err());
        assert!(Checkpoint::parse_unverified(&"x".repeat(MAX_CHECKPOINT_BYTES + 1)).is_err());
    }

    /// The verifier key that Go's note package documents.
    #[test]
    fn the_verifier_key_has_the_notation_of_note_tools() {
        let published = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let parts: Vec<_> = published.splitn(3, '+').collect();
        let name = Origin::new(parts[0]).unwrap();
        let typed = BASE64.decode(parts[2]).unwrap();
        let key = PublicKey::from_bytes(&typed[1..]).unwrap();
        assert_eq!(verifier_key(&name, &key), published);
    }
}
