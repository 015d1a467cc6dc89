//! Local asks: each is decided by the policy, then answered or declined.

use reeve_policy::authz::{
    Action, Circumstances, Decision, Person, Principal, Question as Asked, Resource,
};
use reeve_statement::catalogue::RecipientClass;
use reeve_statement::cbor::to_vec;
use reeve_statement::digest::Digest;
use reeve_statement::ledger::{InclusionProof, NodeAddress, inclusion_proof, verify_inclusion};
use reeve_statement::names::{IndicatorId, KindId};
use reeve_statement::statement::StatementKind;
use reeve_statement::unit::UnitPath;

use crate::audited::TreeFor;
use crate::bulletin::page;
use crate::consent::Adopt;
use crate::effect::{AskId, InboundId, Load, LoadId, Loaded, NodeKey};
use crate::home::{OPS_PER_ASK, QUEUED_TASKS, Task};
use crate::ledger::{loaded_nodes, node_key, nodes_for};
use crate::local::{Answer, Ask, Failure, Question};
use crate::node::Node;
use crate::refusal::Refusal;
use crate::register::registered;
use crate::report::VerifiedFor;
use crate::rows::{self, CosignedRow, IssuedRow, SentRow};
use crate::tiles::Tile;
use crate::trust::Standing;
use crate::wire::{LedgerAnswer, LedgerMessage, decode};

/// Most entries of one page of what left the house.
const SENT_PAGE: usize = 1_000;

/// Most entries of one page of what was issued: each holds a certificate.
const ISSUED_PAGE: usize = 200;

/// What a load was for.
#[derive(Debug)]
pub(crate) enum AskedLoad {
    /// Entries of the places from `first` to before `end` of a term's ledger.
    Sent {
        ask: AskId,
        term: u64,
        first: u64,
        end: u64,
        limit: usize,
    },
    Issued(AskId),
    BulletinPlaces(AskId),
    Bulletins(AskId),
    Bulletin(AskId),
    Statement(AskId),
    Tile {
        ask: AskId,
        tile: Tile,
    },
    Proof {
        to: ProofFor,
        wanted: Wanted,
    },
    Request(Digest),
    Cosigned(AskId),
    Tree {
        ask: AskId,
        term: u64,
        size: u64,
        nodes: Vec<NodeAddress>,
        what: TreeFor,
    },
}

/// Which proof, and the nodes of the tree that it is made of.
#[derive(Debug)]
pub(crate) struct Wanted {
    term: u64,
    index: u64,
    size: u64,
    nodes: Vec<NodeAddress>,
}

/// Who waits for a proof.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ProofFor {
    Ask(AskId),
    Peer(InboundId),
}

impl Node {
    pub(crate) fn on_ask(&mut self, ask: AskId, what: Ask) {
        let Ask { who, what } = what;
        if let Question::Situation { indicator, day, own } = what {
            let answer = match self.answer_situation(&who, &indicator, day, own) {
                Ok(answer) => answer,
                Err(answer) => *answer,
            };
            return self.context.reply(ask, answer);
        }
        let name = who.name.clone();
        match (self.authorise(who, &what), what) {
            (Ok(()), Question::Adopt(what, adopter)) => self.adopt(ask, name, what, adopter),
            (Ok(()), Question::SetPolicy(policy, adopter)) => {
                self.set_policy(ask, name, *policy, adopter);
            }
            (Ok(()), Question::PublishBulletin(choice, publisher)) => {
                self.publish_bulletin(ask, &name, &choice, publisher);
            }
            (Ok(()), what) => self.answer_ask(ask, what),
            (Err(answer), _) => self.context.reply(ask, *answer),
        }
    }

