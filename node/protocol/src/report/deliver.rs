//! Delivering figures to the superior: one at a time per figure, a few at a time in all.

use std::collections::BTreeSet;

use reeve_statement::cbor::to_vec;
use reeve_statement::cose::Signed;
use reeve_statement::digest::Digest;
use reeve_statement::statement::FigureId;

use crate::bugs::Bug;
use crate::effect::{Channel, Load, LoadId, Loaded, NodeKey, RequestId, SendFailure};
use crate::node::Node;
use crate::refusal::Refusal;
use crate::report::{BUSY_RETRY_MS, DELIVERIES_IN_FLIGHT, REFUSED_RETRY_MS, SET_ASIDE};
use crate::rows;
use crate::trust::Standing;
use crate::wire::{Blob, ReportAnswer, Upward, decode};

/// A delivery under way.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) to: NodeKey,
    pub(crate) figure: FigureId,
    /// The term that it was sent in.
    pub(crate) term: u64,
    pub(crate) edition: u64,
    /// Size of the ledger that was shown with it.
    pub(crate) ledger: u64,
    /// Digest of the certificate that it was signed under.
    pub(crate) signer: Digest,
}

impl Node {
    /// The connected node of the superior, if it has asked for figures.
    pub(crate) fn superior(&self) -> Option<NodeKey> {
        self.reports.subscription.as_ref()?;
        self.reporting_superior()
    }

    /// The connected node of the superior that reports for it, and so keeps what is told here: the one
    /// with the latest term.
    pub(crate) fn reporting_superior(&self) -> Option<NodeKey> {
        let superiors = self.peers.of(Standing::Superior);
        let reporting = superiors.filter_map(|(key, peer)| Some((peer.chain.term()?, *key)));
        reporting.max_by_key(|(term, _)| *term).map(|(_, key)| key)
    }

    /// Whether the last edition of a figure may be replaced: it was taken, refused, or nobody waits.
    pub(crate) fn may_cut(&self, id: &FigureId) -> bool {
        !self.reports.in_flight.contains(id) && !self.reports.unsent.contains(id)
    }

    /// Starts as many deliveries as may be under way.
    pub(crate) fn deliver(&mut self) {
        if self.superior().is_none() || self.context.now().monotonic < self.reports.hold_until {
            return;
        }
        loop {
            let under_way = self.reports.in_flight.len();
            if under_way >= DELIVERIES_IN_FLIGHT {
                return;
            }
            let reports = &self.reports;
            let next = reports.unsent.iter().find(|id| !reports.in_flight.contains(*id)).cloned();
            let Some(id) = next else { return };
            let Some(row) = self.reports.figures.get(&id) else {
                self.reports.unsent.remove(&id);
                continue;
            };
            let statement = row.statement;
            self.reports.unsent.remove(&id);
            self.reports.in_flight.insert(id.clone());
            if let Some(bytes) = self.fresh.remove(&statement) {
                self.send_delivery(id, bytes);
            } else {
                let load = self.context.load(Load::Get(vec![rows::statement(&statement)]));
                self.reports.reloading.insert(load, id);
            }
        }
    }

    pub(crate) fn on_statement_reloaded(&mut self, load: LoadId, loaded: Loaded) -> Option<Loaded> {
        let Some(id) = self.reports.reloading.remove(&load) else { return Some(loaded) };
        if let Loaded::Values(values) = loaded
            && let Some(Some(bytes)) = values.into_iter().next()
        {
            self.send_delivery(id, bytes);
        } else {
            // It cannot be told any more; the next edition, which differs from it, replaces it.
            self.context.counters.count("damaged", "statement");
            self.reports.in_flight.remove(&id);
            if let Some(row) = self.reports.figures.get_mut(&id) {
                row.content = Digest::ZERO;
            }
            self.mark_due(id);
        }
        None
    }

