//! Statements: the signed bytes that may cross a border.
//!
//! This is the payload. [`crate::cose`] signs it and lets nobody see it before it was verified.

use minicbor::{Decode, Encode};

use crate::bulletin::Bulletin;
use crate::catalogue::{Catalogue, RecipientClass};
use crate::digest::{Digest, FederationId};
use crate::names::IndicatorId;
use crate::notice::Notice;
use crate::period::Period;
use crate::register::{Declaration, Register};
use crate::release::Release;
use crate::request::Request;
use crate::time::Timestamp;
use crate::unit::UnitPath;

/// Version of the statement format that this crate writes and reads.
pub const VERSION: u16 = 1;

/// Kinds of statements, by their code on the wire. Codes 6 to 8 are kept for directives, reports of
/// execution and licences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatementKind {
    /// A figure.
    Release,
    /// Why there is no figure.
    Notice,
    /// What is asked for.
    Request,
    /// The list of indicators.
    Catalogue,
    /// The list of subordinate units.
    Register,
    /// An emergency response level.
    Declaration,
    /// Figures frozen as they stood.
    Bulletin,
}

impl core::fmt::Display for StatementKind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Release => "release",
            Self::Notice => "notice",
            Self::Request => "request",
            Self::Catalogue => "catalogue",
            Self::Register => "register",
            Self::Declaration => "declaration",
            Self::Bulletin => "bulletin",
        })
    }
}

/// What a statement says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Body {
    /// A figure.
    #[n(0)]
    Release(#[n(0)] Box<Release>),
    /// Why there is no figure.
    #[n(1)]
    Notice(#[n(0)] Notice),
    /// What is asked for.
    #[n(2)]
    Request(#[n(0)] Request),
    /// The list of indicators.
    #[n(3)]
    Catalogue(#[n(0)] Catalogue),
    /// The list of subordinate units.
    #[n(4)]
    Register(#[n(0)] Register),
    /// An emergency response level.
    #[n(5)]
    Declaration(#[n(0)] Declaration),
    /// Figures frozen as they stood.
    #[n(9)]
    Bulletin(#[n(0)] Bulletin),
}

impl Body {
    /// Which kind of statement this is.
    #[must_use]
    pub const fn kind(&self) -> StatementKind {
        match self {
            Self::Release(_) => StatementKind::Release,
            Self::Notice(_) => StatementKind::Notice,
            Self::Request(_) => StatementKind::Request,
            Self::Catalogue(_) => StatementKind::Catalogue,
            Self::Register(_) => StatementKind::Register,
            Self::Declaration(_) => StatementKind::Declaration,
            Self::Bulletin(_) => StatementKind::Bulletin,
        }
    }
}

/// For whom a statement is.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Audience {
    /// One unit.
    #[n(0)]
    Unit(#[n(0)] UnitPath),
    /// Every unit of a class.
    #[n(1)]
    Class(#[n(0)] RecipientClass),
    /// Every node of the federation.
    #[n(2)]
    Federation,
}

/// To whom a recipient may pass a statement on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Onward {
    /// To nobody; what it says may be added into the recipient's own figures.
    #[n(0)]
    Aggregate,
    /// To the recipient's superiors and to auditors.
    #[n(1)]
    Superiors,
    /// To everybody.
    #[n(2)]
    Anyone,
}

/// The payload of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Statement {
    /// Format version; [`VERSION`].
    #[n(0)]
    pub version: u16,
    /// Which federation.
    #[n(1)]
    pub federation: FederationId,
    /// Who says it.
    #[n(2)]
    pub issuer: UnitPath,
    /// The issuer's reporting term.
    #[n(3)]
    pub term: u64,
    /// For whom.
    #[n(4)]
    pub audience: Audience,
    /// Who may get it from them.
    #[n(5)]
    pub onward: Onward,
    /// When it was signed, by the issuer's clock.
    #[n(6)]
    pub issued_at: Timestamp,
    /// Until when it may be accepted as news; none: not limited.
    #[n(7)]
    pub valid_until: Option<Timestamp>,
    /// What it says.
    #[n(8)]
    pub body: Body,
    /// How far a witness has cosigned the issuer's ledger of this term, as the issuer knew when it signed
    /// this; none: not at all, or the recipient does not see the ledger.
    #[n(9)]
    pub witnessed: Option<Witnessed>,
}

/// The newest cosigned checkpoint of a ledger. The ledger was so at that time, and what it was said in was
/// signed later.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Witnessed {
    /// How many entries the checkpoint has.
    #[n(0)]
    pub size: u64,
    /// Its root.
    #[n(1)]
    pub root: Digest,
    /// Which unit's node cosigned it.
    #[n(2)]
    pub by: UnitPath,
    /// When, by the witness's clock; whole seconds.
    #[n(3)]
    pub at: Timestamp,
}

/// Which figure a release or notice is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(map)]
pub struct FigureId {
    /// The indicator.
    #[n(0)]
    pub indicator: IndicatorId,
    /// The period; none: every period (a notice).
    #[n(1)]
    pub period: Option<Period>,
    /// For whom it is protected.
    #[n(2)]
    pub class: RecipientClass,
}

impl core::fmt::Display for FigureId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} ", self.indicator)?;
        match self.period {
            Some(period) => write!(f, "{period}")?,
            None => f.write_str("every period")?,
        }
        write!(f, " for {}", self.class)
    }
}

impl Statement {
    /// Which figure it is about, with its edition; none for other kinds.
    #[must_use]
    pub fn figure(&self) -> Option<(FigureId, u64)> {
        match &self.body {
            Body::Release(release) => Some((
                FigureId {
                    indicator: release.indicator.clone(),
                    period: Some(release.period),
                    class: release.class,
                },
                release.edition,
            )),
            Body::Notice(notice) => Some((
                FigureId {
                    indicator: notice.indicator.clone(),
                    period: notice.period,
                    class: notice.class,
                },
                notice.edition,
            )),
            _ => None,
        }
    }
}
