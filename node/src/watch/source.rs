//! Where a jurisdiction's ledger is read: over HTTP, bounded in size and time, and believed in nothing.

use std::path::Path;
use std::time::Duration;

use reeve_statement::cose::MAX_ENVELOPE_BYTES;
use reeve_statement::digest::Digest;
use reeve_statement::ledger::checkpoint::MAX_CHECKPOINT_BYTES;
use serde::de::DeserializeOwned;
use ureq::http::{Request, Response};
use ureq::{Agent, Body};

use super::follow::ENTRY_BYTES;
use crate::api::{CosignatureGiven, JSON, LedgerSigner, Problem, Published};
use crate::client::agent;
use crate::token::{Secret, TokenError, read_secret};

/// Longest wait for one answer: a jurisdiction that is slow is visited again.
const ANSWER: Duration = Duration::from_secs(20);
/// Hashes of a full tile (C2SP tlog-tiles).
pub(super) const TILE: u64 = 256;
/// Bytes of a hash.
const HASH_BYTES: usize = 32;
/// Longest document, in bytes: a chain, and the revocation lists of the authorities around it.
const MAX_DOCUMENT_BYTES: usize = 8 * 1024 * 1024;
/// Longest text of a problem that is shown.
const MAX_REASON_CHARS: usize = 300;

/// Why something could not be got.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Nobody answers, or the answer breaks off.
    #[error("{at} does not answer ({reason}); is the node running, and `[http] ledger` on?")]
    Unreachable {
        /// Where.
        at: String,
        /// What the connection said.
        reason: String,
    },
    /// There is no such thing there, or it is not shown.
    #[error("{at} does not show it ({reason})")]
    NotShown {
        /// Where.
        at: String,
        /// The status of the answer.
        status: u16,
        /// What it says.
        reason: String,
    },
    /// The answer makes no sense.
    #[error("the answer of {at} makes no sense: {reason}")]
    Senseless {
        /// Where.
        at: String,
        /// Expected and found.
        reason: String,
    },
}

/// A ledger that somebody shows.
pub trait Source {
    /// By whose key it is signed.
    ///
    /// # Errors
    /// [`SourceError`].
    fn signer(&self) -> Result<LedgerSigner, SourceError>;
    /// The newest checkpoint of a term.
    ///
    /// # Errors
    /// [`SourceError`].
    fn checkpoint(&self, term: u64) -> Result<String, SourceError>;
    /// The checkpoint of an earlier size, signed.
    ///
    /// # Errors
    /// [`SourceError`].
    fn checkpoint_at(&self, term: u64, size: u64) -> Result<String, SourceError>;
    /// The first hashes of a tile: as many as `width` says.
    ///
    /// # Errors
    /// [`SourceError`].
    fn tile(&self, term: u64, level: u8, index: u64, width: u64) -> Result<Vec<u8>, SourceError>;
    /// The first entries of a tile, each with its length before it: as many as `width` says.
    ///
    /// # Errors
    /// [`SourceError`].
    fn entries(&self, term: u64, index: u64, width: u64) -> Result<Vec<u8>, SourceError>;
    /// A statement, as signed; none: it is not there, or not shown.
    ///
    /// # Errors
    /// [`SourceError`].
    fn statement(&self, digest: &Digest) -> Result<Option<Vec<u8>>, SourceError>;
    /// Hands back a cosignature.
    ///
    /// # Errors
    /// [`SourceError`].
    fn hand_back(&self, term: u64, given: &CosignatureGiven) -> Result<(), SourceError>;
}

/// A ledger that is read over HTTP.
#[derive(Debug)]
pub struct HttpSource {
    agent: Agent,
    base: String,
    secret: Option<Secret>,
}

