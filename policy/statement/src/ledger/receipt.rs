//! Inclusion proofs as COSE receipts: the same proof as C2SP `tlog-proof` has, for verifiers that read
//! COSE and not signed notes.
//!
//! ```text
//! 18([ protected: << { 1: -8,                       alg: EdDSA (Ed25519)
//!                      4: key identifier,
//!                      15: { 1: origin },           CWT claim iss: which ledger
//!                      395: 1 } >>,                 tree: RFC9162_SHA256
//!      unprotected: { 396: { -1: [ << [size, index, [* hash]] >> ] } },
//!      payload: nil,                                the root, which follows from entry and proof
//!      signature: 64 bytes ])
//! ```
//!
//! The signature is over the root, under a protected header that no statement has. It says what a
//! checkpoint of that size says and no more. A receipt has one form: what was decoded is encoded again
//! and compared.
//!
//! Specification: RFC 9942 sections 4 and 5.2, RFC 9052 section 4.4.

use minicbor::data::Tag;
use minicbor::decode::{Decoder, Error};
use minicbor::encode::Encoder;

use super::checkpoint::Origin;
use super::proof::root_of_inclusion;
use super::{InclusionProof, MAX_PROOF_HASHES, ProofError, leaf_hash};
use crate::cose::Verifier;
use crate::digest::Digest;
use crate::key::{BadSignature, KeyId, PublicKey, SecretKey, Signature};

/// Longest receipt, in bytes: a hash of 34 bytes for each level of the largest tree, and the head.
pub const MAX_RECEIPT_BYTES: usize = MAX_PROOF_HASHES * 34 + 1_024;

/// CBOR tag of COSE_Sign1 (RFC 9052 section 2).
const COSE_SIGN1: u64 = 18;
/// Labels of header parameters (IANA registry "COSE Header Parameters").
const ALG: u32 = 1;
const KID: u32 = 4;
const CWT_CLAIMS: u32 = 15;
const VDS: u32 = 395;
const VDP: u32 = 396;
/// CWT claim: issuer (RFC 8392).
const ISS: u32 = 1;
/// EdDSA (IANA registry "COSE Algorithms").
const EDDSA: i32 = -8;
/// RFC9162_SHA256 (IANA registry "COSE Verifiable Data Structure Algorithms").
const RFC9162_SHA256: u32 = 1;
/// Inclusion proofs (IANA registry "COSE Verifiable Data Structure Proofs").
const INCLUSION: i32 = -1;

/// A signature over a ledger's root, from which receipts of its entries are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRoot {
    origin: Origin,
    key: KeyId,
    size: u64,
    signature: Signature,
}

/// That an entry is in a ledger, in COSE. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    root: SignedRoot,
    index: u64,
    path: InclusionProof,
}

/// Why a receipt does not show that an entry is in a ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Not a receipt, or not in its one form.
    #[error("expected a COSE receipt (RFC 9942) in its one form: {0}")]
    Form(String),
    /// Of another ledger.
    #[error("expected a receipt of the ledger {expected}, found one of {found}")]
    OtherOrigin {
        /// Whose is meant.
        expected: Origin,
        /// What the receipt says.
        found: Origin,
    },
    /// The proof leads nowhere.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The signature does not match the root that the entry leads to.
    #[error("the signature does not match: another entry, another root, or another key")]
    BadSignature,
}

impl SignedRoot {
    /// Signs the root of the first `size` entries of a ledger.
    #[must_use]
    pub fn sign(origin: &Origin, size: u64, root: &Digest, key: &SecretKey) -> Self {
        let id = key.public().key_id();
        let signature = key.sign(&to_be_signed(&protected(origin, &id), root));
        Self { origin: origin.clone(), key: id, size, signature }
    }

    /// How many entries the root is over.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The receipt of an entry, with the proof that it is among the first [`Self::size`] ones.
    #[must_use]
    pub fn receipt(&self, index: u64, path: InclusionProof) -> Receipt {
        Receipt { root: self.clone(), index, path }
    }
}

