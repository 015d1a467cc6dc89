//! The register of subordinates: who is expected to report, with names and populations, and what becomes
//! of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use reeve_policy::authz::Person;
use reeve_protocol::local::{Answer, EntryChange, Question};
use reeve_protocol::register::RegisterAct;
use reeve_statement::calendar::{Calendar, HOLIDAYS, Weekdays};
use reeve_statement::catalogue::Titles;
use reeve_statement::limits::TEXT_BYTES;
use reeve_statement::register::{Day, Population};
use reeve_statement::unit::UnitId;

use super::body::{Document, Who, json, parameter};
use super::fault::Fault;
use super::service::Service;
use crate::api::{
    CalendarEntry, MAX_FILE_BYTES, MAX_REQUEST_BYTES, PopulationEntry, Published, RegisterChange,
    RegisterOrder, RegisterUnit, Registered,
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

pub(super) async fn act(
    State(service): State<Arc<Service>>,
    Who(who): Who,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<Registered>, Fault> {
    let order: RegisterOrder = json(&headers, body, MAX_FILE_BYTES).await?;
    match service.ask(&who, ordered(order)?).await? {
        Answer::Registered(statement) => {
            Ok(Document(Registered { statement: statement.to_string() }))
        }
        _ => Err(Fault::OtherAnswer),
    }
}

fn ordered(order: RegisterOrder) -> Result<Question, Fault> {
    let unit = |text: &str| parameter::<UnitId>("unit", text);
    let day = |text: &str| parameter("from", text);
    Ok(Question::ChangeRegister(match order {
        RegisterOrder::Merge { units, into, names, from } => RegisterAct::Merge {
            units: units.iter().map(|it| unit(it)).collect::<Result<_, _>>()?,
            into: parameter("into", &into)?,
            names: Titles(checked_names(names)?),
            from: day(&from)?,
        },
        RegisterOrder::Split { unit: of, into, stays, from } => {
            let new = |text: &String| Ok((parameter("into", text)?, Titles::default()));
            RegisterAct::Split {
                unit: unit(&of)?,
                into: into.iter().map(new).collect::<Result<_, Fault>>()?,
                stays,
                from: day(&from)?,
            }
        }
        RegisterOrder::Rename { unit: of, names, from } => RegisterAct::Rename {
            unit: unit(&of)?,
            names: checked_names(names)?,
            from: from.as_deref().map(day).transpose()?,
        },
        RegisterOrder::Move { unit: of, to, from } => {
            RegisterAct::Move { unit: unit(&of)?, to: parameter("to", &to)?, from: day(&from)? }
        }
        RegisterOrder::End { unit: of, from } => {
            RegisterAct::End { unit: unit(&of)?, from: day(&from)? }
        }
        RegisterOrder::Reopen { unit: of } => RegisterAct::Reopen { unit: unit(&of)? },
        RegisterOrder::Receive { unit: of, statement } => {
            let statement = hex::decode(&statement).map_err(|_| {
                Fault::Parameter("statement", "expected hexadecimal digits".to_owned())
            })?;
            return Ok(Question::ReceiveUnit { unit: unit(&of)?, statement });
        }
    }))
}

/// Names that fit a statement.
fn checked_names(names: BTreeMap<String, String>) -> Result<Vec<(String, String)>, Fault> {
    let wrong = |expected: String| Err(Fault::Parameter("names", expected));
    for (language, name) in &names {
        let tag = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if language.is_empty() || language.len() > LANGUAGE_BYTES || !language.chars().all(tag) {
            return wrong("expected a language tag such as it or zh-Hant".to_owned());
        }
        if name.len() > TEXT_BYTES {
            return wrong(format!("expected at most {TEXT_BYTES} bytes"));
        }
    }
    Ok(names.into_iter().collect())
}

/// Only what fits a statement is signed.
fn checked(unit: UnitId, change: RegisterChange) -> Result<EntryChange, Fault> {
    let RegisterChange { names, population, population_unknown, time_zone } = change;
    let wrong = |name, expected: String| Err(Fault::Parameter(name, expected));
    let names = checked_names(names)?;
    if let Some(zone) = &time_zone
        && jiff::tz::TimeZone::get(zone).is_err()
    {
        let expected = format!("expected an IANA time zone such as Europe/Rome, found {zone:?}");
        return wrong("time_zone", expected);
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
    Ok(EntryChange { unit, names, population, time_zone })
}
