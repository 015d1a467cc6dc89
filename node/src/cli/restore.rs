//! `reeve restore`: a node's folder from a backup.

use std::path::PathBuf;

use serde::Serialize;

use super::backup::Described;
use super::identity::{PassphraseArguments, failed, now};
use super::{CommandError, Global, Output, Style};
use crate::backup::{Unfinished, restore};
use crate::house::{Clerk, Entropy, House};

/// What to restore.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Into the folder of --home, which must be empty or not there. FILE is read to its end first; then the
folder is there whole or not at all.

What was done after the backup is not in it, so nothing is done a second time: the node's writer goes on
as another actor, and no figure is signed in the term of the backup or an earlier one. The next term is
begun here, which needs the authority key and its passphrase; with --later, or on a node without that
key, `reeve status` says STOPPED until `reeve certificate renew --new-term`. Once it runs, the node hears
from its superior what that holds, fetches the records that the other nodes of its home have, and only
then signs. Records that came after the backup and that no other node has must be imported again.

Never restore a node whose newest store still exists, and never run both.

Examples:
  reeve --home /var/lib/reeve restore /mnt/backup/reeve-2026-11-23.backup --keys /media/safe/keys
  reeve --home /var/lib/reeve restore reeve.backup --later")]
pub struct Arguments {
    /// The backup
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Take the keys from this folder: a copy of keys/ of the node's folder
    #[arg(long, value_name = "FOLDER")]
    keys: Option<PathBuf>,
    /// Begin no term now
    #[arg(long)]
    later: bool,
    #[command(flatten)]
    passphrase: PassphraseArguments,
}

#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    backup: Described,
    folder: String,
    keys_restored: Vec<String>,
    /// The term with which it reports on; none: none was begun.
    new_term: Option<u64>,
    /// What is to be done before it runs, or before it signs.
    next: Vec<String>,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let restored = restore(&arguments.file, &global.home, arguments.keys.as_deref(), now());
    let restored = restored.map_err(failed)?;
    let reports = restored.from.is_some() && restored.tail.term.is_some();
    let mut next = Vec::new();
    let mut new_term = None;
    if restored.keys.is_empty() {
        next.push("put the node's keys into keys/, readable by its user only".to_owned());
    }
    if reports {
        new_term = begin_term(arguments, &restored)?;
        if new_term.is_none() {
            next.push(
                "begin the next term with `reeve certificate renew --new-term`, where the authority key \
                 is; no figure is signed until then"
                    .to_owned(),
            );
        }
    }
    next.push("look at addresses in reeve.toml if this is another machine".to_owned());
    next.push("start it with `reeve run`, and look at `reeve status`".to_owned());
    let report = Report {
        backup: Described::of(&restored.head, &restored.tail),
        folder: global.home.display().to_string(),
        keys_restored: restored.keys.clone(),
        new_term,
        next,
    };
    restored.finish().map_err(failed)?;
    output.show(&report, || describe(&report))
}

/// Appoints the node for the term that follows, if its folder holds the authority key.
fn begin_term(arguments: &Arguments, restored: &Unfinished) -> Result<Option<u64>, CommandError> {
    if arguments.later || restored.keys.is_empty() {
        return Ok(None);
    }
    let mut house = House::open(restored.place()).map_err(failed)?;
    let Some(from) = restored.from.as_ref().filter(|_| house.has_authority_key()) else {
        return Ok(None);
    };
    let passphrase = arguments.passphrase.read().map_err(|error| {
        CommandError::Failed(format!("{error}; or begin the term later, with --later"))
    })?;
    let authority = house.authority(&passphrase).map_err(failed)?;
    let mut entropy = Entropy::system();
    let mut clerk = Clerk::new(now(), &mut entropy);
    let term = from.term.saturating_add(1);
    house.appoint(&authority, term, &mut clerk).map_err(failed)?;
    Ok(Some(term))
}

fn describe(report: &Report) -> String {
    let term = match report.new_term {
        Some(term) => format!("It reports on in term {term}."),
        None => Style::Doubtful.of("No new term was begun."),
    };
    let next: String = report.next.iter().map(|step| format!("\n  - {step}")).collect();
    format!(
        "{}\n\n{} is restored. {term} What came after the backup is not in it: units and \
         nodes that joined since must be admitted again.\nNext:{next}",
        report.backup.text(),
        report.folder,
    )
}
