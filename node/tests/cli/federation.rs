//! A nation and a municipality, each a process of its own, set up by commands alone.
//!
//! A shell keeps the nodes: it starts one for each folder that it is told on its standard input, and
//! at the end of that input, which is the end of the test process however it ends, it stops them and
//! removes the folder. So no node and no file outlives the tests.

use std::fs;
use std::io::{Read, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::files::{CATALOGUE, PASSPHRASE, SCHEMA};

/// Longest wait for something that takes milliseconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whatever a catalogue proposes is adopted.
const EVERYTHING: [&str; 2] = ["--accept-legal-basis", "*"];

const KEEPER: &str = r#"
while read -r folder; do
    "$0" --home "$folder" run --json >"$folder/run.json" 2>"$folder/run.log" </dev/null &
    nodes="$nodes $!"
done
kill -TERM $nodes 2>/dev/null
wait
rm -rf "$1"
"#;

/// Ports for a new node, to be chosen by the system.
const PORTS: [&str; 4] =
    ["--listen", "/ip4/127.0.0.1/tcp/0", "--enrolment", "/ip4/127.0.0.1/tcp/0"];

/// Where a new node is, and the word before its engine.
const HERE: [&str; 4] = ["--http", "127.0.0.1:0", "--allow-private-addresses", "--store"];

/// What a command said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Its document; it must have gone well.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// It must have failed so, and have said each of these.
    #[track_caller]
    pub fn fails(self, code: i32, told: &[&str]) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        for part in told {
            assert!(self.err.contains(part), "{part:?} is not in {self:?}");
        }
        self
    }
}

/// The command, with nothing from the tests' own surroundings.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeve"));
    for name in ["REEVE_HOME", "REEVE_API", "REEVE_TOKEN_FILE", "CREDENTIALS_DIRECTORY"] {
        command.env_remove(name);
    }
    for name in ["REEVE_LANG", "LC_ALL", "LC_MESSAGES", "LANG"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// Runs it, and ends it if it does not end by itself.
pub fn said(command: &mut Command) -> Said {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let out = read_all(child.stdout.take().unwrap());
    let err = read_all(child.stderr.take().unwrap());
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("{command:?} does not end: {}", err.join().unwrap());
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let [out, err] = [out, err].map(|reader| reader.join().unwrap());
    Said { code: status.code().unwrap_or(-1), out, err }
}

fn read_all(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Runs a command that needs no folder.
pub fn reeve(arguments: &[&str]) -> Said {
    said(command().args(arguments))
}

/// One node's folder, and how to command it.
#[derive(Debug, Clone)]
pub struct Site {
    pub folder: PathBuf,
}

impl Site {
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command();
        command.arg("--home").arg(&self.folder).args(arguments);
        command
    }

    pub fn reeve(&self, arguments: &[&str]) -> Said {
        said(&mut self.command(arguments))
    }

    /// As somebody with the token of this file.
    pub fn reeve_as(&self, token: &Path, arguments: &[&str]) -> Said {
        said(self.command(arguments).arg("--token-file").arg(token))
    }

    /// Makes a token and keeps its secret in a file.
    pub fn token(&self, name: &str, arguments: &[&str]) -> PathBuf {
        let made = self.command(&["token", "create", name]).args(arguments).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let path = self.folder.join(format!("{name}.secret"));
        fs::write(&path, made.stdout).unwrap();
        path
    }

    /// What `run` printed.
    pub fn running(&self) -> Value {
        let path = self.folder.join("run.json");
        let mut document = Value::Null;
        eventually(&format!("{} serves", self.folder.display()), || {
            let text = fs::read_to_string(&path).unwrap_or_default();
            document = serde_json::from_str(&text).unwrap_or_default();
            document.is_object()
        });
        document
    }

    pub fn api(&self) -> SocketAddr {
        self.running()["api"].as_str().unwrap().parse().unwrap()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("run.log")).unwrap_or_default()
    }
}

/// Waits until something holds.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The nodes of one federation.
pub struct Federation {
    pub nation: Site,
    pub town: Site,
    base: PathBuf,
    keeper: Child,
    orders: Mutex<Option<ChildStdin>>,
}

