//! One visit to one jurisdiction: fetch, judge, keep, and only then cosign and tell.

use reeve_audit::{EQUIVOCATION_FORMAT, EquivocationFile, Verdict};
use reeve_statement::cert::{
    Action, Chain, Crl, CrlSet, Role, RootList, StaleRule, VerifiedChain, dns_name, verify_chain,
};
use reeve_statement::key::SecretKey;
use reeve_statement::ledger::checkpoint::{Checkpoint, Origin};
use reeve_statement::ledger::cosignature::{WitnessName, cosign};
use reeve_statement::ledger::equivocation::Equivocation;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;
use serde::Serialize;

use super::config::Jurisdiction;
use super::finding::{Code, Finding};
use super::follow::{follow, is_sound};
use super::kept::{Folder, Kept, KeptCosignature, KeptError, KeptLedger};
use super::source::{Source, SourceError};
use super::tree::{Growth, growth};
use crate::api::{CosignatureGiven, LedgerSigner};

/// Most revocation lists that are read of one answer: one of each authority around a node.
const MAX_LISTS: usize = 4_096;

/// Who cosigns.
#[derive(Debug)]
pub struct Auditor<'a> {
    key: &'a SecretKey,
    chain: &'a Chain,
    unit: UnitPath,
    name: WitnessName,
}

impl<'a> Auditor<'a> {
    /// An auditor, if its certificate lets it cosign.
    ///
    /// # Errors
    /// Says why it does not.
    pub fn new(
        key: &'a SecretKey,
        chain: &'a Chain,
        roots: &RootList,
        now: Timestamp,
    ) -> Result<Self, String> {
        let lists = CrlSet::new(StaleRule::default());
        let verified =
            verify_chain(chain, roots, &lists, now).map_err(|error| error.to_string())?;
        if verified.role() != Role::Node || !verified.actions().contains(Action::Audit) {
            return Err("the certificate does not hold the action `audit`".to_owned());
        }
        if verified.actions().contains(Action::Report) {
            return Err(format!(
                "{} reports figures: an auditor's certificate holds no `report`; it is given by `reeve \
                 admit --auditor`",
                verified.unit()
            ));
        }
        let name = WitnessName::of(chain.leaf().dns_name()).map_err(|error| error.to_string())?;
        Ok(Self { key, chain, unit: verified.unit().clone(), name })
    }

    /// Its unit.
    #[must_use]
    pub const fn unit(&self) -> &UnitPath {
        &self.unit
    }
}

/// By what a visit judges.
#[derive(Debug)]
pub struct Rules<'a> {
    /// The federation's roots.
    pub roots: &'a RootList,
    /// Who cosigns; none: nobody does.
    pub auditor: Option<Auditor<'a>>,
    /// Notes of other auditors.
    pub others: &'a [String],
}

/// What came of one visit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Visited {
    /// Which unit.
    pub unit: String,
    /// The reporting term that it shows; none: it was not reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub term: Option<u64>,
    /// Entries of its ledger that everything seen before agrees with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// How many of them are new.
    pub new: u64,
    /// How many statements are new that it has shown.
    pub statements: u64,
    /// Up to which entry this auditor has cosigned, and the jurisdiction has taken it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cosigned: Option<u64>,
    /// What was found.
    pub findings: Vec<Finding>,
}

impl Visited {
    fn none(unit: &UnitPath, finding: Finding) -> Self {
        let findings = vec![finding];
        let unit = unit.to_string();
        Self { unit, term: None, size: None, new: 0, statements: 0, cosigned: None, findings }
    }

    /// Nobody could be asked.
    #[must_use]
    pub fn not_asked(unit: &UnitPath, reason: &str) -> Self {
        Self::none(unit, Finding::new(Code::Unreachable, reason))
    }

    /// What was seen could not be kept.
    #[must_use]
    pub fn not_kept(unit: &UnitPath, error: &KeptError) -> Self {
        Self::none(unit, Finding::new(Code::NotKept, error.to_string()))
    }
}

