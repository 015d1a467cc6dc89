//! Failures of requests, and the problem documents they become (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use reeve_policy::authz::Refusal as Declined;
use reeve_protocol::bulletin::BulletinFault;
use reeve_protocol::local::Failure;
use reeve_protocol::refusal::Refusal;

use crate::api::{FieldProblem, PROBLEM_JSON, Problem};

/// Why an invite is not made, or an image not taken; whoever asked is at fault, except where it says
/// otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct DeskFault {
    /// What is wrong and what to do; holds no secret.
    pub detail: String,
}

/// Why a request failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// No token, or not one that is known.
    NoToken(&'static str),
    /// The file of tokens cannot be read.
    TokensUnreadable,
    /// A `Host` that is not this node's.
    OtherHost,
    /// A request that another site's page makes.
    ForeignOrigin,
    /// No such route.
    NoRoute,
    /// The route has other methods.
    NoMethod,
    /// The body is too long.
    TooLong(usize),
    /// The body did not come in time, or its connection broke.
    BodyLost,
    /// The body is not what the route takes.
    Malformed(String),
    /// The media type is not what the route takes.
    MediaType(&'static str),
    /// A parameter of the path or the query.
    Parameter(&'static str, String),
    /// Fields of records.
    Fields(Vec<FieldProblem>),
    /// Policy declined.
    Declined(Declined),
    /// The node cannot fulfil it.
    Failed(Failure),
    /// There is no such thing.
    NotFound(&'static str, &'static str),
    /// The invite was not made.
    Desk(DeskFault),
    /// No image of the store is taken.
    NoImage(DeskFault),
    /// Nobody can join through this node.
    NoDesk,
    /// In force, but the file could not be written.
    NotKept(std::io::Error),
    /// What is to wait for a second person cannot be kept.
    NotWaiting(std::io::Error),
    /// No answer in time.
    Busy,
    /// An answer to another question: a mistake of this program.
    OtherAnswer,
}

struct Told {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    next: &'static str,
}

fn told(
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: impl Into<String>,
    next: &'static str,
) -> Told {
    Told { status, code, title, detail: detail.into(), next }
}

impl Fault {
    fn told(&self) -> Told {
        use StatusCode as S;
        match self {
            Self::NoToken(why) => told(
                S::UNAUTHORIZED,
                "no_token",
                "A token is needed",
                *why,
                "send `Authorization: Bearer ...`; an operator makes tokens with `reeve token create`",
            ),
            Self::OtherHost => told(
                S::MISDIRECTED_REQUEST,
                "other_host",
                "Not this host",
                "the Host header names another host than this node's API",
                "use the address of `[http] listen`, or add the name to `[http] host_names`",
            ),
            Self::ForeignOrigin => told(
                S::FORBIDDEN,
                "foreign_origin",
                "A page of another site asks",
                "the Origin header is not this API's own",
                "",
            ),
            Self::NoRoute => told(S::NOT_FOUND, "no_route", "No such route", "", ""),
            Self::NoMethod => {
                told(S::METHOD_NOT_ALLOWED, "no_method", "The route has other methods", "", "")
            }
            Self::Declined(refusal) => told(
                S::FORBIDDEN,
                "declined",
                "Declined by policy",
                refusal.reason().to_string(),
                "ask the operator; `reeve policy explain` says which policies decide",
            ),
            Self::NotFound(what, next) => {
                told(S::NOT_FOUND, "not_found", "Not here", format!("no {what} here"), next)
            }
            Self::Failed(failure) => told_failure(failure),
            other => other.told_of_body(),
        }
    }

    fn told_of_body(&self) -> Told {
        use StatusCode as S;
        let malformed = |detail: String| {
            told(
                S::UNPROCESSABLE_ENTITY,
                "malformed",
                "The request does not make sense",
                detail,
                "",
            )
        };
        match self {
            Self::TooLong(limit) => told(
                S::PAYLOAD_TOO_LARGE,
                "too_long",
                "The body is too long",
                format!("at most {limit} bytes"),
                "send less at once",
            ),
            Self::BodyLost => told(
                S::REQUEST_TIMEOUT,
                "body_lost",
                "The body did not come in time",
                "",
                "send the request again",
            ),
            Self::Malformed(detail) => malformed(detail.clone()),
            Self::Parameter(name, detail) => malformed(format!("{name}: {detail}")),
            Self::MediaType(expected) => told(
                S::UNSUPPORTED_MEDIA_TYPE,
                "media_type",
                "Another media type is needed",
                format!("expected Content-Type {expected}"),
                "",
            ),
            Self::Fields(_) => told(
                S::UNPROCESSABLE_ENTITY,
                "fields",
                "Fields of records are wrong",
                "nothing was written",
                "correct the fields; `reeve schema` shows what they take",
            ),
            other => other.told_of_house(),
        }
    }

    fn told_of_house(&self) -> Told {
        use StatusCode as S;
        match self {
            Self::TokensUnreadable => told(
                S::SERVICE_UNAVAILABLE,
                "tokens_unreadable",
                "No token can be checked",
                "the file of tokens cannot be read",
                "see the log of the node; correct tokens.toml",
            ),
            Self::Desk(fault) => told(
                S::UNPROCESSABLE_ENTITY,
                "no_invite",
                "The invite was not made",
                fault.detail.clone(),
                "",
            ),
            Self::NoImage(fault) => told(
                S::UNPROCESSABLE_ENTITY,
                "no_image",
                "No image of the store is taken",
                fault.detail.clone(),
                "make backups with `reeve backup`, where the node's folder is",
            ),
            Self::NoDesk => told(
                S::CONFLICT,
                "no_enrolment",
                "Nobody can join through this node",
                "the configuration names no address in `[net] enrolment`",
                "add one and start the node again",
            ),
            Self::NotKept(error) => told(
                S::INTERNAL_SERVER_ERROR,
                "not_kept",
                "In force, but not kept",
                format!("the policy file could not be written: {}", error.kind()),
                "make room or correct the rights, and set the policy again before a restart",
            ),
            Self::NotWaiting(error) => told(
                S::INTERNAL_SERVER_ERROR,
                "not_waiting",
                "Not done, and it does not wait for a second person",
                format!("second-person.json could not be read or written: {error}"),
                "make room or correct the file's rights; a file that cannot be read may be removed",
            ),
            Self::Busy => told(
                S::SERVICE_UNAVAILABLE,
                "busy",
                "No answer in time",
                "the node has too much to do; the request may still be carried out",
                "see `reeve status`, and send the request again; a repeat changes nothing",
            ),
            _ => told(
                S::INTERNAL_SERVER_ERROR,
                "internal",
                "A mistake of this program",
                "the node gave an answer to another question",
                "please report it, with the version and the request's route",
            ),
        }
    }

    /// Why, where there is a code for it.
    fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Declined(refusal) => Some(refusal.reason().code()),
            Self::Failed(Failure::Refused(refusal)) => Some(refusal.label()),
            _ => None,
        }
    }

    fn problem(self) -> Problem {
        let Told { status, code, title, detail, next } = self.told();
        let mut problem = Problem {
            kind: format!("urn:reeve:problem:{code}"),
            title: title.to_owned(),
            status: status.as_u16(),
            code: code.to_owned(),
            detail,
            reason: self.reason().map(str::to_owned),
            next: next.to_owned(),
            errors: Vec::new(),
            determining: Vec::new(),
        };
        match self {
            Self::Fields(errors) => problem.errors = errors,
            Self::Declined(refusal) => problem.determining = refusal.determining().to_vec(),
            _ => {}
        }
        problem
    }
}

