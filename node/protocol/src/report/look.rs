//! Looking at the superior's figure, as its subordinates may: what they learn there of each other.
//!
//! The request is signed, and an entry of the ledger, like every word to another unit. The superior
//! decides who may have what by class: a subordinate is told what every neighbour is told, the last
//! edition that was cut for all of them, and nothing is cut for it alone.

use reeve_policy::authz::{
    Action, Circumstances, Decision, Peer, Principal, Question, Relation, Resource,
};
use reeve_policy::disclosure::may_receive;
use reeve_statement::catalogue::RecipientClass;
use reeve_statement::cbor::to_vec;
use reeve_statement::completeness::Manifest;
use reeve_statement::cose::Verified;
use reeve_statement::digest::Digest;
use reeve_statement::names::IndicatorId;
use reeve_statement::period::Period;
use reeve_statement::release::Release;
use reeve_statement::request::Request;
use reeve_statement::statement::{Audience, Body, FigureId, Onward};

use crate::effect::{AskId, Channel, InboundId, Load, LoadId, Loaded, NodeKey, SendFailure};
use crate::local::{Answer, Failure, FigureView};
use crate::node::Node;
use crate::refusal::Refusal;
use crate::report::accept::VerifiedFor;
use crate::rows;
use crate::wire::{Blob, ReportAnswer, Upward, decode};

/// A look under way: who waits, and for what.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    pub(crate) ask: AskId,
    pub(crate) indicator: IndicatorId,
    pub(crate) period: Period,
}

impl Node {
    /// Asks the superior for its figure as its subordinates are told it.
    pub(crate) fn look_above(&mut self, ask: AskId, indicator: IndicatorId, period: Period) {
        let (Some(superior), Some(peer)) = (self.settings.unit.parent(), self.reporting_superior())
        else {
            return self.context.reply(ask, Answer::Failed(Failure::NoSuperior));
        };
        if !self.may_sign() {
            let failure = Failure::Refused(Refusal::Unreconciled);
            return self.context.reply(ask, Answer::Failed(failure));
        }
        let request = Request {
            class: RecipientClass::Neighbour,
            indicators: vec![indicator.clone()],
            from: Some(period),
            to: Some(period),
            subscribe: false,
            purpose: self.settings.purpose.purpose.clone(),
            legal_basis: self.settings.purpose.legal_basis.clone(),
            response_level: 0,
            catalogue_version: self.catalogue_version(),
            calendar: None,
        };
        let audience = Audience::Unit(superior);
        let issued = self.issue(audience, Onward::Aggregate, Body::Request(request), None);
        let Some((_, statement)) = issued else {
            let failure = Failure::Refused(Refusal::Unreconciled);
            return self.context.reply(ask, Answer::Failed(failure));
        };
        let checkpoint = self.ledger.checkpoint(&self.settings.key);
        let message = to_vec(&Upward::Ask { statement: Blob(statement), checkpoint });
        let sent = self.context.send(peer, Channel::Report, message);
        self.reports.looks.insert(sent, Look { ask, indicator, period });
    }

    /// The superior's answer.
    pub(crate) fn on_looked(&mut self, look: Look, result: Result<Vec<u8>, SendFailure>) {
        let ask = look.ask;
        let answer = result.ok().and_then(|bytes| decode::<ReportAnswer>(&bytes).ok());
        let failure = match answer {
            Some(ReportAnswer::Statement(statement)) => {
                match self.verify(VerifiedFor::Looked(look), statement.0) {
                    Ok(()) => return,
                    Err(refusal) => Failure::Refused(refusal),
                }
            }
            Some(ReportAnswer::Refused(Refusal::NotFound)) => {
                return self.context.reply(ask, Answer::Figure(None));
            }
            Some(ReportAnswer::Refused(refusal)) => Failure::Refused(refusal),
            _ => Failure::NoSuperior,
        };
        self.context.reply(ask, Answer::Failed(failure));
    }

    /// The superior's statement is verified: is it what was asked for?
    pub(crate) fn show_looked(&mut self, look: &Look, verified: &Verified) {
        let view = self.view_looked(look, verified);
        let answer = match view {
            Some(view) => Answer::Figure(Some(Box::new(view))),
            None => Answer::Failed(Failure::Refused(Refusal::OutOfPlace)),
        };
        self.context.reply(look.ask, answer);
    }

