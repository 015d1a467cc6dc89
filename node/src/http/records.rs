//! Records: read, insert, change, delete.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use reeve_crdt::record::{FieldError, Record, RecordId, Value};
use reeve_crdt::schema::Kind;
use reeve_crdt::twin::RecordOp;
use reeve_policy::authz::Person;
use reeve_protocol::local::{Answer, Failure, Question};
use reeve_statement::names::FieldId;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::body::{Document, Params, Who, json, parameter};
use super::fault::Fault;
use super::service::Service;
use crate::api::{
    FieldProblem, MAX_BATCH_BYTES, MAX_OPERATIONS, MAX_REQUEST_BYTES, Operation, RecordView,
    Records, WriteRequest, Written,
};

type Shared = State<Arc<Service>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shard {
    #[serde(default)]
    shard: u32,
}

pub(super) async fn list(
    State(service): Shared,
    Who(who): Who,
    Path(kind): Path<String>,
    Params(Shard { shard }): Params<Shard>,
) -> Result<Document<Records>, Fault> {
    let kind = service.kind(&kind)?;
    let answer = service.ask(&who, Question::Records { kind: kind.id.clone(), shard }).await?;
    let Answer::Records { records, shards } = answer else { return Err(Fault::OtherAnswer) };
    let records = records.iter().map(|(id, record)| view(&kind, id, record)).collect();
    Ok(Document(Records { shard, shards, records }))
}

fn view(kind: &Kind, id: &RecordId, record: &Record) -> RecordView {
    let fields = match record.to_json(kind) {
        Json::Object(fields) => fields,
        _ => Map::new(),
    };
    RecordView { id: id.as_str().to_owned(), record: fields }
}

pub(super) async fn read(
    State(service): Shared,
    Who(who): Who,
    Path((kind, id)): Path<(String, String)>,
) -> Result<Document<RecordView>, Fault> {
    let kind = service.kind(&kind)?;
    let id = record_id(&id)?;
    let question = Question::Record { kind: kind.id.clone(), id: id.clone() };
    match service.ask(&who, question).await? {
        Answer::Record(Some(record)) => Ok(Document(view(&kind, &id, &record))),
        Answer::Record(None) => Err(Fault::NotFound("record of that id", "")),
        _ => Err(Fault::OtherAnswer),
    }
}

pub(super) async fn put(
    State(service): Shared,
    Who(who): Who,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<Written>, Fault> {
    let kind = service.kind(&kind)?;
    let record = json(&headers, body, MAX_REQUEST_BYTES).await?;
    write_all(&service, &who, &kind, vec![Operation::Put { id, record }]).await
}

pub(super) async fn patch(
    State(service): Shared,
    Who(who): Who,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<Written>, Fault> {
    let kind = service.kind(&kind)?;
    let fields: Map<String, Json> = json(&headers, body, MAX_REQUEST_BYTES).await?;
    let set = |(field, value)| Operation::Set { id: id.clone(), field, value };
    write_all(&service, &who, &kind, fields.into_iter().map(set).collect()).await
}

pub(super) async fn delete(
    State(service): Shared,
    Who(who): Who,
    Path((kind, id)): Path<(String, String)>,
) -> Result<Document<Written>, Fault> {
    let kind = service.kind(&kind)?;
    write_all(&service, &who, &kind, vec![Operation::Delete { id }]).await
}

pub(super) async fn write(
    State(service): Shared,
    Who(who): Who,
    Path(kind): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<Written>, Fault> {
    let kind = service.kind(&kind)?;
    let request: WriteRequest = json(&headers, body, MAX_BATCH_BYTES).await?;
    write_all(&service, &who, &kind, request.operations).await
}

async fn write_all(
    service: &Service,
    who: &Person,
    kind: &Kind,
    operations: Vec<Operation>,
) -> Result<Document<Written>, Fault> {
    let ops = checked(kind, &operations)?;
    let question = Question::Write { kind: kind.id.clone(), ops, import: None };
    match service.ask(who, question).await? {
        Answer::Written(written) => Ok(Document(written.into())),
        _ => Err(Fault::OtherAnswer),
    }
}

/// Holds every operation against the kind; all mistakes at once.
pub(super) fn checked(kind: &Kind, operations: &[Operation]) -> Result<Vec<RecordOp>, Fault> {
    if operations.len() > MAX_OPERATIONS {
        let found = operations.len();
        return Err(Fault::Failed(Failure::TooMany { limit: MAX_OPERATIONS, found }));
    }
    let mut ops = Vec::with_capacity(operations.len());
    let mut problems = Vec::new();
    for (operation, wanted) in operations.iter().enumerate() {
        match checked_one(kind, wanted) {
            Ok(op) => ops.push(op),
            Err(errors) => problems.extend(errors.into_iter().map(|error| FieldProblem {
                operation: Some(operation),
                field: error.field,
                rule: error.fault.to_string(),
            })),
        }
    }
    if problems.is_empty() { Ok(ops) } else { Err(Fault::Fields(problems)) }
}

fn checked_one(kind: &Kind, operation: &Operation) -> Result<RecordOp, Vec<FieldError>> {
    let id = |text: &str| {
        let expected = "an id of 1 to 128 bytes without control characters";
        let fault = reeve_crdt::record::Fault::Malformed { expected };
        RecordId::new(text).map_err(|_| vec![FieldError { field: "id".to_owned(), fault }])
    };
    match operation {
        Operation::Put { id: text, record } => {
            let id = id(text)?;
            let record = kind.validate(Record::from_json(kind, record)?)?;
            Ok(RecordOp::Put { id, record })
        }
        Operation::Delete { id: text } => Ok(RecordOp::Delete { id: id(text)? }),
        Operation::Set { id: text, field, value } => {
            let id = id(text)?;
            let (field, value) = set(kind, field, value).map_err(|fault| {
                vec![FieldError { field: reeve_crdt::located::excerpt(field), fault }]
            })?;
            Ok(RecordOp::SetField { id, field, value })
        }
    }
}

fn set(
    kind: &Kind,
    field: &str,
    value: &Json,
) -> Result<(FieldId, Option<Value>), reeve_crdt::record::Fault> {
    let known = kind.field(field).ok_or(reeve_crdt::record::Fault::UnknownField)?;
    if value.is_null() {
        return Ok((known.id.clone(), None));
    }
    let value = Value::from_json(&known.field_type, value)?;
    value.check(&known.field_type)?;
    Ok((known.id.clone(), Some(value)))
}

fn record_id(text: &str) -> Result<RecordId, Fault> {
    RecordId::new(text).map_err(|error| Fault::Parameter("id", error.to_string()))
}

/// A shard or number of the path.
pub(super) fn number(name: &'static str, text: &str) -> Result<u64, Fault> {
    parameter(name, text)
}
