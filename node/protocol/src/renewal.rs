//! Certificates that are issued and renewed: entering them into the ledger, taking them, and passing
//! them to whoever they are for.
//!
//! The authority's holder issues; this node, if it runs at that holder's, enters every certificate
//! into the unit's ledger before anybody else sees it. A renewed certificate keeps its key, so those
//! who stand below a renewed authority only put its new certificate in the place of the old one.

use reeve_statement::cbor::to_vec;
use reeve_statement::cert::{Certificate, Chain, Role, VerifiedChain};
use reeve_statement::ledger::issuance_entry;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitId;

use crate::effect::{Channel, Effect, NodeKey};
use crate::node::Node;
use crate::refusal::Refusal;
use crate::rows::{self, IssuedRow, MemberRow};
use crate::trust::Standing;
use crate::wire::{Blob, Downward, HomeMessage};

/// How certificates that the folder holds and the ledger does not are entered.
const FOUND: &str = "found at the start";

impl Node {
    /// Enters what was issued, and what was adopted, while this node did not sign, as soon as it may.
    pub(crate) fn enter_found(&mut self) {
        if !self.may_sign() {
            return;
        }
        for certificate in core::mem::take(&mut self.settings.issued) {
            if let Err(refusal) = self.enter_issued(&certificate, FOUND) {
                self.context.counters.count("not_entered", refusal.label());
            }
        }
        self.enter_acts();
    }

    /// Enters a certificate that this unit's authority issued into the ledger; whether it is news.
    pub(crate) fn enter_issued(&mut self, der: &[u8], by: &str) -> Result<bool, Refusal> {
        let certificate = Certificate::from_der(der).map_err(|_| Refusal::Malformed)?;
        let entry = issuance_entry(der);
        if self.issued.contains(&entry) {
            return Ok(false);
        }
        if self.settings.term.is_none() {
            // Only the reporting node keeps the unit's ledger.
            return Err(Refusal::NoRight);
        }
        if self.ahead.is_some() {
            // An older copy of the ledger must not grow another way.
            return Err(Refusal::LedgerRegressed);
        }
        if !self.may_sign() {
            return Err(Refusal::Unreconciled);
        }
        let claims = certificate.claims().filter(|_| self.is_issued_here(&certificate));
        let claims = claims.ok_or(Refusal::OtherIssuer)?;
        let term = self.ledger.term();
        let index = self.ledger.append(&mut self.context, entry).ok_or(Refusal::OverLimit)?;
        let row = IssuedRow {
            index,
            entry,
            serial: certificate.serial().to_string(),
            subject: certificate.subject().to_owned(),
            role: claims.role.to_string(),
            unit: claims.unit.to_string(),
            not_after: certificate.validity().not_after,
            entered_at: self.context.now().wall,
            by: by.to_owned(),
            certificate: der.to_vec(),
            term,
        };
        self.context.persist(rows::placed(rows::ISSUED, term, index), Some(to_vec(&row)));
        self.context.counters.count("issued", "certificate");
        self.issued.insert(entry);
        Ok(true)
    }

    /// By this unit's authority; for the first unit also what the root certified: a root keeps no
    /// ledger of its own.
    fn is_issued_here(&self, certificate: &Certificate) -> bool {
        let authority = self.settings.chain.authorities().first();
        let root = || {
            let first = self.settings.unit.depth() == 1;
            first.then(|| self.trust.root_with_key(&certificate.authority_key_id())).flatten()
        };
        authority.is_some_and(|it| certificate.is_signed_by(it.key()))
            || self.is_of_own_authority(certificate)
            || root().is_some_and(|it| certificate.is_signed_by(it.key()))
    }

