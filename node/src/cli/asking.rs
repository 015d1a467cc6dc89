//! How commands reach the running node of this house.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::Value;

use super::running::{NotDone, RunningNode};
use super::{CommandError, Global};
use crate::api::{CBOR, IssuedEntry, MAX_FILE_BYTES, Published, StatusView};
use crate::client::{Client, ClientError, address_of};
use crate::config::Config;
use crate::enrol::{AdmissionOrder, InviteOrder};
use crate::house::CONFIG_FILE;
use crate::token::OPERATOR_TOKEN_FILE;

/// Which node, and whose token. Without these, the node of the folder and its operator's token.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Node {
    /// Where the node's local API listens; else as the folder's configuration says
    #[arg(long, env = "REEVE_API", hide_env_values = true, value_name = "ADDRESS:PORT")]
    #[arg(global = true, help_heading = "Which node")]
    api: Option<SocketAddr>,
    /// The file with the token to show; else operator.token in the node's folder
    #[arg(long, env = "REEVE_TOKEN_FILE", hide_env_values = true, value_name = "FILE")]
    #[arg(global = true, help_heading = "Which node")]
    token_file: Option<PathBuf>,
}

impl Node {
    /// The client for it.
    pub(super) fn client(&self, global: &Global) -> Result<Client, CommandError> {
        let address = match self.api {
            Some(address) => address,
            None => address_of(&global.home, configured(global)?),
        };
        let token = self.token_file.clone();
        let token = token.unwrap_or_else(|| global.home.join(OPERATOR_TOKEN_FILE));
        Ok(Client::new(address, &token)?)
    }
}

fn configured(global: &Global) -> Result<SocketAddr, CommandError> {
    let path = global.home.join(CONFIG_FILE);
    let text = std::fs::read_to_string(&path).map_err(|reason| CommandError::File {
        doing: "cannot read",
        path: path.clone(),
        reason,
    })?;
    if text.len() > MAX_FILE_BYTES {
        return Err(CommandError::Mistakes(format!("{}: too long", path.display())));
    }
    let config = Config::parse(&path.to_string_lossy(), &text);
    let config = config.map_err(|problems| CommandError::Mistakes(problems.to_string()))?;
    Ok(config.http.listen)
}

/// The node of this house, reached when it is first needed: showing a certificate needs none.
pub(super) struct OwnNode<'a> {
    pub(super) node: &'a Node,
    pub(super) global: &'a Global,
}

impl OwnNode<'_> {
    fn client(&self) -> Result<Client, NotDone> {
        self.node.client(self.global).map_err(|error| match error {
            // A house whose node never ran has no token yet.
            CommandError::Client(ClientError::Token(reason)) => {
                NotDone::NotRunning { reason: reason.to_string() }
            }
            other => NotDone::Failed(other),
        })
    }
}

fn not_done(error: ClientError) -> NotDone {
    match error {
        ClientError::Unreachable { address, reason } => {
            NotDone::NotRunning { reason: format!("{address}: {reason}") }
        }
        other => NotDone::Failed(other.into()),
    }
}

impl RunningNode for OwnNode<'_> {
    fn invite(&self, order: &InviteOrder) -> Result<String, NotDone> {
        let client = self.client()?;
        let made: Value = client.send("POST", "/v1/invites", order).map_err(not_done)?;
        let line = made.get("invite").and_then(Value::as_str).map(str::to_owned);
        line.ok_or_else(|| {
            let failed = "the node made no invite; is it of this version?".to_owned();
            NotDone::Failed(CommandError::Failed(failed))
        })
    }

    fn admit(&self, order: &AdmissionOrder) -> Result<String, NotDone> {
        let client = self.client()?;
        let made: Value = client.send("POST", "/v1/admissions", order).map_err(not_done)?;
        let line = made.get("answer").and_then(Value::as_str).map(str::to_owned);
        line.ok_or_else(|| {
            let failed = "the node gave no answer; is it of this version?".to_owned();
            NotDone::Failed(CommandError::Failed(failed))
        })
    }

    fn take_list(&self, chain: &[u8], list: &[u8]) -> Result<(), NotDone> {
        let signed =
            reeve_protocol::wire::SignedList { chain: chain.to_vec(), list: list.to_vec() };
        let body = reeve_statement::cbor::to_vec(&signed);
        let client = self.client()?;
        let done: Result<Published, _> = client.send_bytes("POST", "/v1/lists", CBOR, body);
        done.map(drop).map_err(not_done)
    }

    fn issued(&self, term: Option<u64>, from: u64) -> Result<Vec<IssuedEntry>, NotDone> {
        let client = self.client()?;
        let term = term.map(|term| format!("&term={term}")).unwrap_or_default();
        client.get(&format!("/v1/issued?from={from}{term}")).map_err(not_done)
    }

    fn home_term(&self) -> Option<u64> {
        let status: StatusView = self.client().ok()?.get("/v1/status").ok()?;
        status.home_term.max(status.ended_term)
    }

    fn renew(&self, chain: &[u8]) -> Result<(), NotDone> {
        let client = self.client()?;
        let done: Result<Published, _> =
            client.send_bytes("PUT", "/v1/certificate", CBOR, chain.to_vec());
        done.map(drop).map_err(not_done)
    }
}
