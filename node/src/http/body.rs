//! Bodies and parameters: bounded in size and time, before anything is parsed.

use std::str::FromStr;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use reeve_policy::authz::Person;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fault::Fault;
use crate::api::JSON;

/// Longest time that a body may take: 16 MiB from this machine take well under a second.
const BODY: Duration = Duration::from_secs(30);

/// Who asks, as the guard found out.
pub(super) struct Who(pub(super) Person);

impl<S: Send + Sync> FromRequestParts<S> for Who {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        let person = parts.extensions.remove::<Person>();
        person.map(Self).ok_or(Fault::NoToken("the request shows no token"))
    }
}

/// Parameters of the query.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        query
            .map(|query| Self(query.0))
            .map_err(|error| Fault::Parameter("query", error.body_text()))
    }
}

/// Reads a whole body of at most so many bytes.
pub(super) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Fault> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    let announced = announced.and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(Fault::TooLong(limit));
    }
    let reading = axum::body::to_bytes(body, limit);
    let read = tokio::time::timeout(BODY, reading).await.map_err(|_| Fault::BodyLost)?;
    // Without an announced length only the limit, or the connection, ends a body early.
    read.map_err(|_| if announced.is_none() { Fault::TooLong(limit) } else { Fault::BodyLost })
}

/// The media type of a body, without its parameters.
pub(super) fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or(value).trim())
}

/// Reads a JSON document. Other media types are refused, so that no form of a foreign page passes.
pub(super) async fn json<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
) -> Result<T, Fault> {
    let media = media_type(headers).unwrap_or_default();
    if media != JSON && media != "application/merge-patch+json" {
        return Err(Fault::MediaType(JSON));
    }
    parse_json(&read(headers, body, limit).await?)
}

/// Deepest nesting of a document: a value of a field in a record in an operation in a list.
const DEPTH: usize = 16;

/// Most values of a document: a thousand operations on records of two hundred fields. A value takes a
/// hundred bytes once it is parsed, two in the document.
const VALUES: usize = 256 * 1024;

/// Whether a document nests no deeper and holds no more than any that a route takes, found out without
/// parsing it. What is not JSON is the parser's affair.
fn is_modest(bytes: &[u8]) -> bool {
    let (mut depth, mut values, mut quoted, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in bytes {
        if quoted {
            quoted = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'[' | b'{' => (depth, values) = (depth.saturating_add(1), values.saturating_add(1)),
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => values = values.saturating_add(1),
            _ => {}
        }
        if depth > DEPTH || values > VALUES {
            return false;
        }
    }
    true
}

/// Parses JSON; a failure names the place, never what stands there.
pub(super) fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    if !is_modest(bytes) {
        return Err(Fault::Malformed(format!(
            "JSON of more than {DEPTH} levels or {VALUES} values; split it up"
        )));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Data => "JSON, but not the document that the route takes",
            _ => "not well-formed JSON",
        };
        Fault::Malformed(format!("{what}: line {}, column {}", error.line(), error.column()))
    })
}

/// Reads a parameter.
pub(super) fn parameter<T: FromStr>(name: &'static str, text: &str) -> Result<T, Fault>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| Fault::Parameter(name, error.to_string()))
}

/// A JSON document as an answer.
pub(super) struct Document<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Document<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, JSON)], body).into_response(),
            Err(_) => Fault::OtherAnswer.into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_that_nest_deep_or_hold_much_are_refused_unparsed() {
        assert!(is_modest(br#"{"operations":[{"op":"put","id":"a","record":{"b":[1,2]}}]}"#));
        assert!(!is_modest(&[b'['; 17]));
        assert!(!is_modest("[],".repeat(VALUES).as_bytes()));
        // Within a text nothing nests, whatever is escaped in it.
        let text = format!(r#"["{}\"[","\\"]"#, "[,".repeat(VALUES));
        assert!(is_modest(text.as_bytes()));
        assert!(!is_modest(format!(r#"["\\"{}"#, "[".repeat(17)).as_bytes()));
    }
}
