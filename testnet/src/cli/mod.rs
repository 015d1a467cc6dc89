//! The subcommands of testnet: arguments in, text out.

pub mod attack;
pub mod bench;
pub mod chaos;
pub mod demo;
pub mod disks;
pub mod full;
pub mod fuzz;
mod hostile;
pub mod italy;
pub mod sim;
pub mod stores;
pub mod trial;
pub mod up;

use reeve_testnet::processes::Leash;
use tokio::signal::unix::{SignalKind, signal};

/// Why a command failed, in words.
pub type Failed = Box<dyn std::error::Error>;

/// A runtime for a command.
///
/// # Errors
/// When the system has no threads left.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// Waits until this program is told to stop: by Ctrl-C, or SIGTERM.
///
/// # Errors
/// When the system does not let it wait for signals.
pub async fn told_to_stop() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        told = tokio::signal::ctrl_c() => told,
        _ = terminate.recv() => Ok(()),
    }
}

/// Does some work that starts processes. Told to stop, it ends them and so the work, which is waited
/// for when the runtime ends.
///
/// # Errors
/// Those of the work, or that it was told to stop.
pub async fn unless_stopped<T, E: Into<Failed>>(
    leash: &Leash,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Failed> {
    tokio::select! {
        done = work => done.map_err(Into::into),
        told = told_to_stop() => {
            leash.let_go();
            told?;
            Err("stopped before its end".into())
        }
    }
}
