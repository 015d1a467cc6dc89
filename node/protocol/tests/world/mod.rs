//! A federation of protocol cores in one thread, under virtual time, with stores in memory.
//!
//! Frames travel at once and in order unless a link is down; persists are durable after one step, so
//! that a crash between an effect and its answer can be tried.

#![allow(dead_code, reason = "each test file uses a part of this")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

pub mod hostile;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use reeve_crdt::catalogue;
use reeve_crdt::indicator::Source;
use reeve_crdt::record::{Record, RecordId};
use reeve_crdt::schema::Schema;
use reeve_crdt::twin::RecordOp;
use reeve_policy::authz::{DEFAULT_POLICY, Person, PolicySet, Role, Scope};
use reeve_protocol::bugs::Bugs;
use reeve_protocol::consent::Accepted;
use reeve_protocol::effect::{
    AskId, Channel, Effect, InboundId, Load, Loaded, RequestId, SendFailure, Ticket,
};
use reeve_protocol::local::{Answer, Ask, Question};
use reeve_protocol::rows::RESTORED;
use reeve_protocol::settings::{DialledPeer, Purpose, Settings, Writer};
use reeve_protocol::{Input, Node, NodeKey, Now};
pub use reeve_sim::registry::{NOON, key};
use reeve_sim::registry::{Registry, node_key, seed};
use reeve_statement::catalogue::Titles;
use reeve_statement::cert::Chain;
use reeve_statement::names::{IndicatorId, KindId};
use reeve_statement::period::Period;
use reeve_statement::release::RevisionReason;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::{UnitId, UnitPath};

pub const SCHEMA: &str = r#"
[schema]
name = "test"
version = 1
[kind.case]
twin = "emergency"
expected_records = 4000
[kind.case.field.reported_on]
type = "date"
required = true
[kind.case.field.sex]
type = "enum"
values = ["f", "m"]
[kind.case.field.note]
type = "text"
max = 200
[kind.stock]
twin = "emergency"
[kind.stock.field.beds]
type = "integer"
min = 0
max = 1000
required = true
"#;

pub const CATALOGUE: &str = r#"
[catalogue]
version = 1
[indicator.cases]
title = { en = "Cases by day and sex" }
kind = "case"
period = { field = "reported_on", step = "day" }
group_by = ["sex"]
measure = "count"
area_depth = 3
basis = "residence"
floor = { public = 1, neighbour = 1, superior = 1 }
expected_within = "36h"
"#;

pub fn unit(text: &str) -> UnitPath {
    text.parse().unwrap()
}

/// A name of a node: its unit and label.
pub type Place = (UnitPath, String);

/// Rows of one persist: what each key holds from then on.
type Rows = Vec<(Vec<u8>, Option<Vec<u8>>)>;

pub struct Site {
    pub node: Node,
    pub rows: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Every value that the store's files may still hold.
    pub files: BTreeSet<Vec<u8>>,
    pub answers: BTreeMap<AskId, Answer>,
    /// Chains that the node asked to keep for its next start.
    pub renewed: Option<(Vec<u8>, Vec<u8>)>,
    inbox: VecDeque<Input>,
    wake: Option<u64>,
    dial: Vec<NodeKey>,
    allowed: BTreeSet<NodeKey>,
    /// Persists that are not durable yet.
    unsynced: VecDeque<(Ticket, Rows)>,
}

