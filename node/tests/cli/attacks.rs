//! Attacks 38, 39 and 42 on the local API, by their numbers in docs/reliability.md: text that would be a
//! script, pages of other sites, and a channel that shows what another one hides.

use std::net::SocketAddr;

use reeve::client::escaped;
use reeve::http::{Access, ROUTES};
use serde_json::json;

use super::counts::count;
use super::federation::{Federation, Site};
use super::routes::{JSON, ask, bearer};

/// What a browser would run, if it took an answer for a page.
const SCRIPTS: [&str; 15] = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "\"><script>alert(1)</script>",
    "'-alert(1)-'",
    "javascript:alert(1)",
    "<a href=\"javascript:alert(1)\">x</a>",
    "<body onload=alert(1)>",
    "<math><mi xlink:href=\"data:x,<script>alert(1)</script>\">",
    "<!--<img src=\"--><img src=x onerror=alert(1)//\">",
    "{{constructor.constructor('alert(1)')()}}",
    "\u{2028}<script>alert(1)</script>",
    "<style>@import 'http://evil.test/x';</style>",
];

/// How each is wrapped.
const AROUND: [(&str, &str); 20] = [
    ("", ""),
    ("x", ""),
    ("", "x"),
    ("\"", "\""),
    ("'", "'"),
    ("`", "`"),
    ("<b>", "</b>"),
    ("<!--", "-->"),
    ("--><", ""),
    ("]]>", ""),
    ("&lt;", "&gt;"),
    ("%3C", "%3E"),
    ("\\u003c", ""),
    ("\u{feff}", ""),
    ("\u{202e}", ""),
    ("{\"a\":\"", "\"}"),
    ("</title>", ""),
    ("</style>", ""),
    ("</textarea>", ""),
    ("+ADw-", "+AD4-"),
];

fn header<'a>(reply: &'a str, name: &str) -> Option<&'a str> {
    let head = reply.split("\r\n\r\n").next()?;
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// No browser takes the answer for a page, shows it in one, or runs anything of it.
fn is_inert(what: &str, reply: &str) {
    let media = header(reply, "content-type").unwrap_or_default();
    let known = ["application/json", "application/problem+json", "text/plain", "application/cbor"];
    let has_body = !reply.ends_with("\r\n\r\n");
    assert!(!has_body || known.iter().any(|known| media.starts_with(known)), "{what}: {media}");
    let policy = header(reply, "content-security-policy").unwrap_or_default();
    assert_eq!(policy, "default-src 'none'; frame-ancestors 'none'", "{what}");
    assert_eq!(header(reply, "x-content-type-options"), Some("nosniff"), "{what}");
    assert_eq!(header(reply, "x-frame-options"), Some("DENY"), "{what}");
}

#[test]
fn attack_38_text_that_is_a_script_is_answered_as_data_and_nothing_else() {
    let town = &Federation::shared().town;
    let to = town.api();
    let writer = bearer(town, "script-writer", &["--role", "writer"]);
    let all = SCRIPTS.iter().flat_map(|script| AROUND.map(|around| (*script, around)));
    let all: Vec<String> = all.map(|(script, (a, b))| format!("{a}{script}{b}")).collect();
    assert_eq!(all.len(), 300);
    let tried = count(30, all.len());
    for text in all.iter().step_by(all.len() / tried) {
        let send = |line: &str, body: &serde_json::Value| {
            let headers = [("Authorization", writer.as_str()), ("Content-Type", JSON)];
            let (status, reply) = ask(to, line, &headers, body.to_string().as_bytes());
            is_inert(line, &reply);
            (status, reply)
        };
        let record = format!("/v1/records/case/{}", escaped(text));
        let fields = json!({ "reported_on": "2022-05-05" });
        assert_eq!(send(&format!("PUT {record}"), &fields).0, 200, "{text}");
        let (status, reply) = send(&format!("GET {record}"), &json!(null));
        assert!(status == 200 && reply.contains("2022-05-05"), "{text}: {reply}");
        // As a value, the name of a field, of a source and of a file, and where nothing is.
        send(&format!("PUT {record}"), &json!({ "reported_on": text, text.as_str(): text }));
        let close = json!({ "kind": "case", "source": text, "closes": ["2022-05-05", text] });
        send("POST /v1/close", &close);
        let begin = json!({ "kind": text, "sha256": text, "name": text });
        send("POST /v1/imports", &begin);
        let nowhere = escaped(text);
        for path in [
            format!("/{nowhere}"),
            format!("/v1/records/{nowhere}"),
            format!("/v1/figures/cases?period={nowhere}"),
        ] {
            let (status, _) = send(&format!("GET {path}"), &json!(null));
            assert!((400..500).contains(&status), "{path}: {status}");
        }
        assert_eq!(send(&format!("DELETE {record}"), &json!(null)).0, 200, "{text}");
    }
}

