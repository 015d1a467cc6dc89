//! `reeve register`: which units report to this one, what they are called, how many people live there.

use std::fmt::Write as _;
use std::path::PathBuf;

use jiff::civil::Date;

use super::asking::Node;
use super::texts::{Locale, Text};
use super::{CommandError, Global, Output, Style, files, plain, table};
use crate::api::{
    CalendarEntry, PopulationEntry, Published, RegisterChange, RegisterOrder, RegisterUnit,
    Registered,
};
use crate::client::{Client, escaped};

/// What to do with the register.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A unit enters the register when it joins (`reeve invite`). Each change is signed by this node as the
register's next version, and stands in the ledger. Populations tell how many people a figure stands for
(`reeve situation`); a figure about persons that is greater than its unit's population is set aside as
implausible.

Who is expected to report is read as of each period, so history stays under the id of the unit that it
is of: --from is the first day of what is new. What happened before is reported, late or corrected, by the
units that were there then. New units join with `reeve invite`. A unit id is never used again.

A unit moves to another superior in two steps. Here, `move` lets it go and saves the register that says
so; there, `receive` takes it on the word of that file. Then it is invited there, and joins in its folder.

Examples:
  reeve register show
  reeve register set 016 --population 1106303 --year 2023 --source Istat
  reeve register set 016 --name it=Bergamo --name 'zh=贝加莫'
  reeve register calendar --weekdays mon,tue,wed,thu,fri --holidays national.txt
  reeve register calendar 016 --holidays bergamo.txt
  reeve register rename 016 --name it='Bergamo Alta' --from 2027-01-01
  reeve register merge 016 017 --into 101 --name it='Bergamo e Brescia' --from 2027-01-01
  reeve register split 101 --into 102 --into 103 --from 2028-01-01
  reeve register move 016 --to it/05 --from 2027-01-01 --save 016.register
  reeve register receive 016 016.register
  reeve register end 016 --from 2027-01-01")]
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
    /// Change a unit's names, population or time zone
    Set(Set),
    /// Say when a unit, or all of them, work: on which days of the week, but for which holidays
    Calendar(CalendarOf),
    /// Let units become one, new or there already
    Merge(Merge),
    /// Let a unit become several
    Split(Split),
    /// Give a unit other names from a day on
    Rename(Rename),
    /// Let a unit go to another superior
    Move(Move),
    /// Take a unit that another superior let go
    Receive(Receive),
    /// Let a unit end that nobody continues
    End(End),
    /// Take back that a unit ended
    Reopen {
        /// Id of the unit
        unit: String,
    },
}

/// Units that become one.
#[derive(Debug, clap::Args)]
pub struct Merge {
    /// Ids of the units
    #[arg(required = true)]
    units: Vec<String>,
    /// Id of the unit that they become: a new one, or one that is in the register
    #[arg(long, value_name = "UNIT")]
    into: String,
    /// Its name in a language; may be given several times
    #[arg(long = "name", value_name = "LANGUAGE=NAME", value_parser = name)]
    names: Vec<(String, String)>,
    /// The first day of the new unit
    #[arg(long, value_name = "DAY")]
    from: String,
}

/// A unit that becomes several.
#[derive(Debug, clap::Args)]
pub struct Split {
    /// Id of the unit
    unit: String,
    /// Id of a new unit; give each
    #[arg(long, value_name = "UNIT", required = true)]
    into: Vec<String>,
    /// The unit goes on beside the new ones, and is smaller
    #[arg(long)]
    stays: bool,
    /// The first day of the new units
    #[arg(long, value_name = "DAY")]
    from: String,
}

/// Other names.
#[derive(Debug, clap::Args)]
pub struct Rename {
    /// Id of the unit
    unit: String,
    /// Name in a language; others stay, `LANGUAGE=` takes one out; may be given several times
    #[arg(long = "name", value_name = "LANGUAGE=NAME", value_parser = name, required = true)]
    names: Vec<(String, String)>,
    /// The first day of the new name; else it always had it
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
}

