//! Taking figures from subordinates: cheap checks first, then the signature on a worker, then term,
//! edition and audience; durable before it is answered.

use std::collections::BTreeMap;

use reeve_policy::disclosure::Input;
use reeve_statement::cbor::to_vec;
use reeve_statement::cert::VerifiedChain;
use reeve_statement::cert::name::dns_name;
use reeve_statement::chunk::ChunkError;
use reeve_statement::completeness::UnitState;
use reeve_statement::cose::{Signed, Verified, VerifyError};
use reeve_statement::digest::Digest;
use reeve_statement::ledger::checkpoint::{Checkpoint, Origin};
use reeve_statement::statement::{Audience, Body, FigureId, Statement, StatementKind};
use reeve_statement::unit::UnitId;

use crate::bugs::Bug;
use crate::effect::{Channel, InboundId, NodeKey, RequestId, SendFailure};
use crate::job::Job;
use crate::letters::Heard as HeardBy;
use crate::node::Node;
use crate::refusal::Refusal;
use crate::register::registered;
use crate::report::look::Look;
use crate::report::{FUTURE_MS, Heard};
use crate::rows::{self, HeadRow, HeardRow};
use crate::trust::{Standing, refusal_of};
use crate::wire::{Downward, ReportAnswer, Upward, decode};

/// A statement on its way through a worker.
#[derive(Debug)]
pub(crate) struct Verifying {
    pub(crate) purpose: VerifiedFor,
    pub(crate) bytes: Vec<u8>,
}

/// What a statement is verified for.
#[derive(Debug)]
pub(crate) enum VerifiedFor {
    /// A subordinate's figure.
    Delivery { inbound: InboundId, peer: NodeKey, checkpoint: String },
    /// The superior's request.
    Ask { inbound: InboundId, peer: NodeKey },
    /// A subordinate's request for a figure of this unit's.
    PeerAsk { inbound: InboundId, peer: NodeKey, checkpoint: String },
    /// The superior's figure, for which a person waits.
    Looked(Look),
    /// Something distributed from above, or published here.
    Distributed,
    /// Published here: the person waits for the answer.
    Published {
        /// Who.
        ask: crate::effect::AskId,
        /// What it must be.
        kind: StatementKind,
    },
    /// Another superior's register, by which a unit comes here: the person waits for the answer.
    Transfer {
        /// Who.
        ask: crate::effect::AskId,
        /// The unit.
        unit: UnitId,
    },
}

/// A delivered statement that waits for the chunks it names.
#[derive(Debug)]
pub(crate) struct Fetching {
    pub(crate) inbound: InboundId,
    pub(crate) verified: Box<Verified>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) checkpoint: String,
    pub(crate) missing: Vec<Digest>,
    pub(crate) chunks: BTreeMap<Digest, Vec<u8>>,
    pub(crate) peer: NodeKey,
    /// When its first chunk was asked for, monotonic.
    pub(crate) since: u64,
}

/// Most statements of one peer that are verified, or wait for their chunks, at a time; more are
/// answered `busy`.
pub(crate) const VERIFYING_PER_PEER: usize = 32;

/// Longest time for the chunks of one statement, in milliseconds; whoever delivered it has given up
/// long before.
const FETCHING_MS: u64 = 30_000;

/// The wire's word for a statement that does not verify.
pub(crate) fn refusal_of_verify(error: &VerifyError) -> Refusal {
    match error {
        VerifyError::Chain(error) => refusal_of(error),
        VerifyError::BadSignature { .. } => Refusal::BadSignature,
        VerifyError::WrongFederation { .. } => Refusal::OtherFederation,
        VerifyError::WrongIssuer { .. } => Refusal::OtherIssuer,
        VerifyError::NotEntitled { .. } | VerifyError::WrongRole { .. } => Refusal::NoRight,
        VerifyError::WrongTerm { .. } => Refusal::OldTerm,
        VerifyError::NoChain | VerifyError::OtherCertificate { .. } => Refusal::BadChain,
        VerifyError::BeforeCertificate { .. } => Refusal::NotYetValid,
        _ => Refusal::Malformed,
    }
}

impl Node {
    pub(crate) fn answer_report(&mut self, inbound: InboundId, answer: &ReportAnswer) {
        if !self.note_letter_answer(inbound, answer) {
            self.context.respond(inbound, to_vec(answer));
        }
    }

