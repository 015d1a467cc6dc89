//! Consent: a catalogue proposes an indicator, and the home adopts it or does not.
//!
//! Until it does, nothing of the indicator is sent: where a figure would go, a notice says so. What is
//! adopted is a definition, by its digest: a changed one is proposed anew. An act of adoption is kept
//! by every node of the home, whichever of them was asked, and stands in the ledger of the one that
//! reports before a figure is cut under it. Acts are only ever added, so that nodes which hear of them
//! in different orders agree: of acts about one definition the last one counts.
//!
//! Without an act, two proposals are adopted: one that this unit signed itself, and one that the
//! settings accept beforehand. A consent is withdrawn by an act, which also binds against these two.
//! From then on notices are sent in place of figures; of a period that had ended before, the figure that
//! was told stands, and nothing more is said.
//!
//! Changes of the policy are acts as well, of one node and not of its home: see `policies`.

use std::collections::{BTreeMap, BTreeSet};

use reeve_statement::adoption::{Adopted, Adoption};
use reeve_statement::catalogue::Indicator;
use reeve_statement::cbor::{from_slice, to_vec};
use reeve_statement::digest::Digest;
use reeve_statement::limits::TEXT_BYTES;
use reeve_statement::names::IndicatorId;
use reeve_statement::period::Period;
use reeve_statement::release::Release;
use reeve_statement::statement::FigureId;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use crate::bugs::Bug;
use crate::effect::{AskId, Channel, NodeKey};
use crate::local::{Answer, Failure};
use crate::node::Node;
use crate::refusal::Refusal;
use crate::rows::{self, AdoptionRow};
use crate::trust::Standing;
use crate::wire::{Blob, DISTRIBUTED, HomeMessage};

/// Most acts that a home keeps: a catalogue of a thousand indicators, each changed twenty times.
const ACTS: usize = 20_000;

/// Largest act, in bytes: its longest path and texts.
const ACT_BYTES: usize = 4 * 1_024;

/// What is adopted without an act, as the settings say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Accepted {
    /// Nothing.
    #[default]
    Nothing,
    /// Every definition that names one of these legal bases, word for word.
    LegalBases(BTreeSet<String>),
    /// Every definition.
    Everything,
}

impl Accepted {
    fn covers(&self, indicator: &Indicator) -> bool {
        match self {
            Self::Nothing => false,
            Self::LegalBases(bases) => {
                indicator.legal_basis.as_ref().is_some_and(|basis| bases.contains(basis))
            }
            Self::Everything => true,
        }
    }
}

/// What somebody adopts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adopt {
    /// An indicator, in the definition that was looked at.
    Indicator {
        /// Which.
        indicator: IndicatorId,
        /// Digest of the definition.
        definition: Digest,
    },
    /// Everything that names this legal basis, now and later.
    LegalBasis(String),
    /// No definition of this indicator any more.
    Withdraw(IndicatorId),
    /// Nothing any more that names this legal basis.
    WithdrawLegalBasis(String),
}

/// Who stands behind an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adopter {
    /// Whoever asks.
    Alone,
    /// Whoever asks, as the first of two: nothing is done yet, but it is said whether it could be.
    FirstOfTwo,
    /// Whoever asks, after this person.
    SecondAfter(String),
}

/// How an indicator stands at this home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    /// It is not adopted.
    NotAdopted,
    /// It is not adopted any more, by an act.
    Withdrawn(Box<Adoption>),
    /// By an act.
    Act(Box<Adoption>),
    /// This unit signed the catalogue.
    OwnCatalogue,
    /// The settings accept it.
    Settings,
}

/// What a catalogue proposes, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The indicator.
    pub indicator: Indicator,
    /// Digest of its definition.
    pub definition: Digest,
    /// Whether it is adopted.
    pub consent: Consent,
}

