//! `reeve import`: a file is checked here, then sent to the running node in batches.
//!
//! The first pass decides whether anything is imported at all; only then the node hears of it. What
//! it then takes may be taken again: a second import of the same file changes nothing.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use reeve_crdt::schema::Schema;
use reeve_statement::cbor;
use reeve_statement::period::Period;
use reeve_statement::release::RevisionReason;
use reeve_statement::unit::UnitId;
use serde_json::json;

use super::asking::Node;
use super::compare::{Difference, compare};
use super::files::read_text;
use super::record::told;
use super::{CommandError, Global, Output, Style, plain};
use crate::api::batch::{self, End, ScopeField, Snapshot};
use crate::api::{BeginImport, Begun, CBOR, Ended, TOML, Written};
use crate::client::{Client, ClientError, escaped};
use crate::import::{self, Checked, ImportOptions, Input, Mapping, Mode, Pass};

/// Rejected rows that the text shows.
const REJECTS_SHOWN: usize = 10;
/// How often a batch is sent again when the node is busy.
const ATTEMPTS: u32 = 10;

/// What to import.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The mapping says which columns become which fields, what makes up a record's id, what the file means
for records that exist (append, upsert, snapshot), and which periods it closes. If a row is bad, nothing
is imported, unless --max-rejects allows it. The same file twice changes nothing.

Exit code 5: the file was refused, or imported without its bad rows.

Examples:
  reeve import cases.csv.gz --mapping cases.toml --dry-run
  reeve import cases.csv.gz --mapping cases.toml --rejects rejects.csv --max-rejects 20
  reeve import beds.ndjson --mapping beds.toml --closes 2020-03-01")]
pub struct Arguments {
    /// The file: CSV or NDJSON, may be gzip
    file: PathBuf,
    /// The mapping (TOML)
    #[arg(long, value_name = "FILE")]
    mapping: PathBuf,
    /// Change nothing; say what would change
    #[arg(long)]
    dry_run: bool,
    /// Bad rows that are left out before the file is refused
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_rejects: u64,
    /// Write bad rows with their values and reasons to this file, which only you can read
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// In whose name periods are closed; else as the mapping says
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// A period that the file closes, in place of what the mapping says; may be given several times
    #[arg(long, value_name = "PERIOD")]
    closes: Vec<Period>,
    /// Why the file says again what was said of the periods that it closes: correction, late_reports,
    /// duplicate_removed, reclassified or definition_changed; else it is read from what changes
    #[arg(long, value_name = "REASON", value_parser = super::record::reason)]
    reason: Option<RevisionReason>,
    /// Where rows name units: import those of this unit
    #[arg(long, value_name = "UNIT")]
    unit: Option<UnitId>,
    /// Let a snapshot without records delete everything in its scope
    #[arg(long)]
    allow_empty: bool,
    #[command(flatten)]
    node: Node,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let client = arguments.node.client(global)?;
    let text = client.bytes("/v1/schema", TOML)?;
    let schema = Schema::parse("the node's schema", &String::from_utf8_lossy(&text))
        .map_err(|problems| CommandError::Mistakes(problems.to_string()))?;
    let mapping = read_text(&arguments.mapping)?;
    let mapping = Mapping::parse(&arguments.mapping.to_string_lossy(), &mapping, &schema)
        .map_err(|problems| CommandError::Findings(problems.to_string()))?;
    let unit = arguments.unit_of(&mapping)?;
    let bar = Bar::new(output);
    let checked = arguments.check(&mapping, &bar)?;
    let difference = arguments.compare(&client, &checked, unit, output)?;
    if arguments.dry_run {
        bar.done();
        return arguments.report(output, &checked, difference.as_ref());
    }
    let work = Work { client: &client, checked: &checked, unit, reason: arguments.reason };
    let source = arguments.source.clone();
    let ended = work.import(source.as_deref().unwrap_or_else(|| mapping.source()))?;
    bar.done();
    arguments.done(output, &checked, &ended)
}

impl Arguments {
    fn unit_of(&self, mapping: &Mapping) -> Result<Option<&UnitId>, CommandError> {
        match (mapping.names_units(), &self.unit) {
            (true, None) => Err(CommandError::Usage(
                "the mapping names a column of units; say with --unit whose rows are this node's"
                    .to_owned(),
            )),
            (false, Some(_)) => {
                Err(CommandError::Usage("--unit needs a mapping with a [unit] table".to_owned()))
            }
            (_, unit) => Ok(unit.as_ref()),
        }
    }

    fn check(&self, mapping: &Mapping, bar: &Bar) -> Result<Checked, CommandError> {
        let options = ImportOptions {
            max_rejects: self.max_rejects,
            reject_file: self.rejects.clone(),
            closes: self.closes.iter().copied().collect(),
            allow_empty_snapshot: self.allow_empty,
            progress: bar.progress(),
        };
        Ok(import::check(&Input::File(self.file.clone()), mapping, &options)?)
    }