impl Receipt {
    /// Reads a receipt. Nothing is verified yet.
    ///
    /// # Errors
    /// [`ReceiptError::Form`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ReceiptError> {
        if bytes.len() > MAX_RECEIPT_BYTES {
            let text = format!("at most {MAX_RECEIPT_BYTES} bytes, found {}", bytes.len());
            return Err(ReceiptError::Form(text));
        }
        let receipt = Self::read(bytes).map_err(|error| ReceiptError::Form(error.to_string()))?;
        if receipt.encode() == bytes {
            Ok(receipt)
        } else {
            Err(ReceiptError::Form("encoded again it is other bytes".to_owned()))
        }
    }

    fn read(bytes: &[u8]) -> Result<Self, Error> {
        let expected = |what: &'static str| Error::message(what);
        let mut d = Decoder::new(bytes);
        if d.tag()? != Tag::new(COSE_SIGN1) || d.array()? != Some(4) {
            return Err(expected("expected COSE_Sign1"));
        }
        let (origin, key) = read_protected(d.bytes()?)?;
        // The encoder says all of this again, and the bytes are compared.
        d.map()?;
        d.u32()?;
        d.map()?;
        d.i32()?;
        d.array()?;
        let mut proof = Decoder::new(d.bytes()?);
        proof.array()?;
        let (size, index) = (proof.u64()?, proof.u64()?);
        let hashes = proof.array()?.and_then(|count| usize::try_from(count).ok());
        let hashes = hashes.filter(|count| *count <= MAX_PROOF_HASHES);
        let hashes = (0..hashes.ok_or_else(|| expected("too many hashes"))?)
            .map(|_| <[u8; 32]>::try_from(proof.bytes()?).map_err(Error::custom))
            .map(|hash| hash.map(Digest::from_bytes))
            .collect::<Result<Vec<_>, _>>()?;
        d.null()?;
        let signature = Signature::from_bytes(d.bytes()?).map_err(Error::custom)?;
        let root = SignedRoot { origin, key, size, signature };
        Ok(Self { root, index, path: InclusionProof { hashes } })
    }

    /// Its one encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::new(Vec::new());
        let written = self.write(&mut e);
        debug_assert!(written.is_ok(), "encoding into a vector cannot fail");
        e.into_writer()
    }

    fn write(&self, e: &mut Encoder<Vec<u8>>) -> Written {
        let mut proof = Encoder::new(Vec::new());
        let hashes = &self.path.hashes;
        proof.array(3)?.u64(self.root.size)?.u64(self.index)?;
        proof.array(u64::try_from(hashes.len()).unwrap_or(u64::MAX))?;
        for hash in hashes {
            proof.bytes(hash.as_bytes())?;
        }
        e.tag(Tag::new(COSE_SIGN1))?.array(4)?;
        e.bytes(&protected(&self.root.origin, &self.root.key))?;
        e.map(1)?.u32(VDP)?.map(1)?.i32(INCLUSION)?.array(1)?.bytes(&proof.into_writer())?;
        e.null()?.bytes(self.root.signature.as_bytes())?.ok()
    }

    /// Place of the entry.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// How many entries the ledger had, as the receipt says. It is not signed: another number is right as
    /// well if the way to the root has the same shape.
    #[must_use]
    pub const fn unsigned_size(&self) -> u64 {
        self.root.size
    }

    /// Checks that an entry is in the ledger of this origin, which this key keeps; the root of that ledger.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub fn verify(
        &self,
        entry: &Digest,
        origin: &Origin,
        key: &PublicKey,
    ) -> Result<Digest, ReceiptError> {
        self.verify_by(entry, origin, key, |message, signature| key.verify(message, signature))
    }

    /// The same, by a verifier that remembers signatures: a ledger's receipts share the one over its root.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub fn verify_with(
        &self,
        entry: &Digest,
        origin: &Origin,
        key: &PublicKey,
        verifier: &Verifier,
    ) -> Result<Digest, ReceiptError> {
        self.verify_by(entry, origin, key, |message, signature| {
            verifier.checked().verify(key, message, signature)
        })
    }

    fn verify_by(
        &self,
        entry: &Digest,
        origin: &Origin,
        key: &PublicKey,
        verify: impl FnOnce(&[u8], &Signature) -> Result<(), BadSignature>,
    ) -> Result<Digest, ReceiptError> {
        if self.root.origin != *origin {
            let (expected, found) = (origin.clone(), self.root.origin.clone());
            return Err(ReceiptError::OtherOrigin { expected, found });
        }
        if self.root.key != key.key_id() {
            return Err(ReceiptError::BadSignature);
        }
        let leaf = leaf_hash(entry.as_bytes());
        let root = root_of_inclusion(&leaf, self.index, self.root.size, &self.path)?;
        let signed = to_be_signed(&protected(origin, &self.root.key), &root);
        verify(&signed, &self.root.signature).map_err(|_| ReceiptError::BadSignature)?;
        Ok(root)
    }
}

