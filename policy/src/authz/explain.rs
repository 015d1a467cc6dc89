//! Tells people what a policy set decides and why, and what another set would change.

use core::fmt;

use reeve_statement::catalogue::{Floors, RecipientClass};

use super::decide::{Decision, Protected};
use super::question::Question;
use super::{Place, PolicySet};

/// A policy that played a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fired {
    /// Its id.
    pub policy: String,
    /// Where it stands.
    pub place: Place,
    /// Whether it permits; else it forbids.
    pub permits: bool,
    /// Its note for people.
    pub note: Option<String>,
    /// What it demands.
    pub conditions: String,
}

/// Where the floor of a permit comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FloorGrounds {
    /// The class of recipient.
    pub class: RecipientClass,
    /// Whether the indicator is about persons; if not, no floor binds.
    pub personal: bool,
    /// The strictest `@min_cell` of the policies that fired.
    pub policies: Option<u32>,
    /// The indicator's floor for that class.
    pub indicator: u32,
    /// The law that the indicator names.
    pub legal_basis: Option<String>,
    /// What binds; none where declined.
    pub effective: Option<u32>,
}

/// A decision with its grounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The question.
    pub question: String,
    /// The answer.
    pub decision: Decision,
    /// The policies that determined it.
    pub fired: Vec<Fired>,
    /// Permits for this action whose conditions were not met, if nothing permits it.
    pub unmet: Vec<Fired>,
    /// Where the floor comes from, for figures to peers.
    pub floor: Option<FloorGrounds>,
}

/// A question that two policy sets answer differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The answer so far.
    pub before: Explanation,
    /// The answer then.
    pub after: Explanation,
}

impl PolicySet {
    /// Answers a question and says why.
    #[must_use]
    pub fn explain(&self, question: &Question) -> Explanation {
        let decision = self.decide(question);
        let determining = match &decision {
            Decision::Permit(permit) => permit.determining(),
            Decision::Decline(refusal) => refusal.determining(),
        };
        let fired: Vec<Fired> = determining.iter().filter_map(|id| self.fired(id)).collect();
        let mut unmet = Vec::new();
        if fired.is_empty() {
            let action = question.action.name();
            let of_action = |id: &&str| {
                self.facts.get(*id).is_some_and(|f| f.permits && f.actions.contains(action))
            };
            unmet.extend(self.ids().filter(of_action).filter_map(|id| self.fired(id)));
        }
        let floor = self.grounds(question, &decision);
        Explanation { question: question.to_string(), decision, fired, unmet, floor }
    }

    /// The questions that `new` would answer differently, and both answers.
    #[must_use]
    pub fn preview<'a>(
        &self,
        new: &Self,
        questions: impl IntoIterator<Item = &'a Question>,
    ) -> Vec<Difference> {
        questions
            .into_iter()
            .map(|question| Difference {
                before: self.explain(question),
                after: new.explain(question),
            })
            .filter(|difference| difference.before.effect() != difference.after.effect())
            .collect()
    }

    fn fired(&self, id: &str) -> Option<Fired> {
        let facts = self.facts.get(id)?;
        let conditions = match facts.conditions() {
            Ok(conditions) if facts.relaxes() => {
                let others: Vec<&str> = facts.supersedes.iter().map(String::as_str).collect();
                let others = others.join(", ");
                format!("{conditions}; only under a declaration, in place of {others}")
            }
            Ok(conditions) => conditions.to_string(),
            Err(faults) => faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        };
        Some(Fired {
            policy: id.to_owned(),
            place: facts.place.clone(),
            permits: facts.permits,
            note: facts.annotations.get("note").cloned(),
            conditions,
        })
    }

    fn grounds(&self, question: &Question, decision: &Decision) -> Option<FloorGrounds> {
        let protected = Protected::of(question);
        let (class, indicator) = (protected.class?, protected.indicator?);
        let permit = decision.permit();
        Some(FloorGrounds {
            class,
            personal: indicator.personal,
            policies: permit.and_then(|permit| permit.conditions().min_cell),
            indicator: indicator.floors.of(class),
            legal_basis: indicator.legal_basis.clone(),
            effective: permit.map(super::Permit::floor),
        })
    }
}

impl Explanation {
    /// What the answer means for the asker, whoever decided it: equal effects are no difference.
    #[must_use]
    pub fn effect(&self) -> String {
        match &self.decision {
            Decision::Permit(permit) => {
                format!("permitted; floor {}; conditions: {}", permit.floor(), permit.conditions())
            }
            Decision::Decline(_) => "declined".to_owned(),
        }
    }
}

fn listed(f: &mut fmt::Formatter<'_>, heading: &str, policies: &[Fired]) -> fmt::Result {
    for fired in policies {
        let verb = if fired.permits { "permit" } else { "forbid" };
        let Fired { policy, place, conditions, .. } = fired;
        write!(f, "\n  {heading} {verb} {policy:?} ({place}), conditions: {conditions}")?;
        if let Some(note) = &fired.note {
            write!(f, "\n    {note}")?;
        }
    }
    Ok(())
}

impl fmt::Display for FloorGrounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { class, indicator, .. } = self;
        if *indicator == Floors::NEVER {
            return write!(f, "never: the indicator has no floor for {class}");
        }
        if !self.personal {
            return f.write_str("exact: the indicator is not about persons");
        }
        match self.effective {
            Some(1) => f.write_str("exact (floor 1)")?,
            Some(floor) => {
                write!(f, "cells of 1 to {} are hidden (floor {floor})", floor.saturating_sub(1))?
            }
            None => f.write_str("none, as it is declined")?,
        }
        write!(f, ": the indicator's floor for {class} is {indicator}")?;
        if let Some(policies) = self.policies {
            write!(f, ", the policies' is {policies}, the stricter binds")?;
        }
        match &self.legal_basis {
            Some(basis) => write!(f, "; legal basis: {basis}"),
            None => f.write_str("; no legal basis is named"),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  {}", self.question, self.decision)?;
        listed(f, "decided by", &self.fired)?;
        listed(f, "not met:", &self.unmet)?;
        if let Decision::Permit(permit) = &self.decision {
            write!(f, "\n  conditions: {}", permit.conditions())?;
        }
        if let Some(floor) = &self.floor {
            write!(f, "\n  floor: {floor}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = (self.before.effect(), self.after.effect());
        write!(f, "{}\n  now:  {before}\n  then: {after}", self.before.question)?;
        if let Decision::Decline(refusal) = &self.after.decision {
            write!(f, " ({})", refusal.reason())?;
        }
        Ok(())
    }
}
