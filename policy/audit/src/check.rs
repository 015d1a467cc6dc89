//! The check: every statement by itself, then every sum from the leaves up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reeve_statement::cert::{ChainError, CrlSet, RootList, StaleRule};
use reeve_statement::cose::{Verifier, VerifyError};
use reeve_statement::digest::{Digest, FederationId};
use reeve_statement::statement::FigureId;
use reeve_statement::unit::UnitPath;

use crate::bundle::{Bundle, note_of, proof_of, receipt_of};
use crate::figure::check_figure;
use crate::finding::{About, Code, Finding, Verdict};
use crate::ledger::Ledgers;
use crate::report::{Counted, Published, Report, Tree};
use crate::statements::{Definition, Doubt, Fact, Kept, Present};

/// Whom the auditor believes.
#[derive(Debug, Clone)]
pub enum Trust {
    /// The federation of this id, whatever roots the bundle brings for it: believed if they are its
    /// genesis list.
    Federation(FederationId),
    /// These roots.
    Roots(Box<RootList>),
    /// Nobody: the roots that come with the bundle are used, and the check says that they were not
    /// confirmed.
    Unconfirmed,
}

/// How a check is made.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Whom the auditor believes.
    pub trust: Trust,
    /// Whether a revocation list of every authority must be at hand: one that is withheld could hide a
    /// revocation.
    pub require_lists: bool,
    /// Whether every figure must be in a checkpoint that another unit has cosigned.
    pub require_witness: bool,
}

/// A check under way.
pub(crate) struct Check<'a> {
    pub(crate) bundle: &'a Bundle,
    /// Statements whose signature, chain and rights hold.
    pub(crate) known: BTreeMap<Digest, Fact>,
    pub(crate) kept: Kept,
    pub(crate) present: Present,
    /// What catalogues define, by the definitions' digests.
    pub(crate) definitions: BTreeMap<Digest, Vec<Definition>>,
    /// Statements with registers, by their issuers.
    pub(crate) registers: BTreeMap<UnitPath, BTreeSet<Digest>>,
    found: BTreeSet<Finding>,
    pub(crate) ledgers: Ledgers,
    /// Statements whose signers' keys came into other hands later, by their own dates.
    pub(crate) doubts: Vec<Doubt>,
    /// Statements that were looked at as parts of a figure.
    pub(crate) seen: BTreeSet<Digest>,
    /// Bulletins, and what they name, if it was not looked at for itself.
    pub(crate) published: BTreeSet<Digest>,
}

/// Checks everything that a bundle is about.
#[must_use]
pub fn verify(bundle: &Bundle, rules: &Rules) -> Report {
    let mut check = Check {
        bundle,
        known: BTreeMap::new(),
        kept: Kept::default(),
        present: Present::default(),
        definitions: BTreeMap::new(),
        registers: BTreeMap::new(),
        found: BTreeSet::new(),
        ledgers: Ledgers::default(),
        doubts: Vec::new(),
        seen: BTreeSet::new(),
        published: BTreeSet::new(),
    };
    for (place, reason) in &bundle.unread {
        let text = format!("{place}: {reason}");
        check.find(Code::Unreadable, About::default(), text);
    }
    let Some(roots) = check.roots(&rules.trust) else {
        return check.report(None, Vec::new(), Vec::new());
    };
    let federation = roots.federation();
    let verifier = Arc::new(Verifier::new(roots, CrlSet::new(StaleRule::default())));
    check.ledgers = Ledgers::new(bundle, Arc::clone(&verifier));
    check.statements(&verifier, rules.require_lists);
    check.checkpoints();
    check.editions();
    let mut trees = Vec::new();
    for digest in &bundle.figures {
        if check.is_bulletin(digest) {
            continue;
        }
        if let Some(tree) = check.tree(*digest, None) {
            trees.push(tree);
        } else if !check.present.has(digest) {
            let text = format!("the bundle is about statement {digest} and does not hold it");
            check.find(Code::NoFigure, About::default(), text);
        }
    }
    if bundle.figures.is_empty() {
        let text =
            "figure.txt, which says what the bundle is about, is missing or empty".to_owned();
        check.find(Code::NoFigure, About::default(), text);
    }
    // With bundles of several units a figure may be a part of another one: it is shown there.
    let mut parts = BTreeSet::new();
    trees.iter().flat_map(|tree| &tree.parts).for_each(|part| part.gather(&mut parts));
    trees.retain(|tree| !parts.contains(&tree.statement));
    let mut published = check.bulletins();
    check.proofs();
    check.witnesses(rules.require_witness);
    for tree in &mut trees {
        check.ledgers.tell_witnesses(tree);
    }
    for bulletin in &mut published {
        bulletin.witnessed = check.ledgers.witnessed_of(&bulletin.statement);
    }
    check.report(Some(federation), trees, published)
}

