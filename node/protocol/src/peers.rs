//! Connections: who is there, the hello, and which messages each relation allows.
//!
//! Nothing but a hello is listened to before the peer's chain was verified against its key. A peer
//! whose chain stops being valid is dropped.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use reeve_statement::cbor::to_vec;
use reeve_statement::cert::{Chain, VerifiedChain};
use reeve_statement::cose::Signed;
use reeve_statement::digest::Digest;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use crate::around::digest_of;
use crate::bugs::Bug;
use crate::effect::{Channel, Effect, InboundId, NodeKey, RequestId, SendFailure};
use crate::node::Node;
use crate::refusal::Refusal;
use crate::rows::{self, MemberRow};
use crate::trust::{Standing, standing};
use crate::wire::{
    DISTRIBUTED, Hello, HelloAnswer, HomeAnswer, ReportAnswer, WIRE_VERSION, decode,
};

/// A connected peer that said hello.
#[derive(Debug)]
pub(crate) struct Greeted {
    pub(crate) standing: Standing,
    pub(crate) unit: UnitPath,
    pub(crate) chain: VerifiedChain,
    pub(crate) presented: Chain,
    pub(crate) clock_offset: i64,
    /// Term and size of its ledger that this node knew of at its first hello on this connection; of that term
    /// it shows none smaller afterwards.
    pub(crate) ledger_floor: (u64, u64),
    /// List generation that its chain was last verified under.
    pub(crate) judged: u64,
    /// What its hello said of nodes, in short.
    pub(crate) nodes: Digest,
}

/// How long the connection of a peer whose certificate was just revoked stays open, so that the list
/// reaches it, in milliseconds: a tenth of a second on a slow line, with room. Nothing that it says is
/// listened to meanwhile.
const PART_MS: u64 = 500;

/// Most bytes of writers' chains in a hello: half of what a hello may be. The others follow one by one.
const HELLO_WRITERS_BYTES: usize = 32 * 1024;

/// Most frames kept of a dialled peer that began to speak before its answer to the hello was here:
/// streams overtake each other. As many as the adapter takes from one peer at once.
pub(crate) const EARLY_FRAMES: usize = 16;

/// Most messages that a peer is told at once; the next goes out when one is answered. Half of what its
/// adapter takes.
pub(crate) const TELLING: usize = 8;

/// Most messages that wait to be told to a peer: every page of what is held of it, and each list. One
/// that is so far behind is given up, and told everything on its next connection.
const UNTOLD: usize = 8_192;

/// A frame that came before the answer to the hello.
#[derive(Debug)]
struct Early {
    inbound: InboundId,
    channel: Channel,
    bytes: Vec<u8>,
}

/// A hello under way.
#[derive(Debug)]
pub(crate) struct Greeting {
    peer: NodeKey,
    /// As the node of which term it was said.
    term: Option<u64>,
    /// Digest of the certificate that it showed.
    shown: Digest,
}

/// Connections, greeted or not.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    /// Peers that are no longer believed, with the monotonic time at which they are cut off.
    pub(crate) parting: BTreeMap<NodeKey, u64>,
    pub(crate) connected: BTreeMap<NodeKey, Option<Greeted>>,
    /// Hellos that were not answered yet.
    pub(crate) greeting: BTreeMap<RequestId, Greeting>,
    /// What was told to peers and is not answered yet.
    pub(crate) telling: BTreeMap<RequestId, NodeKey>,
    /// What is to be told to peers after that.
    untold: BTreeMap<NodeKey, VecDeque<(Channel, Vec<u8>)>>,
    /// Frames of peers whose answer to the hello is still on its way.
    early: BTreeMap<NodeKey, Vec<Early>>,
    /// The writer of the letter that is being taken.
    pub(crate) by_letter: Option<(NodeKey, Greeted)>,
    /// Under which certificate this node said hello to each connected peer.
    told: BTreeMap<NodeKey, Digest>,
}