    fn refuse(&mut self, inbound: InboundId, peer: NodeKey, refusal: Refusal) {
        self.context.counters.count("refused_statements", refusal.label());
        let connected = self.heard_by(inbound) == HeardBy::Now;
        self.answer_report(inbound, &ReportAnswer::Refused(refusal));
        if connected {
            self.note_fault(peer, refusal);
        }
    }

    /// Messages on the report channel, by how the peer stands to this node.
    pub(crate) fn on_report(&mut self, inbound: InboundId, peer: NodeKey, bytes: &[u8]) {
        match self.peers.greeted(&peer).map(|greeted| greeted.standing) {
            Some(Standing::Subordinate) => self.on_upward(inbound, peer, bytes),
            Some(Standing::Superior) => self.on_downward(inbound, peer, bytes),
            Some(Standing::Home) | None => self.refuse(inbound, peer, Refusal::OutOfPlace),
        }
    }

    fn on_upward(&mut self, inbound: InboundId, peer: NodeKey, bytes: &[u8]) {
        let (statement, checkpoint) = match decode::<Upward>(bytes) {
            // Another node of this home reports, and takes what is reported to this unit.
            Ok(_) if self.superseded.is_some() => {
                return self.refuse(inbound, peer, Refusal::NotReporting);
            }
            // It comes again.
            Ok(_) if self.short || self.lacks_office() => {
                return self.refuse(inbound, peer, Refusal::Busy);
            }
            Ok(Upward::Deliver { statement, checkpoint }) => (statement, checkpoint),
            Ok(Upward::Head(checkpoint)) => return self.take_head(inbound, peer, &checkpoint),
            Ok(Upward::Ask { .. }) if self.is_busy_for(peer) => {
                return self.answer_report(inbound, &ReportAnswer::Refused(Refusal::Busy));
            }
            Ok(Upward::Ask { statement, checkpoint }) => {
                let purpose = VerifiedFor::PeerAsk { inbound, peer, checkpoint };
                return match self.verify(purpose, statement.0) {
                    Ok(()) => {}
                    Err(refusal) => self.refuse(inbound, peer, refusal),
                };
            }
            Err(_) => return self.refuse(inbound, peer, Refusal::Malformed),
        };
        if self.is_busy_for(peer) && !self.settings.bugs.has(Bug::VerifyAll) {
            return self.answer_report(inbound, &ReportAnswer::Refused(Refusal::Busy));
        }
        let purpose = VerifiedFor::Delivery { inbound, peer, checkpoint };
        if let Err(refusal) = self.verify(purpose, statement.0) {
            self.refuse(inbound, peer, refusal);
        }
    }

    /// Hands a statement to a worker.
    pub(crate) fn verify(&mut self, purpose: VerifiedFor, bytes: Vec<u8>) -> Result<(), Refusal> {
        let mut bytes = bytes;
        let mut signed = Signed::decode(&bytes).map_err(|_| Refusal::Malformed)?;
        if let VerifiedFor::Delivery { peer, .. } | VerifiedFor::Ask { peer, .. } = &purpose
            && !signed.carries_chain()
        {
            // It is kept with its chain: whoever verifies it later has no hello to look at.
            signed = self.peers.with_told(peer, signed);
            bytes = signed.to_bytes();
        }
        let believed = self.settings.bugs.has(Bug::IgnoreEnds);
        let at = if believed { signed.unverified_issued_at() } else { self.context.now().wall };
        let verifier = self.trust.verifier().clone();
        let job = self.context.compute(Job::Verify { signed: Box::new(signed), verifier, at });
        self.reports.verifying.insert(job, Verifying { purpose, bytes });
        Ok(())
    }

