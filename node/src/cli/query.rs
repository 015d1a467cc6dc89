//! `reeve query`: a figure as a table, as JSON, or as CSV.

use std::fmt::Write as _;

use reeve_statement::statement::Body;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use super::asking::Node;
use super::editions::{Editions, Which};
use super::layout::{left, width};
use super::texts::{Locale, Text};
use super::{CommandError, Global, Output, Style, plain, table};
use crate::api::{CellView, ExceptionView, Figure, HOME, Periods, Row, number_text};
use crate::client::{Client, escaped};
use crate::import::disarmed;

/// The area of the unit itself.
const OWN: &str = ".";

/// Stands in a CSV for every value of a dimension that no other line of the area has.
const ANY: &str = "*";

/// Units that the text names; `--json` names all.
const UNITS_SHOWN: usize = 12;

/// Which figure.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A number that is not told exactly is shown by its bounds, such as `1,204 to 1,212`. The figure says
which units it includes; a unit that has not reported is never counted as zero.

This is the figure as it is protected for the superior. --class shows the last edition that another class
of recipients was told: every neighbour sees the one, everybody else the other. --superior asks the
superior for its own figure as its subordinates are told it, with what stands beside this unit. --own shows the unit's own records' table as it
is, to whoever may query the indicator in the unit's area; it never leaves the house, and what
subordinates reported is no part of it. --as-of shows what this unit had told by a moment, from the
statement that said so; `reeve history` lists the editions.

Examples:
  reeve query confirmed_by_day --period 2020-03-01
  reeve query confirmed_by_day --area it/03 --period 2020-03-01 --csv > figure.csv
  reeve query beds_free
  reeve query confirmed_by_day --class neighbour --period 2020-03-01
  reeve query confirmed_by_day --superior --period 2020-03-01
  reeve query confirmed_by_day --as-of 2020-03-02T18:00:00+01:00 --period 2020-03-01
  reeve query confirmed_by_day --own --period 2020-03-01
  reeve query confirmed_by_day --periods")]
pub struct Arguments {
    /// The indicator; `reeve catalogue show` lists them
    indicator: String,
    /// The period: 2020-03-01, 2020-W10, 2020-03 or now; else the newest that has a figure
    #[arg(long)]
    period: Option<String>,
    /// A part of the unit's area, such as it/03; else all of it
    #[arg(long)]
    area: Option<String>,
    /// Show the unit's own table as it is, exact, without what subordinates reported
    #[arg(long, conflicts_with = "area")]
    own: bool,
    /// Show the last edition that a class of recipients was told: superior, neighbour or public
    #[arg(long, conflicts_with = "own")]
    class: Option<String>,
    /// Show the edition that stood at a moment, such as 2020-03-01T18:00:00+01:00, with its statement
    #[arg(long, value_name = "TIME", value_parser = moment, conflicts_with_all = ["own", "superior"])]
    as_of: Option<Timestamp>,
    /// Ask the superior for its figure, as all its subordinates are told it
    #[arg(long, conflicts_with_all = ["own", "class", "area"])]
    superior: bool,
    /// Print CSV, safe to open in a spreadsheet
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// List the periods that have figures, newest first
    #[arg(long)]
    #[arg(conflicts_with_all = ["period", "area", "csv", "own", "class", "superior", "as_of"])]
    periods: bool,
    #[command(flatten)]
    node: Node,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let client = arguments.node.client(global)?;
    let indicator = escaped(&arguments.indicator);
    if arguments.periods {
        let periods: Periods = client.get(&format!("/v1/indicators/{indicator}/periods"))?;
        return output.show(&periods, || periods.periods.join("\n"));
    }
    if let Some(at) = arguments.as_of {
        let figure = stood(arguments, at, &client, global, output.locale())?;
        return show(&figure, arguments, output);
    }
    let period = match &arguments.period {
        Some(period) => period.clone(),
        None => newest(&client, &indicator, output.locale())?,
    };
    let mut path = format!("/v1/figures/{indicator}?period={}", escaped(&period));
    if arguments.own {
        path.push_str("&own=true");
    }
    if arguments.superior {
        path.push_str("&superior=true");
    }
    if let Some(class) = &arguments.class {
        path.push_str(&format!("&class={}", escaped(class)));
    }
    if let Some(area) = &arguments.area {
        path.push_str(&format!("&area={}", escaped(area)));
    }
    let figure: Figure = client.get(&path)?;
    show(&figure, arguments, output)
}

