//! Founding a federation, asking its nodes, and what people do with them.

use rand::Rng;
use reeve_crdt::record::{Record, RecordId, Value};
use reeve_crdt::schema::closure::{self, Closure};
use reeve_crdt::twin::RecordOp;
use reeve_policy::authz::{Person, Role, Scope};
use reeve_protocol::consent::Adopter;
use reeve_protocol::effect::{AskId, Input, NodeKey};
use reeve_protocol::local::{Answer, Ask, Question};
use reeve_protocol::settings::{DialledPeer, Purpose, Settings, Writer};
use reeve_statement::catalogue::Titles;
use reeve_statement::names::KindId;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use crate::disk::Disk;
use crate::model::{CANARY, Closing, DAYS, INDICATORS, Name, Said, WARDS, catalogue_text};
use crate::registry::{NOON, key, node_key, seed};
use crate::sim::{Place, Sim};

/// Records that one node's clients know of: few, so that most writes change one that is there.
const RECORDS_PER_NODE: u32 = 30;

/// Seconds of trouble in which a day is closed somewhere, of 1,000.
const CLOSINGS: u32 = 300;

/// How long anything that is asked in quiet may take, in milliseconds.
const ANSWER_MS: u64 = 60_000;

/// How long a newcomer may take to meet its superior, in quiet, in milliseconds.
const MEETING_MS: u64 = 1_000;

pub(crate) fn person(role: Role) -> Person {
    Person {
        name: format!("{CANARY} person"),
        role,
        kinds: Scope::All,
        areas: Scope::All,
        indicators: Scope::All,
    }
}

/// The policy of a new node.
pub(crate) const POLICY: &str = include_str!("../../../policy/src/authz/default.cedar");

/// The label of the node that reports.
pub(crate) const REPORTING: &str = "1";

impl Sim {
    /// Founds the federation of the plan, in quiet.
    pub(crate) fn found(&mut self) {
        for unit in self.plan.units.clone() {
            let nodes = self.plan.homes.get(&unit).copied().unwrap_or(1);
            for label in 1..=nodes {
                self.add(&unit, &label.to_string());
            }
        }
        let publish = self.next_catalogue();
        let top = self.reporter(&self.plan.units[0]);
        let answer = self.ask(top, Role::Operator, publish);
        assert!(matches!(answer, Some(Answer::Done)), "{answer:?}");
        self.run_until(self.now + 2_000);
    }

    /// The next version of the catalogue, signed at the top.
    fn next_catalogue(&mut self) -> Question {
        self.catalogue += 1;
        let text = catalogue_text(self.catalogue, self.has_calendars());
        let catalogue = reeve_crdt::catalogue::parse("catalogue.toml", &text, &self.schema);
        let catalogue = catalogue.unwrap();
        self.propose(&catalogue);
        let top = self.plan.units[0].clone();
        Question::Publish(self.registry.catalogue(&top, catalogue))
    }

    /// The top publishes another catalogue, if it is up.
    pub(crate) fn change_catalogue(&mut self) {
        let top = self.reporter(&self.plan.units[0]);
        if self.is_up(top) {
            let publish = self.next_catalogue();
            self.send_ask(top, Role::Operator, publish);
        }
    }

    /// A home declines what its superior asks from now on, or no longer.
    pub(crate) fn change_policy(&mut self, at: NodeKey, declines: bool) {
        let policy = self.policy(declines);
        self.send_ask(at, Role::Operator, Question::SetPolicy(Box::new(policy), Adopter::Alone));
    }

    /// A clerk says at some leaf that a day is complete.
    pub(crate) fn close_something(&mut self) {
        let leaves: Vec<UnitPath> = self.plan.leaves().cloned().collect();
        let unit = &leaves[self.random.random_range(0..leaves.len())];
        let at = self.reporter(unit);
        let (_, kind) = INDICATORS[self.random.random_range(0..INDICATORS.len())];
        let day = DAYS[self.random.random_range(0..DAYS.len())];
        let doomed = self.plan.by_force && self.plan.handed.as_ref() == Some(unit);
        if !self.is_up(at) || self.disks[&at].is_old() || doomed || !self.chance(CLOSINGS) {
            return;
        }
        let (source, reason) = self.draw_source();
        let what = Question::Close {
            kind: KindId::new(kind).unwrap(),
            source: source.to_owned(),
            periods: vec![day.parse().unwrap()],
            reason,
        };
        let ask = self.send_ask(at, Role::Writer, what);
        self.model.ask_closure(ask, (at, kind, day, source));
    }

