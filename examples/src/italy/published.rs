//! What was published: who reported, day by day, and the totals that the same publisher gave.

use std::collections::BTreeMap;

use jiff::civil::Date;
use reeve_statement::table;
use reeve_statement::unit::{UnitError, UnitId, UnitPath};

/// Where the cases of a row belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A province, which is a unit of its own.
    Province,
    /// Cases of the region whose province is not known yet.
    BeingDefined,
    /// Cases counted by the region of people from elsewhere.
    OutOfRegion,
}

impl Place {
    /// The residual of the region, as the schema names it; none for a province.
    #[must_use]
    pub const fn residual(self) -> Option<&'static str> {
        match self {
            Self::Province => None,
            Self::BeingDefined => Some("being-defined"),
            Self::OutOfRegion => Some("out-of-region"),
        }
    }
}

/// One of the 149 rows of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its code in the files.
    pub code: String,
    /// Its name.
    pub name: String,
    /// What its cases are.
    pub place: Place,
    /// The region it belongs to.
    pub region: UnitId,
    /// The unit whose record the row is: the province, or the region for its two residuals.
    pub unit: UnitId,
}

/// The area of a row, as the nation's table names it.
pub type Area = table::Area;

impl Source {
    /// Its area in the nation's table.
    #[must_use]
    pub fn area(&self) -> Area {
        let province = (self.place == Place::Province).then(|| self.unit.clone());
        let units = std::iter::once(self.region.clone()).chain(province).collect();
        let residual = self.place.residual().and_then(|text| UnitId::new(text).ok());
        Area { units, residual }
    }
}

/// A day on which a region's provinces do not add up to what was published of the region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exception {
    /// The day.
    pub date: Date,
    /// The region.
    pub region: UnitId,
    /// What its rows add up to.
    pub sum: i64,
    /// What was published.
    pub published: i64,
}

/// The published data of one day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Day {
    /// Total cases by code of the row.
    pub rows: BTreeMap<String, i64>,
    /// Total cases by region.
    pub regions: BTreeMap<UnitId, i64>,
    /// Total cases of the nation.
    pub nation: Option<i64>,
}

/// All that was published, as far as the test network needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The rows of a day, by code.
    pub sources: BTreeMap<String, Source>,
    /// The regions and their names.
    pub regions: BTreeMap<UnitId, String>,
    /// The days.
    pub days: BTreeMap<Date, Day>,
    /// Where provinces and region disagree, as `exceptions.csv` lists it.
    pub exceptions: Vec<Exception>,
}

impl Published {
    /// The paths of all units, superiors first: the nation, 21 regions, 107 provinces.
    ///
    /// # Errors
    /// [`UnitError`] if an id does not fit.
    pub fn paths(&self) -> Result<Vec<UnitPath>, UnitError> {
        let nation = UnitPath::root(UnitId::new(super::NATION)?);
        let mut paths = vec![nation.clone()];
        for region in self.regions.keys() {
            paths.push(nation.child(region.clone())?);
        }
        for source in self.sources.values().filter(|source| source.place == Place::Province) {
            paths.push(nation.child(source.region.clone())?.child(source.unit.clone())?);
        }
        Ok(paths)
    }

    /// The rows of a day that belong to one unit, or to all, as the CSV file that `mapping.toml`
    /// reads. A unit without rows has a header alone, which its import takes for a nil report only
    /// if the mapping closes the period by the file's name.
    #[must_use]
    pub fn day_csv(&self, date: Date, unit: Option<&UnitId>) -> String {
        let rows = self.days.get(&date).map(|day| &day.rows);
        self.csv_of(date, rows.unwrap_or(&BTreeMap::new()), unit)
    }

    /// As [`Published::day_csv`], of these rows.
    #[must_use]
    pub fn csv_of(
        &self,
        date: Date,
        rows: &BTreeMap<String, i64>,
        unit: Option<&UnitId>,
    ) -> String {
        let mut text =
            String::from("date,region_id,region_code_as_published,province_code,total_cases\n");
        for (code, total) in rows {
            let Some(source) = self.sources.get(code) else { continue };
            if unit.is_none_or(|unit| *unit == source.unit) {
                let region = &source.region;
                text.push_str(&format!("{date},{region},{region},{code},{total}\n"));
            }
        }
        text
    }

    /// What a region's rows add up to on a day.
    #[must_use]
    pub fn sum_of(&self, date: Date, region: &UnitId) -> i64 {
        let rows = self.days.get(&date).into_iter().flat_map(|day| &day.rows);
        let of_region = |code: &str| self.sources.get(code).is_some_and(|s| s.region == *region);
        rows.filter(|(code, _)| of_region(code)).map(|(_, total)| total).sum()
    }

    /// Where the rows of a region do not add up to what was published of it, found anew.
    #[must_use]
    pub fn disagreements(&self) -> Vec<Exception> {
        let mut found = Vec::new();
        for (date, day) in &self.days {
            for (region, published) in &day.regions {
                let sum = self.sum_of(*date, region);
                if sum != *published {
                    let (region, published) = (region.clone(), *published);
                    found.push(Exception { date: *date, region, sum, published });
                }
            }
        }
        found
    }
}