impl Federation {
    /// The one that tests share; they leave each other's records and days alone.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Federation> = LazyLock::new(|| Federation::found("redb"));
        &SHARED
    }

    /// A folder that holds nothing yet, and whoever removes it.
    fn keeper() -> (PathBuf, Child) {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let base = base.join(format!("reeve-cli-{}-{number}", std::process::id()));
        fs::create_dir_all(&base).unwrap();
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, env!("CARGO_BIN_EXE_reeve")])
            .arg(&base)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        (base, keeper)
    }

    /// Founds a nation, runs it, lets a municipality join and runs that, and publishes a catalogue.
    pub fn found(engine: &str) -> Self {
        Self::found_with(engine, &EVERYTHING)
    }

    /// The same with a municipality that adopts only what it is told to.
    pub fn found_with(engine: &str, accepts: &[&str]) -> Self {
        let (base, mut keeper) = Self::keeper();
        let orders = Mutex::new(keeper.stdin.take());
        let site = |name: &str| Site { folder: base.join(name) };
        let (nation, town) = (site("nation"), site("town"));
        let federation = Self { nation, town, base, keeper, orders };
        federation.write("passphrase", PASSPHRASE);
        federation.write("schema.toml", SCHEMA);
        federation.write("catalogue.toml", CATALOGUE);
        federation.raise(engine, accepts);
        federation
    }

    fn raise(&self, engine: &str, accepts: &[&str]) {
        let Self { nation, town, .. } = self;
        let (passphrase, schema) = (self.path("passphrase"), self.path("schema.toml"));
        let founded = ["--federation", "test.example", "--unit", "it", "--level", "nation"];
        self.init(nation, &founded, engine).ok();
        self.start(nation);
        let invite = ["invite", "016", "--level", "municipality", "--name", "en=Town"];
        let invite = nation.reeve(&[&invite[..], &["--passphrase-file", &passphrase]].concat());
        let town_has = [&["--unit", "016", "--schema", &schema][..], accepts].concat();
        self.init(town, &town_has, engine).ok();
        let line = invite.ok().out.trim().to_owned();
        town.reeve(&["join", &line, "--passphrase-file", &passphrase]).ok();
        self.start(town);
        let catalogue = self.path("catalogue.toml");
        let publish = ["catalogue", "publish", &catalogue, "--schema", &schema];
        nation.reeve(&[&publish[..], &["--passphrase-file", &passphrase]].concat()).ok();
        eventually("the municipality follows the catalogue", || {
            town.reeve(&["status", "--json"]).json()["catalogue_version"] == 1
        });
    }

    fn init(&self, site: &Site, arguments: &[&str], engine: &str) -> Said {
        init(site, arguments, engine, &self.path("passphrase"))
    }

    /// Starts the node of a folder, and waits until it serves.
    pub fn start(&self, site: &Site) {
        let _ = fs::remove_file(site.folder.join("run.json"));
        let mut orders = self.orders.lock().unwrap();
        writeln!(orders.as_mut().unwrap(), "{}", site.folder.display()).unwrap();
        drop(orders);
        site.running();
    }

    /// Ends the node of a folder, and waits until it is gone.
    pub fn stop(&self, site: &Site) {
        let runs = || -> Option<u32> {
            let words = ["--home", site.folder.to_str()?, "run"].map(str::as_bytes);
            let processes = fs::read_dir("/proc").ok()?.flatten();
            let mut numbers = processes.filter_map(|it| it.file_name().to_str()?.parse().ok());
            numbers.find(|number: &u32| {
                let line = fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
                let parts: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
                parts.windows(words.len()).any(|window| window == words)
            })
        };
        let number = runs().expect("the node of this folder runs").to_string();
        assert!(Command::new("kill").args(["-TERM", &number]).status().unwrap().success());
        eventually("the node ends", || runs().is_none());
    }

    /// Lets a unit join once more, in a new folder.
    pub fn join_again(&self, unit: &str) -> Site {
        let site = Site { folder: self.base.join(format!("{unit}-again")) };
        let (passphrase, schema) = (self.path("passphrase"), self.path("schema.toml"));
        let key = ["--passphrase-file", passphrase.as_str()];
        let invite =
            self.nation.reeve(&[&["invite", unit, "--level", "municipality"][..], &key].concat());
        let has = [&["--unit", unit, "--schema", &schema][..], &EVERYTHING].concat();
        self.init(&site, &has, "redb").ok();
        let line = invite.ok().out.trim().to_owned();
        site.reeve(&[&["join", &line][..], &key].concat()).ok();
        site
    }

    /// The folder of a unit that has not joined yet.
    pub fn begin(&self, unit: &str) -> Site {
        let site = Site { folder: self.base.join(unit) };
        let schema = self.path("schema.toml");
        self.init(
            &site,
            &[&["--unit", unit, "--schema", &schema][..], &EVERYTHING].concat(),
            "redb",
        )
        .ok();
        site
    }

    /// Lets a further node of the municipality's home join, and runs it.
    pub fn second_node(&self, label: &str) -> Site {
        let site = Site { folder: self.base.join(label) };
        let (passphrase, schema) = (self.path("passphrase"), self.path("schema.toml"));
        let key = ["--passphrase-file", passphrase.as_str()];
        let invite = ["invite", "016", "--home-node", "--label", label];
        let invite = self.town.reeve(&[&invite[..], &key].concat()).ok();
        let node = ["--unit", "016", "--home-node", "--schema", &schema];
        site.reeve(&[&["init"], &node[..], &PORTS, &HERE, &["redb"]].concat()).ok();
        site.reeve(&["join", invite.out.trim()]).ok();
        self.start(&site);
        site
    }

    pub fn path(&self, name: &str) -> String {
        self.base.join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file for a command to read.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.base.join(name), content).unwrap();
        self.path(name)
    }
}

