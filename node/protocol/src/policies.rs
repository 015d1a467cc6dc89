//! Policy sets: a change of the one in force is an act of this house, and what decided can decide again.
//!
//! Each node has its own policy set. Another one is put in force by people with tokens, or it is found in
//! place of the one before: at a start, or where this node takes over what another one of its home reported.
//! Either way an act says so, which stands in the ledger before anything is decided under it. Policy sets do not
//! replicate in a home, so neither do these acts.
//!
//! Every policy set and schema that ever decided here is kept by its digest, and what was asked of it for each
//! edition is kept by the digest that the edition's decision names: see [`reeve_policy::authz::again`]. What is
//! kept grows with the figures, not with their editions: one question for each figure and class, and another one
//! where the request, the declared level or the indicator became another.

use reeve_policy::authz::{PolicySet, Question as Asked, SCHEMA};
use reeve_statement::adoption::{Adopted, Adoption};
use reeve_statement::digest::Digest;
use reeve_statement::statement::{Body, FigureId};

use crate::asks::AskedLoad;
use crate::bugs::Bug;
use crate::consent::Adopter;
use crate::effect::{AskId, Load};
use crate::local::Answer;
use crate::node::Node;
use crate::rows;

/// Under [`rows::META`]: digests of the policy set and of the schema that decided last.
pub(crate) const DECIDES: &[u8] = b"decides";

/// A policy set and the schema that it was read under, by their digests.
pub(crate) type Decides = (Digest, Digest);

impl Node {
    /// At a start: what decides from now on is kept; and if it is another policy set than before the stop, an
    /// act says so.
    pub(crate) fn note_policy(&mut self) {
        let before = self.decided.map(|(policy, _)| policy);
        self.keep_policy();
        if let Some(before) = before {
            self.note_change(before, String::new());
        }
    }

    pub(crate) fn restore_decides(&mut self, value: &[u8]) -> Option<()> {
        let (policy, schema) = value.split_at_checked(32)?;
        let digest = |bytes: &[u8]| Some(Digest::from_bytes(bytes.try_into().ok()?));
        self.decided = Some((digest(policy)?, digest(schema)?));
        Some(())
    }

    /// Keeps the policy set in force and the schema, unless they were the last that were kept.
    fn keep_policy(&mut self) {
        let schema = Digest::of(SCHEMA.as_bytes());
        let decides = (self.policy.hash(), schema);
        if self.decided == Some(decides) || self.settings.bugs.has(Bug::ForgetPolicies) {
            return;
        }
        let text = self.policy.text().as_bytes().to_vec();
        self.context.persist(rows::policy(&decides.0), Some(text));
        if self.decided.is_none_or(|(_, before)| before != schema) {
            self.context.persist(rows::policy(&schema), Some(SCHEMA.as_bytes().to_vec()));
        }
        let mut row = decides.0.as_bytes().to_vec();
        row.extend_from_slice(schema.as_bytes());
        self.context.persist(rows::key(rows::META, &[DECIDES]), Some(row));
        self.decided = Some(decides);
    }

    /// Enters that the policy set in force is another one than `before`.
    pub(crate) fn note_change(&mut self, before: Digest, by: String) {
        let after = self.policy.hash();
        if before == after || self.settings.bugs.has(Bug::ChangeInSilence) {
            return;
        }
        let at = self.time_of_act();
        let what = Adopted::Policy { before, after };
        self.take_act(Adoption { unit: self.settings.unit.clone(), what, by, at }, None);
    }

    /// Somebody of this house puts a policy set in force; answered when it is durable. Every figure is looked
    /// at again under it.
    pub(crate) fn set_policy(
        &mut self,
        ask: AskId,
        by: String,
        policy: PolicySet,
        adopter: Adopter,
    ) {
        let by = match &adopter {
            Adopter::SecondAfter(first) => format!("{first}, {by}"),
            Adopter::Alone | Adopter::FirstOfTwo => by,
        };
        let answer = match self.may_act() {
            Err(failure) => Answer::Failed(failure),
            Ok(()) if adopter == Adopter::FirstOfTwo => Answer::Done,
            Ok(()) => {
                let before = core::mem::replace(&mut self.policy, policy.into()).hash();
                self.keep_policy();
                self.note_change(before, crate::consent::name_of(&by));
                self.settle_policy();
                self.mark_everything_due();
                Answer::Done
            }
        };
        self.context.reply(ask, answer);
    }

    /// Keeps what was asked about a figure that is about to be told, unless its last edition was told on the
    /// same; the digest, for the decision to name.
    pub(crate) fn keep_asked(&mut self, id: &FigureId, question: &Asked) -> Option<Digest> {
        let document = question.kept()?;
        let digest = Digest::of(document.as_bytes());
        let last = self.reports.figures.get(id).filter(|row| row.term == self.ledger.term());
        let known = match last.and_then(|row| row.body.as_ref()) {
            Some(Body::Release(release)) => release.decision.asked,
            Some(Body::Notice(notice)) => notice.decision.as_ref().and_then(|it| it.asked),
            _ => None,
        };
        if known != Some(digest) {
            self.context.persist(rows::asked(&digest), Some(document.into_bytes()));
        }
        Some(digest)
    }

    /// Loads a policy set, a schema, or what was asked.
    pub(crate) fn load_kept(&mut self, ask: AskId, key: Vec<u8>) {
        let load = self.context.load(Load::Get(vec![key]));
        self.asked_loads.insert(load, AskedLoad::Statement(ask));
    }
}
