//! `reeve verify`: whether the store of a stopped node is whole.

use std::path::PathBuf;

use reeve_protocol::rows;
use reeve_statement::cert::RootList;
use reeve_statement::ledger::Frontier;
use serde::Serialize;

use super::identity::failed;
use super::layout::{left, width};
use super::texts::{Locale, Text};
use super::{CommandError, Global, Output, Style, plain};
use crate::backup::{Unsound, ledgers};
use crate::house::House;
use crate::runtime::store_config;
use crate::store::{KeyName, OpenReport, Scratch, Store, StoreError};

/// The folder of the copy, in the node's folder or in the one that is given.
const COPY: &str = "verify.copy";

/// How to verify.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For a stopped node. The store is copied, and the copy is opened and read whole; the store itself is not
written to. The copy needs as much room as the store, is readable by you only, and is removed again.

Checked are: the engine's own structures, the checksum of every row, the anchor (no row is missing,
left over or stale), the head file (no acknowledged commit is lost), and the ledger (every statement
that was sent is there and verifies, and together they give the tree head).

Exit code 5: something is damaged. What is found, and what to do, is printed. The steps are in
docs/operate.md, A damaged store. An older copy of a whole folder is sound as it stands: the superior
notices it, and the node signs nothing until the newest is back.

Examples:
  reeve --home /var/lib/reeve verify
  reeve verify --scratch /mnt/spare --json")]
pub struct Arguments {
    /// Copy into this folder, which must be as private as the store; else into the node's folder
    #[arg(long, value_name = "FOLDER")]
    scratch: Option<PathBuf>,
}

/// What was found.
#[derive(Debug, Default, Serialize)]
struct Report {
    sound: bool,
    engine: &'static str,
    /// The last commit.
    commit: Option<u64>,
    closed_in_good_order: Option<bool>,
    rows: Option<u64>,
    bytes: Option<u64>,
    ledger_entries: Option<u64>,
    ledger_root: Option<String>,
    /// Ledgers of earlier reporting terms, whole too.
    earlier_ledgers: usize,
    damage: Vec<Damage>,
}

/// One thing that is damaged.
#[derive(Debug, Serialize)]
struct Damage {
    what: String,
    #[serde(serialize_with = "in_english")]
    next: Text,
}

/// What to do when the store as a whole, or what was said, is damaged.
const RESTORE: Text = Text::VerifyRestore;

/// What to do when records are damaged, of which another node of the home has the same.
const RECORDS: Text = Text::VerifyRecords;

/// What to do when the store is older than what this machine remembers of it.
const OLDER: Text = Text::VerifyOlder;

/// What to do when another program, or another engine, wrote the store.
const OTHER: Text = Text::VerifyOther;

/// What to do when the system is at fault and not the store.
const SYSTEM: Text = Text::VerifySystem;

/// In a document, what to do is told in English.
fn in_english<S: serde::Serializer>(next: &Text, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(Locale::english().say(*next))
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let house = House::open(&global.home).map_err(failed)?;
    let config = store_config(&house);
    if !config.folder.exists() {
        return Err(CommandError::Failed(format!(
            "{} is not there: this node never ran; start it with `reeve run`",
            config.folder.display()
        )));
    }
    let place = arguments.scratch.as_ref().unwrap_or(&global.home).join(COPY);
    if place.exists() {
        return Err(CommandError::Failed(format!(
            "{} is there: another `reeve verify` is at work, or was killed; delete it then",
            place.display()
        )));
    }
    let scratch = Scratch::copy(&config, &place).map_err(|error| match error {
        StoreError::DiskFull { .. } => CommandError::Failed(format!(
            "there is no room for a copy of the store at {}; make some, or use --scratch",
            place.display()
        )),
        StoreError::Locked { .. } => CommandError::Failed(
            "the node runs, and its store changes: stop it first, then verify".to_owned(),
        ),
        error => CommandError::Failed(format!("the store was not verified: {error}")),
    })?;
    let roots = house.identity().map_err(failed)?.roots.clone();
    let mut report = Report { engine: config.engine.name(), ..Report::default() };
    match scratch.open() {
        Ok((store, opened)) => report.read(store, &opened, &roots),
        Err(error) => report.store_error(&error),
    }
    report.sound = report.damage.is_empty();
    let locale = output.locale();
    output.show(&report, || report.describe(locale))?;
    match report.damage.len() {
        0 => Ok(()),
        found => {
            let told = locale.fill(Text::VerifyFound, &[&found.to_string()]);
            Err(CommandError::Findings(told))
        }
    }
}

