//! Sequences of operations on a protocol core: hostile peers above, below and in the same home, who
//! know their keys, sign what they like, and send it in any order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, OnceLock};

use minicbor::{Decode, Encode};
use reeve_crdt::schema::Schema;
use reeve_policy::authz::{Person, PolicySet, Role, Scope};
use reeve_protocol::bugs::Bugs;
use reeve_protocol::consent::Accepted;
use reeve_protocol::effect::{
    AskId, Channel, InboundId, Load, Loaded, RequestId, SendFailure, Ticket,
};
use reeve_protocol::local::{Answer, Ask, Question};
use reeve_protocol::rows;
use reeve_protocol::settings::{DialledPeer, Purpose, Settings, Writer};
use reeve_protocol::wire::{
    Blob, FRAME_BYTES, Hello, HelloAnswer, HomeAnswer, LedgerAnswer, ReportAnswer, Upward,
    WIRE_VERSION, decode,
};
use reeve_protocol::{Effect, Input, Node, NodeKey, Now};
use reeve_statement::catalogue::Titles;
use reeve_statement::cbor::{from_slice, to_vec};
use reeve_statement::cose::sign;
use reeve_statement::digest::Digest;
use reeve_statement::ledger::checkpoint::{Checkpoint, Origin};
use reeve_statement::limits::STATEMENT_BYTES;
use reeve_statement::statement::{Audience, Body, Onward, Statement, VERSION};
use reeve_statement::unit::UnitPath;

use super::statement;
use crate::house::{NOW, house, key, path, seed};

/// Most operations of one input.
const OPERATIONS: usize = 64;
/// Most effects that one input may cause before the node rests: a guard against endless work.
const EFFECTS: usize = 20_000;
/// How long an operation may move the clock, in milliseconds.
const STEP_MS: u64 = 60_000;

const SCHEMA: &str = r#"
[schema]
name = "t"
version = 1
[kind.case]
twin = "emergency"
field.reported_on = { type = "date", required = true }
field.status = { type = "enum", values = ["open", "closed"] }
"#;

const CATALOGUE: &str = r#"
[catalogue]
version = 1
[indicator.cases]
kind = "case"
basis = "report"
period = { field = "reported_on", step = "day" }
measure = "count"
"#;

/// Who the three peers are.
const PEERS: [(&str, &str, u64); 3] = [("it", "1", 1), ("it/03/016", "1", 1), ("it/03", "2", 2)];
const OWN: &str = "it/03";

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

fn schema() -> &'static Arc<Schema> {
    static PARSED: OnceLock<Arc<Schema>> = OnceLock::new();
    PARSED.get_or_init(|| Arc::new(Schema::parse("t.toml", SCHEMA).unwrap()))
}

fn peer_key(number: usize) -> NodeKey {
    let (unit, label, _) = PEERS[number % PEERS.len()];
    NodeKey(key(&format!("node {unit} {label}")).public().to_bytes())
}

/// The term under which a peer reports; the other node of the home does not.
fn term(number: usize) -> Option<u64> {
    (number != 2).then_some(1)
}

fn policy() -> &'static PolicySet {
    static PARSED: OnceLock<PolicySet> = OnceLock::new();
    PARSED.get_or_init(|| PolicySet::of_new_node().unwrap())
}

fn settings() -> Settings {
    let unit = path(OWN);
    let (node, chain) = house().node(&unit, "1", Some(1));
    let (writer, writer_chain) = house().writer(&unit, "1", &[]);
    Settings {
        issued: Vec::new(),
        bugs: Bugs::default(),
        roots: house().roots.clone(),
        key: node,
        chain,
        unit,
        term: Some(1),
        writer: Writer { key: writer, chain: writer_chain },
        schema: Some(Arc::clone(schema())),
        time_zone: "UTC".to_owned(),
        policy: policy().clone(),
        accepted: Accepted::Everything,
        dial: vec![DialledPeer { key: peer_key(0), addresses: Vec::new() }],
        sources: Vec::new(),
        scheduled_retention: false,
        entropy: seed("entropy"),
        purpose: Purpose { purpose: "test".to_owned(), legal_basis: "Test Act".to_owned() },
    }
}

/// A node with its store, its clock, and what it sent.
struct World {
    node: Node,
    rows: Rows,
    now: u64,
    wake: Option<u64>,
    inbox: VecDeque<Input>,
    /// Frames that were sent to the node and not answered yet.
    unanswered: BTreeMap<u64, (usize, Channel)>,
    connected: BTreeSet<usize>,
    /// Requests that the node sent and nobody answered yet.
    requests: VecDeque<(RequestId, usize, Channel, Vec<u8>)>,
    next: u64,
    effects: usize,
    replies: Vec<Answer>,
}

