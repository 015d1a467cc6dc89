//! Attacks on the local API: of whoever can reach it, and of people with a token.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Attack, Scene, Victim, crowd};
use crate::hostile::wire::{host, socket};
use crate::stopwatch::now;

/// Connections that are held open at once.
const HELD: usize = 600;

/// Requests at once.
const ASKERS: usize = 32;

/// People who send bombs at once.
const BOMBERS: usize = 8;

/// Longest bomb, in bytes: what a node takes as one request.
const BOMB: usize = 16 * 1024 * 1024 - 1024;

/// Time between two bytes of a slow-loris.
const DRIP: Duration = Duration::from_millis(500);

/// A connection that lives this long was let in.
const LET_IN: Duration = Duration::from_secs(1);

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(40);

/// Longest answer that is kept, in bytes; the rest is read and thrown away.
const KEPT: usize = 64 * 1024;

/// A path that answers with as much as there is.
const LONG: &str = "/v1/sent?limit=1000";

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "http-heads",
        what: "600 connections that drip the head of a request",
        victim: Victim::Superior,
        run: |scene| hold(scene, |_| "GET /v1/status HTTP/1.1\r\nX-".to_owned()).boxed(),
    },
    Attack {
        name: "http-bodies",
        what: "600 connections that drip the body of a request, with a token",
        victim: Victim::Superior,
        run: |scene| hold(scene, slow_body).boxed(),
    },
    Attack {
        name: "http-readers",
        what: "600 connections that ask with a token and never read the answers",
        victim: Victim::Superior,
        run: |scene| hold(scene, unread).boxed(),
    },
    Attack {
        name: "http-requests",
        what: "requests without a token, as fast as it goes",
        victim: Victim::Superior,
        run: |scene| ask(scene, String::new).boxed(),
    },
    Attack {
        name: "http-queries",
        what: "questions of somebody with a token, as fast as it goes",
        victim: Victim::Superior,
        run: queries,
    },
    Attack {
        name: "http-bombs",
        what: "JSON of 16 MiB that nests deep or wide, and deep policies and catalogues",
        victim: Victim::Home,
        run: bombs,
    },
];

/// The body of a request.
pub(super) struct Body {
    pub(super) media: &'static str,
    pub(super) bytes: Vec<u8>,
}

fn head(to: SocketAddr, token: &str, (method, path): (&str, &str), body: Option<&Body>) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {to}\r\n");
    if !token.is_empty() {
        head.push_str(&format!("Authorization: Bearer {token}\r\n"));
    }
    if let Some(Body { media, bytes }) = body {
        head.push_str(&format!("Content-Type: {media}\r\nContent-Length: {}\r\n", bytes.len()));
    }
    head.push_str("\r\n");
    head
}

/// One request on a connection; the status of the answer.
async fn exchange(stream: &mut TcpStream, head: &str, body: Option<&Body>) -> io::Result<u16> {
    let work = async {
        stream.write_all(head.as_bytes()).await?;
        if let Some(body) = body {
            stream.write_all(&body.bytes).await?;
        }
        read_answer(stream).await
    };
    tokio::time::timeout(PATIENCE, work).await.map_err(|_| io::ErrorKind::TimedOut)?
}

