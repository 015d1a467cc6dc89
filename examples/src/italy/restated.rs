//! What the publisher took back: values that stood for hours or days before others took their place,
//! found in the history of its files (`restatements_from_git.csv`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use reeve_statement::unit::UnitId;
use serde::Deserialize;

use super::published::Published;
use super::read::{ReadError, rows, unit};

/// What the publisher gives of each region every evening and has taken back at some time, as its files
/// name it.
pub const MEASURES: [&str; 7] = [
    "ricoverati_con_sintomi",
    "terapia_intensiva",
    "totale_positivi",
    "dimessi_guariti",
    "deceduti",
    "totale_casi",
    "tamponi",
];

/// How early files spell regions otherwise than `regions.csv`.
const SPELLINGS: [(&str, &str); 4] = [
    ("Bolzano", "P.A. Bolzano"),
    ("Trento", "P.A. Trento"),
    ("Emilia Romagna", "Emilia-Romagna"),
    ("Friuli V. G.", "Friuli Venezia Giulia"),
];

/// Values by [measure](MEASURES).
pub type Values = BTreeMap<&'static str, i64>;

/// What was published of the regions on some evening about one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evening {
    /// When it took the place of what stood before; none: what was published of the day at first.
    pub at: Option<Timestamp>,
    /// Of each region.
    pub regions: BTreeMap<UnitId, Values>,
    /// Of the nation.
    pub nation: Values,
}

/// What was published of the provinces, and of cases without one, on some evening about one day: values
/// by code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvincesEvening {
    /// When it took the place of what stood before; none: what was published of the day at first.
    pub at: Option<Timestamp>,
    /// Total cases by code of the row.
    pub rows: BTreeMap<String, i64>,
}

/// All restatements, day by day and in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Restated {
    /// Of regions and the nation.
    pub regions: BTreeMap<Date, Vec<Evening>>,
    /// Of provinces.
    pub provinces: BTreeMap<Date, Vec<ProvincesEvening>>,
}

#[derive(Clone, Deserialize)]
struct Row {
    date: Date,
    level: String,
    unit: String,
    measure: String,
    old: i64,
    new: i64,
    restated_at: Timestamp,
}

/// The published values of a day; one row of `region_daily_published` or of the nation's file.
#[derive(Deserialize)]
struct Totals {
    date: Date,
    #[serde(default)]
    region_id: String,
    ricoverati_con_sintomi: i64,
    terapia_intensiva: i64,
    totale_positivi: i64,
    dimessi_guariti: i64,
    deceduti: i64,
    totale_casi: i64,
    tamponi: i64,
}

impl Totals {
    fn values(&self) -> Values {
        let values = [
            self.ricoverati_con_sintomi,
            self.terapia_intensiva,
            self.totale_positivi,
            self.dimessi_guariti,
            self.deceduti,
            self.totale_casi,
            self.tamponi,
        ];
        MEASURES.into_iter().zip(values).collect()
    }
}

impl Restated {
    /// Reads the folder; `published` is what stands there now.
    ///
    /// # Errors
    /// [`ReadError`] with the file and what is wrong in it: also where a restatement does not lead from
    /// the one before it, and the last one not to what stands now.
    pub fn read(folder: &Path, published: &Published) -> Result<Self, ReadError> {
        let path = folder.join("restatements_from_git.csv");
        let wrong = |found: String| ReadError::Code { path: path.clone(), found };
        let told: Vec<Row> = rows(&path)?;
        let mut of_regions: BTreeMap<Date, Vec<Row>> = BTreeMap::new();
        let mut of_provinces: BTreeMap<Date, Vec<Row>> = BTreeMap::new();
        for row in told {
            let days = if row.level == "province" { &mut of_provinces } else { &mut of_regions };
            days.entry(row.date).or_default().push(row);
        }
        let mut last = BTreeMap::new();
        let now = folder.join("region_daily_published.csv.gz");
        for row in rows::<Totals>(&now)?.iter().filter(|row| of_regions.contains_key(&row.date)) {
            let day: &mut Evening = last.entry(row.date).or_insert_with(Evening::nothing);
            day.regions.insert(unit(&now, &row.region_id)?, row.values());
        }
        for row in rows::<Totals>(&folder.join("national_daily_published.csv.gz"))? {
            if let Some(day) = last.get_mut(&row.date) {
                day.nation = row.values();
            }
        }
        let mut restated = Self::default();
        for (date, told) in of_regions {
            let last = last.remove(&date).ok_or_else(|| wrong(date.to_string()))?;
            let evenings = evenings(&told, last, |evening: &mut Evening, row, value| {
                let values = match row.level.as_str() {
                    "nation" => Some(&mut evening.nation),
                    _ => published.region(&row.unit).and_then(|it| evening.regions.get_mut(&it)),
                };
                Some(std::mem::replace(values?.get_mut(row.measure.as_str())?, value))
            });
            restated.regions.insert(date, evenings.map_err(wrong)?);
        }
        for (date, told) in of_provinces {
            let day = published.days.get(&date).ok_or_else(|| wrong(date.to_string()))?;
            let last = ProvincesEvening { at: None, rows: day.rows.clone() };
            let evenings = evenings(&told, last, |evening: &mut ProvincesEvening, row, value| {
                let code = row.unit.split('|').next()?;
                Some(std::mem::replace(evening.rows.get_mut(code)?, value))
            });
            restated.provinces.insert(date, evenings.map_err(wrong)?);
        }
        Ok(restated)
    }
}

impl Evening {
    const fn nothing() -> Self {
        Self { at: None, regions: BTreeMap::new(), nation: BTreeMap::new() }
    }
}

/// What has a time from which it stands.
trait Since: Clone {
    fn since(&mut self, at: Option<Timestamp>);
}

impl Since for Evening {
    fn since(&mut self, at: Option<Timestamp>) {
        self.at = at;
    }
}

impl Since for ProvincesEvening {
    fn since(&mut self, at: Option<Timestamp>) {
        self.at = at;
    }
}

/// The evenings of a day: from what stands now back to what was published first. `put` puts a value
/// where a row says and gives the one that was there.
fn evenings<E: Since>(
    told: &[Row],
    mut last: E,
    put: impl Fn(&mut E, &Row, i64) -> Option<i64>,
) -> Result<Vec<E>, String> {
    let times: BTreeSet<Timestamp> = told.iter().map(|row| row.restated_at).collect();
    let mut evenings = Vec::new();
    for at in times.into_iter().rev() {
        let mut before = last.clone();
        last.since(Some(at));
        evenings.push(last);
        for row in told.iter().filter(|row| row.restated_at == at) {
            let name = || format!("{} {} {} {}", row.date, row.unit, row.measure, row.new);
            if put(&mut before, row, row.old).ok_or_else(name)? != row.new {
                return Err(name());
            }
        }
        last = before;
    }
    evenings.push(last);
    evenings.reverse();
    Ok(evenings)
}

impl Published {
    /// The region of that name, however the files spell it.
    fn region(&self, name: &str) -> Option<UnitId> {
        let name = name.trim();
        let spelled = SPELLINGS.iter().find(|(other, _)| *other == name);
        let name = spelled.map_or(name, |(_, name)| name);
        self.regions.iter().find(|(_, other)| *other == name).map(|(id, _)| id.clone())
    }
}
