//! Connections: who is there, the hello, and which messages each relation allows.
//!
//! Nothing but a hello is listened to before the peer's chain was verified against its key. A peer
//! whose chain stops being valid is dropped.

use std::collections::BTreeMap;

use reeve_statement::cbor::to_vec;
use reeve_statement::cert::{Chain, VerifiedChain};
use reeve_statement::unit::UnitPath;

use crate::effect::{Channel, Effect, InboundId, NodeKey, RequestId, SendFailure};
use crate::node::Node;
use crate::refusal::Refusal;
use crate::trust::{Standing, standing};
use crate::wire::{Blob, Hello, HelloAnswer, WIRE_VERSION, decode};

/// A connected peer that said hello.
#[derive(Debug)]
pub(crate) struct Greeted {
    pub(crate) standing: Standing,
    pub(crate) unit: UnitPath,
    pub(crate) chain: VerifiedChain,
    pub(crate) presented: Chain,
    pub(crate) clock_offset: i64,
}

/// Connections, greeted or not.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    pub(crate) connected: BTreeMap<NodeKey, Option<Greeted>>,
    pub(crate) greeting: BTreeMap<RequestId, NodeKey>,
}

impl Peers {
    pub(crate) fn greeted(&self, peer: &NodeKey) -> Option<&Greeted> {
        self.connected.get(peer)?.as_ref()
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
        self.peers.connected.insert(peer, None);
        if dialled {
            let hello = to_vec(&self.hello(peer));
            let request = self.context.send(peer, Channel::Hello, hello);
            self.peers.greeting.insert(request, peer);
        }
    }

    pub(crate) fn on_disconnected(&mut self, peer: NodeKey) {
        let gone = self.peers.connected.remove(&peer).flatten();
        self.peers.greeting.retain(|_, other| *other != peer);
        if let Some(gone) = gone {
            self.context.counters.count("peer_lost", standing_label(gone.standing));
        }
    }

    /// This node's hello to a peer. Writers are told to nodes of this home only, and those are known
    /// by key before anything is said.
    fn hello(&self, peer: NodeKey) -> Hello {
        let home = self.is_home_member(&peer);
        let writers =
            if home { vec![Blob(self.settings.writer.chain.to_cbor())] } else { Vec::new() };
        Hello {
            version: WIRE_VERSION,
            federation: self.federation,
            chain: self.settings.chain.to_cbor(),
            clock: self.context.now().wall,
            term: self.settings.term.unwrap_or(0),
            catalogue_version: self.catalogue_version(),
            writers,
        }
    }

    pub(crate) fn on_hello(&mut self, inbound: InboundId, peer: NodeKey, bytes: &[u8]) {
        let answer = match decode::<Hello>(bytes) {
            Err(_) => HelloAnswer::Refused(Refusal::Malformed),
            Ok(hello) => match self.meet(peer, &hello) {
                Ok(()) => HelloAnswer::Welcome(self.hello(peer)),
                Err(refusal) => HelloAnswer::Refused(refusal),
            },
        };
        let refused = matches!(answer, HelloAnswer::Refused(_));
        if let HelloAnswer::Refused(refusal) = &answer {
            self.context.counters.count("refused_peers", refusal.label());
        }
        self.context.respond(inbound, to_vec(&answer));
        if !refused {
            self.on_greeted(peer);
        }
    }

    pub(crate) fn on_hello_answer(
        &mut self,
        request: RequestId,
        result: Result<Vec<u8>, SendFailure>,
    ) {
        let Some(peer) = self.peers.greeting.remove(&request) else { return };
        let refusal = match result.map(|bytes| decode::<HelloAnswer>(&bytes)) {
            Ok(Ok(HelloAnswer::Welcome(hello))) => match self.meet(peer, &hello) {
                Ok(()) => return self.on_greeted(peer),
                Err(refusal) => refusal,
            },
            Ok(Ok(HelloAnswer::Refused(refusal))) => {
                self.context.counters.count("hello_refused_by_peer", refusal.label());
                self.last_hello_refusal = Some((peer, refusal));
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
        if standing == Standing::Home {
            self.take_writers(&hello.writers)?;
        }
        let clock_offset = hello.clock.since(now);
        let greeted = Greeted { standing, unit, chain, presented, clock_offset };
        if let Some(slot) = self.peers.connected.get_mut(&peer) {
            *slot = Some(greeted);
        }
        self.context.counters.count("greeted", standing_label(standing));
        Ok(())
    }

    fn on_greeted(&mut self, peer: NodeKey) {
        match self.peers.greeted(&peer).map(|greeted| greeted.standing) {
            Some(Standing::Subordinate) => self.begin_with_subordinate(peer),
            Some(Standing::Home) => self.begin_with_home(peer),
            Some(Standing::Superior) | None => {}
        }
    }

    /// Drops peers whose chains are no longer valid; called when a list came and as time goes by.
    pub(crate) fn review_peers(&mut self) {
        let now = self.context.now().wall;
        let mut dropped = Vec::new();
        for (key, peer) in &self.peers.connected {
            let Some(greeted) = peer else { continue };
            if let Err(refusal) = self.trust.verify(&greeted.presented, *key, now) {
                dropped.push((*key, refusal));
            }
        }
        for (key, refusal) in dropped {
            self.context.counters.count("dropped_peers", refusal.label());
            self.context.act(Effect::Disconnect(key));
            self.on_disconnected(key);
        }
    }

    /// Tells the driver whom to admit: members and the peers that this node dials, as far as their
    /// chains are valid.
    pub(crate) fn publish_allow_list(&mut self) {
        let now = self.context.now().wall;
        let mut allowed: std::collections::BTreeSet<NodeKey> =
            self.settings.dial.iter().map(|peer| peer.key).collect();
        for member in self.trust.members() {
            let valid = Chain::from_cbor(&member.chain)
                .is_ok_and(|chain| self.trust.verify(&chain, member.key, now).is_ok());
            if valid {
                allowed.insert(member.key);
            }
        }
        if self.allowed.as_ref() != Some(&allowed) {
            self.allowed = Some(allowed.clone());
            self.context.act(Effect::Allow(allowed));
        }
    }

    fn is_home_member(&self, peer: &NodeKey) -> bool {
        self.trust.members().filter(|member| member.key == *peer).any(|member| {
            Chain::from_cbor(&member.chain)
                .ok()
                .and_then(|chain| self.trust.verify(&chain, *peer, self.context.now().wall).ok())
                .is_some_and(|chain| *chain.unit() == self.settings.unit)
        })
    }
}

pub(crate) const fn standing_label(standing: Standing) -> &'static str {
    match standing {
        Standing::Superior => "superior",
        Standing::Subordinate => "subordinate",
        Standing::Home => "home",
    }
}
