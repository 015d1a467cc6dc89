//! `reeve bulletin`: figures frozen as they stand, in a signed statement.

use std::path::PathBuf;

use reeve_statement::digest::Digest;
use reeve_statement::names::IndicatorId;
use reeve_statement::period::Period;
use serde::Serialize;

use super::asking::Node;
use super::identity::failed;
use super::policy::waits;
use super::texts::{Locale, Text};
use super::{CommandError, Global, Output, Style, plain, proof, query, table};
use crate::api::{
    BulletinChoice, BulletinEntry, BulletinOrder, BulletinPublished, BulletinView, FrozenView,
    PresentView, UnitsView,
};
use crate::client::{Client, escaped};
use crate::house::House;

/// Entries asked for at once: as many as the node answers.
const PAGE: usize = 50;

/// Digits of a digest that the text shows; `--json` has all.
const DIGITS: usize = 12;

/// Hexadecimal digits of a whole digest (SHA-256).
const WHOLE_DIGITS: usize = 64;

/// What to do with bulletins.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A bulletin is a statement of this unit that freezes chosen figures as they stand: each by indicator,
period, edition and the digest of the statement that carries it. Later revisions do not change it, and
`show` tells which figures were revised since. It repeats no number: whoever has it and the statements
that it names (`reeve bulletin proof`) can tell what was published then.

Examples:
  reeve bulletin publish --title Noon --figure confirmed_by_day@2020-03-01 --figure beds_free
  reeve bulletin list
  reeve bulletin show
  reeve bulletin show 5f0c --json
  reeve bulletin proof -o noon/")]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    node: Node,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Freeze figures as they stand now, and sign that
    Publish(Publish),
    /// List what was published, the newest first
    List(List),
    /// Show one bulletin: its figures as frozen, and which were revised since
    Show(Show),
    /// Put a bulletin, all that it names, and what shows them genuine into a folder
    Proof(Proof),
}

/// What to publish.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each figure is frozen in the last edition that was signed for the class of recipients. A figure of which
there is none, or that is withheld, stops the whole bulletin, and nothing is signed. With `[policy]
two_persons` it waits for a second person; what then stands is frozen.

Examples:
  reeve bulletin publish --title 'Noon, 1 March' --figure confirmed_by_day@2020-03-01
  reeve bulletin publish --title 'To the ministry' --class superior --figure beds_free")]
struct Publish {
    /// What it is called: one line
    #[arg(long)]
    title: String,
    /// A figure: an indicator, and after an @ its period; else the newest that has a figure
    #[arg(long = "figure", value_name = "INDICATOR[@PERIOD]", required = true, value_parser = figure)]
    figures: Vec<(IndicatorId, Option<Period>)>,
    /// The class of recipients whose editions are frozen
    #[arg(long, default_value = "public", value_parser = ["superior", "neighbour", "public"])]
    class: String,
}

/// What to list.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  reeve bulletin list
  reeve bulletin list --limit 500 --json")]