    /// Which period is shown is found out first: the policy may say something else of each.
    fn answer_situation(
        &self,
        who: &Person,
        indicator: &IndicatorId,
        day: Option<jiff::civil::Date>,
        own: bool,
    ) -> Result<Answer, Box<Answer>> {
        let Resource::Indicator(known) = self.indicator_resource(indicator)? else {
            return Err(failed(Failure::UnknownIndicator(indicator.clone())));
        };
        let may_see = |period| {
            let circumstances = Circumstances {
                period: Some(period),
                area: Some(self.settings.unit.clone()),
                own,
                ..Circumstances::default()
            };
            let question = Asked {
                principal: Principal::Person(who.clone()),
                action: Action::Query,
                resource: Resource::Indicator(known.clone()),
                circumstances,
            };
            match self.policy.decide(&question) {
                Decision::Permit(_) => Ok(()),
                Decision::Decline(refusal) => Err(Box::new(Answer::Declined(refusal))),
            }
        };
        let view = self.view_situation(&known, day, own, may_see)?;
        Ok(Answer::Situation(Box::new(view)))
    }

    /// Asks the policy whether this person may ask this.
    fn authorise(&self, who: Person, what: &Question) -> Result<(), Box<Answer>> {
        let (action, resource) = self.resource_of(what)?;
        let circumstances = match what {
            Question::Figure { period, area, .. } | Question::ClassFigure { period, area, .. } => {
                Circumstances {
                    period: Some(*period),
                    area: Some(area.clone().unwrap_or_else(|| self.settings.unit.clone())),
                    ..Circumstances::default()
                }
            }
            Question::OwnFigure { period, .. } => Circumstances {
                period: Some(*period),
                area: Some(self.settings.unit.clone()),
                own: true,
                ..Circumstances::default()
            },
            Question::SuperiorFigure { period, .. } => Circumstances {
                period: Some(*period),
                area: Some(
                    self.settings.unit.parent().unwrap_or_else(|| self.settings.unit.clone()),
                ),
                ..Circumstances::default()
            },
            Question::Periods { .. } => {
                Circumstances { area: Some(self.settings.unit.clone()), ..Circumstances::default() }
            }
            _ => Circumstances::default(),
        };
        let (response_level, declarations) = self.response();
        let circumstances = Circumstances { response_level, declarations, ..circumstances };
        let question = Asked { principal: Principal::Person(who), action, resource, circumstances };
        match self.policy.decide(&question) {
            Decision::Permit(_) => Ok(()),
            Decision::Decline(refusal) => Err(Box::new(Answer::Declined(refusal))),
        }
    }

