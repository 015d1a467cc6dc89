//! Answers a question with a permit or a refusal. Whatever is unclear is a refusal.
//!
//! Cedar skips a `forbid` that errs; so any evaluation error declines here. A condition that a
//! determining permit states unclearly declines too, and the strictest of all stated ones binds.

use core::fmt;
use std::borrow::Cow;
use std::collections::BTreeSet;

use cedar_policy::{Authorizer, PolicyId};
use reeve_statement::catalogue::{Floors, Indicator, RecipientClass};
use reeve_statement::digest::Digest;
use reeve_statement::names::IndicatorId;
use reeve_statement::period::Period;
use reeve_statement::release::{self, DECLARATIONS};
use reeve_statement::statement::Onward;

use super::ask::{Asked, QuestionFault, ask};
use super::conditions::{AnnotationFault, Conditions};
use super::question::{Action, Principal, Question, Resource};
use super::set::Facts;
use super::{Place, PolicySet};

/// Most determining policies of one decision: all of them travel in a release.
pub const MAX_DETERMINING: usize = 64;

/// Length of a window of publication where no policy says, in seconds: short enough that a figure is
/// fresh, long enough that single persons do not show by the time at which they come.
pub const WINDOW_SECONDS: u32 = 60;

/// Leave to do one thing, under conditions. Only [`PolicySet::decide`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    action: Action,
    class: Option<RecipientClass>,
    figure: Option<Figure>,
    period: Option<Period>,
    policy_set: Digest,
    determining: Vec<String>,
    conditions: Conditions,
    floor: u32,
    window_seconds: u32,
    relaxed: bool,
    declarations: Vec<Digest>,
    adoption: Option<Digest>,
}

/// Which indicator a permit is about, in which definition.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Figure {
    indicator: IndicatorId,
    definition: Digest,
}

impl Permit {
    /// What may be done.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.action
    }

    /// The class of recipient; none for local people.
    #[must_use]
    pub const fn class(&self) -> Option<RecipientClass> {
        self.class
    }

    /// Whether it covers this definition of this indicator.
    #[must_use]
    pub fn covers(&self, indicator: &Indicator) -> bool {
        self.covers_definition(&indicator.id, indicator.definition())
    }

    /// Whether it covers the indicator in the definition of this digest.
    #[must_use]
    pub fn covers_definition(&self, indicator: &IndicatorId, definition: Digest) -> bool {
        self.figure
            .as_ref()
            .is_some_and(|own| own.indicator == *indicator && own.definition == definition)
    }

    /// The period it was asked for; none: a standing subscription.
    #[must_use]
    pub const fn period(&self) -> Option<Period> {
        self.period
    }

    /// Least contributors behind a told cell: the strictest of the determining policies and, for a
    /// peer, the indicator's floor for its class. 1 is exact.
    #[must_use]
    pub const fn floor(&self) -> u32 {
        self.floor
    }

    /// Least change of a row's contributors that is told, by the determining policies; 1: every change.
    /// Above a floor of 1 the floor binds besides.
    #[must_use]
    pub fn min_step(&self) -> u32 {
        self.conditions.min_step.unwrap_or(1)
    }

    /// Length of the window at whose close figures are told, in seconds; 0: they are told at once.
    #[must_use]
    pub const fn window_seconds(&self) -> u32 {
        self.window_seconds
    }

    /// Multiples to which values are told; 1 is exact.
    #[must_use]
    pub fn rounding(&self) -> u32 {
        self.conditions.rounding.unwrap_or(1)
    }

    /// Whether a relaxation is among the determining policies: it holds by a declaration and ends with
    /// it.
    #[must_use]
    pub const fn is_relaxed(&self) -> bool {
        self.relaxed
    }

    /// The combined conditions of the determining policies.
    #[must_use]
    pub const fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// Ids of the determining policies, sorted.
    #[must_use]
    pub fn determining(&self) -> &[String] {
        &self.determining
    }

    /// Digest of the policy set that decided.
    #[must_use]
    pub const fn policy_set(&self) -> Digest {
        self.policy_set
    }

    /// Whom the recipient may tell; the strictest where no policy says.
    #[must_use]
    pub fn onward(&self) -> Onward {
        self.conditions.onward.unwrap_or(Onward::Aggregate)
    }

    /// The decision as release and ledger carry it.
    #[must_use]
    pub fn decision(&self) -> release::Decision {
        let conditions = release::Conditions {
            floor: self.floor,
            min_step: self.conditions.min_step.unwrap_or(0),
            rounding: self.conditions.rounding.unwrap_or(0),
            retention_days: self.conditions.retention_days,
            window_seconds: self.window_seconds,
        };
        release::Decision {
            declarations: self.declarations.iter().take(DECLARATIONS).copied().collect(),
            adoption: self.adoption,
            ..decided(self.policy_set, &self.determining, conditions)
        }
    }
}

