//! `reeve backup`: a whole node in one file, while it runs or not; and checking such a file.

use std::fs;
use std::io::{BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::asking::Node;
use super::identity::{failed, now};
use super::status::size;
use super::{CommandError, Global, Output, Style, plain};
use crate::api::{FOLDER_PROOF, FOLDER_PROOF_FILE};
use crate::backup::{BackupError, Head, Made, Reader, Tail, make};
use crate::client::ClientError;
use crate::house::{Entropy, House};
use crate::runtime::store_config;
use crate::store::{ImageOf, Scratch, StoreError};

/// The folder of the copy of a stopped node's store.
const COPY: &str = "backup.copy";

/// Bytes read from the running node at once.
const BUFFER: usize = 256 * 1024;

/// What to back up, and where to.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With the node running: its store as of the end of the backup, though it is written to meanwhile; run this
where the node's folder is. With the node stopped: its store is copied first, into its folder or
--scratch, and left as it is. FILE is there whole or not at all, for you only, and never overwritten.

In it: every record, figure and statement, the ledger, the configuration, schema, policy, certificates,
revocation lists, what the authority issued, tokens as hashes. The keys only with --keys, as they are in
keys/: the authority's and the root's encrypted, the node's and the writer's NOT. Whoever reads FILE reads
every record: keep it as you keep the node.

Restore it with `reeve restore`. The steps are in docs/operate.md, Backup.

Examples:
  reeve --home /var/lib/reeve backup /mnt/backup/reeve-2026-11-23.backup
  reeve backup /media/safe/reeve.backup --keys
  reeve backup --check /mnt/backup/reeve-2026-11-23.backup --json")]
pub struct Arguments {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only read FILE to its end: whether it is whole, and what is in it
    #[arg(long, conflicts_with_all = ["keys", "scratch"])]
    check: bool,
    /// Put the keys in it, as they are in the folder
    #[arg(long)]
    keys: bool,
    /// Copy the store of a stopped node into this folder; else into the node's folder
    #[arg(long, value_name = "FOLDER")]
    scratch: Option<PathBuf>,
    #[command(flatten)]
    node: Node,
}

/// What is said of a backup.
#[derive(Debug, Serialize)]
pub(super) struct Described {
    format: u8,
    made_at: String,
    program: String,
    unit: String,
    federation: String,
    node: String,
    node_ran: bool,
    keys: bool,
    term: Option<u64>,
    ledger_term: u64,
    ledger_entries: u64,
    rows: Option<u64>,
    commit: u64,
    files: u64,
}

impl Described {
    pub(super) fn of(head: &Head, tail: &Tail) -> Self {
        Self {
            format: crate::backup::FORMAT,
            made_at: head.made_at.to_string(),
            program: head.program.clone(),
            unit: head.unit.clone(),
            federation: head.federation.clone(),
            node: head.node.clone(),
            node_ran: head.running,
            keys: head.keys,
            term: tail.term,
            ledger_term: tail.ledger_term,
            ledger_entries: tail.ledger_size,
            rows: tail.rows,
            commit: tail.commit,
            files: tail.files,
        }
    }

    pub(super) fn text(&self) -> String {
        let store = match self.rows {
            Some(rows) => format!("{rows} rows, as of commit {}", self.commit),
            None => "none: the node never ran".to_owned(),
        };
        let term = self.term.map_or("does not report".to_owned(), |term| format!("term {term}"));
        format!(
            "Unit     {} ({term}), node {}\n\
             Made     {} by reeve {}, format {}\n\
             Store    {store}\n\
             Ledger   {} entries in term {}\n\
             Files    {}\n\
             Keys     {}",
            plain(&self.unit),
            plain(&self.node),
            plain(&self.made_at),
            plain(&self.program),
            self.format,
            self.ledger_entries,
            self.ledger_term,
            self.files,
            if self.keys {
                Style::Doubtful.of("in it; the node's and the writer's are not encrypted")
            } else {
                "not in it".to_owned()
            },
        )
    }
}

#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    backup: Described,
    bytes: u64,
    kept: Vec<String>,
    not_in_it: Vec<String>,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    if arguments.check {
        let (head, tail) = Reader::open(&arguments.file)
            .and_then(Reader::check)
            .map_err(|error| CommandError::Findings(error.to_string()))?;
        let described = Described::of(&head, &tail);
        return output.show(&described, || {
            format!("{}\nThe file is whole: its SHA-256 is right.", described.text())
        });
    }
    let house = House::open(&global.home).map_err(failed)?;
    if arguments.file.exists() {
        return Err(failed(BackupError::Exists { path: arguments.file.clone() }));
    }
    let made = match running(arguments, global, &house)? {
        Some(made) => made,
        None => stopped(arguments, global, &house)?,
    };
    tell(arguments, &made, output)
}