    fn resource_of(&self, what: &Question) -> Result<(Action, Resource), Box<Answer>> {
        let node = || Resource::Node(self.settings.unit.clone());
        Ok(match what {
            Question::Write { kind, import: None, .. } => {
                (Action::WriteRecord, self.kind_resource(kind)?)
            }
            Question::Write { kind, .. } | Question::BeginImport { kind, .. } => {
                (Action::Import, self.kind_resource(kind)?)
            }
            Question::EndImport { import, .. } => {
                let kind = self.home.imports.get(import).map(|import| import.kind.clone());
                let kind = kind.ok_or_else(|| failed(Failure::NoImport(*import)))?;
                (Action::Import, self.kind_resource(&kind)?)
            }
            Question::Close { kind, .. } => (Action::ClosePeriod, self.kind_resource(kind)?),
            Question::Record { kind, .. } | Question::Records { kind, .. } => {
                (Action::ReadRecord, self.kind_resource(kind)?)
            }
            Question::Figure { indicator, .. }
            | Question::ClassFigure { indicator, .. }
            | Question::SuperiorFigure { indicator, .. }
            | Question::OwnFigure { indicator, .. }
            | Question::Situation { indicator, .. }
            | Question::Periods { indicator, .. } => {
                (Action::Query, self.indicator_resource(indicator)?)
            }
            Question::Status => (Action::ReadStatus, node()),
            Question::Metrics => (Action::ReadMetrics, node()),
            Question::Sent { .. }
            | Question::Statement(_)
            | Question::Chunk(_)
            | Question::Bulletins { .. }
            | Question::Bulletin(_) => (Action::ReadSent, node()),
            Question::Checkpoint
            | Question::CheckpointAt(_)
            | Question::TakeCosignature(_)
            | Question::Inclusion { .. }
            | Question::Cosigned { .. }
            | Question::Equivocations
            | Question::Tile(_)
            | Question::Evidence => (Action::ReadLedger, node()),
            Question::Catalogue => (Action::ReadCatalogue, node()),
            Question::Register => (Action::ReadRegister, node()),
            Question::ChangeEntry(_)
            | Question::ChangeRegister(_)
            | Question::ReceiveUnit { .. }
            | Question::SetCalendar { .. } => (Action::PublishRegister, node()),
            Question::Publish(_) => (Action::PublishCatalogue, node()),
            Question::Declare(_) => (Action::DeclareResponse, node()),
            Question::PublishBulletin(..) => (Action::PublishBulletin, node()),
            Question::TakeList(_)
            | Question::Reached(_)
            | Question::Renew(_)
            | Question::Issue { .. } => (Action::ManageCertificates, node()),
            Question::Issued { .. } => (Action::ReadLedger, node()),
            Question::Admit { .. }
            | Question::MayJoin { .. }
            | Question::Expect { .. }
            | Question::Freshen
            | Question::Letter { .. }
            | Question::TakeLetter(_) => (Action::ManagePeers, node()),
            Question::Expire { .. } | Question::Erase { .. } => (Action::ManageStore, node()),
            Question::Permission(action) => (*action, node()),
            Question::SetPolicy(..)
            | Question::Adopt(Adopt::LegalBasis(_) | Adopt::WithdrawLegalBasis(_), _) => {
                (Action::ChangePolicy, node())
            }
            Question::Adopt(Adopt::Indicator { indicator, .. } | Adopt::Withdraw(indicator), _) => {
                (Action::AdoptIndicator, self.indicator_resource(indicator)?)
            }
            Question::Adoptions | Question::PolicySet(_) => (Action::ReadPolicy, node()),
            Question::Asked(_) => (Action::ReadDecisions, node()),
        })
    }

    fn kind_resource(&self, kind: &KindId) -> Result<Resource, Box<Answer>> {
        let schema = self.home.schema.as_ref().ok_or_else(|| failed(Failure::NoTwin))?;
        let known =
            schema.kind(kind.as_str()).ok_or_else(|| failed(Failure::UnknownKind(kind.clone())))?;
        Ok(Resource::Kind { id: kind.clone(), personal: known.is_personal() })
    }

    fn indicator_resource(&self, indicator: &IndicatorId) -> Result<Resource, Box<Answer>> {
        let known = self.reports.catalogue.as_ref().and_then(|(_, c)| c.find(indicator));
        let known = known.ok_or_else(|| failed(Failure::UnknownIndicator(indicator.clone())))?;
        Ok(Resource::Indicator(Box::new(known.clone())))
    }