/// What came of a round of visits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Round {
    /// When it ended.
    pub at: String,
    /// What it came to.
    pub verdict: Verdict,
    /// Each visit.
    pub jurisdictions: Vec<Visited>,
}

impl Round {
    /// A round of visits that ended at a time.
    #[must_use]
    pub fn new(at: Timestamp, jurisdictions: Vec<Visited>) -> Self {
        let findings = jurisdictions.iter().flat_map(|visited| &visited.findings);
        let verdict = findings.map(|it| it.code.verdict()).max().unwrap_or(Verdict::Pass);
        Self { at: at.to_string(), verdict, jurisdictions }
    }
}

/// Visits a jurisdiction, and keeps what follows.
///
/// # Errors
/// [`KeptError`] if that cannot be kept: then nothing was cosigned.
pub fn visit(
    source: &dyn Source,
    jurisdiction: &Jurisdiction,
    rules: &Rules<'_>,
    folder: &Folder,
    now: Timestamp,
) -> Result<Visited, KeptError> {
    let unit = &jurisdiction.unit;
    let mut kept = folder.kept(unit)?;
    let mut visit =
        Visit { source, unit, rules, folder, now, kept: &mut kept, findings: Vec::new() };
    let (term, new) = match visit.judge()? {
        Some((term, new)) => (Some(term), new),
        None => (None, 0),
    };
    let findings = visit.findings;
    kept.findings.clone_from(&findings);
    let reached = term.is_some();
    if reached {
        kept.reached_at = Some(now.to_string());
        kept.not_reached_since = None;
    } else {
        kept.not_reached_since.get_or_insert_with(|| now.to_string());
    }
    folder.keep(unit, &kept)?;
    let mut visited = Visited {
        unit: unit.to_string(),
        term,
        size: kept.newest().map(|ledger| ledger.size),
        new,
        statements: 0,
        cosigned: None,
        findings,
    };
    let Some(term) = term.filter(|_| is_sound(&visited.findings)) else { return Ok(visited) };
    if let Some(auditor) = &rules.auditor {
        cosign_newest(source, (unit, term), auditor, folder, &mut kept, now, &mut visited)?;
    }
    if jurisdiction.statements {
        let followed = follow(source, (unit, term), rules.roots, folder, &mut kept)?;
        visited.statements = followed.statements;
        visited.findings.extend(followed.findings);
    }
    if visited.findings != kept.findings {
        kept.findings.clone_from(&visited.findings);
        folder.keep(unit, &kept)?;
    }
    Ok(visited)
}

struct Visit<'a> {
    source: &'a dyn Source,
    unit: &'a UnitPath,
    rules: &'a Rules<'a>,
    folder: &'a Folder,
    now: Timestamp,
    kept: &'a mut Kept,
    findings: Vec<Finding>,
}

/// By whom a ledger is signed, as far as that was verified.
struct Signed {
    term: u64,
    origin: Origin,
    signer: VerifiedChain,
    chain: String,
}

