//! What is questionable about a policy set that parses: for `reeve policy check`.
//!
//! A grave finding means that some answer will be a decline its author did not intend.

use core::fmt;

use super::PolicySet;
use super::conditions::SUPERSEDES;
use super::set::Facts;
use super::source::Place;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// What this policy permits will be declined.
    Grave,
    /// Probably not meant so.
    Doubtful,
}

/// One questionable thing in a policy set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub weight: Weight,
    /// Where it stands.
    pub place: Place,
    /// Which policy.
    pub policy: String,
    /// What it is and what to do.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = match self.weight {
            Weight::Grave => "error",
            Weight::Doubtful => "warning",
        };
        write!(f, "{}: {weight}: policy {:?}: {}", self.place, self.policy, self.text)
    }
}

impl PolicySet {
    /// Everything questionable, in order of place.
    #[must_use]
    pub fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (id, facts) in &self.facts {
            let mut told = Told { id, facts, findings: &mut findings };
            told.annotations();
            told.figures();
            told.oddities();
        }
        findings.sort_by(|a, b| (&a.place, a.weight).cmp(&(&b.place, b.weight)));
        findings
    }
}

struct Told<'a> {
    id: &'a str,
    facts: &'a Facts,
    findings: &'a mut Vec<Finding>,
}

impl Told<'_> {
    fn say(&mut self, weight: Weight, place: Place, text: impl Into<String>) {
        let policy = self.id.to_owned();
        self.findings.push(Finding { weight, place, policy, text: text.into() });
    }

    fn place_of(&self, annotation: &str) -> Place {
        self.facts.annotation_places.get(annotation).unwrap_or(&self.facts.place).clone()
    }

    fn annotations(&mut self) {
        for fault in self.facts.conditions().err().unwrap_or_default() {
            let place = self.place_of(fault.key());
            let effect = if self.facts.permits { "; what it permits is declined" } else { "" };
            self.say(Weight::Grave, place, format!("{fault}{effect}"));
        }
    }

    fn figures(&mut self) {
        if !self.facts.permits || !self.facts.sends_figures {
            return;
        }
        let place = self.facts.place.clone();
        if !self.facts.annotations.contains_key("min_cell") {
            let text = "permits figures without @min_cell; personal indicators are declined. Add \
                        @min_cell(\"1\") to let the indicator's own floor bind alone";
            self.say(Weight::Grave, place.clone(), text);
        }
        if self.facts.about_everybody {
            let text = "permits figures to every unit of the federation; narrow the principal down";
            self.say(Weight::Doubtful, place, text);
        }
    }

    fn oddities(&mut self) {
        let place = self.facts.place.clone();
        if !self.facts.annotations.contains_key("id") {
            let text = "has no @id; its name changes with its line. Add one";
            self.say(Weight::Doubtful, place.clone(), text);
        }
        if self.facts.relaxes() && !self.facts.reads_level {
            let text = "@supersedes holds at every declared level; narrow it down with \
                        context.response_level";
            self.say(Weight::Doubtful, self.place_of(SUPERSEDES), text);
        }
        for warning in self.facts.warnings.clone() {
            self.say(Weight::Doubtful, place.clone(), warning);
        }
        let conditions = self.facts.conditions().unwrap_or_default();
        let idle = if self.facts.permits { !self.facts.sends_figures } else { true };
        if idle && conditions != super::Conditions::default() {
            let text = "carries conditions that bind nothing: it permits no peer a figure. (A look \
                        at the own table as it is, is refused where they demand protection)";
            self.say(Weight::Doubtful, place, text);
        }
    }
}
