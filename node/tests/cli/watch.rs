//! `reeve audit watch`: an auditor is admitted, follows ledgers, cosigns them; and two who are told two
//! stories.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Arc;

use reeve_statement::digest::Digest;
use reeve_statement::key::{SecretKey, file};
use reeve_statement::ledger::checkpoint::{Checkpoint, Origin};
use reeve_statement::ledger::{Frontier, leaf_hash};
use serde_json::{Value, json};

use super::federation::{Alone, Said, Site, eventually, reeve};
use super::files::{PASSPHRASE, UPSERT};

/// An auditor of a nation, admitted by file.
fn auditor(nation: &Alone, unit: &str) -> Site {
    let passphrase = nation.write("passphrase", PASSPHRASE);
    let key = ["--passphrase-file", passphrase.as_str()];
    let folder = nation.write(&format!("{unit}.folder"), "");
    let site = Site { folder: format!("{folder}.d").into() };
    site.reeve(&[&["init", "--unit", unit][..], &key].concat()).ok();
    let (request, answer) = (format!("{folder}.request"), format!("{folder}.answer"));
    let applied =
        site.reeve(&[&["request", "--under", "it", &request, "--json"][..], &key].concat());
    let told = applied.json()["key"].as_str().unwrap().to_owned();
    let admit = ["admit", &request, &answer, "--key", &told, "--auditor", "--level", "court"];
    let admitted = nation.site.reeve(&[&admit[..], &["--json"], &key].concat()).json();
    let federation = admitted["federation"].as_str().unwrap().to_owned();
    let join = ["join", "--answer", &answer, "--federation", &federation, "--without-line"];
    let joined = site.reeve(&[&join[..], &key].concat()).ok();
    assert!(joined.out.contains("an auditor's: it/"), "{joined:?}");
    site
}

/// Opens or closes the ledger of a node that is started again.
fn opened(nation: &mut Alone, open: bool) {
    nation.stop();
    let path = nation.site.folder.join("reeve.toml");
    let text = fs::read_to_string(&path).unwrap();
    let line = |open: bool| format!("\nledger = {open}\n");
    fs::write(&path, text.replace(&line(!open), &line(open))).unwrap();
    nation.start();
}

fn follows(site: &Site, unit: &str, at: SocketAddr, more: &str) {
    let text = format!(
        "every_seconds = 1\n\n[[jurisdiction]]\nunit = \"{unit}\"\nledger = \"http://{at}\"\n{more}"
    );
    fs::write(site.folder.join("watch.toml"), text).unwrap();
}

fn once(site: &Site) -> Said {
    site.reeve(&["audit", "watch", "--once", "--json"])
}

fn status(nation: &Alone) -> Value {
    nation.site.reeve(&["status", "--json"]).json()
}

fn cases(nation: &Alone, day: u32, count: u32) {
    let rows = (0..count).map(|case| format!("w{day}-{case},2022-09-{day:02},F,\n"));
    let rows: String = rows.collect();
    let file = nation.write("cases.csv", format!("number,date,sex,age\n{rows}"));
    let mapping = nation.write("cases.toml", UPSERT);
    nation.site.reeve(&["import", &file, "--mapping", &mapping]).ok();
    let sent = ["sent", "--kind", "release", "--indicator", "cases", "--limit", "1000"];
    let day = format!("2022-09-{day:02}");
    eventually("the figure is signed", || nation.site.reeve(&sent).ok().out.contains(&day));
}