impl Site {
    fn keep(&mut self, rows: Rows) {
        for (key, value) in rows {
            self.files.extend(value.clone());
            match value {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
        }
    }

    /// Whether the store's files may hold these bytes.
    pub fn holds(&self, bytes: &[u8]) -> bool {
        self.files.iter().any(|value| value.windows(bytes.len()).any(|part| part == bytes))
    }
}

/// How long a driver waits before it dials again, in milliseconds.
const REDIAL_MS: u64 = 250;

pub struct World {
    pub registry: Registry,
    pub now: u64,
    /// How far everybody's wall clock is ahead, in milliseconds.
    pub wall_ahead_ms: i64,
    /// How far the wall clocks of some are behind that, in milliseconds.
    pub behind_ms: BTreeMap<NodeKey, i64>,
    pub sites: BTreeMap<NodeKey, Site>,
    pub places: BTreeMap<Place, NodeKey>,
    pub schema: Arc<Schema>,
    /// Units that adopt less than everything by themselves.
    pub accepted: BTreeMap<UnitPath, Accepted>,
    /// Sources that units declare.
    pub sources: BTreeMap<UnitPath, Vec<Source>>,
    /// Whether nodes expire records by themselves.
    pub scheduled_retention: bool,
    /// The policy of every node that is started.
    pub policy: PolicySet,
    links: BTreeSet<(NodeKey, NodeKey)>,
    down: BTreeSet<NodeKey>,
    /// Pairs that a node parted, and when they may meet again.
    parted: BTreeMap<(NodeKey, NodeKey), u64>,
    waiting: BTreeMap<(NodeKey, u64), (NodeKey, RequestId)>,
    next: u64,
    /// Peers that the test plays itself.
    pub hostile: BTreeSet<NodeKey>,
    /// What nodes asked them.
    pub caught: Vec<hostile::Caught>,
    /// What nodes answered them.
    pub responses: BTreeMap<(NodeKey, u64), Vec<u8>>,
    /// Every frame between nodes.
    pub wire: Vec<Vec<u8>>,
}

/// The policy of a new node, with windows of a second.
pub fn quick_policy() -> String {
    let named = "@id(\"superior-figures\")";
    DEFAULT_POLICY.replace(named, &format!("{named}\n@window(\"1s\")"))
}

pub fn operator() -> Person {
    person(Role::Operator)
}

pub fn person(role: Role) -> Person {
    Person {
        name: "test".to_owned(),
        role,
        kinds: Scope::All,
        areas: Scope::All,
        indicators: Scope::All,
    }
}

impl World {
    pub fn new() -> Self {
        Self {
            registry: Registry::new(),
            now: 0,
            wall_ahead_ms: 0,
            behind_ms: BTreeMap::new(),
            scheduled_retention: false,
            sites: BTreeMap::new(),
            places: BTreeMap::new(),
            schema: Arc::new(Schema::parse("schema.toml", SCHEMA).unwrap()),
            accepted: BTreeMap::new(),
            sources: BTreeMap::new(),
            policy: PolicySet::parse(&quick_policy(), "policy.cedar").unwrap(),
            links: BTreeSet::new(),
            down: BTreeSet::new(),
            parted: BTreeMap::new(),
            waiting: BTreeMap::new(),
            next: 1,
            hostile: BTreeSet::new(),
            caught: Vec::new(),
            responses: BTreeMap::new(),
            wire: Vec::new(),
        }
    }

    pub fn time(&self) -> Now {
        let wall =
            Timestamp::from_millis(NOON + i64::try_from(self.now).unwrap() + self.wall_ahead_ms);
        Now { monotonic: self.now, wall }
    }

    pub fn settings(&mut self, path: &UnitPath, label: &str, term: Option<u64>) -> Settings {
        let mut dial = Vec::new();
        for ((other, other_label), key) in &self.places {
            let itself = path == other && label == other_label;
            if path.is_child_of(other) || (path == other && !itself) {
                dial.push(DialledPeer { key: *key, addresses: Vec::new() });
            }
        }
        Settings {
            bugs: Bugs::default(),
            issued: Vec::new(),
            roots: self.registry.roots.clone(),
            key: node_key(self.registry.origin(path), label),
            chain: self.registry.node(path, label, term),
            unit: path.clone(),
            term,
            writer: Writer {
                key: key(&format!("writer {} {label}", self.registry.origin(path))),
                chain: self.registry.writer(path, label, Vec::new()),
            },
            schema: Some(self.schema.clone()),
            time_zone: "UTC".to_owned(),
            policy: self.policy.clone(),
            accepted: self.accepted.get(path).cloned().unwrap_or(Accepted::Everything),
            dial,
            sources: self.sources.get(path).cloned().unwrap_or_default(),
            scheduled_retention: self.scheduled_retention,
            entropy: seed(&format!("entropy {path} {label} {}", self.now)),
            purpose: Purpose { purpose: "test".to_owned(), legal_basis: "Test Act".to_owned() },
        }
    }

