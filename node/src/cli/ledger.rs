//! `reeve ledger`: the head of the ledger, and proofs that a statement is in it.

use serde_json::json;

use super::asking::Node;
use super::{CommandError, Global, Output};
use crate::api::Proof;

/// What of the ledger.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  reeve ledger head
  reeve ledger prove 41 --size 200")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    node: Node,
}

/// The actions.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Print the newest signed checkpoint (C2SP tlog-checkpoint)
    Head,
    /// Print a proof that a statement is in the ledger (RFC 6962)
    Prove(Prove),
}

/// Of which statement.
#[derive(Debug, clap::Args)]
pub struct Prove {
    /// Its place; `reeve sent` shows it
    index: u64,
    /// The size of the ledger to prove it for, as a checkpoint says
    #[arg(long)]
    size: u64,
    /// Of the ledger of this earlier reporting term; `reeve status` lists them
    #[arg(long, value_name = "TERM")]
    term: Option<u64>,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let client = arguments.node.client(global)?;
    match &arguments.action {
        Action::Head => {
            let note = client.bytes("/v1/ledger/checkpoint", "text/plain")?;
            let note = String::from_utf8_lossy(&note).into_owned();
            output.show(&json!({ "checkpoint": note }), || note.clone())
        }
        Action::Prove(Prove { index, size, term }) => {
            let term = term.map(|term| format!("&term={term}")).unwrap_or_default();
            let proof: Proof =
                client.get(&format!("/v1/ledger/proof?index={index}&size={size}{term}"))?;
            output.show(&proof, || proof.hashes.join("\n"))
        }
    }
}