#[test]
fn the_first_unit_is_witnessed_by_an_auditor() {
    let mut nation = Alone::found("redb");
    let court = auditor(&nation, "court");
    assert!(!status(&nation)["subordinates"].to_string().contains("court"), "it does not report");
    let shown = court.reeve(&["certificate", "show", "--json"]).json();
    let own = shown["chain"][0].clone();
    assert_eq!((&own["term"], &own["actions"]), (&Value::Null, &json!(["audit"])));
    assert_eq!(shown["chain"][1]["actions"], json!(["audit"]));
    cases(&nation, 1, 9);

    // It is closed: an auditor with a token reads it all the same.
    follows(&court, "it", nation.site.api(), "");
    let closed = once(&court);
    assert_eq!(closed.code, 6, "{closed:?}");
    assert!(closed.out.contains("unreachable") && closed.out.contains("http"), "{closed:?}");
    let token = nation.site.token("court", &["--role", "auditor"]);
    let more = format!("token = \"{}\"\nstatements = true\n", token.display());
    follows(&court, "it", nation.site.api(), &more);
    let round = once(&court).json();
    let visited = &round["jurisdictions"][0];
    assert_eq!((&round["verdict"], &visited["findings"]), (&json!("pass"), &json!([])), "{round}");
    assert_eq!((&visited["cosigned"], &visited["term"]), (&visited["size"], &json!(1)), "{round}");

    // What it is shown is kept, and told of alone.
    assert!(visited["statements"].as_u64() >= Some(1), "{round}");
    let report = court.reeve(&["audit", "watch", "--report", "--json"]).json();
    let of_nation = &report["jurisdictions"][0];
    assert_eq!(of_nation["ledgers"][0]["followed"], visited["size"], "{report}");
    assert_eq!(of_nation["statements"], visited["statements"], "{report}");
    let told = of_nation["lateness"].as_array().unwrap();
    let about = told.iter().find(|it| it["indicator"] == "cases").unwrap();
    assert_eq!((&about["told"], &about["late"]), (&json!(1), &json!(1)), "years late: {report}");
    let text = court.reeve(&["audit", "watch", "--report"]).ok().out;
    assert!(text.contains("cases: 1 of 1 periods after more than 48 h"), "{text}");
    let kept = court.folder.join("watch/statements/it/statements");
    assert_eq!(fs::read_dir(kept).unwrap().count() as u64, visited["statements"].as_u64().unwrap());

    let said = status(&nation);
    assert_eq!(said["witnessed"]["by"], "it/court", "{said}");
    assert_eq!(said["witnessed"]["size"], visited["size"]);
    assert_eq!(said["auditors"][0], said["witnessed"]);
    let note = nation.site.reeve(&["ledger", "cosigned"]).ok().out;
    assert!(note.contains("\u{2014} court.it.test.example/witness "), "{note}");

    // It goes on, is open now, and what was cosigned before is still there.
    opened(&mut nation, true);
    assert_eq!(status(&nation)["witnessed"], said["witnessed"]);
    cases(&nation, 2, 8);
    // An open ledger shows digests, and no statements.
    follows(&court, "it", nation.site.api(), "statements = true\n");
    let round = once(&court).json();
    assert_eq!(round["jurisdictions"][0]["findings"][0]["code"], "declined", "{round}");
    cases(&nation, 5, 8);
    follows(&court, "it", nation.site.api(), "");
    let round = once(&court).json();
    let visited = &round["jurisdictions"][0];
    assert!(visited["new"].as_u64() >= Some(1), "{round}");
    assert_eq!(visited["cosigned"], visited["size"], "{round}");
    let text = court.reeve(&["audit", "watch", "--once"]).ok().out;
    assert!(text.contains("it  term 1") && text.contains("every ledger only grew"), "{text}");

    // Its cosignature is in the bundle, and enough for who requires a witness.
    let place = nation.write("bundle", "");
    let (mut made, mut bundle) = (Value::Null, String::new());
    for number in 0..20 {
        once(&court).ok();
        bundle = format!("{place}.{number}");
        let prove = ["proof", "cases", "--period", "2022-09-02", "-o", &bundle, "--json"];
        let said = nation.site.reeve(&prove);
        made = serde_json::from_str(&said.out).unwrap_or_default();
        if said.code == 0 && made["witnessed"] == made["in_ledger"] {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    assert_eq!(made["witnessed"], made["in_ledger"], "{made}");
    let id = made["federation"].as_str().unwrap();
    let verify = ["audit", "verify", &bundle, "--federation", id, "--require-witness", "--json"];
    let report = reeve(&verify).json();
    assert_eq!(report["figures"][0]["witnessed"][0]["by"], "it/court", "{report}");

    // An auditor that is not known to this federation, and one that only reports.
    let nobody = nation.site.folder.join("watch.toml");
    fs::copy(court.folder.join("watch.toml"), nobody).unwrap();
    let own = nation.site.reeve(&["audit", "watch", "--once"]).ok();
    assert!(own.err.contains("reports figures"), "{own:?}");
    let revoke = ["certificate", "revoke", "court", "--reason", "privilege-withdrawn"];
    let passphrase = nation.write("passphrase", PASSPHRASE);
    nation.site.reeve(&[&revoke[..], &["--passphrase-file", &passphrase]].concat()).ok();
    cases(&nation, 3, 7);
    let before = status(&nation)["witnessed"].clone();
    let round = once(&court).json();
    assert_eq!(round["jurisdictions"][0]["findings"][0]["code"], "not_taken", "{round}");
    assert_eq!(status(&nation)["witnessed"], before, "nobody is believed who was revoked");
}

#[test]
fn a_watcher_goes_on_until_it_is_stopped_and_tells_what_is_new() {
    let mut nation = Alone::found("redb");
    opened(&mut nation, true);
    let court = auditor(&nation, "court");
    follows(&court, "it", nation.site.api(), "");
    let mut watcher = court.command(&["audit", "watch", "--json"]);
    let mut watcher = watcher.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watcher.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let first = next();
    assert_eq!(first["verdict"], "pass", "{first}");
    once(&court).fails(1, &["in use"]);
    cases(&nation, 4, 9);
    let then = next();
    let size = |round: &Value| round["jurisdictions"][0]["size"].as_u64();
    assert!(size(&then) > size(&first), "{first} {then}");
    nation.stop();
    let lost = next();
    watcher.kill().unwrap();
    watcher.wait().unwrap();
    assert_eq!(lost["verdict"], "cannot_tell", "{lost}");
}

/// A node that shows everybody who comes to this address the same ledger, signed with a unit's key.
fn shows(key: &Arc<SecretKey>, chain: &str, entries: &[u64]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let signer = json!({ "chain": chain, "lists": [] }).to_string();
    let leaves: Vec<Digest> = entries.iter().map(|entry| leaf_hash(&entry.to_be_bytes())).collect();
    let key = Arc::clone(key);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), &signer, &leaves, &key);
        }
    });
    address
}

