//! What every handler shares: the node, the settings, the tokens.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use reeve_crdt::schema::{Kind, Schema};
use reeve_policy::authz::{Action, Person};
use reeve_protocol::local::{Answer, Failure, Question};
use reeve_statement::catalogue::Catalogue;
use reeve_statement::digest::Digest;
use reeve_statement::names::KindId;
use reeve_statement::time::Timestamp;

use super::Asker;
use super::body::{Document, media_type, read};
use super::fault::{DeskFault, Fault};
use super::second::{Second, Seconds};
use super::tokens::TokenFile;
use crate::api::{JSON, MAX_REQUEST_BYTES, StorageView};

/// Longest wait for an answer: far above what the core needs, below what a proxy waits for.
const ANSWER: Duration = Duration::from_secs(30);
/// Longest wait for an import to end: everything it brought is written first.
const IMPORT_ANSWER: Duration = Duration::from_secs(600);

/// A schema with the text that it was read from.
#[derive(Debug, Clone)]
pub struct SchemaText {
    /// The schema.
    pub schema: Arc<Schema>,
    /// Its file's text.
    pub text: Arc<str>,
}

/// Makes invites from an order (JSON); the answer is a JSON document.
pub type InviteDesk =
    Arc<dyn Fn(Vec<u8>) -> BoxFuture<'static, Result<serde_json::Value, DeskFault>> + Send + Sync>;

/// An image of the store, piece by piece.
pub type ImageStream = BoxStream<'static, std::io::Result<Vec<u8>>>;

/// Begins an image of the store for whoever shows the text of a file in the node's folder.
pub type ImageDesk =
    Arc<dyn Fn(String) -> BoxFuture<'static, Result<ImageStream, DeskFault>> + Send + Sync>;

/// What the API is told at start.
#[derive(Clone)]
pub struct HttpSettings {
    /// Where it listens.
    pub address: SocketAddr,
    /// Names that `Host` may have besides the address and `localhost`.
    pub host_names: Vec<String>,
    /// The file of tokens.
    pub tokens: PathBuf,
    /// The schema; none: the node keeps no records.
    pub schema: Option<SchemaText>,
    /// The policy file, which a new policy set replaces.
    pub policy: PathBuf,
    /// What waits for a second person; none: one person does.
    pub second: Option<PathBuf>,
    /// Whether anybody may read checkpoints and tiles of the ledger.
    pub open_ledger: bool,
    /// Makes invites; none: nobody can join through this node.
    pub invites: Option<InviteDesk>,
    /// Admits units that apply by file; none: this node cannot.
    pub admissions: Option<InviteDesk>,
    /// Takes images of the store; none: there is no store.
    pub image: Option<ImageDesk>,
    /// Looks at the store, for the status.
    pub storage: StorageLook,
    /// The wall clock.
    pub clock: fn() -> Timestamp,
}

impl std::fmt::Debug for HttpSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpSettings").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Looks at the store; may read folders.
pub type StorageLook = Arc<dyn Fn() -> StorageView + Send + Sync>;

type Ask = Box<dyn Fn(Person, Question) -> BoxFuture<'static, Answer> + Send + Sync>;

/// What every handler shares.
pub(super) struct Service {
    ask: Ask,
    addresses: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    ready: Box<dyn Fn() -> bool + Send + Sync>,
    pub(super) settings: HttpSettings,
    pub(super) tokens: TokenFile,
    seconds: Option<Seconds>,
}

impl Service {
    pub(super) fn new<A: Asker>(asker: A, settings: HttpSettings) -> Self {
        let (addresses, ready) = (asker.clone(), asker.clone());
        Self {
            ask: Box::new(move |who, what| {
                let asker = asker.clone();
                async move { asker.ask(who, what).await }.boxed()
            }),
            addresses: Box::new(move || addresses.addresses()),
            ready: Box::new(move || ready.is_ready()),
            tokens: TokenFile::new(settings.tokens.clone()),
            seconds: settings.second.clone().map(Seconds::new),
            settings,
        }
    }

    pub(super) fn addresses(&self) -> Vec<String> {
        (self.addresses)()
    }

    pub(super) fn is_ready(&self) -> bool {
        (self.ready)()
    }

    /// Asks the node. What was declined or failed is a fault.
    pub(super) async fn ask(&self, who: &Person, what: Question) -> Result<Answer, Fault> {
        let deadline = match &what {
            Question::EndImport { .. }
            | Question::TakeLetter(_)
            | Question::Expire { .. }
            | Question::Erase { .. } => IMPORT_ANSWER,
            _ => ANSWER,
        };
        let answer = tokio::time::timeout(deadline, (self.ask)(who.clone(), what)).await;
        match answer.map_err(|_| Fault::Busy)? {
            Answer::Declined(refusal) => Err(Fault::Declined(refusal)),
            Answer::Failed(failure) => Err(Fault::Failed(failure)),
            answer => Ok(answer),
        }
    }

    /// Asks for something that is answered with "done".
    pub(super) async fn ask_done(&self, who: &Person, what: Question) -> Result<(), Fault> {
        match self.ask(who, what).await? {
            Answer::Done => Ok(()),
            _ => Err(Fault::OtherAnswer),
        }
    }

    /// Whether two persons change what is told to whom.
    pub(super) const fn takes_two(&self) -> bool {
        self.seconds.is_some()
    }

    /// Where something stands that takes two persons; none: here one does. It is the same if all its
    /// parts are.
    pub(super) fn second(&self, who: &Person, what: &[&[u8]]) -> Result<Option<Second>, Fault> {
        let Some(seconds) = &self.seconds else { return Ok(None) };
        let parts: Vec<Digest> = what.iter().map(|part| Digest::of(part)).collect();
        let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes().as_slice()).collect();
        let now = (self.settings.clock)();
        let answer = seconds.ask(&who.name, Digest::of_parts(&parts), now);
        answer.map(Some).map_err(Fault::NotWaiting)
    }

    /// The catalogue in force.
    pub(super) async fn catalogue(&self, who: &Person) -> Result<Box<Catalogue>, Fault> {
        match self.ask(who, Question::Catalogue).await? {
            Answer::Catalogue(Some(catalogue)) => Ok(catalogue),
            Answer::Catalogue(None) => {
                let next = "it comes from above, or from `reeve catalogue publish`";
                Err(Fault::NotFound("catalogue", next))
            }
            _ => Err(Fault::OtherAnswer),
        }
    }

    /// Hands an order (JSON) to a desk; its answer. Nobody but who manages peers makes this read one.
    pub(super) async fn order(
        &self,
        who: &Person,
        desk: Option<&InviteDesk>,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Document<serde_json::Value>, Fault> {
        if media_type(headers) != Some(JSON) {
            return Err(Fault::MediaType(JSON));
        }
        self.ask_done(who, Question::Permission(Action::ManagePeers)).await?;
        let desk = desk.ok_or(Fault::NoDesk)?;
        let order = read(headers, body, MAX_REQUEST_BYTES).await?.to_vec();
        desk(order).await.map(Document).map_err(Fault::Desk)
    }

    /// The kind of that name in the schema.
    pub(super) fn kind(&self, name: &str) -> Result<Arc<Kind>, Fault> {
        let id = KindId::new(name).map_err(|error| Fault::Parameter("kind", error.to_string()))?;
        let schema = self.settings.schema.as_ref().ok_or(Fault::Failed(Failure::NoTwin))?;
        let kind = schema.schema.kind(id.as_str()).cloned();
        kind.ok_or(Fault::Failed(Failure::UnknownKind(id)))
    }
}
