//! The epidemic pack: its files, and a synthetic outbreak to fill it with.
//!
//! [`Topology`] says which municipalities there are, [`Outbreak`] moves through them day by day and
//! yields every change of their twins as [`Event`]s, [`Folder`] writes the same as the CSV files a
//! municipality would export each night, [`cases_csv`] makes a long line list for benchmarks.
//!
//! Everything follows from a seed. Persons, places and the law named in the catalogue are invented;
//! the course of the outbreak is plausible and no more: it must not be used to learn about diseases.

mod bulk;
mod chance;
mod city;
mod course;
mod event;
mod files;
mod outbreak;
mod topology;

pub use bulk::{cases_csv, facilities_csv};
pub use event::{Change, Event, FieldValue, Fields, Holdings};
pub use files::{Folder, write_csv};
pub use outbreak::Outbreak;
pub use topology::{Municipality, Topology, TopologyError};

/// `schema.toml`: the dual twin.
pub const SCHEMA: &str = include_str!("../../epidemic/schema.toml");

/// `catalogue.toml`: the indicators.
pub const CATALOGUE: &str = include_str!("../../epidemic/catalogue.toml");

/// `policy.cedar`: who may have them.
pub const POLICY: &str = include_str!("../../epidemic/policy.cedar");

/// Mapping files for `reeve import`, by kind, in the order of import: what is referred to comes
/// first.
pub const MAPPINGS: [(&str, &str); 7] = [
    ("district", include_str!("../../epidemic/district.mapping.toml")),
    ("facility", include_str!("../../epidemic/facility.mapping.toml")),
    ("population_group", include_str!("../../epidemic/population_group.mapping.toml")),
    ("case", include_str!("../../epidemic/case.mapping.toml")),
    ("supply_stock", include_str!("../../epidemic/supply_stock.mapping.toml")),
    ("team", include_str!("../../epidemic/team.mapping.toml")),
    ("isolation_place", include_str!("../../epidemic/isolation_place.mapping.toml")),
];

/// [`SCHEMA`] for so many cases in one home: the number of shards of a kind is fixed before its
/// first record.
#[must_use]
pub fn schema_expecting(cases: u64) -> String {
    SCHEMA.replacen("expected_records = 50000 ", &format!("expected_records = {cases} "), 1)
}

#[cfg(test)]
mod tests;
