//! The check: every statement by itself, then every sum from the leaves up.

use std::collections::{BTreeMap, BTreeSet};

use reeve_statement::cert::{Certificate, Chain, ChainError, CrlSet, RootList, StaleRule};
use reeve_statement::chunk::ChunkError;
use reeve_statement::completeness::Manifest;
use reeve_statement::cose::{Signed, Verified, Verifier, VerifyError};
use reeve_statement::digest::{Digest, FederationId};
use reeve_statement::key::PublicKey;
use reeve_statement::release::Release;
use reeve_statement::statement::{Body, FigureId};
use reeve_statement::table::Table;
use reeve_statement::unit::UnitPath;

use crate::bundle::{Bundle, Held};
use crate::figure::check_figure;
use crate::finding::{About, Code, Finding, Verdict};
use crate::ledger::Ledgers;
use crate::report::{Counted, Report, Tree};

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

/// A statement whose signature, chain and rights hold, with its parts joined where they are chunks.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) verified: Verified,
    table: Option<Table>,
    own: Option<Table>,
    manifest: Option<Manifest>,
}

impl Known {
    fn release(&self) -> Option<&Release> {
        match &self.verified.statement().body {
            Body::Release(release) => Some(release),
            _ => None,
        }
    }

    /// Its table; an empty one if it is no release.
    pub(crate) fn table(&self) -> &Table {
        static NONE: Table = Table { rows: BTreeMap::new(), unlisted: BTreeMap::new() };
        let inline = || self.release().and_then(|release| release.table.inline());
        self.table.as_ref().or_else(inline).unwrap_or(&NONE)
    }

    /// The issuer's own table, where its table is a sum.
    pub(crate) fn own(&self) -> Option<&Table> {
        let inline = || self.release().and_then(|release| release.own.as_ref()?.inline());
        self.own.as_ref().or_else(inline)
    }

    /// Whom it names; nobody if it is no release.
    pub(crate) fn manifest(&self) -> &Manifest {
        static NONE: Manifest = Manifest { direct: Vec::new(), exceptions: Vec::new(), unnamed: 0 };
        let inline = || self.release().and_then(|release| release.manifest.inline());
        self.manifest.as_ref().or_else(inline).unwrap_or(&NONE)
    }
}

/// Table, own table and manifest of a release, each if it travels in chunks.
type Joined = (Option<Table>, Option<Table>, Option<Manifest>);

fn joined(
    release: &Release,
    chunk: impl Fn(&Digest) -> Option<Vec<u8>>,
) -> Result<Joined, ChunkError> {
    let apart = release.table.inline().is_none();
    let table = apart.then(|| release.table.join("table", &chunk)).transpose()?;
    let own = release.own.as_ref().filter(|own| own.inline().is_none());
    let own = own.map(|own| own.join("own table", &chunk)).transpose()?;
    let apart = release.manifest.inline().is_none();
    let manifest = apart.then(|| release.manifest.join("manifest", &chunk)).transpose()?;
    Ok((table, own, manifest))
}

/// A check under way.
pub(crate) struct Check<'a> {
    pub(crate) bundle: &'a Bundle,
    pub(crate) known: BTreeMap<Digest, Known>,
    /// Statements with catalogues.
    pub(crate) catalogues: BTreeSet<Digest>,
    /// Statements with registers, by their issuers.
    pub(crate) registers: BTreeMap<UnitPath, BTreeSet<Digest>>,
    found: BTreeSet<Finding>,
    pub(crate) ledgers: Ledgers,
    /// Statements that were looked at as parts of a figure.
    seen: BTreeSet<Digest>,
}

