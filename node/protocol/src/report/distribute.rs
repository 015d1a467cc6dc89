//! What flows down: requests, catalogues, declarations and revocation lists; and taking them.

use reeve_statement::cbor::to_vec;
use reeve_statement::cose::Verified;
use reeve_statement::digest::Digest;
use reeve_statement::statement::{Audience, Body, Onward, Statement, VERSION};

use crate::bugs::Bug;
use crate::effect::{AskId, Channel, InboundId, Load, LoadId, Loaded, NodeKey};
use crate::letters::Heard;
use crate::local::{Answer, Failure};
use crate::node::Node;
use crate::refusal::Refusal;
use crate::report::Subscription;
use crate::report::accept::VerifiedFor;
use crate::rows;
use crate::trust::Standing;
use crate::wire::{Blob, Downward, HomeMessage, ReportAnswer, SignedList, decode};

impl Node {
    /// A subordinate said hello: it gets lists and the catalogue, hears what this node holds of it,
    /// and is asked for its figures.
    pub(crate) fn begin_with_subordinate(&mut self, peer: NodeKey) {
        self.distribute_to(peer);
        self.declare_to_subordinate(peer);
        self.tell_what_is_held(peer);
        self.ask_subordinate(peer);
        let unit = self.peers.greeted(&peer).map(|greeted| greeted.unit.leaf().clone());
        if let Some(unit) = unit {
            self.note_back(&unit);
        }
    }

    fn distribute_to(&mut self, peer: NodeKey) {
        for message in self.distributed() {
            self.tell(peer, Channel::Report, to_vec(&message));
        }
    }

    /// What everybody below gets.
    pub(crate) fn distributed(&self) -> Vec<Downward> {
        let mut statements = Vec::new();
        if let Some(bytes) = &self.catalogue_bytes {
            statements.push(Blob(bytes.clone()));
        }
        let mut messages = vec![Downward::Distribute { statements, lists: Vec::new() }];
        // One list per message: a list may fill most of a frame.
        for list in self.trust.lists() {
            messages
                .push(Downward::Distribute { statements: Vec::new(), lists: vec![list.clone()] });
        }
        messages
    }

    /// Messages from the superior.
    pub(crate) fn on_downward(&mut self, inbound: InboundId, peer: NodeKey, bytes: &[u8]) {
        let message = match decode::<Downward>(bytes) {
            Ok(message) => message,
            Err(_) => {
                self.context.counters.count("refused_statements", Refusal::Malformed.label());
                return self.answer_report(inbound, &ReportAnswer::Refused(Refusal::Malformed));
            }
        };
        match message {
            Downward::Ask(statement) => {
                if let Err(refusal) = self.verify(VerifiedFor::Ask { inbound, peer }, statement.0) {
                    self.answer_report(inbound, &ReportAnswer::Refused(refusal));
                }
            }
            Downward::Have(page) => self.on_have(inbound, peer, page),
            Downward::Distribute { statements, lists } => {
                for list in lists {
                    self.take_list_quietly(list);
                }
                self.verify_distributed(statements);
                self.answer_report(inbound, &ReportAnswer::Accepted);
            }
            Downward::Certificate(chain) => {
                self.take_certificate(&chain.0);
                self.answer_report(inbound, &ReportAnswer::Accepted);
            }
            Downward::Fetch(digest) => {
                let load = self.context.load(Load::Get(vec![rows::chunk(&digest)]));
                self.chunk_loads.insert(load, inbound);
            }
        }
    }

    /// Statements that were passed on: each is verified, and taken for what it says.
    pub(crate) fn verify_distributed(&mut self, statements: Vec<Blob>) {
        for statement in statements {
            if let Err(refusal) = self.verify(VerifiedFor::Distributed, statement.0) {
                self.context.counters.count("refused_statements", refusal.label());
            }
        }
    }

    pub(crate) fn on_chunk_loaded(&mut self, load: LoadId, loaded: Loaded) -> Option<Loaded> {
        let Some(inbound) = self.chunk_loads.remove(&load) else { return Some(loaded) };
        let chunk = match loaded {
            Loaded::Values(values) => values.into_iter().next().flatten(),
            Loaded::Rows(_) => None,
        };
        let answer = match chunk {
            Some(bytes) => ReportAnswer::Chunk(Blob(bytes)),
            None => ReportAnswer::Refused(Refusal::NotFound),
        };
        self.answer_report(inbound, &answer);
        None
    }

