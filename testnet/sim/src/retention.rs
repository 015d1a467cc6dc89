//! Retention: at the end of a run a home removes its oldest day, while one of its nodes is away and writes
//! records of that day.
//!
//! Once all its nodes have heard of it, no disk of the home holds one of those records, not in what was
//! freed either; the figures of that day are what they were.

use reeve_policy::authz::Role;
use reeve_protocol::effect::NodeKey;
use reeve_protocol::local::{Answer, Question};
use reeve_statement::names::KindId;

use crate::invariants::{
    invariant_acknowledged_records_are_there, invariant_removed_records_are_gone,
};
use crate::model::{DAYS, INDICATORS, Said};
use crate::sim::{Event, Sim};

/// How long the node that is away stays so, in virtual milliseconds.
const AWAY_MS: u64 = 20_000;

/// How long after it came back everything must be gone and right, in virtual milliseconds.
const GONE_WITHIN_MS: u64 = 150_000;

/// How often it is looked at, in virtual milliseconds.
const LOOK_MS: u64 = 1_000;

/// The record that the node which is away writes.
const LATE: &str = "case-written-while-away";

impl Sim {
    /// Removes the oldest day of the planned home, and checks that it is gone.
    pub(crate) fn expire_planned(&mut self) {
        let Some(unit) = self.plan.expires.clone() else { return };
        let sealer = self.reporter(&unit);
        let nodes: Vec<NodeKey> = self
            .places
            .iter()
            .filter(|(_, place)| place.unit == unit)
            .map(|(key, _)| *key)
            .collect();
        let away = nodes.iter().copied().find(|key| *key != sealer && self.is_up(*key));
        let fit = self.is_sound_up(&unit) && self.is_up(sealer);
        let (Some(away), true, None) = (away, fit, &self.violation) else { return };
        for other in &nodes {
            self.network.block(away, *other);
            self.network.block(*other, away);
        }
        let kind = || KindId::new(INDICATORS[0].1).unwrap();
        let said = Some(Said { day: DAYS[0], ward: None });
        let late = vec![self.operation(INDICATORS[0].1, LATE, said)];
        self.ask(away, Role::Writer, Question::Write { kind: kind(), ops: late, import: None });
        let gone: Vec<String> = self
            .model
            .settled()
            .filter(|((at, id), said)| {
                let old = said.is_some_and(|said| said.ward.is_none() && said.day == DAYS[0]);
                old && nodes.contains(at) && id != LATE
            })
            .map(|((_, id), _)| id.clone())
            .collect();
        let before = Some(DAYS[1].parse().unwrap());
        let what = Question::Expire { kind: Some(kind()), before, dry: false };
        // Whoever stops on the way is asked again.
        self.send_ask(sealer, Role::Operator, what);
        let cut = self.now + self.random_below(200);
        self.run_until(cut);
        self.stop(sealer, 0);
        self.push(self.now + 1, Event::Restart(sealer));
        self.run_until(self.now + AWAY_MS);
        let what = Question::Expire { kind: Some(kind()), before, dry: false };
        let answer = self.ask(sealer, Role::Operator, what);
        let done = matches!(answer, Some(Answer::Expired(_))) || self.violation.is_some();
        let found = invariant_acknowledged_records_are_there(done, "the expiry");
        self.violated("expiry_is_answered", found);
        self.network.heal();
        self.wait_until_gone(&nodes, &gone);
    }

    fn random_below(&mut self, most: u64) -> u64 {
        rand::Rng::random_range(&mut self.random, 0..most)
    }

    fn wait_until_gone(&mut self, nodes: &[NodeKey], gone: &[String]) {
        let end = self.now + GONE_WITHIN_MS;
        while self.violation.is_none() {
            let held = gone.iter().map(String::as_str).chain([LATE]).find(|id| {
                let bytes = as_text(id);
                nodes.iter().any(|node| self.disks[node].holds(&bytes))
            });
            let held = held.map(str::to_owned);
            let wrong = self.figures_wrong();
            if held.is_none() && wrong.is_none() {
                return;
            }
            if self.now >= end {
                let found = invariant_removed_records_are_gone(held.as_deref());
                self.violated("removed_records_are_gone", found);
                if let Some((invariant, what)) = wrong {
                    return self.violated(invariant, Err(what));
                }
            }
            self.run_until(self.now + LOOK_MS);
        }
    }
}

/// An id as rows hold it: one is the beginning of another.
fn as_text(id: &str) -> Vec<u8> {
    reeve_statement::cbor::to_vec(&id)
}
