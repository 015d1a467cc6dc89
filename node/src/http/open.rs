//! What anybody on this machine may ask, and what is not there.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::fault::Fault;
use super::service::Service;

/// The program runs.
pub(super) async fn health() -> &'static str {
    "alive\n"
}

/// The node serves.
pub(super) async fn ready(State(service): State<Arc<Service>>) -> (StatusCode, &'static str) {
    if service.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "starting\n")
    }
}

pub(super) async fn no_such_route() -> Fault {
    Fault::NoRoute
}

pub(super) async fn no_such_method() -> Fault {
    Fault::NoMethod
}
