//! That statements are in their issuers' ledgers, that nobody keeps two, and what witnesses saw of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reeve_statement::cert::{Action, Chain, Crl, Revocation, Role, VerifiedChain, dns_name};
use reeve_statement::cose::{Verified, Verifier};
use reeve_statement::digest::Digest;
use reeve_statement::key::{KeyId, PublicKey};
use reeve_statement::ledger::checkpoint::{Checkpoint, CheckpointError, Origin};
use reeve_statement::ledger::cosignature::{WitnessName, claimed_witnesses, verify_cosignature};
use reeve_statement::ledger::equivocation::Equivocation;
use reeve_statement::ledger::receipt::Receipt;
use reeve_statement::ledger::{leaf_hash, verify_inclusion};
use reeve_statement::statement::Witnessed as Witnessing;
use reeve_statement::time::Timestamp;

use crate::bundle::Bundle;
use crate::equivocation::{EQUIVOCATION_FORMAT, EquivocationFile};
use crate::finding::{About, Code};
use crate::proof::LedgerProof;
use crate::report::{Tree, Witnessed};

/// How far a statement's date may be beside what a witness saw, in milliseconds: as far as nodes let each
/// other's clocks differ.
pub(crate) const ALLOWANCE_MS: i64 = 5 * 60 * 1_000;

type Fault = (Code, About, String);

/// Whose ledger it is, by which keys its checkpoints may be signed, and the chains of those.
#[derive(Debug)]
struct Owner {
    unit: String,
    term: u64,
    keys: Vec<(PublicKey, Chain)>,
}

/// A checkpoint that another unit has cosigned.
#[derive(Debug)]
struct Seen {
    size: u64,
    by: String,
    at: Timestamp,
}

/// A checkpoint whose signature matches, and whom it was cosigned by.
#[derive(Debug)]
struct Checked {
    checkpoint: Checkpoint,
    /// When and by whom; or what is wrong with a cosignature.
    witnessed: Result<Vec<(Timestamp, String)>, String>,
}

/// A statement that is shown to be in a ledger.
#[derive(Debug)]
struct Placed {
    index: u64,
    dated: Timestamp,
    /// The checkpoints that show it, by their names in [`Ledgers::checked`].
    notes: BTreeSet<Digest>,
}

/// The checkpoints that were seen.
#[derive(Debug, Default)]
pub(crate) struct Ledgers {
    /// The first root of each ledger and size, and the note that says so, if one was seen.
    heads: BTreeMap<(Origin, u64), (Digest, Option<String>)>,
    owners: BTreeMap<Origin, Owner>,
    /// Chains of witnesses, by the name under which they cosign.
    witnesses: BTreeMap<String, Vec<Chain>>,
    verifier: Option<Arc<Verifier>>,
    /// Revocation lists, as they are: one that nobody signed can only take a witness away.
    lists: BTreeMap<KeyId, Vec<Crl>>,
    /// Each by the digest over its note and the key that signed it: a year of figures can stand on one.
    checked: BTreeMap<Digest, Checked>,
    seen: BTreeMap<Origin, Vec<Seen>>,
    placed: BTreeMap<Digest, Placed>,
    forked: Vec<(About, String)>,
    equivocations: Vec<EquivocationFile>,
}

impl Ledgers {
    pub(crate) fn new(bundle: &Bundle, verifier: Arc<Verifier>) -> Self {
        let mut witnesses: BTreeMap<String, Vec<Chain>> = BTreeMap::new();
        for chain in bundle.witnesses.values() {
            if let Ok(name) = WitnessName::of(chain.leaf().dns_name()) {
                witnesses.entry(name.to_string()).or_default().push(chain.clone());
            }
        }
        let (verifier, lists) = (Some(verifier), bundle.lists.clone());
        Self { witnesses, verifier, lists, ..Self::default() }
    }

    /// Remembers by whose key the checkpoints of a ledger are signed, and under which certificates.
    pub(crate) fn know(&mut self, signer: &VerifiedChain, chain: &Chain) {
        let (Some(origin), Some(term)) = (origin_of(signer), signer.term()) else { return };
        let unit = signer.unit().to_string();
        let owner = self.owners.entry(origin).or_insert(Owner { unit, term, keys: Vec::new() });
        if !owner.keys.iter().any(|(key, _)| key == signer.key()) {
            owner.keys.push((*signer.key(), chain.clone()));
        }
    }