    fn answer_ask(&mut self, ask: AskId, what: Question) {
        match what {
            Question::Write { .. }
            | Question::BeginImport { .. }
            | Question::EndImport { .. }
            | Question::Close { .. }
            | Question::ChangeEntry(_)
            | Question::SetCalendar { .. }
            | Question::ChangeRegister(_)
            | Question::ReceiveUnit { .. }
            | Question::Publish(_)
            | Question::Declare(_)
            | Question::TakeLetter(_)
            | Question::Expire { .. }
            | Question::Erase { .. }
            | Question::TakeCosignature(_)
                if self.short =>
            {
                self.context.reply(ask, Answer::Failed(Failure::NoSpace));
            }
            Question::Write { ops, .. } if ops.len() > OPS_PER_ASK => {
                let failure = Failure::TooMany { limit: OPS_PER_ASK, found: ops.len() };
                self.context.reply(ask, Answer::Failed(failure));
            }
            Question::Write { kind, ops, import: Some(import) } => {
                self.buffer_import(ask, import, &kind, ops);
            }
            Question::Write { .. }
            | Question::Close { .. }
            | Question::Record { .. }
            | Question::Records { .. }
                if self.home.queue.len() >= QUEUED_TASKS =>
            {
                let failure = Failure::Busy(self.home.queue.len());
                self.context.reply(ask, Answer::Failed(failure));
            }
            Question::Write { kind, ops, import: None } => {
                self.enqueue(Task::Write { ask: Some(ask), kind, ops, import: None });
            }
            Question::BeginImport { kind, file, name, mode } => {
                self.begin_import(ask, kind, file, name, mode);
            }
            Question::EndImport { import, source, closes, reason, sweep } => {
                self.end_import(ask, import, &source, &closes, reason, sweep);
            }
            Question::Close { kind, source, periods, reason } => {
                let before = self.home.seals.before(&kind);
                let begins_before = |period: &&reeve_statement::period::Period| {
                    before.zip(period.first_day()).is_some_and(|(day, first)| first < day)
                };
                let sealed = periods.iter().find(begins_before).and(before);
                let ahead = periods.iter().find(|period| !self.has_begun(**period));
                let closures = match (ahead, sealed) {
                    (Some(ahead), _) => Err(Failure::NotBegun(*ahead)),
                    (_, Some(before)) => {
                        Err(Failure::Sealed { kind: kind.clone(), before, late: 1 })
                    }
                    _ => self.closures(&kind, &source, &periods, reason, None),
                };
                match closures {
                    Ok(ops) => {
                        let kind = self.closure_kind();
                        self.enqueue(Task::Write { ask: Some(ask), kind, ops, import: None });
                    }
                    Err(failure) => self.context.reply(ask, Answer::Failed(failure)),
                }
            }
            Question::Expire { kind, before, dry } => self.expire(ask, kind, before, dry),
            Question::Erase { kind, id } => self.erase(ask, &kind, id),
            Question::Record { kind, id } => self.enqueue(Task::Read { ask, kind, id }),
            Question::Records { kind, shard } => self.enqueue(Task::List { ask, kind, shard }),
            other => self.answer_about_node(ask, other),
        }
    }