impl Drop for Federation {
    fn drop(&mut self) {
        drop(self.orders.lock().unwrap().take());
        self.keeper.wait().unwrap();
    }
}

/// Makes a node's folder; every port is chosen by the system.
fn init(site: &Site, arguments: &[&str], engine: &str, passphrase: &str) -> Said {
    let zone = ["--time-zone", "Europe/Rome", "--passphrase-file", passphrase];
    let said = site.reeve(&[&["init"], arguments, &PORTS, &HERE, &[engine], &zone].concat());
    // Nobody waits a minute for a protected figure here.
    let policy = site.folder.join("policy.cedar");
    if let Ok(text) = fs::read_to_string(&policy) {
        let named = "@id(\"superior-figures\")\n";
        fs::write(&policy, text.replace(named, &format!("{named}@window(\"1s\")\n"))).unwrap();
    }
    said
}

/// A nation without subordinates that keeps records, and can be stopped and started.
pub struct Alone {
    pub site: Site,
    place: tempfile::TempDir,
    running: Option<(Child, ChildStdin)>,
}

/// Runs one node until the end of the standard input, and ends as it does.
const RUN_ONE: &str = r#"
"$0" --home "$1" run --json >"$1/run.json" 2>"$1/run.log" </dev/null &
read -r _
kill -TERM $! 2>/dev/null
wait $!
"#;

impl Alone {
    /// Founds it and starts it.
    pub fn found(engine: &str) -> Self {
        let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let site = Site { folder: place.path().join("node") };
        let mut alone = Self { site, place, running: None };
        let (passphrase, schema) =
            (alone.write("passphrase", PASSPHRASE), alone.write("schema.toml", SCHEMA));
        let founded = ["--federation", "test.example", "--unit", "it", "--schema", &schema];
        init(&alone.site, &founded, engine, &passphrase).ok();
        alone.start();
        let catalogue = alone.write("catalogue.toml", CATALOGUE);
        let publish = ["catalogue", "publish", &catalogue, "--passphrase-file", &passphrase];
        alone.site.reeve(&publish).ok();
        alone
    }

    pub fn start(&mut self) {
        let _ = fs::remove_file(self.site.folder.join("run.json"));
        let mut keeper = Command::new("sh")
            .args(["-c", RUN_ONE, env!("CARGO_BIN_EXE_reeve")])
            .arg(&self.site.folder)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let input = keeper.stdin.take().unwrap();
        self.running = Some((keeper, input));
        self.site.running();
    }

    /// Sends SIGTERM, and gives the exit code.
    pub fn stop(&mut self) -> Option<i32> {
        let (mut keeper, input) = self.running.take()?;
        drop(input);
        keeper.wait().unwrap().code()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.place.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.stop();
    }
}
