//! Consent and emergencies: homes adopt what is proposed, and authorities declare.

use std::collections::BTreeSet;

use rand::Rng;
use reeve_policy::authz::{PolicySet, Role};
use reeve_protocol::consent::{Accepted, Adopt, Adopter};
use reeve_protocol::effect::NodeKey;
use reeve_protocol::local::Question;
use reeve_protocol::rows::{self, AdoptionRow};
use reeve_statement::catalogue::RecipientClass;
use reeve_statement::cbor::from_slice;
use reeve_statement::digest::Digest;
use reeve_statement::names::IndicatorId;
use reeve_statement::register::Declaration;
use reeve_statement::release::Release;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use crate::invariants::{
    invariant_no_relaxation_without_a_declaration, invariant_nothing_is_sent_unadopted,
    invariant_protection_is_never_loosened,
};
use crate::known::Known;
use crate::model::{PERSONAL, STRICT, WINDOW_SECONDS};
use crate::registry::NOON;
use crate::setup::POLICY;
use crate::sim::Sim;

/// The level that homes relax at.
const LEVEL: u8 = 1;

/// How long a declaration is in force, in milliseconds.
const IN_FORCE_MS: core::ops::Range<i64> = 2_000..15_000;

/// How long before or after its signing it begins, in milliseconds.
const BEGINS_MS: core::ops::Range<i64> = -2_000..3_000;

/// Declarations that are ended before their time, of 1,000.
const ENDED: u32 = 300;

/// What homes permit instead of the default policy's figures while a level is declared.
const RELAXATION: &str = r#"
@id("emergency")
@supersedes("superior-figures")
@window("2s")
@min_cell("1")
permit (
  principal is Unit,
  action in [Action::"pull", Action::"subscribe"],
  resource is Indicator
) when { principal.relation == Relation::"superior" && context.response_level == 1 };
"#;

/// What homes permit besides where they tell other classes, too.
const CLASSES: &str = r#"
@id("neighbours")
@window("2s")
@min_cell("1")
permit (
  principal is Unit,
  action in [Action::"pull", Action::"subscribe"],
  resource == Indicator::"patients"
) when { principal.relation == Relation::"neighbour" || principal.relation == Relation::"subordinate" };
@id("everybody")
@window("2s")
@min_cell("1")
permit (
  principal is Unit,
  action in [Action::"pull", Action::"subscribe"],
  resource == Indicator::"patients"
) when { principal.relation == Relation::"other" };
"#;

/// What people consented to and declared.
#[derive(Debug, Default)]
pub(crate) struct Consented {
    /// Definitions that somebody of a home adopted.
    adopted: BTreeSet<(UnitPath, Digest)>,
    /// What any catalogue proposes: a home adopts what its node follows, which may be an older one.
    proposals: Vec<(IndicatorId, Digest)>,
    declared: Vec<(UnitPath, Declaration)>,
}

impl Sim {
    /// What homes accept without an act.
    pub(crate) fn accepted(&self) -> Accepted {
        if self.plan.faults.adoptions > 0 { Accepted::Nothing } else { Accepted::Everything }
    }

