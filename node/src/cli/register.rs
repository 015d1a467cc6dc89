//! `reeve register`: which units report to this one, what they are called, how many people live there.

use std::fmt::Write as _;

use super::asking::Node;
use super::{CommandError, Global, Output, Style, plain, table};
use crate::api::{PopulationEntry, Published, RegisterChange, RegisterUnit, number_text};
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
  reeve register set 016 --population-unknown")]
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
    }
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
    let headings = ["unit", "names", "population", "of", "from", "until"];
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
    vec![unit.unit.clone(), names, persons, of, day(&unit.valid_from), day(&unit.valid_to)]
}
