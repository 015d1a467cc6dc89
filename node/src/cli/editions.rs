//! The editions of a figure: asked of the node one after the other, and verified here.

use std::collections::BTreeMap;

use reeve_protocol::local::FigureView;
use reeve_statement::catalogue::Indicator;
use reeve_statement::cert::{CrlSet, StaleRule};
use reeve_statement::cose::{Signed, Verifier};
use reeve_statement::digest::Digest;
use reeve_statement::release::Release;
use reeve_statement::statement::{Body, Statement};
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use super::identity::failed;
use super::query::newest;
use super::texts::Locale;
use super::{CommandError, Global};
use crate::api::{CBOR, Evidence, Figure};
use crate::client::{Client, ClientError, escaped};
use crate::house::House;

/// Most earlier editions that are followed.
pub(super) const EDITIONS: usize = 10_000;

/// What a node keeps, verified as it comes.
pub(super) struct Kept<'c> {
    client: &'c Client,
    verifier: Verifier,
}

impl<'c> Kept<'c> {
    /// Verifies by the roots of the house. Revocations are left to the auditor: a statement stands as of
    /// when it was signed.
    pub(super) fn new(client: &'c Client, house: &House) -> Result<Self, CommandError> {
        let roots = house.identity().map_err(failed)?.roots.clone();
        let verifier = Verifier::new(roots, CrlSet::new(StaleRule::default()));
        Ok(Self { client, verifier })
    }

    /// A statement and its signed bytes; none: the node does not have it.
    pub(super) fn statement(
        &self,
        digest: &Digest,
    ) -> Result<Option<(Statement, Vec<u8>)>, CommandError> {
        let path = format!("/v1/statements/{digest}");
        let Some(bytes) = or_none(self.client.bytes(&path, "application/cose"))? else {
            return Ok(None);
        };
        let unsound = |reason: String| {
            CommandError::Failed(format!(
                "statement {digest}, as the node keeps it, does not verify: {reason}; \
                 `reeve verify` tells more"
            ))
        };
        let signed = Signed::decode(&bytes).map_err(|error| unsound(error.to_string()))?;
        if signed.digest() != *digest {
            return Err(unsound(format!("its digest is {}", signed.digest())));
        }
        let at = signed.unverified_issued_at();
        let verified = signed.verify(&self.verifier, at);
        let verified = verified.map_err(|error| unsound(error.to_string()))?;
        Ok(Some((verified.into_statement(), bytes)))
    }

    /// A part of a large statement; none: the node does not have it.
    pub(super) fn chunk(&self, digest: &Digest) -> Result<Option<Vec<u8>>, CommandError> {
        or_none(self.client.bytes(&format!("/v1/chunks/{digest}"), CBOR))
    }
}

/// What the node answered; none where it has no such thing.
pub(super) fn or_none<T>(answer: Result<T, ClientError>) -> Result<Option<T>, CommandError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(ClientError::Problem(problem)) if problem.status == 404 => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Which figure's editions.
pub(super) struct Which<'a> {
    pub(super) indicator: &'a str,
    pub(super) period: Option<&'a str>,
    pub(super) class: Option<&'a str>,
}

/// One edition: a release, or a notice that says why there is none.
pub(super) struct Past {
    pub(super) digest: Digest,
    pub(super) statement: Statement,
}

impl Past {
    /// Its number, and the edition before it.
    pub(super) fn place(&self) -> (u64, Option<Digest>) {
        match &self.statement.body {
            Body::Release(release) => (release.edition, release.previous),
            Body::Notice(notice) => (notice.edition, notice.previous),
            _ => (0, None),
        }
    }
}

/// The editions of one figure that a node keeps.
pub(super) struct Editions<'c> {
    kept: Kept<'c>,
    indicator: Indicator,
    /// The period that it is of.
    pub(super) period: String,
    /// Newest first.
    pub(super) past: Vec<Past>,
    /// Edition and digest of the one before the oldest, which is named by it and not here.
    pub(super) gap: Option<(u64, Digest)>,
}

