//! `reeve history`: the editions of a figure, and why each revised the one before.

use reeve_statement::statement::Body;
use serde::Serialize;

use super::asking::Node;
use super::editions::{Editions, Past, Which};
use super::texts::{Locale, Text};
use super::{CommandError, Global, Output, Style, plain, table};
use crate::api::{CellView, Figure};

/// Hexadecimal digits of a statement's digest that the text shows; `--json` has all.
const DIGITS: usize = 12;

/// Which figure.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each edition is a signed statement that names the one before it, so one that is taken out leaves a gap:
then the gap is named, and the exit code is 5. An edition that says why there is no figure is shown with
its reason.

Examples:
  reeve history confirmed_by_day --period 2020-03-01
  reeve history beds_free --class public --json")]
pub struct Arguments {
    /// The indicator; `reeve catalogue show` lists them
    indicator: String,
    /// The period: 2020-03-01, 2020-W10, 2020-03 or now; else the newest that has a figure
    #[arg(long)]
    period: Option<String>,
    /// The editions that a class of recipients was told: superior, neighbour or public
    #[arg(long)]
    class: Option<String>,
    #[command(flatten)]
    node: Node,
}

/// The editions of a figure, newest first.
#[derive(Debug, Serialize)]
struct History {
    unit: String,
    indicator: String,
    period: String,
    editions: Vec<Edition>,
    /// Editions that later ones name and that are not here: up to this number.
    missing_up_to: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Edition {
    edition: u64,
    issued_at: String,
    statement: String,
    /// Why it revises the one before.
    reason: Option<String>,
    /// Why there is no figure.
    notice: Option<String>,
    total: Option<CellView>,
    included: Option<u64>,
    expected: Option<u64>,
    #[serde(skip)]
    figure: Option<Figure>,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let client = arguments.node.client(global)?;
    let which = Which {
        indicator: &arguments.indicator,
        period: arguments.period.as_deref(),
        class: arguments.class.as_deref(),
    };
    let editions = Editions::of(&which, &client, global, output.locale())?;
    let Some(newest) = editions.past.first() else {
        return Err(CommandError::Failed(format!(
            "nothing was signed yet of {} {}: there is no history",
            arguments.indicator, editions.period
        )));
    };
    let unit = newest.statement.issuer.to_string();
    let shown = editions.past.iter().map(|past| edition(&editions, past));
    let history = History {
        unit,
        indicator: arguments.indicator.clone(),
        period: editions.period.clone(),
        editions: shown.collect::<Result<_, _>>()?,
        missing_up_to: editions.gap.map(|(edition, _)| edition),
    };
    output.show(&history, || describe(&history, output.locale()))?;
    match editions.gap {
        None => Ok(()),
        Some((edition, digest)) => Err(CommandError::Findings(format!(
            "edition {edition} is not here, though the one after it names it: statement {digest}; \
             ask another node of the home, or whom it was told to, for it"
        ))),
    }
}

fn edition(editions: &Editions<'_>, past: &Past) -> Result<Edition, CommandError> {
    let figure = editions.view(past, None)?;
    let notice = match &past.statement.body {
        Body::Notice(notice) => Some(notice.code.code().to_owned()),
        _ => None,
    };
    Ok(Edition {
        edition: past.place().0,
        issued_at: past.statement.issued_at.to_string(),
        statement: past.digest.to_string(),
        reason: figure.as_ref().and_then(|figure| figure.reason.clone()),
        notice,
        total: figure.as_ref().and_then(|figure| figure.total),
        included: figure.as_ref().map(|figure| figure.included),
        expected: figure.as_ref().map(|figure| figure.expected),
        figure,
    })
}

fn describe(history: &History, locale: &Locale) -> String {
    let first = history.editions.iter().find_map(|edition| edition.figure.as_ref());
    let title = first.and_then(|figure| locale.pick(&figure.titles)).unwrap_or(&history.indicator);
    let place = [plain(&history.indicator), plain(&history.unit), locale.period(&history.period)];
    let place: Vec<&str> = place.iter().map(String::as_str).collect();
    let headings = [
        Text::LabelEdition,
        Text::LabelIssuedAt,
        Text::LabelTotal,
        Text::LabelCompleteness,
        Text::HeadReason,
        Text::HeadStatement,
    ];
    let headings = headings.map(|heading| locale.say(heading));
    let row = |edition: &Edition| {
        let total = match (&edition.figure, &edition.total) {
            (Some(figure), Some(total)) => locale.cell(figure, total),
            _ => "-".to_owned(),
        };
        let units = match (edition.included, edition.expected) {
            (Some(included), Some(expected)) => {
                locale.fill(Text::SomeOf, &[&included.to_string(), &expected.to_string()])
            }
            _ => "-".to_owned(),
        };
        let reason = match (&edition.reason, &edition.notice) {
            (Some(reason), _) => locale.of_code("reason", reason),
            (None, Some(notice)) => locale.of_code("state", notice),
            (None, None) => "-".to_owned(),
        };
        let digest = edition.statement.chars().take(DIGITS).collect();
        let issued_at = plain(&edition.issued_at);
        vec![edition.edition.to_string(), issued_at, total, units, reason, digest]
    };
    let rows: Vec<Vec<String>> = history.editions.iter().map(row).collect();
    format!(
        "{}\n{}\n\n{}",
        Style::Heading.of(&plain(title)),
        locale.fill(Text::QueryWhere, &place),
        table(&headings, &[0, 2], &rows)
    )
}
