//! The ledger for anybody who may read it over plain HTTP, in the paths of C2SP tlog-tiles:
//! `/ledger/TERM/checkpoint` and `/ledger/TERM/tile/...`.
//!
//! Off unless `[http] ledger` turns it on. Tiles are hashes: they show how much was signed and when, and
//! nothing of what. What an auditor needs besides is there too, and it hands its cosignature back here.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use reeve_protocol::local::{Answer, Cosignature, Question};
use reeve_protocol::tiles::{TILE, Tile, TileOf};
use reeve_statement::cert::{Chain, Crl};
use reeve_statement::ledger::checkpoint::Checkpoint;

use super::body::{Document, Who, json};
use super::fault::Fault;
use super::service::Service;
use crate::api::{CosignatureGiven, LedgerSigner, MAX_REQUEST_BYTES, Published};

/// A full tile never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The newest checkpoint of the present term's ledger; of an earlier one none is signed any more.
pub(super) async fn checkpoint(
    State(service): State<Arc<Service>>,
    Who(who): Who,
    Path(term): Path<String>,
) -> Result<Response, Fault> {
    let term = number(&term).ok_or(Fault::NoRoute)?;
    let Answer::Checkpoint(note) = service.ask(&who, Question::Checkpoint).await? else {
        return Err(Fault::OtherAnswer);
    };
    told(term, note)
}

/// The present term's ledger as it was with so many entries, signed now: whoever has seen another root of
/// that size has the proof that there are two.
pub(super) async fn checkpoint_at(
    State(service): State<Arc<Service>>,
    Who(who): Who,
    Path((term, size)): Path<(String, String)>,
) -> Result<Response, Fault> {
    let term = number(&term).ok_or(Fault::NoRoute)?;
    let size = number(&size).ok_or(Fault::NoRoute)?;
    let Answer::Checkpoint(note) = service.ask(&who, Question::CheckpointAt(size)).await? else {
        return Err(Fault::OtherAnswer);
    };
    told(term, note)
}

/// By whose key the ledger is signed, and the revocation lists that this node holds.
pub(super) async fn signer(
    State(service): State<Arc<Service>>,
    Who(who): Who,
) -> Result<Document<LedgerSigner>, Fault> {
    match service.ask(&who, Question::Evidence).await? {
        Answer::Evidence { chain, lists, .. } => Ok(Document(LedgerSigner {
            chain: chain.to_pem(),
            lists: lists.iter().filter_map(|der| Some(Crl::from_der(der).ok()?.to_pem())).collect(),
        })),
        _ => Err(Fault::OtherAnswer),
    }
}

/// Takes an auditor's cosignature; it proves itself, whoever brings it.
pub(super) async fn cosign(
    State(service): State<Arc<Service>>,
    Who(who): Who,
    Path(term): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<Published>, Fault> {
    number(&term).ok_or(Fault::NoRoute)?;
    let given: CosignatureGiven = json(&headers, body, MAX_REQUEST_BYTES).await?;
    let chain = Chain::from_pem(&given.chain);
    let chain = chain.map_err(|error| Fault::Malformed(format!("field `chain`: {error}")))?;
    let CosignatureGiven { checkpoint, cosignature: line, .. } = given;
    let given = Box::new(Cosignature { checkpoint, line, chain });
    service.ask_done(&who, Question::TakeCosignature(given)).await?;
    Ok(Document(Published { done: true }))
}

/// A note, if it is of that term's ledger.
fn told(term: u64, note: String) -> Result<Response, Fault> {
    let present = Checkpoint::parse_unverified(&note).ok().and_then(|it| it.origin.term());
    if present != Some(term) {
        return Err(Fault::NotFound("checkpoint of that term", "`reeve status` names the terms"));
    }
    let headers =
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, note).into_response())
}

/// A tile of hashes, or of entries.
pub(super) async fn tile(
    State(service): State<Arc<Service>>,
    Who(who): Who,
    Path((term, path)): Path<(String, String)>,
) -> Result<Response, Fault> {
    let term = number(&term).ok_or(Fault::NoRoute)?;
    let tile = tile_of(term, &path).ok_or(Fault::NoRoute)?;
    let Answer::Tile(bytes) = service.ask(&who, Question::Tile(tile)).await? else {
        return Err(Fault::OtherAnswer);
    };
    let bytes = bytes
        .ok_or(Fault::NotFound("such tile", "the checkpoint says how many entries there are"))?;
    let headers =
        [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, FOR_EVER)];
    Ok((headers, bytes).into_response())
}

/// The tile of a path such as `0/x001/x234/067`, `entries/000.p/12`: level or `entries`, the place in
/// groups of three digits of which all but the last have an `x`, and how many places a partial tile has.
fn tile_of(term: u64, path: &str) -> Option<Tile> {
    let (path, width) = match path.split_once(".p/") {
        Some((path, width)) => {
            let partial = number(width).filter(|width| (1..TILE).contains(width))?;
            (path, partial)
        }
        None => (path, TILE),
    };
    let (of, place) = path.split_once('/')?;
    let of = match of {
        "entries" => TileOf::Entries,
        level => TileOf::Hashes(number(level).and_then(|level| u8::try_from(level).ok())?),
    };
    let groups: Vec<&str> = place.split('/').collect();
    let mut index: u64 = 0;
    for (place, group) in groups.iter().enumerate() {
        let last = place.checked_add(1)? == groups.len();
        let digits = if last { group } else { group.strip_prefix('x')? };
        if digits.len() != 3 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        // Leading groups of nothing are another spelling of the same place.
        if place == 0 && !last && digits == "000" {
            return None;
        }
        index = index.checked_mul(1_000)?.checked_add(digits.parse().ok()?)?;
    }
    Some(Tile { term, of, index, width: u16::try_from(width).ok()? })
}

/// A number without leading zeros.
fn number(text: &str) -> Option<u64> {
    let plain = text == "0" || !text.starts_with('0');
    let digits = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    (plain && digits).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn paths_name_tiles_as_the_specification_says() {
        let tile = |of, index, width| Some(Tile { term: 3, of, index, width });
        let good = [
            ("0/000", tile(TileOf::Hashes(0), 0, 256)),
            ("2/x001/x234/067", tile(TileOf::Hashes(2), 1_234_067, 256)),
            ("entries/005.p/12", tile(TileOf::Entries, 5, 12)),
            ("0/x001/000.p/255", tile(TileOf::Hashes(0), 1_000, 255)),
        ];
        for (path, expected) in good {
            assert_eq!(tile_of(3, path), expected, "{path}");
        }
        let bad = [
            "",
            "0",
            "0/",
            "0/0",
            "0/0000",
            "0/x000/001",
            "0/001/002",
            "00/000",
            "0/000.p/0",
            "0/000.p/256",
            "0/000.p/01",
            "0/000.p/",
            "-1/000",
            "entries/x001",
            "0/x001/",
            "0/99999999999999999999",
            "256/000",
            "0/0a0",
            "0/x999/x999/x999/x999/x999/x999/x999/999",
        ];
        for path in bad {
            assert_eq!(tile_of(3, path), None, "{path}");
        }
    }
}
