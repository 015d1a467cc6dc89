//! `reeve sent` and `reeve ledger`: what left the house, and the proof that it is logged.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use reeve_statement::digest::Digest;
use reeve_statement::ledger::checkpoint::Checkpoint;
use reeve_statement::ledger::{Frontier, leaf_hash};
use serde_json::Value;

use super::federation::{Federation, Site, eventually};
use super::files::UPSERT;
use super::import::import;

fn sent(arguments: &[&str]) -> Vec<Value> {
    let all = [&["sent", "--json"], arguments].concat();
    Federation::shared().town.reeve(&all).json().as_array().unwrap().clone()
}

fn index(entry: &Value) -> u64 {
    entry["index"].as_u64().unwrap()
}

/// Three days, each a figure that the superior is told.
fn days() {
    let file = "number,date,sex,age\nd1,2021-10-01,F,\nd2,2021-10-02,F,\nd3,2021-10-03,F,\n";
    import("days.csv", file, UPSERT, &[]).ok();
    eventually("three figures are told", || {
        let about = sent(&["--indicator", "cases", "--limit", "1000"]);
        let of_october = |it: &&Value| it["figure"].as_str().unwrap().contains(" 2021-10-0");
        about.iter().filter(of_october).count() == 3
    });
}

#[test]
fn what_left_is_listed_newest_first_and_filtered() {
    days();
    let federation = Federation::shared();
    let all = sent(&["--limit", "1000"]);
    assert!(all.is_sorted_by(|a, b| index(a) > index(b)), "the newest first");
    // What is between are the certificates that the unit's authority issued.
    let issued = Federation::shared().town.reeve(&["certificate", "list", "--json"]).json();
    let oldest = issued.as_array().unwrap().iter().map(index).max().unwrap() + 1;
    assert_eq!(index(all.last().unwrap()), oldest);
    assert!(all.iter().all(|it| it["audience"] == "it" && it["issued_at"].is_string()));
    let releases = sent(&["--kind", "release", "--limit", "2"]);
    assert!(releases.len() == 2 && releases.iter().all(|it| it["kind"] == "release"));
    assert!(releases.iter().all(|it| it["determining"][0] == "superior-figures"));
    assert_eq!(sent(&["--to", "it/03"]).len(), 0);
    assert_eq!(sent(&["--before", &(oldest + 1).to_string()]).len(), 1);
    assert_eq!(sent(&["--before", &oldest.to_string()]).len(), 0);
    assert_eq!(sent(&["--since", "2999-01-01"]).len(), 0);
    assert!(sent(&["--since", "2020-01-01", "--limit", "1000"]).len() >= all.len());
    federation.town.reeve(&["sent", "--since", "yesterday"]).fails(2, &["2020-03-01"]);
    let text = federation.town.reeve(&["sent", "--limit", "3"]).ok().out;
    assert!(text.contains("DECIDED BY") && text.contains("superior-figures"), "{text}");
    let none = federation.town.reeve(&["sent", "--kind", "declaration"]).ok().out;
    assert!(none.contains("Nothing like that"), "{none}");
}

#[test]
fn a_statement_is_saved_as_it_was_signed_and_proved_to_be_logged() {
    days();
    let town = &Federation::shared().town;
    let entry = sent(&["--kind", "release", "--limit", "1"]).remove(0);
    let digest = entry["statement"].as_str().unwrap();
    let bytes = town.command(&["sent", "--save", digest]).output().unwrap();
    assert_eq!(u64::try_from(bytes.stdout.len()).unwrap(), entry["bytes"].as_u64().unwrap());
    let signed = reeve_statement::cose::Signed::decode(&bytes.stdout).unwrap();
    assert_eq!(signed.digest().to_string(), digest);
    let short = town.command(&["sent", "--save", &digest[..12]]).output().unwrap();
    assert_eq!(short.stdout, bytes.stdout, "as much of the digest as the table shows is enough");
    town.reeve(&["sent", "--save", "ffffffffffff"]).fails(1, &["ffffffffffff"]);
    town.reeve(&["sent", "--save", &"f".repeat(64)]).fails(1, &["no statement"]);

    let head = town.reeve(&["ledger", "head"]).ok().out;
    let lines: Vec<&str> = head.lines().collect();
    assert_eq!(lines[0], "016.it.test.example/ledger/1");
    let size = lines[1];
    let proof = town.reeve(&["ledger", "prove", &index(&entry).to_string(), "--size", size]).ok();
    assert!(proof.out.lines().all(|line| line.len() == 64), "{proof:?}");
    town.reeve(&["ledger", "prove", "99999", "--size", size]).fails(1, &["ledger"]);
}