fn decided(
    policy_set: Digest,
    determining: &[String],
    conditions: release::Conditions,
) -> release::Decision {
    let determining = determining.iter().take(MAX_DETERMINING).cloned().collect();
    release::Decision {
        policy_set,
        determining,
        conditions,
        declarations: Vec::new(),
        adoption: None,
        asked: None,
    }
}

/// Why something may not be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// No policy permits it.
    #[error("no policy permits it")]
    NotPermitted,
    /// A policy forbids it.
    #[error("forbidden by {}", .0.join(", "))]
    Forbidden(Vec<String>),
    /// A policy could not be evaluated.
    #[error("policies could not be evaluated: {}", .0.join("; "))]
    Evaluation(Vec<String>),
    /// A determining permit carries an annotation that is unknown or means nothing.
    #[error("{place}: policy {policy:?}: {fault}")]
    Annotation {
        /// Which policy.
        policy: String,
        /// Where the annotation stands.
        place: Place,
        /// What is wrong.
        fault: Box<AnnotationFault>,
    },
    /// A determining permit for a personal figure has no `@min_cell`.
    #[error("{place}: policy {policy:?} permits a personal figure without @min_cell; add it")]
    NoFloor {
        /// Which policy.
        policy: String,
        /// Where it stands.
        place: Place,
    },
    /// The indicator has no floor for the recipient's class: the class is told nothing.
    #[error(
        "the indicator is never told to class {class}: its definition gives that class no floor"
    )]
    NeverTold {
        /// The class of recipient.
        class: RecipientClass,
    },
    /// A personal figure would be exact without a law that says so.
    #[error("a personal figure at floor 1 needs the indicator to name a legal basis")]
    NoLegalBasis,
    /// A person asks for the own table as it is, where a determining permit wants it protected.
    #[error("{policy} permits a look under conditions, so the own table is not shown as it is")]
    OwnUnderConditions {
        /// The policies with the conditions, joined by commas.
        policy: String,
    },
    /// More policies determine it than a release can name.
    #[error(
        "{0} policies permit it at once, a release names at most {MAX_DETERMINING}; merge some"
    )]
    TooManyPolicies(usize),
    /// The question itself makes no sense.
    #[error(transparent)]
    Question(#[from] QuestionFault),
}

impl Reason {
    /// Its stable word in documents for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotPermitted => "not_permitted",
            Self::Forbidden(_) => "forbidden",
            Self::Evaluation(_) => "evaluation",
            Self::Annotation { .. } => "annotation",
            Self::NoFloor { .. } => "no_floor",
            Self::NeverTold { .. } => "never_told",
            Self::NoLegalBasis => "no_legal_basis",
            Self::OwnUnderConditions { .. } => "own_under_conditions",
            Self::TooManyPolicies(_) => "too_many_policies",
            Self::Question(_) => "question",
        }
    }
}

/// A refusal with its grounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("declined: {reason}")]
pub struct Refusal {
    reason: Reason,
    determining: Vec<String>,
    policy_set: Digest,
}

impl Refusal {
    /// Why.
    #[must_use]
    pub const fn reason(&self) -> &Reason {
        &self.reason
    }

    /// Ids of the policies that determined it, sorted; none where no policy applied.
    #[must_use]
    pub fn determining(&self) -> &[String] {
        &self.determining
    }

    /// The decision as notice and ledger carry it.
    #[must_use]
    pub fn decision(&self) -> release::Decision {
        decided(self.policy_set, &self.determining, release::Conditions::default())
    }
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// It may be done.
    Permit(Permit),
    /// It may not be done.
    Decline(Refusal),
}

