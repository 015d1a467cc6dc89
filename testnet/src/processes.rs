//! A federation of nodes, each a process of its own: `reeve run` in its folder, on loopback.
//!
//! Folders are founded once and used again. A process that is dropped is killed: none outlives what
//! started it, unless that is killed itself.

use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use reeve::api::{ADDRESS_FILE, JSON, Published, StatusView};
use reeve::client::{Client, ClientError, address_of};
use reeve::clock::wall;
use reeve::house::{Authority, CONFIG_FILE, House, Passphrase};
use reeve::token::OPERATOR_TOKEN_FILE;
use reeve_crdt::schema::Schema;
use reeve_statement::unit::UnitPath;

use crate::stopwatch::now;
use crate::town::{PASSPHRASE, TownError, TownSpec, found, house_error};

/// The file in a node's folder that its log goes to.
pub const LOG_FILE: &str = "reeve.log";

/// The file in a node's folder that holds the secret of a writer's token.
const WRITER_TOKEN_FILE: &str = "writer.token";

/// Longest wait for a process to serve, or for all to follow a catalogue.
const SERVING: Duration = Duration::from_secs(60);

/// Longest wait for a process to end after it was told to.
const ENDING: Duration = Duration::from_secs(20);

/// How often something that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Why processes cannot be started, or do not do what they should.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// There is no binary.
    #[error("there is no {}; build it with `cargo build -p reeve` (and --release, as here)", .0.display())]
    NoBinary(PathBuf),
    /// Founding.
    #[error(transparent)]
    Town(#[from] TownError),
    /// The system.
    #[error("{}: {reason}", path.display())]
    System {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// A process that ended.
    #[error("the node of {unit} ended ({status}); see {}", log.display())]
    Ended {
        /// Whose.
        unit: UnitPath,
        /// How.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
    },
    /// The local API.
    #[error("{unit}: {error}")]
    Api {
        /// Whose.
        unit: UnitPath,
        /// What is wrong.
        error: Box<ClientError>,
    },
    /// The nodes did not do something in time.
    #[error("within {seconds} s: {what}")]
    TooSlow {
        /// How long was waited.
        seconds: u64,
        /// What for.
        what: String,
    },
}

/// The houses of a federation, founded or found.
#[derive(Debug)]
pub struct Houses {
    list: Vec<(UnitPath, House, Authority)>,
    schema: Schema,
}

impl Houses {
    /// Opens the folders that are there, and founds the others.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn open(spec: &TownSpec) -> Result<Self, TownError> {
        let schema = Schema::parse("schema.toml", &spec.schema)
            .map_err(|error| TownError::Text(error.to_string()))?;
        let mut houses = Self { list: Vec::new(), schema };
        for path in &spec.paths {
            let (house, authority) = houses.open_or_found(spec, path)?;
            houses.list.push((path.clone(), house, authority));
        }
        Ok(houses)
    }

    fn open_or_found(
        &self,
        spec: &TownSpec,
        path: &UnitPath,
    ) -> Result<(House, Authority), TownError> {
        let folder = spec.folder_of(path);
        if folder.join(CONFIG_FILE).exists() {
            let house = House::open(&folder).map_err(|error| house_error(path, error))?;
            let authority = house.authority(&Passphrase::new(PASSPHRASE));
            return Ok((house, authority.map_err(|error| house_error(path, error))?));
        }
        let Some(above) = path.parent() else { return found(spec, path, None) };
        let superior = self.list.iter().find(|(unit, _, _)| *unit == above);
        let (_, house, authority) = superior.ok_or_else(|| TownError::Order(path.clone()))?;
        found(spec, path, Some((house, authority)))
    }

    /// The pack's catalogue, signed by the first unit's authority.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn sign_catalogue(&self, text: &str) -> Result<Vec<u8>, TownError> {
        let catalogue = reeve_crdt::catalogue::parse("catalogue.toml", text, &self.schema)
            .map_err(|error| TownError::Text(error.to_string()))?;
        let first = self.list.first();
        let (path, house, authority) =
            first.ok_or_else(|| TownError::Text("there are no units".to_owned()))?;
        let failed = |error| house_error(path, error);
        let federation = house.identity().map_err(failed)?.roots.federation();
        authority.sign_catalogue(federation, catalogue, wall()).map_err(failed)
    }
}

/// One node's process.
#[derive(Debug)]
pub struct Process {
    /// Whose node.
    pub unit: UnitPath,
    /// Its folder.
    pub folder: PathBuf,
    /// Its local API, with the operator's token.
    pub client: Client,
    child: Guard,
}

/// A child that does not outlive its owner.
#[derive(Debug)]
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The processes of a federation, superiors first.
#[derive(Debug)]
pub struct Processes {
    list: Vec<Process>,
}

impl Processes {
    /// Starts a process for every house, and waits until all serve.
    ///
    /// # Errors
    /// [`ProcessError`]; those that were started are ended.
    pub fn start(binary: &Path, houses: &Houses) -> Result<Self, ProcessError> {
        let mut started = Vec::new();
        for (unit, house, _) in &houses.list {
            started.push((unit, house, launch(binary, house.folder())?));
        }
        let mut list = Vec::new();
        for (unit, house, child) in started {
            list.push(serving(unit, house, child)?);
        }
        Ok(Self { list })
    }

    /// The processes.
    #[must_use]
    pub fn list(&self) -> &[Process] {
        &self.list
    }