/// An act that this home keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// The act.
    pub adoption: Adoption,
    /// What stands for it in the ledger.
    pub entry: Digest,
    /// Where in the present term's ledger; none: this node keeps none, or has not met its superior.
    pub index: Option<u64>,
}

/// Acts are ordered by time, and by their entries where they are of one moment.
type Order = (Timestamp, Digest);

/// What the acts of a home come to for a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decided {
    /// Nothing was decided.
    Nothing,
    /// It is adopted, by the act of this entry.
    Adopted(Digest),
    /// The consent was withdrawn, by the act of this entry.
    Withdrawn(Digest),
}

/// The acts of a home.
#[derive(Debug, Default, Clone)]
pub(crate) struct Acts {
    /// Each act, by its entry.
    all: BTreeMap<Digest, Adoption>,
    /// Acts by what they are about, in their order.
    about: BTreeMap<Adopted, BTreeSet<Order>>,
    /// Where the present term's ledger holds them.
    entered: BTreeMap<Digest, u64>,
}

impl Acts {
    /// Whether the act is news.
    fn take(&mut self, act: Adoption) -> bool {
        let entry = act.entry();
        if self.all.contains_key(&entry) {
            return false;
        }
        self.about.entry(act.what.clone()).or_default().insert((act.at, entry));
        self.all.insert(entry, act);
        true
    }

    /// What the acts come to for a definition. Of several acts by which it is adopted the first since
    /// the consent was withdrawn last is named, so that saying it again changes nothing.
    fn decided(&self, indicator: &Indicator, definition: Digest) -> Decided {
        let acts = |what: &Adopted| self.about.get(what);
        let basis = indicator.legal_basis.as_ref();
        let ends = [
            Some(Adopted::Withdrawn(indicator.id.clone())),
            basis.map(|basis| Adopted::WithdrawnBasis(basis.clone())),
        ];
        let ends = ends.iter().flatten().filter_map(acts);
        let end: Option<Order> = ends.filter_map(|acts| acts.last().copied()).max();
        let first = |what: &Adopted| {
            acts(what)?.iter().find(|order| end.is_none_or(|end| **order > end)).copied()
        };
        let one = Adopted::Definition { indicator: indicator.id.clone(), definition };
        let by_basis = || first(&Adopted::LegalBasis(basis?.clone()));
        match (first(&one).or_else(by_basis), end) {
            (Some((_, entry)), _) => Decided::Adopted(entry),
            (None, Some((_, entry))) => Decided::Withdrawn(entry),
            (None, None) => Decided::Nothing,
        }
    }

    /// The time of the newest act.
    fn newest(&self) -> Option<Timestamp> {
        self.all.values().map(|act| act.at).max()
    }

    /// A new ledger has begun: nothing is in it.
    pub(crate) fn begin_ledger(&mut self) {
        self.entered.clear();
    }
}

/// By what an indicator is adopted.
enum Grounds {
    Act(Digest),
    OwnCatalogue(Digest),
    Settings,
}

impl Node {
    fn grounds(&self, indicator: &Indicator) -> Option<Grounds> {
        let definition = self.definition_of(indicator);
        match self.acts.decided(indicator, definition) {
            Decided::Adopted(entry) => return Some(Grounds::Act(entry)),
            Decided::Withdrawn(_) => return None,
            Decided::Nothing => {}
        }
        let own = self.reports.proposer.as_ref() == Some(&self.settings.unit);
        if let Some((statement, _)) = self.reports.catalogue.as_ref().filter(|_| own) {
            return Some(Grounds::OwnCatalogue(*statement));
        }
        self.settings.accepted.covers(indicator).then_some(Grounds::Settings)
    }

    /// The digest of a definition of the catalogue in force.
    fn definition_of(&self, indicator: &Indicator) -> Digest {
        let known = self.reports.definitions.get(&indicator.id).copied();
        known.unwrap_or_else(|| indicator.definition())
    }