    /// The superior's verified request: from now on its figures are sent as they are cut.
    pub(crate) fn take_request(
        &mut self,
        inbound: InboundId,
        peer: NodeKey,
        verified: &Verified,
        bytes: Vec<u8>,
    ) {
        let statement = verified.statement();
        let from_peer =
            self.peers.greeted(&peer).is_some_and(|greeted| greeted.unit == statement.issuer);
        let judged = if from_peer {
            self.judge_audience_and_time(statement)
        } else {
            Err(Refusal::OtherIssuer)
        };
        let other = self.heard_by(inbound) == Heard::Now && self.reporting_superior() != Some(peer);
        let judged = judged.and(if other { Err(Refusal::NotReporting) } else { Ok(()) });
        let request = match (&statement.body, judged) {
            (Body::Request(request), Ok(())) => request.clone(),
            (_, Err(refusal)) => {
                self.context.counters.count("refused_statements", refusal.label());
                return self.answer_report(inbound, &ReportAnswer::Refused(refusal));
            }
            _ => {
                return self.answer_report(inbound, &ReportAnswer::Refused(Refusal::OutOfPlace));
            }
        };
        // It may have been overtaken by a later one. Only within a term does one clock say what is later, and a
        // letter has nothing else.
        let by_letter = self.heard_by(inbound) != Heard::Now;
        let later = |held: &Subscription| {
            let one_clock = (&held.from, held.term) == (&statement.issuer, statement.term);
            (one_clock || by_letter) && held.issued_at > statement.issued_at
        };
        if self.reports.subscription.as_ref().is_some_and(later) {
            return self.answer_report(inbound, &ReportAnswer::Refused(Refusal::OldVersion));
        }
        let digest = verified.digest();
        self.context.persist(rows::statement(&digest), Some(bytes));
        self.context
            .persist(rows::key(rows::META, &[b"request"]), Some(digest.as_bytes().to_vec()));
        self.reports.subscription = Some(Subscription {
            digest,
            request,
            from: statement.issuer.clone(),
            term: statement.term,
            issued_at: statement.issued_at,
        });
        self.answer_report(inbound, &ReportAnswer::Accepted);
        self.mark_everything_due();
        self.expect_periods();
        self.send_what_is_missing();
    }

    /// A verified catalogue or declaration, from above or published here.
    pub(crate) fn take_from_above(
        &mut self,
        verified: &Verified,
        bytes: Vec<u8>,
    ) -> Result<(), Refusal> {
        let statement = verified.statement();
        if !self.settings.unit.is_within(&statement.issuer) {
            return Err(Refusal::OutOfArea);
        }
        self.judge_audience_and_time(statement)?;
        match &statement.body {
            Body::Catalogue(catalogue) => {
                let held = self.catalogue_version();
                if catalogue.version == held
                    && self.reports.catalogue.as_ref().map(|(d, _)| *d) == Some(verified.digest())
                {
                    return Ok(());
                }
                if catalogue.version <= held && !self.settings.bugs.has(Bug::FollowOlder) {
                    return Err(Refusal::OldVersion);
                }
                self.log_own(statement, verified.digest(), &bytes)?;
                self.note_proposer(statement.issuer.clone());
                self.follow_catalogue(verified.digest(), catalogue.clone(), bytes);
                Ok(())
            }
            Body::Declaration(_) => self.take_declaration(verified, bytes),
            _ => Err(Refusal::OutOfPlace),
        }
    }

    /// A new catalogue is in force: figures follow it, and so do all below.
    fn follow_catalogue(
        &mut self,
        digest: Digest,
        catalogue: reeve_statement::catalogue::Catalogue,
        bytes: Vec<u8>,
    ) {
        self.context.persist(rows::statement(&digest), Some(bytes.clone()));
        self.context
            .persist(rows::key(rows::META, &[b"catalogue"]), Some(digest.as_bytes().to_vec()));
        self.context.persist(rows::key(rows::META, &[b"catalogue_bytes"]), Some(bytes.clone()));
        let behind = self.catalogue_version() < self.reports.followed;
        self.install_catalogue(digest, catalogue, bytes);
        self.note_in_force();
        if behind {
            self.mark_everything_due();
        }
        let below: Vec<NodeKey> =
            self.peers.of(Standing::Subordinate).map(|(key, _)| *key).collect();
        for peer in below {
            self.distribute_to(peer);
            self.ask_subordinate(peer);
        }
        let home: Vec<NodeKey> = self.peers.of(Standing::Home).map(|(key, _)| *key).collect();
        if let Some(bytes) = self.catalogue_bytes.clone() {
            for peer in home {
                let message = HomeMessage::Catalogue(Blob(bytes.clone()));
                self.tell(peer, Channel::Home, to_vec(&message));
            }
        }
        self.rebuild_engine();
        self.mark_everything_due();
    }

    /// Takes a revocation list from anywhere: its own signature is what counts.
    pub(crate) fn take_list(&mut self, list: SignedList) -> Result<(), Refusal> {
        if self.settings.bugs.has(Bug::KeepRevoked) {
            return Ok(());
        }
        let Some(issuer) = self.trust.take_list(&list, self.context.now().wall)? else {
            return Ok(());
        };
        let key = rows::key(rows::CRL, &[issuer.as_bytes()]);
        self.context.persist(key, Some(to_vec(&list)));
        self.context.counters.count("lists", "taken");
        // Those whom it concerns hear of it too: all that stand below a revoked authority lose their
        // connections by it, and nobody else could tell them why.
        self.pass_list_on(&list);
        self.part_from_peers();
        self.review_writers();
        self.review_declarers();
        self.publish_allow_list();
        Ok(())
    }

