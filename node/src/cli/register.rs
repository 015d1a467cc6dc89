//! `reeve register`: which units report to this one, what they are called, how many people live there.

use std::fmt::Write as _;
use std::path::PathBuf;

use jiff::civil::Date;

use super::asking::Node;
use super::{CommandError, Global, Output, Style, plain, table};
use crate::api::{
    CalendarEntry, PopulationEntry, Published, RegisterChange, RegisterUnit, number_text,
};
use crate::client::escaped;

/// What to do with the register.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A unit enters the register when it joins (`reeve invite`). Each change is signed by this node as the
register's next version. Populations tell how many people a figure stands for (`reeve situation`); a
figure about persons that is greater than its unit's population is set aside as implausible.

Examples:
  reeve register show
  reeve register set 016 --population 1106303 --year 2023 --source Istat
  reeve register set 016 --name it=Bergamo --name 'zh=贝加莫'
  reeve register set 016 --population-unknown
  reeve register calendar --weekdays mon,tue,wed,thu,fri --holidays national.txt
  reeve register calendar 016 --holidays bergamo.txt")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    node: Node,
}

/// The actions.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Show the register
    Show,
    /// Change a unit's names or population
    Set(Set),
    /// Say when a unit, or all of them, work: on which days of the week, but for which holidays
    Calendar(CalendarOf),
}

/// Whose calendar, and what it says.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Indicators that the catalogue calls due on working days, or on some days of the week, are expected of a
unit by this calendar: on other days it is `not due`, and not late. What is due every day is due on
holidays too. Without a unit it is said for all; a unit's own days of the week go before those for all,
and its holidays are added. What is said takes the place of what was said before; without --weekdays and
--holidays nothing is said any more. The unit hears of it with the next request.

The file of holidays has one day per line, such as 2026-12-25; what follows a # is not read.")]
pub struct CalendarOf {
    /// Id of the unit; else all of them
    unit: Option<String>,
    /// Days of the week on which it works; else Monday to Friday
    #[arg(long, value_delimiter = ',', value_name = "mon,tue,...")]
    weekdays: Vec<String>,
    /// The file of days on which it does not
    #[arg(long, value_name = "FILE")]
    holidays: Option<PathBuf>,
}

/// What to change.
#[derive(Debug, clap::Args)]
pub struct Set {
    /// Id of the unit
    unit: String,
    /// How many people live there
    #[arg(long, value_name = "PERSONS", requires = "year", requires = "source")]
    population: Option<u64>,
    /// The year that the population is of
    #[arg(long, requires = "population")]
    year: Option<u16>,
    /// Who published it
    #[arg(long, value_name = "TEXT", requires = "population")]
    source: Option<String>,
    /// Take the population out: it is not known
    #[arg(long, conflicts_with = "population")]
    population_unknown: bool,
    /// Name of the unit in a language; `LANGUAGE=` takes it out; may be given several times
    #[arg(long = "name", value_name = "LANGUAGE=NAME", value_parser = name)]
    names: Vec<(String, String)>,
}

fn name(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((language, name)) if !language.is_empty() => {
            Ok((language.to_owned(), name.to_owned()))
        }
        _ => Err("expected a language and a name, such as it=Milano".to_owned()),
    }
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let client = arguments.node.client(global)?;
    match &arguments.action {
        Action::Show => {
            let units: Vec<RegisterUnit> = client.get("/v1/register")?;
            output.show(&units, || describe(&units))
        }
        Action::Set(set) => {
            let change = set.change()?;
            let path = format!("/v1/register/{}", escaped(&set.unit));
            let done: Published = client.send("PATCH", &path, &change)?;
            output.show(&done, || format!("The register says so of {} now.", plain(&set.unit)))
        }
        Action::Calendar(calendar) => {
            let entry = calendar.entry()?;
            let path = match &calendar.unit {
                Some(unit) => format!("/v1/calendar/{}", escaped(unit)),
                None => "/v1/calendar".to_owned(),
            };
            let done: Published = client.send("PUT", &path, &entry)?;
            let whom =
                calendar.unit.as_ref().map_or_else(|| "all units".to_owned(), |it| plain(it));
            output.show(&done, || format!("The register says so of {whom} now."))
        }
    }
}

