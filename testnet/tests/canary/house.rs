//! In files, logs, metrics and answers: real processes, searched from outside.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use reeve::api::{Begun, Ended, Figure, SentEntry, Written};
use reeve::client::{Client, ClientError, escaped};
use reeve::config::Engine;
use reeve::http::ROUTES;
use reeve_testnet::processes::{Houses, LOG_FILE, Launcher, Leash, Process, Processes};
use reeve_testnet::town::TownSpec;
use serde_json::{Value, json};

use crate::counts::count;
use crate::memory;
use crate::planted::{
    CANARY, CATALOGUE, DAY, PATHS, assert_all, assert_none, assert_none_below, case, case_id,
    files, person, place, place_id, schema,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the processes, which log everything.
fn raise(folder: PathBuf) -> Processes {
    let spec = TownSpec {
        folder,
        paths: PATHS.map(|path| path.parse().unwrap()).to_vec(),
        schema: schema(),
        policy: None,
        engine: Engine::Redb,
        tap: None,
    };
    let houses = Houses::open(&spec).unwrap();
    let mut launcher = Launcher::beside(&Leash::default()).unwrap();
    launcher.arguments = ["--log-level", "trace", "--log-json"].map(str::to_owned).to_vec();
    let processes = Processes::start(&launcher, &houses).unwrap();
    processes.publish(&houses.sign_catalogue(CATALOGUE).unwrap()).unwrap();
    processes
}

/// Plants a canary wherever somebody can type one.
fn plant(leaf: &Process) -> Client {
    let writer = leaf.writer_named(&person()).unwrap();
    let path = |kind: &str, id: &str| format!("/v1/records/{kind}/{}", escaped(id));
    let _: Written = writer.send("PUT", &path("place", &place_id()), &place()).unwrap();
    let changed = json!({ "name": format!("{CANARY}-other-name") });
    let _: Written = writer.send("PATCH", &path("place", &place_id()), &changed).unwrap();
    import(&writer, count(20, 1_000));
    let closing = json!({ "kind": "case", "source": format!("{CANARY}-source"), "closes": [DAY] });
    let _: Written = writer.send("POST", "/v1/close", &closing).unwrap();
    mistakes(&writer);
    writer
}

/// The cases come by an import, whose file and source have names. All but the first are of another day.
fn import(writer: &Client, many: usize) {
    let begin =
        json!({ "kind": "case", "sha256": "ab".repeat(32), "name": format!("{CANARY}.csv") });
    let Begun { import } = writer.send("POST", "/v1/imports", &begin).unwrap();
    let mut lines = format!("{}\n", json!({ "id": case_id(), "record": case() }));
    for number in 1..many {
        let mut other = case();
        other.insert("reported_on".to_owned(), json!("2026-02-11"));
        other.insert("note".to_owned(), json!(format!("{CANARY}-note-{number}")));
        let id = format!("{}-{number}", case_id());
        lines.push_str(&format!("{}\n", json!({ "id": id, "record": other })));
    }
    let batch = format!("/v1/imports/{import}/batch?kind=case");
    let lines = lines.into_bytes();
    let _: Written = writer.send_bytes("POST", &batch, "application/x-ndjson", lines).unwrap();
    let end = json!({ "source": format!("{CANARY}-file-source"), "closes": [DAY] });
    let _: Ended =
        writer.send("POST", &format!("/v1/imports/{import}/end?kind=case"), &end).unwrap();
}

/// Wrong values are refused without being shown.
fn mistakes(writer: &Client) {
    for (field, value) in [
        ("number", json!(CANARY)),
        ("sex", json!(CANARY)),
        ("born", json!(CANARY)),
        ("seen", json!(CANARY)),
        ("amount", json!(CANARY)),
        ("note", json!(CANARY.repeat(50))),
    ] {
        let mut wrong = case();
        wrong.insert(field.to_owned(), value);
        let answer: Result<Written, _> = writer.send("PUT", "/v1/records/case/wrong", &wrong);
        let error = answer.expect_err(field);
        assert_none(&format!("the answer to a wrong {field}"), said(&error).as_bytes(), false);
    }
}

fn said(error: &ClientError) -> String {
    format!("{error} {error:?}")
}

/// What a node answers, or why not.
fn answer(client: &Client, path: &str, accept: &str) -> Vec<u8> {
    client.bytes(path, accept).unwrap_or_else(|error| said(&error).into_bytes())
}

fn nation_shows_one(nation: &Process) {
    #[expect(clippy::disallowed_methods, reason = "a test waits by the machine's clock")]
    let began = Instant::now();
    let path = format!("/v1/figures/cases?period={DAY}");
    loop {
        let total = nation.client.get::<Figure>(&path).ok().and_then(|figure| figure.total);
        if total.is_some_and(|total| (total.value.lo, total.value.hi) == (1, 1)) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "the nation shows the case");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Every path that can be got of a superior, by the table of routes.
fn paths(sent: &[SentEntry]) -> Vec<String> {
    let mut paths = Vec::new();
    for route in ROUTES.iter().filter(|route| route.method == "get") {
        match route.path {
            "/v1/figures/{indicator}" => {
                paths.push(format!("/v1/figures/cases?period={DAY}"));
                paths.push(format!("/v1/figures/cases?period={DAY}&area=it/03/016"));
                paths.push("/v1/figures/places_now?period=now".to_owned());
            }
            "/v1/indicators/{indicator}/periods" => {
                paths.extend(
                    ["cases", "places_now"].map(|name| format!("/v1/indicators/{name}/periods")),
                );
            }
            "/v1/records/{kind}" => {
                paths.extend(["case", "place"].map(|kind| format!("/v1/records/{kind}")));
            }
            "/v1/records/{kind}/{id}" => {
                paths.push(format!("/v1/records/case/{}", escaped(&case_id())));
                paths.push(format!("/v1/records/place/{}", escaped(&place_id())));
            }
            "/v1/statements/{digest}" => {
                paths
                    .extend(sent.iter().map(|entry| format!("/v1/statements/{}", entry.statement)));
            }
            "/v1/policies/{digest}" => {
                let sets: BTreeSet<_> =
                    sent.iter().filter_map(|it| it.policy_set.as_ref()).collect();
                paths.extend(sets.iter().map(|set| format!("/v1/policies/{set}")));
            }
            "/v1/asked/{digest}" => {
                let asked: BTreeSet<_> = sent.iter().filter_map(|it| it.asked.as_ref()).collect();
                paths.extend(asked.iter().map(|asked| format!("/v1/asked/{asked}")));
            }
            // Nobody published one here.
            "/v1/bulletins/{digest}" => paths.push(format!("/v1/bulletins/{}", "0".repeat(64))),
            // What a statement's table travels in, where it is large: here they are all inside.
            "/v1/chunks/{digest}" => paths.push(format!("/v1/chunks/{}", "0".repeat(64))),
            "/ledger/{term}/checkpoint" => paths.push("/ledger/1/checkpoint".to_owned()),
            "/ledger/{term}/checkpoint/{size}" => paths.push("/ledger/1/checkpoint/1".to_owned()),
            "/ledger/{term}/tile/{*tile}" => {
                let tiles = ["0/000.p/1", "entries/000.p/1"];
                paths.extend(tiles.map(|tile| format!("/ledger/1/tile/{tile}")));
            }
            "/v1/ledger/proof" => paths.push("/v1/ledger/proof?index=0&size=1".to_owned()),
            plain => {
                assert!(!plain.contains('{'), "say here how to ask for {plain}");
                paths.push(plain.to_owned());
            }
        }
    }
    paths
}

#[test]
fn attack_16_no_canary_is_in_files_logs_metrics_answers_or_memory() {
    let folder = tempfile::tempdir().unwrap();
    let processes = raise(folder.path().to_owned());
    let [nation, region, leaf] = processes.list() else { panic!("three nodes") };
    let at_leaf = plant(leaf);
    nation_shows_one(nation);
    // Before the superiors' own APIs are asked for what they do not have, in words that they then know.
    assert!(memory::holds(&leaf.folder, CANARY), "the search finds what is there");
    for superior in [nation, region] {
        assert!(!memory::holds(&superior.folder, CANARY), "in the memory of {}", superior.unit);
    }

    // Statements of all nodes: a superior keeps those that it received.
    let mut sent: Vec<SentEntry> = Vec::new();
    for process in processes.list() {
        sent.extend(process.client.get::<Vec<SentEntry>>("/v1/sent").unwrap());
    }
    assert!(sent.iter().any(|entry| entry.kind == "release"), "figures were released");
    let mut answered = 0;
    for superior in [nation, region] {
        let writer = superior.writer().unwrap();
        for path in paths(&sent) {
            for (client, accept) in [(&superior.client, "*/*"), (&writer, "application/cbor")] {
                let answer = answer(client, &path, accept);
                let what = format!("the answer of {} to {path}", superior.unit);
                assert_none(&what, &answer, path == "/v1/schema");
                answered += 1;
            }
        }
    }
    assert!(answered > 80, "{answered} answers were searched");
    let metrics = answer(&leaf.client, "/metrics", "*/*");
    assert!(metrics.starts_with(b"# HELP"), "these are metrics");
    assert_none("the leaf's own metrics", &metrics, false);

    let mut at_home = Vec::new();
    for (kind, id) in [("case", case_id()), ("place", place_id())] {
        at_home
            .push(at_leaf.bytes(&format!("/v1/records/{kind}/{}", escaped(&id)), "*/*").unwrap());
    }
    let record: Value = serde_json::from_slice(&at_home[0]).unwrap();
    assert_eq!(record["record"], Value::Object(case()), "the record is in its own house");
    let folders = [nation, region, leaf].map(|process| process.folder.clone());
    processes.stop();
    for folder in &folders {
        let log = std::fs::read(folder.join(LOG_FILE)).unwrap();
        assert!(log.windows(12).any(|words| words == b"store opened"), "the log is there");
        assert!(log.starts_with(b"{\"timestamp\""), "it is as it was asked for");
        assert_none("a log", &log, false);
    }
    let [nation, region, leaf] = folders;
    assert_none_below(&nation);
    assert_none_below(&region);
    at_home.extend(files(&leaf).into_iter().map(|(_, bytes)| bytes));
    assert_all("the leaf's own house", &at_home);
}