    /// Compares with the node's records, where that is wanted and permitted.
    fn compare(
        &self,
        client: &Client,
        checked: &Checked,
        unit: Option<&UnitId>,
        output: &Output,
    ) -> Result<Option<Difference>, CommandError> {
        let append = checked.mapping().mode() == Mode::Append;
        if !append && !self.dry_run {
            return Ok(None);
        }
        let difference = match compare(client, checked, unit) {
            Ok(difference) => difference,
            Err(CommandError::Client(ClientError::Problem(problem))) if problem.status == 403 => {
                if append && !self.dry_run {
                    return Err(CommandError::Failed(
                        "mode append must be held against the records there are, which this token \
                         may not read; use a writer's token, or mode upsert"
                            .to_owned(),
                    ));
                }
                output.note("This token may not read records, so nothing is compared with them.");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if append && difference.changed > 0 && !self.dry_run {
            let text = format!(
                "{}: {} records exist with other content, and mode append only adds; nothing was \
                 imported. Use mode upsert to replace them",
                self.file.display(),
                difference.changed
            );
            return Err(CommandError::Findings(text));
        }
        Ok(Some(difference))
    }

    fn report(
        &self,
        output: &Output,
        checked: &Checked,
        difference: Option<&Difference>,
    ) -> Result<(), CommandError> {
        let summary = checked.summary();
        let document = json!({ "dry_run": true, "file": summary, "would_write": difference });
        output.show(&document, || {
            let mut text = format!("{}\nNothing was imported (--dry-run).", described(checked));
            if let Some(difference) = difference {
                text.push_str(&format!("\nWould change: {}", told(&difference.written())));
            }
            text
        })
    }

    fn done(&self, output: &Output, checked: &Checked, ended: &Ended) -> Result<(), CommandError> {
        let summary = checked.summary();
        let document = json!({ "dry_run": false, "file": summary, "written": ended });
        output.show(&document, || {
            let refused = ended.refused.map(|refused| {
                format!(
                    ", {refused} refused: they are older than what is sealed (`reeve twin expire`)"
                )
            });
            let refused = refused.unwrap_or_default();
            format!("{}\n{}{refused}", described(checked), told(&ended.written))
        })?;
        if summary.rejected > 0 {
            let rejected = summary.rejected;
            return Err(CommandError::Findings(format!("{rejected} rows were left out")));
        }
        Ok(())
    }
}

fn described(checked: &Checked) -> String {
    let summary = checked.summary();
    let mut text = format!(
        "{}: {} rows, {} records of {}",
        Style::Heading.of(&plain(&summary.file)),
        summary.rows,
        summary.accepted,
        summary.kind
    );
    for (count, what) in
        [(summary.skipped, "left out by the mapping"), (summary.rejected, "rejected")]
    {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    let closes: usize = summary.units.iter().map(|unit| unit.periods_closed).sum();
    if closes > 0 {
        text.push_str(&format!(", closes {closes} periods"));
    }
    for note in summary.first_rejects.iter().take(REJECTS_SHOWN) {
        text.push_str(&format!("\n  {}", plain(&note.to_string())));
    }
    text
}

/// One import of a checked file.
struct Work<'a> {
    client: &'a Client,
    checked: &'a Checked,
    unit: Option<&'a UnitId>,
    reason: Option<RevisionReason>,
}

impl Work<'_> {
    fn import(&self, source: &str) -> Result<Ended, CommandError> {
        let summary = self.checked.summary();
        let begin = BeginImport {
            kind: summary.kind.clone(),
            sha256: self.checked.digest().to_string(),
            name: summary.file.clone(),
            append: self.checked.mapping().mode() == Mode::Append,
        };
        let Begun { import } = self.client.send("POST", "/v1/imports", &begin)?;
        let path = |step| format!("/v1/imports/{import}/{step}?kind={}", escaped(&summary.kind));
        for batch in self.checked.batches()? {
            let batch = batch?;
            if batch.unit.as_ref() != self.unit {
                continue;
            }
            let records = batch.puts.iter().map(|put| (&put.id, put.record.record()));
            self.send(&path("batch"), &batch::encode(records))?;
        }
        let end = cbor::to_vec(&self.end(source));
        Ok(self.client.send_bytes("POST", &path("end"), CBOR, end)?)
    }

    fn send(&self, path: &str, body: &[u8]) -> Result<(), CommandError> {
        for attempt in 1..=ATTEMPTS {
            let sent: Result<Written, _> =
                self.client.send_bytes("POST", path, CBOR, body.to_vec());
            match sent {
                Ok(_) => return Ok(()),
                Err(ClientError::Problem(problem)) if problem.status == 503 => {
                    std::thread::sleep(Duration::from_millis(200).saturating_mul(attempt));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(CommandError::Failed(
            "the node stays too busy; import the file again later, what is there stays as it is"
                .to_owned(),
        ))
    }

    fn end(&self, source: &str) -> End {
        let kind = self.checked.mapping().kind();
        let closes = self.checked.share(self.unit).into_iter().flat_map(|share| &share.closes);
        let snapshot = self.checked.sweep(self.unit).map(|sweep| Snapshot {
            seen: sweep.seen.iter().flatten().copied().collect(),
            scope: sweep
                .scope
                .iter()
                .filter_map(|(field, values)| {
                    let known = kind.field(field.as_str())?;
                    let values = values.iter().map(|value| value.to_text(&known.field_type));
                    Some(ScopeField { field: field.to_string(), values: values.collect() })
                })
                .collect(),
        });
        End {
            source: source.to_owned(),
            closes: closes.map(ToString::to_string).collect(),
            snapshot,
            reason: self.reason.map(|reason| reason.code().to_owned()),
        }
    }
}

/// The progress bar: on a terminal only.
struct Bar(Option<ProgressBar>);

impl Bar {
    fn new(output: &Output) -> Self {
        let wanted = !output.is_json() && std::io::stderr().is_terminal();
        Self(wanted.then(|| {
            let bar = ProgressBar::new(0);
            let style = ProgressStyle::with_template(
                "{msg:10} {bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            );
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        }))
    }

    fn progress(&self) -> Arc<dyn import::Progress> {
        let Some(bar) = self.0.clone() else { return Arc::new(()) };
        Arc::new(move |pass: Pass, read: u64, total: u64| {
            bar.set_message(match pass {
                Pass::Check => "checking",
                Pass::Import => "importing",
            });
            bar.set_length(total);
            bar.set_position(read);
        })
    }

    fn done(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
