//! One node's process: started, asked, killed, started again.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use reeve::api::{ADDRESS_FILE, JSON, StatusView};
use reeve::client::{Client, ClientError, address_of};
use reeve::house::House;
use reeve::token::OPERATOR_TOKEN_FILE;
use reeve_statement::unit::UnitPath;

use super::child::{Guard, Leash};
use super::{ProcessError, eventually};

/// The file in a node's folder that its log goes to.
pub const LOG_FILE: &str = "reeve.log";

/// The file in a node's folder that holds the secret of a writer's token.
const WRITER_TOKEN_FILE: &str = "writer.token";

/// What nodes are started with.
#[derive(Debug, Clone)]
pub struct Launcher {
    /// The `reeve` to run.
    pub binary: PathBuf,
    /// Further arguments of `reeve run`.
    pub arguments: Vec<String>,
    /// A command that runs the binary in a place of its own, with its arguments; empty: none.
    pub within: Vec<String>,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
    /// Ends them all.
    pub leash: Leash,
}

impl Launcher {
    /// Starts nodes with the `reeve` that was built beside this program.
    ///
    /// # Errors
    /// [`ProcessError::NoBinary`].
    pub fn beside(leash: &Leash) -> Result<Self, ProcessError> {
        Ok(Self {
            binary: reeve_binary()?,
            arguments: Vec::new(),
            within: Vec::new(),
            environment: Vec::new(),
            leash: leash.clone(),
        })
    }

    fn launch(&self, folder: &Path) -> Result<Guard, ProcessError> {
        let at = |path: PathBuf| move |reason| ProcessError::System { path, reason };
        // An address of an earlier run must not be taken for this one's.
        let address = folder.join(ADDRESS_FILE);
        if address.exists() {
            fs::remove_file(&address).map_err(at(address.clone()))?;
        }
        let log = folder.join(LOG_FILE);
        let errors = File::options().create(true).append(true).open(&log);
        let mut command = match self.within.split_first() {
            Some((outer, arguments)) => {
                let mut command = Command::new(outer);
                command.args(arguments).arg(&self.binary);
                command
            }
            None => Command::new(&self.binary),
        };
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.arg("--home").arg(folder).args(["run", "--until-eof"]).args(&self.arguments);
        command.stdout(Stdio::null()).stderr(errors.map_err(at(log.clone()))?);
        self.leash.start(&mut command).map_err(at(self.binary.clone()))
    }
}

/// The `reeve` that was built beside this program.
fn reeve_binary() -> Result<PathBuf, ProcessError> {
    let here = std::env::current_exe();
    let here =
        here.map_err(|reason| ProcessError::System { path: PathBuf::from("testnet"), reason })?;
    let folder = here.parent().unwrap_or(Path::new("."));
    // A test runs one folder deeper than the programs.
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let binary = folder.join(format!("reeve{}", std::env::consts::EXE_SUFFIX));
    if binary.is_file() { Ok(binary) } else { Err(ProcessError::NoBinary(binary)) }
}

/// One node's process.
#[derive(Debug)]
pub struct Process {
    /// Whose node.
    pub unit: UnitPath,
    /// Its folder.
    pub folder: PathBuf,
    /// Its local API as of the last start, with the operator's token.
    pub client: Client,
    listen: SocketAddr,
    launcher: Launcher,
    child: Guard,
}

/// A process that was started and may not serve yet.
pub(crate) struct Starting {
    unit: UnitPath,
    folder: PathBuf,
    listen: SocketAddr,
    launcher: Launcher,
    child: Guard,
}

impl Starting {
    pub(crate) fn new(
        launcher: &Launcher,
        unit: &UnitPath,
        house: &House,
    ) -> Result<Self, ProcessError> {
        let folder = house.folder().to_owned();
        Ok(Self {
            unit: unit.clone(),
            listen: house.config().http.listen,
            child: launcher.launch(&folder)?,
            launcher: launcher.clone(),
            folder,
        })
    }

    pub(crate) fn serving(self, within: Duration) -> Result<Process, ProcessError> {
        let client = serving(&self.unit, &self.folder, self.listen, &self.child, within)?;
        let Self { unit, folder, listen, launcher, child } = self;
        Ok(Process { unit, folder, client, listen, launcher, child })
    }
}