impl Peers {
    pub(crate) fn greeted(&self, peer: &NodeKey) -> Option<&Greeted> {
        let by_letter = self.by_letter.as_ref().filter(|(key, _)| key == peer);
        let connected = self.connected.get(peer).and_then(Option::as_ref);
        connected.or(by_letter.map(|(_, greeted)| greeted))
    }

    /// A statement as it goes to a peer: without its chain, if the hello told the peer that chain.
    pub(crate) fn as_told(&self, peer: &NodeKey, bytes: Vec<u8>) -> Vec<u8> {
        match Signed::decode(&bytes) {
            Ok(signed) if self.told.get(peer) == Some(&signed.unverified_leaf_digest()) => {
                signed.without_chain().to_bytes()
            }
            _ => bytes,
        }
    }

    /// A statement as it came from a peer, with the chain of the peer's hello if it carries none.
    pub(crate) fn with_told(&self, peer: &NodeKey, signed: Signed) -> Signed {
        match self.greeted(peer) {
            Some(greeted)
                if !signed.carries_chain()
                    && greeted.presented.leaf_digest() == signed.unverified_leaf_digest() =>
            {
                signed.with_chain(&greeted.presented)
            }
            _ => signed,
        }
    }

    /// Most frames kept of one peer that has not answered the hello.
    pub(crate) fn most_early(&self) -> usize {
        self.early.values().map(Vec::len).max().unwrap_or(0)
    }

    /// Most messages that one peer is told at once.
    pub(crate) fn most_telling(&self) -> usize {
        let of = |peer: &NodeKey| self.telling.values().filter(|other| *other == peer).count();
        self.telling.values().map(of).max().unwrap_or(0)
    }

    /// Greeted peers of a standing.
    pub(crate) fn of(&self, standing: Standing) -> impl Iterator<Item = (&NodeKey, &Greeted)> {
        self.connected
            .iter()
            .filter_map(|(key, peer)| Some((key, peer.as_ref()?)))
            .filter(move |(_, peer)| peer.standing == standing)
    }
}

impl Node {
    pub(crate) fn on_connected(&mut self, peer: NodeKey, dialled: bool) {
        // A second connection to a peer that is greeted changes nothing about who it is.
        self.peers.connected.entry(peer).or_insert(None);
        self.shares.fresh.insert(peer);
        if dialled {
            self.say_hello(peer);
        }
    }

    pub(crate) fn on_disconnected(&mut self, peer: NodeKey) {
        let gone = self.peers.connected.remove(&peer).flatten();
        self.peers.greeting.retain(|_, hello| hello.peer != peer);
        self.peers.parting.remove(&peer);
        self.peers.told.remove(&peer);
        self.peers.early.remove(&peer);
        self.shares.fresh.remove(&peer);
        self.peers.telling.retain(|_, other| *other != peer);
        self.peers.untold.remove(&peer);
        self.reports.inventories.remove(&(peer, false));
        self.reports.asks_held.remove(&peer);
        self.reports.asked.retain(|_, other| *other != peer);
        self.reports.asking.remove(&peer);
        if let Some(gone) = gone {
            if gone.standing == Standing::Subordinate {
                self.note_parted(gone.unit.leaf());
            }
            self.forget_greeted(peer, gone.standing);
        }
    }

    fn forget_greeted(&mut self, peer: NodeKey, standing: Standing) {
        self.home.pull_wanted.remove(&peer);
        if standing == Standing::Superior {
            // What was not sent is read back from the store when the superior is there again.
            self.fresh.clear();
        }
        self.context.counters.count("peer_lost", standing_label(standing));
    }

    /// Tells a peer something that it must hear: without an answer the connection is given up, and
    /// everything is told anew on the next one.
    pub(crate) fn tell(&mut self, peer: NodeKey, channel: Channel, message: Vec<u8>) {
        let under_way = self.peers.telling.values().filter(|other| **other == peer).count();
        if under_way >= TELLING {
            let untold = self.peers.untold.entry(peer).or_default();
            // What is about to be said anyway need not be said twice: nudges, mostly.
            let said = untold.back().is_some_and(|last| *last == (channel, message.clone()));
            if untold.len() >= UNTOLD {
                self.give_up(peer);
            } else if !said {
                untold.push_back((channel, message));
            }
        } else {
            let request = self.context.send(peer, channel, message);
            self.peers.telling.insert(request, peer);
        }
    }

