//! `reeve run`: starting, stopping, being in the way of another.

use super::federation::{Alone, reeve, said};
use super::files::UPSERT;

#[test]
fn sigterm_stops_cleanly_and_nothing_acknowledged_is_lost() {
    for engine in ["redb", "sled"] {
        let mut alone = Alone::found(engine);
        let file =
            alone.write("c.csv", "number,date,sex,age\n1,2021-01-01,F,4\n2,2021-01-01,M,5\n");
        let mapping = alone.write("c.toml", UPSERT);
        alone.site.reeve(&["import", &file, "--mapping", &mapping]).ok();
        let before = alone.site.reeve(&["status", "--json"]).json();
        assert_eq!(before["storage"]["engine"], engine);
        assert_eq!(alone.stop(), Some(0), "{}", alone.site.log());
        assert!(alone.site.log().contains("stopping"), "{}", alone.site.log());
        alone.site.reeve(&["status"]).fails(4, &["reeve run"]);
        alone.start();
        assert!(alone.site.log().contains("clean=true"), "{}", alone.site.log());
        let after = alone.site.reeve(&["status", "--json"]).json();
        assert!(after["ledger_size"].as_u64() >= before["ledger_size"].as_u64());
        let own = ["query", "cases", "--own", "--period", "2021-01-01", "--json"];
        let figure = alone.site.reeve(&own).json();
        assert_eq!(figure["total"]["value"]["lo"], 2);
    }
}

#[test]
fn a_second_process_on_the_same_folder_is_turned_away() {
    let alone = Alone::found("redb");
    alone.site.reeve(&["run"]).fails(1, &["in use by another process"]);
    assert_eq!(alone.site.reeve(&["status"]).code, 0, "the first one goes on");
}

#[test]
fn logs_are_json_if_asked_for() {
    let mut alone = Alone::found("redb");
    alone.stop();
    let config = alone.site.folder.join("reeve.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("json = false", "json = true");
    std::fs::write(&config, text).unwrap();
    alone.start();
    alone.stop();
    let log = alone.site.log();
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["level"].is_string() && line["timestamp"].is_string(), "{line}");
    }
    assert!(!log.is_empty());
}

#[test]
fn another_program_at_the_address_is_not_taken_for_a_node() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let stranger = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").unwrap();
    });
    let alone = Alone::found("redb");
    alone.site.reeve(&["status", "--api", &address]).fails(1, &["makes no sense"]);
    stranger.join().unwrap();
    alone.site.reeve(&["status", "--api", &address]).fails(4, &["no node answers"]);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "\"$0\" --help | head -1", env!("CARGO_BIN_EXE_reeve")]);
    let told = said(&mut shell).ok();
    assert!(told.out.contains("records at home") && told.err.is_empty(), "{told:?}");
    assert!(reeve(&["--version"]).ok().out.starts_with("reeve 0"));
}