/// Pages of other sites, and what is no site at all.
const ORIGINS: [&str; 6] = [
    "http://evil.test",
    "https://evil.test",
    "null",
    "http://localhost:1",
    "http://127.0.0.1.evil.test",
    "file://",
];

#[test]
fn attack_39_no_page_of_another_site_changes_anything() {
    let town = &Federation::shared().town;
    let to = town.api();
    let operator = bearer(town, "forged", &["--role", "operator"]);
    let secret = operator.trim_start_matches("Bearer ").to_owned();
    let before = state(town, to, &operator);
    let mutating = ROUTES.iter().filter(|route| route.method != "get");
    let mut tried = 0;
    for route in mutating.clone() {
        let method = route.method.to_uppercase();
        let path = route.path.replace(['{', '}'], "");
        let line = format!("{method} {path}");
        // A cosignature is taken from whoever brings it: what counts is who signed it.
        let signed = route.path == "/ledger/{term}/cosignatures";
        assert_eq!(route.access == Access::Token, !signed, "{line} is open to everybody");
        for origin in ORIGINS {
            // Even with the token, which another site does not have.
            for shown in [operator.as_str(), ""] {
                let headers = [("Authorization", shown), ("Origin", origin)];
                let (status, reply) = ask(to, &line, &headers, b"{}");
                assert_eq!(status, 403, "{line} from {origin}: {reply}");
                is_inert(&line, &reply);
                assert_eq!(header(&reply, "access-control-allow-origin"), None, "{line}");
                tried += 1;
            }
            // What a browser asks first is not answered with leave.
            let asks = [("Origin", origin), ("Access-Control-Request-Method", method.as_str())];
            let (_, reply) = ask(to, &format!("OPTIONS {path}"), &asks, b"");
            assert_eq!(header(&reply, "access-control-allow-origin"), None, "{line}");
        }
        // A browser sends cookies and passwords by itself; they open nothing, nor does the address.
        let basic = format!("Basic {secret}");
        let cookie = format!("token={secret}; Authorization={secret}");
        for headers in [[("Cookie", cookie.as_str())], [("Authorization", basic.as_str())]] {
            let (status, _) = ask(to, &line, &headers, b"{}");
            assert!(status == 401 || signed && (400..500).contains(&status), "{line}: {status}");
        }
        let address = format!("{line}?token={secret}&access_token={secret}");
        let (status, _) = ask(to, &address, &[], b"{}");
        assert!(status == 401 || signed && (400..500).contains(&status), "{line}: {status}");
        // A form of a page can send nothing but these.
        for media in ["application/x-www-form-urlencoded", "multipart/form-data", "text/html"] {
            let headers = [("Authorization", operator.as_str()), ("Content-Type", media)];
            let (status, reply) = ask(to, &line, &headers, b"a=b");
            assert!((400..500).contains(&status), "{line} as {media}: {status}");
            is_inert(&line, &reply);
        }
    }
    // What can be had by GET changes nothing: these routes have no GET, or another one that reads.
    for route in mutating {
        let path = route.path.replace(['{', '}'], "");
        let reads = ROUTES.iter().any(|it| it.method == "get" && it.path == route.path);
        let (status, _) = ask(to, &format!("GET {path}"), &[("Authorization", &operator)], b"{}");
        assert!(reads || status == 405 || status == 404, "GET {path}: {status}");
    }
    assert!(tried > 100, "{tried} requests of other sites");
    assert_eq!(state(town, to, &operator), before, "nothing was changed");
}

/// What the requests could have changed.
fn state(town: &Site, to: SocketAddr, operator: &str) -> (String, String) {
    let policy = ask(to, "GET /v1/policy", &[("Authorization", operator)], b"").1;
    let body = |reply: String| reply.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned();
    let status = town.reeve(&["status", "--json"]).json();
    (body(policy), status["catalogue_version"].to_string())
}

/// A request as each channel puts it.
struct Asked {
    /// To the API: method and path.
    line: &'static str,
    /// To the command line.
    command: &'static [&'static str],
    /// To `reeve policy explain`.
    explain: &'static [&'static str],
}

