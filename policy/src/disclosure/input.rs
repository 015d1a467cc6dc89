//! What a roll-up is given: the unit's own part, and what is known of each subordinate.

use reeve_statement::chunk::ChunkError;
use reeve_statement::completeness::{Manifest, UnitState};
use reeve_statement::cose::Verified;
use reeve_statement::digest::Digest;
use reeve_statement::notice::NoticeCode;
use reeve_statement::release::{Release, Sources};
use reeve_statement::statement::{Body, Statement, StatementKind};
use reeve_statement::table::Table;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::{UnitId, UnitPath};

use super::protect::DisclosedTable;

/// A subordinate's figure, out of a release whose signature, scope and audience were verified.
#[derive(Debug, Clone)]
pub struct Input {
    pub(super) issuer: UnitPath,
    pub(super) term: u64,
    pub(super) statement: Digest,
    pub(super) release: Release,
    pub(super) table: Table,
    pub(super) manifest: Manifest,
}

/// Why a statement is no input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// It is not a release.
    #[error("expected a release, found a {0}")]
    NotARelease(StatementKind),
    /// Its table or manifest is not whole.
    #[error(transparent)]
    Chunks(#[from] ChunkError),
}

impl Input {
    /// Takes a verified release; `find` hands out chunks by digest.
    ///
    /// # Errors
    /// [`InputError`] if it is none, or chunks are missing or wrong.
    pub fn of<F>(verified: &Verified, find: F) -> Result<Self, InputError>
    where
        F: Fn(&Digest) -> Option<Vec<u8>>,
    {
        Self::read(verified.statement(), verified.digest(), find)
    }

    /// The same without proof that it was verified: for [`Self::of`], and for tests that sign nothing.
    pub(crate) fn read<F>(
        statement: &Statement,
        digest: Digest,
        find: F,
    ) -> Result<Self, InputError>
    where
        F: Fn(&Digest) -> Option<Vec<u8>>,
    {
        let Body::Release(release) = &statement.body else {
            return Err(InputError::NotARelease(statement.body.kind()));
        };
        Ok(Self {
            issuer: statement.issuer.clone(),
            term: statement.term,
            statement: digest,
            table: release.table.join("table", &find)?,
            manifest: release.manifest.join("manifest", &find)?,
            release: (**release).clone(),
        })
    }

    /// Takes a release from this node's own store, where it was put, parts joined, when it was verified:
    /// the signer's certificate may have ended since.
    ///
    /// # Errors
    /// [`InputError`] if it is no release, or its parts were not joined.
    pub fn of_kept(statement: &Statement, digest: Digest) -> Result<Self, InputError> {
        Self::read(statement, digest, |_| None)
    }

    /// Its table.
    #[must_use]
    pub const fn table(&self) -> &Table {
        &self.table
    }
}

/// What is known of a subordinate that is expected for the period.
#[derive(Debug, Clone, Copy)]
pub enum Standing<'a> {
    /// Its latest figure.
    Figure(&'a Input),
    /// Its latest word is that there is no figure.
    Notice {
        /// Digest of the statement.
        statement: Digest,
        /// Its term.
        term: u64,
        /// Its edition.
        edition: u64,
        /// Why.
        code: NoticeCode,
    },
    /// It has not answered: awaited, late, never reported or revoked.
    Nothing(UnitState),
    /// It left the register and is not expected for the period; whatever it said of it is not added.
    Left,
}

/// A direct subordinate that the register expects for the period, or that left it.
#[derive(Debug, Clone, Copy)]
pub struct Subordinate<'a> {
    /// The unit.
    pub unit: &'a UnitId,
    /// What is known of it.
    pub standing: Standing<'a>,
    /// The greatest amount its total can be, from its population; none: not known.
    pub possible: Option<i64>,
    /// How many reporting units it was last known to stand for, itself included; counted where it
    /// gives no figure. At least 1.
    pub stands_for: u64,
}

/// The unit's own part.
#[derive(Debug, Clone, Copy)]
pub enum OwnPart<'a> {
    /// It holds no records of this kind and is not expected to.
    None,
    /// Its sources have not reported.
    Missing(Sources),
    /// Its disclosed table.
    Table {
        /// The table.
        table: &'a DisclosedTable,
        /// How many of its sources closed the period.
        sources: Sources,
        /// When its data was last touched.
        touched: Option<Timestamp>,
    },
}

impl OwnPart<'_> {
    pub(super) fn sources(&self) -> Sources {
        match self {
            Self::None => Sources::default(),
            Self::Missing(sources) | Self::Table { sources, .. } => *sources,
        }
    }

    /// The own state in completeness; none where nothing is expected. Zero needs a report: without a
    /// source that closed the period, records that happen to be there are partial at best.
    pub(super) fn state(&self) -> Option<UnitState> {
        match self {
            Self::None => None,
            Self::Missing(_) => Some(UnitState::NoReport),
            Self::Table { sources, .. } => {
                let closed = sources.reported >= sources.expected.max(1);
                Some(if closed { UnitState::Reported } else { UnitState::Partial })
            }
        }
    }
}