    /// Takes a renewed chain from this unit's people: enters it into the ledger if it was issued here,
    /// and passes it to whoever it is for.
    pub(crate) fn renew(&mut self, bytes: &[u8], by: &str) -> Result<(), Refusal> {
        let chain = Chain::from_cbor(bytes).map_err(|_| Refusal::Malformed)?;
        let verified = self.trust.verify_any(&chain, self.context.now().wall)?;
        let own = *verified.unit() == self.settings.unit;
        if own || verified.role() != Role::Authority {
            self.follow_authorities(&chain)?;
        }
        let for_this =
            own && verified.role() == Role::Node && NodeKey(verified.key().to_bytes()) == self.key;
        let appoints = for_this && verified.term() > self.settings.term;
        if !appoints && self.settings.term.is_some() && self.is_issued_here(chain.leaf()) {
            let of_home = self.is_of_this_home(&chain, verified.unit());
            let for_this = for_this || of_home && verified.role() == Role::Writer;
            match self.enter_issued(chain.leaf().der(), by) {
                // Without it this node may never meet the superior again: it is entered after that.
                Err(Refusal::Unreconciled) if for_this => {
                    self.settings.issued.push(chain.leaf().der().to_vec());
                }
                entered => drop(entered?),
            }
        }
        match verified.role() {
            Role::Node if for_this => self.adopt_own(chain, &verified),
            Role::Node if own => self.renew_member(chain, &verified),
            Role::Writer if self.is_of_this_home(&chain, verified.unit()) => {
                self.take_writers(&[Blob(bytes.to_vec())]);
                Ok(())
            }
            Role::Authority if own => self.adopt_anchors(chain.certificates()),
            Role::Authority if verified.unit().is_child_of(&self.settings.unit) => {
                self.renew_below(chain);
                Ok(())
            }
            _ => Err(Refusal::OutOfArea),
        }
    }

    /// Takes a renewed chain that a superior or another node of this home sent: this node's own, or
    /// this unit's authority's.
    pub(crate) fn take_certificate(&mut self, bytes: &[u8]) {
        let taken = Chain::from_cbor(bytes).map_err(|_| Refusal::Malformed).and_then(|chain| {
            let verified = self.trust.verify_any(&chain, self.context.now().wall)?;
            if *verified.unit() != self.settings.unit {
                return Err(Refusal::OutOfArea);
            }
            self.follow_authorities(&chain)?;
            match verified.role() {
                Role::Authority => self.adopt_anchors(chain.certificates()),
                Role::Node
                    if verified.not_after() > self.own_not_after
                        || verified.term() > self.settings.term =>
                {
                    self.adopt_own(chain, &verified)
                }
                Role::Node => Err(Refusal::OldVersion),
                Role::Writer => Err(Refusal::OutOfPlace),
            }
        });
        if let Err(refusal) = taken {
            self.context.counters.count("refused_certificates", refusal.label());
        }
    }

    /// This node shows a renewed certificate from now on.
    fn adopt_own(&mut self, chain: Chain, verified: &VerifiedChain) -> Result<(), Refusal> {
        if NodeKey(verified.key().to_bytes()) != self.key {
            return Err(Refusal::OtherKey);
        }
        if verified.term() < self.settings.term {
            return Err(Refusal::OldTerm);
        }
        self.settings.chain = chain;
        self.own_not_after = verified.not_after();
        if let Some(term) = verified.term().filter(|term| Some(*term) != self.settings.term) {
            // The appointment is entered into the ledger that begins with it.
            self.settings.issued.push(self.settings.chain.leaf().der().to_vec());
            self.begin_term(term).map_err(|_| Refusal::Malformed)?;
        }
        self.after_renewal();
        Ok(())
    }

    /// This node's writer shows a renewed certificate from now on.
    pub(crate) fn adopt_writer(&mut self, chain: &Chain) {
        let held = self.settings.writer.chain.leaf();
        let leaf = chain.leaf();
        let later = leaf.validity().not_after > held.validity().not_after;
        if leaf.key() == held.key() && later {
            self.settings.writer.chain = chain.clone();
            self.begin_writing();
            self.after_renewal();
        }
    }