    /// Takes a checkpoint of a ledger whose owner is known, others say nothing here; what is wrong with it.
    pub(crate) fn see(&mut self, note: &str) -> Option<Fault> {
        let origin = Checkpoint::parse_unverified(note).ok()?.origin;
        let owner = self.owners.get(&origin)?;
        let about = About { unit: Some(owner.unit.clone()), ..About::default() };
        let (unit, mut wrong) = (owner.unit.clone(), None);
        for key in owner.keys.iter().map(|(key, _)| *key).collect::<Vec<_>>() {
            match self.check(note, &origin, &key, &unit) {
                Ok(name) => {
                    let witnessed = &self.checked.get(&name)?.witnessed;
                    let text = witnessed.as_ref().err()?.clone();
                    return Some((Code::BadCosignature, about, text));
                }
                Err(error) => wrong = Some(error.to_string()),
            }
        }
        Some((Code::BadSignature, about, wrong.unwrap_or_default()))
    }

    /// Checks that a statement is in its issuer's ledger.
    pub(crate) fn prove(
        &mut self,
        verified: &Verified,
        proof: &LedgerProof,
    ) -> Result<(), (Code, String)> {
        let signer = verified.signer();
        let not_in = |reason: String| (Code::NotInLedger, reason);
        let name = dns_name(signer.unit(), signer.domain());
        let name = name.map_err(|error| not_in(error.to_string()))?;
        let term = verified.statement().term;
        let origin = Origin::of(&name, term).map_err(|error| not_in(error.to_string()))?;
        let unit = signer.unit().to_string();
        let note = self
            .check(&proof.checkpoint, &origin, signer.key(), &unit)
            .map_err(|error| not_in(error.to_string()))?;
        let Some(Checked { checkpoint, witnessed }) = self.checked.get(&note) else {
            return Ok(());
        };
        let leaf = leaf_hash(verified.digest().as_bytes());
        verify_inclusion(&leaf, proof.index, checkpoint.size, &checkpoint.root, &proof.path)
            .map_err(|error| not_in(error.to_string()))?;
        let wrong = witnessed.as_ref().err().cloned();
        if let Some(claimed) = &verified.statement().witnessed {
            let Witnessing { size, root, .. } = claimed.clone();
            if size > proof.index {
                let index = proof.index;
                return Err(not_in(format!(
                    "it says that a ledger of {size} entries was witnessed before it, and is entry {index}"
                )));
            }
            let of_unit = About { unit: Some(unit), ..About::default() };
            self.compare(&Checkpoint { origin, size, root }, &of_unit, None);
        }
        let placed = self.placed.entry(verified.digest()).or_insert_with(|| Placed {
            index: proof.index,
            dated: verified.statement().issued_at,
            notes: BTreeSet::new(),
        });
        placed.notes.insert(note);
        wrong.map_or(Ok(()), |reason| Err((Code::BadCosignature, reason)))
    }

    /// Holds a receipt against the proofs of the same statement, which say how large the ledger was: a receipt
    /// shows the same, to programs that read COSE.
    pub(crate) fn hold(&self, verified: &Verified, receipt: &Receipt) -> Result<(), String> {
        let signer = verified.signer();
        let origin = origin_of(signer).ok_or("its signer keeps no ledger")?;
        let verifier = self.verifier.as_ref().ok_or("no roots")?;
        let root = receipt
            .verify_with(&verified.digest(), &origin, signer.key(), verifier)
            .map_err(|error| error.to_string())?;
        let Some(placed) = self.placed.get(&verified.digest()) else { return Ok(()) };
        let mut beside = placed.notes.iter().filter_map(|note| self.checked.get(note));
        let same = |it: &Checked| {
            (it.checkpoint.size, it.checkpoint.root) == (receipt.unsigned_size(), root)
        };
        if receipt.index() == placed.index && beside.any(same) {
            return Ok(());
        }
        Err(format!(
            "the receipt is of entry {} of {}, and no proof beside it says so",
            receipt.index(),
            receipt.unsigned_size()
        ))
    }