    /// A peer has heard it, or not.
    pub(crate) fn on_told(&mut self, peer: NodeKey, result: Result<Vec<u8>, SendFailure>) {
        let Ok(bytes) = result else { return self.give_up(peer) };
        if let Some((channel, message)) =
            self.peers.untold.get_mut(&peer).and_then(VecDeque::pop_front)
        {
            self.tell(peer, channel, message);
        }
        if let Ok(ReportAnswer::Refused(refusal)) = decode::<ReportAnswer>(&bytes) {
            self.context.counters.count("distribution_refused", refusal.label());
            if matches!(refusal, Refusal::OutOfPlace | Refusal::Busy) {
                self.give_up(peer);
            }
        } else if let Ok(HomeAnswer::Refused(refusal)) = decode::<HomeAnswer>(&bytes) {
            self.context.counters.count("home_refused", refusal.label());
        }
    }

    /// A peer that does not answer is left; the next connection begins from the start.
    pub(crate) fn give_up(&mut self, peer: NodeKey) {
        self.context.counters.count("requests", "unanswered");
        self.context.act(Effect::Disconnect(peer));
    }

    /// Whether a frame has to wait because the peer's answer to this node's hello is on its way; it is
    /// kept then.
    pub(crate) fn keep_early(
        &mut self,
        inbound: InboundId,
        peer: NodeKey,
        channel: Channel,
        bytes: &[u8],
    ) -> bool {
        let greeting = self.peers.greeting.values().any(|hello| hello.peer == peer);
        if !greeting || self.peers.greeted(&peer).is_some() {
            return false;
        }
        let early = self.peers.early.entry(peer).or_default();
        let kept = early.len() < EARLY_FRAMES;
        if kept {
            early.push(Early { inbound, channel, bytes: bytes.to_vec() });
        }
        kept
    }

    /// The hello is answered: what the peer said meanwhile is heard, or refused.
    fn hear_early(&mut self, peer: NodeKey) {
        for Early { inbound, channel, bytes } in self.peers.early.remove(&peer).unwrap_or_default()
        {
            self.on_frame(inbound, peer, channel, &bytes);
        }
    }

    /// This node's hello to a peer. Writers are told to nodes of this home only, and those are known
    /// by key before anything is said.
    fn hello(&mut self, peer: NodeKey) -> Hello {
        self.peers.told.insert(peer, self.settings.chain.leaf_digest());
        let mut writers =
            if self.is_home_member(&peer) { self.known_writers() } else { Vec::new() };
        writers.truncate(DISTRIBUTED);
        let mut room = HELLO_WRITERS_BYTES;
        writers.retain(|writer| {
            let left = room.checked_sub(writer.0.len());
            room = left.unwrap_or(0);
            left.is_some()
        });
        Hello {
            version: WIRE_VERSION,
            federation: self.federation,
            chain: self.settings.chain.to_cbor(),
            clock: self.context.now().wall,
            term: self.settings.term.unwrap_or(0),
            catalogue_version: self.catalogue_version(),
            writers,
            nodes: self.nodes_around(),
        }
    }

    pub(crate) fn on_hello(&mut self, inbound: InboundId, peer: NodeKey, bytes: &[u8]) {
        let answer = match decode::<Hello>(bytes) {
            Err(_) => HelloAnswer::Refused(Refusal::Malformed),
            // Said again on the same connections: it is known, and everything was told or is about
            // to be.
            Ok(hello) if self.is_said(peer, &hello) => {
                let answer = HelloAnswer::Welcome(self.hello(peer));
                return self.context.respond(inbound, to_vec(&answer));
            }
            Ok(hello) => match self.meet(peer, &hello) {
                Ok(()) => HelloAnswer::Welcome(self.hello(peer)),
                Err(refusal) => HelloAnswer::Refused(refusal),
            },
        };
        self.context.respond(inbound, to_vec(&answer));
        if let HelloAnswer::Refused(refusal) = &answer {
            self.context.counters.count("refused_peers", refusal.label());
            self.note_fault(peer, *refusal);
        } else {
            self.on_greeted(peer);
        }
    }

