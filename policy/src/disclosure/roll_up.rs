//! A unit's figure: its own disclosed table plus the latest verified figure of each subordinate.
//!
//! It only adds, so that nothing can be learned by subtracting levels and an auditor with the
//! statements can add it again. What is not added is counted: completeness names the state of every
//! unit down to the leaves, and missing is never zero.

use std::collections::{BTreeMap, BTreeSet};

use reeve_statement::bounds::Overflow;
use reeve_statement::catalogue::Indicator;
use reeve_statement::cbor::to_vec;
use reeve_statement::completeness::{Counts, Exception, Manifest, ManifestEntry, UnitState};
use reeve_statement::digest::Digest;
use reeve_statement::ledger::{Frontier, empty_root, leaf_hash};
use reeve_statement::limits::{EXCEPTIONS, SUBORDINATES, TABLE_ROWS};
use reeve_statement::period::Period;
use reeve_statement::release::{Release, Sources};
use reeve_statement::table::Table;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::{UnitId, UnitPath};

use super::input::{Input, OwnPart, Standing, Subordinate};
use super::plausible::{Implausible, judge};
use super::protect::{About, DiscloseError, Protection, about, rounded};
use super::state::DisclosureState;
use super::sum::Sum;
use crate::authz::Permit;

/// A figure that a class of recipients may see, complete with what it is made of. Only [`roll_up`]
/// makes one, also for a leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    pub(super) about: About,
    pub(super) table: Table,
    pub(super) own: Option<Table>,
    pub(super) counts: Counts,
    pub(super) manifest: Manifest,
    pub(super) inputs_root: Digest,
    pub(super) manifest_root: Digest,
    pub(super) sources: Sources,
    pub(super) touched: Option<Timestamp>,
    /// The least floor of any of its parts.
    pub(super) least_floor: u32,
    /// The least step of any of its parts.
    pub(super) least_step: u32,
    set_aside: Vec<(UnitId, Implausible)>,
}

impl Figure {
    /// The table.
    #[must_use]
    pub const fn table(&self) -> &Table {
        &self.table
    }

    /// Units per state, down to the leaves.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What it is made of.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// When its data was last touched.
    #[must_use]
    pub const fn touched(&self) -> Option<Timestamp> {
        self.touched
    }

    /// How it is protected.
    #[must_use]
    pub const fn protection(&self) -> Protection {
        self.about.protection
    }

    /// Subordinates whose figure was not added because it cannot be, and why.
    #[must_use]
    pub fn set_aside(&self) -> &[(UnitId, Implausible)] {
        &self.set_aside
    }

    /// Digest of everything a recipient would see change: cut an edition only where this differs.
    #[must_use]
    pub fn content(&self) -> Digest {
        let tables = to_vec(&(&self.table, &self.own));
        let made_of = to_vec(&(&self.counts, &self.manifest, self.sources));
        let roots = [self.inputs_root.as_bytes().as_slice(), self.manifest_root.as_bytes()];
        let meaning = to_vec(&(self.about.definition, self.least_floor, self.least_step));
        Digest::of_parts(&[
            b"reeve-content/1\0",
            Digest::of(&tables).as_bytes(),
            Digest::of(&made_of).as_bytes(),
            &roots.concat(),
            &meaning,
        ])
    }
}

/// Why figures cannot be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RollUpError {
    /// The permit or state is not for this figure.
    #[error(transparent)]
    Disclose(#[from] DiscloseError),
    /// The own table was disclosed for another figure or less strictly.
    #[error("the own table was disclosed for another figure or class; disclose it again")]
    OtherOwnTable,
    /// A sum left 64 bits when this unit's figure was added.
    #[error("adding the figure of {unit} leaves 64 bits; set it aside and ask the unit")]
    Overflow {
        /// The unit, a subordinate or this one.
        unit: UnitId,
    },
    /// A subordinate is given twice.
    #[error("{0} is given twice among the subordinates")]
    Twice(UnitId),
    /// Too many subordinates.
    #[error("expected at most {SUBORDINATES} subordinates, found {0}; put a level between")]
    TooMany(usize),
    /// A statement is of another figure or not of this subordinate.
    #[error("the statement given for {unit} is of {found}")]
    WrongInput {
        /// The subordinate.
        unit: UnitId,
        /// What the statement is about.
        found: String,
    },
    /// Too many rows.
    #[error("the sum has {0} rows, at most {TABLE_ROWS} fit; lower the indicator's area_depth")]
    TooManyRows(usize),
}

