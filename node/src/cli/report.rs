//! `reeve report`: that there is nothing to report; and reports by file, for a site without a line.

use std::fs::{self, File};
use std::io::{BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use reeve_statement::period::Period;
use reeve_statement::release::RevisionReason;
use serde::Serialize;

use super::asking::Node;
use super::texts::{Locale, Text};
use super::{CommandError, Global, Output, Style, plain, table};
use crate::api::{CBOR, Closing, Due, LetterPage, LetterTaken, MAX_LETTER_BYTES, Written};
use crate::client::{Client, escaped};

/// What a file of letters begins with; the last byte is its format.
const MAGIC: &[u8; 8] = b"reevelt\x01";

/// In place of a letter's length: there are no more.
const END: u32 = u32::MAX;

/// How often it is looked whether figures that changed are cut.
const LOOK: Duration = Duration::from_millis(100);

/// Looks before letters are written as things are: figures of a busy source never rest.
const LOOKS: u32 = 50;

/// What to do with reports.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  reeve report nil case 2020-03-01 --source health-office --token-file writer.token
  reeve report export --to it /media/stick/up.letters
  reeve report import /media/stick/down.letters")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

/// The actions.
#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Say that there is nothing to report of a kind for periods: zero, and not silence
    Nil(Nil),
    /// Say that a feed is alive, and that everything up to now has come: its heartbeat
    Alive(Alive),
    /// Take back what a source said of periods: it does not stand any more
    Withdraw(Withdraw),
    /// Write what would be told to a unit into a file
    Export(Export),
    /// Take a file that another unit's node wrote
    Import(Import),
}

/// Of what there is nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Zero needs a report: a period of which nobody speaks is `no report` at every superior. This says, in the
name of a source, that the period is complete and that it brings no records of the kind. It needs a
writer's token for the kind. What other sources have written of the period stands.

Example:
  reeve report nil case 2020-03-01 2020-03-02 --source health-office --token-file writer.token")]
struct Nil {
    /// The kind, such as case
    kind: String,
    /// The periods: 2020-03-01, 2020-W10, 2020-03 or now
    #[arg(required = true, value_name = "PERIOD")]
    periods: Vec<String>,
    /// In whose name: a department, a feed, a contributor
    #[arg(long)]
    source: String,
    #[command(flatten)]
    node: Node,
}