    fn answer_about_node(&mut self, ask: AskId, what: Question) {
        let answer = match what {
            Question::Figure { indicator, period, area } => {
                self.answer_figure(&indicator, period, area.as_ref(), None)
            }
            Question::ClassFigure { indicator, period, area, class } => {
                self.answer_figure(&indicator, period, area.as_ref(), Some(class))
            }
            Question::OwnFigure { indicator, period } => match self.view_own(&indicator, period) {
                Ok(view) => Answer::OwnFigure(view.map(Box::new)),
                Err(failure) => Answer::Failed(failure),
            },
            Question::Periods { indicator, limit } => {
                Answer::Periods(self.view_periods(&indicator, limit))
            }
            Question::Status => Answer::Status(Box::new(self.view_status())),
            Question::Metrics => Answer::Metrics(self.context.counters.clone()),
            Question::Checkpoint => Answer::Checkpoint(self.ledger.checkpoint(&self.settings.key)),
            Question::Cosigned { term: None, after: None } => {
                let newest = self.witnessing.newest(self.ledger.term());
                let newest = newest.cloned().map(|row| self.witnessing.joined(row));
                Answer::Cosigned(newest.map(Box::new))
            }
            Question::Equivocations => {
                Answer::Equivocations(self.witnessing.proven().cloned().collect())
            }
            Question::Evidence => Answer::Evidence {
                catalogue: self.reports.catalogue.as_ref().map(|(digest, _)| *digest),
                lists: self.trust.lists().map(|signed| signed.list.clone()).collect(),
                chain: Box::new(self.settings.chain.clone()),
            },
            Question::Catalogue => Answer::Catalogue(
                self.reports.catalogue.as_ref().map(|(_, catalogue)| Box::new(catalogue.clone())),
            ),
            Question::Adoptions => {
                Answer::Adoptions { proposals: self.view_proposals(), acts: self.view_acts() }
            }
            Question::Register => Answer::Register(self.view_register()),
            Question::SetCalendar { unit, calendar } => match self.set_calendar(unit, calendar) {
                Ok(()) => Answer::Done,
                Err(failure) => Answer::Failed(failure),
            },
            Question::ChangeEntry(change) => match self.change_entry(change) {
                Ok(()) => Answer::Done,
                Err(failure) => Answer::Failed(failure),
            },
            Question::ChangeRegister(act) => registered(self.change_register(act)),
            Question::ReceiveUnit { unit, statement } => {
                return self.take_transfer(ask, unit, statement);
            }
            Question::Admit { chain, names, time_zone } => {
                match self.admit(&chain, names, time_zone) {
                    Ok(()) => Answer::Done,
                    Err(refusal) => Answer::Failed(Failure::Refused(refusal)),
                }
            }
            Question::Expect { unit, names, time_zone } => {
                match self.enter(unit, names, time_zone) {
                    Ok(()) => Answer::Done,
                    Err(refusal) => Answer::Failed(Failure::Refused(refusal)),
                }
            }
            Question::MayJoin { unit, from } => match self.may_join(&unit, &from) {
                Ok(()) => Answer::Done,
                Err(fault) => Answer::Failed(fault.into()),
            },
            Question::Freshen => Answer::Due(self.freshen()),
            Question::SuperiorFigure { indicator, period } => {
                return self.look_above(ask, indicator, period);
            }
            Question::Letter { to, after } => return self.write_letter(ask, to, after.as_deref()),
            Question::TakeLetter(bytes) => return self.take_letter(ask, &bytes),
            Question::TakeList(list) => match self.take_list(list) {
                Ok(()) => Answer::Done,
                Err(refusal) => Answer::Failed(Failure::Refused(refusal)),
            },
            Question::Reached(addresses) => {
                self.set_reached(addresses);
                Answer::Done
            }
            // Only permitted asks come here.
            Question::Permission(_) => Answer::Done,
            Question::Renew(chain) => match self.renew(&chain, "certificate renew") {
                Ok(()) => Answer::Done,
                Err(refusal) => Answer::Failed(Failure::Refused(refusal)),
            },
            Question::Issue { certificates, by } => {
                let entered = certificates
                    .iter()
                    .try_for_each(|certificate| self.enter_issued(certificate, &by).map(|_| ()));
                match entered {
                    Ok(()) => Answer::Done,
                    Err(refusal) => Answer::Failed(Failure::Refused(refusal)),
                }
            }
            other => return self.answer_from_store(ask, other),
        };
        self.context.reply(ask, answer);
    }

