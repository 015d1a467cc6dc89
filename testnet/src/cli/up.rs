//! `testnet up`: one process per node, whose folders stay.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use reeve::config::Engine;
use reeve_statement::unit::UnitPath;
use reeve_testnet::processes::{Houses, Launcher, Leash, ProcessError, Processes};
use reeve_testnet::town::TownSpec;
use serde::Deserialize;
use tokio::task::JoinHandle;

use super::{Failed, runtime, told_to_stop};

/// How often it is looked whether all processes still run.
const CHECK: Duration = Duration::from_secs(1);

/// What to start.
#[derive(Debug, Args)]
#[command(
    after_help = "The authority keys' passphrase is `testnet`. Ctrl-C or SIGTERM stops the nodes; the next start\ngoes on with the same folders.\n\nExample:\n  testnet up examples/topology.toml --folder /tmp/atlantis"
)]
pub struct Arguments {
    /// The units, and what they keep (TOML; see examples/topology.toml)
    topology: PathBuf,
    /// Where the nodes' folders are kept; default: beside the topology, under its name
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// A topology file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Topology {
    pack: Pack,
    units: Vec<String>,
    #[serde(default)]
    engine: Store,
}

/// Which pack's schema and catalogue.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Pack {
    Epidemic,
    Italy,
}

impl Pack {
    const fn files(self) -> (&'static str, &'static str) {
        use reeve_examples::{epidemic, italy};
        match self {
            Self::Epidemic => (epidemic::SCHEMA, epidemic::CATALOGUE),
            Self::Italy => (italy::SCHEMA, italy::CATALOGUE),
        }
    }
}

/// Which store engine.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Store {
    #[default]
    Redb,
    Sled,
}

/// Runs it.
///
/// # Errors
/// When the file is wrong, or a node cannot be founded or started, or ends by itself.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failed> {
    let spec = read(&arguments.topology, arguments.folder.as_deref())?;
    let runtime = runtime()?;
    runtime.block_on(async {
        // Heard from here on. If this program is killed, the nodes see their standard input end.
        let mut told = tokio::spawn(told_to_stop());
        let leash = Leash::default();
        let launcher = Launcher::beside(&leash)?;
        let mut starting = tokio::task::spawn_blocking(move || start(&launcher, &spec));
        let processes = tokio::select! {
            started = &mut starting => started??,
            told = &mut told => {
                leash.let_go();
                // What it comes to is of no interest any more, only that it has ended.
                let _ = starting.await;
                return told?.map_err(Failed::from);
            }
        };
        let ended = until_stopped(&mut told, &processes).await;
        anstream::println!("\nStopping the nodes; their folders stay.");
        tokio::task::spawn_blocking(move || processes.stop()).await?;
        ended
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Founds or finds the nodes' folders, starts the nodes, and says how to go on.
fn start(launcher: &Launcher, spec: &Spec) -> Result<Processes, ProcessError> {
    let houses = Houses::open(&spec.town)?;
    let processes = Processes::start(launcher, &houses)?;
    if !processes.have_catalogue()? {
        processes.publish(&houses.sign_catalogue(spec.catalogue)?)?;
    }
    tell(&processes, &launcher.binary);
    Ok(processes)
}

/// Waits until this program is told to stop, or a node has ended by itself.
async fn until_stopped(
    told: &mut JoinHandle<std::io::Result<()>>,
    processes: &Processes,
) -> Result<(), Failed> {
    loop {
        tokio::select! {
            told = &mut *told => return told?.map_err(Failed::from),
            () = tokio::time::sleep(CHECK) => processes.check()?,
        }
    }
}

struct Spec {
    town: TownSpec,
    catalogue: &'static str,
}

fn read(path: &Path, folder: Option<&Path>) -> Result<Spec, Failed> {
    let named = |error: String| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    let topology: Topology = toml::from_str(&text).map_err(|error| named(error.to_string()))?;
    let mut paths = Vec::new();
    for unit in &topology.units {
        let unit: UnitPath = unit.parse().map_err(|error| named(format!("{unit}: {error}")))?;
        paths.push(unit);
    }
    if paths.is_empty() {
        return Err(named("`units` names no unit".to_owned()).into());
    }
    paths.sort_by(|one, other| (one.depth(), one).cmp(&(other.depth(), other)));
    paths.dedup();
    let (schema, catalogue) = topology.pack.files();
    let engine = match topology.engine {
        Store::Redb => Engine::Redb,
        Store::Sled => Engine::Sled,
    };
    let folder = folder.map_or_else(|| path.with_extension("nodes"), Path::to_owned);
    std::fs::create_dir_all(&folder)?;
    let schema = schema.to_owned();
    Ok(Spec {
        town: TownSpec { folder, paths, schema, policy: None, engine, tap: None },
        catalogue,
    })
}

fn tell(processes: &Processes, binary: &Path) {
    for process in processes.list() {
        anstream::println!(
            "{:24} http://{}  {}",
            process.unit.to_string(),
            process.client.address(),
            process.folder.display()
        );
    }
    anstream::println!("\nTry in another terminal:");
    let (first, last) = (processes.list().first(), processes.list().last());
    for (process, command) in
        first.map(|first| (first, "status")).into_iter().chain(last.map(|last| (last, "sent")))
    {
        let home = process.folder.display();
        anstream::println!("  {} --home {home} {command}", binary.display());
    }
    if let Some(first) = first {
        let home = first.folder.display();
        anstream::println!("  {} --home {home} catalogue show", binary.display());
    }
    anstream::println!("Ctrl-C stops the nodes and keeps their folders.");
}
