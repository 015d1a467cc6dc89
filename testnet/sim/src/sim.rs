//! The engine: events in virtual time, one after the other, each drawn from the one source of chance.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reeve_crdt::schema::Schema;
use reeve_policy::authz::Role;
use reeve_protocol::bugs::Bugs;
use reeve_protocol::effect::{
    AskId, Channel, Effect, InboundId, Input, NodeKey, Now, RequestId, SendFailure,
};
use reeve_protocol::fill::Fill;
use reeve_protocol::local::{Answer, Question};
use reeve_protocol::wire::{FRAME_BYTES, Shown, SignedList};
use reeve_protocol::{Node, rows};
use reeve_statement::cert::CrlSet;
use reeve_statement::cose::Verifier;
use reeve_statement::digest::Digest;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use crate::auditors::Auditing;
use crate::calendars::OnHoliday;
use crate::consent::Consented;
use crate::disk::Disk;
use crate::invariants::{Told, invariant_queues_are_bounded};
use crate::known::Seen;
use crate::model::Model;
use crate::network::{LinkId, Network};
use crate::observe::Delivers;
use crate::plan::Plan;
use crate::registry::{NOON, Registry};
use crate::trace::{Trace, Violation};
use crate::witnesses::{Cosigned, shown};

/// How long a request waits for its answer, in milliseconds, as in the real adapter.
const REQUEST_MS: u64 = 5_000;

/// How long until a connection whose partner is silent is given up, in milliseconds: a ping and its
/// deadline.
pub(crate) const PING_MS: u64 = 15_000;

/// Shortest and longest wait before a peer is dialled again, in milliseconds.
const REDIAL_MS: (u64, u64) = (250, 4_000);

/// How long until a node that could not start is started again, in milliseconds.
const RETRY_MS: u64 = 1_000;

/// Most events at one instant: more is a loop.
const EVENTS_PER_INSTANT: u64 = 1_000_000;

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Digest of everything that happened.
    pub trace: Digest,
    /// Events.
    pub events: u64,
    /// Frames between nodes.
    pub frames: u64,
    /// Statements that honest nodes told.
    pub statements: u64,
    /// Bulletins published, and answered.
    pub bulletins: u64,
    /// Records written, changed or deleted, and acknowledged.
    pub acknowledged: u64,
    /// Crashes.
    pub crashes: u64,
    /// Virtual time, in milliseconds.
    pub virtual_ms: u64,
    /// The first invariant that did not hold.
    pub violation: Option<Violation>,
    /// The last events before it, if they were kept.
    pub lines: Vec<String>,
}

/// A node's place: where it stands, in all its lives.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) unit: UnitPath,
    pub(crate) label: String,
    pub(crate) term: Option<u64>,
    /// Error of its machine's clock, in milliseconds.
    pub(crate) skew: i64,
}

/// A living node.
pub(crate) struct Site {
    node: Node,
    life: u64,
    allowed: BTreeSet<NodeKey>,
    dials: BTreeSet<NodeKey>,
    wake: Option<u64>,
    /// Requests without an answer, with the connection that they went over.
    requests: BTreeMap<RequestId, (NodeKey, LinkId)>,
    /// Frames that it owes an answer to.
    inbound: BTreeMap<InboundId, Owed>,
}

/// To whom an answer is owed.
#[derive(Debug, Clone)]
pub(crate) struct Owed {
    pub(crate) to: NodeKey,
    request: RequestId,
    life: u64,
    link: LinkId,
    pub(crate) channel: Channel,
    /// The statement that it delivers, if it does.
    pub(crate) delivers: Option<Delivers>,
    /// The ledger that it shows to be cosigned, if it does.
    pub(crate) shown: Option<Shown>,
    /// When it came, by the clock of whoever owes the answer.
    pub(crate) arrived: Timestamp,
}