/// What writing into a vector comes to.
type Written = Result<(), minicbor::encode::Error<core::convert::Infallible>>;

fn protected(origin: &Origin, key: &KeyId) -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    let mut write = || -> Written {
        e.map(4)?.u32(ALG)?.i32(EDDSA)?.u32(KID)?.bytes(key.as_bytes())?;
        e.u32(CWT_CLAIMS)?.map(1)?.u32(ISS)?.str(origin.as_str())?;
        e.u32(VDS)?.u32(RFC9162_SHA256)?.ok()
    };
    let written = write();
    debug_assert!(written.is_ok(), "encoding into a vector cannot fail");
    e.into_writer()
}

fn read_protected(bytes: &[u8]) -> Result<(Origin, KeyId), Error> {
    let mut d = Decoder::new(bytes);
    d.map()?;
    d.u32()?;
    d.i32()?;
    d.u32()?;
    let key = KeyId::from_bytes(d.bytes()?);
    d.u32()?;
    d.map()?;
    d.u32()?;
    let origin = d.str()?;
    let origin = Origin::new(origin).map_err(Error::custom)?;
    Ok((origin, key.ok_or_else(|| Error::message("expected a key identifier of 20 bytes"))?))
}

/// RFC 9052 section 4.4, the payload being the root that is not in the receipt.
fn to_be_signed(protected: &[u8], root: &Digest) -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    let mut write = || -> Written {
        e.array(4)?.str("Signature1")?.bytes(protected)?.bytes(&[])?.bytes(root.as_bytes())?.ok()
    };
    let written = write();
    debug_assert!(written.is_ok(), "encoding into a vector cannot fail");
    e.into_writer()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cert::testing::key;
    use crate::ledger::{Frontier, NodeAddress, inclusion_proof};

    fn origin() -> Origin {
        Origin::of("03.it.reeve.example", 1).unwrap()
    }

    /// Receipts of every entry of a ledger of this size.
    fn receipts(size: u8) -> Vec<(Digest, Receipt)> {
        let (mut tree, mut nodes) = (Frontier::new(), BTreeMap::<NodeAddress, Digest>::new());
        let entries: Vec<Digest> = (0..size).map(|number| Digest::of(&[number])).collect();
        for entry in &entries {
            nodes.extend(tree.append(leaf_hash(entry.as_bytes())).unwrap());
        }
        let root = SignedRoot::sign(&origin(), tree.size(), &tree.root(), &key("node"));
        let receipt = |(index, entry): (usize, &Digest)| {
            let index = u64::try_from(index).unwrap();
            let path = inclusion_proof(&nodes, index, root.size()).unwrap();
            (*entry, root.receipt(index, path))
        };
        entries.iter().enumerate().map(receipt).collect()
    }

    #[test]
    fn every_entry_of_every_small_ledger_has_a_receipt() {
        for size in 1..20 {
            for (entry, receipt) in receipts(size) {
                let again = Receipt::decode(&receipt.encode()).unwrap();
                assert_eq!(again, receipt);
                again.verify(&entry, &origin(), &key("node").public()).unwrap();
                assert_eq!(again.unsigned_size(), u64::from(size));
            }
        }
    }

    #[test]
    fn a_receipt_is_of_one_entry_one_ledger_and_one_key() {
        let all = receipts(7);
        let (entry, receipt) = &all[3];
        let node = key("node").public();
        assert!(receipt.verify(&all[4].0, &origin(), &node).is_err());
        assert!(
            receipt.verify(entry, &Origin::of("03.it.reeve.example", 2).unwrap(), &node).is_err()
        );
        assert!(receipt.verify(entry, &origin(), &key("other").public()).is_err());
    }

    #[test]
    fn no_change_of_a_bit_passes() {
        let (entry, receipt) = receipts(7).swap_remove(3);
        let bytes = receipt.encode();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                let passes = Receipt::decode(&changed).is_ok_and(|receipt| {
                    let found = receipt.verify(&entry, &origin(), &key("node").public());
                    // The tree's size is not signed: it may only name another one of the same shape.
                    found.is_ok() && receipt.unsigned_size() == 7
                });
                assert!(!passes, "bit {bit} of byte {at}");
            }
        }
    }
}