    fn view_looked(&self, look: &Look, verified: &Verified) -> Option<FigureView> {
        let statement = verified.statement();
        let Body::Release(release) = &statement.body else { return None };
        let right = self.settings.unit.parent() == Some(statement.issuer.clone())
            && release.class == RecipientClass::Neighbour
            && release.indicator == look.indicator
            && release.period == look.period
            && self.reports.definitions.get(&look.indicator) == Some(&release.definition);
        let indicator = self.reports.catalogue.as_ref()?.1.find(&look.indicator)?;
        let table = release.table.inline().filter(|_| right)?.clone();
        let manifest: Manifest = release.manifest.inline()?.clone();
        let total = indicator.measure.is_additive().then(|| table.total().ok()).flatten();
        Some(FigureView {
            unit: statement.issuer.clone(),
            unlisted: table.unlisted.iter().map(|(a, u)| (a.clone(), u.clone())).collect(),
            indicator: indicator.clone(),
            period: look.period,
            class: release.class,
            total: total.filter(|_| release.counts.included() > 0),
            table,
            counts: release.counts.clone(),
            exceptions: manifest.exceptions,
            edition: release.edition,
            statement: Some(verified.digest()),
            reason: release.reason,
            issued_at: Some(statement.issued_at),
            adopted: true,
            data_touched: release.data_touched,
        })
    }

    /// A subordinate asks, and its request is verified.
    pub(crate) fn answer_look(&mut self, inbound: InboundId, peer: NodeKey, verified: &Verified) {
        match self.looked_at(peer, verified) {
            Ok(statement) => {
                let load = self.context.load(Load::Get(vec![rows::statement(&statement)]));
                self.look_loads.insert(load, inbound);
                self.context.counters.count("looks", "answered");
            }
            Err(refusal) => {
                self.context.counters.count("looks_refused", refusal.label());
                self.answer_report(inbound, &ReportAnswer::Refused(refusal));
            }
        }
    }

    /// The statement that a subordinate may have.
    fn looked_at(&self, peer: NodeKey, verified: &Verified) -> Result<Digest, Refusal> {
        let statement = verified.statement();
        let greeted = self.peers.greeted(&peer).ok_or(Refusal::OutOfPlace)?;
        if greeted.unit != statement.issuer {
            return Err(Refusal::OtherIssuer);
        }
        self.judge_audience_and_time(statement)?;
        let Body::Request(request) = &statement.body else { return Err(Refusal::OutOfPlace) };
        let relation = Relation::between(&self.settings.unit, &statement.issuer);
        let class = relation.recipient_class();
        let ([indicator], Some(period)) = (request.indicators.as_slice(), request.from) else {
            return Err(Refusal::OutOfPlace);
        };
        if request.class != class || request.to != Some(period) || request.subscribe {
            return Err(Refusal::OutOfPlace);
        }
        let definition = self.reports.catalogue.as_ref().and_then(|(_, it)| it.find(indicator));
        let definition = definition.ok_or(Refusal::NotFound)?;
        let (response_level, declarations) = self.response();
        let question = Question {
            principal: Principal::Unit(Peer {
                path: statement.issuer.clone(),
                relation,
                auditor: false,
            }),
            action: Action::Pull,
            resource: Resource::Indicator(Box::new(definition.clone())),
            circumstances: Circumstances {
                purpose: request.purpose.clone(),
                legal_basis: Some(request.legal_basis.clone()).filter(|it| !it.is_empty()),
                period: Some(period),
                response_level,
                declarations,
                adoption: self.adoption_of(definition),
                ..Circumstances::default()
            },
        };
        let Decision::Permit(permit) = self.policy.decide(&question) else {
            return Err(Refusal::NoRight);
        };
        let id = FigureId { indicator: indicator.clone(), period: Some(period), class };
        let row = self.reports.figures.get(&id).ok_or(Refusal::NotFound)?;
        let release = row.release().ok_or(Refusal::NotFound)?;
        // One that is too long for a frame is not told this way.
        let whole = |release: &Release| release.table.inline().is_some();
        if !may_receive(&permit, release) {
            return Err(Refusal::NoRight);
        }
        Some(row.statement).filter(|_| whole(release)).ok_or(Refusal::NotFound)
    }

    pub(crate) fn on_look_loaded(&mut self, load: LoadId, loaded: Loaded) -> Option<Loaded> {
        let Some(inbound) = self.look_loads.remove(&load) else { return Some(loaded) };
        let bytes = match loaded {
            Loaded::Values(values) => values.into_iter().next().flatten(),
            Loaded::Rows(_) => None,
        };
        let answer = match bytes {
            Some(bytes) => ReportAnswer::Statement(Blob(bytes)),
            None => ReportAnswer::Refused(Refusal::NotFound),
        };
        self.answer_report(inbound, &answer);
        None
    }
}