impl Decision {
    /// The permit, if it is one.
    #[must_use]
    pub const fn permit(&self) -> Option<&Permit> {
        match self {
            Self::Permit(permit) => Some(permit),
            Self::Decline(_) => None,
        }
    }

    /// As a result, for `?`.
    ///
    /// # Errors
    /// The refusal.
    pub fn into_result(self) -> Result<Permit, Refusal> {
        match self {
            Self::Permit(permit) => Ok(permit),
            Self::Decline(refusal) => Err(refusal),
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permit(permit) => {
                write!(f, "permitted by {}", permit.determining.join(", "))
            }
            Self::Decline(refusal) => refusal.fmt(f),
        }
    }
}

/// What Cedar said, in an order that does not depend on its hash maps.
pub(super) struct Verdict {
    allowed: bool,
    determining: Vec<String>,
    errors: Vec<String>,
}

impl Verdict {
    fn of(asked: &Asked, set: &cedar_policy::PolicySet) -> Self {
        let answer = Authorizer::new().is_authorized(&asked.request, set, &asked.entities);
        let diagnostics = answer.diagnostics();
        let determining: BTreeSet<String> = diagnostics.reason().map(ToString::to_string).collect();
        let errors: BTreeSet<String> = diagnostics.errors().map(ToString::to_string).collect();
        Self {
            allowed: answer.decision() == cedar_policy::Decision::Allow,
            determining: determining.into_iter().collect(),
            errors: errors.into_iter().collect(),
        }
    }
}

impl PolicySet {
    /// Answers a question. Same set and question, same answer.
    pub fn decide(&self, question: &Question) -> Decision {
        self.settle(question, self.verdict(question))
    }

    fn decline(&self, reason: Reason, determining: Vec<String>) -> Decision {
        Decision::Decline(Refusal { reason, determining, policy_set: self.hash() })
    }

    fn verdict(&self, question: &Question) -> Result<Verdict, QuestionFault> {
        let asked = ask(question, &self.schema)?;
        Ok(self.evaluate(&asked, question.circumstances.response_level).1)
    }

    /// The policies that take part, and what Cedar says by them.
    pub(super) fn evaluate(
        &self,
        asked: &Asked,
        response_level: u8,
    ) -> (Cow<'_, cedar_policy::PolicySet>, Verdict) {
        let by = |set| (Cow::Borrowed(set), Verdict::of(asked, set));
        if response_level == 0 || self.relaxing.is_empty() {
            // Without a declaration there is no relaxation, whatever its conditions say.
            return by(&self.strict);
        }
        let relaxed = Verdict::of(asked, &self.relaxing);
        if !relaxed.errors.is_empty() {
            return (Cow::Borrowed(&self.relaxing), relaxed);
        }
        if !relaxed.allowed {
            return by(&self.strict);
        }
        let facts = relaxed.determining.iter().filter_map(|id| self.facts.get(id));
        let mut set = self.cedar.clone();
        for superseded in facts.flat_map(|facts| &facts.supersedes) {
            // One that two relaxations supersede is gone already.
            let _ = set.remove_static(PolicyId::new(superseded));
        }
        let verdict = Verdict::of(asked, &set);
        (Cow::Owned(set), verdict)
    }

    /// What follows from a verdict.
    pub(super) fn settle(
        &self,
        question: &Question,
        verdict: Result<Verdict, QuestionFault>,
    ) -> Decision {
        match verdict {
            Err(fault) => self.decline(fault.into(), Vec::new()),
            Ok(verdict) => {
                let determining = verdict.determining.clone();
                match self.permit(question, verdict) {
                    Ok(permit) => Decision::Permit(permit),
                    Err(reason) => self.decline(reason, determining),
                }
            }
        }
    }

