//! What an auditor needs to decide again: policy sets and schemas by their digests, and what was asked.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use reeve_protocol::local::{Answer, Question};
use reeve_statement::digest::Digest;

use super::body::{Who, parameter};
use super::fault::Fault;
use super::house::{TEXT, typed};
use super::service::Service;
use crate::api::JSON;

type Shared = State<Arc<Service>>;

pub(super) async fn policy_set(
    State(service): Shared,
    Who(who): Who,
    Path(digest): Path<String>,
) -> Result<Response, Fault> {
    let question = Question::PolicySet(parameter("digest", &digest)?);
    kept(&service, &who, question, TEXT, "policy set of that digest").await
}

pub(super) async fn asked(
    State(service): Shared,
    Who(who): Who,
    Path(digest): Path<String>,
) -> Result<Response, Fault> {
    let digest: Digest = parameter("digest", &digest)?;
    kept(&service, &who, Question::Asked(digest), JSON, "question of that digest").await
}

async fn kept(
    service: &Service,
    who: &reeve_policy::authz::Person,
    question: Question,
    media: &'static str,
    what: &'static str,
) -> Result<Response, Fault> {
    match service.ask(who, question).await? {
        Answer::Statement(Some(bytes)) => Ok(typed(media, bytes)),
        Answer::Statement(None) => Err(Fault::NotFound(what, "")),
        _ => Err(Fault::OtherAnswer),
    }
}
