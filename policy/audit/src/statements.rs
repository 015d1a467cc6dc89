//! The statements of a bundle: each is read and verified once, and what it says is read again when a figure
//! needs it. So a check holds a little of every statement, and all of few.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use reeve_statement::catalogue::{Indicator, Measure};
use reeve_statement::cert::{Certificate, Chain, CrlSet, Revocation, RootList, StaleRule};
use reeve_statement::chunk::ChunkError;
use reeve_statement::completeness::Manifest;
use reeve_statement::cose::{Remembered, Signed, Verified, Verifier, VerifyError};
use reeve_statement::digest::Digest;
use reeve_statement::key::PublicKey;
use reeve_statement::limits::CHUNK_BYTES;
use reeve_statement::names::IndicatorId;
use reeve_statement::release::Release;
use reeve_statement::statement::{Body, FigureId};
use reeve_statement::table::Table;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use crate::bundle::{Bundle, statement_of};
use crate::check::{Check, code_of};
use crate::finding::{About, Code};
use crate::source::Source;
use crate::sum::Adding;

/// Most bytes of statements and chunks whose content is held, by their encodings, of which what was read
/// takes a multiple: a day of 3,200 jurisdictions, so that it is read once.
const KEPT_BYTES: usize = 4 * 1024 * 1024;
/// Most copies of one statement that differ in their chains: an authority above was renewed so often.
const MAX_COPIES: usize = 64;

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

    /// With its parts joined from chunks.
    fn of(
        verified: Verified,
        chunk: impl Fn(&Digest) -> Option<Vec<u8>>,
    ) -> Result<Self, ChunkError> {
        let mut known = Self { verified, table: None, own: None, manifest: None };
        let Some(release) = known.release() else { return Ok(known) };
        let apart = release.table.inline().is_none();
        let table = apart.then(|| release.table.join("table", &chunk)).transpose()?;
        let own = release.own.as_ref().filter(|own| own.inline().is_none());
        let own = own.map(|own| own.join("own table", &chunk)).transpose()?;
        let apart = release.manifest.inline().is_none();
        let manifest = apart.then(|| release.manifest.join("manifest", &chunk)).transpose()?;
        (known.table, known.own, known.manifest) = (table, own, manifest);
        Ok(known)
    }

    /// How many chunks its parts were joined from.
    fn chunks(&self) -> usize {
        self.release().map_or(0, |release| {
            let own = release.own.as_ref().map_or(0, |own| own.chunk_digests().len());
            release.table.chunk_digests().len() + own + release.manifest.chunk_digests().len()
        })
    }
}

/// What stays of a statement that was verified.
#[derive(Debug)]
pub(crate) struct Fact {
    pub(crate) remembered: Remembered,
    pub(crate) issued_at: Timestamp,
    pub(crate) term: u64,
    pub(crate) figure: Option<(FigureId, u64)>,
    source: Source,
}

impl Fact {
    /// What it is about, for findings.
    pub(crate) fn about(&self) -> About {
        let figure = self.figure.as_ref();
        About {
            unit: Some(self.remembered.signer().unit().to_string()),
            indicator: figure.map(|(id, _)| id.indicator.to_string()),
            period: figure.and_then(|(id, _)| id.period).map(|period| period.to_string()),
            edition: figure.map(|(_, edition)| *edition),
            statement: Some(self.remembered.digest()),
        }
    }
}

/// How a figure's parts are added, and how many units below its issuer its rows tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) depth: usize,
    pub(crate) adding: Adding,
}

/// What a catalogue says of an indicator.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) indicator: IndicatorId,
    /// Whose catalogue.
    pub(crate) by: UnitPath,
    pub(crate) way: Way,
}

impl Definition {
    fn of(indicator: &Indicator, by: &UnitPath) -> Self {
        let adding = match indicator.measure {
            Measure::Min(_) => Adding::Least,
            Measure::Max(_) => Adding::Greatest,
            _ => Adding::Sum,
        };
        let way = Way { depth: usize::from(indicator.area_depth), adding };
        Self { indicator: indicator.id.clone(), by: by.clone(), way }
    }
}

/// Statements that were read last, whole.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    statements: BTreeMap<Digest, Arc<Known>>,
    bytes: usize,
}