/// Adds the own part and the subordinates' figures, and says how complete the sum is. Without
/// subordinates this is a leaf's figure.
///
/// # Errors
/// [`RollUpError`]; a subordinate's implausible or differently defined figure is none, it is counted.
pub fn roll_up(
    permit: &Permit,
    indicator: &Indicator,
    period: Period,
    issuer: &UnitPath,
    own: OwnPart<'_>,
    subordinates: &[Subordinate<'_>],
    state: &DisclosureState,
) -> Result<Figure, RollUpError> {
    let about = about(permit, indicator, period, state)?;
    let needed = if permit.is_relaxed() { permit.floor() } else { about.protection.floor };
    let step = if permit.is_relaxed() { permit.min_step() } else { about.protection.step };
    let mut adding = Adding::new(about, Needed { floor: needed, step }, indicator, issuer);
    adding.own(&own)?;
    for subordinate in ordered(subordinates)? {
        adding.subordinate(subordinate)?;
    }
    let expected = |it: &Subordinate<'_>| !matches!(it.standing, Standing::Left);
    adding.finish(own.sources(), subordinates.iter().any(expected))
}

fn ordered<'a, 'b>(
    subordinates: &'b [Subordinate<'a>],
) -> Result<impl Iterator<Item = &'b Subordinate<'a>>, RollUpError> {
    if subordinates.len() > SUBORDINATES {
        return Err(RollUpError::TooMany(subordinates.len()));
    }
    let mut sorted = BTreeMap::new();
    for subordinate in subordinates {
        if sorted.insert(subordinate.unit, subordinate).is_some() {
            return Err(RollUpError::Twice(subordinate.unit.clone()));
        }
    }
    Ok(sorted.into_values())
}

/// How strictly a subordinate's figure must be protected to be added.
struct Needed {
    floor: u32,
    step: u32,
}

/// A figure on its way.
struct Adding<'a> {
    about: About,
    /// The least floor and step of a subordinate's figure that may be added. What was told of this unit's own data
    /// stays protected by its own state, and that of each subordinate by theirs; so under a declaration
    /// what binds for their figures is the permit.
    needed: Needed,
    /// The least floor of the parts added so far.
    least: u32,
    /// The least step of the parts added so far.
    least_step: u32,
    indicator: &'a Indicator,
    issuer: &'a UnitPath,
    sum: Sum<'a>,
    own: Option<Table>,
    counts: Counts,
    direct: Vec<ManifestEntry>,
    exceptions: BTreeSet<(Vec<UnitId>, UnitState, Option<Sources>)>,
    unnamed: u64,
    added: Vec<Digest>,
    touched: Option<Timestamp>,
    set_aside: Vec<(UnitId, Implausible)>,
}

impl<'a> Adding<'a> {
    fn new(about: About, needed: Needed, indicator: &'a Indicator, issuer: &'a UnitPath) -> Self {
        Self {
            least: about.protection.floor,
            least_step: about.protection.step,
            about,
            needed,
            indicator,
            issuer,
            sum: Sum::new(&indicator.measure),
            own: None,
            counts: Counts::default(),
            direct: Vec::new(),
            exceptions: BTreeSet::new(),
            unnamed: 0,
            added: Vec::new(),
            touched: None,
            set_aside: Vec::new(),
        }
    }

