//! The client of the local HTTP API, for the command line: blocking, one node, one token.
//!
//! It speaks to this machine only, follows no redirect and no proxy, and reads bounded answers. It
//! never shows the token.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::{Request, Response};
use ureq::{Agent, Body};

use crate::api::{ADDRESS_FILE, CBOR, JSON, Problem};
use crate::token::{Secret, TokenError, read_secret};

/// Longest wait for a connection: it is this machine.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest wait for an answer: an import ends within this, or is looked at.
const ANSWER: Duration = Duration::from_secs(660);
/// Longest answer, in bytes: a shard of the largest records fits.
const MAX_ANSWER_BYTES: u64 = 64 * 1024 * 1024;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No token to show.
    #[error("{0}; `reeve run` makes the operator's token, or use --token-file")]
    Token(#[from] TokenError),
    /// No node there.
    #[error("no node answers at {address} ({reason}); start it with `reeve run`, or use --api")]
    Unreachable {
        /// Where.
        address: SocketAddr,
        /// What the connection said.
        reason: String,
    },
    /// The node says why not.
    #[error("{}", told(.0))]
    Problem(Box<Problem>),
    /// The answer makes no sense: perhaps something else listens there.
    #[error("the answer from {address} makes no sense ({reason}); is it a node of this version?")]
    Answer {
        /// Where.
        address: SocketAddr,
        /// What was wrong.
        reason: String,
    },
}

fn told(problem: &Problem) -> String {
    let mut text = problem.title.clone();
    for part in [&problem.detail, &problem.next] {
        if !part.is_empty() {
            text.push_str(if text == problem.title { ": " } else { "; " });
            text.push_str(part);
        }
    }
    if !problem.determining.is_empty() {
        text.push_str(&format!(" (decided by {})", problem.determining.join(", ")));
    }
    for error in problem.errors.iter().take(10) {
        let place = error.operation.map(|at| format!("operation {at}, ")).unwrap_or_default();
        text.push_str(&format!("\n  {place}field `{}`: {}", error.field, error.rule));
    }
    text
}

/// Asks over HTTP as this program does everywhere: whom it was told to ask and nobody else, and not for
/// longer than an answer may take.
pub(crate) fn agent(answer: Duration) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .max_redirects(0)
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(answer))
        .build()
        .new_agent()
}

/// Where the node's API is, and whose token to show.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    address: SocketAddr,
    secret: Secret,
}

impl Client {
    /// A client for the API at this address, with the token of this file.
    ///
    /// # Errors
    /// [`ClientError::Token`].
    pub fn new(address: SocketAddr, token: &Path) -> Result<Self, ClientError> {
        let secret = read_secret(token)?;
        Ok(Self { agent: agent(ANSWER), address, secret })
    }

    /// Where the API is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gets a document.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.document(&self.bytes(path, JSON)?)
    }

    /// Gets bytes of a media type.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn bytes(&self, path: &str, accept: &str) -> Result<Vec<u8>, ClientError> {
        self.call("GET", path, Some(accept), None)
    }

    /// Gets bytes without end, to be read as they come; whoever asks shows one more header.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn stream(
        &self,
        path: &str,
        header: (&str, &str),
    ) -> Result<impl std::io::Read + use<>, ClientError> {
        let request = Request::builder()
            .method("GET")
            .uri(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer {}", self.secret.text()))
            .header(header.0, header.1);
        let request = request.body(()).map_err(|error| self.senseless(&error))?;
        // It takes as long as it takes; a node that stops closes the connection.
        let request = self.agent.configure_request(request).timeout_global(None).build();
        let response = self.agent.run(request).map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            return Ok(response.into_body().into_reader());
        }
        Err(self.read(response).err().unwrap_or_else(|| self.senseless(&"no bytes")))
    }

    /// Sends a document, and reads one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn send<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        document: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(document).map_err(|error| self.senseless(&error))?;
        self.send_bytes(method, path, JSON, body)
    }

    /// Sends bytes of a media type, and reads a document.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn send_bytes<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        media: &str,
        body: Vec<u8>,
    ) -> Result<T, ClientError> {
        let answer = self.call(method, path, None, Some((media, body)))?;
        self.document(&answer)
    }

    /// Deletes something.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let answer = self.call("DELETE", path, None, None)?;
        self.document(&answer)
    }

    fn document<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(bytes).map_err(|error| self.senseless(&error))
    }

    fn unreachable(&self, reason: &impl ToString) -> ClientError {
        ClientError::Unreachable { address: self.address, reason: reason.to_string() }
    }

    fn senseless(&self, reason: &impl ToString) -> ClientError {
        ClientError::Answer { address: self.address, reason: reason.to_string() }
    }

    fn call(
        &self,
        method: &str,
        path: &str,
        accept: Option<&str>,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Vec<u8>, ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer {}", self.secret.text()));
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        if let Some((media, _)) = &body {
            request = request.header("content-type", *media);
        }
        let response = match body {
            Some((_, body)) => {
                let request = request.body(body).map_err(|error| self.senseless(&error))?;
                self.agent.run(request)
            }
            None => {
                let request = request.body(()).map_err(|error| self.senseless(&error))?;
                self.agent.run(request)
            }
        };
        let response = response.map_err(|error| self.unreachable(&error))?;
        self.read(response)
    }

    fn read(&self, mut response: Response<Body>) -> Result<Vec<u8>, ClientError> {
        let status = response.status();
        let body = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
        let body = body.map_err(|error| self.senseless(&error))?;
        if status.is_success() {
            return Ok(body);
        }
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Err(ClientError::Problem(Box::new(problem))),
            Err(_) => Err(self.senseless(&format!("status {status}"))),
        }
    }

    /// The catalogue in its own form, to decide with.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn catalogue(&self) -> Result<reeve_statement::catalogue::Catalogue, ClientError> {
        let bytes = self.bytes("/v1/catalogue", CBOR)?;
        reeve_statement::cbor::from_slice("catalogue", &bytes, bytes.len())
            .map_err(|error| self.senseless(&error))
    }
}

/// A part of a path or query, with every character that could mean something else escaped (RFC 3986
/// section 2.1).
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            safe.push(char::from(byte));
        } else {
            safe.push_str(&format!("%{byte:02X}"));
        }
    }
    safe
}

/// Where the API of the node in this folder listens.
#[must_use]
pub fn address_of(folder: &Path, configured: SocketAddr) -> SocketAddr {
    let file: PathBuf = folder.join(ADDRESS_FILE);
    let chosen = std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok());
    if configured.port() == 0 { chosen.unwrap_or(configured) } else { configured }
}