    fn send_delivery(&mut self, id: FigureId, bytes: Vec<u8>) {
        let (Some(superior), Some(row)) = (self.superior(), self.reports.figures.get(&id)) else {
            self.reports.in_flight.remove(&id);
            self.reports.unsent.insert(id);
            return;
        };
        let term = self.ledger.term();
        if row.term != term && !self.settings.bugs.has(Bug::SendEndedTerm) {
            // A later term began while it waited: it is signed again in that one.
            self.reports.in_flight.remove(&id);
            return self.mark_due(id);
        }
        let edition = row.edition;
        let signer = Signed::decode(&bytes).map(|signed| signed.unverified_leaf_digest());
        let signer = signer.unwrap_or(Digest::ZERO);
        let bytes = self.peers.as_told(&superior, bytes);
        let checkpoint = self.ledger.checkpoint(&self.settings.key);
        let ledger = self.ledger.frontier().size();
        let message = to_vec(&Upward::Deliver { statement: Blob(bytes), checkpoint });
        self.context.counters.add("bytes_up", "report", message.len().try_into().unwrap_or(0));
        self.context.counters.count("deliveries", "sent");
        let request = self.context.send(superior, Channel::Report, message);
        let delivery = Delivery { to: superior, figure: id, term, edition, ledger, signer };
        self.reports.deliveries.insert(request, delivery);
    }

    pub(crate) fn on_delivered(
        &mut self,
        request: RequestId,
        result: Result<Vec<u8>, SendFailure>,
    ) {
        let Some(delivery) = self.reports.deliveries.remove(&request) else { return };
        let Delivery { to, figure, term, edition, ledger, signer } = delivery;
        self.reports.in_flight.remove(&figure);
        if term != self.ledger.term() && !self.settings.bugs.has(Bug::SendEndedTerm) {
            // Sent in a term that has ended since: what counts is what the superior says that it holds.
            self.mark_due(figure);
            return self.deliver();
        }
        let answer = result.ok().and_then(|bytes| decode::<ReportAnswer>(&bytes).ok());
        match answer {
            Some(ReportAnswer::Accepted) => {
                self.note_shown(ledger);
                self.note_accepted_by(to, &figure);
                self.note_accepted(&figure, edition, None);
            }
            Some(ReportAnswer::Refused(Refusal::Busy)) => self.retry_later(figure),
            Some(ReportAnswer::Refused(refusal)) => {
                self.context.counters.count("deliveries_refused", refusal.label());
                let other = signer != self.settings.chain.leaf_digest();
                if !refusal.may_pass() && other && !self.settings.bugs.has(Bug::NeverSignAnew) {
                    self.sign_anew(figure);
                } else {
                    self.note_refused(&figure, edition, refusal);
                }
            }
            None if self.settings.bugs.has(Bug::SilenceIsAcceptance) => {
                self.note_accepted(&figure, edition, None);
            }
            Some(ReportAnswer::Chunk(_) | ReportAnswer::Statement(_)) | None => {
                self.retry_later(figure)
            }
        }
        self.deliver();
    }

    fn retry_later(&mut self, figure: FigureId) {
        self.context.counters.count("deliveries", "retried");
        self.reports.unsent.insert(figure);
        self.reports.hold_until = self.context.now().monotonic.saturating_add(BUSY_RETRY_MS);
        self.context.wake_at(self.reports.hold_until);
    }

    /// The superior does not take an edition. Some refusals may pass: what was refused so is sent again
    /// when nodes meet anew, and after a while.
    fn note_refused(&mut self, id: &FigureId, edition: u64, refusal: Refusal) {
        if !refusal.may_pass() {
            return self.note_accepted(id, edition, Some(refusal));
        }
        let Some(row) = self.reports.figures.get_mut(id) else { return };
        row.refused = Some(refusal);
        let (key, value, dirty) = (rows::figure(id), to_vec(row), row.dirty);
        self.context.persist(key, Some(value));
        if dirty {
            self.mark_due(id.clone());
        }
        self.retry_refused();
    }