    /// Whether a peer says the hello that it was greeted with, and has not connected anew since.
    fn is_said(&self, peer: NodeKey, hello: &Hello) -> bool {
        let greeted = self.peers.greeted(&peer);
        let same = greeted.is_some_and(|it| it.presented.to_cbor() == hello.chain)
            && greeted.is_some_and(|it| it.nodes == digest_of(hello))
            && hello.version == WIRE_VERSION
            && hello.federation == self.federation;
        same && !self.shares.fresh.contains(&peer)
    }

    pub(crate) fn on_hello_answer(
        &mut self,
        request: RequestId,
        result: Result<Vec<u8>, SendFailure>,
    ) {
        let Some(said) = self.peers.greeting.remove(&request) else { return };
        let Greeting { peer, term, shown } = said;
        let refusal = match result.map(|bytes| decode::<HelloAnswer>(&bytes)) {
            Ok(Ok(HelloAnswer::Welcome(hello))) => match self.meet(peer, &hello) {
                Ok(()) => {
                    self.on_greeted(peer);
                    if shown != self.settings.chain.leaf_digest() {
                        // This node was renewed while it was under way; the peer knows it by before.
                        self.say_hello(peer);
                    }
                    return self.hear_early(peer);
                }
                Err(refusal) => refusal,
            },
            Ok(Ok(HelloAnswer::Refused(refusal))) => {
                self.context.counters.count("hello_refused_by_peer", refusal.label());
                self.last_hello_refusal = Some((peer, refusal));
                if refusal == Refusal::OldTerm {
                    // The superior knows of a later term than that of the hello, whatever it is. It may
                    // be the one that this node was appointed for meanwhile.
                    self.hear_of_term(term.unwrap_or(0).saturating_add(1));
                }
                return self.context.act(Effect::Disconnect(peer));
            }
            Ok(Err(_)) => Refusal::Malformed,
            Err(_) => return self.context.act(Effect::Disconnect(peer)),
        };
        self.context.counters.count("refused_peers", refusal.label());
        self.context.act(Effect::Disconnect(peer));
    }

    /// Verifies what a hello says; the peer is greeted if nothing is wrong with it.
    fn meet(&mut self, peer: NodeKey, hello: &Hello) -> Result<(), Refusal> {
        if hello.version != WIRE_VERSION {
            return Err(Refusal::OtherVersion);
        }
        if hello.federation != self.federation {
            return Err(Refusal::OtherFederation);
        }
        let presented = Chain::from_cbor(&hello.chain).map_err(|_| Refusal::BadChain)?;
        let now = self.context.now().wall;
        let chain = self.trust.verify(&presented, peer, now)?;
        let unit = chain.unit().clone();
        let standing = standing(&self.settings.unit, &unit).ok_or(Refusal::OutOfArea)?;
        if !self.is_admitted(&peer) {
            return Err(Refusal::UnknownPeer);
        }
        if !self.peers.connected.contains_key(&peer) {
            return Err(Refusal::OutOfPlace);
        }
        if self.is_overtaken(&peer, &chain) {
            return Ok(());
        }
        self.follow_authorities(&presented)?;
        self.keep_renewed(peer, &chain, &presented);
        if standing == Standing::Home {
            self.take_writers(&hello.writers);
        }
        let clock_offset = hello.clock.since(now);
        let known = self.judge_term(standing, &chain)?;
        // Said again on the same connection, a hello may have overtaken what was told before it.
        let before = self.peers.greeted(&peer).map(|greeted| greeted.ledger_floor);
        let ledger_floor = before.filter(|(term, _)| *term == known.0).unwrap_or(known);
        // It says now what it holds.
        self.reports.accepted_by.take_if(|(by, _)| *by == peer);
        let (judged, nodes) = (self.trust.generation(), digest_of(hello));
        let greeted =
            Greeted { standing, unit, chain, presented, clock_offset, ledger_floor, judged, nodes };
        self.peers.connected.insert(peer, Some(greeted));
        self.take_nodes(peer, hello);
        self.context.counters.count("greeted", standing_label(standing));
        Ok(())
    }

