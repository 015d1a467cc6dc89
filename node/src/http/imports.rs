//! Imports: begun, fed with batches, ended; and periods closed without records.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use reeve_crdt::record::Value;
use reeve_crdt::schema::Kind;
use reeve_crdt::twin::RecordOp;
use reeve_protocol::local::{Answer, ImportMode, Question, Sweep};
use reeve_statement::cbor;
use reeve_statement::names::KindId;
use reeve_statement::period::Period;
use reeve_statement::release::RevisionReason;
use serde::Deserialize;

use super::body::{Document, Params, Who, json, media_type, parameter, parse_json, read};
use super::fault::Fault;
use super::records::{checked, number};
use super::service::Service;
use crate::api::batch::{self, BatchError, End, Snapshot};
use crate::api::{
    BeginImport, Begun, CBOR, Closing, Ended, FieldProblem, JSON, MAX_BATCH_BYTES,
    MAX_REQUEST_BYTES, MAX_SWEEP_BYTES, NDJSON, Operation, RecordView, Written,
};

type Shared = State<Arc<Service>>;

/// Bytes of one hash of a snapshot.
const HASH_BYTES: usize = 16;

pub(super) async fn begin(
    State(service): Shared,
    Who(who): Who,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Document<Begun>), Fault> {
    let begin: BeginImport = json(&headers, body, MAX_REQUEST_BYTES).await?;
    let kind = service.kind(&begin.kind)?.id.clone();
    let file = parameter("sha256", &begin.sha256)?;
    let name: String = begin.name.chars().filter(|c| !c.is_control()).take(255).collect();
    let mode = if begin.append { ImportMode::Append } else { ImportMode::Replace };
    match service.ask(&who, Question::BeginImport { kind, file, name, mode }).await? {
        Answer::Begun(import) => Ok((StatusCode::CREATED, Document(Begun { import }))),
        _ => Err(Fault::OtherAnswer),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfKind {
    kind: String,
}

pub(super) async fn batch(
    State(service): Shared,
    Who(who): Who,
    Path(import): Path<String>,
    Params(OfKind { kind }): Params<OfKind>,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<Written>, Fault> {
    let import = number("import", &import)?;
    let kind = service.kind(&kind)?;
    let media = media_type(&headers).unwrap_or_default().to_owned();
    let bytes = read(&headers, body, MAX_BATCH_BYTES).await?;
    let ops = match media.as_str() {
        CBOR => batch::decode(&kind, &bytes).map_err(|error| batch_fault(&error))?,
        NDJSON => lines(&kind, &bytes)?,
        _ => return Err(Fault::MediaType("application/cbor or application/x-ndjson")),
    };
    let question = Question::Write { kind: kind.id.clone(), ops, import: Some(import) };
    match service.ask(&who, question).await? {
        Answer::Written(written) => Ok(Document(written.into())),
        _ => Err(Fault::OtherAnswer),
    }
}

fn batch_fault(error: &BatchError) -> Fault {
    let BatchError::Record { record, error: inner } = error else {
        return Fault::Malformed(error.to_string());
    };
    let problem = |field: &str, rule| FieldProblem {
        operation: Some(*record),
        field: field.to_owned(),
        rule,
    };
    Fault::Fields(match inner {
        reeve_crdt::record::RecordError::Invalid(errors) => {
            errors.iter().map(|error| problem(&error.field, error.fault.to_string())).collect()
        }
        other => vec![problem("", other.to_string())],
    })
}

fn lines(kind: &Kind, bytes: &[u8]) -> Result<Vec<RecordOp>, Fault> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let puts = lines.take(crate::api::MAX_OPERATIONS.saturating_add(1)).map(|line| {
        let RecordView { id, record } = parse_json(line)?;
        Ok(Operation::Put { id, record })
    });
    checked(kind, &puts.collect::<Result<Vec<_>, Fault>>()?)
}

pub(super) async fn end(
    State(service): Shared,
    Who(who): Who,
    Path(import): Path<String>,
    Params(OfKind { kind }): Params<OfKind>,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<Ended>, Fault> {
    let kind = service.kind(&kind)?;
    let import = number("import", &import)?;
    let end = match media_type(&headers) {
        Some(JSON) => {
            let Closing { source, closes, reason, .. } =
                json(&headers, body, MAX_REQUEST_BYTES).await?;
            End { source, closes, snapshot: None, reason }
        }
        Some(CBOR) => {
            let bytes = read(&headers, body, MAX_SWEEP_BYTES).await?;
            cbor::from_slice("end of an import", &bytes, MAX_SWEEP_BYTES)
                .map_err(|error| Fault::Malformed(error.to_string()))?
        }
        _ => return Err(Fault::MediaType("application/json or application/cbor")),
    };
    let closes = periods(&end.closes)?;
    let sweep = end.snapshot.as_ref().map(|it| sweep(&kind, it)).transpose()?;
    let reason = reason(end.reason.as_deref())?;
    let question = Question::EndImport { import, source: end.source, closes, reason, sweep };
    match service.ask(&who, question).await? {
        Answer::Ended(row) => Ok(Document(Ended::from(&row))),
        _ => Err(Fault::OtherAnswer),
    }
}

fn sweep(kind: &Kind, snapshot: &Snapshot) -> Result<Sweep, Fault> {
    let (seen, rest) = snapshot.seen.as_chunks::<HASH_BYTES>();
    if !rest.is_empty() {
        return Err(Fault::Parameter("seen", "expected a multiple of 16 bytes".to_owned()));
    }
    let scope = snapshot.scope.iter().map(|of| {
        let known = kind
            .field(&of.field)
            .ok_or_else(|| Fault::Parameter("scope", "expected fields of the kind".to_owned()))?;
        let values = of.values.iter().map(|text| {
            Value::parse(&known.field_type, text)
                .map_err(|fault| Fault::Parameter("scope", fault.to_string()))
        });
        Ok((known.id.clone(), values.collect::<Result<_, Fault>>()?))
    });
    let scope = scope.collect::<Result<_, Fault>>()?;
    Ok(Sweep { seen: seen.iter().copied().collect(), scope })
}

fn reason(code: Option<&str>) -> Result<Option<RevisionReason>, Fault> {
    let Some(code) = code else { return Ok(None) };
    let telling = RevisionReason::of_code(code).filter(|reason| reason.is_telling());
    let expected = || {
        let known = RevisionReason::ALL.into_iter().filter(|reason| reason.is_telling());
        format!(
            "expected one of {}",
            known.map(RevisionReason::code).collect::<Vec<_>>().join(", ")
        )
    };
    telling.map(Some).ok_or_else(|| Fault::Parameter("reason", expected()))
}

fn periods(texts: &[String]) -> Result<Vec<Period>, Fault> {
    texts.iter().map(|text| parameter("closes", text)).collect()
}

pub(super) async fn close(
    State(service): Shared,
    Who(who): Who,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<Written>, Fault> {
    let closing: Closing = json(&headers, body, MAX_REQUEST_BYTES).await?;
    let missing = || Fault::Parameter("kind", "expected the kind whose periods close".to_owned());
    let kind: KindId = parameter("kind", &closing.kind.ok_or_else(missing)?)?;
    let periods = periods(&closing.closes)?;
    let reason = reason(closing.reason.as_deref())?;
    let question = Question::Close { kind, source: closing.source, periods, reason };
    match service.ask(&who, question).await? {
        Answer::Written(written) => Ok(Document(written.into())),
        Answer::Done => Ok(Document(Written::default())),
        _ => Err(Fault::OtherAnswer),
    }
}
