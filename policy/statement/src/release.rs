//! Releases: one edition of a table, as it may cross a border.

use minicbor::{Decode, Encode};

use crate::catalogue::RecipientClass;
use crate::cbor::{bounded_length, bounded_text, bounded_vec};
use crate::chunk::Part;
use crate::completeness::{Counts, Manifest};
use crate::digest::Digest;
use crate::limits::TEXT_BYTES;
use crate::names::IndicatorId;
use crate::period::Period;
use crate::table::Table;
use crate::time::Timestamp;

/// Most determining policies that a decision names.
const POLICIES: usize = 64;

/// Most declarations that a decision rests on.
pub const DECLARATIONS: usize = 16;

/// Why a later edition revises an earlier one. The codes are on the wire and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum RevisionReason {
    /// Records came or changed in the ordinary course of the period.
    #[n(0)]
    Update,
    /// A mistake was corrected.
    #[n(1)]
    Correction,
    /// Records came after the period was closed.
    #[n(2)]
    LateReports,
    /// A duplicate was removed.
    #[n(3)]
    DuplicateRemoved,
    /// Records were put under another value or unit.
    #[n(4)]
    Reclassified,
    /// The indicator's definition changed.
    #[n(5)]
    DefinitionChanged,
    /// The figure was withdrawn.
    #[n(6)]
    Withdrawn,
    /// A subordinate's figure or completeness changed.
    #[n(7)]
    InputsChanged,
}

impl RevisionReason {
    /// All reasons, in the order of the wire.
    pub const ALL: [Self; 8] = [
        Self::Update,
        Self::Correction,
        Self::LateReports,
        Self::DuplicateRemoved,
        Self::Reclassified,
        Self::DefinitionChanged,
        Self::Withdrawn,
        Self::InputsChanged,
    ];

    /// The reason of that word, if it is one.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// Whether it says more than that something changed.
    #[must_use]
    pub const fn is_telling(self) -> bool {
        !matches!(self, Self::Update | Self::InputsChanged)
    }

    /// Its stable word in documents for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::Correction => "correction",
            Self::LateReports => "late_reports",
            Self::DuplicateRemoved => "duplicate_removed",
            Self::Reclassified => "reclassified",
            Self::DefinitionChanged => "definition_changed",
            Self::Withdrawn => "withdrawn",
            Self::InputsChanged => "inputs_changed",
        }
    }
}

impl core::fmt::Display for RevisionReason {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Update => "update",
            Self::Correction => "correction",
            Self::LateReports => "late reports",
            Self::DuplicateRemoved => "duplicate removed",
            Self::Reclassified => "reclassified",
            Self::DefinitionChanged => "definition changed",
            Self::Withdrawn => "withdrawn",
            Self::InputsChanged => "inputs changed",
        })
    }
}

/// What policy demanded of the release.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(map)]
pub struct Conditions {
    /// Fewest contributors of a told cell; 1 means exact.
    #[n(0)]
    pub floor: u32,
    /// Least change of a cell that is told; 0 or 1: every change.
    #[n(1)]
    pub min_step: u32,
    /// Values are rounded to multiples of this; 0 or 1: not rounded.
    #[n(2)]
    pub rounding: u32,
    /// How long the recipient may keep it, in days; none: not limited.
    #[n(3)]
    pub retention_days: Option<u32>,
    /// Length of the publication window, in seconds; 0: at once.
    #[n(4)]
    pub window_seconds: u32,
}

/// How it was decided that this statement may leave.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Decision {
    /// Digest of the whole policy set.
    #[n(0)]
    pub policy_set: Digest,
    /// Ids of the policies that determined it, sorted.
    #[cbor(n(1), decode_with = "decode_policies")]
    pub determining: Vec<String>,
    /// What they demanded.
    #[n(2)]
    pub conditions: Conditions,
    /// Digests of the declarations in force that it rests on.
    #[cbor(n(3), decode_with = "decode_declarations")]
    pub declarations: Vec<Digest>,
    /// Digest of the act by which the home adopted the indicator; none: by default.
    #[n(4)]
    pub adoption: Option<Digest>,
    /// Digest of what was asked, as the home keeps it: whoever is shown it and the policy set can decide again.
    #[n(5)]
    pub asked: Option<Digest>,
}

fn decode_policies<C>(
    d: &mut minicbor::Decoder<'_>,
    _: &mut C,
) -> Result<Vec<String>, minicbor::decode::Error> {
    let count = bounded_length(d, POLICIES)?;
    (0..count).map(|_| bounded_text(d, TEXT_BYTES)).collect()
}

fn decode_declarations<C>(
    d: &mut minicbor::Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<Digest>, minicbor::decode::Error> {
    bounded_vec(d, ctx, DECLARATIONS)
}

/// How many of the unit's own sources have reported the period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Encode, Decode)]
#[cbor(map)]
pub struct Sources {
    /// Sources that closed it.
    #[n(0)]
    pub reported: u32,
    /// Sources that are expected to.
    #[n(1)]
    pub expected: u32,
}

/// One edition of an indicator's table for one period and one recipient class.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Release {
    /// For whom it is protected.
    #[n(0)]
    pub class: RecipientClass,
    /// The indicator.
    #[n(1)]
    pub indicator: IndicatorId,
    /// Digest of its definition.
    #[n(2)]
    pub definition: Digest,
    /// The period.
    #[n(3)]
    pub period: Period,
    /// 1, 2, 3 ... per (unit, indicator, period, class); notices count too.
    #[n(4)]
    pub edition: u64,
    /// Digest of the statement with the previous edition.
    #[n(5)]
    pub previous: Option<Digest>,
    /// Why it revises the previous edition; none for the first.
    #[n(6)]
    pub reason: Option<RevisionReason>,
    /// Digest of the request that it answers.
    #[n(7)]
    pub request: Option<Digest>,
    /// The table: the own one, or the sum of the own one and the subordinates'.
    #[n(8)]
    pub table: Part<Table>,
    /// The own protected table where the table is a sum; none: no own data, or `table` is it.
    #[n(9)]
    pub own: Option<Part<Table>>,
    /// Units per state down to the leaves.
    #[n(10)]
    pub counts: Counts,
    /// What the sum is made of; empty for a leaf.
    #[n(11)]
    pub manifest: Part<Manifest>,
    /// Merkle root (RFC 9162 section 2.1) over the digests of the subordinates' statements added, in
    /// the order of the manifest.
    #[n(12)]
    pub inputs_root: Digest,
    /// Merkle root over the encoded entries of the manifest.
    #[n(13)]
    pub manifest_root: Digest,
    /// How many own sources reported.
    #[n(14)]
    pub sources: Sources,
    /// When the own or any included data was last touched.
    #[n(15)]
    pub data_touched: Option<Timestamp>,
    /// How it was decided.
    #[n(16)]
    pub decision: Decision,
    /// Salted commitment to the own unprotected table: SHA-256 of `reeve-commitment/1`, NUL, 32 bytes
    /// of salt, the table's encoding. The opening stays at home. None without own data.
    #[n(17)]
    pub commitment: Option<Digest>,
    /// Digest of the register that says who was expected; none for a leaf.
    #[n(18)]
    pub register: Option<Digest>,
    /// Version of the catalogue that the issuer followed.
    #[n(19)]
    pub catalogue_version: u64,
}
