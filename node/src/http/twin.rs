//! Removing records: what is too old, or one record of a person. An id comes in the body, never in the
//! path: paths are logged by proxies.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use reeve_crdt::record::RecordId;
use reeve_policy::authz::{Action, Person};
use reeve_protocol::local::{Answer, Expired, Question};
use reeve_statement::cbor::to_vec;

use super::body::{Document, Who, json, parameter};
use super::fault::Fault;
use super::house::parted;
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
    let mut dry = order.dry_run;
    let question = |dry| Question::Expire { kind: kind.clone(), before, dry };
    let (mut waits_until, mut first) = (None, None);
    if service.takes_two() && !dry {
        // What cannot be removed, or not by this person, does not wait for another one.
        service.ask_expired(&who, question(true)).await?;
        let parts = [b"expire".as_slice(), &to_vec(&kind), &to_vec(&order.before)];
        (waits_until, first) = service.second(&who, &parts)?.map_or((None, None), parted);
        dry = waits_until.is_some();
    }
    let found = service.ask_expired(&who, question(dry)).await?;
    for found in found.iter().filter(|_| !dry) {
        tracing::info!(
            by = %both(first.as_deref(), &who.name),
            kind = %found.kind,
            records = found.records,
            before = ?found.before,
            "records were expired"
        );
    }
    let kinds = found.iter().map(Into::into).collect();
    Ok(Document(Removed { dry_run: dry, kinds, waits_until }))
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
    let mut first = None;
    if service.takes_two() {
        service.ask_done(&who, Question::Permission(Action::ManageStore)).await?;
        let parts = [b"erase".as_slice(), kind.as_str().as_bytes(), id.as_str().as_bytes()];
        let (waits_until, other) = service.second(&who, &parts)?.map_or((None, None), parted);
        if waits_until.is_some() {
            return Ok(Document(Removed { dry_run: true, kinds: Vec::new(), waits_until }));
        }
        first = other;
    }
    let found = service.ask_expired(&who, Question::Erase { kind, id }).await?;
    for found in &found {
        // Whose record it was is said nowhere.
        let by = both(first.as_deref(), &who.name);
        tracing::info!(%by, kind = %found.kind, "one record was erased");
    }
    let kinds = found.iter().map(Into::into).collect();
    Ok(Document(Removed { dry_run: false, kinds, waits_until: None }))
}

/// Who ordered it: one person, or two.
fn both(first: Option<&str>, who: &str) -> String {
    first.map_or_else(|| who.to_owned(), |first| format!("{first}, {who}"))
}

impl Service {
    async fn ask_expired(&self, who: &Person, question: Question) -> Result<Vec<Expired>, Fault> {
        match self.ask(who, question).await? {
            Answer::Expired(found) => Ok(found),
            _ => Err(Fault::OtherAnswer),
        }
    }
}