    /// Whether a period is closed at its node.
    pub(crate) fn is_closed(&mut self, (at, kind, day, source): Closing) -> Option<bool> {
        let closure = Closure {
            source: source.to_owned(),
            kind: KindId::new(kind).unwrap(),
            period: day.parse().unwrap(),
            closed_at: Timestamp::from_millis(NOON),
            file_hash: None,
            reason: None,
        };
        let question = Question::Record { kind: closure::kind_id(), id: closure.id().unwrap() };
        match self.ask(at, Role::Writer, question)? {
            Answer::Record(record) => Some(record.is_some()),
            other => panic!("{other:?}"),
        }
    }

    fn add(&mut self, unit: &UnitPath, label: &str) {
        let term = (label == REPORTING).then_some(1);
        let key = self.key_of(unit, label);
        let place = Place { unit: unit.clone(), label: label.to_owned(), term, skew: 0 };
        self.places.insert(key, place);
        self.disks.insert(key, Disk::default());
        self.model.place(key, unit);
        self.start(key);
        let others: Vec<(NodeKey, Place)> =
            self.places.iter().map(|(key, place)| (*key, place.clone())).collect();
        for (host, other) in others {
            if host == key || !(unit.is_child_of(&other.unit) || *unit == other.unit) {
                continue;
            }
            self.admit(host, key);
            if other.unit == *unit {
                self.admit(key, host);
            }
        }
        // It signs nothing before it has met its superior.
        self.run_until(self.now + MEETING_MS);
    }

    fn admit(&mut self, host: NodeKey, newcomer: NodeKey) {
        let Place { unit, label, term, .. } = self.places[&newcomer].clone();
        let chain = self.registry.node(&unit, &label, term).to_cbor();
        let admit = Question::Admit { chain, names: Titles::default(), time_zone: None };
        let answer = self.ask(host, Role::Operator, admit);
        assert!(matches!(answer, Some(Answer::Done)), "{answer:?}");
    }

    /// The node that reports for a unit.
    pub(crate) fn reporter(&self, unit: &UnitPath) -> NodeKey {
        self.key_of(unit, self.reporting.get(unit).map_or(REPORTING, String::as_str))
    }

    pub(crate) fn key_of(&self, unit: &UnitPath, label: &str) -> NodeKey {
        NodeKey(node_key(unit, label).public().to_bytes())
    }

    pub(crate) fn settings(&mut self, at: NodeKey) -> Settings {
        let Place { unit, label, term, .. } = self.places[&at].clone();
        let dials = |other: &Place| {
            unit.is_child_of(&other.unit) || (unit == other.unit && other.label < label)
        };
        let dial = self
            .places
            .iter()
            .filter(|(_, other)| dials(other))
            .map(|(key, _)| DialledPeer { key: *key, addresses: Vec::new() })
            .collect();
        Settings {
            bugs: self.bugs,
            issued: Vec::new(),
            roots: self.registry.roots.clone(),
            key: node_key(&unit, &label),
            chain: self.registry.node(&unit, &label, term),
            term,
            writer: Writer {
                key: key(&format!("writer {unit} {label}")),
                chain: self.registry.writer(&unit, &label, Vec::new()),
            },
            schema: Some(self.schema.clone()),
            time_zone: "UTC".to_owned(),
            policy: self.policy(false),
            accepted: self.accepted(),
            dial,
            sources: self.sources(),
            scheduled_retention: false,
            entropy: seed(&format!("entropy {unit} {label} {}", self.now)),
            purpose: Purpose { purpose: "test".to_owned(), legal_basis: "Test Act".to_owned() },
            unit,
        }
    }

    pub(crate) fn send_ask(&mut self, at: NodeKey, role: Role, what: Question) -> AskId {
        self.next_ask += 1;
        let ask = AskId(self.next_ask);
        self.input(at, Input::Ask { ask, what: Box::new(Ask { who: person(role), what }) });
        ask
    }

    /// Asks a node in quiet, and waits for the answer; none once an invariant is broken.
    pub(crate) fn ask(&mut self, at: NodeKey, role: Role, what: Question) -> Option<Answer> {
        let ask = self.send_ask(at, role, what);
        let end = self.now + ANSWER_MS;
        while self.violation.is_none() {
            if let Some(answer) = self.answers.remove(&ask) {
                return Some(answer);
            }
            if self.now >= end {
                let what = format!("no answer from {}", self.places[&at].unit);
                self.violated("every_ask_is_answered", Err(what));
            }
            self.run_until(self.now + 1);
        }
        None
    }

    pub(crate) fn reply(&mut self, from: NodeKey, ask: AskId, answer: Answer) {
        let Some(answer) = self.answer_auditor(from, ask, answer) else { return };
        if let Answer::Bulletin(Some(view)) = &answer {
            self.observe_published(from, &view.row.statement);
        }
        match answer {
            Answer::Written(_) if self.model.acknowledge(ask) => {}
            other => {
                self.model.refuse(ask);
                self.answers.insert(ask, other);
            }
        }
    }

