//! `reeve record`: single records, for whoever may see and write them.

use std::io::Read as _;

use reeve_statement::release::RevisionReason;
use serde_json::{Map, Value};

use super::asking::Node;
use super::texts::Text;
use super::{CommandError, Global, Output, plain, table};
use crate::api::{Closing, MAX_REQUEST_BYTES, RecordView, Records, Written};
use crate::client::{Client, escaped};

/// What to do with records.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
These need a writer's token for the kind: the operator's may not read records (see --token-file).

Examples:
  reeve record show case 4711 --token-file writer.token
  reeve record put case 4711 --fields '{\"reported_on\": \"2020-03-01\", \"status\": \"confirmed\"}'
  reeve record set facility H1 --fields '{\"beds\": 120}'
  reeve record close case 2020-03-01 --source health-office")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    node: Node,
}

/// The actions.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Show one record
    Show(Which),
    /// List the records of one shard of a kind
    List(List),
    /// Insert or replace one record
    Put(Write),
    /// Set fields of one record of a kind that merges by field; null unsets
    Set(Write),
    /// Delete one record
    Delete(Which),
    /// Say that a source is complete for periods of a kind: a nil report if nothing is there
    Close(Close),
}

/// Which record.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// Its kind
    kind: String,
    /// Its id
    id: String,
}

/// Which records.
#[derive(Debug, clap::Args)]
pub struct List {
    /// Their kind
    kind: String,
    /// Their shard, from 0
    #[arg(long, default_value_t = 0)]
    shard: u32,
}

/// Which record, and what it says.
#[derive(Debug, clap::Args)]
pub struct Write {
    /// Its kind
    kind: String,
    /// Its id
    id: String,
    /// Its fields as a JSON object; else read from standard input
    #[arg(long, value_name = "JSON")]
    fields: Option<String>,
}

/// Which periods.
#[derive(Debug, clap::Args)]
pub struct Close {
    /// The kind
    kind: String,
    /// The periods
    #[arg(required = true, value_name = "PERIOD")]
    periods: Vec<String>,
    /// In whose name
    #[arg(long)]
    source: String,
    /// Why it says again what was said of them: correction, late_reports, duplicate_removed, reclassified or
    /// definition_changed
    #[arg(long, value_parser = reason)]
    reason: Option<RevisionReason>,
}

/// Why something is said again; that it is withdrawn is said by `reeve report withdraw`.
pub(super) fn reason(code: &str) -> Result<RevisionReason, String> {
    let reasons = || {
        let telling = RevisionReason::ALL.into_iter().filter(|reason| reason.is_telling());
        telling.filter(|reason| *reason != RevisionReason::Withdrawn)
    };
    let found = reasons().find(|reason| reason.code() == code);
    found.ok_or_else(|| {
        let known: Vec<&str> = reasons().map(RevisionReason::code).collect();
        format!("expected one of {}", known.join(", "))
    })
}

fn path(kind: &str, id: &str) -> String {
    format!("/v1/records/{}/{}", escaped(kind), escaped(id))
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let client = arguments.node.client(global)?;
    match &arguments.action {
        Action::Show(Which { kind, id }) => {
            let record: RecordView = client.get(&path(kind, id))?;
            output.show(&record, || fields(&record))
        }
        Action::List(List { kind, shard }) => {
            let records: Records =
                client.get(&format!("/v1/records/{}?shard={shard}", escaped(kind)))?;
            output.show(&records, || list(&records))
        }
        Action::Put(write) => sent(output, write.send(&client, "PUT")?),
        Action::Set(write) => sent(output, write.send(&client, "PATCH")?),
        Action::Delete(Which { kind, id }) => sent(output, client.delete(&path(kind, id))?),
        Action::Close(Close { kind, periods, source, reason }) => {
            let closing = Closing {
                kind: Some(kind.clone()),
                source: source.clone(),
                closes: periods.clone(),
                reason: reason.map(|reason| reason.code().to_owned()),
            };
            let written: Written = client.send("POST", "/v1/close", &closing)?;
            output.show(&written, || {
                let periods = plain(&periods.join(", "));
                output.locale().fill(Text::ReportClosed, &[&plain(source), &periods])
            })
        }
    }
}

impl Write {
    fn send(&self, client: &Client, method: &str) -> Result<Written, CommandError> {
        let text = match &self.fields {
            Some(text) => text.clone(),
            None => {
                let mut text = String::new();
                let limit = u64::try_from(MAX_REQUEST_BYTES).unwrap_or(u64::MAX);
                let read = std::io::stdin().take(limit).read_to_string(&mut text);
                read.map_err(|error| CommandError::Failed(format!("standard input: {error}")))?;
                text
            }
        };
        let fields: Map<String, Value> = serde_json::from_str(&text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            CommandError::Usage(format!(
                "expected the fields as a JSON object; wrong at line {line}, column {column}"
            ))
        })?;
        Ok(client.send(method, &path(&self.kind, &self.id), &fields)?)
    }
}

fn sent(output: &Output, written: Written) -> Result<(), CommandError> {
    output.show(&written, || told(&written))
}

/// Counts of what was written.
pub(super) fn told(written: &Written) -> String {
    let Written { inserted, changed, deleted, unchanged } = written;
    format!("{inserted} inserted, {changed} changed, {deleted} deleted, {unchanged} unchanged")
}

fn fields(record: &RecordView) -> String {
    let row = |(name, value): (&String, &Value)| vec![name.clone(), text(value)];
    table(&["field", "value"], &[], &record.record.iter().map(row).collect::<Vec<_>>())
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn list(records: &Records) -> String {
    let line = |record: &RecordView| {
        let fields = record.record.iter().map(|(name, value)| format!("{name}={}", text(value)));
        vec![record.id.clone(), fields.collect::<Vec<_>>().join("  ")]
    };
    let rows: Vec<_> = records.records.iter().map(line).collect();
    let shards = plain(&format!("shard {} of {}", records.shard, records.shards));
    format!("{}\n\n{} records, {shards}", table(&["id", "fields"], &[], &rows), rows.len())
}