    pub(crate) fn on_verified(
        &mut self,
        verifying: Verifying,
        result: Result<Box<Verified>, Box<VerifyError>>,
    ) {
        let Verifying { purpose, bytes } = verifying;
        match (purpose, result) {
            (VerifiedFor::Delivery { inbound, peer, checkpoint }, Ok(verified)) => {
                self.take_delivery(inbound, peer, verified, bytes, checkpoint);
            }
            (VerifiedFor::Ask { inbound, peer }, Ok(verified)) => {
                self.take_request(inbound, peer, &verified, bytes);
            }
            (VerifiedFor::PeerAsk { inbound, peer, checkpoint }, Ok(verified)) => {
                self.take_look(inbound, peer, &verified, &checkpoint);
            }
            (VerifiedFor::Looked(look), Ok(verified)) => self.show_looked(&look, &verified),
            (VerifiedFor::Looked(look), Err(error)) => {
                self.reply_taken(look.ask, Err(refusal_of_verify(&error)));
            }
            (VerifiedFor::Distributed, Ok(verified)) => {
                if let Err(refusal) = self.take_from_above(&verified, bytes.clone()) {
                    if let Body::Catalogue(catalogue) = &verified.statement().body
                        && refusal == Refusal::Unreconciled
                    {
                        // It is in force: nothing is cut by an older one in the meantime.
                        self.reports.followed = self.reports.followed.max(catalogue.version);
                    }
                    self.set_aside(refusal, bytes);
                }
            }
            (VerifiedFor::Published { ask, kind }, Ok(verified)) => {
                let taken = if verified.statement().body.kind() == kind {
                    self.take_from_above(&verified, bytes)
                } else {
                    Err(Refusal::OutOfPlace)
                };
                self.reply_taken(ask, taken);
            }
            (VerifiedFor::Transfer { ask, unit }, Ok(verified)) => {
                let answer = registered(self.receive_unit(&unit, &verified));
                self.context.reply(ask, answer);
            }
            (VerifiedFor::Transfer { ask, .. }, Err(error)) => {
                self.reply_taken(ask, Err(refusal_of_verify(&error)));
            }
            (
                VerifiedFor::Delivery { inbound, peer, .. }
                | VerifiedFor::PeerAsk { inbound, peer, .. }
                | VerifiedFor::Ask { inbound, peer },
                Err(error),
            ) => {
                self.refuse(inbound, peer, refusal_of_verify(&error));
            }
            (VerifiedFor::Distributed, Err(error)) => {
                self.set_aside(refusal_of_verify(&error), bytes);
            }
            (VerifiedFor::Published { ask, .. }, Err(error)) => {
                self.reply_taken(ask, Err(refusal_of_verify(&error)));
            }
        }
    }

    fn take_delivery(
        &mut self,
        inbound: InboundId,
        peer: NodeKey,
        verified: Box<Verified>,
        bytes: Vec<u8>,
        checkpoint: String,
    ) {
        self.context.counters.count("statements", "verified");
        let judged = self.judge(peer, &verified).and_then(|judged| {
            self.judge_checkpoint(peer, verified.signer(), &checkpoint).map(|_| judged)
        });
        match judged {
            Ok(Judgement::Held) => {
                // It may have been told by another node of this home, and its bytes are here only now.
                self.context.persist(rows::statement(&verified.digest()), Some(bytes));
                return self.take_held(inbound, &verified, &checkpoint);
            }
            Ok(Judgement::News) => {}
            Err(refusal) => return self.refuse(inbound, peer, refusal),
        }
        let mut missing = chunks_of(&verified.statement().body);
        let mut chunks = BTreeMap::new();
        match self.chunks_beside(inbound, &missing) {
            Some(Some(beside)) => (missing, chunks) = (Vec::new(), beside),
            Some(None) => return self.refuse(inbound, peer, Refusal::BadParts),
            None => {}
        }
        if !missing.is_empty() && self.is_fetching_enough(peer) {
            return self.answer_report(inbound, &ReportAnswer::Refused(Refusal::Busy));
        }
        let fetching = Fetching {
            inbound,
            verified,
            bytes,
            checkpoint,
            missing,
            chunks,
            peer,
            since: self.context.now().monotonic,
        };
        self.fetch_or_accept(fetching);
    }

    /// A subordinate asks for a figure; its ledger with the request in it is kept first.
    fn take_look(
        &mut self,
        inbound: InboundId,
        peer: NodeKey,
        verified: &Verified,
        checkpoint: &str,
    ) {
        if let Err(refusal) = self.judge_checkpoint(peer, verified.signer(), checkpoint) {
            return self.refuse(inbound, peer, refusal);
        }
        let statement = verified.statement();
        if self.peers.greeted(&peer).is_some_and(|greeted| greeted.unit == statement.issuer) {
            self.keep_head(statement.issuer.leaf(), statement.term, checkpoint);
        }
        self.answer_look(inbound, peer, verified);
    }

    /// The statement is here already; the ledger that came with it may be news.
    fn take_held(&mut self, inbound: InboundId, verified: &Verified, checkpoint: &str) {
        let statement = verified.statement();
        self.keep_head(statement.issuer.leaf(), statement.term, checkpoint);
        self.answer_report(inbound, &ReportAnswer::Accepted);
    }