    fn pass_list_on(&mut self, list: &SignedList) {
        let message = Downward::Distribute { statements: Vec::new(), lists: vec![list.clone()] };
        let below: Vec<NodeKey> =
            self.peers.of(Standing::Subordinate).map(|(key, _)| *key).collect();
        for peer in below {
            self.tell(peer, Channel::Report, to_vec(&message));
        }
        let message = HomeMessage::List(list.clone());
        let home: Vec<NodeKey> = self.peers.of(Standing::Home).map(|(key, _)| *key).collect();
        for peer in home {
            self.tell(peer, Channel::Home, to_vec(&message));
        }
    }

    pub(crate) fn take_list_quietly(&mut self, list: SignedList) {
        if let Err(refusal) = self.take_list(list) {
            self.context.counters.count("refused_lists", refusal.label());
        }
    }

    pub(crate) fn reply_taken(&mut self, ask: AskId, taken: Result<(), Refusal>) {
        let answer = match taken {
            Ok(()) => Answer::Done,
            Err(refusal) => Answer::Failed(Failure::Refused(refusal)),
        };
        self.context.reply(ask, answer);
    }

    /// Signs a statement, puts it into the ledger and the store; its digest and bytes.
    pub(crate) fn issue(
        &mut self,
        audience: Audience,
        onward: Onward,
        body: Body,
        decision: Option<&reeve_statement::release::Decision>,
    ) -> Option<(Digest, Vec<u8>)> {
        let term = self.settings.term?;
        let issued_at = self.signing_time()?;
        let witnessed = self.witnessed_for(&audience);
        let statement = Statement {
            version: VERSION,
            witnessed,
            federation: self.federation,
            issuer: self.settings.unit.clone(),
            term,
            audience,
            onward,
            issued_at,
            valid_until: None,
            body,
        };
        let signed =
            reeve_statement::cose::sign(&statement, &self.settings.key, &self.settings.chain);
        let Ok(signed) = signed else {
            self.context.counters.count("signing", "too_large");
            return None;
        };
        let digest = signed.digest();
        let bytes = signed.to_bytes();
        self.log_issued(&statement, digest, &bytes, decision);
        Some((digest, bytes))
    }

    /// What this unit's authority signed and the reporting node publishes enters the ledger first.
    pub(crate) fn log_own(
        &mut self,
        statement: &Statement,
        digest: Digest,
        bytes: &[u8],
    ) -> Result<(), Refusal> {
        let reports = self.settings.term.is_some() && self.superseded.is_none();
        if statement.issuer != self.settings.unit || !reports {
            return Ok(());
        }
        if !self.may_sign() {
            return Err(Refusal::Unreconciled);
        }
        self.log_issued(statement, digest, bytes, None);
        Ok(())
    }

    fn log_issued(
        &mut self,
        statement: &Statement,
        digest: Digest,
        bytes: &[u8],
        decision: Option<&reeve_statement::release::Decision>,
    ) {
        if self.settings.bugs.has(Bug::LeaveNoticesOut) && matches!(statement.body, Body::Notice(_))
        {
            return self.context.persist(rows::statement(&digest), Some(bytes.to_vec()));
        }
        let Some(index) = self.ledger.append(&mut self.context, digest) else { return };
        let (figure, edition) = statement.figure().map_or((None, 0), |(id, e)| (Some(id), e));
        let row = rows::SentRow {
            index,
            statement: digest,
            kind: statement.body.kind().to_string(),
            figure,
            edition,
            audience: audience_text(&statement.audience),
            issued_at: statement.issued_at,
            bytes: bytes.len().try_into().unwrap_or(u64::MAX),
            policy_set: decision.map(|decision| decision.policy_set),
            determining: decision.map(|d| d.determining.clone()).unwrap_or_default(),
            term: self.ledger.term(),
            asked: decision.and_then(|decision| decision.asked),
        };
        self.context.persist(rows::placed(rows::SENT, row.term, index), Some(to_vec(&row)));
        self.context.persist(rows::statement(&digest), Some(bytes.to_vec()));
        self.context.counters.count("issued", kind_label(statement.body.kind()));
    }
}

fn audience_text(audience: &Audience) -> String {
    match audience {
        Audience::Unit(unit) => unit.to_string(),
        Audience::Class(class) => format!("every {class}"),
        Audience::Federation => "the federation".to_owned(),
    }
}

const fn kind_label(kind: reeve_statement::statement::StatementKind) -> &'static str {
    use reeve_statement::statement::StatementKind as Kind;
    match kind {
        Kind::Release => "release",
        Kind::Notice => "notice",
        Kind::Request => "request",
        Kind::Catalogue => "catalogue",
        Kind::Register => "register",
        Kind::Declaration => "declaration",
        Kind::Bulletin => "bulletin",
    }
}
