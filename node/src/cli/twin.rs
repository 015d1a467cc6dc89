//! `reeve twin`: removing records for good, because they are too old or because a person may ask for it.

use std::io::Read as _;

use jiff::civil::Date;

use super::asking::Node;
use super::policy::waits;
use super::texts::{Locale, Text};
use super::{CommandError, Global, Output};
use crate::api::{EraseOrder, ExpireOrder, Removed, RemovedOfKind};

/// Longest id that is read from standard input, in bytes, with the end of its line.
const ID_BYTES: u64 = 256;

/// What to remove.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Removed records are gone for good, from every node of the home: the ones that are away remove them before they
exchange records again. Figures of periods before the sealed day stand as they are, and what comes late for that
time is refused. It is done at the node that reports; --dry-run only counts. Where two persons decide
([policy] two_persons), it waits until a second one, with another token, orders the same.

Examples:
  reeve twin expire --dry-run
  reeve twin expire --kind case --before 2024-01-01
  reeve twin erase case 4711")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    node: Node,
}

/// The actions.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Remove the records that are older than their kind's retention, or than a day
    Expire(Expire),
    /// Remove one record
    Erase(Erase),
}

/// Which records are too old.
#[derive(Debug, clap::Args)]
pub struct Expire {
    /// The kind; else every kind that has a retention in the schema
    #[arg(long)]
    kind: Option<String>,
    /// Remove records whose days all lie before this one; else as the kind's retention says
    #[arg(long, value_name = "DATE")]
    before: Option<Date>,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
}

/// Which record.
#[derive(Debug, clap::Args)]
pub struct Erase {
    /// Its kind
    kind: String,
    /// Its id; `-`: read from standard input, so that no history of commands names it
    id: String,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let client = arguments.node.client(global)?;
    let removed: Removed = match &arguments.action {
        Action::Expire(Expire { kind, before, dry_run }) => {
            let before = before.map(|day| day.to_string());
            let order = ExpireOrder { kind: kind.clone(), before, dry_run: *dry_run };
            client.send("POST", "/v1/twin/expire", &order)?
        }
        Action::Erase(Erase { kind, id }) => {
            let order = EraseOrder { kind: kind.clone(), id: id_of(id)? };
            client.send("POST", "/v1/twin/erase", &order)?
        }
    };
    output.show(&removed, || told(&removed, &arguments.action, output.locale()))
}

fn id_of(id: &str) -> Result<String, CommandError> {
    if id != "-" {
        return Ok(id.to_owned());
    }
    let mut text = String::new();
    let read = std::io::stdin().take(ID_BYTES).read_to_string(&mut text);
    read.map_err(|error| CommandError::Failed(format!("standard input: {error}")))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn told(removed: &Removed, action: &Action, locale: &Locale) -> String {
    let mut lines: Vec<String> =
        removed.kinds.iter().map(|kind| line(kind, removed.dry_run, locale)).collect();
    if let Some(until) = &removed.waits_until {
        // Whose record it is, the second person hears from the first.
        let command = match action {
            Action::Erase(erase) => format!("reeve twin erase {} ID", erase.kind),
            Action::Expire(Expire { kind, before, .. }) => {
                let kind = kind.as_ref().map(|kind| format!(" --kind {kind}"));
                let before = before.map(|day| format!(" --before {day}"));
                let options = [kind, before].into_iter().flatten().collect::<String>();
                format!("reeve twin expire{options}")
            }
        };
        lines.push(waits(until, &command, locale));
    }
    lines.join("\n")
}

fn line(found: &RemovedOfKind, dry_run: bool, locale: &Locale) -> String {
    let RemovedOfKind { kind, before, records, kept, .. } = found;
    let Some(before) = before else { return locale.fill(Text::TwinErased, &[kind]) };
    let text = if dry_run { Text::TwinWould } else { Text::TwinRemoved };
    locale.fill(text, &[kind, &records.to_string(), before, &kept.to_string()])
}