impl Process {
    /// Starts one out of a house, and waits until it serves.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub fn start(
        launcher: &Launcher,
        unit: &UnitPath,
        house: &House,
    ) -> Result<Self, ProcessError> {
        Starting::new(launcher, unit, house)?.serving(super::SERVING)
    }

    /// What it was started with.
    #[must_use]
    pub const fn launcher(&self) -> &Launcher {
        &self.launcher
    }

    /// Kills it at once, as a crash would.
    pub fn kill(&self) {
        self.child.kill();
    }

    /// Starts it again after it ended, and does not wait until it serves.
    ///
    /// # Errors
    /// [`ProcessError::System`].
    pub fn launch(&mut self) -> Result<(), ProcessError> {
        self.child = self.launcher.launch(&self.folder)?;
        Ok(())
    }

    /// Waits until it serves.
    ///
    /// # Errors
    /// [`ProcessError`]: it ended, or does not serve in time.
    pub fn serving(&mut self, within: Duration) -> Result<(), ProcessError> {
        self.client = serving(&self.unit, &self.folder, self.listen, &self.child, within)?;
        Ok(())
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Sends it a signal by name, such as `STOP`; whether there is a `kill` to do so.
    pub fn signal(&self, name: &str) -> bool {
        self.child.signal(name)
    }

    /// Tells it to stop, and waits.
    pub fn stop(&self) {
        self.child.stop();
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// [`ProcessError::Ended`].
    pub fn check(&self) -> Result<(), ProcessError> {
        running(&self.unit, &self.folder, &self.child)
    }

    /// How it fares.
    ///
    /// # Errors
    /// [`ProcessError::Api`].
    pub fn status(&self) -> Result<StatusView, ProcessError> {
        self.client.get("/v1/status").map_err(|error| self.failed(error))
    }

    /// A client that may write records, which the operator may not; the first call makes its token.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub fn writer(&self) -> Result<Client, ProcessError> {
        self.writer_named("testnet")
    }

    /// The same, with the name of the person who writes; it counts when the token is made.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub fn writer_named(&self, person: &str) -> Result<Client, ProcessError> {
        let path = self.writer_token();
        if !path.exists() {
            self.make_token(&path, person, "writer")?;
        }
        Client::new(self.client.address(), &path).map_err(|error| self.failed(error))
    }

    fn writer_token(&self) -> PathBuf {
        self.folder.join(WRITER_TOKEN_FILE)
    }

    /// Makes a token of a person in a role; its secret is in the new file.
    ///
    /// # Errors
    /// [`ProcessError::System`].
    pub fn make_token(&self, path: &Path, person: &str, role: &str) -> Result<(), ProcessError> {
        let at = |reason| ProcessError::System { path: path.to_owned(), reason };
        let mut options = File::options();
        let secret = options.create_new(true).write(true).mode(0o600).open(path).map_err(at)?;
        let made = Command::new(&self.launcher.binary)
            .arg("--home")
            .arg(&self.folder)
            .args(["token", "create", person, "--role", role])
            .stdin(Stdio::null())
            .stdout(secret)
            .stderr(Stdio::null())
            .status();
        // Without a token in the file the client says so.
        made.map(drop).map_err(at)
    }

    /// An error of its API.
    #[must_use]
    pub fn failed(&self, error: ClientError) -> ProcessError {
        ProcessError::Api { unit: self.unit.clone(), error: Box::new(error) }
    }
}

fn serving(
    unit: &UnitPath,
    folder: &Path,
    listen: SocketAddr,
    child: &Guard,
    within: Duration,
) -> Result<Client, ProcessError> {
    let (address, token) = (folder.join(ADDRESS_FILE), folder.join(OPERATOR_TOKEN_FILE));
    eventually(within, &format!("the node of {unit} serves"), || {
        running(unit, folder, child)?;
        // One that has its port by its configuration writes down none.
        if (listen.port() == 0 && !address.exists()) || !token.exists() {
            return Ok(None);
        }
        let client = Client::new(address_of(folder, listen), &token).ok();
        Ok(client.filter(|client| client.bytes("/ready", JSON).is_ok()))
    })
}

fn running(unit: &UnitPath, folder: &Path, child: &Guard) -> Result<(), ProcessError> {
    child.ended().map_or(Ok(()), |status| {
        Err(ProcessError::Ended { unit: unit.clone(), status, log: folder.join(LOG_FILE) })
    })
}