const ASKED: [Asked; 10] = [
    Asked {
        line: "GET /v1/figures/cases?period=2021-01-01",
        command: &["query", "cases", "--period", "2021-01-01"],
        explain: &["--action", "query", "--indicator", "cases"],
    },
    Asked {
        line: "GET /v1/figures/cases?period=2021-01-01&own=true",
        command: &["query", "cases", "--period", "2021-01-01", "--own"],
        explain: &["--action", "query", "--indicator", "cases", "--own"],
    },
    Asked {
        line: "GET /v1/figures/beds?period=now",
        command: &["query", "beds", "--period", "now"],
        explain: &["--action", "query", "--indicator", "beds"],
    },
    Asked {
        line: "GET /v1/records/case",
        command: &["record", "list", "case"],
        explain: &["--action", "read_record", "--kind", "case"],
    },
    Asked {
        line: "GET /v1/records/stock",
        command: &["record", "list", "stock"],
        explain: &["--action", "read_record", "--kind", "stock"],
    },
    Asked {
        line: "DELETE /v1/records/case/nobody",
        command: &["record", "delete", "case", "nobody"],
        explain: &["--action", "write_record", "--kind", "case"],
    },
    Asked { line: "GET /v1/sent", command: &["sent"], explain: &["--action", "read_sent"] },
    Asked {
        line: "GET /v1/ledger/checkpoint",
        command: &["ledger", "head"],
        explain: &["--action", "read_ledger"],
    },
    Asked {
        line: "GET /v1/catalogue",
        command: &["catalogue", "show"],
        explain: &["--action", "read_catalogue"],
    },
    Asked { line: "GET /v1/status", command: &["status"], explain: &["--action", "read_status"] },
];

/// Who asks: the arguments of the token, and the role to be explained where it is all that counts.
const WHO: [(&str, &[&str], Option<&str>); 20] = [
    ("w42-operator", &["--role", "operator"], Some("operator")),
    ("w42-writer", &["--role", "writer"], Some("writer")),
    ("w42-viewer", &["--role", "viewer"], Some("viewer")),
    ("w42-auditor", &["--role", "auditor"], Some("auditor")),
    ("w42-stock", &["--role", "writer", "--kind", "stock"], None),
    ("w42-case", &["--role", "writer", "--kind", "case"], None),
    ("w42-both", &["--role", "writer", "--kind", "case", "--kind", "stock"], None),
    ("w42-here", &["--role", "viewer", "--area", "it/016"], None),
    ("w42-beside", &["--role", "viewer", "--area", "it/017"], None),
    ("w42-above", &["--role", "viewer", "--area", "it"], None),
    ("w42-beds", &["--role", "viewer", "--indicator", "beds"], None),
    ("w42-cases", &["--role", "viewer", "--indicator", "cases"], None),
    ("w42-cases-here", &["--role", "viewer", "--indicator", "cases", "--area", "it/016"], None),
    ("w42-cases-beside", &["--role", "viewer", "--indicator", "cases", "--area", "it/017"], None),
    ("w42-odd-viewer", &["--role", "viewer", "--kind", "case"], None),
    ("w42-odd-writer", &["--role", "writer", "--area", "it/017"], None),
    ("w42-odd-operator", &["--role", "operator", "--kind", "stock"], None),
    ("w42-odd-auditor", &["--role", "auditor", "--indicator", "beds"], None),
    ("w42-operator-beside", &["--role", "operator", "--area", "it/017"], None),
    ("w42-auditor-beside", &["--role", "auditor", "--area", "it/017"], None),
];

#[test]
fn attack_42_what_one_channel_hides_no_other_shows() {
    let town = &Federation::shared().town;
    let to = town.api();
    let (mut told, mut hidden) = (0, 0);
    for (name, arguments, role) in WHO.iter().take(count(8, WHO.len())) {
        let file = town.token(name, arguments);
        let bearer = format!("Bearer {}", std::fs::read_to_string(&file).unwrap().trim());
        for Asked { line, command, explain } in &ASKED {
            let (status, reply) = ask(to, line, &[("Authorization", &bearer)], b"");
            let by_api = !matches!(status, 401 | 403);
            let said = town.reeve_as(&file, command);
            assert_eq!(said.code != 3, by_api, "{name}: {line} {status}, {command:?} {said:?}");
            if let Some(role) = role {
                let explain = [&["policy", "explain", "--json", "--role", role], *explain].concat();
                let permitted = town.reeve(&explain).json()["permitted"] == true;
                assert_eq!(permitted, by_api, "{name}: {line}: {reply}");
            }
            match by_api {
                true => told += 1,
                false => hidden += 1,
            }
        }
    }
    assert!(told > 20 && hidden > 20, "{told} told, {hidden} hidden");
}