    fn answer_from_store(&mut self, ask: AskId, what: Question) {
        match what {
            Question::Sent { term, before, limit } => {
                let term = term.unwrap_or(self.ledger.term());
                let size = self.ledger_size_of(term);
                self.load_sent(ask, term, before.unwrap_or(size).min(size), limit.min(SENT_PAGE));
            }
            Question::Issued { term, from, limit } => {
                let term = term.unwrap_or(self.ledger.term());
                let what = scan_of(rows::ISSUED, term, from, limit.min(ISSUED_PAGE));
                let load = self.context.load(what);
                self.asked_loads.insert(load, AskedLoad::Issued(ask));
            }
            Question::Bulletins { before, limit } => self.load_bulletins(ask, before, limit),
            Question::Bulletin(digest) => self.load_bulletin(ask, &digest),
            Question::Statement(digest) => {
                let load = self.context.load(Load::Get(vec![rows::statement(&digest)]));
                self.asked_loads.insert(load, AskedLoad::Statement(ask));
            }
            Question::Chunk(digest) => {
                let load = self.context.load(Load::Get(vec![rows::chunk(&digest)]));
                self.asked_loads.insert(load, AskedLoad::Statement(ask));
            }
            Question::PolicySet(digest) => self.load_kept(ask, rows::policy(&digest)),
            Question::Asked(digest) => self.load_kept(ask, rows::asked(&digest)),
            Question::Inclusion { term, index, size } => {
                let term = term.unwrap_or(self.ledger.term());
                self.load_proof(ProofFor::Ask(ask), term, index, size);
            }
            Question::Cosigned { term, after } => {
                let term = term.unwrap_or(self.ledger.term());
                let after = after.unwrap_or(0).saturating_add(1);
                let load = self.context.load(scan_of(rows::COSIGNED, term, after, 1));
                self.asked_loads.insert(load, AskedLoad::Cosigned(ask));
            }
            Question::Tile(tile) => self.load_tile(ask, tile),
            Question::CheckpointAt(size) => {
                self.load_tree(ask, self.ledger.term(), size, TreeFor::Checkpoint);
            }
            Question::TakeCosignature(given) => self.take_cosignature(ask, &given),
            Question::Publish(bytes) => self.publish(ask, StatementKind::Catalogue, bytes),
            Question::Declare(bytes) => self.publish(ask, StatementKind::Declaration, bytes),
            _ => self.context.reply(ask, Answer::Failed(Failure::NotFound("answer"))),
        }
    }

    /// A statement that an authority of this unit signed is taken and goes down.
    fn publish(&mut self, ask: AskId, kind: StatementKind, bytes: Vec<u8>) {
        if let Err(refusal) = self.verify(VerifiedFor::Published { ask, kind }, bytes) {
            self.context.reply(ask, Answer::Failed(Failure::Refused(refusal)));
        }
    }

    /// Entries of a term's ledger, as far as this store has it.
    pub(crate) fn ledger_size_of(&self, term: u64) -> u64 {
        if term == self.ledger.term() {
            return self.ledger.frontier().size();
        }
        self.past_ledgers.get(&term).copied().unwrap_or(0)
    }

    /// Loads what was sent in the last `limit` places of a term's ledger before `end`.
    fn load_sent(&mut self, ask: AskId, term: u64, end: u64, limit: usize) {
        let first = end.saturating_sub(u64::try_from(limit).unwrap_or(u64::MAX));
        let places = usize::try_from(end.saturating_sub(first)).unwrap_or(limit);
        if places == 0 {
            return self.context.reply(ask, Answer::Sent(Vec::new()));
        }
        let load = self.context.load(scan_of(rows::SENT, term, first, places));
        self.asked_loads.insert(load, AskedLoad::Sent { ask, term, first, end, limit });
    }

    fn answer_figure(
        &self,
        indicator: &IndicatorId,
        period: reeve_statement::period::Period,
        area: Option<&UnitPath>,
        class: Option<RecipientClass>,
    ) -> Answer {
        if let Some(area) = area.filter(|area| !self.is_known_area(area)) {
            return Answer::Failed(Failure::OtherArea(area.clone()));
        }
        let view = match class {
            None => self.view_figure(indicator, period, area),
            Some(class) => self.view_told(indicator, period, area, class),
        };
        Answer::Figure(view.map(Box::new))
    }

