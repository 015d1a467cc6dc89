//! Asking subordinates for their figures.
//!
//! A request is signed once and said again as it is until it would say something else. Like a figure
//! it is an entry of the ledger, and nobody is told of an entry that the superior has not seen the
//! ledger with: from a store that was put back, the same place could be filled a second time.

use reeve_statement::cbor::to_vec;
use reeve_statement::cose::Signed;
use reeve_statement::digest::Digest;
use reeve_statement::request::Request;
use reeve_statement::statement::{Audience, Body, Onward};
use reeve_statement::unit::UnitPath;

use crate::effect::{Channel, NodeKey, SendFailure};
use crate::node::Node;
use crate::refusal::Refusal;
use crate::report::Reports;
use crate::rows::{self, RequestRow};
use crate::trust::Standing;
use crate::wire::{Blob, Downward, ReportAnswer, Upward, decode};

impl Node {
    /// What subordinates are asked for has changed: those that would be asked something else are.
    pub(crate) fn ask_subordinates_anew(&mut self) {
        let below: Vec<NodeKey> =
            self.peers.of(Standing::Subordinate).map(|(key, _)| *key).collect();
        for peer in below {
            self.ask_subordinate(peer);
        }
    }

    /// Asks for every indicator of the catalogue: with the request of the last time, unless it would
    /// say something else now.
    pub(super) fn ask_subordinate(&mut self, peer: NodeKey) {
        let Some(unit) = self.peers.greeted(&peer).map(|greeted| greeted.unit.clone()) else {
            return;
        };
        let Some(request) = self.standing_request(&unit) else { return };
        let Some((bytes, size)) = self.request_to(unit, request) else { return };
        if self.settings.unit.depth() > 1 && size > self.reports.shown {
            self.reports.asks_held.insert(peer, (bytes, size));
            return self.show_ledger();
        }
        self.send_ask(peer, bytes);
    }

    /// What a subordinate is asked for; none: there is no catalogue, or another node of this home
    /// reports.
    pub(crate) fn standing_request(&self, unit: &UnitPath) -> Option<Request> {
        let catalogue_version = self.catalogue_version();
        let reports = self.settings.term.is_some() && self.superseded.is_none();
        if catalogue_version == 0 || !reports || self.lacks_office() {
            return None;
        }
        let request = Request {
            class: Reports::class(),
            indicators: Vec::new(),
            from: None,
            to: None,
            subscribe: true,
            purpose: self.settings.purpose.purpose.clone(),
            legal_basis: self.settings.purpose.legal_basis.clone(),
            // What is in force is read from declarations; an asker's word for it counts for nothing.
            response_level: 0,
            catalogue_version,
            calendar: self.calendar_of(unit.leaf()),
        };
        Some(self.narrowed(request, unit.leaf()))
    }

    fn send_ask(&mut self, peer: NodeKey, bytes: Vec<u8>) {
        if let Some(again) = self.reports.asking.get_mut(&peer) {
            *again = true;
            return;
        }
        self.reports.asking.insert(peer, false);
        let sent = self.context.send(peer, Channel::Report, to_vec(&Downward::Ask(Blob(bytes))));
        self.reports.asked.insert(sent, peer);
    }

    /// Shows the superior the present ledger, if requests wait for that and it is there.
    pub(super) fn show_ledger(&mut self) {
        if self.reports.asks_held.is_empty() || !self.reports.showing.is_empty() {
            return;
        }
        let Some(superior) = self.reporting_superior() else { return };
        let size = self.ledger.frontier().size();
        let checkpoint = self.ledger.checkpoint(&self.settings.key);
        let message = to_vec(&Upward::Head(checkpoint));
        let request = self.context.send(superior, Channel::Report, message);
        self.reports.showing.insert(request, (superior, size));
    }

    /// The superior has seen the ledger, or not.
    pub(crate) fn on_shown(
        &mut self,
        (superior, size): (NodeKey, u64),
        result: Result<Vec<u8>, SendFailure>,
    ) {
        let answer = result.ok().and_then(|bytes| decode::<ReportAnswer>(&bytes).ok());
        match answer {
            Some(ReportAnswer::Accepted) => self.note_shown(size),
            Some(ReportAnswer::Refused(refusal)) => {
                self.context.counters.count("heads_refused", refusal.label());
            }
            Some(ReportAnswer::Chunk(_) | ReportAnswer::Statement(_)) | None => {
                self.give_up(superior)
            }
        }
    }

    /// The superior holds a checkpoint of so many entries: requests among them may be sent.
    pub(super) fn note_shown(&mut self, size: u64) {
        self.reports.shown = self.reports.shown.max(size);
        let shown = self.reports.shown;
        let ready: Vec<NodeKey> = self
            .reports
            .asks_held
            .iter()
            .filter(|(_, (_, size))| *size <= shown)
            .map(|(peer, _)| *peer)
            .collect();
        for peer in ready {
            if let Some((bytes, _)) = self.reports.asks_held.remove(&peer) {
                self.send_ask(peer, bytes);
            }
        }
        self.show_ledger();
    }

    /// The signed request, without the chain that the hello told, and the size of the ledger with it.
    pub(crate) fn request_to(
        &mut self,
        unit: UnitPath,
        request: Request,
    ) -> Option<(Vec<u8>, u64)> {
        let signer = self.settings.chain.leaf_digest();
        let content = Digest::of_parts(&[
            signer.as_bytes(),
            unit.to_string().as_bytes(),
            b"\0",
            &to_vec(&request),
        ]);
        if let Some(held) = self.reports.requests.get(unit.leaf())
            && held.content == content
        {
            return Some((held.bytes.clone(), held.size));
        }
        if !self.may_sign() {
            return None;
        }
        let leaf = unit.leaf().clone();
        let audience = Audience::Unit(unit);
        let (_, bytes) = self.issue(audience, Onward::Superiors, Body::Request(request), None)?;
        let bytes = Signed::decode(&bytes).ok()?.without_chain().to_bytes();
        let size = self.ledger.frontier().size();
        let row = RequestRow { unit: leaf.clone(), content, bytes: bytes.clone(), size };
        self.context
            .persist(rows::key(rows::REQUEST, &[leaf.as_str().as_bytes()]), Some(to_vec(&row)));
        self.reports.requests.insert(leaf, row);
        Some((bytes, size))
    }

    /// The answer to a request: a refusal is shown in the status, and tried again at the next hello.
    pub(crate) fn on_asked(&mut self, peer: NodeKey, answer: Option<ReportAnswer>) {
        let again = self.reports.asking.remove(&peer) == Some(true);
        match answer {
            Some(ReportAnswer::Accepted) => self.context.counters.count("requests", "accepted"),
            Some(ReportAnswer::Refused(refusal)) => {
                self.context.counters.count("requests_refused", refusal.label());
                if matches!(refusal, Refusal::OutOfPlace | Refusal::Busy) {
                    self.give_up(peer);
                } else if refusal.may_pass() {
                    self.reports.ask_again.insert(peer);
                    self.retry_refused();
                }
            }
            Some(ReportAnswer::Chunk(_) | ReportAnswer::Statement(_)) | None => self.give_up(peer),
        }
        if again {
            self.ask_subordinate(peer);
        }
    }
}