/// Of the running node; none: it does not run.
fn running(
    arguments: &Arguments,
    global: &Global,
    house: &House,
) -> Result<Option<Made>, CommandError> {
    let client = match arguments.node.client(global) {
        Ok(client) => client,
        // It never ran.
        Err(CommandError::Client(ClientError::Token(_))) => return Ok(None),
        Err(error) => return Err(error),
    };
    let proof = Proof::write(&global.home)?;
    let image = match client.stream("/v1/image", (FOLDER_PROOF, &proof.text)) {
        Ok(image) => image,
        Err(ClientError::Unreachable { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut image = BufReader::with_capacity(BUFFER, image);
    let head = Head::of(house, now(), true, arguments.keys);
    make(house, &arguments.file, Some(&mut image), head).map(Some).map_err(failed)
}

/// Of a stopped node's folder.
fn stopped(arguments: &Arguments, global: &Global, house: &House) -> Result<Made, CommandError> {
    let config = store_config(house);
    let head = Head::of(house, now(), false, arguments.keys);
    if !config.folder.exists() {
        return make(house, &arguments.file, None, head).map_err(failed);
    }
    let place = arguments.scratch.as_ref().unwrap_or(&global.home).join(COPY);
    if place.exists() {
        return Err(CommandError::Failed(format!(
            "{} is there: another `reeve backup` is at work, or was killed; delete it then",
            place.display()
        )));
    }
    let scratch = Scratch::copy(&config, &place).map_err(|error| {
        match error {
        StoreError::DiskFull { .. } => CommandError::Failed(format!(
            "there is no room for a copy of the store at {}; make some, or use --scratch",
            place.display()
        )),
        StoreError::Locked { .. } => CommandError::Failed(
            "the node runs, but its local API was not reached; name it with --api, or stop the node"
                .to_owned(),
        ),
        error => CommandError::Failed(format!("the store was not copied: {error}")),
    }
    })?;
    let (mut store, _) = scratch.open().map_err(failed)?;
    // What is damaged is no backup of anything.
    let found = store.verify().map_err(failed)?;
    if found.damaged > 0 {
        return Err(CommandError::Findings(format!(
            "the store is damaged ({} rows); `reeve verify` says more, and docs/operate.md what to do",
            found.damaged
        )));
    }
    let mut image = BufReader::with_capacity(BUFFER, ImageOf::new(store));
    make(house, &arguments.file, Some(&mut image), head).map_err(failed)
}

/// A text in the node's folder that shows the node who asks for its image. It goes when this is dropped.
struct Proof {
    path: PathBuf,
    text: String,
}

impl Proof {
    fn write(folder: &Path) -> Result<Self, CommandError> {
        let text = hex::encode(Entropy::system().draw().map_err(failed)?.as_slice());
        let path = folder.join(FOLDER_PROOF_FILE);
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|reason| CommandError::File {
            doing: "cannot write",
            path: path.clone(),
            reason,
        })?;
        Ok(Self { path, text })
    }
}

impl Drop for Proof {
    fn drop(&mut self) {
        // What stays proves nothing: the next one is another text.
        let _ = fs::remove_file(&self.path);
    }
}

fn tell(arguments: &Arguments, made: &Made, output: &Output) -> Result<(), CommandError> {
    let mut not_in_it: Vec<String> =
        made.elsewhere.iter().map(|path| path.display().to_string()).collect();
    if !made.head.keys {
        not_in_it
            .push("keys/ (without them nothing is restored: copy them, or use --keys)".to_owned());
    }
    not_in_it.push("operator.token (made anew)".to_owned());
    let report = Report {
        backup: Described::of(&made.head, &made.tail),
        bytes: made.bytes,
        kept: made.files.clone(),
        not_in_it,
    };
    output.show(&report, || {
        format!(
            "{}\nNot in it  {}\n\n\
             {} is written ({}). Whoever reads it reads every record.",
            report.backup.text(),
            plain(&report.not_in_it.join(", ")),
            arguments.file.display(),
            size(report.bytes),
        )
    })
}
