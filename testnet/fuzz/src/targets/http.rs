//! Raw bytes to the local API, over a Unix socket: request lines, headers, queries, bodies.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use reeve::api::StorageView;
use reeve::http::{Asker, HttpSettings, SchemaText, serve};
use reeve::token::{Secret, TOKENS_FILE, Token, Tokens};
use reeve_policy::authz::{Person, Role};
use reeve_protocol::counters::Counters;
use reeve_protocol::local::{Answer, Failure, Question, Written};
use reeve_statement::digest::Digest;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Runtime;

use crate::house::{NOW, SCHEMA, schema};

/// Stands in an input for the secret of a token, which no mutation could guess.
const PLACE_OF_TOKEN: &[u8] = b"TOKEN";

/// Longest answer that is read, in bytes: no document of this stand-in is longer.
const ANSWER_BYTES: u64 = 1024 * 1024;

/// A node that answers everything with little.
#[derive(Clone)]
struct Answers;

impl Asker for Answers {
    async fn ask(&self, _: Person, what: Question) -> Answer {
        match what {
            Question::Write { ops, .. } => {
                assert!(ops.len() <= reeve::api::MAX_OPERATIONS);
                let inserted = u64::try_from(ops.len()).unwrap();
                Answer::Written(Written { inserted, ..Written::default() })
            }
            Question::BeginImport { .. } => Answer::Begun(7),
            Question::Record { .. } => Answer::Record(None),
            Question::Records { .. } => Answer::Records { records: Vec::new(), shards: 1 },
            Question::Figure { .. }
            | Question::ClassFigure { .. }
            | Question::SuperiorFigure { .. } => Answer::Figure(None),
            Question::OwnFigure { .. } => Answer::OwnFigure(None),
            Question::Periods { .. } => Answer::Periods(Vec::new()),
            Question::Metrics => Answer::Metrics(Counters::default()),
            Question::Sent { .. } => Answer::Sent(Vec::new()),
            Question::Statement(_) => Answer::Statement(None),
            Question::Checkpoint => Answer::Checkpoint("note".to_owned()),
            Question::Inclusion { .. } => Answer::Proof { hashes: Vec::new(), receipt: None },
            Question::Catalogue => Answer::Catalogue(None),
            Question::Register => Answer::Register(Vec::new()),
            Question::ChangeRegister(_) | Question::ReceiveUnit { .. } => {
                Answer::Registered(Digest::ZERO)
            }
            Question::Issued { .. } => Answer::Issued(Vec::new()),
            Question::Status | Question::EndImport { .. } => Answer::Failed(Failure::NoTwin),
            _ => Answer::Done,
        }
    }

    fn addresses(&self) -> Vec<String> {
        vec!["/ip4/127.0.0.1/tcp/7401".to_owned()]
    }

    fn is_ready(&self) -> bool {
        true
    }
}

/// A running API.
struct Api {
    runtime: Runtime,
    folder: TempDir,
    secret: Secret,
}

impl Api {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secret = Secret::of(&[7; 32]);
        let mut tokens = Tokens::default();
        let mut token = Token::new("fuzz", Role::Operator, &secret, NOW);
        token.kinds = Some(BTreeSet::from(["case".to_owned(), "team".to_owned()]));
        tokens.add(token).unwrap();
        tokens.write(&folder.path().join(TOKENS_FILE)).unwrap();
        let settings = HttpSettings {
            address: SocketAddr::from(([127, 0, 0, 1], 7400)),
            host_names: Vec::new(),
            tokens: folder.path().join(TOKENS_FILE),
            schema: Some(SchemaText { schema: Arc::clone(schema()), text: Arc::from(SCHEMA) }),
            policy: folder.path().join("policy.cedar"),
            second: None,
            open_ledger: true,
            invites: None,
            admissions: None,
            image: None,
            storage: Arc::new(|| StorageView { engine: "none".to_owned(), bytes: None }),
            clock: || NOW,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let entered = runtime.enter();
        let listener = UnixListener::bind(Self::socket(&folder)).unwrap();
        drop(entered);
        runtime.spawn(serve(listener, Answers, settings, std::future::pending()));
        Self { runtime, folder, secret }
    }

    fn socket(folder: &TempDir) -> PathBuf {
        folder.path().join("api.socket")
    }

    /// Sends bytes, and reads until the API closes the connection.
    fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        self.runtime.block_on(async {
            let stream = UnixStream::connect(Self::socket(&self.folder)).await.unwrap();
            let (read, mut write) = stream.into_split();
            let send = async {
                // The API may close before it has read all.
                let _ = write.write_all(bytes).await;
                let _ = write.shutdown().await;
            };
            let mut answer = Vec::new();
            let mut limited = read.take(ANSWER_BYTES);
            let receive = limited.read_to_end(&mut answer);
            let (_, _) = tokio::join!(send, receive);
            answer
        })
    }
}