/// Which feed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For feeds that `reeve.toml` declares with `silent_after`, such as

  [source.laboratory]
  kinds = [\"case\"]
  from = \"2026-01-01\"
  silent_after = \"2h\"

A heartbeat closes every day of the feed that has ended. A feed that says nothing for longer than
`silent_after` is silent: figures of the present count it as a source that has not reported, and days that
end meanwhile stay open. Each heartbeat is a change that is kept: one an hour is plenty. It needs a
writer's token for the kind.

Example:
  reeve report alive case --source laboratory --token-file writer.token")]
struct Alive {
    /// The kind, such as case
    kind: String,
    /// The feed
    #[arg(long)]
    source: String,
    #[command(flatten)]
    node: Node,
}

/// What is taken back.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The periods are open again, as if the source had not reported them, and its unit's figure is `withdrawn`
at every superior unless another source stands by it. Records stay: delete or import them as need be, and
close the periods again, by an import or with `reeve record close --reason correction`.

Example:
  reeve report withdraw case 2020-03-01 --source health-office --token-file writer.token")]
struct Withdraw {
    /// The kind, such as case
    kind: String,
    /// The periods, as they were closed
    #[arg(required = true, value_name = "PERIOD")]
    periods: Vec<String>,
    /// In whose name
    #[arg(long)]
    source: String,
    #[command(flatten)]
    node: Node,
}

/// To whom.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For a site without a line: the file is carried to the other unit, and its `reeve report import` takes it
as if it had come over a connection. To the superior go the figures and notices that it is not known to
have, with their tables, and the ledger's head. To a subordinate go the catalogue, revocation lists, a
renewed certificate of its authority, the request for its figures, and what is held of it: its receipt.

Every letter in the file is signed, names the unit that it is for, and may be carried openly: it holds
what leaves the house anyway, protected as always. Files may be taken twice, late, or in any order. What
was exported counts as told only once the superior's own file says so: until then it is exported again.

Examples:
  reeve report export --to it /media/stick/016-to-it.letters
  reeve report export --to it/016 /media/stick/it-to-016.letters")]
struct Export {
    /// The superior of this node's unit, or one of its subordinates, such as it/016
    #[arg(long, value_name = "UNIT")]
    to: String,
    /// The file; one that is there is replaced
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    node: Node,
}

/// From which file.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The running node judges every letter in the file as it would over a connection: signature, certificates,
revocation, unit, term, edition, audience. Taking a file twice changes nothing.

Exit code 5: something in it was refused; each reason is told, and docs/formats.md lists them.

Example:
  reeve report import /media/stick/016-to-it.letters")]
struct Import {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    node: Node,
}

#[derive(Debug, Serialize)]
struct Exported {
    to: String,
    letters: u64,
    bytes: u64,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    match &arguments.action {
        Action::Nil(nil) => nil.run(global, output),
        Action::Alive(alive) => alive.run(global, output),
        Action::Withdraw(withdraw) => withdraw.run(global, output),
        Action::Export(export) => export.run(global, output),
        Action::Import(import) => import.run(global, output),
    }
}

/// Says something of periods of a kind in the name of a source.
fn close(
    client: &Client,
    kind: &str,
    source: &str,
    periods: &[String],
    reason: Option<RevisionReason>,
) -> Result<Written, CommandError> {
    let closing = Closing {
        kind: Some(kind.to_owned()),
        source: source.to_owned(),
        closes: periods.to_vec(),
        reason: reason.map(|reason| reason.code().to_owned()),
    };
    Ok(client.send("POST", "/v1/close", &closing)?)
}

impl Nil {
    fn run(&self, global: &Global, output: &Output) -> Result<(), CommandError> {
        let Self { kind, periods, source, node } = self;
        let written = close(&node.client(global)?, kind, source, periods, None)?;
        output.show(&written, || {
            let periods = plain(&periods.join(", "));
            output.locale().fill(Text::ReportNil, &[&plain(source), &plain(kind), &periods])
        })
    }
}

impl Alive {
    fn run(&self, global: &Global, output: &Output) -> Result<(), CommandError> {
        let Self { kind, source, node } = self;
        let now = [Period::Now.to_string()];
        let written = close(&node.client(global)?, kind, source, &now, None)?;
        output.show(&written, || {
            output.locale().fill(Text::ReportAlive, &[&plain(source), &plain(kind)])
        })
    }
}

impl Withdraw {
    fn run(&self, global: &Global, output: &Output) -> Result<(), CommandError> {
        let Self { kind, periods, source, node } = self;
        let reason = Some(RevisionReason::Withdrawn);
        let written = close(&node.client(global)?, kind, source, periods, reason)?;
        output.show(&written, || {
            let periods = plain(&periods.join(", "));
            output.locale().fill(Text::ReportWithdraw, &[&plain(source), &plain(kind), &periods])
        })
    }
}

impl Export {
    fn run(&self, global: &Global, output: &Output) -> Result<(), CommandError> {
        let client = self.node.client(global)?;
        freshen(&client)?;
        let mut name = self.file.as_os_str().to_owned();
        name.push(".unfinished");
        let unfinished = PathBuf::from(name);
        let written = self.write(&client, &unfinished).and_then(|exported| {
            fs::rename(&unfinished, &self.file).map_err(failed("cannot rename", &unfinished))?;
            Ok(exported)
        });
        if written.is_err() {
            // What went wrong is told; what is left can be deleted.
            let _ = fs::remove_file(&unfinished);
        }
        let exported = written?;
        output.show(&exported, || {
            let places = [
                exported.letters.to_string(),
                plain(&exported.to),
                self.file.display().to_string(),
                exported.bytes.to_string(),
            ];
            let places: Vec<&str> = places.iter().map(String::as_str).collect();
            output.locale().fill(Text::ReportExported, &places)
        })
    }

    fn write(&self, client: &Client, path: &Path) -> Result<Exported, CommandError> {
        let writing = failed("cannot write", path);
        let mut file = File::create(path).map_err(&writing)?;
        file.write_all(MAGIC).map_err(&writing)?;
        let (mut letters, mut after) = (0_u64, String::new());
        loop {
            let path = format!("/v1/letters?to={}{after}", escaped(&self.to));
            let bytes = client.bytes(&path, CBOR)?;
            let page: LetterPage = reeve_statement::cbor::from_slice("letter", &bytes, bytes.len())
                .map_err(|error| {
                    CommandError::Failed(format!("the node's answer makes no sense: {error}"))
                })?;
            let length = u32::try_from(page.letter.len()).unwrap_or(END);
            file.write_all(&length.to_be_bytes()).map_err(&writing)?;
            file.write_all(&page.letter).map_err(&writing)?;
            letters = letters.saturating_add(1);
            match page.next {
                Some(next) => after = format!("&after={}", hex::encode(next)),
                None => break,
            }
        }
        file.write_all(&END.to_be_bytes()).map_err(&writing)?;
        file.sync_all().map_err(&writing)?;
        let bytes = file.metadata().map_err(&writing)?.len();
        Ok(Exported { to: self.to.clone(), letters, bytes })
    }
}

/// Waits until what changed since it was cut last is cut anew, for a bounded time.
fn freshen(client: &Client) -> Result<(), CommandError> {
    for _ in 0..LOOKS {
        let Due { due } = client.send("POST", "/v1/letters/freshen", &())?;
        if due == 0 {
            break;
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

fn failed(doing: &'static str, path: &Path) -> impl Fn(std::io::Error) -> CommandError {
    let path = path.to_owned();
    move |reason| CommandError::File { doing, path: path.clone(), reason }
}

impl Import {
    fn run(&self, global: &Global, output: &Output) -> Result<(), CommandError> {
        // A file that was cut is known before anything of it is taken.
        let letters = self.letters(|_| Ok(()))?;
        let client = self.node.client(global)?;
        let mut taken: Vec<LetterTaken> = Vec::new();
        self.letters(|letter| {
            taken.push(client.send_bytes("POST", "/v1/letters", CBOR, letter)?);
            Ok(())
        })?;
        let locale = output.locale();
        output.show(&taken, || describe(letters, &taken, locale))?;
        let refused: u64 =
            taken.iter().flat_map(|taken| &taken.refused).map(|refused| refused.count).sum();
        match refused {
            0 => Ok(()),
            _ => {
                let told = locale.fill(Text::MessagesRefused, &[&refused.to_string()]);
                Err(CommandError::Findings(told))
            }
        }
    }

    /// Shows every letter of the file, and says how many there are.
    fn letters(
        &self,
        mut visit: impl FnMut(Vec<u8>) -> Result<(), CommandError>,
    ) -> Result<u64, CommandError> {
        let reading = failed("cannot read", &self.file);
        let mut file = BufReader::new(File::open(&self.file).map_err(&reading)?);
        let mut magic = [0; MAGIC.len()];
        let whole = file.read_exact(&mut magic).is_ok();
        match magic.split_last() {
            Some((format, name)) if whole && MAGIC.starts_with(name) => {
                if Some(format) != MAGIC.last() {
                    return Err(self.bad(&format!(
                        "has format {format}, this program reads up to format 1; run the newer program"
                    )));
                }
            }
            _ => return Err(self.bad("is no file of letters: it does not begin like one")),
        }
        let mut letters = 0_u64;
        loop {
            let mut length = [0; 4];
            file.read_exact(&mut length).map_err(|_| self.bad("ends in the middle"))?;
            let length = u32::from_be_bytes(length);
            if length == END {
                break;
            }
            let length = usize::try_from(length).ok().filter(|it| *it <= MAX_LETTER_BYTES);
            let length = length.ok_or_else(|| self.bad("holds a letter that is too long"))?;
            let mut letter = vec![0; length];
            file.read_exact(&mut letter).map_err(|_| self.bad("ends in the middle"))?;
            visit(letter)?;
            letters = letters.saturating_add(1);
        }
        let mut beyond = [0];
        match file.read(&mut beyond).map_err(&reading)? {
            0 => Ok(letters),
            _ => Err(self.bad("goes on after its end")),
        }
    }

    fn bad(&self, found: &str) -> CommandError {
        CommandError::Mistakes(format!("{} {found}", self.file.display()))
    }
}

fn describe(letters: u64, taken: &[LetterTaken], locale: &Locale) -> String {
    let sum = |of: fn(&LetterTaken) -> u64| taken.iter().map(of).sum::<u64>().to_string();
    let from = taken.first().map_or("-", |first| first.from.as_str());
    let (accepted, known) = (sum(|it| it.accepted), sum(|it| it.known));
    let (letters, from) = (letters.to_string(), plain(from));
    let mut text = locale.fill(Text::ReportImported, &[&letters, &from, &accepted, &known]);
    let refused: Vec<Vec<String>> = taken
        .iter()
        .flat_map(|taken| &taken.refused)
        .map(|it| {
            let why = locale.of_code("refusal", &it.code);
            vec![it.count.to_string(), Style::Bad.of(&it.code), why]
        })
        .collect();
    if !refused.is_empty() {
        let headings = [Text::HeadRefused, Text::HeadCode, Text::HeadWhy].map(|it| locale.say(it));
        text.push_str(&format!("\n\n{}", table(&headings, &[0], &refused)));
    }
    text
}