    /// Checks a ledger's checkpoint and its cosignatures, or remembers that it did; its name in
    /// [`Self::checked`].
    fn check(
        &mut self,
        note: &str,
        origin: &Origin,
        key: &PublicKey,
        unit: &str,
    ) -> Result<Digest, CheckpointError> {
        let name = Digest::of_parts(&[&key.to_bytes(), note.as_bytes()]);
        if self.checked.get(&name).is_some_and(|it| it.checkpoint.origin == *origin) {
            return Ok(name);
        }
        let checkpoint = Checkpoint::verify(note, origin, key)?;
        let about = About { unit: Some(unit.to_owned()), ..About::default() };
        self.compare(&checkpoint, &about, Some(note));
        let witnessed = self.note(&checkpoint, note, unit);
        self.checked.insert(name, Checked { checkpoint, witnessed });
        Ok(name)
    }

    /// Whether a ledger has one root of each size.
    fn compare(&mut self, checkpoint: &Checkpoint, about: &About, note: Option<&str>) {
        let Checkpoint { origin, size, root } = checkpoint;
        let place = (origin.clone(), *size);
        let first = self.heads.entry(place).or_insert((*root, note.map(str::to_owned)));
        if first.0 == *root {
            first.1 = first.1.take().or(note.map(str::to_owned));
            return;
        }
        let text = format!("the ledger {origin} has two roots of size {size}, both signed");
        self.forked.push((about.clone(), text));
        if let (Some(one), Some(other)) = (first.1.clone(), note) {
            self.keep_proof(origin, &one, other);
        }
    }

    /// Keeps the proof that a unit has two ledgers, for whoever has neither bundle.
    fn keep_proof(&mut self, origin: &Origin, one: &str, other: &str) {
        let Some(owner) = self.owners.get(origin) else { return };
        let proves =
            |(key, _): &&(PublicKey, Chain)| Equivocation::verify(one, other, origin, key).is_ok();
        let Some((_, chain)) = owner.keys.iter().find(proves) else { return };
        let (unit, term) = (owner.unit.clone(), owner.term);
        if self.equivocations.iter().any(|it| it.unit == unit && it.term == term) {
            return;
        }
        self.equivocations.push(EquivocationFile {
            format: EQUIVOCATION_FORMAT.to_owned(),
            unit,
            term,
            one: one.to_owned(),
            other: other.to_owned(),
            chain: chain.to_pem(),
            found_at: None,
        });
    }

    /// Checks the cosignatures of a checkpoint by witnesses whose chains are at hand: who, and when.
    fn note(
        &mut self,
        checkpoint: &Checkpoint,
        note: &str,
        owner: &str,
    ) -> Result<Vec<(Timestamp, String)>, String> {
        let claimed = claimed_witnesses(note).map_err(|error| error.to_string())?;
        let mut found = Vec::new();
        for name in claimed.into_iter().collect::<BTreeSet<_>>() {
            // A witness whose chain is not here vouches for nothing, and one's own word is none.
            for chain in self.witnesses.get(&name).into_iter().flatten() {
                let Some((by, at)) = self.cosigned_by(chain, note)? else { continue };
                if by != owner {
                    found.push((at, by));
                }
            }
        }
        let seen = self.seen.entry(checkpoint.origin.clone()).or_default();
        for (at, by) in &found {
            seen.push(Seen { size: checkpoint.size, by: by.clone(), at: *at });
        }
        Ok(found)
    }

    /// Who cosigned with the key of a chain, and when; none: nobody.
    fn cosigned_by(
        &self,
        chain: &Chain,
        note: &str,
    ) -> Result<Option<(String, Timestamp)>, String> {
        let Some(verifier) = &self.verifier else { return Ok(None) };
        let name = WitnessName::of(chain.leaf().dns_name()).map_err(|error| error.to_string())?;
        let at = verify_cosignature(note, &name, chain.leaf().key());
        let Some(at) = at.map_err(|error| error.to_string())? else { return Ok(None) };
        let witness = verifier
            .verify_chain(chain, at)
            .map_err(|error| format!("the certificate of the witness {name}: {error}"))?;
        for certificate in chain.certificates() {
            let lists = self.lists.get(&certificate.authority_key_id()).into_iter().flatten();
            let mut revoked = lists.filter_map(|list| list.revoked().get(certificate.serial()));
            let ended = |revoked: &&Revocation| revoked.begins() <= at || revoked.exposes_key();
            if let Some(revoked) = revoked.find(ended) {
                let since = revoked.begins();
                if since > at {
                    // Whoever has the key writes any time: it vouches for none any more.
                    return Ok(None);
                }
                return Err(format!("the certificate of {name} was revoked at {since}, before it"));
            }
        }
        if witness.role() != Role::Node || !witness.actions().contains(Action::Audit) {
            return Err(format!("the certificate of {name} does not let it cosign"));
        }
        Ok(Some((witness.unit().to_string(), at)))
    }

