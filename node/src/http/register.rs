//! The register of subordinates: who is expected to report, with names and populations.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use reeve_policy::authz::Person;
use reeve_protocol::local::{Answer, EntryChange, Question};
use reeve_statement::limits::TEXT_BYTES;
use reeve_statement::register::Population;
use reeve_statement::unit::UnitId;

use super::body::{Document, Who, json, parameter};
use super::fault::Fault;
use super::service::Service;
use crate::api::{MAX_REQUEST_BYTES, PopulationEntry, Published, RegisterChange, RegisterUnit};

/// Longest language tag, in bytes (RFC 5646 section 4.4.1), as in the statement.
const LANGUAGE_BYTES: usize = 35;
/// Years that a population can be of: there was a census before, but no federation will quote it.
const YEARS: std::ops::RangeInclusive<u16> = 1800..=9999;

pub(super) async fn register(
    State(service): State<Arc<Service>>,
    Who(who): Who,
) -> Result<Document<Vec<RegisterUnit>>, Fault> {
    match service.ask(&who, Question::Register).await? {
        Answer::Register(units) => Ok(Document(units.iter().map(RegisterUnit::from).collect())),
        _ => Err(Fault::OtherAnswer),
    }
}

/// Names of the subordinates, for whoever may see the register.
pub(super) async fn names(
    service: &Service,
    who: &Person,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, Fault> {
    match service.ask(who, Question::Register).await {
        Ok(Answer::Register(units)) => {
            Ok(units.iter().map(RegisterUnit::from).map(|it| (it.unit, it.names)).collect())
        }
        Err(Fault::Declined(_)) => Ok(BTreeMap::new()),
        Ok(_) => Err(Fault::OtherAnswer),
        Err(fault) => Err(fault),
    }
}

pub(super) async fn change(
    State(service): State<Arc<Service>>,
    Who(who): Who,
    Path(unit): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<Published>, Fault> {
    let unit: UnitId = parameter("unit", &unit)?;
    let change: RegisterChange = json(&headers, body, MAX_REQUEST_BYTES).await?;
    let change = checked(unit, change)?;
    service.ask_done(&who, Question::ChangeEntry(change)).await?;
    Ok(Document(Published { done: true }))
}

/// Only what fits a statement is signed.
fn checked(unit: UnitId, change: RegisterChange) -> Result<EntryChange, Fault> {
    let RegisterChange { names, population, population_unknown } = change;
    let wrong = |name, expected: String| Err(Fault::Parameter(name, expected));
    for (language, name) in &names {
        let tag = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if language.is_empty() || language.len() > LANGUAGE_BYTES || !language.chars().all(tag) {
            return wrong("names", "expected a language tag such as it or zh-Hant".to_owned());
        }
        if name.len() > TEXT_BYTES {
            return wrong("names", format!("expected at most {TEXT_BYTES} bytes"));
        }
    }
    let population = match population {
        Some(_) if population_unknown => {
            return wrong("population", "expected a population, or that it is unknown".to_owned());
        }
        Some(PopulationEntry { persons, year, source }) => {
            if !YEARS.contains(&year) {
                return wrong("year", format!("expected {} or later", YEARS.start()));
            }
            if source.is_empty() || source.len() > TEXT_BYTES {
                return wrong("source", format!("expected a text of 1 to {TEXT_BYTES} bytes"));
            }
            Some(Some(Population { persons, year, source }))
        }
        None => population_unknown.then_some(None),
    };
    Ok(EntryChange { unit, names: names.into_iter().collect(), population })
}