    /// Whether this home adopted an indicator of the catalogue in force.
    pub(crate) fn is_adopted(&self, indicator: &Indicator) -> bool {
        self.settings.bugs.has(Bug::SendUnadopted) || self.grounds(indicator).is_some()
    }

    /// The act by which the consent to an indicator was withdrawn, if it was.
    fn withdrawal_of(&self, indicator: &Indicator) -> Option<&Adoption> {
        match self.acts.decided(indicator, self.definition_of(indicator)) {
            Decided::Withdrawn(entry) => self.acts.all.get(&entry),
            Decided::Adopted(_) | Decided::Nothing => None,
        }
    }

    /// Whether the consent to an indicator was withdrawn.
    pub(crate) fn is_withdrawn(&self, indicator: &Indicator) -> bool {
        self.withdrawal_of(indicator).is_some()
    }

    /// Whether what was told of a figure stands although its indicator is not adopted any more: the
    /// superior took it, and its period had ended when the consent was withdrawn.
    pub(crate) fn stands(&self, id: &FigureId, indicator: &Indicator) -> bool {
        let Some(act) = self.withdrawal_of(indicator) else { return false };
        let ended = id.period.and_then(Period::last_day).is_some_and(|it| it < self.day_of(act.at));
        let Some(row) = self.reports.figures.get(id).filter(|_| ended) else { return false };
        let told = row.accepted == row.edition || self.settings.unit.depth() == 1;
        let same = |release: &Release| release.definition == self.definition_of(indicator);
        told && row.release().is_some_and(same)
    }

    /// The ledger's entry of the act by which it is adopted; none: the settings accept it.
    pub(crate) fn adoption_of(&self, indicator: &Indicator) -> Option<Digest> {
        match self.grounds(indicator)? {
            Grounds::Act(entry) => Some(entry),
            Grounds::OwnCatalogue(statement) => Some(statement),
            Grounds::Settings => None,
        }
    }

    /// What the catalogue in force proposes, and how it stands here.
    pub(crate) fn view_proposals(&self) -> Vec<Proposal> {
        let indicators = self.reports.catalogue.iter().flat_map(|(_, it)| &it.indicators);
        indicators
            .map(|indicator| Proposal {
                indicator: indicator.clone(),
                definition: self.definition_of(indicator),
                consent: match self.grounds(indicator) {
                    None => match self.withdrawal_of(indicator) {
                        Some(act) => Consent::Withdrawn(Box::new(act.clone())),
                        None => Consent::NotAdopted,
                    },
                    Some(Grounds::Settings) => Consent::Settings,
                    Some(Grounds::OwnCatalogue(_)) => Consent::OwnCatalogue,
                    Some(Grounds::Act(entry)) => match self.acts.all.get(&entry) {
                        Some(act) => Consent::Act(Box::new(act.clone())),
                        None => Consent::NotAdopted,
                    },
                },
            })
            .collect()
    }

    /// Every act that this home keeps, the oldest first.
    pub(crate) fn view_acts(&self) -> Vec<Act> {
        let mut acts: Vec<Act> = self
            .acts
            .all
            .iter()
            .map(|(entry, adoption)| Act {
                adoption: adoption.clone(),
                entry: *entry,
                index: self.acts.entered.get(entry).copied(),
            })
            .collect();
        acts.sort_by_key(|act| (act.adoption.at, act.entry));
        acts
    }

    /// Indicators of the catalogue in force that are not adopted.
    pub(crate) fn not_adopted(&self) -> Vec<IndicatorId> {
        let indicators = self.reports.catalogue.iter().flat_map(|(_, it)| &it.indicators);
        let missing = indicators.filter(|indicator| self.grounds(indicator).is_none());
        missing.map(|indicator| indicator.id.clone()).collect()
    }