impl Report {
    fn read(&mut self, mut store: Store, opened: &OpenReport, roots: &RootList) {
        if opened.created {
            let what = "the store's folder holds no store".to_owned();
            return self.damage.push(Damage { what, next: RESTORE });
        }
        self.commit = Some(opened.sequence);
        self.closed_in_good_order = Some(opened.clean);
        if opened.head_missing {
            let what = "the head file is missing or cannot be read: a loss of the newest commits \
                        could not be noticed"
                .to_owned();
            self.damage.push(Damage { what, next: Text::VerifyHead });
        }
        let verified = store.verify();
        if let Err(error) = &verified {
            self.store_error(error);
        }
        // Where the whole is not what was committed, the rows that are can still be told.
        if let Ok(found) = verified.or_else(|_| store.survey()) {
            (self.rows, self.bytes) = (Some(found.rows), Some(found.bytes));
            self.damaged_rows(found.damaged, &found.damaged_keys);
        }
        match ledgers(&store, roots) {
            Ok(ledgers) => {
                let newest = ledgers.last().copied();
                let (_, size, root) = newest.unwrap_or((0, 0, Frontier::new().root()));
                self.ledger_entries = Some(size);
                self.ledger_root = Some(root.to_string());
                self.earlier_ledgers = ledgers.len().saturating_sub(1);
            }
            Err(Unsound::Ledger(fault)) => {
                self.damage.push(Damage { what: fault.to_string(), next: RESTORE });
            }
            Err(Unsound::Store(error)) => {
                let what = format!("the ledger cannot be read: {error}");
                self.damage.push(Damage { what, next: RESTORE });
            }
        }
    }

    fn store_error(&mut self, error: &StoreError) {
        let next = match error {
            StoreError::Io { .. } | StoreError::DiskFull { .. } => SYSTEM,
            StoreError::RolledBack { .. } | StoreError::ForeignHead => OLDER,
            StoreError::NewerFormat { .. } | StoreError::OtherEngine { .. } => OTHER,
            _ => RESTORE,
        };
        self.damage.push(Damage { what: error.to_string(), next });
    }

    fn damaged_rows(&mut self, damaged: u64, keys: &[KeyName]) {
        for key in keys {
            let of_records = [rows::CHANGE, rows::SNAPSHOT, rows::SHARD, rows::LOG, rows::PAGE];
            let records = of_records.iter().any(|prefix| key.as_bytes().starts_with(prefix));
            let what = format!("row {key} is not as it was written");
            self.damage.push(Damage { what, next: if records { RECORDS } else { RESTORE } });
        }
        let named = u64::try_from(keys.len()).unwrap_or(u64::MAX);
        if let Some(more) = damaged.checked_sub(named).filter(|more| *more > 0) {
            let what = format!("{more} more rows are not as they were written");
            self.damage.push(Damage { what, next: RESTORE });
        }
    }

    fn describe(&self, locale: &Locale) -> String {
        let mut lines: Vec<(Text, String)> = Vec::new();
        let unknown = || locale.say(Text::VerifyUnknown).to_owned();
        let or_not = |number: Option<u64>| number.map_or_else(unknown, |n| n.to_string());
        let commit = locale.fill(Text::VerifyCommit, &[self.engine, &or_not(self.commit)]);
        let store = match self.closed_in_good_order {
            Some(true) => locale.fill(Text::VerifyClosed, &[&commit]),
            Some(false) => locale.fill(Text::VerifyNotClosed, &[&commit]),
            None => commit,
        };
        lines.push((Text::VerifyStore, store));
        let (rows, bytes) = (or_not(self.rows), or_not(self.bytes));
        lines.push((Text::VerifyRows, locale.fill(Text::VerifyAsWritten, &[&rows, &bytes])));
        let ledger = match (self.ledger_entries, &self.ledger_root) {
            (Some(size), Some(root)) => {
                let newest = locale.fill(Text::VerifyEntries, &[&size.to_string(), root]);
                match self.earlier_ledgers {
                    0 => newest,
                    past => locale.fill(Text::VerifyEarlier, &[&newest, &past.to_string()]),
                }
            }
            _ => locale.say(Text::VerifyNotWhole).to_owned(),
        };
        lines.push((Text::VerifyLedger, ledger));
        for damage in &self.damage {
            lines.push((Text::VerifyDamage, Style::Bad.of(&plain(&damage.what))));
        }
        let mut told = Vec::new();
        for next in self.damage.iter().map(|damage| damage.next) {
            if !told.contains(&next) {
                told.push(next);
                lines.push((Text::VerifyToDo, locale.say(next).to_owned()));
            }
        }
        let labels = lines.iter().map(|(label, _)| width(locale.say(*label))).max().unwrap_or(0);
        let labels = labels.saturating_add(2);
        let mut text: String = lines
            .iter()
            .map(|(label, value)| format!("{}{value}\n", left(locale.say(*label), labels)))
            .collect();
        if self.sound {
            let newest = locale.say(Text::VerifyNewest);
            text.push_str(&format!("{}\n{newest}", locale.say(Text::VerifySound)));
        }
        text
    }
}