fn show(figure: &Figure, arguments: &Arguments, output: &Output) -> Result<(), CommandError> {
    if arguments.csv {
        return output.bytes(csv(figure)?.as_bytes());
    }
    output.show(figure, || describe(figure, output.locale()))
}

/// A moment (RFC 3339): it says its offset, so that it is one.
fn moment(text: &str) -> Result<Timestamp, String> {
    let at = text.parse::<jiff::Timestamp>();
    at.map(|at| Timestamp::from_millis(at.as_millisecond())).map_err(|_| {
        "expected a moment with its offset, such as 2020-03-01T18:00:00+01:00".to_owned()
    })
}

/// The figure as the edition told it that stood at a moment.
fn stood(
    arguments: &Arguments,
    at: Timestamp,
    client: &Client,
    global: &Global,
    locale: &Locale,
) -> Result<Figure, CommandError> {
    let which = Which {
        indicator: &arguments.indicator,
        period: arguments.period.as_deref(),
        class: arguments.class.as_deref(),
    };
    let area = arguments.area.as_deref().map(str::parse::<UnitPath>).transpose();
    let area = area.map_err(|error| CommandError::Usage(format!("--area: {error}")))?;
    let editions = Editions::of(&which, client, global, locale)?;
    let what = format!("{} {}", arguments.indicator, editions.period);
    let Some(past) = editions.as_of(at) else {
        let oldest = editions.past.last();
        let known = match (oldest, editions.gap) {
            (Some(oldest), Some(_)) => {
                format!("the oldest edition at hand is of {}", oldest.statement.issued_at)
            }
            (Some(oldest), None) => {
                format!("the first edition is of {}", oldest.statement.issued_at)
            }
            (None, _) => "nothing was signed since either".to_owned(),
        };
        return Err(CommandError::Failed(format!("at {at} nothing was known of {what}: {known}")));
    };
    editions.view(past, area.as_ref())?.ok_or_else(|| {
        let code = match &past.statement.body {
            Body::Notice(notice) => locale.of_code("state", notice.code.code()),
            _ => String::new(),
        };
        CommandError::Failed(format!(
            "at {at} there was no figure of {what}: {code} (edition {}, signed {})",
            past.place().0,
            past.statement.issued_at
        ))
    })
}

pub(super) fn newest(
    client: &Client,
    indicator: &str,
    locale: &Locale,
) -> Result<String, CommandError> {
    let path = format!("/v1/indicators/{indicator}/periods?limit=1");
    let periods: Periods = client.get(&path)?;
    periods
        .periods
        .into_iter()
        .next()
        .ok_or_else(|| CommandError::Failed(locale.say(Text::NoPeriodYet).to_owned()))
}

