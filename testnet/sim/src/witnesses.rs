//! Witnesses in the simulator: what a hostile node makes of its ledger, and what must be true of what is
//! cosigned and of what is taken for proof.

use std::collections::BTreeMap;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use reeve_protocol::effect::{Channel, NodeKey};
use reeve_protocol::refusal::Refusal;
use reeve_protocol::rows::{self, EquivocationRow};
use reeve_protocol::wire::{LedgerAnswer, LedgerMessage, ReportAnswer, Shown, decode};
use reeve_statement::cbor::{from_slice, to_vec};
use reeve_statement::cert::Chain;
use reeve_statement::digest::Digest;
use reeve_statement::key::SecretKey;
use reeve_statement::ledger::checkpoint::Checkpoint;
use reeve_statement::ledger::equivocation::Equivocation;
use reeve_statement::ledger::{ConsistencyProof, empty_root, verify_consistency};

use crate::invariants::{Found, invariant_a_ledger_has_one_root};
use crate::sim::{Owed, Sim};

/// Longest row that is read back, in bytes.
const ROW_BYTES: usize = 64 * 1024;

/// What each witness has cosigned, by ledger and size.
pub(crate) type Cosigned = BTreeMap<(NodeKey, String), BTreeMap<u64, Digest>>;

/// What is cosigned goes on from what the witness cosigned before: there is one root of each size, and the
/// proof holds.
pub(crate) fn invariant_what_is_cosigned_goes_on(
    known: &BTreeMap<u64, Digest>,
    before: Option<u64>,
    checkpoint: &Checkpoint,
    proof: &ConsistencyProof,
) -> Found {
    let Checkpoint { origin, size, root } = checkpoint;
    if let Some(other) = known.get(size).filter(|other| *other != root) {
        return Err(format!("{origin} of {size} entries was cosigned as {other} and {root}"));
    }
    let from = match before {
        Some(before) => known.get(&before).map(|root| (before, *root)),
        None => known.is_empty().then(|| (0, empty_root())),
    };
    // Shown from what the witness has forgotten since: nothing is known of that here.
    let Some((from, first)) = from else { return Ok(()) };
    verify_consistency(from, *size, &first, root, proof)
        .map_err(|error| format!("{origin} was cosigned at {size} after {from} entries: {error}"))
}

/// Only who lies is taken for a unit with two ledgers, and then there is a durable proof.
pub(crate) fn invariant_only_a_proven_liar_is_shut_out(lies: bool, proven: bool) -> Found {
    match (lies, proven) {
        (true, true) => Ok(()),
        (false, _) => Err("an honest unit is said to keep two ledgers".to_owned()),
        (true, false) => Err("a unit is said to keep two ledgers, and no proof is kept".to_owned()),
    }
}

/// What goes out in place of an honest ledger: another one, to the witness that knows the first.
pub(crate) fn fork(honest: Vec<u8>, key: &SecretKey, random: &mut ChaCha8Rng) -> Vec<Vec<u8>> {
    let Ok(LedgerMessage::Witness(shown)) = decode::<LedgerMessage>(&honest) else {
        return vec![honest];
    };
    let other = |note: &str, longer: u64| {
        let mut head = Checkpoint::parse_unverified(note).unwrap();
        (head.size, head.root) = (head.size + longer, Digest::of(note.as_bytes()));
        head.sign(key)
    };
    let told = |shown: Shown| to_vec(&LedgerMessage::Witness(shown));
    match random.random_range(0..6) {
        0 => vec![told(Shown { checkpoint: other(&shown.checkpoint, 0), ..shown })],
        1 | 2 => vec![told(Shown { checkpoint: other(&shown.checkpoint, 2), ..shown })],
        3 => {
            let before = shown.before.as_deref().map(|note| other(note, 0));
            vec![told(Shown { before, ..shown })]
        }
        4 => vec![honest, told(Shown { checkpoint: other(&shown.checkpoint, 0), ..shown })],
        _ => vec![honest],
    }
}

/// What a frame shows to a witness, if it does.
pub(crate) fn shown(channel: Channel, bytes: &[u8]) -> Option<Shown> {
    match decode::<LedgerMessage>(bytes) {
        Ok(LedgerMessage::Witness(shown)) if channel == Channel::Ledger => Some(shown),
        _ => None,
    }
}

impl Sim {
    /// An honest node shows its ledger: it has one root of each size there, too.
    pub(crate) fn observe_shown(&mut self, from: NodeKey, channel: Channel, bytes: &[u8]) {
        let unit = &self.places[&from].unit;
        let Some(shown) = shown(channel, bytes).filter(|_| !self.plan.hostile.contains(unit))
        else {
            return;
        };
        for note in [Some(shown.checkpoint), shown.before].into_iter().flatten() {
            let head = Checkpoint::parse_unverified(&note).unwrap();
            let ledger = head.origin.as_str();
            let found =
                invariant_a_ledger_has_one_root(&mut self.seen, ledger, head.size, head.root);
            self.violated("a_ledger_has_one_root", found);
        }
    }