#[derive(Debug)]
pub(crate) enum Event {
    /// Something for a node in one of its lives.
    Input(NodeKey, u64, Box<Input>),
    Arrive(Box<Arrival>),
    Answered {
        to: NodeKey,
        life: u64,
        request: RequestId,
        link: LinkId,
        bytes: Vec<u8>,
    },
    Timeout {
        to: NodeKey,
        life: u64,
        request: RequestId,
    },
    Commit(NodeKey, u64),
    /// The files are rewritten once so many commits were durable.
    Rewrite(NodeKey, u64, u64),
    Wake(NodeKey, u64, u64),
    Dial {
        from: NodeKey,
        life: u64,
        to: NodeKey,
        wait: u64,
    },
    Silent(NodeKey, NodeKey, LinkId),
    Restart(NodeKey),
    PutBack(NodeKey),
    Second,
}

#[derive(Debug)]
pub(crate) struct Arrival {
    from: NodeKey,
    life: u64,
    to: NodeKey,
    link: LinkId,
    request: RequestId,
    channel: Channel,
    bytes: Vec<u8>,
    delivers: Option<Delivers>,
}

/// A federation under virtual time.
pub struct Sim {
    pub(crate) plan: Plan,
    pub(crate) bugs: Bugs,
    pub(crate) registry: Registry,
    pub(crate) verifier: Verifier,
    pub(crate) schema: Arc<Schema>,
    pub(crate) random: ChaCha8Rng,
    pub(crate) now: u64,
    queue: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    pub(crate) places: BTreeMap<NodeKey, Place>,
    pub(crate) sites: BTreeMap<NodeKey, Site>,
    pub(crate) disks: BTreeMap<NodeKey, Disk>,
    pub(crate) network: Network,
    pub(crate) answers: BTreeMap<AskId, Answer>,
    pub(crate) model: Model,
    pub(crate) told: Told,
    pub(crate) seen: Seen,
    /// What each node has cosigned.
    pub(crate) cosigned: Cosigned,
    /// What auditors know.
    pub(crate) auditing: Auditing,
    /// The newest catalogue that each unit followed.
    pub(crate) followed: BTreeMap<UnitPath, u64>,
    /// What people consented to and declared.
    pub(crate) consented: Consented,
    /// Who has a day off.
    pub(crate) on_holiday: OnHoliday,
    /// Whether everything is held against the invariants, step by step.
    pub(crate) watched: bool,
    /// Units that run on an older copy of their store for good.
    pub(crate) stopped: BTreeSet<UnitPath>,
    /// The label of the node that reports for a unit, where it is not the first.
    pub(crate) reporting: BTreeMap<UnitPath, String>,
    /// The latest term of its own unit that each node's disk told of when it issued something last.
    pub(crate) terms_known: BTreeMap<NodeKey, u64>,
    /// Nodes that are lost for good.
    pub(crate) lost: BTreeSet<NodeKey>,
    /// Whether the planned unit's authority has its other key.
    pub(crate) rekeyed: bool,
    /// Whether the certificate that ends was renewed.
    pub(crate) renewed: bool,
    pub(crate) revoked_at: BTreeMap<NodeKey, u64>,
    /// What revokes them, in the folder of the node that took it.
    pub(crate) list: Option<(NodeKey, SignedList)>,
    /// What hostile nodes have sent, to be sent again.
    pub(crate) sent: Vec<Vec<u8>>,
    /// Whether faults happen now.
    pub(crate) trouble: bool,
    pub(crate) trace: Trace,
    pub(crate) violation: Option<Violation>,
    lives: u64,
    pub(crate) next_ask: u64,
    /// Version of the newest catalogue.
    pub(crate) catalogue: u64,
    next_inbound: u64,
    pub(crate) frames: u64,
    pub(crate) statements: u64,
    /// Statements whose issue became durable.
    pub(crate) issued: u64,
    pub(crate) bulletins: u64,
    pub(crate) crashes: u64,
}