fn answer(mut stream: TcpStream, signer: &str, leaves: &[Digest], key: &SecretKey) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
    let path = line.split(' ').nth(1).unwrap();
    let sign = |size: usize| {
        let mut tree = Frontier::new();
        leaves[..size].iter().for_each(|leaf| drop(tree.append(*leaf).unwrap()));
        let origin = Origin::of("it.test.example", 1).unwrap();
        Checkpoint { origin, size: size as u64, root: tree.root() }.sign(key).into_bytes()
    };
    let body = if path == "/ledger/signer" {
        Some(signer.as_bytes().to_vec())
    } else if path == "/ledger/1/checkpoint" {
        Some(sign(leaves.len()))
    } else if let Some(size) = path.strip_prefix("/ledger/1/checkpoint/") {
        let size: usize = size.parse().unwrap();
        (size <= leaves.len()).then(|| sign(size))
    } else if let Some(width) = path.strip_prefix("/ledger/1/tile/0/000.p/") {
        let width: usize = width.parse().unwrap();
        let hashes = leaves.get(..width);
        hashes.map(|hashes| hashes.iter().flat_map(|hash| *hash.as_bytes()).collect())
    } else {
        None
    };
    let (status, body) = body.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
}

#[test]
fn a_unit_that_shows_two_auditors_two_ledgers_is_proven_within_two_exchanges() {
    let mut nation = Alone::found("redb");
    nation.stop();
    let folder = &nation.site.folder;
    let key = fs::read_to_string(folder.join("keys/node.key")).unwrap();
    let key = Arc::new(file::from_pem(&key).unwrap());
    let chain = fs::read_to_string(folder.join("certificates/node.pem")).unwrap();
    let roots = folder.join("roots.cbor").to_str().unwrap().to_owned();
    let to_anna = shows(&key, &chain, &[1, 2, 3, 4, 5, 6]);
    let to_bruno = shows(&key, &chain, &[1, 2, 30, 4, 5, 6, 7, 8]);
    let place = |name: &str, at: SocketAddr| {
        let folder = format!("{}.d", nation.write(name, ""));
        fs::create_dir_all(&folder).unwrap();
        let site = Site { folder: folder.into() };
        follows(&site, "it", at, "");
        site
    };
    let (anna, bruno) = (place("anna", to_anna), place("bruno", to_bruno));
    let watch = |site: &Site, others: Option<&Site>| {
        let file = site.folder.join("watch.toml").to_str().unwrap().to_owned();
        let kept = site.folder.join("watch").to_str().unwrap().to_owned();
        let mut arguments = vec!["audit", "watch", &file, "--roots", &roots, "--folder", &kept];
        let others = others.map(|other| other.folder.join("watch").to_str().unwrap().to_owned());
        arguments.extend(others.iter().flat_map(|other| ["--others", other.as_str()]));
        arguments.push("--once");
        reeve(&arguments)
    };
    // A jurisdiction that cannot be asked, or whose file is damaged, keeps nobody from the others.
    follows(
        &anna,
        "it",
        to_anna,
        "\n[[jurisdiction]]\nunit = \"it/03\"\nledger = \"http://127.0.0.1:1\"\ntoken = \"none\"\n\
         [[jurisdiction]]\nunit = \"it/05\"\nledger = \"http://127.0.0.1:1\"\n",
    );
    let followed = anna.folder.join("watch/followed");
    fs::create_dir_all(&followed).unwrap();
    fs::write(followed.join("it.05.json"), "{}").unwrap();
    let some = watch(&anna, None).fails(6, &["not everything"]);
    for part in ["it  term 1, 6 entries", "OPEN unreachable", "OPEN not_kept"] {
        assert!(some.out.contains(part), "{part} in {some:?}");
    }
    follows(&anna, "it", to_anna, "");
    // Each alone sees nothing wrong.
    watch(&anna, None).ok();
    watch(&bruno, None).ok();
    // Anna was shown less: Bruno's node has to sign as many entries again, and they are others.
    let warned = watch(&anna, Some(&bruno)).fails(5, &["wrong"]);
    assert!(warned.out.contains("went_back"), "{warned:?}");
    let proven = watch(&bruno, Some(&anna)).fails(5, &["wrong"]);
    assert!(proven.out.contains("WRONG equivocation"), "{proven:?}");
    let proof = bruno.folder.join("watch/equivocations/it-term-1.json");
    let proof = proof.to_str().unwrap();
    let said = reeve(&["audit", "verify", proof, "--roots", &roots]).fails(5, &["wrong"]);
    assert!(said.out.contains("signed two checkpoints of 6 entries"), "{said:?}");
    // It stands until the unit begins another term.
    watch(&bruno, None).fails(5, &["wrong"]);
}

#[test]
fn a_file_of_jurisdictions_that_makes_no_sense_is_refused_with_the_reason() {
    let place = tempfile::tempdir().unwrap();
    let site = Site { folder: place.path().to_owned() };
    site.reeve(&["audit", "watch", "--once"]).fails(2, &["--roots"]);
    let file = place.path().join("watch.toml");
    fs::write(&file, "[[jurisdiction]]\nunit = \"it\"\nledger = \"https://it.example\"\n").unwrap();
    let roots = place.path().join("roots.cbor").to_str().unwrap().to_owned();
    let watch = ["audit", "watch", "--once", "--roots", &roots];
    site.reeve(&watch).fails(1, &["roots.cbor"]);
    fs::write(&roots, "no roots").unwrap();
    site.reeve(&watch).fails(1, &["roots.cbor"]);
}