impl Kept {
    fn keep(&mut self, known: Arc<Known>, bytes: usize) {
        if self.bytes.saturating_add(bytes) > KEPT_BYTES {
            self.statements.clear();
            self.bytes = 0;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.statements.insert(known.verified.digest(), known);
    }
}

/// Which statements are there, whatever they are worth.
#[derive(Debug, Default)]
pub(crate) struct Present {
    /// Statements, each with a chain that a copy of it carries.
    copies: BTreeSet<(Digest, Digest)>,
    /// Those without a chain, and whose they say that they are.
    bare: BTreeMap<Digest, String>,
    different: usize,
}

impl Present {
    fn has_chain(&self, digest: &Digest) -> bool {
        let all = (*digest, Digest::ZERO)..=(*digest, Digest::from_bytes([u8::MAX; 32]));
        self.copies.range(all).next().is_some()
    }

    fn chains_of(&self, digest: &Digest) -> usize {
        let all = (*digest, Digest::ZERO)..=(*digest, Digest::from_bytes([u8::MAX; 32]));
        self.copies.range(all).count()
    }

    /// Whether a statement is there at all.
    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.has_chain(digest) || self.bare.contains_key(digest)
    }

    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.different
    }
}

impl Check<'_> {
    /// Signature, chain, rights, dates and parts of each statement.
    pub(crate) fn statements(&mut self, verifier: &Verifier, require_lists: bool) {
        let mut revocations = Revocations::new(self.bundle);
        for source in &self.bundle.statements {
            match statement_of(source) {
                Ok(signed) => self.take(signed, source, verifier, &mut revocations),
                Err(reason) => self.unreadable(source, &reason),
            }
        }
        // One without a chain says nothing that another one does not say with it.
        let bare = core::mem::take(&mut self.present.bare);
        for (digest, unit) in &bare {
            if !self.present.has_chain(digest) {
                self.refuse(*digest, unit.clone(), &VerifyError::NoChain);
            }
        }
        self.present.bare = bare;
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

    fn take(
        &mut self,
        signed: Signed,
        source: &Source,
        verifier: &Verifier,
        revocations: &mut Revocations<'_>,
    ) {
        let digest = signed.digest();
        if !self.present.has(&digest) {
            self.present.different += 1;
        }
        let unit = signed.unverified_issuer().to_string();
        let Some(chain) = signed.unverified_chain_digest() else {
            self.present.bare.insert(digest, unit);
            return;
        };
        if self.present.copies.contains(&(digest, chain)) {
            return;
        }
        if self.present.chains_of(&digest) >= MAX_COPIES {
            let reason = format!("expected at most {MAX_COPIES} different copies of one statement");
            return self.unreadable(source, &reason);
        }
        self.present.copies.insert((digest, chain));
        let anew = !revocations.chains.contains_key(&chain);
        let read = anew.then(|| verifier.unverified_chain(&signed)).flatten().and_then(Result::ok);
        let (at, bytes) = (signed.unverified_issued_at(), signed.unverified_payload_len());
        let verified = match &read {
            Some(chain) => signed.verify_with(chain, verifier, at),
            None => signed.verify(verifier, at),
        };
        match verified {
            Err(error) => self.refuse(digest, unit, &error),
            Ok(verified) => {
                if let Some(read) = read {
                    self.ledgers.know(verified.signer(), &read);
                    revocations.judge(chain, &read, verifier.roots());
                }
                self.revocation(revocations.of(&chain), &verified);
                self.join(verified, source, bytes);
            }
        }
    }

    fn refuse(&mut self, digest: Digest, unit: String, error: &VerifyError) {
        let about = About { unit: Some(unit), statement: Some(digest), ..About::default() };
        self.find(code_of(error), about, error.to_string());
    }

    /// Joins the chunks of a statement's parts, and notes what stays of it.
    fn join(&mut self, verified: Verified, source: &Source, bytes: usize) {
        let statement = verified.statement();
        let fact = Fact {
            remembered: verified.remembered(),
            issued_at: statement.issued_at,
            term: statement.term,
            figure: statement.figure(),
            source: source.clone(),
        };
        match self.with_chunks(verified) {
            Ok(known) => {
                self.index(&known.verified);
                let digest = fact.remembered.digest();
                self.keep(known, bytes);
                self.known.entry(digest).or_insert(fact);
            }
            Err(error @ ChunkError::Missing(_)) => {
                self.find(Code::NoChunk, fact.about(), error.to_string());
            }
            Err(error) => self.find(Code::BadPart, fact.about(), error.to_string()),
        }
    }

    fn with_chunks(&self, verified: Verified) -> Result<Known, ChunkError> {
        let chunk = |digest: &Digest| {
            let source = self.bundle.chunks.get(digest)?;
            source.read().ok().map(|bytes| bytes.into_owned())
        };
        Known::of(verified, chunk)
    }

    fn keep(&mut self, known: Known, bytes: usize) -> Arc<Known> {
        let bytes = bytes.saturating_add(known.chunks().saturating_mul(CHUNK_BYTES));
        let known = Arc::new(known);
        self.kept.keep(Arc::clone(&known), bytes);
        known
    }

    /// A statement that was verified, with what it says.
    pub(crate) fn load(&mut self, digest: &Digest) -> Option<Arc<Known>> {
        if let Some(known) = self.kept.statements.get(digest) {
            return Some(Arc::clone(known));
        }
        let fact = self.known.get(digest)?;
        let again = statement_of(&fact.source).ok().and_then(|signed| {
            let known = self.with_chunks(fact.remembered.recall(&signed)?).ok()?;
            Some((known, signed.unverified_payload_len()))
        });
        let Some((known, bytes)) = again else {
            let source = fact.source.clone();
            self.unreadable(&source, "it is not what it was when the check began");
            return None;
        };
        Some(self.keep(known, bytes))
    }

    pub(crate) fn unreadable(&mut self, source: &Source, reason: &str) {
        let text = format!("{}: {reason}", source.place());
        self.find(Code::Unreadable, About::default(), text);
    }

    /// Registers and definitions are looked for again and again.
    fn index(&mut self, verified: &Verified) {
        let (digest, statement) = (verified.digest(), verified.statement());
        match &statement.body {
            Body::Catalogue(catalogue) => {
                for indicator in &catalogue.indicators {
                    let definition = Definition::of(indicator, &statement.issuer);
                    let same = self.definitions.entry(indicator.definition()).or_default();
                    if !same.contains(&definition) {
                        same.push(definition);
                    }
                }
            }
            Body::Register(_) => {
                self.registers.entry(statement.issuer.clone()).or_default().insert(digest);
            }
            _ => {}
        }
    }

    fn revocation(&mut self, trouble: &[Trouble], verified: &Verified) {
        let about = || crate::check::about(verified.statement(), verified.digest());
        let at = verified.statement().issued_at;
        for found in trouble {
            match found {
                Trouble::BadList(reason) => self.find(Code::BadChain, about(), reason.clone()),
                Trouble::Revoked { subject, revocation } => {
                    let (since, reason) = (revocation.begins(), revocation.reason);
                    let mut text = format!(
                        "the certificate of {subject} was revoked at {}: {reason}",
                        revocation.at
                    );
                    if since < revocation.at {
                        let _ = write!(text, ", in other hands from {since} on");
                    }
                    let _ = write!(text, "; the statement is dated {at}");
                    if at >= since {
                        self.find(Code::Revoked, about(), text);
                    } else if revocation.exposes_key() {
                        // Whoever has the key writes any date: what others saw counts.
                        self.doubts.push(Doubt { digest: verified.digest(), since, text });
                    } else {
                        self.find(Code::RevokedLater, about(), text);
                    }
                }
            }
        }
    }
}

