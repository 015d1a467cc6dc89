//! Without a line: letters to and from other units, and admitting newcomers by file.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use reeve_policy::authz::Action;
use reeve_protocol::local::{Answer, Question};
use reeve_statement::cbor;
use reeve_statement::unit::UnitPath;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::body::{Document, Params, Who, json, media_type, parameter, read};
use super::fault::Fault;
use super::service::Service;
use crate::api::{CBOR, Due, LetterPage, LetterTaken, MAX_LETTER_BYTES, MAX_REQUEST_BYTES};

type Shared = State<Arc<Service>>;

/// Longest place where a letter ends, in hexadecimal digits: the name of a figure.
const MAX_PLACE: usize = 4 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    to: String,
    after: Option<String>,
}

pub(super) async fn freshen(
    State(service): Shared,
    Who(who): Who,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<Due>, Fault> {
    // It says nothing; that it is JSON keeps out what the form of a foreign page can send.
    let _: IgnoredAny = json(&headers, body, MAX_REQUEST_BYTES).await?;
    match service.ask(&who, Question::Freshen).await? {
        Answer::Due(due) => Ok(Document(Due { due })),
        _ => Err(Fault::OtherAnswer),
    }
}

pub(super) async fn write(
    State(service): Shared,
    Who(who): Who,
    Params(Which { to, after }): Params<Which>,
) -> Result<Response, Fault> {
    let to: UnitPath = parameter("to", &to)?;
    let after = after.map(|after| {
        let place = hex::decode(&after).ok().filter(|_| after.len() <= MAX_PLACE);
        place.ok_or_else(|| Fault::Parameter("after", "expected hexadecimal digits".to_owned()))
    });
    let question = Question::Letter { to, after: after.transpose()? };
    match service.ask(&who, question).await? {
        Answer::Letter { letter, next } => {
            let page = cbor::to_vec(&LetterPage { letter, next });
            Ok(([(header::CONTENT_TYPE, CBOR)], page).into_response())
        }
        _ => Err(Fault::OtherAnswer),
    }
}

pub(super) async fn take(
    State(service): Shared,
    Who(who): Who,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<LetterTaken>, Fault> {
    if media_type(&headers) != Some(CBOR) {
        return Err(Fault::MediaType(CBOR));
    }
    // Nobody but who may take letters makes this read one.
    service.ask_done(&who, Question::Permission(Action::ManagePeers)).await?;
    let letter = read(&headers, body, MAX_LETTER_BYTES).await?.to_vec();
    match service.ask(&who, Question::TakeLetter(letter)).await? {
        Answer::LetterTaken(taken) => Ok(Document(LetterTaken::from(&*taken))),
        _ => Err(Fault::OtherAnswer),
    }
}

pub(super) async fn admission(
    State(service): Shared,
    Who(who): Who,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<serde_json::Value>, Fault> {
    service.order(&who, service.settings.admissions.as_ref(), &headers, body).await
}
