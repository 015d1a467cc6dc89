//! Removing records: what is too old, or one record of a person. An id comes in the body, never in the
//! path: paths are logged by proxies.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use reeve_crdt::record::RecordId;
use reeve_protocol::local::{Answer, Question};

use super::body::{Document, Who, json, parameter};
use super::fault::Fault;
use super::service::Service;
use crate::api::{EraseOrder, ExpireOrder, MAX_REQUEST_BYTES, Removed};

type Shared = State<Arc<Service>>;

pub(super) async fn expire(
    State(service): Shared,
    Who(who): Who,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<Removed>, Fault> {
    let order: ExpireOrder = json(&headers, body, MAX_REQUEST_BYTES).await?;
    let kind = match &order.kind {
        Some(kind) => Some(service.kind(kind)?.id.clone()),
        None => None,
    };
    let before = order.before.as_deref().map(|day| parameter("before", day)).transpose()?;
    let dry = order.dry_run;
    match service.ask(&who, Question::Expire { kind, before, dry }).await? {
        Answer::Expired(found) => {
            for found in found.iter().filter(|_| !dry) {
                tracing::info!(
                    by = %who.name,
                    kind = %found.kind,
                    records = found.records,
                    before = ?found.before,
                    "records were expired"
                );
            }
            Ok(Document(Removed { dry_run: dry, kinds: found.iter().map(Into::into).collect() }))
        }
        _ => Err(Fault::OtherAnswer),
    }
}

pub(super) async fn erase(
    State(service): Shared,
    Who(who): Who,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<Removed>, Fault> {
    let order: EraseOrder = json(&headers, body, MAX_REQUEST_BYTES).await?;
    let kind = service.kind(&order.kind)?.id.clone();
    let id = RecordId::new(&order.id);
    let id = id.map_err(|error| Fault::Parameter("id", error.to_string()))?;
    match service.ask(&who, Question::Erase { kind, id }).await? {
        Answer::Expired(found) => {
            for found in &found {
                // Whose record it was is said nowhere.
                tracing::info!(by = %who.name, kind = %found.kind, "one record was erased");
            }
            Ok(Document(Removed { dry_run: false, kinds: found.iter().map(Into::into).collect() }))
        }
        _ => Err(Fault::OtherAnswer),
    }
}