impl World {
    fn new(rows: Rows) -> Self {
        let mut node = Node::new(settings(), Now { monotonic: 0, wall: NOW }).unwrap();
        for prefix in rows::RESTORED {
            let from = rows.range(prefix.to_vec()..);
            for (row, value) in from.take_while(|(row, _)| row.starts_with(prefix)) {
                node.restore(row, value).unwrap();
            }
        }
        let mut world = Self {
            node,
            rows,
            now: 0,
            wake: None,
            inbox: VecDeque::new(),
            unanswered: BTreeMap::new(),
            connected: BTreeSet::new(),
            requests: VecDeque::new(),
            next: 0,
            effects: 0,
            replies: Vec::new(),
        };
        world.feed(Input::Started);
        world
    }

    /// The store of a node that admitted the three peers and follows the catalogue.
    fn prepared() -> &'static Rows {
        static ROWS: OnceLock<Rows> = OnceLock::new();
        ROWS.get_or_init(|| {
            let mut world = Self::new(Rows::new());
            for (number, (unit, label, _)) in PEERS.iter().enumerate().skip(1) {
                let chain = house().node(&path(unit), label, term(number)).1.to_cbor();
                let admit = Question::Admit { chain, names: Titles::default(), time_zone: None };
                world.ask(admit);
            }
            assert!(
                world.replies.iter().all(|it| matches!(it, Answer::Done)),
                "{:?}",
                world.replies
            );
            world.rows
        })
    }

    fn ask(&mut self, what: Question) {
        let who = Person {
            name: "operator".to_owned(),
            role: Role::Operator,
            kinds: Scope::All,
            areas: Scope::All,
            indicators: Scope::All,
        };
        self.next += 1;
        let ask = AskId(self.next);
        self.feed(Input::Ask { ask, what: Box::new(Ask { who, what }) });
    }

    fn time(&self) -> Now {
        let wall = NOW.plus_millis(i64::try_from(self.now).unwrap());
        Now { monotonic: self.now, wall }
    }

    /// Gives the node an input, and carries out what it wants until it rests.
    fn feed(&mut self, input: Input) {
        self.inbox.push_back(input);
        while let Some(input) = self.inbox.pop_front() {
            self.node.handle(self.time(), input);
            for effect in self.node.drain() {
                self.effects += 1;
                assert!(self.effects < EFFECTS, "work without end");
                self.carry_out(effect);
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Persist { ticket, rows } => self.persist(ticket, rows),
            Effect::Load { load, what } => {
                let loaded = self.load(&what);
                self.inbox.push_back(Input::Loaded(load, loaded));
            }
            Effect::Compute { job, what } => {
                self.inbox.push_back(Input::Computed(job, Box::new(what.run())));
            }
            Effect::Send { request, peer, channel, bytes } => {
                let number = (0..PEERS.len()).find(|number| peer_key(*number) == peer);
                let number = number.expect("sent to a stranger");
                assert!(bytes.len() <= FRAME_BYTES, "a frame that is too long");
                self.requests.push_back((request, number, channel, bytes));
            }
            Effect::Respond { inbound, bytes } => self.responded(inbound, &bytes),
            Effect::Reply { answer, .. } => self.replies.push(*answer),
            Effect::WakeAt(at) => self.wake = Some(at),
            Effect::Allow(peers) => {
                let known: BTreeSet<NodeKey> = (0..PEERS.len()).map(peer_key).collect();
                assert!(peers.is_subset(&known), "admitted a stranger");
            }
            Effect::Disconnect(peer) => {
                let number = (0..PEERS.len()).find(|number| peer_key(*number) == peer);
                self.disconnect(number.expect("a stranger was connected"));
            }
            Effect::Rewrite => self.inbox.push_back(Input::Rewritten),
            Effect::Dial { .. } | Effect::Renewed { .. } => {}
        }
    }

    fn persist(&mut self, ticket: Ticket, rows: Vec<reeve_protocol::effect::Row>) {
        for (key, value) in rows {
            match value {
                Some(value) => drop(self.rows.insert(key, value)),
                None => drop(self.rows.remove(&key)),
            }
        }
        self.inbox.push_back(Input::Persisted(ticket));
    }

    fn load(&self, what: &Load) -> Loaded {
        match what {
            Load::Get(keys) => {
                Loaded::Values(keys.iter().map(|key| self.rows.get(key).cloned()).collect())
            }
            Load::Scan { prefix, after, limit } => {
                let from = after
                    .as_ref()
                    .map_or(Bound::Included(prefix.clone()), |key| Bound::Excluded(key.clone()));
                let found = self.rows.range((from, Bound::Unbounded));
                let found = found.take_while(|(key, _)| key.starts_with(prefix)).take(*limit);
                Loaded::Rows(found.map(|(key, value)| (key.clone(), value.clone())).collect())
            }
        }
    }

    /// An answer is one, to a question that was asked, and in the one form of its channel.
    fn responded(&mut self, inbound: InboundId, bytes: &[u8]) {
        fn read<T: for<'b> Decode<'b, ()> + Encode<()>>(bytes: &[u8]) {
            decode::<T>(bytes).expect("an answer that nobody can read");
        }
        let asked = self.unanswered.remove(&inbound.0);
        let Some((_, channel)) = asked else { panic!("an answer to nothing, or a second one") };
        assert!(bytes.len() <= FRAME_BYTES, "a frame that is too long");
        match channel {
            Channel::Hello => read::<HelloAnswer>(bytes),
            Channel::Home => read::<HomeAnswer>(bytes),
            Channel::Report => read::<ReportAnswer>(bytes),
            Channel::Ledger => read::<LedgerAnswer>(bytes),
        }
    }

    fn connect(&mut self, number: usize) {
        if self.connected.insert(number) {
            self.feed(Input::Connected { peer: peer_key(number), dialled: number == 0 });
        }
    }

    fn disconnect(&mut self, number: usize) {
        self.connected.remove(&number);
        self.unanswered.retain(|_, (peer, _)| *peer != number);
        let (lost, kept): (VecDeque<_>, VecDeque<_>) =
            self.requests.drain(..).partition(|(_, peer, _, _)| *peer == number);
        self.requests = kept;
        for (request, ..) in lost {
            let result = Err(SendFailure::Disconnected);
            self.inbox.push_back(Input::Response { request, result });
        }
        self.inbox.push_back(Input::Disconnected { peer: peer_key(number) });
    }

    fn frame(&mut self, number: usize, channel: Channel, bytes: Vec<u8>) {
        self.connect(number);
        if !self.connected.contains(&number) {
            return;
        }
        self.next += 1;
        let inbound = InboundId(self.next);
        self.unanswered.insert(self.next, (number, channel));
        self.feed(Input::Frame { inbound, peer: peer_key(number), channel, bytes });
    }

    fn hello(&self, number: usize) -> Hello {
        let (unit, label, _) = PEERS[number];
        let writers = match number {
            2 => vec![Blob(house().writer(&path(OWN), "2", &[]).1.to_cbor())],
            _ => Vec::new(),
        };
        Hello {
            version: WIRE_VERSION,
            federation: house().roots.federation(),
            chain: house().node(&path(unit), label, term(number)).1.to_cbor(),
            clock: self.time().wall,
            term: term(number).unwrap_or_default(),
            catalogue_version: 0,
            writers,
            nodes: Vec::new(),
        }
    }

    /// Answers the oldest request of the node.
    fn answer(&mut self, how: Option<Vec<u8>>) {
        let Some((request, number, channel, _)) = self.requests.pop_front() else { return };
        let bytes = how.unwrap_or_else(|| match channel {
            Channel::Hello => to_vec(&HelloAnswer::Welcome(self.hello(number))),
            Channel::Home => to_vec(&HomeAnswer::Noted),
            Channel::Report => to_vec(&ReportAnswer::Accepted),
            Channel::Ledger => to_vec(&LedgerAnswer::Head(String::new())),
        });
        self.feed(Input::Response { request, result: Ok(bytes) });
    }

    fn wait(&mut self, millis: u64) {
        let until = self.now + millis.min(STEP_MS);
        while let Some(at) = self.wake.filter(|at| *at <= until) {
            self.now = at.max(self.now);
            self.wake = None;
            self.feed(Input::Wake);
        }
        self.now = until;
        self.feed(Input::Wake);
    }

    /// A statement of a peer's making, rightly signed, whatever it says.
    fn signed(&self, number: usize, body: Body) -> Option<Vec<u8>> {
        let (unit, label, _) = PEERS[number];
        let unit: UnitPath = path(unit);
        let (secret, chain) = house().node(&unit, label, term(number));
        let audience = match unit.parent() {
            Some(above) => Audience::Unit(above),
            None => Audience::Federation,
        };
        let statement = Statement {
            version: VERSION,
            federation: house().roots.federation(),
            issuer: unit,
            term: 1,
            audience,
            onward: Onward::Aggregate,
            issued_at: self.time().wall,
            valid_until: None,
            witnessed: None,
            body,
        };
        Some(sign(&statement, &secret, &chain).ok()?.to_bytes())
    }

    fn deliver(&mut self, number: usize, statement: Vec<u8>) {
        let (unit, label, _) = PEERS[number];
        let domain = house().roots.domain();
        let name = reeve_statement::cert::dns_name(&path(unit), domain).unwrap();
        self.next += 1;
        let (size, root) = (self.next, Digest::of(&self.next.to_be_bytes()));
        let checkpoint = Checkpoint { origin: Origin::of(&name, 1).unwrap(), size, root };
        let checkpoint = checkpoint.sign(&key(&format!("node {unit} {label}")));
        let message = Upward::Deliver { statement: Blob(statement), checkpoint };
        self.frame(number, Channel::Report, to_vec(&message));
    }
}