impl Check<'_> {
    pub(crate) fn find(&mut self, code: Code, about: About, text: String) {
        self.found.insert(Finding { code, about, text });
    }

    fn roots(&mut self, trust: &Trust) -> Option<RootList> {
        let brought = self.bundle.roots.clone();
        match trust {
            Trust::Roots(roots) => return Some((**roots).clone()),
            Trust::Federation(id) => {
                let Some(roots) = brought else {
                    let text = "roots.cbor is missing: give the federation's roots with --roots";
                    self.find(Code::RootsNotConfirmed, About::default(), text.to_owned());
                    return None;
                };
                if roots.federation() != *id {
                    let text = format!("expected federation {id}, found {}", roots.federation());
                    self.find(Code::OtherFederation, About::default(), text);
                    return None;
                }
                if roots.number() > 0 {
                    // Only the first list's digest is the federation's id.
                    let text = "the bundle's roots are a later list, whose way from the first the \
                                bundle does not show: give the roots with --roots";
                    self.find(Code::RootsNotConfirmed, About::default(), text.to_owned());
                }
                return Some(roots);
            }
            Trust::Unconfirmed => {}
        }
        let text = match &brought {
            Some(roots) => format!(
                "the roots came with the bundle, of federation {}: compare this id with the one you \
                 know, and give it with --federation",
                roots.federation()
            ),
            None => "no roots: give the federation's roots with --roots".to_owned(),
        };
        self.find(Code::RootsNotConfirmed, About::default(), text);
        brought
    }

    /// No two statements as one edition of one figure, in one term.
    fn editions(&mut self) {
        let mut told: BTreeMap<(&UnitPath, u64, &FigureId, u64), Digest> = BTreeMap::new();
        let mut twice = Vec::new();
        for (digest, fact) in &self.known {
            let Some((figure, edition)) = &fact.figure else { continue };
            let name = (fact.remembered.signer().unit(), fact.term, figure, *edition);
            if let Some(other) = told.insert(name, *digest) {
                twice.push((fact.about(), other));
            }
        }
        for (about, other) in twice {
            let text = format!(
                "two different statements are signed as this edition: {} and {other}",
                about.statement.unwrap_or(Digest::ZERO)
            );
            self.find(Code::TwoEditions, about, text);
        }
    }

    /// Checkpoints of the ledgers of whoever signed something here.
    fn checkpoints(&mut self) {
        for source in &self.bundle.checkpoints {
            match note_of(source) {
                Ok(note) => {
                    if let Some((code, about, text)) = self.ledgers.see(&note) {
                        self.find(code, about, text);
                    }
                }
                Err(reason) => self.unreadable(source, &reason),
            }
        }
    }

    /// Whether a statement was looked at, for itself or by a bulletin.
    fn is_seen(&self, digest: &Digest) -> bool {
        self.seen.contains(digest) || self.published.contains(digest)
    }

    /// Proofs of statements that were not looked at are read all the same.
    fn proofs(&mut self) {
        let Bundle { proofs, receipts, .. } = self.bundle;
        let unseen: Vec<&Digest> = proofs.keys().filter(|it| !self.is_seen(it)).collect();
        for source in unseen.into_iter().filter_map(|it| proofs.get(it)).flatten() {
            if let Err(reason) = proof_of(source) {
                self.unreadable(source, &reason);
            }
        }
        let unseen: Vec<&Digest> = receipts.keys().filter(|it| !self.is_seen(it)).collect();
        for source in unseen.into_iter().filter_map(|it| receipts.get(it)).flatten() {
            if let Err(reason) = receipt_of(source) {
                self.unreadable(source, &reason);
            }
        }
    }

    /// When witnesses saw what was checked, against the dates that it bears.
    fn witnesses(&mut self, required: bool) {
        for (code, digest, text) in self.ledgers.judge_times() {
            let about = self.known.get(&digest).map(Fact::about).unwrap_or_default();
            self.find(code, about, text);
        }
        for Doubt { digest, since, text } in core::mem::take(&mut self.doubts) {
            let about = self.known.get(&digest).map(Fact::about).unwrap_or_default();
            let before = self.ledgers.first_witness(&digest).filter(|(at, _)| *at < since);
            let (code, text) = match before {
                Some((at, by)) => (
                    Code::RevokedLater,
                    format!("{text}, and {by} saw it in its issuer's ledger at {at}, before that"),
                ),
                None => (
                    Code::NotBeforeCompromise,
                    format!(
                        "{text}, but no witness is known to have seen it in its issuer's ledger before that: \
                         whoever had the key can have signed it later"
                    ),
                ),
            };
            self.find(code, about, text);
        }
        let looked_at: BTreeSet<&Digest> = self.seen.union(&self.published).collect();
        let alone: Vec<&&Digest> =
            looked_at.iter().filter(|it| !self.ledgers.is_witnessed(it)).collect();
        let Some(first) = alone.first().and_then(|digest| self.known.get(**digest)) else { return };
        let about = first.about();
        let what = if self.published.is_empty() { "figures" } else { "figures and bulletins" };
        let text = format!(
            "{} of {} {what} are in no checkpoint that a witness has cosigned, such as this one: when \
             they were signed, and that nobody was shown another ledger, stands on their issuers' word",
            alone.len(),
            looked_at.len()
        );
        let code = if required { Code::WitnessRequired } else { Code::NotWitnessed };
        self.find(code, about, text);
    }

    /// A figure with everything below it; none if its statement is not known.
    pub(crate) fn tree(&mut self, digest: Digest, above: Option<&UnitPath>) -> Option<Tree> {
        let known = self.load(&digest)?;
        let statement = known.verified.statement();
        if above.is_some_and(|above| !statement.issuer.is_child_of(above)) {
            // Said where it is an input; it is no part of this tree.
            return None;
        }
        let issuer = statement.issuer.clone();
        let tree = Tree::of(&known);
        let inputs: Vec<Digest> =
            known.manifest().direct.iter().filter_map(|entry| entry.statement).collect();
        if self.seen.insert(digest) {
            check_figure(self, &known);
        }
        drop(known);
        let parts = inputs.into_iter().filter_map(|input| self.tree(input, Some(&issuer)));
        Some(Tree { parts: parts.collect(), ..tree })
    }

    fn report(
        mut self,
        federation: Option<FederationId>,
        trees: Vec<Tree>,
        bulletins: Vec<Published>,
    ) -> Report {
        let ledgers = core::mem::take(&mut self.ledgers);
        let (in_ledger, witnessed) = (ledgers.proven(), ledgers.witnessed());
        let checkpoints = ledgers.notes();
        let (forked, equivocations) = ledgers.forked();
        for (about, text) in forked {
            self.find(Code::LedgerForked, about, text);
        }
        let mut found: Vec<Finding> = self.found.into_iter().collect();
        found.sort_by_key(|found| (core::cmp::Reverse(found.code.verdict()), found.code));
        let worst = found.iter().map(|found| found.code.verdict()).max();
        let counted = Counted {
            statements: self.present.len(),
            verified: self.known.len(),
            sums: self.seen.len(),
            in_ledger,
            witnessed,
        };
        let federation = federation.map(|id| id.to_string());
        let verdict = worst.unwrap_or(Verdict::Pass);
        let (findings, figures) = (found, trees);
        Report {
            verdict,
            federation,
            counted,
            findings,
            figures,
            bulletins,
            equivocations,
            checkpoints,
        }
    }
}

