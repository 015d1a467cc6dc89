//! What is seen at each step, held against the invariants: frames as they leave, answers as they are
//! given.

use reeve_protocol::effect::{Channel, NodeKey};
use reeve_protocol::rows::{self, HeadRow, HeardRow};
use reeve_protocol::wire::{ReportAnswer, Upward, decode};
use reeve_statement::cbor::from_slice;
use reeve_statement::cose::Signed;
use reeve_statement::digest::Digest;
use reeve_statement::period::Period;
use reeve_statement::statement::{Body, Statement};
use reeve_statement::time::Timestamp;

use crate::hostile::Hostile;
use crate::invariants::{
    invariant_a_ledger_only_grows, invariant_commit_then_speak, invariant_no_edition_is_told_twice,
    invariant_no_raw_field_crosses_a_border, invariant_nothing_forged_is_accepted,
    invariant_nothing_is_accepted_from_the_revoked, invariant_nothing_under_its_floor_is_told,
};
use crate::registry::NOON;
use crate::setup::REPORTING;
use crate::sim::{Owed, Sim};

/// Frames of a hostile node that are kept to be sent again.
const KEPT_FRAMES: usize = 64;

/// Longest row that is read back, in bytes.
const ROW_BYTES: usize = 4 * 1024 * 1024;

