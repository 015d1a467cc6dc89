//! Notices: signed answers that say why there is no figure.

use minicbor::{Decode, Encode};

use crate::catalogue::RecipientClass;
use crate::completeness::UnitState;
use crate::digest::Digest;
use crate::names::IndicatorId;
use crate::period::Period;
use crate::release::Decision;

/// Why there is no figure. The codes are on the wire and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum NoticeCode {
    /// Policy declines.
    #[n(0)]
    Declined,
    /// The home has not adopted the indicator.
    #[n(1)]
    NotAdopted,
    /// The period is not due by the unit's calendar.
    #[n(2)]
    NotDue,
    /// The unit's own sources have not reported.
    #[n(3)]
    NoReport,
    /// The figure was withdrawn.
    #[n(4)]
    Withdrawn,
    /// The unit does not know the indicator.
    #[n(5)]
    UnknownIndicator,
    /// The period is sealed; its figure stands.
    #[n(6)]
    Sealed,
}

impl NoticeCode {
    /// All codes, in the order of the wire.
    pub const ALL: [Self; 7] = [
        Self::Declined,
        Self::NotAdopted,
        Self::NotDue,
        Self::NoReport,
        Self::Withdrawn,
        Self::UnknownIndicator,
        Self::Sealed,
    ];

    /// Its stable word in documents for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Declined => "declined",
            Self::NotAdopted => "not_adopted",
            Self::NotDue => "not_due",
            Self::NoReport => "no_report",
            Self::Withdrawn => "withdrawn",
            Self::UnknownIndicator => "unknown_indicator",
            Self::Sealed => "sealed",
        }
    }

    /// The state in which the unit then is for its superior; none where an earlier figure stands.
    #[must_use]
    pub const fn state(self) -> Option<UnitState> {
        Some(match self {
            Self::Declined => UnitState::Declined,
            Self::NotAdopted => UnitState::NotAdopted,
            Self::NotDue => UnitState::NotDue,
            Self::NoReport => UnitState::NoReport,
            Self::Withdrawn => UnitState::Withdrawn,
            Self::UnknownIndicator => UnitState::OtherDefinition,
            Self::Sealed => return None,
        })
    }
}

/// A signed answer that says why there is no figure.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Notice {
    /// For whom.
    #[n(0)]
    pub class: RecipientClass,
    /// The indicator.
    #[n(1)]
    pub indicator: IndicatorId,
    /// Digest of its definition, if the unit knows it.
    #[n(2)]
    pub definition: Option<Digest>,
    /// The period; none: every period.
    #[n(3)]
    pub period: Option<Period>,
    /// Numbered with the releases of the same figure.
    #[n(4)]
    pub edition: u64,
    /// Digest of the statement with the previous edition.
    #[n(5)]
    pub previous: Option<Digest>,
    /// Why.
    #[n(6)]
    pub code: NoticeCode,
    /// Digest of the request that it answers.
    #[n(7)]
    pub request: Option<Digest>,
    /// How it was decided, where policy did.
    #[n(8)]
    pub decision: Option<Decision>,
}
