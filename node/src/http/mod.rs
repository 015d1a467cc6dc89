//! The local HTTP API: how the people and programs of a house reach their node.
//!
//! It listens on loopback and speaks plain HTTP/1.1; who needs it from afar puts a proxy with TLS in
//! front. Every request but `/health` and `/ready` shows a bearer token ([`crate::token`]), names a
//! known `Host` (else 421, against DNS rebinding), and has no foreign `Origin` (else 403); there is no
//! CORS. The token tells the person, and the core's policy decides every single question, so that no
//! route shows what another surface hides. Sizes and times are bounded before anything is parsed, and so
//! are connections (`connections`).
//!
//! The routes are [`ROUTES`]; the documents are in [`crate::api`]. No answer, error, metric or log
//! line holds a record's value, except the records themselves that somebody may read. This is the
//! only place that knows axum.

mod body;
mod bulletins;
mod connections;
mod decisions;
mod fault;
mod figures;
mod guard;
mod house;
mod imports;
mod letters;
mod metrics;
mod open;
mod records;
mod register;
mod routes;
mod second;
mod service;
mod situation;
#[cfg(test)]
mod tests;
mod tiles;
mod tokens;
mod twin;

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::serve::Listener;
use reeve_policy::authz::Person;
use reeve_protocol::local::{Answer, Question};

pub use fault::DeskFault;
pub use routes::{Access, ROUTES, Route};
pub use second::FILE as SECOND_PERSON_FILE;
pub use service::{HttpSettings, ImageDesk, ImageStream, InviteDesk, SchemaText, StorageLook};

use service::Service;

/// Who answers questions: a running node, or a stand-in in tests.
pub trait Asker: Clone + Send + Sync + 'static {
    /// Asks something in a person's name; the policy decides whether it is answered.
    fn ask(&self, who: Person, what: Question) -> impl Future<Output = Answer> + Send;
    /// Where peers reach the node.
    fn addresses(&self) -> Vec<String>;
    /// Whether the node serves.
    fn is_ready(&self) -> bool;
}

/// Serves the API on a TCP or Unix listener until `stop` comes, then lets running requests end.
///
/// # Errors
/// When the listener fails.
pub async fn serve<L, A>(
    listener: L,
    asker: A,
    settings: HttpSettings,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()>
where
    L: Listener,
    L::Addr: Debug,
    A: Asker,
{
    connections::serve(listener, router(asker, settings), stop).await;
    Ok(())
}

fn router<A: Asker>(asker: A, settings: HttpSettings) -> Router {
    let service = Arc::new(Service::new(asker, settings));
    let router = routes::mount(Router::new())
        .fallback(open::no_such_route)
        .method_not_allowed_fallback(open::no_such_method);
    let guarded = axum::middleware::from_fn_with_state(Arc::clone(&service), guard::check);
    router.layer(guarded).with_state(service)
}