fn describe(figure: &Figure, locale: &Locale) -> String {
    let title = plain(locale.pick(&figure.titles).unwrap_or(&figure.indicator));
    let period = locale.period(&figure.period);
    let place = [plain(&figure.indicator), plain(&figure.area), period];
    let place: Vec<&str> = place.iter().map(String::as_str).collect();
    let mut text =
        format!("{}\n{}\n\n", Style::Heading.of(&title), locale.fill(Text::QueryWhere, &place));
    let rows = rows(figure, locale);
    if !rows.is_empty() {
        let mut headings = vec![locale.say(Text::HeadArea)];
        headings.extend(figure.dimensions.iter().map(String::as_str));
        headings.extend([Text::HeadValue, Text::HeadContributors].map(|it| locale.say(it)));
        let right = [headings.len().saturating_sub(2), headings.len().saturating_sub(1)];
        let _ = writeln!(text, "{}\n", table(&headings, &right, &rows));
    }
    for unlisted in &figure.unlisted {
        let each = locale.cell(figure, &unlisted.each);
        let places = [plain(&unlisted.area), unlisted.rows.to_string(), each];
        let places: Vec<&str> = places.iter().map(String::as_str).collect();
        let _ = writeln!(text, "{}", locale.fill(Text::RowsNotListed, &places));
    }
    let lines = lines(figure, locale);
    let labels = lines.iter().map(|(label, _)| width(locale.say(*label))).max().unwrap_or(0);
    for (label, value) in lines {
        let label = left(locale.say(label), labels.saturating_add(2));
        let _ = writeln!(text, "{label}{value}");
    }
    text
}

fn rows(figure: &Figure, locale: &Locale) -> Vec<Vec<String>> {
    let row = |row: &Row| {
        let dimensions = row.dimensions.iter().map(|it| match it.as_str() {
            "" => locale.say(Text::NotSet).to_owned(),
            set => set.to_owned(),
        });
        let mut cells = vec![row.area.clone()];
        cells.extend(dimensions);
        cells.extend([locale.cell(figure, &row.cell), locale.bounds(row.cell.contributors, 0)]);
        cells
    };
    figure.rows.iter().map(row).collect()
}

/// What is said of the whole figure, each with its label.
fn lines(figure: &Figure, locale: &Locale) -> Vec<(Text, String)> {
    let say = |text| locale.say(text).to_owned();
    let mut lines = Vec::new();
    if let Some(total) = &figure.total {
        let hidden =
            figure.rows.iter().filter(|row| row.cell.value.lo != row.cell.value.hi).count();
        let places = [hidden.to_string(), figure.rows.len().to_string()];
        let places: Vec<&str> = places.iter().map(String::as_str).collect();
        let told = if hidden == 0 { String::new() } else { locale.fill(Text::NotExact, &places) };
        let total = Style::Heading.of(&locale.cell(figure, total));
        lines.push((Text::LabelTotal, format!("{total}{told}")));
    }
    let touched = figure.data_touched.as_ref().map(|at| (Text::LabelDataOf, plain(at)));
    if figure.class == HOME {
        let state = figure.states.keys().next().map_or("no_report", String::as_str);
        lines.push((Text::LabelOwnSources, locale.of_code("state", state)));
        lines.push((Text::LabelProtection, say(Text::NoProtection)));
        lines.extend(touched);
        return lines;
    }
    lines.push((Text::LabelCompleteness, completeness(figure, locale)));
    if !figure.adopted {
        lines.push((Text::LabelAdopted, Style::Doubtful.of(locale.say(Text::WouldBeSent))));
    }
    lines.push((Text::LabelEdition, edition(figure, locale)));
    lines.extend(figure.issued_at.as_ref().map(|at| (Text::LabelIssuedAt, plain(at))));
    if hides_own_rows(figure) {
        lines.push((Text::LabelOwnRows, say(Text::OwnRowsHidden)));
    }
    lines.extend(touched);
    lines
}

/// The number of the last edition, why it revises the one before, and for whom it is protected.
fn edition(figure: &Figure, locale: &Locale) -> String {
    if !figure.adopted || figure.edition == 0 {
        let none = if figure.adopted { Text::NoneSigned } else { Text::NoneIsSent };
        return locale.say(none).to_owned();
    }
    let number = figure.edition.to_string();
    let number = match &figure.reason {
        Some(code) => locale.fill(Text::BecauseOf, &[&number, &locale.of_code("reason", code)]),
        None => number,
    };
    locale.fill(Text::ProtectedFor, &[&number, &locale.of_code("class", &figure.class)])
}

