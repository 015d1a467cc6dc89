//! What may be signed as a release: made of a permit and a figure, nowhere else in the workspace.

use reeve_statement::cbor::to_vec;
use reeve_statement::chunk::{ChunkError, Part};
use reeve_statement::digest::Digest;
use reeve_statement::release::{Release, RevisionReason};
use reeve_statement::statement::{Body, Onward};
use reeve_statement::table::Table;

use super::protect::Protection;
use super::roll_up::Figure;
use crate::authz::Permit;

/// Where an edition stands in the row of editions, and what it refers to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edition {
    /// 1, 2, 3 ... per figure and class; notices count too.
    pub edition: u64,
    /// Digest of the statement with the edition before.
    pub previous: Option<Digest>,
    /// Why it revises that one; none for the first.
    pub reason: Option<RevisionReason>,
    /// Digest of the request that it answers.
    pub request: Option<Digest>,
    /// Commitment to the own unprotected table (see [`commitment`]).
    pub commitment: Option<Digest>,
    /// Digest of the register that says who was expected; none for a leaf.
    pub register: Option<Digest>,
    /// Version of the catalogue.
    pub catalogue_version: u64,
    /// Digest of what the policy was asked, as the home keeps it.
    pub asked: Option<Digest>,
}

/// Why a figure cannot be released.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// The permit is for another figure or class, or stricter than the figure was protected.
    #[error("the figure was not made for this permit; roll it up again")]
    OtherPermit,
    /// Editions count from 1, and every one but the first revises another.
    #[error("edition {0} does not fit: the first is 1 and has no previous, each other one has")]
    Edition(u64),
    /// A part is too large to travel.
    #[error(transparent)]
    TooLarge(#[from] ChunkError),
}

/// One edition of a figure as it may be signed and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    release: Release,
    chunks: Vec<Vec<u8>>,
    content: Digest,
    protection: Protection,
    onward: Onward,
}

impl Released {
    /// Makes an edition of a figure, under the permit it was made for.
    ///
    /// # Errors
    /// [`ReleaseError`] if permit, figure and edition do not belong together, or it is too large.
    pub fn new(permit: &Permit, figure: Figure, edition: Edition) -> Result<Self, ReleaseError> {
        let protection = figure.protection();
        let about = &figure.about;
        let ours = permit.covers_definition(&about.indicator, about.definition)
            && permit.class() == Some(protection.class)
            && permit.period().is_none_or(|period| period == about.period)
            && protection.rounding >= permit.rounding()
            && protection.floor >= permit.floor()
            && protection.step >= permit.min_step();
        if !ours {
            return Err(ReleaseError::OtherPermit);
        }
        let first = edition.edition == 1;
        if edition.edition == 0 || edition.previous.is_some() == first {
            return Err(ReleaseError::Edition(edition.edition));
        }
        let content = figure.content();
        let onward = permit.onward();
        let (release, chunks) = release(permit, figure, edition)?;
        Ok(Self { release, chunks, content, protection, onward })
    }

    /// The release.
    #[must_use]
    pub const fn release(&self) -> &Release {
        &self.release
    }

    /// Chunks of its table and manifest that travel beside the statement.
    #[must_use]
    pub fn chunks(&self) -> &[Vec<u8>] {
        &self.chunks
    }

    /// Digest of what it tells (see [`Figure::content`]).
    #[must_use]
    pub const fn content(&self) -> Digest {
        self.content
    }

    /// How it is protected.
    #[must_use]
    pub const fn protection(&self) -> Protection {
        self.protection
    }

    /// Whom its recipients may tell.
    #[must_use]
    pub const fn onward(&self) -> Onward {
        self.onward
    }

    /// The body to sign, and the chunks to keep beside the statement.
    #[must_use]
    pub fn into_body(self) -> (Body, Vec<Vec<u8>>) {
        (Body::Release(Box::new(self.release)), self.chunks)
    }
}

fn release(
    permit: &Permit,
    figure: Figure,
    edition: Edition,
) -> Result<(Release, Vec<Vec<u8>>), ChunkError> {
    let protection = figure.protection();
    let mut decision = permit.decision();
    decision.asked = edition.asked;
    decision.conditions.floor = figure.least_floor;
    decision.conditions.min_step = if protection.step > 1 { figure.least_step } else { 0 };
    decision.conditions.rounding =
        if protection.rounding > 1 { protection.rounding } else { decision.conditions.rounding };
    let (table, mut chunks) = Part::of(figure.table)?;
    let own = figure.own.map(Part::of).transpose()?;
    let (own, own_chunks) = own.map_or((None, Vec::new()), |(own, chunks)| (Some(own), chunks));
    let (manifest, manifest_chunks) = Part::of(figure.manifest)?;
    chunks.extend(own_chunks.into_iter().chain(manifest_chunks));
    let release = Release {
        class: protection.class,
        indicator: figure.about.indicator,
        definition: figure.about.definition,
        period: figure.about.period,
        edition: edition.edition,
        previous: edition.previous,
        reason: edition.reason,
        request: edition.request,
        table,
        own,
        counts: figure.counts,
        manifest,
        inputs_root: figure.inputs_root,
        manifest_root: figure.manifest_root,
        sources: figure.sources,
        data_touched: figure.touched,
        decision,
        commitment: edition.commitment,
        register: edition.register,
        catalogue_version: edition.catalogue_version,
    };
    Ok((release, chunks))
}

/// Whether the holder of `permit` may have an edition that was cut earlier, under another permit of
/// the class: it must be as strict as this permit demands. If not, cut a new one for the whole class.
#[must_use]
pub fn may_receive(permit: &Permit, release: &Release) -> bool {
    let told = &release.decision.conditions;
    let demanded = permit.decision().conditions;
    let kept = demanded
        .retention_days
        .is_none_or(|most| told.retention_days.is_some_and(|days| days <= most));
    permit.class() == Some(release.class)
        && permit.covers_definition(&release.indicator, release.definition)
        && permit.period().is_none_or(|period| period == release.period)
        && told.floor >= demanded.floor
        && told.rounding >= demanded.rounding
        && told.min_step >= demanded.min_step
        && kept
}

/// The salted commitment to an own unprotected table. Keep salt and table at home for the audit
/// period, and draw a fresh salt for every edition: equal tables must not show as equal.
#[must_use]
pub fn commitment(salt: &[u8; 32], table: &Table) -> Digest {
    Digest::of_parts(&[b"reeve-commitment/1\0", salt, &to_vec(table)])
}
