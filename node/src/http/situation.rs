//! The situation: every indicator at a glance.

use std::sync::Arc;

use axum::extract::State;
use jiff::civil::Date;
use reeve_policy::authz::Person;
use reeve_protocol::local::{Answer, Failure, Question};
use reeve_protocol::situation::SituationView;
use reeve_statement::names::IndicatorId;
use serde::Deserialize;

use super::body::{Document, Params, Who, parameter};
use super::fault::Fault;
use super::register::names;
use super::service::Service;
use crate::api::Situation;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct When {
    day: Option<String>,
}

/// Each indicator is asked for by itself, so that one look at many does not keep the node from its
/// peers; the policy decides about each.
pub(super) async fn situation(
    State(service): State<Arc<Service>>,
    Who(who): Who,
    Params(When { day }): Params<When>,
) -> Result<Document<Situation>, Fault> {
    let day: Option<Date> = day.map(|day| parameter("day", &day)).transpose()?;
    let catalogue = service.catalogue(&who).await?;
    let (mut views, mut withheld, mut declined) = (Vec::new(), Vec::new(), None);
    for indicator in &catalogue.indicators {
        match look(&service, &who, &indicator.id, day).await {
            Ok(view) => views.push(view),
            Err(Fault::Declined(refusal)) => {
                withheld.push(indicator.id.to_string());
                declined = Some(refusal);
            }
            Err(fault) => return Err(fault),
        }
    }
    let names = names(&service, &who).await?;
    Situation::of(&views, withheld, names).map(Document).ok_or(match declined {
        Some(refusal) => Fault::Declined(refusal),
        None => Fault::NotFound("indicator", "the catalogue in force has none"),
    })
}

/// At a unit without subordinates the own table as it is, where policy shows it; else the figure as it
/// is told.
async fn look(
    service: &Service,
    who: &Person,
    indicator: &IndicatorId,
    day: Option<Date>,
) -> Result<SituationView, Fault> {
    let told = ask(service, who, indicator, day, false).await?;
    if !told.is_leaf {
        return Ok(told);
    }
    match ask(service, who, indicator, day, true).await {
        Ok(own) => Ok(own),
        Err(
            Fault::Declined(_)
            | Fault::Failed(Failure::NoTwin | Failure::Rebuilding | Failure::OwnTable(_)),
        ) => Ok(told),
        Err(fault) => Err(fault),
    }
}

async fn ask(
    service: &Service,
    who: &Person,
    indicator: &IndicatorId,
    day: Option<Date>,
    own: bool,
) -> Result<SituationView, Fault> {
    let question = Question::Situation { indicator: indicator.clone(), day, own };
    match service.ask(who, question).await? {
        Answer::Situation(view) => Ok(*view),
        _ => Err(Fault::OtherAnswer),
    }
}
