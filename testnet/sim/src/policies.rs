//! Policies, at rest: every change of one is in the ledger, and what was decided can be decided again.

use std::collections::BTreeMap;

use reeve_policy::authz::{KeptQuestion, PolicySet};
use reeve_protocol::effect::NodeKey;
use reeve_protocol::rows::{self, AdoptionRow, SentRow};
use reeve_statement::adoption::Adopted;
use reeve_statement::cbor::from_slice;
use reeve_statement::digest::Digest;
use reeve_statement::release::Decision;
use reeve_statement::statement::Body;
use reeve_statement::time::Timestamp;

use crate::disk::Disk;
use crate::invariants::{
    invariant_a_change_of_the_policy_is_in_the_ledger, invariant_a_decision_can_be_made_again,
};
use crate::sim::Sim;

/// Of so many decisions of a ledger one is made again: it costs more than all that a step does.
const SAMPLE: usize = 16;

/// A decision of a ledger.
#[derive(Debug)]
struct Decided {
    place: u64,
    permitted: bool,
    decision: Decision,
}

/// An act that puts another policy set in force.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    place: u64,
    at: Timestamp,
    before: Digest,
    after: Digest,
}

impl Sim {
    pub(crate) fn check_policies(&mut self) {
        let mut sets = BTreeMap::new();
        for unit in self.plan.units.clone() {
            if self.plan.hostile.contains(&unit) || self.stopped.contains(&unit) {
                continue;
            }
            let key = self.reporter(&unit);
            let term = self.places[&key].term.unwrap();
            let (decided, changes) = (self.decided(key, term), changes_of(&self.disks[&key], term));
            for one in &decided {
                let first = decided[0].decision.policy_set;
                let due = in_force(&changes, one.place).unwrap_or(first);
                let found = invariant_a_change_of_the_policy_is_in_the_ledger(
                    due,
                    one.decision.policy_set,
                    one.place,
                    &unit,
                );
                self.violated("a_change_of_the_policy_is_in_the_ledger", found);
            }
            for (number, one) in decided.iter().enumerate() {
                let again = number % SAMPLE == 0;
                let differences = differences(&self.disks[&key], one, again, &mut sets);
                let found = invariant_a_decision_can_be_made_again(differences, one.place, &unit);
                self.violated("a_decision_can_be_made_again", found);
            }
        }
    }

    /// The decisions that the ledger of a term has, in order.
    fn decided(&self, at: NodeKey, term: u64) -> Vec<Decided> {
        let known = |row: &[u8]| {
            let row: SentRow = from_slice("sent", row, row.len()).unwrap();
            let known = self.seen.known(&row.statement)?;
            let (permitted, decision) = match &known.statement.body {
                Body::Release(release) => (true, release.decision.clone()),
                Body::Notice(notice) => (false, notice.decision.clone()?),
                _ => return None,
            };
            Some(Decided { place: row.index, permitted, decision })
        };
        of_term(&self.disks[&at], rows::SENT, term).filter_map(known).collect()
    }
}

/// Rows of a term's ledger.
fn of_term<'a>(disk: &'a Disk, prefix: &[u8], term: u64) -> impl Iterator<Item = &'a [u8]> {
    let prefix = rows::key(prefix, &[&term.to_be_bytes()]);
    let rows = disk.rows.range(prefix.clone()..);
    let rows = rows.take_while(move |(key, _)| key.starts_with(&prefix));
    rows.map(|(_, value)| value.as_slice())
}

fn changes_of(disk: &Disk, term: u64) -> Vec<Change> {
    let change = |row: &[u8]| {
        let row: AdoptionRow = from_slice("act", row, row.len()).unwrap();
        match row.act.what {
            Adopted::Policy { before, after } => {
                Some(Change { place: row.index, at: row.act.at, before, after })
            }
            _ => None,
        }
    };
    of_term(disk, rows::ADOPTED, term).filter_map(change).collect()
}

/// Under which policy set the ledger says that an entry was decided; none: it says of no change.
fn in_force(changes: &[Change], place: u64) -> Option<Digest> {
    let entered = changes.iter().filter(|change| change.place < place);
    let last = entered.max_by_key(|change| change.at).map(|change| change.after);
    last.or_else(|| changes.iter().min_by_key(|change| change.at).map(|change| change.before))
}

/// What is missing to make a decision again, or, if it is, what differs.
fn differences(
    disk: &Disk,
    decided: &Decided,
    again: bool,
    sets: &mut BTreeMap<Digest, PolicySet>,
) -> Vec<String> {
    let Decided { permitted, decision, .. } = decided;
    let kept = |key: Vec<u8>, digest: Digest| {
        let text = disk.rows.get(&key).filter(|bytes| Digest::of(bytes) == digest)?;
        core::str::from_utf8(text).ok()
    };
    let policy = kept(rows::policy(&decision.policy_set), decision.policy_set);
    let asked = decision.asked.and_then(|digest| kept(rows::asked(&digest), digest));
    let (Some(policy), Some(asked)) = (policy, asked) else {
        return vec!["the policy set or what was asked is not kept".to_owned()];
    };
    if !again {
        return Vec::new();
    }
    let asked = KeptQuestion::parse(asked).unwrap();
    let Some(schema) = kept(rows::policy(&asked.schema()), asked.schema()) else {
        return vec!["the schema is not kept".to_owned()];
    };
    let parse = || PolicySet::parse_under(policy, "policy.cedar", schema).unwrap();
    let set = sets.entry(decision.policy_set).or_insert_with(parse);
    set.decide_again(&asked).unwrap().differences(*permitted, decision)
}