    /// The chain of a unit's reporting node.
    pub fn chain_of(&self, path: &UnitPath) -> Chain {
        let mut registry = self.registry.clone();
        registry.node(path, "1", Some(1))
    }

    /// Adds a reporting node, admitted by its superior.
    pub fn add(&mut self, path: &str) -> NodeKey {
        self.add_node(path, "1", Some(1))
    }

    pub fn add_node(&mut self, path: &str, label: &str, term: Option<u64>) -> NodeKey {
        let path = unit(path);
        let settings = self.settings(&path, label, term);
        let chain = settings.chain.to_cbor();
        let key = self.start(settings, BTreeMap::new());
        self.places.insert((path.clone(), label.to_owned()), key);
        let hosts: Vec<(Place, NodeKey)> =
            self.places.iter().map(|(place, key)| (place.clone(), *key)).collect();
        for ((other, other_label), host) in hosts {
            if host != key && (path.is_child_of(&other) || path == other) {
                let admit = Question::Admit {
                    chain: chain.clone(),
                    names: Titles::default(),
                    time_zone: None,
                };
                assert!(matches!(self.ask(host, operator(), admit), Answer::Done));
                if path == other {
                    let term = (other_label == "1").then_some(1);
                    let theirs = self.registry.node(&other, &other_label, term).to_cbor();
                    let admit = Question::Admit {
                        chain: theirs,
                        names: Titles::default(),
                        time_zone: None,
                    };
                    assert!(matches!(self.ask(key, operator(), admit), Answer::Done));
                }
            }
        }
        self.settle();
        key
    }

    /// Starts a node on rows of a store.
    pub fn start(&mut self, settings: Settings, rows: BTreeMap<Vec<u8>, Vec<u8>>) -> NodeKey {
        let node = self.restored(settings, &rows);
        let key = self.place(node, rows);
        self.settle();
        key
    }

    fn restored(&self, settings: Settings, rows: &BTreeMap<Vec<u8>, Vec<u8>>) -> Node {
        let mut node = Node::new(settings, self.time()).unwrap();
        for prefix in RESTORED {
            for (key, value) in rows.range(prefix.to_vec()..) {
                if !key.starts_with(prefix) {
                    break;
                }
                node.restore(key, value).unwrap();
            }
        }
        node
    }

    fn place(&mut self, node: Node, rows: BTreeMap<Vec<u8>, Vec<u8>>) -> NodeKey {
        let key = node.key();
        let files = rows.values().cloned().collect();
        let site = Site {
            node,
            rows,
            files,
            answers: BTreeMap::new(),
            renewed: None,
            inbox: VecDeque::from([Input::Started]),
            wake: None,
            dial: Vec::new(),
            allowed: BTreeSet::new(),
            unsynced: VecDeque::new(),
        };
        self.sites.insert(key, site);
        self.down.remove(&key);
        key
    }

    /// A reporting node stops, gets certificates for another place from its authority, in another term, is
    /// admitted there, and starts on the store that it has.
    pub fn move_node(&mut self, from: &str, to: &str, term: u64) -> NodeKey {
        let (from, to) = (unit(from), unit(to));
        let former = self.registry.writer(&from, "1", Vec::new()).to_cbor();
        let key = self.places.remove(&(from.clone(), "1".to_owned())).unwrap();
        let rows = self.kill(key);
        self.registry.move_unit(&from, &to);
        let settings = self.settings(&to, "1", Some(term));
        let chain = settings.chain.to_cbor();
        let host = self.places[&(to.parent().unwrap(), "1".to_owned())];
        let admit = Question::Admit { chain, names: Titles::default(), time_zone: None };
        assert!(matches!(self.ask(host, operator(), admit), Answer::Done));
        self.places.insert((to, "1".to_owned()), key);
        assert_eq!(self.start(settings, rows), key, "the node keeps its key");
        assert!(matches!(self.ask(key, operator(), Question::Renew(former)), Answer::Done));
        self.pass(2_000);
        key
    }