/// A unit that goes.
#[derive(Debug, clap::Args)]
pub struct Move {
    /// Id of the unit
    unit: String,
    /// Path of the superior that it goes to, such as it/05
    #[arg(long, value_name = "PATH")]
    to: String,
    /// The first day on which it stands there
    #[arg(long, value_name = "DAY")]
    from: String,
    /// Save the signed register here, for the other superior
    #[arg(long, value_name = "FILE")]
    save: PathBuf,
}

/// A unit that comes.
#[derive(Debug, clap::Args)]
pub struct Receive {
    /// Id of the unit
    unit: String,
    /// The register that the other superior saved
    file: PathBuf,
}

/// A unit that ends.
#[derive(Debug, clap::Args)]
pub struct End {
    /// Id of the unit
    unit: String,
    /// The first day without it
    #[arg(long, value_name = "DAY")]
    from: String,
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
    /// Its time zone, such as Europe/Rome
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
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
            output.show(&units, || describe(&units, output.locale()))
        }
        Action::Set(set) => {
            let change = set.change()?;
            let path = format!("/v1/register/{}", escaped(&set.unit));
            let done: Published = client.send("PATCH", &path, &change)?;
            output.show(&done, || output.locale().fill(Text::RegisterSays, &[&plain(&set.unit)]))
        }
        Action::Calendar(calendar) => {
            let entry = calendar.entry()?;
            let path = match &calendar.unit {
                Some(unit) => format!("/v1/calendar/{}", escaped(unit)),
                None => "/v1/calendar".to_owned(),
            };
            let done: Published = client.send("PUT", &path, &entry)?;
            let locale = output.locale();
            let all = || locale.say(Text::AllUnits).to_owned();
            let whom = calendar.unit.as_ref().map_or_else(all, |it| plain(it));
            output.show(&done, || locale.fill(Text::RegisterSays, &[&whom]))
        }
        Action::Move(order) => order.run(&client, output),
        Action::Receive(order) => order.run(&client, output),
        Action::Merge(Merge { units, into, names, from }) => {
            let (units, names) = (units.clone(), names.iter().cloned().collect());
            let (into, from) = (into.clone(), from.clone());
            let next = output.locale().fill(Text::RegisterJoins, &[&plain(&into)]);
            carry_out(&client, output, &RegisterOrder::Merge { units, into, names, from }, &next)
        }
        Action::Split(Split { unit, into, stays, from }) => {
            let (unit, into, from) = (unit.clone(), into.clone(), from.clone());
            let order = RegisterOrder::Split { unit, into, stays: *stays, from };
            carry_out(&client, output, &order, output.locale().say(Text::RegisterAllJoin))
        }
        Action::Rename(Rename { unit, names, from }) => {
            let (names, from) = (names.iter().cloned().collect(), from.clone());
            let order = RegisterOrder::Rename { unit: unit.clone(), names, from };
            carry_out(&client, output, &order, output.locale().say(Text::RegisterRenamed))
        }
        Action::End(End { unit, from }) => {
            let order = RegisterOrder::End { unit: unit.clone(), from: from.clone() };
            carry_out(&client, output, &order, output.locale().say(Text::RegisterEnded))
        }
        Action::Reopen { unit } => {
            let order = RegisterOrder::Reopen { unit: unit.clone() };
            carry_out(&client, output, &order, output.locale().say(Text::RegisterReopened))
        }
    }
}

fn carry_out(
    client: &Client,
    output: &Output,
    order: &RegisterOrder,
    next: &str,
) -> Result<(), CommandError> {
    let done: Registered = client.send("POST", "/v1/register", order)?;
    let locale = output.locale();
    output.show(&done, || locale.fill(Text::RegisterStatement, &[&done.statement, next]))
}