    fn own(&mut self, own: &OwnPart<'_>) -> Result<(), RollUpError> {
        if let Some(state) = own.state() {
            self.counts.add(state, 1);
            let sources = Some(own.sources()).filter(|_| state == UnitState::Partial);
            self.except(Vec::new(), state, sources);
        }
        let OwnPart::Table { table, touched, .. } = own else { return Ok(()) };
        if table.about != self.about {
            return Err(RollUpError::OtherOwnTable);
        }
        let unit = || RollUpError::Overflow { unit: self.issuer.leaf().clone() };
        self.sum.add(&table.table, Clone::clone).map_err(|Overflow| unit())?;
        self.own = Some(table.table.clone());
        self.touched = *touched;
        Ok(())
    }

    /// Names a unit that did not report in full.
    fn except(&mut self, units: Vec<UnitId>, state: UnitState, sources: Option<Sources>) {
        if state != UnitState::Reported {
            self.exceptions.insert((units, state, sources));
        }
    }

    fn subordinate(&mut self, subordinate: &Subordinate<'_>) -> Result<(), RollUpError> {
        let unit = subordinate.unit;
        match subordinate.standing {
            Standing::Figure(input) => self.figure(subordinate, input),
            Standing::Notice { statement, term, edition, code } => {
                let state = code.state().unwrap_or(UnitState::NoReport);
                let counts = self.missing(subordinate, state);
                let statement = Some(statement);
                let unit = unit.clone();
                self.direct.push(ManifestEntry { unit, state, statement, term, edition, counts });
                Ok(())
            }
            Standing::Left => {
                self.missing(subordinate, UnitState::Left);
                Ok(())
            }
            Standing::Nothing(state) => {
                // A figure cannot be included that is not there.
                let state = if state.is_included() { UnitState::Awaited } else { state };
                let counts = self.missing(subordinate, state);
                let entry = ManifestEntry {
                    unit: unit.clone(),
                    state,
                    statement: None,
                    term: 0,
                    edition: 0,
                    counts,
                };
                self.direct.push(entry);
                Ok(())
            }
        }
    }

    /// Counts a subordinate, with all it stands for, in a state in which nothing of it is included.
    fn missing(&mut self, subordinate: &Subordinate<'_>, state: UnitState) -> Counts {
        let mut counts = Counts::default();
        counts.add(state, subordinate.stands_for.max(1));
        self.counts.merge(&counts);
        self.except(vec![subordinate.unit.clone()], state, None);
        counts
    }

    fn figure(&mut self, subordinate: &Subordinate<'_>, input: &Input) -> Result<(), RollUpError> {
        self.check(subordinate.unit, input)?;
        let (state, counts) = match self.judged(subordinate, input) {
            Some(state) => (state, self.missing(subordinate, state)),
            None => self.add(subordinate.unit, input)?,
        };
        self.direct.push(ManifestEntry {
            unit: subordinate.unit.clone(),
            state,
            statement: Some(input.statement),
            term: input.term,
            edition: input.release.edition,
            counts,
        });
        Ok(())
    }

    /// Refuses statements that the caller mixed up.
    fn check(&self, unit: &UnitId, input: &Input) -> Result<(), RollUpError> {
        let release = &input.release;
        // Its path was held against this unit's when it was accepted, and may have changed since: when
        // this unit moved to another superior, whatever stands below it moved with it.
        let above = input.issuer.parent();
        let ours = above.is_some_and(|above| above.leaf() == self.issuer.leaf())
            && input.issuer.leaf() == unit;
        let same = release.indicator == self.about.indicator && release.period == self.about.period;
        if !ours || !same {
            let Release { indicator, period, .. } = release;
            let found = format!("{} on {indicator} {period}", input.issuer);
            return Err(RollUpError::WrongInput { unit: unit.clone(), found });
        }
        Ok(())
    }