    /// An honest node answers somebody about a ledger.
    pub(crate) fn observe_witness(&mut self, at: NodeKey, owed: &Owed, bytes: &[u8]) {
        if self.plan.hostile.contains(&self.places[&at].unit) {
            return;
        }
        let answer = decode::<LedgerAnswer>(bytes);
        let forked = match owed.channel {
            Channel::Ledger => answer == Ok(LedgerAnswer::Refused(Refusal::LedgerForked)),
            Channel::Report => {
                decode::<ReportAnswer>(bytes) == Ok(ReportAnswer::Refused(Refusal::LedgerForked))
            }
            Channel::Hello | Channel::Home => false,
        };
        if forked {
            let lies = self.plan.hostile.contains(&self.places[&owed.to].unit);
            let found = invariant_only_a_proven_liar_is_shut_out(lies, self.is_proven(at, owed.to));
            self.violated("only_a_proven_liar_is_shut_out", found);
        }
        let (Some(shown), Ok(LedgerAnswer::Cosigned(_))) = (&owed.shown, answer) else { return };
        let checkpoint = Checkpoint::parse_unverified(&shown.checkpoint).unwrap();
        let before = shown.before.as_deref().map(Checkpoint::parse_unverified);
        let before = before.map(|before| before.unwrap().size);
        let ledger = (at, checkpoint.origin.as_str().to_owned());
        let known = self.cosigned.entry(ledger).or_default();
        let proof = ConsistencyProof { hashes: shown.proof.clone() };
        let found = invariant_what_is_cosigned_goes_on(known, before, &checkpoint, &proof);
        known.insert(checkpoint.size, checkpoint.root);
        self.violated("what_is_cosigned_goes_on", found);
    }

    /// Whether a node keeps a proof, and a sound one, that a peer's unit has two ledgers.
    fn is_proven(&self, at: NodeKey, peer: NodeKey) -> bool {
        let place = &self.places[&peer];
        let rows = self.disks[&at].rows.range(rows::EQUIVOCATION.to_vec()..);
        let mut rows = rows.take_while(|(key, _)| key.starts_with(rows::EQUIVOCATION));
        rows.any(|(_, row)| {
            let row: EquivocationRow = from_slice("equivocation", row, ROW_BYTES).unwrap();
            let chain = Chain::from_cbor(&row.chain).unwrap();
            let origin = Checkpoint::parse_unverified(&row.one).unwrap().origin;
            row.unit == place.unit
                && origin.as_str() == self.ledger_of(&row.unit, row.term)
                && Equivocation::verify(&row.one, &row.other, &origin, chain.leaf().key()).is_ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reeve_statement::ledger::checkpoint::Origin;
    use reeve_statement::ledger::{Frontier, consistency_proof, leaf_hash};

    /// The invariants can fail.
    #[test]
    fn what_does_not_go_on_is_found() {
        let (mut tree, mut nodes) = (Frontier::new(), BTreeMap::new());
        let origin = Origin::of("a.example", 1).unwrap();
        let mut head = |count: u8| {
            for number in 0..count {
                nodes.extend(tree.append(leaf_hash(&[number])).unwrap());
            }
            let (size, root) = (tree.size(), tree.root());
            (Checkpoint { origin: origin.clone(), size, root }, nodes.clone())
        };
        let ((first, _), (second, nodes)) = (head(3), head(4));
        let known = BTreeMap::from([(first.size, first.root)]);
        let proof = consistency_proof(&nodes, 3, 7).unwrap();
        let judge = |checkpoint: &Checkpoint, proof: &ConsistencyProof| {
            invariant_what_is_cosigned_goes_on(&known, Some(3), checkpoint, proof)
        };
        assert_eq!(judge(&second, &proof), Ok(()));
        let empty = ConsistencyProof { hashes: Vec::new() };
        assert!(judge(&second, &empty).is_err());
        let other = Checkpoint { root: Digest::of(b"other"), ..second };
        assert!(judge(&other, &proof).is_err());
        let forked = Checkpoint { root: Digest::of(b"other"), ..first };
        assert!(judge(&forked, &empty).is_err());
        assert!(invariant_only_a_proven_liar_is_shut_out(true, true).is_ok());
        assert!(invariant_only_a_proven_liar_is_shut_out(true, false).is_err());
        assert!(invariant_only_a_proven_liar_is_shut_out(false, true).is_err());
    }
}
