//! A peer whose frames the test writes itself, and statements that it signs as it likes.

use reeve_protocol::effect::{Channel, RequestId};
use reeve_protocol::local::Question;
use reeve_protocol::wire::{Blob, Hello, HelloAnswer, ReportAnswer, Upward, WIRE_VERSION, decode};
use reeve_protocol::{Input, NodeKey};
use reeve_sim::registry::node_key;
use reeve_statement::catalogue::{RecipientClass, Titles};
use reeve_statement::cbor::to_vec;
use reeve_statement::cert::Chain;
use reeve_statement::cert::name::dns_name;
use reeve_statement::digest::Digest;
use reeve_statement::key::SecretKey;
use reeve_statement::ledger::checkpoint::{Checkpoint, Origin};
use reeve_statement::names::IndicatorId;
use reeve_statement::notice::{Notice, NoticeCode};
use reeve_statement::statement::{Audience, Body, Onward, Statement, VERSION};
use reeve_statement::unit::UnitPath;

use super::{World, operator, unit};

/// A peer that has a key and a chain, and no program of ours.
#[derive(Clone)]
pub struct Hostile {
    pub path: UnitPath,
    pub label: String,
    pub term: u64,
    pub chain: Chain,
    /// Size of the ledger that it shows.
    pub ledger: u64,
}

/// A request that a node sent to a hostile peer.
pub struct Caught {
    pub from: NodeKey,
    pub to: NodeKey,
    pub request: RequestId,
    pub channel: Channel,
    pub bytes: Vec<u8>,
}

impl Hostile {
    pub fn of(world: &mut World, path: &str, term: u64, label: &str) -> Self {
        let path = unit(path);
        let chain = world.registry.node(&path, label, Some(term));
        let peer = Self { path, label: label.to_owned(), term, chain, ledger: 1 };
        world.hostile.insert(peer.key());
        peer
    }

    pub fn new(world: &mut World, path: &str, term: u64) -> Self {
        Self::of(world, path, term, &format!("hostile-{term}"))
    }

    /// One that its superior, or another node of its home, admitted.
    pub fn admit(world: &mut World, host: NodeKey, path: &str, term: u64) -> Self {
        let peer = Self::new(world, path, term);
        let answer = world.ask(host, operator(), peer.admission());
        assert!(matches!(answer, super::Answer::Done), "{answer:?}");
        peer
    }

    pub fn admission(&self) -> Question {
        let chain = self.chain.to_cbor();
        Question::Admit { chain, names: Titles::default(), time_zone: None }
    }

    fn secret(&self) -> SecretKey {
        node_key(&self.path, &self.label)
    }

    pub fn key(&self) -> NodeKey {
        NodeKey(self.secret().public().to_bytes())
    }

    pub fn connect(&self, world: &mut World, to: NodeKey) {
        self.meet(world, to, false);
    }

    /// A node dials it, and says hello.
    pub fn is_dialled(&self, world: &mut World, by: NodeKey) {
        self.meet(world, by, true);
    }

    fn meet(&self, world: &mut World, to: NodeKey, dialled: bool) {
        let input = Input::Connected { peer: self.key(), dialled };
        world.sites.get_mut(&to).unwrap().inbox.push_back(input);
        world.settle();
    }

    /// Sends a frame; the answer's bytes.
    pub fn frame(
        &self,
        world: &mut World,
        to: NodeKey,
        channel: Channel,
        bytes: Vec<u8>,
    ) -> Vec<u8> {
        let number = self.post(world, to, channel, bytes);
        world.settle();
        world.responses.remove(&(to, number)).unwrap_or_default()
    }

    /// Sends a frame, and lets nothing happen yet; under which number it will be answered.
    pub fn post(&self, world: &mut World, to: NodeKey, channel: Channel, bytes: Vec<u8>) -> u64 {
        world.post(self.key(), to, channel, bytes)
    }

    pub fn hello(&self, world: &mut World, to: NodeKey) -> HelloAnswer {
        self.hello_with(world, to, Vec::new())
    }

    pub fn hello_with(&self, world: &mut World, to: NodeKey, writers: Vec<Blob>) -> HelloAnswer {
        let hello = self.says(world, writers);
        decode(&self.frame(world, to, Channel::Hello, to_vec(&hello))).unwrap()
    }

    /// What it says of itself.
    pub fn says(&self, world: &World, writers: Vec<Blob>) -> Hello {
        Hello {
            version: WIRE_VERSION,
            federation: world.registry.roots.federation(),
            chain: self.chain.to_cbor(),
            clock: world.time().wall,
            term: self.term,
            catalogue_version: 0,
            writers,
            nodes: Vec::new(),
        }
    }

    /// A right notice about a day.
    pub fn notice(&self, world: &World, day: &str, edition: u64) -> Vec<u8> {
        self.signed(world, day, edition, |_| {})
    }

    /// A notice with whatever changed before it was signed.
    pub fn signed(
        &self,
        world: &World,
        day: &str,
        edition: u64,
        change: impl FnOnce(&mut Statement),
    ) -> Vec<u8> {
        let notice = Notice {
            class: RecipientClass::Superior,
            indicator: IndicatorId::new("cases").unwrap(),
            definition: None,
            period: Some(day.parse().unwrap()),
            edition,
            previous: (edition > 1).then(|| Digest::of(b"the one before")),
            code: NoticeCode::NoReport,
            request: None,
            decision: None,
        };
        let mut statement = Statement {
            version: VERSION,
            federation: world.registry.roots.federation(),
            issuer: self.path.clone(),
            term: self.term,
            audience: Audience::Unit(self.path.parent().unwrap()),
            onward: Onward::Aggregate,
            issued_at: world.time().wall,
            valid_until: None,
            witnessed: None,
            body: Body::Notice(notice),
        };
        change(&mut statement);
        reeve_statement::cose::sign(&statement, &self.secret(), &self.chain).unwrap().to_bytes()
    }

    /// Delivers a statement with a checkpoint of the ledger size that it pretends to have.
    pub fn deliver(&mut self, world: &mut World, to: NodeKey, statement: &[u8]) -> ReportAnswer {
        let message = self.delivery(world, statement);
        decode(&self.frame(world, to, Channel::Report, message)).unwrap()
    }

    /// The message that delivers a statement.
    pub fn delivery(&self, world: &World, statement: &[u8]) -> Vec<u8> {
        let name = dns_name(&self.path, world.registry.roots.domain()).unwrap();
        let origin = Origin::of(&name, self.term).unwrap();
        let root = Digest::of(&self.ledger.to_be_bytes());
        let checkpoint = Checkpoint { origin, size: self.ledger, root }.sign(&self.secret());
        to_vec(&Upward::Deliver { statement: Blob(statement.to_vec()), checkpoint })
    }
}