impl Sim {
    /// A federation that is founded and at rest.
    ///
    /// # Panics
    /// If it cannot be founded: that is the simulator's own mistake.
    #[must_use]
    pub fn new(plan: Plan, lines: bool) -> Self {
        Self::with(plan, lines, Bugs::default())
    }

    /// The same with deliberate faults in every core.
    ///
    /// # Panics
    /// As [`Sim::new`].
    #[must_use]
    pub fn with(plan: Plan, lines: bool, bugs: Bugs) -> Self {
        let mut sim = Self::unfounded(plan, lines, bugs);
        sim.found();
        sim
    }

    /// A federation that is not founded yet.
    pub(crate) fn unfounded(plan: Plan, lines: bool, bugs: Bugs) -> Self {
        let mut registry = Registry::new();
        if let Some(unit) = &plan.expiring {
            registry.let_end(unit, NOON + plan.middle_of_trouble());
        }
        let verifier = Verifier::new(registry.roots.clone(), CrlSet::default());
        Self {
            random: ChaCha8Rng::seed_from_u64(plan.seed ^ 0x5eed),
            verifier,
            schema: Arc::new(Schema::parse("schema.toml", crate::model::SCHEMA).unwrap()),
            plan,
            bugs,
            registry,
            now: 0,
            queue: BTreeMap::new(),
            sequence: 0,
            places: BTreeMap::new(),
            sites: BTreeMap::new(),
            disks: BTreeMap::new(),
            network: Network::default(),
            answers: BTreeMap::new(),
            model: Model::default(),
            told: Told::default(),
            seen: Seen::default(),
            cosigned: Cosigned::default(),
            auditing: Auditing::default(),
            followed: BTreeMap::new(),
            consented: Consented::default(),
            on_holiday: OnHoliday::default(),
            watched: true,
            stopped: BTreeSet::new(),
            rekeyed: false,
            reporting: BTreeMap::new(),
            terms_known: BTreeMap::new(),
            lost: BTreeSet::new(),
            renewed: false,
            revoked_at: BTreeMap::new(),
            list: None,
            sent: Vec::new(),
            trouble: false,
            trace: Trace::new(lines),
            violation: None,
            lives: 0,
            next_ask: 0,
            catalogue: 0,
            next_inbound: 0,
            frames: 0,
            statements: 0,
            issued: 0,
            bulletins: 0,
            crashes: 0,
        }
    }

    /// Runs to the end, or to the first invariant that does not hold.
    #[must_use]
    pub fn run(mut self) -> Report {
        self.live();
        self.into_report()
    }

    /// Runs to the end; what happened, and the files of a proof bundle about what the top told last, with
    /// everything that every node keeps.
    #[must_use]
    pub fn run_for_audit(mut self) -> (Report, Vec<(String, Vec<u8>)>) {
        self.live();
        let files = self.evidence();
        (self.into_report(), files)
    }

    fn live(&mut self) {
        for round in 0..self.plan.rounds {
            self.trouble_for(self.plan.trouble_ms);
            if round == 0 {
                self.revoke_planned();
            }
            self.quiet_and_check();
            if self.violation.is_some() {
                return;
            }
        }
        self.expire_planned();
    }

    fn into_report(self) -> Report {
        Report {
            seed: self.plan.seed,
            trace: self.trace.digest(),
            events: self.trace.events(),
            frames: self.frames,
            statements: self.statements,
            bulletins: self.bulletins,
            acknowledged: self.model.acknowledged,
            crashes: self.crashes,
            virtual_ms: self.now,
            violation: self.violation,
            lines: self.trace.lines(),
        }
    }

    fn trouble_for(&mut self, millis: u64) {
        self.trouble = true;
        self.push(self.now + 1, Event::Second);
        self.run_until(self.now + millis);
        self.trouble = false;
    }

    pub(crate) fn violated(&mut self, invariant: &'static str, found: Result<(), String>) {
        if let Err(what) = found
            && self.violation.is_none()
        {
            self.violation = Some(Violation { invariant, what, at: self.now });
        }
    }

