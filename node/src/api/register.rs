//! Documents about the register of subordinates.

use std::collections::BTreeMap;

use reeve_statement::calendar::{Calendar, Weekdays};
use reeve_statement::register::{Day, Population, RegisterEntry};
use serde::{Deserialize, Serialize};

use super::figure::titles;

/// One unit of the register, for a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterUnit {
    /// Its unit id.
    pub unit: String,
    /// Its names by language.
    pub names: BTreeMap<String, String>,
    /// Its first day.
    pub valid_from: Option<String>,
    /// Its last day.
    pub valid_to: Option<String>,
    /// Units that it came from.
    pub predecessors: Vec<String>,
    /// Persons living there; none: not known.
    pub population: Option<PopulationEntry>,
    /// Its time zone.
    pub time_zone: Option<String>,
    /// When it works, with what the register says for all.
    pub calendar: CalendarEntry,
    /// The superior from which it came here.
    #[serde(default)]
    pub came_from: Option<String>,
    /// The superior to which it went.
    #[serde(default)]
    pub went_to: Option<String>,
}

impl From<&RegisterEntry> for RegisterUnit {
    fn from(entry: &RegisterEntry) -> Self {
        let day = |day: Option<Day>| day.map(|day| day.0.to_string());
        Self {
            unit: entry.unit.to_string(),
            names: titles(&entry.names),
            valid_from: day(entry.valid_from),
            valid_to: day(entry.valid_to),
            predecessors: entry.predecessors.iter().map(ToString::to_string).collect(),
            population: entry.population.as_ref().map(PopulationEntry::from),
            time_zone: entry.time_zone.clone(),
            calendar: entry.calendar.as_ref().map(CalendarEntry::from).unwrap_or_default(),
            came_from: entry.came_from.as_ref().map(ToString::to_string),
            went_to: entry.went_to.as_ref().map(ToString::to_string),
        }
    }
}

/// When a unit works.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendarEntry {
    /// Days of the week, `mon` to `sun`; none: nothing is said, which means Monday to Friday.
    #[serde(default)]
    pub weekdays: Vec<String>,
    /// Days on which it does not.
    #[serde(default)]
    pub holidays: Vec<String>,
}

impl From<&Calendar> for CalendarEntry {
    fn from(calendar: &Calendar) -> Self {
        let names = calendar.weekdays.into_iter().flat_map(Weekdays::names);
        Self {
            weekdays: names.map(str::to_owned).collect(),
            holidays: calendar.holidays.iter().map(|day| day.0.to_string()).collect(),
        }
    }
}

/// How many people live in a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PopulationEntry {
    /// Persons.
    pub persons: u64,
    /// Year of the number.
    pub year: u16,
    /// Who published it.
    pub source: String,
}

impl From<&Population> for PopulationEntry {
    fn from(population: &Population) -> Self {
        let Population { persons, year, source } = population;
        Self { persons: *persons, year: *year, source: source.clone() }
    }
}

/// What is to be changed of a unit in the register.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterChange {
    /// Names by language; other languages keep theirs, an empty name is taken out.
    #[serde(default)]
    pub names: BTreeMap<String, String>,
    /// Its population; none: as it is.
    #[serde(default)]
    pub population: Option<PopulationEntry>,
    /// Whether the population is to be taken out: it is not known.
    #[serde(default)]
    pub population_unknown: bool,
    /// Its time zone; none: as it is.
    #[serde(default)]
    pub time_zone: Option<String>,
}

/// What becomes of subordinates. Days are written `2020-03-01`; `from` is the first day of what is new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum RegisterOrder {
    /// Units become one.
    Merge {
        /// The units.
        units: Vec<String>,
        /// What they become: a new unit, or one that is there.
        into: String,
        /// Its names by language.
        #[serde(default)]
        names: BTreeMap<String, String>,
        /// From when on.
        from: String,
    },
    /// A unit becomes several new ones.
    Split {
        /// The unit.
        unit: String,
        /// What it becomes.
        into: Vec<String>,
        /// Whether it goes on beside them.
        #[serde(default)]
        stays: bool,
        /// From when on.
        from: String,
    },
    /// A unit has other names.
    Rename {
        /// The unit.
        unit: String,
        /// Names by language; other languages keep theirs, an empty name is taken out.
        names: BTreeMap<String, String>,
        /// From when on; none: it always had them.
        #[serde(default)]
        from: Option<String>,
    },
    /// A unit goes to another superior.
    Move {
        /// The unit.
        unit: String,
        /// The superior's path.
        to: String,
        /// From when on.
        from: String,
    },
    /// A unit comes from another superior.
    Receive {
        /// The unit.
        unit: String,
        /// The other superior's register, signed, as hexadecimal digits.
        statement: String,
    },
    /// A unit ends, and nobody continues it.
    End {
        /// The unit.
        unit: String,
        /// The first day without it.
        from: String,
    },
    /// The end of a unit is taken back.
    Reopen {
        /// The unit.
        unit: String,
    },
}

/// The register was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Digest of the statement that says so.
    pub statement: String,
}