impl HttpSource {
    /// Reads at a base such as `http://127.0.0.1:7080`, and shows the token of a file.
    ///
    /// # Errors
    /// When there is no token in the file.
    pub fn new(base: &str, token: Option<&Path>) -> Result<Self, TokenError> {
        let secret = token.map(read_secret).transpose()?;
        Ok(Self { agent: agent(ANSWER), base: base.to_owned(), secret })
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn call(
        &self,
        path: &str,
        limit: usize,
        document: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, SourceError> {
        let at = self.at(path);
        let senseless = |reason: String| SourceError::Senseless { at: at.clone(), reason };
        let lost = |error: ureq::Error| SourceError::Unreachable {
            at: at.clone(),
            reason: error.to_string(),
        };
        let mut request = Request::builder().uri(&at);
        if let Some(secret) = &self.secret {
            request = request.header("authorization", format!("Bearer {}", secret.text()));
        }
        let response = match document {
            Some(body) => {
                let request = request.method("POST").header("content-type", JSON).body(body);
                self.agent.run(request.map_err(|error| senseless(error.to_string()))?)
            }
            None => {
                let request = request.method("GET").body(());
                self.agent.run(request.map_err(|error| senseless(error.to_string()))?)
            }
        };
        read(response.map_err(lost)?, &at, limit)
    }

    fn text(&self, path: &str) -> Result<String, SourceError> {
        let bytes = self.call(path, MAX_CHECKPOINT_BYTES, None)?;
        String::from_utf8(bytes)
            .map_err(|_| self.senseless(path, "it is not UTF-8 text".to_owned()))
    }

    /// So many things of one length.
    fn exactly(&self, path: &str, count: u64, each: usize) -> Result<Vec<u8>, SourceError> {
        let expected = usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(each);
        let bytes = self.call(path, expected, None)?;
        if bytes.len() == expected {
            return Ok(bytes);
        }
        let found = bytes.len();
        Err(self.senseless(path, format!("expected {expected} bytes, found {found}")))
    }

    fn senseless(&self, path: &str, reason: String) -> SourceError {
        SourceError::Senseless { at: self.at(path), reason }
    }

    fn document<T: DeserializeOwned>(&self, path: &str, bytes: &[u8]) -> Result<T, SourceError> {
        serde_json::from_slice(bytes).map_err(|error| self.senseless(path, error.to_string()))
    }
}

fn read(mut response: Response<Body>, at: &str, limit: usize) -> Result<Vec<u8>, SourceError> {
    let status = response.status();
    let most = u64::try_from(limit).unwrap_or(u64::MAX);
    let bytes = response.body_mut().with_config().limit(most).read_to_vec();
    let at = at.to_owned();
    let bytes = bytes.map_err(|error| match error {
        ureq::Error::BodyExceedsLimit(_) => SourceError::Senseless {
            at: at.clone(),
            reason: format!("expected at most {limit} bytes, found more"),
        },
        other => SourceError::Unreachable { at: at.clone(), reason: other.to_string() },
    })?;
    if status.is_success() {
        return Ok(bytes);
    }
    let told = serde_json::from_slice::<Problem>(&bytes).map(|problem| problem.detail);
    let told = told.unwrap_or_else(|_| format!("status {status}"));
    let reason: String = told.chars().take(MAX_REASON_CHARS).collect();
    Err(SourceError::NotShown { at, status: status.as_u16(), reason })
}

impl Source for HttpSource {
    fn signer(&self) -> Result<LedgerSigner, SourceError> {
        let path = "/ledger/signer";
        self.document(path, &self.call(path, MAX_DOCUMENT_BYTES, None)?)
    }

    fn checkpoint(&self, term: u64) -> Result<String, SourceError> {
        self.text(&format!("/ledger/{term}/checkpoint"))
    }

    fn checkpoint_at(&self, term: u64, size: u64) -> Result<String, SourceError> {
        self.text(&format!("/ledger/{term}/checkpoint/{size}"))
    }

    fn tile(&self, term: u64, level: u8, index: u64, width: u64) -> Result<Vec<u8>, SourceError> {
        let path = format!("/ledger/{term}/tile/{level}/{}", place(index, width));
        self.exactly(&path, width, HASH_BYTES)
    }

    fn entries(&self, term: u64, index: u64, width: u64) -> Result<Vec<u8>, SourceError> {
        let path = format!("/ledger/{term}/tile/entries/{}", place(index, width));
        self.exactly(&path, width, ENTRY_BYTES)
    }

    fn statement(&self, digest: &Digest) -> Result<Option<Vec<u8>>, SourceError> {
        let path = format!("/v1/statements/{digest}");
        match self.call(&path, MAX_ENVELOPE_BYTES, None) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(SourceError::NotShown { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn hand_back(&self, term: u64, given: &CosignatureGiven) -> Result<(), SourceError> {
        let path = format!("/ledger/{term}/cosignatures");
        let document = serde_json::to_vec(given);
        let document = document.map_err(|error| self.senseless(&path, error.to_string()))?;
        let answer = self.call(&path, MAX_DOCUMENT_BYTES, Some(document))?;
        self.document::<Published>(&path, &answer).map(drop)
    }
}

/// The place of a tile in its path (C2SP tlog-tiles): groups of three digits, all but the last with an
/// `x`; and how many hashes a partial tile has.
fn place(index: u64, width: u64) -> String {
    let mut text = format!("{:03}", index % 1_000);
    let mut rest = index / 1_000;
    while rest > 0 {
        text = format!("x{:03}/{text}", rest % 1_000);
        rest /= 1_000;
    }
    if width < TILE {
        text.push_str(&format!(".p/{width}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_spelt_as_the_specification_says() {
        assert_eq!(place(0, 256), "000");
        assert_eq!(place(5, 12), "005.p/12");
        assert_eq!(place(1_234_067, 256), "x001/x234/067");
        assert_eq!(place(1_000, 255), "x001/000.p/255");
    }
}
