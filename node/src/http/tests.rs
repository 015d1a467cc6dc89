//! The API as its callers meet it: a real listener, raw requests, a stand-in for the node that decides
//! by the policy of a new node.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use reeve_crdt::schema::Schema;
use reeve_crdt::twin::RecordOp;
use reeve_policy::authz::{
    Action, Circumstances, Decision, Person, PolicySet, Principal, Question as Asked, Resource,
    Role,
};
use reeve_protocol::counters::Counters;
use reeve_protocol::local::{Answer, Failure, Question, Written};
use reeve_statement::digest::Digest;
use reeve_statement::names::KindId;
use reeve_statement::time::Timestamp;
use reeve_statement::unit::UnitPath;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Access, Asker, HttpSettings, ROUTES, SchemaText, serve};
use crate::api::StorageView;
use crate::token::{Secret, TOKENS_FILE, Token, Tokens};

const SCHEMA: &str = r#"
[schema]
name = "test"
version = 1
[kind.case]
twin = "emergency"
subject = "person"
expected_records = 1000
title = { en = "Case" }
[kind.case.field.age]
type = "integer"
min = 0
max = 120
required = true
[kind.case.field.note]
type = "text"
max = 100
"#;

/// Stands in for a node: keeps what it was asked, and decides like a new node's policy.
#[derive(Clone)]
struct Fake {
    policy: Arc<PolicySet>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    fn decide(&self, who: Person, what: &Question) -> Decision {
        let unit: UnitPath = "it/03".parse().unwrap();
        let kind = |kind: &KindId| Resource::Kind { id: kind.clone(), personal: true };
        let node = Resource::Node(unit);
        let (action, resource) = match what {
            Question::Write { kind: of, import: None, .. } => (Action::WriteRecord, kind(of)),
            Question::Write { kind: of, .. } | Question::BeginImport { kind: of, .. } => {
                (Action::Import, kind(of))
            }
            Question::Record { kind: of, .. } | Question::Records { kind: of, .. } => {
                (Action::ReadRecord, kind(of))
            }
            Question::Close { kind: of, .. } => (Action::ClosePeriod, kind(of)),
            Question::Status => (Action::ReadStatus, node),
            Question::Metrics => (Action::ReadMetrics, node),
            Question::Sent { .. } | Question::Statement(_) | Question::Chunk(_) => {
                (Action::ReadSent, node)
            }
            Question::Checkpoint
            | Question::Inclusion { .. }
            | Question::Cosigned { .. }
            | Question::Equivocations
            | Question::Evidence => (Action::ReadLedger, node),
            Question::Register => (Action::ReadRegister, node),
            Question::Permission(action) => (*action, node),
            Question::SetPolicy(..) => (Action::ChangePolicy, node),
            _ => (Action::ReadCatalogue, node),
        };
        let circumstances = Circumstances::default();
        let principal = Principal::Person(who);
        self.policy.decide(&Asked { principal, action, resource, circumstances })
    }
}