    pub(crate) fn on_asked_loaded(&mut self, load: LoadId, loaded: Loaded) -> Option<Loaded> {
        let Some(asked) = self.asked_loads.remove(&load) else { return Some(loaded) };
        match (asked, loaded) {
            (AskedLoad::Sent { ask, term, first, end, limit }, Loaded::Rows(rows)) => {
                let sent = rows
                    .iter()
                    .rev()
                    .map(|(_, value)| {
                        reeve_statement::cbor::from_slice::<SentRow>("row", value, value.len())
                    })
                    .filter(|row| row.as_ref().map_or(true, |row| row.index < end))
                    .collect::<Result<Vec<_>, _>>();
                match sent {
                    // These places of the ledger hold certificates; what was sent before them?
                    Ok(sent) if sent.is_empty() => self.load_sent(ask, term, first, limit),
                    Ok(sent) => self.context.reply(ask, Answer::Sent(sent)),
                    Err(_) => {
                        let damaged = Failure::Damaged("entry of what was sent");
                        self.context.reply(ask, Answer::Failed(damaged));
                    }
                }
            }
            (AskedLoad::Issued(ask), Loaded::Rows(rows)) => {
                let issued = rows
                    .iter()
                    .map(|(_, value)| {
                        reeve_statement::cbor::from_slice::<IssuedRow>("row", value, value.len())
                    })
                    .collect::<Result<Vec<_>, _>>();
                let answer = issued.map_or(
                    Answer::Failed(Failure::Damaged("entry of what was issued")),
                    Answer::Issued,
                );
                self.context.reply(ask, answer);
            }
            (AskedLoad::Cosigned(ask), Loaded::Rows(rows)) => {
                let row = rows.first().map(|(_, value)| {
                    reeve_statement::cbor::from_slice::<CosignedRow>("row", value, value.len())
                });
                let answer = row
                    .transpose()
                    .map_or(Answer::Failed(Failure::Damaged("cosigned checkpoint")), |row| {
                        Answer::Cosigned(row.map(Box::new))
                    });
                self.context.reply(ask, answer);
            }
            (AskedLoad::BulletinPlaces(ask), Loaded::Rows(places)) => {
                self.on_bulletin_places(ask, &places);
            }
            (AskedLoad::Bulletins(ask), Loaded::Values(values)) => {
                self.context.reply(ask, page(&values));
            }
            (AskedLoad::Bulletin(ask), Loaded::Values(values)) => {
                let answer = self.bulletin_of(values.first().and_then(Option::as_ref));
                self.context.reply(ask, answer);
            }
            (AskedLoad::Statement(ask), Loaded::Values(values)) => {
                let statement = values.into_iter().next().flatten();
                self.context.reply(ask, Answer::Statement(statement));
            }
            (AskedLoad::Request(digest), Loaded::Values(values)) => {
                if let Some(bytes) = values.into_iter().next().flatten() {
                    self.restore_request(digest, &bytes);
                }
            }
            (AskedLoad::Tile { ask, tile }, Loaded::Values(values)) => {
                self.on_tile(ask, tile, values);
            }
            (AskedLoad::Tree { ask, term, size, nodes, what }, Loaded::Values(values)) => {
                self.on_tree(ask, (term, size), &nodes, what, values);
            }
            (AskedLoad::Proof { to, wanted }, Loaded::Values(values)) => {
                self.prove(to, &wanted, values);
            }
            _ => self.context.counters.count("driver", "wrong_load"),
        }
        None
    }

    /// Loads the nodes of the tree that a proof needs; and for a receipt, the entry's own, and what a witness
    /// has cosigned of that size.
    fn load_proof(&mut self, to: ProofFor, term: u64, index: u64, size: u64) {
        // Out of range: no nodes are asked for, and the proof fails later in the same way.
        let nodes = nodes_for(|tree| drop(inclusion_proof(tree, index, size)));
        let key_of = |node: &NodeAddress| node_key(term, node.level, node.index);
        let mut keys: Vec<_> = nodes.iter().map(key_of).collect();
        keys.push(node_key(term, 0, index));
        keys.push(rows::placed(rows::COSIGNED, term, size));
        let load = self.context.load(Load::Get(keys));
        let wanted = Wanted { term, index, size, nodes };
        self.asked_loads.insert(load, AskedLoad::Proof { to, wanted });
    }