    pub(crate) fn push(&mut self, at: u64, event: Event) {
        self.sequence += 1;
        self.queue.insert((at.max(self.now), self.sequence), event);
    }

    pub(crate) fn chance(&mut self, of_thousand: u32) -> bool {
        of_thousand > 0 && self.random.random_range(0..1_000) < of_thousand
    }

    /// Lets everything happen up to a time.
    pub(crate) fn run_until(&mut self, end: u64) {
        let mut at_once = 0;
        while self.violation.is_none() {
            let Some((&(at, _), _)) = self.queue.first_key_value() else { break };
            if at > end {
                break;
            }
            at_once = if at == self.now { at_once + 1 } else { 0 };
            assert!(at_once < EVENTS_PER_INSTANT, "the federation never comes to rest at {at} ms");
            self.now = at;
            if let Some((_, event)) = self.queue.pop_first() {
                self.happen(event);
            }
        }
        self.now = self.now.max(end);
    }

    pub(crate) fn happen(&mut self, event: Event) {
        match event {
            Event::Input(to, life, input) => self.feed(to, life, *input),
            Event::Arrive(arrival) => self.arrive(*arrival),
            Event::Answered { to, life, request, link, bytes } => {
                let open = self.sites.get_mut(&to).filter(|site| site.life == life);
                let Some(site) = open else { return };
                if site.requests.get(&request).is_some_and(|(_, over)| *over == link) {
                    site.requests.remove(&request);
                    self.feed(to, life, Input::Response { request, result: Ok(bytes) });
                }
            }
            Event::Timeout { to, life, request } => {
                let open = self.sites.get_mut(&to).filter(|site| site.life == life);
                if open.is_some_and(|site| site.requests.remove(&request).is_some()) {
                    let result = Err(SendFailure::TimedOut);
                    self.feed(to, life, Input::Response { request, result });
                }
            }
            Event::Commit(site, life) => self.commit(site, life),
            Event::Rewrite(site, life, after) => self.rewrite(site, life, after),
            Event::Wake(site, life, at) => {
                let wish =
                    self.sites.get_mut(&site).filter(|s| s.life == life && s.wake == Some(at));
                if let Some(wish) = wish {
                    wish.wake = None;
                    self.feed(site, life, Input::Wake);
                }
            }
            Event::Dial { from, life, to, wait } => self.dial(from, life, to, wait),
            Event::Silent(a, b, link) => {
                let blocked = self.network.is_blocked(a, b) || self.network.is_blocked(b, a);
                if blocked && self.network.link(a, b) == Some(link) {
                    self.unlink(a, b);
                }
            }
            Event::Restart(key) => self.start(key),
            Event::PutBack(key) => {
                if self.disks.get(&key).is_some_and(Disk::is_old) {
                    self.stop(key, 0);
                    self.disks.get_mut(&key).unwrap().put_back();
                    self.forget_accepted(key);
                    self.start(key);
                }
            }
            Event::Second => self.second(),
        }
    }

    /// Gives a node an input, and carries out what it wants.
    pub(crate) fn feed(&mut self, key: NodeKey, life: u64, input: Input) {
        let now = Now { monotonic: self.now, wall: self.wall_at(key) };
        let Some(place) = self.places.get(&key) else { return };
        let Some(site) = self.sites.get_mut(&key).filter(|site| site.life == life) else { return };
        let parts: [&[u8]; 2] = [&key.0, input_label(&input).as_bytes()];
        let line = || format!("{} {} {}", place.unit, place.label, input_label(&input));
        self.trace.note(self.now, &parts, line);
        site.node.handle(now, input);
        let effects = site.node.drain();
        let over = site.node.fills().into_iter().find(|fill| fill.held > fill.most);
        if let Some(Fill { what, held, most }) = over {
            let found = invariant_queues_are_bounded(held, most, what);
            self.violated("queues_are_bounded", found);
        }
        for effect in effects {
            let crashes = if self.trouble { self.plan.faults.crashes } else { 0 };
            if self.chance(crashes) {
                return self.crash(key);
            }
            self.carry_out(key, life, effect);
        }
    }