/// A statement that is dated before its signer's key came into other hands.
#[derive(Debug)]
pub(crate) struct Doubt {
    pub(crate) digest: Digest,
    /// From when on others had the key.
    pub(crate) since: Timestamp,
    /// What was revoked, when and why.
    pub(crate) text: String,
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
    Revoked { subject: String, revocation: Revocation },
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
    fn of(&self, chain: &Digest) -> &[Trouble] {
        self.chains.get(chain).map_or(&[], Vec::as_slice)
    }

    fn judge(&mut self, name: Digest, chain: &Chain, roots: &RootList) {
        let certificates: Vec<&Certificate> = chain.certificates().collect();
        let issuers = certificates.iter().skip(1).map(|above| *above.key());
        let top = certificates.last().map(|top| top.authority_key_id());
        let root = top.and_then(|key| roots.root_with_key(&key)).map(|root| *root.key());
        let links = certificates.iter().zip(issuers.chain(root));
        let found = links.filter_map(|(it, issuer)| self.look(it, &issuer)).collect();
        self.chains.insert(name, found);
    }

    fn look(&mut self, certificate: &Certificate, issuer: &PublicKey) -> Option<Trouble> {
        let key = issuer.to_bytes();
        if self.tried.insert(key) {
            for list in self.bundle.lists.get(&issuer.key_id()).into_iter().flatten() {
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
        let revocation = *list.revoked().get(certificate.serial())?;
        Some(Trouble::Revoked { subject: certificate.subject().to_owned(), revocation })
    }
}
