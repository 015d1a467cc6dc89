//! The commands that start processes, run as a person or a service manager runs them: nothing of what
//! they started outlives them, however they end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and waits by the machine's clock"
)]

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reeve::api::{ADDRESS_FILE, Figure, JSON, Written};
use reeve::client::Client;
use reeve::token::OPERATOR_TOKEN_FILE;
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(60);

/// A command that is killed when the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn testnet(arguments: &[&str], temporary: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reeve-testnet"));
        command.args(arguments).env("TMPDIR", temporary);
        Self(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap())
    }

    fn terminate(&mut self) -> std::process::ExitStatus {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.0.wait().unwrap()
    }
}

fn eventually<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A node that `up` told of: its unit, its API and its folder.
struct Told {
    unit: String,
    address: SocketAddr,
    folder: PathBuf,
}

/// Starts `testnet up` and reads what it says until all nodes serve.
fn up(folder: &Path) -> (Running, Vec<Told>) {
    let topology = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/topology.toml");
    let arguments = ["up", topology, "--folder", folder.to_str().unwrap()];
    let mut running = Running::testnet(&arguments, folder);
    let mut told = Vec::new();
    for line in BufReader::new(running.0.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.starts_with("Ctrl-C stops the nodes") {
            return (running, told);
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [unit, address, folder] = words.as_slice()
            && let Some(address) = address.strip_prefix("http://")
        {
            let (unit, folder) = ((*unit).to_owned(), PathBuf::from(folder));
            told.push(Told { unit, address: address.parse().unwrap(), folder });
        }
    }
    panic!("`testnet up` ended before its nodes served");
}

fn at<'a>(told: &'a [Told], unit: &str) -> &'a Told {
    told.iter().find(|told| told.unit == unit).unwrap()
}

fn gone(address: SocketAddr) -> Option<()> {
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err().then_some(())
}

/// Writes one case, with a token made as the help says.
fn write_case(leaf: &Told) {
    let token = leaf.folder.join("clinic.token");
    let binary = Path::new(env!("CARGO_BIN_EXE_reeve-testnet")).with_file_name("reeve");
    let home = leaf.folder.to_str().unwrap();
    let made = Command::new(binary)
        .args(["--home", home, "token", "create", "clinic", "--role", "writer"])
        .output()
        .unwrap();
    let mut private = File::options();
    let mut file = private.write(true).create_new(true).mode(0o600).open(&token).unwrap();
    file.write_all(&made.stdout).unwrap();
    let client = Client::new(leaf.address, &token).unwrap();
    let case =
        json!({"status": "confirmed", "reported_on": "2020-03-01", "age": 44, "sex": "female"});
    let written: Written = client.send("PUT", "/v1/records/case/c1", &case).unwrap();
    assert_eq!(written.inserted, 1);
}

fn nation_shows_one(nation: &Told) {
    let token = nation.folder.join(OPERATOR_TOKEN_FILE);
    let client = Client::new(nation.address, &token).unwrap();
    eventually("the nation shows one case", || {
        let figure: Figure = client.get("/v1/figures/confirmed_by_day?period=2020-03-01").ok()?;
        figure.total.filter(|total| (total.value.lo, total.value.hi) == (1, 1))
    });
}

#[test]
fn a_federation_that_is_up_stops_with_its_starter_and_goes_on_with_its_folders() {
    let folder = tempfile::tempdir().unwrap();
    let (mut running, told) = up(folder.path());
    assert_eq!(told.len(), 6, "examples/topology.toml names six units");
    write_case(at(&told, "atlantis/r1/m1"));
    nation_shows_one(at(&told, "atlantis"));
    assert!(running.terminate().success(), "SIGTERM is a wish to stop, as Ctrl-C is");
    for node in &told {
        assert!(gone(node.address).is_some(), "{} has stopped before its starter", node.unit);
    }

    let (mut running, told) = up(folder.path());
    nation_shows_one(at(&told, "atlantis"));
    running.0.kill().unwrap();
    for node in &told {
        eventually("a node stops when its starter was killed", || gone(node.address));
    }
}

/// The addresses of the nodes' APIs below a folder, and their tokens.
fn nodes(folder: &Path) -> Vec<(SocketAddr, PathBuf)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let address = std::fs::read_to_string(path.join(ADDRESS_FILE));
        if let Some(address) = address.ok().and_then(|text| text.trim().parse().ok()) {
            found.push((address, path.join(OPERATOR_TOKEN_FILE)));
        }
        if path.is_dir() {
            found.extend(nodes(&path));
        }
    }
    found
}

