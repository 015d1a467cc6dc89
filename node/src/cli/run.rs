//! `reeve run`: the node, until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::level_filters::LevelFilter;

use super::identity::failed;
use super::{CommandError, Global, Output};
use crate::config::Level;
use crate::house::House;
use crate::runtime::{HostOptions, Hosted, Presence, RunError, Running, host, serve_api};
use crate::telemetry;

/// Longest wait for addresses before the node says where it listens.
const LISTENING: Duration = Duration::from_secs(5);

/// Longest wait for the store to close.
const CLOSING: Duration = Duration::from_secs(20);

/// How to run.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Runs in the foreground, logs to standard error, and stops on SIGTERM or Ctrl-C when everything that was
acknowledged is on disk. Where it listens is printed once it serves. The first run makes the operator's
token, which the other commands use.

Examples:
  reeve --home /var/lib/reeve run
  reeve run --log-level debug --log-json 2>> reeve.log")]
pub struct Arguments {
    /// From which level on to log; else as the configuration says
    #[arg(long, value_enum, value_name = "LEVEL")]
    log_level: Option<LogLevel>,
    /// Log one JSON object per line
    #[arg(long)]
    log_json: bool,
    /// Stop also when standard input ends: with the program that started this one, however it ends
    #[arg(long)]
    until_eof: bool,
}

/// How important a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogLevel {
    /// Something must be done
    Error,
    /// Something should be looked at
    Warn,
    /// What an operator wants to know
    Info,
    /// What a developer wants to know
    Debug,
    /// Everything
    Trace,
}

impl LogLevel {
    const fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }

    const fn of(level: Level) -> Self {
        match level {
            Level::Error => Self::Error,
            Level::Warn => Self::Warn,
            Level::Info => Self::Info,
            Level::Debug => Self::Debug,
            Level::Trace => Self::Trace,
        }
    }
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let house = Arc::new(House::open(&global.home).map_err(failed)?);
    house.identity().map_err(failed)?;
    let log = &house.config().log;
    let level = arguments.log_level.unwrap_or(LogLevel::of(log.level));
    telemetry::start(level.filter(), arguments.log_json || log.json).map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::Failed(format!("the runtime: {error}")))?;
    let ended = runtime.block_on(serve(house, arguments.until_eof, output));
    // A request or a store that does not end must not keep the process.
    runtime.shutdown_background();
    ended
}

async fn serve(house: Arc<House>, until_eof: bool, output: &Output) -> Result<(), CommandError> {
    let not_started =
        |error: RunError| CommandError::Failed(format!("the node did not start: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let hosted = host(Arc::clone(&house), HostOptions::default()).await.map_err(not_started)?;
    let api = match serve_api(Arc::clone(&house), &hosted).await {
        Ok(api) => api,
        Err(error) => {
            stop(hosted).await.map_err(not_started)?;
            return Err(not_started(error));
        }
    };
    let Hosted { handle, running, porter } = hosted;
    if !house.config().net.listen.is_empty() {
        // Without an address yet the node serves all the same; the log says why.
        let _ = tokio::time::timeout(LISTENING, handle.listening()).await;
    }
    let unit = house.identity().and_then(|identity| identity.unit()).map_err(failed)?.to_string();
    let newcomers = porter.as_ref().map(crate::runtime::Porter::addresses).unwrap_or_default();
    let document = json!({
        "unit": unit,
        "peers": handle.addresses(),
        "enrolment": newcomers,
        "api": api.address(),
    });
    output.show(&document, || {
        format!(
            "Node of {unit}\n  peers      {}\n  newcomers  {}\n  local API  http://{}\n\
             Stop it with Ctrl-C.",
            listed(&handle.addresses()),
            listed(&newcomers),
            api.address()
        )
    })?;
    tokio::select! {
        () = handle.stopped() => {}
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
        () = input_ended(), if until_eof => {}
    }
    tracing::info!("stopping");
    handle.stop();
    let presence = handle.presence();
    // The store closes when nobody holds it any more.
    drop((handle, porter));
    api.ended().await;
    ended(running, &presence)
        .await
        .map_err(|error| CommandError::Failed(format!("the node stopped: {error}")))
}

/// Waits until standard input ends. What comes before is thrown away.
async fn input_ended() {
    let (ended, end) = tokio::sync::oneshot::channel();
    // A thread of its own: it may never end, and must not hold up the runtime.
    std::thread::spawn(move || {
        // An error is an end, too.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        // Nobody waits any more if the node stopped for another reason.
        let _ = ended.send(());
    });
    let _ = end.await;
}

/// Waits for the node to close its store; what was acknowledged is durable before that.
async fn ended(running: Running, presence: &watch::Receiver<Presence>) -> Result<(), RunError> {
    tokio::time::timeout(CLOSING, running.stopped()).await.unwrap_or_else(|_| {
        if presence.borrow().failed {
            return Err(RunError::NotClosed);
        }
        tracing::warn!("the store is not closed yet; it is checked at the next start");
        Ok(())
    })
}

fn listed(addresses: &[String]) -> String {
    if addresses.is_empty() { "-".to_owned() } else { addresses.join(", ") }
}

async fn stop(hosted: Hosted) -> Result<(), RunError> {
    let Hosted { handle, running, porter } = hosted;
    handle.stop();
    let presence = handle.presence();
    drop((handle, porter));
    ended(running, &presence).await
}