    pub(crate) fn life(&self, key: NodeKey) -> Option<u64> {
        self.sites.get(&key).map(|site| site.life)
    }

    pub(crate) fn is_up(&self, key: NodeKey) -> bool {
        self.sites.contains_key(&key)
    }

    pub(crate) fn input(&mut self, key: NodeKey, input: Input) {
        if let Some(life) = self.life(key) {
            self.push(self.now, Event::Input(key, life, Box::new(input)));
        }
    }

    fn carry_out(&mut self, key: NodeKey, life: u64, effect: Effect) {
        match effect {
            Effect::Persist { ticket, rows } => {
                self.disks.get_mut(&key).unwrap().persist(ticket, rows);
                let longest = self.plan.faults.commit_ms;
                let after = self.random.random_range(1..=longest);
                self.push(self.now + after, Event::Commit(key, life));
            }
            Effect::Load { load, what } => {
                let loaded = self.disks[&key].load(&what);
                self.push(self.now, Event::Input(key, life, Box::new(Input::Loaded(load, loaded))));
            }
            Effect::Compute { job, what } => {
                let result = Box::new(what.run());
                let longest = if self.trouble { self.plan.faults.compute_ms } else { 0 };
                let after = if longest > 0 { self.random.random_range(0..=longest) } else { 0 };
                let done = Box::new(Input::Computed(job, result));
                self.push(self.now + after, Event::Input(key, life, done));
            }
            Effect::Send { request, peer, channel, bytes } => {
                self.send(key, request, peer, channel, bytes);
            }
            Effect::Respond { inbound, bytes } => self.respond(key, inbound, bytes),
            Effect::Reply { ask, answer } => self.reply(key, ask, *answer),
            Effect::WakeAt(at) => {
                let at = at.max(self.now);
                self.sites.get_mut(&key).unwrap().wake = Some(at);
                self.push(at, Event::Wake(key, life, at));
            }
            Effect::Allow(peers) => {
                let site = self.sites.get_mut(&key).unwrap();
                site.allowed = peers;
                let allowed = site.allowed.clone();
                for peer in self.network.peers(key) {
                    if !allowed.contains(&peer) {
                        self.unlink(key, peer);
                    }
                }
            }
            Effect::Dial { peer, .. } => {
                self.sites.get_mut(&key).unwrap().dials.insert(peer);
                let wait = REDIAL_MS.0;
                self.push(self.now, Event::Dial { from: key, life, to: peer, wait });
            }
            Effect::Disconnect(peer) => self.unlink(key, peer),
            Effect::Rewrite => {
                let after = self.random.random_range(1..=self.plan.faults.commit_ms);
                let commits = self.disks[&key].handed_out();
                self.push(self.now + after, Event::Rewrite(key, life, commits));
            }
            // The registry knows the newest chains.
            Effect::Renewed { .. } => {}
        }
    }

    fn rewrite(&mut self, key: NodeKey, life: u64, after: u64) {
        if self.life(key) != Some(life) {
            return;
        }
        if self.disks[&key].committed() < after {
            return self.push(self.now + 1, Event::Rewrite(key, life, after));
        }
        self.disks.get_mut(&key).unwrap().rewrite();
        self.feed(key, life, Input::Rewritten);
    }

    fn commit(&mut self, key: NodeKey, life: u64) {
        if self.life(key) != Some(life) {
            return;
        }
        let failing = if self.trouble { self.plan.faults.failed_commits } else { 0 };
        let full = self.disks[&key].full_until > self.now;
        if full || self.chance(failing) {
            // Nothing may be spoken after a failed commit: the driver stops the node.
            return self.crash(key);
        }
        let Some(ticket) = self.disks.get_mut(&key).unwrap().commit() else { return };
        self.observe_disk(key);
        self.feed(key, life, Input::Persisted(ticket));
    }

