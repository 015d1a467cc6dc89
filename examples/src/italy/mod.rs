//! The Italy pack: its files, and a plain reader of the published data for what is to be expected.
//!
//! The data (Dipartimento della Protezione Civile, CC BY 4.0; see the pack's README) is not in the
//! repository; [`Published::read`] takes the folder. It reads the files itself, by no way that a node
//! uses, so that a figure of the network can be held against it.

use std::path::{Path, PathBuf};

mod published;
mod read;
mod restated;

pub use published::{Area, Day, Exception, Place, Published, Source};
pub use read::ReadError;
pub use restated::{Evening, MEASURES, ProvincesEvening, Restated, Values};

/// `schema.toml`: cumulative cases per day.
pub const SCHEMA: &str = include_str!("../../italy/schema.toml");

/// `catalogue.toml`: total cases by day, exact.
pub const CATALOGUE: &str = include_str!("../../italy/catalogue.toml");

/// `catalogue-floor5.toml`: the same figure with a floor of five persons.
pub const CATALOGUE_FLOOR5: &str = include_str!("../../italy/catalogue-floor5.toml");

/// `mapping.toml`: for `reeve import` of the provinces' file.
pub const MAPPING: &str = include_str!("../../italy/mapping.toml");

/// `catalogue-regions.toml`: what is published of each region every evening.
pub const CATALOGUE_REGIONS: &str = include_str!("../../italy/catalogue-regions.toml");

/// `mapping-regions.toml`: for `reeve import` of the regions' file.
pub const MAPPING_REGIONS: &str = include_str!("../../italy/mapping-regions.toml");

/// The unit id of the nation.
pub const NATION: &str = "it";

/// First and last day of the window in which provinces add up to their regions without an exception.
pub const WINDOW: (jiff::civil::Date, jiff::civil::Date) =
    (jiff::civil::date(2020, 2, 25), jiff::civil::date(2020, 9, 4));

/// The environment variable that names the folder of the published files.
pub const DATA_VARIABLE: &str = "REEVE_ITALY_DATA";

/// The folder of the published files, if this machine has it: the one that [`DATA_VARIABLE`] names,
/// else `shared/data/italy` beside the repository.
#[must_use]
pub fn data_folder() -> Option<PathBuf> {
    let named = std::env::var_os(DATA_VARIABLE).map(PathBuf::from);
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/italy");
    Some(named.unwrap_or_else(beside)).filter(|folder| folder.join("units.csv").is_file())
}

#[cfg(test)]
mod tests;
