//! The Italy pack: its files.

/// `schema.toml`: cumulative cases per day.
pub const SCHEMA: &str = include_str!("../../italy/schema.toml");

/// `catalogue.toml`: total cases by day, exact.
pub const CATALOGUE: &str = include_str!("../../italy/catalogue.toml");

/// `catalogue-floor5.toml`: the same figure with a floor of five persons.
pub const CATALOGUE_FLOOR5: &str = include_str!("../../italy/catalogue-floor5.toml");

/// `mapping.toml`: for `reeve import` of the provinces' file.
pub const MAPPING: &str = include_str!("../../italy/mapping.toml");
