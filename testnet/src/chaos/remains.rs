//! What the nodes leave behind, and what may never be in it.

use std::fs;

use reeve::runtime::store_config;
use reeve::store::{Store, StoreConfig};
use reeve::token::OPERATOR_TOKEN_FILE;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;

use super::federation::Site;
use crate::processes::{LOG_FILE, ProcessError};
use crate::trial::book::Book;
use crate::trial::cases::CANARY;
use crate::trial::kills::no_panic;
use crate::trial::{TrialError, broken, stores};

/// Files in a node's folder whose lines nobody else may see.
const SECRETS: [&str; 4] =
    ["keys/node.key", "keys/writer.key", OPERATOR_TOKEN_FILE, "writer.token"];

/// Shortest line of such a file that is looked for: shorter ones say nothing.
const SECRET_CHARACTERS: usize = 20;

/// Most memory that a node's process may hold, in kB: 512 MB.
pub(super) const MEMORY_KB: u64 = 512 * 1024;

/// Checks the stores of nodes that have stopped, deepest first, and all logs; how many statements it
/// verified.
pub(super) fn check(sites: &[Site], book: &mut Book, now: Timestamp) -> Result<usize, TrialError> {
    let mut verified = 0;
    for site in sites.iter().rev() {
        let unit = &site.place.unit;
        no_panic(unit, site.house.folder())?;
        no_secret(site)?;
        if site.peak_kb > MEMORY_KB {
            return Err(broken(unit, format!("its process held {} kB", site.peak_kb)));
        }
        if site.place.reports() {
            verified += stores::check(book, unit, &site.house, &below(sites, unit), now)?;
        } else {
            whole(unit, &store_config(&site.house))?;
        }
    }
    Ok(verified)
}

fn below(sites: &[Site], unit: &UnitPath) -> Vec<UnitPath> {
    let below = sites.iter().filter(|site| site.place.reports()).map(|site| &site.place.unit);
    below.filter(|other| other.parent().as_ref() == Some(unit)).cloned().collect()
}

/// Every row of a store is sound.
fn whole(unit: &UnitPath, config: &StoreConfig) -> Result<(), TrialError> {
    let failed = |error| TrialError::Store { unit: unit.clone(), error };
    let (mut store, _) = Store::open(config).map_err(failed)?;
    store.verify().map_err(failed)?;
    store.close().map_err(failed)
}

/// A log holds no key, no token and nothing of a record.
fn no_secret(site: &Site) -> Result<(), TrialError> {
    let folder = site.house.folder();
    let path = folder.join(LOG_FILE);
    let log = fs::read(&path).map_err(|reason| ProcessError::System { path, reason })?;
    let log = String::from_utf8_lossy(&log);
    let mut secrets = vec![CANARY.to_owned()];
    for file in SECRETS {
        // A node to which nobody writes has no writer's token.
        let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
        secrets.extend(lines.filter(|it| it.len() >= SECRET_CHARACTERS).map(str::to_owned));
    }
    if secrets.iter().any(|secret| log.contains(secret)) {
        return Err(broken(&site.place.unit, "its log holds a secret"));
    }
    Ok(())
}