    /// Whether a peer has said hello under a later certificate on the same connections, which overtook what
    /// it says here: a certificate that is shown does not go back before it has connected anew.
    fn is_overtaken(&self, peer: &NodeKey, shown: &VerifiedChain) -> bool {
        let known = self.peers.greeted(peer).filter(|_| !self.shares.fresh.contains(peer));
        known.is_some_and(|known| rank(&known.chain) > rank(shown))
            && !self.settings.bugs.has(Bug::BelieveLateHello)
    }

    /// What a peer's reporting term means: a subordinate's node of an earlier term is not listened to,
    /// and a later term in this home ends this node's own. Returns the least size of ledger that the
    /// peer may show.
    pub(crate) fn judge_term(
        &mut self,
        standing: Standing,
        chain: &VerifiedChain,
    ) -> Result<(u64, u64), Refusal> {
        let Some(term) = chain.term() else { return Ok((0, 0)) };
        match standing {
            Standing::Subordinate => {
                let held = self.reports.heads.get(chain.unit().leaf());
                let held = held.map_or((0, 0), |head| (head.term, head.size));
                match term.cmp(&held.0) {
                    core::cmp::Ordering::Less => Err(Refusal::OldTerm),
                    core::cmp::Ordering::Equal => Ok(held),
                    core::cmp::Ordering::Greater => Ok((term, 0)),
                }
            }
            Standing::Home => {
                self.hear_of_term(term);
                Ok((term, 0))
            }
            Standing::Superior => Ok((term, 0)),
        }
    }

    fn on_greeted(&mut self, peer: NodeKey) {
        self.last_hello_refusal = self.last_hello_refusal.filter(|(by, _)| *by != peer);
        self.shares.fresh.remove(&peer);
        // It is told everything from the beginning.
        self.peers.untold.remove(&peer);
        self.follow_anchors_of(peer);
        self.offer_renewed(peer);
        match self.peers.greeted(&peer).map(|greeted| greeted.standing) {
            Some(Standing::Subordinate) => self.begin_with_subordinate(peer),
            Some(Standing::Home) => self.begin_with_home(peer),
            Some(Standing::Superior) | None => {}
        }
    }