/// Whether rows of the unit itself are told by bounds only.
fn hides_own_rows(figure: &Figure) -> bool {
    let hidden = |row: &Row| row.cell.value.lo != row.cell.value.hi;
    figure.rows.iter().any(|row| row.area == OWN && hidden(row))
        || figure.unlisted.iter().any(|unlisted| unlisted.area == OWN)
}

fn completeness(figure: &Figure, locale: &Locale) -> String {
    let [included, expected] = [figure.included, figure.expected].map(|units| units.to_string());
    let mut text = locale.fill(Text::SomeOf, &[&included, &expected]);
    let mut states: Vec<&str> = figure.exceptions.iter().map(|it| it.state.as_str()).collect();
    states.sort_unstable();
    states.dedup();
    for state in states {
        let of_state = figure.exceptions.iter().filter(|it| it.state == state);
        // An exception without a name is about the unit that the figure is of.
        let name = |unit: &str| match unit {
            "" => locale.say(Text::Itself).to_owned(),
            unit => plain(unit),
        };
        let named = |it: &ExceptionView| match it.sources {
            Some(sources) => {
                let [reported, expected] = sources.map(|it| it.to_string());
                let sources = locale.fill(Text::SomeOf, &[&reported, &expected]);
                locale.fill(Text::BecauseOf, &[&name(&it.unit), &sources])
            }
            None => name(&it.unit),
        };
        let mut units: Vec<String> = of_state.map(named).collect();
        let more = units.len().saturating_sub(UNITS_SHOWN);
        units.truncate(UNITS_SHOWN);
        if more > 0 {
            units.push(locale.fill(Text::AndMore, &[&more.to_string()]));
        }
        let _ = write!(text, "; {}: {}", locale.of_code("state", state), units.join(", "));
    }
    if figure.included < figure.expected { Style::Doubtful.of(&text) } else { text }
}