    /// Kills a node; what was not durable is lost. Its rows are returned.
    pub fn kill(&mut self, key: NodeKey) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.unlink(key);
        self.sites.remove(&key).unwrap().rows
    }

    pub fn restart(&mut self, path: &str, label: &str, term: Option<u64>) -> NodeKey {
        let path = unit(path);
        let key = self.places[&(path.clone(), label.to_owned())];
        let rows = self.kill(key);
        let settings = self.settings(&path, label, term);
        self.start(settings, rows)
    }

    /// Kills a node and starts it again without letting anything else happen.
    pub fn restart_now(&mut self, path: &str, label: &str, term: Option<u64>) {
        let path = unit(path);
        let key = self.places[&(path.clone(), label.to_owned())];
        let rows = self.kill(key);
        let settings = self.settings(&path, label, term);
        let node = self.restored(settings, &rows);
        self.place(node, rows);
    }

    /// Lets so many steps happen, one node after the other.
    pub fn steps(&mut self, count: usize) {
        let mut left = count;
        while left > 0 {
            self.connect();
            let keys: Vec<NodeKey> = self.sites.keys().copied().collect();
            let mut idle = true;
            for key in keys {
                idle &= left == 0 || !self.step(key);
                left = left.saturating_sub(1);
            }
            if idle {
                return;
            }
        }
    }