/// What a statement is about, for findings.
pub(crate) fn about(statement: &reeve_statement::statement::Statement, digest: Digest) -> About {
    let figure = statement.figure();
    About {
        unit: Some(statement.issuer.to_string()),
        indicator: figure.as_ref().map(|(id, _)| id.indicator.to_string()),
        period: figure.as_ref().and_then(|(id, _)| id.period).map(|period| period.to_string()),
        edition: figure.map(|(_, edition)| edition),
        statement: Some(digest),
    }
}

pub(crate) const fn code_of(error: &VerifyError) -> Code {
    match error {
        VerifyError::NoChain => Code::NoChain,
        VerifyError::Chain(error) => code_of_chain(error),
        VerifyError::BadSignature { .. } => Code::BadSignature,
        VerifyError::BeforeCertificate { .. } => Code::Backdated,
        VerifyError::WrongFederation { .. } => Code::OtherFederation,
        VerifyError::WrongRole { .. }
        | VerifyError::NotEntitled { .. }
        | VerifyError::WrongIssuer { .. } => Code::NotEntitled,
        VerifyError::WrongTerm { .. } => Code::WrongTerm,
        VerifyError::OtherCertificate { .. } | VerifyError::KeyId { .. } => Code::BadChain,
        VerifyError::Envelope(_)
        | VerifyError::IssuedAtDiffers { .. }
        | VerifyError::Payload(_)
        | VerifyError::Version { .. } => Code::Malformed,
    }
}

const fn code_of_chain(error: &ChainError) -> Code {
    match error {
        ChainError::Expired { .. } | ChainError::NotYetValid { .. } => Code::StaleCertificate,
        ChainError::OutOfArea { .. } | ChainError::WrongIssuerUnit { .. } => Code::OutOfArea,
        ChainError::WrongFederation { .. } => Code::OtherFederation,
        ChainError::Revoked { .. } => Code::Revoked,
        _ => Code::BadChain,
    }
}
