//! Who may seal for a home: a node that was appointed to report, for the seals of its term and no others.
//!
//! A seal has records removed on every node, so the word of just any node of the home is not enough. What
//! proves an appointment is the node's chain of certificates, with the term in it. Each node keeps that
//! chain of every node whose seals it holds, and tells it with them: whoever was away for a year, and
//! knows none of those who sealed meanwhile, can judge for itself. An appointment counts although its
//! certificate has ended since; one that was revoked counts for what was sealed before.

use std::collections::BTreeMap;

use reeve_crdt::twin::SignedSeal;
use reeve_statement::cert::{Chain, Role};

use crate::node::Node;
use crate::refusal::Refusal;
use crate::rows;
use crate::wire::Blob;

/// Under [`rows::META`]: the chain of a node that sealed, by its key and its term.
pub(crate) const SEALER: &[u8] = b"sealer/";

/// Most that are remembered: a hundred hand-overs.
const SEALERS: usize = 100;

/// A node's key, and the term that it was appointed for.
type Appointed = ([u8; 32], u64);

/// Chains of those who sealed.
#[derive(Debug, Default)]
pub(crate) struct Sealers(BTreeMap<Appointed, Chain>);

fn appointed(seal: &SignedSeal) -> Appointed {
    (seal.key().to_bytes(), seal.seal().term)
}

fn sealer_key((key, term): &Appointed) -> Vec<u8> {
    rows::key(rows::META, &[SEALER, key, &term.to_be_bytes()])
}

impl Node {
    /// Keeps what proves that a node may seal; others are passed over.
    pub(super) fn take_sealers(&mut self, chains: &[Blob]) {
        for Blob(bytes) in chains {
            let Ok(chain) = Chain::from_cbor(bytes) else { continue };
            self.keep_sealer(&chain);
        }
    }

    /// This node seals.
    pub(super) fn note_own_sealer(&mut self) {
        let chain = self.settings.chain.clone();
        self.keep_sealer(&chain);
    }

    fn keep_sealer(&mut self, chain: &Chain) {
        let Ok(verified) = self.trust.verify_once(chain) else { return };
        // A home that moved is the same home.
        let of_home = verified.unit().leaf() == self.settings.unit.leaf();
        let Some(term) = verified.term().filter(|_| of_home && verified.role() == Role::Node)
        else {
            return;
        };
        let appointed = (verified.key().to_bytes(), term);
        let sealers = &mut self.home.sealers.0;
        if sealers.contains_key(&appointed) || sealers.len() >= SEALERS {
            return;
        }
        self.context.persist(sealer_key(&appointed), Some(chain.to_cbor()));
        sealers.insert(appointed, chain.clone());
    }

    /// Judges whether the node that signed a seal was appointed for its term.
    pub(super) fn judge_sealer(&self, seal: &SignedSeal) -> Result<(), Refusal> {
        let chain = self.home.sealers.0.get(&appointed(seal)).ok_or(Refusal::NoRight)?;
        match self.trust.revoked_at(chain) {
            Some(revoked) if revoked <= seal.seal().at => Err(Refusal::Revoked),
            _ => Ok(()),
        }
    }

    /// The chains behind some seals.
    pub(super) fn sealers_of<'a>(&self, seals: impl Iterator<Item = &'a SignedSeal>) -> Vec<Blob> {
        let mut of: Vec<Appointed> = seals.map(appointed).collect();
        of.sort_unstable();
        of.dedup();
        let chains = of.iter().filter_map(|it| self.home.sealers.0.get(it));
        chains.map(|chain| Blob(chain.to_cbor())).collect()
    }

    /// A chain that this node's store holds: it was verified when it was kept.
    pub(crate) fn restore_sealer(&mut self, value: &[u8]) -> Option<()> {
        let chain = Chain::from_cbor(value).ok()?;
        let term = chain.leaf().claims()?.term?;
        self.home.sealers.0.insert((chain.leaf().key().to_bytes(), term), chain);
        Some(())
    }
}