    /// Something was refused that may be taken later.
    pub(super) fn retry_refused(&mut self) {
        let at = self.context.now().monotonic.saturating_add(REFUSED_RETRY_MS);
        self.reports.retry_at = Some(self.reports.retry_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// A statement from above was refused. It is not told again on this connection, so it is kept if it may
    /// be taken later.
    pub(super) fn set_aside(&mut self, refusal: Refusal, bytes: Vec<u8>) {
        self.context.counters.count("refused_statements", refusal.label());
        // What this unit itself published waits until this node has taken the office over.
        let unreconciled = refusal == Refusal::Unreconciled;
        if (refusal.may_pass() || unreconciled) && self.reports.set_aside.len() < SET_ASIDE {
            self.reports.wants_office |= unreconciled;
            self.reports.set_aside.insert(Digest::of(&bytes), bytes);
            self.retry_refused();
        }
    }

    /// An edition that was signed under a certificate which has ended since, or is not believed any
    /// more, is not taken; this node shows another one now, and says the same again under that.
    fn sign_anew(&mut self, id: FigureId) {
        self.context.counters.count("deliveries", "signed_anew");
        if let Some(row) = self.reports.figures.get_mut(&id) {
            row.content = Digest::ZERO;
        }
        self.mark_due(id);
    }

    /// What was refused for a while is sent again, asked again, or looked at again.
    pub(crate) fn review_refused(&mut self) {
        let now = self.context.now().monotonic;
        let in_office = self.reports.wants_office && self.may_sign();
        if in_office || self.reports.retry_at.is_some_and(|at| at <= now) {
            self.reports.retry_at = None;
            self.reports.wants_office = false;
            self.send_what_is_missing();
            for peer in core::mem::take(&mut self.reports.ask_again) {
                self.ask_subordinate(peer);
            }
            let aside = core::mem::take(&mut self.reports.set_aside).into_values();
            self.verify_distributed(aside.map(Blob).collect());
        }
    }

    /// The superior has taken or refused an edition; what came since may now be cut.
    fn note_accepted(&mut self, id: &FigureId, edition: u64, refused: Option<Refusal>) {
        let Some(row) = self.reports.figures.get_mut(id) else { return };
        row.accepted = edition;
        row.refused = refused;
        let (key, value) = (rows::figure(id), to_vec(row));
        let dirty = row.dirty;
        self.context.persist(key, Some(value));
        if dirty && !self.settings.bugs.has(Bug::LoseDirty) {
            self.mark_due(id.clone());
        }
    }

    fn note_accepted_by(&mut self, peer: NodeKey, id: &FigureId) {
        if self.peers.greeted(&peer).is_none() {
            return;
        }
        match self.reports.accepted_by.as_mut() {
            Some((by, figures)) if *by == peer => drop(figures.insert(id.clone())),
            _ => self.reports.accepted_by = Some((peer, BTreeSet::from([id.clone()]))),
        }
    }

    /// After a request came: everything that the superior does not have is to be sent. The top has
    /// nobody to send to, and nothing of it waits: what waits to be sent is not cut again.
    pub(crate) fn send_what_is_missing(&mut self) {
        if self.settings.unit.depth() == 1 && !self.settings.bugs.has(Bug::StandStill) {
            return;
        }
        if self.settings.bugs.has(Bug::NeverResend) {
            return;
        }
        let missing: Vec<FigureId> = self
            .reports
            .figures
            .values()
            .filter(|row| row.accepted < row.edition)
            // What was signed in an earlier term is not sent any more; it is signed again.
            .filter(|row| row.term == self.ledger.term())
            .map(|row| row.id.clone())
            .collect();
        for id in missing {
            if !self.reports.in_flight.contains(&id) {
                self.reports.unsent.insert(id);
            }
        }
        self.deliver();
    }
}