impl Sim {
    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(NOON + i64::try_from(self.now).unwrap())
    }

    /// A frame leaves an honest node.
    pub(crate) fn observe_send(
        &mut self,
        from: NodeKey,
        to: NodeKey,
        channel: Channel,
        bytes: &[u8],
    ) {
        let (place, other) = (self.places[&from].clone(), &self.places[&to]);
        if place.unit == other.unit || self.plan.hostile.contains(&place.unit) {
            return;
        }
        let found = invariant_no_raw_field_crosses_a_border(bytes);
        self.violated("no_raw_field_crosses_a_border", found);
        if channel != Channel::Report {
            return;
        }
        let Ok(Upward::Deliver { statement, .. }) = decode::<Upward>(bytes) else { return };
        let signed = Signed::decode(&statement.0).unwrap();
        let digest = signed.digest();
        let chain = self.registry.node(&place.unit, &place.label, place.term);
        let verified = signed.verify_with(&chain, &self.verifier, self.wall());
        let Ok(verified) = verified else {
            let what = format!("{} told what does not verify", place.unit);
            return self.violated("what_is_told_verifies", Err(what));
        };
        self.statements += 1;
        self.observe_statement(from, verified.statement(), digest);
    }

    fn observe_statement(&mut self, from: NodeKey, statement: &Statement, digest: Digest) {
        let disk = &self.disks[&from];
        let durable = disk.rows.contains_key(&rows::statement(&digest));
        let found = invariant_commit_then_speak(durable, &digest);
        let entry = disk.rows.range(rows::SENT.to_vec()..).find(|(_, row)| {
            from_slice::<rows::SentRow>("sent", row, ROW_BYTES).is_ok_and(|r| r.statement == digest)
        });
        let index =
            entry.and_then(|(_, row)| from_slice::<rows::SentRow>("sent", row, ROW_BYTES).ok());
        self.violated("commit_then_speak", found);
        let unit = statement.issuer.clone();
        if let Some(row) = index {
            let found = invariant_a_ledger_only_grows(&mut self.told, &unit, row.index, digest);
            self.violated("a_ledger_only_grows", found);
        } else {
            self.violated("every_statement_is_in_the_ledger", Err(format!("{digest} of {unit}")));
        }
        if let Some((figure, edition)) = statement.figure() {
            let name = (unit, figure, statement.term, edition);
            let found = invariant_no_edition_is_told_twice(&mut self.told, name, digest);
            self.violated("no_edition_is_told_twice", found);
        }
        if let Body::Release(release) = &statement.body
            && release.indicator.as_str() == "patients"
        {
            let found = invariant_nothing_under_its_floor_is_told(release);
            self.violated("nothing_under_its_floor_is_told", found);
        }
    }

    /// The frames that a node really sends: an honest one what its program says.
    pub(crate) fn as_sent(
        &mut self,
        from: NodeKey,
        channel: Channel,
        bytes: Vec<u8>,
    ) -> Vec<Vec<u8>> {
        let place = self.places[&from].clone();
        if !self.trouble || channel != Channel::Report || !self.plan.hostile.contains(&place.unit) {
            return vec![bytes];
        }
        let chain = self.registry.node(&place.unit, &place.label, place.term);
        let key = crate::registry::node_key(&place.unit, &place.label);
        let at = self.wall();
        let kept = self.sent.entry(from).or_default();
        kept.push(bytes.clone());
        if kept.len() > KEPT_FRAMES {
            kept.remove(0);
        }
        let mut hostile = Hostile {
            key: &key,
            chain: &chain,
            verifier: &self.verifier,
            at,
            sent: kept,
            random: &mut self.random,
        };
        hostile.twist(bytes)
    }

    /// The statement that a frame delivers, if it does.
    pub(crate) fn delivered(
        &self,
        from: NodeKey,
        channel: Channel,
        bytes: &[u8],
    ) -> Option<Digest> {
        let _ = from;
        if channel != Channel::Report {
            return None;
        }
        let Ok(Upward::Deliver { statement, .. }) = decode::<Upward>(bytes) else { return None };
        Some(Signed::decode(&statement.0).ok()?.digest())
    }

    /// A node answers a peer.
    pub(crate) fn observe_answer(&mut self, at: NodeKey, owed: &Owed, bytes: &[u8]) {
        if owed.channel != Channel::Report || self.plan.hostile.contains(&self.places[&at].unit) {
            return;
        }
        let Some(digest) = owed.delivers else { return };
        if decode::<ReportAnswer>(bytes) != Ok(ReportAnswer::Accepted) {
            return;
        }
        let unit = self.places[&owed.to].unit.clone();
        if self.plan.is_honest(&unit) || !self.plan.hostile.contains(&unit) {
            let found = invariant_nothing_forged_is_accepted(&self.told, digest);
            self.violated("nothing_forged_is_accepted", found);
        }
        let host = self.places[&at].unit.clone();
        let heard_late = self.revoked_at.contains_key(&owed.to) && unit.is_child_of(&host);
        let found = invariant_nothing_is_accepted_from_the_revoked(heard_late, &unit);
        self.violated("nothing_is_accepted_from_the_revoked", found);
        self.observe_accepted(at, digest);
    }

    /// What was accepted is durable: itself, or a later edition in its place.
    fn observe_accepted(&mut self, at: NodeKey, digest: Digest) {
        let disk = &self.disks[&at];
        let durable = disk.rows.contains_key(&rows::statement(&digest));
        let found = invariant_commit_then_speak(durable, &format_args!("acceptance of {digest}"));
        self.violated("commit_then_speak", found);
    }

    /// Whether a node's superior was shown more of its ledger than its image holds.
    pub(crate) fn is_image_noticed(&self, key: NodeKey) -> bool {
        let unit = &self.places[&key].unit;
        let Some(above) = unit.parent() else { return false };
        let superior = &self.disks[&self.key_of(&above, REPORTING)];
        let head = rows::key(rows::HEAD, &[unit.leaf().as_str().as_bytes()]);
        let seen = superior.rows.get(&head);
        let seen = seen.and_then(|row| from_slice::<HeadRow>("head", row, ROW_BYTES).ok());
        let image = self.disks[&key].ledger_of_image();
        seen.zip(image).is_some_and(|(seen, image)| seen.size > image)
    }

    /// Subordinates whose word about a figure a node holds, verified and durable.
    pub(crate) fn heard_by(&self, at: NodeKey, indicator: &str, period: Period) -> usize {
        let rows = self.disks[&at].rows.range(rows::HEARD.to_vec()..);
        let mut units = std::collections::BTreeSet::new();
        for (_, row) in rows.take_while(|(key, _)| key.starts_with(rows::HEARD)) {
            let row = from_slice::<HeardRow>("heard", row, ROW_BYTES).unwrap();
            let every = row.id.period.is_none();
            if row.id.indicator.as_str() == indicator && (every || row.id.period == Some(period)) {
                units.insert(row.unit);
            }
        }
        units.len()
    }
}