struct List {
    /// Most entries
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

/// What to show.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A figure is revised when its last edition says something else than the frozen one; all of its rows as they
stood are shown by `reeve query --as-of` with the bulletin's moment and class.

Examples:
  reeve bulletin show
  reeve bulletin show 5f0c")]
struct Show {
    /// The digest of its statement, or how that begins; else the newest
    statement: Option<String>,
}

/// What to prove, and where to.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The folder is a proof bundle, as of `reeve proof`: the bulletin, the statements that it names and those that
these are made of, the federation's roots, revocation lists, and proofs that they are in this unit's ledger.
`reeve audit verify` checks that each figure is what the bulletin says, and stood last in the ledger.

Examples:
  reeve bulletin proof -o noon/
  reeve bulletin proof 5f0c -o noon/")]
struct Proof {
    /// The digest of its statement, or how that begins; else the newest
    statement: Option<String>,
    /// The folder to make; it must not be there yet
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
}

/// What was put together.
#[derive(Debug, Serialize)]
struct Proven {
    folder: PathBuf,
    bulletin: String,
    federation: String,
    statements: usize,
    /// Statements that are named and are not at hand here.
    not_here: usize,
    /// Statements of this unit that are shown to be in its ledger.
    in_ledger: usize,
}

/// An indicator, and perhaps its period.
fn figure(text: &str) -> Result<(IndicatorId, Option<Period>), String> {
    let (indicator, period) = match text.split_once('@') {
        Some((indicator, period)) => (indicator, Some(period)),
        None => (text, None),
    };
    let indicator = IndicatorId::new(indicator).map_err(|error| error.to_string())?;
    let period = period.map(str::parse).transpose();
    Ok((
        indicator,
        period.map_err(|error: reeve_statement::period::PeriodError| error.to_string())?,
    ))
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let client = arguments.node.client(global)?;
    match &arguments.what {
        What::Publish(what) => publish(what, &client, output),
        What::List(what) => list(what, &client, output),
        What::Show(what) => show(what, &client, output),
        What::Proof(what) => prove(what, &client, global, output),
    }
}

fn publish(what: &Publish, client: &Client, output: &Output) -> Result<(), CommandError> {
    let locale = output.locale();
    let mut figures = Vec::with_capacity(what.figures.len());
    for (indicator, period) in &what.figures {
        let period = match period {
            Some(period) => period.to_string(),
            None => query::newest(client, indicator.as_str(), locale)?,
        };
        figures.push(BulletinChoice { indicator: indicator.to_string(), period });
    }
    let order = BulletinOrder { title: what.title.clone(), class: what.class.clone(), figures };
    let answer: BulletinPublished = client.send("POST", "/v1/bulletins", &order)?;
    output.show(&answer, || match (&answer.bulletin, &answer.waits_until) {
        (Some(bulletin), _) => published(bulletin, locale),
        (None, until) => {
            let named =
                order.figures.iter().map(|it| format!(" --figure {}@{}", it.indicator, it.period));
            let named: String = named.collect();
            let command = format!(
                "reeve bulletin publish --title {:?} --class {}{named}",
                plain(&order.title),
                order.class
            );
            waits(until.as_deref().unwrap_or_default(), &command, locale)
        }
    })
}

fn published(bulletin: &BulletinView, locale: &Locale) -> String {
    let head = &bulletin.head;
    let places = [plain(&head.title), head.statement.clone(), head.index.to_string()];
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    format!("{}\n\n{}", locale.fill(Text::BulletinPublished, &places), figures(bulletin, locale))
}

/// A page of entries, the newest first; after the last of the page before.
fn page(
    client: &Client,
    after: Option<&BulletinEntry>,
    limit: usize,
) -> Result<Vec<BulletinEntry>, CommandError> {
    let after = after.map(|it| format!("&term={}&before={}", it.head.term, it.head.index));
    let after = after.unwrap_or_default();
    Ok(client.get(&format!("/v1/bulletins?limit={}{after}", limit.min(PAGE)))?)
}

/// So many entries, the newest first; fewer if there are no more.
fn entries(client: &Client, limit: usize) -> Result<Vec<BulletinEntry>, CommandError> {
    let mut found: Vec<BulletinEntry> = Vec::new();
    while found.len() < limit {
        let entries = page(client, found.last(), limit.saturating_sub(found.len()))?;
        if entries.is_empty() {
            break;
        }
        found.extend(entries);
    }
    Ok(found)
}

fn list(what: &List, client: &Client, output: &Output) -> Result<(), CommandError> {
    let found = entries(client, what.limit)?;
    let locale = output.locale();
    output.show(&found, || {
        if found.is_empty() {
            return locale.say(Text::BulletinNone).to_owned();
        }
        let headings = [
            Text::HeadMoment,
            Text::HeadTitle,
            Text::HeadClass,
            Text::HeadFigures,
            Text::HeadBy,
            Text::HeadStatement,
        ];
        let headings = headings.map(|it| locale.say(it));
        let rows: Vec<Vec<String>> = found
            .iter()
            .map(|it| {
                vec![
                    plain(&it.head.issued_at),
                    plain(&it.head.title),
                    locale.of_code("class", &it.head.class),
                    it.figures.to_string(),
                    plain(&it.head.by),
                    short(&it.head.statement),
                ]
            })
            .collect();
        table(&headings, &[3], &rows)
    })
}

fn short(digest: &str) -> String {
    digest.chars().take(DIGITS).collect()
}

fn show(what: &Show, client: &Client, output: &Output) -> Result<(), CommandError> {
    let locale = output.locale();
    let digest = named(client, what.statement.as_deref(), locale)?;
    let bulletin: BulletinView = client.get(&format!("/v1/bulletins/{}", escaped(&digest)))?;
    output.show(&bulletin, || {
        let head = &bulletin.head;
        let class = locale.of_code("class", &head.class);
        let places = [plain(&head.issued_at), class, plain(&head.by), plain(&head.statement)];
        let places: Vec<&str> = places.iter().map(String::as_str).collect();
        let title = Style::Heading.of(&plain(&head.title));
        let [revised, all] = [bulletin.revised, bulletin.figures.len()].map(|it| it.to_string());
        let counted = locale.fill(Text::BulletinRevised, &[&revised, &all]);
        let told = locale.fill(Text::BulletinOf, &places);
        format!("{title}\n{told}\n\n{}\n\n{counted}", figures(&bulletin, locale))
    })
}

/// The digest of the bulletin that is meant.
fn named(
    client: &Client,
    statement: Option<&str>,
    locale: &Locale,
) -> Result<String, CommandError> {
    match statement {
        Some(digest) if digest.len() >= WHOLE_DIGITS => Ok(digest.to_owned()),
        Some(begins) => whole(client, begins),
        None => page(client, None, 1)?
            .into_iter()
            .next()
            .map(|entry| entry.head.statement)
            .ok_or_else(|| CommandError::Failed(locale.say(Text::BulletinNone).to_owned())),
    }
}

fn prove(
    what: &Proof,
    client: &Client,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let folder = &what.output;
    if folder.exists() {
        return Err(CommandError::Usage(format!(
            "{} is there already: name a folder that is not, so that bundles do not mix",
            folder.display()
        )));
    }
    let digest = named(client, what.statement.as_deref(), output.locale())?;
    let bulletin: BulletinView = client.get(&format!("/v1/bulletins/{}", escaped(&digest)))?;
    let house = House::open(&global.home).map_err(failed)?;
    let statement: Digest = bulletin.head.statement.parse().map_err(failed)?;
    let mut collected = proof::collect(client, &house, statement, false)?;
    let made = Proven {
        folder: folder.clone(),
        bulletin: bulletin.head.title.clone(),
        federation: house.identity().map_err(failed)?.roots.federation().to_string(),
        statements: collected.statements.len(),
        not_here: collected.not_here,
        in_ledger: collected.in_ledger,
    };
    collected.files.insert("README.txt".to_owned(), readme(&bulletin, &made).into_bytes());
    proof::write(folder, &collected.files)?;
    output.show(&made, || {
        let missing = match made.not_here {
            0 => String::new(),
            some => {
                format!("\n{some} statements that these name are not here: their units have them")
            }
        };
        format!(
            "{}, in {}: {} statements, {} of them shown to be in this unit's ledger{missing}\n\n\
             reeve audit verify {} --federation {}",
            plain(&made.bulletin),
            folder.display(),
            made.statements,
            made.in_ledger,
            folder.display(),
            made.federation
        )
    })
}

fn readme(bulletin: &BulletinView, made: &Proven) -> String {
    let head = &bulletin.head;
    format!(
        "A proof bundle: the bulletin {:?}, signed {}, of {} figures as they stood then.\n\n\
         figure.txt      digest of the bulletin's statement\n\
         statements/     the bulletin, what it names, and what that is made of (COSE_Sign1, RFC 9052)\n\
         ledger/         proofs that they are in their issuer's ledger\n\
         roots.cbor      the roots of federation {}\n\n\
         To check it, offline, with nothing else:\n\n\
        \x20   reeve-audit verify . --federation ID\n\n\
         where ID is the federation's id as you know it from elsewhere, not from this file.\n",
        plain(&head.title),
        head.issued_at,
        bulletin.figures.len(),
        made.federation,
    )
}

/// The digest that begins so, among those of bulletins.
fn whole(client: &Client, begins: &str) -> Result<String, CommandError> {
    let all = entries(client, usize::MAX)?;
    let mut found = all.into_iter().map(|it| it.head.statement).filter(|it| it.starts_with(begins));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(CommandError::Failed(format!(
            "no bulletin has a digest that begins with {}; see `reeve bulletin list`",
            plain(begins)
        ))),
        (Some(_), Some(_)) => Err(CommandError::Failed(format!(
            "several bulletins have a digest that begins with {}; give more of it",
            plain(begins)
        ))),
    }
}