    /// Whether a figure is less protected than this release must be: to add it would tell it. Until
    /// its unit gives one under the present definition it is set aside.
    fn is_too_fine(&self, input: &Input) -> bool {
        let Needed { floor, step } = self.needed;
        let found = &input.release.decision.conditions;
        let too_low = found.floor < floor && floor > 1;
        let too_small = found.min_step < step && step > 1;
        self.indicator.personal && (too_low || too_small)
    }

    /// The state in which a figure is not added; none: it is added.
    fn judged(&mut self, subordinate: &Subordinate<'_>, input: &Input) -> Option<UnitState> {
        if input.release.definition != self.about.definition || self.is_too_fine(input) {
            return Some(UnitState::OtherDefinition);
        }
        let rounding = input.release.decision.conditions.rounding;
        let fault = judge(self.indicator, &input.table, rounding, subordinate.possible).err()?;
        self.set_aside.push((subordinate.unit.clone(), fault));
        Some(UnitState::Implausible)
    }

    fn add(&mut self, unit: &UnitId, input: &Input) -> Result<(UnitState, Counts), RollUpError> {
        let depth = usize::from(self.indicator.area_depth);
        self.sum
            .add(&input.table, |area| area.below(unit, depth))
            .map_err(|Overflow| RollUpError::Overflow { unit: unit.clone() })?;
        if self.indicator.personal {
            let conditions = &input.release.decision.conditions;
            self.least = self.least.min(conditions.floor.max(1));
            self.least_step = self.least_step.min(conditions.min_step.max(1));
        }
        let counts = input.release.counts.clone();
        self.counts.merge(&counts);
        for exception in &input.manifest.exceptions {
            let units = core::iter::once(unit).chain(&exception.units).cloned().collect();
            self.except(units, exception.state, exception.sources);
        }
        self.unnamed = self.unnamed.saturating_add(input.manifest.unnamed);
        self.added.push(input.statement);
        self.touched = self.touched.max(input.release.data_touched);
        let full = counts.is_complete();
        Ok((if full { UnitState::Reported } else { UnitState::Partial }, counts))
    }

    fn finish(self, sources: Sources, is_sum: bool) -> Result<Figure, RollUpError> {
        let rounding = self.about.protection.rounding;
        let finish = |cell| if is_sum { rounded(cell, rounding) } else { Ok(cell) };
        let overflow = |Overflow| RollUpError::Overflow { unit: self.issuer.leaf().clone() };
        let table = self.sum.finish(finish).map_err(overflow)?;
        if table.rows.len() > TABLE_ROWS {
            return Err(RollUpError::TooManyRows(table.rows.len()));
        }
        let more = self.exceptions.len().saturating_sub(EXCEPTIONS);
        let named = self.exceptions.into_iter().take(EXCEPTIONS);
        let manifest = Manifest {
            direct: self.direct,
            exceptions: named
                .map(|(units, state, sources)| Exception { units, state, sources })
                .collect(),
            unnamed: self.unnamed.saturating_add(u64::try_from(more).unwrap_or(u64::MAX)),
        };
        Ok(Figure {
            about: self.about,
            table,
            own: self.own.filter(|_| is_sum),
            counts: self.counts,
            inputs_root: root(self.added.iter().map(|digest| leaf_hash(digest.as_bytes()))),
            manifest_root: root(manifest.direct.iter().map(|entry| leaf_hash(&to_vec(entry)))),
            manifest,
            sources,
            touched: self.touched,
            least_floor: self.least,
            least_step: self.least_step,
            set_aside: self.set_aside,
        })
    }
}

/// Merkle root (RFC 9162 section 2.1) over leaf hashes.
fn root(leaves: impl Iterator<Item = Digest>) -> Digest {
    let mut tree = Frontier::new();
    for leaf in leaves {
        // Only a tree of 2^63 leaves is full; a manifest has at most two thousand.
        if tree.append(leaf).is_err() {
            return empty_root();
        }
    }
    tree.root()
}