impl Visit<'_> {
    fn found(&mut self, code: Code, text: impl Into<String>) {
        self.findings.push(Finding::new(code, text));
    }

    fn lost(&mut self, error: &SourceError) {
        self.found(Code::Unreachable, error.to_string());
    }

    /// The term that is shown, and how many entries of its ledger are new; none: nothing could be verified.
    fn judge(&mut self) -> Result<Option<(u64, u64)>, KeptError> {
        let signer = match self.source.signer() {
            Ok(signer) => signer,
            Err(error) => {
                self.lost(&error);
                return Ok(None);
            }
        };
        let signed = match self.signed(&signer) {
            Ok(signed) => signed,
            Err(reason) => {
                self.found(Code::BadChain, reason);
                return Ok(None);
            }
        };
        let last = self.kept.newest().map(|ledger| ledger.term);
        if let Some(last) = last.filter(|last| signed.term < *last) {
            let found = signed.term;
            let text = format!(
                "it shows the ledger of term {found}, and had begun term {last}: another node than the one \
                 that reports answers there, or an old copy"
            );
            self.found(Code::OldTerm, text);
            return Ok(None);
        }
        let note = match self.source.checkpoint(signed.term) {
            Ok(note) => note,
            Err(error) => {
                self.lost(&error);
                return Ok(None);
            }
        };
        let checkpoint = match Checkpoint::verify(&note, &signed.origin, signed.signer.key()) {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                self.found(Code::BadSignature, error.to_string());
                return Ok(None);
            }
        };
        // As the unit's node signed it: what others added is theirs to show.
        let note = own_part(&note, &checkpoint);
        self.hold_against(&signed, &checkpoint, &note).map(|new| Some((signed.term, new)))
    }

    /// By whom the ledger is signed, by the federation's roots and the lists that it brings along.
    fn signed(&self, shown: &LedgerSigner) -> Result<Signed, String> {
        let chain = Chain::from_pem(&shown.chain).map_err(|error| error.to_string())?;
        let lists = lists(&chain, &shown.lists, self.rules.roots);
        let signer = verify_chain(&chain, self.rules.roots, &lists, self.now)
            .map_err(|error| error.to_string())?;
        if signer.role() != Role::Node || signer.unit() != self.unit {
            let (role, found) = (signer.role(), signer.unit());
            return Err(format!("expected a node of {}, found a {role} of {found}", self.unit));
        }
        let term = signer.term().ok_or_else(|| {
            format!(
                "the node that answers does not report for {}: name the one that does",
                self.unit
            )
        })?;
        let name = dns_name(signer.unit(), signer.domain()).map_err(|error| error.to_string())?;
        let origin = Origin::of(&name, term).map_err(|error| error.to_string())?;
        Ok(Signed { term, origin, signer, chain: chain.to_pem() })
    }

    /// Holds a checkpoint against the last one that was seen, and against those of other auditors; takes it
    /// as the newest if all agree. How many entries are new.
    fn hold_against(
        &mut self,
        signed: &Signed,
        checkpoint: &Checkpoint,
        note: &str,
    ) -> Result<u64, KeptError> {
        let held = self.kept.ledger(signed.term).cloned();
        if let Some(held) = &held {
            if held.two_since.is_some() {
                let path = self.folder.proof(self.unit, signed.term);
                let text = format!(
                    "it has signed two ledgers of term {}, and that was proven before: {}",
                    signed.term,
                    path.display()
                );
                self.found(Code::Equivocation, text);
                return Ok(0);
            }
            let other_key = Chain::from_pem(&held.chain)
                .map_or(true, |chain| chain.leaf().key() != signed.signer.key());
            if other_key {
                let text = format!(
                    "another key signs the ledger of term {} than before: another node must begin \
                     another term",
                    signed.term
                );
                self.found(Code::OtherKey, text);
                return Ok(0);
            }
            if !self.goes_on(signed, checkpoint, note, &held.checkpoint, "this auditor")? {
                return Ok(0);
            }
        }
        let others = self.rules.others;
        for other in others {
            let origin = Checkpoint::parse_unverified(other).ok().map(|it| it.origin);
            if origin.as_ref() != Some(&signed.origin) {
                continue;
            }
            if !self.goes_on(signed, checkpoint, note, other, "another auditor")? {
                return Ok(0);
            }
        }
        let new = checkpoint.size.saturating_sub(held.as_ref().map_or(0, |held| held.size));
        let now = self.now.to_string();
        match self.kept.ledger(signed.term) {
            Some(ledger) if new > 0 => {
                (ledger.size, ledger.grew_at) = (checkpoint.size, now);
                note.clone_into(&mut ledger.checkpoint);
                ledger.chain.clone_from(&signed.chain);
            }
            Some(ledger) => ledger.chain.clone_from(&signed.chain),
            None => self.kept.begin(KeptLedger {
                term: signed.term,
                size: checkpoint.size,
                checkpoint: note.to_owned(),
                chain: signed.chain.clone(),
                first_seen_at: now.clone(),
                grew_at: now,
                cosigned: None,
                two_since: None,
                entries: None,
            }),
        }
        Ok(new)
    }

    /// Whether what is shown now agrees with a checkpoint that somebody has seen: one begins with the other.
    fn goes_on(
        &mut self,
        signed: &Signed,
        shown: &Checkpoint,
        note: &str,
        seen_note: &str,
        by: &str,
    ) -> Result<bool, KeptError> {
        let seen = match Checkpoint::verify(seen_note, &signed.origin, signed.signer.key()) {
            Ok(seen) => seen,
            Err(error) => {
                let text = format!("a checkpoint that {by} has seen proves nothing: {error}");
                self.found(Code::Unreadable, text);
                // Whoever forges a note does not keep this auditor from going on.
                return Ok(true);
            }
        };
        if seen.size == shown.size {
            if seen.root == shown.root {
                return Ok(true);
            }
            self.convict(signed, seen_note, note)?;
            return Ok(false);
        }
        let (small, large) = if seen.size < shown.size { (&seen, shown) } else { (shown, &seen) };
        let growth =
            growth(self.source, signed.term, (small.size, &small.root), (large.size, &large.root));
        let behind = shown.size < seen.size;
        match growth {
            // The other auditor came later, and this node answers from before: it will go on.
            Growth::Proven if behind && by != "this auditor" => Ok(true),
            Growth::Proven if !behind => Ok(true),
            growth => {
                if self.confronted(signed, &seen, seen_note)? {
                    return Ok(false);
                }
                self.not_shown(&growth, shown, &seen, by);
                Ok(false)
            }
        }
    }

    /// Asks for the checkpoint of a size that was seen before: a node that tells another story now has to
    /// sign it, or to refuse. Whether that was proof.
    fn confronted(
        &mut self,
        signed: &Signed,
        seen: &Checkpoint,
        seen_note: &str,
    ) -> Result<bool, KeptError> {
        let Ok(note) = self.source.checkpoint_at(signed.term, seen.size) else { return Ok(false) };
        let again = Checkpoint::verify(&note, &signed.origin, signed.signer.key());
        let other = again.ok().filter(|it| it.size == seen.size && it.root != seen.root);
        let Some(other) = other else { return Ok(false) };
        self.convict(signed, seen_note, &own_part(&note, &other))?;
        Ok(true)
    }

    /// Keeps the proof that the unit has two ledgers.
    fn convict(&mut self, signed: &Signed, one: &str, other: &str) -> Result<(), KeptError> {
        let proven = Equivocation::verify(one, other, &signed.origin, signed.signer.key());
        let Ok(proven) = proven else {
            self.found(Code::NotConsistent, "two checkpoints contradict each other, unproven");
            return Ok(());
        };
        let path = self.folder.prove(&EquivocationFile {
            format: EQUIVOCATION_FORMAT.to_owned(),
            unit: self.unit.to_string(),
            term: signed.term,
            one: own_part(one, &proven.one),
            other: own_part(other, &proven.other),
            chain: signed.chain.clone(),
            found_at: Some(self.now.to_string()),
        })?;
        let now = self.now.to_string();
        if self.kept.ledger(signed.term).is_none() {
            self.kept.begin(KeptLedger {
                term: signed.term,
                size: proven.one.size,
                checkpoint: own_part(one, &proven.one),
                chain: signed.chain.clone(),
                first_seen_at: now.clone(),
                grew_at: now.clone(),
                cosigned: None,
                two_since: None,
                entries: None,
            });
        }
        if let Some(ledger) = self.kept.ledger(signed.term) {
            ledger.two_since = Some(now);
        }
        let text = format!(
            "it has signed two ledgers of term {}, which differ among the first {} entries; the proof is {}: \
             hand it to the unit's superior and to other auditors, `reeve audit verify` checks it",
            signed.term,
            proven.one.size,
            path.display()
        );
        self.found(Code::Equivocation, text);
        Ok(())
    }

    fn not_shown(&mut self, growth: &Growth, shown: &Checkpoint, seen: &Checkpoint, by: &str) {
        let (now, before) = (shown.size, seen.size);
        match growth {
            _ if now < before => {
                let text = format!(
                    "it shows a ledger of {now} entries, and {by} has seen {before} of them: an old copy \
                     answers, or entries were taken out"
                );
                self.found(Code::WentBack, text);
            }
            Growth::Unknown(error @ SourceError::Unreachable { .. }) => self.lost(error),
            Growth::Unknown(error) => {
                let text = format!(
                    "that its ledger of {now} entries goes on from the {before} that {by} has seen is not \
                     shown: {error}"
                );
                self.found(Code::NotConsistent, text);
            }
            Growth::NotProven | Growth::Proven => {
                let text = format!(
                    "its ledger of {now} entries does not go on from the {before} that {by} has seen, and it \
                     does not sign what it had then: keep both checkpoints, and ask it why"
                );
                self.found(Code::NotConsistent, text);
            }
        }
    }
}

