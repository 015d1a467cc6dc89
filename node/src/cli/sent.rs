//! `reeve sent`: everything that left the house.

use super::asking::Node;
use super::{CommandError, Global, Output, table};
use crate::api::SentEntry;

/// Which part.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every statement that this house issued: what, for whom, when, under which decision, in the order of
the ledger.

Examples:
  reeve sent
  reeve sent --from 1000 --limit 500 --json
  reeve sent --save 5f0c... > statement.cose")]
pub struct Arguments {
    /// Begin at this place of the ledger
    #[arg(long, default_value_t = 0, value_name = "INDEX")]
    from: u64,
    /// Most entries
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Print the signed bytes of one statement instead
    #[arg(long, value_name = "DIGEST", conflicts_with_all = ["from", "limit", "json"])]
    save: Option<String>,
    #[command(flatten)]
    node: Node,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let client = arguments.node.client(global)?;
    if let Some(digest) = &arguments.save {
        let path = format!("/v1/statements/{}", crate::client::escaped(digest));
        return output.raw(&client.bytes(&path, "application/cose")?);
    }
    let path = format!("/v1/sent?from={}&limit={}", arguments.from, arguments.limit);
    let entries: Vec<SentEntry> = client.get(&path)?;
    output.show(&entries, || describe(&entries))
}

fn describe(entries: &[SentEntry]) -> String {
    if entries.is_empty() {
        return "Nothing has left the house.".to_owned();
    }
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|entry| {
            let figure = entry.figure.clone().unwrap_or_else(|| "-".to_owned());
            let decided = entry.determining.join(", ");
            vec![
                entry.index.to_string(),
                entry.issued_at.clone(),
                entry.kind.clone(),
                figure,
                if entry.edition == 0 { "-".to_owned() } else { entry.edition.to_string() },
                entry.audience.clone(),
                entry.bytes.to_string(),
                if decided.is_empty() { "-".to_owned() } else { decided },
                entry.statement.chars().take(12).collect(),
            ]
        })
        .collect();
    let headings =
        ["index", "issued at", "kind", "figure", "edition", "for", "bytes", "decided by", "digest"];
    table(&headings, &[0, 4, 6], &rows)
}