/// Operations: a byte that says what, one for whom, two with a length, and as many bytes of content.
pub fn operations(bytes: &[u8]) {
    let mut world = World::new(World::prepared().clone());
    let mut rest = bytes;
    for _ in 0..OPERATIONS {
        let Some(([what, who, high, low], tail)) = rest.split_first_chunk() else { break };
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(tail.len());
        let (content, tail) = tail.split_at(length);
        rest = tail;
        operate(&mut world, *what, usize::from(*who) % PEERS.len(), content);
    }
    // Whatever happened, the node goes on: it answers its own people.
    world.replies.clear();
    world.ask(Question::Checkpoint);
    assert_eq!(world.replies.len(), 1, "the node answers nobody any more");
}

fn operate(world: &mut World, what: u8, who: usize, content: &[u8]) {
    const CHANNELS: [Channel; 4] =
        [Channel::Hello, Channel::Home, Channel::Report, Channel::Ledger];
    match what % 12 {
        channel @ 0..=3 => world.frame(who, CHANNELS[usize::from(channel)], content.to_vec()),
        4 => world.frame(who, Channel::Hello, to_vec(&world.hello(who))),
        5 => world.answer(None),
        6 => world.answer(Some(content.to_vec())),
        7 => {
            let millis = content.iter().take(3).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            world.wait(millis);
        }
        8 => {
            world.disconnect(who);
            world.feed(Input::Wake);
        }
        9 => {
            // A statement whose body is the attacker's, rightly signed.
            let statement = from_slice::<Statement>("statement", content, STATEMENT_BYTES);
            if let Some(signed) = statement.ok().and_then(|it| world.signed(who, it.body)) {
                world.deliver(who, signed);
            }
        }
        10 => world.deliver(who, content.to_vec()),
        _ => {
            // The same, as a request or catalogue from above.
            let statement = from_slice::<Statement>("statement", content, STATEMENT_BYTES);
            if let Some(signed) = statement.ok().and_then(|it| world.signed(who, it.body)) {
                let message = reeve_protocol::wire::Downward::Ask(Blob(signed));
                world.frame(who, Channel::Report, to_vec(&message));
            }
        }
    }
}

