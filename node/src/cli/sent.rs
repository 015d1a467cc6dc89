//! `reeve sent`: everything that left the house.

use reeve_statement::time::Timestamp;

use super::asking::Node;
use super::{CommandError, Global, Output, table};
use crate::api::SentEntry;
use crate::client::Client;

/// Entries asked for at once: as many as the node answers.
const PAGE: usize = 1_000;

/// Hexadecimal digits of a whole digest (SHA-256).
const WHOLE_DIGITS: usize = 64;

/// Which part.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every statement that this house issued: what, for whom, when, under which decision; the newest first.
The index is its place in the ledger; the places between hold certificates (`reeve certificate list`).

Examples:
  reeve sent
  reeve sent --to it/03 --indicator confirmed_by_day --since 2020-03-01
  reeve sent --before 1000 --limit 500 --json
  reeve sent --save 5f0c... > statement.cose")]
pub struct Arguments {
    /// What was sent in this earlier reporting term; `reeve status` lists them
    #[arg(long, value_name = "TERM")]
    term: Option<u64>,
    /// Only entries before this place of the ledger
    #[arg(long, value_name = "INDEX")]
    before: Option<u64>,
    /// Most entries
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Only what was signed at this time or later: a day, or a moment such as 2020-03-01T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Timestamp>,
    /// Only what is for this unit, such as it/03
    #[arg(long, value_name = "UNIT")]
    to: Option<String>,
    /// Only releases, notices, requests, catalogues, registers, declarations or bulletins
    #[arg(long, value_name = "KIND")]
    #[arg(value_parser = ["release", "notice", "request", "catalogue", "register", "declaration", "bulletin"])]
    kind: Option<String>,
    /// Only what is about this indicator
    #[arg(long)]
    indicator: Option<String>,
    /// Print the signed bytes of one statement instead: its digest, or how that begins
    #[arg(long, value_name = "DIGEST")]
    #[arg(conflicts_with_all = ["before", "limit", "since", "to", "kind", "indicator", "json"])]
    save: Option<String>,
    #[command(flatten)]
    node: Node,
}

/// The digest that begins so, among those of what was sent; a whole one may be of what was received.
pub(super) fn whole(
    client: &Client,
    term: Option<u64>,
    digest: &str,
) -> Result<String, CommandError> {
    if digest.len() >= WHOLE_DIGITS {
        return Ok(digest.to_owned());
    }
    let mut found = Vec::new();
    let mut before = None;
    loop {
        let entries = page(client, term, before, PAGE)?;
        before = entries.last().map(|entry| entry.index);
        found
            .extend(entries.into_iter().map(|it| it.statement).filter(|it| it.starts_with(digest)));
        if before.is_none_or(|index| index == 0) {
            break;
        }
    }
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(CommandError::Failed(format!(
            "no statement that was sent has a digest that begins with {digest}; see `reeve sent`"
        ))),
        many => Err(CommandError::Failed(format!(
            "{} statements have a digest that begins with {digest}; give more of it",
            many.len()
        ))),
    }
}

/// Entries before a place of the ledger, the newest first.
fn page(
    client: &Client,
    term: Option<u64>,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<SentEntry>, CommandError> {
    let before = before.map(|index| format!("&before={index}")).unwrap_or_default();
    let term = term.map(|term| format!("&term={term}")).unwrap_or_default();
    Ok(client.get(&format!("/v1/sent?limit={limit}{term}{before}"))?)
}

/// A day (its first moment in UTC), or a moment (RFC 3339).
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    let day = text.parse::<jiff::civil::Date>().ok();
    let start = day.and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok());
    let found = text.parse::<jiff::Timestamp>().ok().or(start.map(|start| start.timestamp()));
    found
        .map(|at| Timestamp::from_millis(at.as_millisecond()))
        .ok_or_else(|| "expected 2020-03-01, or a moment such as 2020-03-01T08:00:00Z".to_owned())
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let client = arguments.node.client(global)?;
    if let Some(digest) = &arguments.save {
        let digest = whole(&client, arguments.term, digest)?;
        let path = format!("/v1/statements/{}", crate::client::escaped(&digest));
        return output.raw(&client.bytes(&path, "application/cose")?);
    }
    let entries = arguments.entries(&client)?;
    output.show(&entries, || describe(&entries, arguments.filters()))
}

impl Arguments {
    /// The newest entries that are wanted, page by page.
    fn entries(&self, client: &Client) -> Result<Vec<SentEntry>, CommandError> {
        let mut found: Vec<SentEntry> = Vec::new();
        let mut before = self.before;
        let most = if self.filters() { PAGE } else { self.limit.min(PAGE) };
        while found.len() < self.limit {
            let entries = page(client, self.term, before, most)?;
            // A statement is never signed below the last signed time: what is before is older.
            let older = entries.last().is_some_and(|entry| !self.is_recent(entry));
            before = entries.last().map(|entry| entry.index);
            found.extend(entries.into_iter().filter(|entry| self.wants(entry)));
            if older || before.is_none_or(|index| index == 0) {
                break;
            }
        }
        found.truncate(self.limit);
        Ok(found)
    }

    fn filters(&self) -> bool {
        self.since.is_some()
            || [&self.to, &self.kind, &self.indicator].iter().any(|filter| filter.is_some())
    }

    fn is_recent(&self, entry: &SentEntry) -> bool {
        let at = entry.issued_at.parse::<jiff::Timestamp>();
        self.since.is_none_or(|since| at.is_ok_and(|at| at.as_millisecond() >= since.as_millis()))
    }

    fn wants(&self, entry: &SentEntry) -> bool {
        let is = |filter: &Option<String>, found: Option<&str>| {
            filter.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        let indicator = entry.figure.as_deref().and_then(|figure| figure.split(' ').next());
        self.is_recent(entry)
            && is(&self.to, Some(&entry.audience))
            && is(&self.kind, Some(&entry.kind))
            && is(&self.indicator, indicator)
    }
}

fn describe(entries: &[SentEntry], filtered: bool) -> String {
    if entries.is_empty() {
        let none = "Nothing has left the house.";
        let none_such = "Nothing like that has left the house.";
        return if filtered { none_such } else { none }.to_owned();
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