/// The lists that an authority of the chain, or a root, has signed; others say nothing here.
fn lists(chain: &Chain, pem: &[String], roots: &RootList) -> CrlSet {
    let mut lists = CrlSet::new(StaleRule::default());
    for text in pem.iter().take(MAX_LISTS) {
        let Ok(list) = Crl::from_pem(text) else { continue };
        let issuer = list.issuer_key_id();
        let authority = chain.authorities().iter().find(|it| it.key().key_id() == issuer);
        let issuer = authority.or_else(|| roots.root_with_key(&issuer));
        if let Some(issuer) = issuer {
            // One that is badly signed, or older than another, is not used.
            let _ = lists.insert(list, issuer.key());
        }
    }
    lists
}

/// A note without the lines that others added: the text, and the signature of the ledger's own key.
fn own_part(note: &str, checkpoint: &Checkpoint) -> String {
    let own = format!("\u{2014} {} ", checkpoint.origin);
    let (text, lines) = note.rsplit_once("\n\n").unwrap_or((note, ""));
    let line = lines.lines().filter(|line| line.starts_with(&own));
    let lines: String = line.map(|line| format!("{line}\n")).collect();
    format!("{text}\n\n{lines}")
}

/// Cosigns the newest checkpoint of a term, if it was not yet, and hands it back.
fn cosign_newest(
    source: &dyn Source,
    (unit, term): (&UnitPath, u64),
    auditor: &Auditor<'_>,
    folder: &Folder,
    kept: &mut Kept,
    now: Timestamp,
    visited: &mut Visited,
) -> Result<(), KeptError> {
    if auditor.unit == *unit {
        return Ok(());
    }
    let Some(ledger) = kept.ledger(term).filter(|ledger| ledger.size > 0) else { return Ok(()) };
    let given = ledger.cosigned.clone().filter(|given| given.size == ledger.size);
    let given = match given {
        Some(given) if given.taken => {
            visited.cosigned = Some(given.size);
            return Ok(());
        }
        Some(given) => given,
        None => {
            let last = ledger.cosigned.as_ref().map(|given| given.at.saturating_add(1));
            // The time of a witness never goes back.
            let at = last.map_or(now.as_seconds(), |last| last.max(now.as_seconds()));
            let at = Timestamp::from_seconds(at);
            let line = match cosign(&ledger.checkpoint, &auditor.name, auditor.key, at) {
                Ok(line) => line,
                Err(error) => {
                    visited.findings.push(Finding::new(Code::NotTaken, error.to_string()));
                    return Ok(());
                }
            };
            let given =
                KeptCosignature { size: ledger.size, at: at.as_seconds(), line, taken: false };
            ledger.cosigned = Some(given.clone());
            folder.keep(unit, kept)?;
            given
        }
    };
    let Some(ledger) = kept.ledger(term) else { return Ok(()) };
    let document = CosignatureGiven {
        checkpoint: ledger.checkpoint.clone(),
        cosignature: given.line.clone(),
        chain: auditor.chain.to_pem(),
    };
    match source.hand_back(term, &document) {
        Ok(()) => {
            visited.cosigned = Some(given.size);
            ledger.cosigned = Some(KeptCosignature { taken: true, ..given });
            folder.keep(unit, kept)
        }
        Err(error) => {
            let text = format!("the cosignature was not taken: {error}; it is handed back again");
            visited.findings.push(Finding::new(Code::NotTaken, text));
            Ok(())
        }
    }
}