    fn send(
        &mut self,
        from: NodeKey,
        request: RequestId,
        to: NodeKey,
        channel: Channel,
        bytes: Vec<u8>,
    ) {
        let life = self.life(from).unwrap();
        let Some(link) = self.network.link(from, to) else {
            let result = Err(SendFailure::Disconnected);
            let input = Box::new(Input::Response { request, result });
            return self.push(self.now, Event::Input(from, life, input));
        };
        self.sites.get_mut(&from).unwrap().requests.insert(request, (to, link));
        self.push(self.now + REQUEST_MS, Event::Timeout { to: from, life, request });
        for bytes in self.as_sent(from, channel, bytes) {
            self.frames += 1;
            let mut delivers = None;
            if self.watched {
                delivers = self.look_at_frame(from, channel, &bytes);
                self.observe_send(from, to, &bytes, delivers.as_ref());
                self.observe_shown(from, channel, &bytes);
            }
            let copies = 1 + usize::from(self.trouble && self.chance(self.plan.faults.duplicates));
            for _ in 0..copies {
                let (bytes, delivers) = (bytes.clone(), delivers.clone());
                let arrival = Arrival { from, life, to, link, request, channel, bytes, delivers };
                if let Some(after) = self.way(from, to) {
                    self.push(self.now + after, Event::Arrive(Box::new(arrival)));
                }
            }
        }
    }

    /// How long a frame is on its way; none: it is lost.
    fn way(&mut self, from: NodeKey, to: NodeKey) -> Option<u64> {
        if self.network.is_blocked(from, to) || (self.trouble && self.chance(self.plan.faults.loss))
        {
            return None;
        }
        let longest = if self.trouble { self.plan.faults.delay_ms } else { 5 };
        Some(self.random.random_range(1..=longest))
    }

    fn arrive(&mut self, arrival: Arrival) {
        let Arrival { from, life, to, link, request, channel, bytes, delivers } = arrival;
        if self.network.link(from, to) != Some(link) || bytes.len() > FRAME_BYTES {
            // What is too long never reaches a core: the adapter reads the length first.
            return;
        }
        let Some(receiver) = self.life(to) else { return };
        self.next_inbound += 1;
        let inbound = InboundId(self.next_inbound);
        if let Some(Delivers { digest, .. }) = &delivers {
            self.seen.received.insert((to, *digest));
        }
        let arrived = self.wall_at(to);
        let shown = shown(channel, &bytes);
        let owed = Owed { to: from, request, life, link, channel, delivers, shown, arrived };
        self.sites.get_mut(&to).unwrap().inbound.insert(inbound, owed);
        self.feed(to, receiver, Input::Frame { inbound, peer: from, channel, bytes });
    }

    fn respond(&mut self, key: NodeKey, inbound: InboundId, bytes: Vec<u8>) {
        let Some(owed) = self.sites.get_mut(&key).unwrap().inbound.remove(&inbound) else { return };
        if self.watched {
            self.observe_answer(key, &owed, &bytes);
        }
        if self.network.link(key, owed.to) != Some(owed.link) {
            return;
        }
        self.frames += 1;
        let Owed { to, request, life, link, .. } = owed;
        if let Some(after) = self.way(key, to) {
            self.push(self.now + after, Event::Answered { to, life, request, link, bytes });
        }
    }

    fn dial(&mut self, from: NodeKey, life: u64, to: NodeKey, wait: u64) {
        if self.life(from) != Some(life) || self.network.link(from, to).is_some() {
            return;
        }
        let open = !self.network.is_blocked(from, to) && !self.network.is_blocked(to, from);
        let allows = |a: &NodeKey, b: &NodeKey| {
            self.sites.get(a).is_some_and(|site| site.allowed.contains(b))
        };
        if open && allows(&from, &to) && allows(&to, &from) {
            self.network.connect(from, to);
            self.input(from, Input::Connected { peer: to, dialled: true });
            self.input(to, Input::Connected { peer: from, dialled: false });
        } else if self.sites[&from].dials.contains(&to) {
            let next = (wait * 2).min(REDIAL_MS.1);
            self.push(self.now + wait, Event::Dial { from, life, to, wait: next });
        }
    }