thread_local! {
    static API: Api = Api::new();
}

/// A connection's bytes: nobody without a token learns or changes anything, every answer carries the
/// headers that keep browsers out, and nothing is answered as our own fault.
pub fn requests(bytes: &[u8]) {
    let has_token = bytes.windows(PLACE_OF_TOKEN.len()).any(|part| part == PLACE_OF_TOKEN);
    API.with(|api| {
        let sent = if has_token { with_token(bytes, api.secret.text()) } else { bytes.to_vec() };
        let answer = api.exchange(&sent);
        let Some(status) = status(&answer) else { return };
        let head = answer.windows(4).position(|part| part == b"\r\n\r\n").unwrap_or(answer.len());
        let head = String::from_utf8_lossy(&answer[..head]).to_lowercase();
        assert_ne!(status, 500, "our own fault: {head}");
        // hyper answers by itself what is no HTTP at all, with nothing but the status.
        let by_hyper = [400, 414, 431, 505].contains(&status) && !head.contains("cache-control");
        assert!(by_hyper || head.contains("default-src 'none'"), "no policy for browsers: {head}");
        let open = sent.windows(7).any(|part| part == b"/health" || part == b"/ready ");
        if !has_token && status == 200 {
            assert!(open, "answered without a token: {head}");
        }
    });
}

fn with_token(bytes: &[u8], secret: &str) -> Vec<u8> {
    let mut sent = Vec::with_capacity(bytes.len() + secret.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(PLACE_OF_TOKEN.len()).position(|it| it == PLACE_OF_TOKEN) {
        sent.extend_from_slice(&rest[..at]);
        sent.extend_from_slice(secret.as_bytes());
        rest = &rest[at + PLACE_OF_TOKEN.len()..];
    }
    sent.extend_from_slice(rest);
    sent
}

/// The status of the first answer.
fn status(answer: &[u8]) -> Option<u16> {
    let code = answer.strip_prefix(b"HTTP/1.1 ").or(answer.strip_prefix(b"HTTP/1.0 "))?.get(..3)?;
    std::str::from_utf8(code).ok()?.parse().ok()
}

/// Seeds of [`requests`].
pub fn request_seeds() -> Vec<Vec<u8>> {
    let with = |line: &str, body: &str, media: &str| {
        format!(
            "{line} HTTP/1.1\r\nHost: 127.0.0.1:7400\r\nAuthorization: Bearer TOKEN\r\n\
             Content-Type: {media}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let get = |path: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:7400\r\nAuthorization: Bearer TOKEN\r\n\r\n"
        )
    };
    let put = r#"{"operations":[{"op":"put","id":"1","record":{"status":"confirmed"}},{"op":"delete","id":"2"},{"op":"set","id":"3","field":"size","value":4}]}"#;
    let begin = format!(r#"{{"kind":"case","sha256":"{}","name":"f.csv"}}"#, "0".repeat(64));
    let json = "application/json";
    let batch = {
        let body = "{\"id\":\"1\",\"record\":{\"status\":\"confirmed\"}}\n";
        with("POST /v1/imports/7/batch?kind=case", body, "application/x-ndjson")
    };
    [
        "GET /health HTTP/1.1\r\nHost: localhost:7400\r\n\r\n".to_owned(),
        "GET /v1/status HTTP/1.1\r\nHost: evil.test\r\nOrigin: http://evil.test\r\n\r\n".to_owned(),
        get("/v1/figures/cases?period=2026-02-28&area=it/03&own=true"),
        get("/v1/indicators/cases/periods"),
        get("/v1/sent?before=9&limit=5"),
        get("/v1/ledger/proof?index=1&size=3"),
        get("/v1/records/case?shard=0"),
        get("/v1/records/case/1"),
        get(&format!("/v1/statements/{}", "ab".repeat(32))),
        with("POST /v1/records/case", put, json),
        with("PUT /v1/records/team/1", r#"{"name":"rescue","size":5}"#, json),
        with("PATCH /v1/records/team/1", r#"{"size":null}"#, "application/merge-patch+json"),
        with("POST /v1/imports", &begin, json),
        batch,
        with("POST /v1/imports/7/end?kind=case", r#"{"source":"s","closes":["2026-02-28"]}"#, json),
        with("POST /v1/close", r#"{"kind":"case","source":"s","closes":["2026-W09"]}"#, json),
        with("PUT /v1/policy", reeve_policy::authz::DEFAULT_POLICY, "text/plain"),
        with("POST /v1/lists", "0", "application/cbor"),
        "POST /v1/close HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
            .to_owned(),
    ]
    .map(String::into_bytes)
    .into()
}