    /// The day that a case says, if it is there.
    pub fn day_of(&mut self, at: NodeKey, id: &str) -> Option<String> {
        let kind = KindId::new("case").unwrap();
        let what = Question::Record { kind, id: RecordId::new(id).unwrap() };
        match self.ask(at, person(Role::Writer), what) {
            Answer::Record(record) => match record?.get("reported_on") {
                Some(reeve_crdt::record::Value::Date(day)) => Some(day.to_string()),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    /// Cuts a node off the network, or lets it back.
    pub fn set_down(&mut self, key: NodeKey, down: bool) {
        if down {
            self.down.insert(key);
            self.unlink(key);
        } else {
            self.down.remove(&key);
        }
        self.settle();
    }

    fn unlink(&mut self, key: NodeKey) {
        let gone: Vec<_> =
            self.links.iter().filter(|(a, b)| *a == key || *b == key).copied().collect();
        for (a, b) in gone {
            self.links.remove(&(a, b));
            for (one, other) in [(a, b), (b, a)] {
                if let Some(site) = self.sites.get_mut(&one) {
                    site.inbox.push_back(Input::Disconnected { peer: other });
                }
            }
            let lost: Vec<_> = self
                .waiting
                .iter()
                .filter(|((to, _), (from, _))| (*to == a && *from == b) || (*to == b && *from == a))
                .map(|(key, value)| (*key, *value))
                .collect();
            for (key, (from, request)) in lost {
                self.waiting.remove(&key);
                if let Some(site) = self.sites.get_mut(&from) {
                    let result = Err(SendFailure::Disconnected);
                    site.inbox.push_back(Input::Response { request, result });
                }
            }
        }
    }

    fn connect(&mut self) {
        let mut fresh = Vec::new();
        for (key, site) in &self.sites {
            for peer in &site.dial {
                let up = !self.down.contains(key) && !self.down.contains(peer);
                let known = site.allowed.contains(peer);
                let welcome = self.sites.get(peer).is_some_and(|other| other.allowed.contains(key));
                let linked =
                    self.links.contains(&(*key, *peer)) || self.links.contains(&(*peer, *key));
                let again = self.parted.get(&(*key, *peer)).is_none_or(|at| *at <= self.now);
                if up && known && welcome && again && !linked {
                    fresh.push((*key, *peer));
                }
            }
        }
        for (from, to) in fresh {
            if self.links.contains(&(to, from)) {
                continue;
            }
            self.links.insert((from, to));
            self.sites
                .get_mut(&from)
                .unwrap()
                .inbox
                .push_back(Input::Connected { peer: to, dialled: true });
            self.sites
                .get_mut(&to)
                .unwrap()
                .inbox
                .push_back(Input::Connected { peer: from, dialled: false });
        }
    }

    /// Whether a node lets a peer in.
    pub fn is_allowed(&self, at: NodeKey, peer: NodeKey) -> bool {
        self.sites[&at].allowed.contains(&peer)
    }

    pub fn linked(&self, a: NodeKey, b: NodeKey) -> bool {
        self.links.contains(&(a, b)) || self.links.contains(&(b, a))
    }

    /// Runs until nothing is left to do at this time.
    pub fn settle(&mut self) {
        for _ in 0..200_000 {
            self.connect();
            let keys: Vec<NodeKey> = self.sites.keys().copied().collect();
            let mut idle = true;
            for key in keys {
                idle &= !self.step(key);
            }
            if idle {
                return;
            }
        }
        panic!("the world does not settle");
    }

    /// Lets time pass.
    pub fn pass(&mut self, millis: u64) {
        let end = self.now + millis;
        self.settle();
        while self.now < end {
            let next = self.sites.values().filter_map(|site| site.wake).min().unwrap_or(end);
            self.now = next.clamp(self.now + 1, end);
            let now = self.now;
            for site in self.sites.values_mut() {
                if site.wake.is_some_and(|at| at <= now) {
                    site.wake = None;
                    site.inbox.push_back(Input::Wake);
                }
            }
            self.settle();
        }
    }

    /// Lets a long time pass at once.
    pub fn pass_over(&mut self, millis: u64) {
        self.now += millis;
        for site in self.sites.values_mut() {
            site.wake = None;
            site.inbox.push_back(Input::Wake);
        }
        self.settle();
        self.pass(2_000);
    }

    /// Sends a frame as a peer, and lets nothing happen yet; under which number it will be answered.
    pub fn post(&mut self, peer: NodeKey, to: NodeKey, channel: Channel, bytes: Vec<u8>) -> u64 {
        let number = self.next;
        self.next += 1;
        let input = Input::Frame { inbound: InboundId(number), peer, channel, bytes };
        self.sites.get_mut(&to).unwrap().inbox.push_back(input);
        number
    }

    /// Answers what a node asked a hostile peer.
    pub fn answer(&mut self, caught: &hostile::Caught, bytes: Vec<u8>) {
        let input = Input::Response { request: caught.request, result: Ok(bytes) };
        self.sites.get_mut(&caught.from).unwrap().inbox.push_back(input);
        self.settle();
    }

    /// One input of one node, or one of its persists made durable.
    fn step(&mut self, key: NodeKey) -> bool {
        let Now { monotonic, wall } = self.time();
        let behind = self.behind_ms.get(&key).copied().unwrap_or(0);
        let now = Now { monotonic, wall: wall.plus_millis(-behind) };
        let Some(site) = self.sites.get_mut(&key) else { return false };
        let input = match site.inbox.pop_front() {
            Some(input) => input,
            None => match site.unsynced.pop_front() {
                Some((ticket, rows)) => {
                    site.keep(rows);
                    Input::Persisted(ticket)
                }
                None => return false,
            },
        };
        site.node.handle(now, input);
        let effects = site.node.drain();
        for effect in effects {
            self.carry_out(key, effect);
        }
        true
    }

    fn carry_out(&mut self, key: NodeKey, effect: Effect) {
        let now = self.now;
        let site = self.sites.get_mut(&key).unwrap();
        match effect {
            Effect::Persist { ticket, rows } => site.unsynced.push_back((ticket, rows)),
            Effect::Load { load, what } => {
                // A load sees every persist handed out before it.
                let mut rows = site.rows.clone();
                for (_, batch) in &site.unsynced {
                    for (key, value) in batch {
                        match value {
                            Some(value) => rows.insert(key.clone(), value.clone()),
                            None => rows.remove(key),
                        };
                    }
                }
                let loaded = match what {
                    Load::Get(keys) => {
                        Loaded::Values(keys.iter().map(|key| rows.get(key).cloned()).collect())
                    }
                    Load::Scan { prefix, after, limit } => Loaded::Rows(
                        rows.range(prefix.clone()..)
                            .take_while(|(key, _)| key.starts_with(&prefix))
                            .filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after))
                            .take(limit)
                            .map(|(key, value)| (key.clone(), value.clone()))
                            .collect(),
                    ),
                };
                site.inbox.push_back(Input::Loaded(load, loaded));
            }
            Effect::Compute { job, what } => {
                site.inbox.push_back(Input::Computed(job, Box::new(what.run())));
            }
            Effect::Send { request, peer, channel, bytes } if self.hostile.contains(&peer) => {
                self.caught.push(hostile::Caught { from: key, to: peer, request, channel, bytes });
            }
            Effect::Send { request, peer, channel, bytes } => {
                if !self.linked(key, peer) {
                    let result = Err(SendFailure::Disconnected);
                    self.sites
                        .get_mut(&key)
                        .unwrap()
                        .inbox
                        .push_back(Input::Response { request, result });
                    return;
                }
                self.wire.push(bytes.clone());
                let number = self.next;
                self.next += 1;
                self.waiting.insert((peer, number), (key, request));
                let inbound = InboundId(number);
                let frame = Input::Frame { inbound, peer: key, channel, bytes };
                self.sites.get_mut(&peer).unwrap().inbox.push_back(frame);
            }
            Effect::Respond { inbound, bytes } => {
                if let Some((to, request)) = self.waiting.remove(&(key, inbound.0)) {
                    self.wire.push(bytes.clone());
                    if let Some(site) = self.sites.get_mut(&to) {
                        site.inbox.push_back(Input::Response { request, result: Ok(bytes) });
                    }
                } else {
                    self.responses.insert((key, inbound.0), bytes);
                }
            }
            Effect::Reply { ask, answer } => {
                site.answers.insert(ask, *answer);
            }
            Effect::WakeAt(at) => site.wake = Some(at.max(now)),
            Effect::Allow(peers) => {
                let dropped: Vec<_> = site.allowed.difference(&peers).copied().collect();
                site.allowed = peers;
                for peer in dropped {
                    self.cut(key, peer);
                }
            }
            Effect::Dial { peer, .. } => site.dial.push(peer),
            Effect::Disconnect(peer) => {
                self.cut(key, peer);
                for pair in [(key, peer), (peer, key)] {
                    self.parted.insert(pair, self.now + REDIAL_MS);
                }
            }
            Effect::Renewed { node, writer } => site.renewed = Some((node, writer)),
            Effect::Rewrite => {
                while let Some((ticket, rows)) = site.unsynced.pop_front() {
                    site.keep(rows);
                    site.inbox.push_back(Input::Persisted(ticket));
                }
                site.files = site.rows.values().cloned().collect();
                site.inbox.push_back(Input::Rewritten);
            }
        }
    }

    fn cut(&mut self, a: NodeKey, b: NodeKey) {
        for pair in [(a, b), (b, a)] {
            if self.links.remove(&pair) {
                for (one, other) in [(a, b), (b, a)] {
                    if let Some(site) = self.sites.get_mut(&one) {
                        site.inbox.push_back(Input::Disconnected { peer: other });
                    }
                }
            }
        }
    }

    /// Tells a node that its store is short of space, or no longer.
    pub fn space(&mut self, key: NodeKey, short: bool) {
        if let Some(site) = self.sites.get_mut(&key) {
            site.inbox.push_back(Input::Space { short });
        }
        self.settle();
    }

    pub fn send_ask(&mut self, key: NodeKey, who: Person, what: Question) -> AskId {
        let ask = AskId(self.next);
        self.next += 1;
        let input = Input::Ask { ask, what: Box::new(Ask { who, what }) };
        self.sites.get_mut(&key).unwrap().inbox.push_back(input);
        ask
    }

    pub fn ask(&mut self, key: NodeKey, who: Person, what: Question) -> Answer {
        let ask = self.send_ask(key, who, what);
        self.settle();
        self.sites.get_mut(&key).unwrap().answers.remove(&ask).expect("an answer")
    }

    pub fn publish_catalogue(&mut self, root: NodeKey, path: &str, text: &str) {
        let schema = self.schema.clone();
        let catalogue = catalogue::parse("catalogue.toml", text, &schema).unwrap();
        let bytes = self.registry.catalogue(&unit(path), catalogue);
        let answer = self.ask(root, operator(), Question::Publish(bytes));
        assert!(matches!(answer, Answer::Done), "{answer:?}");
        self.pass(2_000);
    }

    pub fn put_case(&mut self, at: NodeKey, id: &str, day: &str, sex: &str) {
        let answer = self.write(at, vec![self.case(id, day, sex)]);
        assert!(matches!(answer, Answer::Written(_)), "{answer:?}");
    }

    pub fn case(&self, id: &str, day: &str, sex: &str) -> RecordOp {
        let kind = self.schema.kind("case").unwrap();
        let mut record = Record::new();
        for (name, text) in [("reported_on", day), ("sex", sex)] {
            let field = kind.field(name).unwrap();
            let value = reeve_crdt::record::Value::parse(&field.field_type, text).unwrap();
            record.set(field.id.clone(), value);
        }
        RecordOp::Put { id: RecordId::new(id).unwrap(), record: kind.validate(record).unwrap() }
    }

    pub fn write(&mut self, at: NodeKey, ops: Vec<RecordOp>) -> Answer {
        let kind = KindId::new("case").unwrap();
        self.ask(at, person(Role::Writer), Question::Write { kind, ops, import: None })
    }

    pub fn figure(&mut self, at: NodeKey, day: &str) -> Option<reeve_protocol::local::FigureView> {
        let indicator = IndicatorId::new("cases").unwrap();
        let period: Period = day.parse().unwrap();
        let question = Question::Figure { indicator, period, area: None };
        match self.ask(at, operator(), question) {
            Answer::Figure(view) => view.map(|view| *view),
            other => panic!("{other:?}"),
        }
    }

    pub fn total(&mut self, at: NodeKey, day: &str) -> Option<i64> {
        let total = self.figure(at, day)?.total?;
        assert!(total.value.is_exact());
        Some(total.value.lo())
    }

    pub fn counter(&mut self, at: NodeKey, name: &'static str, label: &'static str) -> u64 {
        match self.ask(at, operator(), Question::Metrics) {
            Answer::Metrics(counters) => counters.of(name, label),
            other => panic!("{other:?}"),
        }
    }

    pub fn period_closed(&mut self, at: NodeKey, day: &str) {
        self.said(at, "case", "registry", day, None);
    }

    /// A source says of a period that it is complete, or takes it back.
    pub fn said(
        &mut self,
        at: NodeKey,
        kind: &str,
        source: &str,
        period: &str,
        reason: Option<RevisionReason>,
    ) {
        let (kind, source) = (KindId::new(kind).unwrap(), source.to_owned());
        let periods = vec![period.parse().unwrap()];
        let what = Question::Close { kind, source, periods, reason };
        let answer = self.ask(at, person(Role::Writer), what);
        assert!(matches!(answer, Answer::Written(_)), "{answer:?}");
    }
}

pub fn subordinate(text: &str) -> UnitId {
    UnitId::new(text).unwrap()
}