    /// Whether a verified statement is news, held already, or to be refused.
    fn judge(&self, peer: NodeKey, verified: &Verified) -> Result<Judgement, Refusal> {
        let statement = verified.statement();
        let greeted = self.peers.greeted(&peer).ok_or(Refusal::OutOfPlace)?;
        if statement.issuer != greeted.unit && !self.settings.bugs.has(Bug::TakeForOthers) {
            return Err(Refusal::OtherIssuer);
        }
        self.judge_audience_and_time(statement)?;
        let (id, edition) = statement.figure().ok_or(Refusal::OutOfPlace)?;
        let Some(held) =
            self.reports.heard.get(&id).and_then(|units| units.get(statement.issuer.leaf()))
        else {
            return Ok(Judgement::News);
        };
        let held = &held.row;
        if statement.term < held.term {
            return Err(Refusal::OldTerm);
        }
        if verified.digest() == held.statement {
            return Ok(Judgement::Held);
        }
        match edition.cmp(&held.edition) {
            core::cmp::Ordering::Less if self.settings.bugs.has(Bug::TakeOlder) => {
                Ok(Judgement::News)
            }
            core::cmp::Ordering::Less => Err(Refusal::OldEdition),
            core::cmp::Ordering::Equal
                if statement.term == held.term && !self.settings.bugs.has(Bug::TakeTwice) =>
            {
                Err(Refusal::Equivocation)
            }
            _ => Ok(Judgement::News),
        }
    }

    /// Audience and time of a statement that is to be accepted as news.
    pub(crate) fn judge_audience_and_time(&self, statement: &Statement) -> Result<(), Refusal> {
        let now = self.context.now().wall;
        match &statement.audience {
            Audience::Unit(unit) if *unit != self.settings.unit => {
                return Err(Refusal::OtherAudience);
            }
            Audience::Unit(_) | Audience::Class(_) | Audience::Federation => {}
        }
        if statement.issued_at.since(now) > FUTURE_MS {
            return Err(Refusal::ClockSkew);
        }
        if statement.valid_until.is_some_and(|until| until < now) {
            return Err(Refusal::Stale);
        }
        Ok(())
    }

    /// A subordinate's ledger never shrinks, and never has two roots of one size. Deliveries of one
    /// connection may overtake each other, so what counts is the ledger known when it began.
    pub(crate) fn judge_checkpoint(
        &mut self,
        peer: NodeKey,
        signer: &VerifiedChain,
        note: &str,
    ) -> Result<Checkpoint, Refusal> {
        let term = signer.term().ok_or(Refusal::NoRight)?;
        let checkpoint = self.checkpoint_of(signer, note)?;
        self.judge_ledger(peer, signer, &checkpoint, note)?;
        let Some(held) = self.reports.heads.get(signer.unit().leaf()) else {
            return Ok(checkpoint);
        };
        match term.cmp(&held.term) {
            core::cmp::Ordering::Less => return Err(Refusal::OldTerm),
            core::cmp::Ordering::Equal => {}
            // A new term's ledger begins anew.
            core::cmp::Ordering::Greater => return Ok(checkpoint),
        }
        // A term may begin amid a connection: what was known at the hello is of the one before.
        let floor = self.peers.greeted(&peer).map_or((term, held.size), |peer| peer.ledger_floor);
        let floor = if floor.0 == term { floor.1 } else { 0 };
        let smaller = checkpoint.size < floor;
        let forked = checkpoint.size == held.size && checkpoint.root != held.root;
        if smaller || forked { Err(Refusal::LedgerRegressed) } else { Ok(checkpoint) }
    }

    /// Reads a checkpoint of the ledger that the signer's unit keeps in the signer's term.
    pub(crate) fn checkpoint_of(
        &self,
        signer: &VerifiedChain,
        note: &str,
    ) -> Result<Checkpoint, Refusal> {
        let origin = self.origin_of(signer).ok_or(Refusal::Malformed)?;
        let checkpoint = if self.settings.bugs.has(Bug::BelieveLedgers) {
            Checkpoint::parse_unverified(note)
        } else {
            Checkpoint::verify(note, &origin, signer.key())
        };
        checkpoint.map_err(|_| Refusal::BadSignature)
    }