    /// Hands a signed catalogue to the first unit's node, and waits until every node follows it.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub fn publish(&self, signed: &[u8]) -> Result<(), ProcessError> {
        let Some(first) = self.list.first() else { return Ok(()) };
        let media = "application/cose";
        let done: Result<Published, _> =
            first.client.send_bytes("POST", "/v1/catalogue", media, signed.to_vec());
        done.map_err(|error| first.failed(error))?;
        eventually("every node follows the catalogue", || {
            for process in &self.list {
                if process.status()?.catalogue_version == 0 {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// Whether the first unit's node follows a catalogue.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub fn have_catalogue(&self) -> Result<bool, ProcessError> {
        let Some(first) = self.list.first() else { return Ok(true) };
        Ok(first.status()?.catalogue_version > 0)
    }

    /// The first process that has ended by itself.
    ///
    /// # Errors
    /// [`ProcessError::Ended`] if there is one.
    pub fn check(&mut self) -> Result<(), ProcessError> {
        for Process { unit, folder, child, .. } in &mut self.list {
            ended(unit, folder, &mut child.0)?;
        }
        Ok(())
    }

    /// Tells every process to stop, subordinates first, and waits for them.
    pub fn stop(mut self) {
        while let Some(mut process) = self.list.pop() {
            let pid = process.child.0.id().to_string();
            // Where there is no `kill`, the guard ends it at once, and its store is checked later.
            let told = Command::new("kill").args(["-TERM", &pid]).status();
            let began = now();
            while told.is_ok()
                && began.elapsed() < ENDING
                && matches!(process.child.0.try_wait(), Ok(None))
            {
                std::thread::sleep(LOOK);
            }
        }
    }
}

impl Process {
    /// How it fares.
    ///
    /// # Errors
    /// [`ProcessError::Api`].
    pub fn status(&self) -> Result<StatusView, ProcessError> {
        self.client.get("/v1/status").map_err(|error| self.failed(error))
    }

    /// A client that may write records, which the operator may not: makes a token for it.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub fn writer(&self, binary: &Path) -> Result<Client, ProcessError> {
        let path = self.folder.join(WRITER_TOKEN_FILE);
        let at = |reason| ProcessError::System { path: path.clone(), reason };
        let mut options = File::options();
        let secret = options.create_new(true).write(true).mode(0o600).open(&path).map_err(at)?;
        let made = Command::new(binary)
            .arg("--home")
            .arg(&self.folder)
            .args(["token", "create", "testnet", "--role", "writer"])
            .stdout(secret)
            .stderr(Stdio::null())
            .status();
        // Without a token in the file the client says so.
        made.map_err(at)?;
        Client::new(self.client.address(), &path).map_err(|error| self.failed(error))
    }

    /// An error of its API.
    #[must_use]
    pub fn failed(&self, error: ClientError) -> ProcessError {
        ProcessError::Api { unit: self.unit.clone(), error: Box::new(error) }
    }
}

/// The `reeve` that was built beside this program.
///
/// # Errors
/// [`ProcessError::NoBinary`].
pub fn reeve_binary() -> Result<PathBuf, ProcessError> {
    let here = std::env::current_exe();
    let here =
        here.map_err(|reason| ProcessError::System { path: PathBuf::from("testnet"), reason })?;
    let folder = here.parent().unwrap_or(Path::new("."));
    // A test runs one folder deeper than the programs.
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let binary = folder.join(format!("reeve{}", std::env::consts::EXE_SUFFIX));
    if binary.is_file() { Ok(binary) } else { Err(ProcessError::NoBinary(binary)) }
}

fn launch(binary: &Path, folder: &Path) -> Result<Guard, ProcessError> {
    let at = |path: PathBuf| move |reason| ProcessError::System { path, reason };
    // An address of an earlier run must not be taken for this one's.
    let address = folder.join(ADDRESS_FILE);
    if address.exists() {
        fs::remove_file(&address).map_err(at(address.clone()))?;
    }
    let log = folder.join(LOG_FILE);
    let errors = File::options().create(true).append(true).open(&log).map_err(at(log.clone()))?;
    let child = Command::new(binary)
        .arg("--home")
        .arg(folder)
        .arg("run")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors)
        .spawn();
    child.map(Guard).map_err(at(binary.to_owned()))
}

fn serving(unit: &UnitPath, house: &House, mut child: Guard) -> Result<Process, ProcessError> {
    let folder = house.folder().to_owned();
    let (address, token) = (folder.join(ADDRESS_FILE), folder.join(OPERATOR_TOKEN_FILE));
    let mut client = None;
    eventually(&format!("the node of {unit} serves"), || {
        ended(unit, &folder, &mut child.0)?;
        if address.exists() && token.exists() {
            let found = Client::new(address_of(&folder, house.config().http.listen), &token);
            client = found.ok().filter(|client| client.bytes("/ready", JSON).is_ok());
        }
        Ok(client.is_some())
    })?;
    let none = || ProcessError::TooSlow { seconds: SERVING.as_secs(), what: unit.to_string() };
    Ok(Process { unit: unit.clone(), client: client.ok_or_else(none)?, folder, child })
}

fn ended(unit: &UnitPath, folder: &Path, child: &mut Child) -> Result<(), ProcessError> {
    match child.try_wait() {
        Ok(Some(status)) => {
            Err(ProcessError::Ended { unit: unit.clone(), status, log: folder.join(LOG_FILE) })
        }
        _ => Ok(()),
    }
}

/// Waits until something holds.
fn eventually(
    what: &str,
    mut holds: impl FnMut() -> Result<bool, ProcessError>,
) -> Result<(), ProcessError> {
    let began = now();
    while !holds()? {
        if began.elapsed() > SERVING {
            return Err(ProcessError::TooSlow {
                seconds: SERVING.as_secs(),
                what: what.to_owned(),
            });
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}