    fn prove(&mut self, to: ProofFor, wanted: &Wanted, mut values: Vec<Option<Vec<u8>>>) {
        let Wanted { index, size, nodes, .. } = wanted;
        let cosigned = values.pop().flatten();
        let leaf = values.pop().flatten().and_then(|leaf| leaf.try_into().ok());
        let found = loaded_nodes(nodes, values);
        let proof = inclusion_proof(&found, *index, *size).ok();
        match to {
            ProofFor::Ask(ask) => {
                let answer = proof.map_or(
                    Answer::Failed(Failure::NotFound("such entry in the ledger")),
                    |proof| {
                        let leaf = leaf.map(Digest::from_bytes);
                        let receipt = self.receipt(wanted, leaf, cosigned.as_deref(), &proof);
                        Answer::Proof { hashes: proof.hashes, receipt }
                    },
                );
                self.context.reply(ask, answer);
            }
            ProofFor::Peer(inbound) => {
                let answer = proof.map_or(LedgerAnswer::Refused(Refusal::NotFound), |proof| {
                    LedgerAnswer::Proof(proof.hashes)
                });
                self.context.respond(inbound, to_vec(&answer));
            }
        }
    }

    /// The proof as a COSE receipt. It is signed only over a root that this node has shown already, or
    /// would show now: what a damaged store leads to is none.
    fn receipt(
        &self,
        wanted: &Wanted,
        leaf: Option<Digest>,
        cosigned: Option<&[u8]>,
        proof: &InclusionProof,
    ) -> Option<Vec<u8>> {
        let Wanted { term, index, size, .. } = wanted;
        let (size, frontier) = (*size, self.ledger.frontier());
        let root = if size == frontier.size() {
            frontier.root()
        } else {
            let row = cosigned?;
            reeve_statement::cbor::from_slice::<CosignedRow>("row", row, row.len()).ok()?.root
        };
        let leads = verify_inclusion(&leaf?, *index, size, &root, proof).is_ok();
        let signed = (leads && *term == self.ledger.term())
            .then(|| self.ledger.sign_root(size, &root, &self.settings.key))?;
        Some(signed.receipt(*index, proof.clone()).encode())
    }

    /// Questions about the ledger, from superiors; and subordinates, which ask for a cosignature.
    pub(crate) fn on_ledger(&mut self, inbound: InboundId, peer: NodeKey, bytes: &[u8]) {
        let standing = self.peers.greeted(&peer).map(|greeted| greeted.standing);
        let refused = match (standing, decode::<LedgerMessage>(bytes)) {
            (Some(Standing::Superior | Standing::Home), Ok(LedgerMessage::Head)) => {
                let note = self.ledger.checkpoint(&self.settings.key);
                return self.context.respond(inbound, to_vec(&LedgerAnswer::Head(note)));
            }
            (
                Some(Standing::Superior | Standing::Home),
                Ok(LedgerMessage::Inclusion { index, size }),
            ) => {
                let term = self.ledger.term();
                return self.load_proof(ProofFor::Peer(inbound), term, index, size);
            }
            (Some(Standing::Subordinate), Ok(LedgerMessage::Witness(shown))) => {
                let answer = self.witness(peer, &shown);
                return self.context.respond(inbound, to_vec(&answer));
            }
            (Some(_), Err(_)) => Refusal::Malformed,
            _ => Refusal::OutOfPlace,
        };
        self.context.respond(inbound, to_vec(&LedgerAnswer::Refused(refused)));
        self.note_fault(peer, refused);
    }
}

/// Rows of a term's ledger from a place on.
fn scan_of(rows: &[u8], term: u64, from: u64, limit: usize) -> Load {
    let after = from.checked_sub(1).map(|last| rows::placed(rows, term, last));
    Load::Scan { prefix: rows::key(rows, &[&term.to_be_bytes()]), after, limit }
}

fn failed(failure: Failure) -> Box<Answer> {
    Box::new(Answer::Failed(failure))
}