    /// Authorities above this node were renewed: their certificates take the place of the old ones, in
    /// this node's chains and in those of its members.
    fn adopt_anchors<'a>(
        &mut self,
        renewed: impl Iterator<Item = &'a Certificate>,
    ) -> Result<(), Refusal> {
        let renewed: Vec<Certificate> = renewed.cloned().collect();
        let Some(chain) = self.settings.chain.re_anchored(&renewed) else {
            return Err(Refusal::OldVersion);
        };
        let now = self.context.now().wall;
        self.trust.verify(&chain, self.key, now)?;
        self.follow_authorities(&chain)?;
        self.settings.chain = chain;
        if let Some(writer) = self.settings.writer.chain.re_anchored(&renewed) {
            self.settings.writer.chain = writer;
        }
        let members = self.trust.members().map(|(key, _)| *key).collect::<Vec<_>>();
        for key in members {
            let chain = self.trust.member_chain(&key).and_then(|it| it.re_anchored(&renewed));
            if let Some(chain) = chain {
                self.keep_member(key, &chain);
            }
        }
        self.context.counters.count("certificates", "re_anchored");
        self.after_renewal();
        Ok(())
    }

    fn after_renewal(&mut self) {
        let (node, writer) = (self.settings.chain.to_cbor(), self.settings.writer.chain.to_cbor());
        self.context.act(Effect::Renewed { node, writer });
        self.publish_allow_list();
        self.greet_again();
    }

    fn keep_member(&mut self, key: NodeKey, chain: &Chain) {
        let now = self.context.now().wall;
        let row = MemberRow { key, chain: chain.to_cbor(), admitted_at: now };
        self.context.persist(rows::key(rows::MEMBER, &[&key.0]), Some(to_vec(&row)));
        self.trust.admit(row, now);
    }

    /// Another node of this home was renewed: it is told now, or when it says hello.
    fn renew_member(&mut self, chain: Chain, verified: &VerifiedChain) -> Result<(), Refusal> {
        let key = NodeKey(verified.key().to_bytes());
        if self.trust.member(&key).is_none() {
            return Err(Refusal::UnknownPeer);
        }
        self.keep_member(key, &chain);
        self.publish_allow_list();
        self.offer_renewed(key);
        // Another node was appointed: from now on this one signs nothing.
        self.hear_of_home_terms();
        Ok(())
    }

    /// The authority of a subordinate was renewed: its nodes are told now, or when they say hello.
    fn renew_below(&mut self, chain: Chain) {
        let Some(unit) = chain.leaf().claims().map(|claims| claims.unit.leaf().clone()) else {
            return;
        };
        let key = rows::key(rows::META, &[b"authority/", unit.as_str().as_bytes()]);
        self.context.persist(key, Some(chain.to_cbor()));
        self.renewed_below.insert(unit, chain);
        let below = self.peers.of(Standing::Subordinate).map(|(key, _)| *key);
        for peer in below.collect::<Vec<_>>() {
            self.offer_renewed(peer);
        }
    }

    /// Sends a peer its own renewed certificate, or its authority's, if it shows an older one.
    pub(crate) fn offer_renewed(&mut self, peer: NodeKey) {
        let Some(greeted) = self.peers.greeted(&peer) else { return };
        let presented = &greeted.presented;
        match greeted.standing {
            Standing::Home => {
                let rank = |chain: &Chain| {
                    let leaf = chain.leaf();
                    (leaf.claims().and_then(|claims| claims.term), leaf.validity().not_after)
                };
                let held = self.trust.member_chain(&peer);
                let Some(newer) = held.filter(|held| rank(held) > rank(presented)) else { return };
                let message = HomeMessage::Certificate(Blob(newer.to_cbor()));
                self.context.send(peer, Channel::Home, to_vec(&message));
            }
            Standing::Subordinate => {
                let unit: &UnitId = greeted.unit.leaf();
                let Some(renewed) = self.renewed_below.get(unit) else { return };
                let certificates: Vec<Certificate> = renewed.certificates().cloned().collect();
                if presented.re_anchored(&certificates).is_none() {
                    return;
                }
                let message = Downward::Certificate(Blob(renewed.to_cbor()));
                self.context.send(peer, Channel::Report, to_vec(&message));
            }
            Standing::Superior => {}
        }
    }

    /// A superior or another node of this home shows renewed authorities: this node stands below them.
    pub(crate) fn follow_anchors_of(&mut self, peer: NodeKey) {
        let Some(greeted) = self.peers.greeted(&peer) else { return };
        if greeted.standing == Standing::Subordinate {
            return;
        }
        let renewed = greeted.presented.authorities().to_vec();
        if self.settings.chain.re_anchored(&renewed).is_some()
            && let Err(refusal) = self.adopt_anchors(renewed.iter())
        {
            self.context.counters.count("refused_certificates", refusal.label());
        }
    }

    /// When the first of the authorities above this node ends.
    pub(crate) fn authority_ends(&self) -> Option<Timestamp> {
        self.settings.chain.authorities().iter().map(|it| it.validity().not_after).min()
    }

    /// Why this node's own chain is no longer believed, if it is not.
    pub(crate) fn own_refusal(&self) -> Option<Refusal> {
        self.trust.verify(&self.settings.chain, self.key, self.context.now().wall).err()
    }
}