    /// Says hello again to everybody who is there: this node shows another certificate now.
    pub(crate) fn greet_again(&mut self) {
        let greeted = self.peers.connected.iter().filter(|(_, peer)| peer.is_some());
        for peer in greeted.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.say_hello(peer);
        }
    }

    fn say_hello(&mut self, peer: NodeKey) {
        let hello = to_vec(&self.hello(peer));
        let request = self.context.send(peer, Channel::Hello, hello);
        let (term, shown) = (self.settings.term, self.settings.chain.leaf_digest());
        self.peers.greeting.insert(request, Greeting { peer, term, shown });
    }

    /// Drops peers whose chains are no longer valid; called as time goes by.
    pub(crate) fn review_peers(&mut self) {
        if self.settings.bugs.has(Bug::IgnoreEnds) {
            return;
        }
        for (key, refusal) in self.unbelieved() {
            self.context.counters.count("dropped_peers", refusal.label());
            self.context.act(Effect::Disconnect(key));
            self.on_disconnected(key);
        }
    }

    /// A list came: peers that it concerns are not listened to from now on, and cut off as soon as
    /// they had time to hear of it.
    pub(crate) fn part_from_peers(&mut self) {
        let at = self.context.now().monotonic.saturating_add(PART_MS);
        for (key, refusal) in self.unbelieved() {
            self.context.counters.count("dropped_peers", refusal.label());
            let gone = self.peers.connected.insert(key, None).flatten();
            if let Some(gone) = gone {
                self.forget_greeted(key, gone.standing);
            }
            self.peers.parting.insert(key, at);
            self.context.wake_at(at);
        }
    }

    /// Cuts off the peers whose time to hear of a list is over.
    pub(crate) fn end_parting(&mut self) {
        let now = self.context.now().monotonic;
        let due = self.peers.parting.iter().filter(|(_, at)| **at <= now);
        let due: Vec<NodeKey> = due.map(|(key, _)| *key).collect();
        for key in &due {
            self.context.act(Effect::Disconnect(*key));
            self.on_disconnected(*key);
        }
        if !due.is_empty() {
            self.publish_allow_list();
        }
        if let Some(next) = self.peers.parting.values().min() {
            self.context.wake_at(*next);
        }
    }

    /// Greeted peers whose chains no longer verify, with why.
    fn unbelieved(&mut self) -> Vec<(NodeKey, Refusal)> {
        let now = self.context.now().wall;
        let generation = self.trust.generation();
        let mut dropped = Vec::new();
        for (key, peer) in &mut self.peers.connected {
            let Some(greeted) = peer else { continue };
            let stands = greeted.chain.valid_from() <= now && now < greeted.chain.valid_until();
            if stands && greeted.judged == generation {
                continue;
            }
            match self.trust.verify(&greeted.presented, *key, now) {
                Ok(chain) => (greeted.chain, greeted.judged) = (chain, generation),
                Err(refusal) => dropped.push((*key, refusal)),
            }
        }
        dropped
    }

    /// Tells the driver whom to admit: members and the peers that this node dials, as far as their
    /// chains are valid.
    pub(crate) fn publish_allow_list(&mut self) {
        self.trust.judge_members(self.context.now().wall);
        let revoked = self.trust.revoked();
        if self.reports.revoked != revoked {
            self.reports.revoked = revoked;
            self.mark_everything_due();
        }
        let mut allowed: BTreeSet<NodeKey> =
            self.settings.dial.iter().map(|peer| peer.key).collect();
        for (key, verdict) in self.trust.members() {
            if verdict.is_ok() {
                allowed.insert(*key);
            } else {
                // Also one that this node dials, once its certificate is known to be bad.
                allowed.remove(key);
            }
        }
        allowed.extend(self.peers.parting.keys());
        for peer in self.shares.barred() {
            allowed.remove(peer);
        }
        if self.allowed.as_ref() != Some(&allowed) {
            self.allowed = Some(allowed.clone());
            self.context.act(Effect::Allow(allowed));
        }
    }

    /// A member that shows a later certificate than it was admitted with stays admitted by it.
    pub(crate) fn keep_renewed(
        &mut self,
        peer: NodeKey,
        verified: &VerifiedChain,
        presented: &Chain,
    ) {
        let Some(held) = self.trust.member(&peer) else { return };
        if held.as_ref().is_ok_and(|held| rank(held) >= rank(verified)) {
            return;
        }
        let now = self.context.now().wall;
        let row = MemberRow { key: peer, chain: presented.to_cbor(), admitted_at: now };
        self.context.persist(rows::key(rows::MEMBER, &[&peer.0]), Some(to_vec(&row)));
        self.trust.admit(row, now);
    }

    pub(crate) fn is_home_member(&self, peer: &NodeKey) -> bool {
        let verdict = self.trust.member(peer).and_then(|verdict| verdict.as_ref().ok());
        verdict.is_some_and(|chain| *chain.unit() == self.settings.unit)
    }

    /// Whether a peer was admitted here or is one that this node dials.
    pub(crate) fn is_admitted(&self, peer: &NodeKey) -> bool {
        self.trust.member(peer).is_some()
            || self.settings.dial.iter().any(|dialled| dialled.key == *peer)
    }
}

/// Which of two certificates of one node is the later.
fn rank(chain: &VerifiedChain) -> (Option<u64>, Timestamp, Timestamp) {
    (chain.term(), chain.not_after(), chain.valid_until())
}

pub(crate) const fn standing_label(standing: Standing) -> &'static str {
    match standing {
        Standing::Superior => "superior",
        Standing::Subordinate => "subordinate",
        Standing::Home => "home",
    }
}