/// Reads an answer with a length; its status.
async fn read_answer(stream: &mut TcpStream) -> io::Result<u16> {
    let mut kept = Vec::new();
    let mut chunk = vec![0; 16 * 1024];
    let end = loop {
        let read = stream.read(&mut chunk).await?;
        if read == 0 || kept.len() > KEPT {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        kept.extend_from_slice(chunk.get(..read).unwrap_or_default());
        if let Some(end) = kept.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
    };
    let head = String::from_utf8_lossy(kept.get(..end).unwrap_or_default()).to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    let mut missing = length.saturating_sub(kept.len().saturating_sub(end + 4));
    while missing > 0 {
        let read = stream.read(&mut chunk).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        missing = missing.saturating_sub(read);
    }
    status.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// One request on a connection of its own; the status of the answer.
pub(super) async fn request(
    to: SocketAddr,
    token: &str,
    what: (&str, &str),
    body: Option<&Body>,
) -> io::Result<u16> {
    let mut stream = socket(host(0), to).await?;
    exchange(&mut stream, &head(to, token, what, body), body).await
}

fn slow_body(scene: &Scene) -> String {
    let to = scene.superior.http;
    format!(
        "PUT /v1/policy HTTP/1.1\r\nHost: {to}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: text/plain\r\nContent-Length: 60000\r\n\r\n//",
        scene.operator
    )
}

/// As many questions in a row as fit a socket, whose answers nobody reads.
fn unread(scene: &Scene) -> String {
    /// Questions of one connection.
    const QUESTIONS: usize = 200;
    head(scene.superior.http, &scene.operator, ("GET", LONG), None).repeat(QUESTIONS)
}

async fn hold(scene: Arc<Scene>, first: fn(&Scene) -> String) {
    crowd(scene, HELD, |scene, number| async move {
        let first = first(&scene);
        let drips = !first.ends_with("\r\n\r\n");
        while !scene.over() {
            scene.attempts(1);
            let began = now();
            if let Ok(stream) = socket(host(number), scene.superior.http).await {
                scene.within(drip(stream, first.as_bytes(), drips)).await;
            }
            scene.ended(began.elapsed() >= LET_IN);
            scene.again().await;
        }
    })
    .await;
}

/// Says something, then a byte now and then, and reads nothing, until the other side closes.
async fn drip(mut stream: TcpStream, first: &[u8], drips: bool) {
    if stream.write_all(first).await.is_err() {
        return;
    }
    loop {
        tokio::time::sleep(DRIP).await;
        let sent = if drips { stream.write_all(b"a").await } else { Ok(()) };
        // A connection that was closed on says so here, without a byte being read.
        if sent.is_err() || matches!(stream.peek(&mut [0]).now_or_never(), Some(Ok(0) | Err(_))) {
            return;
        }
    }
}

/// The same question without end, on connections that stay open.
async fn ask(scene: Arc<Scene>, token: impl Fn() -> String) {
    let token = token();
    crowd(scene, ASKERS, |scene, number| {
        let to = scene.superior.http;
        let paths =
            ["/v1/status", "/metrics", "/v1/sent?limit=100", "/v1/figures/confirmed_by_day"];
        let heads = paths.map(|path| head(to, &token, ("GET", path), None));
        async move {
            while !scene.over() {
                let Ok(mut stream) = socket(host(number), to).await else {
                    scene.attempts(1);
                    scene.refused(1);
                    scene.again().await;
                    continue;
                };
                for head in heads.iter().cycle() {
                    if scene.over() {
                        return;
                    }
                    scene.attempts(1);
                    let status = exchange(&mut stream, head, None).await;
                    scene.ended(matches!(status, Ok(200..=299)));
                    if status.is_err() {
                        break;
                    }
                }
            }
        }
    })
    .await;
}

fn queries(scene: Arc<Scene>) -> BoxFuture<'static, ()> {
    let token = scene.operator.clone();
    ask(scene, move || token.clone()).boxed()
}

/// What the home's node is asked to read: method, path, media type, bytes.
fn bomb(number: usize) -> (&'static str, &'static str, Body) {
    let json = "application/json";
    let records = ("POST", "/v1/records/case");
    let wide = |one: &str, end: &str| {
        let mut text =
            String::from("{\"operations\":[{\"op\":\"put\",\"id\":\"bomb\",\"record\":{\"note\":[");
        text.push_str(&one.repeat(BOMB.saturating_sub(text.len()) / one.len()));
        text.push_str(end);
        text.into_bytes()
    };
    let ((method, path), media, bytes) = match number % 6 {
        0 => (records, json, vec![b'['; BOMB]),
        1 => (records, json, wide("0,", "0]}}]}")),
        2 => (records, json, wide("[],", "[]]}}]}")),
        3 => (records, json, wide("{\"\":0},", "{}]}}]}")),
        4 => (("PUT", "/v1/policy"), "text/plain", vec![b'('; 1024 * 1024 - 1]),
        _ => (("POST", "/v1/catalogue"), "application/cose", vec![0x81; 170 * 1024]),
    };
    (method, path, Body { media, bytes })
}

fn bombs(scene: Arc<Scene>) -> BoxFuture<'static, ()> {
    crowd(scene, BOMBERS, |scene, number| async move {
        let (method, path, body) = bomb(number);
        let token = if method == "PUT" { &scene.home_operator } else { &scene.writer };
        while !scene.over() {
            scene.attempts(1);
            let status = request(scene.home.http, token, (method, path), Some(&body)).await;
            scene.ended(matches!(status, Ok(200..=299)));
        }
    })
    .boxed()
}