fn figures(bulletin: &BulletinView, locale: &Locale) -> String {
    let headings = [
        Text::HeadFigure,
        Text::HeadPeriod,
        Text::HeadEdition,
        Text::HeadValue,
        Text::HeadUnits,
        Text::HeadNow,
    ];
    let headings = headings.map(|it| locale.say(it));
    let row = |it: &FrozenView| {
        vec![
            plain(locale.pick(&it.titles).unwrap_or(&it.indicator)),
            locale.period(&it.period),
            it.edition.to_string(),
            it.value.map(|value| locale.bounds(value, it.scale)).unwrap_or_else(|| "-".to_owned()),
            units(it.units.as_ref(), locale),
            now(it, it.now.as_ref(), locale),
        ]
    };
    let rows: Vec<Vec<String>> = bulletin.figures.iter().map(row).collect();
    table(&headings, &[2, 3, 4], &rows)
}

fn units(units: Option<&UnitsView>, locale: &Locale) -> String {
    let Some(units) = units else { return "-".to_owned() };
    let [included, expected] = [units.included, units.expected].map(|it| it.to_string());
    locale.fill(Text::SomeOf, &[&included, &expected])
}

/// How a frozen figure stands now.
fn now(frozen: &FrozenView, now: Option<&PresentView>, locale: &Locale) -> String {
    let Some(now) = now else { return locale.say(Text::BulletinUnknown).to_owned() };
    if let Some(code) = &now.notice {
        return locale.fill(Text::BulletinGone, &[&locale.of_code("notice", code)]);
    }
    if !frozen.revised {
        return locale.say(Text::BulletinSame).to_owned();
    }
    let value = now.value.map(|value| locale.bounds(value, frozen.scale));
    let value = value.unwrap_or_else(|| "-".to_owned());
    let told = locale.fill(Text::BulletinNow, &[&value, &now.edition.to_string()]);
    match &now.reason {
        Some(reason) => locale.fill(Text::BecauseOf, &[&told, &locale.of_code("reason", reason)]),
        None => told,
    }
}
