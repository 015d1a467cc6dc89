//! Bulletins: publishing one, and what was published.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use reeve_protocol::bulletin::{BULLETINS_PAGE, Choice};
use reeve_protocol::consent::Adopter;
use reeve_protocol::local::{Answer, Question};
use reeve_statement::cbor::to_vec;
use reeve_statement::digest::Digest;
use serde::Deserialize;

use super::body::{Document, Params, Who, json, parameter};
use super::fault::Fault;
use super::figures::class;
use super::house::parted;
use super::service::Service;
use crate::api::{
    BulletinEntry, BulletinOrder, BulletinPublished, BulletinView, MAX_REQUEST_BYTES,
};

type Shared = State<Arc<Service>>;

pub(super) async fn publish(
    State(service): Shared,
    Who(who): Who,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<BulletinPublished>, Fault> {
    let order: BulletinOrder = json(&headers, body, MAX_REQUEST_BYTES).await?;
    let mut figures = Vec::with_capacity(order.figures.len());
    for figure in &order.figures {
        let indicator = parameter("indicator", &figure.indicator)?;
        figures.push((indicator, parameter("period", &figure.period)?));
    }
    // The same figures in another order are the same bulletin, for a second person, too.
    figures.sort_unstable();
    let choice = Choice { title: order.title, class: class(&order.class)?, figures };
    let mut publisher = Adopter::Alone;
    if service.takes_two() {
        // What cannot be published, or not by this person, does not wait for another one.
        let first = Question::PublishBulletin(choice.clone(), Adopter::FirstOfTwo);
        service.ask_done(&who, first).await?;
        let named: Vec<String> = choice
            .figures
            .iter()
            .map(|(indicator, period)| format!("{indicator}@{period}"))
            .collect();
        let parts = [
            b"bulletin".as_slice(),
            choice.title.as_bytes(),
            &to_vec(&choice.class),
            &to_vec(&named),
        ];
        let (waits_until, first) = service.second(&who, &parts)?.map_or((None, None), parted);
        if waits_until.is_some() {
            return Ok(Document(BulletinPublished { bulletin: None, waits_until }));
        }
        publisher = first.map_or(Adopter::Alone, Adopter::SecondAfter);
    }
    match service.ask(&who, Question::PublishBulletin(choice, publisher)).await? {
        Answer::Bulletin(Some(view)) => {
            let bulletin = Some(BulletinView::from(view.as_ref()));
            Ok(Document(BulletinPublished { bulletin, waits_until: None }))
        }
        _ => Err(Fault::OtherAnswer),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Newest {
    term: Option<u64>,
    before: Option<u64>,
    limit: Option<usize>,
}

pub(super) async fn list(
    State(service): Shared,
    Who(who): Who,
    Params(Newest { term, before, limit }): Params<Newest>,
) -> Result<Document<Vec<BulletinEntry>>, Fault> {
    let before = match (term, before) {
        (None, None) => None,
        (Some(term), Some(index)) => Some((term, index)),
        _ => {
            let why = "say both term and before, of the last entry that was shown, or neither";
            return Err(Fault::Parameter("before", why.to_owned()));
        }
    };
    let limit = limit.unwrap_or(BULLETINS_PAGE);
    match service.ask(&who, Question::Bulletins { before, limit }).await? {
        Answer::Bulletins(rows) => Ok(Document(rows.iter().map(BulletinEntry::from).collect())),
        _ => Err(Fault::OtherAnswer),
    }
}

pub(super) async fn show(
    State(service): Shared,
    Who(who): Who,
    Path(digest): Path<String>,
) -> Result<Document<BulletinView>, Fault> {
    let digest: Digest = parameter("digest", &digest)?;
    match service.ask(&who, Question::Bulletin(digest)).await? {
        Answer::Bulletin(Some(view)) => Ok(Document(BulletinView::from(view.as_ref()))),
        Answer::Bulletin(None) => Err(Fault::NotFound(
            "bulletin of that digest",
            "`reeve bulletin list` shows those there are",
        )),
        _ => Err(Fault::OtherAnswer),
    }
}
