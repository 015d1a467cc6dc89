//! What a node must know that reports in another one's place: under which policy the unit's last figures were
//! made, and of how many sources.
//!
//! Records, acts of adoption, the register and what was said replicate in a home. What is a node's own does
//! not: its policy set, which legal bases its settings accept, which sources it declares. Where a node that
//! takes the office over has others than the one before, figures would change their meaning with the node;
//! so it says where they differ, until somebody sees to it.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use reeve_statement::catalogue::Indicator;
use reeve_statement::cbor::{bounded_vec, from_slice, to_vec};
use reeve_statement::digest::Digest;
use reeve_statement::names::IndicatorId;
use reeve_statement::period::Period;

use crate::local::TakenOver;
use crate::node::Node;
use crate::report::Reports;
use crate::rows;

/// Under [`rows::META`]: what stood when the office was taken over.
pub(crate) const BEFORE: &[u8] = b"before";

/// Most indicators of a catalogue.
const INDICATORS: usize = 1_000;

/// The last figure of an indicator that the node before told.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct LastTold {
    #[n(0)]
    indicator: IndicatorId,
    #[n(1)]
    period: Period,
    /// How many sources were expected to report it.
    #[n(2)]
    sources: u32,
}

/// What stood when the office was taken over.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Before {
    /// The term of the node before.
    #[n(0)]
    term: u64,
    /// The policy set of its last decision.
    #[n(1)]
    policy: Digest,
    #[cbor(n(2), decode_with = "decode_told")]
    told: Vec<LastTold>,
}

fn decode_told<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<LastTold>, minicbor::decode::Error> {
    bounded_vec(d, ctx, INDICATORS)
}

impl Node {
    /// The office of a node of that term was taken over: its last figures are this node's now.
    pub(super) fn note_before(&mut self, term: u64) {
        let of_superior =
            self.reports.figures.values().filter(|row| row.id.class == Reports::class());
        let mut rows: Vec<_> = of_superior.filter(|row| row.release().is_some()).collect();
        rows.sort_by_key(|row| row.issued_at);
        let policy = rows.last().and_then(|row| row.release()).map(|it| it.decision.policy_set);
        let Some(policy) = policy else { return };
        let mut told: BTreeMap<IndicatorId, LastTold> = BTreeMap::new();
        for row in rows {
            let Some(release) = row.release() else { continue };
            let (indicator, period) = (release.indicator.clone(), release.period);
            let sources = release.sources.expected;
            told.insert(indicator.clone(), LastTold { indicator, period, sources });
        }
        let told = told.into_values().take(INDICATORS).collect();
        self.keep_before(Before { term, policy, told });
        self.note_change(policy, String::new());
    }

    fn keep_before(&mut self, before: Before) {
        self.context.persist(rows::key(rows::META, &[BEFORE]), Some(to_vec(&before)));
        self.home.before = Some(before);
    }

    pub(crate) fn restore_before(&mut self, value: &[u8]) -> Option<()> {
        self.home.before = Some(from_slice("row", value, value.len()).ok()?);
        Some(())
    }

    /// People of this house set the policy that is to hold: nothing is compared with the one before.
    pub(crate) fn settle_policy(&mut self) {
        let policy = self.policy.hash();
        if let Some(before) = self.home.before.clone().filter(|it| it.policy != policy) {
            self.keep_before(Before { policy, ..before });
        }
    }

    /// In what this node differs from the one whose office it took over; none: in nothing, or it took none.
    pub(crate) fn view_taken_over(&self) -> Option<TakenOver> {
        let before = self.home.before.as_ref().filter(|_| self.settings.term.is_some())?;
        let policy = self.policy.hash();
        let catalogue = self.reports.catalogue.as_ref().map(|(_, it)| it)?;
        let known: Vec<(&LastTold, &Indicator)> = before
            .told
            .iter()
            .filter_map(|told| Some((told, catalogue.find(&told.indicator)?)))
            .collect();
        let forgotten =
            known.iter().filter(|(_, it)| !self.is_adopted(it) && !self.is_withdrawn(it));
        let sources = known.iter().filter_map(|(told, indicator)| {
            let own = self.own_figure(indicator, told.period)?.ok()?;
            let expected = self.own_sources(&own, told.period).expected;
            let differs = told.sources > 0 && expected != told.sources;
            differs.then(|| (told.indicator.clone(), told.sources, expected))
        });
        let differs = TakenOver {
            term: before.term,
            policy: (before.policy != policy).then_some((before.policy, policy)),
            not_adopted: forgotten.map(|(told, _)| told.indicator.clone()).collect(),
            sources: sources.collect(),
        };
        let TakenOver { policy, not_adopted, sources, .. } = &differs;
        (policy.is_some() || !not_adopted.is_empty() || !sources.is_empty()).then_some(differs)
    }
}