    /// The policy of every home, or of one that declines what its superior asks.
    pub(crate) fn policy(&self, declines: bool) -> PolicySet {
        let named = "@id(\"superior-figures\")";
        let mut text = POLICY.replace(named, &format!("{named}\n@window(\"{WINDOW_SECONDS}s\")"));
        if self.plan.faults.classes > 0 {
            text += CLASSES;
        }
        if self.plan.faults.declarations > 0 {
            let stricter = format!("@min_cell(\"{STRICT}\")\npermit");
            text = text.replace("@min_cell(\"1\")\npermit", &stricter) + RELAXATION;
        }
        if declines {
            text = text.replace(r#"Relation::"superior""#, r#"Relation::"above""#);
        }
        PolicySet::parse(&text, "policy.cedar").unwrap()
    }

    /// A new catalogue proposes this.
    pub(crate) fn propose(&mut self, catalogue: &reeve_statement::catalogue::Catalogue) {
        for indicator in &catalogue.indicators {
            let proposal = (indicator.id.clone(), indicator.definition());
            if !self.consented.proposals.contains(&proposal) {
                self.consented.proposals.push(proposal);
            }
        }
    }

    /// Somebody adopts one of the proposals, at any node of some home.
    pub(crate) fn adopt_something(&mut self) {
        if !self.chance(self.plan.faults.adoptions) || self.consented.proposals.is_empty() {
            return;
        }
        let keys: Vec<NodeKey> = self.places.keys().copied().collect();
        let at = keys[self.random.random_range(0..keys.len())];
        let number = self.random.random_range(0..self.consented.proposals.len());
        let proposal = self.consented.proposals[number].clone();
        self.adopt(at, proposal);
    }

    /// In quiet every home adopts everything.
    pub(crate) fn adopt_everything(&mut self) {
        if self.plan.faults.adoptions == 0 {
            return;
        }
        for unit in self.plan.units.clone() {
            let at = self.reporter(&unit);
            for proposal in self.consented.proposals.clone() {
                self.adopt(at, proposal);
            }
        }
    }

    /// Whether a catalogue is still on its way: a clock that was wrong refused it, and it is looked at again
    /// after a while.
    pub(crate) fn is_catalogue_under_way(&self) -> bool {
        let followed = |unit: &UnitPath| {
            self.disks[&self.reporter(unit)].rows.get(&rows::key(rows::META, &[b"catalogue"]))
        };
        let mut sound = self.plan.units.iter().filter(|unit| self.is_sound_up(unit)).map(followed);
        let first = sound.next();
        sound.any(|other| Some(other) != first)
    }

    fn adopt(&mut self, at: NodeKey, (indicator, definition): (IndicatorId, Digest)) {
        let unit = self.places[&at].unit.clone();
        self.consented.adopted.insert((unit, definition));
        let what = Adopt::Indicator { indicator, definition };
        self.send_ask(at, Role::Operator, Question::Adopt(what, Adopter::Alone));
    }

    /// An authority declares an emergency for a part of its area, or ends one.
    pub(crate) fn declare_something(&mut self) {
        if !self.chance(self.plan.faults.declarations) {
            return;
        }
        let now = NOON + i64::try_from(self.now).unwrap();
        let held = self.consented.declared.last().cloned();
        if let Some((issuer, declaration)) = held.filter(|_| self.chance(ENDED)) {
            let ended = Declaration { ended: true, ..declaration };
            return self.declare(&issuer, ended, now);
        }
        let units = &self.plan.units;
        let issuer = units[self.random.random_range(0..units.len())].clone();
        let within: Vec<&UnitPath> = units.iter().filter(|unit| unit.is_within(&issuer)).collect();
        let area = within[self.random.random_range(0..within.len())].clone();
        let from = now + self.random.random_range(BEGINS_MS);
        let until = from + self.random.random_range(IN_FORCE_MS);
        let declaration = Declaration {
            id: format!("emergency {}", self.consented.declared.len()),
            level: LEVEL,
            legal_basis: "Test Act".to_owned(),
            area,
            from: Timestamp::from_millis(from),
            until: Timestamp::from_millis(until),
            ended: false,
        };
        self.consented.declared.push((issuer.clone(), declaration.clone()));
        self.declare(&issuer, declaration, now);
    }

    fn declare(&mut self, issuer: &UnitPath, declaration: Declaration, now: i64) {
        let bytes = self.registry.declaration(issuer, declaration, now);
        let at = self.reporter(issuer);
        self.send_ask(at, Role::Operator, Question::Declare(bytes));
    }

    /// Whether a declaration's time covers a moment, for a unit.
    fn is_declared(&self, unit: &UnitPath, at: Timestamp) -> bool {
        self.consented.declared.iter().any(|(_, declaration)| {
            let Declaration { from, until, area, .. } = declaration;
            *from <= at && at < *until && unit.is_within(area)
        })
    }

    /// A figure is issued: its home adopted it, and it is no less protected than it must be.
    pub(crate) fn observe_consent(&mut self, at: NodeKey, known: &Known, release: &Release) {
        let unit = known.statement.issuer.clone();
        if self.plan.faults.adoptions > 0 && unit.parent().is_some() {
            let asked = self.consented.adopted.contains(&(unit.clone(), release.definition));
            let place = self.disks[&at].place_of(&known.digest);
            let entry = release.decision.adoption;
            let entry = entry.and_then(|act| self.place_of_act(at, known.statement.term, act));
            let entered = entry.is_some() && entry < place;
            let name = release.indicator.as_str();
            let found = invariant_nothing_is_sent_unadopted(asked, entered, &unit, name);
            self.violated("nothing_is_sent_unadopted", found);
        }
        let relaxes =
            release.class == RecipientClass::Superior && self.plan.faults.declarations > 0;
        if !relaxes || release.indicator.as_str() != PERSONAL {
            return;
        }
        let floor = release.decision.conditions.floor;
        let declared = self.is_declared(&unit, known.statement.issued_at);
        let found = invariant_no_relaxation_without_a_declaration(floor, declared, &unit);
        self.violated("no_relaxation_without_a_declaration", found);
        // Whoever goes on from a backup has forgotten what was told since.
        let forgot = self.plan.restored.as_ref() == Some(&unit);
        let leaf = !forgot && !self.plan.units.iter().any(|other| other.is_child_of(&unit));
        if let Some((figure, _)) = known.statement.figure().filter(|_| leaf) {
            let name = (unit, figure);
            let found = invariant_protection_is_never_loosened(&mut self.told, name, floor);
            self.violated("protection_is_never_loosened", found);
        }
    }

    /// Where an act stands in a term's ledger of a node.
    fn place_of_act(&self, at: NodeKey, term: u64, act: Digest) -> Option<u64> {
        let prefix = rows::key(rows::ADOPTED, &[&term.to_be_bytes()]);
        let rows = self.disks[&at].rows.range(prefix.clone()..);
        let acts = rows.take_while(|(key, _)| key.starts_with(&prefix));
        acts.map(|(_, value)| from_slice::<AdoptionRow>("act", value, value.len()).unwrap())
            .find(|row| row.entry == act && row.act.entry() == act)
            .map(|row| row.index)
    }
}
