//! Figures, and which periods have them.

use std::sync::Arc;

use axum::extract::{Path, State};
use reeve_policy::authz::Person;
use reeve_protocol::local::{Answer, Question};
use reeve_statement::catalogue::RecipientClass;
use reeve_statement::names::IndicatorId;
use reeve_statement::period::Period;
use reeve_statement::unit::UnitPath;
use serde::Deserialize;

use super::body::{Document, Params, Who, parameter};
use super::fault::Fault;
use super::service::Service;
use crate::api::{Figure, Periods};

/// Periods told unless asked otherwise: a season of days.
const PERIODS: usize = 100;
/// Most periods told at once.
const MAX_PERIODS: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    period: String,
    area: Option<String>,
    #[serde(default)]
    own: bool,
    class: Option<String>,
    #[serde(default)]
    superior: bool,
}

pub(super) async fn figure(
    State(service): State<Arc<Service>>,
    Who(who): Who,
    Path(indicator): Path<String>,
    Params(Which { period, area, own, class, superior }): Params<Which>,
) -> Result<Document<Figure>, Fault> {
    let indicator: IndicatorId = parameter("indicator", &indicator)?;
    let period: Period = parameter("period", &period)?;
    let area: Option<UnitPath> = area.map(|area| parameter("area", &area)).transpose()?;
    let class = class.map(|class| self::class(&class)).transpose()?;
    if own {
        return own_figure(&service, &who, indicator, period, area.as_ref()).await;
    }
    if superior && (area.is_some() || class.is_some()) {
        let why = "the superior tells what all its subordinates may see; leave area and class out";
        return Err(Fault::Parameter("superior", why.to_owned()));
    }
    let question = match class {
        None if superior => Question::SuperiorFigure { indicator, period },
        None => Question::Figure { indicator, period, area: area.clone() },
        Some(class) => Question::ClassFigure { indicator, period, area: area.clone(), class },
    };
    match service.ask(&who, question).await? {
        Answer::Figure(Some(view)) => Ok(Document(Figure::of(&view, area.as_ref()))),
        Answer::Figure(None) => Err(Fault::NotFound(
            "figure of that period",
            "nobody has reported it, or policy declines to tell it (`reeve policy explain`); `reeve \
             query INDICATOR --periods` lists those there are, and --own shows the unit's own table",
        )),
        _ => Err(Fault::OtherAnswer),
    }
}

/// The class of recipients whose edition is asked for.
pub(super) fn class(name: &str) -> Result<RecipientClass, Fault> {
    let found = RecipientClass::ALL.into_iter().find(|class| class.to_string() == name);
    let why = || format!("expected superior, neighbour or public, found {name:?}");
    found.ok_or_else(|| Fault::Parameter("class", why()))
}

async fn own_figure(
    service: &Service,
    who: &Person,
    indicator: IndicatorId,
    period: Period,
    area: Option<&UnitPath>,
) -> Result<Document<Figure>, Fault> {
    if area.is_some() {
        let why = "the own table is of the unit itself; leave the area out".to_owned();
        return Err(Fault::Parameter("area", why));
    }
    match service.ask(who, Question::OwnFigure { indicator, period }).await? {
        Answer::OwnFigure(Some(view)) => Ok(Document(Figure::of_own(&view))),
        Answer::OwnFigure(None) => Err(Fault::NotFound(
            "own table of that period",
            "no record is about it, and no source has closed it",
        )),
        _ => Err(Fault::OtherAnswer),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Most {
    limit: Option<usize>,
}

pub(super) async fn periods(
    State(service): State<Arc<Service>>,
    Who(who): Who,
    Path(indicator): Path<String>,
    Params(Most { limit }): Params<Most>,
) -> Result<Document<Periods>, Fault> {
    let indicator: IndicatorId = parameter("indicator", &indicator)?;
    let limit = limit.unwrap_or(PERIODS).min(MAX_PERIODS);
    match service.ask(&who, Question::Periods { indicator, limit }).await? {
        Answer::Periods(periods) => {
            let periods = periods.iter().map(ToString::to_string).collect();
            Ok(Document(Periods { periods }))
        }
        _ => Err(Fault::OtherAnswer),
    }
}