/// The rows as CSV (RFC 4180). A line stands for one row, or for `rows` rows of its area that are not
/// told one by one: each of those lies between the bounds. A text cell that a spreadsheet would take for a formula gets a `'` in
/// front; numbers are plain.
fn csv(figure: &Figure) -> Result<String, CommandError> {
    let failed = |error: &dyn std::fmt::Display| CommandError::Failed(error.to_string());
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut headings = vec!["indicator", "period", "area"];
    headings.extend(figure.dimensions.iter().map(String::as_str));
    headings.extend(["rows", "value_lo", "value_hi", "contributors_lo", "contributors_hi"]);
    headings.push("edition");
    let headings = headings.into_iter().map(disarmed);
    writer.write_record(headings).map_err(|error| failed(&error))?;
    let listed = figure.rows.iter().map(|row| (&row.area, row.dimensions.clone(), 1, row.cell));
    let any = vec![ANY.to_owned(); figure.dimensions.len()];
    let unlisted = figure.unlisted.iter().map(|it| (&it.area, any.clone(), it.rows, it.each));
    for (area, dimensions, rows, cell) in listed.chain(unlisted) {
        let mut cells = vec![disarmed(&figure.indicator), disarmed(&figure.period), disarmed(area)];
        cells.extend(dimensions.iter().map(|it| disarmed(it)));
        cells.push(rows.to_string());
        let CellView { value, contributors } = cell;
        cells.extend([value.lo, value.hi].map(|it| number_text(it, figure.scale).replace(',', "")));
        cells.extend([contributors.lo, contributors.hi].map(|it| it.to_string()));
        cells.push(figure.edition.to_string());
        writer.write_record(&cells).map_err(|error| failed(&error))?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(&error))?;
    String::from_utf8(bytes).map_err(|error| failed(&error))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::api::{BoundsView, UnlistedRows};

    fn exact(value: i64) -> BoundsView {
        BoundsView { lo: value, hi: value }
    }

    fn figure(label: &str) -> Figure {
        let cell = CellView { value: BoundsView { lo: 1_204, hi: 1_212 }, contributors: exact(9) };
        let exception = |unit: &str, state: &str| ExceptionView {
            unit: unit.to_owned(),
            state: state.to_owned(),
            sources: (state == "partial").then_some([1, 2]),
        };
        Figure {
            unit: "it".to_owned(),
            area: "it".to_owned(),
            indicator: "cases".to_owned(),
            titles: BTreeMap::from([("en".to_owned(), "Cases\u{1b}[2J".to_owned())]),
            measure: "count".to_owned(),
            scale: 0,
            period: "2020-03-01".to_owned(),
            class: "superior".to_owned(),
            dimensions: vec!["sex".to_owned()],
            rows: vec![Row { area: "03/016".to_owned(), dimensions: vec![label.to_owned()], cell }],
            unlisted: Vec::new(),
            total: Some(cell),
            expected: 14,
            included: 12,
            states: BTreeMap::new(),
            exceptions: vec![
                exception("03/017", "late"),
                exception("03/018", "late"),
                exception("03/019", "partial"),
            ],
            edition: 3,
            statement: None,
            reason: Some("late_reports".to_owned()),
            adopted: true,
            issued_at: Some("2020-03-02T08:00:00Z".to_owned()),
            data_touched: None,
        }
    }

    #[test]
    fn a_figure_tells_bounds_completeness_and_edition() {
        let text = describe(&figure("female"), &Locale::english());
        for part in [
            "1,204 to 1,212",
            "12 of 14; late: 03/017, 03/018; partial: 03/019 (1 of 2)",
            "1 of 1 not told exactly",
            "3 (late reports), protected for superior",
            "2020-03-02",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("\u{1b}[2J"), "{text:?}");
    }

    #[test]
    fn numbers_have_commas_and_points() {
        let told =
            [(0, 0), (1_234_567, 0), (-1_234, 2), (5, 3)].map(|(n, scale)| number_text(n, scale));
        assert_eq!(told, ["0", "1,234,567", "-12.34", "0.005"]);
    }

    #[test]
    fn a_mean_is_told_only_where_it_is_exact() {
        let mut figure = figure("x");
        figure.measure = "mean".to_owned();
        let cell = CellView { value: exact(50), contributors: exact(4) };
        assert_eq!(figure.value_text(&cell), "12.5");
        let hidden = CellView { value: exact(50), contributors: BoundsView { lo: 1, hi: 4 } };
        assert_eq!(figure.value_text(&hidden), "50 over 1 to 4");
    }

    #[test]
    fn rows_that_are_not_told_one_by_one_are_in_the_csv_too() {
        let mut hidden = figure("x");
        hidden.rows.clear();
        let each = CellView { value: BoundsView { lo: 0, hi: 4 }, contributors: exact(0) };
        hidden.unlisted.push(UnlistedRows { area: "03/016".to_owned(), rows: 3, each });
        let text = csv(&hidden).unwrap();
        assert!(text.contains("cases,2020-03-01,03/016,*,3,0,4,0,0,3"), "{text}");
    }

    #[test]
    fn no_cell_of_a_csv_is_a_formula() {
        for start in ["=", "+", "-", "@", "\t", "\r", "\n=", " =", "|", "%"] {
            for rest in ["cmd|' /C calc'!A0", "HYPERLINK(\"http://evil\")", "1+1", "\",=2"] {
                let text = csv(&figure(&format!("{start}{rest}"))).unwrap();
                let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
                let row = reader.records().next().unwrap().unwrap();
                assert_eq!(row.len(), 10, "{text}");
                for cell in &row {
                    let first = cell.trim_start().chars().next().unwrap_or('x');
                    let number = cell.parse::<i64>().is_ok();
                    assert!(number || !"=+-@\t\r|%".contains(first), "{cell:?}");
                }
            }
        }
    }
}