    fn permit(&self, question: &Question, verdict: Verdict) -> Result<Permit, Reason> {
        let Verdict { allowed, determining, errors } = verdict;
        if !errors.is_empty() {
            return Err(Reason::Evaluation(errors));
        }
        if !allowed {
            let silent = determining.is_empty();
            return Err(if silent { Reason::NotPermitted } else { Reason::Forbidden(determining) });
        }
        if determining.is_empty() {
            return Err(Reason::NotPermitted);
        }
        if determining.len() > MAX_DETERMINING {
            return Err(Reason::TooManyPolicies(determining.len()));
        }
        let protected = Protected::of(question);
        let conditions = self.conditions(&determining, protected.needs_floor())?;
        let floor = protected.floor(&conditions)?;
        let step = conditions.min_step.unwrap_or(1);
        let exact = floor <= 1 && step <= 1 && conditions.rounding.unwrap_or(1) <= 1;
        if question.circumstances.own && !exact {
            return Err(Reason::OwnUnderConditions { policy: determining.join(", ") });
        }
        let conditions_window = conditions.window_seconds.unwrap_or(WINDOW_SECONDS);
        let of = determining.clone();
        let facts = || of.iter().filter_map(|id| self.facts.get(id));
        Ok(Permit {
            action: question.action,
            class: protected.class,
            figure: protected.indicator.map(|indicator| Figure {
                indicator: indicator.id.clone(),
                definition: indicator.definition(),
            }),
            period: question.circumstances.period,
            policy_set: self.hash(),
            determining,
            conditions,
            floor,
            window_seconds: if protected.needs_floor() && (floor > 1 || step > 1) {
                conditions_window
            } else {
                0
            },
            relaxed: facts().any(Facts::relaxes),
            declarations: question
                .circumstances
                .declarations
                .iter()
                .filter(|_| facts().any(|facts| facts.relaxes() || facts.reads_level))
                .copied()
                .collect(),
            adoption: question.circumstances.adoption,
        })
    }

    /// The strictest of what the determining permits demand.
    fn conditions(&self, determining: &[String], floor: bool) -> Result<Conditions, Reason> {
        let mut strictest = Conditions::default();
        for id in determining {
            // Cedar names only policies of this set; one it made up could not be trusted.
            let facts = self.facts.get(id).ok_or(Reason::NotPermitted)?;
            let own = facts.conditions().map_err(|faults| {
                let fault = faults.into_iter().next();
                fault.map_or(Reason::NotPermitted, |fault| Reason::Annotation {
                    policy: id.clone(),
                    place: facts.annotation_places.get(fault.key()).unwrap_or(&facts.place).clone(),
                    fault: Box::new(fault),
                })
            })?;
            if floor && own.min_cell.is_none() {
                return Err(Reason::NoFloor { policy: id.clone(), place: facts.place.clone() });
            }
            strictest = strictest.and(own);
        }
        Ok(strictest)
    }
}

/// What of a question bears on protection.
pub(super) struct Protected<'a> {
    pub(super) class: Option<RecipientClass>,
    pub(super) indicator: Option<&'a Indicator>,
}

impl<'a> Protected<'a> {
    pub(super) fn of(question: &'a Question) -> Self {
        let class = match &question.principal {
            Principal::Unit(peer) => Some(peer.relation.recipient_class()),
            Principal::Person(_) => None,
        };
        let indicator = match &question.resource {
            Resource::Indicator(indicator) => Some(&**indicator),
            Resource::Kind { .. } | Resource::Node(_) => None,
        };
        Self { class, indicator }
    }

    fn personal_to_peer(&self) -> Option<(RecipientClass, &'a Indicator)> {
        let indicator = self.indicator.filter(|indicator| indicator.personal)?;
        Some((self.class?, indicator))
    }

    fn needs_floor(&self) -> bool {
        self.personal_to_peer().is_some()
    }

    fn floor(&self, conditions: &Conditions) -> Result<u32, Reason> {
        if let (Some(class), Some(indicator)) = (self.class, self.indicator)
            && indicator.floors.of(class) == Floors::NEVER
        {
            return Err(Reason::NeverTold { class });
        }
        if self.indicator.is_some_and(|indicator| !indicator.personal) {
            return Ok(1);
        }
        let stated = conditions.min_cell.unwrap_or(1);
        let Some((class, indicator)) = self.personal_to_peer() else {
            return Ok(stated);
        };
        let floor = stated.max(indicator.floors.of(class)).max(1);
        if floor == 1 && indicator.legal_basis.is_none() {
            return Err(Reason::NoLegalBasis);
        }
        Ok(floor)
    }
}
