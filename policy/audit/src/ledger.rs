//! That statements are in their issuers' ledgers, and that nobody keeps two.

use std::collections::BTreeMap;

use reeve_statement::cert::dns_name;
use reeve_statement::cose::Verified;
use reeve_statement::digest::Digest;
use reeve_statement::ledger::checkpoint::{Checkpoint, Origin};
use reeve_statement::ledger::{leaf_hash, verify_inclusion};

use crate::finding::About;
use crate::proof::LedgerProof;

/// The checkpoints that were seen.
#[derive(Debug, Default)]
pub(crate) struct Ledgers {
    heads: BTreeMap<(Origin, u64), Digest>,
    forked: Vec<(About, String)>,
    proven: usize,
}

impl Ledgers {
    /// Checks that a statement is in its issuer's ledger.
    pub(crate) fn prove(&mut self, verified: &Verified, proof: &LedgerProof) -> Result<(), String> {
        let signer = verified.signer();
        let name = dns_name(signer.unit(), signer.domain()).map_err(|error| error.to_string())?;
        let term = verified.statement().term;
        let origin = Origin::of(&name, term).map_err(|error| error.to_string())?;
        let checkpoint = Checkpoint::verify(&proof.checkpoint, &origin, signer.key())
            .map_err(|error| error.to_string())?;
        let leaf = leaf_hash(verified.digest().as_bytes());
        let place = (origin.clone(), checkpoint.size);
        let before = *self.heads.entry(place).or_insert(checkpoint.root);
        if before != checkpoint.root {
            let about = About { unit: Some(signer.unit().to_string()), ..About::default() };
            let size = checkpoint.size;
            let text = format!("the ledger {origin} has two roots of size {size}, both signed");
            self.forked.push((about, text));
        }
        verify_inclusion(&leaf, proof.index, checkpoint.size, &checkpoint.root, &proof.path)
            .map_err(|error| error.to_string())?;
        self.proven += 1;
        Ok(())
    }

    /// How many statements were proven to be in a ledger.
    pub(crate) const fn proven(&self) -> usize {
        self.proven
    }

    /// Ledgers that have two roots of one size.
    pub(crate) fn forked(self) -> Vec<(About, String)> {
        self.forked
    }
}