    /// Ends a connection; both sides hear of it, and what they asked is not answered.
    fn unlink(&mut self, a: NodeKey, b: NodeKey) {
        let Some(link) = self.network.disconnect(a, b) else { return };
        for (one, other) in [(a, b), (b, a)] {
            let Some(site) = self.sites.get_mut(&one) else { continue };
            let life = site.life;
            let lost: Vec<RequestId> = site
                .requests
                .iter()
                .filter(|(_, (_, over))| *over == link)
                .map(|(request, _)| *request)
                .collect();
            site.requests.retain(|_, (_, over)| *over != link);
            site.inbound.retain(|_, owed| owed.link != link);
            let dials = site.dials.contains(&other);
            for request in lost {
                let result = Err(SendFailure::Disconnected);
                self.input(one, Input::Response { request, result });
            }
            self.input(one, Input::Disconnected { peer: other });
            if dials {
                let at = self.now + REDIAL_MS.0;
                let wait = REDIAL_MS.0;
                self.push(at, Event::Dial { from: one, life, to: other, wait });
            }
        }
    }

    pub(crate) fn stop(&mut self, key: NodeKey, reached: usize) {
        let place = &self.places[&key];
        self.trace
            .note(self.now, &[&key.0, b"gone"], || format!("{} {} GONE", place.unit, place.label));
        self.sites.remove(&key);
        self.disks.get_mut(&key).unwrap().crash(reached);
        self.observe_disk(key);
        self.model.lose(key);
        for peer in self.network.peers(key) {
            self.unlink(key, peer);
        }
    }

    /// Starts a node on what its disk holds.
    pub(crate) fn start(&mut self, key: NodeKey) {
        if self.sites.contains_key(&key) || self.lost.contains(&key) {
            return;
        }
        self.lives += 1;
        let life = self.lives;
        let settings = self.settings(key);
        let now = Now { monotonic: self.now, wall: self.wall_at(key) };
        let Ok(mut node) = Node::new(settings, now) else {
            // Its own certificate has ended: it waits for a new one.
            return self.push(self.now + RETRY_MS, Event::Restart(key));
        };
        let disk = self.disks.entry(key).or_default();
        for prefix in rows::RESTORED {
            let from = disk.rows.range(prefix.to_vec()..);
            for (row, value) in from.take_while(|(row, _)| row.starts_with(prefix)) {
                node.restore(row, value).unwrap();
            }
        }
        let site = Site {
            node,
            life,
            allowed: BTreeSet::new(),
            dials: BTreeSet::new(),
            wake: None,
            requests: BTreeMap::new(),
            inbound: BTreeMap::new(),
        };
        self.sites.insert(key, site);
        self.feed(key, life, Input::Started);
        // What a host's folder says is passed on at every start.
        if let Some((host, list)) = self.list.clone()
            && host == key
        {
            self.send_ask(key, Role::Operator, Question::TakeList(list));
        }
    }
}

const fn input_label(input: &Input) -> &'static str {
    match input {
        Input::Started => "started",
        Input::Wake => "wake",
        Input::Space { .. } => "space",
        Input::Connected { .. } => "connected",
        Input::Disconnected { .. } => "disconnected",
        Input::Frame { .. } => "frame",
        Input::Response { result: Ok(_), .. } => "response",
        Input::Response { result: Err(_), .. } => "no response",
        Input::Ask { .. } => "ask",
        Input::Persisted(_) => "durable",
        Input::Rewritten => "rewritten",
        Input::Loaded(..) => "loaded",
        Input::Computed(..) => "computed",
    }
}
