//! The register of subordinates: who is expected to report, with names and populations.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use reeve_policy::authz::Person;
use reeve_protocol::local::{Answer, EntryChange, Question};
use reeve_statement::calendar::{Calendar, HOLIDAYS, Weekdays};
use reeve_statement::limits::TEXT_BYTES;
use reeve_statement::register::{Day, Population};
use reeve_statement::unit::UnitId;

use super::body::{Document, Who, json, parameter};
use super::fault::Fault;
use super::service::Service;
use crate::api::{
    CalendarEntry, MAX_REQUEST_BYTES, PopulationEntry, Published, RegisterChange, RegisterUnit,
};

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

pub(super) async fn set_calendar_of_all(
    State(service): State<Arc<Service>>,
    Who(who): Who,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<Published>, Fault> {
    let said: CalendarEntry = json(&headers, body, MAX_REQUEST_BYTES).await?;
    let calendar = calendar(&said)?;
    service.ask_done(&who, Question::SetCalendar { unit: None, calendar }).await?;
    Ok(Document(Published { done: true }))
}

pub(super) async fn set_calendar(
    State(service): State<Arc<Service>>,
    Who(who): Who,
    Path(unit): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<Published>, Fault> {
    let unit: UnitId = parameter("unit", &unit)?;
    let said: CalendarEntry = json(&headers, body, MAX_REQUEST_BYTES).await?;
    let calendar = calendar(&said)?;
    service.ask_done(&who, Question::SetCalendar { unit: Some(unit), calendar }).await?;
    Ok(Document(Published { done: true }))
}

/// The calendar that a document says; none: it says nothing.
fn calendar(said: &CalendarEntry) -> Result<Option<Calendar>, Fault> {
    let wrong = |name, expected: String| Err(Fault::Parameter(name, expected));
    let weekdays = match said.weekdays.as_slice() {
        [] => None,
        names => match Weekdays::of_names(names.iter().map(String::as_str)) {
            None => return wrong("weekdays", "expected days such as mon and sat".to_owned()),
            some => some,
        },
    };
    let mut holidays = Vec::new();
    for day in &said.holidays {
        match day.parse() {
            Ok(day) => holidays.push(Day(day)),
            Err(_) => return wrong("holidays", "expected days such as 2026-12-25".to_owned()),
        }
    }
    holidays.sort_unstable();
    holidays.dedup();
    if holidays.len() > HOLIDAYS {
        return wrong("holidays", format!("expected at most {HOLIDAYS} days"));
    }
    Ok((weekdays.is_some() || !holidays.is_empty()).then_some(Calendar { weekdays, holidays }))
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