impl<'c> Editions<'c> {
    /// Follows the chain of editions from the newest back.
    ///
    /// # Errors
    /// [`CommandError`]: also if an edition does not follow from the one before it.
    pub(super) fn of(
        which: &Which<'_>,
        client: &'c Client,
        global: &Global,
        locale: &Locale,
    ) -> Result<Self, CommandError> {
        let id = escaped(which.indicator);
        let period = match which.period {
            Some(period) => period.to_owned(),
            None => newest(client, &id, locale)?,
        };
        let class = which.class.map(|class| format!("&class={}", escaped(class)));
        let class = class.unwrap_or_default();
        let path = format!("/v1/figures/{id}?period={}{class}", escaped(&period));
        let figure: Figure = client.get(&path)?;
        let house = House::open(&global.home).map_err(failed)?;
        let kept = Kept::new(client, &house)?;
        let indicator = indicator(&kept, which.indicator)?;
        let mut editions = Self { kept, indicator, period, past: Vec::new(), gap: None };
        let newest = figure.statement.as_deref().and_then(|digest| digest.parse::<Digest>().ok());
        editions.follow(newest, figure.edition)?;
        Ok(editions)
    }

    fn follow(&mut self, newest: Option<Digest>, edition: u64) -> Result<(), CommandError> {
        let mut next = newest.map(|digest| (edition, digest));
        while let Some((expected, digest)) = next.take() {
            if self.past.len() >= EDITIONS {
                self.gap = Some((expected, digest));
                return Ok(());
            }
            let Some((statement, _)) = self.kept.statement(&digest)? else {
                self.gap = Some((expected, digest));
                return Ok(());
            };
            let past = Past { digest, statement };
            let (number, previous) = past.place();
            if number != expected {
                return Err(CommandError::Findings(format!(
                    "statement {digest} is edition {number}; the one after it names it as edition \
                     {expected}: an edition was taken out, or put in, at {}",
                    past.statement.issuer
                )));
            }
            next = previous.map(|digest| (number.saturating_sub(1), digest));
            self.past.push(past);
        }
        Ok(())
    }

    /// What one edition told, for people; none for a notice.
    pub(super) fn view(
        &self,
        past: &Past,
        area: Option<&UnitPath>,
    ) -> Result<Option<Figure>, CommandError> {
        let Body::Release(release) = &past.statement.body else { return Ok(None) };
        let chunks = self.chunks(release)?;
        let missing = |error: reeve_statement::chunk::ChunkError| {
            CommandError::Failed(format!("edition {}: {error}", release.edition))
        };
        let find = |digest: &Digest| chunks.get(digest).cloned();
        let table = release.table.join("table", find).map_err(missing)?;
        let manifest = release.manifest.join("manifest", find).map_err(missing)?;
        let (unit, at) = (&past.statement.issuer, past.statement.issued_at);
        let told = (past.digest, at);
        let view = FigureView::of_edition(
            unit,
            self.indicator.clone(),
            release,
            (table, manifest),
            told,
            area,
        );
        let outside = || {
            let area = area.map(ToString::to_string).unwrap_or_default();
            CommandError::Failed(format!("{area} is not in {unit}"))
        };
        let view = view.ok_or_else(outside)?;
        Ok(Some(Figure::of(&view, area)))
    }

    fn chunks(&self, release: &Release) -> Result<BTreeMap<Digest, Vec<u8>>, CommandError> {
        let digests = release.table.chunk_digests().iter().chain(release.manifest.chunk_digests());
        let mut chunks = BTreeMap::new();
        for digest in digests {
            if let Some(chunk) = self.kept.chunk(digest)? {
                chunks.insert(*digest, chunk);
            }
        }
        Ok(chunks)
    }

    /// The edition that stood at a moment.
    pub(super) fn as_of(&self, at: Timestamp) -> Option<&Past> {
        self.past.iter().find(|past| past.statement.issued_at <= at)
    }
}

/// The indicator as the catalogue in force has it.
fn indicator(kept: &Kept<'_>, id: &str) -> Result<Indicator, CommandError> {
    let evidence: Evidence = kept.client.get("/v1/evidence")?;
    let digest = evidence.catalogue.and_then(|digest| digest.parse::<Digest>().ok());
    let statement = match digest {
        Some(digest) => kept.statement(&digest)?,
        None => None,
    };
    let indicator = statement.and_then(|(statement, _)| match statement.body {
        Body::Catalogue(catalogue) => {
            catalogue.indicators.into_iter().find(|indicator| indicator.id.as_str() == id)
        }
        _ => None,
    });
    indicator.ok_or_else(|| {
        CommandError::Failed(format!(
            "the catalogue in force has no {id}; `reeve catalogue show` lists the indicators"
        ))
    })
}