    /// A client writes, changes or deletes a record at some leaf.
    pub(crate) fn write_something(&mut self) {
        let leaves: Vec<UnitPath> = self.plan.leaves().cloned().collect();
        let unit = leaves[self.random.random_range(0..leaves.len())].clone();
        let nodes = self.plan.homes.get(&unit).copied().unwrap_or(1);
        let label = self.random.random_range(1..=nodes).to_string();
        let at = self.key_of(&unit, &label);
        let number = self.random.random_range(0..RECORDS_PER_NODE);
        let patient = self.random.random_bool(0.5);
        let day = DAYS[self.random.random_range(0..DAYS.len())];
        let ward = patient.then(|| WARDS[self.random.random_range(0..WARDS.len())]);
        let said = self.random.random_bool(0.85).then_some(Said { day, ward });
        let kind = if patient { "patient" } else { "case" };
        let name: Name = (at, format!("{kind}-{label}-{number}"));
        // Nobody writes into an image that is about to be put aside.
        // Whoever is lost for good loses what only it had: nobody writes there before.
        let doomed = self.plan.by_force && self.plan.handed.as_ref() == Some(&unit);
        let doomed = doomed && label == REPORTING;
        if !self.is_up(at) || self.disks[&at].is_old() || self.model.is_open(&name) || doomed {
            return;
        }
        let op = self.operation(kind, &name.1, said);
        let kind = KindId::new(kind).unwrap();
        let ask =
            self.send_ask(at, Role::Writer, Question::Write { kind, ops: vec![op], import: None });
        self.model.ask(ask, name, said);
    }

    pub(crate) fn operation(&self, kind: &str, id: &str, said: Option<Said>) -> RecordOp {
        let id = RecordId::new(id).unwrap();
        let Some(Said { day, ward }) = said else { return RecordOp::Delete { id } };
        let kind = self.schema.kind(kind).unwrap();
        let date = if ward.is_some() { "seen_on" } else { "reported_on" };
        let note = format!("{CANARY} free text");
        let fields = [(date, Some(day)), ("ward", ward), ("note", Some(note.as_str()))];
        let mut record = Record::new();
        for (name, text) in fields {
            let Some(text) = text else { continue };
            let field = kind.field(name).unwrap();
            record.set(field.id.clone(), Value::parse(&field.field_type, text).unwrap());
        }
        RecordOp::Put { id, record: kind.validate(record).unwrap() }
    }

    /// What a record says at its node.
    pub(crate) fn said(&mut self, name: &Name) -> Option<Said> {
        let (at, id) = name;
        let kind = KindId::new(id.split('-').next().unwrap()).unwrap();
        let question = Question::Record { kind, id: RecordId::new(id).unwrap() };
        let record = match self.ask(*at, Role::Writer, question)? {
            Answer::Record(record) => record?,
            other => panic!("{other:?}"),
        };
        let text = |field: &str| match record.get(field) {
            Some(Value::Date(day)) => Some(day.to_string()),
            Some(other) => other.as_text().map(str::to_owned),
            None => None,
        };
        let day = text("seen_on").or_else(|| text("reported_on"))?;
        let day = DAYS.into_iter().find(|known| *known == day)?;
        let ward = text("ward").and_then(|ward| WARDS.into_iter().find(|known| *known == ward));
        Some(Said { day, ward })
    }

    /// The planned node is revoked at its superior, half-way.
    pub(crate) fn revoke_planned(&mut self) {
        let Some(unit) = self.plan.revoked.clone() else { return };
        let above = unit.parent().unwrap();
        self.calm_down();
        let host = self.reporter(&above);
        let at = NOON + i64::try_from(self.now).unwrap();
        let list = self.registry.revoke(&unit, REPORTING, 1, at);
        self.list = Some((host, list.clone()));
        let answer = self.ask(host, Role::Operator, Question::TakeList(list));
        assert!(matches!(answer, None | Some(Answer::Done)), "{answer:?}");
        let key = self.reporter(&unit);
        self.revoked_at.insert(key, self.now);
    }

    /// Whether a unit and all above it are honest, believed, and on their newest stores.
    pub(crate) fn is_sound_up(&self, unit: &UnitPath) -> bool {
        let gone = self.plan.revoked.as_ref().filter(|_| !self.revoked_at.is_empty());
        let broken = self.stopped.iter().chain(gone).any(|other| unit.is_within(other));
        self.plan.is_honest(unit) && !broken
    }
}
