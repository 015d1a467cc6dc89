//! Reading the published files: `units.csv`, `regions.csv`, `exceptions.csv`, and the three daily
//! ones, which are gzipped.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use jiff::civil::Date;
use reeve_statement::unit::UnitId;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::published::{Day, Exception, Place, Published, Source};

/// Why the folder cannot be read. It holds other files than the README says.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file cannot be opened.
    #[error("{path}: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// A row cannot be read.
    #[error("{path}: {source}")]
    Row {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        source: csv::Error,
    },
    /// A code is no unit id, or stands for no unit.
    #[error("{path}: expected a code of units.csv or regions.csv, found {found:?}")]
    Code {
        /// The file.
        path: PathBuf,
        /// The code.
        found: String,
    },
}

#[derive(Deserialize)]
struct UnitRow {
    province_code: String,
    name: String,
    kind: PlaceName,
    region_id: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PlaceName {
    Province,
    BeingDefined,
    OutOfRegion,
}

#[derive(Deserialize)]
struct RegionRow {
    region_id: String,
    region: String,
}

#[derive(Deserialize)]
struct ProvinceDay {
    date: Date,
    province_code: String,
    total_cases: i64,
}

#[derive(Deserialize)]
struct RegionDay {
    date: Date,
    region_id: String,
    totale_casi: i64,
}

#[derive(Deserialize)]
struct NationDay {
    date: Date,
    totale_casi: i64,
}

#[derive(Deserialize)]
struct ExceptionRow {
    date: Date,
    level: String,
    region_id: String,
    measure: String,
    sum_lower: i64,
    published: i64,
}

impl Published {
    /// Reads the folder.
    ///
    /// # Errors
    /// [`ReadError`] with the file and what is wrong in it.
    pub fn read(folder: &Path) -> Result<Self, ReadError> {
        let regions = regions(&folder.join("regions.csv"))?;
        let sources = sources(&folder.join("units.csv"), &regions)?;
        let days = days(folder, &sources, &regions)?;
        let exceptions = exceptions(&folder.join("exceptions.csv"))?;
        Ok(Self { sources, regions, days, exceptions })
    }
}

/// All rows of a CSV file, gzipped if its name says so.
pub(super) fn rows<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, ReadError> {
    let opened = File::open(path);
    let file = opened.map_err(|source| ReadError::Open { path: path.to_owned(), source })?;
    let gzipped = path.extension().is_some_and(|extension| extension == "gz");
    let reader: Box<dyn Read> =
        if gzipped { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let read = csv::Reader::from_reader(reader).deserialize().collect::<Result<_, _>>();
    read.map_err(|source| ReadError::Row { path: path.to_owned(), source })
}

pub(super) fn unit(path: &Path, code: &str) -> Result<UnitId, ReadError> {
    let error = |_| ReadError::Code { path: path.to_owned(), found: code.to_owned() };
    UnitId::new(code).map_err(error)
}

fn regions(path: &Path) -> Result<BTreeMap<UnitId, String>, ReadError> {
    let rows: Vec<RegionRow> = rows(path)?;
    rows.into_iter().map(|row| Ok((unit(path, &row.region_id)?, row.region))).collect()
}

fn sources(
    path: &Path,
    regions: &BTreeMap<UnitId, String>,
) -> Result<BTreeMap<String, Source>, ReadError> {
    let rows: Vec<UnitRow> = rows(path)?;
    let source = |row: UnitRow| {
        let region = unit(path, &row.region_id)?;
        if !regions.contains_key(&region) {
            return Err(ReadError::Code { path: path.to_owned(), found: row.region_id });
        }
        let place = match row.kind {
            PlaceName::Province => Place::Province,
            PlaceName::BeingDefined => Place::BeingDefined,
            PlaceName::OutOfRegion => Place::OutOfRegion,
        };
        let unit = match place {
            Place::Province => unit(path, &row.province_code)?,
            Place::BeingDefined | Place::OutOfRegion => region.clone(),
        };
        let code = row.province_code;
        Ok((code.clone(), Source { code, name: row.name, place, region, unit }))
    };
    rows.into_iter().map(source).collect()
}

fn days(
    folder: &Path,
    sources: &BTreeMap<String, Source>,
    regions: &BTreeMap<UnitId, String>,
) -> Result<BTreeMap<Date, Day>, ReadError> {
    let mut days: BTreeMap<Date, Day> = BTreeMap::new();
    let path = folder.join("province_daily.csv.gz");
    for row in rows::<ProvinceDay>(&path)? {
        if !sources.contains_key(&row.province_code) {
            return Err(ReadError::Code { path, found: row.province_code });
        }
        let day = days.entry(row.date).or_default();
        day.rows.insert(row.province_code, row.total_cases);
    }
    let path = folder.join("region_daily_published.csv.gz");
    for row in rows::<RegionDay>(&path)? {
        let region = unit(&path, &row.region_id)?;
        if !regions.contains_key(&region) {
            return Err(ReadError::Code { path, found: row.region_id });
        }
        days.entry(row.date).or_default().regions.insert(region, row.totale_casi);
    }
    for row in rows::<NationDay>(&folder.join("national_daily_published.csv.gz"))? {
        days.entry(row.date).or_default().nation = Some(row.totale_casi);
    }
    Ok(days)
}

/// The exceptions of provinces; one more is of a measure that the provinces do not have.
fn exceptions(path: &Path) -> Result<Vec<Exception>, ReadError> {
    let rows: Vec<ExceptionRow> = rows(path)?;
    let of_provinces =
        |row: &ExceptionRow| row.level == "province->region" && row.measure == "totale_casi";
    let exception = |row: ExceptionRow| {
        let region = unit(path, &row.region_id)?;
        Ok(Exception { date: row.date, region, sum: row.sum_lower, published: row.published })
    };
    rows.into_iter().filter(of_provinces).map(exception).collect()
}
