//! What was told of one figure (indicator and period of this unit), per class of recipient.
//!
//! The state belongs to the data, never to a recipient: all recipients of a class see the identical
//! edition, and what one policy set told is remembered when another one decides. Protection of a
//! figure is never loosened once told; stricter wins from the next edition on.
//!
//! The core makes it durable, together with the ledger entry, before a release is sent.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use reeve_statement::catalogue::RecipientClass;
use reeve_statement::digest::Digest;
use reeve_statement::names::IndicatorId;
use reeve_statement::period::Period;
use reeve_statement::table::Table;

use super::released::Released;
use super::steps::Steps;

/// What one class of recipients was told last.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ClassState {
    /// The floor so far, never lowered.
    #[n(0)]
    pub floor: u32,
    /// The rounding so far, never lowered.
    #[n(1)]
    pub rounding: u32,
    /// The last edition told.
    #[n(2)]
    pub edition: u64,
    /// Digest of what it told (see [`super::Figure::content`]).
    #[n(3)]
    pub content: Digest,
    /// Least step so far, never lowered; 1: every change was told.
    #[n(4)]
    pub min_step: u32,
    /// The reporting term that the last edition was told in.
    #[n(5)]
    pub term: u64,
}

/// What was told of one figure.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DisclosureState {
    #[n(0)]
    indicator: IndicatorId,
    #[n(1)]
    period: Period,
    #[n(2)]
    classes: BTreeMap<RecipientClass, ClassState>,
    /// What the own table may be told as since the last window closed.
    #[n(3)]
    steps: Option<Steps>,
}

/// Why a release does not follow what was told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// It is another figure's.
    #[error("the release is of {found}, the disclosure state of {expected}")]
    OtherFigure {
        /// Whose state this is.
        expected: String,
        /// What was released.
        found: String,
    },
    /// Its edition was told before, with other content, or is older.
    #[error("edition {found} was cut, but {told} was told already; cut the one after it")]
    EditionTaken {
        /// The last edition told.
        told: u64,
        /// The release's.
        found: u64,
    },
}

impl DisclosureState {
    /// The state of a figure of which nothing was told.
    #[must_use]
    pub const fn new(indicator: IndicatorId, period: Period) -> Self {
        Self { indicator, period, classes: BTreeMap::new(), steps: None }
    }

    /// Which indicator.
    #[must_use]
    pub const fn indicator(&self) -> &IndicatorId {
        &self.indicator
    }

    /// Which period.
    #[must_use]
    pub const fn period(&self) -> Period {
        self.period
    }

    /// What a class was told last.
    #[must_use]
    pub fn class(&self, class: RecipientClass) -> Option<&ClassState> {
        self.classes.get(&class)
    }

    /// The term and number of the edition that any class was told last; none: nothing was told.
    #[must_use]
    pub fn last(&self) -> Option<(u64, u64)> {
        self.classes.values().map(|told| (told.term, told.edition)).max()
    }

    /// What the own table may be told as since the last window closed; none: no window has closed.
    #[must_use]
    pub const fn steps(&self) -> Option<&Steps> {
        self.steps.as_ref()
    }

    /// A window closes. Make the state durable before anything is told by it.
    pub fn take_steps(&mut self, steps: Steps) {
        self.steps = Some(steps);
    }

    /// What a class was told exactly while nothing protected it from steps counts from now on: `last` is
    /// the own table as it was told last.
    pub fn remember_exact(&mut self, class: RecipientClass, last: &Table) {
        self.steps.get_or_insert_with(Steps::none).remember_exact(class, last);
    }

    /// Whether the class knows this content already, so that no edition needs to be cut.
    #[must_use]
    pub fn is_told(&self, class: RecipientClass, content: Digest) -> bool {
        self.class(class).is_some_and(|told| told.content == content)
    }

    /// Notes that a release is to be told in a reporting term. Make the state durable before you send.
    ///
    /// A later term counts on from what the recipients hold, which may be less than this state
    /// remembers; what an earlier one protected stays protected.
    ///
    /// # Errors
    /// [`StateError`] if it is another figure's, or its edition number was used for other content.
    pub fn record(&mut self, released: &Released, term: u64) -> Result<(), StateError> {
        let release = released.release();
        if release.indicator != self.indicator || release.period != self.period {
            return Err(StateError::OtherFigure {
                expected: format!("{} {}", self.indicator, self.period),
                found: format!("{} {}", release.indicator, release.period),
            });
        }
        let told = self.classes.get(&release.class);
        let new = (term, release.edition);
        if let Some(told) = told.filter(|told| (told.term, told.edition) >= new) {
            if (told.term, told.edition) == new && told.content == released.content() {
                return Ok(());
            }
            return Err(StateError::EditionTaken { told: told.edition, found: release.edition });
        }
        let protection = released.protection();
        let next = ClassState {
            floor: protection.floor.max(told.map_or(1, |told| told.floor)),
            rounding: protection.rounding.max(told.map_or(1, |told| told.rounding)),
            edition: release.edition,
            content: released.content(),
            min_step: protection.step.max(told.map_or(1, |told| told.min_step)),
            term,
        };
        self.classes.insert(release.class, next);
        Ok(())
    }
}