fn operation(what: u8, who: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[what, who], length.as_slice(), content].concat()
}

/// Seeds of [`operations`].
pub fn operation_seeds() -> Vec<Vec<u8>> {
    let payloads = statement::payload_seeds();
    let hello = |who| operation(4, who, &[]);
    let quiet = operation(5, 0, &[]);
    let meet = [hello(0), quiet.clone(), quiet.clone(), hello(1), quiet.clone(), quiet].concat();
    let reports = [operation(9, 1, &payloads[0]), operation(9, 1, &payloads[1])].concat();
    let asks = operation(11, 0, &payloads[2]);
    let wait = operation(7, 0, &[0, 0x40, 0]);
    let catalogue = reeve_crdt::catalogue::parse("c.toml", CATALOGUE, schema()).unwrap();
    let published = Statement {
        version: VERSION,
        federation: house().roots.federation(),
        issuer: path("it"),
        term: 1,
        audience: Audience::Federation,
        onward: Onward::Anyone,
        issued_at: NOW,
        valid_until: None,
        witnessed: None,
        body: Body::Catalogue(catalogue),
    };
    let (authority, chain) = (key("authority it"), house().authority_chain(&path("it")));
    let published = sign(&published, &authority, &chain).unwrap().to_bytes();
    let message = reeve_protocol::wire::Downward::Distribute {
        statements: vec![Blob(published)],
        lists: Vec::new(),
    };
    let down = operation(2, 0, &to_vec(&message));
    let at_home: Vec<Vec<u8>> =
        super::wire::home_seeds().iter().map(|it| operation(1, 2, it)).collect();
    let home = [hello(2), at_home.concat()].concat();
    let reported: Vec<Vec<u8>> =
        super::wire::report_seeds().iter().map(|it| operation(2, 1, it)).collect();
    let ledger: Vec<Vec<u8>> =
        super::wire::question_seeds().iter().take(2).map(|it| operation(3, 1, it)).collect();
    vec![
        meet.clone(),
        [meet.clone(), down.clone(), wait.clone(), asks, wait.clone()].concat(),
        [meet.clone(), down, reports, wait].concat(),
        [meet.clone(), reported.concat(), ledger.concat()].concat(),
        home,
        [meet, operation(8, 1, &[]), hello(1)].concat(),
    ]
}