/// What anybody gets: the status and the body.
fn fetched(site: &Site, path: &str) -> (u16, Vec<u8>) {
    let to = site.api();
    let mut stream = TcpStream::connect(to).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, bytes.split_off(end + 4))
}

/// A monitor adds the tree again from the tiles (C2SP tlog-tiles), where the house opens its ledger.
#[test]
fn whoever_reads_the_tiles_of_an_open_ledger_adds_its_tree_again() {
    let federation = Federation::found("redb");
    let town = &federation.town;
    let note = "/ledger/1/checkpoint";
    assert_eq!(fetched(town, note).0, 404, "it is closed");
    federation.stop(town);
    let config = town.folder.join("reeve.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let open = text.replace("\nledger = false", "\nledger = true");
    assert_ne!(open, text);
    std::fs::write(&config, open).unwrap();
    federation.start(town);
    let rows: String = (1..8).map(|day| format!("t{day},2022-07-0{day},F,\n")).collect();
    let file = federation.write("tiles.csv", format!("number,date,sex,age\n{rows}"));
    let mapping = federation.write("tiles.toml", UPSERT);
    town.reeve(&["import", &file, "--mapping", &mapping]).ok();
    let size = || {
        let (status, body) = fetched(town, note);
        assert_eq!(status, 200);
        Checkpoint::parse_unverified(&String::from_utf8(body).unwrap()).unwrap()
    };
    eventually("the figures are in the ledger", || size().size >= 9);
    let checkpoint = size();
    let width = checkpoint.size;
    let (status, entries) = fetched(town, &format!("/ledger/1/tile/entries/000.p/{width}"));
    assert_eq!(status, 200);
    let (_, hashes) = fetched(town, &format!("/ledger/1/tile/0/000.p/{width}"));
    assert_eq!((entries.len() as u64, hashes.len() as u64), (34 * width, 32 * width));
    let mut tree = Frontier::new();
    for (entry, hash) in entries.chunks(34).zip(hashes.chunks(32)) {
        assert_eq!(entry[..2], [0, 32]);
        let leaf = leaf_hash(&entry[2..]);
        assert_eq!(leaf, Digest::from_bytes(hash.try_into().unwrap()));
        tree.append(leaf).unwrap();
    }
    assert_eq!(tree.root(), checkpoint.root);
    // What was sent is among the entries.
    let sent = town.reeve(&["sent", "--json"]).json();
    for statement in sent.as_array().unwrap() {
        let digest: Digest = statement["statement"].as_str().unwrap().parse().unwrap();
        let place = usize::try_from(index(statement)).unwrap();
        if (place as u64) < width {
            assert_eq!(entries[34 * place + 2..34 * (place + 1)], digest.as_bytes()[..]);
        }
    }
    for absent in ["0/000", "1/000.p/1", "0/001.p/1", "entries/000", "0/000.p/0", "x/000", "0/00"] {
        let (status, _) = fetched(town, &format!("/ledger/1/tile/{absent}"));
        assert_eq!(status, 404, "{absent}");
    }
    for absent in ["/ledger/2/checkpoint", "/ledger/2/tile/0/000.p/1", "/ledger/x/checkpoint"] {
        assert_eq!(fetched(town, absent).0, 404, "{absent}");
    }
}
