//! What every request passes first: host, origin, token. And what every answer carries.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use reeve_policy::authz::{Person, Role, Scope};
use tokio::sync::OwnedSemaphorePermit;

use super::connections::Turn;
use super::fault::Fault;
use super::routes::{Access, ROUTES};
use super::service::{HttpSettings, Service};

/// Under which an open ledger is read.
const LEDGER: &str = "/ledger/";

/// Answers hold what not everybody may see, and nothing that a browser should show.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

pub(super) async fn check(
    State(service): State<Arc<Service>>,
    mut request: Request,
    next: Next,
) -> Response {
    let mut response = match admit(&service, &mut request) {
        Ok(()) => {
            let turn = turn(request.method(), request.extensions()).await;
            let response = next.run(request).await;
            drop(turn);
            response
        }
        Err(fault) => fault.into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

fn admit(service: &Service, request: &mut Request) -> Result<(), Fault> {
    let settings = &service.settings;
    let host = one(request.headers(), &header::HOST).ok_or(Fault::OtherHost)?;
    let authority = request.uri().authority().map(ToString::to_string);
    if !is_own(settings, host) || authority.is_some_and(|it| !is_own(settings, &it)) {
        return Err(Fault::OtherHost);
    }
    if request.headers().contains_key(header::ORIGIN) {
        let origin = one(request.headers(), &header::ORIGIN);
        let host = origin.and_then(|origin| origin.strip_prefix("http://"));
        if !host.is_some_and(|host| is_own(settings, host)) {
            return Err(Fault::ForeignOrigin);
        }
    }
    let path = request.uri().path();
    if is_open(path) {
        return Ok(());
    }
    if path.starts_with(LEDGER) {
        let closed = Fault::NotFound("open ledger", "`[http] ledger` opens it");
        let shown = || {
            let secret = bearer(request.headers())?;
            service.tokens.person(secret, (settings.clock)()).ok()
        };
        let reader = if settings.open_ledger { Some(ledger_reader()) } else { shown() };
        let reader = reader.ok_or(closed)?;
        request.extensions_mut().insert(reader);
        return Ok(());
    }
    let secret = bearer(request.headers()).ok_or(Fault::NoToken("the request shows no token"))?;
    let person = service.tokens.person(secret, (settings.clock)())?;
    request.extensions_mut().insert(person);
    Ok(())
}

/// The turn of a question among those of its token. What needs no token has none, and what brings a body
/// neither: it would keep its turn for as long as the body takes to come.
fn turn(
    method: &Method,
    extensions: &Extensions,
) -> impl Future<Output = Option<OwnedSemaphorePermit>> + Send + use<> {
    let asks = (method == Method::GET).then(|| {
        let (turn, person) = (extensions.get::<Turn>()?, extensions.get::<Person>()?);
        Some((turn.clone(), person.name.clone()))
    });
    async move {
        let (turn, name) = asks.flatten()?;
        turn.of(&name).await
    }
}

/// Who reads an open ledger: all who do are one person to the policy, and take turns as one.
fn ledger_reader() -> Person {
    Person {
        name: "ledger-reader".to_owned(),
        role: Role::Auditor,
        kinds: Scope::All,
        areas: Scope::All,
        indicators: Scope::All,
    }
}

fn is_open(path: &str) -> bool {
    ROUTES.iter().any(|route| route.access == Access::Open && route.path == path)
}

/// The value of a header that must be there once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// The secret of `Authorization: Bearer` (RFC 6750 section 2.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, secret) = one(headers, &header::AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

/// Whether a host with or without its port is this API's.
fn is_own(settings: &HttpSettings, host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, port.parse().ok()),
        _ => (host, Some(80)),
    };
    if host.ends_with(':') || port != Some(settings.address.port()) {
        // A proxy in front of a configured name may have another port.
        return settings.host_names.iter().any(|known| known.eq_ignore_ascii_case(host));
    }
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_address =
        address.is_ok_and(|ip| SocketAddr::new(ip, settings.address.port()) == settings.address);
    let loopback = settings.address.ip().is_loopback();
    is_address
        || (loopback && name.eq_ignore_ascii_case("localhost"))
        || settings.host_names.iter().any(|known| known.eq_ignore_ascii_case(name))
}