fn told_failure(failure: &Failure) -> Told {
    use StatusCode as S;
    let (status, code, title) = match failure {
        // The loop has ended; the program is about to.
        Failure::NotFound("running node") => {
            (S::SERVICE_UNAVAILABLE, "stopping", "The node is stopping")
        }
        Failure::UnknownKind(_)
        | Failure::UnknownIndicator(_)
        | Failure::NoImport(_)
        | Failure::NotFound(_)
        | Failure::UnknownUnit(_)
        | Failure::NoLetter(_)
        | Failure::OtherArea(_) => (S::NOT_FOUND, "not_found", "Not here"),
        Failure::NoTwin => (S::CONFLICT, "no_twin", "This node keeps no records"),
        Failure::NoSuperior => {
            (S::SERVICE_UNAVAILABLE, "no_superior", "The superior does not answer")
        }
        Failure::Bulletin(fault) => match &**fault {
            BulletinFault::Form(_) => (S::BAD_REQUEST, "no_bulletin", "Not a bulletin"),
            _ => (S::CONFLICT, "not_published", "No bulletin was published"),
        },
        Failure::NotReporting => (S::CONFLICT, "not_reporting", "Another node keeps the register"),
        Failure::Register(_) => (S::CONFLICT, "register", "The register stays as it is"),
        Failure::NoWriter => (S::CONFLICT, "no_writer", "This node may not write"),
        Failure::OtherDefinition(_) => (S::CONFLICT, "other_definition", "Changed meanwhile"),
        Failure::LegalBasis(_) => (S::BAD_REQUEST, "legal_basis", "Not a legal basis"),
        Failure::Sealed { .. } => (S::CONFLICT, "sealed", "The records of that time are gone"),
        Failure::Ahead(_) => (S::BAD_REQUEST, "ahead", "That day has not come"),
        Failure::NoRetention => (S::CONFLICT, "no_retention", "Nothing says what is too old"),
        Failure::NotSealing => (S::CONFLICT, "not_sealing", "Another node removes records"),
        Failure::Exists(_) => (S::CONFLICT, "exists", "Here already with other content"),
        Failure::Busy(_) => (S::SERVICE_UNAVAILABLE, "busy", "Too much at once"),
        Failure::NoSpace => (S::INSUFFICIENT_STORAGE, "no_space", "The disk is full"),
        Failure::Rebuilding => (S::SERVICE_UNAVAILABLE, "rebuilding", "Not yet"),
        Failure::OwnTable(_) => (S::INTERNAL_SERVER_ERROR, "own_table", "Not computed"),
        Failure::Write(_) | Failure::NotBegun(_) => {
            (S::UNPROCESSABLE_ENTITY, "not_written", "Not written")
        }
        Failure::Refused(Refusal::Busy) => (S::SERVICE_UNAVAILABLE, "busy", "Too much at once"),
        Failure::Refused(
            Refusal::OldVersion | Refusal::OldEdition | Refusal::OldTerm | Refusal::Equivocation,
        ) => (S::CONFLICT, "older", "Something newer is held already"),
        Failure::Refused(_) => (S::UNPROCESSABLE_ENTITY, "refused", "Refused"),
        Failure::TooMany { .. } => (S::PAYLOAD_TOO_LARGE, "too_many", "Too many at once"),
        Failure::Damaged(_) => (S::INTERNAL_SERVER_ERROR, "damaged", "The store is damaged"),
    };
    told(status, code, title, failure.to_string(), "")
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let problem = self.problem();
        let status = StatusCode::from_u16(problem.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // A problem holds texts and numbers only, which always have a JSON form.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
