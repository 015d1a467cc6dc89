//! The house: status, catalogue, policy, certificates, what left it.

use std::path::{self, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use reeve_audit::EquivocationFile;
use reeve_policy::authz::{Action, PolicySet};
use reeve_protocol::consent::{Adopt, Adopter};
use reeve_protocol::local::{Answer, Failure, Question};
use reeve_protocol::wire::SignedList;
use reeve_statement::catalogue::Titles;
use reeve_statement::cbor;
use reeve_statement::cert::Crl;
use reeve_statement::digest::Digest;
use serde::Deserialize;

use super::body::{Document, Params, Who, json, media_type, parameter, read};
use super::fault::Fault;
use super::register::names;
use super::second::Second;
use super::service::Service;
use crate::api::{
    ActView, AdoptRequest, Adoptions, CBOR, CatalogueView, Consented, Cosigned, Evidence,
    FOLDER_PROOF, IMAGE, IssuedEntry, MAX_FILE_BYTES, MAX_REQUEST_BYTES, MemberRequest,
    PolicyState, Proof, ProposalView, Published, SentEntry, StatusView, TOML, equivocation_file,
};

type Shared = State<Arc<Service>>;

/// Media type of a statement (RFC 9052 section 11.3.1).
const COSE: &str = "application/cose; cose-type=\"cose-sign1\"";
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// Entries of what left the house unless asked otherwise.
const SENT: usize = 100;

pub(super) async fn status(
    State(service): Shared,
    Who(who): Who,
) -> Result<Document<StatusView>, Fault> {
    let Answer::Status(status) = service.ask(&who, Question::Status).await? else {
        return Err(Fault::OtherAnswer);
    };
    let look = Arc::clone(&service.settings.storage);
    let storage = tokio::task::spawn_blocking(move || look()).await;
    let storage = storage.map_err(|_| Fault::OtherAnswer)?;
    let mut status = StatusView::of(&status, service.addresses(), storage);
    if !status.subordinates.is_empty() {
        let mut names = names(&service, &who).await?;
        for subordinate in &mut status.subordinates {
            subordinate.names = names.remove(&subordinate.unit).unwrap_or_default();
        }
    }
    Ok(Document(status))
}

pub(super) async fn schema(State(service): Shared, Who(who): Who) -> Result<Response, Fault> {
    service.ask_done(&who, Question::Permission(Action::ReadSchema)).await?;
    let schema = service.settings.schema.as_ref().ok_or(Fault::Failed(Failure::NoTwin))?;
    Ok(typed(TOML, schema.text.to_string()))
}

pub(super) fn typed(media: &'static str, body: impl IntoResponse) -> Response {
    ([(header::CONTENT_TYPE, media)], body).into_response()
}

pub(super) async fn catalogue(
    State(service): Shared,
    Who(who): Who,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let catalogue = service.catalogue(&who).await?;
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if accept == Some(CBOR) {
        return Ok(typed(CBOR, cbor::to_vec(&*catalogue)));
    }
    Ok(Document(CatalogueView::from(&*catalogue)).into_response())
}

pub(super) async fn publish(
    State(service): Shared,
    Who(who): Who,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<Published>, Fault> {
    let bytes = signed(&headers, body).await?;
    service.ask_done(&who, Question::Publish(bytes)).await?;
    Ok(Document(Published { done: true }))
}

pub(super) async fn declare(
    State(service): Shared,
    Who(who): Who,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<Published>, Fault> {
    let bytes = signed(&headers, body).await?;
    service.ask_done(&who, Question::Declare(bytes)).await?;
    Ok(Document(Published { done: true }))
}

/// The bytes of a signed statement.
async fn signed(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Fault> {
    if media_type(headers) != Some("application/cose") {
        return Err(Fault::MediaType("application/cose"));
    }
    Ok(read(headers, body, MAX_FILE_BYTES).await?.to_vec())
}

pub(super) async fn policy(State(service): Shared, Who(who): Who) -> Result<Response, Fault> {
    service.ask_done(&who, Question::Permission(Action::ReadPolicy)).await?;
    let path = service.settings.policy.clone();
    let text = tokio::fs::read_to_string(path).await;
    let text = text.map_err(|_| Fault::NotFound("policy file", "see `[policy] file`"))?;
    Ok(typed(TEXT, text))
}

pub(super) async fn set_policy(
    State(service): Shared,
    Who(who): Who,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<PolicyState>, Fault> {
    if media_type(&headers) != Some("text/plain") {
        return Err(Fault::MediaType("text/plain"));
    }
    // Nobody but who may change it learns how a policy is read.
    service.ask_done(&who, Question::Permission(Action::ChangePolicy)).await?;
    let bytes = read(&headers, body, MAX_FILE_BYTES).await?;
    let text = String::from_utf8(bytes.to_vec())
        .map_err(|_| Fault::Malformed("expected text in UTF-8".to_owned()))?;
    let set =
        PolicySet::parse(&text, "policy").map_err(|faults| Fault::Malformed(faults.to_string()))?;
    let (waits_until, first) =
        service.second(&who, &[b"policy", text.as_bytes()])?.map_or((None, None), parted);
    let state = PolicyState {
        policies: set.ids().map(str::to_owned).collect(),
        findings: set.check().iter().map(ToString::to_string).collect(),
        waits_until,
    };
    if state.waits_until.is_some() {
        return Ok(Document(state));
    }
    let adopter = first.map_or(Adopter::Alone, Adopter::SecondAfter);
    service.ask_done(&who, Question::SetPolicy(Box::new(set), adopter)).await?;
    keep(service.settings.policy.clone(), text).await.map_err(Fault::NotKept)?;
    Ok(Document(state))
}

pub(super) async fn adoptions(
    State(service): Shared,
    Who(who): Who,
) -> Result<Document<Adoptions>, Fault> {
    match service.ask(&who, Question::Adoptions).await? {
        Answer::Adoptions { proposals, acts } => Ok(Document(Adoptions {
            proposals: proposals.iter().map(ProposalView::from).collect(),
            acts: acts.iter().map(ActView::from).collect(),
        })),
        _ => Err(Fault::OtherAnswer),
    }
}

pub(super) async fn adopt(
    State(service): Shared,
    Who(who): Who,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<Consented>, Fault> {
    let what = match json(&headers, body, MAX_REQUEST_BYTES).await? {
        AdoptRequest::Indicator { indicator, definition } => Adopt::Indicator {
            indicator: parameter("indicator", &indicator)?,
            definition: parameter("definition", &definition)?,
        },
        AdoptRequest::LegalBasis { legal_basis } => Adopt::LegalBasis(legal_basis),
        AdoptRequest::Withdraw { withdraw } => Adopt::Withdraw(parameter("withdraw", &withdraw)?),
        AdoptRequest::WithdrawLegalBasis { withdraw_legal_basis } => {
            Adopt::WithdrawLegalBasis(withdraw_legal_basis)
        }
    };
    if service.takes_two() {
        // What cannot be adopted, or not by this person, does not wait for another one.
        service.ask_done(&who, Question::Adopt(what.clone(), Adopter::FirstOfTwo)).await?;
    }
    let named = format!("{what:?}");
    let second = service.second(&who, &[b"adopt", named.as_bytes()])?;
    let (waits_until, first) = second.map_or((None, None), parted);
    if waits_until.is_none() {
        let adopter = first.map_or(Adopter::Alone, Adopter::SecondAfter);
        service.ask_done(&who, Question::Adopt(what, adopter)).await?;
    }
    Ok(Document(Consented { done: waits_until.is_none(), waits_until }))
}

/// Until when something waits for the second person, or who the first one was.
pub(super) fn parted(second: Second) -> (Option<String>, Option<String>) {
    match second {
        Second::Waits(until) => (Some(until.to_string()), None),
        Second::Done(first) => (None, Some(first)),
    }
}

/// Replaces the policy file, whole or not at all.
async fn keep(path: PathBuf, text: String) -> std::io::Result<()> {
    let task = tokio::task::spawn_blocking(move || replace(&path, &text));
    task.await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
}

/// Replaces a file, whole or not at all, durably.
pub(super) fn replace(path: &path::Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut name = path.as_os_str().to_owned();
    name.push(".unfinished");
    let unfinished = PathBuf::from(name);
    let mut file = std::fs::File::create(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    std::fs::File::open(folder.unwrap_or_else(|| path::Path::new(".")))?.sync_all()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Newest {
    term: Option<u64>,
    before: Option<u64>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    term: Option<u64>,
    #[serde(default)]
    from: u64,
    limit: Option<usize>,
}

pub(super) async fn sent(
    State(service): Shared,
    Who(who): Who,
    Params(Newest { term, before, limit }): Params<Newest>,
) -> Result<Document<Vec<SentEntry>>, Fault> {
    let question = Question::Sent { term, before, limit: limit.unwrap_or(SENT) };
    match service.ask(&who, question).await? {
        Answer::Sent(rows) => Ok(Document(rows.iter().map(SentEntry::from).collect())),
        _ => Err(Fault::OtherAnswer),
    }
}

pub(super) async fn issued(
    State(service): Shared,
    Who(who): Who,
    Params(Page { term, from, limit }): Params<Page>,
) -> Result<Document<Vec<IssuedEntry>>, Fault> {
    let question = Question::Issued { term, from, limit: limit.unwrap_or(SENT) };
    match service.ask(&who, question).await? {
        Answer::Issued(rows) => Ok(Document(rows.iter().map(IssuedEntry::from).collect())),
        _ => Err(Fault::OtherAnswer),
    }
}

pub(super) async fn statement(
    State(service): Shared,
    Who(who): Who,
    Path(digest): Path<String>,
) -> Result<Response, Fault> {
    let digest: Digest = parameter("digest", &digest)?;
    match service.ask(&who, Question::Statement(digest)).await? {
        Answer::Statement(Some(bytes)) => Ok(typed(COSE, bytes)),
        Answer::Statement(None) => Err(Fault::NotFound("statement of that digest", "")),
        _ => Err(Fault::OtherAnswer),
    }
}

pub(super) async fn chunk(
    State(service): Shared,
    Who(who): Who,
    Path(digest): Path<String>,
) -> Result<Response, Fault> {
    let digest: Digest = parameter("digest", &digest)?;
    match service.ask(&who, Question::Chunk(digest)).await? {
        Answer::Statement(Some(bytes)) => Ok(typed(CBOR, bytes)),
        Answer::Statement(None) => Err(Fault::NotFound("chunk of that digest", "")),
        _ => Err(Fault::OtherAnswer),
    }
}

pub(super) async fn evidence(
    State(service): Shared,
    Who(who): Who,
) -> Result<Document<Evidence>, Fault> {
    match service.ask(&who, Question::Evidence).await? {
        Answer::Evidence { catalogue, lists, .. } => Ok(Document(Evidence {
            catalogue: catalogue.map(|digest| digest.to_string()),
            lists: lists.iter().filter_map(|der| Some(Crl::from_der(der).ok()?.to_pem())).collect(),
        })),
        _ => Err(Fault::OtherAnswer),
    }
}

pub(super) async fn checkpoint(State(service): Shared, Who(who): Who) -> Result<Response, Fault> {
    match service.ask(&who, Question::Checkpoint).await? {
        Answer::Checkpoint(note) => Ok(typed(TEXT, note)),
        _ => Err(Fault::OtherAnswer),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    term: Option<u64>,
    index: u64,
    size: u64,
}

pub(super) async fn proof(
    State(service): Shared,
    Who(who): Who,
    Params(Place { term, index, size }): Params<Place>,
) -> Result<Document<Proof>, Fault> {
    match service.ask(&who, Question::Inclusion { term, index, size }).await? {
        Answer::Proof { hashes, receipt } => {
            let hashes = hashes.iter().map(ToString::to_string).collect();
            Ok(Document(Proof { index, size, hashes, receipt: receipt.map(hex::encode) }))
        }
        _ => Err(Fault::OtherAnswer),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    term: Option<u64>,
    after: Option<u64>,
}

pub(super) async fn cosigned(
    State(service): Shared,
    Who(who): Who,
    Params(After { term, after }): Params<After>,
) -> Result<Document<Cosigned>, Fault> {
    match service.ask(&who, Question::Cosigned { term, after }).await? {
        Answer::Cosigned(Some(row)) => Ok(Document(Cosigned::of(&row))),
        Answer::Cosigned(None) => {
            Err(Fault::NotFound("cosigned checkpoint", "no witness has cosigned it yet"))
        }
        _ => Err(Fault::OtherAnswer),
    }
}

pub(super) async fn equivocations(
    State(service): Shared,
    Who(who): Who,
) -> Result<Document<Vec<EquivocationFile>>, Fault> {
    match service.ask(&who, Question::Equivocations).await? {
        Answer::Equivocations(rows) => Ok(Document(rows.iter().map(equivocation_file).collect())),
        _ => Err(Fault::OtherAnswer),
    }
}

pub(super) async fn take_list(
    State(service): Shared,
    Who(who): Who,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<Published>, Fault> {
    let bytes = cbor_body(&headers, body).await?;
    let list: SignedList = cbor::from_slice("revocation list", &bytes, MAX_FILE_BYTES)
        .map_err(|error| Fault::Malformed(error.to_string()))?;
    service.ask_done(&who, Question::TakeList(list)).await?;
    Ok(Document(Published { done: true }))
}

async fn cbor_body(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Fault> {
    if media_type(headers) != Some(CBOR) {
        return Err(Fault::MediaType(CBOR));
    }
    Ok(read(headers, body, MAX_FILE_BYTES).await?.to_vec())
}

pub(super) async fn admit(
    State(service): Shared,
    Who(who): Who,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<Published>, Fault> {
    let member: MemberRequest = json(&headers, body, MAX_FILE_BYTES).await?;
    let chain = hex::decode(&member.chain)
        .map_err(|_| Fault::Parameter("chain", "expected hexadecimal digits".to_owned()))?;
    let names = Titles(member.names.into_iter().collect());
    let question = Question::Admit { chain, names, time_zone: member.time_zone };
    service.ask_done(&who, question).await?;
    Ok(Document(Published { done: true }))
}

pub(super) async fn renew(
    State(service): Shared,
    Who(who): Who,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<Published>, Fault> {
    let chain = cbor_body(&headers, body).await?;
    service.ask_done(&who, Question::Renew(chain)).await?;
    Ok(Document(Published { done: true }))
}

pub(super) async fn invite(
    State(service): Shared,
    Who(who): Who,
    headers: HeaderMap,
    body: Body,
) -> Result<Document<serde_json::Value>, Fault> {
    service.order(&who, service.settings.invites.as_ref(), &headers, body).await
}

/// The image holds every record, so a token alone is not enough: the policy lets nobody read all records
/// who cannot read the folder anyway.
pub(super) async fn image(
    State(service): Shared,
    Who(who): Who,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    service.ask_done(&who, Question::Permission(Action::ManageStore)).await?;
    let desk = service.settings.image.as_ref();
    let desk = desk.ok_or(Fault::NotFound("store", "this node keeps none"))?;
    let proof = headers.get(FOLDER_PROOF).and_then(|proof| proof.to_str().ok());
    let image = desk(proof.unwrap_or_default().to_owned()).await.map_err(Fault::NoImage)?;
    Ok(typed(IMAGE, Body::from_stream(image)))
}
