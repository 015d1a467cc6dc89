//! Every route of the local API, with every kind of token, over a real connection.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use reeve::http::{Access, ROUTES};

use super::federation::{Federation, Site, eventually};

const ROLES: [&str; 4] = ["operator", "writer", "viewer", "auditor"];
const EVERYBODY: &[&str] = &ROLES;
const OPERATOR: &[&str] = &["operator"];
const WRITER: &[&str] = &["writer"];
const AUDITOR: &[&str] = &["operator", "auditor"];
pub(super) const JSON: &str = "application/json";
const CBOR: &str = "application/cbor";

/// Who passes, and a request that means something.
struct Case {
    method: &'static str,
    path: &'static str,
    roles: &'static [&'static str],
    query: &'static str,
    media: &'static str,
    body: &'static [u8],
}

const fn get(path: &'static str, roles: &'static [&'static str], query: &'static str) -> Case {
    Case { method: "get", path, roles, query, media: "", body: b"" }
}

const fn send(
    method: &'static str,
    path: &'static str,
    roles: &'static [&'static str],
    query: &'static str,
    media: &'static str,
    body: &'static [u8],
) -> Case {
    Case { method, path, roles, query, media, body }
}

/// The policy of a new node, route by route. What is sent harms nothing where it is let through.
const CASES: &[Case] = &[
    get("/metrics", OPERATOR, ""),
    get("/v1/status", EVERYBODY, ""),
    get("/v1/schema", EVERYBODY, ""),
    get("/v1/register", AUDITOR, ""),
    send("patch", "/v1/register/{unit}", OPERATOR, "", JSON, b"{}"),
    send("post", "/v1/register", OPERATOR, "", JSON, br#"{"act": "reopen", "unit": "999"}"#),
    send("put", "/v1/calendar", OPERATOR, "", JSON, b"{}"),
    send("put", "/v1/calendar/{unit}", OPERATOR, "", JSON, b"{}"),
    get("/v1/catalogue", EVERYBODY, ""),
    send("post", "/v1/catalogue", OPERATOR, "", "application/cose", b"no statement"),
    send("post", "/v1/declarations", OPERATOR, "", "application/cose", b"no statement"),
    get("/v1/bulletins", AUDITOR, ""),
    send(
        "post",
        "/v1/bulletins",
        OPERATOR,
        "",
        JSON,
        br#"{"title": "Noon", "class": "public", "figures": []}"#,
    ),
    get("/v1/bulletins/{digest}", AUDITOR, ""),
    get("/v1/policy", AUDITOR, ""),
    send("put", "/v1/policy", OPERATOR, "", "text/plain", b"permit ("),
    get("/v1/policies/{digest}", AUDITOR, ""),
    get("/v1/asked/{digest}", AUDITOR, ""),
    get("/v1/adoptions", AUDITOR, ""),
    send("post", "/v1/adoptions", OPERATOR, "", JSON, br#"{"legal_basis": "Matrix Act"}"#),
    get("/v1/figures/{indicator}", &["operator", "viewer"], "?period=2021-01-01"),
    get("/v1/situation", &["operator", "viewer"], ""),
    get("/v1/indicators/{indicator}/periods", &["operator", "viewer"], ""),
    get("/v1/records/{kind}", WRITER, ""),
    send("post", "/v1/records/{kind}", WRITER, "", JSON, br#"{"operations": []}"#),
    get("/v1/records/{kind}/{id}", WRITER, ""),
    send("put", "/v1/records/{kind}/{id}", WRITER, "", JSON, br#"{"reported_on": "1999-01-01"}"#),
    send("patch", "/v1/records/{kind}/{id}", WRITER, "", JSON, b"{}"),
    send("delete", "/v1/records/{kind}/{id}", WRITER, "", "", b""),
    send(
        "post",
        "/v1/imports",
        &["operator", "writer"],
        "",
        JSON,
        br#"{"kind": "case",
        "sha256": "0000000000000000000000000000000000000000000000000000000000000000",
        "name": "matrix.csv", "append": false}"#,
    ),
    send(
        "post",
        "/v1/imports/{import}/batch",
        &["operator", "writer"],
        "?kind=case",
        "application/x-ndjson",
        b"",
    ),
    send(
        "post",
        "/v1/imports/{import}/end",
        &["operator", "writer"],
        "?kind=case",
        JSON,
        br#"{"source": "matrix", "closes": []}"#,
    ),
    send(
        "post",
        "/v1/close",
        &["operator", "writer"],
        "",
        JSON,
        br#"{"kind": "case", "source": "matrix", "closes": ["1999-01-01"]}"#,
    ),
    send("post", "/v1/twin/expire", OPERATOR, "", JSON, br#"{"kind": "stock", "dry_run": true}"#),
    send("post", "/v1/twin/erase", OPERATOR, "", JSON, br#"{"kind": "case", "id": "nobody"}"#),
    get("/v1/sent", AUDITOR, ""),
    get("/v1/statements/{digest}", AUDITOR, ""),
    get("/v1/chunks/{digest}", AUDITOR, ""),
    get("/v1/evidence", AUDITOR, ""),
    get("/v1/ledger/checkpoint", AUDITOR, ""),
    get("/v1/ledger/proof", AUDITOR, "?index=0&size=1"),
    get("/v1/ledger/cosigned", AUDITOR, ""),
    get("/v1/ledger/equivocations", AUDITOR, ""),
    get("/v1/issued", AUDITOR, ""),
    send("post", "/v1/lists", OPERATOR, "", CBOR, b"\xa2\x00\x40\x01\x40"),
    send("post", "/v1/members", OPERATOR, "", JSON, br#"{"chain": "00"}"#),
    send("put", "/v1/certificate", OPERATOR, "", CBOR, b"\x00"),
    send("post", "/v1/invites", OPERATOR, "", JSON, b"{}"),
    send("post", "/v1/admissions", OPERATOR, "", JSON, b"{}"),
    send("post", "/v1/letters/freshen", OPERATOR, "", JSON, b"{}"),
    get("/v1/letters", OPERATOR, "?to=it"),
    send("post", "/v1/letters", OPERATOR, "", CBOR, b"\xa2\x00\x40\x01\x40"),
    get("/v1/image", OPERATOR, ""),
];

/// A reply: its status, and all of it.
pub(super) fn ask(
    to: SocketAddr,
    line: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> (u16, String) {
    let mut request = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        request.push_str(&format!("Host: {to}\r\n"));
    }
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    let mut stream = TcpStream::connect(to).unwrap();
    stream.write_all(&[request.as_bytes(), body].concat()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("{line}: {text}")), text)
}

pub(super) fn bearer(site: &Site, name: &str, arguments: &[&str]) -> String {
    let path = site.token(name, arguments);
    format!("Bearer {}", std::fs::read_to_string(path).unwrap().trim())
}

fn line(case: &Case, import: &str) -> String {
    let path = case.path.replace("{kind}", "case").replace("{indicator}", "cases");
    let path = path
        .replace("{unit}", "999")
        .replace("{id}", "matrix")
        .replace("{digest}", &"0".repeat(64));
    format!("{} {}{}", case.method.to_uppercase(), path.replace("{import}", import), case.query)
}

/// An import that is under way, for the routes that are about one.
fn begun(to: SocketAddr, bearer: &str) -> String {
    let case = CASES.iter().find(|case| case.path == "/v1/imports").unwrap();
    let headers = [("Authorization", bearer), ("Content-Type", JSON)];
    let (status, text) = ask(to, &line(case, ""), &headers, case.body);
    assert_eq!(status, 201, "{text}");
    text.rsplit("\"import\":").next().unwrap().trim_end_matches('}').to_owned()
}

#[test]
fn every_role_passes_where_the_policy_of_a_new_node_lets_it() {
    let listed = ROUTES.iter().filter(|route| route.access == Access::Token);
    let listed: Vec<_> = listed.map(|route| (route.method, route.path)).collect();
    assert_eq!(CASES.iter().map(|case| (case.method, case.path)).collect::<Vec<_>>(), listed);

    let town = &Federation::shared().town;
    let to = town.api();
    let bearers: Vec<(&str, String)> = ROLES
        .iter()
        .map(|role| (*role, bearer(town, &format!("matrix-{role}"), &["--role", role])))
        .collect();
    let operator = &bearers[0].1;
    let mut imports = Vec::new();
    for case in CASES {
        for (role, bearer) in &bearers {
            let import =
                if case.path.contains("{import}") { begun(to, operator) } else { String::new() };
            let headers = [("Authorization", bearer.as_str()), ("Content-Type", case.media)];
            let (status, text) = ask(to, &line(case, &import), &headers, case.body);
            let passed = !matches!(status, 401 | 403);
            assert_eq!(
                passed,
                case.roles.contains(role),
                "{role}: {}: {text}",
                line(case, &import)
            );
            assert_ne!(status, 500, "{role}: {}: {text}", line(case, &import));
            if !passed {
                assert!(text.contains("\"code\":\"declined\""), "{text}");
            }
            if case.path == "/v1/imports" && status == 201 {
                imports
                    .push(text.rsplit("\"import\":").next().unwrap().trim_matches('}').to_owned());
            }
            imports.extend(Some(import).filter(|import| !import.is_empty()));
        }
    }
    let end = CASES.iter().find(|case| case.path.ends_with("/end")).unwrap();
    for import in imports {
        let headers = [("Authorization", operator.as_str()), ("Content-Type", JSON)];
        ask(to, &line(end, &import), &headers, end.body);
    }
}

#[test]
fn writers_of_another_kind_and_viewers_of_another_area_do_not_pass() {
    let town = &Federation::shared().town;
    let to = town.api();
    let stock = bearer(town, "matrix-stock", &["--role", "writer", "--kind", "stock"]);
    let beside = bearer(town, "matrix-beside", &["--role", "viewer", "--area", "it/017"]);
    let cases = [
        (&stock, "GET /v1/records/case", 403),
        (&stock, "GET /v1/records/stock", 200),
        (&stock, "DELETE /v1/records/case/x", 403),
        (&beside, "GET /v1/indicators/cases/periods", 403),
        (&beside, "GET /v1/figures/cases?period=2021-01-01", 403),
        (&beside, "GET /v1/figures/cases?period=2021-01-01&own=true", 403),
        (&beside, "GET /v1/catalogue", 200),
    ];
    for (bearer, line, expected) in cases {
        let (status, text) = ask(to, line, &[("Authorization", bearer)], b"");
        assert_eq!(status, expected, "{line}: {text}");
    }
}

#[test]
fn nothing_is_told_without_a_token_that_is_known_and_current() {
    let town = &Federation::shared().town;
    let to = town.api();
    let revoked = bearer(town, "matrix-revoked", &["--role", "operator"]);
    town.reeve(&["token", "revoke", "matrix-revoked"]).ok();
    let expired = bearer(town, "matrix-expired", &["--role", "operator", "--expires", "1s"]);
    eventually("the token ends", || {
        ask(to, "GET /v1/status", &[("Authorization", &expired)], b"").0 == 401
    });
    let wrong = format!("Bearer reeve_{}", "0".repeat(64));
    for route in ROUTES {
        let line =
            format!("{} {}", route.method.to_uppercase(), route.path.replace(['{', '}'], ""));
        for shown in ["", "Basic b3BlcmF0b3I6", &wrong, &revoked, &expired] {
            let (status, text) = ask(to, &line, &[("Authorization", shown)], b"");
            let expected = match route.access {
                Access::Open => 200,
                Access::Ledger => 404,
                Access::Token => 401,
            };
            assert_eq!(status, expected, "{line} with {shown:?}: {text}");
            assert!(!text.contains("it/016"), "{text}");
        }
    }
}

#[test]
fn other_hosts_and_pages_of_other_sites_are_turned_away_before_anything_else() {
    let town = &Federation::shared().town;
    let to = town.api();
    let operator = bearer(town, "matrix-host", &["--role", "operator"]);
    let port = to.port();
    for route in ROUTES {
        let line =
            format!("{} {}", route.method.to_uppercase(), route.path.replace(['{', '}'], ""));
        for host in ["evil.test".to_owned(), format!("evil.test:{port}"), "127.0.0.1:1".to_owned()]
        {
            let headers = [("Authorization", operator.as_str()), ("Host", &host)];
            let (status, text) = ask(to, &line, &headers, b"");
            assert_eq!(status, 421, "{line} for {host}: {text}");
            assert!(text.contains("application/problem+json"), "{text}");
        }
        let headers = [("Authorization", operator.as_str()), ("Origin", "http://evil.test")];
        assert_eq!(ask(to, &line, &headers, b"").0, 403, "{line}");
    }
    let local = format!("localhost:{port}");
    let headers = [("Authorization", operator.as_str()), ("Host", &local)];
    assert_eq!(ask(to, "GET /v1/status", &headers, b"").0, 200);
}