    /// The name of the ledger that the signer's unit keeps in the signer's term.
    pub(crate) fn origin_of(&self, signer: &VerifiedChain) -> Option<Origin> {
        let name = dns_name(signer.unit(), self.settings.roots.domain()).ok()?;
        Origin::of(&name, signer.term()?).ok()
    }

    /// A subordinate shows its ledger alone.
    fn take_head(&mut self, inbound: InboundId, peer: NodeKey, note: &str) {
        let Some(greeted) = self.peers.greeted(&peer) else {
            return self.refuse(inbound, peer, Refusal::OutOfPlace);
        };
        let (signer, unit) = (greeted.chain.clone(), greeted.unit.leaf().clone());
        let Some(term) = signer.term() else {
            return self.refuse(inbound, peer, Refusal::NoRight);
        };
        if let Err(refusal) = self.judge_checkpoint(peer, &signer, note) {
            return self.refuse(inbound, peer, refusal);
        }
        self.keep_head(&unit, term, note);
        self.answer_report(inbound, &ReportAnswer::Accepted);
    }

    fn fetch_or_accept(&mut self, fetching: Fetching) {
        let Some(digest) = fetching.missing.last().copied() else {
            return self.accept(fetching);
        };
        if !self.peers.connected.contains_key(&fetching.peer) {
            return;
        }
        let message = to_vec(&Downward::Fetch(digest));
        let request = self.context.send(fetching.peer, Channel::Report, message);
        self.reports.fetching.insert(request, fetching);
    }

    pub(crate) fn on_fetched(&mut self, request: RequestId, result: Result<Vec<u8>, SendFailure>) {
        let Some(mut fetching) = self.reports.fetching.remove(&request) else { return };
        // Nothing came, or too slowly: the statement is good as far as anyone knows, and is to be sent
        // again.
        let late = self.context.now().monotonic > fetching.since.saturating_add(FETCHING_MS);
        let Some(bytes) = result.ok().filter(|_| !late) else {
            return self.refuse(fetching.inbound, fetching.peer, Refusal::Busy);
        };
        let answer = decode::<ReportAnswer>(&bytes).ok();
        let wanted = fetching.missing.pop();
        match (answer, wanted) {
            (Some(ReportAnswer::Chunk(chunk)), Some(digest)) if Digest::of(&chunk.0) == digest => {
                fetching.chunks.insert(digest, chunk.0);
                self.fetch_or_accept(fetching);
            }
            _ => self.refuse(fetching.inbound, fetching.peer, Refusal::BadParts),
        }
    }

    /// Everything is here: joins the parts, keeps the statement, answers when it is durable.
    fn accept(&mut self, fetching: Fetching) {
        let Fetching { inbound, verified, bytes, checkpoint, chunks, peer, .. } = fetching;
        // The world may have moved on while chunks were fetched.
        match self.judge(peer, &verified) {
            Ok(Judgement::News) => {}
            Ok(Judgement::Held) => return self.take_held(inbound, &verified, &checkpoint),
            Err(refusal) => return self.refuse(inbound, peer, refusal),
        }
        let statement = verified.statement();
        let Ok(body) = joined(&statement.body, &chunks) else {
            return self.refuse(inbound, peer, Refusal::BadParts);
        };
        let mut said = Statement { body, ..statement.clone() };
        if self.settings.bugs.has(Bug::OverClaim)
            && let Body::Release(release) = &mut said.body
        {
            release.counts.add(UnitState::Reported, 1);
        }
        let (Some((id, edition)), unit) = (statement.figure(), statement.issuer.leaf().clone())
        else {
            return self.refuse(inbound, peer, Refusal::OutOfPlace);
        };
        let digest = verified.digest();
        if self.settings.bugs.has(Bug::AcceptUnkept) {
            return self.answer_report(inbound, &ReportAnswer::Accepted);
        }
        let row = HeardRow {
            id: id.clone(),
            unit: unit.clone(),
            term: statement.term,
            edition,
            statement: digest,
            issued_at: statement.issued_at,
            received_at: self.context.now().wall,
            reason: self.reason_heard(&id, &unit, &said.body),
            said,
        };
        let kept = to_vec(&row);
        let before = self.reports.heard.get(&id).and_then(|units| units.get(&unit));
        let before = before.map(|heard| heard.bytes);
        let beside: usize = chunks.values().map(Vec::len).sum();
        let written = kept.len().saturating_add(bytes.len()).saturating_add(beside);
        if let Err(refusal) = self.may_keep(&unit, before, kept.len(), written) {
            self.context.counters.count("refused_statements", refusal.label());
            return self.answer_report(inbound, &ReportAnswer::Refused(refusal));
        }
        let length = kept.len();
        self.context.persist(rows::heard(&unit, &id), Some(kept));
        self.context.persist(rows::statement(&digest), Some(bytes));
        for (digest, chunk) in chunks {
            self.context.persist(rows::chunk(&digest), Some(chunk));
        }
        self.keep_head(&unit, statement.term, &checkpoint);
        let ever = self.reports.ever.get(&unit);
        let first = ever.is_none_or(|indicators| !indicators.contains_key(&id.indicator));
        self.hear(row, length);
        self.context.counters.count("statements", "accepted");
        self.answer_report(inbound, &ReportAnswer::Accepted);
        self.touched_by_subordinate(&id, first);
    }

