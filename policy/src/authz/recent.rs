//! The answers to the last questions. A figure is looked at for each class of recipients, before and after
//! a window, for people and for peers: a node asks the same few questions over and over, and Cedar reads
//! each from the beginning.

use std::cell::RefCell;
use std::collections::VecDeque;

use reeve_statement::digest::Digest;

use super::decide::Decision;
use super::question::Question;
use super::set::PolicySet;

/// Answers that are remembered: the classes of a few figures that change together.
const RECENT: usize = 32;

/// A policy set that remembers its last answers. An answer depends on nothing but the set and the question,
/// so a remembered one is the one that would be given.
#[derive(Debug)]
pub struct Decider {
    set: PolicySet,
    /// Newest last.
    recent: RefCell<VecDeque<(Question, Decision)>>,
}

impl Decider {
    /// Decides by this set.
    #[must_use]
    pub const fn new(set: PolicySet) -> Self {
        Self { set, recent: RefCell::new(VecDeque::new()) }
    }

    /// The hash of the set.
    #[must_use]
    pub fn hash(&self) -> Digest {
        self.set.hash()
    }

    /// The text of the set.
    #[must_use]
    pub fn text(&self) -> &str {
        self.set.text()
    }

    /// Answers a question as [`PolicySet::decide`] does.
    pub fn decide(&self, question: &Question) -> Decision {
        let mut recent = self.recent.borrow_mut();
        if let Some((_, decision)) = recent.iter().rev().find(|(asked, _)| asked == question) {
            return decision.clone();
        }
        let decision = self.set.decide(question);
        if recent.len() >= RECENT {
            recent.pop_front();
        }
        recent.push_back((question.clone(), decision.clone()));
        decision
    }
}

impl From<PolicySet> for Decider {
    fn from(set: PolicySet) -> Self {
        Self::new(set)
    }
}
