//! `reeve schema`: the schema of the running node, or the check of a file.

use std::path::PathBuf;

use reeve_crdt::schema::Schema;
use serde_json::json;

use super::asking::Node;
use super::files::read_text;
use super::{CommandError, Global, Output};
use crate::api::TOML;

/// Which schema.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve schema\n  reeve schema --check schema.toml")]
pub struct Arguments {
    /// Check a schema file instead; needs no node
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    #[command(flatten)]
    node: Node,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    if let Some(path) = &arguments.check {
        let schema = Schema::parse(&path.to_string_lossy(), &read_text(path)?)
            .map_err(|problems| CommandError::Findings(problems.to_string()))?;
        return show(output, &schema, || {
            format!("{}: {} kinds, no mistakes", path.display(), schema.kinds().count())
        });
    }
    let text = arguments.node.client(global)?.bytes("/v1/schema", TOML)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let schema = Schema::parse("the node's schema", &text)
        .map_err(|problems| CommandError::Mistakes(problems.to_string()))?;
    show(output, &schema, || text)
}

fn show(
    output: &Output,
    schema: &Schema,
    human: impl FnOnce() -> String,
) -> Result<(), CommandError> {
    let kinds: Vec<_> = schema
        .kinds()
        .map(|kind| {
            let fields: serde_json::Map<_, _> = kind
                .fields
                .values()
                .map(|field| {
                    (
                        field.id.to_string(),
                        json!({
                            "type": field.field_type.name(),
                            "required": field.required,
                        }),
                    )
                })
                .collect();
            json!({ "kind": kind.id.as_str(), "personal": kind.is_personal(), "fields": fields })
        })
        .collect();
    let document = json!({
        "name": schema.name(),
        "version": schema.version(),
        "digest": schema.hash().to_string(),
        "kinds": kinds,
    });
    output.show(&document, human)
}
