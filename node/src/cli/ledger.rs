//! `reeve ledger`: the head of the ledger, and proofs that a statement is in it.

use std::path::PathBuf;

use reeve_audit::EquivocationFile;
use serde_json::json;

use super::asking::Node;
use super::{CommandError, Global, Output, plain, table};
use crate::api::{Cosigned, Proof};

/// What of the ledger.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  reeve ledger head
  reeve ledger cosigned
  reeve ledger prove 41 --size 200
  reeve ledger equivocations -o evidence/")]
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
    /// Print the newest checkpoint that a witness has cosigned (C2SP tlog-cosignature)
    Cosigned,
    /// List subordinates that are proven to keep two ledgers, and write the proofs
    Equivocations(Equivocations),
    /// Print a proof that a statement is in the ledger (RFC 6962)
    Prove(Prove),
}

/// Where to write them.
#[derive(Debug, clap::Args)]
pub struct Equivocations {
    /// The folder for the proofs, one file each; `reeve audit verify FILE` checks one
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
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
        Action::Cosigned => {
            let cosigned: Cosigned = client.get("/v1/ledger/cosigned")?;
            output.show(&cosigned, || cosigned.checkpoint.clone())
        }
        Action::Equivocations(Equivocations { output: folder }) => {
            let proven: Vec<EquivocationFile> = client.get("/v1/ledger/equivocations")?;
            if let Some(folder) = folder {
                for proof in &proven {
                    proof.write(folder).map_err(|reason| CommandError::File {
                        doing: "cannot write into",
                        path: folder.clone(),
                        reason,
                    })?;
                }
            }
            output.show(&proven, || describe(&proven))
        }
        Action::Prove(Prove { index, size, term }) => {
            let term = term.map(|term| format!("&term={term}")).unwrap_or_default();
            let proof: Proof =
                client.get(&format!("/v1/ledger/proof?index={index}&size={size}{term}"))?;
            output.show(&proof, || proof.hashes.join("\n"))
        }
    }
}

fn describe(proven: &[EquivocationFile]) -> String {
    if proven.is_empty() {
        return "no subordinate is proven to keep two ledgers".to_owned();
    }
    let row = |proof: &EquivocationFile| {
        let found = proof.found_at.as_deref().unwrap_or("-");
        vec![plain(&proof.unit), proof.term.to_string(), plain(found)]
    };
    table(&["unit", "term", "found"], &[1], &proven.iter().map(row).collect::<Vec<_>>())
}