impl Move {
    fn run(&self, client: &Client, output: &Output) -> Result<(), CommandError> {
        let Self { unit, to, from, save } = self;
        let order = RegisterOrder::Move { unit: unit.clone(), to: to.clone(), from: from.clone() };
        let done: Registered = client.send("POST", "/v1/register", &order)?;
        let path = format!("/v1/statements/{}", escaped(&done.statement));
        let signed = client.bytes(&path, "application/cose")?;
        let failed =
            |reason| CommandError::File { doing: "cannot write", path: save.clone(), reason };
        std::fs::write(save, signed).map_err(failed)?;
        output.show(&done, || {
            let file = self.save.display().to_string();
            let places = [plain(unit), plain(from), file, plain(to)];
            let places: Vec<&str> = places.iter().map(String::as_str).collect();
            output.locale().fill(Text::RegisterLetGo, &places)
        })
    }
}

impl Receive {
    fn run(&self, client: &Client, output: &Output) -> Result<(), CommandError> {
        let statement = hex::encode(files::read_bytes(&self.file)?);
        let order = RegisterOrder::Receive { unit: self.unit.clone(), statement };
        carry_out(client, output, &order, output.locale().say(Text::RegisterReceived))
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
        let said = population.is_some() || self.population_unknown || !self.names.is_empty();
        if !said && self.time_zone.is_none() {
            let usage = "expected --population, --population-unknown, --name or --time-zone";
            return Err(CommandError::Usage(usage.to_owned()));
        }
        Ok(RegisterChange {
            names: self.names.iter().cloned().collect(),
            population,
            population_unknown: self.population_unknown,
            time_zone: self.time_zone.clone(),
        })
    }
}

fn describe(units: &[RegisterUnit], locale: &Locale) -> String {
    if units.is_empty() {
        return locale.say(Text::RegisterEmpty).to_owned();
    }
    let rows: Vec<Vec<String>> = units.iter().map(|unit| row(unit, locale)).collect();
    let headings = [
        Text::HeadUnit,
        Text::HeadNames,
        Text::HeadPopulation,
        Text::HeadOf,
        Text::HeadFrom,
        Text::HeadUntil,
        Text::HeadWorks,
        Text::HeadContinues,
        Text::HeadMoved,
    ];
    let headings = headings.map(|heading| locale.say(heading));
    let mut text = format!("{}\n", table(&headings, &[2], &rows));
    let unknown = units.iter().filter(|unit| unit.population.is_none()).count();
    if unknown > 0 {
        let told = locale.fill(Text::PopulationMissing, &[&unknown.to_string()]);
        let _ = write!(text, "\n{}\n", Style::Doubtful.of(&told));
    }
    text
}

fn row(unit: &RegisterUnit, locale: &Locale) -> Vec<String> {
    let names = unit.names.iter().map(|(language, name)| format!("{name} ({language})"));
    let day = |day: &Option<String>| day.clone().unwrap_or_else(|| "-".to_owned());
    let (persons, of) = match &unit.population {
        Some(PopulationEntry { persons, year, source }) => {
            let persons = i64::try_from(*persons).unwrap_or(i64::MAX);
            (locale.number(persons, 0), format!("{year}, {source}"))
        }
        None => (locale.say(Text::PopulationNotKnown).to_owned(), "-".to_owned()),
    };
    let names = names.collect::<Vec<_>>().join(", ");
    let continues = unit.predecessors.join(", ");
    let came = unit.came_from.iter().map(|from| locale.fill(Text::MovedFrom, &[from]));
    let went = unit.went_to.iter().map(|to| locale.fill(Text::MovedTo, &[to]));
    let moved: Vec<String> = came.chain(went).collect();
    vec![
        unit.unit.clone(),
        names,
        persons,
        of,
        day(&unit.valid_from),
        day(&unit.valid_to),
        works(&unit.calendar, locale),
        if continues.is_empty() { "-".to_owned() } else { continues },
        if moved.is_empty() { "-".to_owned() } else { moved.join(", ") },
    ]
}

fn works(calendar: &CalendarEntry, locale: &Locale) -> String {
    let CalendarEntry { weekdays, holidays } = calendar;
    let days = if weekdays.is_empty() { "-".to_owned() } else { weekdays.join(",") };
    match holidays.len() {
        0 => days,
        count => locale.fill(Text::WorksHolidays, &[&days, &count.to_string()]),
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