    /// Statements whose dates witnesses contradict: one is dated before a time at which its ledger did not
    /// hold it yet, or after one at which it did.
    pub(crate) fn judge_times(&self) -> Vec<(Code, Digest, String)> {
        let mut faults = Vec::new();
        for (digest, placed) in &self.placed {
            let dated = placed.dated;
            let origin = placed.notes.iter().find_map(|note| self.checked.get(note));
            let seen = origin.and_then(|it| self.seen.get(&it.checkpoint.origin));
            let before = seen.into_iter().flatten().filter(|seen| seen.size <= placed.index);
            if let Some(Seen { by, at, .. }) = before.max_by_key(|seen| seen.at)
                && at.since(dated) > ALLOWANCE_MS
            {
                let text = format!(
                    "dated {dated}, and at {at} {by} saw its issuer's ledger without it: it was signed \
                     later than it says"
                );
                faults.push((Code::WitnessTime, *digest, text));
            }
            if let Some((at, by)) = self.witnesses_of(placed).first()
                && dated.since(*at) > ALLOWANCE_MS
            {
                let text = format!(
                    "dated {dated}, and {by} saw it in its issuer's ledger at {at} already: one of their \
                     clocks was wrong"
                );
                faults.push((Code::WitnessTime, *digest, text));
            }
        }
        faults
    }

    /// Who cosigned the checkpoints that show a statement, and when.
    fn witnesses_of(&self, placed: &Placed) -> BTreeSet<(Timestamp, &str)> {
        let checked = placed.notes.iter().filter_map(|note| self.checked.get(note));
        let witnessed = checked.filter_map(|it| it.witnessed.as_ref().ok()).flatten();
        witnessed.map(|(at, by)| (*at, by.as_str())).collect()
    }

    /// Who first cosigned a checkpoint with a statement in it, and when.
    pub(crate) fn first_witness(&self, digest: &Digest) -> Option<(Timestamp, String)> {
        let placed = self.placed.get(digest)?;
        self.witnesses_of(placed).first().map(|(at, by)| (*at, (*by).to_owned()))
    }

    /// Whether another unit has cosigned a checkpoint with a statement in it.
    pub(crate) fn is_witnessed(&self, digest: &Digest) -> bool {
        self.placed.get(digest).is_some_and(|placed| !self.witnesses_of(placed).is_empty())
    }

    /// The place of a statement in its issuer's ledger, if that was proven.
    pub(crate) fn place_of(&self, digest: &Digest) -> Option<u64> {
        self.placed.get(digest).map(|placed| placed.index)
    }

    /// Who has witnessed a statement of this digest.
    pub(crate) fn witnessed_of(&self, digest: &str) -> Vec<Witnessed> {
        let digest = digest.parse::<Digest>().ok();
        let placed = digest.and_then(|digest| self.placed.get(&digest));
        let witnessed = placed.into_iter().flat_map(|placed| self.witnesses_of(placed));
        witnessed.map(|(at, by)| Witnessed { at: at.to_string(), by: by.to_owned() }).collect()
    }

    /// Puts into a figure, and all that it is made of, who has witnessed it.
    pub(crate) fn tell_witnesses(&self, tree: &mut Tree) {
        tree.witnessed = self.witnessed_of(&tree.statement);
        tree.parts.iter_mut().for_each(|part| self.tell_witnesses(part));
    }

    /// How many statements were proven to be in a ledger.
    pub(crate) fn proven(&self) -> usize {
        self.placed.len()
    }

    /// How many of them another unit has witnessed.
    pub(crate) fn witnessed(&self) -> usize {
        self.placed.values().filter(|placed| !self.witnesses_of(placed).is_empty()).count()
    }

    /// A note of every checkpoint that was verified.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.heads.values().filter_map(|(_, note)| note.clone()).collect()
    }

    /// Ledgers that have two roots of one size, and the proofs.
    pub(crate) fn forked(self) -> (Vec<(About, String)>, Vec<EquivocationFile>) {
        (self.forked, self.equivocations)
    }
}

fn origin_of(signer: &VerifiedChain) -> Option<Origin> {
    let name = dns_name(signer.unit(), signer.domain()).ok()?;
    Origin::of(&name, signer.term()?).ok()
}
