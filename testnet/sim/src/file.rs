//! A plan as a file, so that a failure that was found once is tried for ever.

use std::collections::BTreeMap;

use reeve_statement::unit::UnitPath;
use serde::{Deserialize, Serialize};

use crate::plan::{Faults, Plan};

/// Why a file is no plan.
#[derive(Debug)]
pub struct BadPlan(String);

impl core::fmt::Display for BadPlan {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "the file is no plan of a simulation: {}", self.0)
    }
}

impl core::error::Error for BadPlan {}

/// The file's form: TOML.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanFile {
    seed: u64,
    units: Vec<String>,
    #[serde(default)]
    hostile: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiring: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    restored: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    handed: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    by_force: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rekeyed: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    rounds: u32,
    trouble_ms: u64,
    writes_per_second: u32,
    faults: Faults,
    #[serde(default)]
    homes: BTreeMap<String, u8>,
}

impl Plan {
    /// The plan as a file.
    ///
    /// # Panics
    /// Never: every plan can be written.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let text = |unit: &UnitPath| unit.to_string();
        let file = PlanFile {
            seed: self.seed,
            units: self.units.iter().map(text).collect(),
            hostile: self.hostile.iter().map(text).collect(),
            revoked: self.revoked.as_ref().map(text),
            expiring: self.expiring.as_ref().map(text),
            restored: self.restored.as_ref().map(text),
            handed: self.handed.as_ref().map(text),
            by_force: self.by_force,
            rekeyed: self.rekeyed.as_ref().map(text),
            expires: self.expires.as_ref().map(text),
            rounds: self.rounds,
            trouble_ms: self.trouble_ms,
            writes_per_second: self.writes_per_second,
            faults: self.faults,
            homes: self.homes.iter().map(|(unit, nodes)| (text(unit), *nodes)).collect(),
        };
        toml::to_string(&file).unwrap()
    }

    /// The plan that a file holds.
    ///
    /// # Errors
    /// [`BadPlan`] says what is wrong with it.
    pub fn from_toml(text: &str) -> Result<Self, BadPlan> {
        let bad = |error: &dyn core::fmt::Display| BadPlan(error.to_string());
        let file: PlanFile = toml::from_str(text).map_err(|error| bad(&error))?;
        let unit = |text: &String| text.parse::<UnitPath>().map_err(|error| bad(&error));
        Ok(Self {
            seed: file.seed,
            units: file.units.iter().map(unit).collect::<Result<_, _>>()?,
            homes: file
                .homes
                .iter()
                .map(|(text, nodes)| Ok((unit(text)?, *nodes)))
                .collect::<Result<_, _>>()?,
            hostile: file.hostile.iter().map(unit).collect::<Result<_, _>>()?,
            revoked: file.revoked.as_ref().map(unit).transpose()?,
            expiring: file.expiring.as_ref().map(unit).transpose()?,
            restored: file.restored.as_ref().map(unit).transpose()?,
            handed: file.handed.as_ref().map(unit).transpose()?,
            by_force: file.by_force,
            rekeyed: file.rekeyed.as_ref().map(unit).transpose()?,
            expires: file.expires.as_ref().map(unit).transpose()?,
            faults: Faults {
                delay_ms: file.faults.delay_ms.max(1),
                commit_ms: file.faults.commit_ms.max(1),
                ..file.faults
            },
            rounds: file.rounds,
            trouble_ms: file.trouble_ms,
            writes_per_second: file.writes_per_second,
        })
    }
}