    /// Somebody of this house adopts; answered when it is durable.
    pub(crate) fn adopt(&mut self, ask: AskId, by: String, what: Adopt, adopter: Adopter) {
        let by = match &adopter {
            Adopter::SecondAfter(first) => format!("{first}, {by}"),
            Adopter::Alone | Adopter::FirstOfTwo => by,
        };
        let answer = match self.act(by, what) {
            Ok(_) if adopter == Adopter::FirstOfTwo => Answer::Done,
            Ok(act) => {
                self.take_act(act, None);
                Answer::Done
            }
            Err(failure) => Answer::Failed(failure),
        };
        self.context.reply(ask, answer);
    }

    fn act(&self, by: String, what: Adopt) -> Result<Adoption, Failure> {
        self.may_act()?;
        let what = match what {
            Adopt::Indicator { indicator, definition } => {
                let found = self.reports.definitions.get(&indicator).copied();
                match found {
                    None => return Err(Failure::UnknownIndicator(indicator)),
                    Some(found) if found != definition => {
                        return Err(Failure::OtherDefinition(indicator));
                    }
                    Some(_) => Adopted::Definition { indicator, definition },
                }
            }
            Adopt::Withdraw(indicator) if !self.reports.definitions.contains_key(&indicator) => {
                return Err(Failure::UnknownIndicator(indicator));
            }
            Adopt::Withdraw(indicator) => Adopted::Withdrawn(indicator),
            Adopt::LegalBasis(basis) | Adopt::WithdrawLegalBasis(basis)
                if basis.is_empty() || basis.len() > TEXT_BYTES =>
            {
                return Err(Failure::LegalBasis(basis.len()));
            }
            Adopt::LegalBasis(basis) => Adopted::LegalBasis(basis),
            Adopt::WithdrawLegalBasis(basis) => Adopted::WithdrawnBasis(basis),
        };
        let (by, at) = (name_of(&by), self.time_of_act());
        Ok(Adoption { unit: self.settings.unit.clone(), what, by, at })
    }

    /// Whether there is room for another act.
    pub(crate) fn may_act(&self) -> Result<(), Failure> {
        if self.short {
            return Err(Failure::NoSpace);
        }
        if self.acts.all.len() >= ACTS {
            return Err(Failure::TooMany { limit: ACTS, found: self.acts.all.len() });
        }
        Ok(())
    }

    /// Whoever acts has seen the acts before: theirs comes after, whatever the clocks say.
    pub(crate) fn time_of_act(&self) -> Timestamp {
        let after = self.acts.newest().map(|newest| newest.plus_millis(1));
        after.map_or(self.context.now().wall, |after| after.max(self.context.now().wall))
    }

    /// Whether an act says nothing that is not so already.
    fn is_no_news(&self, act: &Adoption) -> bool {
        let mut then = self.acts.clone();
        then.take(act.clone());
        let mut indicators = self.reports.catalogue.iter().flat_map(|(_, it)| &it.indicators);
        let same = indicators.all(|indicator| {
            let definition = self.definition_of(indicator);
            match (self.acts.decided(indicator, definition), then.decided(indicator, definition)) {
                (Decided::Withdrawn(_), Decided::Withdrawn(_)) => true,
                (now, then) => now == then,
            }
        });
        same && self.acts.about.contains_key(&act.what)
    }

    /// Keeps an act, unless the same was said here before; `from` is the node that told of it.
    pub(crate) fn take_act(&mut self, act: Adoption, from: Option<NodeKey>) {
        let of_home = is_of_home(&act);
        if from.is_none() && of_home && self.is_no_news(&act) {
            return;
        }
        let entry = act.entry();
        let row = to_vec(&act);
        let mut indicators = self.reports.catalogue.iter().flat_map(|(_, it)| &it.indicators);
        let proposed = indicators.any(|indicator| act.what.covers(indicator));
        if !self.acts.take(act) {
            return;
        }
        self.context.persist(adoption_key(&entry), Some(row.clone()));
        self.context.counters.count("adoptions", "taken");
        self.enter_acts();
        if !of_home {
            return;
        }
        let message = to_vec(&HomeMessage::Adoptions(vec![Blob(row)]));
        let home: Vec<NodeKey> = self.peers.of(Standing::Home).map(|(key, _)| *key).collect();
        for peer in home.into_iter().filter(|peer| Some(*peer) != from) {
            self.tell(peer, Channel::Home, message.clone());
        }
        if proposed {
            self.mark_everything_due();
            self.expect_periods();
        }
    }