#[test]
fn a_benchmark_that_is_told_to_stop_ends_its_nodes_and_leaves_no_files() {
    let temporary = tempfile::tempdir().unwrap();
    let mut running = Running::testnet(&["bench", "latency"], temporary.path());
    let started = eventually("the five nodes serve", || {
        let nodes = nodes(temporary.path());
        let serves = |(address, token): &(SocketAddr, PathBuf)| {
            Client::new(*address, token).is_ok_and(|client| client.bytes("/ready", JSON).is_ok())
        };
        (nodes.len() == 5 && nodes.iter().all(serves)).then_some(nodes)
    });
    assert_eq!(running.terminate().code(), Some(1), "it did not do what it was asked for");
    for (address, _) in started {
        assert!(gone(address).is_some(), "a node outlived the benchmark");
    }
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0, "files are left");
}

/// Runs `full` with these arguments on a folder, marked so that whatever it starts can be found.
fn full(arguments: &[&str], folder: &Path, mark: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeve-testnet"));
    command.arg("full").args(arguments).arg("--dir").arg(folder);
    command.env("REEVE_TEST_MARK", mark).env_remove("REEVE_ITALY_DATA").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn said(command: &mut Command) -> (bool, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

/// Whether a process runs that was started under this mark.
fn is_running(mark: &str) -> bool {
    let mark = format!("REEVE_TEST_MARK={mark}");
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let mut environments = all.filter_map(|it| std::fs::read(it.path().join("environ")).ok());
    environments.any(|it| it.split(|byte| *byte == 0).any(|word| word == mark.as_bytes()))
}

#[test]
fn full_tells_its_plan_and_runs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("results");
    let (good, out, _) = said(&mut full(&["--list"], &place, "list"));
    assert!(good && !place.exists());
    for part in ["attacks: ", "sim: ", "kills: ", "away: ", "bench: ", "In all about "] {
        assert!(out.contains(part), "{part} in {out}");
    }
    let (good, _, error) = said(&mut full(&["--only", "nothing"], &place, "list"));
    assert!(!good && error.contains("nothing") && error.contains("kills"), "{error}");
}

#[test]
fn full_goes_on_with_the_command_that_it_was_stopped_at() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--quick", "--only", "sim,away"];
    let mut stopped = full(&arguments, folder.path(), "stopped").spawn().unwrap();
    let results = || {
        let text = std::fs::read_to_string(folder.path().join("results.json")).ok()?;
        serde_json::from_str::<serde_json::Value>(&text).ok()
    };
    eventually("one command passed and the next one runs", || {
        let sim = results()?["sim"].clone();
        (sim["0"]["verdict"] == "passed" && sim["1"]["verdict"] == "stopped").then_some(())
    });
    stopped.kill().unwrap();
    stopped.wait().unwrap();
    eventually("what it ran ends with it", || (!is_running("stopped")).then_some(()));

    let (good, out, error) = said(&mut full(&arguments, folder.path(), "again"));
    assert!(good, "{out}{error}");
    assert_eq!(out.matches(" passed before").count(), 1, "{out}");
    assert!(out.contains("| part | command |") && !out.contains("stopped"), "{out}");
    let table: Vec<&str> = out.lines().filter(|line| line.ends_with("| passed |")).collect();
    assert!(table.len() >= 3 && table.iter().any(|line| line.starts_with("| away |")), "{out}");
    // All of it passed at this version: nothing is run again, unless it is wanted.
    let (good, out, _) = said(&mut full(&arguments, folder.path(), "again"));
    assert!(good && !out.contains(" begins;"), "{out}");
    let (good, out, _) =
        said(&mut full(&["--quick", "--only", "away", "--again"], folder.path(), "again"));
    assert!(good && out.matches(" begins;").count() == 1, "{out}");
}

#[test]
fn full_names_the_part_that_failed_and_runs_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("no-such-data");
    let arguments = ["--quick", "--only", "italy,away", "--data", nowhere.to_str().unwrap()];
    let (good, out, error) = said(&mut full(&arguments, &folder.path().join("results"), "failed"));
    assert!(!good, "{out}");
    assert!(error.contains("failed: italy;"), "{error}");
    let verdict = |part: &str| {
        let start = format!("| {part} |");
        out.lines().find(|line| line.starts_with(&start)).unwrap_or_default().to_owned()
    };
    assert!(verdict("italy").ends_with("| FAILED |"), "{out}");
    assert!(verdict("away").ends_with("| passed |"), "{out}");
}