impl Asker for Fake {
    async fn ask(&self, who: Person, what: Question) -> Answer {
        if let Decision::Decline(refusal) = self.decide(who, &what) {
            return Answer::Declined(refusal);
        }
        match what {
            Question::Write { ops, .. } => {
                let says = |op: &RecordOp| match op {
                    RecordOp::Put { id, record } => {
                        format!("put {} {}", id.as_str(), record.record().len())
                    }
                    RecordOp::Delete { id } => format!("delete {}", id.as_str()),
                    RecordOp::SetField { id, field, value } => {
                        format!("set {} {field} {}", id.as_str(), value.is_some())
                    }
                };
                self.asked.lock().unwrap().extend(ops.iter().map(says));
                let inserted = u64::try_from(ops.len()).unwrap();
                Answer::Written(Written { inserted, ..Written::default() })
            }
            Question::BeginImport { .. } => Answer::Begun(7),
            Question::Record { .. } => Answer::Record(None),
            Question::Records { .. } => Answer::Records { records: Vec::new(), shards: 1 },
            Question::Metrics => {
                let mut counters = Counters::default();
                counters.count("refused_statements", "bad_signature");
                Answer::Metrics(counters)
            }
            Question::Sent { .. } => Answer::Sent(Vec::new()),
            Question::Checkpoint => Answer::Checkpoint("note".to_owned()),
            Question::Register => Answer::Register(Vec::new()),
            Question::ChangeRegister(_) | Question::ReceiveUnit { .. } => {
                Answer::Registered(Digest::ZERO)
            }
            Question::Catalogue => Answer::Catalogue(None),
            Question::Statement(_) | Question::Chunk(_) => Answer::Statement(None),
            Question::Cosigned { .. } => Answer::Cosigned(None),
            Question::Equivocations => Answer::Equivocations(Vec::new()),
            Question::Evidence => Answer::Failed(Failure::NotFound("evidence")),
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

struct House {
    folder: tempfile::TempDir,
    address: SocketAddr,
    fake: Fake,
}

fn now() -> Timestamp {
    Timestamp::from_seconds(1_600_000_000)
}

fn secret(role: Role) -> Secret {
    let mut random = [0; 32];
    for (to, from) in random.iter_mut().zip(role.name().bytes()) {
        *to = from;
    }
    Secret::of(&random)
}

async fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let mut tokens = Tokens::default();
    for role in [Role::Operator, Role::Writer, Role::Viewer, Role::Auditor] {
        let mut token = Token::new(role.name(), role, &secret(role), now());
        if role == Role::Writer {
            token.kinds = Some(BTreeSet::from(["case".to_owned()]));
        }
        tokens.add(token).unwrap();
    }
    tokens.write(&folder.path().join(TOKENS_FILE)).unwrap();
    let policy = folder.path().join("policy.cedar");
    std::fs::write(&policy, reeve_policy::authz::DEFAULT_POLICY).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let schema = Arc::new(Schema::parse("schema.toml", SCHEMA).unwrap());
    let settings = HttpSettings {
        address,
        host_names: vec!["reeve.example".to_owned()],
        tokens: folder.path().join(TOKENS_FILE),
        schema: Some(SchemaText { schema, text: SCHEMA.into() }),
        policy,
        second: None,
        open_ledger: false,
        invites: None,
        admissions: None,
        image: None,
        storage: Arc::new(|| StorageView { engine: "memory".to_owned(), bytes: Some(7) }),
        clock: now,
    };
    let policy = Arc::new(PolicySet::of_new_node().unwrap());
    let fake = Fake { policy, asked: Arc::default() };
    let asker = fake.clone();
    tokio::spawn(async move { serve(listener, asker, settings, std::future::pending()).await });
    House { folder, address, fake }
}

struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl House {
    async fn raw(&self, request: String) -> Reply {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).unwrap_or("0").parse().unwrap();
        Reply { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    async fn send(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut request = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            request.push_str(&format!("Host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        self.raw(request).await
    }

    async fn as_role(&self, role: Role, line: &str, body: &str) -> Reply {
        let bearer = format!("Bearer {}", secret(role).text());
        let media = ("Content-Type", "application/json");
        self.send(line, &[("Authorization", bearer.as_str()), media], body).await
    }
}

fn line(method: &str, path: &str) -> String {
    let path = path
        .replace("{kind}", "case")
        .replace("{digest}", &"0".repeat(64))
        .replace("{indicator}", "cases")
        .replace("{import}", "7")
        .replace("{term}", "1")
        .replace("{size}", "1")
        .replace("{*tile}", "0/000")
        .replace("{id}", "1");
    format!("{} {path}", method.to_ascii_uppercase())
}

#[tokio::test]
async fn attack_40_every_route_asks_for_a_token() {
    let house = house().await;
    for route in ROUTES {
        let reply = house.send(&line(route.method, route.path), &[], "").await;
        let expected = match route.access {
            Access::Open => 200,
            Access::Ledger => 404,
            Access::Token => 401,
        };
        assert_eq!(reply.status, expected, "{} {}", route.method, route.path);
        let wrong = [("Authorization", "Bearer reeve_0000")];
        let reply = house.send(&line(route.method, route.path), &wrong, "").await;
        assert_eq!(reply.status, expected, "{} {}", route.method, route.path);
        if expected == 401 {
            assert!(reply.head.contains("application/problem+json"), "{}", reply.head);
            assert!(reply.head.contains("www-authenticate: bearer"), "{}", reply.head);
        }
    }
    assert_eq!(house.send("GET /v1/none", &[], "").await.status, 401);
}

#[tokio::test]
async fn every_route_is_mounted() {
    let house = house().await;
    for route in ROUTES {
        let reply = house.as_role(Role::Operator, &line(route.method, route.path), "").await;
        assert!(!reply.body.contains("no_route"), "{} {}", route.method, route.path);
        assert_ne!(reply.status, 405, "{} {}", route.method, route.path);
    }
    assert_eq!(house.as_role(Role::Operator, "GET /v1/none", "").await.status, 404);
    assert_eq!(house.as_role(Role::Operator, "POST /v1/status", "").await.status, 405);
}

#[tokio::test]
async fn attack_41_other_hosts_and_foreign_origins_are_turned_away_everywhere() {
    let house = house().await;
    let port = house.address.port();
    for route in ROUTES {
        let line = line(route.method, route.path);
        for host in ["evil.test", &format!("evil.test:{port}"), "", "127.0.0.1", "localhost:1"] {
            let reply = house.send(&line, &[("Host", host)], "").await;
            assert_eq!(reply.status, 421, "{line} for {host:?}");
        }
        for origin in ["http://evil.test", "null", "https://127.0.0.1", "http://reeve.example.evil"]
        {
            let reply = house.send(&line, &[("Origin", origin)], "").await;
            assert_eq!(reply.status, 403, "{line} from {origin}");
        }
    }
    for host in
        [format!("localhost:{port}"), "reeve.example".to_owned(), "REEVE.example".to_owned()]
    {
        assert_eq!(house.send("GET /health", &[("Host", &host)], "").await.status, 200, "{host}");
    }
    let own = format!("http://127.0.0.1:{port}");
    assert_eq!(house.send("GET /health", &[("Origin", &own)], "").await.status, 200);
    let twice =
        format!("GET /health HTTP/1.1\r\nHost: {0}\r\nHost: evil.test\r\n\r\n", house.address);
    let reply = house.raw(twice.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")).await;
    assert!(matches!(reply.status, 400 | 421), "{}", reply.status);
}

#[tokio::test]
async fn answers_cannot_be_framed_sniffed_or_kept() {
    let house = house().await;
    for line in ["GET /health", "GET /v1/status", "GET /v1/none"] {
        let head = house.send(line, &[], "").await.head;
        for header in
            ["cache-control: no-store", "x-content-type-options: nosniff", "frame-ancestors"]
        {
            assert!(head.contains(header), "{header} in {head}");
        }
        assert!(!head.contains("access-control"), "{head}");
    }
}

#[tokio::test]
async fn attack_43_roles_see_what_the_policy_permits() {
    let house = house().await;
    let cases = [
        ("GET /metrics", Role::Operator, 200),
        ("GET /metrics", Role::Writer, 403),
        ("GET /metrics", Role::Auditor, 403),
        ("GET /v1/sent", Role::Auditor, 200),
        ("GET /v1/sent", Role::Writer, 403),
        ("GET /v1/schema", Role::Writer, 200),
        ("GET /v1/records/case", Role::Operator, 403),
        ("GET /v1/records/case", Role::Writer, 200),
        ("GET /v1/ledger/checkpoint", Role::Auditor, 200),
        ("GET /v1/policy", Role::Auditor, 200),
        ("GET /v1/policy", Role::Writer, 403),
        ("POST /v1/invites", Role::Writer, 403),
        ("POST /v1/invites", Role::Operator, 409),
    ];
    for (line, role, expected) in cases {
        let reply = house.as_role(role, line, "{}").await;
        assert_eq!(reply.status, expected, "{line} as {role:?}: {}", reply.body);
        if expected == 403 {
            let problem: crate::api::Problem = serde_json::from_str(&reply.body).unwrap();
            assert_eq!((problem.code.as_str(), problem.status), ("declined", 403));
        }
    }
}

#[tokio::test]
async fn records_are_written_or_their_mistakes_named_without_values() {
    let house = house().await;
    let body = r#"{"operations":[{"op":"put","id":"a","record":{"age":3}},{"op":"delete","id":"b"},
        {"op":"set","id":"c","field":"note","value":null}]}"#;
    let reply = house.as_role(Role::Writer, "POST /v1/records/case", body).await;
    assert_eq!(
        (reply.status, reply.body.contains("\"inserted\":3")),
        (200, true),
        "{}",
        reply.body
    );
    let asked = house.fake.asked.lock().unwrap().clone();
    assert_eq!(asked, ["put a 1", "delete b", "set c note false"]);

    let bad = r#"{"operations":[{"op":"put","id":"a","record":{"age":777123,"colour":"CANARY"}},
        {"op":"put","id":"b","record":{"note":"CANARY"}}]}"#;
    let reply = house.as_role(Role::Writer, "POST /v1/records/case", bad).await;
    assert_eq!(reply.status, 422);
    let problem: crate::api::Problem = serde_json::from_str(&reply.body).unwrap();
    let fields: Vec<_> = problem.errors.iter().map(|e| (e.operation, e.field.as_str())).collect();
    assert!(fields.contains(&(Some(0), "age")) && fields.contains(&(Some(1), "age")), "{fields:?}");
    assert!(!reply.body.contains("CANARY") && !reply.body.contains("777123"), "{}", reply.body);
    assert_eq!(house.fake.asked.lock().unwrap().len(), 3, "nothing more was written");

    let reply = house.as_role(Role::Writer, "PUT /v1/records/case/x", r#"{"age": 4}"#).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let reply = house.as_role(Role::Writer, "PATCH /v1/records/case/x", r#"{"note": "n"}"#).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(house.as_role(Role::Writer, "GET /v1/records/case/x", "").await.status, 404);
    assert_eq!(house.as_role(Role::Writer, "GET /v1/records/none/x", "").await.status, 404);
    assert_eq!(house.as_role(Role::Writer, "PUT /v1/records/case/x", "[1").await.status, 422);
}

#[tokio::test]
async fn long_bodies_and_other_media_types_are_refused_before_they_are_read() {
    let house = house().await;
    let bearer = format!("Authorization: Bearer {}", secret(Role::Writer).text());
    let head = format!("POST /v1/records/case HTTP/1.1\r\nHost: {}\r\n{bearer}", house.address);
    let announced = "Content-Type: application/json\r\nContent-Length: 4294967296";
    let reply = house.raw(format!("{head}\r\n{announced}\r\nConnection: close\r\n\r\n")).await;
    assert_eq!(reply.status, 413, "{}", reply.body);
    let media = "Content-Type: text/plain\r\nContent-Length: 2";
    let reply = house.raw(format!("{head}\r\n{media}\r\nConnection: close\r\n\r\n{{}}")).await;
    assert_eq!(reply.status, 415, "{}", reply.body);
}

#[tokio::test]
async fn batches_of_an_import_go_by_cbor_or_lines() {
    let house = house().await;
    let begin = format!(r#"{{"kind":"case","sha256":"{}","name":"f.csv"}}"#, "0".repeat(64));
    let reply = house.as_role(Role::Operator, "POST /v1/imports", &begin).await;
    assert_eq!((reply.status, reply.body.as_str()), (201, r#"{"import":7}"#));
    let bearer = format!("Bearer {}", secret(Role::Operator).text());
    let headers = |media| [("Authorization", bearer.as_str()), ("Content-Type", media)];
    let lines = "{\"id\":\"a\",\"record\":{\"age\":1}}\n{\"id\":\"b\",\"record\":{\"age\":2}}\n";
    let to = "POST /v1/imports/7/batch?kind=case";
    let reply = house.send(to, &headers("application/x-ndjson"), lines).await;
    assert_eq!(
        (reply.status, reply.body.contains("\"inserted\":2")),
        (200, true),
        "{}",
        reply.body
    );
    let reply = house.send(to, &headers("application/cbor"), "no batch").await;
    assert_eq!(reply.status, 422, "{}", reply.body);
    let reply = house.send(to, &headers("application/json"), "[]").await;
    assert_eq!(reply.status, 415, "{}", reply.body);
}

#[test]
fn a_batch_survives_its_cbor() {
    let schema = Schema::parse("schema.toml", SCHEMA).unwrap();
    let kind = schema.kind("case").unwrap();
    let json = serde_json::json!({"age": 5, "note": "x"});
    let record = reeve_crdt::record::Record::from_json(kind, json.as_object().unwrap()).unwrap();
    let id = reeve_crdt::record::RecordId::new("c").unwrap();
    let bytes = crate::api::batch::encode([(&id, &record)].into_iter());
    let ops = crate::api::batch::decode(kind, &bytes).unwrap();
    let record = kind.validate(record).unwrap();
    assert_eq!(ops, [RecordOp::Put { id, record }]);
    for cut in 0..bytes.len() {
        let short = bytes.get(..cut).unwrap();
        assert!(crate::api::batch::decode(kind, short).is_err(), "{cut} bytes");
    }
}

#[tokio::test]
async fn attack_43_a_revoked_token_opens_nothing_any_more() {
    let house = house().await;
    assert_eq!(house.as_role(Role::Auditor, "GET /v1/sent", "").await.status, 200);
    let path = house.folder.path().join(TOKENS_FILE);
    let mut tokens = Tokens::read(&path).unwrap();
    tokens.revoke("auditor").unwrap();
    tokens.write(&path).unwrap();
    assert_eq!(house.as_role(Role::Auditor, "GET /v1/sent", "").await.status, 401);
    std::fs::write(&path, "not a file of tokens").unwrap();
    assert_eq!(house.as_role(Role::Operator, "GET /v1/sent", "").await.status, 503);
}

#[tokio::test]
async fn a_new_policy_is_kept_and_a_wrong_one_refused() {
    let house = house().await;
    let bearer = format!("Bearer {}", secret(Role::Operator).text());
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "text/plain")];
    let text = format!("// Changed.\n{}", reeve_policy::authz::DEFAULT_POLICY);
    let reply = house.send("PUT /v1/policy", &headers, &text).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let path = house.folder.path().join("policy.cedar");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    let reply = house.send("PUT /v1/policy", &headers, "permit (").await;
    assert_eq!(reply.status, 422, "{}", reply.body);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn metrics_are_fixed_words_and_numbers() {
    let house = house().await;
    let reply = house.as_role(Role::Operator, "GET /metrics", "").await;
    assert!(reply.head.contains("text/plain; version=0.0.4"), "{}", reply.head);
    let counted = "reeve_events_total{event=\"refused_statements\",reason=\"bad_signature\"} 1\n";
    assert!(reply.body.contains(counted), "{}", reply.body);
    for line in reply.body.lines().filter(|line| !line.starts_with('#')) {
        assert!(
            line.starts_with("reeve_") && line.rsplit(' ').next().unwrap().parse::<i64>().is_ok()
        );
    }
}

/// As many slow clients as there are places, and one more each time: the slowest has to go, and whoever
/// is quick is served.
#[tokio::test]
async fn slow_clients_do_not_keep_a_quick_one_out() {
    let house = house().await;
    let mut slow = Vec::new();
    for _ in 0..400 {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        stream.write_all(b"GET /v1/status HTTP/1.1\r\nX-").await.unwrap();
        slow.push(stream);
    }
    for _ in 0..20 {
        let reply = house.as_role(Role::Operator, &line("GET", "/health"), "").await;
        assert_eq!(reply.status, 200);
    }
    // The first ones were closed on, the last ones still may finish.
    let mut closed = 0;
    for stream in slow.iter_mut().take(100) {
        closed += usize::from(matches!(stream.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    }
    assert_eq!(closed, 100);
    let last = slow.last_mut().unwrap();
    let rest = format!("A: b\r\nHost: {}\r\n\r\n", house.address);
    last.write_all(rest.as_bytes()).await.unwrap();
    let mut heard = [0; 12];
    last.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"HTTP/1.1 401");
}

#[tokio::test]
async fn documents_that_swell_are_refused_unparsed() {
    let house = house().await;
    let path = line("POST", "/v1/records/case");
    for one in ["0,", "[],", "{\"\":0},"] {
        let body = format!(
            "{{\"operations\":[{{\"op\":\"put\",\"id\":\"a\",\"record\":{{\"note\":[{}0]}}}}]}}",
            one.repeat(300_000)
        );
        let reply = house.as_role(Role::Writer, &path, &body).await;
        assert_eq!(reply.status, 422, "{one}");
    }
}