    /// Another node of this home tells of acts.
    pub(crate) fn take_acts(&mut self, peer: NodeKey, acts: &[Blob]) -> Result<(), Refusal> {
        for bytes in acts {
            let act: Adoption = from_slice("act of adoption", &bytes.0, ACT_BYTES)
                .map_err(|_| Refusal::Malformed)?;
            // A home that moved has consented all the same.
            if act.unit.leaf() != self.settings.unit.leaf() {
                return Err(Refusal::OutOfArea);
            }
            // Under which policy set another node decides is its own to say.
            if !is_of_home(&act) {
                return Err(Refusal::OutOfPlace);
            }
            if self.short || self.acts.all.len() >= ACTS {
                return Err(Refusal::Busy);
            }
            self.take_act(act, Some(peer));
        }
        Ok(())
    }

    /// A node of this home said hello: it hears of every act.
    pub(crate) fn tell_acts(&mut self, peer: NodeKey) {
        let acts = self.acts.all.values().filter(|act| is_of_home(act));
        let acts: Vec<Blob> = acts.map(|act| Blob(to_vec(act))).collect();
        for page in acts.chunks(DISTRIBUTED) {
            let message = to_vec(&HomeMessage::Adoptions(page.to_vec()));
            self.tell(peer, Channel::Home, message);
        }
    }

    /// Acts that the ledger does not hold are entered, as soon as this node signs: before any figure is
    /// cut under them, and once in each term.
    pub(crate) fn enter_acts(&mut self) {
        if !self.may_sign() {
            return;
        }
        let held = &self.acts.entered;
        let missing: Vec<(Digest, Adoption)> = self
            .acts
            .all
            .iter()
            .filter(|(entry, _)| !held.contains_key(*entry))
            .map(|(entry, act)| (*entry, act.clone()))
            .collect();
        let term = self.ledger.term();
        for (entry, act) in missing {
            let Some(index) = self.ledger.append(&mut self.context, entry) else { return };
            let row = AdoptionRow { index, entry, act, entered_at: self.context.now().wall, term };
            self.context.persist(rows::placed(rows::ADOPTED, term, index), Some(to_vec(&row)));
            self.context.counters.count("issued", "adoption");
            self.acts.entered.insert(entry, index);
        }
    }

    /// An act that this node's store holds.
    pub(crate) fn restore_act(&mut self, value: &[u8]) -> Option<()> {
        self.acts.take(from_slice("act of adoption", value, ACT_BYTES).ok()?);
        Some(())
    }

    /// An entry of the ledger that this node's store holds.
    pub(crate) fn restore_entered(&mut self, row: &AdoptionRow) {
        if row.term == self.ledger.term() {
            self.acts.entered.insert(row.entry, row.index);
        }
    }

    /// Who signed the catalogue in force.
    pub(crate) fn note_proposer(&mut self, issuer: UnitPath) {
        self.reports.proposer = Some(issuer);
    }
}

/// Whether an act holds for every node of a home.
const fn is_of_home(act: &Adoption) -> bool {
    !matches!(act.what, Adopted::Policy { .. })
}

/// Names of tokens as an act has them.
pub(crate) fn name_of(by: &str) -> String {
    by.chars().take(TEXT_BYTES / 4).collect()
}

fn adoption_key(entry: &Digest) -> Vec<u8> {
    rows::key(rows::META, &[rows::ADOPTION, entry.as_bytes()])
}