/// Checks everything that a bundle is about.
#[must_use]
pub fn verify(bundle: &Bundle, rules: &Rules) -> Report {
    let mut check = Check {
        bundle,
        known: BTreeMap::new(),
        catalogues: BTreeSet::new(),
        registers: BTreeMap::new(),
        found: BTreeSet::new(),
        ledgers: Ledgers::default(),
        seen: BTreeSet::new(),
    };
    for (place, reason) in &bundle.unread {
        let text = format!("{place}: {reason}");
        check.find(Code::Unreadable, About::default(), text);
    }
    let Some(roots) = check.roots(&rules.trust) else {
        return check.report(None, Vec::new());
    };
    let federation = roots.federation();
    check.ledgers = Ledgers::new(bundle, &roots);
    check.statements(roots, rules.require_lists);
    check.checkpoints();
    check.editions();
    let mut trees = Vec::new();
    for digest in &bundle.figures {
        if let Some(tree) = check.tree(*digest, None) {
            trees.push(tree);
        } else if !bundle.statements.contains_key(digest) {
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
    check.witnesses(rules.require_witness);
    for tree in &mut trees {
        check.ledgers.tell_witnesses(tree);
    }
    check.report(Some(federation), trees)
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

    /// Signature, chain, rights, dates and parts of each statement.
    fn statements(&mut self, roots: RootList, require_lists: bool) {
        let lists = CrlSet::new(StaleRule::default());
        let verifier = Verifier::new(roots, lists);
        let mut revocations = Revocations::new(self.bundle);
        for (digest, copies) in &self.bundle.statements {
            // One without a chain says nothing that another one does not say with it.
            let bare = |held: &Held| held.chain.is_none() && !held.signed.carries_chain();
            let enough = usize::from(copies.iter().all(bare));
            let (bare, chained): (Vec<_>, Vec<_>) = copies.iter().partition(|held| bare(held));
            for held in bare.into_iter().take(enough).chain(chained) {
                let at = held.signed.unverified_issued_at();
                let chain = held.chain.and_then(|name| self.bundle.chains.get(&name));
                let signed = held.signed.clone();
                let verified = match chain {
                    Some(chain) => signed.verify_with(chain, &verifier, at),
                    None => signed.verify(&verifier, at),
                };
                match verified {
                    Err(error) => self.refuse(*digest, &held.signed, &error),
                    Ok(verified) => {
                        if let Some((name, chain)) = held.chain.zip(chain) {
                            let trouble = revocations.of(name, chain, verifier.roots());
                            self.revocation(trouble, &verified);
                        }
                        self.join(*digest, verified);
                    }
                }
            }
        }
        let missing = revocations.missing;
        if let Some(first) = missing.first() {
            let text = format!(
                "no revocation list of {} authorities is in the bundle, such as {first}: whether they \
                 revoked anything is not known",
                missing.len()
            );
            let code = if require_lists { Code::ListsRequired } else { Code::NoRevocationList };
            self.find(code, About::default(), text);
        }
    }

    fn refuse(&mut self, digest: Digest, signed: &Signed, error: &VerifyError) {
        let about = About {
            unit: Some(signed.unverified_issuer().to_string()),
            statement: Some(digest),
            ..About::default()
        };
        self.find(code_of(error), about, error.to_string());
    }

    /// Joins the chunks of a statement's parts.
    fn join(&mut self, digest: Digest, verified: Verified) {
        let about = about(verified.statement(), digest);
        let chunk = |digest: &Digest| self.bundle.chunks.get(digest).cloned();
        let parts = match &verified.statement().body {
            Body::Release(release) => joined(release, chunk),
            _ => Ok(Joined::default()),
        };
        match parts {
            Ok((table, own, manifest)) => {
                self.index(digest, &verified);
                self.known.insert(digest, Known { verified, table, own, manifest });
            }
            Err(error @ ChunkError::Missing(_)) => {
                self.find(Code::NoChunk, about, error.to_string());
            }
            Err(error) => self.find(Code::BadPart, about, error.to_string()),
        }
    }

    /// Registers and catalogues are looked for again and again.
    fn index(&mut self, digest: Digest, verified: &Verified) {
        let statement = verified.statement();
        match statement.body {
            Body::Catalogue(_) => drop(self.catalogues.insert(digest)),
            Body::Register(_) => {
                self.registers.entry(statement.issuer.clone()).or_default().insert(digest);
            }
            _ => {}
        }
    }

    fn revocation(&mut self, trouble: &[Trouble], verified: &Verified) {
        let about = || about(verified.statement(), verified.digest());
        let at = verified.statement().issued_at;
        for found in trouble {
            match found {
                Trouble::BadList(reason) => self.find(Code::BadChain, about(), reason.clone()),
                Trouble::Revoked { subject, at: since, reason } => {
                    let code = if at < *since { Code::RevokedLater } else { Code::Revoked };
                    let text = format!(
                        "the certificate of {subject} was revoked at {since}: {reason}; the statement \
                         is dated {at}"
                    );
                    self.find(code, about(), text);
                }
            }
        }
    }

    /// No two statements as one edition of one figure, in one term.
    fn editions(&mut self) {
        let mut told: BTreeMap<(UnitPath, u64, FigureId, u64), Digest> = BTreeMap::new();
        let mut twice = Vec::new();
        for (digest, known) in &self.known {
            let statement = known.verified.statement();
            let Some((figure, edition)) = statement.figure() else { continue };
            let name = (statement.issuer.clone(), statement.term, figure, edition);
            if let Some(other) = told.insert(name, *digest) {
                twice.push((about(statement, *digest), other));
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
        let mut ledgers = core::mem::take(&mut self.ledgers);
        for (digest, known) in &self.known {
            let copies = self.bundle.statements.get(digest).into_iter().flatten();
            let names = copies.filter_map(|held| held.chain);
            for chain in names.filter_map(|name| self.bundle.chains.get(&name)) {
                ledgers.know(known.verified.signer(), chain);
            }
        }
        for note in &self.bundle.checkpoints {
            if let Some((code, about, text)) = ledgers.see(note) {
                self.find(code, about, text);
            }
        }
        self.ledgers = ledgers;
    }

    /// When witnesses saw what was checked, against the dates that it bears.
    fn witnesses(&mut self, required: bool) {
        for (code, about, text) in self.ledgers.judge_times() {
            self.find(code, about, text);
        }
        let seen: Vec<Digest> = self.seen.iter().copied().collect();
        let alone: Vec<&Digest> = seen.iter().filter(|it| !self.ledgers.is_witnessed(it)).collect();
        let Some(first) = alone.first().and_then(|digest| self.known.get(digest)) else { return };
        let about = about(first.verified.statement(), first.verified.digest());
        let text = format!(
            "{} of {} figures are in no checkpoint that a witness has cosigned, such as this one: when \
             they were signed, and that nobody was shown another ledger, stands on their issuers' word",
            alone.len(),
            seen.len()
        );
        let code = if required { Code::WitnessRequired } else { Code::NotWitnessed };
        self.find(code, about, text);
    }

    /// A figure with everything below it; none if its statement is not known.
    pub(crate) fn tree(&mut self, digest: Digest, above: Option<&UnitPath>) -> Option<Tree> {
        let known = self.known.get(&digest)?;
        let statement = known.verified.statement();
        if above.is_some_and(|above| !statement.issuer.is_child_of(above)) {
            // Said where it is an input; it is no part of this tree.
            return None;
        }
        let issuer = statement.issuer.clone();
        let tree = Tree::of(known);
        let inputs: Vec<Digest> =
            known.manifest().direct.iter().filter_map(|entry| entry.statement).collect();
        if self.seen.insert(digest) {
            check_figure(self, digest);
        }
        let parts = inputs.into_iter().filter_map(|input| self.tree(input, Some(&issuer)));
        Some(Tree { parts: parts.collect(), ..tree })
    }

    fn report(mut self, federation: Option<FederationId>, trees: Vec<Tree>) -> Report {
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
            statements: self.bundle.statements.len(),
            verified: self.known.len(),
            sums: self.seen.len(),
            in_ledger,
            witnessed,
        };
        let federation = federation.map(|id| id.to_string());
        let verdict = worst.unwrap_or(Verdict::Pass);
        let (findings, figures) = (found, trees);
        Report { verdict, federation, counted, findings, figures, equivocations, checkpoints }
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

const fn code_of(error: &VerifyError) -> Code {
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

/// Revocation lists by the key that must have signed them.
struct Revocations<'a> {
    bundle: &'a Bundle,
    set: CrlSet,
    tried: BTreeSet<[u8; 32]>,
    bad: BTreeMap<[u8; 32], String>,
    /// Authorities without a list.
    missing: BTreeSet<String>,
    /// What was found about each chain.
    chains: BTreeMap<Digest, Vec<Trouble>>,
}

/// Why a chain may not count.
enum Trouble {
    BadList(String),
    Revoked { subject: String, at: reeve_statement::time::Timestamp, reason: String },
}

impl<'a> Revocations<'a> {
    fn new(bundle: &'a Bundle) -> Self {
        Self {
            bundle,
            set: CrlSet::new(StaleRule::default()),
            tried: BTreeSet::new(),
            bad: BTreeMap::new(),
            missing: BTreeSet::new(),
            chains: BTreeMap::new(),
        }
    }

    /// What the lists say of a chain that was verified.
    fn of(&mut self, name: Digest, chain: &Chain, roots: &RootList) -> &[Trouble] {
        if !self.chains.contains_key(&name) {
            let certificates: Vec<&Certificate> = chain.certificates().collect();
            let issuers = certificates.iter().skip(1).map(|above| *above.key());
            let top = certificates.last().map(|top| top.authority_key_id());
            let root = top.and_then(|key| roots.root_with_key(&key)).map(|root| *root.key());
            let links = certificates.iter().zip(issuers.chain(root));
            let found = links.filter_map(|(it, issuer)| self.look(it, &issuer)).collect();
            self.chains.insert(name, found);
        }
        self.chains.get(&name).map_or(&[], Vec::as_slice)
    }

    fn look(&mut self, certificate: &Certificate, issuer: &PublicKey) -> Option<Trouble> {
        let key = issuer.to_bytes();
        if self.tried.insert(key) {
            let of_issuer =
                |list: &&reeve_statement::cert::Crl| list.issuer_key_id() == issuer.key_id();
            for list in self.bundle.lists.iter().filter(of_issuer) {
                if let Err(error) = self.set.insert(list.clone(), issuer) {
                    self.bad.insert(key, error.to_string());
                }
            }
        }
        let Some(list) = self.set.list_of(issuer) else {
            if let Some(reason) = self.bad.get(&key) {
                return Some(Trouble::BadList(reason.clone()));
            }
            self.missing.insert(certificate.issuer().to_owned());
            return None;
        };
        let found = list.revoked().get(certificate.serial())?;
        let (subject, reason) = (certificate.subject().to_owned(), found.reason.to_string());
        Some(Trouble::Revoked { subject, at: found.at, reason })
    }
}