    pub(crate) fn keep_head(&mut self, unit: &UnitId, term: u64, note: &str) {
        let Ok(checkpoint) = Checkpoint::parse_unverified(note) else { return };
        if let Some(held) = self.reports.heads.get(unit) {
            if (held.term, held.size) >= (term, checkpoint.size) {
                return;
            }
            if held.term < term {
                // The last that was seen of the term before stays: it is evidence.
                let place: &[&[u8]] = &[unit.as_str().as_bytes(), b"/", &held.term.to_be_bytes()];
                let past = to_vec(held);
                self.context.persist(rows::key(rows::PAST_HEAD, place), Some(past));
                self.context.counters.count("terms", "begun_below");
            }
        }
        let row = HeadRow {
            unit: unit.clone(),
            size: checkpoint.size,
            root: checkpoint.root,
            note: note.to_owned(),
            term,
        };
        let key = rows::key(rows::HEAD, &[unit.as_str().as_bytes()]);
        self.context.persist(key, Some(to_vec(&row)));
        self.reports.heads.insert(unit.clone(), row);
    }

    /// Remembers what a subordinate said, in a row of so many bytes.
    pub(crate) fn hear(&mut self, row: HeardRow, bytes: usize) {
        let ever = self.reports.ever.entry(row.unit.clone()).or_default();
        let last = ever.entry(row.id.indicator.clone()).or_insert(row.received_at);
        *last = (*last).max(row.received_at);
        let input = Input::of_kept(&row.said, row.statement).ok();
        let unit = row.unit.clone();
        let units = self.reports.heard.entry(row.id.clone()).or_default();
        let before = units.insert(unit.clone(), Heard { input, row, bytes });
        let kept = self.shares.kept.entry(unit).or_default();
        kept.replaced(before.map(|heard| heard.bytes), bytes);
    }

    /// A subordinate's figure changed: ours may have.
    fn touched_by_subordinate(&mut self, id: &FigureId, first: bool) {
        if id.period.is_some() {
            self.mark_due(id.clone());
        }
        if id.period.is_some() && !first {
            return;
        }
        // A notice about every period touches each figure of the indicator, and so does the first
        // statement of a unit: it is no longer one that never reported.
        let same = |other: &&FigureId| other.indicator == id.indicator && other.class == id.class;
        let all: Vec<FigureId> = self.reports.figures.keys().filter(same).cloned().collect();
        for figure in all {
            self.mark_due(figure);
        }
    }
}

enum Judgement {
    News,
    Held,
}

/// The chunks that travel beside a statement.
pub(crate) fn chunks_of(body: &Body) -> Vec<Digest> {
    let Body::Release(release) = body else { return Vec::new() };
    let own = release.own.iter().flat_map(|own| own.chunk_digests());
    let mut digests: Vec<Digest> = release
        .table
        .chunk_digests()
        .iter()
        .chain(own)
        .chain(release.manifest.chunk_digests())
        .copied()
        .collect();
    digests.sort_unstable();
    digests.dedup();
    digests
}

/// The body with its table and manifest inside, for use in memory.
fn joined(body: &Body, chunks: &BTreeMap<Digest, Vec<u8>>) -> Result<Body, ChunkError> {
    use reeve_statement::chunk::Part;
    let Body::Release(release) = body else { return Ok(body.clone()) };
    let find = |digest: &Digest| chunks.get(digest).cloned();
    let mut release = release.clone();
    release.table = Part::Inline(release.table.join("table", find)?);
    release.manifest = Part::Inline(release.manifest.join("manifest", find)?);
    release.own = None;
    Ok(Body::Release(release))
}