impl CalendarOf {
    fn entry(&self) -> Result<CalendarEntry, CommandError> {
        let holidays = match &self.holidays {
            Some(file) => days(&super::files::read_text(file)?)
                .map_err(|line| CommandError::Mistakes(bad_day(&file.display(), line)))?,
            None => Vec::new(),
        };
        Ok(CalendarEntry { weekdays: self.weekdays.clone(), holidays })
    }
}

fn bad_day(file: &dyn std::fmt::Display, line: usize) -> String {
    format!("{file}, line {line}: expected a day such as 2026-12-25; what follows a # is not read")
}

/// The days of a file of holidays, or the number of a line that is none.
fn days(text: &str) -> Result<Vec<String>, usize> {
    let mut days = Vec::new();
    for (line, number) in text.lines().zip(1_usize..) {
        let day = line.split('#').next().unwrap_or_default().trim();
        if day.is_empty() {
            continue;
        }
        let day: Date = day.parse().map_err(|_| number)?;
        days.push(day.to_string());
    }
    Ok(days)
}

impl Set {
    fn change(&self) -> Result<RegisterChange, CommandError> {
        let population = match (self.population, self.year, &self.source) {
            (Some(persons), Some(year), Some(source)) => {
                Some(PopulationEntry { persons, year, source: source.clone() })
            }
            _ => None,
        };
        if population.is_none() && !self.population_unknown && self.names.is_empty() {
            let usage = "expected --population, --population-unknown or --name";
            return Err(CommandError::Usage(usage.to_owned()));
        }
        let names = self.names.iter().cloned().collect();
        Ok(RegisterChange { names, population, population_unknown: self.population_unknown })
    }
}

fn describe(units: &[RegisterUnit]) -> String {
    if units.is_empty() {
        return "No unit reports to this one; `reeve invite` lets one join.".to_owned();
    }
    let rows: Vec<Vec<String>> = units.iter().map(row).collect();
    let headings = ["unit", "names", "population", "of", "from", "until", "works"];
    let mut text = format!("{}\n", table(&headings, &[2], &rows));
    let unknown = units.iter().filter(|unit| unit.population.is_none()).count();
    if unknown > 0 {
        let told = format!("Population unknown of {unknown} units.");
        let _ = write!(text, "\n{}\n", Style::Doubtful.of(&told));
    }
    text
}

fn row(unit: &RegisterUnit) -> Vec<String> {
    let names = unit.names.iter().map(|(language, name)| format!("{name} ({language})"));
    let day = |day: &Option<String>| day.clone().unwrap_or_else(|| "-".to_owned());
    let (persons, of) = match &unit.population {
        Some(PopulationEntry { persons, year, source }) => {
            let persons = i64::try_from(*persons).unwrap_or(i64::MAX);
            (number_text(persons, 0), format!("{year}, {source}"))
        }
        None => ("unknown".to_owned(), "-".to_owned()),
    };
    let names = names.collect::<Vec<_>>().join(", ");
    let (from, to) = (day(&unit.valid_from), day(&unit.valid_to));
    vec![unit.unit.clone(), names, persons, of, from, to, works(&unit.calendar)]
}

fn works(calendar: &CalendarEntry) -> String {
    let CalendarEntry { weekdays, holidays } = calendar;
    let days = if weekdays.is_empty() { "-".to_owned() } else { weekdays.join(",") };
    match holidays.len() {
        0 => days,
        count => format!("{days}; {count} holidays"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::days;

    #[test]
    fn a_file_of_holidays_has_a_day_per_line() {
        let text = "# 2026\n2026-04-06  # Easter Monday\n\n2026-12-25\n";
        assert_eq!(days(text).unwrap(), ["2026-04-06", "2026-12-25"]);
        assert_eq!(days("2026-04-06\n25.12.2026\n"), Err(2));
        assert_eq!(days("2026-02-30\n"), Err(1));
    }
}
