//! What a jurisdiction lets an auditor see of its statements: the entries of its ledger, in order, each held
//! against the tree, and the statement behind each that is shown.
//!
//! A ledger shows digests; whether the statement behind one is shown is for the policy of the jurisdiction.
//! What is shown is kept as signed, and counts only if its digest is the entry's and it is signed under the
//! federation's roots. So nothing can be slipped in, and what is left out is known by its place.

use reeve_audit::Verdict;
use reeve_statement::cert::{CrlSet, RootList, StaleRule};
use reeve_statement::cose::{Signed, Verified, Verifier};
use reeve_statement::digest::Digest;
use reeve_statement::ledger::checkpoint::Checkpoint;
use reeve_statement::ledger::{Frontier, leaf_hash};
use reeve_statement::unit::UnitPath;

use super::finding::{Code, Finding};
use super::kept::{Folder, Kept, KeptEntries, KeptError};
use super::source::{Source, SourceError, TILE};
use super::tree::{Growth, growth};

/// Most entries that are followed in one visit: the next visit goes on.
const ENTRIES: u64 = 1_024;
/// Bytes of an entry in a tile: its length in two, and a digest (C2SP tlog-tiles).
pub(super) const ENTRY_BYTES: usize = 34;

/// What came of following a ledger's entries.
#[derive(Debug, Default)]
pub(super) struct FollowedOn {
    /// Statements that are new here.
    pub(super) statements: u64,
    pub(super) findings: Vec<Finding>,
}

/// Goes on with the entries of a term's ledger from where the last visit ended.
pub(super) fn follow(
    source: &dyn Source,
    (unit, term): (&UnitPath, u64),
    roots: &RootList,
    folder: &Folder,
    kept: &mut Kept,
) -> Result<FollowedOn, KeptError> {
    let mut done = FollowedOn::default();
    let Some(ledger) = kept.ledger(term) else { return Ok(done) };
    let Ok(checkpoint) = Checkpoint::parse_unverified(&ledger.checkpoint) else { return Ok(done) };
    let before = ledger.entries.clone().unwrap_or_default();
    let mut tree = before.tree().unwrap_or_default();
    let (from, to) = (tree.size(), checkpoint.size.min(tree.size().saturating_add(ENTRIES)));
    if from >= to {
        return Ok(done);
    }
    let entries = match entries(source, term, (from, to), checkpoint.size) {
        Ok(entries) => entries,
        Err(error) => {
            done.findings.push(Finding::new(Code::Unreachable, error.to_string()));
            return Ok(done);
        }
    };
    for entry in &entries {
        if tree.append(leaf_hash(entry.as_bytes())).is_err() {
            return Ok(done);
        }
    }
    let root = tree.root();
    match growth(source, term, (to, &root), (checkpoint.size, &checkpoint.root)) {
        Growth::Proven => {}
        Growth::NotProven => {
            let text = format!(
                "the entries {from} to {to} that it shows are not those of its ledger: another story, or a \
                 damaged store"
            );
            done.findings.push(Finding::new(Code::NotConsistent, text));
            return Ok(done);
        }
        Growth::Unknown(error) => {
            done.findings.push(Finding::new(Code::Unreachable, error.to_string()));
            return Ok(done);
        }
    }
    let mut shown = before.shown;
    for entry in &entries {
        match source.statement(entry) {
            Ok(Some(bytes)) => match check(&bytes, entry, unit, roots) {
                Ok(_) => {
                    shown = shown.saturating_add(1);
                    done.statements = done.statements.saturating_add(1);
                    folder.keep_statement(unit, entry, &bytes)?;
                }
                Err(reason) => {
                    let text = format!("what it shows as statement {entry} is none: {reason}");
                    done.findings.push(Finding::new(Code::BadStatement, text));
                }
            },
            // A certificate, an act of adoption, or what the jurisdiction does not show.
            Ok(None) => {}
            Err(error) => {
                done.findings.push(stopped(&error));
                return Ok(done);
            }
        }
    }
    if let Some(ledger) = kept.ledger(term) {
        ledger.entries = Some(KeptEntries::of(&tree, shown));
    }
    folder.keep(unit, kept)?;
    Ok(done)
}

/// Why it goes no further: nothing is skipped, so that all of it is asked for again.
fn stopped(error: &SourceError) -> Finding {
    match error {
        SourceError::NotShown { status: 401 | 403, .. } => {
            Finding::new(Code::Declined, format!("statements are not shown: {error}"))
        }
        other => Finding::new(Code::Unreachable, other.to_string()),
    }
}

/// A statement that is the one of an entry, the unit's own or made in its name, and genuine.
pub(super) fn check(
    bytes: &[u8],
    entry: &Digest,
    unit: &UnitPath,
    roots: &RootList,
) -> Result<Verified, String> {
    let signed = Signed::decode(bytes).map_err(|error| error.to_string())?;
    if signed.digest() != *entry {
        return Err(format!("its digest is {}", signed.digest()));
    }
    // As of when it was signed; what was revoked later is a question for `reeve audit verify`.
    let verifier = Verifier::new(roots.clone(), CrlSet::new(StaleRule::default()));
    let at = signed.unverified_issued_at();
    let verified = signed.verify(&verifier, at).map_err(|error| error.to_string())?;
    if verified.statement().issuer != *unit {
        return Err(format!("{} says it, expected {unit}", verified.statement().issuer));
    }
    Ok(verified)
}

/// Entries of a ledger that has `size` of them.
fn entries(
    source: &dyn Source,
    term: u64,
    (from, to): (u64, u64),
    size: u64,
) -> Result<Vec<Digest>, SourceError> {
    let mut entries = Vec::new();
    let mut next = from;
    while next < to {
        let tile = next / TILE;
        let first = tile.saturating_mul(TILE);
        let width = size.saturating_sub(first).min(TILE);
        let bytes = source.entries(term, tile, width)?;
        let mut places = (first..).zip(bytes.chunks(ENTRY_BYTES));
        let wanted = places.by_ref().filter(|(place, _)| (next..to).contains(place));
        let found = wanted.map(|(_, entry)| entry_of(entry)).collect::<Option<Vec<_>>>();
        entries.extend(found.ok_or_else(|| SourceError::Senseless {
            at: format!("tile entries/{tile}"),
            reason: "expected digests of 32 bytes".to_owned(),
        })?);
        next = first.saturating_add(width).min(to);
    }
    Ok(entries)
}

fn entry_of(bytes: &[u8]) -> Option<Digest> {
    let (length, digest) = bytes.split_first_chunk::<2>()?;
    let digest: [u8; 32] = digest.try_into().ok()?;
    (*length == 32_u16.to_be_bytes()).then(|| Digest::from_bytes(digest))
}

/// Whether findings leave a visit sound.
pub(super) fn is_sound(findings: &[Finding]) -> bool {
    findings.iter().all(|it| it.code.verdict() != Verdict::Findings)
}

impl KeptEntries {
    pub(super) fn of(tree: &Frontier, shown: u64) -> Self {
        let peaks = tree.peaks().iter().map(ToString::to_string).collect();
        Self { size: tree.size(), peaks, shown }
    }

    /// The tree over the entries that were followed.
    pub(super) fn tree(&self) -> Option<Frontier> {
        let peaks = self.peaks.iter().map(|peak| peak.parse().ok()).collect::<Option<Vec<_>>>()?;
        Frontier::from_peaks(self.size, peaks).ok()
    }
}
