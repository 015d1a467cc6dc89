//! The local API of a running node: joins the HTTP server with the loop, the folder and the enrolment
//! port.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use reeve_policy::authz::Person;
use reeve_protocol::local::{Answer, Question};
use reeve_statement::digest::Digest;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{Hosted, NodeHandle, Porter, RunError};
use crate::api::{ADDRESS_FILE, FOLDER_PROOF_FILE, StorageView};
use crate::clock::wall;
use crate::enrol::{AdmissionOrder, InviteOrder};
use crate::house::{Entropy, House, HouseError};
use crate::http::{
    Asker, DeskFault, HttpSettings, ImageDesk, InviteDesk, SECOND_PERSON_FILE, SchemaText,
    StorageLook, serve,
};
use crate::store::{StoreError, StoreHandle, size_of};
use crate::token::{TokenError, ensure_operator};

/// Longest wait for requests under way when the node has stopped.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// Letters that the proof of a folder has at least: 128 bits.
const PROOF_LETTERS: usize = 32;

/// Why there is no local API.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The address is taken or not this machine's.
    #[error(
        "cannot listen at {address} ({reason}); is the node running already? see `[http] listen`"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The file that says where it listens.
    #[error("cannot write {}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The tokens.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The folder.
    #[error(transparent)]
    House(#[from] HouseError),
}

impl From<ApiError> for RunError {
    fn from(error: ApiError) -> Self {
        Self::Api(Box::new(error))
    }
}

impl Asker for NodeHandle {
    async fn ask(&self, who: Person, what: Question) -> Answer {
        Self::ask(self, who, what).await
    }

    fn addresses(&self) -> Vec<String> {
        Self::addresses(self)
    }

    fn is_ready(&self) -> bool {
        Self::is_ready(self)
    }
}

/// A local API that serves until its node stops.
#[derive(Debug)]
pub struct Api {
    address: SocketAddr,
    task: JoinHandle<std::io::Result<()>>,
}

impl Api {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until requests under way have ended, for a bounded time.
    pub async fn ended(self) {
        // Requests that take longer than that lose their connection.
        let _ = tokio::time::timeout(LAST_REQUESTS, self.task).await;
    }
}

/// Serves the local API of a node until the node stops. Makes the operator's token if there is none.
///
/// # Errors
/// [`ApiError`], as [`RunError::Api`].
pub async fn serve_api(house: Arc<House>, hosted: &Hosted) -> Result<Api, RunError> {
    let entropy = Entropy::system().draw().map_err(|error| ApiError::House(error.into()))?;
    ensure_operator(house.folder(), &entropy, wall()).map_err(ApiError::Token)?;
    let configured = house.config().http.listen;
    let listen = |reason| ApiError::Listen { address: configured, reason };
    let listener = TcpListener::bind(configured).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    if configured.port() == 0 {
        let path = house.folder().join(ADDRESS_FILE);
        let written = std::fs::write(&path, address.to_string());
        written.map_err(|reason| ApiError::File { path, reason })?;
    }
    let settings = settings(&house, address, hosted)?;
    let (node, stopping) = (hosted.handle.clone(), hosted.handle.clone());
    let stop = async move { stopping.stopped().await };
    let task = tokio::spawn(serve(listener, node, settings, stop));
    Ok(Api { address, task })
}

fn settings(
    house: &Arc<House>,
    address: SocketAddr,
    hosted: &Hosted,
) -> Result<HttpSettings, ApiError> {
    let config = house.config();
    let schema = house
        .schema_text()?
        .map(|(schema, text)| SchemaText { schema: Arc::new(schema), text: text.into() });
    Ok(HttpSettings {
        address,
        host_names: config.http.host_names.clone(),
        tokens: house.tokens_file(),
        schema,
        policy: house.folder().join(&config.policy),
        second: config.two_persons.then(|| house.folder().join(SECOND_PERSON_FILE)),
        open_ledger: config.http.ledger,
        invites: hosted.porter.clone().map(desk),
        admissions: hosted.porter.clone().map(admission_desk),
        image: Some(image_desk(house.folder().join(FOLDER_PROOF_FILE), &hosted.handle)),
        storage: storage(house),
        clock: wall,
    })
}

fn storage(house: &House) -> StorageLook {
    let config = super::store_config(house);
    Arc::new(move || StorageView {
        engine: config.engine.name().to_owned(),
        bytes: size_of(&config.folder).ok(),
    })
}

fn desk(porter: Porter) -> InviteDesk {
    Arc::new(move |order: Vec<u8>| {
        let porter = porter.clone();
        async move {
            // What serde says may quote the order, which holds a passphrase.
            let order: InviteOrder = serde_json::from_slice(&order).map_err(|_| DeskFault {
                detail: "expected an order for an invite, as `reeve invite` sends it".to_owned(),
            })?;
            let made = porter.invite(order).await;
            let line = made.map_err(|error| DeskFault { detail: error.to_string() })?;
            Ok(serde_json::json!({ "invite": line }))
        }
        .boxed()
    })
}

fn admission_desk(porter: Porter) -> InviteDesk {
    Arc::new(move |order: Vec<u8>| {
        let porter = porter.clone();
        async move {
            // What serde says may quote the order, which holds a passphrase.
            let order: AdmissionOrder = serde_json::from_slice(&order).map_err(|_| DeskFault {
                detail: "expected an order to admit a unit, as `reeve admit` sends it".to_owned(),
            })?;
            let made = porter.admit(order).await;
            let line = made.map_err(|error| DeskFault { detail: error.to_string() })?;
            Ok(serde_json::json!({ "answer": line }))
        }
        .boxed()
    })
}

/// Takes images of the store for whoever shows the text of a file that only the node's user can write.
fn image_desk(proof: PathBuf, node: &NodeHandle) -> ImageDesk {
    let node = node.clone();
    Arc::new(move |shown: String| {
        let (proof, node) = (proof.clone(), node.clone());
        async move {
            let written = tokio::fs::read_to_string(&proof).await.unwrap_or_default();
            // Hashes are compared, so that the time it takes tells nothing.
            if written.len() < PROOF_LETTERS || Digest::of(written.as_bytes()) != Digest::of(shown.as_bytes()) {
                let detail = "it holds every record, and the request does not show that it comes from \
                              whoever has the node's folder";
                return Err(DeskFault { detail: detail.to_owned() });
            }
            let fault = |error: StoreError| DeskFault { detail: error.to_string() };
            let store = node.store().clone();
            let number = store.call(|store| Ok(store.begin_image())).await.map_err(fault)?;
            tracing::info!("an image of the store is taken");
            Ok(futures::stream::unfold(Some(store), move |store| next_piece(store, number)).boxed())
        }
        .boxed()
    })
}

/// The next piece of an image, and whether there are more.
async fn next_piece(
    store: Option<StoreHandle>,
    number: u64,
) -> Option<(std::io::Result<Vec<u8>>, Option<StoreHandle>)> {
    let store = store?;
    match store.call(move |store| store.image_piece(number)).await {
        Ok(piece) => Some((Ok(piece.bytes), Some(store).filter(|_| !piece.last))),
        Err(error) => {
            tracing::warn!(%error, "the image of the store is given up");
            Some((Err(std::io::Error::other(error)), None))
        }
    }
}
